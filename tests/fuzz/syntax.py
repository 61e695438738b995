"""What Python offers beside loops and branches: `match`, `try`, comprehensions, closures, calls.

The functions of a program may be held by names, lists and dicts, and take arguments of all sorts.
"""

from tests.fuzz.blocks import Blocks
from tests.fuzz.scope import Helper, Index, Instance, Scalar
from tests.fuzz.statements import SCALAR_NAMES

THRESHOLDS = ("0.137", "-0.271", "0.414", "-0.613", "0.823")
UNARY = ("np.sin", "np.cos", "np.tanh", "math.sin", "math.atan", "np.square", "abs")


class Syntax(Blocks):
    """Adds the statements and expressions that are about Python more than about numbers."""

    # -- statements with blocks ---------------------------------------------------------------

    def do_match(self):
        """`match` on an integer, a string, a tuple, a float behind a guard, or an object."""
        if not self.may_nest():
            return False
        options = ["number"] * 2 + ["guard", "word", "sequence"]
        if self.scope.names(Index):
            options += ["index"] * 5 + ["pair"] * 3
        if self.scope.names(Instance):
            options += ["object"] * 2
        form = self.draw.pick(options)
        self.draw.used(f"match.{form}")
        index = self.draw.pick(self.scope.names(Index) or ["1"])
        cases, bound = [], [{}, {}, {}]
        match form:
            case "index":
                base = self.draw.integer(2, 4)
                self.emit(f"match {index} % {base}:")
                cases = ["0", self.draw.pick(["1", "1 | 2"]), "_"]
            case "pair":
                self.emit(f"match ({index} % 2, {self.test(0)}):")
                cases = ["(0, True)", self.draw.pick(["(0, _)", "(1, True)", "(_, False)"]), "_"]
            case "number":
                self.emit(f"match {self.scalar(1)} > {self.draw.pick(THRESHOLDS)}:")
                cases = ["True", "False"]
            case "guard":
                name = self.fresh_name(("value", "case"))
                self.emit(f"match {index}:")
                cases = [f"_ if {self.test()}", "0", name]
                bound[2] = {name: Index(1, 1)} if index == "1" else {}
            case "word":
                word = self.draw.pick(["'left'", "'right'", "'none'"])
                name = self.fresh_name(("mode", "side"))
                self.emit(f"{name} = {word}")
                self.emit(f"match {name}:")
                cases = ["'left'", "'right' | 'up'", "_"]
            case "sequence":
                first, second = self.fresh_name(("p", "left")), self.fresh_name(("o", "right"))
                self.emit(f"match ({self.scalar(1)}, {self.scalar(1)}):")
                cases = [f"({first}, {second})"]
                bound = [{first: Scalar(), second: Scalar()}]
            case "object":
                name = self.draw.pick(self.scope.names(Instance))
                cls = self.scope[name].cls
                part = self.fresh_name(("p", "part"))
                self.emit(f"match {name}:")
                cases = [f"{cls.name}(x={part})", "_"]
                bound = [{part: Scalar()}, {}]
        with self.block():
            for case, names in zip(cases, bound, strict=False):
                self.emit(f"case {case}:")
                with self.block():
                    self.scope.update(names)
                    self.hold(1, 2)
        return True

    def do_try(self):
        """A `try` of which nothing is caught, with everything that may follow it."""
        if not self.may_nest() or self.loops > 1:
            return False
        self.emit("try:")
        with self.block():
            self.plain_statements()
        handler = self.draw.pick(["ValueError", "(ValueError, KeyError)", "ZeroDivisionError"])
        has_handler = self.draw.chance(0.7)
        if has_handler:
            self.emit(f"except {handler}:")
            with self.block():
                self.plain_statements()
            if self.draw.chance(0.3):
                self.emit("else:")
                with self.block():
                    self.plain_statements()
        if not has_handler or self.draw.chance(0.3):
            self.draw.used("finally")
            self.emit("finally:")
            with self.block():
                self.plain_statements()
        return True

    def plain_statements(self):
        """One or two statements that leave nothing."""
        loops, self.loops = self.loops, 0
        may_continue, self.may_continue = self.may_continue, False
        level, self.nested = self.nested, self.profile.nesting
        for _ in range(self.draw.integer(1, 2)):
            self.statement()
        self.loops, self.may_continue, self.nested = loops, may_continue, level

    def do_errstate(self):
        if not self.may_nest():
            return False
        how = self.draw.pick(["all='ignore'", "divide='ignore', invalid='ignore'"])
        self.emit(f"with np.errstate({how}):")
        with self.block():
            self.hold(1, 2)
        return True

    def do_loop_else(self):
        """A loop that may be left, and what is done if it was not."""
        if not self.may_nest():
            return False
        trips = self.draw.integer(1, 4)
        if self.draw.chance(0.6):
            counter = self.loop_name()
            self.emit(f"for {counter} in range({trips}):")
            step = None
        else:
            counter = self.fresh_name(("trip", "count"))
            self.emit(f"{counter} = 0")
            self.emit(f"while {counter} < {trips}:")
            step = f"{counter} += 1"
        self.loops += 1
        outside, self.may_continue = self.may_continue, False
        with self.block():
            self.scope[counter] = Index(0, trips - 1)
            self.hold(1, 1)
            self.emit(f"if {self.test()}:")
            with self.block():
                if self.draw.chance(0.5):
                    self.plain_statements()
                self.emit("break")
            if self.draw.chance(0.3):
                self.hold(1, 1)
            if step:
                self.emit(step)
        self.may_continue = outside
        self.loops -= 1
        self.emit("else:")
        with self.block():
            self.plain_statements()
        return True

    def do_walrus(self):
        """A name bound in a test, and read in the branch and behind it."""
        value = self.scalar()
        name = self.define(SCALAR_NAMES, Scalar())
        threshold = self.draw.pick(THRESHOLDS)
        form = self.draw.integer(0, 2)
        if form == 0 or not self.may_nest():
            other = self.fresh_name(SCALAR_NAMES)
            self.emit(f"{other} = ({name} := {value}) * {name} + {self.scalar(1)}")
            self.scope[other] = Scalar()
        else:
            more = f" and {self.test(0)}" if form == 2 else ""
            self.emit(f"if ({name} := {value}) > {threshold}{more}:")
            with self.block():
                self.hold(1, 2)
        return True

    def more_tests(self):
        return [*super().more_tests(), "chained"]

    def test_chained(self):
        """`low < value < high`."""
        value = self.scalar(1)
        low, high = self.draw.pick(["-0.613", "-0.271", "0.029"]), self.draw.pick(["0.414", "0.9"])
        names = self.scope.names(Index)
        if names and self.draw.chance(0.4):
            return f"0 <= {self.draw.pick(names)} < {self.draw.integer(1, 3)}"
        return self.draw.pick([f"{low} < {value} < {high}", f"{high} >= {value} > {low}"])

    # -- unpacking and comprehensions ---------------------------------------------------------

    def do_star_unpack(self):
        values = [self.scalar(1) for _ in range(self.draw.integer(3, 4))]
        first, last = self.define(SCALAR_NAMES, Scalar()), self.define(SCALAR_NAMES, Scalar())
        rest = self.fresh_name(("rest", "middle"))
        form = self.draw.pick(["{0}, *{2}, {1}", "{0}, {1}, *{2}", "*{2}, {0}, {1}",
                               "({0}, {1}), *{2}"])  # fmt: skip
        if "(" in form:
            values[:2] = [f"({values[0]}, {values[1]})"]
        self.emit(f"{form.format(first, last, rest)} = {', '.join(values)}")
        left = len(values) - 1 if "(" in form else len(values) - 2
        if left:
            name = self.define(SCALAR_NAMES, Scalar())
            forms = ["sum({0})", "{0}[0] * 0.5", "{0}[-1]"]
            if left > 1:
                forms += ["max({0})", "min({0})"]
            self.emit(f"{name} = {self.draw.pick(forms).format(rest)}")
        return True

    def do_deep_unpack(self):
        """A swap of places, or of a name and a place."""
        first, second = self.element(), self.element()
        names = self.scope.names(Scalar)
        if first is None:
            return False
        if names and self.draw.chance(0.5):
            second = self.draw.pick(names)
        self.emit(f"{first}, {second} = {second}, {self.bounded_scalar()}")
        return True

    def scalar_nested_comprehension(self, depth):
        """Sums over comprehensions and generators, with conditions, in each other."""
        vectors = self.arrays(lambda shape: len(shape) == 1)
        matrices = self.arrays(lambda shape: len(shape) == 2)
        factor = self.scalar_leaf(0)
        forms = [
            f"sum({factor} * k for k in range({self.draw.integer(1, 4)}) if k % 2 == 0)",
            f"sum([{factor} ** 2 * (i + j) for i in range(2) for j in range(i + 1)])",
            f"sum({{k: {factor} * k for k in (0, 1, 2)}}.values())",
            f"sum(map(lambda o: o * {factor}, ({factor}, 0.3)))",
        ]
        if vectors:
            first, second = self.draw.pick(vectors), self.draw.pick(vectors)
            forms += [
                f"sum([o * {factor} for o in {first} if o > {self.draw.pick(THRESHOLDS)}])",
                f"sum(o * k for k, o in enumerate({first}))",
                f"sum(o * p for o, p in zip({first}, {second}))",
                f"sum([o * p for o in {first} for p in {second} if o < p])",
                f"max(o * {factor} for o in {first})",
                f"min([np.sin(o) for o in {first}])",
                f"sum(map(np.sin, {first}))",
                f"sum(o * 0.5 for o in reversed({first}))",
                f"sum(p for o in {first} if (p := o * {factor}) > 0.029)",
                f"sum(list({first})) * 0.3",
                f"(0.7 if any(o > 0.9 for o in {first}) else {factor})",
                f"(0.7 if all([o < 0.9 for o in {first}]) else {factor})",
                f"np.sum(np.array([o * {factor} for o in {first}]) ** 2)",
            ]
        if matrices:
            name = self.draw.pick(matrices)
            forms += [
                f"sum(np.sum(row * row) for row in {name})",
                f"sum(o for row in {name} for o in row if o > 0.137)",
                f"sum([np.max(row) * k for k, row in enumerate({name})])",
                f"np.sum(np.array([[o * {factor} for o in row] for row in {name}]) ** 2)",
            ]
        return self.draw.pick(forms)

    def scalar_builtin(self, depth):
        """`sum`, `min`, `max`, `pow`, `abs`, `round` and others on numbers."""
        values = [self.scalar(depth - 1) for _ in range(3)]
        forms = ["max({}, {}, {})", "min({}, {}, {})", "sum([{}, {}, {}])", "sum(({}, {}), {})",
                 "(pow({}, 2) + {})", "max([{}, {}])", "min(({}, {}))", "sorted([{}, {}, {}])[1]",
                 "[{}, {}, {}][1]", "({}, {}, {})[-1]", "dict(a={}, b={})['b']",
                 "math.hypot({}, 1.3 + {})"]  # fmt: skip
        form = self.draw.pick(forms)
        return form.format(*values[: form.count("{}")])

    # -- functions ----------------------------------------------------------------------------

    def do_nonlocal(self):
        """A local function that changes a name of the function around it."""
        names = self.scope.names(Scalar)
        arrays = self.arrays()
        if not names or self.level > 1:
            return False
        name = self.draw.pick(names)
        function = self.fresh_name(("bump", "note"))
        outside, self.scope = self.scope, self.scope.child()
        self.emit(f"def {function}(o):")
        with self.block():
            self.scope["o"] = Scalar()
            self.emit(f"nonlocal {name}")
            value = self.bounded_scalar()
            self.emit(f"{name} {self.draw.pick(['=', '+=', '+=', '*='])} {value} * o")
            if arrays and self.draw.chance(0.3):
                self.write_some(self.draw.pick(arrays))
            if self.draw.chance(0.5):
                self.emit(f"return {name} * {self.draw.pick(['o', '0.5'])}")
            else:
                self.emit("return o")
        self.scope = outside
        helper = Helper(function, (("o", Scalar()),), 0, Scalar())
        form = self.draw.pick(["calls", "loop", "loop", "branch"])
        self.draw.used(f"nonlocal.{form}")
        if form == "calls" or not self.may_nest():
            self.bind(SCALAR_NAMES, Scalar(), self.call(helper, 1))
            self.emit(self.call(helper, 1))
        elif form == "branch":
            self.emit(f"if {self.test()}:")
            self.emit(f"    {self.call(helper, 1)}")
        else:
            counter = self.loop_name()
            trips = self.draw.integer(1, 3)
            self.emit(f"for {counter} in range({trips}):")
            with self.block():
                self.scope[counter] = Index(0, trips - 1)
                self.emit(self.call(helper, 1))
                if self.draw.chance(0.4):
                    self.hold(1, 1)
        return True

    def do_functions_held(self):
        """Functions in a list, a tuple or a dict, taken from there and called."""
        functions = [self.draw.pick(UNARY), f"lambda o: o * {self.scalar_leaf(0)}"]
        functions += [h.name for h in self.helpers if self.is_unary(h)][:1]
        if self.draw.chance(0.3):
            functions.reverse()
        held = self.fresh_name(("steps", "functions"))
        name = self.fresh_name(SCALAR_NAMES)
        form = self.draw.pick(["loop", "loop", "index", "dict", "comprehension"])
        self.draw.used(f"functions.{form}")
        value = self.scalar(1)
        if form == "dict":
            items = ", ".join(
                f"{k}: {f}" for k, f in zip(("'a'", "'b'", "'c'"), functions, strict=False)
            )
            self.emit(f"{held} = {{{items}}}")
            self.emit(f"{name} = {held}['b']({held}['a']({value}))")
        else:
            brackets = self.draw.pick(["[{}]", "({})"])
            self.emit(f"{held} = {brackets.format(', '.join(functions))}")
            match form:
                case "index":
                    self.emit(f"{name} = {held}[{self.draw.integer(0, 1)}]({value})")
                case "comprehension":
                    self.emit(f"{name} = sum([one({value}) for one in {held}])")
                case _:
                    self.emit(f"{name} = {value}")
                    self.emit(f"for one in {held}:")
                    self.emit(f"    {name} = one({name}) * 0.9")
        self.scope[name] = Scalar()
        return True

    def is_unary(self, helper):
        needed = len(helper.parameters) - helper.defaults
        kinds = [kind for _, kind in helper.parameters]
        return needed <= 1 and kinds[0] == Scalar() and helper.result == Scalar()

    def do_partial(self):
        """`functools.partial` of a helper, or of a lambda."""
        self.draw.imports.add("from functools import partial")
        name = self.fresh_name(("fixed", "bent"))
        found = [
            h for h in self.helpers if h.result == Scalar() and len(h.parameters) == 2
            and all(kind == Scalar() for _, kind in h.parameters)
        ]  # fmt: skip
        if found and self.draw.chance(0.7):
            helper = self.draw.pick(found)
            key = helper.parameters[-1][0]
            given = self.draw.pick([self.scalar(1), f"{key}={self.scalar(1)}"])
            if self.draw.chance(0.5):
                given = f"{key}={self.scalar(1)}"
            self.emit(f"{name} = partial({helper.name}, {given})")
        else:
            self.emit(
                f"{name} = partial(lambda o, p: np.sin(o) * p + {self.scalar_leaf(0)}, "
                f"{self.draw.pick(['', 'p='])}{self.scalar(1)})"
            )
        self.bind(SCALAR_NAMES, Scalar(), f"{name}({self.scalar(1)})")
        return True

    def do_star_call(self):
        """Arguments from a tuple or a dict."""
        found = [
            h for h in self.helpers
            if h.result == Scalar() and all(kind == Scalar() for _, kind in h.parameters)
        ]  # fmt: skip
        if not found:
            return False
        helper = self.draw.pick(found)
        values = [self.scalar(1) for _ in helper.parameters]
        held = self.fresh_name(("given", "options"))
        if self.draw.chance(0.5):
            self.emit(f"{held} = ({', '.join(values)},)")
            call = f"{helper.name}(*{held})"
        else:
            pairs = zip(helper.parameters, values, strict=True)
            self.emit(f"{held} = {{{', '.join(f'{n!r}: {v}' for (n, _), v in pairs)}}}")
            call = f"{helper.name}(**{held})"
        self.bind(SCALAR_NAMES, Scalar(), f"np.sin({call})")
        return True

    def do_made_function(self):
        """A function made by a function: a closure that outlives its maker."""
        if self.level > 1:
            return False
        maker, made = self.fresh_name(("maker", "scaling")), self.fresh_name(("made", "scaled"))
        self.emit(f"def {maker}(p):")
        value = f"o * p + {self.scalar_leaf(0)}"
        if self.draw.chance(0.5):
            self.emit(f"    return lambda o: np.sin({value})")
        else:
            self.emit("    def inner(o, r=p):")
            self.emit(f"        return {value} * r")
            self.emit("    return inner")
        self.emit(f"{made} = {maker}({self.scalar(1)})")
        self.bind(SCALAR_NAMES, Scalar(), f"{made}({made}({self.scalar(1)}))")
        return True

    def do_array_of_lists(self):
        """A matrix out of a comprehension in a comprehension."""
        rows, columns = self.draw.integer(2, 3), self.draw.integer(2, 3)
        outside, self.scope = self.scope, self.scope.child()
        first, second = self.loop_name(), None
        self.scope[first] = Index(0, rows - 1)
        second = self.loop_name()
        self.scope[second] = Index(0, columns - 1)
        value = self.bounded_scalar()
        self.scope = outside
        text = f"[[1.0 * ({value}) for {second} in range({columns})] for {first} in range({rows})]"
        self.bind_array((rows, columns), f"np.array({text})")
        return True

    def do_assertion(self):
        names = self.scope.names(Scalar)
        if not names:
            return False
        name = self.draw.pick(names)
        self.emit(f"assert {name} == {name}, 'not a number'")
        return True


# -- helper functions --------------------------------------------------------------------------


def flexible(draw, started, number):
    """A function with a keyword-only parameter, and perhaps with any number of others."""
    name = f"flex{number}"
    star = draw.pick(["*", "*rest", "*rest"])
    options = draw.chance(0.3)
    parameters = [("p", Scalar()), ("scale", Scalar())]
    writer = started(name, parameters, Scalar())
    default = draw.pick(["0.5", "1.3", "-0.7"])
    head = f"def {name}(p, {star}, scale={default}{', **options' if options else ''}):"
    writer.lines[0] = head
    if star == "*rest":
        writer.emit("for each in rest:")
        writer.emit(f"    p = p {draw.pick(['+', '*'])} np.sin(each)")
    if options:
        writer.emit("if 'shift' in options:")
        writer.emit("    p = p + options['shift']")
    writer.statements(draw.integer(0, 1))
    writer.emit(f"return p * scale + {writer.scalar(1)}")
    more = ["scale={}"]
    if star == "*rest":
        more.insert(0, "{}, {}")
    if options:
        more.append("shift={}")
    return writer.lines, Helper(name, (("p", Scalar()),), 0, Scalar(), tuple(more))
