"""Where a function stands in its file: its definition, and the user's own text to quote.

`locate` takes a function to the `ast` node of its definition, with the file's own lines and
columns.  The text counts only if compiling it gives the code that runs: so a lambda is told from
its neighbours on the same line, and a file that was edited after it was imported is refused rather
than misread.
"""

from __future__ import annotations
import __future__

import ast
import dis
import io
import keyword
import linecache
import threading
import tokenize
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from types import CodeType, FunctionType, ModuleType
from typing import Any

from adcompiler.errors import Position, SourceError

_Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
_Place = tuple[int, int]

_FUTURES = 0
for _name in __future__.all_feature_names:
    _FUTURES |= getattr(__future__, _name).compiler_flag

_compiling = threading.Lock()


class Text:
    """The lines of one definition; answers where its nodes stand and how they read."""

    def __init__(self, file: str, first: int, lines: tuple[str, ...], definition: ast.AST) -> None:
        self.file = file
        self.first = first
        """The number in the file of the first of `lines`."""
        self.lines = lines
        self._definition = definition
        self._headers: dict[_Place, _Place] | None = None

    def line(self, number: int) -> str:
        """A line by its number in the file, empty outside of the definition."""
        index = number - self.first
        return self.lines[index].rstrip("\n") if 0 <= index < len(self.lines) else ""

    def position(self, node: Any) -> Position:
        """Where a node stands, in characters (nodes count UTF-8 bytes)."""
        line, column = self._place(node.lineno, node.col_offset)
        end_line, end_column = self._place(node.end_lineno, node.end_col_offset)
        return Position(self.file, line, column, end_line, end_column)

    def quote(self, node: Any) -> str:
        """The user's text of a node on one line; of a compound statement only the header."""
        start = self._place(node.lineno, node.col_offset)
        end = self._place(node.end_lineno, node.end_col_offset)
        header = self._header_ends().get((node.lineno, node.col_offset))
        if header is not None:
            end = self._colon(start, self._place(*header))
        if start[0] == end[0]:
            return self.line(start[0])[start[1] : end[1]].strip()
        return self._join(start, end)

    def _place(self, number: int, offset: int) -> _Place:
        line = self.line(number)
        if not line.isascii():
            offset = len(line.encode()[:offset].decode(errors="ignore"))
        return number, offset

    def _header_ends(self) -> dict[_Place, _Place]:
        """From where each compound statement starts to where the last part of its header ends."""
        if self._headers is None:
            self._headers = {
                (node.lineno, node.col_offset): max(
                    (part.end_lineno, part.end_col_offset) for part in parts
                )
                if parts
                else (node.lineno, node.col_offset)
                for node, parts in _headers(self._definition)
            }
        return self._headers

    def _colon(self, start: _Place, after: _Place) -> _Place:
        """The end of the first colon at or after a place, comments and brackets skipped."""
        column = self.line(after[0]).find(":", after[1])
        if start[0] == after[0] and column >= 0:
            return after[0], column + 1
        for token in self._tokens(start):
            if token.type == tokenize.OP and token.string == ":" and token.start >= after:
                return token.end
        return after

    def _tokens(self, start: _Place) -> Iterator[tokenize.TokenInfo]:
        """Tokens from a place on, numbered as in the file; ends quietly where they do not parse."""
        rest = self.lines[start[0] - self.first :]
        text = " " * start[1] + rest[0][start[1] :] + "".join(rest[1:])
        shift = start[0] - 1
        try:
            for token in tokenize.generate_tokens(io.StringIO(text).readline):
                (line, column), (end_line, end_column) = token.start, token.end
                yield token._replace(
                    start=(line + shift, column), end=(end_line + shift, end_column)
                )
        except (tokenize.TokenError, SyntaxError):
            return

    def _join(self, start: _Place, end: _Place) -> str:
        """Lines as one: without comments, line breaks and the commas that brackets leave behind."""
        comments: dict[int, int] = {}
        in_string: set[int] = set()
        commas: set[_Place] = set()
        brackets: list[
            list[int]
        ] = []  # for each open one: commas so far, whether one may be needed
        strings: list[int] = []
        before, last = "", None
        for token in self._tokens(start):
            if token.start >= end:
                break
            kind = tokenize.tok_name[token.type]
            if kind == "COMMENT":
                comments[token.start[0]] = token.start[1]
            if kind in ("COMMENT", "NL", "NEWLINE", "INDENT", "DEDENT"):
                continue
            if kind == "STRING" or kind.endswith("STRING_MIDDLE"):
                in_string.update(range(token.start[0], token.end[0]))
            elif kind.endswith("STRING_START"):
                strings.append(token.start[0])
            elif kind.endswith("STRING_END"):
                in_string.update(range(strings.pop(), token.start[0]))
            elif kind == "OP" and token.string in "([{":
                follows = before in (")", "]", "}") or (
                    before.isidentifier() and not keyword.iskeyword(before)
                )
                # In `(a,)` and `x[a,]` the comma makes a tuple; calls and lists do without.
                brackets.append([0, (token.string == "[") == follows and token.string != "{"])
            elif kind == "OP" and token.string == "," and brackets:
                brackets[-1][0] += 1
            elif kind == "OP" and token.string in ")]}" and brackets:
                count, needed = brackets.pop()
                if last is not None and before == "," and (count > 1 or not needed):
                    if last[0] != token.start[0]:
                        commas.add(last)
            before, last = token.string, token.start
        joined = ""
        for number in range(start[0], end[0] + 1):
            line = self.line(number)
            stop = end[1] if number == end[0] else comments.get(number, len(line))
            begin = start[1] if number == start[0] else 0
            piece = line[begin:stop]
            for row, column in commas:
                if row == number and begin <= column < stop:
                    piece = piece[: column - begin] + piece[column - begin + 1 :]
            if number - 1 in in_string and number > start[0]:
                joined += "\\n"
            else:
                piece = piece.lstrip()
                if joined and piece and joined[-1] not in "([{" and piece[0] not in ")]}":
                    joined += " "
            joined += piece
            if number not in in_string:
                joined = joined.rstrip()
                if joined.endswith("\\"):
                    joined = joined[:-1].rstrip()
        return joined


