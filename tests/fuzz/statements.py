"""Random statements: assignments, writes and aliases. `blocks` adds those that hold statements.

Each production returns True if it wrote something. A name keeps its kind and shape for as long as
it is in scope, so that a program is valid whichever way its branches and loops go.
"""

from contextlib import contextmanager

from tests.fuzz.expressions import CONSTANTS, Expressions
from tests.fuzz.scope import Array, Cycle, Flag, Helper, Index, Indices, List, Record, Scalar, Scope

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

    # -- aliases ------------------------------------------------------------------------------

    def do_alias(self):
        names = self.arrays()
        if not names:
            return False
        name = self.draw.pick(names)
        shape = self.scope[name].shape
        others = self.arrays(lambda other: other == shape)
        if len(others) > 1 and self.draw.chance(0.4):
            self.emit(f"{self.draw.pick([other for other in others if other != name])} = {name}")
        else:
            self.emit(f"{self.define_array(shape)} = {name}")
        return True

    def do_bind_view(self):
        found = self.some_view()
        if found is None:
            return False
        view, shape = found
        others = self.arrays(lambda other: other == shape)
        if others and self.draw.chance(0.25):
            self.emit(f"{self.draw.pick(others)} = {view}")
        else:
            self.emit(f"{self.define_array(shape)} = {view}")
        return True

    def do_duplicate_array(self):
        names = self.arrays()
        if not names:
            return False
        name = self.draw.pick(names)
        self.emit(f"{self.define_array(self.scope[name].shape)} = {name}.copy()")
        return True

    def do_swap(self):
        pair = self.pair()
        if pair is None:
            return False
        first, second = pair
        self.emit(f"{first}, {second} = {second}, {first}")
        return True

    def do_rotate(self):
        """Three names move on, or two with a copy or a view in between."""
        pair = self.pair()
        if pair is None:
            return False
        first, second = pair
        shape = self.scope[first].shape
        others = [n for n in self.arrays(lambda other: other == shape) if n not in pair]
        if others:
            third = self.draw.pick(others)
            self.emit(f"{first}, {second}, {third} = {second}, {third}, {first}")
        else:
            self.emit(f"{first}, {second} = {second}, {first}{self.draw.pick(['.copy()', '[::-1]'])}")
        return True

    def do_branch_alias(self):
        """A name that either branch binds to another array, written behind the join."""
        names = self.arrays()
        if not names:
            return False
        shape = self.scope[self.draw.pick(names)].shape
        if self.draw.chance(0.3):
            shape = self.part_shape(shape)
        values = []
        for _ in range(2):
            value = self.read(shape) or self.array(shape, 1)
            values.append(value if self.draw.chance(0.8) else self.array(shape, 1))
        test = self.test()
        others = self.arrays(lambda other: other == shape)
        rebind = others and self.draw.chance(0.3)
        name = self.draw.pick(others) if rebind else self.fresh_name(VECTOR_NAMES)
        self.emit(f"if {test}:")
        with self.block():
            self.emit(f"{name} = {values[0]}")
            if self.draw.chance(0.2):
                self.scope[name] = Array(shape)
                self.write_some(name)
        self.emit("else:")
        with self.block():
            self.emit(f"{name} = {values[1]}")
        self.scope[name] = Array(shape)
        self.write_some(name)
        return True

    def do_choose_alias(self):
        pair = self.pair()
        if pair is None:
            return False
        first, second = pair
        shape = self.scope[first].shape
        test = self.test()
        name = self.define_array(shape)
        self.emit(f"{name} = {first} if {test} else {second}")
        self.write_some(name)
        return True

    def do_rebind_then_write(self):
        """An array is written, its name is bound to another, and that is written."""
        names = self.arrays()
        if not names:
            return False
        name = self.draw.pick(names)
        self.write_some(name)
        shape = self.scope[name].shape
        form = self.draw.pick(["{} * 0.7", "np.sin({})", "{}.copy()", "{}[::-1]", "{} + 0.3"])
        value = form.format(name) if self.draw.chance(0.7) else self.bounded_array(shape)
        self.emit(f"{name} = {value}")
        self.write_some(name)
        return True

    # -- containers ---------------------------------------------------------------------------

    def do_new_list(self):
        names = self.arrays()
        if names and self.draw.chance(0.5):
            shape = self.scope[self.draw.pick(names)].shape
            items = [
                self.read(shape) if self.draw.chance(0.6) else self.array(shape)
                for _ in range(self.draw.integer(0, 2))
            ]
            kind = List(Array(shape), len(items))
        else:
            items = [self.scalar() for _ in range(self.draw.integer(0, 2))]
            kind = List(Scalar(), len(items))
        self.emit(f"{self.define(('xs', 'ys', 'rows'), kind)} = [{', '.join(items)}]")
        return True

    def do_grow_list(self):
        """A list filled by a loop or a comprehension, then read as an array or a sum."""
        counter = self.loop_name()
        trips = self.draw.integer(1, 4)
        scalars = self.draw.chance(0.6) or not self.shapes()
        shape = None if scalars else self.a_shape()
        name = self.fresh_name(("xs", "ys", "rows"))
        outside, self.scope = self.scope, self.scope.child()
        self.scope[counter] = Index(0, trips - 1)
        value = self.bounded_scalar() if scalars else self.bounded_array(shape)
        comprehension = self.draw.chance(0.35)
        if comprehension:
            self.emit(f"{name} = [{value} for {counter} in range({trips})]")
        else:
            self.emit(f"{name} = []")
            self.emit(f"for {counter} in range({trips}):")
            with self.block():
                if self.draw.chance(0.5):
                    self.statement_in_loop()
                self.emit(f"{name}.append({value})")
        self.scope = outside
        kind = List(Scalar() if scalars else Array(shape), trips)
        self.scope[name] = kind
        if self.draw.chance(0.6):
            whole = (trips,) if scalars else (trips, *shape)
            if len(whole) <= 2:
                maker = self.draw.pick(["np.array({})", "np.stack({})"])
                self.emit(f"{self.define_array(whole)} = 1.0 * {maker.format(name)}")
        return True

    def statement_in_loop(self):
        """A statement that neither leaves the loop nor starts another."""
        for name in ("augment_scalar", "augment_element", "set_scalar"):
            if getattr(self, f"do_{name}")():
                return

    def lists(self, accept=lambda kind: True):
        return self.scope.names(List, accept)

    def do_append(self):
        names = self.lists(lambda kind: not kind.fixed)
        if not names:
            return False
        name = self.draw.pick(names)
        kind = self.scope[name]
        if isinstance(kind.item, Scalar):
            value = self.bounded_scalar()
        else:
            shape = kind.item.shape
            value = self.read(shape) if self.draw.chance(0.5) else None
            value = value or self.bounded_array(shape)
        self.emit(f"{name}.append({value})")
        self.scope[name] = List(kind.item, kind.least + 1)
        return True

    def do_pop(self):
        """A pop behind a test of the length, or one that undoes an append of the same block."""
        names = self.lists(lambda kind: not kind.fixed)
        if not names:
            return False
        name = self.draw.pick(names)
        kind = self.scope[name]
        scalars = isinstance(kind.item, Scalar)
        if self.draw.chance(0.5):
            self.emit(f"if len({name}) > {max(kind.least, 1)}:")
            with self.block():
                if scalars and self.scope.names(Scalar):
                    self.emit(f"{self.draw.pick(self.scope.names(Scalar))} += {name}.pop()")
                else:
                    self.emit(f"{name}.pop()")
            return True
        value = self.bounded_scalar() if scalars else self.bounded_array(kind.item.shape)
        self.emit(f"{name}.append({value})")
        where = self.draw.pick(["", "", "0"]) if kind.least else ""
        if scalars:
            self.emit(f"{self.define(SCALAR_NAMES, Scalar())} = {name}.pop({where})")
        else:
            self.emit(f"{self.define_array(kind.item.shape)} = {name}.pop({where})")
        return True

    def do_write_item(self):
        names = self.lists(lambda kind: isinstance(kind.item, Array) and kind.least > 0)
        if not names:
            return False
        name = self.draw.pick(names)
        kind = self.scope[name]
        item = f"{name}[{self.position(kind.least)}]"
        where = self.draw.pick([self.index(kind.item.shape[0]), ":"])
        shape = kind.item.shape if where == ":" else kind.item.shape[1:]
        value = self.bounded_operand(shape) if shape else self.bounded_scalar()
        self.emit(f"{item}[{where}] {self.draw.pick(['=', '+=', '*='])} {value}")
        return True

    def do_set_item(self):
        names = self.lists(lambda kind: kind.least > 0)
        if not names:
            return False
        name = self.draw.pick(names)
        kind = self.scope[name]
        item = f"{name}[{self.position(kind.least)}]"
        if isinstance(kind.item, Scalar):
            self.emit(f"{item} {self.draw.pick(['=', '+=', '*='])} {self.bounded_scalar()}")
        else:
            self.emit(f"{item} = {self.read(kind.item.shape) or self.array(kind.item.shape)}")
        return True

    def do_record(self):
        names = self.arrays()
        if not names:
            return False
        name = self.draw.pick(names)
        value = self.scalar()
        kinds = (self.scope[name], Scalar())
        if self.draw.chance(0.5):
            record = self.define(("pair", "both"), Record(tuple(zip(("0", "1"), kinds))))
            self.emit(f"{record} = ({name}, {value})")
            if self.draw.chance(0.5):
                first = self.define_array(kinds[0].shape)
                second = self.define(SCALAR_NAMES, Scalar())
                self.emit(f"{first}, {second} = {record}")
        else:
            record = self.define(("state", "box"), Record(tuple(zip(("'u'", "'x'"), kinds))))
            self.emit(f"{record} = {{'u': {name}, 'x': {value}}}")
            if self.draw.chance(0.5):
                self.emit(f"{record}['x'] {self.draw.pick(['=', '+='])} {self.bounded_scalar()}")
        return True

    def do_write_field(self):
        names = self.scope.names(Record)
        if not names:
            return False
        name = self.draw.pick(names)
        key, kind = self.scope[name].fields[0]
        where = self.index(kind.shape[0])
        value = self.bounded_operand(kind.shape[1:]) if kind.shape[1:] else self.bounded_scalar()
        self.emit(f"{name}[{key}][{where}] {self.draw.pick(['=', '+=', '*='])} {value}")
        return True

    # -- calls --------------------------------------------------------------------------------

    def do_call_helper(self):
        if not self.helpers:
            return False
        helper = self.draw.pick(self.helpers)
        text = self.call(helper, self.profile.depth)
        match helper.result:
            case Scalar():
                if self.draw.chance(0.3):
                    self.emit(text)
                else:
                    self.emit(f"{self.define(SCALAR_NAMES, Scalar())} = np.sin({text})")
            case Array(shape):
                self.emit(f"{self.define_array(shape)} = {text}")
                if self.draw.chance(0.3):
                    self.write_some(list(self.scope)[-1])
            case _:
                self.emit(text)
        return True

    def do_closure(self):
        """A local function or lambda that reads, or writes, what its maker holds."""
        if self.level > 1:
            return False
        name = self.fresh_name(("inner", "step"))
        outside, self.scope = self.scope, self.scope.child()
        self.scope["x"] = Scalar()
        value = self.bounded_scalar()
        place = self.element()
        if self.draw.chance(0.4) or place is None:
            self.emit(f"{name} = lambda x: {value}")
        else:
            self.emit(f"def {name}(x):")
            self.emit(f"    {place} {self.draw.pick(['=', '+=', '*='])} {self.bounded_scalar()}")
            self.emit(f"    return {value}")
        self.scope = outside
        helper = Helper(name, (("x", Scalar()),), 0, Scalar())
        for _ in range(self.draw.integer(1, 2)):
            text = self.call(helper, 1)
            self.emit(f"{self.define(SCALAR_NAMES, Scalar())} = {text}")
        return True

    def do_peeled(self):
        """A name that starts as an integer and becomes a float or an array in the first trip."""
        counter = self.loop_name()
        shape = self.a_shape() if self.shapes() and self.draw.chance(0.5) else None
        trips = self.draw.integer(1, 3)
        name = self.fresh_name(("total", "acc"))
        self.emit(f"{name} = {self.draw.pick(['0', '0.0', *CONSTANTS[:2]])}")
        self.emit(f"for {counter} in range({trips}):")
        with self.block():
            self.scope[counter] = Index(0, trips - 1)
            value = self.bounded_array(shape) if shape else self.bounded_scalar()
            form = self.draw.pick(["{0} = {0} + {1}", "{0} += {1}"])
            self.emit(form.format(name, value))
        self.scope[name] = Array(shape) if shape else Scalar()
        return True

    def loop_name(self):
        """The next free counter: a loop in a loop has its own, one after another may share."""
        for name in ("i", "j", "l", "h", "i1", "j1", "l1", "h1"):
            if name not in self.scope:
                return name
        raise AssertionError("loops are nested too deeply")
