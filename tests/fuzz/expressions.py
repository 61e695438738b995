"""Random expressions, valid by construction: each production returns text, or None if it cannot.

Values stay bounded because functions that grow are applied to functions that do not, and
derivatives exist almost everywhere; the rest (ties, steps) is left to the judge of differences.
"""

import re

from tests.fuzz.places import Places
from tests.fuzz.scope import Array, Flag, Index, Indices, Instance, List, Scalar

CONSTANTS = ("0.3", "0.5", "0.7", "0.9", "1.1", "1.3", "1.7", "2.0", "2", "3", "-0.4", "-0.8")
THRESHOLDS = ("0.137", "-0.271", "0.414", "-0.613", "0.029", "0.823")
SCALAR_FUNCTIONS = (
    "np.sin({})",
    "np.cos({})",
    "np.tanh({})",
    "np.arctan({})",
    "np.exp(np.sin({}))",
    "np.sqrt(1.5 + np.sin({}))",
    "np.log(2.5 + np.cos({}))",
    "np.square({})",
    "np.exp(-({}) ** 2)",
    "math.sin({})",
    "math.cos({})",
    "math.tanh({})",
    "math.atan({})",
    "math.exp(math.sin({}))",
    "math.sqrt(1.5 + math.cos({}))",
    "math.log(2.5 + math.sin({}))",
    "abs({})",
    "-({})",
    "float({})",
    "max({}, 0.137)",
    "min({}, 0.414)",
)
ARRAY_FUNCTIONS = (
    "np.sin({})",
    "np.cos({})",
    "np.tanh({})",
    "np.exp(np.sin({}))",
    "np.sqrt(1.5 + np.sin({}))",
    "np.log(2.5 + np.cos({}))",
    "np.arctan({})",
    "np.square({})",
    "np.abs({})",
    "np.maximum({}, 0.137)",
    "np.minimum({}, 0.414)",
    "np.clip({}, -0.9, 0.95)",
    "-({})",
    "(({}) ** 2)",
    "(1 / (1.5 + ({}) ** 2))",
)
REDUCTIONS = (
    "np.sum({})",
    "({}).sum()",
    "np.mean({})",
    "({}).mean()",
    "np.max({})",
    "({}).min()",
    "np.prod(np.cos({}))",
    "np.var({})",
    "np.linalg.norm(1.5 + np.cos({}))",
    "(({}) ** 2).sum()",
)


