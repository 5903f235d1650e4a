package ingress

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/suanpan-bank/suanpan/bank"
)

// counter is a bank that says at once that there is no such account, unless it is told to hold outcomes back. Of two fen it says that
// they have been moved, of three that they had been before.
type counter struct {
	refusingBank
	begun, done atomic.Int64 // by completion, and by waiting
	mu          sync.Mutex
	holding     bool
	held        []func()
	instead     func(*bank.Call, func())
}

func (b *counter) Begin(call *bank.Call, then func()) {
	b.begun.Add(1)
	outcome := func() { b.answer(call); then() }
	b.mu.Lock()
	holding, instead := b.holding, b.instead
	if holding {
		b.held = append(b.held, outcome)
	}
	b.mu.Unlock()
	switch {
	case instead != nil:
		instead(call, then)
	case !holding:
		outcome()
	}
}

func (b *counter) Do(_ context.Context, call *bank.Call) {
	b.done.Add(1)
	b.answer(call)
}

func (b *counter) answer(call *bank.Call) {
	b.refusingBank.Do(context.Background(), call)
	if m, ok := call.Command.(*bank.TransferInternal); ok && (m.AmountFen == 2 || m.AmountFen == 3) {
		call.Receipt = bank.Receipt{
			Events: []bank.Event{&bank.InternalTransferred{TxnID: bank.NewTxnID(1_700_000_000_000, 1, 1), AmountFen: m.AmountFen}},
			Date:   20261124, Repeated: m.AmountFen == 3, Balances: []bank.Balance{{Account: m.Payer, PostedFen: 100, AvailableFen: 100}},
		}
	}
}

func (b *counter) hold() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.holding = true
}

func (b *counter) release() {
	b.mu.Lock()
	held := b.held
	b.holding, b.held = false, nil
	b.mu.Unlock()
	for _, outcome := range held {
		go outcome()
	}
}

// facade is a server with a bank that knows nothing.
type facade struct {
	testing.TB
	*Server
	bank *counter
	addr string
}

// sharing has scribes write all replies of the servers that are opened.
var sharing bool

// plainly hides what kind a listener is, so that fasthttp's own server serves it.
type plainly struct{ net.Listener }

func plainlyServed(l net.Listener) net.Listener { return plainly{l} }

func openFacade(t testing.TB, limits Limits, wrap func(net.Listener) net.Listener) *facade {
	t.Helper()
	f := &facade{TB: t, bank: new(counter)}
	f.Server = New(Options{
		Bank: f.bank, Vault: plain{}, Clock: time.Now, Logger: slog.New(slog.DiscardHandler), Catalogue: bank.DefaultCatalogue(), Limits: limits,
		Pages: map[string]Page{"/v1/reports/slow": func(context.Context) (any, error) { time.Sleep(50 * time.Millisecond); return "slow", nil }},
	})
	f.front.sharing = sharing
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f.addr = l.Addr().String()
	served := make(chan error, 1)
	if wrap != nil {
		l = wrap(l)
	}
	go func() { served <- f.Serve(l) }()
	t.Cleanup(func() {
		f.bank.release()
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := f.Shutdown(ctx); err != nil {
			t.Error("shut down:", err)
		}
		if err := <-served; err != nil {
			t.Error("serve:", err)
		}
	})
	return f
}

func (f *facade) dial() *client {
	f.Helper()
	c, err := net.Dial("tcp", f.addr)
	if err != nil {
		f.Fatal(err)
	}
	_ = c.SetDeadline(time.Now().Add(time.Minute)) // a machine with other work is slow, not wrong
	return &client{f, c.(*net.TCPConn), bufio.NewReader(c)}
}

type client struct {
	*facade
	*net.TCPConn
	in *bufio.Reader
}

func (c *client) send(parts ...string) {
	c.Helper()
	for _, part := range parts {
		if _, err := io.WriteString(c.TCPConn, part); err != nil {
			c.Error(err)
		}
	}
}

