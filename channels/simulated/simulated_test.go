package simulated

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"os"
	"testing"
	"time"

	"github.com/suanpan-bank/suanpan/actors"
	"github.com/suanpan-bank/suanpan/bank"
	"github.com/suanpan-bank/suanpan/channels"
)

const day bank.Date = 20261124

func request(n uint64, fen int64) actors.ChannelRequest {
	return actors.ChannelRequest{Transfer: bank.NewTxnID(1, 1, n), AmountFen: fen, Out: true, Channel: bank.ChannelIBPS, Day: day}
}

// station is a channel and what it has answered.
type station struct {
	*Channel
	t       *testing.T
	answers chan channels.Answer
}

func open(t *testing.T, o Options) *station {
	t.Helper()
	s := &station{t: t, answers: make(chan channels.Answer, 1000)}
	o.Logger = slog.New(slog.DiscardHandler)
	c, err := Open(o, func(a channels.Answer) { s.answers <- a })
	if err != nil {
		t.Fatal(err)
	}
	s.Channel = c
	return s
}

func (s *station) hears(want ...channels.Outcome) {
	s.t.Helper()
	for _, w := range want {
		select {
		case a := <-s.answers:
			if a.Outcome != w {
				s.t.Errorf("%s: outcome %d, want %d", a.Transfer, a.Outcome, w)
			}
		case <-time.After(10 * time.Second):
			s.t.Fatalf("no answer; %d wanted", w)
		}
	}
	if n := len(s.answers); n > 0 {
		s.t.Errorf("%d answers more", n)
	}
}

func TestEveryTransferIsPaidOnceHoweverOftenItIsSent(t *testing.T) {
	s := open(t, Options{})
	defer s.Close()
	s.Send(request(1, 500))
	s.hears(channels.Succeeded)
	s.Send(request(1, 500))
	s.hears(channels.Succeeded)
	s.Query(request(2, 500))
	s.hears(channels.NotKnown)
	text, err := s.File(t.Context(), bank.ChannelIBPS, day)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := rowsOf(text)
	if err != nil || len(rows) != 1 || rows[0].AmountFen != 500 || !rows[0].Success {
		t.Errorf("%+v %v", rows, err)
	}
}

func TestTheChannelMisbehavesAsTheAmountSays(t *testing.T) {
	s := open(t, Options{Behave: ByAmount})
	defer s.Close()
	for i, c := range []struct {
		fen           int64
		answer, query []channels.Outcome
	}{
		{19900, []channels.Outcome{channels.Succeeded}, []channels.Outcome{channels.Succeeded}},
		{19901, []channels.Outcome{channels.Failed}, []channels.Outcome{channels.Failed}},
		{19902, nil, []channels.Outcome{channels.Succeeded}},
		{19903, nil, []channels.Outcome{channels.NotKnown}},
		{19904, nil, []channels.Outcome{channels.InProgress}},
		{19905, []channels.Outcome{channels.Succeeded, channels.Succeeded}, []channels.Outcome{channels.Succeeded}},
		{19906, []channels.Outcome{channels.Succeeded, channels.Failed}, []channels.Outcome{channels.Succeeded}},
		{19908, nil, []channels.Outcome{channels.Failed}},
		{19909, []channels.Outcome{channels.Failed, channels.Succeeded}, []channels.Outcome{channels.Failed}},
	} {
		t.Run(fmt.Sprint(c.fen), func(t *testing.T) {
			s.t = t
			r := request(uint64(i+1), c.fen)
			s.Send(r)
			s.hears(c.answer...)
			s.Query(r)
			s.hears(c.query...)
		})
	}
}

// A channel that forgot what it paid would pay it again when the bank asks after a restart.
func TestTheChannelRemembersOverARestart(t *testing.T) {
	directory := t.TempDir()
	s := open(t, Options{Directory: directory, Behave: ByAmount})
	s.Send(request(1, 19902))
	s.Send(request(2, 19901))
	s.hears(channels.Failed)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, Options{Directory: directory, Behave: ByAmount})
	defer s.Close()
	s.Query(request(1, 19902))
	s.hears(channels.Succeeded)
	s.Query(request(2, 19901))
	s.hears(channels.Failed)
	text, err := s.File(t.Context(), bank.ChannelIBPS, day)
	if err != nil {
		t.Fatal(err)
	}
	if rows, err := rowsOf(text); err != nil || len(rows) != 2 {
		t.Errorf("%+v %v", rows, err)
	}
}

// A process that is killed may be in the middle of a line. A channel that could not read its file any more would never
// answer again, and money would stay on its way.
func TestTheChannelGoesOnBehindALineThatIsNotWhole(t *testing.T) {
	for cut := 1; ; cut++ {
		directory := t.TempDir()
		s := open(t, Options{Directory: directory})
		s.Send(request(1, 500))
		s.Send(request(2, 700))
		s.hears(channels.Succeeded, channels.Succeeded)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		path := s.files.path(fileKey{bank.ChannelIBPS, day})
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		second := len(text) - len(text[bytes.IndexByte(text, '\n')+1:])
		if len(text)-cut < second {
			return
		}
		if err := os.Truncate(path, int64(len(text)-cut)); err != nil {
			t.Fatal(err)
		}
		s = open(t, Options{Directory: directory})
		s.Query(request(1, 500))
		s.Query(request(2, 700))
		s.hears(channels.Succeeded, channels.NotKnown)
		s.Send(request(2, 700))
		s.hears(channels.Succeeded)
		file, err := s.File(t.Context(), bank.ChannelIBPS, day)
		if err != nil {
			t.Fatal(err)
		}
		if rows, err := rowsOf(file); err != nil || len(rows) != 2 {
			t.Errorf("cut by %d: %+v %v", cut, rows, err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func rowsOf(file io.Reader) (rows []bank.FileRow, err error) {
	_, err = channels.ReadFile(file, func(_ *channels.File, row *bank.FileRow) error {
		rows = append(rows, *row)
		return nil
	})
	return rows, err
}
