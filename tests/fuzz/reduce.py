"""Makes a program smaller while something about it stays true.

`reduced(source, still)` tries edits of the syntax tree, large ones first: drop statements (whole
functions and classes among them), cases, handlers and conditions, replace a block by its body, then
replace an expression by one of its parts or by a constant. It keeps an edit if `still(new_source)`
holds, until no edit is left that does.
"""

import ast
import copy
import time

SECONDS = 120
"""Time after which no further edit is tried."""

SMALL = ("1.0", "0.5", "0")

PARTS = ("cases", "handlers", "decorator_list", "bases", "ifs")
"""Lists in the syntax tree of which an item may be left out."""


def reduced(source, still, seconds=SECONDS):
    """The smallest source found for which `still` holds, as it does for `source`."""
    end = time.monotonic() + seconds
    tree = ast.parse(source)
    improved = True
    while improved:
        improved = False
        for edits in (_statement_edits, _expression_edits):
            position = 0
            while time.monotonic() < end:
                candidate = copy.deepcopy(tree)
                edit = _edit_at(edits(candidate), position)
                if edit is None:
                    break
                edit()
                text = _text(candidate)
                if text is None or len(text) >= len(_text(tree)):
                    position += 1
                    continue
                if still(text):
                    tree, improved = candidate, True
                else:
                    position += 1
    return _text(tree)


def _edit_at(edits, position):
    for number, edit in enumerate(edits):
        if number == position:
            return edit
    return None


def _text(tree):
    try:
        text = ast.unparse(ast.fix_missing_locations(tree)) + "\n"
        ast.parse(text)
    except (SyntaxError, ValueError, AttributeError):
        return None
    return text


def _blocks(tree):
    """Every list of statements, outer ones first, each with its owner and field."""
    for node in ast.walk(tree):
        for field in ("body", "orelse", "finalbody"):
            block = getattr(node, field, None)
            if isinstance(block, list) and block and isinstance(block[0], ast.stmt):
                yield node, field, block


def _statement_edits(tree):
    """Edits that drop or unwrap statements; later ones first, as less depends on them."""
    for node, field, block in _blocks(tree):
        for size in (8, 4, 2, 1):
            if size > len(block):
                continue
            for start in range(len(block) - size, -1, -1):
                yield lambda b=block, n=node, f=field, s=start, k=size: _drop(n, f, b, s, k)
    for _, _, block in _blocks(tree):
        for position, statement in enumerate(block):
            for inner in _inner_blocks(statement):
                yield lambda b=block, p=position, i=inner: b.__setitem__(slice(p, p + 1), i)
    for node in ast.walk(tree):
        for field in PARTS:
            parts = getattr(node, field, None)
            for position in range(len(parts) if isinstance(parts, list) else 0):
                yield lambda parts=parts, p=position: parts.__delitem__(p)


def _inner_blocks(statement):
    """The blocks of a statement that may stand in its place."""
    if isinstance(statement, (ast.FunctionDef, ast.ClassDef)):
        return []
    owners = [statement, *getattr(statement, "cases", ()), *getattr(statement, "handlers", ())]
    found = [
        getattr(owner, field, None) for owner in owners for field in ("body", "orelse", "finalbody")
    ]
    return [block for block in found if isinstance(block, list)]


def _drop(node, field, block, start, size):
    del block[start : start + size]
    if not block and field == "body" and not isinstance(node, ast.Module):
        block.append(ast.Pass())


def _expression_edits(tree):
    """Edits that put a part of an expression, or a constant, in its place."""
    for node in ast.walk(tree):
        for field, value in ast.iter_fields(node):
            if field in ("func", "ctx", "op", "args") and isinstance(node, (ast.FunctionDef,)):
                continue
            if isinstance(value, ast.expr) and _may_replace(node, field):
                for new in _smaller(value):
                    yield lambda n=node, f=field, new=new: setattr(n, f, new)
            elif isinstance(value, list):
                for position, item in enumerate(value):
                    if isinstance(item, ast.expr) and _may_replace(node, field):
                        for new in _smaller(item):
                            yield lambda v=value, p=position, new=new: v.__setitem__(p, new)
                        if isinstance(node, (ast.List, ast.Tuple)) and len(value) > 1:
                            yield lambda v=value, p=position: v.__delitem__(p)
                    elif isinstance(item, ast.keyword) and isinstance(node, ast.Call):
                        yield lambda v=value, p=position: v.__delitem__(p)


def _may_replace(node, field):
    """Whether an expression there may become another one: not a target, not what is called."""
    if isinstance(node, (ast.Assign, ast.For)) and field in ("targets", "target"):
        return False
    if isinstance(node, (ast.AugAssign, ast.NamedExpr)) and field == "target":
        return False
    if isinstance(node, ast.Call) and field == "func":
        return False
    if isinstance(node, (ast.Attribute, ast.FunctionDef, ast.ClassDef, ast.arguments)):
        return False
    if isinstance(node, ast.AnnAssign):
        return False
    return not isinstance(node, ast.Constant)


def _smaller(expression):
    """What may stand in the place of an expression: its parts, then constants."""
    if isinstance(expression, (ast.Constant, ast.Slice)):
        return
    for part in ast.iter_child_nodes(expression):
        if isinstance(part, ast.expr) and not _is_module(part) and not isinstance(part, ast.Slice):
            yield part
        if isinstance(part, ast.comprehension):
            yield part.iter
    if isinstance(expression, ast.Call) and isinstance(expression.func, ast.Attribute):
        if not _is_module(expression.func.value):
            yield expression.func.value
    if not isinstance(expression, (ast.Name, ast.Tuple)):
        for text in SMALL:
            yield ast.Constant(ast.literal_eval(text))
    if isinstance(expression, ast.Name) and expression.id not in ("np", "math"):
        yield ast.Constant(1.0)


def _is_module(expression):
    """`np`, `math`, or a function of theirs."""
    while isinstance(expression, ast.Attribute):
        expression = expression.value
    return isinstance(expression, ast.Name) and expression.id in ("np", "math")
