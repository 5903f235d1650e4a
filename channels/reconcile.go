package channels

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/suanpan-bank/suanpan/bank"
	"github.com/suanpan-bank/suanpan/ledger"
)

// Bank is what a reconciliation needs of the bank.
type Bank interface {
	Caller
	// Transfer reads a transfer; bank.ErrNotFound: there is none.
	Transfer(ctx context.Context, txn bank.TxnID) (bank.TransferView, error)
	// OpenTransfers lists all transfers whose channel has not answered.
	OpenTransfers(ctx context.Context) ([]bank.Open, error)
}

// Books is what it needs of the ledger.
type Books interface {
	AccountTransfers(ctx context.Context, filter ledger.AccountFilter) ([]ledger.Transfer, error)
	QueryTransfers(ctx context.Context, filter ledger.QueryFilter) ([]ledger.Transfer, error)
	LookupAccounts(ctx context.Context, ids []ledger.Uint128) ([]ledger.Account, error)
}

// Reconciler (对账) compares channels' files with the bank and puts right what does not agree. Reading a file
// again does what an interrupted reading left, and nothing twice.
type Reconciler struct {
	Bank  Bank
	Books Books
	// Dir keeps the files that have been read and all of their differences, a pair for each channel and day, and while
	// one is read its rows. It exists.
	Dir string
}

// ErrChannel: the file is another channel's than the one it was sent for, or another day's.
var ErrChannel = errors.New("the file is of another channel or day")

// resolveMax is how many differences are resolved at once.
const resolveMax = 500

// Run reads the file of a channel, compares, resolves what can be resolved, settles the day's net with the
// central bank, and reports. An error means that it is not finished: run it again. A day that is not zero is the file's.
func (r *Reconciler) Run(ctx context.Context, channel bank.Channel, day bank.Date, in io.Reader, by bank.By) (_ *Report, err error) {
	file, err := openSpool(r.Dir, in)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, file.close()) }()
	if file.Channel != channel || day != 0 && file.Day != day {
		return nil, fmt.Errorf("%w: %s of %s", ErrChannel, file.Channel, file.Day)
	}
	report := newReport(file, by)
	c, err := r.compare(ctx, file, report)
	if err != nil {
		return nil, err
	}
	report.sums(c)
	if err := r.settle(ctx, c, report, by); err != nil {
		return nil, err
	}
	if report.InFlight, report.Clearing, err = r.Clearing(ctx, channel); err != nil {
		return nil, err
	}
	if err := r.keep(file); err != nil {
		return nil, err
	}
	return report, r.finish(ctx, report)
}

