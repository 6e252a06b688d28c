package graphtest

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

const (
	importsPath = "/v1.0/deviceManagement/importedWindowsAutopilotDeviceIdentities"
	devicesPath = "/beta/deviceManagement/windowsAutopilotDeviceIdentities"
)

var serialFilter = regexp.MustCompile(`^contains\(serialNumber,'((?:[^']|'')+)'\)$`)

func (s *Server) graph(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Accept") != "application/json" {
		s.refuse(w, r, "Accept is "+r.Header.Get("Accept"))
		return
	}
	of := func(prefix string) (id string, ok bool) {
		id, ok = strings.CutPrefix(r.URL.Path, prefix+"/")
		return id, ok && id != "" && !strings.Contains(id, "/")
	}
	device, isUpdate := strings.CutSuffix(strings.TrimPrefix(r.URL.Path, devicesPath+"/"), "/updateDeviceProperties")
	switch id, one := of(importsPath); {
	case r.Method == "POST" && r.URL.Path == importsPath:
		s.takeHash(w, r)
	case r.Method == "GET" && r.URL.Path == importsPath:
		s.listImports(w, r)
	case r.Method == "GET" && one:
		s.lookAtImport(w, id)
	case r.Method == "GET" && r.URL.Path == devicesPath:
		s.listDevices(w, r)
	case r.Method == "POST" && isUpdate:
		s.update(w, r, device)
	default:
		if id, ok := of(devicesPath); ok && r.Method == "GET" {
			s.lookAtDevice(w, id)
			return
		}
		s.refuse(w, r, "there is no such call")
	}
}

// body decodes a body that has nothing but the fields of out.
func (s *Server) body(w http.ResponseWriter, r *http.Request, out any) bool {
	d := json.NewDecoder(io.LimitReader(r.Body, 1<<20))
	d.DisallowUnknownFields()
	if err := d.Decode(out); err != nil || r.Header.Get("Content-Type") != "application/json" {
		s.refuse(w, r, fmt.Sprint("the body: ", err))
		return false
	}
	return true
}

func (s *Server) takeHash(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Type     string  `json:"@odata.type"`
		Serial   string  `json:"serialNumber"`
		Hash     string  `json:"hardwareIdentifier"`
		GroupTag *string `json:"groupTag"`
		User     *string `json:"assignedUserPrincipalName"`
	}
	if !s.body(w, r, &in) {
		return
	}
	hash, err := base64.StdEncoding.DecodeString(in.Hash)
	if in.Type != "#microsoft.graph.importedWindowsAutopilotDeviceIdentity" || in.Serial == "" || err != nil || len(hash) < 16 {
		s.refuse(w, r, fmt.Sprintf("not an import: %+v", in))
		return
	}
	i := &Import{ID: fmt.Sprintf("import-%d", len(s.imports)+1), Serial: in.Serial, Hash: in.Hash}
	if in.GroupTag != nil {
		i.GroupTag = *in.GroupTag
	}
	if in.User != nil {
		i.User = *in.User
	}
	if strings.HasPrefix(i.Serial, "FOREIGN") {
		i.ErrorCode, i.ErrorName = 808, "ZtdDeviceAssignedToOtherTenant"
	}
	s.imports = append(s.imports, i)
	answer(w, http.StatusCreated, i.document("unknown"))
}

func (i *Import) document(status string) map[string]any {
	return map[string]any{"id": i.ID, "serialNumber": i.Serial, "groupTag": i.GroupTag, "hardwareIdentifier": i.Hash, "assignedUserPrincipalName": i.User,
		"state": map[string]any{"deviceImportStatus": status, "deviceRegistrationId": i.device, "deviceErrorCode": i.ErrorCode, "deviceErrorName": i.ErrorName}}
}

func (i *Import) status(takes int) string {
	switch {
	case i.looks <= takes && !i.Done:
		return "pending"
	case i.ErrorName != "":
		return "error"
	}
	return "complete"
}

