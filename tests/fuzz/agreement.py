"""Compiled derivatives of one function at one point, compared with differences.

`Comparison(f, args)` runs the function and its differences; each of its methods named in `MODES`
runs one way to differentiate and returns what is wrong, as text, or nothing. Errors of the compiler
pass through. `assert_agrees` is the form for tests.

Beside the numbers it checks what every derivative promises: gradients have the shapes of their
arguments, values are those of the function, and no argument is changed, even if `f` writes it.
"""

import functools
import warnings

import numpy as np

from adcompiler import grad, jvp, value_and_grad, vjp
from adcompiler.errors import AdcompilerError
from tests import differences
from tests.differences import flat, fresh, inner, is_differentiable, leaves, map_leaves

MODES = ("reverse", "value", "forward", "pullback", "second")
FIRST_ORDER = MODES[:-1]
NATIVE = ("native",)
"""The loops of the native backend against the gradient of the NumPy backend."""


class FellBack(AdcompilerError):
    """A program that has no loops, for the reason given."""


class Comparison:
    """What the function and differences say at a point, and the questions to the compiler.

    `reference` is a function of the same meaning that is run instead of `f` for its value and for
    differences.
    """

    def __init__(self, f, args, argnums=None, seed=0, directions=2, reference=None):
        self.f = f
        self.reference = reference = f if reference is None else reference
        self.args = tuple(args)
        if argnums is None:
            argnums = [i for i, arg in enumerate(args) if any(map(is_differentiable, leaves(arg)))]
        self.argnums = tuple(argnums)
        rng = np.random.default_rng(seed)
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            self.value = reference(*fresh(self.args))
        self.scalar = isinstance(self.value, (int, float, np.number)) or (
            isinstance(self.value, np.ndarray) and self.value.shape == ()
        )
        self.weights = map_leaves(lambda leaf: _weight_like(leaf, rng), self.value)
        self.directions = [self._direction(rng) for _ in range(directions)]
        self.slopes = [differences.slope(reference, self.args, along) for along in self.directions]

    def _direction(self, rng):
        still = differences.still(self.args)
        along = list(differences.random_direction(self.args, rng))
        return tuple(along[i] if i in self.argnums else still[i] for i in range(len(along)))

    @property
    def doubts(self):
        """Why the differences cannot be trusted, or nothing."""
        return next((slope.why for slope in self.slopes if not slope.reliable), "")

    # -- the ways to differentiate ------------------------------------------------------------

    def reverse(self):
        """`grad`, or `vjp` where the result is not a scalar."""
        if not self.scalar:
            return self.pullback()
        gradients, complaint = self._call(_derivative(grad, self.f, self.argnums))
        return complaint or self._gradient_complaint(gradients)

    def value_and_gradient(self):
        """`value_and_grad`: its value, and its gradient."""
        if not self.scalar:
            return ""
        derivative = _derivative(value_and_grad, self.f, self.argnums)
        (value, gradients), complaint = self._call(derivative)
        return complaint or self._value_complaint(value) or self._gradient_complaint(gradients)

    def forward(self):
        """`jvp` along every direction."""
        for along, slope in zip(self.directions, self.slopes, strict=True):
            tangents = tuple(
                _tangent(arg, part) for arg, part in zip(self.args, along, strict=True)
            )
            result, complaint = self._call(lambda *args, t=tangents: jvp(self.f, args, t))
            value, derivative = result
            complaint = complaint or self._value_complaint(value)
            if complaint:
                return complaint
            if not slope.agrees(flat(derivative)):
                slope = differences.confirmed_slope(self.reference, self.args, along)
                if slope.reliable and not slope.agrees(flat(derivative)):
                    return f"tangent {_short(flat(derivative))}, differences {_short(slope.value)}"
        return ""

    def pullback(self):
        """`vjp`, its pullback called twice, the second time after the result was read."""
        (value, pull), complaint = self._call(lambda *args: vjp(self.f, *args))
        complaint = complaint or self._value_complaint(value)
        if complaint:
            return complaint
        first = pull(fresh(self.weights))
        complaint = self._value_complaint(value)
        if complaint:
            return f"after a pullback: {complaint}"
        second = pull(fresh(self.weights))
        if not _same(first, second):
            return f"a second pullback gives {_short(flat(second))}, not {_short(flat(first))}"
        gradients = tuple(first[i] for i in self.argnums)
        return self._gradient_complaint(gradients, flat(self.weights))

    def second(self):
        """Hessian times direction, forward and reverse over reverse, against the gradient."""
        if not self.scalar:
            return ""
        gradient = _derivative(grad, self.f, self.argnums)
        along = self.directions[0]
        slope = differences.slope(gradient, self.args, along)
        if not slope.reliable:
            return ""
        tangents = tuple(_tangent(arg, part) for arg, part in zip(self.args, along, strict=True))
        (_, product), complaint = self._call(lambda *args: jvp(gradient, args, tangents))
        if complaint:
            return complaint
        if not slope.agrees(flat(product), 1e-4):
            return (
                f"forward over reverse {_short(flat(product))}, differences {_short(slope.value)}"
            )
        weights = tuple(
            map_leaves(lambda leaf, part: part, self.args[i], along[i]) for i in self.argnums
        )
        (_, pull), complaint = self._call(lambda *args: vjp(gradient, *args))
        if complaint:
            return complaint
        cotangents = pull(fresh(weights))
        product = flat(tuple(cotangents[i] for i in self.argnums))
        if not slope.agrees(product, 1e-4):
            return f"reverse over reverse {_short(product)}, differences {_short(slope.value)}"
        return ""

    def native(self):
        """The native backend's gradient and value, against the NumPy backend's.

        The loops run as Python if the caller has seen to that.
        """
        if not self.scalar:
            return ""
        answers = []
        for backend in ("numpy", "numba"):
            derivative = value_and_grad(self.f, argnums=self.argnums, backend=backend)
            try:
                answer, complaint = self._call(derivative)
            except AdcompilerError:
                raise
            except Exception as problem:
                answer, complaint = type(problem), ""
            if complaint:
                return f"{backend}: {complaint}"
            answers.append(answer)
        found = derivative._last
        if found is not None and found.unsupported is not None:
            if "breaks lowering" in found.unsupported.what:
                return found.unsupported.what
            raise FellBack(found.unsupported.what.replace("`", ""))
        expected, answer = answers
        if isinstance(expected, type) or isinstance(answer, type):
            return "" if expected is answer else f"loops give {answer}, NumPy {expected}"
        if kinds(expected) != kinds(answer):
            return f"loops give {kinds(answer)}, NumPy {kinds(expected)}"
        left, right = flat(answer), flat(expected)
        if left.shape != right.shape:
            return f"loops give {left.size} numbers, NumPy {right.size}"
        with np.errstate(all="ignore"):
            same = np.allclose(left, right, rtol=1e-9, atol=1e-11, equal_nan=True)
        if not same:
            return f"value: loops give {_short(left)}, NumPy {_short(right)}"
        if found is not None and found.loops.trouble is not None:
            raise FellBack(f"at run time: {found.loops.trouble}")
        return ""

    # -- what may be wrong with an answer -----------------------------------------------------

    def _call(self, function):
        """The result for fresh arguments, and a complaint if the call changed one of them."""
        args = fresh(self.args)
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            result = function(*args)
        for position, (before, after) in enumerate(zip(self.args, args, strict=True)):
            if not _same(before, after):
                return result, f"argument {position} was changed by the call"
        return result, ""

    def _value_complaint(self, value):
        expected, found = flat(self.value), flat(value)
        if expected.shape != found.shape:
            return f"value of shape {found.shape}, expected {expected.shape}"
        if not np.allclose(found, expected, rtol=1e-9, atol=1e-11, equal_nan=True):
            return f"value {_short(found)}, expected {_short(expected)}"
        return ""

    def _gradient_complaint(self, gradients, weights=None):
        if len(gradients) != len(self.argnums):
            return f"{len(gradients)} gradients for {len(self.argnums)} arguments"
        for number, gradient in zip(self.argnums, gradients, strict=True):
            if not _is_tree(self.args[number]) and np.shape(gradient) != np.shape(
                self.args[number]
            ):
                return f"gradient of argument {number} has shape {np.shape(gradient)}"
        for along, slope in zip(self.directions, self.slopes, strict=True):
            found = sum(inner(g, along[i]) for i, g in zip(self.argnums, gradients, strict=True))
            if not _weighed(slope, weights).agrees(found):
                slope = differences.confirmed_slope(self.reference, self.args, along)
                if slope.reliable and not _weighed(slope, weights).agrees(found):
                    expected = _weighed(slope, weights).value
                    return f"gradient along a direction {found:.8g}, differences {_short(expected)}"
        return ""


