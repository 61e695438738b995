"""`match` and `try` in terms of simpler statements, before exits become structure.

`match` becomes a chain of `if`. Of `try`, the body stays: where an exception is caught, the
derivative lets it through to its caller, as it has no derivative to give there.
"""

from __future__ import annotations

from typing import Any

import gast

from adcompiler.ir.exits import Refuse
from adcompiler.ir.names import all_names

_NESTED = (gast.FunctionDef, gast.AsyncFunctionDef, gast.Lambda, gast.ClassDef)
_EXITS = (gast.Return, gast.Break, gast.Continue)


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


class _Desugar:
    def __init__(self, refuse: Refuse, taken: frozenset[str] | set[str]) -> None:
        self.refuse = refuse
        self.taken = set(taken)

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
        for inner in _inside(s.body):
            if isinstance(inner, gast.Raise):
                self.refuse(
                    inner,
                    "`raise` inside `try`",
                    "what the handler computes is not differentiated",
                    "write the case as `if` and `else`",
                )
            if s.finalbody and isinstance(inner, _EXITS):
                self.refuse(
                    inner,
                    "leaving a `try` with `finally`",
                    "`finally` would run in between",
                    "leave after the `try`",
                )
        return self.statements([*s.body, *s.orelse, *s.finalbody])

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
            if case.guard is not None:
                if bindings:
                    self.refuse(
                        case.pattern,
                        "a guard on a pattern that binds names",
                        "the names would be bound where the guard fails, too",
                        "test inside the case, or write `if` and `elif`",
                    )
                tests.append(case.guard)
            bound = [
                _at(case.pattern, gast.Assign([_name(n, gast.Store(), s)], value, None))
                for n, value in bindings
            ]
            body = [*bound, *self.statements(case.body)]
            rest = [_case(case.pattern, gast.If(_all(tests, s), body, rest))] if tests else body
        return [*before, *rest]

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
                options = []
                for option in patterns:
                    inside: list[Any] = []
                    names: list[Any] = []
                    self.pattern(option, subject, inside, names)
                    if names:
                        self.unknown(p)
                    if not inside:
                        return
                    options.append(_all(inside, p))
                tests.append(_at(p, gast.BoolOp(gast.Or(), options)))
            case gast.MatchSequence(patterns=patterns):
                kinds = [_name(kind, gast.Load(), p) for kind in ("tuple", "list")]
                tests.append(
                    _call("isinstance", [subject, _at(p, gast.Tuple(kinds, gast.Load()))], p)
                )
                length = _at(p, gast.Constant(len(patterns), None))
                tests.append(
                    _at(p, gast.Compare(_call("len", [subject], p), [gast.Eq()], [length]))
                )
                for k, inner in enumerate(patterns):
                    index = _at(p, gast.Constant(k, None))
                    item = _at(p, gast.Subscript(subject, index, gast.Load()))
                    self.pattern(inner, item, tests, bindings)
            case gast.MatchClass(cls=cls, patterns=[], kwd_attrs=names, kwd_patterns=patterns):
                tests.append(_call("isinstance", [subject, cls], p))
                for name, inner in zip(names, patterns, strict=True):
                    part = _at(p, gast.Attribute(subject, name, gast.Load()))
                    self.pattern(inner, part, tests, bindings)
            case _:
                self.unknown(p)

    def unknown(self, p: Any) -> None:
        self.refuse(
            p,
            "a pattern of this form",
            "values, names, sequences of known length and classes with keywords are compiled",
            "write `if` and `elif`",
        )


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
