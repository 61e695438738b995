"""What stands between the brackets of `a[...]`, as an index expression over `a`.

Entries are integers, slices, new axes, `...`, and at most one kind of index array: arrays of
integers, which pick together.  Masks have no loop form.
"""

from __future__ import annotations

import builtins
import operator
from typing import Any

from adcompiler.backends.native import elements
from adcompiler.backends.native.index import (
    UNIT,
    Along,
    Axis,
    Expression,
    Fixed,
    Formula,
    Held,
    Place,
    Window,
    at_broadcast,
)
from adcompiler.backends.native.loops import ONE, ZERO, Index, Writer, number
from adcompiler.backends.native.numbers import Numbers
from adcompiler.backends.native.unsupported import Unsupported
from adcompiler.ir import types as T
from adcompiler.ir.infer import dim_of, slice_length
from adcompiler.ir.nodes import Constant, Operand, Slice, Value

Entry = Any  # an operand, a Slice of operands, or the expression of an index array


def view(
    numbers: Numbers, source: Expression, path: tuple, dims: tuple | None = None
) -> Expression:
    """`source[path]`; `dims` are the lengths of the result where its type knows them."""
    entries = _filled(path, len(source.axes))
    if any(isinstance(entry, Expression) for entry in entries):
        return _picked(numbers, source, entries)
    axes: list[Axis] = []
    places: list[Place] = []
    for entry in entries:
        if isinstance(entry, Constant) and entry.value is None:
            axes.append(UNIT)
            continue
        axis = source.axes[len(places)]
        dim = dims[len(axes)] if dims is not None and len(axes) < len(dims) else None
        if isinstance(entry, Slice):
            along, length = _slice(numbers, entry, axis, dim, len(axes))
            axes.append(length)
            places.append(along)
        else:
            places.append(Fixed(single(numbers, source, entry, axis)))
    return Window(source, axes, places)


def _filled(path: tuple, rank: int) -> list[Entry]:
    """The path with one entry for each axis."""
    given: list[Entry] = []
    for entry in path:
        if isinstance(entry, Constant) and isinstance(entry.value, slice):
            raw = entry.value
            entry = Slice(Constant(raw.start), Constant(raw.stop), Constant(raw.step))
        given.append(entry)
    taken = sum(not _is(entry, None) and not _is(entry, Ellipsis) for entry in given)
    everything = [Slice(Constant(None), Constant(None), Constant(None))] * (rank - taken)
    for k, entry in enumerate(given):
        if _is(entry, Ellipsis):
            return [*given[:k], *everything, *given[k + 1 :]]
    return [*given, *everything]


def _is(entry: Entry, value: object) -> bool:
    return isinstance(entry, Constant) and entry.value is value


def single(numbers: Numbers, source: Expression, entry: Operand, axis: Axis) -> Operand:
    """A single index, checked unless it is certainly inside; memory counts from its end too."""
    if not _is_integer(entry):
        raise Unsupported("an index that is no integer")
    k, n = number(entry), number(axis.length)
    if numbers.spans.is_inside(entry, axis.length, axis.dim):
        if k is None or k >= 0 or isinstance(source, Held):
            return entry
        return Constant(k + n)
    return numbers.writer.op(elements.place, [entry, axis.length], T.INT)


def _is_integer(entry: Operand) -> bool:
    if isinstance(entry, Constant):
        return number(entry) is not None
    return (
        isinstance(entry, Value) and entry.type.__class__ is T.Scalar and entry.type.kind == "int"
    )


def _slice(
    numbers: Numbers, entry: Slice, axis: Axis, dim: T.Dim | None, k: int
) -> tuple[Along, Axis]:
    step = 1 if _is(entry.step, None) else number(entry.step)
    if not step:
        raise Unsupported("a slice with a step that is no constant")
    if step == 1 and _is(entry.start, None) and _is(entry.stop, None):
        return Along(k), axis
    for part in (entry.start, entry.stop):
        if not _is(part, None) and not _is_integer(part):
            raise Unsupported("a slice between what are no integers")
    n, writer = axis.length, numbers.writer
    if dim is None and axis.dim is not None:
        begin, end = (None if _is(x, None) else dim_of(x) for x in (entry.start, entry.stop))
        dim = slice_length(axis.dim, begin, end, T.as_dim(step))
    known = writer.length(dim) if dim is not None else None
    if step > 0:
        start = _bound(numbers, entry.start, axis, ZERO, elements.clipped, known is not None)
        stop = None if known else _bound(numbers, entry.stop, axis, n, elements.clipped, False)
    else:
        last = writer.minus(n, ONE)
        start = _bound(numbers, entry.start, axis, last, elements.clipped_down, False)
        stop = None
        if known is None:
            stop = _bound(numbers, entry.stop, axis, Constant(-1), elements.clipped_down, False)
    if known is None:
        known = _count(writer, start, stop, step)
    return Along(k, start, Constant(step)), Axis(known, dim)


