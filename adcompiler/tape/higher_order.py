"""The sweep that is itself recorded: derivatives of derivatives.

Every step of it is an operation on arrays of the tape. What a node saved comes back with the node
that computed it, which is among those that its adjoints go on to, or (what it gave) itself.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from adcompiler.rules import book
from adcompiler.tape import graph
from adcompiler.tape.array import Array, dispatching
from adcompiler.tape.graph import Bundle, Node, Pick, Sweep
from adcompiler.tape.recording import made


class RecordedSweep(Sweep):
    """A sweep of which every step is an operation on arrays of the tape, so that it can be
    differentiated in its turn. What a node saved comes back with the node that computed it."""

    def call(self, node: Node, function: Callable, g: Any) -> Any:
        if function is graph.identity:
            return g
        if node.saved is graph.FREED:
            raise RuntimeError(graph.BACKWARD_TWICE)
        if graph.WRITTEN:
            graph.check_versions(node)
        if type(function) is graph.Watched:
            g, function = function.shown(g), function.function
        part = function.slice
        saved = node.saved if type(node.saved) is tuple else (node.saved,)
        following = node.next if type(node.next) is tuple else node.edges()
        nodes = dict(zip(part.wanted, following, strict=True))
        values = []
        for name, value in zip(part.reads, saved, strict=True):
            if name in part.shapes:
                values.append(value)
            elif name == "out":
                values.append(_result_again(node, value))
            else:
                values.append(_again(value, nodes.get(name)))
        return recorded_form(part)(g, *values)

    def sum(self, order: int, g: Any) -> None:
        self.adjoints[order] = self.adjoints[order] + g


def _again(value: Any, node: Any) -> Any:
    """A saved value with the node that computed it."""
    if node is None:
        return value
    if type(node) is list:
        return [_again(v, n) for v, n in zip(value, node, strict=True)]
    return made(Array, value, node)


def _result_again(node: Node, value: Any) -> Any:
    if isinstance(node, Bundle):
        return tuple(made(Array, part, Pick(node, k)) for k, part in enumerate(value))
    return made(Array, value, node)


@functools.cache
def recorded_form(part: Any) -> Callable:
    """A slice in which the helpers of `runtime` take arrays of the tape too."""
    names = {
        name: dispatching(value)
        if getattr(value, "__module__", None) in ("adcompiler.runtime", "adcompiler.tape.memory")
        and callable(value) and book.lookup(value) is not None
        else value
        for name, value in part.names.items()
    }  # fmt: skip
    return part.in_terms_of(names)
