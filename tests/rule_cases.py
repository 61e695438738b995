"""Calls on which every rule of the rulebook is tested.

`cases()` yields `Case(fn, args, kwargs, argnums)`: a call, and the positions of the arguments to
differentiate with respect to (an argument may be a list of arrays). All points are away from kinks,
poles and jumps; those have tests of their own. `lambda *a: case.fn(*a, **case.kwargs)` is a
function that any other engine can be tested on.
"""

import cmath
import math
import operator
from dataclasses import dataclass, field

import numpy as np

from adcompiler import runtime
from adcompiler.tape import memory


@dataclass
class Case:
    """A call to differentiate with respect to the arguments at `argnums`."""

    fn: object
    args: tuple
    kwargs: dict = field(default_factory=dict)
    argnums: tuple = (0,)

    def __str__(self):
        module = getattr(self.fn, "__module__", None) or "numpy"
        shown = [*map(_show, self.args), *(f"{k}={v!r}" for k, v in self.kwargs.items())]
        return f"{module.removeprefix('adcompiler.')}.{self.fn.__name__}({', '.join(shown)})"


def _show(value):
    if isinstance(value, list):
        return f"[{' '.join(map(_show, value))}]"
    if isinstance(value, np.ndarray | np.generic):
        return f"{value.dtype.kind}{list(value.shape)}".replace(" ", "")
    return repr(value) if isinstance(value, str | int | tuple | None) else type(value).__name__


def cases():
    """All of them, in the same order with the same numbers each time."""
    make = Numbers(0)
    yield from _elementwise(make)
    yield from _reductions(make)
    yield from _shaping(make)
    yield from _creation_and_indexing(make)
    yield from _products(make)
    yield from _linear_algebra(make)
    yield from _runtime(make)
    yield from _memory(make)
    yield from _statistics(make)
    yield from _factorisations(make)
    yield from _fourier(make)


class Numbers:
    """Arrays of random numbers: called with a shape, and the range they come from."""

    def __init__(self, seed):
        self.random = np.random.default_rng(seed)

    def __call__(self, *shape, low=-2.0, high=2.0):
        return self.random.uniform(low, high, shape)

    def distinct(self, *shape):
        """No two closer than 0.1: away from the ties of `max` and `sort`."""
        n = math.prod(shape)
        return (0.1 * self.random.permutation(n) - 0.05 * n + 0.03).reshape(shape)

    def regular(self, *shape):
        """Matrices far from singular."""
        return self(*shape, low=-0.5, high=0.5) + 2 * np.eye(*shape[-2:])

    def positive_definite(self, *shape):
        half = self(*shape, low=-0.5, high=0.5)
        return half @ np.swapaxes(half, -1, -2) + np.eye(shape[-1])


ANY, POSITIVE, INSIDE, ABOVE_ONE = (-2.0, 2.0), (0.2, 3.0), (-0.9, 0.9), (1.2, 3.0)
UNARY = {
    ANY: [np.negative, np.positive, np.square, np.exp, np.exp2, np.expm1, np.sin, np.cos, np.tanh,
          np.arctan, np.sinh, np.cosh, np.arcsinh, np.deg2rad, np.rad2deg, np.absolute, np.fabs,
          np.sinc, np.sign, np.conjugate, np.real, np.imag, np.angle, np.nan_to_num],
    POSITIVE: [np.reciprocal, np.sqrt, np.cbrt, np.log, np.log2, np.log10, np.log1p],
    INSIDE: [np.tan, np.arcsin, np.arccos, np.arctanh],
    ABOVE_ONE: [np.arccosh],
}  # fmt: skip
BINARY = {
    (ANY, ANY): [np.add, np.subtract, np.multiply, np.logaddexp, np.logaddexp2, np.arctan2,
                 np.hypot, np.copysign, np.heaviside],
    (ANY, POSITIVE): [np.divide],
    (POSITIVE, ANY): [np.power, np.float_power],
    ((1.1, 1.9), (2.1, 2.9)): [np.maximum, np.minimum, np.fmax, np.fmin, np.remainder, np.fmod],
    ((2.1, 2.9), (1.1, 1.9)): [np.maximum, np.minimum, np.fmax, np.fmin, np.remainder, np.fmod,
                               np.divmod],
}  # fmt: skip
MATH = {
    (ANY,): [math.sin, math.exp, math.tanh, math.erf, math.erfc],
    (POSITIVE,): [math.sqrt, math.log],
    (POSITIVE, ABOVE_ONE): [math.log],
    (ANY, ANY): [math.hypot, math.atan2],
    (ANY, ANY, ANY): [math.hypot],
    (POSITIVE, ANY): [math.pow],
    ((2.1, 2.4), (1.1, 1.4)): [math.remainder, min, max],
    ((1.1, 1.4), (2.1, 2.4)): [min, max],
}


