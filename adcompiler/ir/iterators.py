"""Iterators: `range`, `zip`, `map`, `filter`, `enumerate`, `reversed` and `itertools`."""

from __future__ import annotations

import builtins
import itertools
import operator
from collections.abc import Callable
from types import FunctionType
from typing import TYPE_CHECKING, Any

from adcompiler import runtime
from adcompiler.ir import generators, prelude, purity, subscripts, walking
from adcompiler.ir import types as T
from adcompiler.ir.abstract import Native, RangeOf, Sequence
from adcompiler.ir.infer import dim_of, type_of
from adcompiler.ir.meaning import NONE, Meaning, bind, call, run, truth_of
from adcompiler.ir.nodes import Constant, Op, Value, is_none

if TYPE_CHECKING:
    from adcompiler.ir.resolve import Resolver


def _call_range(resolver: Resolver, args: list, keywords: dict) -> Any:
    parts = [resolver.operand(arg) for arg in args]
    for part in parts:
        kind = type_of(part)
        if (
            isinstance(kind, T.Array)
            and kind.shape != ()
            or (isinstance(kind, T.Scalar) and kind.kind not in ("int", "bool"))
        ):
            raise resolver.error(
                "`range`",
                f"a {subscripts.kind_name(kind)} is no count",
                "pass an integer, e.g. len(x)",
            )
    if len(parts) == 1:
        return RangeOf(Constant(0), parts[0], Constant(1))
    if len(parts) == 2:
        return RangeOf(parts[0], parts[1], Constant(1))
    return RangeOf(*parts)


def call_enumerate(resolver: Resolver, args: list, keywords: dict) -> Any:
    inner = walking.sequence(resolver, args[0])
    start = args[1] if len(args) > 1 else keywords.get("start", Constant(0))

    def item(index: Any) -> Any:
        number = index
        if not (isinstance(start, Constant) and start.value == 0):
            number = resolver.op(operator.add, index, start)
        return (number, inner.item(index))

    return Sequence(inner.length, item, walks=inner.walks, growing=inner.growing)


def zipped(resolver: Resolver, inner: list[Sequence], strict: bool) -> Sequence:
    """`zip` of these; it ends with the shortest."""
    if not inner:
        return Sequence(walking.StaticLength(0), lambda i: ())
    lengths = [s.length for s in inner if s.length is not None]
    if strict and (len(lengths) < len(inner) or not _check_lengths(resolver, inner)):
        raise resolver.error(
            "`zip(..., strict=True)` of different lengths",
            "it raises ValueError at the end of the shortest",
            "give things of the same length",
        )
    total: Any = None
    if lengths and all(isinstance(n, Constant) for n in lengths):
        count = min(n.value for n in lengths)
        static = any(isinstance(n, walking.StaticLength) for n in lengths)
        total = walking.StaticLength(count) if static else Constant(count)
    elif any(isinstance(n, walking.StaticLength) for n in lengths):
        count = min(n.value for n in lengths if isinstance(n, walking.StaticLength))
        for n in lengths:
            if not isinstance(n, Constant):
                out = resolver.value(T.Object(type(None)))
                resolver.add(Op(runtime.at_least, [n, Constant(count)], {}, [out], effect=True))
        total = walking.StaticLength(count)
    elif lengths:
        total = lengths[0]
        for n in lengths[1:]:
            if dim_of(n) is None or dim_of(n) != dim_of(total):
                total = resolver.op(min, total, n)
    walks = tuple(thing for s in inner for thing in s.walks)
    growing = any(s.growing for s in inner)
    item = lambda i: tuple(s.item(i) for s in inner)  # noqa: E731
    return Sequence(total, item, walks=walks, growing=growing)


def _check_lengths(resolver: Resolver, inner: list[Sequence]) -> bool:
    """Let it raise at run time if lengths differ; false if they are known to."""
    first = inner[0].length
    for number, other in enumerate(inner[1:], 2):
        p, q = dim_of(first), dim_of(other.length)
        if p is not None and p == q:
            continue
        if isinstance(first, Constant) and isinstance(other.length, Constant):
            return False
        out = resolver.value(T.Object(type(None)))
        args = [resolver.operand(n) for n in (first, other.length)] + [Constant(number)]
        resolver.add(Op(runtime.check_zip, args, {}, [out], effect=True))
    return True


