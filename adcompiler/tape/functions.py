"""`grad`, `value_and_grad` and `vjp` of NumPy functions, by the tape.

Signatures, results and what is refused are those of the compiled transforms.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from adcompiler.errors import DifferentiationError
from adcompiler.tape.array import Array
from adcompiler.tape.calls import record
from adcompiler.tape.structures import is_complex, is_float, leaves_of

ArgNums = int | tuple[int, ...] | None
ArgNames = str | tuple[str, ...] | list[str] | None


def grad(
    fun: Callable | None = None,
    argnums: ArgNums = None,
    argnames: ArgNames = None,
    has_aux: bool = False,
) -> Any:
    """The gradient of a NumPy function of which the result is one number, by the tape.

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

    Returns
    -------
    callable
        Its result has the structure of the argument; leaves that are not floats get None.

    Raises
    ------
    DifferentiationError
        When called: for arguments without floats, results that are not one real number, and what a
        tape cannot see.

    Examples
    --------
    >>> from adcompiler import tape
    >>> tape.grad(lambda x: 3.0 * x * x)(2.0)
    12.0
    """
    return _transform(fun, argnums, argnames, has_aux, False)


def value_and_grad(
    fun: Callable | None = None,
    argnums: ArgNums = None,
    argnames: ArgNames = None,
    has_aux: bool = False,
) -> Any:
    """The result and the gradient of a function, `(value, gradient)`; see `grad`."""
    return _transform(fun, argnums, argnames, has_aux, True)


def _transform(
    fun: Callable | None, argnums: ArgNums, argnames: ArgNames, has_aux: bool, with_value: bool
) -> Any:
    if fun is None:
        return functools.partial(
            _transform,
            argnums=argnums, argnames=argnames, has_aux=has_aux, with_value=with_value,
        )  # fmt: skip
    primal = getattr(fun, "primal", fun)
    names = (argnames,) if isinstance(argnames, str) else tuple(argnames or ())
    numbers = _numbers(argnums, argnames)
    parameters = functools.cache(lambda: _parameters(primal))

    @functools.wraps(primal)
    def derivative(*args: Any, **kwargs: Any) -> Any:
        positions, keywords = _placed(primal, parameters(), numbers, names, args, kwargs)
        rec = record(primal, *args, argnums=positions, argnames=keywords, **kwargs)
        value, aux, result = rec.value, None, rec.value
        if has_aux:
            if not isinstance(value, tuple) or len(value) != 2:
                raise DifferentiationError(
                    f"result of `{_called(primal)}`",
                    reason="with has_aux=True it must be a pair",
                    remedy="return (loss, aux)",
                )
            result, aux = value
        _check_result(result, _called(primal))
        # The first float of the result is the loss; others belong to `aux`.
        seeds: list[Any] = [None] * len(rec.results)
        if seeds and is_float(result):
            seeds[0] = np.ones_like(rec.results[0].value if type(rec.results[0]) is Array else 1.0)[
                ()
            ]
        order: list[Any] = [*positions, *keywords]
        found = dict(zip(order, rec.backward(seeds, retain=False), strict=True))
        gradient = _arranged(argnums, argnames, parameters(), numbers, names, found, args)
        if not with_value:
            return (gradient, aux) if has_aux else gradient
        return ((value if has_aux else result), gradient)

    return derivative


def _called(fun: Callable) -> str:
    return getattr(fun, "__name__", "function")


def _numbers(argnums: ArgNums, argnames: ArgNames) -> tuple[int, ...]:
    if argnums is None:
        return () if argnames is not None else (0,)
    numbers = argnums if isinstance(argnums, tuple) else (argnums,)
    for number in numbers:
        if type(number) is not int:
            raise TypeError(f"argnums must be an int or a tuple of ints, not {number!r}")
    return numbers


def _placed(
    fun: Callable,
    parameters: list[str],
    numbers: tuple[int, ...],
    names: tuple[str, ...],
    args: tuple,
    kwargs: dict,
) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """The arguments to differentiate: positions, and keywords. Refuses what has no derivative."""
    positions = []
    for number in numbers:
        if not -len(args) <= number < len(args):
            raise DifferentiationError(
                f"argnums={number} of `{_called(fun)}`",
                reason=f"the call gives {len(args)} arguments by position",
                remedy="pass the argument by position, or use argnames",
            )
        positions.append(number % len(args))
    keywords = []
    for name in names:
        if name in kwargs:
            keywords.append(name)
        elif name in parameters and parameters.index(name) < len(args):
            positions.append(parameters.index(name))
        else:
            raise DifferentiationError(
                f"argnames={name!r} of `{_called(fun)}`",
                reason="the call does not give this argument",
                remedy=f"pass it; the parameters are {', '.join(parameters)}",
            )
    for place in (*positions, *keywords):
        value = args[place] if isinstance(place, int) else kwargs[place]
        shown = parameters[place] if isinstance(place, int) and place < len(parameters) else place
        _check_argument(shown, value, _called(fun))
    return tuple(dict.fromkeys(positions)), tuple(dict.fromkeys(keywords))


def _parameters(fun: Callable) -> list[str]:
    try:
        return list(inspect.signature(fun).parameters)
    except (TypeError, ValueError):
        return []


def _check_argument(name: Any, value: Any, function: str) -> None:
    leaves = leaves_of(value)
    if any(map(is_complex, leaves)):
        raise DifferentiationError(
            f"argument `{name}` of `{function}` is complex",
            reason="derivatives with respect to complex numbers are not taken yet",
            remedy="pass real and imaginary parts",
        )
    if not any(map(is_float, leaves)):
        kind = f"a {type(value).__name__}"
        if isinstance(value, np.ndarray):
            kind = f"an array of {value.dtype}"
        elif isinstance(value, int | np.integer) and not isinstance(value, bool):
            kind = "an integer"
        elif isinstance(value, tuple | list | dict):
            kind = "no floats"
        raise DifferentiationError(
            f"argument `{name}` of `{function}` is {kind}",
            reason="a derivative needs a variable that can change by a little",
            remedy="pass floats, e.g. 2.0 or x.astype(float), or choose others with argnums",
        )


def _check_result(result: Any, name: str) -> None:
    if is_complex(result):
        raise DifferentiationError(
            f"`{name}` returns complex numbers",
            reason="only float results have a gradient",
            remedy="return a real number, e.g. abs",
        )
    if isinstance(result, np.ndarray) and np.ndim(result):
        raise DifferentiationError(
            f"`{name}` returns an array",
            reason="a gradient is that of one number",
            remedy="use vjp for a weighted sum of all entries, or return a sum",
        )
    if not is_float(result):
        kind = type(result).__name__
        what = "None" if result is None else f"a{'n' if kind[0] in 'aeiou' else ''} {kind}"
        raise DifferentiationError(
            f"`{name}` returned {what}",
            reason="a gradient is that of one float",
            remedy="return a float on every path",
        )


def _arranged(
    argnums: ArgNums,
    argnames: ArgNames,
    parameters: list[str],
    numbers: tuple[int, ...],
    names: tuple[str, ...],
    found: dict,
    args: tuple,
) -> Any:
    """The gradients as they were asked for: one, a tuple, a dict, or a pair of these."""
    by_position: Any = tuple(found[n % len(args)] for n in numbers)
    if not isinstance(argnums, tuple) and by_position:
        by_position = by_position[0]
    by_name: Any = {
        name: found[name] if name in found else found[parameters.index(name)] for name in names
    }
    if isinstance(argnames, str):
        by_name = by_name[argnames]
    if argnames is None:
        return by_position
    return by_name if argnums is None else (by_position, by_name)


def vjp(fun: Callable, *primals: Any) -> tuple[Any, Callable]:
    """The result of `fun(*primals)` and its pullback, by the tape.

    Returns
    -------
    (out, pullback)
        The pullback takes an adjoint of the result (of its structure; None for what is no float)
        and returns a tuple with an adjoint for each primal.  It may be called any number of times.
    """
    primal = getattr(fun, "primal", fun)
    rec = record(primal, *primals, argnums=tuple(range(len(primals))))

    def pullback(cotangent: Any) -> tuple:
        values = leaves_of(rec.value)
        given = leaves_of(cotangent)
        if len(given) != len(values):
            raise DifferentiationError(
                "adjoint of the result",
                reason="it has not the structure of the result",
                remedy="pass an adjoint of the same structure",
            )
        seeds: list[Any] = []
        for g, value in zip(given, values, strict=True):
            if not (is_float(value) or is_complex(value)):
                continue
            if g is None:
                seeds.append(None)
                continue
            if np.shape(g) != np.shape(value):
                raise DifferentiationError(
                    "adjoint of the result",
                    reason=f"its shape is {np.shape(g)}, not {np.shape(value)}",
                    remedy="give it the shape of the value",
                )
            seeds.append(g if type(g) is Array else np.array(g, dtype=np.result_type(value))[()])
        return tuple(rec.backward(seeds))

    return rec.value, pullback
