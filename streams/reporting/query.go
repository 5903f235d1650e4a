package reporting

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"

	"github.com/suanpan-bank/suanpan/bank"
	"github.com/suanpan-bank/suanpan/ledger"
	"github.com/suanpan-bank/suanpan/streams"
)

// Kind of product.
type Kind string

// The kinds of products.
const (
	Account    Kind = "ACCOUNT"
	Deposit    Kind = "DEPOSIT"
	CreditLine Kind = "CREDIT_LINE"
	Loan       Kind = "LOAN"
)

// TrialBalance (试算平衡表) are the sums per subject and ledger, as far as the stream has been read.
type TrialBalance struct {
	Ledgers     []LedgerBalance `json:"ledgers"`
	Events      int64           `json:"events"`       // counted
	Gaps        int64           `json:"gaps"`         // customers of whom an event is missing
	DeadLetters int64           `json:"dead_letters"` // messages that could not be read
}

// LedgerBalance is one ledger's part.
type LedgerBalance struct {
	Ledger           uint32           `json:"ledger"`
	Subjects         []SubjectBalance `json:"subjects"`
	DebitTotalFen    int64            `json:"debit_total_fen"`  // posted
	CreditTotalFen   int64            `json:"credit_total_fen"` // posted
	DebitPendingFen  int64            `json:"debit_pending_fen"`
	CreditPendingFen int64            `json:"credit_pending_fen"`
	Balanced         bool             `json:"balanced"`
}

// SubjectBalance is the sum of a detail subject's accounts.
type SubjectBalance struct {
	Subject          uint32 `json:"subject"`
	Detail           uint32 `json:"detail"`
	NameZh           string `json:"name_zh"`
	NameEn           string `json:"name_en"`
	Accounts         int64  `json:"accounts"`
	DebitPostedFen   int64  `json:"debit_posted_fen"`
	CreditPostedFen  int64  `json:"credit_posted_fen"`
	DebitPendingFen  int64  `json:"debit_pending_fen"`
	CreditPendingFen int64  `json:"credit_pending_fen"`
}

// TrialBalance adds up the accounts.
func (r *Report) TrialBalance(ctx context.Context) (TrialBalance, error) {
	out := TrialBalance{Ledgers: []LedgerBalance{}}
	err := r.snapshot(ctx, func(tx *sql.Tx) error {
		err := each(ctx, tx, `SELECT ledger, detail, count(*), sum(debits_posted), sum(credits_posted), sum(debits_pending), sum(credits_pending)
			FROM ledger_accounts GROUP BY ledger, detail ORDER BY ledger, detail`, func(rows *sql.Rows) error {
			var no uint32
			var s SubjectBalance
			if err := rows.Scan(&no, &s.Detail, &s.Accounts, &s.DebitPostedFen, &s.CreditPostedFen, &s.DebitPendingFen, &s.CreditPendingFen); err != nil {
				return err
			}
			if subject, ok := bank.SubjectOf(s.Detail); ok {
				s.NameZh, s.NameEn = subject.Zh, subject.En
			}
			s.Subject = s.Detail / 10_000
			if n := len(out.Ledgers); n == 0 || out.Ledgers[n-1].Ledger != no {
				out.Ledgers = append(out.Ledgers, LedgerBalance{Ledger: no})
			}
			out.Ledgers[len(out.Ledgers)-1].add(s)
			return nil
		})
		if err != nil {
			return err
		}
		return tx.QueryRowContext(ctx, `SELECT coalesce((SELECT value FROM about WHERE name = 'events'), 0),
			(SELECT count(DISTINCT customer) FROM early), (SELECT count(*) FROM dlq)`).Scan(&out.Events, &out.Gaps, &out.DeadLetters)
	})
	return out, err
}

func (l *LedgerBalance) add(s SubjectBalance) {
	l.Subjects = append(l.Subjects, s)
	l.DebitTotalFen += s.DebitPostedFen
	l.CreditTotalFen += s.CreditPostedFen
	l.DebitPendingFen += s.DebitPendingFen
	l.CreditPendingFen += s.CreditPendingFen
	l.Balanced = l.DebitTotalFen == l.CreditTotalFen && l.DebitPendingFen == l.CreditPendingFen
}

// Products are the totals per product.
type Products struct {
	Products []Product `json:"products"`
}

// Product is one product's totals. The balance is what accounts hold, the principal of deposits and loans,
// or the limit of credit lines.
type Product struct {
	Product    string `json:"product"`
	NameZh     string `json:"name_zh"`
	Kind       Kind   `json:"kind"`
	Opened     int64  `json:"opened"`
	Closed     int64  `json:"closed"`
	Open       int64  `json:"open"`
	BalanceFen int64  `json:"balance_fen"`
}

