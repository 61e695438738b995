"""One call of a NumPy function, as a tape sees it.

The function is called with `Array`s in the place of its arguments. Those that are differentiated
have a `Leaf` each; the others are wrapped too, so that what the function stores in them is seen and
does not change what the caller holds.
"""

from __future__ import annotations

import contextlib
import functools
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import FunctionType
from typing import Any

import numpy as np

from adcompiler.errors import DifferentiationError
from adcompiler.rules import book
from adcompiler.runtime import cast
from adcompiler.tape import graph, listing, memory
from adcompiler.tape.array import Array
from adcompiler.tape.graph import Entry, Leaf, Node, Pick, Sweep
from adcompiler.tape.higher_order import RecordedSweep
from adcompiler.tape.modes import MODE
from adcompiler.tape.recording import apply, first_traced, made, nodes_of, unwrapped
from adcompiler.tape.refusals import LAST, refused
from adcompiler.tape.structures import is_complex, is_float, leaves_of, rebuilt


class _Depth(threading.local):
    depth = 0


INSIDE = _Depth()


@dataclass(eq=False)
class Recording:
    """One call of a function, as a tape saw it.

    Attributes
    ----------
    value
        The result of the function, in plain numbers and arrays.
    arguments : list
        The structures that were asked to be differentiated, with a `Leaf` (or `Entry`) or None for
        each value in them.
    """

    value: Any
    arguments: list
    results: list
    """The values in the result that are floats, as arrays of the tape."""
    given: list
    fun: Callable
    places: list
    """Which arguments those in `arguments` are: positions, and names."""

    @property
    def root(self) -> Node | None:
        """The node that computed the result; the first with one if there are several."""
        nodes = [x.node for x in self.results if type(x) is Array and x.node is not None]
        return graph.shown(nodes[0]) if nodes else None

    @property
    def nodes(self) -> list[Node]:
        """The recorded operations that the result depends on, the last first."""
        roots = [x.node for x in self.results if type(x) is Array]
        kinds = (Leaf, Entry, Pick)
        return [n for n in graph.nodes_from(roots) if not isinstance(n, kinds)]

    @property
    def saved(self) -> list[np.ndarray]:
        """The arrays that are kept for the backward sweep; what several nodes keep counts once."""
        found: dict[int, np.ndarray] = {}
        for node in self.nodes:
            for value in node.saved_values():
                if isinstance(value, np.ndarray):
                    found[id(value)] = value
        return list(found.values())

    @property
    def titles(self) -> list[str]:
        """The names of the arguments that are differentiated."""
        return listing.titles(self.fun, self.places)

    def listing(self, most: int = 40) -> str:
        """The graph as text: a line for each operation, with what it keeps.

        Parameters
        ----------
        most : int
            How many lines at most; of longer graphs, the first and the last.
        """
        return listing.listing(self, most)

    def backward(self, cotangents: Any = None, retain: bool = True) -> list:
        """The adjoints of the arguments, in their structures.

        Parameters
        ----------
        cotangents : list, optional
            One adjoint (or None) for each of `results`; by default 1 for each.
        retain : bool
            Keep what was saved, for another call.
        """
        nested = INSIDE.depth > 0
        roots = []
        for k, x in enumerate(self.results):
            g = np.ones_like(x.value)[()] if cotangents is None else cotangents[k]
            if type(x) is Array and x.node is not None and g is not None:
                roots.append((x.node, g))
        wanted = [leaf for tree in self.arguments for leaf in leaves_of(tree)]
        ends = {leaf for leaf in wanted if leaf is not None}
        if nested:
            found = dict(RecordedSweep(retain=True, ends=ends).run(roots))
        elif all(type(leaf) is Leaf for leaf in ends):
            found = dict(Sweep(retain=retain).run(roots))
        else:
            found = dict(Sweep(retain=retain, ends=ends).run(roots))
        seen: set[int] = set()
        return [
            _adjoints(tree, given, found, seen)
            for tree, given in zip(self.arguments, self.given, strict=True)
        ]


def _adjoints(leaves: Any, given: Any, found: dict, seen: set[int]) -> Any:
    values = iter(leaves_of(given))

    def one(leaf: Any) -> Any:
        like = next(values)
        return None if leaf is None else _adjoint(found.get(leaf), like, seen)

    return rebuilt(leaves, one)


def _adjoint(g: Any, like: Any, seen: set[int]) -> Any:
    """An adjoint of the kind of its argument, in memory of its own."""
    if type(like) is Array:
        like = like.value
    if type(g) is Array:
        return np.real(g) if is_complex(g) else g
    if isinstance(g, np.ndarray | np.generic | complex):
        g = cast(g, like)
    if isinstance(like, np.ndarray):
        if g is None:
            return np.zeros(like.shape, like.dtype)
        own = type(g) is np.ndarray and g.base is None and g.flags.writeable and id(g) not in seen
        result = g if own and g.dtype == like.dtype else np.array(g, dtype=like.dtype)
        seen.add(id(result))
        return result
    if type(like) is float:
        return 0.0 if g is None else float(g)
    return type(like)(0 if g is None else g)


