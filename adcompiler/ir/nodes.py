"""The intermediate representation: values defined once, and memory for arrays that are written.

A `Function` holds a `Block`; a block holds *statements* in order and ends with *results*.
Statements define `Value`s, each exactly once.  Scalars, and arrays that nobody writes, are plain
values.  What is written lives in memory, and then a value may be a *reference* (its type is
`types.Ref`): `New` is the only birth of memory, `Load` the only way back to a value, and a load is
a snapshot: it denotes what the place held when the load was executed, whatever is stored later.

Operands
    An operand is a `Value`, a `Constant`, a `Slice` of operands, or a tuple or list of operands
    (the argument `(a, b)` of `np.concatenate((a, b))` is a tuple of two values).

Paths
    `Load`, `Store` and `Accumulate` name a place in their reference by a *path*: a tuple of index
    operands, as between the brackets of `a[i, 1:n]`.  The empty path is the whole of it (`a[...]`).

Scopes
    A block sees the values defined before it in the blocks around it, and its own parameters.
    What leaves an `If` or a `Loop` leaves through `outs`.  The result `UNBOUND` says that a name is
    not bound on that path: reading it afterwards raises in Python, as in the user's program.

The IR before `passes.memory` has run has no references: array and list values are *objects* there,
`operator.getitem` with a basic index and its like may return views, and `Store`, `Append` and `Pop`
act on objects.  `passes.memory` decides which of them are memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from adcompiler.errors import Position


class Call(NamedTuple):
    """Where a function was called that was written out there."""

    position: Position
    function: str


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a statement comes from: the user's position and the text of the whole statement."""

    position: Position | None
    text: str
    mirror: bool = False
    """Whether the statement belongs to a backward sweep; the emitter quotes `text` above it."""
    order: int = 0
    """How many derivatives were taken: 0 for the user's own statement."""
    calls: tuple[Call, ...] = ()
    """The calls that led to the statement, innermost first."""


class Value:
    """A value, defined once.  Compared by identity."""

    __slots__ = ("name", "type", "uid", "hint")
    _count = 0

    def __init__(self, name: str | None, type: Any, hint: str | None = None) -> None:
        self.name = name
        """The user's name (or what the emitter should call it), None for a nameless temporary."""
        self.hint = hint
        """What to call a nameless temporary if it needs a name."""
        self.type = type
        Value._count += 1
        self.uid = Value._count

    def __repr__(self) -> str:
        return f"%{self.name or ''}.{self.uid}"


@dataclass(frozen=True, slots=True, eq=False)
class Constant:
    """A Python object known at compile time: a number, a dtype, a function, a global array."""

    value: Any
    name: str | None = None
    """How the emitted code refers to it where it has no literal (`np.pi`, a global array `W`)."""

    def __repr__(self) -> str:
        return self.name or repr(self.value)


class _Unbound:
    def __repr__(self) -> str:
        return "UNBOUND"


def is_none(operand: Any) -> bool:
    """Whether an operand is known to be None."""
    return isinstance(operand, Constant) and operand.value is None


UNBOUND = Constant(_Unbound(), "UNBOUND")
"""The result of a branch that does not bind the name."""


@dataclass(frozen=True, slots=True, eq=False)
class Slice:
    """`start:stop:step` in a path; an absent part is `Constant(None)`."""

    start: Operand
    stop: Operand
    step: Operand


Operand = Any  # Value | Constant | Slice | tuple[Operand, ...] | list[Operand]
Path = tuple  # of Operand


@dataclass(slots=True, eq=False)
class Block:
    params: list[Value] = field(default_factory=list)
    statements: list[Statement] = field(default_factory=list)
    results: list[Operand] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Statement:
    origin: Origin | None = field(default=None, kw_only=True)


@dataclass(slots=True, eq=False)
class Op(Statement):
    """`outs = fn(*args, **keywords)`.

    `fn` is the Python object that the user called: `np.multiply`, `operator.mul` where an
    operator was written, `operator.imul` for `*=`, `np.ndarray.sum` for the method, `getattr`,
    `operator.getitem` (second argument: the path, a tuple of index operands).
    No reference may be an operand, but for the functions of `SHAPE_ONLY`.
    """

    fn: Callable
    args: list[Operand]
    keywords: dict[str, Operand]
    outs: list[Value]
    effect: bool = False
    """Runs once, in its place: never dropped, merged, moved or recomputed."""
    keeps: bool = False
    """Not dropped even if unused, since it might raise."""


@dataclass(slots=True, eq=False)
class New(Statement):
    """`out` refers to fresh memory that holds `source` (a list operand is a list literal)."""

    source: Operand
    out: Value


