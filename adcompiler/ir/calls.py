"""`fn(*args, **keywords)`: what is called, and where that is done.

A function with source is its body; what has a meaning of its own is in `known_functions`; NumPy's
functions and those of the rulebook are `numpy_calls`. What none of these know runs as it is, if no
array gets into it.
"""

from __future__ import annotations

import functools
import itertools
import operator
import types as python_types
import typing
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from adcompiler import errors
from adcompiler.ir import (
    abstract,
    attributes,
    functions,
    guards,
    heap,
    instances,
    methods,
    nested,
    numpy_calls,
    operations,
    statements,
    subscripts,
    walking,
)
from adcompiler.ir import types as T
from adcompiler.ir.abstract import (
    Closure,
    Derivative,
    Either,
    Instance,
    Method,
    Native,
    Partial,
    Pullback,
)
from adcompiler.ir.infer import is_pure, type_of
from adcompiler.ir.meaning import Meaning
from adcompiler.ir.nodes import Constant
from adcompiler.ir.parse import parse
from adcompiler.rules import book, compositions

if TYPE_CHECKING:
    from adcompiler.ir.resolve import Resolver


def call(resolver: Resolver, fn: Any, args: list, keywords: dict) -> Any:
    """`fn(*args, **keywords)`."""
    if isinstance(fn, Closure):
        return resolver.call(fn.tree, args, keywords, fn.frame, fn.defaults, fn.keyword_defaults)
    if isinstance(fn, Partial):
        return call(resolver, fn.function, [*fn.args, *args], {**fn.keywords, **keywords})
    if isinstance(fn, Native):
        return fn.run(resolver, args, keywords)
    if isinstance(fn, Either):
        if not resolver.in_scope(fn.test):
            raise resolver.error(
                "call of one of two functions",
                "which of them it is was decided in a branch or a loop that is over",
                "call the function where it is chosen",
            )
        return resolver.branch(
            fn.test,
            lambda: call(resolver, fn.first, args, keywords),
            lambda: call(resolver, fn.second, args, keywords),
        )
    if isinstance(fn, Method):
        return methods.call_method(resolver, fn, args, keywords)
    if isinstance(fn, Derivative):
        return nested.call(resolver, fn, args, keywords)
    if isinstance(fn, Pullback):
        return nested.pull_back(resolver, fn, args, keywords)
    if isinstance(fn, Instance):
        return instances.call_instance(resolver, fn, args, keywords)
    if isinstance(fn, Constant):
        return _call_object(resolver, fn.value, args, keywords)
    raise resolver.error(
        "call of a value",
        "which function it is is not known at compile time",
        "call a function by its name",
    )


