"""The tape: its graph, its sweep, the NumPy face, and what it refuses."""

import copy
import doctest
import gc
import math
import operator
import os
import subprocess
import sys
import threading
import warnings
from collections import namedtuple
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

import adcompiler
from adcompiler import runtime, stop_gradient, tape
from adcompiler.errors import AdcompilerError, DifferentiationError, OverlapError
from adcompiler.rules import book, elementwise, rule
from adcompiler.tape import graph
from adcompiler.tape.array import Array
from adcompiler.tape.graph import Leaf, Node, Sweep
from adcompiler.tape.higher_order import RecordedSweep
from adcompiler.tape.recording import Traced, apply, made, unwrapped
from tests.rule_cases import Case, cases
from tests.rule_engine import leaves, mapped, pull

# NumPy does not hand `np.array` over, so nested lists do not come.
CASES = [c for c in cases() if c.fn not in (runtime.unpack, np.array)]
STEP = 1e-6


def random_like(random, tree):
    def one(x):
        if type(x) is float:
            return random.uniform(-1, 1)
        return np.asarray(random.uniform(-1, 1, np.shape(x))).astype(np.asarray(x).dtype)[()]

    return mapped(one, tree)


def call(case):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return case.fn(*case.args, **case.kwargs)


def as_leaves(tree):
    return mapped(lambda value: made(Array, value, Leaf()), tree)


def recorded(case):
    """The arguments as arrays of the tape, and the result."""
    args = list(case.args)
    for i in case.argnums:
        args[i] = as_leaves(args[i])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return args, apply(Array, case.fn, tuple(args), case.kwargs)


def roots(result, g):
    pairs = zip(leaves(result), leaves(g), strict=True)
    return [(r.node, x) for r, x in pairs if isinstance(r, Traced) and r.node is not None]


# -- the rulebook, walked -------------------------------------------------------------------------


@pytest.mark.parametrize("case", CASES, ids=str)
def test_rules_on_the_tape(case):
    out = call(case)
    g = random_like(np.random.default_rng(1), out)
    args, result = recorded(case)
    for ours, theirs in zip(leaves(result), leaves(out), strict=True):
        np.testing.assert_array_equal(unwrapped(ours), theirs)
    found = dict(Sweep().run(roots(result, g)))
    for i, expected in zip(case.argnums, pull(case, out, g), strict=True):
        for leaf, adjoint in zip(leaves(args[i]), leaves(expected), strict=True):
            ours = found.get(leaf.node, np.zeros(np.shape(adjoint)))
            assert np.shape(ours) == np.shape(adjoint)
            np.testing.assert_allclose(ours, adjoint, rtol=1e-12, atol=1e-12)


def moved_by(x, step):
    return float(x + step) if type(x) is float else x + step


@pytest.mark.parametrize("case", CASES, ids=str)
def test_sweeps_on_the_tape(case):
    """How the adjoints change as arguments and `g` do: a sweep through a recorded sweep."""
    random = np.random.default_rng(3)
    out = call(case)
    g = random_like(random, out)
    directions = [random_like(random, case.args[i]) for i in case.argnums]
    g_dot = random_like(random, out)
    weights = [random_like(random, case.args[i]) for i in case.argnums]
    ends = []
    for t in (STEP, -STEP):
        args = list(case.args)
        for i, d in zip(case.argnums, directions, strict=True):
            args[i] = mapped(lambda x, d, t=t: moved_by(x, t * d), args[i], d)
        moved = Case(case.fn, tuple(args), case.kwargs, case.argnums)
        adjoints = pull(moved, call(moved), mapped(lambda x, d, t=t: x + t * d, g, g_dot))
        pairs = zip(leaves(adjoints), leaves(weights), strict=True)
        ends.append(sum(float(np.sum(np.asarray(a) * w)) for a, w in pairs))
    expected = (ends[0] - ends[1]) / (2 * STEP)

    args, result = recorded(case)
    seeds = as_leaves(g)
    ours = [leaf.node for i in case.argnums for leaf in leaves(args[i])]
    found = dict(RecordedSweep(True, set(ours)).run(roots(result, seeds)))
    weighted = [
        (found[node].node, w)
        for node, w in zip(ours, leaves(weights), strict=True)
        if isinstance(found.get(node), Array) and found[node].node is not None
    ]
    second = dict(Sweep().run(weighted))
    total = 0.0
    for leaf, d in [
        *((leaf, d) for i, t in zip(case.argnums, directions, strict=True)
          for leaf, d in zip(leaves(args[i]), leaves(t), strict=True)),
        *zip(leaves(seeds), leaves(g_dot), strict=True),
    ]:  # fmt: skip
        if leaf.node in second:
            total += float(np.real(np.sum(np.asarray(second[leaf.node]) * d)))
    assert np.isclose(total, expected, rtol=1e-5, atol=1e-5)


