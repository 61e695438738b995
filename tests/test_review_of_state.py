"""What a review of state found: names, objects and lists that functions and iterators change.

Each program gave a wrong value or gradient without an error once, or code that failed.
"""

import contextlib
import copy
import dataclasses
import functools
import itertools

import numpy as np
import pytest

from adcompiler import grad, jvp, value_and_grad, vjp
from adcompiler.errors import AdcompilerError
from tests.test_review import X, check


class Leaky:
    """A sum that forgets; each call changes it."""

    def __init__(self):
        self.total = 0.0

    def add(self, v):
        self.total = self.total * 0.5 + v * v
        return self.total


def walks_map(x):
    leaky, s = Leaky(), 0.0
    for v in map(leaky.add, x):
        s = s * 0.3 + v
    return s * leaky.total


def sums_map(x):
    return sum(map(Leaky().add, x))


def lists_map(x):
    return sum(list(map(Leaky().add, [v * 2 for v in x])))


def extends_by_map(x):
    leaky, ys = Leaky(), []
    ys.extend(map(leaky.add, x))
    ys += [leaky.add(v) for v in x]
    ys += map(leaky.add, x)
    return sum(ys) * leaky.total


def asks_any(x):
    leaky = Leaky()
    if any(map(lambda v: leaky.add(v) > 1.0, x)):  # noqa: C417
        return leaky.total * 2
    return leaky.total


def asks_all_of_a_list(x):
    leaky = Leaky()
    if all([leaky.add(v) < 1.0 for v in x]):  # noqa: C419
        return leaky.total * 2
    return leaky.total


def sorts_by_a_key_that_counts(x):
    leaky, xs = Leaky(), [v for v in x]  # noqa: C416
    xs.sort(key=leaky.add)
    return xs[0] * leaky.total + xs[1]


def slices_map(x):
    leaky, s = Leaky(), 0.0
    for v in itertools.islice(map(leaky.add, x), 1, 3):
        s = s * 0.4 + v
    return s + leaky.total


def map_is_asked_once_more_than_zip_gives(x):
    leaky, s = Leaky(), 0.0
    for v, w in zip(map(leaky.add, x), x[:2], strict=False):
        s = s * 0.4 + v * w
    return s + leaky.total


def generator_is_asked_once_more_than_zip_gives(x):
    leaky, s = Leaky(), 0.0
    for v, w in zip((leaky.add(u) for u in x), x[:2], strict=False):
        s = s * 0.4 + v * w
    return s + leaky.total


def takes_two_of_map(x):
    leaky = Leaky()
    a, b = tuple(map(leaky.add, [x[0], x[1]]))
    return a * b * leaky.total


@pytest.mark.parametrize(
    "f",
    [
        walks_map, sums_map, lists_map, extends_by_map, asks_any, asks_all_of_a_list,
        sorts_by_a_key_that_counts, slices_map, map_is_asked_once_more_than_zip_gives,
        generator_is_asked_once_more_than_zip_gives, takes_two_of_map,
    ],
)  # fmt: skip
@pytest.mark.parametrize("x", [X, X * 0.3, X[:3]])
def test_iterators_call_functions_that_change_something_as_often_as_python_does(f, x):
    check(f, x, must_compile=True)


def counter():
    total = 0.0

    def step(v, rate=0.5):
        nonlocal total
        total = total * rate + v * v
        return total

    def get():
        return total

    return step, get


def one_counter(x):
    step, get = counter()
    s = 0.0
    for v in x:
        s = s * 0.4 + step(v)
    if s > 1:
        s = s + step(x[0])
    return s * get()


def two_counters(x):
    step, _ = counter()
    other, get = counter()
    s = 0.0
    for v in x:
        s = s * 0.4 + step(v)
        if v > 0:
            s = s + other(s)
    return s * get() + step(0.0)


def a_counter_in_a_dict(x):
    d = {"f": counter()}
    s = 0.0
    while s < 3 and d["f"][1]() < 4:
        s = s + d["f"][0](x[0] + 1.0)
    return s * d["f"][1]()


