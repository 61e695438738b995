"""What a loop walks, item by item.

`sequence` gives the length and the item at an index. `static_items` gives the items where they are
known one by one, `constant_range` where a loop must be written out, `has_known_trips` whether that
can be done. `iterated` asks an object of the user's what it iterates over, `walked_now` does so for
a `for`, and `indexable` gives something that may be walked more than once.
"""

from __future__ import annotations

import enum
import operator
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from adcompiler import errors
from adcompiler.ir import (
    attributes,
    generators,
    indexing,
    instances,
    list_methods,
    lists,
    mappings,
    prelude,
    purity,
    subscripts,
)
from adcompiler.ir import types as T
from adcompiler.ir.abstract import KnownParts, Native, RangeOf, Sequence
from adcompiler.ir.guards import NeedStatic, NeedUnroll
from adcompiler.ir.infer import join, type_of
from adcompiler.ir.meaning import call, run
from adcompiler.ir.nodes import Constant, Op, Value
from adcompiler.runtime import range_length

if TYPE_CHECKING:
    from adcompiler.ir.resolve import Resolver


def static_items(value: Any) -> list | None:
    """The items of what has known structure."""
    if isinstance(value, (tuple, list)):
        return list(value)
    if isinstance(value, dict):
        return mappings.ordered(value)
    if isinstance(value, Constant) and isinstance(value.value, (str, range, enum.EnumMeta)):
        return [Constant(item) for item in value.value]
    if isinstance(value, Sequence) and isinstance(value.length, StaticLength):
        use_up(value)
        return [value.item(Constant(i)) for i in range(value.length.value)]
    if isinstance(value, generators.Generator):
        return generators.collect(value)
    return None


def use_up(walked: Sequence) -> None:
    """An iterator can be walked once."""
    if walked.used:
        raise errors.ResolveError(
            "an iterator that is walked twice",
            reason="`zip`, `map`, `enumerate` and generators are used up by the first loop",
            remedy="make a list of it: list(zip(a, b))",
        )
    walked.used.append(True)


def generator(resolver: Resolver, items: Any) -> Sequence:
    """A generator expression: its items, to be consumed at once."""
    if isinstance(items, list):
        return Sequence(StaticLength(len(items)), lambda i: items[i.value], lazy=True)
    walked = sequence(resolver, items)
    return Sequence(walked.length, walked.item, lazy=True, walks=walked.walks)


class StaticLength(Constant):
    """The length of a sequence whose items exist at compile time."""


def constant_range(resolver: Resolver, value: Any) -> list:
    """The indices of a range with constant bounds, for a loop that must be written out."""
    if isinstance(value, RangeOf):
        if value.known is not None:
            return [Constant(i) for i in value.known]
        for b in (value.start, value.stop, value.step):
            if isinstance(b, Value) and b.uid in resolver.parameter_of:
                raise NeedStatic(b)
    if isinstance(value, Sequence) and isinstance(value.length, Constant):
        return [value.item(Constant(i)) for i in range(value.length.value)]
    kind = type_of(value) if isinstance(value, (Value, Constant)) else None
    if isinstance(kind, T.Array) and kind.shape and kind.shape[0].constant is not None:
        return [
            subscripts.get_item(resolver, value, Constant(i)) for i in range(kind.shape[0].constant)
        ]
    raise resolver.error(
        "index into things of different kinds",
        "the index is only known at run time",
        "loop over the things themselves (`for w, b in layers`), or put them into one array",
    )


def iterated(resolver: Resolver, value: Any) -> Any:
    """What a loop over an object walks: what its `__iter__` gives, or its items in order."""
    if isinstance(value, Value) and isinstance(value.type, T.List):
        return [] if resolver.is_empty(value) else value
    if not instances.is_user_object(value):
        return value
    answer = instances.method(resolver, value, "__iter__", [], {})
    if answer is not NotImplemented:
        if instances.is_user_object(answer):
            raise resolver.error(
                f"loop over a `{instances.class_of(value).__name__}`",
                "`__next__` is not followed",
                "let `__iter__` yield the items, or loop over a range, an array or a list",
            )
        return iterated(resolver, answer)
    if instances.special_method(value, "__getitem__") and instances.special_method(
        value, "__len__"
    ):
        count = instances.operate(resolver, len, [value])
        known = StaticLength(count.value) if isinstance(count, Constant) else count
        return Sequence(known, lambda i: subscripts.get_item(resolver, value, i))
    return value


