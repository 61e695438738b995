"""Adjoints in memory without detours.

The rule for a store reads the adjoint of the place, sets it to zero, and adds what follows from it.
Written one after the other that is more traffic than a careful person would cause:

* zeroing moves down past everything that does not touch that memory (so that what reads the old
  adjoint need not copy it);
* zeroing a place and then adding to it is storing into it;
* zeroing a place and then adding what it held is nothing at all, nor is zeroing the last thing that
  happens to memory that ends with the block;
* a buffer of zeros whose first use is an addition begins as what is added, be it a number;
* a buffer that is only filled once and read is a value.

Before::

    g = a_bar[i]; a_bar[i] = 0.0; t = g * y; a_bar[i] += t

After::

    g = a_bar[i]; t = g * y; a_bar[i] = t
"""

from __future__ import annotations

import functools
import operator
from collections import Counter
from typing import Any

import numpy as np

from adcompiler import runtime
from adcompiler.analysis.activity import memory_classes
from adcompiler.analysis.classes import alias_classes
from adcompiler.analysis.places import Places
from adcompiler.analysis.sweep import Sweep
from adcompiler.ir import types as T
from adcompiler.ir.infer import type_of
from adcompiler.ir.nodes import (
    Accumulate,
    Append,
    Block,
    Constant,
    Function,
    Load,
    New,
    Op,
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
    rewrite,
    walk,
)
from adcompiler.passes.algebra import count_uses
from adcompiler.passes.simplify import operand_key


def tidy_accumulation(function: Function) -> None:
    """Remove the detours, in place."""
    tidy = _Tidy(function)
    tidy.block(function.body)
    tidy.values_of_single_use()