def _elementwise(make):
    for (low, high), functions in UNARY.items():
        for fn in functions:
            for shape in [(), (4,), (2, 1, 3), (0,)]:
                yield Case(fn, (make(*shape, low=low, high=high),))
    pairs = [((), ()), ((3,), (3,)), ((2, 3), (3,)), ((2, 1), (1, 3)), ((3,), ()), ((), (2, 1)),
             ((1,), (4,)), ((0, 3), (3,)), ((1, 3), (0, 3))]  # fmt: skip
    for (first, second), functions in BINARY.items():
        for fn in functions:
            for left, right in pairs:
                x = make(*left, low=first[0], high=first[1])
                y = make(*right, low=second[0], high=second[1])
                yield Case(fn, (x, y), {}, (0, 1))
            x, y = make(3, low=first[0], high=first[1]), float(make(low=second[0], high=second[1]))
            yield Case(fn, (x, y), {}, (0, 1))
    for ranges, functions in MATH.items():
        for fn in functions:
            args = tuple(float(make(low=low, high=high)) for low, high in ranges)
            yield Case(fn, args, {}, tuple(range(len(args))))
    for y in (2, 3, 1, 0, -1, 0.5, -0.5):
        yield Case(np.power, (make(3, low=0.5), y))
    for y in (2, 3, 1, 0, -1):
        yield Case(np.power, (np.array([-1.5, 0.7]), y))
    yield Case(np.power, (2.0, make(3)), {}, (1,))
    yield Case(operator.pow, (1.5, 2))
    yield Case(operator.truediv, (1.5, 2.5), {}, (0, 1))
    yield Case(np.modf, (make(3, low=1.1, high=1.9),))
    yield Case(np.modf, (1.25,))
    yield Case(np.ldexp, (make(3), 2))
    yield Case(np.ldexp, (make(3), np.array([1, -1, 0])))
    yield Case(np.angle, (make(3),), {"deg": True})

    x, low, high = make(2, 3), make(3, low=-1.3, high=-0.7), make(2, 1, low=0.7, high=1.3)
    yield Case(np.clip, (x, low, high), {}, (0, 1, 2))
    yield Case(np.clip, (x, None, high), {}, (0, 2))
    yield Case(np.clip, (x, low, None), {}, (0, 1))
    yield Case(np.clip, (x, high, low), {}, (0, 1, 2))
    yield Case(np.clip, (x, -1.0, 1.0))
    yield Case(np.where, (x > 0, x, make(3)), {}, (1, 2))
    yield Case(np.where, (np.array([[True], [False]]), make(1, 3), make()), {}, (1, 2))
    yield Case(np.where, (True, 1.5, 2.5), {}, (1, 2))
    yield Case(np.where, (np.zeros((0, 3), bool), make(3), 0.0), {}, (1,))


