#!/usr/bin/env python3
"""Make the small archives of this folder with the PyTorch that runs this script.

    make.py [OUT_DIR]

Any PyTorch from 2.6 on writes `tiny_<major>.<minor>.pt2`, a model that holds one of
each kind of stored tensor; from 2.15 on it also writes `mlp.pt2`.
Beside each archive lies `<name>.io.safetensors`: the flattened inputs as `input_K` and
what eager answers, starting from the saved state, as `output_K`.

Needs torch, numpy and safetensors.
"""
import pathlib
import sys

import torch
import torch.nn as nn
import torch.nn.functional as F
from safetensors.torch import save_file


class Tiny(nn.Module):
    """Tied, transposed, expanded, offset and bf16 weights; buffers of both kinds; a constant."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(16, 8)
        self.mix = nn.Linear(8, 8, bias=False)
        self.low = nn.Linear(8, 8, dtype=torch.bfloat16)
        self.head = nn.Linear(8, 16, bias=False)
        # Two names, one storage.
        self.head.weight = self.embed.weight
        # Strides (1, 8).
        self.mix.weight = nn.Parameter(torch.randn(8, 8).t())
        table = torch.randn(6, 8) * 0.25
        self.register_buffer("table", table)
        # The same storage as `table`, from its third row on.
        self.register_buffer("window", table[2:4])
        # Stride 0 in its last dimension.
        self.register_buffer("gain", torch.rand(8, 1).expand(8, 8))
        self.register_buffer("calls", torch.zeros((), dtype=torch.int64))
        self.register_buffer("mask", torch.arange(16) % 2 == 0, persistent=False)

    def forward(self, ids, x, *, bias=None):
        self.calls.add_(1)
        y = self.mix(self.embed(ids)) * self.gain.sum(1) + x
        y = self.low(y.to(torch.bfloat16)).float()
        y = y @ self.table.t() @ self.table + self.window.sum(0)
        y = self.head(F.gelu(y)) + torch.tensor([0.5, -0.5]).repeat(8) + bias
        return {"logits": torch.where(self.mask, y, y * 2), "calls": self.calls + 0}


def tiny():
    batch = torch.export.Dim("B", min=2, max=64)
    args = (torch.randint(0, 16, (3,)), torch.randn(3, 8))
    shapes = {"ids": {0: batch}, "x": {0: batch}, "bias": None}
    return Tiny(), args, {"bias": torch.randn(16)}, shapes


def mlp():
    model = nn.Sequential(
        nn.Linear(64, 128), nn.GELU(), nn.Linear(128, 32), nn.LayerNorm(32), nn.Softmax(-1)
    )
    batch = torch.export.Dim("B", min=2, max=1024)
    return model, (torch.randn(8, 64),), {}, ({0: batch},)


def tensors(prefix, tree):
    """The tensors among the leaves of `tree`, numbered as leaves."""
    leaves = torch.utils._pytree.tree_leaves(tree)
    found = [(k, leaf) for k, leaf in enumerate(leaves) if isinstance(leaf, torch.Tensor)]
    return {f"{prefix}_{k}": leaf.clone().contiguous() for k, leaf in found}


def write(out, name, make):
    torch.manual_seed(0)
    model, args, kwargs, shapes = make()
    model.eval()
    with torch.no_grad():
        program = torch.export.export(model, args, kwargs, dynamic_shapes=shapes, strict=False)
        torch.export.save(program, out / f"{name}.pt2")
        answer = program.module()(*args, **kwargs)
    saved = tensors("input", (args, kwargs)) | tensors("output", answer)
    save_file(saved, out / f"{name}.io.safetensors")
    print(name, (out / f"{name}.pt2").stat().st_size, "bytes")


if __name__ == "__main__":
    folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else __file__)
    folder = folder if folder.is_dir() else folder.parent
    major, minor = (int(part) for part in torch.__version__.split(".")[:2])
    write(folder, f"tiny_{major}.{minor}", tiny)
    if (major, minor) >= (2, 15):
        write(folder, "mlp", mlp)
