"""Objects as arguments and results, and what of classes is refused."""

import abc
from collections import OrderedDict
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
import pytest

from adcompiler import grad, jvp, value_and_grad, vjp
from adcompiler.errors import AdcompilerError

X = np.array([0.3, -1.2, 2.1])


@dataclass
class State:
    position: np.ndarray
    scale: float = 1.0
    label: str = "a"
    inner: dict = field(default_factory=dict)


@dataclass(frozen=True)
class Frozen:
    a: float
    b: np.ndarray


class Point(NamedTuple):
    x: float
    y: float


def energy(state, k=1.0):
    state.scale = state.scale * k
    return state.scale * np.sum(state.position**3) + state.inner["w"] ** 2


def test_gradient_has_the_structure_of_a_dataclass():
    state = State(X, 2.0, "b", {"w": 3.0})
    gradient = grad(energy)(state)
    assert type(gradient) is State
    np.testing.assert_allclose(gradient.position, 6 * X**2)
    assert gradient.scale == pytest.approx(np.sum(X**3))
    assert gradient.label is None
    assert gradient.inner == {"w": 6.0}
    assert state.scale == 2.0 and state.position is X  # the caller's object is as it was


def test_frozen_named_ordered_and_namespaces():
    def of_frozen(f):
        return f.a * np.sum(f.b**2)

    gradient = grad(of_frozen)(Frozen(2.0, X))
    assert type(gradient) is Frozen
    np.testing.assert_allclose(gradient.b, 4 * X)

    def of_point(p):
        return p.x * p.y**2

    assert grad(of_point)(Point(2.0, 3.0)) == Point(9.0, 12.0)
    gradient = grad(of_point)(SimpleNamespace(x=2.0, y=3.0))
    assert gradient == SimpleNamespace(x=9.0, y=12.0)

    def of_dict(d):
        return d["x"] * d["y"] ** 2

    gradient = grad(of_dict)(OrderedDict(x=2.0, y=3.0))
    assert type(gradient) is OrderedDict and gradient == {"x": 9.0, "y": 12.0}


def test_other_classes_and_values_are_other_signatures():
    def of_point(p):
        return p.x * p.y**2

    derivative = grad(of_point)
    assert derivative(Point(2.0, 3.0)).x == 9.0
    assert derivative(SimpleNamespace(x=3.0, y=1.0)).y == 6.0
    assert derivative(Point(1.0, 1.0)) == Point(1.0, 2.0)


def test_tangents_and_pullbacks_of_dataclasses():
    def step(f):
        return Frozen(f.a * 2.0, f.b * f.a)

    at, along = Frozen(2.0, X), Frozen(1.0, np.ones(3))
    out, dot = jvp(step, (at,), (along,))
    assert type(out) is Frozen and type(dot) is Frozen
    np.testing.assert_allclose(dot.b, X + 2.0)
    out, pullback = vjp(step, at)
    (bar,) = pullback(Frozen(1.0, np.ones(3)))
    assert type(bar) is Frozen
    assert bar.a == pytest.approx(2.0 + np.sum(X))


class Model:
    def __init__(self, weights):
        self.weights = weights

    @grad
    def slope(self, x):
        return np.sum(self.weights * x**2)

    def loss(self, x):
        return np.sum(self.weights * x**2)


def test_methods():
    model = Model(np.arange(3.0))
    np.testing.assert_allclose(model.slope(X), 2 * np.arange(3.0) * X)
    np.testing.assert_allclose(grad(model.loss)(X), 2 * np.arange(3.0) * X)


class Changed:
    factor = 2.0

    def times(self, x):
        return x * self.factor


def test_a_changed_method_or_class_attribute_is_seen():
    def f(x):
        return np.sum(Changed().times(x))

    derivative = grad(f)
    np.testing.assert_allclose(derivative(X), 2.0)
    Changed.factor = 3.0
    np.testing.assert_allclose(derivative(X), 3.0)
    Changed.times = lambda self, x: x * x
    np.testing.assert_allclose(derivative(X), 2 * X)


class Listed(list):
    pass


class Dynamic:
    def __getattr__(self, name):
        return 1.0


class Slotted:
    __slots__ = ("x",)

    def __init__(self, x):
        self.x = x


class Abstract(abc.ABC):
    @abc.abstractmethod
    def value(self): ...


class Concrete(Abstract):
    def __init__(self, x):
        self.x = x

    def value(self):
        return self.x * self.x


def _of_a_list(x):
    return np.sum(x) * len(Listed())


def _dynamic(x):
    return np.sum(x) * Dynamic().anything


def _frozen_written(x):
    f = Frozen(1.0, x)
    f.a = 2.0
    return f.a * np.sum(x)


def _missing(x):
    return np.sum(Concrete(x).other)


def _too_many(x):
    return Frozen(1.0, x, 2.0).a


HELD = Concrete(np.ones(3))


def _global_object_written(x):
    HELD.x = x
    return np.sum(HELD.x)


@pytest.mark.parametrize(
    "f", [_of_a_list, _dynamic, _frozen_written, _missing, _too_many, _global_object_written]
)
def test_refused(f):
    with pytest.raises(AdcompilerError) as caught:
        grad(f)(X)
    assert caught.value.position is not None
    assert HELD.x is not X


def test_slots_and_abstract_bases():
    def f(x):
        s = Slotted(x)
        s.x = s.x * 2.0
        return np.sum(Concrete(s.x).value())

    value, gradient = value_and_grad(f)(X)
    assert value == f(X)
    np.testing.assert_allclose(gradient, 8 * X)
