"""Objects of the program's own classes: made, read, written, passed on, and known by two names.

A class is written before `main`, its methods by the same productions as `main`, with `self` in
scope. An object that may be one of two is read where it is made, and not written: the compiler
refuses that.
"""

from tests.fuzz.blocks import Blocks
from tests.fuzz.scope import Array, Class, Helper, Index, Instance, List, Record, Scalar

NAMES = ("ball", "body", "state", "model", "cell")
SIGNS = ("=", "=", "+=", "-=", "*=")
FORMS = {"plain": 3, "derived": 2, "dataclass": 2, "frozen": 1, "named_tuple": 1}


class Objects(Blocks):
    """Adds names for objects. `classes` are those that the program has."""

    classes = ()

    # -- making and finding them --------------------------------------------------------------

    def construction(self, cls, depth=1):
        """A new object, as text."""
        texts = []
        keywords = False
        for name, kind in cls.fields:
            match kind:
                case Array(shape):
                    text = self.read(shape) if self.draw.chance(0.5) else None
                    text = text or self.array(shape, depth)
                case Instance(inner):
                    text = self.an_object(inner, depth - 1)
                case _:
                    text = self.scalar(depth)
            keywords = keywords or self.draw.chance(0.2)
            texts.append(f"{name}={text}" if keywords else text)
        return f"{cls.name}({', '.join(texts)})"

    def an_object(self, cls, depth):
        """A name or a new object of the class."""
        known = [text for text, kind in self.all_parts(Instance) if kind.cls.name == cls.name]
        if known and self.draw.chance(0.75):
            return self.draw.pick(known)
        return self.construction(cls, depth)

    def objects(self, accept=lambda cls: True):
        return [(text, kind.cls) for text, kind in self.all_parts(Instance) if accept(kind.cls)]

    def bind_object(self, cls, text):
        return self.bind(NAMES, Instance(cls), text)

    # -- expressions --------------------------------------------------------------------------

    def scalar_of_object(self, depth):
        """A property, a method's result, or what an operator gives."""
        found = self.objects(lambda cls: cls.properties or cls.methods or cls.operators)
        if not found:
            return None
        text, cls = self.draw.pick(found)
        options = [f"{text}.{name}" for name, kind in cls.properties if kind == Scalar()]
        options += [
            self.method_call(text, method, depth)
            for method in cls.methods
            if method.result == Scalar()
        ]
        if "call" in cls.operators:
            options.append(f"{text}({self.scalar(depth - 1)})")
        if "getitem" in cls.operators:
            options.append(f"{text}[{self.index(dict(cls.fields)['v'].shape[0])}]")
        if "len" in cls.operators:
            options.append(f"0.3 * len({text})")
        if "lt" in cls.operators:
            others = [other for other, kind in found if kind.name == cls.name]
            options.append(f"({text}.x if {text} < {self.draw.pick(others)} else 0.7)")
        for sign in ("+", "*"):
            if sign in cls.operators:
                other = self.operand_of(cls, sign)
                options.append(f"({text} {sign} {other}).x")
        return self.draw.pick(options) if options else None

    def operand_of(self, cls, sign):
        """What stands to the right of an object and an operator."""
        return self.an_object(cls, 0) if sign == "+" else self.scalar_leaf(0)

    def method_call(self, text, method, depth):
        return f"{text}.{self.call(method, depth)}"

    def summary_forms(self, kind):
        match kind:
            case Instance(cls):
                forms = []
                for name, field in cls.fields:
                    forms += [
                        form.replace("{1}", f"{{1}}.{name}") for form in self.summary_forms(field)
                    ]
                forms += [f"{{1}}.{name}" for name, field in cls.properties if field == Scalar()]
                return forms
        return super().summary_forms(kind)

    # -- statements ---------------------------------------------------------------------------

    def do_new_object(self):
        if not self.classes:
            return False
        cls = self.draw.pick(self.classes)
        self.draw.used(f"class.{cls.form}")
        text = self.construction(cls)
        same = self.scope.names(Instance, lambda kind: kind.cls == cls)
        if same and self.may_rebind(cls) and self.draw.chance(0.25):
            self.emit(f"{self.draw.pick(same)} = {text}")
        else:
            self.bind_object(cls, text)
        return True

    def may_rebind(self, cls):
        """Whether a name may get another object here: behind a branch, one of two is only read."""
        return self.level == 1 or not cls.is_mutable

    def do_object_alias(self):
        found = self.objects()
        if not found:
            return False
        text, cls = self.draw.pick(found)
        if not self.may_rebind(cls) and self.draw.chance(0.8):
            return False  # behind the branch, the name would stand for this object or for none
        self.bind_object(cls, text)
        return True

    def do_set_attribute(self):
        found = self.objects(lambda cls: cls.is_mutable)
        if not found:
            return False
        text, cls = self.draw.pick(found)
        fields = [(n, k) for n, k in cls.fields if isinstance(k, (Scalar, Array))]
        if not fields:
            return False
        name, kind = self.draw.pick(fields)
        if kind == Scalar():
            self.emit(f"{text}.{name} {self.draw.pick(SIGNS)} {self.bounded_scalar()}")
        elif self.draw.chance(0.5):
            self.emit(f"{text}.{name} = {self.bounded_array(kind.shape)}")
        else:
            value = self.bounded_operand(kind.shape)
            self.emit(f"{text}.{name} {self.draw.pick(['+=', '-=', '*='])} {value}")
        return True

    def do_store_attribute(self):
        """A store into an array that an object holds."""
        found = [
            (f"{text}.{name}", kind.shape)
            for text, cls in self.objects()
            for name, kind in cls.fields
            if isinstance(kind, Array)
        ]
        if not found:
            return False
        text, shape = self.draw.pick(found)
        where = self.draw.pick([self.index(shape[0]), self.index(shape[0]), ":"])
        part = shape if where == ":" else shape[1:]
        value = self.bounded_operand(part) if part else self.bounded_scalar()
        self.emit(f"{text}[{where}] {self.draw.pick(SIGNS)} {value}")
        return True

    def do_call_method(self):
        found = self.objects(lambda cls: cls.methods)
        if not found:
            return False
        text, cls = self.draw.pick(found)
        method = self.draw.pick(cls.methods)
        call = self.method_call(text, method, 1)
        match method.result:
            case Scalar() if self.draw.chance(0.7):
                self.bind(("s", "t", "r"), Scalar(), f"np.sin({call})")
            case Instance(made) if self.may_rebind(made) and self.draw.chance(0.6):
                if text in self.scope:
                    self.emit(f"{text} = {call}")
                else:
                    self.bind_object(made, call)
            case Instance(made):
                self.bind_object(made, call)
            case _:
                self.emit(call)
        return True

    def do_set_property(self):
        found = self.objects(lambda cls: "setter" in cls.operators)
        if not found:
            return False
        text, _ = self.draw.pick(found)
        self.emit(f"{text}.level {self.draw.pick(['=', '+=', '*='])} {self.bounded_scalar()}")
        return True

    def do_operate(self):
        """An operator of two objects, or of an object and a number, that makes a new object."""
        found = [
            (text, cls, sign)
            for text, cls in self.objects()
            for sign in ("+", "*", "-")
            if sign in cls.operators
        ]
        if not found:
            return False
        text, cls, sign = self.draw.pick(found)
        value = f"-{text}" if sign == "-" else f"{text} {sign} {self.operand_of(cls, sign)}"
        if text in self.scope and sign != "-" and self.may_rebind(cls) and self.draw.chance(0.3):
            self.emit(f"{text} {sign}= {self.operand_of(cls, sign)}")
        elif text in self.scope and self.may_rebind(cls) and self.draw.chance(0.3):
            self.emit(f"{text} = {value}")
        else:
            self.bind_object(cls, value)
        return True

    def do_swap_objects(self):
        found = [(n, self.scope[n].cls) for n in self.scope.names(Instance)]
        for name, cls in found:
            others = [n for n, kind in found if kind.name == cls.name and n != name]
            if others and self.may_rebind(cls):
                other = self.draw.pick(others)
                self.emit(f"{name}, {other} = {other}, {name}")
                return True
        return False

    def do_choose_object(self):
        """One of two objects, which is read and then forgotten.

        While a name stands for either of two, neither may be changed; so this is for objects that
        cannot, or the choice gets no name.
        """
        found = self.objects()
        if not found:
            return False
        text, cls = self.draw.pick(found)
        other = self.an_object(cls, 0)
        test = self.test()
        outside, self.scope = self.scope, self.scope.child()
        name = self.fresh_name(("chosen", "nearest"))
        if cls.is_mutable:
            name = f"({text} if {test} else {other})"
        elif self.draw.chance(0.5):
            self.emit(f"{name} = {text} if {test} else {other}")
        else:
            self.emit(f"if {test}:")
            self.emit(f"    {name} = {text}")
            self.emit("else:")
            self.emit(f"    {name} = {other}")
        parts = [(part, kind) for part, kind in self.parts(name, Instance(cls)) if part != name]
        numbers = [part for part, kind in parts if isinstance(kind, Scalar)]
        arrays = [f"np.sum({part})" for part, kind in parts if isinstance(kind, Array)]
        value = self.draw.pick(numbers + arrays)
        self.scope = outside
        self.bind(("s", "t", "r"), Scalar(), value)
        return True

    def do_object_loop(self):
        """A loop over objects, or one that changes an object in each trip."""
        found = self.objects(lambda cls: cls.is_mutable)
        if not found or not self.may_nest():
            return False
        text, cls = self.draw.pick(found)
        if self.draw.chance(0.5):
            others = [other for other, kind in found if kind.name == cls.name]
            other = self.draw.pick(others) if self.draw.chance(0.7) else self.construction(cls)
            item = self.fresh_name(("each", "item"))
            brackets = self.draw.pick(["[{}, {}]", "({}, {})"])
            self.emit(f"for {item} in {brackets.format(text, other)}:")
            kinds = {item: Instance(cls)}
        else:
            counter, trips = self.loop_name(), self.draw.integer(1, 4)
            self.emit(f"for {counter} in range({trips}):")
            kinds = {counter: Index(0, trips - 1)}
        self.loops += 1
        outside, self.may_continue = self.may_continue, False
        with self.block():
            self.scope.update(kinds)
            for _ in range(self.draw.integer(1, 2)):
                for name in self.draw.in_order(
                    {"set_attribute": 3, "store_attribute": 2, "call_method": 2}
                ):
                    if getattr(self, f"do_{name}")():
                        break
            if self.draw.chance(0.4):
                self.hold(1, 1)
        self.may_continue = outside
        self.loops -= 1
        return True

    def do_object_list(self):
        """A display of objects with a name, whose items are changed and read."""
        found = self.objects()
        if not found:
            return False
        text, cls = self.draw.pick(found)
        items = [text, self.an_object(cls, 0)]
        if self.draw.chance(0.4):
            items.append(self.construction(cls, 0))
        kind = List(Instance(cls), len(items), fixed=True)
        if self.draw.chance(0.3):
            name = self.define(
                ("table", "index"), Record((("'u'", Instance(cls)), ("'x'", Instance(cls))))
            )
            self.emit(f"{name} = {{'u': {items[0]}, 'x': {items[1]}}}")
        else:
            name = self.define(("things", "bodies"), kind)
            self.emit(f"{name} = [{', '.join(items)}]")
            if self.draw.chance(0.5):
                self.bind(("s", "t", "r"), Scalar(), f"sum({self.sum_over(name, cls)})")
        return True

    def sum_over(self, name, cls):
        """A comprehension that reads every object of a list."""
        numbers = [n for n, kind in cls.fields if kind == Scalar()]
        part = f"o.{numbers[0]}" if numbers else f"np.sum(o.{cls.fields[0][0]})"
        forms = ["[{0} * {1} for o in {2}]", "{0} * {0} for o in {2}", "[np.sin({0}) for o in {2}]"]
        return self.draw.pick(forms).format(part, self.scalar_leaf(0), name)

    def do_replaced(self):
        """A changed copy of an object that cannot be written, or of one that can."""
        found = self.objects(lambda cls: cls.form in ("dataclass", "frozen", "named_tuple"))
        if not found:
            return False
        text, cls = self.draw.pick(found)
        name, kind = self.draw.pick([f for f in cls.fields if isinstance(f[1], (Scalar, Array))])
        value = self.bounded_array(kind.shape) if isinstance(kind, Array) else self.bounded_scalar()
        if cls.form == "named_tuple":
            made = f"{text}._replace({name}={value})"
        else:
            self.draw.imports.add("from dataclasses import dataclass, replace")
            made = f"replace({text}, {name}={value})"
        if text in self.scope and self.may_rebind(cls) and self.draw.chance(0.6):
            self.emit(f"{text} = {made}")
        else:
            self.bind_object(cls, made)
        return True

    def do_unpack_object(self):
        found = self.objects(lambda cls: cls.form == "named_tuple")
        if not found:
            return False
        text, cls = self.draw.pick(found)
        names = []
        for _, kind in cls.fields:
            if isinstance(kind, Array):
                names.append(self.define_array(kind.shape))
            elif isinstance(kind, Instance):
                names.append(self.define(NAMES, kind))
            else:
                names.append(self.define(("s", "t", "r"), kind))
        self.emit(f"{', '.join(names)} = {text}")
        return True


