"""What compositions compute is what NumPy computes, and what they write is what NumPy writes."""
# ruff: noqa: E501  (the table)

import copy
import inspect

import numpy as np
import pytest

from adcompiler import grad
from adcompiler.errors import AdcompilerError
from adcompiler.rules import book, compositions

RANDOM = np.random.default_rng(4)
X, Y, W = RANDOM.normal(size=7), RANDOM.normal(size=7), RANDOM.uniform(0.5, 2, 7)
A, B, T = RANDOM.normal(size=(4, 5)), RANDOM.normal(size=(4, 5)), RANDOM.normal(size=(2, 3, 4))
M = RANDOM.normal(size=(4, 4)) + 3 * np.eye(4)
HOLES = np.where(A > 1.0, np.nan, A)
NONE_LEFT = np.where(np.arange(5) == 2, np.nan, A)
MASK = A > 0
PLACES = np.cumsum(W)

CALLS = [
    *[(fn, (A,), {"axis": axis, "keepdims": keep}) for fn in (np.sum, np.prod, np.mean)
      for axis in (None, 0, (0, 1)) for keep in (False, True)],
    *[(fn, (A,), {"axis": axis, "where": MASK | (B > 0), "ddof": 1}) for fn in (np.var, np.std)
      for axis in (None, 1)],
    (np.var, (A,), {"correction": 1}), (np.std, (A, 1), {"correction": 2, "keepdims": True}),
    (np.var, (A, 0), {"mean": np.mean(A, 0, keepdims=True)}),
    (np.sum, (A, 1), {"where": MASK, "initial": 2.0}), (np.prod, (A, 1), {"where": MASK, "initial": 2.0}),
    (np.mean, (A, 1), {"where": MASK | (B > 0)}), (np.max, (A, 1), {"initial": 0.3}),
    (np.max, (A, (0, 1)), {"initial": -9.0, "where": MASK}), (np.min, (A,), {"initial": -9.0}),
    *[(fn, (data,), {"axis": axis, "keepdims": keep})
      for fn in (np.nansum, np.nanprod, np.nanmean, np.nanvar, np.nanstd, np.nanmax, np.nanmin, np.nanmedian)
      for data in (HOLES, NONE_LEFT, A) for axis in (None, 0, 1, (0, 1)) for keep in (False, True)],
    (np.nancumsum, (HOLES, 1), {}), (np.nancumprod, (HOLES,), {}),
    *[(np.median, (data, axis), {"keepdims": keep}) for data in (A, T, HOLES)
      for axis in (None, 0, -1, (0, 1)) for keep in (False, True)],
    (np.median, (X,), {}), (np.median, ([1, 5, 2],), {}), (np.median, (X[:1],), {}),
    *[(np.quantile, (data, q), {"axis": axis, "method": method, "keepdims": keep})
      for data in (A, HOLES) for q in (0.0, 0.35, 1.0, [0.2, 0.9], [[0.1, 0.5]]) for axis in (None, 1, (1, 0))
      for method in ("linear", "lower", "higher", "midpoint", "nearest") for keep in (False, True)],
    (np.percentile, (X, 30), {}), (np.percentile, (T, [5, 95], 1), {}),
    (np.nanquantile, (HOLES, 0.4), {}), (np.nanpercentile, (HOLES, 40, 1), {"keepdims": True}),
    (np.average, (A,), {"weights": B**2}), (np.average, (A, 1), {"weights": W[:5]}),
    (np.average, (A, 0), {"weights": W[:4], "returned": True, "keepdims": True}),
    (np.average, (A,), {"returned": True}), (np.average, (A, (0, 1)), {}),
    (np.cov, (A, B), {}), (np.cov, (X, Y), {"bias": True}), (np.cov, (A,), {"aweights": W[:5]}),
    (np.cov, (A, B, False), {"ddof": 0}), (np.cov, (X,), {"aweights": W}),
    (np.corrcoef, (A,), {}), (np.corrcoef, (X, Y), {}), (np.corrcoef, (A, None, False), {}),
    (np.histogram, (X,), {"bins": 3, "density": True}),
    (np.histogram, (X,), {"bins": 3, "density": True, "weights": W}),
    (np.diff, (A,), {"prepend": 0.0}), (np.diff, (A, 2, 0), {"append": B[:2], "prepend": A[:1]}),
    (np.ediff1d, (A,), {}), (np.ediff1d, (X, [1.0, 2.0], 3.0), {}),
    (np.trapezoid, (X,), {}), (np.trapezoid, (A, W[:4]), {"axis": 0}), (np.trapezoid, (A, B), {}),
    (np.trapezoid, (A,), {"dx": 0.5}),
    *[(np.gradient, (T, *spacing), {"axis": axis, "edge_order": order})
      for spacing, axis in [((), None), ((0.5,), None), ((0.5, 2.0), (1, 2)), ((PLACES[:3],), 1),
                            ((PLACES[:4], 0.3), (2, -2)), ((2.0,), -1)]
      for order in (1, 2) if axis is not None or order == 1],
    *[(np.interp, (x, PLACES, Y), ends)
      for x in (PLACES, PLACES[[0, -1]], np.linspace(-1, 12, 40), 3.3, 0.0, 99.0, A)
      for ends in ({}, {"left": 0.5}, {"right": -1.0, "left": 0.0})],
    *[(np.correlate, (X[:n], Y[:m], mode), {}) for n in range(1, 8) for m in range(1, 8)
      for mode in ("valid", "same", "full")],
    (np.unwrap, (np.cumsum(4 * W),), {}), (np.unwrap, (np.cumsum(9 * A, 0), ), {"axis": 0}),
    (np.unwrap, (np.array([0.0, np.pi, 2 * np.pi, np.pi, 0.0]),), {}),
    (np.unwrap, (np.array([0.0, 350.0, 10.0]),), {"period": 360}),
    (np.cumulative_sum, (X,), {"include_initial": True}), (np.cumulative_prod, (A,), {"axis": 1}),
    (np.cumulative_sum, (A,), {"axis": 1, "include_initial": True}),
    (np.logspace, (0.1, 2.0, 4), {}), (np.geomspace, (0.1, 2.0), {}), (np.linspace, (1.0, 3.0, 5, False, True), {}),
    (np.polyval, (X, Y), {}), (np.polyval, ([1.0, 2.0], 3.0), {}), (np.vander, (X,), {}),
    (np.vander, (X, 3, True), {}), (np.vander, ([0.0, 2.0], 2), {}), (np.polyfit, (W, X, 2), {}),
    (np.polyfit, (W, np.stack([X, Y], 1), 2), {"w": W}), (np.polyder, (X,), {}), (np.polyint, (X,), {}),
    (np.select, ([X > 0, Y > 0], [X, Y * 2], 7.0), {}), (np.select, ([X > 9], [X]), {}),
    (np.choose, (np.array([0, 1, 0]), [X[:3], Y[:3]]), {}), (np.compress, ([True, False, True], X), {}),
    (np.compress, (A[:, 0] > 0, A, 0), {}), (np.ndarray.compress, (A, A[0] > 0, 1), {}),
    (np.extract, (MASK, A), {}), (np.take, (X, [9, -8], None, None, "wrap"), {}),
    (np.take, (A, [[9, -8]], 1), {"mode": "clip"}),
    (np.piecewise, (X, [X > 0, X > 0.5], [lambda t: t * t, 2.0, lambda t: -t]), {}),
    (np.piecewise, (X, X > 0, [lambda t, a: t * a, 2.0], 3.0), {}),
    (np.hsplit, (X, [2]), {}), (np.hsplit, (A[:, :4], 2), {}), (np.vsplit, (A, 2), {}), (np.dsplit, (T, 2), {}),
    *[(np.rollaxis, (T, axis, start), {}) for axis in (0, 1, 2, -1) for start in (0, 1, 2, 3, -1)],
    (np.broadcast_arrays, (X, A[:, :1]), {}), (np.resize, (X, (3, 4)), {}), (np.resize, (A, 3), {}),
    (np.diagflat, (A, 1), {}), (np.block, ([X, Y],), {}), (np.block, ([[A, B], [B, A]],), {}),
    (np.block, ([[A, X[:4, None]], [X[:5], 2.0]],), {}), (np.block, ([[[A, B]]][0],), {}), (np.block, (A,), {}),
    (np.block, ([T, T],), {}),
    (np.array, (X,), {"ndmin": 3}), (np.full_like, (A, 2.0), {}), (np.full_like, (np.arange(3), 2.7), {}),
    (np.full_like, (A, X[:5]), {"shape": (2, 5)}),
    (np.delete, (X, 2), {}), (np.delete, (A, [0, -1], 1), {}), (np.delete, (A, slice(1, 3), 0), {}),
    (np.insert, (X, 2, 9.0), {}), (np.insert, (X, [1, 3], [8.0, 9.0]), {}), (np.insert, (X, 1, Y[:3]), {}),
    (np.insert, (X, [5, 1], 4.0), {}),
    *[(np.pad, (data, width, mode), {}) for mode in ("edge", "reflect", "symmetric", "wrap")
      for data, width in [(X, 3), (A, 2), (A, (1, 2)), (A, ((0, 2), (3, 1))), (X, (9, 8))]],
    (np.unstack, (T,), {"axis": 1}), (np.meshgrid, (X, Y, W[:2]), {}), (np.meshgrid, (X, Y), {"indexing": "ij"}),
    (np.meshgrid, (X, Y), {"sparse": True}), (np.meshgrid, (X,), {}),
    (np.matvec, (T, X[:4]), {}), (np.vecmat, (X[:3], T), {}), (np.cross, (A[:3], B[:3]), {"axis": 0}),
    (np.linalg.cross, (A[:, :3], B[:, :3]), {}), (np.linalg.multi_dot, ([A, B.T, A],), {}),
    (np.linalg.multi_dot, ([X[:4], A, B.T, X[:4]],), {}), (np.linalg.trace, (T,), {"offset": 1}),
    (np.linalg.diagonal, (T,), {}),
    *[(np.linalg.matrix_power, (M, n), {}) for n in (-3, -1, 0, 1, 2, 5, 6)],
    (np.linalg.cholesky, (M @ M.T,), {"upper": True}), (np.linalg.eigvalsh, (M, "U"), {}),
    (np.linalg.svd, (A,), {"compute_uv": False}), (np.linalg.qr, (A.T, "r"), {}),
    *[(np.linalg.cond, (M, p), {}) for p in (None, 2, -2, 1, np.inf, "fro")],
    (np.linalg.vector_norm, (A,), {}), (np.linalg.vector_norm, (A,), {"axis": 1, "ord": 3, "keepdims": True}),
    (np.linalg.matrix_norm, (T,), {}), (np.linalg.matrix_norm, (T,), {"ord": 2, "keepdims": True}),
    (np.linalg.lstsq, (A.T, X[:5]), {"rcond": None}), (np.linalg.lstsq, (A.T, B.T), {}),
    (np.linalg.tensorsolve, (RANDOM.normal(size=(2, 3, 6)), A[:2, :3]), {}),
    (np.linalg.tensorinv, (RANDOM.normal(size=(6, 3, 2)),), {"ind": 1}),
    *[(fn, (T,), kwargs) for fn in (np.fft.fftn, np.fft.ifftn, np.fft.rfftn, np.fft.irfftn)
      for kwargs in ({}, {"axes": (0, 2)}, {"s": (4, 5), "axes": (2, 1), "norm": "ortho"})],
    *[(fn, (T,), {"norm": "forward"}) for fn in (np.fft.fft2, np.fft.ifft2, np.fft.rfft2, np.fft.irfft2)],
    (np.partition, (X, 3), {}), (np.partition, (A, 1, None), {}),
    (np.unique, (np.array([3.0, 1, 3, np.nan, 1, np.nan]), True, True, True), {}), (np.unique, (A,), {}),
    (np.unique, (np.array([[2, 1], [2, 2]]),), {"return_inverse": True, "return_counts": True}),
    (np.sort, (A, 0), {"kind": "stable"}), (np.sort, (A, None), {"stable": True}),
    (np.apply_along_axis, (lambda r: r * 2, 0, A), {}), (np.apply_along_axis, (np.sum, 1, T), {}),
    (np.apply_along_axis, (lambda r, k: r[k:], 1, T, 1), {}),
    # Those that write.
    (np.put, (A, [1, -1, 1], [5.0, 6.0]), {}), (np.put, (X, [[1, 2]], 4.0), {}),
    (np.put, (A, [25, -21], X), {"mode": "wrap"}), (np.put, (A, [25, -21], X), {"mode": "clip"}),
    (np.ndarray.put, (X, 2, 9.0), {}), (np.put_along_axis, (A, np.argmax(A, 1)[:, None], 0.0, 1), {}),
    (np.put_along_axis, (X, np.array([1, 1]), Y[:2], None), {}),
    (np.put_along_axis, (T, np.argsort(T, 1), np.sort(T, 1), -2), {}),
    (np.fill_diagonal, (A, 0.0), {}), (np.fill_diagonal, (A.T.copy(), X[:2]), {}),
    (np.fill_diagonal, (np.zeros((3, 3, 3)), X), {}), (np.copyto, (A, X[:5]), {"where": MASK}),
    (np.copyto, (A, 3), {}), (np.place, (A, MASK, [1.0, 2.0]), {}), (np.putmask, (A, MASK, B), {}),
    (np.putmask, (A, MASK, X), {}), (np.putmask, (A, MASK, 3.0), {}), (np.ndarray.sort, (A, 0), {}),
    (np.ndarray.sort, (A,), {"kind": "stable"}), (np.ndarray.partition, (X, 2), {}),
    (np.nan_to_num, (HOLES, False), {"nan": 3.0}),
]  # fmt: skip


