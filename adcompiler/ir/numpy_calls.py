"""Calls of functions that have a rule or a composition, and methods of ufuncs.

Here `out=`, `where=` and `dtype=` are taken apart; a composition is written in place.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from adcompiler.ir import abstract, lists, operations, subscripts, walking
from adcompiler.ir import types as T
from adcompiler.ir.abstract import Sequence, is_operand
from adcompiler.ir.guards import NeedStatic
from adcompiler.ir.infer import result_type, type_of
from adcompiler.ir.nodes import Accumulate, Constant, Op, Store, leaves
from adcompiler.ir.parse import parse
from adcompiler.rules import book, compositions

if TYPE_CHECKING:
    from adcompiler.ir.resolve import Resolver


def call_known(resolver: Resolver, fn: Callable, args: list, keywords: dict) -> Any:
    """A call of a function of NumPy, `math` or the rulebook."""
    args, keywords, out = book.without_out(fn, args, keywords, static)
    args = [_snapshot_items(resolver, arg) for arg in args]
    fn, args, keywords = lists.as_arrays(resolver, fn, args, keywords)
    composition = book.composed(fn, args, keywords, static)
    if composition is not None:
        result = compose(resolver, composition, args, keywords)
        return result if out is None else _into(resolver, out, result)
    keywords = _without_own_dtype(resolver, fn, args, keywords)
    where = keywords.pop("where", None)
    if isinstance(where, Constant) and where.value is True:
        where = None
    if where is not None and (not isinstance(fn, np.ufunc) or out is None):
        raise resolver.error(
            "`where=` argument",
            "what stands where it is false is not known",
            "use np.where(condition, new, old)",
        )
    result = operations.apply(resolver, fn, args, keywords)
    if where is not None:
        if isinstance(result, tuple):
            raise resolver.error(
                "`where=` of several results", "", "use np.where(condition, new, old)"
            )
        old = out[0] if isinstance(out, tuple) else out
        result = operations.apply(resolver, np.where, [where, result, old], {})
    return result if out is None else _into(resolver, out, result)


def _without_own_dtype(resolver: Resolver, fn: Callable, args: list, keywords: dict) -> dict:
    """A `dtype=` that the result has anyway says nothing."""
    asked = keywords.get("dtype")
    rule = book.lookup(fn)
    if rule is None or "dtype" in rule.parameters or not isinstance(asked, Constant):
        return keywords
    rest = {name: value for name, value in keywords.items() if name != "dtype"}
    try:
        own = result_type(fn, [resolver.operand(arg) for arg in args], rest, resolver.fresh)
        same = getattr(own, "dtype", None) == np.dtype(asked.value).name
    except TypeError:
        return keywords
    return rest if same else keywords


def _into(resolver: Resolver, out: Any, result: Any) -> Any:
    """What `out=` asks for; gives what the call returns."""
    results = result if isinstance(result, tuple) else (result,)
    places = out if isinstance(out, tuple) else (out,)
    if len(results) != len(places):
        raise resolver.error("`out=` argument", f"there are {len(results)} results")
    returned = []
    for place, value in zip(places, results, strict=True):
        if operations.is_constant(place, (None,)):
            returned.append(value)
            continue
        kind = type_of(place)
        if not isinstance(kind, T.Array) or isinstance(place, Constant):
            raise resolver.error("`out=` argument", "it must be a local array of known type")
        operations.check_cast(resolver, type_of(value), kind)
        resolver.add(Store(place, (), value))
        returned.append(place)
    return tuple(returned) if isinstance(result, tuple) else returned[0]


def compose(resolver: Resolver, composition: Any, args: list, keywords: dict) -> Any:
    """A call of what has a composition in the rulebook: that, in place of the user's statement."""
    tree = parse(composition)
    names = book.parameter_names(composition)[: composition.__code__.co_argcount]
    for name, value in [*zip(names, args, strict=False), *keywords.items()]:
        if name in operations.STATIC_PARAMETERS:
            for leaf in leaves(value) if is_operand(value) else ():
                if isinstance(leaf.type, T.Scalar) and leaf.uid in resolver.parameter_of:
                    raise NeedStatic(leaf)
    fixed, resolver.fixed_origin = resolver.fixed_origin, resolver.fixed_origin or resolver.origin
    try:
        result = resolver.call(tree, args, keywords)
        if resolver.dead:
            made = resolver.block.statements[-2]
            text = made.args[0] if isinstance(made, Op) and made.args else Constant("")
            reason, _, remedy = str(text.value).partition(": ")  # type: ignore[union-attr]
            raise resolver.error(f"`{composition.__name__}` with these arguments", reason, remedy)
        return result
    finally:
        resolver.fixed_origin = fixed


