package embedded

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/suanpan-bank/suanpan/ledger"
)

// savedAsBefore makes of a snapshot one of format 2, as programs wrote it before the list of ids was there, and removes the list.
func savedAsBefore(t *testing.T, dir string, e *Engine) {
	t.Helper()
	paths, err := snapshots(dir)
	if err != nil || len(paths) != 1 {
		t.Fatal(paths, err)
	}
	now, err := os.ReadFile(paths[0])
	if err != nil {
		t.Fatal(err)
	}
	var before bytes.Buffer
	write := func(what, number uint32, body []byte) {
		if err := writeSection(&before, what, number, body); err != nil {
			t.Fatal(err)
		}
	}
	writeIDs := func(what uint32, x *index) {
		for i := range x.shards {
			entries := slices.DeleteFunc(slices.Clone(x.shards[i].entries), func(entry uint64) bool { return entry == 0 })
			for part := range slices.Chunk(entries, 1000) {
				write(what, uint32(i), bytesOf(part))
			}
		}
	}
	for len(now) > 0 {
		what, number, length := binary.LittleEndian.Uint32(now), binary.LittleEndian.Uint32(now[4:]), binary.LittleEndian.Uint64(now[8:])
		body := now[sectionHeader : sectionHeader+length]
		now = now[sectionHeader+length:]
		switch what {
		case sectionMeta:
			var meta snapshotMeta
			if err := json.Unmarshal(body, &meta); err != nil {
				t.Fatal(err)
			}
			meta.Version = snapshotWithIDs
			if body, err = json.Marshal(meta); err != nil {
				t.Fatal(err)
			}
		case sectionEnd:
			writeIDs(sectionAccountIDs, &e.accountIDs)
			writeIDs(sectionTransferIDs, &e.transferIDs)
		}
		write(what, number, body)
	}
	if err := errors.Join(os.WriteFile(paths[0], before.Bytes(), 0o600), os.Remove(filepath.Join(dir, "ids.rows"))); err != nil {
		t.Fatal(err)
	}
}

// checkIDs looks for every id there is, and for some that are not: an id that were not found could be paid again.
func checkIDs(t *testing.T, e *Engine) {
	t.Helper()
	var space transferRow
	for row := range e.transfers.n {
		if at, what := e.findTransfer(e.transfers.get(row, &space).id); what != isTransfer || at != row {
			t.Fatalf("transfer %d is found as %d (%d)", row, at, what)
		}
	}
	for row := range e.burnt.n {
		var id ledger.Uint128
		if _, what := e.findTransfer(*e.burnt.get(row, &id)); what != isBurnt {
			t.Fatalf("burnt id %d is found as %d", row, what)
		}
	}
	for row := range e.accounts.n {
		if at, ok := e.findAccount(e.accounts.at(row).id); !ok || at != row {
			t.Fatalf("account %d is found as %d", row, at)
		}
	}
	for id := range uint64(1000) {
		if _, what := e.findTransfer(ledger.Uint128{Lo: id, Hi: 1 << 60}); what != isNew {
			t.Fatal("an id that nobody made is found")
		}
	}
	entries := uint32(0)
	for i := range e.transferIDs.shards {
		for _, entry := range e.transferIDs.shards[i].entries {
			if entry != 0 {
				entries++
			}
		}
	}
	if entries != e.transfers.n+e.burnt.n {
		t.Fatalf("the index has %d entries for %d transfers and %d burnt ids", entries, e.transfers.n, e.burnt.n)
	}
}

