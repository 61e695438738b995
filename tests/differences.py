"""Directional derivatives by differences: the oracle that shares nothing with the package.

`slope(f, args, directions)` estimates d/dt f(args + t * directions) at t = 0 by central differences
at a falling sequence of steps, extrapolated to step zero (Richardson's table, chosen by Ridders'
error estimate). Every call of `f` gets fresh copies of its arguments, so `f` may write them.

A result comes with an error estimate and a verdict. It is `reliable` only if the table converged
and the two one-sided slopes agree in the limit; a kink, a jump nearby, an exception or an infinite
value makes it unreliable, with the reason in `why`. A test skips such a point, it never guesses.

Arguments and results are floats and float64 arrays, nested in tuples, lists, dicts, named tuples
and dataclasses. Leaves of other types (integers, strings, None) have no direction: None.
"""

import copy
import dataclasses
import warnings
from dataclasses import dataclass

import numpy as np

STEPS = 9
"""Rows of the extrapolation table; each halves the step of the one before."""

FEWEST_STEPS = 5
FIRST_STEP = 0.02
SMALL_STEP = 1e-7
"""A step below all of the table: what oscillates within those converges to something else."""

ROUNDING = 1e-7
"""More than the error of a difference by `SMALL_STEP`, relative to the value of the function."""
TRUSTED_ERROR = 1e-6
"""An estimate is trusted if its error is below this, relative to 1 + its own size."""


@dataclass(frozen=True)
class Slope:
    """An estimated directional derivative: one entry per number in the result of the function."""

    value: np.ndarray
    error: np.ndarray
    why: str = ""

    @property
    def reliable(self):
        return not self.why

    def agrees(self, other, tolerance=1e-5):
        """Whether `other` lies within the tolerance, which grows with the value and the error."""
        other = np.asarray(other, dtype=float).ravel()
        if other.shape != self.value.shape:
            return False
        allowed = tolerance * (1 + np.abs(self.value)) + 20 * self.error
        return bool(np.all(np.abs(other - self.value) <= allowed))


def fresh(tree):
    """A deep copy in which arrays keep their values, layout and sharing."""
    return copy.deepcopy(tree)


def is_differentiable(leaf):
    """Whether a leaf is a float or an array of floats, so that it has directions."""
    if isinstance(leaf, np.ndarray):
        return leaf.dtype.kind == "f"
    return isinstance(leaf, (float, np.floating))


def map_leaves(function, tree, *others):
    """Apply `function` to the leaves of trees of one structure; the first decides the structure."""
    if isinstance(tree, tuple) and hasattr(tree, "_fields"):
        return type(tree)(
            *(map_leaves(function, *parts) for parts in zip(tree, *others, strict=True))
        )
    if isinstance(tree, (tuple, list)):
        return type(tree)(map_leaves(function, *parts) for parts in zip(tree, *others, strict=True))
    if isinstance(tree, dict):
        return {
            key: map_leaves(function, part, *(other[key] for other in others))
            for key, part in tree.items()
        }
    if dataclasses.is_dataclass(tree) and not isinstance(tree, type):
        parts = {}
        for field in dataclasses.fields(tree):
            below = [getattr(other, field.name) for other in others]
            parts[field.name] = map_leaves(function, getattr(tree, field.name), *below)
        return dataclasses.replace(tree, **parts)
    return function(tree, *others)


def leaves(tree):
    """The leaves of a tree, from left to right."""
    found = []
    map_leaves(found.append, tree)
    return found


def flat(tree):
    """All numbers of a result in one vector; leaves that are not numbers (None) do not count."""
    numbers = [
        np.asarray(leaf, dtype=float).ravel()
        for leaf in leaves(tree)
        if isinstance(leaf, (int, float, np.number, np.ndarray))
    ]
    return np.concatenate(numbers) if numbers else np.zeros(0)


def random_direction(tree, rng):
    """A direction with no small entry, so that no entry of a gradient goes unseen."""

    def along(leaf):
        if not is_differentiable(leaf):
            return None
        if isinstance(leaf, np.ndarray):
            sizes = rng.uniform(0.5, 1.5, leaf.shape)
            return sizes * rng.choice([-1.0, 1.0], leaf.shape)
        return float(rng.uniform(0.5, 1.5) * rng.choice([-1.0, 1.0]))

    return map_leaves(along, tree)


def still(tree):
    """The zero direction."""
    return map_leaves(lambda leaf: 0.0 * leaf if is_differentiable(leaf) else None, tree)


def moved(tree, direction, step):
    """A fresh copy of `tree`, `step` along `direction`."""
    tree = fresh(tree)
    return map_leaves(
        lambda leaf, along: leaf if along is None else leaf + step * along, tree, direction
    )


def inner(left, right):
    """The inner product of two trees; leaves of `right` that are None do not count."""
    total = 0.0

    def add(along, other):
        nonlocal total
        if along is not None:
            total += float(np.sum(np.asarray(along) * np.asarray(other)))

    map_leaves(add, right, left)
    return total


