"""The rulebook: one Python function per derivative, read by the compiler and called by the tape.

A rule is registered with one of four decorators, of which each asks the author for the least:

* `elementwise(f)`: the partial derivatives of `f` with respect to each input, `None` for one that
  is zero everywhere. A partial that is the literal 1 or -1 costs an engine nothing.
* `linear(f)`: the transpose of `f` in its first input. Forward, `f` is applied to the tangent.
* `bilinear(f)`: both transposes. Forward, `f(a_dot, b) + f(a, b_dot)`.
* `rule(f)`: the pullback, and with `.forward` beside it the tangent.

A linear or elementwise rule may have a `.forward` too, which then goes before the derived one (the
tangent of `np.pad(x, 1, constant_values=5)` is padded with zeros).

How an engine calls a rule. `bind` gives the arguments of the call *by name*. The rule is called as
`rule.function(g, **bound)`, an elementwise one without `g`, and with `out=` (the result of the
operation) if `rule.wants_out`. The answer is one value if `rule.inputs` has one name, else a tuple
in the order of `rule.inputs`; an active argument that is not among them must be refused. An
elementwise rule answers with partials (which may be boolean), the others with finished adjoints,
already summed down to the shapes of the inputs. A forward function gets `<name>_dot` for every
name in `rule.inputs` (zeros where there is no tangent), and of the rest what it names. With
several results, `g` and `out` are tuples, zeros standing for an adjoint that did not arrive. The
adjoint of an input that is a list (`concatenate`), or of varargs (`einsum`), is a list.

A rule body is straight-line NumPy: assignments, operators, calls of NumPy and of
`adcompiler.runtime`, conditions on what is known once types are known (`axis is None`,
`np.ndim(a) == 2`, `np.iscomplexobj(z)`), and comprehensions over lists of known length. `raise` on
such a condition is a refusal. So rules can be differentiated in their turn.
"""

import cmath
import inspect
import math
import operator
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache
from threading import Lock
from types import FunctionType
from typing import Any

import numpy as np

from adcompiler.rules import signatures


@dataclass(frozen=True, slots=True, eq=False)
class Rule:
    """The derivative of one operation."""

    primal: Callable
    kind: str  # 'elementwise', 'linear', 'bilinear' or 'rule'
    function: FunctionType
    forward: FunctionType | None = None
    pole: bool = False  # a partial may be infinite where the operation itself is fine
    type: Callable | None = None
    inputs: tuple[str, ...] = ()  # the differentiable parameters, in signature order
    real: bool = False  # wrong for complex numbers: an engine refuses them
    parameters: tuple[str, ...] = field(
        init=False
    )  # without the adjoint, which is first, and `out`
    wants_out: bool = field(init=False)

    def __post_init__(self) -> None:
        names = parameter_names(self.function)
        asked = names if self.kind == "elementwise" else names[1:]
        object.__setattr__(self, "parameters", tuple(name for name in asked if name != "out"))
        object.__setattr__(self, "wants_out", "out" in names)


class UnboundKeyword(Exception):
    """An argument was given for which the rule of this operation has no parameter."""

    def __init__(self, name: str):
        super().__init__(f"the rule has no parameter {name!r}")
        self.name = name


BOOK: dict[Callable, Rule] = {}
ZERO: set[Callable] = set()
COMPOSITIONS: dict[Callable, FunctionType] = {}
VERSION = 0
_LOCK = Lock()


def elementwise(*primals: Callable, pole: bool = False, real: bool = False):
    """The function returns the partial derivatives with respect to the inputs."""
    return _decorator("elementwise", primals, pole, real)


def linear(*primals: Callable, real: bool = False):
    """The function is the transpose with respect to the first input."""
    return _decorator("linear", primals, False, real)


def bilinear(*primals: Callable, real: bool = False):
    """The function returns the transposes with respect to the first and to the second input."""
    return _decorator("bilinear", primals, False, real)


def rule(*primals: Callable, real: bool = False):
    """The function is the pullback; it should be followed by its `.forward`."""
    return _decorator("rule", primals, False, real)


def composition(*primals: Callable):
    """The function does the same as these, in terms of functions that have rules.

    It goes before a rule only where the call gives an argument that the rule does not name. Its
    parameters are those of the primal; like a rule it is straight-line NumPy with conditions on
    what is known from types, and `raise NotImplementedError(text)` refuses the call. It may write
    its arguments where the primal does.
    """

    def decorate(function: FunctionType) -> FunctionType:
        global VERSION
        with _LOCK:
            COMPOSITIONS.update({canonical(fn): function for fn in primals})
            VERSION += 1
        return function

    return decorate


