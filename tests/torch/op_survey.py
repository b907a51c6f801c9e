#!/usr/bin/env python3
"""What PyTorch's operator database exports and Tintype has no rule for.

    op_survey.py [--samples N] [--dtypes float32,complex64] [--match REGEX] [--json FILE]

Every sample of every entry of `op_db` is exported, as it is and after `run_decompositions()`. The
operators of the graphs are compared with the table in `dialects/aten` and the rules in
`passes/aten`. Those that lack either are printed, the ones that block most entries first.

Needs torch, numpy, expecttest and pytest.
"""
import argparse
import collections
import json
import operator
import pathlib
import re
import sys
import warnings

import torch
from torch.utils import _pytree as pytree

warnings.filterwarnings("ignore")
from torch.testing._internal.common_methods_invocations import op_db  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]


def known():
    """Names with a schema, and names with a rule."""
    lines = (ROOT / "dialects/aten/src/schemas.txt").read_text().splitlines()
    table = {line.split("(")[0] for line in lines}
    rules = set()
    for file in (ROOT / "passes/aten").rglob("*.rs"):
        for block in re.findall(r"rules! \{(.*?)\n\}", file.read_text(), re.S):
            for names in re.findall(r'((?:"[^"]+"\s*\|?\s*)+)=>', block):
                rules |= set(re.findall(r'"([^"]+)"', names))
    return table, rules


class One(torch.nn.Module):
    """Calls an operator on the tensors among its arguments."""

    def __init__(self, op, args, kwargs):
        super().__init__()
        self.op = op
        self.leaves, self.spec = pytree.tree_flatten((args, kwargs))
        self.slots = [i for i, it in enumerate(self.leaves) if isinstance(it, torch.Tensor)]
        self.tensors = tuple(self.leaves[i] for i in self.slots)
        for i in self.slots:
            self.leaves[i] = None

    def forward(self, *tensors):
        leaves = list(self.leaves)
        for i, it in zip(self.slots, tensors):
            leaves[i] = it
        args, kwargs = pytree.tree_unflatten(leaves, self.spec)
        return self.op(*args, **kwargs)


def graph_ops(program):
    for node in program.graph.nodes:
        if node.op == "call_function" and isinstance(node.target, torch._ops.OpOverload):
            schema = node.target._schema
            yield schema.name + ("." + schema.overload_name if schema.overload_name else "")
        elif node.op == "call_function" and node.target is not operator.getitem:
            yield str(getattr(node.target, "__name__", node.target))


def survey(op, dtype, samples):
    """The operators in the graphs of an entry, by dialect; and how many samples export."""
    found = {"training": set(), "decomposed": set()}
    count = 0
    try:
        inputs = op.sample_inputs("cpu", dtype, requires_grad=False)
        for sample in inputs:
            if count == samples:
                break
            one = One(op.op, (sample.input, *sample.args), sample.kwargs)
            try:
                with torch.no_grad():
                    program = torch.export.export(one, one.tensors)
                    found["training"] |= set(graph_ops(program))
                    count += 1
                    found["decomposed"] |= set(graph_ops(program.run_decompositions()))
            except Exception:  # Much of the database is not for export.
                continue
    except Exception as error:
        print(f"{op.formatted_name}: {type(error).__name__}", file=sys.stderr)
    return found, count


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--samples", type=int, default=3)
    parser.add_argument("--dtypes", default="float32,complex64")
    parser.add_argument("--match", default="")
    parser.add_argument("--json")
    args = parser.parse_args()
    table, rules = known()
    blocked = collections.defaultdict(set)
    exported = 0
    for op in op_db:
        if not re.search(args.match, op.formatted_name):
            continue
        for name in args.dtypes.split(","):
            dtype = getattr(torch, name)
            if dtype not in op.supported_dtypes("cpu"):
                continue
            found, count = survey(op, dtype, args.samples)
            exported += count
            for dialect, names in found.items():
                for it in names:
                    short = it.removeprefix("aten::")
                    if not it.startswith("aten::") or short not in table or short not in rules:
                        blocked[it].add((op.formatted_name, dialect))
    ranked = sorted(blocked.items(), key=lambda it: (-len({e for e, _ in it[1]}), it[0]))
    for name, entries in ranked:
        short = name.removeprefix("aten::")
        lack = "no schema" if short not in table else "no rule"
        names = sorted({entry for entry, _ in entries})
        dialects = "/".join(sorted({dialect[0] for _, dialect in entries}))
        print(f"{len(names):4} {name:50} {lack:10} {dialects:4} {', '.join(names[:4])}")
    print(f"{exported} samples exported, {len(ranked)} operators missing")
    if args.json:
        data = {name: sorted(map(list, entries)) for name, entries in ranked}
        pathlib.Path(args.json).write_text(json.dumps(data, indent=1))


if __name__ == "__main__":
    main()
