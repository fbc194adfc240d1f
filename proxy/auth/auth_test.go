package auth

import (
	"net/netip"
	"strings"
	"testing"

	"manifold/engine/pgerror"
)

// TestRFC7677 plays the example of section 3 of the RFC as far as the server's nonce lets it: the keys must be its.
func TestRFC7677(t *testing.T) {
	v, err := derive("pencil", []byte{0x5b, 0x6d, 0x99, 0x68, 0x9d, 0x12, 0x35, 0x8e, 0xec, 0xa0, 0x4b, 0x14, 0x12, 0x36, 0xfa, 0x81}, 4096)
	if err != nil {
		t.Fatal(err)
	}
	const want = "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
	if v.String() != want {
		t.Errorf("got %s", v)
	}
	parsed, ok := ParseVerifier(want)
	if !ok || parsed.String() != want {
		t.Error("does not survive the way to text and back")
	}
	for _, bad := range []string{"", "md5abc", "SCRAM-SHA-256$x:y$z:w", "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$YQ==:YQ=="} {
		if _, ok := ParseVerifier(bad); ok {
			t.Errorf("%q is no verifier", bad)
		}
	}
}

func TestMalformedExchanges(t *testing.T) {
	for _, first := range []string{"", "x,,n=,r=a", "n,", "n,a=me,n=,r=a", "p=tls-unique,,n=,r=a", "n,,m=x,n=,r=a", "n,,r=a,n=", "n,,n=,r=", "n,,n=,r=\x01"} {
		if _, err := NewExchange("u", "", Secret{}).First([]byte(first)); err == nil {
			t.Errorf("%q was taken", first)
		}
	}
	for _, final := range []string{"", "c=biws,r=x", "c=biws,r=x,p=!", "c=biws,r=x,p=AAAA"} {
		x := NewExchange("u", "", Secret{})
		if _, err := x.First([]byte("n,,n=,r=abc")); err != nil {
			t.Fatal(err)
		}
		if _, ok, err := x.Final([]byte(final)); err == nil || ok {
			t.Errorf("%q was taken", final)
		}
	}
}

func TestUnknownUsersLookAlikeTwice(t *testing.T) {
	salt := func() string {
		x := NewExchange("nobody", "", Secret{1})
		m, err := x.First([]byte("n,,n=,r=abc"))
		if err != nil {
			t.Fatal(err)
		}
		return strings.SplitN(string(m), ",", 2)[1]
	}
	if salt() != salt() {
		t.Error("the salt of a user that does not exist changes")
	}
}

func FuzzExchange(f *testing.F) {
	f.Add([]byte("n,,n=,r=abc"), []byte("c=biws,r=abc,p=AAAA"))
	f.Fuzz(func(t *testing.T, first, final []byte) {
		x := NewExchange("u", "", Secret{})
		if _, err := x.First(first); err != nil {
			return
		}
		if _, ok, _ := x.Final(final); ok {
			t.Error("a user without a password came in")
		}
	})
}

func TestRules(t *testing.T) {
	net10, err := ParseAddress("10.0.0.0/8")
	if err != nil {
		t.Fatal(err)
	}
	all := []string{"all"}
	rules := Rules{
		{Kind: Local, Databases: all, Users: all, Method: Trust},
		{Kind: HostSSL, Databases: []string{"sameuser"}, Users: all, Method: SCRAM},
		{Kind: Host, Databases: []string{"db"}, Users: []string{"u"}, Addresses: net10, Method: Trust},
		{Kind: HostNoSSL, Databases: []string{"secret"}, Users: all, Method: Reject},
	}
	for _, x := range []struct {
		peer Peer
		want Method
		err  string
	}{
		{Peer{Local: true, User: "a", Database: "b"}, Trust, ""},
		{Peer{TLS: true, User: "a", Database: "a"}, SCRAM, ""},
		{Peer{Addr: netip.MustParseAddr("10.1.2.3"), User: "u", Database: "db"}, Trust, ""},
		{Peer{Addr: netip.MustParseAddr("::ffff:10.1.2.3"), User: "u", Database: "db"}, Trust, ""},
		{Peer{Addr: netip.MustParseAddr("11.1.2.3"), User: "u", Database: "db"}, Reject,
			`no pg_hba.conf entry for host "11.1.2.3", user "u", database "db", no encryption`},
		{Peer{Addr: netip.MustParseAddr("10.1.2.3"), User: "u", Database: "secret"}, Reject,
			`pg_hba.conf rejects connection for host "10.1.2.3", user "u", database "secret", no encryption`},
	} {
		got, err := rules.Match(x.peer)
		if got != x.want || (err == nil) != (x.err == "") || err != nil && pgerror.From(err).Message != x.err {
			t.Errorf("%+v: got %v, %v", x.peer, got, err)
		}
	}
}
