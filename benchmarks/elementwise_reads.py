"""An array read element by element: the gradient must cost O(n), not O(n^2).

    python benchmarks/elementwise_reads.py [--quick]

The adjoint of `x[i]` is `x_bar[i] += ...`; making an array of zeros for each read instead would
take O(n) for every element. The exponent is that of the power of n by which the time grows; the
exit status is 1 if adcompiler's is above 1.2.
"""

import argparse
import math
import statistics
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.interleave import duration, interleave

AUTOGRAD_LIMIT = 10_000  # it is linear, too, but beyond this a call takes seconds


def squares(x):
    s = 0.0
    for i in range(len(x)):
        s += x[i] * x[i]
    return s


def squares_by_hand(x):
    x_bar = np.empty_like(x)
    for i in range(len(x)):
        x_bar[i] = 2 * x[i]
    return x_bar


def sines(x):
    s = 0.0
    for i in range(len(x)):
        s += math.sin(x[i])
    return s


def sines_by_hand(x):
    x_bar = np.empty_like(x)
    for i in range(len(x)):
        x_bar[i] = math.cos(x[i])
    return x_bar


def gradients():
    """Return {(tool, function): (gradient, largest n)} and what was skipped."""
    found = {
        ("by hand", "squares"): (squares_by_hand, math.inf),
        ("by hand", "sines"): (sines_by_hand, math.inf),
    }
    skipped = []
    try:
        from adcompiler import grad
    except ImportError as error:
        skipped.append(f"adcompiler skipped (ImportError: {error})")
    else:
        found["adcompiler", "squares"] = grad(squares), math.inf
        found["adcompiler", "sines"] = grad(sines), math.inf
    try:
        import autograd
    except ImportError as error:
        skipped.append(f"autograd skipped (ImportError: {error})")
    else:
        found["autograd", "squares"] = autograd.grad(squares), AUTOGRAD_LIMIT
    return found, skipped


def exponent(first, last):
    """Return p for which time grows as n**p between two pairs (n, time)."""
    return math.log(last[1] / first[1]) / math.log(last[0] / first[0])


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="up to n = 10,000, fewer rounds")
    quick = parser.parse_args(argv).quick

    found, skipped = gradients()
    times = {who: {} for who in found}
    for n in (1_000, 10_000) if quick else (1_000, 10_000, 100_000):
        x = np.random.default_rng(n).standard_normal(n)
        contenders = {who: (f, (x,)) for who, (f, limit) in found.items() if n <= limit}
        for who, (gradient, args) in contenders.items():
            expected = {"squares": 2 * x, "sines": np.cos(x)}[who[1]]
            np.testing.assert_allclose(gradient(*args), expected, rtol=1e-12, err_msg=str(who))
        turns = interleave(contenders, 5 if quick else 15, 0.005, budget=1.0)
        for who in contenders:
            times[who][n] = statistics.median(turns[who])

    columns = sorted({n for series in times.values() for n in series})
    headings = " | ".join(f"n = {n:,}" for n in columns)
    print(f"| gradient, per element | function | {headings} | exponent |")
    print("|---" * (3 + len(columns)) + "|")
    growth = {}
    for who, series in times.items():
        cells = (duration(series[n] / n) if n in series else "-" for n in columns)
        growth[who] = exponent(min(series.items()), max(series.items()))
        print("| " + " | ".join([*who, *cells, f"{growth[who]:.2f}"]) + " |")
    for note in skipped:
        print(note)
    return int(any(p > 1.2 for (tool, _), p in growth.items() if tool == "adcompiler"))


if __name__ == "__main__":
    sys.exit(main())
