//go:build !linux

package ingress

import (
	"context"
	"net"
)

// front is fasthttp's own server alone; event loops need Linux.
type front struct{}

// Serve answers requests until Shutdown; it returns nil then.
func (s *Server) Serve(l net.Listener) error { return s.http.Serve(lingering{l}) }

// Shutdown takes no new requests, waits for those under way or ctx, and closes the connections.
func (s *Server) Shutdown(ctx context.Context) error {
	s.closing.Store(true)
	return s.http.ShutdownWithContext(ctx)
}
