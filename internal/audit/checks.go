package audit

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/suanpan-bank/suanpan/bank"
)

// The daily checks R1 to R12, in their order.

func checked(id, zh, en string, found bank.Findings, detail string, args ...any) bank.DayCheck {
	c := bank.DayCheck{ID: id, Zh: zh, En: en, Result: bank.CheckOK, Detail: fmt.Sprintf(detail, args...), Findings: found.First, Differences: found.Count}
	if found.Count > 0 {
		c.Result = bank.CheckBroken
	}
	return c
}

func unchecked(id, zh, en, because string) bank.DayCheck {
	return bank.DayCheck{ID: id, Zh: zh, En: en, Result: bank.CheckNotApplicable, Detail: because}
}

func (d *Day) balanced() bank.DayCheck {
	var found bank.Findings
	var posted int64
	trial := d.Books.trial()
	for i := range trial {
		t := &trial[i]
		posted += t.DebitFen
		if t.DebitFen != t.CreditFen {
			found.Add("ledger %d: debits %s, credits %s", t.Ledger, bank.Yuan(t.DebitFen), bank.Yuan(t.CreditFen))
		}
		if p := d.Books.pending[t.Ledger]; p != nil && p.DebitsPending != p.CreditsPending {
			found.Add("ledger %d: pending debits %s, credits %s", t.Ledger, bank.Yuan(p.DebitsPending), bank.Yuan(p.CreditsPending))
		}
	}
	return checked("R1", "各账套借贷合计相等", "Σ debits = Σ credits per ledger", found, "%d ledgers, %s posted", len(trial), bank.Yuan(posted))
}

func (d *Day) subjects(t *tally) bank.DayCheck {
	const zh, en = "总账与分户账一致", "subject balances by the journal = Σ account balances"
	if t.begun != "" {
		return unchecked("R2", zh, en, t.begun)
	}
	var found bank.Findings
	for key, row := range d.Books.subjects {
		if own := t.balance(key.ledger, key.detail); *own != row.SubjectBalance {
			found.Add("%08d: accounts come to debits %s, credits %s; the journal's entries to %s and %s", key.detail,
				bank.Yuan(row.DebitFen), bank.Yuan(row.CreditFen), bank.Yuan(own.DebitFen), bank.Yuan(own.CreditFen))
		}
	}
	for key, own := range t.subjects {
		if d.Books.subjects[key] == nil && (own.DebitFen != 0 || own.CreditFen != 0) {
			found.Add("%08d: no account in the ledger; the journal's entries come to debits %s, credits %s", key.detail, bank.Yuan(own.DebitFen), bank.Yuan(own.CreditFen))
		}
	}
	return checked("R2", zh, en, found, "%d subjects", len(d.Books.subjects))
}

func (d *Day) accrued(t *tally) bank.DayCheck {
	const zh, en = "应付利息与合同计提一致", "Σ accrued per contract = interest payable, by product and shard"
	if t.begun != "" {
		return unchecked("R3", zh, en, t.begun)
	}
	var found bank.Findings
	keys := make(map[payable]bool)
	for key := range d.Books.payable {
		keys[key] = true
	}
	for key := range t.accrued {
		keys[key] = true
	}
	var sum int64
	for key := range keys {
		sum += d.Books.payable[key]
		if d.Books.payable[key] != t.accrued[key] {
			found.Add("%08d, shard %d: %s in the ledger, the contracts have accrued %s", key.detail, key.shard, bank.Yuan(d.Books.payable[key]), bank.Yuan(t.accrued[key]))
		}
	}
	return checked("R3", zh, en, found,
		"%d accounts of interest payable, %s; loans do not accrue daily yet", len(d.Books.payable), bank.Yuan(sum))
}

func (d *Day) principals() bank.DayCheck {
	const zh, en = "合同本金与账务一致", "principal per contract in the ledger = in the customer's state"
	return checked("R4", zh, en, d.Contracts.Principal, "%d deposits and loans%s", d.Contracts.Contracts, d.moving())
}

func (d *Day) controls() bank.DayCheck {
	return checked("R5", "控制科目余额为零", "control accounts are zero", d.Books.control, "%d control accounts", d.Books.controls)
}

func (d *Day) clearing(t *tally) bank.DayCheck {
	var found bank.Findings
	parts := []string{bank.Yuan(d.inFlight(t, &found)) + " in flight"}
	for _, channel := range bank.ClearingChannels {
		p := t.clearing.at(channel, d.Date, &found)
		there := d.Books.clearing[channel]
		if there != p.balance {
			found.Add("%s: %s on the clearing accounts, %s by the entries and the files", channel, bank.Yuan(there), bank.Yuan(p.balance))
		}
		if text := p.text(channel, t.clearing[channel].Opening); text != "" {
			parts = append(parts, text)
		}
	}
	parts = append(parts, t.readFiles(d.Date.AddDays(-1)))
	return checked("R6", "清算科目与渠道对账一致", "clearing accounts = channels' files + in flight", found, "%s", strings.Join(parts, "; "))
}