class _Tidy:
    def __init__(self, function: Function) -> None:
        self.function = function
        self.classes = memory_classes(function)
        self.makers: dict[Value, Statement] = {}
        for statement in walk(function.body):
            if isinstance(statement, Op):
                for out in statement.outs:
                    self.makers[out] = statement

    @functools.cached_property
    def uses(self) -> Counter:
        return count_uses(self.function)

    @functools.cached_property
    def places(self) -> Places:
        body = self.function.body
        return Places(Sweep(body, list(body.statements), alias_classes(self.function)))

    @functools.cached_property
    def homes(self) -> dict[Any, set[Block | None]]:
        """The blocks in which memory of each class is born; None if some leaves its block."""
        found: dict[Any, set[Block | None]] = {}

        def note(value: Any, block: Block | None) -> None:
            if isinstance(value, Value) and T.is_ref(value.type):
                found.setdefault(self.classes.find(value), set()).add(block)

        def visit(block: Block) -> None:
            for statement in block.statements:
                match statement:
                    case New(source=source, out=out):
                        note(out, block)
                        for leaf in leaves(source):
                            note(leaf, None)
                    case View():
                        pass  # of memory that was born elsewhere
                    case Store(value=value) | Accumulate(value=value) | Append(value=value):
                        for leaf in leaves(value):
                            note(leaf, None)
                    case _:
                        for value in defined(statement):
                            note(value, None)
                for inner in blocks(statement):
                    for value in inner.params:
                        note(value, None)
                    visit(inner)
            for result in block.results:
                for leaf in leaves(result):
                    note(leaf, None)

        for param in self.function.params:
            note(param, None)
        visit(self.function.body)
        return found

    def touched(self, statement: Statement) -> set:
        """The classes of memory that a statement mentions, inside its blocks too."""
        found = set()
        for s in (statement, *(n for b in blocks(statement) for n in walk(b))):
            for operand in operands(s):
                found |= {self.classes.find(v) for v in leaves(operand) if T.is_ref(v.type)}
            for b in blocks(s):
                for result in b.results:
                    found |= {self.classes.find(v) for v in leaves(result) if T.is_ref(v.type)}
        return found

    def block(self, block: Block) -> None:
        for statement in block.statements:
            for inner in blocks(statement):
                self.block(inner)
        self.sink_births(block)
        self.gather_entries(block)
        self.cancel(block)
        self.sink_zeros(block)
        self.merge_equal(block)

    # -- zeroing ------------------------------------------------------------------------------

    def is_zeroing(self, statement: Statement) -> bool:
        return (
            isinstance(statement, Store)
            and is_zero(statement.value)
            and statement.origin is not None
            and statement.origin.mirror
            and isinstance(T.target(statement.ref.type), T.Array)
        )

    def cancel(self, block: Block) -> None:
        """Zero-then-add at one place."""
        statements: list[Statement | None] = list(block.statements)
        for at, statement in enumerate(statements):
            if statement is not None and self.is_zeroing(statement):
                self.cancel_one(statements, at)
        block.statements = [s for s in statements if s is not None]

    def cancel_one(self, statements: list, at: int) -> None:
        zeroing = statements[at]
        root = self.classes.find(zeroing.ref)
        place = (zeroing.ref, operand_key(zeroing.path))
        clean = True
        for later in range(at + 1, len(statements)):
            statement = statements[later]
            if statement is None or root not in self.touched(statement):
                continue
            if not isinstance(statement, Accumulate):
                return
            if (statement.ref, operand_key(statement.path)) == place and is_plain(zeroing.path):
                if self.held_before(statements, at, zeroing, statement.value):
                    statements[at] = statements[later] = None
                elif clean:  # a store broadcasts as an addition does
                    statements[at] = None
                    statements[later] = Store(
                        statement.ref, statement.path, statement.value, origin=statement.origin
                    )
                return
            clean = clean and self.places.apart(
                statement, zeroing.ref, zeroing.path, self.places.sweep.around(zeroing)
            )

    def held_before(self, statements: list, at: int, zeroing: Store, value: Any) -> bool:
        """Whether `value` is what the place held when it was zeroed."""
        for earlier in range(at - 1, -1, -1):
            statement = statements[earlier]
            if statement is None:
                continue
            if isinstance(statement, Load) and statement.out is value:
                return statement.ref is zeroing.ref and operand_key(statement.path) == operand_key(
                    zeroing.path
                )
            root = self.classes.find(zeroing.ref)
            if not isinstance(statement, (Load, View)) and root in self.touched(statement):
                return False
        return False

    def sink_zeros(self, block: Block) -> None:
        """Zeroing goes as far down as it may."""
        statements = block.statements
        for at in range(len(statements) - 1, -1, -1):
            statement = statements[at]
            if not self.is_zeroing(statement):
                continue
            root = self.classes.find(statement.ref)
            to = at + 1
            limit = to
            while to < len(statements) and root not in self.touched(statements[to]):
                to += 1
                mirror = statements[to - 1].origin
                if mirror is not None and mirror.text == statement.origin.text:
                    limit = to  # among what stems from the same statement
            if to == len(statements) and self.homes.get(root) == {block}:
                del statements[at]
            elif limit > at + 1:
                statements.insert(limit, statement)
                del statements[at]

    # -- births -------------------------------------------------------------------------------

    def sink_births(self, block: Block) -> None:
        """A buffer of zeros to which a whole array is added first begins as that array."""
        statements = block.statements
        for statement in list(statements):
            if not (isinstance(statement, New) and self.is_zeros(statement.source)):
                continue
            if statement.origin is None or not statement.origin.mirror:
                continue
            root = self.classes.find(statement.out)
            begin = statements.index(statement)
            for later in range(begin + 1, len(statements)):
                user = statements[later]
                if root not in self.touched(user):
                    continue
                kind = type_of(user.value) if isinstance(user, Accumulate) else None
                wanted = statement.out.type.target
                if (
                    isinstance(user, Accumulate)
                    and user.ref is statement.out
                    and user.path == ()
                    and isinstance(kind, T.Array)
                    and kind.shape
                    and kind.shape == wanted.shape
                    and kind.dtype == wanted.dtype
                    and (kind.contiguous or not wanted.contiguous)  # views rely on it
                ):
                    statements[later] = New(user.value, statement.out, origin=user.origin)
                    del statements[begin]
                elif (
                    isinstance(user, Accumulate)
                    and (user.ref, user.path) == (statement.out, ())
                    and (number := self.spread_number(user.value)) is not None
                    and self.uses[statement.source] == 1
                ):
                    self.begin_as(statement.source, number)
                    del statements[later]
                break

    def spread_number(self, value: Any) -> Constant | None:
        """The number that a whole array consists of."""
        made = self.makers.get(value) if isinstance(value, Value) else None
        if isinstance(made, Op) and made.fn is runtime.unreduce:
            number = made.args[0]
            if isinstance(number, Constant) and isinstance(number.value, float):
                return number
        return None

    def begin_as(self, zeros: Value, number: Constant) -> None:
        """Let an array of zeros be one of another number."""
        made = self.makers[zeros]
        assert isinstance(made, Op)
        if number.value == 1:
            made.fn = np.ones_like if made.fn is np.zeros_like else np.ones
        else:
            made.fn = np.full_like if made.fn is np.zeros_like else np.full
            made.args.insert(1, number)

    def gather_entries(self, block: Block) -> None:
        """A short buffer to each of whose places one number is added is an array of them."""
        statements = block.statements
        for statement in list(statements):
            if not (isinstance(statement, New) and self.is_zeros(statement.source)):
                continue
            kind = statement.out.type.target
            if not isinstance(kind, T.Array) or kind.shape is None or len(kind.shape) != 1:
                continue
            count = kind.shape[0].constant
            if not count or count > 8 or statement.origin is None:
                continue
            root = self.classes.find(statement.out)
            begin = statements.index(statement)
            entries: dict[int, Any] = {}
            used: list[int] = []
            for later in range(begin + 1, len(statements)):
                user = statements[later]
                if root not in self.touched(user):
                    continue
                index = (
                    user.path[0] if isinstance(user, Accumulate) and len(user.path) == 1 else None
                )
                if not isinstance(index, Constant) or type(index.value) is not int:
                    break
                place = index.value % count
                scalar = isinstance(type_of(user.value), T.Scalar)
                if user.ref is not statement.out or place in entries or not scalar:
                    break
                entries[place] = user.value
                used.append(later)
                if len(entries) == count:
                    break
            if len(entries) != count:
                continue
            whole = Value(None, kind)
            keywords = {}
            if kind.dtype != "float64":
                keywords["dtype"] = Constant(np.dtype(kind.dtype).type)
            last = statements[used[-1]]
            made = Op(
                np.array,
                [[entries[k] for k in range(count)]],
                keywords,
                [whole],
                origin=last.origin,
            )
            born = New(whole, statement.out, origin=last.origin)
            gone = {id(statement), *(id(statements[k]) for k in used)}
            at = used[-1] + 1
            statements[at:at] = [made, born]
            block.statements = statements = [s for s in statements if id(s) not in gone]

    def is_zeros(self, source: Any) -> bool:
        made = self.makers.get(source) if isinstance(source, Value) else None
        return made is not None and made.fn in (np.zeros, np.zeros_like)

    def merge_equal(self, block: Block) -> None:
        """Adding one value twice to a place is adding it doubled."""
        kept: list[Statement] = []
        for statement in block.statements:
            last = kept[-1] if kept else None
            if (
                isinstance(statement, Accumulate)
                and isinstance(last, Accumulate)
                and statement.value is last.value
                and isinstance(last.value, Value)
                and last.ref is statement.ref
                and operand_key(last.path) == operand_key(statement.path)
            ):
                twice = Value(None, last.value.type)
                kept[-1] = Op(
                    operator.mul, [Constant(2), last.value], {}, [twice], origin=last.origin
                )
                kept.append(Accumulate(last.ref, last.path, twice, origin=last.origin))
                continue
            kept.append(statement)
        block.statements = kept

    # -- buffers that are values ---------------------------------------------------------------

    def values_of_single_use(self) -> None:
        """Memory that is born and never written is a value: its loads are that value."""
        written = {
            self.classes.find(s.ref)
            for s in walk(self.function.body)
            if isinstance(s, (Store, Accumulate, Append, Pop))
        }
        replaced: dict[Value, Value] = {}
        blocked: set = set()
        for statement in walk(self.function.body):
            if isinstance(statement, (New, Load)):
                continue
            blocked |= {
                self.classes.find(v)
                for operand in (
                    *operands(statement),
                    *(r for b in blocks(statement) for r in b.results),
                )
                for v in leaves(operand)
                if T.is_ref(v.type)
            }

        def visit(block: Block) -> None:
            kept: list[Statement] = []
            for statement in block.statements:
                if isinstance(statement, New) and isinstance(statement.source, Value):
                    root = self.classes.find(statement.out)
                    array = isinstance(statement.out.type.target, T.Array)
                    mirror = statement.origin is not None and statement.origin.mirror
                    if root not in written and root not in blocked and array and mirror:
                        replaced[statement.out] = statement.source
                        if statement.source.name is None:
                            statement.source.name = statement.out.name
                        continue
                if isinstance(statement, Load) and statement.ref in replaced:
                    source = replaced[statement.ref]
                    if statement.path == ():
                        replaced[statement.out] = source
                    else:
                        kept.append(
                            Op(
                                operator.getitem,
                                [source, statement.path],
                                {},
                                [statement.out],
                                origin=statement.origin,
                            )
                        )
                    continue
                kept.append(statement)
                for inner in blocks(statement):
                    visit(inner)
            block.statements = kept

        visit(self.function.body)

        def final(value: Value) -> Value:
            while value in replaced:
                value = replaced[value]
            return value

        rewrite(self.function.body, final)


def is_zero(operand: Any) -> bool:
    return isinstance(operand, Constant) and isinstance(operand.value, float) and operand.value == 0


def is_plain(path: tuple) -> bool:
    """Whether a path names each element once: no arrays among its indices."""
    return not any(
        isinstance(type_of(i), (T.Array, T.List, T.Unknown)) and not isinstance(i, Slice)
        for i in path
    )
