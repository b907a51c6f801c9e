#!/usr/bin/env python3
"""Writes operator cases from PyTorch's own operator database.

    opcases.py OUT [--match REGEX] [--filter TEXT] [--dtypes float32,int64] [--samples 6]
               [--fraction N] [--part I/N]

Per operator and dialect there is one archive whose forward runs every sample of every dtype, so
that exporting and compiling cost little per case:

    NAME.training.pt2     the exported program
    NAME.training.io.pt   torch.save of (inputs, outputs, exact): what goes in, what eager PyTorch
                          gives, and where eager is off in float32 or a half type, what float64
                          gives
    NAME.training.json    the cases: label, dtype, and which inputs and outputs are theirs
    NAME.core.*           the same after run_decompositions()

What exists already is left alone. The NAMEs go to standard output. Operators that draw random numbers are left out.
Needs: torch, numpy, expecttest, pytest.
"""
import argparse
import itertools
import json
import os
import re
import sys
import warnings

import torch
from torch.utils import _pytree as pytree

warnings.filterwarnings("ignore")
from torch.testing._internal.common_methods_invocations import op_db  # noqa: E402

DTYPES = "float32,float64,bfloat16,float16,int64,int32,int16,int8,uint8,bool"
RANDOM = re.compile(
    r"rand|normal|dropout|bernoulli|multinomial|exponential|cauchy|geometric|uniform|empty|rrelu"
    r"|svd_lowrank|pca_lowrank|poisson|fractional"
)
# Samples that are looked at, to choose among: operators list the plain ones first.
LOOKED_AT = 80
MOST_ELEMENTS = 200_000
TOLERANCE = {
    torch.float64: 1e-7,
    torch.complex128: 1e-7,
    torch.float32: 1e-4,
    torch.complex64: 1e-4,
    torch.float16: 5e-3,
    torch.bfloat16: 3e-2,
}


class Case:
    """One call: a function, its arguments with holes for tensors, and what eager gives."""

    def __init__(self, label, dtype, fn, args, kwargs):
        leaves, self.spec = pytree.tree_flatten((args, kwargs))
        self.label, self.dtype, self.fn = label, dtype, fn
        self.slots = [k for k, it in enumerate(leaves) if isinstance(it, torch.Tensor)]
        self.tensors = [leaves[k].detach().clone() for k in self.slots]
        self.leaves = [None if k in self.slots else it for k, it in enumerate(leaves)]
        self.wanted = []

    def call(self, tensors):
        values = list(self.leaves)
        for slot, tensor in zip(self.slots, tensors):
            values[slot] = tensor
        args, kwargs = pytree.tree_unflatten(values, self.spec)
        given = pytree.tree_leaves(self.fn(*args, **kwargs))
        return [it for it in given if isinstance(it, torch.Tensor)]

    def clones(self):
        return [it.clone() for it in self.tensors]

    def exact(self):
        """What the call gives in float64, in the dtypes that it should have; none for calls that
        are not in a narrower floating type, or cannot be made in another."""
        if self.dtype not in (torch.float16, torch.bfloat16, torch.float32):
            return [None] * len(self.wanted)
        wide = lambda it: it.double() if it.dtype == self.dtype else it
        try:
            given = self.call([wide(it) for it in self.clones()])
        except Exception:
            return [None] * len(self.wanted)
        if len(given) != len(self.wanted):
            return [None] * len(self.wanted)
        fits = lambda a, b: a.shape == b.shape and a.is_complex() == b.is_complex()
        return [a.to(b.dtype) if fits(a, b) else None for a, b in zip(given, self.wanted)]

    def evaluates(self):
        """Runs eager; whether the case is one that a model could contain."""
        plain = lambda it: it.layout == torch.strided and not it.is_quantized
        if not self.slots or not all(map(plain, self.tensors)):
            return False
        if sum(it.numel() for it in self.tensors) > MOST_ELEMENTS:
            return False
        self.wanted = self.call(self.clones())
        return bool(self.wanted) and all(map(plain, self.wanted))


class Many(torch.nn.Module):
    """Runs every case on the flat list of all their tensors."""

    def __init__(self, cases):
        super().__init__()
        self.cases = cases

    def forward(self, *flat):
        flat, outputs = list(flat), []
        for case in self.cases:
            count = len(case.slots)
            outputs.extend(case.call(flat[:count]))
            flat = flat[count:]
        return tuple(outputs)


def spread(items, count):
    """`count` of the items, evenly from the first to the last."""
    if len(items) <= count:
        return items
    step = (len(items) - 1) / (count - 1)
    return [items[round(i * step)] for i in range(count)]


def written(inplace):
    """The in-place form, on a tensor that is the program's own."""
    return lambda first, *args, **kwargs: inplace(first.clone(), *args, **kwargs)


