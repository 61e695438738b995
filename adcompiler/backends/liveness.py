"""Which values are alive at the same time, so that they cannot share a variable.

Backward over the plan, which is structured, so two walks suffice: the first sums up what each
sequence of items does to the set of live values, from the inside out; the second follows the live
set itself.  A loop's head needs no iteration: what is live there is what is live after the loop and
what the body reads before it writes.

Sets of values are integers with one bit per value.
"""

from __future__ import annotations

from dataclasses import dataclass

from adcompiler.backends.plan import (
    Branch,
    Break,
    For,
    Item,
    Moves,
    Plan,
    Return,
    Step,
    While,
    inputs,
)
from adcompiler.ir.nodes import UNBOUND, Operand, Raise, Statement, Value, defined

EVERYTHING = -1


@dataclass(slots=True)
class Interference:
    order: list[Value]
    """The variables' values, in the order in which the program defines them."""
    bits: dict[Value, int]
    """The number of each value in `order`."""
    conflicts: list[int]
    """For each value the set of those that need another variable."""
    dead: dict[Moves, set[Value]]
    """The targets of moves that nobody reads."""


def find_interference(plan: Plan) -> Interference:
    return _Liveness(plan).run()


@dataclass(slots=True)
class _Summary:
    """What a sequence does to the live set: live before = `reads | (X & ~ends) | (B & ~breaks)`
    where X is live at its end and B is live after the loop around it."""

    reads: int
    ends: int
    breaks: int


