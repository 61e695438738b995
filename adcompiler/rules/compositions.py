"""Functions of NumPy in terms of others that have rules, so that they need none of their own.

What is here is written as a user would write it: both engines run it in place of the call, so its
derivatives of every order follow. A function that stands in the rulebook too is composed only where
a call gives an argument that its rule does not know (`np.sum(x, where=...)`).

`raise NotImplementedError("reason: remedy")` refuses the call, at the line of the user.
"""

import math

import numpy as np

from adcompiler.rules.book import composition
from adcompiler.runtime import (
    inserted_order,
    kept_by_delete,
    pad_places,
    stop_gradient,
)

COMPLEX = (np.complex128, np.complex64)
INEXACT = (np.float64, np.float32, np.float16, *COMPLEX)


def _array(a):
    return np.array(a) if isinstance(a, (list, tuple)) else a


def _floats(a):
    """The array, integers as floats: the sum or difference of small ones would wrap around."""
    a = _array(a)
    return a if a.dtype in INEXACT else a.astype(np.float64)


def _divided(total, count):
    """The quotient in the precision of the total: a count of items has none of its own."""
    return total / (count.astype(total.dtype) if total.dtype in INEXACT else count)


# Axes. Statistics of several axes are taken along one axis into which they are joined.


def _joined(a, axis):
    """The array with the axes `axis` as its first one."""
    if axis is None:
        return np.reshape(a, -1)
    if isinstance(axis, tuple):
        count = len(axis)
        front = np.moveaxis(a, axis, tuple(range(count)))
        return np.reshape(front, (-1, *np.shape(front)[count:]))
    return _first(a, axis)


def _first(a, axis):
    """The array with that axis as its first one."""
    return a if axis % np.ndim(a) == 0 else np.moveaxis(a, axis, 0)


def _back(a, axis):
    """The array with its first axis where `_first` took it from."""
    return a if axis % np.ndim(a) == 0 else np.moveaxis(a, 0, axis)


def _kept(result, a, axis, keepdims):
    """The result with the axes that it was taken along, if they are to be kept."""
    if not keepdims:
        return result
    return np.expand_dims(result, tuple(range(np.ndim(a))) if axis is None else axis)


def _ascending(a):
    """The items in order along the first axis; NaNs come last."""
    return np.take_along_axis(a, np.argsort(a, axis=0), axis=0)


# Sums, means and extremes of what `where=` and `initial=` say.


@composition(np.sum)
def sum_(a, axis=None, dtype=None, *, keepdims=False, initial=0, where=True):
    chosen = np.where(where, a, 0)
    return np.sum(chosen, axis=axis, dtype=dtype, keepdims=keepdims) + initial


@composition(np.prod)
def prod(a, axis=None, dtype=None, *, keepdims=False, initial=1, where=True):
    if dtype is not None:
        raise NotImplementedError("np.prod with dtype=: convert the array first (x.astype(dtype))")
    return np.prod(np.where(where, a, 1), axis=axis, keepdims=keepdims) * initial


@composition(np.mean)
def mean(a, axis=None, dtype=None, *, keepdims=False, where=True):
    chosen = np.where(where, a, 0)
    total = np.sum(chosen, axis=axis, dtype=dtype, keepdims=keepdims)
    count = np.broadcast_to(where, np.shape(a))
    return _divided(total, np.sum(count, axis=axis, keepdims=keepdims))


@composition(np.max)
def max_(a, axis=None, *, keepdims=False, initial=None, where=True):
    if initial is None:
        raise NotImplementedError("np.max needs initial= with where=: give it")
    return np.maximum(np.max(np.where(where, a, initial), axis=axis, keepdims=keepdims), initial)


@composition(np.min)
def min_(a, axis=None, *, keepdims=False, initial=None, where=True):
    if initial is None:
        raise NotImplementedError("np.min needs initial= with where=: give it")
    return np.minimum(np.min(np.where(where, a, initial), axis=axis, keepdims=keepdims), initial)


@composition(np.var)
def var(a, axis=None, dtype=None, ddof=0, *, keepdims=False, where=True, mean=None, correction=0):
    if dtype is not None:
        raise NotImplementedError("np.var with dtype=: convert the array first (x.astype(dtype))")
    middle = np.mean(a, axis=axis, keepdims=True, where=where) if mean is None else mean
    apart = np.where(where, np.square(a - middle), 0)
    count = np.sum(np.broadcast_to(where, np.shape(a)), axis=axis, keepdims=keepdims)
    return _divided(np.sum(apart, axis=axis, keepdims=keepdims), count - (ddof + correction))


# The slope of a deviation is 0 where all items are equal: a norm has it so, a root has not.
@composition(np.std)
def std(a, axis=None, dtype=None, ddof=0, *, keepdims=False, where=True, mean=None, correction=0):
    if dtype is not None:
        raise NotImplementedError("np.std with dtype=: convert the array first (x.astype(dtype))")
    middle = np.mean(a, axis=axis, keepdims=True, where=where) if mean is None else mean
    count = np.sum(np.broadcast_to(where, np.shape(a)), axis=axis, keepdims=keepdims)
    length = np.linalg.vector_norm(np.where(where, a - middle, 0), axis=axis, keepdims=keepdims)
    return _divided(length, np.sqrt(count - (ddof + correction)))


@composition(np.average)
def average(a, axis=None, weights=None, returned=False, *, keepdims=False):
    a = _array(a)
    if weights is None:
        result = np.mean(a, axis=axis, keepdims=keepdims)
        if not returned:
            return result
        return result, np.full(np.shape(result), np.size(a) / np.size(result))
    a, weights = _floats(a), _array(weights)
    if np.ndim(weights) != np.ndim(a):
        if isinstance(axis, tuple) or axis is None or np.ndim(weights) != 1:
            raise NotImplementedError("weights of another rank: give them the shape of the array")
        along = [k for k in range(np.ndim(a)) if k != axis % np.ndim(a)]
        weights = np.expand_dims(weights, tuple(along))
    total = np.sum(a * weights, axis=axis, keepdims=keepdims)
    scale = np.sum(weights, axis=axis, keepdims=keepdims)
    if returned:
        return total / scale, np.broadcast_to(scale, np.shape(total))
    return total / scale


