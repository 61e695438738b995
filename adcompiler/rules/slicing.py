"""What a rule reads, and the part of it that computes only the adjoints that are wanted.

A rule answers with the adjoints of all its inputs. An engine that runs operations one at a time
wants some of them, and has to keep until then what they are computed from. Both follow from the
rule's source, which is straight-line code:

    @bilinear(np.matmul)                              def matmul(g, a, b):
    def matmul(g, a, b):                                  if np.ndim(a) == 1 and np.ndim(b) == 1:
        if np.ndim(a) == 1 and np.ndim(b) == 1:               return g * b
            return g * b, g * a                           ...
        ...

`sliced(rule, ("a",))` is the function on the right. It reads the value of `b` and of `a` no more
than its rank: so `a` need not be kept. Statements on which nothing wanted depends are dropped;
conditions stay, since they are decided by shapes and by arguments that are no numbers.

A partial derivative (of an elementwise rule) becomes a finished adjoint: `g` for the literal 1,
`-g` for -1, `pole_product(g, partial)` if the rule has poles, else `g * partial`; then
`unbroadcast` to the input. Where an engine knows that the input has the shape and the precision of
the result, it asks for the slice with `same=True` and is spared that.

A parameter is read as a *shape* where its rank, lengths and precision suffice: in `np.shape(a)`,
`np.ndim(a)`, `len(a)`, `np.iscomplexobj(a)`, and as the model in `unbroadcast(g, a)` and
`cast(g, a)`. What has a `shape`, an `ndim` and a `dtype` can stand for it, and for a list of
arrays a list of these. Everything else is a read of the *value*.
"""

from __future__ import annotations

import ast
import builtins
import inspect
import linecache
import operator
import textwrap
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cache
from types import CodeType, FunctionType
from typing import Any

import numpy as np

from adcompiler import runtime
from adcompiler.rules.book import Rule, parameter_names

NOTHING = inspect.Parameter.empty


@dataclass(slots=True, eq=False)
class Slice:
    """The part of a rule that computes some of its adjoints.

    `function(g, *reads)` takes the adjoint of the result and then what is named in `reads`, by
    position. It returns the adjoint of the one input that is wanted, or a tuple of them in the
    order of `wanted`; None stands for zero.
    """

    rule: Rule
    wanted: tuple[str, ...]
    reads: tuple[str, ...]
    """All that is read, in the order of the parameters; `out` last."""
    values: tuple[str, ...]
    shapes: tuple[str, ...]
    """Read as shapes only."""
    out: bool
    """Whether the result of the operation is read."""
    defaults: dict[str, Any]
    """Of the parameters in `reads` that have one."""
    text: str
    code: CodeType = field(repr=False)
    names: dict[str, Any] = field(repr=False)
    """The globals of the rule, and the helpers that the slice needs beside them."""
    function: FunctionType = field(init=False)
    refuses: bool
    """Whether it may raise, because the rule does not hold for all arguments."""

    def __post_init__(self) -> None:
        self.function = self.in_terms_of(self.names)

    def in_terms_of(self, names: dict[str, Any]) -> FunctionType:
        """The same code with other functions behind its names."""
        function = FunctionType(self.code, names)
        function.slice = self  # type: ignore[attr-defined]
        return function


def sliced(rule: Rule, wanted: Iterable[str], same: bool = False, real: bool = False) -> Slice:
    """The slice of a rule for the adjoints of `wanted`.

    Parameters
    ----------
    rule : Rule
        From the rulebook.
    wanted : iterable of str
        Names among `rule.inputs`. With none, the slice raises where the rule refuses, and computes
        nothing.
    same : bool
        For elementwise rules: the wanted inputs have the shape and the precision of the result.
    real : bool
        Nothing is complex: what the rule does for complex numbers is left out.

    Returns
    -------
    Slice
        The same object for the same question. A rule that is registered again is another rule.

    Raises
    ------
    ValueError
        If `wanted` names what is not an input of the rule.
    """
    chosen = frozenset(wanted)
    if not chosen <= set(rule.inputs):
        raise ValueError(f"{sorted(chosen - set(rule.inputs))} are no inputs of this rule")
    ordered = tuple(name for name in rule.inputs if name in chosen)
    return _made(rule, ordered, same and rule.kind == "elementwise", real)