# -- classes -----------------------------------------------------------------------------------


def class_definition(draw, started, classes, number):
    """The lines of a class, and what is known of it.

    `started(name, parameters, result)` gives a writer behind the head of a function.
    """
    weights = dict(FORMS)
    bases = [cls for cls in classes if cls.form in ("plain", "derived")]
    if not bases:
        del weights["derived"]
    form = draw.weighted(weights)
    if form == "derived":
        return _derived(draw, started, draw.pick(bases), number)
    name = {"plain": "Body", "dataclass": "State", "frozen": "Point", "named_tuple": "Pair"}[form]
    name += str(number)
    shape = (draw.integer(2, 4),) if draw.chance(0.8) else (2, draw.integer(2, 3))
    fields = [("v", Array(shape)), ("x", Scalar())]
    if draw.chance(0.3):
        fields.append(("w", Array(shape)) if draw.chance(0.5) else ("y", Scalar()))
    holdable = [cls for cls in classes if cls.is_mutable or form in ("frozen", "named_tuple")]
    if holdable and draw.chance(0.35):
        fields.append(("part", Instance(draw.pick(holdable))))
    cls = Class(name, form, tuple(fields))
    lines = _head(draw, cls)
    return _with_methods(draw, started, cls, lines)


def _head(draw, cls):
    annotations = {Array: "np.ndarray", Scalar: "float"}
    typed = [
        f"    {name}: {annotations.get(type(kind)) or kind.cls.name}" for name, kind in cls.fields
    ]
    match cls.form:
        case "named_tuple":
            draw.imports.add("from typing import NamedTuple")
            return [f"class {cls.name}(NamedTuple):", *typed]
        case "dataclass" | "frozen":
            draw.imports.add("from dataclasses import dataclass, replace")
            how = "(frozen=True)" if cls.form == "frozen" else ""
            return [f"@dataclass{how}", f"class {cls.name}:", *typed]
    names = [name for name, _ in cls.fields]
    lines = [f"class {cls.name}:"]
    if draw.chance(0.4):
        lines.append(f"    rate = {draw.pick(['0.5', '1.3', '-0.7'])}")
    lines.append(f"    def __init__(self, {', '.join(names)}):")
    for name, kind in cls.fields:
        copied = ".copy()" if isinstance(kind, Array) and draw.chance(0.3) else ""
        lines.append(f"        self.{name} = {name}{copied}")
    return lines


