# The verbs of Portcullis: `make help` lists them. Each is safe to run again.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
CARGO ?= cargo
NEXTEST_VERSION := 0.9.143

.PHONY: help deps components examples build demo test lint fmt bench rows

help: ## List the verbs
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

deps: ## Install what is missing from Debian's packages (says what)
	@scripts/deps build test examples bench

components: ## Build the connector plugins as WebAssembly components
	@scripts/deps build
	scripts/components

# One selection of packages and targets for `build`, `nextest` and `clippy`: another one would compile the dependencies again.
examples: components ## Build the connectors of examples/, in C, JavaScript and Python
	@scripts/deps examples
	scripts/aloud $(CARGO) build --locked --workspace --all-targets
	scripts/examples

build: components ## Build target/release/portcullis
	scripts/aloud $(CARGO) build --locked --release -p portcullis -p portcullis-tests --bins

demo: build ## Run everything on this machine: doubles, gateway, four ingestions (ARGS=--once to exit after)
	@scripts/deps test
	scripts/demo $(ARGS)

test: examples ## Run every test, against the doubles and the referees (ministack, Azurite)
	@scripts/deps test
	scripts/ministack install
	scripts/azurite install
	scripts/schemathesis install
	scripts/python-client install
	scripts/browser install
	@$(CARGO) nextest --version >/dev/null 2>&1 || scripts/aloud $(CARGO) install cargo-nextest --locked --version $(NEXTEST_VERSION)
	$(CARGO) nextest run --locked --workspace --profile ci
	$(CARGO) test --locked --workspace --doc

lint: components ## Check the format, run clippy and build the docs, warnings denied
	$(CARGO) fmt --all --check
	scripts/aloud $(CARGO) clippy --locked --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" scripts/aloud $(CARGO) doc --locked --workspace --no-deps --document-private-items

fmt: ## Format the code
	$(CARGO) fmt --all

bench: build ## Measure plugin calls, 200 plugins, 100,000 connections, and small objects beside nginx
	@scripts/deps bench
	scripts/aloud $(CARGO) bench --locked -p portcullis-tests --bench locate
	scripts/aloud $(CARGO) bench --locked -p portcullis-tests --bench plugins
	scripts/aloud $(CARGO) bench --locked -p portcullis-tests --bench connections
	scripts/bench-gateway $(ARGS)

rows: ## List every row of SPEC with its tests and their last result (after make test)
	scripts/rows
