# Strongroom's commands. `make help` lists them.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
export PATH := $(CURDIR)/node_modules/.bin:$(PATH)

NODES ?= 1
IMAGE ?= localhost/strongroom:local

.PHONY: help install-tools check test unit fuzz demo cluster-up cluster-down operator install image build bench format generate

help: ## This list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{ printf "  make %-14s %s\n", $$1, $$2 }'

# The marker npm writes after an installation; newer than the lockfile means up to date. Node 26
# comes with the packages, so that the machine's own Node only has to run npm.
node_modules/.package-lock.json: package.json package-lock.json
	@echo "Installing npm packages" >&2
	@npm ci --no-audit --no-fund --loglevel=error
	@touch $@

install-tools: node_modules/.package-lock.json

check: install-tools ## Types, lint, format, import direction, generated files, unused code
	tsc -p .
	oxlint --type-aware --deny-warnings
	oxfmt --check .
	node tools/check-imports.ts
	node src/api/generate.ts --check
	node src/cli/generate-docs.ts --check
	knip

format: install-tools ## Format the sources
	oxfmt .

generate: install-tools ## Write CRDs, JSON Schemas and the reference pages anew
	node src/api/generate.ts
	node src/cli/generate-docs.ts

build: install-tools ## The bundle in dist/
	node tools/build.ts

test: install-tools ## Every suite; ends with "N passed, N failed". K8S=1.34 for the oldest supported
	node tools/test.ts

unit: install-tools ## The fast suites alone, no cluster
	vitest run --project unit

# As many inputs as RUNS, or as MINUTES allow for each kind of them.
RUNS ?= 5000000
MINUTES ?= 5

fuzz: install-tools ## Reviews at random against the webhook; RUNS=inputs MINUTES=at most
	RUNS=$(RUNS) MINUTES=$(MINUTES) vitest run --project unit src/admission/fuzz.test.ts

demo: install-tools ## From git to a pod, step by step, on a real cluster of its own
	node test/demo/demo.ts

cluster-up: install-tools ## A cluster at .cluster/kubeconfig; NODES=0|1|2
	node test/cluster/main.ts up --nodes $(NODES)

cluster-down: install-tools ## Ends that cluster and all that belongs to it
	node test/cluster/main.ts down

operator: build ## The operator as a local process against .cluster/kubeconfig
	.cluster/bin/kubectl --kubeconfig .cluster/kubeconfig apply --server-side -f crds/
	.cluster/bin/kubectl --kubeconfig .cluster/kubeconfig create namespace strongroom-system \
	  --dry-run=client -o yaml | .cluster/bin/kubectl --kubeconfig .cluster/kubeconfig apply -f -
	node dist/strongroom.js operator --kubeconfig .cluster/kubeconfig --namespace strongroom-system

image: install-tools ## The image as an OCI archive, dist/strongroom-image.tar
	node tools/image.ts $(IMAGE)

install: install-tools ## The image built, loaded into .cluster, and the chart installed from it
	node test/demo/install.ts

bench: install-tools ## Benchmarks; ONLY=name for one
	node bench/run.ts $(ONLY)
