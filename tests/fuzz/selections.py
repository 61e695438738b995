"""Writes to what masks, index arrays, `out=` and `where=` select, and through views of views."""

from tests.fuzz.blocks import Blocks
from tests.fuzz.scope import Array, Index, Mask

THRESHOLDS = ("0.137", "-0.271", "0.414", "-0.613")


class Selections(Blocks):
    """Adds NumPy's ways to write to some elements of an array."""

    def a_mask(self, shape):
        """A mask of a shape, as text."""
        names = self.scope.names(Mask, lambda kind: kind.shape == shape)
        if names and self.draw.chance(0.6):
            name = self.draw.pick(names)
            return name if self.draw.chance(0.8) else f"~{name}"
        value = self.read(shape) or self.array(shape, 1)
        test = f"{value} {self.draw.pick(['>', '<'])} {self.draw.pick(THRESHOLDS)}"
        choice = self.draw.integer(0, 5)
        if choice == 0:
            other = self.read(shape) or value
            return f"({test}) {self.draw.pick(['&', '|'])} ({other} < 0.9)"
        if choice == 1:
            flags = ", ".join(self.draw.pick(["True", "False"]) for _ in range(shape[0]))
            if len(shape) == 1:
                return f"np.array([{flags}])"
        if choice == 2:
            return f"np.logical_not({test})"
        return test

    def do_new_mask(self):
        if not self.arrays():
            return False
        shape = self.scope[self.draw.pick(self.arrays())].shape
        value = self.a_mask(shape)
        self.bind(("mask", "chosen", "large"), Mask(shape), value)
        return True

    def do_store_mask(self):
        """A store behind a mask: of a number, of what another array has there, or in place."""
        found = self.owners()
        if not found:
            return False
        text, shape = self.draw.pick(found)
        mask = self.a_mask(shape)
        form = self.draw.integer(0, 4)
        if form == 0:
            other = self.read(shape) or text
            self.emit(f"{text}[{mask}] = np.sin({other}[{mask}])")
        elif form == 1:
            other = self.read(shape) or text
            self.emit(f"{text}[{mask}] {self.draw.pick(['+=', '*='])} 0.5 * {other}[{mask}]")
        elif form == 2 and len(shape) == 2:
            row = self.a_mask(shape[:1])
            self.emit(f"{text}[{row}] {self.draw.pick(['=', '*='])} {self.bounded_scalar()}")
        else:
            sign = self.draw.pick(["=", "=", "+=", "-=", "*="])
            self.emit(f"{text}[{mask}] {sign} {self.bounded_scalar()}")
        return True

    def do_store_where(self):
        """`out=` and `where=` of ufuncs, and what else writes where a mask says."""
        names = self.arrays()
        if not names:
            return False
        name = self.draw.pick(names)
        shape = self.scope[name].shape
        mask = self.a_mask(shape)
        forms = [
            "np.multiply({0}, {1}, out={2}, where={3})",
            "np.add({0}, {1}, out={2}, where={3})",
            "np.sin({0}, out={2}, where={3})",
            "np.tanh({0}, out={2}, where={3})",
            "np.subtract({0}, {1}, out={2}, where={3})",
            "np.copyto({2}, {0}, where={3})",
            "np.copyto({2}, {1}, where={3})",
            "np.putmask({2}, {3}, {1})",
            "{2}[:] = np.where({3}, {0}, {1})",
        ]
        form = self.draw.pick(forms)
        self.draw.used(f"where.{form.partition('(')[0]}")
        value = self.array(shape, 1)
        other = self.scalar(1) if "putmask" in form else self.operand(shape, 0)
        self.emit(form.format(value, other, name, mask))
        return True

    def do_out_of_view(self):
        """A ufunc whose result goes into a view, and whose operands may be the same array."""
        found = self.some_view()
        if found is None:
            return False
        view, shape = found
        form = self.draw.pick(
            ["np.sin({0}, out={2})", "np.multiply({0}, {1}, out={2})", "np.add({2}, {1}, out={2})",
             "np.negative({2}, out={2})", "np.copyto({2}, {0})", "np.cos({2}, {2})"]
        )  # fmt: skip
        self.emit(form.format(self.array(shape, 1), self.operand(shape, 0), view))
        return True

    def do_named_out(self):
        """The result of a ufunc with `out=` gets a name: a second one of the same array."""
        names = self.arrays()
        if not names:
            return False
        name = self.draw.pick(names)
        shape = self.scope[name].shape
        value, other = self.array(shape, 1), self.operand(shape, 0)
        form = self.draw.pick(["np.multiply({0}, {1}, out={2})", "np.sin({0}, out={2})"])
        self.bind_array(shape, form.format(value, other, name))
        return True

    def do_ufunc_at(self):
        """`np.add.at` and its like, with places that are repeated."""
        names = self.arrays()
        if not names:
            return False
        name = self.draw.pick(names)
        shape = self.scope[name].shape
        count = self.draw.integer(1, 3)
        where = self.indices(shape[0], count)
        part = (count, *shape[1:])
        if len(shape) == 2 and self.draw.chance(0.5):
            where, part = f"({where}, {self.indices(shape[1], count)})", (count,)
        value = self.bounded_operand(part)
        function = self.draw.pick(["add", "add", "add", "subtract", "multiply"])
        self.draw.used(f"ufunc.at.{function}")
        self.emit(f"np.{function}.at({name}, {where}, {value})")
        return True

    def do_store_pairs(self):
        """Index arrays for both axes, repeated now and then; or the product of two."""
        names = self.arrays(lambda shape: len(shape) == 2)
        if not names:
            return False
        name = self.draw.pick(names)
        shape = self.scope[name].shape
        sign = self.draw.pick(["=", "=", "+=", "*="])
        if self.draw.chance(0.3):
            rows, columns = self.indices(shape[0], 2), self.indices(shape[1], 2)
            where, part = f"np.ix_({rows}, {columns})", (2, 2)
        else:
            count = self.draw.integer(2, 3)
            where = f"{self.indices(shape[0], count)}, {self.indices(shape[1], count)}"
            part = (count,)
        self.emit(f"{name}[{where}] {sign} {self.bounded_operand(part)}")
        return True

    def do_view_chain(self):
        """A view of a view gets a name, is changed in place, and is read elsewhere."""
        found = self.some_view()
        if found is None:
            return False
        view, shape = found
        first = self.define_array(shape)
        self.emit(f"{first} = {view}")
        part = self.part_shape(shape)
        views = [text for text in self.views(first, shape, part) if text != first]
        if not views:
            return True
        second = self.define_array(part)
        self.emit(f"{second} = {self.draw.pick(views)}")
        sign = self.draw.pick(["+=", "-=", "*=", "*=", "/="])
        value = self.bounded_operand(part)
        if sign == "/=":
            value = f"1.5 + np.cos({value})"
        self.emit(f"{second} {sign} {value}")
        if self.draw.chance(0.4):
            self.write_some(self.draw.pick([first, second]))
        return True

    def do_rows_written(self):
        """Rows of a matrix are written while they are walked, beside a counter or another array."""
        if not self.may_nest():
            return False
        matrices = self.arrays(lambda shape: len(shape) == 2)
        if not matrices:
            return False
        name = self.draw.pick(matrices)
        shape = self.scope[name].shape
        item = self.fresh_name(("row", "line"))
        kinds = {item: Array(shape[1:])}
        vectors = self.arrays(lambda other: len(other) == 1)
        form = self.draw.pick(["enumerate", "enumerate", "zip", "reversed", "transposed"])
        self.draw.used(f"rows.{form}")
        match form:
            case "zip" if vectors:
                other = self.fresh_name(("o", "p"))
                header = f"for {item}, {other} in zip({name}, {self.draw.pick(vectors)}):"
                last = f"{item} *= 0.5 + {other}"
            case "reversed":
                header, last = f"for {item} in {name}[::-1]:", f"{item} += {name}[0]"
            case "transposed":
                kinds = {item: Array(shape[:1])}
                header, last = f"for {item} in {name}.T:", f"{item}[0] = {item}[-1] * 0.5"
            case _:
                counter = self.loop_name()
                kinds[counter] = Index(0, shape[0] - 1)
                header = f"for {counter}, {item} in enumerate({name}):"
                last = f"{item} -= 0.3 * {name}[{counter} - 1]"
        self.emit(header)
        self.loops += 1
        with self.block():
            self.scope.update(kinds)
            if self.draw.chance(0.6):
                self.write_some(item)
            self.emit(last)
        self.loops -= 1
        return True

    # -- expressions --------------------------------------------------------------------------

    def scalar_masked(self, depth):
        """A sum over what a mask selects."""
        if not self.shapes():
            return None
        shape = self.a_shape()
        mask, value = self.a_mask(shape), self.array(shape, depth - 1)
        form = self.draw.pick(
            ["np.sum(({0})[{1}])", "np.sum({0}, where={1})", "np.sum(({0}) * ({1}))",
             "({0})[{1}].sum()", "np.sum(np.where({1}, {0}, 0.3))"]
        )  # fmt: skip
        return form.format(value, mask)

    def array_selected(self, shape, depth):
        """Elements in another order, behind a mask, or by index arrays of both axes."""
        mask = self.a_mask(shape)
        value = self.array(shape, depth - 1)
        forms = ["np.where({1}, {0}, 0.5 * {0})", "({0} * ({1}))",
                 "np.select([{1}], [{0}], default=0.3)"]  # fmt: skip
        if len(shape) == 1:
            matrices = self.arrays(lambda other: len(other) == 2)
            if matrices:
                name = self.draw.pick(matrices)
                rows, columns = self.scope[name].shape
                first, second = self.indices(rows, shape[0]), self.indices(columns, shape[0])
                return f"{name}[{first}, {second}]"
            forms += ["np.take({0}, np.argsort({0}))", "np.sort({0})"]
        return self.draw.pick(forms).format(value, mask)
