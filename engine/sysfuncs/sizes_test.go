package sysfuncs

import "testing"

func TestPrettySize(t *testing.T) {
	for n, want := range map[int64]string{0: "0 bytes", 10239: "10239 bytes", 10240: "10 kB", 10241: "10 kB", -10240: "-10 kB",
		20000: "20 kB", 10485247: "10239 kB", 10485248: "10 MB", 10737418240: "10 GB", 1e13: "9313 GB", 1e16: "9095 TB", 9e18: "7994 PB"} {
		if got := prettySize(n); got != want {
			t.Errorf("%d: got %s, want %s", n, got, want)
		}
	}
}

func TestACLItems(t *testing.T) {
	for _, text := range []string{"=r/postgres", "a=arwdDxt/b", `"odd name"=a*r/"q""uote"`, "x=X*U/y", "d=CTc/d"} {
		it, ok := parseItem(text)
		if !ok || it.String() != text {
			t.Errorf("%s: got %v %s", text, ok, it)
		}
	}
	for _, text := range []string{"", "a", "a=", "a=Z/b", `"a=r/b`} {
		if it, ok := parseItem(text); ok {
			t.Errorf("%q was read as %s", text, it)
		}
	}
}

func FuzzACLItem(f *testing.F) {
	f.Add(`"a b"=ar*/c`)
	f.Fuzz(func(t *testing.T, text string) {
		if it, ok := parseItem(text); ok {
			again, ok := parseItem(it.String())
			if !ok || again != it {
				t.Fatalf("%q became %q", text, it.String())
			}
		}
	})
}

func TestSplitList(t *testing.T) {
	got := splitList(`"$user", Public, "A b" ,x`)
	want := []string{"$user", "public", "A b", "x"}
	if len(got) != len(want) {
		t.Fatal(got)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Fatal(got)
		}
	}
}
