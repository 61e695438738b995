"""Algebra on the code that differentiating wrote; the user's own statements are left alone.

Every operation of a mirror is written again, now that its operands are known better: products with
1, sums of equal terms, negations.  Chains of sums become one sum of distinct terms.

Before::

    t = 1.0 * y; a = -t; b = -t; x_bar = a + b

After::

    x_bar = -2 * y
"""

from __future__ import annotations

import math
import operator
from collections import Counter
from typing import Any

from adcompiler.ir import types as T
from adcompiler.ir.infer import type_of
from adcompiler.ir.nodes import (
    Block,
    Constant,
    Function,
    Op,
    Operand,
    Statement,
    Value,
    blocks,
    leaves,
    operands,
    rewrite_operands,
    substitute,
    walk,
)
from adcompiler.passes.builder import ARITHMETIC, Builder, is_whole, number, wraps

SUMS = {operator.add, operator.sub}


def algebra(function: Function) -> None:
    """Simplify the arithmetic of the backward sweep, in place."""
    _Algebra(function).run()


class _Algebra:
    def __init__(self, function: Function) -> None:
        self.function = function
        self.builder = Builder()
        self.replaced: dict[Value, Operand] = {}
        self.uses = count_uses(function)
        self.home: dict[Value, Block] = {}

    def run(self) -> None:
        self.block(self.function.body)

    def final(self, value: Value) -> Operand:
        operand: Operand = value
        while isinstance(operand, Value) and operand in self.replaced:
            operand = self.replaced[operand]
        return operand

    def block(self, block: Block) -> None:
        fresh = Block(block.params, [], [])
        with self.builder.writing(fresh):
            for statement in block.statements:
                self.statement(statement, fresh)
        block.statements = fresh.statements
        block.results = [substitute(r, self.final) for r in block.results]

    def statement(self, statement: Statement, block: Block) -> None:
        rewrite_operands(statement, self.final)
        for inner in blocks(statement):
            self.block(inner)
        mirror = statement.origin is not None and statement.origin.mirror
        if mirror and isinstance(statement, Op) and self.is_arithmetic(statement):
            self.rewrite(statement, block)
            return
        self.keep(statement, block)

    def keep(self, statement: Statement, block: Block) -> None:
        block.statements.append(statement)
        if isinstance(statement, Op) and len(statement.outs) == 1:
            mirror = statement.origin is not None and statement.origin.mirror
            if mirror or self.is_multiple(statement):
                self.builder.definition[statement.outs[0]] = statement
                self.home[statement.outs[0]] = block

    def is_multiple(self, op: Op) -> bool:
        """Whether a nameless value of the user's is a multiple of another."""
        fn = ARITHMETIC.get(op.fn, op.fn)
        if op.outs[0].name is not None:
            return False
        return fn is operator.neg or (fn is operator.mul and number(op.args[0]) is not None)

    def is_arithmetic(self, op: Op) -> bool:
        return not op.effect and not op.keywords and len(op.outs) == 1

    def rewrite(self, op: Op, block: Block) -> None:
        builder = self.builder
        builder.fixed_origin = op.origin
        fn = ARITHMETIC.get(op.fn, op.fn)
        (out,) = op.outs
        if fn in SUMS and len(op.args) == 2:
            terms = self.terms(op, block)
            if terms is not None:
                before = len(block.statements)
                self.take(out, self.sum_of(terms), block, before)
                return
        before = len(block.statements)
        simpler = builder.simpler(fn, op.args, {})
        if simpler is None:
            self.keep(op, block)
            return
        self.take(out, simpler, block, before)

    def take(self, out: Value, result: Operand, block: Block, before: int) -> None:
        """Let `result` stand for `out`."""
        for made in block.statements[before:]:
            if isinstance(made, Op):
                for value in made.outs:
                    self.home[value] = block
        if isinstance(result, Value):
            fresh = any(isinstance(s, Op) and result in s.outs for s in block.statements[before:])
            if fresh:
                result.name = out.name
                if isinstance(result.type, T.Unknown):
                    result.type = out.type
        self.replaced[out] = result

    # -- sums ---------------------------------------------------------------------------------

    def terms(self, op: Op, block: Block) -> list[tuple[float, Operand]] | None:
        """The sum as coefficients and terms, if terms of it can be collected."""
        found: list[tuple[float, Operand]] = []
        self.collect(op, 1.0, block, found)
        keys = [t for _, t in found if isinstance(t, Value)]
        if len(keys) == len(set(keys)) or len(found) < 2:
            return None
        if any(not isinstance(t, Value) for _, t in found):
            return None
        shapes = {type_of(t).shape if isinstance(type_of(t), T.Array) else () for t in keys}
        if len(shapes) != 1:
            return None
        return found

    def collect(self, op: Op, sign: float, block: Block, found: list) -> None:
        fn = ARITHMETIC.get(op.fn, op.fn)
        signs = (sign, sign if fn is operator.add else -sign)
        for part, s in zip(op.args, signs, strict=True):
            inner = self.builder.definition.get(part) if isinstance(part, Value) else None
            if wraps(part):
                inner = None
            if inner is not None and self.home.get(part) is block:
                inner_fn = ARITHMETIC.get(inner.fn, inner.fn)
                if inner_fn in SUMS and len(inner.args) == 2 and self.uses[part] <= 1:
                    self.collect(inner, s, block, found)
                    continue
                if inner_fn is operator.neg:
                    found.append((-s, inner.args[0]))
                    continue
                whole = is_whole(inner.args[-1]) and not is_whole(part)  # 1.0 times integers
                if inner_fn is operator.mul and number(inner.args[0]) is not None and not whole:
                    found.append((s * number(inner.args[0]), inner.args[1]))
                    continue
            found.append((s, part))

    def sum_of(self, terms: list[tuple[float, Operand]]) -> Operand:
        builder = self.builder
        coefficients: dict[Value, float] = {}
        for coefficient, term in terms:
            coefficients[term] = coefficients.get(term, 0.0) + coefficient
        total: Any = None
        ordered = sorted(coefficients.items(), key=lambda item: item[1] < 0)
        for term, coefficient in ordered:
            if coefficient == 0:
                continue
            size = abs(coefficient)
            whole = int(size) if math.isfinite(size) and size == int(size) else size
            part = term if size == 1 else builder.op(operator.mul, Constant(whole), term)
            if total is None:
                total = part if coefficient > 0 else builder.op(operator.neg, part)
            else:
                fn = operator.add if coefficient > 0 else operator.sub
                total = builder.op(fn, total, part)
        if total is None:
            kind = type_of(terms[0][1])
            if isinstance(kind, T.Scalar) and kind.kind == "int":
                return Constant(0)  # an index stays one
            return builder.op(operator.mul, Constant(0.0), terms[0][1])
        return total


def count_uses(function: Function) -> Counter:
    """How often each value is read."""
    uses: Counter = Counter()

    def block(b: Block) -> None:
        for result in b.results:
            uses.update(leaves(result))

    block(function.body)
    for statement in walk(function.body):
        for operand in operands(statement):
            uses.update(leaves(operand))
        for inner in blocks(statement):
            block(inner)
    return uses
