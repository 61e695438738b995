"""From the arguments of a call to the signature that code is compiled for.

Numbers and arrays become parameters of the emitted function; tuples, lists and dicts are taken
apart into theirs; everything else (strings, None, bools, functions) is static and enters the key by
value or identity.
"""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np

from adcompiler import errors
from adcompiler.ir import abstract
from adcompiler.ir import types as T
from adcompiler.ir.nodes import Constant, Value

NUMBERS = (float, int, complex)


def key_of(value: Any) -> Any:
    """What of an argument the compiled code depends on: cheap, and exact about shapes."""
    kind = type(value)
    if kind is float or kind is int or kind is complex:
        return kind
    if kind is np.ndarray:
        return (value.dtype, value.shape, value.flags.c_contiguous)
    if hasattr(kind, "__without_derivative__"):
        from adcompiler.tape.refusals import refused

        raise refused(
            "a compiled derivative of a value that the tape follows",
            "the tape does not see what happens in it",
            "compile the whole function with grad; on the tape, use tape.grad outside alone",
        )
    if isinstance(value, np.ndarray):
        return (kind, value.dtype, value.shape, value.flags.c_contiguous)
    if isinstance(value, np.generic):
        return kind
    if kind is tuple or kind is list:
        return (kind, *map(key_of, value))
    if kind is dict:
        return (kind, *((k, key_of(v)) for k, v in value.items()))
    if kind is bool or kind is str or value is None:
        return (kind, value)
    parts = parts_of(value)
    if parts is not None:
        return (kind, *((k, key_of(v)) for k, v in parts.items()))
    return ("object", id(value))


@dataclass(slots=True)
class Leaf:
    """A number or array among the arguments."""

    path: tuple
    """The position (or name) of the argument, then the keys that lead to the leaf."""
    value: Value
    example: Any


@dataclass(slots=True)
class Signature:
    """The abstract arguments of one specialisation."""

    args: list[Any] = field(default_factory=list)
    keywords: dict[str, Any] = field(default_factory=dict)
    leaves: list[Leaf] = field(default_factory=list)
    shared: bool = False
    """Whether one list or dict stands in two places among the arguments."""
    written: set[Value] = field(default_factory=set)
    """The arrays among the arguments that the function writes, once that is known."""
    seen: set[int] = field(default_factory=set)
    lengths: dict[int, str] = field(default_factory=dict)
    """The symbol that stands for each length: equal lengths share one."""

    def array_type(self, array: np.ndarray, name: str) -> T.Array:
        dims = []
        for axis, n in enumerate(array.shape):
            if n == 1:
                dims.append(T.as_dim(1))
                continue
            symbol = self.lengths.setdefault(
                n, f"len({name})" if axis == 0 else f"{name}.shape[{axis}]"
            )
            dims.append(T.symbol(("len", symbol)))
        return T.Array(array.dtype.name, tuple(dims), array.flags.c_contiguous)

    def abstract(self, value: Any, path: tuple, name: str, static: frozenset) -> Any:
        """The abstract value of an argument."""
        parts = parts_of(value)
        if parts is not None:
            if not isinstance(value, tuple):
                self.shared = self.shared or id(value) in self.seen
                self.seen.add(id(value))
            items = {
                key: self.abstract(item, (*path, key), f"{name}_{_identifier(key)}", static)
                for key, item in parts.items()
            }
            return abstract.remade(type(value), tuple(items), list(items.values()))
        if path in static or isinstance(value, (bool, str)) or value is None:
            return Constant(value)
        kind: Any = None
        if isinstance(value, np.ndarray):
            if type(value) is not np.ndarray:
                raise _refused(
                    name, f"{type(value).__name__} has rules of its own", "pass np.asarray(x)"
                )
            if value.dtype.kind not in "biufc":
                raise _refused(name, f"its dtype is {value.dtype}", "pass an array of numbers")
            kind = self.array_type(value, name)
        elif isinstance(value, np.generic) and value.dtype.kind in "biufc":
            kind = T.Scalar(T.kind_of(value.dtype.name), value.dtype.name)
        elif isinstance(value, NUMBERS):
            kind = T.Scalar(type(value).__name__)
        if kind is None:
            return Constant(value)
        leaf = Value(name, kind)
        self.leaves.append(Leaf(path, leaf, value))
        return leaf