def a_counter_in_a_partial(x):
    step, get = counter()
    f = functools.partial(step, rate=0.3)
    return sum([f(v) for v in x]) * get()


@pytest.mark.parametrize(
    "f", [one_counter, two_counters, a_counter_in_a_dict, a_counter_in_a_partial]
)
@pytest.mark.parametrize("x", [X, X * 0.3, X[:3]])
def test_functions_keep_the_variables_of_calls_that_are_over(f, x):
    check(f, x, must_compile=True)


class Pair:
    def __init__(self, a, b):
        self.a = a
        self.b = b


def cleans_up(pair, xs):
    try:
        for v in xs:
            pair.a = pair.a * 0.5 + v * v
            yield v
    finally:
        pair.b = pair.b * pair.a


def cleans_up_twice(pair, xs):
    for v in xs:
        try:
            try:
                yield v * pair.b
            finally:
                pair.b = pair.b * 2
        finally:
            pair.b = pair.b + pair.a


GENERATORS = [cleans_up, cleans_up_twice]


@pytest.mark.parametrize("generator", GENERATORS)
@pytest.mark.parametrize("x", [X, X * 0.3, X[:3], -X])
def test_a_generator_that_is_left_early_runs_its_finally(generator, x):
    def left_by_break(x):
        pair = Pair(x[0], x[1])
        s = 0.0
        for v in generator(pair, x):
            s = s * 0.4 + v
            if s < -0.5:
                break
        return s * pair.a + pair.b

    def left_by_return(x):
        pair = Pair(x[0], x[1])

        def found():
            for v in generator(pair, x):
                if v < 0:
                    return v * 2
            return pair.a

        return found() * pair.b

    def left_by_any(x):
        pair = Pair(x[0], x[1])
        if any(v < 0 for v in generator(pair, x)):
            return pair.b * pair.a
        return pair.b

    def left_by_zip(x):
        pair = Pair(x[0], x[1])
        s = 0.0
        for k, v in zip(range(2), generator(pair, x), strict=False):
            s += v * k
        return pair.b * pair.a + s

    def left_by_next(x):
        pair = Pair(x[0], x[1])
        return next(generator(pair, x)) + pair.b * pair.a

    def left_by_an_exception(x):
        pair = Pair(x[0], x[1])
        s = 0.0
        try:
            for v in generator(pair, x):
                s += v
                if v < 0:
                    raise ValueError
        except ValueError:
            s = s * pair.b
        return s + pair.b

    for f in (left_by_break, left_by_return, left_by_any, left_by_zip, left_by_next,
              left_by_an_exception):  # fmt: skip
        check(f, x, must_compile=True)


@pytest.mark.parametrize("generator", GENERATORS)
def test_a_generator_with_a_name_is_closed_later(generator):
    def f(x):
        pair = Pair(x[0], x[1])
        s = 0.0
        walked = generator(pair, x)
        for v in walked:
            s = s * 0.4 + v
            if s < -0.5:
                break
        return s + pair.b

    with pytest.raises(AdcompilerError, match="before its end") as caught:
        grad(f)(X)
    assert "for x in" in caught.value.remedy and caught.value.position is not None


def test_a_generator_cleans_up_before_the_finally_around_its_loop():
    def returned(x, pair):
        try:
            for v in cleans_up(pair, x):
                if v < 0:
                    return v
            return pair.a
        finally:
            pair.b = pair.b + 1.0

    def delegated(pair, x):
        try:
            yield from cleans_up(pair, x)
        finally:
            pair.b = pair.b + 1.0

    def by_return(x):
        pair = Pair(x[0], x[1])
        return returned(x, pair) * pair.b

    def by_break(x):
        pair = Pair(x[0], x[1])
        s = 0.0
        for v in delegated(pair, x):
            s = s + v
            if s < 0:
                break
        return s * pair.b

    for f in (by_return, by_break):
        with pytest.raises(AdcompilerError, match="inside of a `try` with `finally`") as caught:
            grad(f)(X)
        assert "break" in caught.value.remedy and caught.value.position is not None


