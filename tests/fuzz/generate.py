"""Random programs, as source text that a seed reproduces.

    program = generate(seed=7, profile="alias")
    print(program.source)
    function, arguments = program.load(), program.arguments(point=0)

A program is a module: helper functions and `main`, which takes one to three floats and arrays (and
perhaps an integer, the last) and returns a float. It is accepted if it runs at both of its points
and gives a finite number; otherwise the next attempt of the same seed is taken.
"""

import ast
import linecache
import math
import random
import sys
import types
import warnings
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import numpy as np

from tests.fuzz import syntax
from tests.fuzz.objects import class_definition
from tests.fuzz.profiles import PROFILES, Profile
from tests.fuzz.scope import Array, Draw, Helper, Index, Instance, List, Record, Scalar
from tests.fuzz.writer import Writer

ATTEMPTS = 60
LARGEST = 1e4
HEADER = "import math\n\nimport numpy as np\n\n\n"


NUMBERS = (int, float, np.float64)  # not what stands for one on a tape


def _of_both(name, ufunc):
    """A function of `math` for numbers, and that of NumPy for what a tape follows."""
    plain = getattr(math, name)

    def function(*args):
        return plain(*args) if all(type(a) in NUMBERS for a in args) else ufunc(*args)

    return function


UFUNCS = {
    "sin": np.sin, "cos": np.cos, "tanh": np.tanh, "atan": np.arctan, "exp": np.exp,
    "sqrt": np.sqrt, "log": np.log, "hypot": np.hypot,
}  # fmt: skip
MATH = types.SimpleNamespace(**{name: _of_both(name, fn) for name, fn in UFUNCS.items()})
"""What the tape, which does not see through `math`, takes for it."""

COMPILED, TAPE = "from adcompiler import ", "from adcompiler.tape.functions import "


@dataclass(frozen=True)
class Program:
    """Source text, and what it is to be called with."""

    source: str
    seed: int
    profile: str
    kinds: tuple[object, ...]
    """Of the arguments: what `scope` knows of them, or an int that is passed as it is."""
    counts: Counter = field(default_factory=Counter, compare=False)

    @property
    def label(self):
        return f"<fuzz {self.profile} {self.seed}>"

    @property
    def argnums(self):
        """The positions of the arguments that are not integers."""
        return tuple(i for i, kind in enumerate(self.kinds) if not isinstance(kind, int))

    def with_source(self, source):
        return replace(self, source=source)

    def load(self):
        """`main`, from the source, which `inspect`, tracebacks and debuggers find by its label."""
        lines = self.source.splitlines(keepends=True)
        linecache.cache[self.label] = (len(self.source), None, lines, self.label)
        return self._loaded(self.source)

    def reference(self, main):
        """The `main` that differences are made of: derivatives inside are those of the tape.

        So what the compiler makes of them is compared with another engine's. Its classes are those
        of `main`, as arguments may be objects.
        """
        if COMPILED not in self.source:
            return main
        reference = self._loaded(self.source.replace(COMPILED, TAPE))
        reference.__globals__["math"] = MATH
        names, known = reference.__globals__, main.__globals__
        names.update((name, known[name]) for name in names if isinstance(known.get(name), type))
        return reference

    def _loaded(self, source):
        module = types.ModuleType(f"fuzz_{self.profile}_{self.seed}")
        with registered(module):
            exec(compile(source, self.label, "exec"), module.__dict__)
        return module.main

    def arguments(self, point, main=None):
        """Values for the arguments: another set for each `point`.

        `main` tells of which module the classes are that arguments are objects of.
        """
        rng = np.random.default_rng([self.seed % 2**32, point])
        classes = {} if main is None else main.__globals__
        if main is None and any(isinstance(kind, Instance) for kind in self.kinds):
            classes = self.load().__globals__
        return [_value(kind, rng, classes) for kind in self.kinds]


@contextmanager
def registered(module):
    """Dataclasses look up the module that they are made in."""
    sys.modules[module.__name__] = module
    try:
        yield
    finally:
        del sys.modules[module.__name__]


