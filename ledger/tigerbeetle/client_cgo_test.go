//go:build cgo

package tigerbeetle

import (
	"fmt"
	"os"
	"os/exec"
	"reflect"
	"strings"
	"testing"
	"unicode"

	tb "github.com/tigerbeetle/tigerbeetle-go"

	"github.com/suanpan-bank/suanpan/ledger"
)

// fill gives every number in v, however deep, a value of its own, large enough to use all its bytes.
func fill(v reflect.Value, next *uint64) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i), next)
		}
	case reflect.Array: // the library's Uint128 is one of bytes
		for i := range v.Len() {
			fill(v.Index(i), next)
		}
	default:
		*next++
		wide := *next * 0x9E3779B97F4A7C15
		v.SetUint(wide >> (64 - v.Type().Bits()))
	}
}

func filled[T any]() (v T) {
	var next uint64
	fill(reflect.ValueOf(&v).Elem(), &next)
	return v
}

// number is a field as both sides would print it.
func number(v reflect.Value) string {
	switch n := v.Interface().(type) {
	case tb.Uint128:
		return n.String()
	case ledger.Uint128:
		return n.String()
	}
	return fmt.Sprintf("%x", v.Uint())
}

// sameFields compares every field of ours with the field of theirs that name leads to.
func sameFields(t *testing.T, ours, theirs any, name func(string) string) {
	t.Helper()
	a, b := reflect.ValueOf(ours), reflect.ValueOf(theirs)
	for i := range a.NumField() {
		field := a.Type().Field(i).Name
		if a.Field(i).Kind() == reflect.Struct && a.Field(i).Type() != reflect.TypeFor[ledger.Uint128]() {
			continue
		}
		other := b.FieldByName(name(field))
		if !other.IsValid() {
			t.Errorf("%T has no %s", theirs, name(field))
		} else if number(a.Field(i)) != number(other) {
			t.Errorf("%T.%s is %s, %T.%s is %s", ours, field, number(a.Field(i)), theirs, name(field), number(other))
		}
	}
}

func same(field string) string { return field }

// A field lost on the way would move the wrong amount, or money of the wrong customer.
func TestEveryFieldIsCarriedBothWays(t *testing.T) {
	account, transfer := filled[ledger.Account](), filled[ledger.Transfer]()
	var theirAccount tb.Account
	var theirTransfer tb.Transfer
	toAccount(&theirAccount, &account)
	toTransfer(&theirTransfer, &transfer)
	sameFields(t, account, theirAccount, same)
	sameFields(t, transfer, theirTransfer, same)

	var accountBack ledger.Account
	var transferBack ledger.Transfer
	fromAccount(&accountBack, &theirAccount)
	fromTransfer(&transferBack, &theirTransfer)
	if accountBack != account || transferBack != transfer {
		t.Error("an account or a transfer comes back changed")
	}

	accountFilter, queryFilter := filled[ledger.AccountFilter](), filled[ledger.QueryFilter]()
	sameFields(t, accountFilter, toAccountFilter(accountFilter), same)
	sameFields(t, queryFilter, toQueryFilter(queryFilter), same)

	theirBalance := filled[tb.AccountBalance]()
	var balance ledger.AccountBalance
	fromBalance(&balance, &theirBalance)
	sameFields(t, balance, theirBalance, same)

	theirAccountResult, theirTransferResult := filled[tb.CreateAccountResult](), filled[tb.CreateTransferResult]()
	var accountResult ledger.CreateAccountResult
	var transferResult ledger.CreateTransferResult
	fromAccountResult(&accountResult, &theirAccountResult)
	fromTransferResult(&transferResult, &theirTransferResult)
	sameFields(t, accountResult, theirAccountResult, same)
	sameFields(t, transferResult, theirTransferResult, same)
}

func TestEveryFieldOfAChangeEventIsCarried(t *testing.T) {
	theirs := filled[tb.ChangeEvent]()
	var event ledger.ChangeEvent
	fromChangeEvent(&event, &theirs)
	sameFields(t, event, theirs, same)
	sameFields(t, event.Transfer, theirs, func(field string) string {
		switch field {
		case "Ledger", "DebitAccountID", "CreditAccountID":
			return field
		}
		return "Transfer" + field
	})
	for side, account := range map[string]ledger.Account{"DebitAccount": event.DebitAccount, "CreditAccount": event.CreditAccount} {
		if account.Reserved != 0 {
			t.Error("a reserved field is set")
		}
		sameFields(t, account, withReserved{theirs, 0}, func(field string) string {
			switch field {
			case "Ledger", "Reserved":
				return field
			}
			return side + field
		})
	}
}

// withReserved stands for the field that accounts have and change events don't.
type withReserved struct {
	tb.ChangeEvent
	Reserved uint32
}

