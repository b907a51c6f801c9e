#!/usr/bin/env python3
"""A decoder with caches, one token after the other, against eager at every step.

    decode.py TINTYPE [ARCHIVE.pt2] [--steps N] [--alone N]

The archive's model takes a token and its place, keeps caches as buffers, and gives scores of the next
token; without one, a small model is exported. Each step takes the token that eager finds best. Runs
N steps (300) in PyTorch's own loader, and as many (or --alone) without it, a process per step that
reads the state the one before wrote. Prints how many bytes of its state a step writes.
Needs torch and safetensors.
"""
import argparse
import pathlib
import subprocess
import sys
import tempfile
import warnings

import torch
import torch.nn as nn
import torch.nn.functional as F
from safetensors.torch import load_file, save_file

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import compare  # noqa: E402

warnings.simplefilter("ignore")


class Decoder(nn.Module):
    """Two layers of attention over caches that are written in place."""

    def __init__(self, width=32, heads=4, layers=2, longest=320, words=97):
        super().__init__()
        self.heads = heads
        linear = lambda a, b: nn.Linear(a, b, bias=False)
        self.embedding = nn.Embedding(words, width)
        self.qkv = nn.ModuleList(linear(width, 3 * width) for _ in range(layers))
        self.out = nn.ModuleList(linear(width, width) for _ in range(layers))
        self.norms = nn.ModuleList(nn.RMSNorm(width) for _ in range(layers + 1))
        self.head = linear(width, words)
        shape = layers, 1, heads, longest, width // heads
        self.register_buffer("keys", torch.zeros(shape))
        self.register_buffer("values", torch.zeros(shape))

    def forward(self, token, place):
        x = self.embedding(token)
        seen = (torch.arange(self.keys.shape[3]) <= place)[None, None, None, :]
        for i, (qkv, out) in enumerate(zip(self.qkv, self.out)):
            heads = [it.view(1, 1, self.heads, -1).transpose(1, 2) for it in qkv(self.norms[i](x)).chunk(3, -1)]
            self.keys[i].index_copy_(2, place, heads[1])
            self.values[i].index_copy_(2, place, heads[2])
            found = F.scaled_dot_product_attention(heads[0], self.keys[i], self.values[i], attn_mask=seen)
            x = x + out(found.transpose(1, 2).reshape(1, 1, -1))
        return self.head(self.norms[-1](x))


def exported(path):
    torch.manual_seed(0)
    example = torch.zeros(1, 1, dtype=torch.int64), torch.tensor([5])
    with torch.no_grad():
        torch.export.save(torch.export.export(Decoder().eval(), example), path)


def differs(found, wanted):
    rtol, atol = compare.TOLERANCE[wanted.dtype]
    same = found.shape == wanted.shape and found.stride() == wanted.stride() and found.dtype == wanted.dtype
    return not (same and torch.allclose(found, wanted, rtol=rtol, atol=atol))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tintype")
    parser.add_argument("archive", nargs="?", type=pathlib.Path)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--alone", type=int, help="steps without PyTorch's loader")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        bad = decode(options, pathlib.Path(folder))
    sys.exit(bad != 0)


def decode(options, folder):
    archive = options.archive or folder / "decoder.pt2"
    if options.archive is None:
        exported(archive)
    package, state = folder / "package.pt2", folder / "state.safetensors"
    subprocess.run([options.tintype, "compile", "--quiet", str(archive), "-o", str(package)], check=True)
    writes = subprocess.run([options.tintype, "inspect", "--writes", str(archive)], check=True, capture_output=True, text=True)
    print(writes.stdout.strip())

    program = torch.export.load(archive)
    eager = program.module()
    token, place = (it.clone() for it in program.example_inputs[0])
    loaded = torch._inductor.aoti_load_package(str(package))
    alone = options.steps if options.alone is None else options.alone
    bad = [0, 0]
    worst = 0.0
    token.zero_()
    for step in range(options.steps):
        place.fill_(step)
        with torch.no_grad():
            wanted = eager(token, place)
        found = loaded(token, place)
        worst = max(worst, (found - wanted).abs().max().item())
        bad[0] += differs(found, wanted)
        if step < alone:
            inputs = {"input_0": token, "input_1": place, "output_0": wanted.contiguous()}
            save_file(inputs, folder / "step.safetensors")
            command = [options.tintype, "run", "--quiet", str(package), "--state", str(state), "--check"]
            bad[1] += subprocess.run(command + ["--inputs", str(folder / "step.safetensors")]).returncode != 0
        token.fill_(wanted.argmax().item())
    caches = dict(eager.named_buffers())
    if alone == options.steps:
        for name, it in load_file(state).items():
            bad[1] += differs(it, caches[name])
    print(f"{options.steps} steps in PyTorch's loader: {bad[0]} differ, by {worst:.1e} at most; {alone} without it: {bad[1]} differ")
    return sum(bad)


if __name__ == "__main__":
    main()