def _value(kind, rng, classes):
    """A random value of a kind."""
    match kind:
        case Array(shape):
            return rng.uniform(0.1, 1.4, shape) * rng.choice([-1.0, 1.0], shape)
        case Scalar():
            return float(rng.uniform(0.1, 1.4) * rng.choice([-1.0, 1.0]))
        case List(item, least):
            return [_value(item, rng, classes) for _ in range(least)]
        case Record(fields) if kind.is_tuple:
            return tuple(_value(field, rng, classes) for _, field in fields)
        case Record(fields):
            return {ast.literal_eval(key): _value(field, rng, classes) for key, field in fields}
        case Instance(cls):
            return classes[cls.name](*(_value(field, rng, classes) for _, field in cls.fields))
    return kind


def generate(seed, profile="all"):
    """The program of a seed."""
    profile = PROFILES[profile] if isinstance(profile, str) else profile
    for attempt in range(ATTEMPTS):
        source_of_randomness = random.Random(f"{profile.name} {seed} {attempt}")
        program = written(source_of_randomness, profile, seed)
        if runs(program):
            return program
    raise AssertionError(f"no program in {ATTEMPTS} attempts for seed {seed}")


def written(source_of_randomness, profile: Profile, seed=0):
    """A program from any `random.Random`, such as Hypothesis', whether it runs or not."""
    draw = Draw(source_of_randomness)
    profile = profile.of_program(draw)
    helpers, texts = [], []
    if profile.helpers:
        for number in range(draw.pick(profile.helper_counts)):
            kind = draw.weighted(profile.helpers)
            lines, helper = HELPERS[kind](draw, profile, helpers, number)
            draw.used(f"helper.{kind}")
            helpers.append(helper)
            texts.append("\n".join(lines))
    classes = []
    for number in range(draw.pick(profile.class_counts)):

        def started(name, parameters, result):
            return _started(draw, profile, helpers, name, parameters, result)[0]

        lines, cls = class_definition(draw, started, classes, number)
        draw.used(f"class.{cls.form}")
        classes.append(cls)
        texts.append("\n".join(lines))
        if draw.chance(0.4):
            lines, helper = _acting(draw, profile, helpers, number, cls)
            draw.used("helper.acting")
            helpers.append(helper)
            texts.append("\n".join(lines))
    kinds, lines = _main(draw, profile, helpers, classes)
    texts.append("\n".join(lines))
    tree = ast.parse("\n\n\n".join(texts))  # unparsed, so that idle brackets are gone
    body = "\n\n\n".join(ast.unparse(function) for function in tree.body)
    imports = "".join(line + "\n" for line in sorted(draw.imports))
    source = HEADER + (imports + "\n\n" if imports else "") + body + "\n"
    return Program(source, seed, profile.name, tuple(kinds), draw.counts)


def runs(program):
    """Whether the program gives a finite, not too large float at both of its points."""
    main = program.load()
    main = program.reference(main)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        for point in (0, 1):
            try:
                value = main(*program.arguments(point, main))
            except Exception:
                return False
            if not isinstance(value, (float, int, np.number)) or isinstance(value, bool):
                return False
            if not math.isfinite(value) or abs(value) > LARGEST:
                return False
    return True


def _main(draw, profile, helpers, classes):
    """The kinds of the arguments of `main`, and its lines."""
    writer = Writer(draw, profile, helpers, classes)
    kinds, names = [], []
    for _ in range(draw.integer(1, 3)):
        form = draw.weighted(profile.arguments)
        kind = _argument(draw, form, classes)
        if kind is None:
            form, kind = "float", Scalar()
        kinds.append(kind)
        names.append(next(stem for stem in STEMS[form] if stem not in names))
        if not isinstance(kind, Array):
            continue
        if len(kinds) > 1 and draw.chance(0.5):
            same = [known for known in kinds[:-1] if isinstance(known, Array)]
            same = [known for known in same if len(known.shape) == len(kind.shape)]
            kinds[-1] = draw.pick(same) if same else kind
    for name, kind in zip(names, kinds, strict=True):
        writer.scope[name] = kind
        writer.taken.add(name)
    if draw.chance(profile.integer_argument):
        kinds.append(draw.integer(0, 4))
        names.append("n")
        writer.scope["n"] = Index(0, kinds[-1])
    writer.emit(f"def main({', '.join(names)}):")
    writer.level = 1
    if draw.chance(0.5):
        writer.emit(f"{writer.define(('s', 'total'), Scalar())} = 0.0")
    writer.statements(draw.integer(*profile.length))
    writer.emit(f"return {_summary(writer)}")
    return kinds, writer.lines


