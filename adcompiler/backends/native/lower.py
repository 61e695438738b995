"""IR with array operations in, IR with scalar loops out.

    >>> import operator
    >>> import numpy as np
    >>> from adcompiler.backends.emit import emit
    >>> from adcompiler.ir.nodes import Block, Op, Value
    >>> from adcompiler.ir.types import Array, FLOAT, symbol
    >>> vector = Array("float64", (symbol(("len", "len(x)")),))
    >>> x, a, y, t = Value("x", vector), Value("a", FLOAT), Value("y", vector), Value(None, vector)
    >>> body = [Op(operator.mul, [a, x], {}, [t]), Op(np.exp, [t], {}, [y])]
    >>> print(emit(lower(Function("f", Block([x, a], body, [y]))).function).text, end="")
    import numpy as np
    <BLANKLINE>
    <BLANKLINE>
    def f(x, a):
        n = x.shape[0]
        y = np.empty(n)
        for i in range(n):
            y[i] = np.exp(a * x[i])
        return y

What happens to a value of the program:

* A number is a number, in one statement or a few (`numbers`).
* An array is an *index expression* (`index`) until something needs it in memory: then loops fill an
  array that is allocated for it.  That happens where it is defined if it is used more than once, or
  in another block (an expression of which an element costs nothing waits on); where it is returned,
  joined, listed, or multiplied as a matrix; and before memory that it reads is written, so that a
  load stays the snapshot that it is.
* Memory stays memory, its views stay views.  A store reads all of its right side before it writes,
  unless each element is read where it is written, or elsewhere for certain.

Lengths that types prove equal are not compared; others are compared once, before the loops.
Where they differ at run time, or an index is out of bounds, or a number of Python's would raise,
the loops raise, and the call is answered by the NumPy backend (`jit`).
"""

from __future__ import annotations

import operator
from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np

from adcompiler import runtime
from adcompiler.analysis.classes import alias_classes
from adcompiler.backends.naming import NOUNS, OPERATORS, OWN_NAMES
from adcompiler.backends.native import arrays, joins, lists, memory, shapes, sums
from adcompiler.backends.native.index import (
    Axis,
    Expression,
    Held,
    classes_read,
)
from adcompiler.backends.native.layout import checked, forget_lengths, item_type, scalar_type
from adcompiler.backends.native.loops import Writer, number
from adcompiler.backends.native.numbers import WHOLE, Numbers
from adcompiler.backends.native.unsupported import Unsupported, described
from adcompiler.ir import types as T
from adcompiler.ir.infer import type_of
from adcompiler.ir.nodes import (
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
    Slice,
    Statement,
    Store,
    Value,
    View,
    blocks,
    dimension,
    leaves,
    operands,
    walk,
)
from adcompiler.passes.simplify import dead_code


@dataclass(slots=True)
class Lowered:
    """The loops, and the arrays that they need beside the arguments."""

    function: Function
    constants: list[np.ndarray]
    """Global arrays: further arguments, since compiled code would keep what they held."""


def lower(function: Function) -> Lowered:
    """The function as loops; raises `Unsupported` for what has no loop form."""
    for statement in walk(function.body):
        if isinstance(statement, Op) and isinstance(statement.fn, Function):
            raise Unsupported(described(statement.fn), statement.origin)
    return Lowering(function).run()


