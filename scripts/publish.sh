#!/usr/bin/env bash
# Build an image and push it under reproducible tags:  scripts/publish.sh cpu|cuda-base|cuda [options]
#   --registry R    registry, for example ghcr.io/me/voicemill (default: VOICEMILL_REGISTRY)
#   --dry-run       print the commands without running them
#   --allow-dirty   allow a working tree with changes; the tag then ends in -dirty
#
# cpu: R:<sha8>, R:latest · cuda-base: R:cuda-base-<digest of the locks>, R:cuda-base · cuda: R:cuda-<sha8>, R:cuda, R:cuda130
# VOICEMILL_COMPUTE=cu128 uses another CUDA version than Dockerfile.cuda-base: R:cuda128-base-<digest>, R:cuda128-<sha8>, R:cuda128.
#
# A tag of a commit or of locks is pushed once: if the registry has it, only the moving tags are updated.
set -euo pipefail
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)"
cd "$root"
refuse() { printf '[publish][error] %s\n%s\n' "$1" "$2" >&2; exit 1; }
usage() { refuse bad_usage "$1 Usage: scripts/publish.sh cpu|cuda-base|cuda [--registry R] [--dry-run] [--allow-dirty]."; }

what='' registry="${VOICEMILL_REGISTRY:-}" dry='' dirty=''
while [ $# -gt 0 ]; do
  case "$1" in
    cpu|cuda-base|cuda) [ -z "$what" ] || usage "One image at a time."; what="$1" ;;
    --registry) [ -n "${2:-}" ] || usage "A registry is missing after --registry."; registry="$2"; shift ;;
    --dry-run) dry=1 ;;
    --allow-dirty) dirty=1 ;;
    *) usage "Unknown argument '$1'." ;;
  esac
  shift
done
[ -n "$what" ] || usage "Which image?"
[ -n "$registry" ] || usage "Where to? Give --registry or VOICEMILL_REGISTRY, for example ghcr.io/me/voicemill."
[[ "$registry" =~ ^[a-z0-9][a-z0-9._:/-]*[a-z0-9]$ ]] || usage "'$registry' is not a name of an image repository."

sha="$(git rev-parse --short=8 HEAD 2>/dev/null)" || refuse not_a_checkout \
  "Images are published from a git checkout, so that their tag names a commit."
suffix=''
if [ -n "$(git status --porcelain)" ]; then
  [ -n "$dirty" ] || refuse dirty_tree \
    "The working tree has changes, so $sha would not describe the image: commit them, or use --allow-dirty."
  suffix=-dirty
fi
default="$(sed -n 's/^ARG COMPUTE=//p' docker/Dockerfile.cuda-base)"
compute="${VOICEMILL_COMPUTE:-$default}"
[[ "$compute" =~ ^cu[0-9]{3}$ ]] || usage "VOICEMILL_COMPUTE must be a CUDA version as PyTorch writes it, such as $default, not '$compute'."
version="cuda${compute#cu}" name=cuda
[ "$compute" = "$default" ] || name="$version"
# shellcheck source=docker/source.sh
. docker/source.sh
base="$name-base-$(locks_digest . | cut -c1-8)" # by contents: the same locks give the same tag in any commit
case "$what" in
  cpu) tags=("$sha$suffix" latest) ;;
  cuda-base) tags=("$base" "$name-base") ;;
  cuda) tags=("$name-$sha$suffix" "$name"); [ "$name" = "$version" ] || tags+=("$version") ;;
esac
[ -z "$suffix" ] || tags=("${tags[0]}") # a moving tag never points to uncommitted code
fixed="$registry:${tags[0]}"

run() { printf '[publish] %s\n' "$*"; [ -n "$dry" ] || "$@"; }
push() {
  run "${ENGINE:-docker}" push "$1" && return
  refuse push_failed "$1 could not be pushed: see the lines above; if access was denied, $ENGINE login ${registry%%/*}."
}
in_registry() { # in_registry IMAGE: the registry has it, as far as access allows
  local plain=()
  case "$registry:$ENGINE" in # engines use plain HTTP on loopback
    localhost[:/]*:podman|127.*:podman) plain=(--tls-verify=false) ;;
    localhost[:/]*|127.*) plain=(--insecure) ;;
  esac
  "$ENGINE" manifest inspect ${plain[@]+"${plain[@]}"} "$1" >/dev/null 2>&1
}

if [ -z "$dry" ]; then
  # shellcheck source=docker/engine.sh
  . docker/engine.sh
  find_engine || exit 1
fi
build=(docker/build.sh "$what" --tag "$fixed" --attest)
if [ "$what" = cuda-base ]; then build=(env "VOICEMILL_COMPUTE=$compute" "${build[@]}"); fi
if [ "$what" = cuda ]; then build=(env "VOICEMILL_CUDA_BASE_IMAGE=$registry:$base" "${build[@]}"); fi
if [ -z "$dry" ] && [ "${fixed%-dirty}" = "$fixed" ] && in_registry "$fixed"; then
  printf '[publish] %s is already published and is not replaced\n' "$fixed"
  run "$ENGINE" pull --quiet "$fixed"
else
  if [ -z "$dry" ] && [ "$what" = cuda ] && ! in_registry "$registry:$base"; then
    refuse cuda_base_missing "$registry:$base, the base with today's locks, is not in the registry: publish cuda-base first."
  fi
  run "${build[@]}"
  push "$fixed"
fi
for tag in "${tags[@]}"; do
  [ "$registry:$tag" != "$fixed" ] || continue
  run "${ENGINE:-docker}" tag "$fixed" "$registry:$tag"
  push "$registry:$tag"
done
[ -n "$dry" ] || "$ENGINE" image inspect --format '{{range .RepoDigests}}{{println .}}{{end}}' "$fixed" \
  | sed -n "s|^\($registry@sha256:[0-9a-f]*\)\$|[publish] published \1|p"