// hear reads one answer.
func (c *client) hear() (status int, header http.Header, body string, err error) {
	if _, err := c.in.Peek(1); err != nil {
		return 0, nil, "", err
	}
	r, err := http.ReadResponse(c.in, nil)
	if err != nil {
		return 0, nil, "", err
	}
	b, err := io.ReadAll(r.Body)
	if r.Close {
		r.Header.Set("Connection", "close") // net/http takes it out
	}
	return r.StatusCode, r.Header, string(b), err
}

func (c *client) want(status int, code string) {
	c.Helper()
	got, _, body, err := c.hear()
	if err != nil || got != status || !strings.Contains(body, code) {
		c.Errorf("answered %d %s %v, want %d %s", got, body, err, status, code)
	}
}

// payment is a request that loops serve, padding bytes longer than it must be.
func payment(key string, padding int) string { return paying(1, key, padding) }

func paying(fen int, key string, padding int) string {
	body := fmt.Sprintf(`{"kind":"internal","from_account":"9990221000000000105","to_account":"9990221000000000204","amount_fen":%d}`, fen) + strings.Repeat(" ", padding)
	return fmt.Sprintf("POST /v1/transfers HTTP/1.1\r\nHost: bank\r\nIdempotency-Key: %s\r\nContent-Length: %d\r\n\r\n%s", key, len(body), body)
}

const get = "GET /livez HTTP/1.1\r\nHost: bank\r\n\r\n"

func eventually(t testing.TB, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("never:", what)
		}
	}
}

func TestAPaymentIsServedWithoutAGoroutineAndTheRestAside(t *testing.T) {
	f := openFacade(t, Limits{}, nil)
	c := f.dial()
	defer c.Close()
	for i := range 3 {
		c.send(payment("a", 0))
		c.want(404, "ACCOUNT_UNKNOWN")
		c.send(get)
		c.want(200, "alive")
		if i == 1 {
			time.Sleep(asideFor + 2*sweepEvery) // until the loop has it back by itself
		}
	}
	c.send(strings.Replace(payment("a", 0), "Host", "Connection: close\r\nHost", 1))
	c.want(404, "ACCOUNT_UNKNOWN")
	if _, _, _, err := c.hear(); err != io.EOF {
		t.Errorf("the connection is open: %v", err)
	}
	if begun, done := f.bank.begun.Load(), f.bank.done.Load(); begun != 3 || done != 1 {
		t.Errorf("%d payments served by the loop, %d aside", begun, done)
	}
}

// Bytes come as the network likes.
func TestARequestMayComeInAnyParts(t *testing.T) {
	f := openFacade(t, Limits{}, nil)
	request := payment("k", 0)
	c := f.dial()
	defer c.Close()
	for i := range len(request) {
		c.send(request[i : i+1])
	}
	c.want(404, "ACCOUNT_UNKNOWN")
	for cut := 1; cut < len(request); cut += 3 {
		c.send(request[:cut])
		time.Sleep(time.Duration(cut%5) * 200 * time.Microsecond)
		c.send(request[cut:])
		c.want(404, "ACCOUNT_UNKNOWN")
	}
	c.send(request[:40])
	time.Sleep(3 * sweepEvery) // it is aside by now
	c.send(request[40:])
	c.want(404, "ACCOUNT_UNKNOWN")
	c.send(request)
	c.want(404, "ACCOUNT_UNKNOWN")
}

func TestRequestsOfOnePacketAreAnsweredInTheirOrder(t *testing.T) {
	f := openFacade(t, Limits{}, nil)
	c := f.dial()
	defer c.Close()
	bad := strings.Replace(payment("a", 0), "internal", "sideways", 1)
	c.send(payment("a", 0)+bad+get+payment("b", 0)+payment("c", 0)[:50], payment("c", 0)[50:]+bad)
	c.want(404, "ACCOUNT_UNKNOWN")
	c.want(422, "FIELD_INVALID")
	c.want(200, "alive")
	c.want(404, "ACCOUNT_UNKNOWN")
	c.want(404, "ACCOUNT_UNKNOWN")
	c.want(422, "FIELD_INVALID")
	const many = 2000 // more than any buffer
	go func() { _, _ = io.WriteString(c.TCPConn, strings.Repeat(payment("d", 0)+bad, many)) }()
	for range many {
		c.want(404, "ACCOUNT_UNKNOWN")
		c.want(422, "FIELD_INVALID")
	}
}

