"""Recursive functions: they cannot be written in place, so they become functions of the IR.

A recursive call is an operation whose `fn` is a `Function`, specialised for the types of its
arguments.  It is pure: what it writes to its arguments it returns behind its results, and the
caller stores it back.  (So a call costs time proportional to the arrays that it writes.)  The
types of its result are a fixed point: a recursive call whose result is not known yet ends its
branch, and the branches that do not recurse tell the type.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from adcompiler.ir import abstract, heap
from adcompiler.ir import types as T
from adcompiler.ir.abstract import Leaf, Static
from adcompiler.ir.nodes import (
    UNBOUND,
    Block,
    Constant,
    Function,
    New,
    Op,
    Store,
    Value,
    bound,
    leaves,
    operands,
    walk,
)

if TYPE_CHECKING:
    from adcompiler.ir.resolve import Resolver
    from adcompiler.ir.scopes import Frame

ROUNDS = 8
MAX_WRITTEN_OUT = 8
"""So many calls that differ in what is known at compile time are written in place."""


class Bottom(Exception):
    """A recursive call whose result's type is not known yet: this path tells nothing."""


@dataclass(eq=False)
class Recursive:
    """A recursive function, for one set of argument types."""

    function: Function
    form: abstract.Structure | None = None
    """The structure of its result; None until a first path has told it."""
    written: list[int] = field(default_factory=list)
    """Which parameters it writes: their new contents are its last results."""
    incomplete: bool = False
    """The last round met a call of which nothing was known yet."""


def is_recursive(resolver: Resolver, tree: Any, env: dict[str, Any]) -> bool:
    """Whether a call must not be written in place: the function is being interpreted already, and
    no argument that is known at compile time tells the calls apart."""
    same = [frame for frame in resolver.frames if frame.tree.node is tree.node]
    if same and any(_goes_down(same[-1].arguments.get(n), value) for n, value in env.items()):
        return False  # what a tree of objects consists of comes to an end
    if len(same) > MAX_WRITTEN_OUT:
        return True
    for frame in reversed(resolver.frames):
        if frame.tree.node is tree.node:
            for name, value in env.items():
                before = frame.arguments.get(name)
                if isinstance(value, Constant) and isinstance(before, Constant):
                    if not abstract.same_static(value, before):
                        return False
            return True
    return False


def _goes_down(before: Any, value: Any) -> bool:
    """Whether an object is a part of the one that the call around got."""
    if not (heap.is_object(before) and heap.is_object(value)) or before is value:
        return False
    inside = heap.objects_among([before])
    return id(value) in inside and id(before) not in heap.objects_among([value])


def call(resolver: Resolver, tree: Any, env: dict[str, Any], parent: Frame | None) -> Any:
    """A call of a recursive function: an operation."""
    forms = {name: generalised(resolver, abstract.structure(v)) for name, v in env.items()}
    key = (id(tree.node), *((name, _key(form)) for name, form in forms.items()))
    found = resolver.recursive.get(key)
    if found is None:
        found = resolver.recursive[key] = Recursive(Function(tree.name, Block()))
        build(resolver, found, tree, forms, env, parent)
        if found.incomplete:
            # Its body is that of a round in which another function was not known yet.
            del resolver.recursive[key]
    if found.form is None:
        for other in resolver.building:
            other.incomplete = True
        raise Bottom
    args = [
        resolver.operand(leaf)
        for name, form in forms.items()
        for leaf in abstract.flatten(env[name], form)
    ]
    outs: list[Value] = []

    def leaf(type: Any, name: str) -> Value:
        outs.append(Value(None, fresh_type(resolver, type)))
        return outs[-1]

    result = abstract.build(found.form, leaf, "result")
    stored = []
    for k in found.written:
        if isinstance(args[k], Constant):
            raise resolver.error(f"`{tree.name}` writes a global array", "", "pass a copy of it")
        outs.append(Value(None, args[k].type))
        stored.append((args[k], outs[-1]))
    resolver.add(Op(found.function, args, {}, outs))
    for array, after in stored:
        resolver.add(Store(array, (), after))
    return result


