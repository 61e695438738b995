"""Places that hold numbers: names, items, and views of them with a wanted shape, as texts."""

from tests.fuzz.scope import Array, ComplexArray, Draw, Helper, Index, Instance, List, Record, Scope


class Places:
    """Finds what can be read or written with the names in `scope`."""

    def __init__(self, draw: Draw, profile, helpers: list[Helper]):
        self.draw = draw
        self.profile = profile
        self.helpers = helpers
        self.scope = Scope()

    def parts(self, text, kind):
        """Everything that can be named with the help of `text`, as texts with their kinds: itself,
        items of lists, fields of records, attributes of objects, real parts, and theirs."""
        yield text, kind
        match kind:
            case List(item, least) if least:
                yield from self.parts(f"{text}[{self.position(least)}]", item)
            case Record(fields):
                for key, field in fields:
                    yield from self.parts(f"{text}[{key}]", field)
            case Instance(cls):
                for name, field in cls.fields:
                    yield from self.parts(f"{text}.{name}", field)
            case ComplexArray(shape):
                yield f"{text}.real", Array(shape)

    def all_parts(self, kind_type):
        """The parts of this kind of all that is in scope."""
        return [
            (text, part)
            for name, kind in self.scope.items()
            for text, part in self.parts(name, kind)
            if isinstance(part, kind_type)
        ]

    def owners(self):
        """Everything that holds an array, and its shape; names more often."""
        found = []
        for text, kind in self.all_parts(Array):
            found += [(text, kind.shape)] * (3 if text in self.scope else 1)
        return found

    def position(self, length):
        """A constant index that surely exists in a list of at least `length` items."""
        return self.draw.pick([str(self.draw.integer(0, length - 1)), "-1", "0"])

    def index(self, length):
        """An index into an axis of `length`."""
        options = [str(self.draw.integer(0, length - 1)), str(-self.draw.integer(1, length))]
        for name in self.scope.names(Index):
            kind = self.scope[name]
            if kind.high < length:
                options += [name] * 6
                options += [f"-{name} - 1", f"{length - 1} - {name}"]
            if kind.low >= 1 and kind.high <= length:
                options += [f"{name} - 1"] * 3
            if kind.high + 1 < length:
                options += [f"{name} + 1"] * 2
            options.append(f"({name} + {self.draw.integer(1, 2)}) % {length}")
        if self.draw.chance(0.03):
            arrays = self.scope.names(Array)
            if arrays:
                options = [f"np.argmax({self.draw.pick(arrays)}) % {length}"]
        return self.draw.pick(options)

    def window(self, length, size):
        """The text of a slice of `size` out of `length`."""
        if size == length:
            return self.draw.pick([":", ":", ":", "::-1", f":{length}", f"-{length}:", "0:"])
        if size == (length + 1) // 2 and self.draw.chance(0.25):
            return "::2"
        start = self.draw.integer(0, length - size)
        stop = start + size
        if start and self.draw.chance(0.15):
            return f"{stop - 1}:{start - 1}:-1"
        left = str(start) if start or self.draw.chance(0.2) else ""
        right = str(stop) if stop < length or self.draw.chance(0.2) else ""
        if start and self.draw.chance(0.2):
            left = str(start - length)
        if stop < length and self.draw.chance(0.3):
            right = str(stop - length)
        return f"{left}:{right}"

    def views(self, text, have, want):
        """Basic views with shape `want` of the array `text` with shape `have`, as texts."""
        if have == want:
            found = [text] * 4
            if len(have) == 1 and self.draw.chance(0.2):
                found.append(f"{text}[::-1]")
            if len(have) == 2 and have[0] == have[1]:
                found.append(f"{text}.T")
            return found
        match have, want:
            case (n,), (m,) if m < n:
                found = [f"{text}[{self.window(n, m)}]"]
                if m + 1 < n and self.draw.chance(0.3):
                    found.append(f"{text}[{self.window(n, m + 1)}][{self.window(m + 1, m)}]")
                return found
            case (r, c), (m,):
                found = []
                if m == c:
                    found += [f"{text}[{self.index(r)}]", f"{text}[{self.index(r)}, :]"]
                    found.append(f"{text}.T[:, {self.index(r)}]")
                if m < c:
                    found += [f"{text}[{self.index(r)}, {self.window(c, m)}]"]
                    found += [f"{text}[{self.index(r)}][{self.window(c, m)}]"]
                if m <= r:
                    found += [f"{text}[{self.window(r, m)}, {self.index(c)}]"]
                if m == r:
                    found += [f"{text}.T[{self.index(c)}]"]
                if m == r * c and self.draw.chance(0.5):
                    found += [f"{text}.reshape(-1)", f"{text}.ravel()", f"{text}.T.reshape({m})"]
                return found
            case (n,), (p, q):
                found = []
                if (p, q) == (1, n):
                    found += [f"{text}[None, :]", f"{text}.reshape(1, {n})"]
                if (p, q) == (n, 1):
                    found += [f"{text}[:, None]", f"{text}[:, np.newaxis]"]
                if p * q == n:
                    found += [f"{text}.reshape({p}, {q})"]
                return found
            case (r, c), (p, q):
                found = []
                if p <= r and q <= c:
                    found += [f"{text}[{self.window(r, p)}, {self.window(c, q)}]"]
                    if q == c:
                        found += [f"{text}[{self.window(r, p)}]"]
                if (c, r) == (p, q):
                    found += [f"{text}.T"] * 2
                if (c, r) == (p, q) and self.draw.chance(0.3):
                    found += [f"np.transpose({text})"]
                return found
        return []

    def read(self, shape):
        """A name or a view with this shape, or None."""
        found = []
        for text, have in self.owners():
            found += self.views(text, have, shape)
        return self.draw.pick(found) if found else None

    def part_shape(self, shape):
        """The shape of some basic view of an array with this shape."""
        if len(shape) == 1:
            return (self.draw.integer(1, shape[0]),) if self.draw.chance(0.6) else shape
        r, c = shape
        return self.draw.pick(
            [
                (c,),
                (c,),
                (r,),
                (self.draw.integer(1, c),),
                (c, r),
                (self.draw.integer(1, r), self.draw.integer(1, c)),
                (r, c),
            ]
        )

    def some_view(self):
        """A view of something, and its shape, or None if there is no array."""
        owners = self.owners()
        for _ in range(4 if owners else 0):
            text, have = self.draw.pick(owners)
            shape = self.part_shape(have)
            found = [view for view in self.views(text, have, shape) if view != text]
            if found:
                return self.draw.pick(found), shape
        return None

    def target(self):
        """A place to be written, with a subscript at its end, and its shape; or None."""
        owners = self.owners()
        if not owners:
            return None
        text, have = self.draw.pick(owners)
        shape = self.part_shape(have)
        found = self.views(text, have, shape)
        if not found:
            shape, found = have, [text]
        view = self.draw.pick(found)
        if not view.endswith("]") or view == text:
            view += self.draw.pick(["[:]", "[:]", "[...]"])
        return view, shape

    def element(self):
        """An element of an array, as a place, or None if there is no array."""
        owners = self.owners()
        if not owners:
            return None
        text, shape = self.draw.pick(owners)
        if len(shape) == 1:
            if self.draw.chance(0.12):
                size = self.draw.integer(1, shape[0])
                return f"{text}[{self.window(shape[0], size)}][{self.index(size)}]"
            return f"{text}[{self.index(shape[0])}]"
        row, column = self.index(shape[0]), self.index(shape[1])
        return self.draw.pick(
            [f"{text}[{row}, {column}]"] * 4
            + [f"{text}[{row}][{column}]", f"{text}.T[{column}, {row}]"]
        )

    def shapes(self):
        return [kind.shape for kind in self.scope.values() if isinstance(kind, Array)]

    def a_shape(self):
        shapes = self.shapes()
        if shapes and self.draw.chance(0.85):
            shape = self.draw.pick(shapes)
            return shape if self.draw.chance(0.7) else self.part_shape(shape)
        if self.draw.chance(0.75):
            return (self.draw.integer(2, 4),)
        return (self.draw.integer(2, 3), self.draw.integer(2, 3))
