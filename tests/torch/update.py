#!/usr/bin/env python3
"""New weights for a loaded package, against eager: through PyTorch's own loader and its runner.

    update.py TINTYPE

With --updatable every constant can be replaced: copied or read where the caller has it, at once or in
the set that runs do not read, until the two are swapped. Without it, what was packed or folded is
refused by name, and the model goes on as it was. Needs torch.
"""
import pathlib
import subprocess
import sys
import tempfile
import warnings

import torch
import torch.nn as nn

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import compare  # noqa: E402

warnings.simplefilter("ignore")
bad = []


class Products(nn.Module):
    """Weights that are packed, folded, read as they are, and state."""

    def __init__(self):
        super().__init__()
        self.first = nn.Linear(12, 40)
        self.norm = nn.BatchNorm1d(40)
        self.second = nn.Linear(40, 12)
        self.scale = nn.Parameter(torch.randn(12))
        self.register_buffer("shift", torch.randn(12))
        self.register_buffer("total", torch.zeros(12))

    def forward(self, x):
        x = self.second(self.norm(self.first(x)).relu()) * self.scale + self.shift
        self.total.add_(x.sum(0))
        return x, self.total * 1


class Images(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.head = nn.Linear(8, 5)

    def forward(self, x):
        return self.head(self.norm(self.conv(x)).relu().mean((2, 3)))


class Tied(nn.Module):
    """One weight by two names, and a view of a storage that another buffer sees too."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(20, 8)
        self.head = nn.Linear(8, 20, bias=False)
        self.head.weight = self.embedding.weight
        table = torch.randn(4, 8)
        self.register_buffer("table", table)
        self.register_buffer("row", table[1])

    def forward(self, x):
        return self.head(self.embedding(x) + self.row) + self.table.sum()


class Branches(nn.Module):
    """Weights that only the bodies of control flow read."""

    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(6, 6), nn.Linear(6, 6)

    def forward(self, x):
        return torch.cond(x.sum() > 0, lambda x: self.a(x).sin(), lambda x: self.b(x).cos(), (x,))


MODELS = {
    "products": (Products, (torch.randn(7, 12),)),
    "images": (Images, (torch.randn(2, 3, 9, 9),)),
    "tied": (Tied, (torch.arange(6),)),
    "branches": (Branches, (torch.ones(3, 6),)),
}


def made(name, seed):
    torch.manual_seed(seed)
    model = MODELS[name][0]().eval()
    for it in model.modules():
        if isinstance(it, (nn.BatchNorm1d, nn.BatchNorm2d)):
            it.running_mean.normal_()
            it.running_var.uniform_(0.5, 2)
    return model


def expect(what, condition):
    if not condition:
        bad.append(what)


def agrees(what, found, model, inputs):
    with torch.no_grad():
        wanted = torch.utils._pytree.tree_leaves(model(*inputs))
    for a, b in zip(torch.utils._pytree.tree_leaves(found), wanted, strict=True):
        expect(what, a.shape == b.shape and torch.allclose(a, b, rtol=1e-4, atol=1e-5))


def refused(what, part, call):
    failed = []

    def attempt():
        try:
            call()
        except RuntimeError as error:
            failed.append(str(error))

    _, said = compare.quietly(attempt)
    expect(f"{what}: is not refused", failed)
    expect(f"{what}: says {said.strip()!r} {failed}", part in said + "".join(failed))


def constants(model, loaded):
    """The tensors of a model that the package asks for."""
    state = dict(model.named_parameters(remove_duplicate=False)) | dict(model.named_buffers(remove_duplicate=False))
    return {name: state[name].detach().clone() for name in loaded.get_constant_fqns()}


def replaced(name, package):
    """What PyTorch's loader does, with a package of which everything can be replaced."""
    inputs = MODELS[name][1]
    loaded = torch._inductor.aoti_load_package(str(package))
    first, second, third = made(name, 0), made(name, 1), made(name, 2)
    agrees(f"{name}: as compiled", loaded(*inputs), first, inputs)
    loaded.load_constants(constants(second, loaded), check_full_update=True)
    agrees(f"{name}: replaced", loaded(*inputs), second, inputs)
    agrees(f"{name}: replaced, run again", loaded(*inputs), second, inputs)
    mine = constants(third, loaded)
    loaded.load_constants(mine, check_full_update=True, user_managed=True)
    agrees(f"{name}: the caller's memory", loaded(*inputs), third, inputs)
    again = made(name, 1)
    loaded.load_constants(constants(again, loaded), check_full_update=True)
    agrees(f"{name}: copied once more", loaded(*inputs), again, inputs)


def watched():
    """The caller's memory is read where it is; what does not fit is refused and changes nothing."""
    package = built("products", True)
    inputs = MODELS["products"][1]
    loaded = torch._inductor.aoti_load_package(str(package))
    model = made("products", 0)
    scale = model.scale.detach().clone()
    loaded.load_constants({"scale": scale}, check_full_update=False, user_managed=True)
    agrees("in place", loaded(*inputs), model, inputs)
    with torch.no_grad():
        scale.mul_(3)
        model.scale.mul_(3)
    agrees("in place, changed by the caller", loaded(*inputs), model, inputs)
    part = {"scale": torch.zeros(12), "shift": torch.zeros(12, dtype=torch.float64)}
    refused("dtype", "'shift' is float32, but", lambda: loaded.load_constants(part, check_full_update=False))
    refused("shape", "'scale': dimension 0 has size 12", lambda: loaded.load_constants({"scale": torch.zeros(11)}, check_full_update=False))
    refused("missing", "is missing", lambda: loaded.load_constants({"scale": torch.zeros(12)}, check_full_update=True))
    strided = torch.zeros(24)[::2]
    refused("strides", "has stride", lambda: loaded.load_constants({"scale": strided}, check_full_update=False, user_managed=True))
    agrees("after what was refused", loaded(*inputs), model, inputs)
    # Copies take any strides.
    loaded.load_constants({"scale": strided}, check_full_update=False)
    with torch.no_grad():
        model.scale.zero_()
    agrees("from other strides", loaded(*inputs), model, inputs)


def baked():
    package = built("products", False)
    inputs = MODELS["products"][1]
    loaded = torch._inductor.aoti_load_package(str(package))
    model = made("products", 0)
    agrees("packed", loaded(*inputs), model, inputs)
    new = {"second.weight": torch.zeros(12, 40), "scale": torch.zeros(12)}
    refused("packed", "'second.weight' was packed or folded", lambda: loaded.load_constants(new, check_full_update=False))
    agrees("packed, after what was refused", loaded(*inputs), model, inputs)
    loaded.load_constants({"scale": torch.zeros(12)}, check_full_update=False)
    with torch.no_grad():
        model.scale.zero_()
    agrees("what is read as it is", loaded(*inputs), model, inputs)


def swapped():
    """The runner: the other set of constants, and its state."""
    library = built("products", True, "so")
    inputs = list(MODELS["products"][1])
    runner = torch._C._aoti.AOTIModelContainerRunnerCpu(str(library), 1)
    first, second = made("products", 0), made("products", 1)
    names = runner.get_constant_names_to_original_fqns()

    def named(model):
        state = dict(model.named_parameters()) | dict(model.named_buffers())
        return {name: state[fqn].detach().clone() for name, fqn in names.items() if fqn in state}

    agrees("one set", runner.run(inputs), first, inputs)
    refused("no other set", "no inactive set", runner.swap_constant_buffer)
    runner.update_constant_buffer(named(second), True, True)
    agrees("the other set is not read yet", runner.run(inputs), first, inputs)
    runner.swap_constant_buffer()
    agrees("the other set", runner.run(inputs), second, inputs)
    agrees("its state", runner.run(inputs), second, inputs)
    found = runner.extract_constants_map(False)
    expect("what is extracted", torch.equal(found["first.weight"], second.first.weight.detach()))
    runner.swap_constant_buffer()
    agrees("back", runner.run(inputs), first, inputs)
    # A part: the rest is what runs read now, state too.
    with torch.no_grad():
        first.scale.fill_(2)
    runner.free_inactive_constant_buffer()
    scale = {name: torch.full((12,), 2.0) for name, fqn in names.items() if fqn == "scale"}
    runner.update_constant_buffer(scale, True, False)
    runner.swap_constant_buffer()
    agrees("a part of the other set", runner.run(inputs), first, inputs)


def built(name, updatable, emit="package"):
    model, inputs = made(name, 0), MODELS[name][1]
    archive = folder / f"{name}.pt2"
    if not archive.exists():
        with torch.no_grad():
            torch.export.save(torch.export.export(model, inputs), archive)
    output = folder / f"{name}.{updatable}.{'so' if emit == 'so' else 'package.pt2'}"
    options = ["--updatable"] if updatable else []
    subprocess.run([sys.argv[1], "compile", "--quiet", "--emit", emit, *options, str(archive), "-o", str(output)], check=True)
    return output


with tempfile.TemporaryDirectory() as folder:
    folder = pathlib.Path(folder)
    torch.set_num_threads(1)
    for it in MODELS:
        replaced(it, built(it, True))
    watched()
    baked()
    swapped()
for it in bad:
    print("  " + it)
print(f"new weights: {len(bad)} failed")
sys.exit(bool(bad))
