#!/usr/bin/env bash
# Installs the Debian packages that the named groups need and that are missing.
#   lab/deps.sh GROUP...      groups: build check lab ui bench
# Quiet when nothing is missing. Needs root or sudo only when something is.
set -euo pipefail

packages_of() {
  case $1 in
    build) echo git ca-certificates ;;
    check) { command -v npm >/dev/null || echo nodejs npm; } | tr "\n" " "; echo systemd sbsigntool vagrant curl tftp-hpa atftp cpio kmod iproute2 busybox-static ipxe dpkg zstd rsyslog rsyslog-gnutls zbar-tools wine64 wine64-preloader xorriso mtools dosfstools fdisk ntfs-3g grub-common grub-pc-bin grub-efi-amd64-bin qemu-utils wimtools xz-utils p7zip-full cabextract gcab genisoimage libhivex-bin libwin-hivex-perl ;;
    lab) echo qemu-system-x86 ovmf seabios ipxe ipxe-qemu dnsmasq-base iproute2 tcpdump udhcpc kmod \
              busybox-static mtools mmdebstrap e2fsprogs fdisk dpkg cpio zstd xz-utils zbar-tools xorriso \
              wimtools gcc binutils libc6-dev gnu-efi libpq5 libmariadb3 liblog4cplus-2.0.5 ;;
    bench) echo dnsmasq-base iproute2 curl zstd dpkg libwrap0 libpcre2-8-0 ;;
    ui) echo chromium fonts-dejavu-core ;;
    *) echo "lab/deps.sh: no group $1 (build, check, lab, ui, bench)" >&2; exit 2 ;;
  esac
}

if ! command -v go >/dev/null; then
  echo 'Go is missing: install the version that go.mod names, or a newer one, and put it on the PATH' >&2
  exit 1
fi

missing=()
for group in "$@"; do
  names=$(packages_of "$group")
  for name in $names; do
    status=$(dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null || true)
    if [ "$status" != installed ] && [[ " ${missing[*]-} " != *" $name "* ]]; then
      missing+=("$name")
    fi
  done
done
[ ${#missing[@]} -gt 0 ] || exit 0

echo "Installing Debian packages: ${missing[*]}"
root=()
if [ "$(id -u)" != 0 ]; then
  root=(sudo)
  [ -t 0 ] || root=(sudo -n)
  if ! command -v sudo >/dev/null || ! "${root[@]}" true; then
    echo "These packages are missing and only root can install them: ${missing[*]}" >&2
    exit 1
  fi
fi
export DEBIAN_FRONTEND=noninteractive
apt=(apt-get -q -o DPkg::Lock::Timeout=600)
install=("${apt[@]}" install -y --no-install-recommends "${missing[@]}")
# Package lists may be missing or old: try with what is there, then refresh.
if ! "${root[@]}" env DEBIAN_FRONTEND=noninteractive "${install[@]}" </dev/null >/dev/null 2>&1; then
  "${root[@]}" "${apt[@]}" update </dev/null >/dev/null
  "${root[@]}" env DEBIAN_FRONTEND=noninteractive "${install[@]}" </dev/null
fi
