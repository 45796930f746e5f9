# shellcheck shell=bash disable=SC2034  # the variables for the scripts that source this file
# Finds the container engine; sourced by run, docker/build.sh and other scripts that start containers.
#
#   find_engine    ENGINE=docker|podman, and 0; or 1, one plain sentence on stderr and in ENGINE_SENTENCE, and the cause in
#                  ENGINE_REASON: not_installed, daemon_down, no_permission, direct (TOOLBOX_RUNTIME=direct) or bad_usage.
#                  ENGINE_ROOTLESS=1 if root in a container is the calling user on the host, ENGINE_SELINUX=1 if containers are
#                  confined by SELinux.
#   find_builder   BUILDER=<command that builds with BuildKit>, for the engine that find_engine found.
#   attestation_options  ATTESTATIONS=(…): the build records SBOM and provenance with the image; empty, and a sentence on stderr, where
#                  the engine cannot. After find_builder. VOICEMILL_SBOM_GENERATOR names the image that makes the SBOM.
#   user_options   USER_OPTIONS=(…): a container's files belong to the caller.
#   write_options  WRITE_OPTIONS=(…): a container writes to its mounts, /tmp and its home folder alone; elsewhere results would be lost.
#   prune_images PATTERN KEPT  removes images of docker/build.sh that later builds replaced: those without a name, and those whose
#                  name matches, but not KEPT and the four newest.
#   gpu_options    GPU_OPTIONS=(…): a container gets all GPUs.
#   check_driver   0 unless this machine's NVIDIA driver is too old for the CUDA image; else 1, and a sentence on stderr.
#   check_gpu      0 if the engine can give a container a GPU; else 1, and a sentence on stderr.
#
# TOOLBOX_RUNTIME=docker|podman|direct forces a choice; without it Docker is asked first, then Podman.

ENGINE='' ENGINE_REASON='' ENGINE_SENTENCE='' ENGINE_ROOTLESS='' ENGINE_SELINUX='' BUILDER='' ATTESTATIONS=() USER_OPTIONS=() GPU_OPTIONS=()
WRITE_OPTIONS=()

# Do not wait forever for a daemon that hangs.
with_timeout() { if command -v timeout >/dev/null 2>&1; then timeout 30 "$@"; else "$@"; fi; }

# ask_engine NAME: 0 if the engine responds, else sets ENGINE_REASON and ENGINE_SENTENCE.
ask_engine() {
  local name="$1" output
  if ! command -v "$name" >/dev/null 2>&1; then
    ENGINE_REASON=not_installed ENGINE_SENTENCE="$name is not installed: install it to run in a container."
    return 1
  fi
  if output="$(LC_ALL=C with_timeout "$name" info --format '{{json .}}' 2>&1)"; then
    # Old clients exit with 0 although the daemon did not respond.
    case "$output" in
      *"Cannot connect to the Docker daemon"*|*"permission denied"*) ;;
      *)
        # Podman may be installed under Docker's name.
        case "$("$name" --version 2>/dev/null)" in podman*) name=podman ;; esac
        ENGINE="$name" ENGINE_REASON='' ENGINE_SENTENCE='' ENGINE_ROOTLESS='' ENGINE_SELINUX=''
        case "$output" in *'"rootless":true'*|*name=rootless*) ENGINE_ROOTLESS=1 ;; esac
        case "$output" in *name=selinux*|*'"selinuxEnabled":true'*) ENGINE_SELINUX=1 ;; esac
        return 0 ;;
    esac
  fi
  case "$output" in
    *"ermission denied"*)
      ENGINE_REASON=no_permission
      ENGINE_SENTENCE="You may not talk to $name's socket: join its group (sudo usermod -aG docker \"\$USER\"), then log in again." ;;
    *)
      ENGINE_REASON=daemon_down
      ENGINE_SENTENCE="$name is installed but does not answer: start it (sudo systemctl start $name, or Docker Desktop)." ;;
  esac
  return 1
}

choose_engine() {
  local reason sentence
  ENGINE=''
  case "${TOOLBOX_RUNTIME:-}" in
    docker|podman) ask_engine "$TOOLBOX_RUNTIME"; return ;;
    direct) ENGINE_REASON=direct ENGINE_SENTENCE="TOOLBOX_RUNTIME=direct: no container is used."; return 1 ;;
    '') ;;
    *)
      ENGINE_REASON=bad_usage ENGINE_SENTENCE="TOOLBOX_RUNTIME must be docker, podman or direct, not '$TOOLBOX_RUNTIME'."
      return 1 ;;
  esac
  if ask_engine docker; then return 0; fi
  reason="$ENGINE_REASON" sentence="$ENGINE_SENTENCE"
  if ask_engine podman; then return 0; fi
  # The problem of an installed engine is more useful than the absence of the other one.
  if [ "$reason" != not_installed ]; then
    ENGINE_REASON="$reason" ENGINE_SENTENCE="$sentence"
  elif [ "$ENGINE_REASON" = not_installed ]; then
    ENGINE_SENTENCE="No container engine is installed: install Docker or Podman to run in a container."
  fi
  return 1
}

find_engine() {
  if choose_engine; then return 0; fi
  echo "$ENGINE_SENTENCE" >&2
  return 1
}

