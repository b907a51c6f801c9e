#!/usr/bin/env bash
# Makes the virtual environment that tests against real PyTorch run in, if there is none, and
# prints its folder on the last line of standard output. Everything else goes to standard error.
#
#     setup.sh [VERSION]
#
# Needs python3 with venv and pip. The download of PyTorch is large, once.
set -euo pipefail

version="${1:-2.15.0}"
folder="${XDG_CACHE_HOME:-$HOME/.cache}/tintype/torch-$version"

works() {
  [ -x "$folder/bin/python" ] && "$folder/bin/python" - "$version" <<'PYTHON' >&2
import sys
try:
    import expecttest, numpy, pytest, safetensors, torch
except ImportError as error:
    sys.exit(f"the environment is not complete: {error}")
sys.exit(torch.__version__.split("+")[0] != sys.argv[1])
PYTHON
}

if ! works; then
  echo "making $folder with torch $version" >&2
  rm -rf "$folder"
  mkdir -p "$(dirname "$folder")"
  python3 -m venv "$folder" >&2
  "$folder/bin/python" -m pip install --quiet \
    "torch==$version" 'numpy>=1.26' 'safetensors>=0.4' 'setuptools' 'expecttest' 'pytest' >&2
  works
fi
echo "$folder"
