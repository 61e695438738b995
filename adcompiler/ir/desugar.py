"""`match` and `try` in terms of simpler statements, before exits become structure.

`match` becomes a chain of `if`. What `raise` in the body of a `try` raises is an exit to the
handler that takes it. What is raised elsewhere (by NumPy, or in a function that is called) the
derivative lets through to its caller.
"""

from __future__ import annotations

import copy
from typing import Any

import gast

from adcompiler.ir.exits import Closed, Refuse
from adcompiler.ir.names import Fresh, all_names

_NESTED = (gast.FunctionDef, gast.AsyncFunctionDef, gast.Lambda, gast.ClassDef)
_EXITS = (gast.Return, gast.Break, gast.Continue)
_LEAVING = (gast.Return, gast.Raise, gast.Yield, gast.YieldFrom)
"""What may leave the loops around it; a generator may be closed at a `yield`."""


def desugar(function: gast.FunctionDef, refuse: Refuse) -> gast.FunctionDef:
    """The function without `match` and `try`; the function itself is left as it is."""
    body = _Desugar(refuse, all_names(function)).statements(function.body)
    made = gast.FunctionDef(
        function.name,
        function.args,
        body,
        function.decorator_list,
        function.returns,
        function.type_comment,
        function.type_params,
    )
    return gast.copy_location(made, function)


def catches(function: Any) -> bool:
    """Whether a function has a `try` with handlers, or a `with`, which may swallow exceptions."""
    body = function.body if isinstance(function.body, list) else [function.body]
    return any(
        isinstance(node, gast.Try) and node.handlers or isinstance(node, gast.With)
        for node in _inside(body)
    )


class Thrown(gast.expr):
    """The exception that `raise exc` would raise, as an expression."""

    _fields = ("exc",)
    _attributes = ("lineno", "col_offset", "end_lineno", "end_col_offset")

    def __init__(self, exc: Any) -> None:
        self.exc = exc


class Leaving(gast.expr):
    """An exception leaves the innermost `count` blocks of `with`; a statement of its own."""

    _fields = ()
    _attributes = ("lineno", "col_offset", "end_lineno", "end_col_offset")

    def __init__(self, count: int) -> None:
        self.count = count


class LeftBeforeFinally(gast.expr):
    """What a loop walks that may be left from inside by way of a `finally` around it."""

    _fields = ("value",)
    _attributes = ("lineno", "col_offset", "end_lineno", "end_col_offset")

    def __init__(self, value: Any) -> None:
        self.value = value


