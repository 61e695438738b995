"""The traps that were met while this was designed, each with programs that fall into it.

Most are functions under `@trap(row, *arguments)`; one test differentiates each of them in every
mode and compares with differences. Traps that differences cannot see are tests of their own.
"""

# ruff: noqa: B007, F841

import copy
import math
from dataclasses import dataclass

import numpy as np
import pytest

from adcompiler import grad, hessian, jvp, value_and_grad, vjp
from adcompiler.errors import AdcompilerError
from tests.fuzz.agreement import FIRST_ORDER, MODES, assert_agrees


@dataclass(frozen=True)
class Trap:
    row: str
    function: object
    arguments: tuple
    smooth: bool
    may_refuse: bool


TRAPS: list[Trap] = []


def trap(row, *arguments, smooth=True, may_refuse=False):
    """Register the function below. `may_refuse`: an error of the compiler would do as well."""

    def register(function):
        TRAPS.append(Trap(row, function, arguments, smooth, may_refuse))
        return function

    return register


def a4():
    return np.array([0.7, -0.4, 1.2, 0.9])


def b4():
    return np.array([-0.3, 1.1, 0.6, -0.8])


def m3():
    return np.array([[1.3, 0.4, -0.2], [0.5, -1.7, 0.8], [0.3, 0.6, 2.1]])


# -- both branches of a reversed If give the same adjoint value, and it is dropped --------------


@trap("same adjoint in both branches", 0.6, 1.3)
def branches_with_one_adjoint(x, y):
    if x > 0.5:
        z = x + y
    else:
        z = y + x
    return z * y


@trap("same adjoint in both branches", 0.6, 1.3)
def branches_that_pass_on(x, y):
    if x > 0.5:
        u, v = x, y
    else:
        u, v = y, x
    return u * u * v


@trap("same adjoint in both branches", 0.6, 1.3)
def branch_and_no_branch(x, y):
    z = x
    w = y
    if y > 1:
        w = z
    return z * 2 + w * z


@trap("same adjoint in both branches", a4())
def branches_with_one_adjoint_in_a_loop(a):
    s = 0.0
    t = 1.0
    for value in a:
        if value > 0.8:
            s, t = s + value, t
        elif value > 0:
            s, t = t, s + value
        else:
            s = s + value
    return s * t * t


# -- a restore moved past its reader in a nested branch; pop from an empty list ------------------


@trap("restore and reader in nested branches", a4())
def store_in_a_nested_branch(a):
    s = 0.0
    for i in range(3):
        if a[i] > -0.5:
            s += a[i] * a[i + 1]
            if i != 1:
                a[i + 1] = s * a[i]
            s *= a[i + 1]
        else:
            a[i] = s
    return s + np.sum(a * a)


@trap("restore and reader in nested branches", a4(), b4())
def store_in_one_branch_read_in_the_next(a, b):
    for i in range(4):
        if i % 2:
            if b[i] > 0:
                a[i] = a[i - 1] * b[i]
        else:
            b[i] *= a[i]
        a[0] = a[i] * b[0]
    return np.sum(a * b)


@trap("restore and reader in nested branches", a4())
def save_under_a_branch_not_taken(a):
    s = 1.0
    for i in range(4):
        if a[i] > 5:
            s = s * a[i]
        for j in range(i):
            if j == 1:
                s = s * math.sin(s + a[j])
                continue
            if j == 2:
                break
            s += a[j] * s
    return s


# -- the backward sweep reads a flag, a bound or an index in its final state ---------------------


@trap("final state", a4())
def flag_changed_behind_its_test(a):
    up = a[0] > 0
    if up:
        s = a[0] * a[1]
    else:
        s = a[2]
    up = not up
    if up:
        s = s * s
    return s * a[3]


@trap("final state", a4())
def condition_on_a_value_that_the_branch_changes(a):
    s = 0.5
    for value in a:
        if s < 1.0:
            s = s + value * value
        else:
            s = s * 0.3 - value
    return s


