package broker

import (
	"bytes"
	"encoding/binary"
	"io"
	"log/slog"
	"net"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/suanpan-bank/suanpan/bank"
)

func opened(t *testing.T, dir string) *Broker {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b, err := Open(dir, l, nil, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func kcat(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.Command("kcat", args...)
	cmd.Stdin = strings.NewReader("hello\n")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("kcat %v: %v (make tools installs it)\n%s", args, err, out)
	}
	return string(out)
}

func TestTheTopicsAreThereAndKeepWhatTheyHoldOverARestart(t *testing.T) {
	dir := t.TempDir()
	b := opened(t, dir)
	list := kcat(t, "-b", b.Addr(), "-L")
	for _, topic := range bank.Topics {
		if !strings.Contains(list, `topic "`+topic+`" with 6 partitions`) {
			t.Errorf("no %s in\n%s", topic, list)
		}
	}
	kcat(t, "-b", b.Addr(), "-P", "-t", bank.TopicLoan, "-p", "2", "-k", "key")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if _, err := Open(dir, l, nil, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "another process") {
		t.Errorf("a second broker on the directory: %v", err)
	}
	id := b.ClusterID()
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	b = opened(t, dir)
	defer b.Close()
	if got := kcat(t, "-b", b.Addr(), "-C", "-t", bank.TopicLoan, "-p", "2", "-o", "beginning", "-e", "-q", "-K", ":"); got != "key:hello\n" || b.ClusterID() != id {
		t.Errorf("after a restart: %q, id %s, was %s", got, b.ClusterID(), id)
	}
}

// In this process a packet that takes the broker down takes the bank down.
func TestAHostilePacketClosesItsConnectionOnly(t *testing.T) {
	b := opened(t, t.TempDir())
	defer b.Close()
	frame := func(size uint32, key uint16, rest string) string {
		head := binary.BigEndian.AppendUint32(nil, size)
		return string(binary.BigEndian.AppendUint16(head, key)) + rest
	}
	for what, packet := range map[string]string{
		"unknown key":     frame(10, 1000, "\x00\x00\x00\x00\x00\x01\xff\xff"),
		"negative key":    frame(10, 0xFFFF, "\x00\x00\x00\x00\x00\x01\xff\xff"),
		"four gigabytes":  frame(0xFFFFFFF0, 18, "\x00\x00\x00\x00\x00\x01\xff\xff"),
		"delete topics":   frame(16, 20, "\x00\x00\x00\x00\x00\x01\xff\xff\x00\x00\x00\x00\x00\x00"),
		"an empty one":    frame(0, 0, ""),
		"HTTP":            "GET / HTTP/1.1\r\nHost: bank\r\n\r\n",
		"a TLS handshake": "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
	} {
		c, err := net.Dial("tcp", b.Addr())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(c, packet); err != nil {
			t.Fatal(err)
		}
		_ = c.SetReadDeadline(time.Now().Add(5 * time.Second))
		if n, err := c.Read(make([]byte, 1)); n != 0 || err == nil {
			t.Errorf("%s: answered", what)
		} else if e, ok := err.(net.Error); ok && e.Timeout() {
			t.Errorf("%s: the connection stays open", what)
		}
		_ = c.Close()
	}
	if list := kcat(t, "-b", b.Addr(), "-L"); !strings.Contains(list, bank.TopicAccount) {
		t.Errorf("afterwards: %s", list)
	}
}

// replayed is a connection whose client sends these bytes and closes.
type replayed struct {
	net.Conn
	in *bytes.Reader
}

func (r replayed) Read(p []byte) (int, error)      { return r.in.Read(p) }
func (r replayed) Close() error                    { return nil }
func (r replayed) SetReadDeadline(time.Time) error { return nil }

// What the guard lets through are whole heads of known requests, unchanged.
func FuzzGuard(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x0a\x00\x12\x00\x00\x00\x00\x00\x01\xff\xff"), 3)
	f.Add([]byte("\x00\x00\x00\x0a\x03\xe8\x00\x00\x00\x00\x00\x01\xff\xff"), 100)
	f.Fuzz(func(t *testing.T, in []byte, chunk int) {
		c := &guardedConn{Conn: replayed{in: bytes.NewReader(in)}}
		var out []byte
		p := make([]byte, 1+uint(chunk)%512)
		for {
			n, err := c.Read(p)
			out = append(out, p[:n]...)
			if err != nil {
				break
			}
		}
		if !bytes.HasPrefix(in, out) {
			t.Fatalf("in %x\nout %x", in, out)
		}
		for rest := out; len(rest) > 0; {
			if len(rest) < frameHead {
				t.Fatalf("half a head let through: %x", rest)
			}
			size, err := checkHead([frameHead]byte(rest))
			if err != nil {
				t.Fatal(err)
			}
			rest = rest[min(len(rest), 4+size):]
		}
	})
}
