package session

import (
	"bytes"
	"fmt"
	"net"
	"testing"

	"github.com/jackc/pgx/v5/pgproto3"

	"manifold/engine/backend"
	"manifold/engine/base"
	"manifold/engine/session"
	"manifold/engine/vector"
	"manifold/pool"
)

// cheapBackend answers one row without allocating.
type cheapBackend struct {
	fakeBackend
}

func (b *cheapBackend) Bind(s *session.Session, portal, stmt string, _ []int16, _ [][]byte, formats []int16) error {
	return nil
}

func (b *cheapBackend) Execute(s *session.Session, portal string, _ int, out backend.Sink) (bool, error) {
	if err := out.Rows(oneColumn, nil, &b.batch); err != nil {
		return false, err
	}
	return false, out.Complete("SELECT 1")
}

var oneColumn = column("n")

// dialBench logs bob in and reads past the welcome.
func (s *server) dialBench(b *testing.B) net.Conn {
	conn, err := net.DialTCP("tcp", nil, s.addr)
	if err != nil {
		b.Fatal(err)
	}
	f := pgproto3.NewFrontend(conn, conn)
	f.Send(&pgproto3.StartupMessage{ProtocolVersion: 196608, Parameters: map[string]string{"user": "bob", "database": "postgres"}})
	if err := f.Flush(); err != nil {
		b.Fatal(err)
	}
	for {
		m, err := f.Receive()
		if err != nil {
			b.Fatal(err)
		}
		if _, ok := m.(*pgproto3.ReadyForQuery); ok {
			return conn
		}
	}
}

// BenchmarkRoundTrip is Bind, Execute and Sync of a prepared statement, both ends included.
func BenchmarkRoundTrip(b *testing.B) {
	s := startServer(b, pool.Limits{Slots: 2}, func(c *Config) {
		c.Pools = pool.NewPools(func(string) pool.Limits { return pool.Limits{Slots: 2} }, func(base.OID) (pool.Backend, error) {
			be := &cheapBackend{}
			be.batch.Cols = make([]vector.Vector, 1)
			be.batch.N = 1
			be.batch.Cols[0].Reset(false, 1)
			return be, nil
		})
	})
	for _, clients := range []int{1, 64} {
		b.Run(fmt.Sprintf("clients=%d", clients), func(b *testing.B) {
			b.ReportAllocs()
			b.SetParallelism(max(1, clients/2))
			b.RunParallel(func(pb *testing.PB) {
				conn := s.dialBench(b)
				defer func() { _ = conn.Close() }()
				var msg []byte
				for _, m := range []pgproto3.FrontendMessage{&pgproto3.Bind{}, &pgproto3.Execute{}, &pgproto3.Sync{}} {
					var err error
					if msg, err = m.Encode(msg); err != nil {
						b.Error(err)
					}
				}
				buf := make([]byte, 4096)
				for pb.Next() {
					if _, err := conn.Write(msg); err != nil {
						b.Error(err)
						return
					}
					for n := 0; !bytes.HasSuffix(buf[:n], []byte{'Z', 0, 0, 0, 5, 'I'}); {
						k, err := conn.Read(buf[n:])
						if err != nil {
							b.Error(err)
							return
						}
						n += k
					}
				}
			})
		})
	}
}
