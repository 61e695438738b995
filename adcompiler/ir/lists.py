"""Lists of the program: those of known structure, and those that grow.

A list of numbers or arrays that gets a name becomes an object of the IR, with `Append`, `Pop` and
`Store`; all that its methods do beyond that is written in Python (`list_methods`) and interpreted
in place of the call.  A list of other things is held by its items (`heap`), until something asks
for what only exists at run time: then the function is interpreted again, with the list born as an
object (`guards.NeedGrowing`).  What such a list holds (tuples, dicts, objects) is a `types.Record`,
which `passes.columns` takes apart: one list for each component.
"""

from __future__ import annotations

import builtins
import functools
import operator
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import gast
import numpy as np

from adcompiler import errors, runtime
from adcompiler.ir import (
    assignment,
    expressions,
    generators,
    heap,
    iteration,
    list_methods,
    loops,
    numpy_calls,
    operations,
    subscripts,
    walking,
)
from adcompiler.ir import types as T
from adcompiler.ir.abstract import Closure, Instance, RangeOf, Sequence, is_operand, remade
from adcompiler.ir.guards import NeedGrowing
from adcompiler.ir.infer import join, type_of
from adcompiler.ir.nodes import (
    UNBOUND,
    Append,
    Block,
    Constant,
    Loop,
    New,
    Op,
    Pop,
    Range,
    Slice,
    Store,
    Value,
    is_none,
    walk,
)
from adcompiler.rules import book

if TYPE_CHECKING:
    from adcompiler.ir.resolve import Resolver

MAX_WRITTEN_OUT = 8
"""How often a list is repeated item by item, so that a derivative passes through."""


def is_list(value: Any) -> bool:
    """Whether it is a list, of known structure or not."""
    return isinstance(value, list) or is_grown(value)


def is_grown(value: Any) -> bool:
    """Whether it is a list that exists at run time."""
    return isinstance(value, Value) and isinstance(value.type, T.List)


# ---------------------------------------------------------------------------------------------
# what lists hold


class _Group:
    """Lists that may be one, or stand in one place of another list: they hold the same."""

    __slots__ = ("holders", "item", "members", "slots")

    def __init__(self, item: Any) -> None:
        self.item = item
        self.members: list[Value] = []
        self.slots: dict[int, _Group] = {}
        """The lists that they hold, by their place in a record (0 where they are the items)."""
        self.holders: list[_Group] = []


class Kinds:
    """What lists hold as far as it is known, and known to all lists that may be the same.

    Types settle while the program is interpreted: a list that is found in another may get its first
    item later than it was put there.
    """

    def __init__(self) -> None:
        self.groups: dict[Value, _Group] = {}
        self.changes: list[int] = []
        """Each time when lists were found to hold more than was known, the oldest of them."""

    def of(self, value: Value) -> _Group:
        group = self.groups.get(value)
        if group is None:
            group = self.groups[value] = _Group(value.type.item)
            group.members.append(value)
        return group

    def slot(self, group: _Group, place: int) -> _Group:
        """The lists in one place of what a list holds."""
        if place not in group.slots:
            leaf = leaf_types(group.item)[place] if group.item is not None else None
            made = group.slots[place] = _Group(leaf.item if isinstance(leaf, T.List) else None)
            made.holders.append(group)
        return group.slots[place]

    def unite(self, a: _Group, b: _Group) -> None:
        if a is b:
            return
        item = join(a.item, b.item, any_length)
        for group in (a, b):
            self.note(group, item)
        for value in b.members:
            self.groups[value] = a
        a.members += b.members
        a.holders += b.holders
        for holder in b.holders:
            for place, held in list(holder.slots.items()):
                if held is b:
                    holder.slots[place] = a
        for place, held in b.slots.items():
            held.holders = [a if h is b else h for h in held.holders]
            if place in a.slots:
                self.unite(a.slots[place], held)
            else:
                a.slots[place] = held
        self.become(a, item, force=True)

    def widen(self, group: _Group, kind: Any) -> None:
        """The lists hold something of this type too."""
        wider = join(group.item, kind, any_length)
        if wider != group.item:
            self.note(group, wider)
            self.become(group, wider)

    def note(self, group: _Group, item: Any) -> None:
        """Whatever was read from the lists before may have been taken for something else."""
        if group.item is not None and group.item != item and group.members:
            self.changes.append(min(value.uid for value in group.members))

    def become(self, group: _Group, item: Any, force: bool = False) -> None:
        if item == group.item and not force:
            return
        group.item = item
        for value in group.members:
            if value.type.item != item:
                value.type = T.List(item)
        for holder in group.holders:
            places = [k for k, held in holder.slots.items() if held is group]
            if holder.item is not None and places:
                leaves = leaf_types(holder.item)
                for k in places:
                    leaves[k] = T.List(item)
                self.become(holder, with_leaves(holder.item, leaves))

    def holds_itself(self, group: _Group, inner: _Group) -> bool:
        return group is inner or any(self.holds_itself(h, inner) for h in group.holders)


def leaf_types(kind: Any) -> list:
    """The types of the components of what a list holds."""
    if isinstance(kind, T.Record):
        return [leaf for item in kind.items for leaf in leaf_types(item)]
    return [kind]


