"""What adcompiler refuses, and how it says so.

Every error names the place in the user's file, the construct, why it cannot be done and what to
write instead; `str()` of it is one block that can be read as it stands:

>>> error = UnsupportedError(
...     "`try` statement",
...     reason="an exception may leave the block anywhere, so what to reverse is not known",
...     remedy="test for the problem with `if` before it occurs",
...     position=Position("model.py", 12, 4, 12, 8),
... )
>>> print(error)
model.py:12:5: `try` statement
why: an exception may leave the block anywhere, so what to reverse is not known
instead: test for the problem with `if` before it occurs

Between the first line and `why:` stand the line of the source and a caret line, where the file can
be read.  There is one class per stage, all under `AdcompilerError`.
"""

from __future__ import annotations

import linecache
from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Position:
    """A stretch of a source file.

    Lines count from 1, as in tracebacks.  Columns are characters from 0, the end excluded; printed,
    they count from 1, as in editors.
    """

    file: str
    line: int
    column: int
    end_line: int
    end_column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column + 1}"


class AdcompilerError(Exception):
    """Base of all errors of this package.

    `message` names the construct, `reason` says why it is refused and `remedy` what to write
    instead.  `notes` are further lines, such as the calls that led here.
    """

    def __init__(
        self,
        message: str,
        *,
        reason: str = "",
        remedy: str = "",
        position: Position | None = None,
        notes: tuple[str, ...] = (),
    ) -> None:
        super().__init__(message)
        self.message = message
        self.reason = reason
        self.remedy = remedy
        self.position = position
        self.notes = tuple(notes)
        # Read now: the file may change before the error is printed, or be unpickled elsewhere.
        self.excerpt = _excerpt(position) if position is not None else ()

    def at(self, position: Position | None) -> Self:
        """Say where it is, if that was not known where it was raised; returns the error itself."""
        if self.position is None and position is not None:
            self.position = position
            self.excerpt = _excerpt(position)
        return self

    def called_from(self, position: Position) -> Self:
        """Add the place of a call on the way here, innermost first; returns the error itself."""
        self.notes += (f"called from {position.file}:{position.line}",)
        return self

    def __str__(self) -> str:
        first = f"{self.position}: {self.message}" if self.position is not None else self.message
        lines = [first, *self.excerpt]
        if self.reason:
            lines.append(f"why: {self.reason}")
        if self.remedy:
            lines.append(f"instead: {self.remedy}")
        lines.extend(self.notes)
        return "\n".join(lines)

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (type(self), self.message), self.__dict__


class SourceError(AdcompilerError):
    """The source of a function cannot be had, or is not the text of the code that runs."""


class UnsupportedError(AdcompilerError):
    """Syntax outside the subset that is compiled."""


class ResolveError(AdcompilerError):
    """A name, type or call whose meaning cannot be determined."""


class DifferentiationError(AdcompilerError):
    """Code that is understood, but has no derivative that could be compiled."""


class RuleError(AdcompilerError):
    """A derivative rule that is malformed, or does not fit the operation it is for."""


class VerifyError(AdcompilerError):
    """A pass broke an invariant of the intermediate representation: a defect of adcompiler."""


class OverlapError(AdcompilerError):
    """Arguments share memory at run time, and one of them is written."""


class BackendWarning(UserWarning):
    """The NumPy backend runs what another one was asked for; names the operation and its line."""


def _restore(kind: type[AdcompilerError], message: str) -> AdcompilerError:
    """An error for pickle to fill: subclasses may have constructors of their own."""
    error = kind.__new__(kind, message)
    error.args = (message,)
    return error


def _excerpt(position: Position) -> tuple[str, ...]:
    """The line of the source and a line of carets under the stretch, if the line can be read."""
    line = linecache.getline(position.file, position.line).rstrip()
    start = position.column
    if not line.strip() or start >= len(line):
        return ()
    end = position.end_column if position.end_line == position.line else len(line)
    width = max(1, min(end, len(line)) - start)
    margin = len(line) - len(line.lstrip())
    if start < margin:
        margin = 0
    # Tabs stay tabs, so that the carets stand where the text stands.
    padding = "".join(c if c == "\t" else " " for c in line[margin:start])
    return (f"    {line[margin:]}", f"    {padding}{'^' * width}")
