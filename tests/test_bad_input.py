"""What is refused: each with its place, the construct, the reason and what to write instead.

`REFUSED` holds functions and the arguments for which no derivative can be compiled. A test for each
calls `grad`, `jvp` and `vjp`: none may give a number. Where a call is wrong and not the function,
the error names the argument.
"""

import contextlib
import functools
import heapq
import itertools
import linecache
import math
import re
import threading
import warnings
from _statistics import _normal_dist_inv_cdf as inverse_normal
from collections import deque
from dataclasses import dataclass

import numpy as np
import pytest

from adcompiler import (
    AdcompilerError,
    grad,
    hessian,
    hvp,
    jacfwd,
    jacrev,
    jvp,
    value_and_grad,
    vjp,
)
from adcompiler.errors import OverlapError, SourceError, UnsupportedError

X = np.array([0.5, 1.5, 2.5])
LOCK = threading.Lock()
NAMES = {"a", "b"}


@functools.lru_cache
def cached(x):
    return np.sum(x)


def name_of(part):
    """What a case is called: the same in every run."""
    text = getattr(part, "__name__", None) or " ".join(repr(part).split())
    return type(part).__name__ if " at 0x" in text else text


@dataclass(frozen=True)
class Refusal:
    function: object
    arguments: tuple
    words: str
    """A pattern that the message must match."""
    code: str
    """The text that the carets must stand under, or the start of it."""
    forward: bool
    """Whether forward mode must refuse it too."""


REFUSED: list[Refusal] = []


def refused(words, code, *arguments, forward=True):
    """Register the function below."""

    def register(function):
        REFUSED.append(Refusal(function, arguments, words, code, forward))
        return function

    return register


FAILING: list[Refusal] = []


def fails(words, code, *arguments):
    """Register the function below, which raises when it is called: so must its derivative.

    Either the compiler refuses, or the emitted code raises what the function raises.
    """

    def register(function):
        FAILING.append(Refusal(function, arguments, words, code, True))
        return function

    return register


# -- statements ------------------------------------------------------------------------------------


@refused("leaving a `finally`", "return x", 2.0)
def with_try(x):
    try:
        if x < 1.0:
            raise ValueError
    finally:
        return x * x  # noqa: B012


@refused("`raise` inside `contextlib.suppress`", "raise", 2.0)
def with_suppress(x):
    y = x
    with contextlib.suppress(ValueError):
        if x < 1.0:
            raise ValueError
        y = x * x
    return y


@refused("`np.errstate` that raises", "with", 2.0)
def with_errstate_that_raises(x):
    with np.errstate(divide="raise"):
        return 1.0 / x


@refused("warnings made errors", "warnings.simplefilter", 2.0)
def with_warnings_made_errors(x):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return x * x


@refused("`with` statement", "with", 2.0)
def with_a_lock(x):
    with LOCK:
        return x * x


@refused("yield", "yield x", 2.0)
def with_a_generator_that_is_sent_to(x):
    def echo(x):
        y = 1.0 + (yield x)
        yield y

    return sum(echo(x))


@refused("walked twice", "sum(squares)", 2.0)
def with_a_generator_walked_twice(x):
    squares = (x * k for k in range(3))
    walked = sum(squares)
    return walked + sum(squares)


@refused("walked twice", "for a, b in pairs:", X)
def with_an_iterator_walked_by_two_loops(x):
    pairs = zip(x, x, strict=True)
    total = x[0] * 0.0
    for _ in pairs:
        total = total + 1.0
    for a, b in pairs:
        total = total + a * b
    return total


@refused("more than 256 items", "itertools.permutations(range(7))", X)
def with_many_permutations(x):
    return sum(x[i] * x[j] for i, j, *_ in itertools.permutations(range(7)))


@refused("a list of functions made in a loop", "[lambda t, v=v: t * v for v in x]", X)
def with_as_many_functions_as_items(x):
    parts = [lambda t, v=v: t * v for v in x]
    return sum(part(v) for part, v in zip(parts, x, strict=True))


@refused("`iter` with a sentinel", "iter(x.sum, 1.0)", X)
def with_a_sentinel(x):
    return sum(iter(x.sum, 1.0))


