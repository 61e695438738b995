"""Reproducers of what reviews found: gradients that were wrong without an error.

Each program gets its right gradient, or a refusal.
"""

import bisect
import cmath
import heapq
import math
import operator
import types
import warnings
from typing import NamedTuple

import numpy as np
import pytest

from adcompiler import grad, hessian, jacfwd, jvp, tape, value_and_grad
from adcompiler.errors import AdcompilerError

X = np.array([0.3, -1.2, 2.1, 0.7, 1.5])
S = np.arange(9.0).reshape(3, 3) * 0.21 + 0.3


def numeric(f, x, *rest):
    g, h = np.zeros(x.shape), 1e-6
    for i in np.ndindex(*x.shape):
        up, down = x.copy(order="K"), x.copy(order="K")
        up[i] += h
        down[i] -= h
        g[i] = (f(up, *rest) - f(down, *rest)) / (2 * h)
    return g


def check(f, x, *rest, derivative=None, must_compile=False):
    """The gradient is right, or (unless it must compile) refused."""
    expected_value = f(x.copy(order="K"), *rest)
    expected = numeric(f, x, *rest)
    before = x.copy()
    try:
        value, got = (derivative or value_and_grad(f))(x, *rest)
    except AdcompilerError:
        if must_compile:
            raise
        return
    np.testing.assert_array_equal(x, before)
    np.testing.assert_allclose(value, expected_value, rtol=1e-9)
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-5)


# 1 -------------------------------------------------------------------------------------------
@pytest.mark.parametrize("layout", ["F", "T"])
def test_01_hessian_of_fortran_ordered(layout):
    def f(x):
        return np.sum(x**3)

    x = np.asfortranarray(S) if layout == "F" else S.T
    np.testing.assert_allclose(hessian(f)(x), hessian(f)(np.ascontiguousarray(x)))


def test_01_jacfwd_of_fortran_ordered():
    def f(x):
        return x**2

    x = np.asfortranarray(S)
    np.testing.assert_allclose(jacfwd(f)(x), jacfwd(f)(np.ascontiguousarray(x)))


# 2 -------------------------------------------------------------------------------------------
def test_02_item_of_list_augmented():
    def f(x):
        y = x * 1.0
        items = [y, x * 2.0]
        items[0] += x
        return np.sum(y**2)

    check(f, X)


def test_02_item_of_dict_augmented():
    def f(x):
        y = x * 1.0
        d = {"y": y}
        d["y"] += x
        return np.sum(y**2)

    check(f, X)


def test_02_alias_of_item_augmented():
    def f(x):
        items = [x * 1.0, x * 2.0]
        a = items[0]
        items[0] *= x
        return np.sum(a**2)

    check(f, X)


def test_02_params_dict_update():
    def f(x):
        p = {"a": x * 1.0, "b": x * 2.0}
        q = p["a"]
        for k in p:
            p[k] *= 0.9 * p["a"]
        return np.sum(q * p["b"])

    check(f, X)


# 3 -------------------------------------------------------------------------------------------
def _split(x):
    y = x * 1.0
    p, q = np.split(y, [1])
    p *= q[0]
    q[1] = p[0] ** 2
    return np.sum(y**2)


def _vsplit(x):
    y = x * 1.0
    a, b, _ = np.vsplit(y, 3)
    a *= b
    return np.sum(y * x)


def _hsplit(x):
    y = x * 1.0
    a, b, c = np.hsplit(y, 3)
    a[...] = b * c
    return np.sum(y * x)


def _array_split(x):
    y = x * 1.0
    a, b, _ = np.array_split(y, 3, axis=1)
    a *= b
    return np.sum(y * x)


@pytest.mark.parametrize("f", [_split, _vsplit, _hsplit, _array_split])
def test_03_views_of_split(f):
    check(f, S)


# 4 -------------------------------------------------------------------------------------------
def _view(x):
    y = x * 1.0
    v = y.view()
    v[0] = x[1] ** 2
    return np.sum(y * y)


def _nan_to_num(x):
    y = x * 1.0
    z = np.nan_to_num(y, copy=False)
    z[0] = x[1] ** 2
    return np.sum(y * y)


def _require(x):
    y = x * 1.0
    z = np.require(y)
    z[0] = x[1] ** 2
    return np.sum(y * y)


def _array_copy_none(x):
    y = x * 1.0
    z = np.array(y, copy=None)
    z[0] = x[1] ** 2
    return np.sum(y * y)


@pytest.mark.parametrize("f", [_view, _nan_to_num, _require, _array_copy_none])
def test_04_other_functions_that_return_views(f):
    check(f, X)


# 5 -------------------------------------------------------------------------------------------
def _fill_diagonal(x):
    y = np.outer(x, x)
    np.fill_diagonal(y, x**3)
    return np.sum(y * y)


def _put(x):
    y = x * 1.0
    np.put(y, [0, 2], [x[1], x[3] ** 2])
    return np.sum(y * y)


def _place(x):
    y = x * 1.0
    np.place(y, y > 1, [x[0] ** 2])
    return np.sum(y * y)


def _putmask(x):
    y = x * 1.0
    np.putmask(y, y > 1, x**2)
    return np.sum(y * y)


def _put_along_axis(x):
    y = x * 1.0
    np.put_along_axis(y, np.array([0]), x[:1] ** 2, axis=0)
    return np.sum(y * y)


def _setitem(x):
    y = x * 1.0
    operator.setitem(y, 0, x[1] ** 2)
    return np.sum(y * y)


def _dunder_setitem(x):
    y = x * 1.0
    y.__setitem__(0, x[1] ** 2)
    return np.sum(y * y)


def _dunder_iadd(x):
    y = x * 1.0
    y.__iadd__(x)
    return np.sum(y * y)


def _operator_iadd(x):
    y = x * 1.0
    operator.iadd(y, x)
    return np.sum(y * y)


def _ndarray_sort(x):
    y = x * 1.0
    np.ndarray.sort(y)
    return np.sum(y * np.arange(5))


def _shuffle(x):
    y = x * 1.0
    np.random.seed(0)
    np.random.shuffle(y)
    return np.sum(y * np.arange(5))


@pytest.mark.parametrize(
    "f",
    [
        _fill_diagonal,
        _put,
        _place,
        _putmask,
        _put_along_axis,
        _setitem,
        _dunder_setitem,
        _dunder_iadd,
        _operator_iadd,
        _ndarray_sort,
        _shuffle,
    ],
)
def test_05_functions_that_write_their_argument(f):
    check(f, X)


# 6 -------------------------------------------------------------------------------------------
def test_06_list_of_ints_that_gets_floats():
    def f(x, n):
        g = [0] * 5
        for i in range(n):
            g[i] = x[i] ** 2 + g[i - 1]
        return sum(g) + x[0]

    check(f, X, 3)


def test_06_list_comprehension_of_ints_that_gets_floats():
    def f(x, n):
        g = [0 for _ in range(5)]
        for i in range(n):
            g[i + 1] = x[i] ** 2 + g[i]
        return max(g) + x[0]

    check(f, X, 3)


# 7 -------------------------------------------------------------------------------------------
def test_07_append_to_one_of_two_empty_lists():
    def f(x):
        pos, neg = [], []
        for a in x:
            (pos if a > 0 else neg).append(a)
        return sum(pos) * sum(neg)

    check(f, X)


def test_07_list_chosen_by_branch():
    def f(x):
        A, B = [], []
        for i in range(5):
            if x[i] > 0:
                C = A
            else:
                C = B
            C.append(x[i] * x[0])
        return sum(A) * sum(B)

    check(f, X)


def test_07_list_iadd():
    def f(x):
        u = []
        for v in x:
            u += [v * v]
        return sum(u) * u[0]

    check(f, X)


# 8 -------------------------------------------------------------------------------------------
CFG = {"k": 2.0}
WEIGHTS = [1.0, 2.0]


def test_08_mutated_global_dict():
    def f(x):
        return np.sum(x**2) * CFG["k"]

    d = value_and_grad(f)
    check(f, X, derivative=d)
    CFG["k"] = 5.0
    check(f, X, derivative=d)


def test_08_mutated_global_list():
    def f(x):
        s = 0.0
        for c in WEIGHTS:
            s = s + c * np.sum(x**2)
        return s

    d = value_and_grad(f)
    check(f, X, derivative=d)
    WEIGHTS.append(7.0)
    check(f, X, derivative=d)


def test_08_mutated_list_in_closure():
    state = [2.0]

    def f(x):
        return np.sum(x**2) * state[0]

    d = value_and_grad(f)
    check(f, X, derivative=d)
    state[0] = 4.0
    check(f, X, derivative=d)


def test_08_mutated_list_of_object():
    def f(x, o):
        return np.sum(x * o.k[0])

    o = types.SimpleNamespace(k=[2.0])
    d = value_and_grad(f)
    check(f, X, o, derivative=d)
    o.k[0] = 3.0
    check(f, X, o, derivative=d)


