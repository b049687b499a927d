package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"time"
)

// Bars of the results of exports.
const (
	minExportRatio       = 0.5
	maxExportGrowthInMiB = 32
)

// exports measures exports of n events: how fast one is beside reading the rows, and how much memory each format takes.
func (b *bench) exports(ctx context.Context, n int) ([]Result, error) {
	b.Note(fmt.Sprintf("exports of %s events", grouped(int64(n))))
	var pairs []pair
	for range rounds {
		read, err := b.storage.readAll(ctx, b.askedID)
		if err != nil {
			return nil, err
		}
		took, err := b.export(ctx, "ndjson")
		if err != nil {
			return nil, err
		}
		pairs = append(pairs, pair{float64(n) / took.Seconds(), float64(n) / read.Seconds()})
	}
	results := []Result{compare("export as NDJSON", pairs, "events/s", "of rows read with the same driver").judged(Bar{AtLeast: minExportRatio})}
	for _, format := range []string{"ndjson", "csv", "parquet"} {
		if err := b.restart(ctx); err != nil { // what else took memory would hide what an export takes
			return nil, err
		}
		if _, err := b.asked.time(ctx, summary); err != nil {
			return nil, err
		}
		peak := b.service.watch(ctx)
		_, failed := b.export(ctx, format)
		growth, err := peak()
		switch {
		case failed != nil:
			return nil, failed
		case errors.Is(err, fs.ErrNotExist):
			return results, nil
		case err != nil:
			return nil, err
		}
		results = append(results, single("memory while events are exported as "+format, float64(growth)/mebibyte, "MiB more").judged(Bar{AtMost: maxExportGrowthInMiB}))
	}
	return results, nil
}

// export reads an export to its end, and returns how long that took.
func (b *bench) export(ctx context.Context, format string) (took time.Duration, err error) {
	began := time.Now()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+b.asked.address+prefix+"/analytics/export?format="+format, nil)
	if err != nil {
		return 0, err
	}
	request.Header.Set("Authorization", "Bearer "+b.asked.token)
	request.Header.Set("Accept-Encoding", "identity")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, fmt.Errorf("exporting events: %w", err)
	}
	defer func() { err = errors.Join(err, response.Body.Close()) }()
	if response.StatusCode != http.StatusOK {
		return 0, fmt.Errorf("the service answered %s to an export", response.Status)
	}
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		return 0, fmt.Errorf("reading an export: %w", err)
	}
	if response.Trailer.Get("Export-Events") == "" {
		return 0, errors.New("an export ended without its trailer")
	}
	return time.Since(began), nil
}