@trap("final state", a4())
def bound_changed_behind_its_loop(a):
    n = 3
    s = 1.0
    for i in range(n):
        n = i
        s = s * a[i] + a[n]
    n = 0
    return s * a[n]


@trap("final state", a4())
def index_changed_behind_its_use(a):
    k = 1
    s = a[k] * a[k + 1]
    k = 3
    a[k] = s * a[k]
    s *= a[k]
    k = 0
    return s * a[k]


@trap("final state", a4())
def index_carried_through_a_loop(a):
    k = 0
    for _ in range(5):
        a[k] = a[k] * a[(k + 1) % 4]
        k = (k + 3) % 4
    return np.sum(a) + a[k]


@trap("final state", a4())
def slice_bound_that_moves(a):
    k = 1
    s = 0.0
    while k < 4:
        s += np.sum(a[:k] * a[:k]) * a[k]
        a[:k] *= 0.5
        k += 1
    return s


@trap("final state", a4())
def condition_on_an_element_that_is_overwritten(a):
    if a[0] > 0.5:
        a[0] = a[1] * a[2]
    else:
        a[0] = a[3]
    if a[0] > 0.5:
        a[1] *= a[0]
    return np.sum(a * a)


# -- names bound in a `while` test get the previous iteration's value ----------------------------


@trap("names bound in a while test", 0.7)
def walrus_read_in_the_body_and_behind(x):
    y = 2.0 + x
    while (gap := y * y - x) > 0.3:
        y = y - 0.3 * gap / y
    return y * gap + gap


@trap("names bound in a while test", 0.7)
def walrus_with_a_break(x):
    y = 2.0 + x
    k = 0
    while (gap := math.sin(y) * y) > 0.1:
        y = y * 0.9 + 0.01 * gap
        k += 1
        if k == 3:
            break
    return y * gap


@trap("names bound in a while test", a4())
def walrus_on_an_element_that_the_body_writes(a):
    i = 0
    while (v := a[i] * a[i + 1]) < 0.9 and i < 2:
        a[i + 1] = v + a[i]
        i += 1
    return v * a[0] + np.sum(a * a)


@trap("names bound in a while test", 0.7)
def walrus_without_trips(x):
    while (y := x * x) > 3:
        x = x * 0.5
    return y * x


# -- alias classes must include back edges -------------------------------------------------------


@trap("aliases over back edges", a4())
def two_names_on_one_array_both_rebound(a):
    b = a
    for i in range(3):
        b[i] = a[i + 1] * b[i]
        a = a * 0.9
        b = b + a
    return np.sum(a * b)


@trap("aliases over back edges", a4(), b4())
def alias_at_the_end_of_a_body(a, b):
    for i in range(3):
        a[i] = a[i] * b[i + 1]
        b[3] = a[0] * b[3]
        a = b
    return np.sum(a * a) + np.sum(a * b)


@trap("aliases over back edges", a4(), b4())
def swapped_parameters_that_write_the_caller(a, b):
    for i in range(3):
        a[i] = b[i] * a[i + 1]
        b[0] += a[i]
        a, b = b, a
    return np.sum(a * np.arange(4.0)) + np.sum(b * b)


def callee_that_swaps(u, v):
    for i in range(2):
        u[i] = v[i + 1] * u[3]
        u, v = v, u
    return u


@trap("aliases over back edges", a4(), b4())
def callee_that_swaps_and_writes(a, b):
    c = callee_that_swaps(a, b)
    c[0] = 2 * b[1]
    d = callee_that_swaps(b, b)
    d *= a
    return np.sum(a * b) + np.sum(c)


@trap("aliases over back edges", a4(), b4())
def alias_that_a_later_trip_takes(a, b):
    c = a * 2
    for i in range(4):
        c[i] += b[0]
        if i == 1:
            c = a
        elif i == 2:
            c = b[::-1]
    return np.sum(a * b) + np.sum(c * c)


