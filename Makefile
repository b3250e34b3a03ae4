# make demo    see the whole job, on an embedded set-up
# make test    everything that must pass; ends with one line of totals
# make bench   measure
# make fuzz    look for mails that break something, a minute for each target (FUZZ_SECONDS=600: ten)
# make clean   remove what was built
CARGO_TARGET_DIR ?= target
export CARGO_TARGET_DIR

.PHONY: help demo build test bench fuzz clean

help:
	@sed -n 's/^# make/make/p' Makefile

demo:
	@.ci/tools build
	cargo build --locked --release
	"$(CARGO_TARGET_DIR)/release/embargod" demo

build:
	@.ci/tools build
	cargo build --locked --release

test:
	@.ci/tools build test
	@.ci/test

bench:
	@.ci/tools build bench
	cargo bench --locked

FUZZ_SECONDS ?= 60
fuzz:
	@.ci/tools build
	@.ci/fuzz $(FUZZ_SECONDS)

clean:
	cargo clean
