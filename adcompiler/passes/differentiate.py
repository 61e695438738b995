"""Reverse mode: append to a function the sweep that computes its adjoints.

Each block of the forward sweep gets a *mirror block*, in which every statement is answered in
reverse order: an operation by its rule, a branch by a branch, a loop by the reversed loop, memory
by its *shadow*.  The mirror refers to forward values freely; `passes.saving` then decides how each
of them gets there.

Before::

    f(x): y = np.sin(x); z = y * x; return z

After::

    f(x): y = np.sin(x); z = y * x
          y_bar = x; x_bar = y; x_bar_2 = x_bar + y_bar * np.cos(x)
          return x_bar_2

Speelpenning, "Compiling fast partial derivatives of functions given by algorithms" (1980);
Griewank & Walther, "Evaluating Derivatives" (2008), chapters 3 and 5.
"""

from __future__ import annotations

import contextlib
import functools
import operator
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from adcompiler import errors, runtime
from adcompiler.analysis.activity import Activity, memory_classes
from adcompiler.ir import types as T
from adcompiler.ir.infer import dim_of, is_pure, place_type, type_of
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
    Range,
    Restore,
    Statement,
    Store,
    Value,
    View,
    blocks,
    dimension,
    is_none,
    leaves,
    operands,
    walk,
)
from adcompiler.passes import saving
from adcompiler.passes.builder import ONE, ZERO, Builder, bind_rule, is_python_number
from adcompiler.passes.calls import Pairs, refuse_again
from adcompiler.passes.saving import Site
from adcompiler.passes.simplify import dead_code, use_first_of_equals
from adcompiler.rules import book


def reverse(
    function: Function,
    wrt: list[Value],
    seeds: list[Operand | None],
    keep: list[Operand],
    name: str,
) -> Function:
    """The function that computes `keep` (primal results) and the adjoints of `wrt`.

    `seeds` are the adjoints of the function's results (None: it does not count).  The function is
    consumed: its body becomes the forward sweep.
    """
    sweep = _Reverse(function, wrt, seeds)
    body = sweep.run(keep)
    result = Function(name, body)
    use_first_of_equals(result)
    saving.place(result, sweep.record)
    dead_code(result)
    return result


@dataclass(slots=True)
class _Mirror:
    """A mirror block under construction: births at its head, then its statements."""

    block: Block
    head: Block = field(default_factory=Block)


class _Writer(Builder):
    """A builder that notes, for each statement, the forward position that it mirrors."""

    def __init__(self, record: saving.Record) -> None:
        super().__init__()
        self.record = record
        self.site = Site(None, "end")
        self.sources: dict[T.Dim, tuple[Value, int]] = {}
        """Where a symbolic length can be read: an axis of a parameter."""

    def maker(self, x: Any) -> Op | None:
        made = self.definition.get(x) or self.record.definition.get(x)
        return made if isinstance(made, Op) else None

    def known_length(self, dim: T.Dim) -> tuple[Value, int] | None:
        return self.sources.get(dim)

    def add(self, statement: Statement) -> None:
        super().add(statement)
        self.record.sites[statement] = self.site


