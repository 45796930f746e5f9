#!/usr/bin/env bash
# Twelve minutes on one GPU: the speed of stock NeMo and of ours side by side, then the base vocoder's training goes on
# and a base FastPitch is trained.
#   scripts/gpu_check.sh DATASET SPEAKERS OUT [PREPARED…]
#     DATASET   a prepared dataset (the folder with train.jsonl)
#     SPEAKERS  folder of recordings by speaker, <speaker>/<clip>.flac
#     OUT       folder for the results: gpu.txt, training.txt, base.safetensors, acoustic.safetensors and logs
#     PREPARED  prepared datasets of the speakers, for the base FastPitch; without them none is trained
#
# It stops by itself: SPEED_SECONDS (default 240) for the comparison, TRAIN_MINUTES (default 4) and ACOUSTIC_MINUTES
# (default 3) for the trainings.
# PRESET (default finetune) gives the model's sizes, STEPS and ROUNDS the turns; BATCH, FRAMES and LOADERS those of the
# vocoder. VOICEMILL_PYTHON is a Python with the locked packages. Each part's exit code is in OUT/gpu.txt.
set -uo pipefail
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)"
if [ $# -lt 3 ] || [ ! -d "$1" ] || [ ! -d "$2" ]; then
  sed -n '2,13s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
  exit 2
fi
dataset="$1" speakers="$2" out="$3"
shift 3
python="${VOICEMILL_PYTHON:-python3}"
mkdir -p "$out"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT

{ nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader 2>/dev/null || echo "no GPU"
  "$python" -c 'import torch; print("torch", torch.__version__, "cuda", torch.cuda.is_available())'
} > "$out/gpu.txt" 2>&1

timeout "${SPEED_SECONDS:-240}" "$python" "$root/scripts/bench/bench.py" --work "$work" training --dataset "$dataset" \
  --preset "${PRESET:-finetune}" --steps "${STEPS:-20}" --rounds "${ROUNDS:-2}" > "$out/training.txt" 2> "$out/training.log"
echo "speed: exit $?" >> "$out/gpu.txt"

minutes="${TRAIN_MINUTES:-4}"
train=("$python" "$root/scripts/base_vocoder/train_istft.py" --speakers "$speakers" --folder "$work/base")
timeout "$(awk "BEGIN { print int($minutes * 60 + 120) }")" "${train[@]}" \
  --init "$root/data/base/base-en-people-istft.safetensors" --wall --minutes "$minutes" --reconstruction-minutes 0 \
  --decay-minutes "$(awk "BEGIN { print $minutes / 4 }")" --batch "${BATCH:-64}" --frames "${FRAMES:-64}" \
  --loaders "${LOADERS:-12}" 2> "$out/base.log"
echo "base vocoder: exit $?" >> "$out/gpu.txt"
"${train[@]}" --export "$out/base.safetensors" 2>> "$out/base.log"
cp "$work/base/log.jsonl" "$out/" 2>/dev/null

if [ $# -gt 0 ]; then
  minutes="${ACOUSTIC_MINUTES:-3}"
  train=("$python" "$root/scripts/base_acoustic/train.py" --preset "${ACOUSTIC_PRESET:-cpu}" --folder "$work/acoustic" --wall)
  for prepared in "$@"; do train+=(--dataset "$prepared"); done
  timeout "$(awk "BEGIN { print int($minutes * 60 + 120) }")" "${train[@]}" --minutes "$minutes" 2> "$out/acoustic.log"
  echo "base FastPitch: exit $?" >> "$out/gpu.txt"
  "${train[@]}" --export "$out/acoustic.safetensors" 2>> "$out/acoustic.log"
fi
cat "$out/gpu.txt" "$out/training.txt"
