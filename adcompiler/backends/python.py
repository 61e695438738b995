"""Emitted text to a Python function.

The text is registered with `linecache` under a name made of what it is, so that tracebacks, `pdb`,
profilers and `inspect.getsource` see it.
"""

from __future__ import annotations

import ast
import builtins
import hashlib
import linecache
from collections.abc import Callable
from typing import Any

from adcompiler.backends.emit import Emitted


def compile(emitted: Emitted) -> Callable:
    """The function that the text defines; its globals are `emitted.namespace`, not the imports."""
    digest = hashlib.sha256(emitted.text.encode()).hexdigest()[:6]
    filename = f"<adcompiler {emitted.name} {digest}>"
    tree = ast.parse(emitted.text, filename)
    # What was found when the text was written is what it means, whatever is imported by now.
    tree.body = [line for line in tree.body if isinstance(line, ast.FunctionDef)]
    namespace: dict[str, Any] = {"__name__": filename, **emitted.namespace}
    exec(builtins.compile(tree, filename, "exec"), namespace)
    lines = emitted.text.splitlines(keepends=True)
    linecache.cache[filename] = (len(emitted.text), None, lines, filename)
    return namespace[emitted.name]
