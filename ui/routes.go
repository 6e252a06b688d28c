package ui

import (
	"fmt"
	"net/http"

	"github.com/gin-gonic/gin"

	"slipway/fleet"
)

// access says who may use a route. The zero value is no rule, and a route
// without a rule is never registered.
type access int

const (
	noRule        access = iota
	everyone             // signed in or not
	setupOnly            // only while no account exists
	viewer               // any account
	technician           // deploys
	administrator        // changes the appliance
)

// role is the least role an access rule asks for; empty when it asks for none.
func (a access) role() fleet.Role {
	switch a {
	case viewer:
		return fleet.RoleViewer
	case technician:
		return fleet.RoleTechnician
	case administrator:
		return fleet.RoleAdministrator
	}
	return ""
}

// route is one line of the table below.
type route struct {
	method string
	path   string
	access access
	body   int64 // largest body in bytes; 0: formLimit
	raw    bool  // the body is no form: the token stands in a header, and the handler bounds the body
	handle func(*Console, *visit) error
}

const (
	formLimit     = 64 << 10
	importLimit   = 4 << 20
	settingsLimit = 1 << 20 // authorities and revocation lists
	wimbootLimit  = 5 << 20

	catalogueLimit = 33 << 20 // 32 MB, as the form says, and what is around it
)

// routes is everything the console answers, besides its static assets.
func routes() []route {
	const get, post = http.MethodGet, http.MethodPost
	const upload = UploadsPath + "/:upload"
	return []route{
		{method: get, path: "/setup", access: setupOnly, handle: (*Console).showSetup},
		{method: post, path: "/setup", access: setupOnly, handle: (*Console).doSetup},
		{method: get, path: "/login", access: everyone, handle: (*Console).showLogin},
		{method: post, path: "/login", access: everyone, handle: (*Console).doLogin},
		{method: get, path: "/login/provider", access: everyone, handle: (*Console).beginProvider},
		{method: get, path: "/login/callback", access: everyone, handle: (*Console).finishProvider},
		{method: post, path: "/logout", access: viewer, handle: (*Console).doLogout},

		{method: get, path: "/", access: viewer, handle: (*Console).showOverview},
		{method: get, path: "/events", access: viewer, handle: (*Console).streamEvents},
		{method: get, path: "/me", access: viewer, handle: (*Console).showMe},
		{method: post, path: "/me/theme", access: viewer, handle: (*Console).setTheme},

		{method: get, path: "/devices", access: viewer, handle: (*Console).showDevices},
		{method: get, path: "/devices/signed-in", access: technician, handle: (*Console).showSignedIn},
		{method: post, path: "/devices/signed-in/revoke", access: technician, handle: (*Console).revokeDevice},
		{method: get, path: "/devices/:id", access: viewer, handle: (*Console).showDevice},
		{method: post, path: "/devices/:id/name", access: technician, handle: (*Console).renameDevice},
		{method: post, path: "/devices/:id/sequence", access: technician, handle: (*Console).assignSequence},
		{method: post, path: "/devices/:id/boot", access: technician, handle: (*Console).setBoot},
		{method: post, path: "/devices/:id/way", access: technician, handle: (*Console).setWay},
		{method: post, path: "/devices/:id/variables", access: technician, body: settingsLimit, handle: (*Console).setVariables},

		{method: get, path: "/deployments", access: viewer, handle: (*Console).showDeployments},
		{method: get, path: "/deployments/:id", access: viewer, handle: (*Console).showDeployment},
		{method: get, path: "/deployments/:id/log.txt", access: viewer, handle: (*Console).downloadLog},
		{method: post, path: "/deployments/:id/cancel", access: technician, handle: (*Console).cancelDeployment},
		{method: post, path: "/deployments/:id/order", access: technician, handle: (*Console).orderDeployment},

		{method: get, path: "/sequences", access: viewer, handle: (*Console).showSequences},
		{method: post, path: "/sequences/import", access: administrator, body: importLimit, handle: (*Console).importSequence},
		{method: get, path: "/sequences/new", access: administrator, handle: (*Console).showNewSequence},
		{method: post, path: "/sequences/new", access: administrator, handle: (*Console).newSequence},
		{method: get, path: "/sequences/:id/edit", access: administrator, handle: (*Console).showEditor},
		{method: post, path: "/sequences/:id/edit", access: administrator, body: importLimit, handle: (*Console).edit},
		{method: post, path: "/sequences/:id/status", access: administrator, handle: (*Console).setSequenceStatus},
		{method: get, path: "/sequences/:id", access: viewer, handle: (*Console).showSequence},
		{method: get, path: "/sequences/:id/export", access: administrator, handle: (*Console).exportSequence},

		{method: get, path: "/content", access: viewer, handle: (*Console).showContent},
		{method: get, path: "/content/add", access: technician, handle: (*Console).showAddContent},
		{method: post, path: "/content/add", access: technician, handle: (*Console).addContent},
		{method: get, path: cataloguesPage, access: viewer, handle: (*Console).showCatalogues},
		{method: get, path: cataloguesPage + "/add", access: technician, handle: (*Console).showAddCatalogue},
		{method: post, path: cataloguesPage + "/add", access: technician, body: catalogueLimit, handle: (*Console).addCatalogue},
		{method: post, path: cataloguesPage + "/refresh", access: technician, handle: (*Console).refreshCatalogue},
		{method: post, path: cataloguesPage + "/remove", access: technician, handle: (*Console).removeCatalogue},
		{method: get, path: "/content/:id", access: viewer, handle: (*Console).showContentItem},
		{method: post, path: "/content/:id", access: technician, handle: (*Console).changeContent},
		{method: post, path: "/content/:id/status", access: technician, handle: (*Console).setContentStatus},
		{method: post, path: "/content/:id/delete", access: technician, handle: (*Console).deleteContent},
		{method: post, path: UploadsPath, access: technician, raw: true, handle: (*Console).upload},
		{method: http.MethodHead, path: upload, access: technician, raw: true, handle: (*Console).upload},
		{method: http.MethodPatch, path: upload, access: technician, raw: true, handle: (*Console).upload},
		{method: http.MethodDelete, path: upload, access: technician, raw: true, handle: (*Console).upload},

		{method: get, path: "/boot/images", access: viewer, handle: (*Console).showImages},
		{method: post, path: "/boot/images/build", access: administrator, handle: (*Console).buildImage},
		{method: get, path: "/boot/images/winpe", access: administrator, handle: (*Console).showWinPE},
		{method: post, path: "/boot/images/winpe", access: administrator, body: settingsLimit, handle: (*Console).buildWinPE},
		{method: get, path: "/boot/images/:id", access: viewer, handle: (*Console).showImage},
		{method: get, path: "/boot/images/:id/components.cmd", access: viewer, handle: (*Console).downloadScript},
		{method: post, path: "/boot/wimboot", access: administrator, body: wimbootLimit, handle: (*Console).addWimboot},

		{method: get, path: "/admin/security", access: technician, handle: (*Console).showSecurity},
		{method: post, path: "/admin/security/settings", access: administrator, body: settingsLimit, handle: (*Console).changeSignIn},
		{method: post, path: "/admin/security/test", access: administrator, body: settingsLimit, handle: (*Console).testSignIn},
		{method: post, path: "/admin/security/passcode", access: administrator, handle: (*Console).setPasscode},
		{method: post, path: "/admin/security/passcode/clear", access: administrator, handle: (*Console).clearPasscode},
		{method: post, path: "/admin/security/passcode/reminder", access: administrator, handle: (*Console).setReminder},
		{method: get, path: "/admin/security/passcodes/add", access: administrator, handle: (*Console).showPasscode},
		{method: post, path: "/admin/security/passcodes/add", access: administrator, handle: (*Console).putPasscode},
		{method: post, path: "/admin/security/passcodes/remove", access: administrator, handle: (*Console).removePasscode},
		{method: post, path: "/admin/security/release", access: technician, handle: (*Console).releaseHeld},

		{method: get, path: graphPage, access: administrator, handle: (*Console).showGraph},
		{method: post, path: graphPage, access: administrator, body: settingsLimit, handle: (*Console).changeGraph},
		{method: post, path: graphPage + "/test", access: administrator, body: settingsLimit, handle: (*Console).testGraph},

		{method: get, path: "/admin/accounts", access: administrator, handle: (*Console).showAccounts},
		{method: post, path: "/admin/accounts", access: administrator, handle: (*Console).addAccount},
		{method: get, path: "/admin/accounts/:id", access: administrator, handle: (*Console).showAccount},
		{method: post, path: "/admin/accounts/:id/role", access: administrator, handle: (*Console).setRole},
		{method: post, path: "/admin/accounts/:id/password", access: administrator, handle: (*Console).setPassword},
		{method: post, path: "/admin/accounts/:id/break-glass", access: administrator, handle: (*Console).setBreakGlass},
		{method: post, path: "/admin/accounts/:id/remove", access: administrator, handle: (*Console).removeAccount},
		{method: post, path: "/admin/tokens", access: administrator, handle: (*Console).addToken},
		{method: post, path: "/admin/tokens/revoke", access: administrator, handle: (*Console).revokeToken},

		{method: get, path: "/audit", access: administrator, handle: (*Console).showAudit},
		{method: get, path: "/audit/export", access: administrator, handle: (*Console).exportAudit},
	}
}

