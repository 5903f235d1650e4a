package standin

import (
	"io"
	"net"
	"net/netip"
	"os"
	"syscall"
)

// reserve binds address without listening on it, so that between Stop and Restart the port
// refuses connections and yet can't become another program's, or the local end of one of the
// connections that tests make by the hundred. It returns the address with the port chosen.
func reserve(address string) (io.Closer, string, error) {
	want, err := netip.ParseAddrPort(address)
	if err != nil {
		return nil, "", err
	}
	if !want.Addr().Is4() {
		return nil, "", &net.AddrError{Err: "not an IPv4 address", Addr: address}
	}
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, "", os.NewSyscallError("socket", err)
	}
	socket := os.NewFile(uintptr(fd), address)
	port, err := bind(fd, want)
	if err != nil {
		socket.Close() // never used, so nothing of it can be lost
		return nil, "", err
	}
	return socket, netip.AddrPortFrom(want.Addr(), port).String(), nil
}

func bind(fd int, to netip.AddrPort) (port uint16, err error) {
	// The listener sets it too, as all of Go's do: both may then have the port.
	if err := syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1); err != nil {
		return 0, os.NewSyscallError("setsockopt", err)
	}
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: to.Addr().As4(), Port: int(to.Port())}); err != nil {
		return 0, os.NewSyscallError("bind", err)
	}
	bound, err := syscall.Getsockname(fd)
	if err != nil {
		return 0, os.NewSyscallError("getsockname", err)
	}
	return uint16(bound.(*syscall.SockaddrInet4).Port), nil
}
