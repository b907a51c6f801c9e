#!/usr/bin/env python3
"""The memory of a run, beside AOTInductor's: what is allocated between its begin and its end.

    memory_peers.py ARCHIVE.pt2 INPUTS.safetensors PACKAGE.pt2 [--peers aoti] [--threads 2]

Each way runs in a process of its own, under the same loader, below an allocator that counts every
byte. Prints one line of JSON for each: `run_bytes`, the most that was allocated at once in a run
beyond what was there before it, outputs among it; `held_bytes`, what runs have left for later ones;
`total_bytes`, both together: the most beyond what was there once the model was loaded, so weights
are not counted. Exit status 1 if the package needs more in total than a peer. A peer may hold what
is no memory of runs, so its `run_bytes` alone is the least that can be said of it; a package's
arena is what it holds. Needs torch, safetensors and a C compiler.
"""
import argparse
import ctypes
import gc
import json
import os
import subprocess
import sys
import tempfile

import bench_peers

# What Python itself allocates while it calls a model.
NOISE = 64 << 10


def measure(options):
    os.environ["OMP_NUM_THREADS"] = str(options.threads)
    import torch

    torch.set_num_threads(options.threads)
    counter = ctypes.CDLL(None)
    for it in (counter.live_bytes, counter.peak_bytes):
        it.restype = ctypes.c_long
    inputs, _ = bench_peers.recorded(options.inputs)
    with torch.no_grad():
        call = bench_peers.prepare(options, torch)
        gc.collect()
        loaded = counter.live_bytes()
        # The last of some runs, so that what is made once is there.
        for _ in range(4):
            gc.collect()
            before = counter.live_bytes()
            counter.forget_peak()
            given = call(*inputs)
            most = counter.peak_bytes()
            leaves = torch.utils._pytree.tree_leaves(given)
            outputs = sum(it.untyped_storage().nbytes() for it in leaves if torch.is_tensor(it))
            del given, leaves
    run, held = most - before, max(before - loaded, 0)
    result = {"model": os.path.basename(options.archive), "peer": options.one}
    result |= {"run_bytes": run, "held_bytes": held, "output_bytes": outputs, "total_bytes": run + held}
    print(json.dumps(result))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("archive")
    parser.add_argument("inputs")
    parser.add_argument("package")
    parser.add_argument("--peers", default="aoti")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--one", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        measure(options)
        return 0
    totals = {}
    with tempfile.TemporaryDirectory() as folder:
        library = os.path.join(folder, "live_bytes.so")
        source = os.path.join(os.path.dirname(os.path.abspath(__file__)), "live_bytes.c")
        compiler = os.environ.get("CC", "cc")
        subprocess.run([compiler, "-O1", "-shared", "-fPIC", source, "-o", library], check=True)
        for peer in [it for it in options.peers.split(",") if it] + ["package"]:
            environment = os.environ | {"LD_PRELOAD": library}
            line, reason = bench_peers.in_a_process(peer, environment)
            if line is None:
                print(reason, file=sys.stderr)
                return 1
            print(line, flush=True)
            totals[peer] = json.loads(line)["total_bytes"]
    ours = totals.pop("package")
    return int(any(peer + NOISE < ours for peer in totals.values()))


if __name__ == "__main__":
    sys.exit(main())
