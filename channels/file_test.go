package channels

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/suanpan-bank/suanpan/bank"
)

const good = `suanpan-channel-file,1,IBPS,2026-11-24,,,,
S1,01M8323BP50000000100000004,OUT,5000,6,SUCCESS,2026-11-24,
S2,,IN,10000,0,SUCCESS,2026-11-24,9990222000000000401
S3,01M8323BP50000000100000005,OUT,700,0,FAILED,2026-11-24,
TOTAL,3,IN,10000,OUT,5000,FEE,6
`

func TestAChannelsFileIsReadWhole(t *testing.T) {
	f, err := ReadFile(strings.NewReader(good))
	if err != nil {
		t.Fatal(err)
	}
	if f.Channel != bank.ChannelIBPS || f.Day != 20261124 || len(f.Rows) != 3 || f.Rows[0].Line != 2 || f.Rows[1].Account != "9990222000000000401" {
		t.Errorf("%+v", f)
	}
	var rows []byte
	for i := range f.Rows {
		rows = AppendRow(rows, &f.Rows[i])
	}
	if text, err := WholeFile(f.Channel, f.Day, rows); err != nil || string(text) != good {
		t.Errorf("%v\n%s", err, text)
	}
}

func TestAFileThatIsNotAsAgreedIsRefusedWithItsLine(t *testing.T) {
	for _, c := range []struct{ from, to, because string }{
		{"suanpan-channel-file,1", "suanpan-channel-file,2", "line 1"},
		{"IBPS", "APP", "line 1: no clearing channel"},
		{"5000,6,SUCCESS", "5000.00,6,SUCCESS", "line 2: amount_fen"},
		{"5000,6,SUCCESS", "-5000,6,SUCCESS", "line 2: amount_fen"},
		{"5000,6,SUCCESS", "05000,6,SUCCESS", "line 2: amount_fen"},
		{",OUT,5000", ",AWAY,5000", "line 2: direction"},
		{"SUCCESS,2026-11-24,\nS2", "OK,2026-11-24,\nS2", "line 2: status"},
		{"01M8323BP50000000100000004", "01M8323BP5", "line 2: transfer_id"},
		{"SUCCESS,2026-11-24,\nS2", "SUCCESS,2026-11-23,\nS2", "in a file of"},
		{"S2,", ",", "line 3: serial"},
		{"TOTAL,3,", "TOTAL,2,", "the total says"},
		{"OUT,5000,FEE", "OUT,5001,FEE", "the total says"},
		{"TOTAL,3,IN,10000,OUT,5000,FEE,6\n", "", "cut short"},
		{"FEE,6\n", "FEE,6\nS9,,IN,1,0,SUCCESS,2026-11-24,\n", "after the total"},
	} {
		text := strings.Replace(good, c.from, c.to, 1)
		if text == good {
			t.Fatalf("%q is not in the file", c.from)
		}
		if _, err := ReadFile(strings.NewReader(text)); !errors.Is(err, ErrFile) || !strings.Contains(err.Error(), c.because) {
			t.Errorf("%q: %v, wanted because of %q", c.to, err, c.because)
		}
	}
}

// What is read is what was written: a file is taken as it is meant, or refused; and never with a panic.
func FuzzReadFile(f *testing.F) {
	f.Add([]byte(good))
	f.Add([]byte(strings.ReplaceAll(good, ",", "\",\"")))
	f.Add([]byte("TOTAL,0,IN,0,OUT,0,FEE,0\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		read, err := ReadFile(bytes.NewReader(text))
		if err != nil {
			if !errors.Is(err, ErrFile) {
				t.Fatal(err)
			}
			return
		}
		var rows []byte
		for i := range read.Rows {
			rows = AppendRow(rows, &read.Rows[i])
		}
		written, err := WholeFile(read.Channel, read.Day, rows)
		if err != nil {
			t.Fatalf("%q is read and can't be written: %v", text, err)
		}
		again, err := ReadFile(bytes.NewReader(written))
		if err != nil || again.Channel != read.Channel || again.Day != read.Day || len(again.Rows) != len(read.Rows) {
			t.Fatalf("%q is written as %q, which is read as %+v, %v", text, written, again, err)
		}
		for i := range again.Rows {
			again.Rows[i].Line = read.Rows[i].Line
		}
		if !slices.Equal(again.Rows, read.Rows) {
			t.Fatalf("%+v and %+v", again.Rows, read.Rows)
		}
	})
}