# Docker clients before 23 include BuildKit, later ones need the buildx plugin; use the first on PATH that can build.
find_builder() {
  local client version
  BUILDER=''
  if [ "$ENGINE" = podman ]; then BUILDER=podman; return 0; fi
  while IFS= read -r client; do
    version="$("$client" --version 2>/dev/null)" || continue
    version="${version#*version }" version="${version%%.*}"
    if "$client" buildx version >/dev/null 2>&1 || { [ "$version" -ge 18 ] && [ "$version" -lt 23 ]; } 2>/dev/null; then
      BUILDER="$client"; return 0
    fi
  done < <(type -aP "$ENGINE")
  ENGINE_REASON=no_buildkit
  echo "This Docker client cannot build with BuildKit: install its buildx plugin (Debian: docker-buildx-plugin or docker-buildx)." >&2
  return 1
}

# BuildKit attaches them to an image, and Docker keeps them in its containerd image store alone. Provenance leaves out the build
# arguments (mode=min): the address of a package index may have a password.
attestation_options() {
  ATTESTATIONS=()
  if [ "$ENGINE" = docker ] && "$BUILDER" buildx version >/dev/null 2>&1; then
    case "$(LC_ALL=C with_timeout "$BUILDER" info --format '{{json .DriverStatus}}' 2>/dev/null)" in
      *io.containerd.snapshotter*)
        ATTESTATIONS=(--provenance=mode=min --sbom=true)
        [ -z "${VOICEMILL_SBOM_GENERATOR:-}" ] || ATTESTATIONS=(--provenance=mode=min "--sbom=generator=$VOICEMILL_SBOM_GENERATOR")
        return 0 ;;
    esac
  fi
  echo "The image has no SBOM and no provenance: that needs Docker with buildx and the containerd image store." >&2
}

# In a rootless engine, root maps to the caller; rootless Podman can keep the caller's ids.
# SELinux keeps a container from the caller's folders. The option z of a mount would relabel them for good, a home folder too, so
# the container runs without that confinement.
user_options() {
  case "$ENGINE/${ENGINE_ROOTLESS:-0}" in
    podman/1) USER_OPTIONS=(--userns=keep-id) ;;
    */1) USER_OPTIONS=(--user 0:0) ;;
    *) USER_OPTIONS=(--user "$(id -u):$(id -g)") ;;
  esac
  if [ "$ENGINE" = podman ] || [ -n "$ENGINE_SELINUX" ]; then USER_OPTIONS+=(--security-opt label=disable); fi
}

# A volume for /tmp: archives are unpacked there, and memory would be too small for some.
write_options() { WRITE_OPTIONS=(--read-only --mount "type=volume,target=/tmp" --tmpfs "/home/voicemill:mode=1777"); }

# Images of running containers stay: the engine refuses to remove them.
prune_images() {
  local old
  {
    "$ENGINE" image prune --force --filter label=voicemill.build || true
    # By age, newest first.
    "$ENGINE" image ls --format '{{.Repository}}:{{.Tag}}' --filter "reference=$1" | grep -vF ":${2#*:}" | tail -n +5 \
      | while IFS= read -r old; do "$ENGINE" image rm "$old" || true; done
  } >/dev/null 2>&1 </dev/null || true
}

gpu_options() {
  GPU_OPTIONS=(--gpus all)
  [ "$ENGINE" != podman ] || GPU_OPTIONS=(--device nvidia.com/gpu=all)
}

# NVIDIA's driver 580 is the first for CUDA 13. Another CUDA version of VOICEMILL_COMPUTE is left to the container toolkit.
check_driver() {
  local version
  if [ "${VOICEMILL_COMPUTE:-cu130}" != cu130 ] || ! command -v nvidia-smi >/dev/null 2>&1; then return 0; fi
  version="$(with_timeout nvidia-smi --query-gpu=driver_version --format=csv,noheader 2>/dev/null | head -n 1)" || return 0
  if [[ ! "$version" =~ ^([0-9]+)\. ]] || [ "${BASH_REMATCH[1]}" -ge 580 ]; then return 0; fi
  printf "NVIDIA's driver %s is too old for CUDA 13: install driver 580 or later.\n" "$version" >&2
  return 1
}

# Starts a container of an empty image: an engine without NVIDIA's toolkit refuses before it looks for the program, which is not
# there. Costs no download.
check_gpu() {
  local output how
  gpu_options
  "$ENGINE" import - voicemill:empty < <(head -c 1024 /dev/zero) >/dev/null 2>&1 || return 0 # an old client; the start tells
  output="$(LC_ALL=C with_timeout "$ENGINE" run --rm --network none "${GPU_OPTIONS[@]}" --entrypoint /none voicemill:empty 2>&1)" || true
  "$ENGINE" image rm voicemill:empty >/dev/null 2>&1 || true
  output="$(printf '%s\n' "$output" | grep -iE 'device driver|nvidia|cdi|unknown flag' | head -n 1)" || return 0
  [ -n "$output" ] || return 0
  how="install NVIDIA's Container Toolkit, then: sudo nvidia-ctk runtime configure --runtime=docker; sudo systemctl restart docker"
  [ "$ENGINE" != podman ] || how="install NVIDIA's Container Toolkit, then: sudo nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml"
  printf '%s cannot give a container this machine'"'"'s GPU: %s. Its error: %s\n' "$ENGINE" "$how" "$output" >&2
  return 1
}
