"""Places that are called apart never meet: random loops, run with all short lengths."""

import operator
import random
from dataclasses import dataclass, field

import numpy as np
import pytest

from adcompiler.analysis.classes import alias_classes
from adcompiler.analysis.inequalities import impossible
from adcompiler.analysis.places import Places
from adcompiler.analysis.sweep import Sweep
from adcompiler.ir.nodes import (
    Constant,
    Load,
    Loop,
    New,
    Op,
    Slice,
    Store,
    Value,
    View,
    blocks,
    dimension,
    walk,
)
from tests.ir_builder import FLOAT, INT, MATRIX, VECTOR, Array, Program, cut, integer, matrix

PROGRAMS = 1500
MOST = 4


# -- running a program, with the indices of all items it touches -----------------------------------


@dataclass
class Run:
    """What each access touched, with the trips of the loops around."""

    lengths: tuple
    values: dict = field(default_factory=dict)
    trips: dict = field(default_factory=dict)
    touched: list = field(default_factory=list)

    def of(self, operand):
        if isinstance(operand, Value):
            return self.values[operand]
        if isinstance(operand, Slice):
            return slice(*map(self.of, (operand.start, operand.stop, operand.step)))
        if isinstance(operand, tuple):
            return tuple(self.of(item) for item in operand)
        return operand.value

    def block(self, block):
        for statement in block.statements:
            match statement:
                case New(out=out):
                    count = int(np.prod(self.lengths))
                    self.values[out] = np.arange(count).reshape(self.lengths)
                case View(ref=ref, args=[path], out=out):
                    self.values[out] = self.values[ref][self.of(path)]
                case Op(fn=fn, args=args, outs=[out]):
                    self.values[out] = (
                        self.lengths[args[1].value] if fn is dimension else fn(*map(self.of, args))
                    )
                case Store() | Load():
                    items = np.ravel(self.values[statement.ref][self.of(statement.path)])
                    self.touched.append((statement, dict(self.trips), set(items.tolist())))
                case Loop(domain=domain, body=body):
                    trips = range(*map(self.of, (domain.start, domain.stop, domain.step)))
                    for k, index in enumerate(reversed(trips) if domain.reverse else trips):
                        self.values[statement.index] = index
                        self.trips[statement] = k
                        self.block(body)
                    self.trips.pop(statement, None)


def meet(runs, store, load, same, loop=None, trips=0):
    """Whether the two ever touch one item, in one trip of the loops `same`, and `trips` of `loop`
    apart."""
    for run in runs:
        for one, when, items in run.touched:
            for other, then, others in run.touched:
                if one is store and other is load and items & others:
                    if all(when[k] == then[k] for k in same):
                        if loop is None or (when[loop] - then[loop]) * trips > 0:
                            return True
    return False


# -- random programs ------------------------------------------------------------------------------


class Random:
    def __init__(self, seed):
        self.random = random.Random(seed)
        self.program = Program(x := matrix("x"))
        self.array = self.program.new(x, "a", MATRIX)
        rows, columns = integer("n"), integer("m")
        for axis, out in enumerate((rows, columns)):
            self.program.put(Op(dimension, [x, Constant(axis)], {}, [out]))
        self.accesses = []
        self.fill(self.program, [rows, columns], [(self.array, 2)], 0)
        self.function = self.program.function(0.0)

    def fill(self, program, integers, arrays, depth):
        for _ in range(self.random.randint(1, 3)):
            choice = self.random.random()
            if choice < 0.45 and depth < 3:
                index = integer("ijk"[depth])
                inner = program.inner(index)
                self.fill(inner, [*integers, index], list(arrays), depth + 1)
                step = self.random.choice([1, 1, 1, 1, -1, 2, -2, 3])
                bounds = [self.integer(program, integers), self.integer(program, integers), step]
                if step > 0 and self.random.random() < 0.5:
                    bounds[0] = 0
                program.for_(bounds, [], inner.ends(), reverse=self.random.random() < 0.3)
            elif choice < 0.6:
                array, rank = self.random.choice(arrays)
                path, left = self.path(program, integers, rank, full=False)
                if left:
                    kind = VECTOR if left == 1 else MATRIX
                    kind = Array("float64", (None,) * left) if left else kind
                    arrays.append((program.view(operator.getitem, array, path, type=kind), left))
            else:
                array, rank = self.random.choice(arrays)
                path, _ = self.path(program, integers, rank, full=self.random.random() < 0.7)
                if self.random.random() < 0.5:
                    program.store(array, path, 0.0)
                else:
                    program.load(array, *path, type=FLOAT)
                self.accesses.append(program.block.statements[-1])

    def integer(self, program, integers):
        value = self.random.choice(integers)
        match self.random.randint(0, 11):
            case 0:
                return self.random.randint(-1, 3)
            case 1 | 2:
                return program.op(operator.add, value, self.random.randint(-2, 2), type=INT)
            case 3:
                return program.op(operator.sub, value, self.random.choice(integers), type=INT)
            case 4:
                return program.op(operator.mul, 2, value, type=INT)
            case 5:
                return program.op(operator.floordiv, value, 2, type=INT)
            case 6:
                return program.op(operator.mod, value, 2, type=INT)
            case 7:
                fn = self.random.choice([min, max])
                return program.op(fn, value, self.random.choice(integers), type=INT)
        return value

    def path(self, program, integers, rank, full):
        path = []
        left = rank
        for _ in range(rank if full else self.random.randint(0, rank)):
            if self.random.random() < 0.6:
                path.append(self.integer(program, integers))
                left -= 1
            else:
                ends = [
                    None if self.random.random() < 0.4 else self.integer(program, integers)
                    for _ in range(2)
                ]
                path.append(cut(*ends, self.random.choice([None, None, None, 1, 2, -1])))
        return tuple(path), left


