"""Names: the frame of a call, the binding of its parameters, and what a name stands for."""

from __future__ import annotations

import builtins
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from adcompiler import errors, runtime
from adcompiler.ir import abstract, recursion
from adcompiler.ir import types as T
from adcompiler.ir.abstract import Conflict
from adcompiler.ir.guards import ABSENT, NeedUnroll
from adcompiler.ir.nodes import UNBOUND, Constant, Op
from adcompiler.ir.parse import Tree

if TYPE_CHECKING:
    from adcompiler.ir.resolve import Resolver


@dataclass(slots=True, eq=False)
class Frame:
    """The names of one call."""

    tree: Tree
    env: dict[str, Any] = field(default_factory=dict)
    parent: Frame | None = None
    """The frame of the function around it, for nested functions."""
    arguments: dict[str, Any] = field(default_factory=dict)
    """What the parameters were bound to."""
    calls: tuple = ()
    """Where it was called, innermost first."""
    call: Any = None
    """The node of the call."""
    site: errors.Position | None = None
    """In a function of the library: where the user called what it stands for."""
    guarded: bool = False
    """Whether a `try` of the user's may be around what it does."""
    nonlocals: set[str] = field(default_factory=set)

    @property
    def hidden(self) -> bool:
        """Whether it is no function of the user's: its statements count as the one that called."""
        return self.site is not None

    def position(self, node: Any) -> errors.Position:
        return self.site or self.tree.position(node)


def bind(
    resolver: Resolver,
    tree: Tree,
    args: list,
    keywords: dict,
    defaults: tuple | None,
    keyword_defaults: dict | None,
) -> dict[str, Any]:
    """Bind arguments to parameters, as Python does."""
    arguments = tree.node.args
    positional = [a.id for a in [*arguments.posonlyargs, *arguments.args]]
    only_positional = {a.id for a in arguments.posonlyargs}
    function = tree.function
    if defaults is None:
        values = getattr(function, "__defaults__", None) or ()
        defaults = tuple(map(resolver.foreign, values))
    if keyword_defaults is None:
        values = getattr(function, "__kwdefaults__", None) or {}
        keyword_defaults = {k: resolver.foreign(v) for k, v in values.items()}
    env: dict[str, Any] = dict(zip(positional, args, strict=False))
    if len(args) > len(positional):
        if arguments.vararg is None:
            raise resolver.error(
                f"call of `{tree.name}`",
                f"it takes {len(positional)} positional arguments, {len(args)} were given",
                "give it the arguments of its signature",
            )
    if arguments.vararg is not None:
        env[arguments.vararg.id] = tuple(args[len(positional) :])
    extra = {}
    for name, value in keywords.items():
        known = name in positional and name not in only_positional
        if known or name in {a.id for a in arguments.kwonlyargs}:
            if name in env:
                raise resolver.error(f"call of `{tree.name}`", f"`{name}` was given twice")
            env[name] = value
        else:
            extra[name] = value
    if arguments.kwarg is not None:
        env[arguments.kwarg.id] = extra
    elif extra:
        raise resolver.error(
            f"call of `{tree.name}`",
            f"it has no parameter `{next(iter(extra))}`",
            "give it the arguments of its signature",
        )
    for name, value in zip(positional[len(positional) - len(defaults) :], defaults, strict=True):
        env.setdefault(name, value)
    for a in arguments.kwonlyargs:
        if a.id not in env and a.id in keyword_defaults:
            env[a.id] = keyword_defaults[a.id]
    for name in [*positional, *(a.id for a in arguments.kwonlyargs)]:
        if name not in env:
            raise resolver.error(
                f"call of `{tree.name}`",
                f"the argument `{name}` is missing",
                "give it the arguments of its signature",
            )
    return env


