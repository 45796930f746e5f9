#!/usr/bin/env bash
# stdout carries protocol lines and nothing else, in the contract's order, the same in each run; a reader of chunks sees all.
. "$(dirname "$0")/lib.sh"
# The manifest records when it was made, and STATS the digest of the manifest.
export SOURCE_DATE_EPOCH=1700000000
dry=(./run-direct voice-train-prod --dry-run --preset smoke)
expect 0 '' "${dry[@]}"
cp "$SCRATCH/out" "$SCRATCH/first"
allowed='^(PROGRESS [0-9]+ [0-9]+|STATS \{.*\}|ARTIFACT [^ ]+|\[tts-prod\] (head|status)=.*)$'
! grep -vE "$allowed" "$SCRATCH/first" || fail "a stray line on stdout"
head="$(git rev-parse --short=8 HEAD 2>/dev/null || echo unknown)"
[ "$(head -n 1 "$SCRATCH/first")" = "[tts-prod] head=$head" ] || fail "the first line is not the head"
[ "$(tail -n 1 "$SCRATCH/first")" = "[tts-prod] status=done backend=local" ] || fail "the last line is not the end"
[ "$(grep -c '^PROGRESS' "$SCRATCH/first")" = 5 ] || fail "a dry run counts from 0 to 4"
sed -n 's/^ARTIFACT //p' "$SCRATCH/first" | while read -r path; do [ -f "$path" ] || fail "no file $path"; done
expect 0 '' "${dry[@]}"
cmp "$SCRATCH/first" "$SCRATCH/out" || fail "the second run says something else"
# The job server takes each chunk that it reads for one line.
"${dry[@]}" 2>/dev/null | "$VOICEMILL_PYTHON" -c '
import os
chunks = []
while chunk := os.read(0, 65536):
    chunks.append(chunk)
lines = b"".join(chunks).splitlines()
whole = sum(chunk.count(b"\n") == 1 for chunk in chunks)
assert 2 * whole >= len(lines), (whole, len(lines))  # a busy machine delays the reader now and then
' || fail "a reader of chunks loses lines"
grep -h '^STATS ' "$SCRATCH/first" | "$VOICEMILL_PYTHON" -c '
import json, sys
for line in sys.stdin:
    text = line[6:].rstrip("\n")
    assert json.dumps(json.loads(text), sort_keys=True, separators=(",", ":"), ensure_ascii=False) == text, text
'