class _Reverse:
    def __init__(
        self,
        function: Function,
        wrt: list[Value],
        seeds: list[Operand | None],
        pairs: Pairs | None = None,
    ) -> None:
        self.pairs = pairs or Pairs()
        self.function = function
        self.wrt = wrt
        self.seeds = seeds
        self.classes = memory_classes(function)
        graph = Activity(function, self.classes)
        counted = [
            v
            for result, seed in zip(function.body.results, seeds, strict=True)
            if seed is not None
            for v in leaves(result)
        ]
        self.is_active = graph.active(wrt, counted)
        self.record = saving.Record(function, self.classes)
        self.writer = _Writer(self.record)
        self.adjoint: dict[Value, Operand] = {}
        self.buffers: dict[Value, Value] = {}
        self.sunk: dict[Value, Value] = {}
        self.loose: set[Value] = set()
        """Values whose adjoint may be the number 0 where it should be an array of zeros."""
        self.carried_shadow: dict[Value, Value] = {}
        self.own: set[Statement] = set()
        """Statements of the forward sweep that differentiating added: not mirrored."""
        self.mirrors: dict[Block, _Mirror] = {}
        self.flags: dict[If, tuple[Value, bool]] = {}
        self.trips: dict[Loop, tuple[Value, bool, Operand]] = {}
        self.has_complex = any(
            _is_complex(type_of(leaf))
            for statement in walk(function.body)
            for operand in operands(statement)
            for leaf in (operand, *leaves(operand))
        )
        self.check_numbers()
        self.refuse_saved(graph.varied(wrt))
        self.find_lengths()
        self.dynamic = self.dynamic_classes()

    # -- preparations -------------------------------------------------------------------------

    def refuse_saved(self, varies: Callable[[Any], bool]) -> None:
        """What a forward half saves in a tuple carries a derivative that is not taken apart."""
        for statement in walk(self.function.body):
            if isinstance(statement, Op) and isinstance(statement.fn, Function):
                saves = any(
                    isinstance(out.type, T.Object) and out.type.cls is tuple
                    for out in statement.outs
                )
                if saves and any(map(varies, leaves(statement.args))):
                    raise refuse_again(statement.origin.position if statement.origin else None)

    def check_numbers(self) -> None:
        refuse_complex(self.function, self.is_active)

    def find_lengths(self) -> None:
        """Where a symbolic length can be read: an axis of a parameter."""
        for param in self.function.params:
            kind = T.target(param.type)
            if isinstance(kind, T.Array) and kind.shape is not None:
                for axis, dim in enumerate(kind.shape):
                    self.writer.sources.setdefault(dim, (param, axis))

    def dynamic_classes(self) -> set:
        """Classes whose references meet at joins or live in lists: their shadows go along."""
        found = set()
        for statement in walk(self.function.body):
            match statement:
                case If(outs=outs) | Loop(outs=outs):
                    met = [*outs, *(statement.carried if isinstance(statement, Loop) else ())]
                    found |= {self.classes.find(v) for v in met if T.is_ref(v.type)}
                case Append(value=value) | Store(value=value):
                    found |= {self.classes.find(v) for v in leaves(value) if T.is_ref(v.type)}
                case Pop(out=out) | Load(out=out):
                    if T.is_ref(out.type):
                        found.add(self.classes.find(out))
        # A list of references needs a shadow that holds their shadows.
        for statement in walk(self.function.body):
            match statement:
                case Append(ref=ref, value=value) | Store(ref=ref, value=value):
                    if any(T.is_ref(v.type) for v in leaves(value)):
                        found.add(self.classes.find(ref))
                case New(source=source, out=out):
                    held = {self.classes.find(v) for v in leaves(source) if T.is_ref(v.type)}
                    if held:
                        found |= {self.classes.find(out), *held}
                case Pop(ref=ref, out=out) | Load(ref=ref, out=out):
                    if T.is_ref(out.type):
                        found.add(self.classes.find(ref))
        return found

    def has_carried_shadow(self, ref: Operand) -> bool:
        return (
            isinstance(ref, Value)
            and T.is_ref(ref.type)
            and self.classes.find(ref) in self.dynamic
            and self.is_active(ref)
        )

    def holds_references(self, ref: Value) -> bool:
        kind = T.target(ref.type)
        return isinstance(kind, T.List) and T.is_ref(kind.item)

    # -- shadows that are born in the forward sweep --------------------------------------------

    def carry_shadows(self, block: Block) -> None:
        """Put shadows beside the references of dynamic classes, in the forward sweep."""
        out: list[Statement] = []
        for statement in block.statements:
            out.append(statement)
            match statement:
                case New(out=ref) if self.has_carried_shadow(ref):
                    self.born_beside(statement, out)
                case View(ref=ref, out=view) if self.has_carried_shadow(ref):
                    shadow = self.shadow_value(view)
                    self.insert(
                        out,
                        statement,
                        View(
                            statement.fn,
                            self.carried_shadow[ref],
                            statement.args,
                            statement.keywords,
                            shadow,
                        ),
                    )
                case Append(ref=ref) | Store(ref=ref) if self.holds_references(
                    ref
                ) and not self.has_carried_shadow(ref):
                    pass  # nothing is taken out of the list
                case Append(ref=ref, value=value, at=at) if self.has_carried_shadow(value):
                    self.insert(
                        out,
                        statement,
                        Append(self.carried_shadow[ref], self.carried_shadow[value], at),
                    )
                case Append(ref=ref, value=value, at=at) if self.has_carried_shadow(ref):
                    # A list of numbers or arrays: its shadow has a zero for each of them.
                    zero = self.zero_item(value, statement, out)
                    self.insert(out, statement, Append(self.carried_shadow[ref], zero, at))
                case Pop(ref=ref, out=item, at=at) if self.has_carried_shadow(ref) and not T.is_ref(
                    item.type
                ):
                    dropped = Value(None, item.type)
                    self.insert(out, statement, Pop(self.carried_shadow[ref], dropped, at))
                case Load(ref=ref, path=path, out=item) if self.has_carried_shadow(item):
                    shadow = self.shadow_value(item)
                    self.insert(out, statement, Load(self.carried_shadow[ref], path, shadow))
                case Store(ref=ref, path=path, value=value) if self.has_carried_shadow(value):
                    self.insert(
                        out,
                        statement,
                        Store(self.carried_shadow[ref], path, self.carried_shadow[value]),
                    )
                case Pop(ref=ref, out=item, at=at) if self.has_carried_shadow(item):
                    shadow = self.shadow_value(item)
                    self.insert(out, statement, Pop(self.carried_shadow[ref], shadow, at))
                case If():
                    self.carry_shadows(statement.then)
                    self.carry_shadows(statement.orelse)
                    rows = list(
                        zip(
                            statement.outs,
                            statement.then.results,
                            statement.orelse.results,
                            strict=True,
                        )
                    )
                    for ref, a, b in rows:
                        if self.has_carried_shadow(ref):
                            statement.outs.append(self.shadow_value(ref))
                            statement.then.results.append(self.shadow_operand(a))
                            statement.orelse.results.append(self.shadow_operand(b))
                case Loop():
                    chosen = [
                        k for k, ref in enumerate(statement.outs) if self.has_carried_shadow(ref)
                    ]
                    params = list(statement.carried)
                    for k in chosen:
                        statement.inits.append(self.shadow_operand(statement.inits[k]))
                        statement.body.params.append(self.shadow_value(params[k]))
                    self.carry_shadows(statement.body)
                    following = list(statement.next)
                    for k in chosen:
                        statement.body.results.append(self.shadow_operand(following[k]))
                        statement.outs.append(self.shadow_value(statement.outs[k]))
        block.statements = out

    def insert(self, out: list, beside: Statement, made: Statement) -> None:
        made.origin = beside.origin
        self.own.add(made)
        out.append(made)

    def shadow_value(self, ref: Value) -> Value:
        shadow = Value(bar(ref.name), ref.type)
        self.carried_shadow[ref] = shadow
        self.classes.find(shadow)
        return shadow

    def shadow_operand(self, ref: Operand) -> Operand:
        return self.carried_shadow[ref] if isinstance(ref, Value) else ref

    def zero_item(self, item: Operand, beside: Statement, out: list) -> Operand:
        """A zero like an item of a list."""
        if isinstance(type_of(item), T.Scalar):
            return ZERO
        zero = Value(None, type_of(item))
        self.insert(out, beside, Op(runtime.zeros_like, [item], {}, [zero]))
        return zero

    def born_beside(self, statement: New, out: list) -> None:
        ref = statement.out
        shadow = self.shadow_value(ref)
        if isinstance(ref.type.target, T.List) and not self.holds_references(ref):
            source = statement.source
            if isinstance(source, list):
                zeros: Operand = [self.zero_item(item, statement, out) for item in source]
            else:
                zeros = Value(None, ref.type.target)
                self.insert(out, statement, Op(runtime.zeros_like, [source], {}, [zeros]))
            self.insert(out, statement, New(zeros, shadow))
            return
        if self.holds_references(ref):
            items = statement.source if isinstance(statement.source, list) else []
            self.insert(out, statement, New([self.shadow_operand(i) for i in items], shadow))
            return
        zeros = Value(None, ref.type.target)
        self.insert(out, statement, Op(np.zeros_like, [ref], {}, [zeros]))
        self.insert(out, statement, New(zeros, shadow))

    # -- trip counts --------------------------------------------------------------------------

    def count_trips(self, block: Block) -> None:
        """Loops that stop themselves count their trips."""
        for statement in block.statements:
            for inner in blocks(statement):
                self.count_trips(inner)
            if isinstance(statement, Loop) and statement.stops:
                self.count(statement)

    def count(self, loop: Loop) -> None:
        decision, stops_in_then = stopping_branch(loop)
        endless = loop.domain is None
        trip, out = Value("trips", T.INT), Value("trips", T.INT)
        last = loop.body.statements and loop.body.statements[-1] is decision
        if endless and decision is not None and last:
            # Only the trips that go on are counted; the one that stops is always there.
            goes_on = decision.orelse if stops_in_then else decision.then
            stopping = decision.then if stops_in_then else decision.orelse
            counted, joined = Value("trips", T.INT), Value("trips", T.INT)
            made = Op(operator.iadd, [trip, Constant(1)], {}, [counted], origin=loop.origin)
            goes_on.statements.append(made)
            goes_on.results.append(counted)
            stopping.results.append(trip)
            decision.outs.append(joined)
            following: Operand = joined
        else:
            counted = Value("trips", T.INT)
            made = Op(operator.iadd, [trip, Constant(1)], {}, [counted], origin=loop.origin)
            loop.body.statements.insert(0, made)
            following = counted
            last = False
        self.own.add(made)
        loop.inits.append(Constant(0))
        loop.body.params.append(trip)
        loop.body.results.append(following)
        loop.outs.append(out)
        stopped: Operand = Constant(True)
        if not endless and decision is not None:
            param, stopped = Value("stopped", T.BOOL), Value("stopped", T.BOOL)
            loop.inits.append(Constant(False))
            loop.body.params.append(param)
            loop.body.results.append(loop.body.results[0])
            loop.outs.append(stopped)
        self.trips[loop] = (out, bool(endless and decision is not None and last), stopped)

    # -- the sweep ----------------------------------------------------------------------------

    def run(self, keep: list[Operand]) -> Block:
        body = self.function.body
        if self.dynamic:
            self.carry_shadows(body)
        self.count_trips(body)
        self.record.find_homes()
        self.prepare_styles()
        forward = body.statements
        mirror = self.begin(body)
        writer = self.writer
        with writer.writing(mirror.block):
            last = forward[-1].origin if forward else None
            writer.at(last, mirror=True)
            for result, seed in zip(body.results, self.seeds, strict=True):
                if seed is not None and isinstance(result, Value):
                    self.contribute(result, seed)
            self.block(body)
            bars = []
            for value in self.wrt:
                writer.site = Site(None, "start")
                g = self.take(value)
                g = writer.zeros(value) if g is None else g
                if _is_complex(value.type) and _is_real(type_of(g)):
                    g = writer.op(operator.add, g, Constant(0j))
                bars.append(g)
                self.name_adjoint(bars[-1], value)
        backward = [*mirror.head.statements, *mirror.block.statements]
        self.record.backward = set(backward)
        body.params = body.params + self.seed_params()
        body.statements += backward
        body.results = [*keep, *bars]
        return body

    def seed_params(self) -> list[Value]:
        found: dict[Value, None] = {}
        for seed in self.seeds:
            for value in leaves(seed):
                found[value] = None
        return [v for v in found if v not in self.function.params]

    def begin(self, block: Block) -> _Mirror:
        mirror = _Mirror(Block())
        self.mirrors[block] = mirror
        self.record.mirrors[mirror.block] = block
        return mirror

    def finish(self, mirror: _Mirror) -> Block:
        mirror.block.statements[:0] = mirror.head.statements
        return mirror.block

    def prepare_styles(self) -> None:
        """Which array values have a buffer for their adjoint, to be accumulated into in place."""
        self.buffered: set[Value] = set()
        home = self.record.home

        def note(operand: Operand, block: Block) -> None:
            for value in leaves(operand):
                if isinstance(value.type, T.Array) and self.is_active(value):
                    if self.record.loops[block] != self.record.loops[home[value]]:
                        if not self.may_be_unbound(value):  # then its shape is not known
                            self.buffered.add(value)

        def visit(block: Block) -> None:
            for statement in block.statements:
                if isinstance(statement, Op):
                    if statement.fn is operator.getitem:
                        base = statement.args[0]
                        if isinstance(base, Value) and self.is_active(statement.outs[0]):
                            self.buffered.add(base)
                    if book.is_zero(statement.fn):
                        continue
                for operand in operands(statement):
                    note(operand, block)
                for inner in blocks(statement):
                    visit(inner)
                    for result in inner.results:
                        note(result, inner)

        visit(self.function.body)

    def block(self, block: Block) -> None:
        for statement in reversed(list(block.statements)):  # lengths may be inserted meanwhile
            if statement not in self.own:
                self.writer.at(statement.origin, mirror=True)
                self.writer.site = Site(statement, "before")
                try:
                    self.statement(statement)
                except errors.AdcompilerError as error:
                    raise located(error, statement) from None

    # -- adjoints of values -------------------------------------------------------------------

    def contribute(self, operand: Operand, g: Operand) -> None:
        """Add `g` to the adjoint of an operand."""
        if not isinstance(operand, Value) or not self.is_active(operand):
            return
        if _is_real(operand.type):
            if _is_complex(type_of(g)):
                g = self.writer.op(np.real, g)
            elif self.has_complex and isinstance(type_of(g), T.Unknown):
                out = Value(None, T.target(operand.type))
                self.writer.add(Op(runtime.cast, [g, operand], {}, [out]))
                g = out
        g = self.in_precision_of(operand, g)
        self.name_adjoint(g, operand)
        if operand in self.buffered:
            self.writer.add(Accumulate(self.buffer(operand), (), g))
            return
        old = self.adjoint.get(operand)
        if old is None:
            self.adjoint[operand] = g
            return
        if isinstance(old, Value) and old in self.writer.definition:
            old.name = None  # a part of the sum
        total = self.writer.op(operator.add, old, g)
        self.name_adjoint(total, operand)
        self.adjoint[operand] = total

    def in_precision_of(self, operand: Value, g: Operand) -> Operand:
        """An adjoint in the precision of its operand: a factor may be of another."""
        mine, wanted = type_of(g), operand.type
        if not isinstance(wanted, (T.Array, T.Scalar)) or wanted.kind != "float":
            return g
        if isinstance(wanted, T.Array) and isinstance(mine, T.Array):
            differs = None not in (mine.dtype, wanted.dtype) and mine.dtype != wanted.dtype
        else:
            single = wanted.dtype not in (None, "float64")
            differs = single and getattr(mine, "dtype", None) != wanted.dtype
        return self.writer.op(runtime.cast, g, operand) if differs else g

    def name_adjoint(self, g: Operand, operand: Value) -> None:
        """Call a nameless adjoint after what it is the adjoint of."""
        if isinstance(g, Value) and g.name is None and g not in self.record.home:
            g.name = bar(operand.name)

    def take(self, value: Value) -> Operand | None:
        """The adjoint of a value, complete now; None where it is zero."""
        if value in self.buffered:
            buffer = self.buffers.get(value)
            return None if buffer is None else self.load(buffer, (), value.type)
        return self.adjoint.pop(value, None)

    def load(self, ref: Value, path: tuple, type: Any) -> Value:
        out = Value(None, type)
        self.writer.add(Load(ref, path, out))
        return out

    @contextlib.contextmanager
    def at_head(self, home: Block):
        """Write at the head of the mirror of a block."""
        writer = self.writer
        site = writer.site
        writer.site = Site(None, "end", home)
        with writer.writing(self.mirrors[home].head):
            yield
        writer.site = site

    def buffer(self, value: Value) -> Value:
        """The buffer in which the adjoint of an array value is accumulated."""
        if value not in self.buffers:
            home = self.record.home[value]
            with self.at_head(home):
                ref = Value(bar(value.name), T.Ref(value.type))
                self.writer.add(New(self.zero_array(value, home), ref))
            self.buffers[value] = ref
        return self.buffers[value]

    def zero_array(self, like: Value, home: Block) -> Operand:
        """Zeros of the shape of `like`, at the head of the mirror of its block."""
        kind = T.target(like.type)
        if not self.record.loops[home] or not isinstance(kind, T.Array) or kind.shape is None:
            return self.writer.op(np.zeros_like, like)
        lengths = tuple(self.length(like, axis) for axis in range(len(kind.shape)))
        shape = lengths[0] if len(lengths) == 1 else lengths
        keywords = {}
        if kind.dtype != "float64":
            keywords["dtype"] = Constant(np.dtype(kind.dtype).type)
        out = self.writer.value(T.Array(kind.dtype, kind.shape, True))
        self.writer.add(Op(np.zeros, [shape], keywords, [out]))
        return out

    def length(self, array: Value, axis: int) -> Operand:
        """A length of an array that may not be at hand in the backward sweep."""
        dim = T.target(array.type).shape[axis]
        if dim.constant is not None:
            return Constant(dim.constant)
        if dim in self.writer.sources:
            source, place = self.writer.sources[dim]
            return self.writer.op(dimension, source, Constant(place))
        if dim in self.whole_numbers:
            return self.whole_numbers[dim]
        out = Value(None, T.Scalar("int", None, dim))
        made = Op(dimension, [array, Constant(axis)], {}, [out])
        self.record.insert_after(array, made)
        self.own.add(made)
        return out

    @functools.cached_property
    def whole_numbers(self) -> dict[T.Dim, Value]:
        """The integers that are at hand in the backward sweep, by what they are."""
        found: dict[T.Dim, Value] = {}
        for value, home in self.record.home.items():
            number = dim_of(value)
            if number is not None and home is self.function.body:
                found.setdefault(number, value)
        return found

    # -- adjoints of memory -------------------------------------------------------------------

    def shadow(self, ref: Value) -> Value:
        """The reference to the adjoint of what `ref` refers to."""
        if ref in self.carried_shadow:
            return self.carried_shadow[ref]
        made = self.record.definition[ref]
        if isinstance(made, View):
            out = Value(bar(ref.name), ref.type)
            self.writer.add(View(made.fn, self.shadow(made.ref), made.args, made.keywords, out))
            return out
        if ref not in self.sunk:
            home = self.record.home[ref]
            with self.at_head(home):
                out = Value(bar(ref.name), ref.type)
                kind = ref.type.target
                if isinstance(kind, T.List):
                    items = self.load(ref, (), kind)
                    zeros = self.writer.value(kind)
                    self.writer.add(Op(runtime.zeros_like, [items], {}, [zeros]))
                else:
                    zeros = self.zero_array(ref, home)
                self.writer.add(New(zeros, out))
            self.sunk[ref] = out
        return self.sunk[ref]

    # -- statements ---------------------------------------------------------------------------

    def statement(self, statement: Statement) -> None:
        match statement:
            case Op():
                self.op(statement)
            case New(source=source, out=ref):
                if self.is_active(ref) and not self.holds_references(ref):
                    self.birth(source, ref)
            case View() | Raise():
                pass
            case Load(ref=ref, path=path, out=out):
                if not T.is_ref(out.type) and self.is_active(out):
                    g = self.take(out)
                    if g is not None and isinstance(out.type, T.List):
                        raise self.refusal(
                            "a list of lists, read as a whole",
                            "its adjoint would be a list of lists too",
                            "make an array of it, or read it item by item",
                        )
                    if g is not None:
                        self.writer.add(Accumulate(self.shadow(ref), path, g))
            case Store():
                self.store(statement)
            case Accumulate(ref=ref, path=path, value=value):
                self.writer.add(Restore(statement))
                if self.is_active(ref) and self.is_active(value):
                    g = self.load(self.shadow(ref), path, place_type(statement, self.writer.fresh))
                    self.contribute(value, self.writer.fitted(g, value))
            case Append(ref=ref, value=value, at=at):
                self.writer.add(Restore(statement))
                if self.is_active(ref) and not self.holds_references(ref):
                    item = Value(None, T.target(ref.type).item)
                    self.writer.add(Pop(self.shadow(ref), item, at))
                    self.contribute(value, item)
            case Pop(ref=ref, out=out, at=at):
                self.writer.add(Restore(statement))
                if self.is_active(ref) and not self.holds_references(ref):
                    g = self.take(out)
                    g = self.writer.zeros(out) if g is None else g
                    self.writer.add(Append(self.shadow(ref), g, at))
            case If():
                self.branch(statement)
            case Loop():
                self.loop(statement)
            case _:
                raise TypeError(type(statement))

    def birth(self, source: Operand, ref: Value) -> None:
        if isinstance(source, list):
            for position, item in enumerate(source):
                if self.is_active(item):
                    g = self.load(self.shadow(ref), (Constant(position),), item.type)
                    self.contribute(item, g)
        elif isinstance(source, Value) and self.is_active(source):
            if isinstance(source.type, T.List):
                raise self.refusal(
                    "a copy of part of a list",
                    "which items of the list it shares is not known",
                    "append to a new list in a loop, or use an array",
                )
            self.contribute(source, self.load(self.shadow(ref), (), source.type))

    def store(self, statement: Store) -> None:
        writer = self.writer
        writer.add(Restore(statement))
        if not self.is_active(statement.ref) or self.holds_references(statement.ref):
            return
        ref = self.shadow(statement.ref)
        kind = place_type(statement, writer.fresh)
        g = self.load(ref, statement.path, kind)
        if isinstance(T.target(statement.ref.type), T.List):
            zero: Operand = ZERO if isinstance(kind, T.Scalar) else writer.op(np.zeros_like, g)
        else:
            zero = ZERO
        if self.is_active(statement.value):
            if may_name_a_place_twice(statement):
                g = self.last_writes(statement, g)
            writer.add(Store(ref, statement.path, zero))
            self.contribute(statement.value, writer.fitted(g, statement.value))
        else:
            writer.add(Store(ref, statement.path, zero))

    def last_writes(self, statement: Store, g: Value) -> Operand:
        """`a[[0, 0]] = v`: only the last value that is written to a place stays there."""
        writer = self.writer
        kind = T.target(statement.ref.type)
        if kind.shape is None:
            raise self.refusal(
                "store at an array of indices",
                "the rank of the array is not known",
                "make the array in this function",
            )
        shape = tuple(
            writer.op(dimension, statement.ref, Constant(axis)) for axis in range(len(kind.shape))
        )
        mask = writer.value(T.Array("bool", g.type.shape if isinstance(g.type, T.Array) else None))
        index = statement.path if len(statement.path) > 1 else statement.path[0]
        writer.add(Op(runtime.last_written, [shape, index], {}, [mask]))
        return writer.op(operator.mul, g, mask)

    def refusal(self, what: str, reason: str, remedy: str) -> errors.DifferentiationError:
        return errors.DifferentiationError(
            what, reason=reason, remedy=remedy, position=self.writer.position()
        )

    def op(self, op: Op) -> None:
        if not any(self.is_active(out) for out in op.outs):
            return
        g: Any = [self.take(out) if self.is_active(out) else None for out in op.outs]
        if all(item is None for item in g):
            return
        if isinstance(op.fn, Function):
            self.call(op, g)
            return
        if op.fn is operator.getitem:
            (bar_out,) = g
            base, path = op.args
            if isinstance(base.type, T.List):
                raise self.refusal(
                    "a slice of a list", "which items it shares is not known", "use an array"
                )
            self.writer.add(Accumulate(self.buffer(base), path, bar_out))
            return
        if is_array_of_items(op):
            self.contribute_entries(op.args[0], g[0], ())
            return
        if is_joined_list(op):
            self.unjoin(op, g[0])
            return
        if book.lookup(split_name(op)) is None:
            raise no_rule(op, self.writer.position())
        rule, bound = bind_rule(op)
        if len(op.outs) == 1:
            (g,) = g
            out: Any = op.outs[0]
        else:
            g = tuple(
                self.writer.zeros(o) if item is None else item
                for item, o in zip(g, op.outs, strict=True)
            )
            out = tuple(op.outs)
        self.refuse_ignored(op, rule, bound)
        divides = op.fn in (operator.truediv, operator.itruediv)
        self.writer.nonzero_divisors = divides and is_python_number(op.args[1])
        self.pull_back(rule, bound, g, out)
        self.writer.nonzero_divisors = False

    def refuse_ignored(self, op: Op, rule: book.Rule, bound: dict) -> None:
        """No rule may ignore an argument through which a derivative flows."""
        for name, operand in bound.items():
            if name in rule.inputs or name in SHAPES:
                continue
            if any(map(self.is_active, leaves(operand))):
                raise self.refusal(
                    f"`{getattr(op.fn, '__name__', 'call')}` differentiated in `{name}`",
                    "its rule has no derivative with respect to this argument",
                    "keep it constant, or write the operation in other terms",
                )

    def pull_back(self, rule: book.Rule, bound: dict, g: Any, out: Any) -> None:
        """Inline a rule and hand its answers to the inputs."""
        writer = self.writer
        given = dict(bound)
        if rule.wants_out:
            given["out"] = out
        answers = writer.rule(rule.function, [] if rule.kind == "elementwise" else [g], given)
        if len(rule.inputs) == 1 and not (
            isinstance(answers, tuple) and rule.kind == "elementwise"
        ):
            answers = (answers,)
        for name, answer in zip(rule.inputs, answers, strict=True):
            if name not in bound:
                continue
            target = bound[name]
            if isinstance(target, (tuple, list)):
                self.contribute_items(target, answer)
                continue
            if not self.is_active(target) or is_none(answer):
                continue
            if rule.kind == "elementwise":
                if is_zero(answer):
                    continue
                answer = writer.fitted(writer.product(g, answer, rule.pole), target)
            elif isinstance(target.type, T.List):
                raise self.refusal(
                    "a list that grew, as an argument of this function",
                    "its rule wants the items one by one",
                    "make an array of the list first: np.array(xs) or np.stack(xs)",
                )
            self.contribute(target, answer)

    def call(self, op: Op, bars: list) -> None:
        """A recursive call: its forward half saves, its backward half takes the adjoints."""
        if op.outs and isinstance(op.outs[-1].type, T.Object) and op.outs[-1].type.cls is tuple:
            raise refuse_again(self.writer.position())
        forward, backward = self.pairs.pair(op.fn)
        kept = list(op.outs)
        saved = Value("saved", T.Object(tuple))
        floats = [a for p, a in zip(op.fn.params, op.args, strict=True) if T.is_float(p.type)]
        kinds = [p.type for p in op.fn.params if T.is_float(p.type)]
        op.fn = forward  # type: ignore[assignment]
        op.outs = [*kept, saved]
        self.record.home[saved] = self.record.place[op]
        self.record.definition[saved] = op
        g = [
            self.writer.zeros(out) if item is None else item
            for out, item in zip(kept, bars, strict=True)
            if T.is_float(out.type)
        ]
        outs = [Value(None, kind) for kind in kinds]
        self.writer.add(Op(backward, [saved, *g], {}, outs))
        for operand, answer in zip(floats, outs, strict=True):
            self.contribute(operand, answer)

    def contribute_items(self, items: Any, answer: Any) -> None:
        """The adjoint of a list of operands, which may be nested, goes to its items."""
        if not any(map(self.is_active, leaves(items))) or is_none(answer):
            return
        for k, item in enumerate(items):
            if not any(map(self.is_active, leaves(item))):
                continue
            part = (
                answer[k]
                if isinstance(answer, (tuple, list))
                else operations_get(self.writer, answer, k)
            )
            if isinstance(item, (tuple, list)):
                self.contribute_items(item, part)
            else:
                self.contribute(item, part)

    def contribute_entries(self, items: Any, g: Operand, path: tuple) -> None:
        """The adjoint of `np.array([a, [b, c]])`: each item takes its entry of `g`."""
        from adcompiler.ir import subscripts

        for k, item in enumerate(items):
            if isinstance(item, (tuple, list)):
                self.contribute_entries(item, g, (*path, Constant(k)))
            elif self.is_active(item):
                part = subscripts.get_item(self.writer, g, (*path, Constant(k)))
                self.contribute(item, self.writer.fitted(part, item))

    def unjoin(self, op: Op, g: Operand) -> None:
        """The adjoint of `np.stack(xs)` or `np.concatenate(xs)` of a list: each takes its part."""
        _rule, bound = bind_rule(op)
        stacked = book.canonical(op.fn) is np.stack
        axis = bound.get("axis", Constant(0)).value
        if axis is None or not set(bound) <= {"arrays", "axis"}:
            raise self.refusal(
                f"`{op.fn.__name__}` of a list with these arguments", "", "give it an axis alone"
            )
        made = self.record.definition[op.args[0]]
        if not isinstance(made, Load) or made.path != ():
            raise self.refusal(
                "an array made of part of a list",
                "which items it holds is not known",
                "stack the whole list, and slice the array",
            )
        shadow = self.shadow(made.ref)
        rank = len(g.type.shape) if isinstance(g.type, T.Array) and g.type.shape else None
        if axis < 0:
            if rank is None:
                raise self.refusal("a negative axis here", "the rank is not known", "axis=0")
            axis += rank
        from adcompiler.ir import lists, subscripts
        from adcompiler.ir.nodes import Slice

        full = Slice(Constant(None), Constant(None), Constant(None))

        if not stacked:
            joints = self.writer.value(T.List(T.INT))
            self.writer.add(Op(runtime.joints, [op.args[0], Constant(axis)], {}, [joints]))

        def body(index: Value) -> None:
            taken: Any = index
            if not stacked:
                after = self.writer.op(operator.add, index, Constant(1))
                ends = [subscripts.get_item(self.writer, joints, place) for place in (index, after)]
                taken = Slice(ends[0], ends[1], Constant(None))
            row = subscripts.get_item(self.writer, g, (*[full] * axis, taken))
            self.writer.add(Accumulate(shadow, (index,), row))

        count = self.writer.value(T.INT)
        self.writer.add(Op(len, [shadow], {}, [count]))
        lists.simple_loop(self.writer, count, body, None)

    # -- control flow -------------------------------------------------------------------------

    def zero_of(self, value: Value) -> Operand:
        """A zero adjoint of a value, which may not be bound here: then its shape is not known."""
        if isinstance(value.type, T.Scalar) or not self.may_be_unbound(value):
            return self.writer.zeros(value)
        self.loose.add(value)
        return ZERO

    def may_be_unbound(self, value: Operand) -> bool:
        made = self.record.definition.get(value) if isinstance(value, Value) else None
        if not isinstance(made, If):
            return False
        k = made.outs.index(value)
        return any(
            r is UNBOUND or is_none(r) or self.may_be_unbound(r)
            for r in (made.then.results[k], made.orelse.results[k])
        )

    def captured(self, statement: Statement) -> list[Value]:
        """Values from outside whose adjoints the mirror of a branch or loop may add to."""
        inside: set[Block] = set()
        for inner in blocks(statement):
            self.record.collect_blocks(inner, inside)
        found: dict[Value, None] = {}

        def note(operand: Operand) -> None:
            for value in leaves(operand):
                if (
                    not T.is_ref(value.type)
                    and value not in self.buffered
                    and self.is_active(value)
                    and self.record.home[value] not in inside
                ):
                    found[value] = None

        for inner in blocks(statement):
            for result in inner.results:
                note(result)
            for nested in walk(inner):
                if isinstance(nested, Op) and book.is_zero(nested.fn):
                    continue
                for operand in operands(nested):
                    note(operand)
                for block in blocks(nested):
                    for result in block.results:
                        note(result)
        return list(found)

    def branch(self, statement: If) -> None:
        writer = self.writer
        taken = [self.take(out) if not T.is_ref(out.type) else None for out in statement.outs]
        captured = self.captured(statement)
        outside = self.adjoint
        site = Site(statement, "after")
        halves = []
        for block in (statement.then, statement.orelse):
            self.adjoint = dict(outside)
            mirror = self.begin(block)
            with writer.writing(mirror.block):
                writer.site = Site(statement, "after")
                for out, result, g in zip(statement.outs, block.results, taken, strict=True):
                    if g is not None and out in self.loose and isinstance(result, Value):
                        if self.may_be_unbound(result):
                            self.loose.add(result)
                        else:
                            g = writer.op(runtime.full_adjoint, g, result)
                    if g is not None and result is not UNBOUND:
                        self.contribute(result, g)
                self.block(block)
            halves.append((mirror, self.adjoint))
        self.adjoint = dict(outside)
        (then, then_adjoint), (orelse, else_adjoint) = halves
        writer.at(statement.origin, mirror=True)
        writer.site = site
        made = If(statement.test, self.finish(then), self.finish(orelse), [])
        for value in captured:
            a, b = then_adjoint.get(value), else_adjoint.get(value)
            if a is b:  # the same on both sides, and made outside them
                if a is not None:
                    self.adjoint[value] = a
                continue
            for half, g in ((then, a), (orelse, b)):
                if g is None:
                    with writer.writing(half.block):
                        g = self.zero_of(value)
                half.block.results.append(g)
            out = Value(bar(value.name), as_adjoint(value.type))
            made.outs.append(out)
            self.adjoint[value] = out
        if statement in self.flags:
            flag, stops_in_then = self.flags[statement]
            made.test = flag
            if not stops_in_then:
                made.then, made.orelse = made.orelse, made.then
        writer.add(made)

    def loop(self, loop: Loop) -> None:
        writer = self.writer
        captured = self.captured(loop)
        first = 1 if loop.domain is not None else 0
        offset = 1 if loop.stops else 0
        rows = []
        for k, (param, out) in enumerate(zip(loop.body.params[first:], loop.outs, strict=True)):
            if T.is_ref(param.type) or not (self.is_active(param) or self.is_active(out)):
                continue
            rows.append((loop.inits[k], param, loop.body.results[k + offset], out))
        writer.site = Site(loop, "after")
        outs_bar = [self.take(out) for _init, _param, _next, out in rows]
        inits: list[Operand] = []
        params: list[Value] = []
        for (_init, param, _next, out), g in zip(rows, outs_bar, strict=True):
            inits.append(writer.zeros(out) if g is None else g)
            params.append(Value(bar(param.name), as_adjoint(param.type)))
        for value in captured:
            g = self.adjoint.get(value)
            inits.append(self.zero_of(value) if g is None else g)
            params.append(Value(bar(value.name), as_adjoint(value.type)))
        body = self.begin(loop.body)
        domain = self.mirror_domain(loop)
        index = Value(loop.index.name if loop.index else None, T.INT)
        body.block.params = [index, *params]
        if loop.index is not None:
            self.record.indices[loop.index] = (index, body.block)
        flag_init = None
        decision, stops_in_then = stopping_branch(loop) if loop.stops else (None, False)
        if decision is not None:
            flag = Value("last", T.BOOL)
            body.block.params.append(flag)
            self.flags[decision] = (flag, stops_in_then)
            flag_init = self.trips[loop][2]
        outside = self.adjoint
        self.adjoint = {v: g for v, g in outside.items() if v not in captured}
        with writer.writing(body.block):
            for (_init, _param, following, _out), g in zip(rows, params, strict=False):
                writer.site = Site(loop, "after")
                self.contribute(following, g)
            for value, g in zip(captured, params[len(rows) :], strict=True):
                mine = self.adjoint.get(value)
                self.adjoint[value] = g if mine is None else writer.op(operator.add, g, mine)
            self.block(loop.body)
            writer.at(loop.origin, mirror=True)
            writer.site = Site(None, "start", loop.body)
            results: list[Operand] = []
            for init, param, following, _out in rows:
                g = self.take(param)
                if g is None:
                    bound = param if init is not UNBOUND else following
                    g = writer.zeros(bound) if isinstance(bound, Value) else ZERO
                results.append(g)
            results += [self.adjoint[value] for value in captured]
        body.block.results = results
        outs = [Value(p.name, p.type) for p in params]
        made = Loop(domain, inits, self.finish(body), list(outs))
        if flag_init is not None:
            made.inits.append(flag_init)
            body.block.results.append(Constant(False))
            made.outs.append(Value(None, T.BOOL))
        writer.at(loop.origin, mirror=True)
        writer.site = Site(loop, "after")
        writer.add(made)
        writer.site = Site(loop, "before")
        self.adjoint = {v: g for v, g in outside.items() if v not in captured}
        for value, out in zip(captured, outs[len(rows) :], strict=True):
            self.adjoint[value] = out
        for (init, _param, _next, _out), out in zip(rows, outs, strict=False):
            self.contribute(init, out)

    def mirror_domain(self, loop: Loop) -> Range:
        """The trips of the loop, backwards."""
        writer = self.writer
        writer.site = Site(loop, "after")
        domain = loop.domain
        if not loop.stops:
            assert domain is not None
            return Range(domain.start, domain.stop, domain.step, not domain.reverse)
        trips, one_more, _stopped = self.trips[loop]
        if domain is None:
            count = writer.op(operator.add, trips, Constant(1)) if one_more else trips
            return Range(Constant(0), count, Constant(1))
        if domain.reverse:
            raise self.refusal(
                "a reversed loop that stops early",
                "its trips cannot be told from its range",
                "take the loop out of the differentiated function",
            )
        length = writer.op(operator.mul, trips, domain.step)
        stop = writer.op(operator.add, domain.start, length)
        return Range(domain.start, stop, domain.step, True)


