package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"manifold/proxy"
	"manifold/proxy/session"
)

// startInProcess runs a server inside the test, whose memory can then be looked at; toml is added to its configuration. It
// gives the server's address.
func startInProcess(t *testing.T, toml string) string {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "config.toml")
	if err := os.WriteFile(file, []byte(toml), 0o600); err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := ln.Addr().String()
	_ = ln.Close()
	f := flags{config: file, data: filepath.Join(dir, "data"), listen: addr}
	c, err := f.load()
	if err != nil {
		t.Fatal(err)
	}
	c.LogDestination = filepath.Join(dir, "log")
	s := &server{flags: f, registry: session.NewRegistry(), signals: make(chan os.Signal, 1)}
	s.config.Store(c)
	s.policy.Store(policy(c))
	if err := s.loadTLS(c); err != nil {
		t.Fatal(err)
	}
	if err := s.startLog(c); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.stopLog)
	if err := s.start(c); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := s.front.Shutdown(ctx, proxy.Fast); err != nil {
			t.Error(err)
		}
		if err := s.close(); err != nil {
			t.Error(err)
		}
	})
	return addr
}

// writeCertificate makes a certificate for tests and gives the part of a configuration that names it.
func writeCertificate(t *testing.T) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write := func(name, kind string, data []byte) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: data}), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	return fmt.Sprintf("[tls]\ncertificate = %q\nkey = %q\n", write("cert.pem", "CERTIFICATE", der), write("key.pem", "PRIVATE KEY", raw))
}