def _identifier(key: Any) -> str:
    text = str(key)
    return "".join(c if c.isalnum() else "_" for c in text)


def _refused(name: str, reason: str, remedy: str) -> errors.ResolveError:
    return errors.ResolveError(f"argument `{name}`", reason=reason, remedy=remedy)


def signature_of(
    names: list[str], args: tuple, keywords: dict[str, Any], static: frozenset
) -> Signature:
    """The signature of a call; `names` are those of the positional parameters."""
    signature = Signature()
    for k, value in enumerate(args):
        name = names[k] if k < len(names) else f"argument_{k}"
        signature.args.append(signature.abstract(value, (k,), name, static))
    for name, value in keywords.items():
        signature.keywords[name] = signature.abstract(value, (name,), name, static)
    return signature


# ---------------------------------------------------------------------------------------------
# structures of arguments and results


def parts_of(value: Any) -> dict[Any, Any] | None:
    """What a tuple, list, dict, or dataclass consists of, by place, key or field; else None."""
    if isinstance(value, (tuple, list)):
        return dict(enumerate(value))
    if isinstance(value, dict):
        return value
    if isinstance(value, SimpleNamespace):
        return vars(value)
    if is_record(value):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    return None


def sharing(values: tuple) -> tuple:
    """Which lists, dicts and objects among the arguments are one and the same, in order."""
    found: list[int] = []
    places: dict[int, int] = {}

    def visit(value: Any) -> None:
        parts = parts_of(value)
        if parts is None:
            return
        if not isinstance(value, tuple):
            found.append(places.setdefault(id(value), len(places)))
        for part in parts.values():
            visit(part)

    for value in values:
        visit(value)
    return tuple(found)


def is_record(value: Any) -> bool:
    """Whether a value is an object of a dataclass, or a namespace."""
    record = dataclasses.is_dataclass(value) and not isinstance(value, type)
    return record or isinstance(value, SimpleNamespace)


def part_of(value: Any, key: Any) -> Any:
    """The part of a container at a place, key or field."""
    return getattr(value, key) if is_record(value) else value[key]


def is_container(value: Any) -> bool:
    return isinstance(value, (tuple, list, dict)) or is_record(value)


def flatten(value: Any, out: list) -> None:
    """Append the numbers and arrays among an argument to `out`, in order."""
    parts = parts_of(value)
    if parts is not None:
        for item in parts.values():
            flatten(item, out)
    elif is_number(value):
        out.append(value)


def is_number(value: Any) -> bool:
    """Whether a leaf is a number or an array."""
    return isinstance(value, (np.ndarray, np.generic, *NUMBERS)) and not isinstance(value, bool)


def assembled(kind: type, keys: tuple, items: list) -> Any:
    """A container of that kind with these parts; of a dataclass, without running `__init__`."""
    if issubclass(kind, abstract.KnownSet):
        return kind.made(keys)
    if issubclass(kind, abstract.KnownDefaultDict):
        factory = kind.factory.value if isinstance(kind.factory, Constant) else None
        return kind.made(factory, zip(keys, items, strict=True))
    if issubclass(kind, abstract.KnownDict):
        return kind.made(zip(keys, items, strict=True))
    if issubclass(kind, collections.defaultdict):
        return kind(None, zip(keys, items, strict=True))
    if kind is dict or issubclass(kind, dict):
        return kind(zip(keys, items, strict=True))
    if issubclass(kind, tuple):
        return kind._make(items) if hasattr(kind, "_make") else kind(items)
    if kind is list:
        return items
    made = kind.__new__(kind)
    for key, item in zip(keys, items, strict=True):
        object.__setattr__(made, key, item)
    return made


def rebuild(value: Any, leaf: Callable[[Any, tuple], Any], path: tuple = ()) -> Any:
    """An argument's structure with each leaf replaced by `leaf(value, path)`."""
    parts = parts_of(value)
    if parts is None:
        return leaf(value, path)
    items = [rebuild(item, leaf, (*path, key)) for key, item in parts.items()]
    return assembled(type(value), tuple(parts), items)
