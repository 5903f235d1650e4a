package ingress

import (
	"bytes"
	"strings"

	"github.com/valyala/fasthttp"
)

// alike (同式) is the head of a request on a connection that fasthttp has read, cut around what differs from request to request: the
// idempotency key and the length of the body. A client's heads are alike but for these. So the next one need not be read again:
// byte for byte the same means the same, and the two values are taken only in a form of which there are no two opinions.
// Whatever else comes is fasthttp's to read.
type alike struct {
	parts    [3][]byte // before, between and behind the two values; nil: none is known
	keyFirst bool
	longest  int    // bytes of the head it was cut from: how long one may be, fasthttp decides
	language []byte // what it says of languages, or nothing
	learned  int
}

// alikeMax is how many heads of a connection are cut. A client, or what stands before it, may put something new into each.
const alikeMax = 4

const (
	lengthHeader = "Content-Length"
	// lengthDigits is how long the length of a body may be written: as plainMax, beyond which a request goes another way.
	lengthDigits = 5
)

// learn cuts a head that fasthttp has read as h and found to be plain.
func (a *alike) learn(head []byte, h *fasthttp.RequestHeader) {
	if a.learned == alikeMax {
		return
	}
	a.learned++
	a.parts = [3][]byte{}
	key, ok1 := valueIn(head, keyHeader)
	length, ok2 := valueIn(head, lengthHeader)
	if !ok1 || !ok2 {
		return
	}
	a.keyFirst = key.from < length.from
	first, second := key, length
	if !a.keyFirst {
		first, second = length, key
	}
	kept := bytes.Clone(head)
	a.parts = [3][]byte{kept[:first.from], kept[first.to:second.from], kept[second.to:]}
	a.longest, a.language = len(head), bytes.Clone(h.Peek(fasthttp.HeaderAcceptLanguage))
	if key, length, _, ok := a.read(head); !ok || !bytes.Equal(key, h.Peek(keyHeader)) || length != h.ContentLength() {
		a.parts = [3][]byte{} // fasthttp reads something else there
	}
}

// span is a part of a head.
type span struct{ from, to int }

// valueIn finds the value of a field that a head has once, in one line, as everybody writes it.
func valueIn(head []byte, name string) (found span, ok bool) {
	at := 0
	for line := range bytes.SplitAfterSeq(head, []byte("\r\n")) {
		if len(line) > len(name) && strings.EqualFold(string(line[:len(name)]), name) {
			if ok || !bytes.HasPrefix(line[len(name):], []byte(": ")) {
				return span{}, false
			}
			found, ok = span{at + len(name) + len(": "), at + len(line) - len("\r\n")}, true
		}
		at += len(line)
	}
	return found, ok
}

// read reads the next head; not ok: it is not alike, not good or not all there.
func (a *alike) read(data []byte) (key []byte, length, end int, ok bool) {
	var values [2][]byte
	at := 0
	for i, part := range a.parts {
		if len(part) == 0 || !bytes.HasPrefix(data[at:], part) {
			return nil, 0, 0, false
		}
		if at += len(part); i == len(values) {
			break
		}
		size := bytes.IndexByte(data[at:], '\r')
		if size < 0 {
			return nil, 0, 0, false
		}
		values[i] = data[at : at+size]
		at += size
	}
	key, digits := values[0], values[1]
	if !a.keyFirst {
		key, digits = digits, key
	}
	length, ok = plainLength(digits)
	return key, length, at, ok && at <= a.longest && checkKey(key) == nil
}

// plainLength reads the length of a body that is not empty, if it is written in the only way that has one meaning.
func plainLength(digits []byte) (length int, ok bool) {
	if len(digits) == 0 || len(digits) > lengthDigits || digits[0] == '0' {
		return 0, false
	}
	for _, d := range digits {
		if d < '0' || d > '9' {
			return 0, false
		}
		length = 10*length + int(d-'0')
	}
	return length, true
}
