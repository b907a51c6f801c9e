#!/usr/bin/env bash
# Checks against real PyTorch: exports models, compiles them, loads the packages with PyTorch's
# own loader and compares with eager; then runs them without PyTorch.
#
#     run.sh [MODEL ...]          all models of export.py, without names
#
# An older PyTorch loads the packages too, if an environment for one is there already
# (tests/torch/setup.sh 2.9.0 makes one) or TINTYPE_OLD_TORCH names a version.
set -euo pipefail
cd "$(dirname "$0")/../.."

cargo build --quiet --release --package tintype --bin tintype
cargo build --quiet --release --package runtime --example stub_packages
target="$(bash tests/target.sh)"
tintype="$target/release/tintype"
torch="$(bash tests/torch/setup.sh | tail -n 1)"
out="$(mktemp -d)"
trap 'rm -rf "$out"' EXIT

passed=0
failed=0
step() {
  if "$@"; then passed=$((passed + 1)); else failed=$((failed + 1)); echo "FAILED: $*"; fi
}

"$torch/bin/python" tests/torch/export.py "$out" "$@"
cp tests/models/*.pt2 tests/models/*.io.safetensors "$out/"

old=""
if [ -n "${TINTYPE_OLD_TORCH:-}" ]; then
  old="$(bash tests/torch/setup.sh "$TINTYPE_OLD_TORCH" | tail -n 1)"
else
  for version in 2.9.0 2.8.0 2.12.0 2.11.0 2.10.0; do
    candidate="${XDG_CACHE_HOME:-$HOME/.cache}/tintype/torch-$version"
    if [ -x "$candidate/bin/python" ]; then old="$candidate"; break; fi
  done
fi

for archive in "$out"/*.pt2; do
  name="$(basename "$archive" .pt2)"
  package="$out/$name.package"
  mkdir -p "$package"
  step "$tintype" compile --quiet "$archive" -o "$package/$name.pt2"
  [ -e "$package/$name.pt2" ] || continue
  run=("$tintype" run --quiet "$package/$name.pt2" --inputs "$out/$name.io.safetensors" --check)
  case "$name" in
    # Computed in bfloat16 on the way to float32; and made by older versions of PyTorch, whose
    # archives the newest does not promise to load.
    tiny_*) step "${run[@]}" --rtol 0.03 --atol 0.03 ;;
    *)
      step "${run[@]}"
      step "$torch/bin/python" tests/torch/compare.py "$archive" "$package/$name.pt2"
      ;;
  esac
done

# Control flow, and sizes that only the data knows: a fixed part here, for time; without names after
# the folder (and the compiler) the script does all of its cases.
control=(
  cond_outer_sizes cond_shapes_differ cond_weights while_rotate while_int_result while_with_cond
  scan_many scan_reverse map_tree shared_layers shared_sizes generation
  item_float checked_bounds bool_index_rows unique_everything split_by_tensor data_in_branch
  stacked_turns autocast_layers state_back branch_by_masked_count empty_everywhere
)
step "$torch/bin/python" tests/torch/control/run.py export "$out/control" "${control[@]}"
step "$torch/bin/python" tests/torch/control/run.py check "$out/control" "$tintype" "${control[@]}"
# Evaluated after every pass: bodies with folded constants, no rows, no turns, and what must fail.
step "$torch/bin/python" tests/torch/control/run.py validate "$out/control" "$tintype" \
  cond_weights unique_everything checked_bounds stacked_turns empty_everywhere
# Tokens decoded with caches, each compared with eager.
step "$torch/bin/python" tests/torch/decode.py "$tintype" --alone 20

# Blocks of bodies, and of sizes that only the data knows, are kept for later runs.
for name in while_with_cond scan_many unique_everything checked_bounds; do
  step env TINTYPE="$tintype" bash tests/run/allocations.sh "$out/control/$name.pt2"
done

# Inputs that lie otherwise than the exported ones, and new weights for a loaded package.
step "$torch/bin/python" tests/torch/strides.py "$tintype"
step "$torch/bin/python" tests/torch/update.py "$tintype"

# Packages written by hand: aliases, writes, state, refusals.
mkdir "$out/stub"
"$target/release/examples/stub_packages" "$out/stub"
step "$torch/bin/python" tests/torch/check_stub.py "$out/stub"
if [ -n "$old" ]; then
  step "$old/bin/python" tests/torch/check_stub.py "$out/stub"
  step "$old/bin/python" tests/torch/load.py "$out/mlp.package/mlp.pt2" "$out/mlp.io.safetensors"
fi

echo "against PyTorch: $passed passed, $failed failed"
[ "$failed" -eq 0 ]
