"""`compare`: one function, differentiated by the compiler and by the tape, side by side.

Both engines compute the value and the gradient of the same call, and what that takes is measured in
the same way for both:

* *time*: in turns, so that a machine whose speed drifts favours neither; medians.
* *kept for the backward sweep*: what is alive at the moment when the backward sweep begins. Of the
  compiled code these are the variables of the emitted function, lists and tuples opened; of the
  tape, what its nodes hold. Counted are the buffers in which arrays lie, each once however many
  views share it, and numbers that are floats. What the caller's arguments occupy anyway does not
  count.
* *peak*: the most memory that Python's allocators had given out during a call beyond what was in
  use before it. It counts everything: nodes, lists, the pointers in them, temporary arrays.

What there is to count as an operation differs. The compiler writes statements, and lines of them
are run; the tape records a node for each operation on a value that needs an adjoint, and goes
through the nodes once more, backwards.

>>> from adcompiler import compare
>>> def distance(x, y):
...     return np.sqrt(np.sum((x - y) ** 2))
>>> found = compare(distance, np.array([3.0, 0.0]), np.array([0.0, 4.0]), seconds=0.01)
>>> found.agrees, found.tape.value, found.tape.gradient.round(6).tolist()
(True, np.float64(5.0), [0.6, -0.8])
>>> found.tape.operations
4
"""

from __future__ import annotations

import ast
import math
import time
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from adcompiler.api.derivative import Derivative
from adcompiler.api.measuring import (
    Watch,
    difference,
    held_by,
    medians,
    peak_of,
    start_of_backward,
)
from adcompiler.errors import AdcompilerError

SMALL = 1e-8
"""What relative difference is rounding; of single precision, its square root."""


@dataclass
class Side:
    """What was found out about one engine; None for what was not, or makes no sense for it.

    Attributes
    ----------
    engine : {"compiled", "tape"}
        Which it is.
    refusal : str or None
        Why it does not differentiate the function. Then all else is None.
    value, gradient
        What it computed.
    preparation : float
        Seconds that come once: compiling. The tape needs none.
    recording : float
        Seconds of each call that go into recording. Compiled code records nothing.
    call : float
        Seconds for one value and gradient, recording included and compiling not.
    statements : int
        Statements in the emitted functions.
    lines : int
        Lines of them that one call runs.
    operations : int
        Nodes that one call records.
    kept : int
        Bytes alive when the backward sweep begins, in arrays and floats.
    buffers : int
        How many arrays and floats these are.
    peak : int
        The most bytes that were allocated during a call.
    """

    engine: str
    refusal: str | None = None
    value: Any = None
    gradient: Any = None
    preparation: float | None = None
    recording: float | None = None
    call: float | None = None
    statements: int | None = None
    lines: int | None = None
    operations: int | None = None
    kept: int | None = None
    buffers: int | None = None
    peak: int | None = None


