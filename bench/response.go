package main

import (
	"bytes"
	"errors"
)

// headerBytesMax bounds a response's head: more means we have lost our place in the stream.
const headerBytesMax = 8 << 10

var (
	errNotHTTP    = errors.New("the answer is not HTTP/1.1")
	errNoLength   = errors.New("the answer has no usable Content-Length")
	errHeaderSize = errors.New("the head of the answer does not end")

	headEnd       = []byte("\r\n\r\n")
	statusLine    = []byte("HTTP/1.1 ")
	contentLength = []byte("content-length:")
)

// answer is where a response lies in the buffer it was read into.
type answer struct {
	status int
	head   int // bytes of status line and headers
	size   int // bytes of the whole response
}

// parseAnswer reads just enough of a response to know its status and where it ends. It returns false
// while the response is incomplete. Everything else in it costs the generator nothing.
func parseAnswer(b []byte) (answer, bool, error) {
	if n := min(len(b), len(statusLine)); !bytes.Equal(b[:n], statusLine[:n]) {
		return answer{}, false, errNotHTTP
	}
	end := bytes.Index(b, headEnd)
	if end < 0 {
		if len(b) > headerBytesMax {
			return answer{}, false, errHeaderSize
		}
		return answer{}, false, nil
	}
	a := answer{head: end + len(headEnd)}
	var ok bool
	if a.status, ok = threeDigits(b[len(statusLine):end]); !ok {
		return answer{}, false, errNotHTTP
	}
	length, ok := lengthOf(b[:end+2])
	if !ok {
		return answer{}, false, errNoLength
	}
	a.size = a.head + length
	return a, len(b) >= a.size, nil
}

func threeDigits(b []byte) (int, bool) {
	if len(b) < 3 || len(b) > 3 && b[3] != ' ' && b[3] != '\r' {
		return 0, false
	}
	n, ok := decimal(b[:3])
	return n, ok && n >= 100
}

// lengthOf finds Content-Length in a head whose lines all end in \r\n.
func lengthOf(head []byte) (int, bool) {
	for {
		eol := bytes.IndexByte(head, '\n')
		if eol < 0 {
			return 0, false
		}
		line := head[:eol]
		head = head[eol+1:]
		if n := len(contentLength); len(line) > n && line[0]|0x20 == 'c' && bytes.EqualFold(line[:n], contentLength) {
			return decimal(bytes.Trim(line[n:], " \r"))
		}
	}
}

// bodyBytesMax bounds a response body: 1,000 results of a batch take well under a megabyte.
const bodyBytesMax = 16 << 20

func decimal(b []byte) (int, bool) {
	n := 0
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		if n = n*10 + int(c-'0'); n > bodyBytesMax {
			return 0, false
		}
	}
	return n, len(b) > 0
}
