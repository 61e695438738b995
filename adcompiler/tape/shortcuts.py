"""The short way to record operators and ufuncs with one or two operands.

Which slice it is and what it saves depends only on which operands are active, so that is looked up
once. Where the adjoint of an operand needs more than that (it was broadcast, or is of another
precision), `recording.apply` does it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from adcompiler.rules import book
from adcompiler.rules.slicing import sliced
from adcompiler.tape import memory
from adcompiler.tape.graph import Node, next_order, node_class, node_name
from adcompiler.tape.modes import MODE
from adcompiler.tape.recording import apply, is_complex, power_number, without_derivative

_new = object.__new__
ndarray = np.ndarray

NUMBERS = frozenset(
    {float, int, bool, np.float64, np.float32, np.float16, np.longdouble, np.bool_, np.int64,
     np.int32, np.int16, np.int8, np.uint8, np.uint16, np.uint32, np.uint64}
)  # fmt: skip
_KEPT = {(): 0, ("x",): 1, ("y",): 2, ("out",): 3, ("x", "y"): 4, ("x", "out"): 5, ("y", "out"): 6,
         ("x", "y", "out"): 7}  # fmt: skip
DOUBLE = frozenset({float, np.float64})


class Plan:
    """What is recorded of a ufunc when certain operands are active and of the result's shape.

    `keeps` says what is saved (see `_KEPT`); it is None where only the general way will do.
    """

    __slots__ = ("rule", "kind", "function", "keeps", "real")

    def __init__(self, fn: Callable, wanted: tuple[int, ...]) -> None:
        self.rule = rule = book.BOOK[fn]
        names = [rule.inputs[k] for k in wanted]
        part = sliced(rule, names, same=True, real=True)
        # Whether what is right for real numbers is not for complex ones.
        self.real = part.text != sliced(rule, names, same=True).text
        number = 0
        if fn is np.power:
            number = power_number(*(k if k in wanted else None for k in range(2)))
        self.kind = node_class(node_name(fn.__name__, number))
        self.function = part.function
        ours = dict(zip(rule.inputs, "xy", strict=False))
        self.keeps = _KEPT.get(tuple(ours.get(name, name) for name in part.reads))
        if rule.real or part.refuses:
            self.keeps = None


_PLANS: dict[tuple[Callable, tuple[int, ...]], Plan] = {}


def plan_of(fn: Callable, wanted: tuple[int, ...]) -> Plan:
    """The plan for a ufunc and the positions of its active operands."""
    found = _PLANS.get((fn, wanted))
    if found is None or found.rule is not book.BOOK[fn]:
        found = _PLANS[fn, wanted] = Plan(fn, wanted)
    return found


def unary(
    kind: type,
    fn: Callable,
    operation: Callable,
    otherwise: Callable | None = None,
    name: str | None = None,
) -> Callable:
    """The function that carries out `operation` on one array of class `kind`, by the rule of `fn`.

    `otherwise` does it where the short way will not do; by default, `apply` does. `name` is that of
    the node, where it is not that of `fn`.
    """
    version = -1
    keeps: Any = None
    function: Any = None
    node_kind: type = Node
    real = False
    mode, held = MODE, memory.held
    general = otherwise or (lambda x: apply(kind, operation, (x,), {}))

    def look_up() -> None:
        nonlocal version, keeps, function, node_kind, real
        version = book.VERSION
        plan = plan_of(fn, (0,))
        keeps, function, real = plan.keeps, plan.function, plan.real
        node_kind = plan.kind if name is None else node_class(name)

    def carry_out(x: Any) -> Any:
        if version != book.VERSION:
            look_up()
        a = x.value if x.memory is None else held(x)
        following = x.node
        if keeps is None or following is None or not mode.enabled:
            return general(x)
        out = operation(a)
        if type(out) is ndarray:
            if type(a) is not ndarray or out.dtype is not a.dtype:
                return general(x)
        elif type(out) is not type(a) and not (type(a) in DOUBLE and type(out) in DOUBLE):
            return general(x)
        if real and is_complex(out):
            return general(x)
        node: Any = _new(node_kind)
        node.function = function
        node.saved = a if keeps == 1 else out if keeps == 3 else () if keeps == 0 else (a, out)
        node.next = following
        node.other = None
        node.order = next_order()
        result: Any = _new(kind)
        result.value = out
        result.node = node
        result.memory = None
        return result

    return carry_out


def binary(kind: type, fn: Callable, operation: Callable) -> Callable:
    """The function that carries out `operation` on two operands, one of them of class `kind`."""
    version = -1
    left = right = both = None
    mode, held = MODE, memory.held

    def look_up() -> None:
        nonlocal version, left, right, both
        version = book.VERSION
        left, right, both = plan_of(fn, (0,)), plan_of(fn, (1,)), plan_of(fn, (0, 1))

    def carry_out(x: Any, y: Any) -> Any:
        if version != book.VERSION:
            look_up()
        if type(x) is kind:
            a = x.value if x.memory is None else held(x)
            following = x.node
        elif type(x) is ndarray or type(x) in NUMBERS:
            a, following = x, None
        else:
            return apply(kind, operation, (x, y), {})
        if type(y) is kind:
            b = y.value if y.memory is None else held(y)
            other = y.node
        elif type(y) is ndarray or type(y) in NUMBERS:
            b, other = y, None
        else:
            return apply(kind, operation, (x, y), {})
        out = operation(a, b)
        if not mode.enabled or (following is None and other is None):
            return without_derivative(kind, out, ())
        plan = both if following and other else left if following else right
        keeps = plan.keeps
        # The adjoint of an operand that has the shape and precision of the result is finished.
        if type(out) is ndarray:
            shape, dtype = out.shape, out.dtype
            if (
                keeps is None
                or (
                    following and not (type(a) is ndarray and a.dtype is dtype and a.shape == shape)
                )
                or (other and not (type(b) is ndarray and b.dtype is dtype and b.shape == shape))
            ):
                return apply(kind, operation, (x, y), {})
        elif (
            keeps is None
            or type(out) not in DOUBLE
            or (following and type(a) not in DOUBLE)
            or (other and type(b) not in DOUBLE)
        ):
            return apply(kind, operation, (x, y), {})
        if plan.real and is_complex(out):
            return apply(kind, operation, (x, y), {})
        node = _new(plan.kind)
        node.function = plan.function
        if keeps == 0:
            node.saved = ()
        elif keeps == 2:
            node.saved = b.copy() if type(y) is ndarray else b
        elif keeps == 1:
            node.saved = a.copy() if type(x) is ndarray else a
        elif keeps == 3:
            node.saved = out
        else:
            if type(y) is ndarray:
                b = b.copy()
            elif type(x) is ndarray:
                a = a.copy()
            node.saved = (
                (a, b) if keeps == 4 else (a, out) if keeps == 5 else (b, out) if keeps == 6
                else (a, b, out)
            )  # fmt: skip
        if following:
            node.next, node.other = following, other
        else:
            node.next, node.other = other, None
        node.order = next_order()
        result: Any = _new(kind)
        result.value = out
        result.node = node
        result.memory = None
        return result

    return carry_out
