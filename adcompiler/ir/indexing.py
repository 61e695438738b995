"""What NumPy has around indices: `a.flat`, `np.r_` and its kin, `np.ndindex`, `np.ndenumerate`."""

from __future__ import annotations

import operator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from adcompiler.ir import attributes, numpy_calls, operations, subscripts
from adcompiler.ir import types as T
from adcompiler.ir.abstract import Sequence
from adcompiler.ir.infer import type_of
from adcompiler.ir.nodes import Constant, Op, Slice, Value, is_none
from adcompiler.rules import book, compositions

if TYPE_CHECKING:
    from adcompiler.ir.resolve import Resolver


@dataclass(frozen=True, slots=True, eq=False)
class Flat:
    """`array.flat`: the items of an array in C order."""

    array: Any


def get_flat(resolver: Resolver, flat: Flat, index: Any) -> Any:
    """`a.flat[index]`: a copy, whatever the index is."""
    return numpy_calls.compose(resolver, compositions.flat_items, [flat.array, index], {})


def set_flat(resolver: Resolver, flat: Flat, index: Any, value: Any) -> None:
    """`a.flat[index] = value`."""
    if isinstance(value, (list, tuple)):
        value = resolver.op(np.array, list(value))
    refuse_shared(resolver, flat.array, value)
    numpy_calls.compose(resolver, compositions.set_flat_items, [flat.array, index, value], {})


def call_place(resolver: Resolver, args: list, keywords: dict) -> Any:
    """`np.place(array, mask, values)`."""
    values = args[2] if len(args) == 3 else keywords.get("vals")
    if args and values is not None:
        refuse_shared(resolver, args[0], values)
    return numpy_calls.compose(resolver, compositions.place, args, keywords)


def call_fill_diagonal(resolver: Resolver, args: list, keywords: dict) -> Any:
    """`np.fill_diagonal(array, values)`."""
    values = args[1] if len(args) > 1 else keywords.get("val")
    if args and values is not None:
        refuse_shared(resolver, args[0], values)
    return numpy_calls.compose(resolver, compositions.fill_diagonal, args, keywords)


_COPIES = {np.array, np.copy, np.zeros, np.ones, np.full, np.arange, np.linspace, np.concatenate}


def refuse_shared(resolver: Resolver, array: Any, values: Any) -> None:
    """Refuse to write items of an array into itself one by one: NumPy reads what it has written.

    Known to be another array are arguments of the differentiated function, and what an operation
    of this block has made.
    """
    if not operations.is_array(values) or getattr(type_of(values), "shape", ()) == ():
        return
    made = {out: s for s in resolver.block.statements if isinstance(s, Op) for out in s.outs}
    outermost = resolver.frames[0].arguments.values() if resolver.frames else ()

    def origin(value: Any) -> Any:
        while isinstance(value, Value) and value in made:
            op = made[value]
            key = book.canonical(op.fn)
            if isinstance(key, np.ufunc) or key in _COPIES or op.fn is np.ndarray.copy:
                return op
            value = op.args[0] if op.args else None
        known = isinstance(value, Constant) or any(value is given for given in outermost)
        return value if known else None

    source, target = origin(values), origin(array)
    fresh = isinstance(source, Op) and source is not target
    if source is None or not (fresh or (target is not None and source is not target)):
        raise resolver.error(
            "items that may be those of the array they are written to",
            "NumPy writes them one by one: it would read what it has written",
            "copy them first: `values.copy()`",
        )


def walk_flat(resolver: Resolver, flat: Flat) -> Sequence:
    """What `for item in a.flat` walks."""
    array = flat.array
    shape = _known_shape(resolver, array, "`.flat`")
    count = _product(resolver, shape)
    return Sequence(count, lambda k: _item(resolver, array, shape, k))


def call_ndindex(resolver: Resolver, args: list, keywords: dict) -> Any:
    """`np.ndindex(m, n)`, `np.ndindex(a.shape)`: all indices."""
    shape = args[0] if len(args) == 1 and isinstance(args[0], tuple) else tuple(args)
    if keywords or not all(_is_integer(n) for n in shape):
        raise resolver.error("`np.ndindex`", "the shape is not known", "write the loops out")
    return Sequence(_product(resolver, shape), lambda k: _unravelled(resolver, k, shape))


def call_ndenumerate(resolver: Resolver, args: list, keywords: dict) -> Any:
    """`np.ndenumerate(a)`: all indices, with the item at each."""
    (array,) = args
    shape = _known_shape(resolver, array, "`np.ndenumerate`")

    def at(k: Any) -> Any:
        index = _unravelled(resolver, k, shape)
        return (index, subscripts.get_item(resolver, array, index))

    return Sequence(_product(resolver, shape), at)


