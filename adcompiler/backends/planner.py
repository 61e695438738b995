"""From IR to the shape of the Python program: what is a line, what folds into a line, what jumps.

Folding.  A value that is used once, in the block that makes it, and that has no name of the user's,
is not computed where it stands but where it is used.  Until then it is *pending*.  It is written
down after all, as a line of its own, before anything that would change what it computes: a write to
memory that it reads, an effect, a new value for a name that it mentions (which would cost a
variable); and where the line that uses it would become too long.

Jumps.  `break`, `while test:` and early `return` are recovered from the last `If` of a body, by
closing the body in each of its branches.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from adcompiler.backends.jumps import branch, endless, may_stop
from adcompiler.backends.plan import (
    Branch,
    Break,
    For,
    Item,
    Moves,
    Plan,
    Return,
    Step,
    both_ways,
    inputs,
)
from adcompiler.backends.storage import NOTHING
from adcompiler.backends.tidy import tidy
from adcompiler.backends.usage import Names, Usage, raises, written_as_expression
from adcompiler.backends.width import UNNAMED, operand_width, width
from adcompiler.ir.nodes import (
    Accumulate,
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
    defined,
    dimension,
    leaves,
    substitute,
)
from adcompiler.ir.types import BOOL, Array, Ref, Scalar

LINE = 92
"""How long a line may become by folding; widths are guesses, so this is a little short."""
SMALL = 22
"""How long the adjoint or tangent of a variable may be to fold into the line that uses it."""
ADDED = 32
"""The same where that line only adds it to what was collected, as in `x_bar[i] += y_bar * z`."""


def make_plan(function: Function) -> Plan:
    return _Planner(tidy(function)).plan()


@dataclass(slots=True)
class _Join:
    """A branch ends by moving its results to what follows."""

    outs: list[Value]


@dataclass(slots=True)
class _Again:
    """A loop's body ends by moving its results to the next trip, or by leaving the loop."""

    loop: Loop


@dataclass(slots=True)
class _Result:
    """The function's body ends by returning."""


@dataclass(slots=True)
class _Pending:
    reads: frozenset[int]
    names: Names
    effects: tuple[int, ...]
    size: int
    takes: frozenset[int] = NOTHING
    """The lists from which it takes the last item."""


@dataclass(slots=True)
class _Context:
    block: Block
    depth: int
    items: list[Item] = field(default_factory=list)
    pending: dict[Value, _Pending] = field(default_factory=dict)


