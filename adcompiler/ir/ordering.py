"""`sorted`, `min` and `max` of known things and of computed ones."""

from __future__ import annotations

import builtins
import itertools
import operator
from collections.abc import Callable
from types import FunctionType
from typing import TYPE_CHECKING, Any

import numpy as np

from adcompiler import runtime
from adcompiler.ir import comparisons, prelude, subscripts, walking
from adcompiler.ir import types as T
from adcompiler.ir.abstract import Native, RangeOf, Sequence, is_operand
from adcompiler.ir.infer import type_of
from adcompiler.ir.meaning import NONE, Meaning, bind, call, run
from adcompiler.ir.nodes import Constant, Op, Value, is_none

if TYPE_CHECKING:
    from adcompiler.ir.resolve import Resolver


def call_minmax(fn: Callable) -> Callable:
    def minmax(resolver: Resolver, args: list, keywords: dict) -> Any:
        items = walking.static_items(args[0]) if len(args) == 1 else args
        if keywords:
            raise resolver.error(
                f"`{fn.__name__}` with these arguments", "", "write the choice as a loop"
            )
        if items is None:
            walked = walking.sequence(resolver, args[0])
            first = walked.item(Constant(0))
            return walking.fold_items(
                resolver, walked, first, lambda total, item: resolver.op(fn, total, item)
            )
        result = items[0]
        for item in items[1:]:
            result = resolver.op(fn, result, item)
        return result

    return minmax


def _extreme(fn: Callable, function: FunctionType) -> Meaning:
    def meaning(resolver: Resolver, args: list, keywords: dict) -> Any:
        keywords = dict(keywords)
        key = keywords.pop("key", NONE)
        default = keywords.pop("default", None)
        if keywords or (default is not None and len(args) != 1) or not args:
            raise resolver.error(f"`{fn.__name__}` with these arguments")
        items: Any = tuple(args)
        if len(args) == 1:
            items = args[0]
            if not (isinstance(items, Sequence) and isinstance(items.length, Value)):
                items = walking.indexable(resolver, items, at_once=True)
            elif is_none(key):
                items = run(resolver, prelude.listed, items)
            else:
                walking.use_up(items)
            if isinstance(items, RangeOf) and is_none(key):
                items = run(resolver, prelude.listed, items)
        known = walking.items_of(resolver, items)
        if known is not None:
            items = tuple(known)
            if not items and default is not None:
                return default
            if (
                is_none(key)
                and items
                and all(map(is_operand, items))
                and not any(isinstance(i, (tuple, list)) for i in items)
            ):
                return call_minmax(fn)(resolver, list(items), {})
        if isinstance(items, Sequence) and isinstance(items.length, Value):
            known = None
        if is_none(key) and default is None and known is None:
            return call_minmax(fn)(resolver, [items], {})
        key = Constant(prelude.itself) if is_none(key) else key
        if known is None and default is not None:
            empty = comparisons.compared_as(
                resolver, operator.eq, call(resolver, Constant(len), items), Constant(0)
            )
            return resolver.branch(
                resolver.truth(empty), lambda: default, lambda: run(resolver, function, items, key)
            )
        return run(resolver, function, items, key)

    return meaning


def _sorted(resolver: Resolver, args: list, keywords: dict) -> Any:
    (items,) = bind(resolver, "sorted", args, {}, 1)
    key, reverse = bind(resolver, "sorted", [], keywords, 0, key=NONE, reverse=Constant(False))
    return in_order(resolver, items, key, reverse)


