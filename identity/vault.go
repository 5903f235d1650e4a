// Package identity keeps what tells who somebody is: names, document numbers, mobile and card numbers
// (C2 and C3 of JR/T 0171). Nothing of it leaves this package in the clear but what the caller already
// knew: stored are sealed fields, tokens and masks.
package identity

import (
	"crypto/cipher"
	"crypto/hmac"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/emmansun/gmsm/sm3"
	"github.com/emmansun/gmsm/sm4"
)

// Vault seals fields with SM4-GCM (GB/T 32907) and makes tokens with HMAC-SM3 (GB/T 32905): equal values
// have equal tokens, and without the key nobody can tell which value a token stands for. It is safe for
// concurrent use. The nonce is random: a key may seal 2³² fields, then a new one must be made.
type Vault struct {
	random io.Reader
	aead   cipher.AEAD
	cover  cipher.Block
	tokens []byte
	id     [keyIDBytes]byte // of the sealing key, in front of everything it sealed
}

const (
	sealKeyBytes  = 16
	tokenKeyBytes = 32
	keyIDBytes    = 4
	nonceBytes    = 12
	sealVersion   = 1
	keyPrefix     = "suanpan-key-1:"
)

// ErrNoKey is returned by Open when there is no key file.
var ErrNoKey = errors.New("identity: there is no key file")

// ErrSealed is returned for bytes this vault has not sealed, or that were changed since.
var ErrSealed = errors.New("identity: can't be opened with this key")

// Create makes a new key in a file that only the owner can read, and opens it. It never replaces a file:
// without its key everything sealed is lost.
func Create(path string, random io.Reader) (*Vault, error) {
	key := make([]byte, sealKeyBytes+tokenKeyBytes)
	if _, err := io.ReadFull(random, key); err != nil {
		return nil, fmt.Errorf("identity: make a key: %w", err)
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, fmt.Errorf("identity: %w", err)
	}
	_, err = fmt.Fprintf(f, "%s%s\n", keyPrefix, base64.StdEncoding.EncodeToString(key))
	if err := errors.Join(err, f.Sync(), f.Close(), syncDir(filepath.Dir(path))); err != nil {
		return nil, fmt.Errorf("identity: write %s: %w", path, err)
	}
	return newVault(key, random)
}

// Open reads the key in path; ErrNoKey if there is none.
func Open(path string, random io.Reader) (*Vault, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%w: %s", ErrNoKey, path)
	}
	if err != nil {
		return nil, fmt.Errorf("identity: %w", err)
	}
	encoded, ok := strings.CutPrefix(strings.TrimSpace(string(text)), keyPrefix)
	key, err := base64.StdEncoding.DecodeString(encoded)
	if !ok || err != nil || len(key) != sealKeyBytes+tokenKeyBytes {
		return nil, fmt.Errorf("identity: %s is not a key file", path)
	}
	return newVault(key, random)
}

func newVault(key []byte, random io.Reader) (*Vault, error) {
	block, err := sm4.NewCipher(key[:sealKeyBytes])
	if err != nil {
		return nil, fmt.Errorf("identity: %w", err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, fmt.Errorf("identity: %w", err)
	}
	v := &Vault{random: random, aead: aead, tokens: key[sealKeyBytes:]}
	// A key of its own: a block that Cover encrypts must not be one of the counters under which GCM seals.
	if v.cover, err = sm4.NewCipher(v.mac("key", "cover")[:sm4.BlockSize]); err != nil {
		return nil, fmt.Errorf("identity: %w", err)
	}
	sum := sm3.Sum(key[:sealKeyBytes])
	copy(v.id[:], sum[:])
	return v, nil
}

// Seal encrypts a field: version, key id, nonce, ciphertext with tag.
func (v *Vault) Seal(plain string) ([]byte, error) {
	out := make([]byte, 1+keyIDBytes+nonceBytes, 1+keyIDBytes+nonceBytes+len(plain)+v.aead.Overhead())
	out[0] = sealVersion
	copy(out[1:], v.id[:])
	nonce := out[1+keyIDBytes:]
	if _, err := io.ReadFull(v.random, nonce); err != nil {
		return nil, fmt.Errorf("identity: nonce: %w", err)
	}
	return v.aead.Seal(out, nonce, []byte(plain), out[:1+keyIDBytes]), nil
}

// Open decrypts a sealed field; ErrSealed if it is not one of this key's.
func (v *Vault) Open(sealed []byte) ([]byte, error) {
	const head = 1 + keyIDBytes
	if len(sealed) < head+nonceBytes || sealed[0] != sealVersion || [keyIDBytes]byte(sealed[1:head]) != v.id {
		return nil, ErrSealed
	}
	plain, err := v.aead.Open(nil, sealed[head:head+nonceBytes], sealed[head+nonceBytes:], sealed[:head])
	if err != nil {
		return nil, ErrSealed
	}
	return plain, nil
}

// tokenBytes of the MAC are kept: at a billion values two share a token with a chance of 10⁻²⁰.
const tokenBytes = 16

// Token stands for a value of a kind ("id", "mobile", "card" …), 32 hexadecimal digits.
func (v *Vault) Token(kind, value string) string {
	return hex.EncodeToString(v.mac(kind, value)[:tokenBytes])
}

func (v *Vault) mac(kind, value string) []byte {
	mac := hmac.New(sm3.New, v.tokens)
	_, _ = io.WriteString(mac, kind) // a hash never fails
	_, _ = mac.Write([]byte{0})
	_, _ = io.WriteString(mac, value)
	return mac.Sum(nil)
}

// Cover hides 16 bytes, one SM4 block, from everybody without the key; equal bytes are covered alike. What
// Uncover makes of a block that was not covered here is arbitrary: the plain bytes must show that they are ours.
func (v *Vault) Cover(plain [16]byte) (covered [16]byte) {
	v.cover.Encrypt(covered[:], plain[:])
	return covered
}

// Uncover is the inverse of Cover.
func (v *Vault) Uncover(covered [16]byte) (plain [16]byte) {
	v.cover.Decrypt(plain[:], covered[:])
	return plain
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