def record(
    fun: Callable,
    *args: Any,
    argnums: int | tuple[int, ...] = 0,
    argnames: tuple[str, ...] = (),
    **kwargs: Any,
) -> Recording:
    """Call a function and keep what the tape saw.

    Parameters
    ----------
    fun : callable
        A function in NumPy and Python.
    *args, **kwargs
        Its arguments.
    argnums : int or tuple of int
        The arguments to differentiate.
    argnames : tuple of str
        Those given by name.

    Returns
    -------
    Recording
        `len(recording.nodes)` operations, `recording.saved` arrays, `recording.backward()`.
    """
    numbers = argnums if isinstance(argnums, tuple) else (argnums,)
    places: list[Any] = [*(n % len(args) if args else n for n in numbers), *argnames]
    arguments: dict[Any, Any] = {**dict(enumerate(args)), **kwargs}
    storages: list[tuple[Any, np.ndarray]] = []
    structures: dict[Any, Any] = {}
    passed: dict[Any, Any] = {}
    for place, value in arguments.items():
        active = place in places
        leaves: list = []
        passed[place] = rebuilt(value, functools.partial(_entered, active, leaves, storages))
        if active:
            own = iter(leaves)
            structures[place] = rebuilt(value, functools.partial(_next, own))
    _mark_overlaps(storages)
    positional = [passed[k] for k in range(len(args))]
    if INSIDE.depth == 0:
        LAST.error = None
    INSIDE.depth += 1
    try:
        with _rules_of_users():
            out = fun(*positional, **{name: passed[name] for name in kwargs})
    except ValueError:
        if LAST.error is not None:
            raise LAST.error from None
        raise
    finally:
        INSIDE.depth -= 1
    if LAST.error is not None:
        raise LAST.error
    floats: list = []

    def plain(value: Any) -> Any:
        if type(value) is Array and value.memory is not None:
            memory.settled(value)
        if is_float(value) or is_complex(value):
            floats.append(value)
        if type(value) is Array and INSIDE.depth == 0:
            return unwrapped(value)
        return value

    value = rebuilt(out, plain)
    return Recording(
        value,
        [structures[place] for place in places],
        floats,
        [arguments[place] for place in places],
        fun,
        places,
    )


def _next(values: Iterator, _: Any) -> Any:
    return next(values)


def _entered(active: bool, leaves: list, storages: list, value: Any) -> Any:
    """An argument as the function gets it; appends its leaf, or None."""
    outer = value if type(value) is Array else None
    if outer is not None:
        plain = unwrapped(outer)
        node: Node | None = outer.node
        if active and is_float(plain):
            node = Leaf() if node is None else Entry(node)
            leaves.append(node)
        elif active:
            leaves.append(None)
        return made(Array, plain, node)
    if isinstance(value, np.ndarray) and type(value) is not np.ndarray:
        raise DifferentiationError(
            f"a {type(value).__name__} as an argument",
            reason="it has rules of its own",
            remedy="pass np.asarray(x)",
        )
    if isinstance(value, np.ndarray) and value.dtype.kind in "fc":
        node = Leaf() if active and value.dtype.kind == "f" else None
        if active:
            leaves.append(node)
        dense = value if value.flags.forc else value.copy("C")  # else its views are not followed
        result = made(Array, dense, node)
        storages.append((result, value))
        return result
    if active and isinstance(value, float | np.floating):
        node = Leaf()
        leaves.append(node)
        return made(Array, value, node)
    if active:
        leaves.append(None)
    return value.copy() if isinstance(value, np.ndarray) else value


def _mark_overlaps(storages: list) -> None:
    """Arrays that share memory with another argument must not be written: they are two here."""
    for k, (x, value) in enumerate(storages):
        for y, other in storages[:k]:
            if np.may_share_memory(value, other):
                for one in (x, y):
                    memory.adopt(one).lent = "another argument"


# Rules for functions in Python: the tape would record what is inside of them.


def call(fn: Callable, *args: Any, **kwargs: Any) -> Any:
    """`fn(*args, **kwargs)` as one operation, by the rule that was registered for `fn`.

    NumPy hands its own functions to the tape. A function in Python runs as it is, and the tape
    records the operations inside of it; if it has a rule, say so with this.
    """
    if first_traced(args) is None and first_traced(kwargs) is None:
        return fn(*args, **kwargs)
    return apply(Array, fn, args, kwargs)


@functools.lru_cache(maxsize=1)
def _codes_with_rules(version: int, count: int) -> frozenset:
    """The code of functions in Python, of users, that have rules."""
    return frozenset(
        key.__code__
        for key in list(book.BOOK)
        if type(key) is FunctionType and not key.__module__.startswith(("adcompiler.", "numpy"))
    )


@contextlib.contextmanager
def _rules_of_users() -> Iterator[None]:
    """Inside, a function in Python that has a rule is refused if it is called with active arrays.

    Otherwise its rule, which may be another derivative than that of its code, would be ignored.
    """
    codes = _codes_with_rules(book.VERSION, len(book.BOOK))
    before = sys.getprofile()
    if not codes:
        yield
        return

    def watch(frame: Any, event: str, arg: Any) -> None:
        if event == "call" and frame.f_code in codes and MODE.enabled:
            if nodes_of(list(frame.f_locals.values())) is not None:
                name = frame.f_code.co_name
                raise refused(
                    f"a call of `{name}`, which has a derivative rule",
                    "a tape sees what happens inside of a function in Python, not the call",
                    f"write `tape.call({name}, ...)`",
                    frame.f_back,
                )
        if before is not None:
            before(frame, event, arg)

    sys.setprofile(watch)
    try:
        yield
    finally:
        sys.setprofile(before)
