package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"runtime"
	"runtime/debug"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// load says what a generator is to do. It is handed over as JSON on the standard input.
type load struct {
	Address     string
	Connections int           // one request in flight on each
	Rate        float64       // requests due a second; 0: each connection sends when it has its answer
	Transfers   int           // in a request: 1 uses /v1/transfers, more use /v1/batches
	Protobuf    bool          // batches are in protobuf
	Accounts    string        // file of account numbers, one a line
	OnePayer    bool          // all payments leave the first account
	Among       int           // payments are between so many of the accounts, spread over all of them; 0: between all
	KeyPrefix   string        // differs from generator to generator, so that no key comes twice
	Seed        uint64        // of the choice of accounts
	WarmUp      time.Duration // before the window, not measured
	Window      time.Duration // measured
	Until       uint64        // transfers after which nothing new is sent; 0: only the window ends it
	ServerPID   int           // whose CPU is taken at both ends of the window
}

// outcome is what a generator saw. It is printed as JSON on the standard output.
type outcome struct {
	// From the first request to the last answer, warm-up and drain included.
	Sent      uint64
	Answered  uint64
	Statuses  map[int]uint64 // of answers
	Succeeded uint64         // transfers
	Refused   uint64         // transfers of a batch that did not succeed although the batch was answered
	Broken    uint64         // connections that the server closed

	// Inside the window.
	Window       time.Duration
	Requests     uint64 // answered
	Transfers    uint64 // that succeeded
	ServerCPU    time.Duration
	GeneratorCPU time.Duration
	P50          time.Duration
	P99          time.Duration
	P999         time.Duration
	Max          time.Duration
}

// failed is how many requests and transfers did not succeed, for whatever reason.
func (o *outcome) failed() uint64 {
	n := o.Refused + o.Sent - o.Answered
	for status, count := range o.Statuses {
		if status/100 != 2 {
			n += count
		}
	}
	return n
}

// generateLoad is the main function of a generator process.
func generateLoad(in io.Reader, out io.Writer) error {
	var l load
	if err := json.NewDecoder(in).Decode(&l); err != nil {
		return fmt.Errorf("read the load: %w", err)
	}
	g, err := newGenerator(l)
	if err != nil {
		return err
	}
	defer g.close()
	// One thread does everything, and from here on nothing is allocated but answers longer than any
	// before: no collector, no preemption (asyncpreemptoff in the environment) comes between.
	runtime.LockOSThread()
	debug.SetGCPercent(-1)
	if err := g.run(); err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(g.result())
}

// generator drives all connections from one thread over epoll. The Go network poller and net/http
// would cost several times the server they measure (shared cores), hence the system calls.
//
// Sockets never block and the generator has nothing else to run while epoll waits, so the scheduler
// need not be told of system calls (RawSyscall).
type generator struct {
	load     load
	epoll    int
	conns    []conn
	open     int // connections that still work
	inFlight int
	accounts [][accountDigits]byte
	random   *rand.PCG
	nextKey  uint64
	free     []int  // connections without a request, in the open loop
	due      uint64 // requests sent, in the open loop
	started  time.Time
	phase    phase
	latency  histogram
	statuses [600]uint64
	outcome
	windowStart    time.Duration
	serverCPUStart time.Duration
	ownCPUStart    time.Duration
}

// phase of a generator's life: only answers that arrive while measuring count.
type phase int

const (
	warming phase = iota
	measuring
	draining // nothing new is sent
)

// conn is a connection and the one request that is under way on it.
type conn struct {
	fd      int
	request *request
	unsent  []byte        // rest of the request when the socket took only part
	sentAt  time.Duration // when it was due, in the open loop
	in      []byte        // cap is the buffer, len what has arrived of the answer
}

const (
	eventsMax       = 256
	answerBytes     = 16 << 10              // first size of an answer's buffer, for each transfer of a batch 1 KiB more
	sendBufferBytes = 256 << 10             // a batch of 100 transfers fits
	pollMax         = 10 * time.Millisecond // how late a phase may end when the server is silent
	drainMax        = 10 * time.Second      // how long the last answers may take
)