def is_dispatched(fn):
    module = getattr(fn, "__module__", None) or ""
    is_method = getattr(fn, "__objclass__", None) is np.ndarray
    return isinstance(fn, np.ufunc) or module.startswith("numpy") or is_method


DISPATCHED = [
    case
    for case in CASES
    if (is_dispatched(case.fn) or case.fn is operator.getitem)
    and not isinstance(case.fn, type)
    and case.fn not in (np.array, np.asarray, np.asanyarray, np.ascontiguousarray,
                        np.asfortranarray, np.full, np.full_like)
]  # fmt: skip


@pytest.mark.parametrize("case", DISPATCHED, ids=str)
def test_numpy_hands_its_functions_over(case):
    args = list(case.args)
    for i in case.argnums:
        args[i] = as_leaves(args[i])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if getattr(case.fn, "__objclass__", None) is np.ndarray:
            result = getattr(args[0], case.fn.__name__)(*args[1:], **case.kwargs)
        else:
            result = case.fn(*args, **case.kwargs)
    recorded = [r for r in leaves(result) if np.asarray(unwrapped(r)).dtype.kind not in "iub"]
    assert all(type(r) is Array and r.node is not None for r in recorded)
    for ours, theirs in zip(leaves(result), leaves(call(case)), strict=True):
        np.testing.assert_array_equal(unwrapped(ours), theirs)


# -- the transforms -------------------------------------------------------------------------------


def test_grad_of_numbers_and_arrays():
    assert tape.grad(lambda x: x * x)(3.0) == 6.0
    assert type(tape.grad(lambda x: np.sin(x))(3.0)) is float
    x = np.array([1.0, 2.0], np.float32)
    found = tape.grad(lambda x: np.sum(x**3))(x)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, [3.0, 12.0])
    assert type(tape.grad(lambda x: x * 2.0)(np.float32(1.0))) is np.float32


def test_signature_is_that_of_the_compiled_transforms():
    def f(x, w=2.0, *, scale=1.0):
        return scale * x * x * w

    for kwargs in (
        {}, {"argnums": 1}, {"argnums": (0, 1)}, {"argnames": "w"}, {"argnames": ["w", "x"]},
        {"argnums": 0, "argnames": "w"}, {"argnums": (0,), "argnames": ("w",)}, {"argnums": -1},
    ):  # fmt: skip
        for name in ("grad", "value_and_grad"):
            ours, theirs = (getattr(m, name)(f, **kwargs)(3.0, 4.0) for m in (tape, adcompiler))
            assert ours == theirs, kwargs
    assert tape.grad(f, argnames="w")(3.0, w=4.0) == 9.0
    assert tape.grad(f, argnames="scale")(3.0, scale=4.0) == 18.0
    assert tape.grad(argnums=1)(f)(3.0, 4.0) == 9.0
    assert tape.grad(adcompiler.grad(f))(3.0, 4.0) == tape.grad(f)(3.0, 4.0)  # its primal


def test_has_aux():
    def f(x):
        y = np.sin(x)
        return np.sum(y * y), {"sines": y, "steps": 3}

    x = np.array([0.3, 0.4])
    gradient, aux = tape.grad(f, has_aux=True)(x)
    np.testing.assert_allclose(gradient, np.sin(2 * x))
    assert type(aux["sines"]) is np.ndarray and aux["steps"] == 3
    value, gradient = tape.value_and_grad(f, has_aux=True)(x)
    assert np.isclose(value[0], np.sum(np.sin(x) ** 2)) and value[1]["steps"] == 3


@dataclass
class Layer:
    weight: np.ndarray
    bias: float
    name: str = "layer"


Pair = namedtuple("Pair", "first second")


def test_structures_of_arguments():
    def f(tree):
        layer, pair, rest = tree["layer"], tree["pair"], tree["rest"]
        return np.sum(layer.weight * pair.first) + layer.bias * pair.second + rest[0][1] * 2.0

    tree = {
        "layer": Layer(np.array([1.0, 2.0]), 3.0),
        "pair": Pair(np.array([4.0, 5.0]), 6.0),
        "rest": [(1, 7.0, "text"), None],
    }
    found = tape.grad(f)(tree)
    np.testing.assert_array_equal(found["layer"].weight, [4.0, 5.0])
    assert found["layer"].bias == 6.0 and found["layer"].name is None
    np.testing.assert_array_equal(found["pair"].first, [1.0, 2.0])
    assert found["pair"].second == 3.0
    assert found["rest"] == [(None, 2.0, None), None]


def test_gradients_have_memory_of_their_own():
    x, y = np.ones(3), np.ones(3)
    gx, gy = tape.grad(lambda x, y: np.sum(x + y), argnums=(0, 1))(x, y)
    assert gx.flags.writeable and gy.flags.writeable and not np.shares_memory(gx, gy)
    _, pullback = tape.vjp(lambda x: x, x)
    seed = np.array([1.0, 2.0, 3.0])
    (found,) = pullback(seed)
    assert not np.shares_memory(found, seed)


