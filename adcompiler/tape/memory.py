"""Arrays that are written: stores into arrays and views, as new values of one storage.

A tape follows values, and a store changes one under all its names. So an array that is written, or
of which a view was taken, is backed by a `Storage`: a buffer, the node that computed all of it, and
a version. Every array on it remembers its *place* there, in elements: a shape, a start and strides,
which describe any view that NumPy can make.

A store `x[index] = v` makes the next version: the buffer is written, and its node is now a `put`,
of which the adjoint is cleared at that place for the old value and read there for `v`. Whoever
holds an older version notices it on the next use (`settled`) and takes its value from the buffer
and its node from a `strided` read of the storage's node.

The backward sweep needs old values. For an `Array`, the buffer is copied before a store if
something may have saved it (`shared`); where a part of an array that has been written is saved, the
part is copied at once, and the store is spared. The memory of a `Tensor` is written where it is, as
in PyTorch: `detach()` and `from_numpy` share it. A sweep that needs the old value raises then.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from adcompiler import runtime
from adcompiler.errors import DifferentiationError, OverlapError
from adcompiler.rules import linear, rule, zero
from adcompiler.runtime import last_written, masked, unbroadcast
from adcompiler.tape.graph import Node
from adcompiler.tape.modes import MODE
from adcompiler.tape.refusals import user_position


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a dense buffer a view lies; start and strides count elements."""

    shape: tuple[int, ...]
    start: int
    strides: tuple[int, ...]


class Storage:
    """What several arrays share."""

    __slots__ = ("buffer", "node", "version", "shared", "lent", "copies")

    def __init__(self, buffer: np.ndarray, node: Node | None, copies: bool) -> None:
        self.buffer = buffer  # dense: in the order of C or of Fortran
        self.node = node
        self.version = 0
        self.shared = True  # something else may hold the buffer: copy it before it is written
        self.lent = ""  # who else sees its memory, without the tape's knowledge
        self.copies = copies  # whether it may be copied; a tensor's memory is the user's too

    @property
    def order(self) -> str:
        return "C" if self.buffer.flags.c_contiguous else "F"


