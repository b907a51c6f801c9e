#!/usr/bin/env python3
"""Simplifies size expressions with sympy and with ours, and compares time and outcome.

    sympy_sizes.py MEASURE [ARCHIVE.pt2 ...] [--random N] [--seed N] [--show]

MEASURE is the program that crates/sym/examples/measure.rs builds. The expressions are those of the
archives, each once per archive, and N random ones. For both kinds one line of JSON: how many, the
geometric mean of sympy's time by ours, and the share of results of ours that have more operations
as printed in C++, by us and by PyTorch. Needs torch, for the functions that its sizes are made of.
"""
import argparse
import json
import math
import re
import signal
import subprocess
import sys
import time
import zipfile

import sympy
import torch.utils._sympy.functions as functions
from torch.utils._sympy.printers import CppPrinter

NAMES = {name: getattr(functions, name) for name in dir(functions) if not name.startswith("_")}
# What is longer is a case sympy gets lost in; it counts with this time.
LIMIT_S = 20
TURNS = 3


def of_archive(path):
    """The expressions of an archive with the ranges of its symbols."""
    with zipfile.ZipFile(path) as archive:
        names = [it for it in archive.namelist() if it.endswith(("models/model.json", "serialized_exported_program.json"))]
        program = json.loads(archive.read(names[0]))
    found, ranges = {}, []
    for name, it in program.get("range_constraints", {}).items():
        if name.isidentifier():
            ends = [it.get("min_val"), it.get("max_val")]
            ranges.append(f"{name}={':'.join('' if end is None else str(end) for end in ends)}")

    def walk(node):
        if isinstance(node, dict):
            if isinstance(node.get("expr_str"), str):
                found[node["expr_str"]] = True
            for each in node.values():
                walk(each)
        elif isinstance(node, list):
            for each in node:
                walk(each)

    walk(program)
    return [(text, ",".join(ranges)) for text in found]


CASTS = {"tt_int", "tt_toint", "double", "static_cast", "int64_t"}
TOKEN = re.compile(r"static_cast<[^>]*>|[A-Za-z_][\w:]*|\d[\w.]*|<<|>>|&&|\|\||[<>=!]=|[-+*/%&|<>!?]|\(|\)|,|:")


def operations(cpp):
    """The operations of C++: operators, and calls that are not casts."""
    tokens = TOKEN.findall(cpp.replace("std::", "").replace("c10::", ""))
    count = 0
    for before, token, after in zip([""] + tokens, tokens, tokens[1:] + [""]):
        if token[0].isalpha() or token[0] == "_":
            count += after == "(" and token not in CASTS and not token.startswith("static_cast")
        elif token == "-" and before in ("", "(", ",", "?", ":") and after[:1].isdigit():
            continue
        elif token not in "(),:" and not token[0].isdigit():
            count += 1
    return count


def printed(result):
    """sympy's result as PyTorch prints it in C++; none where it does not."""
    try:
        return CppPrinter().doprint(result)
    except Exception:
        return None


def with_sympy(text):
    """The expression as archives write it, sympy's result, and the seconds; none if it fails."""

    def late(*_):
        raise TimeoutError

    try:
        expr = sympy.sympify(text, locals=NAMES)
        if not isinstance(expr, sympy.Basic) or expr.has(sympy.zoo, sympy.nan, sympy.I):
            return None
    except Exception:
        return None
    best = math.inf
    signal.signal(signal.SIGVTALRM, late)
    # The least of a few times, each without what the one before has kept, as ours is taken.
    for _ in range(TURNS):
        sympy.core.cache.clear_cache()
        signal.setitimer(signal.ITIMER_VIRTUAL, LIMIT_S)
        start = time.perf_counter()
        try:
            result = sympy.simplify(expr)
        except TimeoutError:
            result = expr
        except Exception:
            return None
        finally:
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        best = min(best, time.perf_counter() - start)
        if best > 0.3:
            break
    return sympy.srepr(expr), result, best


def compare(kind, measure, lines, count, show):
    tried, theirs = [], []
    for text, ranges in lines:
        done = with_sympy(text)
        if done is not None:
            tried.append(f"{done[0]}\t{ranges}\n")
            theirs.append(done[1:])
        if len(tried) == count:
            break
    answers = subprocess.run(
        [measure, "simplify"], input="".join(tried), capture_output=True, text=True, check=True
    ).stdout.splitlines()
    ratios, costlier, unread, unprinted = [], 0, 0, 0
    ours_ms, theirs_ms = 0.0, 0.0
    for line, answer, (result, seconds) in zip(tried, answers, theirs, strict=True):
        nanoseconds, ours, *cpp = answer.split("\t")
        if nanoseconds == "-":
            unread += 1
            if show:
                print(f"not read: {ours}: {line.strip()}", file=sys.stderr)
            continue
        ratios.append(seconds * 1e9 / int(nanoseconds))
        ours_ms += int(nanoseconds) / 1e6
        theirs_ms += seconds * 1e3
        their_cpp = printed(result)
        if their_cpp is None:
            unprinted += 1
        elif operations(their_cpp) < operations(cpp[0]):
            costlier += 1
            if show:
                both = f"  ours   {ours}\n         {cpp[0]}\n  sympy  {result}\n         {their_cpp}"
                print(f"costlier: {line.strip()}\n{both}", file=sys.stderr)
    if not ratios:
        return
    mean = math.exp(sum(map(math.log, ratios)) / len(ratios))
    print(json.dumps({
        "expressions": kind, "count": len(ratios), "not_read": unread, "times_faster": round(mean, 1),
        "slowest_ratio": round(min(ratios), 2), "costlier_percent": round(100 * costlier / max(len(ratios) - unprinted, 1), 2),
        "not_printed": unprinted,
        "ours_ms": round(ours_ms, 3), "sympy_ms": round(theirs_ms, 1),
    }), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("measure")
    parser.add_argument("archives", nargs="*")
    parser.add_argument("--random", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=4)
    parser.add_argument("--show", action="store_true")
    options = parser.parse_args()
    lines = [line for path in options.archives for line in of_archive(path)]
    compare("archives", options.measure, lines, len(lines), options.show)
    if options.random:
        # Some of them sympy cannot build.
        asked = [options.measure, "random", str(3 * options.random), str(options.seed)]
        text = subprocess.run(asked, capture_output=True, text=True, check=True).stdout
        lines = [line.split("\t") for line in text.splitlines()]
        compare("random", options.measure, lines, options.random, options.show)


if __name__ == "__main__":
    main()