def _with_methods(draw, started, cls, lines):
    """The class with properties, methods and operators."""
    lines = list(lines)

    def method(name, parameters, result, size, decorator=None, known=cls):
        scoped = [("self", Instance(known)), *parameters]
        writer = started(name, scoped, result)
        if size:
            writer.do_set_attribute() or writer.do_store_attribute()
            writer.statements(draw.integer(0, size - 1))
        if decorator:
            lines.append(f"    {decorator}")
        return writer

    def finish(writer, last):
        if last:
            writer.emit(last)
        lines.extend("    " + line for line in writer.lines)

    if draw.chance(0.5):
        draw.used("property")
        writer = method("size2", [], Scalar(), 0, "@property")
        finish(writer, f"return {writer.scalar(2)}")
        cls = _with(cls, properties=(*cls.properties, ("size2", Scalar())))
    if draw.chance(0.25) and cls.is_mutable:
        draw.used("setter")
        writer = method("level", [], Scalar(), 0, "@property")
        finish(writer, "return self.x * 0.5")
        writer = method("level", [("p", Scalar())], None, 0, "@level.setter")
        finish(writer, "self.x = 2.0 * p")
        cls = _with(
            cls,
            properties=(*cls.properties, ("level", Scalar())),
            operators=(*cls.operators, "setter"),
        )
    if draw.chance(0.8):
        result = draw.pick([None, None, Scalar()]) if cls.is_mutable else Scalar()
        size = 3 if cls.is_mutable else 0
        writer = method("move", [("p", Scalar())], result, size)
        finish(writer, f"return {writer.scalar()}" if result else None)
        cls = _with(cls, methods=(*cls.methods, Helper("move", (("p", Scalar()),), 0, result)))
    if draw.chance(0.5):
        writer = method("energy", [], Scalar(), 0, known=cls)
        finish(writer, f"return {writer.scalar(2)}")
        cls = _with(cls, methods=(*cls.methods, Helper("energy", (), 0, Scalar())))
    if draw.chance(0.5):
        writer = method("scaled", [("p", Scalar())], Instance(cls), 0)
        made = _copy_text(draw, cls, "p")
        finish(writer, f"return {made}")
        plain = Class(cls.name, cls.form, cls.fields)
        helper = Helper("scaled", (("p", Scalar()),), 0, Instance(plain))
        cls = _with(cls, methods=(*cls.methods, helper))
    for sign, name in (("+", "__add__"), ("*", "__mul__"), ("-", "__neg__")):
        if draw.chance(0.25):
            draw.used(f"operator.{name}")
            parameters = [("other", Instance(cls) if sign == "+" else Scalar())]
            writer = method(name, parameters if sign != "-" else [], Instance(cls), 0)
            finish(writer, f"return {_operated(cls, sign)}")
            cls = _with(cls, operators=(*cls.operators, sign))
    vector = len(dict(cls.fields)["v"].shape) == 1
    if draw.chance(0.25) and cls.form != "named_tuple":
        draw.used("operator.__call__")
        writer = method("__call__", [("p", Scalar())], Scalar(), 0)
        finish(writer, f"return {writer.scalar(2)}")
        cls = _with(cls, operators=(*cls.operators, "call"))
    if draw.chance(0.2) and cls.form != "named_tuple" and vector:
        draw.used("operator.__getitem__")
        writer = method("__getitem__", [("k", Index(0, 1))], Scalar(), 0)
        finish(writer, "return self.v[k] * self.x")
        cls = _with(cls, operators=(*cls.operators, "getitem"))
    if draw.chance(0.15) and cls.form != "named_tuple":
        writer = method("__len__", [], Scalar(), 0)
        finish(writer, "return len(self.v)")
        cls = _with(cls, operators=(*cls.operators, "len"))
    if draw.chance(0.15):
        draw.used("operator.__lt__")
        writer = method("__lt__", [("other", Instance(cls))], Scalar(), 0)
        finish(writer, "return self.x < other.x + 0.137")
        cls = _with(cls, operators=(*cls.operators, "lt"))
    return lines, cls


