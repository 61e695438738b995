"""NPBench's NumPy kernels, as they are: is each gradient right, and what does it cost?

    NPBENCH=path/to/npbench python benchmarks/npbench.py [KERNEL ...]

`NPBENCH` names a checkout of https://github.com/spcl/npbench. Each kernel is called through a
function that adds up all that it returns or writes, real and imaginary parts, and is differentiated
with respect to all of its float and complex arrays. The gradient is compared with differences along
random directions, and timed against the NumPy kernel. `--numba` times the gradient on the native
backend too, against the same NumPy kernel; `--jax` NPBench's JAX version of the kernel beside its
own gradient.

Four of the 54 kernels have no derivative: they count, compare or shift integers. Two more are given
integers by NPBench where floats make as much sense; here they get floats. The gradients are checked
at small sizes where at the preset's no difference would tell: where the function jumps every so
often, or is chaotic.
"""

import argparse
import ctypes
import importlib
import inspect
import json
import linecache
import math
import os
import statistics
import sys
import time
import warnings
from dataclasses import dataclass, field
from pathlib import Path

if __name__ == "__main__":  # NumPy and JAX look at these when they are imported
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(variable, "1")

import numpy as np

import adcompiler
from adcompiler.errors import AdcompilerError, BackendWarning

DISCRETE = {"crc16", "mandelbrot1", "mandelbrot2", "nussinov"}
AS_FLOATS = {"compute", "floyd_warshall"}
CHECKED_AT = {
    "cholesky2": {"N": 8},
    "compute": {"M": 6, "N": 5},
    "floyd_warshall": {"N": 12},
    "hdiff": {"I": 5, "J": 4, "K": 3},
    "nbody": {"N": 6, "tEnd": 0.05},
}
"""Parameters other than the preset's."""
STEPPED = {"azimint_hist": {"radius"}, "azimint_naive": {"radius"}}
"""Arguments that only decide which bin something falls into: one of them is on the border."""
TOLERANCE = {"float64": 1e-6, "float32": 3e-2}
"""How far gradient and differences may be apart, relative, for the narrowest type of a kernel."""


@dataclass
class Kernel:
    """One benchmark of the checkout."""

    name: str
    info: dict
    function: object = None
    data: dict = field(default_factory=dict)

    @property
    def parameters(self):
        return self.info["input_args"]

    def load(self, preset, **changed):
        """Import the kernel and make its inputs, with some parameters other than the preset's."""
        path = "npbench.benchmarks." + self.info["relative_path"].replace("/", ".")
        module = importlib.import_module(f"{path}.{self.info['module_name']}_numpy")
        self.function = getattr(module, self.info["func_name"])
        self.data = {**self.info["parameters"][preset], **changed}
        init = self.info.get("init")
        if init:
            start = importlib.import_module(f"{path}.{self.info['module_name']}")
            given = [self.data[name] for name in init["input_args"]]
            made = getattr(start, init["func_name"])(*given)
            names = init["output_args"]
            self.data.update(zip(names, made if len(names) > 1 else [made], strict=True))
        if self.name in AS_FLOATS:
            for name, value in self.data.items():
                if isinstance(value, np.ndarray):
                    rng = np.random.default_rng(3)
                    self.data[name] = value + rng.uniform(0.1, 0.9, value.shape)

    def arguments(self):
        return [_copied(self.data[name]) for name in self.parameters]

    def argnums(self):
        """The places of the arrays that have a derivative."""
        fixed = STEPPED.get(self.name, ())
        pairs = zip(self.parameters, self.arguments(), strict=True)
        return tuple(k for k, (n, a) in enumerate(pairs) if _is_continuous(a) and n not in fixed)

    def loss(self):
        """The sum of all that the kernel returns or writes, as a function of its arguments."""
        before, after = self.arguments(), self.arguments()
        self.function(*after)
        written = [
            name
            for name, old, new in zip(self.parameters, before, after, strict=True)
            if isinstance(old, np.ndarray)
            and (name in self.info["output_args"] or not np.array_equal(old, new))
        ]
        result = self.function(*self.arguments())
        values = dict(zip(self.parameters, after, strict=True))
        outputs = {name: values[name] for name in written}
        if isinstance(result, tuple):
            outputs |= {f"result[{k}]": value for k, value in enumerate(result)}
        elif result is not None:
            outputs["result"] = result
        parts = [
            f"np.sum({part})"
            for name, value in outputs.items()
            for part in ([f"{name}.real", f"{name}.imag"] if np.iscomplexobj(value) else [name])
        ]
        source = (
            f"def loss({', '.join(self.parameters)}):\n"
            f"    result = kernel({', '.join(self.parameters)})\n"
            f"    return {' + '.join(parts)}\n"
        )
        file = f"<{self.name}>"
        linecache.cache[file] = (len(source), None, source.splitlines(True), file)
        world = {"kernel": self.function, "np": np}
        exec(compile(source, file, "exec"), world)
        return world["loss"]


