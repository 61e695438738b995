"""Derivatives inside differentiated functions: `grad(loss)(w)` as an operation.

The inner function is interpreted like any other, but into a block of its own; what it reads of the
function around it becomes further parameters. The block is differentiated on the spot, and the
result is a `Function`, which an operation calls. The passes differentiate it like a recursive one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from adcompiler.ir import abstract, heap
from adcompiler.ir import types as T
from adcompiler.ir.infer import type_of
from adcompiler.ir.nodes import (
    Accumulate,
    Append,
    Block,
    Constant,
    Function,
    Op,
    Pop,
    Store,
    Value,
    blocks,
    bound,
    leaves,
    operands,
    rewrite,
    walk,
)

if TYPE_CHECKING:
    from adcompiler.ir.resolve import Resolver

MODES = ("grad", "value_and_grad")


@dataclass(frozen=True, slots=True, eq=False)
class Derivative:
    """`grad(function, argnums)` or `value_and_grad(...)`, not called yet."""

    function: Any
    mode: str
    argnums: int | tuple[int, ...] = 0


def of_transform(resolver: Resolver, mode: str, args: list, keywords: dict) -> Derivative:
    """A call of `grad` or `value_and_grad` itself."""
    known = {"argnums": Constant(0), **keywords}
    if len(args) == 2:
        known["argnums"] = args[1]
    extra = set(known) - {"argnums"}
    argnums = _static(known["argnums"])
    if mode not in MODES or extra or not args or len(args) > 2 or argnums is None:
        raise resolver.error(
            f"`{mode}` inside a differentiated function",
            "grad and value_and_grad with argnums= are compiled there",
            "write it with these, or differentiate the function around it with hessian or jvp",
        )
    return Derivative(args[0], mode, argnums)


def of_object(resolver: Resolver, fn: Any) -> Derivative:
    """What `grad` returned outside."""
    mode = getattr(fn, "mode", None)
    plain = getattr(fn, "argnames", None) is None and not getattr(fn, "has_aux", False)
    argnums = 0 if fn.argnums is None else fn.argnums
    if mode not in MODES or not plain or getattr(fn, "_bound", ()):
        raise resolver.error(
            f"call of a derivative (`{getattr(fn, '__name__', 'grad')}`)",
            "grad and value_and_grad of plain functions, with argnums=, are compiled here",
            "write it with these, or differentiate the function around it with hessian or jvp",
        )
    return Derivative(resolver.constant(fn.primal), mode, argnums)


def _static(value: Any) -> int | tuple[int, ...] | None:
    if isinstance(value, Constant) and type(value.value) is int:
        return value.value
    if isinstance(value, tuple) and all(isinstance(item, Constant) for item in value):
        return tuple(item.value for item in value)
    return None


def call(resolver: Resolver, derivative: Derivative, args: list, keywords: dict) -> Any:
    """Write the derivative as an operation; gives its result."""
    from adcompiler.ir import operations

    forms = [abstract.structure(arg) for arg in args]
    params: list[Value] = []
    given: list[Any] = []
    for arg, form in zip(args, forms, strict=True):
        given += abstract.flatten(arg, form)

    def leaf(type: Any, name: str) -> Value:
        params.append(Value(name, type))
        return params[-1]

    names = _parameters(derivative.function)
    inner = [
        abstract.build(form, leaf, names[k] if k < len(names) else f"argument{k}")
        for k, form in enumerate(forms)
    ]
    for param, outer in zip(params, given, strict=True):
        if isinstance(outer, Value) and outer.uid in resolver.parameter_of:
            resolver.parameter_of[param.uid] = resolver.parameter_of[outer.uid]
    places = derivative.argnums if isinstance(derivative.argnums, tuple) else (derivative.argnums,)
    if any(not -len(args) <= place < len(args) for place in places):
        raise resolver.error("a derivative", f"it has no argument {max(places)}", "check argnums")
    block = Block(params)
    before = heap.take(resolver.frames)
    with resolver.writing(block):
        result = operations.call(resolver, derivative.function, inner, keywords)
    _refuse_changes(resolver, before)
    kind = type_of(result) if isinstance(result, (Value, Constant)) else None
    whole = isinstance(kind, (T.Scalar, T.Array)) and kind.kind == "float"
    if not whole or (isinstance(kind, T.Array) and kind.shape != ()):
        raise resolver.error(
            "a gradient of what is not one number",
            "the function that is differentiated here does not return a float",
            "return a sum, and see that its type is known",
        )
    block.results = [result]
    captured = _captured(resolver, block)
    wrt_forms = [abstract.structure(inner[place]) for place in places]
    wrt = [
        value
        for place, form in zip(places, wrt_forms, strict=True)
        for value in abstract.flatten(inner[place], form)
        if isinstance(value, Value) and T.is_float(value.type)
    ]
    if not wrt:
        raise resolver.error("a gradient", "the argument holds no floats", "check argnums")
    name = _name(derivative.function)
    function = Function(f"{name}_gradient", block)
    effect = any(isinstance(s, Op) and s.effect for s in walk(block))
    made = resolver.derive(function, wrt, derivative.mode == "value_and_grad")
    outs = [Value(None, type_of(r)) for r in made.body.results]
    resolver.add(Op(made, [resolver.operand(v) for v in (*given, *captured)], {}, outs, effect))
    return _arranged(derivative, outs, wrt_forms)


def _arranged(derivative: Derivative, outs: list[Value], forms: list) -> Any:
    """The results in the structure of the arguments; None for what is not a float."""
    rest = iter(outs)
    value = next(rest) if derivative.mode == "value_and_grad" else None

    def shaped(form: Any) -> Any:
        match form:
            case abstract.Leaf(type=type) if T.is_float(type):
                return next(rest)
            case abstract.Items(kind=kind, items=items, keys=keys):
                return abstract.remade(kind, keys, [shaped(item) for item in items])
        return Constant(None)

    gradients = tuple(shaped(form) for form in forms)
    gradient = gradients if isinstance(derivative.argnums, tuple) else gradients[0]
    return gradient if value is None else (value, gradient)


def _captured(resolver: Resolver, block: Block) -> list[Value]:
    """What the block reads of the function around it: becomes parameters, given by that."""
    inside = bound(block)
    found: dict[Value, Value] = {}

    def note(operand: Any) -> None:
        for value in leaves(operand):
            if value not in inside and value not in found:
                found[value] = Value(value.name, value.type)

    def visit(b: Block) -> None:
        for statement in b.statements:
            for operand in operands(statement):
                note(operand)
            if isinstance(statement, (Store, Accumulate, Append, Pop)):
                if statement.ref not in inside:
                    raise resolver.error(
                        "a differentiated function that writes an array of the one around it",
                        "a derivative call must not change it",
                        "pass it as an argument, or copy it",
                    )
            for inner in blocks(statement):
                visit(inner)
        for result in b.results:
            note(result)

    visit(block)
    taken = {param.name for param in block.params}
    for param in found.values():
        name = param.name or "given"
        while name in taken:
            name += "_"
        param.name = name
        taken.add(name)
    rewrite(block, lambda value: found.get(value, value))
    block.params = [*block.params, *found.values()]
    for outer, param in found.items():
        if outer.uid in resolver.parameter_of:
            resolver.parameter_of[param.uid] = resolver.parameter_of[outer.uid]
    return list(found)


def _refuse_changes(resolver: Resolver, before: heap.Snapshot) -> None:
    """What the inner function does to names and objects around it would not come out."""
    changed = any(
        list(heap.parts(thing)) != list(heap.parts(held)) for thing, held in before.heap.values()
    )
    for frame, env in zip(resolver.frames, before.envs, strict=True):
        changed = changed or any(frame.env.get(name) is not value for name, value in env.items())
    if changed:
        raise resolver.error(
            "a differentiated function that changes what is around it",
            "a derivative call must not change it",
            "return what it computes",
        )


def _parameters(function: Any) -> tuple[str, ...]:
    """The names of a function's parameters, as far as they are known."""
    if isinstance(function, abstract.Closure):
        return tuple(a.id for a in function.tree.node.args.args)
    code = getattr(getattr(function, "value", function), "__code__", None)
    return code.co_varnames[: code.co_argcount] if code is not None else ()


def _name(function: Any) -> str:
    if isinstance(function, abstract.Closure):
        name = function.tree.name
    else:
        name = getattr(getattr(function, "value", None), "__name__", "inner")
    return name if name.isidentifier() else "inner"
