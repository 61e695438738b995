"""Random statements: assignments and writes. `sharing` adds aliases, containers and calls.

Each production returns True if it wrote something. A name keeps its kind and shape for as long as
it is in scope, so that a program is valid whichever way its branches and loops go.
"""

from contextlib import contextmanager

from tests.fuzz.expressions import Expressions
from tests.fuzz.scope import Array, Cycle, Flag, Index, Indices, Scalar

SCALAR_NAMES = ("s", "t", "r", "z", "e", "q")
VECTOR_NAMES = ("b", "c", "u", "v", "w", "d")
MATRIX_NAMES = ("B", "C", "M", "W", "P")
VECTOR_SIGNS = ("+=", "+=", "-=", "*=", "*=")


class Statements(Expressions):
    """Writes the lines of one function."""

    def __init__(self, draw, profile, helpers):
        super().__init__(draw, profile, helpers)
        self.lines = []
        self.level = 0
        self.loops = 0
        """Loops around the statement, in this function."""
        self.may_continue = True
        self.result = Scalar()
        self.taken = set()

    # -- lines and names ----------------------------------------------------------------------

    def emit(self, text):
        self.lines.append("    " * self.level + text)

    @contextmanager
    def block(self):
        """Indented lines with their own names; what they define is forgotten afterwards."""
        outside, self.scope = self.scope, self.scope.child()
        self.level += 1
        before = len(self.lines)
        yield
        if len(self.lines) == before:
            self.emit("pass")
        self.level -= 1
        self.scope = outside

    def fresh_name(self, stems):
        """A name not in scope; now and then one that another block has used for something else."""
        free = [stem for stem in stems if stem not in self.scope]
        if free and (self.draw.chance(0.05) or not set(free) <= self.taken):
            unused = [stem for stem in free if stem not in self.taken]
            name = unused[0] if unused else self.draw.pick(free)
        else:
            number = 1
            while f"{stems[0]}{number}" in self.taken:
                number += 1
            name = f"{stems[0]}{number}"
        self.taken.add(name)
        return name

    def define(self, stems, kind):
        name = self.fresh_name(stems)
        self.scope[name] = kind
        return name

    def define_array(self, shape):
        return self.define(VECTOR_NAMES if len(shape) == 1 else MATRIX_NAMES, Array(shape))

    def bind(self, stems, kind, text):
        """Define a name; its value was written before, and so does not mention it."""
        name = self.define(stems, kind)
        self.emit(f"{name} = {text}")
        return name

    def bind_array(self, shape, text):
        return self.bind(VECTOR_NAMES if len(shape) == 1 else MATRIX_NAMES, Array(shape), text)

    def statements(self, count):
        for _ in range(count):
            self.statement()

    def statement(self):
        for name in self.draw.in_order(self.profile.statements):
            if getattr(self, f"do_{name}")():
                self.draw.used(name)
                return
        self.emit("pass")

    def arrays(self, accept=lambda shape: True):
        return self.scope.names(Array, lambda kind: accept(kind.shape))

    def pair(self):
        """Two names of arrays with one shape, or None."""
        names = self.arrays()
        for _ in range(4 if names else 0):
            first = self.draw.pick(names)
            others = self.arrays(lambda shape, first=first: shape == self.scope[first].shape)
            others.remove(first)
            if others:
                return first, self.draw.pick(others)
        return None

    def write_some(self, name):
        """One write through `name`."""
        shape = self.scope[name].shape
        where = self.index(shape[0])
        part = shape[1:]
        choice = self.draw.integer(0, 4)
        if part and choice < 3:
            column = self.index(shape[1])
            where, part = self.draw.pick(
                [(f"{where}, {column}", ()), (where, part), (f":, {column}", shape[:1])]
            )
        if choice < 2:
            value = self.bounded_operand(part) if part else self.bounded_scalar()
            self.emit(f"{name}[{where}] = {value}")
        elif choice < 3:
            value = self.bounded_operand(part) if part else self.bounded_scalar()
            self.emit(f"{name}[{where}] {self.draw.pick(['+=', '-=', '*='])} {value}")
        elif choice < 4:
            self.emit(f"{name} {self.draw.pick(VECTOR_SIGNS)} {self.bounded_operand(shape)}")
        else:
            self.emit(f"{name}[:] = {self.bounded_operand(shape)}")

    def loop_name(self):
        """The next free counter: a loop in a loop has its own, one after another may share."""
        for name in ("i", "j", "l", "h", "i1", "j1", "l1", "h1"):
            if name not in self.scope:
                return name
        raise AssertionError("loops are nested too deeply")

    # -- scalars ------------------------------------------------------------------------------

    def do_new_scalar(self):
        value = self.draw.pick(["0.0", "0", "1.0"]) if self.draw.chance(0.2) else self.scalar()
        self.emit(f"{self.define(SCALAR_NAMES, Scalar())} = {value}")
        return True

    def do_set_scalar(self):
        names = self.scope.names(Scalar)
        if not names:
            return False
        name = self.draw.pick(names)
        forms = ["{1}", "np.tanh({0} + {1})", "0.5 * ({0} - {1})", "np.sin({0}) * np.cos({1})"]
        self.emit(f"{name} = {self.draw.pick(forms).format(name, self.bounded_scalar())}")
        return True

    def do_augment_scalar(self):
        names = self.scope.names(Scalar)
        if not names:
            return False
        sign = self.draw.pick(["+=", "+=", "+=", "-=", "*=", "/="])
        value = self.bounded_scalar()
        if sign == "/=":
            value = f"1.5 + np.cos({value})"
        self.emit(f"{self.draw.pick(names)} {sign} {value}")
        return True

    def do_flag(self):
        names = self.scope.names(Flag)
        test = self.test()
        if names and self.draw.chance(0.6):
            name = self.draw.pick(names)
        else:
            name = self.define(("flag", "done", "large"), Flag())
        self.emit(f"{name} = {test}")
        return True

    def do_cycle(self):
        """An integer that is carried and moved on: an index that changes under its readers."""
        names = self.scope.names(Cycle)
        if names and self.draw.chance(0.7):
            name = self.draw.pick(names)
            below = self.scope[name].high + 1
            self.emit(f"{name} = ({name} + {self.draw.integer(1, 2)}) % {below}")
            return True
        lengths = [shape[0] for shape in self.shapes()] or [3]
        below = self.draw.pick(lengths)
        if below < 2:
            return False
        start = self.draw.integer(0, below - 1)
        self.emit(f"{self.define(('k', 'm', 'o'), Cycle(0, below - 1))} = {start}")
        return True

    def do_unused(self):
        self.emit(f"{self.fresh_name(('unused', 'waste'))} = {self.scalar()}")
        return True

    def do_unpack(self):
        names = self.scope.names(Scalar)
        if len(names) >= 2 and self.draw.chance(0.5):
            first, second = self.draw.pick(names), self.draw.pick(names)
            if first != second:
                self.emit(f"{first}, {second} = {second}, {self.bounded_scalar()}")
                return True
        values = f"{self.scalar()}, {self.scalar()}"
        first = self.define(SCALAR_NAMES, Scalar())
        second = self.define(SCALAR_NAMES, Scalar())
        self.emit(f"{first}, {second} = {values}")
        return True

    # -- arrays as values ---------------------------------------------------------------------

    def do_new_array(self):
        shape = self.a_shape()
        value = self.array(shape)
        if self.draw.chance(0.15):
            value = self.draw.pick(["np.zeros({})", "np.ones({})"]).format(
                shape if len(shape) > 1 else shape[0]
            )
        self.emit(f"{self.define_array(shape)} = {value}")
        return True

    def do_set_array(self):
        names = self.arrays()
        if not names:
            return False
        name = self.draw.pick(names)
        self.emit(f"{name} = {self.bounded_array(self.scope[name].shape)}")
        return True

    def do_unused_array(self):
        shape = self.a_shape()
        name = self.fresh_name(("waste", "unused"))
        self.emit(f"{name} = {self.array(shape)}")
        if self.draw.chance(0.5):
            self.emit(f"{name} = {name} + 0.0")
            self.emit(f"{name}[0] = {self.scalar()}")
        return True

    # -- writes -------------------------------------------------------------------------------

    def do_augment_array(self):
        names = self.arrays()
        if not names:
            return False
        name = self.draw.pick(names)
        sign = self.draw.pick(VECTOR_SIGNS)
        self.emit(f"{name} {sign} {self.bounded_operand(self.scope[name].shape)}")
        return True

    def do_store_element(self):
        place = self.element()
        if place is None:
            return False
        self.emit(f"{place} = {self.bounded_scalar()}")
        return True

    def do_augment_element(self):
        place = self.element()
        if place is None:
            return False
        sign = self.draw.pick(["+=", "+=", "-=", "*=", "/="])
        value = self.bounded_scalar()
        if sign == "/=":
            value = f"1.5 + np.cos({value})"
        self.emit(f"{place} {sign} {value}")
        return True

    def do_store_view(self):
        target = self.target()
        if target is None:
            return False
        place, shape = target
        self.emit(f"{place} = {self.bounded_operand(shape)}")
        return True

    def do_augment_view(self):
        target = self.target()
        if target is None:
            return False
        place, shape = target
        self.emit(f"{place} {self.draw.pick(VECTOR_SIGNS)} {self.bounded_operand(shape)}")
        return True

    def do_store_gather(self, sign="="):
        names = self.arrays(lambda shape: len(shape) == 1 or shape[0] > 1)
        if not names:
            return False
        name = self.draw.pick(names)
        shape = self.scope[name].shape
        count = self.draw.integer(1, 3)
        if not self.scope.names(Indices) and self.draw.chance(0.3):
            numbers = [str(self.draw.integer(0, shape[0] - 1)) for _ in range(count)]
            where = self.define(("idx", "order"), Indices(count, shape[0]))
            self.emit(f"{where} = np.array([{', '.join(numbers)}])")
        else:
            where = self.indices(shape[0], count)
        part = (count, *shape[1:])
        if len(shape) == 2 and self.draw.chance(0.3):
            where, part = f"{where}, {self.index(shape[1])}", (count,)
        self.emit(f"{name}[{where}] {sign} {self.bounded_operand(part)}")
        return True

    def do_augment_gather(self):
        if self.draw.chance(0.2) and self.arrays(lambda shape: len(shape) == 1):
            name = self.draw.pick(self.arrays(lambda shape: len(shape) == 1))
            count = self.draw.integer(1, 3)
            where = self.indices(self.scope[name].shape[0], count)
            self.emit(f"np.add.at({name}, {where}, {self.bounded_operand((count,))})")
            self.draw.used("add.at")
            return True
        return self.do_store_gather(self.draw.pick(["+=", "-=", "*="]))

    def do_store_dynamic(self):
        part = self.dynamic()
        if part is None:
            return False
        target, value = part
        self.emit(f"{target} {self.draw.pick(['=', '+=', '*='])} np.sin({value})")
        return True

    def do_fill(self):
        names = self.arrays()
        if not names:
            return False
        self.emit(f"{self.draw.pick(names)}.fill({self.bounded_scalar()})")
        return True

    def do_write_out(self):
        names = self.arrays()
        if not names:
            return False
        name = self.draw.pick(names)
        shape = self.scope[name].shape
        form = self.draw.pick(
            ["np.sin({0}, out={2})", "np.multiply({0}, {1}, out={2})", "np.add({0}, {1}, {2})",
             "np.copyto({2}, {0})", "np.tanh({0}, {2})"]
        )  # fmt: skip
        self.emit(form.format(self.array(shape, 1), self.operand(shape, 0), name))
        return True

    def do_buffer(self):
        """A new buffer, filled afterwards: by a loop, by parts, or whole."""
        shape = self.a_shape()
        size = shape[0] if len(shape) == 1 else shape
        like = self.arrays(lambda other: other == shape)
        makers = [f"np.empty({size})", f"np.zeros({size})"]
        if like:
            makers += [f"np.empty_like({like[0]})", f"np.zeros_like({like[0]})"] * 2
        maker = self.draw.pick(makers)
        choice = self.draw.integer(0, 2)
        rest = (shape[0] - 1, *shape[1:])
        first = self.bounded_scalar()
        whole = self.bounded_operand(shape) if choice == 0 else None
        part = self.bounded_operand(rest) if choice == 1 and shape[0] > 1 else None
        name = self.fresh_name(("out", "buf"))
        self.emit(f"{name} = {maker}")
        if choice == 0:
            self.emit(f"{name}[:] = {whole}")
        elif choice == 1:
            self.emit(f"{name}[0] = {first}")
            if part is not None:
                self.emit(f"{name}[1:] = {part}")
        else:
            counter = self.loop_name()
            self.emit(f"for {counter} in range({shape[0]}):")
            with self.block():
                self.scope[counter] = Index(0, shape[0] - 1)
                value = self.bounded_operand(shape[1:]) if shape[1:] else self.bounded_scalar()
                self.emit(f"{name}[{counter}] = {value}")
        self.scope[name] = Array(shape)
        return True