SHAPES = {"like", "shape"}
"""Parameters of runtime functions of which only shape and dtype are read."""


def refuse_complex(function: Function, is_active: Callable[[Any], bool]) -> None:
    """Some rules hold for real numbers alone."""
    for statement in walk(function.body):
        if not isinstance(statement, Op) or not any(map(is_active, statement.outs)):
            continue
        rule = book.lookup(split_name(statement))
        if rule is None or not rule.real:
            continue
        for operand in (*statement.args, *statement.keywords.values()):
            if any(_is_complex(type_of(leaf)) for leaf in (operand, *leaves(operand))):
                raise errors.DifferentiationError(
                    f"`{getattr(statement.fn, '__name__', 'call')}` of complex numbers",
                    reason="its derivative rule holds for real numbers only",
                    remedy="write it with real and imaginary parts",
                    position=statement.origin.position if statement.origin else None,
                )


def _is_complex(kind: Any) -> bool:
    kind = T.target(kind)
    return isinstance(kind, (T.Scalar, T.Array)) and kind.kind == "complex"


def _is_real(kind: Any) -> bool:
    kind = T.target(kind)
    return isinstance(kind, (T.Scalar, T.Array)) and kind.kind == "float"


def operations_get(writer: Builder, base: Value, position: int) -> Any:
    from adcompiler.ir import subscripts

    return subscripts.get_item(writer, base, Constant(position))


