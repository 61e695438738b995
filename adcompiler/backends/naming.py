"""Values to Python variables: which share one, and what it is called.

Values that meet at a join share a variable where they can: the parameter of a loop with what it
starts as and becomes, then the result of a branch.  They can if they are never alive at the same
time with different contents, and if their names in the source agree.  Groups of the same name
share a variable too where they are not alive together; a group that would disturb an older one of
its name is called `s_2`.  What has no name is called after what it holds.
"""

from __future__ import annotations

import itertools
import keyword
import operator
import re
from collections.abc import Callable, Iterator

from adcompiler.backends.liveness import Interference
from adcompiler.backends.plan import Branch, For, Moves, Plan, While
from adcompiler.ir.nodes import (
    UNBOUND,
    Append,
    Constant,
    Function,
    If,
    Load,
    Loop,
    New,
    Op,
    Operand,
    Path,
    Pop,
    Value,
    View,
    dimension,
    leaves,
)
from adcompiler.ir.types import Array, Scalar

DEFAULT = "t"

OPERATORS: dict[Callable, str] = {
    operator.add: "total",
    operator.iadd: "total",
    operator.sub: "difference",
    operator.isub: "difference",
    operator.mul: "product",
    operator.imul: "product",
    operator.matmul: "product",
    operator.imatmul: "product",
    operator.truediv: "ratio",
    operator.itruediv: "ratio",
    operator.floordiv: "quotient",
    operator.mod: "remainder",
    operator.pow: "power",
    operator.ipow: "power",
    operator.neg: "negative",
    operator.abs: "magnitude",
    operator.not_: "test",
    operator.lt: "test",
    operator.le: "test",
    operator.gt: "test",
    operator.ge: "test",
    operator.eq: "test",
    operator.ne: "test",
}
NOUNS: dict[str, str] = {
    "absolute": "magnitude",
    "abs": "magnitude",
    "add": "total",
    "argmax": "best",
    "argmin": "best",
    "argsort": "order",
    "broadcast": "spread",
    "broadcast_to": "spread",
    "clip": "clipped",
    "concatenate": "joined",
    "diag": "diagonal",
    "divide": "ratio",
    "dot": "product",
    "einsum": "product",
    "empty": "space",
    "empty_like": "space",
    "equal": "test",
    "greater": "test",
    "greater_equal": "test",
    "inv": "inverse",
    "len": "length",
    "less": "test",
    "less_equal": "test",
    "matmul": "product",
    "max": "largest",
    "maximum": "larger",
    "min": "smallest",
    "minimum": "smaller",
    "multiply": "product",
    "negative": "negative",
    "not_equal": "test",
    "ones": "ones",
    "ones_like": "ones",
    "outer": "product",
    "pole_product": "product",
    "pole_quotient": "ratio",
    "power": "power",
    "prod": "product",
    "quotient": "ratio",
    "raised": "power",
    "ravel": "flat",
    "reshape": "reshaped",
    "solve": "solution",
    "sqrt": "root",
    "square": "square",
    "squeeze": "squeezed",
    "stack": "stacked",
    "subtract": "difference",
    "sum": "total",
    "swapaxes": "transposed",
    "tensordot": "product",
    "transpose": "transposed",
    "unreduce": "spread",
    "where": "choice",
    "zeros": "zeros",
    "zeros_like": "zeros",
}
"""What functions and methods of that name return."""
OWN_NAMES = frozenset(
    """arctan arctan2 arcsin arccos ceil cholesky conjugate cos cosh cumprod cumsum det diagonal
    diff exp expm1 floor hypot log log1p mean median norm shape sign sin sinh std tan tanh trace
    var""".split()
)
"""Functions whose results are called as they are."""
INDEX = "index"
INDICES = "ijklmn"


def choose_names(plan: Plan, interference: Interference, reserved: set[str]) -> dict[Value, str]:
    """The name of the variable of each value that has one; `reserved` names are not used."""
    groups = _Groups(plan, interference)
    for target, source in _pairs(plan):
        groups.try_to_merge(target, source)
    return groups.name(reserved)


