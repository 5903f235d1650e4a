package standin

import "github.com/suanpan-bank/suanpan/ledger"

// Reason says why a client is evicted.
type Reason uint8

// The values are the protocol's. The client library reports those of the release as
// ErrClientReleaseTooLow and ErrClientReleaseTooHigh, all others as ErrClientEvicted.
const (
	ReasonNoSession              Reason = 1
	ReasonReleaseTooLow          Reason = 2
	ReasonReleaseTooHigh         Reason = 3
	ReasonInvalidOperation       Reason = 4
	ReasonInvalidRequestBody     Reason = 5
	ReasonInvalidRequestBodySize Reason = 6
	ReasonSessionTooLow          Reason = 7
	ReasonReleaseMismatch        Reason = 8
)

// clientsMax is how many sessions the server keeps.
const clientsMax = 64

// session is a client that has registered. It has at most one request under way, so the last
// reply is all that has to be kept to answer whatever it repeats.
type session struct {
	number   uint64 // the commit that registered it
	request  uint32 // the last one
	checksum ledger.Uint128
	reply    message
	used     uint64 // the commit of the last request; the smallest of all is the longest idle
}

// sessions is the table of clients.
type sessions map[ledger.Uint128]*session

// longestIdle returns the client whose last commit lies furthest back.
func (s sessions) longestIdle() (client ledger.Uint128) {
	oldest := ^uint64(0)
	for id, session := range s {
		if session.used < oldest {
			oldest, client = session.used, id
		}
	}
	return client
}