// Products lists the products that anybody has had.
func (r *Report) Products(ctx context.Context) (Products, error) {
	out := Products{Products: []Product{}}
	err := r.snapshot(ctx, func(tx *sql.Tx) error {
		err := each(ctx, tx, `SELECT product, kind, opened, closed, balance_fen FROM products ORDER BY kind, product`, func(rows *sql.Rows) error {
			var p Product
			if err := rows.Scan(&p.Product, &p.Kind, &p.Opened, &p.Closed, &p.BalanceFen); err != nil {
				return err
			}
			p.Open = p.Opened - p.Closed
			p.NameZh = r.nameOf(&p)
			out.Products = append(out.Products, p)
			return nil
		})
		if err != nil {
			return err
		}
		for i := range out.Products {
			if p := &out.Products[i]; p.Kind == Account {
				if product := r.options.Catalogue.Account(p.Product); product != nil {
					err = cmp.Or(err, tx.QueryRowContext(ctx, `SELECT coalesce(sum(credits_posted - debits_posted), 0) FROM ledger_accounts WHERE ledger = ? AND detail = ?`,
						bank.LedgerCNY, product.Detail).Scan(&p.BalanceFen))
				}
			}
		}
		return err
	})
	return out, err
}

func (r *Report) nameOf(p *Product) string {
	c := r.options.Catalogue
	switch p.Kind {
	case Account:
		if found := c.Account(p.Product); found != nil {
			return found.Zh
		}
	case Deposit:
		if found := c.Deposit(p.Product); found != nil {
			return found.Zh
		}
	case Loan, CreditLine:
		if found := c.Loan(p.Product); found != nil {
			return found.Zh
		}
	}
	return ""
}

// Figures are every account's balances and the offsets up to which they were summed, read at one moment:
// what the stream summed up to these offsets must equal.
type Figures struct {
	ClusterID string             `json:"cluster_id"`
	Accounts  []AccountFigures   `json:"accounts"`
	Next      map[string][]int64 `json:"next"` // by topic and partition
	Gaps      []string           `json:"gaps"` // customers of whom an event is missing, at most GapsMax
	Dead      int64              `json:"dead_letters"`
}

// AccountFigures are one account's balances.
type AccountFigures struct {
	Ledger uint32         `json:"ledger"`
	ID     ledger.Uint128 `json:"id"`
	streams.Balances
}

// GapsMax is how many gaps Figures name.
const GapsMax = 20

// Figures reads all balances.
func (r *Report) Figures(ctx context.Context) (Figures, error) {
	out := Figures{Accounts: []AccountFigures{}, Next: make(map[string][]int64), Gaps: []string{}}
	err := r.snapshot(ctx, func(tx *sql.Tx) error {
		offsets, err := offsetsIn(ctx, tx)
		if err != nil {
			return err
		}
		for _, topic := range bank.Topics {
			for p := range streams.PartitionsPerTopic {
				out.Next[topic] = append(out.Next[topic], offsets[place{topic, p}])
			}
		}
		err = each(ctx, tx, `SELECT ledger, detail, owner, seq, debits_pending, debits_posted, credits_pending, credits_posted FROM ledger_accounts`, func(rows *sql.Rows) error {
			var a AccountFigures
			var detail, seq uint32
			var owner int64
			if err := rows.Scan(&a.Ledger, &detail, &owner, &seq, &a.DebitsPending, &a.DebitsPosted, &a.CreditsPending, &a.CreditsPosted); err != nil {
				return err
			}
			a.ID = ledger.Uint128(bank.LedgerID(detail, uint64(owner), seq))
			out.Accounts = append(out.Accounts, a)
			return nil
		})
		if err != nil {
			return err
		}
		err = each(ctx, tx, fmt.Sprintf(`SELECT DISTINCT customer FROM early ORDER BY customer LIMIT %d`, GapsMax), func(rows *sql.Rows) error {
			var customer int64
			err := rows.Scan(&customer)
			out.Gaps = append(out.Gaps, bank.CustomerNo(customer).String())
			return err
		})
		if err != nil {
			return err
		}
		return tx.QueryRowContext(ctx, `SELECT (SELECT count(*) FROM dlq), coalesce((SELECT value FROM about WHERE name = 'cluster_id'), '')`).Scan(&out.Dead, &out.ClusterID)
	})
	slices.SortFunc(out.Accounts, func(a, b AccountFigures) int {
		return cmp.Or(cmp.Compare(a.Ledger, b.Ledger), cmp.Compare(a.ID.Hi, b.ID.Hi), cmp.Compare(a.ID.Lo, b.ID.Lo))
	})
	return out, err
}

// snapshot reads at one moment; the writer goes on.
func (r *Report) snapshot(ctx context.Context, look func(*sql.Tx) error) error {
	tx, err := r.read.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return fmt.Errorf("report: %w", err)
	}
	defer func() { _ = tx.Rollback() }() // a read: nothing to lose
	if err := look(tx); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	return nil
}
