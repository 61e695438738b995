"""Emitted text: what it says, and that it means what the IR means."""

import inspect
import math
import operator as o
import os
import subprocess
import sys
import textwrap
import traceback
from pathlib import Path

import numpy as np
import pytest

from adcompiler import runtime
from adcompiler.backends import python
from adcompiler.backends.emit import emit
from adcompiler.ir.interpret import interpret
from adcompiler.ir.nodes import UNBOUND, Constant, Function, Value, dimension
from adcompiler.ir.types import (
    BOOL,
    FLOAT,
    INT,
    UNKNOWN,
    Array,
    List,
    Ref,
    Tuple,
    as_dim,
)
from adcompiler.ir.verify import verify
from tests import random_ir
from tests.ir_builder import (
    ALL,
    MATRIX,
    VECTOR,
    N,
    Program,
    boolean,
    cut,
    integer,
    matrix,
    scalar,
    vector,
)

ROOT = Path(__file__).parent.parent
INDICES = Array("int64", (N,))


def body(function):
    """The lines of the emitted function, without imports and head."""
    verify(function)
    text = emit(function).text
    return textwrap.dedent(text.rpartition("def ")[2].partition("\n")[2])


def lines(text):
    return textwrap.dedent(text).lstrip("\n")


def same(a, b):
    if isinstance(a, list | tuple):
        return type(a) is type(b) and len(a) == len(b) and all(map(same, a, b))
    return np.shape(a) == np.shape(b) and np.allclose(a, b, 1e-9, 1e-11, equal_nan=True)


def agree(function, *args):
    """The emitted function and the interpreter give the same, and leave the arguments alone."""
    verify(function)
    kept = [np.copy(arg) if isinstance(arg, np.ndarray) else arg for arg in args]
    want = interpret(function, *args)
    got = python.compile(emit(function))(*args)
    assert same(got, want), f"{got} is not {want}\n{emit(function).text}"
    assert all(map(same, args, kept))
    return got


# -- expressions -----------------------------------------------------------------------------------


def shown(fn, *args, **keywords):
    """How a call prints; strings among the arguments stand for variables of that name."""
    variables = {}
    for arg in [*args, *keywords.values()]:
        if isinstance(arg, str):
            variables.setdefault(arg, Value(arg, VECTOR))
    p = Program(*variables.values())
    out = p.op(
        fn,
        *(variables.get(arg, arg) if isinstance(arg, str) else arg for arg in args),
        type=UNKNOWN,
        **{k: variables.get(v, v) if isinstance(v, str) else v for k, v in keywords.items()},
    )
    return body(p.function(out)).removeprefix("return ").rstrip()


@pytest.mark.parametrize(
    ("call", "text"),
    [
        ((o.add, "a", "b"), "a + b"),
        ((o.iadd, "a", "b"), "a + b"),
        ((o.matmul, "a", "b"), "a @ b"),
        ((o.pow, -2, 2), "(-2) ** 2"),
        ((o.neg, "a"), "-a"),
        ((o.not_, "a"), "not a"),
        ((o.is_not, "a", None), "a is not None"),
        ((o.contains, "a", "b"), "b in a"),
        ((o.lt, "a", 0.5), "a < 0.5"),
        ((o.abs, "a"), "abs(a)"),
        ((o.getitem, "a", (0,)), "a[0]"),
        ((o.getitem, "a", (ALL, None, Ellipsis)), "a[:, None, ...]"),
        ((o.getitem, "a", (cut(1, -1, 2),)), "a[1:-1:2]"),
        ((o.getitem, "a", ()), "a[()]"),
        ((o.getitem, "a", ((0, 1),)), "a[(0, 1),]"),
        ((np.sin, "a"), "np.sin(a)"),
        ((np.linalg.norm, "a"), "np.linalg.norm(a)"),
        ((np.add.reduce, "a"), "np.add.reduce(a)"),
        ((np.random.normal, 0.0), "np.random.normal(0.0)"),
        ((math.exp, "a"), "math.exp(a)"),
        ((np.ndarray.sum, "a", 0), "a.sum(0)"),
        ((getattr, "a", Constant("T")), "a.T"),
        ((dimension, "a", 1), "a.shape[1]"),
        ((runtime.unbroadcast, "a", "b"), "unbroadcast(a, b)"),
        ((len, "a"), "len(a)"),
        ((np.full, 3, np.inf), "np.full(3, np.inf)"),
        ((np.full, 3, -math.inf), "np.full(3, -np.inf)"),
        ((np.full, 3, np.float32(0.1)), "np.full(3, np.float32(0.10000000149011612))"),
        ((np.full, 3, -1.5), "np.full(3, -1.5)"),
        ((np.full, 3, 1 - 2j), "np.full(3, complex(1.0, -2.0))"),
        ((np.full, 3, 2j), "np.full(3, 2j)"),
        ((np.zeros, 3, np.dtype("float32")), "np.zeros(3, np.float32)"),
        ((np.zeros, 3, float), "np.zeros(3, float)"),
        ((np.full, 3, Constant(math.pi, "np.pi")), "np.full(3, np.pi)"),
        ((np.concatenate, [1, 2]), "np.concatenate([1, 2])"),
        ((slice, None, 2), "slice(None, 2)"),
        ((max, 1, cut(1)), "max(1, slice(1, None, None))"),
        ((str, Constant("it's")), 'str("it\'s")'),
        ((str, Constant("plain")), 'str("plain")'),
    ],
)  # fmt: skip
def test_expressions(call, text):
    assert shown(*call) == text


def test_keywords():
    assert shown(np.sum, "a", axis=Constant(0), keepdims=True) == "np.sum(a, axis=0, keepdims=True)"


