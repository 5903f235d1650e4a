package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/suanpan-bank/suanpan/bank"
)

// dayClient asks a running server about its day.
type dayClient struct{ url, token string }

func dayCommand() *cobra.Command {
	var c dayClient
	cmd := &cobra.Command{
		Use:   "day",
		Short: "See and move the accounting day of a running bank (会计日, 日切, 日终)",
		Long: `Asks a running server. The token is an operator's in the role FINANCE, or AUDITOR to look; it is in the data
directory's operators.json, and taken from the environment as SUANPAN_TOKEN if --token is not given.`,
		Example: `  suanpan day status
  suanpan day cut
  suanpan day check`,
	}
	cmd.PersistentFlags().StringVar(&c.url, "server", "http://127.0.0.1:8080", "`URL` of the server's API")
	cmd.PersistentFlags().StringVar(&c.token, "token", "", "an operator's `token`; empty: SUANPAN_TOKEN")
	act := func(use, short, method, path string, show func(io.Reader, io.Writer) error) *cobra.Command {
		return &cobra.Command{Use: use, Short: short, Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error {
			return c.ask(cmd.Context(), method, path, func(r io.Reader) error { return show(r, cmd.OutOrStdout()) })
		}}
	}
	cmd.AddCommand(
		act("status", "Where the accounting day stands", http.MethodGet, "/v1/day", showStatus),
		act("cut", "Cut the day now and do the work of its end", http.MethodPost, "/v1/day/cut", showStatus),
		act("run", "Go on with the end of the day now", http.MethodPost, "/v1/day/run", showStatus),
		act("check", "Check the books now (R1 to R12); exits 1 when a check is broken", http.MethodPost, "/v1/day/check", showCheck),
		&cobra.Command{Use: "report DATE", Short: "The report of a day's end", Args: cobra.ExactArgs(1), RunE: func(cmd *cobra.Command, args []string) error {
			return c.ask(cmd.Context(), http.MethodGet, "/v1/days/"+args[0]+"/report", func(r io.Reader) error { return showCheck(r, cmd.OutOrStdout()) })
		}},
	)
	return cmd
}

// ask sends a request and shows the answer; a problem is told as it is.
func (c *dayClient) ask(ctx context.Context, method, path string, show func(io.Reader) error) error {
	token := c.token
	if token == "" {
		token = os.Getenv("SUANPAN_TOKEN")
	}
	if token == "" {
		return errors.New("an operator's token is needed: --token, or SUANPAN_TOKEN (operators.json in the data directory)")
	}
	req, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(c.url, "/")+path, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	r, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer r.Body.Close()
	if r.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(r.Body, 4096))
		return fmt.Errorf("%s: %s", r.Status, text)
	}
	return show(r.Body)
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