def _call_reversed(resolver: Resolver, args: list, keywords: dict) -> Any:
    inner = walking.sequence(resolver, args[0])
    if isinstance(inner.length, walking.StaticLength):
        end = inner.length.value - 1
        return Sequence(
            inner.length,
            lambda i: inner.item(Constant(end - walking.static_index(i))),
            walks=inner.walks,
        )
    last = resolver.op(operator.sub, inner.length, Constant(1))
    return Sequence(
        inner.length, lambda i: inner.item(resolver.op(operator.sub, last, i)), walks=inner.walks
    )


MAX_WRITTEN_OUT = 256
"""So many combinations of known items are told apart; more are loops."""


def _through(function: FunctionType, name: str) -> Meaning:
    """An iterator that `prelude` writes with `yield`, from a function and items."""

    def meaning(resolver: Resolver, args: list, keywords: dict) -> Any:
        fn, items = bind(resolver, name, args, keywords, 2)
        if is_none(fn):
            fn = Constant(bool)
        return run(resolver, function, fn, items)

    return meaning


def _map(resolver: Resolver, args: list, keywords: dict) -> Any:
    fn, *rest = args
    if not rest or keywords:
        raise resolver.error("`map` with these arguments")
    if len(rest) == 1:
        if isinstance(rest[0], generators.Generator) or purity.acts(fn):
            items = rest[0]
            if type(items) is list and not resolver.is_held(items):
                items = tuple(items)  # nobody else can change it
            return run(resolver, prelude.mapped, fn, items)
        inner = walking.sequence(resolver, rest[0])
        return Sequence(
            inner.length,
            lambda i: call(resolver, fn, inner.item(i)),
            growing=inner.growing,
            walks=inner.walks,
            source=(fn, rest[0]),
        )
    return run(resolver, prelude.mapped_to_each, fn, _zip(resolver, rest, {}))


def _zip(resolver: Resolver, args: list, keywords: dict) -> Any:
    (strict,) = bind(resolver, "zip", [], keywords, 0, strict=Constant(False))
    walked = [arg for arg in args if isinstance(arg, generators.Generator)]
    inner = [None if arg in walked else walking.sequence(resolver, arg) for arg in args]
    if len(walked) == 1 and not truth_of(strict):
        return _zipped_with(resolver, args.index(walked[0]), inner, walked[0])
    sequences = [
        walking.sequence(resolver, arg) if s is None else s
        for arg, s in zip(args, inner, strict=True)
    ]
    return zipped(resolver, sequences, truth_of(strict))


def _zipped_with(resolver: Resolver, at: int, inner: list, walked: Any) -> Any:
    """`zip` of a generator and things that are looked up; it runs no further than in Python."""

    def together(resolver: Resolver, args: list, keywords: dict) -> Any:
        number, item = args[0]
        return tuple(item if k == at else s.item(number) for k, s in enumerate(inner))

    counts = [(k, s.length) for k, s in enumerate(inner) if s is not None and s.length is not None]
    if counts:
        place, count = counts[0]
        for other, length in counts[1:]:
            if (other < at) != (place < at):
                raise resolver.error(
                    "`zip` with a generator between other things",
                    "how far it runs depends on which of these ends first",
                    "put it last",
                )
            count = resolver.op(min, count, length)
        function = prelude.numbered_while_below if place < at else prelude.numbered_up_to
        numbered = run(resolver, function, walked, count)
    else:
        numbered = run(resolver, prelude.numbered, walked, Constant(0))
    return run(resolver, prelude.mapped, Native(together), numbered)


def _enumerate(resolver: Resolver, args: list, keywords: dict) -> Any:
    items, start = bind(resolver, "enumerate", args, keywords, 1, start=Constant(0))
    if isinstance(items, generators.Generator):
        return run(resolver, prelude.numbered, items, start)
    return call_enumerate(resolver, [items, start], {})


def _chain(resolver: Resolver, args: list, keywords: dict) -> Any:
    return run(resolver, prelude.chained, tuple(args))


def _chain_from(resolver: Resolver, args: list, keywords: dict) -> Any:
    (items,) = bind(resolver, "chain.from_iterable", args, keywords, 1)
    return run(resolver, prelude.chained, items)


def _constants(*values: Any) -> bool:
    return all(isinstance(v, Constant) for v in values)