// check reports a route that could answer somebody it should not.
func (r route) check() error {
	switch {
	case r.access == noRule:
		return fmt.Errorf("ui: route %s %s states no access rule", r.method, r.path)
	case r.handle == nil:
		return fmt.Errorf("ui: route %s %s has no handler", r.method, r.path)
	case r.method != http.MethodGet && r.method != http.MethodPost && !r.raw:
		return fmt.Errorf("ui: route %s %s: only GET and POST have forms", r.method, r.path)
	}
	return nil
}

// newEngine registers the table. A bad line is a programming error that the
// first start shows.
func (c *Console) newEngine(table []route) *gin.Engine {
	gin.SetMode(gin.ReleaseMode) // no debug lines on standard output
	e := gin.New()
	e.RedirectTrailingSlash = false
	e.HandleMethodNotAllowed = false
	for _, r := range table {
		if err := r.check(); err != nil {
			panic(err)
		}
		e.Handle(r.method, r.path, c.serve(r))
		if r.method == http.MethodGet {
			e.Handle(http.MethodHead, r.path, c.serve(r))
		}
	}
	e.GET("/static/*name", gin.WrapH(c.assets))
	e.HEAD("/static/*name", gin.WrapH(c.assets))
	e.GET("/favicon.ico", func(g *gin.Context) { g.Redirect(http.StatusMovedPermanently, c.assets.URL("favicon.svg")) })
	e.NoRoute(c.serve(route{method: http.MethodGet, access: everyone, handle: (*Console).showMissing}))
	return e
}
