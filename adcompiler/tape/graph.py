"""The graph of what was computed, and the sweep through it that computes adjoints.

One `Node` stands for one operation on values that need an adjoint. It holds

* `function`: the slice of a rule (see `rules.slicing`), called as `function(g, *saved)`;
* `saved`: what the slice reads, as arrays, numbers and `Meta` (a shape and a precision). One value
  stands for itself, any other number of them is a tuple;
* `next` and `other`: the nodes that the adjoints go on to. One adjoint goes to `next`; two go to
  `next` and `other`; for any other number, and where an adjoint is a list, `next` is a tuple of
  nodes, lists of nodes and None, like the answer of the function;
* `order`: a number that falls with every node made, in all threads. A node is younger than all
  nodes that it leads to, so a heap of these numbers visits nodes in topological order: each when
  everything that used it has been visited. No pass that counts dependents is needed, and a chain of
  100,000 nodes needs no recursion.

Nodes do not point at the tensors that were computed, so there are no cycles: a graph goes when the
last tensor that leads into it goes. At 100,000 operations, Python's collector of cycles is what
makes a tape slow, so a node with one or two inputs is one object: no dict, no closure, no tuple of
edges. (A tuple that holds only arrays is no longer followed after the collector has seen it once.)

An operation with several results has one `Bundle` and, for each result that is used, a `Pick`
before it, which puts the adjoint of that result into its place.

A value that is written in place after it was saved is wrong for the adjoint. `WRITTEN` knows for
each buffer that was ever written when that was last, in terms of `order`; a node that is older than
the last write into something that it saved raises. So nothing is paid by operations, and by the
sweep only where something was written at all.
"""

from __future__ import annotations

import itertools
import operator
import weakref
from collections.abc import Callable, Iterable
from heapq import heapify, heappop, heappush
from typing import Any

import numpy as np

from adcompiler.rules import book
from adcompiler.rules.slicing import sliced
from adcompiler.runtime import add_at

next_order = itertools.count(-1, -1).__next__
_next_leaf = itertools.count(1).__next__


class Freed:
    """Stands in the place of saved values that were freed."""

    def __repr__(self) -> str:
        return "<freed>"


FREED = Freed()


class Meta:
    """What has the shape and precision of an array, for rules that read no more of it."""

    __slots__ = ("shape", "dtype")

    def __init__(self, shape: tuple[int, ...], dtype: np.dtype) -> None:
        self.shape = shape
        self.dtype = dtype

    @property
    def ndim(self) -> int:
        return len(self.shape)

    def __len__(self) -> int:
        return self.shape[0]

    def __repr__(self) -> str:
        return f"Meta({self.shape}, {self.dtype})"


def meta_of(value: Any) -> Any:
    """What can stand for a value that is read as a shape: without its memory, if it has any.

    Numbers stand for themselves, lists and tuples for what is in them.
    """
    if isinstance(value, np.ndarray | np.generic):
        return Meta(value.shape, value.dtype)
    if type(value) in (list, tuple):
        return type(value)([meta_of(item) for item in value])
    return value


class Node:
    """One recorded operation. `type(node).__name__` is what PyTorch calls it."""

    __slots__ = ("function", "saved", "next", "other", "order")
    function: Callable | None
    saved: Any
    next: Any
    other: Node | None
    order: int

    def name(self) -> str:
        return type(self).__name__

    @property
    def next_functions(self) -> tuple[tuple[Node | None, int], ...]:
        """The nodes that adjoints go on to, each with the number of the result it stands for."""
        edges = self.edges()
        part = getattr(self.function, "slice", None)
        # Of a sum or a product, the operands that are constant have an edge that leads nowhere.
        constants = self.name().partition("Backward")[0] not in ("Pow", "Rsub")
        if part is not None and constants and part.rule.inputs == ("x", "y"):
            found = dict(zip(part.wanted, edges, strict=True))
            edges = [found.get(name) for name in part.rule.inputs]
        return tuple(map(_edge, edges))

    def edges(self) -> list[Node | None]:
        """The nodes that adjoints go on to, in one list."""
        if self.other is not None:
            return [self.next, self.other]
        return list(_flat(self.next)) if self.next is not None else []

    def saved_values(self) -> list:
        """The arrays and numbers that are kept for the backward sweep.

        Raises RuntimeError if they were freed.
        """
        if self.saved is FREED:
            raise RuntimeError(BACKWARD_TWICE)
        values = self.saved if type(self.saved) is tuple else (self.saved,)
        return [v for v in _flat(list(values)) if isinstance(v, np.ndarray | np.generic | float)]

    def visit(self, g: Any, sweep: Sweep) -> None:
        """What the sweep does at a node that has no function of its own."""
        raise NotImplementedError


