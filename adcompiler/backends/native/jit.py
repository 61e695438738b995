"""From loops to machine code: the text becomes a file, and Numba compiles the file.

The file makes tracebacks, `inspect.getsource` and profilers show the loops, and lets Numba keep
machine code between processes.  It lies in the folder that `ADCOMPILER_CACHE` names, else in the
user's cache folder; where nothing can be written, everything works but the keeping.

`Loops` is what is called.  The loops themselves raise wherever they cannot do what Python and NumPy
do: a division of Python's numbers by zero, an index out of bounds, lengths that differ, an integer
that outgrows the machine's.  They have changed nothing by then, as a derivative only writes what it
has made or copied; so the NumPy backend answers the call, with its result or its own exception.

With `ADCOMPILER_DISABLE_JIT` (or Numba's own `NUMBA_DISABLE_JIT`) set to 1 when a derivative is
called first, the loops run as the Python that they are: slow, but open to a debugger, and without
Numba.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import inspect
import os
import sys
import types
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from adcompiler.backends import python
from adcompiler.backends.emit import Emitted
from adcompiler.backends.native import elements
from adcompiler.backends.native.kinds import converters
from adcompiler.errors import BackendWarning
from adcompiler.ir.nodes import Function

SMALL = 1 << 31
"""Integer arguments beyond this are turned away: sums of a few must not leave the machine's."""

OPTIONS = {"error_model": "numpy"}
"""Divisions by zero are infinite, as in arrays; no reordering of sums."""

REASONS: dict[type, str] = {
    ValueError: "lengths differ, or nothing is reduced",
    IndexError: "an index that the loops take to be out of bounds",
    ZeroDivisionError: "a division of Python's numbers by zero",
    ArithmeticError: "a number that is not finite, of Python's",
    OverflowError: "an integer outgrows the machine's",
    UnboundLocalError: "a name that is not bound",
}
"""What it means where loops raise: they do so without a text."""

PLAIN = (int, float, bool, str, types.ModuleType, types.FunctionType, type)


def is_disabled() -> bool:
    """Whether the loops are to run as Python."""
    return "1" in (os.environ.get("ADCOMPILER_DISABLE_JIT"), os.environ.get("NUMBA_DISABLE_JIT"))


def require() -> None:
    """Raise unless Numba can be had."""
    if not is_disabled() and importlib.util.find_spec("numba") is None:
        raise ModuleNotFoundError(
            "backend='numba' needs Numba, which is not installed: "
            "pip install adcompiler[numba], or leave the backend at 'numpy'",
            name="numba",
        )


def cache_folder() -> Path | None:
    """Where emitted files go; None if the user wants none."""
    chosen = os.environ.get("ADCOMPILER_CACHE")
    if chosen is not None:
        return Path(chosen) if chosen else None
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA")
    elif sys.platform == "darwin":
        base = os.path.expanduser("~/Library/Caches")
    else:
        base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return Path(base) / "adcompiler" if base and os.path.isabs(base) else None


def write_file(text: str, name: str) -> Path | None:
    """The file that holds the text, named by all that decides what it compiles to."""
    folder = cache_folder()
    if folder is None:
        return None
    path = folder / f"{name}_{digest(text)}.py"
    try:
        if not path.exists():
            folder.mkdir(parents=True, exist_ok=True)
            part = path.with_suffix(f".{os.getpid()}.part")
            part.write_text(text, encoding="utf-8")
            part.replace(path)  # whole or not at all, for processes that start together
    except OSError:
        return None
    return path


def digest(text: str) -> str:
    """A short name for all that decides the machine code."""
    import numba

    versions = (sys.version, np.__version__, numba.__version__, repr(OPTIONS))
    whole = "\0".join((text, inspect.getsource(elements), *versions))
    return hashlib.sha256(whole.encode()).hexdigest()[:16]


@functools.cache
def teach() -> None:
    """Let compiled loops call the functions of `elements`."""
    from numba.extending import register_jitable

    for function in vars(elements).values():
        if inspect.isfunction(function):
            register_jitable(**OPTIONS)(function)


