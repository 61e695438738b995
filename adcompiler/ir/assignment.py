"""What is assigned, unpacked, augmented (`+=`) and deleted."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

import gast
import numpy as np

from adcompiler import runtime
from adcompiler.ir import (
    abstract,
    attributes,
    expressions,
    generators,
    indexing,
    instances,
    iteration,
    lists,
    mappings,
    operations,
    scopes,
    subscripts,
)
from adcompiler.ir import types as T
from adcompiler.ir.nodes import Constant, Op, Slice, Value

if TYPE_CHECKING:
    from adcompiler.ir.resolve import Resolver

IN_PLACE = {
    gast.Add: operator.iadd, gast.Sub: operator.isub, gast.Mult: operator.imul,
    gast.Div: operator.itruediv, gast.FloorDiv: operator.ifloordiv, gast.Mod: operator.imod,
    gast.Pow: operator.ipow, gast.MatMult: operator.imatmul, gast.BitAnd: operator.iand,
    gast.BitOr: operator.ior, gast.BitXor: operator.ixor,
}  # fmt: skip


def delete(resolver: Resolver, node: gast.Delete, item: Any) -> None:
    """`del item`."""
    if isinstance(item, gast.Name):
        resolver.frame.env.pop(item.id, None)
        return
    if not isinstance(item, gast.Subscript):
        raise resolver.unsupported(node, "`del` of this form")
    base = resolver.eval(item.value)
    delete = mappings.delete_item if isinstance(base, dict) else lists.delete_item
    delete(resolver, base, resolver.eval(item.slice))


def assign(resolver: Resolver, target: Any, value: Any) -> None:
    match target:
        case gast.Name(id=name):
            bind_name(resolver, name, value)
        case gast.Tuple(elts=elts) | gast.List(elts=elts):
            unpack(resolver, elts, value)
        case gast.Subscript():
            base = resolver.eval(target.value)
            subscripts.set_item(resolver, base, resolver.eval(target.slice), value)
        case gast.Attribute(attr=attr):
            base = resolver.eval(target.value)
            if attr == "flat" and operations.is_array(base):
                indexing.set_flat(resolver, indexing.Flat(base), Constant(slice(None)), value)
            else:
                instances.set_attribute(resolver, base, attr, value)
        case gast.Starred():
            raise resolver.unsupported(target, "starred target outside a tuple")
        case _:
            raise resolver.unsupported(target, f"assignment to `{type(target).__name__}`")


def bind_name(resolver: Resolver, name: str, value: Any) -> None:
    refuse_lazy(resolver, value)
    value = abstract.named(resolver.settle(value))
    if isinstance(value, (abstract.Sequence, generators.Generator)):
        resolver.iterators.setdefault(id(value), (value, len(resolver.pending)))
    if isinstance(value, Value) and value.name is None and resolver.fixed_origin is None:
        value.name = name
    elif isinstance(value, Constant) and isinstance(value.value, np.ndarray):
        value = Constant(value.value, value.name or name)
    frame = resolver.frame
    if name in frame.nonlocals:
        holder = frame.parent
        within = frame.tree.generator and holder is not None and name in holder.tree.locals
        while not within and holder is not None and name not in holder.env:
            holder = holder.parent
        if holder is None:
            raise resolver.error(f"`nonlocal {name}`", "no enclosing function binds it here")
        holder.env[name] = value
        return
    frame.env[name] = value


def refuse_lazy(resolver: Resolver, value: Any) -> None:
    """What walks a list later must find it as it is then."""
    if isinstance(value, abstract.Sequence) and (value.lazy or value.growing):
        raise resolver.error(
            "an iterator that is kept",
            "the list that it walks might change before it is walked",
            "walk it where it is made, or keep a list of it: list(...)",
        )


def unpack(resolver: Resolver, targets: list, value: Any) -> None:
    stars = [i for i, t in enumerate(targets) if isinstance(t, gast.Starred)]
    if stars:
        at = stars[0]
        if lists.is_grown(value) or isinstance(getattr(value, "type", None), T.Array):
            unpack_starred(resolver, targets, value, at)
            return
        items = subscripts.unpacked(resolver, value, None)
        after = len(targets) - at - 1
        if len(items) < at + after:
            raise resolver.error("unpacking", f"{len(items)} values for {len(targets)} targets")
        middle = items[at : len(items) - after]
        groups = [*items[:at], list(middle), *items[len(items) - after :]]
        for target, item in zip(targets, groups, strict=True):
            assign(resolver, target.value if isinstance(target, gast.Starred) else target, item)
        return
    items = subscripts.unpacked(resolver, value, len(targets))
    if len(items) != len(targets):
        raise resolver.error(
            "unpacking",
            f"{len(items)} values for {len(targets)} targets",
            "give as many targets as there are values",
        )
    for target, item in zip(targets, items, strict=True):
        assign(resolver, target, item)


def unpack_starred(resolver: Resolver, targets: list, value: Any, at: int) -> None:
    """`a, *rest, b = items`, where the number of items is not known."""
    after = len(targets) - at - 1
    out = resolver.value(T.Object(type(None)))
    count = Constant(at + after)
    resolver.add(Op(runtime.check_enough, [value, count], {}, [out], effect=True))
    rest = Slice(Constant(at), Constant(-after if after else None), Constant(None))
    for k, target in enumerate(targets):
        if k == at:
            items = subscripts.get_item(resolver, value, rest)
            assign(resolver, target.value, iteration.call_list(resolver, [items], {}))
        else:
            place = Constant(k if k < at else k - len(targets))
            assign(resolver, target, subscripts.get_item(resolver, value, place))


def augment(resolver: Resolver, node: gast.AugAssign) -> None:
    fn = IN_PLACE.get(type(node.op), expressions.BINARY.get(type(node.op)))
    target = node.target
    if isinstance(target, gast.Name):
        old = scopes.lookup(resolver, target.id)
        value = resolver.eval(node.value)
        bind_name(resolver, target.id, operations.in_place(resolver, fn, old, value))
    elif isinstance(target, gast.Subscript):
        base = resolver.eval(target.value)
        index = resolver.eval(target.slice)
        old = subscripts.get_item(resolver, base, index)
        value = resolver.eval(node.value)
        flat = isinstance(base, indexing.Flat)
        part = flat or operations.is_array(base)  # else the item is an object of its own
        new = operations.in_place(resolver, fn, old, value, item=part)
        if new is not old:
            subscripts.set_item(resolver, base, index, new)
    elif isinstance(target, gast.Attribute):
        base = resolver.eval(target.value)
        old = attributes.get_attribute(resolver, base, target.attr)
        new = operations.in_place(resolver, fn, old, resolver.eval(node.value))
        instances.set_attribute(resolver, base, target.attr, new)
    else:
        raise resolver.unsupported(node, "augmented assignment of this form")