@dataclass(repr=False)
class Comparison:
    """Two engines on one call: `str()` of it is a table; see also `as_dict` and `plot`.

    Attributes
    ----------
    function : str
        The name of the function.
    arguments : str
        What it was called with, in words.
    backend : str
        What ran the compiled code.
    compiled, tape : Side
        What was found out about each engine.
    primal : float
        Seconds for the function itself, not differentiated.
    value_difference, gradient_difference : float or None
        The largest relative difference between the engines; None if one of them refuses. It is
        taken array by array: the largest difference of entries in units of the largest entry.
    tolerance : float
        What difference is taken for rounding.
    """

    function: str
    arguments: str
    backend: str
    compiled: Side
    tape: Side
    primal: float
    value_difference: float | None = None
    gradient_difference: float | None = None
    tolerance: float = SMALL
    notes: list[str] = field(default_factory=list)

    @property
    def sides(self) -> tuple[Side, Side]:
        return self.compiled, self.tape

    @property
    def agrees(self) -> bool | None:
        """Whether both found the same; None if one of them refuses."""
        if self.value_difference is None or self.gradient_difference is None:
            return None
        return max(self.value_difference, self.gradient_difference) <= self.tolerance

    @property
    def calls_to_pay(self) -> int | None:
        """After how many calls compiling has cost less than recording; None if it never has."""
        ours, theirs = self.compiled, self.tape
        if ours.call is None or theirs.call is None or theirs.call <= ours.call:
            return None
        assert ours.preparation is not None
        return math.ceil(ours.preparation / (theirs.call - ours.call))

    def as_dict(self) -> dict[str, Any]:
        """All that was measured, as plain numbers and texts; without values and gradients."""
        measured = (
            "refusal", "preparation", "recording", "call", "statements", "lines", "operations",
            "kept", "buffers", "peak",
        )  # fmt: skip
        return {
            "function": self.function,
            "arguments": self.arguments,
            "backend": self.backend,
            "primal": self.primal,
            "agrees": self.agrees,
            "value_difference": self.value_difference,
            "gradient_difference": self.gradient_difference,
            "calls_to_pay": self.calls_to_pay,
            **{
                side.engine: {name: getattr(side, name) for name in measured} for side in self.sides
            },
        }

    def __str__(self) -> str:
        title = "compiled" if self.backend == "numpy" else f"compiled ({self.backend})"
        rows = [("", title, "tape"), *self._rows()]
        widths = [max(len(row[k]) for row in rows) for k in range(3)]
        lines = [f"{self.function}({self.arguments})", ""]
        if all(side.refusal is not None for side in self.sides):
            return "\n".join([*lines, *self._remarks()]) + "\n"
        lines += [
            f"{row[0]:<{widths[0]}}  {row[1]:>{widths[1]}}  {row[2]:>{widths[2]}}".rstrip()
            for row in rows
        ]
        return "\n".join([*lines, "", *self._remarks()]) + "\n"

    __repr__ = __str__

    def _rows(self) -> Iterable[tuple[str, ...]]:
        def row(title: str, cell: Callable[[Side], str | None]) -> tuple[str, ...]:
            return (title, *("-" if s.refusal is not None else cell(s) or "-" for s in self.sides))

        values = (shown_value(s.value) if s.refusal is None else "refused" for s in self.sides)
        yield ("value", *values)
        yield row("compiling, once", lambda s: seconds_text(s.preparation))
        yield row("recording, on every call", lambda s: seconds_text(s.recording))
        yield row("one call: value and gradient", lambda s: seconds_text(s.call))
        unit = f"  in units of the function ({seconds_text(self.primal)})"
        yield row(unit, lambda s: rounded(s.call / self.primal) if s.call else None)
        yield row("statements emitted", lambda s: count_text(s.statements))
        yield row("  lines of them run", lambda s: count_text(s.lines))
        yield row("operations recorded", lambda s: count_text(s.operations))
        yield row("kept for the backward sweep", lambda s: bytes_text(s.kept))
        yield row("  arrays and floats", lambda s: count_text(s.buffers))
        yield row("peak memory of a call", lambda s: bytes_text(s.peak))

    def _remarks(self) -> Iterable[str]:
        if self.agrees is not None:
            verb = "agree" if self.agrees else "DIFFER"
            yield (
                f"The engines {verb}: values within {self.value_difference:.1e}, gradients within "
                f"{self.gradient_difference:.1e} (largest relative difference)."
            )
        if self.calls_to_pay is not None:
            count = self.calls_to_pay
            times = "the first call" if count <= 1 else f"{count:,} calls"
            yield f"Compiling has paid for itself after {times}."
        yield from self.notes
        for side in self.sides:
            if side.refusal is not None:
                who = "The tape" if side.engine == "tape" else "The compiler"
                yield f"{who} refuses:\n" + "".join(
                    f"    {line}\n" for line in side.refusal.splitlines()
                ).rstrip("\n")

    def plot(self) -> Any:
        """A chart of times and memory.

        Returns
        -------
        matplotlib.figure.Figure
            Save it with `savefig`; a notebook shows it.

        Raises
        ------
        ModuleNotFoundError
            If matplotlib is not installed.
        """
        try:
            from matplotlib.figure import Figure
            from matplotlib.patches import Patch
        except ModuleNotFoundError as error:
            raise ModuleNotFoundError(
                "a chart needs matplotlib, which is not installed: pip install adcompiler[plots]"
            ) from error

        ours, theirs = self.compiled, self.tape
        panels = [
            (
                "time",
                {
                    "compiling,\nonce": (ours.preparation, None),
                    "one call": (ours.call, theirs.call),
                    "recording,\nin each call": (None, theirs.recording),
                    "the function\nitself": (self.primal, None),
                },
                seconds_text,
            ),
            (
                "memory",
                {
                    "kept for the\nbackward sweep": (ours.kept, theirs.kept),
                    "peak of\na call": (ours.peak, theirs.peak),
                },
                bytes_text,
            ),
        ]
        figure = Figure(figsize=(9, 3.4), layout="constrained")
        colours = {"compiled": "tab:blue", "tape": "tab:orange", "neither": "0.6"}
        for axes, (title, groups, text) in zip(figure.subplots(1, 2), panels, strict=True):
            draw_bars(axes, groups, colours, text)
            axes.set_title(title)
        handles = [Patch(color=colours[s.engine], label=self._label(s)) for s in self.sides]
        figure.legend(handles=handles, loc="outside lower center", ncols=2, frameon=False)
        figure.suptitle(f"{self.function}: value and gradient")
        return figure

    def _label(self, side: Side) -> str:
        return side.engine + (" (refuses)" if side.refusal is not None else "")


