// Command client calls the service with a client generated from its contract: it signs in, ingests an event twice with one
// key and a batch, and expects the summary to count each event once. .ci/clients adds the generated code.
package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
)

func main() {
	if err := run(context.Background(), os.Args[1], os.Args[2], os.Args[3]); err != nil {
		fmt.Fprintln(os.Stderr, "client in Go:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, server, email, password string) error {
	client, err := NewClientWithResponses(server)
	if err != nil {
		return err
	}
	tokens, err := client.SignInWithResponse(ctx, Credentials{Email: email, Password: password})
	if err != nil {
		return err
	}
	if tokens.JSON200 == nil {
		return fmt.Errorf("signing in: %s %s", tokens.Status(), tokens.Body)
	}
	authorize := func(_ context.Context, r *http.Request) error {
		r.Header.Set("Authorization", "Bearer "+tokens.JSON200.AccessToken)
		return nil
	}
	before, err := count(ctx, client, authorize)
	if err != nil {
		return err
	}
	key, value := fmt.Sprintf("go-%d", before), 9.5
	for i := range 2 {
		stored, err := client.IngestEventWithResponse(ctx, &IngestEventParams{IdempotencyKey: &key},
			EventDraft{EventType: "page_view", UserIdentifier: "user-42", Value: &value}, authorize)
		if err != nil {
			return err
		}
		event := []*Event{stored.JSON201, stored.JSON200}[i]
		if event == nil || *event.Value != value {
			return fmt.Errorf("ingesting: %s %s", stored.Status(), stored.Body)
		}
	}
	batch, err := client.IngestBatchWithResponse(ctx, &IngestBatchParams{IdempotencyKey: &key},
		EventBatch{Events: []EventDraft{{EventType: "page_view", UserIdentifier: "user-42"}, {EventType: "page_view"}}}, authorize)
	if err != nil {
		return err
	}
	if batch.JSON200 == nil || batch.JSON200.Accepted != 1 || batch.JSON200.RejectedCount != 1 || batch.JSON200.Rejected[0].Field != "user_identifier" {
		return fmt.Errorf("ingesting a batch: %s %s", batch.Status(), batch.Body)
	}
	after, err := count(ctx, client, authorize)
	if err == nil && after != before+2 {
		err = fmt.Errorf("the summary counts %d events after %d", after, before)
	}
	wrong, failed := client.IngestEventWithResponse(ctx, &IngestEventParams{}, EventDraft{}, authorize)
	if failed == nil && (wrong.ApplicationproblemJSON422 == nil || len(*wrong.ApplicationproblemJSON422.Errors) != 2) {
		failed = fmt.Errorf("an empty event: %s %s", wrong.Status(), wrong.Body)
	}
	return errors.Join(err, failed)
}

// count returns how many events the summary counts.
func count(ctx context.Context, client *ClientWithResponses, authorize RequestEditorFn) (int64, error) {
	summary, err := client.SummarizeWithResponse(ctx, &SummarizeParams{}, authorize)
	if err != nil {
		return 0, err
	}
	if summary.JSON200 == nil {
		return 0, fmt.Errorf("reading the summary: %s %s", summary.Status(), summary.Body)
	}
	return summary.JSON200.TotalEvents, nil
}