def compiled(emitted: Emitted) -> Callable:
    """The emitted function, compiled by Numba when it is called first."""
    if is_disabled():
        return plain(emitted)
    import numba

    teach()
    path = write_file(emitted.text, emitted.name)
    function = python.compile(emitted) if path is None else loaded(emitted, path)
    # Objects that the text does not spell out may be others in the next process.
    lasting = all(isinstance(value, PLAIN) for value in emitted.namespace.values())
    return numba.njit(cache=path is not None and lasting, **OPTIONS)(function)


def loaded(emitted: Emitted, path: Path) -> Callable:
    """The function out of its file, as a module: Numba looks it up by name when it loads code."""
    import ast

    name = f"adcompiler_{path.stem}"
    module = types.ModuleType(name)
    module.__file__ = str(path)
    module.__dict__.update(emitted.namespace)
    tree = ast.parse(emitted.text, str(path))
    tree.body = [line for line in tree.body if isinstance(line, ast.FunctionDef)]
    exec(compile(tree, str(path), "exec"), module.__dict__)
    sys.modules[name] = module
    return module.__dict__[emitted.name]


def plain(emitted: Emitted) -> Callable:
    """The loops as Python; NumPy's numbers are as quiet about infinities as machine code is."""
    function = python.compile(emitted)

    @functools.wraps(function)
    def run(*args: Any) -> Any:
        with np.errstate(all="ignore"):
            return function(*args)

    return run


class Loops:
    """A function as loops, and the NumPy backend for calls to which they do not apply.

    Parameters
    ----------
    emitted : Emitted
        The text of the loops.
    constants : sequence of ndarray
        Arrays that are passed behind the arguments.
    function : Function
        The program, of which the results say what they are.
    instead : callable
        Compiles the program for the NumPy backend; called when that is needed first.
    """

    def __init__(
        self,
        emitted: Emitted,
        constants: Sequence[np.ndarray],
        function: Function,
        instead: Callable[[], Callable],
    ) -> None:
        self.name = function.name
        self.constants = tuple(constants)
        self.compiled = functools.cache(lambda: compiled(emitted))
        self.converters = converters(function)
        self.numpy = functools.cache(instead)
        self.trouble: str | None = None
        """Why a call went to the NumPy backend, or all of them do."""
        self.broken = False
        """Whether Numba could not compile the loops."""

    def __call__(self, *args: Any) -> Any:
        if self.broken:
            return self.numpy()(*args)
        for arg in args:
            if type(arg) is int and not -SMALL < arg < SMALL:
                return self.answered_by_numpy(
                    args, OverflowError("an integer of more than 31 bits")
                )
        try:
            result = self.compiled()(*args, *self.constants)
        except Exception as problem:
            return self.answered_by_numpy(args, problem)
        if len(self.converters) == 1:
            convert = self.converters[0]
            return convert(result) if convert is not None else result
        return tuple(
            value if convert is None else convert(value)
            for convert, value in zip(self.converters, result, strict=True)
        )

    def answered_by_numpy(self, args: tuple, problem: Exception) -> Any:
        """The NumPy backend's answer, and a warning if it has one that the loops did not find."""
        self.broken = self.broken or type(problem).__module__.startswith("numba.")
        result = self.numpy()(*args)
        if self.trouble is None:
            lines = str(problem).strip().splitlines() or [REASONS.get(type(problem), "")]
            text = " ".join(filter(None, map(str.strip, lines[:2])))
            what = f"{type(problem).__name__}{f' ({text})' if text else ''}"
            if self.broken:
                self.trouble = f"Numba cannot compile its loops: {what}"
                tail = "this function runs on the NumPy backend"
            else:
                self.trouble = f"a call to which its loops do not apply: {what}"
                tail = "such calls run on the NumPy backend"
            warnings.warn(f"{self.name}: {self.trouble}; {tail}", BackendWarning, stacklevel=4)
        return result
