#!/usr/bin/env bash
# Runs keep their memory in arenas: one for each run that goes on at once, used again by later runs,
# shared by branches and by turns of a loop, and on large pages where it is large.
set -euo pipefail
cd "$(dirname "$0")/../.."

cargo build --quiet --release --package tintype --package runtime
target="$(bash tests/target.sh)"
out="$(mktemp -d)"
trap 'rm -rf "$out"' EXIT
"${CC:-cc}" -std=c99 -Wall -Wextra -Werror -O1 -rdynamic -I crates/runtime/include \
  tests/run/arenas.c "$target/release/libtintype_runtime.a" -lpthread -ldl -lm -o "$out/arenas"

failed=0
# What a run holds, in tensors of 8 MiB.
check() {
  echo "-- $1"
  "$target/release/tintype" compile --quiet "tests/run/$1.ir" --emit so -o "$out/$1.so"
  "$out/arenas" "$out/$1.so" 131072 "$2" || failed=1
}
check two_products 1
# Of two branches one is there at a time.
check branches 1
# What a loop carries lies in an output and beside it; all turns work in the same memory.
check turns 2
exit "$failed"
