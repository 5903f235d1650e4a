package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/suanpan-bank/suanpan/bank"
	"github.com/suanpan-bank/suanpan/channels"
	"github.com/suanpan-bank/suanpan/channels/simulated"
	"github.com/suanpan-bank/suanpan/cluster"
	"github.com/suanpan-bank/suanpan/ingress"
)

// openChannels connects the bank with its payment channels: the simulated one, or one whose answers come
// through the API. Either is asked again about what it does not answer.
func (s *server) openChannels(bankOf *cluster.Cluster, at layout, o serveOptions, logger *slog.Logger) error {
	var fault error
	s.tracker = channels.Open(channels.Options{
		Caller: bankOf, Clock: s.clock.Now, Schedule: channels.DefaultSchedule(), Logger: logger,
	}, func(answer func(channels.Answer)) channels.Port {
		if o.channelDelay < 0 {
			return channels.ThroughAPI{}
		}
		so := simulated.Options{Delay: o.channelDelay, Directory: at.channels(), Logger: logger}
		// What comes in is said through the API, to the bank alone: its own books tell the simulated channel.
		so.Receipts = func(ctx context.Context, channel bank.Channel, day bank.Date) ([]bank.FileRow, error) {
			return s.day.files.reconciler().Receipts(ctx, channel, day)
		}
		if o.channelFaults {
			so.Behave = simulated.ByAmount
		}
		if s.simulated, fault = simulated.Open(so, answer); fault != nil {
			return channels.ThroughAPI{}
		}
		return s.simulated
	})
	if fault != nil {
		return fmt.Errorf("payment channel: %w", fault)
	}
	return s.node.Connect(s.tracker)
}

// closeChannels stops asking and answering; what has no answer is taken up again by the next start.
func (s *server) closeChannels() error {
	var err error
	if s.simulated != nil {
		err = s.simulated.Close()
	}
	if s.tracker != nil {
		s.tracker.Close()
	}
	return err
}

// reconciliation lets the API and the end of day have channels' files read.
type reconciliation struct {
	*cluster.Cluster
	books      channels.Books
	tracker    *channels.Tracker
	inbox      channels.Inbox
	reconciled string // directory of what was read
}

func (r reconciliation) reconciler() *channels.Reconciler {
	return &channels.Reconciler{Bank: r.Cluster, Books: r.books, Dir: r.reconciled}
}

// open opens a channel's file of a day: that of the inbox if there is one, else what the channel has;
// channels.ErrNoFile: neither.
func (r reconciliation) open(ctx context.Context, channel bank.Channel, day bank.Date) (io.ReadCloser, error) {
	file, err := r.inbox.File(channel, day)
	if errors.Is(err, channels.ErrNoFile) {
		return r.tracker.File(ctx, channel, day)
	}
	return file, err
}

// day reads a channel's file of a day.
func (r reconciliation) day(ctx context.Context, channel bank.Channel, day bank.Date, by bank.By) (*channels.Report, error) {
	file, err := r.open(ctx, channel, day)
	if err != nil {
		return nil, err
	}
	report, err := r.reconciler().Run(ctx, channel, day, file, by)
	return report, errors.Join(err, file.Close())
}

// File implements ingress.Channels.
func (r reconciliation) File(ctx context.Context, channel bank.Channel, day bank.Date) (io.ReadCloser, error) {
	file, err := r.open(ctx, channel, day)
	if errors.Is(err, channels.ErrNoFile) {
		return nil, fmt.Errorf("%w: %w", bank.ErrNotFound, err)
	}
	return file, err
}

// Differences implements ingress.Channels.
func (r reconciliation) Differences(_ context.Context, channel bank.Channel, day bank.Date) (io.ReadCloser, error) {
	file, err := os.Open(r.reconciler().Differences(channel, day))
	if errors.Is(err, os.ErrNotExist) {
		return nil, bank.ErrNotFound
	}
	return file, err
}

// Reconcile implements ingress.Channels.
func (r reconciliation) Reconcile(ctx context.Context, channel bank.Channel, file io.Reader, by bank.By) (ingress.Report, error) {
	return reportOf(r.reconciler().Run(ctx, channel, 0, file, by))
}

// ReconcileDay implements ingress.Channels.
func (r reconciliation) ReconcileDay(ctx context.Context, channel bank.Channel, day bank.Date, by bank.By) (ingress.Report, error) {
	return reportOf(r.day(ctx, channel, day, by))
}

// reportOf tells errors as the API does.
func reportOf(report *channels.Report, err error) (ingress.Report, error) {
	switch {
	case errors.Is(err, channels.ErrFile), errors.Is(err, channels.ErrChannel):
		return nil, fmt.Errorf("%w: %w", ingress.ErrFile, err)
	case errors.Is(err, channels.ErrNoFile):
		return nil, fmt.Errorf("%w: %w", bank.ErrNotFound, err)
	case err != nil:
		return nil, err
	}
	return report, nil
}

// reconciliation is of the ledger the node has.
func (s *server) reconciliation(bankOf *cluster.Cluster, at layout) (reconciliation, error) {
	r := reconciliation{Cluster: bankOf, books: s.ledger, tracker: s.tracker, inbox: channels.Inbox{Dir: at.inbox()}, reconciled: at.reconciled()}
	if s.books != nil {
		r.books = s.books
	}
	for _, dir := range []string{at.inbox(), at.reconciled()} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return r, fmt.Errorf("directory of channels' files: %w", err)
		}
	}
	return r, channels.Clear(at.reconciled())
}

// reconcileMax is how long a file may take to be read.
const reconcileMax = 10 * time.Minute

func reconcileCommand() *cobra.Command {
	var a asking
	var channel, date string
	cmd := &cobra.Command{
		Use:   "reconcile [FILE]",
		Short: "Have a running bank compare a payment channel's daily file with its books",
		Long: `Has a running bank compare a channel's daily file (对账文件) with its books: it puts right what does not agree
and settles the day's net; prints the report. Reading a file again does nothing twice. A small file is sent, at most
4 MiB; one of any size lies in channel-files/ of the bank's data directory as CHANNEL-YYYY-MM-DD.csv, and --date names
its day. The token is that of an operator in the role FINANCE.`,
		Example: `  suanpan reconcile ibps-20261124.csv --channel IBPS --token "$TOKEN"
  suanpan reconcile --channel IBPS --date 2026-11-24 --token "$TOKEN"`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			path, text := "/v1/channel/files/"+channel, []byte(nil)
			switch {
			case (date == "") == (len(args) == 0):
				return errors.New("either a file to send, or --date of one that lies in the bank's directory")
			case date != "":
				path += "/" + date
			default:
				if text, err = os.ReadFile(args[0]); err != nil {
					return err
				}
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), reconcileMax)
			defer cancel()
			return a.asOperator(ctx, http.MethodPost, path, "text/plain", text, func(r io.Reader) error {
				_, err := io.Copy(cmd.OutOrStdout(), r)
				return err
			})
		},
	}
	a.flags(cmd.Flags())
	cmd.Flags().StringVar(&channel, "channel", "IBPS", "whose file it is: IBPS, UNIONPAY, NETSUNION or CORE")
	cmd.Flags().StringVar(&date, "date", "", "day `YYYY-MM-DD` of the file in the bank's directory")
	return cmd
}
