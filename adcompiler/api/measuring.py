"""What a call takes: its time, the lines it runs, what is alive in the middle of it, its peak.

`api/comparing.py` measures both engines with these.
"""

from __future__ import annotations

import ast
import math
import statistics
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterable
from types import CodeType, FrameType
from typing import Any

import numpy as np

# -- what is alive -------------------------------------------------------------------------------


def start_of_backward(text: str, name: str) -> int:
    """The line at which the backward sweep of an emitted function begins: its first comment.

    >>> start_of_backward('''def f(x):
    ...     y = np.sin(x)
    ...
    ...     # return y * y
    ...     y_bar = 2 * y
    ...     return y_bar * np.cos(x)
    ... ''', "f")
    5

    Without comments, all of it is in the last line.
    """
    functions = [n for n in ast.parse(text).body if isinstance(n, ast.FunctionDef)]
    (function,) = (node for node in functions if node.name == name)
    lines = text.splitlines()
    for statement in function.body:
        if lines[statement.lineno - 2].lstrip().startswith("#"):
            return statement.lineno
    return function.body[-1].lineno


class Watch:
    """Runs emitted code line by line: counts the lines, and looks where the backward sweep begins.

    Attributes
    ----------
    lines : int
        How many lines of the emitted file were run.
    kept : tuple of int
        Bytes and number of what was alive at the line `start`.
    """

    def __init__(self, code: CodeType, start: int, args: tuple) -> None:
        self.code = code
        self.start = start
        self.args = args
        self.lines = 0
        self.kept = (0, 0)
        self.looked = False

    def run(self, call: Callable[[], Any]) -> None:
        before = sys.gettrace()
        sys.settrace(self.on_call)
        try:
            call()
        finally:
            sys.settrace(before)

    def on_call(self, frame: FrameType, event: str, arg: Any) -> Any:
        return self.on_line if frame.f_code.co_filename == self.code.co_filename else None

    def on_line(self, frame: FrameType, event: str, arg: Any) -> Any:
        if event == "line":
            self.lines += 1
            if not self.looked and frame.f_code is self.code and frame.f_lineno >= self.start:
                self.looked = True
                self.kept = held_by(list(frame.f_locals.values()), self.args)
        return self.on_line


def held_by(values: Iterable[Any], args: tuple) -> tuple[int, int]:
    """Bytes in the arrays and floats among values, and how many they are.

    >>> a = np.zeros(8)
    >>> held_by([a[2:], a[:2], [1.5, a.T]], ())
    (72, 2)
    >>> held_by([a[2:]], (a,))
    (0, 0)
    """
    mine = {id(owner) for owner in owners(args)}
    found: dict[int, Any] = {}
    for owner in owners(values):
        if id(owner) not in mine:
            found[id(owner)] = owner
    return sum(map(size_of, found.values())), len(found)


def owners(values: Iterable[Any]) -> Iterable[Any]:
    """The floats among values, and what the memory of the arrays belongs to; some repeatedly."""
    stack, seen = list(values), set()
    while stack:
        value = stack.pop()
        if isinstance(value, (float, complex, np.generic)):
            yield value
        elif isinstance(value, np.ndarray):
            while isinstance(value.base, np.ndarray):
                value = value.base
            yield value
        elif isinstance(value, (list, tuple, dict)) and id(value) not in seen:
            seen.add(id(value))
            stack.extend(value.values() if isinstance(value, dict) else value)


def size_of(owner: Any) -> int:
    if isinstance(owner, np.ndarray | np.generic):
        return owner.nbytes
    return 16 if isinstance(owner, complex) else 8


def peak_of(call: Callable[[], Any]) -> int:
    """The most bytes that a call has in use at once, beyond what was in use before."""
    tracing = tracemalloc.is_tracing()
    if not tracing:
        tracemalloc.start()
    try:
        tracemalloc.reset_peak()
        before = tracemalloc.get_traced_memory()[0]
        call()
        return max(tracemalloc.get_traced_memory()[1] - before, 0)
    finally:
        if not tracing:
            tracemalloc.stop()


# -- time and agreement --------------------------------------------------------------------------


def medians(contenders: dict[str, Callable[[], Any]], seconds: float) -> dict[str, float]:
    """The median time of a call of each, measured in turns for about `seconds` in all."""
    rounds = 9
    share = seconds / rounds / len(contenders)
    trips = {}
    for name, call in contenders.items():
        call()  # what comes with the first call does not count
        once = elapsed(call, 1)
        trips[name] = max(1, min(100_000, int(share / max(once, 1e-9))))
    times: dict[str, list[float]] = {name: [] for name in contenders}
    begin = time.perf_counter()
    for turn in range(rounds):
        if turn and time.perf_counter() - begin > 2 * seconds:
            break
        for name, call in contenders.items():
            times[name].append(elapsed(call, trips[name]) / trips[name])
    return {name: statistics.median(found) for name, found in times.items()}


def elapsed(call: Callable[[], Any], trips: int) -> float:
    begin = time.perf_counter()
    for _ in range(trips):
        call()
    return time.perf_counter() - begin


def difference(a: Any, b: Any) -> float:
    """The largest relative difference between the numbers in two structures.

    >>> difference([1.0, np.array([1.0, 4.0])], [1.0, np.array([1.0, 4.4])])
    0.09090909090909098
    """
    from adcompiler.tape.structures import leaves_of

    pairs = list(zip(leaves_of(a), leaves_of(b), strict=True))
    return max((relative(x, y) for x, y in pairs if x is not None or y is not None), default=0.0)


def relative(x: Any, y: Any) -> float:
    if x is None or y is None or np.shape(x) != np.shape(y):
        return math.inf
    x, y = np.asarray(x), np.asarray(y)
    odd = ~(np.isfinite(x) & np.isfinite(y))
    if np.any(odd & ~((x == y) | (np.isnan(x) & np.isnan(y)))):
        return math.inf
    x, y = np.where(odd, 0, x), np.where(odd, 0, y)
    scale = max(np.max(np.abs(x), initial=0.0), np.max(np.abs(y), initial=0.0))
    return float(np.max(np.abs(x - y), initial=0.0) / scale) if scale else 0.0
