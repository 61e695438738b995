"""What a name can stand for while a function is interpreted abstractly.

Run-time values are `nodes.Value`s and numbers known at compile time are `nodes.Constant`s.  All
else that a Python program handles is held as itself: tuples, lists and dicts of abstract values
whose structure is known, ranges, functions with the frame they were defined in, methods bound to
an array or list.  None of these exist in the IR.
"""

from __future__ import annotations

import collections
from collections.abc import Callable, Container
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from adcompiler.ir import types as T
from adcompiler.ir.infer import join, type_of
from adcompiler.ir.nodes import UNBOUND, Constant, Operand, Value


@dataclass(frozen=True, slots=True, eq=False)
class RangeOf:
    """A `range` object."""

    start: Operand
    stop: Operand
    step: Operand

    @property
    def known(self) -> range | None:
        """The range itself, if its bounds are known."""
        bounds = (self.start, self.stop, self.step)
        if all(isinstance(b, Constant) for b in bounds):
            return range(*(b.value for b in bounds))
        return None


@dataclass(frozen=True, slots=True, eq=False)
class Sequence:
    """What a loop walks: its length, and the abstract value of the item at an index."""

    length: Operand
    item: Callable[[Operand], Any]
    lazy: bool = False
    """A generator: it must be consumed where it is written."""
    growing: bool = False
    """Whether it walks a list or dict that has a name and may change before it is walked."""
    used: list = field(default_factory=list)
    """Not empty after it was walked: an iterator is used up then."""
    walks: tuple = ()
    """The lists and dicts that it reads: they must not grow or shrink meanwhile."""
    source: Any = None
    """What its items are made of and by which function, if nothing else decides them."""


@dataclass(frozen=True, slots=True, eq=False)
class Closure:
    """A function defined inside the interpreted one, with the frame that it sees."""

    tree: Any
    frame: Any
    defaults: tuple
    keyword_defaults: dict


@dataclass(frozen=True, slots=True, eq=False)
class Method:
    """`receiver.name`, not called yet."""

    receiver: Any
    name: str


@dataclass(frozen=True, slots=True, eq=False)
class Partial:
    """`functools.partial(function, *args, **keywords)`."""

    function: Any
    args: tuple
    keywords: dict


@dataclass(frozen=True, slots=True, eq=False)
class Native:
    """A function whose calls the compiler itself carries out: what `itemgetter(0)` gives."""

    run: Callable[[Any, list, dict], Any]


@dataclass(frozen=True, slots=True, eq=False)
class Either:
    """One of two functions: the first if `test` is true when the program runs."""

    test: Operand
    first: Any
    second: Any