def _reductions(make):
    axes = [
        ((), None),
        ((4,), None),
        ((4,), 0),
        ((4,), -1),
        ((2, 3), None),
        ((2, 3), 0),
        ((2, 3), -1),
        ((2, 1, 3), 1),
        ((2, 3, 4), (0, 2)),
        ((2, 3, 4), (-1, 0)),
        ((2, 3), ()),
    ]
    for shape, axis in axes:
        for keepdims in (False, True):
            kwargs = {"axis": axis, "keepdims": keepdims}
            for fn in (np.sum, np.mean):
                yield Case(fn, (make(*shape),), kwargs)
            if axis != ():
                for fn in (np.max, np.min):
                    yield Case(fn, (make.distinct(*shape),), kwargs)
            if shape and axis != ():
                yield Case(np.ptp, (make.distinct(*shape),), kwargs)
                yield Case(np.var, (make(*shape),), kwargs)
                if shape != (2, 1, 3):  # a deviation of 0 is a kink
                    yield Case(np.std, (make(*shape),), kwargs)
            if shape and not isinstance(axis, tuple):
                yield Case(np.prod, (make(*shape),), kwargs)
    for fn in (np.var, np.std):
        yield Case(fn, (make(2, 4),), {"axis": 1, "ddof": 1})
    yield Case(np.sum, (make(0, 3),), {"axis": 0})
    yield Case(np.sum, (make(3, 0),), {"axis": 0})
    yield Case(np.prod, (make(0),))
    yield Case(np.prod, (np.array([2.0, 0.0, -3.0]),))
    yield Case(np.prod, (np.array([[0.0, 2.0, 0.0], [1.0, 0.0, 5.0]]),), {"axis": 1})
    holes = np.array([[1.0, np.nan, 2.0], [np.nan, 0.5, -1.0]])
    yield Case(np.nansum, (holes,))
    yield Case(np.nansum, (holes,), {"axis": 1, "keepdims": True})
    yield Case(math.fsum, ([1.5, 2.5],))

    for shape, axis in [((4,), None), ((2, 3), None), ((2, 3), 0), ((2, 3), -1), ((3, 1), 1)]:
        yield Case(np.cumsum, (make(*shape),), {"axis": axis})
        yield Case(np.cumprod, (make(*shape),), {"axis": axis})
    yield Case(np.cumsum, (make(0),))
    yield Case(np.cumprod, (np.array([2.0, 0.0, 3.0, 0.0, 1.0]),))
    for n, axis in [(1, -1), (2, 0), (0, 0), (3, 1)]:
        yield Case(np.diff, (make(4, 5),), {"n": n, "axis": axis})

    for ord in (None, 1, 2, 3, 2.5, np.inf, -np.inf):
        yield Case(np.linalg.norm, (make.distinct(4),), {"ord": ord})
        for keepdims in (False, True):
            kwargs = {"ord": ord, "axis": -1, "keepdims": keepdims}
            yield Case(np.linalg.norm, (make.distinct(2, 3),), kwargs)
    for ord in (None, "fro", 1, -1, np.inf, -np.inf):
        yield Case(np.linalg.norm, (make.distinct(2, 3),), {"ord": ord})
        yield Case(np.linalg.norm, (make.distinct(2, 3),), {"ord": ord, "keepdims": True})
        yield Case(np.linalg.norm, (make.distinct(2, 3, 4),), {"ord": ord, "axis": (2, 0)})
    yield Case(np.linalg.norm, (make(2, 3, 4),))
    yield Case(np.linalg.norm, (make(2, 3, 4),), {"axis": 1, "keepdims": True})


