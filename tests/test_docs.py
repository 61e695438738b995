"""The documentation says what the code does: its listings are made by the code, and compared.

A block that follows `<!-- made: name -->` in a file of `docs/` is what `BLOCKS["name"]()` gives: a
fenced listing or a table, up to the next empty line outside a fence. After a change that moves
them, `python -m tests.test_docs --update` writes them anew; read the difference before you keep it.
"""

import ast
import contextlib
import importlib.util
import inspect
import io
import json
import re
import sys
import tempfile
import textwrap
from collections import deque
from pathlib import Path
from unittest import mock

import numpy as np
import pytest

import adcompiler
from adcompiler import AdcompilerError, grad, jvp, vjp
from adcompiler.api.pipeline import derived, derived_forward
from adcompiler.api.signature import signature_of
from adcompiler.api.stages import plain_lengths
from adcompiler.api.transforms import _Forward, _of, _Pullback
from adcompiler.ir.dump import Dump, dump
from adcompiler.ir.nodes import Load, Restore
from adcompiler.ir.resolve import resolve
from adcompiler.passes import saving
from adcompiler.passes.memory import object_classes
from adcompiler.rules import book
from tests import differences
from tests.test_architecture import LAYERS, MODULES, PACKAGE, part_of
from tests.test_saved_values import table as saved_table

DOCS = PACKAGE.parent / "docs"
MARK = re.compile(r"^<!-- made: ([\w.-]+) -->$")


# -- the function that is walked through all stages -----------------------------------------------


def cascade(levels, rate):
    for k in range(1, len(levels)):
        flow = rate * levels[k - 1]
        if flow > levels[k]:
            flow = np.tanh(flow)
        levels[k] += flow
    return levels[-1]


CASCADE = (np.linspace(0.1, 0.9, 5), 0.8)


def condensed(text):
    """A dump with the user's statement beside the first line that stems from it."""
    rows = [line.partition("  # ") for line in plain_lengths(text).splitlines()]
    codes = [code.rstrip() for code, _, _ in rows]
    quotes = [quoted.strip() for _, _, quoted in rows]
    pairs = list(zip(codes, quotes, strict=True))
    width = min(max(len(code) for code, quoted in pairs if quoted), 62)
    lines, before = [], None
    for code, quoted in pairs:
        shown = quoted if quoted != before else ""
        before = quoted or before
        lines.append(f"{code:<{width}}  # {shown}" if shown else code)
    return "\n".join(lines)


class _Shown(Dump):
    """A dump that knows the marks which differentiating leaves for the saving pass."""

    def head(self, statement):
        if isinstance(statement, Restore):
            of = statement.of
            return f"(to restore: {self.place(of.ref, of.path)})"
        return super().head(statement)


def placing(derivative, args):
    """What the saving pass of a derivative meets and decides, as texts."""
    found = {}

    class Watched(saving._Placing):
        def write(self):
            shown = _Shown()
            lines = "".join(f"{line}\n" for line, _ in shown.function(self.function))
            # Above the mirror all is as it was; a reader has just seen it.
            found["mirror"] = lines
            found["demands"] = demands(self, shown)
            super().write()

    with mock.patch.object(saving, "_Placing", Watched):
        derivative.source(*args, stage="adjoint")
    return found