func newGenerator(l load) (*generator, error) {
	accounts, err := readAccounts(l.Accounts)
	if err != nil {
		return nil, err
	}
	if len(accounts) < 2 || l.Connections < 1 || l.Transfers < 1 {
		return nil, errors.New("a load needs two accounts, a connection and a transfer")
	}
	g := &generator{load: l, accounts: among(accounts, l.Among), random: newRandom(l.Seed)}
	if g.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return nil, fmt.Errorf("epoll: %w", err)
	}
	for i := range l.Connections {
		if err := g.connect(i); err != nil {
			g.close()
			return nil, fmt.Errorf("connection %d to %s: %w", i+1, l.Address, err)
		}
	}
	return g, nil
}

// newRandom is the same for the same seed: both servers of a comparison get the same requests.
func newRandom(seed uint64) *rand.PCG { return rand.NewPCG(seed, 0) }

func readAccounts(path string) ([][accountDigits]byte, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("account numbers: %w", err)
	}
	lines := bytes.Fields(b)
	accounts := make([][accountDigits]byte, len(lines))
	for i, line := range lines {
		if len(line) != accountDigits {
			return nil, fmt.Errorf("account number %q has not %d digits", line, accountDigits)
		}
		copy(accounts[i][:], line)
	}
	return accounts, nil
}

// among leaves n of the accounts, evenly spread; all if n is 0 or there are fewer.
func among(accounts [][accountDigits]byte, n int) [][accountDigits]byte {
	if n == 0 || n >= len(accounts) {
		return accounts
	}
	some := make([][accountDigits]byte, n)
	for i := range some {
		some[i] = accounts[i*len(accounts)/n]
	}
	return some
}

func (g *generator) connect(i int) error {
	address, err := net.ResolveTCPAddr("tcp4", g.load.Address)
	if err != nil {
		return err
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	c := conn{fd: fd, in: make([]byte, 0, answerBytes+g.load.Transfers<<10)}
	switch {
	case g.load.Transfers == 1:
		c.request = newTransfer(g.load.KeyPrefix)
	case g.load.Protobuf:
		c.request = newProtobufBatch(g.load.KeyPrefix, g.load.Transfers)
	default:
		c.request = newBatch(g.load.KeyPrefix, g.load.Transfers)
	}
	g.conns = append(g.conns, c)
	g.open++
	to := &unix.SockaddrInet4{Port: address.Port, Addr: [4]byte(address.IP.To4())}
	return errors.Join(
		unix.Connect(fd, to),
		unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1),
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, sendBufferBytes),
		unix.SetNonblock(fd, true),
		unix.EpollCtl(g.epoll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(i)}),
	)
}

func (g *generator) close() {
	for i := range g.conns {
		if g.conns[i].fd >= 0 {
			_ = unix.Close(g.conns[i].fd)
		}
	}
	_ = unix.Close(g.epoll)
}

// run sends and receives until the window is over and everything sent is answered.
func (g *generator) run() error {
	g.started = time.Now()
	for i := range g.conns {
		if g.load.Rate > 0 {
			g.free = append(g.free, i)
		} else {
			g.send(i, g.now())
		}
	}
	var events [eventsMax]unix.EpollEvent
	for {
		g.sendDue()
		n, err := g.poll(&events)
		if err != nil {
			return err
		}
		for _, e := range events[:n] {
			if e.Events&unix.EPOLLOUT != 0 {
				g.flush(int(e.Fd))
			}
			if e.Events&^unix.EPOLLOUT != 0 {
				if err := g.receive(int(e.Fd)); err != nil {
					return err
				}
			}
		}
		if err := g.turn(); err != nil {
			return err
		}
		late := g.now() > g.load.WarmUp+g.load.Window+drainMax
		if g.phase == draining && (g.inFlight == 0 || late) {
			return nil
		}
		if g.open == 0 {
			return errors.New("the server closed every connection")
		}
	}
}

