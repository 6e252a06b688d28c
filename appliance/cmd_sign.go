package main

import (
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/url"
	"os"

	"github.com/spf13/cobra"

	"slipway/appliance/internal/api"
	"slipway/bootimages"
)

// signCommand signs a boot image's one file with the owner's key, for machines
// whose firmware trusts that key. The key stays in this process: the appliance gets
// the signature.
func (a *app) signCommand() *cobra.Command {
	var keyFile, certFile, image string
	c := a.jsonFlag(&cobra.Command{Use: "sign --key FILE --cert FILE", Short: "Sign a boot image's one file with your own key, for Secure Boot", Args: usage(cobra.NoArgs),
		Long: "Sign a boot image's one file with your own key, for machines whose firmware has your certificate in its db.\n" +
			"The key never leaves this command. Each image needs its own signature: sign again after a build."})
	c.Flags().StringVar(&keyFile, "key", "", "private key: RSA, PEM, not encrypted")
	c.Flags().StringVar(&certFile, "cert", "", "its certificate, PEM")
	c.Flags().StringVar(&image, "image", "", "id of the image (default: the one served to x64 machines)")
	_, _ = c.MarkFlagRequired("key"), c.MarkFlagRequired("cert")
	c.RunE = func(c *cobra.Command, _ []string) error {
		key, cert, err := readSigner(keyFile, certFile)
		if err != nil {
			return err
		}
		var d api.ImageDigest
		if err := a.call(c.Context(), "GET", "/admin/images/digest?image="+url.QueryEscape(image), nil, &d); err != nil {
			return err
		}
		if len(d.SHA256) != sha256.Size {
			return errors.New("the appliance answered no digest")
		}
		signature, err := bootimages.SignDigest([sha256.Size]byte(d.SHA256), cert, key)
		if err != nil {
			return fmt.Errorf("%s: %w", keyFile, err)
		}
		var out api.SignedImage
		if err := a.call(c.Context(), "POST", "/admin/images/signature", api.SignImage{Image: d.Image, Signature: signature}, &out); err != nil {
			return err
		}
		if a.json {
			return a.printJSON(out)
		}
		_, err = fmt.Fprintf(a.out, "Boot image %s is signed by %s.\nFirmware loads it where the way is one-file: slipway device way DEVICE one-file, or boot.uefi: one-file.\n", out.Image, printable(out.Signer))
		return err
	}
	return c
}

// readSigner reads a private key (PKCS #8, or PKCS #1 as older OpenSSL writes it)
// and its certificate.
func readSigner(keyFile, certFile string) (crypto.Signer, *x509.Certificate, error) {
	block, err := readPEM(keyFile)
	if err != nil {
		return nil, nil, err
	}
	var parsed any
	switch block.Type {
	case "PRIVATE KEY":
		parsed, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	case "RSA PRIVATE KEY":
		parsed, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	default:
		err = fmt.Errorf("it holds a %s; write the key without encryption: openssl pkey -in KEY -out PLAIN", block.Type)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", keyFile, err)
	}
	key, ok := parsed.(crypto.Signer)
	if !ok {
		return nil, nil, fmt.Errorf("%s: it holds no key that signs", keyFile)
	}
	if block, err = readPEM(certFile); err != nil {
		return nil, nil, err
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if block.Type != "CERTIFICATE" || err != nil {
		return nil, nil, fmt.Errorf("%s: it holds no certificate (%s)", certFile, block.Type)
	}
	return key, cert, nil
}

func readPEM(file string) (*pem.Block, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(raw)
	if block == nil {
		return nil, fmt.Errorf("%s: it is not a PEM file", file)
	}
	return block, nil
}
