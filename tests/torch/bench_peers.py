#!/usr/bin/env python3
"""Times a model as its user would run it otherwise, each way in a process of its own.

    bench_peers.py ARCHIVE.pt2 INPUTS.safetensors PACKAGE.pt2 [--peers eager,aoti,aoti_max]

Prints one line of JSON for each peer and one for the package, which runs under the same loader
as AOTInductor's: seconds from archive to ready, the median, least and greatest latency in
milliseconds, the largest difference from the recorded outputs, and the peak of memory.
Needs torch and safetensors.
"""
import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time


def recorded(path):
    from safetensors import safe_open

    with safe_open(path, "pt") as file:
        tensors = {it: file.get_tensor(it) for it in file.keys()}
    number = lambda name: int(name.rsplit("_", 1)[1])
    inputs = sorted((it for it in tensors if it.startswith("input_")), key=number)
    return [tensors[it] for it in inputs], {
        number(it): tensors[it] for it in tensors if it.startswith("output_")
    }


def prepare(options, torch):
    """A function to call, for the peer of that name."""
    if options.one == "package":
        return torch._inductor.aoti_load_package(options.package)
    program = torch.export.load(options.archive)
    if options.one == "eager":
        return program.module()
    configs = {"aoti": {}, "aoti_max": {"max_autotune": True, "freezing": True}}[options.one]
    folder = tempfile.mkdtemp()
    path = torch._inductor.aoti_compile_and_package(
        program, package_path=os.path.join(folder, "peer.pt2"), inductor_configs=configs
    )
    return torch._inductor.aoti_load_package(path)


def measure(options):
    os.environ["OMP_NUM_THREADS"] = str(options.threads)
    # A cache of its own: what is timed includes compiling.
    os.environ["TORCHINDUCTOR_CACHE_DIR"] = tempfile.mkdtemp()
    import torch

    torch.set_num_threads(options.threads)
    inputs, outputs = recorded(options.inputs)
    result = {"model": os.path.basename(options.archive), "peer": options.one}
    with torch.no_grad():
        start = time.perf_counter()
        call = prepare(options, torch)
        result["ready_s"] = round(time.perf_counter() - start, 3)
        given = torch.utils._pytree.tree_leaves(call(*[it.clone() for it in inputs]))
        errors = [
            float((given[k].double() - want.double()).abs().max())
            for k, want in outputs.items()
            if k < len(given) and given[k].shape == want.shape and want.numel()
        ]
        result["max_error"] = max(errors, default=None)
        for _ in range(3):
            call(*inputs)
        times = []
        end = time.perf_counter() + options.seconds
        while len(times) < 5 or time.perf_counter() < end and len(times) < 10000:
            start = time.perf_counter()
            call(*inputs)
            times.append((time.perf_counter() - start) * 1e3)
    result["median_ms"] = round(statistics.median(times), 4)
    result["least_ms"] = round(min(times), 4)
    result["greatest_ms"] = round(max(times), 4)
    result["peak_MiB"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(json.dumps(result))


def in_a_process(peer, environment=None):
    """This script again for one peer: its last line of JSON, or none, and what it said last."""
    command = [sys.executable, *sys.argv, "--one", peer]
    done = subprocess.run(command, capture_output=True, text=True, timeout=1800, env=environment)
    lines = [it for it in done.stdout.splitlines() if it.startswith("{")]
    return lines[-1] if lines else None, (done.stderr.strip().splitlines() or ["no output"])[-1]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("archive")
    parser.add_argument("inputs")
    parser.add_argument("package")
    parser.add_argument("--peers", default="eager,aoti")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--one", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        measure(options)
        return
    for peer in [it for it in options.peers.split(",") if it] + ["package"]:
        line, reason = in_a_process(peer)
        failed = {"model": os.path.basename(options.archive), "peer": peer, "error": reason[:200]}
        print(line or json.dumps(failed), flush=True)


if __name__ == "__main__":
    main()
