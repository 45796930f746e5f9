#!/usr/bin/env bash
# Entry point of the image: runs an app with its options, or lists the apps. bash, sh and python3 run directly.
#
# Compose starts the copy of this file in the checkout, which it mounts. The code and the commit are then the checkout's, whatever
# the image contains, and results go to the checkout's work/ and cache/. VOICEMILL_IMAGE_ROOT is set by tests only.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)"
image="${VOICEMILL_IMAGE_ROOT:-/app}"
refuse() { printf '[run][error] %s\n%s\n' "$1" "$2" >&2; exit "${3:-1}"; } # refuse REASON SENTENCE [EXIT CODE]

# checkout_commit: the checkout's HEAD, read without git, which the image does not have; unknown in a worktree or an archive
checkout_commit() {
  local head='' found='' digest name
  { read -r head < "$here/.git/HEAD"; } 2>/dev/null || true
  case "$head" in
    "ref: "*)
      head="${head#ref: }"
      { read -r found < "$here/.git/$head"; } 2>/dev/null \
        || while read -r digest name; do [ "$name" != "$head" ] || found="$digest"; done < <(cat "$here/.git/packed-refs" 2>/dev/null)
      head="$found" ;;
  esac
  if [[ "$head" =~ ^[0-9a-f]{40}$ ]]; then printf '%s\n' "$head"; else printf 'unknown\n'; fi
}

if [ "$here" != "$image" ]; then
  for lock in requirements torch; do
    cmp -s "$here/locks/$lock.txt" "$image/locks/$lock.txt" || refuse image_outdated \
      "The image's packages are not the ones that this checkout pins: run docker compose build, with the same -f options, and start again."
  done
  export WORK_DIR="$here/work" CACHE_DIR="$here/cache" HF_HOME="$here/cache/huggingface" TORCH_HOME="$here/cache/torch"
  export PYTHONPYCACHEPREFIX="$here/cache/bytecode"
fi
# Compose and a plain `docker run` start this as root, because they cannot know the caller: results get the owner of the checkout, or
# of the mounted work folder. run names the caller itself, and sets VOICEMILL_CWD.
# (In a rootless engine, root in the container is the caller; the owner is root here, and nothing needs to be done.)
shelf="$here"; [ "$here" != "$image" ] || shelf="${WORK_DIR:-/work}"
if [ -z "${VOICEMILL_CWD+set}" ] && [ "$(id -u)" = 0 ] && [ -d "$shelf" ] && [ "$(stat -c %u "$shelf")" != 0 ]; then
  uid="$(stat -c %u "$shelf")" gid="$(stat -c %g "$shelf")"
  for folder in "$WORK_DIR" "$CACHE_DIR"; do # an engine may have created them as root
    if [ -d "$folder" ] && [ "$(stat -c %u "$folder")" = 0 ]; then chown "$uid:$gid" "$folder"; fi
  done
  exec setpriv --reuid "$uid" --regid "$gid" --clear-groups -- "${BASH_SOURCE[0]}" "$@"
fi
if [ "$here" != "$image" ]; then
  mkdir -p "$WORK_DIR" "$CACHE_DIR" 2>/dev/null || refuse not_writable:work "The folders work and cache cannot be made in the checkout." 2
  VOICEMILL_COMMIT="$(checkout_commit)"
  export VOICEMILL_COMMIT
  if [ "$VOICEMILL_COMMIT" = unknown ] && [ "${1:-}" = voice-train-prod ]; then
    echo "[run] The commit of this checkout cannot be read here, so the voice cannot be certified: use ./run, or a clone made by git." >&2
  fi
fi
# run sets the caller's folder if it is mounted or contains the results, so that relative paths match.
cd "${VOICEMILL_CWD:-.}"
export VOICEMILL_LAUNCHER="${VOICEMILL_LAUNCHER:-./run}"
case "${1:-}" in
  bash|sh|python3) exec "$@" ;;
  python) shift; exec python3 "$@" ;;
  say) exec "$here/run-direct" voice-train-prod "$@" ;;
  *) exec "$here/run-direct" "$@" ;;
esac