def located(error: errors.AdcompilerError, statement: Statement) -> errors.AdcompilerError:
    """The error with the calls that led to the statement."""
    if not error.notes and statement.origin is not None:
        for call in statement.origin.calls:
            error.called_from(call.position)
    return error


def bar(name: str | None) -> str | None:
    """What the adjoint of a name is called."""
    return None if name is None else f"{name}_bar"


def is_zero(answer: Any) -> bool:
    if not isinstance(answer, Constant):
        return False
    return answer.value is None or (isinstance(answer.value, (int, float)) and answer.value == 0)


def may_name_a_place_twice(statement: Store) -> bool:
    """Whether an index may be an array of integers; one of a type that is not known may."""
    if isinstance(T.target(statement.ref.type), T.List):
        return False
    kinds = [type_of(index) for index in statement.path]
    return any(
        (isinstance(kind, T.Array) and kind.kind != "bool")
        or isinstance(kind, (T.List, T.Tuple, T.Unknown))
        or (isinstance(kind, T.Object) and kind.cls is tuple)
        for kind in kinds
    )


def as_adjoint(type: Any) -> Any:
    """The type of an adjoint: NumPy scalars may come out as Python's and the other way round."""
    if isinstance(type, T.Scalar):
        return T.Scalar(type.kind, None if type.dtype == "float64" else type.dtype)
    return type


