"""Compare emitted gradients with gradients written by hand, in time and in size.

    python benchmarks/by_hand/run.py                  # all eight functions
    python benchmarks/by_hand/run.py --quick LU MLP   # fewer rounds, two functions

Every contender's gradient is first compared with the one by hand; one that differs is reported, not
timed, and the exit status is 1. Times are medians of ratios in one interleaved run, on one thread.
"""

import argparse
import ast
import copy
import math
import os
import statistics
import sys
from pathlib import Path

if __name__ == "__main__":  # NumPy and JAX look at these when they are imported
    for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(variable, "1")
    os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false")

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benchmarks.by_hand import FUNCTIONS, rivals
from benchmarks.interleave import duration, interleave, ratio

HAND, CALLED, BARE = "by hand", "adcompiler", "adcompiler, bare"
AUTOGRAD, JAX = "autograd", "JAX, no jit"
CONTENDERS = (CALLED, BARE, AUTOGRAD, JAX)


def leaves(gradient):
    """Return the arrays of a gradient as a flat list, whatever tuples it is made of."""
    if isinstance(gradient, tuple | list):
        return [leaf for part in gradient for leaf in leaves(part)]
    return [np.asarray(gradient)]


def agree(gradient, reference):
    """Say whether two gradients are equal up to rounding."""
    ours, theirs = leaves(gradient), leaves(reference)
    return len(ours) == len(theirs) and all(
        a.shape == b.shape and np.allclose(a, b, rtol=1e-8, atol=1e-10 * (1 + np.abs(b).max()))
        for a, b in zip(ours, theirs, strict=True)
    )


def count_nodes(function):
    """Count the AST nodes in the body of an `ast.FunctionDef`, docstrings excepted."""
    for node in ast.walk(function):
        if isinstance(node, ast.FunctionDef) and ast.get_docstring(node) is not None:
            node.body = node.body[1:]
    return sum(1 for statement in function.body for _ in ast.walk(statement))


def functions_of(source):
    """Return the functions that `source` defines at its top level, by name."""
    return {node.name: node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)}


def reached(functions, name):
    """Return the names of those among `functions` that `name` calls, itself included."""
    seen, todo = set(), [name]
    while todo:
        name = todo.pop()
        if name not in seen:
            seen.add(name)
            inside = {n.id for n in ast.walk(functions[name]) if isinstance(n, ast.Name)}
            todo.extend(inside & functions.keys())
    return seen


def hand_nodes(module):
    """Count the nodes of the gradient by hand and its helpers, but not of the primal's own."""
    functions = functions_of(Path(module.__file__).read_text())
    written = reached(functions, "gradient") - reached(functions, "primal")
    return sum(count_nodes(functions[name]) for name in written)


def emitted_nodes(source):
    """Count the nodes of all functions in an emitted source."""
    return sum(count_nodes(function) for function in functions_of(source).values())


def compiled_contenders(module, args):
    """Return {name: (function, args)} of adcompiler's gradient, and its source or None."""
    from adcompiler import grad

    derivative = grad(module.primal, argnums=module.argnums)
    derivative(*args)
    contenders = {CALLED: (derivative, args)}
    compiled = getattr(derivative, "compiled", None)
    if compiled is not None:
        contenders[BARE] = compiled(*args), args
    source = getattr(derivative, "source", None)
    return contenders, source(*args) if source is not None else None


def rival_contenders(module, args):
    """Yield a function for each rival that returns its {name: (function, args)}."""
    yield AUTOGRAD, lambda: {AUTOGRAD: (rivals.autograd_gradient(module), args)}
    yield JAX, lambda: {JAX: (rivals.jax_gradient(module), rivals.jax_inputs(args))}


def first_line(error):
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[0]}" if text else type(error).__name__


