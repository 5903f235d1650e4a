package actors

// dispatcher runs the actors' mailboxes on goroutines that it keeps. A new goroutine for each, as
// Proto.Actor's own does it, begins with a small stack that grows in the middle of every decision: copying it
// was a tenth of the CPU of a transfer. One that has run a mailbox before has the stack already.
//
// It never makes anybody wait: when no goroutine is free there is a new one, so a mailbox that waits for the
// disk holds nobody up.
type dispatcher struct {
	work chan func()   // no capacity: it is given only to a goroutine that waits
	keep chan struct{} // a place for each goroutine that may wait
	stop chan struct{}
}

const (
	idleWorkersMax = 1024 // goroutines that wait for work; each keeps some kilobytes of stack
	throughput     = 300  // messages an actor may take before others have their turn; Proto.Actor's default
)

func newDispatcher(stop chan struct{}) *dispatcher {
	return &dispatcher{work: make(chan func()), keep: make(chan struct{}, idleWorkersMax), stop: stop}
}

// Schedule implements actor.Dispatcher.
func (d *dispatcher) Schedule(run func()) {
	select {
	case d.work <- run:
	default:
		go d.worker(run)
	}
}

// Throughput implements actor.Dispatcher.
func (d *dispatcher) Throughput() int { return throughput }

func (d *dispatcher) worker(run func()) {
	for {
		run()
		select {
		case d.keep <- struct{}{}:
		default:
			return // enough wait already
		}
		select {
		case run = <-d.work:
			<-d.keep
		case <-d.stop:
			return
		}
	}
}
