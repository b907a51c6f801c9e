#!/usr/bin/env python3
"""Loads a package in whatever PyTorch this is and compares it with recorded outputs.

    load.py PACKAGE.pt2 IO.safetensors

For versions that cannot load the archive itself. Needs torch and safetensors.
"""
import sys

import torch
from safetensors import safe_open

with safe_open(sys.argv[2], "pt") as file:
    tensors = {name: file.get_tensor(name) for name in file.keys()}
number = lambda name: int(name.rsplit("_", 1)[1])
inputs = sorted((it for it in tensors if it.startswith("input_")), key=number)
package = torch._inductor.aoti_load_package(sys.argv[1])
given = torch.utils._pytree.tree_leaves(package(*[tensors[it] for it in inputs]))
wanted = {number(it): tensors[it] for it in tensors if it.startswith("output_")}
assert wanted and max(wanted) < len(given), (sorted(wanted), len(given))
for k, want in wanted.items():
    torch.testing.assert_close(given[k], want, rtol=1e-4, atol=1e-4)
print(f"{sys.argv[1].rsplit('/', 1)[-1]}: loads and agrees in torch {torch.__version__}")
