package ui

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"slipway/fleet"
	"slipway/tasksequence"
	"slipway/ui/internal/view"
)

// variableRows are a device's variables as its form shows them: secrets without their
// values, and a row for a new one.
func variableRows(list []fleet.DeviceVariable) []view.VariableRow {
	rows := make([]view.VariableRow, 0, len(list)+1)
	for _, v := range list {
		row := view.VariableRow{Name: v.Name, Secret: v.Secret}
		if v.Secret {
			row.Was = v.Name
		} else {
			row.Value, row.List = valueText(v.Value)
		}
		rows = append(rows, row)
	}
	return append(rows, view.VariableRow{})
}

// typedVariables reads the form. A row without a name and value is none; at keeps the
// number of the row of each variable.
func typedVariables(v *visit) (rows []view.VariableRow, list []DeviceVariable, at []int) {
	f := postedForm{v}
	names, values, was := f.All("varName"), f.All("varValue"), f.All("varWas")
	pick := func(all []string, i int) string {
		if i < len(all) {
			return all[i]
		}
		return ""
	}
	for i, name := range names {
		number := strconv.Itoa(i)
		row := view.VariableRow{Name: strings.TrimSpace(name), Value: strings.ReplaceAll(pick(values, i), "\r\n", "\n"), Was: pick(was, i),
			Secret: slices.Contains(f.All("varSecret"), number), List: slices.Contains(f.All("varList"), number)}
		if row.Name == "" && (row.Value == "" || row.Was != "") {
			continue
		}
		x := DeviceVariable{Name: row.Name, Value: tasksequence.Value{Text: row.Value, Secret: row.Secret}}
		if row.List {
			x.Value.Text, x.Value.List = "", strings.FieldsFunc(row.Value, func(r rune) bool { return r == '\n' })
			if x.Value.List == nil {
				x.Value.List = []string{}
			}
		}
		if row.Secret && row.Value == "" {
			x.Keep = row.Was
		}
		if !row.Secret && row.Was != "" && row.Value == "" {
			row.ValueError = "Give the value anew: a secret that is set is never shown. Or leave Secret ticked."
		}
		rows, list, at = append(rows, row), append(list, x), append(at, len(rows))
	}
	return rows, list, at
}

func (c *Console) setVariables(v *visit) error {
	rows, list, at := typedVariables(v)
	wrong := slices.ContainsFunc(rows, func(r view.VariableRow) bool { return r.ValueError != "" })
	var fields FieldErrors
	if !wrong {
		err := c.backend.Devices.SetVariables(v.ctx(), v.actor(), v.param("id"), list)
		if err == nil {
			return done(v, view.DeviceURL(v.param("id"))+"#variables", "variables")
		}
		if !errors.As(err, &fields) {
			return c.deviceProblem(v, err)
		}
	}
	for _, e := range fields {
		for i, row := range at {
			switch e.Field {
			case fmt.Sprintf("name-%d", i):
				rows[row].Error = e.Detail
			case fmt.Sprintf("value-%d", i):
				rows[row].ValueError = e.Detail
			}
		}
	}
	for i := range rows {
		if rows[i].Secret && rows[i].Value != "" { // what was typed is not sent back
			rows[i].Value = ""
			if rows[i].ValueError == "" {
				rows[i].ValueError = "Give the secret again: it is not sent back."
			}
		}
	}
	return c.device(v, http.StatusUnprocessableEntity, view.DeviceView{Variables: append(rows, view.VariableRow{}), Problem: "The variables are not saved yet: mend what is marked."})
}