@trap("aliases over back edges", a4(), b4())
def rotation_of_three(a, b):
    c = a + b
    for i in range(4):
        a[i] = b[i] * c[0]
        a, b, c = b, c, a
    return np.sum(a * b * c)


@trap("aliases over back edges", a4(), b4())
def branch_bound_alias(a, b):
    for i in range(4):
        if b[i] > 0:
            v = a
        else:
            v = b
        v[0] = v[i] * a[1]
        v[i] += 0.5
    return np.sum(a * a * b)


# -- a save of y[:k] elided into a save of the view ----------------------------------------------


@trap("save of a view", a4(), b4())
def slice_saved_before_its_owner_changes(x, y):
    s = 0.0
    for k in range(1, 4):
        s += np.sum(y[:k] * x[:k]) * x[k]
        y[:k] = np.sin(y[:k] * s)
    return s


@trap("save of a view", a4())
def view_used_before_and_after_a_write(y):
    part = y[1:3]
    s = np.sum(part * part)
    y *= y
    return s * np.sum(part * part)


@trap("save of a view", m3())
def rows_saved_while_the_matrix_changes(A):
    kept = []
    for i in range(3):
        kept.append(A[i] * 1.0)
        row = A[i]
        A[(i + 1) % 3] += row * row[0]
    return np.sum(kept[0] * kept[1] * kept[2]) + np.sum(A)


@trap("save of a view", m3())
def rows_kept_as_views_while_the_matrix_changes(A):
    kept = []
    for i in range(3):
        kept.append(A[i])
        A[(i + 1) % 3] += A[i] * A[i, 0]
    return np.sum(kept[0] * kept[1] * kept[2]) + np.sum(A)


# -- a view of a view written through the outer one ----------------------------------------------


@trap("view of a view", a4())
def outer_view_written(a):
    inner = a[1:][1:]
    outer = a[1:]
    s = inner @ inner
    outer[1] = a[0] * outer[2]
    outer *= inner[0]
    return s * np.sum(inner) + np.sum(a * a)


@trap("view of a view", m3())
def nameless_views_written(A):
    A[1][2] = A[0][1] * A[2][0]
    A.T[0][1:] *= A[1, 1:]
    A[1:][0][:2] += A[0][0]
    return np.sum(A * A)


@trap("view of a view", m3())
def transposed_view_of_rows(A):
    B = A[:2]
    C = B.T
    C[0] = C[1] * C[2]
    B[1] *= A[2]
    return np.sum(A * A) + C[0] @ C[1]


# -- an adjoint recomputed from an operand that its own statement overwrites ---------------------


@trap("operand overwritten by its own statement", a4())
def element_times_itself(a):
    a[1] = a[1] * a[1]
    a[2] *= a[2]
    a[3] = math.exp(a[3]) * a[3]
    return np.sum(a * a)


@trap("operand overwritten by its own statement", a4())
def array_times_itself(a):
    a *= a
    a /= 1.0 + a
    a[:] = np.tanh(a) * a
    return np.sum(a)


@trap("operand overwritten by its own statement", a4())
def array_divided_by_its_element(a):
    a /= a[0]
    a[1:] -= a[1] * a[1:]
    return np.sum(a * a)


@trap("operand overwritten by its own statement", a4())
def shifted_onto_itself(a):
    a[1:] = a[:-1] * a[1:]
    a[:-1] += a[1:]
    a[::2] *= a[1::2]
    return np.sum(a * a)


@trap("operand overwritten by its own statement", a4(), b4())
def result_into_an_operand(a, b):
    np.multiply(a, b, out=a)
    np.sin(b, out=b)
    np.subtract(b, a, out=b)
    return np.sum(a * b)


# -- two trip counters, or slots of two orders, under one name -----------------------------------


@trap("two loops", 0.6, 0.9)
def two_whiles_in_a_row(x, y):
    while x < 2:
        x = x * 1.4 + y
    while y < 3:
        y = y + x * y
    return x * y


