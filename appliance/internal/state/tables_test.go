package state

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"slipway/fleet"
)

// fill sets every field below v to a value of its own, so that a field that a
// conversion forgets is noticed.
func fill(v reflect.Value, n *int) {
	*n++
	switch {
	case v.Type() == reflect.TypeFor[time.Time]():
		v.Set(reflect.ValueOf(time.Date(2026, 1, 2, 3, 4, 5, 6000+*n, time.FixedZone("", 3600))))
		return
	case v.Type() == reflect.TypeFor[json.RawMessage]():
		v.SetBytes([]byte(fmt.Sprintf("{ \"n\" : %d, \"<&>\": \"\u2028\" }\n", *n)))
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i), n)
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		fill(v.Index(0), n)
		fill(v.Index(1), n)
	case reflect.Map:
		v.Set(reflect.ValueOf(map[string]string{fmt.Sprint("k", *n): "v"}))
	case reflect.String:
		v.SetString(fmt.Sprint("text-", *n))
	case reflect.Int, reflect.Int64:
		v.SetInt(int64(*n))
	case reflect.Uint8:
		v.SetUint(uint64(*n % 250))
	case reflect.Float64:
		v.SetFloat(float64(*n) + 0.5)
	case reflect.Bool:
		v.SetBool(true)
	default:
		panic("a kind of field the test does not know: " + v.Type().String())
	}
}

// spoil changes everything that v shares by reference.
func spoil(v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		if v.Type() != reflect.TypeFor[time.Time]() {
			for i := range v.NumField() {
				spoil(v.Field(i))
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			spoil(v.Index(i))
			v.Index(i).SetZero()
		}
	case reflect.Map:
		for _, k := range v.MapKeys() {
			v.SetMapIndex(k, reflect.Zero(v.Type().Elem()))
		}
	}
}

// utc makes all times UTC, as they are stored.
func utc(v reflect.Value) {
	switch {
	case v.Type() == reflect.TypeFor[time.Time]():
		v.Set(reflect.ValueOf(v.Interface().(time.Time).UTC()))
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			utc(v.Field(i))
		}
	case v.Kind() == reflect.Slice:
		for i := range v.Len() {
			utc(v.Index(i))
		}
	}
}

// roundTrip keeps a record with every field set, reads it back, spoils what it was
// given and what it got, and reads it again.
func roundTrip[T any](t *testing.T, s *Store, name string, table func(*Tx) Table[T]) {
	t.Run(name, func(t *testing.T) {
		var given, want T
		n, m := 0, 0
		fill(reflect.ValueOf(&given).Elem(), &n)
		fill(reflect.ValueOf(&want).Elem(), &m)
		utc(reflect.ValueOf(&want).Elem())
		update(t, s, func(tx *Tx) error { return table(tx).Put(given) })
		spoil(reflect.ValueOf(&given).Elem())
		for range 2 {
			view(t, s, func(tx *Tx) error {
				tb := table(tx)
				if tb.kind.name != name {
					t.Errorf("the table is called %q", tb.kind.name)
				}
				got, err := tb.Get(tb.kind.key(want))
				if err != nil {
					return err
				}
				if !reflect.DeepEqual(got, want) {
					t.Errorf("kept %+v\nread %+v", want, got)
				}
				spoil(reflect.ValueOf(&got).Elem())
				for v := range tb.All() {
					spoil(reflect.ValueOf(&v).Elem())
				}
				return nil
			})
		}
		var none T
		update(t, s, func(tx *Tx) error { return table(tx).Delete(table(tx).kind.key(want)) })
		view(t, s, func(tx *Tx) error {
			if got, err := table(tx).Get(table(tx).kind.key(want)); err == nil || !reflect.DeepEqual(got, none) {
				t.Errorf("after the removal: %v, %v", got, err)
			}
			return nil
		})
	})
}

func TestEveryTableKeepsEveryFieldAndSharesNothing(t *testing.T) {
	s := open(t, quiet(t.TempDir()))
	roundTrip(t, s, "installation", (*Tx).Installation)
	roundTrip(t, s, "settings", (*Tx).Settings)
	roundTrip(t, s, "signin", (*Tx).SignIn)
	roundTrip(t, s, "graph", (*Tx).Graph)
	roundTrip(t, s, "devices", func(tx *Tx) Table[fleet.Device] { return tx.Devices().Table })
	roundTrip(t, s, "deployments", func(tx *Tx) Table[fleet.Deployment] { return tx.Deployments().Table })
	roundTrip(t, s, "results", func(tx *Tx) Table[fleet.StepResult] { return tx.Results().Table })
	roundTrip(t, s, "documents", (*Tx).Documents)
	roundTrip(t, s, "sequences", func(tx *Tx) Table[fleet.Sequence] { return tx.Sequences().Table })
	roundTrip(t, s, "images", (*Tx).Images)
	roundTrip(t, s, "passcodes", (*Tx).Passcodes)
	roundTrip(t, s, "accounts", (*Tx).Accounts)
	roundTrip(t, s, "sessions", func(tx *Tx) Table[fleet.Session] { return tx.Sessions().Table })
	roundTrip(t, s, "tokens", func(tx *Tx) Table[fleet.Token] { return tx.Tokens().Table })
	roundTrip(t, s, "waits", (*Tx).Waits)
	roundTrip(t, s, "keys", (*Tx).Keys)
	roundTrip(t, s, "leases", (*Tx).Leases)
	roundTrip(t, s, "media", (*Tx).Media)
	roundTrip(t, s, "contentitems", func(tx *Tx) Table[fleet.ContentItem] { return tx.ContentItems().Table })
	roundTrip(t, s, "contentversions", func(tx *Tx) Table[fleet.ContentVersion] { return tx.ContentVersions().Table })
	roundTrip(t, s, "contentpins", func(tx *Tx) Table[fleet.ContentPin] { return tx.ContentPins().Table })
	roundTrip(t, s, "definitions", func(tx *Tx) Table[fleet.StepDefinition] { return tx.Definitions().Table })
	if want := 22; len(allTables()) != want {
		t.Errorf("%d tables, the test knows %d", len(allTables()), want)
	}
}

