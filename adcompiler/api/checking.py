"""`check_grads`: derivatives against differences, in every mode and order, by both engines."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from adcompiler.api.signature import flatten, rebuild
from adcompiler.api.transforms import _copied, grad, has_floats, jvp, vjp


class WrongDerivative(AssertionError):
    """A derivative and the difference quotient do not agree."""


def check_grads(
    fun: Callable,
    args: Sequence,
    order: int = 2,
    modes: Sequence[str] = ("rev", "fwd"),
    atol: float | None = None,
    rtol: float | None = None,
    eps: float | None = None,
    seed: int = 0,
    backend: str = "numpy",
    engine: str = "compiled",
) -> None:
    """Compare the derivatives of a function with central differences.

    Parameters
    ----------
    fun : callable
        Any differentiable function of floats and arrays (in tuples, lists or dicts).
    args : sequence
        Where to compare.
    order : int
        The highest order that is compared.
    modes : sequence of {"rev", "fwd"}
        Reverse and forward mode. The tape has reverse mode only.
    atol, rtol : float, optional
        Tolerances; by default 1e-6 and 1e-5 (float32: 1e-2 and 1e-2).
    eps : float, optional
        Step of the differences; by default the cube root of the precision.
    seed : int
        Of the random directions.
    backend : {"numpy", "numba"}
        The backend that is checked.
    engine : {"compiled", "tape", "both"}
        Which derivatives are checked. With "both", forward mode is the compiler's.

    Raises
    ------
    WrongDerivative
        Names the mode, the order and the worst entry.
    """
    args = tuple(args)
    leaves: list = []
    flatten(args, leaves)
    single = any(getattr(leaf, "dtype", None) == np.float32 for leaf in leaves)
    atol = (1e-2 if single else 1e-6) if atol is None else atol
    rtol = (1e-2 if single else 1e-5) if rtol is None else rtol
    eps = (1e-2 if single else 6e-6) if eps is None else eps
    rng = np.random.default_rng(seed)
    for mode in modes:
        if mode not in ("rev", "fwd"):
            raise ValueError(f"mode {mode!r}: use 'rev' or 'fwd'")
    if engine not in ("compiled", "tape", "both"):
        raise ValueError(f"engine {engine!r}: use 'compiled', 'tape' or 'both'")
    if engine == "tape" and "rev" not in modes:
        raise ValueError("the tape has reverse mode only: use modes=('rev',)")
    if engine != "tape":
        _check(fun, args, order, tuple(modes), (atol, rtol, eps), rng, "", _Compiled(backend))
    if engine != "compiled" and "rev" in modes:
        _check(fun, args, order, ("rev",), (atol, rtol, eps), rng, "", _Taped())


class _Compiled:
    """The compiler's derivatives."""

    def __init__(self, backend: str) -> None:
        self.backend = backend

    label = ""

    def vjp(self, fun: Callable, args: tuple) -> tuple[Any, Callable]:
        return vjp(fun, *args, backend=self.backend)

    def grad(self, fun: Callable, numbers: tuple[int, ...]) -> Callable:
        return grad(fun, argnums=numbers, backend=self.backend)


class _Taped:
    """The tape's."""

    backend = ""
    label = "tape, "

    def vjp(self, fun: Callable, args: tuple) -> tuple[Any, Callable]:
        from adcompiler import tape

        return tape.vjp(fun, *args)

    def grad(self, fun: Callable, numbers: tuple[int, ...]) -> Callable:
        from adcompiler import tape

        return tape.grad(fun, argnums=numbers)


def _check(
    fun: Callable,
    args: tuple,
    order: int,
    modes: tuple,
    tolerances: tuple,
    rng: Any,
    path: str,
    engine: _Compiled | _Taped,
) -> None:
    if order == 0:
        return
    atol, rtol, eps = tolerances
    direction = tuple(rebuild(a, lambda leaf, p: _random_like(leaf, rng)) for a in args)
    expected = _difference(fun, args, direction, eps)
    for mode in modes:
        label = f"{engine.label}{path}{mode}"
        if mode == "fwd":
            _out, found = jvp(fun, _copied(args), direction, backend=engine.backend)
            _compare(found, expected, label, order, atol, rtol)
        else:
            out, pullback = engine.vjp(fun, _copied(args))
            seed = rebuild(out, lambda leaf, p: _random_like(leaf, rng))
            bars = pullback(seed)
            left, right = _inner(bars, direction), _inner(seed, expected)
            _compare(left, right, label, order, atol, rtol)
    if order > 1:
        numbers = tuple(k for k, a in enumerate(args) if has_floats(a))
        # The next order is that of a random weighting of the results.
        gradient = engine.grad(_weighted(fun, args, rng), numbers)
        _check(
            gradient,
            args,
            order - 1,
            modes,
            (10 * atol, 10 * rtol, 1e-4),
            rng,
            f"{path}rev-",
            engine,
        )


