"""From IR to the shape of the Python program: what is a line, what folds into a line, what jumps.

A *plan* is a list of items, one per printed statement, with blocks inside:

    Step    an IR statement, with the expressions that were folded into it
    Moves   a parallel assignment: what joins and loops do where they meet
    Branch, For, While, Break, Return

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
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from adcompiler.analysis.classes import alias_classes
from adcompiler.backends.storage import NOTHING, VIEWS, Storage, copies, is_fresh
from adcompiler.backends.tidy import tidy
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
    Origin,
    Pop,
    Raise,
    Slice,
    Statement,
    Store,
    Value,
    View,
    defined,
    dimension,
    leaves,
    operands,
    substitute,
)
from adcompiler.ir.types import BOOL, Array, Ref, Scalar

LINE = 92
"""How long a line may become by folding; names are not known yet, so this is a little short."""
UNNAMED = 9
"""How long the names are that variables will be given, about."""
SMALL = 22
"""How long the adjoint or tangent of a variable may be to fold into the line that uses it."""


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
    loop: Loop
    body: list[Item]


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


Item = Step | Moves | Branch | For | While | Break | Return


@dataclass(slots=True, eq=False)
class Plan:
    function: Function
    items: list[Item]
    inlined: set[Value]
    """Values that are written as expressions where they are used."""
    definitions: dict[Value, Statement]
    sites: dict[Value, list[tuple[Block, Statement | None]]]
    """Where each value is used: the block, and the statement or None for the block's results."""
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
        return any(isinstance(s, Pop) or (isinstance(s, Op) and s.effect)
                   for s in self.folded(operand))

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
    names: frozenset[str | None]
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
        self.definitions: dict[Value, Statement] = {}
        self.sites: dict[Value, list[tuple[Block, Statement | None]]] = {}
        self.homes: dict[Value, Block] = {}
        self.sources: dict[Value, list[tuple[Operand, tuple[Block, Statement | None]]]] = {}
        self.needed: set[Value] = set()
        self.named: Counter[str | None] = Counter()
        self.latest: dict[str | None, Value] = {}
        """The last value of each name."""
        self.inlined: set[Value] = set()
        self.everywhere: dict[Value, int] = {}
        self.indices: Counter[str | None] = Counter()
        self.expressions: set[Statement] = set()
        self.summaries: dict[Statement, tuple[frozenset[int], frozenset[str | None]]] = {}
        self.carried: set[Value] = set()
        self.nouns: dict[Value, str] = {}
        self.effects = 0
        self.storage = Storage(alias_classes(function), self.definitions)

    def plan(self) -> Plan:
        body = self.function.body
        for param in body.params:
            self.name(param)
        self.scan(body)
        self.use(body.results, (body, None))
        self.loose = self.find_loosely_bound()
        self.summarise(body)
        self.find_expressions(body)
        items = self.sequence(body, body.results, _Result(), 1)
        return Plan(
            self.function,
            items,
            self.inlined,
            self.definitions,
            self.sites,
            self.homes,
            self.storage,
            self.loose,
            self.carried,
            self.nouns,
        )

    # Facts about the whole program.

    def scan(self, block: Block) -> None:
        for statement in block.statements:
            for value in defined(statement):
                self.definitions[value] = statement
                self.homes[value] = block
                if not _is_alias(statement):
                    self.name(value)
            here = (block, statement)
            match statement:
                case If(test=test, then=then, orelse=orelse, outs=outs):
                    self.use(test, here)
                    for arm in (then, orelse):
                        self.scan(arm)
                        if not _raises(arm):
                            for out, result in zip(outs, arm.results, strict=True):
                                self.flow(out, result, (arm, None))
                case Loop(domain=domain, inits=inits, outs=outs, body=body):
                    for param in body.params:
                        self.name(param)
                    self.carried.update(statement.carried)
                    if domain is not None:
                        self.indices[body.params[0].name] += 1
                        self.use([domain.start, domain.stop, domain.step], here)
                    self.scan(body)
                    raises = _raises(body)
                    if statement.stops and not raises:
                        self.use(body.results[0], (body, None))
                    joins = zip(statement.carried, inits, statement.next, outs, strict=True)
                    for param, init, after, out in joins:
                        self.flow(out, param, here)
                        self.flow(param, init, here)
                        if not raises:
                            self.flow(param, after, (body, None))
                case _:
                    self.use(operands(statement), here)

    def name(self, value: Value) -> None:
        self.named[value.name] += 1
        self.latest[value.name] = value

    def flow(self, target: Value, source: Operand, where: tuple[Block, Statement | None]) -> None:
        """The join `target` takes its value from `source`: a use, if anyone needs the target."""
        self.sources.setdefault(target, []).append((source, where))
        if target in self.needed:
            self.use(source, where)

    def use(self, operand: Operand, where: tuple[Block, Statement | None]) -> None:
        for value in leaves(operand):
            self.sites.setdefault(value, []).append(where)
            self.need(value)

    def need(self, value: Value) -> None:
        todo = [value]
        while todo:
            value = todo.pop()
            if value in self.needed:
                continue
            self.needed.add(value)
            for source, where in self.sources.get(value, ()):
                for leaf in leaves(source):
                    self.sites.setdefault(leaf, []).append(where)
                    todo.append(leaf)

    def find_loosely_bound(self) -> set[Value]:
        loose: set[Value] = set()
        if any(s is UNBOUND for sources in self.sources.values() for s, _ in sources):
            size = -1
            while size != len(loose):
                size = len(loose)
                for target, sources in self.sources.items():
                    if any(s is UNBOUND or (isinstance(s, Value) and s in loose)
                           for s, _ in sources):
                        loose.add(target)
        return loose

    def clobbers(self, statement: Statement) -> frozenset[int]:
        """The classes that the statement itself may write."""
        match statement:
            case Store(ref=ref) | Accumulate(ref=ref) | Append(ref=ref) | Pop(ref=ref):
                return frozenset((self.storage.class_of(ref),))
            case Op(fn=Function()):
                return self.storage.read(statement)
        return NOTHING

    def summarise(self, block: Block) -> tuple[frozenset[int], frozenset[str | None]]:
        """The classes that a block may write, and the names that it gives values."""
        writes: set[int] = set()
        names: set[str | None] = set()
        for statement in block.statements:
            writes |= self.clobbers(statement)
            names.update(value.name for value in defined(statement))
            inner: list[Block] = []
            match statement:
                case If(then=then, orelse=orelse):
                    inner = [then, orelse]
                case Loop(body=body):
                    inner = [body]
            if inner:
                below = [self.summarise(b) for b in inner]
                summary = (
                    frozenset().union(*(w for w, _ in below)),
                    frozenset(v.name for b in inner for v in b.params).union(
                        *(n for _, n in below), (v.name for v in defined(statement))
                    ),
                )
                self.summaries[statement] = summary
                writes |= summary[0]
                names |= summary[1]
        return frozenset(writes), frozenset(names)

    def count(self, value: Value) -> int:
        return len(self.sites.get(value, ()))

    # Conditional expressions.

    def find_expressions(self, block: Block) -> None:
        for statement in block.statements:
            match statement:
                case If(then=then, orelse=orelse):
                    self.find_expressions(then)
                    self.find_expressions(orelse)
                    if self.is_expression(statement):
                        self.expressions.add(statement)
                        kept = both_ways(statement)
                        if kept is not None:
                            # `a and b` mentions `a` once, where the If has it twice.
                            self.sites[statement.test].remove((kept, None))
                case Loop(body=body):
                    self.find_expressions(body)

    def is_expression(self, statement: If) -> bool:
        """Whether the If can be printed as `a if test else b`, `a and b` or `a or b`."""
        if len(statement.outs) != 1:
            return False
        out = statement.outs[0]
        if out not in self.needed or out in self.loose:
            return False
        if out.name is not None and not written_as_expression(statement.origin):
            return False
        size = 8
        for arm in (statement.then, statement.orelse):
            result = arm.results[0]
            if any(leaf in self.loose for leaf in leaves(result)):
                return False
            for inner in arm.statements:
                match inner:
                    case Op(outs=[value], effect=False) if not self.clobbers(inner):
                        pass
                    case Load(out=value) | View(out=value):
                        pass
                    case If(outs=[value]) if inner in self.expressions:
                        pass
                    case _:
                        return False
                if value.name is not None or self.sites.get(value, [])[1:]:
                    return False
                if self.sites.get(value, [(None, None)])[0][0] is not arm:
                    return False
            size += self.size(result, {})
        return size + sum(self.line_size(inner, {}) for inner in self.arms(statement)) < 80

    def fold_arms(self, statement: If) -> None:
        for arm in (statement.then, statement.orelse):
            for inner in arm.statements:
                self.inlined.update(defined(inner))
                if isinstance(inner, If):
                    self.fold_arms(inner)

    def arms(self, statement: If) -> Iterator[Statement]:
        for arm in (statement.then, statement.orelse):
            for inner in arm.statements:
                yield inner
                if isinstance(inner, If):
                    yield from self.arms(inner)

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
                    if param in self.needed and param is not after
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
                    self.needed.add(flag)
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
                yield from self.variables(inputs(self.definitions[leaf]))
            else:
                yield leaf

    def move(self, context: _Context, pairs: Iterable[tuple[Value, Operand]]) -> None:
        pairs = [(out, source) for out, source in pairs if out in self.needed and out is not source]
        self.settle(context)
        for _, source in pairs:
            self.consume(context, [source], None, root=False)
        if pairs:
            context.items.append(Moves(pairs))

    def splits(
        self, statement: If, results: list[Operand], ending: _Join | _Again | _Result
    ) -> bool:
        """Whether the block is better closed in both branches of its last If."""
        if isinstance(ending, _Join) or _raises_anywhere(statement):
            return False
        outs = statement.outs
        arms = (statement.then, statement.orelse)
        for k, out in enumerate(outs):
            constant = all(isinstance(arm.results[k], Constant) for arm in arms)
            if not constant and sum(leaf is out for leaf in leaves(results)) > 1:
                return False
        if isinstance(ending, _Again):
            return ending.loop.stops and any(
                results[0] is out and _may_stop(statement, k) for k, out in enumerate(outs)
            )
        if statement in self.expressions and written_as_expression(statement.origin):
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
        if statement in self.expressions:
            kept = both_ways(statement)
            if kept is not None:  # it is not printed as an expression after all
                self.sites[statement.test].append((kept, None))
                if statement.test in self.inlined:
                    self.inlined.discard(statement.test)
                    context.items.append(Step(self.definitions[statement.test]))
        both = []
        for arm in (statement.then, statement.orelse):
            by = dict(zip(statement.outs, arm.results, strict=True))
            closed = [substitute(r, lambda v, by=by: by.get(v, v)) for r in results]
            both.append(self.sequence(arm, closed, ending, context.depth + 1))
        context.items += _branch(statement, *both)

    # Statements.

    def statement(self, context: _Context, statement: Statement) -> None:
        match statement:
            case Op() | Load() | View() | Pop():
                self.compute(context, statement, defined(statement))
            case If() if statement in self.expressions:
                self.fold_arms(statement)
                self.compute(context, statement, statement.outs)
            case If():
                self.consume(context, [statement.test], None, True, *self.summaries[statement])
                self.flush_takers(context)
                both = [
                    self.sequence(arm, arm.results, _Join(statement.outs), context.depth + 1)
                    for arm in (statement.then, statement.orelse)
                ]
                context.items += _branch(statement, *both, invert=False)
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
            self.everywhere[outs[0]] = self.line_size(statement, {})
            self.inlined.add(outs[0])
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
            self.inlined.add(outs[0])
        else:
            self.step(context, statement, frozenset(out.name for out in outs))

    def step(
        self, context: _Context, statement: Statement, names: frozenset[str | None]
    ) -> None:
        writes = self.clobbers(statement)
        self.consume(context, inputs(statement), statement, True, writes, names)
        context.items.append(Step(statement))

    def loop(self, context: _Context, loop: Loop) -> None:
        writes, names = self.summaries[loop]
        starts = zip(loop.carried, loop.inits, strict=True)
        pairs = [(param, init) for param, init in starts if param in self.needed]
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
        context.items.append(For(loop, body) if domain is not None else _while(loop, body))
        ends = zip(loop.outs, loop.carried, strict=True)
        after = [(out, param) for out, param in ends if out in self.needed]
        if after:
            context.items.append(Moves(after))

    # Pending expressions.

    def may_fold(self, context: _Context, value: Value, statement: Statement) -> bool:
        sites = self.sites.get(value, ())
        if len(sites) != 1:
            return False
        block, consumer = sites[0]
        if self.clobbers(statement) and not isinstance(statement, Pop):
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
            # `xs[i] = xs[i] + v` writes the path twice.
            if value in leaves(consumer.path):
                return False
        name = value.name
        if name is None or (name.endswith("_old") and not _is_users(name, statement)):
            return True
        match statement, consumer:
            case Load(ref=ref, path=()), _ if name == ref.name:
                return True  # a name for what the reference of that name holds
            case _, New(out=out) if out.name in (name, None):
                return True
            case _, Store(ref=ref, path=path, value=stored) if stored is value:
                return name == ref.name and (not path or isinstance(statement, Op))
            case _, None:
                return self.is_swapped(context.block, value)
            case _, Statement():
                small = self.line_size(statement, context.pending) <= SMALL
                adjoint = name.endswith(("_bar", "_dot"))
                return small and adjoint and _same_line(statement, consumer)
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
                if out.name is not None or not 2 <= self.count(out) <= 4:
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
        if out.name is not None or not 2 <= self.count(out) <= 6:
            return False
        if not self.is_steady(base):
            return False
        if isinstance(by, Value):
            return self.is_steady(by) and len(base.name) + len(by.name) <= 6
        return isinstance(by, Constant) and len(repr(by.value)) + len(base.name) <= 6

    def is_steady(self, value: Value) -> bool:
        """Whether no other value takes the name of this one from it, but the index of a loop."""
        if value in self.inlined or value in self.loose or value.name is None:
            return False
        if self.latest[value.name] is value:
            return value not in self.carried
        return self.named[value.name] == self.indices[value.name]

    def consume(
        self,
        context: _Context,
        reads: list[Operand],
        statement: Statement | None,
        root: bool,
        writes: frozenset[int] = NOTHING,
        names: frozenset[str | None] = frozenset(),
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
            size = self.line_size(statement, pending) if statement else self.size(reads, pending)
            if size <= room or not taken:
                break
            largest = max(taken, key=lambda leaf: pending[leaf].size)
            if pending[largest].size < 16:
                break
            self.flush(context, [largest])
        effects = [number for leaf in taken for number in pending[leaf].effects]
        if self.is_disordered(context, taken, effects, root, statement):
            self.settle(context)
            taken = [leaf for leaf in taken if leaf in pending]
            effects = []
        info = _Pending(NOTHING, frozenset(), tuple(effects), size)
        if statement is not None:
            info.reads |= self.storage.read(statement)
            if isinstance(statement, If):
                for inner in self.arms(statement):
                    self.gather(info, inputs(inner), pending)
                    info.reads |= self.storage.read(inner)
        self.gather(info, reads, pending)
        for leaf in taken:
            del pending[leaf]
        # Of a list that is read here, what came before was to take the last item.
        self.flush(context, [v for v in pending if pending[v].takes & info.reads])
        if root and statement is not None and _mirrors(statement):
            # The forward sweep is written down before the backward sweep begins.
            self.flush(context, [v for v in pending if not _mirrors(self.definitions[v])])
        if root:
            self.flush_readers(context, writes, names)
        return info

    def gather(
        self, info: _Pending, reads: list[Operand], pending: dict[Value, _Pending]
    ) -> None:
        """Add what an expression with these operands reads and mentions."""
        for leaf in leaves(reads):
            if leaf in pending:
                info.reads |= pending[leaf].reads
                info.names |= pending[leaf].names
                info.takes |= pending[leaf].takes
            elif leaf in self.everywhere:
                info.names |= {v.name for v in self.variables(leaf)}
            elif leaf not in self.inlined:
                info.reads |= self.storage.views(leaf)
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

    def flush_readers(
        self, context: _Context, writes: frozenset[int], names: frozenset[str | None]
    ) -> None:
        names = names - {None}
        disturbed = [
            value
            for value, info in context.pending.items()
            if info.reads & writes or info.names & names
        ]
        self.flush(context, disturbed)

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
                self.inlined.discard(value)
                context.items.append(Step(self.definitions[value]))

    # How long lines become.

    def size(self, operand: Operand, pending: dict[Value, _Pending]) -> int:
        match operand:
            case Value(name=name):
                if operand in pending:
                    return pending[operand].size
                if operand in self.everywhere:
                    return self.everywhere[operand]
                return len(name) if name else UNNAMED
            case Constant(value=value, name=name):
                return len(name) if name else min(len(repr(value)), 24)
            case Slice(start=start, stop=stop, step=step):
                parts = [x for x in (start, stop, step) if getattr(x, "value", x) is not None]
                return 1 + sum(self.size(x, pending) for x in parts)
            case tuple() | list():
                return sum(self.size(x, pending) + 2 for x in operand)
        return 4

    def line_size(self, statement: Statement, pending: dict[Value, _Pending]) -> int:
        read = sum(self.size(x, pending) for x in inputs(statement))
        match statement:
            case Op(fn=fn, args=args, keywords=keywords):
                if fn is operator.getitem:
                    return read
                if getattr(fn, "__module__", None) == "_operator":
                    return read + 3
                name = fn.name if isinstance(fn, Function) else getattr(fn, "__name__", "four")
                words = sum(len(word) + 1 for word in keywords)
                return read + len(name) + 4 + 2 * (len(args) - 1) + words
            case View(fn=fn) if fn is not operator.getitem:
                return read + len(getattr(fn, "__name__", "four")) + 5
            case If():
                return read + 10
            case Append():
                return read + 9
            case New() | Pop():
                return read + 7
        return read + 2


def written_as_expression(origin: Origin | None) -> bool:
    """Whether the If is no statement of the user's, but `a if test else b` inside one."""
    if origin is None:
        return False
    word = origin.text.split(None, 1)[0] if origin.text.strip() else ""
    return word.partition("(")[0] not in ("if", "elif", "else:", "while", "for")


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


def _branch(
    statement: If, then: list[Item], orelse: list[Item], invert: bool = True
) -> list[Item]:
    """The items of an If; what follows a branch that leaves is not indented."""
    test, origin = statement.test, statement.origin
    if exits(then):
        return [Branch(test, False, then, [], origin), *orelse]
    if invert and exits(orelse):
        return [Branch(test, True, orelse, [], origin), *then]
    return [Branch(test, False, then, orelse, origin)]


def _while(loop: Loop, body: list[Item]) -> While:
    """`while test:` where the body begins with the test, else an endless loop."""
    match body:
        case [Branch(negate=True, then=[*moves, Break()], orelse=[]) as head, *rest]:
            if all(isinstance(move, Moves) for move in moves):
                return While(head.test, False, rest, list(moves), loop.origin)
    return While(None, False, body, [], loop.origin)


def _may_stop(statement: If, k: int) -> bool:
    """Whether a branch, or one inside it, yields a constant True as result `k`."""
    for arm in (statement.then, statement.orelse):
        result = arm.results[k]
        if isinstance(result, Constant):
            if result.value is True:
                return True
        elif arm.statements and isinstance(arm.statements[-1], If):
            inner = arm.statements[-1]
            if any(result is out and _may_stop(inner, j) for j, out in enumerate(inner.outs)):
                return True
    return False


def _raises(block: Block) -> bool:
    return any(isinstance(statement, Raise) for statement in block.statements)


def _raises_anywhere(statement: If) -> bool:
    return _raises(statement.then) and _raises(statement.orelse)


def _mirrors(statement: Statement) -> bool:
    return statement.origin is not None and statement.origin.mirror


def _is_alias(statement: Statement) -> bool:
    """Whether the statement only gives the contents of a reference the name of the reference."""
    match statement:
        case Load(ref=ref, path=(), out=out):
            return out.name == ref.name
    return False


def _is_users(name: str, statement: Statement) -> bool:
    """Whether the user wrote the name, and no pass made it up."""
    origin = statement.origin
    return origin is None or re.search(rf"\b{re.escape(name)}\b", origin.text) is not None


def _same_line(a: Statement, b: Statement) -> bool:
    texts = [s.origin.text if s.origin is not None else None for s in (a, b)]
    return texts[0] == texts[1]


def _is_in_order(statement: Statement) -> bool:
    """Whether Python evaluates the printed operands in the order of the statement's."""
    return isinstance(statement, Op) and statement.fn is not operator.contains

