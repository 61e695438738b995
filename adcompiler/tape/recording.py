"""How an operation is carried out and recorded, for both faces of the tape.

`Traced` is what `Array` and `Tensor` have in common: a value (whatever NumPy computed: an array, a
NumPy scalar, a Python number), the node that computed it (None: it has no derivative) and, for
arrays that are written or viewed, their storage (`memory`).

`apply` carries out an operation: bind the call to the names of the rule, ask for the slice of what
is active, save what that reads. `shortcuts` has a shorter way for operators and ufuncs.

Plain arrays among the operands may be written by the user later on, without the tape's knowledge;
where one is saved, a copy is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from adcompiler.rules import book
from adcompiler.rules.slicing import NOTHING, Slice, sliced
from adcompiler.tape import memory
from adcompiler.tape.graph import (
    Bundle,
    Meta,
    Node,
    Pick,
    meta_of,
    next_order,
    node_class,
    node_name,
)
from adcompiler.tape.modes import MODE
from adcompiler.tape.refusals import refused

_new = object.__new__
ndarray = np.ndarray


class Traced:
    """A value, and how it was computed."""

    __slots__ = ("value", "node", "memory", "place", "seen")
    value: Any
    node: Node | None
    memory: memory.Storage | None
    wraps_all = False  # whether results without a derivative are wrapped even if they are numbers
    copies = True  # whether its memory is its own, and may be replaced by a copy


def made(kind: type, value: Any, node: Node | None) -> Any:
    """A new array or tensor of that kind."""
    result: Any = _new(kind)
    result.value, result.node, result.memory = value, node, None
    return result


# Trees: arguments may be lists of arrays.


def unwrapped(tree: Any, read: Callable = memory.held) -> Any:
    """The plain values in an argument."""
    if isinstance(tree, Traced):
        return tree.value if tree.memory is None else read(tree)
    kind = type(tree)
    if kind is list or kind is tuple:
        return kind([unwrapped(item, read) for item in tree])
    if kind is slice:
        return slice(*(unwrapped(item, read) for item in (tree.start, tree.stop, tree.step)))
    return tree


def kept(tree: Any, plain: Any) -> Any:
    """What is saved of an argument, given its plain values: copies of what is not ours."""
    if isinstance(tree, Traced):
        return plain
    if isinstance(tree, np.ndarray):
        return plain.copy()
    if type(tree) in (list, tuple):
        return type(tree)(map(kept, tree, plain))
    return plain


def nodes_of(tree: Any) -> Any:
    """The node of an argument; for a list a list of nodes, or None if there is none in it."""
    if isinstance(tree, Traced):
        if tree.memory is not None:
            memory.settled(tree)
        return tree.node
    if type(tree) in (list, tuple):
        nodes = [nodes_of(item) for item in tree]
        return nodes if any(node is not None for node in nodes) else None
    return None


def first_traced(tree: Any) -> Traced | None:
    """Some array of ours in an argument."""
    if isinstance(tree, Traced):
        return tree
    if type(tree) in (list, tuple):
        for item in tree:
            found = first_traced(item)
            if found is not None:
                return found
    if type(tree) is dict:
        return first_traced(list(tree.values()))
    return None


# The general way.

VIEWS = frozenset(
    {
        np.reshape, np.ravel, np.transpose, np.matrix_transpose, np.swapaxes, np.moveaxis,
        np.squeeze, np.expand_dims, np.diagonal, np.diag, np.broadcast_to, np.atleast_1d,
        np.atleast_2d, np.atleast_3d, np.flip, np.fliplr, np.flipud, np.rot90, np.real, np.imag,
        np.split, np.array_split, np.asarray, np.asanyarray, np.ascontiguousarray,
        np.asfortranarray, np.ndarray.astype, np.conjugate, np.positive, np.broadcast_arrays,
        np.nan_to_num,
    }
)  # fmt: skip
"""Functions of which the result may lie in the memory of the argument."""

WRITERS = frozenset({np.put, np.place, np.putmask, np.fill_diagonal, np.put_along_axis})


def apply(kind: type, fn: Callable, args: tuple, kwargs: dict[str, Any]) -> Any:
    """Carry out an operation of which some arguments are ours, and record it if it is active.

    Results are of the class `kind`; those without a derivative that are no arrays of floats are
    plain.

    Raises
    ------
    DifferentiationError
        If the derivative is not known for this function, or not for these arguments.
    """
    key = book.canonical(fn)
    rule = book.BOOK.get(key)
    may_view = key in VIEWS
    read = memory.settled if may_view else memory.held
    plain, nodes, active = [], [], False
    for arg in args:
        node = None
        if isinstance(arg, Traced):
            value = arg.value if arg.memory is None else read(arg)
            node = arg.node
        elif type(arg) is list or type(arg) is tuple:
            value, node = unwrapped(arg, read), nodes_of(arg)
        else:
            value = arg
        plain.append(value)
        nodes.append(node)
        active = active or node is not None
    plain_kwargs, by_name = kwargs, False
    if kwargs:
        plain_kwargs = {name: unwrapped(value, read) for name, value in kwargs.items()}
        by_name = nodes_of(list(kwargs.values())) is not None
        active = active or by_name
        by_name = by_name or any(value is np._NoValue for value in kwargs.values())
    active = active and MODE.enabled
    if key in WRITERS or (key is np.nan_to_num and plain_kwargs.get("copy") is False):
        raise refused(
            f"`{_name(fn)}`, which writes its argument",
            "a tape follows stores by index, `out=` and methods, not this",
            "assign to the array in its place: `a[...] = ...`",
        )
    if rule is None:
        if active and key not in book.ZERO:
            raise refused(
                f"`{_name(fn)}` of a value with a derivative",
                "no derivative rule is known for it",
                "write it in terms of functions that have rules, or add one",
            )
        return without_derivative(kind, fn(*plain, **plain_kwargs), args)
    if not active:
        return without_derivative(kind, fn(*plain, **plain_kwargs), args)
    if rule.real and any(map(is_complex, plain)):
        raise refused(
            f"`{_name(fn)}` of complex numbers",
            "its derivative rule is for real numbers",
            "take `np.real` or `np.imag` of it first",
        )
    layout = None if by_name else _layout(fn, rule, nodes, tuple(kwargs))
    if layout is None:
        return _apply_by_name(kind, fn, rule, args, kwargs, read)
    layout.guard(fn, plain, plain_kwargs)
    out = fn(*plain, **plain_kwargs)
    node = layout.node(args, plain, kwargs, plain_kwargs, nodes, out)
    if type(out) is ndarray and out.base is None and not may_view and not is_whole(out):
        return made(kind, out, node)
    return with_derivative(kind, out, node, args)


def is_complex(value: Any) -> bool:
    """Whether there is a complex number in an argument."""
    if type(value) in (list, tuple):
        return any(map(is_complex, value))
    return isinstance(value, complex) or getattr(value, "dtype", _BOOL).kind == "c"


def is_whole(value: Any) -> bool:
    """Whether these are integers or booleans, which have no derivative."""
    return getattr(value, "dtype", _FLOAT).kind in "iub"


_BOOL, _FLOAT = np.dtype(bool), np.dtype(float)


class _Layout:
    """How calls of a function with the same arguments active are recorded.

    Where the rule names every argument that is given, binding by name comes down to positions,
    which are found once.
    """

    __slots__ = (
        "rule",
        "wanted",
        "following",
        "sources",
        "slices",
        "real",
        "classes",
        "axis",
        "check",
    )

    def __init__(self, rule: book.Rule, given: dict[str, Any], wanted: tuple[str, ...]) -> None:
        """`given`: for each parameter that is given, its position or, by keyword, its name."""
        self.rule = rule
        self.wanted = wanted
        self.following = tuple(given[name] for name in wanted)
        # By number: 1 if adjoints need not be summed, 2 if what is complex is left out.
        self.slices = [sliced(rule, wanted, k & 1 == 1, k & 2 == 2) for k in range(4)]
        self.sources = [[_source(part, n, given) for n in part.reads] for part in self.slices]
        self.real = 2 if self.slices[0].text == self.slices[2].text else None
        guard = sliced(rule, ())
        self.check: Any = None
        if guard.refuses:
            self.check = guard, [_source(guard, name, given) for name in guard.reads]
        name = getattr(rule.primal, "__name__", "operation")
        numbers = (0, 1)
        if name == "power":
            numbers = (power_number("x" in wanted or None, "y" in wanted or None),) * 2
        self.axis = given.get("axis") if name in _REDUCTIONS else None
        self.classes = [
            [node_class(node_name(name, number), base) for number in numbers]
            for base in (Node, Bundle)
        ]

    def guard(self, fn: Callable, plain: list, kwargs: dict) -> None:
        """Refuse what the rule refuses."""
        if self.check is not None:
            part, sources = self.check
            try:
                part.function(None, *[_value(source, plain, kwargs, None) for source in sources])
            except NotImplementedError as error:
                construct, _, remedy = str(error).partition(": ")
                raise refused(
                    construct, "its derivative rule does not cover this", remedy
                ) from None

    def node(
        self, args: tuple, plain: list, kwargs: dict, plain_kwargs: dict, nodes: list, out: Any
    ) -> Node:
        """The node of one call."""
        same = self.rule.kind == "elementwise"
        for where in self.following:
            if same and not _alike(plain[where], out):
                same = False
        real = self.real
        if real is None:
            real = 0 if is_complex(plain) else 2
        part = self.slices[same + real]
        saved = []
        for source in self.sources[same + real]:
            kind, key, default = source
            if kind == _POSITION:
                value = plain[key]
                value = meta_of(value) if default else kept(args[key], value)
            elif kind == _OUT:
                value = out
            elif kind == _DEFAULT:
                value = default
            else:
                value = plain_kwargs[key]
                value = meta_of(value) if default else kept(kwargs[key], value)
            saved.append(value)
        axis = self.axis
        number = 0
        if axis is not None:
            number = (plain[axis] if type(axis) is int else plain_kwargs[axis]) is not None
        following = [nodes[where] for where in self.following]
        return _node_of(part, self.classes, number, saved, following, out)


_POSITION, _KEYWORD, _OUT, _DEFAULT = range(4)
_REDUCTIONS = frozenset({"sum", "mean", "max", "min", "prod", "std", "var"})


def _source(part: Slice, name: str, given: dict[str, Any]) -> tuple[int, Any, Any]:
    """Where a value comes from that a slice reads, and whether only its shape is read."""
    if name == "out":
        return _OUT, None, None
    if name not in given:
        return _DEFAULT, None, part.defaults.get(name)
    where = given[name]
    return (_POSITION if type(where) is int else _KEYWORD), where, name in part.shapes


def _value(source: tuple[int, Any, Any], plain: list, kwargs: dict, out: Any) -> Any:
    kind, key, default = source
    if kind == _POSITION:
        return plain[key]
    return out if kind == _OUT else default if kind == _DEFAULT else kwargs[key]


_LAYOUTS: dict[Any, tuple[book.Rule, _Layout | None]] = {}


def _layout(fn: Callable, rule: book.Rule, nodes: list, keywords: tuple) -> _Layout | None:
    """The layout of a call; None if its arguments must be bound by name."""
    key = (fn, tuple([node is not None for node in nodes]), keywords)
    found = _LAYOUTS.get(key)
    if found is None or found[0] is not rule:
        found = _LAYOUTS[key] = (rule, _new_layout(fn, rule, nodes, keywords))
    return found[1]


def _new_layout(fn: Callable, rule: book.Rule, nodes: list, keywords: tuple) -> _Layout | None:
    names = book.positional_names(fn)
    if names is None or len(nodes) > len(names) or {*keywords} & {*names[: len(nodes)]}:
        return None
    given: dict[str, Any] = dict(zip(names, range(len(nodes)), strict=False))
    given |= {name: name for name in keywords}
    if any(name not in rule.parameters for name in given):
        return None
    active = [names[k] for k, node in enumerate(nodes) if node is not None]
    if not active or any(name not in rule.inputs for name in active):
        return None
    return _Layout(rule, given, tuple(name for name in rule.inputs if name in active))


def _apply_by_name(
    kind: type, fn: Callable, rule: book.Rule, args: tuple, kwargs: dict, read: Callable
) -> Any:
    """As `apply`, where arguments must be bound to NumPy's signature."""
    arguments, plain, active = _bound(fn, rule, args, kwargs, read)
    out = fn(*[unwrapped(arg, read) for arg in args],
             **{name: unwrapped(value, read) for name, value in kwargs.items()})  # fmt: skip
    wanted = tuple(name for name in rule.inputs if name in active)
    following = [active[name] for name in wanted]
    name = _node_name(rule, args, kwargs, active)
    node = _node(rule, arguments, plain, wanted, following, out, name)
    return with_derivative(kind, out, node, args)