def draw_bars(axes: Any, groups: dict, colours: dict, text: Callable) -> None:
    """Bars on a logarithmic axis, one below the other, each with its number beside it."""
    numbers = [v for pair in groups.values() for v in pair if v]
    least = min(numbers, default=1.0) / 5
    place, ticks = 0.0, []
    for label, pair in groups.items():
        start = place
        own = [(e, v) for e, v in zip(("compiled", "tape"), pair, strict=True) if v is not None]
        for engine, value in own:
            colour = colours["neither" if label.startswith("the function") else engine]
            axes.barh(place, max(value, least) - least, 0.8, left=least, color=colour)
            axes.annotate(
                text(value), (max(value, least), place), xytext=(4, 0),
                textcoords="offset points", va="center", fontsize=9,
            )  # fmt: skip
            place += 1
        if own:
            ticks.append((start + (len(own) - 1) / 2, label))
            place += 0.5
    axes.set_xscale("log")
    axes.set_xlim(least, max(numbers, default=1.0) * 30)
    axes.set_yticks([y for y, _ in ticks], [label for _, label in ticks])
    axes.tick_params(axis="y", length=0)
    axes.invert_yaxis()
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_xlabel("seconds" if text is seconds_text else "bytes")


def compare(
    fun: Callable,
    *args: Any,
    argnums: int | tuple[int, ...] = 0,
    backend: str = "numpy",
    seconds: float = 0.5,
) -> Comparison:
    """Differentiate one call of a function with both engines, and measure what that takes.

    Parameters
    ----------
    fun : callable
        A function in NumPy and plain Python of which the result is one number. What `grad` and its
        like gave is taken apart: its function is compared.
    *args
        What to call it with. They are not changed.
    argnums : int or tuple of int
        Which of them to differentiate.
    backend : {"numpy", "numba"}
        What runs the compiled code.
    seconds : float
        About how long to measure times.

    Returns
    -------
    Comparison
        Prints as a table. If an engine refuses the function, the table says why.

    Raises
    ------
    Exception
        What the function itself raises, if it does not run with these arguments.

    Examples
    --------
    >>> def area(r):
    ...     return 3.0 * r * r
    >>> found = compare(area, 2.0, seconds=0.01)
    >>> found.compiled.gradient, found.tape.gradient, found.gradient_difference
    (12.0, 12.0, 0.0)
    >>> print(str(found).splitlines()[3].split())
    ['value', '12', '12']
    """
    from adcompiler.tape.structures import leaves_of

    function = fun.base if isinstance(fun, Derivative) else fun
    primal = primal_call(function, args)  # raises what the function does: no engine is to blame
    compiled, derivative, notes = compiled_side(function, args, argnums, backend)
    tape, record, both = tape_side(function, args, argnums)
    contenders = {"primal": primal}
    if compiled.refusal is None:
        contenders["compiled"] = lambda: derivative(*args)
    if tape.refusal is None:
        contenders |= {"recording": record, "tape": both}
    times = medians(contenders, seconds)
    if compiled.refusal is None:
        compiled.call = times["compiled"]
    if tape.refusal is None:
        tape.call, tape.recording = times["tape"], min(times["recording"], times["tape"])
    found = Comparison(
        getattr(function, "__name__", "function"),
        ", ".join(map(described, args)),
        backend,
        compiled,
        tape,
        times["primal"],
        notes=notes,
    )
    if compiled.refusal is None and tape.refusal is None:
        found.value_difference = difference(compiled.value, tape.value)
        found.gradient_difference = difference(compiled.gradient, tape.gradient)
        leaves = leaves_of(compiled.gradient)
        if any(getattr(leaf, "dtype", None) == np.float32 for leaf in leaves):
            found.tolerance = math.sqrt(SMALL)
    return found


# -- the engines ---------------------------------------------------------------------------------


def compiled_side(
    function: Callable, args: tuple, argnums: Any, backend: str
) -> tuple[Side, Any, list[str]]:
    """The compiler on one call, with its derivative and what is to be said about it."""
    from adcompiler.api.transforms import value_and_grad

    value_and_grad(square)(1.0)  # loads the compiler, which is none of this function's time
    side = Side("compiled")
    notes: list[str] = []
    derivative = value_and_grad(function, argnums=argnums, backend=backend)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it falls back is a note
        try:
            begin = time.perf_counter()
            found = derivative.specialise(*derivative.given(args))
            side.preparation = time.perf_counter() - begin
            begin = time.perf_counter()
            side.value, side.gradient = derivative(*args)
            if found.loops is not None:  # machine code is made in the first call
                side.preparation += time.perf_counter() - begin
        except Exception as error:
            side.refusal = reason(error)
            return side, derivative, notes
    if found.unsupported is not None:
        notes.append(f"On the NumPy backend: {found.unsupported} has no loop lowering.")
    tree = ast.parse(found.text)
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    side.statements = sum(
        isinstance(node, ast.stmt) and not is_text(node)
        for function in functions
        for inner in function.body
        for node in ast.walk(inner)
    )
    if found.loops is None:  # machine code cannot be looked into
        watch = Watch(found.run.__code__, start_of_backward(found.text, found.emitted.name), args)
        watch.run(lambda: derivative(*args))
        side.lines = watch.lines
        side.kept, side.buffers = watch.kept
        side.peak = peak_of(lambda: derivative(*args))
    else:
        notes.append("Lines and memory are not measured: machine code cannot be looked into.")
    return side, derivative, notes


