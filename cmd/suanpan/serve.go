package main

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	_ "net/http/pprof" // on its own listener, only with --pprof
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/spf13/cobra"

	"github.com/suanpan-bank/suanpan/actors"
	"github.com/suanpan-bank/suanpan/journal/embedded"
)

// serveOptions are the flags of serve. Every one has a usable default.
type serveOptions struct {
	data           string
	http           string
	kafka          string
	stream         string
	pprof          string
	ledger         string
	tigerbeetle    tigerbeetleOptions
	snapshotEvery  uint64
	keep           keepOptions
	inMemoryMax    int64
	passivateAfter time.Duration
	underWay       underWayOptions
	channelDelay   time.Duration
	channelFaults  bool
	demo           bool
	clock          string
	catalogue      string
	dayCut         string
	verbose        bool
}

// The values of --stream.
const (
	streamEmbedded = "embedded"
	streamOff      = "off"
)

// underWayOptions bound what may be under way at once; over a bound a request gets 503 at once.
type underWayOptions struct {
	commands, bytes int64
	customer        int32
}

// tigerbeetleOptions say where the ledger is with --ledger tigerbeetle.
type tigerbeetleOptions struct {
	addresses []string
	cluster   uint64
}

func serveCommand() *cobra.Command {
	var o serveOptions
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the bank: API, actors, ledger, stream and reports in one process",
		Example: `  suanpan serve
  suanpan serve --data /var/lib/suanpan --http 0.0.0.0:8080 --kafka 127.0.0.1:9092
  suanpan serve --ledger tigerbeetle --tigerbeetle-addresses 10.0.0.1:3001,10.0.0.2:3001,10.0.0.3:3001`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return serve(cmd.Context(), o, cmd.OutOrStdout())
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.data, "data", "./data", "`directory` that holds journal, stream, reports and keys")
	f.StringVar(&o.http, "http", "127.0.0.1:8080", "`address` of the API")
	f.StringVar(&o.kafka, "kafka", "127.0.0.1:9092", "`address` of the Kafka-protocol broker")
	f.StringVar(&o.stream, "stream", streamEmbedded, "who hears of events: "+streamEmbedded+", a Kafka-protocol broker and the reports in this process, or "+
		streamOff+", nobody: the journal keeps them for a later start with a stream")
	f.StringVar(&o.ledger, "ledger", ledgerEmbedded, "where the ledger is: "+ledgerEmbedded+", in this process, or "+ledgerTigerBeetle)
	f.StringSliceVar(&o.tigerbeetle.addresses, "tigerbeetle-addresses", nil, "the cluster's replicas in their order, `host:port,…`")
	f.Uint64Var(&o.tigerbeetle.cluster, "tigerbeetle-cluster", 0, "the cluster's `id`")
	f.Uint64Var(&o.snapshotEvery, "snapshot-every", actors.SnapshotEveryDefault,
		"records of the journal between two snapshots of customers, and of the ledger in this process")
	f.Int64Var(&o.keep.records, "journal-keep", 0,
		"`records` that the journal keeps, about; older ones go, whole files at a time, when snapshots and stream have them, and with them "+
			"what tells that a command is a repetition; 0: all")
	f.Int64Var(&o.keep.segmentBytes, "journal-segment-bytes", embedded.SegmentBytesDefault, "`size` of a file of the journal")
	f.Int64Var(&o.inMemoryMax, "customers-in-memory", actors.InMemoryMaxDefault,
		"customers in memory, about; over it those leave who have been idle longest")
	f.DurationVar(&o.passivateAfter, "passivate-after", actors.PassivateAfterDefault, "how long an idle customer stays in memory")
	f.Int64Var(&o.underWay.commands, "under-way", actors.RequestsMaxDefault,
		"commands, and as many reads, that may be under way at once; over it, and the next two, requests get 503")
	f.Int32Var(&o.underWay.customer, "under-way-customer", actors.CustomerMaxDefault, "commands and reads of one customer that may be under way")
	f.Int64Var(&o.underWay.bytes, "under-way-bytes", actors.BytesMaxDefault, "memory of all commands under way")
	f.DurationVar(&o.channelDelay, "channel-delay", 200*time.Millisecond,
		"after how long the simulated payment channel answers; negative: never, answers come through the API")
	f.BoolVar(&o.channelFaults, "channel-faults", false,
		"let the simulated payment channel misbehave as the last four digits of an amount in fen say (docs/channels.md)")
	f.BoolVar(&o.demo, "demo-products", true, "sell demonstration products (DEMO_CURRENT, with overdraft and any accounting date)")
	f.StringVar(&o.catalogue, "catalogue", "", "`file` of deposit products and rates, as suanpan catalogue prints it; empty: the built-in one")
	f.StringVar(&o.dayCut, "day-cut", "00:00", "`time` of day in Shanghai at which the accounting date changes; asked for when the bank opens, then it is the bank's")
	f.StringVar(&o.clock, "clock", "", "`time` the bank's clock begins at, such as 2026-01-15T10:00:00+08:00; it can be moved by POST /v1/clock. "+
		"For tests and demonstrations; empty: the machine's clock")
	f.StringVar(&o.pprof, "pprof", "", "`address` for profiles (net/http/pprof); empty: none")
	f.BoolVarP(&o.verbose, "verbose", "v", false, "log what happens, not only what is wrong")
	return cmd
}