@cache
def _made(rule: Rule, wanted: tuple[str, ...], same: bool, real: bool) -> Slice:
    names = dict(rule.function.__globals__)
    for helper in (runtime.unbroadcast, runtime.pole_product, runtime.pole_quotient):
        names.setdefault(helper.__name__, helper)
    body = _body(rule.function)
    if real:
        body = _of_real_numbers(body, names)
    body = _answers(rule, body, wanted, same, names)
    body, _live = _pruned(body, frozenset())
    if not wanted:
        body, _live = _pruned(_trimmed(body), frozenset())
    reading = _Reading(parameter_names(rule.function), names)
    reading.block(body)
    reads = tuple(name for name in (*rule.parameters, "out") if name in reading.found)
    signature = inspect.signature(rule.function).parameters
    tree = _definition(rule, reads, body)
    text = ast.unparse(tree) + "\n"
    kind = (" of the same shape" if same else "") + (", real" if real else "")
    file = f"<adjoint of {', '.join(wanted) or 'nothing'}{kind}: rule {_place(rule)}>"
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
    scope: dict[str, Any] = {}
    exec(compile(text, file, "exec"), names, scope)
    return Slice(
        rule,
        wanted,
        reads,
        tuple(name for name in reads if reading.found[name] == "value"),
        tuple(name for name in reads if reading.found[name] == "shape"),
        "out" in reads,
        {name: signature[name].default for name in reads if signature[name].default is not NOTHING},
        text,
        scope[tree.name].__code__,
        names,
        any(isinstance(node, ast.Raise) for s in body for node in ast.walk(s)),
    )


def _place(rule: Rule) -> str:
    code = rule.function.__code__
    return f"{rule.primal.__name__}, {code.co_filename}:{code.co_firstlineno}"


def _body(function: FunctionType) -> list[ast.stmt]:
    tree = ast.parse(textwrap.dedent(inspect.getsource(function))).body[0]
    assert isinstance(tree, ast.FunctionDef)
    return tree.body


def _definition(rule: Rule, reads: tuple[str, ...], body: list[ast.stmt]) -> ast.FunctionDef:
    name = "".join(c if c.isalnum() else "_" for c in rule.primal.__name__)
    args = ast.arguments(
        posonlyargs=[], args=[ast.arg(n) for n in (_adjoint(rule), *reads)],
        kwonlyargs=[], kw_defaults=[], defaults=[],
    )  # fmt: skip
    tree = ast.FunctionDef(name, args, body or [ast.Pass()], [])
    return ast.fix_missing_locations(tree)


def _adjoint(rule: Rule) -> str:
    """The name of the adjoint: what the author called it, `g` where the engine names it."""
    if rule.kind != "elementwise":
        return parameter_names(rule.function)[0]
    taken = {*rule.function.__code__.co_varnames, *rule.function.__code__.co_names}
    return next(name for name in ("g", "g_out", "g_of_the_result") if name not in taken)


def _of_real_numbers(body: list[ast.stmt], names: dict[str, Any]) -> list[ast.stmt]:
    """The statements where `np.iscomplexobj(x)` is false."""

    class Folding(ast.NodeTransformer):
        def visit_Call(self, node: ast.Call) -> ast.AST:
            self.generic_visit(node)
            return ast.Constant(False) if _function(node.func, names) is np.iscomplexobj else node

        def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.AST:
            self.generic_visit(node)
            known = isinstance(node.op, ast.Not) and isinstance(node.operand, ast.Constant)
            return ast.Constant(not node.operand.value) if known else node

        def visit_IfExp(self, node: ast.IfExp) -> ast.AST:
            self.generic_visit(node)
            return self.chosen(node.test, node.body, node.orelse, node)

        def visit_If(self, node: ast.If) -> Any:
            self.generic_visit(node)
            return self.chosen(node.test, node.body, node.orelse, node)

        def chosen(self, test: ast.expr, then: Any, orelse: Any, node: Any) -> Any:
            if not isinstance(test, ast.Constant):
                return node
            return then if test.value else orelse

    folded: list[ast.stmt] = Folding().visit(ast.Module(body, [])).body
    for k, node in enumerate(folded):  # what follows a return that is always taken
        if isinstance(node, ast.Return | ast.Raise):
            return folded[: k + 1]
    return folded


# The answers.


def _answers(
    rule: Rule, body: list[ast.stmt], wanted: tuple[str, ...], same: bool, names: dict
) -> list[ast.stmt]:
    """The statements, where each `return` gives finished adjoints of the wanted inputs."""
    adjoint = _adjoint(rule)

    def answer(value: ast.expr | None) -> ast.expr | None:
        found: list[ast.expr] = []
        for name in wanted:
            part = _part(value, rule, name)
            if rule.kind == "elementwise":
                part = _finished(part, adjoint, name, rule.pole, same, names)
            found.append(part)
        return found[0] if len(found) == 1 else ast.Tuple(found, ast.Load()) if found else None

    def statement(node: ast.stmt) -> ast.stmt:
        if isinstance(node, ast.Return):
            return ast.Return(answer(node.value))
        if isinstance(node, ast.If):
            return ast.If(
                node.test, list(map(statement, node.body)), list(map(statement, node.orelse))
            )
        return node

    return list(map(statement, body))