@refused("`pow` with a modulus", "pow(x, 2, 5)", 2.0)
def with_a_power_of_floats_modulo(x):
    return pow(x, 2, 5)


@refused("iterator `pairs` in a loop", "pairs", X)
def with_an_iterator_used_up_in_a_loop(x):
    pairs = zip(x, x, strict=True)
    total = x[0] * 0.0
    for _ in range(2):
        for a, b in pairs:
            total = total + a * b
    return total


@refused("an iterator that is kept", "later = enumerate(xs)", X)
def with_an_iterator_over_a_list_that_grows(x):
    xs = [x[0], x[1]]
    later = enumerate(xs)
    xs.append(x[2])
    return sum(k * v for k, v in later)


@refused("deque", "deque", 2.0)
def with_a_deque(x):
    return deque([x, 2 * x]).popleft()


@refused("set of computed things", "{x, 2 * x}", 2.0)
def with_a_set_of_numbers(x):
    return sum({x, 2 * x})


@refused("no key 'b'", 'd["b"]', 2.0)
def with_a_key_that_is_not_there(x):
    d = {"a": x}
    return d["b"]


@refused("store into a dict", "d[x > 1.0]", 2.0)
def with_a_key_that_is_computed(x):
    d = {}
    d[x > 1.0] = x
    return x * x


@refused("different items on different paths", 'd.get("b"', 2.0)
def with_a_key_on_one_path(x):
    d = {"a": x}
    if x > 0:
        d["b"] = x * x
    return d.get("b", 1.0)


@refused("change of a global", 'NAMES.add("z")', 2.0)
def with_a_change_of_a_global_set(x):
    NAMES.add("z")
    return x


@refused("cache|unhashable", "cached(x)", X)
def with_a_cache_of_arrays(x):
    return cached(x)


@refused("`sorted` of things of different kinds", "sorted", X)
def with_functions_sorted_by_values(x):
    first, _ = sorted([(x[0], np.sin), (x[1], np.cos)], key=lambda pair: pair[0])
    return first[1](x[2])


@refused("`f` changes its structure|one of two functions", "f", X)
def with_a_function_chosen_in_a_loop(x):
    for v in x:
        f = np.sin if v > 1.0 else np.cos
    return f(x[0])


@refused("yield", "yield", 2.0)
def with_yield(x):
    yield x * x


@refused("async|await", "", 2.0)
async def with_async(x):
    return x * x


@refused("`global COUNT`", "global", 2.0)
def with_global(x):
    global COUNT
    COUNT = x
    return x * x


@refused("class", "class", 2.0)
def with_class(x):
    class Box:
        value = 2.0

    return x * Box.value


@refused("exec|eval|call", "eval", 2.0)
def with_eval(x):
    return eval("x * x")


# -- names -----------------------------------------------------------------------------------------


@fails("no_such_name", "no_such_name", 2.0)
def with_unknown_name(x):
    return x * no_such_name  # noqa: F821


@fails("`y`", "y", 2.0)
def with_unassigned_name(x):
    z = y * x  # noqa: F821
    y = x  # noqa: F841
    return z


@fails("no_such_function", "np.no_such_function", 2.0)
def with_unknown_attribute(x):
    return np.no_such_function(x)


@fails("missing|argument", "helper", 2.0)
def with_missing_argument(x):
    return helper(x)


@fails("unexpected|argument|keyword", "helper", 2.0)
def with_unknown_keyword(x):
    return helper(x, y=x, z=x)


def helper(x, y):
    return x * y


# -- functions without a derivative ----------------------------------------------------------------


@refused("_normal_dist_inv_cdf", "return", 0.3)
def with_an_unknown_c_function(x):
    return inverse_normal(x, 0.0, 1.0)


@refused("i0", "np.i0(x)", np.array([2.0]))
def with_a_function_without_a_rule(x):
    return np.sum(np.i0(x))


@fails("", "return", np.array([[2.0, 1.0], [3.0, 4.0]]))
def with_an_unknown_keyword(x):
    return np.sum(np.sort(x, axis=0, kind="no such kind") * x)


@refused("complex", "", X)
def with_complex_numbers(x):
    z = x * 1j
    return np.abs(np.sum(np.sort(z) * x))


# -- results ---------------------------------------------------------------------------------------


