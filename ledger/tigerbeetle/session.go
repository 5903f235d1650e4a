package tigerbeetle

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/suanpan-bank/suanpan/ledger"
)

// client is the client library in the terms of package ledger. A call returns when the cluster has
// answered or the client has ended, however long that takes; it doesn't touch its arguments
// afterwards. Each of the creates is called by one goroutine, all else by any. Errors: ledger.ErrTooMuchData, where nothing was sent; errLost, where this client
// will never answer again; anything else is a fault of the library.
type client interface {
	createAccounts([]ledger.Account) ([]ledger.CreateAccountResult, error)
	createTransfers([]ledger.Transfer) ([]ledger.CreateTransferResult, error)
	lookupAccounts([]ledger.Uint128) ([]ledger.Account, error)
	lookupTransfers([]ledger.Uint128) ([]ledger.Transfer, error)
	accountTransfers(ledger.AccountFilter) ([]ledger.Transfer, error)
	accountBalances(ledger.AccountFilter) ([]ledger.AccountBalance, error)
	queryAccounts(ledger.QueryFilter) ([]ledger.Account, error)
	queryTransfers(ledger.QueryFilter) ([]ledger.Transfer, error)
	changeEvents(ledger.ChangeEventsFilter) ([]ledger.ChangeEvent, error)
	close() // ends every call in progress with errLost
}

// dialer makes a client. It doesn't wait for the cluster.
type dialer func(cluster ledger.Uint128, numericAddresses []string) (client, error)

// errLost says that a client has ended: evicted, closed, or of a release the cluster won't serve.
var errLost = errors.New("the client has ended")

// session is one client and what became of it.
type session struct {
	client    client // nil while there was none to be had
	addresses []string
	lost      bool          // guarded by Ledger.mu
	next      chan struct{} // closed when another session has taken its place
	once      sync.Once     // close
}

// close may be called from several goroutines; each returns when the client has ended.
func (s *session) close() {
	s.once.Do(func() {
		if s.client != nil {
			s.client.close()
		}
	})
}

// connect makes a session.
func (l *Ledger) connect() (*session, error) {
	addresses, err := l.resolve()
	if err != nil {
		return nil, err
	}
	c, err := l.dial(l.options.Cluster, addresses)
	if err != nil {
		return nil, fmt.Errorf("tigerbeetle: client for %v: %w", addresses, err)
	}
	return &session{client: c, addresses: addresses, next: make(chan struct{})}, nil
}

// connectFirst fails where no client can be made on this machine. A name that leads nowhere may
// do so later.
func (l *Ledger) connectFirst() error {
	s, err := l.connect()
	var unresolved *unresolvedError
	switch {
	case err == nil:
		l.stats.Clients++
		l.session = s
		return nil
	case errors.As(err, &unresolved):
		l.session = &session{next: make(chan struct{})}
		l.mu.Lock()
		defer l.mu.Unlock()
		l.lose(l.session, err)
		return nil
	}
	return err
}

// unresolvedError is a name the resolver has no single address for.
type unresolvedError struct{ err error }

func (e *unresolvedError) Error() string { return e.err.Error() }
func (e *unresolvedError) Unwrap() error { return e.err }

// resolve asks the resolver, for UnavailableAfter at most and not beyond Close.
func (l *Ledger) resolve() ([]string, error) {
	ctx, cancel := context.WithTimeout(l.life, l.options.UnavailableAfter)
	defer cancel()
	addresses, err := resolve(ctx, l.addresses, l.options.Resolve)
	if err != nil {
		return nil, &unresolvedError{err}
	}
	return addresses, nil
}

// exchange runs do with the client. A client that ends meanwhile is replaced and do is run once
// more: whatever it sends carries the same ids, so that it is done at most once.
func exchange[T any](l *Ledger, do func(client) (T, error)) (answer T, err error) {
	l.mu.Lock()
	if l.pulse.owed++; l.pulse.owed == 1 {
		l.pulse.silent = 0
	}
	l.mu.Unlock()
	defer func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.pulse.owed--
		if err == nil {
			l.heard()
		}
	}()
	for try := range 2 {
		s, ended := l.living()
		if ended != nil {
			if try == 0 {
				err = ended
			}
			return answer, err
		}
		answer, err = do(s.client)
		if !errors.Is(err, errLost) {
			return answer, err
		}
		l.mu.Lock()
		l.lose(s, err)
		l.mu.Unlock()
	}
	return answer, err
}

// living returns the current session, waiting for one if need be. It fails when the Ledger is closed.
func (l *Ledger) living() (*session, error) {
	for {
		l.mu.Lock()
		s, closed, lost := l.session, l.closed, l.session.lost
		l.mu.Unlock()
		switch {
		case closed:
			return nil, ledger.ErrClosed
		case !lost:
			return s, nil
		}
		select {
		case <-s.next:
		case <-l.life.Done():
		}
	}
}

// lose notes that a session is over and has it replaced. Called with mu held.
func (l *Ledger) lose(s *session, why error) {
	if s.lost || l.closed {
		return
	}
	s.lost = true
	l.stats.LastFault = why.Error()
	if !l.renewing {
		l.renewing = true
		l.owned.Go(l.renew)
	}
}

// renew replaces the session until it has one that isn't lost, at most one every RenewEvery. The
// old client ends before a new one begins: at any time there is one.
func (l *Ledger) renew() {
	for {
		l.mu.Lock()
		old := l.session
		if l.closed || !old.lost {
			l.renewing = false
			l.mu.Unlock()
			return
		}
		l.mu.Unlock()

		old.close()
		if s, err := l.connect(); err == nil {
			l.install(old, s)
		} else {
			l.mu.Lock()
			l.stats.LastFault = err.Error()
			l.mu.Unlock()
		}

		pause := time.NewTimer(l.options.RenewEvery)
		select {
		case <-pause.C:
		case <-l.life.Done():
			pause.Stop()
		}
	}
}

func (l *Ledger) install(old, s *session) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed { // Close has seen to the old one only
		l.owned.Go(s.close)
		return
	}
	l.session = s
	l.stats.Clients++
	close(old.next)
	l.accounts.ready.Broadcast()
	l.transfers.ready.Broadcast()
}

// lookAgain replaces the session if names lead elsewhere by now.
func (l *Ledger) lookAgain() {
	addresses, err := l.resolve()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.pulse.resolving = false
	switch {
	case err != nil:
		l.stats.LastFault = err.Error()
	case !l.session.lost && !slices.Equal(addresses, l.session.addresses):
		l.lose(l.session, fmt.Errorf("the cluster has moved to %v", addresses))
	}
}