def demands(placing, shown):
    rows = [("value", "made by", "read in the mirror of", "how it gets there"), ("---",) * 4]
    readers = {}
    for value, site in placing.demands():
        text = f"`{site.statement.origin.text.strip()}`" if site.statement else "a whole block"
        readers.setdefault(value, {})[text] = None
    for value, texts in readers.items():
        made = placing.record.definition.get(value)
        by = "a parameter"
        if made is not None:
            by = f"`{shown.head(made).partition(' = ')[2].partition(':')[0]}`"
        elif value in placing.record.indices:
            by = "the loop, as its index"
        shown_value = f"`{shown.operand(value)}`"
        rows.append((shown_value, by, ", ".join(texts), answer(placing, value, made)))
    for statement in placing.undone:
        place = f"what `{shown.place(statement.ref, statement.path)}` held"
        text = f"`{statement.origin.text}`"
        rows.append((place, "an earlier store", text, "undo log: saved, and put back"))
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def answer(placing, value, made):
    if value in placing.saved:
        return "saved in a list"
    if value in placing.kept:
        return "found in the place it was stored to"
    if value in placing.record.indices:
        return "the mirror loop has it"
    if placing.outside_loops(value):
        return "still there: it was made outside of loops"
    return "loaded again" if isinstance(made, Load) else "computed again"


def after_the_loop(text):
    """The mirror alone: all lines from the first that a mirror wrote."""
    lines = text.splitlines()
    first = next(k for k, line in enumerate(lines) if "# reverse of" in line)
    return "\n".join(["    ...", *lines[first:]])


def stage(name):
    return condensed(grad(cascade, argnums=(0, 1)).source(*CASCADE, stage=name))


def objects():
    """The IR as the resolver leaves it."""
    signature = signature_of(["levels", "rate"], CASCADE, {}, frozenset())
    function, _, _ = resolve(
        cascade,
        signature.args,
        signature.keywords,
        signature.leaves,
        object_classes,
        derived,
        derived_forward,
    )
    return condensed(dump(function))


def fenced(text, language=""):
    text = "\n".join(line.rstrip() for line in text.strip("\n").split("\n"))
    return f"```{language}\n{text}\n```"


def source_of(function):
    return textwrap.dedent(inspect.getsource(function))


# -- programs whose derivatives were worked out on paper before there was code ---------------------


def gauss_seidel(u, f, sweeps):
    for _ in range(sweeps):
        for i in range(1, len(u) - 1):
            u[i] = 0.5 * (u[i - 1] + u[i + 1] - f[i])
    return u @ u


def log_det(A):
    n = len(A)
    for k in range(n):
        for i in range(k + 1, n):
            A[i, k] /= A[k, k]
            for j in range(k + 1, n):
                A[i, j] -= A[i, k] * A[k, j]
    total = 0.0
    for k in range(n):
        total += np.log(A[k, k])
    return total


def root(a):
    x = a
    while True:
        step = (x * x - a) / (2.0 * x)
        if abs(step) < 1e-9:
            break
        x = x - step
    return x


def scaled_rows(A):
    s = 0.0
    for i in range(len(A)):
        row = A[i]
        row *= 2
        s += row @ row
    return s


def orbit(x, steps):
    states = []
    for _ in range(steps):
        x = x + 0.1 * np.sin(x)
        states.append(x)
    return np.sum(np.stack(states) ** 2)


def either(x):
    a = np.zeros_like(x)
    if x[0] > 0:
        v = a
    else:
        v = 2 * x
    v[0] = x[1] * x[1]
    return np.sum(v * x) + a[0]


def collapse(a, depth):
    if depth == 0:
        return a[0] * a[0]
    a[depth - 1] = a[depth] * a[depth - 1]
    return collapse(a, depth - 1) + a[depth]


_U = np.array([0.9, -1.2, 0.4, 1.7, -0.6])
_A = np.array([[4.0, 1.0, 0.5, 0.2], [0.3, 5.0, 1.0, 0.4], [0.7, 0.1, 3.0, 1.0], [1, 2, 0.5, 6.0]])
PAPER = {
    gauss_seidel: (_U, _U[::-1].copy(), 3),
    log_det: (_A,),
    root: (2.0,),
    scaled_rows: (_A,),
    orbit: (_U, 3),
    either: (np.array([-1.0, 2.0, 3.0]),),
    collapse: (_U, 3),
}
"""The programs, with arguments; all arguments that are floats are differentiated."""


