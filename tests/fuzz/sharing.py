"""Random statements that let names share arrays: aliases, lists and records, and calls."""

from tests.fuzz.expressions import CONSTANTS
from tests.fuzz.scope import Array, Helper, Index, List, Record, Scalar
from tests.fuzz.statements import SCALAR_NAMES, VECTOR_NAMES, Statements


class Sharing(Statements):
    """Adds the statements behind which an array has two names, or none."""

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
            self.emit(
                f"{first}, {second} = {second}, {first}{self.draw.pick(['.copy()', '[::-1]'])}"
            )
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
        """Lists of numbers or arrays."""
        return self.scope.names(
            List, lambda kind: isinstance(kind.item, (Scalar, Array)) and accept(kind)
        )

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
            record = self.define(
                ("pair", "both"), Record(tuple(zip(("0", "1"), kinds, strict=True)))
            )
            self.emit(f"{record} = ({name}, {value})")
            if self.draw.chance(0.5):
                first = self.define_array(kinds[0].shape)
                second = self.define(SCALAR_NAMES, Scalar())
                self.emit(f"{first}, {second} = {record}")
        else:
            record = self.define(
                ("state", "box"), Record(tuple(zip(("'u'", "'x'"), kinds, strict=True)))
            )
            self.emit(f"{record} = {{'u': {name}, 'x': {value}}}")
            if self.draw.chance(0.5):
                self.emit(f"{record}['x'] {self.draw.pick(['=', '+='])} {self.bounded_scalar()}")
        return True

    def do_write_field(self):
        found = [
            (name, key, kind)
            for name in self.scope.names(Record)
            for key, kind in self.scope[name].fields
            if isinstance(kind, Array)
        ]
        if not found:
            return False
        name, key, kind = self.draw.pick(found)
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