def with_leaves(kind: Any, leaves: list) -> Any:
    """The same type with other components; takes them off the list."""
    if isinstance(kind, T.Record):
        return T.Record(kind.kind, kind.keys, tuple(with_leaves(k, leaves) for k in kind.items))
    return leaves.pop(0)


def join_lists(resolver: Resolver, p: Any, q: Any) -> None:
    """Lists that meet at a join, or at the back edge of a loop, hold the same."""
    if is_grown(p) and is_grown(q):
        kinds = resolver.kinds
        kinds.unite(kinds.of(p), kinds.of(q))
    elif type(p) is type(q) and isinstance(p, (tuple, list, dict, Instance)):
        one, two = list(heap.parts(p)), list(heap.parts(q))
        if len(one) == len(two):
            for a, b in zip(one, two, strict=True):
                join_lists(resolver, a, b)


def hold(resolver: Resolver, target: Value, kind: Any, item: Any) -> None:
    """Note that a list holds an item of this type."""
    kinds = resolver.kinds
    group = kinds.of(target)
    kinds.widen(group, kind)
    for place, leaf in enumerate(item if isinstance(item, tuple) else (item,)):
        if is_grown(leaf):
            inner = kinds.of(leaf)
            if kinds.holds_itself(group, inner):
                raise resolver.error(
                    "a list inside itself",
                    "what it holds would have no end",
                    "put a copy into the list: `.append(list(xs))`",
                )
            kinds.unite(kinds.slot(group, place), inner)


def put_in(resolver: Resolver, target: Value, item: Any) -> Any:
    """The operand for an item of a list, once the list is known to hold such items.

    What has components becomes a tuple of them; the list holds a `Record`.
    """
    item = _settled_item(resolver, item)
    if isinstance(item, Value) and item in resolver.from_nothing:
        # What the one list holds, if it ever holds something, the other holds too.
        kinds = resolver.kinds
        kinds.unite(kinds.of(target), kinds.of(resolver.from_nothing[item]))
        return item
    if isinstance(item, (Value, Constant)):
        operand, kind = resolver.operand(item), held_type(type_of(item))
    else:
        components: list = []
        kind = _record(resolver, item, components)
        operand = tuple(components)
    _check_alike(resolver, target.type.item, kind)
    hold(resolver, target, kind, operand)
    return operand


def _settled_item(resolver: Resolver, item: Any) -> Any:
    item = resolver.settle(item)
    if isinstance(item, list):
        if resolver.is_held(item):
            need_growing(resolver, item)
        else:
            item = _remember(resolver, item, grown(resolver, item))
    if isinstance(item, (Value, Constant, tuple, dict, Instance)):
        return item
    raise resolver.error(
        "item of a list",
        "a list that changes holds numbers, arrays, lists, and tuples, dicts and objects of these",
        "use several lists, one for each component",
    )


def _record(resolver: Resolver, item: Any, components: list) -> Any:
    """The type of a tuple, dict or object; its components are added to a list."""
    if not isinstance(item, (tuple, dict, Instance)):
        plain = (*operations.NUMBER, np.ndarray, str, type(None))
        if isinstance(item, Constant) and not isinstance(item.value, plain):
            raise resolver.error(
                "item of a list",
                "a function in a list that changes is only known when the program runs",
                "hold numbers, strings and arrays",
            )
        components.append(resolver.operand(item))
        return held_type(type_of(item))
    keys: tuple = ()
    kind: type = type(item)
    if isinstance(item, Instance):
        kind, keys = item.cls, tuple(item.fields)
    elif isinstance(item, dict):
        keys = tuple(item)
    if heap.is_object(item):
        resolver.enlist(item)
    parts = list(heap.parts(item))
    if not parts:
        raise resolver.error(
            "item of a list", "nothing is in it", "append what has at least one component"
        )
    return T.Record(
        kind,
        keys,
        tuple(_record(resolver, _settled_item(resolver, part), components) for part in parts),
    )


def _check_alike(resolver: Resolver, known: Any, kind: Any) -> None:
    """What a list holds must be of one structure."""
    if known is None or not isinstance(join(known, kind), T.Unknown):
        return
    composed = (T.Record, T.List)
    if isinstance(known, composed) or isinstance(kind, composed):
        raise resolver.error(
            "a list of things of different structure",
            "what an item is made of must be the same for all items",
            "use one list for each kind of item",
        )


def taken(resolver: Resolver, base: Value, out: Value) -> Any:
    """An item that was read from a list: what has components is put together again."""
    kinds = resolver.kinds
    if isinstance(out.type, T.List):
        kinds.unite(kinds.of(out), kinds.slot(kinds.of(base), 0))
    if not isinstance(out.type, T.Record):
        return out
    place = 0

    def build(kind: Any) -> Any:
        nonlocal place
        if isinstance(kind, T.Record):
            made = remade(kind.kind, kind.keys, [build(part) for part in kind.items])
            if heap.is_object(made):
                resolver.enlist(made)
            return made
        leaf = resolver.value(of_own_length(resolver, kind))
        resolver.add(Op(operator.getitem, [out, (Constant(place),)], {}, [leaf]))
        if isinstance(kind, T.List):
            kinds.unite(kinds.of(leaf), kinds.slot(kinds.of(base), place))
        place += 1
        return leaf

    return build(out.type)


