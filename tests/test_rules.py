"""Every rule of the rulebook, called as an engine calls it, against differences.

The rules are plain Python, so no compiler takes part. A rule without a case fails a test.
"""

import ast
import builtins
import inspect
import math
import operator
import textwrap
import warnings
from functools import partial

import numpy as np
import pytest

from adcompiler import runtime
from adcompiler.rules import book
from tests.rule_cases import Case, cases
from tests.rule_engine import Dual, dual, leaves, mapped, moving_args, operate, pull, push

CASES = list(cases())
STEP = 1e-6


def inner(a, b):
    pairs = zip(leaves(a), leaves(b), strict=True)
    return sum(np.sum(np.asarray(x) * y).real for x, y in pairs)


def differences(case, tangents, step=STEP):
    """How the result of the call changes as the arguments move along the tangents."""
    ends = []
    for t in (step, -step):
        args = list(case.args)
        for i, tangent in zip(case.argnums, tangents, strict=True):
            args[i] = mapped(lambda x, d, t=t: x + t * d, args[i], tangent)
        ends.append(case.fn(*args, **case.kwargs))
    return mapped(lambda a, b: (np.asarray(a) - b) / (2 * step), *ends)


def random_like(random, tree):
    """As a mapping of trees, a random one of the same structure; Python's floats stay that."""

    def one(x):
        if type(x) is float:
            return random.uniform(-1, 1)
        numbers = np.asarray(random.uniform(-1, 1, np.shape(x)))
        if np.iscomplexobj(x):
            numbers = numbers + 1j * random.uniform(-1, 1, np.shape(x))
        return numbers.astype(np.asarray(x).dtype)[()]

    return mapped(one, tree)


def call(case):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return case.fn(*case.args, **case.kwargs)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_reverse_and_forward_agree_with_differences(case):
    random = np.random.default_rng(1)
    out = call(case)
    g = random_like(random, out)
    adjoints = pull(case, out, g)
    directions = [random_like(random, case.args[i]) for i in case.argnums]
    for k, i in enumerate(case.argnums):
        for adjoint, leaf in zip(leaves(adjoints[k]), leaves(case.args[i]), strict=True):
            assert np.shape(adjoint) == np.shape(leaf)
            assert np.asarray(adjoint).dtype.kind in "fc"
        alone = [d if j == k else mapped(np.zeros_like, d) for j, d in enumerate(directions)]
        slopes = differences(case, alone)
        tangent = push(case, out, mapped(kept_float, alone, moving_args(case)))
        for ours, theirs in zip(leaves(tangent), leaves(slopes), strict=True):
            assert np.shape(ours) == np.shape(theirs)
            np.testing.assert_allclose(ours, theirs, rtol=2e-7, atol=2e-7)
        expected = inner(g, slopes)
        found = inner(adjoints[k], directions[k])
        assert np.isclose(found, expected, rtol=1e-6, atol=1e-6)
        assert np.isclose(found, inner(g, tangent), rtol=1e-11, atol=1e-11)


def kept_float(direction, like):
    return float(direction) if type(like) is float else direction


# Second order: the rules are made of operations that have rules.


MADE_FOR_RULES = ("adcompiler.runtime", "adcompiler.tape.memory")


def _calls_of_runtime():
    """Where the modules of the rules name a function of `runtime`."""
    spaces = {id(r.function.__globals__): r.function.__globals__ for r in book.BOOK.values()}
    for space in spaces.values():
        for name, value in space.items():
            if getattr(value, "__module__", None) in MADE_FOR_RULES:
                yield space, name, partial(operate, value)


CALLS_OF_RUNTIME = list(_calls_of_runtime())


@pytest.fixture
def dispatched(monkeypatch):
    """Functions of `runtime`, as the rules call them, take Duals too."""
    for space, name, function in CALLS_OF_RUNTIME:
        monkeypatch.setitem(space, name, function)


