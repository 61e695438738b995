"""Each way to break the IR is found, and shown."""

import operator as o

import numpy as np
import pytest

from adcompiler.analysis.classes import alias_classes
from adcompiler.errors import Position, VerifyError
from adcompiler.ir.dump import dump
from adcompiler.ir.nodes import UNBOUND, Constant, Op, Origin, Value, dimension
from adcompiler.ir.types import BOOL, INT, List, Ref
from adcompiler.ir.verify import verify
from tests import random_ir
from tests.ir_builder import VECTOR, Program, boolean, integer, scalar, vector


def valid():
    x, t = vector("x"), boolean("t")
    p = Program(x, t)
    a = p.new(x, "a")
    p.op(np.zeros_like, a, type=VECTOR)
    p.op(dimension, a, 0, type=INT)
    b = Value("b", Ref(VECTOR))
    p.if_(t, p.inner().ends(a), p.inner().ends(p.block.statements[0].out), b)
    xs = p.list(a, name="xs", item=Ref(VECTOR))
    p.append(xs, b)
    s = scalar("s")
    inner = p.inner(integer("i"), s)
    inner.store(b, (0,), 1.0)
    out = scalar("s")
    p.for_((0, 3, 1), [UNBOUND], inner.ends(inner.op(np.sin, 1.0)), out)
    return p.function((out, p.load(b, type=VECTOR)))


def test_a_valid_program():
    f = valid()
    assert verify(f) is f


@pytest.mark.parametrize("seed", range(20))
def test_random_programs_are_valid(seed):
    verify(random_ir.random_function(seed))


def used_before_definition():
    p = Program()
    later = scalar("later")
    p.op(np.sin, later)
    return p.function(None)


def out_of_scope():
    t = boolean("t")
    p = Program(t)
    then = p.inner()
    inner = then.op(np.sin, 1.0, name="inside")
    p.if_(t, then.ends(), p.inner().ends())
    return p.function(inner)


def defined_twice():
    p = Program(scalar("x"))
    p.put(Op(np.sin, [Constant(1.0)], {}, [p.block.params[0]]))
    return p.function(None)


def statement_in_two_places():
    t = boolean("t")
    p = Program(t)
    then, orelse = p.inner(), p.inner()
    then.call(print, 1)
    orelse.block.statements = list(then.block.statements)
    p.if_(t, then.ends(), orelse.ends())
    return p.function(None)


def one_block_for_both_branches():
    t = boolean("t")
    p = Program(t)
    block = p.inner().ends()
    p.if_(t, block, block)
    return p.function(None)


def branch_with_too_few_results():
    t = boolean("t")
    p = Program(t)
    p.if_(t, p.inner().ends(1), p.inner().ends(), scalar("s"))
    return p.function(None)


def loop_with_too_many_results():
    p = Program()
    p.for_((0, 3, 1), [], p.inner(integer("i")).ends(1))
    return p.function(None)


def loop_without_index():
    p = Program()
    p.for_((0, 3, 1), [], p.inner().ends())
    return p.function(None)


def stop_without_result():
    p = Program()
    p.while_([], p.inner().ends())
    return p.function(None)


def reference_as_operand():
    p = Program(vector("x"))
    p.op(np.sin, p.new(p.block.params[0], "a"), type=VECTOR)
    return p.function(None)


def reference_in_a_path():
    p = Program(vector("x"))
    a = p.new(p.block.params[0], "a")
    p.load(a, a)
    return p.function(None)


def reference_as_source():
    p = Program(vector("x"))
    p.new(p.new(p.block.params[0], "a"), "b")
    return p.function(None)


def reference_stored_into_an_array():
    p = Program(vector("x"))
    a = p.new(p.block.params[0], "a")
    p.store(a, (), a)
    return p.function(None)


def reference_joined_with_a_value():
    x, t = vector("x"), boolean("t")
    p = Program(x, t)
    a = p.new(x, "a")
    p.if_(t, p.inner().ends(a), p.inner().ends(x), Value("b", Ref(VECTOR)))
    return p.function(None)


def reference_made_by_an_op():
    p = Program()
    p.op(np.zeros, 3, type=Ref(VECTOR))
    return p.function(None)


def birth_that_is_no_reference():
    p = Program(vector("x"))
    p.new(p.block.params[0], "a").type = VECTOR
    return p.function(None)


def unbound_operand():
    p = Program()
    p.op(np.sin, UNBOUND)
    return p.function(None)


def number_for_a_constant():
    p = Program()
    p.put(Op(np.sin, [1.0], {}, [scalar()]))
    return p.function(None)


def two_results():
    p = Program(scalar("x"))
    f = p.function(None)
    f.body.results = [Constant(1), Constant(2)]
    return f


def append_to_an_array():
    p = Program(vector("x"))
    p.append(p.new(p.block.params[0], "a"), 1.0)
    return p.function(None)


def long_path_into_a_list():
    p = Program()
    p.load(p.list(1.0, name="xs"), 0, 1)
    return p.function(None)


def branch_with_parameters():
    t = boolean("t")
    p = Program(t)
    p.if_(t, p.inner(scalar("x")).ends(), p.inner().ends())
    return p.function(None)