@trap("two loops", 0.6, 0.9)
def while_in_a_while(x, y):
    i = 0
    while i < 3:
        while x < 2 + i:
            x = x * 1.3 + 0.2 * y
        y = y * x
        x = math.sin(x)
        i += 1
    return x * y


@trap("two loops", a4())
def same_names_in_two_loops(a):
    s = 1.0
    for i in range(4):
        t = s * a[i]
        s = math.sin(t) + t
    for i in range(4):
        t = s + a[i]
        s = t * t * 0.3
    return s


@trap("two loops", 0.4)
def loop_in_a_loop_with_saves(x):
    s = x
    for i in range(3):
        s = math.sin(s) + s * s
        for j in range(i + 1):
            s = math.cos(s) * s
    return s


# -- B.T.reshape(4) treated as a view; overlapping stores with different strides -----------------


@trap("maybe a view", m3(), may_refuse=True)
def reshape_that_copies(A):
    flat = A.T.reshape(9)
    flat[1] = 5.0 * A[0, 0]
    return np.sum(A * A) + np.sum(flat * flat)


@trap("maybe a view", m3(), may_refuse=True)
def reshape_that_is_a_view(A):
    flat = A.reshape(9)
    flat[1] = 5.0 * A[0, 0]
    rows = flat.reshape(3, 3)
    rows[2] *= A[1]
    return np.sum(A * A) + np.sum(flat * flat)


@trap("maybe a view", m3(), may_refuse=True)
def ravel_of_either_kind(A):
    A.ravel()[4] *= A[0, 1]
    A.T.ravel()[2] = 7.0
    A[:, 1:].reshape(-1)[0] = 9.0
    A[1:].ravel()[0] += A[0, 2]
    return np.sum(A * A)


@trap("maybe a view", a4(), may_refuse=True)
def reshape_of_a_strided_view(a):
    part = a[::2].reshape(2, 1)
    part[0] = a[1] * a[2]
    whole = a[::-1].reshape(2, 2)
    whole[1] *= 2.0
    return np.sum(a * a) + np.sum(part) + np.sum(whole)


@trap("overlapping stores", m3(), may_refuse=True)
def column_from_a_row(M):
    M[:, 2] = M[1]
    return np.sum(M * np.arange(9.0).reshape(3, 3))


@trap("overlapping stores", m3(), may_refuse=True)
def matrix_from_its_transpose(M):
    M[:] = M.T
    M[0] += M[:, 0]
    return np.sum(M * np.arange(9.0).reshape(3, 3))


@trap("overlapping stores", a4())
def overlapping_slices_with_one_stride(a):
    a[1:] = a[:-1]
    a[:2] = a[1:3]
    a[::-1][1:] = a[:3]
    return np.sum(a * a * np.arange(4.0))


# -- keywords, and defaults bound in an outer scope ----------------------------------------------


@trap("keywords", m3(), may_refuse=True)
def flip_along_an_axis(A):
    return np.sum(np.flip(A, axis=0) * A) + np.sum(np.flip(A, 1)[0] * A[1]) + np.flip(A)[0, 1]


@trap("keywords", a4(), b4(), may_refuse=True)
def ufunc_with_where(a, b):
    c = np.ones(4)
    np.multiply(a, b, out=c, where=a > 0)
    d = np.sqrt(a, where=a > 0, out=np.full(4, 0.5))
    return np.sum(c * a) + np.sum(d)


@trap("keywords", m3(), may_refuse=True)
def reductions_with_keywords(A):
    rows = np.sum(A * A, axis=1, keepdims=True)
    columns = A.mean(axis=0, keepdims=True)
    spread = np.var(A, axis=1, ddof=1) + A.std(0)
    part = np.sum(A, initial=2.0) * np.max(A, axis=-1, initial=-3.0)[0]
    return np.sum(rows * columns) + spread @ spread + part