def _shaping(make):
    yield Case(np.reshape, (make(2, 3), (3, 2)))
    yield Case(np.reshape, (make(2, 3), -1))
    yield Case(np.reshape, (make(2, 3), (3, 2)), {"order": "F"})
    yield Case(np.reshape, (make(1), ()))
    yield Case(np.reshape, (make(0, 3), (3, 0)))
    yield Case(np.ndarray.reshape, (make(2, 3), 3, 2))
    yield Case(np.ndarray.reshape, (make(2, 3), (6,)))
    yield Case(np.ravel, (make(2, 3),))
    yield Case(np.ravel, (make(2, 3),), {"order": "F"})
    yield Case(np.ndarray.flatten, (make(2, 3),))
    yield Case(np.transpose, (make(2, 3),))
    yield Case(np.transpose, (make(2, 3, 4), (1, 2, 0)))
    yield Case(np.transpose, (make(2, 3, 4), (-1, 0, 1)))
    yield Case(np.ndarray.transpose, (make(2, 3, 4),))
    yield Case(np.ndarray.transpose, (make(2, 3, 4), 2, 0, 1))
    yield Case(np.matrix_transpose, (make(2, 3, 4),))
    yield Case(np.swapaxes, (make(2, 3, 4), 0, -1))
    yield Case(np.moveaxis, (make(2, 3, 4), 0, -1))
    yield Case(np.moveaxis, (make(2, 3, 4), (0, 1), (2, 0)))
    yield Case(np.expand_dims, (make(2, 3), 1))
    yield Case(np.expand_dims, (make(2, 3), (0, -1)))
    yield Case(np.squeeze, (make(1, 3, 1),))
    yield Case(np.squeeze, (make(1, 3, 1),), {"axis": 0})
    yield Case(np.broadcast_to, (make(3), (2, 3)))
    yield Case(np.broadcast_to, (make(2, 1, 3), (2, 4, 3)))
    yield Case(np.broadcast_to, (make(1), (0,)))
    for fn in (np.atleast_1d, np.atleast_2d, np.atleast_3d):
        yield Case(fn, (make(3),))
        yield Case(fn, (make(2, 3),))
        yield Case(fn, (make(3), make()), {}, (0, 1))
    for axis in (None, 0, -1, (0, 2)):
        yield Case(np.flip, (make(2, 3, 4),), {"axis": axis})
    yield Case(np.fliplr, (make(2, 3),))
    yield Case(np.flipud, (make(2, 3),))
    yield Case(np.rot90, (make(2, 3),))
    yield Case(np.rot90, (make(2, 3, 4), 3, (1, 2)))
    yield Case(np.roll, (make(2, 3), 2))
    yield Case(np.roll, (make(2, 3), -1), {"axis": 1})
    yield Case(np.roll, (make(2, 3), (1, 2)), {"axis": (0, 1)})
    for reps in (2, (2,), (2, 3), (3, 1, 2)):
        yield Case(np.tile, (make(2, 3), reps))
    yield Case(np.tile, (make(3), (2, 2)))
    yield Case(np.repeat, (make(2, 3), 2))
    yield Case(np.repeat, (make(2, 3), 2), {"axis": 1})
    yield Case(np.repeat, (make(2, 3), [1, 0, 2]), {"axis": -1})
    yield Case(np.repeat, (make(), 3))

    for axis in (0, 1, -1, None):
        yield Case(np.concatenate, ([make(2, 3), make(2, 3)],), {"axis": axis})
        yield Case(np.stack, ([make(2, 3), make(2, 3), make(2, 3)],), {"axis": axis or 0})
        yield Case(np.append, (make(2, 3), make(2, 3)), {"axis": axis}, (0, 1))
    yield Case(np.concatenate, ([make(2, 3), make(0, 3), make(1, 3)],))
    yield Case(np.concatenate, ([make(3)],))
    yield Case(np.concatenate, ([make(2, 1), make(3)],), {"axis": None})
    for fn in (np.vstack, np.hstack, np.column_stack, np.dstack):
        yield Case(fn, ([make(3), make(3)],))
        yield Case(fn, ([make(2, 3), make(2, 3)],))
    yield Case(np.hstack, ([make(), make(2)],))
    yield Case(np.column_stack, ([make(2), make(2, 3)],))
    yield Case(np.vstack, ([make(3), make(2, 3)],))
    yield Case(np.split, (make(4, 3), 2))
    yield Case(np.split, (make(4, 5), [1, 3]), {"axis": 1})
    yield Case(np.array_split, (make(5), 3))
    yield Case(np.pad, (make(3), 2))
    yield Case(np.pad, (make(2, 3), (1, 2)))
    yield Case(np.pad, (make(2, 3), ((0, 1), (2, 0))), {"constant_values": 5.0})

    for k in (0, 1, -1):
        yield Case(np.diag, (make(3),), {"k": k})
        yield Case(np.diag, (make(3, 4),), {"k": k})
        yield Case(np.diagonal, (make(3, 4),), {"offset": k})
        yield Case(np.diagonal, (make(2, 3, 4),), {"offset": k, "axis1": 2, "axis2": 1})
        yield Case(np.trace, (make(3, 4),), {"offset": k})
        yield Case(np.trace, (make(2, 3, 4),), {"offset": k, "axis1": -2, "axis2": -1})
        yield Case(np.tril, (make(3, 4),), {"k": k})
        yield Case(np.triu, (make(2, 3, 3),), {"k": k})


