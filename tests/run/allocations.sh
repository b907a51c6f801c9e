#!/usr/bin/env bash
# A model in its steady state allocates nothing: with many times the runs, neither it nor the OpenMP
# runtime under it has allocated more often. Outputs belong to the caller, who makes them.
#
# allocations.sh [MODEL…]: archives, with NAME.io.safetensors or NAME.0.io.safetensors beside them
# where they have inputs that cannot be made up; those of tests/models without any. TINTYPE names the
# program to test.
set -euo pipefail
cd "$(dirname "$0")/../.."

tintype="${TINTYPE:-}"
if [ -z "$tintype" ]; then
  cargo build --quiet --release -p tintype --bin tintype
  tintype="${CARGO_TARGET_DIR:-target}/release/tintype"
fi
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
"${CC:-cc}" -O1 -shared -fPIC -o "$folder/count.so" tests/run/allocations.c -ldl

if [ $# -eq 0 ]; then
  set -- tests/models/*.pt2
fi

# Prints the allocations and the runs of so many seconds.
measure() {
  local inputs=() file
  for file in "${2%.pt2}".io.safetensors "${2%.pt2}".0.io.safetensors; do
    if [ -e "$file" ]; then
      inputs=(--inputs "$file")
    fi
  done
  ALLOCATIONS_REPORT="$folder/report" LD_PRELOAD="$folder/count.so" \
    "$tintype" bench --json "$folder/model.pt2" "${inputs[@]}" --threads 2 --seconds "$1" \
    > "$folder/bench.json"
  local runs
  runs="$(sed -n 's/.*"calls": *\([0-9]*\).*/\1/p' "$folder/bench.json")"
  echo "$(cut -d' ' -f1 "$folder/report") $runs"
}

failed=0
for model in "$@"; do
  "$tintype" --quiet compile "$model" -o "$folder/model.pt2"
  read -r few_allocations few_runs <<< "$(measure 0.05 "$model")"
  # A slow model, or a loaded machine, takes longer to show anything.
  for seconds in 3 30 120; do
    read -r many_allocations many_runs <<< "$(measure "$seconds" "$model")"
    if [ "$many_runs" -gt "$few_runs" ]; then
      break
    fi
  done
  echo "$(basename "$model"): $few_allocations allocations in $few_runs runs," \
    "$many_allocations in $many_runs"
  if [ "$many_runs" -le "$few_runs" ]; then
    echo "more time gave no more runs: nothing is shown"
    failed=1
  fi
  if [ "$few_allocations" -ne "$many_allocations" ]; then
    echo "allocations grow with runs; the last one was by $(cut -d' ' -f2- "$folder/report")"
    failed=1
  fi
done
exit "$failed"