func TestARequestMayBeLargerThanWhatIsReadAtOnce(t *testing.T) {
	f := openFacade(t, Limits{}, nil)
	c := f.dial()
	defer c.Close()
	for _, padding := range []int{readMax - 300, readMax, plainMax + 1, 3 * readMax, 1 << 20} {
		go c.send(payment("a", padding) + payment("b", 0))
		c.want(404, "ACCOUNT_UNKNOWN")
		c.want(404, "ACCOUNT_UNKNOWN")
	}
}

func TestTheLimitsHoldForPayments(t *testing.T) {
	f := openFacade(t, Limits{BodyMax: 1000, HeaderMax: 1024, ReadTimeout: 300 * time.Millisecond, IdleTimeout: 300 * time.Millisecond}, nil)
	answer := func(request, status, code string) {
		t.Helper()
		c := f.dial()
		defer c.Close()
		c.send(request)
		b, err := io.ReadAll(c.in)
		if err != nil || !strings.HasPrefix(string(b), "HTTP/1.1 "+status) || !strings.Contains(string(b), code) || !strings.Contains(string(b), "Connection: close") {
			t.Errorf("%.60q: %q %v", request, b, err)
		}
	}
	answer(payment("a", 2000), "413", "BODY_TOO_LARGE")
	answer(strings.Replace(payment("a", 0), "Host", "X: "+strings.Repeat("x", 2000)+"\r\nHost", 1), "431", "HEADERS_TOO_LARGE")
	answer(payment("a", 0)[:100], "408", "REQUEST_TIMEOUT")
	answer(payment("a", 0)[:10], "408", "REQUEST_TIMEOUT")
	answer("", "408", "REQUEST_TIMEOUT")
	c := f.dial() // one that has had a reply is closed without a word
	defer c.Close()
	c.send(payment("a", 0))
	c.want(404, "ACCOUNT_UNKNOWN")
	if _, _, _, err := c.hear(); err != io.EOF {
		t.Errorf("idle: %v", err)
	}
	eventually(t, "no connection is left", func() bool { return f.front.open.Load() == 0 })
}

func TestOneConnectionTooManyIsToldSo(t *testing.T) {
	f := openFacade(t, Limits{Connections: 3}, nil)
	var all []*client
	for range 3 {
		c := f.dial()
		defer c.Close()
		c.send(payment("a", 0))
		c.want(404, "ACCOUNT_UNKNOWN")
		all = append(all, c)
	}
	c := f.dial()
	defer c.Close()
	c.want(503, "OVERLOADED")
	all[0].Close()
	eventually(t, "there is room again", func() bool { return f.front.open.Load() == 2 })
	c = f.dial()
	defer c.Close()
	c.send(payment("a", 0))
	c.want(404, "ACCOUNT_UNKNOWN")
}

func TestAConnectionMayBreakAnywhere(t *testing.T) {
	f := openFacade(t, Limits{}, nil)
	requests := payment("a", 0) + get + payment("b", 0)
	for cut := 0; cut <= len(requests); cut += 2 {
		c := f.dial()
		c.send(requests[:cut])
		switch cut % 3 {
		case 0: // reset
			_ = c.SetLinger(0)
		case 1: // half closed: what was asked in full is answered
			_ = c.CloseWrite()
			b, err := io.ReadAll(c.in)
			if whole := strings.Count(requests[:cut], "\r\n\r\n"); err != nil || cut == len(requests) && strings.Count(string(b), "HTTP/1.1 ") != whole {
				t.Fatalf("cut at %d: %q %v", cut, b, err)
			}
		}
		c.Close()
	}
	eventually(t, "no connection is left", func() bool { return f.front.open.Load() == 0 })
}

