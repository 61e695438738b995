"""What a backward sweep reads again from memory is what the forward sweep read there.

The second verifier.  `passes.saving` claims of some values in the backward sweep that they equal a
value of the forward sweep: one that is loaded again from memory which the sweep has rolled back,
computed again from such values, or popped from a list.  `Proof` proves each claim from the
structure of the IR; it raises `VerifyError` where it cannot.  It shares no table with the decisions
that it checks, and no code but the comparison of places, which is tested by itself.

*The cursor.*  A position in the backward sweep lies in a mirror block, that one in another, and so
on outwards; each mirrors a block of the forward sweep, in the same trip of the same loops.  Forward
stores are *undone* by a statement of the mirror block of their own block, so a store is undone at a
position if, in the innermost block that both share, what undoes it stands before the position.  All
trips that ran later are undone, if the store ever is; no trip that ran earlier is.  Memory then is
in the state in which a load found it if exactly the stores that ran after the load are undone:

    after the load, and undone          before the load, and not undone

Any other store to the class must write another place (`apart`), or other memory of the same class
(`is_born_within`).

Which blocks mirror which is believed, as are rules, adjoints, and the number of trips of loops that
stop themselves.  What each list of saved values holds is checked.
"""

from __future__ import annotations

from typing import Any, Protocol

from adcompiler.analysis.classes import alias_classes
from adcompiler.analysis.places import Places
from adcompiler.analysis.sweep import MUTATIONS, Sweep, Way, common, order
from adcompiler.ir import types as T
from adcompiler.ir.infer import type_of
from adcompiler.ir.nodes import (
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
    Path,
    Pop,
    Slice,
    Statement,
    Store,
    Value,
    View,
    blocks,
    defined,
    leaves,
    operands,
    walk,
)
from adcompiler.ir.verify import fault


class Claims(Protocol):
    """What is said of a backward sweep (`saving.Record`)."""

    mirrors: dict[Block, Block]
    """From a mirror block to the forward block that it mirrors."""
    indices: dict[Value, tuple[Value, Block]]
    """From the index of a forward loop to that of its mirror."""
    place: dict[Statement, Block]
    """The statements of the forward sweep."""
    stands_for: dict[tuple[Value, Value], None]
    """What the backward sweep reads, each with the forward value that it equals."""
    restores: dict[Statement, tuple[Statement, Value | None]]
    """From what undoes a store to the store, and the value that held what it overwrote."""


class StateVerifier:
    """Proves each backward sweep once it is written, and again when a later stage is checked."""

    def __init__(self) -> None:
        self.latest: tuple[Function, Proof] | None = None

    def placed(self, function: Function, claims: Claims) -> None:
        proof = Proof(function, claims)
        proof.check()
        self.latest = function, proof

    def check(self, function: Function) -> None:
        if self.latest is not None and self.latest[0] is function:
            self.latest[1].check()


