// Package serial checks what the callers of a bank were told: is there an order in which a simple bank
// that does one thing at a time would have told them the same? Start here: an Op is one operation as its
// caller saw it, Check looks for the order. What the simple bank does is in step.go.
//
// The rules are written down a second time here, on purpose and without package bank: only money, limits,
// and what happens once.
package serial

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/anishathalye/porcupine"
)

// Never is the Return of an operation whose caller has not been told.
const Never int64 = math.MaxInt64

// Op is an operation as its caller saw it: from the first try to the last answer.
type Op struct {
	Call, Return int64 // any clock that all callers share
	Text         string
	// Steps are what the answer says was done, or what must have been so for a refusal. All of them
	// happen at one moment between Call and Return.
	Steps []Step
	// Unknown: the caller gave up. It has happened at some moment after Call, or not at all.
	Unknown bool
}

// Verdict is what Check finds.
type Verdict uint8

// The verdicts.
const (
	Right    Verdict = iota // there is an order
	Wrong                   // there is none
	TooLarge                // none was found in the time allowed
)

// Check looks for an order of the operations that respects what was over before something else began, for
// at most searchMax. The text tells, if there is none, how far the longest order came and what did not fit.
func Check(ops []*Op, searchMax time.Duration) (Verdict, string) {
	history := make([]porcupine.Operation, len(ops))
	for i, op := range ops {
		history[i] = porcupine.Operation{ClientId: i, Input: op, Call: op.Call, Output: op, Return: op.Return}
	}
	switch porcupine.CheckOperationsTimeout(model, history, searchMax) {
	case porcupine.Ok:
		return Right, ""
	case porcupine.Unknown:
		return TooLarge, fmt.Sprintf("no order of %d operations found in %v", len(ops), searchMax)
	}
	_, info := porcupine.CheckOperationsVerbose(model, history, searchMax)
	return Wrong, explain(history, info)
}

var model = porcupine.Model{
	Partition: partition,
	Init:      func() any { return &books{} },
	Step: func(state, input, _ any) (bool, any) {
		after := *state.(*books)
		op := input.(*Op)
		for _, step := range op.Steps {
			if !step.take(&after) {
				return op.Unknown, state
			}
		}
		return true, &after
	},
	Equal: func(a, b any) bool { return *a.(*books) == *b.(*books) },
	Hash:  func(state any) uint64 { return state.(*books).hash() },
}

// partition divides a history into parts that have nothing in common.
func partition(history []porcupine.Operation) [][]porcupine.Operation {
	head := make(map[thing]thing)
	var find func(thing) thing
	find = func(t thing) thing {
		if h, ok := head[t]; ok && h != t {
			head[t] = find(h)
			return head[t]
		}
		head[t] = t
		return t
	}
	first := func(op *Op) thing { return find(op.Steps[0].touches()[0]) }
	for i := range history {
		op := history[i].Input.(*Op)
		for _, step := range op.Steps {
			for _, t := range step.touches() {
				head[find(t)] = first(op)
			}
		}
	}
	var order []thing
	parts := make(map[thing][]porcupine.Operation)
	for i := range history {
		part := first(history[i].Input.(*Op))
		if parts[part] == nil {
			order = append(order, part)
		}
		parts[part] = append(parts[part], history[i])
	}
	out := make([][]porcupine.Operation, len(order))
	for i, part := range order {
		out[i] = parts[part]
	}
	return out
}

// shown is how many operations are shown of an order's end.
const shown = 10

// explain writes down the longest order of each part that has no whole one, and what did not fit behind it.
func explain(history []porcupine.Operation, info porcupine.LinearizationInfo) string {
	var b strings.Builder
	for part, orders := range info.PartialLinearizationsOperations() {
		all := partition(history)[part]
		var longest []porcupine.Operation
		for _, order := range orders {
			if len(order) > len(longest) {
				longest = order
			}
		}
		if len(longest) == len(all) {
			continue
		}
		fmt.Fprintf(&b, "%d of %d operations have an order, which ends\n", len(longest), len(all))
		state := &books{}
		for i, o := range longest {
			op := o.Input.(*Op)
			_, next := model.Step(state, op, op)
			state = next.(*books)
			if i+shown >= len(longest) {
				fmt.Fprintf(&b, "  %s\n", op)
			}
		}
		fmt.Fprintf(&b, "then %s\nand none of these fits:\n", state)
		for _, o := range all {
			op := o.Input.(*Op)
			if !slices.ContainsFunc(longest, func(l porcupine.Operation) bool { return l.Input.(*Op) == op }) {
				fmt.Fprintf(&b, "  %s\n", op)
			}
		}
	}
	return b.String()
}

// String is the operation with its times.
func (op *Op) String() string {
	back := fmt.Sprint(op.Return)
	if op.Return == Never {
		back = "?"
	}
	return fmt.Sprintf("[%d, %s] %s %+v", op.Call, back, op.Text, op.Steps)
}
