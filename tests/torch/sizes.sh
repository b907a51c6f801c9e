#!/usr/bin/env bash
# Dynamic sizes against real PyTorch: each archive is compiled once and compared with eager at ten
# sizes, through PyTorch's loader and without it.
#
#     sizes.sh [ARCHIVE.pt2 ...]       the models of sizes.py without archives
#
# LARGEST bounds sizes that have no bound of their own, or too large a one (128). TINTYPE names a
# binary to use instead of building one.
set -euo pipefail
cd "$(dirname "$0")/../.."

if [ -z "${TINTYPE:-}" ]; then
  cargo build --quiet --release --package tintype --bin tintype
  target="$(bash tests/target.sh)"
  TINTYPE="$target/release/tintype"
fi
python="$(bash tests/torch/setup.sh | tail -n 1)/bin/python"
out="$(mktemp -d)"
trap 'rm -rf "$out"' EXIT

passed=0
failed=0
step() {
  if "$@"; then passed=$((passed + 1)); else failed=$((failed + 1)); echo "FAILED: $*"; fi
}

# The compiler's refusal of an archive, which must show the Python line.
refuses() {
  if "$TINTYPE" compile --quiet "$1" -o "$out/refused.pt2" 2>"$out/said"; then
    echo "$1 compiles"
    return 1
  fi
  grep --quiet "refused here" "$out/said" || { cat "$out/said"; return 1; }
}

# Eager's answers at each size, without PyTorch.
runs() {
  local package="$1" io bad=0 count=0
  for io in "$package".sizes/*.io.safetensors; do
    count=$((count + 1))
    "$TINTYPE" run --quiet "$package" --inputs "$io" --check >"$out/said" 2>&1 ||
      { bad=$((bad + 1)); echo "$io:"; cat "$out/said"; }
  done
  echo "$(basename "$package"): $((count - bad)) of $count sizes agree without PyTorch"
  [ "$bad" -eq 0 ]
}

if [ $# -eq 0 ]; then
  "$python" tests/torch/sizes.py "$out/archives" >/dev/null 2>&1
  "$python" tests/torch/export.py "$out/archives" mlp residual >/dev/null 2>&1
  set -- "$out"/archives/*.pt2
fi
for archive in "$@"; do
  name="$(basename "$archive" .pt2)"
  case "$name" in undecided*) step refuses "$archive"; continue ;; esac
  package="$out/$name.pt2"
  step "$TINTYPE" compile --quiet "$archive" -o "$package"
  [ -e "$package" ] || continue
  step "$python" tests/torch/compare.py "$archive" "$package" --sizes 9 \
    --largest "${LARGEST:-128}" --save "$package.sizes"
  step runs "$package"
  rm -rf "$package" "$package.sizes"
done

echo "sizes: $passed passed, $failed failed"
[ "$failed" -eq 0 ]
