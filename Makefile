# voicemill: the commands of a working day. `make` alone lists them.
SHELL := /bin/bash
.DEFAULT_GOAL := help
dev = . scripts/bootstrap.sh && bootstrap dev

.PHONY: help test test-fast test-local test-local-fast lint format lock demo bench schemas clean-work clean-cache

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

test: ## set up, then the whole pytest suite (ARGS="-k pitch" passes options on)
	@$(dev) && "$$VOICEMILL_PYTHON" -m pytest $(ARGS)

test-fast: ## the tests that train nothing
	@$(dev) && "$$VOICEMILL_PYTHON" -m pytest -m "not slow" $(ARGS)

test-local: ## the numbered shell suites of tests/local (ONLY="01 02", SKIP="03" choose)
	@bash tests/local/run-all.sh

test-local-fast: ## their fast subset
	@SKIP_SLOW=1 bash tests/local/run-all.sh

lint: ## ruff, mypy --strict, import-linter
	@$(dev) && bin="$$(dirname "$$VOICEMILL_PYTHON")" && "$$bin/ruff" check . && "$$bin/mypy" && \
	  PYTHONPATH=lib "$$bin/lint-imports" --no-logo

format: ## let ruff mend what it can
	@$(dev) && "$$(dirname "$$VOICEMILL_PYTHON")/ruff" check --fix .

lock: ## resolve pyproject.toml again and export locks/
	@bash scripts/lock.sh

demo: ## the main job on the bundled demo recording
	@./run-direct voice-train-prod

bench: ## measure the demo's stages, pitch and start-up (docs/benchmarks.md)
	@$(dev) && PYTHONPATH=lib "$$VOICEMILL_PYTHON" scripts/bench/bench.py $(or $(ARGS),stages)

schemas: ## write the JSON Schemas below configs/voice again from the typed models
	@$(dev) && PYTHONPATH=lib "$$VOICEMILL_PYTHON" scripts/voice/generate_schemas.py

clean-work: ## remove results (work/)
	rm -rf work

clean-cache: ## remove what can be made again (cache/)
	rm -rf cache