def _creation_and_indexing(make):
    yield Case(np.array, ([1.5, 2.5, -1.0],))
    yield Case(np.array, ([[1.5, 2.5], [3.5, 4.5]],))
    yield Case(np.array, ([make(3), make(3)],))
    yield Case(np.array, (make(3),))
    for fn in (np.asarray, np.asanyarray, np.copy, np.ascontiguousarray, np.asfortranarray):
        yield Case(fn, (make(2, 3),))
    yield Case(np.ndarray.astype, (make(3), np.float64))
    for fn in (float, complex, np.float64, np.longdouble, np.complex128):
        yield Case(fn, (1.5,))
    yield Case(np.full, ((2, 3), 1.5), {}, (1,))
    yield Case(np.full, ((2, 3), make(3)), {}, (1,))
    yield Case(np.linspace, (1.5, 4.5), {"num": 4}, (0, 1))
    yield Case(np.linspace, (1.5, 4.5, 4), {"endpoint": False}, (0, 1))
    yield Case(np.linspace, (make(3), make(2, 1), 5), {}, (0, 1))
    yield Case(np.linspace, (1.5, 4.5, 1), {}, (0, 1))

    x, rows = make(3, 4), np.array([2, 0, 2])
    for index in (
        1,
        (1, 2),
        (slice(None), 1),
        (slice(2, 0, -1), slice(None, None, 2)),
        rows,
        (rows, np.array([1, 1, 1])),
        (rows[:, None], np.array([0, 3])),
        (slice(1), rows),
        Ellipsis,
        None,
        (Ellipsis, None, 2),
        x > 0,
        (x[:, 0] > 0, 1),
        [0, 0],
        (),
    ):
        yield Case(operator.getitem, (x, index))
    yield Case(operator.getitem, (make(3, 0, 2), (rows, slice(None), 0)))
    for indices, axis in [(rows, None), (rows, 0), (rows[:, None], -1), (1, 1), ([0, 0], 1)]:
        yield Case(np.take, (x, indices), {"axis": axis})
    yield Case(np.take_along_axis, (x, np.array([[0, 0, 2, 1]]), 0))
    yield Case(np.take_along_axis, (x, np.array([[1, 1], [2, 0], [3, 3]]), -1))
    yield Case(np.take_along_axis, (make(1, 4), np.array([[1], [2], [0]]), 1))
    yield Case(np.take_along_axis, (x, np.array([0, 5, 5]), None))
    yield Case(np.bincount, (rows, make(3)), {"minlength": 5}, (1,))
    yield Case(np.bincount, (rows, make(3)), {}, (1,))
    for axis in (0, -1, None):
        yield Case(np.sort, (make.distinct(3, 4),), {"axis": axis})
    yield Case(np.ndarray.item, (make(1),))