class Minds:
    def __init__(self, pair):
        self.pair = pair

    def __enter__(self):
        return self.pair

    def __exit__(self, kind, value, traceback):
        self.pair.b = self.pair.b * (2 if kind is None else 3)


class MindsNot(Minds):
    def __exit__(self, *told):
        self.pair.b = self.pair.b * 2


@contextlib.contextmanager
def handles(pair):
    try:
        yield pair
    except ValueError:
        pair.a = pair.a * 100
        raise
    else:
        pair.b = pair.b * 2


@contextlib.contextmanager
def does_more(pair):
    yield pair
    pair.b = pair.b * 2


@contextlib.contextmanager
def does_more_inside(pair):
    with does_more(pair) as same:
        yield same


@contextlib.contextmanager
def always(pair):
    try:
        pair.a = pair.a + 1.0
        yield pair
    finally:
        pair.b = pair.b * 2


def left(manager):
    def f(x):
        pair = Pair(x[0], x[1])
        for v in x:
            try:
                with manager(pair) as same:
                    same.a = same.a + v
                    if v < 0:
                        raise ValueError
                    same.a = same.a * 2
            except ValueError:
                pair.b = pair.b + pair.a
        return pair.a * pair.b

    return f


@pytest.mark.parametrize("manager", [MindsNot, always])
@pytest.mark.parametrize("x", [X, X * 0.3, X[:3]])
def test_an_exception_leaves_a_manager_that_does_the_same_then(manager, x):
    check(left(manager), x, must_compile=True)


@pytest.mark.parametrize("manager", [Minds, handles, does_more, does_more_inside])
def test_an_exception_does_not_leave_a_manager_that_minds(manager):
    with pytest.raises(AdcompilerError, match="leaves a `with` and is caught") as caught:
        grad(left(manager))(X)
    assert "finally" in caught.value.remedy
    assert caught.value.position is not None


@pytest.mark.parametrize("manager", [Minds, does_more, does_more_inside, MindsNot, always])
def test_a_generator_is_not_closed_inside_a_manager_that_minds(manager):
    def walks(pair, x):
        with manager(pair) as same:
            for v in x:
                yield v * same.b

    def to_the_end(x):
        pair = Pair(x[0], x[1])
        s = 0.0
        for v in walks(pair, x):
            s = s * 0.4 + v
        return s * pair.b + pair.a

    def not_to_the_end(x):
        pair = Pair(x[0], x[1])
        s = 0.0
        for v in walks(pair, x):
            s = s * 0.4 + v
            if s < 0:
                break
        return s * pair.b + pair.a

    check(to_the_end, X, must_compile=True)
    if manager in (MindsNot, always):
        check(not_to_the_end, X, must_compile=True)
    else:
        with pytest.raises(AdcompilerError, match="`yield` inside a `with`"):
            grad(not_to_the_end)(X)


# arguments that are one thing


@dataclasses.dataclass
class Record:
    w: np.ndarray
    b: float


def test_a_store_that_nothing_reads_under_its_own_name():
    def f(x, y):
        y[0] = 5.0
        return np.sum(x * x)

    derivative = value_and_grad(f)
    check(f, X, X + 1, derivative=derivative, must_compile=True)
    for call in (
        lambda: derivative(X, X),
        lambda: derivative(X, X[:2]),
        lambda: jvp(f, (X, X), (X, X)),
        lambda: vjp(f, X, X),
    ):
        with pytest.raises(AdcompilerError, match="share memory"):
            call()


def test_a_store_into_one_of_two_items_of_a_dict():
    def f(x, d):
        d["a"][0] = x[0] * 3
        return np.sum(d["b"] * x)

    one = np.arange(5.0)
    check(f, X, {"a": one, "b": one + 1}, must_compile=True)
    with pytest.raises(AdcompilerError, match="share memory"):
        grad(f)(X, {"a": one, "b": one})


AROUND = np.arange(5.0)