@dataclass(frozen=True, slots=True)
class Definition:
    """What `locate` finds."""

    node: _Definition
    """Without its decorators."""
    name: str
    """The function's; for a lambda the name that it is assigned to, else `function`."""
    owner: str | None
    """The class whose private names (`__x`) the function sees."""
    text: Text


def locate(function: FunctionType) -> Definition:
    """The definition of a function in its file; `SourceError` if there is none to be had."""
    code = function.__code__
    lines = linecache.getlines(code.co_filename, function.__globals__)
    found = _find(function, lines) if lines else None
    if found is None:
        # The cache may be older than the file.
        linecache.checkcache(code.co_filename)
        fresh = linecache.getlines(code.co_filename, function.__globals__)
        if fresh and fresh != lines:
            lines, found = fresh, _find(function, fresh)
    if found is not None:
        return found
    first = code.co_firstlineno
    if not lines:
        raise SourceError(
            f"the source of `{function.__qualname__}` is not available",
            reason=f"its code comes from {code.co_filename!r}, which Python cannot read back",
            remedy="define the function in a file or a notebook cell, or put its text into "
            "`linecache.cache` under that name",
        )
    raise SourceError(
        f"the text of `{function.__qualname__}` is not the code that runs",
        reason=f"compiling {code.co_filename} from line {first} on gives other code: "
        "the file changed after it was imported, or an import hook rewrote it",
        remedy="import the module again, or start Python again, without the hook",
        position=Position(code.co_filename, first, 0, first, 0),
    )


def _find(function: FunctionType, lines: list[str]) -> Definition | None:
    if function.__code__.co_firstlineno > len(lines):
        return None
    with _compiling, warnings.catch_warnings():
        # Python has shown its warnings when it compiled the file.
        warnings.simplefilter("ignore")
        if function.__code__.co_name == "<lambda>":
            return _find_lambda(_Check(function, lines), lines)
        return _find_def(_Check(function, lines), lines)


def _find_def(check: _Check, lines: list[str]) -> Definition | None:
    code = check.code
    start = code.co_firstlineno - 1
    body = lines[start].lstrip()
    if not body.startswith(("@", "def", "async")):
        return None
    indent = lines[start][: len(lines[start]) - len(body)]
    for end in _ends(lines, start, _last_line(code)):
        tree = _parse(lines, start, end, indent)
        if tree is None:
            continue
        node = tree.body[0]
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            return None
        node.decorator_list = []
        if not check.agrees(node):
            return None
        text = Text(code.co_filename, start + 1, tuple(lines[start:end]), node)
        return Definition(node, node.name, check.owner, text)
    return None


