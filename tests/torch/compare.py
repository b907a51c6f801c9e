#!/usr/bin/env python3
"""Loads packages in real PyTorch and compares them with eager.

    compare.py ARCHIVE.pt2 PACKAGE.pt2 [--sizes N] [--largest N] [--save FOLDER] [--rtol X] [--atol X]

The archive is loaded with torch.export, the package with torch._inductor.aoti_load_package, as
their users would. Both run on the archive's example inputs, and where it has dynamic sizes, on
inputs of N further sizes: the smallest, the largest (no more than --largest), ones, primes, others.
Compares values, dtypes, shapes and strides, and what either wrote into its inputs.
With --save, inputs and eager's answers of each size go to FOLDER, for `tintype run --check`.
Exit status 0 if all agree. Needs torch, and safetensors to save.
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


PRIMES = (2, 3, 5, 7, 11, 13, 17, 31, 61, 127)


class Sizes:
    """The symbols in the sizes of a program's inputs, and what is said of them."""

    def __init__(self, program):
        specs = program.graph_signature.input_specs
        names = [it.arg.name for it in specs if it.kind.name == "USER_INPUT"]
        nodes = {it.name: it for it in program.graph.nodes if it.op == "placeholder"}
        self.inputs = [nodes[it].meta.get("val") for it in names]
        self.limits = dict(program.range_constraints)
        found = set()
        for value in self.inputs:
            if isinstance(value, torch.Tensor):
                for size in value.shape:
                    if isinstance(size, torch.SymInt):
                        found |= size.node.expr.free_symbols
        self.symbols = sorted(found, key=str)

    def bounds(self, symbol, largest):
        limits = self.limits.get(symbol)
        low = 2 if limits is None else max(int(limits.lower), 0)
        high = largest if limits is None or limits.upper > largest else int(limits.upper)
        return low, max(low, high)

    def allowed(self, chosen):
        """Whether limits of expressions hold too."""
        for expr, limits in self.limits.items():
            value = expr.subs(chosen)
            if value.is_number and not (limits.lower <= value <= limits.upper):
                return False
        return True

    def assignments(self, largest, seed=0):
        """Smallest, largest, ones, primes, each at an end alone, and ever more at random."""
        chance = random.Random(seed)
        bounds = {it: self.bounds(it, largest) for it in self.symbols}
        clamped = lambda it, n: min(max(n, bounds[it][0]), bounds[it][1])
        every = lambda pick: {it: clamped(it, pick(it)) for it in self.symbols}
        yield every(lambda it: bounds[it][0])
        yield every(lambda it: bounds[it][1])
        yield every(lambda it: 1)
        for k in range(len(PRIMES)):
            yield every(lambda it: PRIMES[(k + self.symbols.index(it)) % len(PRIMES)])
            yield every(lambda it: chance.randint(*bounds[it]) | 1)
            if k < len(self.symbols):
                one = self.symbols[k]
                middle = every(lambda it: chance.randint(*bounds[it]))
                yield middle | {one: bounds[one][0]}
        for _ in range(50):
            yield every(lambda it: chance.randint(*bounds[it]))

    def made(self, leaves, chosen, seed):
        """Inputs like `leaves` of the chosen sizes and strides."""
        generator = torch.Generator().manual_seed(seed)
        number = lambda it: int(it.node.expr.subs(chosen)) if isinstance(it, torch.SymInt) else it
        made = []
        for leaf, value in zip(leaves, self.inputs):
            if not isinstance(leaf, torch.Tensor):
                made.append(leaf)
                continue
            shape = [number(it) for it in value.shape]
            if list(leaf.shape) == shape and not self.symbols:
                made.append(leaf)
            elif leaf.dtype.is_floating_point:
                made.append(torch.randn(shape, generator=generator).to(leaf.dtype))
            else:
                high = int(leaf.max()) + 1 if leaf.numel() else 2
                it = torch.randint(0, max(high, 1), shape, generator=generator).to(leaf.dtype)
                made.append(it)
            strides = [number(it) for it in value.stride()]
            if list(made[-1].stride()) != strides and made[-1].numel():
                made[-1] = torch.empty_strided(shape, strides, dtype=leaf.dtype).copy_(made[-1])
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
    """What differs on one set of inputs, and eager's answer; none where a guard of eager's, that
    no range says, refuses the inputs: the package must do so too."""
    copy = lambda tree: torch.utils._pytree.tree_map(
        lambda it: torch.empty_strided(it.shape, it.stride(), dtype=it.dtype).copy_(it)
        if isinstance(it, torch.Tensor) else it, tree
    )
    theirs, ours = copy((args, kwargs)), copy((args, kwargs))
    with torch.no_grad():
        try:
            want = torch.utils._pytree.tree_leaves(eager(*theirs[0], **theirs[1]))
        except AssertionError as error:
            if "Guard failed" not in str(error):
                raise
            try:
                package(*ours[0], **ours[1])
            except RuntimeError:
                return [], None
            return [f"accepted, although {str(error).splitlines()[0]}"], None
        try:
            got = torch.utils._pytree.tree_leaves(package(*ours[0], **ours[1]))
        except RuntimeError as error:
            return [f"refused: {str(error).splitlines()[0]}"], want
    if len(got) != len(want):
        return [f"{len(got)} outputs, eager gives {len(want)}"], want
    bad = []
    for k, (g, w) in enumerate(zip(got, want)):
        bad += differences(g, w, options.rtol, options.atol, f"output {k}")
    leaves = torch.utils._pytree.tree_leaves
    for k, (g, w) in enumerate(zip(leaves(ours), leaves(theirs))):
        if isinstance(w, torch.Tensor):
            bad += differences(g, w, options.rtol, options.atol, f"input {k} after the call")
    return bad, want


