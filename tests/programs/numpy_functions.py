"""NumPy's functions that are composed of others, and what they are used for."""

import numpy as np

from tests.programs.registry import program, vector


def vectors(*sizes):
    return lambda rng: tuple(rng.uniform(0.3, 1.5, size) for size in sizes)


def matrices(*shapes):
    return lambda rng: tuple(rng.normal(size=shape) for shape in shapes)


def with_holes(x):
    """The same, with NaNs in two places."""
    return np.where(np.arange(np.size(x)).reshape(np.shape(x)) % 7 == 3, np.nan, x)


@program(vectors(7))
def order_statistics(x):
    spread = np.percentile(x, 75) - np.percentile(x, 25)
    return (np.median(x) + np.median(x[:6])) * spread + np.quantile(x, 0.4, method="midpoint") ** 2


@program(matrices((5, 4)))
def order_statistics_of_a_matrix(A):
    low, high = np.quantile(A, [0.3, 0.65], axis=0)
    rows = np.median(A, axis=1, keepdims=True)
    everything = np.percentile(A, [10, 90], axis=(0, 1))
    ends = np.quantile(A, 0.2, method="lower") * np.quantile(A, 0.2, method="higher")
    return np.sum((A - rows) ** 2) + low @ high + everything[0] * everything[1] + ends


@program(lambda rng: (rng.normal(size=6), 0.37))
def quantile_of_a_probability(x, q):
    return np.quantile(x, q) ** 2


@program(matrices((4, 5)))
def statistics_without_holes(A):
    B = with_holes(A)
    spread = np.nanvar(B, ddof=1) * (np.nanmax(B) - np.nanmin(B[1:], axis=1))
    middle = np.nanmedian(B, axis=1) * np.nanpercentile(B, 30, axis=1) * np.nanstd(B, axis=1)
    totals = np.nansum(B, axis=0) * np.nanmean(B, axis=0) + np.nancumsum(B)[-5:]
    return np.sum(totals) + np.sum(spread) + np.sum(middle) + np.nanprod(B, axis=0)[1]


@program(matrices((4, 5), 5))
def averages(A, w):
    w = np.exp(w)
    rows = np.average(A, axis=1, weights=w)
    mean, total = np.average(A, axis=0, weights=A**2, returned=True)
    return rows @ rows + mean @ np.average(A, axis=0) + total @ w


@program(matrices((4, 5)))
def reductions_of_some(A):
    some = np.abs(A) > 0.4
    total = np.sum(A, axis=0, where=some, initial=1.5)
    best = np.max(A, initial=-1.0, where=some) + np.min(A, axis=1, initial=0.2)[2]
    spread = np.var(A, axis=0, correction=1) * np.std(A, where=some, ddof=1)
    return total @ total + best + np.mean(A, where=some) * np.sum(spread) + np.prod(A, where=some)


@program(matrices((3, 6), 6))
def correlations(A, w):
    both = np.corrcoef(A)[0, 1] + np.cov(A[0], A[1])[0, 1] + np.corrcoef(A, rowvar=False)[1, 2]
    return both + np.sum(np.cov(A, aweights=np.exp(w)) ** 2)


@program(vectors(7, 7))
def calculus_on_samples(x, y):
    places = np.cumsum(x)
    area = np.trapezoid(y, places) + np.trapezoid(y**2, dx=0.1)
    slope = np.gradient(y, places) + np.gradient(y, places, edge_order=2)
    even = np.gradient(y, 0.5, edge_order=2) * np.gradient(x)
    steps = np.diff(y, prepend=x[0], append=2.0)
    return area + slope @ even + steps @ steps + np.ediff1d(x, to_end=y[:1]) @ x


@program(matrices((5, 4)))
def calculus_on_a_grid(A):
    down, along = np.gradient(A, 0.3, 0.2)
    return (
        np.sum(down * along)
        + np.sum(np.trapezoid(A, axis=0) ** 2)
        + np.sum(np.gradient(A, axis=1) ** 2)
    )


@program(
    lambda rng: (rng.uniform(-0.5, 5.5, 8), np.cumsum(rng.uniform(0.5, 1, 6)), rng.normal(size=6))
)
def interpolation(x, places, values):
    inside = np.interp(x, places, values)
    zero = np.interp(x, places, values, left=0.0, right=values[2])
    return inside @ zero + np.interp(2.2, places, values) ** 2


