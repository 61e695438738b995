"""Random statements that hold others: branches, loops of every header, and exits from them."""

from tests.fuzz.scope import Array, Index, List, Scalar
from tests.fuzz.sharing import Sharing
from tests.fuzz.statements import MATRIX_NAMES, SCALAR_NAMES, VECTOR_NAMES

HEADERS = {
    "length": 4,
    "count": 3,
    "down": 1.5,
    "offset": 1.5,
    "stepped": 1,
    "stepped_down": 0.5,
    "never": 0.7,
    "triangular": 1.5,
    "argument": 1.5,
    "elements": 1.5,
    "enumerated": 1,
    "zipped": 0.8,
    "items": 0.8,
    "reversed": 0.6,
}


class Blocks(Sharing):
    """Adds the statements with blocks in them; `nesting` bounds how deep these go."""

    nested = 0

    def hold(self, low=1, high=3):
        """The statements of a block, fewer the deeper it lies."""
        self.nested += 1
        self.statements(self.draw.integer(low, max(low, high - (self.nested > 1))))
        self.nested -= 1

    def may_nest(self):
        return self.nested < self.profile.nesting

    def summary_forms(self, kind):
        """Floats that depend on a name, as texts with gaps for a weight and the name."""
        match kind:
            case Scalar():
                return ["{0} * {1}", "{1}", "np.sin({1})"]
            case Array(shape):
                forms = [
                    "{0} * np.sum(np.sin({1}))",
                    "{0} * ({1} ** 2).sum()",
                    "np.sum({1} * {0})",
                    "np.sum({1} * np.cos({1}))",
                ]
                if len(shape) == 1:
                    numbers = ", ".join(str(self.draw.number(-1.5, 1.5)) for _ in range(shape[0]))
                    forms += [f"np.dot({{1}}, np.array([{numbers}]))"] * 4
                return forms
            case List(item=Scalar()):
                return ["{0} * sum({1})", "sum([np.sin(x) for x in {1}])"]
            case List(item=Array(), least=least) if least:
                return ["{0} * np.sum(np.stack({1}))", "np.sum({1}[-1])", "np.sum({1}[0])"]
        return []

    # -- branches -----------------------------------------------------------------------------

    def do_branch(self):
        if not self.may_nest():
            return False
        self.emit(f"if {self.test()}:")
        with self.block():
            self.hold(1, 2)
        if self.draw.chance(0.2):
            self.emit(f"elif {self.test()}:")
            with self.block():
                self.hold(1, 2)
        if self.draw.chance(0.5):
            self.emit("else:")
            with self.block():
                self.hold(1, 2)
        elif self.draw.chance(0.15):
            name = self.fresh_name(SCALAR_NAMES)
            self.emit("else:")
            with self.block():
                self.emit(f"{name} = {self.scalar()}")
        return True

    def do_leave(self):
        """`break` or `continue` under a test, perhaps after a last statement."""
        if not self.loops:
            return False
        word = "continue" if self.may_continue and self.draw.chance(0.45) else "break"
        self.draw.used(word)
        self.emit(f"if {self.test()}:")
        with self.block():
            if self.draw.chance(0.4) and self.may_nest():
                self.hold(1, 1)
            self.emit(word)
        return True

    def do_early_return(self):
        if self.level > 3 or not (self.loops or self.draw.chance(0.5)):
            return False
        self.emit(f"if {self.test()}:")
        with self.block():
            if self.draw.chance(0.3) and self.may_nest():
                self.hold(1, 1)
            self.emit(self.return_text())
        return True

    def return_text(self):
        """A `return` of what this function returns."""
        match self.result:
            case Scalar():
                return f"return {self.scalar()}"
            case Array(shape):
                return f"return {self.read(shape) or self.array(shape)}"
        return "return"

    # -- loops --------------------------------------------------------------------------------

    def do_for_loop(self):
        if not self.may_nest():
            return False
        for header in self.draw.in_order(HEADERS):
            found = getattr(self, f"over_{header}")()
            if found is not None:
                break
        text, kinds = found
        self.draw.used(f"for.{header}")
        self.emit(f"for {text}:")
        self.loop_body(kinds)
        return True

    def loop_body(self, kinds, may_continue=True, first=(), last=()):
        """The body of a loop with the names that its header binds."""
        self.loops += 1
        outside, self.may_continue = self.may_continue, may_continue
        with self.block():
            self.scope.update(kinds)
            for line in first:
                self.emit(line)
            self.hold(1, 3)
            for line in last:
                self.emit(line)
        self.may_continue = outside
        self.loops -= 1
        if self.draw.chance(0.03):
            self.draw.used("loop else")
            self.emit("else:")
            with self.block():
                self.hold(1, 1)

    def bound(self):
        """The text and value of a length: of an axis if there is one."""
        arrays = self.arrays()
        if not arrays:
            return "3", 3
        name = self.draw.pick(arrays)
        shape = self.scope[name].shape
        if len(shape) == 2 and self.draw.chance(0.5):
            return f"{name}.shape[1]", shape[1]
        return self.draw.pick([f"len({name})", f"{name}.shape[0]", str(shape[0])]), shape[0]

    def over_length(self):
        text, length = self.bound()
        counter = self.loop_name()
        return f"{counter} in range({text})", {counter: Index(0, length - 1)}

    def over_count(self):
        trips = self.draw.integer(1, 4)
        counter = self.loop_name()
        return f"{counter} in range({trips})", {counter: Index(0, trips - 1)}

    def over_down(self):
        text, length = self.bound()
        counter = self.loop_name()
        return f"{counter} in range({text} - 1, -1, -1)", {counter: Index(0, length - 1)}

    def over_offset(self):
        text, length = self.bound()
        if length < 2:
            return None
        counter = self.loop_name()
        if self.draw.chance(0.5):
            return f"{counter} in range(1, {text})", {counter: Index(1, length - 1)}
        return f"{counter} in range({text} - 1)", {counter: Index(0, length - 2)}

    def over_stepped(self):
        text, length = self.bound()
        counter = self.loop_name()
        last = (length - 1) // 2 * 2
        return f"{counter} in range(0, {text}, 2)", {counter: Index(0, last)}

    def over_stepped_down(self):
        counter = self.loop_name()
        return f"{counter} in range(3, 0, -2)", {counter: Index(1, 3)}

    def over_never(self):
        counter = self.loop_name()
        bounds = self.draw.pick(["0", "2, 2", "3, 1", "1, 3, -1"])
        return f"{counter} in range({bounds})", {counter: Index(0, 1)}

    def over_triangular(self):
        """A range that depends on the index of a loop around it, with no trips at one end."""
        outer = self.scope.names(Index, lambda kind: kind.low == 0)
        if not outer:
            return None
        name = self.draw.pick(outer)
        high = self.scope[name].high
        counter = self.loop_name()
        if self.draw.chance(0.5) and high >= 1:
            return f"{counter} in range({name})", {counter: Index(0, high - 1)}
        return f"{counter} in range({name} + 1, {high + 2})", {counter: Index(1, high + 1)}

    def over_argument(self):
        if "n" not in self.scope:
            return None
        counter = self.loop_name()
        high = max(self.scope["n"].high - 1, 0)
        return f"{counter} in range(n)", {counter: Index(0, high)}

    def over_reversed(self):
        text, length = self.bound()
        counter = self.loop_name()
        return f"{counter} in reversed(range({text}))", {counter: Index(0, length - 1)}

    def vectors(self):
        return self.arrays(lambda shape: len(shape) == 1)

    def over_elements(self):
        if not self.vectors():
            return None
        name = self.draw.pick(self.vectors())
        item = self.fresh_name(("x", "y", "g"))
        return f"{item} in {name}", {item: Scalar()}

    def over_enumerated(self):
        if not self.arrays():
            return None
        name = self.draw.pick(self.arrays())
        shape = self.scope[name].shape
        item = self.fresh_name(("x", "y", "g"))
        counter = self.loop_name()
        kind = Array(shape[1:]) if shape[1:] else Scalar()
        return f"{counter}, {item} in enumerate({name})", {
            counter: Index(0, shape[0] - 1),
            item: kind,
        }

    def over_zipped(self):
        if not self.vectors():
            return None
        names = self.draw.pick(self.vectors()), self.draw.pick(self.vectors())
        first = self.fresh_name(("x", "g"))
        second = self.fresh_name(("y", "f"))
        return f"{first}, {second} in zip({names[0]}, {names[1]})", {
            first: Scalar(),
            second: Scalar(),
        }

    def over_items(self):
        """The items of a list, which the body may not lengthen."""
        names = self.lists()
        if not names:
            return None
        name = self.draw.pick(names)
        kind = self.scope[name]
        item = self.fresh_name(("x", "y") if isinstance(kind.item, Scalar) else ("row", "part"))
        return f"{item} in {name}", {item: kind.item, name: List(kind.item, kind.least, True)}

    def do_while_loop(self):
        if not self.may_nest():
            return False
        trips = self.draw.integer(0, 4) if self.draw.chance(0.2) else self.draw.integer(1, 4)
        counter = self.fresh_name(("n_step", "trip", "count"))
        self.emit(f"{counter} = 0")
        form = self.draw.pick(["counted", "counted", "tested", "walrus", "forever"])
        self.draw.used(f"while.{form}")
        first, last, kinds = [], [], {}
        match form:
            case "counted":
                self.emit(f"while {counter} < {trips}:")
            case "tested":
                test = self.test()
                self.emit(f"while {counter} < {trips} and {test}:")
            case "walrus":
                value = self.scalar()
                name = self.define(SCALAR_NAMES, Scalar())
                self.emit(f"while ({name} := {value}) < 3.137 and {counter} < {trips}:")
            case "forever":
                self.emit("while True:")
                first = [f"if {counter} >= {trips}:", *self.parting_words(), "    break"]
        at_start = self.draw.chance(0.5)
        if at_start:
            first.append(f"{counter} += 1")
            kinds[counter] = Index(1, max(trips, 1))
        else:
            last = [f"{counter} += 1"]
            kinds[counter] = Index(0, max(trips - 1, 0))
        self.loop_body(kinds, may_continue=at_start, first=first, last=last)
        self.scope[counter] = Index(0, trips)
        return True

    def parting_words(self):
        """Something that is done before the loop is left, at times."""
        if not self.scope.names(Scalar) or self.draw.chance(0.6):
            return []
        name = self.draw.pick(self.scope.names(Scalar))
        value = self.draw.pick([self.bounded_scalar(), self.scalar_leaf(0)])
        return [f"    {name} {self.draw.pick(['+=', '*=', '='])} {value}"]

    def do_last_index(self):
        """The index of the last trip, read behind the loop."""
        if not self.may_nest():
            return False
        text, length = self.bound()
        counter = self.loop_name()
        name = self.fresh_name(("last", "best"))
        self.emit(f"{name} = 0")
        self.emit(f"for {counter} in range({text}):")
        test = None
        with self.block():
            self.scope[counter] = Index(0, length - 1)
            test = self.test()
            self.emit(f"if {test}:")
            self.emit(f"    {name} = {counter}")
            if self.draw.chance(0.4):
                self.emit("    break")
        self.scope[name] = Index(0, length - 1)
        return True

    # -- loops over aliases -------------------------------------------------------------------

    def do_row_loop(self):
        """Rows of a matrix, or arrays in a display, written through the loop's name."""
        if not self.may_nest():
            return False
        matrices = self.arrays(lambda shape: len(shape) == 2)
        if matrices and self.draw.chance(0.7):
            name = self.draw.pick(matrices)
            shape = self.scope[name].shape
            item = self.fresh_name(("row", "line"))
            if self.draw.chance(0.5):
                self.emit(f"for {item} in {name}:")
                kinds, part, first = {}, shape[1:], None
            elif self.draw.chance(0.5):
                counter = self.loop_name()
                kinds, part = {counter: Index(0, shape[0] - 1)}, shape[1:]
                self.emit(f"for {counter} in range({shape[0]}):")
                first = f"{item} = {name}[{counter}]"
            else:
                counter = self.loop_name()
                kinds, part = {counter: Index(0, shape[1] - 1)}, shape[:1]
                self.emit(f"for {counter} in range({name}.shape[1]):")
                first = f"{item} = {name}[:, {counter}]"
        else:
            pair = self.pair()
            if pair is None:
                return False
            item = self.fresh_name(("part", "each"))
            brackets = self.draw.pick(["[{}, {}]", "({}, {})"])
            self.emit(f"for {item} in {brackets.format(*pair)}:")
            kinds, part, first = {}, self.scope[pair[0]].shape, None
        self.loops += 1
        with self.block():
            if first:
                self.emit(first)
            self.scope.update(kinds)
            self.scope[item] = Array(part)
            self.write_some(item)
            if self.draw.chance(0.5):
                self.hold(1, 1)
            totals = self.scope.names(Scalar)
            if totals:
                self.emit(f"{self.draw.pick(totals)} += np.sum({item} * {item})")
        self.loops -= 1
        return True

    def do_overwritten(self):
        """What a name was given is overwritten where it came from, and used afterwards."""
        if not self.may_nest():
            return False
        names = self.arrays()
        if not names:
            return False
        name = self.draw.pick(names)
        shape = self.scope[name].shape
        counter = self.loop_name()
        outside, self.scope = self.scope, self.scope.child()
        self.emit(f"for {counter} in range({shape[0]}):")
        self.loops += 1
        with self.block():
            self.scope[counter] = Index(0, shape[0] - 1)
            place = f"{name}[{self.index(shape[0])}]"
            copied = ".copy()" if shape[1:] else ""
            held = self.fresh_name(("held", "pivot"))
            self.emit(f"{held} = {place}{copied}")
            self.scope[held] = Array(shape[1:]) if shape[1:] else Scalar()
            value = self.bounded_operand(shape[1:]) if shape[1:] else self.bounded_scalar()
            form = self.draw.pick(["overwrite", "overwrite", "sweep", "sweep", "move"])
            self.draw.used(f"overwritten.{form}")
            match form:
                case "overwrite":
                    self.emit(f"{place} {self.draw.pick(['=', '=', '+=', '*='])} {value}")
                case "sweep":
                    inner = self.loop_name()
                    start = self.draw.pick(["", f"{counter} + 1, "])
                    self.emit(f"for {inner} in range({start}{shape[0]}):")
                    other = f"{name}[{inner}]"
                    forms = ["{0} *= {1}", "{0} -= {0} * {1}", "{0} = np.sin({0} * {1})",
                             "{0} = 0.5 * {1}"]  # fmt: skip
                    self.emit("    " + self.draw.pick(forms).format(other, held))
                case "move":
                    other = f"{name}[{self.index(shape[0])}]"
                    sign = self.draw.pick(["*", "+", "-"])
                    self.emit(f"{place} = {other} {sign} {value}")
            totals = outside.names(Scalar)
            if form == "sweep" and self.draw.chance(0.6):
                pass  # what was held is read while it is overwritten, and never again
            elif totals:
                total = self.draw.pick(totals)
                self.emit(f"{total} += 0.3 * np.sum(np.sin({held}) * {held})")
            else:
                self.emit(f"{name}[{self.index(shape[0])}] += np.cos({held}) * {held}")
        self.loops -= 1
        self.scope = outside
        return True

    def do_double_buffer(self):
        names = self.arrays(lambda shape: shape[0] >= 3)
        if not names or not self.may_nest():
            return False
        name = self.draw.pick(names)
        shape = self.scope[name].shape
        vector = VECTOR_NAMES if len(shape) == 1 else MATRIX_NAMES
        old = self.fresh_name(("old", *vector))
        new = self.fresh_name(("new", *vector))
        maker = self.draw.pick(["np.zeros_like({})", "{}.copy()", "np.empty_like({})"]).format(old)
        self.emit(f"{old} = {self.draw.pick([name, f'{name}.copy()', f'np.sin({name})'])}")
        self.emit(f"{new} = {maker}")
        counter = self.loop_name()
        self.emit(f"for {counter} in range({self.draw.integer(1, 3)}):")
        with self.block():
            self.emit(f"{new}[1:-1] = 0.5 * {old}[:-2] + np.sin({old}[2:]) * {old}[1:-1]")
            self.emit(f"{new}[0] = {old}[{self.draw.integer(0, 1)}]")
            self.emit(f"{new}[-1] = 0.3 * {old}[-2]")
            self.emit(f"{old}, {new} = {new}, {old}")
            if self.draw.chance(0.3):
                self.scope[old] = self.scope[new] = Array(shape)
                self.write_some(self.draw.pick([old, new]))
        self.scope[old] = Array(shape)
        if "empty" not in maker:
            self.scope[new] = Array(shape)
        return True

    def do_ending_alias(self):
        """A loop whose body ends by giving a name another array, which the next trip writes."""
        if not self.may_nest():
            return False
        pair = self.pair()
        if pair is None:
            names = self.arrays()
            if not names:
                return False
            first = self.draw.pick(names)
            second = self.define_array(self.scope[first].shape)
            self.emit(f"{second} = {first}{self.draw.pick(['.copy()', '', '[::-1]', ' * 0.5'])}")
        else:
            first, second = pair
        shape = self.scope[first].shape
        counter = self.loop_name()
        trips = self.draw.integer(2, 3)
        self.emit(f"for {counter} in range({trips}):")
        self.loops += 1
        outside, self.may_continue = self.may_continue, False
        with self.block():
            self.scope[counter] = Index(0, trips - 1)
            self.write_some(self.draw.pick([first, second]))
            if self.draw.chance(0.5):
                self.hold(1, 1)
            if self.draw.chance(0.5):
                self.write_some(first)
            others = [n for n in self.arrays(lambda other: other == shape) if n in self.scope]
            third = self.draw.pick(others)
            form = self.draw.pick(
                ["{0} = {1}", "{1} = {0}", "{0}, {1} = {1}, {0}", "{0} = {2}",
                 "{2} = {0}; {0} = {1}",
                 "{0} = {1}[::-1]", "{0} = {1}.copy()", "{0} = {1} * 0.9"]
            )  # fmt: skip
            for line in form.format(first, second, third).split("; "):
                self.emit(line)
        self.loops -= 1
        self.may_continue = outside
        return True