@dataclass(slots=True, eq=False)
class View(Statement):
    """`out = fn(ref, *args, **keywords)` shares the storage of `ref`.

    `fn` is `operator.getitem` (`args` is then `[path]`) or a function that returns a view, such as
    `np.transpose`.
    """

    fn: Callable
    ref: Value
    args: list[Operand]
    keywords: dict[str, Operand]
    out: Value


@dataclass(slots=True, eq=False)
class Load(Statement):
    """`out` is a snapshot of what `ref[path]` holds now (a list: the list's items)."""

    ref: Value
    path: Path
    out: Value


@dataclass(slots=True, eq=False)
class Store(Statement):
    """`ref[path] = value`, with NumPy's broadcasting and casting."""

    ref: Value
    path: Path
    value: Operand


@dataclass(slots=True, eq=False)
class Accumulate(Statement):
    """`ref[path] += value`, where repeated indices in `path` add up (`np.add.at`)."""

    ref: Value
    path: Path
    value: Operand


@dataclass(slots=True, eq=False)
class Append(Statement):
    """`ref.append(value)` on a list; with a place `at`, `ref.insert(at, value)`."""

    ref: Value
    value: Operand
    at: Operand | None = None
    """Counted from the front, and not behind the end, so that `Pop` undoes it there."""


@dataclass(slots=True, eq=False)
class Pop(Statement):
    """`out = ref.pop()`: takes the last item of a list, or that at a place (`ref.pop(at)`)."""

    ref: Value
    out: Value
    at: Operand | None = None
    """Counted from the front, so that `Append` undoes it there."""


@dataclass(slots=True, eq=False)
class Restore(Statement):
    """Where a mirror block would put back what `of` changed; gone once saving is decided."""

    of: Statement


@dataclass(slots=True, eq=False)
class If(Statement):
    """`outs` are the results of the branch that was taken."""

    test: Operand
    then: Block
    orelse: Block
    outs: list[Value]


@dataclass(slots=True, eq=False)
class Loop(Statement):
    """A `for` over a range (`domain` is a `Range`), or an endless loop that stops itself (None).

    `body.params` are the index (where there is a domain; `index`) and one parameter per carried
    value, which starts as `inits` and becomes the body's result of the trip before.  With `stops`
    the first result of the body is a bool: true ends the loop after this trip.  `outs` are the
    carried values after the last trip (the inits where there was none).
    A `while test: body` is an endless loop whose body is `If(test, body..., else stop)`.
    """

    domain: Range | None
    inits: list[Operand]
    body: Block
    outs: list[Value]
    stops: bool = False

    @property
    def index(self) -> Value | None:
        return self.body.params[0] if self.domain is not None else None

    @property
    def carried(self) -> list[Value]:
        return self.body.params[1:] if self.domain is not None else self.body.params

    @property
    def next(self) -> list[Operand]:
        return self.body.results[1:] if self.stops else self.body.results


@dataclass(slots=True, eq=False)
class Range:
    """The trips of a `for`: `range(start, stop, step)`, walked backwards if `reverse`."""

    start: Operand
    stop: Operand
    step: Operand
    reverse: bool = False


@dataclass(slots=True, eq=False)
class Raise(Statement):
    """`raise exception` (any operand); what follows in the block is never reached."""

    exception: Operand


@dataclass(slots=True, eq=False)
class Function:
    """A program: parameters, a body, and a result (an operand tree, `body.results[0]`)."""

    name: str
    body: Block
    doc: str | None = None
    written: list[int] = field(default_factory=list)
    """Parameters whose new contents are the last results (recursive functions)."""
    shares: bool = False
    """Whether a result may share storage with an argument."""
    has_memory: bool = False
    """Whether memory is told from values in it already (derivatives that are called)."""
    in_place: bool = False
    """Whether it is to be written where it is called (derivatives that are called)."""

    @property
    def params(self) -> list[Value]:
        return self.body.params


def dimension(array: Any, axis: int) -> int:
    """The length of one axis: prints as `array.shape[axis]`; all axes in order as `array.shape`."""
    return array.shape[axis]


def leaves(operand: Operand) -> Sequence[Value]:
    """The values in an operand tree, in order.

    >>> a, b = Value("a", None), Value("b", None)
    >>> [v.name for v in leaves((a, [Slice(b, Constant(None), Constant(None))]))]
    ['a', 'b']
    """
    if isinstance(operand, Value):  # passes ask this more often than anything else
        return (operand,)
    if isinstance(operand, Constant):
        return ()
    found: list[Value] = []
    _gather(operand, found)
    return found


def _gather(operand: Operand, found: list[Value]) -> None:
    if isinstance(operand, Slice):
        operand = (operand.start, operand.stop, operand.step)
    if isinstance(operand, (tuple, list)):
        for item in operand:
            if isinstance(item, Value):
                found.append(item)
            elif not isinstance(item, Constant):
                _gather(item, found)