@program(vectors(6, 3))
def correlation_of_signals(x, v):
    whole, same = np.correlate(x, v, "full"), np.correlate(x, v, "same")
    return np.sum(whole**2) + same @ x + np.sum(np.correlate(x, v) ** 3)


@program(lambda rng: (np.cumsum(rng.uniform(1, 5, 7)),))
def phases_unwrapped(x):
    turned = np.unwrap(np.mod(x, 2 * np.pi))
    return np.sum((turned - x[0]) * x)


@program(lambda rng: (rng.normal(size=4), rng.uniform(0.5, 1.5, 6)))
def polynomials(p, x):
    fitted = np.polyfit(x, np.polyval(p, x) + x**4, 2)
    return fitted @ np.polyder(p) + np.sum(np.vander(x, 3)[:, 1] * np.polyval(p[:2], x))


@program(vectors(6, 6))
def choices(x, y):
    chosen = np.select([x > 1.0, y > 0.8], [x * y, x**2], default=y)
    taken = np.choose(np.array([0, 1, 1, 0, 1, 0]), [x, y])
    some = np.compress(x > 0.7, y)
    pieces = np.piecewise(x, [x < 0.6, x > 1.0], [lambda t: t**2, lambda t: 3 * t, 1.5])
    return chosen @ taken + np.sum(some**2) + np.sum(np.extract(y > 0.7, x)) + pieces @ y


@program(matrices((3, 4)))
def edges_padded(A):
    total = 0.0
    for mode in ("edge", "reflect", "symmetric", "wrap"):
        B = np.pad(A, ((1, 2), (2, 1)), mode=mode)
        total = total + np.sum(B[:-1] * B[1:])
    return total


@program(matrices((3, 4), 4, 3))
def blocks(A, v, w):
    B = np.block([[A, w[:, None]], [v, 2.0]])
    left, right = np.hsplit(B[:, :4], 2)
    grid_x, grid_y = np.meshgrid(v, w, indexing="ij")
    return np.sum(left * right) + np.sum(grid_x * np.sin(grid_y)) + np.sum(np.delete(v, 1) ** 2)


@program(vectors(5, 2))
def inserted_and_taken(x, y):
    longer = np.insert(x, [1, 3], y)
    again = np.take(longer, [9, -2], mode="wrap") * np.resize(y, 2)
    return np.sum(longer**3) + np.sum(again) + np.insert(x, 2, y[0])[2]


@program(lambda rng: (rng.normal(size=(5, 3)), rng.normal(size=5)))
def least_squares(A, b):
    x, misses, rank, _ = np.linalg.lstsq(A, b, rcond=None)
    return x @ x + misses[0] * rank + np.sum(np.linalg.pinv(A) ** 2)


@program(lambda rng: (rng.normal(size=(4, 3)) + np.eye(4, 3) * [1, 2, 3],))
def factorisations(A):
    u, s, vh = np.linalg.svd(A, full_matrices=False)
    q, r = np.linalg.qr(A)
    low = np.linalg.norm(A, 2) * np.linalg.norm(A, "nuc") + np.linalg.cond(A.T @ A)
    return (
        np.sum((u * s) @ vh * np.tanh(A)) + np.sum(np.abs(q[:2])) + r[0, 2] ** 2 + low + s[0] * s[1]
    )


@program(lambda rng: (rng.normal(size=(3, 3)) + 3 * np.eye(3), rng.normal(size=3)))
def powers_and_chains(A, v):
    chain = np.linalg.multi_dot([A, A, v]) @ np.linalg.matrix_power(A, -2) @ v
    upper = np.linalg.cholesky(A @ A.T, upper=True)
    lowest = np.linalg.eigvalsh(A + A.T, UPLO="U")[0]
    return chain + np.sum(upper) + lowest + np.linalg.tensorsolve(A, v) @ np.matvec(A, v)


@program(lambda rng: (rng.normal(size=8), rng.normal(size=8)))
def spectrum(x, y):
    power = np.abs(np.fft.rfft(x, 10)) ** 2
    smooth = np.fft.irfft(np.fft.rfft(x) * np.fft.rfft(y), 7)
    convolved = np.real(np.fft.ifft(np.fft.fft(x) * np.fft.fft(y)))
    return np.sum(power) + smooth @ smooth + np.fft.fftshift(convolved) @ y