def save(folder, number, inputs, outputs):
    """Inputs and eager's answers, for a run without PyTorch."""
    from safetensors.torch import save_file

    tensors = {}
    for prefix, tree in (("input", inputs), ("output", outputs)):
        for k, it in enumerate(torch.utils._pytree.tree_leaves(tree)):
            if isinstance(it, torch.Tensor):
                tensors[f"{prefix}_{k}"] = it.contiguous().clone()
    os.makedirs(folder, exist_ok=True)
    save_file(tensors, os.path.join(folder, f"{number}.io.safetensors"))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("archive")
    parser.add_argument("package")
    parser.add_argument("--sizes", type=int, default=6)
    parser.add_argument("--largest", type=int, default=1024)
    parser.add_argument("--save")
    parser.add_argument("--rtol", type=float)
    parser.add_argument("--atol", type=float)
    options = parser.parse_args()

    program = torch.export.load(options.archive)
    package, said = quietly(lambda: torch._inductor.aoti_load_package(options.package))
    bad = [f"loading says: {said.strip()}"] if said.strip() else []
    args, kwargs = program.example_inputs
    eager = program.module()
    sizes = Sizes(program)
    leaves, spec = torch.utils._pytree.tree_flatten((args, kwargs))
    tried, seen = 0, set()

    def attempt(args, kwargs, what):
        nonlocal tried
        found, want = check(eager, package, args, kwargs, options)
        bad.extend(f"{what}{it}" for it in found)
        if want is None:
            return
        if options.save:
            save(options.save, tried, (args, kwargs), want)
        tried += 1

    attempt(args, kwargs, "")
    for seed, chosen in enumerate(sizes.assignments(options.largest) if sizes.symbols else ()):
        if tried > options.sizes:
            break
        if tuple(chosen.values()) not in seen and sizes.allowed(chosen):
            seen.add(tuple(chosen.values()))
            made = torch.utils._pytree.tree_unflatten(sizes.made(leaves, chosen, seed), spec)
            attempt(*made, f"{chosen}: ")
    for it in bad:
        print(f"{os.path.basename(options.package)}: {it}")
    print(f"{os.path.basename(options.package)}: {'differs' if bad else 'agrees'} with eager of "
          f"torch {torch.__version__} at {tried} size{'s' if tried > 1 else ''}")
    sys.exit(bool(bad))


if __name__ == "__main__":
    main()
