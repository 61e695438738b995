"""`base.name`, and what it tells of an array: its shape, its size, its parts, its class.

`x.shape` is a tuple of lengths; of an object from outside its attributes are read now, and guarded.
"""

from __future__ import annotations

import operator
import types as python_types
from typing import TYPE_CHECKING, Any

import numpy as np

from adcompiler import errors
from adcompiler.ir import calls, indexing, instances, operations
from adcompiler.ir import types as T
from adcompiler.ir.abstract import Closure, Instance, KnownDict, Method, Partial, RangeOf, Super
from adcompiler.ir.guards import ABSENT
from adcompiler.ir.infer import type_of
from adcompiler.ir.nodes import Constant, Op, Slice, dimension

if TYPE_CHECKING:
    from adcompiler.ir.resolve import Resolver


def get_attribute(resolver: Resolver, base: Any, name: str) -> Any:
    """`base.name`."""
    if isinstance(base, (Instance, Super)):
        return instances.get_attribute(resolver, base, name)
    if isinstance(base, tuple) and name in getattr(base, "_fields", ()):
        return resolver.usable(getattr(base, name))
    if isinstance(base, tuple) and hasattr(base, "_fields"):
        if name in ("_replace", "_asdict"):
            return Method(base, name)
        held = instances.found_on(type(base), name)
        if isinstance(held, property):
            resolver.guard(type(base), name, held)
            return calls.call(resolver, Constant(held.fget), [base], {})
        if isinstance(held, python_types.FunctionType):
            resolver.guard(type(base), name, held)
            return Partial(Constant(held), (base,), {})
    if isinstance(base, Constant) and not isinstance(
        base.value, (*operations.NUMBER, np.ndarray, str)
    ):
        held = instances.found_on(type(base.value), name)
        if isinstance(held, property) and instances.is_of_users_class(base.value):
            resolver.guard(type(base.value), name, held)
            return calls.call(resolver, Constant(held.fget), [base], {})
        try:
            value = getattr(base.value, name)
        except AttributeError:
            raise resolver.error(
                f"`.{name}`",
                f"{base!r} has no such attribute",
                "check the spelling and the version of the module",
            ) from None
        if isinstance(base.value, python_types.ModuleType):
            if not base.value.__name__.startswith(("numpy", "math", "adcompiler")):
                resolver.guard(base.value, name, value)
            return resolver.constant(value, _module_path(base, name, value))
        resolver.guard(base.value, name, value)
        return resolver.foreign(value)
    if isinstance(base, Closure) and name in ("__name__", "__qualname__"):
        return Constant(base.tree.name)
    if isinstance(base, (Slice, RangeOf)) and name in ("start", "stop", "step"):
        return getattr(base, name)
    if isinstance(base, Partial) and name in ("func", "args", "keywords"):
        return {"func": base.function, "args": base.args, "keywords": dict(base.keywords)}[name]
    kind = type_of(base)
    if isinstance(kind, T.Array):
        if name == "shape":
            return shape(resolver, base)
        if name == "ndim" and kind.shape is not None:
            return Constant(len(kind.shape))
        if name == "size":
            return size(resolver, base)
        if name == "dtype":
            return Constant(np.dtype(kind.dtype))
        if name in ("real", "imag") and kind_is_real(kind):
            return part_of_real(resolver, base, name)
        if name in ("T", "real", "imag"):
            return operations.apply(resolver, getattr, [base, Constant(name)], {})
        if name == "mT":
            return operations.apply(resolver, np.matrix_transpose, [base], {})
        if name == "flat":
            return indexing.Flat(base)
        if hasattr(np.ndarray, name):
            return Method(base, name)
        raise resolver.error(f"`.{name}`", "an array has no such attribute", "check the spelling")
    if isinstance(kind, T.Scalar):
        if name == "shape":
            return ()
        if name == "ndim":
            return Constant(0)
        if name == "T":
            return base
        if name in ("real", "imag") and kind_is_real(kind):
            return part_of_real(resolver, base, name)
        if name in ("real", "imag"):
            return operations.apply(resolver, getattr, [base, Constant(name)], {})
        if name == "dtype" and kind.dtype is not None:
            return Constant(np.dtype(kind.dtype))
        return Method(base, name)
    if isinstance(kind, T.Unknown) and hasattr(np.ndarray, name):
        if callable(getattr(np.ndarray, name)):
            return Method(base, name)
        return operations.apply(resolver, getattr, [base, Constant(name)], {})
    owner = {T.List: list}.get(type(kind)) or runtime_class(base)
    if owner is not None and not hasattr(owner, name):
        raise resolver.error(
            f"`.{name}`", f"a {owner.__name__} has no such attribute", "check the spelling"
        )
    if isinstance(kind, T.Object) and not callable(getattr(owner, name)):
        raise resolver.error(
            f"`.{name}` of a {owner.__name__}",
            "what it holds is only known at run time",
            "use the value itself",
        )
    return Method(base, name)


