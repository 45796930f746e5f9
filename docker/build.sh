#!/usr/bin/env bash
# Build an image:  docker/build.sh [cpu|cuda-base|cuda|speak|qwen|dev] [--tag TAG] [--log FILE] [--file DOCKERFILE] [--attest] [--no-cache]
#
# --attest: SBOM and provenance with the image, where the engine can keep them (docker/engine.sh). --no-cache: every step anew.
# Default tags: voicemill:<what>, and for images with the code voicemill:<what>-<digest of the code>, by which `run` finds the one
# of its checkout; images that are replaced are removed (docs/adr/0029). The image is dated by SOURCE_DATE_EPOCH, by default the
# commit's time. The engine's output goes to stderr, or is appended to FILE; the exit code is the engine's.
#   VOICEMILL_BASE_IMAGE     base image of Dockerfile, Dockerfile.cuda-base, .speak and .qwen (default python:3.11-slim-bookworm)
#   VOICEMILL_CUDA_BASE_IMAGE  base image of Dockerfile.cuda (default voicemill:cuda-base)
#   VOICEMILL_QWEN_ON        image on which Dockerfile.qwen puts Qwen3-TTS (default voicemill:cpu)
#   VOICEMILL_WHEELS_IMAGE   an image with a wheel of torch, used instead of an index (made by docker/offline-base.sh)
#   VOICEMILL_TORCH_INDEX    package index of torch (default of CPU images: locks/torch-index.txt where it responds)
#   VOICEMILL_COMPUTE        CUDA version of cuda-base, as PyTorch writes it (default: Dockerfile.cuda-base's, cu130)
#   VOICEMILL_NETWORK        network of the build steps, for example host
set -euo pipefail
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
# shellcheck source=docker/engine.sh
. "$root/docker/engine.sh"
# shellcheck source=docker/source.sh
. "$root/docker/source.sh"

usage() {
  echo "usage: docker/build.sh [cpu|cuda-base|cuda|speak|qwen|dev] [--tag TAG] [--log FILE] [--file DOCKERFILE] [--attest] [--no-cache]    ($1)" >&2
  exit 1
}
what='' tag='' log='' file='' attest='' cache=()
while [ $# -gt 0 ]; do
  case "$1" in
    cpu|cuda-base|cuda|speak|qwen|dev) [ -z "$what" ] || usage "one image at a time"; what="$1" ;;
    --tag) tag="${2:?a tag is missing after --tag}"; shift ;;
    --log) log="${2:?a file is missing after --log}"; shift ;;
    --file) file="${2:?a Dockerfile is missing after --file}"; shift ;;
    --attest) attest=1 ;;
    --no-cache) cache=(--no-cache) ;;
    *) usage "unknown argument '$1'" ;;
  esac
  shift
done
what="${what:-cpu}"
find_engine || exit 1
find_builder || exit 1

digest="$(source_digest "$root")" names=("$tag")
if [ -z "$tag" ]; then
  names=("voicemill:$what")
  case "${file:+given}$what" in cpu|cuda|speak) names+=("voicemill:$what-${digest:0:12}") ;; esac
fi
tag="${names[0]}"
arguments=(${cache[@]+"${cache[@]}"} --label "voicemill.build=$what"); for name in "${names[@]}"; do arguments+=(--tag "$name"); done
epoch="$(source_epoch "$root")"
[[ "$epoch" =~ ^[0-9]+$ ]] || { echo "SOURCE_DATE_EPOCH must be whole seconds since 1970, not '${epoch:0:40}'." >&2; exit 1; }
date_of_build="$(date -u -d "@$epoch" +%Y-%m-%dT%H:%M:%SZ 2>/dev/null || date -u -r "$epoch" +%Y-%m-%dT%H:%M:%SZ)" # GNU's date, BSD's
arguments+=(--build-arg "COMMIT=$(source_commit "$root")" --build-arg "SOURCE_DIGEST=$digest"
  --build-arg "BUILD_DATE=$date_of_build" --build-arg "SOURCE_DATE_EPOCH=$epoch")
case "${file:+given}$what" in
  given*) arguments+=(--file "$file") ;; # another Dockerfile, all stages
  cpu) arguments+=(--file "$root/docker/Dockerfile" --target runtime) ;;
  dev) arguments+=(--file "$root/docker/Dockerfile" --target dev) ;;
  cuda-base) arguments+=(--file "$root/docker/Dockerfile.cuda-base" --build-arg "LOCKS_DIGEST=$(locks_digest "$root")") ;;
  cuda) arguments+=(--file "$root/docker/Dockerfile.cuda") ;;
  speak) arguments+=(--file "$root/docker/Dockerfile.speak") ;;
  qwen) arguments+=(--file "$root/docker/Dockerfile.qwen") ;;
esac
[ "$ENGINE" != podman ] || arguments+=(--format docker) # the format that supports SHELL
if [ -n "$attest" ]; then
  attestation_options
  arguments+=(${ATTESTATIONS[@]+"${ATTESTATIONS[@]}"})