def _products(make):
    shapes = [((3,), (3,)), ((2, 3), (3,)), ((3,), (3, 4)), ((2, 3), (3, 4)), ((1, 3), (3, 1)),
              ((0, 3), (3, 4)), ((2, 0), (0, 4))]  # fmt: skip
    both, stacks = (
        (0, 1),
        [
            ((5, 2, 3), (5, 3, 4)),
            ((5, 2, 3), (3, 4)),
            ((2, 3), (5, 3, 4)),
            ((5, 1, 2, 3), (6, 3, 4)),
            ((3,), (5, 3, 4)),
            ((5, 2, 3), (3,)),
            ((6, 5, 2, 3), (3,)),
            ((3,), (6, 5, 3, 4)),
            ((1, 2, 3), (5, 3, 4)),
        ],
    )
    for a, b in shapes + stacks:
        yield Case(np.matmul, (make(*a), make(*b)), {}, both)
    for a, b in [*shapes, ((), ()), ((), (3,)), ((2, 3), ()), ((5, 2, 3), (3,)),
                 ((5, 2, 3), (3, 4)), ((3,), (5, 3, 4)), ((6, 2, 3), (5, 3, 4))]:  # fmt: skip
        yield Case(np.dot, (make(*a), make(*b)), {}, both)
    for a, b in [((), ()), ((), (3,)), ((3,), (3,)), ((2, 3), (3,)), ((2, 3), (4, 3)),
                 ((5, 2, 3), (4, 3)), ((3,), (5, 4, 3))]:  # fmt: skip
        yield Case(np.inner, (make(*a), make(*b)), {}, both)
        if len(a) == len(b) == 1:
            yield Case(np.vecdot, (make(*a), make(*b)), {}, both)
    yield Case(np.vecdot, (make(5, 1, 3), make(2, 3)), {}, both)
    yield Case(np.outer, (make(3), make(4)), {}, both)
    yield Case(np.outer, (make(2, 3), make(4)), {}, both)
    yield Case(np.outer, (1.5, make(4)), {}, both)
    yield Case(np.vdot, (make(3), make(3)), {}, both)
    yield Case(np.vdot, (make(2, 3), make(2, 3)), {}, both)
    for a, b, axes in [((2, 3, 4), (3, 4, 5), 2), ((2, 3), (3, 4), 1), ((2,), (3,), 0),
                       ((2, 3, 4), (4, 5, 2), ([0, 2], [2, 0])), ((2, 3), (2, 3), ((0, 1), (0, 1))),
                       ((2, 3, 4), (4, 5), (2, 0)), ((2, 3, 4), (5, 4), (-1, -1)),
                       ((2, 3, 4), (4, 3, 6), ((1, 2), (1, 0)))]:  # fmt: skip
        yield Case(np.tensordot, (make(*a), make(*b)), {"axes": axes}, both)
    for subscripts, *operands in [
        ("ij,jk->ik", (2, 3), (3, 4)), ("ij,jk", (2, 3), (3, 4)), ("i,i", (3,), (3,)),
        ("ij->ji", (2, 3)), ("ba", (2, 3)), ("ij->", (2, 3)), ("ij->j", (2, 3)), ("ii", (3, 3)),
        ("ii->i", (3, 3)), ("iij->j", (3, 3, 2)), ("iii->i", (3, 3, 3)), ("ij,j->ij", (2, 3), (3,)),
        ("i,j,k->kji", (2,), (3,), (4,)), ("ij,jk,kl->il", (2, 3), (3, 4), (4, 2)),
        ("...ij,...jk->...ik", (5, 2, 3), (5, 3, 4)), ("...ij,jk", (5, 2, 3), (3, 4)),
        ("...i,...i->...", (5, 1, 3), (2, 3)), ("i...,i...->...", (3, 2), (3, 5, 2)),
        ("ij,ij->ij", (1, 3), (2, 3)), ("ij,ik->j", (2, 3), (2, 4)),
        ("ij, jk -> ik", (2, 3), (3, 1)),
        (",i->i", (), (3,)), ("ij,kl->ik", (2, 3), (4, 5)), ("i...->...", (3, 2)),
    ]:  # fmt: skip
        arrays = [make(*shape) for shape in operands]
        yield Case(np.einsum, (subscripts, *arrays), {}, tuple(range(1, len(arrays) + 1)))
    arrays = [make(2, 3), make(3, 4), make(4)]
    yield Case(np.einsum, ("ij,jk,k", *arrays), {"optimize": True}, (1, 2, 3))
    for a, b in [((2, 3), (4, 5)), ((3,), (2,)), ((3,), (2, 2)), ((2, 1, 3), (2, 2))]:
        yield Case(np.kron, (make(*a), make(*b)), {}, both)
    for a, b in [((3,), (3,)), ((5, 3), (3,)), ((1, 3), (5, 3))]:
        yield Case(np.cross, (make(*a), make(*b)), {}, both)
    for mode in ("full", "same", "valid"):
        for n, m in [(5, 3), (3, 5), (4, 4), (6, 2), (2, 5)]:
            yield Case(np.convolve, (make(n), make(m), mode), {}, both)


def _linear_algebra(make):
    for shape in [(1, 1), (3, 3), (2, 3, 3)]:
        yield Case(np.linalg.inv, (make.regular(*shape),))
        yield Case(np.linalg.det, (make.regular(*shape),))
        yield Case(np.linalg.slogdet, (make.regular(*shape),))
        yield Case(np.linalg.cholesky, (make.positive_definite(*shape),))
        spread = make.positive_definite(*shape) + np.diag(np.arange(shape[-1]))
        yield Case(np.linalg.eigvalsh, (spread,))
        if shape[-1] > 1:
            yield Case(np.linalg.eigh, (spread,))
    for a, b in [((3, 3), (3,)), ((3, 3), (3, 2)), ((5, 3, 3), (5, 3, 2)), ((5, 3, 3), (3,)),
                 ((3, 3), (5, 3, 2)), ((5, 3, 3), (1, 3, 2))]:  # fmt: skip
        yield Case(np.linalg.solve, (make.regular(*a), make(*b)), {}, (0, 1))