@program(matrices((4, 6)))
def spectrum_of_an_image(A):
    F = np.fft.fft2(A)
    G = np.fft.rfftn(A, norm="ortho")
    back = np.real(np.fft.ifft2(F * np.conj(F)))
    return np.sum(back * A) + np.sum(np.fft.irfftn(G * G, (4, 6), axes=(0, 1)) * A)


@program(vector(4))
def lists_as_arrays(x):
    total = np.sum([x[0], 2.0, x[1]]) + np.max([x[0], x[2] + 3]) + np.dot([x[0], 1.0], [2.0, x[3]])
    return total * np.linalg.norm([x[0], 1.0]) + np.outer([x[1], 2.0], x).sum() + np.mean((x[0], 3))


@program(matrices((6,)))
def parts_of_a_split(x):
    a, b, c = np.split(x, 3)
    d, e = np.split(x, [4])
    return a @ b + c @ c * np.sum(d**2) + e[0]


@program(matrices((3, 4), 4))
def indices_in_turn(A, v):
    total = 0.0
    for i, j in np.ndindex(A.shape):
        total += A[i, j] * A[i, 3 - j] * i
    for (i, j), a in np.ndenumerate(A):
        A[i, j] = a * v[j] + i
    for place in np.ndindex(2, 3):
        A[place] *= A[2, 3]
    for a in A.flat:
        total += a**3
    for a in np.nditer(v):
        total *= np.cos(a)
    return total


@program(matrices((3, 4), 4))
def flat_items(A, v):
    part = A.flat[2:8]
    A.flat[1] = v[0]
    A.flat[::5] *= 2
    A.flat[4:9] = v[:2]  # too few values start again
    A.flat[[0, 3]] = A.item(7) * v.item(1)
    B = A * 2
    B.flat = v
    B.flat[1:4] = B[0, :3].copy()
    return np.sum(A**2) + np.sum(part**3) + np.sum(B * A) + A.item(1, 2) * A.item((0, 3))


@program(vectors(4, 4))
def joined_by_brackets(x, y):
    z = np.r_[x, 1.0, y[1:3], 0:2]
    C = np.c_[np.ones(4), x, y**2]
    part = np.s_[1:3]
    rows, columns = np.ogrid[0:4, 0:3]
    return np.sum(z**2) + np.sum(C[part] ** 3 * (rows + columns)[part]) + np.sum(x[np.r_[0:2, 3]])


@program(vectors(5, 6))
def ufuncs_at_places(x, y):
    places = np.array([0, 2, 0, 4, 2, 2])
    np.subtract.at(x, places, y**2)
    np.multiply.at(x, places, y)
    np.divide.at(x, [1, 1], 2.0)
    np.exp.at(y, [3, 3])
    M = np.outer(x, y)
    np.multiply.at(M, ([0, 1, 0], [2, 2, 2]), y[:3])
    return np.sum(x * x) + y @ y + np.sum(M[:2])


@np.vectorize
def bent(t, slope):
    return t * t if t > 0.8 else slope * t


@program(matrices((3, 4), 4))
def functions_of_items_and_rows(A, v):
    rows = np.apply_along_axis(lambda row, power: row / np.sum(row**power), 1, A, 2)
    columns = np.apply_along_axis(np.sum, 0, A)
    halves = np.vectorize(lambda a, b: a * b if a > b else a - b)(A, v)
    return np.sum(rows**3) + columns @ v + np.sum(halves) + np.sum(bent(A, v))


@program(lambda rng: (rng.normal(size=6), np.array([2, 0, 2, 1, 0, 2])))
def groups(x, labels):
    total = 0.0
    names, counts = np.unique(labels, return_counts=True)
    for name, count in zip(names, counts):
        total += np.sum(x[labels == name]) ** 2 / count
    return total + np.sum(np.unique(x)[1:] * np.sort(x, kind="stable")[:-1])


@program(matrices((3, 4)))
def reductions_by_ufuncs(A):
    scores = np.logaddexp.reduce(A, axis=1)
    return scores @ scores + np.logaddexp.reduce(A[0]) * np.sum(A.mT @ A) + np.sum(np.radians(A))
