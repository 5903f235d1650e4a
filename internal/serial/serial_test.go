package serial

import (
	"testing"
	"time"
)

// A check that lets a wrong history pass proves nothing: each of these must be told from the right one
// beside it.
func TestAHistoryIsRightOnlyIfOneThingAfterAnotherCouldHaveMadeIt(t *testing.T) {
	op := func(call, back int64, steps ...Step) *Op { return &Op{Call: call, Return: back, Steps: steps} }
	unknown := func(call int64, steps ...Step) *Op {
		return &Op{Call: call, Return: Never, Steps: steps, Unknown: true}
	}
	shows := func(account int, fen int64) Step { return Shows{Account: account, Available: fen, AvailableOnly: true} }
	founded := func(ops ...*Op) []*Op {
		return append([]*Op{
			op(0, 1, Open{0}, Credit{Account: 0, Fen: 100}), op(0, 1, Open{1}), op(0, 1, Open{2}, Credit{Account: 2, Fen: 100, DayMax: 150}),
		}, ops...)
	}
	pay := Pay{From: 0, To: 1, Fen: 60}
	for name, c := range map[string]struct {
		ops  []*Op
		want Verdict
	}{
		"a payment is seen after it":                   {founded(op(2, 3, pay), op(4, 5, shows(0, 40)), op(6, 7, shows(1, 60))), Right},
		"a payment is lost":                            {founded(op(2, 3, pay), op(4, 5, shows(0, 100))), Wrong},
		"a payment is made twice":                      {founded(op(2, 3, pay), op(4, 5, shows(1, 120))), Wrong},
		"a payment under way may be seen":              {founded(op(2, 9, pay), op(4, 5, shows(0, 40))), Right},
		"and may not be":                               {founded(op(2, 9, pay), op(4, 5, shows(0, 100))), Right},
		"but not seen and then no more":                {founded(op(2, 9, pay), op(4, 5, shows(0, 40)), op(6, 7, shows(0, 100))), Wrong},
		"one given up may have happened":               {founded(unknown(2, pay), op(4, 5, shows(0, 40))), Right},
		"or not":                                       {founded(unknown(2, pay), op(4, 5, shows(0, 100))), Right},
		"or later":                                     {founded(unknown(2, pay), op(4, 5, shows(0, 100)), op(6, 7, shows(0, 40))), Right},
		"but not twice":                                {founded(unknown(2, pay), op(4, 5, shows(1, 120))), Wrong},
		"two payments that are too much together":      {founded(op(2, 9, pay), op(2, 9, pay)), Wrong},
		"the second is refused":                        {founded(op(2, 9, pay), op(2, 9, LacksFunds{0, 60})), Right},
		"one is refused for nothing":                   {founded(op(2, 3, LacksFunds{0, 60})), Wrong},
		"more than a day's limit comes in":             {founded(op(2, 3, Credit{Account: 2, Fen: 51, DayMax: 150})), Wrong},
		"on the next day it may":                       {founded(op(2, 3, Credit{Account: 2, Fen: 51, Day: 1, DayMax: 150})), Right},
		"over the limit it is refused":                 {founded(op(2, 3, OverDay{Account: 2, Fen: 51, Max: 150})), Right},
		"within the limit it is refused":               {founded(op(2, 3, OverDay{Account: 2, Fen: 50, Max: 150})), Wrong},
		"money held for a transfer can't be spent":     {founded(op(2, 3, Ask{Fen: 60, Out: true}), op(4, 5, pay)), Wrong},
		"it can when the channel has refused it":       {founded(op(2, 3, Ask{Fen: 60, Out: true}), op(4, 5, Answer{Fen: 60, Out: true}), op(6, 7, pay)), Right},
		"a transfer is settled twice":                  {founded(op(2, 3, Ask{Fen: 60}), op(4, 9, Answer{Fen: 60, Success: true}), op(4, 9, Answer{Fen: 60, Success: true})), Wrong},
		"a transfer is settled before it was asked":    {founded(op(4, 5, Ask{Fen: 60}), op(2, 3, Answer{Fen: 60, Success: true})), Wrong},
		"more is taken from a contract than it has":    {founded(op(2, 3, Exchange{Account: 0, Fen: 60, Changes: []Change{{Fen: -60, Rest: -1, New: true}}})), Wrong},
		"a contract's rest is not what the caller saw": {founded(op(2, 3, Exchange{Account: -1, Changes: []Change{{Fen: 60, Rest: 50, New: true}}})), Wrong},
		"a person is registered twice":                 {[]*Op{op(0, 9, Register{1}), op(0, 9, Register{1})}, Wrong},
	} {
		if got, why := Check(c.ops, 10*time.Second); got != c.want {
			t.Errorf("%s: %d %s", name, got, why)
		}
	}
}
