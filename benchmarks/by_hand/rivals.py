"""The same functions for HIPS autograd and for JAX without jit.

Where `primal` writes no array, a rival runs `primal` itself, with `np` bound to the rival's NumPy.
Neither can write arrays in place, so the other functions are written again: for JAX with `.at[]`,
for autograd as an autograd user would, with lists, `np.pad` and whole rows.
"""

import importlib.util


def autograd_gradient(module):
    """Return `module.primal`'s gradient by HIPS autograd; ImportError if it is not installed."""
    import autograd
    import autograd.numpy

    primal = _primal(module, autograd.numpy, _FOR_AUTOGRAD)
    return autograd.grad(primal, module.argnums)


def jax_gradient(module):
    """Return `module.primal`'s gradient by JAX, op by op; ImportError if it is not installed."""
    import jax
    import jax.numpy

    jax.config.update("jax_enable_x64", True)
    derivative = jax.grad(_primal(module, jax.numpy, _FOR_JAX), module.argnums)

    def gradient(*args):
        return jax.block_until_ready(derivative(*args))

    return gradient


def jax_inputs(args):
    """Return `args` with NumPy arrays as JAX arrays, so that no transfer is timed."""
    import jax.numpy
    import numpy

    return tuple(jax.numpy.asarray(a) if isinstance(a, numpy.ndarray) else a for a in args)


def _primal(module, numpy, rewritten):
    name = module.__name__.rpartition(".")[2]
    if name in rewritten:
        return rewritten[name](numpy)
    spec = importlib.util.spec_from_file_location(f"{name}_for_{numpy.__name__}", module.__file__)
    copy = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(copy)
    copy.np = numpy
    return copy.primal


def _slope(np):
    def slope(state, rates):
        prey, hunters = state[0], state[1]
        birth, hunt, feed, death = rates
        return np.stack(
            [
                birth * prey - hunt * prey * hunters,
                feed * prey * hunters - death * hunters,
            ]
        )

    return slope


def _rk4_step(slope, state, rates, dt):
    k1 = slope(state, rates)
    k2 = slope(state + dt / 2 * k1, rates)
    k3 = slope(state + dt / 2 * k2, rates)
    k4 = slope(state + dt * k3, rates)
    return state + dt / 6 * (k1 + 2 * k2 + 2 * k3 + k4)


def _rk4_for_autograd(np):
    slope = _slope(np)

    def primal(rates, start, observed, dt):
        path = [start]
        for _ in range(len(observed) - 1):
            path.append(_rk4_step(slope, path[-1], rates, dt))
        return np.mean((np.stack(path) - observed) ** 2)

    return primal


def _rk4_for_jax(np):
    slope = _slope(np)

    def primal(rates, start, observed, dt):
        path = np.zeros((len(observed), 2)).at[0].set(start)
        for i in range(len(path) - 1):
            path = path.at[i + 1].set(_rk4_step(slope, path[i], rates, dt))
        return np.mean((path - observed) ** 2)

    return primal


def _laplacian(u):
    return u[:-2, 1:-1] + u[2:, 1:-1] + u[1:-1, :-2] + u[1:-1, 2:] - 4 * u[1:-1, 1:-1]


def _stencil_for_autograd(np):
    def primal(start, target, rate, steps):
        u = start
        for _ in range(steps):
            u = u + np.pad(rate * _laplacian(u), 1, "constant")
        return np.sum((u - target) ** 2)

    return primal


def _stencil_for_jax(np):
    def primal(start, target, rate, steps):
        u = start
        for _ in range(steps):
            u = u.at[1:-1, 1:-1].add(rate * _laplacian(u))
        return np.sum((u - target) ** 2)

    return primal


def _lu_for_autograd(np):
    def primal(A):
        upper = []
        for i in range(len(A)):
            row = A[i]
            for j in range(i):
                row = row - row[j] / upper[j][j] * upper[j]
            upper.append(row)
        return np.sum(np.log(np.abs(np.diag(np.stack(upper)))))

    return primal


def _lu_for_jax(np):
    def primal(A):
        n = len(A)
        for i in range(n):
            for j in range(i):
                A = A.at[i, j].add(-(A[i, :j] @ A[:j, j]))
                A = A.at[i, j].divide(A[j, j])
            for j in range(i, n):
                A = A.at[i, j].add(-(A[i, :i] @ A[:i, j]))
        return np.sum(np.log(np.abs(np.diag(A))))

    return primal


_FOR_AUTOGRAD = {"rk4": _rk4_for_autograd, "stencil": _stencil_for_autograd, "lu": _lu_for_autograd}
_FOR_JAX = {"rk4": _rk4_for_jax, "stencil": _stencil_for_jax, "lu": _lu_for_jax}