class _Desugar:
    def __init__(self, refuse: Refuse, taken: frozenset[str] | set[str]) -> None:
        self.refuse = refuse
        self.fresh = Fresh(set(taken))
        self.taken = set(taken)
        self.closing_yields: list[Any] = []
        """Those behind which a `finally` stands for when the generator is closed there."""

    def statements(self, body: list[Any]) -> list[Any]:
        return [new for s in body for new in self.statement(s)]

    def statement(self, s: Any) -> list[Any]:
        match s:
            case gast.Match():
                return self.match(s)
            case gast.Try():
                return self.try_(s)
            case gast.If():
                new = gast.If(s.test, self.statements(s.body), self.statements(s.orelse))
            case gast.While():
                new = gast.While(s.test, self.statements(s.body), self.statements(s.orelse))
            case gast.For():
                body, orelse = self.statements(s.body), self.statements(s.orelse)
                new = gast.For(s.target, s.iter, body, orelse, s.type_comment)
            case gast.With():
                new = gast.With(s.items, self.statements(s.body), s.type_comment)
            case _:
                return [s]
        return [gast.copy_location(new, s)]

    # -- try ----------------------------------------------------------------------------------

    def try_(self, s: gast.Try) -> list[Any]:
        """A `try` by what its body itself raises; what else raises goes through to the caller."""
        body, orelse = self.statements(s.body), self.statements(s.orelse)
        final = [f for f in self.statements(s.finalbody) if not isinstance(f, gast.Pass)]
        raises = s.handlers and any(isinstance(inner, gast.Raise) for inner in _inside(body))
        if raises:
            caught = _Catch(self, s).whole(body, orelse)
        else:
            caught = [*body, *orelse]
        if not final:
            return caught
        for inner in _inside(final):
            if isinstance(inner, _EXITS):
                self.refuse(
                    inner,
                    "leaving a `finally`",
                    "what it leaves behind (a result, an exception) would be forgotten",
                    "leave after the `try`",
                )
        return [*self.closing(caught, final, inside=False), *final]

    def closing(self, body: list[Any], final: list[Any], inside: bool) -> list[Any]:
        """Statements that run `final` wherever they leave; `inside`: in a loop of theirs."""
        return [new for s in body for new in self.close(s, final, inside)]

    def close(self, s: Any, final: list[Any], inside: bool) -> list[Any]:
        match s:
            case gast.Raise(exc=exc) if exc is not None:
                name = self.fresh("error")
                thrown = gast.Assign([_name(name, gast.Store(), s)], _at(s, Thrown(exc)), None)
                again = gast.Raise(_name(name, gast.Load(), s), s.cause)
                return [_at(s, thrown), *copy.deepcopy(final), _at(s, again)]
            case gast.Return(value=value) if value is not None:
                name = self.fresh("value")
                kept = gast.Assign([_name(name, gast.Store(), s)], value, None)
                result = gast.Return(_name(name, gast.Load(), s))
                return [_at(s, kept), *copy.deepcopy(final), _at(s, result)]
            case gast.Raise() | gast.Return():
                return [*copy.deepcopy(final), s]
            case gast.Break() | gast.Continue() if not inside:
                return [*copy.deepcopy(final), s]
            case gast.Expr(value=gast.Yield()) if not any(s is y for y in self.closing_yields):
                self.closing_yields.append(s)
                leave = [*copy.deepcopy(final), _at(s, gast.Return(None))]
                return [s, _at(s, gast.If(_at(s, Closed()), leave, []))]
            case gast.Expr(value=gast.YieldFrom(value=items)):
                item = self.fresh("item")
                given = _at(s, gast.Expr(_at(s, gast.Yield(_name(item, gast.Load(), s)))))
                loop = gast.For(_name(item, gast.Store(), s), items, [given], [], None)
                return self.close(_at(s, loop), final, inside)
            case gast.If():
                then = self.closing(s.body, final, inside)
                return [_at(s, gast.If(s.test, then, self.closing(s.orelse, final, inside)))]
            case gast.With():
                return [_at(s, gast.With(s.items, self.closing(s.body, final, inside), None))]
            case gast.For():
                block = self.closing(s.body, final, True)
                other = self.closing(s.orelse, final, inside)
                walked = s.iter
                if any(isinstance(inner, _LEAVING) for inner in _inside(s.body)):
                    walked = _at(walked, LeftBeforeFinally(walked))
                return [_at(s, gast.For(s.target, walked, block, other, None))]
            case gast.While():
                block = self.closing(s.body, final, True)
                return [_at(s, gast.While(s.test, block, self.closing(s.orelse, final, inside)))]
        return [s]

    # -- match --------------------------------------------------------------------------------

    def match(self, s: gast.Match) -> list[Any]:
        before: list[Any] = []
        subject: Any = s.subject
        if not isinstance(subject, gast.Name):
            name = "subject"
            while name in self.taken:
                name += "_"
            self.taken.add(name)
            before = [_at(s, gast.Assign([_name(name, gast.Store(), s)], subject, None))]
            subject = _name(name, gast.Load(), s)
        rest: list[Any] = []
        for case in reversed(s.cases):
            tests: list[Any] = []
            bindings: list[tuple[str, Any]] = []
            self.pattern(case.pattern, subject, tests, bindings)
            bound = [
                _at(case.pattern, gast.Assign([_name(n, gast.Store(), s)], value, None))
                for n, value in bindings
            ]
            body = self.statements(case.body)
            if case.guard is not None and not bound:
                tests.append(case.guard)
            elif case.guard is not None:
                rest = self.guarded(case, tests, bound, body, rest)
                continue
            body = [*bound, *body]
            rest = [_case(case.pattern, gast.If(_all(tests, s), body, rest))] if tests else body
        return [*before, *rest]

    def guarded(self, case: Any, tests: list, bound: list, body: list, rest: list) -> list[Any]:
        """A case whose guard reads what its pattern binds: else the next one is tried."""
        p = case.pattern
        matched = self.fresh("matched")

        def mark(value: bool) -> Any:
            return _at(p, gast.Assign([_name(matched, gast.Store(), p)], _number(value, p), None))

        inner = [*bound, _at(p, gast.If(case.guard, [mark(True), *body], []))]
        tried = [_case(p, gast.If(_all(tests, p), inner, []))] if tests else inner
        failed = _at(p, gast.UnaryOp(gast.Not(), _name(matched, gast.Load(), p)))
        others = [_at(p, gast.If(failed, rest, []))] if rest else []
        return [mark(False), *tried, *others]

    def pattern(self, p: Any, subject: Any, tests: list, bindings: list) -> None:
        """Add what a pattern tests of the subject, and what it binds."""
        match p:
            case gast.MatchValue(value=value):
                tests.append(_at(p, gast.Compare(subject, [gast.Eq()], [value])))
            case gast.MatchSingleton(value=value):
                constant = _at(p, gast.Constant(value, None))
                tests.append(_at(p, gast.Compare(subject, [gast.Is()], [constant])))
            case gast.MatchAs(pattern=inner, name=name):
                if inner is not None:
                    self.pattern(inner, subject, tests, bindings)
                if name is not None:
                    bindings.append((name, subject))
            case gast.MatchOr(patterns=patterns):
                self.alternatives(p, patterns, subject, tests, bindings)
            case gast.MatchSequence(patterns=patterns):
                self.sequence(p, patterns, subject, tests, bindings)
            case gast.MatchMapping(keys=keys, patterns=patterns, rest=rest):
                tests.append(_call("isinstance", [subject, _name("dict", gast.Load(), p)], p))
                for key, inner in zip(keys, patterns, strict=True):
                    tests.append(_at(p, gast.Compare(key, [gast.In()], [subject])))
                    item = _at(p, gast.Subscript(subject, key, gast.Load()))
                    self.pattern(inner, item, tests, bindings)
                if rest is not None:
                    bindings.append((rest, self.others(p, keys, subject)))
            case gast.MatchClass(cls=cls, patterns=[inner], kwd_attrs=[]) if _is_plain(cls):
                tests.append(_call("isinstance", [subject, cls], p))
                self.pattern(inner, subject, tests, bindings)
            case gast.MatchClass(
                cls=cls, patterns=positional, kwd_attrs=names, kwd_patterns=patterns
            ):
                tests.append(_call("isinstance", [subject, cls], p))
                for k, inner in enumerate(positional):
                    fields = _at(p, gast.Attribute(cls, "__match_args__", gast.Load()))
                    name = _at(p, gast.Subscript(fields, _number(k, p), gast.Load()))
                    self.pattern(inner, _call("getattr", [subject, name], p), tests, bindings)
                for name, inner in zip(names, patterns, strict=True):
                    part = _at(p, gast.Attribute(subject, name, gast.Load()))
                    self.pattern(inner, part, tests, bindings)
            case _:
                self.unknown(p)

    def alternatives(
        self, p: Any, patterns: list, subject: Any, tests: list, bindings: list
    ) -> None:
        """`p | q`: the first that matches binds the names, the same in each."""
        options: list[Any] = []
        bound: list[dict[str, Any]] = []
        for option in patterns:
            inside: list[Any] = []
            names: list[tuple[str, Any]] = []
            self.pattern(option, subject, inside, names)
            bound.append(dict(names))
            if not inside:
                break
            options.append(_all(inside, p))
        if len(options) == len(bound):
            tests.append(_at(p, gast.BoolOp(gast.Or(), options)))
        for name in bound[0]:
            value = bound[-1][name]
            for test, names_of in reversed(list(zip(options, bound[:-1], strict=False))):
                value = _at(p, gast.IfExp(test, names_of[name], value))
            bindings.append((name, value))

    def sequence(self, p: Any, patterns: list, subject: Any, tests: list, bindings: list) -> None:
        """`[p, *rest, q]`."""
        kinds = [_name(kind, gast.Load(), p) for kind in ("tuple", "list")]
        tests.append(_call("isinstance", [subject, _at(p, gast.Tuple(kinds, gast.Load()))], p))
        stars = [k for k, inner in enumerate(patterns) if isinstance(inner, gast.MatchStar)]
        length = _number(len(patterns) - len(stars), p)
        compared = gast.GtE() if stars else gast.Eq()
        tests.append(_at(p, gast.Compare(_call("len", [subject], p), [compared], [length])))
        for k, inner in enumerate(patterns):
            if isinstance(inner, gast.MatchStar):
                if inner.name is not None:
                    behind = k + 1 - len(patterns)
                    stop = _number(behind, p) if behind else None
                    part = _at(p, gast.Slice(_number(k, p), stop, None))
                    rest = _at(p, gast.Subscript(subject, part, gast.Load()))
                    bindings.append((inner.name, self.listed(rest, p)))
                continue
            place = k - len(patterns) if stars and k > stars[0] else k
            item = _at(p, gast.Subscript(subject, _number(place, p), gast.Load()))
            self.pattern(inner, item, tests, bindings)

    def listed(self, items: Any, p: Any) -> Any:
        """`[item for item in items]`."""
        item = self.fresh("item")
        walk = gast.comprehension(_name(item, gast.Store(), p), items, [], 0)
        return _at(p, gast.ListComp(_name(item, gast.Load(), p), [walk]))

    def others(self, p: Any, keys: list, subject: Any) -> Any:
        """`**rest`: a dict of the items under other keys."""
        key, value = self.fresh("key"), self.fresh("value")
        pair = [_name(key, gast.Store(), p), _name(value, gast.Store(), p)]
        known = _at(p, gast.Tuple(list(keys), gast.Load()))
        test = _at(p, gast.Compare(_name(key, gast.Load(), p), [gast.NotIn()], [known]))
        items = _at(p, gast.Call(_at(p, gast.Attribute(subject, "items", gast.Load())), [], []))
        walk = gast.comprehension(_at(p, gast.Tuple(pair, gast.Store())), items, [test], 0)
        made = gast.DictComp(_name(key, gast.Load(), p), _name(value, gast.Load(), p), [walk])
        return _at(p, made)

    def unknown(self, p: Any) -> None:
        self.refuse(
            p,
            "a pattern of this form",
            "it is not followed",
            "write `if` and `elif`",
        )