FAULTS = {
    used_before_definition: "used before it is defined",
    out_of_scope: "%inside.2 is out of scope",
    defined_twice: "%x.1 is defined twice",
    statement_in_two_places: "a statement stands in two places",
    one_block_for_both_branches: "a block stands in two places",
    branch_with_too_few_results: "else: 0 for 1 values",
    loop_with_too_many_results: "next: 1 for 0 values",
    loop_without_index: "has no index",
    stop_without_result: "no result that says when",
    reference_as_operand: "the reference %a.2 is an operand of sin",
    reference_in_a_path: "an operand of a path",
    reference_as_source: "source of New is the reference",
    reference_stored_into_an_array: "an operand of Store",
    reference_joined_with_a_value: "one is a reference, one is not",
    reference_made_by_an_op: "a reference, made by an Op",
    birth_that_is_no_reference: "%a.2 is no reference",
    unbound_operand: "UNBOUND is an operand",
    number_for_a_constant: "1.0 is no operand",
    two_results: "one result",
    append_to_an_array: "%a.2 is no list",
    long_path_into_a_list: "2 indices into the list",
    branch_with_parameters: "a branch has parameters",
}


@pytest.mark.parametrize(
    ("broken", "message"), FAULTS.items(), ids=[fault.__name__ for fault in FAULTS]
)
def test_faults(broken, message):
    with pytest.raises(VerifyError) as caught:
        verify(broken())
    assert message in str(caught.value)


def test_the_lines_around_the_fault_are_shown():
    x = scalar("x")
    p = Program(x)
    for k in range(20):
        if k == 12:
            p.origin = Origin(Position("model.py", 7, 4, 7, 9), "y = sin(z)")
            p.op(np.sin, scalar("z"), name="y")
            p.origin = None
        p.op(o.add, x, k, name=f"a{k}")
    with pytest.raises(VerifyError) as caught:
        verify(p.function(None, name="model"))
    text = str(caught.value)
    assert text.startswith("model.py:7:5: invalid IR in model: ")
    shown = [line for line in text.splitlines() if "%" in line][1:]
    assert len(shown) == 11
    marked = [line for line in shown if line.startswith("-->")]
    assert len(marked) == 1 and "# y = sin(z)" in marked[0]


# -- the text of the IR ----------------------------------------------------------------------------


def test_dump():
    x, n = vector("x"), integer("n")
    p = Program(x, n).line("a = x.copy()")
    a = p.new(x, "a")
    saved = p.list(name="saved")
    i, s = integer("i"), scalar("s")
    inner = p.inner(i, s).line("a[i] += s", mirror=True)
    value = inner.load(a, i)
    inner.append(saved, value)
    inner.add_to(a, (i,), s)
    test = inner.op(o.gt, s, 1.0, type=BOOL)
    out = scalar("s")
    p.origin = None
    p.for_((0, n, 1), [0.5], inner.ends(test, value), out, reverse=True, stops=True)
    f = p.function((out, p.op(np.sum, p.load(a, type=VECTOR), axis=0)))
    assert dump(verify(f)) == DUMPED.lstrip("\n")


DUMPED = """
def f(%x.1: float64[n], %n.2: int):
    %a.3: ref float64[n] = new %x.1                               # a = x.copy()
    %saved.4: ref list[float] = new []                            # a = x.copy()
    %s.5: float = loop %i.6: int in reversed(range(0, %n.2, 1)) with %s.7: float = 0.5:
        %8: float = load %a.3[%i.6]                               # reverse of a[i] += s
        append %saved.4, %8                                       # reverse of a[i] += s
        accumulate %a.3[%i.6] += %s.7                             # reverse of a[i] += s
        %9: bool = gt(%s.7, 1.0)                                  # reverse of a[i] += s
        stop if %9
        next %8
    %10: float64[n] = load %a.3[...]
    %11: float = sum(%10, axis=0)
    return (%s.5, %11)
"""


def test_dump_does_not_depend_on_what_was_made_before():
    first = dump(random_ir.random_function(3))
    random_ir.random_function(4)
    assert dump(random_ir.random_function(3)) == first


# -- alias classes ---------------------------------------------------------------------------------


def test_classes_include_back_edges():
    x = vector("x")
    p = Program(x)
    a, b, c = p.new(x, "a"), p.new(x, "b"), p.new(x, "c")
    params = [Value("p", Ref(VECTOR)), Value("q", Ref(VECTOR))]
    inner = p.inner(integer("i"), *params)
    outs = [Value("p", Ref(VECTOR)), Value("q", Ref(VECTOR))]
    p.for_((0, 3, 1), [a, b], inner.ends(params[1], params[0]), *outs)
    classes = alias_classes(p.function(None))
    assert len({classes[r] for r in (a, b, *params, *outs)}) == 1
    assert classes[c] != classes[a]


def test_a_list_and_what_it_holds_are_two_classes():
    x = vector("x")
    p = Program(x)
    a, b = p.new(x, "a"), p.new(x, "b")
    xs = p.list(a, name="xs", item=Ref(VECTOR))
    p.append(xs, b)
    last = p.pop(xs, type=Ref(VECTOR))
    classes = alias_classes(p.function(None))
    assert classes[a] == classes[b] == classes[last] == classes.contents[classes[xs]]
    assert classes[xs] != classes[a]
    assert classes.within(classes[xs]) == {classes[xs], classes[a]}


def test_lists_of_lists():
    xs = Value("xs", Ref(List(Ref(List(Ref(VECTOR))))))
    p = Program(xs)
    inner = p.load(xs, 0, type=Ref(List(Ref(VECTOR))))
    one, two = (p.load(inner, k, type=Ref(VECTOR)) for k in (0, 1))
    classes = alias_classes(p.function(None))
    assert classes[one] == classes[two]
    assert len({classes[v] for v in (xs, inner, one)}) == 3
