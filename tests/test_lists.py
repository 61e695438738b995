"""Lists: what is refused, with its line and remedy, and what Python itself raises."""

import inspect
from dataclasses import dataclass

import numpy as np
import pytest

from adcompiler import AdcompilerError, grad, jvp
from tests.differences import slope

X = np.array([0.7, -1.3, 2.1, 0.4])


@dataclass
class Held:
    a: float


def changed_after_it_was_put_in(x):
    rows = []
    d = {"v": x[0]}
    for _ in range(3):
        rows.append(d)
        d["v"] = d["v"] * 2  # here
    return sum(r["v"] for r in rows)


def changed_before_it_is_put_in_again(x):
    rows = []
    d = {"v": x[0]}
    for _ in range(3):
        d["v"] = d["v"] * 2  # here
        rows.append(d)
    return sum(r["v"] for r in rows)


def changed_where_it_was_read(x):
    rows = []
    for v in x:
        rows.append(Held(v))
    rows[0].a = x[1] ** 2  # here
    return sum(r.a**2 for r in rows)


def changed_as_one_of_several(x):
    rows = []
    for v in x:
        rows.append({"v": v})
    best = rows[0]
    for r in rows:
        if r["v"] > best["v"]:
            best = r
    best["v"] = 0.0  # here
    return sum(r["v"] ** 2 for r in rows)


def identity_of_an_item(x):
    rows = []
    for v in x:
        rows.append(Held(v))
    return x[0] if rows[0] is rows[0] else x[1]  # here


def list_inside_itself(x):
    ys = [[v] for v in x]
    ys.append(ys)  # here
    return x[0]


def items_of_two_structures(x):
    q = []
    for v in x:
        q.append((v, 1))
        q.append((v, 1, 2))  # here
    return q[0][0]


def functions_in_a_list(x):
    q = []
    for v in x:
        q.append((np.sin, v))  # here
    return q[0][1]


def grows_while_walked(x):
    xs = list(x)
    for v in xs:  # here
        if len(xs) < 10:
            xs.append(v * 2)
    return sum(xs)


def grows_while_enumerated(x):
    xs = list(x)
    for i, v in enumerate(xs):  # here
        if len(xs) < 8:
            xs.append(v * i)
    return sum(xs)


def known_list_grows_while_walked(x):
    q = [(x[0], 1)]
    for a, b in q:
        if len(q) < 4:
            q.append((a * 2, b))  # here
    return sum(a for a, b in q)


def row_grows_under_another_name(x):
    rows = [[v] for v in x]
    r = rows[0]
    for v in rows[0]:  # here
        if len(r) < 5:
            r.append(v)
    return sum(rows[0])


def list_of_tuples_as_a_result(x):
    q = []
    for v in x:
        q.append((v, 1.0))
    return q  # here


def tuples_ordered_without_a_key(x):
    q = [(v, i) for i, v in enumerate(x)]
    q.sort()  # here
    return q[0][0]


def search_among_arrays(x):
    q = []
    for v in x:
        q.append(x * v)
    return q.index(x)  # here


def step_that_is_not_known(x):
    xs = list(x)
    del xs[:: len(xs) - 2]  # here
    return sum(xs)


REFUSED = [
    (changed_after_it_was_put_in, "put a new one into the list"),
    (changed_before_it_is_put_in_again, "put a new one into the list"),
    (changed_where_it_was_read, "put a new one into the list"),
    (changed_as_one_of_several, "put a new one into the list"),
    (identity_of_an_item, "compare what tells them apart"),
    (list_inside_itself, "put a copy"),
    (items_of_two_structures, "one list for each kind"),
    (functions_in_a_list, "numbers, strings and arrays"),
    (grows_while_walked, "walk a copy"),
    (grows_while_enumerated, "walk a copy"),
    (known_list_grows_while_walked, "walk a copy"),
    (row_grows_under_another_name, "walk a copy"),
    (list_of_tuples_as_a_result, "one list for each component"),
    (tuples_ordered_without_a_key, "key=lambda"),
    (search_among_arrays, "as a loop"),
    (step_that_is_not_known, "write the step as a number"),
]


