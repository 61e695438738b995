"""What users call: signatures, structures, specialisation, and what no call may do."""

import copy
import functools
import inspect
import math
import pickle
import re
import threading
import traceback
import types
import warnings

import numpy as np
import pytest

from adcompiler import (
    AdcompilerError,
    Derivative,
    check_grads,
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


def close(found, expected, rtol=1e-10, atol=1e-12):
    np.testing.assert_allclose(found, expected, rtol=rtol, atol=atol)


def compiled_for(derivative):
    """For how many signatures a derivative was compiled, as it says itself."""
    return int(re.search(r"compiled for (\d+) signature", derivative.explain())[1])


def product(x, y, z):
    """A number of three."""
    return x * y * y * z * z * z


def energy(x):
    return np.sum(x * x * x)


def dot(x, y):
    return np.sum(x * y)


# -- which arguments -------------------------------------------------------------------------------


def test_the_first_argument_by_default():
    assert grad(product)(2.0, 3.0, 5.0) == pytest.approx(1125.0)


@pytest.mark.parametrize(
    ("argnums", "expected"),
    [
        (0, 1125.0),
        (1, 1500.0),
        (2, 1350.0),
        (-1, 1350.0),
        (-3, 1125.0),
        ((0,), (1125.0,)),
        ((0, 2), (1125.0, 1350.0)),
        ((2, 0), (1350.0, 1125.0)),
        ((-1, 0), (1350.0, 1125.0)),
        ((0, 1, 2), (1125.0, 1500.0, 1350.0)),
    ],
)
def test_argnums(argnums, expected):
    found = grad(product, argnums=argnums)(2.0, 3.0, 5.0)
    assert type(found) is tuple if isinstance(expected, tuple) else isinstance(found, float)
    assert found == pytest.approx(expected)
    value, again = value_and_grad(product, argnums=argnums)(2.0, 3.0, 5.0)
    assert value == product(2.0, 3.0, 5.0)
    assert again == found


def test_one_name():
    assert grad(product, argnames="y")(2.0, 3.0, 5.0) == pytest.approx(1500.0)


def test_several_names_give_a_dict():
    found = grad(product, argnames=("z", "x"))(2.0, 3.0, 5.0)
    assert found == pytest.approx({"z": 1350.0, "x": 1125.0})
    assert list(found) == ["z", "x"]
    assert grad(product, argnames=["y"])(2.0, 3.0, 5.0) == pytest.approx({"y": 1500.0})


def test_numbers_and_names_give_a_pair():
    found = grad(product, argnums=0, argnames="z")(2.0, 3.0, 5.0)
    assert found == pytest.approx((1125.0, 1350.0))
    numbers, names = grad(product, argnums=(0, 1), argnames=("z",))(2.0, 3.0, 5.0)
    assert numbers == pytest.approx((1125.0, 1500.0))
    assert names == pytest.approx({"z": 1350.0})


def test_names_of_arguments_that_are_passed_by_keyword():
    assert grad(product, argnames="z")(2.0, 3.0, z=5.0) == pytest.approx(1350.0)
    assert grad(product, argnames="y")(2.0, z=5.0, y=3.0) == pytest.approx(1500.0)
    assert grad(product)(2.0, z=5.0, y=3.0) == pytest.approx(1125.0)


def test_keyword_only_arguments():
    def scaled(x, *, scale, shift=1.0):
        return scale * x * x + shift

    assert grad(scaled)(3.0, scale=2.0) == pytest.approx(12.0)
    assert grad(scaled, argnames="scale")(3.0, scale=2.0) == pytest.approx(9.0)
    assert grad(scaled, argnames="shift")(3.0, scale=2.0, shift=0.5) == pytest.approx(1.0)


def test_defaults():
    def power(x, n=3, factor=2.0):
        return factor * x**n

    d = grad(power)
    assert d(2.0) == pytest.approx(24.0)
    assert d(2.0, 2) == pytest.approx(8.0)
    assert d(2.0, factor=5.0) == pytest.approx(60.0)
    assert d(2.0) == pytest.approx(24.0)


def test_any_number_of_arguments():
    def total(*parts):
        result = 0.0
        for part in parts:
            result = result + part * part
        return result

    assert grad(total, argnums=1)(1.0, 2.0, 3.0) == pytest.approx(4.0)
    assert grad(total, argnums=(0, -1))(1.0, 2.0) == pytest.approx((2.0, 4.0))


def test_any_keywords():
    def total(x, **options):
        return x * options["scale"]

    assert grad(total)(2.0, scale=3.0) == pytest.approx(3.0)
    assert grad(total, argnames="scale")(2.0, scale=3.0) == pytest.approx(2.0)


# -- what a derivative is --------------------------------------------------------------------------


@grad
def decorated(x, y):
    """Doc of the function."""
    return x * x * y


@grad(argnums=(0, 1))
def decorated_with_options(x, y):
    return x * x * y


@value_and_grad(argnames="y")
def decorated_value(x, y):
    return x * x * y


def test_decorators():
    assert decorated(2.0, 3.0) == pytest.approx(12.0)
    assert decorated_with_options(2.0, 3.0) == pytest.approx((12.0, 4.0))
    assert decorated_value(2.0, 3.0) == pytest.approx((12.0, 4.0))


def test_a_derivative_looks_like_its_function():
    assert isinstance(decorated, Derivative)
    assert decorated.__name__ == "decorated"
    assert decorated.__doc__ == "Doc of the function."
    assert decorated.__module__ == __name__
    assert repr(decorated) == "<grad of decorated>"
    assert list(inspect.signature(decorated).parameters) == ["x", "y"]


def test_the_primal_is_the_undecorated_function():
    assert isinstance(decorated.primal, types.FunctionType)
    assert decorated.primal(2.0, 3.0) == 12.0


def test_other_decorators_below():
    def twice(f):
        @functools.wraps(f)
        def wrapper(*args):
            return 2.0 * f(*args)

        return wrapper

    @grad
    @twice
    def square(x):
        return x * x

    assert square(3.0) == pytest.approx(12.0)


def test_lambdas():
    assert grad(lambda x: 3.0 * x * x)(2.0) == pytest.approx(12.0)
    fs = [lambda x: x * x, lambda x: x * x * x]
    assert [grad(f)(2.0) for f in fs] == pytest.approx([4.0, 12.0])


def test_partial_functions():
    fixed = functools.partial(product, z=1.0)
    try:
        found = grad(fixed)(2.0, 3.0)
    except AdcompilerError as error:
        assert "partial" in str(error)  # refused with the reason
    else:
        assert found == pytest.approx(9.0)


@pytest.mark.parametrize("derivative", [decorated, decorated_with_options, decorated_value])
def test_pickling_decorated_functions(derivative):
    again = pickle.loads(pickle.dumps(derivative))
    assert again is derivative


def test_pickling_derivatives_of_functions():
    derivative = grad(product, argnums=(2, 0))
    again = pickle.loads(pickle.dumps(derivative))
    assert again(2.0, 3.0, 5.0) == derivative(2.0, 3.0, 5.0)
    again = pickle.loads(pickle.dumps(value_and_grad(product, argnames=("y",))))
    assert again(2.0, 3.0, 5.0) == (product(2.0, 3.0, 5.0), pytest.approx({"y": 1500.0}))


def test_pickling_a_derivative_of_higher_order():
    second = grad(grad(energy_of_number))
    again = pickle.loads(pickle.dumps(second))
    assert again(2.0) == second(2.0) == pytest.approx(12.0)


def energy_of_number(x):
    return x * x * x


def test_what_has_no_name_is_not_pickled_wrongly():
    with pytest.raises((pickle.PicklingError, AttributeError, AdcompilerError)):
        pickle.loads(pickle.dumps(grad(lambda x: x * x)))


# -- methods ---------------------------------------------------------------------------------------


class Model:
    def __init__(self, scale):
        self.scale = scale

    @grad
    def loss(self, x, y):
        return self.scale * np.sum(x * x * y)

    @grad(argnums=1)
    def by_y(self, x, y):
        return self.scale * np.sum(x * x * y)

    @value_and_grad(argnums=(0, -1))
    def both(self, x, y):
        return self.scale * self.inner(x, y)

    @grad(argnames="y")
    def named(self, x, y):
        return self.scale * self.inner(x, y)

    @staticmethod
    @grad
    def static(x):
        return x * x

    def inner(self, x, y):
        return np.sum(x * x * y)

    def plain(self, x):
        return self.scale * np.sum(x * x)


class Steeper(Model):
    def inner(self, x, y):
        return 10.0 * super().inner(x, y)


X, Y = np.array([1.0, 2.0]), np.array([3.0, -1.0])


def test_methods_do_not_count_self():
    model = Model(2.0)
    close(model.loss(X, Y), 4.0 * X * Y)
    close(model.by_y(X, Y), 2.0 * X * X)
    close(model.named(X, Y), 2.0 * X * X)
    value, (x_bar, y_bar) = model.both(X, Y)
    assert value == pytest.approx(2.0 * np.sum(X * X * Y))
    close(x_bar, 4.0 * X * Y)
    close(y_bar, 2.0 * X * X)


def test_methods_take_keywords():
    close(Model(2.0).loss(X, y=Y), 4.0 * X * Y)


def test_instances_do_not_share_their_attributes():
    one, other = Model(1.0), Model(5.0)
    for _ in range(2):
        close(one.loss(X, Y), 2.0 * X * Y)
        close(other.loss(X, Y), 10.0 * X * Y)


def test_a_changed_attribute_is_seen():
    model = Model(1.0)
    close(model.loss(X, Y), 2.0 * X * Y)
    model.scale = 3.0
    close(model.loss(X, Y), 6.0 * X * Y)


def test_methods_that_a_subclass_overrides():
    model = Steeper(1.0)
    try:
        value, (x_bar, _) = model.both(X, Y)
    except AdcompilerError:
        return  # `super()` may be refused
    assert value == pytest.approx(10.0 * np.sum(X * X * Y))
    close(x_bar, 20.0 * X * Y)
    close(Model(1.0).both(X, Y)[1][0], 2.0 * X * Y)


def test_static_methods():
    assert Model.static(3.0) == pytest.approx(6.0)
    assert Model(1.0).static(3.0) == pytest.approx(6.0)


def test_bound_methods():
    close(grad(Model(2.0).plain)(X), 4.0 * X)


def test_on_the_class_it_is_the_derivative():
    assert isinstance(Model.loss, Derivative)
    model = Model(2.0)
    close(grad(Model.plain, argnums=1)(model, X), 4.0 * X)


def test_the_source_of_a_method():
    model = Model(2.0)
    assert "def loss_grad(" in model.loss.source()
    assert "with respect to x." in model.loss.source(X, Y)
    assert "inactive:" in model.loss.explain(X, Y)
    assert model.loss.primal(X, Y) == 2.0 * np.sum(X * X * Y)


# -- structures ------------------------------------------------------------------------------------


def nested_loss(p):
    (a, b), table = p["pair"], p["table"]
    return np.sum(a * a) * b + table["w"][0] * table["w"][1] * p["count"]


def nested():
    return {
        "pair": (np.array([1.0, 2.0]), 3.0),
        "table": {"w": [0.5, 4.0], "name": "layer", "none": None},
        "count": 2,
        "empty": (),
    }


def test_the_gradient_has_the_structure_of_the_argument():
    found = grad(nested_loss)(nested())
    assert list(found) == ["pair", "table", "count", "empty"]
    assert type(found["pair"]) is tuple
    assert type(found["table"]["w"]) is list
    close(found["pair"][0], [6.0, 12.0])
    assert found["pair"][1] == pytest.approx(5.0)
    assert found["table"]["w"] == pytest.approx([8.0, 1.0])
    # What is not a float has no gradient.
    assert found["count"] is None
    assert found["table"]["name"] is None
    assert found["table"]["none"] is None
    assert found["empty"] == ()


def test_a_structure_among_other_arguments():
    def loss(params, x):
        return np.sum((x * params["w"] + params["b"]) ** 2)

    params, x = {"w": 2.0, "b": np.array([1.0, -1.0])}, np.array([0.5, 1.5])
    residual = 2 * (x * 2.0 + params["b"])
    p_bar, x_bar = grad(loss, argnums=(0, 1))(params, x)
    assert p_bar["w"] == pytest.approx(np.sum(residual * x))
    close(p_bar["b"], residual)
    close(x_bar, residual * 2.0)
    named = grad(loss, argnames=("params",))(params, x)
    close(named["params"]["b"], residual)


def test_dicts_in_another_order():
    def loss(p):
        return p["a"] * p["b"] * p["b"]

    d = grad(loss)
    assert d({"a": 2.0, "b": 3.0}) == pytest.approx({"a": 9.0, "b": 12.0})
    found = d({"b": 3.0, "a": 2.0})
    assert found == pytest.approx({"a": 9.0, "b": 12.0})
    assert list(found) == ["b", "a"]


def test_keys_that_are_no_identifiers():
    def loss(p):
        return p["layer 1"] * p[2]

    found = grad(loss)({"layer 1": 2.0, 2: 3.0})
    assert found == pytest.approx({"layer 1": 3.0, 2: 2.0})


def test_keys_that_are_tuples():
    def loss(p):
        return p["a", 0] * p["a", 1]

    assert grad(loss)({("a", 0): 2.0, ("a", 1): 3.0}) == pytest.approx(
        {("a", 0): 3.0, ("a", 1): 2.0}
    )


def test_lists_of_another_length_are_another_signature():
    def loss(layers):
        h = 1.0
        for w in layers:
            h = h * w
        return h

    d = grad(loss)
    assert d([2.0, 3.0]) == pytest.approx([3.0, 2.0])
    assert d([2.0, 3.0, 4.0]) == pytest.approx([12.0, 8.0, 6.0])
    assert d([2.0]) == pytest.approx([1.0])


def test_aux():
    def loss(x, y):
        residual = x - y
        return np.sum(residual * residual), {"residual": residual, "count": 3, "note": "kept"}

    gradient, aux = grad(loss, has_aux=True)(X, Y)
    close(gradient, 2 * (X - Y))
    close(aux["residual"], X - Y)
    assert (aux["count"], aux["note"]) == (3, "kept")
    (value, aux), gradient = value_and_grad(loss, has_aux=True)(X, Y)
    assert value == pytest.approx(np.sum((X - Y) ** 2))
    close(aux["residual"], X - Y)
    close(gradient, 2 * (X - Y))


def test_aux_does_not_count():
    def loss(x):
        return x * x, x * 100.0

    assert grad(loss, has_aux=True)(3.0) == (pytest.approx(6.0), pytest.approx(300.0))


def test_aux_with_several_arguments():
    def loss(x, y):
        return x * y, x

    assert grad(loss, argnums=(0, 1), has_aux=True)(3.0, 4.0) == ((4.0, 3.0), 3.0)
    assert grad(loss, argnames=("y",), has_aux=True)(3.0, 4.0) == ({"y": 3.0}, 3.0)


# -- kinds of numbers ------------------------------------------------------------------------------


def test_numbers_stay_numbers():
    assert isinstance(grad(lambda x: x * x)(2.0), float)
    assert isinstance(grad(lambda x: np.sin(x))(2.0), float)
    assert isinstance(grad(lambda x, y: np.sum(x * y))(2.0, X), float)


def test_float32_stays_float32():
    x = np.array([0.5, -1.5, 2.0], np.float32)

    def loss(x):
        return np.sum(np.tanh(x * 2.0) ** 2) / 3.0 + np.mean(x)

    found = grad(loss)(x)
    assert found.dtype == np.float32
    close(found, grad(loss)(x.astype(float)), rtol=1e-5)
    value, found = value_and_grad(loss)(x)
    assert value.dtype == found.dtype == np.float32
    out, out_dot = jvp(lambda x: np.sin(x) * 2.0, (x,), (np.ones(3, np.float32),))
    assert out.dtype == out_dot.dtype == np.float32
    out, pull = vjp(lambda x: np.sin(x) * 2.0, x)
    assert pull(np.ones(3, np.float32))[0].dtype == np.float32


def test_float32_numbers():
    found = grad(lambda x: x * x)(np.float32(3.0))
    assert found.dtype == np.float32
    assert found == 6.0


def test_mixed_precision():
    x, y = np.ones(3, np.float32), np.arange(3.0)
    x_bar, y_bar = grad(dot, argnums=(0, 1))(x, y)
    assert x_bar.dtype == np.float32
    assert y_bar.dtype == np.float64
    close(x_bar, y)


def test_float32_in_loops_and_writes():
    def loss(x):
        y = np.zeros_like(x)
        for i in range(1, len(x)):
            y[i] = x[i] * y[i - 1] + x[i - 1]
        return y.sum()

    x = np.array([0.5, 1.5, 2.0, 0.25], np.float32)
    found = grad(loss)(x)
    assert found.dtype == np.float32
    close(found, grad(loss)(x.astype(float)), rtol=1e-5)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_arrays_of_no_dimension(dtype):
    x = np.array(3.0, dtype)
    found = grad(lambda x: x * x)(x)
    assert np.shape(found) == ()
    assert found.dtype == dtype
    assert found == 6.0


def test_integers_beside_floats():
    def loss(x, k, mask):
        return np.sum(x[k:] * mask[k:])

    x, mask = np.arange(4.0), np.array([1, 0, 2, 3])
    close(grad(loss)(x, 1, mask), [0.0, 0.0, 2.0, 3.0])
    close(grad(loss)(x, 2, mask > 1), [0.0, 0.0, 1.0, 1.0])
    close(grad(loss)(x, np.int64(1), mask), [0.0, 0.0, 2.0, 3.0])


def test_what_the_result_does_not_depend_on():
    def loss(x, y):
        return np.sum(y)

    close(grad(loss)(X, Y), np.zeros(2))
    assert grad(lambda x: 1.5)(2.0) == 0.0
    assert grad(lambda x, y: y)(2.0, 3.0) == 0.0
    found = grad(lambda p: p["a"] * 1.0)({"a": 1.0, "b": np.ones((2, 3))})
    close(found["b"], np.zeros((2, 3)))


def test_arrays_that_are_not_contiguous():
    whole = np.arange(12.0).reshape(3, 4)
    for view in (whole.T, whole[::2], whole[:, ::-1], np.asfortranarray(whole), whole[1]):
        found = grad(energy)(view)
        assert found.shape == view.shape
        close(found, 3 * view * view)


def test_read_only_arguments():
    x = np.arange(3.0)
    x.flags.writeable = False
    close(grad(energy)(x), 3 * x * x)


# -- zero sizes ------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(0,), (0, 3), (3, 0), (2, 0, 4)])
def test_empty_arrays(shape):
    x = np.zeros(shape)
    value, found = value_and_grad(energy)(x)
    assert value == 0.0
    assert found.shape == shape
    out, out_dot = jvp(np_sin, (x,), (x,))
    assert out.shape == out_dot.shape == shape
    out, pull = vjp(np_sin, x)
    assert pull(out)[0].shape == shape


def np_sin(x):
    return np.sin(x)


def test_empty_arrays_after_full_ones():
    d = grad(energy)
    close(d(np.arange(3.0)), [0.0, 3.0, 12.0])
    assert d(np.zeros(0)).shape == (0,)
    close(d(np.arange(3.0)), [0.0, 3.0, 12.0])


def test_loops_over_empty_arrays():
    def loss(x, y):
        total = 1.0
        for value in x:
            total = total * value
        return total + np.sum(y)

    x_bar, y_bar = grad(loss, argnums=(0, 1))(np.zeros(0), np.ones(2))
    assert x_bar.shape == (0,)
    close(y_bar, np.ones(2))


def test_jacobians_of_empty_arrays():
    assert jacfwd(np_sin)(np.zeros(0)).shape == (0, 0)
    assert jacrev(np_sin)(np.zeros(0)).shape == (0, 0)
    assert jacobian(lambda x: np.sum(x) * np.ones(2))(np.zeros(0)).shape == (2, 0)
    assert hessian(energy)(np.zeros(0)).shape == (0, 0)


# -- lengths ---------------------------------------------------------------------------------------


def test_equal_and_different_lengths():
    d = grad(dot, argnums=(0, 1))
    for n, m in [(3, 3), (3, 1), (1, 3), (1, 1), (4, 4), (1, 5)]:
        x, y = np.arange(1.0, n + 1), np.arange(2.0, m + 2)
        x_bar, y_bar = d(x, y)
        assert x_bar.shape == x.shape
        assert y_bar.shape == y.shape
        close(x_bar, y * np.ones(n) if n > 1 else np.sum(y))
        close(y_bar, x * np.ones(m) if m > 1 else np.sum(x))


def test_one_signature_for_all_lengths():
    d = grad(dot)
    for n in (3, 5, 2, 70):
        close(d(np.arange(float(n)), np.ones(n)), np.ones(n))
    assert compiled_for(d) == 1


def test_lengths_that_happen_to_be_equal():
    """Code for equal lengths must not serve different ones, nor the other way round."""

    def outer(x, y):
        return np.sum(x[:, None] * y[None, :] * np.ones((len(x), len(y))))

    d = grad(outer)
    for n, m in [(3, 3), (3, 4), (4, 3), (2, 2), (5, 1)]:
        x, y = np.arange(float(n)), np.arange(1.0, m + 1)
        close(d(x, y), np.full(n, np.sum(y)))


def test_lengths_that_are_compared():
    def loss(x, n):
        if len(x) == n:
            return np.sum(x)
        return np.sum(x * x)

    d = grad(loss)
    close(d(np.arange(3.0), 3), np.ones(3))
    close(d(np.arange(4.0), 3), 2 * np.arange(4.0))
    close(d(np.arange(4.0), 4), np.ones(4))


def test_tangents_of_another_length_than_at_first():
    for n in (3, 5, 2):
        x, v = np.arange(float(n)), np.ones(n)
        out, out_dot = jvp(np_sin, (x,), (v,))
        close(out, np.sin(x))
        close(out_dot, np.cos(x))
        _, pull = vjp(np_sin, x)
        close(pull(v)[0], np.cos(x))
        close(hvp(energy, (x,), (v,)), 6 * x)


def test_ranks():
    d = grad(energy)
    for shape in [(3,), (2, 3), (1, 3), (2, 2, 2), ()]:
        x = np.full(shape, 2.0)
        found = d(x)
        assert np.shape(found) == shape
        close(found, np.full(shape, 12.0))


# -- values that decide the code -------------------------------------------------------------------


def test_an_axis_is_looked_at():
    def loss(x, axis):
        return np.sum(np.max(x, axis=axis) ** 2)

    d = grad(loss)
    x = np.array([[1.0, 5.0, 2.0], [4.0, 3.0, 6.0]])
    for _ in range(2):
        close(d(x, 0), [[0.0, 10.0, 0.0], [8.0, 0.0, 12.0]])
        close(d(x, 1), [[0.0, 10.0, 0.0], [0.0, 0.0, 12.0]])
        close(d(x, -1), [[0.0, 10.0, 0.0], [0.0, 0.0, 12.0]])
        close(d(x, None), [[0.0, 0.0, 0.0], [0.0, 0.0, 12.0]])


def test_a_shape_is_looked_at():
    def loss(x, rows, flag):
        return np.sum(np.sum(x.reshape(rows, -1), axis=0, keepdims=flag) ** 2)

    d = grad(loss)
    x = np.arange(6.0)
    for rows in (1, 2, 3, 6):
        for flag in (True, False):
            expected = np.tile(2 * x.reshape(rows, -1).sum(0), rows)
            close(d(x, rows, flag), expected)


def test_strings_and_functions_choose():
    def loss(x, kind, f):
        y = f(x)
        if kind == "sum":
            return np.sum(y)
        return np.mean(y)

    d = grad(loss)
    close(d(X, "sum", np.sin), np.cos(X))
    close(d(X, "mean", np.sin), np.cos(X) / 2)
    close(d(X, "sum", np.exp), np.exp(X))
    close(d(X, "sum", lambda x: x * x), 2 * X)
    close(d(X, "sum", lambda x: x * x * x), 3 * X * X)
    close(d(X, "sum", np.sin), np.cos(X))


def test_none_and_numbers():
    def loss(x, weight):
        if weight is None:
            return np.sum(x)
        return np.sum(x * weight)

    d = grad(loss)
    close(d(X, None), np.ones(2))
    close(d(X, 3.0), np.full(2, 3.0))
    close(d(X, Y), Y)
    close(d(X, None), np.ones(2))


def test_a_value_that_is_only_computed_with_is_not_looked_at():
    def loss(x, n):
        total = 0.0
        for k in range(n):
            total = total + x * k
        return total

    d = grad(loss)
    for n in range(6):
        assert d(2.0, n) == pytest.approx(n * (n - 1) / 2)
    assert compiled_for(d) == 1


def test_a_warning_when_there_are_many_signatures():
    def loss(x, name):
        return x * len(name)

    d = grad(loss)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for k in range(32):
            assert d(2.0, "n" * k) == pytest.approx(float(k))
    with pytest.warns(UserWarning, match="loss was compiled for 33 signatures"):
        d(2.0, "n" * 32)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        d(2.0, "n" * 33)


# -- guards ----------------------------------------------------------------------------------------

RATE = 2.0
TABLE = {"rate": 2.0, "rates": [1.0, 2.0]}
VECTOR = np.array([1.0, 2.0])
SETTINGS = types.SimpleNamespace(rate=2.0, inner=types.SimpleNamespace(power=2))


def helper(x):
    return x * x


def test_a_changed_global(monkeypatch):
    def loss(x):
        return RATE * x

    d = grad(loss)
    assert d(1.0) == 2.0
    monkeypatch.setitem(globals(), "RATE", 5.0)
    assert d(1.0) == 5.0
    monkeypatch.setitem(globals(), "RATE", 2)
    assert d(1.0) == 2.0
    monkeypatch.setitem(globals(), "RATE", np.array([1.0, 2.0]))
    with pytest.raises(AdcompilerError):
        d(1.0)  # the result is an array now


def test_a_changed_entry_of_a_global_dict(monkeypatch):
    def loss(x):
        return TABLE["rate"] * x

    d = grad(loss)
    assert d(1.0) == 2.0
    monkeypatch.setitem(TABLE, "rate", 7.0)
    assert d(1.0) == 7.0


def test_a_changed_item_of_a_global_list():
    def loss(x):
        total = 0.0
        for rate in TABLE["rates"]:
            total = total + rate * x
        return total

    d = grad(loss)
    assert d(1.0) == 3.0
    TABLE["rates"].append(10.0)
    try:
        assert d(1.0) == 13.0
        TABLE["rates"][0] = 5.0
        assert d(1.0) == 17.0
    finally:
        TABLE["rates"][:] = [1.0, 2.0]


def test_a_global_array_that_is_written(monkeypatch):
    def loss(x):
        return np.sum(VECTOR * x)

    d = grad(loss)
    close(d(X), [1.0, 2.0])
    VECTOR[0] = 9.0
    try:
        close(d(X), [9.0, 2.0])
    finally:
        VECTOR[0] = 1.0
    monkeypatch.setitem(globals(), "VECTOR", np.array([3.0, 4.0]))
    close(d(X), [3.0, 4.0])
    monkeypatch.setitem(globals(), "VECTOR", np.array([[3.0], [4.0]]))
    close(d(X), [7.0, 7.0])


def test_a_changed_attribute(monkeypatch):
    def loss(x):
        return SETTINGS.rate * x**SETTINGS.inner.power

    d = grad(loss)
    assert d(3.0) == pytest.approx(12.0)
    monkeypatch.setattr(SETTINGS, "rate", 1.0)
    assert d(3.0) == pytest.approx(6.0)
    monkeypatch.setattr(SETTINGS.inner, "power", 3)
    assert d(3.0) == pytest.approx(27.0)


def test_a_redefined_helper(monkeypatch):
    def loss(x):
        return helper(x)

    d = grad(loss)
    assert d(3.0) == 6.0
    monkeypatch.setitem(globals(), "helper", lambda x: 4.0 * x)
    assert d(3.0) == 4.0


def test_a_helper_that_reads_a_changed_global(monkeypatch):
    def scale(x):
        return x * RATE

    def loss(x):
        return scale(x)

    d = grad(loss)
    assert d(3.0) == 2.0
    monkeypatch.setitem(globals(), "RATE", -1.0)
    assert d(3.0) == -1.0


def test_a_changed_variable_of_an_enclosing_function():
    factor = 2.0

    def loss(x):
        return factor * x

    d = grad(loss)
    assert d(1.0) == 2.0
    factor = 3.0
    assert d(1.0) == 3.0


def test_closures_of_one_definition_are_told_apart():
    def scaled(factor):
        def loss(x):
            return factor * x

        return loss

    derivatives = [grad(scaled(float(k))) for k in range(4)]
    assert [d(1.0) for d in derivatives] == [0.0, 1.0, 2.0, 3.0]
    assert [d(1.0) for d in derivatives] == [0.0, 1.0, 2.0, 3.0]
    outs = [jvp(scaled(float(k)), (1.0,), (1.0,))[1] for k in range(4)]
    assert outs == [0.0, 1.0, 2.0, 3.0]


def test_objects_passed_as_arguments_are_looked_at_on_each_call():
    class Settings:
        def __init__(self, rate):
            self.rate = rate

    def loss(x, settings):
        return settings.rate * x

    d = grad(loss)
    settings = Settings(2.0)
    assert d(1.0, settings) == 2.0
    settings.rate = 3.0
    assert d(1.0, settings) == 3.0
    assert d(1.0, Settings(4.0)) == 4.0


def test_objects_that_are_gone_do_not_haunt():
    """A new object may get the `id` of one that was collected."""

    class Settings:
        def __init__(self, rate):
            self.rate = rate

    def loss(x, settings):
        return settings.rate * x

    d = grad(loss)
    for k in range(20):
        assert d(1.0, Settings(float(k))) == float(k)


# -- what no call may do ---------------------------------------------------------------------------


def writes(a, rows):
    a[0] = a[0] * a[1]
    rows.append(a[0])
    rows[0] = a[1] * 2.0
    return rows[0] * rows[1] + np.sum(a)


def test_arguments_are_not_changed():
    a, rows = np.array([2.0, 3.0]), [1.0]
    for call in (
        lambda: grad(writes)(a, rows),
        lambda: value_and_grad(writes)(a, rows),
        lambda: jvp(writes, (a, rows), (np.ones(2), [1.0])),
        lambda: vjp(writes, a, rows)[1](1.0),
    ):
        call()
        close(a, [2.0, 3.0])
        assert rows == [1.0]
    close(grad(writes)(a, rows), [21.0, 27.0])


def test_dicts_are_not_changed():
    def loss(p):
        p["w"] = p["w"] * 2.0
        p["w"] *= p["w"]
        return np.sum(p["w"])

    p = {"w": np.array([1.0, 2.0])}
    close(grad(loss)(p)["w"], [8.0, 16.0])
    close(p["w"], [1.0, 2.0])


def test_a_base_that_a_view_writes_is_not_changed():
    def loss(a):
        row = a[1]
        row *= row
        return np.sum(a)

    a = np.array([[1.0, 2.0], [3.0, 4.0]])
    close(grad(loss)(a), [[1.0, 1.0], [6.0, 8.0]])
    close(a, [[1.0, 2.0], [3.0, 4.0]])


def test_global_arrays_that_are_only_read_are_not_changed():
    def loss(x):
        y = VECTOR.copy()
        y *= x
        return np.sum(y * y)

    close(grad(loss)(X), 2 * VECTOR**2 * X)
    close(VECTOR, [1.0, 2.0])


def aliasing_functions():
    def itself(x):
        return np.sum(x)

    def twice(x, y):
        return np.sum(x + y)

    def constant(x):
        return np.sum(VECTOR * x)

    def through_views(x):
        return np.sum(x.reshape(2, 1).T)

    return [(itself, (X,)), (twice, (X, Y)), (constant, (X,)), (through_views, (X,))]


@pytest.mark.parametrize("case", aliasing_functions(), ids=lambda case: case[0].__name__)
def test_gradients_belong_to_the_caller(case):
    f, args = case
    d = grad(f, argnums=tuple(range(len(args))))
    first = d(*args)
    kept = copy.deepcopy(first)
    for k, part in enumerate(first):
        assert part.flags.writeable
        for other in (*args, *first[:k], VECTOR):
            assert not np.shares_memory(part, other)
    for part in first:
        part += 100.0
    for part, before in zip(d(*args), kept, strict=True):
        close(part, before)


def test_values_belong_to_the_caller():
    def both(x, y):
        return x, x, y.T, {"x": x}

    x, y = np.ones(3), np.ones((2, 3))
    results, pull = vjp(both, x, y)
    parts = [*results[:3], results[3]["x"]]
    for k, part in enumerate(parts):
        assert part.flags.writeable
        for other in (x, y, *parts[:k]):
            assert not np.shares_memory(part, other)
    bars = pull((x, x, np.ones((3, 2)), {"x": x}))
    close(bars[0], [3.0, 3.0, 3.0])
    assert not np.shares_memory(bars[0], x)
    outs, dots = jvp(both, (x, y), (x, y))
    parts = [*outs[:3], outs[3]["x"], *dots[:3], dots[3]["x"]]
    for k, part in enumerate(parts):
        for other in (x, y, *parts[:k]):
            assert not np.shares_memory(part, other)


def test_aux_belongs_to_the_caller():
    def loss(x):
        return np.sum(x * x), x

    x = np.ones(3)
    gradient, aux = grad(loss, has_aux=True)(x)
    assert not np.shares_memory(aux, x)
    assert not np.shares_memory(aux, gradient)


def test_the_pullback_of_the_identity():
    x, seed = np.ones(3), np.arange(3.0)
    out, pull = vjp(lambda x: x, x)
    (bar,) = pull(seed)
    assert not np.shares_memory(bar, seed)
    assert not np.shares_memory(out, x)
    close(bar, seed)


def test_prints_and_draws_happen_once(capsys):
    def loss(x):
        print("once")
        noise = np.random.normal(size=3)
        return np.sum(x * noise), noise

    gradient, noise = grad(loss, has_aux=True)(np.ones(3))
    close(gradient, noise)
    assert capsys.readouterr().out == "once\n"


def test_exceptions_of_the_function_pass_through():
    def loss(x):
        if x < 0:
            raise ValueError("only positive numbers")
        return math.sqrt(x)

    d = grad(loss)
    assert d(4.0) == pytest.approx(0.25)
    with pytest.raises(ValueError, match="only positive numbers"):
        d(-1.0)
    with pytest.raises(IndexError):
        grad(lambda x: x[5])(np.ones(3))


def test_tracebacks_show_the_emitted_code():
    def loss(x, k):
        return x[k] * x[k]

    try:
        grad(loss)(np.ones(3), 7)
    except IndexError:
        text = traceback.format_exc()
    assert "<adcompiler loss_grad" in text
    assert "x[k]" in text


def test_threads():
    def loss(x, n):
        total = 0.0
        for _ in range(n):
            total = total + np.sum(np.sin(x) * total + x * x)
        return total

    d = grad(loss)
    inputs = [np.full(shape, 0.1) for shape in [(2,), (3,), (2, 2), (1,), (2, 1)]]
    expected = [grad(loss)(x, 3) for x in inputs]
    barrier = threading.Barrier(8)
    failures = []

    def work(offset):
        barrier.wait()
        for turn in range(30):
            k = (turn + offset) % len(inputs)
            try:
                close(d(inputs[k], 3), expected[k])
                out, pull = vjp(np_sin, inputs[k])
                close(pull(out)[0], np.cos(inputs[k]) * np.sin(inputs[k]))
            except BaseException as error:
                failures.append(error)
                return

    threads = [threading.Thread(target=work, args=(k,)) for k in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures, failures[0]


def test_a_derivative_may_be_taken_while_another_runs():
    """Compiling is not disturbed by code that compiles."""

    def f(x):
        return x * x

    def outer(x):
        return x * x * x

    assert grad(lambda x: f(x) + outer(x))(2.0) == pytest.approx(16.0)
    assert [grad(grad(outer))(float(k)) for k in range(3)] == pytest.approx([0.0, 6.0, 12.0])


# -- looking ---------------------------------------------------------------------------------------


def looked_at(x: np.ndarray, n: int = 2):
    y = x
    for _ in range(n):
        y = np.sin(y) * x
    return np.sum(y)


def test_the_source_before_any_call():
    text = grad(looked_at).source()
    first, second, *_ = text.splitlines()
    assert first == "# assumed: x: float64 array of rank 1 (annotation)"
    assert second == "# assumed: n: int (default 2)"
    assert "def looked_at_grad(x, n):" in text


def test_the_source_of_the_last_call():
    d = grad(looked_at)
    d(np.ones(3), 4)
    by_rank_1 = d.source()
    assert "assumed" not in by_rank_1
    d(2.0)
    by_number = d.source()
    assert by_number != by_rank_1
    d(np.ones(5), 2)
    assert d.source() == by_rank_1


def test_the_source_for_arguments():
    d = grad(looked_at)
    assert d.source(np.ones(3), 4) == d.source(np.zeros(7), 1)
    assert d.source(2.0) != d.source(np.ones(3))
    assert "assumed" not in d.source(np.ones(3), n=4)


def test_the_source_is_the_same_in_every_run():
    assert grad(looked_at).source(np.ones(3)) == grad(looked_at).source(np.ones(3))
    for stage in ("ir", "types", "adjoint", "optimised"):
        texts = {grad(looked_at).source(np.ones(3), stage=stage) for _ in range(2)}
        assert len(texts) == 1, stage


def test_the_source_quotes_the_function():
    text = grad(looked_at).source(np.ones(3), 4)
    assert "# y = np.sin(y) * x" in text
    assert "x_bar" in text


def test_the_source_runs():
    d = grad(looked_at)
    text = d.source(np.ones(3), 4)
    namespace = {}
    exec(text, namespace)
    x = np.array([0.3, 0.7, -0.2])
    close(namespace["looked_at_grad"](x, 4), d(x, 4))


def test_the_emitted_function_can_be_inspected():
    d = grad(looked_at)
    run = d.compiled(np.ones(3), 4)
    assert inspect.getsource(run).startswith("def looked_at_grad(x, n):")
    close(run(np.ones(3), 4), d(np.ones(3), 4))
    assert run.__doc__ == "Gradient of looked_at with respect to x."


@pytest.mark.parametrize("stage", ["ast", "tree", "ir", "types", "adjoint", "optimised", "source"])
def test_every_stage_has_a_text(stage):
    assert grad(looked_at).source(stage=stage).strip()
    assert grad(looked_at).source(2.0, stage=stage).strip()


def test_stages_before_any_signature():
    d = grad(looked_at)
    assert "FunctionDef(" in d.source(stage="ast")
    assert d.source(stage="tree").startswith("def looked_at(x: np.ndarray, n: int=2):")


def test_the_table_of_types():
    table = dict(
        line.split(None, 1)
        for line in grad(looked_at).source(np.ones((2, 3)), 4, stage="types").splitlines()
    )
    assert table["x"] == "float64[len(x), x.shape[1]]"
    assert table["n"] == "int"
    assert table["y"] == "float64[len(x), x.shape[1]]"


def test_an_unknown_stage():
    with pytest.raises(ValueError, match="unknown stage 'machine'"):
        grad(looked_at).source(2.0, stage="machine")


def test_explain():
    text = grad(looked_at).explain(np.ones(3), 4)
    assert text.startswith("Gradient of looked_at with respect to x.\ncompiled for 1 signature")
    assert "on each trip of `for _ in range(n):`" in text
    assert "8 bytes x len(x)" in text
    assert "carried from trip to trip" in text
    assert "parameter n: int" in text


def test_explain_undo():
    def loss(a):
        for i in range(1, len(a)):
            a[i] *= a[i - 1]
        return np.sum(a)

    text = grad(loss).explain(np.ones(3))
    assert "undo: `a[i] *= a[i - 1]` overwrites it" in text


def test_explain_inactive():
    def loss(x, y, n):
        unused = np.sin(x)
        weight = np.cos(y) * n
        print(unused, weight)
        return np.sum(x * weight)

    text = grad(loss).explain(X, Y, 2)
    assert "parameter y: its derivative is not asked for" in text
    assert "parameter n: int" in text
    assert "unused: it does not reach the result" in text
    assert "weight: no differentiated argument reaches it" in text


def test_explain_counts_signatures():
    d = grad(looked_at)
    d(2.0)
    d(np.ones(3))
    assert "compiled for 2 signatures" in d.explain()


def test_nothing_is_saved_that_is_not_needed():
    def linear(x, n):
        for _ in range(n):
            x = x * 2.0 + 1.0
        return x

    assert "saved for the backward sweep:\n    nothing" in grad(linear).explain(2.0, 3)


# -- examples --------------------------------------------------------------------------------------


def test_examples_try_ranks_until_one_compiles():
    def needs_a_number(x):
        return x * x

    def needs_a_matrix(a):
        return np.sum(a[:, 0] * a[0, :])

    def needs_a_count(x, n):
        total = 0.0
        for i in range(n):
            total = total + x[i]
        return total

    assert "x: float (no annotation)" in grad(needs_a_number).source()
    assert "a: float64 array of rank 2 (no annotation)" in grad(needs_a_matrix).source()
    assert "n: int (no annotation)" in grad(needs_a_count).source()


def test_examples_from_annotations():
    def loss(
        x: "np.ndarray[tuple[int, int], np.dtype[np.float32]]",
        scale: float,
        pair: tuple[float, int],
        rows: list[float],
        name: str | None = None,
        axis: int = 1,
    ):
        return np.sum(np.sum(x, axis=axis) * scale * pair[0] * rows[0])

    lines = grad(loss).source().splitlines()
    assert lines[:6] == [
        "# assumed: x: float32 array of rank 2 (annotation)",
        "# assumed: scale: float (annotation)",
        "# assumed: pair: tuple of (float, int) (annotation)",
        "# assumed: rows: list of (float, float, float) (annotation)",
        "# assumed: name: None (default None)",
        "# assumed: axis: int (default 1)",
    ]


def test_no_example_for_what_says_nothing():
    def loss(x, name: str):
        return x * len(name)

    with pytest.raises(AdcompilerError, match="no example for parameter `name`"):
        grad(loss).source()


# -- vjp -------------------------------------------------------------------------------------------


def test_vjp():
    def f(x, y):
        return x * y, np.sum(x)

    (a, b), pull = vjp(f, X, Y)
    close(a, X * Y)
    assert b == pytest.approx(np.sum(X))
    seed = np.array([0.5, -2.0])
    for _ in range(3):
        x_bar, y_bar = pull((seed, 3.0))
        close(x_bar, seed * Y + 3.0)
        close(y_bar, seed * X)
    x_bar, y_bar = pull((np.zeros(2), 1.0))
    close(x_bar, np.ones(2))
    close(y_bar, np.zeros(2))


def test_one_adjoint_for_each_primal():
    out, pull = vjp(product, 2.0, 3.0, 5.0)
    assert out == product(2.0, 3.0, 5.0)
    assert pull(2.0) == pytest.approx((2250.0, 3000.0, 2700.0))
    _, pull = vjp(np_sin, 1.0)
    assert pull(1.0) == pytest.approx((math.cos(1.0),))


def test_adjoints_of_what_is_no_float():
    def f(x, n, name, pair):
        return x**n * pair[0]

    _, pull = vjp(f, 2.0, 3, "name", (1.5, 4))
    x_bar, n_bar, name_bar, pair_bar = pull(1.0)
    assert x_bar == pytest.approx(18.0)
    assert n_bar is None
    assert name_bar is None
    assert pair_bar == (pytest.approx(8.0), None)


def test_the_pullback_remembers_the_point():
    x = np.array([1.0, 2.0])
    out, pull = vjp(lambda x: x * x, x)
    x[:] = 100.0
    close(pull(np.ones(2))[0], [2.0, 4.0])
    out[:] = 100.0
    close(pull(np.ones(2))[0], [2.0, 4.0])


def test_the_pullback_of_a_function_that_writes():
    def f(a):
        for i in range(1, len(a)):
            a[i] *= a[i - 1]
        return a

    a = np.array([2.0, 3.0, 4.0])
    out, pull = vjp(f, a)
    close(out, [2.0, 6.0, 24.0])
    expected = np.array([[1.0, 0.0, 0.0], [3.0, 2.0, 0.0], [12.0, 8.0, 6.0]])
    for row in (1, 2, 0, 2):
        close(pull(np.eye(3)[row])[0], expected[row])
        close(out, [2.0, 6.0, 24.0])
    close(a, [2.0, 3.0, 4.0])


def test_pullbacks_of_nested_results():
    def f(x):
        return {"a": [x * x, 3], "b": (np.sum(x), "text", None)}

    out, pull = vjp(f, X)
    assert out["a"][1] == 3
    assert out["b"][1:] == ("text", None)
    (bar,) = pull({"a": [np.ones(2), None], "b": (2.0, None, None)})
    close(bar, 2 * X + 2.0)
    (bar,) = pull({"a": [np.ones(2), 0], "b": (2.0, 0, 0)})
    close(bar, 2 * X + 2.0)


def test_the_pullback_of_a_derivative():
    _, pull = vjp(grad(energy), X)
    close(pull(np.array([1.0, 2.0]))[0], 6 * X * np.array([1.0, 2.0]))


# -- jvp -------------------------------------------------------------------------------------------


def test_jvp():
    out, dot_ = jvp(product, (2.0, 3.0, 5.0), (1.0, 0.0, -1.0))
    assert out == product(2.0, 3.0, 5.0)
    assert dot_ == pytest.approx(1125.0 - 1350.0)


def test_tangents_of_integers_are_zero_of_others_none():
    def f(x, n, name, g, nothing):
        return g(x) * n, n, name

    out, dots = jvp(f, (2.0, 3, "name", np.sin, None), (1.0, 0, None, None, None))
    assert out[0] == pytest.approx(3 * math.sin(2.0))
    assert out[1:] == (3, "name")
    assert dots[0] == pytest.approx(3 * math.cos(2.0))
    assert dots[1] == 0
    assert dots[2] is None


def test_tangents_in_structures():
    p = {"w": X, "b": (1.0, 2)}
    out, dot_ = jvp(lambda p: np.sum(p["w"]) * p["b"][0], (p,), ({"w": Y, "b": (10.0, 0)},))
    assert out == pytest.approx(3.0)
    assert dot_ == pytest.approx(np.sum(Y) + 30.0)


def test_a_tangent_that_is_an_integer_stands_for_a_float():
    assert jvp(lambda x: x * x, (3.0,), (1,))[1] == pytest.approx(6.0)
    close(jvp(np_sin, (X,), (np.array([1, 0]),))[1], np.cos(X) * [1, 0])


def test_jvp_of_constants():
    out, dot_ = jvp(lambda x: 2.5, (1.0,), (1.0,))
    assert (out, dot_) == (2.5, 0.0)
    out, dot_ = jvp(lambda x: np.ones(2), (1.0,), (1.0,))
    close(out, np.ones(2))
    close(dot_, np.zeros(2))


def test_jvp_leaves_tangents_alone():
    def f(a):
        a *= 2.0
        return a

    a, v = np.ones(3), np.ones(3)
    out, dot_ = jvp(f, (a,), (v,))
    close(out, 2 * np.ones(3))
    close(dot_, 2 * np.ones(3))
    close(a, np.ones(3))
    close(v, np.ones(3))


# -- second order and matrices ---------------------------------------------------------------------


def quadratic(x, y):
    return np.sum(x * x * x) * y + np.sum(x) * y * y


def test_hessian():
    found = hessian(energy)(np.array([1.0, 2.0, 3.0]))
    close(found, np.diag([6.0, 12.0, 18.0]))
    a = np.arange(4.0).reshape(2, 2)
    found = hessian(energy)(a)
    assert found.shape == (2, 2, 2, 2)
    close(found.reshape(4, 4), np.diag(6 * a.ravel()))
    assert hessian(energy_of_number)(2.0) == pytest.approx(12.0)


def test_hessian_of_several_arguments():
    (xx, xy), (yx, yy) = hessian(quadratic, argnums=(0, 1))(X, 3.0)
    close(xx, np.diag(6 * X * 3.0))
    close(xy, 3 * X * X + 6.0)
    close(yx, 3 * X * X + 6.0)
    assert yy == pytest.approx(2 * np.sum(X))
    assert xx.shape == (2, 2) and xy.shape == (2,) and yx.shape == (2,)


def test_hvp():
    v = np.array([1.0, -2.0])
    close(hvp(energy, (X,), (v,)), 6 * X * v)
    x_part, y_part = hvp(quadratic, (X, 3.0), (v, 0.5))
    close(x_part, 18.0 * X * v + (3 * X * X + 6.0) * 0.5)
    assert y_part == pytest.approx(np.sum((3 * X * X + 6.0) * v) + 2 * np.sum(X) * 0.5)


def test_hvp_with_arguments_that_are_no_floats():
    def loss(x, n, name):
        return np.sum(x**n)

    found = hvp(loss, (X, 3, "name"), (np.ones(2), 0, None))
    close(found[0], 6 * X)
    assert found[1] is None and found[2] is None


def test_every_order_by_grad():
    d = grad(grad(grad(lambda x: x**4)))
    assert d(2.0) == pytest.approx(48.0)
    assert grad(grad(grad(grad(lambda x: np.sin(x)))))(0.7) == pytest.approx(math.sin(0.7))
    assert value_and_grad(grad(lambda x: x**4))(2.0) == pytest.approx((32.0, 48.0))


def test_derivatives_of_derivatives_with_arguments():
    d = grad(grad(product, argnums=1), argnums=2)
    assert d(2.0, 3.0, 5.0) == pytest.approx(2 * 2 * 3 * 3 * 25)


def test_calling_a_derivative_inside_a_function():
    slope = grad(energy_of_number)

    def loss(x):
        return slope(x) * x

    assert grad(loss)(2.0) == pytest.approx(36.0)


def test_a_function_that_changes_what_is_around_is_not_differentiated_inside():
    def changed(x):
        seen = {"n": 0}

        def noted(w):
            seen["n"] = seen["n"] + 1
            return np.sum(w**2)

        return np.sum(grad(noted)(x)) * seen["n"]

    with pytest.raises(AdcompilerError, match="changes what is around"):
        grad(changed)(X)


def quartic(x):
    return np.sum(x**4)


def matrix_valued(x):
    return np.stack([x * x, np.sin(x), x * x[0]])


@pytest.mark.parametrize("transform", [jacfwd, jacrev, jacobian])
def test_jacobians(transform):
    expected = np.stack([np.diag(2 * X), np.diag(np.cos(X)), np.eye(2) * X[0]])
    expected[2, :, 0] += X
    found = transform(matrix_valued)(X)
    assert found.shape == (3, 2, 2)
    close(found, expected)
    a = np.arange(6.0).reshape(2, 3)
    assert transform(lambda a: a @ a.T)(a).shape == (2, 2, 2, 3)
    assert transform(energy)(X).shape == (2,)
    assert transform(lambda x: x * X)(2.0).shape == (2,)
    assert transform(energy_of_number)(2.0) == pytest.approx(12.0)
    found = transform(dot, argnums=(0, 1))(X, Y)
    close(found[0], Y)
    close(found[1], X)
    close(transform(dot, argnums=1)(X, Y), X)


@pytest.mark.parametrize("transform", [jacfwd, jacrev, jacobian])
def test_jacobians_of_structures(transform):
    found = transform(lambda p: p["a"] * p["b"])({"a": X, "b": 3.0, "n": 2})
    close(found["a"], 3.0 * np.eye(2))
    close(found["b"], X)
    assert found["n"] is None


def test_jacobian_of_a_tuple():
    first, second = jacobian(lambda x: (x * x, np.sum(x)))(X)
    close(first, np.diag(2 * X))
    close(second, np.ones(2))


def test_jacobians_keep_the_precision():
    x = X.astype(np.float32)
    assert jacfwd(np_sin)(x).dtype == np.float32
    assert jacrev(np_sin)(x).dtype == np.float32
    assert hessian(energy)(x).dtype == np.float32


# -- what else is promised -------------------------------------------------------------------------


def test_stop_gradient():
    from adcompiler import stop_gradient

    assert grad(lambda x: x * stop_gradient(x))(3.0) == 3.0
    close(grad(lambda x: np.sum(x * stop_gradient(x * x)))(X), X * X)
    assert stop_gradient(3.0) == 3.0


# -- check_grads -----------------------------------------------------------------------------------


def test_check_grads_passes_what_is_right():
    check_grads(product, (2.0, 3.0, 0.5))
    check_grads(matrix_valued, (X,), order=2)
    check_grads(nested_loss, (nested(),), order=1)
    check_grads(energy, (X.astype(np.float32),), order=1)


def test_check_grads_finds_what_is_wrong():
    def kinked(x):
        return np.sum(np.abs(x))

    with pytest.raises(AssertionError, match="rev mode"):
        check_grads(kinked, (np.array([1.0, 1e-9]),), order=1, modes=("rev",))
    with pytest.raises(AssertionError, match="fwd mode"):
        check_grads(lambda x: np.abs(x), (np.array([1.0, 1e-9]),), order=1, modes=("fwd",))


def test_check_grads_knows_its_modes():
    with pytest.raises(ValueError, match="sideways"):
        check_grads(energy, (X,), modes=("sideways",))


# -- the same as JAX -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def jax():
    jax = pytest.importorskip("jax")
    jax.config.update("jax_enable_x64", True)
    return jax


def mlp(np):
    def loss(params, x, y):
        h = x
        for w, b in params["layers"]:
            h = np.tanh(h @ w + b)
        error = h[:, 0] * params["scale"] - y
        return np.mean(error * error)

    return loss


def mlp_arguments():
    rng = np.random.default_rng(0)
    params = {
        "layers": [
            (rng.normal(size=(3, 4)), rng.normal(size=4)),
            (rng.normal(size=(4, 2)), rng.normal(size=2)),
        ],
        "scale": 1.5,
    }
    return params, rng.normal(size=(5, 3)), rng.normal(size=5)


def numpy_loss(params, x, y):
    h = x
    for w, b in params["layers"]:
        h = np.tanh(h @ w + b)
    error = h[:, 0] * params["scale"] - y
    return np.mean(error * error)


def same_tree(jax, found, expected):
    found_leaves, found_tree = jax.tree.flatten(found)
    expected_leaves, expected_tree = jax.tree.flatten(expected)
    assert found_tree == expected_tree
    for a, b in zip(found_leaves, expected_leaves, strict=True):
        assert np.shape(a) == np.shape(b)
        close(a, b, rtol=1e-9, atol=1e-11)


def test_gradients_as_in_jax(jax):
    args = mlp_arguments()
    theirs = mlp(jax.numpy)
    for argnums in (0, 1, (0, 2), (1,)):
        same_tree(jax, grad(numpy_loss, argnums=argnums)(*args), jax.grad(theirs, argnums)(*args))
    same_tree(jax, value_and_grad(numpy_loss)(*args), jax.value_and_grad(theirs)(*args))


def test_products_as_in_jax(jax):
    args = mlp_arguments()
    theirs = mlp(jax.numpy)
    tangents = jax.tree.map(lambda leaf: np.cos(np.asarray(leaf)), args)
    tangents[0]["scale"] = 0.25
    same_tree(jax, jvp(numpy_loss, args, tangents), jax.jvp(theirs, args, tangents))
    ours, our_pull = vjp(numpy_loss, *args)
    value, pull = jax.vjp(theirs, *args)
    close(ours, value)
    same_tree(jax, our_pull(0.5), pull(jax.numpy.asarray(0.5)))


def test_matrices_as_in_jax(jax):
    def ours(x, y):
        return np.sin(x) * y[0] + np.outer(y, x) @ x[: len(x)] @ y * x

    def theirs(x, y):
        return jax.numpy.sin(x) * y[0] + jax.numpy.outer(y, x) @ x[: len(x)] @ y * x

    x, y = np.array([0.3, -1.2, 0.8]), np.array([1.1, 0.4])
    for ours_transform, name in ((jacfwd, "jacfwd"), (jacrev, "jacrev"), (jacobian, "jacrev")):
        transform = getattr(jax, name)
        same_tree(jax, ours_transform(ours)(x, y), transform(theirs)(x, y))
        same_tree(jax, ours_transform(ours, argnums=(0, 1))(x, y), transform(theirs, (0, 1))(x, y))
    same_tree(
        jax,
        hessian(lambda x, y: np.sum(ours(x, y)), argnums=(0, 1))(x, y),
        jax.hessian(lambda x, y: jax.numpy.sum(theirs(x, y)), (0, 1))(x, y),
    )