def _part(value: ast.expr | None, rule: Rule, name: str) -> ast.expr:
    """The expression for one of the answers of a rule."""
    assert value is not None, f"rule {_place(rule)} returns nothing"
    if rule.kind == "linear" or len(rule.inputs) == 1:
        return value
    position = rule.inputs.index(name)
    if isinstance(value, ast.Tuple) and len(value.elts) == len(rule.inputs):
        return value.elts[position]
    return ast.Subscript(value, ast.Constant(position), ast.Load())


def _finished(
    partial: ast.expr, adjoint: str, name: str, pole: bool, same: bool, names: dict
) -> ast.expr:
    """The adjoint of an input, from the partial derivative."""
    if isinstance(partial, ast.IfExp):
        either = [_finished(p, adjoint, name, pole, same, names) for p in _sides(partial)]
        return ast.IfExp(partial.test, *either)
    g = ast.Name(adjoint, ast.Load())
    constant = _number(partial)
    if isinstance(partial, ast.Constant) and partial.value is None:
        return partial
    product: ast.expr
    if constant == 1:
        product = g
    elif constant == -1:
        product = ast.UnaryOp(ast.USub(), g)
    elif not pole or constant is not None:
        product = ast.BinOp(g, ast.Mult(), partial)
    elif _is_reciprocal(partial, names):
        product = _call("pole_quotient", g, partial.args[1])
    else:
        product = _call("pole_product", g, partial)
    return product if same else _call("unbroadcast", product, ast.Name(name, ast.Load()))


def _sides(choice: ast.IfExp) -> tuple[ast.expr, ast.expr]:
    return choice.body, choice.orelse


def _number(node: ast.expr) -> float | None:
    try:
        value = ast.literal_eval(node)
    except ValueError:
        return None
    return value if type(value) in (int, float) else None


def _is_reciprocal(partial: ast.expr, names: dict) -> bool:
    """Is it `quotient(1, y)`? A product with that is one division."""
    return (
        isinstance(partial, ast.Call)
        and _function(partial.func, names) is runtime.quotient
        and _number(partial.args[0]) == 1
    )


def _call(name: str, *args: ast.expr) -> ast.Call:
    return ast.Call(ast.Name(name, ast.Load()), list(args), [])


# Dead code.


def _pruned(body: list[ast.stmt], live: frozenset[str]) -> tuple[list[ast.stmt], frozenset[str]]:
    """The statements that matter where `live` is read after them, and what they read."""
    kept: list[ast.stmt] = []
    for node in reversed(body):
        match node:
            case ast.Return() | ast.Raise():
                kept, live = [node], _names(node)
            case ast.Assign(targets=[target]):
                left = _assignment(target, node.value, live)
                if left is not None:
                    kept.append(left)
                    live = (live - _targets(target)) | _names(left.value)
            case ast.AugAssign(target=ast.Name(id=name)):
                if name in live:
                    kept.append(node)
                    live = live | _names(node.value)
            case ast.If():
                then, live_then = _pruned(node.body, live)
                orelse, live_else = _pruned(node.orelse, live)
                if then or orelse:
                    # `if c: pass else: s` cannot be written with an empty body.
                    kept.append(ast.If(node.test, then or [ast.Pass()], orelse))
                    live = live_then | live_else | _names(node.test)
            case ast.Expr(value=ast.Constant()) | ast.Pass():
                pass
            case _:
                raise NotImplementedError(f"a rule with `{ast.unparse(node)}`")
    kept.reverse()
    return kept, live


def _trimmed(body: list[ast.stmt]) -> list[ast.stmt]:
    """Without what says nothing at the end of a function that returns nothing."""
    while body and _says_nothing(body[-1]):
        body = body[:-1]
    return body


def _says_nothing(node: ast.stmt) -> bool:
    if isinstance(node, ast.If):
        return all(map(_says_nothing, (*node.body, *node.orelse)))
    return isinstance(node, ast.Pass) or (isinstance(node, ast.Return) and node.value is None)


def _assignment(target: ast.expr, value: ast.expr, live: frozenset[str]) -> ast.Assign | None:
    """The assignment without the targets that nobody reads."""
    if not _targets(target) & live:
        return None
    both_tuples = isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple)
    if not both_tuples or len(target.elts) != len(value.elts):
        return ast.Assign([target], value)
    pairs = [p for p in zip(target.elts, value.elts, strict=True) if _targets(p[0]) & live]
    if len(pairs) == 1:
        return ast.Assign([pairs[0][0]], pairs[0][1])
    left, right = zip(*pairs, strict=True)
    return ast.Assign([ast.Tuple(list(left), ast.Store())], ast.Tuple(list(right), ast.Load()))