def slope(f, args, directions, first_step=FIRST_STEP):
    """The derivative of `f(*args)` along `directions` (one direction per argument)."""
    args = tuple(args)
    directions = tuple(directions)

    def at(step):
        return flat(f(*moved(args, directions, step)))

    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        middle = _attempt(at, 0.0)
        if middle is None:
            return _unreliable("the function is not defined at the point")
        pairs = []
        for row in range(STEPS):
            step = first_step / 2**row
            ahead, behind = _attempt(at, step), _attempt(at, -step)
            if ahead is None or behind is None:  # only the smaller steps may count
                pairs = []
            else:
                pairs.append((step, ahead, behind))
        if len(pairs) < FEWEST_STEPS:
            return _unreliable("the function is not defined around the point")
        if any(side.shape != middle.shape for _, *sides in pairs for side in sides):
            return _unreliable("the shape of the result changes near the point")
        value, error = _extrapolated(pairs)
        kink = _kink(middle, pairs)
        close = _attempt(at, SMALL_STEP), _attempt(at, -SMALL_STEP)
    limit = TRUSTED_ERROR * (1 + np.abs(value))
    if not np.all(error <= limit):
        return Slope(value, error, "differences do not converge")
    if np.any(kink > 100 * limit):
        return Slope(value, error, "one-sided slopes differ")
    if any(side is None for side in close):
        return _unreliable("the function is not defined around the point")
    near = (close[0] - close[1]) / (2 * SMALL_STEP)
    if np.any(np.abs(near - value) > 1e-2 * (1 + np.abs(value)) + ROUNDING * np.abs(middle)):
        return Slope(value, error, "the function oscillates faster than the steps")
    return Slope(value, error)


def confirmed_slope(f, args, directions):
    """`slope` at several first steps, which must agree: asked before calling a derivative wrong."""
    estimates = [slope(f, args, directions, first) for first in (FIRST_STEP, 0.0071, 0.0017)]
    best = min(estimates, key=lambda estimate: (not estimate.reliable, np.sum(estimate.error)))
    if not best.reliable:
        return best
    if overflows(f, args):
        return Slope(best.value, best.error, "a number becomes infinite on the way")
    for estimate in estimates:
        if estimate.reliable and not best.agrees(estimate.value, 1e-6):
            return Slope(best.value, best.error, "estimates at different steps differ")
    return best


def overflows(f, args):
    """Whether a number becomes too large on the way; what is forgotten may, without a trace in the
    result, and 0 times infinity is in the derivative."""
    try:
        with np.errstate(all="ignore", over="raise"):
            f(*fresh(args))
    except FloatingPointError:
        return True
    return False


def gradient(f, args, argnums=None):
    """The gradient of a scalar function entry by entry, as trees like the arguments.

    Returns `(gradients, reliable)`; for messages and for small inputs, as it is slow.
    """
    args = tuple(args)
    argnums = tuple(range(len(args))) if argnums is None else argnums
    reliable = True

    def entry(number, position, index):
        nonlocal reliable
        directions = list(still(args))
        spots = leaves(directions[number])
        if index is None:
            count = iter(range(len(spots)))
            directions[number] = map_leaves(
                lambda along: 1.0 if next(count) == position else along, directions[number]
            )
        else:
            spots[position][index] = 1.0
        estimate = slope(f, args, directions)
        reliable = reliable and estimate.reliable
        return float(estimate.value[0]) if estimate.value.size else np.nan

    gradients = []
    for number in argnums:
        count = iter(range(len(leaves(args[number]))))

        def of_leaf(leaf, number=number, count=count):
            position = next(count)
            if not is_differentiable(leaf):
                return None
            if not isinstance(leaf, np.ndarray):
                return entry(number, position, None)
            slopes = np.zeros_like(leaf)
            for index in np.ndindex(leaf.shape):
                slopes[index] = entry(number, position, index)
            return slopes

        gradients.append(map_leaves(of_leaf, args[number]))
    return tuple(gradients), reliable


def _unreliable(why):
    return Slope(np.full(1, np.nan), np.full(1, np.inf), why)


def _attempt(at, step):
    """The result at a step, or None where the function raises or is not finite."""
    try:
        result = at(step)
    except Exception:
        return None
    return result if np.all(np.isfinite(result)) else None


def _extrapolated(pairs):
    """The best entry of Richardson's table and its error, for every component on its own."""
    rows = []
    value = error = None
    for step, ahead, behind in pairs:
        row = [(ahead - behind) / (2 * step)]
        rounding = 4e-16 * (np.abs(ahead) + np.abs(behind)) / step
        for order, above in enumerate(rows[-1] if rows else (), start=1):
            better = row[-1] + (row[-1] - above) / (4**order - 1)
            guess = np.maximum(np.abs(better - row[-1]), np.abs(better - above)) + rounding
            row.append(better)
            if value is None:
                value, error = better, guess
            else:
                closer = guess < error
                value = np.where(closer, better, value)
                error = np.where(closer, guess, error)
        rows.append(row)
    return value, error


def _kink(middle, pairs):
    """How much the slopes ahead and behind differ in the limit: zero where `f` is smooth.

    Their gap falls in proportion to the step for a smooth function, and stays for a kink.
    """
    (wide, *wide_sides), (narrow, *narrow_sides) = pairs[2], pairs[-1]
    wide_gap = np.abs(wide_sides[0] - 2 * middle + wide_sides[1]) / wide
    narrow_gap = np.abs(narrow_sides[0] - 2 * middle + narrow_sides[1]) / narrow
    return np.where(narrow_gap > 0.3 * wide_gap, narrow_gap, 0.0)
