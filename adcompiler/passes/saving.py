"""How the forward values that the backward sweep reads get there.

The mirror refers to forward values by name.  A value that is defined outside all loops is simply
still there.  One from inside a loop had a different value on each trip; it is

* the index of the loop, which the mirror has too, or computed again from what is at hand, if cheap;
* loaded again from memory that the backward sweep has rolled back to what it was; or
* saved: appended to a list on each trip, and popped from it at the head of the mirror.

*Rolling back.*  A load may be done again in the mirror of a statement if no store to its class came
between the two in the same trip, provided that every store that ran later has been undone by then.
Undoing a store means to save what it overwrites, the place alone, and to put it back in the mirror
of the store (Griewank & Walther, chapter 4: "joint reversal of overwrites").
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from adcompiler.analysis.activity import memory_classes
from adcompiler.analysis.classes import alias_classes
from adcompiler.analysis.places import Places
from adcompiler.analysis.sweep import Sweep
from adcompiler.analysis.unification import Unification
from adcompiler.ir import types as T
from adcompiler.ir.infer import Atoms, place_type, type_of
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
    Range,
    Restore,
    Statement,
    Store,
    Value,
    View,
    blocks,
    defined,
    dimension,
    leaves,
    operands,
    rewrite_operands,
    substitute,
    walk,
)
from adcompiler.passes.simplify import Liveness
from adcompiler.rules import book

MUTATIONS = (Store, Accumulate, Append, Pop)

CHEAP = {
    np.add, np.subtract, np.multiply, np.negative, np.divide, np.less, np.less_equal, np.greater,
    np.greater_equal, np.equal, np.not_equal, operator.not_, operator.is_, operator.is_not,
    np.floor_divide, np.remainder, np.minimum, np.maximum, np.logical_and, np.logical_or,
    np.logical_not, min, max, dimension, len, abs, int, operator.getitem,
}  # fmt: skip
"""Scalar work that costs less than saving its result."""

TRIPS = 50
SIZES = {0: 1, 1: 50, 2: 2500}


@dataclass(frozen=True, slots=True)
class Site:
    """A moment of the backward sweep, named by the forward moment that it mirrors."""

    statement: Statement | None
    when: str  # "before" or "after" the statement; "start" or "end" of the block
    block: Block | None = None


@dataclass(eq=False)
class Record:
    """What differentiating knows of its own work."""

    function: Function
    classes: Unification
    sites: dict[Statement, Site] = field(default_factory=dict)
    mirrors: dict[Block, Block] = field(default_factory=dict)
    """From a mirror block to the forward block it mirrors."""
    indices: dict[Value, tuple[Value, Block]] = field(default_factory=dict)
    """From a forward loop's index to its mirror loop's."""
    home: dict[Value, Block] = field(default_factory=dict)
    loops: dict[Block, tuple[Loop, ...]] = field(default_factory=dict)
    """The loops around a block, outermost first."""
    owner: dict[Block, Statement] = field(default_factory=dict)
    place: dict[Statement, Block] = field(default_factory=dict)
    definition: dict[Value, Statement] = field(default_factory=dict)
    backward: set[Statement] = field(default_factory=set)
    stands_for: dict[tuple[Value, Value], None] = field(default_factory=dict)
    """What `place` lets the backward sweep read, each with the forward value that it equals."""
    restores: dict[Statement, tuple[Statement, Value | None]] = field(default_factory=dict)
    """From what undoes a store to the store, and the value that was read before it."""

    def find_homes(self) -> None:
        self.visit(self.function.body, ())

    def visit(self, block: Block, loops: tuple[Loop, ...]) -> None:
        self.loops[block] = loops
        for param in block.params:
            self.home[param] = block
        for statement in block.statements:
            self.place[statement] = block
            for value in defined(statement):
                self.home[value] = block
                self.definition[value] = statement
            for inner in blocks(statement):
                self.owner[inner] = statement
                deeper = (*loops, statement) if isinstance(statement, Loop) else loops
                self.visit(inner, deeper)

    def collect_blocks(self, block: Block, into: set) -> None:
        into.add(block)
        for statement in block.statements:
            for inner in blocks(statement):
                self.collect_blocks(inner, into)

    def insert_after(self, value: Value, made: Statement) -> None:
        """Put a statement of the forward sweep right after what defines `value`."""
        block = self.home[value]
        at = 0
        if value in self.definition:
            at = block.statements.index(self.definition[value]) + 1
        self.insert(block, at, made)

    def insert(self, block: Block, at: int, made: Statement) -> None:
        made.origin = made.origin or (
            block.statements[min(at, len(block.statements) - 1)].origin
            if block.statements
            else None
        )
        block.statements.insert(at, made)
        self.place[made] = block
        for out in defined(made):
            self.home[out] = block
            self.definition[out] = made

    def chain(self, block: Block) -> list[tuple[Block, Statement]]:
        """`(block, statement in it that leads here)`, from the outermost block inwards."""
        steps = []
        while block in self.owner:
            statement = self.owner[block]
            block = self.place[statement]
            steps.append((block, statement))
        return steps[::-1]


PLACED: list[Callable[[Function, Record], Any]] = []
"""Called when saving is decided and written: the tests put the verifier of states here."""


def place(function: Function, record: Record) -> None:
    """Give every use of a forward value in the backward sweep a way to get it; in place."""
    _Placing(function, record).run()
    for verifier in PLACED:
        verifier(function, record)


class _Placing:
    def __init__(self, function: Function, record: Record) -> None:
        self.function = function
        self.record = record
        self.classes = record.classes
        self.all_classes = memory_classes(function)
        """Those of the backward sweep too: `classes` has the forward sweep's references."""
        self.no_undo: set = set()
        """Classes that are not rolled back: what is loaded from them is saved."""
        self.fetched: set[Value] = set()
        """Numbers that are not computed again, but read from where they were stored."""
        self.whole: dict[Value, None] = {}
        """Arrays that are saved instead of all their elements."""
        self.changing: dict[Statement, set] = {}
        forward = [s for s in function.body.statements if s not in record.backward]
        self.places = Places(Sweep(function.body, forward, alias_classes(function)))
        self.order: dict[Statement, int] = {}
        for position, statement in enumerate(self.forward()):
            self.order[statement] = position
        self.mutations: dict[Any, list[Statement]] = {}
        for statement in self.forward():
            if isinstance(statement, MUTATIONS):
                root = self.classes.find(statement.ref)
                self.mutations.setdefault(root, []).append(statement)
        self.births: dict[Any, list[Statement]] = {}
        for statement in self.forward():
            if isinstance(statement, New):
                self.births.setdefault(self.classes.find(statement.out), []).append(statement)
        self.holders: dict[Any, set] = {}
        """From a class to those of the lists that its references are taken out of."""
        for statement in self.forward():
            if isinstance(statement, (Load, Pop)) and T.is_ref(statement.out.type):
                root = self.classes.find(statement.out)
                self.holders.setdefault(root, set()).add(self.classes.find(statement.ref))

    def forward(self) -> list[Statement]:
        found = []

        def visit(block: Block) -> None:
            for statement in block.statements:
                if statement not in self.record.backward:
                    found.append(statement)
                    for inner in blocks(statement):
                        visit(inner)

        visit(self.function.body)
        return found

    # -- what must be decided -----------------------------------------------------------------

    def run(self) -> None:
        # Decide with all classes rolled back where that helps; then ask, class by class,
        # whether saving the loads themselves would have been less.
        self.decide()
        for root in sorted(self.used_classes(), key=lambda r: r.uid):
            self.consider_saving(root)
        for value in self.stored_again():
            self.consider_keeping(value)
        self.decide()
        self.whole.update(dict.fromkeys(self.saved_in_parts()))
        if self.whole:
            self.decide()
        self.write()

    def used_classes(self) -> set:
        return {self.classes.find(s.ref) for s in self.undone}

    def consider_saving(self, root: Any) -> None:
        undo_cost = sum(
            map(self.undo_cost, (s for s in self.undone if self.classes.find(s.ref) is root))
        )
        if undo_cost == 0:
            return
        before = self.cost()
        self.no_undo.add(root)
        self.decide()
        if self.cost() >= before:
            self.no_undo.discard(root)
            self.decide()

    def stored_again(self) -> list[Value]:
        """Values that are computed again from what stores overwrite, and are stored themselves."""
        roots = self.used_classes()
        return [
            value
            for value in self.readers
            if value not in self.saved
            and isinstance(self.record.definition.get(value), Op)
            and (at := self.stored_at(value)) is not None
            and self.classes.find(self.record.home[value].statements[at].ref) in roots
        ]

    def saved_in_parts(self) -> list[Value]:
        """Short arrays of which all elements would be saved, one by one."""
        parts: dict[Value, set[int]] = {}
        for value in self.saved:
            match self.record.definition.get(value):
                case Op(
                    fn=operator.getitem, args=[Value() as whole, (Constant(value=int() as k),)]
                ):
                    home = self.record.home
                    if home.get(whole) is home[value] and whole not in self.saved:
                        parts.setdefault(whole, set()).add(k)
        found = []
        for whole, places in parts.items():
            made = isinstance(self.record.definition.get(whole), Op)
            match whole.type:
                case T.Array(shape=(length,)) if made and len(places) > 1:
                    if length.constant == len(places):
                        found.append(whole)
        return found

    def consider_keeping(self, value: Value) -> None:
        """Ask whether a value is better fetched from where it was stored than computed again."""
        before = self.cost()
        self.fetched.add(value)
        self.decide()
        if self.cost() >= before:
            self.fetched.discard(value)
            self.decide()

    def cost(self) -> int:
        return (
            sum(map(self.save_cost, self.saved))
            + sum(map(self.undo_cost, self.undone))
            + sum(map(self.save_cost, self.copied))
        )

    def weight(self, kind: Any, block: Block) -> int:
        kind = T.target(kind)
        rank = 0
        if isinstance(kind, T.Array):
            rank = 2 if kind.shape is None else len(kind.shape)
        elif isinstance(kind, (T.List, T.Unknown)):
            rank = 1
        return SIZES.get(rank, 10**5) * TRIPS ** len(self.record.loops[block])

    def save_cost(self, value: Value) -> int:
        return self.weight(value.type, self.record.home[value])

    def undo_cost(self, statement: Statement) -> int:
        block = self.record.place[statement]
        match statement:
            case Append():
                return 0
            case Pop(out=out):
                return self.weight(out.type, block)
            case Store() | Accumulate():
                return self.weight(place_type(statement, Atoms().fresh), block)
        raise TypeError(type(statement))

    def decide(self) -> None:
        """Find what is saved and what is undone: a fixed point over what is demanded."""
        self.saved: dict[Value, None] = dict(self.whole)
        self.copied: dict[Value, None] = {}
        self.undone: dict[Statement, None] = {}
        self.kept: dict[Value, Store] = {}
        while True:
            before = (len(self.saved), len(self.undone), len(self.copied), len(self.kept))
            holders = set(self.kept.values())
            markers = [
                s
                for s in walk_backward(self.function, self.record)
                if isinstance(s, Restore) and (s.of in self.undone or s.of in holders)
            ]
            self.live = Liveness(self.function, self.all_classes, markers)
            demands = self.demands()
            self.free_memo: dict = {}
            sites: dict[Value, list[Site]] = {}
            for value, site in demands:
                sites.setdefault(value, []).append(site)
            for value, site in demands:
                if not self.may_recompute(value) and not self.is_free(value, site):
                    self.keep_or_save(value, sites[value])
            self.free_memo = {}
            for value, site in demands:
                if not self.is_free(value, site):
                    self.keep_or_save(value, sites[value])
                    self.free_memo = {}
            self.find_undone(demands)
            if before == (len(self.saved), len(self.undone), len(self.copied), len(self.kept)):
                return

    def keep_or_save(self, value: Value, sites: list[Site]) -> None:
        """A number that is stored right away is still in its place when the store is reversed."""
        home = self.record.home[value]
        at = self.stored_at(value)
        store: Any = None if at is None else home.statements[at]
        if at is not None and self.holds(store, at, home, value, sites):
            self.kept[value] = store
        else:
            self.saved[value] = None

    def stored_at(self, value: Value) -> int | None:
        """The index of the first statement of its block that stores a number, as it is."""
        home = self.record.home[value]
        if isinstance(value.type, T.Scalar) and value in self.record.definition:
            begin = home.statements.index(self.record.definition[value])
            for at in range(begin + 1, len(home.statements)):
                store = home.statements[at]
                if isinstance(store, Store) and store.value is value:
                    return at
        return None

    def holds(self, store: Store, at: int, home: Block, value: Value, sites: list[Site]) -> bool:
        """Whether every reader of the value can find it in the place that the store wrote."""
        root = self.classes.find(store.ref)
        kind = place_type(store, Atoms().fresh)
        after = Site(store, "after")
        if root in self.no_undo or not isinstance(kind, T.Scalar) or kind.kind != value.type.kind:
            return False
        if (kind.dtype or "float64") != (value.type.dtype or "float64"):
            return False
        if not all(self.is_free(v, after) for o in (store.ref, store.path) for v in leaves(o)):
            return False
        for site in sites:
            if site.statement is None:
                return False
            block = self.record.place[site.statement]
            leading = site.statement
            for outer, statement in reversed(self.record.chain(block)):
                if block is home:
                    break
                block, leading = outer, statement
            if block is not home or home.statements.index(leading) > at:
                return False
            if leading is store and site.when == "after":
                return False
        return True

    def demands(self) -> list[tuple[Value, Site]]:
        """Each forward value that live statements of the backward sweep read, and where."""
        found: dict[tuple[Value, Site], None] = {}

        def note(operand: Operand, site: Site) -> None:
            for value in leaves(operand):
                if value in self.record.home:
                    found[value, site] = None

        for statement in walk_backward(self.function, self.record):
            site = self.record.sites.get(statement)
            if isinstance(statement, Restore):
                if statement.of in self.undone:
                    after = Site(statement.of, "after")
                    note(statement.of.ref, after)
                    if isinstance(statement.of, (Store, Accumulate)):
                        note(statement.of.path, after)
                    elif isinstance(statement.of, (Append, Pop)):
                        note(statement.of.at, after)
                elif statement.of in self.kept.values():
                    after = Site(statement.of, "after")
                    note(statement.of.ref, after)
                    note(statement.of.path, after)
                continue
            if statement not in self.live.statements or site is None:
                continue
            for operand in operands(statement):
                note(operand, site)
            for inner in blocks(statement):
                forward = self.record.mirrors.get(inner)
                for position, result in enumerate(inner.results):
                    if self.result_is_live(statement, position):
                        note(result, Site(None, "start", forward) if forward else site)
        results = Site(None, "start", self.record.function.body)
        for result in self.function.body.results:
            for value in leaves(result):
                if value in self.record.home and self.record.loops[self.record.home[value]]:
                    found[value, results] = None
        return sorted(found, key=lambda d: d[0].uid)

    def result_is_live(self, statement: Statement, position: int) -> bool:
        live = self.live.values
        if isinstance(statement, If):
            return statement.outs[position] in live
        assert isinstance(statement, Loop)
        k = position - int(statement.stops)
        return k < 0 or statement.outs[k] in live or statement.carried[k] in live

    # -- what is at hand ----------------------------------------------------------------------

    def outside_loops(self, value: Value) -> bool:
        return not self.record.loops[self.record.home[value]]

    def may_recompute(self, value: Value) -> bool:
        if value in self.fetched:
            return False
        made = self.record.definition.get(value)
        match made:
            case Load():
                return not T.is_ref(value.type)
            case View():
                return True
            case Op():
                return self.is_cheap(made)
        return False

    def is_cheap(self, op: Op) -> bool:
        if op.effect or len(op.outs) != 1:
            return False
        if book.canonical(op.fn) not in CHEAP:
            return False
        if op.fn is len and any(isinstance(T.target(v.type), T.List) for v in leaves(op.args)):
            return False  # the list has another length by then
        return isinstance(op.outs[0].type, T.Scalar)

    def is_free(self, value: Value, site: Site) -> bool:
        """Whether the value is at hand at the site without saving more than is saved already."""
        if value not in self.record.home:
            return True
        if value in self.saved or value in self.kept:
            return True
        if value in self.record.indices:
            return True
        made = self.record.definition.get(value)
        if self.outside_loops(value):
            if isinstance(made, Load) and self.would_copy(made):
                # Still there, but as a copy; rather loaded again if that is possible.
                if self.can_reload(made, site):
                    return True
                self.copied[value] = None
            return True
        key = (value, site)
        if key not in self.free_memo:
            self.free_memo[key] = False  # a cycle is not free
            self.free_memo[key] = self.recomputable(value, made, site)
        return self.free_memo[key]

    def recomputable(self, value: Value, made: Statement | None, site: Site) -> bool:
        if made is None or not self.may_recompute(value):
            return False
        if isinstance(made, Load):
            return self.can_reload(made, site)
        return all(self.is_free(v, site) for operand in operands(made) for v in leaves(operand))

    def would_copy(self, load: Load) -> bool:
        """Whether the snapshot must be copied because its memory changes later."""
        kind = load.out.type
        if not isinstance(kind, (T.Array, T.List, T.Unknown)):
            return False
        root = self.classes.find(load.ref)
        return any(self.order[s] > self.order[load] for s in self.mutations.get(root, ()))

    def can_reload(self, load: Load, site: Site) -> bool:
        root = self.classes.find(load.ref)
        if root in self.no_undo or not self.unchanged(load, root, site):
            return False
        return all(
            self.is_free(v, site) for operand in (load.ref, load.path) for v in leaves(operand)
        )

    def changes(self, statement: Statement, root: Any) -> bool:
        """Whether the statement, or anything in it, changes the class."""
        if statement not in self.changing:
            self.changing[statement] = {
                self.classes.find(s.ref)
                for s in (statement, *(n for b in blocks(statement) for n in walk(b)))
                if isinstance(s, MUTATIONS)
            }
        return root in self.changing[statement]

    def unchanged(self, load: Load, root: Any, site: Site) -> bool:
        """Whether no store to the class came between the load and the site, in one trip."""
        home = self.record.place[load]
        target = site.block if site.statement is None else self.record.place[site.statement]
        if target is None:
            return False
        if site.statement is None and site.when == "start":
            # The start of a block is before everything in it: only for what was loaded outside.
            if target is home:
                return False
        path = self.record.chain(target)
        blocks_on_way = [b for b, _ in path] + [target]
        if home not in blocks_on_way:
            return False
        depth = blocks_on_way.index(home)
        start = home.statements.index(load) + 1
        for block, leading in path[depth:]:
            end = block.statements.index(leading)
            if any(self.changes(s, root) for s in block.statements[start:end]):
                return False
            if isinstance(leading, Loop) and self.changes(leading, root):
                return False
            start = 0
        if site.statement is None:
            end = 0 if site.when == "start" else self.forward_length(target)
        else:
            end = target.statements.index(site.statement)
            if end < start and target is home:
                return False
            if site.when == "after":
                end += 1
        return not any(self.changes(s, root) for s in target.statements[start:end])

    def forward_length(self, block: Block) -> int:
        """How many statements of a block belong to the forward sweep."""
        if block is not self.record.function.body:
            return len(block.statements)
        return sum(s not in self.record.backward for s in block.statements)

    # -- the undo log -------------------------------------------------------------------------

    def find_undone(self, demands: list[tuple[Value, Site]]) -> None:
        """Every store that runs after a moment to which its class must be rolled back."""
        reloads: list[tuple[Load | Store, Site]] = [
            (store, Site(store, "after")) for store in self.kept.values()
        ]
        seen: set = set()
        self.readers: dict[Value, list[Site]] = {}

        def follow(value: Value, site: Site) -> None:
            if (value, site) in seen or value not in self.record.home:
                return
            seen.add((value, site))
            self.readers.setdefault(value, []).append(site)
            if value in self.saved or value in self.kept or value in self.record.indices:
                return
            made = self.record.definition.get(value)
            if self.outside_loops(value):
                if not (isinstance(made, Load) and self.would_copy(made)):
                    return
                if not self.can_reload(made, site):
                    return
            elif not self.may_recompute(value):
                return
            if isinstance(made, Load):
                reloads.append((made, site))
            for operand in operands(made):
                for v in leaves(operand):
                    follow(v, site)

        for value, site in demands:
            follow(value, site)
        for load, site in reloads:
            root = self.classes.find(load.ref)
            for statement in self.mutations.get(root, ()):
                if statement not in self.undone and self.may_spoil(statement, load, site):
                    self.undone[statement] = None

    def may_spoil(self, statement: Statement, load: Load | Store, site: Site) -> bool:
        """Whether a store may change what a reload reads, after the moment the site mirrors."""
        block = site.block if site.statement is None else self.record.place[site.statement]
        assert block is not None
        sweep = self.places.sweep
        pairs = zip(sweep.way_into(block), sweep.ways[statement], strict=False)
        shared = [a for (a, _), (b, _) in pairs if a is b]
        for depth in range(1, len(shared)):
            loop = self.record.owner[shared[depth]]
            if isinstance(loop, Loop) and self.lives_on(self.classes.find(load.ref), loop):
                # In a later trip of the loop that both are in.
                outer = shared[:depth]
                if not self.places.apart(statement, load.ref, load.path, outer, loop, 1):
                    return True
        return self.follows(statement, site, block) and not self.places.apart(
            statement, load.ref, load.path, shared
        )

    def follows(self, statement: Statement, site: Site, block: Block) -> bool:
        """Whether a store may run after the moment, in the same trip of the loops around both."""
        if site.statement is not None:
            if statement is site.statement or self.contains(site.statement, statement):
                return site.when == "before"
            return self.order[statement] > self.order[site.statement]
        owner = self.record.owner.get(block)
        if site.when == "end" and self.inside(statement, block):
            return False
        return owner is None or self.order[statement] > self.order[owner]

    def inside(self, statement: Statement, block: Block) -> bool:
        home: Block | None = self.record.place[statement]
        while home is not None:
            if home is block:
                return True
            owner = self.record.owner.get(home)
            home = None if owner is None else self.record.place[owner]
        return False

    def contains(self, outer: Statement, inner: Statement) -> bool:
        return any(self.inside(inner, block) for block in blocks(outer))

    def lives_on(self, root: Any, loop: Loop) -> bool:
        """Whether memory of a class may live on into the next trip: in a name, or in a list."""
        born = [self.record.loops[self.record.place[b]] for b in self.births.get(root, ())]
        if not born or not all(loop in around for around in born):
            return True
        if any(T.is_ref(p.type) and self.classes.find(p) is root for p in loop.carried):
            return True
        return any(self.lives_on(holder, loop) for holder in self.holders.get(root, ()))

    # -- writing it down ----------------------------------------------------------------------

    def write(self) -> None:
        self.exported: dict[tuple[Value, Block], Value] = {}
        self.popped: dict[Value, Value] = {}
        self.pops: set[Statement] = set()
        record = self.record
        # The old contents of what is undone, saved before each store.
        self.old: dict[Statement, Value] = {}
        for statement in self.undone:
            if isinstance(statement, (Store, Accumulate)):
                old = Value(saved_name(statement.ref.name), place_type(statement, Atoms().fresh))
                block = record.place[statement]
                made = Load(statement.ref, statement.path, old, origin=statement.origin)
                record.insert(block, block.statements.index(statement), made)
                if record.loops[block]:
                    self.saved[old] = None
                self.old[statement] = old
            elif isinstance(statement, Pop):
                self.old[statement] = statement.out
                # Putting it back reads it where it was popped.
                self.readers.setdefault(statement.out, []).append(Site(statement, "after"))
                if record.loops[record.place[statement]]:
                    self.saved[statement.out] = None
        mirror_of = {forward: mirror for mirror, forward in record.mirrors.items()}
        body = self.function.body
        mirror_of[record.function.body] = body
        # A list for each saved value: appended to where the value is made, popped in the mirror.
        boundary = body.statements[0] if body.statements else None
        births: list[Statement] = []
        for value in self.saved:
            self.bind(value, set())
            home = self.narrowest(value)
            mirror = mirror_of.get(home)
            assert mirror is not None, value
            stack = Value(stack_name(value.name or value.hint), T.Ref(T.List(value.type)))
            births.append(New([], stack, origin=boundary.origin if boundary else None))
            push = Append(stack, value)
            if value in record.definition and home is record.home[value]:
                at = home.statements.index(record.definition[value]) + 1
            else:
                at = 0
            push.origin = (
                home.statements[min(at, len(home.statements) - 1)].origin
                if home.statements
                else None
            )
            home.statements.insert(at, push)
            # A reference gets a name: it is taken off the list once, however often it is read.
            name = value.name or ("array" if T.is_ref(value.type) else None)
            out = Value(name, value.type)
            pop = Pop(stack, out)
            first = mirror.statements[0] if mirror.statements else None
            pop.origin = first.origin if first is not None else None
            mirror.statements.insert(0, pop)
            self.popped[value] = out
            record.stands_for[out, value] = None
            self.pops.add(pop)
        for index, (mirror_index, _block) in record.indices.items():
            self.popped[index] = mirror_index
        self.rewrite_backward(body, top=True)
        body.statements[:0] = births

    def narrowest(self, value: Value) -> Block:
        """The block in which to save a value: its own, or the branch in which all readers are."""
        home = self.record.home[value]
        common: list[Block] | None = None
        for site in self.readers.get(value, ()):
            block = site.block if site.statement is None else self.record.place[site.statement]
            if block is None:
                return home
            way = [block]
            while way[-1] is not home and way[-1] in self.record.owner:
                way.append(self.record.place[self.record.owner[way[-1]]])
            if way[-1] is not home:
                return home
            way.reverse()
            common = (
                way if common is None else [a for a, b in zip(common, way, strict=False) if a is b]
            )
        narrow = home
        for block in (common or [home])[1:]:
            if not isinstance(self.record.owner[block], If):
                break
            narrow = block
        return narrow

    def bind(self, value: Value, seen: set[Value]) -> None:
        """Bind a value on every path, so that it can be saved: None where nobody reads it."""
        made = self.record.definition.get(value)
        if value in seen:
            return
        seen.add(value)
        rows: list[tuple[list, int]] = []
        if isinstance(made, If):
            k = made.outs.index(value)
            rows = [(made.then.results, k), (made.orelse.results, k)]
        else:
            home = self.record.home[value]
            loop = made if isinstance(made, Loop) else self.record.owner.get(home)
            if not isinstance(loop, Loop):
                return
            values = loop.outs if loop is made else loop.carried
            if value not in values:
                return
            k = values.index(value)
            rows = [(loop.inits, k), (loop.body.results, k + int(loop.stops))]
        for results, k in rows:
            if results[k] is UNBOUND:
                results[k] = Constant(None)
            elif isinstance(results[k], Value):
                self.bind(results[k], seen)

    def rewrite_backward(self, block: Block, top: bool = False) -> None:
        """Resolve what the statements of a mirror block read, in place."""
        out: list[Statement] = []
        pops = self.pops
        for statement in block.statements:
            if top and statement not in self.record.backward and statement not in pops:
                out.append(statement)
                continue
            if statement in pops:
                out.append(statement)
                continue
            if isinstance(statement, Restore):
                for value, store in self.kept.items():
                    if store is statement.of:
                        self.fetch_kept(value, statement, out)
                if statement.of in self.undone:
                    self.restore(statement, out)
                continue
            site = self.record.sites.get(statement)
            if site is not None and self.is_needed(statement):
                cache: dict[Value, Operand] = {}
                rewrite_operands(statement, self.fetcher(site, out, cache, statement))
            for inner in blocks(statement):
                self.rewrite_backward(inner)
                forward = self.record.mirrors.get(inner)
                if forward is not None:
                    end = Site(None, "start", forward)
                    cache = {}
                    tail: list[Statement] = []
                    inner.results = [
                        result
                        if not self.result_is_live(statement, k)
                        else substitute(result, self.fetcher(end, tail, cache, statement))
                        for k, result in enumerate(inner.results)
                    ]
                    inner.statements += tail
            out.append(statement)
        block.statements = out
        if top:
            end = Site(None, "start", self.record.function.body)
            cache = {}
            fetch = self.fetcher(end, out, cache, None)
            block.results = [substitute(result, fetch) for result in block.results]

    def is_needed(self, statement: Statement) -> bool:
        return statement in self.live.statements

    def fetch_kept(self, value: Value, marker: Restore, out: list) -> None:
        """Read a value from the place that holds it, before the place is restored."""
        store = marker.of
        assert isinstance(store, Store)
        site = Site(store, "after")
        cache: dict[Value, Operand] = {}

        def fetch(operand: Operand) -> Operand:
            return substitute(operand, lambda v: self.at_hand(v, site, out, cache, marker))

        again = Value(value.name, value.type)
        out.append(Load(fetch(store.ref), fetch(store.path), again, origin=marker.origin))
        self.popped[value] = again
        self.record.stands_for[again, value] = None

    def restore(self, marker: Restore, out: list) -> None:
        """Put back what a store overwrote."""
        statement = marker.of
        site = Site(statement, "after")
        cache: dict[Value, Operand] = {}
        origin = marker.origin

        def fetch(operand: Operand) -> Operand:
            return substitute(operand, lambda v: self.at_hand(v, site, out, cache, marker))

        ref = fetch(statement.ref)
        match statement:
            case Store(path=path) | Accumulate(path=path):
                place = fetch(path)
                out.append(Store(ref, place, self.old_value(statement), origin=origin))
            case Append(at=at):
                item = statement.ref.type.target.item
                out.append(Pop(ref, Value(None, item), fetch(at), origin=origin))
            case Pop(at=at):
                out.append(Append(ref, self.old_value(statement), fetch(at), origin=origin))
        self.record.restores[out[-1]] = statement, self.old.get(statement)

    def old_value(self, statement: Statement) -> Operand:
        old = self.old[statement]
        if old in self.popped:
            return self.popped[old]
        return self.export(old)

    def at_hand(self, value: Value, site: Site, out: list, cache: dict, user: Any) -> Operand:
        """An operand that equals the forward value, at this site; writes what it takes."""
        if value not in self.record.home:
            return value
        if value in self.popped:
            return self.popped[value]
        made = self.record.definition.get(value)
        if self.outside_loops(value):
            if not (
                isinstance(made, Load) and self.would_copy(made) and self.can_reload(made, site)
            ):
                return self.export(value)
        if value in cache:
            return cache[value]
        origin = user.origin if user is not None else (made.origin if made else None)

        def fetch(operand: Operand) -> Operand:
            return substitute(operand, lambda v: self.at_hand(v, site, out, cache, user))

        match made:
            case Load(ref=ref, path=path):
                again = Value(None, value.type, value.name or value.hint)
                out.append(Load(fetch(ref), fetch(path), again, origin=origin))
            case View(fn=fn, ref=ref, args=args, keywords=keywords):
                again = Value(value.name, value.type)
                out.append(
                    View(
                        fn,
                        fetch(ref),
                        [fetch(a) for a in args],
                        {k: fetch(v) for k, v in keywords.items()},
                        again,
                        origin=origin,
                    )
                )
            case Op(fn=fn, args=args, keywords=keywords):
                again = Value(None, value.type, value.name or value.hint)
                out.append(
                    Op(
                        fn,
                        [fetch(a) for a in args],
                        {k: fetch(v) for k, v in keywords.items()},
                        [again],
                        origin=origin,
                    )
                )
            case _:
                raise AssertionError(f"{value!r} is not at hand at {site}")
        cache[value] = again
        self.record.stands_for[again, value] = None
        return again

    def fetcher(self, site: Site, out: list, cache: dict, user: Any) -> Callable[[Value], Operand]:
        """What gives an operand for a value that is read at a site."""

        def fetch(value: Value) -> Operand:
            found = self.at_hand(value, site, out, cache, user)
            if value in self.record.home:
                self.record.stands_for[found, value] = None
            return found

        return fetch

    def export(self, value: Value) -> Value:
        """Hand a value out of the branches in which it is defined."""
        block = self.record.home[value]
        while block in self.record.owner:
            statement = self.record.owner[block]
            assert isinstance(statement, If), value
            key = (value, block)
            if key not in self.exported:
                out = Value(value.name, value.type)
                statement.outs.append(out)
                for branch in (statement.then, statement.orelse):
                    branch.results.append(value if branch is block else UNBOUND)
                self.exported[key] = out
                self.record.home[out] = self.record.place[statement]
                self.record.definition[out] = statement
            value = self.exported[key]
            block = self.record.place[statement]
        return value


def walk_backward(function: Function, record: Record) -> list[Statement]:
    """The statements of the backward sweep, outer before inner."""
    found: list[Statement] = []
    for statement in function.body.statements:
        if statement in record.backward:
            found.append(statement)
            for inner in blocks(statement):
                found += walk(inner)
    return found


def stack_name(name: str | None) -> str | None:
    return f"{name}_saved" if name else None


def saved_name(name: str | None) -> str | None:
    return f"{name}_old" if name else "old"


__all__ = ["Range", "Raise", "Record", "Site", "Constant", "place", "type_of"]
