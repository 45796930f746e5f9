#!/usr/bin/env bash
# Runs in a build: installs torch from /mnt/wheels if its wheel for COMPUTE is there, else from TORCH_INDEX. Else a CPU image takes
# PyTorch's CPU index (locks/torch-index.txt) if it responds; everything else comes from pip's default index, with the hashes of
# locks/torch-pypi.txt. That build has CUDA. It also runs on a CPU and is several gigabytes larger: it does not load without CUDA's
# libraries. Triton and NVIDIA's Python packages are left out of a CPU image.
# torch's Python dependencies are already installed from the lock.
#   install-torch.sh [EXTRA PACKAGES]
set -euo pipefail
pin="$(cat /mnt/locks/torch.txt)"
index=(); [ -z "${TORCH_INDEX:-}" ] || index=(--index-url "$TORCH_INDEX")
if [ "$COMPUTE" = cpu ] && [ -z "${TORCH_INDEX:-}" ] && ! compgen -G "/mnt/wheels/torch-*+cpu-*.whl" >/dev/null; then
  small="$(cat /mnt/locks/torch-index.txt)"
  if python3 -c 'import sys, urllib.request; urllib.request.urlopen(sys.argv[1] + "/torch/", timeout=15)' "$small" 2>/dev/null; then
    index=(--index-url "$small")
  else
    echo "$small does not respond: torch comes from pip's index, with CUDA, which makes the image about 3 GB larger." >&2
  fi
fi
if compgen -G "/mnt/wheels/torch-*+$COMPUTE-*.whl" >/dev/null; then index=(--no-index --find-links /mnt/wheels); fi
if [ "${#index[@]}" != 0 ]; then
  python3 -m pip install --no-compile "${index[@]}" "$pin" "$@"
else
  requirements="$(mktemp)" left_out="torchaudio"
  case " $* " in *" torchaudio "*) left_out="-" ;; esac
  [ "$COMPUTE" != cpu ] || left_out="torchaudio|triton|cuda-[a-z]+|nvidia-nvtx"
  # A requirement and its hashes are one block.
  awk "/^[a-z]/ { drop = (\$0 ~ /^($left_out)==/) } !drop" /mnt/locks/torch-pypi.txt > "$requirements"
  python3 -m pip install --no-compile --no-deps --require-hashes -r "$requirements"
  rm "$requirements"
fi
packages="$(python3 -c 'import sysconfig; print(sysconfig.get_path("purelib"))')"
if [ "$COMPUTE" = cpu ]; then # CUDA's libraries stay as they are
  apt-get update
  DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends binutils
  python3 /mnt/trim-packages.py "$packages" torch torchgen
  apt-get purge -y --auto-remove binutils
  apt-get clean
  rm -rf /var/lib/apt/lists/*
fi
# The other packages have their bytecode; writing it again would copy it into this layer.
python3 -m compileall -qq -j 0 --invalidation-mode unchecked-hash "$packages"/torch* || true
# Refuse a build for another CUDA version, which would not match the image's tag.
case "$COMPUTE" in
  cu*)
    have="$(python3 -c 'import torch; print("cu" + str(torch.version.cuda).replace(".", ""))')"
    if [ "$have" != "$COMPUTE" ]; then
      echo "torch was installed for $have, not $COMPUTE: set VOICEMILL_TORCH_INDEX to PyTorch's index for $COMPUTE." >&2
      exit 1
    fi ;;
esac
