#!/usr/bin/env python3
"""Cases of control flow and of sizes that only the data knows, against eager.

    run.py export DIR [NAME ...]             writes NAME.pt2 and NAME.K.io.safetensors
    run.py check DIR TINTYPE [NAME ...]      compiles each archive, loads the package with PyTorch's
                                             own loader, and runs it without PyTorch too
    run.py sanitize DIR TINTYPE [NAME ...]   compiles each with the address and undefined-behaviour
                                             sanitizers and runs it without PyTorch
    run.py validate DIR TINTYPE [NAME ...]   evaluates each after every pass, on each of its inputs;
                                             NAME may be an archive NAME.pt2 elsewhere, with its
                                             NAME.io.safetensors beside it

Values, dtypes, shapes and strides are compared, and what either wrote into its inputs; where a run
must fail, it must fail in both ways, with the message. Needs torch and safetensors.
"""
import argparse
import contextlib
import os
import pathlib
import re
import subprocess
import sys
import warnings

import torch
from safetensors.torch import save_file

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import compare  # noqa: E402
import data  # noqa: E402, F401
import flow  # noqa: E402, F401
import generate  # noqa: E402, F401
import modes  # noqa: E402, F401
import nested  # noqa: E402, F401
from cases import CASES, STRICT, Fails  # noqa: E402

leaves = torch.utils._pytree.tree_leaves


def copies(inputs):
    return tuple(it.clone() for it in inputs)


def made(name):
    """The model, its inputs and its dynamic shapes, the same every time."""
    torch.manual_seed(0)
    model, inputs, *shapes = CASES[name]()
    return model.eval(), inputs, shapes[0] if shapes else None


def export(folder, name):
    model, inputs, shapes = made(name)
    with torch.no_grad():
        first = copies(inputs[0])
        program = torch.export.export(model, first, dynamic_shapes=shapes, strict=name in STRICT)
        torch.export.save(program, folder / f"{name}.pt2")
        for k, each in enumerate(inputs):
            fails = isinstance(each, Fails)
            each = each.inputs if fails else each
            tensors = {f"input_{k}": it.contiguous() for k, it in enumerate(each)}
            if not fails:
                answers = leaves(model(*copies(each)))
                answers = [it if isinstance(it, torch.Tensor) else torch.tensor(it) for it in answers]
                tensors |= {f"output_{k}": it.clone().contiguous() for k, it in enumerate(answers)}
            save_file(tensors, folder / f"{name}.{k}.io.safetensors")


def in_torch(package, name):
    """What differs between the package and eager, in PyTorch's own loader."""
    model, inputs, _ = made(name)
    loaded, said = compare.quietly(lambda: torch._inductor.aoti_load_package(str(package)))
    bad = [f"loading says: {said.strip()}"] if said.strip() else []
    options = argparse.Namespace(rtol=None, atol=None)
    for k, each in enumerate(inputs):
        if isinstance(each, Fails):
            failed = []

            def call():
                with contextlib.suppress(RuntimeError):
                    loaded(*copies(each.inputs))
                    failed.append("does not fail")

            _, said = compare.quietly(call)
            if not failed and each.message not in said:
                failed.append(f"says {said.strip()!r}")
            bad += [f"inputs {k}: {it}" for it in failed]
            continue
        found, _ = compare.check(model, loaded, each, {}, options)
        bad += [f"inputs {k}: {it}" for it in found]
    return bad


def preloaded():
    """The environment of a program that loads what sanitizers watch."""
    compiler = os.environ.get("CXX", "g++").split()
    ask = [subprocess.check_output(compiler + [f"-print-file-name=lib{it}.so"], text=True).strip() for it in ("asan", "ubsan")]
    # What the program itself leaves allocated at its end is not looked at.
    return os.environ | {"LD_PRELOAD": ":".join(ask), "ASAN_OPTIONS": "detect_leaks=0"}


