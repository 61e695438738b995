"""`Tensor`: PyTorch's face of the tape.

A tensor holds a NumPy array and the node that computed it. One that was made with
`requires_grad=True` is a leaf: its node is an `AccumulateGrad`, at which the sweep of `.backward()`
ends and adds to `.grad`. Names, promotion of types, errors and what may be written in place are
those of PyTorch (2.13); derivatives are those of the rulebook, so nothing here is a second rule.
"""

from __future__ import annotations

import operator
import weakref
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from adcompiler.tape import graph, memory, printing
from adcompiler.tape.array import is_basic as _is_basic
from adcompiler.tape.array import taken
from adcompiler.tape.graph import Leaf, Node, Sweep, Watched
from adcompiler.tape.modes import MODE
from adcompiler.tape.recording import (
    Traced,
    apply,
    made,
    ndarray,
    unwrapped,
)

DEFAULT = np.dtype(np.float32)


class AccumulateGrad(Leaf):
    """Where the adjoint of a leaf ends: it is added to the tensor's `.grad`."""

    __slots__ = ("tensor", "hooks")

    def __init__(self, tensor: Tensor) -> None:
        super().__init__()
        self.tensor = weakref.ref(tensor)
        self.hooks: list[Callable] = []

    @property
    def variable(self) -> Tensor | None:
        """The tensor, while somebody holds it."""
        return self.tensor()

    def visit(self, g: Any, sweep: Sweep) -> None:
        for hook in tuple(self.hooks):
            g = hook(g)
        sweep.found.append((self, g))