@trap("keywords", m3(), may_refuse=True)
def reductions_with_where(A):
    kept = np.array([[True, False, True]] * 3)
    return np.sum(A, where=kept) * np.mean(A, where=kept, axis=0)[0]


@trap("keywords", m3(), may_refuse=True)
def other_keywords(A):
    order = np.ravel(A, order="F") @ np.reshape(A, 9, order="F")
    moved = np.roll(A, 1, axis=1)[0, 0] + np.cumsum(A, axis=1)[2, 1]
    joined = np.concatenate((A, A), axis=1)[0] @ np.stack((A[0], A[1]), axis=1).ravel()
    difference = np.diff(A, n=2, axis=0)[0, 0] + np.clip(A, a_min=None, a_max=0.45).sum()
    return order + moved + joined + difference


scale = 2.0


def helper_with_default(x, factor=scale):
    return x * x * factor


scale = 7.0


@trap("default of an outer scope", 0.6)
def default_bound_when_it_was_defined(x):
    return helper_with_default(x) + helper_with_default(x, factor=x)


def _made(c):
    def made(x, factor=c * 2):
        c = 3.0
        return x**factor * c

    return made


TRAPS.append(Trap("default of an outer scope", _made(1.5), (0.7, 3.0), True, False))


@trap("default of an outer scope", 0.6)
def default_of_a_local_function(x):
    c = 2.0 * x

    def local(y, factor=c):
        return y * factor

    c = 5.0
    return local(x) + c


# -- loops that run zero times; a name unassigned on a path in second order ----------------------


@trap("zero trips", 0.6, 0.9, 0)
def no_trips_at_all(x, y, n):
    z = x * y
    for i in range(n):
        z = math.sin(z) * i
        w = z * y
    while z > 5:
        z = z * 0.5
    return z * x


@trap("zero trips", a4())
def inner_loop_without_trips_at_first(a):
    s = 0.5
    for i in range(4):
        for j in range(i):
            last = a[j] * s
            s = s + last * a[i]
        if i > 0:
            s = s + last
    return s


@trap("zero trips", a4())
def empty_slices(a):
    s = 0.0
    for i in range(4):
        s += a[:i] @ a[:i] + np.sum(a[i + 1 :] * a[i])
        a[:i] *= 2.0
        a[2:2] = 3.0
    return s + np.sum(a)


@trap("unassigned on a path", 0.6, 0.9)
def name_assigned_in_one_branch(x, y):
    if x > 0.5:
        z = math.sin(x * y)
    if x > 0.4 and y > 0.1:
        if x > 0.5:
            y = y * z * z
    return x * y


@trap("unassigned on a path", a4())
def name_assigned_in_some_trip(a):
    s = 1.0
    for i in range(4):
        if i == 1:
            t = math.sin(a[i] * s)
        if i > 1:
            s = s + t * t * a[i]
    return s * s


@trap("unassigned on a path", a4())
def array_born_in_some_trip(a):
    s = 1.0
    for i in range(4):
        if i == 1:
            t = np.zeros(4)
            t[0] = a[1] * s
        if i > 1:
            t[i] = t[0] * a[i]
            s = s + t[i] * t[i]
    return s * s


@pytest.mark.parametrize("n", [0, 2])
def test_name_that_may_be_unassigned_raises_as_python_does(n):
    def f(x, n):
        for i in range(n):
            y = x * i + x * x
        return y * x

    if n:
        assert_agrees(f, 0.7, n)
        return
    with pytest.raises((UnboundLocalError, AdcompilerError)):
        grad(f)(0.7, n)
    with pytest.raises((UnboundLocalError, AdcompilerError)):
        jvp(f, (0.7, n), (1.0, 0))


def test_name_that_is_never_assigned_is_refused():
    def f(x):
        return x * undefined_name  # noqa: F821

    with pytest.raises((NameError, AdcompilerError)):
        grad(f)(0.7)


# -- contributions wiped by zeroing after accumulating -------------------------------------------


