"""Lines that a function of the user's left behind at several of its calls, as a function again.

The compiler writes the user's functions out where they are called, and each call is optimised for
what is known there.  Where the lines of several calls are still the same but for names, they
become one function, `slope` or (in the backward sweep) `slope_backward`, if that makes the program
clearly shorter: procedural abstraction, see S. Debray et al., "Compiler techniques for code
compaction", ACM TOPLAS 22(2), 2000.

This happens to the Python `ast` after all else is decided.  A run of plain lines can always become
a function: its parameters are the variables that it reads before it assigns them, its results those
that it assigns and that are read later.
"""

from __future__ import annotations

import ast
import copy
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from adcompiler.backends.printer import annotate

REGION = 40
"""So many nodes of the `ast` a function must have at least: a call takes time, too."""
SAVED = 50
"""So many nodes must be saved in all."""
LINES, PARAMETERS, RESULTS = 60, 10, 3
"""What a function may have at most."""

Def = tuple[int, int]
"""What a run assigns: the number of the line, and of the variable among those it assigns."""


class Place(NamedTuple):
    """A run of lines in a block."""

    block: list[ast.stmt]
    start: int
    length: int

    @property
    def lines(self) -> list[ast.stmt]:
        return self.block[self.start : self.start + self.length]


@dataclass(slots=True)
class Repeated:
    """Runs that are the same but for the names of variables."""

    places: list[Place]
    function: str
    """The user's function from which they come."""
    outs: list[Def]
    saved: int


def outlined(definition: ast.FunctionDef, fresh: Callable[[str], str]) -> list[ast.FunctionDef]:
    """The functions that a definition is written with, itself last."""
    definitions = [definition]
    deepest = max((len(chain(line)) for block in blocks(definition) for line in block), default=0)
    for depth in range(1, deepest + 1):
        for one in list(definitions):
            while True:
                found = most_saving(one, depth)
                if found is None:
                    break
                definitions.insert(definitions.index(one), taken_out(one, found, fresh))
    return definitions


# Which lines come from a call of which function.


def chain(line: ast.stmt) -> tuple:
    """The calls that led to a line, outermost first."""
    origin = getattr(line, "origin", None)
    return origin.calls[::-1] if origin is not None else ()


def role(line: ast.stmt) -> str:
    """What is added to the name of the function."""
    origin = line.__dict__["origin"]
    return "_backward" if origin.mirror else "_forward" if origin.order else ""


def blocks(definition: ast.FunctionDef) -> Iterator[list[ast.stmt]]:
    """All blocks, but what stands in a `try`."""
    todo = [definition.body]
    while todo:
        block = todo.pop()
        yield block
        for line in block:
            if isinstance(line, ast.If | ast.For | ast.While):
                todo += [line.body, line.orelse]


def runs(definition: ast.FunctionDef, depth: int) -> dict[str, list[Place]]:
    """By the function that they come from: the longest runs of plain lines, one for each call."""
    found: dict[str, list[Place]] = {}
    for block in blocks(definition):
        start = 0
        for at, line in enumerate(block):
            calls = chain(line)[:depth]
            if len(calls) < depth or not is_plain(line):
                start = at + 1
                continue
            if at > start and chain(block[at - 1])[:depth] != calls:
                start = at
            last = at + 1 == len(block) or chain(block[at + 1])[:depth] != calls
            if last or not is_plain(block[at + 1]):
                found.setdefault(calls[-1].function, []).append(Place(block, start, at + 1 - start))
                start = at + 1
    return found


def is_plain(line: ast.stmt) -> bool:
    """Whether control always goes on to the next line, all that is read is read in any case (it
    might have no value), and no variables hide in expressions."""
    if not isinstance(line, ast.Assign | ast.AugAssign | ast.Expr) or is_docstring(line):
        return False
    return not any(isinstance(node, _SCOPES) for node in ast.walk(line))


_SCOPES = (
    ast.Lambda, ast.ListComp, ast.GeneratorExp, ast.DictComp, ast.SetComp, ast.NamedExpr,
    ast.IfExp, ast.BoolOp,
)  # fmt: skip


def is_docstring(line: ast.stmt) -> bool:
    return bool(getattr(line, "docstring", False))