STEMS = {
    "float": ("x", "y", "z"),
    "vector": ("a", "b", "c"),
    "matrix": ("A", "B", "C"),
    "record": ("params", "data", "more"),
    "pair": ("both", "twins", "other"),
    "list": ("parts", "layers", "rest"),
    "object": ("given", "start", "second"),
}


def _argument(draw, form, classes):
    """The kind of an argument."""
    match form:
        case "float":
            return Scalar()
        case "vector":
            return Array((draw.integer(3, 5) if draw.chance(0.9) else 1,))
        case "matrix":
            side = draw.integer(2, 3)
            return Array((side, side if draw.chance(0.5) else draw.integer(2, 4)))
        case "record":
            fields = [("'w'", _vector(draw)), ("'b'", Scalar())]
            if draw.chance(0.3):
                fields.append(("'n'", draw.integer(1, 3)))
            if draw.chance(0.2):
                fields.append(("'name'", "tanh"))
            if draw.chance(0.3):
                fields.append(("'inner'", Record((("0", _vector(draw)), ("1", Scalar())))))
            return Record(tuple(fields))
        case "pair":
            return Record((("0", _vector(draw)), ("1", Scalar())))
        case "list":
            return List(_vector(draw), draw.integer(1, 3), fixed=True)
        case "object":
            found = [cls for cls in classes if cls.is_tree]
            return Instance(draw.pick(found)) if found else None
    raise AssertionError(form)


def _summary(writer):
    """A float that depends on most names in scope, each in its own way."""
    draw = writer.draw
    terms = []
    for name, kind in writer.scope.items():
        weight = draw.number(0.3, 1.7)
        forms = writer.summary_forms(kind)
        if not forms:
            continue
        form = draw.pick(forms)
        terms.append(form.format(weight, name))
    while len(terms) > 6 or (len(terms) > 1 and draw.chance(0.15)):
        terms.pop(draw.integer(0, len(terms) - 1))
    return " + ".join(terms) if terms else writer.scalar()


# -- helper functions --------------------------------------------------------------------------


def _started(draw, profile, helpers, name, parameters, result, default=None):
    """A writer behind the head of a function."""
    writer = Writer(draw, profile, list(helpers))
    writer.result = result
    writer.nested = 1
    texts = []
    for parameter, kind in parameters:
        writer.scope[parameter] = kind
        writer.taken.add(parameter)
        texts.append(parameter)
    if default is not None:
        texts[-1] += f"={default}"
    writer.emit(f"def {name}({', '.join(texts)}):")
    writer.level = 1
    helper = Helper(name, tuple(parameters), int(default is not None), result)
    return writer, helper


def _vector(draw):
    return Array((draw.integer(2, 4),)) if draw.chance(0.8) else Array((2, draw.integer(2, 3)))


def _some_default(draw):
    return draw.pick(["0.5", "1.3", "-0.7"]) if draw.chance(0.4) else None


def _pure(draw, profile, helpers, number):
    parameters = [("p", Scalar()), ("q", Scalar())][: draw.integer(1, 2)]
    if "vector" in profile.arguments and draw.chance(0.4):
        parameters.insert(0, ("v", _vector(draw)))
    default = _some_default(draw) if len(parameters) > 1 else None
    writer, helper = _started(draw, profile, helpers, f"mix{number}", parameters, Scalar(), default)
    writer.statements(draw.integer(0, 2))
    writer.emit(f"return {writer.scalar()}")
    return writer.lines, helper


def _writer(draw, profile, helpers, number):
    parameters = [("v", _vector(draw)), ("p", Scalar())]
    if draw.chance(0.3):
        parameters.insert(1, ("w", parameters[0][1]))
    result = draw.pick([None, None, Scalar(), parameters[0][1]])
    writer, helper = _started(
        draw, profile, helpers, f"touch{number}", parameters, result, _some_default(draw)
    )
    writer.write_some("v")
    writer.statements(draw.integer(0, 2))
    if draw.chance(0.4):
        writer.write_some(draw.pick(writer.scope.names(Array)))
    if result == Scalar():
        writer.emit(f"return {writer.scalar()}")
    elif result is not None:
        writer.emit(f"return {draw.pick(['v', 'v', 'v.copy()', 'v * 0.5'])}")
    return writer.lines, helper