def check_bound(resolver: Resolver, name: str, value: Any) -> None:
    """Let Python itself raise where a name is read that may not be bound."""
    tree = resolver.frame.tree
    if resolver.fixed_origin is not None or name in tree.flags or name in tree.temporaries:
        return
    for leaf in abstract.values_in(value):
        if leaf in resolver.maybe_unbound and (resolver.block, leaf) not in resolver.checked:
            resolver.checked.add((resolver.block, leaf))
            out = resolver.value(T.Object(type(None)))
            resolver.add(Op(runtime.bound, [leaf], {}, [out], effect=True))


def lookup(resolver: Resolver, name: str) -> Any:
    """What a name stands for: local, of an enclosing function, global, or builtin."""
    frame = resolver.frame
    if name in frame.env:
        value = frame.env[name]
        if isinstance(value, Conflict) and value.of_trips:
            error = resolver.error(
                f"`{name}` changes its structure in this loop",
                "what it stands for must be known at compile time",
                "give it the same structure (tuple length, function) in every trip",
            )
            raise error if value.loop is None else NeedUnroll(value.loop, error)
        if isinstance(value, Conflict):
            raise resolver.error(
                f"`{name}` stands for different things on different paths",
                "which one it is must be known at compile time",
                "make both of the same kind, or use two names",
            )
        if value is UNBOUND:
            wait_for(resolver, name)
            raise resolver.error(
                f"`{name}` is not assigned here",
                "no path up to here assigns it",
                f"assign `{name}` before",
            )
        if resolver.maybe_unbound:
            check_bound(resolver, name, value)
        if id(value) in resolver.iterators and resolver.iterators[id(value)][1] < len(
            resolver.pending
        ):
            raise resolver.error(
                f"the iterator `{name}` in a loop",
                "it is used up by the first trip",
                "make a list of it before the loop: list(...)",
            )
        return resolver.usable(value)
    if name in frame.tree.locals and name not in frame.nonlocals:
        wait_for(resolver, name)
        raise resolver.error(
            f"`{name}` is not assigned here",
            "no path up to here assigns it",
            f"assign `{name}` before",
        )
    around = frame.parent
    while around is not None:
        if name in around.env:
            value = around.env[name]
            if value is UNBOUND or isinstance(value, Conflict):
                raise resolver.error(f"`{name}` is not one thing where it is read")
            return resolver.usable(value)
        around = around.parent
    tree = frame.tree
    around = frame
    while around.parent is not None and name not in tree.closure:
        around = around.parent  # a nested function has no cells of its own
        tree = around.tree
    if name in tree.closure:
        cell = tree.closure[name]
        try:
            value = cell.cell_contents
        except ValueError:
            raise resolver.error(f"`{name}` is not assigned yet in the enclosing function") from (
                None
            )
        resolver.guard(cell, name, value)
        return outer_object(resolver, cell, name, value)
    if name in tree.globals:
        value = tree.globals[name]
        resolver.guard(tree.globals, name, value)
        return outer_object(resolver, tree.globals, name, value)
    if hasattr(builtins, name):
        if not tree.globals.get("__name__", "").startswith("adcompiler."):
            resolver.guard(tree.globals, name, ABSENT)
        return Constant(getattr(builtins, name))
    raise resolver.error(
        f"`{name}` is not defined", "no scope around here binds it", "define or import it"
    )


def outer_object(resolver: Resolver, holder: Any, name: str, value: Any) -> Any:
    """What a global or a cell holds; a list or dict is one object however often it is read."""
    if not isinstance(value, (list, dict, tuple, set)):
        return resolver.constant(value, name)
    key = (id(holder), name)
    if key not in resolver.outer:
        resolver.outer[key] = resolver.constant(value, name)
        resolver.note_objects(resolver.outer[key], resolver.global_objects)
    return resolver.outer[key]


def wait_for(resolver: Resolver, name: str) -> None:
    """In a loop, a name that is not bound yet may be bound by an earlier trip."""
    place = (resolver.frames.index(resolver.frame), name)
    if any(place in pending for pending in resolver.pending):
        resolver.waited = True
        raise recursion.Bottom