@trap("zeroing after accumulating", m3())
def lu_with_diagonal_included(A):
    n = len(A)
    for j in range(n):
        for i in range(j, n):
            A[i, j] /= A[j, j] + 2.0
            A[j, j] *= A[i, j]
    return np.sum(A * A)


@trap("zeroing after accumulating", a4())
def places_that_coincide_at_run_time(a):
    for i in range(4):
        k = (i * i) % 4
        a[i] = a[i] + a[k] * 2
        a[k] *= a[i]
    return np.sum(a * a)


@trap("zeroing after accumulating", a4())
def overlapping_operands(a):
    a[1:3] = a[0:2] * a[2:4]
    a[:] = a[::-1] * a
    a[0] = a[0] + a[0]
    return np.sum(a * a)


# -- a second pullback after a destructive first; the user's result changed by rollback ----------


def written_result(x):
    y = np.zeros(4)
    for i in range(4):
        y[i] = x[i] * y[i - 1] + x[0]
        y *= y
    return y


def test_pullback_may_be_called_again():
    x = a4()
    value, pull = vjp(written_result, x)
    expected = written_result(a4())
    np.testing.assert_allclose(value, expected)
    first = pull(np.ones(4))
    np.testing.assert_allclose(value, expected)
    np.testing.assert_array_equal(first[0], pull(np.ones(4))[0])
    np.testing.assert_allclose(pull(2 * np.ones(4))[0], 2 * first[0])
    basis = [pull(row)[0] for row in np.eye(4)]
    np.testing.assert_allclose(np.sum(basis, axis=0), first[0])


def test_inputs_may_change_between_pullbacks():
    def f(x, y):
        return np.sum(x * x * y)

    x, y = a4(), b4()
    _, pull = vjp(f, x, y)
    first = pull(1.0)
    x[:] = 0
    y[:] = 0
    second = pull(1.0)
    np.testing.assert_allclose(first[0], 2 * a4() * b4())
    np.testing.assert_array_equal(first[0], second[0])
    np.testing.assert_array_equal(first[1], second[1])


def test_result_is_not_rolled_back():
    def f(x):
        x[0] = x[1] * x[2]
        x *= x
        return np.sum(x), x

    def total(x):
        return f(x)[0]

    value, pull = vjp(f, a4())
    expected = copy.deepcopy(f(a4()))
    pull((1.0, np.ones(4)))
    np.testing.assert_allclose(value[1], expected[1])
    value, _ = value_and_grad(total)(a4())
    np.testing.assert_allclose(value, expected[0])


def test_out_of_the_user_is_left_as_the_primal_call_leaves_its_arguments():
    def f(x, out):
        np.multiply(x, x, out=out)
        out *= out
        return np.sum(out)

    x, out = a4(), np.full(4, 9.0)
    gradient = grad(f)(x, out)
    np.testing.assert_allclose(gradient, 4 * a4() ** 3)
    np.testing.assert_array_equal(x, a4())
    np.testing.assert_array_equal(out, np.full(4, 9.0))


def test_lists_and_dicts_of_the_caller_are_left_alone():
    def f(values, state):
        values.append(values[0] * 2)
        values[0] = state["x"] * values[1]
        state["x"] = values[0]
        state["new"] = 1.0
        return values[0] * values[-1] + state["x"]

    values, state = [1.5, 0.5], {"x": 2.0}
    grad(f, argnums=(0, 1))(values, state)
    assert values == [1.5, 0.5]
    assert state == {"x": 2.0}
    assert_agrees(f, [1.5, 0.5], {"x": 2.0}, modes=FIRST_ORDER)


# -- Hessian at a point where the adjoint is 0 and the partial infinite --------------------------


@trap("zero adjoint", 0.0, 1.7)
def zero_adjoint_and_finite_partial(y, x):
    return y * np.sqrt(x) + y * y * np.log(x)