def in_order(resolver: Resolver, items: Any, key: Any, reverse: Any) -> Any:
    """The items as a new list, in the order of their keys."""
    known = walking.items_of(resolver, items)
    if known is None:
        listed = walking.indexable(resolver, items, at_once=True)
        if isinstance(listed, RangeOf) or isinstance(type_of(listed), T.Array):
            listed = run(resolver, prelude.listed, listed)
        known = walking.static_items(listed)
    if known is None:
        keys = listed
        if not is_none(key):
            keys = run(resolver, prelude.listed, run(resolver, prelude.mapped, key, listed))
        return run(resolver, prelude.in_order, listed, keys, reverse, Native(_order))
    keys = known if is_none(key) else [call(resolver, key, item) for item in known]
    plain = deciding([python_key(k) for k in keys])
    if plain is not None and isinstance(reverse, Constant):
        order = sorted(range(len(keys)), key=plain.__getitem__, reverse=bool(reverse.value))
        return [known[k] for k in order]
    if len(known) <= 1:
        return list(known)
    if not all(map(is_operand, keys)):
        raise resolver.error(
            "`sorted` by keys of this kind",
            "they can be compared at compile time alone",
            "sort by numbers, strings or tuples of them",
        )
    places = _order(resolver, [list(keys), reverse], {})
    picked = [_item_at(resolver, known, places, k) for k in range(len(known))]
    return picked


def _order(resolver: Resolver, args: list, keywords: dict) -> Value:
    """Where the items stand that come first, second, ... in the order of their keys."""
    keys, reverse = map(resolver.operand, args)
    length = T.as_dim(len(keys)) if isinstance(keys, list) else T.symbol(resolver.fresh())
    out = resolver.value(T.Array("int64", (length,), True), "order")
    resolver.add(Op(runtime.order_of, [keys, reverse], {}, [out]))
    return out


UNKNOWN = object()
"""What stands for a key that is computed."""


def python_key(key: Any) -> Any:
    """A key as Python knows it, with `UNKNOWN` for what is computed."""
    if isinstance(key, Constant) and not isinstance(key.value, np.ndarray):
        return key.value
    if isinstance(key, tuple):
        return tuple(map(python_key, key))
    return UNKNOWN


def deciding(keys: list) -> list | None:
    """Keys that sort as these do, if that is known now: of tuples, as much as tells them apart."""
    if not any(map(_is_unknown, keys)):
        return keys
    if not all(isinstance(k, tuple) for k in keys):
        return None
    heads = [tuple(itertools.takewhile(lambda part: not _is_unknown(part), k)) for k in keys]
    shortest = min(map(len, heads), default=0)
    heads = [head[:shortest] for head in heads]
    alike = any(p == q for p, q in itertools.combinations(heads, 2))
    return None if alike else heads


def _is_unknown(key: Any) -> bool:
    return any(map(_is_unknown, key)) if isinstance(key, tuple) else key is UNKNOWN


def _item_at(resolver: Resolver, known: list, order: Value, place: int) -> Any:
    """Which item comes at a place: one of alike items, part by part."""
    first = known[0]
    if isinstance(first, tuple) and all(
        type(i) is type(first) and len(i) == len(first) for i in known
    ):
        parts = [
            _item_at(resolver, [item[k] for item in known], order, place) for k in range(len(first))
        ]
        return type(first)._make(parts) if hasattr(first, "_make") else tuple(parts)
    index = subscripts.get_item(resolver, order, Constant(place))
    if all(isinstance(item, Constant) and isinstance(item.value, str) for item in known):
        out = resolver.value(T.Object(str))
        resolver.add(Op(operator.getitem, [list(known), (index,)], {}, [out]))
        return out
    kinds = {type(type_of(item)) for item in known}
    if not all(isinstance(item, (Value, Constant)) for item in known) or not (
        kinds <= {T.Scalar} or kinds <= {T.Array}
    ):
        raise resolver.error(
            "`sorted` of things of different kinds by keys that are computed",
            "which thing comes first is only known at run time",
            "sort numbers, arrays or tuples of them, or sort indices",
        )
    return subscripts.get_item(resolver, resolver.settle(list(known)), index)


MEANING: dict[Any, Meaning] = {
    builtins.min: _extreme(min, prelude.least),
    builtins.max: _extreme(max, prelude.greatest),
    builtins.sorted: _sorted,
}