def static(operand: Any) -> Any:
    """The Python object that an operand stands for as far as that is known, else the operand."""
    if isinstance(operand, Constant):
        return operand.value
    if isinstance(operand, (tuple, list)):
        return type(operand)(static(item) for item in operand)
    return operand


def _snapshot_items(resolver: Resolver, arg: Any) -> Any:
    if isinstance(arg, (tuple, list)):
        return abstract.remade(type(arg), (), [_snapshot_items(resolver, item) for item in arg])
    if isinstance(arg, Sequence):
        items = walking.static_items(arg)
        if items is not None:
            return items
    return arg


def ufunc_method(resolver: Resolver, ufunc: np.ufunc, name: str, args: list, keywords: dict):
    if name == "at" and ufunc is np.add and not keywords:
        array, index, value = args
        if not isinstance(type_of(array), T.Array) or isinstance(array, Constant):
            raise resolver.error("`np.add.at`", "its first argument must be a local array")
        resolver.add(
            Accumulate(array, subscripts.path_of(resolver, index), resolver.operand(value))
        )
        return Constant(None)
    if name == "at" and not keywords:
        array, index = args[:2]
        value = args[2] if len(args) > 2 else Constant(None)
        if (
            ufunc is np.subtract
            and isinstance(type_of(array), T.Array)
            and operations.is_array(array)
        ):
            opposite = operations.apply(resolver, np.negative, [value], {})
            return ufunc_method(resolver, np.add, name, [array, index, opposite], {})
        parts = index if isinstance(index, tuple) else (index,)
        if not all(_is_index_row(resolver, part) for part in parts):
            raise resolver.error(
                f"`np.{ufunc.__name__}.at` with this index",
                "arrays of integers with one axis are known",
                "write a loop over the places",
            )
        of = [Constant(ufunc), array, index, value]
        return compose(resolver, compositions.ufunc_at, of, {})
    if name == "reduce" and ufunc is np.logaddexp:
        return compose(resolver, compositions.logaddexp_reduce, args, keywords)
    if name == "reduce" and ufunc in (np.add, np.multiply, np.maximum, np.minimum):
        fn = {np.add: np.sum, np.multiply: np.prod, np.maximum: np.max, np.minimum: np.min}[ufunc]
        keywords.setdefault("axis", Constant(0))
        return operations.apply(resolver, fn, args, keywords)
    if name == "accumulate" and ufunc in (np.add, np.multiply):
        keywords.setdefault("axis", Constant(0))
        return operations.apply(
            resolver, {np.add: np.cumsum, np.multiply: np.cumprod}[ufunc], args, keywords
        )
    if name == "outer" and not keywords and len(args) == 2:
        left, right = (resolver.operand(arg) for arg in args)
        ranks = [
            len(k.shape) if isinstance(k, T.Array) and k.shape is not None else None
            for k in map(type_of, (left, right))
        ]
        if ranks[0] and ranks[1]:
            new = (Constant(Ellipsis), *[Constant(None)] * ranks[1])
            return operations.apply(
                resolver, ufunc, [subscripts.get_item(resolver, left, new), right], {}
            )
    raise resolver.error(
        f"`np.{ufunc.__name__}.{name}`",
        "it has no derivative rule",
        "write it with the function itself",
    )


def _is_index_row(resolver: Resolver, index: Any) -> bool:
    """Whether an index is an array of integers with one axis (or a list of integers)."""
    kind = type_of(index)
    if isinstance(kind, T.List):
        return isinstance(kind.item, T.Scalar) and kind.item.kind == "int"
    one_axis = isinstance(kind, T.Array) and kind.shape is not None and len(kind.shape) == 1
    return one_axis and kind.kind == "int"
