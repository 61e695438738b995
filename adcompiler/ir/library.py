"""Python's own functions on sequences, dicts and objects: `functools`, `itertools`, `any`, `vars`.

They work on what exists while a function is compiled: items of known structure, and the methods of
objects. What they cannot take apart they hand back (`NotImplemented`) or refuse.
"""

from __future__ import annotations

import builtins
import collections
import copy
import dataclasses
import functools
import itertools
import operator
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import gast

from adcompiler.ir import abstract, heap, instances, lists, nested, operations
from adcompiler.ir.abstract import Instance
from adcompiler.ir.nodes import Constant

if TYPE_CHECKING:
    from adcompiler.ir.resolve import Resolver


def dict_comprehension(resolver: Resolver, node: Any) -> dict:
    """`{key: value for ...}`: its keys must be known."""
    pair = gast.copy_location(gast.Tuple([node.key, node.value], gast.Load()), node)
    pairs = gast.copy_location(gast.ListComp(pair, node.generators), node)
    return dict_of_pairs(resolver, lists.comprehension(resolver, pairs))


def dict_of_pairs(resolver: Resolver, pairs: Any) -> dict:
    """`dict(pairs)`: the keys must be known."""
    items = operations.static_items(operations.iterated(resolver, pairs))
    if items is not None and all(isinstance(i, (tuple, list)) and len(i) == 2 for i in items):
        if all(isinstance(key, Constant) for key, _ in items):
            return {key.value: resolver.settle(value) for key, value in items}
    raise resolver.error(
        "a dict of which the keys are not known",
        "dicts are taken apart at compile time",
        "use keys that are known, or an array",
    )


def _items(resolver: Resolver, value: Any, name: str) -> list:
    """The items of an argument, which must be known one by one."""
    value = operations.iterated(resolver, value)
    items = operations.static_items(value)
    if items is None and operations.has_known_trips(resolver, value):
        items = operations.constant_range(resolver, value)
    if items is None:
        raise resolver.error(
            f"`{name}` of a sequence of unknown length",
            "its items are taken one by one when the function is compiled",
            "write the loop out",
        )
    return items


def _iter(resolver: Resolver, args: list, keywords: dict) -> Any:
    if len(args) != 1:
        raise resolver.error("`iter` with a sentinel", "", "use a `while` loop")
    return operations.sequence(resolver, operations.iterated(resolver, args[0]))


def _reduce(resolver: Resolver, args: list, keywords: dict) -> Any:
    fn, items, *start = args
    items = operations.iterated(resolver, items)
    static = operations.static_items(items)
    if static is None:
        walked = operations.sequence(resolver, items)
        first = start[0] if start else walked.item(Constant(0))
        if not start:
            raise resolver.error(
                "`reduce` of a sequence of unknown length, without a start",
                "the first item is not like the others",
                "give reduce a start, or write the loop out",
            )
        return operations.fold_items(
            resolver,
            walked,
            first,
            lambda total, item: operations.call(resolver, fn, [total, item], {}),
        )
    if not static and not start:
        raise resolver.error("`reduce` of nothing", "there is no item", "give it a start")
    total, rest = (start[0], static) if start else (static[0], static[1:])
    for item in rest:
        total = operations.call(resolver, fn, [total, item], {})
    return total


def _filter(resolver: Resolver, args: list, keywords: dict) -> Any:
    fn, items = args
    kept = []
    for item in _items(resolver, items, "filter"):
        keeps = not isinstance(fn, Constant) or fn.value is not None
        test = resolver.truth(operations.call(resolver, fn, [item], {}) if keeps else item)
        if not isinstance(test, bool):
            raise resolver.error(
                "`filter` by a test that is only known at run time",
                "how many items there are must be known at compile time",
                "add np.where(test, item, 0), or use a mask",
            )
        if test:
            kept.append(item)
    return kept