def test_zero_adjoint_meets_no_pole():
    x = np.array([0.0, 4.0])

    def one_root(x):
        return np.sqrt(x)[1]

    np.testing.assert_allclose(grad(one_root)(x), [0.0, 0.25])
    np.testing.assert_allclose(hessian(one_root)(x), [[0, 0], [0, -1 / 32]])
    np.testing.assert_allclose(jvp(one_root, (x,), (np.array([0.0, 1.0]),))[1], 0.25)

    def masked_root(x):
        return np.sum(np.where(x > 0, np.sqrt(x), 0))

    np.testing.assert_allclose(grad(masked_root)(x), [0.0, 0.25])
    np.testing.assert_allclose(hessian(masked_root)(x), [[0, 0], [0, -1 / 32]])


def test_product_with_zeros():
    x = np.array([0.0, 2.0, 3.0])
    np.testing.assert_allclose(grad(np_prod)(x), [6.0, 0.0, 0.0])
    np.testing.assert_allclose(hessian(np_prod)(x), [[0, 3, 2], [3, 0, 0], [2, 0, 0]])
    x = np.array([0.0, 0.0, 3.0])
    np.testing.assert_allclose(grad(np_prod)(x), [0.0, 0.0, 0.0])
    np.testing.assert_allclose(hessian(np_prod)(x), [[0, 3, 0], [3, 0, 0], [0, 0, 0]])


def np_prod(x):
    return np.prod(x)


def test_norm_at_zero_has_a_finite_gradient():
    def f(x):
        return np.linalg.norm(x)

    assert np.all(np.isfinite(grad(f)(np.zeros(3))))


def test_root_at_zero_is_infinite_where_its_adjoint_is_not_zero():
    def f(x):
        return np.sqrt(x)

    with np.errstate(divide="ignore"):
        assert grad(f)(0.0) == np.inf


# -- two np.zeros merged; a random draw recomputed or dropped ------------------------------------


@trap("identity", a4())
def buffers_that_look_alike(a):
    b = np.zeros(4)
    c = np.zeros(4)
    d = np.zeros_like(a)
    e = np.zeros_like(a)
    b[0] = a[1] * a[0]
    c[0] = a[2]
    d[:] = b * a
    e[1:] = d[:-1] + c[1:]
    return np.sum(b * c) + np.sum(d) + np.sum(e * a)


@trap("identity", a4())
def copies_that_look_alike(a):
    b = a.copy()
    c = a.copy()
    b[0] = 2 * a[1]
    c[1] *= b[0]
    xs = []
    ys = []
    xs.append(b[0])
    ys.append(c[1])
    return np.sum(a * b * c) + sum(xs) * sum(ys)


@trap("identity", a4())
def buffers_made_in_a_loop(a):
    s = 0.0
    held = []
    for i in range(3):
        b = np.zeros(2)
        b[i % 2] = a[i] * a[i + 1]
        held.append(b)
        s += np.sum(b * b)
    return s + np.sum(held[0] * held[2])


def test_random_draws_happen_once_and_in_order():
    def f(x):
        r = np.random.random()
        np.random.random()  # dropped by nobody, as the next draw depends on it
        if x > 0:
            r = r * np.random.random()
        return r * x * x + np.random.random() * x

    np.random.seed(3)
    expected = f(0.7)
    after = np.random.random()
    np.random.seed(3)
    value, gradient = value_and_grad(f)(0.7)
    assert np.random.random() == after
    assert value == pytest.approx(expected, rel=1e-14)
    np.random.seed(3)
    r = np.random.random()
    np.random.random()
    r *= np.random.random()
    assert gradient == pytest.approx(2 * r * 0.7 + np.random.random(), rel=1e-12)


def test_output_is_printed_once(capsys):
    def f(x):
        y = x * x
        print("at", x)
        return y * x

    grad(f)(0.5)
    assert capsys.readouterr().out == "at 0.5\n"


# -- repeated indices ----------------------------------------------------------------------------


@trap("repeated indices", a4(), np.array([0.4, 1.3]))
def last_store_wins(a, v):
    a[[0, 0]] = v
    a[[1, 2, 1]] = a[[0, 3, 2]] * v[0]
    return np.sum(a * a)


