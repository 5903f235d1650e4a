package standin

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/suanpan-bank/suanpan/ledger"
	"github.com/suanpan-bank/suanpan/ledger/embedded"
)

// captured returns what a client of release 0.17.9 sent over one connection: it registered, created two
// accounts and a chain of two transfers, made an empty call and, while that one was under way,
// seven more at once; then it looked everything up and ran each query.
func captured(t testing.TB) []message {
	t.Helper()
	sent, err := os.ReadFile("testdata/client-0.17.9.bin")
	if err != nil {
		t.Fatal(err)
	}
	c, r := newChecksum(), bytes.NewReader(sent)
	var messages []message
	for {
		m, err := c.readMessage(r)
		if err == io.EOF {
			return messages
		}
		if err != nil {
			t.Fatalf("message %d: %v", len(messages), err)
		}
		messages = append(messages, m)
	}
}

func TestTheMessagesOfARealClientAreUnderstood(t *testing.T) {
	type call struct {
		operation Operation
		batches   []int
	}
	want := []call{
		{operation: operationRegister},
		{CreateAccounts, []int{2}},
		{CreateTransfers, []int{2}},
		{CreateTransfers, []int{0}},
		{CreateTransfers, []int{1, 1, 1, 1, 1, 1, 1}},
		{LookupAccounts, []int{2}},
		{LookupTransfers, []int{2}},
		{GetAccountTransfers, []int{1}},
		{GetAccountBalances, []int{1}},
		{QueryAccounts, []int{1}},
		{QueryTransfers, []int{1}},
		{GetChangeEvents, []int{1}},
	}
	messages := captured(t)
	if len(messages) != len(want) {
		t.Fatalf("%d messages, want %d", len(messages), len(want))
	}
	engine := embedded.New(embedded.Options{Clock: func() uint64 { return 1 }})
	for i, m := range messages {
		r, err := requestOf(m)
		if err != nil {
			t.Fatal(err)
		}
		if r.operation != want[i].operation || r.number != uint32(i) {
			t.Fatalf("message %d is request %d for operation %d, want %d", i, r.number, r.operation, want[i].operation)
		}
		if r.operation == operationRegister {
			continue
		}
		_, batches, err := execute(engine, r.operation, r.body)
		if err != nil || !slices.Equal(batches, want[i].batches) {
			t.Fatalf("message %d, operation %d: batches of %v (%v), want %v", i, r.operation, batches, err, want[i].batches)
		}
	}
	// The chain and the seven calls, on an engine that starts empty as the client's did.
	if a, ok := engine.Account(ledger.U64(1)); !ok || a.DebitsPosted != ledger.U64(5+7*5) || a.CreditsPosted != ledger.U64(3) {
		t.Fatalf("account %+v (%v)", a, ok)
	}
}

func TestAChangedBitOfAMessageIsNoticed(t *testing.T) {
	c, m := newChecksum(), captured(t)[1]
	for at := range m {
		broken := bytes.Clone(m)
		broken[at] ^= 1 << (at % 8)
		// The size decides where the body ends; changed, it is the header's checksum that tells.
		if _, err := c.readMessage(bytes.NewReader(broken)); !errors.Is(err, errMalformed) {
			t.Fatalf("byte %d changed: %v", at, err)
		}
	}
	if _, err := c.readMessage(bytes.NewReader(m[:len(m)-1])); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Fatalf("cut short: %v", err)
	}
}

