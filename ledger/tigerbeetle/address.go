package tigerbeetle

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
)

// portDefault is the one TigerBeetle's own tools assume.
const portDefault = 3001

// address is one replica as configured: a number or a name, and a port.
type address struct {
	ip   netip.Addr // not valid for a name
	name string
	port uint16
}

func parseAddresses(texts []string) ([]address, error) {
	if len(texts) == 0 {
		return nil, errors.New("tigerbeetle: no addresses given")
	}
	addresses := make([]address, len(texts))
	for i, text := range texts {
		a, ok := parseAddress(text)
		if !ok {
			return nil, fmt.Errorf("tigerbeetle: %q is not an address: want ip:port or name:port", text)
		}
		addresses[i] = a
	}
	return addresses, nil
}

func parseAddress(text string) (address, bool) {
	if port, err := strconv.ParseUint(text, 10, 16); err == nil {
		return address{ip: netip.AddrFrom4([4]byte{127, 0, 0, 1}), port: uint16(port)}, port != 0
	}
	host, port := text, uint64(portDefault)
	if ip, err := netip.ParseAddr(text); err == nil {
		return address{ip: ip, port: portDefault}, true
	}
	if h, p, err := net.SplitHostPort(text); err == nil {
		n, err := strconv.ParseUint(p, 10, 16)
		if err != nil || n == 0 {
			return address{}, false
		}
		host, port = h, n
	}
	if ip, err := netip.ParseAddr(host); err == nil {
		return address{ip: ip, port: uint16(port)}, true
	}
	return address{name: host, port: uint16(port)}, isHostName(host)
}

// isHostName keeps out what no resolver could answer, and the comma that would make two addresses.
func isHostName(s string) bool {
	for _, c := range []byte(s) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '.', c == '_':
		default:
			return false
		}
	}
	return s != "" && len(s) <= 253
}

// anyName reports whether resolving again could give something else.
func anyName(addresses []address) bool {
	for _, a := range addresses {
		if a.name != "" {
			return true
		}
	}
	return false
}

// resolve turns addresses into numeric ones, the only kind the client library takes.
func resolve(ctx context.Context, addresses []address, lookup func(context.Context, string) ([]string, error)) ([]string, error) {
	numeric := make([]string, len(addresses))
	for i, a := range addresses {
		ip := a.ip
		if a.name != "" {
			found, err := lookup(ctx, a.name)
			if err != nil {
				return nil, fmt.Errorf("resolve %s: %w", a.name, err)
			}
			if ip, err = single(found); err != nil {
				return nil, fmt.Errorf("resolve %s: %w", a.name, err)
			}
		}
		numeric[i] = netip.AddrPortFrom(ip.Unmap(), a.port).String()
	}
	return numeric, nil
}

// single picks the IPv4 address where a name has both kinds. Of several replicas behind one name
// none can be picked: their order matters to the cluster.
func single(texts []string) (netip.Addr, error) {
	var v4, v6 []netip.Addr
	for _, text := range texts {
		ip, err := netip.ParseAddr(text)
		if err != nil {
			return netip.Addr{}, err
		}
		if ip = ip.Unmap(); ip.Is4() {
			v4 = append(v4, ip)
		} else {
			v6 = append(v6, ip)
		}
	}
	of := v4
	if len(of) == 0 {
		of = v6
	}
	switch len(of) {
	case 0:
		return netip.Addr{}, errors.New("no address")
	case 1:
		return of[0], nil
	}
	return netip.Addr{}, fmt.Errorf("%d addresses; name each replica by itself, in the order of their index", len(of))
}

func resolveBySystem(ctx context.Context, name string) ([]string, error) {
	return net.DefaultResolver.LookupHost(ctx, name)
}
