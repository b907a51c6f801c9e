#!/usr/bin/env bash
# A C program runs a package without PyTorch and without the compiler.
set -euo pipefail
cd "$(dirname "$0")/../.."

cargo build --quiet --release --package tintype --package runtime
target="$(bash tests/target.sh)"
out="$(mktemp -d)"
trap 'rm -rf "$out"' EXIT

"$target/release/tintype" compile --quiet tests/models/mlp.pt2 -o "$out/mlp.pt2"
"${CC:-cc}" -std=c99 -Wall -Wextra -Werror -O1 -I crates/runtime/include \
  crates/runtime/examples/run_model.c "$target/release/libtintype_runtime.a" \
  -lpthread -ldl -lm -o "$out/run_model"
"$out/run_model" "$out/mlp.pt2" 3
