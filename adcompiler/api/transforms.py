"""The transforms: `grad`, `value_and_grad`, `vjp`, `jvp`, `jacobian`, `hessian`, `hvp`.

Names and signatures follow JAX, MLX and torch.func.
"""

from __future__ import annotations

import functools
import math
import types
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from adcompiler import errors
from adcompiler.api.derivative import Derivative, check_argument, check_overlap, unflatten
from adcompiler.api.signature import (
    Signature,
    flatten,
    is_container,
    is_number,
    part_of,
    parts_of,
    rebuild,
)
from adcompiler.ir import abstract
from adcompiler.ir import types as T

if TYPE_CHECKING:
    from adcompiler.api import pipeline

ArgNums = int | tuple[int, ...] | None
ArgNames = str | tuple[str, ...] | list[str] | None


def grad(
    fun: Callable | None = None,
    argnums: ArgNums = None,
    argnames: ArgNames = None,
    has_aux: bool = False,
    backend: str = "numpy",
) -> Any:
    """The gradient of a function of which the result is one number.

    Parameters
    ----------
    fun : callable
        The function, in NumPy and plain Python.  Without it, a decorator is returned.
    argnums : int or tuple of int, optional
        Which positional arguments to differentiate; the first if neither this nor `argnames` is
        given.  A tuple gives a tuple of gradients.
    argnames : str or sequence of str, optional
        Which arguments by name; several give a dict.  With `argnums` too, a pair is returned.
    has_aux : bool
        The function returns `(loss, aux)`; then the result is `(gradient, aux)`.
    backend : {"numpy", "numba"}
        What runs the derivative: NumPy, or loops that Numba compiles. A function of which
        something has no loop form runs on NumPy, with a warning that names what it is.

    Returns
    -------
    Derivative
        Its result has the structure of the argument; leaves that are not floats get None.

    Examples
    --------
    >>> def area(r): return 3.0 * r * r
    >>> grad(area)(2.0)
    12.0
    """
    return _decorated(fun, "grad", argnums, argnames, has_aux, backend)


def value_and_grad(
    fun: Callable | None = None,
    argnums: ArgNums = None,
    argnames: ArgNames = None,
    has_aux: bool = False,
    backend: str = "numpy",
) -> Any:
    """The result and the gradient of a function, `(value, gradient)`; see `grad`."""
    return _decorated(fun, "value_and_grad", argnums, argnames, has_aux, backend)


def _decorated(
    fun: Callable | None,
    mode: str,
    argnums: ArgNums,
    argnames: ArgNames,
    has_aux: bool,
    backend: str,
) -> Any:
    def decorate(function: Callable) -> Derivative:
        return Derivative(function, mode, mode, argnums, argnames, has_aux, backend)

    return decorate if fun is None else decorate(fun)


class _Forward(Derivative):
    """`run(*primals, *tangents)` gives the results and their tangents."""

    suffix = "jvp"

    def lower(self, signature: Signature, args: tuple, keywords: dict) -> pipeline.Primal:
        from adcompiler.api import pipeline

        primal = self.inner(signature, args, keywords)
        wrt = [leaf.value for leaf in signature.leaves if T.is_float(leaf.value.type)]
        made, dots, _params = pipeline.forward(primal, wrt, self.emitted_name())
        form = abstract.Items(tuple, (primal.form, abstract.tangent_form(primal.form)))
        made.body.results = [
            *made.body.results[: len(primal.results)],
            *self.float_dots(primal.results, dots),
        ]
        return pipeline.Primal(made, form, list(made.body.results), primal.guards)

    def float_dots(self, results: list, dots: list) -> list:
        from adcompiler.ir.infer import type_of

        return [dot for r, dot in zip(results, dots, strict=True) if T.is_float(type_of(r))]

    def describe(self, signature: Signature, args: tuple, keywords: dict) -> str:
        return f"Value of {self.name} and its tangent."


