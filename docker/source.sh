# shellcheck shell=bash
# The parts of the checkout that are in an image; sourced by run and docker/build.sh.

# The paths that the Dockerfiles copy; .dockerignore allows the same paths, and a test compares them.
image_sources=(apps configs data/base data/construction data/demo docker lib locks scripts run-direct LICENSE NOTICE)

hashing=(sha256sum); command -v sha256sum >/dev/null 2>&1 || hashing=(shasum -a 256)

# Never in an image, also where there is no git to ask; .dockerignore has the same.
secrets=('.env' '.env.*' '*.pem' '*.key' '*.p12' 'id_rsa*' 'id_ed25519*' '.netrc' '.DS_Store')
recordings=('*.wav' '*.flac' '*.mp3' '*.m4a' '*.aac' '*.ogg' '*.opus' '*.wma')
demo=data/demo/demo.flac

# image_files ROOT: the files of an image, one a line: what git tracks, as it is in the checkout; all files where there is no git.
image_files() (
  cd "$1" || exit
  if [ -e .git ] && git ls-files --cached --error-unmatch run-direct >/dev/null 2>&1; then
    git -c core.quotePath=false ls-files --cached -- "${image_sources[@]}" | while IFS= read -r each; do
      [ ! -f "$each" ] || printf '%s\n' "$each"
    done
  else
    patterns=(); for pattern in "${secrets[@]}" "${recordings[@]}"; do patterns+=(! -name "$pattern"); done
    find "${image_sources[@]}" -type f ! -name '*.pyc' \( -path "$demo" -o "${patterns[@]}" \)
  fi | LC_ALL=C sort
)

# source_digest ROOT: sha256 over names and contents. It is the image's label voicemill.source, by which run detects
# an image that is older than the checkout.
source_digest() (
  cd "$1" || exit
  image_files . | tr '\n' '\0' \
    | xargs -0 "${hashing[@]}" | "${hashing[@]}" | cut -d' ' -f1
)

# source_epoch ROOT: SOURCE_DATE_EPOCH, else the time of HEAD, else now; in seconds since 1970.
source_epoch() {
  if [ -n "${SOURCE_DATE_EPOCH:-}" ]; then printf '%s\n' "$SOURCE_DATE_EPOCH"; return; fi
  git -C "$1" log -1 --format=%ct 2>/dev/null || date +%s
}

# source_commit ROOT: HEAD of the checkout, else VOICEMILL_COMMIT, else unknown.
source_commit() {
  git -C "$1" rev-parse --verify HEAD 2>/dev/null || printf '%s\n' "${VOICEMILL_COMMIT:-unknown}"
}

# locks_digest ROOT: sha256 over the files that define the dependencies; the label voicemill.locks of the CUDA base image.
locks_digest() (
  cd "$1" || exit
  cat locks/requirements.txt locks/torch*.txt docker/install-*.sh docker/*.py docker/dpkg-excludes docker/Dockerfile.cuda-base \
    | "${hashing[@]}" | cut -d' ' -f1
)