func TestAConnectionMayBreakWhileTheBankDecides(t *testing.T) {
	f := openFacade(t, Limits{}, nil)
	f.bank.hold()
	const many = 20
	var all []*client
	for range many {
		c := f.dial()
		defer c.Close()
		c.send(payment("a", 0))
		_ = c.SetLinger(0)
		all = append(all, c)
	}
	eventually(t, "the bank has them", func() bool { return f.bank.begun.Load() == many })
	for _, c := range all[:many/2] {
		c.Close()
	}
	f.bank.release()
	for _, c := range all[many/2:] {
		c.want(404, "ACCOUNT_UNKNOWN")
		c.Close()
	}
	eventually(t, "nothing is left", func() bool { return f.front.open.Load() == 0 && f.handling.Load() == 0 })
}

func TestEveryConnectionThatBreaksIsForgotten(t *testing.T) {
	f := openFacade(t, Limits{}, nil)
	requests := payment("a", 0) + get
	for cut := 0; cut <= len(requests); cut += 7 {
		c := f.dial()
		c.send(requests[:cut])
		if cut%2 == 0 {
			_ = c.SetLinger(0)
		}
		c.Close()
	}
	// A connection that waits to be taken in is not counted yet, so the two may be zero before the last ones are there.
	eventually(t, "nothing is left", func() bool { return f.front.open.Load() == 0 && f.handling.Load() == 0 })
}

// Replies that are not read fill the socket; then nothing more is read, and in the end the connection is closed.
func TestAPayerWhoNeverReadsIsCutOff(t *testing.T) {
	f := openFacade(t, Limits{WriteTimeout: 300 * time.Millisecond}, nil)
	c := f.dial()
	defer c.Close()
	request := strings.Repeat(payment("a", 0), 50)
	for {
		if _, err := io.WriteString(c.TCPConn, request); err != nil {
			var netErr net.Error
			if errors.As(err, &netErr) && netErr.Timeout() {
				t.Fatal("the server still waits for the client")
			}
			break
		}
	}
	eventually(t, "the connection is closed", func() bool { return f.front.open.Load() == 0 })
}

// One who reads late gets every byte.
func TestAPayerWhoReadsLateGetsEverything(t *testing.T) {
	f := openFacade(t, Limits{}, nil)
	c := f.dial()
	defer c.Close()
	const many = 40_000
	go func() { _, _ = io.WriteString(c.TCPConn, strings.Repeat(payment("a", 0), many)) }()
	eventually(t, "the server waits for the client", func() bool {
		before := f.bank.begun.Load()
		time.Sleep(100 * time.Millisecond)
		return before > 0 && f.bank.begun.Load() == before
	})
	for range many {
		c.want(404, "ACCOUNT_UNKNOWN")
	}
}