def place_of(view: np.ndarray, buffer: np.ndarray) -> Place:
    """Where in the buffer a view of it lies."""
    size = buffer.itemsize
    distance = view.__array_interface__["data"][0] - buffer.__array_interface__["data"][0]
    return Place(view.shape, distance // size, tuple(s // size for s in view.strides))


def part(buffer: np.ndarray, place: Place) -> np.ndarray:
    """The view of a dense buffer at a place."""
    if 0 in place.shape:
        return np.empty(place.shape, buffer.dtype)
    size = buffer.itemsize
    flat = buffer if buffer.flags.c_contiguous else buffer.T
    strides = tuple(s * size for s in place.strides)
    return np.ndarray(place.shape, buffer.dtype, flat, place.start * size, strides)


def _dense(a: Any, order: str) -> np.ndarray:
    return np.array(a, order=order, copy=True)


# The operations of memory, with their rules. `order` is the layout that places refer to.


def strided(a, order, place):
    """What lies at a place of an array, as a new array."""
    return part(_dense(a, order), place).copy()


def spread(g, shape, order, place):
    """The adjoint of `strided`: zeros, with `g` added at the place."""
    result = np.zeros(shape, g.dtype, order=order)
    repeated = tuple(k for k, (n, s) in enumerate(zip(place.shape, place.strides, strict=True))
                     if s == 0 and n > 1)  # fmt: skip
    if repeated:  # a broadcast view: many elements of it are one of the buffer
        first = tuple(
            slice(0, 1) if k in repeated else slice(None) for k in range(len(place.shape))
        )
        part(result, place)[first] += np.sum(g, axis=repeated, keepdims=True)
    elif 0 not in place.shape:
        part(result, place)[...] += g
    return result


def put(a, v, order, place, index):
    """A copy of `a` in which `v` was stored at `index` of the view at `place`."""
    result = _dense(a, order)
    part(result, place)[index] = v
    return result


def may_repeat(index: Any) -> bool:
    """Whether an index may name one place twice."""
    if isinstance(index, tuple):
        return any(map(may_repeat, index))
    if index is None or index is Ellipsis or isinstance(index, slice | int | np.integer):
        return False
    return np.asarray(index).dtype != bool


zero(may_repeat)


@linear(strided)
def _strided(g, a, order, place):
    return spread(g, np.shape(a), order, place)


@linear(spread)
def _spread(h, g, shape, order, place):
    return strided(h, order, place)


@rule(put)
def _put(g, a, v, order, place, index):
    a_bar = put(g, 0.0, order, place, index)
    v_bar = strided(g, order, place)[index]
    if may_repeat(index):
        return a_bar, unbroadcast(masked(v_bar, last_written(place.shape, index)), v)
    return a_bar, unbroadcast(v_bar, v)


@_put.forward
def _put_forward(a_dot, v_dot, order, place, index):
    return put(a_dot, v_dot, order, place, index)


# Arrays on a storage. `x` is a `recording.Traced`.


def adopt(x: Any) -> Storage:
    """Give an array a storage, if it has none: from now on it may be viewed and written."""
    if x.memory is None:
        value = x.value
        if not value.flags.forc:
            if not x.copies:
                raise RuntimeError("views of memory with gaps are not followed: take x.clone()")
            x.value = value = value.copy("C")
        x.memory = Storage(value, x.node, x.copies)
        x.place = None
        x.seen = 0
    return x.memory


def link(view: Any, x: Any) -> None:
    """`view` shares the storage of `x`, in whose memory its value lies."""
    storage = adopt(x)
    view.memory = storage
    view.place = storage.buffer  # the place in it is worked out if it is asked for
    view.seen = storage.version


def place_in_storage(x: Any) -> Place:
    """Where an array lies in its storage."""
    if x.place is None:
        return place_of(x.memory.buffer, x.memory.buffer)
    if type(x.place) is np.ndarray:
        if x.value.dtype != x.place.dtype:
            raise DifferentiationError(
                "a part of a complex array that is written",
                reason="places in memory count numbers of one type",
                remedy="write the complex array itself, and take its part (again) afterwards",
                position=user_position(),
            )
        x.place = place_of(x.value, x.place)
    return x.place


def settled(x: Any) -> Any:
    """The value of an array on a storage, as the last store left it; its node is that too."""
    storage = x.memory
    if x.seen != storage.version:
        if x.place is None:
            x.value, x.node = storage.buffer, storage.node
        else:
            place = place_in_storage(x)
            writeable = x.value.flags.writeable
            x.value = part(storage.buffer, place)
            x.value.flags.writeable = writeable
            x.node = _read(storage, place)
        x.seen = storage.version
    return x.value


def _read(storage: Storage, place: Place) -> Node | None:
    from adcompiler.tape.recording import noted

    if storage.node is None:
        return None
    arguments = {"a": storage.buffer, "order": storage.order, "place": place}
    return noted(strided, arguments, {"a": storage.node}, "AsStridedBackward0")


def held(x: Any) -> Any:
    """The value of an array on a storage, for an operation that may save it."""
    value = settled(x)
    storage = x.memory
    if storage.copies:
        if storage.version and x.place is not None and value.size < storage.buffer.size:
            return value.copy()
        storage.shared = True
    return value


def store(x: Any, index: Any, value: Any, node: Node | None) -> None:
    """`x[index] = value`, where the value was computed by a node."""
    from adcompiler.tape.recording import noted

    storage = adopt(x)
    settled(x)
    if not x.value.flags.writeable and x.place is not None:
        raise ValueError("assignment destination is read-only")
    if storage.lent:
        raise OverlapError(
            "a store into an array that shares its memory",
            reason=f"{storage.lent} lies in the same memory, and would not change on the tape",
            remedy="make a copy of one of them",
            position=user_position(),
        )
    place = place_in_storage(x)
    if storage.copies and storage.shared:
        storage.buffer = np.array(storage.buffer, order=storage.order, copy=True)
        storage.shared = False
        x.value = storage.buffer if x.place is None else part(storage.buffer, place)
    if isinstance(value, np.ndarray) and value.base is not None:
        try:
            runtime.refuse_overlap(x.value[index], value)
        except OverlapError as error:
            error.position = user_position()
            raise
    before = storage.buffer
    x.value[index] = value
    if MODE.enabled and (node is not None or storage.node is not None):
        if index is Ellipsis and x.place is None and _is_whole(value, before):
            storage.node = node
        else:
            arguments = {
                "a": before, "v": value, "order": storage.order, "place": place, "index": index,
            }  # fmt: skip
            storage.node = noted(put, arguments, {"a": storage.node, "v": node}, "CopySlices")
    storage.version += 1
    if x.place is None:
        x.node, x.seen = storage.node, storage.version


def _is_whole(value: Any, buffer: np.ndarray) -> bool:
    return (
        isinstance(value, np.ndarray)
        and value.shape == buffer.shape
        and value.dtype == buffer.dtype
    )
