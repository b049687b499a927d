// Package analytics evaluates questions about a tenant's events: queries, summaries and time series.
//
// Events come in pieces, in any order. Of each piece there is a Header, which says how many events of which type and source there
// were in each hour and which users had them, and a Batch, which has its events as columns. A Question says which of the two it
// needs of a piece. It does not matter to the answer how the events are cut into pieces.
package analytics

import "github.com/muhammad-ali-dev0/secure-data-api/domain/fault"

// ErrTooExpensive: the query exceeded its time limit in the database. It has no retry time, since a retry would not help.
var ErrTooExpensive = fault.New(fault.Invalid, "query_too_expensive", "The query takes too long over this many events. Narrow it to a shorter time window or to one event type, or skip fewer events.")