def refuse_records(resolver: Resolver, results: list[Value]) -> None:
    """A list of what has components exists as one list for each, and is not put together again."""
    for value in results:
        kind = value.type
        while isinstance(kind, T.List):
            kind = kind.item
        if isinstance(kind, T.Record):
            raise resolver.error(
                "a list of tuples, dicts or objects as a result",
                "how many items it has is only known at run time",
                "return one list for each component",
            )


def item_value(resolver: Resolver, base: Value) -> Value:
    """The value of an item that is read."""
    if base.type.item is None:
        resolver.wait_for_item()
        out = resolver.value(T.UNKNOWN)
        resolver.from_nothing[out] = base
        return out
    return resolver.value(of_own_length(resolver, base.type.item))


ANY_LENGTH = T.symbol(("held",))
"""The length of an axis on which the arrays in a list may differ."""


def any_length(p: T.Dim, q: T.Dim) -> T.Dim:
    return ANY_LENGTH


def held_type(kind: Any) -> Any:
    """The type of an item, without what may differ from item to item.

    A length that is not made of lengths of arguments may be another one on the next trip of a loop.
    """
    match kind:
        case T.Scalar():
            return stable(kind)
        case T.Array(dtype=dtype, shape=shape, contiguous=contiguous) if shape is not None:
            fixed = tuple(
                dim if all(isinstance(a, tuple) and a[0] in _FIXED for a in dim.atoms()) else None
                for dim in shape
            )
            return T.Array(
                dtype, tuple(ANY_LENGTH if dim is None else dim for dim in fixed), contiguous
            )
        case T.List(item=item):
            return T.List(held_type(item))
    return kind


_FIXED = ("len", "pos", "slice", "broadcast")
"""Atoms of lengths that follow from those of arguments."""


def of_own_length(resolver: Resolver, kind: Any) -> Any:
    """The type of one item: its lengths are not known to be those of another."""
    match kind:
        case T.Array(dtype=dtype, shape=shape, contiguous=contiguous) if shape is not None:
            return T.Array(
                dtype,
                tuple(T.symbol(resolver.fresh()) if dim == ANY_LENGTH else dim for dim in shape),
                contiguous,
            )
    return kind


# ---------------------------------------------------------------------------------------------
# birth


def settle(resolver: Resolver, value: Any) -> Any:
    """A list that gets a name becomes an object of the IR, if it holds numbers or arrays."""
    if resolver.fixed_origin is not None:
        return value
    value = _with_settled(resolver, value, set())
    if type(value) is not list:
        return value
    for k, item in enumerate(value):
        if type(item) is list and _grows(resolver, item):
            value[k] = settle(resolver, item)
    grows = _grows(resolver, value)
    plain = all(
        isinstance(item, (Value, Constant))
        and not operations.is_static_only(item)
        and not is_list(item)
        for item in value
    )
    if not (plain or grows) or resolver.is_held(value):
        return value
    if plain:
        items = [type_of(item) for item in value]
        item = functools.reduce(join, items) if items else None
        if not isinstance(item, (T.Unknown, T.Object)):
            out = resolver.value(T.List(held_type(item)))
            resolver.add(New(list(value), out))
            return _remember(resolver, value, out)
    if grows:
        try:
            return _remember(resolver, value, grown(resolver, value))
        except errors.ResolveError:
            return value
    return value


def _remember(resolver: Resolver, value: list, out: Value) -> Value:
    resolver.settled[id(value)] = (value, out, resolver.block)
    return out


def _with_settled(resolver: Resolver, value: Any, seen: set[int]) -> Any:
    """The same with the objects of the IR for lists that became such under another name."""
    if not isinstance(value, (tuple, list, dict, Instance)) or id(value) in seen:
        return value
    if isinstance(value, list):
        _, out, block = resolver.settled.get(id(value), (None, None, None))
        if any(block is b for b in (resolver.block, *resolver.blocks_around)):
            return out
    seen.add(id(value))
    if isinstance(value, tuple):
        items = [_with_settled(resolver, item, seen) for item in value]
        if all(p is q for p, q in zip(value, items, strict=True)):
            return value
        return type(value)._make(items) if hasattr(value, "_make") else tuple(items)
    held: Any = value.fields if isinstance(value, Instance) else value
    for key, item in list(enumerate(held) if isinstance(held, list) else held.items()):
        held[key] = _with_settled(resolver, item, seen)
    return value


def _grows(resolver: Resolver, value: list) -> bool:
    """Whether a list of known structure must be born as an object."""
    return resolver.born.get(id(value), (None, None))[1] in resolver.growing


def grown(resolver: Resolver, value: list) -> Value:
    """The object of the IR for a list of known structure."""
    out = resolver.value(T.List(None))
    source = [put_in(resolver, out, item) for item in value]
    resolver.add(New(source, out))
    return out


def need_growing(resolver: Resolver, thing: Any) -> None:
    """Ask for a list of known structure to be born as an object, if its birth is known."""
    _, key = resolver.born.get(id(thing), (None, None))
    if key is not None and key not in resolver.growing and resolver.fixed_origin is None:
        raise NeedGrowing(key)


