package standin

import (
	"net"
	"testing"
)

func TestNoConnectionTakesTheLocalPortOfAStoppedServer(t *testing.T) {
	s, other := started(t, Options{}), started(t, Options{})
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	dialer := net.Dialer{LocalAddr: addrOf(t, s)}
	if conn, err := dialer.Dial("tcp", other.Addr()); err == nil {
		conn.Close()
		t.Fatal("another connection took the port")
	}
	if err := s.Restart(); err != nil {
		t.Fatal(err)
	}
}

func addrOf(t *testing.T, s *Server) *net.TCPAddr {
	t.Helper()
	address, err := net.ResolveTCPAddr("tcp", s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	return address
}
