"""The graph of a recording as text: a line for each operation, in the order in which they ran.

>>> import numpy as np
>>> from adcompiler import tape
>>> recording = tape.record(lambda x: np.sum(np.sin(x) * x), np.ones(3))
>>> print(recording.listing())
%1  SinBackward0(x)      keeps float64[3]
%2  MulBackward0(%1, x)  keeps 2 x float64[3]
%3  SumBackward0(%2)
"""

from __future__ import annotations

import collections
import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from adcompiler.tape.graph import Entry, Leaf, Node, shown

if TYPE_CHECKING:
    from adcompiler.tape.calls import Recording


def listing(recording: Recording, most: int) -> str:
    """The operations of a recording; of long ones, the first and the last.

    Operands that need no adjoint are not in the graph, so they are not shown either.
    """
    nodes = recording.nodes[::-1]
    names = dict(leaf_names(recording))
    for k, node in enumerate(nodes, 1):
        names[node] = f"%{k}"
    rows = [(names[node], f"{node.name()}({operands(node, names)})", keeps(node)) for node in nodes]
    if len(rows) > most:
        half = most // 2
        left_out = len(rows) - 2 * half
        gap = [("...", f"({left_out:,} more operations)", "")]
        rows = [*rows[:half], *gap, *rows[-half:]]
    widths = [max((len(row[k]) for row in rows), default=0) for k in range(2)]
    lines = (f"{row[0]:<{widths[0]}}  {row[1]:<{widths[1]}}  {row[2]}" for row in rows)
    return "\n".join(line.rstrip() for line in lines)


def leaf_names(recording: Recording) -> list[tuple[Node, str]]:
    """What is differentiated, under the names of the parameters."""
    found: list[tuple[Node, str]] = []

    def name(tree: Any, text: str) -> None:
        if isinstance(tree, Leaf | Entry):
            found.append((tree, text))
        elif isinstance(tree, tuple | list):
            for k, item in enumerate(tree):
                name(item, f"{text}[{k}]")
        elif isinstance(tree, dict):
            for key, item in tree.items():
                name(item, f"{text}[{key!r}]")

    for title, tree in zip(recording.titles, recording.arguments, strict=True):
        name(tree, title)
    return found


def operands(node: Node, names: dict[Node, str]) -> str:
    edges = [shown(edge) for edge in node.edges()]
    texts = [names.get(edge, edge.name()) for edge in edges if edge is not None]
    if len(texts) > 6:  # a stack may have thousands
        texts = [*texts[:3], f"({len(texts) - 5} more)", *texts[-2:]]
    return ", ".join(texts)


def keeps(node: Node) -> str:
    """What a node holds for the backward sweep, as kinds of values."""
    kinds = collections.Counter(map(kind, node.saved_values()))
    parts = (f"{count} x {text}" if count > 1 else text for text, count in kinds.items())
    return f"keeps {', '.join(parts)}" if kinds else ""


def kind(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"{value.dtype}[{', '.join(map(str, value.shape))}]"
    return type(value).__name__


def titles(fun: Callable, places: list) -> list[str]:
    """The names of parameters, for positions and names of arguments."""
    try:
        names = list(inspect.signature(fun).parameters)
    except (TypeError, ValueError):
        names = []
    return [
        str(p) if isinstance(p, str) else names[p] if p < len(names) else f"argument {p}"
        for p in places
    ]
