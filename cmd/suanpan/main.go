// Command suanpan is the bank in one binary. This package wires the parts, reads flags and handles
// signals; it is the only one that knows every part, and the only one that reads clock, randomness
// and environment.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := command().ExecuteContext(ctx); err != nil {
		if !errors.Is(err, errShown) {
			fmt.Fprintln(os.Stderr, "suanpan:", err)
		}
		os.Exit(1)
	}
}

// errShown ends the process with 1 when what went wrong has been printed already.
var errShown = errors.New("shown")

func command() *cobra.Command {
	root := &cobra.Command{
		Use:   "suanpan",
		Short: "Suanpan (算盘): a transaction processor for a retail bank's online platform",
		Long: `Suanpan (算盘) processes a retail bank's online transactions: electronic accounts, transfers,
term deposits and loans. One actor speaks for each customer; every operation is durable and in
the double-entry ledger before it is acknowledged; every change is an event on a Kafka stream.`,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.AddCommand(serveCommand(), verifyCommand(), dayCommand(), reconcileCommand(), catalogueCommand(), replayCommand(), eventsCommand(), versionCommand())
	return root
}