def _find_lambda(check: _Check, lines: list[str]) -> Definition | None:
    code = check.code
    start = code.co_firstlineno - 1
    line = lines[start]
    near = _parse(lines, start, start + 1, line[: len(line) - len(line.lstrip())])
    for tree, places in ((near, (True,)), (check.module, (True, False))):
        if tree is None:
            continue
        for same_place in places:
            # Without columns (`-X no_debug_ranges`) two may fit; they are then the same code.
            for node in ast.walk(tree):
                if (
                    isinstance(node, ast.Lambda)
                    and node.lineno == code.co_firstlineno
                    and check.agrees(node, same_place)
                ):
                    end = node.end_lineno or node.lineno
                    text = Text(code.co_filename, start + 1, tuple(lines[start:end]), node)
                    return Definition(node, _lambda_name(tree, node), check.owner, text)
    return None


def _lambda_name(tree: ast.AST, function: ast.Lambda) -> str:
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and node.value is function:
            if isinstance(node.targets[0], ast.Name):
                return node.targets[0].id
    return "function"


def _ends(lines: list[str], start: int, last: int) -> Iterator[int]:
    """Where the block that starts at a line may end: before each line indented no deeper.

    Such a line may also stand inside brackets or a string; then what precedes it does not parse.
    """
    depth = _depth(lines[start])
    for index in range(max(start + 1, last), len(lines)):
        stripped = lines[index].strip()
        if stripped and not stripped.startswith("#") and _depth(lines[index]) <= depth:
            yield index
    yield len(lines)


def _depth(line: str) -> int:
    line = line.expandtabs()
    return len(line) - len(line.lstrip())


def _last_line(code: CodeType) -> int:
    last = max((line for _, _, line in code.co_lines() if line), default=0)
    return max([last, *(_last_line(c) for c in code.co_consts if isinstance(c, CodeType))])


def _parse(lines: list[str], start: int, end: int, indent: str) -> ast.Module | None:
    """The lines as a module, places unchanged; None if they do not parse."""
    if indent and not start:
        return None
    head = "\n" * (start - 1) + "if True:\n" if indent else "\n" * start
    try:
        tree = ast.parse(head + "".join(lines[start:end]))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    if indent:
        assert isinstance(tree.body[0], ast.If)
        tree.body = tree.body[0].body
    return tree


def _owner(code: CodeType) -> str | None:
    """The innermost class around a function: in `A.f.<locals>.g` it is `A`."""
    parts = code.co_qualname.split(".")
    for part, following in zip(parts[-2::-1], parts[:0:-1], strict=True):
        if part != "<locals>" and following != "<locals>":
            return part
    return None


class _Check:
    """Whether a definition, compiled where the function sees what it saw, gives its code."""

    def __init__(self, function: FunctionType, lines: list[str]) -> None:
        self.code = function.__code__
        self.globals = function.__globals__
        self.lines = lines
        self.owner = _owner(self.code)

    def agrees(self, node: _Definition, same_place: bool = False) -> bool:
        """`same_place`: also the lines and columns of every instruction."""
        read = {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}
        guess = read & {n for n in read if self.seems_imported(n)}
        if self.agrees_with(node, guess, same_place):
            return True
        imported = read & self.imported
        return imported != guess and self.agrees_with(node, imported, same_place)

    def agrees_with(self, node: _Definition, imported: set[str], same_place: bool) -> bool:
        code = self.code
        compiled = self.compile(node, imported)
        if compiled is None:
            return False
        if same_place and list(compiled.co_positions()) != list(code.co_positions()):
            return False
        if _same_code(compiled, code):
            return True
        # pytest rewrites `assert`: then the other lines must do the same.
        asserts = [n for n in ast.walk(node) if isinstance(n, ast.Assert)]
        if not asserts:
            return False
        rewritten = {k for n in asserts for k in range(n.lineno, (n.end_lineno or n.lineno) + 1)}
        return _operands(compiled, rewritten) == _operands(code, rewritten)

    def compile(self, node: _Definition, imported: set[str]) -> CodeType | None:
        """The code of a definition inside its class and with its free variables bound outside.

        For `name.method()` Python 3.11 to 3.13 make other code if the module imports `name`.
        """
        name = "<lambda>" if isinstance(node, ast.Lambda) else node.name
        free = [n for n in self.code.co_freevars if n.isidentifier()]
        if self.owner:
            free = [n for n in free if n != "__class__"]
        text = f"def scope({', '.join(free)}):\n"
        defined = self.owner or name
        if defined.isidentifier() and defined not in free:
            text += f"  global {defined}\n"
        text += f"  class {self.owner}:\n    0" if self.owner else "  0"
        if imported:
            text = f"import {', '.join(sorted(imported))}\n{text}"
        tree = ast.parse(text)
        block: Any = tree.body[-1]
        block = block.body[-1] if self.owner else block
        block.body = block.body[:-1]
        if isinstance(node, ast.Lambda):
            block.body.append(ast.copy_location(ast.Expr(node), node))
        else:
            block.body.append(node)
        flags = self.code.co_flags & _FUTURES
        try:
            unit = compile(tree, self.code.co_filename, "exec", flags=flags, dont_inherit=True)
        except (SyntaxError, ValueError, RecursionError):
            return None
        return _code_within(unit, name, node.lineno)

    def seems_imported(self, name: str) -> bool:
        """A quick guess: a module, or something that another module defines."""
        value = self.globals.get(name)
        if isinstance(value, ModuleType):
            return True
        return getattr(value, "__module__", None) not in (None, self.globals.get("__name__"))

    @cached_property
    def module(self) -> ast.Module | None:
        """The whole file."""
        return _parse(self.lines, 0, len(self.lines), "")

    @cached_property
    def imported(self) -> set[str]:
        """What the file imports outside of functions and classes."""
        names: set[str] = set()
        pending: list[ast.AST] = [self.module] if self.module is not None else []
        while pending:
            node = pending.pop()
            if isinstance(node, ast.Import | ast.ImportFrom):
                names |= {alias.asname or alias.name.partition(".")[0] for alias in node.names}
            elif not isinstance(node, ast.FunctionDef | ast.ClassDef | ast.expr):
                pending.extend(ast.iter_child_nodes(node))
        return names