class _Liveness:
    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.order: list[Value] = []
        self.bits: dict[Value, int] = {}
        self.conflicts: list[int] = []
        self.dead: dict[Moves, set[Value]] = {}
        self.summaries: dict[int, _Summary] = {}
        self.masks: dict[Value, int] = {}

    def run(self) -> Interference:
        params = self.plan.function.params
        for param in params:
            self.bit(param)
        self.number(self.plan.items)
        live = self.sequence(self.plan.items, 0, 0)
        everyone = sum(self.bit(param) for param in params)
        for param in params:
            self.define(self.bit(param), live | everyone)
        matrix = self.conflicts
        for k, row in enumerate(list(matrix)):
            while row:
                low = row & -row
                matrix[low.bit_length() - 1] |= 1 << k
                row ^= low
        return Interference(self.order, self.bits, matrix, self.dead)

    # Bits.

    def bit(self, value: Value) -> int:
        number = self.bits.get(value)
        if number is None:
            number = self.bits[value] = len(self.order)
            self.order.append(value)
            self.conflicts.append(0)
        return 1 << number

    def number(self, items: list[Item]) -> None:
        """Give values their numbers in the order in which they are defined."""
        for item in items:
            match item:
                case Step(statement=statement):
                    for value in defined(statement):
                        self.bit(value)
                case Moves(pairs=pairs):
                    for target, _ in pairs:
                        self.bit(target)
                case Branch(then=then, orelse=orelse):
                    self.number(then)
                    self.number(orelse)
                case For(index=index, body=body):
                    self.bit(index)
                    self.number(body)
                case While(body=body, orelse=orelse):
                    self.number(body)
                    self.number(orelse)

    def mask(self, operand: Operand) -> int:
        mask = 0
        if isinstance(operand, Value):
            if operand not in self.masks:
                found = 0
                for variable in self.plan.variables(operand):
                    found |= self.bit(variable)
                self.masks[operand] = found
            return self.masks[operand]
        for variable in self.plan.variables(operand):
            mask |= self.bit(variable)
        return mask

    def define(self, bits: int, live: int) -> None:
        """The values `bits` are written while those in `live` are alive."""
        rest = bits
        while rest:
            low = rest & -rest
            self.conflicts[low.bit_length() - 1] |= (live | bits) & ~low
            rest ^= low

    # The first walk: sums.

    def summary(self, items: list[Item]) -> _Summary:
        known = self.summaries.get(id(items))
        if known is not None:
            return known
        state = _Summary(0, 0, EVERYTHING)
        for item in reversed(items):
            match item:
                case Step(statement=Raise() as statement):
                    state = _Summary(self.mask(inputs(statement)), EVERYTHING, EVERYTHING)
                case Return(value=value):
                    state = _Summary(self.mask(value), EVERYTHING, EVERYTHING)
                case Break():
                    state = _Summary(0, EVERYTHING, 0)
                case Step(statement=statement):
                    self._before(state, self.mask(inputs(statement)), self._outs(statement))
                case Moves(pairs=pairs):
                    reads = writes = 0
                    for target, source in pairs:
                        reads |= self.mask(source)
                        writes |= self.bit(target)
                    self._before(state, reads, writes)
                case Branch(test=test, then=then, orelse=orelse):
                    a = self._then(self.summary(then), state)
                    b = self._then(self.summary(orelse), state)
                    state = _Summary(
                        a.reads | b.reads | self.mask(test), a.ends & b.ends, a.breaks & b.breaks
                    )
                case For() | While():
                    state = self._then(self._loop(item), state)
        self.summaries[id(items)] = state
        return state

    def _before(self, state: _Summary, reads: int, writes: int) -> None:
        state.reads = reads | (state.reads & ~writes)
        state.ends |= writes
        state.breaks |= writes

    def _then(self, first: _Summary, second: _Summary) -> _Summary:
        return _Summary(
            first.reads | (second.reads & ~first.ends),
            first.ends | second.ends,
            first.breaks & (first.ends | second.breaks),
        )

    def _loop(self, item: For | While) -> _Summary:
        body = self.summary(item.body)
        if isinstance(item, For):
            reads = body.reads & ~self.bit(item.index)
            return _Summary(reads | self._range(item), 0, EVERYTHING)
        if item.test is None:
            return _Summary(body.reads, body.breaks, EVERYTHING)
        orelse = self.summary(item.orelse)
        reads = self.mask(item.test) | body.reads | orelse.reads
        return _Summary(reads, body.breaks & orelse.ends, EVERYTHING)

    def _range(self, item: For) -> int:
        domain = item.domain
        return self.mask([domain.start, domain.stop, domain.step])

    def _outs(self, statement: Statement) -> int:
        bits = 0
        for value in defined(statement):
            bits |= self.bit(value)
        return bits

    # The second walk: who is alive where something is defined.

    def sequence(self, items: list[Item], live: int, after_loop: int) -> int:
        """What is live before the items, given what is live after them and after the loop."""
        for item in reversed(items):
            match item:
                case Step(statement=Raise() as statement):
                    live = self.mask(inputs(statement))
                case Return(value=value):
                    live = self.mask(value)
                case Break():
                    live = after_loop
                case Step(statement=statement):
                    outs = self._outs(statement)
                    if outs:
                        self.define(outs, live)
                    live = (live & ~outs) | self.mask(inputs(statement))
                case Moves():
                    live = self.moves(item, live)
                case Branch(test=test, then=then, orelse=orelse):
                    a = self.sequence(then, live, after_loop)
                    b = self.sequence(orelse, live, after_loop)
                    live = a | b | self.mask(test)
                case For():
                    index = self.bit(item.index)
                    head = live | (self.summary(item.body).reads & ~index)
                    inside = self.sequence(item.body, head, live)
                    self.define(index, inside & ~index)
                    live = head | self._range(item)
                case While(test=None, body=body):
                    state = self.summary(body)
                    head = state.reads | (live & ~state.breaks)
                    self.sequence(body, head, live)
                    live = head
                case While(test=test, body=body, orelse=orelse):
                    state = self.summary(body)
                    left = self.sequence(orelse, live, after_loop)
                    head = self.mask(test) | left | state.reads | (live & ~state.breaks)
                    self.sequence(body, head, live)
                    live = head
        return live

    def moves(self, item: Moves, live: int) -> int:
        """A target may share the variable of its own source, even if that lives on."""
        targets = reads = 0
        dead = set()
        for target, _ in item.pairs:
            bit = self.bit(target)
            if live & bit:
                targets |= bit
            else:
                dead.add(target)
        if dead:
            self.dead[item] = dead
        for target, source in item.pairs:
            bit = self.bit(target)
            if target in dead:
                continue
            others = (live | targets) & ~bit
            if isinstance(source, Value) and source not in self.plan.inlined:
                others &= ~self.bit(source)
            self.conflicts[bit.bit_length() - 1] |= others
            if source is not UNBOUND:
                reads |= self.mask(source)
        return (live & ~targets) | reads
