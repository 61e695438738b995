"""PyTorch's functions and methods of tensors, as compositions of operations that have rules."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from adcompiler.tape import operators  # noqa: F401  (gives tensors their operators)
from adcompiler.tape.promotion import as_dtype, promoted
from adcompiler.tape.recording import made
from adcompiler.tape.shortcuts import unary
from adcompiler.tape.tensor import DEFAULT, Tensor, boxed, computed, settled, tensor, tensor_method
from adcompiler.tape.writes import in_place_form

# Elementwise.


def _floats(x: Tensor) -> Tensor:
    return x if x.value.dtype.kind in "fc" else as_dtype(x, DEFAULT)


def _elementwise(name: str, ufunc: np.ufunc) -> Callable:
    carry_out = unary(Tensor, ufunc, ufunc)

    def function(input: Tensor) -> Tensor:
        return boxed(carry_out(_floats(input)))

    function.__name__ = name
    function.__doc__ = f"Elementwise, as `numpy.{ufunc.__name__}`."
    return function


_UNARY = {
    "sin": np.sin, "cos": np.cos, "tan": np.tan, "sinh": np.sinh, "cosh": np.cosh,
    "tanh": np.tanh, "exp": np.exp, "exp2": np.exp2, "expm1": np.expm1, "log": np.log,
    "log2": np.log2, "log10": np.log10, "log1p": np.log1p, "sqrt": np.sqrt, "asin": np.arcsin,
    "acos": np.arccos, "atan": np.arctan, "asinh": np.arcsinh, "acosh": np.arccosh,
    "atanh": np.arctanh, "deg2rad": np.deg2rad, "rad2deg": np.rad2deg, "sinc": np.sinc,
}  # fmt: skip

FUNCTIONS: dict[str, Callable] = {}


def _offered(function: Callable) -> Callable:
    """Both a function of the module and a method of tensors."""
    FUNCTIONS[function.__name__] = function
    tensor_method(function.__name__, function)
    return function


for _name, _ufunc in _UNARY.items():
    if isinstance(_ufunc, np.ufunc):
        _offered(_elementwise(_name, _ufunc))


@_offered
def abs(input: Tensor) -> Tensor:
    """Absolute values; the derivative at 0 is 0."""
    return computed(np.absolute, input)


@_offered
def neg(input: Tensor) -> Tensor:
    """The negative."""
    return -input


@_offered
def square(input: Tensor) -> Tensor:
    """The square."""
    return input**2


@_offered
def rsqrt(input: Tensor) -> Tensor:
    """The reciprocal of the square root."""
    return FUNCTIONS["sqrt"](input).reciprocal()


@_offered
def sign(input: Tensor) -> Tensor:
    """Signs; the derivative is 0."""
    return computed(np.sign, input)


@_offered
def floor(input: Tensor) -> Tensor:
    """Rounded down; the derivative is 0."""
    return computed(np.floor, input)


@_offered
def ceil(input: Tensor) -> Tensor:
    """Rounded up; the derivative is 0."""
    return computed(np.ceil, input)


@_offered
def round(input: Tensor) -> Tensor:
    """Rounded; the derivative is 0."""
    return computed(np.round, input)


@_offered
def sigmoid(input: Tensor) -> Tensor:
    """`1 / (1 + exp(-x))`, without overflow: `(1 + tanh(x / 2)) / 2`."""
    return FUNCTIONS["tanh"](_floats(input) * 0.5) * 0.5 + 0.5


@_offered
def relu(input: Tensor) -> Tensor:
    """`max(x, 0)`; the derivative at 0 is 0."""
    return where(input > 0, input, 0)


@_offered
def softplus(input: Tensor) -> Tensor:
    """`log(1 + exp(x))`, without overflow."""
    return computed(np.logaddexp, _floats(input), np.zeros((), input.dtype))


def maximum(input: Any, other: Any) -> Tensor:
    """The larger of two; ties share the gradient evenly."""
    return computed(np.maximum, *promoted(input, other))


def minimum(input: Any, other: Any) -> Tensor:
    """The smaller of two; ties share the gradient evenly."""
    return computed(np.minimum, *promoted(input, other))


def atan2(input: Any, other: Any) -> Tensor:
    """The angle of the point (other, input)."""
    return computed(np.arctan2, *promoted(input, other))


for _function in (maximum, minimum, atan2):
    _offered(_function)


@_offered
def clamp(input: Tensor, min: Any = None, max: Any = None) -> Tensor:
    """Values between bounds; the derivative at a bound is 1."""
    if min is None and max is None:
        raise RuntimeError("torch.clamp: At least one of 'min' or 'max' must not be None")
    return computed(np.clip, input, min, max)


def where(condition: Any, input: Any = None, other: Any = None) -> Any:
    """Elements of `input` where the condition holds, else of `other`."""
    if input is None:
        return tuple(made(Tensor, part, None) for part in np.nonzero(settled(condition)))
    a, b = promoted(input, other)
    dtype = next(x for x in (a, b) if type(x) is Tensor).dtype
    a, b = (x if type(x) is Tensor else np.asarray(x, dtype) for x in (a, b))
    return computed(np.where, condition, a, b)


FUNCTIONS["where"] = where
tensor_method("where", lambda x, condition, other: where(condition, x, other))


# Shapes.


def _axes(sizes: tuple) -> tuple:
    return tuple(sizes[0]) if len(sizes) == 1 and isinstance(sizes[0], tuple | list) else sizes


def _checked(dim: int, rank: int) -> int:
    span = rank if rank else 1
    if not -span <= dim < span:
        raise IndexError(
            f"Dimension out of range (expected to be in range of [{-span}, {span - 1}], "
            f"but got {dim})"
        )
    return dim % span


@_offered
def reshape(input: Tensor, *shape: Any) -> Tensor:
    """The same elements in another shape."""
    try:
        return computed(np.reshape, input, tuple(map(int, _axes(shape))))
    except ValueError as error:
        raise RuntimeError(str(error)) from None


tensor_method("view", reshape)


@_offered
def flatten(input: Tensor, start_dim: int = 0, end_dim: int = -1) -> Tensor:
    """Some axes as one."""
    shape = input.shape or (1,)
    start, end = _checked(start_dim, len(shape)), _checked(end_dim, len(shape))
    middle = math.prod(shape[start : end + 1])
    return reshape(input, (*shape[:start], middle, *shape[end + 1 :]))


@_offered
def transpose(input: Tensor, dim0: int, dim1: int) -> Tensor:
    """Two axes exchanged; a view."""
    rank = input.ndim
    return computed(np.swapaxes, input, _checked(dim0, rank), _checked(dim1, rank))


@_offered
def permute(input: Tensor, *dims: Any) -> Tensor:
    """The axes in another order; a view."""
    return computed(np.transpose, input, _axes(dims))


@_offered
def t(input: Tensor) -> Tensor:
    """The transpose of a matrix."""
    if input.ndim > 2:
        raise RuntimeError("t() expects a tensor with <= 2 dimensions")
    return computed(np.transpose, input)


Tensor.T = property(lambda self: computed(np.transpose, self))  # type: ignore[attr-defined]
Tensor.mT = property(  # type: ignore[attr-defined]
    lambda self: computed(np.swapaxes, self, -1, -2)
)


@_offered
def squeeze(input: Tensor, dim: Any = None) -> Tensor:
    """Without axes of length 1; a view."""
    if dim is None:
        return computed(np.squeeze, input)
    dims = [_checked(d, input.ndim) for d in (dim if isinstance(dim, tuple | list) else (dim,))]
    return computed(np.squeeze, input, axis=tuple(d for d in dims if input.shape[d] == 1))


@_offered
def unsqueeze(input: Tensor, dim: int) -> Tensor:
    """With an axis of length 1 more; a view."""
    return computed(np.expand_dims, input, _checked(dim, input.ndim + 1))


def _expand(input: Tensor, *sizes: Any) -> Tensor:
    sizes = _axes(sizes)
    lead = len(sizes) - input.ndim
    shape = tuple(input.shape[k - lead] if n == -1 else n for k, n in enumerate(sizes))
    return computed(np.broadcast_to, input, shape)


tensor_method("expand", _expand)
tensor_method("expand_as", lambda x, other: _expand(x, *other.shape))
tensor_method("view_as", lambda x, other: reshape(x, other.shape))
tensor_method("reshape_as", lambda x, other: reshape(x, other.shape))
tensor_method("contiguous", lambda x: x if x.value.flags.c_contiguous else clone(x))


def cat(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """Tensors joined along an axis."""
    return computed(np.concatenate, list(promoted(*tensors)), _checked(dim, tensors[0].ndim))


def stack(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """Tensors joined along a new axis."""
    return computed(np.stack, list(promoted(*tensors)), _checked(dim, tensors[0].ndim + 1))


@_offered
def flip(input: Tensor, *dims: Any) -> Tensor:
    """Axes reversed; a copy."""
    return clone(computed(np.flip, input, _axes(dims)))


@_offered
def clone(input: Tensor) -> Tensor:
    """A copy, with a derivative."""
    return computed(np.copy, input)


@_offered
def tril(input: Tensor, diagonal: int = 0) -> Tensor:
    """The lower triangle."""
    return computed(np.tril, input, diagonal)


@_offered
def triu(input: Tensor, diagonal: int = 0) -> Tensor:
    """The upper triangle."""
    return computed(np.triu, input, diagonal)


@_offered
def diag(input: Tensor, diagonal: int = 0) -> Tensor:
    """The diagonal of a matrix, or the matrix of a diagonal."""
    return clone(computed(np.diag, input, diagonal))


@_offered
def index_select(input: Tensor, dim: int, index: Tensor) -> Tensor:
    """Slices at indices along an axis."""
    return computed(np.take, input, settled(index), _checked(dim, input.ndim))


@_offered
def gather(input: Tensor, dim: int, index: Tensor) -> Tensor:
    """One element along an axis for each index."""
    places = list(np.ogrid[tuple(map(slice, index.shape))])
    places[_checked(dim, input.ndim)] = settled(index)
    return input[tuple(places)]


def _to(input: Tensor, dtype: Any) -> Tensor:
    dtype = dtype.dtype if isinstance(dtype, Tensor) else np.dtype(dtype)
    return input if input.dtype == dtype else computed(np.ndarray.astype, input, dtype)


tensor_method("to", _to)
tensor_method("type_as", lambda x, other: _to(x, other.dtype))
for _name, _dtype in {
    "float": np.float32, "double": np.float64, "long": np.int64, "int": np.int32, "bool": np.bool_
}.items():  # fmt: skip
    tensor_method(_name, lambda x, dtype=_dtype: _to(x, dtype))


# Reductions.


def _dims(dim: Any, rank: int) -> Any:
    if dim is None:
        return None
    if isinstance(dim, tuple | list):
        return tuple(_checked(d, rank) for d in dim) if len(dim) else None
    return _checked(dim, rank) if rank else None


@_offered
def sum(input: Tensor, dim: Any = None, keepdim: bool = False) -> Tensor:
    """The sum over all axes, or over some."""
    dim = _dims(dim, input.ndim)
    if dim is None and not keepdim:
        return computed(np.sum, input)
    return computed(np.sum, input, axis=dim, keepdims=keepdim)


@_offered
def mean(input: Tensor, dim: Any = None, keepdim: bool = False) -> Tensor:
    """The mean over all axes, or over some; of floats only."""
    if input.dtype.kind not in "fc":
        raise RuntimeError(
            "mean(): could not infer output dtype. Input dtype must be either a floating point or "
            f"complex dtype. Got: {input.dtype}"
        )
    return computed(np.mean, input, axis=_dims(dim, input.ndim), keepdims=keepdim)


@_offered
def prod(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """The product over all axes, or over one; exact where factors are 0."""
    return computed(np.prod, input, axis=_dims(dim, input.ndim), keepdims=keepdim)


def _extreme(
    input: Tensor, dim: int | None, keepdim: bool, fn: Callable, position: Callable
) -> Any:
    """Over all: ties share evenly. Over one axis: the first, and its position."""
    if dim is None:
        return computed(fn, input)
    axis = _checked(dim, input.ndim)
    where_ = np.expand_dims(position(settled(input), axis), axis)
    values = computed(np.take_along_axis, input, where_, axis)
    indices = made(Tensor, where_, None)
    if keepdim:
        return values, indices
    return squeeze(values, axis), squeeze(indices, axis)


@_offered
def max(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Any:
    """The largest element; with `dim`, the pair of values and positions."""
    return _extreme(input, dim, keepdim, np.max, np.argmax)


@_offered
def min(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Any:
    """The smallest element; with `dim`, the pair of values and positions."""
    return _extreme(input, dim, keepdim, np.min, np.argmin)


@_offered
def amax(input: Tensor, dim: Any = None, keepdim: bool = False) -> Tensor:
    """The largest elements; ties share evenly."""
    return computed(np.max, input, axis=_dims(dim, input.ndim), keepdims=keepdim)


@_offered
def amin(input: Tensor, dim: Any = None, keepdim: bool = False) -> Tensor:
    """The smallest elements; ties share evenly."""
    return computed(np.min, input, axis=_dims(dim, input.ndim), keepdims=keepdim)


@_offered
def argmax(input: Tensor, dim: int | None = None) -> Tensor:
    """The position of the largest element."""
    return computed(np.argmax, input, dim)


@_offered
def argmin(input: Tensor, dim: int | None = None) -> Tensor:
    """The position of the smallest element."""
    return computed(np.argmin, input, dim)


@_offered
def var(input: Tensor, dim: Any = None, correction: int = 1, keepdim: bool = False) -> Tensor:
    """The variance, with `n - correction` in the denominator."""
    return computed(
        np.var, input, axis=_dims(dim, input.ndim), ddof=correction, keepdims=keepdim
    )  # fmt: skip


@_offered
def std(input: Tensor, dim: Any = None, correction: int = 1, keepdim: bool = False) -> Tensor:
    """The standard deviation; its derivative is 0 where all are equal."""
    return computed(
        np.std, input, axis=_dims(dim, input.ndim), ddof=correction, keepdims=keepdim
    )  # fmt: skip


@_offered
def norm(input: Tensor, p: Any = 2, dim: Any = None, keepdim: bool = False) -> Tensor:
    """The length of a vector; of all elements if no axis is given."""
    order = None if p in (2, "fro") else p
    if dim is None:
        input, dim = reshape(input, (-1,)), 0
    return computed(np.linalg.norm, input, order, axis=_dims(dim, input.ndim), keepdims=keepdim)


@_offered
def cumsum(input: Tensor, dim: int) -> Tensor:
    """Running sums along an axis."""
    return computed(np.cumsum, input, axis=_checked(dim, input.ndim))


@_offered
def cumprod(input: Tensor, dim: int) -> Tensor:
    """Running products along an axis; exact where factors are 0."""
    return computed(np.cumprod, input, axis=_checked(dim, input.ndim))


@_offered
def logsumexp(input: Tensor, dim: Any, keepdim: bool = False) -> Tensor:
    """`log(sum(exp(x)))`, without overflow."""
    axis = _dims(dim, input.ndim)
    high = np.max(settled(input), axis=axis, keepdims=True)
    high = np.where(np.isfinite(high), high, 0).astype(input.dtype)
    total = FUNCTIONS["log"](sum(FUNCTIONS["exp"](input - high), dim, True)) + high
    return total if keepdim else squeeze(total, axis)


@_offered
def softmax(input: Tensor, dim: int) -> Tensor:
    """`exp(x) / sum(exp(x))`, without overflow."""
    high = np.max(settled(input), axis=_checked(dim, input.ndim), keepdims=True)
    e = FUNCTIONS["exp"](input - high)
    return e / sum(e, dim, True)


@_offered
def log_softmax(input: Tensor, dim: int) -> Tensor:
    """`x - logsumexp(x)`."""
    return input - logsumexp(input, dim, True)


@_offered
def all(input: Tensor, dim: int | None = None) -> Tensor:
    """Whether all are true."""
    return computed(np.all, input, dim)


@_offered
def any(input: Tensor, dim: int | None = None) -> Tensor:
    """Whether one is true."""
    return computed(np.any, input, dim)


# Products.


@_offered
def matmul(input: Any, other: Any) -> Tensor:
    """The matrix product."""
    if isinstance(input, np.ndarray):
        input = tensor(input)
    if isinstance(other, np.ndarray):
        other = tensor(other)
    if input.dtype != other.dtype:
        raise RuntimeError(
            f"expected m1 and m2 to have the same dtype, but got: {input.dtype} != {other.dtype}"
        )
    try:
        return computed(np.matmul, input, other)
    except ValueError as error:
        raise RuntimeError(f"mat1 and mat2 shapes cannot be multiplied: {error}") from None


tensor_method("__matmul__", matmul)
tensor_method("__rmatmul__", lambda x, y: matmul(y, x))


@_offered
def mm(input: Tensor, mat2: Tensor) -> Tensor:
    """The product of two matrices."""
    if input.ndim != 2 or mat2.ndim != 2:
        raise RuntimeError("mat1 and mat2 must be matrices")
    return matmul(input, mat2)


@_offered
def mv(input: Tensor, vec: Tensor) -> Tensor:
    """A matrix times a vector."""
    return matmul(input, vec)


@_offered
def dot(input: Tensor, tensor: Tensor) -> Tensor:
    """The inner product of two vectors."""
    if input.ndim != 1 or tensor.ndim != 1:
        raise RuntimeError("1D tensors expected, but got others")
    return matmul(input, tensor)


@_offered
def outer(input: Tensor, vec2: Tensor) -> Tensor:
    """All products of two vectors."""
    return computed(np.outer, *promoted(input, vec2))


def einsum(equation: str, *operands: Tensor) -> Tensor:
    """Sums of products of elements, by Einstein's convention."""
    return computed(np.einsum, equation, *promoted(*operands))


