# Each target sets up what it needs first; scripts/ has the steps, which can be run by themselves.

help: ## say what each target does
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' Makefile

run: ## set up, build, and start a demo cluster of three nodes with its page at http://localhost:8000/ui/
	@scripts/setup run
	@scripts/run

test: ## set up, then run every test: Rust, WebAssembly under Node and in a browser, the page, style
	@scripts/setup test
	@scripts/test

bench: ## measure the store, HTTP, a cluster, the simulator, the page: tables, and target/bench.json
	@scripts/setup bench
	@scripts/bench

soak: ## kill nodes 200 times, then simulate 20,000 brief and 20,000 long runs; SEEDS=1000 for fewer
	@scripts/setup run
	@scripts/soak $(SEEDS)

fuzz: ## throw hostile bytes at every decoder, a minute each; SECONDS=600 for longer
	@scripts/setup fuzz
	@scripts/fuzz $(SECONDS)

docker-test: ## build the image and prove it and compose.yaml, in an engine of its own where none answers
	@scripts/setup docker
	@scripts/docker-test

fmt: ## format the Rust code and the page's
	@scripts/setup run
	@cargo fmt --all
	@cd www && npm run --silent format

lint: ## check formatting and lints without running tests
	@scripts/setup test
	@scripts/test fmt clippy page-check

setup: ## install what building and testing need: compiler targets, tools, packages, a browser
	@scripts/setup test

site: ## build the playground as a static site in www/dist
	@scripts/setup run
	@scripts/build-www

.PHONY: help run test bench soak fuzz docker-test fmt lint setup site
