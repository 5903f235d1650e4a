package main

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// Write-behind (回写): broker and report write without flushing, since what they hold can be made again. The system writes
// it to disk half a minute later, in bursts of which each is some hundred megabytes behind a day's end, and the journal's
// flushes stand behind them: 60 ms instead of a quarter of one, for a third of a second. So the system is told to begin at
// once.

// writeBehindEvery is how much of it gathers, in time.
const writeBehindEvery = 500 * time.Millisecond

// writeBehind has the system write what changes in the directories and files to disk, until ctx ends or it can't be
// asked: then it does so later by itself.
func writeBehind(ctx context.Context, logger *slog.Logger, paths ...string) error {
	tick := time.NewTicker(writeBehindEvery)
	defer tick.Stop()
	for since := time.Now(); ; {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
		begun := time.Now()
		for _, path := range paths {
			if _, err := beginWriting(path, since); err != nil {
				logger.Warn("what stream and report write gets to disk in bursts, which payments wait for", "cause", err)
				return nil
			}
		}
		since = begun.Add(-writeBehindEvery) // a file's time is that of the system's last tick
	}
}

// beginWriting has the system begin to write the files that have changed, and returns how many there are.
func beginWriting(path string, since time.Time) (files int, err error) {
	err = filepath.WalkDir(path, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() {
			return nil
		}
		var info fs.FileInfo
		if err == nil {
			info, err = entry.Info()
		}
		var f *os.File
		if err == nil && info.ModTime().After(since) {
			f, err = os.Open(path)
		}
		if errors.Is(err, fs.ErrNotExist) { // not there yet, or not any more
			return nil
		}
		if err != nil || f == nil {
			return err
		}
		defer f.Close()
		files++
		err = unix.SyncFileRange(int(f.Fd()), 0, 0, unix.SYNC_FILE_RANGE_WRITE)
		if errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ESPIPE) {
			return nil // not on this system: then it is done later
		}
		return err
	})
	return files, err
}