def test_a_pullback_may_be_called_again():
    out, pullback = tape.vjp(lambda x, y: {"a": x * y, "n": 1, "b": np.sum(x)}, np.ones(2), 3.0)
    assert out["n"] == 1 and out["b"] == 2.0
    for _ in range(2):
        x_bar, y_bar = pullback({"a": np.array([1.0, 2.0]), "n": None, "b": 10.0})
        np.testing.assert_array_equal(x_bar, [13.0, 16.0])
        assert y_bar == 3.0
    with pytest.raises(DifferentiationError, match="shape"):
        pullback({"a": np.ones(3), "n": None, "b": 1.0})
    with pytest.raises(DifferentiationError, match="structure"):
        pullback((1.0,))


@pytest.mark.parametrize(
    "function, args, message",
    [
        (lambda x: x * 2, (3,), "is an integer"),
        (lambda x: np.sum(x), (np.array([1, 2]),), "is an array of int64"),
        (lambda x: x, (1j,), "is complex"),
        (lambda x: x * 1j, (1.0,), "returns complex numbers"),
        (lambda x: x * np.ones(3), (1.0,), "returns an array"),
        (lambda x: None, (1.0,), "returned None"),
        (lambda x: x > 0, (1.0,), "returned a bool"),
        (lambda x: np.sum(x[0]), ([1, 2],), "is no floats"),
        (lambda x: "text", (1.0,), "returned a str"),
    ],
)
def test_what_has_no_gradient_is_refused(function, args, message):
    with pytest.raises(DifferentiationError, match=message):
        tape.grad(function)(*args)


def test_arguments_that_are_not_there_are_refused():
    with pytest.raises(DifferentiationError, match="argnums=1"):
        tape.grad(lambda x: x, argnums=1)(1.0)
    with pytest.raises(DifferentiationError, match="argnames='y'"):
        tape.grad(lambda x: x, argnames="y")(1.0)
    with pytest.raises(TypeError, match="argnums"):
        tape.grad(lambda x: x, argnums=[0])
    with pytest.raises(DifferentiationError, match="has_aux"):
        tape.grad(lambda x: x, has_aux=True)(1.0)


def test_what_does_not_depend_on_an_argument_has_a_zero_gradient():
    gx, gy = tape.grad(lambda x, y: np.sum(x), argnums=(0, 1))(np.ones(2), np.ones(3))
    np.testing.assert_array_equal(gy, np.zeros(3))
    assert tape.grad(lambda x: 1.5)(2.0) == 0.0
    assert tape.grad(lambda x: stop_gradient(x) * x)(3.0) == 3.0
    np.testing.assert_array_equal(
        tape.grad(lambda x: np.sum(stop_gradient(x) * x))(np.array([3.0])), [3.0]
    )


def test_recordings_show_what_was_kept():
    x, y = np.ones(4), np.full(4, 2.0)
    recording = tape.record(lambda x, y: np.sum(np.sin(x) * np.exp(y)), x, y, argnums=(0, 1))
    assert [n.name() for n in recording.nodes] == [
        "SumBackward0", "MulBackward0", "ExpBackward0", "SinBackward0",
    ]  # fmt: skip
    assert recording.root.name() == "SumBackward0"
    assert len(recording.saved) == 3  # the input of sin, what sin gave, what exp gave
    first, second = recording.backward(), recording.backward()
    np.testing.assert_allclose(first[0], np.cos(1) * np.exp(2) * np.ones(4))
    np.testing.assert_array_equal(first[1], second[1])
    assert tape.record(lambda x, y: np.sum(x + y), x, y).saved == []
    assert tape.record(lambda x, y: np.sum(x @ y), x, y).nodes[0].next_functions[0][0] is not None


def test_what_is_saved():
    A, x = np.ones((3, 4)), np.ones(4)

    def saved(f, *args, **kwargs):
        return [v.shape for v in tape.record(f, *args, **kwargs).saved]

    assert saved(lambda A, x: np.sum(A @ x), A, x) == [(4,)]
    assert saved(lambda A, x: np.sum(A @ x), A, x, argnums=1) == [(3, 4)]
    assert saved(lambda x: np.sum(x * 2.0), x) == []
    assert saved(lambda x: np.sum(np.reshape(x, (2, 2))[0] + 1.0), x) == []
    assert saved(lambda x: np.sum(np.concatenate([x, x])), x) == []
    assert saved(lambda A: np.sum(A + np.ones(4)), A) == []


# -- derivatives of derivatives -------------------------------------------------------------------


def test_grad_of_grad():
    def f(x):
        return np.sum(np.sin(x) * x**3)

    x = np.array([0.3, -1.2, 2.0])
    found = tape.grad(lambda x: np.sum(tape.grad(f)(x) ** 2))(x)
    first = 3 * x**2 * np.sin(x) + x**3 * np.cos(x)
    second = 6 * x * np.sin(x) + 6 * x**2 * np.cos(x) - x**3 * np.sin(x)
    np.testing.assert_allclose(found, 2 * first * second)
    third = tape.grad(tape.grad(tape.grad(lambda x: x**4)))(1.5)
    assert np.isclose(third, 24 * 1.5)