class _Pullback(Derivative):
    """`run(*primals, *cotangents)` gives the adjoints of all float arguments."""

    suffix = "vjp"

    def lower(self, signature: Signature, args: tuple, keywords: dict) -> pipeline.Primal:
        from adcompiler.api import pipeline

        primal = self.inner(signature, args, keywords)
        wrt = [leaf for leaf in signature.leaves if T.is_float(leaf.value.type)]
        made, _params = pipeline.pullback(primal, wrt, self.emitted_name())
        leaves = tuple(abstract.Leaf(leaf.value.type) for leaf in wrt)
        form = abstract.Items(tuple, leaves)
        return pipeline.Primal(made, form, list(made.body.results), primal.guards)

    def describe(self, signature: Signature, args: tuple, keywords: dict) -> str:
        return f"Adjoints of the arguments of {self.name}, for given adjoints of its result."


class _Plain(Derivative):
    """The function itself, through the compiler: for results in the compiler's structure."""

    suffix = "primal"

    def chosen(self, args: tuple, keywords: dict) -> dict:
        return {}

    def lower(self, signature: Signature, args: tuple, keywords: dict) -> pipeline.Primal:
        return self.inner(signature, args, keywords)

    def describe(self, signature: Signature, args: tuple, keywords: dict) -> str:
        return f"{self.name}, as it was compiled."


class _Same:
    """A function as the key of a cache: told by identity, a method by its object's."""

    def __init__(self, fun: Callable) -> None:
        self.fun = fun
        bound = isinstance(fun, types.MethodType)
        self.key = (id(fun.__self__), id(fun.__func__)) if bound else id(fun)  # type: ignore

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)


@functools.lru_cache(maxsize=512)
def _cached(cls: type, same: _Same, backend: str) -> Any:
    return cls(same.fun, cls.suffix, cls.suffix, None, None, False, backend)


def _of(cls: type, fun: Callable, backend: str) -> Any:
    return _cached(cls, _Same(fun), backend)


def jvp(fun: Callable, primals: tuple, tangents: tuple, backend: str = "numpy") -> tuple:
    """The result of `fun(*primals)` and its derivative in the direction `tangents`.

    Tangents have the structure of their primals; those of integers are 0, of what is no number
    None.

    Returns
    -------
    (out, out_dot)
    """
    primals, tangents = tuple(primals), tuple(tangents)
    if len(primals) != len(tangents):
        raise errors.DifferentiationError(
            "jvp",
            reason=f"{len(primals)} primals and {len(tangents)} tangents",
            remedy="give one tangent for each primal",
        )
    derivative = _of(_Forward, fun, backend)
    args, keywords = derivative.given(primals)
    found = derivative.specialise(args, keywords)
    given = derivative.by_place(args, keywords)
    bound = len(args) - len(primals)
    along = {k + bound: tangent for k, tangent in enumerate(tangents)}
    for place, value in given.items():
        if place not in along:  # what the function is bound to stays as it is
            along[place] = rebuild(value, lambda leaf, path: _zero(leaf))
    for path in derivative.static_paths():
        if isinstance(leaf_of(path, given), (float, np.floating)) and leaf_of(path, along):
            raise derivative.decides_the_code(path)
    dots = [
        _direction(leaf, given, along)
        for leaf in found.signature.leaves
        if T.is_float(leaf.value.type)
    ]
    return _finished(found, [leaf_of(leaf.path, given) for leaf in found.signature.leaves], dots)


def leaf_of(path: tuple, arguments: Any) -> Any:
    for step in path:
        arguments = part_of(arguments, step)
    return arguments


def _direction(leaf: Any, primals: tuple, tangents: tuple) -> Any:
    try:
        dot = leaf_of(leaf.path, tangents)
    except (TypeError, KeyError, IndexError):
        dot = None
    if dot is None:
        raise errors.DifferentiationError(
            f"tangent of `{leaf.value.name}`",
            reason="it is missing",
            remedy="tangents must have the structure of the primals",
        )
    like = leaf_of(leaf.path, primals)
    return conforming(dot, leaf.value.type, like, f"tangent of `{leaf.value.name}`")