def split_name(op: Op) -> Any:
    from adcompiler.passes.builder import split_call

    return split_call(op)[0]


def is_joined_list(op: Op) -> bool:
    return (
        book.canonical(op.fn) in (np.stack, np.concatenate)
        and bool(op.args)
        and isinstance(op.args[0], Value)
        and isinstance(op.args[0].type, T.List)
    )


def is_array_of_items(op: Op) -> bool:
    return (
        book.canonical(op.fn) in (np.array, np.asarray)
        and bool(op.args)
        and isinstance(op.args[0], (list, tuple))
    )


def no_rule(op: Op, position: errors.Position | None) -> errors.DifferentiationError:
    name = getattr(op.fn, "__qualname__", None) or repr(op.fn)
    known = is_pure(op.fn)
    return errors.DifferentiationError(
        f"`{name}` on the way from input to result",
        reason="it has no derivative rule"
        + ("" if known else ", and no Python source that could be differentiated"),
        remedy="register a rule for it (adcompiler.rules), or write it in Python and NumPy",
        position=position,
    )


def stopping_branch(loop: Loop) -> tuple[If | None, bool]:
    """The `If` of the loop's body whose one side always stops and whose other never does."""
    flag = loop.body.results[0]
    for statement in loop.body.statements:
        if isinstance(statement, If) and flag in statement.outs:
            k = statement.outs.index(flag)
            a, b = statement.then.results[k], statement.orelse.results[k]
            if isinstance(a, Constant) and isinstance(b, Constant):
                if a.value is True and b.value is False:
                    return statement, True
                if a.value is False and b.value is True:
                    return statement, False
    return None, False


__all__ = ["ONE", "Origin", "reverse"]