def _factorisations(make):
    for ord in (2, -2, "nuc"):
        yield Case(np.linalg.norm, (make.regular(3, 4),), {"ord": ord})
        stack = np.moveaxis(make.regular(2, 4, 3), 0, 1)
        yield Case(np.linalg.norm, (stack,), {"ord": ord, "axis": (0, 2), "keepdims": True})
        yield Case(np.linalg.norm, (stack,), {"ord": ord, "axis": (2, 0)})
    yield Case(np.prod, (make(2, 3, 4),), {"axis": (2, 0)})
    yield Case(np.prod, (make(2, 3, 4),), {"axis": (0, -1), "keepdims": True})
    for shape in [(3, 3), (4, 3), (2, 4, 3)]:
        high = make.regular(*shape)
        low = np.swapaxes(make.regular(*shape), -1, -2)
        yield Case(np.linalg.qr, (high,))
        for matrix in (high, low):
            scale = 1 + np.arange(3.0)
            matrix = matrix * (scale if matrix.shape[-1] == 3 else scale[:, None])
            yield Case(np.linalg.svd, (matrix,), {"full_matrices": False})
            yield Case(np.linalg.svdvals, (matrix,))
            yield Case(np.linalg.pinv, (matrix,))


def _fourier(make):
    for fn in (np.fft.fft, np.fft.ifft):
        for numbers in (make(5), make(6) + 1j * make(6)):
            yield Case(fn, (numbers,))
            yield Case(fn, (numbers,), {"n": 4})
            yield Case(fn, (numbers,), {"n": 8, "norm": "ortho"})
        yield Case(fn, (make(3, 4),), {"axis": 0, "norm": "forward"})
    for length in (5, 6):
        for kwargs in ({}, {"n": 4}, {"n": 7}, {"n": 9, "norm": "ortho"}, {"norm": "forward"}):
            yield Case(np.fft.rfft, (make(length),), kwargs)
            yield Case(np.fft.irfft, (make(length) + 1j * make(length),), kwargs)
    yield Case(np.fft.rfft, (make(4, 3),), {"axis": 0})
    yield Case(np.fft.irfft, (make(4, 3),), {"axis": 0})
    for shift in (np.fft.fftshift, np.fft.ifftshift):
        yield Case(shift, (make(5),))
        yield Case(shift, (make(4, 3),), {"axes": 1})
    for length in (2, 3, 5):
        yield Case(runtime.fitted, (make(3, 2), length, 0))


