#!/usr/bin/env bash
# Runs under the address and undefined-behaviour sanitizers: cases of control flow and of sizes that
# only the data knows, and archives.
#
#     sanitize.sh [NAME ...] [ARCHIVE.pt2 ...]      all cases without names
#
# Beside each archive lies NAME.io.safetensors. TINTYPE names a binary to use instead of building one.
set -euo pipefail
cd "$(dirname "$0")/../../.."

if [ -z "${TINTYPE:-}" ]; then
  cargo build --quiet --release --package tintype --bin tintype
  TINTYPE="$(bash tests/target.sh)/release/tintype"
fi
python="$(bash tests/torch/setup.sh | tail -n 1)/bin/python"
out="$(mktemp -d)"
trap 'rm -rf "$out"' EXIT

cases=()
failed=0
asked=$#
library() { "${CXX:-g++}" "-print-file-name=lib$1.so"; }
for it in "$@"; do
  case "$it" in *.pt2) ;; *) cases+=("$it"); continue ;; esac
  "$TINTYPE" compile --quiet --emit so --sanitize address,undefined "$it" -o "$out/model.so"
  if LD_PRELOAD="$(library asan):$(library ubsan)" ASAN_OPTIONS=detect_leaks=0 \
    "$TINTYPE" run --quiet "$out/model.so" --inputs "${it%.pt2}.io.safetensors" --check; then
    echo "ok: $it"
  else
    echo "FAILED: $it"
    failed=1
  fi
done
if [ "$asked" -eq 0 ] || [ ${#cases[@]} -ne 0 ]; then
  "$python" tests/torch/control/run.py export "$out" ${cases[@]+"${cases[@]}"} | grep -v '^ok' || true
  "$python" tests/torch/control/run.py sanitize "$out" "$TINTYPE" ${cases[@]+"${cases[@]}"} || failed=1
fi
exit "$failed"