def test_inner_gradients_see_outer_variables():
    found = tape.grad(lambda x: tape.grad(lambda y: x * y * y)(x) * x)(3.0)
    assert np.isclose(found, 3 * 2 * 9.0)  # x * 2x * x
    assert tape.grad(lambda x: x * tape.grad(lambda y: x + y)(1.0))(1.0) == 1.0
    assert tape.grad(lambda x: tape.value_and_grad(lambda y: y * y)(x)[0])(3.0) == 6.0


def test_second_derivatives_at_poles():
    """A zero adjoint meets no pole, in either order."""
    x = np.array([0.0, 4.0])
    f = lambda x: np.sum(np.where(x > 0, np.sqrt(x), 0))  # noqa: E731
    np.testing.assert_allclose(tape.grad(f)(x), [0, 0.25])
    with np.errstate(divide="ignore"):
        hessian = tape.grad(lambda x: tape.grad(f)(x)[1])(x)
    np.testing.assert_allclose(hessian, [0, -0.03125])


# -- stores ---------------------------------------------------------------------------------------


def test_stores_are_followed():
    def f(x):
        y = np.zeros_like(x)
        y[0] = x[1] * x[2]
        y[1:] += x[:2]
        y[[0, 2]] *= x[0]
        view = y[::-1]
        view[0] = x[0]
        return np.sum(y * y * np.arange(3.0))

    x = np.array([1.0, 2.0, 3.0])
    np.testing.assert_allclose(tape.grad(f)(x), adcompiler.grad(f)(x))


def test_views_see_later_stores_and_stores_through_views_are_seen():
    def f(A):
        row, flat, part = A[1], A.reshape(-1), A.T[0]
        A[1, 0] = A[0, 0] * A[2, 1]
        total = row @ row + flat[3] * 2.0
        part[2] *= 5.0
        flat[0] = row[2]
        return total + np.sum(A**2) + np.sum(part)

    A = np.random.default_rng(0).normal(size=(3, 4))
    np.testing.assert_allclose(tape.grad(f)(A), adcompiler.grad(f)(A))


def test_what_was_saved_is_not_changed_by_a_store():
    def f(x):
        y = x * 1.0
        z = np.sum(y * y)
        y[0] = 100.0
        return z + y[0]

    np.testing.assert_array_equal(tape.grad(f)(np.ones(3)), [2.0, 2.0, 2.0])


def test_plain_arrays_may_change_after_they_were_used():
    def f(x):
        c, total = np.zeros(3), 0.0
        index = np.array([0, 0])
        for k in range(3):
            c[k] = k
            index[1] = k
            total = total + np.sum(x * c) + x[index][1] + np.where(c > 0, x, 0)[0] + np.dot(c, x)
        return total

    x = np.array([1.0, 2.0, 3.0])
    np.testing.assert_allclose(tape.grad(f)(x), adcompiler.grad(f)(x))


def test_layouts():
    for A in (
        np.asfortranarray(np.arange(12.0).reshape(3, 4)),
        np.arange(48.0).reshape(6, 8)[::2, ::2],
        np.arange(24.0).reshape(2, 3, 4).transpose(2, 0, 1)[:, 0],
    ):

        def f(A):
            B = A * 1.0
            view, column = A[1], B[:, 1]
            A[0] = view * 2.0
            column[:2] = A[1, :2] * view[0]
            B.T[2] += column
            return np.sum(A * A) + np.sum(B**2)

        np.testing.assert_allclose(tape.grad(f)(A.copy()), adcompiler.grad(f)(A.copy()))
        np.testing.assert_allclose(tape.grad(f)(A), adcompiler.grad(f)(A.copy()))


def test_second_order_through_stores():
    def f(x):
        y = np.zeros_like(x)
        y[1:] = x[:-1] * x[1:]
        y[[0, 0]] = x[:2] ** 2
        y[:2] *= y[2]
        return np.sum(y**2)

    x = np.array([0.5, 1.5, -0.7])

    def weighted(x):
        return np.sum(tape.grad(f)(x) * np.arange(3.0))

    found = tape.grad(weighted)(x)
    steps = np.eye(3) * 1e-6
    expected = [(weighted(x + h) - weighted(x - h)) / 2e-6 for h in steps]
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_repeated_places():
    def f(x, v):
        y = x * 2
        y[np.array([1, 3, 1])] = v
        np.add.at(y, [0, 0], v[:2])
        np.subtract.at(y, 2, v[0])
        return np.sum(y * y)

    args = np.arange(1.0, 5), np.array([1.0, 2.0, 3.0])
    for k in range(2):
        found = tape.grad(f, argnums=k)(*args)
        steps = np.eye(len(args[k])) * 1e-6

        def moved(h, k=k):
            return [a + h if j == k else a for j, a in enumerate(args)]

        expected = [(f(*moved(h)) - f(*moved(-h))) / 2e-6 for h in steps]
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)