def _scale(x, k=2.0):
    return x * k


def test_08_changed_defaults_of_helper():
    def f(x):
        return np.sum(_scale(x) ** 2)

    d = value_and_grad(f)
    check(f, X, derivative=d)
    _scale.__defaults__ = (3.0,)
    check(f, X, derivative=d)


# 9 -------------------------------------------------------------------------------------------
def test_09_where_keeps_fortran_order():
    def f(x):
        w = np.where(x.T > 0.5, x.T, x.T * 2)
        u = w.ravel()
        u[1] = x[0, 1] ** 2
        return np.sum(w**3)

    check(f, S)


def _asarray_strided(x):
    y = x * 1.0
    z = np.asarray(y[::2]).ravel()
    z[0] = x[1] ** 2
    return np.sum(y * x)


def _squeeze_strided(x):
    y = x * 1.0
    z = np.squeeze(y[::2]).ravel()
    z[0] = x[1] ** 2
    return np.sum(y * x)


def _atleast_2d_strided(x):
    y = x * 1.0
    z = np.atleast_2d(y[::2]).ravel()
    z[0] = x[1] ** 2
    return np.sum(y * x)


def _transpose_strided(x):
    y = x * 1.0
    z = y[::2].T.ravel()
    z[0] = x[1] ** 2
    return np.sum(y * x)


@pytest.mark.parametrize(
    "f",
    [
        _asarray_strided,
        _squeeze_strided,
        _atleast_2d_strided,
        _transpose_strided,
    ],
)
def test_09_strided_vector_is_not_contiguous(f):
    check(f, X)


def test_09_ravel_in_fortran_order():
    def f(x):
        y = x * 1.0
        z = y.ravel(order="F")
        z[1] = x[0, 0] ** 2
        return np.sum(y * x)

    check(f, S)


def test_09_asfortranarray_copies():
    def f(x):
        y = x * 1.0
        z = np.asfortranarray(y)
        z[0] = x[1] ** 2
        return np.sum(y * x)

    check(f, S)


def test_09_written_argument_keeps_its_layout():
    def f(x):
        z = x.T.ravel()
        z[0] = z[1] ** 2
        return np.sum(x * x)

    check(f, np.asfortranarray(S))


def test_09_zeros_like_keeps_layout():
    def f(x):
        y = np.zeros_like(x)
        z = y.T.reshape(-1)
        z[1] = x[0, 0] ** 2
        return np.sum(y * x)

    check(f, np.asfortranarray(S))


def test_09_tangents_have_the_layout_of_their_primals():
    def f(x):
        y = np.outer(x, x)
        z = y.T + 0.0
        w = z.T.ravel()
        w[1] = x[0] ** 2
        return np.sum(z**2)

    x, t = X[:3], np.array([1.0, -0.5, 2.0])
    try:
        got = jvp(f, (x,), (t,))[1]
    except AdcompilerError:
        return
    np.testing.assert_allclose(got, numeric(f, x) @ t, rtol=1e-5)


# 10 ------------------------------------------------------------------------------------------
def test_10_list_mutated_in_its_own_loop():
    def f(x):
        items, s = [1.0, 2.0, 3.0], 0.0
        for w in items:
            s += w * x[0]
            if len(items) < 6:
                items.append(x[1] * w)
        return s

    check(f, X)


# 11 ------------------------------------------------------------------------------------------
def _map_twice(x):
    m = map(math.exp, x)
    return sum(m) + sum(m)


def _generator_twice(x):
    g = (v * v for v in x)
    return sum(g) + sum(g)


def _zip_twice(x):
    z = zip(x, x[1:], strict=False)
    s = 0.0
    for a, b in z:
        s += a * b
    for a, b in z:
        s += a * b
    return s


def _enumerate_resumed(x):
    e = enumerate(x)
    s = 0.0
    for i, v in e:
        if i == 1:
            break
        s += v
    for i, v in e:
        s += i * v * v
    return s


def _generator_is_lazy(x):
    y = x * 1.0
    g = (v * v for v in y)
    y[0] = x[1] * 3
    return sum(g)


def _generator_binds_late(x):
    k = 2.0
    g = (v * k for v in x)
    k = 3.0
    return sum(g)


@pytest.mark.parametrize(
    "f",
    [
        _map_twice,
        _generator_twice,
        _zip_twice,
        _enumerate_resumed,
        _generator_is_lazy,
        _generator_binds_late,
    ],
)
def test_11_iterators_are_used_up_and_lazy(f):
    check(f, X)


# 12 ------------------------------------------------------------------------------------------
def test_12_elementwise_of_a_list_reverse():
    def f(x):
        return np.sum(np.multiply(x[:2], [x[0], x[1]]) * np.array([1.0, 3.0]))

    check(f, X)


def test_12_store_of_repeated_places_times_a_list():
    def f(x):
        y = x * 1.0
        y[[0, 0]] *= [x[1], x[2]]
        return np.sum(y * y)

    check(f, X)


def test_12_elementwise_of_a_list_forward():
    def f(x):
        return np.sum(np.exp([x[0], x[1]]))

    t = np.array([1.0, -2.0, 0.5, 0.3, 2.0])
    expected = t[0] * math.exp(X[0]) + t[1] * math.exp(X[1])
    try:
        got = jvp(f, (X,), (t,))[1]
        curvature = hessian(f)(X)
    except AdcompilerError:
        return
    np.testing.assert_allclose(got, expected)
    np.testing.assert_allclose(curvature[0, 0], math.exp(X[0]))


# 13 ------------------------------------------------------------------------------------------
def test_13_type_of_a_value_is():
    def f(x):
        s = x
        if type(x) is float:
            s = s * x
        return s

    assert grad(f)(2.0) == 4.0


def test_13_type_is_ndarray():
    def f(x):
        if type(x) is np.ndarray:
            return np.sum(x**2)
        return np.sum(x)

    check(f, X)


# 14 ------------------------------------------------------------------------------------------
def test_14_activity_through_an_object():
    def f(x):
        return np.sum(np.nditer(x)) * 1.0

    check(f, X)


def test_14_activity_through_text():
    def f(x):
        return float(f"{x[1]:.17g}") * x[0]

    check(f, X)


# 15 ------------------------------------------------------------------------------------------
def test_15_alias_of_mixed_list_after_iadd():
    def f(x):
        a = [x[0], "s", x[1]]
        b = a
        a += [x[4]]
        b[0] = x[3]
        return a[0] * b[-1]

    check(f, X)


# 16 ------------------------------------------------------------------------------------------
LOG: list = []


def _note(v):
    LOG.append(float(v))


def test_16_append_to_a_global_list():
    def f(x):
        _note(x[0])
        return x[0] ** 2

    LOG.clear()
    try:
        grad(f)(X)
    except AdcompilerError:
        return
    assert LOG == [0.3]


def test_16_two_arguments_are_one_list():
    def f(p):
        p[0].append(1.0)
        return np.sum(p[1][-1] * p[2])

    items = [1.0, 2.0]
    try:
        got = grad(f)([items, items, X])
    except AdcompilerError:
        return
    np.testing.assert_allclose(got[2], np.ones(5))


# 5, continued: lists, and arrays that are not active
def _heappush(x):
    items = [x[0], x[2]]
    heapq.heappush(items, x[1])
    return items[0] * 2 + items[1]


def _insort(x):
    items = [x[0], x[2]]
    bisect.insort(items, x[3])
    return items[1] * 2 + items[0]


def _fill_diagonal_of_constant(x):
    m = np.eye(5)
    np.fill_diagonal(m, 0.0)
    m[0, 1] = 3.0
    return np.sum(m @ x * x)


def _setitem_of_index_list(x):
    k = [3, 1, 2]
    operator.setitem(k, 0, 4)
    return x[k[0]] ** 2


@pytest.mark.parametrize(
    "f",
    [
        _heappush,
        _insort,
        _fill_diagonal_of_constant,
        _setitem_of_index_list,
    ],
)
def test_05_writes_to_lists_and_constants(f):
    check(f, X)


# 9, continued: the layout of adjoints and tangents
def test_09_adjoint_of_copy_with_order():
    def f(x):
        y = x.copy(order="K")
        z = y.T.reshape(-1)
        z[1] = x[0, 0] ** 2
        return np.sum(y * x)

    check(f, np.asfortranarray(S))


def test_09_adjoint_of_fortran_slice():
    def f(x):
        y = x * 1.0
        v = y[:, :2].T
        z = v.ravel()
        z[0] = z[1] ** 2
        return np.sum(y * x)

    check(f, np.asfortranarray(S))


def test_09_tangent_of_zeros_in_fortran_order():
    def f(x):
        y = np.zeros((3, 3), order="F")
        z = y.T.reshape(-1)
        z[1] = x[0, 0] ** 2
        y += x
        return np.sum(y * x)

    t = np.cos(np.arange(9.0)).reshape(3, 3)
    try:
        got = jvp(f, (S,), (t,))[1]
    except AdcompilerError:
        return
    np.testing.assert_allclose(got, np.sum(numeric(f, S) * t), rtol=1e-5)


