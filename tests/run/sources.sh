#!/usr/bin/env bash
# `--emit cpp` gives a folder that builds by itself, and the library runs.
set -euo pipefail
cd "$(dirname "$0")/../.."

# CMake from the system, or else from Python's registry, in an environment of its own.
cmake="$(command -v cmake || true)"
if [ -z "$cmake" ]; then
  folder="${XDG_CACHE_HOME:-$HOME/.cache}/tintype/cmake"
  if [ ! -x "$folder/bin/cmake" ]; then
    python3 -m venv "$folder"
    "$folder/bin/python" -m pip install --quiet cmake
  fi
  cmake="$folder/bin/cmake"
fi
cargo build --quiet --release --package tintype
target="$(bash tests/target.sh)"
tintype="$target/release/tintype"
out="$(mktemp -d)"
trap 'rm -rf "$out"' EXIT

"$tintype" compile --quiet tests/models/mlp.pt2 --emit cpp -o "$out/mlp-cpp"
"$cmake" -S "$out/mlp-cpp" -B "$out/build" > "$out/log" 2>&1 || { cat "$out/log"; exit 1; }
"$cmake" --build "$out/build" --parallel 2 > "$out/log" 2>&1 || { cat "$out/log"; exit 1; }
"$tintype" run "$out/build/libmlp.so" --inputs tests/models/mlp.io.safetensors --check
echo "the sources build by themselves"
