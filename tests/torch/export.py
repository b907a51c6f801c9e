#!/usr/bin/env python3
"""Exports small models of several kinds, for tests against real PyTorch.

    export.py FOLDER [NAME ...]

Writes NAME.pt2, and NAME.io.safetensors with the leaves of the inputs as `input_K` and eager's
outputs as `output_K`. Weights are random and the same every time. Needs torch and safetensors.
"""
import pathlib
import sys

import torch
import torch.nn as nn
import torch.nn.functional as F
from safetensors.torch import save_file

Dim = torch.export.Dim
MODELS = {}


def model(make):
    MODELS[make.__name__] = make
    return make


@model
def mlp():
    net = nn.Sequential(
        nn.Linear(64, 128), nn.GELU(), nn.Linear(128, 32), nn.LayerNorm(32), nn.Softmax(-1)
    )
    return net, (torch.randn(8, 64),), ({0: Dim("B", min=2, max=1024)},)


class Residual(nn.Module):
    def __init__(self, before, after, stride):
        super().__init__()
        self.first = nn.Conv2d(before, after, 3, stride, 1, bias=False)
        self.first_norm = nn.BatchNorm2d(after)
        self.second = nn.Conv2d(after, after, 3, 1, 1, bias=False)
        self.second_norm = nn.BatchNorm2d(after)
        self.skip = nn.Conv2d(before, after, 1, stride, bias=False) if stride > 1 else nn.Identity()

    def forward(self, x):
        y = F.relu(self.first_norm(self.first(x)))
        return F.relu(self.second_norm(self.second(y)) + self.skip(x))


@model
def residual():
    """A residual network with a dynamic batch."""
    net = nn.Sequential(
        nn.Conv2d(3, 16, 7, 2, 3, bias=False),
        nn.BatchNorm2d(16),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(3, 2, 1),
        Residual(16, 16, 1),
        Residual(16, 32, 2),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(32, 10),
    )
    return net, (torch.randn(2, 3, 64, 64),), ({0: Dim("B", min=1, max=16)},)


class Separable(nn.Module):
    """Depthwise and pointwise convolutions with squeeze and excitation."""

    def __init__(self):
        super().__init__()
        self.grow = nn.Conv2d(8, 32, 1)
        self.depth = nn.Conv2d(32, 32, 5, 2, 2, groups=32)
        self.norm = nn.BatchNorm2d(32)
        self.squeeze = nn.Conv2d(32, 8, 1)
        self.excite = nn.Conv2d(8, 32, 1)
        self.shrink = nn.Conv2d(32, 12, 1)

    def forward(self, x):
        y = F.hardswish(self.norm(self.depth(F.silu(self.grow(x)))))
        scale = F.hardsigmoid(self.excite(F.relu(self.squeeze(y.mean((2, 3), keepdim=True)))))
        return self.shrink(y * scale)


@model
def separable():
    return Separable(), (torch.randn(1, 8, 28, 28),), None


class Down(nn.Module):
    """A small U-Net: pooling, transposed convolution, concatenation."""

    def __init__(self):
        super().__init__()
        self.outer = nn.Sequential(nn.Conv2d(3, 8, 3, 1, 1), nn.GroupNorm(2, 8), nn.SiLU())
        self.inner = nn.Sequential(nn.Conv2d(8, 16, 3, 1, 1), nn.GroupNorm(4, 16), nn.SiLU())
        self.up = nn.ConvTranspose2d(16, 8, 2, 2)
        self.last = nn.Conv2d(16, 2, 1)

    def forward(self, x):
        outer = self.outer(x)
        inner = self.inner(F.max_pool2d(outer, 2))
        return self.last(torch.cat([outer, self.up(inner)], 1))


@model
def unet():
    return Down(), (torch.randn(1, 3, 32, 32),), None


class Encoder(nn.Module):
    """Patches, attention, a class token."""

    def __init__(self, width=48, heads=4):
        super().__init__()
        self.heads = heads
        self.patch = nn.Conv2d(3, width, 8, 8)
        self.token = nn.Parameter(torch.randn(1, 1, width) * 0.02)
        self.place = nn.Parameter(torch.randn(1, 17, width) * 0.02)
        self.norms = nn.ModuleList([nn.LayerNorm(width) for _ in range(3)])
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))
        self.head = nn.Linear(width, 10)

    def forward(self, x):
        x = self.patch(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(x.shape[0], -1, -1), x], 1) + self.place
        batch, length, width = x.shape
        qkv = self.qkv(self.norms[0](x)).reshape(batch, length, 3, self.heads, width // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4).unbind(0)
        y = F.scaled_dot_product_attention(q, k, v)
        x = x + self.proj(y.transpose(1, 2).reshape(batch, length, width))
        x = x + self.mlp(self.norms[1](x))
        return self.head(self.norms[2](x)[:, 0])


@model
def encoder():
    return Encoder(), (torch.randn(1, 3, 32, 32),), None


def write(folder, name):
    torch.manual_seed(0)
    net, inputs, shapes = MODELS[name]()
    net.eval()
    with torch.no_grad():
        program = torch.export.export(net, inputs, dynamic_shapes=shapes, strict=False)
        answers = torch.utils._pytree.tree_leaves(program.module()(*inputs))
    torch.export.save(program, folder / f"{name}.pt2")
    save_file(named("input", inputs) | named("output", answers), folder / f"{name}.io.safetensors")


def named(prefix, leaves):
    """The tensors among the leaves, each with memory of its own, numbered as leaves."""
    tensors = [(k, it) for k, it in enumerate(leaves) if isinstance(it, torch.Tensor)]
    return {f"{prefix}_{k}": it.contiguous().clone() for k, it in tensors}


if __name__ == "__main__":
    out = pathlib.Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    for each in sys.argv[2:] or MODELS:
        write(out, each)
        print(out / f"{each}.pt2")
