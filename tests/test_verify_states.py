"""The verifier of states: each way to read memory in a wrong state is found, and nothing else."""

import types

import numpy as np
import pytest

from adcompiler import grad
from adcompiler.analysis.verify_states import Proof, StateVerifier
from adcompiler.errors import VerifyError
from adcompiler.ir.nodes import (
    Append,
    Constant,
    If,
    Load,
    Loop,
    Op,
    Pop,
    Store,
    blocks,
    rewrite_operands,
    walk,
)
from adcompiler.ir.types import INT
from tests.differences import slope
from tests.fuzz.patching import replaced
from tests.ir_builder import Program, integer, vector


class Placed(Exception):
    """Ends a compilation when the backward sweep is written, before other passes see it."""


def sweep(f, *args):
    """What a function becomes, and what is claimed of it: a `Proof` that holds."""

    def stop(function, claims):
        raise Placed(function, claims)

    with replaced("adcompiler.passes.saving.PLACED", [stop]), pytest.raises(Placed) as caught:
        grad(f)(*args)
    proof = Proof(*caught.value.args)
    proof.check()
    return proof


def home(proof, statement):
    """The list of statements in which one stands."""
    inside = [b for s in walk(proof.function.body) for b in blocks(s)]
    (found,) = [b for b in (proof.function.body, *inside) if statement in b.statements]
    return found.statements


def move(proof, statement, to):
    statements = home(proof, statement)
    statements.remove(statement)
    statements.insert(statements.index(to) + 1 if to is not None else 0, statement)


def restores(proof):
    """What undoes stores, in the order of the program."""
    return [s for s in walk(proof.function.body) if s in proof.claims.restores]


def reloads(proof):
    """What is loaded again from memory."""
    claimed = {value for value, forward in proof.claims.stands_for if value is not forward}
    return [s for s in walk(proof.function.body) if isinstance(s, Load) and s.out in claimed]


def fault(proof):
    """What is said of a sweep that was changed; as if the compiler had written it so."""
    with pytest.raises(VerifyError) as caught:
        Proof(proof.function, proof.claims).check()
    return str(caught.value)


def later_fault(proof):
    """What is said of a sweep that was changed by a later pass."""
    with pytest.raises(VerifyError) as caught:
        proof.check()
    return str(caught.value)


# -- programs whose memory is rolled back, and what can go wrong on the way ---------------------

X = np.array([0.3, 0.4, 0.5, 0.6])


def stencil(x):
    for i in range(1, len(x)):
        x[i] = x[i] * np.sin(x[i - 1])
    return np.sum(x)


def two_stores(x):
    for k in range(3):
        i, j = int(x[k] * 3), int(x[k] * 5)
        x[i] = x[k] * x[j]
        x[j] = x[i] * x[k] * x[j]
    return np.sum(x)


def nested_branch(x):
    for k in range(3):
        if x[k] > 0.2:
            x[k + 1] = x[k] * x[k + 1]
        x[k] = np.sin(x[k])
    return np.sum(x)


def stack(x):
    xs = [x[0], x[1]]
    for _ in range(3):
        xs.append(xs[-1] * xs[-2])
        y = xs[-1]
        xs[-1] = y * y
    return xs[-1] + xs[0]


def apart(x):
    for _ in range(3):
        y, z = x[0] * x[1], x[0] + x[1]
        x[0] = y * y
        x[1] = z * z
    return x[0]


def kept(x):
    for k in range(3):
        y = np.exp(x[k])
        x[k] = y
        x[k + 1] = x[k + 1] * x[k]
    return np.sum(x)


PROGRAMS = [stencil, two_stores, nested_branch, stack, apart, kept]


@pytest.mark.parametrize("f", PROGRAMS, ids=lambda f: f.__name__)
def test_what_the_compiler_writes_is_proved(f):
    proof = sweep(f, X)
    assert restores(proof) and reloads(proof)
    found = grad(f)(X)
    for k, direction in enumerate(np.eye(len(X))):
        expected = slope(f, (X,), (direction,))
        assert expected.agrees([found[k]])


@pytest.mark.parametrize("f", PROGRAMS, ids=lambda f: f.__name__)
def test_no_restore_can_be_dropped(f):
    for number in range(len(restores(sweep(f, X)))):
        proof = sweep(f, X)
        dropped = restores(proof)[number]
        home(proof, dropped).remove(dropped)
        assert "is not undone" in fault(proof)
        assert "is not undone" in later_fault(proof)