def test_out_and_copyto():
    def f(x, y):
        z = np.zeros_like(x)
        np.multiply(x, y, out=z)
        np.sin(z, out=z)
        np.add(z, x, z)
        np.copyto(z[:1], y[1:2])
        w = np.empty_like(x)
        np.cumsum(z, out=w)
        return np.sum(z * y) + np.sum(w)

    args = np.array([0.5, -0.2]), np.array([1.5, 0.3])
    found = tape.grad(f, argnums=(0, 1))(*args)
    for k in range(2):
        steps = np.eye(2) * 1e-6
        ends = [[f(*(a + s * h if j == k else a for j, a in enumerate(args))) for s in (1, -1)]
                for h in steps]  # fmt: skip
        np.testing.assert_allclose(found[k], [(a - b) / 2e-6 for a, b in ends], rtol=1e-6)


def test_names_of_one_array_and_errors_of_numpy():
    def f(x):
        y = x * 1.0
        z = y
        z += x
        y *= 2.0
        return np.sum(z)

    np.testing.assert_array_equal(tape.grad(f)(np.ones(2)), [4.0, 4.0])
    with pytest.raises(TypeError, match="item assignment"):
        tape.grad(lambda x: operator.setitem(x, 0, 1.0))(2.0)
    with pytest.raises(ValueError, match="broadcast"):
        tape.grad(lambda x: np.sum(operator.iadd(x, np.ones((2, 2)))))(np.ones(2))
    with pytest.raises(ValueError, match="read-only"):
        tape.grad(lambda x: operator.setitem(np.broadcast_to(x, (2, 2)), 0, 1.0))(np.ones(2))
    with pytest.raises(IndexError):
        tape.grad(lambda x: x[3])(np.ones(2))


def test_arguments_that_overlap_must_not_be_written():
    def f(x, y):
        x[0] = y[0] * 2.0
        return np.sum(x * y)

    a = np.ones(4)
    with pytest.raises(OverlapError, match="same memory"):
        tape.grad(f)(a[:3], a[1:])
    assert tape.grad(lambda x, y: np.sum(x * y))(a, a).tolist() == a.tolist()


def writes_through_the_transpose(x):
    x.T[1] += 1.0
    return np.sum(x * x)


def test_arguments_with_gaps_in_memory():
    x = np.arange(12.0).reshape(3, 4)[::2, ::2]
    value, slope = tape.value_and_grad(writes_through_the_transpose)(x)
    assert value == writes_through_the_transpose(x.copy())
    np.testing.assert_array_equal(slope, 2 * (x + [[0.0, 1.0], [0.0, 1.0]]))


def writes_a_view(x):
    y = np.sin(x.transpose(1, 0, 2))  # NumPy keeps the order of the axes in memory
    y.T[0] += 1.0
    return np.sum(y)


def writes_under_a_view(x):
    y = np.sin(x.transpose(1, 0, 2))
    view = y.T
    y[0] += 1.0
    return np.sum(view)


def test_views_of_what_is_not_dense_are_not_written():
    x = np.arange(24.0).reshape(2, 3, 4)
    for function in (writes_a_view, writes_under_a_view):
        with pytest.raises(OverlapError, match="shares its memory"):
            tape.grad(function)(x)
    found = tape.grad(lambda x: np.sum(np.sin(x.transpose(1, 0, 2)).T))(x)
    np.testing.assert_allclose(found, np.cos(x))


def test_conversions_that_copy_nothing():
    def f(x):
        y = x.astype(float, copy=False)
        z = np.atleast_1d(y)
        z[0] = x[1] * 3.0
        return x[0] * x[1]  # all three are one array

    x = np.array([2.0, 5.0])
    np.testing.assert_array_equal(tape.grad(f)(x), [0.0, 30.0])
    assert x[0] == 2.0


def test_constant_arguments_stay_and_are_followed():
    def f(x, n):
        n *= 2.0
        total = np.zeros_like(n)
        total[0] = x * n[1]
        return total[0]

    n = np.ones(2)
    assert tape.grad(f)(3.0, n) == 2.0
    np.testing.assert_array_equal(n, np.ones(2))


# -- what an Array answers ------------------------------------------------------------------------


def inside(check, x):
    """Run a check on the array that a function gets inside of `tape.grad`."""

    def f(x):
        check(x)
        return np.sum(x) * 1.0

    tape.grad(f)(x)


