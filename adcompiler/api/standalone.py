"""Emitted source that needs NumPy alone: what it imports from `adcompiler.runtime` is copied in.

Loops of the native backend get their scalar functions in the same way.

>>> text = '''from adcompiler.runtime import inverse
...
...
... def f(x):
...     return x.transpose(inverse((2, 0, 1)))
... '''
>>> print(standalone(text, {}), end="")
def inverse(axes):
    \"""The permutation that undoes `np.transpose(a, axes)`.\"""
    back = [0] * len(axes)
    for place, axis in enumerate(axes):
        back[axis] = place
    return tuple(back)
<BLANKLINE>
<BLANKLINE>
def f(x):
    return x.transpose(inverse((2, 0, 1)))
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
from collections.abc import Mapping
from types import ModuleType
from typing import Any

import numpy as np

from adcompiler import errors, runtime
from adcompiler.backends.native import elements

HELPERS: dict[str | None, ModuleType] = {module.__name__: module for module in (runtime, elements)}
LARGEST = 4096
"""How many numbers of an array are written out."""

_SUPPLIED = "# Supplied from outside:"


def standalone(text: str, namespace: Mapping[str, Any]) -> str:
    """The text with the helpers that it imports, and with the arrays of `namespace` it refers to.

    Raises `AdcompilerError` for what cannot be written into a file.
    """
    lines = text.splitlines()
    tree = ast.parse(text)
    helpers: dict[str, str] = {}
    sources: dict[str, ModuleType] = {}
    bound: set[str] = set()
    for statement in tree.body:
        if not isinstance(statement, ast.ImportFrom) or statement.module not in HELPERS:
            bound |= names_bound(statement)
            check_import(statement)
            continue
        helpers |= {alias.asname or alias.name: alias.name for alias in statement.names}
        sources |= {alias.name: HELPERS[statement.module] for alias in statement.names}
        for number in range(statement.lineno - 1, statement.end_lineno or statement.lineno):
            lines[number] = _SUPPLIED  # dropped below
    supplied = [
        f"{name} = {written(name, namespace[name])}"
        for name in sorted(namespace.keys() - bound - helpers.keys())
        if name != "__name__"
    ]
    imports: list[str] = []
    definitions: list[list[str]] = []
    for module in HELPERS.values():
        wanted = sorted(name for name in sources if sources[name] is module)
        found = definitions_of(module, wanted, bound)
        imports += found[0]
        definitions += found[1]
    definitions += [[f"{here} = {there}"] for here, there in helpers.items() if here != there]
    if any("np." in line for line in supplied):
        imports.append("import numpy as np")
    if supplied:
        definitions.append(supplied)

    lines = [line for line in lines if not line.startswith(_SUPPLIED)]
    head = 0
    while head < len(lines) and re.match(r"#|import |from |$", lines[head]):
        head += 1
    top = [line for line in lines[:head] if line]
    top += [line for line in dict.fromkeys(imports) if line not in top]
    comments = [line for line in top if line.startswith("#")]
    top = comments + sorted((line for line in top if not line.startswith("#")), key=import_key)
    parts = ["\n".join(top)] if top else []
    parts += ["\n".join(definition) for definition in definitions]
    parts.append("\n".join(lines[head:]))
    return "\n\n\n".join(parts).rstrip("\n") + "\n"


def import_key(line: str) -> tuple[bool, str]:
    """Python's own modules before NumPy, each in order."""
    return "numpy" in line, line


def names_bound(statement: ast.stmt) -> set[str]:
    """The global names that a statement of the module binds."""
    match statement:
        case ast.Import(names=names) | ast.ImportFrom(names=names):
            return {(alias.asname or alias.name).partition(".")[0] for alias in names}
        case ast.FunctionDef(name=name):
            return {name}
        case ast.Assign(targets=targets):
            return {n.id for t in targets for n in ast.walk(t) if isinstance(n, ast.Name)}
    return set()


def check_import(statement: ast.stmt) -> None:
    match statement:
        case ast.Import(names=names):
            modules = [alias.name for alias in names]
        case ast.ImportFrom(module=module):
            modules = [module or ""]
        case _:
            return
    for module in modules:
        top = module.partition(".")[0]
        if top != "numpy" and top not in sys.stdlib_module_names:
            raise errors.AdcompilerError(
                f"standalone source that imports `{module}`",
                reason="it would need more than NumPy",
                remedy="leave out --standalone, and keep the module where it can be imported",
            )


def written(name: str, value: Any) -> str:
    """An expression for an object that the code refers to and that has no name to import."""
    if type(value) is np.ndarray and value.dtype.kind in "biuf" and value.size <= LARGEST:
        numbers = re.sub(r"\b(nan|inf)\b", r"np.\1", repr(value.tolist()))
        return f"np.array({numbers}, dtype=np.{value.dtype.name}).reshape({value.shape})"
    raise errors.AdcompilerError(
        f"standalone source that refers to `{name}`",
        reason=f"it is a {type(value).__name__} that cannot be written into a file",
        remedy="pass it as an argument",
    )


def definitions_of(
    module: ModuleType, wanted: list[str], taken: set[str]
) -> tuple[list[str], list[list[str]]]:
    """The imports and the definitions that the helpers need, as they stand in their module."""
    source = inspect.getsource(module)
    lines = source.splitlines()
    statements: dict[str, ast.stmt] = {}
    for statement in ast.parse(source).body:
        for name in names_bound(statement):
            statements[name] = statement
    needed: set[str] = set()
    work = list(wanted)
    while work:
        name = work.pop()
        if name in needed:
            continue
        needed.add(name)
        read = {n.id for n in ast.walk(statements[name]) if isinstance(n, ast.Name)}
        work += sorted(read & statements.keys())
    imports: list[str] = []
    definitions: list[list[str]] = []
    for statement in dict.fromkeys(statements.values()):  # in the order of the file
        if not names_bound(statement) & needed:
            continue
        text = lines[statement.lineno - 1 : statement.end_lineno]
        if isinstance(statement, ast.Import | ast.ImportFrom):
            imports += text
            continue
        clash = names_bound(statement) & taken
        if clash:
            raise errors.AdcompilerError(
                f"standalone source that has a `{clash.pop()}` of its own",
                reason="a helper has the same name",
                remedy="rename it in the function",
            )
        definitions.append(text)
    return imports, definitions


__all__ = ["standalone"]
