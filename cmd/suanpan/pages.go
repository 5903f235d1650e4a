package main

import (
	"context"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/suanpan-bank/suanpan/ingress"
	"github.com/suanpan-bank/suanpan/internal/audit"
	"github.com/suanpan-bank/suanpan/streams"
)

// evidencePath serves what `suanpan verify` compares. It names no person, but every balance.
const evidencePath = "/v1/reports/evidence"

// evidenceWait is how long stream and report may take to come up to the journal's position.
const evidenceWait = 30 * time.Second

func (s *server) pages() map[string]ingress.Page {
	if s.report == nil {
		return nil
	}
	return map[string]ingress.Page{
		"/v1/reports/trial-balance": func(ctx context.Context) (any, error) { return s.report.TrialBalance(ctx) },
		"/v1/reports/products":      func(ctx context.Context) (any, error) { return s.report.Products(ctx) },
		evidencePath:                func(ctx context.Context) (any, error) { return s.evidence(ctx) },
	}
}

// evidence reads the ledger between two decisions, then lets the others come up to that position.
func (s *server) evidence(ctx context.Context) (*audit.Evidence, error) {
	ctx, cancel := context.WithTimeout(ctx, evidenceWait)
	defer cancel()
	s.letGo.RLock()
	defer s.letGo.RUnlock()
	s.audits.Add(1)
	defer s.audits.Add(-1)
	ledger := audit.NewBooks()
	at, _, err := s.accountsAt(ctx, ledger.Add)
	if err != nil {
		return nil, err
	}
	ledger.Position = at
	if err := s.journal.WaitDurable(ctx, at); err != nil {
		return nil, err
	}
	var transfers streams.Transfers // a journal with a ledger elsewhere is kept whole
	if s.books != nil {
		transfers = s.books
	}
	fromJournal, from, err := audit.Kept(ctx, s.journal, at, transfers)
	if err != nil {
		return nil, err
	}
	for s.relay.Position() < at {
		select {
		case <-time.After(time.Millisecond):
		case <-ctx.Done():
			return nil, fmt.Errorf("the stream is at position %d, the ledger at %d: %w", s.relay.Position(), at, ctx.Err())
		}
	}
	if err := s.counted(ctx); err != nil {
		return nil, err
	}
	figures, err := s.report.Figures(ctx)
	if err != nil {
		return nil, err
	}
	return audit.NewEvidence(from, at, ledger, fromJournal, figures, s.broker.Addr()), nil
}

// metrics are those of the parts; the API adds its own.
func (s *server) metrics() *prometheus.Registry {
	r := prometheus.NewRegistry()
	gauge := func(name, help string, value func() float64) {
		r.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value))
	}
	gauge("suanpan_journal_position", "Last position given out.", func() float64 { return float64(s.journal.Last()) })
	gauge("suanpan_journal_first_position", "First position still kept.", func() float64 { return float64(s.journal.First()) })
	gauge("suanpan_journal_durable_position", "Last position on disk.", func() float64 { return float64(s.journal.Durable()) })
	if s.relay != nil {
		gauge("suanpan_stream_position", "Last position published.", func() float64 { return float64(s.relay.Position()) })
		gauge("suanpan_stream_lag", "Records on disk and not published yet.", func() float64 {
			published := s.relay.Position() // read first: the journal only grows
			return float64(s.journal.Durable() - published)
		})
	}
	gauge("suanpan_commands_under_way", "Commands accepted and not answered yet.", func() float64 { return float64(s.node.UnderWay()) })
	gauge("suanpan_ledger_available", "1 when the ledger answers, 0 while it is away.", func() float64 {
		if s.node.LedgerAvailable() {
			return 1
		}
		return 0
	})
	gauge("suanpan_ledger_unresolved", "Decisions written down that the ledger has not answered.", func() float64 { return float64(s.node.Unresolved()) })
	gauge("suanpan_customers", "Customers registered.", func() float64 { return float64(s.node.Customers()) })
	gauge("suanpan_customers_in_memory", "Customers in memory.", func() float64 { return float64(s.node.InMemory()) })
	r.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "suanpan_customers_passivated_total", Help: "Times that a customer has left memory."},
		func() float64 { return float64(s.node.Passivated()) }))
	gauge("suanpan_customers_saved_position", "Up to where of the journal every customer is saved.", func() float64 { return float64(s.journal.Saved()) })
	s.dayMetrics(r)
	r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return r
}
