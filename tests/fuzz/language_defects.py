"""Seeded defects of objects, complex numbers, Python's syntax, and derivatives inside."""

import numpy as np

from adcompiler import runtime
from adcompiler.ir import heap, operations
from adcompiler.ir import types as T
from adcompiler.ir.abstract import Instance
from adcompiler.ir.infer import type_of
from adcompiler.ir.nodes import Value
from adcompiler.runtime import unbroadcast
from tests.fuzz.seeding import around, defect, edit, put, wrong_rule

# -- objects -----------------------------------------------------------------------------------

JOIN = "adcompiler.ir.joins.Join."
INSTANCES = "adcompiler.ir.instances."


def copy_of(thing):
    """Another object with the same fields."""
    if not isinstance(thing, Instance):
        return thing
    made = heap.empty_like(thing)
    heap.put(made, heap.contents(thing))
    return made


def copied(resolver, value):
    """Another array with the same numbers."""
    if isinstance(value, Value) and isinstance(type_of(value), T.Array):
        return operations.apply(resolver, np.array, [value], {})
    return value


defect(
    "objects_split_at_a_branch",
    "Two names of one object are two objects behind a branch.",
    around(JOIN + "merge", lambda old: lambda self, p, q, name: copy_of(old(self, p, q, name))),
    profile="objects",
)
defect(
    "second_arm_changes_no_object",
    "What the second arm of a branch did to an object is lost.",
    edit(
        JOIN + "refill",
        "p, q = self.then.held(thing), self.orelse.held(thing)",
        "p = q = self.then.held(thing)",
    ),
    profile="objects",
)
defect(
    "attribute_write_lost_in_a_loop",
    "What a loop does to an object that was there before is lost.",
    put("adcompiler.ir.loops.changed_objects", lambda resolver, node, before: {}),
    profile="objects",
)
defect(
    "arrays_are_copied_into_objects",
    "An array in an attribute is another one than that which was put in.",
    around(INSTANCES + "set_attribute", lambda old: lambda resolver, base, name, value: (
        old(resolver, base, name, copied(resolver, value))
    )),
    profile="objects",
)  # fmt: skip
defect(
    "override_ignored",
    "A class's own methods are looked for behind those of its bases.",
    edit(
        INSTANCES + "found_on",
        "bases = cls.__mro__",
        "bases = (*cls.__mro__[1:-1], cls, object)",
    ),
    profile="objects",
)
defect(
    "aliased_object_replaced",
    "`dataclasses.replace` changes the object that it is to copy.",
    edit(
        "adcompiler.ir.object_functions.call_replace",
        "return instances.make(resolver, instance.cls, [], {**kept, **keywords})",
        "resolver.replace(instance, {**kept, **keywords}); return instance",
    ),
    profile="objects",
)

# -- complex numbers ---------------------------------------------------------------------------


def _conjugate(g, x):
    return g


def _vdot(g, a, b):
    return np.reshape(g * np.ravel(b), np.shape(a)), np.reshape(g * np.ravel(a), np.shape(b))


def _multiply(x, y):
    return np.real(y), np.real(x)


def _where(g, condition, x, y):
    return unbroadcast(g, x), unbroadcast(g, y)


def _imag(g, val):
    return g * 1j


def _absolute(x, out):
    return x / (out + (out == 0))


def _solve(g, a, b, out):
    transposed = np.conjugate(np.swapaxes(a, -1, -2))
    if np.ndim(b) == 1:
        b_bar = np.linalg.solve(transposed, np.expand_dims(g, -1))[..., 0]
        a_bar = -np.expand_dims(b_bar, -1) * np.expand_dims(out, -2)
        return unbroadcast(a_bar, a), unbroadcast(b_bar, b)
    b_bar = np.linalg.solve(transposed, g)
    a_bar = -np.matmul(b_bar, np.swapaxes(out, -1, -2))
    return unbroadcast(a_bar, a), unbroadcast(b_bar, b)


defect(
    "conjugate_not_conjugated",
    "The adjoint of a conjugate is handed on as it is.",
    wrong_rule(np.conjugate, _conjugate),
    profile="complex",
)
defect(
    "product_not_conjugated",
    "The adjoint of `np.vdot` is that of `np.dot`.",
    wrong_rule(np.vdot, _vdot),
    profile="complex",
)
defect(
    "imaginary_part_dropped",
    "The adjoint of a product takes the real parts of its factors.",
    wrong_rule(np.multiply, _multiply),
    profile="complex",
)
defect(
    "sign_of_imaginary_part",
    "The adjoint of an imaginary part has the wrong sign.",
    wrong_rule(np.imag, _imag),
    profile="complex",
)
defect(
    "modulus_not_conjugated",
    "The derivative of the modulus is z / |z|.",
    wrong_rule(np.absolute, _absolute),
    profile="complex",
)
defect(
    "solve_conjugated",
    "The adjoint of a linear system is solved with the conjugated matrix.",
    wrong_rule(np.linalg.solve, _solve),
    profile="complex",
)
defect(
    "real_parts_are_copies",
    "The real part of a complex array is taken for an array of its own.",
    edit(
        "adcompiler.passes.memory.view_kind",
        "'view' if name == 'T' or (name == 'real' and _is_number(first)) else 'maybe'",
        "'view' if name == 'T' else 'fresh'",
    ),
    profile="complex",
)

# -- syntax ------------------------------------------------------------------------------------

defect(
    "last_case_taken",
    "`match` takes its last case, whatever the subject is.",
    edit("adcompiler.ir.desugar._Desugar.match", "reversed(s.cases)", "s.cases"),
    profile="python",
)
defect(
    "first_option_of_a_pattern_taken",
    "Of a pattern `a | b` only `a` is tested.",
    edit(
        "adcompiler.ir.desugar._Desugar.alternatives",
        "tests.append(_at(p, gast.BoolOp(gast.Or(), options)))",
        "tests.append(options[0])",
    ),
    profile="python",
)
defect(
    "nonlocal_write_lost",
    "A `nonlocal` name is bound in the function that says so, not in the one around it.",
    edit(
        "adcompiler.ir.assignment.bind_name",
        "holder.env[name] = value",
        "frame.env[name] = value",
    ),
    profile="python",
)
defect(
    "else_of_a_loop_always_runs",
    "The `else` of a loop runs although the loop was left.",
    edit(
        "adcompiler.ir.exits._Reducer.loop",
        "after = [self.flag_branch(broke, s, [], after)]",
        "pass",
    ),
    profile="python",
)
defect(
    "condition_forgotten",
    "The adjoint of `np.where` goes to both of its arguments.",
    wrong_rule(np.where, _where),
    profile="python",
)

# -- derivatives inside ------------------------------------------------------------------------


def stopped(resolver, value):
    """What no derivative goes through."""
    if isinstance(value, tuple):
        return tuple(stopped(resolver, item) for item in value)
    if isinstance(value, Value):
        return operations.apply(resolver, runtime.stop_gradient, [value], {})
    return value


defect(
    "derivative_inside_is_constant",
    "No derivative goes through a derivative inside.",
    around("adcompiler.ir.nested.call", lambda old: lambda resolver, *args: (
        stopped(resolver, old(resolver, *args))
    )),
    profile="nested",
)  # fmt: skip