def _call_object(resolver: Resolver, fn: Any, args: list, keywords: dict) -> Any:
    if getattr(fn, "__objclass__", None) is np.ndarray and args:
        return methods.array_method(resolver, args[0], fn.__name__, args[1:], keywords)
    if isinstance(fn, functools.partial):
        given = [resolver.constant(arg) for arg in fn.args]
        named = {k: resolver.constant(v) for k, v in fn.keywords.items()}
        return _call_object(resolver, fn.func, [*given, *args], {**named, **keywords})
    native = functions.as_native(resolver, fn)
    if native is not None:
        return call(resolver, native, args, keywords)
    if hasattr(fn, "__differentiates__"):
        return nested.of_transform(resolver, fn, args, keywords)
    derivative = nested.of_object(resolver, fn)
    if derivative is not None:
        return nested.call(resolver, derivative, args, keywords)
    if any(map(instances.is_user_object, args)):
        answer = _call_of_objects(resolver, fn, args, keywords)
        if answer is not NotImplemented:
            return answer
    special = _meaning(fn) if _is_hashable(fn) else None
    if special is not None:
        result = special(resolver, args, keywords)
        if result is not NotImplemented:
            return result
    if _is_hashable(fn) and book.canonical(fn) in book.COMPOSITIONS:
        return numpy_calls.call_known(resolver, fn, args, keywords)
    if book.lookup(fn) is not None or book.is_zero(fn) or is_pure(fn):
        return numpy_calls.call_known(resolver, fn, args, keywords)
    if isinstance(fn, python_types.BuiltinFunctionType | python_types.MethodType):
        owner = getattr(fn, "__self__", None)
        if isinstance(owner, np.ufunc):
            return numpy_calls.ufunc_method(resolver, owner, fn.__name__, args, keywords)
        module = type(owner).__module__ or ""
        if module.startswith("numpy.random"):
            if fn.__name__ in ("shuffle", "permuted", "bytes"):
                raise resolver.error(
                    f"`{fn.__name__}`",
                    "it changes its argument in a random way",
                    "draw a permutation of the indices, and index",
                )
            return operations.apply(resolver, fn, args, keywords, effect=True)
    if isinstance(fn, np.vectorize):
        return _vectorised(resolver, resolver.constant(fn.pyfunc), fn, args, keywords)
    if isinstance(fn, python_types.FunctionType) and fn.__module__ == compositions.__name__:
        return numpy_calls.compose(resolver, fn, args, keywords)
    wrapped = getattr(fn, "__wrapped__", None)
    if isinstance(fn, functools._lru_cache_wrapper) and isinstance(
        wrapped, python_types.FunctionType
    ):
        if any(_may_be_active(value) for value in (*args, *keywords.values())):
            return _call_cached(resolver, fn, wrapped, args, keywords)
    if isinstance(fn, python_types.FunctionType) and hasattr(fn, "dispatch") and args:
        return _call_dispatched(resolver, fn, args, keywords)
    if isinstance(fn, python_types.FunctionType):
        for name in ("__defaults__", "__kwdefaults__", "__code__"):
            resolver.guard(fn, name, getattr(fn, name))
        return resolver.call(parse(fn, generator=True), args, keywords)
    if isinstance(fn, python_types.MethodType):
        if fn.__name__ == "_make" and hasattr(fn.__self__, "_fields"):
            return instances.make(
                resolver, fn.__self__, subscripts.unpacked(resolver, args[0], None), {}
            )
        owner = resolver.constant(fn.__self__)
        return _call_object(resolver, fn.__func__, [owner, *args], keywords)
    origin = getattr(fn, "__origin__", None)
    if isinstance(origin, type) and isinstance(fn, (GENERIC, python_types.GenericAlias)):
        return _call_object(resolver, origin, args, keywords)
    if instances.is_of_users_class(fn):
        answer = instances.method(resolver, Constant(fn), "__call__", args, keywords)
        if answer is not NotImplemented:
            return answer
    if isinstance(fn, type) and issubclass(fn, BaseException):
        return statements.raised(resolver, fn, None)
    if isinstance(fn, type):
        return instances.make(resolver, fn, args, keywords)
    return call_unknown(resolver, fn, args, keywords)


def _vectorised(resolver: Resolver, function: Any, like: Any, args: list, keywords: dict) -> Any:
    """A call of what `np.vectorize` made of a function."""
    if keywords or (like is not None and (like.signature or like.excluded or like.otypes)):
        raise resolver.error(
            "`np.vectorize` with arguments",
            "it is known without otypes=, excluded= and signature= only",
            "write a loop over the items",
        )
    return numpy_calls.compose(resolver, compositions.vectorised, [function, *args], {})


_WALKING: dict[Any, slice] = {
    **dict.fromkeys((enumerate, reversed, list, tuple, sum, dict, min, max), slice(1)),
    **dict.fromkeys((zip, itertools.chain, itertools.product), slice(None)),
    map: slice(1, None),
}
"""Functions that walk their arguments, and which of these."""

_CONVERSIONS = {float: "__float__", int: "__int__", bool: "__bool__", complex: "__complex__"}


