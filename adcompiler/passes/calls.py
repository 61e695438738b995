"""Derivatives of calls that are not written in place (recursive functions).

In reverse mode a function `f` becomes a pair: `f_forward`, which also returns a tuple of what its
backward sweep reads, and `f_backward`, which takes that tuple and the adjoints of the results, and
returns those of the arguments.  In forward mode it becomes `f_jvp`, with tangents beside arguments
and results.  Inside these functions the recursive calls are calls of the same.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from adcompiler import errors, runtime
from adcompiler.ir import types as T
from adcompiler.ir.infer import type_of
from adcompiler.ir.nodes import (
    UNBOUND,
    Block,
    Constant,
    Function,
    If,
    Loop,
    Op,
    Operand,
    Origin,
    Range,
    Statement,
    Value,
    blocks,
    defined,
    leaves,
    operands,
    rewrite,
    walk,
)


class Pairs:
    """The derivatives of the functions that one differentiation calls."""

    def __init__(self) -> None:
        self.reverse: dict[Function, tuple[Function, Function]] = {}
        self.forward: dict[Function, Function] = {}

    def pair(self, function: Function) -> tuple[Function, Function]:
        """`f_forward` and `f_backward` of a function."""
        if function not in self.reverse:
            forward = Function(f"{function.name}_forward", Block(), has_memory=True)
            backward = Function(f"{function.name}_backward", Block(), has_memory=True)
            self.reverse[function] = forward, backward
            self.fill_pair(function, forward, backward)
        return self.reverse[function]

    def fill_pair(self, function: Function, forward: Function, backward: Function) -> None:
        from adcompiler.passes import saving
        from adcompiler.passes.differentiate import _Reverse, bar
        from adcompiler.passes.simplify import common_subexpressions, dead_code

        copy = clone(function)
        orders = [s.origin.order for s in walk(copy.body) if s.origin is not None]
        order = max(orders, default=0)
        seeds: list[Operand | None] = []
        given: list[Value] = []
        for result in copy.body.results:
            kind = type_of(result)
            name = result.name if isinstance(result, Value) else None
            label = bar(name) or "result_bar"
            while label in {v.name for v in given}:
                label += "_"
            seed = Value(label, kind)
            if T.is_float(kind):
                given.append(seed)
                seeds.append(seed)
            else:
                seeds.append(None)
        params = list(copy.params)
        wrt = [p for p in params if T.is_float(p.type)]
        results = list(copy.body.results)
        sweep = _Reverse(copy, wrt, seeds, self)
        body = sweep.run(results)
        whole = Function(forward.name, body)
        saving.place(whole, sweep.record)
        dead_code(whole)
        common_subexpressions(whole)
        dead_code(whole)
        count = len(results)
        begun = sweep.record.backward

        def is_backward(statement: Statement) -> bool:
            origin = statement.origin
            later = origin is not None and origin.mirror and (order == 0 or origin.order > order)
            return later or statement in begun

        self.split(whole, count, params, given, forward, backward, is_backward)

    def split(
        self,
        whole: Function,
        count: int,
        params: list[Value],
        given: list[Value],
        forward: Function,
        backward: Function,
        is_backward: Callable[[Statement], bool],
    ) -> None:
        """Cut a differentiated function where its backward sweep begins."""
        body = whole.body
        at = next(
            (k for k, s in enumerate(body.statements) if is_backward(s)),
            len(body.statements),
        )
        first, second = body.statements[:at], body.statements[at:]
        made: dict[Value, None] = dict.fromkeys(params)
        for statement in first:
            for value in defined(statement):
                made[value] = None
        crossing: dict[Value, None] = {}

        def note(block_statements: list[Statement], results: list[Operand]) -> None:
            for statement in block_statements:
                for operand in operands(statement):
                    for value in leaves(operand):
                        if value in made:
                            crossing[value] = None
                for inner in blocks(statement):
                    note(inner.statements, inner.results)
            for result in results:
                for value in leaves(result):
                    if value in made:
                        crossing[value] = None

        bars = body.results[count:]
        note(second, bars)
        keep = tuple(crossing)
        bind_all(first, set(crossing))
        forward.body = Block(list(params), first, [(*body.results[:count], keep)])
        # What is kept may be an argument, or a view of one: the caller must not write it meanwhile.
        forward.shares = any(isinstance(T.target(v.type), (T.Array, T.Unknown)) for v in keep)
        saved = Value("saved", T.Object(tuple))
        origin = second[0].origin if second else Origin(None, "", True)
        renamed: dict[Value, Value] = {}
        unpack: list[Statement] = []
        for position, value in enumerate(keep):
            fresh = Value(value.name, value.type)
            renamed[value] = fresh
            unpack.append(
                Op(operator.getitem, [saved, (Constant(position),)], {}, [fresh], origin=origin)
            )
        results = [tuple(bars)] if len(bars) != 1 else list(bars)
        block = Block([saved, *given], [*unpack, *second], results)
        rewrite(block, lambda v: renamed.get(v, v))
        backward.body = block

    def tangent(self, function: Function) -> Function:
        """`f_jvp` of a function: all float arguments have tangents, and all float results."""
        if function not in self.forward:
            made = Function(f"{function.name}_jvp", Block(), has_memory=True)
            self.forward[function] = made
            from adcompiler.passes.simplify import dead_code
            from adcompiler.passes.tangent import _Tangent

            copy = clone(function)
            wrt = [p for p in copy.params if T.is_float(p.type)]
            sweep = _Tangent(copy, wrt, self)
            sweep.run()
            results = list(copy.body.results)
            dots = []
            with sweep.writer.writing(sweep.writer.block):
                dots = [sweep.result_dot(r) for r in results if T.is_float(type_of(r))]
            made.body = Block(
                [*copy.params, *sweep.params], sweep.writer.block.statements, [*results, *dots]
            )
            dead_code(made)
            made.body.results = [tuple(made.body.results)]
        return self.forward[function]


def clone(function: Function) -> Function:
    """A copy that shares no value, block or statement with the function."""
    fresh: dict[Value, Value] = {}

    def new(value: Value) -> Value:
        if value not in fresh:
            fresh[value] = Value(value.name, value.type)
        return fresh[value]

    def copy_block(block: Block) -> Block:
        return Block(
            [new(p) for p in block.params],
            [copy_statement(s) for s in block.statements],
            list(block.results),
        )

    def copy_statement(statement: Statement) -> Statement:
        fields: dict[str, Any] = {
            name: getattr(statement, name) for name in statement.__dataclass_fields__
        }
        match statement:
            case If():
                fields["then"] = copy_block(statement.then)
                fields["orelse"] = copy_block(statement.orelse)
            case Loop():
                fields["body"] = copy_block(statement.body)
                if statement.domain is not None:
                    d = statement.domain
                    fields["domain"] = Range(d.start, d.stop, d.step, d.reverse)
        if "outs" in fields:
            fields["outs"] = [new(v) for v in fields["outs"]]
        if "out" in fields:
            fields["out"] = new(fields["out"])
        origin = fields.pop("origin")
        return type(statement)(**fields, origin=origin)

    body = copy_block(function.body)
    rewrite(body, lambda v: fresh.get(v, v))
    return Function(
        function.name,
        body,
        function.doc,
        list(function.written),
        function.shares,
        function.has_memory,
    )


def bind_all(statements: list[Statement], wanted: set[Value]) -> None:
    """Give what crosses to the backward half a value on every path: None where it is not read."""
    for statement in statements:
        if isinstance(statement, If):
            for k, out in enumerate(statement.outs):
                if out not in wanted:
                    continue
                for block in (statement.then, statement.orelse):
                    if block.results[k] is UNBOUND:
                        block.results[k] = Constant(None)
                    wanted.update(leaves(block.results[k]))
        for block in blocks(statement):
            bind_all(block.statements, wanted)


def write_in_place(function: Function) -> None:
    """Write the bodies of the derivatives that a function calls where it calls them.

    Their values are no one else's, so that a name may stand for what it was given. What a
    `runtime.snapshot` is of is a value by now: it needs no copy.
    """
    found: dict[Value, Operand] = {}

    def visit(block: Block) -> None:
        written: list[Statement] = []
        for statement in block.statements:
            if isinstance(statement, Op) and statement.fn is runtime.snapshot:
                found[statement.outs[0]] = statement.args[0]
            elif isinstance(fn := getattr(statement, "fn", None), Function) and fn.in_place:
                assert isinstance(statement, Op)
                body = clone(fn).body
                found.update(zip(body.params, statement.args, strict=True))
                found.update(zip(statement.outs, body.results, strict=True))
                written += body.statements
            else:
                for inner in blocks(statement):
                    visit(inner)
                written.append(statement)
        block.statements = written

    def followed(value: Value) -> Operand:
        operand: Operand = value
        while isinstance(operand, Value) and operand in found:
            operand = found[operand]
        return operand

    visit(function.body)
    if found:
        rewrite(function.body, followed)


def called(function: Function) -> list[Function]:
    """All functions that a function calls, directly or not."""
    found: dict[Function, None] = {}

    def visit(f: Function) -> None:
        for statement in walk(f.body):
            if isinstance(statement, Op) and isinstance(statement.fn, Function):
                if statement.fn not in found:
                    found[statement.fn] = None
                    visit(statement.fn)

    visit(function)
    return list(found)


def refuse_again(position: errors.Position | None) -> errors.DifferentiationError:
    return errors.DifferentiationError(
        "second derivative through a function that stays a call (it is recursive)",
        reason="what its forward sweep saves for the backward sweep is not taken apart",
        remedy="write the recursion as a loop, or use forward mode twice",
        position=position,
    )