def argnums_of(args):
    return tuple(k for k, arg in enumerate(args) if differences.is_differentiable(arg))


def saved_in(text):
    """What emitted code saves: `expression` for each append to a list of saved values."""
    found = []
    for line in text.splitlines():
        append = re.match(r"( *)(\w+_saved\w*)\.append\((.*)\)$", line)
        if append:
            found.append(f"`{append[3]}`")
    for function in ast.parse(text).body:
        if isinstance(function, ast.FunctionDef) and function.name.endswith("_forward"):
            kept = ast.unparse(function.body[-1].value.elts[-1]).strip("()")
            found.append(f"on each call `{kept}`")
    return ", ".join(dict.fromkeys(found)) or "nothing"


def lists_in(text):
    """How many lists of saved values emitted code fills."""
    return len(re.findall(r"^ *\w+_saved\w*\.append\(", text, re.M))


def agreement(derive, args, argnums):
    """Whether `derive(args, along)` is the slope that differences give, along some direction."""
    function, product = derive
    still = differences.still(args)
    chosen = differences.random_direction(args, np.random.default_rng(3))
    along = tuple(chosen[k] if k in argnums else still[k] for k in range(len(args)))
    slope = differences.slope(function, args, along)
    assert slope.reliable, slope.why
    return "yes" if slope.agrees(product(differences.fresh(args), along)) else "**no**"


def tangents(args, along):
    return tuple(0 if step is None else step for step in along)


def paper_row(function, args):
    argnums = argnums_of(args)
    gradient = grad(function, argnums=argnums)

    def slope(args, along):
        bars = gradient(*args)
        return [sum(np.sum(bars[n] * np.asarray(along[k])) for n, k in enumerate(argnums))]

    first = agreement((function, slope), args, argnums)
    row = [f"`{function.__name__}`", saved_in(gradient.source(*args)), first]
    try:
        row += second_order(gradient, args, argnums)
    except AdcompilerError as error:
        row += [f"refused: {error.message}", ""]
    return row


def second_order(gradient, args, argnums):
    def forward(args, along):
        return differences.flat(jvp(gradient, args, tangents(args, along))[1])

    def weighted(*args):
        return sum(np.sum(np.cos(bar) * bar) for bar in gradient(*args))

    def backward(args, along):
        bars, pullback = vjp(gradient, *args)
        seeds = tuple(np.cos(bar) - np.sin(bar) * bar for bar in bars)
        back = pullback(seeds)
        return [sum(np.sum(back[k] * np.asarray(along[k])) for k in argnums)]

    agree = [
        agreement((gradient, forward), args, argnums),
        agreement((weighted, backward), args, argnums),
    ]
    texts = [_of(way, gradient, "numpy").source(*args) for way in (_Forward, _Pullback)]
    return [" and ".join(str(lists_in(text)) for text in texts), ", ".join(agree)]


def paper_table():
    head = (
        "program",
        "its gradient saves",
        "right?",
        "lists that second derivatives save",
        "right?",
    )
    rows = [head, ("---",) * len(head)]
    rows += [paper_row(function, args) for function, args in PAPER.items()]
    return "\n".join(f"| {' | '.join(row)} |".replace("|  |", "| |") for row in rows)


def emitted(function):
    args = PAPER[function]
    text = grad(function, argnums=argnums_of(args)).source(*args)
    return f"{fenced(source_of(function), 'python')}\n{fenced(text, 'python')}"


# -- what a rule costs ----------------------------------------------------------------------------


def growth(x, w, n):
    for _ in range(n):
        x = x * w
    return x


def slices_table():
    rows = ["| differentiated | saved on each trip |", "| --- | --- |"]
    for argnums, names in ((0, "`x`"), (1, "`w`"), ((0, 1), "`x` and `w`")):
        text = grad(growth, argnums=argnums).source(2.0, 1.1, 4)
        rows.append(f"| {names} | {saved_in(text)} |")
    return "\n".join(rows)


