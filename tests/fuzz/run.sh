#!/bin/bash
# Fuzzes every parser, and schedules, for so many seconds each (60), one after another:
#   tests/fuzz/run.sh [SECONDS] [TARGET …]        run.sh 600 csv npy
# Builds with clang in .build/fuzz, or in $SWALE_FUZZ_BUILD. What is new in the corpus stays in the
# build folder; an input that crashes is kept there as crash-* and named, and the exit code is 1.
# With SWALE_FUZZ_KEEP=1 inputs that reach more code are minimised and join the committed corpus.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
source=$(cd "$here/../.." && pwd)
build=${SWALE_FUZZ_BUILD:-$source/.build/fuzz}
seconds=${1:-60}
shift || true
targets=("$@")
if [ ${#targets[@]} = 0 ]; then
  for file in "$here"/fuzz_*.c; do
    name=$(basename "$file" .c)
    targets+=("${name#fuzz_}")
  done
fi

build() {
  mkdir -p "$build"
  cmake -S "$source" -B "$build" -G Ninja -DCMAKE_C_COMPILER=clang -DCMAKE_BUILD_TYPE=Debug \
    -DCMAKE_C_FLAGS_DEBUG="-O1 -g" -DSWALE_FUZZ=ON &&
    cmake --build "$build" -- "${targets[@]/#/fuzz_}"
}
log=$(build 2>&1) || { echo "$log"; exit 1; }

export ASAN_OPTIONS=allocator_may_return_null=1 UBSAN_OPTIONS=print_stacktrace=1
failed=0
for target in "${targets[@]}"; do
  work=$build/corpus/$target
  mkdir -p "$work"
  options=()
  [ ! -f "$here/$target.dict" ] || options=("-dict=$here/$target.dict")
  echo "== $target"
  if ! nice -n 19 "$build/tests/fuzz/fuzz_$target" -max_total_time="$seconds" -max_len=4096 \
      -timeout=10 -rss_limit_mb=2048 -malloc_limit_mb=512 -print_final_stats=1 -verbosity=0 \
      -artifact_prefix="$build/$target-" "${options[@]}" "$work" "$here/corpus/$target" \
      2>"$build/$target.log"; then
    failed=1
    tail -40 "$build/$target.log"
    grep -h 'Test unit written to' "$build/$target.log" || true
  fi
  grep -E 'number_of_executed_units|new_units_added|peak_rss' "$build/$target.log" || true
  if [ -n "${SWALE_FUZZ_KEEP:-}" ]; then
    rm -rf "$build/small"
    mkdir -p "$build/small"
    "$build/tests/fuzz/fuzz_$target" -set_cover_merge=1 -use_counters=0 -max_len=200 -verbosity=0 \
      "$build/small" "$here/corpus/$target" "$work" 2>/dev/null
    for file in "$build/small"/*; do
      name=$(basename "$file")
      cp "$file" "$here/corpus/$target/${name:0:12}"
    done
  fi
done
exit $failed
