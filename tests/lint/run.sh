#!/bin/bash
# All linters over the whole tree; non-zero if any of them finds a fault.
#   tests/lint/run.sh [NAME…]    one or some of: format tidy cppcheck luacheck shell gcc clang tree
# The packages come by `./swale setup lint`.
set -u
cd "$(dirname "$0")/../.."
jobs=$(nproc)

c_files() { find core bindings tests -name '*.c' -o -name '*.h' | sort; }
lua_files() { find scripts experiments tests -name '*.lua' | sort; }

# A warning-free build by both compilers, of everything.
build_with() { # preset
  local log=.build/lint-$1.log
  { cmake --preset "$1" && cmake --build --preset "$1" -- -k 0; } >"$log" 2>&1 && return
  grep -E -A 4 'error|warning' "$log" | head -n 200
  return 1
}
lint_gcc() { build_with ci; }
lint_clang() { build_with ci-clang; }

# The kernels' bodies and vector primitives are tables, aligned by hand.
lint_format() {
  c_files | grep -Ev '/(body|vec)_[^/]*\.h$' |
    xargs -r clang-format --dry-run -Werror --ferror-limit=1
}

# By clang's own compile commands, one file at a time: the analyzer keeps state between files.
tidy() { xargs -r -P "$jobs" -n 1 clang-tidy --quiet -p .build/ci-clang "$@" 2>/dev/null; }
lint_tidy() {
  cmake --preset ci-clang >/dev/null || return 1
  echo core/base/context.c | tidy &&
    find core bindings -name '*.c' ! -name context.c | sort |
    tidy --extra-arg=-include --extra-arg="$PWD/tests/lint/analyzer.h"
}

lint_cppcheck() {
  cppcheck --enable=warning,portability,performance --inline-suppr --error-exitcode=1 --quiet \
    -j "$jobs" --std=c11 --language=c -I core -I bindings -D_GNU_SOURCE -D__GNUC__=12 -UNDEBUG \
    -DSWALE_VERSION='""' -DSWALE_BUILD_TYPE='""' --library=posix --library=lua \
    --suppressions-list=tests/lint/cppcheck.txt core bindings
}

lint_luacheck() { lua_files | xargs -r luacheck --quiet --codes; }

lint_shell() {
  local file failed=0
  for file in swale scripts/bin/swale.sh.in; do sh -n "$file" || failed=1; done
  for file in .ci/run $(find tests -name '*.sh'); do bash -n "$file" || failed=1; done
  return $failed
}

lint_tree() { lua5.4 tests/lint/tree.lua; }

all=(tree format luacheck shell gcc clang cppcheck tidy)
mkdir -p .build
failed=()
for name in "${@:-${all[@]}}"; do
  start=$SECONDS
  if "lint_$name"; then result=clean; else result=FAILED failed+=("$name"); fi
  printf 'lint: %-9s %s (%d s)\n' "$name" "$result" $((SECONDS - start))
done
[ ${#failed[@]} = 0 ] || { echo "lint: not clean: ${failed[*]}"; exit 1; }