def _derived(draw, started, base, number):
    """A class that overrides a method of its base, and may add a field."""
    name = f"Heavy{number}"
    fields = base.fields
    lines = [f"class {name}({base.name}):"]
    if draw.chance(0.5):
        names = [field for field, _ in fields]
        fields = (*fields, (f"z{number}", Scalar()))
        lines.append(f"    def __init__(self, {', '.join([*names, f'z{number}'])}):")
        lines.append(f"        super().__init__({', '.join(names)})")
        lines.append(f"        self.z{number} = z{number}")
    cls = Class(name, "derived", fields)
    methods = {method.name: method for method in base.methods}
    for helper in list(methods.values()):
        if helper.name in ("move", "energy") and draw.chance(0.6):
            draw.used("super")
            writer = started(helper.name, [("self", Instance(cls)), *helper.parameters],
                             helper.result)  # fmt: skip
            call = f"super().{helper.name}({', '.join(n for n, _ in helper.parameters)})"
            if helper.result is None:
                writer.emit(call)
                writer.do_set_attribute()
            else:
                writer.emit(f"below = {call}")
                writer.scope["below"] = Scalar()
                if helper.name == "move":
                    writer.do_store_attribute()
                writer.emit(f"return np.sin(below) + {writer.scalar(1)}")
            lines.extend("    " + line for line in writer.lines)
    if len(lines) == 1:
        lines.append(f"    rate = {draw.pick(['0.9', '-0.3'])}")
    inherited = [m for m in methods.values() if not isinstance(m.result, Instance)]
    operators = tuple(sign for sign in base.operators if sign not in ("+", "*", "-"))
    return lines, _with(
        cls, methods=tuple(inherited), properties=base.properties, operators=operators
    )