def _name(fn: Callable) -> str:
    module = getattr(fn, "__module__", None) or ""
    prefix = {"builtins": "", "math": "math."}.get(
        module, "np.linalg." if "linalg" in module else "np."
    )
    return prefix + getattr(fn, "__name__", repr(fn))


def without_derivative(kind: type, out: Any, args: tuple) -> Any:
    """A result that has no derivative: wrapped if it is an array of floats, that may be written."""
    if isinstance(out, list | tuple):
        parts = [without_derivative(kind, part, args) for part in out]
        return type(out)(*parts) if hasattr(out, "_fields") else type(out)(parts)
    if kind.wraps_all or (type(out) is ndarray and out.dtype.kind in "fc"):
        return _linked(made(kind, out, None), args)
    return out


def with_derivative(kind: type, out: Any, node: Node, args: tuple) -> Any:
    """The result of a recorded operation; several results have a `Pick` each."""
    if isinstance(out, list | tuple):
        parts = [with_derivative(kind, part, Pick(node, k), args) for k, part in enumerate(out)]
        return type(out)(*parts) if hasattr(out, "_fields") else type(out)(parts)
    if is_whole(out):
        return without_derivative(kind, out, args)
    return _linked(made(kind, out, node), args)


def _linked(result: Any, args: tuple) -> Any:
    """The result, on the storage of the argument in whose memory it lies."""
    out = result.value
    if type(out) is not ndarray:
        return result
    for arg in args:
        for x in arg if type(arg) in (list, tuple) else (arg,):
            if isinstance(x, Traced) and type(x.value) is ndarray:
                if out is x.value or (out.base is not None and _lies_in(out, x.value)):
                    return _on_storage_of(x, result)
    return result


