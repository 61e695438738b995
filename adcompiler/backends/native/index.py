"""Index expressions: what an array holds at an index, without an array (as in Halide and TE).

Three kinds suffice:

* `Held`: an array in memory; its element is a load.
* `Window`: another expression at mapped indices: slices, single indices, new axes, transposes,
  broadcasting, diagonals.
* `Formula`: any computation on the elements of other expressions, such as a sum of two.

`at(writer, index)` writes the statements that compute one element and gives the operand that it is.
A consumer writes its loops around one such call, so that a chain of operations is one nest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from adcompiler.backends.native.loops import ONE, ZERO, Index, Writer, element_type, number
from adcompiler.ir import types as T
from adcompiler.ir.nodes import Operand, Value


@dataclass(slots=True, eq=False)
class Axis:
    """The length of an axis: as an operand, and as an expression if one is known."""

    length: Operand
    dim: T.Dim | None = None

    @property
    def is_unit(self) -> bool:
        return number(self.length) == 1

    def equals(self, other: Axis) -> bool:
        """Whether the two lengths are provably equal."""
        if self.length is other.length or (self.dim is not None and self.dim == other.dim):
            return True
        known = number(self.length)
        return known is not None and known == number(other.length)


UNIT = Axis(ONE, T.as_dim(1))


@dataclass(slots=True, eq=False)
class Held:
    """An array in memory; `number` is its alias class, None if nobody writes it."""

    ref: Value
    axes: list[Axis]
    number: int | None = None
    given: bool = False
    """Whether the caller owns it."""

    @property
    def dtype(self) -> str:
        return T.target(self.ref.type).dtype

    @property
    def cheap(self) -> bool:
        return True

    def at(self, writer: Writer, index: Index) -> Operand:
        return writer.load(self.ref, index, element_type(self.dtype))


@dataclass(slots=True, eq=False)
class Fixed:
    """A single index."""

    index: Operand


@dataclass(slots=True, eq=False)
class Along:
    """Index `offset + step * i`, where `i` is the index along axis `axis` of the window."""

    axis: int
    offset: Operand = ZERO
    step: Operand = ONE


Place = Fixed | Along


@dataclass(slots=True, eq=False)
class Window:
    """`source` seen through a map of indices: one place for each of its axes."""

    source: Expression
    axes: list[Axis]
    places: list[Place]

    @property
    def dtype(self) -> str:
        return self.source.dtype

    @property
    def cheap(self) -> bool:
        return self.source.cheap

    def mapped(self, writer: Writer, index: Index) -> list[Operand]:
        """The index of the source."""
        found = []
        for spot in self.places:
            if isinstance(spot, Fixed):
                found.append(spot.index)
            else:
                moved = writer.times(spot.step, index[spot.axis])
                found.append(writer.plus(moved, spot.offset))
        return found

    def at(self, writer: Writer, index: Index) -> Operand:
        return self.source.at(writer, self.mapped(writer, index))


@dataclass(slots=True, eq=False)
class Formula:
    """`make(writer, index)` computes an element from those of `sources`."""

    axes: list[Axis]
    dtype: str
    make: Callable[[Writer, Index], Operand]
    sources: list[Expression] = field(default_factory=list)
    aligned: bool = False
    """Whether it reads its sources at its own index only, their axes aligned from the right."""
    cheap: bool = False
    """Whether an element costs next to nothing."""

    def at(self, writer: Writer, index: Index) -> Operand:
        return self.make(writer, index)


Expression = Held | Window | Formula


def whole(expression: Expression) -> list[Place]:
    """The places of a window that shows all of an expression."""
    return [Along(k) for k in range(len(expression.axes))]


def at_broadcast(writer: Writer, expression: Expression, index: Index) -> Operand:
    """The element of an expression that is broadcast to a shape of the rank of the index."""
    behind = index[len(index) - len(expression.axes) :]
    own = [ZERO if a.is_unit else i for a, i in zip(expression.axes, behind, strict=True)]
    return expression.at(writer, own)


def broadcast_to(expression: Expression, axes: list[Axis]) -> Expression:
    """The expression with the axes of another; lengths must have been checked."""
    extra = len(axes) - len(expression.axes)
    places: list[Place] = [
        Fixed(ZERO) if axis.is_unit else Along(extra + k) for k, axis in enumerate(expression.axes)
    ]
    return Window(expression, axes, places)


def classes_read(expression: Expression) -> set[int]:
    """The alias classes of memory that the expression reads."""
    match expression:
        case Held(number=number):
            return set() if number is None else {number}
        case Window(source=source):
            return classes_read(source)
        case Formula(sources=sources):
            return set().union(*map(classes_read, sources))
    raise TypeError(type(expression))


def accesses(expression: Expression) -> Iterator[tuple[Held, list[Place] | None]]:
    """Each array that is read, with where; None if that is not an affine map of the index."""
    match expression:
        case Held():
            yield expression, whole(expression)
        case Window(source=source, places=places):
            for held, inner in accesses(source):
                yield held, inner and _composed(inner, places)
        case Formula(sources=sources, aligned=aligned, axes=axes):
            for source in sources:
                extra = len(axes) - len(source.axes)
                for held, inner in accesses(source):
                    if not aligned or inner is None:
                        yield held, None
                        continue
                    moved = [
                        Fixed(ZERO) if source.axes[k].is_unit and not axes[extra + k].is_unit
                        else Along(extra + k)
                        for k in range(len(source.axes))
                    ]  # fmt: skip
                    yield held, _composed(inner, moved)


def _composed(inner: list[Place], outer: list[Place]) -> list[Place] | None:
    """`inner` maps the index of a window to an array's, `outer` another index to the window's."""
    found: list[Place] = []
    for spot in inner:
        if isinstance(spot, Fixed):
            found.append(spot)
            continue
        through = outer[spot.axis]
        offset, step = number(spot.offset), number(spot.step)
        if offset == 0 and step == 1:
            found.append(through)
        elif isinstance(through, Along) and number(through.offset) == 0 and number(
            through.step
        ) == 1:  # fmt: skip
            found.append(Along(through.axis, spot.offset, spot.step))
        else:
            return None
    return found


def is_same(a: list[Place], b: list[Place]) -> bool:
    """Whether each index is mapped to the same element."""
    return len(a) == len(b) and all(map(_same_place, a, b))


def _same_place(a: Place, b: Place) -> bool:
    if isinstance(a, Fixed) and isinstance(b, Fixed):
        return _same_operand(a.index, b.index)
    if isinstance(a, Along) and isinstance(b, Along):
        if a.axis != b.axis:
            return False
        return _same_operand(a.offset, b.offset) and _same_operand(a.step, b.step)
    return False


def _same_operand(a: Operand, b: Operand) -> bool:
    return a is b or (number(a) is not None and number(a) == number(b))


def is_apart(a: list[Place], b: list[Place]) -> bool:
    """Whether no element is in both places: two different single indices on one axis."""
    for x, y in zip(a, b, strict=True):
        if isinstance(x, Fixed) and isinstance(y, Fixed):
            i, j = number(x.index), number(y.index)
            if i is not None and j is not None and i != j and (i < 0) == (j < 0):
                return True
    return False
