"""Python `ast` to text.

`astunparse` lays out statements and blocks; every expression goes to `ast.unparse`.  Two plain
attributes of a statement are printed too (`annotate`): `above`, the lines of a comment, and
`blank`, whether an empty line comes first.  Lines over 100 columns are broken inside brackets.

>>> tree = ast.parse("if x:\\n    y = a[:, 0]\\nelse:\\n    y = (-2) ** 2")
>>> annotate(tree.body[0], above=["y = first column"])
>>> print(print_module(tree), end="")
# y = first column
if x:
    y = a[:, 0]
else:
    y = (-2) ** 2
"""

from __future__ import annotations

import ast
import io
import textwrap
from collections.abc import Sequence

import astunparse

WIDTH = 100


def annotate(
    node: ast.stmt, above: Sequence[str] = (), blank: bool = False, docstring: bool = False
) -> None:
    """Say how the statement is to be printed."""
    node.__dict__.update(above=above, blank=blank, docstring=docstring)


def print_module(tree: ast.Module) -> str:
    """The text of the module, with a newline at its end."""
    file = io.StringIO()
    Printer(tree, file).end()
    return file.getvalue().lstrip("\n")


class Printer(astunparse.Unparser):
    """`astunparse.Unparser`, which writes a line when the next one begins."""

    def __init__(self, tree: ast.Module, file: io.StringIO) -> None:
        self.line = ""
        self.out = file
        super().__init__(tree, io.StringIO())

    def end(self) -> None:
        self.flush()
        self.line = ""

    def flush(self) -> None:
        if self.line:
            for line in wrap(self.line):
                self.out.write(f"{line}\n")

    def fill(self, text: str = "") -> None:
        self.flush()
        self.line = "    " * self._indent + text

    def write(self, text: str) -> None:
        self.line += text.lstrip("\n") if not self.line else text

    def dispatch(self, tree: ast.AST | list) -> None:
        if isinstance(tree, ast.expr):
            self.write(expression(tree))
            return
        if isinstance(tree, ast.stmt):
            self.comment(tree)
        super().dispatch(tree)

    def comment(self, tree: ast.stmt) -> None:
        above = getattr(tree, "above", ())
        if getattr(tree, "blank", False) or above:
            self.flush()
            self.line = ""
        if getattr(tree, "blank", False):
            self.out.write("\n")
        for text in above:
            self.out.write(f"{'    ' * self._indent}# {text}".rstrip() + "\n")

    # Statements that print other than `astunparse` has them.

    def bare(self, tree: ast.expr) -> None:
        """An expression, a tuple without its parentheses."""
        if isinstance(tree, ast.Tuple) and len(tree.elts) > 1:
            self.write(", ".join(map(expression, tree.elts)))
        else:
            self.dispatch(tree)

    def _Assign(self, t: ast.Assign) -> None:
        self.fill()
        for target in t.targets:
            self.bare(target)
            self.write(" = ")
        self.bare(t.value)

    def _Return(self, t: ast.Return) -> None:
        self.fill("return")
        if t.value is not None:
            self.write(" ")
            self.bare(t.value)

    def _Expr(self, t: ast.Expr) -> None:
        if getattr(t, "docstring", False):
            self.docstring(ast.literal_eval(t.value))
        else:
            self.fill()
            self.dispatch(t.value)

    def docstring(self, text: str) -> None:
        self.flush()
        self.line = ""
        indent = "    " * self._indent
        text = text.replace("\\", "\\\\").replace('"""', '\\"\\"\\"')
        if text.endswith('"'):
            text = text[:-1] + '\\"'
        first, *rest = text.split("\n")
        room = WIDTH - len(indent) - 6
        first, *wrapped = textwrap.wrap(first, room, break_long_words=False) or [""]
        rest = wrapped + [
            part
            for line in rest
            for part in ([line] if len(line) <= room else textwrap.wrap(line, room))
        ]
        lines = [first, *(f"{indent}{line}".rstrip() for line in rest)]
        closing = f'\n{indent}"""' if rest else '"""'
        self.out.write(f'{indent}"""' + "\n".join(lines) + closing + "\n")

    def _FunctionDef(self, t: ast.FunctionDef) -> None:
        self.flush()
        self.line = ""
        self.out.write("\n\n")
        self.fill(f"def {t.name}({', '.join(arg.arg for arg in t.args.args)})")
        self.enter()
        self.dispatch(t.body)
        self.leave()

    def _If(self, t: ast.If) -> None:
        self.header("if ", t)
        while len(t.orelse) == 1 and isinstance(t.orelse[0], ast.If):
            t = t.orelse[0]
            self.comment(t)
            self.header("elif ", t)
        if t.orelse:
            self.fill("else")
            self.enter()
            self.dispatch(t.orelse)
            self.leave()

    def header(self, word: str, t: ast.If) -> None:
        self.fill(word)
        self.dispatch(t.test)
        self.enter()
        self.dispatch(t.body)
        self.leave()


