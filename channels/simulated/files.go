package simulated

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/suanpan-bank/suanpan/actors"
	"github.com/suanpan-bank/suanpan/bank"
	"github.com/suanpan-bank/suanpan/channels"
)

// files are what the channel did, by channel and day: rows of its daily files. They are on disk as they grow,
// not flushed one by one: a simulated channel that forgets is one more thing to reconcile.
type files struct {
	directory string

	mu   sync.Mutex
	days map[fileKey]*file
}

type fileKey struct {
	channel bank.Channel
	day     bank.Date
}

// file is a day's rows.
type file struct {
	rows bytes.Buffer // without a directory
	disk *os.File
	out  *bufio.Writer
	paid map[bank.TxnID]bool // what is known of each serial
}

// filesOpenMax is how many days are kept at hand.
const filesOpenMax = 8

func (f *files) open(directory string) error {
	f.directory, f.days = directory, make(map[fileKey]*file)
	if directory == "" {
		return nil
	}
	if err := os.MkdirAll(directory, 0o700); err != nil {
		return fmt.Errorf("simulated channel: %w", err)
	}
	return nil
}

// day finds the file of a day, reading what an earlier process wrote; f is locked.
func (f *files) day(key fileKey) (*file, error) {
	if d := f.days[key]; d != nil {
		return d, nil
	}
	if f.directory != "" && len(f.days) >= filesOpenMax {
		if err := f.shut(); err != nil {
			return nil, err
		}
	}
	d := &file{paid: make(map[bank.TxnID]bool)}
	if f.directory != "" {
		var err error
		if d.disk, err = os.OpenFile(f.path(key), os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600); err != nil {
			return nil, err
		}
		if err = d.remember(); err != nil {
			return nil, errors.Join(fmt.Errorf("%s: %w", f.path(key), err), d.disk.Close())
		}
		d.out = bufio.NewWriter(d.disk)
	}
	f.days[key] = d
	return d, nil
}

// remember reads what an earlier process wrote. The line that one was writing when it was killed is cut off.
func (d *file) remember() error {
	whole := int64(0)
	lines := bufio.NewReader(d.disk)
	for n := 1; ; n++ {
		line, err := lines.ReadBytes('\n')
		switch {
		case errors.Is(err, io.EOF) && len(line) > 0:
			return d.disk.Truncate(whole)
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		row, err := channels.ParseRow(line, n)
		if err != nil {
			return err
		}
		d.paid[row.Transfer] = row.Success
		whole += int64(len(line))
	}
}

func (f *files) path(key fileKey) string {
	return filepath.Join(f.directory, fmt.Sprintf("%s-%s.rows", key.channel, key.day))
}

// add notes a transfer, unless its serial is known; it returns whether it is paid.
func (f *files) add(r actors.ChannelRequest, paid bool) (bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	d, err := f.day(fileKey{r.Channel, r.Day})
	if err != nil {
		return false, err
	}
	if was, known := d.paid[r.Transfer]; known {
		return was, nil
	}
	row := bank.FileRow{
		Serial: serialOf(r), Transfer: r.Transfer, Direction: bank.In, AmountFen: r.AmountFen, Success: paid, Day: r.Day,
	}
	if r.Out {
		row.Direction = bank.Out
	}
	line := channels.AppendRow(nil, &row)
	if d.out == nil {
		d.rows.Write(line)
	} else if _, err := d.out.Write(line); err != nil {
		return false, err
	}
	d.paid[r.Transfer] = paid
	return paid, nil
}

// find tells what became of a serial.
func (f *files) find(r actors.ChannelRequest) (paid, known bool, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	d, err := f.day(fileKey{r.Channel, r.Day})
	if err != nil {
		return false, false, err
	}
	paid, known = d.paid[r.Transfer]
	return paid, known, nil
}

// read is the file of a day as the channel would send it, with more rows behind its own.
func (f *files) read(channel bank.Channel, day bank.Date, more []byte) ([]byte, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	key := fileKey{channel, day}
	d, err := f.day(key)
	if err != nil {
		return nil, err
	}
	rows := d.rows.Bytes()
	if d.out != nil {
		if err := d.out.Flush(); err != nil {
			return nil, err
		}
		if rows, err = os.ReadFile(f.path(key)); err != nil {
			return nil, err
		}
	}
	return channels.WholeFile(channel, day, slices.Concat(rows, more))
}

func (f *files) close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.shut()
}

// shut writes everything out and forgets it; f is locked.
func (f *files) shut() (err error) {
	if f.directory == "" {
		return nil
	}
	for key, d := range f.days {
		err = errors.Join(err, d.out.Flush(), d.disk.Close())
		delete(f.days, key)
	}
	return err
}
