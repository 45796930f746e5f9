# shellcheck shell=bash
# Sourced by the suites 20 to 39, which follow the earlier toolbox's 01 to 19. Each of them checks what was written.
#   QWEN_TINY=1       tiny models of random numbers in place of the weights: every command runs, and their speech is noise
#   QWEN_REQUIRED=1   missing weights of Qwen3-TTS are a failure (make qwen-check); else such parts are left out
#   THREADS, DTYPE    passed on; DTYPE is float32 by default
#   TEST_AUDIO        recording for 37 and 38 (the demo by default); TEST_AUDIO_LONG=1 trims it, too
#   SKIP_DESIGN=1     leaves designed voices out; SKIP_SLOW=1 leaves the suites out, as all that begin so
# shellcheck source=tests/local/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
export CACHE_DIR="${CACHE:-$SCRATCH/cache}" OUT="${OUT:-$WORK_DIR/local-tests}"
export TEXT_EN="The old bridge was closed for the winter." TEXT_FR="Le vieux pont est ferme pour tout l'hiver."
engine=(--dtype "${DTYPE:-float32}")
[ -z "${THREADS:-}" ] || engine+=(--threads "$THREADS")
audio="${TEST_AUDIO:-data/demo/demo.flac}"
app() { ./run-direct "$@"; }
# tiny_models: the models of tests/qwen_models.py in a cache that all suites of a run share, with an allowlist that pins them.
tiny_models() {
  local shared="${TINY_MODELS:-${SCRATCH%/*}/voicemill-tiny-qwen}"
  if [ ! -f "$shared/allowlist.json" ]; then
    PYTHONPATH=lib:. "$VOICEMILL_PYTHON" tests/qwen_models.py --allowlist "$shared" || fail "no tiny models could be made"
  fi
  export PROD_TTS_ALLOWLIST="$shared/allowlist.json" QWEN_REQUIRED=1
  mkdir -p "$CACHE_DIR"
  [ -e "$CACHE_DIR/weights" ] || ln -s "$shared/cache/weights" "$CACHE_DIR/weights"
}
[ "${QWEN_TINY:-0}" != 1 ] || tiny_models
# qwen: whether a model of Qwen3-TTS can be loaded; asked for once.
qwen() {
  if [ -z "${QWEN_THERE:-}" ]; then
    app voice-synth capabilities --json >"$SCRATCH/capabilities.json" 2>/dev/null || true
    QWEN_THERE=no
    ! grep -q '"speaker_probe_mode": "runtime"' "$SCRATCH/capabilities.json" || QWEN_THERE=yes
  fi
  [ "$QWEN_THERE" = yes ]
}
# need_qwen: leave the suite here where there are no weights.
need_qwen() {
  qwen && return 0
  [ "${QWEN_REQUIRED:-0}" != 1 ] || fail "the weights of Qwen3-TTS are not there: docs/cloning.md says how to pin them"
  echo "left out: needs the weights of Qwen3-TTS"; exit 0
}
# speak FOLDER TAKES OPTION...: one run of speak, whose files are checked.
speak() {
  local folder="$OUT/$1" takes="$2"; shift 2
  rm -rf "$folder"
  expect 0 '' app voice-synth speak --out-exact "$folder" "${engine[@]}" "$@"
  checked "$folder" "$takes"
}
# checked FOLDER TAKES [PROFILE]: sounds of a length that fits the text, marked, and a record that names them.
checked() { PYTHONPATH=lib "$VOICEMILL_PYTHON" tests/local/check_takes.py "$@" || fail "the files in $1 are not right"; }
# designed NAME INSTRUCTION TEXT: a voice from a description; random numbers may speak no reference.
designed() {
  if [ "${QWEN_TINY:-0}" = 1 ]; then
    app voice-synth design-voice --voice-name "$1" --instruct "$2" --ref-text "$3" --force "${engine[@]}" >"$SCRATCH/out" 2>"$SCRATCH/err" && return 0
    grep -q '\[error\] reference_' "$SCRATCH/err" || { cat "$SCRATCH/err"; fail "no voice was designed"; }
    echo "left out: the tiny model spoke no reference"; exit 0
  fi
  expect 0 '' app voice-synth design-voice --voice-name "$1" --instruct "$2" --ref-text "$3" --force "${engine[@]}"
}
# cloned NAME: a voice from the recording, made once.
cloned() {
  [ -f "$CACHE_DIR/voices/$1/ref.wav" ] || expect 0 '' app voice-register --audio "$audio" --voice-name "$1" --clips 1 --length 12 \
    --text "$TEXT_EN" --seed 1 --skip-synth --force-bad-ref --out "$OUT" "${engine[@]}"
}