@functools.lru_cache(maxsize=8)
def _derivative(transform, f, argnums):
    """`transform(f)`, the same at every point: compiled code is run at each, not made anew."""
    return transform(f, argnums=argnums)


def kinds(tree):
    """The sorts of the leaves of a result; of numbers that branches return, of different kinds,
    loops make one kind."""
    found = []
    map_leaves(lambda leaf: found.append("number" if np.ndim(leaf) == 0 else "array"), tree)
    return found


def question(comparison, mode):
    """The method of a comparison that answers for a mode."""
    return comparison.value_and_gradient if mode == "value" else getattr(comparison, mode)


def assert_agrees(f, *args, argnums=None, modes=MODES, seed=0):
    """Fail unless every mode agrees with differences; differences must be reliable here."""
    comparison = Comparison(f, args, argnums, seed)
    assert not comparison.doubts, f"choose another point: {comparison.doubts}"
    for mode in modes:
        complaint = question(comparison, mode)()
        assert not complaint, f"{mode}: {complaint}"


def _weighed(slope, weights):
    """The slope of the weighted sum of the results."""
    if weights is None:
        return slope
    value = np.atleast_1d(np.sum(slope.value * weights))
    error = np.atleast_1d(np.sum(slope.error * np.abs(weights)))
    return differences.Slope(value, error, slope.why)


def _weight_like(leaf, rng):
    """A cotangent for a leaf of a result: 1 for a scalar's sake of reading, else random."""
    if not isinstance(leaf, (int, float, np.number, np.ndarray)):
        return None
    if np.shape(leaf) == ():
        return float(rng.uniform(0.5, 1.5))
    return rng.uniform(0.5, 1.5, np.shape(leaf))


def _tangent(arg, direction):
    """What `jvp` takes as the tangent of an argument: zero for integers, None for the rest."""

    def of_leaf(leaf, along):
        if along is not None:
            return fresh(along)
        return 0 if isinstance(leaf, (int, np.integer)) else None

    return map_leaves(of_leaf, arg, direction)


def _is_tree(value):
    return len(leaves(value)) != 1 or leaves(value)[0] is not value


def _same(before, after):
    """Whether two trees hold the same values, to the bit."""
    old, new = leaves(before), leaves(after)
    return len(old) == len(new) and all(map(_same_leaf, old, new))


def _same_leaf(old, new):
    if old is new:
        return True
    try:
        return np.array_equal(old, new, equal_nan=True)
    except TypeError:  # strings and other things that have no NaN
        return bool(np.array_equal(old, new))


def _short(values):
    values = np.asarray(values)
    if values.dtype.kind not in "fiub":
        return str(values)
    return np.array2string(values, precision=7, threshold=8)