@pytest.mark.parametrize("f", PROGRAMS, ids=lambda f: f.__name__)
def test_restore_behind_all_that_reads(f):
    proof = sweep(f, X)
    late = restores(proof)[0]
    move(proof, late, home(proof, late)[-1])
    assert "undone" in fault(proof)
    assert "undone" in later_fault(proof)


def test_reload_before_its_restore():
    proof = sweep(stencil, X)
    (restore,) = restores(proof)
    load = next(s for s in reloads(proof) if s.path == restore.path)
    move(proof, load, None)
    assert "`x[i] = x[i] * np.sin(x[i - 1])` is not undone" in fault(proof)


def test_restores_that_changed_places():
    proof = sweep(two_stores, X)
    late, early = restores(proof)
    statements = home(proof, late)
    a, b = statements.index(late), statements.index(early)
    statements[a], statements[b] = early, late
    assert "is undone before `x[j] = x[i] * x[k] * x[j]`, which ran later" in fault(proof)


def test_restores_of_places_apart_may_change_places():
    proof = sweep(apart, X)
    late, early = restores(proof)
    move(proof, late, early)
    proof.check()


def test_restore_behind_a_branch_that_reads():
    proof = sweep(nested_branch, X)
    late = next(s for s in restores(proof) if any(isinstance(t, If) for t in home(proof, s)))
    branch = next(t for t in home(proof, late) if isinstance(t, If))
    move(proof, late, branch)
    assert "`x[k] = np.sin(x[k])` is not undone" in fault(proof)


def test_restore_of_another_place():
    proof = sweep(stencil, X)
    (restore,) = restores(proof)
    restore.path = (Constant(1),)
    assert "1 is not" in fault(proof)


def test_restore_of_another_value():
    proof = sweep(two_stores, X)
    late, early = restores(proof)
    late.value, early.value = early.value, late.value
    assert "is not" in fault(proof)


def test_restore_in_another_block():
    proof = sweep(stencil, X)
    (restore,) = restores(proof)
    home(proof, restore).remove(restore)
    proof.function.body.statements.append(restore)
    assert "does not stand in the mirror" in fault(proof)


def test_kept_number_fetched_after_the_restore():
    proof = sweep(kept, X)
    exp = next(s for s in walk(proof.function.body) if isinstance(s, Op) and s.fn is np.exp)
    (kept_in,) = [a for a, b in proof.claims.stands_for if b is exp.outs[0] and a is not b]
    load = proof.maker[kept_in]
    restore = next(s for s in restores(proof) if proof.claims.restores[s][0].value is exp.outs[0])
    move(proof, load, restore)
    assert "`x[k] = y` is undone too soon" in fault(proof)


def test_saved_values_popped_elsewhere():
    proof = sweep(stencil, X)
    pop = next(s for s in proof.maker.values() if isinstance(s, Pop))
    home(proof, pop).remove(pop)
    proof.function.body.statements.insert(len(proof.forward), pop)
    assert "not popped in the mirror" in fault(proof)


def test_saved_values_appended_twice():
    proof = sweep(stencil, X)
    push = next(s for s in walk(proof.function.body) if isinstance(s, Append))
    home(proof, push).append(Append(push.ref, push.value))
    assert "no list of saved values" in fault(proof)


def test_loop_in_the_same_direction():
    proof = sweep(stencil, X)
    loop = [s for s in proof.function.body.statements if isinstance(s, Loop)][-1]
    loop.domain.reverse = False
    assert "same direction" in fault(proof)


def test_memory_that_is_written_behind_its_back():
    proof = sweep(stencil, X)
    (restore,) = restores(proof)
    wild = Store(restore.ref, (Constant(0),), Constant(0.0))
    home(proof, restore).insert(0, wild)
    assert "writes memory that is read again" in fault(proof)


def test_loads_merged_across_a_store():
    """The load of one state takes the place of a load of another, after the sweep was proved."""
    proof = sweep(two_stores, X)
    for k, one in enumerate(reloads(proof)):
        for two in reloads(proof)[k + 1 :]:
            if one.ref is two.ref and one.path == two.path:
                break
        else:
            continue
        break
    home(proof, two).remove(two)
    for user in walk(proof.function.body):
        rewrite_operands(user, lambda value: one.out if value is two.out else value)
    assert "undone" in later_fault(proof)