def test_a_store_into_an_argument_that_is_a_global_array_too():
    def f(x):
        x[0] = x[1] ** 2
        return np.sum(AROUND * x)

    derivative = value_and_grad(f)
    check(f, X, derivative=derivative, must_compile=True)
    with pytest.raises(AdcompilerError, match="an array around the function share memory"):
        derivative(AROUND)


def test_attributes_of_one_object_that_was_passed_twice():
    def f(x, p, q):
        p.b = p.b * x[0]
        q.b = q.b + x[1]
        return p.b * q.b

    p, q = Record(np.ones(2), 2.0), Record(np.ones(2), 2.0)
    derivative = value_and_grad(f)
    value, got = derivative(X, p, q)
    assert (p.b, q.b) == (2.0, 2.0)
    np.testing.assert_allclose(value, 2 * X[0] * (2 + X[1]))
    np.testing.assert_allclose(got, [2 * (2 + X[1]), 2 * X[0], 0, 0, 0])
    inside = value_and_grad(lambda x, p, q: f(x, p[0], q[0]))
    for call in (lambda: derivative(X, p, p), lambda: inside(X, [p], [p])):
        with pytest.raises(AdcompilerError, match="got the same one twice"):
            call()


class Settings:
    @property
    def rate(self):
        return 3.0


SETTINGS = Settings()


def test_a_property_of_a_global_object_that_is_replaced(monkeypatch):
    def f(x):
        return np.sum(x) ** 2 * SETTINGS.rate

    derivative = value_and_grad(f)
    check(f, X, derivative=derivative, must_compile=True)
    monkeypatch.setattr(Settings, "rate", property(lambda self: 9.0))
    check(f, X, derivative=derivative, must_compile=True)


# what is walked shows what happens meanwhile


def zips_a_generator(x):
    k, s = x[0], 0.0
    for u, v in zip((k * w for w in x), x, strict=False):
        k = k * 0.5 + v
        s = s * 0.3 + u
    return s * k


def walks_pairs_of_map(x):
    pair, s = Pair(x[0], 1.0), 0.0
    for u, v in itertools.pairwise(map(lambda i: pair.a * i, (1, 2, 3, 4))):  # noqa: C417
        pair.a = pair.a * 0.5 + v
        s = s * 0.3 + u
    return s * pair.a


def walks_running_totals(x):
    a, s = x * 2, 0.0
    for u in itertools.accumulate(a):
        a[-1] = a[-1] * 0.2 * u
        s = s * 0.3 + u
    return s * a[-1]


def walks_in_circles(x):
    a, s = [v for v in x], 0.0  # noqa: C416
    for k, u in zip(range(7), itertools.cycle(a), strict=False):
        a[0] = a[0] * 0.5 + u
        s = s * 0.3 + u * k
    return s * a[0]


def walks_combinations(x):
    a, s = [v for v in x], 0.0  # noqa: C416
    for u, v in itertools.combinations(a, 2):
        a[-1] = a[-1] * 0.5 + u
        s = s * 0.3 + u * v
    for u, v in itertools.product(a, (1, 2)):
        a[-1] = a[-1] * 0.5 + u
        s = s * 0.3 + u * v
    return s * a[-1]


def walks_a_slice_to_the_end(x):
    pair, s = Pair(x[0], 1.0), 0.0
    for u in itertools.islice((pair.a * w for w in x), 1, None):
        pair.a = pair.a * 0.5 + u
        s = s * 0.3 + u
    return s * pair.a


def walks_a_dict_that_changes(x):
    d, s = {"a": x[0], "b": x[1], "c": x[0]}, 0.0
    for _, v in d.items():
        d["c"] = d["c"] + v
        s = s * 0.5 + v
    for (_, v), w in zip(d.items(), x, strict=False):
        d["b"] = d["b"] + w * v
        s = s * 0.5 + v
    return s


def keeps_views_of_a_dict(x):
    d = {"a": x[0], "b": x[1]}
    items, values, keys = d.items(), d.values(), d.keys()

    def total():
        return sum(values)

    for w in x:
        for k, v in items:
            d[k] = v * w
        d["a"] = d["a"] + total()
    d["c"] = x[0] ** 2
    return sum(values) * len(keys) + sum(v * i for i, (_, v) in enumerate(items)) + total()


