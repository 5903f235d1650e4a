# Suanpan: two commands are enough on a machine with Go: `make run` and `make test`.

GO          ?= go
DATA        ?= ./data
HTTP        ?= 127.0.0.1:8080
KAFKA       ?= 127.0.0.1:9092
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
BENCHSTAT   := golang.org/x/perf/cmd/benchstat@v0.0.0-20260908200009-22c9c6c9d4da
# Packages whose goroutines share memory; the others are pure or single-threaded.
RACE        := ./actors/... ./channels/... ./cluster/... ./ingress/... ./internal/... ./journal/... ./ledger/... ./streams/...
FUZZTIME    ?= 5s
# How many fuzz targets run at once: one for each of two processors.
FUZZERS     ?= 2

.PHONY: run build test race lint fuzz bench bench-day bench-journal bench-ledger tools scenarios font clean

run: build ## Start the bank on loopback, data in ./data.
	./bin/suanpan serve --data $(DATA) --http $(HTTP) --kafka $(KAFKA)

build: ## Build bin/suanpan.
	$(GO) build -o bin/suanpan ./cmd/suanpan

test: tools ## All tests; real servers and processes on free loopback ports.
	$(GO) test -timeout 20m ./...

race: ## The concurrent packages under the race detector.
	$(GO) test -race -short -timeout 20m $(RACE)

lint: ## Formatting, vet, staticcheck, tidy module.
	@out=$$(gofmt -l .); if [ -n "$$out" ]; then echo "not formatted (run gofmt -w):"; echo "$$out"; exit 1; fi
	$(GO) vet ./...
	$(GO) run $(STATICCHECK) ./...
	$(GO) mod tidy -diff

# Inputs that are only interesting are not minimized: at 60 s each that took most of the time. A target that
# was cut off at the end of its time by nothing but that end has found nothing.
fuzz: ## Every fuzz target for FUZZTIME (default 5s), FUZZERS of them at a time with one worker each.
	@set -e; targets=$$(for pkg in $$($(GO) list ./...); do \
	  list=$$($(GO) test -list '^Fuzz' $$pkg) || { echo "$$list" >&2; exit 1; }; \
	  echo "$$list" | sed -n "s|^Fuzz.*|$$pkg &|p"; \
	done); \
	echo "$$targets" | xargs -P $(FUZZERS) -L 1 sh -c '\
	  if out=$$($(GO) test -run "^$$" -fuzz "^$$1\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 0s -parallel 1 $$0 2>&1); \
	  then echo "ok $$0 $$1"; exit 0; fi; \
	  case "$$out" in \
	  *"Failing input"*|*panic*) ;; \
	  *"--- FAIL: $$1 "*"context deadline exceeded"*) echo "ok $$0 $$1 (stopped by its time)"; exit 0 ;; \
	  esac; \
	  echo "FAILED $$0 $$1"; echo "$$out"; exit 255'

bench: build ## Throughput and latency against a do-nothing handler; figures in bench/latest.json, compared with the last run's.
	@if [ -f bench/latest.txt ]; then cp bench/latest.txt bench/previous.txt; fi
	$(GO) run ./bench $(BENCHFLAGS)
	@if [ -f bench/previous.txt ]; then $(GO) run $(BENCHSTAT) bench/previous.txt bench/latest.txt; fi

bench-day: ## End and beginning of a day of 100,000 customers while 5,000 transfers a second go on: some minutes.
	$(GO) test -run '^$$$$' -bench EndOfDay -benchtime 1x -timeout 60m ./cmd/suanpan

bench-journal: ## The journal against Pebble and the disk, and with ten million records: ten minutes, 7 GB of disk.
	$(GO) test -run '^$$' -bench Writers -benchtime 1x -cpu 4 -timeout 30m ./journal/embedded
	$(GO) test -run '^$$' -bench History -benchtime 1x -cpu 4 -v -timeout 30m ./journal/embedded
	$(GO) test -run '^$$' -bench Append -benchtime 2s -cpu 4 ./journal/embedded

bench-ledger: ## The ledgers by themselves: ten million accounts, ten minutes, 4 GB of memory.
	$(GO) test -run '^$$' -bench 'Floor|Transfers|Chains|Account$$$$' -benchtime 5000000x -timeout 30m ./ledger/embedded
	$(GO) test -run '^$$' -bench 'Memory|Snapshot' -benchtime 1x -timeout 30m ./ledger/embedded
	$(GO) test -run '^$$' -bench . ./ledger/tigerbeetle

tools: ## What the tests need besides Go: kcat and pdftotext, from the system's packages.
	@for need in kcat:kcat pdftotext:poppler-utils; do \
	  tool=$${need%%:*}; package=$${need##*:}; \
	  command -v $$tool >/dev/null && continue; \
	  echo "installing $$package"; \
	  apt-get install -y $$package >/dev/null 2>&1 || { apt-get update >/dev/null && apt-get install -y $$package >/dev/null; } || \
	  { echo "$$tool is missing: install it from your system's packages (Debian: sudo apt-get install $$package)"; exit 1; }; \
	done

scenarios: ## The answers in docs/scenarios anew, from a running bank.
	$(GO) test ./docs/scenarios -count 1 -rewrite

font: ## The font of printed papers again, from the system's package (Debian: fonts-wqy-microhei, fonttools).
	pyftsubset /usr/share/fonts/truetype/wqy/wqy-microhei.ttc --font-number=0 --no-hinting --layout-features= --name-IDs='*' \
	  --notdef-outline --unicodes="$$(cat papers/font/subset.txt)" --output-file=papers/font/WenQuanYiMicroHei-subset.ttf

clean:
	rm -rf bin
