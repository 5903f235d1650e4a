package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
)

type transferBody struct {
	Kind      string `json:"kind"`
	From      string `json:"from_account"`
	To        string `json:"to_account"`
	AmountFen int    `json:"amount_fen"`
}

func numbered(n int) *[accountDigits]byte {
	return (*[accountDigits]byte)(fmt.Appendf(nil, "9990221%012d", n))
}

// readRequest reads the request as a server would, to its last byte.
func readRequest(t *testing.T, b []byte) (*http.Request, []byte) {
	t.Helper()
	in := bufio.NewReader(bytes.NewReader(b))
	r, err := http.ReadRequest(in)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil || in.Buffered() > 0 {
		t.Fatalf("%v; %d bytes behind the body", err, in.Buffered())
	}
	return r, body
}

func TestAPatchedTransferIsTheRequestThatWasMeant(t *testing.T) {
	req := newTransfer("run-")
	size := len(req.bytes)
	for i, amount := range []int{amountFenMin, 4321, amountFenMax} {
		req.set(0, uint64(i)+0xabc, numbered(i), numbered(i+7), amount)
		r, body := readRequest(t, req.bytes)
		var got transferBody
		if err := json.Unmarshal(body, &got); err != nil {
			t.Fatal(err)
		}
		want := transferBody{"internal", string(numbered(i)[:]), string(numbered(i + 7)[:]), amount}
		key := fmt.Sprintf("run-%0*x", keyDigits, i+0xabc)
		if got != want || r.URL.Path != "/v1/transfers" || r.Header.Get("Idempotency-Key") != key || len(req.bytes) != size {
			t.Fatalf("%s\nis not %+v with key %s", req.bytes, want, key)
		}
	}
}

func TestAPatchedBatchChangesOnlyTheTransferThatIsSet(t *testing.T) {
	const n = 5
	req := newBatch("run-", n)
	for i := range n {
		req.set(i, uint64(i), numbered(i), numbered(i+1), amountFenMin+i)
	}
	req.set(3, 99, numbered(30), numbered(40), 5555)
	r, body := readRequest(t, req.bytes)
	var got struct {
		Operations []struct {
			Key  string       `json:"idempotency_key"`
			Path string       `json:"path"`
			Body transferBody `json:"body"`
		} `json:"operations"`
	}
	if err := json.Unmarshal(body, &got); err != nil || r.URL.Path != "/v1/batches" || len(got.Operations) != n {
		t.Fatalf("%v\n%s", err, req.bytes)
	}
	for i, o := range got.Operations {
		want, key := transferBody{"internal", string(numbered(i)[:]), string(numbered(i + 1)[:]), amountFenMin + i}, uint64(i)
		if i == 3 {
			want, key = transferBody{"internal", string(numbered(30)[:]), string(numbered(40)[:]), 5555}, 99
		}
		if o.Body != want || o.Path != "/v1/transfers" || o.Key != fmt.Sprintf("run-%0*x", keyDigits, key) {
			t.Errorf("operation %d is %+v", i, o)
		}
	}
}

func TestPayerAndPayeeAlwaysDifferAndEveryAccountTakesPart(t *testing.T) {
	for _, onePayer := range []bool{false, true} {
		g := &generator{load: load{OnePayer: onePayer}, accounts: make([][accountDigits]byte, 7), random: newRandom(1)}
		paid, received := make(map[int]bool), make(map[int]bool)
		for range 1000 {
			payer, payee, amount := g.choose()
			if payer == payee || amount < amountFenMin || amount > amountFenMax || onePayer && payer != 0 {
				t.Fatalf("%d pays %d to %d", payer, amount, payee)
			}
			paid[payer], received[payee] = true, true
		}
		if want := map[bool][2]int{false: {7, 7}, true: {1, 6}}[onePayer]; len(paid) != want[0] || len(received) != want[1] {
			t.Errorf("one payer %v: %d accounts pay, %d receive", onePayer, len(paid), len(received))
		}
	}
}

// A batch in protobuf whose transfers were overwritten is one the bank takes.
func TestAPrebuiltProtobufBatchHasTheTransfersItWasGiven(t *testing.T) {
	const n = 5
	req := newProtobufBatch("run-", n)
	for i := range n {
		req.set(i, uint64(i), numbered(i), numbered(i+1), amountFenMin+i*1000)
	}
	r, body := readRequest(t, req.bytes)
	if r.URL.Path != "/v1/batches" || r.Header.Get("Content-Type") != "application/x-protobuf" {
		t.Fatalf("%s", req.bytes)
	}
	read := func(b []byte) (fields map[protowire.Number]string, numbers map[protowire.Number]uint64) {
		fields, numbers = map[protowire.Number]string{}, map[protowire.Number]uint64{}
		for len(b) > 0 {
			number, wire, n := protowire.ConsumeTag(b)
			if n < 0 {
				t.Fatalf("% x", b)
			}
			b = b[n:]
			if wire == protowire.VarintType {
				numbers[number], n = protowire.ConsumeVarint(b)
			} else {
				var v []byte
				v, n = protowire.ConsumeBytes(b)
				fields[number] = string(v)
			}
			if n < 0 {
				t.Fatalf("% x", b)
			}
			b = b[n:]
		}
		return fields, numbers
	}
	for i := range n {
		_, _, tag := protowire.ConsumeTag(body)
		operation, size := protowire.ConsumeBytes(body[tag:])
		if size < 0 {
			t.Fatalf("% x", body)
		}
		body = body[tag+size:]
		o, _ := read(operation)
		got, numbers := read([]byte(o[4]))
		if o[1] != fmt.Sprintf("run-%0*x", keyDigits, i) || got[1] != "internal" || got[2] != string(numbered(i)[:]) ||
			got[3] != string(numbered(i + 1)[:]) || numbers[4] != uint64(amountFenMin+i*1000) {
			t.Errorf("operation %d is %v %v", i, got, numbers)
		}
	}
	if len(body) > 0 {
		t.Errorf("behind them stands % x", body)
	}
}

func TestSomeAccountsAreSpreadOverAll(t *testing.T) {
	all := make([][accountDigits]byte, 10)
	for i := range all {
		all[i][0] = byte(i)
	}
	for _, c := range []struct {
		n    int
		want []byte
	}{{0, []byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}}, {10, []byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}}, {11, []byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}}, {4, []byte{0, 2, 5, 7}}, {1, []byte{0}}} {
		var got []byte
		for _, a := range among(all, c.n) {
			got = append(got, a[0])
		}
		if !bytes.Equal(got, c.want) {
			t.Errorf("%d of ten: %v, want %v", c.n, got, c.want)
		}
	}
}
