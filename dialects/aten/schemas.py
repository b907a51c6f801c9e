#!/usr/bin/env python3
"""Writes src/schemas.txt again from an installed PyTorch, with the operators named besides.

    dialects/aten/schemas.py [NAME ...]

A name is that of the schema: `add.Tensor`; an overload without a name is left out. An operator of
another library has the library's name in front: `quantized_decomposed.quantize_per_tensor`. The
writing twin of each operator (`add_.Tensor`) comes along by itself. The file is sorted by name.
"""
import pathlib
import sys

import torch
import torch.ao.quantization.fx._decomposed  # noqa: F401  declares its operators
import torchvision  # noqa: F401
import transformers.integrations.moe  # noqa: F401

LIBRARIES = ["quantized_decomposed", "torchvision", "transformers"]
table = pathlib.Path(__file__).parent / "src" / "schemas.txt"
schemas = {}
for schema in torch._C._jit_get_all_schemas():
    library, _, text = str(schema).partition("::")
    if library in ["aten", *LIBRARIES]:
        text = text if library == "aten" else f"{library}.{text}"
        schemas[text.split("(")[0]] = text


def twin(name):
    base, dot, overload = name.partition(".")
    if base.startswith("__"):
        return f"__i{base[2:]}{dot}{overload}"
    return f"{base}_{dot}{overload}"


wanted = {line.split("(")[0] for line in table.read_text().splitlines()} | set(sys.argv[1:])
wanted |= {twin(name) for name in wanted} & schemas.keys()
missing = wanted - schemas.keys()
if missing:
    sys.exit(f"PyTorch {torch.__version__} has no {', '.join(sorted(missing))}")
lines = sorted((schemas[name] for name in wanted), key=lambda it: it.split("(")[0].encode())
table.write_text("".join(line + "\n" for line in lines))