class Leaf(Node):
    """Where an adjoint ends: it is what was asked for."""

    __slots__ = ("__weakref__",)

    def __init__(self) -> None:
        self.function, self.saved, self.next, self.other = None, (), None, None
        self.order = _next_leaf()

    def visit(self, g: Any, sweep: Sweep) -> None:
        sweep.found.append((self, g))


class Entry(Node):
    """Where a gradient inside a gradient begins: the identity, beyond which the outer graph lies.

    The sweep of the inner gradient ends here, and that of the outer one goes on.
    """

    __slots__ = ()

    def __init__(self, outer: Node) -> None:
        self.function, self.saved, self.next, self.other = identity, (), outer, None
        self.order = next_order()


def identity(g: Any) -> Any:
    return g


class Watched:
    """The function of a node that shows its adjoint to somebody first, who may change it."""

    __slots__ = ("function", "hooks")

    def __init__(self, function: Callable) -> None:
        self.function = function
        self.hooks: list[Callable] = []

    def __call__(self, g: Any, *saved: Any) -> Any:
        return self.function(self.shown(g), *saved)

    def shown(self, g: Any) -> Any:
        for hook in tuple(self.hooks):
            g = hook(g)
        return g


class Bundle(Node):
    """An operation with several results: its adjoints arrive one by one, from a `Pick` each."""

    __slots__ = ("pull", "results")
    pull: Callable
    results: tuple
    """What has the shapes of the results: those that get no adjoint get zeros."""

    def visit(self, g: Any, sweep: Sweep) -> None:
        whole = tuple(
            np.zeros(like.shape, like.dtype)[()] if part is None else part
            for part, like in zip(g, self.results, strict=True)
        )
        sweep.pass_on(self, sweep.call(self, self.pull, whole))


class Pick(Node):
    """One result of an operation with several."""

    __slots__ = ()

    def __init__(self, bundle: Bundle, number: int) -> None:
        self.function, self.saved, self.next, self.other = None, number, bundle, None
        self.order = next_order()

    def visit(self, g: Any, sweep: Sweep) -> None:
        sweep.deposit(self.next, self.saved, g)


def shown(node: Node | None) -> Node | None:
    """The node that a user sees: that of the operation."""
    return node.next if type(node) is Pick else node


def _edge(node: Node | None) -> tuple[Node | None, int]:
    return (node.next, node.saved) if type(node) is Pick else (node, 0)


def _flat(tree: Any) -> Iterable:
    if isinstance(tree, list | tuple):
        for item in tree:
            yield from _flat(item)
    else:
        yield tree


# Names of nodes, and the classes that carry them.

_CLASSES: dict[tuple[str, type], type] = {}

NAMES = {
    "add": "Add", "subtract": "Sub", "multiply": "Mul", "divide": "Div", "negative": "Neg",
    "absolute": "Abs", "matmul": "Mm", "getitem": "Slice", "arcsin": "Asin", "arccos": "Acos",
    "arctan": "Atan", "arctan2": "Atan2", "concatenate": "Cat", "expand_dims": "Unsqueeze",
    "reshape": "View", "broadcast_to": "Expand", "power": "Pow", "arcsinh": "Asinh",
    "arccosh": "Acosh", "arctanh": "Atanh", "astype": "ToCopy", "copy": "Clone",
}  # fmt: skip
"""Where PyTorch's name is not that of NumPy."""


def node_class(name: str, base: type = Node) -> type:
    """The class of nodes of that name."""
    found = _CLASSES.get((name, base))
    if found is None:
        made = type(name, (base,), {"__slots__": (), "__module__": __name__})
        found = _CLASSES.setdefault((name, base), made)
    return found


def node_name(operation: str, number: int = 0) -> str:
    """`MulBackward0` for `multiply`."""
    base = NAMES.get(operation)
    if base is None:
        base = "".join(part[:1].upper() + part[1:] for part in operation.split("_"))
    return f"{base}Backward{number}"


# Values that were written after they were saved.

WRITTEN: dict[int, Writes] = {}


class Writes:
    """When a buffer was written last, and how often."""

    __slots__ = ("last", "count", "buffer")

    def __init__(self, buffer: np.ndarray) -> None:
        key = id(buffer)
        self.last, self.count = 0, 0
        self.buffer = weakref.ref(buffer, lambda _: WRITTEN.pop(key, None))


def owner_of(value: np.ndarray) -> np.ndarray:
    """The array in whose memory this one lies."""
    while isinstance(value.base, np.ndarray):
        value = value.base
    return value


