"""Example arguments for a function that was not called yet: from its annotations and defaults.

A parameter that says nothing is taken for a float64 array; its rank is the first with which the
function compiles.  What was assumed is written down, for the head of the emitted code.

>>> def decay(x, rate: float, steps=3):
...     for _ in range(steps):
...         x = x - rate * x
...     return x.sum()
>>> args, note = example_arguments(decay)
>>> print(note, end="")
# assumed: x: float64 array of rank 1 (no annotation)
# assumed: rate: float (annotation)
# assumed: steps: int (default 3)
"""

from __future__ import annotations

import dataclasses
import inspect
import itertools
import types
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from adcompiler import errors
from adcompiler.api import pipeline
from adcompiler.api.signature import signature_of
from adcompiler.ir.parse import parse
from adcompiler.ir.resolve import NeedStatic

LENGTH = 3
"""Of every axis: matrices are square, so that most products have fitting operands."""

TRIES = 100
"""How many combinations of kinds are compiled before giving up."""

Attempt = Callable[[tuple], Any]


@dataclasses.dataclass(frozen=True, slots=True)
class Guess:
    """What a parameter may be."""

    value: Any
    reason: str


def example_arguments(
    function: Callable, skip: int = 0, attempt: Attempt | None = None
) -> tuple[tuple, str]:
    """Positional arguments with which a function compiles, and a comment that says what they are.

    Parameters
    ----------
    function : callable
        The function, or a derivative of it.
    skip : int
        How many leading parameters are bound already.
    attempt : callable, optional
        Raises for a tuple of arguments that does not do; by default it resolves the function.
    """
    base = getattr(function, "base", function)
    parameters = wanted_parameters(base)[skip:]
    hints = annotations_of(base)
    guesses = [guesses_for(p, hints.get(p.name, p.annotation), base) for p in parameters]
    chosen = first_that_compiles(guesses, attempt or (lambda args: resolve_with(base, args)))
    lines = [
        f"# assumed: {p.name}: {describe(guess.value)} ({guess.reason})\n"
        for p, guess in zip(parameters, chosen, strict=True)
    ]
    return tuple(guess.value for guess in chosen), "".join(lines)


def wanted_parameters(function: Callable) -> list[inspect.Parameter]:
    """The parameters that need an argument by position."""
    found = []
    for parameter in parse(function).parameters:
        if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD):
            found.append(parameter)
        elif parameter.kind is parameter.KEYWORD_ONLY and parameter.default is parameter.empty:
            raise unknown(parameter, function, "it has no default and is passed by keyword only")
    return found


def annotations_of(function: Callable) -> dict[str, Any]:
    """Annotations with names in strings looked up; none for those that cannot be."""
    function = inspect.unwrap(function)
    try:
        return typing.get_type_hints(function, include_extras=True)
    except Exception:  # what stands in an annotation may fail in any way
        given = getattr(function, "__annotations__", {})
        return {name: hint for name, hint in given.items() if not isinstance(hint, str)}


def first_that_compiles(guesses: list[list[Guess]], attempt: Attempt) -> list[Guess]:
    """The likeliest combination; the error of the very first where none compiles."""
    first: Exception | None = None
    for chosen in itertools.islice(combinations(guesses), TRIES):
        try:
            attempt(tuple(guess.value for guess in chosen))
        except (errors.SourceError, errors.UnsupportedError):
            raise  # it is not the arguments
        except Exception as error:
            first = first or error
        else:
            return chosen
    assert first is not None
    raise first


def combinations(guesses: list[list[Guess]]) -> Iterator[list[Guess]]:
    """All of one kind first, then from likely to unlikely."""
    counts = list(map(len, guesses))
    uniform = [[min(k, n - 1) for n in counts] for k in range(max(counts, default=1))]
    mixed = itertools.product(*map(range, counts)) if len(counts) < 8 else ()
    seen = set()
    for choice in itertools.chain(uniform, sorted(mixed, key=sum)):
        if tuple(choice) not in seen:
            seen.add(tuple(choice))
            yield [options[k] for options, k in zip(guesses, choice, strict=True)]


def resolve_with(function: Callable, args: tuple) -> None:
    """Raise where the function does not resolve for these arguments."""
    names = [p.name for p in parse(function).parameters]
    static: set[tuple] = set()
    while True:
        signature = signature_of(names, args, {}, frozenset(static))
        paths = {leaf.value.uid: leaf.path for leaf in signature.leaves}
        try:
            pipeline.resolved(function, signature)
        except NeedStatic as need:
            static.add(paths[need.value.uid])
        else:
            return


def guesses_for(parameter: inspect.Parameter, hint: Any, function: Callable) -> list[Guess]:
    """What a parameter may be, the likeliest first."""
    if parameter.default is not parameter.empty:
        default = parameter.default
        shown = repr(default)
        shown = shown if len(shown) <= 20 and " at 0x" not in shown else ""
        if hint is float and type(default) is int:
            default = float(default)
        return [Guess(default, f"default {shown}".rstrip())]
    if hint is parameter.empty:
        return [Guess(value, "no annotation") for value in any_numbers()]
    values = list(values_of(hint))
    if values:
        return [Guess(value, "annotation") for value in values]
    raise unknown(parameter, function, f"its annotation {show_hint(hint)} does not tell a value")