func TestASealedHeaderOutOfRangeIsRefused(t *testing.T) {
	c := newChecksum()
	for name, spoil := range map[string]func(message){
		"size below a header":      func(m message) { binary.LittleEndian.PutUint32(m[atSize:], headerSize-1) },
		"size above a message":     func(m message) { binary.LittleEndian.PutUint32(m[atSize:], messageSizeMax+1) },
		"largest size":             func(m message) { binary.LittleEndian.PutUint32(m[atSize:], ^uint32(0)) },
		"epoch":                    func(m message) { m[atEpoch] = 1 },
		"protocol":                 func(m message) { m[atProtocol] = 1 },
		"padding of the checksum":  func(m message) { m[16] = 1 },
		"nonce":                    func(m message) { m[64] = 1 },
		"reserved before commands": func(m message) { m[127] = 1 },
	} {
		m := newMessage(commandPingClient, ledger.Uint128{}, 0)
		spoil(m)
		if _, err := c.readMessage(bytes.NewReader(c.seal(m))); !errors.Is(err, errMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// peer speaks the protocol by hand, to say what the client library never would.
type peer struct {
	*testing.T
	net.Conn
	checksum *checksum
	client   ledger.Uint128
	session  uint64
	release  uint32
}

func dial(t *testing.T, s *Server, client uint64) *peer {
	t.Helper()
	conn, err := net.Dial("tcp", s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return &peer{T: t, Conn: conn, checksum: newChecksum(), client: ledger.U64(client), release: release}
}

func (p *peer) requestMessage(number uint32, operation Operation, body []byte) message {
	m := newMessage(commandRequest, ledger.Uint128{}, len(body))
	copy(m.body(), body)
	binary.LittleEndian.PutUint32(m[atRelease:], p.release)
	putUint128(m[160:], p.client)
	binary.LittleEndian.PutUint64(m[176:], p.session)
	binary.LittleEndian.PutUint32(m[192:], number)
	m[196] = byte(operation)
	return m
}

func (p *peer) request(number uint32, operation Operation, body []byte) message {
	return p.checksum.seal(p.requestMessage(number, operation, body))
}

func (p *peer) ping(timestamp uint64) message {
	m := newMessage(commandPingClient, ledger.Uint128{}, 0)
	putUint128(m[128:], p.client)
	binary.LittleEndian.PutUint64(m[144:], timestamp)
	binary.LittleEndian.PutUint64(m[152:], p.session)
	return p.checksum.seal(m)
}

func (p *peer) send(m message) {
	p.Helper()
	if _, err := p.Write(m); err != nil {
		p.Fatal(err)
	}
}

func (p *peer) receive(want command) message {
	p.Helper()
	m, err := p.checksum.readMessage(p.Conn)
	if err != nil {
		p.Fatal(err)
	}
	if m.command() != want {
		p.Fatalf("command %d, want %d", m.command(), want)
	}
	return m
}

func (p *peer) register() {
	p.Helper()
	p.send(p.request(0, operationRegister, make([]byte, registerSize)))
	p.session = binary.LittleEndian.Uint64(p.receive(commandReply)[216:])
}

func (p *peer) evicted(want Reason) {
	p.Helper()
	m := p.receive(commandEviction)
	if uint128At(m, 128) != p.client || Reason(m[255]) != want {
		p.Fatalf("client %v evicted for reason %d, want %v for %d", uint128At(m, 128), m[255], p.client, want)
	}
}

// unanswered sends a message that must get no answer. Messages are answered in order, so the pong
// of a ping sent after it must be the next thing to arrive.
func (p *peer) unanswered(m message) {
	p.Helper()
	p.send(m)
	p.send(p.ping(77))
	if got := binary.LittleEndian.Uint64(p.receive(commandPongClient)[128:]); got != 77 {
		p.Fatalf("pong for %d", got)
	}
}

// ended expects the server to hang up.
func (p *peer) ended() {
	p.Helper()
	if _, err := p.checksum.readMessage(p.Conn); err == nil || os.IsTimeout(err) {
		p.Fatalf("the connection goes on: %v", err)
	}
}

func accountsBody(ids ...uint64) []byte {
	var body []byte
	for _, id := range ids {
		body = appendAccount(body, ledger.Account{ID: ledger.U64(id), Ledger: 1, Code: 1})
	}
	return appendTrailer(body, []int{len(ids)}, accountSize)
}

func started(t *testing.T, options Options) *Server {
	t.Helper()
	s, err := Start(options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestARepeatedRequestIsAnsweredAgainAndDoneOnce(t *testing.T) {
	s := started(t, Options{})
	p := dial(t, s, 1)
	register := p.request(0, operationRegister, make([]byte, registerSize))
	p.register()
	p.send(register)
	if again := p.receive(commandReply); binary.LittleEndian.Uint64(again[216:]) != p.session {
		t.Fatal("registering again opened another session")
	}

	create := p.request(1, CreateAccounts, accountsBody(7))
	p.send(create)
	first := p.receive(commandReply)
	// Over another connection too, as after a broken one.
	q := dial(t, s, 1)
	for _, on := range []*peer{p, q} {
		on.send(create)
		if again := on.receive(commandReply); !bytes.Equal(first, again) {
			t.Fatalf("answered differently:\n%x\n%x", first, again)
		}
	}
	if status := binary.LittleEndian.Uint32(first.body()[8:]); ledger.CreateAccountStatus(status) != ledger.AccountCreated {
		t.Fatal(ledger.CreateAccountStatus(status))
	}
	if got := s.Counts(); got.Operations[CreateAccounts].Requests != 1 || got.Repeated != 3 {
		t.Fatalf("%+v", got)
	}

	p.send(p.request(2, LookupAccounts, appendTrailer(ledger.U64(7).AppendWire(nil), []int{1}, idSize)))
	p.receive(commandReply)
	p.unanswered(create) // too late: its client has had the answer and gone on
	p.unanswered(p.request(4, CreateAccounts, accountsBody(8)))
	if _, ok := s.engine.Account(ledger.U64(8)); ok {
		t.Fatal("a request that doesn't follow the last one was executed")
	}
}

func TestAnotherClustersMessagesAreIgnored(t *testing.T) {
	s := started(t, Options{Cluster: ledger.U64(9)})
	p := dial(t, s, 1)
	p.send(p.ping(1))
	m := newMessage(commandPingClient, ledger.U64(9), 0)
	binary.LittleEndian.PutUint64(m[144:], 2)
	p.send(p.checksum.seal(m))
	if got := binary.LittleEndian.Uint64(p.receive(commandPongClient)[128:]); got != 2 {
		t.Fatalf("pong for ping %d, want 2", got)
	}
}

func TestAClientThatCannotBeServedIsToldWhy(t *testing.T) {
	s := started(t, Options{RequestSizeMax: RequestSizeMaxDevelopment})
	dial(t, s, 1_000_000).register() // so that every session below has an earlier one
	next := uint64(0)
	registered := func(t *testing.T) *peer {
		next++
		p := dial(t, s, next)
		p.register()
		return p
	}
	for name, c := range map[string]struct {
		provoke func(*peer)
		want    Reason
	}{
		"no session":        {func(p *peer) { p.client = ledger.U64(999); p.send(p.request(1, CreateAccounts, accountsBody(1))) }, ReasonNoSession},
		"ping, no session":  {func(p *peer) { p.client = ledger.U64(999); p.send(p.ping(1)) }, ReasonNoSession},
		"old release":       {func(p *peer) { p.release = release - 1; p.send(p.request(1, CreateAccounts, accountsBody(1))) }, ReasonReleaseTooLow},
		"new release":       {func(p *peer) { p.release = release + 1; p.send(p.request(1, CreateAccounts, accountsBody(1))) }, ReasonReleaseTooHigh},
		"earlier session":   {func(p *peer) { p.session--; p.send(p.request(1, CreateAccounts, accountsBody(1))) }, ReasonSessionTooLow},
		"unknown operation": {func(p *peer) { p.send(p.request(1, 200, nil)) }, ReasonInvalidOperation},
		"no trailer":        {func(p *peer) { p.send(p.request(1, CreateAccounts, make([]byte, accountSize))) }, ReasonInvalidRequestBody},
		"two filters": {func(p *peer) {
			p.send(p.request(1, QueryAccounts, appendTrailer(make([]byte, 2*queryFilterSize), []int{2}, queryFilterSize)))
		}, ReasonInvalidRequestBody},
		"limit of a query": {func(p *peer) {
			filter := make([]byte, queryFilterSize)
			binary.LittleEndian.PutUint32(filter[56:], 8190)
			p.send(p.request(1, QueryAccounts, appendTrailer(filter, []int{1}, queryFilterSize)))
		}, ReasonInvalidRequestBody},
		"too large": {func(p *peer) { p.send(p.request(1, CreateAccounts, accountsBody(make([]uint64, 254)...))) }, ReasonInvalidRequestBodySize},
	} {
		t.Run(name, func(t *testing.T) {
			p := registered(t)
			c.provoke(p)
			p.evicted(c.want)
			if slices.Contains(s.Clients(), p.client) {
				t.Fatal("still has a session")
			}
		})
	}
}

func TestBytesThatAreNoMessageEndTheConnection(t *testing.T) {
	s := started(t, Options{})
	for name, spoil := range map[string]func(p *peer) message{
		"noise":                    func(*peer) message { return bytes.Repeat([]byte("GET / HTTP/1.1\r\n"), 20) },
		"command of a replica":     func(p *peer) message { return p.checksum.seal(newMessage(1, ledger.Uint128{}, 0)) },
		"request of no client":     func(p *peer) message { p.client = ledger.Uint128{}; return p.request(1, CreateAccounts, nil) },
		"request number 0":         func(p *peer) message { return p.request(0, CreateAccounts, accountsBody(1)) },
		"register in a session":    func(p *peer) message { return p.request(1, operationRegister, make([]byte, registerSize)) },
		"register of another size": func(p *peer) message { p.session = 0; return p.request(0, operationRegister, nil) },
		"reserved bytes of a request": func(p *peer) message {
			m := p.requestMessage(1, CreateAccounts, nil)
			m[250] = 1
			return p.checksum.seal(m)
		},
		"timestamp set by the client": func(p *peer) message {
			m := p.requestMessage(1, CreateAccounts, nil)
			m[184] = 1
			return p.checksum.seal(m)
		},
		"request without any checksum": func(p *peer) message { return p.requestMessage(1, CreateAccounts, nil) },
	} {
		t.Run(name, func(t *testing.T) {
			p := dial(t, s, 1)
			p.session = 1
			before := s.Counts().Malformed
			p.send(spoil(p))
			p.ended()
			if got := s.Counts().Malformed; got != before+1 {
				t.Fatalf("%d malformed messages counted, want %d", got, before+1)
			}
		})
	}
}

func TestTheSixtyFifthClientTakesThePlaceOfTheLongestIdle(t *testing.T) {
	s := started(t, Options{})
	var peers []*peer
	for i := range clientsMax {
		p := dial(t, s, uint64(1+i))
		p.register()
		peers = append(peers, p)
	}
	// The first one is busy, so the second has been idle longest.
	peers[0].send(peers[0].request(1, CreateAccounts, accountsBody(1)))
	peers[0].receive(commandReply)

	dial(t, s, 1000).register()
	if got := len(s.Clients()); got != clientsMax {
		t.Fatalf("%d sessions, want %d", got, clientsMax)
	}
	peers[1].send(peers[1].request(1, CreateAccounts, accountsBody(2)))
	peers[1].evicted(ReasonNoSession)
	peers[0].send(peers[0].request(2, CreateAccounts, accountsBody(3)))
	peers[0].receive(commandReply)
}

func TestAStoppedServerRefusesConnectionsAndComesBackWithItsSessions(t *testing.T) {
	s := started(t, Options{})
	p := dial(t, s, 1)
	p.register()
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	p.ended()
	if conn, err := net.Dial("tcp", s.Addr()); err == nil {
		conn.Close()
		t.Fatal("a stopped server took a connection")
	}
	if err := s.Restart(); err != nil {
		t.Fatal(err)
	}
	// The session is still there.
	q := dial(t, s, 1)
	q.session = p.session
	q.send(q.request(1, CreateAccounts, accountsBody(1)))
	q.receive(commandReply)

	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Restart(); err == nil {
		t.Fatal("serves again after Close")
	}
}

func TestStopInterruptsACommitThatIsWaiting(t *testing.T) {
	s := started(t, Options{})
	p := dial(t, s, 1)
	p.register()
	s.DelayCommits(time.Hour)
	p.send(p.request(1, CreateAccounts, accountsBody(1)))
	committing(s)
	q := dial(t, s, 2)
	q.send(q.request(0, operationRegister, make([]byte, registerSize))) // waits behind it
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	if _, ok := s.engine.Account(ledger.U64(1)); ok {
		t.Fatal("committed after the server had died")
	}
}

// committing waits until a request waits for its commit.
func committing(s *Server) {
	for s.commit.TryLock() {
		s.commit.Unlock()
		time.Sleep(time.Millisecond)
	}
}

func TestAServerThatFreezesInACommitDoesNotAnswerIt(t *testing.T) {
	s := started(t, Options{})
	p := dial(t, s, 1)
	p.register()
	s.DelayCommits(100 * time.Millisecond)
	p.send(p.request(1, CreateAccounts, accountsBody(1)))
	committing(s)
	s.Freeze()
	s.commit.Lock() // when the request has been executed
	_, ok := s.engine.Account(ledger.U64(1))
	s.commit.Unlock()
	if !ok {
		t.Fatal("not committed")
	}
	s.Thaw()
	p.send(p.ping(5))
	p.receive(commandPongClient)
}

func TestNothingRunsAfterClose(t *testing.T) {
	s := started(t, Options{})
	for i := range clientsMax {
		dial(t, s, uint64(1+i)).register()
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if len(s.conns) != 0 {
		t.Fatalf("%d connections are still served", len(s.conns))
	}
}

func TestAReplyThatFitsNoMessageIsRefused(t *testing.T) {
	s := started(t, Options{})
	p := dial(t, s, 1)
	p.register()
	p.send(p.request(1, CreateAccounts, accountsBody(1)))
	p.receive(commandReply)
	const each = 4096 // accounts, of which two batches and a trailer are more than a message holds
	var ids []byte
	for range 2 * each {
		ids = ledger.U64(1).AppendWire(ids)
	}
	p.send(p.request(2, LookupAccounts, appendTrailer(ids, []int{each, each}, idSize)))
	p.evicted(ReasonInvalidRequestBody)
}

func TestOptionsThatMeanNothingAreRefused(t *testing.T) {
	for _, options := range []Options{
		{RequestSizeMax: 1000},
		{Address: "localhost:0"},
		{Address: "[::1]:0"},
		{Address: started(t, Options{}).Addr()}, // taken
	} {
		if s, err := Start(options); err == nil {
			s.Close()
			t.Errorf("%+v accepted", options)
		}
	}
}

func TestBatchesComeApartAsTheyWerePacked(t *testing.T) {
	for _, elementSize := range []int{resultSize, queryFilterSize, accountSize} {
		for _, counts := range [][]int{{0}, {1}, {0, 0, 0}, {3, 0, 5}, {1, 1, 1, 1, 1, 1, 1}, {8189}, {65534}, make([]int, 500)} {
			total := 0
			for _, n := range counts {
				total += n
			}
			elements := bytes.Repeat([]byte{0xAB}, total*elementSize)
			body := appendTrailer(bytes.Clone(elements), counts, elementSize)
			gotCounts, gotElements, err := splitBatches(body, elementSize)
			if err != nil || !slices.Equal(gotCounts, counts) || !bytes.Equal(gotElements, elements) {
				t.Fatalf("batches of %v elements of %d bytes: %v, %d bytes, %v", counts, elementSize, gotCounts, len(gotElements), err)
			}
			if len(body)%elementSize != 0 {
				t.Fatalf("%d bytes aren't aligned to %d", len(body), elementSize)
			}
		}
	}
}

func TestABrokenTrailerIsRefused(t *testing.T) {
	words := func(values ...uint16) (b []byte) {
		for _, v := range values {
			b = binary.LittleEndian.AppendUint16(b, v)
		}
		return b
	}
	const pad = trailerPadding
	element := make([]byte, 16)
	for name, body := range map[string][]byte{
		"empty":                 nil,
		"not aligned":           words(0, 1),
		"no batches":            words(pad, pad, pad, pad, pad, pad, 0, 0),
		"padding as the count":  words(pad, pad, pad, pad, pad, pad, pad, pad),
		"more than fit":         words(pad, pad, pad, pad, pad, pad, 0, 8),
		"padding as a batch":    words(pad, pad, pad, pad, pad, pad, pad, 1),
		"other padding":         words(pad, pad, 0, pad, pad, pad, 0, 1),
		"an element too few":    words(pad, pad, pad, pad, pad, pad, 1, 1),
		"an element too many":   append(bytes.Clone(element), words(pad, pad, pad, pad, pad, pad, 0, 1)...),
		"all of it one trailer": words(1, 1, 1, 1, 1, 1, 1, 7),
	} {
		if counts, _, err := splitBatches(body, 16); !errors.Is(err, errMalformed) {
			t.Errorf("%s: batches of %v, %v", name, counts, err)
		}
	}
}

func FuzzMessage(f *testing.F) {
	for _, m := range captured(f) {
		f.Add([]byte(m))
	}
	f.Add([]byte(newChecksum().pongTo(ping{}, ledger.Uint128{})))
	f.Fuzz(func(t *testing.T, sent []byte) {
		s := &Server{
			options: Options{RequestSizeMax: RequestSizeMaxProduction},
			engine:  embedded.New(embedded.Options{Clock: func() uint64 { return 1_000_000_000 }}),
			// Sealing what the fuzzer made lets it through the checksums to what they protect.
			checksum: newChecksum(),
			sessions: sessions{},
			counts:   Counts{Operations: map[Operation]OperationCounts{}},
		}
		if m, err := s.checksum.readMessage(bytes.NewReader(sent)); err == nil && len(m) > len(sent) {
			t.Fatalf("a message of %d bytes out of %d", len(m), len(sent))
		}
		if len(sent) < headerSize || len(sent) > messageSizeMax {
			return
		}
		m := message(bytes.Clone(sent))
		binary.LittleEndian.PutUint32(m[atSize:], uint32(len(m)))
		m, err := s.checksum.readMessage(bytes.NewReader(s.checksum.seal(m)))
		if err != nil {
			return
		}
		// With the session it claims to have, so that its body is executed.
		if r, err := requestOf(m); err == nil && r.operation != operationRegister {
			s.sessions[r.client] = &session{number: r.session, request: r.number - 1}
		}
		answer, err := s.answer(t.Context(), m)
		if err != nil || answer == nil {
			return
		}
		if _, err := s.checksum.readMessage(bytes.NewReader(answer)); err != nil {
			t.Fatalf("answered with what is no message: %v", err)
		}
	})
}

func FuzzBatches(f *testing.F) {
	for _, m := range captured(f)[1:] {
		f.Add([]byte(m.body()), uint16(accountSize))
		f.Add([]byte(m.body()), uint16(idSize))
	}
	f.Fuzz(func(t *testing.T, body []byte, elementSize uint16) {
		if elementSize == 0 || elementSize%trailerItem != 0 {
			return // elements of such a size don't exist
		}
		counts, elements, err := splitBatches(body, int(elementSize))
		if err != nil {
			return
		}
		if again := appendTrailer(bytes.Clone(elements), counts, int(elementSize)); !bytes.Equal(again, body) {
			t.Fatalf("packed again the batches of %v are\n%x\nnot\n%x", counts, again, body)
		}
	})
}
