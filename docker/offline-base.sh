#!/usr/bin/env bash
# For hosts without an image registry: builds a base image from Debian packages, and an image of this host's torch wheel.
#   docker/offline-base.sh [BASE-TAG] [WHEELS-TAG]     as root; needs debootstrap and an engine
# Then:  VOICEMILL_BASE_IMAGE=BASE-TAG VOICEMILL_WHEELS_IMAGE=WHEELS-TAG docker/build.sh
#
# The base contains this host's access to package indexes: its certificates, and the sources of pip and apt.
# A base built from the same inputs is reused, so that the layers built on it stay cached.
set -euo pipefail
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
base="${1:-voicemill-base:bookworm}" wheels="${2:-voicemill-wheels:host}"
# shellcheck source=docker/engine.sh
. "$root/docker/engine.sh"
refuse() { echo "$*" >&2; exit 1; }
find_engine || exit 1
[ "$(id -u)" = 0 ] || refuse "Making a base image with debootstrap needs root: start it with sudo."
command -v debootstrap >/dev/null || refuse "debootstrap is not installed: sudo apt-get install debootstrap."

pip_setting() { # pip_setting NAME: pip's value, from its files and the environment
  python3 -m pip config list 2>/dev/null | sed -n "s/^[^=]*[.]$1='\(.*\)'\$/\1/p" | tail -n 1
}
mirror="$(sed -n -e 's/^URIs: *//p' -e 's/^deb  *\(\[[^]]*\] *\)\{0,1\}\([^ ]*\) .*/\2/p' \
  /etc/apt/sources.list.d/debian.sources /etc/apt/sources.list 2>/dev/null | grep -v security | head -n 1 || true)"
[ -n "$mirror" ] || refuse "No Debian mirror is named in /etc/apt: debootstrap has nowhere to look."
bundle="$(pip_setting cert)"
[ -n "$bundle" ] || bundle="${SSL_CERT_FILE:-/etc/ssl/certs/ca-certificates.crt}"
pip_conf="$(printf '[global]\ntimeout = 180\ncert = /etc/ssl/certs/of-the-host.crt\n'
  for name in index-url trusted-host; do
    value="$(pip_setting "$name")"; [ -z "$value" ] || printf '%s = %s\n' "$name" "$value"
  done)"
packages=ca-certificates,python3,python3-pip
key="$(cat "${BASH_SOURCE[0]}" "$bundle" - <<<"$mirror $packages $pip_conf" | sha256sum | cut -d' ' -f1)"

known() { [ "$("$ENGINE" image inspect --format '{{index .Config.Labels "voicemill.key"}}' "$1" 2>/dev/null)" = "$2" ]; }

if ! known "$base" "$key"; then
  echo "Making $base from the packages of $mirror (a few minutes, once)." >&2
  work="$(mktemp -d "${TMPDIR:-/var/tmp}/voicemill-base.XXXXXX")"
  trap 'rm -rf "$work"' EXIT
  if ! debootstrap --variant=minbase --include="$packages" bookworm "$work/root" "$mirror" >"$work/log" 2>&1; then
    tail -n 15 "$work/log" >&2
    refuse "debootstrap could not make the base image: see the lines above; can $mirror be reached?"
  fi
  security="${mirror%/}-security"
  printf 'deb %s bookworm main\ndeb %s bookworm-updates main\ndeb %s bookworm-security main\n' "$mirror" "$mirror" "$security" \
    > "$work/root/etc/apt/sources.list"
  cp "$bundle" "$work/root/etc/ssl/certs/of-the-host.crt"
  printf '%s\n' "$pip_conf" > "$work/root/etc/pip.conf"
  rm -rf "$work/root/var/cache/apt/archives" "$work/root/var/lib/apt/lists"
  tar --numeric-owner -C "$work/root" -c . | "$ENGINE" import --change "LABEL voicemill.key=$key" - "$base" >/dev/null
fi

pin="$(sed 's/==/-/' "$root/locks/torch.txt")"
wheel=''
for folder in $(pip_setting find-links); do
  for candidate in "${folder#file://}/$pin"[-+]*cp311*.whl; do [ ! -f "$candidate" ] || wheel="$candidate"; done
done
if [ -z "$wheel" ]; then
  echo "pip's find-links have no wheel of $pin: torch will come from its index." >&2
elif ! known "$wheels" "$(basename "$wheel")"; then
  tar --numeric-owner -C "$(dirname "$wheel")" -c "$(basename "$wheel")" \
    | "$ENGINE" import --change "LABEL voicemill.key=$(basename "$wheel")" - "$wheels" >/dev/null
fi
printf 'VOICEMILL_BASE_IMAGE=%s\n' "$base"
[ -z "$wheel" ] || printf 'VOICEMILL_WHEELS_IMAGE=%s\n' "$wheels"
