package streams

import (
	"strconv"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/suanpan-bank/suanpan/bank"
	"github.com/suanpan-bank/suanpan/ledger"
)

// The relay makes an envelope for every event, on the cores that carry out the bank's transfers, so it
// does not go through reflection. By test the bytes are those of json.Marshal.

// appendJSON appends the envelope as JSON.
func (e *Envelope) appendJSON(b []byte) []byte {
	text := func(name, value string) {
		b = appendName(b, name)
		b, _ = jsontext.AppendQuote(b, value) // the values are ours: valid UTF-8
	}
	plain := func(name, value string) { // of ours, without anything to escape
		b = append(append(append(appendName(b, name), '"'), value...), '"')
	}
	number := func(name string, value uint64) {
		b = strconv.AppendUint(appendName(b, name), value, 10)
	}
	b = append(b, '{')
	plain("event_id", e.EventID)
	plain("type", e.Type)
	number("schema_version", uint64(e.SchemaVersion))
	b = strconv.AppendInt(appendName(b, "occurred_at"), e.OccurredAtNs, 10)
	b = appendIdentifier(b, "accounting_date", e.AccountingDate)
	plain("customer_token", e.CustomerToken)
	number("actor_seq", e.ActorSeq)
	b = appendIdentifier(b, "txn_id", e.TxnID)
	b = appendHex(appendName(b, "causation_id"), ledger.Uint128(e.CausationID))
	if e.Channel != 0 {
		plain("channel", e.Channel.String())
	}
	if e.Teller != 0 {
		number("teller", uint64(e.Teller))
	}
	if e.TellerSerial != 0 {
		number("teller_serial", e.TellerSerial)
	}
	if e.Branch != "" {
		text("branch", e.Branch)
	}
	if e.RegionCode != 0 {
		number("region_code", uint64(e.RegionCode))
	}
	if e.TraceID != "" {
		text("trace_id", e.TraceID)
	}
	if len(e.TransferIDs) > 0 {
		b = append(appendName(b, "transfer_ids"), '[')
		for i := range e.TransferIDs {
			b = appendHex(appendComma(b), e.TransferIDs[i])
		}
		b = append(b, ']')
	}
	if len(e.Entries) > 0 {
		b = append(appendName(b, "entries"), '[')
		for i := range e.Entries {
			b = e.Entries[i].appendJSON(appendComma(b))
		}
		b = append(b, ']')
	}
	number("position", e.Position)
	plain("classification", e.Classification)
	plain("payload_hash", e.PayloadHash)
	b = append(appendName(b, "payload"), e.Payload...)
	return append(b, '}')
}

func (e *Entry) appendJSON(b []byte) []byte {
	b = appendHex(appendName(append(b, '{'), "id"), e.ID)
	b = strconv.AppendUint(appendName(b, "ledger"), uint64(e.Ledger), 10)
	b = strconv.AppendUint(appendName(b, "code"), uint64(e.Code), 10)
	b = append(append(append(appendName(b, "phase"), '"'), e.Phase...), '"')
	b = appendHex(appendName(b, "debit_account"), e.Debit)
	b = appendHex(appendName(b, "credit_account"), e.Credit)
	b = strconv.AppendInt(appendName(b, "amount_fen"), e.AmountFen, 10)
	if e.ReleasedFen != 0 {
		b = strconv.AppendInt(appendName(b, "released_fen"), e.ReleasedFen, 10)
	}
	return append(b, '}')
}

// appendPayload appends an event as JSON; the commonest without reflection.
func appendPayload(b []byte, e bank.Event) ([]byte, error) {
	switch m := e.(type) {
	case *bank.InternalTransferred:
		if utf8.ValidString(m.Summary) {
			return appendTransferred(b, m), nil
		}
	case *bank.CustomerDayClosed:
		return appendDayClosed(b, m)
	}
	text, err := json.Marshal(e)
	return append(b, text...), err
}

// texter is an identifier; its text needs no escapes.
type texter interface{ AppendText([]byte) ([]byte, error) }

func appendIdentifier(b []byte, name string, v texter) []byte {
	b = append(appendName(b, name), '"')
	b, _ = v.AppendText(b) // identifiers always have a text
	return append(b, '"')
}

// appendDayClosed is for every customer at the end of a day.
func appendDayClosed(b []byte, m *bank.CustomerDayClosed) ([]byte, error) {
	number := func(name string, v int64) { b = strconv.AppendInt(appendName(b, name), v, 10) }
	b = appendIdentifier(append(b, '{'), "customer_no", m.CustomerNo)
	b = appendIdentifier(b, "date", m.Date)
	b = append(appendName(b, "balances"), '[')
	for _, v := range m.Balances {
		b = appendIdentifier(append(appendComma(b), '{'), "account", v.Account)
		number("net_fen", v.NetFen)
		b = append(b, '}')
	}
	b = append(appendName(append(b, ']'), "accruals"), '[')
	for _, v := range m.Accruals {
		var err error
		b = append(appendComma(b), '{')
		if b, err = jsontext.AppendQuote(appendName(b, "product"), v.Product); err != nil {
			return nil, err
		}
		if v.Deposit != 0 {
			b = append(append(append(appendName(b, "deposit_no"), '"'), v.Deposit.String()...), '"')
		}
		number("delta_fen", v.DeltaFen)
		if v.Account != 0 {
			b = appendIdentifier(b, "account_no", v.Account)
		}
		if v.PeriodStart != 0 {
			b = appendIdentifier(b, "period_start", v.PeriodStart)
		}
		b = append(b, '}')
	}
	return append(b, ']', '}'), nil
}

func appendTransferred(b []byte, m *bank.InternalTransferred) []byte {
	number := func(name string, v int64) { b = strconv.AppendInt(appendName(b, name), v, 10) }
	b = appendIdentifier(append(b, '{'), "txn_id", m.TxnID)
	number("role", int64(m.Role))
	b = appendIdentifier(b, "payer_account", m.Payer)
	b = appendIdentifier(b, "payee_account", m.Payee)
	number("amount_fen", m.AmountFen)
	number("fee_fen", m.FeeFen)
	b = append(append(append(appendName(b, "channel"), '"'), m.Channel.String()...), '"')
	number("day_total_fen", m.DayTotalFen)
	number("year_total_fen", m.YearTotalFen)
	if m.Summary != "" {
		b, _ = jsontext.AppendQuote(appendName(b, "summary"), m.Summary)
	}
	return append(b, '}')
}

// appendComma separates from a value before, if there is one.
func appendComma(b []byte) []byte {
	if last := b[len(b)-1]; last == '{' || last == '[' {
		return b
	}
	return append(b, ',')
}

func appendName(b []byte, name string) []byte {
	b = append(appendComma(b), '"')
	b = append(b, name...)
	return append(b, '"', ':')
}

const hexDigits = "0123456789abcdef"

func appendHex(b []byte, id ledger.Uint128) []byte {
	b = append(b, '"')
	for _, half := range [...]uint64{id.Hi, id.Lo} {
		for shift := 60; shift >= 0; shift -= 4 {
			b = append(b, hexDigits[half>>shift&15])
		}
	}
	return append(b, '"')
}