@pytest.mark.parametrize(
    "f",
    [
        zips_a_generator, walks_pairs_of_map, walks_running_totals, walks_in_circles,
        walks_combinations, walks_a_slice_to_the_end, walks_a_dict_that_changes,
        keeps_views_of_a_dict,
    ],
)  # fmt: skip
@pytest.mark.parametrize("x", [X, X * 0.3, X[:3]])
def test_what_is_walked_shows_what_happens_meanwhile(f, x):
    check(f, x, must_compile=True)


def test_two_generators_in_step_that_read_what_changes():
    def by_name(x):
        k, s = x[0], 0.0
        for u, v in zip((k * w for w in x), (k + w for w in x), strict=False):
            k = k * 0.5 + v
            s = s * 0.3 + u * v
        return s * k

    def by_array(x):
        a, s = x * 2, 0.0
        for u, v in zip((w * 2 for w in a), (w + 1 for w in a), strict=False):
            a[-1] = a[-1] * u
            s = s * 0.3 + u * v
        return s * a[-1]

    def unchanged(x):
        k, s = x[0], 0.0
        for u, v in zip((k * w for w in x), (k + w for w in x), strict=False):
            s = s * 0.3 + u * v
        return s * k

    check(unchanged, X, must_compile=True)
    for f in (by_name, by_array):
        with pytest.raises(AdcompilerError, match="the generator") as caught:
            grad(f)(X)
        assert "list" in caught.value.remedy and caught.value.position is not None


# comprehensions are evaluated once


def binds_a_running_total(x):
    total = 0.0
    run = [total := total * 0.5 + v for v in x]
    return sum(run) * total


def binds_in_the_test_and_in_a_loop_inside(x):
    total = 0.0
    run = [(total := total * 0.5 + v * w) for v in x if (total := total * v) < 1 for w in x[:2]]
    table = [[(total := total * 0.3 + v * w) for v in x] for w in x[:2]]
    return (sum(run) + sum(sum(row) for row in table)) * total


def binds_the_largest(x):
    best, place = -1e9, 0
    _ = [(best := v, place := k) for k, v in enumerate(x) if v > best]
    return best * x[place] + place


def asks_some_items_when_compiled(x):
    leaky = Leaky()
    run = [leaky.add(v) for v in (1.0, x[0], 2.0) if v > 0]
    return sum(run) * leaky.total


def walks_what_a_call_changes(x):
    y = x * 1.0

    def grow(v):
        y[0] += v
        y[1] *= y[0]
        return y

    run = [v * 2 for v in grow(x[2])]
    more = [v * w for v in (1.0, grow(x[1])[0]) for w in grow(v)[:2]]
    return sum(run) * y[0] + sum(more) + y[1]


def counts_how_often_it_is_walked(x):
    count = 0

    def places():
        nonlocal count
        count += 1
        return range(count + 1)

    pairs = [Pair(x[k] * count, 0.0) for k in places()]
    picked = [x[k] for k in places()]
    return sum(p.a for p in pairs) * count + sum(picked) + picked[-1] * len(picked)


@pytest.mark.parametrize(
    "f",
    [
        binds_a_running_total, binds_in_the_test_and_in_a_loop_inside, binds_the_largest,
        asks_some_items_when_compiled, walks_what_a_call_changes, counts_how_often_it_is_walked,
    ],
)  # fmt: skip
@pytest.mark.parametrize("x", [X, X * 0.3, X[:3]])
def test_comprehensions_change_what_they_change_once(f, x):
    check(f, x, must_compile=True)


# a list without a name to which several things lead


def rows_that_are_one(x):
    rows = [[0.0] * 3] * 3
    for i in range(3):
        for j in range(3):
            rows[i][j] += x[i]
    return sum(sum(row) ** 2 for row in rows)


def unpacks_one_list_twice(x):
    a, b, *rest = ([0.0, x[0]],) * 4
    for i in range(2):
        a[i] += x[i]
    rest[0][0] += x[2]
    return b[0] * b[1] * rest[1][0]