# Variables of a line.


def targets(line: ast.stmt) -> list[ast.Name]:
    """The variables that a plain line assigns."""
    match line:
        case ast.Assign(targets=[ast.Tuple(elts=parts)]):
            return [part for part in parts if isinstance(part, ast.Name)]
        case ast.Assign(targets=[ast.Name() as name]) | ast.AugAssign(target=ast.Name() as name):
            return [name]
    return []


def reads(line: ast.stmt) -> list[ast.Name]:
    """The names that a plain line reads, in a fixed order; those of functions too."""
    bound = {id(name) for name in targets(line)} if isinstance(line, ast.Assign) else set()
    return [n for n in ast.walk(line) if isinstance(n, ast.Name) and id(n) not in bound]


def shape(line: ast.stmt, variables: set[str]) -> str:
    """The line without the names of its variables."""
    held = [(n, n.id) for n in ast.walk(line) if isinstance(n, ast.Name) and n.id in variables]
    for node, _ in held:
        node.id = "_"
    text = ast.dump(line)
    for node, name in held:
        node.id = name
    return text


def sources(lines: list[ast.stmt], variables: set[str]) -> list[Def | None]:
    """For each read of a variable: the line of the run that assigned it, None before it."""
    last: dict[str, Def] = {}
    found: list[Def | None] = []
    for at, line in enumerate(lines):
        found += [last.get(name.id) for name in reads(line) if name.id in variables]
        for k, name in enumerate(targets(line)):
            last[name.id] = (at, k)
    return found


# The best choice.


def most_saving(definition: ast.FunctionDef, depth: int) -> Repeated | None:
    """The repeated lines that are best taken out, if any are worth it."""
    candidates = {
        function: places
        for function, places in runs(definition, depth).items()
        if len(places) > 1 and sum(size(place.lines) for place in places) > REGION + SAVED
    }
    if not candidates:
        return None
    variables = variables_of(definition)
    after = liveness(definition, variables)
    if after is None:
        return None
    best: Repeated | None = None
    for function, places in candidates.items():
        for same in windows(places, variables):
            found = judged(same, function, variables, after)
            if found is not None and (best is None or found.saved > best.saved):
                best = found
    return best


def windows(longest: list[Place], variables: set[str]) -> Iterator[list[Place]]:
    """Runs within those that are the same but for the names of variables."""
    shapes = [[shape(line, variables) for line in place.lines] for place in longest]
    seen = Counter(text for texts in shapes for text in texts)
    found: dict[tuple, list[Place]] = {}
    for place, texts in zip(longest, shapes, strict=True):
        for start in range(place.length):
            for stop in range(start + 1, min(place.length, start + LINES) + 1):
                if seen[texts[stop - 1]] < 2:
                    break
                part = Place(place.block, place.start + start, stop - start)
                found.setdefault(tuple(texts[start:stop]), []).append(part)
    for places in found.values():
        if len(places) > 1 and size(places[0].lines) >= REGION:
            alike: dict[tuple, list[Place]] = {}
            for place in places:
                alike.setdefault(tuple(sources(place.lines, variables)), []).append(place)
            for same in alike.values():
                apart = without_overlap(same)
                if len(apart) > 1:
                    yield apart


def without_overlap(places: list[Place]) -> list[Place]:
    kept: list[Place] = []
    for place in places:
        last = kept[-1] if kept else None
        if last is None or last.block is not place.block or last.start + last.length <= place.start:
            kept.append(place)
    return kept


def judged(
    places: list[Place], function: str, variables: set[str], after: dict[int, frozenset[str]]
) -> Repeated | None:
    """What would be saved, if it is enough."""
    outs: set[Def] = set()
    for place in places:
        last = {
            name.id: (at, k)
            for at, line in enumerate(place.lines)
            for k, name in enumerate(targets(line))
        }
        outs.update(last[name] for name in last.keys() & after[id(place.lines[-1])])
    given = len(set(parameters(places, variables)))
    if given > PARAMETERS or len(outs) > RESULTS or not outs and not given:
        return None
    whole = size(places[0].lines)
    call = 3 + given + (1 + len(outs) + (len(outs) > 1) if outs else 0)
    saved = sum(size(place.lines) - call for place in places) - whole - (2 + len(outs))
    if saved < SAVED:
        return None
    return Repeated(places, function, sorted(outs), saved)


