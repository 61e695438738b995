"""A sweep as it stands: where each statement is, what it makes, which memory it changes.

A `Sweep` keeps this when later passes drop statements.  `verify_states` asks it about the forward
sweep, whose loads are dropped where only the backward sweep needs them, and does them again.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from adcompiler.analysis.classes import AliasClasses, holds_references
from adcompiler.ir.nodes import (
    Accumulate,
    Append,
    Block,
    If,
    Load,
    Loop,
    New,
    Operand,
    Pop,
    Statement,
    Store,
    Value,
    blocks,
    defined,
)

MUTATIONS = (Store, Accumulate, Append, Pop)

Way = tuple[tuple[Block, int], ...]
"""Where a statement is: from the outermost block inwards, each with the index of the statement in
it that leads on, or that is meant."""


class Sweep:
    """Statements of a function, from the beginning of its body, with all that is in them."""

    def __init__(self, body: Block, statements: list[Statement], classes: AliasClasses) -> None:
        self.classes = classes
        self.ways: dict[Statement, Way] = {}
        self.home: dict[Value, Block] = {}
        """The block in which a value is defined."""
        self.made: dict[Value, Statement] = {}
        self.owner: dict[Block, Statement] = {}
        self.loop_of: dict[Value, Loop] = {}
        """From the index of a loop to the loop."""
        self.unchanged: dict[Value, Operand] = {}
        """What a loop carries around without changing it, and what it is all the time."""
        self.births: dict[int, list[New]] = {}
        self.mutations: dict[int, list[Any]] = {}
        """By class of memory: what makes it, and what changes it."""
        self.handing: set[int] = set()
        """Classes of lists out of which references are taken."""
        self.alive: set[Statement] = set()
        self.later_classes = classes
        self.given: Way = ()
        """Where something ran for certain: what is on the other side of a branch did not."""
        self.add(body, statements, ())

    def see(self, alive: set[Statement], classes: AliasClasses) -> None:
        """Take note of what is left of the program, in which fewer references may meet."""
        self.alive, self.later_classes = alive, classes

    def way_into(self, block: Block) -> Way:
        """The way to the beginning of a block."""
        owner = self.owner.get(block)
        return (*(self.ways[owner] if owner is not None else ()), (block, -1))

    def around(self, statement: Statement) -> list[Block]:
        """The blocks in which a statement is, from the outermost inwards."""
        return [block for block, _ in self.ways[statement]]

    def stores(self, ref: Value) -> Iterator[Any]:
        """What may change the memory of a reference."""
        here = self.later_classes.get(ref)
        for store in self.mutations.get(self.classes[ref], ()):
            there = self.later_classes.get(store.ref)
            if store in self.alive and (here is None or there is None or here == there):
                if not self.given or order(self.ways[store], self.given):
                    yield store

    def add(self, block: Block, statements: list[Statement], way: Way) -> None:
        for param in block.params:
            self.home[param] = block
        for at, statement in enumerate(statements):
            here = (*way, (block, at))
            self.ways[statement] = here
            for value in defined(statement):
                self.home[value] = block
                self.made[value] = statement
            if isinstance(statement, MUTATIONS):
                self.mutations.setdefault(self.classes[statement.ref], []).append(statement)
            if isinstance(statement, (Load, Pop)) and holds_references(statement.out.type):
                self.handing.add(self.classes[statement.ref])
            match statement:
                case New(out=out):
                    self.births.setdefault(self.classes[out], []).append(statement)
                case If(outs=outs, then=then, orelse=orelse):
                    for out, a, b in zip(outs, then.results, orelse.results, strict=True):
                        if a is b:
                            self.unchanged[out] = a
                case Loop(inits=inits, outs=outs):
                    if statement.index is not None:
                        self.loop_of[statement.index] = statement
                    for param, init, after, out in zip(
                        statement.carried, inits, statement.next, outs, strict=True
                    ):
                        if after is param or after is init:
                            self.unchanged[param] = self.unchanged[out] = init
            for inner in blocks(statement):
                self.owner[inner] = statement
                self.add(inner, inner.statements, here)

    def final(self, operand: Operand) -> Operand:
        while isinstance(operand, Value) and operand in self.unchanged:
            operand = self.unchanged[operand]
        return operand

    def is_inside(self, block: Block, outer: Block) -> bool:
        while block is not outer and block in self.owner:
            block = self.ways[self.owner[block]][-1][0]
        return block is outer

    def share_loop(self, way: Way, other: Way, depth: int) -> bool:
        """Whether two statements are in one loop, further in than at a depth."""
        shared = other[depth + 1 : common(way, [block for block, _ in other]) + 1]
        return any(isinstance(self.owner[block], Loop) for block, _ in shared)

    def is_born_within(self, root: int, loop: Loop, seen: frozenset[int] = frozenset()) -> bool:
        """Whether all memory of a class is made anew on each trip, and none outlives its trip."""
        births = self.births.get(root, [])
        inside = all(any(b is loop.body for b, _ in self.ways[birth]) for birth in births)
        carried = any(self.classes.get(param) == root for param in loop.carried)
        contents = self.classes.contents
        holders = [c for c in self.handing if contents.get(c) == root]
        return (
            bool(births)
            and inside
            and not carried
            and root not in seen
            and all(self.is_born_within(c, loop, seen | {root}) for c in holders)
        )


def common(way: Way, mirrored: list[Block]) -> int:
    """The depth of the innermost block that a forward statement shares with a position."""
    depth = 0
    for (block, _), other in zip(way, mirrored, strict=False):
        if block is not other:
            break
        depth += 1
    return depth - 1


def order(way: Way, other: Way) -> int:
    """Whether a statement runs after another (1) or before (-1), in one trip of the loops around
    both; 0 if at most one of them does: on the two sides of a branch."""
    depth = common(way, [block for block, _ in other])
    difference = way[depth][1] - other[depth][1]
    return (difference > 0) - (difference < 0)
