"""`a = t[0]`, `b = t[1]`, ... is `a, b = t`, as the user wrote it."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from dataclasses import dataclass, field

from adcompiler import runtime
from adcompiler.backends.plan import Item, Plan, Step
from adcompiler.ir.nodes import Append, Constant, Load, Op, Statement, Value, View, defined
from adcompiler.ir.types import Array, Tuple, target


@dataclass(slots=True)
class Unpacking:
    """A run of lines that read all items of one thing."""

    whole: Value
    reads: list[Statement] = field(default_factory=list)
    later: list[Item] = field(default_factory=list)
    """Lines in between that save an item, or read the items of something else (the tangent): they
    can as well come afterwards."""
    extent: int = 0
    """How many lines it replaces."""


def find_unpacking(
    plan: Plan, names: Mapping[Value, str], items: list[Item], start: int
) -> Unpacking | None:
    """The unpacking that begins at `items[start]`, if one does.

    That there are no other items is known from the type, or the first line checks it, as Python
    does.
    """
    first = _statement(items[start])
    count: int | None = None
    match first:
        case Op(fn=runtime.check_length, args=[Value() as whole, Constant(value=count)]):
            pass
        case _:
            read = item_read(first)
            if read is None or read[1] != 0:
                return None
            whole = read[0]
            count = _known_length(whole)
    if count is None or count < 2 or whole in plan.inlined:
        return None
    found = Unpacking(whole)
    pending: list[Item] = []
    begin = start if isinstance(first, Op) and first.fn is runtime.check_length else start - 1
    for at in range(begin + 1, len(items)):
        statement = _statement(items[at])
        if statement is None:
            break
        if found.reads and _can_wait(statement, found.reads[-1], whole):
            pending.append(items[at])
            continue
        if item_read(statement) != (whole, len(found.reads)):
            break
        if defined(statement)[0] in plan.storage.copied:
            break
        if found.reads and not same_text(statement, found.reads[0]):
            break
        found.reads.append(statement)
        found.later += pending
        pending = []
        found.extent = at + 1 - start
        if len(found.reads) == count:
            return found if _are_apart(found, plan, names) else None
    return None


def _are_apart(found: Unpacking, plan: Plan, names: Mapping[Value, str]) -> bool:
    """Whether no variable that is bound here is needed, or bound again, by a line in between."""
    bound = [names[out] for s in found.reads for out in defined(s) if plan.sites.get(out)]
    for item in found.later:
        match _statement(item):
            case Op(args=[Value() as other, _], outs=[out]):
                bound.append(names[out])
                if names[other] in bound:
                    return False
    return len(bound) == len(set(bound))


def _statement(item: Item) -> Statement | None:
    return item.statement if isinstance(item, Step) else None


def item_read(statement: Statement | None) -> tuple[Value, int] | None:
    """What the statement reads an item of and at which place, if it does only that."""
    match statement:
        case Op(fn=operator.getitem, args=[Value() as whole, (Constant(value=k),)]):
            pass
        case Load(ref=whole, path=(Constant(value=k),)):
            pass
        case View(fn=operator.getitem, ref=whole, args=[(Constant(value=k),)]):
            pass
        case _:
            return None
    return (whole, k) if type(k) is int else None


def _can_wait(statement: Statement, read: Statement, whole: Value) -> bool:
    match statement:
        case Append(value=Value() as saved):
            return saved is defined(read)[0] and isinstance(target(whole.type), Array)
        case Op(fn=operator.getitem, args=[Value() as other, (Constant(),)]):
            return other is not whole and isinstance(whole.type, Array)
    return False


def _known_length(whole: Value) -> int | None:
    match target(whole.type):
        case Tuple(items=parts):
            return len(parts)
        case Array(shape=(length, *_)):
            return length.constant
    return None


def same_text(a: Statement, b: Statement) -> bool:
    """Whether two statements come from one statement of the user's."""
    return (a.origin and a.origin.text) == (b.origin and b.origin.text)
