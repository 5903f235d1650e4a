package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/spf13/cobra"

	"github.com/suanpan-bank/suanpan/actors"
	"github.com/suanpan-bank/suanpan/bank"
	"github.com/suanpan-bank/suanpan/internal/audit"
	"github.com/suanpan-bank/suanpan/journal"
	"github.com/suanpan-bank/suanpan/journal/embedded"
	"github.com/suanpan-bank/suanpan/streams"
	"github.com/suanpan-bank/suanpan/streams/broker"
	"github.com/suanpan-bank/suanpan/streams/reporting"
)

func verifyCommand() *cobra.Command {
	var url, data string
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Check that journal, ledger, stream and report agree to the fen",
		Long: `Checks, against a running node (--server) or the data of a stopped one (--data), that debits equal
credits in every ledger, that journal, ledger, stream and report say the same of every account, and that
no customer's events have a gap. Prints what it compared; exits 1 on any difference.`,
		Example: `  suanpan verify --server http://127.0.0.1:8080
  suanpan verify --data ./data`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			check := func(e *audit.Evidence, err error) error {
				if err != nil {
					return err
				}
				return compare(cmd.Context(), e, cmd.OutOrStdout())
			}
			if url != "" {
				return check(askEvidence(cmd.Context(), url))
			}
			return withStopped(cmd.Context(), data, func(e *audit.Evidence) error { return check(e, nil) })
		},
	}
	cmd.Flags().StringVar(&url, "server", "", "`URL` of a running node's API")
	cmd.Flags().StringVar(&data, "data", "", "data `directory` of a stopped node")
	cmd.MarkFlagsOneRequired("server", "data")
	cmd.MarkFlagsMutuallyExclusive("server", "data")
	return cmd
}

func compare(ctx context.Context, e *audit.Evidence, out io.Writer) error {
	agree, err := audit.Check(ctx, e, tailAll(e.Kafka), out)
	if err != nil {
		return err
	}
	if !agree {
		fmt.Fprintln(out, "the books do NOT agree")
		return errShown
	}
	fmt.Fprintln(out, "the books agree")
	return nil
}

func tailAll(kafka string) audit.Tail {
	return func(ctx context.Context, fn func(*streams.Tailed) error) error {
		return streams.Tail(ctx, streams.TailOptions{Broker: kafka, Topics: bank.Topics, FromStart: true}, fn)
	}
}

// askTimeout is for a node with many accounts: it reads all of its journal.
const askTimeout = 10 * time.Minute

func askEvidence(ctx context.Context, url string) (*audit.Evidence, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	e := new(audit.Evidence)
	from := asking{url: url}
	err := from.ask(ctx, http.MethodGet, evidencePath, "application/json", nil, func(r io.Reader) error {
		if err := json.UnmarshalRead(r, e); err != nil {
			return fmt.Errorf("what the node says can't be read: %w", err)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return e, nil
}

// withStopped gathers the evidence from a stopped node's files. Its broker is started for it, on a port
// of its own.
func withStopped(ctx context.Context, dir string, check func(*audit.Evidence) error) (err error) {
	at := layout{dir}
	if _, err := os.Stat(at.journal()); err != nil {
		return fmt.Errorf("%s is no data directory: %w", dir, err)
	}
	j, err := embedded.OpenReadOnly(at.journal())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, j.Close()) }()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	quiet := slog.New(slog.DiscardHandler)
	b, err := broker.Open(at.stream(), l, nil, quiet)
	if err != nil {
		return errors.Join(err, l.Close())
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	report, err := reporting.Open(reporting.Options{Path: at.report(), Catalogue: bank.DefaultCatalogue(), Logger: quiet})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, report.Close()) }()
	figures, err := report.Figures(ctx)
	if err != nil {
		return err
	}
	last, err := published(ctx, j, b.Addr())
	if err != nil {
		return err
	}
	kind, err := begunWith(at)
	if err != nil {
		return err
	}
	books, changes, err := stoppedBooks(ctx, at, kind, j, last)
	if err != nil {
		return err
	}
	e := audit.NewEvidence(j.First(), last, books, changes, figures, b.Addr())
	e.Unasked = kind != ledgerEmbedded
	e.Behind = uint64(j.Last() - last)
	return check(e)
}

// stoppedBooks are the ledger of a stopped node at a position and what the journal says. A ledger in the node's
// process was its journal: what was acknowledged is checked chain by chain. Where the journal has let its beginning
// go, the ledger's snapshot takes its place, and the chains behind that are checked.
func stoppedBooks(ctx context.Context, at layout, kind string, j journal.Journal, last journal.Position) (books, changes *audit.Books, err error) {
	if j.First() <= 1 {
		books, err = audit.Journal(ctx, j, last)
		return books, books, err
	}
	if kind != ledgerEmbedded {
		return nil, nil, fmt.Errorf("the journal begins at position %d: %s can't be compared without its ledger (ask the running node)", j.First(), at.dir)
	}
	b, err := openBooks(at, 0)
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	if err := b.fit(j); err != nil {
		return nil, nil, err
	}
	replay := actors.NewReplay(b.Engine)
	var fault error
	err = j.Scan(ctx, b.position()+1, func(rec *journal.Record) bool {
		fault = replay.Chain(rec)
		return fault == nil
	})
	if err = errors.Join(err, fault); err != nil {
		return nil, nil, fmt.Errorf("journal: %w", err)
	}
	closing, err := audit.Ledger(b.Engine, j.Last())
	if err != nil {
		return nil, nil, err
	}
	after, err := audit.Changes(ctx, j, last+1, j.Last(), b)
	if err != nil {
		return nil, nil, err
	}
	changes, _, err = audit.Kept(ctx, j, last, b)
	return closing.Before(after), changes, err
}

// published finds the last position up to which the stream has every event of the journal; if the stream
// no longer holds its beginning, that can't be told, and the journal's end is taken.
func published(ctx context.Context, j journal.Journal, kafka string) (journal.Position, error) {
	seen := audit.NewStream()
	whole := true
	err := tailAll(kafka)(ctx, func(m *streams.Tailed) error {
		env, err := streams.Decode(m.Value)
		if err != nil {
			return nil // shown by the check
		}
		whole = whole && (!m.First || m.Offset == 0)
		return seen.Add(&env, 1, 0)
	})
	last := j.Last()
	if err != nil || !whole {
		return last, err
	}
	err = j.Scan(ctx, j.First(), func(rec *journal.Record) bool {
		if rec.Kind == journal.KindIntent {
			return true // its events come with the outcome
		}
		for i := range rec.Events {
			if !seen.Has(rec.Events[i].Customer, rec.Events[i].Seq) {
				last = rec.Position - 1
				return false
			}
		}
		return true
	})
	return last, err
}
