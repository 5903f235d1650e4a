package actors

import "unsafe"

// A transfer touches some thirty lines of memory of two customers, each found through the one before, and with many
// customers hardly one of them is in a processor's cache. Waiting for them one after the other took longer than all
// that is reckoned. So a round asks for what all of its commands will need before it handles the first: for
// everything of one kind, then for what is found there.

// lookAhead asks for the memory that the turns that are coming will need. Nothing depends on it but speed.
func (r *round) lookAhead() {
	var commands [roundMax]*Request
	n := 0
	for _, t := range r.coming {
		m, ok := t.(*shardMailbox)
		if !ok {
			continue
		}
		m.peek()
		for _, message := range m.taken {
			if command, ok := message.(*Request); ok && n < roundMax {
				prefetch(unsafe.Pointer(command), unsafe.Sizeof(*command))
				commands[n] = command
				n++
			}
		}
	}
	for _, c := range commands[:n] {
		prefetch(unsafe.Pointer(c.Call), unsafe.Sizeof(*c.Call))
		for _, s := range [...]*slot{c.slot, c.payee} {
			if s != nil {
				prefetch(unsafe.Pointer(s), unsafe.Sizeof(*s))
			}
		}
	}
	for _, c := range commands[:n] {
		if c.slot != nil && c.slot.actor != nil {
			prefetch(unsafe.Pointer(c.slot.actor), unsafe.Sizeof(*c.slot.actor))
			if accounts := c.slot.customer.Accounts; len(accounts) > 0 {
				prefetch(unsafe.Pointer(&accounts[0]), unsafe.Sizeof(accounts[0]))
			}
			c.slot.lookAhead()
		}
		if c.payee != nil {
			c.payee.lookAhead()
		}
	}
}

// lookAhead asks for what the slot's lock guards, unless somebody has it.
func (s *slot) lookAhead() {
	if !s.mu.TryLock() {
		return
	}
	accounts := s.desk.Accounts
	s.mu.Unlock()
	if len(accounts) > 0 {
		prefetch(unsafe.Pointer(&accounts[0]), unsafe.Sizeof(accounts[0]))
	}
}