def array_result(x):
    return x * x


def pair_result(x):
    return x, x * x


def dict_result(x):
    return {"a": x}


def no_result(x):
    x * x


def missing_return(x):
    if x > 100.0:
        return x * x


def integer_result(x):
    return int(x)


def bool_result(x):
    return x > 1.0


def string_result(x):
    return "text"


def complex_result(x):
    return x * 1j


@pytest.mark.parametrize(
    ("function", "x", "words"),
    [
        (array_result, X, "returns an array"),
        (pair_result, 2.0, "returns a tuple"),
        (dict_result, 2.0, "returns a dict"),
        (no_result, 2.0, "None"),
        (missing_return, 2.0, ""),
        (integer_result, 2.0, "int"),
        (bool_result, 2.0, "bool"),
        (string_result, 2.0, "'text'|str"),
        (complex_result, 2.0, "complex"),
    ],
    ids=name_of,
)
@pytest.mark.parametrize("transform", [grad, value_and_grad, hessian])
def test_results_without_a_gradient(transform, function, x, words):
    check(lambda: transform(function)(x), words)


def test_aux_that_is_no_pair():
    check(lambda: grad(array_result, has_aux=True)(2.0), "has_aux")


# -- types -----------------------------------------------------------------------------------------


@fails("shape|broadcast", "x * y", np.ones(3), np.ones(4))
def with_shapes_that_do_not_fit(x, y):
    return np.sum(x * y)


@fails("shape|matmul|@", "x @ y", np.ones((2, 3)), np.ones((2, 3)))
def with_matrices_that_do_not_fit(x, y):
    return np.sum(x @ y)


@fails("index", "x[0, 0]", X)
def with_too_many_indices(x):
    return x[0, 0] * x[1]


@fails("float|index|range", "", 2.5)
def with_a_range_of_a_float(x):
    total = x
    for _ in range(x):
        total = total * x
    return total


@fails("key", 'p["missing"]', {"a": 2.0})
def with_an_unknown_key(p):
    return p["missing"] * p["a"]


@fails("", "x + name", 2.0, "text")
def with_a_number_and_a_string(x, name):
    return x + name


@fails("unpack", "", (2.0, 3.0, 4.0))
def with_the_wrong_number_of_targets(p):
    a, b = p
    return a * b


@fails("", "x(2.0)", 2.0)
def with_a_call_of_a_number(x):
    return x(2.0)


@fails("item|assign|store", "x[0]", 2.0)
def with_a_store_into_a_number(x):
    x[0] = 1.0
    return x


@fails("tuple", "p[0]", (2.0, 3.0))
def with_a_store_into_a_tuple(p):
    p[0] = 1.0
    return p[0] * p[1]


@fails("attribute", "x.no_such_attribute", X)
def with_an_unknown_array_attribute(x):
    return np.sum(x.no_such_attribute)


@refused("", "OBJECT.value", 2.0)
def with_a_store_into_a_global_object(x):
    OBJECT.value = x
    return x * x


class Box:
    value = 1.0


OBJECT = Box()
TOTALS = np.zeros(3)
HISTORY = []


@refused("TOTALS|global", "TOTALS[0]", 2.0)
def with_a_store_into_a_global_array(x):
    TOTALS[0] = x
    return x * TOTALS[0]


@refused("HISTORY|global", "HISTORY.append", 2.0)
def with_an_append_to_a_global_list(x):
    HISTORY.append(x)
    return x * x


# -- the check itself ------------------------------------------------------------------------------


def check(call, words="", function=None, code=""):
    """The error of a call, which must be readable; with the place if `function` is given."""
    with np.errstate(all="ignore"), pytest.raises(AdcompilerError) as caught:
        found = call()
        pytest.fail(f"not refused: {found!r}")
    assert_readable(caught.value, words, function, code)
    return caught.value


