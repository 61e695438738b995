"""Types: what is known of a value before it exists.

Scalars know their kind; integers may know their value as a `Dim`; arrays know dtype, rank and the
length of each axis as a `Dim`.  Types only sharpen the emitted code: `Unknown` is always sound.

Lengths
    A `Dim` is an affine expression of *atoms*: `n`, `n - 2`, `max(0, n - 2)`.  Two equal dims are
    provably equal lengths.  An atom is any hashable; its structure says what is known:

    * `("len", key)`: an axis of an argument; never 1 (axes of length 1 are the constant 1).
    * `("pos", dim)`: `max(0, dim)`, the length of a slice such as `1:-1`.
    * anything else: an opaque integer.
"""

from __future__ import annotations

import builtins
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True, slots=True)
class Dim:
    """`const + sum(coefficient * atom)`; `terms` are sorted, with no zero coefficient."""

    terms: tuple[tuple[Any, int], ...] = ()
    const: int = 0

    def __add__(self, other: Dim | int) -> Dim:
        other = as_dim(other)
        sums = dict(self.terms)
        for atom, coefficient in other.terms:
            sums[atom] = sums.get(atom, 0) + coefficient
        terms = sorted(((a, c) for a, c in sums.items() if c), key=repr)
        return Dim(tuple(terms), self.const + other.const)

    def __sub__(self, other: Dim | int) -> Dim:
        return self + as_dim(other) * -1

    def __mul__(self, factor: int) -> Dim:
        if factor == 0:
            return Dim()
        return Dim(tuple((a, c * factor) for a, c in self.terms), self.const * factor)

    @property
    def constant(self) -> int | None:
        return None if self.terms else self.const

    @property
    def atom(self) -> Any:
        """The single atom that this dim is, or None."""
        if len(self.terms) == 1 and self.const == 0 and self.terms[0][1] == 1:
            return self.terms[0][0]
        return None

    def atoms(self) -> set:
        """All atoms that it mentions, those inside other atoms too."""
        found: set = set()
        _collect_atoms(self, found)
        return found

    def __repr__(self) -> str:
        parts = [f"{'' if c == 1 else f'{c}*'}{_show(a)}" for a, c in self.terms]
        if self.const or not parts:
            parts.append(str(self.const))
        return " + ".join(parts).replace("+ -", "- ")


def _show(atom: Any) -> str:
    if isinstance(atom, tuple) and atom and atom[0] == "len":
        return str(atom[1])
    return str(atom)


def _collect_atoms(thing: Any, found: set) -> None:
    if isinstance(thing, Dim):
        for atom, _ in thing.terms:
            found.add(atom)
            _collect_atoms(atom, found)
    elif isinstance(thing, tuple):
        for item in thing:
            _collect_atoms(item, found)


def as_dim(value: Dim | int) -> Dim:
    return value if isinstance(value, Dim) else Dim((), int(value))


def symbol(atom: Any) -> Dim:
    return Dim(((atom, 1),))


@dataclass(frozen=True, slots=True)
class Scalar:
    """A number: Python's own where `dtype` is None, else a NumPy scalar of that dtype."""

    kind: str  # "bool", "int", "float" or "complex"
    dtype: str | None = None
    dim: Dim | None = None
    """The value of an integer, where it is known as an expression."""


@dataclass(frozen=True, slots=True)
class Array:
    """An ndarray; `shape` is None where not even the rank is known."""

    dtype: str
    shape: tuple[Dim, ...] | None
    contiguous: bool = False
    """Known to be C-contiguous, so that `reshape` of it is a view."""

    @property
    def rank(self) -> int | None:
        return None if self.shape is None else len(self.shape)

    @property
    def kind(self) -> str:
        return kind_of(self.dtype)


@dataclass(frozen=True, slots=True)
class List:
    """A list whose items all have one type (None: nothing is known of them yet)."""

    item: Any
    length: Dim | None = None


@dataclass(frozen=True, slots=True)
class Tuple:
    """A tuple that exists at run time, such as the result of `np.linalg.slogdet`."""

    items: tuple


@dataclass(frozen=True, slots=True)
class Record:
    """What a list holds that has components: a tuple, dict, or object of the class `kind`.

    `keys` are those of a dict, or the fields of an object.  `passes.columns` takes it apart.
    """

    kind: type
    keys: tuple
    items: tuple


@dataclass(frozen=True, slots=True)
class Ref:
    """A reference to memory that holds a value of type `target`."""

    target: Any


@dataclass(frozen=True, slots=True)
class Object:
    """Any other Python object of a known class: a string, None, a dtype, a function."""

    cls: type


@dataclass(frozen=True, slots=True)
class Unknown:
    """Nothing is known."""


UNKNOWN = Unknown()
FLOAT = Scalar("float")
INT = Scalar("int")
BOOL = Scalar("bool")


def kind_of(dtype: str) -> str:
    """`"bool"`, `"int"`, `"float"`, `"complex"` or `"other"`."""
    return {"b": "bool", "i": "int", "u": "int", "f": "float", "c": "complex"}.get(
        np.dtype(dtype).kind, "other"
    )


PLAIN = (str, bytes, builtins.type(None), builtins.type, slice, tuple, BaseException, np.dtype)
"""Classes of objects through which no derivative passes."""


def is_float(type: Any) -> bool:
    """Whether values of the type can carry a derivative (an unknown one might)."""
    match type:
        case Scalar(kind=kind):
            return kind in ("float", "complex")
        case Array():
            return type.kind in ("float", "complex")
        case List(item=item):
            return item is None or is_float(item)
        case Tuple(items=items) | Record(items=items):
            return any(is_float(item) for item in items)
        case Ref(target=target):
            return is_float(target)
        case Unknown():
            return True
        case Object(cls=cls):
            return not issubclass(cls, PLAIN)
    return False


def is_ref(type: Any) -> bool:
    return isinstance(type, Ref)


def target(type: Any) -> Any:
    """The type of what is held, for references and values alike."""
    return type.target if isinstance(type, Ref) else type