def lists_among(value: Any) -> list:
    """The lists of known structure that an abstract value is or contains."""
    return [thing for thing in heap.objects_among([value]).values() if isinstance(thing, list)]


def refuse_growing(resolver: Resolver, items: Value) -> None:
    """A list that changes while a loop walks it."""
    loop = resolver.block.statements[-1]
    assert isinstance(loop, Loop)
    for statement in walk(loop.body):
        if isinstance(statement, (Append, Pop)):
            other = statement.ref
            fresh = resolver.fresh_lists
            # A list that is born after the other was at hand is not that one.
            apart = other in fresh and (items in fresh or items.uid < other.uid)
            if other is items or not (apart or other in _made_in(loop)):
                raise resolver.error(
                    "a list that grows or shrinks while a loop walks it",
                    "how often the loop runs would depend on it",
                    "walk a copy (`for x in list(xs)`), or use `while`",
                )


def _made_in(loop: Loop) -> set[Value]:
    return {s.out for s in walk(loop.body) if isinstance(s, New)}


# ---------------------------------------------------------------------------------------------
# reading


def get_item(resolver: Resolver, base: Value, index: Any) -> Any:
    """`base[index]`."""
    if isinstance(index, Constant) and isinstance(index.value, slice):
        index = Slice(*(Constant(getattr(index.value, k)) for k in ("start", "stop", "step")))
    if isinstance(index, Slice):
        return part(resolver, base, index)
    _check_index(resolver, index)
    out = item_value(resolver, base)
    resolver.add(Op(operator.getitem, [base, (resolver.operand(index),)], {}, [out]))
    return taken(resolver, base, out)


def length(resolver: Resolver, items: Value) -> Value:
    """`len(items)`."""
    out = resolver.value(T.INT)
    resolver.add(Op(len, [items], {}, [out]))
    return out


def _check_index(resolver: Resolver, index: Any) -> None:
    kind = type_of(index) if isinstance(index, (Value, Constant)) else None
    if isinstance(index, tuple) or isinstance(kind, (T.Array, T.List)) and kind.kind != "int":
        raise resolver.error(
            "index into a list",
            "a list takes one integer or a slice",
            "make it an array first, or write `xs[i][j]`",
        )


def part(resolver: Resolver, base: Value, index: Slice) -> Value:
    """`base[start:stop:step]`: a new list with the same items."""
    run = resolver.run_library
    start, stop, step = (_absent(bound) for bound in (index.start, index.stop, index.step))
    if step is None or _is(step, 1):
        if start is None and stop is None:
            return run(list_methods.copied, [base])
        if _counts(start) and (stop is None or isinstance(stop, Constant)):
            end = length(resolver, base)
            if stop is not None and stop.value < 0:
                end = resolver.op(operator.sub, end, Constant(-stop.value))
            elif stop is not None:
                end = resolver.op(builtins.min, stop, end)
            return run(list_methods.between, [base, start or Constant(0), end])
        first, count = _places(resolver, base, index)
        end = resolver.op(operator.add, first, count)
        return run(list_methods.between, [base, first, end])
    if start is None and stop is None and _is(step, -1):
        return run(list_methods.backwards, [base])
    first, count = _places(resolver, base, index)
    return run(list_methods.picked, [base, first, count, step or Constant(1)])


def _absent(bound: Any) -> Any:
    return None if isinstance(bound, Constant) and bound.value is None else bound


def _is(operand: Any, number: int) -> bool:
    return isinstance(operand, Constant) and operand.value == number


def _counts(start: Any) -> bool:
    return start is None or (isinstance(start, Constant) and start.value >= 0)


def _places(resolver: Resolver, base: Any, index: Slice) -> tuple[Value, Value]:
    """The first place that a slice names, and how many there are."""
    first, count = resolver.value(T.INT), resolver.value(T.INT)
    bounds = [resolver.operand(bound) for bound in (index.start, index.stop, index.step)]
    resolver.add(Op(runtime.slice_places, [length(resolver, base), *bounds], {}, [first, count]))
    return first, count


def _step(resolver: Resolver, index: Slice) -> int:
    step = _absent(index.step)
    if step is None:
        return 1
    if not isinstance(step, Constant):
        raise resolver.error(
            "change of a slice of a list",
            "its step is not known at compile time",
            "write the step as a number, or store item by item",
        )
    return step.value


def repeated(resolver: Resolver, items: Any, count: Any) -> Value:
    """`items * count`, where not both are known."""
    kinds = [items.type.item] if isinstance(items, Value) else [type_of(item) for item in items]
    if not all(isinstance(kind, T.Scalar) for kind in kinds):
        raise resolver.error(
            "`*` repeats a list of arrays a number of times that is not known",
            "the items would all be one object",
            "use a comprehension",
        )
    if not isinstance(items, Value) and not _all_constant(items):
        items = grown(resolver, items)
    if isinstance(items, Value):
        return resolver.run_library(list_methods.repeated, [items, count])
    item = functools.reduce(join, kinds)
    snapshot = resolver.value(T.List(item))
    resolver.add(Op(operator.mul, [items, count], {}, [snapshot]))
    out = resolver.value(T.List(item))
    resolver.add(New(snapshot, out))
    return out