@trap("repeated indices", a4(), np.array([0.4, 1.3, -0.6]))
def augmented_with_repeats(a, v):
    index = np.array([1, 3, 1])
    a[index] += v
    a[index] *= v[0] + a[0]
    a[[2, 2]] -= a[[2, 0]] * v[1:]
    return np.sum(a * a)


@trap("repeated indices", a4(), np.array([2, 2, 0, 2]))
def gather_with_repeats(a, index):
    b = a[index]
    c = np.take(a, index[1:])
    return np.sum(b * b * b) + np.sum(c * c) * a[index][1]


@trap("repeated indices", a4(), np.array([0.4, 1.3, -0.6]))
def accumulated_at(a, v):
    index = np.array([1, 3, 1])
    np.add.at(a, index, v * v)
    return np.sum(a * a * a)


@trap("repeated indices", m3(), np.array([0.4, 1.3]))
def rows_and_pairs_with_repeats(A, v):
    rows, columns = np.array([0, 2, 0]), np.array([1, 1, 1])
    s = np.sum(A[rows] * A[columns]) + np.sum(A[rows, columns] ** 2)
    A[rows, columns] = np.array([v[0], v[1], v[0] * v[1]])
    A[[1, 1], :2] += v
    A[:, [0, 0]] *= 2 * v
    return s + np.sum(A * A)


@trap("repeated indices", m3(), np.array([0.4, 1.3, 0.2]))
def masks(A, v):
    A[A > 1] = 0.5 * v[0]
    A[:, v > 0.3] *= v[:2]
    return np.sum(A * A) + np.sum(v[v > 0.3] ** 2)


# -- math.exp put where the user wrote np.exp ----------------------------------------------------


def test_functions_of_numpy_stay_functions_of_numpy():
    def f(x):
        return np.exp(x) * 0.0 + np.log(x * 0.0) * 0.0 + x

    with np.errstate(all="ignore"):
        assert np.isnan(f(800.0))
        value, _ = value_and_grad(f)(800.0)
        assert np.isnan(value)
        assert np.isnan(jvp(f, (800.0,), (1.0,))[0])


def test_functions_of_math_stay_functions_of_math():
    def f(x):
        return math.exp(x)

    with pytest.raises(OverflowError):
        grad(f)(800.0)
    with pytest.raises(ValueError):
        grad(lambda x: math.log(x))(0.0)


def exponentials(x):
    return np.exp(x) + np.cosh(x)


def logarithm(x):
    return np.log(x)


def root(x):
    return x**0.5


def arcsine(x):
    return np.arcsin(1 - x)


@pytest.mark.parametrize(
    "f, x, expected",
    [(exponentials, 800.0, np.inf), (logarithm, 0.0, np.inf), (root, 0.0, np.inf),
     (arcsine, 0.0, -np.inf)],
)  # fmt: skip
def test_backward_sweep_does_not_raise_where_the_primal_does_not(f, x, expected):
    """A partial of Python floats would divide by zero, where NumPy's is infinite."""
    with np.errstate(all="ignore"):
        assert grad(f)(x) == expected


def test_division_by_zero_follows_the_kind_of_the_number():
    def f(x, y):
        return x / y

    with pytest.raises(ZeroDivisionError):
        grad(f)(1.0, 0.0)
    with np.errstate(all="ignore"):
        assert grad(f)(np.float64(1.0), np.float64(0.0)) == np.inf


# -- all of the above ----------------------------------------------------------------------------


def _name(case):
    return f"{case.row}: {case.function.__name__}"


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("case", TRAPS, ids=_name)
def test_trap(case, mode):
    if mode == "second" and not case.smooth:
        pytest.skip("no second derivatives here")
    try:
        assert_agrees(case.function, *copy.deepcopy(case.arguments), modes=(mode,))
    except AdcompilerError:
        if not case.may_refuse:
            raise
