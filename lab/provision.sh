#!/usr/bin/env bash
# Makes a Debian machine an appliance: run as root in the checkout's folder after
# `make build` (Vagrant does so; the folder is then /vagrant). Works twice.
#
#   SLIPWAY_SOURCE     the checkout, default: the folder above this script
#   SLIPWAY_INTERFACE  name or address of the only interface to serve; default: all
#   SLIPWAY_PASSCODE   passcode to set when none is set, default slipway-lab
#   SLIPWAY_IMAGE      the boot image to build: linux (default), or none for later
#
# A folder of packages at .cache/packages in the checkout (`bin/slipway image
# fetch --packages .cache/packages`) is used for the boot image when it is there;
# without it the image is built from the machine's own package source.
set -euo pipefail
source_dir=${SLIPWAY_SOURCE:-$(cd "$(dirname "$0")/.." && pwd)}
# Vagrant runs a copy of this script from another folder.
[ -e "$source_dir/Makefile" ] || source_dir=/vagrant
cd "$source_dir"
case ${SLIPWAY_IMAGE:=linux} in
  linux | none) ;;
  *) echo "provision: SLIPWAY_IMAGE is linux or none, not $SLIPWAY_IMAGE" >&2; exit 2 ;;
esac
export SLIPWAY_CONFIG=/etc/slipway/slipway.yaml

say() { printf 'provision: %s\n' "$*"; }

if [ "$(id -u)" != 0 ]; then
  echo 'provision: run me as root' >&2
  exit 1
fi

# What the appliance's own machine needs; in contrast to `make deps` no tools to build or test.
missing=()
for name in make curl ca-certificates; do
  [ "$(dpkg-query -W -f '${db:Status-Status}' $name 2>/dev/null || true)" = installed ] || missing+=("$name")
done
if [ ${#missing[@]} -gt 0 ]; then
  say "installing ${missing[*]}"
  export DEBIAN_FRONTEND=noninteractive
  apt-get -q -o DPkg::Lock::Timeout=600 update
  apt-get -q -o DPkg::Lock::Timeout=600 install -y --no-install-recommends "${missing[@]}"
fi

say 'installing the appliance'
make --no-print-directory install
if [ -n "${SLIPWAY_INTERFACE:-}" ]; then
  name=$(ip -o -4 address show | awk -v want="$SLIPWAY_INTERFACE" '{split($4, a, "/"); if (a[1] == want || $2 == want) {print $2; exit}}')
  [ -n "$name" ] || { echo "provision: no interface is or has $SLIPWAY_INTERFACE" >&2; exit 1; }
  grep -q '^interfaces:' "$SLIPWAY_CONFIG" || echo "interfaces: [$name]" >>"$SLIPWAY_CONFIG"
fi
env -u SLIPWAY_INTERFACE /usr/local/bin/slipway config check "$SLIPWAY_CONFIG" # which would warn of it: it has a key interfaces

say 'starting it'
systemctl daemon-reload
systemctl enable slipway
systemctl restart slipway
ready=
for _ in $(seq 120); do
  if curl -ksf -o /dev/null --max-time 5 https://127.0.0.1:8443/readyz; then ready=yes; break; fi
  sleep 1
done
if [ -z "$ready" ]; then
  journalctl -u slipway --no-pager -n 30 >&2
  echo 'provision: the appliance does not answer https://127.0.0.1:8443/readyz' >&2
  exit 1
fi
say 'the appliance answers readyz'

if ! /usr/local/bin/slipway passcode status --json | grep -Eq '"set": *true'; then
  printf '%s\n' "${SLIPWAY_PASSCODE:-slipway-lab}" | /usr/local/bin/slipway passcode set
  say 'the passcode is set'
fi

if [ "$SLIPWAY_IMAGE" = linux ]; then
  say 'building the boot image'
  packages=()
  [ -d .cache/packages ] && packages=(--packages "$PWD/.cache/packages")
  /usr/local/bin/slipway image build linux "${packages[@]}"
  /usr/local/bin/slipway image list
fi
say 'done'
