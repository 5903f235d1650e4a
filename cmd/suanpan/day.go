package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"

	"github.com/spf13/cobra"

	"github.com/suanpan-bank/suanpan/bank"
)

func dayCommand() *cobra.Command {
	var a asking
	cmd := &cobra.Command{
		Use:   "day",
		Short: "See and move the accounting day of a running bank (会计日, 日切, 日终)",
		Long: `Asks a running server. The token is an operator's in the role FINANCE, or AUDITOR to look; it is in the data
directory's operators.json, and taken from the environment as SUANPAN_TOKEN if --token is not given.`,
		Example: `  suanpan day status
  suanpan day cut
  suanpan day check`,
	}
	a.flags(cmd.PersistentFlags())
	act := func(use, short, method, path string, show func(io.Reader, io.Writer) error) *cobra.Command {
		return &cobra.Command{Use: use, Short: short, Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error {
			return a.asOperator(cmd.Context(), method, path, "application/json", nil, func(r io.Reader) error { return show(r, cmd.OutOrStdout()) })
		}}
	}
	cmd.AddCommand(
		act("status", "Where the accounting day stands", http.MethodGet, "/v1/day", showStatus),
		act("cut", "Cut the day now and do the work of its end", http.MethodPost, "/v1/day/cut", showStatus),
		act("run", "Go on with the end of the day now", http.MethodPost, "/v1/day/run", showStatus),
		act("check", "Check the books now (R1 to R12); exits 1 when a check is broken", http.MethodPost, "/v1/day/check", showCheck),
		&cobra.Command{Use: "report DATE", Short: "The report of a day's end", Args: cobra.ExactArgs(1), RunE: func(cmd *cobra.Command, args []string) error {
			return a.asOperator(cmd.Context(), http.MethodGet, "/v1/days/"+args[0]+"/report", "application/json", nil, func(r io.Reader) error { return showCheck(r, cmd.OutOrStdout()) })
		}},
	)
	return cmd
}

func showStatus(r io.Reader, out io.Writer) error {
	var s bank.DayStatus
	if err := json.NewDecoder(r).Decode(&s); err != nil {
		return err
	}
	fmt.Fprintf(out, "会计日期 accounting date  %s\n下次日切 next day cut     %s\n", s.AccountingDate, s.NextCut)
	switch {
	case s.Closing != 0:
		fmt.Fprintf(out, "日切中   being closed     %s\n", s.Closing)
	case s.Working != 0:
		fmt.Fprintf(out, "日终中   end of day of    %s, step %d of %d: %s %s\n", s.Working, s.StepsDone+1, s.Steps, s.Step, s.StepZh)
	default:
		fmt.Fprintln(out, "日终     end of day       done for all dates before")
	}
	if s.ToVisit > 0 {
		fmt.Fprintf(out, "进度     progress         %d of %d customers, %d a second, %d s left; %d decided\n", s.Visited, s.ToVisit, s.PerSecond, s.LeftSeconds, s.Decided)
	}
	if s.Failure != "" {
		fmt.Fprintf(out, "失败     FAILED           %s\n", s.Failure)
		return errShown
	}
	return nil
}

func showCheck(r io.Reader, out io.Writer) error {
	var report bank.DayReport
	if err := json.NewDecoder(r).Decode(&report); err != nil {
		return err
	}
	fmt.Fprint(out, report.Text())
	if !report.Agrees {
		return errShown
	}
	return nil
}
