"""Which values, as Python objects, show memory that is written.

A Load is a snapshot in the IR; in Python `row = A[i]` is a window.  `Storage.views` says which
alias classes can be seen through a value: those of the Loads from which functions that may return
views made it.  Which of them must therefore be copied is decided in `snapshots`.
"""

from __future__ import annotations

import builtins
import math
import operator
from collections.abc import Callable
from types import NoneType

import numpy as np

from adcompiler import runtime
from adcompiler.analysis.classes import AliasClasses, holds_references
from adcompiler.ir.interpret import OUT_OF_PLACE
from adcompiler.ir.nodes import (
    Constant,
    Function,
    If,
    Load,
    Op,
    Operand,
    Path,
    Pop,
    Slice,
    Statement,
    Value,
    dimension,
    leaves,
)
from adcompiler.ir.types import Array, List, Object, Ref, Scalar, Tuple, target

NOTHING: frozenset[int] = frozenset()

_FRESH_NUMPY = """
    all allclose amax amin any append arange array argmax argmin argpartition argsort argwhere
    array_equal average bincount blackman clip compress concatenate convolve copy corrcoef correlate
    count_nonzero cov cross cumprod cumsum delete dot dstack empty empty_like eye flatnonzero
    full full_like gradient hamming hanning hstack identity inner insert interp isclose kron
    lexsort linspace logspace max mean median min
    nan_to_num nanmax nanmean nanmin nanstd nansum nanvar ndim nonzero ones ones_like outer
    pad partition percentile prod ptp quantile repeat roll searchsorted shape sinc size sort std
    sum take take_along_axis tensordot tile trace trapezoid tri tril triu unique vander var vdot
    vstack stack zeros zeros_like
"""
_FRESH_LINALG = "cholesky cond det eig eigh eigvals eigvalsh inv lstsq norm pinv qr slogdet solve"
_FRESH_METHODS = """
    all any argmax argmin argpartition argsort astype compress copy cumprod cumsum dot flatten item
    max mean min nonzero prod repeat searchsorted std sum take tolist trace var __len__
"""
_FRESH_RUNTIME = """
    contraction count delay exp_difference first interior inverse kron_plan last_written lower_half
    others pole_product pole_quotient quotient ratio recurrence scatter sinc_derivative step ties
    from_bins undiagonal undiff unrepeat untake untake_along untile zeros_like
"""


def _named(names: str, owner: object) -> set[Callable]:
    return {getattr(owner, name) for name in names.split() if hasattr(owner, name)}


_ARITHMETIC = "add sub mul truediv floordiv mod pow matmul neg pos abs and_ or_ xor invert lshift"
_COMPARISONS = "rshift lt le eq ne ge gt not_ is_ is_not contains truth index"
FRESH: frozenset[Callable] = frozenset(
    _named(_FRESH_NUMPY, np)
    | _named(_FRESH_LINALG, np.linalg)
    | _named(_FRESH_METHODS, np.ndarray)
    | _named(_FRESH_RUNTIME, runtime)
    | _named(f"{_ARITHMETIC} {_COMPARISONS}", operator)
    | _named("abs bool complex float hash int isinstance len print range repr str", builtins)
    | {fn for fn in vars(math).values() if callable(fn)}
    | {dimension, *OUT_OF_PLACE}
)
"""Functions whose results share no storage with their arguments.

`np.round`, `np.diff`, `np.einsum`, `ndarray.conj` and others that sometimes hand back what they
were given are not here.  In-place operators are: as an `Op` they are printed out of place where
it matters.
"""

VIEWS: frozenset[Callable] = frozenset(
    _named("expand_dims flip moveaxis ravel reshape rollaxis squeeze swapaxes transpose", np)
    | _named("ravel reshape squeeze swapaxes transpose", np.ndarray)
    | {operator.getitem}
)
"""Functions whose result, if it shares storage, shares it with their first argument alone."""


def is_fresh(op: Op) -> bool:
    """Whether what the op returns shares no storage with anything."""
    fn = op.fn
    if "out" in op.keywords or "copy" in op.keywords:
        return False
    if isinstance(fn, np.ufunc):
        return True
    if fn is operator.getitem:
        return copies(op.args[1])
    if fn is np.where:
        return len(op.args) == 3
    try:
        return fn in FRESH
    except TypeError:  # a callable object that cannot be hashed
        return False


def copies(path: Operand) -> bool:
    """Whether indexing an array with the path certainly makes a copy."""
    entries = path if isinstance(path, tuple) else (path,)
    return any(is_index_array(entry) for entry in entries)


def is_index_array(entry: Operand) -> bool:
    if isinstance(entry, list):
        return True
    if isinstance(entry, Constant):
        value = entry.value
        return isinstance(value, list) or (isinstance(value, np.ndarray) and value.ndim > 0)
    return isinstance(entry, Value) and isinstance(entry.type, Array) and bool(entry.type.rank)


def is_integer(entry: Operand) -> bool:
    """Whether the index is certainly one integer."""
    if isinstance(entry, Constant):
        return isinstance(entry.value, int | np.integer) and not isinstance(entry.value, bool)
    return isinstance(entry, Value) and entry.type.__class__ is Scalar and entry.type.kind == "int"


def is_immutable(type: object) -> bool:
    """Whether objects of the type have nothing in them that could be written."""
    match type:
        case Scalar():
            return True
        case Object(cls=cls):
            return cls in (str, bytes, NoneType, np.dtype, builtins.type, slice, range)
        case Tuple(items=items):
            return all(map(is_immutable, items))
    return False


