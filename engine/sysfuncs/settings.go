package sysfuncs

import (
	"strconv"
	"strings"

	"manifold/engine/base"
	"manifold/engine/builtins"
	"manifold/engine/pgerror"
	"manifold/engine/session"
	"manifold/engine/setting"
	"manifold/engine/types"
)

func registerSettings(r registry) {
	r.add(currentSetting, "show_config_by_name", "show_config_by_name_missing_ok")
	r.add(setConfig, "set_config_by_name")
	r.addSet(allSettings, "show_all_settings")
	r.addSet(func(*Scope, *builtins.Context, []types.Datum) ([]types.Datum, error) { return nil, nil }, "show_all_file_settings")
}

func currentSetting(s *Scope, _ *builtins.Context, a []types.Datum) (types.Datum, error) {
	switch strings.ToLower(text(a[0])) { // the transaction's own
	case "transaction_isolation":
		return types.Text(s.Session.Tx.Isolation.String()), nil
	case "transaction_read_only":
		return types.Text(onOff(s.Session.Tx.ReadOnly)), nil
	case "transaction_deferrable":
		return types.Text(onOff(s.Session.Tx.Deferrable)), nil
	}
	_, value, err := s.Session.Settings.Show(text(a[0]))
	if err != nil && len(a) > 1 && a[1].True() && pgerror.Code(err) == pgerror.UndefinedObject {
		return types.Null, nil
	}
	return types.Text(value), err
}

func onOff(v bool) string {
	if v {
		return "on"
	}
	return "off"
}

func setConfig(s *Scope, _ *builtins.Context, a []types.Datum) (types.Datum, error) {
	if a[0].Null {
		return types.Null, pgerror.New(pgerror.NullValueNotAllowed, "SET requires parameter name")
	}
	r, err := s.View.RoleByOID(s.Session.Role)
	if err != nil {
		return types.Null, err
	}
	c := session.Change{Name: text(a[0]), Text: text(a[1]), Default: a[1].Null, Local: a[2].True(), Depth: s.Tx.Depth(),
		Super: r != nil && r.Super}
	if err := s.Session.Settings.Set(c); err != nil {
		return types.Null, err
	}
	_, value, err := s.Session.Settings.Show(c.Name)
	return types.Text(value), err
}

// allSettings gives the rows of pg_settings.
func allSettings(s *Scope, _ *builtins.Context, _ []types.Datum) ([]types.Datum, error) {
	t := types.OIDText
	cols := []base.OID{t, t, t, t, t, t, t, t, t, t, t, types.OIDTextArray, t, t, t, types.OIDInt4, types.OIDBool}
	orNull := func(v string) types.Datum {
		if v == "" {
			return types.Null
		}
		return types.Text(v)
	}
	var out []types.Datum
	for _, p := range setting.All() {
		if p.Has(setting.NoShowAll) {
			continue
		}
		low, high, enums := types.Null, types.Null, types.Null
		if p.Kind == setting.Int || p.Kind == setting.Real {
			low, high = bound(p.Min), bound(p.Max)
		}
		if p.Kind == setting.Enum {
			var e []types.Datum
			for _, v := range p.Enum {
				e = append(e, types.Text(v))
			}
			enums = types.MakeArray(types.OIDText, e)
		}
		boot := p.Default()
		value := s.Session.Settings.Get(p.Name)
		source := "default"
		if value != boot {
			source = "session"
		}
		out = append(out, record(cols, types.Text(p.Name), types.Text(raw(p, value)), orNull(p.Unit), types.Text(p.Category),
			types.Text(p.Short), orNull(p.Extra), types.Text(p.Context.String()), types.Text(p.Kind.String()), types.Text(source),
			low, high, enums, types.Text(raw(p, boot)), types.Text(raw(p, boot)), types.Null, types.Null, types.Bool(false)))
	}
	return out, nil
}

// raw gives a value without its unit.
func raw(p *setting.Setting, v setting.Value) string {
	switch p.Kind {
	case setting.Int:
		return strconv.FormatInt(v.Int, 10)
	case setting.Real:
		return strconv.FormatFloat(v.Real, 'g', -1, 64)
	case setting.Bool:
		if v.Bool {
			return "on"
		}
		return "off"
	}
	return v.Str
}

func bound(f float64) types.Datum {
	s := strconv.FormatFloat(f, 'g', 17, 64)
	if f == float64(int64(f)) && !strings.ContainsAny(s, "e") {
		s = strconv.FormatInt(int64(f), 10)
	}
	return types.Text(strings.TrimSuffix(s, ".0"))
}
