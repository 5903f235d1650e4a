package embedded

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"

	"github.com/suanpan-bank/suanpan/journal"
)

// witness says in a file of its own how far the journal was durable: a disk that lost the end of the log behind a
// flush that "succeeded" leaves a log that looks whole, only shorter. It is written after each flush and not
// flushed itself, except when the journal is closed, so it may be behind; it is never ahead of what was true.
type witness struct {
	file file
	buf  [witnessBytes]byte
}

const (
	witnessName    = "witness"
	witnessMagic   = "SUANPANW"
	witnessVersion = 1
	witnessBytes   = 24 // magic (8) version (4) durable position (8) CRC-32C (4)
	witnessSummed  = 20
)

// openWitness returns how far the journal was durable once; zero: nobody knows.
func openWitness(open func(string, int) (file, error), dir string, write bool) (w witness, durable journal.Position, err error) {
	path := filepath.Join(dir, witnessName)
	flags := os.O_RDWR | os.O_CREATE
	if !write {
		flags = os.O_RDONLY
	}
	if w.file, err = open(path, flags); os.IsNotExist(err) {
		return witness{}, 0, nil
	}
	if err != nil {
		return witness{}, 0, fmt.Errorf("journal: %w", err)
	}
	b, err := readFull(w.file, make([]byte, witnessBytes), 0)
	if err == nil && len(bytes.TrimLeft(b, "\x00")) > 0 { // else it was made and never written
		durable, err = decodeWitness(b)
	}
	if err != nil {
		_ = w.file.Close()
		return witness{}, 0, fmt.Errorf("journal: read %s: %w", path, err)
	}
	return w, durable, nil
}

func decodeWitness(b []byte) (journal.Position, error) {
	switch {
	case len(b) != witnessBytes || string(b[:8]) != witnessMagic ||
		crc32.Checksum(b[:witnessSummed], castagnoli) != binary.LittleEndian.Uint32(b[witnessSummed:]):
		return 0, fmt.Errorf("%w: at offset 0: not a witness; verify the journal against the stream and the ledger, then remove the file", ErrDamaged)
	case binary.LittleEndian.Uint32(b[8:]) != witnessVersion:
		return 0, fmt.Errorf("version %d is not known to this program", binary.LittleEndian.Uint32(b[8:]))
	}
	return journal.Position(binary.LittleEndian.Uint64(b[12:])), nil
}

func appendWitness(b []byte, durable journal.Position) []byte {
	b = append(b, witnessMagic...)
	b = binary.LittleEndian.AppendUint32(b, witnessVersion)
	b = binary.LittleEndian.AppendUint64(b, uint64(durable))
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b[len(b)-witnessSummed:], castagnoli))
}

// note writes how far the journal is durable. On a full disk it stays behind until there is room: the log waits for that, and
// must not be stopped by what may be behind.
func (w *witness) note(durable journal.Position) error {
	if _, err := w.file.WriteAt(appendWitness(w.buf[:0], durable), 0); err != nil && !isFull(err) {
		return fmt.Errorf("journal: write the witness: %w", err)
	}
	return nil
}

func (w *witness) flush() error {
	if err := w.file.Datasync(); err != nil {
		return fmt.Errorf("journal: flush the witness: %w", err)
	}
	return nil
}
