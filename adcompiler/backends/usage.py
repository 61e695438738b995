"""Facts about a whole function that planning needs: who uses what, where, and under which name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from adcompiler.analysis.classes import alias_classes
from adcompiler.backends.plan import Site, both_ways
from adcompiler.backends.storage import NOTHING, Storage
from adcompiler.backends.width import operand_width, width
from adcompiler.ir.nodes import (
    UNBOUND,
    Accumulate,
    Append,
    Block,
    Function,
    If,
    Load,
    Loop,
    Op,
    Operand,
    Origin,
    Pop,
    Raise,
    Statement,
    Store,
    Value,
    View,
    defined,
    leaves,
    operands,
)

Names = frozenset[str | None]


class Usage:
    """What is known of the values of a function before anything is planned."""

    def __init__(self, function: Function) -> None:
        self.definitions: dict[Value, Statement] = {}
        self.homes: dict[Value, Block] = {}
        """The block that defines each value."""
        self.sites: dict[Value, list[Site]] = {}
        """Where each value is used, as far as the use is needed."""
        self.needed: set[Value] = set()
        """The values that are used; of those that joins make, the ones that anyone reads."""
        self.carried: set[Value] = set()
        """The parameters of loops."""
        self.named: Counter[str | None] = Counter()
        """How many values have each name."""
        self.indices: Counter[str | None] = Counter()
        """How many of them count the trips of a loop."""
        self.latest: dict[str | None, Value] = {}
        """The last value of each name."""
        self.summaries: dict[Statement, tuple[frozenset[int], Names]] = {}
        """For statements with blocks: the classes that may be written there, the names bound."""
        self.expressions: set[Statement] = set()
        """The Ifs that print as expressions."""
        self.storage = Storage(alias_classes(function), self.definitions)
        self._sources: dict[Value, list[tuple[Operand, Site]]] = {}
        body = function.body
        for param in body.params:
            self.name(param)
        self.scan(body)
        self.use(body.results, (body, None))
        self.loose = self.find_loosely_bound()
        """The values that a path may leave unbound."""
        self.summarise(body)
        self.find_expressions(body)

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
                        if not raises(arm):
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
                    leaves_early = raises(body)
                    if statement.stops and not leaves_early:
                        self.use(body.results[0], (body, None))
                    joins = zip(statement.carried, inits, statement.next, outs, strict=True)
                    for param, init, after, out in joins:
                        self.flow(out, param, here)
                        self.flow(param, init, here)
                        if not leaves_early:
                            self.flow(param, after, (body, None))
                case _:
                    self.use(operands(statement), here)

    def name(self, value: Value) -> None:
        self.named[value.name] += 1
        self.latest[value.name] = value

    def flow(self, target: Value, source: Operand, where: Site) -> None:
        """The join `target` takes its value from `source`: a use, if anyone needs the target."""
        self._sources.setdefault(target, []).append((source, where))
        if target in self.needed:
            self.use(source, where)

    def use(self, operand: Operand, where: Site) -> None:
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
            for source, where in self._sources.get(value, ()):
                for leaf in leaves(source):
                    self.sites.setdefault(leaf, []).append(where)
                    todo.append(leaf)

    def find_loosely_bound(self) -> set[Value]:
        loose: set[Value] = set()
        if any(s is UNBOUND for sources in self._sources.values() for s, _ in sources):
            size = -1
            while size != len(loose):
                size = len(loose)
                for target, sources in self._sources.items():
                    if any(s is UNBOUND or s in loose for s, _ in sources if _is_simple(s)):
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

    def summarise(self, block: Block) -> tuple[frozenset[int], Names]:
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
            size += operand_width(result, {})
        return size + sum(width(inner, {}) for inner in self.arms(statement)) < 80

    def arms(self, statement: If) -> Iterator[Statement]:
        for arm in (statement.then, statement.orelse):
            for inner in arm.statements:
                yield inner
                if isinstance(inner, If):
                    yield from self.arms(inner)


def written_as_expression(origin: Origin | None) -> bool:
    """Whether the If is no statement of the user's, but `a if test else b` inside one."""
    if origin is None:
        return False
    word = origin.text.split(None, 1)[0] if origin.text.strip() else ""
    return word.partition("(")[0] not in ("if", "elif", "else:", "while", "for")


def raises(block: Block) -> bool:
    """Whether the end of the block is never reached."""
    return any(isinstance(statement, Raise) for statement in block.statements)


def _is_alias(statement: Statement) -> bool:
    """Whether the statement only gives the contents of a reference the name of the reference."""
    match statement:
        case Load(ref=ref, path=(), out=out):
            return out.name == ref.name
    return False


def _is_simple(operand: Operand) -> bool:
    return operand is UNBOUND or isinstance(operand, Value)