@dataclass(frozen=True, slots=True, eq=False)
class Instance:
    """An object of a class of the user's, by its fields."""

    cls: type
    fields: dict[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class Super:
    """`super()` in a method of `cls`."""

    cls: type
    instance: Instance


@dataclass(frozen=True, slots=True, eq=False)
class Derivative:
    """`grad(function, ...)` and its like, not called yet."""

    function: Any
    mode: str
    argnums: Any = None
    argnames: Any = None
    has_aux: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Pullback:
    """The second thing that `vjp(function, *primals)` gives."""

    function: Any
    primals: list[Any]
    value: Any
    """The first thing."""


@dataclass(frozen=True, slots=True, eq=False)
class Conflict:
    """A name bound to things on two paths that nothing can stand for; an error if read."""

    name: str | None
    of_trips: bool = False
    """Whether the paths are trips of a loop."""
    loop: Value | None = None
    """The index of that loop, if it can be written out instead."""


class KnownDict(dict):
    """A container of known keys that is more than a dict; held as what it has under each."""

    made: Any = dict
    """Makes the Python object."""


class KnownOrderedDict(KnownDict):
    made = collections.OrderedDict


class KnownCounter(KnownDict):
    made = collections.Counter


class KnownDefaultDict(KnownDict):
    """There is a subclass for each factory, an abstract value."""

    made = collections.defaultdict
    factory: Any = None


class KnownSet(KnownDict):
    """Its elements are the keys."""

    made: Any = set


class KnownFrozenSet(KnownSet):
    made = frozenset


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """`d.keys()` and its like under a name: it shows what `d` holds when it is read."""

    base: dict
    name: str


class KnownKeys(KnownSet):
    """What `d.keys()` shows now."""

    view: View


class KnownParts(list):
    """What `d.values()` or `d.items()` shows now."""

    view: View


def values_in(value: Any) -> list[Value]:
    """The run-time values in an abstract value."""
    if isinstance(value, Value):
        return [value]
    if isinstance(value, (tuple, list)):
        return [v for item in value for v in values_in(item)]
    if isinstance(value, dict):
        return [v for item in value.values() for v in values_in(item)]
    if isinstance(value, Instance):
        return values_in(value.fields)
    return []


def named(value: Any) -> Any:
    """What a name stands for: of views of dicts, not what they show now."""
    return value.view if isinstance(value, (KnownKeys, KnownParts)) else value


class Structure:
    """How an abstract value is made of operands: what joins and loops need to carry it."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Leaf(Structure):
    type: Any


@dataclass(frozen=True, slots=True, eq=False)
class Static(Structure):
    """Known at compile time, and the same on all paths."""

    value: Any


@dataclass(frozen=True, slots=True)
class Items(Structure):
    """A tuple, list or dict of known structure (`keys` for dicts), or an object of a class."""

    kind: type
    items: tuple[Structure, ...]
    keys: tuple = ()


@dataclass(frozen=True, slots=True)
class Nothing(Structure):
    """Not bound."""


class Mismatch(Exception):
    """Two paths give things that no one structure can hold."""


def same_static(a: Any, b: Any) -> bool:
    """Whether two compile-time things are interchangeable."""
    if a is b:
        return True
    if isinstance(a, Constant) and isinstance(b, Constant):
        p, q = a.value, b.value
        if p is q:
            return True
        if type(p) is not type(q) or isinstance(p, np.ndarray):
            return False
        try:
            return bool(p == q) and repr(p) == repr(q)
        except Exception:  # an object with an odd __eq__ is equal to itself alone
            return False
    return False


def structure(value: Any, widen: bool = False, known: Container[int] = ()) -> Structure:
    """The structure of an abstract value.

    `widen`: numbers known now may change. `known`: lists and dicts, by identity, that are the same
    on all paths; others are told by what they contain.
    """
    if id(value) in known:
        return Static(value)
    if value is UNBOUND:
        return Nothing()
    if isinstance(value, Value):
        return Leaf(_without_value(value.type) if widen else value.type)
    if isinstance(value, Constant):
        if widen and isinstance(value.value, (bool, int, float, complex, np.generic)):
            return Leaf(_without_value(type_of(value)))
        return Static(value)
    if isinstance(value, (tuple, list)):
        return Items(type(value), tuple(structure(item, widen, known) for item in value))
    if isinstance(value, dict):
        items = tuple(structure(item, widen, known) for item in value.values())
        kind = type(value) if isinstance(value, KnownDict) else dict
        return Items(kind, items, tuple(value))
    if isinstance(value, Instance):
        items = tuple(structure(item, widen, known) for item in value.fields.values())
        return Items(value.cls, items, tuple(value.fields))
    return Static(value)


def remade(kind: type, keys: tuple, items: list) -> Any:
    """A tuple, list, dict or object of that kind, with these items."""
    if issubclass(kind, dict):
        made = zip(keys, items, strict=True)
        return kind(made) if issubclass(kind, KnownDict) else dict(made)
    if issubclass(kind, tuple):
        return kind._make(items) if hasattr(kind, "_make") else kind(items)
    if issubclass(kind, list):
        return list(items)
    return Instance(kind, dict(zip(keys, items, strict=True)))


def _without_value(type: Any) -> Any:
    if isinstance(type, T.Scalar):
        return T.Scalar(type.kind, type.dtype)
    return type


def join_structures(a: Structure, b: Structure, widen: Callable) -> Structure:
    """The structure that holds both; raises `Mismatch` where there is none."""
    match a, b:
        case (Nothing(), other) | (other, Nothing()):
            return other
        case Static(value=p), Static(value=q):
            if same_static(p, q):
                return a
            if isinstance(p, Constant) and isinstance(q, Constant):
                return Leaf(join(type_of(p), type_of(q), widen))
            raise Mismatch
        case (Leaf(type=type), Static(value=Constant() as c)) | (
            Static(value=Constant() as c),
            Leaf(type=type),
        ):
            return Leaf(join(type, type_of(c), widen))
        case Leaf(type=p), Leaf(type=q):
            return Leaf(join(p, q, widen))
        case Items(), Items() if (a.kind, a.keys, len(a.items)) == (b.kind, b.keys, len(b.items)):
            pairs = zip(a.items, b.items, strict=True)
            return Items(a.kind, tuple(join_structures(p, q, widen) for p, q in pairs), a.keys)
    raise Mismatch


def flatten(value: Any, form: Structure) -> list[Operand]:
    """The operands of `value`, one for each leaf of `form`."""
    match form:
        case Leaf():
            return [value]
        case Items():
            if value is UNBOUND:
                return [UNBOUND for item in form.items for _ in flatten(UNBOUND, item)]
            fields = value.fields if isinstance(value, Instance) else value
            items = fields.values() if isinstance(fields, dict) else fields
            return [
                leaf for v, item in zip(items, form.items, strict=True) for leaf in flatten(v, item)
            ]
    return []


def build(form: Structure, leaf: Callable[[Any, str], Value], name: str) -> Any:
    """An abstract value of that structure, its leaves made by `leaf(type, name)`."""
    match form:
        case Leaf(type=type):
            return leaf(type, name)
        case Static(value=value):
            return value
        case Nothing():
            return UNBOUND
        case Items(kind=kind, items=items, keys=keys):
            labels = keys or range(len(items))
            built = [build(f, leaf, f"{name}_{k}") for f, k in zip(items, labels, strict=True)]
            return remade(kind, keys, built)
    raise TypeError(form)


def map_types(form: Structure, by: Callable[[Any], Any]) -> Structure:
    match form:
        case Leaf(type=type):
            return Leaf(by(type))
        case Items(kind=kind, items=items, keys=keys):
            return Items(kind, tuple(map_types(item, by) for item in items), keys)
    return form


def same_structure(a: Structure, b: Structure) -> bool:
    match a, b:
        case Leaf(type=p), Leaf(type=q):
            return p == q
        case Static(value=p), Static(value=q):
            return same_static(p, q)
        case Items(), Items():
            return (a.kind, a.keys, len(a.items)) == (b.kind, b.keys, len(b.items)) and all(
                same_structure(p, q) for p, q in zip(a.items, b.items, strict=True)
            )
        case Nothing(), Nothing():
            return True
    return False


def tangent_form(form: Structure) -> Structure:
    """The structure of a result's tangent: 0 for integers, None for what is no number."""
    match form:
        case Leaf(type=type):
            return form if T.is_float(type) else Static(Constant(0))
        case Items(kind=kind, items=items, keys=keys):
            return Items(kind, tuple(map(tangent_form, items)), keys)
        case Static(value=Constant(value=value)):
            zero = 0.0 if isinstance(value, float) else 0 if isinstance(value, int) else None
            return Static(Constant(zero))
    return form


def is_operand(value: Any) -> bool:
    """Whether the abstract value can stand in the IR as it is."""
    if isinstance(value, (Value, Constant)):
        return True
    if isinstance(value, (tuple, list)):
        return all(is_operand(item) for item in value)
    return False
