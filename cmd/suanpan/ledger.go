package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/suanpan-bank/suanpan/ledger"
	"github.com/suanpan-bank/suanpan/ledger/tigerbeetle"
)

// The kinds of ledger a server runs on.
const (
	ledgerEmbedded    = "embedded"
	ledgerTigerBeetle = "tigerbeetle"
)

// openLedger opens the ledger the flags ask for, if it is the one the data directory was begun with.
func (s *server) openLedger(at layout, o serveOptions) error {
	kind := o.ledger
	switch o.ledger {
	case ledgerEmbedded:
		if len(o.tigerbeetle.addresses) > 0 {
			return errors.New("--tigerbeetle-addresses is for --ledger tigerbeetle")
		}
	case ledgerTigerBeetle:
		if len(o.tigerbeetle.addresses) == 0 {
			return errors.New("--ledger tigerbeetle needs --tigerbeetle-addresses")
		}
		kind = fmt.Sprintf("%s cluster %d", ledgerTigerBeetle, o.tigerbeetle.cluster)
	default:
		return fmt.Errorf("--ledger is %s or %s, not %q", ledgerEmbedded, ledgerTigerBeetle, o.ledger)
	}
	if err := belongs(at, kind); err != nil {
		return err
	}
	if o.ledger == ledgerEmbedded {
		var err error
		s.books, err = openBooks(at, o.snapshotEvery)
		return err
	}
	l, err := tigerbeetle.Open(tigerbeetle.Options{Addresses: o.tigerbeetle.addresses, Cluster: ledger.U64(o.tigerbeetle.cluster)})
	if err != nil {
		return fmt.Errorf("ledger: %w", err)
	}
	s.ledger = l
	return nil
}

// ledgerName says where the ledger is, for people.
func (s *server) ledgerName(o serveOptions) string {
	switch {
	case s.books != nil:
		return "in this process"
	case s.node.LedgerAvailable():
		return "TigerBeetle at " + strings.Join(o.tigerbeetle.addresses, ", ")
	}
	return "TigerBeetle at " + strings.Join(o.tigerbeetle.addresses, ", ") + ", which does not answer now"
}

// belongs refuses a data directory whose money is in another ledger, and notes the ledger in one that has
// no journal yet.
func belongs(at layout, kind string) error {
	if _, err := os.Stat(at.journal()); errors.Is(err, os.ErrNotExist) {
		return note(at.ledger(), kind)
	}
	begun, err := begunWith(at)
	if err != nil {
		return err
	}
	if begun != kind {
		return fmt.Errorf("%s was begun with the ledger %q and can't be opened with %q: its money is there", at.dir, begun, kind)
	}
	return nil
}

// begunWith tells which ledger a data directory belongs to. One without a note is from before there was a
// choice.
func begunWith(at layout) (string, error) {
	text, err := os.ReadFile(at.ledger())
	switch {
	case errors.Is(err, os.ErrNotExist):
		return ledgerEmbedded, nil
	case err != nil:
		return "", fmt.Errorf("which ledger %s belongs to: %w", at.dir, err)
	}
	return strings.TrimSpace(string(text)), nil
}

// note writes a small file so that it is whole or not there after a crash.
func note(path, text string) error {
	temporary := path + ".tmp"
	f, err := os.OpenFile(temporary, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text + "\n")
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(temporary, path); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
