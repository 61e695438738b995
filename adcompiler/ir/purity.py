"""Whether calling a function could do more than give a value: what decides if calls may be moved.

Iterators are lazy in Python: `zip(map(f, xs), ys)` calls `f` in turns with what the loop does, and
as often as items are asked for. If `f` does nothing but compute, nobody can tell when it is called;
then `map` is looked up item by item, and generators may be made lists. Else it runs in turns.
"""

from __future__ import annotations

import builtins
import types
from typing import TYPE_CHECKING, Any

import gast
import numpy as np

from adcompiler.ir import types as T
from adcompiler.ir.abstract import Closure, Either, Instance, Method, Partial, RangeOf, Sequence
from adcompiler.ir.nodes import Constant, Value
from adcompiler.ir.parse import parse

if TYPE_CHECKING:
    from adcompiler.ir.parse import Tree
    from adcompiler.ir.scopes import Frame

_STATEMENTS = (
    gast.Nonlocal, gast.Global, gast.Delete, gast.Raise, gast.Assert, gast.With, gast.Try,
    gast.AugAssign,
)  # fmt: skip
"""What may change something, raise, or be noticed otherwise."""

_COMPUTING = {"builtins", "math", "cmath", "operator", "_operator", "numpy", "numpy.linalg"}
"""Modules whose functions compute a value, but for those of `_ACTING`."""

_ACTING = {"next", "setattr", "delattr", "print", "input", "exec", "eval", "copyto", "put", "place",
           "putmask", "put_along_axis", "fill_diagonal", "setitem", "delitem"}  # fmt: skip


def acts(value: Any) -> bool:
    """Whether calling or walking this may do more than give values; true where it is not known."""
    return _acts(value, set())


def tree_acts(tree: Tree, frame: Frame | None) -> bool:
    """Whether the body of a function, defined in this frame, may do more than compute."""
    return _tree_acts(tree, frame, set())


def _acts(value: Any, seen: set[int]) -> bool:
    match value:
        case Constant(value=known):
            return _object_acts(known, seen)
        case Closure(tree=tree, frame=frame):
            return _tree_acts(tree, frame, seen)
        case Partial(function=function):
            return _acts(function, seen)
        case Either(first=first, second=second):
            return _acts(first, seen) or _acts(second, seen)
        case Instance() | Method():
            return True
        case Sequence():
            return False
        case tuple() | list():
            return any(_acts(item, seen) for item in value)
    return not getattr(value, "quiet", True)  # a generator


def _object_acts(known: Any, seen: set[int]) -> bool:
    """Whether calling a Python object may do more than compute; what cannot be called does not."""
    if not callable(known) or isinstance(known, np.ufunc):
        return False
    if isinstance(known, types.FunctionType) and not _is_of(known, _COMPUTING):
        try:
            return _tree_acts(parse(known), None, seen)
        except Exception:  # no source: refused where it is called
            return True
    if isinstance(known, types.BuiltinFunctionType) and known.__self__ is not None:
        if not isinstance(known.__self__, types.ModuleType):
            return True
    return not _is_of(known, _COMPUTING) or getattr(known, "__name__", "") in _ACTING


def _is_of(known: Any, modules: set[str]) -> bool:
    return getattr(known, "__module__", None) in modules


def _tree_acts(tree: Tree, frame: Frame | None, seen: set[int]) -> bool:
    if id(tree.node) in seen:
        return False  # a recursive function acts if something else in it does
    seen.add(id(tree.node))
    for node in gast.walk(tree.node):
        if isinstance(node, _STATEMENTS):
            return True
        if isinstance(node, (gast.Attribute, gast.Subscript)) and not isinstance(
            node.ctx, gast.Load
        ):
            return True
        if isinstance(node, gast.Call) and _acts(_called(node.func, tree, frame), seen):
            return True
    return False


def reads(value: Any) -> list[Value] | None:
    """The arrays and lists on which the items of an iterator depend, if on nothing else that may
    change while it is walked; else None."""
    found: list[Value] = []
    return found if _reads(value, found) else None


def _reads(value: Any, found: list[Value]) -> bool:
    """Add the arrays and lists that this depends on; false if it may depend on more."""
    match value:
        case Constant() | RangeOf():
            return True
        case Value(type=kind):
            if not isinstance(kind, T.Scalar):
                found.append(value)
            return True
        case tuple():
            return all(_reads(item, found) for item in value)
        case Sequence(source=source):
            return source is not None and _reads(source, found)
        case Closure(tree=tree, frame=frame):
            return _tree_reads(tree, frame, found)
    if not getattr(value, "quiet", False):
        return False
    given = [_reads(item, found) for item in value.env.values()]
    return all(given) and (value.parent is None or _tree_reads(value.tree, value.parent, found))


def _tree_reads(tree: Tree, frame: Frame | None, found: list[Value]) -> bool:
    for node in gast.walk(tree.node):
        if isinstance(node, gast.Attribute) and not isinstance(
            _called(node, tree, frame), Constant
        ):
            return False
        if not isinstance(node, gast.Name) or node.id in tree.locals:
            continue
        held = _called(node, tree, frame)
        if held is _UNKNOWN or not _reads(held, found) or _rebound(node.id, frame):
            return False
    return True


def _rebound(name: str, frame: Frame | None) -> bool:
    """Whether a name of a frame around may be bound anew."""
    while frame is not None and name not in frame.env:
        frame = frame.parent
    if frame is None:
        return False
    bound = [
        node
        for node in gast.walk(frame.tree.node)
        if isinstance(node, gast.Name)
        and node.id == name
        and not isinstance(node.ctx, gast.Load)
        or isinstance(node, gast.Nonlocal)
        and name in node.names
    ]
    return len(bound) > 1  # a parameter is bound once, too


_UNKNOWN = Instance(object, {})
"""Something of which nothing is known."""


def _called(node: Any, tree: Tree, frame: Frame | None) -> Any:
    """What an expression stands for that is called, as far as names and modules tell."""
    if isinstance(node, gast.Attribute):
        holder = _called(node.value, tree, frame)
        if isinstance(holder, Constant) and isinstance(holder.value, types.ModuleType):
            return Constant(getattr(holder.value, node.attr, None))
        return _UNKNOWN
    if not isinstance(node, gast.Name) or node.id in tree.locals:
        return _UNKNOWN
    name = node.id
    while frame is not None:
        if name in frame.env:
            return frame.env[name]
        if name in frame.tree.locals:
            return _UNKNOWN
        tree, frame = frame.tree, frame.parent
    if name in tree.closure:
        try:
            return Constant(tree.closure[name].cell_contents)
        except ValueError:
            return _UNKNOWN
    if name in tree.globals:
        return Constant(tree.globals[name])
    return Constant(getattr(builtins, name, None))
