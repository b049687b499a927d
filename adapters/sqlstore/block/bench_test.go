package block_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/muhammad-ali-dev0/secure-data-api/adapters/sqlstore/block"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/analytics"
)

const microsPerDay = 24 * 60 * 60 * 1_000_000

// day returns a day's events in no particular pattern: 5 types, 4 sources, some sessions of each user, values of 2 decimals
// in one half of the events.
func day(events, users int, properties func(*rand.Rand) *string) *analytics.Batch {
	r := rand.New(rand.NewPCG(1, 2))
	rows := make([]row, events)
	times := make([]int64, events)
	for i := range times {
		times[i] = 20_000*microsPerDay + r.Int64N(microsPerDay)
	}
	slices.Sort(times)
	for i := range rows {
		user := r.IntN(users)
		rows[i] = row{
			Time: times[i], User: uint32(user),
			Type:    new(fmt.Sprintf("type.%d", r.IntN(5))),
			Source:  new(fmt.Sprintf("source%d", r.IntN(4))),
			Session: new(fmt.Sprintf("s-%d-%d", user, r.IntN(3))),
		}
		if r.IntN(2) == 0 {
			rows[i].Value = new(math.Round(r.Float64()*10_000) / 100)
		}
		if properties != nil {
			rows[i].Properties = properties(r)
		}
	}
	return batchOf(rows)
}

func someProperties(r *rand.Rand) *string {
	return new(fmt.Sprintf(`{"country":"%c%c","device":"%s","page":"/products/%d","price":%d.%02d}`,
		'A'+r.IntN(10), 'A'+r.IntN(5), []string{"phone", "tablet", "desktop"}[r.IntN(3)], r.IntN(1000), r.IntN(100), r.IntN(100)))
}

var days = []struct {
	name       string
	events     int
	users      int
	properties func(*rand.Rand) *string
}{
	{"11111", 11_111, 100_000, nil},
	{"100000", 100_000, 100_000, nil},
	{"100000-properties", 100_000, 100_000, someProperties},
}

func BenchmarkEncode(b *testing.B) {
	for _, d := range days {
		batch := day(d.events, d.users, d.properties)
		b.Run(d.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				f, err := block.Encode(batch)
				if err != nil {
					b.Fatal(err)
				}
				h, err := block.EncodeHeader(analytics.NewHeader(batch))
				if err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(float64(f.Size())/float64(d.events), "file-bytes/event")
				b.ReportMetric(float64(len(h))/float64(d.events), "header-bytes/event")
			}
			b.ReportMetric(float64(b.N*d.events)/b.Elapsed().Seconds(), "events/s")
		})
	}
}

func BenchmarkRead(b *testing.B) {
	for _, d := range days {
		f, err := block.Encode(day(d.events, d.users, d.properties))
		if err != nil {
			b.Fatal(err)
		}
		for name, columns := range map[string]analytics.Columns{
			"type+value": analytics.TypeColumn | analytics.ValueColumn, "all": analytics.AllColumns,
		} {
			b.Run(d.name+"/"+name, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if _, err := read(f, columns); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(b.N*d.events)/b.Elapsed().Seconds(), "events/s")
			})
		}
	}
}

func BenchmarkDecodeHeader(b *testing.B) {
	for _, d := range days[:2] {
		data, err := block.EncodeHeader(analytics.NewHeader(day(d.events, d.users, nil)))
		if err != nil {
			b.Fatal(err)
		}
		b.Run(d.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := block.DecodeHeader(data); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
