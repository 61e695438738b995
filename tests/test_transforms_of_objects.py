"""Every transform of methods, callable objects and partial functions; structures in and out."""

import array
import collections
import dataclasses
import enum
import functools
import pickle
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pytest

from adcompiler import (
    check_grads,
    compare,
    grad,
    hessian,
    hvp,
    jacfwd,
    jacobian,
    jacrev,
    jvp,
    value_and_grad,
    vjp,
)
from adcompiler.errors import AdcompilerError

X = np.array([0.7, 1.3, 0.4])
W = np.array([1.0, 2.0, 3.0])


class Model:
    def __init__(self, w, k=2.0):
        self.w, self.k = w, k

    def loss(self, x):
        return np.sum(self.w * x**2) * self.k

    def waves(self, x):
        return self.w * np.sin(x) * self.k

    __call__ = loss

    @staticmethod
    def cubes(x):
        return np.sum(x**3)

    @classmethod
    def more_cubes(cls, x):
        return cls.cubes(x) * 2.0

    @functools.partial(grad, argnums=1)
    def slope(self, a, x):
        return np.sum(self.w * a * x**2)


def weighted(w, k, x):
    return np.sum(w * x**2) * k


def waving(w, k, x):
    return w * np.sin(x) * k


MODEL = Model(W)
LOSSES = {
    "method": MODEL.loss,
    "callable object": MODEL,
    "partial": functools.partial(weighted, W, 2.0),
    "partial by name": functools.partial(weighted, W, k=2.0),
    "partial of a method": functools.partial(MODEL.loss),
}


def called_by_name(function):
    """`partial(weighted, W, k=2.0)` takes x by name alone."""
    return isinstance(function, functools.partial) and "k" in function.keywords


@pytest.mark.parametrize("f", LOSSES.values(), ids=LOSSES.keys())
def test_transforms_of_a_loss(f):
    g, h = 4 * W * X, np.diag(4 * W)
    if called_by_name(f):
        np.testing.assert_allclose(grad(f, argnames="x")(x=X), g)
        return
    np.testing.assert_allclose(grad(f)(X), g)
    value, gradient = value_and_grad(f)(X)
    assert value == pytest.approx(2 * W @ X**2)
    np.testing.assert_allclose(gradient, g)
    np.testing.assert_allclose(jvp(f, (X,), (X,))[1], g @ X)
    out, pullback = vjp(f, X)
    assert out == pytest.approx(value)
    (bar,) = pullback(2.0)
    np.testing.assert_allclose(bar, 2 * g)
    for mode in (jacobian, jacfwd, jacrev):
        np.testing.assert_allclose(mode(f)(X), g)
    np.testing.assert_allclose(hessian(f)(X), h)
    np.testing.assert_allclose(hvp(f, (X,), (X,)), h @ X)
    np.testing.assert_allclose(grad(lambda x: np.sum(grad(f)(x) * x))(X), 2 * g)
    np.testing.assert_allclose(jacfwd(grad(f))(X), h)
    check_grads(f, (X,))
    assert "compiled" in str(compare(f, X))


@pytest.mark.parametrize("f", [MODEL.waves, functools.partial(waving, W, 2.0)])
def test_jacobians_of_a_method(f):
    expected = np.diag(2 * W * np.cos(X))
    for mode in (jacobian, jacfwd, jacrev):
        np.testing.assert_allclose(mode(f)(X), expected)
    np.testing.assert_allclose(vjp(f, X)[1](W)[0], expected @ W)


def test_methods_of_every_kind():
    np.testing.assert_allclose(grad(Model.cubes)(X), 3 * X**2)
    np.testing.assert_allclose(grad(MODEL.cubes)(X), 3 * X**2)
    np.testing.assert_allclose(grad(Model.more_cubes)(X), 6 * X**2)
    np.testing.assert_allclose(grad(MODEL.more_cubes)(X), 6 * X**2)
    np.testing.assert_allclose(grad(Model.loss, argnums=1)(MODEL, X), 4 * W * X)
    np.testing.assert_allclose(MODEL.slope(X, X), 2 * W * X**2)
    np.testing.assert_allclose(jvp(MODEL.slope, (X, X), (X, X))[1], 4 * W * X**2)
    np.testing.assert_allclose(jacobian(MODEL.slope, argnums=1)(X, X), np.diag(2 * W * X))


