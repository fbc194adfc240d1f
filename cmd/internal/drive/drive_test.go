package drive

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"io"
	"math/rand/v2"
	"net"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestHistogram(t *testing.T) {
	var h Histogram
	for i := range 1000 {
		h.Add(time.Duration(i+1) * time.Millisecond)
	}
	for q, want := range map[float64]time.Duration{0.5: 500 * time.Millisecond, 0.99: 990 * time.Millisecond} {
		if got := h.Quantile(q); got < want || got > want+want/16 {
			t.Errorf("quantile %v is %v, want about %v", q, got, want)
		}
	}
	for b := range 1000 {
		if bucket(lower(b)) != b || bucket(lower(b+1)-1) != b {
			t.Errorf("bucket %d begins at %d", b, lower(b))
		}
	}
}

// answer is a server that sends answers in two pieces: a row for "row", an error for "bad", an open transaction after "begin".
// TestResultsTravel: what one process counted is the same in another.
func TestResultsTravel(t *testing.T) {
	r := &Result{Answers: 3, Errors: map[string]int64{"40001": 2}, First: "no", Took: time.Second}
	for _, d := range []time.Duration{0, 7, time.Microsecond, time.Hour} {
		r.Latency.Add(d)
	}
	b, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	got := &Result{}
	if err := json.Unmarshal(b, got); err != nil || !reflect.DeepEqual(got, r) {
		t.Fatalf("%v: %s", err, b)
	}
	got.Merge(r)
	if got.Answers != 6 || got.Errors["40001"] != 4 || got.Latency.Count() != 8 || got.Took != time.Second || got.Rate() != 6 {
		t.Errorf("merged %+v", got)
	}
	if err := json.Unmarshal([]byte("[[99999, 1]]"), &got.Latency); err == nil {
		t.Error("a bucket that is none")
	}
}

func answer(t *testing.T, conn net.Conn) {
	in := bufio.NewReader(conn)
	head := make([]byte, 4)
	if _, err := io.ReadFull(in, head); err != nil {
		return
	}
	if _, err := in.Discard(int(binary.BigEndian.Uint32(head)) - 4); err != nil {
		return
	}
	status := byte('I')
	reply := "R\x00\x00\x00\x08\x00\x00\x00\x00K\x00\x00\x00\x0c\x00\x00\x00\x07\x00\x00\x00\x09"
	for {
		reply += "Z\x00\x00\x00\x05" + string(status)
		for _, part := range []string{reply[:3], reply[3:]} {
			if _, err := conn.Write([]byte(part)); err != nil {
				return
			}
		}
		kind, err := in.ReadByte()
		if err != nil {
			return
		}
		if _, err := io.ReadFull(in, head); err != nil {
			return
		}
		body := make([]byte, binary.BigEndian.Uint32(head)-4)
		if _, err := io.ReadFull(in, body); err != nil || kind != 'Q' {
			t.Errorf("message %c: %v", kind, err)
			return
		}
		reply = ""
		switch text := strings.TrimSuffix(string(body), "\x00"); text {
		case "row":
			reply = "D\x00\x00\x00\x06\x00\x00"
		case "bad":
			reply = "E\x00\x00\x00\x10C42601\x00Mno\x00\x00"
		case "begin":
			status = 'T'
		case "end":
			status = 'I'
		}
	}
}

func TestFleet(t *testing.T) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go answer(t, conn)
		}
	}()
	f, err := Dial(Options{Addr: l.Addr().String(), Clients: 10, Threads: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if c := f.Clients()[3]; c.PID != 7 || c.Secret != 9 {
		t.Errorf("the key is %d, %d", c.PID, c.Secret)
	}
	steps := []string{"row", "bad", "begin", "row", "end"}
	script := func(c *Client, _ *rand.Rand, buf []byte) ([]byte, time.Duration) {
		if c.Step == len(steps) {
			return buf, 0
		}
		c.Step++
		return Query(buf, steps[c.Step-1]), time.Duration(c.Step%2) * time.Millisecond
	}
	r, err := f.Run(0, script)
	if err != nil {
		t.Fatal(err)
	}
	if r.Answers != 50 || r.Rows != 20 || r.Errors["42601"] != 10 || r.First != "42601: no" || r.Latency.Count() != 50 {
		t.Errorf("%d answers, %d rows, errors %v (%s), %d latencies", r.Answers, r.Rows, r.Errors, r.First, r.Latency.Count())
	}
	begun := func(c *Client, _ *rand.Rand, buf []byte) ([]byte, time.Duration) {
		if c.Status == 'T' {
			return Query(buf, "end"), 30 * time.Millisecond
		}
		return Query(buf, "begin"), 0
	}
	if _, err = f.Run(10*time.Millisecond, begun); err != nil {
		t.Fatal(err)
	}
	for _, c := range f.Clients() {
		if c.Status != 'I' {
			t.Errorf("client %d stopped inside a transaction", c.Number)
		}
	}
}
