"""Sums, products, extremes, moments and norms, and what accumulates along an axis."""

import math

import numpy as np

from adcompiler.rules.book import linear, rule
from adcompiler.runtime import (
    cast,
    count,
    delay,
    first,
    from_bins,
    masked,
    norm_plan,
    others,
    quotient,
    ratio,
    recurrence,
    ties,
    undiff,
    unreduce,
)


@linear(np.sum)
def sum_(g, a, axis=None, dtype=None, keepdims=False):
    if dtype is not None:
        g = cast(g, a)
    return unreduce(g, np.shape(a), axis, keepdims)


@linear(np.mean)
def mean(g, a, axis=None, dtype=None, keepdims=False):
    if dtype is not None:
        g = cast(g, a)
    return unreduce(g / count(np.shape(a), axis), np.shape(a), axis, keepdims)


@rule(np.nansum)
def nansum(g, a, axis=None, keepdims=False):
    return masked(unreduce(g, np.shape(a), axis, keepdims), np.logical_not(np.isnan(a)))


@nansum.forward
def _(a_dot, a, axis=None, keepdims=False):
    return np.sum(masked(a_dot, np.logical_not(np.isnan(a))), axis=axis, keepdims=keepdims)


@linear(unreduce)
def _(h, g, shape, axis=None, keepdims=False):
    return np.sum(h, axis=axis, keepdims=keepdims)


@linear(math.fsum)
def fsum(g, seq):
    return [g for _ in seq]


@rule(np.max, np.min, real=True)
def max_(g, a, out, axis=None, keepdims=False):
    return ties(a, out, axis, keepdims) * unreduce(g, np.shape(a), axis, keepdims)


@max_.forward
def _(a_dot, a, out, axis=None, keepdims=False):
    return np.sum(ties(a, out, axis, keepdims) * a_dot, axis=axis, keepdims=keepdims)


@rule(np.ptp, real=True)
def ptp(g, a, axis=None, keepdims=False):
    high, low = np.max(a, axis=axis, keepdims=True), np.min(a, axis=axis, keepdims=True)
    slope = ties(a, high, axis, True) - ties(a, low, axis, True)
    return slope * unreduce(g, np.shape(a), axis, keepdims)


@ptp.forward
def _(a_dot, a, axis=None, keepdims=False):
    high, low = np.max(a, axis=axis, keepdims=True), np.min(a, axis=axis, keepdims=True)
    slope = ties(a, high, axis, True) - ties(a, low, axis, True)
    return np.sum(slope * a_dot, axis=axis, keepdims=keepdims)


@rule(np.prod)
def prod(g, a, axis=None, keepdims=False):
    if axis is None:
        slope = np.reshape(others(np.ravel(a), 0), np.shape(a))
        return unreduce(g, np.shape(a), axis, keepdims) * slope
    if isinstance(axis, tuple):
        front = tuple(range(len(axis)))
        moved = np.moveaxis(a, axis, front)
        rest = others(np.reshape(moved, (-1, *np.shape(moved)[len(axis) :])), 0)
        slope = np.moveaxis(np.reshape(rest, np.shape(moved)), front, axis)
        return unreduce(g, np.shape(a), axis, keepdims) * slope
    return unreduce(g, np.shape(a), axis, keepdims) * others(a, axis)


@prod.forward
def _(a_dot, a, axis=None, keepdims=False):
    if axis is None:
        total = np.sum(np.ravel(a_dot) * others(np.ravel(a), 0))
        return np.reshape(total, (1,) * np.ndim(a)) if keepdims else total
    if isinstance(axis, tuple):
        front = tuple(range(len(axis)))
        moved = np.moveaxis(a, axis, front)
        rest = others(np.reshape(moved, (-1, *np.shape(moved)[len(axis) :])), 0)
        slope = np.moveaxis(np.reshape(rest, np.shape(moved)), front, axis)
        return np.sum(a_dot * slope, axis=axis, keepdims=keepdims)
    return np.sum(a_dot * others(a, axis), axis=axis, keepdims=keepdims)


@rule(np.var, real=True)
def var(g, a, axis=None, ddof=0, keepdims=False):
    scale = quotient(2, count(np.shape(a), axis) - ddof)
    deviation = a - np.mean(a, axis=axis, keepdims=True)
    return unreduce(scale * g, np.shape(a), axis, keepdims) * deviation


@var.forward
def _(a_dot, a, axis=None, ddof=0, keepdims=False):
    scale = quotient(2, count(np.shape(a), axis) - ddof)
    deviation = a - np.mean(a, axis=axis, keepdims=True)
    return scale * np.sum(deviation * a_dot, axis=axis, keepdims=keepdims)


@rule(np.std, real=True)
def std(g, a, out, axis=None, ddof=0, keepdims=False):
    scale = quotient(1, count(np.shape(a), axis) - ddof)
    deviation = a - np.mean(a, axis=axis, keepdims=True)
    return unreduce(scale * ratio(g, out), np.shape(a), axis, keepdims) * deviation