fi
given() { [ -z "${2:-}" ] || arguments+=(--build-arg "$1=$2"); }
given_compute() { # given_compute cu128: also the CUDA version that the driver has to support, 12.8
  [[ "$1" =~ ^cu([0-9]+)([0-9])$ ]] || return 0
  arguments+=(--build-arg "COMPUTE=$1" --build-arg "CUDA_REQUIRED=${BASH_REMATCH[1]}.${BASH_REMATCH[2]}")
}
given WHEELS_IMAGE "${VOICEMILL_WHEELS_IMAGE:-}"
[ "$what" != qwen ] || given QWEN_ON "${VOICEMILL_QWEN_ON:-}"
if [ "$what" = cuda ]; then
  given CUDA_BASE_IMAGE "${VOICEMILL_CUDA_BASE_IMAGE:-}"
else
  given BASE_IMAGE "${VOICEMILL_BASE_IMAGE:-}"
  given TORCH_INDEX "${VOICEMILL_TORCH_INDEX:-}"
  [ "$what" != cuda-base ] || given_compute "${VOICEMILL_COMPUTE:-}"
fi
[ -z "${VOICEMILL_NETWORK:-}" ] || arguments+=(--network "$VOICEMILL_NETWORK")
# Proxies are passed by name: the engine predefines these arguments and does not store them in the image.
for name in http_proxy https_proxy no_proxy HTTP_PROXY HTTPS_PROXY NO_PROXY; do
  [ -z "${!name:-}" ] || arguments+=(--build-arg "$name")
done

if [ -n "$log" ] && ! { : >> "$log"; } 2>/dev/null; then echo "The log $log cannot be written: choose another file." >&2; exit 1; fi
# The context is a copy of what git tracks. It lies in the checkout, because some engines may read the home folder alone.
mkdir -p "$root/cache" 2>/dev/null || true
context="$(mktemp -d "$root/cache/.context.XXXXXX" 2>/dev/null || mktemp -d)" temporary="$(mktemp)"
trap 'rm -rf "$context" "$temporary"' EXIT
image_files "$root" | tar -C "$root" -cf - -T - | tar -C "$context" -xf -
# A fixed time, not the checkout's: 1980 is the first that archives of every kind can hold.
find "$context" -exec env TZ=UTC touch -h -t 198001010000 {} +
code=0
if [ -n "$log" ]; then
  DOCKER_BUILDKIT=1 "$BUILDER" build "${arguments[@]}" "$context" </dev/null >>"$log" 2>&1 || code=$?
else
  DOCKER_BUILDKIT=1 "$BUILDER" build "${arguments[@]}" "$context" </dev/null 2>&1 | tee "$temporary" >&2 || code="${PIPESTATUS[0]}"
fi
if [ "$code" = 0 ]; then
  case "$what" in qwen) pattern="${tag%-????????????-qwen}-????????????-qwen" ;; *) pattern="voicemill:$what-????????????" ;; esac
  prune_images "$pattern" "${names[${#names[@]} - 1]}"
  exit 0
fi
ended="$(tail -n 60 "${log:-$temporary}")"
shows() { grep -qiE "$1" <<<"$ended"; }
proxies=''
for name in http_proxy https_proxy HTTP_PROXY HTTPS_PROXY; do [ -z "${!name:-}" ] || proxies+="${proxies:+, }$name"; done
network="name resolution|failure resolving|could not resolve|could not connect to|name or service not known|no such host|network is unreachable|no route to host|timed out"
network+="|i/o timeout|handshake timeout|TimeoutError|connection (refused|reset|aborted|broken)|NewConnectionError|IncompleteRead|unexpected EOF"
failed="The image $tag could not be built"
trace="${log:+ The log is $log.}"
if shows "no space left on device|have enough free space"; then
  echo "$failed: the engine's disk is full. Free some space ($ENGINE system prune), and start again.$trace" >&2
elif shows "407 Proxy|Proxy Authentication Required|ProxyError|Cannot connect to proxy|Could not resolve proxy|proxyconnect"; then
  echo "$failed: the proxy of ${proxies:-the engine} refused or did not answer. Correct its address and password, and start again.$trace" >&2
elif shows "$network"; then
  if [ -n "$proxies" ]; then proxies=" and the proxy of $proxies"; else proxies=" (behind a proxy: set http_proxy and https_proxy)"; fi
  echo "$failed: a download failed. Check the network$proxies, and start again; finished steps are kept.$trace" >&2
elif [ "$code" = 137 ] || shows "exit code: 137|signal: killed|cannot allocate memory|out of memory"; then
  echo "$failed: memory ran out. Give the engine more memory or close other programs, and start again.$trace" >&2
else
  echo "$failed (the engine's exit code was $code): read the last lines ${log:+of $log}, and start again." >&2
fi
exit "$code"