NAMES = [f"{fn.__name__}-{k}" for k, (fn, _, _) in enumerate(CALLS)]


@pytest.mark.parametrize("call", CALLS, ids=NAMES)
@pytest.mark.filterwarnings("ignore")
def test_it_is_what_numpy_computes(call):
    fn, args, kwargs = call
    function = book.COMPOSITIONS[book.canonical(fn)]
    ours, theirs = copy.deepcopy(args), copy.deepcopy(args)
    given, named, _out = book.without_out(fn, ours, kwargs)
    found, expected = function(*given, **named), fn(*theirs, **kwargs)
    same(found, expected)
    for one, other in zip(ours, theirs, strict=True):
        if isinstance(one, np.ndarray):
            np.testing.assert_array_equal(one, other)


def same(found, expected):
    if isinstance(expected, tuple | list):
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            same(one, other)
    elif expected is None:
        assert found is None
    else:
        assert np.shape(found) == np.shape(expected)
        assert np.asarray(found).dtype.kind == np.asarray(expected).dtype.kind
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)


def test_each_composition_is_compared():
    called = {book.COMPOSITIONS[book.canonical(fn)] for fn, _, _ in CALLS}
    refusing = {"_trace", "pinv"}
    missing = {f.__name__ for f in set(book.COMPOSITIONS.values()) - called} - refusing
    assert missing <= {"eigh"}, missing