def conforming(dot: Any, kind: Any, like: Any, what: str) -> Any:
    """A tangent or cotangent as the emitted code expects it, or an error that says why not."""
    if not isinstance(dot, (int, float, np.ndarray, np.generic, list, tuple)) and dot is not None:
        raise errors.DifferentiationError(
            what, reason=f"it is a {type(dot).__name__}", remedy="pass numbers"
        )
    if np.iscomplexobj(dot) and isinstance(kind, (T.Array, T.Scalar)) and kind.kind == "float":
        raise errors.DifferentiationError(
            what, reason="it is complex, and the value is real", remedy="pass real numbers"
        )
    if isinstance(kind, T.Array):
        try:
            array = np.asarray(dot, dtype=kind.dtype)
        except (TypeError, ValueError):
            raise errors.DifferentiationError(
                what,
                reason=f"{dot!r} is no array of numbers",
                remedy="pass an array of the shape of the value",
            ) from None
        shape = np.shape(like) if like is not None else None
        if shape is not None and array.shape != shape:
            raise errors.DifferentiationError(
                what,
                reason=f"its shape is {array.shape}, not {shape}",
                remedy="give it the shape of the value",
            )
        return array
    if isinstance(kind, T.Scalar):
        if np.ndim(dot) != 0:
            raise errors.DifferentiationError(
                what, reason="the value is a number, this is an array", remedy="pass a number"
            )
        return float(dot) if kind.dtype is None else np.dtype(kind.dtype).type(dot)
    return dot


def _finished(found: Any, leaves: list, extra: list) -> Any:
    if found.written:
        check_overlap(found.written, leaves, found.held)
    result = found.run(*leaves, *extra)
    return result if found.finish is None else found.finish(result)


def vjp(fun: Callable, *primals: Any, backend: str = "numpy") -> tuple[Any, Callable]:
    """The result of `fun(*primals)` and its pullback.

    The pullback takes an adjoint of the result (of its structure; None or 0 for what is no float)
    and returns a tuple with an adjoint for each primal.  It may be called any number of times; each
    call runs the forward sweep again, on the arguments as they were.
    """
    out = _of(_Plain, fun, backend)
    args, keywords = out.given(primals)
    bound = len(args) - len(primals)
    found_out = out.specialise(args, keywords)
    leaves_out = found_out.signature.leaves
    if found_out.written:
        there = out.by_place(args, keywords)
        check_overlap(
            found_out.written, [leaf_of(leaf.path, there) for leaf in leaves_out], found_out.held
        )
    args = tuple(_copied(arg) for arg in args)
    given = out.by_place(args, keywords)
    value = _finished(found_out, [leaf_of(leaf.path, given) for leaf in leaves_out], [])
    found = _of(_Pullback, fun, backend).specialise(args, keywords)
    form = found_out.form

    def pullback(cotangent: Any) -> tuple:
        seeds = adjoints_of(form, cotangent, value)
        own = [leaf_of(leaf.path, given) for leaf in found.signature.leaves]
        bars = found.run(*own, *seeds)
        wrt = [leaf for leaf in found.signature.leaves if T.is_float(leaf.value.type)]
        if len(wrt) == 1 and not isinstance(bars, tuple):
            bars = (bars,)
        by_path = {leaf.path: bar for leaf, bar in zip(wrt, bars, strict=True)}
        return tuple(
            rebuild(args[k], lambda leaf, path: by_path.get(path), (k,))
            for k in range(bound, len(args))
        )

    return value, _recorded(pullback, "vjp", fun, None)


def _recorded(made: Callable, mode: str, fun: Callable, argnums: Any) -> Callable:
    """Note what a function computes, for compiled functions that call it."""
    made.__derivative__ = (mode, fun, argnums)  # type: ignore[attr-defined]
    return made


def _copied(value: Any) -> Any:
    return rebuild(value, lambda leaf, path: leaf.copy() if isinstance(leaf, np.ndarray) else leaf)


def adjoints_of(form: abstract.Structure, given: Any, value: Any) -> list:
    """The adjoints of the float leaves of a result."""
    match form:
        case abstract.Leaf(type=type):
            if not T.is_float(type):
                return []
            return [conforming(given, type, value, "adjoint of the result")]
        case abstract.Items(kind=kind, items=items, keys=keys):
            parts = parts_of(given) if is_container(given) else None
            if parts is None or len(parts) != len(items):
                raise errors.DifferentiationError(
                    "adjoint of the result",
                    reason=f"the result is a {kind.__name__} of {len(items)}",
                    remedy="pass an adjoint of the same structure",
                )
            steps = keys or range(len(items))
            if set(parts) != set(steps):
                raise errors.DifferentiationError(
                    "adjoint of the result",
                    reason=f"its keys are not {', '.join(map(str, steps))}",
                    remedy="pass an adjoint of the same structure",
                )
            return [
                a
                for step, item in zip(steps, items, strict=True)
                for a in adjoints_of(item, parts[step], part_of(value, step))
            ]
    return []


