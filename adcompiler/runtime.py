"""What emitted code and the rules may call beside NumPy. Needs NumPy alone.

In every function `g` is an adjoint. Functions that take part in derivatives have rules of their
own, so that code which calls them can be differentiated again. Those under *Plans* work on ranks,
axes and lengths only: with known types they are evaluated when code is compiled.
"""

import math

import numpy as np

# Shapes of adjoints.


def unbroadcast(g, like):
    """`g` summed down to the shape of `like` (an array, a number, or a shape).

    Where `like` is an array or a number, the result has its precision, and is real if `like` is.
    """
    if type(like) is tuple:
        return _summed(g, like)
    if type(like) is float:
        return g if type(g) is float else float(_summed(g, ()).real)
    return cast(_summed(g, getattr(like, "shape", ())), like)


def _summed(g, shape):
    if getattr(g, "shape", ()) == shape:
        return g
    extra = np.ndim(g) - len(shape)
    if extra:
        g = np.sum(g, axis=tuple(range(extra)))
    unit = tuple(k for k, n in enumerate(shape) if n == 1 and g.shape[k] != 1)
    return np.sum(g, axis=unit, keepdims=True) if unit else g


def unreduce(g, shape, axis=None, keepdims=False):
    """The adjoint of a sum over `axis`: `g` repeated to `shape`, as a read-only view."""
    g = np.asarray(g)
    if g.ndim == 0:  # the buffer of a number is read-only
        return np.ndarray(shape, g.dtype, g[()], 0, (0,) * len(shape))
    if axis is not None and not keepdims:
        axes = axis if isinstance(axis, tuple) else (axis,)
        reduced = {k % len(shape) for k in axes}
        g = g.reshape([1 if k in reduced else n for k, n in enumerate(shape)])
    return np.broadcast_to(g, shape)


def cast(g, like):
    """`g` in the precision of `like`, and real if `like` is."""
    if type(like) is float:
        return g if type(g) is float else float(g.real)
    to = getattr(like, "dtype", None)
    if to is None or to is getattr(g, "dtype", None) or to.kind not in "fc":
        return g
    g = np.asarray(g)
    if to.kind == "f":
        g = g.real
    elif g.dtype.kind != "c":  # a real adjoint of a complex number stays real
        to = to.type().real.dtype
    return g.astype(to, copy=False)[()]


def zeros_like(x):
    """The adjoint zero: of numbers and arrays, and of lists, tuples and dicts of them."""
    if type(x) is float:
        return 0.0
    if isinstance(x, list | tuple):
        items = [zeros_like(item) for item in x]
        return type(x)(*items) if hasattr(x, "_fields") else type(x)(items)
    if isinstance(x, dict):
        return {key: zeros_like(item) for key, item in x.items()}
    if isinstance(x, np.ndarray | np.generic):
        return np.zeros_like(x, dtype=x.dtype if x.dtype.kind in "fc" else float)[()]
    return type(x)(0) if isinstance(x, complex) else 0.0


# Poles: where a partial derivative is infinite and the function itself is not.


def pole_product(g, partial):
    """`g * partial`, but 0 where `g` is 0 and `partial` is not finite: zero meets no pole."""
    if _is_finite(partial):
        return g * partial
    with np.errstate(all="ignore"):
        return np.where(np.equal(g, 0) & ~np.isfinite(partial), 0, g * partial)[()]


def _is_finite(x):
    if isinstance(x, float | int):
        return math.isfinite(x)
    x = np.asarray(x)
    if x.size > 4096 and not x.flags.c_contiguous:
        return np.isfinite(x).all()
    # Faster where nothing is copied; it overflows to infinity, which only costs the longer way.
    return math.isfinite(np.vdot(x, x).real)


def pole_quotient(g, divisor):
    """`g / divisor`, but 0 where `g` is 0 and `1 / divisor` is not finite: zero meets no pole."""
    if _nowhere_zero(divisor) and _is_finite(divisor):
        return g / divisor
    with np.errstate(all="ignore"):
        pole = np.equal(divisor, 0) | np.isnan(divisor)
        return np.where(np.equal(g, 0) & pole, 0, np.divide(g, divisor))[()]


def _nowhere_zero(x):
    return x != 0 if isinstance(x, float | int) else np.asarray(x).all()


