"""Forward mode: beside each value its tangent, by the same rules.

Before::

    f(x): y = np.sin(x); return y

After::

    f(x, x_dot): y = np.sin(x); y_dot = x_dot * np.cos(x); return y, y_dot

Wengert, "A simple automatic derivative evaluation program" (1964).
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from adcompiler import errors, runtime
from adcompiler.analysis.activity import Activity, memory_classes
from adcompiler.ir import attributes, operations
from adcompiler.ir import types as T
from adcompiler.ir.infer import type_of
from adcompiler.ir.nodes import (
    UNBOUND,
    Accumulate,
    Append,
    Block,
    Constant,
    Function,
    If,
    Load,
    Loop,
    New,
    Op,
    Operand,
    Pop,
    Raise,
    Statement,
    Store,
    Value,
    View,
    leaves,
)
from adcompiler.passes.builder import ZERO, Builder, bind_rule, is_number_like, split_call
from adcompiler.passes.calls import Pairs, refuse_again
from adcompiler.passes.differentiate import SHAPES, is_zero, no_rule, refuse_complex
from adcompiler.rules import book


def tangent(
    function: Function, wrt: list[Value], results: list[Operand], name: str
) -> tuple[Function, list[Operand], list[Value]]:
    """The function with tangents beside its values.

    Gives the new function (its parameters followed by the tangents of `wrt`; its results are
    `results`), the tangents of `results`, and the new parameters.
    """
    sweep = _Tangent(function, wrt)
    sweep.run()
    dots = [sweep.result_dot(result) for result in results]
    body = Block([*function.params, *sweep.params], sweep.writer.block.statements, list(results))
    return Function(name, body), dots, sweep.params


class _Tangent:
    def __init__(self, function: Function, wrt: list[Value], pairs: Pairs | None = None) -> None:
        self.pairs = pairs or Pairs()
        self.function = function
        self.classes = memory_classes(function)
        self.varies = Activity(function, self.classes).varied(wrt)
        refuse_complex(function, self.varies)
        self.writer = Builder()
        self.dots: dict[Value, Operand] = {}
        self.params: list[Value] = []
        for value in wrt:
            dot = Value(dotted(value.name), value.type)
            self.dots[value] = dot
            self.params.append(dot)

    def run(self) -> None:
        self.block(self.function.body)

    def result_dot(self, result: Operand) -> Operand:
        """The tangent of a result; zero where it does not vary."""
        if not isinstance(result, Value):
            return ZERO
        dot = self.dot(result)
        dot = self.writer.zeros(result) if dot is None else dot
        self.named(dot, result)
        return dot

    def dot(self, operand: Operand) -> Operand | None:
        if isinstance(operand, Value) and self.varies(operand):
            return self.dots.get(operand)
        return None

    def dot_or_zero(self, operand: Operand, like: Any = None) -> Operand:
        if operand is UNBOUND:
            return UNBOUND
        dot = self.dot(operand)
        if dot is not None:
            return dot
        if isinstance(operand, Value):
            return self.writer.zeros(operand)
        if like is not None and isinstance(T.target(like.type), T.Array):
            return self.writer.op(np.zeros_like, operand)
        return ZERO

    def named(self, dot: Operand, value: Value) -> None:
        if isinstance(dot, Value) and dot.name is None and value.name is not None:
            dot.name = dotted(value.name)

    def define(self, value: Value, dot: Operand) -> None:
        self.named(dot, value)
        self.dots[value] = dot

    def block(self, block: Block) -> None:
        for statement in block.statements:
            self.writer.at(statement.origin, mirror=False)
            self.statement(statement)

    def emit(self, statement: Statement) -> None:
        """The user's own statement, with its own origin."""
        fixed, self.writer.fixed_origin = self.writer.fixed_origin, statement.origin
        self.writer.add(statement)
        self.writer.fixed_origin = fixed

    def shadow(self, ref: Value) -> Value:
        dot = self.dots[ref]
        assert isinstance(dot, Value)
        return dot

    def statement(self, statement: Statement) -> None:
        writer = self.writer
        match statement:
            case Op(fn=Function()) if any(map(self.varies, statement.outs)):
                self.call(statement)
                self.emit(statement)
            case Op():
                self.emit(statement)
                self.op(statement)
            case New(source=source, out=ref):
                self.emit(statement)
                if self.varies(ref):
                    if isinstance(source, list):
                        start: Operand = [
                            self.shadow(i) if T.is_ref(type_of(i)) else self.dot_or_zero(i)
                            for i in source
                        ]
                    else:
                        start = self.dot_or_zero(source, ref)
                    out = Value(dotted(ref.name), ref.type)
                    writer.add(New(start, out))
                    self.dots[ref] = out
            case View(ref=ref, out=view):
                self.emit(statement)
                if self.varies(ref):
                    out = Value(dotted(view.name), view.type)
                    writer.add(
                        View(
                            statement.fn, self.shadow(ref), statement.args, statement.keywords, out
                        )
                    )
                    self.dots[view] = out
            case Load(ref=ref, path=path, out=value):
                self.emit(statement)
                if self.varies(ref) and self.varies(value):
                    out = Value(dotted(value.name), value.type)
                    writer.add(Load(self.shadow(ref), path, out))
                    self.dots[value] = out
            case Store(ref=ref, path=path, value=value):
                self.emit(statement)
                if self.varies(ref):
                    writer.add(Store(self.shadow(ref), path, self.item_dot(value, ref)))
            case Accumulate(ref=ref, path=path, value=value):
                self.emit(statement)
                dot = self.dot(value)
                if self.varies(ref) and dot is not None:
                    writer.add(Accumulate(self.shadow(ref), path, dot))
            case Append(ref=ref, value=value, at=at):
                self.emit(statement)
                if self.varies(ref):
                    writer.add(Append(self.shadow(ref), self.item_dot(value, None), at))
            case Pop(ref=ref, out=value, at=at):
                self.emit(statement)
                if self.varies(ref):
                    out = Value(dotted(value.name), value.type)
                    writer.add(Pop(self.shadow(ref), out, at))
                    self.dots[value] = out
            case If():
                self.branch(statement)
            case Loop():
                self.loop(statement)
            case Raise():
                self.emit(statement)
            case _:
                raise TypeError(type(statement))

    def item_dot(self, value: Operand, ref: Value | None) -> Operand:
        if isinstance(value, Value) and T.is_ref(value.type):
            return self.shadow(value)
        dot = self.dot(value)
        if dot is not None:
            return dot
        if ref is not None and not isinstance(T.target(ref.type), T.List):
            return ZERO
        return self.dot_or_zero(value)

    def branch(self, statement: If) -> None:
        chosen = [k for k, out in enumerate(statement.outs) if self.varies(out)]
        extra: list[list[Operand]] = []
        for block in (statement.then, statement.orelse):
            fresh = Block(block.params, [], block.results)
            with self.writer.writing(fresh):
                self.block(block)
                self.writer.at(statement.origin, mirror=False)
                extra.append([self.joined(block.results[k], statement.outs[k]) for k in chosen])
            block.statements = fresh.statements
            block.results = [*block.results, *extra[-1]]
        outs = []
        for k in chosen:
            out = Value(dotted(statement.outs[k].name), statement.outs[k].type)
            self.dots[statement.outs[k]] = out
            outs.append(out)
        statement.outs = [*statement.outs, *outs]
        self.emit(statement)

    def joined(self, operand: Operand, like: Value) -> Operand:
        if isinstance(operand, Constant) and operand.value is None:
            return operand  # stands for what is not bound
        if isinstance(operand, Value) and T.is_ref(operand.type):
            return self.shadow(operand)
        return self.dot_or_zero(operand, like)

    def loop(self, loop: Loop) -> None:
        params = list(loop.carried)
        chosen = [k for k, param in enumerate(params) if self.varies(param)]
        inits = [self.joined(loop.inits[k], params[k]) for k in chosen]
        for k in chosen:
            dot = Value(dotted(params[k].name), params[k].type)
            self.dots[params[k]] = dot
            loop.body.params.append(dot)
        following = list(loop.next)
        fresh = Block(loop.body.params, [], [])
        with self.writer.writing(fresh):
            self.block(loop.body)
            self.writer.at(loop.origin, mirror=False)
            extra = [self.joined(following[k], params[k]) for k in chosen]
        loop.body.statements = fresh.statements
        loop.body.results = [*loop.body.results, *extra]
        loop.inits = [*loop.inits, *inits]
        outs = list(loop.outs)
        for k in chosen:
            out = Value(dotted(outs[k].name), outs[k].type)
            self.dots[outs[k]] = out
            loop.outs.append(out)
        self.emit(loop)

    # -- operations ---------------------------------------------------------------------------

    def call(self, op: Op) -> None:
        """A recursive call, with tangents beside arguments and results."""
        if any(isinstance(o.type, T.Object) and o.type.cls is tuple for o in op.outs):
            raise refuse_again(self.writer.position())
        if any(isinstance(type_of(a), T.Object) and type_of(a).cls is tuple for a in op.args):
            raise refuse_again(self.writer.position())
        function = op.fn
        dots = [
            self.dot_or_zero(a, p)
            for p, a in zip(function.params, op.args, strict=True)
            if T.is_float(p.type)
        ]
        outs = [o for o in op.outs if T.is_float(o.type)]
        made = [Value(dotted(o.name), o.type) for o in outs]
        op.fn = self.pairs.tangent(function)  # type: ignore[assignment]
        op.args = [*op.args, *dots]
        op.outs = [*op.outs, *made]
        self.dots.update(zip(outs, made, strict=True))

    def op(self, op: Op) -> None:
        if not any(self.varies(out) for out in op.outs):
            return
        fn, args, keywords = split_call(op)
        writer = self.writer
        if fn is operator.getitem:
            base = self.dot(args[0])
            if base is not None:
                out = writer.value(op.outs[0].type)
                writer.add(Op(fn, [base, args[1]], {}, [out]))
                self.define(op.outs[0], out)
            return
        rule = book.lookup(fn)
        if rule is None:
            raise no_rule(op, writer.position())
        rule, bound = bind_rule(op)
        for name, operand in bound.items():
            if name in rule.inputs or name in SHAPES:
                continue
            if any(map(self.varies, leaves(operand))):
                raise errors.DifferentiationError(
                    f"`{getattr(op.fn, '__name__', 'call')}` differentiated in `{name}`",
                    reason="its rule has no derivative with respect to this argument",
                    remedy="keep it constant, or write the operation in other terms",
                    position=writer.position(),
                )
        if rule.kind == "elementwise" and rule.forward is None:
            self.elementwise(op, rule, bound)
            return
        answers = self.push_forward(op, rule, bound, fn, args, keywords)
        if len(op.outs) == 1:
            answers = (answers,)
        for out, answer in zip(op.outs, answers, strict=True):
            whole = self.spread if rule.kind == "elementwise" else self.of_kind
            self.define(out, whole(answer, out))

    def push_forward(
        self, op: Op, rule: book.Rule, bound: dict, fn: Callable, args: list, keywords: dict
    ) -> Any:
        writer = self.writer
        if rule.forward is not None:
            given = dict(bound)
            names = _names(rule.forward)
            for name in rule.inputs:
                if name in bound and f"{name}_dot" in names:
                    given[f"{name}_dot"] = self.tree_dot(bound[name])
            out = op.outs[0] if len(op.outs) == 1 else tuple(op.outs)
            if "out" in names:
                given["out"] = out
            given = {k: v for k, v in given.items() if k in names}
            return writer.rule(rule.forward, [], given)
        if rule.kind == "linear":
            return self.applied(fn, args, keywords, 0, rule.inputs[0])
        if rule.kind == "bilinear":
            total: Operand | None = None
            for place, name in enumerate(rule.inputs):
                if self.dot(bound.get(name)) is None:
                    continue
                part = self.applied(fn, args, keywords, place, name)
                total = part if total is None else writer.op(operator.add, total, part)
            return total
        raise errors.DifferentiationError(
            f"`{getattr(fn, '__name__', fn)}` in forward mode",
            reason="its rule has no `.forward`",
            remedy="add one to the rule, or use reverse mode",
            position=writer.position(),
        )

    def applied(self, fn: Callable, args: list, keywords: dict, place: int, name: str) -> Operand:
        """The operation with the tangent of one argument, by place or name, instead of it."""
        args, keywords = list(args), dict(keywords)
        if place < len(args):
            args[place] = self.tree_dot(args[place])
        else:
            (key,) = keywords if len(keywords) == 1 else (name,)
            keywords[key] = self.tree_dot(keywords[key])
        return operations.apply(self.writer, fn, args, keywords)

    def tree_dot(self, operand: Operand) -> Operand:
        if isinstance(operand, (tuple, list)):
            return type(operand)(self.tree_dot(item) for item in operand)
        dot = self.dot(operand)
        if dot is not None:
            return dot
        if isinstance(operand, Value):
            return self.writer.zeros(operand)
        kind = type_of(operand)
        if isinstance(kind, T.Array):
            return self.writer.op(np.zeros_like, operand)
        return ZERO

    def elementwise(self, op: Op, rule: book.Rule, bound: dict) -> None:
        writer, out = self.writer, op.outs[0]
        given = dict(bound)
        if rule.wants_out:
            given["out"] = out
        partials = writer.rule(rule.function, [], given)
        if not isinstance(partials, tuple):
            partials = (partials,)
        total: Operand | None = None
        for name, partial in zip(rule.inputs, partials, strict=True):
            dot = self.dot(bound.get(name))
            if dot is None or is_zero(partial):
                continue
            part = writer.product(dot, partial, rule.pole)
            total = part if total is None else writer.op(operator.add, total, part)
        if total is None:
            total = writer.zeros(out)
        self.define(out, self.spread(total, out))

    def of_kind(self, dot: Operand, out: Value) -> Operand:
        """A tangent that is complex if its value is: complex numbers may be stored into it."""
        mine, wanted = type_of(dot), out.type
        numbers = (T.Scalar, T.Array)
        if isinstance(mine, numbers) and isinstance(wanted, numbers):
            if wanted.kind == "complex" and mine.kind == "float":
                return self.writer.op(operator.add, dot, Constant(0j))
        return dot

    def spread(self, dot: Operand, out: Value) -> Operand:
        """A tangent in the shape of its value, where an input was broadcast."""
        dot = self.of_kind(dot, out)
        mine, wanted = type_of(dot), out.type
        if isinstance(wanted, T.Unknown):
            return self.writer.op(runtime.spread, dot, out)
        if isinstance(wanted, T.Scalar) or not is_number_like(out):
            return dot
        if isinstance(mine, T.Array) and mine.shape is not None and mine.shape == wanted.shape:
            return dot
        shape = attributes.shape(self.writer, out)
        return self.writer.op(np.broadcast_to, dot, shape)


def dotted(name: str | None) -> str | None:
    """What the tangent of a name is called."""
    return None if name is None else f"{name}_dot"


def _names(function: Callable) -> tuple[str, ...]:
    code = function.__code__
    return code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
