"""What `docs/conventions.md` says of kinks, poles, complex numbers and precision."""

import cmath
import math
import operator
import warnings

import numpy as np
import pytest

from adcompiler import runtime
from adcompiler.rules import book
from tests.rule_cases import Case
from tests.rule_engine import Dual, operate, pull, push

inf, nan = math.inf, math.nan


@pytest.fixture(autouse=True)
def quiet():
    with np.errstate(all="ignore"):
        yield


def gradient(fn, *args, g=1.0, argnums=(0,), **kwargs):
    """The adjoint of the one argument, or of each of several, for the adjoint `g` of the result."""
    args = tuple(np.asarray(x, float) if isinstance(x, list) else x for x in args)
    case = Case(fn, args, kwargs, argnums)
    out = fn(*args, **kwargs)
    adjoints = pull(case, out, np.broadcast_to(g, np.shape(out))[()])
    return adjoints if len(argnums) > 1 else adjoints[0]


def slope(fn, *args, tangent=1.0, argnum=0, **kwargs):
    """The tangent of the result for a tangent of one argument."""
    args = tuple(np.asarray(x, float) if isinstance(x, list) else x for x in args)
    tangent = np.broadcast_to(tangent, np.shape(args[argnum]))[()]
    return push(Case(fn, args, kwargs, (argnum,)), fn(*args, **kwargs), [tangent])


def same(found, expected):
    np.testing.assert_array_equal(found, expected)
    return True


# Ties and kinks


def test_extremes_share_among_ties():
    assert same(gradient(np.max, [1, 3, 3, 2]), [0, 0.5, 0.5, 0])
    assert same(gradient(np.min, [[1, 1], [1, 2]], axis=1, g=[2.0, 4.0]), [[1, 1], [4, 0]])
    assert same(gradient(np.linalg.norm, [2, -2, 1], ord=inf), [0.5, -0.5, 0])
    assert same(gradient(np.ptp, [1, 1, 3]), [-0.5, -0.5, 1])
    assert slope(np.max, [3, 3], tangent=[1.0, 3.0]) == 2


def test_maximum_and_minimum_share_at_a_tie():
    for fn in (np.maximum, np.minimum, np.fmax, np.fmin):
        assert gradient(fn, 2.0, 2.0, argnums=(0, 1)) == [0.5, 0.5]
    assert gradient(np.maximum, -1.0, 0.0, argnums=(0, 1)) == [0, 1]


def test_fmax_follows_the_operand_that_is_a_number():
    for fn in (np.fmax, np.fmin):
        assert gradient(fn, nan, 2.0, argnums=(0, 1)) == [0, 1]
        assert gradient(fn, 2.0, nan, argnums=(0, 1)) == [1, 0]


def test_clip_has_slope_one_at_its_bounds():
    assert same(gradient(np.clip, [0, 1, 2, 3, 4], 1.0, 3.0), [0, 1, 1, 1, 0])
    x, low, high = np.arange(5.0), np.ones(5), np.full(5, 3.0)
    _, low_bar, high_bar = gradient(np.clip, x, low, high, argnums=(0, 1, 2))
    assert same(low_bar, [1, 0, 0, 0, 0]) and same(high_bar, [0, 0, 0, 0, 1])


def test_lengths_have_slope_zero_at_zero():
    assert gradient(np.abs, 0.0) == 0 and gradient(abs, 0.0) == 0 and gradient(np.fabs, 0.0) == 0
    assert same(gradient(np.linalg.norm, [0, 0]), [0, 0])
    assert gradient(np.hypot, 0.0, 0.0, argnums=(0, 1)) == [0, 0]
    assert same(gradient(np.std, [2, 2, 2]), [0, 0, 0])
    assert gradient(np.copysign, 0.0, -1.0) == 0
    assert slope(np.linalg.norm, [0, 0], tangent=[1.0, 2.0]) == 0
    assert gradient(np.abs, 0j) == 0


def test_steps_have_derivative_zero():
    for fn in (np.rint, np.floor, np.ceil, np.round, np.floor_divide, math.floor, operator.lt):
        assert book.is_zero(fn)
    assert gradient(np.sign, 0.0) == 0
    assert gradient(np.heaviside, 0.0, 0.5, argnums=(0, 1)) == [0, 1]


def test_remainders():
    assert gradient(np.remainder, 7.5, 2.0, argnums=(0, 1)) == [1, -3]
    assert gradient(operator.mod, -7.5, 2.0, argnums=(0, 1)) == [1, 4]
    assert gradient(np.fmod, -7.5, 2.0, argnums=(0, 1)) == [1, 3]
    assert gradient(math.remainder, 7.5, 2.0, argnums=(0, 1)) == [1, -4]


def test_sinc_at_zero():
    x = Dual(np.array(0.0), np.array(1.0))
    first = operate(runtime.sinc_derivative, x, 1)
    assert gradient(np.sinc, 0.0) == 0
    assert np.isclose(first.dot, -(math.pi**2) / 3)


