"""Objects become values and memory.

The resolver's IR speaks of Python's objects: a name of an array, a view of it and the array after a
store are one object each.  This pass finds which objects may share storage (Steensgaard's
unification, "Points-to analysis in almost linear time", POPL 1996), and makes memory of those
classes in which anything is written.  All others are values, and reads of them stay pure.

Before::

    b = np.zeros(3)          # objects: b, c share storage, and b is stored into
    c = b[1:]
    b[1] = x
    y = np.sum(c)

After::

    %t = np.zeros(3); b = New(%t)
    c = View(b, [1:])
    Store(b, [1], x)
    %u = Load(c, ()); y = np.sum(%u)
"""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from adcompiler import errors, runtime
from adcompiler.analysis.quiet import quiet_views
from adcompiler.analysis.unification import Unification
from adcompiler.ir import types as T
from adcompiler.ir.infer import Atoms, index_type, join, type_of
from adcompiler.ir.nodes import (
    UNBOUND,
    Accumulate,
    Append,
    Block,
    Constant,
    Function,
    If,
    Load,
    Loop,
    New,
    Op,
    Operand,
    Pop,
    Raise,
    Range,
    Slice,
    Statement,
    Store,
    Value,
    View,
    dimension,
    leaves,
    substitute,
    walk,
)
from adcompiler.ir.verify import SHAPE_ONLY
from adcompiler.passes.columns import split_records
from adcompiler.rules import book

ALWAYS_VIEW = {
    np.transpose, np.swapaxes, np.moveaxis, np.expand_dims, np.squeeze, np.flip, np.flipud,
    np.fliplr, np.asarray, np.asanyarray, np.atleast_1d, np.atleast_2d, np.atleast_3d,
    np.matrix_transpose, np.rollaxis, np.rot90,
}  # fmt: skip
MAYBE_VIEW = {np.reshape, np.ravel, np.ascontiguousarray, np.asfortranarray, np.broadcast_arrays}
READ_ONLY = {np.diagonal, np.diag, np.broadcast_to, np.real, np.imag}
"""Views that cannot be written, or whose adjoint is not the same view of the adjoint."""

SPLITS = {np.split, np.array_split, np.hsplit, np.vsplit, np.dsplit}
FRESH_METHODS = {np.ndarray.flatten}


def viewed(op: Op) -> Operand:
    """The argument that the result may be a view of."""
    return op.args[1] if op.fn is np.einsum and len(op.args) == 2 else op.args[0]


def view_kind(op: Op) -> str:
    """`"fresh"`, `"view"` or `"maybe"`: does the result share storage with what is `viewed`?"""
    fn, first = op.fn, type_of(viewed(op)) if op.args else None
    if isinstance(fn, Function):
        return "fresh"  # `share_in_call` looks at all of its arguments
    if fn in (np.asarray, np.asanyarray) and (len(op.args) > 1 or op.keywords):
        return "maybe"  # of another dtype it is a copy
    if fn is operator.getitem:
        if not isinstance(first, T.Array):
            return "maybe" if isinstance(first, T.Unknown) else "fresh"
        if isinstance(type_of(op.outs[0]), T.Scalar):
            return "fresh"
        arrays = any(isinstance(type_of(item), (T.Array, T.List)) for item in op.args[1])
        return "fresh" if arrays else "view"
    if not isinstance(first, (T.Array, T.Unknown)):
        return "fresh"
    if fn is getattr:
        name = op.args[1].value
        return "view" if name == "T" or (name == "real" and _is_number(first)) else "maybe"
    if fn in FRESH_METHODS:
        return "fresh"
    key = book.canonical(fn)
    copied = op.keywords.get("copy")
    if copied is not None and not (isinstance(copied, Constant) and copied.value is True):
        return "maybe"
    if key in (np.asfortranarray, np.ascontiguousarray):
        return "maybe"
    if key in ALWAYS_VIEW or (key is np.real and _is_number(first)):
        return "view"
    if key in MAYBE_VIEW:
        plain = "order" not in op.keywords and len(op.args) <= (2 if key is np.reshape else 1)
        if isinstance(first, T.Array) and first.contiguous and plain:
            return "view"
        return "maybe"
    if key in SPLITS or key in READ_ONLY or key is np.diff:
        return "maybe"  # `np.diff(x, n=0)` is x
    if key is np.einsum and len(op.args) == 2:
        return "maybe"  # of one array without a sum it is a view
    if isinstance(key, np.ufunc) or book.lookup(fn) is not None or book.is_zero(fn):
        return "fresh"
    if fn in (np.shape, np.ndim, np.size, len, dimension, runtime.snapshot):
        return "fresh"
    return "maybe"