# 17 ------------------------------------------------------------------------------------------
def _array_times_list(x):
    return np.sum(x * [1, 2, 3, 4, 5]) * 1.0


def _list_times_array(x):
    return np.sum([1, 2, 3, 4, 5] * x) + np.sum(x)


@pytest.mark.parametrize("f", [_array_times_list, _list_times_array])
def test_17_array_times_list_of_ints(f):
    check(f, X)


# 18 ------------------------------------------------------------------------------------------
def test_18_hessian_of_list_iadd():
    def f(x):
        u = []
        for v in x:
            u += [v * v]
        return u[0] * u[1]

    try:
        got = hessian(f)(X)
    except AdcompilerError:
        return
    expected = np.zeros((5, 5))
    expected[0, 0], expected[1, 1] = 2 * X[1] ** 2, 2 * X[0] ** 2
    expected[0, 1] = expected[1, 0] = 4 * X[0] * X[1]
    np.testing.assert_allclose(got, expected, atol=1e-9)


# 19 ------------------------------------------------------------------------------------------
def _copied_list_of_arrays(x):
    rows = [x[i] * x for i in range(3)]
    same = list(rows)
    same[0][0] = 5 * x[0]
    return np.sum(rows[0])


def _items_of_different_names(x):
    pair, s = (x, x * 2), 0.0
    for k in range(2):
        s += np.sum(pair[k] * x[k])
    return s


def _quicksort(v):
    if len(v) <= 1:
        return v
    pivot, rest = v[0], v[1:]
    return np.concatenate([_quicksort(rest[rest < pivot]), v[:1], _quicksort(rest[rest >= pivot])])


def _sorted_by_recursion(x):
    return np.sum(_quicksort(x) * np.arange(5.0))


def _diagonal_of_written(x):
    y = np.outer(x, x)
    d = np.diagonal(y)
    y[0, 0] = 3 * x[1]
    return np.sum(d * d)


def _array_without_axes(x):
    z = np.array(0.0)
    z += x[0]
    return z * x[1]


def _parts_of_split(x):
    a, b, c = np.split(x[:3], 3)
    return np.sum(a * b * c)


def _bound_in_the_first_trip(x):
    for i in range(3):
        if i == 0:
            y = x * 1.0
        else:
            y = y * x
    return np.sum(y)


@pytest.mark.parametrize("f", [
    _copied_list_of_arrays, _items_of_different_names, _sorted_by_recursion, _diagonal_of_written,
    _array_without_axes, _parts_of_split, _bound_in_the_first_trip,
])  # fmt: skip
def test_19_what_crashed(f):
    check(f, X)


# 20: found by random programs -----------------------------------------------------------------
def _length_as_it_was(x):
    s = 0.0
    xs = [s]
    xs.append(x[0])
    n = 0
    while n < 3:
        n += 1
        if len(xs) > 1:
            s += xs.pop()
    return s


def _item_of_the_end_taken_before(x):
    xs = [0.0, x.mean()]
    xs.append(xs[-1])
    xs[2] = 1.0
    return sum(xs)


def _list_that_grows_by_its_sum(x):
    ys = []
    ys.append(x[0])
    c = np.stack(ys)
    n = 0
    while n < 3:
        n += 1
        ys.append(sum(ys))
    return np.sum(c) + ys[-1]


@pytest.mark.parametrize(
    "f", [_length_as_it_was, _item_of_the_end_taken_before, _list_that_grows_by_its_sum]
)
def test_20_lengths_of_lists(f):
    check(f, X)


# 21: what two examples do not tell -------------------------------------------------------------
def _every_third_trip(x):
    s = 0.0
    for day in range(6):
        if day % 3 == 2:
            s = s + np.sum(x * x)
        if abs(day - 3) == 3 - day:
            s = s + x[0]
    return s


