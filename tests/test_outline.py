"""Lines of several calls that become a function again."""

import operator

import numpy as np
import pytest

import tests.programs  # noqa: F401
from adcompiler import grad
from adcompiler.backends import outline
from adcompiler.backends.tidy import tidy
from adcompiler.errors import Position
from adcompiler.ir.nodes import (
    Block,
    Call,
    Constant,
    Function,
    Load,
    New,
    Op,
    Origin,
    Store,
    Value,
)
from adcompiler.ir.types import FLOAT, Array, Ref
from tests.fuzz.agreement import Comparison, question
from tests.programs.registry import PROGRAMS

WITH_CALLS = [
    case
    for case in PROGRAMS
    if case.name.partition(".")[0] in ("calls", "objects", "models", "simulations")
]


@pytest.fixture
def eager(monkeypatch):
    """Functions for anything that makes the text shorter at all."""
    monkeypatch.setattr(outline, "REGION", 6)
    monkeypatch.setattr(outline, "SAVED", 1)


@pytest.mark.parametrize("case", WITH_CALLS, ids=lambda case: case.name)
def test_programs_stay_right(case, eager):
    args = case.arguments(np.random.default_rng(0))
    comparison = Comparison(case.function, args, case.argnums, 0)
    for mode in ("reverse", "forward"):
        assert question(comparison, mode)() == ""


def stage(u, w, rate):
    a, b = u
    meeting = rate * a * b
    w[0] += meeting * a
    w[1] -= meeting * np.sin(b) * rate
    return np.array([a * rate - meeting * b, meeting * a - b * rate])


def stages(u, rate):
    w = np.zeros(2)
    for _ in range(3):
        k = stage(u, w, rate)
        k = stage(u + 0.5 * k, w, rate)
        k = stage(u + 0.2 * k, w, rate)
        u = u + 0.1 * stage(w, w * 0.5, rate) + k * 0.1
    return np.sum(u * w)


def test_a_function_that_is_called_often_is_written_once():
    u = np.array([0.4, 1.3])
    derivative = grad(stages, argnums=(0, 1))
    u_bar, rate_bar = derivative(u, 0.7)
    text = derivative.source(u, 0.7)
    assert '"""What 3 calls of stage have in common."""' in text
    assert text.count("k = stage(u_") == 3
    h = 1e-6
    assert rate_bar == pytest.approx((stages(u, 0.7 + h) - stages(u, 0.7 - h)) / (2 * h), rel=1e-7)
    for k in range(2):
        step = h * np.eye(2)[k]
        slope = (stages(u + step, 0.7) - stages(u - step, 0.7)) / (2 * h)
        assert u_bar[k] == pytest.approx(slope, rel=1e-7)


def scaled(x, factor):
    y = np.sin(x) * factor
    return y * y + np.cos(y)


def nested_stage(x, factor):
    return scaled(scaled(x, factor) + scaled(x, factor * 2.0), 0.5)


def nested_calls(x):
    return np.sum(nested_stage(x, 0.3) * nested_stage(x + 1.0, 0.7) + nested_stage(x * 2.0, 0.1))


def test_calls_inside_calls(eager):
    x = np.array([0.3, -0.8])
    text = grad(nested_calls).source(x)
    assert "def nested_stage_backward" in text
    comparison = Comparison(nested_calls, (x,), None, 0)
    assert question(comparison, "reverse")() == ""


def test_it_can_be_differentiated_again():
    u = np.array([0.4, 1.3])
    namespace = {}
    exec(grad(stages).source(u, 0.7), namespace)
    emitted = namespace["stages_grad"]
    np.testing.assert_allclose(emitted(u, 0.7), grad(stages)(u, 0.7))
    second = grad(lambda u: np.sum(grad(stages)(u, 0.7) * np.array([1.0, 2.0])))(u)
    h = 1e-5
    for k in range(2):
        step = h * np.eye(2)[k]
        slope = (emitted(u + step, 0.7) - emitted(u - step, 0.7)) @ [1.0, 2.0] / (2 * h)
        assert second[k] == pytest.approx(slope, rel=1e-6)


def small(x):
    return x * x


def small_calls(x):
    return small(x) + small(x + 1.0) + small(x + 2.0)


def test_what_is_short_stays_in_place():
    assert "def small(" not in grad(small_calls).source(1.0)


def twice_named(x, c, s):
    t = c * x + s * np.flip(x) - np.roll(c * x, 1) + np.roll(x, 2) - np.roll(s * x, 2)
    y = c * t - np.flip(s * t) + np.roll(c * t, 1) + np.roll(t, 2) - np.flip(c * t)
    z = t * y
    t = c * z - np.flip(s * z) + np.roll(c * z, 1) + np.roll(z, 2)
    return t


def one_call_shares_a_variable(x, d, c, s):
    a = twice_named(d, c, s)
    b = twice_named(x, c, s)
    return np.sum(a * b * b)


def test_a_result_of_one_call_that_shares_its_variable_in_another():
    # Both `t` of the first call are one variable; of the second, the backward sweep reads both.
    args = [np.random.default_rng(k).normal(size=3) for k in range(4)]
    comparison = Comparison(one_call_shares_a_variable, args, (0,), 0)
    assert "What 2 calls of twice_named" in grad(one_call_shares_a_variable).source(*args)
    assert question(comparison, "reverse")() == ""


def times(x, by):
    a = np.sin(x) * by + np.cos(x * by) + len(x) * np.tanh(x) + np.exp(x * by)
    return a * a * len(x) + by * a + len(x) * np.tanh(a) + np.exp(a * 0.1)


def numbered_like_globals(x, y, z):
    np_1, np_2, np_3 = np.sum(x), np.sum(y), np.sum(z)
    return np.sum(times(x, np_1)) + np.sum(times(y, np_2)) + np.sum(times(z, np_3))


def test_no_parameter_hides_a_global_that_the_lines_read():
    args = [np.random.default_rng(k).normal(size=3) for k in range(3)]
    comparison = Comparison(numbered_like_globals, args, (0, 1, 2), 0)
    assert "What 3 calls of times" in grad(numbered_like_globals, argnums=(0, 1, 2)).source(*args)
    assert question(comparison, "reverse")() == ""
    assert question(comparison, "forward")() == ""


def test_reads_of_a_call_stay_before_a_write_to_what_they_read():
    called = Origin(None, "y = g(a)", True, 1, (Call(Position("m.py", 1, 0, 1, 1), "g"),))
    around = Origin(None, "a[0] = y", True, 1)
    kind = Array("float64", None)
    x, a = Value("x", kind), Value("a", Ref(kind))
    first, product = Value(None, FLOAT), Value(None, FLOAT)
    load = Load(a, (Constant(0),), first, origin=called)
    store = Store(a, (Constant(0),), Constant(1.0), origin=around)
    use = Op(operator.mul, [first, Constant(2.0)], {}, [product], origin=called)
    function = Function("f", Block([x], [New(x, a), load, store, use], [product]))
    assert tidy(function).body.statements.index(load) == 1
