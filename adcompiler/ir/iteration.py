"""Builtins, `itertools`, `functools` and `operator`: what a call of each means.

`MEANING` is the table: from a function to `(resolver, args, keywords) -> abstract value`. To add a
function, write it in Python in `prelude`, and name it here; or do at compile time what can be done
there, as `sorted` of known keys is. What no entry handles is refused, never guessed.
"""

from __future__ import annotations

import builtins
import functools
import math
import operator
from collections.abc import Callable
from types import FunctionType
from typing import TYPE_CHECKING, Any

import numpy as np

from adcompiler import runtime
from adcompiler.ir import generators, instances, operations, prelude
from adcompiler.ir import types as T
from adcompiler.ir.abstract import Instance, Native, RangeOf, Sequence
from adcompiler.ir.infer import type_of
from adcompiler.ir.nodes import Constant, Op, Value
from adcompiler.ir.parse import Tree, parse

if TYPE_CHECKING:
    from adcompiler.ir.resolve import Resolver

Meaning = Callable[["Resolver", list, dict], Any]


def is_prelude(tree: Tree) -> bool:
    """Whether a function is one of `prelude`."""
    return tree.globals is vars(prelude)


def run(resolver: Resolver, function: FunctionType, *args: Any) -> Any:
    """A call of a function of `prelude`."""
    return resolver.call(parse(function, generator=True), list(args), {})


def call(resolver: Resolver, function: Any, *args: Any) -> Any:
    return operations.call(resolver, function, list(args), {})


def static_items(value: Any) -> list | None:
    return operations.static_items(value)


def known_sequence(items: list) -> Sequence:
    """An iterator over items that are known one by one."""
    length = operations.StaticLength(len(items))
    return Sequence(length, lambda i: items[operations.static_index(i)])


def walked_now(resolver: Resolver, value: Any) -> Any:
    """What a `for` walks: an iterator without end becomes a generator."""
    if isinstance(value, Sequence) and value.length is None:
        operations.use_up(value)
        item = Native(lambda resolver, args, keywords: value.item(args[0]))
        return run(resolver, prelude.endless, item)
    return operations.iterated(resolver, value)


def indexable(resolver: Resolver, value: Any, at_once: bool = False) -> Any:
    """The items as something that has a length and can be indexed, and walked more than once.

    `at_once`: Python takes all items at this place too.
    """
    value = operations.iterated(resolver, value)
    if isinstance(value, generators.Generator):
        items = generators.collect(value)
        if items is not None:
            return tuple(items)
        if not value.quiet and not at_once:
            raise resolver.error(
                f"the generator `{value.tree.name}` here",
                "a generator runs in turns with who walks it: this is compiled for `for` loops",
                "walk it with `for`, or make a list of it: list(...)",
            )
        return run(resolver, prelude.listed, value)
    if isinstance(value, Sequence):
        if value.length is None:
            raise resolver.error(
                "an iterator without end here", "it would never end", "give it an end: islice"
            )
        items = static_items(value)
        if items is not None:
            return tuple(items)
        operations.use_up(value)
        return run(resolver, prelude.listed, Sequence(value.length, value.item))
    if isinstance(value, (dict, Constant)) and not isinstance(
        getattr(value, "value", 0), np.ndarray
    ):
        items = static_items(value)
        if items is not None:
            return tuple(items)
    return value


MAX_WRITTEN_OUT = 8
"""The numbers of a range of up to so many are told apart; longer ranges are loops."""


def items_of(resolver: Resolver, value: Any, most: int = MAX_WRITTEN_OUT) -> list | None:
    """The items, where they are known one by one."""
    if isinstance(value, RangeOf):
        known = value.known
        if known is not None and len(known) <= most:
            return [Constant(i) for i in known]
        return None
    return static_items(value)


def bind(
    resolver: Resolver, name: str, args: list, keywords: dict, required: int, **optional: Any
) -> list:
    """Arguments by the position of the optional ones, which may be named."""
    names = list(optional)
    values = list(args)
    if len(values) < required or len(values) > required + len(names) or set(keywords) - set(names):
        raise resolver.error(
            f"`{name}` with these arguments", "its signature is another", "see its documentation"
        )
    for key in names[len(values) - required :]:
        values.append(keywords.get(key, optional[key]))
    return values


NONE = Constant(None)


def truth_of(value: Any) -> bool:
    """Whether an argument is known to be true."""
    return isinstance(value, Constant) and bool(value.value)


def is_none(value: Any) -> bool:
    return isinstance(value, Constant) and value.value is None


# -- what a loop gives -----------------------------------------------------------------------------


def _any_all(function: FunctionType, fn: Callable) -> Meaning:
    def meaning(resolver: Resolver, args: list, keywords: dict) -> Any:
        (items,) = bind(resolver, fn.__name__, args, keywords, 1)
        if isinstance(items, Value) and isinstance(items.type, T.Array):
            return NotImplemented
        return run(resolver, function, items)

    return meaning


