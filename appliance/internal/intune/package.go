// Package intune makes Win32 packages for Microsoft Intune (.intunewin) of a few files.
// It uploads nothing.
//
// The form is that of Microsoft's Win32 Content Prep Tool: a ZIP of
// IntuneWinPackage/Metadata/Detection.xml and IntuneWinPackage/Contents/IntunePackage.intunewin.
// The latter is HMAC-SHA256 (32 bytes, over all that follows), IV (16 bytes), and the files as
// a ZIP in AES-256-CBC with PKCS #7 padding. The keys stand in Detection.xml: they protect
// the file in Intune's storage, and are no secret to whoever has the package.
package intune

import (
	"archive/zip"
	"bytes"
	"cmp"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"io"
	"slices"
	"time"
)

// File is a file of a package.
type File struct {
	Name    string // without a folder
	Content []byte
}

// zipTime is the time of every file: the same files make the same bytes.
var zipTime = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// detection is Detection.xml.
type detection struct {
	XMLName     xml.Name   `xml:"ApplicationInfo"`
	XSD         string     `xml:"xmlns:xsd,attr"`
	XSI         string     `xml:"xmlns:xsi,attr"`
	ToolVersion string     `xml:"ToolVersion,attr"`
	Name        string     `xml:"Name"`
	Size        int        `xml:"UnencryptedContentSize"`
	FileName    string     `xml:"FileName"`
	SetupFile   string     `xml:"SetupFile"`
	Encryption  encryption `xml:"EncryptionInfo"`
}

// encryption holds bytes in base64.
type encryption struct {
	KeyText         string `xml:"EncryptionKey"`
	MacKey          string `xml:"MacKey"`
	IV              string `xml:"InitializationVector"`
	Mac             string `xml:"Mac"`
	Profile         string `xml:"ProfileIdentifier"`
	Digest          string `xml:"FileDigest"` // of the files' ZIP before it is encrypted
	DigestAlgorithm string `xml:"FileDigestAlgorithm"`
}

// Write writes a package. setup is the file that Intune names as its setup file. Keys
// are read from random; all else follows from the arguments.
func Write(w io.Writer, name, setup string, files []File, random io.Reader) error {
	content, err := pack(files)
	if err != nil {
		return fmt.Errorf("pack the files: %w", err)
	}
	sealed, keys, err := seal(content, random)
	if err != nil {
		return fmt.Errorf("encrypt the files: %w", err)
	}
	about, err := xml.MarshalIndent(detection{XSD: "http://www.w3.org/2001/XMLSchema", XSI: "http://www.w3.org/2001/XMLSchema-instance",
		ToolVersion: "1.8.4.0", Name: name, Size: len(content), FileName: "IntunePackage.intunewin", SetupFile: setup, Encryption: keys}, "", "  ")
	if err != nil {
		return fmt.Errorf("describe the package: %w", err)
	}
	out := zip.NewWriter(w)
	for _, f := range []File{{"IntuneWinPackage/Contents/IntunePackage.intunewin", sealed}, {"IntuneWinPackage/Metadata/Detection.xml", append(about, '\n')}} {
		if err := add(out, f, zip.Store); err != nil {
			return fmt.Errorf("write the package: %w", err)
		}
	}
	if err := out.Close(); err != nil {
		return fmt.Errorf("write the package: %w", err)
	}
	return nil
}

// pack makes the ZIP of the files, in the order of their names.
func pack(files []File) ([]byte, error) {
	files = slices.Clone(files)
	slices.SortFunc(files, func(a, b File) int { return cmp.Compare(a.Name, b.Name) })
	var b bytes.Buffer
	out := zip.NewWriter(&b)
	for _, f := range files {
		if err := add(out, f, zip.Deflate); err != nil {
			return nil, err
		}
	}
	if err := out.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

func add(out *zip.Writer, f File, method uint16) error {
	to, err := out.CreateHeader(&zip.FileHeader{Name: f.Name, Method: method, Modified: zipTime})
	if err != nil {
		return err
	}
	_, err = to.Write(f.Content)
	return err
}

// seal encrypts the content.
func seal(content []byte, random io.Reader) ([]byte, encryption, error) {
	key, macKey, iv := make([]byte, 32), make([]byte, 32), make([]byte, aes.BlockSize)
	for _, b := range [][]byte{key, macKey, iv} {
		if _, err := io.ReadFull(random, b); err != nil {
			return nil, encryption{}, err
		}
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, encryption{}, err
	}
	padding := aes.BlockSize - len(content)%aes.BlockSize
	plain := append(slices.Clone(content), bytes.Repeat([]byte{byte(padding)}, padding)...)
	cipher.NewCBCEncrypter(block, iv).CryptBlocks(plain, plain)
	mac := hmac.New(sha256.New, macKey)
	mac.Write(iv)
	mac.Write(plain)
	sum, digest := mac.Sum(nil), sha256.Sum256(content)
	return slices.Concat(sum, iv, plain), encryption{KeyText: text(key), MacKey: text(macKey), IV: text(iv), Mac: text(sum),
		Profile: "ProfileVersion1", Digest: text(digest[:]), DigestAlgorithm: "SHA256"}, nil
}

func text(b []byte) string { return base64.StdEncoding.EncodeToString(b) }
