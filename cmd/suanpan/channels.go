package main

import (
	"fmt"
	"log/slog"

	"github.com/suanpan-bank/suanpan/channels"
	"github.com/suanpan-bank/suanpan/channels/simulated"
	"github.com/suanpan-bank/suanpan/cluster"
)

// openChannels connects the bank with its payment channels: the simulated one, or one whose answers come
// through the API. Either is asked again about what it does not answer.
func (s *server) openChannels(bankOf *cluster.Cluster, at layout, o serveOptions, logger *slog.Logger) error {
	var fault error
	s.tracker = channels.Open(channels.Options{
		Caller: bankOf, Clock: s.clock.Now, Schedule: channels.DefaultSchedule(), Logger: logger,
	}, func(answer func(channels.Answer)) channels.Port {
		if o.channelDelay < 0 {
			return channels.ThroughAPI{}
		}
		so := simulated.Options{Delay: o.channelDelay, Directory: at.channels(), Logger: logger}
		if o.channelFaults {
			so.Behave = simulated.ByAmount
		}
		if s.simulated, fault = simulated.Open(so, answer); fault != nil {
			return channels.ThroughAPI{}
		}
		return s.simulated
	})
	if fault != nil {
		return fmt.Errorf("payment channel: %w", fault)
	}
	return s.node.Connect(s.tracker)
}

// closeChannels stops asking and answering; what has no answer is taken up again by the next start.
func (s *server) closeChannels() error {
	var err error
	if s.simulated != nil {
		err = s.simulated.Close()
	}
	if s.tracker != nil {
		s.tracker.Close()
	}
	return err
}
