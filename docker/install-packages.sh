#!/usr/bin/env bash
# Runs in a build: installs the packages of a lock file and trims them.   install-packages.sh /mnt/locks/requirements.txt
# Packages without a wheel are pure Python on x86-64. Elsewhere some are compiled; the compiler is removed again in the same layer.
set -euo pipefail
tools=(binutils)
if [ "$(uname -m)" != x86_64 ]; then
  tools+=(g++ make)
  python3 -c 'import pathlib, sysconfig; raise SystemExit(not (pathlib.Path(sysconfig.get_path("include")) / "Python.h").exists())' \
    || tools+=(python3-dev) # Debian's own Python; Python's images have the headers
fi
apt-get update
DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${tools[@]}"
python3 -m pip install --no-compile --no-deps --require-hashes -r "$1"
packages="$(python3 -c 'import sysconfig; print(sysconfig.get_path("purelib"))')"
python3 /mnt/trim-packages.py "$packages"
# Some packages contain files for other Python versions, which do not compile.
python3 -m compileall -qq -j 0 --invalidation-mode unchecked-hash "$packages" || true
apt-get purge -y --auto-remove "${tools[@]}"
apt-get clean
rm -rf /var/lib/apt/lists/*
