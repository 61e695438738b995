"""What compiled code assumes of the world, and what compiling asks of the arguments."""

from __future__ import annotations

import array
import collections
import types
from dataclasses import dataclass
from typing import Any

from adcompiler.ir.nodes import Value


class NeedStatic(Exception):
    """An argument's value is needed at compile time: it enters the signature."""

    def __init__(self, value: Value) -> None:
        super().__init__(value)
        self.value = value


class NeedUnroll(Exception):
    """A loop's index chooses among things that only exist at compile time."""

    def __init__(self, index: Value, error: Exception | None = None) -> None:
        super().__init__(index)
        self.index = index
        self.error = error
        """What to say if the loop cannot be written out."""


class NeedGrowing(Exception):
    """A list of known structure must be an object of the IR, from its birth on."""

    def __init__(self, key: int) -> None:
        super().__init__(key)
        self.key = key
        """Where it is born: the node of the tree that makes it."""


@dataclass(frozen=True, slots=True)
class Dispatch:
    """Which function `functools.singledispatch` chooses for a class."""

    generic: Any
    cls: type

    @property
    def function(self) -> Any:
        return self.generic.dispatch(self.cls)


ABSENT = object()
"""What a guard expects where there is nothing: a global that would hide a builtin, say."""


@dataclass(slots=True, eq=False)
class Guard:
    """What the compiled code assumes of the world: `holder[name]` is still `expected`."""

    holder: Any
    name: str
    expected: Any
    contents: Any = None
    """For a list or dict: what it held."""

    def holds(self) -> bool:
        if self.contents is not None and contents_of(self.expected) != self.contents:
            return False
        try:
            if isinstance(self.holder, dict):
                return self.holder.get(self.name, ABSENT) is self.expected
            if isinstance(self.holder, types.CellType):
                return self.holder.cell_contents is self.expected
            now = getattr(self.holder, self.name, ABSENT)
            if isinstance(now, types.MethodType):  # a new object on each look
                return now == self.expected
            return now is self.expected
        except (AttributeError, ValueError):
            return False


CONTAINERS = (list, dict, tuple, set, frozenset, collections.deque, array.array, bytearray)
"""What holds other things and may be changed: guarded by what it holds."""


def contents_of(value: Any) -> Any:
    """What a container holds, so that two such answers can be compared."""
    if isinstance(value, dict):
        return (type(value), *((k, contents_of(v)) for k, v in value.items()))
    if isinstance(value, (set, frozenset)):
        return (type(value), frozenset(map(contents_of, value)))
    if isinstance(value, CONTAINERS):
        return (type(value), *map(contents_of, value))
    if isinstance(value, (bool, int, float, complex, str)):
        return (type(value), repr(value))
    return id(value)
