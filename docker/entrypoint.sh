#!/usr/bin/env bash
# What a container starts: an app with its options; without any, the list of apps. bash, sh and python3 start as they are.
set -euo pipefail
# Compose cannot ask who is calling. It mounts a file of the checkout instead: its owner is whom the results shall belong to.
# (Where root inside is the caller outside, as in rootless engines, that owner is root here, and nothing is to be done.)
owner_of=/run/voicemill-owner
if [ "$(id -u)" = 0 ] && [ -e "$owner_of" ] && [ "$(stat -c %u "$owner_of")" != 0 ]; then
  uid="$(stat -c %u "$owner_of")" gid="$(stat -c %g "$owner_of")"
  for folder in "$WORK_DIR" "$CACHE_DIR"; do # the engine makes a missing mount as root
    if [ -d "$folder" ] && [ "$(stat -c %u "$folder")" = 0 ]; then chown "$uid:$gid" "$folder"; fi
  done
  exec setpriv --reuid "$uid" --regid "$gid" --clear-groups -- "$0" "$@"
fi
# run names the caller's folder where it lies above the mounted results, so that relative paths are the caller's.
cd "${VOICEMILL_CWD:-.}"
export VOICEMILL_LAUNCHER="${VOICEMILL_LAUNCHER:-./run}"
case "${1:-}" in
  bash|sh|python3) exec "$@" ;;
  python) shift; exec python3 "$@" ;;
  *) exec /app/run-direct "$@" ;;
esac
