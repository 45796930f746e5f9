# voicemill: the commands of a working day. `make` lists them; ARGS="…" passes options on.
SHELL := /bin/bash
.DEFAULT_GOAL := help
dev = . scripts/bootstrap.sh && bootstrap dev
bin = "$$(dirname "$$VOICEMILL_PYTHON")"
launcher = $(if $(filter direct,$(TOOLBOX_RUNTIME)),./run-direct,./run)

.PHONY: help build build-gpu shell shell-gpu test test-fast test-all test-docker test-local test-local-fast test-local-cli test-local-synth test-local-cv synth-test qwen-check lint format lock demo batch bench bench-quality mutants vast-search vast-run vast-shell \
  vast-status vast-pull vast-destroy vast-remote-test \
  schemas publish-cpu publish-cuda-base publish-cuda clean-work clean-cache

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## the CPU image
	@docker/build.sh cpu $(ARGS)

build-gpu: ## the CUDA images: the heavy base, then the thin one with the code
	@docker/build.sh cuda-base && docker/build.sh cuda $(ARGS)

shell: ## a shell in the CPU image, with work/ and cache/
	@bash scripts/shell.sh cpu

shell-gpu: ## a shell in the CUDA image, with all GPUs
	@bash scripts/shell.sh gpu

test: ## pytest without the exhaustive tests, in a container where an engine answers, else here (TOOLBOX_RUNTIME=direct: always here)
	@bash scripts/test.sh -m "not exhaustive" $(ARGS)

test-fast: ## the unit tests that train nothing and start no app or server, here: under two minutes
	@TOOLBOX_RUNTIME=direct TEST_HALVES="tests/unit/align tests/unit/audio tests/unit/dataset tests/unit/evaluation tests/unit/runtime tests/unit/serve tests/unit/studio" bash scripts/test.sh -m "not slow" $(ARGS)

test-all: ## every test: all shell suites, images and containers, pytest with the exhaustive ones here, and make test in a container
	@bash tests/local/run-all.sh
	@$(MAKE) --no-print-directory test-docker EXHAUSTIVE=1
	@TOOLBOX_RUNTIME=direct bash scripts/test.sh $(ARGS)
	@TEST_ENGINE=own bash scripts/test.sh -m "not exhaustive" $(ARGS)

test-docker: ## the tests that build images and run containers (EXHAUSTIVE=1: the CUDA image too, 12 GB of disk)
	@$(dev) && "$$VOICEMILL_PYTHON" -m pytest tests/docker --timeout 3600 $(if $(EXHAUSTIVE),,-m "not exhaustive") $(ARGS)

test-local: ## the numbered shell suites of tests/local (ONLY="01 02", SKIP="03" choose)
	@bash tests/local/run-all.sh

synth-test: ## the shell suites of cloned, built-in and designed voices; without weights of Qwen3-TTS their part is left out; QWEN_TINY=1 runs it with tiny models
	@ONLY="$(or $(ONLY),$(shell seq -s ' ' 20 39))" bash tests/local/run-all.sh

qwen-check: ## the same on a machine that has the weights: the check list of docs/cloning.md
	@QWEN_REQUIRED=1 ONLY="$(or $(ONLY),$(shell seq -s ' ' 20 39))" bash tests/local/run-all.sh

test-local-cli: ## voices and capabilities of voice-synth: suite 20
	@ONLY=20 bash tests/local/run-all.sh

test-local-synth: ## cloned and designed voices: suites 22 to 28
	@ONLY="22 23 24 25 26 27 28" bash tests/local/run-all.sh

test-local-cv: ## built-in speakers: suites 29 to 34
	@ONLY="29 30 31 32 33 34" bash tests/local/run-all.sh

test-local-fast: ## their fast subset
	@SKIP_SLOW=1 bash tests/local/run-all.sh

# The scripts of each folder import one another by their bare names, so each folder is checked apart.
scripts_typed := for each in scripts/*/; do MYPYPATH=$$each:scripts/bench:scripts:tests $(bin)/mypy $$each || exit 1; done

lint: ## ruff, mypy --strict, import-linter, shellcheck, hadolint
	@$(dev) && $(bin)/ruff check . && $(bin)/mypy && $(scripts_typed) && PYTHONPATH=lib $(bin)/lint-imports --no-logo && \
	  $(bin)/shellcheck -x $$(git ls-files --cached --others --exclude-standard '*.sh' run run-direct .ci/run) && \
	  $(bin)/hadolint docker/Dockerfile*

format: ## let ruff fix what it can
	@$(dev) && $(bin)/ruff check --fix .

lock: ## resolve pyproject.toml again and export locks/
	@bash scripts/lock.sh

demo: ## the main job on the bundled demo recording
	@$(launcher) voice-train-prod $(ARGS)

batch: ## run the lines of a task file: TASKS=jobs.txt (ARGS="--parallel N", "--fail-fast", "--force")
	@bash scripts/batch.sh "$(TASKS)" $(ARGS)

vast-search: ## offers at vast.ai, best value first
	@bash scripts/vast.sh search

vast-run: ## rent, run TASKS=jobs.txt or ARGS='-- app …', fetch the results, destroy (ARGS="--push-work --yes …")
	@bash scripts/vast.sh run $(if $(TASKS),--tasks "$(TASKS)") $(ARGS)

vast-shell: ## rent and open a shell; ID=… for an existing instance
	@bash scripts/vast.sh shell $(if $(ID),--id "$(ID)") $(ARGS)

vast-status: ## what is rented and what it costs; destroys the remains of killed runs
	@bash scripts/vast.sh status

vast-pull: ## fetch the results of instance ID=…
	@bash scripts/vast.sh pull "$(ID)"

vast-destroy: ## destroy instance ID=…
	@bash scripts/vast.sh destroy "$(ID)"

vast-remote-test: ## the test suite on a rented GPU
	@bash scripts/vast.sh run --fail-fast --tasks scripts/vast-remote-test.txt $(ARGS)

bench: ## measure the demo's stages; ARGS="preparation", "serve …", "start …" (docs/benchmarks.md)
	@$(dev) && PYTHONPATH=lib "$$VOICEMILL_PYTHON" scripts/bench/bench.py $(or $(ARGS),stages)

bench-quality: ## stock NeMo's recipe and ours for the same minutes: error rate, distortion, pitch (ARGS="--voices slt,rms,awb --audio 1,6,20")
	@$(dev) && PYTHONPATH=lib "$$VOICEMILL_PYTHON" scripts/bench/bench.py curve $(or $(ARGS),--plot cache/bench/time-to-voice.svg)

mutants: ## share of small changes to the code that its tests notice (ARGS="lane_status --minutes 10"; not in CI)
	@$(dev) && "$$VOICEMILL_PYTHON" scripts/bench/mutants.py $(ARGS)

schemas: ## write the JSON Schemas of new format versions, and new descriptions, from the typed models
	@$(dev) && PYTHONPATH=lib "$$VOICEMILL_PYTHON" scripts/voice/generate_schemas.py

publish-cpu: ## build and push the CPU image (ARGS="--registry R", "--dry-run", "--allow-dirty")
	@bash scripts/publish.sh cpu $(ARGS)

publish-cuda-base: ## build and push the heavy CUDA base: when dependencies change
	@bash scripts/publish.sh cuda-base $(ARGS)

publish-cuda: ## build and push the thin CUDA image: at each change of the code
	@bash scripts/publish.sh cuda $(ARGS)

clean-work: ## remove results (work/)
	rm -rf work

clean-cache: ## remove what can be computed again (cache/)
	rm -rf cache