def assert_readable(error, words="", function=None, code=""):
    text = str(error)
    assert re.search(words, text), text
    lines = text.splitlines()
    if function is not None:
        first = function.__code__.co_firstlineno
        match = re.match(rf"{re.escape(__file__)}:(\d+):(\d+): ", lines[0])
        assert match, text
        assert first <= int(match[1]) <= first + 12, text
        assert set(lines[2].strip()) == {"^"}, text
        assert lines[1].strip() == linecache.getline(__file__, int(match[1])).strip()
        start = lines[2].index("^")
        marked = lines[1][start : start + lines[2].count("^")]
        assert marked.startswith(code) or code.startswith(marked), text
    assert any(line.startswith("why: ") and len(line) > 12 for line in lines), text
    assert any(line.startswith("instead: ") and len(line) > 12 for line in lines), text


cases = pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.function.__name__)


@cases
def test_reverse_mode_refuses(case):
    check(lambda: grad(case.function)(*case.arguments), case.words, case.function, case.code)


def tangents_of(arguments):
    return tuple(
        dict.fromkeys(a, 1.0) if isinstance(a, dict)
        else tuple(1.0 for _ in a) if isinstance(a, tuple)
        else None if isinstance(a, str)
        else np.ones_like(a)[()]
        for a in arguments
    )  # fmt: skip


@cases
def test_forward_mode_refuses(case):
    if not case.forward:
        pytest.skip("forward mode may do more")
    tangents = tangents_of(case.arguments)
    check(
        lambda: jvp(case.function, case.arguments, tangents), case.words, case.function, case.code
    )


@cases
def test_nothing_is_left_behind_by_a_refusal(case):
    """A second call is refused as the first was."""
    derivative = grad(case.function)
    first = check(lambda: derivative(*case.arguments))
    second = check(lambda: derivative(*case.arguments))
    assert str(first) == str(second)


WAYS = {
    "grad": lambda f, args: grad(f)(*args),
    "value_and_grad": lambda f, args: value_and_grad(f)(*args),
    "jvp": lambda f, args: jvp(f, args, tangents_of(args)),
    "vjp": lambda f, args: vjp(f, *args)[1](1.0),
}


failing = pytest.mark.parametrize("case", FAILING, ids=lambda case: case.function.__name__)


@pytest.mark.parametrize("way", WAYS)
@failing
def test_what_fails_when_it_is_called_fails_when_it_is_differentiated(case, way):
    with pytest.raises(Exception) as expected:
        case.function(*case.arguments)
    try:
        found = WAYS[way](case.function, case.arguments)
    except (AdcompilerError, type(expected.value)):
        return
    pytest.fail(f"not refused: {found!r}")


@failing
def test_what_the_compiler_says_of_functions_that_fail(case):
    try:
        grad(case.function)(*case.arguments)
    except AdcompilerError as error:
        assert_readable(error, case.words, case.function, case.code)
    except Exception as error:  # what Python says will do
        assert type(error).__module__ == "builtins"


# -- functions without source ----------------------------------------------------------------------


def test_a_function_without_source():
    scope = {}
    exec("def f(x):\n    return x * x\n", scope)
    error = check(lambda: grad(scope["f"])(2.0), "source of `f`")
    assert isinstance(error, SourceError)


@pytest.mark.parametrize("thing", [math.sin, np.sin, len, Box, np.ndarray.sum, Box()], ids=name_of)
def test_what_is_no_python_function(thing):
    with pytest.raises((AdcompilerError, TypeError)) as caught:
        grad(thing)(2.0)
    assert str(caught.value)


def test_what_cannot_be_called():
    for transform in (grad, value_and_grad):
        with pytest.raises(TypeError, match="takes a function"):
            transform(3.0)