class _Planner:
    def __init__(self, function: Function) -> None:
        self.function = function
        self.usage = Usage(function)
        self.inlined: set[Value] = set()
        """Values that are written as expressions where they are used."""
        self.widths: dict[Value, int] = {}
        """How long those expressions are, about."""
        self.everywhere: set[Value] = set()
        """Those of them that may be used several times."""
        self.nouns: dict[Value, str] = {}
        self.effects = 0
        """How many effects have been pending so far."""

    def plan(self) -> Plan:
        body, usage = self.function.body, self.usage
        items = self.sequence(body, body.results, _Result(), 1)
        return Plan(
            self.function,
            items,
            self.inlined,
            usage.definitions,
            usage.sites,
            usage.homes,
            usage.storage,
            usage.loose,
            usage.carried,
            self.nouns,
        )

    def fold_arms(self, statement: If) -> None:
        for arm in (statement.then, statement.orelse):
            for inner in arm.statements:
                if isinstance(inner, If):
                    self.fold_arms(inner)
                self.fold(defined(inner)[0], width(inner, self.widths))

    # Blocks.

    def sequence(
        self, block: Block, results: list[Operand], ending: _Join | _Again | _Result, depth: int
    ) -> list[Item]:
        """The items of a block whose results go where `ending` says."""
        context = _Context(block, depth)
        last = len(block.statements) - 1
        for k, statement in enumerate(block.statements):
            if k == last and isinstance(statement, If) and self.splits(statement, results, ending):
                self.split(context, statement, results, ending)
                return context.items
            self.statement(context, statement)
            if isinstance(statement, Raise):
                return context.items
        self.close(context, results, ending)
        return context.items

    def close(
        self, context: _Context, results: list[Operand], ending: _Join | _Again | _Result
    ) -> None:
        match ending:
            case _Join(outs=outs):
                self.move(context, zip(outs, results, strict=True))
            case _Result():
                self.consume(context, results, None, root=True)
                context.items.append(Return(results[0]))
            case _Again(loop=loop):
                stop: Operand = Constant(False)
                if loop.stops:
                    stop, *results = results
                pairs = [
                    (param, after)
                    for param, after in zip(loop.carried, results, strict=True)
                    if param in self.usage.needed and param is not after
                ]
                if isinstance(stop, Constant):
                    self.move(context, pairs)
                    if stop.value:
                        context.items.append(Break())
                    return
                moved = {param for param, _ in pairs}
                if any(leaf in moved for leaf in self.variables(stop)):
                    # The test is about this trip; the moves come before it.
                    flag = Value(None, BOOL)
                    self.nouns[flag] = "stop"
                    self.usage.needed.add(flag)
                    pairs.append((flag, stop))
                    stop = flag
                    self.move(context, pairs)
                else:
                    self.move(context, pairs)
                    self.consume(context, [stop], None, root=True)
                context.items.append(Branch(stop, False, [Break()], [], None))

    def variables(self, operand: Operand) -> Iterator[Value]:
        for leaf in leaves(operand):
            if leaf in self.inlined:
                yield from self.variables(inputs(self.usage.definitions[leaf]))
            else:
                yield leaf

    def move(self, context: _Context, pairs: Iterable[tuple[Value, Operand]]) -> None:
        needed = self.usage.needed
        pairs = [(out, source) for out, source in pairs if out in needed and out is not source]
        self.settle(context)
        for _, source in pairs:
            self.consume(context, [source], None, root=False)
        if pairs:
            context.items.append(Moves(pairs))

    def splits(
        self, statement: If, results: list[Operand], ending: _Join | _Again | _Result
    ) -> bool:
        """Whether the block is better closed in both branches of its last If."""
        if isinstance(ending, _Join) or (raises(statement.then) and raises(statement.orelse)):
            return False
        outs = statement.outs
        arms = (statement.then, statement.orelse)
        for k, out in enumerate(outs):
            constant = all(isinstance(arm.results[k], Constant) for arm in arms)
            if not constant and sum(leaf is out for leaf in leaves(results)) > 1:
                return False
        if isinstance(ending, _Again):
            return ending.loop.stops and any(
                results[0] is out and may_stop(statement, k) for k, out in enumerate(outs)
            )
        if statement in self.usage.expressions and written_as_expression(statement.origin):
            return False
        used = list(leaves(results))
        return bool(used) and all(leaf in outs and leaf.name is None for leaf in used)

    def split(
        self,
        context: _Context,
        statement: If,
        results: list[Operand],
        ending: _Join | _Again | _Result,
    ) -> None:
        tested = set(leaves(statement.test))
        self.flush(context, [v for v in context.pending if v not in tested])
        self.consume(context, [statement.test], None, root=True)
        if statement in self.usage.expressions:
            kept = both_ways(statement)
            if kept is not None:  # it is not printed as an expression after all
                self.usage.sites[statement.test].append((kept, None))
                if statement.test in self.inlined:
                    self.write_out(statement.test)
                    context.items.append(Step(self.usage.definitions[statement.test]))
        then, orelse = (
            self.sequence(arm, self.instead(statement, arm, results), ending, context.depth + 1)
            for arm in (statement.then, statement.orelse)
        )
        context.items += branch(statement, then, orelse)

    def instead(self, statement: If, arm: Block, results: list[Operand]) -> list[Operand]:
        """The results with those of the branch in place of the outs of the If."""
        taken = dict(zip(statement.outs, arm.results, strict=True))
        return [substitute(result, lambda value: taken.get(value, value)) for result in results]

    # Statements.

    def statement(self, context: _Context, statement: Statement) -> None:
        match statement:
            case Op() | Load() | View() | Pop():
                self.compute(context, statement, defined(statement))
            case If() if statement in self.usage.expressions:
                self.fold_arms(statement)
                self.compute(context, statement, statement.outs)
            case If():
                summary = self.usage.summaries[statement]
                self.consume(context, [statement.test], None, True, *summary)
                self.flush_takers(context)
                then, orelse = (
                    self.sequence(arm, arm.results, _Join(statement.outs), context.depth + 1)
                    for arm in (statement.then, statement.orelse)
                )
                context.items += branch(statement, then, orelse, invert=False)
            case Loop():
                self.loop(context, statement)
            case _:
                names = frozenset(value.name for value in defined(statement))
                self.step(context, statement, names)

    def compute(
        self,
        context: _Context,
        statement: Op | Load | View | Pop | If,
        outs: list[Value],
    ) -> None:
        """A statement that may fold into the one which uses its value."""
        if self.is_dimension_of_variable(statement) or self.is_place(statement):
            self.fold(outs[0], width(statement, {}))
            self.everywhere.add(outs[0])
            return
        if len(outs) == 1 and self.may_fold(context, outs[0], statement):
            info = self.consume(context, inputs(statement), statement, root=False)
            if isinstance(statement, Pop):
                self.flush_readers(context, info.reads, frozenset())
                info.takes |= info.reads
            if isinstance(statement, Op) and statement.effect:
                self.effects += 1
                info.effects = (*info.effects, self.effects)
            context.pending[outs[0]] = info
            self.fold(outs[0], info.size)
        else:
            self.step(context, statement, frozenset(out.name for out in outs))

    def step(self, context: _Context, statement: Statement, names: Names) -> None:
        writes = self.usage.clobbers(statement)
        self.consume(context, inputs(statement), statement, True, writes, names)
        context.items.append(Step(statement))

    def loop(self, context: _Context, loop: Loop) -> None:
        writes, names = self.usage.summaries[loop]
        starts = zip(loop.carried, loop.inits, strict=True)
        pairs = [(param, init) for param, init in starts if param in self.usage.needed]
        self.settle(context)
        for _, init in pairs:
            self.consume(context, [init], None, root=False)
        domain = loop.domain
        if domain is not None:
            self.consume(context, [domain.start, domain.stop, domain.step], None, root=False)
        self.flush_readers(context, writes, names)
        self.flush_takers(context)
        if pairs:
            context.items.append(Moves(pairs))
        body = self.sequence(loop.body, loop.body.results, _Again(loop), context.depth + 1)
        if domain is None:
            context.items.append(endless(loop, body))
        else:
            context.items.append(For(loop.body.params[0], domain, body, loop.origin))
        ends = zip(loop.outs, loop.carried, strict=True)
        after = [(out, param) for out, param in ends if out in self.usage.needed]
        if after:
            context.items.append(Moves(after))

    # Pending expressions.

    def may_fold(self, context: _Context, value: Value, statement: Statement) -> bool:
        sites = self.usage.sites.get(value, ())
        if len(sites) != 1:
            return False
        block, consumer = sites[0]
        if self.usage.clobbers(statement) and not isinstance(statement, Pop):
            return False
        if isinstance(statement, Pop) and isinstance(consumer, Loop | None):
            return False
        if block is not context.block:
            return False
        if isinstance(statement, Op) and statement.effect:
            final = consumer is None and block is not self.function.body
            if final or isinstance(consumer, Loop):
                return False
        if isinstance(consumer, Accumulate) and not isinstance(consumer.ref.type.target, Array):
            # `xs[i] = xs[i] + v` writes the place twice.
            if value in leaves([consumer.ref, consumer.path]):
                return False
        name = value.name
        if name is None or (name.endswith("_old") and not _is_users(name, statement)):
            return True
        match statement, consumer:
            case Load(ref=ref, path=()), _ if name == ref.name:
                return True  # a name for what the reference of that name holds
            case Load(path=()), None if _is_derivative(name) and block is self.function.body:
                return True  # `u_bar` is returned; no line renames it `start_bar` before
            case _, New(out=out) if out.name in (name, None):
                return True
            case _, Store(ref=ref, path=path, value=stored) if stored is value:
                return name == ref.name and (not path or isinstance(statement, Op))
            case _, None:
                return self.is_swapped(context.block, value)
            case _, Statement() if _is_derivative(name):
                if isinstance(consumer, Op) and self.continues(name, consumer):
                    return True  # `x_bar = a`, `x_bar = x_bar + b`
                size = width(statement, self.widths)
                if isinstance(consumer, Accumulate) and consumer.value is value:
                    return size <= ADDED
                return size <= SMALL and _same_line(statement, consumer)
        return False

    def continues(self, name: str, statement: Op) -> bool:
        """Whether the statement, or the one that it folds into, gives the name its next value."""
        while len(statement.outs) == 1:
            (out,) = statement.outs
            if out.name is not None:
                return out.name == name
            sites = self.usage.sites.get(out, ())
            if len(sites) != 1 or not isinstance(sites[0][1], Op):
                return False
            statement = sites[0][1]
        return False

    def is_swapped(self, block: Block, value: Value) -> bool:
        """Whether the old value of the name is a result of the block too, as in
        `a, b = b, a + b`: then the two are better assigned at once."""
        return any(
            leaf is not value and leaf.name == value.name and isinstance(result, Value)
            for result in block.results
            for leaf in leaves(result)
        ) and any(result is value for result in block.results)

    def is_dimension_of_variable(self, statement: Statement) -> bool:
        """`x.shape[0]` may be written wherever it is used, if `x` is a name for one thing."""
        match statement:
            case Op(fn=fn, args=[Value() as array, Constant()], outs=[out]) if fn is dimension:
                if out.name is not None or not 2 <= self.usage.count(out) <= 4:
                    return False
                if isinstance(array.type, Ref) and not isinstance(array.type.target, Array):
                    return False
                return self.is_steady(array)
        return False

    def is_place(self, statement: Statement) -> bool:
        """`i + 1` and its like are written again rather than given a name."""
        match statement:
            case Op(fn=fn, args=[Value() as base, by], outs=[out]):
                if fn is not operator.add and fn is not operator.sub:
                    return False
            case _:
                return False
        if out.type.__class__ is not Scalar or out.type.kind != "int" or out.type.dtype:
            return False
        if out.name is not None or not 2 <= self.usage.count(out) <= 6:
            return False
        if not self.is_steady(base):
            return False
        if isinstance(by, Value):
            return self.is_steady(by) and len(base.name or "") + len(by.name or "") <= 6
        return isinstance(by, Constant) and len(repr(by.value)) + len(base.name or "") <= 6

    def is_steady(self, value: Value) -> bool:
        """Whether no other value takes the name of this one from it, but the index of a loop."""
        if value in self.inlined or value in self.usage.loose or value.name is None:
            return False
        if self.usage.latest[value.name] is value:
            return value not in self.usage.carried
        return self.usage.named[value.name] == self.usage.indices[value.name]

    def consume(
        self,
        context: _Context,
        reads: list[Operand],
        statement: Statement | None,
        root: bool,
        writes: frozenset[int] = NOTHING,
        names: Names = frozenset(),
    ) -> _Pending:
        """Take what is pending among the operands into one expression, that of `statement` if any.

        A `root` is printed now: other pending expressions that it would disturb come before it.
        """
        pending = context.pending
        room = LINE - 4 * context.depth
        if statement is not None:
            outs = defined(statement)
            room -= sum(3 + (len(out.name) if out.name else UNNAMED) for out in outs)
        while True:
            # An If that prints as `a and b` has `a` twice among its operands.
            taken = list(dict.fromkeys(leaf for leaf in leaves(reads) if leaf in pending))
            size = width(statement, self.widths) if statement else operand_width(reads, self.widths)
            if size <= room or not taken:
                break
            largest = max(taken, key=self.widths.__getitem__)
            if self.widths[largest] < 16:
                break
            self.flush(context, [largest])
        if isinstance(statement, Accumulate):
            # `xs[-1] += xs.pop()` would read the item before the list is shorter.
            touched = self.usage.clobbers(statement)
            self.flush(context, [leaf for leaf in taken if pending[leaf].takes & touched])
            taken = [leaf for leaf in taken if leaf in pending]
        effects = [number for leaf in taken for number in pending[leaf].effects]
        if self.is_disordered(context, taken, effects, root, statement):
            self.settle(context)
            taken = [leaf for leaf in taken if leaf in pending]
            effects = []
        info = _Pending(NOTHING, frozenset(), tuple(effects), size)
        if statement is not None:
            info.reads |= self.usage.storage.read(statement)
            if isinstance(statement, If):
                for inner in self.usage.arms(statement):
                    self.gather(info, inputs(inner), pending)
                    info.reads |= self.usage.storage.read(inner)
        self.gather(info, reads, pending)
        for leaf in taken:
            del pending[leaf]
        # Of a list that is read here, what came before was to take the last item.
        self.flush(context, [v for v in pending if pending[v].takes & info.reads])
        if root and statement is not None and _mirrors(statement):
            # The forward sweep is written down before the backward sweep begins, but for `1 - x`
            # and its like, which only the backward sweep uses.
            forward = [v for v in pending if not _mirrors(self.usage.definitions[v])]
            self.flush(
                context,
                [v for v in forward if self.widths[v] > SMALL or self.usage.sites[v][0][1] is None],
            )
        if root:
            self.flush_readers(context, writes, names)
        return info

    def gather(self, info: _Pending, reads: list[Operand], pending: dict[Value, _Pending]) -> None:
        """Add what an expression with these operands reads and mentions."""
        for leaf in leaves(reads):
            if leaf in pending:
                info.reads |= pending[leaf].reads
                info.names |= pending[leaf].names
                info.takes |= pending[leaf].takes
            elif leaf in self.everywhere:
                info.names |= {v.name for v in self.variables(leaf)}
            elif leaf not in self.inlined:
                info.reads |= self.usage.storage.views(leaf)
                info.names |= {leaf.name}

    def is_disordered(
        self,
        context: _Context,
        taken: list[Value],
        effects: list[int],
        root: bool,
        statement: Statement | None,
    ) -> bool:
        """Whether folding these would change the order of effects."""
        others = [
            number
            for value, info in context.pending.items()
            if value not in taken
            for number in info.effects
        ]
        if root and others:
            return True
        if not effects:
            return False
        if effects != sorted(effects):
            return True
        several = sum(bool(context.pending[value].effects) for value in taken) > 1
        if several and statement is not None and not _is_in_order(statement):
            return True
        latest = effects[-1]
        if isinstance(statement, Op) and statement.effect:
            latest = self.effects + 1
        return any(effects[0] < number < latest for number in others)

    def settle(self, context: _Context) -> None:
        """Write down pending effects."""
        self.flush(context, self.earlier(context, self.effects + 1))

    def earlier(self, context: _Context, effect: int) -> list[Value]:
        """The pending values with effects before that one, in order."""
        first = {v: info.effects[0] for v, info in context.pending.items() if info.effects}
        return sorted((v for v in first if first[v] < effect), key=first.__getitem__)

    def flush_readers(self, context: _Context, writes: frozenset[int], names: Names) -> None:
        names = names - {None}
        disturbed = [
            value
            for value, info in context.pending.items()
            if info.reads & writes or info.names & names
        ]
        self.flush(context, disturbed)

    def fold(self, value: Value, size: int) -> None:
        """The value is to be written as an expression of about that width."""
        self.inlined.add(value)
        self.widths[value] = size

    def write_out(self, value: Value) -> None:
        """It gets a line of its own after all."""
        self.inlined.discard(value)
        del self.widths[value]

    def flush_takers(self, context: _Context) -> None:
        """Before a block that may read the lists: take their items."""
        self.flush(context, [v for v, info in context.pending.items() if info.takes])

    def flush(self, context: _Context, values: list[Value]) -> None:
        """Write pending expressions down as lines of their own."""
        for value in values:
            if value in context.pending:
                effects = context.pending[value].effects
                if effects:
                    self.flush(context, self.earlier(context, effects[0]))
                del context.pending[value]
                self.write_out(value)
                context.items.append(Step(self.usage.definitions[value]))


def _mirrors(statement: Statement) -> bool:
    return statement.origin is not None and statement.origin.mirror


def _is_users(name: str, statement: Statement) -> bool:
    """Whether the user wrote the name, and no pass made it up."""
    origin = statement.origin
    return origin is None or re.search(rf"\b{re.escape(name)}\b", origin.text) is not None


def _is_derivative(name: str) -> bool:
    """Whether it names an adjoint or a tangent."""
    return name.endswith(("_bar", "_dot"))


def _same_line(a: Statement, b: Statement) -> bool:
    texts = [s.origin.text if s.origin is not None else None for s in (a, b)]
    return texts[0] == texts[1]


def _is_in_order(statement: Statement) -> bool:
    """Whether Python evaluates the printed operands in the order of the statement's."""
    return isinstance(statement, Op) and statement.fn is not operator.contains
