#!/usr/bin/env bash
# The kernels that models link against, against plain loops: with registers of 16 bytes, and with this
# machine's under the address and undefined-behaviour sanitizers.
set -euo pipefail
cd "$(dirname "$0")/../../crates/emit/cxx/kernels"

out="$(mktemp -d)"
trap 'rm -rf "$out"' EXIT
cxx=("${CXX:-c++}" -std=c++17 -march=native -ffp-contract=off -fopenmp)
sources=(tests/kernels_test.cpp gemm.cpp conv.cpp attention.cpp)
"${cxx[@]}" -O2 -DTT_VEC_BYTES=16 "${sources[@]}" -o "$out/narrow"
"${cxx[@]}" -O1 -g1 -fsanitize=address,undefined -fno-sanitize-recover=undefined "${sources[@]}" -o "$out/watched"
# More threads than processors, so their results are what is tested, not how they wait.
OMP_WAIT_POLICY=passive "$out/narrow"
OMP_WAIT_POLICY=passive "$out/watched"