# Powers


def test_power_zero_is_constant():
    assert same(gradient(np.power, [0, 2, -1], 0), [0, 0, 0])
    assert same(gradient(np.power, [0, 2, -1], [0, 0, 0]), [0, 0, 0])


def test_powers_of_zero():
    assert gradient(operator.pow, 0.0, 1) == 1
    assert gradient(operator.pow, 0.0, 2) == 0
    assert gradient(operator.pow, 0.0, 0.5) == inf
    assert same(gradient(np.power, 0.0, [0, 1, 2.5], argnums=(1,)), [0, 0, 0])


def test_power_of_a_negative_number_has_no_slope_in_the_exponent():
    x_bar, y_bar = gradient(np.power, -2.0, 3.0, argnums=(0, 1))
    assert x_bar == 12 and math.isnan(y_bar)
    assert gradient(np.power, -2.0, 3.0, argnums=(1,), g=0.0) == 0


# Poles

POLES = [(np.sqrt, 0.0, inf), (np.cbrt, 0.0, inf), (np.log, 0.0, inf), (np.log2, 0.0, inf),
         (np.log10, 0.0, inf), (np.log1p, -1.0, inf), (np.reciprocal, 0.0, -inf),
         (np.arcsin, 1.0, inf), (np.arccos, -1.0, -inf), (np.arccosh, 1.0, inf),
         (np.arctanh, 1.0, inf), (math.sqrt, 0.0, inf)]  # fmt: skip


@pytest.mark.parametrize("fn, x, pole", POLES, ids=lambda v: getattr(v, "__name__", str(v)))
def test_a_pole_is_infinite_unless_the_adjoint_is_zero(fn, x, pole):
    for number in (x, np.float64(x), np.array([x]), np.float32(x), np.array([x], np.float32)):
        if fn is math.sqrt and isinstance(number, np.ndarray):
            continue
        assert gradient(fn, number) == pole
        assert gradient(fn, number, g=0.0) == 0
        assert slope(fn, number) == pole
        assert slope(fn, number, tangent=0.0) == 0


def test_zero_meets_no_pole_in_division():
    for y in (np.array([0.0]), np.array([0.0], np.float32)):
        for x in (1.0, 0.0):
            x_bar, y_bar = gradient(np.divide, np.array([x]), y, g=0.0, argnums=(0, 1))
            assert x_bar == 0 and y_bar == 0
            assert slope(np.divide, np.array([x]), y, tangent=0.0, argnum=1) == 0
    assert gradient(np.divide, np.array([1.0]), 0.0) == inf
    assert gradient(np.arctan2, 0.0, 0.0, g=0.0, argnums=(0, 1)) == [0, 0]


def test_one_element_of_a_root():
    """`np.sqrt(x)[1]` and `np.where(x > 0, np.sqrt(x), 0)`."""
    x = np.array([0.0, 4.0])
    assert same(gradient(np.sqrt, x, g=np.array([0.0, 1.0])), [0, 0.25])
    assert same(gradient(np.sqrt, -x, g=np.array([0.0, 0.0])), [0, 0])


def test_where_keeps_an_infinite_adjoint_on_its_side():
    x_bar, y_bar = gradient(np.where, True, 1.0, 2.0, g=inf, argnums=(1, 2))
    assert x_bar == inf and y_bar == 0


def test_a_masked_product_still_has_its_slope():
    """Where `g` is 0 and the partial is finite, the slope in `g` is the partial."""
    product = operate(runtime.pole_product, Dual(np.zeros(2), np.ones(2)), np.array([3.0, inf]))
    assert same(product.value, [0, 0])
    assert same(product.dot, [3, inf])
    masked = operate(runtime.pole_product, Dual(np.zeros(2), np.zeros(2)), np.array([3.0, inf]))
    assert same(masked.dot, [0, 0])


def test_zero_times_infinity_is_zero_at_a_single_point():
    """`np.sqrt(x) ** 2` at 0."""
    assert gradient(np.sqrt, 0.0, g=gradient(np.power, 0.0, 2)) == 0


def test_the_slope_of_a_length_has_none_at_zero():
    """Nothing finite could stand for the second derivative of a norm at 0."""
    x = Dual(np.array([0.0]), np.array([1.0]))
    assert not np.isfinite(operate(runtime.ratio, x, np.array([0.0])).dot)


@pytest.mark.parametrize(
    "product",
    [runtime.pole_product, runtime.pole_quotient, runtime.ratio],
    ids=lambda f: f.__name__,
)
def test_masking_is_silent(product):
    x = np.array([0.0, 1.0])
    other = np.array([inf, 2.0]) if product is runtime.pole_product else x
    with np.errstate(all="raise"):
        assert same(product(x, other), [0, 2 if product is runtime.pole_product else 1])