def substitute(operand: Operand, by: Callable[[Value], Operand]) -> Operand:
    """The operand tree with each value replaced by `by(value)`."""
    if isinstance(operand, Value):
        return by(operand)
    if isinstance(operand, tuple):
        return tuple(substitute(item, by) for item in operand)
    if isinstance(operand, list):
        return [substitute(item, by) for item in operand]
    if isinstance(operand, Slice):
        return Slice(
            substitute(operand.start, by),
            substitute(operand.stop, by),
            substitute(operand.step, by),
        )
    return operand


def operands(statement: Statement) -> list[Operand]:
    """What a statement reads itself (not what its blocks read)."""
    match statement:
        case Op(args=args, keywords=keywords):
            return [*args, *keywords.values()]
        case New(source=source):
            return [source]
        case View(ref=ref, args=args, keywords=keywords):
            return [ref, *args, *keywords.values()]
        case Load(ref=ref, path=path):
            return [ref, path]
        case Store(ref=ref, path=path, value=value) | Accumulate(ref=ref, path=path, value=value):
            return [ref, path, value]
        case Append(ref=ref, value=value, at=at):
            return [ref, value] if at is None else [ref, at, value]
        case Pop(ref=ref, at=at):
            return [ref] if at is None else [ref, at]
        case If(test=test):
            return [test]
        case Loop(domain=domain, inits=inits):
            if domain is None:
                return list(inits)
            return [domain.start, domain.stop, domain.step, *inits]
        case Raise(exception=exception):
            return [exception]
        case Restore():
            return []
    raise TypeError(type(statement))


def defined(statement: Statement) -> list[Value]:
    """The values that a statement defines in its own block."""
    match statement:
        case Op(outs=outs) | If(outs=outs) | Loop(outs=outs):
            return outs
        case New(out=out) | View(out=out) | Load(out=out) | Pop(out=out):
            return [out]
        case Store() | Accumulate() | Append() | Raise() | Restore():
            return []
    raise TypeError(type(statement))


def blocks(statement: Statement) -> list[Block]:
    """The blocks inside a statement."""
    if isinstance(statement, If):
        return [statement.then, statement.orelse]
    if isinstance(statement, Loop):
        return [statement.body]
    return []


def walk(block: Block) -> Iterator[Statement]:
    """All statements, outer before inner, in program order."""
    for statement in block.statements:
        yield statement
        if isinstance(statement, If):
            yield from walk(statement.then)
            yield from walk(statement.orelse)
        elif isinstance(statement, Loop):
            yield from walk(statement.body)


def bound(block: Block) -> set[Value]:
    """The values that the block itself makes: its parameters and all that is defined inside."""
    inside = set(block.params)
    for statement in block.statements:
        inside.update(defined(statement))
        for inner in blocks(statement):
            inside |= bound(inner)
    return inside


def rewrite_operands(statement: Statement, by: Callable[[Value], Operand]) -> None:
    """Replace, in place, each value that the statement itself reads."""
    match statement:
        case Op():
            statement.args = [substitute(arg, by) for arg in statement.args]
            statement.keywords = {k: substitute(v, by) for k, v in statement.keywords.items()}
        case New():
            statement.source = substitute(statement.source, by)
        case View():
            statement.ref = substitute(statement.ref, by)
            statement.args = [substitute(arg, by) for arg in statement.args]
            statement.keywords = {k: substitute(v, by) for k, v in statement.keywords.items()}
        case Load():
            statement.ref = substitute(statement.ref, by)
            statement.path = substitute(statement.path, by)
        case Store() | Accumulate():
            statement.ref = substitute(statement.ref, by)
            statement.path = substitute(statement.path, by)
            statement.value = substitute(statement.value, by)
        case Append():
            statement.ref = substitute(statement.ref, by)
            statement.value = substitute(statement.value, by)
            statement.at = substitute(statement.at, by)
        case Pop():
            statement.ref = substitute(statement.ref, by)
            statement.at = substitute(statement.at, by)
        case If():
            statement.test = substitute(statement.test, by)
        case Loop():
            statement.inits = [substitute(init, by) for init in statement.inits]
            if statement.domain is not None:
                domain = statement.domain
                statement.domain = Range(
                    substitute(domain.start, by),
                    substitute(domain.stop, by),
                    substitute(domain.step, by),
                    domain.reverse,
                )
        case Raise():
            statement.exception = substitute(statement.exception, by)
        case Restore():
            pass
        case _:
            raise TypeError(type(statement))


def rewrite(block: Block, by: Callable[[Value], Operand]) -> None:
    """Replace, in place, each value read anywhere in the block."""
    for statement in block.statements:
        rewrite_operands(statement, by)
        for inner in blocks(statement):
            rewrite(inner, by)
    block.results = [substitute(result, by) for result in block.results]