// A retried payment must be known as one whatever was lost with the process, the list of ids too: it is derived.
func TestAllIDsAreFoundAfterAStart(t *testing.T) {
	list := func(dir string) string { return filepath.Join(dir, "ids.rows") }
	for name, spoil := range map[string]func(t *testing.T, dir string, e *Engine) error{
		"whole":                         func(*testing.T, string, *Engine) error { return nil },
		"the list is missing":           func(_ *testing.T, dir string, _ *Engine) error { return os.Remove(list(dir)) },
		"the list is cut off":           func(_ *testing.T, dir string, _ *Engine) error { return os.Truncate(list(dir), 100_000) },
		"the list is damaged":           func(_ *testing.T, dir string, _ *Engine) error { return damage(list(dir), 5000, 80_000, 81_000) },
		"the directory is from before":  func(t *testing.T, dir string, e *Engine) error { savedAsBefore(t, dir, e); return nil },
		"an older list is still there":  func(t *testing.T, dir string, e *Engine) error { return olderList(t, dir, e) },
		"the process dies at the start": func(t *testing.T, dir string, e *Engine) error { savedAsBefore(t, dir, e); return diesAtStart(dir) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			e, _ := attach(t, dir)
			newHistory(2).run(e, 9*blockRows+77)
			save(t, e, 7)
			if e.burnt.n == 0 {
				t.Fatal("the test was to have burnt ids")
			}
			if err := errors.Join(e.Close(), spoil(t, dir, e)); err != nil {
				t.Fatal(err)
			}
			// The start after the next has what this one made again, and goes on with it.
			for life := range 3 {
				again, mark := attach(t, dir)
				if mark != 7+uint64(life) || again.transfers.n < 9*blockRows {
					t.Fatalf("life %d begins at mark %d with %d transfers", life, mark, again.transfers.n)
				}
				checkIDs(t, again)
				if life == 0 {
					checkList(t, again)
				}
				h := newHistory(uint64(10 + life))
				h.now, h.ids = again.Timestamp(), uint64(again.transfers.n)*2
				h.run(again, again.transfers.n+2*blockRows)
				save(t, again, 8+uint64(life))
				if err := again.Close(); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// checkList reads the list itself.
func checkList(t *testing.T, e *Engine) {
	t.Helper()
	block := alignedBytes(e.ids.file.blockBytes)
	for number := range e.transfers.n >> blockShift {
		if err := e.ids.file.loadBlock(number, block); err != nil {
			t.Fatal(err)
		}
		for i := range uint32(blockRows) {
			var space transferRow
			if want := storedHash(e.transfers.get(number<<blockShift+i, &space).id); *rowIn[uint64](block, i) != want {
				t.Fatalf("the list has another hash of transfer %d", number<<blockShift+i)
			}
		}
	}
}

// damage changes a byte at each offset.
func damage(path string, offsets ...int64) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	for _, at := range offsets {
		b[at] ^= 4
	}
	return os.WriteFile(path, b, 0o600)
}

// olderList leaves a directory from before with a list that an earlier upgrade had begun, of other transfers.
func olderList(t *testing.T, dir string, e *Engine) error {
	path := filepath.Join(dir, "ids.rows")
	list, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	savedAsBefore(t, dir, e)
	block := e.ids.file.blockBytes
	return os.WriteFile(path, append(list[:block:block], list[:block]...), 0o600)
}

// diesAtStart begins from the directory and leaves it as a process that is killed then would.
func diesAtStart(dir string) error {
	e, _, err := Attach(dir, Options{})
	if err != nil {
		return err
	}
	return e.Close()
}

// BenchmarkAttach measures a start with ten million transfers between a million accounts behind it, and the snapshot it is made from.
func BenchmarkAttach(b *testing.B) {
	const accounts, transfers = 1_000_000, 10_000_000
	dir := b.TempDir()
	e, _, err := Attach(dir, Options{})
	if err != nil {
		b.Fatal(err)
	}
	openAccounts(b, e, accounts)
	newPayments(accounts).run(b, e, transfers, batchMax)
	var snapshot float64
	for range 3 {
		begin := cpuSeconds(b)
		s, err := e.BeginSnapshot(1)
		if err != nil {
			b.Fatal(err)
		}
		if err := s.Write(b.Context(), alwaysLogged); err != nil {
			b.Fatal(err)
		}
		snapshot = cpuSeconds(b) - begin
	}
	if err := e.Close(); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if e, _, err = Attach(dir, Options{}); err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		if err := e.Close(); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
	b.ReportMetric(snapshot*1e3, "CPU-ms/snapshot")
}