# NumPy does not hand `np.array` of a list of Duals to them.
@pytest.mark.parametrize("case", [c for c in CASES if c.fn is not runtime.unpack], ids=str)
def test_second_order(case, dispatched):
    """How the adjoints change as the arguments and `g` do, against differences of the adjoints."""
    random = np.random.default_rng(3)
    out = call(case)
    g = random_like(random, out)
    directions = [random_like(random, x) for x in moving_args(case)]
    g_dot = random_like(random, out)
    tangents = mapped(kept_float, directions, moving_args(case))
    ends = []
    for t in (STEP, -STEP):
        args = list(case.args)
        for i, d in zip(case.argnums, directions, strict=True):
            args[i] = mapped(lambda x, d, t=t: kept_float(x + t * d, x), args[i], d)
        moved = Case(case.fn, tuple(args), case.kwargs, case.argnums)
        ends.append(pull(moved, call(moved), mapped(lambda x, d, t=t: x + t * d, g, g_dot)))
    args = list(case.args)
    for i, d in zip(case.argnums, tangents, strict=True):
        args[i] = dual(args[i], d)
    moved = Case(case.fn, tuple(args), case.kwargs, case.argnums)
    adjoints = pull(moved, dual(out, push(case, out, tangents)), dual(g, g_dot))
    for ours, plus, minus in zip(*map(leaves, (adjoints, *ends)), strict=True):
        ours = ours.dot if isinstance(ours, Dual) else np.zeros_like(ours)
        expected = (np.asarray(plus) - minus) / (2 * STEP)
        np.testing.assert_allclose(ours, expected, rtol=1e-6, atol=1e-6)


def _converted(case, convert):
    """The same call with other numbers, or None if NumPy does not take them."""
    args = list(case.args)
    for i in case.argnums:
        args[i] = mapped(lambda x: convert(np.asarray(x))[()], args[i])
    changed = Case(case.fn, tuple(args), case.kwargs, case.argnums)
    try:
        return changed, call(changed)
    except TypeError:
        return None


ARRAY_CASES = [
    case
    for case in CASES
    if any(isinstance(leaf, np.ndarray) for i in case.argnums for leaf in leaves(case.args[i]))
    and case.fn is not np.ndarray.astype
    and not any(map(np.iscomplexobj, (leaf for x in moving_args(case) for leaf in leaves(x))))
]


def _is_single(converted):
    return converted and all(np.asarray(x).dtype == np.float32 for x in leaves(converted[1]))


SINGLE_CASES = [c for c in ARRAY_CASES if _is_single(_converted(c, lambda x: x.astype("f4")))]


@pytest.mark.parametrize("case", SINGLE_CASES, ids=str)
def test_single_precision_stays_single(case):
    single, out = _converted(case, lambda x: x.astype(np.float32))
    g = random_like(np.random.default_rng(1), out)
    adjoints = pull(single, out, g)
    reference = pull(case, call(case), mapped(lambda x: np.asarray(x, float)[()], g))
    for found, expected in zip(leaves(adjoints), leaves(reference), strict=True):
        assert np.asarray(found).dtype == np.float32
        np.testing.assert_allclose(found, expected, rtol=2e-3, atol=2e-4)
    tangents = [random_like(np.random.default_rng(2), x) for x in moving_args(single)]
    for tangent in leaves(push(single, out, tangents)):
        assert np.asarray(tangent).dtype == np.float32


def _complex(x):
    random = np.random.default_rng(x.size)
    return x + 0.3j * random.uniform(-1, 1, x.shape)


COMPLEX_CASES = [
    case
    for case in ARRAY_CASES
    if not book.lookup(case.fn).real and _converted(case, _complex) is not None
]


@pytest.mark.parametrize("case", COMPLEX_CASES, ids=str)
def test_complex_numbers(case):
    """Nothing is conjugated: the real part of `adjoint * tangent` is what forward and reverse
    have in common."""
    moved, out = _converted(case, _complex)
    random = np.random.default_rng(1)

    def direction(x):
        return np.asarray(random_like(random, x.real) + 1j * random_like(random, x.real))[()]

    directions = [mapped(lambda x: direction(np.asarray(x)), x) for x in moving_args(moved)]
    g = mapped(lambda x: direction(x) if np.iscomplexobj(x) else random_like(random, x), out)
    adjoints, tangent = pull(moved, out, g), push(moved, out, directions)
    slopes = differences(moved, directions)
    for ours, theirs in zip(leaves(tangent), leaves(slopes), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-6)
    assert np.isclose(inner(adjoints, directions).real, inner(g, tangent).real)


