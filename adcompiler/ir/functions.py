"""Functions of `operator`, and functions that make functions: those of `functools`."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from adcompiler.ir import attributes, calls, operations, subscripts
from adcompiler.ir.abstract import Closure, Native, Partial
from adcompiler.ir.infer import IN_PLACE
from adcompiler.ir.meaning import Meaning
from adcompiler.ir.names import declared_outside
from adcompiler.ir.nodes import Constant

if TYPE_CHECKING:
    from adcompiler.ir.resolve import Resolver


def _call_operator(fn: Callable) -> Callable:
    def changed(resolver: Resolver, args: list, keywords: dict) -> Any:
        return operations.in_place(resolver, fn, args[0], args[1])

    return changed


def _call_setitem(resolver: Resolver, args: list, keywords: dict) -> Any:
    subscripts.set_item(resolver, args[0], args[1], args[2])
    return Constant(None)


def _call_getitem(resolver: Resolver, args: list, keywords: dict) -> Any:
    return subscripts.get_item(resolver, args[0], args[1])


def _call_partial(resolver: Resolver, args: list, keywords: dict) -> Any:
    return Partial(args[0], tuple(args[1:]), dict(keywords))


def _itemgetter(resolver: Resolver, args: list, keywords: dict) -> Any:
    def get(resolver: Resolver, given: list, keywords: dict) -> Any:
        found = tuple(subscripts.get_item(resolver, given[0], key) for key in args)
        return found if len(found) > 1 else found[0]

    return Native(get)


def _attrgetter(resolver: Resolver, args: list, keywords: dict) -> Any:
    def get(resolver: Resolver, given: list, keywords: dict) -> Any:
        found = []
        for names in args:
            value = given[0]
            for name in names.value.split("."):
                value = attributes.get_attribute(resolver, value, name)
            found.append(value)
        return tuple(found) if len(found) > 1 else found[0]

    if not all(isinstance(a, Constant) and isinstance(a.value, str) for a in args):
        raise resolver.error("`attrgetter` of names that are not known at compile time")
    return Native(get)


def _methodcaller(resolver: Resolver, args: list, keywords: dict) -> Any:
    name, *rest = args
    if not isinstance(name, Constant):
        raise resolver.error("`methodcaller` of a name that is not known at compile time")

    def run_method(resolver: Resolver, given: list, ignored: dict) -> Any:
        method = attributes.get_attribute(resolver, given[0], name.value)
        return calls.call(resolver, method, list(rest), keywords)

    return Native(run_method)


def _decorator(resolver: Resolver, args: list, keywords: dict) -> Any:
    """`functools.wraps(f)`: names and documentation do not matter."""
    return Native(lambda resolver, given, keywords: given[0])


def _cached(resolver: Resolver, args: list, keywords: dict) -> Any:
    """`functools.cache` of a function defined inside: what it gives twice is the same."""
    if len(args) != 1 or isinstance(args[0], Constant):
        return Native(_cached)

    (function,) = args
    if isinstance(function, Closure) and declared_outside(function.tree.node.body):
        raise resolver.error(
            f"a cache for `{function.tree.name}`",
            "how often it runs matters, as it changes names around it",
            "take the cache off",
        )
    return function


def as_native(resolver: Resolver, fn: Any) -> Any:
    """An `itemgetter` and its like that was made outside, as one made here; else None."""
    if not isinstance(fn, (operator.itemgetter, operator.attrgetter, operator.methodcaller)):
        return None
    made: Any = fn.__reduce__()
    maker, args = made[0], made[1]
    keywords = {}
    if isinstance(maker, functools.partial):
        maker, args, keywords = maker.func, (*maker.args, *args), maker.keywords
    given = [resolver.constant(arg) for arg in args]
    return MEANING[maker](resolver, given, {k: resolver.constant(v) for k, v in keywords.items()})


MEANING: dict[Any, Meaning] = {
    functools.partial: _call_partial,
    operator.getitem: _call_getitem,
    operator.setitem: _call_setitem,
    **{fn: _call_operator(fn) for fn in IN_PLACE},
    functools.wraps: _decorator,
    functools.update_wrapper: lambda resolver, args, keywords: args[0],
    functools.cache: _cached,
    functools.lru_cache: _cached,
    operator.itemgetter: _itemgetter,
    operator.attrgetter: _attrgetter,
    operator.methodcaller: _methodcaller,
}
