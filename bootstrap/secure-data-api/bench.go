package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/muhammad-ali-dev0/secure-data-api/bootstrap/bench"
)

const (
	benchEvents  = 1_000_000
	fewestEvents = 10_000
	benchAsked   = 10_000_000
	fewestAsked  = 100_000
)

// benching is the command line of bench.
type benching struct {
	events, asked           int
	round                   time.Duration
	dir                     string
	postgres, check, asJSON bool
}

func benchCommand(t terminal) *cobra.Command {
	var b benching
	c := &cobra.Command{
		Use: "bench [--events N] [--asked N] [--round DURATION] [--dir DIR | --postgres] [--check] [--json]", DisableFlagsInUseLine: true, Args: arguments(),
		Short: "Measure on this machine how fast the service is, beside what bounds it",
		Long: `Measures a service that it starts for this on a free port of the loopback address, with its own database and without rate limits:
how fast it ingests events, beside the same rows inserted by the database driver alone; single events beside requests that only
authenticate; the space that an event takes; the memory for a very long request; and, in a tenant of its own, answers to questions while
10,000 events a second come in, and how fast events are sealed. Client and service share the processors. It sends
` + bench.Typical + `.

The database is a temporary SQLite, which is removed at the end, or with --postgres the one of DATABASE_URL and
MIGRATION_DATABASE_URL. That must have no tenants, and keeps the events that were sent. It takes some ten minutes.`,
		RunE: func(c *cobra.Command, _ []string) error { return b.run(c, t) },
	}
	c.Flags().IntVar(&b.events, "events", benchEvents, "`number` of events sent in batches, and again in one request; 10000 or more")
	c.Flags().IntVar(&b.asked, "asked", benchAsked, "`number` of events in the tenant that questions are about, first a tenth of them; 100000 or more")
	c.Flags().StringVar(&b.dir, "dir", "", "`folder` on the disk to measure; default is the system's for temporary files")
	c.Flags().DurationVar(&b.round, "round", 3*time.Second, "`duration` of each round of single requests")
	c.Flags().BoolVar(&b.postgres, "postgres", false, "measure on the Postgres of DATABASE_URL")
	c.Flags().BoolVar(&b.check, "check", false, "fail if a bar is missed")
	addJSON(c, &b.asJSON)
	return c
}

var errMissed = errors.New("a bar was missed")

// run measures in a temporary folder, and prints the results to standard output. What is measured next is told on standard error.
func (b benching) run(c *cobra.Command, t terminal) (err error) {
	if b.events < fewestEvents {
		return usageError{fmt.Errorf("--events must be %d or more", fewestEvents)}
	}
	if b.asked < fewestAsked {
		return usageError{fmt.Errorf("--asked must be %d or more", fewestAsked)}
	}
	o := bench.Options{Events: b.events, Asked: b.asked, Duration: b.round, Note: func(text string) { fmt.Fprintln(t.err, "secure-data-api:", text) }}
	if b.postgres {
		settings, err := load(c, t)
		if err != nil {
			return err
		}
		if _, isSQLite := settings.SQLitePath(); isSQLite {
			return usageError{errors.New("--postgres needs DATABASE_URL to be that of a Postgres")}
		}
		o.DatabaseURL, o.MigrationURL = settings.DatabaseURL, settings.MigrationURL
	}
	if o.Program, err = os.Executable(); err != nil {
		return fmt.Errorf("finding this program: %w", err)
	}
	if o.Dir, err = os.MkdirTemp(b.dir, "secure-data-api-bench-"); err != nil {
		return fmt.Errorf("creating a folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(o.Dir)) }()
	results, err := bench.Run(c.Context(), o)
	if err != nil {
		return err
	}
	if err := printResults(t.out, b.asJSON, results); err != nil {
		return fmt.Errorf("printing the results: %w", err)
	}
	if b.check && !bench.Met(results) {
		return errMissed
	}
	return nil
}

func printResults(out io.Writer, asJSON bool, results []bench.Result) error {
	if asJSON {
		encoder := json.NewEncoder(out)
		encoder.SetIndent("", "  ")
		return encoder.Encode(results)
	}
	table := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(table, "WHAT\tMEASURED\tCOMPARED WITH\tRATIO\tBAR\tMET")
	for _, r := range results {
		compared, ratio, bar, met := "-", "-", "-", "-"
		if r.Compared != nil {
			compared, ratio = r.Compared.String(), fmt.Sprintf("%.2f", r.Ratio)
		}
		if r.Bar != nil {
			bar, met = r.Bar.String(), "no"
			if r.Bar.Met {
				met = "yes"
			}
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", r.What, r.Measured, compared, ratio, bar, met)
	}
	return table.Flush()
}
