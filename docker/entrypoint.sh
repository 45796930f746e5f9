#!/usr/bin/env bash
# Entry point of the image: runs an app with its options, or lists the apps. bash, sh and python3 run directly.
set -euo pipefail
# Compose cannot pass the calling user, so it mounts a file of the checkout: results get the owner of that file.
# (In a rootless engine, root in the container is the caller; the owner is root here, and nothing needs to be done.)
owner_of=/run/voicemill-owner
if [ "$(id -u)" = 0 ] && [ -e "$owner_of" ] && [ "$(stat -c %u "$owner_of")" != 0 ]; then
  uid="$(stat -c %u "$owner_of")" gid="$(stat -c %g "$owner_of")"
  for folder in "$WORK_DIR" "$CACHE_DIR"; do # the engine creates missing mounts as root
    if [ -d "$folder" ] && [ "$(stat -c %u "$folder")" = 0 ]; then chown "$uid:$gid" "$folder"; fi
  done
  exec setpriv --reuid "$uid" --regid "$gid" --clear-groups -- "$0" "$@"
fi
# run sets the caller's folder if it is mounted or contains the results, so that relative paths match.
cd "${VOICEMILL_CWD:-.}"
export VOICEMILL_LAUNCHER="${VOICEMILL_LAUNCHER:-./run}"
case "${1:-}" in
  bash|sh|python3) exec "$@" ;;
  python) shift; exec python3 "$@" ;;
  say) exec /app/run-direct voice-train-prod "$@" ;;
  *) exec /app/run-direct "$@" ;;
esac
