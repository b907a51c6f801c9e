#!/usr/bin/env python3
"""Writes one model twice: its equal layers as calls of one function, and flat.

    subgraphs.py DIR [--layers N] [--width W]

DIR/regions.pt2 and DIR/flat.pt2, with inputs and eager's outputs beside them. Needs torch and safetensors.
"""
import argparse
import pathlib
import warnings

import torch
import torch.nn as nn
import torch.nn.functional as F
from safetensors.torch import save_file


def layer(x, norm, shift, into, bias, back, offset, norm2, shift2, up, up_bias, down, down_bias):
    """One layer of a transformer."""
    width = x.shape[-1]
    y = F.layer_norm(x, (width,), norm, shift)
    q, k, v = F.linear(y, into, bias).view(1, -1, 3, 4, width // 4).permute(2, 0, 3, 1, 4).unbind(0)
    y = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(1, -1, width)
    x = x + F.linear(y, back, offset)
    y = F.layer_norm(x, (width,), norm2, shift2)
    return x + F.linear(F.gelu(F.linear(y, up, up_bias)), down, down_bias)


class Layers(nn.Module):
    def __init__(self, run, count, width):
        super().__init__()
        self.run = run
        parts = [(width, 3 * width), (width, width), (width, 4 * width), (4 * width, width)]
        self.layers = nn.ModuleList()
        for _ in range(count):
            q, o, up, down = (nn.Linear(*it) for it in parts)
            self.layers.append(nn.ModuleList([nn.LayerNorm(width), q, o, nn.LayerNorm(width), up, down]))

    def forward(self, x):
        for it in self.layers:
            x = self.run(x, *[weight for part in it for weight in (part.weight, part.bias)])
        return x


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--layers", type=int, default=12)
    parser.add_argument("--width", type=int, default=256)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    options.folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    x = torch.randn(1, 64, options.width)
    region = torch.compiler.nested_compile_region(layer)
    for name, run in (("flat", layer), ("regions", region)):
        torch.manual_seed(0)
        model = Layers(run, options.layers, options.width).eval()
        with torch.no_grad():
            torch.export.save(torch.export.export(model, (x,), strict=True), options.folder / f"{name}.pt2")
            save_file({"input_0": x, "output_0": model(x)}, options.folder / f"{name}.io.safetensors")


if __name__ == "__main__":
    main()
