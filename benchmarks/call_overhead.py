"""What a call of a `Derivative` costs beyond the emitted function inside it.

    python benchmarks/call_overhead.py [--quick]

A call finds the specialisation for its arguments' types and checks what the compiled code took for
granted; the emitted function alone does neither.
"""

import argparse
import statistics
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.interleave import duration, interleave


def formula(x, y):
    return (1 - x) * (1 - x) + 100 * (y - x * x) * (y - x * x)


def formula_by_hand(x, y):
    y_bar = 200 * (y - x * x)
    return -2 * (1 - x) - 2 * x * y_bar, y_bar


def squared_error(w, x, y):
    residual = x @ w - y
    return residual @ residual


def squared_error_by_hand(w, x, y):
    return 2 * (x @ w - y) @ x


def cases():
    """Yield title, function, argnums, gradient by hand, and arguments."""
    yield "two floats", formula, (0, 1), formula_by_hand, (0.7, 1.3)
    rng = np.random.default_rng(0)
    arrays = rng.standard_normal(4), rng.standard_normal((8, 4)), rng.standard_normal(8)
    yield "three arrays", squared_error, 0, squared_error_by_hand, arrays


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    rounds = 7 if parser.parse_args(argv).quick else 51
    try:
        from adcompiler import grad
    except ImportError as error:
        grad = None
        print(f"adcompiler skipped (ImportError: {error})\n")

    print("| arguments | by hand | emitted function | call of the Derivative | overhead |")
    print("|---|---|---|---|---|")
    for title, function, argnums, by_hand, args in cases():
        contenders = {"by hand": (by_hand, args)}
        if grad is not None:
            contenders["call"] = grad(function, argnums=argnums), args
            if hasattr(contenders["call"][0], "compiled"):
                contenders["bare"] = contenders["call"][0].compiled(*args), args
        for gradient, _ in contenders.values():
            np.testing.assert_allclose(gradient(*args), by_hand(*args), rtol=1e-10)
        times = interleave(contenders, rounds, 0.002)
        medians = {name: duration(statistics.median(series)) for name, series in times.items()}
        overhead = "-"
        if "bare" in times:
            extra = (call - bare for call, bare in zip(times["call"], times["bare"], strict=True))
            overhead = f"{statistics.median(extra) * 1e9:.0f} ns"
        shown = [medians.get(name, "-") for name in ("by hand", "bare", "call")]
        print("| " + " | ".join([title, *shown, overhead]) + " |")


if __name__ == "__main__":
    main()
