#!/usr/bin/env bash
# make batch TASKS=jobs.txt: run the tasks of a task file, one app invocation per line (docs/remote.md). See --help.
set -euo pipefail
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)"
# shellcheck source=scripts/voice/python.sh
. "$root/scripts/voice/python.sh"
find_python "$root" batch
exec "$PYTHON" "$root/scripts/batch.py" "$@"