def test_attributes_and_methods():
    def check(x):
        assert (x.shape, x.ndim, x.size, len(x), x.dtype) == ((2, 3), 2, 6, 2, np.float64)
        assert x.T.shape == (3, 2) and x.mT.shape == (3, 2)
        assert isinstance(x, np.ndarray) and isinstance(x[0, 0], np.float64)
        assert isinstance(x[0, 0], float) and isinstance(x, Traced)
        assert x[0, 0] < 5 and bool(x[0, 0] == 0.0) and (x >= 0).all() and x.argmax() == 5
        assert type(np.floor(x[0, 1])) is np.float64 and np.argsort(x[0]).tolist() == [0, 1, 2]
        assert [float(stop_gradient(v)) for v in x[1]] == [3.0, 4.0, 5.0]
        assert math.floor(x[0, 1]) == 1 and math.ceil(x[0, 1]) == 1 and round(x[0, 1]) == 1
        assert "Array" in repr(x) and f"{x[0, 1]:.2f}" == "1.00"
        assert type(x.tolist()[1][2]) is Array and x.tolist()[1][2].value == 5.0
        with pytest.raises(AttributeError):
            x.no_such_attribute  # noqa: B018
        with pytest.raises(TypeError):
            hash(x)

    inside(check, np.arange(6.0).reshape(2, 3))


@pytest.mark.parametrize(
    "scalar",
    [2, 2.0, np.float64(2), np.float32(2), np.int64(2), np.array(2.0), np.array([1.0, 2.0])],
)
@pytest.mark.parametrize("operation", [operator.add, operator.sub, operator.mul, operator.truediv,
                                       operator.pow, operator.mod])  # fmt: skip
def test_operators_from_both_sides(scalar, operation):
    x = np.array([1.3, 2.6])
    for f in (lambda x: operation(x, scalar), lambda x: operation(scalar, x)):
        value, pullback = tape.vjp(f, x)
        np.testing.assert_array_equal(value, f(x))
        (found,) = pullback(np.ones(2))
        expected = (f(x + 1e-6) - f(x - 1e-6)) / 2e-6
        np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_python_numbers_stay_what_they_are():
    def f(x):
        assert type(x.value) is float and type((x * 2).value) is float
        assert type(np.sin(x).value) is np.float64
        return x / 2

    assert tape.grad(f)(3.0) == 0.5
    with pytest.raises(ZeroDivisionError):
        tape.grad(lambda x: 1.0 / x)(0.0)
    with pytest.raises(AttributeError, match="'float' object has no attribute 'sum'"):
        tape.grad(lambda x: x.sum())(1.0)


def test_ufunc_methods():
    x = np.array([[1.0, 2.0], [3.0, 4.0]])
    found = tape.grad(lambda x: np.sum(np.add.reduce(x) ** 2) + np.multiply.accumulate(x)[1, 0])(x)
    np.testing.assert_allclose(found, [[8 + 3, 12], [8 + 1, 12]])
    with pytest.raises(DifferentiationError, match="np.add.outer"):
        tape.grad(lambda x: np.sum(np.add.outer(x, x)))(x)


# -- refusals -------------------------------------------------------------------------------------

HERE = __file__


def refusals():
    plain = np.zeros(3)

    def of_math(x):
        return math.sin(x[0])

    def of_float(x):
        return float(x[0]) * 2.0

    def of_int(x):
        return int(x[0]) * x[1]

    def of_index(x):
        return np.arange(3.0)[x[0]]

    def of_element(x):
        plain[0] = x[0]
        return np.sum(plain)

    def of_slice(x):
        plain[:] = x
        return np.sum(plain)

    def of_augmented(x):
        y = np.zeros(3)
        y += x
        return np.sum(y)

    def of_list(x):
        plain[:2] = [x[0], x[1]]
        return np.sum(plain)

    def of_out(x):
        np.sin(x, out=plain)
        return np.sum(plain)

    def of_at(x):
        np.add.at(plain, [0, 1, 2], x)
        return np.sum(plain)

    def of_fill(x):
        plain.fill(x[0])
        return np.sum(plain)

    def of_copyto(x):
        np.copyto(plain, x)
        return np.sum(plain)

    def of_asarray(x):
        return np.sum(np.asarray(x))

    def of_array(x):
        return np.sum(np.array([x[0], 1.0, x[1]]))

    def of_array_of_rows(x):
        return np.sum(np.array([x, x]))

    def of_object_array(x):
        return np.sum(np.array([x, x], dtype=object))

    def of_full(x):
        return np.sum(np.full(3, x[0]))

    def of_function_without_rule(x):
        return np.sum(np.trim_zeros(x))

    def of_ufunc_without_rule(x):
        return np.sum(np.spacing(x))

    def of_keyword(x):
        return np.vecdot(x, x, axis=0)

    def of_where(x):
        return np.sum(np.exp(x, where=x > 0))

    def of_rule_that_refuses(x):
        return np.sum(np.ravel(x, order="K"))

    def of_attribute(x):
        return x.strides[0] * x[0]

    def of_swallowed(x):
        try:
            return np.sin(float(x[0]))
        except Exception:
            return x[0] * 2.0

    def of_caught_value_error(x):
        try:
            plain[0] = x[0]
        except ValueError:
            pass
        return x[0]

    def of_random(x):
        return np.random.default_rng(0).normal(x[0])

    def of_item_of_a_list(x):
        values = [0.0] * 3
        values[0] = x[0]  # fine
        return np.sum(np.array(values))

    def of_real_rule(x):
        return np.real(np.max(x * (1 + 1j)))

    return [value for name, value in sorted(locals().items()) if name.startswith("of_")]