def _is_number(type: Any) -> bool:
    return isinstance(type, T.Array) and type.kind in ("float", "complex")


def is_object(type: Any) -> bool:
    return isinstance(type, (T.Array, T.List, T.Record, T.Unknown))


def to_memory(function: Function) -> Function:
    """The function with memory for what is written; changes it in place."""
    split_records(function, object_classes)
    return _ToMemory(function).run()


def object_classes(function: Function) -> Unification:
    """Which objects may share storage, before memory is told from values."""
    pass_ = _ToMemory(function)
    pass_.find_classes()
    return pass_.classes


def refuse_foreign_writes(function: Function) -> None:
    """No array of the world around may be written, also if nothing reads it afterwards."""
    pass_ = _ToMemory(function)
    pass_.find_classes()
    if pass_.foreign:
        pass_.find_writes()
        pass_.refuse_foreign()


def written_parameters(function: Function) -> set[Value]:
    """Arrays that a resolved function gets and writes, also if nothing reads them afterwards."""
    return set(written_among(function, function.params))


def written_among(function: Function, values: list[Value]) -> list[Value]:
    """Those of the arrays and lists of a resolved function that it writes under some name."""
    pass_ = _ToMemory(function)
    pass_.find_classes()
    written = pass_.written_classes()
    return [value for value in values if pass_.classes.find(value) in written]