def note_write(value: np.ndarray) -> None:
    """Remember that an array is written now."""
    buffer = owner_of(value)
    writes = WRITTEN.get(id(buffer))
    if writes is None:
        writes = WRITTEN[id(buffer)] = Writes(buffer)
    writes.last = next_order()
    writes.count += 1


def version_of(value: np.ndarray) -> int:
    """How often an array was written in place."""
    writes = WRITTEN.get(id(owner_of(value)))
    return 0 if writes is None else writes.count


def check_versions(node: Node) -> None:
    for value in _flat(node.saved):
        if isinstance(value, np.ndarray):
            writes = WRITTEN.get(id(owner_of(value)))
            if writes is not None and writes.last < node.order:
                raise RuntimeError(
                    "one of the variables needed for gradient computation has been modified by an "
                    f"inplace operation: [{value.dtype} {list(value.shape)}], which {node.name()} "
                    f"saved, is at version {writes.count} now. Compute with a copy (`x.clone()`), "
                    "or write after the backward pass"
                )


BACKWARD_TWICE = (
    "Trying to backward through the graph a second time: the saved values were freed by the first. "
    "Say retain_graph=True in the first if there is to be a second"
)


# The sweep.


def free(node: Node) -> None:
    """Let go of the values that a node saved. Shapes and the like may stay: a graph that saved no
    values can be gone through again."""
    saved = node.saved
    for value in saved if type(saved) is tuple else (saved,):
        if isinstance(value, np.ndarray | np.generic | list | tuple):
            node.saved = FREED
            return