def concatenated(resolver: Resolver, left: Any, right: Any) -> Value:
    """`left + right`, of which at least one grew."""
    out = empty(resolver)
    for items in (left, right):
        extend(resolver, out, items)
    return out


def empty(resolver: Resolver) -> Value:
    """A new list."""
    out = resolver.value(T.List(None))
    resolver.add(New([], out))
    return out


def equal(resolver: Resolver, left: Any, right: Any, negated: bool) -> Any:
    """`left == right` of lists of numbers."""
    for items in (left, right):
        kind = type_of(items).item if is_operand(items) else T.UNKNOWN
        if kind is not None and not isinstance(kind, T.Scalar):
            raise resolver.error(
                "comparison of lists",
                "only lists of numbers are compared as a whole",
                "compare their items",
            )
    out = resolver.value(T.BOOL)
    operands = [resolver.operand(items) for items in (left, right)]
    resolver.add(Op(runtime.equal_lists, operands, {}, [out]))
    return resolver.op(operator.not_, out) if negated else out


# ---------------------------------------------------------------------------------------------
# writing


def append(resolver: Resolver, target: Value, item: Any) -> None:
    """`target.append(item)`; the first item says what the list holds."""
    operand = put_in(resolver, target, item)
    resolver.add(Append(target, operand))


def insert(resolver: Resolver, target: Value, index: Any, item: Any) -> None:
    """`target.insert(index, item)`."""
    operand = put_in(resolver, target, item)
    if not _is(index, 0):
        place = resolver.value(T.INT)
        count = length(resolver, target)
        resolver.add(Op(runtime.inserted_place, [count, resolver.operand(index)], {}, [place]))
        index = place
    resolver.add(Append(target, operand, index))


def pop(resolver: Resolver, base: Value, index: Any = None) -> Any:
    """`base.pop(index)`."""
    at = None if index is None or _is(index, -1) else resolver.operand(index)
    if at is not None and not (isinstance(at, Constant) and at.value >= 0):
        place = resolver.value(T.INT)
        resolver.add(Op(runtime.popped_place, [length(resolver, base), at], {}, [place]))
        at = place
    out = item_value(resolver, base)
    resolver.add(Pop(base, out, at))
    return taken(resolver, base, out)


def set_item(resolver: Resolver, base: Value, index: Any, value: Any) -> None:
    """`base[index] = value`."""
    if isinstance(index, Slice):
        new = iteration.call_list(resolver, [value], {})
        new = grown(resolver, new) if isinstance(new, list) else new
        first, count = _places(resolver, base, index)
        step = _step(resolver, index)
        if step == 1:
            resolver.run_library(list_methods.replace, [base, first, count, new])
        else:
            resolver.run_library(
                list_methods.replace_each, [base, first, count, Constant(step), new]
            )
        return
    _check_index(resolver, index)
    operand = put_in(resolver, base, value)
    resolver.add(Store(base, (resolver.operand(index),), operand))


def delete_item(resolver: Resolver, base: Any, index: Any) -> None:
    """`del base[index]`."""
    if isinstance(base, dict):
        if not isinstance(index, Constant) or index.value not in base:
            raise resolver.error(
                "`del` of an item of a dict",
                "the key is not among the keys that are known here",
                "use a key that the dict is known to have",
            )
        resolver.replace(base, {k: v for k, v in base.items() if k != index.value})
        return
    if isinstance(base, list):
        where = _known_index(resolver, base, index)
        changed = list(base)
        try:
            del changed[where]
        except IndexError:
            raise resolver.error("index out of range", f"there are {len(base)} items") from None
        resolver.replace(base, changed)
        return
    if not is_grown(base):
        raise resolver.error("`del` of an item", "only lists and dicts lose items", "")
    if not isinstance(index, Slice):
        pop(resolver, base, index)
        return
    first, count = _places(resolver, base, index)
    step = _step(resolver, index)
    program = list_methods.delete_forwards if step < 0 else list_methods.delete_backwards
    resolver.run_library(program, [base, first, count, Constant(step)])


def extend(resolver: Resolver, target: Value, items: Any) -> None:
    """`target.extend(items)`."""
    static = walking.static_items(items)
    if static is not None:
        for item in static:
            append(resolver, target, item)
        return
    if isinstance(items, generators.Generator):
        resolver.run_library(list_methods.extend, [target, items])
        return
    walked = walking.sequence(resolver, items)

    def run(index: Value) -> None:
        append(resolver, target, walked.item(index))

    simple_loop(resolver, walked.length, run, resolver.node)


def simple_loop(resolver: Resolver, count: Any, run: Callable[[Value], None], node: Any) -> None:
    """A loop that carries nothing."""
    index = resolver.value(T.INT, "i")
    block = Block([index])
    with resolver.writing(block):
        run(index)
    domain = Range(Constant(0), resolver.operand(count), Constant(1))
    resolver.add(Loop(domain, [], block, []))


# ---------------------------------------------------------------------------------------------
# methods