def parameters(places: list[Place], variables: set[str]) -> list[tuple[str, ...]]:
    """For each read of a variable from before the runs: what it is called in each of them."""
    columns = zip(
        *(
            [name.id for line in place.lines for name in reads(line) if name.id in variables]
            for place in places
        ),
        strict=True,
    )
    made = sources(places[0].lines, variables)
    return [names for names, source in zip(columns, made, strict=True) if source is None]


def size(lines: list[ast.stmt]) -> int:
    return sum(1 for line in lines for _ in ast.walk(line))


# The function and its calls.


def taken_out(
    definition: ast.FunctionDef, found: Repeated, fresh: Callable[[str], str]
) -> ast.FunctionDef:
    """The function; its calls take the places of its lines."""
    variables = variables_of(definition)
    first = found.places[0]
    kind = max((role(line) for line in first.lines), key=["", "_forward", "_backward"].index)
    base = found.function if found.function.isidentifier() else "part"
    name = fresh(f"{base}{kind}")
    while name in variables:
        name = fresh(name)
    columns = list(dict.fromkeys(parameters(found.places, variables)))
    params = parameter_names(columns, base, names_of(first.lines) - variables)
    body, names = renamed(found, columns, params, variables)
    for k, line in enumerate(body):
        above = {tuple(getattr(place.lines[k], "above", ())) for place in found.places}
        annotate(line, above=above.pop() if len(above) == 1 else ())
    results = [ast.Name(names[out]) for out in found.outs]
    if results:
        body.append(ast.Return(results[0] if len(results) == 1 else ast.Tuple(results)))
    doc = ast.Expr(ast.Constant(f"What {len(found.places)} calls of {base} have in common."))
    annotate(doc, docstring=True)
    # From behind, so that the places stay where they are.
    for k in reversed(range(len(found.places))):
        place = found.places[k]
        outs = [ast.Name(targets(place.lines[at])[i].id) for at, i in found.outs]
        call = ast.Call(ast.Name(name), [ast.Name(column[k]) for column in columns], [])
        short: ast.stmt = ast.Expr(call)
        if outs:
            short = ast.Assign([outs[0] if len(outs) == 1 else ast.Tuple(outs)], call)
        annotate(short, blank=getattr(place.lines[0], "blank", False))
        short.__dict__["origin"] = place.lines[0].__dict__["origin"]
        place.block[place.start : place.start + place.length] = [short]
    arguments = [ast.arg(param) for param in params]
    return ast.FunctionDef(
        name, ast.arguments([], arguments, None, [], [], None, []), [doc, *body], []
    )


def names_of(lines: list[ast.stmt]) -> set[str]:
    return {n.id for line in lines for n in ast.walk(line) if isinstance(n, ast.Name)}


def parameter_names(columns: list[tuple[str, ...]], function: str, hidden: set[str]) -> list[str]:
    """A name for each parameter, given what is passed for it at each call.

    None is among those that the lines read globally: `len_2` must not become `len` beside `len(x)`.
    """
    names: list[str] = []
    for column in columns:
        bases = Counter(re.sub(r"_\d+$", "", name) for name in column)
        (name, count), *_ = bases.most_common(1)
        adjoint = next((re.search(r"_bar\d*$", base) for base in bases if "_bar" in base), None)
        if count == 1 and adjoint is not None:
            name = f"{function}{adjoint.group()}"
        while name in names or name in hidden:
            name += "_"
        names.append(name)
    return names