def test_all_dimensions_in_order_are_the_shape():
    x, p = matrix("x"), None
    p = Program(x)
    rows, columns = (p.op(dimension, x, k, type=INT) for k in (0, 1))
    assert body(p.function(p.op(np.zeros, (rows, columns)))) == "return np.zeros(x.shape)\n"
    p = Program(x)
    rows, columns = (p.op(dimension, x, k, type=INT) for k in (0, 1))
    text = body(p.function(p.op(np.zeros, (columns, rows))))
    assert text == "return np.zeros((x.shape[1], x.shape[0]))\n"


def test_double_negation_and_nested_comparisons_keep_their_meaning():
    a = scalar("a")
    p = Program(a)
    inner = p.op(o.lt, p.op(o.sub, a, p.op(o.sub, a, 1.0)), 2.0, type=BOOL)
    outer = p.op(o.eq, p.op(o.gt, a, 0.0, type=BOOL), inner, type=BOOL)
    f = p.function(p.op(o.not_, p.op(o.not_, outer, type=BOOL), type=BOOL))
    assert body(f) == "return not not (a > 0.0) == (a - (a - 1.0) < 2.0)\n"
    agree(f, 0.5)


def test_imports_and_what_is_supplied():
    table = np.arange(3.0)
    x = vector("x")
    p = Program(x)
    a = p.op(o.mul, x, Constant(table, "config.table"), type=VECTOR)
    b = p.op(o.mul, a, Constant(1e-6, "TOL"), type=VECTOR)
    c = p.op(runtime.unbroadcast, b, p.op(math.sqrt, 2.0), type=VECTOR)
    emitted = emit(p.function(p.op(np.sin, c, type=VECTOR)), header=["x: float64[n]"])
    assert emitted.text == lines(
        """
        # x: float64[n]
        # Supplied from outside: table (ndarray)
        import math
        import numpy as np
        from adcompiler.runtime import unbroadcast

        TOL = 1e-06


        def f(x):
            return np.sin(unbroadcast(x * table * TOL, math.sqrt(2.0)))
        """
    )
    assert emitted.namespace["table"] is table
    assert set(emitted.namespace) == {"math", "np", "unbroadcast", "TOL", "table"}


def test_text_runs_as_a_file():
    x = vector("x")
    p = Program(x)
    f = p.function(p.op(np.linalg.norm, p.op(o.mul, x, Constant(2.5, "SCALE"), type=VECTOR)))
    namespace = {}
    exec(emit(f).text, namespace)
    assert namespace["f"](np.array([3.0, 4.0])) == 12.5


# -- names -----------------------------------------------------------------------------------------


def test_parameters_keep_their_names_whatever_they_hide():
    x, n, y = Value("np", VECTOR), integer("range"), scalar("len")
    p = Program(x, n, y)
    total = scalar("s")
    inner = p.inner(integer("i"), total)
    grown = inner.op(o.add, total, inner.op(np.sum, x), name="s")
    out = scalar("s")
    p.for_((0, n, 1), [y], inner.ends(grown), out)
    f = p.function((p.op(len, x, type=INT), out))
    assert emit(f).text == lines(
        """
        import builtins
        import numpy


        def f(np, range, len):
            s = len
            for _ in builtins.range(range):
                s = s + numpy.sum(np)
            return builtins.len(np), s
        """
    )
    agree(f, np.arange(3.0), 2, 1.0)


def test_variables_avoid_global_names_and_keywords():
    x = scalar("x")
    p = Program(x)
    a = p.op(np.sin, x, name="np")
    b = p.op(abs, a, name="abs")
    c = p.op(o.mul, b, b, name="lambda")
    d = p.op(o.mul, c, c, name="a.b")
    f = p.function((a, b, c, d))
    assert body(f) == lines(
        """
        np_2 = np.sin(x)
        abs_2 = abs(np_2)
        lambda_ = abs_2 * abs_2
        a_b = lambda_ * lambda_
        return np_2, abs_2, lambda_, a_b
        """
    )
    agree(f, 0.3)


def test_second_variable_of_a_name_avoids_the_users_own():
    x = scalar("s")
    p = Program(x)
    a = p.op(np.sin, x, name="s")
    b = p.op(np.cos, a, name="s_2")
    text = body(p.function((x, a, b)))
    assert text == "s_3 = np.sin(s)\ns_2 = np.cos(s_3)\nreturn s, s_3, s_2\n"


def test_temporaries_are_named_after_what_they_hold():
    x, A, i = vector("x"), matrix("A"), integer("i")
    p = Program(x, A, i)
    residual = p.op(o.sub, x, 1.0, type=VECTOR)
    element = p.op(o.getitem, x, (i,))
    first = p.op(o.getitem, x, (0,))
    row = p.op(o.getitem, A, (i, cut(1, None)), type=VECTOR)
    twice = [p.op(o.mul, v, v, type=VECTOR) for v in (residual, element, first, row)]
    text = body(p.function(tuple(twice)))
    names = [line.partition(" =")[0] for line in text.splitlines()[:-1]]
    assert names == ["difference", "x_i", "x0", "A_part", "product"]


# -- folding ---------------------------------------------------------------------------------------


def test_the_users_statements_are_the_users_text():
    w, x, y = vector("w"), matrix("x"), vector("y")
    p = Program(w, x, y)
    guess = p.op(np.tanh, p.op(o.matmul, x, w, type=VECTOR), name="guess", type=VECTOR)
    error = p.op(o.pow, p.op(o.sub, guess, y, type=VECTOR), 2, type=VECTOR)
    assert body(p.function(p.op(np.mean, error))) == lines(
        """
        guess = np.tanh(x @ w)
        return np.mean((guess - y) ** 2)
        """
    )


def test_what_reads_memory_does_not_move_past_a_store():
    p = Program(vector("x"))
    a = p.new(p.block.params[0], "a")
    product = p.op(o.mul, p.load(a, 0), 2.0)
    p.store(a, (0,), 5.0)
    f = p.function((product, p.load(a, 0)))
    assert body(f) == lines(
        """
        a = x.copy()
        product = a[0] * 2.0
        a[0] = 5.0
        return product, a[0]
        """
    )
    agree(f, np.ones(3))


