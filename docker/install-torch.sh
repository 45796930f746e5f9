#!/usr/bin/env bash
# Runs in a build: installs torch from /mnt/wheels if its wheel for COMPUTE is there, else from TORCH_INDEX. Else a CPU image takes
# PyTorch's CPU index (locks/torch-index.txt) if it responds; everything else comes from pip's default index, whose CUDA build also
# runs on a CPU and is several gigabytes larger.
# Its Python dependencies are already installed from the lock; the CUDA build adds CUDA's libraries and Triton.
#   install-torch.sh [EXTRA PACKAGES]
set -euo pipefail
pin="$(cat /mnt/locks/torch.txt)"
index=(); [ -z "${TORCH_INDEX:-}" ] || index=(--index-url "$TORCH_INDEX")
if [ "$COMPUTE" = cpu ] && [ -z "${TORCH_INDEX:-}" ] && ! compgen -G "/mnt/wheels/torch-*+cpu-*.whl" >/dev/null; then
  small="$(cat /mnt/locks/torch-index.txt)"
  if python3 -c 'import sys, urllib.request; urllib.request.urlopen(sys.argv[1] + "/torch/", timeout=15)' "$small" 2>/dev/null; then
    index=(--index-url "$small")
  else
    echo "$small does not respond: torch comes from pip's index, with CUDA, which makes the image about 4 GB larger." >&2
  fi
fi
if compgen -G "/mnt/wheels/torch-*+$COMPUTE-*.whl" >/dev/null; then index=(--no-index --find-links /mnt/wheels); fi
python3 -m pip install "${index[@]}" "$pin" "$@"
# Refuse a build for another CUDA version, which would not match the image's tag.
case "$COMPUTE" in
  cu*)
    have="$(python3 -c 'import torch; print("cu" + str(torch.version.cuda).replace(".", ""))')"
    if [ "$have" != "$COMPUTE" ]; then
      echo "torch was installed for $have, not $COMPUTE: set VOICEMILL_TORCH_INDEX to PyTorch's index for $COMPUTE." >&2
      exit 1
    fi ;;
esac