def _lies_in(out: np.ndarray, value: np.ndarray) -> bool:
    owner = value if value.base is None else value.base
    return (out.base is value or out.base is owner) and np.may_share_memory(out, value)


def _on_storage_of(x: Traced, result: Any) -> Any:
    if x.memory is None and not x.value.flags.forc:
        # A view of what is not dense cannot be found again: it becomes an array of its own, and
        # neither may be written, as the other would not change.
        result.value = result.value.copy()
        memory.adopt(result).lent = "what it is a view of"
        if x.copies:
            memory.adopt(x).lent = "a view of it"
        return result
    memory.link(result, x)
    return result


def _bound(
    fn: Callable, rule: book.Rule, args: tuple, kwargs: dict, read: Callable
) -> tuple[dict, dict, dict]:
    """By name, the arguments as they are saved, as they are, and the nodes of those that have one.

    Refuses what the rule does not cover.
    """
    try:
        bound = book.bind(fn, args, kwargs)
    except book.UnboundKeyword as error:
        raise refused(
            f"`{error.name}=` of `{_name(fn)}`",
            "the derivative rule does not know this argument",
            "leave it at its default",
        ) from None
    active = {}
    for name, value in bound.items():
        node = nodes_of(value)
        if node is not None:
            if name not in rule.inputs:
                raise refused(
                    f"a value with a derivative as `{name}` of `{_name(fn)}`",
                    "the result cannot be differentiated with respect to it",
                    "pass a value without a derivative",
                )
            active[name] = node
    plain = {name: unwrapped(value, read) for name, value in bound.items()}
    guard = sliced(rule, ())
    if guard.refuses:
        try:
            guard.function(None, *[_argument(guard, name, plain, None) for name in guard.reads])
        except NotImplementedError as error:
            construct, _, remedy = str(error).partition(": ")
            raise refused(construct, "its derivative rule does not cover this", remedy) from None
    return {name: kept(bound[name], value) for name, value in plain.items()}, plain, active