def is_element(load: Load) -> bool:
    """Whether the load gives one number, and not an array."""
    held = target(load.ref.type)
    if isinstance(load.out.type, Scalar):
        return True
    indexed = isinstance(held, Array) and held.rank is not None and held.rank == len(load.path)
    return indexed and bool(load.path) and all(map(is_integer, load.path))


def same_operand(a: Operand, b: Operand) -> bool:
    """Whether two operands are certainly the same: one value, or equal constants."""
    if a is b:
        return True
    match a, b:
        case Constant(value=x), Constant(value=y):
            return type(x) is type(y) and isinstance(x, int | str | None) and x == y
        case Slice(), Slice():
            return (
                same_operand(a.start, b.start)
                and same_operand(a.stop, b.stop)
                and same_operand(a.step, b.step)
            )
        case (tuple(), tuple()) | (list(), list()):
            return len(a) == len(b) and all(map(same_operand, a, b))
    return False


def same_strides(a: Path, b: Path) -> bool:
    """Whether the two places of one array have the same strides, so that copying one onto the
    other is right in NumPy even where they overlap.  (`M[:, 2] = M[1]` is not, in NumPy 2.4.)"""
    return len(a) == len(b) and all(map(_same_stride, a, b))


def _same_stride(a: Operand, b: Operand) -> bool:
    if isinstance(a, Slice) and isinstance(b, Slice):
        steps = [getattr(s.step, "value", s.step) or 1 for s in (a, b)]
        return steps[0] is steps[1] or (isinstance(steps[0], int) and steps[0] == steps[1])
    if is_integer(a) and is_integer(b):
        return True
    return isinstance(a, Constant) and isinstance(b, Constant) and a.value is b.value


class Storage:
    """What values share, once it is known which of them are copied."""

    def __init__(self, classes: AliasClasses, definitions: dict[Value, Statement]) -> None:
        self.classes = classes
        self.definitions = definitions
        self.copied: set[Value] = set()
        """Values that are copied where they are made."""
        self._views: dict[Value, frozenset[int]] = {}

    def class_of(self, ref: Value) -> int:
        """The class of a reference; values that are written without being references (in IR
        that no memory pass has seen) are one class together."""
        return self.classes.get(ref, -1)

    def read(self, statement: Statement) -> frozenset[int]:
        """The classes whose contents the statement itself reads."""
        match statement:
            case Load(ref=ref, out=out):
                number = self.class_of(ref)
                if holds_references(out.type):
                    return frozenset((number,))
                return frozenset(self.classes.within(number))
            case Pop(ref=ref):
                return frozenset((self.class_of(ref),))
            case Op(args=args):
                if isinstance(statement.fn, Function):
                    found = [
                        self.classes.within(self.classes[leaf])
                        for leaf in leaves(args)
                        if leaf in self.classes
                    ]
                    return frozenset().union(*found)
                # Only functions of the shape may be given references; a list's length is written.
                lists = [
                    leaf
                    for leaf in leaves(args)
                    if isinstance(leaf.type, Ref) and not isinstance(leaf.type.target, Array)
                ]
                return frozenset(map(self.class_of, lists))
        return NOTHING

    def views(self, operand: Operand) -> frozenset[int]:
        """The classes whose memory can be seen through the operand."""
        if isinstance(operand, Value):
            if operand in self.copied:
                return NOTHING
            found = self._views.get(operand)
            if found is None:
                found = self._views[operand] = self._find_views(operand)
            return found
        found = NOTHING
        for leaf in leaves(operand):
            found |= self.views(leaf)
        return found

    def _find_views(self, value: Value) -> frozenset[int]:
        if isinstance(value.type, Ref) or is_immutable(value.type):
            return NOTHING
        match self.definitions.get(value):
            case Load(ref=ref, path=path) as load:
                held = target(ref.type)
                number = self.class_of(ref)
                if isinstance(held, List):
                    # Items are never updated in place, and slices of lists are lists of their own.
                    if path:
                        return NOTHING
                    return (
                        frozenset((number,))
                        if holds_references(value.type)
                        else frozenset(self.classes.within(number))
                    )
                if is_element(load) or (isinstance(held, Array) and copies(path)):
                    return NOTHING
                return frozenset(self.classes.within(number))
            case Op(args=args, keywords=keywords) as op:
                if isinstance(op.fn, Function):
                    shared = self.views([*args, *keywords.values()]) if op.fn.shares else NOTHING
                    return self.read(op) | shared
                if is_fresh(op):
                    return NOTHING
                if op.fn is operator.getitem:
                    return self.views(args[0])
                return self.views([*args, *keywords.values()])
            case If(then=then, orelse=orelse, outs=outs):
                k = outs.index(value)
                return self.views(then.results[k]) | self.views(orelse.results[k])
        return NOTHING

    def copy(self, value: Value) -> None:
        """From now on, the value is copied where it is made; or what it shows is."""
        statement = self.definitions.get(value)
        if len(getattr(statement, "outs", (value,))) == 1 and is_copyable(value.type):
            self.copied.add(value)
        elif isinstance(statement, Op):
            for leaf in leaves([*statement.args, *statement.keywords.values()]):
                if self.views(leaf):
                    self.copy(leaf)
        elif isinstance(statement, If):
            for leaf in leaves([*statement.then.results, *statement.orelse.results]):
                if self.views(leaf):
                    self.copy(leaf)
        else:
            self.copied.add(value)
        self._views.clear()


def is_copyable(type: object) -> bool:
    return not isinstance(type, Tuple | Object)
