"""Exits become structure: a function body without early `return`, `continue` or inner `break`.

`reduce` rewrites a function, its meaning exactly kept, so that

* the last statement is the only `return`;
* there is no `continue`, and the only `break` is a loop's last statement, `if stop: break`, where
  each path of a trip assigns the flag `stop` once; a loop without exits has none;
* every `while` is `while True`, its test an `if` in the body, evaluated as often as before;
* no loop has an `else`, every assignment has one target, and none is annotated;
* `pass` stands only where Python wants a statement; code that is never reached is gone.

    def first_above(xs, bound):             def first_above(xs, bound):
        for k, x in enumerate(xs):              stop = False
            if x < 0:                           for k, x in enumerate(xs):
                continue                            if x < 0:
            if x > bound:                               stop = False
                return k                            elif x > bound:
        return None                                     result = k
                                                        stop = True
                                                    else:
                                                        stop = False
                                                    if stop:
                                                        break
                                                if not stop:
                                                    result = None
                                                return result

If one side of a branch always exits, what follows the branch moves into the other side; only where
both sides may go on, a flag says whether to.  No statement of the user's is ever duplicated.
Statements made here carry the place of the user's statement that they come from.

Exits are handled as two kinds of information that go down the blocks (`_Scope`): what to assign at
the end of a block that runs through, and what to assign at an exit of each kind.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NoReturn

import gast

from adcompiler.ir.names import Fresh, all_names, assigned_names

Refuse = Callable[[Any, str, str, str], NoReturn]
"""Raises for a node: what it is, why it is refused, what to write instead."""

_DEEPEST = 80  # Python refuses text that is indented by 100 levels


@dataclass(frozen=True, slots=True)
class WhileTest:
    """What the `if` stands for that holds the test of a `while`."""

    loop: gast.While
    """The loop of the reduced tree."""
    stop: str
    """Its flag: false at the end of a trip, true where the test fails."""


@dataclass(frozen=True, slots=True)
class Reduction:
    """A function in the reduced subset, and what was made up for it."""

    node: gast.FunctionDef
    flags: frozenset[str]
    """Names that hold `True` or `False` to steer what follows an exit."""
    temporaries: frozenset[str]
    """Names for the result, and for values of chained assignments."""
    tests: dict[int, WhileTest]
    """By the `id` of the `if`."""
    stops: dict[int, str]
    """By the `id` of the loop, the flag of its final `if stop: break`; absent if it has none."""
    closed: str | None
    """In a generator, the flag that whoever walks it sets at a `yield` in order to walk no more."""
    cleans_up: bool
    """Whether a generator has something to do when it is closed."""


def reduce(function: gast.FunctionDef, refuse: Refuse, taken: frozenset[str]) -> Reduction:
    """The function in the reduced subset; names made up avoid its own and those in `taken`."""
    reducer = _Reducer(Fresh(all_names(function) | taken), refuse)
    body = reducer.function(function)
    node = gast.FunctionDef(
        function.name, function.args, body, [], function.returns, None, function.type_params
    )
    gast.copy_location(node, function)
    return Reduction(
        node,
        frozenset(reducer.flags),
        frozenset(reducer.temporaries),
        reducer.tests,
        reducer.stops,
        reducer.closed,
        reducer.cleans_up,
    )


_Assignments = dict[str, bool | None]


@dataclass(frozen=True, slots=True)
class _Scope:
    """What a block has to assign when it is left."""

    through: _Assignments
    """At its end."""
    on: dict[str, _Assignments]
    """At an exit of each kind: `break`, `continue`, `return`, and `end`, a failed `while` test."""
    origin: Any
    """The statement whose place the assignments at the end of the block carry."""


class Closed(gast.expr):
    """Whether the generator is closed at the `yield` before."""

    _fields = ()
    _attributes = ("lineno", "col_offset", "end_lineno", "end_col_offset")


class _Returned(gast.AST):
    """Stands after a loop where the function is to be left, its result being assigned already."""

    _fields = ()
    _attributes = ("lineno", "col_offset", "end_lineno", "end_col_offset")


class _Ended(_Returned):
    """Stands where the test of a `while` fails."""


_EXITS = {
    gast.Return: "return",
    _Returned: "return",
    gast.Break: "break",
    gast.Continue: "continue",
    _Ended: "end",
}


class _Reducer:
    def __init__(self, fresh: Fresh, refuse: Refuse) -> None:
        self.fresh = fresh
        self.refuse = refuse
        self.flags: dict[str, None] = {}
        self.temporaries: dict[str, None] = {}
        self.tests: dict[int, WhileTest] = {}
        self.stops: dict[int, str] = {}
        self.closed: str | None = None
        self.cleans_up = False
        self._result = ""
        self._flag_of: dict[Any, str] = {}  # branches on a flag, made here
        self._read: set[str] = set()  # flags that an emitted branch tests
        self._exits: dict[Any, frozenset[str]] = {}
        self._depth = 0

    def function(self, node: gast.FunctionDef) -> list[Any]:
        """The reduced body of a function."""
        body = self.simplify(node.body)
        plain = _Scope({}, {}, node)
        if "return" not in self.exits(body):
            return [*self.lower(body, plain), _at(node, gast.Return(_constant(None)))]
        if isinstance(body[-1], gast.Return) and "return" not in self.exits(body[:-1]):
            last = body[-1]
            value = last.value if last.value is not None else _constant(None)
            return [*self.lower(body[:-1], plain), _at(last, gast.Return(value))]
        self._result = self.temporary("result")
        lowered = self.lower(body, _Scope({self._result: None}, {"return": {}}, node))
        return [*lowered, _at(node, gast.Return(_load(self._result)))]

    # Statements one by one.

    def simplify(self, statements: list[Any]) -> list[Any]:
        """Without `pass`, dead code, annotations and chained targets; blocks are new lists."""
        simple: list[Any] = []
        for s, after in itertools.zip_longest(statements, statements[1:]):
            match s:
                case gast.Pass() | gast.Expr(value=gast.Constant()):
                    continue
                case gast.Expr(value=gast.Yield()):
                    simple += self.yield_(s, after)
                case gast.Expr(value=gast.YieldFrom(value=items)):
                    simple += self.simplify([self.yield_from(s, items)])
                case gast.AnnAssign():
                    simple += self.annotated(s)
                case gast.Assign() if len(s.targets) > 1:
                    simple += self.chained(s)
                case gast.If(test=Closed()):
                    self.cleans_up = True
                    simple.append(_at(s, gast.If(_load(self.closed), self.simplify(s.body), [])))
                case gast.If():
                    branches = self.simplify(s.body), self.simplify(s.orelse)
                    simple.append(_at(s, gast.If(s.test, *branches)))
                case gast.For():
                    body, orelse = self.simplify(s.body), self.simplify(s.orelse)
                    simple.append(_at(s, gast.For(s.target, s.iter, body, orelse, None)))
                case gast.While():
                    body = self.simplify(s.body)
                    orelse = [] if _endless(s) else self.simplify(s.orelse)
                    simple.append(_at(s, gast.While(s.test, body, orelse)))
                case gast.With():
                    simple.append(_at(s, gast.With(s.items, self.simplify(s.body), None)))
                case _:
                    simple.append(s)
            if simple and self.leaves(simple[-1]):
                break
        return simple

    def yield_(self, s: gast.Expr, after: Any) -> list[Any]:
        """A `yield`, after which the generator may be closed."""
        if self.closed is None:
            self.closed = self.flag("closed")
        if isinstance(after, gast.If) and isinstance(after.test, Closed):
            return [s]
        return [s, _at(s, gast.If(_load(self.closed), [gast.Return(None)], []))]

    def yield_from(self, s: gast.Expr, items: Any) -> gast.For:
        item = self.temporary("item")
        given = gast.Expr(gast.Yield(_load(item)))
        return _at(s, gast.For(_store(item), items, [given], [], None))

    def annotated(self, s: gast.AnnAssign) -> list[Any]:
        if s.value is not None:
            return [_at(s, gast.Assign([s.target], s.value, None))]
        if not isinstance(s.target, gast.Name):
            self.refuse(
                s,
                "annotation of something that is not a name, without a value",
                "it evaluates its target and assigns nothing",
                "leave the annotation out",
            )
        return []

    def chained(self, s: gast.Assign) -> list[Any]:
        """`a = b = e` as `a = e; b = a`, by way of a new name if `a` will not do."""
        first, *others = s.targets
        if isinstance(s.value, gast.Constant):
            constants = [_constant(s.value.value) for _ in s.targets]
            return [
                _at(s, gast.Assign([t], c, None)) for t, c in zip(s.targets, constants, strict=True)
            ]
        if isinstance(first, gast.Name) and first.id not in assigned_names(others[:-1]):
            name, assignments = first.id, [_at(s, gast.Assign([first], s.value, None))]
        else:
            name = self.temporary("value")
            assignments = [_at(s, gast.Assign([_store(name)], s.value, None))]
            others = s.targets
        return assignments + [_at(s, gast.Assign([t], _load(name), None)) for t in others]

    # What a statement may do.

    def exits(self, statements: list[Any]) -> frozenset[str]:
        """The kinds of exits by which statements may be left, other than by an exception."""
        return frozenset().union(*map(self.exits_of, statements))

    def exits_of(self, s: Any) -> frozenset[str]:
        if type(s) in _EXITS:
            return frozenset({_EXITS[type(s)]})
        if not isinstance(s, gast.If | gast.For | gast.While | gast.With):
            return frozenset()
        if s not in self._exits:
            kinds = self.exits(s.body)
            if isinstance(s, gast.For | gast.While):
                kinds &= {"return"}
            if not isinstance(s, gast.With):
                kinds |= self.exits(s.orelse)
            self._exits[s] = kinds
        return self._exits[s]

    def leaves_any(self, statements: list[Any]) -> bool:
        """Whether control never reaches the end of a block."""
        return any(map(self.leaves, statements))

    def leaves(self, s: Any) -> bool:
        match s:
            case gast.Raise():
                return True
            case gast.If():
                return self.leaves_any(s.body) and self.leaves_any(s.orelse)
            case gast.For() | gast.While():
                if "break" in self.exits(s.body):
                    return False
                return _endless(s) or self.leaves_any(s.orelse)
        return type(s) in _EXITS  # a `with` may swallow what is raised in it

    # Blocks.

    def lower(self, statements: list[Any], scope: _Scope) -> list[Any]:
        """A block without exits, which assigns what `scope` says at each of its ends."""
        out: list[Any] = []
        for k, s in enumerate(statements):
            rest = statements[k + 1 :]
            match s:
                case gast.If() if rest and self.exits_of(s):
                    return out + self.branch_and_rest(s, rest, scope)
                case gast.If() if self.exits_of(s):
                    return out + self.branch(s, s.body, s.orelse, scope)
                case gast.If():
                    out += self.branch(s, s.body, s.orelse, _Scope({}, {}, s))
                case gast.With() if self.exits_of(s):
                    return out + self.context(s, rest, scope)
                case gast.With():
                    body = self.deeper(s, s.body, _Scope({}, {}, s))
                    out.append(_at(s, gast.With(s.items, body or [_pass(s)], None)))
                case gast.For() | gast.While():
                    loop, watched, after = self.loop(s, bool(rest), scope)
                    if after:
                        tail = self.lower(after + rest, scope)
                        out += self.assign({f: False for f in watched if f in self._read}, s)
                        return [*out, loop, *tail]
                    out.append(loop)
                case _ if type(s) in _EXITS:
                    if isinstance(s, gast.Return):
                        value = s.value if s.value is not None else _constant(None)
                        out.append(_at(s, gast.Assign([_store(self._result)], value, None)))
                    return out + self.assign(scope.on[_EXITS[type(s)]], s)
                case _:
                    out.append(s)
            if self.leaves(s):
                return out
        return out + self.assign(scope.through, scope.origin)

    def deeper(self, s: Any, statements: list[Any], scope: _Scope) -> list[Any]:
        """The block of a statement; `elif` counts as no deeper."""
        deeper = 0 if len(statements) == 1 and isinstance(statements[0], gast.If) else 1
        self._depth += deeper
        if self._depth > _DEEPEST:
            self.refuse(
                s,
                f"control flow nested more than {_DEEPEST} levels deep",
                "what follows an early exit moves into a branch, and Python limits indentation",
                "split the function into several",
            )
        lowered = self.lower(statements, scope)
        self._depth -= deeper
        return lowered

    def branch(self, s: gast.If, body: list[Any], orelse: list[Any], scope: _Scope) -> list[Any]:
        """An `if` at the end of its block, with these branches; none if it does nothing."""
        then = self.deeper(s, body, scope)
        other = self.deeper(s, orelse, scope)
        test = s.test
        if s in self._flag_of:
            if not then and not other:
                return []
            self._read.add(self._flag_of[s])
            if not then:
                then, other, test = other, [], gast.UnaryOp(gast.Not(), test)
        return [_at(s, gast.If(test, then or [_pass(s)], other))]

    def branch_and_rest(self, s: gast.If, rest: list[Any], scope: _Scope) -> list[Any]:
        """An `if` that may exit, and what follows it."""
        if self.leaves_any(s.body):
            # If both sides exit, nothing falls into the rest.
            orelse = s.orelse if self.leaves_any(s.orelse) else s.orelse + rest
            return self.branch(s, s.body, orelse, scope)
        if self.leaves_any(s.orelse):
            return self.branch(s, s.body + rest, s.orelse, scope)
        flag, inside, onwards = self.guard(s, rest, scope)
        return [
            *self.branch(s, s.body, s.orelse, inside),
            *self.unless(flag, s, self.deeper(s, rest, onwards)),
        ]

    def context(self, s: gast.With, rest: list[Any], scope: _Scope) -> list[Any]:
        """A `with` that may be left from within, and what follows it.

        Its manager may swallow an exception at any point, so what the block assigns at its end is
        assigned before it.
        """
        if not rest:
            before = self.assign(scope.through, s)
            body = self.deeper(s, s.body, _Scope({}, scope.on, s))
            return [*before, _at(s, gast.With(s.items, body or [_pass(s)], None))]
        flag, inside, onwards = self.guard(s, rest, scope)
        body = self.deeper(s, s.body, _Scope({}, inside.on, s))
        return [
            *self.assign({flag: False}, s),
            _at(s, gast.With(s.items, body, None)),
            *self.unless(flag, s, self.deeper(s, rest, onwards)),
        ]

    def guard(self, s: Any, rest: list[Any], scope: _Scope) -> tuple[str, _Scope, _Scope]:
        """A flag that says whether `s` exits; the scope of `s`, and that of the rest.

        A flag that is assigned anyway serves, if the rest does not exit and so leaves it alone.
        """
        kinds = self.exits_of(s)
        if not self.exits(rest):
            for flag, value in scope.through.items():
                if value is False and all(scope.on[kind].get(flag) for kind in kinds):
                    others = {f: v for f, v in scope.through.items() if f != flag}
                    onwards = _Scope(others, scope.on, scope.origin)
                    return flag, _Scope({flag: False}, scope.on, s), onwards
        flag = self.flag("returned" if kinds == {"return"} else "skip")
        on = {kind: {flag: True, **assigned} for kind, assigned in scope.on.items()}
        return flag, _Scope({flag: False}, on, s), scope

    def unless(self, flag: str, s: Any, body: list[Any]) -> list[Any]:
        if not body:
            return []
        self._read.add(flag)
        return [_at(s, gast.If(gast.UnaryOp(gast.Not(), _load(flag)), body, []))]

    # Loops.

    def loop(self, s: Any, rest: bool, scope: _Scope) -> tuple[Any, list[str], list[Any]]:
        """A loop without exits; flags that may be read after it; statements to put after it."""
        inside = self.exits(s.body)
        breaks, returns = "break" in inside, "return" in inside
        is_for, endless = isinstance(s, gast.For), _endless(s)
        stop = self.flag("stop") if breaks or returns or not is_for else None
        on_break: _Assignments = {}
        on_return: _Assignments = {}
        watched: list[str] = []
        after = s.orelse
        if breaks and after:
            # The `else` is for loops that were not broken out of.
            broke = stop if is_for and stop else self.flag("broke")
            watched.append(broke)
            on_break[broke] = True
            after = [self.flag_branch(broke, s, [], after)]
        if returns and endless and not breaks:
            after = [_at(s, _Returned())]
        elif returns and (after or rest or scope.on["return"] != scope.through):
            returned = stop if is_for and stop and not breaks else self.flag("returned")
            watched.append(returned)
            on_return[returned] = True
            after = [self.flag_branch(returned, s, [_at(s, _Returned())], after)]
        body = s.body
        if not is_for and not endless:
            body = [_at(s, gast.If(s.test, body, [_at(s, _Ended())]))]
        if stop is None:
            body = self.deeper(s, body, _Scope({}, {"continue": {}}, s))
        else:
            on: dict[str, _Assignments] = {
                "break": {**on_break, stop: True},
                "continue": {stop: False},
                "return": {**on_return, stop: True},
                "end": {stop: True},
            }
            body = self.deeper(s, body, _Scope({stop: False}, on, s))
            body.append(_at(s, gast.If(_load(stop), [_at(s, gast.Break())], [])))
        if is_for:
            new = _at(s, gast.For(s.target, s.iter, body or [_pass(s)], [], None))
        else:
            new = _at(s, gast.While(_constant(True), body, []))
        if stop is not None:
            self.stops[id(new)] = stop
            if not is_for and not endless:
                self.tests[id(body[0])] = WhileTest(new, stop)
        return new, watched, after

    def flag_branch(self, flag: str, s: Any, body: list[Any], orelse: list[Any]) -> gast.If:
        new = _at(s, gast.If(_load(flag), body, orelse))
        self._flag_of[new] = flag
        return new

    def assign(self, values: _Assignments, origin: Any) -> list[Any]:
        return [
            _at(origin, gast.Assign([_store(name)], _constant(value), None))
            for name, value in values.items()
        ]

    def flag(self, base: str) -> str:
        name = self.fresh(base)
        self.flags[name] = None
        return name

    def temporary(self, base: str) -> str:
        name = self.fresh(base)
        self.temporaries[name] = None
        return name


def _endless(s: Any) -> bool:
    return isinstance(s, gast.While) and isinstance(s.test, gast.Constant) and bool(s.test.value)


def _load(name: str) -> gast.Name:
    return gast.Name(name, gast.Load(), None, None)


def _store(name: str) -> gast.Name:
    return gast.Name(name, gast.Store(), None, None)


def _constant(value: Any) -> gast.Constant:
    return gast.Constant(value, None)


def _pass(origin: Any) -> gast.Pass:
    return _at(origin, gast.Pass())


def _at(origin: Any, node: Any) -> Any:
    """A new node at the place of an old one, with those of its children that are new too."""
    pending = [node]
    while pending:
        n = pending.pop()
        if not hasattr(n, "lineno"):
            if "lineno" in n._attributes:
                n.lineno, n.col_offset = origin.lineno, origin.col_offset
                n.end_lineno, n.end_col_offset = origin.end_lineno, origin.end_col_offset
            pending.extend(gast.iter_child_nodes(n))
    return node