def alone(tintype, folder, package, name, env=None):
    """What goes wrong without PyTorch."""
    bad = []
    for k, each in enumerate(made(name)[1]):
        command = [tintype, "run", "--quiet", str(package), "--inputs", str(folder / f"{name}.{k}.io.safetensors")]
        fails = isinstance(each, Fails)
        ran = subprocess.run(command + ([] if fails else ["--check"]), capture_output=True, text=True, env=env)
        said = (ran.stdout + ran.stderr).strip()
        if "Sanitizer" in said or "runtime error" in said:
            bad.append(f"watched, inputs {k}: {said}")
        elif fails and ran.returncode == 0:
            bad.append(f"alone, inputs {k}: does not fail")
        elif fails and each.message not in said:
            bad.append(f"alone, inputs {k}: says {said!r}")
        elif not fails and ran.returncode != 0:
            bad.append(f"alone, inputs {k}: {said}")
    return bad


def check(tintype, folder, name, options):
    archive, package = folder / f"{name}.pt2", folder / f"{name}.package.pt2"
    command = [tintype, "compile", "--quiet", *options, str(archive), "-o", str(package)]
    ran = subprocess.run(command, capture_output=True, text=True)
    if ran.returncode != 0:
        return [(ran.stdout + ran.stderr).strip()]
    return in_torch(package, name) + alone(tintype, folder, package, name)


def sanitize(tintype, folder, name, options):
    """What sanitizers find in runs without PyTorch."""
    archive, library = folder / f"{name}.pt2", folder / f"{name}.watched.so"
    command = [tintype, "compile", "--quiet", "--emit", "so", "--sanitize", "address,undefined"]
    ran = subprocess.run(command + [*options, str(archive), "-o", str(library)], capture_output=True, text=True)
    if ran.returncode != 0:
        return [(ran.stdout + ran.stderr).strip()]
    return alone(tintype, folder, library, name, preloaded())


# What the exporter wrote has no evaluator: values are watched from there on.
UNWATCHED = re.compile(r"  @\S+: (functionalize|decompose|functionalize, decompose): before it: \S+: has no evaluator")


def validated(tintype, archive, inputs, fails, options):
    """What passes change of a model's values, and what kept them from being compared."""
    command = [tintype, "compile", "--validate-each", "--emit", "wrapper", "--inputs", str(inputs), *options, str(archive)]
    ran = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    said = ran.stderr.splitlines()
    at = next((i for i, it in enumerate(said) if it.startswith("validated: ")), None)
    if ran.returncode != 0 or at is None:
        return [ran.stderr.strip()]
    if not fails and not re.match(r"validated: [1-9]", said[at]):
        return [said[at]]
    skipped = [it for it in said[at + 1 :] if it.startswith("  @") and not UNWATCHED.fullmatch(it)]
    # Where a run must fail, evaluating it does, with the message, before and after each pass.
    return [it for it in skipped if not (fails and fails.message in it)]


def validate(tintype, folder, name, options):
    if name.endswith(".pt2"):
        return validated(tintype, name, name.removesuffix(".pt2") + ".io.safetensors", None, options)
    bad = []
    for k, each in enumerate(made(name)[1]):
        fails = each if isinstance(each, Fails) else None
        found = validated(tintype, folder / f"{name}.pt2", folder / f"{name}.{k}.io.safetensors", fails, options)
        bad += [f"inputs {k}: {it}" for it in found]
    return bad


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["export", "check", "sanitize", "validate", "list"])
    parser.add_argument("folder", nargs="?", type=pathlib.Path)
    parser.add_argument("rest", nargs="*")
    parser.add_argument("--option", action="append", default=[], help="given to the compiler")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    if options.what == "list":
        print("\n".join(CASES))
        return
    options.folder.mkdir(parents=True, exist_ok=True)
    tintype, names = (None, options.rest) if options.what == "export" else (options.rest[0], options.rest[1:])
    failed = 0
    for name in names or CASES:
        try:
            if options.what == "export":
                export(options.folder, name)
                bad = []
            else:
                judge = {"check": check, "sanitize": sanitize, "validate": validate}[options.what]
                with torch.no_grad():
                    bad = judge(tintype, options.folder, name, options.option)
        except Exception as error:  # noqa: BLE001: the other cases go on
            bad = [f"{type(error).__name__}: {error}"]
        failed += bool(bad)
        print(f"{'FAILED' if bad else 'ok'}: {name}", flush=True)
        for it in bad:
            print("    " + it.replace("\n", "\n    "), flush=True)
    print(f"{options.what}: {failed} of {len(names or CASES)} failed")
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