def unknown(parameter: inspect.Parameter, function: Callable, why: str) -> errors.ResolveError:
    tree = parse(function)
    return errors.ResolveError(
        f"no example for parameter `{parameter.name}` of `{tree.name}`",
        reason=why,
        remedy="pass arguments, as in a call",
        position=tree.position(tree.node),
    )


def show_hint(hint: Any) -> str:
    return getattr(hint, "__name__", None) or str(hint)


# ---------------------------------------------------------------------------------------------
# values


def array(rank: int, dtype: Any = np.float64) -> np.ndarray:
    """Positive, and the same in every run, so that emitted code and checks are too."""
    shape = (LENGTH,) * rank
    if np.dtype(dtype).kind in "fc":
        return np.random.default_rng(rank).uniform(0.5, 1.5, shape).astype(dtype)
    return (np.arange(LENGTH**rank).reshape(shape) % LENGTH).astype(dtype)


def any_numbers() -> list[Any]:
    return [array(1), 0.75, array(2), LENGTH]


def values_of(hint: Any) -> Iterable[Any]:
    """Values that fit an annotation, the likeliest first; none where it does not say enough."""
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any or hint is object or isinstance(hint, typing.TypeVar):
        return any_numbers()
    if hint is None or hint is type(None):
        return [None]
    if origin is typing.Annotated:
        return values_of(args[0])
    if origin is typing.Literal:
        return args
    if origin in (typing.Union, types.UnionType):
        if hint == npt.ArrayLike:
            return any_numbers()
        some = [arg for arg in args if arg is not type(None)]
        return [value for arg in some for value in values_of(arg)] or [None]
    if isinstance(hint, typing.NewType):
        return values_of(hint.__supertype__)
    if hasattr(hint, "__value__"):  # type X = ...
        return values_of(hint.__value__)
    if origin is np.ndarray:
        return arrays_of(args)
    if origin is tuple:
        items = (args[0],) * 2 if len(args) == 2 and args[1] is Ellipsis else args
        return together(items, tuple)
    if origin in (list, Sequence, Iterable):
        return together(args * LENGTH, list)
    if origin is not None or not isinstance(hint, type):
        return []
    return values_of_class(hint)


def values_of_class(cls: type) -> Iterable[Any]:
    if cls is np.ndarray:
        return [array(1), array(2), array(3)]
    if cls is bool:
        return [True]
    if cls is int:
        return [LENGTH]
    if cls is float:
        return [0.75]
    if cls is complex:
        return [0.75 + 0.5j]
    if issubclass(cls, np.generic):
        scalars = {
            np.generic: np.float64,
            np.number: np.float64,
            np.floating: np.float64,
            np.inexact: np.float64,
            np.integer: np.int64,
            np.signedinteger: np.int64,
        }
        concrete = scalars.get(cls, cls)
        try:
            return [array(0, concrete)[()]]
        except TypeError:
            return []
    if typing.is_typeddict(cls):
        hints = typing.get_type_hints(cls)
        return together(hints.values(), lambda items: dict(zip(hints, items, strict=True)))
    if dataclasses.is_dataclass(cls) or hasattr(cls, "_fields"):
        hints = typing.get_type_hints(cls)
        return together(hints.values(), lambda items: cls(**dict(zip(hints, items, strict=True))))
    return []


def arrays_of(args: tuple) -> list[np.ndarray]:
    """Of `np.ndarray[shape, dtype]`, which is also what `NDArray[...]` stands for."""
    shape, dtype = args
    scalar = next(iter(typing.get_args(dtype)), np.float64)
    if not (isinstance(scalar, type) and issubclass(scalar, np.generic)):
        scalar = np.float64
    example = next(iter(values_of_class(scalar)), np.float64(0))
    axes = typing.get_args(shape)
    ranks: Iterable[int] = (len(axes),) if axes and Ellipsis not in axes else (1, 2, 3)
    return [array(rank, example.dtype) for rank in ranks]


def together(hints: Iterable[Any], make: Callable[[list], Any]) -> list[Any]:
    """Containers whose items fit these annotations: all of the likeliest kind, of the next, ..."""
    options = [list(values_of(hint)) for hint in hints]
    if not all(options):
        return []
    count = max(map(len, options), default=1)
    return [make([values[min(k, len(values) - 1)] for values in options]) for k in range(count)]


def describe(value: Any) -> str:
    """What a value is, in words.

    >>> describe((1.0, [np.ones(3), np.ones((2, 2), np.float32)]))
    'tuple of (float, list of (float64 array of rank 1, float32 array of rank 2))'
    """
    if isinstance(value, np.ndarray):
        return f"{value.dtype} array of rank {value.ndim}"
    if isinstance(value, bool | str) or value is None:
        return repr(value)
    if isinstance(value, tuple | list):
        return f"{type(value).__name__} of ({', '.join(map(describe, value))})"
    if isinstance(value, Mapping):
        items = (f"{key}: {describe(item)}" for key, item in value.items())
        return f"{type(value).__name__} of ({', '.join(items)})"
    return getattr(value, "__name__", None) or type(value).__name__
