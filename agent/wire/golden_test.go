package wire

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"testing"
	"time"
)

// testdata/<protocol> holds every type of the conversation as an agent of that
// protocol sends or reads it. Agents are baked into media: what is there stays
// readable, and means the same, for two years after the last release that spoke it.
// -update writes the files of the present protocol; after a release a field may be
// added, none may go or change.
var update = flag.Bool("update", false, "write the golden files of the present protocol")

var types = []any{
	Problem{}, Device{}, Mechanisms{}, PasscodeSignIn{}, SignIn{}, EntraStart{}, EntraPoll{}, EntraPending{}, Token{},
	TaskSequences{}, StartDeployment{}, ResumeDeployment{}, Deployment{}, EventBatch{}, EventAnswer{}, LogBatch{}, LogAnswer{}, Facts{},
	ContentManifest{}, ContentQuery{}, ContentAnswer{}, ContentUpload{}, UploadState{}, UploadCommit{},
	AutopilotRegistration{}, AutopilotState{}, DomainJoinRequest{}, DomainJoin{}, CloudQuery{}, CloudAnswer{},
	WinPERequest{}, WinPEImage{},
}

// fill gives every field a value of its own.
func fill(v reflect.Value, n *int) {
	*n++
	switch {
	case v.Type() == reflect.TypeFor[time.Time]():
		v.Set(reflect.ValueOf(time.Date(2026, 1, 2, 3, 4, 5, *n, time.UTC)))
		return
	case v.Type() == reflect.TypeFor[json.RawMessage]():
		v.SetBytes([]byte(strconv.Quote("raw-" + strconv.Itoa(*n))))
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), n)
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i), n)
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0), n)
	case reflect.Map:
		v.Set(reflect.ValueOf(map[string]string{"name-" + strconv.Itoa(*n): "value"}))
	case reflect.String:
		v.SetString("text-" + strconv.Itoa(*n))
	case reflect.Int, reflect.Int64:
		v.SetInt(int64(*n))
	case reflect.Bool:
		v.SetBool(true)
	default:
		panic("a kind of field the test does not know: " + v.Type().String())
	}
}

func filled(example any) reflect.Value {
	v := reflect.New(reflect.TypeOf(example))
	n := 0
	fill(v.Elem(), &n)
	return v
}

func TestGoldenTypesOfThisProtocol(t *testing.T) {
	dir := filepath.Join("testdata", strconv.Itoa(Protocol))
	for _, example := range types {
		name := filepath.Join(dir, reflect.TypeOf(example).Name()+".json")
		got, err := json.MarshalIndent(filled(example).Interface(), "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, '\n')
		if *update {
			if err := os.MkdirAll(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(name, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s changed: what was released must stay as it is.\nWas %s\nis %s", name, want, got)
		}
	}
}

// Every protocol that was released is read without loss by today's types.
func TestGoldenTypesOfAllProtocols(t *testing.T) {
	for p := 1; p <= Protocol; p++ {
		for _, example := range types {
			name := filepath.Join("testdata", strconv.Itoa(p), reflect.TypeOf(example).Name()+".json")
			text, err := os.ReadFile(name)
			if os.IsNotExist(err) {
				continue // a type that came later
			}
			if err != nil {
				t.Fatal(err)
			}
			v := reflect.New(reflect.TypeOf(example))
			d := json.NewDecoder(bytes.NewReader(text))
			d.DisallowUnknownFields()
			if err := d.Decode(v.Interface()); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			again, err := json.MarshalIndent(v.Interface(), "", "  ")
			if err != nil || !bytes.Equal(append(again, '\n'), text) {
				t.Errorf("%s is not read as it was written: %s, %v", name, again, err)
			}
		}
	}
}