def hvp(fun: Callable, primals: tuple, tangents: tuple, backend: str = "numpy") -> Any:
    """The Hessian of a function with one number as its result, times a vector.

    Forward mode over reverse mode (Pearlmutter, "Fast exact multiplication by the Hessian", 1994).
    Gives one product for each primal; the product itself if there is one primal.
    """
    primals = tuple(primals)
    if len(primals) == 1:
        return jvp(_gradient_of(_Same(fun), 0, backend), primals, tuple(tangents), backend=backend)[
            1
        ]
    numbers = tuple(k for k, p in enumerate(primals) if has_floats(p))
    inner = _gradient_of(_Same(fun), numbers, backend)
    products = dict(
        zip(numbers, jvp(inner, primals, tuple(tangents), backend=backend)[1], strict=True)
    )
    return tuple(products.get(k) for k in range(len(primals)))


@functools.lru_cache(maxsize=512)
def _gradient_of(same: _Same, numbers: int | tuple[int, ...], backend: str) -> Derivative:
    return grad(same.fun, argnums=numbers, backend=backend)


def has_floats(value: Any) -> bool:
    """Whether a derivative with respect to the argument makes sense."""
    leaves: list = []
    flatten(value, leaves)
    return any(
        isinstance(leaf, (float, np.floating))
        or (isinstance(leaf, np.ndarray) and leaf.dtype.kind == "f")
        for leaf in leaves
    )


def jacfwd(fun: Callable, argnums: int | tuple[int, ...] = 0, backend: str = "numpy") -> Callable:
    """The Jacobian, one column for each entry of the argument: forward mode.

    The result has the shape of the function's result followed by that of the argument.
    """

    def jacobian_of(*args: Any) -> Any:
        def one(k: int) -> Any:
            check_argument(k, args[k], [], getattr(fun, "__name__", "function"))
            refuse_result_without_numbers(fun, fun(*_copied(args)))
            return _assemble_columns(fun, args, k, backend)

        return tuple(map(one, argnums)) if isinstance(argnums, tuple) else one(argnums)

    return _recorded(jacobian_of, "jacfwd", fun, argnums)


def _assemble_columns(fun: Callable, args: tuple, k: int, backend: str) -> Any:
    leaves: list = []
    flatten(args[k], leaves)
    columns_of: dict[int, list] = {}
    zeros = tuple(rebuild(a, lambda leaf, path: _zero(leaf)) for a in args)
    out: Any = None
    for place, leaf in enumerate(leaves):
        if not has_floats(leaf):
            continue
        columns_of[place] = columns = []
        for entry in range(np.size(leaf)):
            direction = _with_unit(args[k], place, entry)
            tangents = (*zeros[:k], direction, *zeros[k + 1 :])
            out, dot = jvp(fun, args, tangents, backend=backend)
            columns.append(dot)
    if out is None:
        out = fun(*args)

    def block(result: Any, path: tuple) -> Any:
        if not isinstance(result, (np.ndarray, np.generic, float)):
            return None
        places = iter(range(len(leaves)))

        def of_leaf(leaf: Any, _path: tuple) -> Any:
            if not is_number(leaf):
                return None
            columns = columns_of.get(next(places))
            if columns is None:
                return None
            parts = [np.asarray(leaf_of(path, c)) for c in columns]
            shape = np.shape(result) + np.shape(leaf)
            if not parts:
                return np.zeros(shape)
            stacked = np.stack(parts, axis=-1).reshape(shape)
            return stacked if shape else float(stacked)

        return rebuild(args[k], of_leaf)

    return rebuild(out, block)


def refuse_result_without_numbers(fun: Callable, out: Any) -> None:
    """A Jacobian is that of floats."""
    if not is_container(out) and not has_floats(out):
        raise errors.DifferentiationError(
            f"Jacobian of `{getattr(fun, '__name__', 'function')}`",
            reason=f"it returns a {type(out).__name__}",
            remedy="return floats",
        )


def _zero(leaf: Any) -> Any:
    if isinstance(leaf, np.ndarray):
        return np.zeros(leaf.shape, leaf.dtype)
    if isinstance(leaf, np.generic):
        return type(leaf)(0)
    return 0.0 if isinstance(leaf, float) else 0


