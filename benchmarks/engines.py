"""The engines beside each other: value and gradient of four programs, in one interleaved run.

    python benchmarks/engines.py            # some minutes
    python benchmarks/engines.py --quick    # fewer rounds

Contenders: our compiled code on NumPy and, if Numba is installed, as machine code; our tape; HIPS
autograd; PyTorch, eager; JAX, jitted; and the adjoint that a person would write for NumPy. Sizes
are fixed below. Where a rival forbids mutation the program is written again in its idiom:
`concatenate` for autograd, `.at[]` and `lax.scan` for JAX. Every gradient is compared with the one
by hand before it is timed. Nothing that comes once is in the times: not our compiling, not JAX's.

All run on one thread and in double precision. Times are medians of the ratios of one round. The
exit status is 1 if a gradient is wrong.
"""

import argparse
import importlib
import os
import statistics
import sys
from pathlib import Path

if __name__ == "__main__":  # NumPy, JAX and PyTorch look at these when they are imported
    for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(variable, "1")
    os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false")

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.interleave import duration, interleave, ratio

HAND = "by hand"
NUMPY, NUMBA, TAPE = "compiled", "compiled, numba", "tape"
AUTOGRAD, TORCH, JAX = "autograd", "torch", "jax.jit"
CONTENDERS = (NUMPY, NUMBA, TAPE, AUTOGRAD, TORCH, JAX)
LOOPS = ("Rosenbrock", "scalar loop", "array loop")


# -- the programs ----------------------------------------------------------------------------------


class Rosenbrock:
    """The sum over neighbours, read number by number."""

    size = 100
    argnums = (0,)

    @classmethod
    def arguments(cls):
        return (np.random.default_rng(0).uniform(-1.5, 1.5, cls.size),)

    @staticmethod
    def primal(x):
        s = 0.0
        for i in range(len(x) - 1):
            s = s + 100.0 * (x[i + 1] - x[i] * x[i]) ** 2 + (1.0 - x[i]) ** 2
        return s

    @staticmethod
    def by_hand(x):
        s = 0.0
        x_bar = np.zeros_like(x)
        for i in range(len(x) - 1):
            a = x[i]
            rest, slope = x[i + 1] - a * a, 1.0 - a
            s += 100.0 * rest * rest + slope * slope
            x_bar[i] -= 400.0 * rest * a + 2.0 * slope
            x_bar[i + 1] += 200.0 * rest
        return s, x_bar

    in_autograd = in_torch = primal

    @staticmethod
    def in_jax(x):
        from jax import lax

        def step(s, i):
            return s + 100.0 * (x[i + 1] - x[i] * x[i]) ** 2 + (1.0 - x[i]) ** 2, None

        return lax.scan(step, 0.0, np.arange(len(x) - 1))[0]


class ScalarLoop:
    """Logistic growth of one number, for 10,000 steps."""

    size = 10_000
    argnums = (0, 1)

    @classmethod
    def arguments(cls):
        return 0.01, 0.002, cls.size

    @staticmethod
    def primal(level, rate, steps):
        for _ in range(steps):
            level = level + rate * level * (1.0 - level)
        return level

    @staticmethod
    def by_hand(level, rate, steps):
        levels = []
        for _ in range(steps):
            levels.append(level)
            level = level + rate * level * (1.0 - level)
        level_bar, rate_bar = 1.0, 0.0
        for before in reversed(levels):
            rest = 1.0 - before
            rate_bar += level_bar * before * rest
            level_bar += level_bar * rate * (rest - before)
        return level, level_bar, rate_bar

    in_autograd = in_torch = primal

    @staticmethod
    def in_jax(level, rate, steps):
        from jax import lax

        def step(level, _):
            return level + rate * level * (1.0 - level), None

        return lax.scan(step, level, None, length=steps)[0]