class Comparison:
    """What was found out about one function; `notes` says what is missing and why."""

    def __init__(self, title, module):
        self.title, self.module = title, module
        self.args = module.inputs(module.typical)
        self.contenders = {HAND: (module.gradient, self.args)}
        self.nodes, self.source = hand_nodes(module), None
        self.notes, self.wrong = [], False
        self.times = {}

    def gather(self):
        """Collect the contenders that are installed, work, and agree with the one by hand."""
        reference = self.module.gradient(*self.args)
        offers = [(CALLED, self._compile), *rival_contenders(self.module, self.args)]
        for name, offer in offers:
            try:
                found = offer()
            except ImportError as error:
                self.notes.append(f"{name} skipped ({first_line(error)})")
            except Exception as error:
                self.notes.append(f"{name} failed on {self.title}: {first_line(error)}")
                self.wrong = True
            else:
                for name, contender in found.items():
                    self._admit(name, contender, reference)

    def _compile(self):
        found, self.source = compiled_contenders(self.module, self.args)
        return found

    def _admit(self, name, contender, reference):
        function, args = contender
        before = copy.deepcopy(args)
        try:
            same = agree(function(*args), reference)
        except Exception as error:
            self.notes.append(f"{name} failed on {self.title}: {first_line(error)}")
            self.wrong = True
            return
        if not all(np.array_equal(a, b) for a, b in zip(args, before, strict=True)):
            for kept, original in zip(args, before, strict=True):
                if isinstance(kept, np.ndarray):
                    kept[...] = original
            self.notes.append(f"{name} on {self.title} changes its arguments: not timed")
            self.wrong |= name != BARE
        elif not same:
            self.notes.append(f"{name} on {self.title} is WRONG: not timed")
            self.wrong = True
        else:
            self.contenders[name] = contender

    def measure(self, quick):
        rounds, seconds, budget, least = (5, 0.01, 0.3, 1) if quick else (25, 0.02, 3.0, 3)
        self.times = interleave(self.contenders, rounds, seconds, budget, least)

    def ratio(self, name):
        return ratio(self.times, name, HAND) if name in self.times else None


def geometric_mean(values):
    values = [value for value in values if value is not None]
    return math.exp(statistics.fmean(map(math.log, values))) if values else None


def cell(value):
    return "-" if value is None else f"{value:.2f}" if value < 100 else f"{value:.0f}"


def row(*cells):
    return "| " + " | ".join(cells) + " |"


def table_of_times(comparisons):
    """Return the lines of a Markdown table of times in units of the time by hand."""
    present = [name for name in CONTENDERS if any(name in c.times for c in comparisons)]
    lines = [row("time / by hand", HAND, *present), "|---" * (2 + len(present)) + "|"]
    for c in comparisons:
        hand = duration(statistics.median(c.times[HAND]))
        lines.append(row(c.title, hand, *(cell(c.ratio(name)) for name in present)))
    means = (geometric_mean([c.ratio(name) for c in comparisons]) for name in present)
    return [*lines, row("geometric mean", "", *map(cell, means))]


def table_of_sizes(comparisons):
    """Return the lines of a Markdown table of AST nodes, emitted against by hand."""
    lines = [row("AST nodes", HAND, "emitted", "ratio"), "|---|---|---|---|"]
    ratios = []
    for c in comparisons:
        emitted = emitted_nodes(c.source) if c.source and CALLED in c.times else None
        ratios.append(emitted / c.nodes if emitted is not None else None)
        count = str(emitted) if emitted is not None else "-"
        lines.append(row(c.title, str(c.nodes), count, cell(ratios[-1])))
    return [*lines, row("geometric mean", "", "", cell(geometric_mean(ratios)))]


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("functions", nargs="*", metavar="FUNCTION", help=", ".join(FUNCTIONS))
    parser.add_argument("--quick", action="store_true", help="fewer and shorter rounds")
    chosen = parser.parse_args(argv)
    for title in chosen.functions:
        if title not in FUNCTIONS:
            parser.error(f"no function {title!r}; there are: {', '.join(FUNCTIONS)}")

    comparisons = [Comparison(title, FUNCTIONS[title]) for title in chosen.functions or FUNCTIONS]
    for comparison in comparisons:
        print(f"{comparison.title} ...", file=sys.stderr, flush=True)
        comparison.gather()
        comparison.measure(chosen.quick)

    print("\n".join([*table_of_times(comparisons), "", *table_of_sizes(comparisons)]))
    notes = dict.fromkeys(note for comparison in comparisons for note in comparison.notes)
    if notes:
        print("\n" + "\n".join(notes))
    return int(any(comparison.wrong for comparison in comparisons))


if __name__ == "__main__":
    sys.exit(main())
