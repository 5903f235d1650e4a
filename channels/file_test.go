package channels

import (
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

// readWhole reads a file and all of its rows.
func readWhole(text string) (*File, []bank.FileRow, error) {
	var rows []bank.FileRow
	f, err := ReadFile(strings.NewReader(text), func(_ *File, row *bank.FileRow) error {
		rows = append(rows, *row)
		return nil
	})
	return f, rows, err
}

func TestAChannelsFileIsReadWhole(t *testing.T) {
	f, read, err := readWhole(good)
	if err != nil {
		t.Fatal(err)
	}
	if f.Channel != bank.ChannelIBPS || f.Day != 20261124 || len(read) != 3 || read[0].Line != 2 || read[1].Account != "9990222000000000401" {
		t.Errorf("%+v %+v", f, read)
	}
	var rows []byte
	for i := range read {
		rows = AppendRow(rows, &read[i])
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
		if _, _, err := readWhole(text); !errors.Is(err, ErrFile) || !strings.Contains(err.Error(), c.because) {
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
		read, rows, err := readWhole(string(text))
		if err != nil {
			if !errors.Is(err, ErrFile) {
				t.Fatal(err)
			}
			return
		}
		var lines []byte
		for i := range rows {
			lines = AppendRow(lines, &rows[i])
		}
		written, err := WholeFile(read.Channel, read.Day, lines)
		if err != nil {
			t.Fatalf("%q is read and can't be written: %v", text, err)
		}
		again, same, err := readWhole(string(written))
		if err != nil || *again != *read || len(same) != len(rows) {
			t.Fatalf("%q is written as %q, which is read as %+v, %v", text, written, again, err)
		}
		for i := range same {
			same[i].Line = rows[i].Line
		}
		if !slices.Equal(same, rows) {
			t.Fatalf("%+v and %+v", same, rows)
		}
	})
}