def test_effects_stay_in_order():
    p = Program(scalar("x"))
    x = p.block.params[0]
    first = p.op(random_ir.tick, x, effect=True)
    second = p.op(random_ir.tick, first, effect=True)
    third = p.op(random_ir.tick, 7.0, effect=True)
    f = p.function(p.op(o.add, third, p.op(o.add, first, second)))
    assert "tick(7.0)" in body(f)
    random_ir.LOG.clear()
    interpret(f, 1.0)
    want = list(random_ir.LOG)
    random_ir.LOG.clear()
    python.compile(emit(f))(1.0)
    assert want == random_ir.LOG


def test_effects_fold_where_the_order_is_kept():
    p = Program()
    draws = [p.op(np.random.rand, effect=True) for _ in range(2)]
    text = body(p.function(p.op(o.sub, *draws)))
    assert text == "return np.random.rand() - np.random.rand()\n"
    p = Program()
    draws = [p.op(np.random.rand, effect=True) for _ in range(2)]
    text = body(p.function(p.op(o.sub, *reversed(draws))))
    assert text == "t = np.random.rand()\nt_2 = np.random.rand()\nreturn t_2 - t\n"


def test_lines_stay_short():
    x = vector("x")
    p = Program(x)
    value = x
    for _ in range(12):
        value = p.op(np.maximum, p.op(np.sin, value, type=VECTOR), 0.125, type=VECTOR)
    text = emit(p.function(value)).text
    assert max(map(len, text.splitlines())) <= 100
    assert len(text.splitlines()) < 12
    agree(p.function(value), np.linspace(0, 1, 3))


def test_a_call_that_is_too_long_is_broken_inside_its_brackets():
    names = [scalar(f"quite_a_long_name_{k}") for k in range(8)]
    p = Program(*names)
    f = p.function(p.op(np.stack, list(names), name="stacked", type=VECTOR))
    text = emit(f).text
    assert max(map(len, text.splitlines())) <= 100
    agree(f, *range(8))


def test_small_sums_of_indices_are_written_again():
    x, i = vector("x"), integer("i")
    p = Program(x)
    a = p.new(x, "a")
    inner = p.inner(i)
    after = inner.op(o.add, i, 1, type=INT)
    inner.store(a, (after,), inner.op(o.mul, inner.load(a, after), inner.load(a, i)))
    p.for_((0, 2, 1), [], inner.ends())
    f = p.function(p.load(a, type=VECTOR))
    assert body(f) == lines(
        """
        a = x.copy()
        for i in range(2):
            a[i + 1] = a[i + 1] * a[i]
        return a
        """
    )
    agree(f, np.arange(1.0, 4.0))


def test_pops_fold_unless_the_list_is_read_between():
    p = Program()
    saved = p.list(1.0, 2.0, 3.0, name="saved")
    first = p.op(np.sin, p.pop(saved), name="first")
    item = p.pop(saved)
    length = p.op(len, saved, name="n", type=INT)
    f = p.function((first, p.op(o.mul, item, 2.0), length))
    assert body(f) == lines(
        """
        saved = [1.0, 2.0, 3.0]
        first = np.sin(saved.pop())
        item = saved.pop()
        n = len(saved)
        return first, item * 2.0, n
        """
    )
    agree(f)


# -- memory ----------------------------------------------------------------------------------------


def test_a_load_is_a_window_while_nobody_writes():
    x = matrix("x")
    p = Program(x)
    a = p.new(x, "a", MATRIX)
    row = p.load(a, 0, name="row", type=VECTOR)
    total = p.op(np.sum, p.op(o.mul, row, row, type=VECTOR), name="total")
    p.store(a, (0,), total)
    f = p.function((total, p.load(a, type=MATRIX)))
    assert "row = a[0]\n" in body(f)
    agree(f, np.ones((2, 3)))


@pytest.mark.parametrize(
    "view",
    [
        None,
        lambda p, v: p.op(getattr, v, Constant("T"), type=VECTOR),
        lambda p, v: p.op(np.ravel, v, name="flat", type=VECTOR),
        lambda p, v: p.op(random_ir.same, p.op(np.asarray, v, type=VECTOR), type=VECTOR),
    ],
)
def test_a_load_is_copied_if_it_is_written_meanwhile(view):
    x = matrix("x")
    p = Program(x)
    a = p.new(x, "a", MATRIX)
    row = p.load(a, 0, name="row", type=VECTOR)
    seen = view(p, row) if view else row
    p.store(a, (0, 1), 7.0)
    f = p.function((p.op(np.sum, seen), p.op(o.mul, row, 1.0, type=VECTOR)))
    assert "row = a[0].copy()\n" in body(f)
    agree(f, np.ones((2, 3)))


def test_elements_and_fancy_indices_need_no_copy():
    x, i, index = vector("x"), integer("i"), Value("index", INDICES)
    p = Program(x, i, index)
    a = p.new(x, "a")
    element = p.load(a, i, name="element")
    chosen = p.load(a, index, name="chosen", type=VECTOR)
    p.store(a, (), 0.0)
    f = p.function((element, chosen, p.load(a, type=VECTOR)))
    assert ".copy()" not in body(f).partition("\n")[2]
    agree(f, np.arange(3.0), 1, np.array([2, 0]))


def test_a_write_later_in_a_loop_reaches_back():
    x = vector("x")
    p = Program(x)
    a = p.new(x, "a")
    head = p.load(a, cut(None, 2), name="head", type=VECTOR)
    inner = p.inner(integer("i"), scalar("s"))
    grown = inner.op(o.add, inner.block.params[1], inner.op(np.sum, head), name="s")
    inner.store(a, (0,), grown)
    out = scalar("s")
    p.for_((0, 3, 1), [0.0], inner.ends(grown), out)
    f = p.function(out)
    assert "head = a[:2].copy()\n" in body(f)
    agree(f, np.arange(3.0))


