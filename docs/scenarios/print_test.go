package scenarios

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/suanpan-bank/suanpan/papers"
)

// voucher is a decision as the bank's operators read it.
type voucher struct {
	Position       string `json:"position"`
	TransferID     string `json:"transfer_id"`
	AccountingDate string `json:"accounting_date"`
	Events         []struct {
		Type  string          `json:"type"`
		Zh    string          `json:"type_zh"`
		Event json.RawMessage `json:"event"`
	} `json:"events"`
	Legs []struct {
		Summary string `json:"summary_zh"`
		Kind    string `json:"kind"`
		Debit   side   `json:"debit"`
		Credit  side   `json:"credit"`
		Fen     int64  `json:"amount_fen"`
	} `json:"legs"`
}

type side struct {
	Zh       string `json:"subject_zh"`
	Customer string `json:"customer_id"`
}

// news tells what has been decided about the story's customers since it was last asked: events with their
// entries, then the balances that changed. Many decisions that moved nothing are counted, not told:
// a year has as many ends of day.
func (s *story) news() string {
	var out strings.Builder
	told := map[string]bool{} // decisions whose entries have been told
	for _, customer := range s.customers() {
		s.tell(&out, customer, told)
	}
	for _, name := range s.names {
		a := s.accounts[name]
		var v struct {
			State     string `json:"state"`
			Posted    int64  `json:"posted_fen"`
			Available int64  `json:"available_fen"`
		}
		s.get("/v1/accounts/"+a.no, "", &v)
		line := fmt.Sprintf("余额 %s %s", name, yuan(v.Posted))
		if v.Available != v.Posted {
			line += " 可用 " + yuan(v.Available)
		}
		if v.State != "NORMAL" {
			line += " " + v.State
		}
		if line != a.shown {
			a.shown = line
			fmt.Fprintln(&out, line)
		}
	}
	return out.String()
}

// customers are the story's, each once, with the first name of each.
func (s *story) customers() []string {
	var names, seen []string
	for _, name := range s.names {
		if id := s.accounts[name].customer; !slices.Contains(seen, id) {
			seen, names = append(seen, id), append(names, name)
		}
	}
	return names
}

// silentMax is how many decisions without entries are told one by one.
const silentMax = 2

func (s *story) tell(out *strings.Builder, name string, told map[string]bool) {
	a := s.accounts[name]
	var news []voucher
	for more := true; more; {
		var page struct {
			Vouchers []voucher `json:"vouchers"`
			Next     string    `json:"next_cursor"`
		}
		s.get("/v1/customers/"+a.customer+"/vouchers?limit=1000&cursor="+cmp.Or(a.cursor, "0"), "auditor", &page)
		news = append(news, page.Vouchers...)
		if n := len(page.Vouchers); n > 0 {
			a.cursor = page.Vouchers[n-1].Position
		}
		more = page.Next != ""
	}
	silent := 0
	for i := range news {
		if len(news[i].Legs) == 0 {
			silent++
		}
	}
	counts := map[string]int{}
	for i := range news {
		v := &news[i]
		if len(v.Legs) == 0 && silent > silentMax {
			for _, e := range v.Events {
				counts[e.Zh+" "+e.Type]++
			}
			continue
		}
		for _, e := range v.Events {
			fmt.Fprintf(out, "%s %s %s %s%s\n", v.AccountingDate, name, e.Zh, e.Type, s.facts(e.Event))
		}
		if told[v.TransferID+v.AccountingDate] {
			continue
		}
		told[v.TransferID+v.AccountingDate] = true
		for _, l := range v.Legs {
			fmt.Fprintf(out, "  借 %s  贷 %s  %s  %s%s\n", s.side(l.Debit), s.side(l.Credit), yuan(l.Fen), l.Summary, legKinds[l.Kind])
		}
	}
	for _, kind := range slices.Sorted(maps.Keys(counts)) {
		fmt.Fprintf(out, "%s %s %d 次\n", name, kind, counts[kind])
	}
}

var legKinds = map[string]string{"RESERVED": " (预记)", "SETTLED": " (转实)", "RELEASED": " (撤销预记)"}

// side names an account: its subject and, for a customer's, whose.
func (s *story) side(x side) string {
	for _, name := range s.customers() {
		if x.Customer != "" && s.accounts[name].customer == x.Customer {
			return x.Zh + "[" + name + "]"
		}
	}
	return x.Zh
}

