package installed

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/svc"
	"golang.org/x/sys/windows/svc/mgr"

	"slipway/agent/internal/windowstarget"
)

// service is autostart by a Windows service. settle puts the agent where the service
// starts it from.
type service struct {
	settle func() (exe, config string, err error)
	state  string
}

// install registers the service. Again it brings its command line up to date.
func (s service) install(ctx context.Context, _ []string) error {
	exe, config, err := s.settle()
	if err != nil {
		return err
	}
	return registerService(exe, config, s.state)
}

func registerService(exe, config, state string) error {
	m, err := mgr.Connect()
	if err != nil {
		return fmt.Errorf("open Windows' services: %w", err)
	}
	defer m.Disconnect()
	args := []string{"service", "--config", config, "--state", state}
	x, err := m.OpenService(windowstarget.Service)
	switch {
	case err == nil:
		err = updateService(x, windows.ComposeCommandLine(append([]string{exe}, args...)))
	case errors.Is(err, windows.ERROR_SERVICE_DOES_NOT_EXIST):
		x, err = m.CreateService(windowstarget.Service, exe, mgr.Config{DisplayName: "Slipway agent", StartType: mgr.StartAutomatic, ErrorControl: mgr.ErrorNormal,
			Description: "Goes on with the unfinished deployment of this computer, and removes itself at its end."}, args...)
	}
	if err != nil {
		return fmt.Errorf("make the service %s: %w", windowstarget.Service, err)
	}
	defer x.Close()
	// It ends with an error when it could not go on for now, also without a crash.
	again := []mgr.RecoveryAction{{Type: mgr.ServiceRestart, Delay: 20 * time.Second}}
	err = errors.Join(x.SetRecoveryActions(again, 3600), x.SetRecoveryActionsOnNonCrashFailures(true))
	if err != nil && !errors.Is(err, windows.ERROR_INVALID_LEVEL) { // Wine knows no recovery
		return fmt.Errorf("set up the service %s: %w", windowstarget.Service, err)
	}
	return nil
}

// updateService gives a service that is there our command line, and starts it with
// Windows. The service that an earlier deployment left may be switched off.
func updateService(x *mgr.Service, line string) error {
	wide, err := windows.UTF16PtrFromString(line)
	if err != nil {
		return err
	}
	return windows.ChangeServiceConfig(x.Handle, windows.SERVICE_NO_CHANGE, windows.SERVICE_AUTO_START, windows.SERVICE_NO_CHANGE, wide, nil, nil, nil, nil, nil, nil)
}

// startService starts it now.
func startService() error {
	m, err := mgr.Connect()
	if err != nil {
		return fmt.Errorf("open Windows' services: %w", err)
	}
	defer m.Disconnect()
	x, err := m.OpenService(windowstarget.Service)
	if err != nil {
		return fmt.Errorf("start the service %s: %w", windowstarget.Service, err)
	}
	defer x.Close()
	if err := x.Start(); err != nil && !errors.Is(err, windows.ERROR_SERVICE_ALREADY_RUNNING) {
		return fmt.Errorf("start the service %s: %w", windowstarget.Service, err)
	}
	return nil
}

// remove ends the autostart. The agent itself may run as this service: Windows removes
// it when that ends.
func (s service) remove(context.Context) error {
	m, err := mgr.Connect()
	if err != nil {
		return fmt.Errorf("open Windows' services: %w", err)
	}
	defer m.Disconnect()
	x, err := m.OpenService(windowstarget.Service)
	if errors.Is(err, windows.ERROR_SERVICE_DOES_NOT_EXIST) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("remove the service %s: %w", windowstarget.Service, err)
	}
	defer x.Close()
	if err := x.Delete(); err != nil && !errors.Is(err, windows.ERROR_SERVICE_MARKED_FOR_DELETE) {
		return fmt.Errorf("remove the service %s: %w", windowstarget.Service, err)
	}
	return nil
}

// handler is the service as Windows runs it.
type handler struct {
	work func(ctx context.Context) int
}

// Execute implements svc.Handler. What is not to be tried again ends without an error.
func (h handler) Execute(_ []string, requests <-chan svc.ChangeRequest, status chan<- svc.Status) (specific bool, code uint32) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	ended := make(chan int, 1)
	go func() { ended <- h.work(ctx) }()
	running := svc.Status{State: svc.Running, Accepts: svc.AcceptStop | svc.AcceptShutdown | svc.AcceptPreShutdown}
	status <- running
	for {
		select {
		case code := <-ended:
			status <- svc.Status{State: svc.StopPending}
			if code == ExitStopped && ctx.Err() == nil {
				return true, uint32(code)
			}
			return false, 0
		case r := <-requests:
			switch r.Cmd {
			case svc.Interrogate:
				status <- r.CurrentStatus
			case svc.Stop, svc.Shutdown, svc.PreShutdown:
				running = svc.Status{State: svc.StopPending, WaitHint: 30_000}
				status <- running
				cancel()
			}
		}
	}
}
