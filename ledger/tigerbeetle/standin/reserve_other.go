//go:build !linux

package standin

import (
	"io"
	"net"
)

// reserve finds a free port. Elsewhere than on Linux it isn't kept between Stop and Restart.
func reserve(address string) (io.Closer, string, error) {
	listener, err := net.Listen("tcp4", address)
	if err != nil {
		return nil, "", err
	}
	return io.NopCloser(nil), listener.Addr().String(), listener.Close()
}