def _with(cls, **changes):
    known = {"methods": cls.methods, "properties": cls.properties, "operators": cls.operators}
    return Class(cls.name, cls.form, cls.fields, **{**known, **changes})


def _copy_text(draw, cls, factor):
    """A new object of the class, changed by a number."""
    if cls.form in ("dataclass", "frozen") and draw.chance(0.5):
        draw.imports.add("from dataclasses import dataclass, replace")
        return f"replace(self, x=self.x * {factor})"
    if cls.form == "named_tuple" and draw.chance(0.5):
        return f"self._replace(v=self.v * {factor})"
    texts = [
        f"self.{name} * {factor}" if isinstance(kind, Array) else f"self.{name}"
        for name, kind in cls.fields
    ]
    return f"{cls.name}({', '.join(texts)})"


def _operated(cls, sign):
    """A new object: the sum of two, the multiple of one, or its opposite."""
    texts = []
    for name, kind in cls.fields:
        own = f"self.{name}"
        if isinstance(kind, Instance):
            texts.append(own)
        elif sign == "-":
            texts.append(f"-{own}")
        elif sign == "+":
            texts.append(f"0.5 * {own} + other.{name}")
        else:
            texts.append(f"np.sin({own} * other)")
    return f"{cls.name}({', '.join(texts)})"
