# The commands people run. CI runs .ci/run, which is `make ci`.

.PHONY: build package test race oracle lint fuzz bench update ci clean

build: ## the static binary, ./mqttriage
	CGO_ENABLED=0 go build -trimpath -o mqttriage ./cmd/mqttriage

package: ## Debian packages for amd64, arm64 and armhf, in dist; VERSION=1.2.3 ARCHES=armel make package
	packaging/build.sh

test: ## all tests that need only Go
	go test ./...

live: ## those of live capture, as root: in network namespaces, with real brokers and clients
	go test -tags live ./capture/live ./cmd/mqttriage/confine ./slice ./e2e

race: ## the same under the race detector
	go test -race ./...

oracle: ## and those that compare with an installed tshark
	go test -tags oracle ./...

lint:
	gofmt -l .
	go vet ./...
	go run honnef.co/go/tools/cmd/staticcheck@v0.8.2 ./...

fuzz: ## FUZZ=FuzzPcap PKG=./capture/pcapfile make fuzz
	go test -run '^$$' -fuzz '^$(FUZZ)$$' -fuzztime $(or $(TIME),60s) -fuzzminimizetime 1s $(PKG)

bench: ## time the program beside tcpdump and tshark; ARGS='-only storm -tshark'
	go run ./bench $(ARGS)

update: ## rewrite golden files and case expectations; read the diff
	go test . ./report ./cmd/mqttriage -update

ci:
	bash .ci/run

clean:
	rm -f mqttriage