def test_parameters_are_numpys():
    """In NumPy's order and with NumPy's defaults, but for `out`."""
    for fn, function in book.COMPOSITIONS.items():
        try:
            theirs = inspect.signature(fn).parameters
        except ValueError:
            continue
        if any(p.kind is p.VAR_POSITIONAL or p.kind is p.VAR_KEYWORD for p in theirs.values()):
            continue
        ours = inspect.signature(function).parameters
        names = [n for n in theirs if n not in ("out", "device", "like", "min", "max")]
        kept = [n for n in names if n in ours]
        assert [n for n in ours if n in names] == kept, fn
        for name in kept:
            if theirs[name].default not in (inspect.Parameter.empty, np._NoValue, None):
                assert ours[name].default == theirs[name].default, (fn, name)


REFUSALS = [
    (lambda x: np.median(x, overwrite_input=True), "some order"),
    (lambda x: np.quantile(x, 0.3, method="hazen"), "method"),
    (lambda x: np.max(x, where=x > 0), "initial="),
    (lambda x: np.pad(x, 1, mode="mean")[0], "np.concatenate"),
    (lambda x: np.linalg.svd(np.reshape(x, (2, 3)))[1][0], "full_matrices=False"),
    (lambda x: np.linalg.qr(np.reshape(x, (3, 2)), mode="complete")[1][0, 0], "mode='reduced'"),
    (lambda x: np.interp(0.5, np.arange(6.0), x, period=3.0), "period"),
    (lambda x: np.fill_diagonal(np.outer(x, x), 1.0, wrap=True) or 0.0, "one by one"),
]