def cases_of(op, dtype, count):
    samples = op.sample_inputs("cpu", dtype, requires_grad=False)
    made = []
    inplace = op.inplace_variant
    for i, it in enumerate(itertools.islice(samples, LOOKED_AT)):
        arguments = (dtype, op.op, (it.input, *it.args), dict(it.kwargs))
        made.append(Case(f"{op.formatted_name}[{str(dtype)[6:]}]#{i}", *arguments))
        if inplace is not None and i % 4 == 1 and isinstance(it.input, torch.Tensor):
            label = f"{op.formatted_name}_[{str(dtype)[6:]}]#{i}"
            made.append(Case(label, dtype, written(inplace), (it.input, *it.args), dict(it.kwargs)))
    good = []
    for case in made:
        try:
            if case.evaluates():
                good.append(case)
        except Exception:
            continue
    chosen = spread(good, count + (count // 3 if inplace is not None else 0))
    return chosen


def export(cases):
    """The program of these cases. One that eager itself does not run, as some assert what is not
    so, is none."""
    flat = tuple(it for case in cases for it in case.clones())
    with torch.no_grad():
        program = torch.export.export(Many(cases), flat)
        program.module()(*[it for case in cases for it in case.clones()])
    return program


def exportable(cases):
    """The cases that export together, and the program: all at once if possible, else by halves."""
    try:
        return cases, export(cases)
    except Exception:
        if len(cases) == 1:
            return [], None
    half = len(cases) // 2
    good = exportable(cases[:half])[0] + exportable(cases[half:])[0]
    if not good:
        return [], None
    try:
        return good, export(good)
    except Exception as error:
        print("no export of all:", good[0].label, str(error)[:200], file=sys.stderr)
        return [], None


def close(a, b, part=1.0):
    """Whether two tensors are as near as is allowed, or some part of it."""
    if a.dtype != b.dtype or a.shape != b.shape:
        return False
    tolerance = part * TOLERANCE.get(a.dtype, 0.0)
    return torch.allclose(a, b, rtol=tolerance, atol=tolerance, equal_nan=True)


def laid_out(tensor):
    """Its strides, where they matter."""
    if tensor.numel() == 0:
        return []
    return [stride if size != 1 else 0 for size, stride in zip(tensor.shape, tensor.stride())]


def save(base, program, cases):
    """Writes the three files. Where the exported program itself, run eagerly, does not give what
    the operator gives, what it gives is what is wanted of a compiler of it."""
    wanted = [it for case in cases for it in case.wanted]
    inputs = [it for case in cases for it in case.tensors]
    differs = set()
    try:
        with torch.no_grad():
            found = program.module()(*[it.clone() for it in inputs])
        for k, (a, b) in enumerate(zip(found, wanted)):
            if not close(a, b) or laid_out(a) != laid_out(b):
                differs.add(k)
                wanted[k] = a.detach()
    except Exception as error:
        print("the export does not run:", base, str(error)[:200], file=sys.stderr)
    index, at, out, exact = [], 0, 0, []
    for case in cases:
        better = {}
        for k, (a, b) in enumerate(zip(case.exact(), case.wanted)):
            if a is not None and not close(a, b, 0.5):
                better[out + k] = len(exact)
                exact.append(a.detach())
        outputs = list(range(out, out + len(case.wanted)))
        index.append({
            "label": case.label,
            "dtype": str(case.dtype)[6:],
            "inputs": list(range(at, at + len(case.slots))),
            "outputs": outputs,
            "exact": better,
            "export_differs": [it for it in outputs if it in differs],
        })
        at, out = at + len(case.slots), out + len(case.wanted)
    torch.export.save(program, base + ".pt2")
    # Views that only say that they are conjugates or negatives are written as what they stand for.
    plain = lambda all: [it.detach().resolve_conj().resolve_neg() for it in all]
    torch.save((plain(inputs), plain(wanted), plain(exact)), base + ".io.pt")
    with open(base + ".json", "w") as file:
        json.dump({"cases": index, "exact": len(exact), "torch": torch.__version__}, file)


def operator(op, base, dtypes, count):
    cases = []
    for name in dtypes:
        dtype = getattr(torch, name)
        if dtype not in op.supported_dtypes("cpu"):
            continue
        torch.manual_seed(0)
        try:
            with torch.no_grad():
                cases += cases_of(op, dtype, count)
        except Exception as error:
            print("no samples:", op.formatted_name, name, str(error)[:200], file=sys.stderr)
    cases, program = exportable(cases) if cases else ([], None)
    if program is None:
        with open(base + ".none", "w") as file:
            file.write("nothing exports\n")
        return
    try:
        core = program.run_decompositions()
        save(base + ".core", core, cases)
    except Exception as error:
        print("no decompositions:", op.formatted_name, str(error)[:200], file=sys.stderr)
    save(base + ".training", program, cases)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("out")
    parser.add_argument("--match", default="")
    parser.add_argument("--filter", default="", help="operators whose NAME has this in it")
    parser.add_argument("--dtypes", default=DTYPES)
    parser.add_argument("--samples", type=int, default=6)
    parser.add_argument("--fraction", type=int, default=1, help="every so many-th operator")
    parser.add_argument("--part", default="0/1")
    args = parser.parse_args()
    os.makedirs(args.out, exist_ok=True)
    torch.set_num_threads(1)
    part, parts = map(int, args.part.split("/"))
    kept = [op for op in op_db if not RANDOM.search(op.formatted_name)][:: args.fraction]
    kept = [op for op in kept if re.search(args.match, op.formatted_name)]
    name = lambda op: re.sub(r"[^A-Za-z0-9_]", "_", op.formatted_name)
    for op in [op for op in kept if args.filter in name(op)][part::parts]:
        base = os.path.join(args.out, name(op))
        print(name(op), flush=True)
        if os.path.exists(base + ".training.json") or os.path.exists(base + ".none"):
            continue
        operator(op, base, args.dtypes.split(","), args.samples)


if __name__ == "__main__":
    main()