def expression(tree: ast.expr) -> str:
    """The text of an expression, with strings in double quotes where that is plain."""
    text = ast.unparse(tree)
    if "'" in text and '"' not in text and "\\" not in text:
        return text.replace("'", '"')
    return text


def wrap(line: str) -> list[str]:
    """A line of code as lines of at most `WIDTH` columns, if it has brackets to break inside.

    >>> for part in wrap("total = function(" + ", ".join(["argument"] * 12) + ")"):
    ...     print(part)
    total = function(
        argument, argument, argument, argument, argument, argument, argument, argument, argument,
        argument, argument, argument
    )
    """
    return _wrap(line, whole=True)


def _wrap(line: str, whole: bool) -> list[str]:
    """`whole`: the line is a statement, not a part of one that stands in brackets."""
    if len(line) <= WIDTH:
        return [line]
    groups, breaks = _structure(line)
    widest = max((close - start for start, close in groups), default=0)
    if whole and widest < len(line.strip()) // 2:
        line = _bracketed(line)
        groups, breaks = _structure(line)
    if not groups:
        return [line]
    start, close = max(groups, key=lambda group: group[1] - group[0])
    indent = line[: len(line) - len(line.lstrip())] + "    "
    inside = [k for k in breaks if start < k < close]
    pieces = []
    at = start + 1
    for k in [*inside, close]:
        pieces.append(line[at:k].strip())
        at = k
    lines = [line[: start + 1]]
    packed = ""
    for piece in filter(None, pieces):
        if packed and len(indent) + len(packed) + 1 + len(piece) <= WIDTH:
            packed = f"{packed} {piece}"
        else:
            if packed:
                lines += _wrap(indent + packed, whole=False)
            packed = piece
    if packed:
        lines += _wrap(indent + packed, whole=False)
    lines.append(indent[:-4] + line[close:])
    return lines


def _structure(line: str) -> tuple[list[tuple[int, int]], list[int]]:
    """The outermost pairs of brackets, and the places after the commas directly inside them."""
    groups, breaks = [], []
    depth = start = 0
    quote = ""
    k = 0
    while k < len(line):
        c = line[k]
        if quote:
            if c == "\\":
                k += 1
            elif line.startswith(quote, k):
                k += len(quote) - 1
                quote = ""
        elif c in "\"'":
            quote = c * 3 if line.startswith(c * 3, k) else c
            k += len(quote) - 1
        elif c in "([{":
            if depth == 0:
                start = k
            depth += 1
        elif c in ")]}":
            depth -= 1
            if depth == 0:
                groups.append((start, k))
        elif c == "," and depth == 1:
            breaks.append(k + 1)
        elif depth == 1 and line[start] == "(" and line.startswith((" + ", " - "), k):
            breaks.append(k)
        k += 1
    return groups, breaks


def _bracketed(line: str) -> str:
    """`x = (...)`, `return (...)`: brackets to break the line in, where it has none."""
    text = line.lstrip()
    if text.startswith("return "):
        return line.replace("return ", "return (", 1) + ")"
    head, sign, value = line.partition(" = ")
    if sign and not any(c in head for c in "\"'(["):
        return f"{head} = ({value})"
    return line