class _Catch:
    """A `try` whose body raises: its exceptions become exits of a loop that makes one trip.

    try:                                for _ in (None,):
        if x < 0:                           if x < 0:
            raise ValueError("no")              error = ValueError("no")
        y = f(x)                                if isinstance(error, ValueError):
    except ValueError:                              handler = 0
        y = 0.0                         ->          break
                                                raise error
                                            y = f(x)
                                        else:
                                            handler = -1
                                        if handler == 0:
                                            y = 0.0
    """

    def __init__(self, desugar: _Desugar, s: gast.Try) -> None:
        self.desugar = desugar
        self.s = s
        fresh = desugar.fresh
        self.error, self.handler = fresh("error"), fresh("handler")
        self.broke: str | None = None
        self.went_on: str | None = None
        self.withs = 0
        """How many `with` of the body are around."""

    def whole(self, body: list[Any], orelse: list[Any]) -> list[Any]:
        s = self.s
        lifted = self.lifted(body, inside=False)
        trip = gast.For(
            _name(self.desugar.fresh("_"), gast.Store(), s),
            _at(s, gast.Tuple([_number(None, s)], gast.Load())),
            [*lifted, self.assign(self.handler, -1)],
            [],
            None,
        )
        made = [_at(s, trip)]
        chain: list[Any] = orelse
        for k, handler in reversed(list(enumerate(s.handlers))):
            test = _at(s, gast.Compare(self.load(self.handler), [gast.Eq()], [_number(k, s)]))
            named = handler.name.id if isinstance(handler.name, gast.Name) else handler.name
            bound = [self.assign(named, self.load(self.error))] if named else []
            block = self.desugar.statements(handler.body)
            chain = [_at(handler, gast.If(test, [*bound, *self.again(block)], chain))]
        before = [self.assign(f, False) for f in (self.broke, self.went_on) if f is not None]
        after = []
        for flag, leave in ((self.broke, gast.Break), (self.went_on, gast.Continue)):
            if flag is not None:
                after.append(_at(s, gast.If(self.load(flag), [_at(s, leave())], [])))
        return [*before, *made, *after, *chain]

    def lifted(self, body: list[Any], inside: bool) -> list[Any]:
        """Statements in which `raise` is an exit; `inside`: in a loop of the body."""
        return [new for s in body for new in self.lift(s, inside)]

    def lift(self, s: Any, inside: bool) -> list[Any]:
        match s:
            case gast.Raise():
                return self.thrown(s)
            case gast.Break() if not inside:
                self.broke = self.broke or self.desugar.fresh("broke")
                return [self.assign(self.broke, True), self.assign(self.handler, -2), s]
            case gast.Continue() if not inside:
                self.went_on = self.went_on or self.desugar.fresh("went_on")
                leave = _at(s, gast.Break())
                return [self.assign(self.went_on, True), self.assign(self.handler, -2), leave]
            case gast.If():
                then, other = self.lifted(s.body, inside), self.lifted(s.orelse, inside)
                return [_at(s, gast.If(s.test, then, other))]
            case gast.With():
                self.withs += 1
                block = self.lifted(s.body, inside)
                self.withs -= 1
                return [_at(s, gast.With(s.items, block, None))]
            case gast.For() | gast.While():
                if not any(isinstance(inner, gast.Raise) for inner in _inside([s])):
                    return [s]
                block, other = self.lifted(s.body, True), self.lifted(s.orelse, inside)
                if isinstance(s, gast.For):
                    loop: Any = gast.For(s.target, s.iter, block, other, None)
                else:
                    loop = gast.While(s.test, block, other)
                going_on = self.assign(self.handler, -1)
                test = _at(s, gast.Compare(self.load(self.handler), [gast.GtE()], [_number(0, s)]))
                return [going_on, _at(s, loop), _at(s, gast.If(test, [_at(s, gast.Break())], []))]
        return [s]

    def thrown(self, s: gast.Raise) -> list[Any]:
        """`raise`: which handler takes it, or none."""
        if s.exc is None:
            self.desugar.refuse(
                s,
                "`raise` of what another handler has caught",
                "which exception it is is not followed",
                "raise it by name: `except ValueError as e: ... raise e`",
            )
        error = self.load(self.error)
        rest: list[Any] = [_at(s, gast.Raise(error, None))]
        for k, handler in reversed(list(enumerate(self.s.handlers))):
            leave = [self.assign(self.handler, k), _at(s, gast.Break())]
            if self.withs:
                leave.insert(0, _at(s, gast.Expr(_at(s, Leaving(self.withs)))))
            if handler.type is None:
                rest = leave
            else:
                test = _call("isinstance", [self.load(self.error), handler.type], s)
                rest = [_at(s, gast.If(test, leave, rest))]
        return [self.assign(self.error, _at(s, Thrown(s.exc))), *rest]

    def again(self, body: list[Any]) -> list[Any]:
        """The body of a handler, in which `raise` alone raises what was caught."""
        for inner in _inside(body):
            if isinstance(inner, gast.Raise) and inner.exc is None:
                inner.exc = self.load(self.error)
        return body

    def assign(self, name: str, value: Any) -> Any:
        node = value if isinstance(value, gast.AST) else _number(value, self.s)
        return _at(self.s, gast.Assign([_name(name, gast.Store(), self.s)], node, None))

    def load(self, name: str) -> Any:
        return _name(name, gast.Load(), self.s)


