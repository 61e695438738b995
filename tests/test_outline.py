"""Lines of several calls that become a function again."""

import numpy as np
import pytest

import tests.programs  # noqa: F401
from adcompiler import grad
from adcompiler.backends import outline
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
