#!/bin/bash
# Runs the kernels' tests under valgrind, which knows AVX2 but not AVX-512.
#   tests/lint/valgrind.sh BUILD    a build folder, as .build/release
set -eu
export WITHOUT_FLUSH=1
build=${1:?usage: tests/lint/valgrind.sh BUILD}
command -v valgrind >/dev/null || { echo "no valgrind (Debian: apt install valgrind)"; exit 1; }
for test in test_products test_kernels test_row_kernels test_update_kernels; do
  valgrind --quiet --error-exitcode=1 --leak-check=full "$build/tests/$test"
done
