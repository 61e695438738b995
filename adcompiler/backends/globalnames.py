"""What the global names of emitted code mean.

Functions print under the public name by which they can be imported again (`np.linalg.norm`,
`math.sin`, `unbroadcast`), found by looking and verified by identity.  What has no such name gets
an entry in the namespace that the code runs in.
"""

from __future__ import annotations

import ast
import builtins
import keyword
import math
import re
import sys
from collections.abc import Iterable
from types import ModuleType
from typing import Any

import numpy as np

from adcompiler import runtime
from adcompiler.ir.nodes import Function

SEARCHED = (
    "numpy",
    "numpy.linalg",
    "numpy.fft",
    "numpy.random",
    "numpy.lib.stride_tricks",
    "math",
    "operator",
    "cmath",
    "copy",
    "scipy.special",
    "scipy.linalg",
    "scipy.signal",
    "scipy.integrate",
    "scipy.stats",
)
"""Modules in which a function is looked for by its name, if they are imported."""

ALIASES = {"numpy": "np"}
_NOUNS = {"ndarray": "array", "list": "items", "dict": "table"}
ALWAYS = frozenset({"range", "reversed", "list", "slice", "complex", "None", "True", "False"})
"""Builtins that the printer itself writes."""


class GlobalNames:
    """Gives names to global objects; those that were asked for are in `namespace`."""

    def __init__(self, params: Iterable[str]) -> None:
        self.forbidden = set(params)
        """Names of parameters, which hide global ones."""
        self.reserved: set[str] = set(ALWAYS)
        """Names that no variable may take."""
        self.namespace: dict[str, Any] = {}
        self.modules: dict[str, str] = {}
        """Imported modules: dotted name -> the name it is imported as."""
        self.imported: dict[str, tuple[str, str]] = {}
        """Names imported from modules: name here -> module and name there."""
        self.constants: dict[str, ast.expr] = {}
        """Names of constants that have a literal."""
        self.provided: list[str] = []
        """Names of objects that have no name of their own to be imported by."""
        self.functions: dict[Function, str] = {}
        self.used: set[str] = set()
        """The global names that the text has, while `printing`; others were only kept free."""
        self.printing = False
        self._constants: dict[tuple[str, str], str] = {}
        self._paths: dict[int, tuple[str, ...]] = {}
        self._kept: list[Any] = []

    # Names.

    def fresh(self, base: str) -> str:
        """A global name that nothing else has."""
        base = re.sub(r"\W", "_", base) or "thing"
        base = f"_{base}" if base[0].isdigit() else base
        name, count = base, 1
        while (
            name in self.forbidden
            or name in self.reserved
            or keyword.iskeyword(name)
            or hasattr(builtins, name)
        ):
            count += 1
            name = f"{base}_{count}"
        self.reserved.add(name)
        return name

    def add_function(self, function: Function) -> None:
        self.functions[function] = self.fresh(function.name)

    # Expressions.

    def reference(self, thing: Any, hint: str | None = None) -> ast.expr:
        """An expression that means the object, in the text and in the namespace."""
        if isinstance(thing, Function):
            return ast.Name(self.functions[thing])
        path = self._paths.get(id(thing))
        if path is None:
            path = self._paths[id(thing)] = self._find(thing, hint)
            self._kept.append(thing)  # or its id may be given to another object
        return self.dotted(path)

    def dotted(self, path: tuple[str, ...]) -> ast.expr:
        if self.printing:
            self.used.add(path[0])
        return dotted(path)

    def resolve(self, name: str, thing: Any) -> ast.expr | None:
        """The dotted name that the user wrote, if it means the same here."""
        root, *rest = name.split(".")
        for module, alias in (("numpy", "np"), ("math", "math")):
            if root == alias and rest:
                found: Any = sys.modules[module]
                for part in rest:
                    found = getattr(found, part, None)
                if found is thing or (type(found) is type(thing) and found == thing):
                    return self.dotted((*self.module(module), *rest))
        return None

    def constant(self, name: str, value: Any, written: ast.expr) -> ast.expr:
        """A named global constant that can be written out: defined above the function."""
        key = (name, ast.dump(written))
        if key not in self._constants:
            chosen = self._constants[key] = self.fresh(name.rpartition(".")[2])
            self.namespace[chosen] = value
            self.constants[chosen] = written
        return self.dotted((self._constants[key],))

    def attribute(self, module: str, name: str) -> ast.expr:
        return self.dotted((*self.module(module), name))

    def builtin(self, name: str) -> ast.expr:
        """A builtin, also where a parameter has its name."""
        if name not in self.forbidden:
            self.reserved.add(name)
            return ast.Name(name)
        return self.dotted((*self.module("builtins"), name))

    # Search.

    def _find(self, thing: Any, hint: str | None) -> tuple[str, ...]:
        if isinstance(thing, ModuleType) and sys.modules.get(thing.__name__) is thing:
            return self.module(thing.__name__)
        name = getattr(thing, "__name__", None)
        if isinstance(name, str):
            if getattr(builtins, name, None) is thing:
                if name not in self.forbidden:
                    self.reserved.add(name)
                    return (name,)
                return (*self.module("builtins"), name)
            for module in SEARCHED:
                if getattr(sys.modules.get(module), name, None) is thing:
                    return (*self.module(module), name)
            if getattr(runtime, name, None) is thing:
                return (self._import(runtime.__name__, name, thing),)
            owner = getattr(thing, "__self__", None)
            if isinstance(owner, np.ufunc | type) and getattr(owner, name, None) == thing:
                return (*self._find(owner, None), name)
            found = self._importable(thing, name)
            if found is not None:
                return found
        kind = type(thing).__name__.lower()
        chosen = self.fresh(hint or name or _NOUNS.get(kind, kind))
        self.namespace[chosen] = thing
        self.provided.append(chosen)
        return (chosen,)

    def _importable(self, thing: Any, name: str) -> tuple[str, ...] | None:
        """The user's own function or class, if its module has it under its name."""
        module = getattr(thing, "__module__", None)
        path = getattr(thing, "__qualname__", name).split(".")
        if not isinstance(module, str) or module == "__main__" or module not in sys.modules:
            return None
        if not all(part.isidentifier() for part in [*path, *module.split(".")]):
            return None
        found: Any = sys.modules[module]
        for part in path:
            found = getattr(found, part, None)
        if found is not thing:
            return None
        outer = getattr(sys.modules[module], path[0])
        return (self._import(module, path[0], outer), *path[1:])

    def _import(self, module: str, name: str, thing: Any) -> str:
        for chosen, source in self.imported.items():
            if source == (module, name):
                return chosen
        chosen = self.fresh(name)
        self.namespace[chosen] = thing
        self.imported[chosen] = (module, name)
        return chosen

    def module(self, module: str) -> tuple[str, ...]:
        """How a module is written; `numpy.linalg` is an attribute of `np`."""
        top, *rest = module.split(".")
        if top == "numpy":
            module = top
        else:
            rest = []
        if module not in self.modules:
            alias = ALIASES.get(module, module)
            if alias in self.forbidden or alias.partition(".")[0] in self.forbidden:
                alias = self.fresh(module.replace(".", "_"))
            self.modules[module] = alias
            first = alias.partition(".")[0]
            self.reserved.add(first)
            whole = alias == module and "." in module
            self.namespace[first] = sys.modules[first if whole else module]
        return (*self.modules[module].split("."), *rest)

    # The head of the text.

    def imports(self) -> list[ast.stmt]:
        lines: list[ast.stmt] = []
        for module, alias in sorted(self.modules.items()):
            if alias.partition(".")[0] not in self.used:
                continue
            lines.append(ast.Import([ast.alias(module, alias if alias != module else None)]))
        by_module: dict[str, list[ast.alias]] = {}
        for chosen, (module, name) in sorted(self.imported.items()):
            if chosen in self.used:
                renamed = ast.alias(name, chosen if chosen != name else None)
                by_module.setdefault(module, []).append(renamed)
        for module, names in sorted(by_module.items()):
            lines.append(ast.ImportFrom(module, names, 0))
        return lines


