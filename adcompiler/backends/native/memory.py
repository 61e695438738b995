"""Memory in loops: births, loads, views, and stores that read all before they write."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from adcompiler.backends.native import arrays, lists
from adcompiler.backends.native.index import (
    Along,
    Axis,
    Expression,
    Held,
    Place,
    Window,
    accesses,
    at_broadcast,
    broadcast_to,
    classes_read,
    is_apart,
    is_same,
)
from adcompiler.backends.native.layout import checked, item_type, scalar_type
from adcompiler.backends.native.loops import number
from adcompiler.backends.native.numbers import kind
from adcompiler.backends.native.paths import Picked, agree, single, view
from adcompiler.backends.native.unsupported import Unsupported, described
from adcompiler.ir import types as T
from adcompiler.ir.infer import type_of
from adcompiler.ir.nodes import (
    Accumulate,
    Block,
    Constant,
    Load,
    New,
    Op,
    Operand,
    Slice,
    Store,
    Value,
    View,
)

if TYPE_CHECKING:
    from adcompiler.backends.native.lower import Lowering


def load(low: Lowering, statement: Load, block: Block) -> None:
    """A part of an array is an index expression until it is needed; an item is read now."""
    ref, path, out = statement.ref, statement.path, statement.out
    if isinstance(T.target(ref.type), T.List):
        low.use(ref)
        if not path and isinstance(out.type, T.List):
            low.others[out] = low.reference(ref)
            low.lists[out] = low.classes[ref]
            return
        if len(path) != 1 or isinstance(path[0], Slice):
            raise Unsupported("a part of a list")
        own = low.writer.load(
            low.reference(ref), [low.scalar(path[0])], item_type(out.type), out.name
        )
        low.bind(out, own)
        return
    source = low.expression(ref)
    if scalar_type(out.type) is not None:
        assert isinstance(source, Held)
        index = indices(low, source, path)
        if len(index) != len(source.axes):
            raise Unsupported("an array of rank 0")
        type = scalar_type(out.type)
        low.others[out] = low.writer.load(source.ref, index, type, out.name)
        return
    if not isinstance(out.type, T.Array):
        raise Unsupported("an index of which the result is unknown")
    dims = checked(out.type).shape
    found = view(low.numbers, source, low.path(path), dims) if path else source
    low.define(out, found, block)


def indices(low: Lowering, source: Held, path: tuple) -> list[Operand]:
    """A path of single indices."""
    entries = map(low.scalar, path)
    pairs = zip(entries, source.axes, strict=False)
    return [single(low.numbers, source, entry, axis) for entry, axis in pairs]


def new(low: Lowering, source: Operand, out: Value) -> None:
    """Fresh memory."""
    type = T.target(out.type)
    if isinstance(type, T.List):
        if isinstance(source, Value) and lists.is_list(source):
            made = low.reference(source)
            low.use(source)
            if source in low.lists or isinstance(source.type, T.Ref):
                raise Unsupported("a copy of a list")
            low.others[out] = made  # it was made for this
            return
        if not isinstance(source, list):
            raise Unsupported("a copy of a list")
        own = Value(out.name, T.Ref(item_type(type)))
        low.writer.add(New([list_item(low, item) for item in source], own))
        low.others[out] = own
        return
    if not isinstance(type, T.Array):
        raise Unsupported("memory of an unknown kind")
    expression = low.expression(source)
    if isinstance(expression, Held):
        value = low.writer.load(expression.ref, (), checked(type))
        own = Value(out.name, T.Ref(checked(type)))
        low.writer.add(New(value, own))
    else:
        own = low.hold(expression, type, out.name or low.noun(source)).ref
    low.others[out] = own
    low.lengths_of[own] = expression.axes


def define_view(low: Lowering, statement: View) -> None:
    """Views stay views."""
    ref, out = statement.ref, statement.out
    low.use(ref)
    low.views[out] = statement
    own = Value(out.name, item_type(out.type))
    if statement.fn is operator.getitem:
        args: list[Operand] = [view_path(low, ref, statement.args[0])]
    elif statement.fn in (np.transpose, getattr, np.ndarray.transpose):
        args = statement.args
    else:
        raise Unsupported(described(statement.fn))
    if isinstance(T.target(out.type), T.Array):
        checked(T.target(out.type))
    low.writer.add(View(statement.fn, low.reference(ref), args, statement.keywords, own))
    low.others[out] = own


def view_path(low: Lowering, ref: Value, path: tuple) -> tuple:
    """The path of a view, its single indices checked."""
    entries = low.path(path)
    if any(isinstance(entry, Expression) for entry in entries):
        raise Unsupported("a view through an index array")
    if isinstance(T.target(ref.type), T.List):
        return entries
    held = low.held(low.reference(ref), None)
    axes = iter(held.axes)
    found = []
    for entry in entries:
        if isinstance(entry, Constant) and (entry.value is None or entry.value is Ellipsis):
            if entry.value is Ellipsis:
                raise Unsupported("a view through `...`")
            found.append(entry)
            continue
        axis = next(axes)
        whole = isinstance(entry, Slice) or isinstance(getattr(entry, "value", None), slice)
        found.append(entry if whole else single(low.numbers, held, entry, axis))
    return tuple(found)


def list_item(low: Lowering, operand: Operand) -> Operand:
    """What goes into a list."""
    if isinstance(operand, list | tuple):
        raise Unsupported("a list of lists")
    if isinstance(operand, Value) and isinstance(operand.type, T.Ref):
        low.use(operand)
        return low.reference(operand)
    return low.kept(operand) if low.is_array(operand) else low.scalar(operand)


def write(low: Lowering, statement: Store | Accumulate) -> None:
    """A store, or an addition in place, as a nest over the place."""
    ref, path, value = statement.ref, statement.path, statement.value
    adds = isinstance(statement, Accumulate)
    low.use(ref)
    held = T.target(ref.type)
    if isinstance(held, T.List):
        write_item(low, statement, held)
        return
    target = low.held(low.reference(ref), low.classes[ref])
    written = set(low.classes.within(low.classes[ref]))
    entries = [
        low.hold(entry, T.Array(entry.dtype, (T.as_dim(2),)), "places")
        if isinstance(entry, Expression) and classes_read(entry) & written
        else entry
        for entry in low.path(path)
    ]
    where = view(low.numbers, target, tuple(entries))
    source: Any = low.expression(value) if low.is_array(value) else low.scalar(value)
    if isinstance(source, Expression):
        if len(source.axes) > len(where.axes):
            raise Unsupported("a store of more axes than the place has")
        source = apart(low, where, source, value)
        for own, given in zip(reversed(where.axes), reversed(source.axes), strict=False):
            if not given.is_unit:
                agree(low.writer, own, given)
    elif target.dtype != "float64" and kind(source) not in ("bool", "int"):
        raise Unsupported("a store of floats into integers")
    low.before_writing(written)
    put = low.writer.accumulate if adds else low.writer.store

    def body(index: list[Operand]) -> None:
        item = source
        if isinstance(source, Expression):
            item = at_broadcast(low.writer, source, index)
        put(target.ref, index_into(low, where, index), item)

    low.writer.nest([axis.length for axis in where.axes], body)


def index_into(low: Lowering, where: Expression, index: list[Operand]) -> Sequence[Operand]:
    """Where in the memory the element of a place is."""
    if isinstance(where, Picked):
        return where.index_of(low.writer, index)
    assert isinstance(where, Window)
    return where.mapped(low.writer, index)


def apart(low: Lowering, where: Expression, source: Expression, value: Operand) -> Expression:
    """The right side, read before anything is written if it matters."""
    if T.kind_of(where.dtype) != T.kind_of(source.dtype) and where.dtype != "float64":
        raise Unsupported("a store of floats into integers")
    spread = broadcast_to(source, where.axes)
    if not source.cheap and not _same_axes(source.axes, where.axes):
        return low.hold(source, type_of(value), "values")  # an element is read repeatedly
    (target, places), *_ = accesses(where)
    for held, others in accesses(spread):
        if held.number is None or held.number != target.number:
            continue
        known = held.ref is target.ref and places is not None and others is not None
        if not known or not (is_same(places, others) or is_apart(places, others)):
            return low.hold(source, type_of(value), "values")
    return source


def write_item(low: Lowering, statement: Store | Accumulate, held: T.List) -> None:
    """An item of a list; an array in a list is replaced, not written."""
    ref, path, value = statement.ref, statement.path, statement.value
    if len(path) != 1 or isinstance(path[0], Slice):
        raise Unsupported("a list as a whole")
    own = low.reference(ref)
    index = [low.scalar(path[0])]
    low.before_writing(set(low.classes.within(low.classes[ref])))
    if isinstance(statement, Store):
        low.writer.store(own, index, list_item(low, value))
        return
    if isinstance(held.item, T.Scalar):
        low.writer.accumulate(own, index, low.scalar(value))
        return
    item = low.held(low.writer.load(own, index, item_type(held.item)), None)
    added = low.expression(value) if low.is_array(value) else low.scalar(value)
    total = arrays.elementwise(
        low, operator.add, [item, added], held.item, [held.item, type_of(value)]
    )
    low.writer.store(own, index, low.hold(total, held.item, "total").ref)


def shown(low: Lowering, ref: Operand) -> Expression:
    """What a reference shows, of the memory that it is a view of."""
    made = low.views.get(ref) if isinstance(ref, Value) else None
    if made is None or made.fn is not operator.getitem:
        return low.expression(ref)
    low.use(ref)
    dims = checked(T.target(made.out.type)).shape
    return view(low.numbers, shown(low, made.ref), low.path(made.args[0]), dims)


def overlap(low: Lowering, op: Op) -> None:
    """`refuse_overlap(place, source)`: what it looks for is decided now."""
    place, source = (shown(low, arg) for arg in op.args)
    if not len(place.axes) == 1 <= len(source.axes):
        return
    if not classes_read(place) & classes_read(source):
        return
    (held, where), *_ = accesses(place)
    for other, there in accesses(source):
        same = other.ref is held.ref and where is not None and there is not None
        if not same or not (_has_strides_of(where, there) or is_apart(where, there)):
            raise Unsupported("a store from memory that it may overlap")


def _same_axes(a: list[Axis], b: list[Axis]) -> bool:
    return len(a) == len(b) and all(x.equals(y) or not x.is_unit for x, y in zip(a, b, strict=True))


def _has_strides_of(a: list[Place], b: list[Place]) -> bool:
    """Whether two views of one array step alike along the same axis of it."""
    steps = []
    for places in (a, b):
        along = [
            (k, abs(number(p.step) or 0)) for k, p in enumerate(places) if isinstance(p, Along)
        ]
        steps.append(along)
    return len(steps[0]) == 1 and steps[0][0] in steps[1]