def tape_side(function: Callable, args: tuple, argnums: Any) -> tuple[Side, Callable, Callable]:
    """The tape on one call, with calls that record alone and that do both."""
    from adcompiler import tape

    side = Side("tape")
    derivative = tape.value_and_grad(function, argnums=argnums)

    def record() -> Any:
        return tape.record(function, *args, argnums=argnums)

    def both() -> Any:
        return derivative(*args)

    try:
        side.value, side.gradient = both()
    except Exception as error:
        side.refusal = reason(error)
        return side, record, both
    recording = record()
    side.operations = len(recording.nodes)
    saved = [value for node in recording.nodes for value in node.saved_values()]
    side.kept, side.buffers = held_by(saved, args)
    del recording, saved
    side.peak = peak_of(both)
    return side, record, both


def square(x: float) -> float:
    return x * x


def reason(error: Exception) -> str:
    """Why an engine gives no derivative; one that breaks says that it does."""
    if isinstance(error, AdcompilerError):
        return str(error)
    return f"{type(error).__name__}: {error}"


def primal_call(function: Callable, args: tuple) -> Callable[[], Any]:
    """A call of the function itself; if it writes into its arguments, on copies."""
    from adcompiler.api.transforms import _copied

    copies = _copied(args)
    function(*copies)
    if is_changed(copies, args):
        return lambda: function(*_copied(args))
    return lambda: function(*args)


def is_changed(copies: tuple, args: tuple) -> bool:
    """Whether arrays or containers among arguments are other than they were."""
    from adcompiler.tape.structures import leaves_of

    after, before = leaves_of(copies), leaves_of(args)
    if len(after) != len(before):
        return True
    arrays = [pair for pair in zip(after, before, strict=True) if isinstance(pair[1], np.ndarray)]
    return not all(np.asarray(x).tobytes() == y.tobytes() for x, y in arrays)


# -- text ----------------------------------------------------------------------------------------


def described(value: Any) -> str:
    """An argument, in a word or two.

    >>> described((np.ones((2, 3)), [1.5, 2]))
    '(float64[2, 3], [1.5, 2])'
    """
    if isinstance(value, np.ndarray):
        return f"{value.dtype}[{', '.join(map(str, value.shape))}]"
    if isinstance(value, tuple | list):
        inner = ", ".join(map(described, value))
        if isinstance(value, list):
            return f"[{inner}]"
        return f"({inner}{',' if len(value) == 1 else ''})"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key!r}: {described(item)}' for key, item in value.items())}}}"
    if isinstance(value, float | np.floating):
        return f"{float(value):.6g}"
    if isinstance(value, int | complex | str | np.generic) or value is None:
        return str(value) if not isinstance(value, str) else repr(value)
    return getattr(value, "__name__", type(value).__name__)


def shown_value(value: Any) -> str:
    return f"{float(value):.6g}" if np.ndim(value) == 0 else "..."


def count_text(count: int | None) -> str | None:
    return None if count is None else f"{count:,}"


def seconds_text(seconds: float | None) -> str | None:
    """
    >>> seconds_text(0.00123), seconds_text(4.56e-7)
    ('1.23 ms', '456 ns')
    """
    if seconds is None:
        return None
    for unit, scale in (("s", 1), ("ms", 1e3), ("us", 1e6)):
        if seconds * scale >= 1:
            return f"{rounded(seconds * scale)} {unit}"
    return f"{rounded(seconds * 1e9)} ns"


def bytes_text(count: int | None) -> str | None:
    """
    >>> bytes_text(8), bytes_text(123456)
    ('8 B', '123 kB')
    """
    if count is None:
        return None
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= scale:
            return f"{rounded(count / scale)} {unit}"
    return f"{count} B"


def rounded(number: float) -> str:
    """Three digits, and no powers of ten."""
    return f"{number:,.0f}" if number >= 100 else f"{number:.3g}"


def is_text(node: ast.stmt) -> bool:
    """Whether a statement is a docstring."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