@pytest.mark.parametrize("function, said", REFUSALS, ids=[said for _, said in REFUSALS])
def test_what_is_refused_names_the_users_line(function, said):
    with pytest.raises(AdcompilerError) as caught:
        grad(function)(np.arange(1.0, 7.0))
    assert said in str(caught.value)
    assert caught.value.position.file == __file__
    assert caught.value.position.line == function.__code__.co_firstlineno


def test_a_rule_goes_before_a_composition():
    assert book.composed(np.sum, (X,), {"axis": 0}) is None
    assert book.composed(np.sum, (X,), {"where": MASK}) is compositions.sum_


def test_at_kinks_and_samples():
    x = np.array([1.0, 2.0, 4.0, 8.0, 16.0])

    def at(q, x):
        return np.quantile(x, q)

    def between(t, x):
        return np.interp(t, np.arange(5.0), x)

    assert [grad(at)(q, x) for q in (0.5, 1.0)] == [16.0, 32.0]
    assert [grad(between)(t, x) for t in (0.0, 2.0, 4.0, 4.5, -1.0)] == [1.0, 4.0, 8.0, 0.0, 0.0]
    equal = np.ones(3)
    assert not np.any(grad(lambda x: np.nanstd(x))(equal))
    assert not np.any(grad(lambda x: np.std(x, correction=1))(equal))
    assert not np.any(grad(lambda x: np.std(x, where=x > 0))(equal))


def test_holes_have_no_adjoint():
    x = np.array([1.0, np.nan, 3.0])
    for fn in (np.nansum, np.nanmean, np.nanvar, np.nanstd, np.nanmax, np.nanmedian, np.nanprod):
        slope = grad(lambda x, fn=fn: fn(x))(x)
        assert np.all(np.isfinite(slope)) and slope[1] == 0 and np.any(slope)
