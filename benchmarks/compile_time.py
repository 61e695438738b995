"""How long a user waits: for the import, and for the derivative of a typical function.

    python benchmarks/compile_time.py [--quick]

Four waits are measured, each on fresh objects: a module with a copy of the function is written
for each trial, so that no cache can help.

* `import adcompiler` beside `import numpy`, each in a new process;
* the emitted source of a function not seen before, the rulebook already read;
* its first call, likewise;
* everything from the start of a script to its first gradient, in a new process.
"""

import argparse
import importlib.util
import inspect
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.interleave import duration

ROOT = Path(__file__).resolve().parents[1]


def typical(weights, bias, series, steps, limit):
    """A small recurrent filter with saturation: 30 lines with loops, branches and arrays."""
    width = weights.shape[0]
    state = np.zeros(width)
    history = np.zeros((steps, width))
    penalty = 0.0
    for t in range(steps):
        drive = np.tanh(weights @ state + bias)
        if t % 2 == 0:
            drive = drive + series[t]
        else:
            drive = 0.5 * drive
        size = np.sqrt(np.sum(drive * drive))
        if size > limit:
            drive = drive * (limit / size)
            penalty = penalty + (size - limit) ** 2
        state = 0.9 * state + 0.1 * drive
        history[t] = state
    for k in range(1, width):
        history[:, k] += 0.1 * history[:, k - 1]
    roughness = 0.0
    for t in range(1, steps):
        jump = history[t] - history[t - 1]
        roughness += jump @ jump
    centred = history - history.mean(axis=0)
    spread = np.sum(centred * centred) / steps
    weight_norm = np.sum(weights * weights)
    final = np.exp(-history[-1])
    loss = spread + roughness + np.sum(final / (1 + final))
    return loss + 0.01 * weight_norm + penalty


def inputs():
    rng = np.random.default_rng(0)
    weights, bias = rng.standard_normal((4, 4)), rng.standard_normal(4)
    return weights, bias, rng.standard_normal((20, 4)), 20, 1.2


MODULE = (
    "import numpy as np\n\n\n" + inspect.getsource(typical) + "\n\n" + inspect.getsource(inputs)
)

IMPORT = """
import time
begin = time.perf_counter()
import {0}
print(time.perf_counter() - begin)
"""

FIRST_CALL = """
import time
begin = time.perf_counter()
import sys
sys.path.insert(0, {0!r})
from adcompiler import grad
from {1} import inputs, typical
grad(typical)(*inputs())
print(time.perf_counter() - begin)
"""


def fresh(folder, number):
    """Write a module with a copy of `typical` and return its name."""
    name = f"typical_{number}"
    Path(folder, f"{name}.py").write_text(MODULE)
    return name


def load(folder, name):
    spec = importlib.util.spec_from_file_location(name, Path(folder, f"{name}.py"))
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def in_new_process(program):
    """Run `program` in a new Python from the root of the checkout; return the number it prints."""
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr.strip().splitlines()[-1])
    return float(done.stdout.split()[-1])


def seconds(action):
    begin = time.perf_counter()
    action()
    return time.perf_counter() - begin


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="fewer trials")
    trials = 3 if parser.parse_args(argv).quick else 15

    typical(*inputs())
    print("| wait | median of", trials, "|\n|---|---|")
    try:
        from adcompiler import grad
    except ImportError as error:
        numpys = [in_new_process(IMPORT.format("numpy")) for _ in range(trials)]
        print(f"| import numpy | {duration(statistics.median(numpys))} |")
        print(f"adcompiler skipped (ImportError: {error})")
        return

    pairs = [
        [in_new_process(IMPORT.format(name)) for name in ("numpy", "adcompiler")]
        for _ in range(trials)
    ]
    numpys, ours = zip(*pairs, strict=True)
    print(f"| import numpy | {duration(statistics.median(numpys))} |")
    print(f"| import adcompiler, NumPy included | {duration(statistics.median(ours))} |")
    times = statistics.median(b / a for a, b in pairs)
    print(f"| import adcompiler / import numpy | {times:.2f} |")

    with tempfile.TemporaryDirectory() as folder:
        modules = [load(folder, fresh(folder, number)) for number in range(2 * trials + 1)]
        args = inputs()
        grad(modules.pop().typical)(*args)  # reads the rulebook
        sources = [
            seconds(lambda: grad(modules.pop().typical).source(*args)) for _ in range(trials)
        ]
        calls = [seconds(lambda: grad(modules.pop().typical)(*args)) for _ in range(trials)]
        name = fresh(folder, "alone")
        starts = [in_new_process(FIRST_CALL.format(folder, name)) for _ in range(trials)]
    print(f"| source of a function not seen before | {duration(statistics.median(sources))} |")
    print(f"| its first call | {duration(statistics.median(calls))} |")
    print(f"| first gradient of a new process | {duration(statistics.median(starts))} |")


if __name__ == "__main__":
    main()