def test_a_write_in_the_other_branch_does_not_matter():
    x, t = vector("x"), boolean("t")
    p = Program(x, t)
    a = p.new(x, "a")
    head = p.load(a, cut(None, 2), name="head", type=VECTOR)
    then, orelse = p.inner(), p.inner()
    then.store(a, (0,), 9.0)
    total, out = orelse.op(np.sum, head), scalar("s")
    p.if_(t, then.ends(0.0), orelse.ends(total), out)
    f = p.function((out, p.load(a, type=VECTOR)))
    assert "head = a[:2]\n" in body(f)
    agree(f, np.arange(3.0), True)
    agree(f, np.arange(3.0), False)


def test_what_a_list_keeps_is_copied():
    x = matrix("x")
    p = Program(x)
    a = p.new(x, "a", MATRIX)
    saved = p.list(name="saved", item=VECTOR)
    i = integer("i")
    inner = p.inner(i)
    inner.append(saved, inner.load(a, i, type=VECTOR))
    inner.store(a, (i,), 0.0)
    p.for_((0, 2, 1), [], inner.ends())
    f = p.function((p.load(a, type=MATRIX), p.load(saved, type=List(VECTOR))))
    assert "saved.append(a[i].copy())\n" in body(f)
    agree(f, np.ones((2, 3)))


def test_a_row_stored_onto_the_column_that_crosses_it():
    x = matrix("x")
    p = Program(x)
    a = p.new(x, "a", MATRIX)
    p.store(a, (ALL, 2), p.load(a, 1, type=VECTOR))
    f = p.function(p.load(a, type=MATRIX))
    assert "a[:, 2] = a[1].copy()\n" in body(f)
    agree(f, np.arange(9.0).reshape(3, 3))
    p = Program(x)
    a = p.new(x, "a", MATRIX)
    p.store(a, (cut(1, None),), p.load(a, cut(None, -1), type=MATRIX))
    f = p.function(p.load(a, type=MATRIX))
    assert "a[1:] = a[:-1]\n" in body(f)
    agree(f, np.arange(9.0).reshape(3, 3))


def test_births():
    x = vector("x")
    p = Program(x)
    a = p.new(p.op(np.zeros_like, x, name="a", type=VECTOR), "a")
    b = p.new(p.load(a, type=VECTOR), "b")
    c = p.new(p.op(np.reshape, p.op(o.mul, x, 2.0, type=VECTOR), (-1,), type=VECTOR), "c")
    d = p.new(x, "x")
    for ref in (a, b, c, d):
        p.store(ref, (0,), 5.0)
    f = p.function(tuple(p.load(ref, type=VECTOR) for ref in (a, b, c, d)))
    assert body(f).splitlines()[:4] == [
        "a = np.zeros_like(x)",
        "b = a.copy()",
        "c = np.reshape(x * 2.0, (-1,))",
        "x = x.copy()",
    ]
    agree(f, np.ones(2))


def test_one_value_born_twice_is_two_arrays():
    x = vector("x")
    p = Program(x)
    zeros = p.op(np.zeros_like, x, type=VECTOR)
    a, b = p.new(zeros, "a"), p.new(zeros, "b")
    p.store(a, (), 1.0)
    f = p.function((p.load(a, type=VECTOR), p.load(b, type=VECTOR)))
    agree(f, np.ones(2))


def test_a_value_made_outside_a_loop_is_born_anew_in_each_trip():
    x = vector("x")
    p = Program(x)
    zeros = p.op(np.zeros_like, x, name="zeros", type=VECTOR)
    total = scalar("s")
    inner = p.inner(integer("i"), total)
    a = inner.new(zeros, "a")
    inner.add_to(a, (0,), 1.0)
    grown = inner.op(o.add, total, inner.op(np.sum, inner.load(a, type=VECTOR)), name="s")
    out = scalar("s")
    p.for_((0, 3, 1), [0.0], inner.ends(grown), out)
    assert agree(p.function(out), np.ones(2)) == 3.0


def test_results_do_not_show_memory_that_the_caller_holds():
    a = Value("a", Ref(VECTOR))
    p = Program(a)
    f = p.function(p.load(a, cut(1, None), type=VECTOR))
    assert body(f) == "return a[1:].copy()\n"
    p = Program(vector("x"))
    b = p.new(p.block.params[0], "b")
    f = p.function((b, p.load(b, type=VECTOR)))
    assert body(f).splitlines()[-1] == "return b, b.copy()"


def test_updates_in_place():
    x, i, index = matrix("x"), integer("i"), Value("index", INDICES)
    p = Program(x, i, index)
    a = p.new(x, "a", MATRIX)
    row = p.view(o.getitem, a, (i,), name="row")
    p.store(a, (i, 1), p.op(o.imul, p.load(a, i, 1), 2.0))
    p.store(a, (), p.op(o.iadd, p.load(a, type=MATRIX), 1.0, type=MATRIX))
    p.store(row, (), p.op(o.isub, p.load(row, type=VECTOR), 3.0, type=VECTOR))
    p.store(a, (0,), p.op(o.iadd, p.load(a, 1, type=VECTOR), 1.0, type=VECTOR))
    p.store(a, (0, 0), p.op(o.add, p.load(a, 0, 0), 1.0))
    p.add_to(a, (i, 0), 1.0)
    p.add_to(a, (), p.op(o.neg, x, type=MATRIX))
    p.add_to(a, (cut(1, None), 0), p.op(o.mul, -0.5, p.op(np.sum, x)))
    p.add_to(a, (0, index), 1.0)
    p.add_to(a, (ALL, index), 1.0)
    p.add_to(row, (), 1.0)
    f = p.function(p.load(a, type=MATRIX))
    assert body(f) == lines(
        """
        a = x.copy()
        row = a[i]
        a[i, 1] *= 2.0
        a += 1.0
        row -= 3.0
        a[0] = a[1] + 1.0
        a[0, 0] = a[0, 0] + 1.0
        a[i, 0] += 1.0
        a -= x
        a[1:, 0] -= 0.5 * np.sum(x)
        np.add.at(a, (0, index), 1.0)
        np.add.at(a, np.s_[:, index], 1.0)
        row += 1.0
        return a
        """
    )
    agree(f, np.arange(9.0).reshape(3, 3), 1, np.array([2, 2, 0]))


