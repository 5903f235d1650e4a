package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/suanpan-bank/suanpan/bank"
	"github.com/suanpan-bank/suanpan/streams"
)

func eventsCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "events", Short: "Look at the event stream"}
	var kafka, customer string
	var topics []string
	var fromStart, once, raw bool
	tail := &cobra.Command{
		Use:   "tail",
		Short: "Print events as they happen",
		Example: `  suanpan events tail
  suanpan events tail --from-start --customer C0000000018`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			for _, t := range topics {
				if !slices.Contains(bank.Topics, t) {
					return fmt.Errorf("there is no topic %q; there are %s", t, strings.Join(bank.Topics, ", "))
				}
			}
			out := cmd.OutOrStdout()
			o := streams.TailOptions{Broker: kafka, Topics: topics, FromStart: fromStart || once, Follow: !once}
			err := streams.Tail(cmd.Context(), o, func(m *streams.Tailed) error {
				if raw {
					_, err := fmt.Fprintf(out, "%s\n", m.Value)
					return err
				}
				return printEvent(out, m, customer)
			})
			if cmd.Context().Err() != nil || errors.Is(err, os.ErrClosed) {
				return nil // Ctrl-C
			}
			return err
		},
	}
	f := tail.Flags()
	f.StringVar(&kafka, "kafka", "127.0.0.1:9092", "`address` of the Kafka-protocol broker")
	f.StringSliceVar(&topics, "topic", bank.Topics, "topics to read")
	f.StringVar(&customer, "customer", "", "only the events of this customer `number`")
	f.BoolVar(&fromStart, "from-start", false, "begin with the oldest event kept")
	f.BoolVar(&once, "once", false, "print what there is and end")
	f.BoolVar(&raw, "json", false, "print the events as they are, one JSON document a line")
	cmd.AddCommand(tail)
	return cmd
}

// printEvent prints one event on one line: when, who, what, and its entries in the ledger.
func printEvent(out io.Writer, m *streams.Tailed, customer string) error {
	env, err := streams.Decode(m.Value)
	if err != nil {
		_, err = fmt.Fprintf(out, "unreadable event at %s/%d offset %d: %v\n", m.Topic, m.Partition, m.Offset, err)
		return err
	}
	if customer != "" && env.CustomerToken != customer {
		return nil
	}
	zh := ""
	if i := slices.IndexFunc(bank.EventKinds, func(k bank.EventKind) bool { return k.Name == env.Type }); i >= 0 {
		zh = bank.EventKinds[i].Zh
	}
	at := time.Unix(0, env.OccurredAtNs).Format("2006-01-02 15:04:05.000")
	if _, err := fmt.Fprintf(out, "%s  %s #%d  %s %s  %s\n", at, env.CustomerToken, env.ActorSeq, env.Type, zh, env.Payload); err != nil {
		return err
	}
	for _, e := range env.Entries {
		debit, _, _ := bank.SplitLedgerID(bank.U128(e.Debit))
		credit, _, _ := bank.SplitLedgerID(bank.U128(e.Credit))
		if _, err := fmt.Fprintf(out, "    %-7s %s  debit %d  credit %d  (ledger %d, code %d)\n", e.Phase, yuan(e.AmountFen), debit, credit, e.Ledger, e.Code); err != nil {
			return err
		}
	}
	return nil
}

// yuan writes fen as yuan with two decimals.
func yuan(fen int64) string {
	sign := ""
	if fen < 0 {
		sign, fen = "-", -fen
	}
	return fmt.Sprintf("%s%d.%02d", sign, fen/100, fen%100)
}
