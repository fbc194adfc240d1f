package sysfuncs

// View is a system view that initdb makes.
type View struct{ Schema, Name, SQL string }

// Views gives the system views in the order of their making.
func Views() []View { return nil }
