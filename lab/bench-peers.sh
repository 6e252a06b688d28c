#!/usr/bin/env bash
# Takes the TFTP servers that bench-tftp compares with out of their Debian packages,
# into FOLDER. They conflict with one another, and installing one starts it, so they
# are not installed.
#   lab/bench-peers.sh FOLDER
set -euo pipefail

folder=$1
mkdir -p "$folder"
cd "$folder"
for name in tftpd-hpa atftpd; do
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
