"""Derivatives inside: the gradient of an inner function is a part of the program.

When the program itself runs, the tape computes them (`Program.load`): an engine of its own.
"""

from tests.fuzz.blocks import Blocks
from tests.fuzz.scope import Array, Index, Scalar

NAMES = ("slope", "rate", "drift")


class Derivatives(Blocks):
    """Adds derivatives of local and of module functions."""

    def derivative_imports(self, names):
        for name in names:
            self.draw.imports.add(f"from adcompiler import {name}")

    def inner_function(self, kinds, written=False):
        """A local function of arguments of these kinds, that reads what is around it: its name."""
        name = self.fresh_name(("energy", "loss", "inner"))
        parameters = [f"u{k}" for k in range(len(kinds))]
        outside, self.scope = self.scope, self.scope.child()
        kept = self.result, self.loops, self.nested, self.may_continue
        self.loops, self.nested = 0, max(self.nested, self.profile.nesting - 1)
        self.emit(f"def {name}({', '.join(parameters)}):")
        self.level += 1
        # What is around it may be read, not written: of a derivative that would be an effect.
        whole, self.scope = self.scope, type(self.scope)()
        for parameter, kind in zip(parameters, kinds, strict=True):
            self.scope[parameter] = kind
        if self.draw.chance(0.5):
            self.inner_statements()
        own = [f"{parameter} * 1.0" for parameter, kind in zip(parameters, kinds, strict=True)
               if kind == Scalar()]  # fmt: skip
        own += [
            self.draw.pick(["np.sum({0} * {0})", "np.sum(np.sin({0}))", "np.sum({0} ** 3)"]).format(
                p
            )
            for p, kind in zip(parameters, kinds, strict=True)
            if isinstance(kind, Array)
        ]
        self.scope = type(self.scope)({**whole, **self.scope})
        value = f"{self.scalar()} * {self.draw.pick(own)} + np.sin({self.draw.pick(own)})"
        self.emit(f"return {value}")
        self.level -= 1
        self.scope = outside
        self.result, self.loops, self.nested, self.may_continue = kept
        return name

    def inner_statements(self):
        """Statements of the inner function: it may write what it was given, on a copy."""
        arrays = self.arrays()
        if arrays and self.draw.chance(0.4):
            name = self.draw.pick(arrays)
            self.emit(f"{name} = {name}.copy()")
            self.write_some(name)
        for name in ("new_scalar", "set_scalar", "augment_scalar", "branch", "for_loop"):
            if self.draw.chance(0.3) and getattr(self, f"do_{name}")():
                return

    def arguments(self):
        """One or two arguments to differentiate by, as texts with their kinds."""
        found = []
        for _ in range(self.draw.integer(1, 2)):
            if self.shapes() and self.draw.chance(0.5):
                shape = self.a_shape()
                found.append((self.read(shape) or self.array(shape, 1), Array(shape)))
            else:
                found.append((f"1.0 * {self.scalar(1)}", Scalar()))
        return found

    def do_inner_gradient(self):
        """`grad`, `value_and_grad` or a pullback of a local function, and what becomes of it."""
        given = self.arguments()
        texts, kinds = [text for text, _ in given], [kind for _, kind in given]
        function = self.inner_function(kinds)
        forms = ["grad", "grad", "value_and_grad", "vjp", "loop"]
        if len(given) > 1:
            forms += ["argnums", "argnums"]
        form = self.draw.pick(forms)
        self.draw.used(f"derivative.{form}")
        call = f"({', '.join(texts)})"
        match form:
            case "value_and_grad":
                self.derivative_imports(["value_and_grad"])
                value = self.define(("s", "t", "r"), Scalar())
                slope = self.define(NAMES, kinds[0])
                self.emit(f"{value}, {slope} = value_and_grad({function}){call}")
            case "vjp":
                self.derivative_imports(["vjp"])
                value, pull = self.fresh_name(("s", "t", "r")), self.fresh_name(("pull", "back"))
                self.emit(f"{value}, {pull} = vjp({function}, {', '.join(texts)})")
                self.scope[value] = Scalar()
                slope = self.bind(NAMES, kinds[0], f"{pull}({self.bounded_scalar()} * 1.0)[0]")
            case "argnums":
                self.derivative_imports(["grad"])
                slope = self.define(NAMES, kinds[0])
                other = self.define(NAMES, kinds[1])
                self.emit(f"{slope}, {other} = grad({function}, argnums=(0, 1)){call}")
                self.tame(other)
            case "loop":
                self.derivative_imports(["grad"])
                slope = self.define(NAMES, kinds[0])
                self.emit(f"{slope} = {texts[0]}")
                counter, trips = self.loop_name(), self.draw.integer(1, 3)
                self.emit(f"for {counter} in range({trips}):")
                with self.block():
                    self.scope[counter] = Index(0, trips - 1)
                    rest = ", ".join([slope, *texts[1:]])
                    self.emit(f"{slope} = {slope} - 0.1 * np.tanh(grad({function})({rest}))")
                    if self.draw.chance(0.4) and self.may_nest():
                        self.hold(1, 1)
            case _:
                self.derivative_imports(["grad"])
                slope = self.define(NAMES, kinds[0])
                self.emit(f"{slope} = grad({function}){call}")
        self.tame(slope)
        return True

    def tame(self, name):
        self.emit(
            f"{name} = {self.draw.pick(['np.tanh({})', 'np.sin({})', '0.1 * {}'])}".format(name)
        )

    def do_helper_gradient(self):
        """The derivative of a function of the module."""
        found = [
            h for h in self.helpers
            if h.result == Scalar() and not h.more and h.name.startswith("mix")
        ]  # fmt: skip
        if not found:
            return False
        helper = self.draw.pick(found)
        self.derivative_imports(["grad"])
        number = self.draw.integer(0, len(helper.parameters) - 1)
        texts = []
        for _, kind in helper.parameters:
            if isinstance(kind, Array):
                texts.append(self.read(kind.shape) or self.array(kind.shape, 1))
            else:
                texts.append(f"1.0 * {self.scalar(1)}")
        which = f", argnums={number}" if number or self.draw.chance(0.3) else ""
        slope = self.define(NAMES, helper.parameters[number][1])
        self.emit(f"{slope} = grad({helper.name}{which})({', '.join(texts)})")
        self.tame(slope)
        return True