// Replies of all lengths, so also those that fill fasthttp's buffer just so: nothing of them may be held back.
func TestRepliesOfAllLengthsAreSentAtOnce(t *testing.T) {
	f := openFacade(t, Limits{}, nil)
	c := f.dial()
	defer c.Close()
	quick := make(map[int]bool) // of which sizes answers have come before the connection was given back
	// size is that of the answer to a batch of n operations whose keys have so many characters together.
	size := func(n, characters int) int {
		t.Helper()
		var operations []string
		for ; n > 0; n-- {
			key := min(characters-(n-1), idempotencyKeyMax)
			characters -= key
			operations = append(operations, fmt.Sprintf(`{"idempotency_key":"%s","path":"/v1/transfers","body":%s}`, strings.Repeat("k", key), fuzzedPayment))
		}
		body := inJSON(operations...)
		c.send(fmt.Sprintf("POST %s HTTP/1.1\r\nHost: bank\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", batchPath, len(body), body))
		before := time.Now()
		var answer bytes.Buffer
		c.in = bufio.NewReader(io.TeeReader(c.TCPConn, &answer))
		c.want(200, "ACCOUNT_UNKNOWN")
		if time.Since(before) < asideFor {
			quick[answer.Len()] = true
		}
		return answer.Len()
	}
	for _, buffers := range []int{1, 2, 3} {
		n, exact := 1, buffers*writeBufferSize
		for ; size(n, 100*n) < exact; n++ {
		}
		least := exact - size(n, 50*n) + 50*n
		for characters := least - 20; characters < least+20; characters++ {
			got := size(n, characters)
			for range 5 { // a machine with other work is slow, not wrong
				if !quick[got] {
					size(n, characters)
				}
			}
			if got != exact+characters-least || !quick[got] {
				t.Fatalf("%d bytes, not %d, at once: %t", got, exact+characters-least, quick[got])
			}
		}
	}
}

func TestAThousandConnections(t *testing.T) {
	f := openFacade(t, Limits{}, nil)
	var group sync.WaitGroup
	for n := range 1000 {
		c := f.dial()
		group.Go(func() {
			defer c.Close()
			for i := range 10 {
				if (n+i)%5 == 0 {
					c.send(get)
					c.want(200, "alive")
					continue
				}
				c.send(payment("a", 0))
				c.want(404, "ACCOUNT_UNKNOWN")
			}
		})
	}
	group.Wait()
	if n := f.bank.begun.Load() + f.bank.done.Load(); n != 8000 {
		t.Errorf("%d payments reached the bank", n)
	}
	eventually(t, "no connection is left", func() bool { return f.front.open.Load() == 0 })
}

