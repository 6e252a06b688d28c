#!/usr/bin/env bash
# Takes the DHCP servers of the tests out of their Debian packages, into FOLDER.
# Installing one would start it on this machine's own network, so they are not
# installed.
#   lab/dhcp-peers.sh FOLDER
set -euo pipefail

folder=$1
mkdir -p "$folder"
cd "$folder"
for name in isc-dhcp-server kea-common kea-dhcp4-server; do
  [ -d "$name" ] && continue
  rm -f "${name}"_*.deb
  apt-get -q download "$name" >/dev/null 2>&1 || {
    sudo=$([ "$(id -u)" = 0 ] || echo sudo)
    $sudo apt-get -q -o DPkg::Lock::Timeout=600 update >/dev/null
    apt-get -q download "$name" >/dev/null
  }
  rm -rf "$name.new"
  dpkg -x "${name}"_*.deb "$name.new"
  rm -f "${name}"_*.deb
  mv "$name.new" "$name"
  echo "Took $name out of its package."
done