def test_a_changed_object_is_seen_by_every_transform():
    model = Model(W)
    g, h = grad(model.loss), hessian(model)
    for k in (2.0, 3.0):
        model.k = k
        np.testing.assert_allclose(g(X), 2 * k * W * X)
        np.testing.assert_allclose(h(X), np.diag(2 * k * W))
        np.testing.assert_allclose(jvp(model, (X,), (X,))[1], 2 * k * W @ X**2)
    model.w = np.ones(3)
    np.testing.assert_allclose(g(X), 6 * X)
    model.w[0] = 5.0
    np.testing.assert_allclose(g(X), 6 * model.w * X)


@dataclass(frozen=True)
class Scaled:
    factor: float
    bias: float = dataclasses.field(default=0.0, compare=False)

    def __call__(self, x):
        return np.sum(x**2) * self.factor + self.bias * np.sum(x)


def test_equal_objects_are_still_two():
    a, b = Scaled(2.0, 0.0), Scaled(2.0, 1.0)
    assert a == b
    np.testing.assert_allclose(jvp(a, (X,), (X,))[1], 4 * X @ X)
    np.testing.assert_allclose(jvp(b, (X,), (X,))[1], 4 * X @ X + np.sum(X))
    np.testing.assert_allclose(vjp(b, X)[1](1.0)[0], 4 * X + 1.0)


def test_a_derivative_of_a_method_is_pickled_with_its_object():
    again = pickle.loads(pickle.dumps(grad(MODEL.loss)))
    np.testing.assert_allclose(again(X), 4 * W * X)
    again = pickle.loads(pickle.dumps(grad(LOSSES["partial"])))
    np.testing.assert_allclose(again(X), 4 * W * X)


# -- structures ---------------------------------------------------------------------------------


@dataclass
class Layer:
    width: int
    w: np.ndarray
    b: float
    name: str = "first"


def energy(layer):
    return np.sum(layer.w**2) * layer.b


def same(a, b):
    if dataclasses.is_dataclass(a):
        assert type(a) is type(b)
        a, b = vars(a), vars(b)
    if isinstance(a, SimpleNamespace):
        a, b = vars(a), vars(b)
    if isinstance(a, dict):
        assert a.keys() == b.keys()
        return all(same(a[k], b[k]) for k in a)
    if isinstance(a, (tuple, list)):
        assert type(a) is type(b) and len(a) == len(b)
        return all(map(same, a, b))
    return a is b if a is None or b is None else np.allclose(a, b)


def test_a_dataclass_through_every_transform():
    at = Layer(3, X, 2.0)
    along = Layer(0, X, 1.0, None)
    gradient = Layer(None, 4 * X, np.sum(X**2), None)
    assert same(grad(energy)(at), gradient)
    assert same(jacfwd(energy)(at), gradient)  # the integer stands before the floats
    assert same(jacrev(energy)(at), gradient)
    assert same(jacobian(energy)(at), gradient)
    assert same(vjp(energy, at)[1](1.0)[0], gradient)
    assert jvp(energy, (at,), (along,))[1] == pytest.approx(4 * X @ X + X @ X)
    product = Layer(None, 6 * X, 2 * X @ X, None)
    assert same(hvp(energy, (at,), (along,)), product)
    H = hessian(energy)(at)
    assert same(H.w, Layer(None, 4 * np.eye(3), 2 * X, None))
    assert same(H.b, Layer(None, 2 * X, 0.0, None))
    assert H.width is None and H.name is None
    check_grads(energy, (at,))


def test_dicts_lists_and_tuples_in_one_another():
    def f(d):
        return np.sum(d["a"] * d["l"][0]) * d["t"][1]

    at = {"a": X, "l": [2 * X, 1], "t": (1, 3.0), "s": "x", "n": None, "b": True, "e": []}
    expected = {
        "a": 6 * X, "l": [3 * X, None], "t": (None, 2 * X @ X), "s": None, "n": None, "b": None,
        "e": [],
    }  # fmt: skip
    assert same(grad(f)(at), expected)
    assert same(jacfwd(f)(at), expected)
    assert same(vjp(f, at)[1](1.0)[0], expected)

    def g(d):
        return {"out": d["x"] * d["y"], "n": 3}

    J = jacfwd(g)({"x": X, "y": 2.0})
    assert same(J, {"out": {"x": 2 * np.eye(3), "y": X}, "n": None})