@pytest.mark.parametrize(("f", "remedy"), REFUSED, ids=[f.__name__ for f, _ in REFUSED])
def test_refused(f, remedy):
    with pytest.raises(AdcompilerError) as caught:
        grad(f)(X)
    lines, first = inspect.getsourcelines(f)
    (marked,) = (k for k, line in enumerate(lines) if "# here" in line)
    assert caught.value.position.line == first + marked
    assert remedy in caught.value.remedy


def popped_too_often(x):
    xs = list(x)
    s = 0.0
    for _ in range(6):
        s += xs.pop()
    return s


def popped_behind_the_end(x):
    xs = list(x)
    return xs.pop(len(xs))


def popped_from_nothing(x):
    xs = [v for v in x if v > 5]
    return xs.pop(0) + x[0]


def read_behind_the_end(x):
    xs = list(x)
    return xs[len(xs)]


def stored_behind_the_end(x):
    xs = list(x)
    xs[len(xs)] = x[0]
    return xs[0]


def removed_what_is_not_there(x):
    xs = []
    for i in range(3):
        xs.append(i)
    xs.remove(7)
    return x[0] * len(xs)


def stored_too_few(x):
    xs = list(x)
    xs[::2] = [x[0]]
    return xs[0]


def unpacked_too_few(x):
    xs = list(x)
    a, _b, _c, _d, _e, *_rest = xs
    return a


RAISING = [
    popped_too_often, popped_behind_the_end, popped_from_nothing, read_behind_the_end,
    stored_behind_the_end, removed_what_is_not_there, stored_too_few, unpacked_too_few,
]  # fmt: skip


@pytest.mark.parametrize("f", RAISING)
def test_raises_what_python_raises(f):
    with pytest.raises(Exception) as expected:
        f(X)
    with pytest.raises(expected.type) as found:
        grad(f)(X)
    assert str(found.value) == str(expected.value)


def arrays_of_other_lengths(x):
    parts = []
    for k in range(1, 5):
        parts.append(x[:k] * 2.0)
    return np.sum(parts[0] * parts[3]) + np.sum(np.concatenate(parts) ** 2)


def stored_while_walked(x):
    q = [(x[0], 1), (x[1], "a")]
    s = 0.0
    for i, (a, _) in enumerate(q):
        if i == 0:
            q[1] = (x[2] ** 2, 3)
        s += a * a
    return s


def whole_numbers_as_floats(x):
    xs = []
    for i in range(4):
        xs.append(i)
    a = np.array(xs, dtype=float)
    a[0] = x[0]
    return np.sum(a * x)


def rows_regrouped(x):
    rows, current = [], []
    for v in x:
        current.append(v * v)
        if len(current) == 2:
            rows.append(current)
            current = []
    rows[0].append(rows[1][0])
    return sum(rows[0]) * rows[0][2]


@pytest.mark.parametrize(
    "f", [arrays_of_other_lengths, stored_while_walked, whole_numbers_as_floats, rows_regrouped]
)
def test_agrees_with_differences(f):
    along = np.array([0.3, -0.2, 0.5, 1.1])
    expected = slope(f, (X,), (along,))
    assert expected.reliable
    assert expected.agrees(grad(f)(X) @ along)
    assert expected.agrees(jvp(f, (X,), (along,))[1])


def test_memory_follows_the_changes():
    """What one trip changes in a long list is saved, not the list."""

    def f(x):
        xs = list(x)
        for i in range(3):
            xs[i] = xs[i] * xs[i + 1]
        return sum(xs)

    source = grad(f).source(X)
    assert ".copy()" not in source and "list(xs" not in source and "xs[:]" not in source
