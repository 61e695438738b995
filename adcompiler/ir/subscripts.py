"""`base[index]`: items and slices read, stored and unpacked, and `np.mgrid`.

An index of a tuple of known structure is no operation at all; that of an array is a path.
"""

from __future__ import annotations

import builtins
import operator
from typing import TYPE_CHECKING, Any

import numpy as np

from adcompiler import runtime
from adcompiler.ir import indexing, instances, lists, loops, mappings, operations, walking
from adcompiler.ir import types as T
from adcompiler.ir.abstract import Instance, RangeOf, Sequence
from adcompiler.ir.guards import CONTAINERS, NeedStatic, NeedUnroll
from adcompiler.ir.infer import dim_of, index_type, type_of
from adcompiler.ir.nodes import Constant, Op, Slice, Store, Value

if TYPE_CHECKING:
    from adcompiler.ir.resolve import Resolver


def path_of(resolver: Resolver, index: Any) -> tuple:
    """The index between brackets as a path."""
    if isinstance(index, tuple):
        return tuple(_index_operand(resolver, item) for item in index)
    return (_index_operand(resolver, index),)


def _index_operand(resolver: Resolver, item: Any) -> Any:
    if isinstance(item, Constant) and isinstance(item.value, slice):
        parts = (item.value.start, item.value.stop, item.value.step)
        return Slice(*map(Constant, parts))
    return resolver.operand(item)


def get_item(resolver: Resolver, base: Any, index: Any) -> Any:
    """`base[index]`."""
    if instances.is_user_object(base):
        answer = instances.method(resolver, base, "__getitem__", [index], {})
        if answer is not NotImplemented:
            return answer
        if isinstance(base, Instance):
            raise resolver.error(f"index into a `{base.cls.__name__}`", "it has no `__getitem__`")
    if isinstance(base, (tuple, list)) and not isinstance(index, (tuple, list)):
        if isinstance(index, Constant):
            try:
                return resolver.usable(base[index.value])
            except IndexError:
                raise resolver.error("index out of range", f"there are {len(base)} items") from None
        if isinstance(index, Slice) and is_constant_slice(index):
            return base[python_slice(index)]
        if isinstance(index, Slice):
            lists.need_growing(resolver, base)
            raise resolver.error(
                "a slice of things of different kinds",
                "its bounds are only known at run time",
                "use bounds that are known when the function is compiled",
            )
        if isinstance(index, Value):
            if index.uid in resolver.parameter_of:
                raise NeedStatic(index)
            if isinstance(base, list) or _uniform(base):
                listed = resolver.settle(list(base))
                if isinstance(listed, Value):
                    return get_item(resolver, listed, index)
            if not loops.is_loop_index(resolver, index):
                lists.need_growing(resolver, base)
                raise resolver.error(
                    "index into things of different kinds",
                    "the index is only known at run time",
                    "loop over the things themselves, or put them into one array",
                )
            raise NeedUnroll(index)
    if isinstance(base, dict):
        return mappings.get_item(resolver, base, index)
    if isinstance(base, Sequence) and resolver.frame is not None and resolver.frame.hidden:
        return base.item(index)
    if isinstance(base, RangeOf):
        return _item_of_range(resolver, base, index)
    if isinstance(base, Constant) and base.value is np.mgrid:
        return _grid(resolver, base, index)
    if isinstance(base, indexing.Flat):
        return indexing.get_flat(resolver, base, index)
    if indexing.is_builder(base):
        return indexing.built(resolver, base.value, index)
    if isinstance(base, Constant) and not isinstance(base.value, np.ndarray):
        if isinstance(index, Constant):
            if not isinstance(
                base.value, (*CONTAINERS, str, bytes, range, builtins.type, np.generic)
            ):
                raise resolver.error(
                    f"index into a {base.value.__class__.__name__}",
                    "whether it holds the same on the next call is not known",
                    "take the number or array out of it before, and pass that",
                )
            return resolver.foreign(base.value[index.value])
        raise resolver.error(
            f"index into a {base.value.__class__.__name__}", "the index is not known"
        )
    base = resolver.operand(base)
    kind = type_of(base)
    if isinstance(kind, T.List):
        return lists.get_item(resolver, base, index)
    path = path_of(resolver, index)
    if isinstance(kind, T.Array):
        try:
            type, _view = index_type(kind, path, resolver.fresh)
        except IndexError as error:
            raise resolver.error(
                "index", str(error), "give at most one index for each axis"
            ) from None
    elif isinstance(kind, T.Unknown):
        type = T.UNKNOWN
    elif isinstance(kind, T.Scalar) and kind.dtype is not None and path in ((), _ellipsis_path):
        return base
    else:
        raise resolver.error(f"index into a {kind_name(kind)}", "it has no items")
    out = resolver.value(type)
    resolver.add(Op(operator.getitem, [base, path], {}, [out]))
    return out


_ellipsis_path = ()


