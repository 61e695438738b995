"""What a review of state found: names, objects and lists that functions and iterators change.

Each program gave a wrong value or gradient without an error once, or code that failed.
"""

import functools
import itertools

import pytest

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