func (g *generator) now() time.Duration { return time.Since(g.started) }

// turn moves to the next phase when its time has come.
func (g *generator) turn() error {
	now := g.now()
	switch {
	case g.phase == warming && now >= g.load.WarmUp:
		g.phase = measuring
		g.latency.reset()
		g.windowStart = now
		var err error
		g.serverCPUStart, g.ownCPUStart, err = g.usage()
		return err
	case g.phase == measuring && (now >= g.windowStart+g.load.Window || g.load.Until > 0 && g.Succeeded >= g.load.Until):
		g.phase = draining
		g.Window = now - g.windowStart
		server, own, err := g.usage()
		g.ServerCPU, g.GeneratorCPU = server-g.serverCPUStart, own-g.ownCPUStart
		return err
	}
	return nil
}

func (g *generator) usage() (server, own time.Duration, err error) {
	if server, err = processCPU(g.load.ServerPID); err != nil {
		return 0, 0, err
	}
	own, err = ownCPU()
	return server, own, err
}

// dueAt is when the next request of the open loop is due.
func (g *generator) dueAt() time.Duration {
	return time.Duration(float64(g.due) / g.load.Rate * float64(time.Second))
}

// sendDue sends what is due in the open loop, as far as connections are free. What has to wait for one
// counts from the moment it was due: a slow server must not slow its own measurement down.
func (g *generator) sendDue() {
	if g.load.Rate == 0 || g.phase == draining {
		return
	}
	for len(g.free) > 0 && g.dueAt() <= g.now() {
		i := g.free[len(g.free)-1]
		g.free = g.free[:len(g.free)-1]
		if g.conns[i].fd >= 0 {
			g.send(i, g.dueAt())
			g.due++
		}
	}
}

// poll waits for events, and no longer than until a request is due. It looks without waiting first: under
// load there is always something.
func (g *generator) poll(events *[eventsMax]unix.EpollEvent) (int, error) {
	var timeout unix.Timespec
	for first := true; ; first = false {
		n, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT2, uintptr(g.epoll),
			uintptr(unsafe.Pointer(events)), eventsMax, uintptr(unsafe.Pointer(&timeout)), 0, 0)
		switch {
		case errno == unix.EINTR:
		case errno != 0:
			return 0, fmt.Errorf("epoll: %w", errno)
		case n > 0 || !first:
			return int(n), nil
		}
		wait := pollMax
		if g.load.Rate > 0 && len(g.free) > 0 {
			wait = min(wait, max(0, g.dueAt()-g.now()))
		}
		timeout = unix.NsecToTimespec(int64(wait))
	}
}

// send puts the next request on the way.
func (g *generator) send(i int, now time.Duration) {
	c := &g.conns[i]
	for t := range c.request.transfers {
		g.nextKey++
		payer, payee, amountFen := g.choose()
		c.request.set(t, g.nextKey, &g.accounts[payer], &g.accounts[payee], amountFen)
	}
	c.unsent = c.request.bytes
	c.in = c.in[:0]
	c.sentAt = now
	g.Sent++
	g.inFlight++
	g.flush(i)
}

// choose picks two different accounts and an amount.
func (g *generator) choose() (payer, payee, amountFen int) {
	r := g.random.Uint64()
	n := uint64(len(g.accounts))
	if !g.load.OnePayer {
		payer = int(r >> 32 * n >> 32)
	}
	// Any of the n-1 others, by a step that is not a whole turn.
	payee = int((uint64(payer) + 1 + (r&0xFFFFFFFF)*(n-1)>>32) % n)
	return payer, payee, amountFenMin + int(r%(amountFenMax-amountFenMin+1))
}