def _item_of_range(resolver: Resolver, base: RangeOf, index: Any) -> Any:
    """`range(...)[index]`."""
    known = base.known
    if known is not None and isinstance(index, Slice) and is_constant_slice(index):
        part = known[python_slice(index)]
        return RangeOf(Constant(part.start), Constant(part.stop), Constant(part.step))
    if known is not None and isinstance(index, Constant):
        if not -len(known) <= index.value < len(known):
            raise resolver.error("index out of range", f"there are {len(known)} items")
        return Constant(known[index.value])
    frame = resolver.frame
    if isinstance(index, Slice) or not (frame is not None and frame.hidden):
        raise resolver.error(
            "item of a range",
            "whether the index is negative or too large is only known at run time",
            "compute the number itself",
        )
    return walking.walk_range(resolver, base)(index)


def _uniform(items: tuple) -> bool:
    types = [type_of(item) for item in items]
    return bool(items) and all(isinstance(t, T.Scalar) for t in types)


def kind_name(kind: Any) -> str:
    match kind:
        case T.Scalar(kind=name):
            return name
        case T.Object(cls=cls):
            return cls.__name__
    return type(kind).__name__.lower()


def is_constant_slice(index: Slice) -> bool:
    return all(isinstance(p, Constant) for p in (index.start, index.stop, index.step))


def python_slice(index: Slice) -> slice:
    return slice(index.start.value, index.stop.value, index.step.value)


def set_item(resolver: Resolver, base: Any, index: Any, value: Any) -> None:
    """`base[index] = value`."""
    if isinstance(base, Instance):
        if instances.method(resolver, base, "__setitem__", [index, value], {}) is NotImplemented:
            raise resolver.error(f"store into a `{base.cls.__name__}`", "it has no `__setitem__`")
        return
    if isinstance(base, dict):
        mappings.set_item(resolver, base, index, value)
        return
    if isinstance(base, list):
        lists.static_set_item(resolver, base, index, value)
        return
    if isinstance(base, indexing.Flat):
        indexing.set_flat(resolver, base, index, value)
        return
    if isinstance(base, Constant) and isinstance(base.value, np.ndarray):
        raise operations.global_write(resolver, base)
    kind = type_of(base)
    if isinstance(kind, T.List) and isinstance(base, Value):
        lists.set_item(resolver, base, index, value)
        return
    if isinstance(kind, T.Unknown):
        raise resolver.error(
            "store into a value of unknown type",
            "what it shares its memory with cannot be told",
            "make it with np.zeros or .copy() in this function",
        )
    if not isinstance(kind, T.Array):
        raise resolver.error(
            f"store into a {kind_name(kind)}",
            "it cannot be written",
            "use an array or a list that was given a name",
        )
    path = path_of(resolver, index)
    try:
        index_type(kind, path, resolver.fresh)
    except IndexError as error:
        raise resolver.error("index", str(error), "give at most one index for each axis") from None
    if isinstance(value, (list, tuple)):
        value = resolver.op(np.array, list(value))
    resolver.add(Store(base, path, resolver.operand(value)))


def unpacked(resolver: Resolver, value: Any, count: int | None) -> list:
    """The items of what is unpacked into `count` targets."""
    value = walking.iterated(resolver, value)
    items = walking.static_items(value)
    if items is not None:
        return items
    kind = type_of(value)
    length = None
    if isinstance(value, Sequence) and isinstance(value.length, Constant):
        return walking.constant_range(resolver, value)
    if isinstance(kind, T.Array) and kind.shape:
        length = kind.shape[0].constant
    elif isinstance(kind, T.List) and kind.length is not None:
        length = kind.length.constant
    if length is None and count is not None and isinstance(kind, (T.Array, T.List)):
        length = count
        out = resolver.value(T.Object(type(None)))
        resolver.add(Op(runtime.check_length, [value, Constant(count)], {}, [out], effect=True))
    if length is None:
        raise resolver.error("unpacking", "how many items there are is not known", "use indices")
    return [get_item(resolver, value, Constant(i)) for i in range(length)]


def _grid(resolver: Resolver, base: Constant, index: Any) -> Any:
    """`np.mgrid[0:m, 0:n]`: the indices along each axis, of shape `(2, m, n)`."""
    path = path_of(resolver, index)
    dims = []
    for item in path:
        if not isinstance(item, Slice) or dim_of(item.stop) is None:
            raise resolver.error("`np.mgrid`", "only slices of integers are known", "np.meshgrid")
        plain = operations.is_constant(item.start, (None, 0)) and operations.is_constant(
            item.step, (None, 1)
        )
        stop = dim_of(item.stop)
        counted = stop is not None and (stop.constant is None or stop.constant >= 0)
        dims.append(stop if plain and counted else T.symbol(resolver.fresh()))
    if len(dims) > 1:
        dims.insert(0, T.as_dim(len(dims)))
    out = resolver.value(T.Array("int64", tuple(dims), True))
    resolver.add(Op(operator.getitem, [base, path], {}, [out]))
    return out
