#!/usr/bin/env python3
"""Loads packages in real PyTorch and compares them with eager.

    compare.py ARCHIVE.pt2 PACKAGE.pt2 [--sizes N] [--rtol X] [--atol X]

The archive is loaded with torch.export, the package with torch._inductor.aoti_load_package, as
their users would. Both run on the archive's example inputs, and where it has dynamic sizes, on
inputs of N further sizes, the smallest and the largest among them (no more than --largest).
Compares values, dtypes, shapes and strides, and what either wrote into its inputs.
Exit status 0 if all agree. Needs torch and nothing else.
"""
import argparse
import random
import sys
import tempfile
import os

import torch

TOLERANCE = {
    torch.float64: (1e-7, 1e-7),
    torch.float32: (1e-4, 1e-4),
    torch.float16: (5e-3, 5e-3),
    torch.bfloat16: (3e-2, 3e-2),
}


def quietly(load):
    """The result, and what was written to standard error meanwhile, by C++ too."""
    with tempfile.TemporaryFile() as file:
        sys.stderr.flush()
        saved = os.dup(2)
        os.dup2(file.fileno(), 2)
        try:
            result = load()
        finally:
            sys.stderr.flush()
            os.dup2(saved, 2)
            os.close(saved)
        file.seek(0)
        return result, file.read().decode()


def dynamic_dims(program):
    """For each symbol: its range, and the places (input, dimension) where it alone is the size."""
    ranges = {str(symbol): it for symbol, it in program.range_constraints.items()}
    places = {}
    names = [it.arg.name for it in program.graph_signature.input_specs if it.kind.name == "USER_INPUT"]
    nodes = {it.name: it for it in program.graph.nodes if it.op == "placeholder"}
    for index, name in enumerate(names):
        value = nodes[name].meta.get("val")
        if not isinstance(value, torch.Tensor):
            continue
        for dim, size in enumerate(value.shape):
            if isinstance(size, torch.SymInt):
                text = str(size)
                if text not in ranges:
                    return None  # a derived size: only the example sizes are tried
                places.setdefault(text, []).append((index, dim))
    return {it: (ranges[it], places[it]) for it in places}


def sizes(dims, count, largest, seed=0):
    """Assignments of the symbols: smallest, largest, then odd ones between."""
    chance = random.Random(seed)
    bounds = {}
    for symbol, (limits, _) in dims.items():
        low = max(int(limits.lower), 0)
        high = largest if limits.upper > largest else int(limits.upper)
        bounds[symbol] = (low, max(low, high))
    chosen = [{it: bounds[it][0] for it in dims}, {it: bounds[it][1] for it in dims}]
    while len(chosen) < count:
        chosen.append({it: chance.randint(*bounds[it]) | 1 for it in dims})
        chosen[-1] = {it: min(max(n, bounds[it][0]), bounds[it][1]) for it, n in chosen[-1].items()}
    return chosen[:count]


def resized(leaves, dims, chosen, seed):
    """Inputs like `leaves` of the chosen sizes."""
    generator = torch.Generator().manual_seed(seed)
    shapes = [list(it.shape) if isinstance(it, torch.Tensor) else None for it in leaves]
    for symbol, (_, places) in dims.items():
        for index, dim in places:
            shapes[index][dim] = chosen[symbol]
    made = []
    for leaf, shape in zip(leaves, shapes):
        if shape is None or list(leaf.shape) == shape:
            made.append(leaf)
        elif leaf.dtype.is_floating_point:
            made.append(torch.randn(shape, generator=generator).to(leaf.dtype))
        else:
            high = int(leaf.max()) + 1 if leaf.numel() else 2
            made.append(torch.randint(0, max(high, 1), shape, generator=generator).to(leaf.dtype))
    return made


def strides(tensor):
    """Strides, where they mean something."""
    return [s for s, n in zip(tensor.stride(), tensor.shape) if n > 1] if tensor.numel() else []


def differences(got, want, rtol, atol, what):
    if not isinstance(want, torch.Tensor):
        want = torch.tensor(want)
    if not isinstance(got, torch.Tensor):
        got = torch.tensor(got)
    if got.dtype != want.dtype or got.shape != want.shape:
        yield f"{what}: {got.dtype}{list(got.shape)}, eager gives {want.dtype}{list(want.shape)}"
        return
    if strides(got) != strides(want):
        yield f"{what}: strides {got.stride()}, eager's are {want.stride()}"
    relative, absolute = TOLERANCE.get(want.dtype, (0, 0))
    try:
        torch.testing.assert_close(
            got, want, rtol=rtol if rtol is not None else relative,
            atol=atol if atol is not None else absolute, equal_nan=True,
        )
    except AssertionError as error:
        lines = [it.strip() for it in str(error).splitlines() if it.strip()]
        yield f"{what}: " + "; ".join(lines[:4])


def check(eager, package, args, kwargs, options):
    """What differs on one set of inputs."""
    copy = lambda tree: torch.utils._pytree.tree_map(
        lambda it: it.clone() if isinstance(it, torch.Tensor) else it, tree
    )
    theirs, ours = copy((args, kwargs)), copy((args, kwargs))
    with torch.no_grad():
        want = torch.utils._pytree.tree_leaves(eager(*theirs[0], **theirs[1]))
        got = torch.utils._pytree.tree_leaves(package(*ours[0], **ours[1]))
    if len(got) != len(want):
        return [f"{len(got)} outputs, eager gives {len(want)}"]
    bad = []
    for k, (g, w) in enumerate(zip(got, want)):
        bad += differences(g, w, options.rtol, options.atol, f"output {k}")
    leaves = torch.utils._pytree.tree_leaves
    for k, (g, w) in enumerate(zip(leaves(ours), leaves(theirs))):
        if isinstance(w, torch.Tensor):
            bad += differences(g, w, options.rtol, options.atol, f"input {k} after the call")
    return bad


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("archive")
    parser.add_argument("package")
    parser.add_argument("--sizes", type=int, default=6)
    parser.add_argument("--largest", type=int, default=1024)
    parser.add_argument("--rtol", type=float)
    parser.add_argument("--atol", type=float)
    options = parser.parse_args()

    program = torch.export.load(options.archive)
    package, said = quietly(lambda: torch._inductor.aoti_load_package(options.package))
    bad = [f"loading says: {said.strip()}"] if said.strip() else []
    args, kwargs = program.example_inputs
    eager = program.module()
    bad += check(eager, package, args, kwargs, options)
    tried = 1
    dims = dynamic_dims(program)
    if dims and not kwargs:
        leaves, spec = torch.utils._pytree.tree_flatten(args)
        for seed, chosen in enumerate(sizes(dims, options.sizes, options.largest)):
            made = torch.utils._pytree.tree_unflatten(resized(leaves, dims, chosen, seed), spec)
            bad += [f"{chosen}: {it}" for it in check(eager, package, made, {}, options)]
            tried += 1
    for it in bad:
        print(f"{os.path.basename(options.package)}: {it}")
    print(f"{os.path.basename(options.package)}: {'differs' if bad else 'agrees'} with eager of "
          f"torch {torch.__version__} at {tried} size{'s' if tried > 1 else ''}")
    sys.exit(bool(bad))


if __name__ == "__main__":
    main()
