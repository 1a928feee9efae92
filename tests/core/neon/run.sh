#!/bin/bash
# The tests of kernels on an emulated aarch64: NEON and scalar against plain arithmetic.
#   tests/core/neon/run.sh [FOLDER]    where to put the programs
# Ends with 77 where the cross compiler or the emulator is missing.
set -eu
cd "$(dirname "$0")/../../.."
cc=aarch64-linux-gnu-gcc
for tool in $cc qemu-aarch64; do
  command -v $tool >/dev/null && continue
  echo "skipped: no $tool (./swale setup long installs it where there is a package)"
  exit 77
done
folder=${1:-$(mktemp -d)}
mkdir -p "$folder"
flags="-std=c11 -D_GNU_SOURCE -O2 -ffp-contract=off -DSWI_HAVE_NEON=1"
flags="$flags -DSHIFT_STEP=3 -DFLOATS_APART=50021"
for test in kernels row_kernels update_kernels products norm_kernels update inner; do
  $cc $flags -static -I core -I tests/core/neon \
    tests/core/test_$test.c tests/core/neon/available.c \
    core/kernels/kernels_neon.c core/kernels/kernels_neon_f64.c \
    core/kernels/kernels_scalar.c core/kernels/kernels_scalar_f64.c \
    core/kernels/cpu.c core/kernels/inner.c core/base/random.c -lm -o "$folder/neon_$test"
  qemu-aarch64 "$folder/neon_$test"
done
