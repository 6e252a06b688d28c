package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"slipway/appliance/internal/api"
	"slipway/appliance/internal/socket"
	"slipway/fleet"
	"slipway/tasksequence"
)

func (a *app) deviceVariablesCommand() *cobra.Command {
	var remove []string
	var secret string
	c := a.jsonFlag(&cobra.Command{Use: "variables DEVICE [NAME=VALUE...]", Short: "Show or set the variables that a device's deployments begin with", Args: usage(cobra.MinimumNArgs(1)),
		Long: "Shows the variables that a device's deployments begin with, and changes those that are named; the others stay.\n" +
			"A name that is given several times gets a list. The value of --secret is read from standard input; it is shown\nnowhere, also not here.",
		Example: "  slipway device variables lab-7\n  slipway device variables lab-7 ComputerName=PC-0007 Applications=editor Applications=browser --remove OU\n" +
			"  slipway device variables lab-7 --secret AdminPassword < password.txt"})
	c.Flags().StringArrayVar(&remove, "remove", nil, "take away the variable of that name (may be repeated)")
	c.Flags().StringVar(&secret, "secret", "", "name of a secret variable whose value is read from standard input")
	c.RunE = func(c *cobra.Command, args []string) error {
		given, err := givenVariables(args[1:], remove, secret)
		if err != nil {
			return usageError{err}
		}
		var device fleet.Device
		path := "/admin/devices/" + escape(args[0])
		if err := a.call(c.Context(), "GET", path, nil, &device); err != nil {
			return err
		}
		if len(given) > 0 {
			if err := a.setDeviceVariables(c.Context(), path, secret, given, &device); err != nil {
				return err
			}
		}
		return a.printDeviceVariables(device.Variables)
	}
	return c
}

// givenVariables are the changes that a command line asks for; nothing in place of a
// value removes the variable, and stands for that of a secret one as well.
func givenVariables(args, remove []string, secret string) (map[string]*tasksequence.Value, error) {
	given := map[string]*tasksequence.Value{}
	names := map[string]string{} // as given, by the folded name
	take := func(name string) (known bool, err error) {
		before, known := names[strings.ToLower(name)]
		if known && before != name {
			return known, fmt.Errorf("%s and %s are one variable: case does not matter in names", before, name)
		}
		names[strings.ToLower(name)] = name
		return known, nil
	}
	for _, arg := range args {
		name, text, ok := strings.Cut(arg, "=")
		if !ok || name == "" {
			return nil, fmt.Errorf("%q is not NAME=VALUE", arg)
		}
		again, err := take(name)
		switch {
		case err != nil:
			return nil, err
		case !again:
			given[name] = &tasksequence.Value{Text: text}
		default:
			given[name] = &tasksequence.Value{List: append(given[name].Items(), text)}
		}
	}
	others := slices.Clone(remove)
	if secret != "" {
		others = append(others, secret)
	}
	for _, name := range others {
		switch again, err := take(name); {
		case err != nil:
			return nil, err
		case again:
			return nil, fmt.Errorf("%s is given twice", name)
		}
		given[name] = nil
	}
	return given, nil
}

// setDeviceVariables sends all variables of the device with the given changes, and
// reads what the device has then.
func (a *app) setDeviceVariables(ctx context.Context, path, secret string, given map[string]*tasksequence.Value, device *fleet.Device) error {
	changed := func(name string) bool {
		for n := range given {
			if strings.EqualFold(n, name) {
				return true
			}
		}
		return false
	}
	in := api.SetVariables{Variables: []api.SetVariable{}}
	kept := map[string]bool{}
	for _, v := range device.Variables {
		kept[strings.ToLower(v.Name)] = true
		if changed(v.Name) {
			continue
		}
		set := api.SetVariable{Name: v.Name, Secret: v.Secret}
		if !v.Secret {
			set.Value = new(tasksequence.Value)
			if err := json.Unmarshal(v.Value, set.Value); err != nil {
				return fmt.Errorf("the value of %s: %w", v.Name, err)
			}
		}
		in.Variables = append(in.Variables, set)
	}
	for name, value := range given {
		switch {
		case name == secret:
			text, err := a.readSecret("Value of " + name)
			if err != nil {
				return err
			}
			in.Variables = append(in.Variables, api.SetVariable{Name: name, Value: &tasksequence.Value{Text: text}, Secret: true})
		case value != nil:
			in.Variables = append(in.Variables, api.SetVariable{Name: name, Value: value})
		case !kept[strings.ToLower(name)]:
			return fmt.Errorf("the device has no variable %s; nothing was changed", name)
		}
	}
	if err := a.call(ctx, "PUT", path+"/variables", in, nil); err != nil {
		return byName(err, in)
	}
	return a.call(ctx, "GET", path, nil, device)
}

// byName has the fields of an error name variables, not their places in the request.
func byName(err error, in api.SetVariables) error {
	var p *socket.ProblemError
	if !errors.As(err, &p) {
		return err
	}
	for i, f := range p.Errors {
		for n, v := range in.Variables {
			if rest, ok := strings.CutPrefix(f.Field, fmt.Sprintf("variables.%d.", n)); ok {
				p.Errors[i].Field = v.Name + " (" + rest + ")"
			}
		}
	}
	return err
}

func (a *app) printDeviceVariables(list []fleet.DeviceVariable) error {
	if a.json {
		if list == nil {
			list = []fleet.DeviceVariable{}
		}
		return a.printJSON(list)
	}
	rows := [][]string{{"NAME", "VALUE"}}
	for _, v := range list {
		text := "(secret)"
		if !v.Secret {
			var value tasksequence.Value
			if err := json.Unmarshal(v.Value, &value); err != nil {
				return fmt.Errorf("the value of %s: %w", v.Name, err)
			}
			text = value.String()
		}
		rows = append(rows, []string{v.Name, text})
	}
	return a.table(rows)
}
