package journal

import (
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"
)

// Whatever order records come in, each teller counts his own; what was given and not taken, since its record was not
// written, is given again; and whoever reads the records again goes on with the same numbers.
func TestEachTellerCountsFromOneWithoutAHole(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var book Tellers
		type journal struct {
			date            uint32
			channel, teller uint16
		}
		last := make(map[journal]uint64)
		var written []*Record
		for range rapid.IntRange(1, 200).Draw(t, "records") {
			rec := &Record{
				Kind: KindDecision, AccountingDate: rapid.Uint32Range(20260115, 20260118).Draw(t, "date"),
				Channel: rapid.Uint16Range(0, 3).Draw(t, "channel"), Teller: rapid.Uint16Range(1, 5).Draw(t, "teller"),
			}
			key := journal{rec.AccountingDate, rec.Channel, rec.Teller}
			if rec.TellerSerial = book.Next(rec); rec.TellerSerial != last[key]+1 {
				t.Fatalf("%+v: number %d after %d", key, rec.TellerSerial, last[key])
			}
			if rapid.IntRange(0, 4).Draw(t, "refused") == 0 {
				continue
			}
			book.Take(rec)
			last[key]++
			written = append(written, rec)
			if rapid.IntRange(0, 20).Draw(t, "restart") == 0 {
				saved := book.Clone()
				behind := rapid.IntRange(0, len(written)).Draw(t, "behind")
				book = saved
				for _, rec := range written[behind:] { // records that the copy counts already do no harm
					book.Take(rec)
				}
			}
		}
	})
}

// A copy that a checkpoint writes does not go on with the numbers.
func TestACopyOfTheNumbersStands(t *testing.T) {
	var book Tellers
	rec := &Record{Kind: KindDecision, AccountingDate: 20260115, Teller: 3, TellerSerial: 1}
	book.Take(rec)
	copied := book.Clone()
	rec.TellerSerial = 2
	book.Take(rec)
	if a, b := copied.Next(rec), book.Next(rec); a != 2 || b != 3 {
		t.Errorf("the copy gives %d, the book %d", a, b)
	}
}

// BenchmarkTellers is what a record's number costs, tellers by chance: all of one channel, and of eight channels on two
// dates, as at a day's end.
func BenchmarkTellers(b *testing.B) {
	for name, most := range map[string]struct{ dates, channels int }{"one channel": {1, 1}, "eight channels, two dates": {2, 8}} {
		b.Run(name, func(b *testing.B) {
			var book Tellers
			rng := rand.New(rand.NewPCG(1, 2))
			var tellers [1 << 12]struct{ date, channel, no uint16 }
			for i := range tellers {
				tellers[i].date, tellers[i].channel, tellers[i].no = uint16(rng.IntN(most.dates)), uint16(rng.IntN(most.channels)), uint16(1+rng.IntN(1024))
			}
			rec := &Record{Kind: KindDecision}
			b.ResetTimer()
			for i := range b.N {
				t := tellers[i%len(tellers)]
				rec.AccountingDate, rec.Channel, rec.Teller = 20260115+uint32(t.date), t.channel, t.no
				rec.TellerSerial = book.Next(rec)
				book.Take(rec)
			}
		})
	}
}