def _call_of_objects(resolver: Resolver, fn: Any, args: list, keywords: dict) -> Any:
    """A function of Python's own that asks an object's class what it does."""
    if not _is_hashable(fn):
        return NotImplemented
    if fn in instances.OPERATORS:
        return instances.operate(resolver, fn, args)
    if fn in _CONVERSIONS and len(args) == 1:
        if fn is bool:
            test = resolver.truth(args[0])
            return Constant(test) if isinstance(test, bool) else test
        return instances.method(resolver, args[0], _CONVERSIONS[fn], [], {})
    if fn in _WALKING and not (fn in (min, max) and len(args) > 1):
        walked = list(args)
        walked[_WALKING[fn]] = [walking.iterated(resolver, arg) for arg in args[_WALKING[fn]]]
        if any(map(operator.is_not, walked, args)):
            return _call_object(resolver, fn, walked, keywords)
    return NotImplemented


def _may_be_active(value: Any) -> bool:
    """Whether a derivative might pass through an argument."""
    kinds = [type_of(v) for v in abstract.values_in(value)]
    plain = all(isinstance(k, T.Scalar) and k.kind in ("int", "bool") for k in kinds)
    return not plain or isinstance(value, (Instance, Closure, Partial))


def _call_cached(resolver: Resolver, fn: Any, wrapped: Callable, args: list, keywords: dict) -> Any:
    """A function with `functools.lru_cache`: what the function itself gives."""
    for value in (*args, *keywords.values()):
        if isinstance(type_of(value), (T.Array, T.List)) or isinstance(value, (list, dict)):
            raise resolver.error(
                f"`{wrapped.__qualname__}` of an array or list",
                "functools.lru_cache looks its arguments up in a dict: Python would raise "
                "TypeError (unhashable type)",
                "take the cache off",
            )
    resolver.guard(fn, "__wrapped__", wrapped)
    return _call_object(resolver, wrapped, args, keywords)


def _call_dispatched(resolver: Resolver, fn: Any, args: list, keywords: dict) -> Any:
    """A function with `functools.singledispatch`: the one for the type of the first argument."""
    known = attributes.runtime_class(args[0])
    if known is None:
        raise resolver.error(
            f"`{fn.__name__}` of a value of unknown type",
            "functools.singledispatch chooses by it",
            "call the function for this type itself",
        )
    chosen = guards.Dispatch(fn, known)
    resolver.guard(chosen, "function", chosen.function)
    return _call_object(resolver, chosen.function, args, keywords)


def call_unknown(resolver: Resolver, fn: Callable, args: list, keywords: dict) -> Any:
    """A function without rule or source: it runs as it is, but must not get at arrays."""
    name = getattr(fn, "__qualname__", None) or repr(fn)
    for value in (*args, *keywords.values()):
        for thing in heap.objects_among([value]).values():
            raise resolver.error(
                f"`{name}` of a {_kind_of(thing)}",
                "it has no Python source: whether it changes it is not known",
                "write what it does in Python, or give it a tuple",
            )
        for leaf in abstract.values_in(value):
            if isinstance(leaf.type, (T.Array, T.List, T.Unknown)):
                raise errors.DifferentiationError(
                    f"`{name}` of an array",
                    reason="it has no derivative rule and no Python source: what it does to its "
                    "arguments is not known",
                    remedy="register a rule for it (adcompiler.rules), or write it in NumPy",
                    position=resolver.position(),
                )
    return operations.apply(resolver, fn, args, keywords, effect=True)


def _kind_of(thing: Any) -> str:
    return thing.cls.__name__ if isinstance(thing, Instance) else type(thing).__name__


def _is_hashable(fn: Any) -> bool:
    try:
        hash(fn)
    except TypeError:
        return False
    return True


GENERIC = type(typing.List[int])  # noqa: UP006
"""The type of `Generic[T]`."""


def _meaning(fn: Any) -> Meaning | None:
    """What does the work of a function that has a meaning of its own."""
    from adcompiler.ir.known_functions import KNOWN  # whose modules call functions themselves

    return KNOWN.get(fn)