@pytest.mark.parametrize("function", refusals(), ids=lambda f: f.__name__)
def test_refusals_name_the_line(function):
    with pytest.raises(AdcompilerError) as caught:
        tape.grad(function)(np.array([0.5, 1.5, 2.5]))
    error = caught.value
    first = function.__code__.co_firstlineno
    last = max(line for _, _, line in function.__code__.co_lines() if line)
    assert error.position.file == HERE and first < error.position.line <= last
    assert error.remedy and error.reason and error.excerpt
    assert os.path.dirname(np.__file__) not in str(error)


def test_refusals_say_what_to_write():
    def said(function):
        with pytest.raises(DifferentiationError) as caught:
            tape.grad(function)(np.array([0.5, 1.5, 2.5]))
        return str(caught.value)

    named = {f.__name__: f for f in refusals()}
    assert "`math.sin` of a value with a derivative" in said(named["of_math"])
    assert "write `np.sin`" in said(named["of_math"])
    assert "plain array `plain`" in said(named["of_element"])
    assert "np.zeros_like(x)" in said(named["of_slice"])
    assert "write `np.stack([...])`" in said(named["of_array"])
    assert "int(np.floor(x))" in said(named["of_int"])
    assert "follows the layout in memory" in said(named["of_rule_that_refuses"])
    assert "axis" in said(named["of_keyword"])


def test_a_refusal_does_not_outlive_its_call():
    with pytest.raises(DifferentiationError):
        tape.grad(lambda x: float(x))(1.0)
    assert tape.grad(lambda x: x * x)(3.0) == 6.0


def test_values_without_a_derivative_convert():
    def f(x, c):
        plain = np.zeros(2)
        plain[:] = c
        plain[0] = float(c[1]) + math.sin(c[0]) + int(c[1])
        with tape.no_grad():
            noted = float(x) + np.asarray(x * 2.0)
        return x * plain[0] + noted

    assert tape.grad(f)(3.0, np.array([0.0, 2.0])) == 4.0


def test_plain_views_of_arrays_of_the_tape():
    def copied(x, c):
        plain = np.array(c)
        plain[0] = 5.0
        c[0] = 7.0
        return x * plain[0] * c[0]

    assert tape.grad(copied)(1.0, np.ones(2)) == 35.0

    def written(x, c):
        np.asarray(c)[0] = 5.0
        return x * c[0]

    with pytest.raises(ValueError, match="read-only"):
        tape.grad(written)(1.0, np.ones(2))

    def written_behind(x, c):
        plain = np.asarray(c)
        c[0] = 5.0
        return x * plain[0]

    with pytest.raises(OverlapError, match="np.asarray"):
        tape.grad(written_behind)(1.0, np.ones(2))
    with pytest.raises(DifferentiationError, match="matrix"):
        tape.grad(lambda x: x.sum())(np.asmatrix(np.ones((2, 2))))


def test_rules_for_functions_in_python():
    def steps(x, size):
        return size * np.round(x / size)

    @rule(steps)
    def straight_through(g, x, size):
        return g

    @straight_through.forward
    def _(x_dot, size):
        return x_dot

    def twice(x):
        return 2.0 * x

    @elementwise(twice)
    def _(x):
        return 2.0

    try:
        with pytest.raises(DifferentiationError, match="`steps`, which has a derivative rule") as e:
            tape.grad(lambda x: np.sum(steps(x, 0.5)))(np.ones(2))
        assert e.value.position.file == HERE and "tape.call(steps, ...)" in e.value.remedy
        found = tape.grad(lambda x: np.sum(3.0 * tape.call(steps, x, 0.5)))(np.ones(2))
        np.testing.assert_array_equal(found, [3.0, 3.0])
        assert tape.grad(lambda x: x * steps(1.3, 0.5))(1.0) == 1.5  # nothing active in it
        assert tape.call(twice, 3.0) == 6.0
    finally:
        del book.BOOK[steps], book.BOOK[twice]


def test_a_rule_registered_later_is_used():
    before = book.BOOK[np.cos]
    assert np.isclose(tape.grad(np.cos)(1.0), -np.sin(1.0))
    try:

        @elementwise(np.cos)
        def _(x):
            return 5.0

        assert tape.grad(np.cos)(1.0) == 5.0
        assert tape.grad(lambda x: np.sum(np.cos(x)))(np.ones(1)).tolist() == [5.0]
    finally:
        book.register(before)
    assert np.isclose(tape.grad(np.cos)(1.0), -np.sin(1.0))


# -- the graph ------------------------------------------------------------------------------------


