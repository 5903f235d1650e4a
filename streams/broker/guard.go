package broker

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// The guard stands between the network and kfake, which takes the process down on a request whose key
// it does not know and allocates whatever length a client claims. A connection that sends anything but
// known requests of a bounded size is closed, and so is one that asks for topics or records to be made,
// changed or removed: the topics are the bank's.

// Limits of a request.
const (
	RequestMax     = 16 << 20         // bytes
	requestMin     = 8                // key, version and correlation id
	requestTimeout = 30 * time.Second // from its first byte to its last
)

// errNotKafka closes a connection whose client does not speak the protocol.
var errNotKafka = errors.New("stream: not a Kafka request")

var forbidden = map[kmsg.Key]bool{
	kmsg.CreateTopics: true, kmsg.DeleteTopics: true, kmsg.DeleteRecords: true, kmsg.CreatePartitions: true,
	kmsg.AlterConfigs: true, kmsg.IncrementalAlterConfigs: true,
}

type guarded struct{ net.Listener }

func (g guarded) Accept() (net.Conn, error) {
	c, err := g.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &guardedConn{Conn: c}, nil
}

// guardedConn lets one reader through, as kfake has.
type guardedConn struct {
	net.Conn
	head [frameHead]byte
	kept []byte // part of head not handed on yet
	left int    // bytes of the request behind the head
}

// frameHead is a request's length and key.
const frameHead = 6

// Read implements net.Conn.
func (c *guardedConn) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if len(c.kept) == 0 && c.left == 0 {
		if err := c.begin(); err != nil {
			_ = c.Close()
			return 0, err
		}
	}
	if len(c.kept) > 0 {
		n := copy(p, c.kept)
		c.kept = c.kept[n:]
		return n, nil
	}
	n, err := c.Conn.Read(p[:min(len(p), c.left)])
	if c.left -= n; c.left == 0 {
		_ = c.SetReadDeadline(time.Time{})
	}
	return n, err
}

// begin reads the head of the next request and checks it. Between requests a client may be silent as
// long as it likes.
func (c *guardedConn) begin() error {
	if _, err := io.ReadFull(c.Conn, c.head[:1]); err != nil {
		return err
	}
	_ = c.SetReadDeadline(time.Now().Add(requestTimeout))
	if _, err := io.ReadFull(c.Conn, c.head[1:]); err != nil {
		return err
	}
	size, err := checkHead(c.head)
	if err != nil {
		return err
	}
	c.kept, c.left = c.head[:], size-(frameHead-4)
	return nil
}

// checkHead returns the size of a request from its head.
func checkHead(head [frameHead]byte) (size int, err error) {
	n, key := binary.BigEndian.Uint32(head[:]), int16(binary.BigEndian.Uint16(head[4:]))
	if n < requestMin || n > RequestMax {
		return 0, fmt.Errorf("%w: %d bytes", errNotKafka, n)
	}
	if key < 0 || kmsg.RequestForKey(key) == nil || forbidden[kmsg.Key(key)] {
		return 0, fmt.Errorf("%w: key %d", errNotKafka, key)
	}
	return int(n), nil
}