def method(resolver: Resolver, base: Value, name: str, args: list, keywords: dict) -> Any:
    """`base.name(*args, **keywords)` of a list that exists at run time."""
    match name, args:
        case "append", [item] if not keywords:
            append(resolver, base, item)
            return Constant(None)
        case "extend", [items] if not keywords:
            extend(resolver, base, items)
            return Constant(None)
        case "pop", [] | [_] if not keywords:
            return pop(resolver, base, *args)
        case "insert", [index, item] if not keywords:
            insert(resolver, base, index, item)
            return Constant(None)
        case "remove", [item] if not keywords:
            _check_searched(resolver, base, name)
            return resolver.run_library(list_methods.remove, [base, item])
        case "index" | "count", [_, *_] if not keywords:
            _check_searched(resolver, base, name)
            out = resolver.value(T.INT)
            fn = list.index if name == "index" else list.count
            operands = [base, *map(resolver.operand, args)]
            resolver.add(Op(fn, operands, {}, [out], keeps=name == "index"))
            return out
        case "sort", []:
            key = keywords.pop("key", Constant(None))
            downwards = keywords.pop("reverse", Constant(False))
            if not keywords:
                sort(resolver, base, key, downwards)
                return Constant(None)
        case "copy", [] if not keywords:
            return resolver.run_library(list_methods.copied, [base])
        case "clear" | "reverse", [] if not keywords:
            return resolver.run_library(getattr(list_methods, name), [base])
    raise resolver.error(
        f"`.{name}` of a list with these arguments",
        "Python's lists have no such method, or not with these arguments",
        "give it the arguments of its signature",
    )


def _check_searched(resolver: Resolver, base: Value, name: str) -> None:
    if base.type.item is not None and not isinstance(base.type.item, (T.Scalar, T.Object)):
        raise resolver.error(
            f"`.{name}` of a list of arrays, lists or tuples",
            "only numbers and strings are searched for",
            "write the search as a loop that compares what matters",
        )


def keys_of(resolver: Resolver, base: Value, key: Any) -> Value:
    """What a list is sorted by: numbers or strings, one for each item."""
    if is_none(key):
        keys = base
    else:
        keys = resolver.run_library(list_methods.keyed, [base, key])
    if keys.type.item is not None and not isinstance(keys.type.item, (T.Scalar, T.Object)):
        raise resolver.error(
            "an order of tuples, lists or arrays",
            "items are ordered by numbers or strings",
            "give a key that is one number: `key=lambda item: item[0]`",
        )
    return keys


def sort(resolver: Resolver, base: Value, key: Any, downwards: Any) -> None:
    """`base.sort(key=key, reverse=downwards)`: the order is found, then the items are moved."""
    keys = keys_of(resolver, base, key)
    order = resolver.value(T.Array("int64", (T.symbol(resolver.fresh()),), True))
    resolver.add(Op(runtime.order_of, [keys, resolver.operand(downwards)], {}, [order], keeps=True))
    resolver.run_library(list_methods.reorder, [base, order])


def static_method(resolver: Resolver, base: list, name: str, args: list, keywords: dict) -> Any:
    """A method of a list of known structure, which contains something else afterwards."""
    changed = list(base)
    result: Any = Constant(None)
    match name, args:
        case "append", [item]:
            changed.append(resolver.settle(item))
        case "extend", [items] if walking.static_items(items) is not None:
            changed += walking.static_items(items) or []
        case "pop", []:
            if not changed:
                raise resolver.error("pop from an empty list")
            result = changed.pop()
        case "pop", [Constant(value=int(position))]:
            if not -len(changed) <= position < len(changed):
                raise resolver.error("index out of range", f"there are {len(changed)} items")
            result = changed.pop(position)
        case "insert", [Constant(value=int(position)), item]:
            changed.insert(position, resolver.settle(item))
        case "reverse", []:
            changed.reverse()
        case "clear", []:
            changed.clear()
        case "copy", []:
            return changed
        case "index" | "count", [Constant(value=item)] if _all_constant(changed):
            values = [held.value for held in changed]
            if name == "index" and item not in values:
                raise resolver.error(f"{item!r} is not in the list")
            return Constant(values.index(item) if name == "index" else values.count(item))
        case "remove", [Constant(value=item)] if _all_constant(changed):
            values = [held.value for held in changed]
            if item not in values:
                raise resolver.error(f"{item!r} is not in the list")
            del changed[values.index(item)]
        case _:
            need_growing(resolver, base)
            raise resolver.error(
                f"`.{name}` of a list of things of different kinds",
                "such lists are taken apart at compile time",
                "write the list out, or hold arrays of one shape",
            )
    resolver.replace(base, changed)
    return result


def _all_constant(items: list) -> bool:
    plain = (*operations.NUMBER, str, type(None))
    return all(isinstance(item, Constant) and isinstance(item.value, plain) for item in items)


def static_set_item(resolver: Resolver, base: list, index: Any, value: Any) -> None:
    """`base[index] = value` of a list of known structure."""
    where = _known_index(resolver, base, index)
    changed = list(base)
    if isinstance(where, slice):
        items = walking.static_items(value)
        if items is None:
            need_growing(resolver, base)
            raise resolver.error(
                "store into a slice of a list",
                "how many items there will be is not known",
                "store item by item",
            )
        try:
            changed[where] = items
        except ValueError as error:
            raise resolver.error("store into a slice of a list", str(error)) from None
    else:
        if not -len(changed) <= where < len(changed):
            raise resolver.error("index out of range", f"there are {len(changed)} items")
        changed[where] = resolver.settle(value)
    resolver.replace(base, changed)