class Lowering:
    """One function; `expression`, `scalar` and `hold` are what the tables of operations use."""

    def __init__(self, function: Function) -> None:
        self.function = function
        self.classes = alias_classes(function)
        self.writer = Writer(Block())
        self.numbers = Numbers(self.writer)
        self.arrays: dict[Value, Expression] = {}
        self.others: dict[Value, Operand] = {}
        """Numbers, references and lists."""
        self.views: dict[Value, View] = {}
        """The statements that made references which are views."""
        self.lengths_of: dict[Value, list[Axis]] = {}
        """The lengths of memory that was made of something: visible wherever it is."""
        self.lists: dict[Value, int] = {}
        """Lists that were read as a whole, and the class that they were read from."""
        self.globals: dict[int, tuple[np.ndarray, Held]] = {}
        self.left: Counter[Value] = Counter()
        """How often each value is still to be used."""
        self.homes: dict[Value, set[int]] = {}
        """The blocks in which it is used."""
        self.bound: dict[Value, Operand] = {}
        """Of names that a path may leave unbound: whether they are bound."""
        self.nouns = nouns(function)
        self.count(function.body)

    def count(self, block: Block) -> None:
        for statement in block.statements:
            self.count_uses(operands(statement), block)
            for inner in blocks(statement):
                self.count(inner)
        self.count_uses(block.results, block)

    def count_uses(self, operand: Operand, block: Block) -> None:
        for leaf in leaves(operand):
            self.left[leaf] += 1
            self.homes.setdefault(leaf, set()).add(id(block))

    def run(self) -> Lowered:
        body, params = self.function.body, []
        for param in body.params:
            params.append(self.parameter(param))
        block = self.writer.block
        for param in body.params:
            if param in self.arrays:
                self.axes_of_parameter(param)
        self.statements(body)
        self.writer.origin = None
        block.results = [self.result(result) for result in body.results]
        block.statements = [*self.writer.prelude, *block.statements]
        block.params = [*params, *(held.ref for _, held in self.globals.values())]
        made = Function(self.function.name, block, self.function.doc)
        dead_code(made)
        forget_lengths(made)
        return Lowered(made, [array for array, _ in self.globals.values()])

    def parameter(self, param: Value) -> Value:
        if isinstance(param.type, T.Array):
            own = Value(param.name, T.Ref(checked(param.type)))
            self.arrays[param] = Held(own, [], given=True)
            return own
        own = Value(param.name, param.type)
        self.numbers.sizes.note(own, 31)  # larger ones are turned away where it is called
        self.others[param] = own
        return own

    def axes_of_parameter(self, param: Value) -> None:
        """Lengths of arguments are known everywhere, once each."""
        held: Any = self.arrays[param]
        for k, dim in enumerate(param.type.shape):
            if dim.constant is None and dim not in self.writer.lengths:
                name = "n" if len(self.writer.lengths) == 0 else None
                length = Value(name, T.Scalar("int", None, dim))
                self.writer.prelude.append(Op(dimension, [held.ref, Constant(k)], {}, [length]))
                self.writer.lengths[dim] = length
            held.axes.append(Axis(self.writer.length(dim), dim))

    # -- what operands are --------------------------------------------------------------------

    def use(self, value: Value) -> None:
        """One use less is left.  Where the user's own statement reads a name that may be unbound,
        that is looked at now; a mirror reads it only where the forward sweep bound it."""
        self.left[value] -= 1
        origin = self.writer.origin
        if value in self.bound and (origin is None or not origin.mirror):
            test = self.writer.op(operator.not_, [self.bound[value]], T.BOOL)
            self.writer.refuse(test, UnboundLocalError)

    def is_array(self, operand: Operand) -> bool:
        """Whether it has elements; an array of rank 0 is a number here."""
        if isinstance(operand, Value):
            type = T.target(operand.type)
            return operand in self.arrays or (isinstance(type, T.Array) and type.shape != ())
        return isinstance(operand, Constant) and isinstance(operand.value, np.ndarray)

    def expression(self, operand: Operand) -> Expression:
        """An array operand, as it is now."""
        if isinstance(operand, Constant):
            return self.constant_array(operand)
        self.use(operand)
        if operand in self.arrays:
            return self.arrays[operand]
        return self.held(self.reference(operand), self.classes[operand])

    def constant_array(self, constant: Constant) -> Held:
        array = constant.value
        if id(array) not in self.globals:
            type = type_of(constant)
            if not isinstance(type, T.Array):
                raise Unsupported("a constant that is no array of numbers")
            base = (constant.name or "constant").rpartition(".")[2]
            taken = {param.name for param in self.function.params}
            taken |= {held.ref.name for _, held in self.globals.values()}
            name, k = base, 1
            while name in taken:
                name, k = f"{base}_{k + 1}", k + 1
            held = self.held(Value(name, T.Ref(checked(type))), None)
            held.given = True
            self.globals[id(array)] = (array, held)
        return self.globals[id(array)][1]

    def reference(self, value: Value) -> Value:
        found = self.others.get(value)
        if not isinstance(found, Value):
            raise Unsupported(f"`{value.name or 'a value'}`, which has no loop form")
        return found

    def scalar(self, operand: Operand) -> Operand:
        if isinstance(operand, Value):
            self.use(operand)
            if operand in self.arrays or operand not in self.others:
                raise Unsupported("an array where a number is expected")
            return self.others[operand]
        if not isinstance(operand, Constant):
            raise Unsupported(f"a {type(operand).__name__} of values")
        return operand

    def held(self, ref: Value, class_: int | None) -> Held:
        """Memory with its lengths, which are asked here where no type tells."""
        shape = checked(T.target(ref.type)).shape
        if ref in self.lengths_of:
            return Held(ref, self.lengths_of[ref], class_)
        axes = [Axis(self.writer.dimension(ref, k), dim) for k, dim in enumerate(shape)]
        return Held(ref, axes, class_)

    # -- memory for values --------------------------------------------------------------------

    def hold(self, expression: Expression, type: T.Array, name: str | None = None) -> Held:
        """The expression in memory of its own."""
        dims = tuple(axis.dim or T.symbol(("length", id(axis))) for axis in expression.axes)
        own = T.Array(checked(type).dtype, dims, True)
        lengths = [axis.length for axis in expression.axes]
        ref = self.writer.empty(lengths, own, name)
        if not arrays.is_blank(expression):
            self.fill(ref, expression)
        return Held(ref, expression.axes)

    def fill(self, ref: Value, expression: Expression) -> None:
        def put(index: list[Operand]) -> None:
            self.writer.store(ref, index, expression.at(self.writer, index))

        self.writer.nest([axis.length for axis in expression.axes], put)

    def kept(self, operand: Operand, name: str | None = None) -> Value:
        """A reference to what an array holds now and nobody will write: for joins and lists."""
        expression = self.expression(operand)
        if isinstance(expression, Held) and expression.number is None:
            return expression.ref
        if name is None and isinstance(operand, Value):
            name = operand.name
        return self.hold(expression, type_of(operand), name).ref

    def define(self, value: Value, expression: Expression, block: Block) -> None:
        """Keep the expression for later, or put it into memory now."""
        if not self.left[value]:
            return
        waits = expression.cheap or (self.left[value] == 1 and self.homes[value] == {id(block)})
        if not waits:
            expression = self.hold(expression, value.type, self.noun(value))
        self.arrays[value] = expression

    def before_writing(self, written: set[int]) -> None:
        """Values that read these classes, and are used later, read them now."""
        for value, class_ in self.lists.items():
            if self.left[value] > 0 and class_ in written:
                raise Unsupported("a list that changes after it was read as a whole")
        for value, expression in list(self.arrays.items()):
            if self.left[value] > 0 and classes_read(expression) & written:
                self.arrays[value] = self.hold(expression, value.type, self.noun(value))

    def noun(self, value: Value) -> str:
        """What to call the memory of a value."""
        return value.name or self.nouns.get(value, "values")

    # -- blocks -------------------------------------------------------------------------------

    def statements(self, block: Block) -> None:
        for statement in block.statements:
            self.writer.origin = statement.origin
            try:
                self.statement(statement, block)
            except Unsupported as problem:
                raise problem.at(statement.origin) from None

    def statement(self, statement: Statement, block: Block) -> None:
        match statement:
            case Op():
                self.op(statement, block)
            case Load():
                memory.load(self, statement, block)
            case New(source=source, out=out):
                memory.new(self, source, out)
            case View():
                memory.define_view(self, statement)
            case Store() | Accumulate():
                memory.write(self, statement)
            case Append(at=at) | Pop(at=at) if at is not None:
                raise Unsupported("a list that changes in the middle")
            case Append(ref=ref, value=value):
                self.use(ref)
                self.before_writing({self.classes[ref]})
                self.writer.add(Append(self.reference(ref), memory.list_item(self, value)))
            case Pop(ref=ref, out=out):
                self.use(ref)
                own = Value(out.name, item_type(out.type))
                self.writer.add(Pop(self.reference(ref), own))
                self.bind(out, own)
            case If():
                joins.branch(self, statement)
            case Loop():
                joins.loop(self, statement)
            case Raise(exception=exception):
                for leaf in leaves(exception):
                    self.use(leaf)
                self.writer.add(Raise(Constant(ValueError, "ValueError")))
            case _:
                raise Unsupported(type(statement).__name__)

    def bind(self, value: Value, own: Value) -> None:
        """`value` is what `own` is: a number, a reference or a list, or an array in memory."""
        if isinstance(own.type, T.Scalar) and own not in self.numbers.sizes.known:
            self.numbers.sizes.note(own, WHOLE)
        if isinstance(value.type, T.Array) and value.type.shape != ():
            self.arrays[value] = self.held(own, None)
        else:
            self.others[value] = own

    # -- operations ---------------------------------------------------------------------------

    def op(self, op: Op, block: Block) -> None:
        if len(op.outs) != 1:
            raise Unsupported(described(op.fn))
        fn, out = op.fn, op.outs[0]
        if fn is runtime.refuse_overlap:
            memory.overlap(self, op)
            return
        if fn is runtime.check_base:
            self.check_base(op)
            return
        if fn is runtime.check_length:
            self.check_length(op)
            return
        if fn is runtime.bound and not isinstance(op.args[0].type, T.Unknown):
            self.use(op.args[0])
            return
        if op.effect and fn not in arrays.BLANK:
            raise Unsupported(described(fn))
        found = None
        for table in (lists, shapes, arrays, sums):
            found = table.lower(self, op) if found is None else found
        if found is None:
            if any(map(self.is_array, operands(op))):
                raise Unsupported(described(fn))
            found = self.number(op)
        if isinstance(found, Expression):
            self.define(out, found, block)
        else:
            if isinstance(out.type, T.Array) and out.type.shape != ():
                raise Unsupported(f"{described(fn)}, of which the result is unknown")
            self.others[out] = found

    def number(self, op: Op) -> Operand:
        """An operation on numbers (and lists)."""
        fn, out = op.fn, op.outs[0]
        if op.keywords or isinstance(fn, Function):
            raise Unsupported(described(fn))
        type = scalar_type(out.type)
        if type is None:
            raise Unsupported(f"{described(fn)}, of which the result is unknown")
        try:
            hash(fn)
        except TypeError:
            raise Unsupported(described(fn)) from None
        args = [self.scalar(arg) for arg in op.args]
        found = self.numbers.compute(fn, args, type, out.name)
        self.writer.note_length(type.dim, found)
        return found

    def check_base(self, op: Op) -> None:
        """`x ** y` with a negative `x` and a fraction `y`."""
        base, exponent = (self.scalar(arg) for arg in op.args)
        test = self.writer.op(operator.lt, [base, Constant(0)], T.BOOL)
        if number(exponent) is None:
            whole = self.writer.op(np.floor, [exponent], T.FLOAT)
            broken = self.writer.op(operator.ne, [exponent, whole], T.BOOL)
            test = self.writer.op(operator.and_, [test, broken], T.BOOL)
        self.writer.refuse(test, ValueError)

    def check_length(self, op: Op) -> None:
        """`a, b = x`: the length of `x` is that of its targets."""
        items, count = op.args
        if self.is_array(items):
            length = self.expression(items).axes[0].length
        else:
            self.use(items)
            length = self.writer.op(len, [self.reference(items)], T.INT)
        if number(length) != number(count):
            test = self.writer.op(operator.ne, [length, count], T.BOOL)
            self.writer.refuse(test, ValueError)

    # -- paths ----------------------------------------------------------------------------------

    def path(self, path: tuple) -> tuple:
        """The path with its numbers lowered, and its arrays as expressions."""
        return tuple(map(self.entry, path))

    def entry(self, entry: Operand) -> Any:
        if isinstance(entry, Slice):
            parts = (entry.start, entry.stop, entry.step)
            return Slice(*(self.scalar(part) for part in parts))
        if isinstance(entry, list):
            if not all(isinstance(item, Constant) and number(item) is not None for item in entry):
                return self.listed_places(entry)
            places = np.array([item.value for item in entry], dtype=np.int64)
            return self.constant_array(Constant(places, "places"))
        if self.is_array(entry):
            return self.expression(entry)
        return self.scalar(entry)

    def listed_places(self, entry: list[Operand]) -> Expression:
        """An index array of numbers that are computed."""
        kinds = [type_of(item) for item in entry]
        if not all(isinstance(kind, T.Scalar) and kind.kind == "int" for kind in kinds):
            raise Unsupported("an index that is a list of values")
        return arrays.listed(self, entry, T.Array("int64", (T.as_dim(len(entry)),)), "places")

    # -- the end ------------------------------------------------------------------------------

    def result(self, operand: Operand) -> Operand:
        """What is returned: memory that nobody else has, and numbers."""
        if isinstance(operand, list | tuple):
            raise Unsupported("a list as a result")
        if not self.is_array(operand):
            if isinstance(operand, Value) and scalar_type(operand.type) is None:
                raise Unsupported("a result that is neither a number nor an array")
            return self.scalar(operand)
        expression = self.expression(operand)
        if isinstance(expression, Held) and not expression.given:
            held = expression
        else:
            held = self.hold(expression, type_of(operand), self.noun(operand))
        return self.writer.load(held.ref, (), T.target(held.ref.type), held.ref.name)


def nouns(function: Function) -> dict[Value, str]:
    """What to call the memory of values that have no name."""
    found: dict[Value, str] = {}
    for statement in walk(function.body):
        match statement:
            case Op(fn=fn, outs=outs):
                try:
                    noun = OPERATORS.get(fn)
                except TypeError:  # a callable object that cannot be hashed
                    noun = None
                name = getattr(fn, "__name__", "")
                noun = noun or (name if name in OWN_NAMES else NOUNS.get(name, "values"))
                found.update((out, noun) for out in outs)
            case Load(ref=ref, out=out):
                found[out] = f"{ref.name}_part" if ref.name else "part"
    return found