def _pairs(plan: Plan) -> list[tuple[Value, Value]]:
    """What meets where: first what loops carry, then the results of branches."""
    carried: list[tuple[Value, Value]] = []
    others: list[tuple[Value, Value]] = []
    todo = [plan.items]
    while todo:
        items = todo.pop()
        for item in items:
            match item:
                case Moves(pairs=pairs):
                    for target, source in pairs:
                        if isinstance(source, Value):
                            in_loop = target in plan.carried or source in plan.carried
                            (carried if in_loop else others).append((target, source))
                case Branch(then=then, orelse=orelse):
                    todo += [orelse, then]
                case For(body=body):
                    todo.append(body)
                case While(body=body, orelse=orelse):
                    todo += [orelse, body]
    return carried + others


class _Groups:
    """Union-find over the values of a plan, with the conflicts of each group."""

    def __init__(self, plan: Plan, interference: Interference) -> None:
        self.plan = plan
        self.order = interference.order
        self.bits = interference.bits
        self.parent = list(range(len(self.order)))
        self.members = [1 << k for k in range(len(self.order))]
        self.conflicts = list(interference.conflicts)
        self.names = [value.name for value in self.order]

    def root(self, value: Value) -> int:
        k = self.bits[value]
        while self.parent[k] != k:
            k = self.parent[k]
        return k

    def try_to_merge(self, a: Value, b: Value) -> None:
        if a not in self.bits or b not in self.bits:
            return
        i, j = sorted((self.root(a), self.root(b)))
        if i == j or self.conflicts[i] & self.members[j]:
            return
        if None not in (self.names[i], self.names[j]) and self.names[i] != self.names[j]:
            return
        self.parent[j] = i
        self.members[i] |= self.members[j]
        self.conflicts[i] |= self.conflicts[j]
        self.names[i] = self.names[i] or self.names[j]

    def name(self, reserved: set[str]) -> dict[Value, str]:
        roots = [k for k in range(len(self.order)) if self.parent[k] == k]
        bases = {k: _identifier(self.names[k]) for k in roots if self.names[k] is not None}
        hints = {self.root(v): _identifier(v.hint) for v in reversed(self.order) if v.hint}
        params = self.plan.function.params
        owned = set(bases.values())
        taken: dict[str, tuple[int, int]] = {}
        named: dict[int, str] = {}
        forced = {self.root(param): param for param in params}
        for k in roots:
            if k in forced:
                base = forced[k].name or bases.get(k) or self.noun(k)
                self.take(k, base, base, taken, named)
        for k in roots:
            if k in bases and k not in forced:
                self.search(k, bases[k], reserved, owned - {bases[k]}, taken, named)
        for k in roots:
            if k in hints and k not in named:
                self.search(k, hints[k], reserved, owned - {hints[k]}, taken, named)
        for k in roots:
            if k not in named:
                self.search(k, self.noun(k), reserved, owned, taken, named)
        return {value: named[self.root(value)] for value in self.order}

    def search(
        self,
        k: int,
        base: str,
        reserved: set[str],
        owned: set[str],
        taken: dict[str, tuple[int, int]],
        named: dict[int, str],
    ) -> None:
        """The first of `base`, `base_2`, ... that is free while the group is alive."""
        for name in itertools.chain(INDICES if base == INDEX else (), _candidates(base)):
            if name in reserved or name in owned:
                continue
            if not taken.get(name, (0, 0))[1] & self.members[k]:
                self.take(k, base, name, taken, named)
                return

    def take(
        self,
        k: int,
        base: str,
        name: str,
        taken: dict[str, tuple[int, int]],
        named: dict[int, str],
    ) -> None:
        members, conflicts = taken.get(name, (0, 0))
        taken[name] = (members | self.members[k], conflicts | self.conflicts[k])
        named[k] = name

    def noun(self, k: int) -> str:
        """What to call a group of values that have no name."""
        members = self.members[k]
        while members:
            low = members & -members
            value = self.order[low.bit_length() - 1]
            found = self.plan.nouns.get(value) or describe(value, self.plan)
            if found != DEFAULT:
                return found
            members ^= low
        return DEFAULT


def _candidates(base: str) -> Iterator[str]:
    yield base
    for count in itertools.count(2):
        yield f"{base}_{count}"


