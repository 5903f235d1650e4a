package main

import (
	"errors"
	"strings"
	"testing"
)

func TestAnAnswerIsFoundOnlyWhenItIsComplete(t *testing.T) {
	const whole = "HTTP/1.1 201 Created\r\nDate: today\r\ncontent-LENGTH:  5 \r\nX: y\r\n\r\nhello"
	for n := range len(whole) {
		if a, complete, err := parseAnswer([]byte(whole[:n])); complete || err != nil {
			t.Fatalf("of %q: %+v, complete %v, %v", whole[:n], a, complete, err)
		}
	}
	a, complete, err := parseAnswer([]byte(whole))
	if want := (answer{status: 201, head: len(whole) - 5, size: len(whole)}); a != want || !complete || err != nil {
		t.Fatalf("%+v, complete %v, %v; want %+v", a, complete, err, want)
	}
	// Bytes that follow belong to somebody else; size says so.
	if a, complete, _ := parseAnswer([]byte(whole + "HTTP/1.1 2")); !complete || a.size != len(whole) {
		t.Fatalf("with more behind it: %+v, complete %v", a, complete)
	}
}

func TestAnAnswerWhoseEndIsUnknownIsAnError(t *testing.T) {
	for in, want := range map[string]error{
		"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n": errNotHTTP,
		"hello":                                         errNotHTTP,
		"HTTP/1.1 2x0 OK\r\n\r\n":                       errNotHTTP,
		"HTTP/1.1 20\r\n\r\n":                           errNotHTTP,
		"HTTP/1.1 2000 OK\r\n\r\n":                      errNotHTTP,
		"HTTP/1.1 200 OK\r\n\r\n":                       errNoLength,
		"HTTP/1.1 200 OK\r\nContent-Length: ":           nil, // may still become one
		"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n": errNoLength,
		"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n": errNoLength,
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n":  errNoLength,
		"HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", headerBytesMax):    errHeaderSize,
	} {
		if _, complete, err := parseAnswer([]byte(in)); complete || !errors.Is(err, want) {
			t.Errorf("%.80q: complete %v, %v; want %v", in, complete, err, want)
		}
	}
}
