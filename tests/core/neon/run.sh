#!/bin/bash
# The tests of kernels, products and convolutions on an emulated aarch64: NEON and scalar against
# plain arithmetic.
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
folder=${1:-$(mktemp -d)}/neon
mkdir -p "$folder"
flags="-std=c11 -D_GNU_SOURCE -O2 -ffp-contract=off -DSWI_HAVE_NEON=1"
flags="$flags -DSHIFT_STEP=3 -DFLOATS_APART=50021 -I core -I tests/core/neon"

# Runs a command line for each line of the input, as many at a time as there are cores.
for_each() { xargs -P "$(nproc)" -I{} bash -c "$1"; }
export cc flags folder

core=$(ls core/base/*.c core/kernels/*.c | grep -v -e avx -e blas -e lapack)
for source in $core tests/core/neon/no_blas.c; do echo $source; done |
  for_each '$cc $flags -c {} -o $folder/$(basename {} .c).o'
ar rcs "$folder/core.a" $(for source in $core no_blas.c; do
  echo "$folder/$(basename $source .c).o"
done)

for test in kernels row_kernels update_kernels products norm_kernels update inner gemm conv \
  conv_few conv_weight; do echo $test; done |
  for_each '$cc $flags tests/core/test_{}.c $folder/core.a -lm -lpthread -o $folder/{}'

# A program, and which of its tests: the large shapes would take minutes.
for_each 'qemu-aarch64 -L /usr/aarch64-linux-gnu $folder/{}' <<END
conv every
row_kernels
conv_few
conv_weight
gemm small
gemm nan
gemm without
conv each_image
conv many
conv no_images
update_kernels
products
kernels
norm_kernels
update
inner
END