def has_known_trips(resolver: Resolver, value: Any) -> bool:
    """Whether a loop over this can be written out trip by trip."""
    if isinstance(value, RangeOf):
        return all(
            isinstance(b, Constant) or (isinstance(b, Value) and b.uid in resolver.parameter_of)
            for b in (value.start, value.stop, value.step)
        )
    if isinstance(value, Sequence):
        return isinstance(value.length, Constant)
    kind = type_of(value) if isinstance(value, (Value, Constant)) else None
    return isinstance(kind, T.Array) and bool(kind.shape) and kind.shape[0].constant is not None


def sequence(resolver: Resolver, value: Any) -> Sequence:
    """What a loop walks, item by item."""
    if isinstance(value, Sequence):
        use_up(value)
        return value
    if isinstance(value, generators.Generator):
        return sequence(resolver, indexable(resolver, value))
    if isinstance(value, RangeOf):
        return Sequence(length_of_range(resolver, value), walk_range(resolver, value))
    if isinstance(value, indexing.Flat):
        return indexing.walk_flat(resolver, value)
    if isinstance(value, (tuple, list, dict)):
        if isinstance(value, KnownParts):
            view, keys = value.view, list(value.view.base)
            known_count = StaticLength(len(keys))
            item = lambda i: mappings.part_shown(resolver, view, keys[static_index(i)])  # noqa: E731
            return Sequence(known_count, item, walks=(view.base,))
        items = mappings.ordered(value) if isinstance(value, dict) else value

        def at_place(index: Any) -> Any:
            return items[static_index(index)]  # of a list as it is when read

        walks = () if isinstance(value, tuple) else (value,)
        growing = bool(walks) and resolver.is_held(value)
        return Sequence(StaticLength(len(items)), at_place, walks=walks, growing=growing)
    found = static_items(value)
    if found is not None:
        return Sequence(StaticLength(len(found)), lambda i: found[static_index(i)])
    kind = type_of(value)
    if isinstance(kind, T.Array):
        if kind.shape is None or not kind.shape:
            raise resolver.error("loop over an array of unknown rank", "", "use indices")
        return Sequence(
            attributes.length(resolver, value, 0), lambda i: subscripts.get_item(resolver, value, i)
        )
    if isinstance(kind, T.List):
        known = kind.length.constant if kind.length is not None else None
        count = lists.length(resolver, value) if known is None else StaticLength(known)
        return Sequence(
            count, lambda i: subscripts.get_item(resolver, value, i), walks=(value,), growing=True
        )
    raise resolver.error(
        f"loop over a {subscripts.kind_name(kind)}",
        "its items are not known",
        "loop over a range, an array or a list",
    )


def walk_range(resolver: Resolver, value: RangeOf) -> Callable[[Any], Any]:
    """What gives the number at a place of a range."""
    first, step = value.start, value.step

    def at(index: Any) -> Any:
        scaled = (
            index
            if isinstance(step, Constant) and step.value == 1
            else resolver.op(operator.mul, index, step)
        )
        if isinstance(first, Constant) and first.value == 0:
            return scaled
        return resolver.op(operator.add, first, scaled)

    return at


def static_index(index: Any) -> int:
    if isinstance(index, Constant):
        return index.value
    raise NeedUnroll(index)