def _code_within(code: CodeType, name: str, line: int) -> CodeType | None:
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            if constant.co_name == name and constant.co_firstlineno == line:
                return constant
            if (inner := _code_within(constant, name, line)) is not None:
                return inner
    return None


def _same_code(one: CodeType, other: CodeType) -> bool:
    return (
        one.co_code == other.co_code
        and one.co_names == other.co_names
        and one.co_varnames == other.co_varnames
        and one.co_cellvars == other.co_cellvars
        and one.co_freevars == other.co_freevars
        and one.co_argcount == other.co_argcount
        and one.co_posonlyargcount == other.co_posonlyargcount
        and one.co_kwonlyargcount == other.co_kwonlyargcount
        and one.co_flags & 0x0C == other.co_flags & 0x0C  # *args, **kwargs
        and _same_constant(one.co_consts, other.co_consts)
    )


def _same_constant(one: Any, other: Any) -> bool:
    if type(one) is not type(other):
        return False
    if isinstance(one, CodeType):
        return _same_code(one, other)
    if isinstance(one, tuple):
        return len(one) == len(other) and all(map(_same_constant, one, other))
    if isinstance(one, frozenset):
        return {(type(c), repr(c)) for c in one} == {(type(c), repr(c)) for c in other}
    if isinstance(one, str) and "<locals>" in one:
        # A qualified name, of a class defined inside.
        return one.rpartition("<locals>")[2] == other.rpartition("<locals>")[2]
    return repr(one) == repr(other)  # 0.0 and -0.0 differ, NaN and NaN do not


def _operands(code: CodeType, skip: set[int]) -> dict[int, set[str]]:
    """For each line the names, constants and operators that its instructions use."""
    used: dict[int, set[str]] = {}
    line = code.co_firstlineno
    for instruction in dis.get_instructions(code):
        if instruction.positions is not None and instruction.positions.lineno is not None:
            line = instruction.positions.lineno
        if line in skip:
            continue
        value = instruction.argval
        if isinstance(value, CodeType):
            for inner, operands in _operands(value, skip).items():
                used.setdefault(inner, set()).update(operands)
        elif instruction.opname.startswith(("LOAD", "STORE", "DELETE", "IMPORT", "COMPARE")):
            parts = value if "FAST" in instruction.opname and type(value) is tuple else (value,)
            used.setdefault(line, set()).update(map(repr, parts))
        elif instruction.opname.startswith(("BINARY", "UNARY", "CONTAINS", "IS_")):
            used.setdefault(line, set()).add(instruction.opname + str(instruction.arg))
    return used


def _headers(definition: ast.AST) -> Iterator[tuple[Any, list[Any]]]:
    """Each compound statement with the expressions of its header."""
    for node in ast.walk(definition):
        match node:
            case ast.If() | ast.While():
                yield node, [node.test]
            case ast.For():
                yield node, [node.iter]
            case ast.With():
                item = node.items[-1]
                yield node, [item.optional_vars or item.context_expr]
            case ast.FunctionDef():
                parts = [n for n in ast.walk(node.args) if hasattr(n, "end_lineno")]
                parts += getattr(node, "type_params", [])
                yield node, [*parts, node.returns] if node.returns else parts