def test_a_file_that_was_edited(tmp_path):
    import importlib.util
    import sys

    path = tmp_path / "edited_module.py"
    path.write_text("def f(x):\n    return x * x\n")
    spec = importlib.util.spec_from_file_location("edited_module", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules["edited_module"] = module
    try:
        spec.loader.exec_module(module)
        path.write_text("def f(x):\n    return x * x * x\n")
        linecache.checkcache(str(path))
        error = check(lambda: grad(module.f)(2.0), "not the code that runs")
        assert isinstance(error, SourceError)
    finally:
        del sys.modules["edited_module"]


def test_the_place_in_a_helper_and_the_call_that_led_there():
    def inner(x):
        return inverse_normal(x, 0.0, 1.0)

    def outer(x):
        return 2.0 * inner(x)

    error = check(lambda: grad(outer)(0.3), "_normal_dist_inv_cdf", inner)
    assert isinstance(error, AdcompilerError)
    assert f"called from {__file__}:{outer.__code__.co_firstlineno + 1}" in str(error)


def test_statements_of_the_wrong_kind_are_unsupported():
    with pytest.raises(UnsupportedError):
        grad(with_try)(2.0)


# -- arguments -------------------------------------------------------------------------------------


def square(x):
    return x * x


def total(x, y=1.0):
    return np.sum(x * y)


@pytest.mark.parametrize(
    ("x", "words"),
    [
        (2, "argument `x` of `square` is an integer"),
        (True, "argument `x` of `square` is a bool"),
        (np.int32(2), "argument `x` of `square` is an integer"),
        (np.array([1, 2]), "argument `x` of `square` is an array of int64"),
        (np.array([True]), "argument `x` of `square` is an array of bool"),
        ("text", "argument `x` of `square` is a str"),
        (None, "argument `x` of `square` is a NoneType"),
        (1 + 2j, "complex"),
        (np.array([1j]), "returns an array"),
        ([], "no floats"),
        ([1, 2], "no floats"),
        ({"n": 1}, "no floats|dict"),
        (np.array([None]), "x"),
        (np.array(["text"]), "x"),
        (np.ma.masked_array([1.0, 2.0], [True, False]), "MaskedArray"),
        (np.matrix([[1.0]]), "matrix"),
        (np.array([(1.0, 2)], dtype=[("a", float), ("b", int)]), "x"),
        (square, "argument `x`"),
        (Box(), "argument `x`"),
        ({1.0, 2.0}, "argument `x`"),
    ],
    ids=name_of,
)
@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")
def test_arguments_that_have_no_derivative(x, words):
    check(lambda: grad(square)(x), words)
    check(lambda: value_and_grad(square)(x), words)


def test_integers_in_other_transforms():
    check(lambda: jacfwd(square)(2), "integer")
    check(lambda: jacrev(square)(2), "integer")
    check(lambda: hessian(square)(2), "integer")


@pytest.mark.parametrize("argnums", [1, -2, (0, 1), 5])
def test_arguments_that_are_not_given(argnums):
    check(lambda: grad(square, argnums=argnums)(2.0), "argnums")


def test_names_that_are_not_given():
    check(lambda: grad(square, argnames="y")(2.0), "argnames='y' of `square`")
    check(lambda: grad(total, argnames=("x", "y"))(X), "argnames='y'")


@pytest.mark.parametrize("chosen", [{"argnums": ()}, {"argnames": ()}])
def test_no_argument_is_chosen(chosen):
    check(lambda: grad(square, **chosen)(2.0), "with respect to nothing")


@pytest.mark.parametrize("argnums", ["x", 1.0, [0], None.__class__, (0, "y")])
def test_argnums_of_another_type(argnums):
    with pytest.raises((TypeError, AdcompilerError)):
        grad(square, argnums=argnums)(2.0)


def test_an_argument_twice():
    try:
        found = grad(total, argnums=(0, 0))(X)
    except (TypeError, ValueError, AdcompilerError):
        return
    np.testing.assert_allclose(found, (np.ones(3), np.ones(3)))


@pytest.mark.parametrize(
    ("args", "keywords"),
    [((), {}), ((2.0, 3.0), {}), ((2.0,), {"z": 1.0}), ((2.0,), {"x": 1.0})],
)
def test_calls_that_do_not_fit_the_function(args, keywords):
    with pytest.raises((AdcompilerError, TypeError)) as caught:
        grad(square)(*args, **keywords)
    assert "square" in str(caught.value)


def test_an_unknown_backend():
    for transform in (grad, value_and_grad):
        with pytest.raises(ValueError, match="abacus"):
            transform(square, backend="abacus")


# -- tangents and adjoints -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "tangents",
    [
        (np.ones(2),),
        (np.ones((3, 1)),),
        (1.0,),
        (np.ones((3, 3)),),
        (None,),
        ("text",),
        ((np.ones(3),),),
        ({"x": np.ones(3)},),
        (),
        (np.ones(3), np.ones(3)),
    ],
    ids=name_of,
)
def test_tangents_that_do_not_fit(tangents):
    def f(x):
        return np.sin(x)

    check(lambda: jvp(f, (X,), tangents), "tangent")
    # What was compiled by a right call does not let a wrong one through.
    jvp(f, (X,), (np.ones(3),))
    check(lambda: jvp(f, (X,), tangents), "tangent")