def test_an_update_of_a_nameless_view():
    x = matrix("x")
    p = Program(x)
    a = p.new(x, "a", MATRIX)
    p.add_to(p.view(np.transpose, a, type=MATRIX), (), 1.0)
    p.add_to(p.view(o.getitem, a, (0,)), (), 1.0)
    p.store(p.view(o.getitem, a, (1,)), (0,), 2.0)
    f = p.function(p.load(a, type=MATRIX))
    assert body(f).splitlines()[1:4] == [
        "np.transpose(a)[...] += 1.0",
        "a[0] += 1.0",
        "a[1][0] = 2.0",
    ]
    agree(f, np.ones((2, 2)))


def test_items_of_lists_are_replaced_never_updated():
    x = vector("x")
    p = Program(x)
    xs = p.list(x, x, name="xs", item=VECTOR)
    numbers = p.list(1.0, 2.0, name="numbers")
    p.add_to(xs, (0,), x)
    p.add_to(numbers, (0,), 3.0)
    p.store(numbers, (1,), p.op(o.imul, p.load(numbers, 1), 2.0))
    p.store(xs, (), [x, x, x])
    results = (p.load(xs, type=List(VECTOR)), p.load(numbers, type=List(FLOAT)))
    f = p.function(results)
    assert body(f).splitlines()[2:6] == [
        "xs[0] = xs[0] + x",
        "numbers[0] += 3.0",
        "numbers[1] *= 2.0",
        "xs[:] = [x, x, x]",
    ]
    agree(f, np.ones(2))


def test_what_is_folded_is_evaluated_once():
    x = vector("x")
    p = Program(x)
    a = p.new(x, "a")
    refs = p.list(a, a, a, name="refs", item=Ref(VECTOR))
    last = p.load(p.pop(refs, type=Ref(VECTOR)), type=VECTOR)
    total = p.op(np.sum, last), p.op(np.max, last)
    lists = p.list(p.list(1.0), p.list(2.0), name="lists", item=Ref(List(UNKNOWN)))
    p.add_to(p.pop(lists, type=Ref(List(UNKNOWN))), (0,), 1.0)
    f = p.function((*total, p.op(len, refs, type=INT), p.op(len, lists, type=INT)))
    assert agree(f, np.arange(3.0)) == (3.0, 2.0, 2, 1)


def test_the_item_that_is_added_to_is_the_last_after_the_pop():
    p = Program()
    xs = p.list(1.0, 2.0, 3.0, name="xs")
    p.add_to(xs, (-1,), p.pop(xs))
    p.store(xs, (0,), p.pop(xs))
    f = p.function(p.load(xs, type=List(FLOAT)))
    assert body(f).splitlines()[1:4] == ["item = xs.pop()", "xs[-1] += item", "xs[0] = xs.pop()"]
    assert agree(f) == [5.0]


def test_rank_zero_memory_read_as_a_number():
    point = Array("float64", ())
    x = Value("x", point)
    p = Program(x)
    a = p.new(x, "a", point)
    before = p.load(a)
    p.store(a, (), 5.0)
    f = p.function((p.op(o.mul, before, 2.0), p.load(a)))
    agree(f, np.array(1.5))


def test_lists_of_references():
    x = vector("x")
    p = Program(x)
    a, b = p.new(x, "a"), p.new(x, "b")
    xs = p.list(a, name="xs", item=Ref(VECTOR))
    p.append(xs, b)
    p.store(p.load(xs, 0, type=Ref(VECTOR)), (0,), 5.0)
    p.store(p.pop(xs, name="last", type=Ref(VECTOR)), (1,), 6.0)
    f = p.function((p.load(a, type=VECTOR), p.load(b, type=VECTOR)))
    assert "xs[0][0] = 5.0\n" in body(f)
    agree(f, np.ones(2))


# -- joins and loops -------------------------------------------------------------------------------


def test_parallel_assignment_comes_back():
    n = integer("n")
    p = Program(n)
    a, b = scalar("a"), scalar("b")
    inner = p.inner(integer("i"), a, b)
    after = inner.op(o.add, a, b, name="b")
    outs = scalar("a"), scalar("b")
    p.for_((0, n, 1), [0, 1], inner.ends(b, after), *outs)
    f = p.function(outs[0])
    assert body(f) == lines(
        """
        a = 0
        b = 1
        for _ in range(n):
            a, b = b, a + b
        return a
        """
    )
    assert agree(f, 10) == 55


def test_swapped_references():
    x, n = vector("x"), integer("n")
    p = Program(x, n)
    a, b = p.new(x, "a"), p.new(p.op(np.zeros_like, x, type=VECTOR), "b")
    params = [Value("a", Ref(VECTOR)), Value("b", Ref(VECTOR))]
    inner = p.inner(integer("i"), *params)
    inner.store(params[1], (), inner.op(o.mul, inner.load(params[0], type=VECTOR), 2.0))
    outs = [Value("a", Ref(VECTOR)), Value("b", Ref(VECTOR))]
    p.for_((0, n, 1), [a, b], inner.ends(params[1], params[0]), *outs)
    f = p.function(p.load(outs[0], type=VECTOR))
    assert "    a, b = b, a\n" in body(f)
    agree(f, np.arange(3.0), 3)


def test_a_value_used_after_the_loop_that_starts_from_it():
    x = scalar("s")
    p = Program(x)
    carried = scalar("s")
    inner = p.inner(integer("i"), carried)
    after = inner.op(o.imul, carried, 2.0, name="s")
    out = scalar("s")
    p.for_((0, 3, 1), [x], inner.ends(after), out)
    f = p.function((x, out))
    assert body(f) == lines(
        """
        s_2 = s
        for _ in range(3):
            s_2 *= 2.0
        return s, s_2
        """
    )
    agree(f, 1.5)


