#!/usr/bin/env bash
# Build an image and push it under tags that can be made again:  scripts/publish.sh cpu|cuda-base|cuda [options]
#   --registry R    where it goes, for example ghcr.io/me/voicemill (default: VOICEMILL_REGISTRY)
#   --dry-run       say what would be done, and do nothing
#   --allow-dirty   also from a working tree with changes; the tag then ends in -dirty
#
# cpu: R:<sha8> and R:latest · cuda-base: R:cuda-base-<digest of locks/ and its Dockerfile> and R:cuda-base · cuda: R:cuda-<sha8> and R:cuda
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
    *) usage "'$1' means nothing here." ;;
  esac
  shift
done
[ -n "$what" ] || usage "Which image?"
[ -n "$registry" ] || usage "Where to? Give --registry or VOICEMILL_REGISTRY, for example ghcr.io/me/voicemill."
[[ "$registry" =~ ^[a-z0-9][a-z0-9._:/-]*[a-z0-9]$ ]] || usage "'$registry' is no name of a repository of images."

sha="$(git rev-parse --short=8 HEAD 2>/dev/null)" || refuse not_a_checkout \
  "Images are published from a git checkout, so that their tag names a commit."
suffix=''
if [ -n "$(git status --porcelain)" ]; then
  [ -n "$dirty" ] || refuse dirty_tree \
    "The working tree has changes, so $sha would not say what is in the image: commit them, or use --allow-dirty."
  suffix=-dirty
fi
case "$what" in
  cpu) tags=("$sha$suffix" latest) ;;
  cuda) tags=("cuda-$sha$suffix" cuda) ;;
  cuda-base) # made of the locks alone, so the same locks give the same tag
    tags=("cuda-base-$(cat locks/*.txt docker/Dockerfile docker/Dockerfile.cuda-base | sha256sum | cut -c1-8)$suffix" cuda-base) ;;
esac
[ -z "$suffix" ] || tags=("${tags[0]}") # a moving tag never points to what no commit holds

run() { printf '[publish] %s\n' "$*"; [ -n "$dry" ] || "$@"; }
if [ -z "$dry" ]; then
  # shellcheck source=docker/engine.sh
  . docker/engine.sh
  find_engine || exit 1
fi
run docker/build.sh "$what" --tag "$registry:${tags[0]}"
for tag in "${tags[@]:1}"; do run "${ENGINE:-docker}" tag "$registry:${tags[0]}" "$registry:$tag"; done
for tag in "${tags[@]}"; do run "${ENGINE:-docker}" push "$registry:$tag"; done