def walks_one_list_twice(x):
    total = 0.0
    for pair in ([1.0, x[0]],) * 2:
        for i in range(2):
            pair[i] *= x[i]
        total += pair[0] * pair[1]
    return total


def passes_one_list_twice(x):
    def add(a, b):
        a.append(x[0])
        b.append(x[1])
        return a[-1] * b[0] * len(a)

    return add(*[[x[2]]] * 2) * add(*(lambda t: t + t)(([x[2]],)))


def keeps_one_list_in_two_attributes(x):
    pair = Pair(*([0.0, x[0]],) * 2)
    for i in range(2):
        pair.a[i] += x[i]
    return pair.b[0] * pair.b[1]


def extends_by_one_list_twice(x):
    rows = []
    for i in range(len(x)):
        rows += [[x[i], 1.0]] * 2
    rows.extend([[x[0], x[1]]] * 2)
    for row in rows:
        row[0] *= 2
    return sum(row[0] * k for k, row in enumerate(rows))


@pytest.mark.parametrize(
    "f",
    [
        rows_that_are_one, unpacks_one_list_twice, walks_one_list_twice, passes_one_list_twice,
        keeps_one_list_in_two_attributes, extends_by_one_list_twice,
    ],
)  # fmt: skip
def test_a_list_is_one_whatever_leads_to_it(f):
    check(f, X, must_compile=True)


# what the world around holds, or does not hold yet


class Older:
    def scaled(self, v):
        return v * 2


class Younger(Older):
    def scaled(self, v):
        return super().scaled(v) + 1.0


def by_keyword(v, *, weights=(1.0,)):
    return v * weights[0]


def changes(settings, monkeypatch):
    """Changes of the world, each after a function that must notice."""

    def asks_for_an_attribute(x):
        rate = getattr(settings, "rate", 1.0)
        return np.sum(x**2) * rate * (3.0 if hasattr(settings, "bias") else 1.0)

    yield asks_for_an_attribute, lambda: setattr(settings, "rate", 5.0)
    yield asks_for_an_attribute, lambda: setattr(settings, "bias", None)

    def asks_an_object_of_its_own(x):
        return np.sum(x**2) * getattr(Older(), "later", 1.0)

    def adds_to_the_class():
        monkeypatch.setattr(Older, "later", 4.0, raising=False)

    yield asks_an_object_of_its_own, adds_to_the_class
    weights = [2.0]

    def uses_a_keyword_default(x):
        return np.sum(by_keyword(x) ** 2)

    yield uses_a_keyword_default, lambda: by_keyword.__kwdefaults__.update(weights=weights)
    yield uses_a_keyword_default, lambda: weights.insert(0, 3.0)

    def uses_a_builtin(x):
        return abs(x[1]) * len(x)

    def hides_it():
        monkeypatch.setitem(globals(), "abs", lambda v: v**2)

    yield uses_a_builtin, hides_it

    def uses_a_method_behind_another(x):
        return np.sum(Younger().scaled(x) ** 2)

    def replaces_it():
        monkeypatch.setattr(Older, "scaled", lambda self, v: v**2)

    yield uses_a_method_behind_another, replaces_it


def test_what_is_added_to_the_world_is_noticed(monkeypatch):
    monkeypatch.setattr(by_keyword, "__kwdefaults__", dict(by_keyword.__kwdefaults__))
    for f, change in changes(Pair(1.0, 2.0), monkeypatch):
        derivative = value_and_grad(f)
        before = derivative(X)[0]
        check(f, X, derivative=derivative, must_compile=True)
        change()
        assert f(X) != before
        check(f, X, derivative=derivative, must_compile=True)


class Counted:
    def __init__(self, v):
        self.v = v

    def __deepcopy__(self, memo):
        return Counted(self.v * 2)