class _ToMemory:
    def __init__(self, function: Function) -> None:
        self.function = function
        self.classes = Unification()
        self.contents: dict[Any, Value] = {}
        self.definition: dict[Value, Statement] = {}
        self.maybe: dict[Value, Op] = {}
        self.quiet: set[Op] = set()
        self.foreign: dict[Value, tuple[Constant, Statement | None]] = {}
        """What shows an array that is not the function's own: it must not be written."""
        self.written: set = set()
        self.calls: list[tuple[Op, list[Value]]] = []
        self.writes: dict[Any, Statement] = {}
        self.ref: dict[Value, Value] = {}

    def find_classes(self) -> None:
        """Two readings: what looks like a view but is only read at once is a value after all."""
        self.unify_all()
        written = self.written_classes()
        doubtful = [op for out, op in self.maybe.items() if self.classes.find(out) in written]
        if doubtful:
            self.quiet = quiet_views(self.function, doubtful, self.classes, view_kind)
            self.classes, self.contents, self.maybe, self.calls = Unification(), {}, {}, []
            self.foreign = {}
            self.unify_all()

    def unify_all(self) -> None:
        for statement in walk(self.function.body):
            self.unify(statement)
        self.settle_contents()

    def written_classes(self) -> set:
        return {
            self.classes.find(statement.ref)
            for statement in walk(self.function.body)
            if isinstance(statement, (Store, Accumulate, Append, Pop))
        }

    def settle_list_types(self) -> None:
        """All names of a list know what it holds."""
        items: dict[Any, Any] = {}
        for value in list(self.classes.members()):
            if isinstance(value.type, T.List):
                root = self.classes.find(value)
                items[root] = join(items.get(root), value.type.item)
        for statement in walk(self.function.body):
            if isinstance(statement, (Append, Store)) and isinstance(statement.ref.type, T.List):
                root = self.classes.find(statement.ref)
                kind = type_of(statement.value)
                kind = T.Scalar(kind.kind, kind.dtype) if isinstance(kind, T.Scalar) else kind
                items[root] = join(items.get(root), kind)
        self.settle_inner(items)
        for value in list(self.classes.members()):
            if isinstance(value.type, T.List):
                item = items[self.classes.find(value)]
                value.type = T.List(item, value.type.length)
        for statement in walk(self.function.body):
            match statement:
                case (
                    Op(fn=operator.getitem, args=[Value() as holder, _], outs=[out])
                    | Pop(ref=holder, out=out)
                ):
                    if isinstance(holder.type, T.List):
                        self.check_read(statement, holder.type.item, out)

    def settle_inner(self, items: dict[Any, Any]) -> None:
        """What lists inside lists hold is known under the names of the inner ones."""
        for _ in items:
            changed = False
            for root, item in list(items.items()):
                if isinstance(item, T.List) and root in self.contents:
                    inner = items.get(self.classes.find(self.contents[root]), item.item)
                    if item != T.List(inner):
                        items[root] = T.List(inner)
                        changed = True
            if not changed:
                return

    def check_read(self, statement: Statement, item: Any, out: Value) -> None:
        """A number read from a list must not have been taken for an integer too early."""
        number = isinstance(out.type, T.Scalar)
        if number and not isinstance(item, T.Scalar):
            raise errors.ResolveError(
                "a list that holds numbers first and arrays later",
                reason="what is read from it would count as a number",
                remedy="begin with arrays, or use two lists",
                position=statement.origin.position if statement.origin else None,
            )
        early = number and out.type.kind in ("int", "bool")
        if early and T.is_float(item):
            raise errors.ResolveError(
                "a list that holds integers first and floats later",
                reason="what is read from it would count as constant",
                remedy="begin with floats, e.g. [0.0] * n",
                position=statement.origin.position if statement.origin else None,
            )

    def run(self) -> Function:
        self.find_classes()
        self.settle_list_types()
        self.find_writes()
        for statement in walk(self.function.body):
            if isinstance(statement, New):
                self.written.add(self.classes.find(statement.out))
        self.refuse_undecided()
        self.refuse_overlap()
        self.block(self.function.body, top=True)
        return self.function

    def find_writes(self) -> None:
        for statement in walk(self.function.body):
            if isinstance(statement, (Store, Accumulate, Append, Pop)):
                root = self.classes.find(statement.ref)
                self.written.add(root)
                self.writes.setdefault(root, statement)

    # -- classes ------------------------------------------------------------------------------

    def join(self, a: Operand, b: Operand) -> None:
        for one, other in ((a, b), (b, a)):
            if isinstance(one, Constant) and isinstance(one.value, np.ndarray):
                if isinstance(other, Value) and is_object(other.type):
                    self.foreign.setdefault(other, (one, self.definition.get(other)))
        if isinstance(a, Value) and isinstance(b, Value):
            if is_object(a.type) and is_object(b.type):
                self.classes.union(a, b)

    def content(self, holder: Value) -> Value:
        """The stand-in for whatever a list holds."""
        root = self.classes.find(holder)
        if root not in self.contents:
            self.contents[root] = Value(None, T.UNKNOWN)
        return self.contents[root]

    def settle_contents(self) -> None:
        """Lists that were unified hold one class of contents."""
        changed = True
        while changed:
            changed = False
            for holder, stand_in in list(self.contents.items()):
                root = self.classes.find(holder)
                if root is not holder:
                    other = self.contents.setdefault(root, stand_in)
                    if self.classes.find(other) is not self.classes.find(stand_in):
                        self.classes.union(other, stand_in)
                        changed = True
                    del self.contents[holder]

    def unify(self, statement: Statement) -> None:
        match statement:
            case Op():
                for out in statement.outs:
                    self.definition[out] = statement
                if isinstance(statement.fn, Function):
                    self.share_in_call(statement)
                    return
                first = viewed(statement) if statement.args else None
                if isinstance(first, Constant) and isinstance(first.value, np.ndarray):
                    if statement.outs and view_kind(statement) != "fresh":
                        for out in statement.outs:
                            held = isinstance(out.type, T.List)
                            self.join(first, self.content(out) if held else out)
                if isinstance(first, Value) and statement.outs:
                    if isinstance(first.type, T.List) and statement.fn is operator.getitem:
                        self.join(self.content(first), statement.outs[0])
                        return
                    if isinstance(first.type, T.Record):
                        self.join(first, statement.outs[0])
                        return
                    kind = "fresh" if statement in self.quiet else view_kind(statement)
                    if kind != "fresh":
                        for out in statement.outs:
                            held = isinstance(out.type, T.List)
                            self.join(first, self.content(out) if held else out)
                            if kind == "maybe":
                                self.maybe[self.content(out) if held else out] = statement
            case New():
                self.definition[statement.out] = statement
                source = statement.source
                if isinstance(source, Value):
                    self.join(self.content(statement.out), self.content(source))
                    return
                for item in source if isinstance(source, list) else ():
                    self.join(self.content(statement.out), item)
                for item in leaves(source):
                    if is_object(item.type):
                        self.join(self.content(statement.out), item)
            case Append(ref=ref, value=value):
                self.put(ref, value)
            case Store(ref=ref, value=value):
                if isinstance(ref.type, T.List):
                    self.put(ref, value)
            case Pop(ref=ref, out=out):
                self.definition[out] = statement
                if is_object(out.type):
                    self.join(self.content(ref), out)
            case If():
                for out, a, b in zip(
                    statement.outs, statement.then.results, statement.orelse.results, strict=True
                ):
                    self.definition[out] = statement
                    self.join(out, a)
                    self.join(out, b)
            case Loop():
                rows = zip(
                    statement.carried, statement.inits, statement.next, statement.outs, strict=True
                )
                for param, init, following, out in rows:
                    self.definition[out] = statement
                    self.join(param, init)
                    self.join(param, following)
                    self.join(param, out)

    def put(self, holder: Value, item: Operand) -> None:
        """An item goes into a list; the components of a record are a tuple."""
        for part in item if isinstance(item, tuple) else (item,):
            self.join(self.content(holder), part)

    def share_in_call(self, op: Op) -> None:
        """What a recursive function returns may be one of its arguments."""
        arrays = [v for v in op.args if isinstance(v, Value) and is_object(v.type)]
        self.calls.append((op, arrays))
        if op.fn.shares:
            for out in op.outs:
                if is_object(out.type):
                    for array in arrays:
                        self.join(array, out)
                        self.maybe[out] = op

    def is_memory(self, value: Operand) -> bool:
        return (
            isinstance(value, Value)
            and is_object(value.type)
            and self.classes.find(value) in self.written
        )

    def refuse_overlap(self) -> None:
        """A recursive function gets copies of what it writes: no other argument may share it."""
        for op, arrays in self.calls:
            written = [op.args[k] for k in op.fn.written]
            for array in written:
                shared = [a for a in arrays if self.classes.find(a) is self.classes.find(array)]
                if len(shared) > 1:
                    raise errors.ResolveError(
                        f"arguments of `{op.fn.name}` that may share memory",
                        reason="the recursive function writes one of them",
                        remedy="pass a copy of one of them",
                        position=op.origin.position if op.origin else None,
                    )

    def refuse_foreign(self) -> None:
        for value, (constant, made) in self.foreign.items():
            root = self.classes.find(value)
            if root in self.writes:
                origin = (made.origin if made is not None else None) or self.writes[root].origin
                raise errors.ResolveError(
                    f"write to the global array `{constant.name or 'array'}` under another name",
                    reason="a derivative call must not change what its caller holds",
                    remedy="copy it inside the function first, or pass it as an argument",
                    position=origin.position if origin else None,
                )

    def refuse_undecided(self) -> None:
        for out, op in self.maybe.items():
            if self.classes.find(out) not in self.written:
                continue
            if isinstance(out.type, T.Unknown) or isinstance(type_of(op.args[0]), T.Unknown):
                what = "a value of unknown type shares memory with an array that is written"
            else:
                what = "it may be a view of the array, or show only a part of its numbers"
            name = getattr(op.fn, "__name__", "call")
            raise errors.ResolveError(
                f"`{name}` of an array that is written",
                reason=what,
                remedy="copy it (`.copy()`) before or after, so that it is one or the other",
                position=op.origin.position if op.origin else None,
            )
        for value in self.classes.members():
            if isinstance(value.type, T.Unknown) and value in self.definition:
                root = self.classes.find(value)
                if root in self.written and root in self.writes:
                    origin = self.definition[value].origin or self.writes[root].origin
                    raise errors.ResolveError(
                        f"`{value.name or 'a value'}` of unknown type may be written",
                        reason="whether it is an array that shares its memory is not known",
                        remedy="give both paths one type, e.g. make it an array from the start",
                        position=origin.position if origin else None,
                    )

    # -- rewriting ----------------------------------------------------------------------------

    def block(self, block: Block, top: bool = False) -> None:
        out: list[Statement] = []
        if top:
            for param in block.params:
                if self.is_memory(param):
                    self.birth(
                        param, param, out, block.statements[0].origin if block.statements else None
                    )
        for statement in block.statements:
            self.statement(statement, out)
        if top:
            block.results = [
                substitute(result, lambda v: self.read(v, out, None)) for result in block.results
            ]
        else:
            block.results = [self.joined(result, out) for result in block.results]
        block.statements = out

    def birth(self, value: Value, source: Operand, out: list, origin: Any) -> Value:
        """`ref = New(source)`, where `ref` stands for the object `value` from here on."""
        ref = Value(value.name, T.Ref(self.held_type(value)))
        out.append(New(source, ref, origin=origin))
        self.ref[value] = ref
        return ref

    def joined(self, operand: Operand, out: list) -> Operand:
        """An operand that meets others at a join: a reference if their class is memory."""
        if isinstance(operand, Value) and self.is_memory(operand):
            return self.ref[operand]
        return operand

    def reference(self, value: Value) -> Value:
        return self.ref[value]

    def read(self, value: Value, out: list, origin: Any) -> Operand:
        """The value that an object holds now."""
        if not self.is_memory(value):
            return value
        ref = self.ref[value]
        if isinstance(value.type, T.List) and self.holds_memory(value):
            return self.gathered(ref, value.type, out, origin)
        view = self.nameless_view(ref, out)
        snapshot = Value(None, value.type)
        if view is not None:
            out.append(Load(view.ref, view.args[0], snapshot, origin=origin or view.origin))
        else:
            out.append(Load(ref, (), snapshot, origin=origin))
        return snapshot

    def gathered(self, ref: Value, kind: T.List, out: list, origin: Any) -> Value:
        """What a list of arrays that are written (or of lists) holds now: a list of snapshots."""
        copies = Value(ref.name, T.Ref(kind))
        index, count = Value("i", T.INT), Value(None, T.INT)
        item = Value(None, ref.type.target.item)
        body = Block([index], [Load(ref, (index,), item, origin=origin)])
        if isinstance(item.type.target, T.List) and T.is_ref(item.type.target.item):
            held = self.gathered(item, kind.item, body.statements, origin)
        else:
            held = Value(None, kind.item)
            body.statements.append(Load(item, (), held, origin=origin))
        body.statements.append(Append(copies, held, origin=origin))
        items = Value(None, kind)
        snapshot = Value(None, kind)
        out += [
            New([], copies, origin=origin),
            Load(ref, (), items, origin=origin),
            Op(len, [items], {}, [count], origin=origin),
            Loop(Range(Constant(0), count, Constant(1)), [], body, [], origin=origin),
            Load(copies, (), snapshot, origin=origin),
        ]
        return snapshot

    def nameless_view(self, ref: Value, out: list) -> View | None:
        """The view that made `ref`, where a read through it can name the place in its owner."""
        definition = self.definition.get(ref)
        if ref.name is None and isinstance(definition, View):
            if definition.fn is operator.getitem:
                return definition
        return None

    def reads(self, operand: Operand, out: list, origin: Any) -> Operand:
        return substitute(operand, lambda v: self.read(v, out, origin))

    def statement(self, statement: Statement, out: list) -> None:
        origin = statement.origin
        match statement:
            case Op():
                self.op(statement, out)
            case New():
                items = statement.source
                if isinstance(items, list):
                    statement.source = [
                        self.item(statement.out, item, out, origin) for item in items
                    ]
                else:
                    statement.source = self.reads(items, out, origin)
                statement.out = self.adopt(statement.out)
                self.definition[statement.out] = statement
                out.append(statement)
            case Store() | Accumulate():
                if isinstance(statement.ref.type, T.List):
                    statement.value = self.item(statement.ref, statement.value, out, origin)
                else:
                    self.check_overlap(statement, out)
                    statement.value = self.reads(statement.value, out, origin)
                statement.path = self.reads(statement.path, out, origin)
                ref = self.reference(statement.ref)
                view = self.nameless_view(ref, out)
                if view is not None and not statement.path:
                    ref, statement.path = view.ref, view.args[0]
                statement.ref = ref
                out.append(statement)
            case Append():
                statement.value = self.item(statement.ref, statement.value, out, origin)
                statement.ref = self.reference(statement.ref)
                statement.at = self.reads(statement.at, out, origin)
                out.append(statement)
            case Pop():
                statement.at = self.reads(statement.at, out, origin)
                statement.ref = self.reference(statement.ref)
                statement.out = self.adopt(statement.out)
                out.append(statement)
            case If():
                statement.test = self.reads(statement.test, out, origin)
                self.births_for(statement.outs, [statement.then, statement.orelse])
                self.block(statement.then)
                self.block(statement.orelse)
                statement.outs = [self.adopt(v) for v in statement.outs]
                out.append(statement)
            case Loop():
                if statement.domain is not None:
                    domain = statement.domain
                    for part in ("start", "stop", "step"):
                        setattr(domain, part, self.reads(getattr(domain, part), out, origin))
                statement.inits = [
                    self.born(init, param, out, origin)
                    for init, param in zip(statement.inits, statement.carried, strict=True)
                ]
                first = 1 if statement.domain is not None else 0
                params = statement.body.params
                params[first:] = [self.adopt(v) for v in params[first:]]
                self.births_for(statement.outs, [statement.body], skip=int(statement.stops))
                self.block(statement.body)
                statement.outs = [self.adopt(v) for v in statement.outs]
                out.append(statement)
            case Raise():
                statement.exception = self.reads(statement.exception, out, origin)
                out.append(statement)
            case _:
                raise TypeError(type(statement))

    def adopt(self, value: Value) -> Value:
        """The reference that a join or parameter becomes, if its class is memory."""
        if not self.is_memory(value):
            return value
        ref = Value(value.name, T.Ref(self.held_type(value)))
        self.ref[value] = ref
        return ref

    def held_type(self, value: Value) -> Any:
        """The type of what the memory holds: a list of written arrays holds references."""
        return self.held_in(value.type, value)

    def held_in(self, kind: Any, holder: Value) -> Any:
        """The same for what is in the class of `holder`."""
        if not isinstance(kind, T.List) or not isinstance(kind.item, (T.Array, T.Unknown, T.List)):
            return kind
        content = self.content(holder)
        if self.classes.find(content) not in self.written:
            return kind
        return T.List(T.Ref(self.held_in(kind.item, content)), kind.length)

    def holds_memory(self, value: Value) -> bool:
        return self.held_type(value) != value.type

    def item(self, holder: Value, item: Operand, out: list, origin: Any) -> Operand:
        """What a list is given: the array itself if it may be written, else its value."""
        for value in leaves(item):
            if isinstance(value.type, T.List) and not self.is_memory(value):
                raise errors.ResolveError(
                    "a list inside a list",
                    reason="it is the result of a call, of which it is not known what it shares",
                    remedy="make a list of it: `list(...)`, or use an array",
                    position=origin.position if origin else None,
                )
        if isinstance(item, Value) and self.is_memory(item):
            return self.ref[item]
        if not isinstance(item, Value) and self.holds_memory(holder):
            raise errors.ResolveError(
                "a list of arrays that are written and of constants",
                reason="which of them it holds is not known",
                remedy="put copies into the list",
                position=origin.position if origin else None,
            )
        return self.reads(item, out, origin)

    def check_overlap(self, statement: Store | Accumulate, out: list) -> None:
        """NumPy does not copy every source that overlaps the place it is stored into."""
        value = statement.value
        if not isinstance(statement, Store) or not isinstance(value, Value):
            return
        if not self.is_memory(value) or value is statement.ref or self.is_whole(statement):
            return
        if self.classes.find(value) is not self.classes.find(statement.ref):
            return
        place = self.place_of(statement)
        if place is None or (
            isinstance(place, T.Array) and place.shape is not None and len(place.shape) != 1
        ):
            return
        origin = statement.origin
        # References: what is looked at must be the memory itself, not a copy of what it held.
        target = Value(None, T.Ref(place))
        path = self.reads(statement.path, out, origin)
        ref = self.reference(statement.ref)
        out.append(View(operator.getitem, ref, [path], {}, target, origin=origin))
        source = self.ref[value]
        out.append(
            Op(
                runtime.refuse_overlap,
                [target, source],
                {},
                [Value(None, T.Object(type(None)))],
                effect=True,
                origin=origin,
            )
        )

    def is_whole(self, statement: Store) -> bool:
        """Whether the value is an element or the like, of which NumPy makes a copy."""
        return isinstance(statement.value.type, T.Scalar)

    def place_of(self, statement: Store) -> Any:
        kind = statement.ref.type
        if not isinstance(kind, T.Array):
            return None
        place, is_view = index_type(kind, statement.path, Atoms().fresh)
        return place if is_view else None

    def born(self, operand: Operand, param: Value, out: list, origin: Any) -> Operand:
        """What enters a join of references as a value becomes memory there."""
        if not self.is_memory(param):
            return operand
        if isinstance(operand, Value) and self.is_memory(operand):
            return self.ref[operand]
        if operand is UNBOUND:
            return operand
        ref = Value(param.name, T.Ref(param.type))
        out.append(New(operand, ref, origin=origin))
        return ref

    def births_for(self, outs: list[Value], blocks: list[Block], skip: int = 0) -> None:
        """Constants that meet references in a block's results are born at its end."""
        for block in blocks:
            for position, out in enumerate(outs, skip):
                result = block.results[position]
                if self.is_memory(out) and isinstance(result, Constant) and result is not UNBOUND:
                    stand_in = Value(None, out.type)
                    self.classes.union(stand_in, out)
                    self.written.add(self.classes.find(out))
                    block.statements.append(Op(np.asarray, [result], {}, [stand_in]))
                    block.results[position] = stand_in

    def op(self, op: Op, out: list) -> None:
        origin = op.origin
        first = op.args[0] if op.args else None
        in_memory = isinstance(first, Value) and self.is_memory(first)
        if in_memory and isinstance(first.type, T.List) and self.holds_memory(first):
            if op.fn is operator.getitem and self.is_memory(op.outs[0]):
                path = self.reads(op.args[1], out, origin)
                out.append(Load(self.ref[first], path, self.adopt(op.outs[0]), origin=origin))
                return
            if op.fn in (len, runtime.check_length, runtime.check_enough):
                items = Value(None, first.type)
                out.append(Load(self.ref[first], (), items, origin=origin))
                op.args[0] = items
                out.append(op)
                return
        if in_memory and op.fn is operator.getitem and isinstance(first.type, (T.List, T.Array)):
            ref = self.reference(first)
            path = self.reads(op.args[1], out, origin)
            view = self.nameless_view(ref, out)
            result = op.outs[0]
            if isinstance(first.type, T.Array) and view_kind(op) == "view":
                if view is not None:
                    composed = compose(view.args[0], path)
                    if composed is not None:
                        ref, path = view.ref, composed
                target = self.adopt(result)
                made = View(operator.getitem, ref, [path], {}, target, origin=origin)
                self.definition[target] = made
                out.append(made)
                return
            if view is not None:
                composed = compose(view.args[0], path)
                if composed is not None:
                    ref, path = view.ref, composed
            loaded = result
            if self.is_memory(result):
                loaded = Value(None, result.type)
            out.append(Load(ref, path, loaded, origin=origin))
            if loaded is not result:
                self.birth(result, loaded, out, origin)
            return
        if in_memory and op.outs and self.is_memory(op.outs[0]) and view_kind(op) == "view":
            rest = [self.reads(arg, out, origin) for arg in op.args[1:]]
            keywords = {k: self.reads(v, out, origin) for k, v in op.keywords.items()}
            target = self.adopt(op.outs[0])
            made = View(op.fn, self.reference(first), rest, keywords, target, origin=origin)
            self.definition[target] = made
            out.append(made)
            return
        # (The length of a list is no shape: it changes.)
        if in_memory and op.fn in SHAPE_ONLY and isinstance(first.type, T.Array):
            op.args = [self.ref[first], *(self.reads(arg, out, origin) for arg in op.args[1:])]
        else:
            op.args = [self.reads(arg, out, origin) for arg in op.args]
        op.keywords = {k: self.reads(v, out, origin) for k, v in op.keywords.items()}
        births = []
        for position, result in enumerate(op.outs):
            if self.is_memory(result):
                plain = Value(None, result.type)
                op.outs[position] = plain
                births.append((result, plain))
        out.append(op)
        for result, plain in births:
            self.birth(result, plain, out, origin)


def compose(outer: tuple, inner: tuple) -> tuple | None:
    """One path for `a[outer][inner]`, where that is easily said.

    >>> i, j = Value("i", T.INT), Value("j", T.INT)
    >>> compose((i,), (j,)) == (i, j)
    True
    """

    def is_plain(item: Any) -> bool:
        return isinstance(type_of(item), T.Scalar) and type_of(item).kind == "int"

    if all(map(is_plain, outer)):
        if any(isinstance(i, Constant) and i.value is Ellipsis for i in inner):
            return None
        arrays = any(isinstance(type_of(item), (T.Array, T.List)) for item in inner)
        return None if arrays and outer else (*outer, *inner)
    full = [
        isinstance(i, Slice)
        and all(isinstance(p, Constant) and p.value is None for p in (i.start, i.stop, i.step))
        for i in outer
    ]
    if inner and all(map(is_plain, inner)) and len(outer) >= len(inner):
        # a[:, j][i] is a[i, j].
        merged, rest = [], list(inner)
        for item, whole in zip(outer, full, strict=True):
            if whole and rest:
                merged.append(rest.pop(0))
            elif whole or is_plain(item):
                merged.append(item)
            else:
                return None
        return None if rest else tuple(merged)
    return None