def _runtime(make):
    """What rules are made of has rules too."""
    yield Case(runtime.unbroadcast, (make(2, 3), make(3)))
    yield Case(runtime.unbroadcast, (make(2, 3), (1, 3)))
    yield Case(runtime.unbroadcast, (make(2, 3), 1.5))
    yield Case(runtime.unreduce, (make(3), (2, 3), 0))
    yield Case(runtime.unreduce, (make(2, 1), (2, 3), -1, True))
    yield Case(runtime.unreduce, (make(), (2, 3)))
    yield Case(runtime.spread, (np.array([0.5, -1.0, 2.0]), np.ones((2, 3))), argnums=(0,))
    yield Case(runtime.stretched, (np.array([[0.5, -1.0, 2.0]]), np.ones((2, 3))), argnums=(0,))
    yield Case(runtime.full_adjoint, (make(2, 3), make(2, 3)), argnums=(0,))
    yield Case(runtime.masked, (make(3), np.array([True, False, True])))
    yield Case(runtime.masked, (make(3), np.array([[0], [1]])))
    yield Case(runtime.cast, (make(3), make(3)))
    for x, y in [((3,), (3,)), ((2, 3), (3,)), ((), (3,)), ((), ())]:
        args = (make(*x), make(*y, low=0.5))
        for fn in (runtime.pole_product, runtime.pole_quotient, runtime.quotient, runtime.ratio):
            yield Case(fn, args, {}, (0, 1))
        yield Case(runtime.raised, (make(*x, low=0.5), make(*y)), {}, (0, 1))
        yield Case(runtime.exp_difference, args, {}, (0, 1))
    yield Case(runtime.log_nonzero, (make(3, low=0.1),))
    yield Case(runtime.log_nonzero, (1.5,))
    for order in (1, 2, 3):
        yield Case(runtime.sinc_derivative, (np.array([0.0, 0.3, -0.9, 1.1, -2.5]), order))
    for shape, axis in [((4,), 0), ((2, 3), 1), ((3, 2), 0), ((3, 1), -1)]:
        yield Case(runtime.others, (make(*shape), axis))
        for reverse in (False, True):
            yield Case(runtime.delay, (make(*shape), axis, reverse))
            yield Case(runtime.recurrence, (make(*shape), make(*shape), axis, reverse), {}, (0, 1))
    yield Case(runtime.others, (np.array([2.0, 0.0, 3.0, 0.0]), 0))
    yield Case(runtime.others, (np.array([2.0, 0.0, 3.0, 1.0]), 0))
    yield Case(runtime.scatter, (make(3), (4,), np.array([1, 1, 2])))
    yield Case(runtime.scatter, (make(2), (3, 2), 1))
    yield Case(runtime.untake, (make(2, 3), (2, 4), np.array([1, 1, 2]), 1))
    yield Case(runtime.untake_along, (make(3, 2), (3, 4), np.array([[1, 1], [2, 0], [3, 3]]), 1))
    yield Case(runtime.unconcatenate, (make(5, 2), [2, 3]))
    yield Case(runtime.unconcatenate, (make(2, 5), [2, 0, 3], -1))
    yield Case(runtime.unpack, (make(2, 3), [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]))
    yield Case(runtime.untile, (make(4, 9), (2, 3), (2, 3)))
    yield Case(runtime.unrepeat, (make(2, 6), (2, 3), 2, 1))
    yield Case(runtime.undiagonal, (make(3), (3, 4), 1))
    yield Case(runtime.undiff, (make(3, 4), 2, 1, 6))
    yield Case(runtime.lower_half, (make(2, 3, 3),))


def _statistics(make):
    yield Case(complex, (1.5,), {"imag": 0.5})
    yield Case(cmath.log, (0.5 + 1.5j,))
    for shape in [(5,), (3, 4), (1, 4)]:
        yield Case(np.cov, (make(*shape),))
        yield Case(np.cov, (make(*shape),), {"bias": True})
    yield Case(np.cov, (make(4, 3),), {"rowvar": False, "ddof": 0})
    x, edges = make.distinct(6), np.array([-9.0, -0.4, 0.1, 0.6, 9.0])
    yield Case(np.histogram, (x, 4), argnums=(0,))
    yield Case(np.histogram, (x, 3, None, None, make(6)), argnums=(0, 4))
    yield Case(np.histogram, (x, edges), {"weights": make(6)})
    yield Case(np.histogram, (x,), {"range": (-9.0, 9.0), "weights": make(6)})
    yield Case(runtime.from_bins, (make(4), make(7), edges))


def _memory(make):
    """What a tape makes of stores and views."""
    row, column = memory.Place((4,), 4, (1,)), memory.Place((3,), 1, (4,))
    backwards, repeated = memory.Place((2, 3), 11, (-4, -1)), memory.Place((2, 4), 0, (0, 1))
    none = memory.Place((0, 4), 0, (4, 1))
    for place in (row, column, backwards, repeated, none):
        yield Case(memory.strided, (make(3, 4), "C", place))
        yield Case(memory.spread, (make(*place.shape), (3, 4), "C", place))
    yield Case(memory.strided, (make(4, 3), "F", row))
    both = (0, 1)
    for place, index, shape in [
        (row, slice(1, 3), (2,)), (column, ..., ()), (column, 0, ()),
        (backwards, (1, [0, 2]), (2,)), (row, np.array([2, 0, 2]), (3,)),
        (row, np.array([True, False, True, True]), (1,)), (backwards, ..., (3,)), (none, ..., (4,)),
    ]:  # fmt: skip
        yield Case(memory.put, (make(3, 4), make(*shape), "C", place, index), {}, both)
    yield Case(memory.put, (make(4, 3), make(2), "F", column, slice(2)), {}, both)
