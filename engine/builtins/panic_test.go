package builtins

import (
	"math/rand/v2"
	"testing"

	"manifold/engine/base"
	"manifold/engine/types"
)

func interesting(typ base.OID) []string {
	switch typ {
	case types.OIDInt2:
		return []string{"0", "1", "-1", "32767", "-32768"}
	case types.OIDInt4:
		return []string{"0", "1", "-1", "2", "7", "2147483647", "-2147483648"}
	case types.OIDInt8:
		return []string{"0", "1", "-1", "63", "9223372036854775807", "-9223372036854775808"}
	case types.OIDFloat4, types.OIDFloat8:
		return []string{"0", "-0", "1.5", "NaN", "Infinity", "-Infinity", "1e30", "1e-30"}
	case types.OIDNumeric:
		return []string{"0", "0.00", "1", "-1.5", "NaN", "Infinity", "-Infinity", "1e50", "1e-50", "123456789012345678901234567890", "99"}
	case types.OIDDate:
		return []string{"2024-02-29", "infinity", "-infinity", "5874897-12-31", "4713-11-24 BC"}
	case types.OIDTimestamp, types.OIDTimestampTZ:
		return []string{"2024-02-29 12:34:56.789", "infinity", "-infinity", "294276-12-31", "4713-12-24 BC", "epoch"}
	case types.OIDInterval:
		return []string{"0", "1 mon -1 day", "178000000 years", "-1 us", "2000000000 days", "1000000000 hours"}
	case types.OIDTime:
		return []string{"00:00", "24:00", "12:34:56.789"}
	case types.OIDText, types.OIDBPChar, types.OIDVarChar:
		return []string{"", "a", "a%", "%_\\", "(", "日本", "day", "second", "YYYY-MM-DD", "FM999.99", "\\", "[", "%s%I", "UTC", "x{2}", "a,b"}
	case types.OIDBytea:
		return []string{"", "abc", "\\x00ff"}
	case types.OIDInt4Array:
		return []string{"{}", "{1,2}", "{NULL}", "{{1,2},{3,4}}", "[-1:0]={5,6}"}
	case types.OIDTextArray:
		return []string{"{}", "{a,NULL}", "{a,1}"}
	case types.OIDJSON, types.OIDJSONB:
		return []string{"{}", "[]", "1", `{"a":[1,{"b":null}]}`, `"x"`, "[1]"}
	case types.OIDBool:
		return []string{"t", "f"}
	}
	return nil
}

// TestScalarsNeverPanic calls every function of the golden file with odd values of its types.
func TestScalarsNeverPanic(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for _, g := range readGolden(t) {
		e, ok := Lookup(g.oid)
		if !ok || e.Scalar == nil || g.sig == "repeat(text,integer)" {
			continue
		}
		for range 40 {
			c := testContext(t)
			c.ArgTypes, c.Result = g.types, g.result
			args := make([]types.Datum, len(g.types))
			usable := true
			for i, typ := range g.types {
				vals := interesting(typ)
				if vals == nil {
					usable = false
					break
				}
				d, err := types.In(typ, -1, vals[rng.IntN(len(vals))], c.Env)
				if err != nil {
					t.Fatal(err)
				}
				args[i] = d
			}
			if !usable {
				break
			}
			func() {
				defer func() {
					if p := recover(); p != nil {
						var text []string
						for i := range args {
							text = append(text, string(types.AppendText(nil, g.types[i], args[i], c.Env)))
						}
						t.Errorf("%s of %q panics: %v", g.sig, text, p)
					}
				}()
				d, err := e.Scalar(c, args)
				if err == nil && !d.Null {
					types.AppendText(nil, g.result, d, c.Env)
				}
			}()
		}
	}
}
