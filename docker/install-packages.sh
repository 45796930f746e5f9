#!/usr/bin/env bash
# Runs in a build: installs the packages of a lock file.   install-packages.sh /mnt/locks/requirements.txt
# Some packages are source only; their compiler is removed again in the same layer.
set -euo pipefail
tools=(g++ make)
python3 -c 'import pathlib, sysconfig; raise SystemExit(not (pathlib.Path(sysconfig.get_path("include")) / "Python.h").exists())' \
  || tools+=(python3-dev) # Debian's own Python; Python's images have the headers
apt-get update
DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${tools[@]}"
python3 -m pip install --no-deps --require-hashes -r "$1"
apt-get purge -y --auto-remove "${tools[@]}"
rm -rf /var/lib/apt/lists/*
