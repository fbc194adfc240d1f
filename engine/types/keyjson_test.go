package types

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// randomJSON makes a small value; few distinct parts, so that ties are common.
func randomJSON(r *rand.Rand, depth int) JSON {
	words := []string{"", "a", "b", "ab", "ä"}
	switch k := r.IntN(8); {
	case k < 2 && depth > 0:
		v := JSON{Kind: JSONArray}
		for range r.IntN(3) {
			v.Elems = append(v.Elems, randomJSON(r, depth-1))
		}
		return v
	case k < 4 && depth > 0:
		v := JSON{Kind: JSONObject}
		for range r.IntN(3) {
			v.Keys, v.Values = append(v.Keys, words[r.IntN(len(words))]), append(v.Values, randomJSON(r, depth-1))
		}
		v.SortKeys()
		return v
	case k == 4:
		return JSON{Kind: JSONBool, Bool: r.IntN(2) == 0}
	case k == 5:
		return JSON{Kind: JSONString, Str: words[r.IntN(len(words))]}
	case k == 6:
		return JSON{}
	}
	n, _ := ParseNum([]string{"0", "-1", "1", "1.0", "1.5", "1e30", "-0.001"}[r.IntN(7)])
	return JSON{Kind: JSONNumber, Num: n}
}

// TestKeysOfJSON holds that the bytes of keys order jsonb as its comparison does, and that none is the beginning of another.
func TestKeysOfJSON(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	for range 20000 {
		x, y := randomJSON(r, 3), randomJSON(r, 3)
		a, b := x.AppendJSONB(nil), y.AppendJSONB(nil)
		ka, err := AppendKey(nil, OIDJSONB, Datum{B: a}, false, false)
		if err != nil {
			t.Fatal(err)
		}
		kb, err := AppendKey(nil, OIDJSONB, Datum{B: b}, false, false)
		if err != nil {
			t.Fatal(err)
		}
		want := Compare(OIDJSONB, Datum{B: a}, Datum{B: b})
		if got := bytes.Compare(ka, kb); (got < 0) != (want < 0) || (got > 0) != (want > 0) {
			t.Fatalf("%s and %s: keys %d, values %d", a, b, got, want)
		}
		if want != 0 && (bytes.HasPrefix(ka, kb) || bytes.HasPrefix(kb, ka)) {
			t.Fatalf("%s and %s: one key begins the other", a, b)
		}
	}
}
