package postgres

import (
	"context"
	"database/sql"
	"fmt"
)

// The table events has a partition for each month, and one for all before. Functions of the tables' owner add and drop them, so
// that the service's role needs no rights on the schema. They decide by themselves what to add and drop.

// AddPartitions adds the partitions of events that are missing up to 24 months ahead, and returns how many months after this one
// have a partition. It fails if it has to wait for a lock for more than a second.
func (d *Database) AddPartitions(ctx context.Context) (months int, err error) {
	months, err = ask[int](ctx, d, "SELECT add_event_partitions()")
	if err != nil {
		return 0, fmt.Errorf("adding partitions of events: %w", err)
	}
	return months, nil
}

// EventMonthsLeft returns how many months after this one have a partition. Events of later ones can't be ingested.
func (d *Database) EventMonthsLeft(ctx context.Context) (int, error) {
	months, err := ask[int](ctx, d, "SELECT event_months_ahead()")
	if err != nil {
		return 0, fmt.Errorf("counting the partitions of events: %w", err)
	}
	return months, nil
}

// DropExpired removes the events of all partitions that are older than the platform's retention, and returns how many partitions
// that were: 0 without a retention, and while another replica does it. It fails if it has to wait for a lock for more than a
// second, and then has removed the older partitions.
func (d *Database) DropExpired(ctx context.Context) (partitions int, err error) {
	after := "00000000-0000-0000-0000-000000000000"
	for { // once over all partitions: a late event must not bring it back to one that it has emptied
		dropped, err := ask[sql.NullString](ctx, d, "SELECT drop_event_partitions($1)", after)
		if err != nil {
			return partitions, fmt.Errorf("dropping expired partitions of events: %w", err)
		}
		if !dropped.Valid {
			return partitions, nil
		}
		partitions++
		after = dropped.String
	}
}

// ask returns the value that a statement of the service's role returns, within the time of one.
func ask[T any](caller context.Context, d *Database, statement string, args ...any) (value T, err error) {
	ctx, cancel := context.WithTimeout(caller, d.dialect.Timeout())
	defer cancel()
	return value, d.service.GetContext(ctx, &value, statement, args...)
}