# NaNs left out.


@composition(np.nansum)
def nansum(a, axis=None, dtype=None, keepdims=False, initial=0, where=True):
    chosen = np.where(np.isnan(a), 0, a)
    return np.sum(chosen, axis=axis, dtype=dtype, keepdims=keepdims, initial=initial, where=where)


@composition(np.nanprod)
def nanprod(a, axis=None, dtype=None, keepdims=False, initial=1, where=True):
    chosen = np.where(np.isnan(a), 1, a)
    if initial is None:
        initial = 1
    return np.prod(chosen, axis=axis, dtype=dtype, keepdims=keepdims, initial=initial, where=where)


@composition(np.nancumsum)
def nancumsum(a, axis=None, dtype=None):
    return np.cumsum(np.where(np.isnan(a), 0, a), axis=axis, dtype=dtype)


@composition(np.nancumprod)
def nancumprod(a, axis=None, dtype=None):
    return np.cumprod(np.where(np.isnan(a), 1, a), axis=axis, dtype=dtype)


@composition(np.nanmean)
def nanmean(a, axis=None, dtype=None, keepdims=False, *, where=True):
    known = np.logical_and(np.logical_not(np.isnan(a)), where)
    total = np.sum(np.where(known, a, 0), axis=axis, dtype=dtype, keepdims=keepdims)
    return _divided(total, np.sum(known, axis=axis, keepdims=keepdims))


@composition(np.nanvar)
def nanvar(
    a, axis=None, dtype=None, ddof=0, keepdims=False, *, where=True, mean=None, correction=0
):
    known = np.logical_and(np.logical_not(np.isnan(a)), where)
    middle = np.nanmean(a, axis=axis, keepdims=True, where=where) if mean is None else mean
    apart = np.square(np.where(known, a, middle) - middle)
    count = np.sum(known, axis=axis, keepdims=keepdims)
    total = np.sum(apart, axis=axis, dtype=dtype, keepdims=keepdims)
    return _divided(total, count - (ddof + correction))


@composition(np.nanstd)
def nanstd(
    a, axis=None, dtype=None, ddof=0, keepdims=False, *, where=True, mean=None, correction=0
):
    if dtype is not None:
        raise NotImplementedError("np.nanstd with dtype=: convert the array first")
    known = np.logical_and(np.logical_not(np.isnan(a)), where)
    middle = np.nanmean(a, axis=axis, keepdims=True, where=where) if mean is None else mean
    count = np.sum(known, axis=axis, keepdims=keepdims)
    apart = np.where(known, a, middle) - middle
    length = np.linalg.vector_norm(apart, axis=axis, keepdims=keepdims)
    return _divided(length, np.sqrt(count - (ddof + correction)))


@composition(np.nanmax)
def nanmax(a, axis=None, keepdims=False):
    unknown = np.isnan(a)
    best = np.max(np.where(unknown, -math.inf, a), axis=axis, keepdims=keepdims)
    return np.where(np.all(unknown, axis=axis, keepdims=keepdims), math.nan, best)[()]


@composition(np.nanmin)
def nanmin(a, axis=None, keepdims=False):
    unknown = np.isnan(a)
    best = np.min(np.where(unknown, math.inf, a), axis=axis, keepdims=keepdims)
    return np.where(np.all(unknown, axis=axis, keepdims=keepdims), math.nan, best)[()]


# Order statistics.