def _with_unit(value: Any, place: int, entry: int) -> Any:
    """Zeros of the structure of `value`, but one entry of one leaf, which is 1."""
    count = iter(range(1 << 30))

    def leaf(item: Any, path: tuple) -> Any:
        if not is_number(item):
            return None
        zero = _zero(item)
        if next(count) != place:
            return zero
        if np.ndim(item) == 0:
            return 1.0
        zero.reshape(-1)[entry] = 1
        return zero

    return rebuild(value, leaf)


def jacrev(fun: Callable, argnums: int | tuple[int, ...] = 0, backend: str = "numpy") -> Callable:
    """The Jacobian, one row for each entry of the result: reverse mode.

    The result has the shape of the function's result followed by that of the argument.
    """

    def jacobian_of(*args: Any) -> Any:
        numbers = argnums if isinstance(argnums, tuple) else (argnums,)
        for k in numbers:
            check_argument(k, args[k], [], getattr(fun, "__name__", "function"))
        out, pullback = vjp(fun, *args, backend=backend)
        refuse_result_without_numbers(fun, out)
        if is_container(out):
            raise errors.DifferentiationError(
                f"jacrev of `{getattr(fun, '__name__', 'function')}`",
                reason="it returns several values",
                remedy="use jacfwd, or return one array",
            )
        rows = []
        for entry in range(np.size(out)):
            seed = np.zeros(np.shape(out))
            seed.reshape(-1)[entry] = 1
            rows.append(pullback(seed if np.ndim(out) else 1.0))

        def one(k: int) -> Any:
            def leaf(item: Any, path: tuple) -> Any:
                parts = [leaf_of(path, row[k]) for row in rows]
                if parts and parts[0] is None:
                    return None
                shape = np.shape(out) + np.shape(item)
                if not parts:
                    return np.zeros(shape)
                stacked = np.stack(parts).reshape(shape)
                return stacked if shape else float(stacked)

            return rebuild(args[k], leaf)

        return tuple(map(one, numbers)) if isinstance(argnums, tuple) else one(argnums)

    return _recorded(jacobian_of, "jacrev", fun, argnums)


def jacobian(fun: Callable, argnums: int | tuple[int, ...] = 0, backend: str = "numpy") -> Callable:
    """The Jacobian, by the mode that takes fewer sweeps."""

    def jacobian_of(*args: Any) -> Any:
        numbers = argnums if isinstance(argnums, tuple) else (argnums,)
        inputs = 0
        for k in numbers:
            leaves: list = []
            flatten(args[k], leaves)
            inputs += sum(map(np.size, leaves))
        out = fun(*_copied(args))
        outputs: list = []
        flatten(out, outputs)
        narrow = is_container(out) or inputs <= math.fsum(map(np.size, outputs))
        chosen = jacfwd if narrow else jacrev
        return chosen(fun, argnums, backend)(*args)

    return _recorded(jacobian_of, "jacobian", fun, argnums)


def hessian(fun: Callable, argnums: int | tuple[int, ...] = 0, backend: str = "numpy") -> Callable:
    """The matrix of second derivatives, by forward mode over reverse mode.

    For an argument of shape `s` the result has shape `s + s`.  A tuple of `argnums` gives a tuple
    of tuples.
    """
    inner = grad(fun, argnums=argnums, backend=backend)

    def hessian_of(*args: Any) -> Any:
        if isinstance(argnums, tuple):
            rows = jacfwd(inner, argnums, backend)(*args)
            # jacfwd has the argument outermost; the Hessian has the row of the gradient.
            return tuple(
                tuple(rows[j][i] for j in range(len(argnums))) for i in range(len(argnums))
            )
        return jacfwd(inner, argnums, backend)(*args)

    hessian_of.gradient = inner  # type: ignore[attr-defined]
    return _recorded(hessian_of, "hessian", fun, argnums)


# What the resolver does with a call of one of these inside a differentiated function.
for _transform in (grad, value_and_grad, vjp, jvp, jacrev, jacfwd, jacobian, hessian, hvp):
    _transform.__differentiates__ = _transform.__name__  # type: ignore[attr-defined]

__all__ = [
    "grad", "hessian", "hvp", "jacfwd", "jacobian", "jacrev", "jvp", "unflatten",
    "value_and_grad", "vjp",
]  # fmt: skip