def masked(g, condition):
    """`g` where the condition holds, 0 elsewhere, even if `g` is not finite there."""
    if _is_finite(g):  # a product is several times faster than `np.where`
        return g * np.not_equal(condition, False)
    return np.where(condition, g, 0)[()]


def quotient(x, y):
    """`x / y` as arrays have it: infinite or NaN where Python's numbers raise."""
    try:
        return x / y
    except ZeroDivisionError:
        with np.errstate(all="ignore"):
            return np.divide(x, y).item()


def raised(x, y):
    """`x ** y` as arrays have it: infinite where Python's numbers raise."""
    if type(y) is int and y == 1:
        return x
    try:
        result = x**y
        # What is complex to Python is NaN to NumPy.
        turned = type(result) is complex and type(x) is float and type(y) is not complex
        return math.nan if turned else result
    except (ZeroDivisionError, OverflowError):
        with np.errstate(all="ignore"):
            return np.power(x, float(y)).item()


def ratio(x, y):
    """`x / y`, and 0 where `y` is 0: the slope of a distance, where the distance is 0."""
    if _nowhere_zero(y):
        return x / y
    with np.errstate(all="ignore"):
        return np.where(np.equal(y, 0), 0, np.divide(x, y))[()]


# Elementwise functions that NumPy lacks.


def step(x, y):
    """1 where `x > y`, one half where they are equal, 0 elsewhere."""
    if type(x) is float and type(y) is float:
        return 0.5 * (x > y) + 0.5 * (x >= y)
    share = np.greater(x, y).astype(_precision(x, y))
    tie = np.equal(x, y)
    return share + tie * share.dtype.type(0.5) if tie.any() else share


def _precision(*numbers):
    """In which precision a function of these is computed."""
    found = np.result_type(*numbers)
    return found if found.kind in "fc" else float


def log_nonzero(x):
    """`log(x)`, and 0 where `x` is 0, for the slope of `x**y` in `y`."""
    if type(x) in (float, int) and x > 0:
        return math.log(x)
    with np.errstate(invalid="ignore"):
        result = np.log(np.where(np.equal(x, 0), 1, x))
    return float(result) if type(x) in (float, int) else result


def exp_difference(x, y):
    """`exp(x - y)`, and 0 where `x` is minus infinity, whatever `y` is."""
    result = np.exp(x - y)
    if math.isnan(np.vdot(result, result)):  # faster than a look at each, and none is negative
        result = np.where(np.equal(x, -math.inf), result.dtype.type(0), result)[()]
    return result


