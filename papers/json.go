package papers

import (
	"io"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/suanpan-bank/suanpan/bank"
)

// StatementDocument is a statement in JSON, as Listed writes it.
type StatementDocument struct {
	Number    string         `json:"number"`
	AccountNo bank.AccountNo `json:"account_no"`
	Holder    string         `json:"holder"` // masked
	Class     string         `json:"class"`
	Product   string         `json:"product"`
	From      bank.Date      `json:"from"`
	To        bank.Date      `json:"to"`
	MadeAt    string         `json:"made_at"`
	bank.StatementTotals
	Entries          []bank.StatementEntry `json:"entries"`
	VerificationCode string                `json:"verification_code"`
}

// Listed is a statement in JSON: a StatementDocument, written part by part.
type Listed struct{ enc *jsontext.Encoder }

// NewListed makes a form that writes to w.
func NewListed(w io.Writer) *Listed { return &Listed{jsontext.NewEncoder(w)} }

// Head writes everything before the entries.
func (f *Listed) Head(st *Statement) error {
	t := &st.Totals
	if err := f.enc.WriteToken(jsontext.BeginObject); err != nil {
		return err
	}
	for _, member := range []struct {
		name  string
		value any
	}{
		{"number", st.Number}, {"account_no", st.Account}, {"holder", st.Holder}, {"class", st.Class}, {"product", st.Product},
		{"from", st.From}, {"to", st.To}, {"made_at", st.Made.In(shanghai).Format(time.RFC3339)},
		{"opening_fen", t.OpeningFen}, {"credit_fen", t.CreditFen}, {"debit_fen", t.DebitFen}, {"closing_fen", t.ClosingFen},
		{"credit_entries", t.Credits}, {"debit_entries", t.Debits},
	} {
		if err := f.enc.WriteToken(jsontext.String(member.name)); err != nil {
			return err
		}
		if err := json.MarshalEncode(f.enc, member.value); err != nil {
			return err
		}
	}
	if err := f.enc.WriteToken(jsontext.String("entries")); err != nil {
		return err
	}
	return f.enc.WriteToken(jsontext.BeginArray)
}

// Entry writes an element.
func (f *Listed) Entry(_ int, e *bank.StatementEntry) error {
	return json.MarshalEncode(f.enc, e)
}

// Foot writes the code and ends it.
func (f *Listed) Foot(_ *Statement, code string) error {
	for _, token := range []jsontext.Token{
		jsontext.EndArray, jsontext.String("verification_code"), jsontext.String(code), jsontext.EndObject,
	} {
		if err := f.enc.WriteToken(token); err != nil {
			return err
		}
	}
	return nil
}