for _name in ("sin", "cos", "tan", "tanh", "exp", "log", "sqrt", "sigmoid", "relu", "abs", "neg",
              "square", "clamp", "reciprocal"):  # fmt: skip
    if _name == "reciprocal":
        FUNCTIONS[_name] = Tensor.reciprocal  # type: ignore[attr-defined]
    tensor_method(f"{_name}_", in_place_form(FUNCTIONS[_name]))

for _name in ("add", "sub", "mul", "div", "pow"):
    FUNCTIONS[_name] = getattr(Tensor, _name)
FUNCTIONS |= {"cat": cat, "stack": stack, "einsum": einsum}


# Creation.


def _filled(make: Callable) -> Callable:
    def function(*size: Any, dtype: Any = None, requires_grad: bool = False) -> Tensor:
        result = made(Tensor, make(_axes(size), dtype or DEFAULT), None)
        return result.requires_grad_() if requires_grad else result

    function.__name__ = make.__name__
    function.__doc__ = f"A new tensor, as `numpy.{make.__name__}`."
    return function


zeros, ones, empty = map(_filled, (np.zeros, np.ones, np.empty))


def _like(make: Callable) -> Callable:
    def function(input: Tensor, dtype: Any = None, requires_grad: bool = False) -> Tensor:
        result = made(Tensor, make(settled(input), dtype=dtype or input.dtype), None)
        return result.requires_grad_() if requires_grad else result

    function.__name__ = make.__name__
    function.__doc__ = f"A new tensor like another, as `numpy.{make.__name__}`."
    return function


