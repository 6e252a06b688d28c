#!/usr/bin/env bash
# Takes what the benchmarks compare with out of its Debian packages, into FOLDER: TFTP
# servers and Debian's installer for network boot. The servers conflict with one
# another, and installing one starts it, so nothing is installed.
#   lab/bench-peers.sh FOLDER PEER...      peers: tftpd-hpa atftpd debian-installer
set -euo pipefail

folder=$1
shift
mkdir -p "$folder"
cd "$folder"
for name in "$@"; do
  [ -d "$name" ] && continue
  package=$name
  [ "$name" = debian-installer ] && package=debian-installer-12-netboot-amd64
  rm -f "${package}"_*.deb
  apt-get -q download "$package" >/dev/null 2>&1 || {
    sudo=$([ "$(id -u)" = 0 ] || echo sudo)
    $sudo apt-get -q -o DPkg::Lock::Timeout=600 update >/dev/null
    apt-get -q download "$package" >/dev/null
  }
  rm -rf "$name.new"
  dpkg -x "${package}"_*.deb "$name.new"
  rm -f "${package}"_*.deb
  mv "$name.new" "$name"
  echo "Took $name out of its package."
done
