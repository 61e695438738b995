"""Where a snapshot must really be copied.

`A[i]` denotes in the IR what the row held when it was loaded; in Python it is a window on `A`.  The
window will do as long as nobody writes to `A` between the birth of the value and its last use.
`decide_copies(plan)` finds the values for which that is not so, and marks them in
`plan.storage.copied`: they print as `A[i].copy()`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from adcompiler.analysis.classes import holds_references
from adcompiler.backends.plan import (
    Branch,
    For,
    Item,
    Moves,
    Plan,
    Return,
    Step,
    While,
    inputs,
)
from adcompiler.backends.storage import NOTHING, Storage, same_strides
from adcompiler.ir.nodes import (
    UNBOUND,
    Accumulate,
    Append,
    Function,
    Load,
    New,
    Op,
    Operand,
    Pop,
    Statement,
    Store,
    Value,
    defined,
    leaves,
)
from adcompiler.ir.types import Array, List, Scalar, target


@dataclass(slots=True)
class _Event:
    """A moment of the printed program: what is evaluated, written and given a value there."""

    at: int
    arms: dict[int, int]
    """The branches around it: which arm of which."""
    loops: tuple[int, ...]
    """The loops around it, outermost first."""
    reads: list[Operand]
    keeps: list[Operand]
    """Those of the operands that live on: in a list, under a name of many values."""
    writes: frozenset[int]
    early: frozenset[int]
    """Those of the classes that are written while the operands are evaluated."""
    statement: Statement | None


@dataclass(slots=True)
class _Timeline:
    plan: Plan
    events: list[_Event] = field(default_factory=list)
    births: dict[Value, int] = field(default_factory=dict)
    uses: dict[Value, list[tuple[int, bool]]] = field(default_factory=dict)
    results: list[Operand] = field(default_factory=list)

    def add(
        self,
        arms: dict[int, int],
        loops: tuple[int, ...],
        reads: list[Operand],
        keeps: list[Operand],
        statement: Statement | None = None,
        writes: frozenset[int] = NOTHING,
    ) -> int:
        at = len(self.events)
        pops = [s for s in self.plan.folded(reads) if isinstance(s, Pop)]
        early = frozenset(self.plan.storage.class_of(pop.ref) for pop in pops)
        writes |= early
        self.events.append(_Event(at, arms, loops, reads, keeps, writes, early, statement))
        kept = {id(operand) for operand in keeps}
        for operand in reads:
            if isinstance(operand, Value):
                self.uses.setdefault(operand, []).append((at, id(operand) in kept))
            for leaf in self.plan.variables(operand):
                self.uses.setdefault(leaf, []).append((at, False))
        if statement is not None:
            for value in defined(statement):
                self.births[value] = at
        return at

    def walk(self, items: list[Item], arms: dict[int, int], loops: tuple[int, ...]) -> None:
        for item in items:
            match item:
                case Step(statement=statement):
                    self.step(statement, arms, loops)
                case Moves(pairs=pairs):
                    sources = [source for _, source in pairs if source is not UNBOUND]
                    self.add(arms, loops, sources, sources)
                case Branch(test=test, then=then, orelse=orelse):
                    at = self.add(arms, loops, [test], [])
                    self.walk(then, {**arms, at: 0}, loops)
                    self.walk(orelse, {**arms, at: 1}, loops)
                case For(domain=domain, body=body):
                    self.add(arms, loops, [domain.start, domain.stop, domain.step], [])
                    self.loop([], body, [], arms, loops)
                case While(test=test, body=body, orelse=orelse):
                    self.loop([] if test is None else [test], body, orelse, arms, loops)
                case Return(value=value):
                    self.add(arms, loops, [value], [])
                    self.results.append(value)

    def loop(
        self,
        tests: list[Operand],
        body: list[Item],
        orelse: list[Item],
        arms: dict[int, int],
        loops: tuple[int, ...],
    ) -> None:
        start = len(self.events)
        inside = (*loops, start)
        self.add(arms, inside, tests, [])
        self.walk(body, arms, inside)
        self.walk(orelse, arms, inside)

    def step(self, statement: Statement, arms: dict[int, int], loops: tuple[int, ...]) -> None:
        reads = inputs(statement)
        keeps: list[Operand] = []
        writes: frozenset[int] = NOTHING
        storage = self.plan.storage
        match statement:
            case Store(ref=ref, value=value):
                writes = frozenset((storage.class_of(ref),))
                if not isinstance(target(ref.type), Array):
                    keeps = [value]
            case Accumulate(ref=ref) | Pop(ref=ref):
                writes = frozenset((storage.class_of(ref),))
            case Append(ref=ref, value=value):
                writes = frozenset((storage.class_of(ref),))
                keeps = [value]
            case New(source=list() as source):
                reads = list(source)
                keeps = reads
            case New(source=source):
                if isinstance(getattr(source, "type", None), List):
                    keeps = [source]
            case Op(fn=Function()):
                writes = storage.read(statement)
        self.add(arms, loops, reads, keeps, statement, writes)


def decide_copies(plan: Plan) -> None:
    storage = plan.storage
    if not storage.classes:
        return
    timeline = _Timeline(plan)
    timeline.walk(plan.items, {}, ())
    written = [event for event in timeline.events if event.writes]
    for event in timeline.events:
        statement = event.statement
        if statement is not None:
            for value in defined(statement):
                shown = storage.views(value)
                if shown and _is_overwritten(timeline, value, shown, written):
                    storage.copy(value)
        for operand in event.keeps:
            _keep(timeline, storage, operand, event, written)
        if isinstance(statement, Store):
            _check_overlap(storage, statement)
    _protect_result(plan, timeline)
    _drop_aliases(plan, plan.items)
    plan.forget()


def _keep(
    timeline: _Timeline, storage: Storage, operand: Operand, event: _Event, written: list[_Event]
) -> None:
    for leaf in leaves(operand):
        shown = storage.views(leaf)
        if shown and any(w.writes & shown and _may_follow(timeline, w, event) for w in written):
            storage.copy(leaf)


def _is_overwritten(
    timeline: _Timeline, value: Value, shown: frozenset[int], written: list[_Event]
) -> bool:
    """Whether what the value shows may be written while the value is in use."""
    birth = timeline.births[value]
    around = set(timeline.events[birth].loops)
    writers = [event for event in written if event.writes & shown and event.at > birth]
    if not writers:
        return False
    for at, kept in timeline.uses.get(value, ()):
        use = timeline.events[at]
        # A loop that the use is in and the birth is not comes round again.
        again = next((loop for loop in use.loops if loop not in around), None)
        for writer in writers:
            if writer.at < at and not _exclusive(writer, use):
                return True
            if writer.at == at and writer.early & shown:
                return True
            if again is not None and again in writer.loops:
                return True
        if kept and any(_may_follow(timeline, w, use) for w in writers):
            return True
    return False


def _exclusive(a: _Event, b: _Event) -> bool:
    """Whether the two stand in different arms of one branch."""
    return any(b.arms.get(branch, arm) != arm for branch, arm in a.arms.items())


def _may_follow(timeline: _Timeline, writer: _Event, event: _Event) -> bool:
    if any(loop in writer.loops for loop in event.loops):
        return True
    return writer.at > event.at and not _exclusive(writer, event)


def _check_overlap(storage: Storage, store: Store) -> None:
    """An array that is copied onto itself: NumPy is right only if the strides are the same."""
    value, ref = store.value, store.ref
    if not isinstance(value, Value) or storage.class_of(ref) not in storage.views(value):
        return
    load = storage.definitions.get(value)
    if isinstance(load, Load) and load.ref is ref and same_strides(load.path, store.path):
        return
    storage.copy(value)


def _protect_result(plan: Plan, timeline: _Timeline) -> None:
    """What the caller gets must not show memory that the caller can reach, and write, otherwise:
    that of a reference which is a parameter or a result, or another result."""
    storage = plan.storage
    escaping: set[int] = set()
    for value in [*plan.function.params, *leaves(plan.function.body.results)]:
        if holds_references(value.type):
            escaping |= storage.classes.within(storage.classes[value])
    for result in timeline.results:
        shown = set(escaping)
        seen: set[Value] = set()
        for leaf in leaves(result):
            views = storage.views(leaf)
            if views & shown and leaf not in seen:
                storage.copy(leaf)
            shown |= views
            seen.add(leaf)


def _drop_aliases(plan: Plan, items: list[Item]) -> None:
    """`old = a` for what is in `a` as a whole: where nobody writes it meanwhile, `a` will do."""
    for item in list(items):
        match item:
            case Step(statement=Load(ref=ref, path=(), out=out)):
                named = out.name is not None and out.name != ref.name
                # What a loop carries changes before its test is made; what is folded is evaluated
                # where it stands, and once.
                named = named or ref in plan.carried or ref in plan.inlined
                if not named and out not in plan.storage.copied and plan.sites.get(out):
                    if not isinstance(out.type, Scalar):
                        items.remove(item)
                        plan.inlined.add(out)
            case Branch(then=then, orelse=orelse):
                _drop_aliases(plan, then)
                _drop_aliases(plan, orelse)
            case For(body=body):
                _drop_aliases(plan, body)
            case While(body=body, orelse=orelse):
                _drop_aliases(plan, body)
                _drop_aliases(plan, orelse)
