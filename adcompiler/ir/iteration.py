"""Builtins, and functions of `math` and `functools`, that walk something: `sum`, `any`, `list`.

`MEANING` is the table. To add a function, write it in Python in `prelude`, and name it here; or do
at compile time what can be done there, as `sorted` of known keys is. What no entry handles is
refused, never guessed.
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
from adcompiler.ir import generators, instances, lists, operations, prelude, subscripts, walking
from adcompiler.ir import types as T
from adcompiler.ir.abstract import Instance, Native, RangeOf, Sequence
from adcompiler.ir.infer import type_of
from adcompiler.ir.meaning import Meaning, bind, call, run
from adcompiler.ir.nodes import Constant, Op, Value

if TYPE_CHECKING:
    from adcompiler.ir.resolve import Resolver


def call_list(resolver: Resolver, args: list, keywords: dict) -> Any:
    if not args:
        return []
    items = walking.static_items(args[0])
    if items is not None:
        return items
    out = lists.empty(resolver)
    lists.extend(resolver, out, args[0])
    return out


def call_tuple(resolver: Resolver, args: list, keywords: dict) -> Any:
    if not args:
        return ()
    items = walking.static_items(args[0])
    if items is None and isinstance(args[0], RangeOf):
        items = walking.constant_range(resolver, args[0])
    if items is None:
        kind = type_of(args[0])
        if isinstance(kind, T.Array) and kind.shape and kind.shape[0].constant is not None:
            items = subscripts.unpacked(resolver, args[0], None)
        else:
            raise resolver.error("`tuple(...)`", "how many items there are is not known")
    return tuple(items)


def call_sum(resolver: Resolver, args: list, keywords: dict) -> Any:
    start = args[1] if len(args) > 1 else keywords.get("start", Constant(0))
    items = walking.static_items(args[0])
    if items is not None:
        total = start
        for item in items:
            zero = isinstance(total, Constant) and total.value == 0
            total = (
                item
                if zero and isinstance(item, Value)
                else operations.binary(resolver, operator.add, total, item)
            )
        return total
    walked = walking.sequence(resolver, args[0])
    return walking.fold_items(resolver, walked, start)


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
                return call_sum(resolver, [known], {})
        return run(resolver, prelude.total_of, items, start)
    known = walking.static_items(items)
    if known is not None and isinstance(start, (tuple, list)):
        return run(resolver, prelude.total_of, tuple(known), start)
    return call_sum(resolver, [known if known is not None else items, start], {})


def _prod(resolver: Resolver, args: list, keywords: dict) -> Any:
    items, start = bind(resolver, "math.prod", args, keywords, 1, start=Constant(1))
    known = walking.items_of(resolver, items)
    if known and isinstance(start, Constant) and start.value == 1:
        known, start = known[1:], known[0]
    return run(resolver, prelude.product_of, items if known is None else tuple(known), start)


def _fsum(resolver: Resolver, args: list, keywords: dict) -> Any:
    (items,) = bind(resolver, "math.fsum", args, keywords, 1)
    if isinstance(items, (generators.Generator, Sequence)):
        items = walking.indexable(resolver, items, at_once=True)
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
    left, right = (subscripts.unpacked(resolver, v, None) for v in (p, q))
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
    known = walking.items_of(resolver, items)
    if known:
        return run(resolver, prelude.reduced, function, tuple(known[1:]), known[0])
    items = () if known is not None else walking.indexable(resolver, items)
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
    items = walking.iterated(resolver, items)
    if isinstance(items, (Sequence, generators.Generator)):
        return items
    return run(resolver, prelude.walked, items)


def _list(resolver: Resolver, args: list, keywords: dict) -> Any:
    if len(args) == 1:
        value = walking.iterated(resolver, args[0])
        if isinstance(value, generators.Generator):
            known = generators.collect(value)
            return run(resolver, prelude.listed, value) if known is None else known
        args = [value]
    return call_list(resolver, args, keywords)


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
    return call_tuple(resolver, args, keywords)


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