def test_pythons_numbers_do_not_raise_at_poles():
    assert runtime.quotient(1, 0) == inf and runtime.quotient(-1.0, 0.0) == -inf
    assert math.isnan(runtime.quotient(0.0, 0.0))
    assert cmath.isnan(runtime.quotient(1j, 0j)) or cmath.isinf(runtime.quotient(1j, 0j))
    assert runtime.raised(0.0, -0.5) == inf and runtime.raised(0.0, -1) == inf
    assert runtime.raised(1e-200, -2) == inf
    assert math.isnan(runtime.raised(-8.0, 1 / 3))


# Products and sums


def test_products_are_exact_with_zeros():
    assert same(gradient(np.prod, [2, 0, 5]), [0, 10, 0])
    assert same(gradient(np.prod, [0, 0, 5]), [0, 0, 0])
    assert same(gradient(np.cumprod, [2, 0, 5], g=[1.0, 1.0, 1.0]), [1, 12, 0])


def test_logaddexp_of_minus_infinity():
    assert gradient(np.logaddexp, -inf, -inf, argnums=(0, 1)) == [0, 0]
    assert gradient(np.logaddexp, -inf, 1.0, argnums=(0, 1)) == [0, 1]
    assert gradient(np.logaddexp2, -inf, -inf, argnums=(0, 1)) == [0, 0]


def test_a_maximum_that_is_nan_has_no_slope():
    assert np.isnan(gradient(np.max, [1, nan])).all()


def test_repeated_indices_add():
    index = np.array([1, 1, 0])
    assert same(gradient(operator.getitem, [5, 6, 7], index), [1, 2, 0])
    assert same(gradient(np.take, [5, 6, 7], index), [1, 2, 0])
    a = np.zeros(3)
    runtime.add_at(a, index, 1.0)
    assert same(a, [1, 2, 0])


def test_the_last_of_repeated_writes_counts():
    assert same(runtime.last_written((3,), np.array([1, 1, 0])), [False, True, True])
    assert same(runtime.last_written((3, 2), ([0, 0], slice(None))), [[False] * 2, [True] * 2])


def test_cholesky_reads_the_lower_triangle():
    a = np.array([[4.0, 99.0], [1.0, 3.0]])
    bar = gradient(np.linalg.cholesky, a)
    assert bar[0, 1] == 0 and bar[1, 0] != 0


def test_singular_matrices_are_refused():
    for fn, g in [(np.linalg.det, 1.0), (np.linalg.slogdet, (0.0, 1.0))]:
        with pytest.raises(np.linalg.LinAlgError):
            pull(Case(fn, (np.ones((2, 2)),)), fn(np.ones((2, 2))), g)


def test_equal_eigenvalues():
    a = np.eye(2)
    assert same(gradient(np.linalg.eigvalsh, a), a)
    case, out = Case(np.linalg.eigh, (a,)), np.linalg.eigh(a)
    assert same(pull(case, out, (np.ones(2), np.zeros((2, 2))))[0], a)
    assert not np.isfinite(pull(case, out, (np.zeros(2), np.ones((2, 2))))[0]).all()


def test_sort_hands_back_by_argsort():
    x, g = np.array([2.0, 1.0, 2.0]), np.array([1.0, 2.0, 3.0])
    assert same(gradient(np.sort, x, g=g)[np.argsort(x)], g)


# Kinds of numbers


def test_complex_adjoints_are_not_conjugated():
    z, g = 1.5 + 2j, 0.5 - 1j
    assert np.isclose(gradient(np.exp, z, g=g), g * np.exp(z))
    assert np.isclose(gradient(np.multiply, z, 2j, g=g), g * 2j)
    assert np.isclose(gradient(np.abs, z), np.conj(z) / abs(z))
    assert gradient(np.real, z) == 1
    assert gradient(np.imag, z) == -1j
    assert gradient(np.conj, z, g=g) == np.conj(g)


def test_an_adjoint_is_as_real_as_its_argument():
    bar = gradient(np.multiply, np.ones(2), 1 + 2j, g=1 + 1j)
    assert bar.dtype == float and same(bar, [-1, -1])
    assert gradient(np.multiply, 1.0, 1 + 2j, g=1 + 1j) == -1


def test_an_adjoint_has_the_precision_of_its_argument():
    x, y = np.ones(3, np.float32), np.ones(3)
    assert [bar.dtype for bar in gradient(np.multiply, x, y, argnums=(0, 1))] == ["f4", "f8"]
    assert gradient(np.exp, x, g=np.ones(3, np.float32)).dtype == "f4"
    assert type(gradient(np.multiply, 2.0, y)) is float


def test_no_warning_is_invented():
    """Rules of smooth functions are as quiet as the functions."""
    with np.errstate(all="raise"), warnings.catch_warnings():
        warnings.simplefilter("error")
        assert same(gradient(np.power, [-2.0, 0.0], 2), [-4, 0])
        assert gradient(np.linalg.norm, np.zeros(3)).tolist() == [0, 0, 0]
