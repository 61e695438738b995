"""Sums, products, powers, choices and the parts of complex numbers."""

import builtins
import math

import numpy as np

from adcompiler.rules.book import bilinear, elementwise, linear, rule
from adcompiler.runtime import (
    cast,
    log_nonzero,
    masked,
    pole_product,
    pole_quotient,
    quotient,
    raised,
    ratio,
    step,
    unbroadcast,
)


@elementwise(np.add)
def add(x, y):
    return 1, 1


@elementwise(np.subtract)
def subtract(x, y):
    return 1, -1


@elementwise(np.multiply)
def multiply(x, y):
    return y, x


# `np.where(y > 0, x / y, 0)` needs the pole. Engines may take `pole_quotient(g, y)` for the product
# with `quotient(1, y)`, and plain operators where `y` is a Python number.
@elementwise(np.divide, pole=True)
def divide(x, y, out):
    return quotient(1, y), quotient(-out, y)


# With `y == 0` the first is 0, at `x == 0` too; with `x == 0` the second is. A negative number has
# a complex logarithm, which counts where the exponent is complex.
@elementwise(np.power, np.float_power, pole=True)
def power(x, y, out):
    base = x + 0j if np.iscomplexobj(out) and not np.iscomplexobj(x) else x
    return pole_product(y, raised(x, y - 1)), out * log_nonzero(base)


@elementwise(np.negative)
def negative(x):
    return -1


@elementwise(np.positive)
def positive(x):
    return 1


@elementwise(np.reciprocal, pole=True)
def reciprocal(x):
    return quotient(-1, x * x)


@elementwise(np.square)
def square(x):
    return 2 * x


@elementwise(np.sqrt, pole=True)
def sqrt(x, out):
    return quotient(0.5, out)


@elementwise(np.cbrt, pole=True)
def cbrt(x, out):
    return quotient(1, 3 * out * out)


@elementwise(np.remainder)
def remainder(x, y):
    return 1, -np.floor_divide(x, y)


@elementwise(np.fmod)
def fmod(x, y):
    return 1, -np.trunc(x / y)


@elementwise(math.remainder)
def ieee_remainder(x, y, out):
    return 1, (out - x) / y


@rule(np.divmod)
def divmod_(g, x, y, out):
    return unbroadcast(g[1], x), unbroadcast(-out[0] * g[1], y)


@divmod_.forward
def _(x_dot, y_dot, out):
    return np.zeros_like(out[0]), x_dot - out[0] * y_dot


@linear(np.modf)
def modf(g, x):
    return g[0]


@modf.forward
def _(x_dot):
    return x_dot, np.zeros_like(x_dot)


@elementwise(np.ldexp)
def ldexp(x, i):
    return np.ldexp(np.ones_like(x), i), None


@elementwise(np.hypot)
def hypot(x, y, out):
    return ratio(x, out), ratio(y, out)


@rule(math.hypot)
def length(g, coordinates, out):
    return [g * ratio(x, out) for x in coordinates]


@length.forward
def _(coordinates_dot, coordinates, out):
    return ratio(sum([x * x_dot for x, x_dot in zip(coordinates, coordinates_dot)]), out)


@elementwise(np.deg2rad)
def deg2rad(x):
    return math.pi / 180


@elementwise(np.rad2deg)
def rad2deg(x):
    return 180 / math.pi


# Choices. At a tie the two sides share evenly.


@elementwise(np.maximum, real=True)
def maximum(x, y):
    return step(x, y), step(y, x)


@elementwise(np.minimum, real=True)
def minimum(x, y):
    return step(y, x), step(x, y)


@elementwise(np.fmax, real=True)
def fmax(x, y):
    return np.where(np.isnan(y), 1, step(x, y)), np.where(np.isnan(x), 1, step(y, x))


@elementwise(np.fmin, real=True)
def fmin(x, y):
    return np.where(np.isnan(y), 1, step(y, x)), np.where(np.isnan(x), 1, step(x, y))


@elementwise(np.clip, real=True)
def clip(a, a_min=None, a_max=None):
    if a_min is None and a_max is None:
        return 1, None, None
    if a_min is None:
        return a <= a_max, None, a > a_max
    if a_max is None:
        return a >= a_min, a < a_min, None
    inside = (a >= a_min) & (a <= a_max)
    return inside, (a < a_min) & (a_min <= a_max), np.maximum(a, a_min) > a_max


