package standin

import (
	"context"
	"errors"
	"fmt"

	"github.com/suanpan-bank/suanpan/ledger/embedded"

	"github.com/suanpan-bank/suanpan/ledger"
)

// Operation is what a request asks the ledger to do.
type Operation uint8

// The values are the protocol's.
const (
	operationRegister Operation = 2

	GetChangeEvents     Operation = 137
	LookupAccounts      Operation = 140
	LookupTransfers     Operation = 141
	GetAccountTransfers Operation = 142
	GetAccountBalances  Operation = 143
	QueryAccounts       Operation = 144
	QueryTransfers      Operation = 145
	CreateAccounts      Operation = 146
	CreateTransfers     Operation = 147
)

// errUnknownOperation is a request for something that no operation stands for.
var errUnknownOperation = errors.New("unknown operation")

// execute does what a request's body asks for and returns the reply's body and how many events
// each of its batches held. Whatever is wrong with the body is found before anything is created.
func execute(e *embedded.Engine, operation Operation, body []byte) (reply []byte, counts []int, err error) {
	switch operation {
	case CreateAccounts:
		reply, counts, err = batches(body, accountSize, ledger.AccountOfWire, e.CreateAccounts, resultSize, appendAccountResult)
	case CreateTransfers:
		reply, counts, err = batches(body, transferSize, ledger.TransferOfWire, e.CreateTransfers, resultSize, appendTransferResult)
	case LookupAccounts:
		reply, counts, err = batches(body, idSize, ledger.Uint128OfWire, e.LookupAccounts, accountSize, appendAccount)
	case LookupTransfers:
		reply, counts, err = batches(body, idSize, ledger.Uint128OfWire, e.LookupTransfers, transferSize, appendTransfer)
	case GetAccountTransfers:
		reply, counts, err = batches(body, accountFilterSize, readAccountFilter, lone(e.AccountTransfers), transferSize, appendTransfer)
	case GetAccountBalances:
		reply, counts, err = batches(body, accountFilterSize, readAccountFilter, lone(e.AccountBalances), balanceSize, appendBalance)
	case QueryAccounts:
		reply, counts, err = batches(body, queryFilterSize, readQueryFilter, lone(e.QueryAccounts), accountSize, appendAccount)
	case QueryTransfers:
		reply, counts, err = batches(body, queryFilterSize, readQueryFilter, lone(e.QueryTransfers), transferSize, appendTransfer)
	case GetChangeEvents:
		reply, counts, err = changeEvents(e, body)
	default:
		return nil, nil, errUnknownOperation
	}
	if err == nil && len(reply) > messageSizeMax-headerSize {
		err = fmt.Errorf("%w: asks for a reply of %d bytes", errMalformed, len(reply))
	}
	return reply, counts, err
}

// batches hands each batch of a request to call and packs what it returns. The size of a message
// bounds what it can ask to be created, so only an engine that fails itself ends a request between
// two batches; nobody is answered then, and the ids make asking again safe.
func batches[E, R any](
	body []byte, eventSize int, read func([]byte) E, call func(context.Context, []E) ([]R, error),
	resultSize int, write func([]byte, R) []byte,
) (reply []byte, counts []int, err error) {
	counts, elements, err := splitBatches(body, eventSize)
	if err != nil {
		return nil, nil, err
	}
	resultCounts := make([]int, len(counts))
	for i, count := range counts {
		events := make([]E, count)
		for j := range events {
			events[j] = read(elements[j*eventSize:])
		}
		elements = elements[count*eventSize:]
		results, err := call(context.Background(), events)
		if err != nil {
			return nil, nil, err
		}
		resultCounts[i] = len(results)
		for _, result := range results {
			reply = write(reply, result)
		}
	}
	return appendTrailer(reply, resultCounts, resultSize), counts, nil
}

// lone makes of a query a call with a batch of exactly one filter.
func lone[F, R any](query func(context.Context, F) ([]R, error)) func(context.Context, []F) ([]R, error) {
	return func(ctx context.Context, filters []F) ([]R, error) {
		if len(filters) != 1 {
			return nil, fmt.Errorf("%w: batch of %d filters", errMalformed, len(filters))
		}
		return query(ctx, filters[0])
	}
}

// changeEvents is the one operation that isn't batched.
func changeEvents(e *embedded.Engine, body []byte) (reply []byte, counts []int, err error) {
	if len(body) != changeFilterSize {
		return nil, nil, fmt.Errorf("%w: filter of %d bytes", errMalformed, len(body))
	}
	events, err := e.ChangeEvents(context.Background(), readChangeFilter(body))
	if err != nil {
		return nil, nil, err
	}
	for _, event := range events {
		reply = appendChangeEvent(reply, event)
	}
	return reply, []int{1}, nil
}