# -- the map --------------------------------------------------------------------------------------


def module_map():
    """The modules from the top, with the first line of what they say of themselves."""
    rows = ["| module | |", "| --- | --- |"]
    for parts in reversed(LAYERS):
        for name, path in MODULES.items():
            if part_of(name) not in parts:
                continue
            docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
            if docstring:
                line = docstring.split("\n\n")[0].replace("\n", " ").replace("|", "\\|")
                rows.append(f"| `{path.relative_to(PACKAGE).as_posix()}` | {line} |")
    return "\n".join(rows)


def layers():
    there = {part_of(name) for name in MODULES}
    rows = [sorted(parts & there) for parts in reversed(LAYERS)]
    lines = [", ".join(f"`{part or 'adcompiler'}`" for part in row) for row in rows if row]
    return "\n".join(f"{k}. {line}" for k, line in enumerate(lines, 1))


# -- what is refused ------------------------------------------------------------------------------


class Node:
    def __init__(self, value):
        self.value = value


def grown(x):
    nodes = []
    while len(nodes) < x:
        nodes.append(Node(x * len(nodes)))
    for node in nodes:
        node.value = 2 * node.value
    return nodes[1].value


def queued(x):
    waiting = deque([x, 2 * x])
    return waiting.popleft()


_, PULLBACK = vjp(lambda x: x**3, 2.0)


def pulled(x):
    return PULLBACK(x)[0] ** 2


LIMITS = {
    "changing an object that a list of unknown length holds": (grown, (2.0,)),
    "a `collections.deque`": (queued, (2.0,)),
    "a pullback that was made outside": (pulled, (2.0,)),
    "recursion, differentiated twice": (collapse, PAPER[collapse]),
}


def missing():
    """Names of the design that are no module and no function yet."""
    designed = ["stop_gradient", "checkpoint", "insert_grad_of", "tape", "optim", "nn"]
    names = [f"`{n}`" for n in designed if not hasattr(adcompiler, n) and f"adcompiler.{n}" not in
             MODULES]  # fmt: skip
    if not any(name.startswith("adcompiler.backends.native") for name in MODULES):
        names.append("the native backend")
    return f"Not there yet: {', '.join(names)}." if names else "All of its parts are there."


def limits_table():
    rows = ["| what | what it says | why |", "| --- | --- | --- |"]
    for what, (function, args) in LIMITS.items():
        derivative = grad(function)
        try:
            if function is collapse:
                jvp(derivative, args, (np.ones_like(args[0]), 0))
            else:
                derivative(*args)
            says, why = "nothing: it works", ""
        except AdcompilerError as error:
            says, why = error.message, error.reason
        rows.append(f"| {what} | {says} | {why} |".replace("|  |", "| |"))
    return "\n".join(rows)


# -- the guide to new operations ------------------------------------------------------------------


def guide():
    """The listings of `adding_an_operation.md` that are to be run, as one program."""
    text = (DOCS / "adding_an_operation.md").read_text(encoding="utf-8")
    parts = re.findall(r"<!-- run -->\n```python\n(.*?)```", text, re.DOTALL)
    return "\n\n".join(parts)


def run_guide(folder):
    path = Path(folder) / "orbits.py"
    path.write_text(guide(), encoding="utf-8")
    spec = importlib.util.spec_from_file_location("orbits", path)
    module = importlib.util.module_from_spec(spec)
    with mock.patch.dict(sys.modules, {"orbits": module}):
        spec.loader.exec_module(module)
        module.text = module.derivative.source(*module.POINT)
    return module


@contextlib.contextmanager
def rulebook_as_it_was():
    before = dict(book.BOOK)
    try:
        yield
    finally:
        for key in set(book.BOOK) - set(before):
            del book.BOOK[key]


def guide_emitted():
    with tempfile.TemporaryDirectory() as folder, rulebook_as_it_was():
        return fenced(run_guide(folder).text, "python")