def _islice(resolver: Resolver, args: list, keywords: dict) -> Any:
    items, *bounds = args
    if len(bounds) == 1:
        start, stop, step = Constant(0), bounds[0], Constant(1)
    else:
        start, stop, step = (bounds + [NONE])[:3]
    start = Constant(0) if is_none(start) else start
    step = Constant(1) if is_none(step) else step
    known = walking.static_items(items) if not isinstance(items, generators.Generator) else None
    if known is not None and _constants(start, stop, step):
        return walking.known_sequence(
            list(itertools.islice(known, start.value, stop.value, step.value))
        )
    if is_none(stop):
        return run(resolver, prelude.sliced_to_the_end, items, start, step)
    if isinstance(items, generators.Generator):
        return run(resolver, prelude.sliced, items, start, stop, step)
    inner = walking.sequence(resolver, items)
    if inner.length is not None:
        stop = resolver.op(min, stop, inner.length)
    picked = walking.sequence(resolver, RangeOf(start, stop, step))
    length = picked.length
    if inner.length is not None or not _constants(start, stop, step):
        length = resolver.op(runtime.range_length, start, stop, step)
    return Sequence(
        length, lambda i: inner.item(picked.item(i)), growing=inner.growing, walks=inner.walks
    )


def _repeat(resolver: Resolver, args: list, keywords: dict) -> Any:
    value, times = bind(resolver, "itertools.repeat", args, keywords, 1, times=NONE)
    value = resolver.settle(value)
    if is_none(times):
        return Sequence(None, lambda i: value)
    return Sequence(times, lambda i: value)


def _count(resolver: Resolver, args: list, keywords: dict) -> Any:
    start, step = bind(
        resolver, "itertools.count", args, keywords, 0, start=Constant(0), step=Constant(1)
    )

    def at(index: Any) -> Any:
        one = isinstance(step, Constant) and step.value == 1
        scaled = index if one else resolver.op(operator.mul, index, step)
        if isinstance(start, Constant) and start.value == 0:
            return scaled
        return resolver.op(operator.add, start, scaled)

    return Sequence(None, at)


def _cycle(resolver: Resolver, args: list, keywords: dict) -> Any:
    items = args[0]
    if isinstance(items, Value) and isinstance(items.type, (T.List, T.Array)):
        return run(resolver, prelude.cycled, items)
    items = walking.indexable(resolver, items)
    count = call(resolver, Constant(len), items)
    if isinstance(count, Constant) and not count.value:
        return walking.known_sequence([])

    def at(index: Any) -> Any:
        return subscripts.get_item(resolver, items, resolver.op(operator.mod, index, count))

    return Sequence(None, at)


def _pairwise(resolver: Resolver, args: list, keywords: dict) -> Any:
    if isinstance(args[0], (generators.Generator, Sequence)):
        return run(resolver, prelude.pairs_of, args[0])
    items = walking.indexable(resolver, args[0])
    known = walking.static_items(items)
    if known is not None:
        return walking.known_sequence(list(itertools.pairwise(known)))
    return run(resolver, prelude.pairs_in_turn, items)


def _zip_longest(resolver: Resolver, args: list, keywords: dict) -> Any:
    (fill,) = bind(resolver, "zip_longest", [], keywords, 0, fillvalue=NONE)
    sequences = [walking.indexable(resolver, arg) for arg in args]
    known = [walking.static_items(items) for items in sequences]
    if all(items is not None for items in known):
        return walking.known_sequence(list(itertools.zip_longest(*known, fillvalue=fill)))  # type: ignore
    return run(resolver, prelude.zipped_to_longest, tuple(sequences), fill)


def _product(resolver: Resolver, args: list, keywords: dict) -> Any:
    (repeat,) = bind(resolver, "itertools.product", [], keywords, 0, repeat=Constant(1))
    if not isinstance(repeat, Constant):
        raise _count_unknown(resolver, "itertools.product")
    sequences = tuple(walking.indexable(resolver, arg, at_once=True) for arg in args) * int(
        repeat.value
    )
    return run(resolver, prelude.every_combination, sequences)


def _count_unknown(resolver: Resolver, name: str) -> Exception:
    return resolver.error(
        f"`{name}`",
        "how many items are taken together must be known at compile time",
        "write the number out",
    )


