"""Executes the IR directly: the meaning of every statement, with nothing clever.

This is the reference that emitted code is tested against.  A load always copies, no two values
share storage, in-place operators compute and leave the writing to `Store`.

>>> import operator
>>> from adcompiler.ir.nodes import Block, Constant, Function, Op, Value
>>> x, y = Value("x", None), Value("y", None)
>>> square = Function("square", Block([x], [Op(operator.mul, [x, x], {}, [y])], [y]))
>>> interpret(square, 3.0)
9.0
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

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
    Path,
    Pop,
    Raise,
    Slice,
    Store,
    Value,
    View,
)
from adcompiler.ir.types import List, Ref, Scalar

OUT_OF_PLACE: dict[Callable, Callable] = {
    operator.iadd: operator.add,
    operator.isub: operator.sub,
    operator.imul: operator.mul,
    operator.itruediv: operator.truediv,
    operator.ifloordiv: operator.floordiv,
    operator.imod: operator.mod,
    operator.ipow: operator.pow,
    operator.imatmul: operator.matmul,
    operator.iand: operator.and_,
    operator.ior: operator.or_,
    operator.ixor: operator.xor,
    operator.ilshift: operator.lshift,
    operator.irshift: operator.rshift,
}
"""What an in-place operator computes; as an `Op` it writes nothing."""


def interpret(function: Function, *args: Any) -> Any:
    """Call the program; its arguments are left as they are unless a parameter is a reference."""
    if len(args) != len(function.params):
        raise TypeError(f"{function.name} takes {len(function.params)} arguments, got {len(args)}")
    env: dict[Value, Any] = dict(zip(function.params, args, strict=True))
    _run(function.body, env)
    return _read(function.body.results[0], env)


def _run(block: Block, env: dict[Value, Any]) -> None:
    for statement in block.statements:
        _execute(statement, env)


def _execute(statement: Any, env: dict[Value, Any]) -> None:
    match statement:
        case Op(args=args, keywords=keywords, outs=outs):
            results = _call(statement, args, keywords, env)
            if len(outs) == 1:
                env[outs[0]] = results
            elif outs:
                env.update(zip(outs, results, strict=True))
        case New(source=source, out=out):
            deep = not _items_are_references(source) and _items_are_references(out)
            env[out] = _fresh(_read(source, env), deep)
        case View(ref=ref, args=args, keywords=keywords, out=out):
            if statement.fn is operator.getitem:
                env[out] = _read(ref, env)[_index(args[0], env) if args[0] else ...]
            else:
                env[out] = _call(statement, [ref, *args], keywords, env)
        case Load(ref=ref, path=path, out=out):
            held = _read(ref, env)
            if path or isinstance(out.type, Scalar):
                held = held[_index(path, env)]
            env[out] = held if isinstance(out.type, Ref) else _fresh(held, _is_deep(out))
        case Store(ref=ref, path=path, value=value):
            _read(ref, env)[_place(ref, path, env)] = _read(value, env)
        case Accumulate(ref=ref, path=path, value=value):
            held = _read(ref, env)
            if isinstance(held, list):
                i = _index(path, env)
                held[i] = held[i] + _read(value, env)
            else:
                np.add.at(held, _place(ref, path, env), _read(value, env))
        case Append(ref=ref, value=value, at=None):
            _read(ref, env).append(_read(value, env))
        case Append(ref=ref, value=value, at=at):
            _read(ref, env).insert(_read(at, env), _read(value, env))
        case Pop(ref=ref, out=out, at=at):
            env[out] = _read(ref, env).pop(-1 if at is None else _read(at, env))
        case If(test=test, then=then, orelse=orelse, outs=outs):
            taken = then if _read(test, env) else orelse
            _run(taken, env)
            env.update(zip(outs, [_pass(r, env) for r in taken.results], strict=True))
        case Loop():
            _loop(statement, env)
        case Raise(exception=exception):
            raise _read(exception, env)
        case _:
            raise TypeError(type(statement))


def _loop(loop: Loop, env: dict[Value, Any]) -> None:
    values = [_pass(init, env) for init in loop.inits]
    trips: Any = iter(int, 1)  # endless
    if loop.domain is not None:
        domain = loop.domain
        trips = range(*(_read(x, env) for x in (domain.start, domain.stop, domain.step)))
        trips = reversed(trips) if domain.reverse else trips
    for trip in trips:
        if loop.index is not None:
            env[loop.index] = trip
        env.update(zip(loop.carried, values, strict=True))
        _run(loop.body, env)
        stop = loop.stops and _read(loop.body.results[0], env)
        values = [_pass(result, env) for result in loop.next]
        if stop:
            break
    env.update(zip(loop.outs, values, strict=True))


def _call(statement: Op | View, args: list, keywords: dict, env: dict[Value, Any]) -> Any:
    fn = statement.fn
    if fn is operator.getitem and isinstance(args[1], tuple):
        return _read(args[0], env)[_index(args[1], env)]
    values = [_read(arg, env) for arg in args]
    if isinstance(fn, Function):
        return interpret(fn, *values)
    if fn is operator.iadd and isinstance(values[0], list):
        return [*values[0], *values[1]]
    fn = OUT_OF_PLACE.get(fn, fn)
    return fn(*values, **{key: _read(value, env) for key, value in keywords.items()})


def _read(operand: Operand, env: dict[Value, Any]) -> Any:
    """What the operand is; a name that is not bound raises, as in Python."""
    if isinstance(operand, Value):
        value = env[operand]
        if value is UNBOUND:
            raise UnboundLocalError(operand.name)
        return value
    if isinstance(operand, Constant):
        if operand is UNBOUND:
            raise UnboundLocalError
        return operand.value
    if isinstance(operand, Slice):
        return slice(_read(operand.start, env), _read(operand.stop, env), _read(operand.step, env))
    return type(operand)(_read(item, env) for item in operand)


def _pass(operand: Operand, env: dict[Value, Any]) -> Any:
    """What a join passes on: being unbound is passed on too."""
    if operand is UNBOUND:
        return UNBOUND
    return env[operand] if isinstance(operand, Value) else _read(operand, env)


def _index(path: Path, env: dict[Value, Any]) -> Any:
    index = _read(path, env)
    return index[0] if len(index) == 1 else index


def _place(ref: Value, path: Path, env: dict[Value, Any]) -> Any:
    if path:
        return _index(path, env)
    return slice(None) if isinstance(env[ref], list) else ...


def _fresh(value: Any, deep: bool) -> Any:
    if isinstance(value, np.ndarray):
        return value.copy("K")
    if isinstance(value, list):
        return [_fresh(item, deep) for item in value] if deep else list(value)
    return value


def _is_deep(value: Value) -> bool:
    return not _items_are_references(value)


def _items_are_references(operand: Operand) -> bool:
    if isinstance(operand, list):
        return any(map(_items_are_references, operand))
    type = getattr(operand, "type", None)
    if isinstance(type, Ref):
        if not isinstance(operand, Value) or not isinstance(type.target, List):
            return True
        type = type.target
    return isinstance(type, List) and isinstance(type.item, Ref)