class Tensor(Traced):
    """A multi-dimensional array with PyTorch's methods. See `tensor`."""

    __slots__ = ("_grad", "_retains", "_quiet", "__weakref__")
    __hash__ = object.__hash__
    __array_priority__ = 1000.0
    wraps_all = True
    copies = False

    def __new__(cls, *data: Any) -> Tensor:
        """`Tensor([1, 2])` has the default dtype; `Tensor(2, 3)` is a shape."""
        if data and all(isinstance(n, int) for n in data):
            return made(cls, np.zeros(data, DEFAULT), None)
        return made(cls, np.array(data[0] if data else [], DEFAULT), None)

    # What it is.

    @property
    def shape(self) -> tuple[int, ...]:
        return self.value.shape

    def size(self, dim: int | None = None) -> Any:
        return self.value.shape if dim is None else self.value.shape[dim]

    @property
    def ndim(self) -> int:
        return self.value.ndim

    def dim(self) -> int:
        return self.value.ndim

    def numel(self) -> int:
        return self.value.size

    nelement = numel

    @property
    def dtype(self) -> np.dtype:
        return self.value.dtype

    def is_floating_point(self) -> bool:
        return self.value.dtype.kind == "f"

    def is_complex(self) -> bool:
        return self.value.dtype.kind == "c"

    @property
    def _version(self) -> int:
        return graph.version_of(self.value)

    def __len__(self) -> int:
        if not self.value.ndim:
            raise TypeError("len() of a 0-d tensor")
        return len(self.value)

    def __bool__(self) -> bool:
        if self.value.size != 1:
            raise RuntimeError(
                f"Boolean value of Tensor with {'no' if not self.value.size else 'more than one'} "
                "value is ambiguous"
            )
        return bool(settled(self))

    def __float__(self) -> float:
        return float(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __index__(self) -> int:
        if self.value.dtype.kind not in "iub" or self.value.size != 1:
            raise TypeError("only integer tensors of a single element can be converted to an index")
        return int(self.item())

    def __iter__(self) -> Iterator[Tensor]:
        if not self.value.ndim:
            raise TypeError("iteration over a 0-d tensor")
        return (self[k] for k in range(len(self.value)))

    def __contains__(self, item: Any) -> bool:
        return bool(np.any(settled(self) == unwrapped(item)))

    def __repr__(self) -> str:
        value, suffixes = settled(self), []
        if value.dtype not in (DEFAULT, np.dtype(np.int64), np.dtype(bool)):
            suffixes.append(f"dtype=tape.{value.dtype}")
        if self.grad_fn is not None:
            suffixes.append(f"grad_fn=<{self.grad_fn.name()}>")
        elif self.requires_grad:
            suffixes.append("requires_grad=True")
        return printing.shown(value, suffixes)

    def __format__(self, form: str) -> str:
        return format(self.item(), form) if not self.value.ndim and form else repr(self)

    def item(self) -> Any:
        """The one number in it."""
        if self.value.size != 1:
            raise RuntimeError(
                f"a Tensor with {self.value.size} elements cannot be converted to Scalar"
            )
        return settled(self).item()

    def tolist(self) -> Any:
        return settled(self).tolist()

    def numpy(self) -> np.ndarray:
        """The array, which shares its memory with the tensor."""
        if self.requires_grad and MODE.enabled:
            raise RuntimeError(
                "Can't call numpy() on Tensor that requires grad. "
                "Use tensor.detach().numpy() instead."
            )
        return settled(self)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        value = self.numpy()
        if dtype is not None and value.dtype != dtype:
            return value.astype(dtype)
        return value.copy() if copy else value

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        if method != "__call__" or kwargs:
            return NotImplemented
        inputs = tuple(x.item() if isinstance(x, np.generic) else x for x in inputs)
        return computed(ufunc, *inputs)

    # What is known of its derivative.

    @property
    def requires_grad(self) -> bool:
        return current_node(self) is not None

    @requires_grad.setter
    def requires_grad(self, required: bool) -> None:
        self.requires_grad_(required)

    def requires_grad_(self, requires_grad: bool = True) -> Tensor:
        """Make it a leaf that needs a gradient, or one that does not."""
        if requires_grad:
            if self.value.dtype.kind == "c":
                raise NotImplementedError("complex leaves: use real and imaginary parts")
            if self.value.dtype.kind != "f":
                raise RuntimeError(
                    "only Tensors of floating point and complex dtype can require gradients"
                )
            if current_node(self) is None:
                self.node = AccumulateGrad(self)
                if self.memory is not None and self.place is None:
                    self.memory.node = self.node
        elif not self.is_leaf:
            raise RuntimeError("you can only change requires_grad flags of leaf variables.")
        else:
            self.node = None
        return self

    @property
    def is_leaf(self) -> bool:
        node = current_node(self)
        return node is None or type(node) is AccumulateGrad

    @property
    def grad_fn(self) -> Node | None:
        """The node of the operation that computed it; None for leaves."""
        return None if self.is_leaf else graph.shown(self.node)

    @property
    def output_nr(self) -> int:
        node = current_node(self)
        return node.saved if type(node) is graph.Pick else 0

    @property
    def grad(self) -> Tensor | None:
        """What `backward` accumulated, for leaves and after `retain_grad`."""
        try:
            return self._grad
        except AttributeError:
            return None

    @grad.setter
    def grad(self, value: Tensor | None) -> None:
        if value is not None:
            if not isinstance(value, Tensor):
                raise TypeError(
                    f"assigned grad expected to be a Tensor or None but got {type(value)}"
                )
            if value.shape != self.shape:
                raise RuntimeError(
                    f"assigned grad has data of a different size: {value.shape}, not {self.shape}"
                )
        self._grad = value

    @grad.deleter
    def grad(self) -> None:
        self._grad = None

    @property
    def retains_grad(self) -> bool:
        return getattr(self, "_retains", False)

    def retain_grad(self) -> None:
        """Keep the gradient of a tensor that is no leaf, too."""
        if not self.requires_grad:
            raise RuntimeError("can't retain_grad on Tensor that has requires_grad=False")
        if self.is_leaf or self.retains_grad:
            return
        self._retains = True
        holder = weakref.ref(self)

        def keep(g: Any) -> Any:
            tensor = holder()
            if tensor is not None:
                tensor._grad = gradient_like(g, tensor)
            return g

        _watch(self, keep, last=True)

    def register_hook(self, hook: Callable) -> RemovableHandle:
        """Call `hook(gradient)` when the gradient is known; what it returns replaces it."""
        if not self.requires_grad:
            raise RuntimeError("cannot register a hook on a tensor that doesn't require gradient")

        def called(g: Any) -> Any:
            answer = hook(_wrapped(g))
            if answer is None:
                return g
            return answer.value if answer.node is None else made_array(answer)

        return RemovableHandle(_watch(self, called), called)

    def detach(self) -> Tensor:
        """The same memory without a derivative. It shares the version: a write into it counts."""
        return made(Tensor, settled(self), None)

    def detach_(self) -> Tensor:
        self.node, self.memory = None, None
        return self

    @property
    def data(self) -> Tensor:
        """The same memory without a derivative. Writes into it are not seen by derivatives."""
        result = made(Tensor, settled(self), None)
        result._quiet = True
        return result

    @data.setter
    def data(self, value: Tensor) -> None:
        self.value, self.memory = unwrapped(value, memory.settled), None

    def backward(
        self,
        gradient: Any = None,
        retain_graph: bool | None = None,
        create_graph: bool = False,
        inputs: Sequence[Tensor] | Tensor | None = None,
    ) -> None:
        """Add the gradient of this tensor to `.grad` of the leaves that it was computed from.

        Parameters
        ----------
        gradient : Tensor, optional
            The adjoint of this tensor, of its shape; a scalar needs none.
        retain_graph : bool, optional
            Keep what was saved, for another call; by default, `create_graph`.
        create_graph : bool
            Record the backward pass itself, for derivatives of higher order.
        inputs : sequence of Tensor, optional
            The only tensors whose `.grad` is to change.

        Raises
        ------
        RuntimeError
            If it has no graph, is no scalar and no gradient is given, if the graph was freed, or if
            a saved value was modified in place.
        """
        from adcompiler.tape.autograd import backward

        backward(self, gradient, retain_graph, create_graph, inputs)

    # Reading and writing.

    def __getitem__(self, index: Any) -> Tensor:
        index = checked_index(index, self.value.ndim)
        if _is_basic(index) and Ellipsis not in (index if type(index) is tuple else (index,)):
            # An element too is a view, where NumPy makes a number of its own.
            index = (*index, Ellipsis) if type(index) is tuple else (index, Ellipsis)
        return taken(self, index)

    def __deepcopy__(self, memo: Any) -> Tensor:
        if not self.is_leaf:
            raise RuntimeError(
                "Only Tensors created explicitly by the user support the deepcopy protocol"
            )
        result = made(Tensor, settled(self).copy(), None)
        return result.requires_grad_(self.requires_grad)


class RemovableHandle:
    """What `register_hook` returns: `remove()` undoes it."""

    def __init__(self, hooks: list, hook: Callable) -> None:
        self.hooks, self.hook = hooks, hook

    def remove(self) -> None:
        if self.hook in self.hooks:
            self.hooks.remove(self.hook)


def settled(x: Tensor) -> np.ndarray:
    """The array of a tensor, as the last write through any of its views left it."""
    return x.value if x.memory is None else memory.settled(x)


def current_node(x: Tensor) -> Node | None:
    """The node of a tensor, as the last write through any of its views left it."""
    if x.memory is not None:
        memory.settled(x)
    return x.node


def made_array(x: Tensor) -> Any:
    from adcompiler.tape.array import Array

    return made(Array, settled(x), x.node)


def _wrapped(g: Any) -> Tensor:
    """An adjoint, plain or recorded, as a tensor."""
    if isinstance(g, Traced):
        return made(Tensor, np.asarray(unwrapped(g)), g.node)
    return made(Tensor, np.asarray(g), None)


def gradient_like(g: Any, like: Tensor) -> Tensor:
    """An adjoint as a tensor with memory of its own, of the precision of the one it belongs to."""
    if isinstance(g, Traced):
        return _wrapped(g)
    dtype = like.value.dtype
    # PyTorch's gradients of complex numbers are the conjugates of the derivatives of the rulebook.
    g = np.conjugate(g) if dtype.kind == "c" else np.real(g)
    return made(Tensor, np.array(g, dtype=dtype).reshape(like.value.shape), None)


def _watch(x: Tensor, hook: Callable, last: bool = False) -> list:
    """Let a function see, and change, the adjoint of a tensor; the list it was put into."""
    node = x.node
    if isinstance(node, AccumulateGrad):
        hooks = node.hooks
    elif node.function is None:
        raise NotImplementedError("one of several results: hook `y * 1` in its place")
    else:
        if type(node.function) is not Watched:
            node.function = Watched(node.function)
        hooks = node.function.hooks
    hooks.append(hook)
    if not last:  # `retain_grad` stores what the hooks made of it
        kept = [h for h in hooks if getattr(h, "__name__", "") == "keep"]
        hooks[:] = [h for h in hooks if h not in kept] + kept
    return hooks


# Carrying out.


def computed(fn: Callable, *args: Any, **kwargs: Any) -> Any:
    """An operation on tensors, by NumPy's function."""
    return boxed(apply(Tensor, fn, args, kwargs))


def boxed(result: Any) -> Any:
    """The result with arrays in place of NumPy's scalars: a reduction of a tensor is a tensor."""
    if type(result) is Tensor:
        if type(result.value) is not ndarray:
            result.value = np.asarray(result.value)
        return result
    if isinstance(result, tuple | list):
        return tuple(map(boxed, result))
    return result


def checked_index(index: Any, rank: int) -> Any:
    if isinstance(index, tuple):
        return tuple(checked_index(item, rank) for item in index)
    if isinstance(index, slice):
        parts = [
            None if p is None else operator.index(p) for p in (index.start, index.stop, index.step)
        ]
        if parts[2] is not None and parts[2] <= 0:
            raise ValueError("step must be greater than zero")
        return slice(*parts)
    if isinstance(index, Tensor):
        if index.value.dtype.kind not in "iub":
            raise IndexError("tensors used as indices must be long, int, byte or bool tensors")
        return settled(index) if index.value.ndim else index.item()
    return index


# Making tensors.


def tensor(data: Any, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor with a copy of the data.

    Parameters
    ----------
    data : number, nested list or array
        Python's floats make float32, its integers int64; arrays keep their dtype.
    dtype : dtype, optional
        Another precision.
    requires_grad : bool
        Make it a leaf that gets a `.grad`.

    Raises
    ------
    RuntimeError
        If integers are to require a gradient.

    Examples
    --------
    >>> x = tensor([1.0, 2.0], requires_grad=True)
    >>> (x * x).sum().backward()
    >>> x.grad
    tensor([2., 4.])
    """
    if isinstance(data, Tensor):
        value = settled(data).copy()
    elif isinstance(data, ndarray | np.generic):
        value = np.array(data)
    else:
        value = np.array(_numbers(data))
        if dtype is None and value.dtype == np.float64:
            value = value.astype(DEFAULT)
        elif dtype is None and value.dtype == np.complex128:
            value = value.astype(np.complex64)
    if dtype is not None:
        value = value.astype(dtype)
    result = made(Tensor, value, None)
    return result.requires_grad_() if requires_grad else result


def _numbers(data: Any) -> Any:
    if isinstance(data, list | tuple):
        return [_numbers(item) for item in data]
    return data.tolist() if isinstance(data, Tensor) else data


def from_numpy(array: np.ndarray) -> Tensor:
    """A tensor that shares its memory with the array."""
    if not isinstance(array, ndarray):
        raise TypeError(f"expected np.ndarray (got {type(array).__name__})")
    return made(Tensor, array, None)


def tensor_method(name: str, function: Callable) -> None:
    """Give `Tensor` a method, under its own name."""

    def method(self: Tensor, *args: Any, **kwargs: Any) -> Any:
        return function(self, *args, **kwargs)

    method.__name__ = name
    method.__qualname__ = f"Tensor.{name}"
    method.__doc__ = function.__doc__
    setattr(Tensor, name, method)
