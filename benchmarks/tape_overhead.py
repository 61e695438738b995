"""What a tape costs per operation, where the arithmetic costs next to nothing.

    python benchmarks/tape_overhead.py [--quick]

A chain of `y * c`, `sin(y)`, `y + x`, `y * x` on four float64 numbers, forward and backward, by
both faces of `adcompiler.tape`, by HIPS autograd and by PyTorch, in turn. Python's collector of
cycles stays on: at 100,000 operations it is a large part of what a tape costs. A second table is of
single operations, recorded and not differentiated, and a third of the memory that is held before
the backward pass.

The exit status is 1 if a face takes longer than HIPS autograd at any length.
"""

import argparse
import gc
import statistics
import sys
import time
import tracemalloc
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from adcompiler import tape

START = np.array([0.1, 0.2, 0.3, 0.4])
SCALE = np.array([1.01, 0.99, 1.0, 0.98])


def chain(operations, sin, total, scale):
    """The function of `x` that does so many operations."""

    def function(x):
        y = x
        for _ in range(operations // 4):
            y = y * scale
            y = sin(y)
            y = y + x
            y = y * x
        return total(y)

    return function


def by_array(operations):
    return tape.grad(chain(operations, np.sin, np.sum, SCALE))(START)


def by_tensor(operations):
    x = tape.tensor(START, requires_grad=True)
    chain(operations, tape.sin, tape.sum, tape.tensor(SCALE))(x).backward()
    return x.grad.numpy()


def contenders():
    """Return {name: function of a number of operations} and what is not installed."""
    found = {"tape, `Array`": by_array, "tape, `Tensor`": by_tensor}
    skipped = []
    try:
        import autograd
        import autograd.numpy as anp

        found["HIPS autograd"] = lambda n: autograd.grad(chain(n, anp.sin, anp.sum, SCALE))(START)
    except ImportError:
        skipped.append("autograd")
    try:
        import torch

        torch.set_num_threads(1)
        scale = torch.tensor(SCALE)

        def by_torch(operations):
            x = torch.tensor(START, requires_grad=True)
            chain(operations, torch.sin, torch.sum, scale)(x).backward()
            return x.grad.numpy()

        found["PyTorch"] = by_torch
    except ImportError:
        skipped.append("torch")
    return found, skipped


def measured(found, operations, rounds):
    """Microseconds per operation in each round, by name."""
    times = {name: [] for name in found}
    expected = by_array(operations)
    for function in found.values():
        np.testing.assert_allclose(function(operations), expected, rtol=1e-9)
    for _ in range(rounds):
        for name, function in found.items():
            gc.collect()
            begin = time.perf_counter()
            function(operations)
            times[name].append((time.perf_counter() - begin) / operations * 1e6)
    return times


SINGLE = {
    "`x * 2.0`": lambda m, x, y, c, a: x * 2.0,
    "`x * y`": lambda m, x, y, c, a: x * y,
    "`x * x[0]`": lambda m, x, y, c, a: x * x[0],
    "`sin(x)`": lambda m, x, y, c, a: m.sin(x),
    "`x.sum()`": lambda m, x, y, c, a: x.sum(),
    "`x[1:]`": lambda m, x, y, c, a: x[1:],
    "`A @ x`": lambda m, x, y, c, a: a @ x,
}


def single(rounds):
    """Microseconds for one recorded operation, by its name and by that of the tape."""
    kinds = {}

    def collect(x):
        y, a = x * 1.0, np.reshape(np.tile(x, 4), (4, 4))
        kinds["tape, `Array`"] = (np, x, y, SCALE, a)
        run("tape, `Array`")
        return np.sum(x)

    rows = {name: {} for name in SINGLE}

    def run(kind):
        trips = range(1000)
        for name, operation in SINGLE.items():
            best = []
            for _ in range(rounds):
                begin = time.perf_counter()
                for _ in trips:
                    operation(*kinds[kind])
                best.append((time.perf_counter() - begin) * 1e3)
            rows[name][kind] = statistics.median(best)

    tape.grad(collect)(START)
    x = tape.tensor(START, requires_grad=True)
    kinds["tape, `Tensor`"] = (tape, x, x * 1.0, SCALE, tape.stack([x] * 4))
    run("tape, `Tensor`")
    try:
        import autograd
        import autograd.numpy as anp

        def collect_hips(x):
            kinds["HIPS autograd"] = (anp, x, x * 1.0, SCALE, anp.reshape(anp.tile(x, 4), (4, 4)))
            rows_of = dict(SINGLE)
            rows_of["`x.sum()`"] = lambda m, x, y, c, a: m.sum(x)
            kept = dict(SINGLE)
            SINGLE.update(rows_of)
            run("HIPS autograd")
            SINGLE.update(kept)
            return anp.sum(x)

        autograd.grad(collect_hips)(START)
    except ImportError:
        pass
    try:
        import torch

        x = torch.tensor(START, requires_grad=True)
        kinds["PyTorch"] = (torch, x, x * 1.0, SCALE, torch.stack([x] * 4))
        run("PyTorch")
    except ImportError:
        pass
    return rows


def bytes_held(operations):
    """Bytes per operation that the faces hold before the backward pass, arrays included."""
    held = {}
    function = chain(operations, np.sin, np.sum, SCALE)
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    recording = tape.record(function, START)
    held["tape, `Array`"] = (tracemalloc.get_traced_memory()[0] - before) / operations
    del recording
    x = tape.tensor(START, requires_grad=True)
    before = tracemalloc.get_traced_memory()[0]
    y = chain(operations, tape.sin, tape.sum, tape.tensor(SCALE))(x)
    held["tape, `Tensor`"] = (tracemalloc.get_traced_memory()[0] - before) / operations
    del y
    tracemalloc.stop()
    return held


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer rounds, 10,000 operations")
    quick = parser.parse_args().quick
    found, skipped = contenders()
    lengths = (1_000, 10_000) if quick else (1_000, 100_000)
    columns = {
        n: measured(found, n, (5 if quick else 30) if n == 1_000 else (2 if quick else 7))
        for n in lengths
    }
    titles = [f"{n:,} operations" for n in lengths]
    print(f"| us per operation, forward + backward | {' | '.join(titles)} |")
    print("|---|" + "---|" * len(lengths))
    for name in found:
        cells = [f"{statistics.median(columns[n][name]):.2f}" for n in lengths]
        print(f"| {name} | {' | '.join(cells)} |")
    worst = 0.0
    for rival in ("HIPS autograd", "PyTorch"):
        if rival in found:
            for name in list(found)[:2]:
                ratios = [
                    statistics.median(
                        a / b for a, b in zip(columns[n][name], columns[n][rival], strict=True)
                    )
                    for n in lengths
                ]
                if rival == "HIPS autograd":
                    worst = max(worst, *ratios)
                print(f"| {name}, in units of {rival} | {' | '.join(f'{r:.2f}' for r in ratios)} |")
    rows = single(3 if quick else 9)
    kinds = list(next(iter(rows.values())))
    print(f"\n| us to record | {' | '.join(kinds)} |\n|---|" + "---|" * len(kinds))
    for name, row in rows.items():
        print(f"| {name} | {' | '.join(f'{row[kind]:.2f}' for kind in kinds)} |")
    held = bytes_held(10_000)
    print(f"\n| bytes per operation | {' | '.join(held)} |\n|---|" + "---|" * len(held))
    print(f"| held before backward | {' | '.join(f'{b:.0f}' for b in held.values())} |")
    for name in skipped:
        print(f"\nLeft out, since it is not installed: {name}.")
    return 1 if worst > 1 else 0


if __name__ == "__main__":
    sys.exit(main())