def test_the_verifier_knows_the_latest_sweep_only():
    proof = sweep(stencil, X)
    verifier = StateVerifier()
    verifier.placed(proof.function, proof.claims)
    (restore,) = restores(proof)
    home(proof, restore).remove(restore)
    with pytest.raises(VerifyError):
        verifier.check(proof.function)
    verifier.check(sweep(kept, X).function)


# -- places that differ for certain --------------------------------------------------------------


def written_after_it_was_read(written, read, bounds, outer):
    """A loop that loads a place and then stores to one, and a mirror that only loads again."""
    x, n = vector("x"), integer("n")
    p = Program(x, n)
    a = p.new(x, "a")
    i, again = integer("i"), integer("i")
    inner = p.inner(i)
    value = inner.load(a, read(inner, i))
    inner.store(a, (written(inner, i),), 1.0)
    mirror = p.inner(again)
    loaded = mirror.load(a, read(mirror, again))
    bounds = tuple(n if b == "n" else b for b in bounds)
    claims = types.SimpleNamespace(mirrors={}, indices={i: (again, None)}, place={}, restores={})
    around, around_mirror = p, p
    if outer:
        t, t_again = integer("t"), integer("t")
        around, around_mirror = p.inner(t), p.inner(t_again)
        claims.indices[t] = (t_again, None)
    around.for_(bounds, [], inner.ends())
    around_mirror.for_(bounds, [], mirror.ends(), reverse=True)
    if outer:
        mirrored = around_mirror.block
        p.for_((0, 3, 1), [], around.ends())
        p.for_((0, 3, 1), [], mirrored, reverse=True)
        claims.mirrors[mirrored] = around.block
    claims.mirrors[mirror.block] = inner.block
    claims.place = dict.fromkeys(p.block.statements[:-1], p.block)
    claims.stands_for = {(loaded, value): None}
    for one, other in zip(inner.block.statements, mirror.block.statements, strict=False):
        if not isinstance(one, Load | Store):
            claims.stands_for[other.outs[0], one.outs[0]] = None
    return Proof(p.function(None), claims)


def at(offset):
    def index(program, i):
        return i if offset == 0 else program.op(np.add, i, offset, type=INT)

    return index


def constant(number):
    return lambda program, i: number


UP, DOWN = (0, "n", 1), ("n", -1, -1)


@pytest.mark.parametrize(
    ("written", "read", "bounds", "outer", "apart"),
    [
        (at(0), constant(0), (1, "n", 1), False, True),
        (at(0), constant(0), UP, False, False),
        (at(0), constant(0), (1, "n", 1), True, True),
        (at(1), at(0), UP, False, True),
        (at(1), at(0), UP, True, False),
        (at(0), at(1), UP, False, False),
        (at(0), at(0), UP, False, False),
        (at(0), at(1), DOWN, False, True),
        (at(1), at(0), DOWN, False, False),
        (at(2), at(1), (0, "n", 2), False, True),
        (at(0), at(1), (0, "n", 2), False, True),
        (at(0), at(2), (0, "n", 2), False, False),
        (at(-1), at(-2), (1, "n", 1), False, False),
        (at(-1), at(-2), (2, "n", 1), False, True),
        (constant(1), constant(0), UP, False, True),
        (constant(-1), constant(0), UP, False, False),
        (constant(2), at(0), (0, 2, 1), False, True),
        (constant(2), at(0), (0, 3, 1), False, False),
    ],
)
def test_places(written, read, bounds, outer, apart):
    proof = written_after_it_was_read(written, read, bounds, outer)
    if apart:
        proof.check()
    else:
        assert "is not undone" in fault(proof)


# -- what it found ------------------------------------------------------------------------------


def array_in_a_list_from_outside(x):
    """On later trips the array of the first one is written, through the list."""
    arrays = []
    s = 0.1
    for _ in range(3):
        a = x * 1.0
        arrays.append(a)
        a[[0, 1]] = s * x[1:3]
        first = arrays[0]
        first[0] = first[0] * 2.0 + s
        s = s + np.sum(np.sin(a))
    return s


def sweeps_over_an_array(x):
    """The inner loop writes ahead of what it reads; on the next sweep it comes back."""
    for _ in range(3):
        for i in range(1, len(x)):
            x[i] = x[i] + np.sin(x[i - 1])
    return np.sum(x)


@pytest.mark.parametrize("f", [array_in_a_list_from_outside, sweeps_over_an_array])
def test_what_it_found(f):
    found = grad(f)(X)
    for k, direction in enumerate(np.eye(len(X))):
        assert slope(f, (X,), (direction,)).agrees([found[k]])
