#!/usr/bin/env bash
# Eight threads run a model at once and get what one alone gets: a model without state shared by all,
# a model with state once for each. First as it is, then with the thread sanitizer, for which runs
# compute with one thread each, since it does not see the order that OpenMP keeps.
#
# threads.sh [RUNS [SANITIZED_RUNS]]
set -euo pipefail
cd "$(dirname "$0")/../.."

runs="${1:-10000}"
sanitized="${2:-10000}"
cargo build --quiet --release --package tintype --package runtime
target="$(bash tests/target.sh)"
out="$(mktemp -d)"
trap 'rm -rf "$out"' EXIT
cc=("${CC:-cc}" -std=c99 -Wall -Wextra -Werror -O1 -g1 -I crates/runtime/include)
rest=(tests/run/threads.c "$target/release/libtintype_runtime.a" -lpthread -ldl -lm)
"${cc[@]}" "${rest[@]}" -o "$out/threads"
"${cc[@]}" -fsanitize=thread "${rest[@]}" -o "$out/threads_watched"

failed=0
check() {
  if "$@"; then echo "ok: ${*##*/}"; else echo "FAILED: $*"; failed=1; fi
}
for model in mlp tiny_2.15; do
  how=own
  [ "$model" = mlp ] && how=shared
  "$target/release/tintype" compile --quiet "tests/models/$model.pt2" --emit so -o "$out/$model.so"
  "$target/release/tintype" compile --quiet "tests/models/$model.pt2" --emit so \
    --sanitize thread -o "$out/$model.watched.so"
  check "$out/threads" "$out/$model.so" "$how" "$runs"
  OMP_NUM_THREADS=1 check "$out/threads_watched" "$out/$model.watched.so" "$how" "$sanitized"
done
exit "$failed"
