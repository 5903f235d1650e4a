package ingress

import (
	"bytes"
	"strconv"
	"time"

	"github.com/valyala/fasthttp"
)

// pen (笔) writes replies, in memory that it uses again. A loop has one, and its scribe another.
type pen struct {
	out  []byte // a reply on its way into its socket
	body []byte // of a transfer that was made
	// The head of such a reply as fasthttp writes it in this second, before and behind the body's length.
	before, behind []byte
	second         int64
}

// transferred writes the body of the usual reply: a transfer was made, and not before. Any other reply has its own way.
func (p *pen) transferred(e *exchange) (written bool) {
	if e.call.Err != nil || e.call.Receipt.Refusal != nil || e.call.Receipt.Repeated {
		return false
	}
	body, err := transferReplyOf(&e.call.Receipt).appendJSON(p.body[:0])
	if err != nil {
		return false
	}
	p.body = append(body, '\n')
	return true
}

// reply is the whole of that reply.
func (p *pen) reply(now time.Time) []byte {
	if second := now.Unix(); second != p.second || p.before == nil {
		p.second = second
		var r fasthttp.Response
		r.SetStatusCode(transfers.status)
		r.Header.SetContentType(jsonType)
		r.SetBodyRaw([]byte{'1'})
		head := appendReply(nil, &r, false)
		head = head[:len(head)-1]
		length := []byte("\r\nContent-Length: 1\r\n")
		at := bytes.Index(head, length) + len(length)
		p.before, p.behind = head[:at-len("1\r\n")], head[at-len("\r\n"):]
	}
	p.out = append(p.out[:0], p.before...)
	p.out = strconv.AppendInt(p.out, int64(len(p.body)), 10)
	p.out = append(append(p.out, p.behind...), p.body...)
	return p.out
}
