package ingress

import (
	"math"
	"strings"
	"unicode/utf8"
	"unsafe"

	"github.com/go-json-experiment/json/jsontext"
)

// The frequent requests, a transfer and a batch, are read without reflection. What is read here is a part
// of what decode reads, with the same result (by fuzzing): a body that is anything but plain, or wrong, is
// left to decode, which also knows what to say about it.

// borrowed is a request's body as a text, without a copy. Nothing of it may be kept for longer than the request.
func borrowed(body []byte) string { return unsafe.String(unsafe.SliceData(body), len(body)) }

// scanner reads JSON as clients usually write it. Anything else makes it odd.
type scanner struct {
	b   []byte
	s   string // the same, so that texts need no memory of their own
	at  int
	odd bool
}

func (s *scanner) space() {
	for s.at < len(s.b) {
		switch s.b[s.at] {
		case ' ', '\t', '\r', '\n':
			s.at++
		default:
			return
		}
	}
}

// next reads one of the bytes between values, and the space around it.
func (s *scanner) next(c byte) bool {
	s.space()
	if s.odd || s.at >= len(s.b) || s.b[s.at] != c {
		return false
	}
	s.at++
	s.space()
	return true
}

func (s *scanner) expect(c byte) {
	if !s.next(c) {
		s.odd = true
	}
}

// text reads a text without escapes. It is a part of the whole body, which lives as long as it does.
func (s *scanner) text() string {
	if s.odd || s.at >= len(s.b) || s.b[s.at] != '"' {
		s.odd = true
		return ""
	}
	ascii := byte(0)
	for i := s.at + 1; i < len(s.b); i++ {
		switch c := s.b[i]; {
		case c == '"':
			text := s.s[s.at+1 : i]
			s.at = i + 1
			s.odd = ascii >= utf8.RuneSelf && !utf8.ValidString(text)
			return text
		case c == '\\' || c < ' ':
			s.odd = true
			return ""
		default:
			ascii |= c
		}
	}
	s.odd = true
	return ""
}

// number reads a whole number that is not negative, as JSON writes one.
func (s *scanner) number() (n int64) {
	first := s.at
	for !s.odd && s.at < len(s.b) && s.b[s.at] >= '0' && s.b[s.at] <= '9' {
		digit := int64(s.b[s.at] - '0')
		s.odd = n > (math.MaxInt64-digit)/10
		n = n*10 + digit
		s.at++
	}
	digits := s.at - first
	s.odd = s.odd || digits == 0 || digits > 1 && s.b[first] == '0'
	return n
}

func (s *scanner) boolean() bool {
	for _, word := range [...]string{"true", "false"} {
		if !s.odd && len(s.b)-s.at >= len(word) && string(s.b[s.at:s.at+len(word)]) == word {
			s.at += len(word)
			return word == "true"
		}
	}
	s.odd = true
	return false
}

// object passes over an object that nothing is to be known of but where it ends. What is read of it is odd by itself.
func (s *scanner) object() (object scanner) {
	first, depth := s.at, 0
	for !s.odd && s.at < len(s.b) {
		switch s.b[s.at] {
		case '"':
			s.text()
			continue
		case '{':
			depth++
		case '}':
			if depth--; depth == 0 {
				s.at++
				return scanner{b: s.b[first:s.at], s: s.s[first:s.at]}
			}
		default:
			s.odd = depth == 0
		}
		s.at++
	}
	s.odd = true
	return scanner{}
}

// members calls read with the name of every member of an object; read reads the value and returns the
// member's number, below 64, to see when one comes twice.
func (s *scanner) members(read func(name string) int) {
	s.expect('{')
	var seen uint64
	for more := !s.next('}'); more && !s.odd; more = !s.odd && !s.next('}') {
		if seen != 0 {
			s.expect(',')
		}
		name := s.text()
		s.expect(':')
		if s.odd {
			return
		}
		member := uint64(1) << read(name)
		s.odd = s.odd || seen&member != 0
		seen |= member
	}
}

// end reports whether everything was read and nothing was odd.
func (s *scanner) end() bool {
	s.space()
	return !s.odd && s.at == len(s.b)
}

// word is a text that may be kept for longer than the body, without a copy of those that often come.
func word(text string) string {
	for _, known := range [...]string{"internal", "in_bound", "out", "inbound", "APP", "BATCH", transfersPath} {
		if text == known {
			return known
		}
	}
	return strings.Clone(text)
}

// scan reads a transfer's body; false if it is not plain, and then in is worthless.
func (in *transferRequest) scan(body []byte) bool {
	return in.read(scanner{b: body, s: borrowed(body)})
}

func (in *transferRequest) read(s scanner) bool {
	s.space()
	s.members(func(name string) int {
		text := func(into *string, member int) int {
			*into = word(s.text())
			return member
		}
		switch name {
		case "kind":
			return text(&in.Kind, 0)
		case "from_account":
			in.FromAccount = s.text()
			return 1
		case "to_account":
			in.ToAccount = s.text()
			return 2
		case "to_bound_card":
			in.ToBoundCard = s.boolean()
			return 3
		case "to_name":
			return text(&in.ToName, 4)
		case "to_bank":
			return text(&in.ToBank, 5)
		case "from_name":
			return text(&in.FromName, 6)
		case "from_bank":
			return text(&in.FromBank, 7)
		case "from_bound_card":
			in.FromBoundCard = s.boolean()
			return 8
		case "channel_serial":
			return text(&in.ChannelSerial, 9)
		case "amount_fen":
			in.AmountFen = s.number()
			return 10
		case "summary":
			return text(&in.Summary, 11)
		case "channel":
			return text(&in.Channel, 12)
		case "accounting_date":
			return text(&in.AccountingDate, 13)
		}
		s.odd = true
		return 0
	})
	if in.Kind != "internal" { // otherwise they become numbers, and nothing is kept of them
		in.FromAccount, in.ToAccount = strings.Clone(in.FromAccount), strings.Clone(in.ToAccount)
	}
	return s.end()
}

// operations reads a batch's body and calls read for each operation; false if the body is not plain.
func (s *scanner) operations(read func()) bool {
	s.space()
	s.members(func(name string) int {
		if name != "operations" {
			s.odd = true
			return 0
		}
		s.expect('[')
		first := true
		for more := !s.next(']'); more && !s.odd; more = !s.odd && !s.next(']') {
			if !first {
				s.expect(',')
			}
			if first = false; !s.odd {
				read()
			}
		}
		return 0
	})
	return s.end()
}

// scan reads an operation. Its key and body are parts of the whole: they are gone with the request.
func (o *batchOperation) scan(s *scanner) {
	s.members(func(name string) int {
		switch name {
		case "idempotency_key":
			o.IdempotencyKey = s.text()
			return 0
		case "path":
			o.Path = word(s.text())
			return 1
		case "body":
			body := s.object()
			o.Body = jsontext.Value(body.b)
			// Of what is not a plain transfer nothing is known but where it ends; if it is not JSON the whole
			// batch is unreadable.
			if o.plain = !s.odd && o.transfer.read(body); !o.plain {
				s.odd = s.odd || !o.Body.IsValid()
			}
			return 2
		}
		s.odd = true
		return 0
	})
}