@pytest.mark.parametrize("wrapped", [lambda v: v, lambda v: [v], lambda v: Pair(v, 1.0)])
def test_a_class_that_decides_how_it_is_copied(wrapped):
    def f(x):
        return x[0] * len([copy.deepcopy(wrapped(Counted(x[0])))])

    with pytest.raises(AdcompilerError, match="__deepcopy__"):
        grad(f)(X)


def walks_a_range_that_a_call_gives(x):
    count, y = 0, x * 1.0

    def turns():
        nonlocal count
        count += 1
        y[0] += 1
        return 3

    s = x[0]
    for i in range(turns()):
        s = (np.sin, np.cos, np.tanh)[i](s) + y[i % 3]
    return s * count + y[0]


def walks_pairs_that_a_call_gives(x):
    leaky, s = Leaky(), 0.0

    def pairs():
        leaky.add(x[0])
        return zip((np.sin, np.cos), enumerate(x[:2]), strict=True)

    for f, (i, v) in pairs():
        s += (np.tanh, np.exp)[i](f(v)) * leaky.total
    return s


@pytest.mark.parametrize("f", [walks_a_range_that_a_call_gives, walks_pairs_that_a_call_gives])
def test_what_a_loop_walks_is_evaluated_once(f):
    check(f, X, must_compile=True)


def writes_the_largest_row(x):
    a = np.outer(x, x)
    row = max(a, key=lambda r: r[0])
    row *= x[0]
    i, other = min(enumerate(a), key=lambda p: p[1][1])
    other += i
    return np.sum(a * a * x)


def writes_rows_in_order(x):
    a = np.outer(x, np.sin(x))
    rows = sorted(a, key=np.sum)
    rows[0][0] += x[1]
    rows[-1][:] = rows[0]
    return np.sum(a * a * x)


def reads_rows_that_are_written_later(x):
    a = np.outer(x, x)
    rows = sorted(a, key=lambda r: r[1])
    a[:, 1] *= x[0]
    return np.sum(a * a) + rows[0] @ rows[1]


def writes_rows_two_by_two(x):
    a, s = np.outer(x, x), 0.0
    for p, q in itertools.combinations(a, 2):
        p -= 0.1 * q
        s += p @ q
    for p, q in itertools.product(a, a[:2]):
        p += 0.1 * q
    return s + np.sum(a * a * x)


@pytest.mark.parametrize(
    "f",
    [
        writes_the_largest_row, writes_rows_in_order, reads_rows_that_are_written_later,
        writes_rows_two_by_two,
    ],
)  # fmt: skip
def test_rows_are_views_for_functions_that_take_all_at_once(f):
    check(f, X, must_compile=True)


def swaps_and_copies(x):
    d, t = {"q": x[0]}, x[1]
    kept = d
    for _ in range(3):
        d["q"], t = t, d["q"]
        d = dict(d)
    return d["q"] + 2 * kept["q"] + 3 * t


def changes_and_replaces(x):
    pair = Pair(x[0], x[1])
    kept = (pair, 1.0)
    for v in x:
        pair.a = pair.a * v + 1.0
        pair = Pair(pair.a * 0.5, pair.b)
    return pair.a + 2 * kept[0].a


def changes_what_the_caller_holds(x):
    def run(d):
        k = 0
        while k < 3:
            d["q"] = d["q"] * x[k]
            d = {"q": d["q"] + 1}
            k += 1
        return d["q"]

    d = {"q": x[0]}
    return run(d) + 2 * d["q"]


@pytest.mark.parametrize(
    "f", [swaps_and_copies, changes_and_replaces, changes_what_the_caller_holds]
)
def test_the_first_trip_changes_what_another_name_leads_to(f):
    with pytest.raises(AdcompilerError, match="one of two"):
        grad(f)(X)


def replaces_what_nobody_else_holds(x):
    d, best = {"q": x[0]}, {"q": 0.0}
    for v in x:
        d["q"] = d["q"] * v
        d = {"q": d["q"] + 1}
        if d["q"] > best["q"]:
            best = d
    return d["q"] + 2 * best["q"]


def test_a_dict_with_one_name_may_be_changed_and_replaced():
    check(replaces_what_nobody_else_holds, X)
