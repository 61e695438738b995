"""Random IR programs: every kind of statement, names that collide, references that alias.

The programs are valid and end; what they compute has no meaning.  `random_function(seed)` is the
same program in every run.
"""

from __future__ import annotations

import operator
import random
from dataclasses import dataclass, field

import numpy as np

from adcompiler.ir.nodes import (
    UNBOUND,
    Accumulate,
    Append,
    Block,
    Constant,
    Function,
    If,
    Load,
    Loop,
    New,
    Op,
    Operand,
    Origin,
    Pop,
    Raise,
    Range,
    Slice,
    Store,
    Value,
    View,
    dimension,
)
from adcompiler.ir.types import (
    BOOL,
    FLOAT,
    INT,
    UNKNOWN,
    Array,
    List,
    Ref,
    as_dim,
)

VECTOR = Array("float64", (as_dim(4),))
MATRIX = Array("float64", (as_dim(4), as_dim(4)))
TYPES = {
    "float": FLOAT,
    "int": INT,
    "bool": BOOL,
    "vector": VECTOR,
    "matrix": MATRIX,
    "vectors": List(VECTOR),
    "&vector": Ref(VECTOR),
    "&matrix": Ref(MATRIX),
    "&floats": Ref(List(FLOAT)),
    "&vectors": Ref(List(VECTOR)),
    "&refs": Ref(List(Ref(VECTOR))),
}
NAMES = ["a", "b", "s", "x", "row", "x_bar", "i"]
LOG: list[float] = []


def tick(x):
    """A function with an effect: the order of its calls is seen in `LOG`."""
    LOG.append(float(x))
    return float(x) + len(LOG)


def same(x):
    return x


def window(x):
    return x[::-1]


def total(vectors):
    return float(sum(np.sum(v) * (k + 1) for k, v in enumerate(vectors)))


def same_pair(x, y):
    return y, x


@dataclass
class Scope:
    values: dict[str, list[Value]] = field(default_factory=dict)
    loose: list[tuple[str, Value]] = field(default_factory=list)

    def inner(self) -> Scope:
        return Scope({kind: list(values) for kind, values in self.values.items()}, list(self.loose))

    def add(self, kind: str, value: Value) -> Value:
        self.values.setdefault(kind, []).append(value)
        return value