@pytest.mark.parametrize("tangent", [np.ones(1), np.ones(3), None, "text", (1.0,), 1j])
def test_tangents_of_numbers_that_do_not_fit(tangent):
    check(lambda: jvp(square, (2.0,), (tangent,)), "tangent")


def test_tangents_of_structures_that_do_not_fit():
    def f(p):
        return p["a"] * p["b"][0]

    p = {"a": 2.0, "b": (3.0, 4)}
    assert jvp(f, (p,), ({"a": 1.0, "b": (0.0, 0)},))[1] == 3.0
    for wrong in ({"a": 1.0}, {"a": 1.0, "b": ()}, {"a": 1.0, "b": 1.0}, (1.0, (1.0, 0)), None):
        check(lambda wrong=wrong: jvp(f, (p,), (wrong,)), "tangent")


def test_a_tangent_that_is_not_zero_for_an_integer():
    def f(x, n):
        return x * n

    assert jvp(f, (2.0, 3), (1.0, 0))[1] == 3.0
    try:
        _, found = jvp(f, (2.0, 3), (1.0, 5.0))
    except AdcompilerError:
        return
    assert found == 3.0  # integers do not move


@pytest.mark.parametrize(
    "adjoint",
    [
        np.ones(2), np.ones((1, 3)), 1.0, None, "text", (np.ones(3),), {"a": np.ones(3)},
        np.ones(3) * 1j,
    ],
    ids=name_of,
)  # fmt: skip
def test_adjoints_that_do_not_fit(adjoint):
    _, pull = vjp(lambda x: np.sin(x), X)
    check(lambda: pull(adjoint), "adjoint")


def test_adjoints_of_structures_that_do_not_fit():
    _, pull = vjp(lambda x: (x * x, {"a": np.sum(x)}), X)
    ones = np.ones(3)
    for wrong in (ones, (ones,), (ones, 1.0), (ones, {"b": 1.0}), (ones, {}), [ones, {"a": ones}]):
        check(lambda wrong=wrong: pull(wrong), "adjoint")


def test_vectors_that_do_not_fit_a_hessian():
    def energy(x):
        return np.sum(x * x)

    check(lambda: hvp(energy, (X,), (np.ones(2),)), "tangent")
    check(lambda: hvp(energy, (X,), ()), "tangent|primals")
    check(lambda: hvp(lambda x: x * x, (X,), (X,)), "array")


def test_a_jacobian_of_what_is_no_array():
    check(lambda: jacrev(lambda x: "text")(2.0))
    check(lambda: jacfwd(lambda x: None)(2.0))


# -- memory ----------------------------------------------------------------------------------------


def writes_first(a, b):
    a[0] = b[1] * 2.0
    return np.sum(a * b)


@pytest.mark.parametrize("parts", ["same", "view", "reversed", "overlapping"])
def test_arguments_that_overlap_where_one_is_written(parts):
    whole = np.arange(1.0, 7.0)
    a, b = {
        "same": (whole, whole),
        "view": (whole[:3], whole[:3]),
        "reversed": (whole, whole[::-1]),
        "overlapping": (whole[:4], whole[2:]),
    }[parts]
    derivative = grad(writes_first, argnums=(0, 1))
    for _ in range(2):
        error = check(lambda: derivative(a, b), "share memory")
        assert isinstance(error, OverlapError)
    for call in (
        lambda: value_and_grad(writes_first)(a, b),
        lambda: jvp(writes_first, (a, b), (a, b)),
        lambda: vjp(writes_first, a, b)[1](1.0),
    ):
        assert isinstance(check(call, "share memory"), OverlapError)
    np.testing.assert_array_equal(whole, np.arange(1.0, 7.0))


