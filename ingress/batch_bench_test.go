package ingress

import (
	"context"
	"fmt"
	"testing"

	"github.com/valyala/fasthttp"

	"github.com/suanpan-bank/suanpan/bank"
)

// willingBank carries out every internal transfer at once.
type willingBank struct {
	refusingBank
	events []bank.InternalTransferred
}

func (b *willingBank) DoAll(_ context.Context, calls []*bank.Call) {
	for i, call := range calls {
		m := call.Command.(*bank.TransferInternal)
		e := &b.events[i%len(b.events)]
		*e = bank.InternalTransferred{TxnID: bank.NewTxnID(1_700_000_000_000, m.Payer.Customer(), uint64(i)), Payer: m.Payer, Payee: m.Payee, AmountFen: m.AmountFen}
		call.Receipt = bank.Receipt{
			Operation: "TransferInternal", Txn: e.TxnID, Date: 20261130, Events: []bank.Event{e},
			Balances: []bank.Balance{{Account: m.Payer, PostedFen: 999_999_123, AvailableFen: 999_999_123}},
		}
	}
}

// BenchmarkBatch is what a batch of a hundred transfers costs at the edge: to be read, made commands and answered. A time
// of the benchmark is a transfer. The bodies are many, so that they are no more in a processor's cache than others.
func BenchmarkBatch(b *testing.B) {
	const bodies, transfers = 64, 100
	for _, form := range []string{jsonType, protobufType} {
		b.Run(form, func(b *testing.B) {
			s := fuzzedServer()
			s.options.Bank = &willingBank{events: make([]bank.InternalTransferred, transfers)}
			var all [bodies][]byte
			for i := range all {
				var operations [][]byte
				for j := range transfers {
					no := func(n int) string { return bank.NewAccountNo(1, bank.CustomerNo(1+n*7919%100_000), 0).String() }
					operations = append(operations, fmt.Appendf(nil,
						`{"idempotency_key":"bench-%012x","path":"/v1/transfers","body":{"kind":"internal","from_account":"%s","to_account":"%s","amount_fen":%d}}`,
						i*transfers+j, no(i*transfers+j), no(i*transfers+j+1), 1000+j))
				}
				if form == protobufType {
					for j := range operations {
						operations[j] = asProtobuf(b, string(operations[j]))
					}
					all[i] = batchOf(operations...)
					continue
				}
				all[i] = []byte(`{"operations":[`)
				for j, o := range operations {
					if j > 0 {
						all[i] = append(all[i], ',')
					}
					all[i] = append(all[i], o...)
				}
				all[i] = append(all[i], "]}"...)
			}
			var request fasthttp.Request
			request.Header.SetMethod("POST")
			request.SetRequestURI(batchPath)
			request.Header.SetContentType(form)
			var ctx fasthttp.RequestCtx
			ctx.Init(&request, nil, nil)
			b.ReportAllocs()
			b.ResetTimer()
			for i := 0; i < b.N; i += transfers {
				ctx.Request.SetBodyRaw(all[i/transfers%bodies])
				s.handle(&ctx)
				if ctx.Response.StatusCode() != fasthttp.StatusOK {
					b.Fatalf("%d %s", ctx.Response.StatusCode(), ctx.Response.Body())
				}
				ctx.Response.Reset()
			}
		})
	}
}
