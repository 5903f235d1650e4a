package serial

import (
	"slices"
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
			op(0, 1, Open{Account: 0}, Credit{Account: 0, Fen: 100, Transfer: -1}), op(0, 1, Open{Account: 1}),
			op(0, 1, Open{Account: 2, Class: 2, Met: true}, Credit{Account: 2, Fen: 999_950, Transfer: -1}),
		}, ops...)
	}
	pay := Pay{From: 0, To: 1, Fen: 60, Transfer: -1}
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
		"the second is refused":                        {founded(op(2, 9, pay), op(2, 9, LacksFunds{Account: 0, Fen: 60})), Right},
		"one is refused for nothing":                   {founded(op(2, 3, LacksFunds{Account: 0, Fen: 60})), Wrong},
		"more than a day's limit comes in":             {founded(op(2, 3, Credit{Account: 2, Fen: 51, Transfer: -1})), Wrong},
		"on the next day it may":                       {founded(op(2, 3, Credit{Account: 2, Fen: 51, Day: 1, Transfer: -1})), Right},
		"over the limit it is refused":                 {founded(op(2, 3, OverDay{Account: 2, Fen: 51})), Right},
		"within the limit it is refused":               {founded(op(2, 3, OverDay{Account: 2, Fen: 50})), Wrong},
		"money held for a transfer can't be spent":     {founded(op(2, 3, Ask{Fen: 60, Out: true, Counted: true}), op(4, 5, pay)), Wrong},
		"it can when the channel has refused it":       {founded(op(2, 3, Ask{Fen: 60, Out: true, Counted: true}), op(4, 5, Answer{Fen: 60, Out: true, Counted: true}), op(6, 7, pay)), Right},
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