def dotted(path: tuple[str, ...]) -> ast.expr:
    node: ast.expr = ast.Name(path[0])
    for part in path[1:]:
        node = ast.Attribute(node, part)
    return node


def literal(value: Any, names: GlobalNames) -> ast.expr | None:
    """The expression that means exactly this object, or None if there is no such literal."""
    match value:
        case None | True | False:
            return ast.Constant(value)
        case _ if value is Ellipsis:
            return ast.Constant(value)
        case int() | float() | complex() if type(value) in (int, float, complex):
            return number(value, names)
        case str() | bytes() if type(value) in (str, bytes):
            return ast.Constant(value)
        case tuple() if type(value) is tuple:
            items = _literals(value, names)
            return None if items is None else ast.Tuple(items)
        case slice() | range():
            parts = _literals((value.start, value.stop, value.step), names)
            maker = names.builtin(type(value).__name__)
            return None if parts is None else ast.Call(maker, parts, [])
        case np.dtype() if value.names is None and value.subdtype is None:
            if np.dtype(value.type) == value:
                return names.reference(value.type)
            return ast.Call(names.reference(np.dtype), [ast.Constant(value.str)], [])
        case np.generic() if type(value) in _PLAIN_SCALARS:
            return ast.Call(names.reference(type(value)), [number(value.item(), names)], [])
    return None


def _literals(values: Iterable[Any], names: GlobalNames) -> list[ast.expr] | None:
    found = [literal(value, names) for value in values]
    return None if None in found else [part for part in found if part is not None]


def number(value: Any, names: GlobalNames) -> ast.expr:
    """A number of Python's.

    Never a negative `Constant`: `Constant(-2) ** 2` would print as `-2 ** 2`, which is -4.
    """
    if isinstance(value, bool):
        return ast.Constant(value)
    if isinstance(value, complex):
        plain = math.copysign(1.0, value.real) > 0 and value.real == 0
        if plain and value.imag > 0 and math.isfinite(value.imag):
            return ast.Constant(value)
        parts = [number(value.real, names), number(value.imag, names)]
        return ast.Call(names.builtin("complex"), parts, [])
    if math.isnan(value):
        return names.attribute("numpy", "nan")
    size = ast.Constant(abs(value)) if abs(value) != math.inf else names.attribute("numpy", "inf")
    return ast.UnaryOp(ast.USub(), size) if math.copysign(1.0, value) < 0 else size


_PLAIN_SCALARS = frozenset(
    np.dtype(code).type for code in ("?", "b", "B", "h", "H", "i", "I", "q", "Q", "e", "f", "d",
                                     "F", "D", "l", "L")
)  # fmt: skip