# -- the native backend ---------------------------------------------------------------------------


def smooth(u, rate, steps):
    for _ in range(steps):
        u[1:-1] += rate * (u[2:] - 2 * u[1:-1] + u[:-2])
    return np.sum(u * u)


def loops():
    with mock.patch.dict("os.environ", ADCOMPILER_DISABLE_JIT="1"):
        return grad(smooth, argnums=(0, 1), backend="numba").source(np.ones(8), 0.1, 5)


# -- the notebook ---------------------------------------------------------------------------------


def cell(name):
    """A cell of the notebook about the two ways, as it is stored."""
    path = PACKAGE.parent / "examples" / "notebooks" / "two_ways.ipynb"
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    (found,) = (cell for cell in cells if cell["id"] == name)
    return found


def code_of(name):
    return fenced("".join(cell(name)["source"]), "python")


def output_of(name, language=""):
    """What a cell prints; tests/test_notebooks.py compares it with what it prints now."""
    text = "".join(line for output in cell(name)["outputs"] for line in output["text"])
    return fenced(text.replace("\n\n\n", "\n\n"), language)


BLOCKS = {
    "walk.source": lambda: fenced(source_of(cascade), "python"),
    "walk.tree": lambda: fenced(
        grad(cascade, argnums=(0, 1)).source(*CASCADE, stage="tree"), "python"
    ),
    "walk.root-tree": lambda: fenced(grad(root).source(2.0, stage="tree"), "python"),
    "walk.objects": lambda: fenced(objects()),
    "walk.memory": lambda: fenced(stage("ir")),
    "walk.mirror": lambda: fenced(
        condensed(after_the_loop(placing(grad(cascade, argnums=(0, 1)), CASCADE)["mirror"]))
    ),
    "walk.demands": lambda: placing(grad(cascade, argnums=(0, 1)), CASCADE)["demands"],
    "walk.adjoint": lambda: fenced(stage("adjoint")),
    "walk.optimised": lambda: fenced(
        condensed(after_the_loop(grad(cascade, argnums=(0, 1)).source(*CASCADE, stage="optimised")))
    ),
    "walk.python": lambda: fenced(grad(cascade, argnums=(0, 1)).source(*CASCADE), "python"),
    "rules.growth": lambda: fenced(source_of(growth), "python"),
    "rules.slices": slices_table,
    "paper.table": paper_table,
    **{f"paper.{f.__name__}": (lambda f=f: emitted(f)) for f in PAPER},
    **{f"paper.{f.__name__}.source": (lambda f=f: fenced(source_of(f), "python")) for f in PAPER},
    "saved.table": saved_table,
    "limits": limits_table,
    "limits.missing": missing,
    "map.layers": layers,
    "map.modules": module_map,
    "guide.emitted": guide_emitted,
    "native.smooth": lambda: fenced(source_of(smooth), "python"),
    "native.smooth.loops": lambda: fenced(loops(), "python"),
    "two_ways.loop.code": lambda: code_of("loop"),
    "two_ways.loop-adjoint": lambda: output_of("loop-adjoint", "python"),
    "two_ways.loop-graph": lambda: output_of("loop-graph"),
    "two_ways.network.code": lambda: code_of("network"),
    "two_ways.network-adjoint": lambda: output_of("network-adjoint", "python"),
    "two_ways.network-graph": lambda: output_of("network-graph"),
    "two_ways.limits.code": lambda: code_of("limits"),
    "two_ways.limits": lambda: output_of("limits"),
}


# -- reading and writing the documents ------------------------------------------------------------


def documents():
    return sorted(DOCS.glob("*.md"))