// text is the position as an equation; empty if there is nothing.
func (p *position) text(channel bank.Channel, opening bank.Date) string {
	if p.opening == 0 && p.net == 0 && p.settled == 0 && p.noFile == 0 && p.open == 0 && p.next == 0 && p.balance == 0 {
		return ""
	}
	text := fmt.Sprintf("%s owed %s = files' net %s − settled %s + in no file yet %s − in files and not booked %s", channel,
		bank.Yuan(p.balance), bank.Yuan(p.net), bank.Yuan(p.settled), bank.Yuan(p.noFile), bank.Yuan(p.open))
	if p.next != 0 {
		text += " − booked on the next date " + bank.Yuan(p.next)
	}
	if opening != 0 {
		text += fmt.Sprintf(" + %s that the ledger had at the end of %s, before which there are no records", bank.Yuan(p.opening), opening)
	}
	return text
}

// inFlight compares what is pending on clearing accounts with what the events say is in flight, and adds it up.
func (d *Day) inFlight(t *tally, found *bank.Findings) (fen int64) {
	keys := make(map[flight]bool)
	for key := range d.Books.flight {
		keys[key] = true
	}
	for key := range t.flight {
		keys[key] = true
	}
	for key := range keys {
		there, own := d.Books.flight[key], t.flight[key]
		fen += own
		if there != own {
			found.Add("%s %s: %s pending in the ledger, %s in flight by the events", key.channel, key.direction, bank.Yuan(there), bank.Yuan(own))
		}
	}
	return fen
}

// readFiles tells which files of a day have been read. What only we have is no difference yet: the next file may have
// it.
func (t *tally) readFiles(of bank.Date) string {
	var read, missing []string
	waits := 0
	for _, channel := range bank.ClearingChannels {
		days := t.clearing[channel].Days
		i := slices.IndexFunc(days, func(d bank.ClearingDay) bool { return d.Date == of })
		if i < 0 || days[i].File == nil {
			missing = append(missing, channel.String())
			continue
		}
		read = append(read, channel.String())
		waits += days[i].File.WaitCount
	}
	text := fmt.Sprintf("files of %s read: %s", of, cmp.Or(strings.Join(read, ", "), "none"))
	if len(missing) > 0 {
		text += "; 未到 have not come: " + strings.Join(missing, ", ")
	}
	if waits > 0 {
		text += fmt.Sprintf("; %d transfers wait for the next file", waits)
	}
	return text
}

func (d *Day) pendings() bank.DayCheck {
	const zh, en = "隔日在途均在查询清单", "every transfer pending for more than a day is in the list of the unknown"
	return checked("R7", zh, en, d.Contracts.Overdue, "%d transfers of earlier dates wait for their channel", d.Contracts.InFlight)
}

func (d *Day) lines() bank.DayCheck {
	const zh, en = "授信已用与可用之和等于额度", "line used + available = limit"
	return checked("R8", zh, en, d.Contracts.Limits, "%d credit lines%s", d.Contracts.Lines, d.moving())
}

// moving says how many customers could not be compared.
func (d *Day) moving() string {
	if d.Contracts.Moving == 0 {
		return ""
	}
	return fmt.Sprintf("; %d customers moved each time they were compared and are not among them", d.Contracts.Moving)
}

func (d *Day) holes(ctx context.Context, t *tally) (bank.DayCheck, error) {
	tellers := 0
	for _, s := range t.tellers.sheet(d.Date) {
		tellers += s.Tellers
	}
	found := t.hole
	found.Join(t.tellers.numbers)
	detail := fmt.Sprintf("%d records to position %d of %d tellers, decisions of %d customers", t.records, d.Position, tellers, t.tellers.customers)
	if n := t.tellers.unnumbered; n > 0 {
		detail += fmt.Sprintf("; %d records are of before the tellers numbered their journals", n)
	}
	switch {
	case t.begun != "":
		detail += "; the tellers' sums are not compared: " + t.begun
	case d.Ledger == nil:
		detail += "; the tellers' sums are not compared: the ledger is not asked"
	default:
		posted, err := t.tellers.compare(ctx, d.Ledger, d.Date, d.Through, d.Pace, &found)
		if err != nil {
			return bank.DayCheck{}, err
		}
		detail += fmt.Sprintf("; %d transfers of the date in the ledger, by teller and currency", posted)
	}
	return checked("R9", "柜员流水号连续且轧账相符", "the tellers' journals have no holes and come to what the ledger says", found, "%s", detail), nil
}

func (d *Day) published() bank.DayCheck {
	const zh, en = "事件发布与日志一致", "events published = journal"
	if !d.Stream {
		return unchecked("R10", zh, en, "there is no stream (--stream off): the journal keeps the events")
	}
	var found bank.Findings
	if d.Published < d.Position {
		found.Add("published to position %d of %d", d.Published, d.Position)
	}
	return checked("R10", zh, en, found, "published to position %d", d.Published)
}

func (d *Day) eAccounts() bank.DayCheck {
	return checked("R11", "电子账户余额非负且不超上限", "every e-account ≥ 0, class III within its cap", d.Books.negative, "%d e-accounts", d.Books.eAccount)
}

func (d *Day) reversals(t *tally) bank.DayCheck {
	return checked("R12", "冲正与原交易抵消", "reversals cancel what they reverse", t.reversals, "%d reversals", t.reversed)
}