def _over_items(fn: Callable) -> Callable:
    """A function of `itertools` that only arranges items: it is run on them."""

    def run(resolver: Resolver, args: list, keywords: dict) -> Any:
        name = fn.__name__
        plain = {k: v.value if isinstance(v, Constant) else v for k, v in keywords.items()}
        if fn is itertools.zip_longest:
            plain = {"fillvalue": keywords.get("fillvalue", Constant(None))}
        given: list = []
        for arg in args:
            count = isinstance(arg, Constant) and isinstance(arg.value, int)
            given.append(arg.value if count else _items(resolver, arg, name))
        found = list(itertools.islice(fn(*given, **plain), operations.MAX_ITEMS + 1))
        if len(found) > operations.MAX_ITEMS:
            raise resolver.error(
                f"`{name}` of more than {operations.MAX_ITEMS} items",
                "they would be written out one by one",
                "write the loops out",
            )
        return found

    return run


def _accumulate(resolver: Resolver, args: list, keywords: dict) -> Any:
    items = _items(resolver, args[0], "accumulate")
    fn = args[1] if len(args) > 1 else keywords.get("func", Constant(operator.add))
    totals = [keywords["initial"]] if "initial" in keywords else []
    for item in items:
        totals.append(operations.call(resolver, fn, [totals[-1], item], {}) if totals else item)
    return totals


def _vars(resolver: Resolver, args: list, keywords: dict) -> Any:
    if len(args) == 1 and isinstance(args[0], Instance):
        return instances.fields_to_read(resolver, args[0])
    return NotImplemented


def _astuple(resolver: Resolver, args: list, keywords: dict) -> Any:
    found = instances.call_fields(resolver, args, keywords)
    return found if found is NotImplemented else tuple(found.values())


def _deepcopy(resolver: Resolver, args: list, keywords: dict) -> Any:
    (value,) = args
    if isinstance(value, Instance) and instances.has(value, "__deepcopy__"):
        raise resolver.error("`copy.deepcopy`", "the class has a `__deepcopy__` of its own")
    if len(nested.all_objects([value])) > len(heap.objects_among([value])):
        raise resolver.error(
            "`copy.deepcopy` of what holds one object twice",
            "in the copy it would be two",
            "copy the parts by name",
        )
    return nested.copied(resolver, value)


def _is_set(resolver: Resolver, args: list, keywords: dict) -> Any:
    if not args:
        return NotImplemented
    items = operations.static_items(args[0])
    if items is None or not all(isinstance(item, Constant) for item in items):
        return NotImplemented
    return Constant(frozenset(item.value for item in items))


ARRANGING = (
    itertools.chain, itertools.product, itertools.combinations, itertools.permutations,
    itertools.combinations_with_replacement, itertools.pairwise, itertools.zip_longest,
    itertools.islice, itertools.repeat,
)  # fmt: skip

LIBRARY: dict[Any, Callable] = {
    builtins.iter: _iter,
    builtins.filter: _filter,
    builtins.vars: _vars,
    builtins.set: _is_set,
    builtins.frozenset: _is_set,
    functools.reduce: _reduce,
    itertools.accumulate: _accumulate,
    dataclasses.astuple: _astuple,
    copy.deepcopy: _deepcopy,
    **{fn: _over_items(fn) for fn in ARRANGING},
}

REFUSED = {
    collections.defaultdict: "write `d[key] = d.get(key, 0.0) + ...`",
    collections.deque: "use a list, or an array of fixed length",
    collections.Counter: "use a dict",
}
"""Containers of the library that are not compiled, and what to write instead."""


def special(fn: Any) -> Callable | None:
    """What does the work of a library function, if it is one of these."""
    found = LIBRARY.get(fn)
    if found is None and fn in REFUSED:

        def found(resolver: Resolver, args: list, keywords: dict) -> Any:
            raise resolver.error(
                f"`{fn.__name__}`", "only lists and dicts are taken apart", REFUSED[fn]
            )

    return found


__all__ = ["LIBRARY", "abstract", "special"]
