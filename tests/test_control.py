"""Control flow at its edges: what raises in a function raises in its derivative."""

import functools
import itertools
import math
import warnings

import numpy as np
import pytest

from adcompiler import grad, value_and_grad

X = np.array([0.7, -1.2, 0.4, 1.9, 0.3])


def same_exception(function, *args):
    """The derivative raises what the function raises."""
    with pytest.raises(Exception) as expected:
        function(*args)
    with pytest.raises(type(expected.value)) as caught:
        grad(function)(*args)
    assert type(caught.value) is type(expected.value)
    assert str(caught.value) == str(expected.value)


def chained(x):
    _ = 0 < x < 1
    return np.sum(x)


def decided(x):
    if x > 0:
        return np.sum(x)
    return x[0]


def both(x):
    y = (x > 0) and (x < 1)
    return np.sum(x[y])


def negated(x):
    y = not x
    return x[0] if y else x[1]


@pytest.mark.parametrize("function", [chained, decided, both, negated])
def test_the_truth_of_an_array(function):
    same_exception(function, X)


def test_an_array_of_one_number_has_a_truth():
    assert grad(lambda x: x[0] ** 2 if x > 0 else x[0])(np.array([1.5])) == [3.0]


def strict(x):
    return sum(a * b for a, b in zip(x, x[1:], strict=True))


def empty_fold(x):
    return functools.reduce(lambda a, b: a * b, x[:0]) + x[0]


def no_least(x):
    return min((v for v in x if v > 5), key=abs) + x[0]


def nothing_left(x):
    return next(v for v in x if v > 5)


def far_apart(x):
    return math.dist(x[:2], x)


def of_own(x):
    if x[0] > 0:
        raise LookupError(f"{x[0]:.1f} is too large") from None
    return x[0]


def of_another(x):
    try:
        if x[0] > 0:
            raise LookupError("low")
        y = x[0]
    except LookupError as error:
        raise RuntimeError("outer") from error
    return y


def again(x):
    try:
        if x[0] > 0:
            raise LookupError("low")
    except LookupError:
        raise
    return x[0]


def of_no_handler(x):
    try:
        if x[0] > 0:
            raise LookupError("low")
    except ArithmeticError:
        return x[1]
    return x[0]


@pytest.mark.parametrize(
    "function",
    [strict, empty_fold, no_least, nothing_left, far_apart, of_own, of_another, again,
     of_no_handler],
)  # fmt: skip
def test_what_the_function_raises(function):
    same_exception(function, X)


def factored(x):
    """The factor is not used: only whether there is one."""
    matrix = np.outer(x, x) - 10 * np.eye(len(x))
    try:
        np.linalg.cholesky(matrix)
        definite = True
    except np.linalg.LinAlgError:
        definite = False
    return np.sum(x) if definite else np.sum(x**2)


def rooted(x):
    try:
        math.sqrt(1.0 - x)
    except ValueError:
        return x**2
    return x


def test_an_exception_that_a_handler_waits_for_is_not_lost():
    """What it would compute instead is not differentiated, but no number is given for it."""
    with pytest.raises(np.linalg.LinAlgError):
        grad(factored)(X)
    with pytest.raises(ValueError, match="math domain"):
        grad(rooted)(5.0)
    assert grad(rooted)(0.5) == 1.0


def test_the_items_after_the_first_that_decides_are_not_computed():
    def inverse(x):
        return x[0] ** 2 if any(1.0 / float(v) > 1 for v in (x[0], x[1] * 0.0)) else x[1]

    assert grad(inverse)(X)[0] == 2 * X[0]


def test_a_cached_function_of_numbers():
    @functools.cache
    def cubed(x):
        return x**3

    assert grad(lambda x: cubed(x) * 2)(2.0) == 24.0


def test_a_function_registered_later_is_seen():
    @functools.singledispatch
    def scaled(x):
        return 2 * x

    gradient = grad(lambda x: scaled(x))
    assert gradient(1.0) == 2.0
    scaled.register(float)(lambda x: 3 * x)
    assert gradient(1.0) == 3.0


NAMES = {"a"}


def test_a_changed_global_set():
    gradient = grad(lambda x: x if "b" in NAMES else 2 * x)
    assert gradient(1.0) == 2.0
    NAMES.add("b")
    try:
        assert gradient(1.0) == 1.0
    finally:
        NAMES.discard("b")


def test_filters_for_warnings_are_the_callers():
    def quiet(x):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return x * x

    before = list(warnings.filters)
    assert grad(quiet)(2.0) == 4.0
    assert warnings.filters == before


def test_no_iterator_is_left_of_a_loop_over_pairs():
    def energy(x):
        return sum((a - b) ** 2 for a, b in itertools.combinations(x, 2))

    text = value_and_grad(energy).source(X)
    assert "append" not in text and "stop" not in text
