package main

import (
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/muhammad-ali-dev0/secure-data-api/bootstrap/config"
)

// settingFlag is a setting as a flag. Its value is validated with all other settings; see config.Load.
type settingFlag struct{ value, kind string }

func (f *settingFlag) String() string     { return f.value }
func (f *settingFlag) Set(s string) error { f.value = s; return nil }
func (f *settingFlag) Type() string       { return f.kind }

// addSettings adds a flag for each setting that is not secret.
func addSettings(flags *pflag.FlagSet) {
	for _, s := range config.Settings() {
		if s.Secret {
			continue
		}
		flags.Var(&settingFlag{kind: s.Type()}, s.Flag(), s.Help+describe(s.Default))
	}
	flags.SortFlags = false
}

// describe returns what the help adds about the default of a setting.
func describe(d config.Default) string {
	switch {
	case d.Development != d.Elsewhere:
		return fmt.Sprintf("; default %s in development, else %s", d.Development, d.Elsewhere)
	case d.Development != "":
		return "; default " + d.Development
	}
	return ""
}

// hideSettings hides the flags of the settings from the help.
func hideSettings(flags *pflag.FlagSet) {
	for _, s := range config.Settings() {
		if f := flags.Lookup(s.Flag()); f != nil {
			f.Hidden = true
		}
	}
}

// load reads the configuration, including the given flags.
func load(c *cobra.Command, t terminal) (config.Config, error) {
	given := map[string]string{}
	for _, s := range config.Settings() {
		if f := c.Flags().Lookup(s.Flag()); f != nil && f.Changed {
			given[s.Name] = f.Value.String()
		}
	}
	return config.Load(config.Sources{Flags: given, Env: t.env, EnvFile: t.envFile})
}

func configCommand(t terminal) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use: "config", Short: "Show all settings, their values and where they come from; secrets are masked", Args: arguments(),
		RunE: func(c *cobra.Command, _ []string) error {
			settings, err := load(c, t)
			if err != nil {
				return err
			}
			err = printList(t.out, asJSON, settings.Effective,
				column[config.Effective]{"name", func(e config.Effective) any { return e.Name }},
				column[config.Effective]{"value", func(e config.Effective) any { return e.Value }},
				column[config.Effective]{"source", func(e config.Effective) any { return e.Source }})
			for _, warning := range settings.Warnings {
				fmt.Fprintln(t.err, "secure-data-api: warning:", warning)
			}
			return err
		},
	}
	addJSON(c, &asJSON)
	addSettings(c.Flags())
	return c
}