# The book as a whole.


def test_every_rule_has_a_case():
    tested = {book.canonical(case.fn) for case in CASES}
    # Of their own precision, for which differences are too coarse.
    tested |= {np.float16, np.float32, np.complex64}
    missing = [rule.primal for rule in book.BOOK.values() if rule.primal not in tested]
    assert missing == []


def test_every_rule_that_is_not_linear_has_a_forward():
    without = [r.primal for r in book.BOOK.values() if r.kind == "rule" and r.forward is None]
    assert without == []


RULES = list({id(r.function): r for r in book.BOOK.values()}.values())


def _name(rule):
    return f"{rule.function.__module__.rpartition('.')[2]}.{rule.primal.__name__}"


@pytest.mark.parametrize("rule", book.BOOK.values(), ids=_name)
def test_defaults_are_numpys(rule):
    """What is not given to a rule has the same default there as in NumPy."""
    if isinstance(rule.primal, np.ufunc) or book.signature_of(rule.primal) is None:
        return
    theirs = book.signature_of(rule.primal).parameters
    ours = inspect.signature(rule.function).parameters
    for name in rule.parameters:
        if name not in theirs:
            assert any(p.kind is p.VAR_KEYWORD for p in theirs.values())
            continue
        default = theirs[name].default
        if default is inspect.Parameter.empty:
            continue
        if default is np._NoValue:
            default = False if name == "keepdims" else None
        required = name in rule.inputs and ours[name].default is inspect.Parameter.empty
        assert required or ours[name].default == default, name


ALLOWED = (
    ast.FunctionDef, ast.arguments, ast.arg, ast.Return, ast.Assign, ast.AugAssign, ast.If,
    ast.IfExp, ast.Raise, ast.Expr, ast.Name, ast.Load, ast.Store, ast.Constant, ast.Attribute,
    ast.Call, ast.keyword, ast.Tuple, ast.List, ast.ListComp, ast.comprehension, ast.Subscript,
    ast.Slice, ast.Starred, ast.BinOp, ast.UnaryOp, ast.Compare, ast.BoolOp, ast.operator,
    ast.unaryop, ast.cmpop, ast.boolop, ast.JoinedStr, ast.FormattedValue,
)  # fmt: skip


def _bodies():
    for rule in RULES:
        yield rule.function
        if rule.forward is not None:
            yield rule.forward


@pytest.mark.parametrize("function", list(_bodies()), ids=lambda f: f"{f.__module__}.{f.__name__}")
def test_bodies_are_in_the_subset_and_can_be_differentiated(function):
    tree = ast.parse(textwrap.dedent(inspect.getsource(function))).body[0]
    for node in ast.walk(tree):
        assert isinstance(node, ALLOWED), ast.dump(node)
    assert function.__closure__ is None
    for statement in tree.body:
        for node in ast.walk(statement):
            if not isinstance(node, ast.Call):
                continue
            called = _resolve(node.func, function.__globals__)
            for fn in called:
                static = fn in (len, max, sum, tuple, zip, isinstance, range, NotImplementedError)
                static = static or fn is math.prod
                assert static or book.lookup(fn) or book.is_zero(fn), ast.unparse(node)


def _resolve(node, names):
    """The functions that an expression may stand for."""
    if isinstance(node, ast.IfExp):
        return _resolve(node.body, names) + _resolve(node.orelse, names)
    if isinstance(node, ast.Name):
        return [names[node.id] if node.id in names else getattr(builtins, node.id)]
    assert isinstance(node, ast.Attribute), ast.unparse(node)
    return [getattr(owner, node.attr) for owner in _resolve(node.value, names)]


