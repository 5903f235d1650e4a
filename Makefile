# Suanpan: two commands are enough on a machine with Go: `make run` and `make test`.

GO          ?= go
DATA        ?= ./data
HTTP        ?= 127.0.0.1:8080
KAFKA       ?= 127.0.0.1:9092
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
# Packages whose goroutines share memory; the others are pure or single-threaded.
RACE        := ./actors/... ./channels/... ./cluster/... ./ingress/... ./journal/... ./ledger/... ./streams/...
FUZZTIME    ?= 5s

.PHONY: run build test race lint fuzz bench bench-journal bench-ledger tools clean

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

fuzz: ## Every fuzz target for FUZZTIME (default 5s).
	@for pkg in $$($(GO) list ./...); do \
	  for f in $$($(GO) test -list '^Fuzz' $$pkg | grep '^Fuzz'); do \
	    echo "$$pkg $$f"; $(GO) test -run '^$$' -fuzz "^$$f$$" -fuzztime $(FUZZTIME) $$pkg || exit 1; \
	  done; \
	done

bench: build ## Throughput and latency against a do-nothing handler; figures in bench/latest.json.
	$(GO) run ./bench $(BENCHFLAGS)

bench-journal: ## The journal against Pebble and the disk, and with ten million records: three minutes, 7 GB of disk.
	$(GO) test -run '^$$' -bench 'Writers|History' -benchtime 1x -cpu 4 -v -timeout 30m ./journal/embedded
	$(GO) test -run '^$$' -bench Append -benchtime 2s -cpu 4 ./journal/embedded

bench-ledger: ## The ledgers by themselves: ten million accounts, ten minutes, 4 GB of memory.
	$(GO) test -run '^$$' -bench 'Floor|Transfers|Chains|Account$$$$' -benchtime 5000000x -timeout 30m ./ledger/embedded
	$(GO) test -run '^$$' -bench 'Memory|Snapshot' -benchtime 1x -timeout 30m ./ledger/embedded
	$(GO) test -run '^$$' -bench . ./ledger/tigerbeetle

tools: ## What the tests need besides Go: kcat, from the system's packages.
	@command -v kcat >/dev/null || \
	  { echo "installing kcat"; apt-get install -y kcat >/dev/null 2>&1 || { apt-get update >/dev/null && apt-get install -y kcat >/dev/null; }; } || \
	  { echo "kcat is missing: install it from your system's packages (Debian: sudo apt-get install kcat)"; exit 1; }

clean:
	rm -rf bin