def length_of_range(resolver: Resolver, value: RangeOf) -> Any:
    if isinstance(value.step, Constant) and value.step.value == 1:
        if isinstance(value.start, Constant) and value.start.value == 0:
            return value.stop
        return resolver.op(operator.sub, value.stop, value.start)
    if value.known is not None:
        return Constant(len(value.known))
    out = resolver.value(T.INT)
    resolver.add(Op(range_length, [value.start, value.stop, value.step], {}, [out]))
    return out


def fold_items(resolver: Resolver, walked: Sequence, start: Any, fn: Callable | None = None) -> Any:
    """`total = start; for item in items: total = fn(total, item)`; their sum without `fn`."""
    from adcompiler.ir.nodes import Block, Loop, Range

    kind = type_of(start)
    form = lists.stable(kind)
    for _ in range(4):
        index = resolver.value(T.INT, "i")
        total = resolver.value(form, "total")
        block = Block([index, total])
        with resolver.writing(block):
            item = walked.item(index)
            result = resolver.op(operator.add, total, item) if fn is None else fn(total, item)
        wider = join(form, lists.stable(type_of(result)))
        if wider == form:
            break
        form = wider
    block.results.append(result)
    out = resolver.value(form, "total")
    domain = Range(Constant(0), resolver.operand(walked.length), Constant(1))
    resolver.add(Loop(domain, [resolver.operand(start)], block, [out]))
    return out


def known_sequence(items: list) -> Sequence:
    """An iterator over items that are known one by one."""
    length = StaticLength(len(items))
    return Sequence(length, lambda i: items[static_index(i)])


def walked_now(resolver: Resolver, value: Any) -> Any:
    """What a `for` walks: an iterator without end becomes a generator."""
    if isinstance(value, Sequence) and value.length is None:
        use_up(value)
        item = Native(lambda resolver, args, keywords: value.item(args[0]))
        return run(resolver, prelude.endless, item)
    return iterated(resolver, value)


def indexable(resolver: Resolver, value: Any, at_once: bool = False) -> Any:
    """The items as something that has a length and can be indexed, and walked more than once.

    `at_once`: Python takes all items at this place too. Else they are made beforehand, which is
    only done if they do not depend on what happens meanwhile.
    """
    value = iterated(resolver, value)
    if at_once and type(value) is list:
        return tuple(value)
    if at_once and isinstance(value, Value) and isinstance(value.type, T.List):
        return resolver.run_library(list_methods.copied, [value])
    if at_once and isinstance(value, Value) and isinstance(value.type, T.Array):
        rank = None if value.type.shape is None else len(value.type.shape)
        if rank == 1:
            return call(resolver, Constant(np.array), value)
        # The items are views: they show what happens to the array, and may be written.
        return value if rank else run(resolver, prelude.listed, value)
    if not at_once and isinstance(value, (generators.Generator, Sequence)):
        _check_beforehand(resolver, value)
    if isinstance(value, generators.Generator):
        items = generators.collect(value)
        if items is not None:
            return tuple(items)
        return run(resolver, prelude.listed, value)
    if isinstance(value, Sequence):
        if value.length is None:
            raise resolver.error(
                "an iterator without end here", "it would never end", "give it an end: islice"
            )
        items = static_items(value)
        if items is not None:
            return tuple(items)
        use_up(value)
        return run(resolver, prelude.listed, Sequence(value.length, value.item))
    if isinstance(value, (dict, Constant)) and not isinstance(
        getattr(value, "value", 0), np.ndarray
    ):
        items = static_items(value)
        if items is not None:
            return tuple(items)
    return value


def _check_beforehand(resolver: Resolver, value: Any) -> None:
    """Refuse to make the items of an iterator beforehand if what they depend on may change."""
    if isinstance(value, Sequence) and value.length is None:
        return
    read = purity.reads(value)
    name = value.tree.name if isinstance(value, generators.Generator) else "iterator"
    error = resolver.error(
        f"the generator `{name}` here",
        "a generator runs in turns with who walks it: this is compiled for `for` loops",
        "walk it with `for`, or make a list of it: list(...)",
    )
    if read is None:
        raise error
    resolver.unwritten += [(array, error) for array in read]


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