func (s *Server) lookAtImport(w http.ResponseWriter, id string) {
	at := slices.IndexFunc(s.imports, func(i *Import) bool { return i.ID == id })
	if at < 0 {
		answer(w, http.StatusNotFound, graphError("ResourceNotFound", "not found"))
		return
	}
	i := s.imports[at]
	i.looks++
	if i.status(s.ImportTakes) == "complete" && i.device == "" {
		i.device = "device-" + strconv.Itoa(len(s.devices)+1)
		s.devices = append(s.devices, &Device{ID: i.device, Serial: i.Serial, GroupTag: i.GroupTag, User: i.User, hidden: s.ShownAfter})
	}
	answer(w, http.StatusOK, i.document(i.status(s.ImportTakes)))
}

func (s *Server) listImports(w http.ResponseWriter, r *http.Request) {
	var all []any
	for _, i := range s.imports {
		all = append(all, i.document(i.status(s.ImportTakes)))
	}
	s.page(w, r, all, importsPath, "")
}

func (s *Server) listDevices(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	if q.Get("$top") == "1" && len(q) == 1 {
		answer(w, http.StatusOK, map[string]any{"value": []any{}})
		return
	}
	m := serialFilter.FindStringSubmatch(q.Get("$filter"))
	if m == nil || strings.Contains(r.URL.RawQuery, "+") {
		s.refuse(w, r, "a filter that Intune does not take")
		return
	}
	serial := strings.ToLower(strings.ReplaceAll(m[1], "''", "'"))
	var all []any
	for _, d := range s.devices {
		if d.hidden == 0 && strings.Contains(strings.ToLower(d.Serial), serial) {
			all = append(all, d.document(s))
		}
	}
	s.page(w, r, all, devicesPath, q.Get("$filter"))
}

// page answers with one page of a list, and the address of the next one.
func (s *Server) page(w http.ResponseWriter, r *http.Request, all []any, path, filter string) {
	q := r.URL.Query()
	q.Del("$filter")
	from, err := strconv.Atoi(q.Get("$skiptoken"))
	if known := q.Has("$skiptoken"); len(q) > 1 || len(q) == 1 && !known || known && err != nil || from > len(all) {
		s.refuse(w, r, "a query that Intune does not take")
		return
	}
	end := min(from+s.PageSize, len(all))
	out := map[string]any{"@odata.context": s.URL + "/$metadata", "value": append([]any{}, all[from:end]...)}
	if end < len(all) {
		next := s.URL + path + "?$skiptoken=" + strconv.Itoa(end)
		if filter != "" {
			next += "&$filter=" + strings.ReplaceAll(filter, " ", "%20")
		}
		out["@odata.nextLink"] = next
	}
	answer(w, http.StatusOK, out)
}

func (d *Device) document(s *Server) map[string]any {
	status := d.Status
	if status == "" {
		status = "notAssigned"
		if d.looks > s.AssignedAfter {
			status = "assignedInSync"
		}
	}
	return map[string]any{"id": d.ID, "serialNumber": d.Serial, "groupTag": d.GroupTag, "userPrincipalName": d.User, "deploymentProfileAssignmentStatus": status}
}

func (s *Server) lookAtDevice(w http.ResponseWriter, id string) {
	at := slices.IndexFunc(s.devices, func(d *Device) bool { return d.ID == id })
	if at < 0 || s.devices[at].hidden > 0 {
		if at >= 0 {
			s.devices[at].hidden--
		}
		answer(w, http.StatusNotFound, graphError("ResourceNotFound", "not found"))
		return
	}
	s.devices[at].looks++
	answer(w, http.StatusOK, s.devices[at].document(s))
}

func (s *Server) update(w http.ResponseWriter, r *http.Request, id string) {
	at := slices.IndexFunc(s.devices, func(d *Device) bool { return d.ID == id })
	var in struct {
		GroupTag *string `json:"groupTag"`
		User     *string `json:"userPrincipalName"`
	}
	if at < 0 {
		s.refuse(w, r, "there is no such device")
		return
	}
	if !s.body(w, r, &in) {
		return
	}
	if in.GroupTag != nil {
		s.devices[at].GroupTag = *in.GroupTag
	}
	if in.User != nil {
		s.devices[at].User = *in.User
	}
	w.WriteHeader(http.StatusNoContent)
}