class Generator:
    def __init__(self, seed: int, size: int = 40) -> None:
        self.random = random.Random(seed)
        self.budget = self.random.randint(5, size)
        self.statements: list = []
        self.scope = Scope()
        self.mirror = False
        self.line = 0
        self.unbound = self.random.random() < 0.25
        self.named = self.random.choice([0.2, 0.5, 0.8])

    def chance(self, p: float) -> bool:
        return self.random.random() < p

    # Pieces.

    def name(self, p: float | None = None) -> str | None:
        if self.chance(self.named if p is None else p):
            return self.random.choice(NAMES)
        return None

    def origin(self) -> Origin:
        if self.chance(0.6):
            self.line += 1
        if self.chance(0.1):
            self.mirror = not self.mirror
        return Origin(None, f"statement {self.line}", self.mirror)

    def put(self, statement):
        statement.origin = self.origin()
        self.statements.append(statement)
        return statement

    def value(self, kind: str, name: str | None = None, unknown: bool = False) -> Value:
        return Value(name, UNKNOWN if unknown else TYPES[kind])

    def op(self, kind: str, fn, *args, name: str | None | bool = False, effect=False) -> Value:
        unknown = kind in ("vector", "matrix") and self.chance(0.1)
        out = self.value(kind, self.name() if name is False else name, unknown)
        self.put(Op(fn, list(args), {}, [out], effect=effect))
        return self.scope.add(kind, out)

    def pick(self, kind: str) -> Operand:
        """A visible value of that kind, mostly a recent one; made if there is none."""
        known = self.scope.values.get(kind, [])
        if known and self.chance(0.9):
            return known[-1 - min(int(self.random.expovariate(0.5)), len(known) - 1)]
        match kind:
            case "float":
                return Constant(round(self.random.uniform(-1, 1), 2))
            case "int":
                return Constant(self.random.randrange(3))
            case "bool":
                return self.op("bool", operator.lt, self.pick("float"), Constant(0.3))
            case "vector":
                return self.op("vector", np.full, Constant(4), self.pick("float"))
            case "matrix":
                return self.op("matrix", np.outer, self.pick("vector"), self.pick("vector"))
            case "vectors":
                self.load_list("&vectors")
                return self.scope.values["vectors"][-1]
        return self.new(kind)

    def new(self, kind: str) -> Value:
        match kind:
            case "&vector" | "&matrix":
                source: Operand = self.pick(kind[1:])
                if self.chance(0.3):
                    source = self.op(kind[1:], np.copy, source, name=None)
            case "&floats":
                source = [self.pick("float") for _ in range(5)]
            case "&vectors":
                source = [self.pick("vector") for _ in range(4)]
                if self.chance(0.2) and self.scope.values.get("vectors"):
                    source = self.pick("vectors")
            case "&refs":
                source = [self.pick("&vector") for _ in range(4)]
        out = self.value(kind, self.name())
        if isinstance(source, Value) and self.chance(0.3):
            out.name = source.name
        self.put(New(source, out))
        return self.scope.add(kind, out)

    def index(self) -> Operand:
        known = self.scope.values.get("int", [])
        if known and self.chance(0.5):
            return known[-1]
        return Constant(self.random.choice([0, 1, 1, 2, 3, 3]))

    def slice(self, start, stop, step=None) -> Slice:
        return Slice(Constant(start), Constant(stop), Constant(step))

    # Statements.

    def body(self, count: int) -> None:
        for _ in range(count):
            if self.budget <= 0:
                return
            self.budget -= 1
            self.random.choices(
                [self.compute, self.view_value, self.effect, self.make, self.load, self.store,
                 self.update, self.accumulate, self.lists, self.branch, self.loop, self.endless,
                 self.multiple, self.choice, self.hoisted, self.stack],
                [10, 4, 2, 3, 8, 8, 4, 4, 6, 4, 4, 2, 1, 2, 2, 2],
            )[0]()  # fmt: skip

    def compute(self) -> None:
        pick = self.pick
        kind = self.random.choice(["float", "float", "int", "bool", "vector", "vector", "matrix"])
        if self.unbound and self.scope.loose and self.chance(0.15):
            # Named, so that it is read where it stands.
            which, value = self.random.choice(self.scope.loose)
            if which == "vectors":
                self.op(which, list, value, name="a")
            else:
                self.op(which, np.multiply, value, Constant(1.0), name="a")
            return
        match kind, self.random.randrange(5):
            case "float", 0:
                self.op(kind, operator.add, pick("float"), pick("float"))
            case "float", 1:
                self.op(kind, np.sin, pick("float"))
            case "float", 2:
                self.op(kind, operator.isub, pick("float"), pick("float"))
            case "float", 3:
                self.op(kind, operator.getitem, pick("vector"), (self.index(),))
            case "float", _:
                self.op(kind, np.sum, pick(self.random.choice(["vector", "matrix"])))
            case "int", 0:
                self.op(kind, dimension, pick("matrix"), Constant(0), name=None)
                self.scope.values["int"].pop()
            case "int", _:
                whole = self.op(kind, operator.add, pick("int"), Constant(self.random.randrange(2)))
                self.scope.values["int"].pop()
                self.op(kind, operator.mod, whole, Constant(4))
            case "bool", 0 | 1:
                self.op(kind, operator.gt, pick("float"), pick("float"))
            case "bool", _:
                self.op(kind, operator.not_, pick("bool"))
            case "vector", 0:
                self.op(kind, operator.add, pick("vector"), pick("vector"))
            case "vector", 1:
                self.op(kind, operator.mul, pick("vector"), pick("float"))
            case "vector", 2:
                self.op(kind, operator.matmul, pick("matrix"), pick("vector"))
            case "vector", _:
                self.op(kind, np.tanh, pick("vector"))
            case "matrix", 0 | 1:
                self.op(kind, operator.sub, pick("matrix"), pick("vector"))
            case _:
                self.op(kind, np.cos, pick("matrix"))

    def view_value(self) -> None:
        match self.random.randrange(9):
            case 0:
                self.op("vector", operator.getitem, self.pick("matrix"), (self.index(),))
            case 1:
                path = (self.slice(None, None), self.index())
                self.op("vector", operator.getitem, self.pick("matrix"), path)
            case 2:
                self.op("vector", same, self.pick("vector"))
            case 3:
                self.op("vector", window, self.pick("vector"))
            case 4:
                self.op("matrix", getattr, self.pick("matrix"), Constant("T"))
            case 5:
                self.op("vector", np.asarray, self.pick("vector"))
            case 6:
                path = (self.slice(None, None, -1),)
                self.op("vector", operator.getitem, self.pick("vector"), path)
            case 7:
                self.op("vector", np.ravel, self.pick("vector"))
            case _:
                self.op("vector", np.diagonal, self.pick("matrix"))

    def multiple(self) -> None:
        outs = [self.value("vector", self.name()), self.value("vector", self.name())]
        fn = self.random.choice([same_pair, np.divmod])
        self.put(Op(fn, [self.pick("vector"), self.pick("vector")], {}, outs))
        for out in outs:
            self.scope.add("vector", out)

    def effect(self) -> None:
        if self.chance(0.3):
            # Several at once, combined in another order.
            found = [self.op("float", tick, self.pick("float"), effect=True, name=None)
                     for _ in range(3)]  # fmt: skip
            self.random.shuffle(found)
            pair = self.op("float", operator.sub, found[0], found[1], name=None)
            pair = [pair, found[2]] if self.chance(0.5) else [found[2], pair]
            if self.chance(0.3):
                self.put(Op(tick, [Constant(0.5)], {}, [], effect=True))
            self.op("float", operator.sub, *pair)
        elif self.chance(0.2):
            self.put(Op(tick, [self.pick("float")], {}, [], effect=True))
        else:
            self.op("float", tick, self.pick("float"), effect=True, name=self.name(0.3))

    def make(self) -> None:
        if self.chance(0.5):
            self.new(self.random.choice(["&vector", "&matrix", "&floats", "&vectors", "&refs"]))
            return
        match self.random.randrange(4):
            case 0:
                ref, kind = self.pick("&matrix"), "&vector"
                view = View(operator.getitem, ref, [(self.index(),)], {}, self.ref(kind))
            case 1:
                ref, kind = self.pick("&matrix"), "&vector"
                path = (self.slice(None, None), self.index())
                view = View(operator.getitem, ref, [path], {}, self.ref(kind))
            case 2:
                ref, kind = self.pick("&matrix"), "&matrix"
                view = View(np.transpose, ref, [], {}, self.ref(kind))
            case _:
                ref, kind = self.pick("&vector"), "&vector"
                path = self.random.choice([(), (self.slice(None, None, -1),)])
                view = View(operator.getitem, ref, [path], {}, self.ref(kind))
        self.put(view)
        self.scope.add(kind, view.out)

    def ref(self, kind: str) -> Value:
        return self.value(kind, self.name())

    def place(self) -> tuple[Value, tuple, str]:
        """A reference, a path into it and the kind of what is there."""
        every = self.slice(None, None)
        back = self.slice(None, None, -1)
        if self.chance(0.5):
            ref = self.pick("&vector")
            some = Constant(np.array([2, 0, 0, 1]), "some")
            return ref, *self.random.choice(
                [((), "vector"), ((self.index(),), "float"), ((back,), "vector"),
                 ((some,), "vector"), ((Constant(...),), "vector")]
            )  # fmt: skip
        ref = self.pick("&matrix")
        return ref, *self.random.choice(
            [((), "matrix"), ((self.index(),), "vector"), ((self.index(), self.index()), "float"),
             ((every, self.index()), "vector"), ((back,), "matrix"),
             ((self.index(), back), "vector")]
        )  # fmt: skip

    def load_from(self, ref: Value, path: tuple, kind: str, name: str | None) -> Value:
        unknown = self.chance(0.1) and kind != "float"
        out = self.value(kind, name, unknown)
        self.put(Load(ref, path, out))
        return self.scope.add(kind, out)

    def load(self) -> None:
        ref, path, kind = self.place()
        self.load_from(ref, path, kind, ref.name if self.chance(0.2) else self.name())

    def store(self) -> None:
        if self.chance(0.1):
            # A row onto the column that crosses it: NumPy gets it wrong without a copy.
            ref = self.pick("&matrix")
            row = (Constant(self.random.randrange(4)),)
            column = (self.slice(None, None), Constant(self.random.randrange(4)))
            source, place = self.random.sample([row, column], 2)
            value = self.load_from(ref, source, "vector", self.name())
            self.put(Store(ref, place, value))
            return
        ref, path, kind = self.place()
        if self.chance(0.2) and kind == "vector":
            whole = isinstance(ref.type.target.shape, tuple) and len(ref.type.target.shape) == 2
            other = (self.index(),) if whole else ()
            value: Operand = self.load_from(ref, other, "vector", self.name())
        elif self.chance(0.1) and kind == "vector" and not path:
            part = Value(None, Array("float64", (as_dim(3),)))
            self.put(Load(ref, (self.slice(0, 3),), part))
            self.put(Store(ref, (self.slice(1, 4),), part))
            return
        else:
            value = self.pick(self.random.choice([kind, "float"]))
        self.put(Store(ref, path, value))

    def update(self) -> None:
        ref, path, kind = self.place()
        old = self.load_from(ref, path, kind, self.random.choice([None, None, ref.name]))
        if self.chance(0.15):
            self.store()
        value = self.pick(self.random.choice([kind, "float"]))
        elsewhere, other, what = self.place()
        if what == kind and self.chance(0.5):
            ref, path = elsewhere, other
        fn = self.random.choice([operator.imul, operator.iadd, operator.isub, operator.add])
        new = self.op(kind, fn, old, value, name=self.random.choice([None, None, ref.name]))
        if self.chance(0.1):
            self.store()
        self.put(Store(ref, path, new))

    def hoisted(self) -> None:
        """A load before a loop which reads it and then writes what was loaded."""
        ref, path, kind = self.place()
        row = self.load_from(ref, path, kind, self.name(0.8))
        if kind != "float" and self.chance(0.3):
            row = self.op(kind, same, row)
        index = Value("i", INT)

        def close():
            self.op("float", np.sum, row)
            self.store_at(ref)
            return []

        body = self.fill([("int", index)], self.random.randrange(2), close)
        bounds = [Constant(0), Constant(self.random.randrange(4)), Constant(1)]
        self.put(Loop(Range(*bounds), [], body, []))

    def store_at(self, ref: Value) -> None:
        value = self.pick("float")
        whole = len(ref.type.target.shape) == 1
        self.put(Store(ref, (self.index(),) if whole else (self.index(), self.index()), value))

    def accumulate(self) -> None:
        if self.chance(0.2):
            kind = self.random.choice(["&floats", "&vectors"])
            value = self.pick("float" if kind == "&floats" else "vector")
            self.put(Accumulate(self.pick(kind), (Constant(self.random.randrange(3)),), value))
            return
        ref, path, kind = self.place()
        self.put(Accumulate(ref, path, self.pick(self.random.choice([kind, "float"]))))

    def lists(self) -> None:
        kind = self.random.choice(["&floats", "&vectors", "&refs"])
        item = {"&floats": "float", "&vectors": "vector", "&refs": "&vector"}[kind]
        ref = self.pick(kind)
        where = (Constant(self.random.randrange(3)),)
        match self.random.randrange(8):
            case 0 | 1:
                self.put(Append(ref, self.pick(item)))
            case 2:
                self.put(Append(ref, self.pick(item)))
                self.body(self.random.randrange(3))
                out = self.value(item, self.name())
                self.put(Pop(ref, out))
                self.scope.add(item, out)
            case 3:
                self.put(Store(ref, where, self.pick(item)))
            case 4 | 5:
                out = self.value(item, self.name())
                self.put(Load(ref, where, out))
                self.scope.add(item, out)
            case 6:
                length = self.op("int", len, ref)
                self.scope.values["int"].pop()
                self.op("float", operator.mul, length, Constant(0.25))
            case _:
                self.load_list(self.random.choice(["&vectors", "&refs"]))
                self.op("float", total, self.pick("vectors"))

    def stack(self) -> None:
        """Pops whose values are used a little later."""
        kind, item = self.random.choice([("&floats", "float"), ("&vectors", "vector")])
        ref = self.pick(kind)
        for _ in range(2):
            self.put(Append(ref, self.pick(item)))
        taken = []
        for _ in range(2):
            taken.append(self.value(item, self.random.choice([None, None, "s"])))
            self.put(Pop(ref, taken[-1]))
            match self.random.randrange(6):
                case 0:
                    length = self.op("int", len, ref, name=None)
                    self.scope.values["int"].pop()
                    self.op("float", operator.mul, length, Constant(0.25))
                case 1:
                    self.put(Append(ref, self.pick(item)))
                case 2 if kind == "&vectors":
                    out = self.value("vectors", self.name())
                    self.put(Load(ref, (), out))
                    self.scope.add("vectors", out)
                case 3:

                    def close(ref=ref):
                        length = self.op("int", len, ref, name=None)
                        self.scope.values["int"].pop()
                        return [self.op("float", operator.mul, length, Constant(0.5))]

                    out = self.value("float", self.name())
                    arms = self.fill([], 0, close), self.fill([], 0, lambda: [Constant(0.0)])
                    self.put(If(self.pick("bool"), *arms, [out]))
                    self.scope.add("float", out)
                case 4:
                    self.lists()
                case 5:
                    self.put(Accumulate(ref, (Constant(-1),), taken[-1]))
        self.op(item, operator.sub, *self.random.sample(taken, 2), name=self.name())

    def load_list(self, kind: str) -> None:
        ref = self.pick(kind)
        out = self.value("vectors", self.name())
        self.put(Load(ref, (), out))
        self.scope.add("vectors", out)

    # Structure.

    def inside(self, count: int, params: list[Value]) -> tuple[Block, Scope]:
        """A block filled with statements, and what is visible at its end; it is still open."""
        block = Block(params)
        return block, self.scope.inner()

    def kinds(self, most: int) -> list[str]:
        names = ["float", "float", "vector", "matrix", "&vector", "&matrix", "&floats", "&vectors",
                 "vectors", "&refs", "bool"]  # fmt: skip
        chosen = self.random.choices(names, k=self.random.randint(0, most))
        for kind in chosen:
            if not self.scope.values.get(kind):
                self.pick(kind) if kind != "float" else None
        return chosen

    def fill(self, params: list[tuple[str, Value]], count: int, then) -> Block:
        """A block: statements, then what `then()` returns are its results."""
        statements, scope, mirror = self.statements, self.scope, self.mirror
        self.statements, self.scope = [], scope.inner()
        for kind, value in params:
            self.scope.add(kind, value)
        self.body(count)
        results = then()
        block = Block([value for _, value in params], self.statements, results)
        self.statements, self.scope, self.mirror = statements, scope, mirror
        return block

    def results(self, kinds: list[str]) -> list[Operand]:
        picked: list[Operand] = []
        for kind in kinds:
            if self.unbound and not kind.startswith("&") and self.chance(0.15):
                picked.append(UNBOUND)
                continue
            loose = [value for which, value in self.scope.loose if which == kind]
            if loose and self.chance(0.6):
                picked.append(self.random.choice(loose))
                continue
            picked.append(self.pick(kind))
        return picked

    def join(self, kinds: list[str], outs: list[Value], sources: list[list[Operand]]) -> None:
        """Make the outs visible: as loosely bound ones if a source may be."""
        loose = {value for _, value in self.scope.loose} | {UNBOUND} | self.inner_loose
        for k, (kind, out) in enumerate(zip(kinds, outs, strict=True)):
            if any(source[k] in loose for source in sources):
                self.scope.loose.append((kind, out))
            else:
                self.scope.add(kind, out)

    inner_loose: set[Operand] = set()

    def branch(self) -> None:
        test = self.pick("bool")
        kinds = self.kinds(3)
        found: list[set] = []

        def close():
            results = self.results(kinds)
            found.append({value for _, value in self.scope.loose})
            return results

        then = self.fill([], self.random.randrange(5), close)
        orelse = self.fill([], self.random.randrange(4), close)
        outs = [self.value(kind, self.name(0.7)) for kind in kinds]
        if self.chance(0.05):
            orelse.statements.append(Raise(Constant(ValueError("no"))))
            test = self.op("bool", operator.lt, self.pick("float"), Constant(1e3), name=None)
        self.put(If(test, then, orelse, outs))
        self.inner_loose = found[0] | found[1]
        self.join(kinds, outs, [then.results, orelse.results])

    def choice(self) -> None:
        """A conditional expression."""
        test = self.pick("bool")
        kind = self.random.choice(["float", "float", "vector", "bool"])
        if kind == "vector":
            self.pick("vector")

        def close():
            if self.chance(0.5):
                return [self.pick(kind)]
            match kind:
                case "float":
                    return [self.op(kind, np.sin, self.pick("float"), name=None)]
                case "bool":
                    return [self.op(kind, operator.gt, self.pick("float"), Constant(0.1),
                                    name=None)]  # fmt: skip
            ref = self.pick("&matrix")
            return [self.load_from(ref, (self.index(),), kind, None)]

        then, orelse = self.fill([], 0, close), self.fill([], 0, close)
        if kind == "bool" and isinstance(test, Value):
            if self.chance(0.3):
                orelse = Block([], [], [test])
            elif self.chance(0.3):
                then = Block([], [], [test])
        out = self.value(kind, self.name(0.4))
        self.put(If(test, then, orelse, [out]))
        self.statements[-1].origin = Origin(None, "y = a if t else b", self.mirror)
        self.scope.add(kind, out)

    def loop(self) -> None:
        kinds = self.kinds(4)
        inits = self.results(kinds)
        if self.chance(0.3):
            start, stop, step = 0, self.random.randrange(4), 1
        else:
            start, stop, step = self.random.choice([(0, 3, 1), (1, 4, 1), (3, -1, -1), (0, 4, 2)])
        bounds = [Constant(start), Constant(stop), Constant(step)]
        if self.chance(0.3) and start == 0 and step == 1:
            bounds[1] = self.pick("int")
        index = Value(self.random.choice(["i", "i", "j", None, "a"]), INT)
        params = self.params(kinds, inits)
        stops = self.chance(0.4)
        known = {value for _, value in self.scope.loose} | {UNBOUND}
        was = list(self.scope.loose)
        strict = []
        for kind, param, init in zip(kinds, params, inits, strict=True):
            # A parameter may be unbound if what it starts as or becomes may be.
            if self.unbound and not kind.startswith("&") or init in known:
                self.scope.loose.append((kind, param))
            else:
                strict.append((kind, param))

        def close():
            nexts = self.results(kinds)
            return [self.stop(), *nexts] if stops else nexts

        body = self.fill([("int", index), *strict], self.random.randint(1, 6), close)
        body.params = [index, *params]
        stopped = self.tail(body, kinds) if stops else body
        self.scope.loose = was
        outs = [self.value(kind, param.name if self.chance(0.8) else self.name())
                for kind, param in zip(kinds, params, strict=True)]  # fmt: skip
        self.put(Loop(Range(*bounds, self.chance(0.3)), inits, stopped, outs, stops))
        bound = {id(param) for _, param in strict}
        for kind, param, out in zip(kinds, params, outs, strict=True):
            if id(param) in bound:
                self.scope.add(kind, out)
            else:
                self.scope.loose.append((kind, out))

    def params(self, kinds: list[str], inits: list[Operand]) -> list[Value]:
        found = []
        for kind, init in zip(kinds, inits, strict=True):
            name = init.name if isinstance(init, Value) and self.chance(0.6) else self.name(0.7)
            found.append(self.value(kind, name))
        return found

    def stop(self) -> Operand:
        return self.random.choice([Constant(False), self.pick("bool"), self.pick("bool")])

    def tail(self, body: Block, kinds: list[str]) -> Block:
        """Let the body end in an If that decides whether to stop, as `break` is resolved."""
        test = body.results[0]
        if not isinstance(test, Value) or self.chance(0.4):
            return body
        outs = [Value(None, BOOL), *(self.value(kind, self.name(0.6)) for kind in kinds)]
        quick, slow = Block(), Block()
        quick.results = [Constant(True), *body.results[1:]]
        slow.results = [Constant(False), *reversed(body.results[1:])]
        if list(kinds) != list(reversed(kinds)):
            slow.results = [Constant(False), *body.results[1:]]
        then, orelse = (quick, slow) if self.chance(0.6) else (slow, quick)
        if self.chance(0.3):
            slow.statements.append(
                Op(tick, [Constant(1.0)], {}, [], effect=True, origin=self.origin())
            )
        body.statements.append(If(test, then, orelse, outs, origin=self.origin()))
        body.results = list(outs)
        return body

    def endless(self) -> None:
        """`while count < n: ...`, and perhaps a break inside."""
        kinds = self.kinds(3)
        kinds = list(kinds)
        inits = [self.pick(kind) for kind in kinds]
        params = self.params(kinds, inits)
        count = Value(self.random.choice(["count", "i", None]), INT)
        after = Value(count.name, INT)
        limit = self.random.randrange(4)
        test = Value(None, BOOL)
        carried = [("int", count), *zip(kinds, params, strict=True)]
        head = self.fill(carried, self.random.choice([0, 0, 0, 2]), list)
        head.statements.append(
            Op(operator.lt, [count, Constant(limit)], {}, [test], origin=self.origin())
        )
        unbound, self.unbound = self.unbound, False

        def close():
            nexts = [after, *(self.pick(kind) for kind in kinds)]
            return [Constant(False), *nexts]

        then = self.fill(carried, self.random.randint(0, 4), close)
        then.params = []
        step = Op(operator.add, [count, Constant(1)], {}, [after], origin=self.origin())
        then.statements.insert(self.random.randint(0, len(then.statements)), step)
        if self.chance(0.4):
            inner = Value(None, BOOL)
            then.statements.append(
                Op(operator.ge, [after, Constant(2)], {}, [inner], origin=self.origin())
            )
            outs = [Value(None, BOOL), Value(None, INT),
                    *(self.value(kind, self.name(0.5)) for kind in kinds)]  # fmt: skip
            yes = Block([], [], [Constant(True), *then.results[1:]])
            no = Block([], [], [Constant(False), *then.results[1:]])
            then.statements.append(If(inner, yes, no, outs, origin=self.origin()))
            then.results = list(outs)
        self.unbound = unbound
        orelse = Block([], [], [Constant(True), count, *params])
        outs = [Value(None, BOOL), Value(count.name, INT),
                *(self.value(kind, param.name if self.chance(0.7) else None)
                  for kind, param in zip(kinds, params, strict=True))]  # fmt: skip
        head.params = [count, *params]
        head.statements.append(If(test, then, orelse, outs, origin=self.origin()))
        head.results = list(outs)
        ends = [
            Value(count.name, INT),
            *(self.value(kind, param.name) for kind, param in zip(kinds, params, strict=True)),
        ]
        self.put(Loop(None, [Constant(0), *inits], head, ends, True))
        for kind, out in zip(kinds, ends[1:], strict=True):
            self.scope.add(kind, out)

    # The whole.

    def function(self) -> Function:
        params = [Value("x", VECTOR), Value("y", MATRIX), Value("s", FLOAT)]
        for kind, param in zip(["vector", "matrix", "float"], params, strict=True):
            self.scope.add(kind, param)
        self.body(1000)
        chosen = self.random.choices(
            ["float", "vector", "matrix", "vectors", "&vector", "&floats", "&refs"], k=4
        )
        result = tuple(self.pick(kind) for kind in chosen)
        return Function("program", Block(params, self.statements, [result]))


def random_function(seed: int, size: int = 40) -> Function:
    return Generator(seed, size).function()


def arguments() -> tuple:
    return np.linspace(-1, 1, 4), np.linspace(0.1, 1.5, 16).reshape(4, 4), 0.4