class Proof:
    """The forward sweep as it was when saving was decided, and what was claimed of its mirror."""

    def __init__(self, function: Function, claims: Claims) -> None:
        self.function = function
        self.claims = claims
        body = function.body
        top = body.statements
        end = max((k + 1 for k, s in enumerate(top) if s in claims.place), default=0)
        self.forward = set(top[:end])
        self.sweep = Sweep(body, top[:end], alias_classes(function))
        self.places = Places(self.sweep)
        self.index_of = {mirror: index for index, (mirror, _) in claims.indices.items()}
        self.equals: dict[tuple[Value, Value], dict[Block, None]]
        self.equals = {pair: {function.body: None} for pair in claims.stands_for}
        """Claims, each for the trips and branches on which one of its blocks ran."""
        self.placed_in: dict[Statement, Block] = {}
        """The mirror block in which a statement was at first."""
        self.read: dict[Statement, tuple[Any, list[Value]]] = {}
        """The function and the operands of statements of the backward sweep, when last seen."""
        self.loads: set[Value] = set()
        """What was ever loaded in the backward sweep."""
        self.shown: set[tuple[Any, Any]] = set()
        """What holds whatever becomes of memory: proved once, believed after later passes, which
        may compute an index in another way."""

    # -- the backward sweep as it is now ------------------------------------------------------

    def check(self) -> None:
        """Raise unless every claim about what is left of the program holds."""
        body = self.function.body
        self.alive = set(walk(body))
        self.sweep.see(self.alive, alias_classes(self.function))
        self.at: dict[Statement, Way] = {}
        self.maker: dict[Value, Statement] = {}
        self.flags: set[Value] = set()
        self.mirrors: list[tuple[Statement, Block]] = []
        self.locate(body, [s for s in body.statements if s not in self.forward], ())
        self.undone: dict[Any, Way] = {}
        self.reread: set[int] = set()
        for statement, (store, old) in self.claims.restores.items():
            if statement in self.at and store in self.alive:
                self.need(statement, self.undoes(statement, store, old))
                self.undone[store] = self.at[statement]
        for statement, (store, _) in self.claims.restores.items():
            if statement in self.at and store in self.undone:
                self.need(statement, self.in_turn(statement, store))
        for statement, mirror in self.mirrors:
            self.need(statement, self.runs_otherwise(statement, mirror))
        self.follow_merges()
        for (value, forward), given in self.equals.items():
            made = self.maker.get(value) or self.sweep.made.get(value)
            if made is not None and made in self.alive and value is not forward:
                for block in given:
                    self.sweep.given = self.sweep.way_into(block)
                    self.need(made, self.differs(value, forward))
        self.sweep.given = ()
        watched = {self.sweep.classes[store.ref] for store in self.undone} | self.reread
        for statement in self.at:
            if isinstance(statement, MUTATIONS) and statement not in self.claims.restores:
                if self.sweep.classes.get(statement.ref) in watched:
                    self.need(statement, "it writes memory that is read again")

    def follow_merges(self) -> None:
        """A load that took the place of another stands for what that one stood for."""
        goals: dict[Value, list[Value]] = {}
        for value, forward in self.equals:
            goals.setdefault(value, []).append(forward)
        for statement in self.at:
            read = [v for operand in operands(statement) for v in leaves(operand)]
            kind = getattr(statement, "fn", None)
            before = self.read.get(statement, (None, []))
            self.read[statement] = kind, read
            if kind is not before[0] or len(read) != len(before[1]):
                continue
            for old, new in zip(before[1], read, strict=True):
                if old is not new and old not in self.maker and old in goals:
                    made = self.maker.get(new) or self.sweep.made.get(new)
                    if isinstance(made, Load) and old in self.loads:
                        block = self.forward_blocks(self.at[statement])[-1]
                        for forward in goals[old]:
                            self.equals.setdefault((new, forward), {})[block] = None

    def need(self, statement: Statement, why: str) -> None:
        if why:
            raise fault(self.function, statement, why)

    def locate(self, mirror: Block, statements: list[Statement], way: Way) -> None:
        """Note where each statement of a mirror block is."""
        for at, statement in enumerate(statements):
            # What was taken out of a branch is still the mirror of what that branch mirrored.
            block = self.placed_in.setdefault(statement, mirror)
            here = (*way, (mirror, at)) if block is mirror else (*way, (mirror, at), (block, at))
            self.note(statement, here)
            for inner in blocks(statement):
                if inner in self.claims.mirrors:
                    self.flags.update(inner.params)
                    self.mirrors.append((statement, inner))
                    self.locate(inner, inner.statements, here)
                else:  # written by a rule: all at one moment
                    for nested in walk(inner):
                        self.note(nested, here)

    def note(self, statement: Statement, here: Way) -> None:
        self.at[statement] = here
        for value in defined(statement):
            self.maker[value] = statement
            if isinstance(statement, Load):
                self.loads.add(value)

    def runs_otherwise(self, statement: Statement, mirror: Block) -> str:
        """Why a mirror block may run when what it mirrors did not; later passes may rewrite tests.

        A branch on what the mirror loop carries asks whether this is the last trip of a loop that
        stops itself.
        """
        forward = self.claims.mirrors[mirror]
        original = self.sweep.owner[forward]
        key = (mirror, forward)
        if key in self.shown:
            return ""
        self.shown.add(key)
        match statement, original:
            case If(test=test), If():
                if test in self.flags:
                    return ""
                if (statement.then is mirror) != (original.then is forward):
                    return "its branches are swapped"
                return self.same(test, original.test)
            case Loop(domain=domain), Loop(domain=whole, stops=stops):
                if whole is None or stops:
                    return ""
                if domain.reverse == whole.reverse:
                    return "it runs in the same direction as the loop that it mirrors"
                ends = zip(
                    (domain.start, domain.stop, domain.step),
                    (whole.start, whole.stop, whole.step),
                    strict=True,
                )
                return next(filter(None, (self.same(a, b) for a, b in ends)), "")
        return "it is of another kind than what it mirrors"

    # -- what undoes stores -------------------------------------------------------------------

    def undoes(self, statement: Any, store: Any, old: Value | None) -> str:
        """Why a statement does not put back what a store changed, at the moment of the store."""
        if self.forward_blocks(self.at[statement]) != [
            block for block, _ in self.sweep.ways[store]
        ]:
            return "it does not stand in the mirror of the store that it undoes"
        if (statement, store) in self.shown:
            return ""
        self.shown.add((statement, store))
        why = self.same(statement.ref, store.ref)
        match statement, store:
            case Store(), Store() | Accumulate():
                made = self.sweep.made.get(old) if old is not None else None
                if not (isinstance(made, Load) and self.is_quiet(made, store)):
                    return "what it puts back was not read right before the store"
                return (
                    why
                    or self.same(statement.path, store.path)
                    or self.same(made.ref, store.ref)
                    or self.same(made.path, store.path)
                    or self.same(statement.value, old)
                )
            case Append(), Pop():
                return (
                    why
                    or self.same(statement.value, store.out)
                    or self.same_place(statement, store)
                )
            case Pop(), Append():
                return why or self.same_place(statement, store)
        return "it is of another kind than the store that it undoes"

    def same_place(self, statement: Append | Pop, store: Append | Pop) -> str:
        """Why a list may be changed at another place than it was."""
        if statement.at is None and store.at is None:
            return ""
        return self.same(statement.at, store.at)

    def in_turn(self, statement: Statement, store: Any) -> str:
        """Why a store is not undone in its turn: after those that ran later.

        Lists are undone at their end, so all that happened to them must be undone.
        """
        if isinstance(store, (Append, Pop)):
            return self.differing_state(self.at[statement], store.ref, None, self.sweep.ways[store])
        for other in self.sweep.stores(store.ref):
            if other is store or other not in self.undone:
                continue
            depth = common(self.sweep.ways[store], [block for block, _ in self.sweep.ways[other]])
            mine, its = self.sweep.ways[store][depth][1], self.sweep.ways[other][depth][1]
            undone, also = self.undone[store][depth][1], self.undone[other][depth][1]
            if mine < its and undone < also:
                shared = [block for block, _ in self.sweep.ways[store][: depth + 1]]
                if not self.places.apart(other, store.ref, store.path, shared):
                    return f"it is undone before {show(other)}, which ran later"
        return ""

    # -- what is read again -------------------------------------------------------------------

    def same(self, operand: Operand, forward: Operand) -> str:
        """Why an operand of the backward sweep may differ from one of the forward sweep."""
        operand, forward = self.sweep.final(operand), self.sweep.final(forward)
        if operand is forward:
            return ""
        match operand, forward:
            case Value(), Value():
                if (operand, forward) in self.equals:
                    return ""  # looked at on its own
                return self.differs(operand, forward)
            case Constant(value=a), Constant(value=b):
                if a is b or (type(a) is type(b) and repr(a) == repr(b)):
                    return ""
            case (tuple(), tuple()) | (list(), list()):
                if len(operand) == len(forward):
                    pairs = zip(operand, forward, strict=True)
                    return next(filter(None, (self.same(a, b) for a, b in pairs)), "")
            case Slice(), Slice():
                return (
                    self.same(operand.start, forward.start)
                    or self.same(operand.stop, forward.stop)
                    or self.same(operand.step, forward.step)
                )
        return f"{operand!r} is not {forward!r}"

    def differs(self, value: Value, forward: Value) -> str:
        """Why a value of the backward sweep may differ from a forward value, on the same trip."""
        if self.index_of.get(value) is forward or (value, forward) in self.shown:
            return ""
        statement = self.maker.get(value) or self.sweep.made.get(value)
        made = self.sweep.made.get(forward)
        why = f"{value!r} is not {forward!r}"
        match statement, made:
            case Load(), _ if statement in self.at:
                return self.reread_differs(statement, forward)
            case Load(), _:
                for place in self.places_of(forward, statement.out):
                    if self.is_quiet(place, statement) or self.is_quiet(statement, place):
                        why = self.same(statement.ref, place.ref)
                        why = why or self.same(statement.path, place.path)
                        if not why:
                            break
            case (Op(), Op()) | (View(), View()):
                why = self.call_differs(statement, made)
            case Pop(), _:
                why = self.not_popped(statement, forward)
            case If(outs=outs, then=then, orelse=orelse), _ if statement not in self.at:
                # Handed out of the branch that makes it.
                k = outs.index(value)
                block = self.sweep.home[forward]
                arms = [a for a in (then, orelse) if self.sweep.is_inside(block, a)]
                if arms:
                    why = self.same(arms[0].results[k], forward)
        if not why and len(self.sweep.given) < 2:
            self.shown.add((value, forward))
        return why

    def call_differs(self, statement: Any, made: Any) -> str:
        if statement.fn is not made.fn or statement.keywords.keys() != made.keywords.keys():
            return f"{show(statement)} is computed otherwise than {show(made)}"
        if isinstance(made, Op) and (made.effect or len(made.outs) != 1):
            return f"{show(made)} runs once"
        pairs = [(statement.keywords[k], made.keywords[k]) for k in made.keywords]
        if isinstance(made, View):
            pairs.append((statement.ref, made.ref))
        if len(statement.args) != len(made.args):
            return f"{show(statement)} is computed otherwise than {show(made)}"
        pairs += zip(statement.args, made.args, strict=True)
        for ref in (v for arg in made.args for v in leaves(arg) if isinstance(made, Op)):
            if T.is_ref(ref.type) and not isinstance(ref.type.target, T.Array):
                # The length of a list is a state of it.
                if statement not in self.at:
                    return f"{show(statement)} is computed at another time than {show(made)}"
                why = self.differing_state(self.at[statement], ref, None, self.sweep.ways[made])
                if why:
                    return why
        return next(filter(None, (self.same(a, b) for a, b in pairs)), "")

    def not_popped(self, pop: Pop, forward: Value) -> str:
        """Why what is popped may not be what was appended in the trip that is mirrored."""
        uses = [s for s in self.alive if isinstance(s, MUTATIONS) and s.ref is pop.ref]
        pushes = [s for s in uses if isinstance(s, Append) and s in self.sweep.ways]
        born = self.sweep.made.get(pop.ref)
        if len(uses) != 2 or len(pushes) != 1 or not isinstance(born, New) or born.source != []:
            return f"{pop.ref!r} is no list of saved values"
        (push,) = pushes
        if [b for b, _ in self.sweep.ways[push]] != self.forward_blocks(self.at[pop]):
            return f"{pop.ref!r} is not popped in the mirror of the block that appends to it"
        return self.same(push.value, forward)

    def reread_differs(self, load: Load, forward: Value) -> str:
        """Why a load of the backward sweep may find something else than the forward value.

        The forward value was loaded from there, or is a number that was stored there.
        """
        why = f"{forward!r} was in no memory"
        for place in self.places_of(forward, load.out):
            why = ""
            if (load, place) not in self.shown:
                why = self.same(load.ref, place.ref) or self.same(load.path, place.path)
            why = why or self.differing_state(
                self.at[load], place.ref, place.path, self.sweep.ways[place]
            )
            if not why:
                self.shown.add((load, place))
                self.reread.add(self.sweep.classes[place.ref])
                return ""
        return why

    def places_of(self, forward: Value, out: Value) -> list[Any]:
        """The statements after which a forward value is in memory, so that a load gives `out`."""
        made = self.sweep.made.get(forward)
        places: list[Any] = [made] if isinstance(made, Load) else []
        return places + [
            s
            for stores in self.sweep.mutations.values()
            for s in stores
            if isinstance(s, Store) and s.value is forward and holds(s, out)
        ]

    def is_quiet(self, place: Load | Store, until: Statement) -> bool:
        """Whether no store to a place runs between a statement that tells what it holds and a later
        one, in one trip of the loops around both."""
        one, two = self.sweep.ways[place], self.sweep.ways[until]
        around = [block for block, _ in one]
        depth = common(two, around)
        if order(two, one) <= 0:
            return False
        for store in self.sweep.stores(place.ref):
            way = self.sweep.ways[store]
            inner = common(way, around)
            between = order(way, one) > 0 and order(way, two) < 0 and store is not until
            if between and not self.places.apart(store, place.ref, place.path, around[: inner + 1]):
                return False
            for k in range(depth + 1, inner + 1):
                loop = self.sweep.owner[around[k]]
                if isinstance(loop, Loop) and not self.places.apart(
                    store, place.ref, place.path, around[:k], loop, 1
                ):
                    return False
            if self.sweep.share_loop(way, two, depth) and not self.places.apart(
                store, place.ref, place.path, around[: min(depth, inner) + 1]
            ):
                return False
        return True

    # -- the cursor ---------------------------------------------------------------------------

    def forward_blocks(self, here: Way) -> list[Block]:
        return [self.claims.mirrors.get(mirror, mirror) for mirror, _ in here]

    def differing_state(self, here: Way, ref: Value, path: Path | None, moment: Way) -> str:
        """Why memory at a position of the backward sweep may differ from what it was at a moment.

        The moment is right after a forward statement.  A path restricts the question to one place;
        without one, it is about the length of a list, which no store to an item changes.
        """
        mirrored = self.forward_blocks(here)
        level = common(moment, mirrored)
        root = self.sweep.classes[ref]
        for store in self.sweep.stores(ref):
            if path is None and isinstance(store, (Store, Accumulate)):
                continue
            way = self.sweep.ways[store]
            depth = common(way, mirrored)
            undone = self.undone.get(store)
            inner = self.sweep.owner[mirrored[depth + 1]] if depth + 1 < len(mirrored) else None
            other_side = inner is not None and self.sweep.ways[inner][-1][1] == way[depth][1]
            later = order(way, moment)
            if self.sweep.share_loop(way, moment, level):
                if self.places.apart(store, ref, path, mirrored[: min(depth, level) + 1]):
                    continue  # on any of its trips
                return f"{show(store)} may change it in the loop in which it was read"
            if not other_side and (later or way == moment):
                is_undone = undone is not None and undone[depth][1] < here[depth][1]
                if (later > 0) != is_undone:
                    if not self.places.apart(store, ref, path, mirrored[: depth + 1]):
                        word = "is undone too soon" if is_undone else "is not undone"
                        return f"{show(store)} {word}"
            for k in range(1, depth + 1):
                loop = self.sweep.owner[mirrored[k]]
                if not isinstance(loop, Loop):
                    continue
                around = mirrored[:k]
                if undone is None and not self.sweep.is_born_within(root, loop):
                    if not self.places.apart(store, ref, path, around, loop, 1):
                        return f"{show(store)} is not undone in later trips"
                if level < k and not self.places.apart(store, ref, path, around, loop, -1):
                    return f"{show(store)} is not undone in earlier trips"
        return ""


def holds(store: Store, value: Value) -> bool:
    """Whether a store of a number to one place leaves it as it is, so that a load finds it."""
    kind = T.target(store.ref.type)
    number = type_of(store.value)
    if not (isinstance(value.type, T.Scalar) and isinstance(number, T.Scalar)):
        return False
    if isinstance(kind, T.List):
        return True
    dtype = number.dtype or {"float": "float64", "int": "int64"}.get(number.kind, number.kind)
    one = [isinstance(type_of(index), T.Scalar) for index in store.path]
    return isinstance(kind, T.Array) and kind.dtype == dtype and all(one) and kind.rank == len(one)


def show(statement: Any) -> str:
    """A statement in an error message: the user's text, if it has one."""
    origin = statement.origin
    text = origin.text.strip().partition("\n")[0] if origin is not None else ""
    return f"`{text}`" if text else type(statement).__name__