def test_the_index_after_the_loop():
    p = Program(integer("n"))
    i, last = integer("i"), integer("i")
    inner = p.inner(i, last)
    out = integer("i")
    p.for_((0, p.block.params[0], 1), [-1], inner.ends(i), out)
    f = p.function(out)
    assert body(f) == "i = -1\nfor i in range(n):\n    pass\nreturn i\n"
    assert agree(f, 3) == 2
    assert agree(f, 0) == -1


def test_ranges():
    p = Program(integer("n"))
    n = p.block.params[0]
    xs = p.list(name="xs", item=INT)
    for bounds, reverse in [((0, n, 1), False), ((1, n, 1), False), ((n, 0, -1), True)]:
        i = integer("i")
        inner = p.inner(i)
        inner.append(xs, i)
        p.for_(bounds, [], inner.ends(), reverse=reverse)
    f = p.function(p.load(xs, type=List(INT)))
    heads = [line for line in body(f).splitlines() if line.startswith("for")]
    assert heads == [
        "for i in range(n):",
        "for i in range(1, n):",
        "for i in reversed(range(n, 0, -1)):",
    ]
    agree(f, 4)


def newton():
    """A `while` with a `break` in its body."""
    x, tol = scalar("x"), scalar("tol")
    p = Program(x, tol)
    z, k = scalar("z"), integer("k")
    loop = p.inner(z, k)
    error = loop.op(abs, loop.op(o.sub, loop.op(o.mul, z, z), x))
    test = loop.op(o.gt, error, tol, type=BOOL)
    then = loop.inner()
    better = then.op(o.mul, 0.5, then.op(o.add, z, then.op(o.truediv, x, z)), name="z")
    count = then.op(o.iadd, k, 1, name="k", type=INT)
    many = then.op(o.gt, count, 50, type=BOOL)
    inner = boolean(), scalar("z"), integer("k")
    then.if_(
        many, then.inner().ends(True, better, count), then.inner().ends(False, better, count),
        *inner,
    )  # fmt: skip
    outer = boolean(), scalar("z"), integer("k")
    loop.if_(test, then.ends(*inner), loop.inner().ends(True, z, k), *outer)
    outs = scalar("z"), integer("k")
    p.while_([x, 0], loop.ends(*outer), *outs)
    return p.function(outs)


def test_while_and_break_come_back():
    assert body(newton()) == lines(
        """
        z = x
        k = 0
        while abs(z * z - x) > tol:
            z = 0.5 * (z + x / z)
            k += 1
            if k > 50:
                break
        return z, k
        """
    )
    agree(newton(), 2.0, 1e-9)
    agree(newton(), 2.0, -1.0)


def test_while_with_a_conjunction():
    x = vector("x")
    p = Program(x)
    n = p.op(len, x, name="n", type=INT)
    i = integer("i")
    loop = p.inner(i)
    inside = loop.op(o.lt, i, n, type=BOOL)
    second = loop.inner()
    positive = second.op(o.gt, second.op(o.getitem, x, (i,)), 0.0, type=BOOL)
    both = boolean()
    loop.if_(inside, second.ends(positive), loop.inner().ends(inside), both)
    then = loop.inner()
    after = then.op(o.iadd, i, 1, name="i", type=INT)
    outs = boolean(), integer("i")
    loop.if_(both, then.ends(False, after), loop.inner().ends(True, i), *outs)
    out = integer("i")
    p.while_([0], loop.ends(*outs), out)
    f = p.function(out)
    assert body(f) == lines(
        """
        n = len(x)
        i = 0
        while i < n and x[i] > 0.0:
            i += 1
        return i
        """
    )
    assert agree(f, np.array([1.0, 2.0, -1.0])) == 2
    assert agree(f, np.ones(3)) == 3


def test_a_loop_whose_exits_give_different_values():
    n = integer("n")
    p = Program(n)
    k, found = integer("k"), integer("found")
    loop = p.inner(k, found)
    test = loop.op(o.lt, k, n, type=BOOL)
    then = loop.inner()
    after = then.op(o.add, k, 1, name="k", type=INT)
    hit = then.op(o.eq, then.op(o.mul, k, k, type=INT), 9, type=BOOL)
    inner = boolean(), integer(), integer("found")
    then.if_(hit, then.inner().ends(True, k, k), then.inner().ends(False, after, found), *inner)
    outer = boolean(), integer("k"), integer("found")
    loop.if_(test, then.ends(*inner), loop.inner().ends(True, -7, found), *outer)
    outs = integer("k"), integer("found")
    p.while_([0, -1], loop.ends(*outer), *outs)
    f = p.function(outs)
    assert "else:\n    k = -7\n" in body(f)
    assert agree(f, 2) == (-7, -1)
    assert agree(f, 9) == (3, 3)


def test_a_stop_that_depends_on_what_the_trip_started_with():
    n = integer("n")
    p = Program(n)
    k = integer("k")
    inner = p.inner(integer("i"), k)
    stop = inner.op(o.gt, k, 2, type=BOOL)
    after = inner.op(o.add, k, 1, name="k", type=INT)
    out = integer("k")
    p.for_((0, n, 1), [0], inner.ends(stop, after), out, stops=True)
    assert agree(p.function(out), 10) == 4
    assert agree(p.function(out), 2) == 2


