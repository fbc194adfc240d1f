package bootstrap

import "testing"

func TestBuiltInRowsHaveNoForbiddenNulls(t *testing.T) {
	for _, d := range Relations() {
		rows, err := Rows(d)
		if err != nil {
			t.Error(err)
			continue
		}
		for i := range d.Columns {
			for _, r := range rows {
				if d.Columns[i].NotNull && r[i].Null {
					t.Errorf("%s.%s is null", d.Name, d.Columns[i].Name)
					break
				}
			}
		}
	}
}
