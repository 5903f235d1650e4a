package standin

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/suanpan-bank/suanpan/ledger"
)

// message is one message on the wire: a header of 256 bytes and a body.
type message []byte

const (
	headerSize     = 256
	messageSizeMax = 1 << 20
)

// Offsets in a header, common to all commands.
const (
	atChecksum     = 0
	atChecksumBody = 32
	atCluster      = 80
	atSize         = 96
	atEpoch        = 100
	atRelease      = 108
	atProtocol     = 112
	atCommand      = 114
	atReplica      = 115
	atOfCommand    = 128 // what is particular to the command begins here
)

type command uint8

const (
	commandPingClient command = 3
	commandPongClient command = 4
	commandRequest    command = 5
	commandReply      command = 8
	commandEviction   command = 18
)

// release is the version spoken, 0.17.9: patch, minor, then major in 16 bits.
const release uint32 = 0<<16 | 17<<8 | 9

// errMalformed is wrapped by what is wrong with the bytes of a connection. Nothing after such a
// message can be trusted, so the connection ends.
var errMalformed = errors.New("malformed message")

// readMessage reads one message, of at most messageSizeMax bytes, and verifies its checksums.
// The header is verified before anything is allocated on its word.
func (c *checksum) readMessage(r io.Reader) (message, error) {
	var header [headerSize]byte
	if _, err := io.ReadFull(r, header[:]); err != nil {
		return nil, err
	}
	m := message(header[:])
	if c.of(m[16:]) != uint128At(m, atChecksum) {
		return nil, fmt.Errorf("%w: checksum of the header", errMalformed)
	}
	size := binary.LittleEndian.Uint32(m[atSize:])
	switch {
	case size < headerSize || size > messageSizeMax:
		return nil, fmt.Errorf("%w: size %d", errMalformed, size)
	case !zero(m[16:32]) || !zero(m[48:80]) || !zero(m[116:atOfCommand]):
		return nil, fmt.Errorf("%w: padding or nonce not zero", errMalformed)
	case binary.LittleEndian.Uint32(m[atEpoch:]) != 0:
		return nil, fmt.Errorf("%w: epoch %d", errMalformed, binary.LittleEndian.Uint32(m[atEpoch:]))
	case binary.LittleEndian.Uint16(m[atProtocol:]) != 0:
		return nil, fmt.Errorf("%w: protocol %d", errMalformed, binary.LittleEndian.Uint16(m[atProtocol:]))
	}
	m = make(message, size)
	copy(m, header[:])
	if _, err := io.ReadFull(r, m[headerSize:]); err != nil {
		return nil, err
	}
	if c.of(m[headerSize:]) != uint128At(m, atChecksumBody) {
		return nil, fmt.Errorf("%w: checksum of the body", errMalformed)
	}
	return m, nil
}

// newMessage returns a message of the one replica there is, with room for the body; what belongs
// to the command is for the caller to fill in before seal.
func newMessage(cmd command, cluster ledger.Uint128, bodySize int) message {
	m := make(message, headerSize+bodySize)
	putUint128(m[atCluster:], cluster)
	binary.LittleEndian.PutUint32(m[atSize:], uint32(len(m)))
	binary.LittleEndian.PutUint32(m[atRelease:], release)
	m[atCommand] = byte(cmd)
	return m
}

// seal writes the checksums, after which m must not change.
func (c *checksum) seal(m message) message {
	putUint128(m[atChecksumBody:], c.of(m[headerSize:]))
	putUint128(m[atChecksum:], c.of(m[16:headerSize]))
	return m
}

func (m message) command() command        { return command(m[atCommand]) }
func (m message) cluster() ledger.Uint128 { return uint128At(m, atCluster) }
func (m message) body() []byte            { return m[headerSize:] }

// request is what a client asks for.
type request struct {
	checksum  ledger.Uint128 // tells a repetition from a second request with the same number
	client    ledger.Uint128
	session   uint64
	number    uint32
	operation Operation
	release   uint32
	body      []byte
}

func requestOf(m message) (request, error) {
	r := request{
		checksum:  uint128At(m, atChecksum),
		client:    uint128At(m, 160),
		session:   binary.LittleEndian.Uint64(m[176:]),
		number:    binary.LittleEndian.Uint32(m[192:]),
		operation: Operation(m[196]),
		release:   binary.LittleEndian.Uint32(m[atRelease:]),
		body:      m.body(),
	}
	switch {
	case r.client.IsZero():
		return r, fmt.Errorf("%w: request without a client", errMalformed)
	case !zero(m[144:160]) || !zero(m[184:192]) || !zero(m[197:200]) || !zero(m[204:headerSize]):
		return r, fmt.Errorf("%w: reserved bytes of a request not zero", errMalformed)
	case r.operation == operationRegister && (r.number != 0 || r.session != 0 || len(r.body) != registerSize):
		return r, fmt.Errorf("%w: register number %d of session %d with %d bytes", errMalformed, r.number, r.session, len(r.body))
	case r.operation != operationRegister && (r.number == 0 || r.session == 0):
		return r, fmt.Errorf("%w: request number %d of session %d", errMalformed, r.number, r.session)
	}
	return r, nil
}

// replyTo answers a request that was committed as number op.
func (c *checksum) replyTo(r *request, cluster ledger.Uint128, op, timestamp uint64, body []byte) message {
	m := newMessage(commandReply, cluster, len(body))
	copy(m.body(), body)
	binary.LittleEndian.PutUint32(m[atRelease:], r.release)
	putUint128(m[128:], r.checksum)
	// The context names what the client's next request follows. Any value that differs from
	// reply to reply does.
	putUint128(m[160:], r.checksum)
	putUint128(m[192:], r.client)
	binary.LittleEndian.PutUint64(m[208:], op)
	binary.LittleEndian.PutUint64(m[216:], op) // committed
	binary.LittleEndian.PutUint64(m[224:], timestamp)
	binary.LittleEndian.PutUint32(m[232:], r.number)
	m[236] = byte(r.operation)
	return c.seal(m)
}

// ping asks whether the server, and the client's session, are still there.
type ping struct {
	client    ledger.Uint128
	timestamp uint64 // the client's, sent back
	session   uint64 // 0 before it has registered
}

func pingOf(m message) ping {
	return ping{
		client:    uint128At(m, 128),
		timestamp: binary.LittleEndian.Uint64(m[144:]),
		session:   binary.LittleEndian.Uint64(m[152:]),
	}
}

func (c *checksum) pongTo(p ping, cluster ledger.Uint128) message {
	m := newMessage(commandPongClient, cluster, 0)
	binary.LittleEndian.PutUint64(m[128:], p.timestamp)
	return c.seal(m)
}

func (c *checksum) eviction(client, cluster ledger.Uint128, reason Reason) message {
	m := newMessage(commandEviction, cluster, 0)
	putUint128(m[128:], client)
	m[255] = byte(reason)
	return c.seal(m)
}

func uint128At(b []byte, at int) ledger.Uint128 {
	return ledger.Uint128OfWire(b[at:])
}

func putUint128(b []byte, v ledger.Uint128) {
	binary.LittleEndian.PutUint64(b, v.Lo)
	binary.LittleEndian.PutUint64(b[8:], v.Hi)
}

func zero(b []byte) bool {
	for _, v := range b {
		if v != 0 {
			return false
		}
	}
	return true
}
