"""The shape of the Python program: what is a line, what is folded into a line, what jumps.

A *plan* is a list of items, one per printed statement, with blocks inside.  `planner` makes it of
the IR; what follows (`snapshots`, `liveness`, `naming`, `emit`) reads it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from adcompiler.backends.storage import VIEWS, Storage, copies, is_fresh
from adcompiler.ir.nodes import (
    Block,
    Function,
    If,
    Load,
    Op,
    Operand,
    Origin,
    Pop,
    Raise,
    Range,
    Statement,
    Value,
    leaves,
    operands,
)
from adcompiler.ir.types import Array, Ref


@dataclass(slots=True, eq=False)
class Step:
    """Prints as one statement: an op, a memory statement, a raise."""

    statement: Statement


@dataclass(slots=True, eq=False)
class Moves:
    """All at once; a source `UNBOUND` leaves its target without a value."""

    pairs: list[tuple[Value, Operand]]


@dataclass(slots=True, eq=False)
class Branch:
    test: Operand
    negate: bool
    then: list[Item]
    orelse: list[Item]
    origin: Origin | None


@dataclass(slots=True, eq=False)
class For:
    index: Value
    domain: Range
    body: list[Item]
    origin: Origin | None


@dataclass(slots=True, eq=False)
class While:
    """With `test` None, endless.  `orelse` is done when the test fails, not after a break."""

    test: Operand | None
    negate: bool
    body: list[Item]
    orelse: list[Item]
    origin: Origin | None


@dataclass(slots=True, eq=False)
class Break:
    pass


@dataclass(slots=True, eq=False)
class Return:
    value: Operand


Site = tuple[Block, Statement | None]
"""Where a value is used: the block, and the statement, or None for the block's results."""

Item = Step | Moves | Branch | For | While | Break | Return


@dataclass(slots=True, eq=False)
class Plan:
    function: Function
    items: list[Item]
    inlined: set[Value]
    """Values that are written as expressions where they are used."""
    definitions: dict[Value, Statement]
    sites: dict[Value, list[Site]]
    homes: dict[Value, Block]
    """The block that defines each value."""
    storage: Storage
    loosely_bound: set[Value]
    """Values that a path may leave unbound."""
    carried: set[Value]
    """The parameters of loops."""
    nouns: dict[Value, str]
    """What to call values that the plan itself made."""
    _leaves: dict[Value, tuple[Value, ...]] = field(default_factory=dict)

    def forget(self) -> None:
        """`inlined` has changed."""
        self._leaves.clear()

    def is_used_once(self, value: Value) -> bool:
        """Whether the value is used once each time that it is made."""
        sites = self.sites.get(value, ())
        return len(sites) == 1 and sites[0][0] is self.homes.get(value)

    def is_owned(self, value: Value) -> bool:
        """Whether nothing but the one use of the value knows its storage."""
        if not self.is_used_once(value):
            return False
        if value in self.storage.copied:
            return True
        match self.definitions[value]:
            case Load(ref=ref, path=path):
                held = ref.type.target if isinstance(ref.type, Ref) else ref.type
                return isinstance(held, Array) and copies(path)
            case Op(fn=fn, args=args, outs=[_]) as op if not isinstance(fn, Function):
                if is_fresh(op):
                    return True
                if fn in VIEWS or (fn is getattr and getattr(args[1], "value", None) == "T"):
                    return isinstance(args[0], Value) and self.is_owned(args[0])
        return False

    def folded(self, operand: Operand) -> Iterator[Statement]:
        """The statements that are part of the printed operand."""
        for leaf in leaves(operand):
            if leaf in self.inlined:
                statement = self.definitions[leaf]
                yield statement
                yield from self.folded(inputs(statement))

    def has_effect(self, operand: Operand) -> bool:
        """Whether evaluating the printed operand does more than compute."""
        return any(
            isinstance(s, Pop) or (isinstance(s, Op) and s.effect) for s in self.folded(operand)
        )

    def variables(self, operand: Operand) -> Iterator[Value]:
        """The variables that the printed operand mentions."""
        for leaf in leaves(operand):
            if leaf not in self.inlined:
                yield leaf
                continue
            if leaf not in self._leaves:
                below = self.variables(inputs(self.definitions[leaf]))
                self._leaves[leaf] = tuple(below)
            yield from self._leaves[leaf]


def inputs(statement: Statement) -> list[Operand]:
    """What a statement reads when it is printed on one line; an `If` is then an expression."""
    if isinstance(statement, If):
        return [statement.test, statement.then.results, statement.orelse.results]
    return operands(statement)


def both_ways(statement: If) -> Block | None:
    """The branch that yields the test itself: `a and b` (else), `a or b` (then)."""
    then, orelse = statement.then, statement.orelse
    if not isinstance(statement.test, Value) or len(statement.outs) != 1:
        return None
    if orelse.results[0] is statement.test and not orelse.statements:
        return orelse
    if then.results[0] is statement.test and not then.statements:
        return then
    return None


def exits(items: list[Item]) -> bool:
    """Whether the end of the items is never reached."""
    if not items:
        return False
    last = items[-1]
    match last:
        case Break() | Return() | Step(statement=Raise()):
            return True
        case Branch(then=then, orelse=orelse):
            return exits(then) and exits(orelse)
    return False
