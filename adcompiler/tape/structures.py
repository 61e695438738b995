"""Arguments and results as trees of containers, with values at the leaves."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

from adcompiler.tape.array import Array

_VALUES = frozenset({Array, np.ndarray, np.float64, float, int})


def rebuilt(tree: Any, leaf: Callable[[Any], Any]) -> Any:
    """The structure with `leaf(value)` for each value that is no container."""
    if type(tree) in _VALUES:
        return leaf(tree)
    if isinstance(tree, tuple) and hasattr(tree, "_fields"):
        return type(tree)(*(rebuilt(item, leaf) for item in tree))
    if isinstance(tree, tuple | list):
        return type(tree)([rebuilt(item, leaf) for item in tree])
    if isinstance(tree, dict):
        return {key: rebuilt(item, leaf) for key, item in tree.items()}
    if dataclasses.is_dataclass(tree) and not isinstance(tree, type):
        fields = [f.name for f in dataclasses.fields(tree) if f.init]
        return dataclasses.replace(
            tree, **{name: rebuilt(getattr(tree, name), leaf) for name in fields}
        )
    return leaf(tree)


def leaves_of(tree: Any) -> list:
    """The values in a structure that are no containers."""
    found: list = []
    rebuilt(tree, found.append)
    return found


def is_float(value: Any) -> bool:
    """Whether a value can be differentiated."""
    if type(value) is Array:
        value = value.value
    if isinstance(value, np.ndarray | np.generic):
        return value.dtype.kind == "f"
    return isinstance(value, float)


def is_complex(value: Any) -> bool:
    """Whether a value is complex."""
    if type(value) is Array:
        value = value.value
    if isinstance(value, np.ndarray | np.generic):
        return value.dtype.kind == "c"
    return isinstance(value, complex)
