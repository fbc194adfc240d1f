package floor

import (
	"math/rand/v2"
	"net"
	"testing"
	"time"

	"manifold/cmd/internal/drive"
)

func TestServeAnswersClients(t *testing.T) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = serve(l) }() // until the test ends
	f, err := drive.Dial(drive.Options{Addr: l.Addr().String(), Clients: 10, Threads: 2})
	if err != nil {
		t.Fatal(err)
	}
	r, err := f.Run(50*time.Millisecond, func(_ *drive.Client, _ *rand.Rand, buf []byte) ([]byte, time.Duration) {
		return drive.Query(buf, "select"), time.Millisecond
	})
	if err != nil || r.Answers == 0 || r.Rows != r.Answers || r.Failed() != 0 {
		t.Errorf("%d answers, %d rows, %d errors, %v", r.Answers, r.Rows, r.Failed(), err)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
}
