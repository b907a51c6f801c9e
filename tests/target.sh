#!/usr/bin/env bash
# The folder that Cargo builds in, which an environment variable or a configuration may move.
set -euo pipefail
cargo metadata --no-deps --format-version=1 --offline |
  sed -n 's/.*"target_directory":"\([^"]*\)".*/\1/p'