def call_nditer(resolver: Resolver, args: list, keywords: dict) -> Any:
    """`np.nditer(a)`: the items, which are only read."""
    if keywords or len(args) != 1 or not operations.is_array(args[0]):
        raise resolver.error(
            "`np.nditer` of this form",
            "what it would write is not followed",
            "write the loops out, or use np.ndindex(a.shape)",
        )
    return walk_flat(resolver, Flat(args[0]))


def _item(resolver: Resolver, array: Any, shape: tuple, k: Any) -> Any:
    return subscripts.get_item(resolver, array, _unravelled(resolver, k, shape))


def _known_shape(resolver: Resolver, array: Any, what: str) -> tuple:
    kind = type_of(array)
    if not operations.is_array(array) or not isinstance(kind, T.Array) or kind.shape is None:
        raise resolver.error(what, "the rank of the array is not known", "write the loops out")
    return tuple(attributes.length(resolver, array, axis) for axis in range(len(kind.shape)))


def _is_integer(value: Any) -> bool:
    kind = type_of(value)
    return isinstance(kind, T.Scalar) and kind.kind == "int"


def _product(resolver: Resolver, factors: tuple) -> Any:
    total: Any = Constant(1)
    for factor in factors:
        one = isinstance(total, Constant) and total.value == 1
        total = factor if one else resolver.op(operator.mul, total, factor)
    return total


def _unravelled(resolver: Resolver, k: Any, shape: tuple) -> tuple:
    """The index with the running number `k`, in C order."""
    index: list = []
    for axis in range(len(shape)):
        after = _product(resolver, shape[axis + 1 :])
        last = axis == len(shape) - 1
        place = k if last else resolver.op(operator.floordiv, k, after)
        index.append(place if axis == 0 else resolver.op(operator.mod, place, shape[axis]))
    return tuple(index)


# `np.r_`, `np.c_`, `np.s_`, `np.ogrid`


def built(resolver: Resolver, builder: Any, index: Any) -> Any:
    """`np.r_[...]` and its kin."""
    if builder is np.s_:
        return index
    items = index if isinstance(index, tuple) else (index,)
    if builder is np.index_exp:
        return items
    if builder is np.ogrid:
        ranges = [_range(resolver, item, "np.ogrid") for item in items]
        if len(ranges) == 1:
            return ranges[0]
        return tuple(_along(resolver, a, k, len(ranges)) for k, a in enumerate(ranges))
    name = "np.r_" if builder is np.r_ else "np.c_"
    parts = [_part(resolver, item, name) for item in items]
    if builder is np.c_:
        column = (Constant(Ellipsis), Constant(None))
        parts = [
            subscripts.get_item(resolver, p, column) if len(type_of(p).shape) == 1 else p
            for p in parts
        ]
        return operations.apply(resolver, np.concatenate, [parts], {"axis": Constant(-1)})
    return operations.apply(resolver, np.concatenate, [parts], {})


def _along(resolver: Resolver, array: Any, axis: int, rank: int) -> Any:
    shape = tuple(Constant(-1 if k == axis else 1) for k in range(rank))
    return resolver.op(np.reshape, array, shape)


def _part(resolver: Resolver, item: Any, name: str) -> Any:
    """What stands between the brackets of `np.r_`, as an array."""
    if isinstance(item, Slice) or (isinstance(item, Constant) and isinstance(item.value, slice)):
        return _range(resolver, item, name)
    if isinstance(item, (list, tuple)):
        return resolver.op(np.array, list(item))
    kind = type_of(item)
    if isinstance(kind, T.Scalar):
        return resolver.op(np.array, [item])
    if isinstance(kind, T.Array) and kind.shape:
        return item
    raise resolver.error(f"`{name}` of this", "arrays, numbers and slices are known", "np.stack")


def _range(resolver: Resolver, item: Any, name: str) -> Any:
    if isinstance(item, Constant):
        item = Slice(*map(Constant, (item.value.start, item.value.stop, item.value.step)))
    parts = (item.start, item.stop, item.step) if isinstance(item, Slice) else ()
    start, stop, step = (Constant(0) if is_none(p) else p for p in parts) if parts else (None,) * 3
    if start is None or not (_is_integer(start) and _is_integer(stop)) or is_none(item.stop):
        raise resolver.error(f"`{name}` of this", "slices of integers are known", "np.linspace")
    step = Constant(1) if is_none(item.step) else step
    if not _is_integer(step):
        raise resolver.error(f"`{name}` of this", "steps are integers here", "np.linspace")
    return resolver.op(np.arange, start, stop, step)


BUILDERS = (np.r_, np.c_, np.s_, np.index_exp, np.ogrid)


def is_builder(value: Any) -> bool:
    """Whether it is one of NumPy's objects that are only indexed."""
    return isinstance(value, Constant) and any(value.value is builder for builder in BUILDERS)