def kernels(checkout, wanted):
    """The kernels of the checkout that have a derivative, in order of their names."""
    found = []
    for file in sorted((checkout / "bench_info").glob("*.json")):
        info = json.loads(file.read_text())["benchmark"]
        name = info["module_name"]
        if name not in DISCRETE and (not wanted or name in wanted):
            found.append(Kernel(name, info))
    return found


# Differences.


def disagreement(kernel, loss, gradient):
    """The largest difference from central differences, relative, over three directions."""
    rng = np.random.default_rng(7)
    at, worst = kernel.arguments(), 0.0
    places = kernel.argnums()
    narrow = any(at[k].dtype.itemsize // (1 + (at[k].dtype.kind == "c")) < 8 for k in places)
    for _ in range(3):
        directions = {k: _direction(rng, at[k]) for k in places}
        slope = sum(
            float(np.sum((g * directions[k]).real)) for k, g in zip(places, gradient, strict=True)
        )
        found, rounding = _difference(kernel, loss, directions, narrow)
        scale = abs(found) + sum(
            float(np.linalg.norm((g * directions[k]).ravel()))
            for k, g in zip(places, gradient, strict=True)
        )
        worst = max(worst, max(0.0, abs(slope - found) - rounding) / max(scale, 1e-300))
    return worst


def _difference(kernel, loss, directions, narrow):
    """The best of the central differences with falling steps, extrapolated once, and how far
    rounding may have moved it."""
    steps = [1e-2, 3e-3] if narrow else [1e-3, 1e-4, 1e-5, 1e-6]
    estimates, precision = [], np.finfo(np.float32 if narrow else np.float64).eps
    for step in steps:
        ends = []
        for side in (step, -step, step / 2, -step / 2):
            arguments = kernel.arguments()
            for k, direction in directions.items():
                arguments[k] = (arguments[k] + side * direction).astype(arguments[k].dtype)
            try:
                ends.append(float(loss(*arguments)))
            except np.linalg.LinAlgError:  # a step too far
                ends.append(np.nan)
        coarse, fine = (ends[0] - ends[1]) / (2 * step), (ends[2] - ends[3]) / step
        rounding = 4 * precision * max(map(abs, ends)) / step
        if math.isfinite(coarse + fine):
            estimates.append((abs(coarse - fine) + rounding, (4 * fine - coarse) / 3, rounding))
    _, best, rounding = min(estimates)
    return best, rounding


def _direction(rng, array):
    direction = rng.standard_normal(array.shape)
    if array.dtype.kind == "c":
        direction = direction + 1j * rng.standard_normal(array.shape)
    return direction * float(np.mean(np.abs(array)) or 1.0)


def _is_continuous(argument):
    return isinstance(argument, np.ndarray) and argument.dtype.kind in "fc"


def _copied(argument):
    return argument.copy() if isinstance(argument, np.ndarray) else argument


# Time.


def milliseconds(run, arguments, budget):
    """The shortest time of a call; its arguments are copied before it, off the clock."""
    shortest, begin = math.inf, time.perf_counter()
    while shortest is math.inf or time.perf_counter() - begin < budget:
        given = [_copied(a) for a in arguments]
        start = time.perf_counter()
        run(*given)
        shortest = min(shortest, time.perf_counter() - start)
    return 1e3 * shortest


def numba_milliseconds(kernel, loss, expected, budget):
    """The time of the gradient as native loops; a star says that it fell back to NumPy."""
    derivative = adcompiler.grad(loss, argnums=kernel.argnums(), backend="numba")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", BackendWarning)
        found = derivative(*kernel.arguments())
    tolerance = 1e-3 if _has_float32(kernel) else 1e-6
    for one, other in zip(found, expected, strict=True):
        if not np.allclose(one, other, rtol=tolerance, atol=tolerance * np.max(np.abs(other))):
            return math.nan, "WRONG"
    fell_back = any(issubclass(w.category, BackendWarning) for w in caught)
    return milliseconds(derivative, kernel.arguments(), budget), "*" if fell_back else ""


def jax_ratio(kernel, budget):
    """The time of the gradient of NPBench's JAX version over that of its primal, both jitted."""
    try:
        import jax
    except ImportError:
        return None
    jax.config.update("jax_enable_x64", True)
    path = "npbench.benchmarks." + kernel.info["relative_path"].replace("/", ".")
    try:
        module = importlib.import_module(f"{path}.{kernel.info['module_name']}_jax")
        function = getattr(module, kernel.info["func_name"])
        at = [jax.numpy.asarray(a) if isinstance(a, np.ndarray) else a for a in kernel.arguments()]
        fixed = tuple(k for k, a in enumerate(at) if isinstance(a, (int, str, bool)))

        def loss(*arguments):
            leaves = jax.tree_util.tree_leaves(function(*arguments))
            return sum(jax.numpy.sum(x.real) + jax.numpy.sum(x.imag) for x in leaves)

        places = kernel.argnums()
        primal = jax.jit(loss, static_argnums=fixed)
        gradient = jax.jit(jax.value_and_grad(loss, argnums=places), static_argnums=fixed)
        jax.block_until_ready(gradient(*at))
        jax.block_until_ready(primal(*at))
    except Exception:  # its own kernel does not run, or has no reverse mode: no ratio
        return None
    slow = milliseconds(lambda *a: jax.block_until_ready(gradient(*a)), at, budget)
    fast = milliseconds(lambda *a: jax.block_until_ready(primal(*a)), at, budget)
    return slow / fast


def keep_memory():
    """Have glibc hand freed memory out again, large arrays too, as JAX's allocator does.

    Otherwise each large array is fresh pages of the system's, which may cost more than filling
    them: the primals, which mostly read large arrays, hardly pay for it, the gradients, which
    write them, do.
    """
    library = ctypes.CDLL(None)
    trim_threshold, mmap_max = -1, -4  # names of malloc.h
    if not (library.mallopt(trim_threshold, 2**31 - 1) and library.mallopt(mmap_max, 0)):
        raise SystemExit("this C library has no mallopt of glibc's")


# The table.


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kernels", nargs="*", metavar="KERNEL", help="names, such as lu or adi")
    parser.add_argument("--preset", default="S", choices=["S", "M", "L", "paper"])
    parser.add_argument("--seconds", type=float, default=0.5, help="per timing; 0 times nothing")
    parser.add_argument("--numba", action="store_true", help="the native backend beside it")
    parser.add_argument("--jax", action="store_true", help="NPBench's JAX versions beside it")
    parser.add_argument("--keep-memory", action="store_true", help="glibc keeps freed memory")
    parser.add_argument("--traceback", action="store_true", help="let the first error through")
    options = parser.parse_args()
    checkout = os.environ.get("NPBENCH")
    if not checkout or not (Path(checkout) / "bench_info").is_dir():
        parser.error("set NPBENCH to a checkout of https://github.com/spcl/npbench")
    if options.keep_memory:
        keep_memory()
    sys.path.insert(0, checkout)
    chosen = kernels(Path(checkout), options.kernels)
    ratios: dict[str, list[float]] = {"NumPy": [], "numba": [], "JAX": []}
    right = 0
    print("| kernel | gradient | off by | primal ms | gradient ms | ratio | numba | JAX |")
    print("|---|---|---|---|---|---|---|---|")
    for kernel in chosen:
        line, found = row(kernel, options)
        right += line[1] == "right"
        for name, ratio in found.items():
            ratios[name].append(ratio)
        print("| " + " | ".join(line) + " |", flush=True)
    print(f"\n{right} of {len(chosen)} gradients agree with differences.")
    for name, text in (
        ("NumPy", "gradient / primal"),
        ("numba", "native gradient / NumPy primal"),
        ("JAX", "JAX gradient / JAX primal"),
    ):
        if ratios[name]:
            mean = statistics.geometric_mean(ratios[name])
            print(f"{text}: {mean:.2f} over {len(ratios[name])} kernels")
    return 0 if right == len(chosen) else 1


def row(kernel, options):
    """The cells of a kernel, and its ratios."""
    empty = [""] * 6
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            kernel.load(options.preset, **CHECKED_AT.get(kernel.name, {}))
            loss = kernel.loss()
            derivative = adcompiler.grad(loss, argnums=kernel.argnums())
            gradient = derivative(*kernel.arguments())
            off = disagreement(kernel, loss, gradient)
            kernel.load(options.preset)
    except AdcompilerError as error:
        if options.traceback:
            raise
        reason = " ".join(str(error).split())
        return [kernel.name, "refused: " + reason[:300], *empty], {}
    except Exception as error:
        if options.traceback:
            raise
        return [kernel.name, f"{type(error).__name__}: {error}"[:300], *empty], {}
    limit = TOLERANCE["float32" if _has_float32(kernel) else "float64"]
    verdict = "right" if off < limit else "WRONG"
    cells = [kernel.name, verdict, f"{off:.0e}"]
    if not options.seconds:
        return [*cells, *empty[1:]], {}
    slow = milliseconds(derivative, kernel.arguments(), options.seconds)
    fast = milliseconds(loss, kernel.arguments(), options.seconds)
    ratios, native, rival = {"NumPy": slow / fast}, "", ""
    if options.numba:
        expected = derivative(*kernel.arguments())
        taken, mark = numba_milliseconds(kernel, loss, expected, options.seconds)
        ratios["numba"] = taken / fast
        native = f"{taken / fast:.2f}{mark}"
    if options.jax and (ratio := jax_ratio(kernel, options.seconds)):
        ratios["JAX"] = ratio
        rival = f"{ratio:.2f}"
    return [*cells, f"{fast:.2f}", f"{slow:.2f}", f"{slow / fast:.2f}", native, rival], ratios


def _has_float32(kernel):
    source = inspect.getsource(kernel.function)
    arrays = [a for a in kernel.arguments() if _is_continuous(a)]
    return "float32" in source or any(a.dtype in (np.float32, np.complex64) for a in arrays)


if __name__ == "__main__":
    sys.exit(main())