def has_attribute(resolver: Resolver, base: Any, name: str) -> bool:
    """Whether a thing has an attribute."""
    if isinstance(base, Instance):
        found = instances.found_on(base.cls, name) is not instances.MISSING
        if not found:
            resolver.guard(base.cls, name, ABSENT)
        return found or name in base.fields
    if isinstance(base, Constant):
        found = hasattr(base.value, name)
        held = instances.found_on(type(base.value), name)
        if held is not instances.MISSING:
            resolver.guard(type(base.value), name, getattr(type(base.value), name))
        else:
            resolver.guard(base.value, name, getattr(base.value, name, ABSENT))
        return found
    owner = runtime_class(base)
    if owner is None:
        raise errors.ResolveError(
            f"whether there is an attribute `{name}`",
            reason="the type is not known at compile time",
            remedy="drop the test",
        )
    return name in getattr(base, "_fields", ()) or hasattr(owner, name)


def _module_path(base: Constant, name: str, value: Any) -> str | None:
    if (isinstance(value, (*operations.NUMBER, np.ndarray)) or value is np.mgrid) and base.name:
        return f"{base.name}.{name}"
    return None


def shape(resolver: Resolver, array: Any) -> Any:
    """`np.shape(array)`: a tuple of lengths where the rank is known."""
    kind = type_of(array)
    if isinstance(kind, T.Scalar):
        return ()
    if isinstance(kind, T.Array) and kind.shape is not None:
        return tuple(length(resolver, array, axis) for axis in range(len(kind.shape)))
    if isinstance(array, (list, tuple)):
        raise resolver.error("shape of a list", "", "make it an array first")
    out = resolver.value(T.UNKNOWN)
    resolver.add(Op(np.shape, [array], {}, [out]))
    return out


def length(resolver: Resolver, array: Any, axis: int) -> Any:
    """The length of one axis, as a constant where it is known."""
    kind = type_of(array)
    dim = kind.shape[axis]
    if dim.constant is not None:
        return Constant(dim.constant)
    known = resolver.known_length(dim)
    if known is not None:
        array, axis = known
    out = resolver.value(T.Scalar("int", None, dim))
    resolver.add(Op(dimension, [array, Constant(axis)], {}, [out]))
    return out


def size(resolver: Resolver, array: Any) -> Any:
    kind = type_of(array)
    if not isinstance(kind, T.Array) or kind.shape is None:
        return resolver.op(np.size, array)
    total: Any = Constant(1)
    for axis in range(len(kind.shape)):
        n = length(resolver, array, axis)
        one = isinstance(total, Constant) and total.value == 1
        total = n if one else resolver.op(operator.mul, total, n)
    return total


def runtime_class(value: Any) -> type | None:
    """The Python class of an abstract value."""
    if isinstance(value, Constant):
        return type(value.value)
    if isinstance(value, KnownDict):
        return value.made
    if isinstance(value, (tuple, list, dict)):
        return type(value)
    if isinstance(value, Instance):
        return value.cls
    match type_of(value):
        case T.Array():
            return np.ndarray
        case T.Scalar(kind=kind, dtype=None):
            return {"bool": bool, "int": int, "float": float, "complex": complex}[kind]
        case T.Scalar(dtype=dtype):
            return np.dtype(dtype).type
        case T.List():
            return list
        case T.Object(cls=cls):
            return cls
    return None


def kind_is_real(kind: Any) -> bool:
    """Whether it is known that there is no imaginary part."""
    return isinstance(kind, (T.Array, T.Scalar)) and kind.kind != "complex"


def part_of_real(resolver: Resolver, number: Any, name: str) -> Any:
    """`x.real` of what is real is `x` itself, the same object; `x.imag` are zeros."""
    kind = type_of(number)
    if name == "real":
        return number
    if isinstance(kind, T.Array):
        return operations.apply(resolver, np.zeros_like, [number], {})
    if kind.dtype is not None:
        return Constant(np.dtype(kind.dtype).type(0))
    return Constant(0.0 if kind.kind == "float" else 0)