def test_arguments_that_overlap_after_others_that_did_not():
    derivative = grad(writes_first, argnums=(0, 1))
    derivative(np.ones(3), np.ones(3))
    x = np.ones(3)
    check(lambda: derivative(x, x), "share memory")


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_an_argument_that_overlaps_itself(backend):
    """A write to one item of it changes others, which a copy of it would not show."""

    def doubles(a):
        a[0] *= 2
        return np.sum(a * a)

    def windows():
        return np.lib.stride_tricks.as_strided(np.arange(5.0), (3, 3), (8, 8))

    derivative = grad(doubles, backend=backend)
    check(lambda: derivative(windows()), "items that share memory")
    check(lambda: vjp(doubles, windows(), backend=backend), "items that share memory")
    check(
        lambda: jvp(doubles, (windows(),), (np.ones((3, 3)),), backend=backend),
        "items that share memory",
    )
    for given in (
        np.arange(12.0).reshape(3, 4)[::-2, 1::2],
        np.ones((2, 3, 4)).T,
        np.ones((0, 3)).T,
    ):
        assert derivative(given).shape == given.shape
    found = grad(lambda a: np.sum(a**2), backend=backend)(windows())
    np.testing.assert_allclose(found, 2 * windows())


def test_arguments_that_share_memory_without_a_write():
    def product(a, b):
        return np.sum(a * b)

    for found in (grad(product)(X, X), grad(product)(X, X[::-1])[::-1]):
        np.testing.assert_allclose(found, X)


def test_arguments_that_interleave_without_overlap():
    whole = np.arange(1.0, 7.0)
    expected = grad(writes_first, argnums=(0, 1))(whole[::2].copy(), whole[1::2].copy())
    found = grad(writes_first, argnums=(0, 1))(whole[::2], whole[1::2])
    np.testing.assert_allclose(found, expected)


def test_overlap_inside_structures():
    def writes(p):
        p["a"][0] = p["b"][1] * 2.0
        return np.sum(p["a"] * p["b"])

    x = np.ones(3)
    assert isinstance(check(lambda: grad(writes)({"a": x, "b": x}), "share memory"), OverlapError)


def test_one_list_as_two_arguments():
    def appends(a, b):
        a.append(b[0] * 2.0)
        return a[-1] * b[-1]

    items = [1.0, 3.0]
    check(lambda: grad(appends)(items, items), "share|same")


# -- no wrong numbers ------------------------------------------------------------------------------


def test_assigning_an_active_value_to_integers():
    def truncates(x):
        counts = np.zeros(3, int)
        counts[0] = x
        return counts[0] * x

    # NumPy truncates: the stored part has no derivative.
    assert grad(truncates)(2.5) == pytest.approx(2.0)


def test_conversions_cut_the_derivative():
    assert grad(lambda x: int(x) * x)(2.5) == pytest.approx(2.0)
    assert grad(lambda x: round(x) * x)(2.4) == pytest.approx(2.0)
    assert grad(lambda x: math.floor(x) * x)(2.5) == pytest.approx(2.0)
    assert grad(lambda x: np.floor(x) * x)(2.5) == pytest.approx(2.0)


def test_a_name_that_may_be_unassigned_raises_as_python_does():
    def maybe(x):
        if x > 0.0:
            y = x * x
        return y

    assert grad(maybe)(3.0) == pytest.approx(6.0)
    with pytest.raises(UnboundLocalError):
        grad(maybe)(-3.0)


def test_a_missing_return_on_one_path():
    def maybe(x):
        if x > 0.0:
            return x * x

    try:
        assert grad(maybe)(3.0) == pytest.approx(6.0)
    except AdcompilerError:
        return
    with pytest.raises((AdcompilerError, TypeError)):
        grad(maybe)(-3.0)


def with_heap(x):
    queue = [(2.0, x[0]), (3.0, x[1])]
    heapq.heappush(queue, (1.0, x[2]))
    return queue[0][1] ** 2


def test_a_function_without_source_may_change_a_list():
    with pytest.raises(AdcompilerError, match="`heappush` of a list") as caught:
        grad(with_heap)(np.ones(3))
    assert caught.value.position is not None and "tuple" in caught.value.remedy


def item_of_a_method(x):
    return x.sum[0]


def test_an_item_of_a_method():
    with pytest.raises(AdcompilerError, match="Method used as a run-time value") as caught:
        grad(item_of_a_method)(np.ones(3))
    assert caught.value.position is not None
