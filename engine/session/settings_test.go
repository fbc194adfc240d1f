package session

import "testing"

func set(t *testing.T, s *Settings, name, text string, depth int, local bool) {
	t.Helper()
	if err := s.Set(Change{Name: name, Text: text, Default: text == "", Depth: depth, Local: local, Super: true}); err != nil {
		t.Fatal(err)
	}
}

func want(t *testing.T, s *Settings, name, text string) {
	t.Helper()
	if _, got, err := s.Show(name); err != nil || got != text {
		t.Errorf("%s is %q (%v), want %q", name, got, err, text)
	}
}

// TestSharedSettings: sessions on one base do not see each other's changes, and each finds its way back.
func TestSharedSettings(t *testing.T) {
	first := NewSettings()
	for name, text := range map[string]string{"work_mem": "8MB", "my.own": "x", "TimeZone": "Asia/Tokyo"} {
		if err := first.Preset(name, text); err != nil {
			t.Fatal(err)
		}
	}
	b := first.Share()
	s, other := OnBase(b), OnBase(b)
	set(t, s, "work_mem", "1MB", -1, false)
	set(t, s, "my.own", "y", -1, false)
	set(t, s, "lock_timeout", "5s", 0, false)
	want(t, s, "work_mem", "1MB")
	want(t, s, "my.own", "y")
	for _, o := range []*Settings{first, other} {
		want(t, o, "work_mem", "8MB")
		want(t, o, "my.own", "x")
		want(t, o, "lock_timeout", "0")
	}
	s.End(false)
	want(t, s, "lock_timeout", "0")
	set(t, s, "work_mem", "", -1, false)
	want(t, s, "work_mem", "8MB")
	set(t, s, "TimeZone", "UTC", 0, true)
	want(t, s, "TimeZone", "UTC")
	s.End(true)
	want(t, s, "TimeZone", "Asia/Tokyo")
	set(t, s, "lock_timeout", "5s", -1, false)
	s.ResetAll(-1)
	want(t, s, "lock_timeout", "0")
	want(t, s, "my.own", "x")
	want(t, s, "TimeZone", "Asia/Tokyo")
}

// TestUndoneSettingsShareAgain: a session whose changes are all undone uses what the others have taken apart.
func TestUndoneSettingsShareAgain(t *testing.T) {
	b := NewSettings().Share()
	s, other := New(1, 1, nil), New(2, 2, nil)
	s.Settings, other.Settings = OnBase(b), OnBase(b)
	if s.Hot() != other.Hot() {
		t.Error("sessions without changes have copies of their own")
	}
	set(t, s.Settings, "work_mem", "1MB", 0, false)
	if s.Hot() == other.Hot() || s.Hot().WorkMem != 1<<20 {
		t.Errorf("work_mem is %d", s.Hot().WorkMem)
	}
	s.Settings.End(false)
	if s.Hot() != other.Hot() {
		t.Error("a session without changes has a copy of its own")
	}
}

// BenchmarkGet is what a setting costs that is read where nothing is cached.
func BenchmarkGet(b *testing.B) {
	s := NewSettings()
	for b.Loop() {
		s.Get("work_mem")
	}
}