// drainTimeout is how long a stopping node waits for commands under way.
const drainTimeout = 20 * time.Second

// extraProcs are threads beyond one per core for goroutines: a goroutine in fdatasync keeps its thread's
// place until the runtime notices. Two more gave 30 % more transfers on two cores (docs/performance-history.md).
const extraProcs = 2

func serve(ctx context.Context, o serveOptions, out io.Writer) error {
	if o.inMemoryMax < 1 || o.passivateAfter <= 0 || o.snapshotEvery < 1 {
		return errors.New("--customers-in-memory, --passivate-after and --snapshot-every must be above zero")
	}
	if o.underWay.commands < 1 || o.underWay.customer < 1 || o.underWay.bytes < 1 {
		return errors.New("--under-way, --under-way-customer and --under-way-bytes must be above zero")
	}
	if err := o.keep.check(&o); err != nil {
		return err
	}
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + extraProcs)
	}
	level := slog.LevelWarn
	if o.verbose {
		level = slog.LevelInfo
	}
	logger := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
	if o.pprof != "" {
		l, err := listen("--pprof", o.pprof)
		if err != nil {
			return err
		}
		go func() { _ = http.Serve(l, nil) }() // ends with the process
	}
	b, err := openBank(ctx, o, logger)
	if err != nil {
		return err
	}
	greet(out, b, o)
	select {
	case <-ctx.Done():
		fmt.Fprintln(out, "\nstopping: answering what is under way")
	case err = <-b.faults():
		logger.Error("the node stops: nothing more is acknowledged", "cause", err)
	}
	drain, cancel := context.WithTimeout(context.Background(), drainTimeout)
	defer cancel()
	err = errors.Join(err, b.close(drain))
	if err == nil {
		fmt.Fprintln(out, "stopped; everything acknowledged is in", o.data)
	}
	return err
}

// listen opens a TCP listener; a taken port names the flag to change.
func listen(flag, address string) (net.Listener, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("can't listen on %s (choose another with %s): %w", address, flag, err)
	}
	return l, nil
}

// random returns a random number, for seeds that must differ from process to process.
func random() uint64 {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand)
	return binary.LittleEndian.Uint64(b[:])
}

// greet prints where the bank listens and three lines to try it with.
func greet(out io.Writer, b *server, o serveOptions) {
	data, err := filepath.Abs(o.data)
	if err != nil {
		data = o.data
	}
	base := "http://" + b.httpAddr()
	fmt.Fprintf(out, `Suanpan (算盘) is open.
  API      %[1]s        (description: %[1]s/openapi.json)
  Kafka    %[2]s
  data     %[3]s
  ledger   %[4]s
  tokens   %[5]s        (of operators)

Try it: register a customer, open an account, pull 1,000.00 yuan from the bound card.

ID=$(curl -sS %[1]s/v1/customers -H 'Idempotency-Key: try-1' -d '{"name":"张三","id_number":"220113198506150001","mobile":"13800138000"}' | grep -o 'C[0-9]\{10\}'); echo $ID
NO=$(curl -sS %[1]s/v1/customers/$ID/accounts -H 'Idempotency-Key: try-2' -d '{"bound_card":{"card_no":"6228480402564890018","bank":"ABC","kind":"CLASS_1"}}' | grep -o '999022[0-9]\{13\}' | head -n 1); echo $NO
curl -sS %[1]s/v1/transfers -H 'Idempotency-Key: try-3' -d "{\"kind\":\"in_bound\",\"to_account\":\"$NO\",\"amount_fen\":100000}"; sleep 1; curl -sS %[1]s/v1/accounts/$NO

Stop with Ctrl-C.
`, base, b.streamName(), data, b.ledgerName(o), layout{data}.operators())
}