zeros_like, ones_like, empty_like = map(_like, (np.zeros_like, np.ones_like, np.empty_like))


def full(size: Any, fill_value: Any, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor of that shape with one value everywhere."""
    return tensor(np.full(size, fill_value, dtype or tensor(fill_value).dtype),
                  requires_grad=requires_grad)  # fmt: skip


def full_like(input: Tensor, fill_value: Any, dtype: Any = None) -> Tensor:
    """A tensor of the shape of another with one value everywhere."""
    return full(input.shape, fill_value, dtype or input.dtype)


def eye(n: int, m: int | None = None, dtype: Any = None) -> Tensor:
    """The unit matrix."""
    return made(Tensor, np.eye(n, m, dtype=dtype or DEFAULT), None)


def arange(*bounds: Any, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """Numbers in steps: `arange(end)`, `arange(start, end, step)`."""
    value = np.arange(*bounds)
    if dtype is None and value.dtype.kind == "f":
        dtype = DEFAULT
    return tensor(value, dtype=dtype, requires_grad=requires_grad)


def linspace(start: float, end: float, steps: int, dtype: Any = None) -> Tensor:
    """Numbers at equal distances, both ends included."""
    return made(Tensor, np.linspace(start, end, steps, dtype=dtype or DEFAULT), None)


class _Generator:
    """The numbers behind `rand` and `randn`. They are NumPy's, not PyTorch's."""

    numbers = np.random.default_rng(0)


def manual_seed(seed: int) -> None:
    """Begin a reproducible sequence of random numbers."""
    _Generator.numbers = np.random.default_rng(seed)


def rand(*size: Any, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """Random numbers between 0 and 1."""
    value = _Generator.numbers.random(_axes(size)).astype(dtype or DEFAULT)
    return tensor(value, requires_grad=requires_grad)


def randn(*size: Any, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """Random numbers with mean 0 and variance 1."""
    value = _Generator.numbers.standard_normal(_axes(size))
    return tensor(np.asarray(value, dtype or DEFAULT), requires_grad=requires_grad)


def is_tensor(value: Any) -> bool:
    """Whether it is a tensor."""
    return type(value) is Tensor


CREATION = {
    f.__name__: f
    for f in (zeros, ones, empty, zeros_like, ones_like, empty_like, full, full_like, eye, arange,
              linspace, manual_seed, rand, randn, is_tensor)
}  # fmt: skip
