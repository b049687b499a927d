// Command client calls the service with a client generated from its contract: it signs in, ingests an event twice with one key,
// and expects the summary to count it once. .ci/clients adds the generated code.
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
	for range 2 {
		stored, err := client.IngestEventWithResponse(ctx, &IngestEventParams{IdempotencyKey: &key},
			EventDraft{EventType: "page_view", UserIdentifier: "user-42", Value: &value}, authorize)
		if err != nil {
			return err
		}
		if stored.JSON201 == nil || *stored.JSON201.Value != value {
			return fmt.Errorf("ingesting: %s %s", stored.Status(), stored.Body)
		}
	}
	after, err := count(ctx, client, authorize)
	if err == nil && after != before+1 {
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
