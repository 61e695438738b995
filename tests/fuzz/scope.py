"""What the generator knows of names: their kinds, with concrete shapes, and the draws it makes."""

from collections import Counter
from dataclasses import dataclass


@dataclass(frozen=True)
class Scalar:
    """A float, of Python or of NumPy."""


@dataclass(frozen=True)
class Flag:
    """A bool."""


@dataclass(frozen=True)
class Index:
    """An integer between `low` and `high`, both possible."""

    low: int
    high: int


@dataclass(frozen=True)
class Cycle(Index):
    """An index that may be moved on, modulo `high + 1`."""


@dataclass(frozen=True)
class Indices:
    """An array of integers below `below`."""

    count: int
    below: int


@dataclass(frozen=True)
class Array:
    """A writable float64 array of rank 1 or 2, no axis of which is empty."""

    shape: tuple[int, ...]


@dataclass(frozen=True)
class Complex:
    """A complex number."""


@dataclass(frozen=True)
class ComplexArray:
    """A writable complex128 array of rank 1 or 2."""

    shape: tuple[int, ...]


@dataclass(frozen=True)
class Mask:
    """An array of bools."""

    shape: tuple[int, ...]


@dataclass(frozen=True)
class List:
    """A list of at least `least` items of one kind. `fixed`: it may have a second name."""

    item: object
    least: int
    fixed: bool = False


@dataclass(frozen=True)
class Record:
    """A tuple or dict with items of different kinds: pairs of a key, as text, and a kind.

    A kind may be a number or a string, which is passed as it is.
    """

    fields: tuple[tuple[str, object], ...]

    @property
    def is_tuple(self):
        return self.fields[0][0] == "0"


@dataclass(frozen=True)
class Helper:
    """A function of the program: parameters with kinds, in order, and what it returns."""

    name: str
    parameters: tuple[tuple[str, object], ...]
    defaults: int
    """How many trailing parameters have defaults."""
    result: object
    """A kind, or None."""
    more: tuple[str, ...] = ()
    """Further arguments that a call may have, as texts with gaps for scalars."""


@dataclass(frozen=True)
class Class:
    """A class of the program: what its objects hold, and what can be asked of them."""

    name: str
    form: str
    """`plain`, `derived`, `dataclass`, `frozen` or `named_tuple`."""
    fields: tuple[tuple[str, object], ...]
    methods: tuple[Helper, ...] = ()
    properties: tuple[tuple[str, object], ...] = ()
    operators: tuple[str, ...] = ()

    @property
    def is_mutable(self):
        return self.form not in ("frozen", "named_tuple")

    @property
    def is_tree(self):
        """Whether its objects may be arguments: all that they hold can be listed."""
        parts = [kind.cls for _, kind in self.fields if isinstance(kind, Instance)]
        of_data = self.form in ("dataclass", "frozen", "named_tuple")
        return of_data and all(part.is_tree for part in parts)


@dataclass(frozen=True)
class Instance:
    """An object of a class of the program."""

    cls: Class


class Scope(dict):
    """Kinds by name, in order of appearance; a block works on a copy, so its names stay in it."""

    def child(self):
        return Scope(self)

    def names(self, kind_type, accept=lambda kind: True):
        return [name for name, kind in self.items() if isinstance(kind, kind_type) and accept(kind)]


class Draw:
    """Every random decision, from one source of randomness, and the count of what was chosen."""

    def __init__(self, random):
        self.random = random
        self.counts = Counter()
        self.imports = set()
        """Lines that the program needs beside those of every program."""

    def chance(self, probability):
        return self.random.random() < probability

    def integer(self, low, high):
        return self.random.randint(low, high)

    def pick(self, options):
        return options[self.random.randint(0, len(options) - 1)]

    def number(self, low, high):
        return round(low + (high - low) * self.random.random(), 3)

    def weighted(self, weights):
        """A name, by its weight."""
        return next(self.in_order(weights))

    def in_order(self, weights):
        """All names of `weights` once, the heavy ones sooner: what to try, first to last."""
        left = {name: weight for name, weight in weights.items() if weight > 0}
        while left:
            spot = self.random.random() * sum(left.values())
            chosen = next(iter(left))
            for name, weight in left.items():
                chosen = name
                spot -= weight
                if spot < 0:
                    break
            del left[chosen]
            yield chosen

    def used(self, construct):
        self.counts[construct] += 1