def test_a_chain_of_100000_operations():
    def f(x):
        y = x
        for _ in range(50_000):
            y = y * 1.00001
            y = y + x
        return np.sum(y)

    x = np.array([1.0, 2.0])
    found = tape.grad(f)(x)
    slopes = 1.0
    for _ in range(50_000):
        slopes = slopes * 1.00001 + 1.0
    np.testing.assert_allclose(found, slopes, rtol=1e-9)


def nodes_alive():
    return sum(issubclass(type(thing), Node) for thing in gc.get_objects())


def test_everything_is_freed_by_reference_counts():
    gc.collect()
    before = nodes_alive()
    gc.disable()
    try:
        x = np.ones(3)

        def f(x):
            y = np.exp(x) * x
            view = y[1:]
            view *= np.tanh(x[:2])
            q, r = np.divmod(y, 0.3)
            return np.sum(np.sqrt(y * y)) + np.sum(np.concatenate([r, x]))

        recording = tape.record(f, x)
        assert nodes_alive() > before
        recording.backward(retain=True)
        del recording
        assert nodes_alive() == before
        tape.grad(lambda x: np.sum(tape.grad(f)(x) ** 2))(x)
        assert nodes_alive() == before
    finally:
        gc.enable()


def test_a_long_chain_is_freed_without_recursion():
    x = tape.tensor([1.0], requires_grad=True)
    y = x
    for _ in range(100_000):
        y = y + 1
    del y


def test_few_objects_per_operation():
    """What the collector has to follow is what makes long tapes slow."""
    x = made(Array, np.ones(4), Leaf())
    c = np.ones(4)
    gc.collect()
    gc.disable()
    try:
        before = len(gc.get_objects())
        y = x
        for _ in range(1000):
            y = np.sin(y * c)
        y = y + x
        assert len(gc.get_objects()) - before <= 2 * 1000 + 20
    finally:
        gc.enable()


def test_nodes_are_visited_in_topological_order():
    order = []

    def f(x):
        a = x * 2.0
        b = np.sin(a)
        c = a + b
        return np.sum(c * a)

    recording = tape.record(f, np.ones(2))
    for node in recording.nodes:
        inner = node.function

        def traced(*args, inner=inner, node=node):
            order.append(node.name())
            return inner(*args)

        node.function = traced
    recording.backward()
    assert order == ["SumBackward0", "MulBackward0", "AddBackward0", "SinBackward0", "MulBackward0"]


def test_threads_do_not_disturb_each_other():
    failures = []

    def work(k):
        x = np.full(3, float(k))
        for _ in range(50):
            found = tape.grad(lambda x: np.sum(np.sin(x) * x**2))(x)
            if not np.allclose(found, np.cos(x) * x**2 + 2 * x * np.sin(x)):
                failures.append(k)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


def test_sums_of_adjoints_do_not_share_memory():
    """An adjoint that several places receive is not changed when one of them adds to it."""

    def f(x, y):
        s = x + y  # hands one array on to both
        return np.sum(s * 2.0) + np.sum(x * 3.0) + np.sum(x * 5.0) + np.sum(y)

    gx, gy = tape.grad(f, argnums=(0, 1))(np.ones(2), np.ones(2))
    np.testing.assert_array_equal(gx, [10.0, 10.0])
    np.testing.assert_array_equal(gy, [3.0, 3.0])


def test_elements_of_an_array_in_a_loop():
    def f(x):
        total = 0.0
        for k in range(len(x)):
            total += x[k] * x[k - 1]
        return total + np.sum(x[x > 0.5]) + np.sum(x)

    x = np.random.default_rng(0).random(50)
    np.testing.assert_allclose(tape.grad(f)(x), adcompiler.grad(f)(x))


def test_copies_of_arrays_inside():
    found = tape.grad(lambda x: np.sum(copy.copy(x) * copy.deepcopy(x)))(np.array([1.0, 2.0]))
    np.testing.assert_array_equal(found, [2.0, 4.0])


def test_the_guide_runs():
    guide = Path(adcompiler.__file__).parents[1] / "docs" / "tape.md"
    text = "\n".join(
        "" if line.startswith("```") else line for line in guide.read_text("utf-8").splitlines()
    )
    found = doctest.DocTestParser().get_doctest(text, {}, "tape.md", str(guide), 0)
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    report = []
    runner.run(found, out=report.append)
    assert runner.failures == 0 and runner.tries > 15, "".join(report)


def test_importing_the_package_does_not_load_the_tape():
    code = (
        "import sys, adcompiler; assert 'adcompiler.tape' not in sys.modules; adcompiler.tape.grad"
    )
    subprocess.run(
        [sys.executable, "-c", code], check=True, cwd=Path(adcompiler.__file__).parents[1]
    )


def test_metas_stand_for_shapes():
    like = graph.meta_of(np.zeros((2, 3), np.float32))
    assert (np.shape(like), np.ndim(like), len(like)) == ((2, 3), 2, 2)
    assert runtime.unbroadcast(np.ones((4, 2, 3)), like).dtype == np.float32
    assert graph.meta_of([np.zeros(2), 1.5, (3, 4)])[1:] == [1.5, (3, 4)]
