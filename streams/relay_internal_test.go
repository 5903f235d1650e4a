package streams

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/suanpan-bank/suanpan/ledger"
)

// A batch may have ended between two events of a record.
func TestALaneGoesOnInTheMiddleOfARecord(t *testing.T) {
	record := []Message{{Position: 7, EventID: "a"}, {Position: 7, EventID: "b"}, {Position: 7, EventID: "c"}}
	for _, c := range []struct {
		name string
		lane lane
		want [3]bool
	}{
		{"an empty lane", lane{}, [3]bool{}},
		{"up to the record before", lane{done: 6, tail: mark{6, "z"}}, [3]bool{}},
		{"up to its first event", lane{done: 6, tail: mark{7, "a"}}, [3]bool{true}},
		{"up to its second event", lane{done: 6, tail: mark{7, "b"}}, [3]bool{true, true}},
		{"up to its last event", lane{done: 6, tail: mark{7, "c"}}, [3]bool{true, true, true}},
		{"further, says the cursor", lane{done: 7, tail: mark{7, "a"}}, [3]bool{true, true, true}},
		{"further, says the lane", lane{done: 8, tail: mark{9, "x"}}, [3]bool{true, true, true}},
		{"an event it does not have", lane{done: 6, tail: mark{7, "?"}}, [3]bool{}},
	} {
		for i, want := range c.want {
			if got := c.lane.holds(record, i); got != want {
				t.Errorf("%s: holds event %d: %t", c.name, i, got)
			}
		}
	}
}

// A consumer decodes what anybody may have put on a topic.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"type":"AccountOpened","customer_token":"C0000000018","actor_seq":1,"entries":[{"phase":"POST","amount_fen":1}],"payload":{}}`))
	f.Fuzz(func(t *testing.T, value []byte) {
		env, err := Decode(value)
		if err != nil {
			return
		}
		for i := range env.Entries {
			env.Entries[i].Apply(func(uint32, ledger.Uint128) *Balances { return new(Balances) })
		}
	})
}

// The cursor's file may be torn or somebody else's. Then the relay begins where the partitions say.
func FuzzCursor(f *testing.F) {
	f.Add([]byte(`{"cluster_id":"c","position":7,"ends":{"accounts":[1,2]}}`))
	f.Add([]byte(`{"cluster_id":"other","position":7,"ends":{}}`))
	f.Add([]byte(`{"cluster_id":"c","position":-1}`))
	path := filepath.Join(f.TempDir(), "cursor")
	f.Fuzz(func(t *testing.T, text []byte) {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		r := &Relay{options: RelayOptions{CursorPath: path, ClusterID: "c"}}
		c, err := r.load(r.options.CursorPath)
		if err != nil {
			t.Fatal(err)
		}
		if c.ClusterID != "c" && (c.Position != 0 || c.Ends != nil) {
			t.Fatalf("a stranger's cursor was believed: %+v", c)
		}
	})
}
