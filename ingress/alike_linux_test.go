package ingress

import (
	"bufio"
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/valyala/fasthttp"
	"pgregory.net/rapid"
)

// learned is what is known of a head behind a connection's first request, as fasthttp has read it.
func learned(t interface{ Fatal(...any) }, head string) *alike {
	var h fasthttp.RequestHeader
	if err := h.Read(bufio.NewReader(strings.NewReader(head))); err != nil {
		t.Fatal(err)
	}
	a := new(alike)
	a.learn([]byte(head), &h)
	return a
}

const usualHead = "POST /v1/transfers HTTP/1.1\r\nHost: bank\r\nAccept-Language: zh\r\nIdempotency-Key: abc-1\r\nX-App: 1\r\nContent-Length: 20\r\n\r\n"

func TestAHeadThatIsAlikeIsNotReadAgain(t *testing.T) {
	turned := strings.Replace(strings.Replace(usualHead, "Idempotency-Key: abc-1\r\n", "", 1), "Content-Length: 20\r\n", "content-length: 20\r\nidempotency-key: abc-1\r\n", 1)
	for _, head := range []string{usualHead, turned} {
		a := learned(t, head)
		next := strings.Replace(strings.Replace(head, "abc-1", "xyz-2", 1), ": 20\r\n", ": 7\r\n", 1)
		key, length, end, ok := a.read([]byte(next + "{}     POST"))
		if !ok || string(key) != "xyz-2" || length != 7 || end != len(next) || string(a.language) != "zh" {
			t.Errorf("%q: %q %d %d %t %q", next, key, length, end, ok, a.language)
		}
	}
}

func TestWhatIsNotAlikeIsReadByFasthttp(t *testing.T) {
	a := learned(t, usualHead)
	for _, change := range [][2]string{
		{"bank", "Bank"}, {"POST", "post"}, {"1.1", "1.0"}, {"abc-1", ""}, {"abc-1", "a b"}, {"abc-1", "\tab-1"}, {"abc-1", "银行"}, {"abc-1", "abc-1\r\nX: y"}, {"abc-1", "a\n:-1"},
		{"abc-1", strings.Repeat("k", 6)}, {": 20", ": 020"}, {": 20", ": +2"}, {": 20", ": 2 "}, {": 20", ": 0"}, {": 20", ": "}, {": 20", ":20"}, {": 20", ": 2x"},
		{": 20", ": 999999"}, {"\r\n\r\n", "\r\nExpect: 100-continue\r\n\r\n"}, {"X-App", "X-APP"}, {"\r\n\r\n", "\r\n"},
	} {
		if key, length, _, ok := a.read([]byte(strings.Replace(usualHead, change[0], change[1], 1))); ok {
			t.Errorf("%q for %q: key %q, length %d", change[1], change[0], key, length)
		}
	}
	if _, _, _, ok := new(alike).read([]byte(usualHead)); ok {
		t.Error("of a connection nothing is known")
	}
}

// What fasthttp reads otherwise than it stands there is not known afterwards.
func TestHeadsOfTwoMeaningsAreNotLearned(t *testing.T) {
	read := 0
	for _, change := range [][2]string{
		{"X-App: 1", "Content-Length: 20"}, {"X-App: 1", "idempotency-key: abc-1"}, {"X-App: 1", "Idempotency-Keys: 1"}, {"Idempotency-Key: ", "Idempotency-Key:"},
		{"Idempotency-Key: ", "Idempotency-Key:  "}, {"Content-Length: 20", "Content-Length: 020"}, {"Idempotency-Key: abc-1\r\n", ""}, {"abc-1", "a\tb"},
	} {
		head := strings.Replace(usualHead, change[0], change[1], 1)
		var h fasthttp.RequestHeader
		if h.Read(bufio.NewReader(strings.NewReader(head))) != nil {
			continue // it is refused as it is
		}
		read++
		a := new(alike)
		a.learn([]byte(head), &h)
		if _, _, _, ok := a.read([]byte(head)); ok {
			t.Errorf("%q was learned", head)
		}
	}
	if read < 4 {
		t.Errorf("fasthttp reads %d of them", read)
	}
	a := learned(t, usualHead)
	for i := range 2 * alikeMax {
		head := strings.Replace(usualHead, "X-App: 1", fmt.Sprintf("X-App: %d", i), 1)
		var h fasthttp.RequestHeader
		if err := h.Read(bufio.NewReader(strings.NewReader(head))); err != nil {
			t.Fatal(err)
		}
		a.learn([]byte(head), &h)
		if _, _, _, ok := a.read([]byte(head)); ok != (i < alikeMax-1) {
			t.Errorf("head %d is known: %t", i+2, ok)
		}
	}
}

// Whatever is taken as alike is what fasthttp reads.
func FuzzAlike(f *testing.F) {
	f.Add([]byte(usualHead), []byte(strings.Replace(usualHead, "abc-1", "abc-2", 1)))
	f.Add([]byte(usualHead), []byte(strings.Replace(usualHead, ": 20", ": 21", 1)))
	f.Add([]byte(strings.ReplaceAll(usualHead, "\r\nX", "\r\n X")), []byte(usualHead))
	f.Add([]byte(strings.ReplaceAll(usualHead, "\r\nX", "\nX")), []byte(usualHead))
	f.Fuzz(func(t *testing.T, first, second []byte) {
		end := bytes.Index(first, headEnd)
		var h fasthttp.RequestHeader
		if end < 0 || h.Read(bufio.NewReader(bytes.NewReader(first[:end+len(headEnd)]))) != nil {
			return
		}
		a := new(alike)
		a.learn(first[:end+len(headEnd)], &h)
		key, length, size, ok := a.read(second)
		if !ok {
			return
		}
		var h2 fasthttp.RequestHeader
		if err := h2.Read(bufio.NewReader(bytes.NewReader(second[:size]))); err != nil {
			t.Fatalf("%q is refused: %v", second[:size], err)
		}
		if string(h2.Peek(keyHeader)) != string(key) || h2.ContentLength() != length || string(h2.Peek(fasthttp.HeaderAcceptLanguage)) != string(a.language) ||
			h2.ConnectionClose() != h.ConnectionClose() || string(h2.Host()) != string(h.Host()) || string(h2.Method()) != string(h.Method()) || string(h2.ContentType()) != string(h.ContentType()) {
			t.Fatalf("behind %q\n%q is read as %q %d\n%s", first, second[:size], key, length, &h2)
		}
	})
}

// Keys and lengths of all kinds, behind each other on one connection.
func TestAPensReplyIsWhatFasthttpWrites(t *testing.T) {
	loops, alone := openFacade(t, Limits{}, nil), openFacade(t, Limits{}, plainlyServed)
	rapid.Check(t, func(rt *rapid.T) {
		var all strings.Builder
		for range rapid.IntRange(1, 6).Draw(rt, "requests") {
			key := rapid.StringMatching(`[!-~]{0,12}`).Draw(rt, "key")
			all.WriteString(paying(rapid.IntRange(1, 3).Draw(rt, "fen"), key, rapid.IntRange(0, 40).Draw(rt, "padding")))
		}
		cut := rapid.IntRange(0, all.Len()).Draw(rt, "cut")
		same(t, loops, alone, []string{all.String()[:cut], all.String()[cut:]})
	})
}
