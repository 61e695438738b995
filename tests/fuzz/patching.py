"""Changing the compiler for the time of a `with` block: how the seeded defects are put in.

`replaced` puts another object in the place of what a dotted path names; `edited` changes lines
inside a function; `rule_replaced` puts another derivative into the rulebook. Each raises
`LookupError` where what it wants to change is not there (any more), so that no defect fades away
when the compiler changes.
"""

import __future__

import ast
import dataclasses
import importlib
import inspect
import textwrap
from contextlib import contextmanager

from adcompiler.rules import book


def owner_of(path):
    """The module or class that holds what a dotted path names, and the last part of the path."""
    parts = path.split(".")
    for split in range(len(parts) - 1, 0, -1):
        try:
            owner = importlib.import_module(".".join(parts[:split]))
        except ModuleNotFoundError:
            continue
        for part in parts[split:-1]:
            if part not in vars(owner):
                raise LookupError(f"{path}: there is no {part!r}")
            owner = vars(owner)[part]
        if parts[-1] not in vars(owner):
            raise LookupError(f"{path}: there is no {parts[-1]!r}")
        return owner, parts[-1]
    raise LookupError(f"nothing in {path!r} can be imported")


@contextmanager
def replaced(path, new):
    """Put `new` in the place of what a dotted path names: a function, a class' method, a value."""
    owner, name = owner_of(path)
    old = vars(owner)[name]
    setattr(owner, name, new)
    try:
        yield old
    finally:
        setattr(owner, name, old)


@contextmanager
def wrapped(path, make):
    """Put `make(old)` in the place of what a dotted path names."""
    owner, name = owner_of(path)
    with replaced(path, make(vars(owner)[name])) as old:
        yield old


@contextmanager
def edited(path, old, new, times=1):
    """Change the function or method at a dotted path: `new` stands where `old` stood.

    Both are source text: an expression, or statements that follow each other. It is compared as
    syntax, without layout and comments, and must occur exactly so many times. The function itself
    is changed, so it does not matter who has imported it.
    """
    owner, name = owner_of(path)
    function = vars(owner)[name]
    source = _SOURCES.get(function.__code__) or textwrap.dedent(inspect.getsource(function))
    tree = ast.parse(source)
    edit = _Edit(old, new)
    edit.visit(tree)
    if edit.count != times:
        raise LookupError(f"{path}: found {edit.count} times, not {times}: {old}")
    tree.body[0].decorator_list = []
    label = f"<{path}, edited>"
    flags = __future__.annotations.compiler_flag
    code = compile(ast.fix_missing_locations(tree), label, "exec", flags, dont_inherit=True)
    made = {}
    exec(code, function.__globals__, made)
    (changed,) = made.values()
    before, function.__code__ = function.__code__, changed.__code__
    _SOURCES[changed.__code__] = ast.unparse(tree)  # for further edits of the same function
    try:
        yield
    finally:
        function.__code__ = before
        del _SOURCES[changed.__code__]


_SOURCES = {}
"""The text of functions as they are now, by their code."""


class _Edit(ast.NodeTransformer):
    def __init__(self, old, new):
        old, new = ast.parse(textwrap.dedent(old)).body, ast.parse(textwrap.dedent(new)).body
        self.whole = not all(
            len(body) == 1 and isinstance(body[0], ast.Expr) for body in (old, new)
        )
        self.new = new if self.whole else new[0].value
        self.old = [ast.dump(node if self.whole else node.value) for node in old]
        self.count = 0

    def generic_visit(self, node):
        super().generic_visit(node)
        for field in ("body", "orelse") if self.whole else ():
            block = getattr(node, field, None)
            if isinstance(block, list):
                self.statements(block)
        return node

    def statements(self, block):
        """Replace runs of statements, in place."""
        size, at = len(self.old), 0
        while at + size <= len(block):
            if [ast.dump(node) for node in block[at : at + size]] == self.old:
                block[at : at + size] = self.new
                self.count += 1
                at += len(self.new)
            else:
                at += 1

    def visit(self, node):
        node = super().visit(node)
        if not self.whole and isinstance(node, ast.expr) and ast.dump(node) == self.old[0]:
            self.count += 1
            return self.new
        return node


@contextmanager
def rule_replaced(primal, function, **changes):
    """Another function for the derivative of a NumPy function; or another `forward`."""
    key = book.canonical(primal)
    if key not in book.BOOK:
        raise LookupError(f"there is no rule for {primal}")
    old = book.BOOK[key]
    if function is not None:
        if dataclasses.replace(old, function=function).parameters != old.parameters:
            raise LookupError(f"the rule for {primal} has other parameters: {old.parameters}")
        changes["function"] = function
    book.BOOK[key] = dataclasses.replace(old, **changes)
    try:
        yield
    finally:
        book.BOOK[key] = old