@std.forward
def _(a_dot, a, out, axis=None, ddof=0, keepdims=False):
    scale = quotient(1, count(np.shape(a), axis) - ddof)
    deviation = a - np.mean(a, axis=axis, keepdims=True)
    return scale * ratio(np.sum(deviation * a_dot, axis=axis, keepdims=keepdims), out)


# Norms. The slope of a length is 0 at 0, as that of `abs` is.


@rule(np.linalg.norm, real=True)
def norm(g, x, out, ord=None, axis=None, keepdims=False):
    kind, inner, outer = norm_plan(np.ndim(x), ord, axis)
    if kind == "singular values":
        matrix = np.moveaxis(x, (inner, outer), (-2, -1))
        u, s, vh = np.linalg.svd(matrix, full_matrices=False)
        best = np.min(s, axis=-1, keepdims=True) if ord == -2 else s[..., :1]
        chosen = np.ones_like(s) if ord == "nuc" else ties(s, best, -1, True)
        g = g if keepdims else np.expand_dims(g, (inner, outer))
        g = np.moveaxis(g, (inner, outer), (-2, -1))
        slope = np.matmul(u * np.expand_dims(chosen, -2), vh)
        return np.moveaxis(g * slope, (-2, -1), (inner, outer))
    if kind == "length":
        return x * unreduce(ratio(g, out), np.shape(x), axis, keepdims)
    if kind == "sum":
        return np.sign(x) * unreduce(g, np.shape(x), axis, keepdims)
    if kind == "extreme":
        share = ties(np.abs(x), out, axis, keepdims)
        return np.sign(x) * share * unreduce(g, np.shape(x), axis, keepdims)
    if kind == "extreme sum":
        sums = np.sum(np.abs(x), axis=inner, keepdims=True)
        extreme = (np.max if ord > 0 else np.min)(sums, axis=outer, keepdims=True)
        share = ties(sums, extreme, outer, True)
        return np.sign(x) * share * unreduce(g, np.shape(x), axis, keepdims)
    if kind == "power":
        slope = np.sign(x) * np.abs(x) ** (ord - 1)
        return slope * unreduce(ratio(g, out ** (ord - 1)), np.shape(x), axis, keepdims)
    raise NotImplementedError(f"np.linalg.norm with ord={ord!r} has no rule for these axes")


@norm.forward
def _(x_dot, x, out, ord=None, axis=None, keepdims=False):
    kind, inner, outer = norm_plan(np.ndim(x), ord, axis)
    if kind == "singular values":
        matrix = np.moveaxis(x, (inner, outer), (-2, -1))
        u, s, vh = np.linalg.svd(matrix, full_matrices=False)
        best = np.min(s, axis=-1, keepdims=True) if ord == -2 else s[..., :1]
        chosen = np.ones_like(s) if ord == "nuc" else ties(s, best, -1, True)
        slope = np.matmul(u * np.expand_dims(chosen, -2), vh)
        slope = np.moveaxis(slope, (-2, -1), (inner, outer))
        return np.sum(slope * x_dot, axis=(inner, outer), keepdims=keepdims)
    if kind == "length":
        return ratio(np.sum(x * x_dot, axis=axis, keepdims=keepdims), out)
    if kind == "sum":
        return np.sum(np.sign(x) * x_dot, axis=axis, keepdims=keepdims)
    if kind == "extreme":
        share = ties(np.abs(x), out, axis, keepdims)
        return np.sum(np.sign(x) * share * x_dot, axis=axis, keepdims=keepdims)
    if kind == "extreme sum":
        sums = np.sum(np.abs(x), axis=inner, keepdims=True)
        extreme = (np.max if ord > 0 else np.min)(sums, axis=outer, keepdims=True)
        share = ties(sums, extreme, outer, True)
        return np.sum(np.sign(x) * share * x_dot, axis=axis, keepdims=keepdims)
    if kind == "power":
        slope = np.sign(x) * np.abs(x) ** (ord - 1)
        total = np.sum(slope * x_dot, axis=axis, keepdims=keepdims)
        return ratio(total, out ** (ord - 1))
    raise NotImplementedError(f"np.linalg.norm with ord={ord!r} has no rule for these axes")


# Running sums and products, and differences.


@linear(np.cumsum)
def cumsum(g, a, axis=None, dtype=None):
    if dtype is not None:
        g = cast(g, a)
    total = np.flip(np.cumsum(np.flip(g, axis), axis=axis), axis)
    return np.reshape(total, np.shape(a)) if axis is None else total


@rule(np.cumprod)
def cumprod(g, a, out, axis=None):
    if axis is None:
        a_flat = np.ravel(a)
        before = first(out, 0) + delay(out, 0)
        return np.reshape(recurrence(a_flat, g, 0, True) * before, np.shape(a))
    return recurrence(a, g, axis, True) * (first(out, axis) + delay(out, axis))


@cumprod.forward
def _(a_dot, a, out, axis=None):
    if axis is None:
        return recurrence(np.ravel(a), np.ravel(a_dot) * (first(out, 0) + delay(out, 0)), 0)
    return recurrence(a, a_dot * (first(out, axis) + delay(out, axis)), axis)


