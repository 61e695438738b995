"""Scalar functions that emitted loops call; plain Python, which Numba compiles into the loops.

What they raise is never shown: the call is answered by the NumPy backend then, with its result or
its own exception.
"""

import math

import numpy as np

LARGEST = 4.0e18
"""Python's integers have no bounds, machine integers end a little above twice this."""


# Derivatives, element by element: see the functions of these names in `adcompiler.runtime`.


def pole_product(g, partial):
    """`g * partial`, but 0 where `g` is 0 and `partial` is not finite."""
    if g == 0 and not math.isfinite(partial):
        return 0.0
    return g * partial


def pole_quotient(g, divisor):
    """`g / divisor`, but 0 where `g` is 0 and `1 / divisor` is not finite."""
    if g == 0 and (divisor == 0 or math.isnan(divisor)):
        return 0.0
    return np.divide(g, divisor)


def masked(g, condition):
    """`g` where the condition holds, 0 elsewhere, even if `g` is not finite there."""
    return g if condition else 0.0


def ratio(x, y):
    """`x / y`, and 0 where `y` is 0."""
    return 0.0 if y == 0 else x / y


def step(x, y):
    """1 where `x > y`, one half where they are equal, 0 elsewhere."""
    if x > y:
        return 1.0
    return 0.5 if x == y else 0.0


def log_nonzero(x):
    """`log(x)`, and 0 where `x` is 0."""
    return 0.0 if x == 0 else np.log(x)


def exp_difference(x, y):
    """`exp(x - y)`, and 0 where `x` is minus infinity, whatever `y` is."""
    if x == -math.inf:
        return 0.0 if y == -math.inf or math.isnan(y) else np.exp(x - y)
    return np.exp(x - y)


def beats(x, y):
    """Whether `x` is a new maximum after `y`; the first NaN is, and stays."""
    return x > y or (math.isnan(x) and not math.isnan(y))


def is_beaten(x, y):
    """Whether `x` is a new minimum after `y`; the first NaN is, and stays."""
    return x < y or (math.isnan(x) and not math.isnan(y))


# Python's numbers raise where arrays have infinities, and its integers do not overflow.


def divided(x, y):
    """`x / y` of Python numbers."""
    if y == 0:
        raise ZeroDivisionError
    return x / y


def floor_divided(x, y):
    """`x // y` of Python numbers."""
    if y == 0:
        raise ZeroDivisionError
    return x // y


def remainder(x, y):
    """`x % y` of Python numbers."""
    if y == 0:
        raise ZeroDivisionError
    return x % y


def finite(x):
    """A result of `math`, or of a power, for which Python would raise where it is not finite."""
    if not math.isfinite(x):
        raise ArithmeticError
    return x


def exact_sum(x, y):
    """`x + y` of integers."""
    if abs(float(x) + float(y)) > LARGEST:
        raise OverflowError
    return x + y


def exact_difference(x, y):
    """`x - y` of integers."""
    if abs(float(x) - float(y)) > LARGEST:
        raise OverflowError
    return x - y


def exact_product(x, y):
    """`x * y` of integers."""
    if abs(float(x) * float(y)) > LARGEST:
        raise OverflowError
    return x * y


def exact_power(x, n):
    """`x ** n` of integers."""
    if n < 0 or abs(float(x)) ** float(n) > LARGEST:
        raise OverflowError
    result = 1
    for _ in range(n):
        result = result * x
    return result


def exact_float(n):
    """An integer as a float, where a name stands for either."""
    if abs(n) > 9007199254740992:
        raise OverflowError
    return float(n)


def whole(x):
    """`int(x)`."""
    if not abs(float(x)) <= LARGEST:
        raise OverflowError
    return int(x)


# Places in arrays.


def place(k, n):
    """The index `k` of an axis of length `n`, counted from its beginning."""
    if k < 0:
        k += n
    if k < 0 or k >= n:
        raise IndexError
    return k


def clipped(k, n):
    """Where a slice with a positive step begins or ends that says `k`, on an axis of length `n`."""
    if k < 0:
        return max(k + n, 0)
    return min(k, n)


def clipped_down(k, n):
    """Where a slice with a negative step begins or ends that says `k`."""
    if k < 0:
        return max(k + n, -1)
    return min(k, n - 1)


def trips(start, stop, step):
    """The length of `range(start, stop, step)`."""
    if step > 0:
        return max((stop - start + step - 1) // step, 0)
    return max((start - stop - step - 1) // -step, 0)


def steps(start, stop, step):
    """The length of `np.arange(start, stop, step)` of floats."""
    return max(int(math.ceil((stop - start) / step)), 0)
