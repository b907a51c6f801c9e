#!/usr/bin/env python3
"""Outputs that are views of inputs, for inputs that lie otherwise than the exported ones.

    strides.py TINTYPE

Values are eager's for any strides; the memory is shared where the strides are those of the export.
What the model writes must lie as exported, and is refused otherwise. Needs torch.
"""
import pathlib
import subprocess
import sys
import tempfile

import torch

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import compare  # noqa: E402

bad = []


class Reads(torch.nn.Module):
    def forward(self, x):
        return x.t(), x, x.reshape(5, 4), x + 1, x.t().expand(5, 4)


class Parts(torch.nn.Module):
    def forward(self, x):
        a, b = x.split([2, 3], 1)
        return x[1:], b, x[-1], x[:, 1::2].t(), x.diagonal(1), x.unbind(1)[2], x[2:, 1:].reshape(-1, 2, 2)


class Writes(torch.nn.Module):
    def forward(self, x):
        x.add_(1)
        return x.t(), x * 2


def lying():
    dense = torch.arange(20.0).view(4, 5)
    yield "as exported", dense
    yield "transposed", torch.arange(20.0).view(5, 4).t()
    yield "every other", torch.arange(40.0).view(4, 10)[:, ::2]
    yield "repeated", torch.arange(5.0).expand(4, 5)
    yield "from an offset", torch.arange(30.0).view(6, 5)[2:]


with tempfile.TemporaryDirectory() as folder:
    folder = pathlib.Path(folder)
    loaded = {}
    for name, model in (("reads", Reads()), ("writes", Writes()), ("parts", Parts())):
        torch.export.save(torch.export.export(model, (torch.randn(4, 5),)), folder / f"{name}.pt2")
        package = folder / f"{name}.package.pt2"
        subprocess.run([sys.argv[1], "compile", "--quiet", str(folder / f"{name}.pt2"), "-o", str(package)], check=True)
        loaded[name] = torch._inductor.aoti_load_package(str(package))
    for what, x in lying():
        found, wanted = loaded["reads"](x), Reads()(x)
        bad += [f"{what}: output {i} differs" for i, (a, b) in enumerate(zip(found, wanted)) if not torch.equal(a, b)]
        as_exported = x.is_contiguous()
        if (found[0].data_ptr() == x.data_ptr()) != as_exported or found[1].data_ptr() != x.data_ptr():
            bad.append(f"{what}: shares the wrong memory")
        found, wanted = loaded["parts"](x), Parts()(x)
        for i, (a, b) in enumerate(zip(found, wanted)):
            if not torch.equal(a, b):
                bad.append(f"{what}: part {i} differs")
            if as_exported and (a.data_ptr(), a.stride()) != (b.data_ptr(), b.stride()) and b.data_ptr() in range(x.data_ptr(), x.data_ptr() + x.nbytes):
                bad.append(f"{what}: part {i} lies elsewhere")
        mine = x.clone(memory_format=torch.preserve_format) if what != "repeated" else x.contiguous()
        wanted = Writes()(mine.clone())
        if mine.is_contiguous():
            found = loaded["writes"](mine)
            bad += [f"{what}: written output {i} differs" for i, (a, b) in enumerate(zip(found, wanted)) if not torch.equal(a, b)]
            if found[0].data_ptr() != mine.data_ptr():
                bad.append(f"{what}: what was written is not what is handed over")
        else:
            failed = []

            def call():
                try:
                    loaded["writes"](mine)
                except RuntimeError:
                    failed.append(what)

            _, said = compare.quietly(call)
            if not failed or "stride of dimension" not in said:
                bad.append(f"{what}: says {said.strip()!r}")
for it in bad:
    print("  " + it)
print(f"views of inputs: {len(bad)} failed")
sys.exit(bool(bad))