def _viewer(draw, profile, helpers, number):
    kind = _vector(draw)
    shape = kind.shape
    forms = [("v", shape), ("v[::-1]", shape)]
    if len(shape) == 1:
        forms += [("v[1:]", (shape[0] - 1,)), ("v[:-1]", (shape[0] - 1,))]
        forms += [("v[:, None]", (shape[0], 1))]
    else:
        forms += [("v[0]", shape[1:]), ("v[:, -1]", shape[:1]), ("v.T", shape[::-1])]
    text, result = draw.pick(forms)
    writer, helper = _started(draw, profile, helpers, f"part{number}", [("v", kind)], Array(result))
    if draw.chance(0.4):
        writer.write_some("v")
    writer.emit(f"return {text}")
    return writer.lines, helper


def _chooser(draw, profile, helpers, number):
    kind = _vector(draw)
    parameters = [("v", kind), ("w", kind), ("p", Scalar())]
    writer, helper = _started(draw, profile, helpers, f"either{number}", parameters, kind)
    if draw.chance(0.4):
        writer.write_some(draw.pick(["v", "w"]))
    if draw.chance(0.5):
        writer.emit(f"if {writer.test()}:")
        writer.emit("    return v")
        writer.emit("return w")
    else:
        writer.emit(f"return v if {writer.test()} else w")
    return writer.lines, helper


def _maker(draw, profile, helpers, number):
    kind = _vector(draw)
    parameters = [("v", kind), ("p", Scalar())]
    writer, helper = _started(
        draw, profile, helpers, f"make{number}", parameters, kind, _some_default(draw)
    )
    writer.statements(draw.integer(0, 2))
    writer.emit(f"return {writer.array(kind.shape)}")
    return writer.lines, helper


def _recursive(draw, profile, helpers, number):
    """A function that calls itself with one less, and may write its argument before and after."""
    vector = "vector" in profile.arguments and draw.chance(0.7)
    depth = draw.integer(1, 3)
    parameters = [("p", Scalar()), ("k", Index(0, depth))]
    if vector:
        parameters.insert(0, ("v", Array((depth + 1,))))
    name = f"descend{number}"
    writer, helper = _started(draw, profile, helpers, name, parameters, Scalar())
    call = f"{name}({'v, ' if vector else ''}{draw.pick(['p', '0.7 * p', 'np.sin(p)'])}, k - 1)"
    writer.emit("if k == 0:")
    writer.emit(f"    return {writer.scalar()}")
    if vector:
        value = draw.pick(["np.sin(v[k] * p)", "0.5 * v[k - 1] + p", "v[k] * v[k - 1]"])
        writer.emit(f"v[k] {draw.pick(['=', '+='])} {value}")
    if draw.chance(0.4):
        writer.statement()
    if draw.chance(0.5):
        writer.emit(f"return 0.8 * {call} + {draw.pick(['v[k] * p' if vector else 'p * p', 'p'])}")
    else:
        writer.emit(f"below = {call}")
        if vector:
            writer.emit("v[k - 1] *= 0.5 + below * 0.1")
        writer.emit("return np.tanh(below) + " + ("v[k]" if vector else "p"))
    return writer.lines, helper


def _acting(draw, profile, helpers, number, cls):
    """A function of an object, which it changes if it can be changed."""
    parameters = [("o", Instance(cls)), ("p", Scalar())]
    result = draw.pick([None, Scalar(), Scalar()]) if cls.is_mutable else Scalar()
    writer, helper = _started(draw, profile, helpers, f"act{number}", parameters, result)
    if cls.is_mutable:
        writer.do_set_attribute()
        writer.statements(draw.integer(0, 2))
    if result == Scalar():
        writer.emit(f"return {writer.scalar()}")
    return writer.lines, helper


def _flexible(draw, profile, helpers, number):
    def started(name, parameters, result):
        return _started(draw, profile, helpers, name, parameters, result)[0]

    return syntax.flexible(draw, started, number)


HELPERS = {
    "pure": _pure,
    "writer": _writer,
    "viewer": _viewer,
    "chooser": _chooser,
    "maker": _maker,
    "recursive": _recursive,
    "flexible": _flexible,
}
