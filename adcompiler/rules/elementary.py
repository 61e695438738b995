"""Exponentials, logarithms and their kin."""

import cmath
import math

import numpy as np

from adcompiler.rules.book import elementwise
from adcompiler.runtime import exp_difference, quotient, sinc_derivative

LN2 = math.log(2)
LN10 = math.log(10)
TWO_OVER_ROOT_PI = 2 / math.sqrt(math.pi)


@elementwise(np.exp)
def exp(x, out):
    return out


@elementwise(np.exp2)
def exp2(x, out):
    return out * LN2


@elementwise(np.expm1)
def expm1(x, out):
    return out + 1


@elementwise(np.log, pole=True)
def log(x):
    return quotient(1, x)


@elementwise(math.log, cmath.log, pole=True)
def math_log(x, out, base=None):
    if base is None:
        return quotient(1, x), None
    if np.iscomplexobj(out):  # a negative base has a complex logarithm
        return 1 / (x * np.log(base + 0j)), -out / (base * np.log(base + 0j))
    return 1 / (x * np.log(base)), -out / (base * np.log(base))


@elementwise(np.log2, pole=True)
def log2(x):
    return quotient(1 / LN2, x)


@elementwise(np.log10, pole=True)
def log10(x):
    return quotient(1 / LN10, x)


@elementwise(np.log1p, pole=True)
def log1p(x):
    return quotient(1, 1 + x)


@elementwise(np.logaddexp)
def logaddexp(x, y, out):
    return exp_difference(x, out), exp_difference(y, out)


@elementwise(np.logaddexp2)
def logaddexp2(x, y, out):
    return exp_difference(x * LN2, out * LN2), exp_difference(y * LN2, out * LN2)


@elementwise(np.sin)
def sin(x):
    return np.cos(x)


@elementwise(np.cos)
def cos(x):
    return -np.sin(x)


@elementwise(np.tan)
def tan(x, out):
    return 1 + out * out


# Of complex numbers, the sign of a zero says on which side of a branch cut they are; `1 - z` and
# `1 + z` lose it, and with it the sign of the slope. The functions of `cmath` take real
# numbers too.
@elementwise(np.arcsin, pole=True)
def arcsin(x, out):
    if np.iscomplexobj(out):
        z = x if np.iscomplexobj(x) else x + 0j
        return quotient(1, np.sqrt(-(z - 1)) * np.sqrt(z - -1))
    return quotient(1, np.sqrt((1 - x) * (1 + x)))


@elementwise(np.arccos, pole=True)
def arccos(x, out):
    if np.iscomplexobj(out):
        z = x if np.iscomplexobj(x) else x + 0j
        return quotient(-1, np.sqrt(-(z - 1)) * np.sqrt(z - -1))
    return quotient(-1, np.sqrt((1 - x) * (1 + x)))


@elementwise(np.arctan)
def arctan(x):
    return 1 / (1 + x * x)


@elementwise(np.arctan2, pole=True)
def arctan2(y, x):
    return quotient(x, x * x + y * y), quotient(-y, x * x + y * y)


@elementwise(np.sinh)
def sinh(x):
    return np.cosh(x)


@elementwise(np.cosh)
def cosh(x):
    return np.sinh(x)


@elementwise(np.tanh)
def tanh(x, out):
    return 1 - out * out


@elementwise(np.arcsinh)
def arcsinh(x):
    if np.iscomplexobj(x):
        return 1 / np.sqrt(x * x - -1)
    return 1 / np.sqrt(1 + x * x)


# The product of two roots: for complex numbers the root of the product may have the other sign.
@elementwise(np.arccosh, pole=True)
def arccosh(x, out):
    if np.iscomplexobj(out):
        z = x if np.iscomplexobj(x) else x + 0j
        return quotient(1, np.sqrt(z - 1) * np.sqrt(z - -1))
    return quotient(1, np.sqrt(x - 1) * np.sqrt(x + 1))


@elementwise(np.arctanh, pole=True)
def arctanh(x):
    return quotient(1, (1 - x) * (1 + x))


@elementwise(np.sinc)
def sinc(x):
    return sinc_derivative(x, 1)


@elementwise(math.erf)
def erf(x):
    return TWO_OVER_ROOT_PI * np.exp(-x * x)


@elementwise(math.erfc)
def erfc(x):
    return -TWO_OVER_ROOT_PI * np.exp(-x * x)


@elementwise(exp_difference)
def _(x, y, out):
    return out, -out


@elementwise(sinc_derivative)
def _(x, order):
    return sinc_derivative(x, order + 1), None