def _number(value: Any, at: Any) -> Any:
    return _at(at, gast.Constant(value, None))


def _inside(body: list[Any]) -> list[Any]:
    """All nodes in some statements, but not in functions that they define."""
    found: list[Any] = []
    todo = list(body)
    while todo:
        node = todo.pop()
        found.append(node)
        if not isinstance(node, _NESTED):
            todo += gast.iter_child_nodes(node)
    return found


_PLAIN = {
    "bool", "bytearray", "bytes", "dict", "float", "frozenset", "int", "list", "set", "str",
    "tuple",
}  # fmt: skip
"""Classes whose one positional pattern is matched against the subject itself."""


def _is_plain(cls: Any) -> bool:
    return isinstance(cls, gast.Name) and cls.id in _PLAIN


def _all(tests: list[Any], at: Any) -> Any:
    return tests[0] if len(tests) == 1 else _at(at, gast.BoolOp(gast.And(), tests))


def _name(name: str, context: Any, at: Any) -> Any:
    return _at(at, gast.Name(name, context, None, None))


def _call(function: str, args: list[Any], at: Any) -> Any:
    return _at(at, gast.Call(_name(function, gast.Load(), at), args, []))


def _case(pattern: Any, node: Any) -> Any:
    """The statement stands where `case` does, before the pattern."""
    _at(pattern, node).col_offset = pattern.col_offset - len("case ")
    return node


def _at(place: Any, node: Any) -> Any:
    return gast.copy_location(node, place)