def _sum(resolver: Resolver, args: list, keywords: dict) -> Any:
    items, start = bind(resolver, "sum", args, keywords, 1, start=Constant(0))
    if isinstance(items, generators.Generator):
        if isinstance(start, Constant) and start.value == 0:
            known = generators.collect(items)
            if known is not None:
                return operations.call_sum(resolver, [known], {})
        return run(resolver, prelude.total_of, items, start)
    known = operations.static_items(items)
    if known is not None and isinstance(start, (tuple, list)):
        return run(resolver, prelude.total_of, tuple(known), start)
    return operations.call_sum(resolver, [known if known is not None else items, start], {})


def _prod(resolver: Resolver, args: list, keywords: dict) -> Any:
    items, start = bind(resolver, "math.prod", args, keywords, 1, start=Constant(1))
    known = items_of(resolver, items)
    if known and isinstance(start, Constant) and start.value == 1:
        known, start = known[1:], known[0]
    return run(resolver, prelude.product_of, items if known is None else tuple(known), start)


def _fsum(resolver: Resolver, args: list, keywords: dict) -> Any:
    (items,) = bind(resolver, "math.fsum", args, keywords, 1)
    if isinstance(items, (generators.Generator, Sequence)):
        items = indexable(resolver, items, at_once=True)
        if isinstance(items, tuple):
            items = list(items)
        elif isinstance(type_of(items), T.List):
            raise resolver.error(
                "`math.fsum` of items whose number is only known at run time",
                "its derivative is known for lists of known length",
                "use sum, or np.sum of an array",
            )
        return call(resolver, Constant(math.fsum), items)
    return NotImplemented


def _dist(resolver: Resolver, args: list, keywords: dict) -> Any:
    p, q = bind(resolver, "math.dist", args, keywords, 2)
    if all(isinstance(type_of(v), T.Array) for v in (p, q)):
        if type_of(p).shape != type_of(q).shape:
            lengths = [call(resolver, Constant(len), v) for v in (p, q)]
            out = resolver.value(T.Object(type(None)))
            resolver.add(Op(runtime.check_dimensions, lengths, {}, [out], effect=True))
        return call(
            resolver, Constant(np.linalg.norm), operations.binary(resolver, operator.sub, p, q)
        )
    left, right = (operations.unpacked(resolver, v, None) for v in (p, q))
    if len(left) != len(right):
        raise resolver.error(
            "`math.dist`", "both points must have the same number of dimensions", "check them"
        )
    parts = [resolver.op(operator.sub, a, b) for a, b in zip(left, right, strict=True)]
    return resolver.op(math.hypot, *parts)


def _reduce(resolver: Resolver, args: list, keywords: dict) -> Any:
    if len(args) == 3 and not keywords:
        return run(resolver, prelude.reduced, *args)
    function, items = bind(resolver, "reduce", args, keywords, 2)
    known = items_of(resolver, items)
    if known:
        return run(resolver, prelude.reduced, function, tuple(known[1:]), known[0])
    items = () if known is not None else indexable(resolver, items)
    return run(resolver, prelude.reduced_from_first, function, items)


def _next(resolver: Resolver, args: list, keywords: dict) -> Any:
    items, *default = args
    if isinstance(items, Instance):
        return call(resolver, Native(_method("__next__")), items)
    if not isinstance(items, (Sequence, generators.Generator)):
        raise resolver.error("`next` of what is no iterator", "", "write iter(...)")
    if default:
        return run(resolver, prelude.first_or, items, default[0])
    return run(resolver, prelude.first, items)


def _method(name: str) -> Callable:
    def called(resolver: Resolver, args: list, keywords: dict) -> Any:
        return instances.method(resolver, args[0], name, args[1:], keywords)

    return called


def _iter(resolver: Resolver, args: list, keywords: dict) -> Any:
    if len(args) == 2:
        raise resolver.error(
            "`iter` with a sentinel",
            "when the function gives it is only known at run time",
            "use a `while` loop",
        )
    (items,) = bind(resolver, "iter", args, keywords, 1)
    items = operations.iterated(resolver, items)
    if isinstance(items, (Sequence, generators.Generator)):
        return items
    return run(resolver, prelude.walked, items)


def _list(resolver: Resolver, args: list, keywords: dict) -> Any:
    if len(args) == 1:
        value = operations.iterated(resolver, args[0])
        if isinstance(value, generators.Generator):
            known = generators.collect(value)
            return run(resolver, prelude.listed, value) if known is None else known
        args = [value]
    return operations.call_list(resolver, args, keywords)


def _tuple(resolver: Resolver, args: list, keywords: dict) -> Any:
    if len(args) == 1 and isinstance(args[0], generators.Generator):
        known = generators.collect(args[0])
        if known is None:
            raise resolver.error(
                "`tuple(...)` of a generator",
                "how many items there are is only known at run time",
                "make a list of it",
            )
        return tuple(known)
    return operations.call_tuple(resolver, args, keywords)


MEANING: dict[Any, Meaning] = {
    builtins.any: _any_all(prelude.any_of, any),
    builtins.all: _any_all(prelude.all_of, all),
    builtins.sum: _sum,
    builtins.iter: _iter,
    builtins.next: _next,
    builtins.list: _list,
    builtins.tuple: _tuple,
    math.prod: _prod,
    math.fsum: _fsum,
    math.dist: _dist,
    functools.reduce: _reduce,
}
