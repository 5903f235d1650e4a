//go:build !cgo

package tigerbeetle

import (
	"errors"
	"strings"
	"testing"
)

func TestWithoutCgoOpenSaysWhatIsMissing(t *testing.T) {
	l, err := Open(Options{Addresses: []string{"127.0.0.1:3001"}})
	if l != nil || !errors.Is(err, ErrNoCgo) || !strings.Contains(err.Error(), "CGO_ENABLED=1") {
		t.Errorf("Open gave %v, %v", l, err)
	}
}