def _known_index(resolver: Resolver, base: list, index: Any) -> Any:
    """The index or slice between brackets, for a list of known structure."""
    if isinstance(index, Constant) and isinstance(index.value, (int, slice)):
        return index.value
    if isinstance(index, Slice) and subscripts.is_constant_slice(index):
        return subscripts.python_slice(index)
    need_growing(resolver, base)
    raise resolver.error(
        "store into a list of things of different kinds",
        "the index is not known at compile time",
        "hold arrays of one shape",
    )


# ---------------------------------------------------------------------------------------------
# lists as arrays

JOINING = {np.stack, np.concatenate, np.vstack, np.hstack, np.dstack, np.column_stack, np.block}
"""Functions of NumPy that take a list of arrays, not an array."""


def call_array(resolver: Resolver, args: list, keywords: dict) -> Any:
    """`np.array([a, b])` of numbers is an operation; of a list that grew, a stack of it."""
    if not args or not is_grown(args[0]):
        return NotImplemented
    if keywords and set(keywords) != {"dtype"} or len(args) > 1:
        raise resolver.error("`np.array` of a list with these arguments")
    result = as_array(resolver, args[0])
    dtype = keywords.get("dtype")
    if dtype is None or (isinstance(dtype, Constant) and dtype.value is None):
        return result
    known = getattr(result.type, "dtype", None)
    if isinstance(dtype, Constant) and known is not None and np.dtype(dtype.value) == known:
        return result
    return numpy_calls.call_known(resolver, np.ndarray.astype, [result, dtype], {})


def as_array(resolver: Resolver, items: Value) -> Any:
    """`np.array(items)`."""
    if isinstance(items.type.item, (T.List, T.Record)):
        return resolver.run_library(list_methods.stacked, [items])
    return resolver.op(np.stack, items)


def as_arrays(
    resolver: Resolver, fn: Callable, args: list, keywords: dict
) -> tuple[Callable, list, dict]:
    """A call of a function of NumPy, with arrays where it was given lists that grew."""
    key = book.canonical(fn)
    name = getattr(key, "__module__", None) or ""
    if not (isinstance(key, np.ufunc) or name.startswith("numpy")):
        return fn, args, keywords
    if key not in JOINING:
        return fn, [_array_of(resolver, arg) for arg in args], keywords
    if key in _AS_STACK and len(args) == 1 and is_grown(args[0]) and not keywords:
        flat, high = _AS_STACK[key]
        item = args[0].type.item
        rank = item.rank if isinstance(item, T.Array) else 0 if isinstance(item, T.Scalar) else None
        if rank == 1:
            return flat[0], args, {"axis": Constant(flat[1])}
        if rank is not None and rank >= 2:
            return np.concatenate, args, {"axis": Constant(high)}
    return fn, args, keywords


_AS_STACK: dict[Any, tuple[tuple[Callable, int], int]] = {
    np.vstack: ((np.stack, 0), 0),
    np.hstack: ((np.concatenate, 0), 1),
    np.column_stack: ((np.stack, 1), 1),
}
"""What they do with vectors, and along which axis they join other arrays."""


def _array_of(resolver: Resolver, arg: Any) -> Any:
    if not is_grown(arg):
        return arg
    item = arg.type.item
    number = isinstance(item, T.Scalar) and item.kind in ("float", "complex")
    return as_array(resolver, arg) if number or isinstance(item, (T.Array, T.List)) else arg


# ---------------------------------------------------------------------------------------------
# comprehensions


def comprehension(resolver: Resolver, node: Any) -> Any:
    """A list comprehension or generator: items of known structure, or a loop that appends."""
    if any(isinstance(part, gast.Lambda) for part in gast.walk(node.elt)):
        apart = _written_out(resolver, node)
        found = generators.collect(
            expressions.generator(resolver, expressions.as_generator(resolver, apart, node.elt))
        )
        if found is not None:
            return found
    saved = {
        name: resolver.frame.env.get(name, UNBOUND)
        for generator in node.generators
        for name in _target_names(generator.target)
    }
    static: Any = _tried(
        resolver, lambda: _static_comprehension(resolver, node.generators, node.elt)
    )
    if static is None:
        static = _tried(resolver, lambda: _objects_made(resolver, node))
    if static is None:
        out = resolver.value(T.List(None))
        resolver.add(New([], out))
        depth = resolver.frames.index(resolver.frame)
        name = f"items of {id(node)}"
        resolver.frames[depth].env[name] = out
        _append_all(resolver, node, 0, out)
        del resolver.frames[depth].env[name]
        static = out
    for name, value in saved.items():
        if value is UNBOUND:
            resolver.frame.env.pop(name, None)
        else:
            resolver.frame.env[name] = value
    return static


