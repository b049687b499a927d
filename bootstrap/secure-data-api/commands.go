package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/muhammad-ali-dev0/secure-data-api/adapters/system"
	"github.com/muhammad-ali-dev0/secure-data-api/bootstrap"
	"github.com/muhammad-ali-dev0/secure-data-api/bootstrap/config"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/access"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/page"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/tenant"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/user"
)

const (
	healthTimeout = 5 * time.Second
	// maxPasswordInput bounds what is read of a password: 128 characters of at most 4 bytes, and a line end.
	maxPasswordInput = user.MaxPasswordLength*4 + 2
)

func rootCommand(t terminal) *cobra.Command {
	root := &cobra.Command{
		Use:   "secure-data-api",
		Short: "Multi-tenant analytics over REST that a team can run itself",
		Long: `Secure Data API takes events from many tenants, answers questions about them and exports them, and no tenant
ever sees another's data. Without a command it serves.

Start it, and open http://localhost:8000/docs:
  secure-data-api

Make a tenant and its first admin:
  secure-data-api user create --tenant acme --email ann@acme.com --name Ann --role admin --password-stdin

Settings come from flags, the environment and a file .env; 'secure-data-api config' shows them all.`,
		Args:          exactly(0),
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.CompletionOptions.DisableDefaultCmd = true
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	serve := serveCommand(t)
	root.RunE = serve.RunE
	addSettings(root.Flags())
	root.AddCommand(serve, userCommand(t), tenantCommand(t), migrateCommand(t), configCommand(t), healthCommand(t), versionCommand(t))
	return root
}

// addSettings adds a flag for each setting that is no secret.
func addSettings(flags *pflag.FlagSet) {
	for _, s := range config.Settings() {
		if !s.Secret {
			flags.String(s.Flag(), "", s.Help)
		}
	}
	flags.SortFlags = false
}

// load reads the configuration with the flags that were given.
func load(c *cobra.Command, t terminal) (config.Config, error) {
	given := map[string]string{}
	for _, s := range config.Settings() {
		if f := c.Flags().Lookup(s.Flag()); f != nil && f.Changed {
			given[s.Name] = f.Value.String()
		}
	}
	return config.Load(config.Sources{Flags: given, Env: t.env, EnvFile: t.envFile})
}

// open reads the configuration and puts the service together, with its log on the given output.
func open(c *cobra.Command, t terminal, log io.Writer, serving bool) (*bootstrap.App, error) {
	settings, err := load(c, t)
	if err != nil {
		return nil, err
	}
	return bootstrap.Open(c.Context(), settings, bootstrap.Runtime{
		Output: log, Colour: isTerminal(log), Version: version, Clock: system.Clock{}, After: time.After, Serving: serving,
	})
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// withApp runs fn on the service with its schema up to date. The log goes to standard error, so that what the command
// prints can be piped.
func withApp(c *cobra.Command, t terminal, fn func(ctx context.Context, app *bootstrap.App) error) error {
	app, err := open(c, t, t.err, false)
	if err != nil {
		return err
	}
	if _, err = app.Migrate(c.Context()); err == nil {
		err = fn(c.Context(), app)
	}
	return errors.Join(err, app.Close())
}

func serveCommand(t terminal) *cobra.Command {
	c := &cobra.Command{
		Use:   "serve",
		Short: "Answer requests until told to stop (this is what happens without a command)",
		Args:  exactly(0),
		RunE: func(c *cobra.Command, _ []string) error {
			app, err := open(c, t, t.out, true)
			if err != nil {
				return err
			}
			return errors.Join(app.Serve(c.Context(), func(net.Addr) {}), app.Close())
		},
	}
	addSettings(c.Flags())
	return c
}

func userCommand(t terminal) *cobra.Command {
	c := &cobra.Command{Use: "user", Short: "Make, list and change users; works while the service runs", Args: exactly(0), RunE: needsCommand}
	c.AddCommand(userCreateCommand(t), userListCommand(t), userDeactivateCommand(t), userSetRoleCommand(t))
	return c
}

// needsCommand answers a command that only groups others.
func needsCommand(c *cobra.Command, _ []string) error {
	return usageError{fmt.Errorf("%s needs a command", c.CommandPath())}
}

func require(c *cobra.Command, flags ...string) {
	for _, f := range flags {
		if err := c.MarkFlagRequired(f); err != nil {
			panic(err) // a mistake in this file
		}
	}
	c.PreRunE = func(c *cobra.Command, _ []string) error {
		if err := c.ValidateRequiredFlags(); err != nil {
			return usageError{err}
		}
		return nil
	}
}

func userCreateCommand(t terminal) *cobra.Command {
	var (
		account user.Account
		role    string
		stdin   bool
		join    bool
	)
	c := &cobra.Command{
		Use:   "create --tenant SLUG --email E --name N --role R --password-stdin [--join]",
		Short: "Make a user and its tenant, or with --join a user of a tenant that exists",
		Long: `Makes a tenant and its first user, with any role. This is how the first admin and the first super_admin come to be.
In a tenant that exists already, a user is made only with --join, which shows who is in it: whoever registered its slug
first may be a stranger. The password is read from standard input, so that it shows neither in the list of processes nor in the
history of the shell:

  secure-data-api user create --tenant acme --email ann@acme.com --name Ann --role admin --password-stdin < password.txt`,
		Args: exactly(0),
		RunE: func(c *cobra.Command, _ []string) error {
			if !stdin {
				return usageError{errors.New("--password-stdin is required: the password is read from standard input")}
			}
			r, err := access.ParseRole(role)
			if err != nil {
				return usageError{errors.New("--role must be viewer, analyst, admin or super_admin")}
			}
			password, err := readPassword(t.in)
			if err != nil {
				return err
			}
			account.Password = password
			return withApp(c, t, func(ctx context.Context, app *bootstrap.App) error {
				if join {
					if err := showUsers(ctx, app, t.out, account.Tenant); err != nil {
						return err
					}
				}
				u, err := app.Auth.CreateUser(ctx, access.Operator(), account, r, join)
				if errors.Is(err, tenant.ErrSlugTaken) {
					return fmt.Errorf("%w See who is in it with 'secure-data-api user list --tenant %s', and add a user to it with --join", err, account.Tenant)
				}
				if err != nil {
					return err
				}
				fmt.Fprintf(t.out, "created %s %s with id %s\n", u.Role, u.Email, u.ID)
				return nil
			})
		},
	}
	c.Flags().StringVar(&account.Tenant, "tenant", "", "slug of the tenant")
	c.Flags().StringVar(&account.Email, "email", "", "e-mail address")
	c.Flags().StringVar(&account.FullName, "name", "", "full name")
	c.Flags().StringVar(&role, "role", "", "viewer, analyst, admin or super_admin")
	c.Flags().BoolVar(&stdin, "password-stdin", false, "read the password from standard input")
	c.Flags().BoolVar(&join, "join", false, "add the user to a tenant that exists, and show who is in it")
	require(c, "tenant", "email", "name", "role")
	return c
}

// readPassword reads a password up to the end of its line.
func readPassword(in io.Reader) (string, error) {
	input, err := io.ReadAll(io.LimitReader(in, maxPasswordInput+1))
	if err != nil {
		return "", fmt.Errorf("reading the password: %w", err)
	}
	if len(input) > maxPasswordInput {
		return "", errors.New("the password is too long")
	}
	return strings.TrimRight(string(input), "\r\n"), nil
}

func userListCommand(t terminal) *cobra.Command {
	var slug string
	c := &cobra.Command{
		Use: "list --tenant SLUG", Short: "List a tenant's users", Args: exactly(0),
		RunE: func(c *cobra.Command, _ []string) error {
			return withApp(c, t, func(ctx context.Context, app *bootstrap.App) error {
				return showUsers(ctx, app, t.out, slug)
			})
		},
	}
	c.Flags().StringVar(&slug, "tenant", "", "slug of the tenant")
	require(c, "tenant")
	return c
}

// showUsers prints the users of a tenant.
func showUsers(ctx context.Context, app *bootstrap.App, out io.Writer, slug string) error {
	parsed, err := tenant.ParseSlug(slug)
	if err != nil {
		return usageError{err}
	}
	home, err := app.Tenants.BySlug(ctx, access.Operator(), parsed)
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(table, "ID\tEMAIL\tNAME\tROLE\tACTIVE")
	for part := (page.Page{Limit: page.Users.Max}); ; part.Skip += part.Limit {
		list, total, _, err := app.Users.List(ctx, access.Operator(), home.ID, part)
		if err != nil {
			return err
		}
		for _, u := range list {
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%t\n", u.ID, u.Email, u.FullName, u.Role, u.Active)
		}
		if part.Skip+len(list) >= total || len(list) == 0 {
			return table.Flush()
		}
	}
}

func userDeactivateCommand(t terminal) *cobra.Command {
	return &cobra.Command{
		Use: "deactivate USER_ID", Short: "End a user's access and all its sessions", Args: exactly(1),
		RunE: func(c *cobra.Command, args []string) error {
			userID, err := id.Parse[id.User]("USER_ID", args[0])
			if err != nil {
				return usageError{err}
			}
			return withApp(c, t, func(ctx context.Context, app *bootstrap.App) error {
				if err := app.Users.Deactivate(ctx, access.Operator(), "", userID); err != nil {
					return err
				}
				fmt.Fprintf(t.out, "deactivated %s\n", userID)
				return nil
			})
		},
	}
}

func userSetRoleCommand(t terminal) *cobra.Command {
	return &cobra.Command{
		Use: "set-role USER_ID ROLE", Short: "Give a user another role: viewer, analyst, admin or super_admin", Args: exactly(2),
		RunE: func(c *cobra.Command, args []string) error {
			userID, err := id.Parse[id.User]("USER_ID", args[0])
			if err != nil {
				return usageError{err}
			}
			role, err := access.ParseRole(args[1])
			if err != nil {
				return usageError{err}
			}
			return withApp(c, t, func(ctx context.Context, app *bootstrap.App) error {
				u, err := app.Users.ChangeRole(ctx, access.Operator(), "", userID, role)
				if err != nil {
					return err
				}
				fmt.Fprintf(t.out, "%s is %s now\n", u.Email, u.Role)
				return nil
			})
		},
	}
}

func tenantCommand(t terminal) *cobra.Command {
	c := &cobra.Command{Use: "tenant", Short: "Make and list tenants", Args: exactly(0), RunE: needsCommand}
	c.AddCommand(&cobra.Command{
		Use: "create SLUG", Short: "Make a tenant that nobody is in yet; users come with 'user create --join'", Args: exactly(1),
		RunE: func(c *cobra.Command, args []string) error {
			slug, err := tenant.ParseSlug(args[0])
			if err != nil {
				return usageError{err}
			}
			return withApp(c, t, func(ctx context.Context, app *bootstrap.App) error {
				created, err := app.Tenants.Create(ctx, access.Operator(), slug)
				if err != nil {
					return err
				}
				fmt.Fprintf(t.out, "created tenant %s with id %s\n", created.Slug, created.ID)
				return nil
			})
		},
	}, &cobra.Command{
		Use: "list", Short: "List all tenants", Args: exactly(0),
		RunE: func(c *cobra.Command, _ []string) error {
			return withApp(c, t, func(ctx context.Context, app *bootstrap.App) error {
				list, err := app.Tenants.List(ctx, access.Operator())
				if err != nil {
					return err
				}
				table := tabwriter.NewWriter(t.out, 0, 8, 2, ' ', 0)
				fmt.Fprintln(table, "ID\tSLUG\tCREATED")
				for _, one := range list {
					fmt.Fprintf(table, "%s\t%s\t%s\n", one.ID, one.Slug, one.CreatedAt.Format(time.RFC3339))
				}
				return table.Flush()
			})
		},
	})
	return c
}

func migrateCommand(t terminal) *cobra.Command {
	c := &cobra.Command{Use: "migrate", Short: "Bring the schema up to date, or show its state", Args: exactly(0), RunE: needsCommand}
	c.AddCommand(
		&cobra.Command{
			Use: "up", Short: "Apply the versions of the schema that are missing", Args: exactly(0),
			RunE: func(c *cobra.Command, _ []string) error {
				app, err := open(c, t, t.err, false)
				if err != nil {
					return err
				}
				applied, err := app.Migrate(c.Context())
				if err == nil {
					fmt.Fprintf(t.out, "%d versions applied; the schema is up to date\n", applied)
				}
				return errors.Join(err, app.Close())
			},
		},
		migrateDownCommand(t),
		&cobra.Command{
			Use: "distribute", Short: "Spread the tables of a Postgres over a Citus cluster, by tenant", Args: exactly(0),
			RunE: func(c *cobra.Command, _ []string) error {
				return withApp(c, t, func(ctx context.Context, app *bootstrap.App) error {
					if err := app.Distribute(ctx); err != nil {
						return err
					}
					fmt.Fprintln(t.out, "the tables are distributed by tenant")
					return nil
				})
			},
		},
		&cobra.Command{
			Use: "status", Short: "Show the versions of the schema", Args: exactly(0),
			RunE: func(c *cobra.Command, _ []string) error {
				app, err := open(c, t, t.err, false)
				if err != nil {
					return err
				}
				versions, err := app.SchemaStatus(c.Context())
				table := tabwriter.NewWriter(t.out, 0, 8, 2, ' ', 0)
				for _, v := range versions {
					state := "pending"
					if v.Applied {
						state = "applied"
					}
					fmt.Fprintf(table, "%d\t%s\t%s\n", v.Version, cmp.Or(v.Name, "(not known to this program)"), state)
				}
				return errors.Join(err, table.Flush(), app.Close())
			},
		},
	)
	return c
}

func migrateDownCommand(t terminal) *cobra.Command {
	var database string
	c := &cobra.Command{
		Use: "down --database NAME", Short: "Take the newest version of the schema back, with all data that it holds", Args: exactly(0),
		Long: `Takes the newest version of the schema back, with all data that it holds. NAME is the name of the database, or of its
file where it is SQLite, so that it can't be another one than you mean. A database that has ever served production is
never taken back, whatever the environment of this command; nor is one without a record of that, such as one from which
the version that keeps it was taken back.`,
		RunE: func(c *cobra.Command, _ []string) error {
			app, err := open(c, t, t.err, false)
			if err != nil {
				return err
			}
			name, err := app.MigrateDown(c.Context(), database)
			if err == nil {
				fmt.Fprintf(t.out, "taken back: %s\n", cmp.Or(name, "nothing, there was no version"))
			}
			return errors.Join(err, app.Close())
		},
	}
	c.Flags().StringVar(&database, "database", "", "name of the database whose version is taken back")
	require(c, "database")
	return c
}

func configCommand(t terminal) *cobra.Command {
	c := &cobra.Command{
		Use: "config", Short: "Show each setting, its value and where that comes from; secrets are masked", Args: exactly(0),
		RunE: func(c *cobra.Command, _ []string) error {
			settings, err := load(c, t)
			if err != nil {
				return err
			}
			for _, warning := range settings.Warnings {
				fmt.Fprintln(t.err, "secure-data-api: warning:", warning)
			}
			table := tabwriter.NewWriter(t.out, 0, 8, 2, ' ', 0)
			for _, s := range settings.Effective {
				fmt.Fprintf(table, "%s\t%s\t%s\n", s.Name, s.Value, s.Source)
			}
			return table.Flush()
		},
	}
	addSettings(c.Flags())
	return c
}

func healthCommand(t terminal) *cobra.Command {
	return &cobra.Command{
		Use: "healthcheck", Short: "Ask the service on this machine whether it is ready; exit code 0 if it is", Args: exactly(0),
		RunE: func(c *cobra.Command, _ []string) error {
			settings, err := load(c, t)
			if err != nil {
				return err
			}
			return checkHealth(c.Context(), settings)
		},
	}
}

func checkHealth(ctx context.Context, settings config.Config) error {
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	host := settings.Host
	if host == "0.0.0.0" || host == "::" || host == "" {
		host = "127.0.0.1"
	}
	scheme, transport := "http", &http.Transport{}
	if len(settings.TLSCert) > 0 {
		// The certificate is for the name by which clients know the service, not for this address; nothing secret is sent.
		scheme, transport.TLSClientConfig = "https", &tls.Config{InsecureSkipVerify: true}
	}
	url := scheme + "://" + net.JoinHostPort(host, strconv.Itoa(settings.Port)) + "/health/ready"
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return fmt.Errorf("asking for health: %w", err)
	}
	response, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		return fmt.Errorf("asking for health: %w", err)
	}
	if err := response.Body.Close(); err != nil {
		return fmt.Errorf("asking for health: %w", err)
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("the service is not ready: %s", response.Status)
	}
	return nil
}

func versionCommand(t terminal) *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version", Args: exactly(0),
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprintf(t.out, "secure-data-api %s %s %s/%s\n", version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
			return err
		},
	}
}