def _argument(part: Slice, name: str, arguments: dict, out: Any) -> Any:
    if name == "out":
        return out
    value = arguments.get(name, NOTHING)
    return part.defaults.get(name) if value is NOTHING else value


def noted(fn: Callable, arguments: dict, nodes: dict, name: str) -> Node:
    """The node of an operation, given its arguments by name and the nodes of active ones."""
    rule = book.BOOK[book.canonical(fn)]
    wanted = tuple(name for name in rule.inputs if nodes.get(name) is not None)
    following = [nodes[name] for name in wanted]
    return _node(rule, arguments, arguments, wanted, following, None, name)


def _node(
    rule: book.Rule,
    arguments: dict,
    plain: dict,
    wanted: tuple[str, ...],
    following: list,
    out: Any,
    name: str,
) -> Node:
    same = rule.kind == "elementwise" and all(_alike(plain[w], out) for w in wanted)
    part = sliced(rule, wanted, same)
    saved = []
    for read in part.reads:
        value = _argument(part, read, arguments, out)
        saved.append(meta_of(value) if read in part.shapes else value)
    classes = [[node_class(name, base)] for base in (Node, Bundle)]
    return _node_of(part, classes, 0, saved, following, out)


def _node_of(
    part: Slice, classes: list[list[type]], number: int, saved: list, following: list, out: Any
) -> Node:
    node: Any
    if isinstance(out, list | tuple):
        node = _new(classes[1][number])
        node.function, node.pull, node.results = None, part.function, tuple(map(_like, out))
    else:
        node = _new(classes[0][number])
        node.function = part.function
    node.saved = saved[0] if len(saved) == 1 and type(saved[0]) is not tuple else tuple(saved)
    node.order = next_order()
    node.other = None
    count = len(following)
    if count == 1 and type(following[0]) is not list:
        node.next = following[0]
    elif count == 2 and type(following[0]) is not list and type(following[1]) is not list:
        node.next, node.other = following
    else:
        node.next = tuple(following)
    return node


def _like(part: Any) -> Meta:
    part = np.asarray(part)
    return Meta(part.shape, part.dtype)


def _alike(value: Any, out: Any) -> bool:
    """Whether an adjoint of `out` has the shape and precision of one of `value`."""
    if type(out) is ndarray:
        return type(value) is ndarray and value.shape == out.shape and value.dtype is out.dtype
    return type(value) is type(out)


def _node_name(rule: book.Rule, args: tuple, kwargs: dict, nodes: dict) -> str:
    name = getattr(rule.primal, "__name__", "operation")
    number = 0
    if name in ("sum", "mean", "max", "min", "prod", "std", "var") and (
        kwargs.get("axis") is not None or (len(args) > 1 and args[1] is not None)
    ):
        number = 1
    if name == "power":
        number = power_number(nodes.get("x"), nodes.get("y"))
    return node_name(name, number)


def power_number(base: Any, exponent: Any) -> int:
    """0 where only the base varies and the exponent is a number, 2 where only the exponent does."""
    return 2 if base is None else 1 if exponent is not None else 0
