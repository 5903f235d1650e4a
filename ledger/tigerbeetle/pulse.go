package tigerbeetle

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/suanpan-bank/suanpan/ledger"
)

// pulse is what we know of the cluster's life. Guarded by Ledger.mu.
//
// It is measured in beats of a ticker, not with a clock: a process that was itself suspended
// for a while hears few beats when it wakes and doesn't take its own sleep for the cluster's.
type pulse struct {
	out     bool            // calls fail at once
	service context.Context // ends, with the reason, when the cluster is given up or at Close
	give    context.CancelCauseFunc

	owed      int // exchanges without an answer so far
	silent    int // beats since the last answer, while one is owed
	idle      int // beats since the last answer
	probing   bool
	resolving bool
}

const (
	// beatsPerSilence divides UnavailableAfter: silence is noticed in its last eighth.
	beatsPerSilence = 8
	// silencesUntilLost is how many UnavailableAfter a request may take while the cluster answers
	// others. One request is on its way at a time, so the client must have lost this one.
	silencesUntilLost = 10
)

// probeID is of no account: our ids are never so near the largest one.
var probeID = ledger.Uint128{Lo: ^uint64(1), Hi: ^uint64(0)}

// begin with the cluster out: nothing has been heard of it.
func (p *pulse) begin() {
	p.out = true
	p.service, p.give = context.WithCancelCause(context.Background())
	p.end(errOut)
}

// end releases all who wait.
func (p *pulse) end(why error) { p.give(why) }

// heard notes an answer of the cluster. Called with mu held.
func (l *Ledger) heard() {
	p := &l.pulse
	p.silent, p.idle = 0, 0
	if !p.out || l.closed {
		return
	}
	p.out = false
	p.service, p.give = context.WithCancelCause(context.Background())
	l.accounts.beats, l.transfers.beats = 0, 0
}

// watch beats until Close.
func (l *Ledger) watch() {
	every := max(l.options.UnavailableAfter/beatsPerSilence, 1)
	tick := time.NewTicker(every)
	defer tick.Stop()
	probeBeats := max(1, int(l.options.ProbeEvery/every))
	for beat := 1; ; beat++ {
		select {
		case <-l.life.Done():
			return
		case <-tick.C:
		}
		l.beat(beat%probeBeats == 0, probeBeats)
	}
}

func (l *Ledger) beat(resolveNow bool, probeBeats int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return
	}
	p := &l.pulse
	p.idle++
	if p.owed > 0 || l.session.lost {
		p.silent++
	} else {
		p.silent = 0
	}
	if !p.out && p.silent >= beatsPerSilence {
		p.out = true
		l.stats.Outages++
		silence := fmt.Errorf("no answer from the cluster for %v", l.options.UnavailableAfter)
		if !l.session.lost {
			l.stats.LastFault = silence.Error()
		}
		p.end(silence)
	}
	if !p.out {
		l.dropStuck()
	}
	if !p.probing && (p.out || p.owed == 0 && p.idle >= probeBeats) {
		p.probing = true
		l.owned.Go(l.probe)
	}
	if p.out && resolveNow && !p.resolving && !l.session.lost && anyName(l.addresses) {
		p.resolving = true
		l.owned.Go(l.lookAgain)
	}
}

// dropStuck replaces a client that answers, but not the request it has had for very long.
func (l *Ledger) dropStuck() {
	stuck := false
	for _, s := range []struct {
		sending bool
		beats   *int
	}{{l.accounts.sending, &l.accounts.beats}, {l.transfers.sending, &l.transfers.beats}} {
		if s.sending {
			*s.beats++
			stuck = stuck || *s.beats > silencesUntilLost*beatsPerSilence
		}
	}
	if stuck {
		l.accounts.beats, l.transfers.beats = 0, 0
		l.lose(l.session, errors.New("the client holds a request and answers others"))
	}
}

// probe asks for an account that doesn't exist. While the cluster is gone this waits in the client
// like everything else and is answered as soon as it is back; the library's own no-op is never sent.
func (l *Ledger) probe() {
	_, err := exchange(l, func(c client) ([]ledger.Account, error) {
		return c.lookupAccounts([]ledger.Uint128{probeID})
	})
	l.mu.Lock()
	defer l.mu.Unlock()
	l.pulse.probing = false
	if err == nil {
		l.stats.Reads++
	} else if !l.closed {
		l.stats.LastFault = err.Error()
	}
}

// awaitFirstAnswer gives the cluster UnavailableAfter to answer, so that calls made right after
// Open don't fail for want of a first answer.
func (l *Ledger) awaitFirstAnswer() {
	l.mu.Lock()
	l.pulse.probing = true
	answered := make(chan struct{})
	l.owned.Go(func() {
		defer close(answered)
		l.probe()
	})
	l.mu.Unlock()
	patience := time.NewTimer(l.options.UnavailableAfter)
	defer patience.Stop()
	select {
	case <-answered:
	case <-patience.C:
	}
}