def test_early_returns_and_raises():
    x = scalar("x")
    p = Program(x)
    positive = p.op(o.gt, x, 0.0, type=BOOL)
    then, orelse = p.inner(), p.inner()
    small = orelse.op(o.lt, x, -1.0, type=BOOL)
    last, bad = orelse.inner(), orelse.inner()
    bad.raise_(bad.op(ValueError, Constant("bad"), type=UNKNOWN))
    inner, out = scalar(), scalar()
    square = last.op(o.mul, x, x)
    orelse.if_(small, last.ends(square), bad.ends(UNBOUND), inner)
    logarithm = then.op(np.log, x)
    p.if_(positive, then.ends(logarithm), orelse.ends(inner), out)
    f = p.function(out)
    assert body(f) == lines(
        """
        if x > 0.0:
            return np.log(x)
        if x < -1.0:
            return x * x
        raise ValueError("bad")
        """
    )
    agree(f, 2.0)
    agree(f, -2.0)
    with pytest.raises(ValueError, match="bad"):
        python.compile(emit(f))(-0.5)


def test_branches():
    t, u, x = boolean("t"), boolean("u"), scalar("s")
    p = Program(t, u, x)
    one, two, three = p.inner(), p.inner(), p.inner()
    first, second, third = (
        arm.op(np.sin, x, name="s") if arm is one else arm.op(np.cos, x, name="s")
        for arm in (one, two, three)
    )
    rest, inner, out = p.inner(), scalar("s"), scalar("s")
    two.block.results, three.block.results = [second], [third]
    rest.if_(u, two.block, three.block, inner)
    p.if_(t, one.ends(first), rest.ends(inner), out)
    only, after = p.inner(), scalar("s")
    grown = only.op(o.iadd, out, 1.0, name="s")
    p.if_(t, p.inner().ends(out), only.ends(grown), after)
    f = p.function(after)
    assert body(f) == lines(
        """
        if t:
            s = np.sin(s)
        elif u:
            s = np.cos(s)
        else:
            s = np.cos(s)
        if not t:
            s += 1.0
        return s
        """
    )
    for t, u in [(True, False), (False, True), (False, False)]:
        agree(f, t, u, 0.3)


def test_conditional_expressions():
    x, t = vector("x"), boolean("t")
    p = Program(x, t).line("y = x[0] if t else 0.0")
    then, y = p.inner(), scalar("y")
    p.if_(t, then.ends(then.op(o.getitem, x, (0,))), p.inner().ends(0.0), y)
    f = p.function(y)
    assert body(f) == "y = x[0] if t else 0.0\nreturn y\n"
    agree(f, np.ones(2), True)
    agree(f, np.ones(2), False)


def test_a_name_that_a_path_does_not_bind():
    t = boolean("t")
    p = Program(t)
    then, x = p.inner(), scalar("x")
    p.if_(t, then.ends(then.op(np.sin, 1.0, name="x")), p.inner().ends(UNBOUND), x)
    f = p.function(x)
    assert body(f) == "if t:\n    x = np.sin(1.0)\nreturn x\n"
    agree(f, True)
    with pytest.raises(UnboundLocalError):
        python.compile(emit(f))(False)


def test_a_name_is_unbound_again_where_a_variable_was_used_before():
    n = integer("n")
    p = Program(n)
    i, total = integer("i"), scalar("s")
    loop = p.inner(i, total)
    then, x = loop.inner(), scalar("x")
    first = loop.op(o.eq, i, 0, type=BOOL)
    loop.if_(first, then.ends(then.op(np.sin, 1.0, name="x")), loop.inner().ends(UNBOUND), x)
    grown = loop.op(o.add, total, x, name="s")
    out = scalar("s")
    p.for_((0, n, 1), [0.0], loop.ends(grown), out)
    f = p.function(out)
    agree(f, 1)
    with pytest.raises(UnboundLocalError):
        python.compile(emit(f))(2)


def test_tuples_are_unpacked_at_once():
    pair = Value("pair", Tuple((FLOAT, FLOAT)))
    p = Program(pair)
    a = p.op(o.getitem, pair, (0,), name="a")
    b = p.op(o.getitem, pair, (1,), name="b")
    assert body(p.function((b, a))) == "a, b = pair\nreturn b, a\n"
    x = Value("x", Array("float64", (as_dim(2),)))
    p = Program(x)
    a, b = (p.op(o.getitem, x, (k,), name=name) for k, name in enumerate("ab"))
    assert body(p.function(p.op(o.sub, a, b))) == "a, b = x\nreturn a - b\n"


# -- whole functions -------------------------------------------------------------------------------


def adjoint():
    """A loop and its backward sweep: s = s * x[i] + x[i]."""
    x = vector("x")
    p = Program(x).line("n = len(x)")
    n = p.op(len, x, name="n", type=INT)
    saved = p.line("s = 0.0").list(name="s_saved")
    i, s = integer("i"), scalar("s")
    text = "s = s * x[i] + x[i]"
    loop = p.inner(i, s).line(text)
    loop.append(saved, s)
    product = loop.op(o.mul, s, loop.op(o.getitem, x, (i,)))
    grown = loop.op(o.add, product, loop.op(o.getitem, x, (i,)), name="s")
    out = scalar("s")
    p.line("for i in range(n):\n    s = s * x[i] + x[i]").for_(
        (0, n, 1), [0.0], loop.ends(grown), out
    )
    y = p.line("return np.sin(s)").op(np.sin, out)
    s_bar = p.line("return np.sin(s)", mirror=True).op(np.cos, out, name="s_bar")
    p.line("for i in range(n):", mirror=True)
    x_bar = p.new(p.op(np.zeros_like, x, type=VECTOR), "x_bar")
    j, g = integer("i"), scalar("s_bar")
    back = p.inner(j, g).line(text, mirror=True)
    old = back.pop(saved, name="s")
    back.add_to(x_bar, (j,), back.op(o.mul, g, back.op(o.add, old, 1.0)))
    after = back.op(o.mul, g, back.op(o.getitem, x, (j,)), name="s_bar")
    p.for_((0, n, 1), [s_bar], back.ends(after), scalar("s_bar"), reverse=True)
    p.origin = None
    return p.function((y, p.load(x_bar, name="x_bar", type=VECTOR)), "loss_grad", "Value and grad.")