// hidden are members of events that differ from run to run or that the entries say already.
func hidden(name string) bool {
	for _, end := range []string{"_id", "_no", "_txn", "_token", "_hash", "_masked", "_account", "_serial", "_subject", "_ms"} {
		if strings.HasSuffix(name, end) {
			return true
		}
	}
	return slices.Contains([]string{
		"person", "card", "channel", "branch", "role", "id_kind", "region_code", "interest_base", "interest_method", "minimum_fen", "catalogue_version",
	}, name)
}

// facts are the members of an event that a reader wants: amounts in yuan, rates in per cent.
func (s *story) facts(event json.RawMessage) string {
	var out strings.Builder
	d := jsontext.NewDecoder(bytes.NewReader(event))
	if _, err := d.ReadToken(); err != nil {
		s.t.Fatalf("%v in %s", err, event)
	}
	for d.PeekKind() != jsontext.KindEndObject {
		name, err := d.ReadToken()
		if err != nil {
			s.t.Fatalf("%v in %s", err, event)
		}
		key := name.String()
		value, err := d.ReadValue()
		if err != nil {
			s.t.Fatalf("%v in %s", err, event)
		}
		text := strings.Trim(string(value), `"`)
		if hidden(key) || text == "" || text == "0" || text == "false" || text == "null" || value.Kind() == jsontext.KindBeginObject || value.Kind() == jsontext.KindBeginArray {
			continue
		}
		n, number := strconv.ParseInt(text, 10, 64)
		switch {
		case number == nil && strings.HasSuffix(key, "_fen"):
			key, text = strings.TrimSuffix(key, "_fen"), yuan(n)
		case number == nil && strings.HasSuffix(key, "_e6"):
			key, text = strings.TrimSuffix(key, "_e6"), papers.Rate(n)
		}
		fmt.Fprintf(&out, " %s=%s", key, text)
	}
	return out.String()
}

func yuan(fen int64) string { return papers.Yuan(fen) }

// deposit shows a deposit.
func (s *story) deposit(w *words) string { return s.show(s.named(w)) }

func (s *story) show(deposit string) string {
	var v struct {
		Product   string `json:"product"`
		State     string `json:"state"`
		Principal int64  `json:"principal_fen"`
		Rate      int64  `json:"rate_e6"`
		Open      string `json:"open_date"`
		Maturity  string `json:"maturity_date"`
		Interest  int64  `json:"maturity_interest_fen"`
	}
	s.get("/v1/deposits/"+deposit, "", &v)
	return fmt.Sprintf("%s 本金 %s 年利率 %s %s 至 %s 到期利息 %s %s", v.Product, yuan(v.Principal), papers.Rate(v.Rate), v.Open, v.Maturity, yuan(v.Interest), v.State)
}

// statement shows an account's statement, as the customer gets it.
func (s *story) statement(w *words) string {
	a := s.account(w)
	var v struct {
		Opening int64 `json:"opening_fen"`
		Credit  int64 `json:"credit_fen"`
		Debit   int64 `json:"debit_fen"`
		Closing int64 `json:"closing_fen"`
		Entries []struct {
			On      string `json:"accounting_date"`
			Value   string `json:"value_date"`
			Summary string `json:"summary_zh"`
			Remark  string `json:"remark"`
			Way     string `json:"direction"`
			Fen     int64  `json:"amount_fen"`
			Balance int64  `json:"balance_after_fen"`
		} `json:"entries"`
	}
	s.get("/v1/accounts/"+a.no+"/statements?from="+w.next("from")+"&to="+w.next("to"), "", &v)
	var out strings.Builder
	fmt.Fprintf(&out, "期初余额 %s\n", yuan(v.Opening))
	for _, e := range v.Entries {
		sign, value := "+", ""
		if e.Way == "DEBIT" {
			sign = "-"
		}
		if e.Value != e.On {
			value = " 起息 " + e.Value
		}
		fmt.Fprintln(&out, strings.TrimRight(fmt.Sprintf("%s%s %s%s 余额 %s %s %s", e.On, value, sign, yuan(e.Fen), yuan(e.Balance), e.Summary, e.Remark), " "))
	}
	fmt.Fprintf(&out, "收入 %s 支出 %s 期末余额 %s\n", yuan(v.Credit), yuan(v.Debit), yuan(v.Closing))
	return out.String()
}