@linear(np.diff)
def diff(g, a, n=1, axis=-1):
    if n == 0:
        return g
    return undiff(g, n, axis, np.shape(a)[axis])


@linear(undiff)
def _(h, g, n, axis, length):
    return np.diff(h, n, axis)


@linear(delay)
def _(h, a, axis, reverse=False):
    return delay(h, axis, not reverse)


@rule(recurrence)
def _(h, c, b, out, axis, reverse=False):
    b_bar = recurrence(c, h, axis, not reverse)
    return delay(b_bar, axis) * out if reverse else b_bar * delay(out, axis), b_bar


@_.forward
def _(c_dot, b_dot, c, out, axis, reverse=False):
    gain = delay(c_dot * out, axis, True) if reverse else c_dot * delay(out, axis)
    return recurrence(c, b_dot + gain, axis, reverse)


# The product of all others is the product of those before and those after.
@rule(others)
def _(h, a, axis):
    a_flip = np.flip(a, axis)
    before = first(a, axis) + delay(np.cumprod(a, axis=axis), axis)
    after_flip = first(a, axis) + delay(np.cumprod(a_flip, axis=axis), axis)
    after = np.flip(after_flip, axis)
    up = recurrence(a, delay(h * after, axis, True), axis, True)
    down = recurrence(a_flip, delay(np.flip(h * before, axis), axis, True), axis, True)
    return before * up + after * np.flip(down, axis)


@_.forward
def _(a_dot, a, axis):
    a_flip = np.flip(a, axis)
    before = first(a, axis) + delay(np.cumprod(a, axis=axis), axis)
    after_flip = first(a, axis) + delay(np.cumprod(a_flip, axis=axis), axis)
    before_dot = delay(recurrence(a, a_dot * before, axis), axis)
    after_dot = delay(recurrence(a_flip, np.flip(a_dot, axis) * after_flip, axis), axis)
    return before_dot * np.flip(after_flip, axis) + before * np.flip(after_dot, axis)


# Statistics.


@rule(np.cov, real=True)
def cov(g, m, rowvar=True, bias=False, ddof=None):
    rows = m if rowvar or np.ndim(m) < 2 else np.transpose(m)
    rows = rows if np.ndim(m) == 2 else np.expand_dims(rows, 0)
    apart = rows - np.mean(rows, axis=1, keepdims=True)
    freedom = np.shape(rows)[1] - ((0 if bias else 1) if ddof is None else ddof)
    both = np.reshape(g, (np.shape(rows)[0], np.shape(rows)[0]))
    rows_bar = (both + np.transpose(both)) @ apart / freedom
    if np.ndim(m) < 2:
        return rows_bar[0]
    return rows_bar if rowvar else np.transpose(rows_bar)


@cov.forward
def _(m_dot, m, out, rowvar=True, bias=False, ddof=None):
    rows = m if rowvar or np.ndim(m) < 2 else np.transpose(m)
    rows_dot = m_dot if rowvar or np.ndim(m) < 2 else np.transpose(m_dot)
    rows = rows if np.ndim(m) == 2 else np.expand_dims(rows, 0)
    rows_dot = rows_dot if np.ndim(m) == 2 else np.expand_dims(rows_dot, 0)
    apart = rows - np.mean(rows, axis=1, keepdims=True)
    freedom = np.shape(rows)[1] - ((0 if bias else 1) if ddof is None else ddof)
    half = rows_dot @ np.transpose(apart) / freedom
    return np.reshape(half + np.transpose(half), np.shape(out))


@rule(np.histogram, real=True)
def histogram(g, a, out, bins=10, range=None, weights=None):
    counts_bar, edges_bar = g
    weights_bar = from_bins(counts_bar, a, out[1])
    if np.ndim(bins) > 0 or range is not None:
        return np.zeros_like(a), weights_bar
    share = np.linspace(0.0, 1.0, bins + 1)
    low = ties(a, np.min(a), None, False) * np.sum((1 - share) * edges_bar)
    high = ties(a, np.max(a), None, False) * np.sum(share * edges_bar)
    return cast(low + high, a), weights_bar


@histogram.forward
def _(a_dot, a, out, bins=10, range=None, weights=None, weights_dot=None):
    edges = out[1]
    if weights_dot is None:
        counts_dot = np.zeros(np.shape(out[0]))
    else:
        counts_dot = np.histogram(a, edges, None, None, weights_dot)[0]
    if np.ndim(bins) > 0 or range is not None:
        return counts_dot, np.zeros_like(edges)
    low = np.sum(ties(a, np.min(a), None, False) * a_dot)
    high = np.sum(ties(a, np.max(a), None, False) * a_dot)
    return counts_dot, np.linspace(low, high, bins + 1)


@rule(from_bins)
def _(h, g, a, edges):
    return np.histogram(a, edges, None, None, h)[0], np.zeros_like(a), np.zeros_like(edges)


@_.forward
def _(g_dot, a, edges, a_dot=None, edges_dot=None):
    return from_bins(g_dot, a, edges)
