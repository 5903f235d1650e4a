package main

import (
	"context"
	"errors"

	"github.com/suanpan-bank/suanpan/actors"
	"github.com/suanpan-bank/suanpan/bank"
	"github.com/suanpan-bank/suanpan/channels"
)

// reconcileFiles (渠道对账) compares the channels' files of the day before the date with the books, those that have
// come. A file that has not, or that can't be used, holds nothing up: the report names it, and an operator may send it.
func (a *accountingDay) reconcileFiles(ctx context.Context, day actors.Closed) error {
	if err := a.markUnknown(ctx, day.Date); err != nil {
		return err
	}
	of := day.Date.AddDays(-1)
	for _, channel := range bank.ClearingChannels {
		_, err := a.files.day(ctx, channel, of, bank.By{})
		if errors.Is(err, channels.ErrNoFile) {
			a.server.logger.Info("end of day: a channel's file has not come", "channel", channel.String(), "of", of)
			continue
		}
		switch {
		case err == nil:
		case ctx.Err() != nil, errors.Is(err, bank.ErrStopping), errors.Is(err, bank.ErrOverloaded),
			errors.Is(err, bank.ErrLedgerUnavailable), errors.Is(err, bank.ErrLedgerUnanswered):
			return err // the step is tried again
		default:
			a.server.logger.Error("end of day: a channel's file is not reconciled; send it again when it is mended", "channel", channel.String(), "of", of, "cause", err)
		}
	}
	return nil
}

// markUnknown marks what has been under way since before the date: its channel is long past its deadline, which
// the tracker has not looked at if the clock was moved.
func (a *accountingDay) markUnknown(ctx context.Context, date bank.Date) error {
	open, err := a.files.OpenTransfers(ctx)
	if err != nil {
		return err
	}
	unmarked, _ := channels.Overdue(open, date)
	for len(unmarked) > 0 {
		some := unmarked[:min(len(unmarked), channels.AnswersMax)]
		unmarked = unmarked[len(some):]
		calls := make([]*bank.Call, len(some))
		for i := range some {
			calls[i] = &bank.Call{Command: &bank.MarkUnknown{Transfer: some[i].TransferID}} // no key: what is marked stays marked
		}
		a.files.DoAll(ctx, calls)
		for _, call := range calls {
			if call.Err != nil { // a refusal says that it is settled or marked meanwhile
				return call.Err
			}
		}
	}
	return nil
}