def sinc_derivative(x, order):
    """The derivative of that order of `np.sinc`."""
    x = np.asarray(x)
    near = np.where(np.abs(x) < 1, x, 0)
    series = np.zeros_like(near, dtype=np.result_type(x, float))
    for n in range((order + 1) // 2, 24):
        power = 2 * n - order
        scale = math.factorial(2 * n) // math.factorial(power)
        term = (-1) ** n * math.pi ** (2 * n) * (scale / math.factorial(2 * n + 1))
        series = series + term * near**power
    away = np.where(np.abs(x) < 1, 1, x)
    far = np.sinc(away)
    for k in range(1, order + 1):
        wave = math.pi ** (k - 1) * np.sin(math.pi * away + k * math.pi / 2)
        far = (wave - k * far) / away
    return np.where(np.abs(x) < 1, series, far).astype(x.dtype, copy=False)[()]


# Reductions and recurrences.


def ties(a, out, axis=None, keepdims=False):
    """The share that each element has in `out`, the extreme of `a` over `axis`.

    1 for the one that is the extreme, 1/k for each of k that are, 0 for the others.
    """
    if axis is not None and not keepdims:
        out = np.expand_dims(out, axis)
    best = np.equal(a, out)
    count = np.count_nonzero(best, axis=axis, keepdims=True)
    share = best.astype(_precision(a))
    if np.all(count == 1):
        return share
    with np.errstate(invalid="ignore"):
        return share / count.astype(share.dtype)


def others(a, axis):
    """For each element the product of all others along `axis`."""
    if np.all(a):
        return np.prod(a, axis=axis, keepdims=True) / a
    before = first(a, axis) + delay(np.cumprod(a, axis=axis), axis)
    reverse = np.flip(a, axis)
    after = np.flip(first(a, axis) + delay(np.cumprod(reverse, axis=axis), axis), axis)
    return before * after


def first(like, axis):
    """1 at the beginning of `axis` and 0 after it, in an array like that one."""
    result = np.zeros_like(like)
    np.moveaxis(result, axis, 0)[:1] = 1
    return result


def delay(a, axis, reverse=False):
    """`a` moved by one place along `axis`, with 0 in the place that becomes free."""
    result = np.zeros_like(a)
    into, source = np.moveaxis(result, axis, 0), np.moveaxis(a, axis, 0)
    if reverse:
        into[:-1] = source[1:]
    else:
        into[1:] = source[:-1]
    return result


def recurrence(c, b, axis, reverse=False):
    """`s[k] = b[k] + c[k] * s[k - 1]` along `axis`; reversed, `s[k] = b[k] + c[k + 1] * s[k + 1]`.

    Either is the transpose of the other, as a function of `b`.
    """
    result = np.array(b, dtype=np.result_type(c, b))
    s, c = np.moveaxis(result, axis, 0), np.moveaxis(c, axis, 0)
    if reverse:
        for k in range(len(s) - 2, -1, -1):
            s[k] += c[k + 1] * s[k + 1]
    else:
        for k in range(1, len(s)):
            s[k] += c[k] * s[k - 1]
    return result


# Putting things back where they came from: adjoints of indexing and of joining.


def add_at(a, index, v):
    """`a[index] += v`, where a place that is named k times receives k contributions."""
    if _may_repeat(index):
        np.add.at(a, index, v)
    else:
        a[index] += v


def _may_repeat(index) -> bool:
    if isinstance(index, tuple):
        return any(map(_may_repeat, index))
    if index is None or index is Ellipsis or isinstance(index, slice | int | np.integer):
        return False
    return np.asarray(index).dtype != bool


def scatter(g, shape, index):
    """The adjoint of `a[index]`: zeros of `shape`, with `g` added at `index`."""
    result = np.zeros(shape, getattr(g, "dtype", float))
    add_at(result, index, g)
    return result


def last_written(shape, index):
    """Which of the places that `index` names still hold what `a[index] = v` wrote there.

    True except where a later item of `index` names the same place again.
    """
    order = np.empty(shape, dtype=np.intp)
    chosen = np.shape(order[index])
    turns = np.arange(math.prod(chosen)).reshape(chosen)
    order[index] = turns
    return order[index] == turns


def untake(g, shape, indices, axis=None):
    """The adjoint of `np.take(a, indices, axis)`, for `a` of that shape."""
    if axis is None:
        return scatter(g, (math.prod(shape),), indices).reshape(shape)
    return scatter(g, shape, (slice(None),) * (axis % len(shape)) + (indices,))


def untake_along(g, shape, indices, axis):
    """The adjoint of `np.take_along_axis(a, indices, axis)`, for `a` of that shape."""
    if axis is None:
        return scatter(g, (math.prod(shape),), indices).reshape(shape)
    places = list(np.ogrid[tuple(map(slice, shape))])
    places[axis] = indices
    return scatter(g, shape, tuple(places))


def unconcatenate(g, lengths, axis=0):
    """The adjoints of the parts that `np.concatenate` joined along `axis`: views of `g`."""
    parts, start, lead = [], 0, (slice(None),) * (axis % np.ndim(g))
    for n in lengths:
        parts.append(g[(*lead, slice(start, start + n))])
        start += n
    return parts


def unpack(g, like):
    """The adjoints of the items of a nested list of which `np.array` made an array."""
    if isinstance(like, list | tuple):
        return [unpack(g[k], item) for k, item in enumerate(like)]
    return cast(g, like)


def untile(g, shape, reps):
    """The adjoint of `np.tile(a, reps)`, for `a` of that shape."""
    reps = (reps,) if np.ndim(reps) == 0 else tuple(reps)
    rank = max(len(reps), len(shape))
    reps = (1,) * (rank - len(reps)) + reps
    lengths = (1,) * (rank - len(shape)) + tuple(shape)
    pairs = [n for pair in zip(reps, lengths, strict=True) for n in pair]
    return np.sum(np.reshape(g, pairs), axis=tuple(range(0, 2 * rank, 2))).reshape(shape)


def unrepeat(g, shape, repeats, axis=None):
    """The adjoint of `np.repeat(a, repeats, axis)`, for `a` of that shape."""
    if axis is None:
        return unrepeat(g, (math.prod(shape),), repeats, 0).reshape(shape)
    source = np.repeat(np.arange(shape[axis]), repeats)
    return untake(g, shape, source, axis)


def undiagonal(g, shape, offset=0, axis1=0, axis2=1):
    """The adjoint of `np.diagonal`, for an array of that shape."""
    result = np.zeros(shape, getattr(g, "dtype", float))
    rows, columns = shape[axis1], shape[axis2]
    where = np.arange(max(0, min(rows + min(offset, 0), columns - max(offset, 0))))
    planes = np.moveaxis(result, (axis1, axis2), (-2, -1))
    planes[..., where - min(offset, 0), where + max(offset, 0)] = g
    return result


def undiff(g, n, axis, length):
    """The adjoint of `np.diff(a, n, axis)`, where `a` has that length."""
    for _ in range(min(n, length)):
        shape = list(g.shape)
        shape[axis] = 1
        edge = np.zeros(shape, g.dtype)
        g = np.concatenate([edge, g], axis) - np.concatenate([g, edge], axis)
    return g


def lower_half(a):
    """The lower triangle of a matrix with its diagonal halved: `x == h + h.T` for symmetric x."""
    n = np.shape(a)[-1]
    weight = np.tril(np.ones((n, n), np.asarray(a).dtype))
    weight[np.arange(n), np.arange(n)] = 0.5
    return a * weight


# Plans: what follows from ranks, axes and lengths alone.


def count(shape, axis=None):
    """How many elements a reduction over `axis` takes together."""
    if axis is None:
        return math.prod(shape)
    if isinstance(axis, tuple):
        return math.prod([shape[k] for k in axis])
    return shape[axis]


def norm_plan(rank, ord, axis):
    """Which norm `np.linalg.norm` takes, and for a matrix the axis of the sums (of the rows) and
    the other."""
    pair = (0, 1) if axis is None and rank == 2 else axis
    if ord is None or ord == "fro":
        return "length", None, None
    if not isinstance(pair, tuple) or len(pair) == 1:
        names = {0: "none", 1: "sum", 2: "length", math.inf: "extreme", -math.inf: "extreme"}
        return names.get(ord, "power"), None, None
    if ord in (1, -1):
        return "extreme sum", pair[0], pair[1]
    if ord in (math.inf, -math.inf):
        return "extreme sum", pair[1], pair[0]
    if ord in (2, -2, "nuc"):
        return "singular values", pair[0], pair[1]
    return "none", None, None


def inverse(axes):
    """The permutation that undoes `np.transpose(a, axes)`."""
    back = [0] * len(axes)
    for place, axis in enumerate(axes):
        back[axis] = place
    return tuple(back)


def interior(pad_width, shape):
    """The index of the original in what `np.pad` made of an array of that shape."""
    widths = np.broadcast_to(pad_width, (len(shape), 2)).tolist()
    return tuple(slice(before, before + n) for (before, _), n in zip(widths, shape, strict=True))


def contraction(rank_a, rank_b, axes):
    """Where the axes of `np.tensordot(a, b, axes)` go.

    Returns the axes of the result that come from `a` and from `b`, the free axes of `a` and of `b`,
    and the permutations that bring the two adjoints, each with its free axes on the outer side,
    into the order of `a` and of `b`.
    """
    if isinstance(axes, int):
        sum_a, sum_b = list(range(rank_a - axes, rank_a)), list(range(axes))
    else:
        sum_a, sum_b = ([pair] if isinstance(pair, int) else list(pair) for pair in axes)
        sum_a, sum_b = [k % rank_a for k in sum_a], [k % rank_b for k in sum_b]
    free_a = [k for k in range(rank_a) if k not in sum_a]
    free_b = [k for k in range(rank_b) if k not in sum_b]
    from_a, from_b = range(len(free_a)), range(len(free_a), len(free_a) + len(free_b))
    order_a = free_a + [sum_a[sum_b.index(k)] for k in sorted(sum_b)]
    order_b = [sum_b[sum_a.index(k)] for k in sorted(sum_a)] + free_b
    return (
        tuple(from_a),
        tuple(from_b),
        tuple(free_a),
        tuple(free_b),
        inverse(order_a),
        inverse(order_b),
    )


def einsum_transpose(subscripts, ranks, i):
    """The subscripts under which `np.einsum` gives the adjoint of operand `i`.

    The operands are then the adjoint of the result, the other operands, and `einsum_extras`.
    An ellipsis becomes letters.

    >>> einsum_transpose("ij,jk", (2, 2), 0)
    'ik,jk->ij'
    >>> einsum_transpose("ii->i", (2,), 0)
    'i,ia->ia'
    """
    operands, result = _einsum_labels(subscripts, ranks)
    target, doubles, lonely = _einsum_target(operands, result, i)
    sources = [result, *operands[:i], *operands[i + 1 :]]
    extras = [target[k] + operands[i][k] for k in doubles] + [target[k] for k in lonely]
    extras = [label[::-1] for label in extras]
    return ",".join(sources + extras) + "->" + target


def einsum_extras(subscripts, shapes, i):
    """Ones and unit matrices for axes of operand `i` that no other operand has, or that repeat."""
    operands, result = _einsum_labels(subscripts, [len(shape) for shape in shapes])
    _, doubles, lonely = _einsum_target(operands, result, i)
    return [np.eye(shapes[i][k]) for k in doubles] + [np.ones(shapes[i][k]) for k in lonely]


def _einsum_target(operands, result, i):
    """Distinct labels for the axes of operand `i`; its repeated axes; those known from nowhere."""
    unused = iter([c for c in _LETTERS if c not in "".join(operands) + result])
    known = set(result).union(*operands[:i], *operands[i + 1 :])
    target, doubles, lonely = "", [], []
    for k, label in enumerate(operands[i]):
        if label in target:
            label = next(unused)
            doubles.append(k)
        elif label not in known:
            lonely.append(k)
        target += label
    return target, doubles, lonely


def _einsum_labels(subscripts, ranks):
    """The labels of each operand and of the result, all written out."""
    subscripts = subscripts.replace(" ", "")
    left, arrow, result = subscripts.partition("->")
    operands = left.split(",")
    named = [len(labels.replace("...", "")) for labels in operands]
    hidden = [rank - n for rank, n in zip(ranks, named, strict=True)]
    free = [c for c in _LETTERS if c not in subscripts]
    widest = max([n for n, labels in zip(hidden, operands, strict=True) if "..." in labels] + [0])
    stand_in = "".join(free[:widest])
    if not arrow:
        plain = left.replace("...", "").replace(",", "")
        once = sorted(c for c in plain if plain.count(c) == 1)
        result = ("..." if "..." in left else "") + "".join(once)
    operands = [
        labels.replace("...", stand_in[widest - n :])
        for labels, n in zip(operands, hidden, strict=True)
    ]
    return operands, result.replace("...", stand_in)


def stretched(g, like):
    """`g` repeated along the axes where `like` is longer.

    There an axis of length 1 met that of `like`, and both were summed over.
    """
    shape = np.broadcast_shapes(np.shape(g), getattr(like, "shape", ()))
    return g if np.shape(g) == shape else np.broadcast_to(g, shape)


_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


def kron_plan(shape_a, shape_b):
    """The shapes in which `np.kron(a, b)` is a product: of the result, of `a`, of `b`.

    Axes of `a` and `b` alternate, so that those of `a` are the even ones.
    """
    rank = max(len(shape_a), len(shape_b))
    a = (1,) * (rank - len(shape_a)) + tuple(shape_a)
    b = (1,) * (rank - len(shape_b)) + tuple(shape_b)
    both = tuple(n for pair in zip(a, b, strict=True) for n in pair)
    only_a = tuple(n for k in a for n in (k, 1))
    only_b = tuple(n for k in b for n in (1, k))
    return both, only_a, only_b


def cropped(n, m, mode):
    """How much `np.convolve` of these lengths leaves away, before and after, in this mode."""
    short = min(n, m) - 1
    if mode == "same":
        return short // 2, short - short // 2
    return (short, short) if mode == "valid" else (0, 0)


def pad_places(length, pad_width, rank, axis, mode):
    """Which items along `axis` `np.pad` repeats, in this mode, of an axis of that length."""
    before, after = np.broadcast_to(pad_width, (rank, 2))[axis]
    return np.pad(np.arange(length), (before, after), mode)


def kept_by_delete(length, obj):
    """The places that `np.delete` leaves of so many."""
    return np.delete(np.arange(length), obj)


def inserted_order(length, obj, count):
    """Where the items come from in what `np.insert` makes of so many, and `count` new ones."""
    return np.insert(np.arange(length), obj, np.arange(length, length + count))


def inverse_norm(norm):
    """How the inverse of a Fourier transform is scaled so that it is scaled as the transform."""
    return {None: "forward", "backward": "forward", "forward": "backward"}.get(norm, norm)


def hermitian_weights(shape, axis):
    """How often each frequency of `np.fft.rfft` occurs in a real signal of that shape: twice, but
    for those that are their own mirror image."""
    length = shape[axis]
    weights = np.full(length // 2 + 1, 2.0)
    weights[0] = 1.0
    if length % 2 == 0:
        weights[-1] = 1.0
    return weights.reshape([-1 if k == axis % len(shape) else 1 for k in range(len(shape))])


def fitted(a, length, axis):
    """The first `length` items along `axis`, with zeros behind if there are fewer."""
    have = np.shape(a)[axis]
    if have == length:
        return a
    if have > length:
        return np.moveaxis(np.moveaxis(a, axis, 0)[:length], 0, axis)
    widths = [(0, length - have if k == axis % np.ndim(a) else 0) for k in range(np.ndim(a))]
    return np.pad(a, widths)


def range_length(start, stop, step):
    """`len(range(start, stop, step))`."""
    return len(range(start, stop, step))


def power_modulo(base, exponent, modulus):
    """`pow(base, exponent, modulus)` of integers."""
    return pow(base, exponent, modulus)


def owned(x):
    """A copy of an array that may be shared; numbers as they are."""
    return np.array(x) if isinstance(x, np.ndarray) else x


def refuse_overlap(place, source):
    """Raise if `place[...] = source` would read what it has already written.

    NumPy copies a source that overlaps its destination, but not if both have one axis and their
    strides differ (`M[:, 2] = M[1]`): what is stored then depends on the order of the loop.
    """
    if not (isinstance(source, np.ndarray) and isinstance(place, np.ndarray)):
        return
    if place.ndim != 1 or source.ndim < 1 or place.strides[0] * source.strides[-1] < 0:
        return
    if abs(place.strides[0]) == abs(source.strides[-1]) or not np.may_share_memory(place, source):
        return
    if np.shares_memory(place, source):
        raise _overlap_error()(
            "a store from a part of the array that it overwrites: "
            "copy the source first (`a[:, 2] = a[1].copy()`)"
        )


def _overlap_error():
    try:
        from adcompiler.errors import OverlapError
    except ImportError:  # saved code that runs without the package
        return ValueError
    return OverlapError


def refuse_result(x, name):
    """Raise unless the result of a function to be differentiated is one number."""
    if isinstance(x, float | np.floating):
        return
    if isinstance(x, np.ndarray) and x.ndim == 0 and x.dtype.kind == "f":
        return
    what = "None" if x is None else f"a {type(x).__name__}"
    try:
        from adcompiler.errors import DifferentiationError
    except ImportError:  # saved code that runs without the package
        raise TypeError(f"`{name}` returned {what}: a gradient is that of one float") from None
    raise DifferentiationError(
        f"`{name}` returned {what}",
        reason="a gradient is that of one float",
        remedy="return a float on every path",
    )


def stop_gradient(x):
    """`x`, of which derivatives know nothing: it counts as a constant."""
    own = getattr(
        type(x), "__without_derivative__", None
    )  # arrays of the tape have a way of theirs
    return x if own is None else own(x)


def bound(x):
    """Raise if a name is not bound: to read it raises, or it holds None, which stands for that."""
    if x is None:
        raise UnboundLocalError("a name is read that no path up to here has assigned")


def check_exponent(n):
    """Raise if `n` is negative: what was compiled for integers would compute with floats."""
    if n < 0:
        raise ValueError(f"an integer to the power of {n}: write the base as a float, e.g. 2.0**n")


def check_base(x, y):
    """Raise if `x ** y` is complex: what was compiled for floats would take it for one."""
    if -math.inf < x < 0 and math.isfinite(y) and y != math.floor(y):
        raise ValueError(
            f"a negative number to the power of {y} is complex to Python: write complex(x) ** y, "
            "or math.pow(x, y) if it is never negative"
        )


def check_length(items, count):
    """Raise as Python does if `items` cannot be unpacked into `count` targets."""
    if len(items) < count:
        raise ValueError(f"not enough values to unpack (expected {count}, got {len(items)})")
    if len(items) > count:
        raise ValueError(f"too many values to unpack (expected {count})")


def check_same_shape(dot, like):
    """Raise unless a tangent or adjoint has the shape of what it belongs to."""
    if np.shape(dot) != np.shape(like):
        raise ValueError(f"a tangent or adjoint of shape {np.shape(dot)}, not {np.shape(like)}")


def snapshot(x):
    """What an array holds now; the compiler takes it out again where nothing writes the array."""
    return np.array(x)


def at_least(length, count):
    """Raise if there are fewer items than the compiled code looks at."""
    if length < count:
        raise ValueError(f"{count} things and {length} in step: give as many of both")


def check_zip(first, other, number):
    """Raise as `zip(..., strict=True)` does if its argument of this number has another length."""
    if first != other:
        word = "shorter" if other < first else "longer"
        before = "argument 1" if number == 2 else f"arguments 1-{number - 1}"
        raise ValueError(f"zip() argument {number} is {word} than {before}")


def check_dimensions(p, q):
    """Raise as `math.dist` does if two points have different numbers of coordinates."""
    if p != q:
        raise ValueError("both points must have the same number of dimensions")


def order_of(keys, reverse):
    """The places of the keys, in the order in which `sorted` puts them."""
    return np.array(sorted(range(len(keys)), key=keys.__getitem__, reverse=reverse), dtype=int)


def from_bins(g, a, edges):
    """For each item of `a` what `g` has for the bin between `edges` that it falls into, else 0."""
    last = len(edges) - 2
    place = _place_among(edges, a)
    place = np.where(a == edges[-1], last, place)
    return np.where((place >= 0) & (place <= last), g[np.clip(place, 0, last)], 0.0)


def _place_among(edges, a):
    """`np.searchsorted(edges, a, side="right") - 1`, without a search where edges are even."""
    gaps = np.diff(edges)
    if len(gaps) < 16 or not np.allclose(gaps, gaps[0]):
        return np.searchsorted(edges, a, side="right") - 1
    last = len(gaps)
    place = np.clip(((a - edges[0]) / gaps[0]).astype(int), 0, last)
    place -= a < edges[place]  # rounding may have put it one off
    return place + (a >= np.append(edges, np.inf)[place + 1])


def spread(dot, like):
    """A tangent in the shape of its value `like`: an input may have been broadcast to it."""
    shape = np.shape(like)
    return dot if np.shape(dot) == shape else np.broadcast_to(dot, shape)


def full_adjoint(g, like):
    """An adjoint of `like`; the number 0 stands for zeros of any shape."""
    if np.ndim(g) == 0 and np.ndim(like) > 0:
        return np.full(np.shape(like), g, dtype=like.dtype)
    return g


# Lists: which places a program means. Numbers alone, no derivative passes through.


def slice_places(n, start, stop, step):
    """The first place that a slice of `n` items names, and how many it names."""
    places = range(n)[start:stop:step]
    return places.start, len(places)


def inserted_place(n, i):
    """Where `list.insert(i, x)` puts the item, counted from the front."""
    return max(n + i, 0) if i < 0 else min(i, n)


def popped_place(n, i):
    """Where `list.pop(i)` takes the item from, counted from the front."""
    if n == 0:
        raise IndexError("pop from empty list")
    if not -n <= i < n:
        raise IndexError("pop index out of range")
    return i + n if i < 0 else i


def equal_lists(xs, ys):
    """`xs == ys` of lists of numbers."""
    return xs == ys


def check_enough(items, count):
    """Raise as Python does if there are fewer items than targets beside a starred one."""
    if len(items) < count:
        raise ValueError(
            f"not enough values to unpack (expected at least {count}, got {len(items)})"
        )


def joints(items, axis):
    """Where each of the arrays begins in `np.concatenate(items, axis)`, and where the last ends."""
    places = [0]
    for item in items:
        places.append(places[-1] + np.shape(item)[axis])
    return places