def build(
    resolver: Resolver, found: Recursive, tree: Any, forms: dict, env: dict, parent: Frame | None
) -> None:
    """Interpret the function until the type of its result settles."""
    for round_ in range(ROUNDS):
        found.incomplete = False
        params: list[Value] = []

        def leaf(type: Any, name: str, params: list[Value] = params) -> Value:
            params.append(Value(name, fresh_type(resolver, type)))
            return params[-1]

        arguments = {name: abstract.build(form, leaf, name) for name, form in forms.items()}
        block = Block(params)
        try:
            resolver.building.append(found)
            with resolver.writing(block):
                result = resolver.interpret(tree, arguments, parent)
        except Bottom:
            if len(resolver.building) > 1:
                raise
            raise resolver.error(
                f"`{tree.name}` calls itself on every path",
                "no path tells what it returns",
                "return a number or array on some path",
            ) from None
        finally:
            resolver.building.pop()
        form = generalised(resolver, abstract.structure(result))
        check_closed(resolver, tree, block)
        block.results = abstract.flatten(result, form)
        whole = Function(tree.name, block)
        classes = resolver.object_classes(whole)
        changed = {classes.find(s.ref) for s in walk(block) if isinstance(s, Store)}
        written = [
            k
            for k, p in enumerate(params)
            if isinstance(p.type, T.Array) and classes.find(p) in changed
        ]
        settled = (
            found.form is not None
            and written == found.written
            and abstract.same_structure(found.form, _joined(resolver, found.form, form))
        )
        found.form = form if found.form is None else _joined(resolver, found.form, form)
        found.written = written
        if settled and (not found.incomplete or round_ > 1):
            break
    else:
        raise resolver.error(
            f"the result of `{tree.name}` has no settled type",
            "its recursive calls return ever different things",
            "return the same kind of value on every path",
        )
    block.results = abstract.flatten(result, found.form) + [params[k] for k in written]
    held = {classes.find(p) for p in params if isinstance(p.type, T.Array)}
    for operand in block.results[: len(block.results) - len(written)]:
        for value in leaves(operand):
            if isinstance(value.type, (T.Array, T.List)) and classes.find(value) in held:
                found.function.shares = True
    found.function.body = block
    found.function.written = list(written)


def _joined(resolver: Resolver, a: abstract.Structure, b: abstract.Structure) -> Any:
    return generalised(resolver, abstract.join_structures(a, b, resolver.widen))


def generalised(resolver: Resolver, form: abstract.Structure) -> abstract.Structure:
    """A structure in which lengths are not named: it fits every depth of the recursion."""
    if isinstance(form, Static) and isinstance(form.value, Constant):
        value = form.value.value
        if isinstance(value, (int, float, complex)) and not isinstance(value, bool):
            from adcompiler.ir.infer import type_of

            return Leaf(generalised_type(resolver, type_of(form.value)))
    return abstract.map_types(form, lambda type: generalised_type(resolver, type))


def generalised_type(resolver: Resolver, type: Any) -> Any:
    match type:
        case T.Scalar(kind=kind, dtype=dtype):
            return T.Scalar(kind, dtype)
        case T.Array(dtype=dtype, shape=shape, contiguous=contiguous) if shape is not None:
            dims = tuple(T.symbol(("any", axis)) for axis in range(len(shape)))
            return T.Array(dtype, dims, contiguous)
        case T.List(item=item):
            return T.List(generalised_type(resolver, item))
    return type


def fresh_type(resolver: Resolver, type: Any) -> Any:
    """A type whose lengths are equal to no other's."""
    if isinstance(type, T.Array) and type.shape is not None:
        dims = tuple(T.symbol(resolver.fresh()) for _ in type.shape)
        return T.Array(type.dtype, dims, type.contiguous)
    return type


def _key(form: abstract.Structure) -> Any:
    match form:
        case Leaf(type=type):
            return type
        case Static(value=Constant(value=value)):
            return ("static", id(value) if not isinstance(value, (int, float, str)) else value)
        case Static(value=value):
            return ("static", id(value))
        case abstract.Items(kind=kind, items=items, keys=keys):
            return (kind, keys, *map(_key, items))
    return None


def check_closed(resolver: Resolver, tree: Any, block: Block) -> None:
    """Refuse a recursive function that reads run-time values of the functions around it."""
    inside = bound(block)
    for statement in walk(block):
        for operand in operands(statement):
            for value in leaves(operand):
                if value not in inside:
                    raise resolver.error(
                        f"`{tree.name}` calls itself and reads `{value.name or 'a value'}` of "
                        "the function around it",
                        "recursive functions are compiled on their own",
                        "pass the value as an argument",
                    )


__all__ = ["UNBOUND", "New", "Recursive", "build", "call", "is_recursive"]