def composed(fn: Callable, args, kwargs, static: Callable[[Any], Any] = lambda value: value):
    """The composition that stands for this call of `fn`; None if a rule does, or nothing."""
    function = COMPOSITIONS.get(canonical(fn))
    if function is None or (lookup(fn) is None and not is_zero(fn)):
        return function
    try:
        bind(fn, args, kwargs, static)
    except UnboundKeyword:
        return function
    except TypeError:  # a call that does not fit: whoever carries it out says so
        return None
    return None


def zero(*primals: Callable) -> None:
    """These operations have the derivative zero wherever they have one."""
    global VERSION
    with _LOCK:
        ZERO.update(canonical(fn) for fn in primals)
        VERSION += 1


def register(new: Rule) -> None:
    """Put a rule into the book, in place of one that was there. Raises `VERSION`."""
    global VERSION
    with _LOCK:
        key = canonical(new.primal)
        BOOK[key] = replace(new, primal=key)
        ZERO.discard(key)
        VERSION += 1


def lookup(fn: Callable) -> Rule | None:
    """The rule of an operation under any of its names."""
    try:
        return BOOK.get(canonical(fn))
    except TypeError:  # not hashable
        return None


def is_zero(fn: Callable) -> bool:
    """Is the derivative of this operation zero wherever it has one?"""
    try:
        return canonical(fn) in ZERO
    except TypeError:
        return False


def canonical(fn: Callable) -> Callable:
    """The one key under which an operation stands: `operator.add`, `math.sin` and the methods of
    arrays stand under the NumPy function that does the same."""
    try:
        return _ALIASES.get(fn, fn)
    except TypeError:
        return fn


def _decorator(kind: str, primals: tuple, pole: bool, real: bool):
    def decorate(function: FunctionType) -> FunctionType:
        keys = [canonical(fn) for fn in primals]
        inputs = _inputs(kind, function, None)
        for key in keys:
            register(Rule(key, kind, function, None, pole, None, inputs, real))

        def forward(tangent: FunctionType) -> FunctionType:
            named = _inputs(kind, function, tangent)
            for key in keys:
                register(replace(BOOK[key], forward=tangent, inputs=named))
            return tangent

        def type_(infer: Callable) -> Callable:
            for key in keys:
                register(replace(BOOK[key], type=infer))
            return infer

        function.forward = forward  # type: ignore[attr-defined]
        function.type = type_  # type: ignore[attr-defined]
        return function

    return decorate


def _inputs(kind: str, function: FunctionType, forward: FunctionType | None) -> tuple[str, ...]:
    """Which parameters are differentiable: the first, both, or those that have a tangent."""
    names = [name for name in parameter_names(function) if name != "out"]
    if kind == "elementwise":
        return tuple(names)
    if kind == "linear":
        return tuple(names[1:2])
    if kind == "bilinear":
        return tuple(names[1:3])
    if forward is not None:
        return tuple(n.removesuffix("_dot") for n in parameter_names(forward) if n.endswith("_dot"))
    required = function.__code__.co_argcount - len(function.__defaults__ or ())
    return tuple(n for n in parameter_names(function)[1:required] if n != "out")


def parameter_names(function: FunctionType) -> tuple[str, ...]:
    """The names of the parameters of a Python function, without the cost of `inspect`."""
    code = function.__code__
    return code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]


# Binding a call to NumPy's own signature.


def bind(fn: Callable, args, kwargs, static: Callable[[Any], Any] = lambda value: value) -> dict:
    """The arguments of a call of `fn` by the names of the parameters of its rule.

    Only what was given is returned: what was not has the same default in the rule as in NumPy. The
    inputs of a ufunc have no names of their own and take the rule's, by position. An argument that
    the rule does not name may be given if it is at its default; else `UnboundKeyword` is raised.
    A call that does not fit the signature raises TypeError.

    `static(value)` tells what an argument is where the arguments stand for values (those of the
    compiler do); an answer that is not of a plain kind is not at its default.
    """
    key = canonical(fn)
    found = lookup(key)
    args, kwargs = _as_function(fn, key, tuple(args), dict(kwargs))
    if isinstance(key, np.ufunc):
        given, defaults = _bind_ufunc(key, found, args, kwargs), _UFUNC_DEFAULTS
    else:
        given, defaults = _bind_function(key, found, args, kwargs)
    bound = {}
    for name, value in given.items():
        if value is np._NoValue:
            continue
        if found is not None and name in found.inputs:
            bound[name] = value
        elif not _is_default(static(value), defaults.get(name, inspect.Parameter.empty)):
            if found is not None and name not in found.parameters:
                raise UnboundKeyword(name)
            bound[name] = value
    return bound