def _tried(resolver: Resolver, attempt: Callable[[], Any]) -> Any:
    """What the attempt gives; where that is None, what it did meanwhile has not happened."""
    before = heap.take(resolver.frames)
    with resolver.writing(Block()) as block:
        found = attempt()
        dead = resolver.dead
    if found is None:
        heap.put_back(before)
        return None
    resolver.block.statements += block.statements
    for key, (items, out, within) in resolver.settled.items():
        if within is block:
            resolver.settled[key] = (items, out, resolver.block)
    resolver.dead = resolver.dead or dead
    return found


MAX_OBJECTS = 16
"""So many objects or functions are made by a comprehension that is written out item by item."""


def _written_out(resolver: Resolver, node: Any) -> Any:
    """A comprehension over a short range of known bounds as one over its items."""
    first, *rest = node.generators
    trips = _tried(resolver, lambda: _known_trips(resolver.eval(first.iter)))
    if trips is None:
        return node
    places = [gast.Constant(value=index, kind=None) for index in trips]
    items = gast.Tuple(elts=places, ctx=gast.Load())
    for part in (items, *places):
        gast.copy_location(part, first.iter)
    first = gast.comprehension(first.target, items, first.ifs, first.is_async)
    return gast.copy_location(gast.ListComp(node.elt, [first, *rest]), node)


def _known_trips(walked: Any) -> range | None:
    """The range that is walked, if it is known and short."""
    trips = walked.known if isinstance(walked, RangeOf) else None
    return trips if trips is not None and len(trips) <= MAX_OBJECTS else None


def _objects_made(resolver: Resolver, node: Any) -> list | None:
    """The items of a comprehension that makes a few objects or functions: each is another one."""
    if resolver.fixed_origin is not None or len(node.generators) != 1 or node.generators[0].ifs:
        return None
    (generator,) = node.generators
    trips = _known_trips(resolver.eval(generator.iter))
    if trips is None:
        return None
    items: list = []
    for index in trips:
        assignment.assign(resolver, generator.target, Constant(index))
        item = resolver.eval(node.elt)
        made = heap.is_object(item) and not isinstance(item, list) or isinstance(item, Closure)
        if not (items or made):
            return None
        items.append(item)
    return items or None


def _target_names(target: Any) -> list[str]:
    return [n.id for n in gast.walk(target) if isinstance(n, gast.Name)]


def _static_comprehension(resolver: Resolver, generators: list, element: Any) -> list | None:
    """The items, where every loop walks things of known structure."""
    if not generators:
        return [resolver.eval(element)]
    generator, *rest = generators
    iterable = walking.iterated(resolver, resolver.eval(generator.iter))
    if resolver.fixed_origin is not None and isinstance(iterable, RangeOf):
        iterable = walking.constant_range(resolver, iterable)  # in a rule
    if isinstance(iterable, (RangeOf, Value)) or (
        isinstance(iterable, Sequence) and not isinstance(iterable.length, walking.StaticLength)
    ):
        return None
    items = walking.static_items(iterable)
    if items is None:
        return None
    result: list = []
    for item in items:
        assignment.assign(resolver, generator.target, item)
        tests = [expressions.test(resolver, test) for test in generator.ifs]
        if not all(isinstance(test, bool) for test in tests):
            return None
        if all(tests):
            inner = _static_comprehension(resolver, rest, element)
            if inner is None:
                return None
            result += inner
    return result


def _append_all(resolver: Resolver, node: Any, level: int, out: Value) -> None:
    if level == len(node.generators):
        item = resolver.eval(node.elt)
        if isinstance(item, Closure):
            raise resolver.error(
                "a list of functions made in a loop",
                f"how many there are is only known at run time, or it is more than {MAX_OBJECTS}",
                "write the list out, or loop over a tuple",
            )
        append(resolver, out, item)
        return
    generator = node.generators[level]
    rest = node.generators[level + 1 :]
    inside = gast.ListComp(elt=node.elt, generators=rest) if rest else node.elt
    step = gast.Expr(
        value=Callback(lambda: _append_all(resolver, node, level + 1, out), node, inside)
    )
    body: list = [gast.copy_location(step, node)]
    for test in reversed(generator.ifs):
        body = [gast.If(test=test, body=body, orelse=[])]
    loop = gast.For(
        target=generator.target, iter=generator.iter, body=body, orelse=[], type_comment=None
    )
    for part in gast.walk(loop):
        if not hasattr(part, "lineno") and isinstance(part, (gast.stmt, gast.expr)):
            gast.copy_location(part, node)
    loops.for_loop(resolver, loop)


class Callback(gast.expr):
    """An expression of a synthesised loop that runs code of the resolver.

    `inside`: what that code evaluates, for those who ask which names it binds (by `:=`) and reads.
    """

    _fields = ("inside",)
    _attributes = ("lineno", "col_offset", "end_lineno", "end_col_offset")

    def __init__(self, run: Callable[[], None], at: Any, inside: Any) -> None:
        self.run = run
        self.inside = inside
        for name in ("lineno", "col_offset", "end_lineno", "end_col_offset"):
            setattr(self, name, getattr(at, name))


def stable(kind: Any) -> Any:
    """A type without the value of the number."""
    return T.Scalar(kind.kind, kind.dtype) if isinstance(kind, T.Scalar) else kind