class ArrayLoop:
    """Reaction and diffusion of a population along a line, updated in place."""

    size, steps = 100, 500
    argnums = (0, 1)

    @classmethod
    def arguments(cls):
        start = 0.5 * np.exp(-(np.linspace(-3, 3, cls.size) ** 2))
        return start, 0.2, cls.steps

    @staticmethod
    def primal(u, rate, steps):
        for _ in range(steps):
            inner = u[1:-1]
            u[1:-1] += rate * (u[2:] - 2.0 * inner + u[:-2]) + 0.01 * inner * (1.0 - inner)
        return np.sum(u * u)

    @staticmethod
    def by_hand(u, rate, steps):
        u = u.copy()
        saved = []
        for _ in range(steps):
            inner = u[1:-1].copy()
            bend = u[2:] - 2.0 * inner + u[:-2]
            saved.append((inner, bend))
            u[1:-1] += rate * bend + 0.01 * inner * (1.0 - inner)
        u_bar, rate_bar = 2.0 * u, 0.0
        for inner, bend in reversed(saved):
            inner_bar = u_bar[1:-1].copy()
            rate_bar += inner_bar @ bend
            spread = rate * inner_bar
            u_bar[2:] += spread
            u_bar[:-2] += spread
            u_bar[1:-1] += inner_bar * (0.01 - 2.0 * rate - 0.02 * inner)
        return np.sum(u * u), u_bar, rate_bar

    @staticmethod
    def in_autograd(u, rate, steps):
        import autograd.numpy as anp

        for _ in range(steps):
            inner = u[1:-1]
            change = rate * (u[2:] - 2.0 * inner + u[:-2]) + 0.01 * inner * (1.0 - inner)
            u = anp.concatenate([u[:1], inner + change, u[-1:]])
        return anp.sum(u * u)

    @staticmethod
    def in_torch(u, rate, steps):
        u = u.clone()
        for _ in range(steps):
            inner = u[1:-1].clone()  # it is saved, so it must not be what is written
            change = rate * (u[2:] - 2.0 * inner + u[:-2]) + 0.01 * inner * (1.0 - inner)
            u[1:-1] += change
        return (u * u).sum()

    @staticmethod
    def in_jax(u, rate, steps):
        from jax import lax

        def step(u, _):
            inner = u[1:-1]
            change = rate * (u[2:] - 2.0 * inner + u[:-2]) + 0.01 * inner * (1.0 - inner)
            return u.at[1:-1].add(change), None

        u = lax.scan(step, u, None, length=steps)[0]
        return (u * u).sum()


class Network:
    """One step of training a network with a hidden layer: its time goes into matrix products."""

    batch, inputs, hidden, outputs = 256, 512, 512, 32
    argnums = (0, 1)

    @classmethod
    def arguments(cls):
        rng = np.random.default_rng(0)
        return (
            rng.standard_normal((cls.inputs, cls.hidden)) / np.sqrt(cls.inputs),
            rng.standard_normal((cls.hidden, cls.outputs)) / np.sqrt(cls.hidden),
            rng.standard_normal((cls.batch, cls.inputs)),
            rng.standard_normal((cls.batch, cls.outputs)),
        )

    @staticmethod
    def primal(first, second, x, y):
        hidden = np.tanh(x @ first)
        return np.mean((hidden @ second - y) ** 2)

    @staticmethod
    def by_hand(first, second, x, y):
        hidden = np.tanh(x @ first)
        rest = hidden @ second - y
        guess_bar = 2.0 / rest.size * rest
        hidden_bar = (guess_bar @ second.T) * (1.0 - hidden * hidden)
        return np.mean(rest * rest), x.T @ hidden_bar, hidden.T @ guess_bar

    @staticmethod
    def in_autograd(first, second, x, y):
        import autograd.numpy as anp

        return anp.mean((anp.tanh(x @ first) @ second - y) ** 2)

    @staticmethod
    def in_torch(first, second, x, y):
        return (((x @ first).tanh() @ second - y) ** 2).mean()

    @staticmethod
    def in_jax(first, second, x, y):
        import jax.numpy as jnp

        return jnp.mean((jnp.tanh(x @ first) @ second - y) ** 2)


PROGRAMS = {
    "Rosenbrock": Rosenbrock,
    "scalar loop": ScalarLoop,
    "array loop": ArrayLoop,
    "network": Network,
}


# -- the contenders --------------------------------------------------------------------------------


def compiled(program, args):
    from adcompiler import value_and_grad

    return value_and_grad(program.primal, argnums=program.argnums), args


def native(program, args):
    from adcompiler import value_and_grad

    return value_and_grad(program.primal, argnums=program.argnums, backend="numba"), args


def taped(program, args):
    from adcompiler import tape

    return tape.value_and_grad(program.primal, argnums=program.argnums), args


def hips(program, args):
    from autograd import value_and_grad

    return value_and_grad(program.in_autograd, argnum=program.argnums), args


