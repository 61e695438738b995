"""Emitted source, pinned: whoever changes what users would read sees it in the diff.

    python -m tests.test_golden --update

writes the files of `tests/golden` anew.
"""

import importlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from adcompiler import grad

GOLDEN = Path(__file__).parent / "golden"
BY_HAND = ["scalar_formula", "scalar_loop", "rk4", "mlp", "logistic", "stencil", "lu", "attention"]


def newton(a):
    x = a
    while abs(x * x - a) > 1e-12:
        x = 0.5 * (x + a / x)
    return x


def rows_doubled(A):
    s = 0.0
    for i in range(len(A)):
        row = A[i]
        row *= 2
        s += row @ row
    return s


def stacked(x, n):
    xs = [x]
    for _ in range(n):
        xs.append(np.sin(xs[-1]))
    return np.sum(np.stack(xs) ** 2)


def chosen(a, b, x):
    v = a if x > 0 else b
    v[0] = x
    return np.sum(a * b)


def power(x, n):
    if n == 0:
        return 1.0
    return x * power(x, n - 1)


OWN = {
    newton: (2.0,),
    rows_doubled: (np.ones((2, 3)),),
    stacked: (np.ones(3), 4),
    chosen: (np.ones(3), np.ones(3), 1.0),
    power: (2.0, 3),
}


def sources():
    """Name -> emitted gradient."""
    for name in BY_HAND:
        module = importlib.import_module(f"benchmarks.by_hand.{name}")
        inputs = module.inputs(module.small)
        yield name, grad(module.primal, argnums=module.argnums).source(*inputs)
    for function, inputs in OWN.items():
        argnums = tuple(k for k, v in enumerate(inputs) if not isinstance(v, int))
        yield function.__name__, grad(function, argnums=argnums).source(*inputs)


@pytest.mark.parametrize("name", [*BY_HAND, *(f.__name__ for f in OWN)])
def test_emitted_source(name):
    assert dict(sources())[name] == (GOLDEN / f"{name}.py").read_text()


def test_source_is_the_same_in_every_process():
    """To the byte, whatever the hashes of strings are."""
    program = (
        "from tests.test_golden import sources\n"
        "import hashlib\n"
        "text = ''.join(source for _, source in sources())\n"
        "print(hashlib.sha256(text.encode()).hexdigest())"
    )
    root = Path(__file__).parent.parent
    seen = {
        subprocess.run(
            [sys.executable, "-c", program],
            cwd=root,
            env={**os.environ, "PYTHONHASHSEED": str(seed)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in (0, 1, 2)
    }
    assert len(seen) == 1


if __name__ == "__main__":
    if sys.argv[1:] != ["--update"]:
        sys.exit("usage: python -m tests.test_golden --update")
    from tests.test_golden import sources as named

    for golden_name, text in named():
        (GOLDEN / f"{golden_name}.py").write_text(text)
