package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/muhammad-ali-dev0/secure-data-api/bootstrap/send"
)

const (
	barWidth  = 30
	clearLine = "\r\x1b[K"
)

// progress shows how far a file is sent, on a terminal; elsewhere it shows only the notices.
type progress struct {
	out   io.Writer
	bar   bool
	size  int64 // of the input in bytes; 0 if that is not known
	began time.Time
}

func newProgress(out io.Writer, size int64) *progress {
	return &progress{out: out, bar: isTerminal(out), size: size, began: time.Now()}
}

// update shows the total so far.
func (p *progress) update(total send.Total) {
	if !p.bar {
		return
	}
	lines := total.Stored + total.Duplicates + total.Rejected
	line := fmt.Sprintf("%d events, %.0f/s", lines, float64(lines)/time.Since(p.began).Seconds())
	if p.size > 0 {
		part := min(1, float64(total.Read)/float64(p.size))
		done := int(part * barWidth)
		line = fmt.Sprintf("%3.0f %% [%s%s] %s", part*100, strings.Repeat("=", done), strings.Repeat(" ", barWidth-done), line)
	}
	fmt.Fprint(p.out, clearLine, line)
}

// notice shows a message, in place of the bar.
func (p *progress) notice(text string) {
	p.clear()
	fmt.Fprintln(p.out, "secure-data-api:", text)
}

// clear removes the bar.
func (p *progress) clear() {
	if p.bar {
		fmt.Fprint(p.out, clearLine)
	}
}

func (p *progress) elapsed() time.Duration { return time.Since(p.began).Round(time.Millisecond) }