def renamed(
    found: Repeated, columns: list[tuple[str, ...]], params: list[str], variables: set[str]
) -> tuple[list[ast.stmt], dict[Def, str]]:
    """A copy of the lines with the names of the parameters, and what assigned variables are called.

    Of two values that share a variable in the first run, the earlier may live on in another run,
    where they have two: a result keeps its name for itself.
    """
    lines = found.places[0].lines
    given = dict(zip(columns, params, strict=True))
    before = iter(parameters(found.places, variables))
    made = iter(sources(lines, variables))
    names: dict[Def, str] = {}
    locals_: dict[str, str] = {}
    taken = {*params, *(names_of(lines) - variables)}
    results: set[str] = set()

    def local(name: str) -> str:
        if name not in locals_ or locals_[name] in results:
            chosen = name
            while chosen in taken or chosen in locals_.values() or chosen in results:
                chosen += "_"
            locals_[name] = chosen
        return locals_[name]

    body = [copy.deepcopy(line) for line in lines]
    for at, line in enumerate(body):
        bound = targets(line)
        read = {}
        for name in reads(line):
            if name.id in variables:
                source = next(made)
                read[id(name)] = given[next(before)] if source is None else names[source]
        for k, name in enumerate(bound):
            # `x += y` assigns the variable that it reads.
            names[at, k] = read.pop(id(name), None) or local(name.id)
            if (at, k) in found.outs:
                results.add(names[at, k])
        for node in ast.walk(line):
            if id(node) in read:
                node.id = read[id(node)]  # type: ignore[attr-defined]
        for k, name in enumerate(bound):
            name.id = names[at, k]
    return body, names


# Which variables are read later.


def variables_of(definition: ast.FunctionDef) -> set[str]:
    """The parameters, and all that is assigned somewhere."""
    found = {arg.arg for arg in definition.args.args}
    for node in ast.walk(definition):
        if isinstance(node, ast.Assign | ast.AugAssign):
            found.update(name.id for name in targets(node))
        elif isinstance(node, ast.For) and isinstance(node.target, ast.Name):
            found.add(node.target.id)
    return found


def liveness(definition: ast.FunctionDef, variables: set[str]) -> dict[int, frozenset[str]] | None:
    """After each line (by `id`): the variables that may be read before they are assigned again.

    None if there is a statement that is not known here.
    """
    after: dict[int, frozenset[str]] = {}

    def used(*nodes: ast.AST | None) -> frozenset[str]:
        return frozenset(
            n.id
            for node in nodes
            if node is not None
            for n in ast.walk(node)
            if isinstance(n, ast.Name) and n.id in variables
        )

    def block(lines: list[ast.stmt], live: frozenset[str], ends: tuple) -> frozenset[str]:
        for line in reversed(lines):
            after[id(line)] = live
            live = before(line, live, ends)
        return live

    def before(line: ast.stmt, live: frozenset[str], ends: tuple) -> frozenset[str]:
        """`ends`: what is live where `break` and `continue` lead."""
        match line:
            case ast.Assign() | ast.AugAssign() | ast.Expr():
                bound = {name.id for name in targets(line)}
                return (live - bound) | {n.id for n in reads(line) if n.id in variables}
            case ast.Return() | ast.Raise():
                return used(line)
            case ast.Break():
                return ends[0]
            case ast.Continue():
                return ends[1]
            case ast.Pass():
                return live
            case ast.Delete(targets=deleted):
                return live - used(*deleted)
            case ast.If(test=test, body=body, orelse=orelse):
                return used(test) | block(body, live, ends) | block(orelse, live, ends)
            case ast.For(target=target, iter=trips, body=body, orelse=orelse):
                again = block(orelse, live, ends)
                return used(trips) | loop(body, again, live, used(target))
            case ast.While(test=test, body=body, orelse=orelse):
                again = block(orelse, live, ends) | used(test)
                return loop(body, again, live, frozenset())
            case ast.Try(body=body, handlers=handlers, orelse=orelse, finalbody=final):
                # Any line in it may be the last one that ran: nothing is dead on the way.
                everything = used(line) | live
                for part in (body, *(handler.body for handler in handlers), orelse, final):
                    for inner in part:
                        for node in ast.walk(inner):
                            if isinstance(node, ast.stmt):
                                after[id(node)] = everything
                return everything
        raise NotImplementedError(type(line))

    def loop(
        body: list[ast.stmt], again: frozenset[str], live: frozenset[str], bound: frozenset[str]
    ) -> frozenset[str]:
        """`again`: what is live when a trip is over, but for what the next trip reads."""
        head = again
        while True:
            found = again | (block(body, head, (live, head)) - bound)
            if found == head:
                return head
            head = head | found

    try:
        block(definition.body, frozenset(), (frozenset(), frozenset()))
    except NotImplementedError:
        return None
    return after