def test_other_dicts():
    def f(d):
        return d["u"] * d["v"] ** 2

    for kind in (dict, collections.OrderedDict, functools.partial(collections.defaultdict, float)):
        found = grad(f)(kind(u=2.0, v=3.0))
        assert type(found) is type(kind()) and found == {"u": 9.0, "v": 12.0}


class Kind(enum.Enum):
    DOUBLE = 2


def test_functions_and_enumerations_as_arguments():
    def f(x, g, kind):
        return g(x) * kind.value

    np.testing.assert_allclose(grad(f)(X, MODEL.loss, Kind.DOUBLE), 8 * W * X)
    np.testing.assert_allclose(grad(f)(X, MODEL, Kind.DOUBLE), 8 * W * X)

    def through(x, g):
        return np.sum(g(x))

    np.testing.assert_allclose(grad(through)(X, grad(MODEL.loss)), 4 * W)
    np.testing.assert_allclose(grad(through)(X, jacobian(MODEL.waves)), -2 * W * np.sin(X))


def test_an_object_of_unknown_fields_is_no_variable():
    with pytest.raises(AdcompilerError) as caught:
        grad(lambda model: np.sum(model.w))(MODEL)
    assert "dataclass" in caught.value.remedy


# -- the world around changes ----------------------------------------------------------------------


class Counted:
    def __init__(self):
        self.items = [1.0]

    def __len__(self):
        return len(self.items)

    def __contains__(self, item):
        return item in self.items

    def __bool__(self):
        return len(self.items) > 1

    def __iter__(self):
        return iter(self.items)

    def __getitem__(self, k):
        return self.items[k]


COUNTED = Counted()
SETTINGS = {
    "names": {"a"},
    "typed": array.array("d", [1.0]),
    "queue": collections.deque([1.0]),
    "namespace": SimpleNamespace(d={"k": [1.0]}),
    "counted": COUNTED,
    "default": collections.defaultdict(float, k=1.0),
}
NAMES, TYPED, QUEUE = SETTINGS["names"], SETTINGS["typed"], SETTINGS["queue"]
NAMESPACE, DEFAULT = SETTINGS["namespace"], SETTINGS["default"]


def _of_names(x):
    return np.sum(x) * (2.0 if "b" in NAMES else 1.0)


def _of_typed(x):
    return np.sum(x) * TYPED[0]


def _of_queue(x):
    return np.sum(x) * QUEUE[0]


def _of_namespace(x):
    return np.sum(x) * NAMESPACE.d["k"][0]


def _of_default(x):
    return np.sum(x) * DEFAULT["k"]


def _of_counted(x):
    last = COUNTED[len(COUNTED) - 1] * (2.0 if 2.0 in COUNTED else 1.0)
    return np.sum(x) * last / sum(v for v in COUNTED) * (2.0 if COUNTED else 1.0)


def _change_counted():
    COUNTED.items.append(2.0)


CHANGES = {
    _of_names: lambda: NAMES.add("b"),
    _of_typed: lambda: TYPED.__setitem__(0, 3.0),
    _of_queue: lambda: QUEUE.__setitem__(0, 3.0),
    _of_namespace: lambda: NAMESPACE.d["k"].__setitem__(0, 3.0),
    _of_default: lambda: DEFAULT.__setitem__("k", 3.0),
    _of_counted: _change_counted,
}


@pytest.mark.parametrize("f", CHANGES, ids=lambda f: f.__name__)
def test_a_changed_container_is_seen(f):
    derivative = grad(f)
    before = derivative(X)
    np.testing.assert_allclose(before * np.sum(X), f(X))
    CHANGES[f]()
    np.testing.assert_allclose(derivative(X) * np.sum(X), f(X))
    assert not np.allclose(before, derivative(X))


class Strange:
    def __init__(self, a):
        self.a = a

    def __eq__(self, other):
        return self.a == other.a

    __hash__ = None


STRANGE = Strange(2.0)


def test_an_odd_equality_is_not_asked():
    def f(x):
        return np.sum(x) * STRANGE.a * MODEL.k * COUNTED.items[0]

    np.testing.assert_allclose(grad(f)(X), 4.0)
    np.testing.assert_allclose(grad(f)(X), 4.0)