def _diagonal_of_a_wide_matrix(x):
    m = np.outer(x, x[: len(x) // 2])
    d = np.diag(m)
    return np.sum(d * d * x[: len(d)])


def _diagonal_below(x):
    k = 0
    while k > -2:
        k -= 1
    m = np.diag(x, k)
    return np.sum(m * m) * len(m)


def _squeezed_to_a_number(x):
    y = np.squeeze(x[: len(x) // 4])
    return np.sum(y * y) * (3.0 if np.ndim(y) == 0 else 5.0)


@pytest.mark.parametrize(
    "f",
    [
        _every_third_trip, _diagonal_of_a_wide_matrix, _diagonal_below, _squeezed_to_a_number,
    ],
)  # fmt: skip
def test_21_numbers_that_examples_do_not_tell(f):
    check(f, X, must_compile=True)


def test_power_of_integers_that_turns_out_a_float():
    def f(x, n):
        return np.sum(x) * 2**n + np.sum(x) * 10**-n

    np.testing.assert_allclose(grad(f)(X, 3), 8.001)
    with pytest.raises(ValueError, match="write the base as a float"):
        grad(f)(X, -2)


def _two_of_them(x):
    a, b = x
    return a * b


def _two_of_what_grew(x):
    xs = []
    for v in x:
        xs.append(v * v)
    a, b = xs
    return a * b


@pytest.mark.parametrize("f", [_two_of_them, _two_of_what_grew])
def test_22_unpacking_counts(f):
    check(f, X[:2], must_compile=True)
    with pytest.raises(ValueError, match="too many values to unpack"):
        grad(f)(X[:3])
    with pytest.raises((ValueError, AdcompilerError), match="values (to unpack|for 2 targets)"):
        grad(f)(X[:1])


def test_unpacking_prints_as_it_was_written():
    source = grad(_two_of_them).source(X[:2])
    assert "a, b = x\n" in source and "check_length" not in source


# 23: views that were taken for copies ---------------------------------------------------------
def _diagonal_is_a_view(x):
    m = np.outer(x, x)
    d = np.diag(m)
    m[0, 0] = 3.0 * x[1]
    return np.sum(d * d)


def _einsum_without_a_sum_is_a_view(x):
    m = np.outer(x, x) + 1.0
    t = np.einsum("ij->ji", m)
    m[0, 1] = 3.0 * x[1]
    return np.sum(t[1] * t[0])


def _conjugate_of_real_is_itself(x):
    y = x * 1.0
    z = y.conj()
    z[0] = 0.5 * x[1]
    return np.sum(y * y)


def _no_difference_is_itself(x):
    y = x * 1.0
    z = np.diff(y, n=0)
    y[0] = 0.5 * x[1]
    return np.sum(z * z)


def _filled_if_it_is_an_array(x):
    y = 0.0
    for _ in range(1):
        y = x
    y.fill(2.0)
    return np.sum(x * x)


@pytest.mark.parametrize(
    "f",
    [
        _diagonal_is_a_view, _einsum_without_a_sum_is_a_view, _conjugate_of_real_is_itself,
        _no_difference_is_itself, _filled_if_it_is_an_array,
    ],
)  # fmt: skip
def test_23_views_are_views(f):
    check(f, X)


def _quiet_views(x):
    m = np.outer(x, x)
    s = 0.0
    for i in range(3):
        m[i] *= m[i, 0]
        s += np.sum(np.diag(m) ** 2) + np.ravel(m.T)[1] * np.sum(m.real[i])
        m[i, i] = s
    return s


def _tangent_of_what_was_broadcast(x):
    total = 0
    for _ in range(2):
        total = total + x
    return np.sum(np.dot(total[1] + np.zeros((3, 2)), x[:2]))


def _ufuncs_where(x):
    y = x * 2.0
    np.multiply(x, x, out=y, where=x > 0.5)
    np.exp(x, y, where=x < 0)
    return np.sum(y * y) + np.sum(np.subtract.outer(x, x * x) ** 3)


def _grid(x):
    i, j = np.mgrid[0 : len(x), 0:3]
    return np.sum(x[:, None] * np.cos(i * j) * x[:3])


@pytest.mark.parametrize("f", [_quiet_views, _tangent_of_what_was_broadcast, _ufuncs_where, _grid])
def test_24_what_was_refused_or_crashed(f):
    check(f, X, must_compile=True)


# 25: lists and dicts are objects --------------------------------------------------------------
def _item_changed_while_a_branch_is_evaluated(x):
    state = {"u": x, "s": 1.7}
    state["s"] += 1.0 if [2 for i in enumerate(x) if i] else 1.0
    return x[0] * state["s"]


def _put(state, value):
    state["s"] = value * value
    return value


def _argument_evaluated_before_a_branch(x):
    state = {"s": x[0]}
    _put(state, x[1] if x[0] > 0 else x[2])
    return state["s"] * x[3]


def _one_of_two_dicts(x):
    first, second = {"s": x[0]}, {"s": x[1]}
    either = first if x[2] > 0 else second
    either["s"] = x[2] * x[3]
    return first["s"] * 2.0 + second["s"]


def _one_of_two_dicts_then_the_other_name(x):
    first, second = {"s": x[0]}, {"s": x[1]}
    either = first if x[2] > 0 else second
    first["s"] = x[3] * x[3]
    return either["s"]


def _another_name_for_a_list_that_was_given(xs):
    ys = xs
    ys.append(ys[0] * 3.0)
    return sum(xs)


def _list_given_as_it_was_made(x):
    return _another_name_for_a_list_that_was_given([x[0] * x[1]]) * x[2]


def _list_in_a_dict(x):
    state = {"xs": [x[0]], "n": 0.0}
    ys = state["xs"]
    for v in x:
        ys.append(v * v)
        state["n"] = state["n"] + v
    return sum(state["xs"]) * state["n"]


def _dict_made_anew_in_a_loop(x):
    state = {"s": x[0], "v": 1.0}
    first = state
    for v in x:
        state = {"s": state["s"] * v + 1.0, "v": state["v"] + v}
    return state["s"] * state["v"] + first["s"]


def _dict_under_two_names_in_a_loop(x):
    state = {"s": x[0], "v": 1.0}
    same = state
    for v in x:
        same["s"] = state["s"] * v
        state["v"] += same["s"]
    return state["s"] + same["v"]


def _dict_changed_through_one_name_of_two_after_a_loop(x):
    a = {"s": x[0]}
    b = a
    for v in x:
        a = {"s": a["s"] * v}
        b = a
    a["s"] = x[1] * x[1]
    return b["s"]


def _dict_changed_in_one_branch(x):
    state = {"s": x[0]}
    other = state
    if x[1] < 0:
        state["s"] = state["s"] * x[2]
    else:
        other = {"s": x[3]}
    return state["s"] + other["s"] * x[4]


def _dict_changed_in_recursion(x):
    state = {"s": x[0]}

    def down(n, state):
        if n == 0:
            return 0.0
        state["s"] = state["s"] * x[n]
        return down(n - 1, state)

    down(3, state)
    return state["s"]


def _nested_dicts(x):
    model = {"a": {"w": x[0]}, "b": {"w": x[1]}}
    for name in ("a", "b"):
        layer = model[name]
        for v in x:
            layer["w"] = layer["w"] * v + 0.5
    return model["a"]["w"] * model["b"]["w"]


@pytest.mark.parametrize(
    "f",
    [
        _item_changed_while_a_branch_is_evaluated, _argument_evaluated_before_a_branch,
        _list_given_as_it_was_made, _list_in_a_dict, _dict_made_anew_in_a_loop,
        _dict_under_two_names_in_a_loop, _dict_changed_in_one_branch, _nested_dicts,
    ],
)  # fmt: skip
def test_25_lists_and_dicts_are_objects(f):
    check(f, X, must_compile=True)


@pytest.mark.parametrize(
    "f",
    [
        _one_of_two_dicts, _one_of_two_dicts_then_the_other_name, _dict_changed_in_recursion,
        _dict_changed_through_one_name_of_two_after_a_loop,
    ],
)  # fmt: skip
def test_25_which_of_two_objects(f):
    check(f, X)


# 26: found by a survey of ordinary programs -----------------------------------------------------
KEPT = np.array([1.0, 2.0])
HELD_LISTS = ([1.0], {"k": 1.0})


class _Log:
    shared = [1.0]

    def __init__(self):
        self.h = []
        self.d = {"k": 1.0}

    def loss(self, x):
        self.h.append(x[0])
        return x[0] * len(self.h)


LOGGED = _Log()


def _global_array_through_a_view(x):
    v = KEPT[:1]
    v *= x[0]
    return np.sum(KEPT) * x[1]


def _global_array_through_a_row_in_a_list(x):
    xs = [KEPT, x]
    xs[0][0] = x[1]
    return np.sum(KEPT) * x[1]


def _list_of_a_global_object(x):
    LOGGED.h.append(x[0])
    return x[0] * len(LOGGED.h)


def _list_in_a_global_tuple(x):
    HELD_LISTS[0].append(3.0)
    return x[0] * len(HELD_LISTS[0])


def _list_of_a_class(x):
    _Log.shared.append(x[0])
    return x[0] * len(_Log.shared)


@pytest.mark.parametrize(
    "f",
    [
        _global_array_through_a_view, _global_array_through_a_row_in_a_list,
        _list_of_a_global_object, _list_in_a_global_tuple, _list_of_a_class,
    ],
)  # fmt: skip
def test_26_what_is_not_the_functions_own_is_not_changed(f):
    with pytest.raises(AdcompilerError, match="global|list or dict"):
        grad(f)(X)
    with pytest.raises(AdcompilerError, match="list or dict"):
        grad(_Log().loss)(X)
    np.testing.assert_array_equal(KEPT, [1.0, 2.0])
    assert LOGGED.h == [] and HELD_LISTS[0] == [1.0] and _Log.shared == [1.0]


def test_26_second_derivative_through_recursion():
    def rec(x):
        return x if x > 10 else rec(x * x + 1) * 1.01

    with pytest.raises(AdcompilerError, match="second derivative"):
        grad(grad(rec))(0.637)


def _list_before_one_that_grew(x):
    hist = []
    for k in range(3):
        hist.append(x[0] * k)
    c = [1.0, *[2.0]] + hist
    return sum(c) + len(c)


def _list_repeated(x):
    xs = [x[0], 2 * x[1]]
    ys = xs * 2
    return sum(ys) * len(ys)


def _list_under_two_keys(x):
    held = [x[0], x[1]]
    d = {"l": held, "a": x}
    m = [held, held]
    m[-1].append(x[2])
    return sum(d["l"]) * len(m[0])


def _inner_list_appended_to_its_list(x):
    m = [x[0], [x[1], x[2]]]
    m.append(m[1])
    m[1][0] *= x[3]
    return m[2][0]


def _inner_lists_swapped(x):
    a = [[x[0], 1.0], [x[1], 2.0]]
    v = a[1]
    a[0], a[1] = a[1], a[0]
    a[0][0] = x[2] * x[3]
    return v[0] + a[1][0]


def _dict_methods(x):
    d = {"a": x[0], "b": 2.0}
    d.update({"a": 2 * x[1]}, b=3 * x[2])
    c = d.setdefault("c", x[3])
    return d.pop("a") * d["b"] * c + d.get("z", x[0])


def _dicts_from_a_comprehension(x):
    ds = [{"v": x * i} for i in range(3)]
    return np.sum(ds[1]["v"] * ds[2]["v"])


@pytest.mark.parametrize(
    "f",
    [
        _list_before_one_that_grew, _list_repeated, _list_under_two_keys,
        _inner_list_appended_to_its_list, _inner_lists_swapped, _dict_methods,
    ],
)  # fmt: skip
def test_26_lists_and_dicts(f):
    check(f, X, must_compile=True)


def _numbers_first_and_arrays_later(x):
    d = {"b": [x[0]]}
    d["c"] = d["b"]
    s = x[0]
    for _ in range(2):
        s = s + d["c"][0]
    d["b"].append(x)
    return np.sum(d["c"][-1] * np.arange(5.0)) * s


@pytest.mark.parametrize("f", [_numbers_first_and_arrays_later, _dicts_from_a_comprehension])
def test_26_right_or_refused(f):
    check(f, X)


def test_26_one_list_twice_is_another_signature():
    def f(xs, ys):
        xs[0] = xs[0] * 3
        return xs[0] * ys[0]

    derivative = value_and_grad(f)
    assert derivative([1.0], [2.0])[0] == 6.0
    same = [2.0]
    with pytest.raises(AdcompilerError, match="the same one twice"):
        derivative(same, same)


def test_26_changed_defaults_are_seen():
    def f(x, k=2.0):
        return x * k

    derivative = grad(f)
    assert derivative(1.0) == 2.0
    f.__defaults__ = (5.0,)
    assert derivative(1.0) == 5.0


def test_26_a_static_argument_of_another_kind():
    derivative = grad(lambda a, axis: np.sum(np.sum(a, axis=axis) ** 2))
    a = np.ones((2, 3))
    np.testing.assert_allclose(derivative(a, (0, 1)), 12.0)
    np.testing.assert_allclose(derivative(a, 0), 4.0)
    np.testing.assert_allclose(derivative(a, None), 12.0)


def test_26_gradients_are_floats():
    assert grad(lambda x, k: np.sum(x) * k)(X, 3).dtype == float
    assert grad(lambda x: np.sum((x > 0) * x))(X).dtype == float


def _overlap_under_two_names(A):
    B = A
    for i in range(3):
        B[i] = B[:3, -1]
    np.copyto(A, B)
    return np.sum(A)


def test_27_an_overlapping_store_is_looked_at_itself():
    """Not a copy of its source, which is made where that is kept for the backward sweep."""
    with pytest.raises(AdcompilerError, match="overwrites"):
        grad(_overlap_under_two_names)(S.copy())


def _every_other_column_is_not_contiguous(x):
    A = np.outer(x[:2], x[:2])
    B = A[:, ::2]
    A[:, 1] = np.tanh(B.ravel())
    B[0, 0] += np.tanh(A[-1, -1])
    return np.sum(A**2)


def _last_column_first_is_not_contiguous(x):
    A = np.outer(x, x)
    B = A[1:, ::-1]
    flat = B.reshape(-1)
    flat[0] = x[0] * 3.0
    return np.sum(A**2) + np.sum(flat)


@pytest.mark.parametrize(
    "f", [_every_other_column_is_not_contiguous, _last_column_first_is_not_contiguous]
)
def test_28_contiguity(f):
    check(f, X)


# 29: found by a last reading -------------------------------------------------------------------
def _written_after_it_was_differentiated(x):
    v = x * 1.0
    g = grad(lambda u: np.sum(u**3))(v)
    v[0] = 5.0
    return np.sum(g)


def _captured_and_written_later(x):
    b = x.copy()
    a = grad(lambda u: np.sum(u * b) * u[0])(x)
    b[1] = 5.0
    return a[0]


def _gradient_stored_among_its_arguments(x):
    p = x * 1.0
    for i in range(4):
        g = grad(lambda u: np.sum(u**3 * np.sin(u)))(p)
        p[i] = g[i - 1] * 0.1
    return np.sum(p * p)


@pytest.mark.parametrize(
    "f",
    [
        _written_after_it_was_differentiated, _captured_and_written_later,
        _gradient_stored_among_its_arguments,
    ],
)  # fmt: skip
def test_29_what_a_called_derivative_keeps(f):
    check(f, X, must_compile=True)


def _asarray_of_another_dtype(x):
    z = np.asarray(x, dtype=complex)
    z *= 1j
    return np.sum((z * z).real)


def _real_numbers_made_complex(x):
    z = x.astype(complex)
    z += 1j * x
    return np.sum((z * z * (1 + 1j)).real)


@pytest.mark.parametrize("f", [_asarray_of_another_dtype, _real_numbers_made_complex])
def test_29_dtypes(f):
    check(f, X)
    along = np.array([0.3, -0.5, 0.9, 1.1, 0.2])
    try:
        _, dot = jvp(f, (X,), (along,))
    except AdcompilerError:
        return
    np.testing.assert_allclose(dot, numeric(f, X) @ along, rtol=1e-5)


# 30 ------------------------------------------------------------------------------------------
def _repeated_places_of_ix(x):
    a = np.outer(x, x)
    a[np.ix_([0, 0, 2], [1, 1])] = a[:3, 3:]
    return np.sum(a * a)


def _index_of_unknown_structure(x):
    a = x * 2
    a[np.nonzero(x > 0)[0] // 2] = x[x > 0] ** 2
    return np.sum(a * x)


@pytest.mark.parametrize("f", [_repeated_places_of_ix, _index_of_unknown_structure])
def test_30_stores_whose_index_is_not_known_may_repeat_places(f):
    check(f, X, must_compile=True)


def _indices_by_nonzero(x):
    (places,) = np.nonzero(x > 0)
    return np.sum(x[places // 2] ** 2) + np.sum(x[np.where(x < 1)[0] - 1] * x[places[0]])


def test_30_a_tuple_of_one_result_is_not_its_item():
    check(_indices_by_nonzero, X, must_compile=True)


class _Pair(NamedTuple):
    left: float
    right: float

    def __add__(self, other):
        return _Pair(self.left * other.left, self.right + other.left)

    def __mul__(self, factor):
        return _Pair(self.left * factor, self.right + factor)

    def __rmul__(self, factor):
        return _Pair(self.right, factor)

    def __neg__(self):
        return _Pair(self.right, -self.left)

    def __lt__(self, other):
        return self.right < other.left


@pytest.mark.parametrize(
    "f",
    [
        lambda x: np.prod(_Pair(x[0], 2.0) + _Pair(x[1], x[2])),
        lambda x: np.prod(_Pair(x[0], 2.0) * x[1]),
        lambda x: np.prod(x[1] * _Pair(x[0], 2.0)),
        lambda x: np.prod(float(x[1]) * _Pair(x[0], 2.0)),
        lambda x: np.sum((x * 2)[:2] + _Pair(x[0], 2.0)),
        lambda x: np.sum(-_Pair(x[0], x[1] ** 2)),
        lambda x: x[0] ** 2 if _Pair(x[0], x[1]) < _Pair(x[2], x[0]) else x[3],
        lambda x: x[0] ** 2 if _Pair(x[0], x[2]) < _Pair(x[1], x[0]) else x[3] ** 2,
    ],
)
def test_30_operators_of_named_tuples_are_those_of_their_class(f):
    check(f, X, must_compile=True)


def _functions_of_each_trip(x):
    total = 0.0
    for i in range(3):
        steps = [np.sin, lambda o: o * x[i]]  # noqa: B023
        for step in steps:
            total = step(total + x[i])

        def scaled(o, k=i):
            return o * x[k]

        total += scaled(x[0])
    return total


def _a_name_that_changes_its_structure_before_it_is_read(x):
    kept, total = 1.0, 0.0
    for i in range(3):
        kept = (x[i], i)
        while total < i:
            kept = [x[i], 2.0, total]
            total += kept[1] * kept[0] ** 2
        kept = (total, i)
    return total


@pytest.mark.parametrize(
    "f", [_functions_of_each_trip, _a_name_that_changes_its_structure_before_it_is_read]
)
def test_30_what_only_one_trip_reads_may_change_in_the_next(f):
    check(f, X, must_compile=True)


@pytest.mark.parametrize("last", [False, True])
def test_30_what_the_next_trip_reads_may_not(last):
    def f(x):
        total = 0.0
        for i in range(len(x)):
            if not last and i > 0:
                total += scaled(x[i])  # noqa: F821
            scaled = lambda o: o * x[i]  # noqa: B023, E731
        return total + scaled(x[0]) if last else total

    with pytest.raises(AdcompilerError, match="`scaled` changes its structure in this loop"):
        grad(f)(X)


def _functions_of_the_trip_before(x):
    total = 0.0
    for i in range(3):
        if i > 0:
            total += scaled(x[i])  # noqa: F821
        scaled = lambda o: o * x[i]  # noqa: B023, E731, F841
    return total


def test_30_but_a_loop_of_known_trips_is_written_out():
    check(_functions_of_the_trip_before, X, must_compile=True)


def test_31_an_index_that_cancels_stays_an_integer():
    def f(x):
        n = len(x)
        total = x[0]
        for i in range(n - n + 1, n):
            x[i - i] = np.sin(x[i]) * x[i - i]
            total += x[0] * x[i]
        return total

    check(f, X, must_compile=True)


@pytest.mark.parametrize("read_afterwards", [False, True])
@pytest.mark.parametrize("view", [lambda x: x[:2], lambda x: x.reshape(-1, 1), lambda x: [x][0]])
def test_32_a_derivative_inside_does_not_write_what_is_around_it(view, read_afterwards):
    def f(x):
        def energy(u):
            part = view(x)
            part *= u
            return u * u + part[0] if read_afterwards else u * u

        return grad(energy)(3.0) + np.sum(x)

    with pytest.raises(AdcompilerError, match="writes an array of the one around it"):
        grad(f)(X)


@pytest.mark.parametrize(
    "indices, value",
    [
        ([1, 1], lambda x: x[None, :3]),
        ([1, 1, 0], lambda x: x[1:4]),
        (([0, 1, 0], [2, 1, 2]), lambda x: x[3:4]),
        ([0, 1], lambda x: np.outer(x[:2], x[:3])),
    ],
)
@pytest.mark.parametrize("at", [np.multiply.at, np.subtract.at])
def test_33_operands_of_ufunc_at_are_broadcast(at, indices, value):
    def f(x):
        a = np.outer(x[:3], x[1:4]) + 1.0
        at(a, indices, value(x))
        return np.sum(a * a)

    check(f, X, must_compile=True)


def _functions_of_a_comprehension_see_its_last_name(x):
    k = 5.0
    scaled = [lambda v: v * k for k in range(1, 4)]  # noqa: B023
    return sum(f(x[0]) for f in scaled) * k


def _functions_of_a_comprehension_with_defaults(x):
    scaled = [lambda v, k=k: v**k for k in range(1, 4)]
    return sum(f(x[0]) for f in scaled)


@pytest.mark.parametrize(
    "f",
    [
        _functions_of_a_comprehension_see_its_last_name,
        _functions_of_a_comprehension_with_defaults,
    ],
)
def test_32_functions_of_a_comprehension(f):
    check(f, X, must_compile=True)


SMALL = np.array([250, 10, 200, 90, 255], np.uint8)


@pytest.mark.parametrize(
    "f",
    [
        lambda x, u: np.sum(np.gradient(u, x[0]) * x),
        lambda x, u: np.sum(np.gradient(u, np.cumsum(x * x)) * x),
        lambda x, u: np.sum(np.median(u[:4]) * x),
        lambda x, u: np.sum(np.interp(x * 21, np.arange(5) * 10, u) * x),
        lambda x, u: np.sum(np.average(u, weights=u) * x),
    ],
)
def test_34_small_integers_do_not_wrap_around_in_compositions(f):
    check(f, X, SMALL, must_compile=True)


@pytest.mark.parametrize(
    "f",
    [
        lambda x: np.sum(np.interp(x, x[:1], x[1:2]) * x),
        lambda x: np.interp(2.0, np.array([0.0, 2.0, 2.0]), x[:3]),
    ],
)
def test_35_samples_of_interp_that_have_no_slope(f):
    check(f, X, must_compile=True)


@pytest.mark.parametrize(
    "f",
    [
        lambda x: np.sum(np.insert(np.arange(3), 1, x[0]) * x[:4]),
        lambda x: np.sum(np.insert(x, [1], x[:2] * 2) * np.arange(7.0)),
        lambda x: np.sum(np.insert(x, x > 1, 7.0 * x[1]) * x[0]),
        lambda x: np.sum(np.insert(x, slice(1, 4), x[:3]) * np.arange(8.0)),
    ],
)
def test_36_insert_takes_the_kind_of_the_array_and_every_index(f):
    check(f, X, must_compile=True)


def _choices_are_broadcast(x):
    taken = np.choose(np.array([[0, 1, 0, 1, 1]]), [x, x[0]])
    return np.sum(taken * np.choose([0, 1, 1], S[:2])[2])


@pytest.mark.parametrize(
    "f",
    [
        _choices_are_broadcast,
        lambda x: np.linalg.vector_norm(np.outer(x, x) + S[0, 0], axis=(0, 1)) * x[0],
        lambda x: np.sum(np.linalg.vector_norm(S * x[:3], keepdims=True, ord=3)),
        lambda x: np.linalg.lstsq(np.outer(x, x) + np.diag(x), x, rcond=0.3)[0] @ x,
        lambda x: np.sum(np.linalg.pinv(np.outer(x, x) + np.diag(x), rcond=0.3)),
    ],
)
def test_37_arguments_of_compositions_are_heard(f):
    check(f, X)


def test_38_adjoints_of_joined_parts_of_unknown_rank():
    def f(x):
        a = np.stack((x, x * x, np.sin(x)))
        return np.sum(np.cov(a, a**2, aweights=a[2] ** 2) ** 2)

    check(grad_along(f), X, must_compile=True)


def grad_along(f):
    """The slope of a function along a fixed direction: its gradient is one of second order."""
    direction = np.array([0.3, -0.2, 0.5, 0.4, -0.1])
    return lambda x: jvp(f, (x,), (direction,))[1]


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.int16, np.int64, bool])
@pytest.mark.parametrize(
    "f",
    [
        lambda x, u: np.sum(-u * x),
        lambda x, u: np.sum(2 * u * x * x),
        lambda x, u: x @ (3 * u) - np.sum(2 * (x * (2 * u))),
        lambda x, u: np.sum((u - 2 * u) * x**2),
        lambda x, u: np.cbrt(u) @ x,
    ],
)
def test_39_algebra_on_small_integers(f, dtype):
    u = SMALL.astype(dtype)
    if dtype is bool:
        u, f = SMALL, lambda x, u: np.sum((u > 100) * x) + (u > 100) @ x
    check(f, X, u, must_compile=True)
    assert grad(f)(X, u).dtype == float
    tangent = np.cos(X)
    np.testing.assert_allclose(jvp(f, (X, u), (tangent, 0 * u))[1], grad(f)(X, u) @ tangent)
    np.testing.assert_allclose(
        hessian(f)(X, u), numeric_hessian(lambda x: f(x, u), X), rtol=1e-4, atol=1e-4
    )


def numeric_hessian(f, x):
    return np.stack([numeric(lambda y: grad(f)(y)[k], x) for k in range(len(x))])  # noqa: B023


def test_40_an_adjoint_has_the_precision_of_its_argument():
    single = X.astype(np.float32)
    assert grad(lambda x: np.sum(np.pad(x, 1)))(single).dtype == np.float32
    assert grad(lambda x: np.sum(x @ single))(X).dtype == np.float64
    assert grad(lambda x: np.sum(x * x @ X))(single).dtype == np.float32
    assert grad(lambda x: np.cov(x))(single).dtype == np.float32
    assert grad(lambda x: np.sum(x))(np.float32(0.5)).dtype == np.float32
    assert grad(lambda x: np.outer(x, X).sum())(np.float32(0.5)).dtype == np.float32


@pytest.mark.parametrize(
    "f",
    [
        lambda x: np.sum(x.astype(int) * x),
        lambda x: np.sum(x, dtype=int) * x[0],
        lambda x: np.cumsum(x, dtype=int) @ x,
        lambda x: np.sum(x.astype(bool) * x),
    ],
)
@pytest.mark.parametrize("derivative", [value_and_grad, tape.value_and_grad])
def test_41_integers_have_no_derivative_on_either_engine(f, derivative):
    check(f, X, derivative=derivative(f), must_compile=True)


@pytest.mark.parametrize("turned", [lambda a: a.T, lambda a: a[:, ::2]])
@pytest.mark.parametrize(
    "write",
    [
        lambda a, x: np.put(a, [1, -2, 1], x[:3] ** 2),
        lambda a, x: np.place(a, a > 0.8, x[:3] ** 2),
        lambda a, x: np.putmask(a, a > 0.8, x[:3] ** 2),
        lambda a, x: np.fill_diagonal(a, x[:2] ** 2),
    ],
)
@pytest.mark.parametrize("derivative", [value_and_grad, tape.value_and_grad])
def test_42_writing_to_what_is_not_contiguous_is_not_lost(write, turned, derivative):
    def f(x):
        a = np.outer(x[:3], x[:4]) + S[0, 1]
        write(turned(a), x)
        return np.sum(a * a * np.arange(12.0).reshape(3, 4))

    check(f, X, derivative=derivative(f))


@pytest.mark.parametrize(
    "f",
    [
        lambda x: np.minimum(x, 3) * x * x,
        lambda x: np.max(x) * x,
        lambda x: np.maximum(1, x) * np.sin(x),
        lambda x: np.clip(x, 0, 2) * x,
        lambda x: np.gradient(np.array([x, 1.0, 2.0]), x).sum(),
        lambda x: np.dot(np.asarray(x), np.asarray(x)) * x,
        lambda x: np.sum(np.asarray(x)) * x,
    ],
)
@pytest.mark.parametrize("kind", [float, np.float64, np.array])
def test_43_numbers_in_full_precision(f, kind):
    x = 1.3
    expected = (f(x + 1e-5) - f(x - 1e-5)) / 2e-5
    got = [grad(f)(kind(x)), jvp(f, (kind(x),), (kind(1.0),))[1]]
    np.testing.assert_allclose(got, expected, rtol=1e-8)
    try:
        np.testing.assert_allclose(tape.grad(f)(x), expected, rtol=1e-8)
    except AdcompilerError:
        pass  # `np.array` of values


@pytest.mark.parametrize(
    "f", [lambda p: np.linalg.norm(X, p), lambda p: np.var(X, ddof=p) * p, lambda p: [X[0]][p] * p]
)
def test_44_a_float_that_decides_the_code_has_no_derivative(f):
    for call in (grad(f), jacfwd(f), lambda p: jvp(f, (p,), (1.0,))):
        with pytest.raises((AdcompilerError, TypeError)):
            call(3.0)


def test_44_unless_it_is_held_fixed():
    def f(x, p):
        return np.linalg.norm(x, p)

    np.testing.assert_allclose(grad(f)(X, 3.0), jvp_rows(lambda x: f(x, 3.0)), rtol=1e-9)
    assert jvp(f, (X, 3.0), (X, 0.0))[1] > 0
    with pytest.raises(AdcompilerError, match="decides the code"):
        jvp(f, (X, 3.0), (X, 1.0))
    with pytest.raises(AdcompilerError, match="decides the code"):
        grad(f, argnums=1)(X, 3.0)


def jvp_rows(f):
    return [jvp(f, (X,), (row,))[1] for row in np.eye(len(X))]


@pytest.mark.parametrize("derivative", [value_and_grad, tape.value_and_grad])
@pytest.mark.parametrize(
    "write",
    [
        lambda y, x: np.fill_diagonal(y[1:], y[:, 1]),
        lambda y, x: np.fill_diagonal(y, y[:, 1]),
        lambda y, x: np.fill_diagonal(y, y[:, 1] * 1.0),
        lambda y, x: np.fill_diagonal(y, x[:2]),
        lambda y, x: np.place(y, y > 0.5, y[0]),
    ],
)
def test_45_items_that_are_written_one_by_one_into_their_own_array(write, derivative):
    def f(x):
        y = np.outer(x, x) + np.outer(x, S[0].repeat(2)[:5])
        write(y, x)
        return np.sum(y * y * x)

    check(f, X, derivative=derivative(f))


def test_45_values_of_another_array_fill_a_diagonal():
    def f(x):
        y = np.outer(x, x)
        np.fill_diagonal(y, x[:2] ** 2)
        return np.sum(y * y * x)

    check(f, X, must_compile=True)
    check(f, X, derivative=tape.value_and_grad(f), must_compile=True)


@pytest.mark.parametrize("n", [1, 2, 4, 5, 6])
def test_46_more_differences_than_there_are_items(n):
    check(lambda x: np.sum(np.diff(x, n) ** 3) + x[0] ** 2, X, must_compile=True)


# 47 ------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "subscripts, shapes",
    [("bij,bjk->ik", ((2, 3, 4), (1, 4, 5))), ("bij,ij->j", ((2, 1, 4), (3, 4)))],
)
def test_47_einsum_sums_over_an_axis_that_was_broadcast(subscripts, shapes):
    def f(x, y):
        return np.sum(np.einsum(subscripts, x, y) ** 2)

    x, y = (np.arange(1.0, 1 + math.prod(shape)).reshape(shape) % 7 for shape in shapes)
    for derivative in (grad, tape.grad):
        for k, arg in enumerate((x, y)):
            expected = numeric(lambda a, k=k: f(*(a if i == k else (x, y)[i] for i in (0, 1))), arg)
            found = derivative(f, argnums=k)(x, y)
            assert found.shape == arg.shape
            np.testing.assert_allclose(found, expected, rtol=1e-6)


# 48 ------------------------------------------------------------------------------------------
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("sizes", [(3, 2), (2, 3)])
def test_48_cross_product_of_a_vector_of_two(sizes):
    def f(x, y):
        return np.sum(np.cross(x, y) ** 2 * np.array([1.0, 2.0, 3.0]))

    x, y = X[: sizes[0]], X[5 - sizes[1] :]
    for derivative in (grad, tape.grad):
        np.testing.assert_allclose(derivative(f)(x, y), numeric(f, x, y), rtol=1e-6)
        found = derivative(f, argnums=1)(x, y)
        np.testing.assert_allclose(found, numeric(lambda b: f(x, b), y), rtol=1e-6)


# 49 ------------------------------------------------------------------------------------------
@pytest.mark.parametrize("part", [slice(None), slice(2)])
def test_49_a_real_factor_of_a_complex_product_has_a_real_adjoint(part):
    def f(x):
        z = np.kron(x + 1j * x, x[part])
        return np.sum(z.real**2 + z.imag)

    found = grad(f)(X)
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, numeric(f, X), rtol=1e-6)


# 50 ------------------------------------------------------------------------------------------
@pytest.mark.parametrize("fn", [np.arcsin, np.arccos, np.arccosh, np.arcsinh])
@pytest.mark.parametrize("turn", [1, 1j])
@pytest.mark.parametrize("conjugated", [False, True])
@pytest.mark.parametrize("start", [2.0, -2.0, 0.3])
def test_50_slopes_on_the_side_of_a_branch_cut(fn, turn, conjugated, start):
    def f(x):
        z = x * turn + 0j if turn == 1 else x * turn
        z = fn(np.conj(z) if conjugated else z)
        return np.sum(z.real * 1.3 + z.imag)

    x = start + X[:3] * 0.01
    for derivative in (grad, tape.grad):
        np.testing.assert_allclose(derivative(f)(x), numeric(f, x), rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("fn", [cmath.asin, cmath.acos, cmath.acosh, cmath.atanh, cmath.sqrt])
@pytest.mark.parametrize("x", [-2.5, 0.3, 2.5])
def test_50_complex_functions_of_real_numbers(fn, x):
    def f(x):
        z = fn(x)
        return z.real * 1.3 + z.imag

    assert math.isclose(grad(f)(x), (f(x + 1e-6) - f(x - 1e-6)) / 2e-6, rel_tol=1e-6)


def test_50_a_logarithm_to_a_negative_base():
    def f(x):
        return cmath.log(complex(2.0, x), -x).real

    assert math.isclose(grad(f)(1.5), (f(1.5 + 1e-6) - f(1.5 - 1e-6)) / 2e-6, rel_tol=1e-6)


# 51 ------------------------------------------------------------------------------------------
def test_51_a_complex_exponent_of_a_negative_number():
    def f(x):
        z = (-1.0 - x**2) ** (1j * x)
        return np.sum(z.real + 2.0 * z.imag)

    for derivative in (grad, tape.grad):
        np.testing.assert_allclose(derivative(f)(X), numeric(f, X), rtol=1e-6, atol=1e-7)

    def of_floats(x):
        return ((-2.0) ** (1j * x)).imag + (x ** complex(x, 1.0)).real

    expected = (of_floats(1.2 + 1e-6) - of_floats(1.2 - 1e-6)) / 2e-6
    assert math.isclose(grad(of_floats)(1.2), expected, rel_tol=1e-6)


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_51_a_power_that_turns_out_complex(backend, monkeypatch):
    monkeypatch.setenv("ADCOMPILER_DISABLE_JIT", "1")

    def imaginary(x):
        return (x**0.5).imag * 2.0

    def absolute(x, y):
        return abs(x**y)

    derivative = value_and_grad(imaginary, backend=backend)
    assert derivative(2.0) == (0.0, 0.0)
    with pytest.raises(ValueError, match="is complex to Python"):
        derivative(-2.0)
    derivative = grad(absolute, backend=backend)
    assert math.isclose(derivative(-2.0, 3.0), -12.0)
    with pytest.raises(ValueError, match="is complex to Python"):
        derivative(-2.0, 0.3)


def test_51_a_power_that_is_seen_to_be_real_is_not_checked():
    def f(x, y):
        return (x * x + abs(y)) ** 1.5 + math.exp(y) ** 0.5 + x**2 + y**-1

    derivative = grad(f)
    assert math.isclose(derivative(2.0, -0.5), 1.5 * 4.5**0.5 * 4.0 + 4.0)
    assert "check_base" not in derivative.source()


# 52 ------------------------------------------------------------------------------------------
@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_52_arrays_filled_with_rounded_numbers(backend, monkeypatch):
    monkeypatch.setenv("ADCOMPILER_DISABLE_JIT", "1")

    def f(x):
        whole = np.full(3, x[2], dtype=int)
        return np.sum(whole * x[:3]) + np.sum(np.full_like(x, x[4], dtype=bool) * x)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        value, found = value_and_grad(f, backend=backend)(X)
    assert math.isclose(value, f(X))
    np.testing.assert_allclose(found, numeric(f, X), rtol=1e-6)


# 53 ------------------------------------------------------------------------------------------
def test_53_what_crashed():
    def prod(x):
        return np.sum(np.prod(x, axis=None, keepdims=True))

    def nanstd(x):
        return np.sum(np.nanstd(x[:, :, None] * X[:2], axis=(2, 1, 0)))

    def chosen(x):
        return np.sum(np.choose(x > 0, [x, x**2]))

    for f, x in ((prod, S), (nanstd, S), (chosen, X)):
        np.testing.assert_allclose(grad(f)(x), numeric(f, x), rtol=1e-6)
    expected = numeric(lambda x: np.sum(grad(prod)(x) * S), S)
    np.testing.assert_allclose(grad(lambda x: np.sum(grad(prod)(x) * S))(S), expected, rtol=1e-6)

    def one_item(x):
        return np.sum(np.var(x, ddof=5))

    with np.errstate(all="ignore"):
        assert not np.any(np.isfinite(grad(one_item)(X)))


def test_53_masks_without_axes_and_empty_indices_on_the_tape():
    def f(x):
        y = x * 2.0
        y[True] *= 3.0
        part = y[True]
        part *= 5.0
        y[[]] = 1.0
        return np.sum(y * x) + np.sum(y[[]]) + np.sum(part)

    np.testing.assert_allclose(tape.grad(f)(X), numeric(f, X), rtol=1e-6)


# 54 ------------------------------------------------------------------------------------------
@pytest.mark.parametrize("backend", ["numpy", "numba"])
@pytest.mark.parametrize(
    "fn, low, high",
    [
        (np.arcsin, -1.0, 1.0),
        (np.arccos, -1.0, 1.0),
        (np.arccosh, 1.0, np.inf),
        (np.arctanh, -1.0, 1.0),
        (np.reciprocal, 0.0, np.inf),
        (np.sqrt, 0.0, np.inf),
    ],
)
def test_54_a_zero_adjoint_meets_no_pole_outside_of_the_domain(fn, low, high, backend, monkeypatch):
    monkeypatch.setenv("ADCOMPILER_DISABLE_JIT", "1")

    def f(x):
        return np.sum(np.where((x > low) & (x < high), fn(x), 0))

    x = np.array([-2.0, 0.0, 0.3, 2.0, -0.3])
    with np.errstate(all="ignore"):
        ones = np.where((x > low) & (x < high), x, 0.5 + 2.0 * (low == 1.0))
        expected = np.where((x > low) & (x < high), numeric(lambda a: np.sum(fn(a)), ones), 0.0)
        found = [grad(f, backend=backend)(x), tape.grad(f)(x), jacfwd(f)(x)]
    for gradient in found:
        np.testing.assert_allclose(gradient, expected, rtol=1e-6)


# 55 ------------------------------------------------------------------------------------------
@pytest.mark.parametrize("fn", [np.nanmean, np.nanvar, np.nanstd, np.mean, np.var, np.std])
def test_55_statistics_of_single_precision_stay_in_it(fn):
    def f(x):
        return fn(x) if fn.__name__.startswith("nan") else fn(x, where=x > 0.0)

    x = X.astype(np.float32)
    for value, found in (value_and_grad(f)(x), tape.value_and_grad(f)(x)):
        assert value.dtype == np.float32 and found.dtype == np.float32
        assert value == pytest.approx(f(x), rel=1e-6)


CHOSEN = {
    "max with an integer": lambda x: max(x, 3) * x,
    "max of a list": lambda x: math.sin(max([x, 3])),
    "max of three": lambda x: max(1, x * x, 3),
    "min of max": lambda x: min(max(x, 0), 10) * x,
    "max with a whole number of it": lambda x: max(int(x), x),
    "max of computed things": lambda x: sum(max(v, 4) * v for v in [x, -x, 2 * x]),
}


@pytest.mark.parametrize("function", CHOSEN.values(), ids=CHOSEN)
@pytest.mark.parametrize("x", [5.3, 2.2, -1.7])
def test_what_is_chosen_among_numbers_of_different_kinds(function, x):
    """No example tells whether `max(x, 3)` is a float: it was taken for an integer."""
    slope = (function(x + 1e-6) - function(x - 1e-6)) / 2e-6
    value, found = value_and_grad(function)(x)
    assert value == function(x)
    assert found == pytest.approx(slope, abs=1e-7)
    assert jvp(function, (x,), (1.0,))[1] == pytest.approx(slope, abs=1e-7)


# 56 ------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "f, at, slope",
    [
        (lambda y: np.sum(np.nan_to_num(HOLES, nan=y, posinf=3.0) ** 2), 0.7, 1.4),
        (lambda y: np.sum(np.nan_to_num(HOLES, nan=1.0, posinf=y) ** 2), 0.7, 1.4),
        (lambda y: np.sum(np.nan_to_num(-HOLES, nan=1.0, neginf=y) ** 2), 0.7, 1.4),
        (lambda p: np.sum(np.unwrap(TURNS, period=p) ** 2), 2.3, 1.0),
        (lambda p: np.sum(np.unwrap(-TURNS, period=p) ** 2), 2.3, 1.0),
    ],
)
def test_56_what_stands_in_for_holes_and_the_period_have_a_slope(f, at, slope):
    assert f(at + 1e-6) - f(at - 1e-6) == pytest.approx(2e-6 * slope, rel=1e-5)
    for found in (grad(f)(at), jvp(f, (at,), (1.0,))[1]):
        assert found == pytest.approx(slope)


HOLES = np.array([0.5, np.nan, 0.3, np.inf])
TURNS = np.array([0.0, 3.0, 0.5, 4.0])


# 57 ------------------------------------------------------------------------------------------
def _count(a):
    return np.sum(a > 0)


LENGTHS_OF_VALUES = {
    "arange of a count": lambda a, k: np.sum(np.arange(_count(a)) * a[1] + a[0]),
    "arange of a place": lambda a, k: np.sum(np.arange(np.argmax(a), 5) * a[1] + a[0]),
    "arange of a product": lambda a, k: np.sum(np.arange(np.prod(a.shape)) * a[1] + a[0]),
    "arange of an item": lambda a, k: np.sum(np.arange(np.argsort(a)[0]) * a[1] + a[0]),
    "arange of a small integer": lambda a, k: np.sum(np.arange(np.int8(k)) * a[1] + a[0]),
    "arange that may be empty": lambda a, k: np.sum(np.arange(k, 5) * a[1] + a[0]),
    "arange in steps": lambda a, k: np.sum(np.arange(1, k, 2) * a[1] + a[0]),
    "identity": lambda a, k: np.sum(np.identity(_count(a)) + a[0] * a[1]),
    "eye": lambda a, k: np.sum(np.eye(_count(a), 2) * a[0] + a[1]),
    "tri": lambda a, k: np.sum(np.tri(_count(a)) + a[0] * a[1]),
    "indices": lambda a, k: np.sum(np.indices((_count(a), 2)) * a[1] + a[0]),
    "fft": lambda a, k: np.sum(np.fft.fft(a, _count(a)).real * a[1] + a[0]),
    "tile": lambda a, k: np.sum(np.tile(a, (_count(a), 1)) * a[1] + a[0]),
    "an array of lengths": lambda a, k: np.sum(np.zeros(np.array([2, abs(k)])) * a[1] + a[0]),
    "places that a number leaves": lambda a, k: np.sum(np.tril_indices(3, k - 2)[0] + a[0]),
    "diagonal that may be empty": lambda a, k: np.sum(np.diagonal(np.ones((3, 3)), k % 3) + a[0]),
    "differences": lambda a, k: np.sum(np.diff(np.ones(3) * a[1] * a[2], abs(k) % 3) + a[0]),
    "floor": lambda a, k: np.sum(np.ones(math.floor(a[2])) * a[1] + a[0]),
    "ceil": lambda a, k: np.sum(np.arange(math.ceil(a[2])) * a[1] + a[0]),
    "round": lambda a, k: np.sum(np.ones((2, round(a[2]))) * a[1] + a[0]),
    "truth as a number": lambda a, k: np.sum(np.ones(1 + (k > 2)) * a[1] + a[0]),
    "truth of an item": lambda a, k: np.sum(np.ones(1 + int(a[0] > 0)) * a[1] + a[0]),
    "mean": lambda a, k: np.mean((np.arange(_count(a)) + a[1] * a[0]) ** 2),
    "std": lambda a, k: np.std(np.arange(_count(a)) * a[1] * a[0]),
    "whole number that decides": lambda a, k: a[0] * 100 if math.floor(a[2]) == 1 else a[1] * a[2],
    "whole number as an index": lambda a, k: a[round(a[2])] * a[math.floor(a[0])] * a[2],
    "loop": lambda a, k: sum(np.arange(n) @ (np.arange(n) * a[1] + a[0]) for n in np.array([2, 4])),
}


@pytest.mark.parametrize("f", LENGTHS_OF_VALUES.values(), ids=LENGTHS_OF_VALUES)
@pytest.mark.parametrize("k", [3, 0, -2, 1, 6])
def test_57_lengths_that_values_decide(f, k):
    """Examples of NumPy's integers were all 1, and `math.floor` of an example always the same: so
    `np.arange(np.sum(a > 0))` was taken for one item, and `math.floor(a[2]) == 1` for true."""
    a = np.array([0.3, -1.2, 3.1, 0.8, 1.7])
    steps = 1e-6 * np.eye(5)
    slopes = np.array([(f(a + step, k) - f(a - step, k)) / 2e-6 for step in steps])
    assert grad(f)(a, k) == pytest.approx(slopes, abs=1e-6)
    assert jvp(lambda a: f(a, k), (a,), (np.arange(5.0),))[1] == pytest.approx(
        slopes @ np.arange(5.0), abs=1e-5
    )


LENGTHS_OF_SHORT_ARRAYS = {
    "diagonal": lambda x: np.sum(np.diagonal(np.stack([x, x**2, x**3])) + x[0]),
    "diag": lambda x: np.sum(np.diag(np.stack([x, x**2, x**3]), 1) * x[1] + x[0]),
    "singular values": lambda x: np.sum(
        np.linalg.svd(np.stack([x, x**2, x**3 + 1]), compute_uv=False) + x[0]
    ),
    "places under a diagonal": lambda x: np.sum(
        np.tril_indices_from(np.ones((3, 1)) * x, 1)[0] + x[0]
    ),
    "whole numbers of constants": lambda x: np.sum(np.ones(math.ceil(1.5)) * x[1] + x[0]),
    "a constant that decides": lambda x: x[0] if math.floor(2.7) == 1 else x[1] ** 2,
}


@pytest.mark.parametrize("f", LENGTHS_OF_SHORT_ARRAYS.values(), ids=LENGTHS_OF_SHORT_ARRAYS)
@pytest.mark.parametrize("x", [np.array([0.7, 1.3]), np.array([0.7, 1.3, -0.6, 0.4, 0.9])])
def test_57_lengths_that_only_short_arrays_show(f, x):
    """The examples had at least five items: the diagonal of three rows was never shorter."""
    slopes = [(f(x + s) - f(x - s)) / 2e-6 for s in 1e-6 * np.eye(len(x))]
    assert grad(f)(x) == pytest.approx(slopes, abs=1e-6)
    assert jvp(f, (x,), (np.ones_like(x),))[1] == pytest.approx(np.sum(slopes), abs=1e-6)