// compare goes through the day part by part.
func (r *Reconciler) compare(ctx context.Context, file *spool, report *Report) (c *bank.Comparison, err error) {
	before, err := transfersOf(r.fileRead(file.Channel, file.Day.AddDays(-1)))
	if err != nil {
		return nil, err
	}
	out, err := newDifferences(file.differences())
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, out.close()) }()
	c = bank.NewComparison(file.Channel, file.Day)
	take := func(some []bank.Difference) error {
		report.take(some)
		return out.write(some)
	}
	for i := range partsCount {
		ours, err := r.ours(ctx, file.Channel, file.Day, i)
		if err != nil {
			return nil, err
		}
		p := c.Part(ours)
		if err := r.part(ctx, p, &file.named[i], take); err != nil {
			return nil, err
		}
		if err := file.leave(p.Unnamed()); err != nil {
			return nil, err
		}
		if err := take(p.Rest(before.has)); err != nil {
			return nil, err
		}
	}
	for i := range partsCount {
		ours, err := file.left(i)
		if err != nil {
			return nil, err
		}
		p := c.Again(ours)
		if err := r.part(ctx, p, &file.unnamed[i], take); err != nil {
			return nil, err
		}
		if err := take(p.Rest(before.has)); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// part compares the rows of a part, and puts right what differs.
func (r *Reconciler) part(ctx context.Context, p *bank.Part, rows *part, take func([]bank.Difference) error) error {
	return rows.rows(func(some []bank.FileRow) error {
		var fault error
		differences, look := p.Take(some, func(row *bank.FileRow) (o *bank.Ours) {
			if !row.Transfer.IsZero() && fault == nil {
				o, fault = r.find(ctx, row.Transfer)
			}
			return o
		})
		if fault != nil {
			return fault
		}
		for i := range look {
			if err := r.cover(ctx, p.Comparison, &look[i], bank.TxnID{}); err != nil {
				return err
			}
		}
		return r.put(ctx, p.Comparison, differences, take)
	})
}

// put puts differences right and notes what is booked for them.
func (r *Reconciler) put(ctx context.Context, c *bank.Comparison, differences []bank.Difference, take func([]bank.Difference) error) error {
	for some := range slices.Chunk(differences, resolveMax) {
		if err := r.resolve(ctx, c, some); err != nil {
			return err
		}
		for i := range some {
			if look, by, any := some[i].Looks(); any {
				if err := r.cover(ctx, c, &look, by); err != nil {
					return err
				}
			}
		}
		if err := take(some); err != nil {
			return err
		}
	}
	return nil
}

// cover looks up what is booked for a row.
func (r *Reconciler) cover(ctx context.Context, c *bank.Comparison, look *bank.Look, by bank.TxnID) error {
	transfer, err := r.booked(ctx, c.Channel, look.Transfer)
	if err != nil {
		return err
	}
	correction, err := r.booked(ctx, c.Channel, by)
	if err != nil {
		return err
	}
	c.Cover(&look.Row, transfer, correction)
	return nil
}

// booked lists what a business has moved on the channel's clearing accounts; nothing of none.
func (r *Reconciler) booked(ctx context.Context, channel bank.Channel, txn bank.TxnID) (out []bank.DaySum, err error) {
	if txn.IsZero() {
		return nil, nil
	}
	entries, err := r.Books.QueryTransfers(ctx, ledger.QueryFilter{UserData128: ledger.Uint128(txn), Limit: pageMax})
	if err != nil {
		return nil, fmt.Errorf("entries of %s: %w", txn, err)
	}
	for i := range entries {
		t := &entries[i]
		if t.Flags&(ledger.TransferPending|ledger.TransferVoidPending) != 0 {
			continue
		}
		fen, fits := t.Amount.Int64()
		if !fits {
			return nil, fmt.Errorf("transfer %s: amount beyond int64 fen", t.ID)
		}
		if of, ok := bank.ClearingOf(bank.U128(t.CreditAccountID)); ok && of == channel {
			out = append(out, bank.DaySum{Date: bank.Date(t.UserData32), Fen: fen})
		}
		if of, ok := bank.ClearingOf(bank.U128(t.DebitAccountID)); ok && of == channel {
			out = append(out, bank.DaySum{Date: bank.Date(t.UserData32), Fen: -fen})
		}
	}
	return out, nil
}

// find reads one of our transfers; nil: there is none.
func (r *Reconciler) find(ctx context.Context, txn bank.TxnID) (*bank.Ours, error) {
	v, err := r.Bank.Transfer(ctx, txn)
	switch {
	case errors.Is(err, bank.ErrNotFound):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("transfer %s: %w", txn, err)
	}
	return v.Ours()
}

// pageMax is how many entries are read at once.
const pageMax = 1000

// ours lists the channel's transfers of a part that began on the day, as its clearing accounts have them.
func (r *Reconciler) ours(ctx context.Context, channel bank.Channel, day bank.Date, part int) ([]bank.Ours, error) {
	var out []bank.Ours
	for shard := uint16(part * partShards); shard < uint16((part+1)*partShards); shard++ {
		account := ledger.Uint128(bank.ClearingLedgerID(channel, shard))
		filter := ledger.AccountFilter{
			AccountID: account, UserData32: uint32(day), Limit: pageMax, Flags: ledger.AccountFilterDebits | ledger.AccountFilterCredits,
		}
		var day []ledger.Transfer
		for {
			page, err := r.Books.AccountTransfers(ctx, filter)
			if err != nil {
				return nil, fmt.Errorf("clearing account %s: %w", account, err)
			}
			day = append(day, page...)
			if len(page) < pageMax {
				break
			}
			filter.TimestampMin = page[len(page)-1].Timestamp + 1
		}
		found, err := r.oursIn(ctx, account, day)
		if err != nil {
			return nil, err
		}
		out = append(out, found...)
	}
	return out, nil
}

// Receipts lists what a channel brought on a day, to accounts or held, as lines of a file that knows our transfers: for
// channels that are not there.
func (r *Reconciler) Receipts(ctx context.Context, channel bank.Channel, day bank.Date) (rows []bank.FileRow, err error) {
	for part := range partsCount {
		ours, err := r.ours(ctx, channel, day, part)
		if err != nil {
			return nil, err
		}
		for _, o := range ours {
			if o.Receipt && len(rows) < RowsMax {
				rows = append(rows, bank.FileRow{
					Serial: cmp.Or(o.Serial, o.Transfer.String()), Transfer: o.Transfer, Direction: bank.In, AmountFen: o.AmountFen, Success: true, Day: day,
				})
			}
		}
	}
	return rows, nil
}

// returned tells returns of a transfer apart.
type returned struct {
	transfer bank.TxnID
	fen      int64
}

// oursIn makes transfers of a clearing account's entries of a day.
func (r *Reconciler) oursIn(ctx context.Context, account ledger.Uint128, entries []ledger.Transfer) ([]bank.Ours, error) {
	ended := make(map[ledger.Uint128]bank.OurSide)
	for i := range entries {
		switch t := &entries[i]; {
		case t.Flags&ledger.TransferPostPending != 0:
			ended[t.PendingID] = bank.OursPosted
		case t.Flags&ledger.TransferVoidPending != 0:
			ended[t.PendingID] = bank.OursVoided
		}
	}
	var out []bank.Ours
	returnedBefore := make(map[returned]int)
	for i := range entries {
		t := &entries[i]
		fen, fits := t.Amount.Int64()
		if !fits {
			return nil, fmt.Errorf("transfer %s: amount beyond int64 fen", t.ID)
		}
		o := bank.Ours{Transfer: bank.TxnID(t.UserData128), Direction: bank.In, AmountFen: fen, Side: bank.OursPosted}
		other := t.CreditAccountID
		if t.CreditAccountID == account {
			o.Direction, other = bank.Out, t.DebitAccountID
		}
		o.Account, _ = bank.AccountOf(bank.U128(other))
		switch {
		case t.Flags&ledger.TransferPending != 0:
			o.Bound, o.Side = bank.IsBoundCode(t.Code), ended[t.ID]
			if o.Side == bank.OursPosted {
				o.On = bank.Date(t.UserData32)
			}
		case bank.IsReturnCode(t.Code):
			v, err := r.Bank.Transfer(ctx, o.Transfer)
			if err != nil {
				return nil, fmt.Errorf("transfer %s: %w", o.Transfer, err)
			}
			key := returned{o.Transfer, fen}
			serial, ok := v.ReturnSerial(fen, returnedBefore[key])
			if !ok {
				continue // no line of a file can name it
			}
			returnedBefore[key]++
			o.Serial, o.Return, o.On = serial, true, bank.Date(t.UserData32)
			out = append(out, o)
			continue
		case t.Flags&(ledger.TransferPostPending|ledger.TransferVoidPending) != 0 || !bank.IsReceiptCode(t.Code):
			continue // counted with what it ends; or no transfer of the channel's customers
		default:
			o.Receipt, o.On = true, bank.Date(t.UserData32)
		}
		if o.Side == "" || t.Flags&ledger.TransferPending == 0 {
			now, err := r.find(ctx, o.Transfer) // ended on a later day, or the serial is asked for
			if err != nil {
				return nil, err
			}
			if now == nil {
				return nil, fmt.Errorf("transfer %s is in the ledger and not in the journal", o.Transfer)
			}
			o.Serial = now.Serial
			if o.Side == "" {
				o.Side = now.Side
			}
		}
		out = append(out, o)
	}
	return out, nil
}

// resolve carries out what puts differences right, and notes what came of it.
func (r *Reconciler) resolve(ctx context.Context, c *bank.Comparison, some []bank.Difference) error {
	var calls []*bank.Call
	var of []*bank.Difference
	var otherwise []bank.Command
	for i := range some {
		if first, second := c.Resolve(&some[i]); first != nil {
			calls, of, otherwise = append(calls, callOf(c.Key(&some[i], first), first)), append(of, &some[i]), append(otherwise, second)
		}
	}
	if err := r.do(ctx, calls); err != nil {
		return err
	}
	var again []*bank.Call
	var rest []*bank.Difference
	for i, call := range calls {
		if refusal := call.Receipt.Refusal; refusal != nil && otherwise[i] != nil {
			of[i].Code = refusal.Code
			again, rest = append(again, callOf(c.Key(of[i], otherwise[i]), otherwise[i])), append(rest, of[i])
			continue
		}
		of[i].Note(call)
	}
	if err := r.do(ctx, again); err != nil {
		return err
	}
	for i, call := range again {
		rest[i].Note(call)
	}
	return nil
}

// callOf is a call whose body is its key: the same difference is the same wish, whoever has the file read.
func callOf(key bank.U128, cmd bank.Command) *bank.Call {
	return &bank.Call{Command: cmd, Key: key, Body: key}
}

func (r *Reconciler) do(ctx context.Context, calls []*bank.Call) error {
	r.Bank.DoAll(ctx, calls)
	for _, call := range calls {
		if call.Err != nil {
			return fmt.Errorf("%s: %w; nothing is done twice: send the file again", call.Command.Operation(), call.Err)
		}
	}
	return nil
}

// settle books the channel's charges (K07) and the day's net (K01), once a day: a corrected file does not do it
// again, and what it says otherwise stays owed on the clearing account, for a person.
func (r *Reconciler) settle(ctx context.Context, c *bank.Comparison, report *Report, by bank.By) error {
	var calls []*bank.Call
	if fee := report.sum.ChargesFen; fee > 0 {
		calls = append(calls, callOf(bank.ChannelKey(c.Channel, c.Day, "charge_channel_fee", "", bank.TxnID{}, ""),
			&bank.ChargeChannelFee{By: by, House: bank.HouseNo(0), Channel: c.Channel, Day: c.Day, FeeFen: fee}))
	}
	for _, n := range c.Nets() {
		calls = append(calls, callOf(bank.ChannelKey(c.Channel, c.Day, "settle_clearing", "", bank.TxnID{}, fmt.Sprint(n.Shard)),
			&bank.SettleClearing{By: by, House: bank.HouseNo(n.Shard), Channel: c.Channel, Day: c.Day, NetFen: n.Fen}))
	}
	if err := r.do(ctx, calls); err != nil {
		return err
	}
	for _, call := range calls {
		if refusal := call.Receipt.Refusal; refusal != nil {
			return fmt.Errorf("%s: %w", call.Command.Operation(), refusal)
		}
		for _, e := range call.Receipt.Events {
			switch m := e.(type) {
			case *bank.ClearingSettled:
				report.NetFen += m.NetFen
			case *bank.ChannelFeeCharged:
				report.FeeBookedFen = m.FeeFen
			}
		}
	}
	return nil
}

// finish notes in the stream that the file has been compared, once for each result.
func (r *Reconciler) finish(ctx context.Context, report *Report) error {
	f := report.finished()
	call := callOf(bank.ChannelKey(f.Channel, f.Day, "finish_reconciliation", f.FileHash, bank.TxnID{}, fmt.Sprint(report.OpenCount, f.FileSums)),
		&bank.FinishReconciliation{House: bank.HouseNo(uint16(f.Channel)), ReconciliationFinished: *f})
	return r.do(ctx, []*bank.Call{call})
}

// fileRead is where the file of a channel's day is kept when it has been read.
func (r *Reconciler) fileRead(channel bank.Channel, day bank.Date) string {
	return filepath.Join(r.Dir, fmt.Sprintf("%s-%s.csv", channel, day))
}

// Differences is where all differences of the last reading of a channel's day are: CSV, with a first line that names
// the columns.
func (r *Reconciler) Differences(channel bank.Channel, day bank.Date) string {
	return filepath.Join(r.Dir, fmt.Sprintf("%s-%s.differences.csv", channel, day))
}

// keep puts the file and its differences in the place of those of an earlier reading.
func (r *Reconciler) keep(file *spool) error {
	if err := os.Rename(file.differences(), r.Differences(file.Channel, file.Day)); err != nil {
		return err
	}
	return os.Rename(file.whole, r.fileRead(file.Channel, file.Day))
}

// Clearing compares the channel's clearing accounts with its transfers in flight (R6, the pending side): what is
// pending in one must be the sum of the other.
func (r *Reconciler) Clearing(ctx context.Context, channel bank.Channel) ([]bank.Open, Clearing, error) {
	open, err := r.Bank.OpenTransfers(ctx)
	if err != nil {
		return nil, Clearing{}, err
	}
	var of []bank.Open
	var c Clearing
	for i := range open {
		if o := &open[i]; o.Channel == channel {
			of = append(of, *o)
			if o.Direction == bank.In {
				c.InFlightInFen += o.AmountFen
			} else {
				c.InFlightOutFen += o.AmountFen
			}
		}
	}
	ids := make([]ledger.Uint128, bank.ShardCount)
	for shard := range uint16(bank.ShardCount) {
		ids[shard] = ledger.Uint128(bank.ClearingLedgerID(channel, shard))
	}
	accounts, err := r.Books.LookupAccounts(ctx, ids)
	if err != nil {
		return nil, Clearing{}, err
	}
	for i := range accounts {
		a := &accounts[i]
		for _, part := range []struct {
			to     *int64
			amount ledger.Uint128
			sign   int64
		}{{&c.PendingInFen, a.DebitsPending, 1}, {&c.PendingOutFen, a.CreditsPending, 1}, {&c.OwedFen, a.CreditsPosted, 1}, {&c.OwedFen, a.DebitsPosted, -1}} {
			fen, fits := part.amount.Int64()
			if !fits {
				return nil, Clearing{}, fmt.Errorf("clearing account %s: beyond int64 fen", a.ID)
			}
			*part.to += part.sign * fen
		}
	}
	return of, c, nil
}

// Overdue lists the transfers in flight that began before a day and are not marked unknown (R7): there must be
// none. All is how many began before it.
func Overdue(open []bank.Open, day bank.Date) (unmarked []bank.Open, all int) {
	for _, o := range open {
		if o.Date >= day {
			continue
		}
		if all++; !o.Unknown {
			unmarked = append(unmarked, o)
		}
	}
	return unmarked, all
}