// flush writes what is left of the request; epoll reports when the socket takes the rest.
func (g *generator) flush(i int) {
	c := &g.conns[i]
	waited := len(c.unsent) < len(c.request.bytes)
	for len(c.unsent) > 0 {
		n, _, errno := unix.RawSyscall(unix.SYS_WRITE, uintptr(c.fd),
			uintptr(unsafe.Pointer(&c.unsent[0])), uintptr(len(c.unsent)))
		switch errno {
		case 0:
			c.unsent = c.unsent[n:]
		case unix.EINTR:
		case unix.EAGAIN:
			g.want(i, unix.EPOLLIN|unix.EPOLLOUT)
			return
		default:
			g.lose(i)
			return
		}
	}
	if waited {
		g.want(i, unix.EPOLLIN)
	}
}

func (g *generator) want(i int, events uint32) {
	_ = unix.EpollCtl(g.epoll, unix.EPOLL_CTL_MOD, g.conns[i].fd, &unix.EpollEvent{Events: events, Fd: int32(i)})
}

// lose gives a connection up; what was under way on it stays unanswered.
func (g *generator) lose(i int) {
	c := &g.conns[i]
	if c.fd < 0 {
		return
	}
	_ = unix.Close(c.fd)
	c.fd = -1
	g.Broken++
	g.open--
	g.inFlight--
}

// receive reads what has arrived and, when the answer is complete, counts it and sends the next
// request.
func (g *generator) receive(i int) error {
	c := &g.conns[i]
	if c.fd < 0 {
		return nil
	}
	if len(c.in) == cap(c.in) {
		c.in = append(c.in, make([]byte, cap(c.in))...)[:len(c.in)]
	}
	free := c.in[len(c.in):cap(c.in)]
	n, _, errno := unix.RawSyscall(unix.SYS_READ, uintptr(c.fd), uintptr(unsafe.Pointer(&free[0])), uintptr(len(free)))
	switch {
	case errno == unix.EAGAIN || errno == unix.EINTR:
		return nil
	case errno != 0 || n == 0:
		g.lose(i)
		return nil
	}
	c.in = c.in[:len(c.in)+int(n)]
	a, complete, err := parseAnswer(c.in)
	if err != nil {
		return fmt.Errorf("%w: %.200q", err, c.in)
	}
	if !complete {
		return nil
	}
	if len(c.in) > a.size || len(c.unsent) > 0 {
		return fmt.Errorf("more was answered than asked: %.200q", c.in)
	}
	now := g.now()
	g.count(c, a, now)
	switch {
	case g.load.Rate > 0:
		g.free = append(g.free, i)
	case g.phase != draining:
		g.send(i, now)
	}
	return nil
}

func (g *generator) count(c *conn, a answer, now time.Duration) {
	g.inFlight--
	g.Answered++
	g.statuses[min(a.status, len(g.statuses)-1)]++
	succeeded := 0
	if a.status/100 == 2 {
		succeeded = len(c.request.transfers)
		if succeeded > 1 {
			created := resultCreated
			if g.load.Protobuf {
				created = protobufCreated
			}
			succeeded = bytes.Count(c.in[a.head:a.size], created)
			g.Refused += uint64(len(c.request.transfers) - succeeded)
		}
	}
	g.Succeeded += uint64(succeeded)
	if g.phase == measuring {
		g.latency.record(now - c.sentAt)
		g.Requests++
		g.outcome.Transfers += uint64(succeeded)
	}
}

// resultCreated is how a batch's answer shows a transfer that succeeded. A transfer's own status is
// text, so it is not counted.
var resultCreated = []byte(`"status":201`)

// protobufCreated is the same in protobuf: the status and, behind it, the transfer.
var protobufCreated = []byte{0x10, 0xC9, 0x01, 0x22}

func (g *generator) result() outcome {
	o := g.outcome
	o.Statuses = make(map[int]uint64)
	for status, n := range g.statuses {
		if n > 0 {
			o.Statuses[status] = n
		}
	}
	o.P50, o.P99, o.P999, o.Max = g.latency.quantile(0.5), g.latency.quantile(0.99), g.latency.quantile(0.999), g.latency.max
	return o
}