def _bind_ufunc(fn, found, args, kwargs) -> dict[str, Any]:
    names = tuple(f"x{i + 1}" for i in range(fn.nin)) if found is None else found.parameters
    if len(args) != fn.nin:
        raise TypeError(f"{fn.__name__} takes {fn.nin} inputs, {len(args)} given")
    return {**dict(zip(names, args, strict=False)), **kwargs}


def _bind_function(fn, found, args, kwargs) -> tuple[dict[str, Any], dict[str, Any]]:
    signature, positional, named, required, defaults = _layout(fn, found)
    if len(args) <= len(positional):  # what `signature.bind` does, for the tape's sake faster
        given = dict(zip(positional, args, strict=False))
        if named.issuperset(kwargs) and given.keys().isdisjoint(kwargs):
            given.update(kwargs)
            if required <= given.keys():
                return given, defaults
    given = signature.bind(*args, **kwargs).arguments
    for name, parameter in signature.parameters.items():
        if parameter.kind is parameter.VAR_KEYWORD:
            given |= given.pop(name, {})
    return given, defaults


@cache
def _layout(fn: Callable, found: Rule | None):
    """The signature; its parameters by position, by name, those required, and the defaults."""
    signature = signature_of(fn)
    if signature is None:
        signature = _own_signature(found)
    parameters = signature.parameters.values()
    by_position = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    by_name = [p for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    varargs = any(p.kind is p.VAR_POSITIONAL for p in parameters)
    required = {p.name for p in by_position + by_name if p.default is p.empty}
    if varargs:  # not for the fast way
        required.add("*")
    return (
        signature,
        tuple(p.name for p in by_position),
        frozenset(p.name for p in by_name),
        frozenset(required),
        {p.name: p.default for p in parameters},
    )


def without_out(fn: Callable, args, kwargs, static: Callable[[Any], Any] = lambda value: value):
    """The arguments of a call without its `out`, and that; it may have been given by position.

    None stands for no `out`. Of a ufunc with several results it is a tuple.
    """
    key = canonical(fn)
    args, kwargs = list(args), dict(kwargs)
    out = kwargs.pop("out", None)
    place = _place_of_out(key)
    if place is not None and len(args) > place:
        if isinstance(key, np.ufunc):
            args, out = args[:place], tuple(args[place:]) if key.nout > 1 else args[place]
        else:
            names = list(_layout(key, lookup(key))[0].parameters)
            kwargs = {**dict(zip(names[place + 1 :], args[place + 1 :], strict=False)), **kwargs}
            args, out = args[:place], args[place]
    parts = out if isinstance(out, tuple) else (out,)
    return args, kwargs, out if any(static(part) is not None for part in parts) else None


@cache
def _place_of_out(fn: Callable) -> int | None:
    """The position of the argument `out`, if the function has one that may be given so."""
    if isinstance(fn, np.ufunc):
        return fn.nin
    if not (getattr(fn, "__module__", None) or "").startswith("numpy"):
        return None
    signature = signature_of(fn)
    parameter = None if signature is None else signature.parameters.get("out")
    if parameter is None or parameter.kind is not parameter.POSITIONAL_OR_KEYWORD:
        return None
    return list(signature.parameters).index("out")  # type: ignore[union-attr]


def positional_names(fn: Callable) -> tuple[str, ...] | None:
    """By what names `bind` knows the arguments of a call by position.

    None where that depends on the call: a method that takes a shape as so many numbers, varargs.
    """
    key = canonical(fn)
    found = lookup(key)
    if found is None or fn in _VARARGS or key is np.clip:
        return None
    if isinstance(key, np.ufunc):
        return found.parameters[: key.nin]
    _signature, positional, _named, required, _defaults = _layout(key, found)
    return None if "*" in required else positional


_UFUNC_DEFAULTS = {
    "out": None,
    "where": True,
    "casting": "same_kind",
    "order": "K",
    "dtype": None,
    "subok": True,
    "signature": None,
    "axes": None,
    "axis": -1,
}


def _is_default(value, default) -> bool:
    if value is default:
        return True
    plain = (bool, int, float, str)
    return type(value) in plain and type(value) is type(default) and value == default


def _as_function(fn: Callable, key: Callable, args: tuple, kwargs: dict) -> tuple[tuple, dict]:
    """`a.reshape(2, 3)` as `np.reshape(a, (2, 3))`, likewise `transpose`; `min=` of `np.clip`."""
    if fn in _VARARGS and len(args) != 2:
        args = args[:1] + ((args[1:],) if len(args) > 2 else ())
    if key is np.clip:
        kwargs = {{"min": "a_min", "max": "a_max"}.get(k, k): v for k, v in kwargs.items()}
    return args, kwargs


@cache
def signature_of(fn: Callable) -> inspect.Signature | None:
    """NumPy's own signature, from a small table for what is written in C."""
    known: Callable = signatures.TABLE.get(fn, fn)
    try:
        return inspect.signature(known)
    except (ValueError, TypeError):
        return None


def _own_signature(found: Rule | None) -> inspect.Signature:
    if found is None:
        raise TypeError("no signature is known for this function")
    kept = found.parameters
    full = inspect.signature(found.function)
    return full.replace(parameters=[full.parameters[name] for name in kept])


# One name per operation.


def _aliases() -> dict[Callable, Callable]:
    table: dict[Callable, Callable] = {
        operator.add: np.add,
        operator.iadd: np.add,
        operator.concat: operator.concat,
        operator.sub: np.subtract,
        operator.isub: np.subtract,
        operator.mul: np.multiply,
        operator.imul: np.multiply,
        operator.truediv: np.divide,
        operator.itruediv: np.divide,
        operator.floordiv: np.floor_divide,
        operator.ifloordiv: np.floor_divide,
        operator.mod: np.remainder,
        operator.imod: np.remainder,
        operator.pow: np.power,
        operator.ipow: np.power,
        pow: np.power,
        operator.matmul: np.matmul,
        operator.imatmul: np.matmul,
        operator.neg: np.negative,
        operator.pos: np.positive,
        operator.abs: np.absolute,
        abs: np.absolute,
        operator.lt: np.less,
        operator.le: np.less_equal,
        operator.gt: np.greater,
        operator.ge: np.greater_equal,
        operator.eq: np.equal,
        operator.ne: np.not_equal,
        operator.invert: np.invert,
        operator.and_: np.bitwise_and,
        operator.or_: np.bitwise_or,
        operator.xor: np.bitwise_xor,
        operator.iand: np.bitwise_and,
        operator.ior: np.bitwise_or,
        operator.ixor: np.bitwise_xor,
        operator.lshift: np.left_shift,
        operator.rshift: np.right_shift,
        operator.ilshift: np.left_shift,
        operator.irshift: np.right_shift,
        divmod: np.divmod,
        round: np.round,
        np.around: np.round,
        np.degrees: np.rad2deg,
        np.radians: np.deg2rad,
        np.amax: np.max,
        np.amin: np.min,
        np.linalg.matmul: np.matmul,
        np.linalg.tensordot: np.tensordot,
        np.linalg.outer: np.outer,
        np.linalg.vecdot: np.vecdot,
        np.linalg.matrix_transpose: np.matrix_transpose,
    }
    renamed = {
        "asin": "arcsin",
        "acos": "arccos",
        "atan": "arctan",
        "atan2": "arctan2",
        "asinh": "arcsinh",
        "acosh": "arccosh",
        "atanh": "arctanh",
        "pow": "power",
        "degrees": "rad2deg",
        "radians": "deg2rad",
    }
    same = (
        "sin cos tan sinh cosh tanh exp exp2 expm1 log2 log10 log1p sqrt cbrt fabs fmod "
        "copysign ldexp modf floor ceil trunc isnan isinf isfinite nextafter gcd lcm"
    ).split()
    for name, other in [*renamed.items(), *zip(same, same, strict=True)]:
        for module in (math, cmath):
            if hasattr(module, name):
                table[getattr(module, name)] = getattr(np, other)
    table[cmath.phase] = np.angle
    table[complex.conjugate] = np.conjugate
    methods = (
        "all any argmax argmin argpartition argsort choose clip conj "
        "conjugate copy cumprod cumsum diagonal dot max mean min nonzero prod ravel repeat "
        "reshape round searchsorted squeeze std sum swapaxes take trace transpose var "
        "real imag"
    ).split()
    renamed = {
        "flatten": "ravel",
        "T": "transpose",
        "mT": "matrix_transpose",
        "__getitem__": "__getitem__",
        "shape": "shape",
        "ndim": "ndim",
        "size": "size",
    }
    for owner in (np.ndarray, np.generic):
        for name, other in [*renamed.items(), *zip(methods, methods, strict=True)]:
            if hasattr(owner, name) and hasattr(np, other):
                table[getattr(owner, name)] = getattr(np, other)
    table[np.generic.item] = np.ndarray.item
    table[np.generic.astype] = np.ndarray.astype
    if hasattr(np, "astype"):
        table[np.astype] = np.ndarray.astype
    table[np.ndarray.__getitem__] = operator.getitem
    return table


_ALIASES = _aliases()
_VARARGS = {np.ndarray.reshape, np.ndarray.transpose, np.generic.reshape, np.generic.transpose}