def eager(program, args):
    import torch

    torch.set_num_threads(1)
    inputs = [
        torch.tensor(a, dtype=torch.float64, requires_grad=k in program.argnums)
        if isinstance(a, np.ndarray | float)
        else a
        for k, a in enumerate(args)
    ]
    wanted = [inputs[k] for k in program.argnums]

    def run(*inputs):
        value = program.in_torch(*inputs)
        return value, torch.autograd.grad(value, wanted)

    return run, inputs


def jitted(program, args):
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)
    static = tuple(k for k, a in enumerate(args) if isinstance(a, int))
    run = jax.jit(jax.value_and_grad(program.in_jax, program.argnums), static_argnums=static)
    inputs = [jnp.asarray(a) if isinstance(a, np.ndarray) else a for a in args]
    return (lambda *inputs: jax.block_until_ready(run(*inputs))), inputs


OFFERS = {
    NUMPY: (compiled, "adcompiler"),
    NUMBA: (native, "numba"),
    TAPE: (taped, "adcompiler"),
    AUTOGRAD: (hips, "autograd"),
    TORCH: (eager, "torch"),
    JAX: (jitted, "jax"),
}


def numbers(result):
    """All that a value and gradient consist of, as one vector."""
    if isinstance(result, tuple | list):
        return np.concatenate([numbers(part) for part in result])
    detached = result.detach() if hasattr(result, "detach") else result
    return np.ravel(np.asarray(detached, dtype=float))


def same(found, reference):
    a, b = numbers(found), numbers(reference)
    return a.shape == b.shape and np.allclose(a, b, rtol=1e-8, atol=1e-10 * (1 + np.abs(b).max()))


def gather(title, program, notes):
    """The contenders that are installed and right; `notes` says what the others are."""
    args = program.arguments()
    reference = program.by_hand(*args)
    found, wrong = {HAND: (program.by_hand, args)}, False
    for name, (offer, needs) in OFFERS.items():
        try:
            importlib.import_module(needs)
        except ImportError:
            notes[f"Left out, since it is not installed: {needs}."] = None
            continue
        function, inputs = offer(program, args)
        if not same(function(*inputs), reference):
            notes[f"{name} is WRONG on {title}: not timed."] = None
            wrong = True
            continue
        found[name] = function, inputs
    return found, wrong


# -- tables ----------------------------------------------------------------------------------------


def cell(value):
    return "-" if value is None else f"{value:.2f}" if value < 100 else f"{value:,.0f}"


def row(*cells):
    return f"| {' | '.join(cells)} |"


def relative(times, name, reference):
    present = name in times and reference in times
    return ratio(times, name, reference) if present else None


def tables(times):
    """Times in units of the one by hand, and what was aimed at."""
    present = [name for name in CONTENDERS if any(name in found for found in times.values())]
    lines = [row("value and gradient", HAND, *present), "|---" * (2 + len(present)) + "|"]
    for title, found in times.items():
        hand = duration(statistics.median(found[HAND]))
        lines.append(row(title, hand, *(cell(relative(found, n, HAND)) for n in present)))
    lines += ["", row("", "autograd / compiled", "tape / compiled", "compiled / by hand"),
              "|---|---|---|---|"]  # fmt: skip
    for title, found in times.items():
        pairs = ((AUTOGRAD, NUMPY), (TAPE, NUMPY), (NUMPY, HAND))
        lines.append(row(title, *(cell(relative(found, *pair)) for pair in pairs)))
    lines.append(row("aimed at, in loops", "at least 5", "at least 3", ""))
    lines.append(row("aimed at, in matrix products", "", "", "at most 1.3"))
    return lines


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("programs", nargs="*", metavar="PROGRAM", help=", ".join(PROGRAMS))
    parser.add_argument("--quick", action="store_true", help="fewer and shorter rounds")
    chosen = parser.parse_args(argv)
    for title in chosen.programs:
        if title not in PROGRAMS:
            parser.error(f"no program {title!r}; there are: {', '.join(PROGRAMS)}")
    rounds, seconds, budget, least = (5, 0.01, 0.5, 2) if chosen.quick else (25, 0.03, 6.0, 5)
    times, notes, failed = {}, {}, False
    for title in chosen.programs or PROGRAMS:
        print(f"{title} ...", file=sys.stderr, flush=True)
        contenders, wrong = gather(title, PROGRAMS[title], notes)
        failed |= wrong
        times[title] = interleave(contenders, rounds, seconds, budget, least)
    print("\n".join(tables(times)))
    if notes:
        print("\n" + "\n".join(notes))
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