def _targets(target: ast.expr) -> frozenset[str]:
    return frozenset(node.id for node in ast.walk(target) if isinstance(node, ast.Name))


def _names(node: ast.AST) -> frozenset[str]:
    return frozenset(
        n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)
    )


# What is read.

SHAPE_ARGUMENTS: dict[Callable, tuple[int, ...]] = {
    np.shape: (0,), np.ndim: (0,), np.iscomplexobj: (0,), len: (0,),
    runtime.unbroadcast: (1,), runtime.cast: (1,), runtime.unpack: (1,), runtime.stretched: (1,),
}  # fmt: skip
"""Functions that ask no more of these arguments than shape and precision."""

SHAPE_ATTRIBUTES = {"shape", "ndim", "dtype"}


class _Reading:
    """Collects for each parameter whether its value is read, or only its shape."""

    def __init__(self, parameters: tuple[str, ...], names: dict[str, Any]) -> None:
        self.parameters = frozenset(parameters)
        self.names = names
        self.found: dict[str, str] = {}
        # What names bound by a comprehension run over.
        self.items: dict[str, ast.expr | None] = {}
        self.local: set[str] = set()

    def block(self, body: list[ast.stmt]) -> None:
        for node in body:
            match node:
                case ast.Return(value=None) | ast.Pass():
                    pass
                case ast.Return(value=value) | ast.Expr(value=value):
                    self.expression(value)
                case ast.Assign(targets=[target], value=value):
                    self.expression(value)
                    self.local |= _targets(target)
                case ast.AugAssign(target=target, value=value):
                    self.expression(value)
                    self.name(target.id, "value")
                case ast.If(test=test, body=then, orelse=orelse):
                    self.expression(test)
                    before = set(self.local)
                    self.block(then)
                    after, self.local = self.local, set(before)
                    self.block(orelse)
                    self.local &= after
                case ast.Raise(exc=exc):
                    self.expression(exc)

    def name(self, name: str, how: str) -> None:
        if name in self.items:
            source = self.items[name]
            if source is not None:
                self.expression(source, how)
        elif name in self.parameters and name not in self.local:
            self.found[name] = "value" if "value" in (how, self.found.get(name)) else "shape"

    def expression(self, node: ast.AST | None, how: str = "value") -> None:
        match node:
            case None:
                pass
            case ast.Name(id=name):
                self.name(name, how)
            case ast.Subscript(value=value, slice=index):
                self.expression(value, how)
                self.expression(index)
            case ast.Attribute(value=value, attr=attribute):
                self.expression(value, "shape" if attribute in SHAPE_ATTRIBUTES else "value")
            case ast.Call(func=func, args=args, keywords=keywords):
                called = _function(func, self.names)
                self.expression(func)
                for k, arg in enumerate(args):
                    asks = k in SHAPE_ARGUMENTS.get(called, ()) if called is not None else False
                    self.expression(arg, "shape" if asks else "value")
                for keyword in keywords:
                    self.expression(keyword.value)
            case ast.ListComp(elt=elt, generators=generators):
                outer = dict(self.items)
                for generator in generators:
                    self.generator(generator)
                self.expression(elt)
                self.items = outer
            case _:
                for child in ast.iter_child_nodes(node):
                    self.expression(child)

    def generator(self, generator: ast.comprehension) -> None:
        """Bind the target of a comprehension to what it runs over; to run is to read a length."""
        target, source = generator.target, generator.iter
        is_zip = isinstance(source, ast.Call) and _function(source.func, self.names) is zip
        if is_zip and isinstance(target, ast.Tuple):
            pairs = list(zip(target.elts, source.args, strict=True))
        else:
            pairs = [(target, source)]
        for name, over in pairs:
            if isinstance(name, ast.Name) and isinstance(over, ast.Name | ast.Subscript):
                self.expression(over, "shape")
                self.items[name.id] = over
            else:
                self.expression(over)
                self.items |= dict.fromkeys(_targets(name))


def _function(node: ast.expr, names: dict[str, Any]) -> Any:
    """The function that an expression names, or None."""
    try:
        match node:
            case ast.Name(id=name):
                found = names[name] if name in names else getattr(builtins, name)
            case ast.Attribute(value=owner, attr=attribute):
                found = operator.attrgetter(attribute)(_function(owner, names))
            case _:
                return None
    except AttributeError:
        return None
    return found