def _identifier(name: str | None) -> str:
    """The name, made such that Python accepts it."""
    text = re.sub(r"\W", "_", name or DEFAULT)
    if text[:1].isdigit():
        text = f"_{text}"
    return f"{text}_" if keyword.iskeyword(text) else text


def describe(value: Value, plan: Plan) -> str:
    """A noun for a value without a name."""
    match plan.definitions.get(value):
        case Op(fn=fn, args=args):
            if isinstance(value.type, Scalar) and value.type.kind == "int":
                return _place(fn, args)
            return _result_of(fn, args)
        case Load(ref=ref, path=path):
            return _part_of(ref, path, "old" if value in plan.storage.copied else "part")
        case View(fn=fn, ref=ref, args=args):
            if fn is operator.getitem:
                return _part_of(ref, args[0], "part")
            return f"{ref.name}_view" if ref.name else "view"
        case New(source=source):
            if isinstance(source, Value):
                return source.name or describe(source, plan)
            if source == []:
                return f"{_saved_in(value, plan)}_saved"
            return "items" if isinstance(source, list) else DEFAULT
        case Pop(ref=ref):
            if ref.name is None:
                return _saved_in(ref, plan)
            return ref.name.removesuffix("_saved") if ref.name.endswith("_saved") else "item"
        case If(then=then, orelse=orelse, outs=outs):
            k = outs.index(value)
            return _first_name([then.results[k], orelse.results[k]], plan)
        case Loop(outs=outs) as loop:
            return _first_name([loop.next[outs.index(value)]], plan)
        case None if isinstance(value.type, Scalar) and value.type.kind == "int":
            return INDEX
    return DEFAULT


def _saved_in(stack: Value, plan: Plan) -> str:
    """What to call the values that a list without a name is there for."""
    for _, statement in plan.sites.get(stack, ()):
        match statement:
            case Append(ref=ref, value=Value() as saved) if ref is stack:
                found = saved.name or saved.hint or describe(saved, plan)
                return found if found != DEFAULT else "value"
    return "value"


def _first_name(operands: list[Operand], plan: Plan) -> str:
    for operand in operands:
        if isinstance(operand, Value) and operand is not UNBOUND:
            if operand.name:
                return operand.name
            if not isinstance(plan.definitions.get(operand), If | Loop):
                return describe(operand, plan)
    return DEFAULT


def _result_of(fn: Callable, args: list[Operand]) -> str:
    if isinstance(fn, Function):
        return "result"
    if fn is dimension:
        return "length"
    if fn is operator.getitem and isinstance(args[0], Value) and isinstance(args[1], tuple):
        return _part_of(args[0], args[1], "part")
    try:
        found = OPERATORS.get(fn)
    except TypeError:  # a callable object that cannot be hashed
        found = None
    if found is None:
        name = getattr(fn, "__name__", "")
        found = name if name in OWN_NAMES else NOUNS.get(name, DEFAULT)
    if found == "test" and any(isinstance(leaf.type, Array) for leaf in leaves(args)):
        return "mask"
    return found


def _place(fn: Callable, args: list[Operand]) -> str:
    """`i_next` for `i + 1`."""
    match args:
        case [Value(name=str() as name), Constant(value=1)]:
            if fn is operator.add:
                return f"{name}_next"
            if fn is operator.sub:
                return f"{name}_before"
    found = _result_of(fn, args)
    return "place" if found in ("total", "difference") else found


def _part_of(whole: Value, path: Path, word: str) -> str:
    """`x_i` for `x[i]`, `x0` for `x[0]`, `A_ij` for `A[i, j]`, else `x_part` or `x_old`."""
    if not whole.name:
        return "part" if word == "part" else DEFAULT
    if word == "part":
        values = [entry.value if isinstance(entry, Constant) else None for entry in path]
        if values and all(type(value) is int and value >= 0 for value in values):
            return f"{whole.name}{''.join(map(str, values))}"
    names = [entry.name if isinstance(entry, Value) else None for entry in path]
    if names and all(name and len(name) == 1 for name in names):
        return f"{whole.name}_{''.join(name for name in names if name)}"
    return f"{whole.name}_{word}"
