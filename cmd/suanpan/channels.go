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
	books   channels.Books
	tracker *channels.Tracker
}

func (r reconciliation) reconciler() *channels.Reconciler {
	return &channels.Reconciler{Bank: r.Cluster, Books: r.books}
}

// File implements ingress.Channels.
func (r reconciliation) File(ctx context.Context, channel bank.Channel, day bank.Date) ([]byte, error) {
	text, err := r.tracker.File(ctx, channel, day)
	if errors.Is(err, channels.ErrNoFile) {
		return nil, fmt.Errorf("%w: %w", bank.ErrNotFound, err)
	}
	return text, err
}

// Reconcile implements ingress.Channels.
func (r reconciliation) Reconcile(ctx context.Context, channel bank.Channel, file []byte, by bank.By) (ingress.Report, error) {
	report, err := r.reconciler().Run(ctx, channel, file, by)
	if errors.Is(err, channels.ErrFile) || errors.Is(err, channels.ErrChannel) {
		return nil, fmt.Errorf("%w: %w", ingress.ErrFile, err)
	}
	if err != nil {
		return nil, err
	}
	return report, nil
}

// reconciliation is of the ledger the node has.
func (s *server) reconciliation(bankOf *cluster.Cluster) reconciliation {
	if s.books != nil {
		return reconciliation{bankOf, s.books, s.tracker}
	}
	return reconciliation{bankOf, s.ledger, s.tracker}
}

// reconcileMax is how long a file may take to be read.
const reconcileMax = 10 * time.Minute

func reconcileCommand() *cobra.Command {
	var a asking
	var channel string
	cmd := &cobra.Command{
		Use:   "reconcile FILE",
		Short: "Have a running bank compare a payment channel's daily file with its books",
		Long: `Sends a channel's daily file (对账文件) to a running bank, which puts right what does not agree and
settles the day's net; prints the report. Sending a file again does nothing twice. The token is that of an operator
in the role FINANCE.`,
		Example: `  suanpan reconcile ibps-20261124.csv --channel IBPS --token "$TOKEN"`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			text, err := os.ReadFile(args[0])
			if err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), reconcileMax)
			defer cancel()
			return a.asOperator(ctx, http.MethodPost, "/v1/channel/files/"+channel, "text/plain", text, func(r io.Reader) error {
				_, err := io.Copy(cmd.OutOrStdout(), r)
				return err
			})
		},
	}
	a.flags(cmd.Flags())
	cmd.Flags().StringVar(&channel, "channel", "IBPS", "whose file it is: IBPS, UNIONPAY, NETSUNION or CORE")
	return cmd
}