ADJOINT = '''
import numpy as np


def loss_grad(x):
    """Value and grad."""
    n = len(x)
    s_saved = []
    s = 0.0
    for i in range(n):
        s_saved.append(s)
        s = s * x[i] + x[i]
    sin = np.sin(s)

    # return np.sin(s)
    s_bar = np.cos(s)
    # for i in range(n):
    x_bar = np.zeros_like(x)
    for i in reversed(range(n)):
        # s = s * x[i] + x[i]
        s = s_saved.pop()
        x_bar[i] += s_bar * (s + 1.0)
        s_bar = s_bar * x[i]
    return sin, x_bar
'''


def test_an_adjoint():
    f = adjoint()
    assert emit(f).text == ADJOINT.lstrip("\n")
    agree(f, np.array([0.3, 0.7, 1.1]))


def test_comments_quote_statements_of_several_lines():
    p = Program(scalar("x")).line("y = f(x,\n      x)", mirror=True)
    x = p.block.params[0]
    text = body(p.function((p.op(np.sin, x, name="a"), p.op(np.cos, x, name="b"))))
    assert text.startswith("# y = f(x,\n# x)\na = np.sin(x)\nb = np.cos(x)\n")


def test_documentation_is_printed_as_it_is():
    doc = 'Says "hello".\n\nAnd a \\ too.\n'
    f = Program().function(None, doc=doc)
    assert inspect.getdoc(python.compile(emit(f))) == doc.strip()


def test_functions_that_call_functions():
    x, n = scalar("x"), integer("n")
    f = Function("power", Program(x, n).block)
    p = Program(x, n)
    test = p.op(o.le, n, 0, type=BOOL)
    orelse, out = p.inner(), scalar()
    below = orelse.op(f, x, orelse.op(o.sub, n, 1, type=INT))
    product = orelse.op(o.mul, x, below)
    p.if_(test, p.inner().ends(1.0), orelse.ends(product), out)
    f.body = p.function(out).body
    q = Program(x)
    g = q.function(q.op(f, q.op(f, x, 2), 3), "sixth")
    assert emit(g).text == lines(
        """
        def power(x, n):
            if n <= 0:
                return 1.0
            return x * power(x, n - 1)


        def sixth(x):
            return power(power(x, 2), 3)
        """
    )
    assert agree(g, 2.0) == 64.0


def test_two_functions_of_one_name():
    x = scalar("x")
    inner = Program(x)
    a = inner.function(inner.op(np.sin, x), "step")
    outer = Program(x)
    b = outer.function(outer.op(a, x), "step")
    emitted = emit(b)
    assert emitted.name == "step_2"
    agree(b, 0.5)


def test_the_function_emitted_is_left_as_it_is():
    from adcompiler.ir.dump import dump

    f = adjoint()
    before = dump(f)
    emit(f)
    assert dump(f) == before


# -- compiling -------------------------------------------------------------------------------------


def test_tools_see_the_source():
    emitted = emit(adjoint())
    f = python.compile(emitted)
    assert inspect.getsource(f) in emitted.text
    assert f.__code__.co_filename.startswith("<adcompiler loss_grad ")
    assert python.compile(emitted).__code__.co_filename == f.__code__.co_filename
    with pytest.raises(TypeError) as caught:
        f(3.0)
    assert "n = len(x)" in "".join(traceback.format_exception(caught.value))


def test_the_text_is_the_same_in_every_process():
    code = (
        "from tests import random_ir\n"
        "from adcompiler.backends.emit import emit\n"
        "print(*(emit(random_ir.random_function(seed)).text for seed in range(12)))\n"
    )
    texts = set()
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)}
        finished = subprocess.run(
            [sys.executable, "-c", code],
            env=environment, capture_output=True, text=True, timeout=120, cwd=ROOT,
        )  # fmt: skip
        assert finished.returncode == 0, finished.stderr
        texts.add(finished.stdout)
    assert len(texts) == 1


# -- random programs -------------------------------------------------------------------------------


def outcome(run):
    """What a run gives, or the kind of exception, and the log of effects."""
    args = random_ir.arguments()
    random_ir.LOG.clear()
    try:
        with np.errstate(all="ignore"):
            result = run(*args)
    except NameError:
        result = NameError
    except (IndexError, ValueError) as error:
        result = type(error)
    assert all(map(same, args, random_ir.arguments())), "the arguments were written"
    return result, list(random_ir.LOG)


def check_random_program(seed, size):
    function = verify(random_ir.random_function(seed, size))
    want, want_log = outcome(lambda *args: interpret(function, *args))
    emitted = emit(function)
    got, got_log = outcome(python.compile(emitted))
    if isinstance(want, type) or isinstance(got, type):
        assert want is got, f"seed {seed}\n{emitted.text}"
    else:
        assert same(got, want), f"seed {seed}\n{emitted.text}"
        assert same(got_log, want_log), f"seed {seed}\n{emitted.text}"


@pytest.mark.parametrize("batch", range(8))
def test_random_programs(batch):
    for seed in range(50 * batch, 50 * (batch + 1)):
        check_random_program(seed, 40)


@pytest.mark.fuzz
@pytest.mark.parametrize("batch", range(40))
def test_many_random_programs(batch):
    for seed in range(10_000 + 250 * batch, 10_000 + 250 * (batch + 1)):
        check_random_program(seed, 40 if batch % 4 else 120)


def test_emission_is_fast():
    import time

    x, values = vector("x"), []
    p = Program(x)
    for k in range(75):
        a = p.op(np.sin, values[-1] if values else x, name=f"a{k}", type=VECTOR)
        values.append(p.op(o.mul, p.op(o.add, a, 1.0, type=VECTOR), a, type=VECTOR))
    f = p.function(values[-1])
    times = []
    for _ in range(5):
        start = time.perf_counter()
        emit(f)
        times.append(time.perf_counter() - start)
    assert min(times) < 0.05  # about 5 ms on a machine that does nothing else