// A status taken for another would turn a refusal into a different one, or into a success.
func TestEveryStatusMeansTheSameOnBothSides(t *testing.T) {
	const unused = 200 // beyond all of them
	statuses := []uint32{uint32(tb.TransferCreated)}
	for i := range uint32(unused) {
		statuses = append(statuses, i)
	}
	known := 0
	for _, s := range statuses {
		theirs := tb.CreateTransferStatus(s).String()
		want := fmt.Sprintf("create_transfer_status_%d", s)
		if !strings.HasPrefix(theirs, "CreateTransferStatus(") {
			want = snake(strings.TrimPrefix(theirs, "Transfer"))
			known++
		}
		if got := ledger.CreateTransferStatus(s).String(); got != want {
			t.Errorf("transfer status %d is %s, in the library %s", s, got, theirs)
		}

		theirs = tb.CreateAccountStatus(s).String()
		want = fmt.Sprintf("create_account_status_%d", s)
		if !strings.HasPrefix(theirs, "CreateAccountStatus(") {
			want = snake(strings.TrimPrefix(theirs, "Account"))
			known++
		}
		if got := ledger.CreateAccountStatus(s).String(); got != want {
			t.Errorf("account status %d is %s, in the library %s", s, got, theirs)
		}
	}
	if known != 27+68 {
		t.Errorf("the library knows %d statuses", known)
	}
}

// snake turns ExistsWithDifferentUserData128 into exists_with_different_user_data_128.
func snake(name string) string {
	var b strings.Builder
	r := []rune(name)
	for i, c := range r {
		if i > 0 {
			before := r[i-1]
			begins := unicode.IsUpper(c) && (!unicode.IsUpper(before) || i+1 < len(r) && unicode.IsLower(r[i+1]))
			if begins || unicode.IsDigit(c) && !unicode.IsDigit(before) {
				b.WriteByte('_')
			}
		}
		b.WriteRune(unicode.ToLower(c))
	}
	return b.String()
}

func TestEveryFlagAndTypeHasTheSameValueOnBothSides(t *testing.T) {
	for ours, theirs := range map[ledger.AccountFlags]tb.AccountFlags{
		ledger.AccountLinked:                     {Linked: true},
		ledger.AccountDebitsMustNotExceedCredits: {DebitsMustNotExceedCredits: true},
		ledger.AccountCreditsMustNotExceedDebits: {CreditsMustNotExceedDebits: true},
		ledger.AccountHistory:                    {History: true},
		ledger.AccountImported:                   {Imported: true},
		ledger.AccountClosed:                     {Closed: true},
	} {
		if uint16(ours) != theirs.ToUint16() {
			t.Errorf("account flag %+v is %d here", theirs, ours)
		}
	}
	for ours, theirs := range map[ledger.TransferFlags]tb.TransferFlags{
		ledger.TransferLinked:          {Linked: true},
		ledger.TransferPending:         {Pending: true},
		ledger.TransferPostPending:     {PostPendingTransfer: true},
		ledger.TransferVoidPending:     {VoidPendingTransfer: true},
		ledger.TransferBalancingDebit:  {BalancingDebit: true},
		ledger.TransferBalancingCredit: {BalancingCredit: true},
		ledger.TransferClosingDebit:    {ClosingDebit: true},
		ledger.TransferClosingCredit:   {ClosingCredit: true},
		ledger.TransferImported:        {Imported: true},
	} {
		if uint16(ours) != theirs.ToUint16() {
			t.Errorf("transfer flag %+v is %d here", theirs, ours)
		}
	}
	for ours, theirs := range map[ledger.AccountFilterFlags]tb.AccountFilterFlags{
		ledger.AccountFilterDebits:   {Debits: true},
		ledger.AccountFilterCredits:  {Credits: true},
		ledger.AccountFilterReversed: {Reversed: true},
	} {
		if uint32(ours) != theirs.ToUint32() {
			t.Errorf("filter flag %+v is %d here", theirs, ours)
		}
	}
	if uint32(ledger.QueryFilterReversed) != (tb.QueryFilterFlags{Reversed: true}).ToUint32() {
		t.Error("the query filter's flag differs")
	}
	for ours, theirs := range map[ledger.ChangeEventType]tb.ChangeEventType{
		ledger.ChangeSinglePhase:     tb.ChangeEventSinglePhase,
		ledger.ChangeTwoPhasePending: tb.ChangeEventTwoPhasePending,
		ledger.ChangeTwoPhasePosted:  tb.ChangeEventTwoPhasePosted,
		ledger.ChangeTwoPhaseVoided:  tb.ChangeEventTwoPhaseVoided,
		ledger.ChangeTwoPhaseExpired: tb.ChangeEventTwoPhaseExpired,
	} {
		if uint8(ours) != uint8(theirs) {
			t.Errorf("change event type %v is %d here", theirs, ours)
		}
	}
	if toUint128(&ledger.AmountMax) != tb.AmountMax {
		t.Error("the largest amount differs")
	}
}

// The binary for a machine without a C compiler must still build, and say what it lacks.
func TestTheBankBuildsWithoutCgoAndSaysWhatIsMissing(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles the whole binary again")
	}
	for _, args := range [][]string{
		{"build", "-o", os.DevNull, "github.com/suanpan-bank/suanpan/cmd/suanpan"},
		{"test", "-count=1", "-run", "^TestWithoutCgo", "."},
	} {
		command := exec.CommandContext(t.Context(), "go", args...)
		command.Env = append(os.Environ(), "CGO_ENABLED=0")
		out, err := command.CombinedOutput()
		if err != nil || strings.Contains(string(out), "no tests to run") {
			t.Errorf("go %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
}
