"""What has no loop form, by name: the reason why a function stays with the NumPy backend."""

from __future__ import annotations

from typing import Any

from adcompiler.errors import Position
from adcompiler.ir.nodes import Function, Origin


class Unsupported(Exception):
    """An operation without a loop form; caught where the backend is chosen."""

    def __init__(self, what: str, origin: Origin | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.position: Position | None = origin.position if origin is not None else None

    def at(self, origin: Origin | None) -> Unsupported:
        """Name the place, unless it is known already."""
        if self.position is None and origin is not None:
            self.position = origin.position
        return self

    def __str__(self) -> str:
        if self.position is None:
            return self.what
        return f"{self.what} in {self.position.file}:{self.position.line}"


def described(fn: Any) -> str:
    """A function as the user would write it.

    >>> import operator
    >>> import numpy as np
    >>> described(np.linalg.solve), described(np.ndarray.sort), described(operator.matmul)
    ('`np.linalg.solve`', '`.sort()`', '`matmul`')
    """
    if isinstance(fn, Function):
        return f"the recursive function `{fn.name}`"
    name = getattr(fn, "__name__", type(fn).__name__)
    if type(fn).__name__ == "method_descriptor":
        return f"`.{name}()`"
    module = getattr(fn, "__module__", None) or ("numpy" if type(fn).__name__ == "ufunc" else "")
    module = module.replace("numpy", "np", 1) if module.startswith("numpy") else module
    plain = module in ("", "builtins", "_operator", "operator") or module.startswith("adcompiler")
    return f"`{name}`" if plain else f"`{module}.{name}`"
