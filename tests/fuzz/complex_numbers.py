"""Complex numbers inside real functions: scalars, arrays that are written, and their parts."""

from tests.fuzz.blocks import Blocks
from tests.fuzz.scope import Complex, ComplexArray, Index, Scalar

NAMES = ("z", "w", "zeta", "wave")
VECTORS = ("zs", "ws", "field", "modes")
MATRICES = ("Z", "H", "K")
CONSTANTS = ("1j", "(0.5 + 0.3j)", "(1 - 0.7j)", "-0.4j")
BOUNDED = (
    "{}",
    "{}",
    "0.5 * ({})",
    "0.3j * ({})",
    "np.exp(1j * np.real({}))",
    "({0}) / (1.5 + np.abs({0}) ** 2)",
    "np.conj({})",
)


class ComplexNumbers(Blocks):
    """Adds complex names, and the way back from them to real numbers."""

    # -- complex expressions ------------------------------------------------------------------

    def complex_scalar(self, depth=2):
        if depth <= 0:
            return self.complex_leaf()
        forms = {
            "leaf": 3,
            "parts": 3,
            "polar": 1.5,
            "product": 3,
            "sum": 2,
            "mixed": 2,
            "unary": 3,
            "quotient": 1,
            "power": 0.7,
            "reduced": 1.5,
            "conditional": 0.4,
        }
        form = self.draw.weighted(forms)
        self.draw.used(f"complex.{form}")
        match form:
            case "leaf":
                return self.complex_leaf()
            case "parts":
                left, right = self.scalar(1), self.scalar(0)
                return self.draw.pick(["({} + 1j * {})", "complex({}, {})"]).format(left, right)
            case "polar":
                return self.draw.pick(["np.exp(1j * {})", "({} * np.exp(0.7j))"]).format(
                    self.scalar(0)
                )
            case "product":
                return f"({self.complex_scalar(depth - 1)} * {self.complex_scalar(depth - 1)})"
            case "sum":
                sign = self.draw.pick(["+", "-"])
                return f"({self.complex_scalar(depth - 1)} {sign} {self.complex_scalar(depth - 1)})"
            case "mixed":
                sides = [self.complex_scalar(depth - 1), self.scalar(1)]
                if self.draw.chance(0.5):
                    sides.reverse()
                return f"({sides[0]} {self.draw.pick(['*', '+', '-'])} {sides[1]})"
            case "unary":
                inner = self.complex_scalar(depth - 1)
                return self.draw.pick(
                    ["np.conj({})", "({}).conjugate()", "-({})", "np.sin({})", "np.sqrt(3 + {})",
                     "np.exp(1j * ({}).real)", "np.square({})"]
                ).format(inner)  # fmt: skip
            case "quotient":
                below = self.complex_leaf()
                return f"({self.complex_scalar(depth - 1)} / (2.5 + 1j + np.sin({below}.real)))"
            case "power":
                return f"({self.complex_scalar(depth - 1)}) ** 2"
            case "reduced":
                shape = self.complex_shape()
                first = self.complex_array(shape, depth - 1)
                if len(shape) == 1 and self.draw.chance(0.5):
                    second = self.complex_array(shape, 0)
                    return self.draw.pick(
                        ["np.vdot({}, {})", "({} @ {})", "np.dot({}, {})", "np.sum({} * {})"]
                    ).format(first, second)
                return self.draw.pick(["np.sum({})", "({}).mean()", "({}).sum()"]).format(first)
            case "conditional":
                left, right = self.complex_leaf(), self.complex_leaf()
                return f"({left} if {self.test()} else {right})"

    def complex_leaf(self):
        options = []
        for text, _ in self.all_parts(Complex):
            options += [text] * 3
        for text, kind in self.all_parts(ComplexArray):
            options.append(f"{text}[{self.complex_element(kind.shape)}]")
        if not options or self.draw.chance(0.15):
            return self.draw.pick([*CONSTANTS, f"({self.scalar_leaf(0)} + 0.7j)"])
        return self.draw.pick(options)

    def complex_element(self, shape):
        return ", ".join(self.index(length) for length in shape)

    def complex_shape(self):
        shapes = [kind.shape for _, kind in self.all_parts(ComplexArray)]
        return self.draw.pick(shapes) if shapes and self.draw.chance(0.8) else self.a_shape()

    def complex_read(self, shape):
        found = []
        for text, kind in self.all_parts(ComplexArray):
            found += self.views(text, kind.shape, shape)
        return self.draw.pick(found) if found else None

    def complex_array(self, shape, depth=2):
        known = self.complex_read(shape) if depth <= 0 or self.draw.chance(0.35) else None
        if known is not None:
            return known
        forms = {
            "parts": 3,
            "polar": 1.5,
            "product": 3,
            "sum": 1.5,
            "mixed": 2,
            "unary": 3,
            "matmul": 1,
            "solve": 0.6,
            "display": 0.5,
            "converted": 0.4,
            "where": 0.4,
        }
        form = self.draw.weighted(forms) if depth > 0 else self.draw.pick(["parts", "polar"])
        self.draw.used(f"complex_array.{form}")
        less = depth - 1
        match form:
            case "parts":
                return f"({self.array(shape, 1)} + 1j * {self.operand(shape, 0)})"
            case "polar":
                return f"np.exp(1j * {self.array(shape, 0)})"
            case "product":
                sign = self.draw.pick(["*", "*", "/"])
                if sign == "/":
                    return f"({self.complex_array(shape, less)} / (2.5 + 1j + " + (
                        f"np.cos({self.array(shape, 0)})))"
                    )
                return f"({self.complex_array(shape, less)} * {self.complex_operand(shape, less)})"
            case "sum":
                sign = self.draw.pick(["+", "-"])
                first = self.complex_array(shape, less)
                return f"({first} {sign} {self.complex_operand(shape, less)})"
            case "mixed":
                sides = [self.complex_array(shape, less), self.operand(shape, 1)]
                if self.draw.chance(0.5):
                    sides.reverse()
                return f"({sides[0]} {self.draw.pick(['*', '+', '-'])} {sides[1]})"
            case "unary":
                inner = self.complex_array(shape, less)
                return self.draw.pick(
                    ["np.conj({})", "({}).conj()", "-({})", "np.cos({})", "({}) ** 2",
                     "({}).copy()", "np.exp(1j * ({}).imag)", "({})[::-1]"]
                ).format(inner)  # fmt: skip
            case "matmul":
                inner = self.draw.integer(2, 3)
                if len(shape) == 1:
                    left, right = (shape[0], inner), (inner,)
                else:
                    left, right = (shape[0], inner), (inner, shape[1])
                first, second = self.complex_array(left, less), self.complex_array(right, 0)
                if self.draw.chance(0.3):
                    second = self.array(right, 0)
                return f"({first} @ {second})"
            case "solve":
                side = shape[0]
                matrix = f"(4 * np.eye({side}) + {self.complex_array((side, side), 0)})"
                return f"np.linalg.solve({matrix}, {self.complex_array(shape, 0)})"
            case "display":
                if len(shape) == 1:
                    items = ", ".join(self.complex_scalar(1) for _ in range(shape[0]))
                    return f"(1j * np.array([{items}]))"
                return f"({self.complex_scalar(1)} * np.ones({shape}))"
            case "converted":
                return f"({self.array(shape, 1)}).astype(complex)"
            case "where":
                test = f"{self.array(shape, 0)} > 0.137"
                sides = self.complex_array(shape, 0), self.complex_operand(shape, 0)
                return f"np.where({test}, {sides[0]}, {sides[1]})"

    def complex_operand(self, shape, depth):
        """Something that broadcasts to the shape, complex as a rule."""
        choice = self.draw.integer(0, 5)
        if choice < 2:
            return self.complex_scalar(depth)
        if choice == 2 and len(shape) == 2:
            return self.complex_array(shape[1:], depth)
        if choice == 3:
            return self.array(shape, depth)
        return self.complex_array(shape, depth)

    def bounded_complex(self):
        return self.draw.pick(BOUNDED).format(self.complex_scalar())

    def bounded_complex_operand(self, shape):
        """What may be stored into a complex array again and again: complex, or real."""
        if self.draw.chance(0.25):
            return self.bounded_operand(shape)
        if self.draw.chance(0.3):
            return self.bounded_complex()
        return self.draw.pick(BOUNDED).format(self.complex_array(shape, 1))

    # -- back to real numbers -----------------------------------------------------------------

    def scalar_of_complex(self, depth):
        form = self.draw.pick(
            ["abs({})", "({}).real", "({}).imag", "np.real({})", "np.imag({})", "np.abs({}) ** 2",
             "({0} * np.conj({0})).real", "np.sum(np.abs({1}) ** 2)", "np.sum({1}).real",
             "np.vdot({1}, {1}).real", "np.sum(({1}).real * ({1}).imag)", "np.angle(3 + {})",
             "np.sum(({1} * {2}).imag)", "np.sum(np.real({1}))"]
        )  # fmt: skip
        number = self.complex_scalar(depth - 1) if "{0}" in form or "{}" in form else ""
        if "{1}" not in form:
            return form.format(number)
        shape = self.complex_shape()
        if "vdot" in form:
            shape = shape[:1]
        first = self.complex_array(shape, depth - 1)
        return form.format(number, first, self.complex_array(shape, 0))

    def array_of_complex(self, shape, depth):
        form = self.draw.pick(
            ["np.abs({0})", "({0}).real", "({0}).imag", "({0} * np.conj({1})).real",
             "np.imag({0})", "np.angle(3 + {0})"]
        )  # fmt: skip
        return form.format(self.complex_array(shape, depth - 1), self.complex_array(shape, 0))

    def summary_forms(self, kind):
        match kind:
            case Complex():
                return ["{0} * ({1} * np.conj({1})).real", "np.real({1})", "{0} * {1}.imag",
                        "({1} * (0.3 - 0.8j)).real"]  # fmt: skip
            case ComplexArray():
                return ["{0} * np.sum(np.abs({1}) ** 2)", "np.sum({1}).real",
                        "{0} * np.sum({1} * {1}).imag", "np.sum({1}.real * {1}.imag)",
                        "np.sum(({1} * (0.3 - 0.8j)).real)"]  # fmt: skip
        return super().summary_forms(kind)

    # -- statements ---------------------------------------------------------------------------

    def do_new_complex(self):
        self.bind(NAMES, Complex(), self.complex_scalar())
        return True

    def do_set_complex(self):
        names = self.scope.names(Complex)
        if not names:
            return False
        name = self.draw.pick(names)
        sign = self.draw.pick(["=", "=", "+=", "-=", "*="])
        self.emit(f"{name} {sign} {self.bounded_complex()}")
        return True

    def bind_complex_array(self, shape, text):
        return self.bind(VECTORS if len(shape) == 1 else MATRICES, ComplexArray(shape), text)

    def do_new_complex_array(self):
        shape = self.complex_shape()
        value = self.complex_array(shape)
        self.bind_complex_array(shape, value)
        return True

    def do_complex_buffer(self):
        """Zeros, or real numbers, that become complex by being written."""
        shape = self.complex_shape()
        size = shape[0] if len(shape) == 1 else shape
        maker = self.draw.pick(
            [f"np.zeros({size}, dtype=complex)", f"np.zeros({size}, dtype=np.complex128)",
             f"np.full({size}, 0.3j)", f"1j * np.ones({size})"]
        )  # fmt: skip
        name = self.fresh_name(VECTORS if len(shape) == 1 else MATRICES)
        counter = self.loop_name()
        value = self.bounded_complex_operand(shape)
        self.emit(f"{name} = {maker}")
        if self.draw.chance(0.4):
            self.emit(f"{name}[:] = {value}")
        else:
            self.emit(f"for {counter} in range({shape[0]}):")
            with self.block():
                self.scope[counter] = Index(0, shape[0] - 1)
                self.scope[name] = ComplexArray(shape)
                part = shape[1:]
                value = self.bounded_complex_operand(part) if part else self.bounded_complex()
                self.emit(f"{name}[{counter}] = {value}")
        self.scope[name] = ComplexArray(shape)
        return True

    def do_complex_alias(self):
        """A second name of a complex array, or of a part of it."""
        found = self.all_parts(ComplexArray)
        if not found:
            return False
        text, kind = self.draw.pick(found)
        shape = self.part_shape(kind.shape)
        views = self.views(text, kind.shape, shape)
        if not views:
            return False
        view = self.draw.pick(views)
        self.bind_complex_array(shape, view)
        return True

    def do_store_complex(self):
        """Complex and real numbers are stored into complex arrays: elements, parts, or all."""
        found = self.all_parts(ComplexArray)
        if not found:
            return False
        text, kind = self.draw.pick(found)
        if self.draw.chance(0.6):
            place = f"{text}[{self.complex_element(kind.shape)}]"
            value = self.bounded_scalar() if self.draw.chance(0.2) else self.bounded_complex()
        else:
            shape = self.part_shape(kind.shape)
            views = self.views(text, kind.shape, shape)
            if not views:
                return False
            place = self.draw.pick(views)
            if not place.endswith("]"):
                place += "[:]"
            value = self.bounded_complex_operand(shape)
        sign = self.draw.pick(["=", "=", "=", "+=", "-=", "*="])
        self.emit(f"{place} {sign} {value}")
        return True

    def do_augment_complex_array(self):
        names = self.scope.names(ComplexArray)
        if not names:
            return False
        name = self.draw.pick(names)
        value = self.bounded_complex_operand(self.scope[name].shape)
        self.emit(f"{name} {self.draw.pick(['+=', '-=', '*=', '*='])} {value}")
        return True

    def do_write_part(self):
        """A write through `.real` or `.imag`."""
        found = self.all_parts(ComplexArray)
        if not found:
            return False
        text, kind = self.draw.pick(found)
        part = "imag" if self.draw.chance(0.1) else "real"
        where = self.draw.pick([":", self.index(kind.shape[0])])
        shape = kind.shape if where == ":" else kind.shape[1:]
        value = self.bounded_operand(shape) if shape else self.bounded_scalar()
        self.emit(f"{text}.{part}[{where}] {self.draw.pick(['=', '+=', '*='])} {value}")
        return True

    def do_bind_part(self):
        """A name for the real part: a view, which is read and perhaps written."""
        names = self.scope.names(ComplexArray)
        if not names:
            return False
        name = self.draw.pick(names)
        shape = self.scope[name].shape
        part = self.draw.pick(["real", "real", "imag"])
        if part == "imag":
            self.bind_array(shape, f"{name}.imag.copy()")
            return True
        view = self.define_array(shape)
        self.emit(f"{view} = {name}.real")
        if self.draw.chance(0.4):
            self.write_some(view)
        return True

    def do_complex_loop(self):
        """A complex number that is carried by a loop, and may end it."""
        if not self.may_nest():
            return False
        start = self.complex_scalar(1)
        shift = self.complex_leaf()
        name = self.define(NAMES, Complex())
        self.emit(f"{name} = 0.5 * ({start})")
        self.emit(f"for {self.loop_name()} in range({self.draw.integer(1, 4)}):")
        with self.block():
            form = self.draw.pick(
                ["{0} = 0.5 * {0} ** 2 + 0.3 * ({1})", "{0} = np.conj({0}) * np.exp(0.3j) * 0.8",
                 "{0} = {0} / (1.2 + abs({0})) + 0.2 * ({1})", "{0} *= 0.7 + 0.3j"]
            )  # fmt: skip
            self.emit(form.format(name, shift))
            if self.draw.chance(0.4):
                self.emit(f"if abs({name}) > 1.137:")
                self.emit("    break")
            totals = [n for n in self.scope.names(Scalar) if n != name]
            if totals and self.draw.chance(0.6):
                self.emit(
                    f"{self.draw.pick(totals)} += 0.3 * {name}.{self.draw.pick(['real', 'imag'])}"
                )
        return True

    def do_fourier(self):
        """A discrete Fourier transform, by its definition or by NumPy."""
        vectors = self.arrays(lambda shape: len(shape) == 1)
        if not vectors:
            return False
        name = self.draw.pick(vectors)
        (length,) = self.scope[name].shape
        kernel = (
            f"np.exp(-2j * np.pi * np.outer(np.arange({length}), np.arange({length})) / {length})"
        )
        spectrum = self.bind_complex_array((length,), f"{kernel} @ {name}")
        if self.draw.chance(0.5):
            self.emit(f"{spectrum}[{self.index(length)}] *= {self.complex_leaf()}")
        return True
