package main

import (
	"github.com/spf13/cobra"

	"github.com/suanpan-bank/suanpan/internal/berka"
)

func replayCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "replay", Short: "Replay the history of a real bank through the API"}
	var o berka.Options
	replay := &cobra.Command{
		Use:   "berka DIR",
		Short: "Replay the PKDD'99 financial data of a Czech bank and reconcile every account",
		Long: `Opens the accounts of the PKDD'99 financial data ("Berka": account.asc and trans.asc in DIR) as
demonstration accounts, posts every transaction on its date, and compares each account with its own sum,
entry by entry. Can be killed and run again: it ends with the same balances. Exits 1 on any difference.`,
		Example: `  suanpan replay berka ./berka --server http://127.0.0.1:8080`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.Dir, o.Progress = args[0], cmd.ErrOrStderr()
			report, err := berka.Replay(cmd.Context(), o)
			if err != nil {
				return err
			}
			report.Write(cmd.OutOrStdout())
			if report.Differing > 0 {
				return errShown
			}
			return nil
		},
	}
	f := replay.Flags()
	f.StringVar(&o.Server, "server", "http://127.0.0.1:8080", "`URL` of the node's API")
	f.IntVar(&o.Connections, "connections", berka.ConnectionsDefault, "batches under way at once")
	f.IntVar(&o.BatchMax, "batch", berka.BatchDefault, "operations in a batch")
	cmd.AddCommand(replay)
	return cmd
}
