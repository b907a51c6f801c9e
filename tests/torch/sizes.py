#!/usr/bin/env python3
"""Exports small models, each with one thing that dynamic sizes can do.

    sizes.py FOLDER [NAME ...]

Writes what export.py writes. What is called `undecided` has lost the guards of its export, as
archives of older versions have none, and must not compile: `sizes.sh` looks for the Python line in
what the compiler says.
"""
import json
import pathlib
import sys
import zipfile

import torch
import torch.nn as nn
import torch.nn.functional as F

import export

Dim = torch.export.Dim
MODELS = {}


def model(*inputs, shapes):
    def add(forward):
        MODELS[forward.__name__] = (forward, inputs, shapes)
        return forward

    return add


half = Dim("half", min=1, max=64)


@model(torch.randn(10, 3), shapes=({0: 2 * half},))
def derived_only(self, x):
    """The only dynamic size is a multiple: the symbol has no size of its own."""
    pairs = x.reshape(x.shape[0] // 2, 2, 3)
    return pairs.sum(1), x.new_zeros(x.shape[0] // 2) + 1, pairs.flip(0)


@model(torch.randn(9, 2), shapes=({0: 2 * half + 1},))
def derived_odd(self, x):
    """One more than a multiple."""
    return x[1::2] * 2 - x[:-1:2], x.mean(0)


rows, columns = Dim("rows", min=1, max=40), Dim("columns", min=1, max=56)


@model(
    torch.randn(3, 4), torch.randn(5, 4), torch.randn(8, 4),
    shapes=({0: Dim.AUTO}, {0: Dim.AUTO}, {0: Dim.AUTO}),
)
def sum_of_two(self, x, y, z):
    """The third input is as long as the other two together."""
    return torch.cat([x, y]) * z, torch.cat([y, x]).softmax(0)


@model(
    torch.randn(6, 5), torch.randn(6), torch.randn(2, 6, 5),
    shapes=({0: rows, 1: columns}, {0: rows}, {1: rows, 2: columns}),
)
def three_inputs(self, x, y, z):
    """One symbol in three inputs, at different dimensions."""
    return x * y[:, None] + z, (z * x).sum((0, 2)) / y.shape[0]


@model(
    torch.randn(7, 6).t(), torch.randn(7, 6, 4)[:, :, ::2],
    shapes=({0: rows, 1: columns}, {0: columns, 1: rows}),
)
def expression_strides(self, x, y):
    """Inputs whose strides are expressions of sizes."""
    return x + 1, x.contiguous().view(-1) * 2, y.relu(), x @ y[:, :, 0]


@model(torch.randn(4, 3), torch.randn(4, 3), shapes=({0: rows}, {0: columns}))
def equal_examples(self, x, y):
    """Two sizes that the example has equal."""
    return x @ y.t(), torch.cat([x, y]).cumsum(0), x.sum() + y.sum()


empty = Dim("empty", min=0, max=48)


@model(
    torch.randn(5, 4), torch.randint(0, 3, (5,)), torch.randn(3, 4),
    shapes=({0: empty}, {0: empty}, None),
)
def size_zero(self, x, at, table):
    """Reductions of nothing give the identity, gathers of nothing touch nothing."""
    return (
        x.sum(0), x.prod(0), x.mean(1), (x > 0).all(0), (x > 0).any(0), table[at] + x,
        x.t() @ x, torch.cat([x, table]), x.cumsum(0), x.softmax(1),
        table.index_add(0, at, x), x.reshape(-1) * 2, x.norm(dim=1), x.t().matmul(table[at]),
    )


some, many = Dim("some", min=4, max=40), Dim("many", min=6, max=61)


@model(torch.randn(6, 9), shapes=({0: some, 1: many},))
def moved(self, x):
    """Negative index arithmetic."""
    n, m = x.shape
    return (
        x.flip(0), x.flip((0, 1)) * 2, x.repeat(2, 3), x.roll(2, 0), x.roll((-1, 3), (0, 1)),
        x.roll(1), x[::2], x[:, 1::3], x[-1:], x[:, :-1], x.reshape(m, n), x.reshape(-1),
        x.t().reshape(-1), x.unsqueeze(0).expand(3, n, m).reshape(3 * n, m),
        x.repeat_interleave(3, 1), x.rot90(), x.tril(-1) + x.triu(1), x.select(0, -1),
        x.narrow(1, 0, 1), x.flip(0)[::2].roll(1, 0), x.repeat(1, 2).flip(1)[:, ::3],
    )


length = Dim("length", min=12, max=301)


@model(torch.randn(2, 21), shapes=({1: length},))
def windows(self, x):
    """Windows by size and step, and padding."""
    return (
        x.unfold(1, 8, 3), x.unfold(1, 5, 4) * 2, F.pad(x, (2, 3)),
        F.pad(x[None], (3, 1), mode="replicate"),
        F.pad(x, (1, 2), mode="reflect"), F.pad(x[None], (3, 1), mode="circular"),
        F.pad(x, (-2, -1)), x.unfold(1, 3, 1).flip(2).sum(2),
    )


@model(torch.randn(2, 21), shapes=({1: Dim.AUTO},))
def halves(self, x):
    """Slices whose ends are expressions; the exporter bounds the size as it needs to."""
    middle = x.shape[1] // 2
    return x[:, :middle] + x[:, -middle:], x[:, middle:] * 2, x[:, middle - 1 : middle + 1]


height, width = Dim("height", min=9, max=70), Dim("width", min=9, max=61)


@model(torch.randn(1, 3, 17, 23), shapes=({2: height, 3: width},))
def pooled_down(self, x):
    """Output sizes of pooling, rounded down."""
    return (
        F.max_pool2d(x, 2), F.max_pool2d(x, 3, 2, 1), F.avg_pool2d(x, 3, 2, 1),
        F.avg_pool2d(x, 3, 2, 1, count_include_pad=False), F.max_pool2d(x, 3, 3, 1, 2),
        F.adaptive_avg_pool2d(x, (3, 2)), F.adaptive_max_pool2d(x, 4),
        F.avg_pool2d(x, 4), F.avg_pool1d(x[0], 2, 1),
    )


@model(torch.randn(1, 3, 17, 23), shapes=({2: Dim.AUTO, 3: Dim.AUTO},))
def pooled_up(self, x):
    """Output sizes of pooling, rounded up, where the last window must start inside."""
    return (
        F.max_pool2d(x, 3, 2, 1, ceil_mode=True), F.avg_pool2d(x, 2, ceil_mode=True),
        F.avg_pool2d(x, 4, 3, 2, ceil_mode=True), F.max_pool1d(x[0], 3, 2, ceil_mode=True),
    )


class Convolutions(nn.Module):
    """Output sizes of convolutions."""

    def __init__(self):
        super().__init__()
        self.plain = nn.Conv2d(3, 4, 3)
        self.strided = nn.Conv2d(3, 4, 5, 2, 2)
        self.dilated = nn.Conv2d(3, 6, 3, 1, 1, 3, groups=3)
        self.up = nn.ConvTranspose2d(3, 2, 3, 2, 1, 1)
        self.line = nn.Conv1d(3, 4, 4, 3)

    def forward(self, x):
        return (
            self.plain(x), self.strided(x).relu(), self.dilated(x), self.up(x),
            self.line(x.flatten(2)),
        )


MODELS["convolutions"] = (
    Convolutions(), (torch.randn(2, 3, 15, 18),), ({0: Dim("N", min=1, max=3), 2: height, 3: width},)
)


@model(torch.randn(1, 2, 12, 10), shapes=({2: height, 3: width},))
def interpolated(self, x):
    """Output sizes by a factor, and by sizes."""
    return (
        F.interpolate(x, scale_factor=2), F.interpolate(x, scale_factor=0.5),
        F.interpolate(x, scale_factor=(1.5, 2.0), mode="bilinear"),
        F.interpolate(x, scale_factor=0.7, mode="bilinear", align_corners=True),
        F.interpolate(x, size=(x.shape[2] * 2, x.shape[3] + 3), mode="nearest"),
    )


@model(torch.randn(6, 4), shapes=({0: rows},))
def size_values(self, x):
    """Sizes as values, and in arithmetic."""
    n = x.shape[0]
    return (
        x / n, torch.arange(n) * (n - 3) // 2, torch.full((n + 1,), n), x * (n % 3),
        torch.eye(n)[:, :1], torch.arange(n, 0, -1), n * 2 + 1, x.sum() * (n // 4),
    )


@model(torch.randn(2, 8, 6), shapes=({0: rows, 1: columns},))
def attention(self, x):
    """A causal mask of a dynamic length."""
    n = x.shape[1]
    mask = torch.ones(n, n, dtype=torch.bool).tril()
    scores = (x @ x.transpose(1, 2)).masked_fill(~mask, float("-inf"))
    return scores.softmax(-1) @ x, F.scaled_dot_product_attention(x, x, x, is_causal=True)


@model(torch.randn(10, 4), torch.randn(6, 4), shapes=({0: Dim.AUTO}, {0: Dim.AUTO}))
def guarded_slice(self, x, y):
    """One size is at most another: only a guard of the export says so."""
    return (
        x[: y.shape[0]] + y, F.pad(y, (0, 0, 0, x.shape[0] - y.shape[0])) * x,
        x[1::2], x[-2:], y.roll(-1, 0),
    )


@model(torch.randn(12), torch.randn(6, 1), shapes=({0: Dim.AUTO}, {0: Dim.AUTO}))
def guarded_split(self, x, y):
    """One size divides another."""
    return x.reshape(y.shape[0], -1) * y, x.reshape(-1, y.shape[0]).sum(0)


@model(torch.randn(10, 4), torch.randn(6, 4), shapes=({0: Dim.AUTO}, {0: Dim.AUTO}))
def guarded_branch(self, x, y):
    """A branch of Python that was taken by the sizes of the example."""
    if x.shape[0] > y.shape[0] and x.shape[0] % 2 == 0:
        return x[: y.shape[0]] * 2 + y
    return y * 3


@model(
    torch.randn(6, 4), torch.randn(8, 3),
    shapes=({0: Dim.AUTO, 1: Dim.AUTO}, {0: Dim.AUTO, 1: Dim.AUTO}),
)
def undecided(self, x, y):
    """Whether two products of sizes are equal no range says: the compiler refuses the sum."""
    return x.reshape(-1) + y.reshape(-1)  # refused here


# With its guards, of which one says that the products are equal.
MODELS["guarded_product"] = MODELS["undecided"]


def make(name):
    forward, inputs, shapes = MODELS[name]
    if not isinstance(forward, nn.Module):
        # The exporter keeps the Python lines of functions of this name.
        forward.__code__ = forward.__code__.replace(co_name="forward")
        forward = type("Model", (nn.Module,), {"forward": forward})()
    return forward, inputs, shapes


def without_guards(path):
    with zipfile.ZipFile(path) as archive:
        members = [(it, archive.read(it)) for it in archive.infolist()]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for info, data in members:
            if info.filename.endswith("models/model.json"):
                data = json.dumps(json.loads(data) | {"guards_code": []}).encode()
            archive.writestr(info, data)


if __name__ == "__main__":
    out = pathlib.Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    for each in sys.argv[2:] or MODELS:
        export.MODELS[each] = lambda: make(each)
        export.write(out, each)
        if each == "undecided":
            without_guards(out / f"{each}.pt2")
        print(out / f"{each}.pt2")
