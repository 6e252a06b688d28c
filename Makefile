# The one way in: what CI runs, a person can run. `make help` lists the targets.
# Each target installs the Debian packages it is missing (lab/deps.sh says which).

SHELL      := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

FIRMWARE ?= uefi
CONFIG   ?= slipway.yaml
PREFIX   ?= /usr/local
PACKAGES := .cache/packages

# The lab makes network namespaces and taps.
ROOT := $(shell [ "$$(id -u)" = 0 ] || echo sudo -E)

# The version is the commit and nothing of the clock or the machine: the same
# tree gives the same bytes.
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
GOBUILD := CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags "-s -w -buildid= -X main.version=$(VERSION)"

.PHONY: help
help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sort | awk -F ':.*## ' '{printf "  make %-9s %s\n", $$1, $$2}'
	@echo
	@echo '  FIRMWARE=bios|uefi|uefi-http   the machine of make lab (default uefi)'
	@echo '  SLIPWAY_LAB_TIME_FACTOR=2      stretches every time limit of the lab on slow machines'

.PHONY: lab
lab: build packages ## a machine PXE boots from the appliance, in a private network; Ctrl-] leaves
	@$(ROOT) bin/slipway-lab boot --firmware $(FIRMWARE) --packages $(PACKAGES)

.PHONY: build
build: ## bin/slipway, and bin/slipway-agent for linux/amd64, linux/arm64 and Windows
	@lab/deps.sh build
	@mkdir -p bin
	$(GOBUILD) -o bin/slipway ./appliance
	GOOS=linux GOARCH=amd64 $(GOBUILD) -o bin/slipway-agent ./agent
	GOOS=linux GOARCH=arm64 $(GOBUILD) -o bin/slipway-agent-arm64 ./agent
	GOOS=windows GOARCH=amd64 $(GOBUILD) -o bin/slipway-agent.exe ./agent
	GOOS=windows GOARCH=arm64 $(GOBUILD) -o bin/slipway-agent-arm64.exe ./agent
	$(GOBUILD) -o bin/slipway-lab ./lab/cmd/slipway-lab

.PHONY: packages
packages: build
	@lab/deps.sh lab
	bin/slipway image fetch --packages $(PACKAGES)

.PHONY: image
image: packages ## build the Linux boot image as the lab and the tests use it
	@$(ROOT) bin/slipway-lab prepare --packages $(PACKAGES)

.PHONY: lint
lint: ## gofmt, vet, staticcheck, generated files, shell syntax, vagrant validate
	@lab/test.sh lint

.PHONY: check
check: ## lint and every test that needs no virtual machine (minutes)
	@lab/test.sh check

.PHONY: test
test: ## check, short fuzzing, and every firmware path once in QEMU (under 40 minutes)
	@lab/test.sh test

.PHONY: soak
soak: ## the long matrix: random kills, long fuzzing, many boots (hours)
	@lab/test.sh soak

.PHONY: fuzz
fuzz: ## every fuzz target for FUZZTIME (default 30s) each
	@FUZZTIME=$${FUZZTIME:-30s} lab/test.sh fuzz

.PHONY: bench
bench: ## benchmarks
	@lab/deps.sh check
	go test -run '^$$' -bench . -benchmem ./...

.PHONY: bench-tftp
bench-tftp: build ## how fast files go out by TFTP, beside dnsmasq, tftpd-hpa and atftpd, in one run
	@lab/deps.sh bench
	@lab/bench-peers.sh .cache/bench tftpd-hpa atftpd
	@go build -o bin/slipway-bench ./lab/cmd/slipway-bench
	@$(ROOT) bin/slipway-bench tftp

.PHONY: bench-boot
bench-boot: packages ## seconds from power-on to the challenge, beside Debian's installer, in one run
	@lab/bench-peers.sh .cache/bench debian-installer
	@go build -o bin/slipway-bench ./lab/cmd/slipway-bench
	@$(ROOT) bin/slipway-bench boot --packages $(PACKAGES) $(if $(ROUNDS),--rounds $(ROUNDS))

.PHONY: bench-image
bench-image: ## how fast images come onto a disk and are captured, beside curl | zstd | dd and tar | zstd, in one run
	@lab/deps.sh bench
	@go test -tags bench -count=1 -run TestImageSpeed -v -timeout 30m ./agent/internal/content

.PHONY: run
run: build ## run the appliance on this machine's real interfaces (needs root)
	@if [ "$$(id -u)" != 0 ]; then echo 'make run: DHCP and TFTP are ports below 1024: run it as root' >&2; exit 1; fi
	@if [ ! -e $(CONFIG) ]; then echo 'data: ./data' > $(CONFIG); echo 'make run: wrote $(CONFIG)'; fi
	bin/slipway serve --config $(CONFIG)

.PHONY: install
install: ## put bin/slipway, its configuration and its systemd unit on this machine (needs root)
	@if [ "$$(id -u)" != 0 ]; then echo 'make install: writes to $(PREFIX) and /etc: run it as root' >&2; exit 1; fi
	@if [ ! -x bin/slipway ] || [ ! -x bin/slipway-agent ]; then echo 'make install: run make build first' >&2; exit 1; fi
	install -D -m 0755 bin/slipway $(PREFIX)/bin/slipway
	install -D -m 0755 bin/slipway-agent $(PREFIX)/bin/slipway-agent
	@for f in slipway-agent-arm64 slipway-agent.exe slipway-agent-arm64.exe; do [ ! -e bin/$$f ] || install -m 0755 bin/$$f $(PREFIX)/bin/$$f; done
	install -D -m 0644 lab/slipway.service /etc/systemd/system/slipway.service
	install -d -m 0700 /var/lib/slipway
	@if [ ! -e /etc/slipway/slipway.yaml ]; then install -D -m 0600 lab/slipway.yaml /etc/slipway/slipway.yaml; fi

.PHONY: deps
deps: ## install every Debian package that any target needs
	@lab/deps.sh build check lab ui

.PHONY: clean
clean: ## remove what the other targets made
	rm -rf bin .cache .lab
