package auth

import (
	"context"
	"errors"
	"fmt"
	"time"

	"slipway/appliance/internal/clientcert"
	"slipway/fleet"
)

// SignInCertificate signs in an installed OS by the certificate of its connection
// (Caller.Certificates). Errors: ErrNotAllowed when it is not offered here,
// ErrWrong for every certificate that is not accepted (the audit entry has the
// reason), *ThrottledError after too many of these from one address.
func (s *Service) SignInCertificate(ctx context.Context, environment string, claim fleet.Claim, caller Caller) (token string, expires time.Time, err error) {
	environment, err = parseEnvironment(environment)
	if err != nil {
		return "", time.Time{}, err
	}
	subject := newSubject(caller, claim)
	if err := s.mayUse(environment, fleet.MechanismCertificate); err != nil {
		s.refuse(ctx, "certificate.refused", subject, "not allowed in this environment: "+environment)
		return "", time.Time{}, err
	}
	settings, err := s.SignInSettings(ctx)
	if err != nil {
		return "", time.Time{}, err
	}
	giveBack, held := s.looks.take(subject.addrKey)
	if held != nil {
		s.refuse(ctx, "certificate.refused", subject, "throttled: "+held.Scope)
		return "", time.Time{}, held
	}
	id, err := s.certificates.Verify(ctx, settings.Certificate, caller.Certificates)
	if err != nil {
		s.refuseCertificate(ctx, subject, id, err)
		return "", time.Time{}, ErrWrong
	}
	giveBack()
	return s.admit(ctx, proof{
		mechanism: fleet.MechanismCertificate, actor: id.Name, action: "certificate.accepted",
		reason: fmt.Sprintf("serial %s, issuer %s", id.Serial, id.Issuer),
	}, environment, claim, caller)
}

// refuseCertificate notes a refusal with its reason. What the certificate says of
// itself, which anyone can choose, stands in the object: entries are merged by
// their reason.
func (s *Service) refuseCertificate(ctx context.Context, subject subject, id clientcert.Identity, err error) {
	e := fleet.AuditEntry{
		Actor: "device", Action: "certificate.refused", Device: subject.device,
		Address: subject.addr.String(), Outcome: "refused", Reason: "it could not be checked",
	}
	var refused *clientcert.RefusedError
	if errors.As(err, &refused) {
		e.Reason = refused.Reason
	}
	if id.Serial != "" {
		e.Object = fmt.Sprintf("%s, serial %s, issuer %s", id.Name, id.Serial, id.Issuer)
	}
	s.note(ctx, e)
}

// KeepRevocationLists keeps the revocation list that certificates are checked
// against fresh, until ctx ends.
func (s *Service) KeepRevocationLists(ctx context.Context) error {
	return s.certificates.Run(ctx, func() (fleet.CertificateSignIn, error) {
		v, err := s.SignInSettings(ctx)
		return v.Certificate, err
	})
}