class Sweep:
    """One way back through the graph.

    Parameters
    ----------
    retain : bool
        Keep what was saved, for another sweep.
    ends : set of Node, optional
        Adjoints of these nodes are wanted, and nothing else is computed than what leads to them.
        By default, those of all leaves.
    """

    def __init__(self, retain: bool = False, ends: set[Node] | None = None) -> None:
        self.retain = retain
        self.ends = ends
        self.found: list[tuple[Node, Any]] = []
        # By order: adjoints that have arrived so far, and the nodes that wait for more.
        self.adjoints: dict[int, Any] = {}
        self.waiting: dict[int, Node] = {}
        self.heap: list[int] = []
        self.summed: set[int] = set()
        self.leads: set[int] | None = None

    def run(self, roots: Iterable[tuple[Node, Any]]) -> list[tuple[Node, Any]]:
        """The adjoints of the ends, given those of the roots."""
        roots = list(roots)
        if self.ends is not None:
            self.leads = leading_to(self.ends, [node for node, _ in roots])
        for node, g in roots:
            if type(node) is Pick:
                self.deposit(node.next, node.saved, g)
            else:
                self.add(node, g)
        if type(self) is Sweep and self.ends is None:
            self._all()
        else:
            self._some()
        return self.found

    def _all(self) -> None:
        """The sweep to all leaves: what follows is written out, because most time is spent here."""
        heap, waiting, adjoints, retain = self.heap, self.waiting, self.adjoints, self.retain
        indexed = sliced(book.BOOK[operator.getitem], ("a",)).function
        while heap:
            order = heappop(heap)
            node = waiting.pop(order)
            g = adjoints.pop(order)
            while True:
                function = node.function
                if function is None:
                    node.visit(g, self)
                    break
                saved = node.saved
                if function is indexed:
                    self.scatter(node, g)
                    break
                if type(saved) is tuple:
                    if WRITTEN and saved:
                        check_versions(node)
                    g = function(g, *saved)
                    if not retain and saved:
                        free(node)
                else:
                    if saved is FREED:
                        raise RuntimeError(BACKWARD_TWICE)
                    if WRITTEN:
                        check_versions(node)
                    g = function(g, saved)
                    if not retain and type(saved) is not Meta:
                        node.saved = FREED
                following = node.next
                if type(following) is tuple:
                    self.pass_on(node, g)
                    break
                other = node.other
                if other is not None:
                    g, second = g
                    if second is not None:
                        order = other.order
                        if order not in adjoints:
                            adjoints[order] = second
                            waiting[order] = other
                            heappush(heap, order)
                        else:
                            self.sum(order, second)
                if g is None:
                    break
                order = following.order
                if order in adjoints:
                    self.sum(order, g)
                    break
                if heap and heap[0] < order:
                    adjoints[order] = g
                    waiting[order] = following
                    heappush(heap, order)
                    break
                node = following  # it is the youngest: nothing else can reach it

    def _some(self) -> None:
        """The sweep to the ends, through nodes that lead to one."""
        ends = {node.order for node in self.ends or ()}
        while self.heap:
            order = heappop(self.heap)
            node, g = self.waiting.pop(order), self.adjoints.pop(order)
            if isinstance(node, Leaf):  # its hooks run here too
                if order in ends:
                    node.visit(g, self)
                continue
            if order in ends:
                self.found.append((node, g))
                # An end that leads to another end is passed through.
                if not any(self.is_wanted(n) for n in node.edges() if n is not None):
                    continue
            if node.function is None:
                if order not in ends:
                    node.visit(g, self)
            else:
                self.pass_on(node, self.call(node, node.function, g))

    def call(self, node: Node, function: Callable, g: Any) -> Any:
        """The answer of a node's function, with all that it saved."""
        saved = node.saved
        if saved is FREED:
            raise RuntimeError(BACKWARD_TWICE)
        if WRITTEN:
            check_versions(node)
        answer = function(g, *saved) if type(saved) is tuple else function(g, saved)
        if not self.retain:
            free(node)
        return answer

    def pass_on(self, node: Node, answer: Any) -> None:
        """Add the adjoints that a node gives to the nodes that it leads to."""
        if node.other is not None:
            self.add(node.next, answer[0])
            self.add(node.other, answer[1])
        elif type(node.next) is tuple:
            answers = answer if len(node.next) > 1 else (answer,)
            for following, g in zip(node.next, answers, strict=True):
                if type(following) is list:
                    for item, part in zip(_flat(following), _flat(g), strict=True):
                        self.add(item, part)
                else:
                    self.add(following, g)
        else:
            self.add(node.next, answer)

    def add(self, node: Node | None, g: Any) -> None:
        """One more adjoint for a node."""
        if node is None or g is None or not self.is_wanted(node):
            return
        order = node.order
        if order in self.adjoints:
            self.sum(order, g)
        else:
            self.adjoints[order] = g
            self.waiting[order] = node
            heappush(self.heap, order)

    def sum(self, order: int, g: Any) -> None:
        """Add to an adjoint that is there. The first sum is a new array, which later ones reuse."""
        total = self.adjoints[order]
        if order in self.summed and getattr(g, "dtype", None) is total.dtype:
            total += g
            return
        self.adjoints[order] = total = total + g
        if type(total) is np.ndarray:
            self.summed.add(order)

    def scatter(self, node: Node, g: Any) -> None:
        """Add the adjoint of `a[index]` to that of `a`, where it is: a loop over the elements of
        an array costs no array of zeros for each."""
        saved = node.saved
        if saved is FREED:
            raise RuntimeError(BACKWARD_TWICE)
        if WRITTEN:
            check_versions(node)
        like, index = saved
        g = np.asarray(g)
        if not self.retain:
            free(node)
        following = node.next
        order = following.order
        total = self.adjoints.get(order)
        if total is None:
            total = np.zeros(like.shape, g.dtype)
            self.waiting[order] = following
            heappush(self.heap, order)
        elif order not in self.summed or total.dtype is not g.dtype:
            total = np.array(total, dtype=np.result_type(total, g))
        self.adjoints[order] = total
        self.summed.add(order)
        add_at(total, index, g)

    def deposit(self, bundle: Bundle, number: int, g: Any) -> None:
        """One more adjoint of one of several results."""
        if not self.is_wanted(bundle):
            return
        order = bundle.order
        parts = self.adjoints.get(order)
        if parts is None:
            parts = self.adjoints[order] = [None] * len(bundle.results)
            self.waiting[order] = bundle
            heappush(self.heap, order)
        parts[number] = g if parts[number] is None else parts[number] + g

    def is_wanted(self, node: Node) -> bool:
        return self.leads is None or node.order in self.leads


def nodes_from(roots: Iterable[Node | None]) -> list[Node]:
    """All nodes that can be reached, the youngest first."""
    found: dict[int, Node] = {}
    stack = [node for node in roots if node is not None]
    while stack:
        node = stack.pop()
        if node.order not in found:
            found[node.order] = node
            stack += [n for n in node.edges() if n is not None]
    return [found[order] for order in sorted(found)]


def leading_to(ends: set[Node], roots: Iterable[Node | None]) -> set[int]:
    """The orders of the nodes from which one of the ends can be reached."""
    leads = {node.order for node in ends}
    # What is older than all ends leads to none of them: there is no need to go further.
    oldest = max(leads, default=0)
    waiting = {node.order: node for node in roots if node is not None}
    orders = list(waiting)
    heapify(orders)
    nodes: list[Node] = []
    while orders:
        node = waiting[heappop(orders)]
        nodes.append(node)
        for n in node.edges():
            if n is not None and n.order <= oldest and n.order not in waiting:
                waiting[n.order] = n
                heappush(orders, n.order)
    for node in reversed(nodes):
        if any(n is not None and n.order in leads for n in node.edges()):
            leads.add(node.order)
    return leads