def pieces(text):
    """The document in pieces `(name or None, lines)`: what is written by hand, and the blocks."""
    lines = text.split("\n")
    at, found, plain = 0, [], []
    while at < len(lines):
        mark = MARK.match(lines[at])
        plain.append(lines[at])
        at += 1
        if not mark:
            continue
        found.append((None, plain))
        plain, block, inside = [], [], False
        while at < len(lines) and (inside or lines[at].strip()):
            inside ^= lines[at].startswith("```")
            block.append(lines[at])
            at += 1
        found.append((mark[1], block))
    return [*found, (None, plain)]


def updated(text):
    lines = []
    for name, piece in pieces(text):
        lines += piece if name is None else BLOCKS[name]().split("\n")
    return "\n".join(lines)


def block_names():
    return [
        (path.name, name)
        for path in documents()
        for name, _ in pieces(path.read_text(encoding="utf-8"))
        if name
    ]


@pytest.mark.parametrize(("document", "name"), block_names())
def test_listing_is_what_the_code_gives(document, name):
    text = (DOCS / document).read_text(encoding="utf-8")
    (written,) = [lines for n, lines in pieces(text) if n == name]
    assert "\n".join(written) == BLOCKS[name](), (
        "the code gives something else now: python -m tests.test_docs --update"
    )


def test_derivatives_of_the_paper_programs_are_right():
    assert "**no**" not in paper_table()


def test_every_listing_is_used():
    unused = set(BLOCKS) - {name for _, name in block_names()}
    assert not {name for name in unused if not name.startswith("paper.")}


def test_guide_to_operations_runs(tmp_path):
    count = len(book.BOOK)
    with rulebook_as_it_was():
        run_guide(tmp_path)
        assert len(book.BOOK) > count, "the guide registers rules"
    assert len(book.BOOK) == count


def anchors(path):
    """How the headings of a document are linked to."""
    headings = re.findall(r"^#+ (.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    plain = [re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings]
    return {heading.replace(" ", "-") for heading in plain}


@pytest.mark.parametrize("path", documents(), ids=lambda path: path.name)
def test_links_lead_somewhere(path):
    text = re.sub(r"```.*?```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if "://" in target:
            continue
        file, _, anchor = target.partition("#")
        to = (path.parent / file).resolve() if file else path
        assert to.exists(), target
        if anchor:
            assert anchor in anchors(to), target


def test_index_lists_every_document():
    index = (DOCS / "README.md").read_text(encoding="utf-8")
    for path in documents():
        assert path.name == "README.md" or f"({path.name})" in index, path.name


@pytest.mark.parametrize("path", documents(), ids=lambda path: path.name)
def test_named_files_and_functions_exist(path):
    """`passes/saving.py` is a file, and `place()` a function somewhere in the package."""
    text = re.sub(r"```.*?```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    for name in re.findall(r"`((?:\w+/)+\w+\.py)`", text):
        assert (PACKAGE / name).exists() or (PACKAGE.parent / name).exists(), name
    package = "\n".join(p.read_text(encoding="utf-8") for p in MODULES.values())
    for name in re.findall(r"`(?:\w+\.)*(\w+)\(\)`", text):
        assert re.search(rf"(def|class) {name}\b", package), name


def main():
    for path in documents():
        before = path.read_text(encoding="utf-8")
        after = updated(before)
        changed = before != after
        if changed and "--update" in sys.argv[1:]:
            path.write_text(after, encoding="utf-8")
        print(f"{path.name}: {'changed' if changed else 'as it was'}")


if __name__ == "__main__":
    main()


def test_the_readme_shows_what_it_prints(tmp_path):
    text = (PACKAGE.parent / "README.md").read_text("utf-8")
    program, printed = re.findall(r"```python\n(.*?)```", text, re.DOTALL)[:2]
    path = tmp_path / "shown.py"
    path.write_text(program)
    spec = importlib.util.spec_from_file_location("shown", path)
    module = importlib.util.module_from_spec(spec)
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        spec.loader.exec_module(module)
    assert said.getvalue().rstrip("\n") == printed.rstrip("\n")