def _weighted(fun: Callable, args: tuple, rng: Any) -> Callable:
    """The function itself if it returns one number, else its results in a weighted sum."""
    out = fun(*_copied(args))
    if isinstance(out, (float, np.floating)) or (isinstance(out, np.ndarray) and out.ndim == 0):
        return fun
    weights: list = []
    flatten(rebuild(out, lambda leaf, p: _random_like(leaf, rng)), weights)
    if isinstance(out, np.ndarray):
        (weight,) = weights

        def weighted(*args):
            return np.sum(weight * fun(*args))

        return weighted

    raise ValueError("order above 1 needs a function that returns a number or an array")


def _is_float(leaf: Any) -> bool:
    return isinstance(leaf, (float, np.floating)) or (
        isinstance(leaf, np.ndarray) and leaf.dtype.kind == "f"
    )


def _random_like(leaf: Any, rng: Any) -> Any:
    if isinstance(leaf, np.ndarray):
        if leaf.dtype.kind != "f":
            return np.zeros_like(leaf)
        return rng.standard_normal(leaf.shape).astype(leaf.dtype)
    if isinstance(leaf, (float, np.floating)):
        return type(leaf)(rng.standard_normal())
    return 0 if isinstance(leaf, (int, np.integer)) else leaf


def _difference(fun: Callable, args: tuple, direction: tuple, eps: float) -> Any:
    """The central difference quotient along a direction, in the structure of the result."""

    def moved(step: float) -> Any:
        moves: list = []
        flatten(direction, moves)
        steps = iter(moves)

        def move(leaf: Any, path: tuple) -> Any:
            if not isinstance(leaf, (np.ndarray, np.generic, float, int, complex)) or isinstance(
                leaf, bool
            ):
                return leaf
            by = next(steps)
            if not _is_float(leaf):
                return leaf
            out = leaf + step * by
            return out.astype(leaf.dtype) if isinstance(leaf, np.ndarray) else out

        return fun(*(rebuild(_copied(args), move)))

    plus: list = []
    minus: list = []
    flatten(moved(eps), plus)
    flatten(moved(-eps), minus)
    return [
        (np.asarray(p, dtype=float) - np.asarray(m, dtype=float)) / (2 * eps)
        for p, m in zip(plus, minus, strict=True)
    ]


def _inner(a: Any, b: Any) -> float:
    first: list = []
    second: list = []
    _floats(a, first)
    _floats(b, second)
    return float(
        sum(
            np.sum(np.asarray(p, float) * np.asarray(q, float))
            for p, q in zip(first, second, strict=True)
        )
    )


def _floats(value: Any, out: list) -> None:
    leaves: list = []
    flatten(value, leaves)
    out += [leaf for leaf in leaves if _is_float(leaf)]


def _compare(found: Any, expected: Any, label: str, order: int, atol: float, rtol: float) -> None:
    left: list = []
    right: list = []
    flatten(found, left)
    flatten(expected, right)
    for place, (a, b) in enumerate(zip(left, right, strict=True)):
        a, b = np.asarray(a, float), np.asarray(b, float)
        gap = np.abs(a - b) - (atol + rtol * np.abs(b))
        bad = ~(gap <= 0) & ~((a == b) | (np.isnan(a) & np.isnan(b)))
        if np.any(bad):
            worst = np.unravel_index(
                np.argmax(np.where(bad, np.nan_to_num(gap, nan=np.inf), -1)), a.shape
            )
            where = f" at {tuple(map(int, worst))}" if a.ndim else ""
            raise WrongDerivative(
                f"{label} mode, result {place}{where}: "
                f"derivative {a[worst]:.10g}, difference {b[worst]:.10g} (order {order} left)"
            )
