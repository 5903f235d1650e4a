// Package broker is the Kafka-protocol broker of the embedded profile: kfake in this process, on disk.
// What it holds is a projection of the journal; its directory may be deleted as long as the journal keeps all of its
// records, the relay fills it again.
package broker

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"golang.org/x/sys/unix"

	"github.com/suanpan-bank/suanpan/bank"
	"github.com/suanpan-bank/suanpan/streams"
)

// Retention: the oldest segments go when a partition holds more than its topic's share. All that is kept
// is read at start (2 s and as much memory for 735 MB, measured), hence no more. A partition is never
// emptied: kfake would begin again at offset zero.
const (
	retentionBusyBytes  = 64 << 20 // of bank.account.v1, where nearly everything happens
	retentionQuietBytes = 8 << 20  // of the other topics
	segmentBytes        = 4 << 20
	retentionPeriod     = 30 * time.Second
)

func retentionOf(topic string) int {
	if topic == bank.TopicAccount {
		return retentionBusyBytes
	}
	return retentionQuietBytes
}

// Broker is a running broker.
type Broker struct {
	cluster   *kfake.Cluster
	data      string
	clusterID string
	lock      *os.File
	hold      func() bool
	stop      chan struct{}
	ended     sync.WaitGroup
}

// Open starts a broker over a directory, on a listener that it closes in the end. A second process on
// the same directory is refused. While hold reports true nothing is removed by retention: a consumer in
// this process is behind, and what it has not read would be lost to it. A nil hold never does.
func Open(dir string, listener net.Listener, hold func() bool, logger *slog.Logger) (*Broker, error) {
	data := filepath.Join(dir, "kafka")
	if err := os.MkdirAll(data, 0o700); err != nil {
		return nil, fmt.Errorf("stream: %w", err)
	}
	lock, err := lockDir(dir)
	if err != nil {
		return nil, err
	}
	b := &Broker{data: data, lock: lock, hold: hold, stop: make(chan struct{})}
	if b.clusterID, err = clusterID(data); err == nil {
		err = b.start(data, listener, logger)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("stream: %w", err), lock.Close())
	}
	b.ended.Add(1)
	go b.retain()
	return b, nil
}

// Sync flushes to disk what was acknowledged before the call; kfake itself leaves that to the system.
func (b *Broker) Sync() error {
	err := filepath.WalkDir(b.data, func(path string, _ fs.DirEntry, err error) error {
		var f *os.File
		if err == nil {
			f, err = os.Open(path)
		}
		if errors.Is(err, fs.ErrNotExist) { // removed by retention meanwhile
			return nil
		}
		if err != nil {
			return err
		}
		return errors.Join(f.Sync(), f.Close())
	})
	if err != nil {
		return fmt.Errorf("stream: flush to disk: %w", err)
	}
	return nil
}

func (b *Broker) start(data string, listener net.Listener, logger *slog.Logger) (err error) {
	b.cluster, err = kfake.NewCluster(
		kfake.NumBrokers(1), kfake.DataDir(data), kfake.ClusterID(b.clusterID), kfake.WithLogger(quiet{logger}),
		kfake.ListenFn(func(string, string) (net.Listener, error) { return guarded{listener}, nil }),
	)
	if err != nil {
		return err
	}
	for _, topic := range bank.Topics {
		info := b.cluster.TopicInfo(topic)
		if info != nil {
			if n := len(b.cluster.PartitionInfos(topic)); n != streams.PartitionsPerTopic {
				b.cluster.Close()
				return fmt.Errorf("topic %s has %d partitions, this program wants %d", topic, n, streams.PartitionsPerTopic)
			}
			continue
		}
		err := b.cluster.CreateTopic(topic, streams.PartitionsPerTopic, map[string]string{
			"retention.ms": "-1", "retention.bytes": strconv.Itoa(retentionOf(topic)), "segment.bytes": strconv.Itoa(segmentBytes),
		})
		if err != nil {
			b.cluster.Close()
			return fmt.Errorf("create topic %s: %w", topic, err)
		}
	}
	return nil
}

// lockDir keeps a second process out: kfake itself does not.
func lockDir(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, "LOCK"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("stream: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("stream: another process uses %s: %w", dir, err), f.Close())
	}
	return f, nil
}

// clusterID reads the directory's id, or makes one. Whoever stores offsets stores it with them: under
// another id the same offsets mean something else.
func clusterID(data string) (string, error) {
	path := filepath.Join(data, "cluster.id")
	text, err := os.ReadFile(path)
	if err == nil && len(text) > 0 {
		return strings.TrimSpace(string(text)), nil
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", err
	}
	var id [16]byte
	_, _ = rand.Read(id[:]) // never fails
	made := hex.EncodeToString(id[:])
	return made, os.WriteFile(path, []byte(made+"\n"), 0o600)
}

// retain applies retention: after a restart kfake's own timer does not run.
func (b *Broker) retain() {
	defer b.ended.Done()
	tick := time.NewTicker(retentionPeriod)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if b.hold == nil || !b.hold() {
				b.cluster.ApplyRetention()
			}
		case <-b.stop:
			return
		}
	}
}

// Addr is where clients connect.
func (b *Broker) Addr() string { return b.cluster.ListenAddrs()[0] }

// ClusterID names this filling of the broker.
func (b *Broker) ClusterID() string { return b.clusterID }

// Close stops the broker and writes what it needs to start quickly.
func (b *Broker) Close() error {
	close(b.stop)
	b.ended.Wait()
	b.cluster.Close()
	return b.lock.Close()
}

// quiet sends kfake's log to ours, one level down: what it calls an error is a client's concern.
type quiet struct{ logger *slog.Logger }

// Logf implements kfake.Logger.
func (q quiet) Logf(level kfake.LogLevel, format string, args ...any) {
	to := slog.LevelDebug
	if level <= kfake.LogLevelWarn {
		to = slog.LevelInfo
	}
	q.logger.Log(context.Background(), to, "broker: "+fmt.Sprintf(format, args...))
}