def _bound(
    numbers: Numbers, given: Operand, axis: Axis, default: Operand, clip: Any, loose: bool
) -> Operand:
    """Where a slice begins or ends; `loose`: it may begin anywhere if it is empty."""
    if _is(given, None):
        return default
    n = axis.length
    k, length = number(given), number(n)
    if k is None and numbers.spans.is_inside(given, n, axis.dim):
        return given
    if k is not None and length is not None:
        return Constant(clip(k, length))
    if k is not None and k >= 0 and loose:
        return given
    return numbers.writer.op(clip, [given, n], T.INT, "bound")


def _count(writer: Writer, start: Operand, stop: Operand, step: int) -> Operand:
    if step == 1 and number(start) == 0:
        return stop
    a, b = number(start), number(stop)
    if a is not None and b is not None:
        return Constant(len(range(a, b, step)))
    if step == 1:
        return writer.op(builtins.max, [writer.minus(stop, start), ZERO], T.INT, "count")
    return writer.op(elements.trips, [start, stop, Constant(step)], T.INT, "count")


def _picked(numbers: Numbers, source: Expression, entries: list[Entry]) -> Expression:
    """Indexing with arrays of integers: what they have in common comes first, then the slices."""
    writer = numbers.writer
    arrays = [entry for entry in entries if isinstance(entry, Expression)]
    singles = [e for e in entries if not isinstance(e, Expression | Slice)]
    first = entries.index(arrays[0])
    if entries[first : first + len(arrays)] != arrays or singles:
        raise Unsupported("an index of arrays and single integers")
    if any(T.kind_of(a.dtype) != "int" for a in arrays):
        raise Unsupported("an index of truth values")
    common = joined_axes(writer, arrays)
    rank = len(common)
    before, after = entries[:first], entries[first + len(arrays) :]
    axes: list[Axis] = []
    along: list[Along] = []
    for k, entry in enumerate([*before, *after]):
        spot = k if k < first else k + len(arrays)
        place, axis = _slice(numbers, entry, source.axes[spot], None, k if k < first else k + rank)
        axes.append(axis)
        along.append(place)
    outer = [*axes[:first], *common, *axes[first:]]
    lengths = [axis.length for axis in source.axes[first : first + len(arrays)]]

    def at(writer: Writer, index: Index) -> Operand:
        return source.at(writer, picked_index(writer, index))

    def picked_index(writer: Writer, index: Index) -> list[Operand]:
        chosen = index[first : first + rank]
        picked = []
        for array, n in zip(arrays, lengths, strict=True):
            k = at_broadcast(writer, array, chosen)
            picked.append(writer.op(elements.place, [k, n], T.INT))
        rest = [writer.plus(writer.times(a.step, index[a.axis]), a.offset) for a in along]
        return [*rest[:first], *picked, *rest[first:]]

    return Picked(outer, source.dtype, at, [source, *arrays], index_of=picked_index)


class Picked(Formula):
    """What index arrays pick; `index_of` is the index of the source, to write there."""

    __slots__ = ("index_of",)

    def __init__(self, *args: Any, index_of: Any) -> None:
        Formula.__init__(self, *args)
        self.index_of = index_of


def joined_axes(writer: Writer, operands: list[Expression]) -> list[Axis]:
    """The axes of what results from broadcasting; lengths that may differ are compared."""
    rank = max((len(x.axes) for x in operands), default=0)
    found: list[Axis] = []
    for k in range(rank):
        here = [x.axes[k - rank + len(x.axes)] for x in operands if k - rank + len(x.axes) >= 0]
        wide = [axis for axis in here if not axis.is_unit]
        known = [a for a in wide if number(a.length) is not None]
        chosen = (
            known or [a for a in wide if a.length in writer.lengths.values()] or wide or here
        )[0]
        for axis in wide:
            agree(writer, chosen, axis)
        found.append(chosen)
    return found


def agree(writer: Writer, a: Axis, b: Axis) -> None:
    """Two lengths are equal, or the loops do not apply."""
    if not a.equals(b):
        writer.refuse(writer.op(operator.ne, [a.length, b.length], T.BOOL), ValueError)