// ids collects a field of what a lookup yields.
func ids[T any](seq func(func(T) bool), id func(T) string) string {
	var out []string
	for v := range seq {
		out = append(out, id(v))
	}
	return strings.Join(out, " ")
}

func TestLookups(t *testing.T) {
	s := open(t, quiet(t.TempDir()))
	update(t, s, func(tx *Tx) error {
		for _, d := range []fleet.Device{
			{ID: "b", UUID: "AA-1", Serial: "S1", MACs: []string{"52:54:00:00:00:0A", "52:54:00:00:00:0b"}},
			{ID: "a", UUID: "aa-1", Serial: "s1", MACs: []string{"52:54:00:00:00:0b"}},
			{ID: "ab", UUID: "aa-12"},
		} {
			if err := tx.Devices().Put(d); err != nil {
				return err
			}
		}
		for _, v := range []int{10, 9, 100000} {
			if err := tx.Sequences().Put(fleet.Sequence{ID: "s", Version: v}); err != nil {
				return err
			}
		}
		if err := tx.Sequences().Put(fleet.Sequence{ID: "s2", Version: 1}); err != nil {
			return err
		}
		if err := tx.ContentItems().Put(fleet.ContentItem{ID: "i", Name: "7-Zip"}); err != nil {
			return err
		}
		if err := tx.ContentVersions().Put(fleet.ContentVersion{Item: "i", Version: 3, Key: "u"}); err != nil {
			return err
		}
		if err := tx.ContentPins().Put(fleet.ContentPin{Deployment: "d", Query: "q"}); err != nil {
			return err
		}
		return tx.Tokens().Put(fleet.Token{Hash: "h", ID: "t", DeviceID: "a", Deployment: "d"})
	})
	view(t, s, func(tx *Tx) error {
		id := func(d fleet.Device) string { return d.ID }
		version := func(q fleet.Sequence) string { return fmt.Sprint(q.Version) }
		hash := func(k fleet.Token) string { return k.Hash }
		content := func(v fleet.ContentVersion) string { return fmt.Sprint(v.Version) }
		for what, c := range map[string]struct{ got, want string }{
			"all in key order":        {ids(tx.Devices().All(), id), "a ab b"},
			"uuid of any case":        {ids(tx.Devices().ByUUID("Aa-1"), id), "a b"},
			"uuid is whole":           {ids(tx.Devices().ByUUID("aa"), id), ""},
			"empty uuid finds none":   {ids(tx.Devices().ByUUID(""), id), ""},
			"serial as it is":         {ids(tx.Devices().BySerial("S1"), id), "b"},
			"any of a device's macs":  {ids(tx.Devices().ByMAC("52:54:00:00:00:0B"), id), "a b"},
			"the other mac":           {ids(tx.Devices().ByMAC("52:54:00:00:00:0a"), id), "b"},
			"versions in their order": {ids(tx.Sequences().ByID("s"), version), "9 10 100000"},
			"token by id":             {ids(tx.Tokens().ByID("t"), hash), "h"},
			"token by device":         {ids(tx.Tokens().ByDevice("a"), hash), "h"},
			"token by deployment":     {ids(tx.Tokens().ByDeployment("d"), hash), "h"},
			"content item by name":    {ids(tx.ContentItems().ByName("7-ZIP"), func(i fleet.ContentItem) string { return i.ID }), "i"},
			"content of an item":      {ids(tx.ContentVersions().ByItem("i"), content), "3"},
			"content of an upload":    {ids(tx.ContentVersions().ByKey("u"), content), "3"},
			"answers to a deployment": {ids(tx.ContentPins().ByDeployment("d"), func(p fleet.ContentPin) string { return p.Query }), "q"},
		} {
			if c.got != c.want {
				t.Errorf("%s: %q, want %q", what, c.got, c.want)
			}
		}
		return nil
	})
}

func TestAnIndexFollowsTheRecord(t *testing.T) {
	s := open(t, quiet(t.TempDir()))
	update(t, s, func(tx *Tx) error { return tx.Devices().Put(fleet.Device{ID: "a", Serial: "old"}) })
	update(t, s, func(tx *Tx) error { return tx.Devices().Put(fleet.Device{ID: "a", Serial: "new"}) })
	view(t, s, func(tx *Tx) error {
		if got := slices.Collect(tx.Devices().BySerial("old")); len(got) != 0 {
			t.Errorf("still found under the old serial: %v", got)
		}
		if got := slices.Collect(tx.Devices().BySerial("new")); len(got) != 1 {
			t.Errorf("not found under the new serial: %v", got)
		}
		return nil
	})
}
