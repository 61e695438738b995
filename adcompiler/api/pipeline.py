"""The stages from a function to compiled derivative code, as lists that can be read.

A *plan* says what is wanted (reverse sweep, tangent, or one after the other) of which arguments.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import numpy as np

from adcompiler import errors, runtime
from adcompiler.api.signature import Leaf, Signature
from adcompiler.backends import storage
from adcompiler.ir import abstract
from adcompiler.ir import types as T
from adcompiler.ir.infer import type_of
from adcompiler.ir.nodes import (
    Block,
    Constant,
    Function,
    Load,
    New,
    Op,
    Operand,
    Value,
    defined,
    walk,
)
from adcompiler.ir.resolve import Guard, resolve
from adcompiler.passes.algebra import count_uses
from adcompiler.passes.builder import ONE
from adcompiler.passes.calls import called, write_in_place
from adcompiler.passes.differentiate import reverse
from adcompiler.passes.memory import (
    object_classes,
    refuse_foreign_writes,
    to_memory,
    view_kind,
    written_among,
    written_parameters,
)
from adcompiler.passes.optimise import optimise
from adcompiler.passes.simplify import dead_code
from adcompiler.passes.tangent import tangent

CHECKS: list[Callable[[Function], Any]] = []
"""Called after every stage: the tests put the verifiers here."""


@dataclass(slots=True)
class Primal:
    """A resolved function: its IR, the structure of its result, what it assumes."""

    function: Function
    form: abstract.Structure
    results: list[Operand]
    guards: list[Guard]


WATCHING: ContextVar[Callable[[str, Function], None] | None] = ContextVar("WATCHING", default=None)
"""Called with a program at the stages "ir", "adjoint" and "optimised": who shows them sets it."""


def check(function: Function, stage: str = "") -> None:
    for verifier in CHECKS:
        verifier(function)
    watcher = WATCHING.get()
    if stage and watcher is not None:
        watcher(stage, function)


def resolved(function: Callable, signature: Signature) -> Primal:
    """Source to IR with memory."""
    ir, form, resolver = resolve(
        function,
        signature.args,
        signature.keywords,
        signature.leaves,
        object_classes,
        derived,
        derived_forward,
    )
    if resolver.changed_arguments and signature.shared:
        raise errors.ResolveError(
            f"`{ir.name}` changes a list or dict, and got the same one twice",
            reason="which of the two would change is not told apart",
            remedy="pass a copy for one of them",
        )
    signature.written = written_parameters(ir)
    for value in written_among(ir, [value for value, _ in resolver.unwritten]):
        raise dict(resolver.unwritten)[value]
    tell_memory(ir)
    check(ir, "ir")
    return Primal(ir, form, list(ir.body.results), list(resolver.guards.values()))


def tell_memory(function: Function) -> None:
    """Objects become values and memory, in a function and in those that it calls."""
    for each in (*called(function), function):
        if not each.has_memory:
            refuse_foreign_writes(each)
            dead_code(each, object_classes)
            to_memory(each)
            write_in_place(each)
            dead_code(each)
            each.has_memory = True


def derived(
    function: Function, wrt: list[Value], seeds: list[Operand | None], value: bool
) -> Function:
    """The adjoints, for a function that another one calls (and before them its results)."""
    tell_memory(function)
    keep = list(function.body.results) if value else []
    made = reverse(function, wrt, seeds, keep, function.name)
    optimise(made)
    check(made)
    return made


def derived_forward(function: Function, wrt: list[Value]) -> Function:
    """The results and their tangents, for a function that another one calls."""
    tell_memory(function)
    results = list(function.body.results)
    made, dots, _params = tangent(function, wrt, results, function.name)
    floats = [dot for r, dot in zip(results, dots, strict=True) if T.is_float(type_of(r))]
    made.body.results = [*results, *floats]
    dead_code(made)
    optimise(made)
    check(made)
    return made


def written_leaves(function: Function, signature: Signature, held: list) -> list[int]:
    """Which leaves a function writes (it works on copies), if something might overlap them.

    `held`: the arrays of the world around that it reads. A store that nothing reads by the name of
    the argument may be read by way of another one. An array that is not contiguous may overlap
    itself.
    """
    arrays = [leaf.value for leaf in signature.leaves if isinstance(leaf.value.type, T.Array)]
    if len(arrays) + len(held) < 2 and all(value.type.contiguous for value in arrays):
        return []
    params = {leaf.value: k for k, leaf in enumerate(signature.leaves)}
    copied = {
        s.source
        for s in walk(function.body)
        if isinstance(s, New) and isinstance(s.source, Value) and s.source in params
    }
    return sorted(params[value] for value in copied | signature.written)


def scalar_result(primal: Primal, name: str, aux: bool, position: Any) -> int:
    """The index of the result to differentiate; refuses what has no gradient."""
    form: Any = primal.form
    if aux:
        if not (isinstance(form, abstract.Items) and len(form.items) == 2):
            raise errors.DifferentiationError(
                f"`{name}` with has_aux=True",
                reason="it does not return a pair",
                remedy="return (loss, aux)",
                position=position,
            )
        form = form.items[0]
    if isinstance(form, abstract.Static):
        value = form.value.value if isinstance(form.value, Constant) else form.value
        if value is None:
            raise errors.DifferentiationError(
                f"`{name}` returns None",
                reason="there is nothing to differentiate",
                remedy="add a `return` with a number",
                position=position,
            )
        if isinstance(value, (float, np.floating)):
            return -1
        raise errors.DifferentiationError(
            f"`{name}` returns {value!r}",
            reason=f"a {type(value).__name__} has no derivative",
            remedy="return a float",
            position=position,
        )
    if isinstance(form, abstract.Items):
        raise errors.DifferentiationError(
            f"`{name}` returns a {form.kind.__name__}",
            reason="a gradient is that of one number",
            remedy="return one number, use has_aux=True for (loss, aux), or vjp or jacobian",
            position=position,
        )
    kind = (
        primal.results[0].type
        if isinstance(primal.results[0], Value)
        else type_of(primal.results[0])
    )
    if isinstance(kind, T.Array) and kind.shape != ():
        raise errors.DifferentiationError(
            f"`{name}` returns an array",
            reason="a gradient is that of one number",
            remedy="use jacobian for all entries, vjp for a weighted sum of them, or return a sum",
            position=position,
        )
    if isinstance(kind, (T.Scalar, T.Array)) and kind.kind != "float":
        raise errors.DifferentiationError(
            f"`{name}` returns {kind.kind} numbers",
            reason="only float results have a gradient",
            remedy="return a float" if kind.kind != "complex" else "return a real number, e.g. abs",
            position=position,
        )
    if isinstance(kind, T.Unknown):
        check_at_run_time(primal, name)
    if isinstance(kind, T.Object):
        raise errors.DifferentiationError(
            f"`{name}` returns a {kind.cls.__name__}",
            reason="it has no derivative",
            remedy="return a float",
            position=position,
        )
    return 0


def check_at_run_time(primal: Primal, name: str) -> None:
    """Let the code itself refuse a result that is not one number."""
    result = primal.results[0]
    out = Value(None, T.Object(type(None)))
    primal.function.body.statements.append(
        Op(runtime.refuse_result, [result, Constant(name)], {}, [out], effect=True)
    )


def own_results(function: Function) -> None:
    """Let no result share memory with an argument, with another result, or with a constant."""
    maker: dict[Value, Any] = {}
    for statement in walk(function.body):
        for value in defined(statement):
            maker[value] = statement
    uses = count_uses(function)
    seen: set[Value] = set()
    results = []
    for result in function.body.results:
        kind = type_of(result)
        if isinstance(result, Constant) and isinstance(result.value, np.ndarray):
            fresh = Value(None, kind)
            function.body.statements.append(Op(np.array, [result], {}, [fresh]))
            result = fresh
        if isinstance(kind, (T.Array, T.Unknown)) and isinstance(result, Value):
            made = maker.get(result)
            if result in seen or not is_fresh(made, maker, uses):
                fresh = Value(result.name, result.type)
                fn = np.array if isinstance(kind, T.Array) else runtime.owned
                function.body.statements.append(
                    Op(fn, [result], {}, [fresh], origin=made.origin if made else None)
                )
                result = fresh
            seen.add(result)
        results.append(result)
    function.body.results = results


def is_fresh(made: Any, maker: dict[Value, Any], uses: Any) -> bool:
    """Whether a statement makes an array that nothing else refers to."""
    if isinstance(made, Load):
        return True  # the emitter copies what is not the memory's last use
    if not isinstance(made, Op):
        return False
    if view_kind(made) == "view" and made.fn is not np.broadcast_to:
        source = made.args[0]
        return uses[source] == 1 and is_fresh(maker.get(source), maker, uses)
    return storage.is_fresh(made)


def gradient(primal: Primal, wrt: list[Leaf], index: int, name: str, value: bool) -> Function:
    """Reverse mode of a function with one number as its result."""
    ir = primal.function
    results = ir.body.results
    seeds: list[Operand | None] = [None] * len(results)
    if index >= 0:
        seeds[index] = ONE
    keep = list(results) if value else []
    made = reverse(ir, [leaf.value for leaf in wrt], seeds, keep, name)
    check(made, "adjoint")
    optimise(made)
    check(made, "optimised")
    return made


def pullback(primal: Primal, wrt: list[Leaf], name: str) -> tuple[Function, list[Value]]:
    """Reverse mode with a cotangent for each float result, as further parameters."""
    ir = primal.function
    seeds: list[Operand | None] = []
    params: list[Value] = []
    for result in primal.results:
        kind = type_of(result)
        seed = None
        if T.is_float(kind):
            label = result.name if isinstance(result, Value) and result.name else "result"
            taken = {p.name for p in (*params, *ir.body.params)}
            name = f"{label}_bar"
            while name in taken:
                name += "_"
            seed = Value(name, kind)
            params.append(seed)
        seeds.append(seed)
    arguments = list(ir.body.params)
    made = reverse(ir, [leaf.value for leaf in wrt], seeds, [], name)
    made.body.params = [*arguments, *params]
    check(made, "adjoint")
    optimise(made)
    check(made, "optimised")
    return made, params


def forward(
    primal: Primal, wrt: list[Value], name: str
) -> tuple[Function, list[Operand], list[Value]]:
    """Forward mode: the function with tangents, the tangents of its results, its parameters."""
    results = list(primal.results)
    made, dots, params = tangent(primal.function, wrt, results, name)
    made.body.results = [*results, *dots]
    dead_code(made)
    check(made, "adjoint")
    optimise(made)
    check(made, "optimised")
    count = len(results)
    return made, made.body.results[count:], params


def pack_called(function: Function) -> None:
    """Let the functions that it calls return one tuple each: the last step before emission."""
    for each in called(function):
        if len(each.body.results) > 1:
            each.body.results = [tuple(each.body.results)]


def packed(function: Function) -> Function:
    """The function with one result: a tuple, unless there is just one."""
    results = function.body.results
    one = results[0] if len(results) == 1 else tuple(results)
    body = Block(function.body.params, function.body.statements, [one])
    return Function(function.name, body, function.doc)