class Expressions(Places):
    """Writes expressions over the names in `scope`."""

    # -- tests --------------------------------------------------------------------------------

    def test(self, depth=1):
        """A boolean expression: of data, of indices, or of both."""
        options = ["data"] * 5
        if self.scope.names(Index):
            options += ["index"] * 6
        if self.scope.names(Flag):
            options += ["flag"] * 3
        if depth:
            options += ["compound"]
        options += self.more_tests()
        choice = self.draw.pick(options)
        self.draw.used(f"test.{choice}")
        if choice not in ("data", "index", "flag", "compound"):
            return getattr(self, f"test_{choice}")()
        if choice == "index":
            name = self.draw.pick(self.scope.names(Index))
            kind = self.scope[name]
            level = self.draw.integer(kind.low, kind.high)
            base = self.draw.integer(2, 4)
            return self.draw.pick(
                [
                    f"{name} % {base} == {self.draw.integer(0, base - 1)}",
                    f"{name} // {base} == {level // base}",
                    f"abs({name} - {level}) < {base}",
                    f"({name} * {name} + {level}) % {base} < {base - 1}",
                    f"{name} & 1",
                    f"{name} == {level}",
                    f"{name} > {level}",
                    f"{name} <= {level}",
                    f"{name} != {level}",
                ]
            )
        if choice == "flag":
            name = self.draw.pick(self.scope.names(Flag))
            return self.draw.pick([name, f"not {name}"])
        if choice == "compound":
            joint = self.draw.pick(["and", "or"])
            return f"({self.test(0)} {joint} {self.test(0)})"
        comparison = self.draw.pick([">", "<", ">=", "<="])
        left = self.scalar(1)
        while not self.mentions_a_name(left) and self.draw.chance(0.9):
            left = self.scalar(1)
        return f"{left} {comparison} {self.draw.pick(THRESHOLDS)}"

    def more_tests(self):
        """Names of further sorts of tests: methods `test_...`."""
        return []

    def mentions_a_name(self, text):
        return any(word in self.scope for word in re.findall(r"\w+", text))

    # -- scalars ------------------------------------------------------------------------------

    def scalar(self, depth=None):
        """A float."""
        depth = self.profile.depth if depth is None else depth
        if depth > 0:
            for name in self.draw.in_order(self.profile.scalars):
                text = getattr(self, f"scalar_{name}")(depth)
                if text is not None:
                    self.draw.used(f"scalar.{name}")
                    return text
        return self.scalar_leaf(0)

    def bounded_scalar(self):
        """A float that does not grow when it is fed back in a loop."""
        text = self.scalar()
        form = self.draw.pick(
            ["{}", "{}", "np.tanh({})", "np.sin({})", "0.5 * ({})", "math.cos({})"]
        )
        return form.format(text)

    def scalar_leaf(self, depth):
        options = []
        for text, _ in self.all_parts(Scalar):
            options += [text] * (3 if text in self.scope else 1)
        if self.draw.chance(0.5 if options else 0.9):
            element = self.element()
            if element:
                options += [element] * 4
        if not options or self.draw.chance(0.12):
            return self.draw.pick(CONSTANTS)
        return self.draw.pick(options)

    def scalar_binary(self, depth):
        sign = self.draw.pick(["+", "-", "*", "*"])
        return f"({self.scalar(depth - 1)} {sign} {self.scalar(depth - 1)})"

    def scalar_divide(self, depth):
        below = self.scalar_leaf(0)
        form = self.draw.pick(["({} / (1.5 + ({}) ** 2))", "({} / (2.3 + np.sin({})))"])
        return form.format(self.scalar(depth - 1), below)

    def scalar_power(self, depth):
        return f"(({self.scalar(depth - 1)}) ** {self.draw.pick(['2', '3'])})"

    def scalar_function(self, depth):
        return self.draw.pick(SCALAR_FUNCTIONS).format(self.scalar(depth - 1))

    def scalar_conditional(self, depth):
        return f"({self.scalar(depth - 1)} if {self.test()} else {self.scalar(depth - 1)})"

    def scalar_index_number(self, depth):
        names = self.scope.names(Index)
        vectors = self.scope.names(Array)
        if names and self.draw.chance(0.8):
            name = self.draw.pick(names)
            return self.draw.pick([f"0.3 * {name}", f"({name} + 1)", f"(1.5 - {name})"])
        if vectors:
            name = self.draw.pick(vectors)
            return self.draw.pick([f"len({name})", f"{name}.shape[0]", f"0.1 * {name}.size"])
        return None

    def scalar_reduce(self, depth):
        if not self.shapes():
            return None
        return self.draw.pick(REDUCTIONS).format(self.array(self.a_shape(), depth - 1))

    def scalar_dot(self, depth):
        vectors = [shape for shape in self.shapes() if len(shape) == 1]
        if not vectors:
            return None
        shape = self.draw.pick(vectors)
        form = self.draw.pick(
            ["np.dot({}, {})", "({} @ {})", "np.inner({}, {})", "np.sum({} * {})"]
        )
        return form.format(self.array(shape, depth - 1), self.array(shape, depth - 1))

    def scalar_dynamic_sum(self, depth):
        part = self.dynamic()
        if part is None:
            return None
        return self.draw.pick(["np.sum({})", "({}).sum()"]).format(part[1])

    def scalar_comprehension(self, depth):
        vectors = self.scope.names(Array, lambda kind: len(kind.shape) == 1)
        lists = self.scope.names(List, lambda kind: isinstance(kind.item, Scalar))
        if not vectors and not lists:
            return None
        name = self.draw.pick(vectors + lists)
        if name in lists and self.draw.chance(0.5):
            return f"sum({name})"
        form = self.draw.pick(
            [
                "sum([np.sin({0}) * x for x in {1}])",
                "sum(x * {0} for x in {1})",
                "sum([x * x for x in {1}])",
                "sum([{0} * x for i, x in enumerate({1}) if i > 0])",
            ]
        )
        return form.format(self.scalar_leaf(0), name)

    def scalar_call(self, depth):
        return self.call_of(Scalar(), depth)

    # -- arrays -------------------------------------------------------------------------------

    def array(self, shape, depth=None):
        """A float64 array with this shape."""
        depth = self.profile.depth if depth is None else depth
        if depth > 0:
            for name in self.draw.in_order(self.profile.arrays):
                text = getattr(self, f"array_{name}")(shape, depth)
                if text is not None:
                    self.draw.used(f"array.{name}")
                    return text
        return self.read(shape) or self.array_filled(shape, 0)

    def operand(self, shape, depth):
        """Something that broadcasts to `shape`."""
        if self.draw.chance(0.4):
            return self.scalar(depth)
        if len(shape) == 2 and self.draw.chance(0.5):
            self.draw.used("broadcast")
            r, c = shape
            return self.array(self.draw.pick([(c,), (1, c), (r, 1)]), depth)
        if self.draw.chance(0.1):
            return self.array((1,), depth)
        return self.array(shape, depth)

    def bounded_array(self, shape):
        """An array that does not grow when it is fed back in a loop."""
        text = self.array(shape)
        return self.draw.pick(["{}", "{}", "np.tanh({})", "np.sin({})", "0.5 * ({})"]).format(text)

    def bounded_operand(self, shape):
        if self.draw.chance(0.4):
            return self.bounded_scalar()
        if len(shape) == 2 and self.draw.chance(0.4):
            self.draw.used("broadcast")
            return self.bounded_array(self.draw.pick([(shape[1],), (1, shape[1]), (shape[0], 1)]))
        return self.bounded_array(shape)

    def array_read(self, shape, depth):
        return self.read(shape)

    def array_elementwise(self, shape, depth):
        sides = [self.array(shape, depth - 1), self.operand(shape, depth - 1)]
        if self.draw.chance(0.5):
            sides.reverse()
        form = self.draw.pick(
            ["({} + {})", "({} - {})", "({} * {})", "({} * {})", "np.maximum({}, {})",
             "({} / (1.5 + ({}) ** 2))", "np.arctan2({}, 2.5 + np.sin({}))"]
        )  # fmt: skip
        return form.format(*sides)

    def array_unary(self, shape, depth):
        return self.draw.pick(ARRAY_FUNCTIONS).format(self.array(shape, depth - 1))

    def array_where(self, shape, depth):
        test = f"{self.array(shape, 0)} > {self.draw.pick(THRESHOLDS)}"
        sides = [self.operand(shape, 0), self.array(shape, depth - 1)]
        if self.draw.chance(0.5):
            sides.reverse()
        return f"np.where({test}, {sides[0]}, {sides[1]})"

    def array_matmul(self, shape, depth):
        inner = self.draw.integer(2, 3)
        if len(shape) == 1:
            sides = [((shape[0], inner), (inner,)), ((inner,), (inner, shape[0]))]
        else:
            sides = [((shape[0], inner), (inner, shape[1]))]
        left, right = self.draw.pick(sides)
        form = self.draw.pick(["({} @ {})", "({} @ {})", "np.dot({}, {})", "np.matmul({}, {})"])
        return form.format(self.array(left, depth - 1), self.array(right, depth - 1))

    def array_outer(self, shape, depth):
        if len(shape) != 2:
            return None
        form = self.draw.pick(["np.outer({}, {})", "(({})[:, None] * {})"])
        return form.format(self.array(shape[:1], depth - 1), self.array(shape[1:], depth - 1))

    def array_reduced(self, shape, depth):
        other = self.draw.integer(1, 3)
        if len(shape) == 1:
            axis = self.draw.integer(0, 1)
            source = (other, *shape) if axis == 0 else (*shape, other)
            form = self.draw.pick(
                ["np.sum({}, axis={})", "({}).mean(axis={})", "np.max({}, axis={})"]
            )
            return form.format(self.array(source, depth - 1), axis)
        if 1 not in shape:
            return None
        axis = shape.index(1)
        source = list(shape)
        source[axis] = other
        return f"np.sum({self.array(tuple(source), depth - 1)}, axis={axis}, keepdims=True)"

    def array_gather(self, shape, depth):
        if len(shape) != 1:
            return None
        for name in self.scope.names(Array, lambda kind: len(kind.shape) == 1):
            where = self.indices(self.scope[name].shape[0], shape[0])
            if self.draw.chance(0.6):
                return f"{name}[{where}]" if self.draw.chance(0.8) else f"np.take({name}, {where})"
        return None

    def array_joined(self, shape, depth):
        if shape[0] < 2:
            return None
        if self.draw.chance(0.5) and shape[0] <= 3:
            if len(shape) == 1:
                parts = self.numbers(shape[0], depth - 1)
            else:
                parts = [self.array(shape[1:], depth - 1) for _ in range(shape[0])]
            return f"{self.draw.pick(['np.stack', 'np.array'])}([{', '.join(parts)}])"
        first = self.draw.integer(1, shape[0] - 1)
        parts = [(first, *shape[1:]), (shape[0] - first, *shape[1:])]
        left, right = (self.array(part, depth - 1) for part in parts)
        if len(shape) == 1 and self.draw.chance(0.3):
            return f"np.append({left}, {right})"
        return f"np.concatenate(({left}, {right}))"

    def array_display(self, shape, depth):
        if len(shape) == 1:
            return f"np.array([{', '.join(self.numbers(shape[0], depth - 1))}])"
        rows = [f"[{', '.join(self.numbers(shape[1], 0))}]" for _ in range(shape[0])]
        return f"np.array([{', '.join(rows)}])"

    def numbers(self, count, depth):
        """Texts of scalars, the first of them surely a float, so that an array of them is."""
        return [f"1.0 * {self.scalar(depth)}", *(self.scalar(depth) for _ in range(count - 1))]

    def array_filled(self, shape, depth):
        text = f"{shape[0]}" if len(shape) == 1 else f"{shape}"
        value = self.scalar(depth)
        options = [f"np.full({text}, 0.5 * {value})", f"({value} * np.ones({text}))",
                   f"({value} + np.zeros({text}))"]  # fmt: skip
        if len(shape) == 1:
            options += [f"np.linspace(0.1, {value}, {text})", f"(np.arange({text}.0) * {value})"]
        return self.draw.pick(options)

    def array_shifted(self, shape, depth):
        forms = [
            "np.roll({}, 1, axis=0)",
            "np.flip({}, axis=0)",
            "np.cumsum({}, axis=0)",
            "({})[::-1]",
        ]
        if len(shape) == 1:
            forms += ["np.roll({}, 1)", "np.cumsum({})", "np.flip({})"]
        return self.draw.pick(forms).format(self.array(shape, depth - 1))

    def array_duplicate(self, shape, depth):
        text = self.read(shape)
        if text is None:
            return None
        return self.draw.pick(["{}.copy()", "np.copy({})", "np.array({})"]).format(text)

    def array_array_call(self, shape, depth):
        return self.call_of(Array(shape), depth)

    def indices(self, length, count):
        """An index array for an axis of `length`, as text; repeats are likely."""
        names = self.scope.names(Indices, lambda kind: kind.count == count and kind.below <= length)
        if names and self.draw.chance(0.7):
            return self.draw.pick(names)
        numbers = [str(self.draw.integer(0, length - 1)) for _ in range(count)]
        if count > 1 and self.draw.chance(0.5):
            numbers[-1] = numbers[0]
        return f"[{', '.join(numbers)}]"

    def dynamic(self):
        """A slice whose bounds are a loop's index: `(target, value)`, both of that length."""
        names = self.scope.names(Index, lambda kind: kind.low >= 0)
        shapes = [shape for shape in self.shapes() if len(shape) == 1]
        if not names or not shapes:
            return None
        (length,) = self.draw.pick(shapes)
        name = self.draw.pick(names)
        part = self.draw.pick([f":{name}", f"{name}:", f"{name} + 1:", f":{name} + 1"])

        def operand():
            if self.draw.chance(0.3):
                return self.scalar(0)
            return f"({self.read((length,))})[{part}]"

        target = self.draw.pick(self.scope.names(Array, lambda kind: kind.shape == (length,)))
        form = self.draw.pick(["{1}", "({0} * {1})", "np.sin({1})", "({0} + {1})", "({0} * {1})"])
        first, second = operand(), f"({self.read((length,))})[{part}]"
        self.draw.used("dynamic slice")
        return f"{target}[{part}]", form.format(first, second)

    # -- calls --------------------------------------------------------------------------------

    def call_of(self, result, depth):
        """A call of a helper that returns a `result`, or None if there is none."""
        fitting = [helper for helper in self.helpers if helper.result == result]
        return self.call(self.draw.pick(fitting), depth) if fitting else None

    def call(self, helper, depth):
        """A call with arguments of the right kinds, some by keyword, some left to defaults."""
        given = len(helper.parameters)
        if helper.defaults:
            given -= self.draw.integer(0, helper.defaults)
        texts = []
        keywords = False
        for position, (name, kind) in enumerate(helper.parameters[:given]):
            match kind:
                case Array(shape):
                    text = self.read(shape) if self.draw.chance(0.8) else None
                    text = text or self.array(shape, depth - 1)
                case Index(low, high):
                    text = str(self.draw.integer(low, high))
                    names = self.scope.names(Index, lambda k: k.low >= low and k.high <= high)
                    if names and self.draw.chance(0.5):
                        text = self.draw.pick(names)
                case Instance(cls):
                    text = self.an_object(cls, depth - 1)
                case _:
                    text = self.scalar(depth - 1)
            keywords = keywords or (position > 0 and self.draw.chance(0.12))
            texts.append(f"{name}={text}" if keywords else text)
        for text in helper.more:
            if self.draw.chance(0.5):
                gaps = [self.scalar(depth - 1) for _ in range(text.count("{}"))]
                texts.append(text.format(*gaps))
        self.draw.used("call")
        return f"{helper.name}({', '.join(texts)})"
