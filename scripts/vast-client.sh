# shellcheck shell=bash
# Sourced by vast.sh and the tests: vast_client ROOT PYTHON creates the environment of vast.ai's client and exports its Python.
vast_client() {
  local root="$1" base="$2" venv="${VOICEMILL_VAST_VENV:-$1/.venv-vast}" want
  export VOICEMILL_VAST_PYTHON="$venv/bin/python"
  want="$(sha256sum < "$root/locks/vast/requirements.txt")"
  if [ "$(cat "$venv/.voicemill" 2>/dev/null)" = "$want" ] && [ -x "$venv/bin/python" ]; then return 0; fi
  mkdir -p "$venv"
  ( # a subshell holds the lock and always releases it
    flock 9
    if [ "$(cat "$venv/.voicemill" 2>/dev/null)" = "$want" ] && [ -x "$venv/bin/python" ]; then exit 0; fi
    echo "[setup] Installing vast.ai's client into $venv (once)." >&2
    if ! { "$base" -m venv --clear "$venv" \
        && "$venv/bin/python" -m pip install --disable-pip-version-check --no-input --no-deps --require-hashes -r "$root/locks/vast/requirements.txt"; } \
        >"$venv.log" 2>&1; then
      tail -n 8 "$venv.log" >&2
      printf '%s\n' "[vast][error] vast_client_missing" "vast.ai's client could not be installed; the log is $venv.log." >&2
      exit 2
    fi
    printf '%s\n' "$want" > "$venv/.voicemill"
  ) 9>"$venv.lock"
}