def _subsets(fn: Callable, function: FunctionType) -> Meaning:
    def meaning(resolver: Resolver, args: list, keywords: dict) -> Any:
        items, count = bind(resolver, fn.__name__, args, {}, 1, r=keywords.get("r", NONE))
        if not isinstance(count, Constant) or not isinstance(count.value, int):
            raise _count_unknown(resolver, f"itertools.{fn.__name__}")
        items = walking.indexable(resolver, items, at_once=True)
        known = walking.static_items(items)
        if known is not None:
            found = list(itertools.islice(fn(known, count.value), MAX_WRITTEN_OUT + 1))
            if len(found) <= MAX_WRITTEN_OUT:
                return walking.known_sequence(found)
        return run(resolver, function, items, Constant(0), count)

    return meaning


def _permutations(resolver: Resolver, args: list, keywords: dict) -> Any:
    items, count = bind(resolver, "itertools.permutations", args, keywords, 1, r=NONE)
    known = walking.items_of(resolver, items, 64)
    if known is None or not isinstance(count, Constant):
        raise resolver.error(
            "`itertools.permutations`",
            "how many items there are is only known at run time",
            "give it a tuple of known length, or range of a number",
        )
    found = list(itertools.islice(itertools.permutations(known, count.value), MAX_WRITTEN_OUT + 1))
    if len(found) > MAX_WRITTEN_OUT:
        raise resolver.error(
            f"`itertools.permutations` of more than {MAX_WRITTEN_OUT} items",
            "they would be written out one by one",
            "write the loops out",
        )
    return walking.known_sequence(found)


def _accumulate(resolver: Resolver, args: list, keywords: dict) -> Any:
    keywords = dict(keywords)
    initial = keywords.pop("initial", NONE)
    items, function = bind(
        resolver, "itertools.accumulate", args, keywords, 1, func=Constant(operator.add)
    )
    function = Constant(operator.add) if is_none(function) else function
    known = walking.static_items(items)
    if known is None:
        if not is_none(initial):
            return run(resolver, prelude.running_from, items, function, initial)
        if isinstance(items, (generators.Generator, Sequence)):
            return run(resolver, prelude.running_along, items, function)
        return run(resolver, prelude.running, walking.indexable(resolver, items), function)
    if not is_none(initial):
        known = [initial, *known]
    totals = known[:1]
    for item in known[1:]:
        totals.append(call(resolver, function, totals[-1], item))
    return walking.known_sequence(totals)


def _compress(resolver: Resolver, args: list, keywords: dict) -> Any:
    data, selectors = bind(resolver, "itertools.compress", args, keywords, 1, selectors=NONE)
    return run(resolver, prelude.selected, data, selectors)


def _tee(resolver: Resolver, args: list, keywords: dict) -> Any:
    items, count = bind(resolver, "itertools.tee", args, keywords, 1, n=Constant(2))
    items = walking.indexable(resolver, items)
    return tuple(run(resolver, prelude.walked, items) for _ in range(count.value))


MEANING: dict[Any, Meaning] = {
    builtins.range: _call_range,
    builtins.reversed: _call_reversed,
    builtins.filter: _through(prelude.filtered, "filter"),
    builtins.map: _map,
    builtins.zip: _zip,
    builtins.enumerate: _enumerate,
    itertools.accumulate: _accumulate,
    itertools.chain: _chain,
    itertools.chain.from_iterable: _chain_from,
    itertools.combinations: _subsets(itertools.combinations, prelude.subsets),
    itertools.combinations_with_replacement: _subsets(
        itertools.combinations_with_replacement, prelude.subsets_with_repeats
    ),
    itertools.compress: _compress,
    itertools.count: _count,
    itertools.cycle: _cycle,
    itertools.dropwhile: _through(prelude.dropped_while, "itertools.dropwhile"),
    itertools.filterfalse: _through(prelude.filtered_out, "itertools.filterfalse"),
    itertools.islice: _islice,
    itertools.pairwise: _pairwise,
    itertools.permutations: _permutations,
    itertools.product: _product,
    itertools.repeat: _repeat,
    itertools.starmap: _through(prelude.mapped_to_each, "itertools.starmap"),
    itertools.takewhile: _through(prelude.taken_while, "itertools.takewhile"),
    itertools.tee: _tee,
    itertools.zip_longest: _zip_longest,
}