// Each of these rules of the simple bank must forbid what it is there to forbid, and nothing beside it. What is done
// is done in order; the last is asked about.
func TestTheSimpleBankKeepsItsRules(t *testing.T) {
	const most = 1 << 60
	rich := []Step{Open{Account: 0}, Credit{Account: 0, Fen: 1000, Transfer: 0}, Open{Account: 1}}
	third := append(slices.Clone(rich), Open{Account: 2, Class: 3}, Credit{Account: 2, Fen: 190_000, Bound: true, Transfer: -1})
	spent := append(slices.Clone(rich), Pay{From: 0, To: 1, Fen: 800, Transfer: 1}, Ask{Account: 1, Transfer: 2, Fen: 500, Out: true, Counted: true})
	owing := append(slices.Clone(spent), Undo{Transfer: 1, From: 0, To: 1, Fen: 800, Shortfall: 500})
	frozen := append(slices.Clone(rich), Put{Stop: 0, Account: 0, Kind: FrozenPart, Fen: 1500, Taken: 1000}, Put{Stop: 1, Account: 0, Kind: FrozenPart, Fen: 200, Queue: 1})
	filled := append(slices.Clone(frozen), Credit{Account: 0, Fen: 800, Transfer: -1}, Fill{Stop: 0, Account: 0, Fen: 500})
	deposit := append(slices.Clone(rich), Exchange{Account: 0, Fen: -600, Changes: []Change{{Contract: 0, Fen: 600, Rest: 600, New: true, Of: 0}}}, Keep{Stop: 0, Contract: 0, Fen: 400})
	courts := append(slices.Clone(deposit), Keep{Stop: 1, Contract: 0, Fen: 200, Asked: 500}, Keep{Stop: 2, Contract: 0, Asked: 100, Queue: 1})
	out := func(fen int64) Step { return Ask{Account: 0, Transfer: 9, Fen: fen, Out: true, Counted: true} }
	for name, c := range map[string]struct {
		before []Step
		step   Step
		may    bool
	}{
		"a fee comes on top":                      {rich, Ask{Account: 0, Transfer: 9, Fen: 999, Fee: 2, Out: true, Counted: true}, false},
		"a fee that is there":                     {rich, Ask{Account: 0, Transfer: 9, Fen: 998, Fee: 2, Out: true, Counted: true}, true},
		"class III takes up to its cap":           {third, Credit{Account: 2, Fen: 10_000, Bound: true, Transfer: -1}, true},
		"and no more":                             {third, Credit{Account: 2, Fen: 10_001, Bound: true, Transfer: -1}, false},
		"what is on its way counts":               {append(slices.Clone(third), Ask{Account: 2, Transfer: 9, Fen: 6000}), Pay{From: 0, To: 2, Fen: 4001, Transfer: -1}, false},
		"strangers pay who was funded":            {third, Pay{From: 0, To: 2, Fen: 10, Transfer: -1}, true},
		"but not who was neither funded nor met":  {append(slices.Clone(rich), Open{Account: 3, Class: 3}), Pay{From: 0, To: 3, Fen: 10, Transfer: -1}, false},
		"over his own limit":                      {append(slices.Clone(rich), Limit{Account: 0, One: 50}), out(51), false},
		"over his own day":                        {append(slices.Clone(rich), Limit{Account: 0, Day: 50}, out(30)), Ask{Account: 0, Transfer: 8, Fen: 21, Out: true, Counted: true}, false},
		"a new card rests":                        {append(slices.Clone(rich), Bind{Account: 0, Card: 1, At: 5}), Ask{Account: 0, Transfer: 9, Fen: 1, Out: true, Card: 1, At: 6}, false},
		"an old one does not":                     {rich, Ask{Account: 0, Transfer: 9, Fen: 1, Out: true, At: 6}, true},
		"the last card stays with money":          {rich, Unbind{Account: 0}, false},
		"a freeze takes all there is":             {rich, Put{Stop: 0, Account: 0, Kind: FrozenAll, Fen: most, Taken: 999}, false},
		"unless some of it came unseen":           {rich, Put{Stop: 0, Account: 0, Kind: FrozenAll, Fen: most, Taken: 990, Unseen: 10}, true},
		"and no more than that is missing":        {rich, Put{Stop: 0, Account: 0, Kind: FrozenAll, Fen: most, Taken: 989, Unseen: 10}, false},
		"nor is more taken than there is":         {rich, Put{Stop: 0, Account: 0, Kind: FrozenAll, Fen: most, Taken: 1001, Unseen: 10}, false},
		"a second one waits":                      {frozen[:4], Put{Stop: 1, Account: 0, Kind: FrozenPart, Fen: 200}, false},
		"nothing leaves a freeze that lacks some": {append(slices.Clone(frozen), Credit{Account: 0, Fen: 10, Transfer: -1}), out(1), false},
		"when it is filled the next has effect":   {filled, InEffect{Stop: 1, Account: 0}, true},
		"and lacks its own":                       {filled, out(1), false},
		"which is then held":                      {append(slices.Clone(filled), Fill{Stop: 1, Account: 0, Fen: 200}), out(100), true},
		"and no more is free":                     {append(slices.Clone(filled), Fill{Stop: 1, Account: 0, Fen: 200}), out(101), false},
		"lifted it frees what it held":            {append(slices.Clone(rich), Put{Stop: 0, Account: 0, Kind: FrozenPart, Fen: 500, Taken: 500}, Lift{Stop: 0, Account: 0, Held: 500}), out(1000), true},
		"not lifted it does not":                  {append(slices.Clone(rich), Put{Stop: 0, Account: 0, Kind: FrozenPart, Fen: 500, Taken: 500}), out(501), false},
		"a freeze ends with its last day":         {append(slices.Clone(rich), Put{Stop: 0, Account: 0, Kind: FrozenAll, Until: 1, Day: 1, Fen: most, Taken: 1000}), Lift{Stop: 0, Account: 0, Held: 1000, Day: 1, Lapsed: true}, false},
		"more than is held is deducted":           {frozen, Deduct{Stop: 0, Account: 0, Fen: 1001, Held: -1}, false},
		"nobody pays who is stopped":              {append(slices.Clone(rich), Put{Stop: 0, Account: 1, Kind: AllStop}), Pay{From: 0, To: 1, Fen: 1, Transfer: -1}, false},
		"nor who is closing":                      {append(slices.Clone(rich), Prepare{Account: 1}), Pay{From: 0, To: 1, Fen: 1, Transfer: -1}, false},
		"unless the permit came before":           {append(slices.Clone(rich), Prepare{Account: 1}), Pay{From: 0, To: 1, Fen: 1, Transfer: -1, Permit: Permit{Before: true}}, true},
		"who has money on its way can't close":    {spent, Prepare{Account: 1}, false},
		"all is paid out at the end":              {append(slices.Clone(rich), Prepare{Account: 0}), Close{Account: 0, To: 1, Fen: 999}, false},
		"a pledged part stays":                    {deposit, Exchange{Account: 0, Fen: 201, Changes: []Change{{Contract: 0, Fen: -201, Rest: -1}}}, false},
		"what is free goes":                       {deposit, Exchange{Account: 0, Fen: 200, Changes: []Change{{Contract: 0, Fen: -200, Rest: 400}}}, true},
		"a court gets what there is":              {deposit, Keep{Stop: 1, Contract: 0, Fen: 199, Asked: 500}, false},
		"a second court waits":                    {courts[:len(courts)-1], Keep{Stop: 2, Contract: 0, Asked: 100}, false},
		"what is let go is the first court's":     {courts, Free{Stop: 0, Contract: 0, Fen: 400, Given: []Given{{1, 300, 500, 0}, {2, 100, 100, 0}}}, true},
		"and not the owner's":                     {courts, Free{Stop: 0, Contract: 0, Fen: 400, Given: []Given{{1, 300, 500, 0}}}, false},
		"nor the second court's":                  {courts, Free{Stop: 0, Contract: 0, Fen: 400, Given: []Given{{2, 100, 100, 0}, {1, 300, 500, 0}}}, false},
		"what was spent is owed":                  {spent, Undo{Transfer: 1, From: 0, To: 1, Fen: 800, Shortfall: 500}, true},
		"and not given":                           {spent, Undo{Transfer: 1, From: 0, To: 1, Fen: 800}, false},
		"what is owed is collected":               {owing, Credit{Account: 1, Fen: 300, Transfer: -1, Collect: Collect{Collects: true, Collected: 300}}, true},
		"and not forgotten":                       {owing, Credit{Account: 1, Fen: 300, Transfer: -1}, false},
		"once is enough":                          {owing, Undo{Transfer: 1, From: 0, To: 1, Fen: 800, Shortfall: 500}, false},
		"more comes back than went":               {append(slices.Clone(spent), Answer{Account: 1, Transfer: 2, Fen: 500, Out: true, Success: true}, Return{Account: 1, Transfer: 2, Fen: 300, Of: 500}), Return{Account: 1, Transfer: 2, Fen: 201, Of: 500}, false},
		"what failed here was paid there":         {append(slices.Clone(spent), Answer{Account: 1, Transfer: 2, Fen: 500, Out: true, Counted: true}), Claim{Account: 1, Transfer: 2}, true},
		"what is pending was not":                 {spent, Claim{Account: 1, Transfer: 2}, false},
	} {
		b := &books{}
		for i, step := range c.before {
			if !step.take(b) {
				t.Fatalf("%s: step %d is not possible: %+v", name, i, step)
			}
		}
		if c.step.take(b) != c.may {
			t.Errorf("%s: %+v on %s", name, c.step, b)
		}
	}
}