def test_registration_raises_the_version():
    before = book.VERSION

    def half(x):
        return x / 2

    @book.elementwise(half)
    def _(x):
        return 0.5

    try:
        assert book.VERSION > before
        assert book.lookup(half).inputs == ("x",)
    finally:
        del book.BOOK[half]


@pytest.mark.parametrize(
    "name, other",
    [
        (operator.add, np.add), (operator.itruediv, np.divide), (operator.matmul, np.matmul),
        (pow, np.power), (abs, np.absolute), (math.sin, np.sin), (math.pow, np.power),
        (math.atan2, np.arctan2), (np.ndarray.sum, np.sum), (np.ndarray.flatten, np.ravel),
        (np.ndarray.T, np.transpose), (np.ndarray.real, np.real), (np.amax, np.max),
        (np.generic.sum, np.sum), (np.ndarray.__getitem__, operator.getitem),
    ],
)  # fmt: skip
def test_one_name_per_operation(name, other):
    assert book.canonical(name) is other
    assert book.lookup(name) is book.lookup(other) is not None


def test_zero_and_ruled_are_disjoint():
    assert not book.ZERO & set(book.BOOK)
    for fn in (operator.lt, math.floor, np.argmax, np.zeros_like, round, len, np.ndarray.argsort):
        assert book.is_zero(fn)
    assert not book.is_zero(np.sin)
    assert not book.is_zero([])
    assert book.lookup([]) is None


# Binding.


def test_binding_gives_names():
    x = np.ones((2, 3))
    assert book.bind(np.sum, (x, 1), {"keepdims": True}) == {"a": x, "axis": 1, "keepdims": True}
    assert book.bind(np.ndarray.sum, (x, 1), {}) == {"a": x, "axis": 1}
    assert book.bind(np.ndarray.reshape, (x, 3, 2), {}) == {"a": x, "shape": (3, 2)}
    assert book.bind(np.ndarray.transpose, (x,), {}) == {"a": x}
    assert book.bind(operator.mul, (2, 3), {}) == {"x": 2, "y": 3}
    assert book.bind(np.clip, (2,), {"min": 1, "max": 3}) == {"a": 2, "a_min": 1, "a_max": 3}
    assert list(book.bind(np.einsum, ("ij,j", x, x), {})) == ["subscripts", "operands"]


def test_what_is_at_its_default_may_be_given():
    assert list(book.bind(np.sum, (3,), {"axis": None, "out": None, "initial": np._NoValue})) == [
        "a"
    ]
    assert list(book.bind(np.multiply, (3, 4), {"where": True, "out": None})) == ["x", "y"]


@pytest.mark.parametrize(
    "fn, args, kwargs, name",
    [
        (np.sum, (3,), {"initial": 1.0}, "initial"),
        (np.sum, (3,), {"where": False}, "where"),
        (np.exp, (3,), {"where": False}, "where"),
        (np.var, (3,), {"correction": 1}, "correction"),
        (np.diff, (3,), {"prepend": 1}, "prepend"),
        (np.pad, (3, 1), {"mode": "edge"}, "mode"),
        (np.take, (3, 1), {"mode": "wrap"}, "mode"),
        (np.linalg.cholesky, (3,), {"upper": True}, "upper"),
        (np.vecdot, (3, 3), {"axis": 0}, "axis"),
    ],
)
def test_what_a_rule_does_not_name_is_refused(fn, args, kwargs, name):
    with pytest.raises(book.UnboundKeyword) as error:
        book.bind(fn, args, kwargs)
    assert error.value.name == name


@pytest.mark.parametrize(
    "fn, args", [(np.sum, ()), (np.exp, ()), (np.exp, (1, 2)), (np.sum, (1, 2, 3, 4, 5, 6, 7, 8))]
)
def test_a_call_that_does_not_fit_is_a_type_error(fn, args):
    with pytest.raises(TypeError):
        book.bind(fn, args, {})


def test_binding_asks_for_static_values():
    values = {"v0": "array", "v1": None, "v2": 1}
    bound = book.bind(np.sum, ("v0", "v2"), {"out": "v1"}, static=values.get)
    assert bound == {"a": "v0", "axis": "v2"}