def runs_of(function):
    found = []
    for n in range(MOST + 1):
        for m in range(MOST + 1):
            run = Run((n, m))
            try:
                run.block(function.body)
            except (IndexError, ValueError):
                pass  # what it did before counts
            found.append(run)
    return found


def questions(function, accesses):
    """Each store and place, with what they share, and the loop of which they run other trips."""
    sweep = Sweep(function.body, function.body.statements, alias_classes(function))
    places = Places(sweep)
    for store in accesses:
        for load in accesses:
            if isinstance(store, Store):
                pairs = zip(sweep.around(store), sweep.around(load), strict=False)
                shared = [a for a, b in pairs if a is b]
                loops = [sweep.owner[block] for block in shared[1:]]
                yield store, load, loops, None, 0, places.apart(store, load.ref, load.path, shared)
                for k, loop in enumerate(loops):
                    for trips in (1, -1):
                        apart = places.apart(
                            store, load.ref, load.path, shared[: k + 1], loop, trips
                        )
                        yield store, load, loops[:k], loop, trips, apart


@pytest.mark.parametrize("part", range(5))
def test_places_that_are_apart_never_meet(part):
    told = 0
    for seed in range(part * PROGRAMS // 5, (part + 1) * PROGRAMS // 5):
        made = Random(seed)
        runs = None
        for store, load, same, loop, trips, apart in questions(made.function, made.accesses):
            if apart:
                told += 1
                runs = runs or runs_of(made.function)
                assert not meet(runs, store, load, same, loop, trips), (seed, store, load)
    assert told > 200  # it is not the answer "maybe" that is right every time


def found(function):
    """The answers for the one store and the one load of a function."""
    accesses = [s for s in walk(function.body) if isinstance(s, (Store, Load))]
    return {
        (None if loop is None else loop.index.name, trips): apart
        for store, load, _, loop, trips, apart in questions(function, accesses)
        if isinstance(load, Load)
    }


def test_a_triangular_loop_does_not_come_back():
    """The store of LU decomposition, and the row that its update reads."""
    program = Program(x := matrix("x"))
    a = program.new(x, "a", MATRIX)
    n = integer("n")
    program.put(Op(dimension, [x, Constant(0)], {}, [n]))
    inner = program.inner(j := integer("j"))
    i = integer("i")
    inner.load(a, i, cut(None, j), type=VECTOR)
    inner.store(a, (i, j), 0.0)
    outer = program.inner(i)
    outer.for_((0, i, 1), [], inner.ends())
    program.for_((0, n, 1), [], outer.ends())
    function = program.function(0.0)
    answers = found(function)
    assert answers["i", 1] and answers["j", 1] and answers[None, 0]
    assert not answers["j", -1]
    assert any(blocks(s) for s in function.body.statements)


@pytest.mark.parametrize(
    ("step", "offset", "apart"), [(2, 1, True), (2, 2, False), (3, 2, True), (1, 1, False)]
)
def test_remainders_by_the_step_count(step, offset, apart):
    program = Program(x := Value("x", VECTOR))
    a = program.new(x, "a", VECTOR)
    body = program.inner(i := integer("i"))
    body.load(a, i, type=FLOAT)
    ahead = body.op(operator.add, i, offset, type=INT)
    body.store(a, (ahead,), 0.0)
    program.for_((0, 9, step), [], body.ends())
    answers = found(program.function(0.0))
    assert (answers["i", -1], answers["i", 1]) == (apart, True)


def test_impossible_is_never_said_of_what_is_possible():
    rng = random.Random(0)
    said = 0
    for _ in range(4000):
        system = [
            {"x": rng.randint(-3, 3), "y": rng.randint(-3, 3), "z": rng.randint(-2, 2)}
            | {None: rng.randint(-5, 4)}
            for _ in range(rng.randint(1, 7))
        ]
        if impossible(system):
            said += 1
            points = np.stack(np.meshgrid(*[np.arange(-9, 10)] * 3), -1).reshape(-1, 3)
            sums = [points @ [c["x"], c["y"], c["z"]] + c[None] >= 0 for c in system]
            assert not np.all(sums, axis=0).any(), system
    assert said > 400