@composition(np.median)
def median(a, axis=None, overwrite_input=False, keepdims=False):
    if overwrite_input:
        raise NotImplementedError("the array would be left in some order: leave it out")
    a = _array(a)
    ordered = _floats(_ascending(_joined(a, axis)))
    count = np.shape(ordered)[0]
    middle = (ordered[(count - 1) // 2] + ordered[count // 2]) / 2
    last = ordered[-1]  # a NaN, if there is one
    return _kept(np.where(np.isnan(last), last, middle)[()], a, axis, keepdims)


@composition(np.nanmedian)
def nanmedian(a, axis=None, overwrite_input=False, keepdims=False):
    if overwrite_input:
        raise NotImplementedError("the array would be left in some order: leave it out")
    return np.nanquantile(a, 0.5, axis=axis, keepdims=keepdims)


@composition(np.quantile)
def quantile(
    a, q, axis=None, overwrite_input=False, method="linear", keepdims=False, *, weights=None
):
    if overwrite_input or weights is not None:
        raise NotImplementedError("overwrite_input= and weights=: leave them out")
    a, q = _array(a), _array(q)
    ordered = _ascending(_joined(a, axis))
    last = np.shape(ordered)[0] - 1
    place = q * last
    below, above = np.floor(place), np.ceil(place)
    if method == "linear":  # at a sample too there is a slope in `q`
        below = np.minimum(below, last - 1)
        above = below + 1
    elif method == "lower":
        above = below
    elif method == "higher":
        below = above
    elif method == "nearest":
        below = above = np.round(place)
    elif method != "midpoint":
        raise NotImplementedError("this method: linear, lower, higher, nearest and midpoint are")
    share = place - below if method == "linear" else (above - below) / 2
    share = np.reshape(share, np.shape(q) + (1,) * (np.ndim(ordered) - 1))
    low = np.take(ordered, below.astype(np.intp), axis=0)
    high = np.take(ordered, above.astype(np.intp), axis=0)
    result = np.where(np.isnan(ordered[-1]), ordered[-1], low + (high - low) * share)[()]
    if not keepdims:
        return result
    kept = range(np.ndim(a)) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    return np.expand_dims(result, tuple([np.ndim(q) + k % np.ndim(a) for k in kept]))


@composition(np.percentile)
def percentile(
    a, q, axis=None, overwrite_input=False, method="linear", keepdims=False, *, weights=None
):
    q = _array(q) / 100
    return np.quantile(a, q, axis, None, overwrite_input, method, keepdims, weights=weights)


@composition(np.nanquantile)
def nanquantile(
    a, q, axis=None, overwrite_input=False, method="linear", keepdims=False, *, weights=None
):
    if np.ndim(q) != 0 or method != "linear" or overwrite_input or weights is not None:
        raise NotImplementedError("only one quantile at a time by linear interpolation: so it is")
    a = _array(a)
    ordered = _ascending(_joined(a, axis))
    count = np.sum(np.logical_not(np.isnan(ordered)), axis=0, keepdims=True)
    place = q * (count - 1)
    below = np.floor(place)
    low = np.take_along_axis(ordered, below.astype(np.intp), axis=0)
    high = np.take_along_axis(ordered, np.ceil(place).astype(np.intp), axis=0)
    return _kept((low + (high - low) * (place - below))[0], a, axis, keepdims)


@composition(np.nanpercentile)
def nanpercentile(
    a, q, axis=None, overwrite_input=False, method="linear", keepdims=False, *, weights=None
):
    return np.nanquantile(
        a, q / 100, axis, None, overwrite_input, method, keepdims, weights=weights
    )


@composition(np.partition)
def partition(a, kth, axis=-1, kind="introselect", order=None):
    if axis is None:
        return np.take(a, np.argpartition(a, kth, axis=None, kind=kind))
    return np.take_along_axis(a, np.argpartition(a, kth, axis=axis, kind=kind), axis=axis)


@composition(np.cov)
def cov(m, y=None, rowvar=True, bias=False, ddof=None, fweights=None, aweights=None, *, dtype=None):
    if fweights is not None or dtype is not None:
        raise NotImplementedError("fweights= and dtype=: repeat the samples, convert the array")
    rows = np.atleast_2d(m)
    rows = rows if rowvar or np.ndim(m) < 2 else np.transpose(rows)
    if y is not None:
        more = np.atleast_2d(y)
        more = more if rowvar or np.ndim(y) < 2 else np.transpose(more)
        rows = np.concatenate((rows, more), axis=0)
    freedom = (0 if bias else 1) if ddof is None else ddof
    if aweights is None:
        apart = rows - np.mean(rows, axis=1, keepdims=True)
        return np.squeeze(apart @ np.transpose(apart) / (np.shape(rows)[1] - freedom))
    total = np.sum(aweights)
    apart = rows - np.sum(rows * aweights, axis=1, keepdims=True) / total
    scale = total - freedom * np.sum(np.square(aweights)) / total
    return np.squeeze((apart * aweights) @ np.transpose(apart) / scale)


@composition(np.corrcoef)
def corrcoef(x, y=None, rowvar=True, *, dtype=None):
    if y is None and np.ndim(x) < 2:
        raise NotImplementedError("the correlation of one variable is 1: give two")
    covariances = np.cov(x, y, rowvar, dtype=dtype)
    spread = np.sqrt(np.diagonal(covariances))
    ratio = covariances / np.expand_dims(spread, 1) / np.expand_dims(spread, 0)
    return np.clip(ratio, -1, 1)


@composition(np.histogram)
def histogram(a, bins=10, range=None, density=None, weights=None):
    counts, edges = np.histogram(a, bins, range, None, weights)
    if density:
        return counts / np.diff(edges) / np.sum(counts), edges
    return counts, edges


# Calculus on samples.


@composition(np.diff)
def diff(a, n=1, axis=-1, prepend=None, append=None):
    parts = [a]
    if prepend is not None:
        parts = [_edge(prepend, a, axis), *parts]
    if append is not None:
        parts = [*parts, _edge(append, a, axis)]
    return np.diff(np.concatenate(parts, axis=axis), n, axis)


def _edge(values, a, axis):
    if np.ndim(values) > 0:
        return values
    place = axis % np.ndim(a)
    shape = [1 if k == place else np.shape(a)[k] for k in range(np.ndim(a))]
    return np.broadcast_to(values, tuple(shape))


@composition(np.ediff1d)
def ediff1d(ary, to_end=None, to_begin=None):
    steps = np.diff(np.ravel(ary))
    if to_begin is not None:
        steps = np.concatenate((np.ravel(to_begin), steps))
    return steps if to_end is None else np.concatenate((steps, np.ravel(to_end)))


@composition(np.trapezoid)
def trapezoid(y, x=None, dx=1.0, axis=-1):
    y = _last(_array(y), axis)
    if x is None:
        return np.sum(dx * (y[..., 1:] + y[..., :-1]) / 2.0, axis=-1)
    x = _array(x)
    width = np.diff(x if np.ndim(x) == 1 else _last(x, axis))
    return np.sum(width * (y[..., 1:] + y[..., :-1]) / 2.0, axis=-1)


def _last(a, axis):
    return a if (axis + 1) % np.ndim(a) == 0 else np.moveaxis(a, axis, -1)


@composition(np.gradient)
def gradient(f, *varargs, axis=None, edge_order=1):
    f = _floats(f)
    axes = tuple(range(np.ndim(f))) if axis is None else axis
    axes = axes if isinstance(axes, tuple) else (axes,)
    if len(varargs) not in (0, 1, len(axes)):
        raise NotImplementedError("the number of spacings: give one, or one for each axis")
    spacings = varargs if varargs else (1.0,)
    spacings = spacings * len(axes) if len(spacings) == 1 else spacings
    slopes = [_slope(f, spacings[k], axes[k], edge_order) for k in range(len(axes))]
    return slopes[0] if len(axes) == 1 else tuple(slopes)


def _slope(f, spacing, axis, edge_order):
    """The slope along one axis, of samples that are `spacing` (or so placed) apart."""
    f = _first(f, axis)
    if np.ndim(spacing) == 0:
        inside = (f[2:] - f[:-2]) / (2.0 * spacing)
        if edge_order == 1:
            first, last = (f[1] - f[0]) / spacing, (f[-1] - f[-2]) / spacing
        else:
            first = (-1.5 * f[0] + 2.0 * f[1] - 0.5 * f[2]) / spacing
            last = (0.5 * f[-3] - 2.0 * f[-2] + 1.5 * f[-1]) / spacing
    else:
        h = np.diff(spacing)
        before = np.reshape(h[:-1], (-1,) + (1,) * (np.ndim(f) - 1))
        after = np.reshape(h[1:], (-1,) + (1,) * (np.ndim(f) - 1))
        left = -after / (before * (before + after))
        middle = (after - before) / (before * after)
        right = before / (after * (before + after))
        inside = left * f[:-2] + middle * f[1:-1] + right * f[2:]
        if edge_order == 1:
            first, last = (f[1] - f[0]) / h[0], (f[-1] - f[-2]) / h[-1]
        else:
            p, q = h[0], h[1]
            first = (
                -(2.0 * p + q) / (p * (p + q)) * f[0] + (p + q) / (p * q) * f[1]
                - p / (q * (p + q)) * f[2]
            )  # fmt: skip
            p, q = h[-2], h[-1]
            last = (
                q / (p * (p + q)) * f[-3] - (q + p) / (p * q) * f[-2]
                + (2.0 * q + p) / (q * (p + q)) * f[-1]
            )  # fmt: skip
    ends = (np.expand_dims(first, 0), inside, np.expand_dims(last, 0))
    return _back(np.concatenate(ends, axis=0), axis)


@composition(np.interp)
def interp(x, xp, fp, left=None, right=None, period=None):
    if period is not None:
        raise NotImplementedError("np.interp with period=: wrap the points yourself (x % period)")
    x, xp, fp = _array(x), _doubles(xp), _doubles(fp)
    k = np.clip(np.searchsorted(xp, x, side="right") - 1, 0, np.shape(xp)[0] - 2)
    width = xp[k + 1] - xp[k]
    width = np.where(width > 0, width, 1)  # there may be one sample only
    slope = (fp[k + 1] - fp[k]) / width
    result = slope * (x - xp[k]) + fp[k]
    result = np.where(x < xp[0], fp[0] if left is None else left, result)
    result = np.where(x > xp[-1], fp[-1] if right is None else right, result)
    return np.where(x == xp[-1], fp[-1] + slope * (x - xp[-1]), result)[()]


def _doubles(a):
    a = _array(a)
    return a if a.dtype in (np.float64, *COMPLEX) else a.astype(np.float64)


@composition(np.correlate)
def correlate(a, v, mode="valid"):
    if mode not in ("valid", "same", "full"):
        raise NotImplementedError("this mode: 'valid', 'same' or 'full'")
    if mode != "same":
        return np.convolve(a, np.conjugate(np.flip(v)), mode)
    whole = np.convolve(a, np.conjugate(np.flip(v)))
    n, m = np.shape(a)[0], np.shape(v)[0]
    start = (m - 1) // 2 if n >= m else n // 2
    return whole[start : start + max(n, m)]


@composition(np.unwrap)
def unwrap(p, discont=None, axis=-1, *, period=2 * math.pi):
    if discont is not None:
        raise NotImplementedError("np.unwrap with discont=: leave it out")
    p = _array(p)
    step = np.diff(p, axis=axis)
    low = -period / 2
    short = np.mod(step - low, period) + low
    short = np.where(np.logical_and(short == low, step > 0), -low, short)
    turns = np.where(np.abs(step) < period / 2, 0.0, short - step)
    turns = stop_gradient(np.cumsum(turns, axis=axis))  # whole periods
    if isinstance(period, float):  # how many of them: the slope in the period
        turns = turns + np.round(turns / period) * (period - stop_gradient(period))
    start = np.zeros_like(np.take(p, np.arange(1), axis=axis))
    return p + np.concatenate((start, turns), axis=axis)


@composition(np.cumulative_sum)
def cumulative_sum(x, /, *, axis=None, dtype=None, include_initial=False):
    total = np.cumsum(x, axis=axis, dtype=dtype)
    if not include_initial:
        return total
    start = np.zeros_like(np.take(total, np.arange(1), axis=0 if axis is None else axis))
    return np.concatenate((start, total), axis=0 if axis is None else axis)


@composition(np.cumulative_prod)
def cumulative_prod(x, /, *, axis=None, dtype=None, include_initial=False):
    total = np.cumprod(x, axis=axis, dtype=dtype)
    if not include_initial:
        return total
    start = np.ones_like(np.take(total, np.arange(1), axis=0 if axis is None else axis))
    return np.concatenate((start, total), axis=0 if axis is None else axis)


@composition(np.logspace)
def logspace(start, stop, num=50, endpoint=True, base=10.0, dtype=None, axis=0):
    if dtype is not None or axis != 0:
        raise NotImplementedError("np.logspace with dtype= or axis=: leave them out")
    return base ** np.linspace(start, stop, num, endpoint)


@composition(np.geomspace)
def geomspace(start, stop, num=50, endpoint=True, dtype=None, axis=0):
    if dtype is not None or axis != 0:
        raise NotImplementedError("np.geomspace with dtype= or axis=: leave them out")
    return start * (stop / start) ** np.linspace(0.0, 1.0, num, endpoint)


@composition(np.linspace)
def linspace(start, stop, num=50, endpoint=True, retstep=False, dtype=None, axis=0):
    if dtype is not None or axis != 0:
        raise NotImplementedError("np.linspace with dtype= or axis=: leave them out")
    values = np.linspace(start, stop, num, endpoint)
    if not retstep:
        return values
    return values, (stop - start) / (num - 1 if endpoint else num)


# Polynomials.


@composition(np.polyval)
def polyval(p, x):
    p, x = _array(p), _array(x)
    y = np.zeros_like(x * p[0])
    for k in range(np.shape(p)[0]):
        y = y * x + p[k]
    return y


@composition(np.vander)
def vander(x, N=None, increasing=False):
    x = _array(x)
    powers = np.arange(np.shape(x)[0] if N is None else N)
    return np.expand_dims(x, 1) ** (powers if increasing else np.flip(powers))


@composition(np.polyfit)
def polyfit(x, y, deg, rcond=None, full=False, w=None, cov=False):
    if full or cov or rcond is not None:
        raise NotImplementedError("np.polyfit with full=, cov= or rcond=: leave them out")
    left, right = np.vander(x, deg + 1), _array(y) + 0.0
    if w is not None:
        left = left * np.expand_dims(w, 1)
        right = right * (np.expand_dims(w, 1) if np.ndim(right) == 2 else w)
    scale = np.sqrt(np.sum(left * left, axis=0))
    solution = np.linalg.pinv(left / scale) @ right
    return solution / (np.expand_dims(scale, 1) if np.ndim(right) == 2 else scale)


@composition(np.polyder)
def polyder(p, m=1):
    if m != 1:
        raise NotImplementedError("np.polyder with m=: apply it several times")
    p = _array(p)
    return p[:-1] * np.arange(np.shape(p)[0] - 1, 0, -1)


@composition(np.polyint)
def polyint(p, m=1, k=None):
    if m != 1 or k is not None:
        raise NotImplementedError("np.polyint with m= or k=: apply it several times")
    p = _array(p)
    return np.concatenate((p / np.arange(np.shape(p)[0], 0, -1), np.zeros(1)))


# Choices.


@composition(np.select)
def select(condlist, choicelist, default=0):
    return _selected(len(condlist) - 1, condlist, choicelist, default)


def _selected(last, conditions, choices, default):
    if last < 0:
        return default
    taken = np.where(conditions[last], choices[last], default)
    return _selected(last - 1, conditions, choices, taken)


@composition(np.choose)
def choose(a, choices, mode="raise"):
    if mode != "raise":
        raise NotImplementedError("np.choose with mode=: np.clip or `%` of the index")
    if isinstance(choices, (list, tuple)):
        frame = np.zeros(np.shape(a), bool)  # whose shape is that of all together
        for choice in choices:
            frame = frame | np.zeros(np.shape(choice), bool)
        choices = np.stack([np.broadcast_to(choice, np.shape(frame)) for choice in choices])
    places = np.broadcast_to(a, np.shape(choices)[1:]).astype(np.intp)  # may be of booleans
    return np.take_along_axis(choices, np.expand_dims(places, 0), axis=0)[0]


@composition(np.compress)
def compress(condition, a, axis=None):
    places = np.flatnonzero(condition)
    return np.take(a, places) if axis is None else np.take(a, places, axis=axis)


@composition(np.ndarray.compress)
def compress_method(a, condition, axis=None):
    return np.compress(condition, a, axis)


@composition(np.extract)
def extract(condition, arr):
    return np.take(arr, np.flatnonzero(condition))


@composition(np.take)
def take(a, indices, axis=None, mode="raise"):
    count = np.size(a) if axis is None else np.shape(a)[axis]
    indices = _array(indices)
    if mode == "wrap":
        return np.take(a, indices % count, axis)
    return np.take(a, np.clip(indices, 0, count - 1), axis)


@composition(np.piecewise)
def piecewise(x, condlist, funclist, *args, **kw):
    x = _array(x)
    result = np.zeros_like(x)
    conditions = condlist if isinstance(condlist, (list, tuple)) else [condlist]
    if len(funclist) == len(conditions) + 1:
        other = np.logical_not(np.any(np.stack(conditions), axis=0))
        result[other] = _piece(funclist[-1], x[other], args, kw)
    _fill_pieces(len(conditions), result, x, conditions, funclist, args, kw)
    return result


def _fill_pieces(count, result, x, conditions, functions, args, kw):
    if count > 0:
        _fill_pieces(count - 1, result, x, conditions, functions, args, kw)
        chosen = conditions[count - 1]
        result[chosen] = _piece(functions[count - 1], x[chosen], args, kw)


def _piece(function, x, args, kw):
    return function(x, *args, **kw) if callable(function) else function


# Parts joined and taken apart.


@composition(np.hsplit)
def hsplit(ary, indices_or_sections):
    return np.split(ary, indices_or_sections, 0 if np.ndim(ary) == 1 else 1)


@composition(np.vsplit)
def vsplit(ary, indices_or_sections):
    return np.split(ary, indices_or_sections, 0)


@composition(np.dsplit)
def dsplit(ary, indices_or_sections):
    return np.split(ary, indices_or_sections, 2)


@composition(np.rollaxis)
def rollaxis(a, axis, start=0):
    place = start + np.ndim(a) if start < 0 else start
    axis = axis % np.ndim(a)
    return np.moveaxis(a, axis, place - 1 if axis < place else place)


@composition(np.broadcast_arrays)
def broadcast_arrays(*args, subok=False):
    shape = np.broadcast_shapes(*[np.shape(a) for a in args])
    return tuple([np.broadcast_to(a, shape) for a in args])


@composition(np.unstack)
def unstack(x, /, *, axis=0):
    x = np.moveaxis(_array(x), axis, 0)
    return tuple([x[k] for k in range(np.shape(x)[0])])


@composition(np.meshgrid)
def meshgrid(*xi, copy=True, sparse=False, indexing="xy"):
    count = len(xi)
    swapped = indexing == "xy" and count > 1
    axes = [1 - k if swapped and k < 2 else k for k in range(count)]
    grids = [_on_axis(xi[k], axes[k], count) for k in range(count)]
    whole = grids if sparse else np.broadcast_arrays(*grids)
    return tuple([np.copy(a) if copy else a for a in whole])


def _on_axis(x, axis, rank):
    return np.reshape(x, tuple([-1 if k == axis else 1 for k in range(rank)]))


@composition(np.resize)
def resize(a, new_shape):
    shape = new_shape if isinstance(new_shape, tuple) else (new_shape,)
    places = np.reshape(np.arange(math.prod(shape)), shape)
    return np.take(a, places % np.size(a))


@composition(np.diagflat)
def diagflat(v, k=0):
    return np.diag(np.ravel(v), k)


@composition(np.block)
def block(arrays):
    rank = max(_depth(arrays), _widest(arrays))
    return _blocks(arrays, _depth(arrays), rank)


def _depth(arrays):
    if isinstance(arrays, list):
        return 1 + max([_inner_depth(item) for item in arrays])
    return 0


def _inner_depth(arrays):
    if isinstance(arrays, list):
        if any(isinstance(item, list) for item in arrays):
            raise NotImplementedError("blocks in more than two levels: np.concatenate, np.stack")
        return 1
    return 0


def _widest(arrays):
    items = arrays if isinstance(arrays, list) else [arrays]
    return max([max([np.ndim(a) for a in item]) if isinstance(item, list) else np.ndim(item)
                for item in items])  # fmt: skip


def _blocks(arrays, depth, rank):
    if depth == 0:
        return np.array(arrays)
    if depth == 1:
        return np.concatenate([_spread(a, rank) for a in arrays], axis=-1)
    rows = [np.concatenate([_spread(a, rank) for a in row], axis=-1) for row in arrays]
    return np.concatenate(rows, axis=-2)


def _spread(a, rank):
    return np.expand_dims(a, tuple(range(rank - np.ndim(a))))


@composition(np.array)
def array(object, dtype=None, *, copy=True, order="K", subok=False, ndmin=0, like=None):
    if subok or like is not None:
        raise NotImplementedError("np.array with subok= or like=: leave them out")
    made = np.array(object, dtype=dtype, copy=copy, order=order)
    return np.expand_dims(made, tuple(range(max(0, ndmin - np.ndim(made)))))


@composition(np.full_like)
def full_like(a, fill_value, dtype=None, order="K", subok=True, shape=None):
    a = _array(a)
    kind = a.dtype if dtype is None else dtype
    return np.full(np.shape(a) if shape is None else shape, fill_value, dtype=kind)


@composition(np.delete)
def delete(arr, obj, axis=None):
    if axis is None:
        return np.take(arr, kept_by_delete(np.size(arr), obj))
    return np.take(arr, kept_by_delete(np.shape(arr)[axis], obj), axis=axis)


@composition(np.unique)
def unique(
    ar,
    return_index=False,
    return_inverse=False,
    return_counts=False,
    axis=None,
    *,
    equal_nan=True,
    sorted=True,
):
    if axis is not None or not equal_nan:
        raise NotImplementedError("np.unique with axis= or equal_nan=: leave them out")
    flat = np.ravel(ar)
    order = np.argsort(flat, kind="stable")
    ordered = flat[order]
    before, after = ordered[:-1], ordered[1:]
    new = np.logical_and(before != after, np.logical_not(np.isnan(before)))
    new = np.concatenate((np.ones(np.size(flat), dtype=bool)[:1], new))
    index = order[np.flatnonzero(new)]
    parts = [flat[index]]
    if return_index:
        parts = [*parts, index]
    if return_inverse:
        places = (np.cumsum(new) - 1)[np.argsort(order)]
        parts = [*parts, np.reshape(places, np.shape(ar))]
    if return_counts:
        ends = np.concatenate((np.flatnonzero(new), np.full(1, np.size(flat))))
        parts = [*parts, np.diff(ends)]
    return parts[0] if len(parts) == 1 else tuple(parts)


@composition(np.insert)
def insert(arr, obj, values, axis=None):
    if axis is None:
        arr, axis = np.ravel(arr), 0
    if np.ndim(arr) != 1:
        raise NotImplementedError("np.insert along an axis: np.concatenate of the parts")
    arr, values = _array(arr), np.ravel(values)
    if values.dtype != arr.dtype:
        values = values.astype(arr.dtype)
    order = inserted_order(np.shape(arr)[0], obj, np.shape(values)[0])
    return np.take(np.concatenate((arr, values)), order)


@composition(np.pad)
def pad(array, pad_width, mode="constant", constant_values=0, reflect_type="even"):
    if mode not in ("edge", "reflect", "symmetric", "wrap") or reflect_type != "even":
        raise NotImplementedError("np.pad with this mode: write the edges with np.concatenate")
    array = _array(array)
    return _padded(np.ndim(array), array, pad_width, mode)


def _padded(count, array, pad_width, mode):
    """The array padded along its first `count` axes."""
    if count == 0:
        return array
    axis = count - 1
    places = pad_places(np.shape(array)[axis], pad_width, np.ndim(array), axis, mode)
    return _padded(axis, np.take(array, places, axis=axis), pad_width, mode)


# Products.


@composition(np.matvec)
def matvec(x1, x2):
    return np.matmul(x1, np.expand_dims(x2, -1))[..., 0]


@composition(np.vecmat)
def vecmat(x1, x2):
    return np.matmul(np.expand_dims(np.conjugate(x1), -2), x2)[..., 0, :]


@composition(np.cross)
def cross(a, b, axisa=-1, axisb=-1, axisc=-1, axis=None):
    if axis is not None:
        axisa = axisb = axisc = axis
    product = np.cross(np.moveaxis(a, axisa, -1), np.moveaxis(b, axisb, -1))
    return np.moveaxis(product, -1, axisc)


@composition(np.linalg.cross)
def linalg_cross(x1, x2, /, *, axis=-1):
    return np.cross(x1, x2, axis=axis)


@composition(np.linalg.multi_dot)
def multi_dot(arrays):
    if np.ndim(arrays[-1]) == 1:  # from the vector on, every product is one of a vector
        return _from_right(len(arrays) - 1, arrays, arrays[-1])
    return _from_left(len(arrays) - 1, arrays)


def _from_right(count, arrays, product):
    if count == 0:
        return product
    return _from_right(count - 1, arrays, np.dot(arrays[count - 1], product))


def _from_left(last, arrays):
    return arrays[0] if last == 0 else np.dot(_from_left(last - 1, arrays), arrays[last])


# Linear algebra.


@composition(np.linalg.trace)
def trace(x, /, *, offset=0, dtype=None):
    if dtype is not None:
        raise NotImplementedError("a trace with dtype=: convert the matrix first")
    return np.trace(x, offset, -2, -1)


@composition(np.trace)
def _trace(a, offset=0, axis1=0, axis2=1, dtype=None):
    raise NotImplementedError("a trace with dtype=: convert the matrix first")


@composition(np.linalg.diagonal)
def diagonal(x, /, *, offset=0):
    return np.diagonal(x, offset, -2, -1)


@composition(np.linalg.matrix_power)
def matrix_power(a, n):
    if not isinstance(n, int):
        raise NotImplementedError("a power that is not known: write a loop of products")
    if n < 0:
        return _power(-n, np.linalg.inv(a))
    if n == 0:
        return np.broadcast_to(np.eye(np.shape(a)[-1]), np.shape(a))
    return _power(n, a)


def _power(n, a):
    if n == 1:
        return a
    half = _power(n // 2, a)
    squared = np.matmul(half, half)
    return squared if n % 2 == 0 else np.matmul(squared, a)


@composition(np.linalg.cholesky)
def cholesky(a, /, *, upper=False):
    if not upper:
        return np.linalg.cholesky(a)
    return np.swapaxes(np.linalg.cholesky(np.swapaxes(a, -1, -2)), -1, -2)


@composition(np.linalg.eigh)
def eigh(a, UPLO="L"):
    return np.linalg.eigh(np.swapaxes(a, -1, -2) if UPLO in ("U", "u") else a)


@composition(np.linalg.eigvalsh)
def eigvalsh(a, UPLO="L"):
    return np.linalg.eigvalsh(np.swapaxes(a, -1, -2) if UPLO in ("U", "u") else a)


@composition(np.linalg.svd)
def svd(a, full_matrices=True, compute_uv=True, hermitian=False):
    if hermitian:
        raise NotImplementedError("np.linalg.svd with hermitian=: leave it out")
    if not compute_uv:
        return np.linalg.svdvals(a)
    if full_matrices and not np.shape(a)[-1] == np.shape(a)[-2]:
        raise NotImplementedError(
            "what fills up the vectors to a square matrix is arbitrary: write full_matrices=False"
        )
    return np.linalg.svd(a, full_matrices=False)


@composition(np.linalg.qr)
def qr(a, mode="reduced"):
    if mode == "r":
        return np.linalg.qr(a)[1]
    raise NotImplementedError("np.linalg.qr with this mode: mode='reduced' or mode='r'")


@composition(np.linalg.pinv)
def pinv(a, rcond=None, hermitian=False, *, rtol=None):
    if rcond is not None or rtol is not None:
        raise NotImplementedError(
            "singular values that are cut off though they are not 0 have a derivative: leave it out"
        )
    raise NotImplementedError("np.linalg.pinv with hermitian=: leave it out")


@composition(np.linalg.lstsq)
def lstsq(a, b, rcond=None):
    if rcond is not None:
        raise NotImplementedError("np.linalg.lstsq with rcond=: leave it out")
    x = np.linalg.pinv(a) @ b
    # NumPy has no residuals where it finds an exact solution; these are 0 then.
    misses = np.sum(np.square(b - a @ x), axis=0, keepdims=np.ndim(b) == 1)
    return x, misses, np.linalg.matrix_rank(a), np.linalg.svdvals(a)


@composition(np.linalg.cond)
def cond(x, p=None):
    if p is None or p == 2 or p == -2:
        values = np.linalg.svdvals(x)
        if p == -2:
            return values[..., -1] / values[..., 0]
        return values[..., 0] / values[..., -1]
    inverse = np.linalg.inv(x)
    return np.linalg.norm(x, p, axis=(-2, -1)) * np.linalg.norm(inverse, p, axis=(-2, -1))


@composition(np.linalg.vector_norm)
def vector_norm(x, /, *, axis=None, keepdims=False, ord=2):
    if axis is None or isinstance(axis, tuple):
        return _kept(np.linalg.norm(_joined(x, axis), ord, 0), x, axis, keepdims)
    return np.linalg.norm(x, ord, axis, keepdims)


@composition(np.linalg.matrix_norm)
def matrix_norm(x, /, *, keepdims=False, ord="fro"):
    return np.linalg.norm(x, ord, (-2, -1), keepdims)


@composition(np.linalg.tensorsolve)
def tensorsolve(a, b, axes=None):
    if axes is not None:
        raise NotImplementedError("np.linalg.tensorsolve with axes=: move the axes first")
    rest = np.shape(a)[np.ndim(b) :]
    count = np.size(b)
    return np.reshape(np.linalg.solve(np.reshape(a, (count, count)), np.ravel(b)), rest)


@composition(np.linalg.tensorinv)
def tensorinv(a, ind=2):
    rest, lead = np.shape(a)[ind:], np.shape(a)[:ind]
    count = math.prod(lead)
    return np.reshape(np.linalg.inv(np.reshape(a, (count, count))), (*rest, *lead))


# Fourier transforms of several axes are those of one, in turn.


@composition(np.fft.rfft2)
def rfft2(a, s=None, axes=(-2, -1), norm=None):
    return np.fft.rfftn(a, s, axes, norm)


@composition(np.fft.irfft2)
def irfft2(a, s=None, axes=(-2, -1), norm=None):
    return np.fft.irfftn(a, s, axes, norm)


@composition(np.fft.fft2)
def fft2(a, s=None, axes=(-2, -1), norm=None):
    return np.fft.fftn(a, s, axes, norm)


@composition(np.fft.ifft2)
def ifft2(a, s=None, axes=(-2, -1), norm=None):
    return np.fft.ifftn(a, s, axes, norm)


@composition(np.fft.fftn)
def fftn(a, s=None, axes=None, norm=None):
    axes, s = _transformed(a, axes, s)
    return _in_turn(len(axes), np.fft.fft, a, s, axes, norm)


@composition(np.fft.ifftn)
def ifftn(a, s=None, axes=None, norm=None):
    axes, s = _transformed(a, axes, s)
    return _in_turn(len(axes), np.fft.ifft, a, s, axes, norm)


@composition(np.fft.rfftn)
def rfftn(a, s=None, axes=None, norm=None):
    axes, s = _transformed(a, axes, s)
    half = np.fft.rfft(a, s[-1], axes[-1], norm)
    return _in_turn(len(axes) - 1, np.fft.fft, half, s, axes, norm)


@composition(np.fft.irfftn)
def irfftn(a, s=None, axes=None, norm=None):
    axes, s = _transformed(a, axes, s)
    half = _in_turn(len(axes) - 1, np.fft.ifft, a, s, axes, norm)
    return np.fft.irfft(half, s[-1], axes[-1], norm)


def _transformed(a, axes, s):
    if axes is None:
        axes = tuple(range(np.ndim(a))) if s is None else tuple(range(-len(s), 0))
    return tuple(axes), (None,) * len(axes) if s is None else tuple(s)


def _in_turn(count, transform, a, s, axes, norm):
    if count == 0:
        return a
    last = count - 1
    done = transform(a, s[last], axes[last], norm)
    return _in_turn(last, transform, done, s, axes, norm)


# What writes its argument.


def _cycled(values, count):
    """The items again and again, until there are `count`."""
    values = np.ravel(values)
    return values[np.arange(count) % np.shape(values)[0]]


@composition(np.put, np.ndarray.put)
def put(a, ind, v, mode="raise"):
    ind = np.ravel(ind)
    if mode == "wrap":
        ind = ind % np.size(a)
    elif mode == "clip":
        ind = np.clip(ind, 0, np.size(a) - 1)
    flat = a if np.ndim(a) == 1 else np.reshape(a, -1)
    flat[ind] = v if np.ndim(v) == 0 else _cycled(v, np.size(ind))


@composition(np.put_along_axis)
def put_along_axis(arr, indices, values, axis):
    if axis is None:
        flat = np.reshape(arr, -1)
        flat[indices] = values
    else:
        axis = axis % np.ndim(arr)
        places = [
            indices if k == axis else _on_axis(np.arange(np.shape(arr)[k]), k, np.ndim(arr))
            for k in range(np.ndim(arr))
        ]
        arr[tuple(places)] = values


@composition(np.fill_diagonal)
def fill_diagonal(a, val, wrap=False):
    if wrap:
        raise NotImplementedError("np.fill_diagonal with wrap=: write the parts one by one")
    count = min(np.shape(a)[0], np.shape(a)[1])
    places = np.arange(count)
    a[(places,) * np.ndim(a)] = val if np.ndim(val) == 0 else _cycled(val, count)


@composition(np.copyto)
def copyto(dst, src, casting="same_kind", where=True):
    dst[...] = src if where is True else np.where(where, src, dst)


@composition(np.place)
def place(arr, mask, vals):
    flat = arr if np.ndim(arr) == 1 else np.reshape(arr, -1)
    chosen = np.flatnonzero(mask)
    flat[chosen] = _cycled(vals, np.size(chosen))


ITEM_WRITERS = (place, fill_diagonal)
"""Those that write one item after the other, also where these are items of the array itself."""

FLAT_WRITERS = (put, put_along_axis, place)
"""Those that write to `np.reshape(a, -1)`, which must be a view."""


@composition(np.putmask)
def putmask(a, mask, values):
    if np.ndim(values) > 0:
        values = np.reshape(_cycled(values, np.size(a)), np.shape(a))
    a[...] = np.where(mask, values, a)


@composition(np.ndarray.sort)
def sort_in_place(a, axis=-1, kind=None, order=None, *, stable=None):
    if order is not None:
        raise NotImplementedError("`.sort` with order=: structured arrays have no derivative")
    a[...] = np.sort(a, axis)


@composition(np.ndarray.partition)
def partition_in_place(a, kth, axis=-1, kind="introselect", order=None):
    a[...] = np.partition(a, kth, axis)


@composition(np.nan_to_num)
def nan_to_num(x, copy=True, nan=0.0, posinf=None, neginf=None):
    known = np.nan_to_num(x, nan=nan, posinf=posinf, neginf=neginf)
    if copy:
        return known
    x[...] = known
    return x


# `a.flat`, as the compiler has it.


def flat_items(a, index):
    """`a.flat[index]`."""
    part = (a if np.ndim(a) == 1 else np.reshape(a, -1))[index]
    return part if np.ndim(part) == 0 else np.array(part)


def set_flat_items(a, index, values):
    """`a.flat[index] = values`: too few values start again."""
    flat = a if np.ndim(a) == 1 else np.reshape(a, -1)
    if np.ndim(values) == 0:
        flat[index] = values
    else:
        flat[index] = _cycled(values, np.size(flat[index]))


# Methods of ufuncs, as the compiler has them.


def ufunc_at(ufunc, a, indices, b=None):
    """`ufunc.at(a, indices, b)`: one item after the other, so that repeated ones count."""
    if b is not None and np.ndim(b) > 0:
        # A copy, as it may be a part of `a`.
        b = np.copy(np.broadcast_to(b, np.shape(a[indices])))
    if isinstance(indices, tuple):
        for k in range(np.shape(indices[0])[0]):
            place = tuple([index[k] for index in indices])
            a[place] = ufunc(a[place]) if b is None else ufunc(a[place], _item(b, k))
    else:
        for k in range(np.shape(indices)[0]):
            place = indices[k]
            a[place] = ufunc(a[place]) if b is None else ufunc(a[place], _item(b, k))


def _item(b, k):
    return b if np.ndim(b) == 0 else b[k]


def logaddexp_reduce(a, axis=0, keepdims=False):
    """`np.logaddexp.reduce`."""
    top = stop_gradient(np.max(a, axis=axis, keepdims=True))
    total = np.log(np.sum(np.exp(a - top), axis=axis, keepdims=True)) + top
    return total if keepdims else np.squeeze(total, axis=axis)


# Functions that are called for each item, or row.


def vectorised(function, *arrays):
    """`np.vectorize(function)(*arrays)`."""
    spread = np.broadcast_arrays(*arrays)
    items = [function(*row) for row in zip(*[np.ravel(a) for a in spread])]
    return np.reshape(np.stack(items), np.shape(spread[0]))


@composition(np.apply_along_axis)
def apply_along_axis(func1d, axis, arr, *args, **kwargs):
    moved = np.moveaxis(_array(arr), axis, -1)
    rows = np.reshape(moved, (-1, np.shape(moved)[-1]))
    results = np.stack([func1d(row, *args, **kwargs) for row in rows])
    shape = np.shape(moved)[:-1]
    if np.ndim(results) == 1:
        return np.reshape(results, shape)
    if np.ndim(results) > 2:
        raise NotImplementedError("a function that gives matrices: write a loop over the rows")
    return np.moveaxis(np.reshape(results, (*shape, np.shape(results)[1])), -1, axis)


@composition(np.sort)
def sort(a, axis=-1, kind=None, order=None, *, stable=None):
    if order is not None:
        raise NotImplementedError("np.sort with order=: structured arrays have no derivative")
    if axis is None:
        return np.take(a, np.argsort(a, axis=None, kind=kind, stable=stable))
    return np.take_along_axis(a, np.argsort(a, axis=axis, kind=kind, stable=stable), axis=axis)