@rule(np.where)
def where(g, condition, x, y):
    x_bar, y_bar = masked(g, condition), masked(g, np.logical_not(condition))
    return unbroadcast(x_bar, x), unbroadcast(y_bar, y)


@where.forward
def _(x_dot, y_dot, condition):
    return np.where(condition, x_dot, y_dot)


@elementwise(np.heaviside)
def heaviside(x, h):
    return None, np.equal(x, 0)


# Zero, but not for complex numbers.
@elementwise(np.sign, real=True)
def sign(x):
    return None


@elementwise(np.copysign)
def copysign(x, y):
    return np.sign(x) * np.copysign(1.0, y), None


@elementwise(np.nan_to_num)
def nan_to_num(x, nan=0.0, posinf=None, neginf=None):
    return np.isfinite(x), np.isnan(x), np.equal(x, math.inf), np.equal(x, -math.inf)


@elementwise(np.fabs)
def fabs(x):
    return np.sign(x)


# Complex numbers. A derivative is the number by which the differential is multiplied; nothing is
# conjugated. A real function f of z = x + iy has the adjoint df/dx - i df/dy.


@elementwise(np.absolute)
def absolute(x, out):
    # The sign of a complex number, as a formula that has a derivative in its turn.
    return np.conjugate(x) / (out + (out == 0)) if np.iscomplexobj(x) else np.sign(x)


@absolute.forward
def _(x_dot, x, out):
    if np.iscomplexobj(x):
        return np.real(np.conjugate(x) / (out + (out == 0)) * x_dot)
    return np.sign(x) * x_dot


@linear(np.conjugate)
def conjugate(g, x):
    return np.conjugate(g)


@linear(np.real)
def real(g, val):
    return g


@linear(np.imag)
def imag(g, val):
    return g * -1j if np.iscomplexobj(val) else np.zeros_like(g)


@rule(builtins.complex)
def complex_(g, real=0.0, imag=0.0):
    return np.real(g), np.real(g * 1j)


@complex_.forward
def _(real=0.0, imag=0.0, real_dot=None, imag_dot=None):
    if imag_dot is None:
        return real_dot + 0j
    return imag_dot * 1j if real_dot is None else real_dot + imag_dot * 1j


@rule(np.angle)
def angle(g, z, deg=False):
    if not np.iscomplexobj(z):
        return np.zeros_like(g)
    slope = quotient(-1j, z)
    return pole_product(g, slope * (180 / math.pi) if deg else slope)


@angle.forward
def _(z_dot, z, deg=False):
    if not np.iscomplexobj(z):
        return np.zeros_like(z_dot)
    turn = np.imag(pole_quotient(z_dot, z))
    return turn * (180 / math.pi) if deg else turn


# What rules are made of.


@bilinear(pole_product)
def _(h, g, partial):
    return unbroadcast(pole_product(h, partial), g), unbroadcast(pole_product(g, h), partial)


@rule(pole_quotient)
def _(h, g, divisor, out):
    return (
        unbroadcast(pole_quotient(h, divisor), g),
        unbroadcast(-pole_quotient(pole_product(h, out), divisor), divisor),
    )


@_.forward
def _(g_dot, divisor_dot, divisor, out):
    return pole_quotient(g_dot - pole_product(divisor_dot, out), divisor)


@elementwise(quotient, pole=True)
def _(x, y, out):
    return quotient(1, y), quotient(-out, y)


@elementwise(raised, pole=True)
def _(x, y, out):
    base = x + 0j if np.iscomplexobj(out) and not np.iscomplexobj(x) else x
    return pole_product(y, raised(x, y - 1)), out * log_nonzero(base)


@elementwise(ratio, pole=True)
def _(x, y, out):
    return quotient(1, y), quotient(-out, y)


@elementwise(log_nonzero)
def _(x):
    return ratio(1, x)


@linear(masked)
def _(h, g, condition):
    return unbroadcast(masked(h, condition), g)


@linear(cast)
def _(h, g, like):
    return cast(h, g)


@linear(unbroadcast)
def _(h, g, like):
    return np.broadcast_to(h, np.shape(g))


@elementwise(min)
def smaller(x, y):
    second = 1.0 * (y < x)
    return 1.0 - second, second


@elementwise(max)
def larger(x, y):
    second = 1.0 * (y > x)
    return 1.0 - second, second