func TestWhatIsUnderWayIsAnsweredBeforeTheServerStops(t *testing.T) {
	f := openFacade(t, Limits{}, nil)
	f.bank.hold()
	const many = 50
	var waiting, idle []*client
	for range many {
		c, i := f.dial(), f.dial()
		defer c.Close()
		defer i.Close()
		c.send(payment("a", 0))
		i.send(get)
		i.want(200, "alive")
		waiting, idle = append(waiting, c), append(idle, i)
	}
	slow := f.dial()
	defer slow.Close()
	slow.send("GET /v1/reports/slow HTTP/1.1\r\nHost: a\r\n\r\n")
	eventually(t, "the bank has them", func() bool { return f.bank.begun.Load() == many && f.handling.Load() == many+1 })
	ended := make(chan error, 1)
	go func() { ended <- f.Shutdown(t.Context()) }()
	slow.want(200, "slow")
	for _, c := range idle {
		if _, _, _, err := c.hear(); err == nil {
			t.Error("an idle connection has an answer")
		}
	}
	select {
	case err := <-ended:
		t.Fatal("has not waited:", err)
	case <-time.After(50 * time.Millisecond):
	}
	if _, err := net.Dial("tcp", f.addr); err == nil {
		t.Error("a connection is taken in")
	}
	f.bank.release()
	for _, c := range waiting {
		status, header, _, err := c.hear()
		if status != 404 || err != nil || header.Get("Connection") != "close" {
			t.Errorf("answered %d %v %v", status, header, err)
		}
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestWhoIsNotWaitedForIsToldThatNobodyKnows(t *testing.T) {
	f := openFacade(t, Limits{}, nil)
	f.bank.hold()
	c := f.dial()
	defer c.Close()
	c.send(payment("a", 0))
	eventually(t, "the bank has it", func() bool { return f.bank.begun.Load() == 1 })
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := f.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	c.want(504, "OUTCOME_UNKNOWN")
	f.bank.release() // too late, and nobody is harmed
	if f.handling.Load() != 0 || f.front.open.Load() != 0 {
		t.Errorf("%d requests, %d connections are left", f.handling.Load(), f.front.open.Load())
	}
}

// Under load a stop loses no answer: whoever is answered is answered in full, and whoever is not finds his connection closed.
func TestAStopUnderLoad(t *testing.T) {
	f := openFacade(t, Limits{}, nil)
	var group sync.WaitGroup
	var answered atomic.Int64
	for range 100 {
		c := f.dial()
		group.Go(func() {
			defer c.Close()
			for {
				if _, err := io.WriteString(c.TCPConn, payment("a", 0)); err != nil {
					return
				}
				_, _, body, err := c.hear()
				if err != nil {
					if errors.Is(err, io.ErrUnexpectedEOF) {
						t.Errorf("half an answer: %q", body)
					}
					return
				}
				answered.Add(1)
			}
		})
	}
	eventually(t, "there is load", func() bool { return answered.Load() > 1000 })
	if err := f.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	group.Wait()
	if begun := f.bank.begun.Load(); begun != answered.Load() {
		t.Errorf("%d begun, %d answered", begun, answered.Load())
	}
}

// Whoever is not waited for has one answer, and that is the bank's if there is one on its way to him.
func TestAStopThatDoesNotWaitAnswersNobodyTwice(t *testing.T) {
	for round := range 20 {
		f := openFacade(t, Limits{}, nil)
		f.bank.hold()
		const many = 200
		var all []*client
		for range many {
			c := f.dial()
			defer c.Close()
			c.send(payment("a", 0))
			all = append(all, c)
		}
		eventually(t, "the bank has them", func() bool { return f.bank.begun.Load() == many })
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		go func() {
			time.Sleep(time.Duration(round) * 50 * time.Microsecond)
			_ = f.Shutdown(ctx)
		}()
		f.bank.release()
		for _, c := range all {
			status, _, body, err := c.hear()
			if err != nil || status != 404 && status != 504 {
				t.Fatalf("answered %d %s %v", status, body, err)
			}
			if status, _, body, err = c.hear(); err == nil {
				t.Fatalf("answered again: %d %s", status, body)
			}
		}
		eventually(t, "nothing is left", func() bool { return f.front.open.Load() == 0 && f.handling.Load() == 0 })
	}
}

// What is answered together is divided between loop and scribe.
func TestManyAnswersAtOnceReachTheirOwners(t *testing.T) {
	f := openFacade(t, Limits{}, nil)
	const many = 8 * unsharedMax
	var all []*client
	for range many {
		c := f.dial()
		defer c.Close()
		all = append(all, c)
	}
	bad := strings.Replace(payment("a", 0), "internal", "sideways", 1)
	for round := range int64(20) {
		f.bank.hold()
		for _, c := range all {
			c.send(payment("a", 0) + bad)
		}
		eventually(t, "the bank has them", func() bool { return f.bank.begun.Load() == (round+1)*many })
		f.bank.release()
		for _, c := range all {
			c.want(404, "ACCOUNT_UNKNOWN")
			c.want(422, "FIELD_INVALID")
		}
	}
	if n := f.handling.Load(); n != 0 {
		t.Errorf("%d requests are being handled", n)
	}
}

// Whatever holds of loops holds when their scribes write every reply.
func TestAllOfThisWhenScribesWriteEveryReply(t *testing.T) {
	sharing = true
	defer func() { sharing = false }()
	for name, test := range map[string]func(*testing.T){
		"aside": TestAPaymentIsServedWithoutAGoroutineAndTheRestAside, "parts": TestARequestMayComeInAnyParts,
		"order": TestRequestsOfOnePacketAreAnsweredInTheirOrder, "large": TestARequestMayBeLargerThanWhatIsReadAtOnce,
		"limits": TestTheLimitsHoldForPayments, "too many": TestOneConnectionTooManyIsToldSo,
		"breaks": TestAConnectionMayBreakAnywhere, "breaks while deciding": TestAConnectionMayBreakWhileTheBankDecides,
		"forgotten": TestEveryConnectionThatBreaksIsForgotten, "never reads": TestAPayerWhoNeverReadsIsCutOff,
		"reads late": TestAPayerWhoReadsLateGetsEverything, "thousand": TestAThousandConnections,
		"stop": TestWhatIsUnderWayIsAnsweredBeforeTheServerStops, "unknown": TestWhoIsNotWaitedForIsToldThatNobodyKnows,
		"stop under load": TestAStopUnderLoad, "no waiting": TestAStopThatDoesNotWaitAnswersNobodyTwice,
		"many at once": TestManyAnswersAtOnceReachTheirOwners, "panic": TestAPanicIsAnsweredAndTheLoopGoesOn,
		"fasthttp alone": TestLoopsAnswerAsFasthttpAlone,
	} {
		t.Run(name, test)
	}
}

// trap is an error that breaks who looks at it.
type trap struct{}

func (trap) Error() string { return "trap" }
func (trap) Is(error) bool { panic("trap") }

func TestAPanicIsAnsweredAndTheLoopGoesOn(t *testing.T) {
	f := openFacade(t, Limits{}, nil)
	late := make(chan func(), 1)
	f.bank.mu.Lock()
	f.bank.instead = func(call *bank.Call, then func()) {
		select {
		case late <- then:
			panic("begin")
		default:
			call.Err = trap{}
			then()
		}
	}
	f.bank.mu.Unlock()
	c := f.dial()
	defer c.Close()
	c.send(payment("a", 0))
	c.want(500, "INTERNAL")
	then := <-late
	then() // after all
	late <- then
	c.send(payment("b", 0))
	c.want(500, "INTERNAL")
	c.send(get)
	c.want(200, "alive")
	if n := f.handling.Load(); n != 0 {
		t.Errorf("%d requests are being handled", n)
	}
}

var dates = regexp.MustCompile(`Date: [^\r]*\r\n`)

// converse sends parts and returns all that comes back; cut: the server had closed before it had read everything.
func converse(t testing.TB, f *facade, parts []string) (all string, cut bool) {
	c, err := net.Dial("tcp", f.addr) // not f's own: it may be a fuzz test's
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(time.Minute))
	for i, part := range parts {
		if i > 0 {
			time.Sleep(500 * time.Microsecond)
		}
		if _, err := io.WriteString(c, part); err != nil {
			cut = true
			break
		}
	}
	_ = c.(*net.TCPConn).CloseWrite()
	b, err := io.ReadAll(c)
	return dates.ReplaceAllString(string(b), ""), cut || err != nil
}

// same checks that the loops answer as fasthttp alone does.
func same(t testing.TB, loops, alone *facade, parts []string) {
	t.Helper()
	got, cut1 := converse(t, loops, parts)
	want, cut2 := converse(t, alone, parts)
	if got == want || (cut1 || cut2) && (strings.HasPrefix(got, want) || strings.HasPrefix(want, got)) {
		return
	}
	t.Errorf("%q is answered\n%q, by fasthttp alone\n%q", parts, got, want)
}

var conversations = []string{
	paying(2, "a", 0), paying(3, "a", 0), paying(2, "a", 0) + paying(1, "b", 0) + paying(2, "c", 10) + paying(3, "d", 0) + paying(2, "e", 0),
	payment("a", 0), payment("a", 0) + payment("b", 0), payment("a", 20_000), payment("", 0), payment("a b", 0),
	payment("a", 0) + get + payment("b", 0), get, get + get + payment("a", 0)[:70],
	strings.Replace(payment("a", 0), "HTTP/1.1", "HTTP/1.0", 1), strings.Replace(payment("a", 0), "HTTP/1.1", "HTTP/1.2", 1),
	strings.Replace(payment("a", 0), "\r\nHost: bank", "", 1), strings.Replace(payment("a", 0), "Host: bank", "Host: a b", 1),
	strings.Replace(payment("a", 0), "Host: bank", "Host: a:b", 1), strings.Replace(payment("a", 0), "Host: bank", "Host: [::1]:80", 1),
	strings.Replace(payment("a", 0), "Host: bank", "Host: bank\r\nHost: other", 1), strings.Replace(payment("a", 0), "Host: bank", "Host: bank\r\nConnection: close", 1) + get,
	strings.Replace(payment("a", 0), "Host: bank", "Host: bank\r\nTransfer-Encoding: chunked", 1), strings.Replace(payment("a", 0), "Host: bank", "Host: bank\r\nTransfer-Encoding: identity", 1),
	strings.Replace(payment("a", 0), "Host: bank", "Host: bank\r\nContent-Length: 5", 1), strings.Replace(payment("a", 0), "Content-Length: ", "Content-Length: +", 1),
	strings.Replace(payment("a", 0), "Content-Length: ", "Content-Length : ", 1), strings.Replace(payment("a", 0), "Host: bank", "Host: bank\r\n folded: yes", 1),
	strings.Replace(payment("a", 0), "Host: bank", "Host: bank\r\nExpect: 100-continue", 1), strings.Replace(payment("a", 0), "Host: bank", "Host: bank\r\nContent-Type: multipart/form-data; boundary=x", 1),
	strings.Replace(payment("a", 0), "Host: bank", "Host: bank\r\nAccept-Language: zh", 1), strings.Replace(payment("a", 0), "Host: bank", "Host: bank\r\nX: \x00", 1),
	strings.ReplaceAll(payment("a", 0), "\r\n", "\n"), "\r\n\r\n" + payment("a", 0), strings.Replace(payment("a", 0), "POST", "PUT", 1), strings.Replace(payment("a", 0), "POST", "HEAD", 1),
	strings.Replace(payment("a", 0), "/transfers", "/transfers?x=1", 1), strings.Replace(payment("a", 0), "/v1", "//v1", 1), strings.Replace(payment("a", 0), "/v1/", "http://x/v1/", 1),
	"POST /v1/transfers HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n{}\n\r\n0\r\n\r\n" + payment("a", 0), "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "\x16\x03\x01", "POST /v1/transfers HTTP/1.1\r\n\r\n",
	"POST /v1/transfers HTTP/1.1\r\nHost: a\r\n\r\n", "POST /v1/transfers HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n" + get,
}

func TestLoopsAnswerAsFasthttpAlone(t *testing.T) {
	loops, alone := openFacade(t, Limits{}, nil), openFacade(t, Limits{}, plainlyServed)
	for _, conversation := range conversations {
		same(t, loops, alone, []string{conversation})
		same(t, loops, alone, []string{conversation[:len(conversation)/3], conversation[len(conversation)/3:]})
		// Behind a request, of which the head is known, and before another.
		same(t, loops, alone, []string{paying(2, "before", 0) + conversation + paying(2, "behind", 0)})
		same(t, loops, alone, []string{conversation, paying(2, "behind", 1)})
		same(t, loops, alone, []string{conversation, conversation + conversation}) // each head is like the one before
	}
	if alone.bank.begun.Load() > 0 || loops.bank.begun.Load() == 0 {
		t.Error("the same server twice")
	}
}

// However bytes are split, loops answer what fasthttp's own server answers.
func FuzzLoops(f *testing.F) {
	for _, conversation := range conversations {
		f.Add([]byte(conversation), uint16(len(conversation)/2), uint16(3))
	}
	limits := Limits{BodyMax: 64 << 10, HeaderMax: 1 << 10}
	loops, alone := openFacade(f, limits, nil), openFacade(f, limits, plainlyServed)
	sharing = true
	scribes := openFacade(f, limits, nil)
	sharing = false
	f.Fuzz(func(t *testing.T, conversation []byte, first, second uint16) {
		all := string(conversation)
		a := min(int(first), len(all))
		b := min(a+int(second), len(all))
		for _, f := range []*facade{loops, scribes} {
			same(t, f, alone, []string{all[:a], all[a:b], all[b:]})
		}
	})
}
