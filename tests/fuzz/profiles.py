"""How often each construct is written: the parameters of the generator, with names.

A profile weighs statements, expressions, arguments and helper functions by the names of the
productions in `statements`, `expressions` and `generate`. A name left out is never written.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

_SCALARS = {
    "leaf": 5,
    "binary": 6,
    "divide": 1,
    "power": 1,
    "function": 4,
    "conditional": 0.6,
    "index_number": 0.8,
    "call": 0.8,
}

_SCALARS_OF_ARRAYS = {
    "reduce": 2,
    "dot": 1.5,
    "dynamic_sum": 0.7,
    "comprehension": 0.5,
}

_ARRAYS = {
    "read": 5,
    "elementwise": 5,
    "unary": 3,
    "where": 0.5,
    "matmul": 0.8,
    "outer": 0.4,
    "reduced": 0.6,
    "gather": 0.7,
    "joined": 0.6,
    "display": 0.4,
    "filled": 0.4,
    "shifted": 0.5,
    "duplicate": 0.4,
    "array_call": 0.7,
}

_FEW_ARRAYS = {"read": 6, "elementwise": 4, "unary": 2, "filled": 0.5, "duplicate": 0.5}

_SCALAR_STATEMENTS = {
    "new_scalar": 3,
    "set_scalar": 3,
    "augment_scalar": 3,
    "flag": 0.7,
    "cycle": 0.5,
    "unused": 0.4,
    "unpack": 0.5,
}

_CONTROL_STATEMENTS = {
    "branch": 3,
    "for_loop": 3,
    "while_loop": 1.5,
    "leave": 1.2,
    "early_return": 0.7,
    "last_index": 0.4,
    "peeled": 0.3,
}

_ARRAY_STATEMENTS = {
    "new_array": 2,
    "set_array": 1.5,
    "unused_array": 0.3,
}

_WRITES = {
    "augment_array": 2,
    "store_element": 3,
    "store_view": 3,
    "augment_element": 2.5,
    "augment_view": 2.5,
    "store_gather": 0.6,
    "augment_gather": 0.6,
    "store_dynamic": 0.7,
    "fill": 0.3,
    "write_out": 0.5,
    "buffer": 0.7,
}

_ALIASES = {
    "alias": 1.5,
    "bind_view": 2.5,
    "duplicate_array": 0.8,
    "swap": 1.2,
    "rotate": 0.4,
    "branch_alias": 1.2,
    "choose_alias": 0.8,
    "row_loop": 0.8,
    "double_buffer": 0.4,
    "ending_alias": 1.0,
    "rebind_then_write": 0.8,
    "overwritten": 1.2,
}

_CONTAINERS = {
    "new_list": 0.8,
    "grow_list": 0.8,
    "append": 2,
    "pop": 1,
    "write_item": 2.5,
    "set_item": 1,
    "record": 0.6,
    "write_field": 1.5,
}

_CALLS = {"call_helper": 2, "closure": 0.4}

_HELPERS = {
    "pure": 1,
    "writer": 1.5,
    "viewer": 1,
    "chooser": 0.5,
    "maker": 0.7,
    "recursive": 0.5,
    "flexible": 0.4,
}

_OBJECTS = {
    "new_object": 2,
    "object_alias": 0.8,
    "set_attribute": 2.5,
    "store_attribute": 2,
    "call_method": 2.5,
    "set_property": 0.5,
    "operate": 1,
    "swap_objects": 0.8,
    "choose_object": 0.8,
    "object_loop": 1.2,
    "object_list": 0.7,
    "replaced": 0.8,
    "unpack_object": 0.8,
}

_COMPLEX = {
    "new_complex": 1.5,
    "set_complex": 2,
    "new_complex_array": 1.5,
    "complex_buffer": 1,
    "complex_alias": 0.8,
    "store_complex": 2.5,
    "augment_complex_array": 1.2,
    "write_part": 1,
    "bind_part": 0.7,
    "complex_loop": 0.8,
    "fourier": 0.4,
}

_SYNTAX = {
    "match": 2,
    "try": 1,
    "errstate": 0.5,
    "loop_else": 0.8,
    "walrus": 1,
    "star_unpack": 0.8,
    "deep_unpack": 0.7,
    "nonlocal": 1.2,
    "functions_held": 0.8,
    "partial": 0.6,
    "star_call": 0.6,
    "made_function": 0.6,
    "array_of_lists": 0.4,
    "assertion": 0.2,
}

_SELECTIONS = {
    "new_mask": 0.6,
    "store_mask": 1.5,
    "store_where": 1.5,
    "out_of_view": 0.8,
    "named_out": 0.4,
    "ufunc_at": 0.8,
    "store_pairs": 0.8,
    "view_chain": 1,
    "rows_written": 0.8,
}

_DERIVATIVES = {"inner_gradient": 1.5, "helper_gradient": 0.8}

_TREES = {"record": 1, "pair": 0.6, "list": 0.6, "object": 1}
"""Arguments that are structures."""


def _times(factor, weights):
    return {name: factor * weight for name, weight in weights.items()}


@dataclass(frozen=True)
class Theme:
    """Productions that belong together: one makes what the others use."""

    statements: Mapping[str, float]
    scalars: Mapping[str, float] = field(default_factory=dict)
    arrays: Mapping[str, float] = field(default_factory=dict)
    class_counts: tuple[int, ...] = (0,)


@dataclass(frozen=True)
class Profile:
    """Weights of productions by name, and the sizes of programs.

    Each program has a few of the `themes`: with all at once it would hardly get past beginnings.
    """

    name: str
    statements: Mapping[str, float]
    scalars: Mapping[str, float]
    arrays: Mapping[str, float]
    arguments: Mapping[str, float]
    helpers: Mapping[str, float]
    helper_counts: tuple[int, ...] = (0, 0, 1, 2)
    class_counts: tuple[int, ...] = (0,)
    length: tuple[int, int] = (3, 8)
    nesting: int = 2
    depth: int = 2
    """Levels of an expression."""
    integer_argument: float = 0.2
    themes: tuple[Theme, ...] = ()
    themes_at_once: tuple[int, int] = (1, 3)

    def with_themes(self, themes):
        """The profile with the productions of some themes."""
        merged = {
            name: {
                **getattr(self, name),
                **{k: w for t in themes for k, w in getattr(t, name).items()},
            }
            for name in ("statements", "scalars", "arrays")
        }
        counts = [t.class_counts for t in themes if t.class_counts != (0,)]
        return replace(self, **merged, class_counts=counts[0] if counts else self.class_counts)

    def of_program(self, draw):
        """The profile of one program."""
        left = list(self.themes)
        count = min(draw.integer(*self.themes_at_once), len(left))
        chosen = [left.pop(draw.integer(0, len(left) - 1)) for _ in range(count)]
        return self.with_themes(chosen) if chosen else self


PROFILES = {
    profile.name: profile
    for profile in (
        Profile(
            "scalar",
            statements={**_SCALAR_STATEMENTS, "branch": 1, "for_loop": 1, "while_loop": 0.4},
            scalars=_SCALARS,
            arrays=_FEW_ARRAYS,
            arguments={"float": 1},
            helpers={"pure": 1, "recursive": 0.3},
            depth=3,
        ),
        Profile(
            "control",
            statements={
                **_SCALAR_STATEMENTS,
                **_CONTROL_STATEMENTS,
                "store_element": 1,
                "augment_element": 1,
                "call_helper": 0.7,
                "append": 0.5,
                "new_list": 0.4,
                "pop": 0.3,
            },
            scalars={**_SCALARS, "reduce": 1, "comprehension": 0.3},
            arrays=_FEW_ARRAYS,
            arguments={"float": 3, "vector": 1},
            helpers={"pure": 1, "recursive": 1},
            length=(3, 7),
            nesting=3,
            integer_argument=0.4,
        ),
        Profile(
            "alias",
            statements={
                **_WRITES,
                **_ALIASES,
                "new_array": 0.7,
                "set_array": 1,
                "augment_scalar": 0.7,
                "new_scalar": 0.5,
                "branch": 1.5,
                "for_loop": 2,
                "while_loop": 0.5,
                "leave": 0.4,
                "new_list": 0.8,
                "append": 0.5,
                "write_item": 3,
                "record": 0.3,
                "write_field": 1,
                "call_helper": 1.5,
                "cycle": 0.2,
            },
            scalars={**_SCALARS, "conditional": 0.2, "reduce": 1.5, "dot": 0.7},
            arrays={"read": 6, "elementwise": 4, "unary": 2, "gather": 0.4, "duplicate": 0.3},
            arguments={"float": 1, "vector": 4, "matrix": 2},
            helpers={"writer": 2, "viewer": 1.5, "chooser": 1, "maker": 0.3, "recursive": 0.5},
            helper_counts=(0, 1, 1, 2),
            length=(4, 9),
            depth=1,
        ),
        Profile(
            "containers",
            statements={
                **_CONTAINERS,
                **_CALLS,
                "new_list": 2,
                "grow_list": 1.5,
                "record": 1,
                "new_scalar": 1,
                "augment_scalar": 1.5,
                "new_array": 0.7,
                "store_element": 1.5,
                "augment_view": 1,
                "augment_array": 1,
                "bind_view": 0.8,
                "swap": 0.4,
                "row_loop": 0.5,
                "branch": 1.5,
                "for_loop": 2,
                "while_loop": 0.5,
                "leave": 0.4,
            },
            scalars={**_SCALARS, "reduce": 1, "comprehension": 1.5, "call": 1.5},
            arrays={**_FEW_ARRAYS, "joined": 1, "array_call": 1},
            arguments={"float": 2, "vector": 3, "matrix": 1},
            helpers=_HELPERS,
            helper_counts=(0, 1, 2, 2),
            length=(4, 9),
            depth=1,
        ),
        Profile(
            "objects",
            statements={
                **_OBJECTS,
                "new_scalar": 1,
                "augment_scalar": 1.5,
                "new_array": 0.5,
                "augment_array": 0.7,
                "bind_view": 0.7,
                "store_element": 1,
                "branch": 2,
                "for_loop": 1.5,
                "while_loop": 0.4,
                "leave": 0.5,
                "early_return": 0.2,
                "call_helper": 1.2,
                "match": 0.4,
                "new_list": 0.2,
                "nonlocal": 0.2,
            },
            scalars={**_SCALARS, "of_object": 3, "reduce": 1},
            arrays=_FEW_ARRAYS,
            arguments={"float": 2, "vector": 3, **_TREES},
            helpers={"pure": 1, "maker": 0.5},
            helper_counts=(0, 0, 1),
            class_counts=(1, 1, 2, 2, 3),
            depth=1,
        ),
        Profile(
            "complex",
            statements={
                **_COMPLEX,
                "new_scalar": 1,
                "augment_scalar": 1.5,
                "augment_array": 0.5,
                "store_element": 0.7,
                "swap": 0.3,
                "branch": 1.2,
                "for_loop": 1.5,
                "while_loop": 0.4,
                "leave": 0.3,
                "closure": 0.2,
                "call_helper": 0.5,
            },
            scalars={**_SCALARS, "of_complex": 4, "reduce": 1},
            arrays={**_FEW_ARRAYS, "of_complex": 2},
            arguments={"float": 2, "vector": 3, "matrix": 1},
            helpers={"pure": 1, "writer": 0.5},
            helper_counts=(0, 0, 1),
            depth=1,
        ),
        Profile(
            "python",
            statements={
                **_SYNTAX,
                **_SELECTIONS,
                "new_scalar": 1,
                "set_scalar": 1,
                "augment_scalar": 2,
                "flag": 0.5,
                "cycle": 0.6,
                "new_array": 0.7,
                "store_element": 1,
                "augment_element": 0.7,
                "branch": 1.2,
                "for_loop": 2,
                "while_loop": 0.7,
                "leave": 0.6,
                "early_return": 0.4,
                "row_loop": 0.4,
                "call_helper": 1,
                "closure": 0.4,
            },
            scalars={
                **_SCALARS,
                "nested_comprehension": 1.5,
                "builtin": 1,
                "masked": 0.8,
                "reduce": 0.7,
            },
            arrays={**_FEW_ARRAYS, "selected": 1, "gather": 0.5},
            arguments={"float": 2, "vector": 3, "matrix": 2},
            helpers={"pure": 1, "flexible": 1.5, "writer": 0.5, "maker": 0.4},
            helper_counts=(0, 1, 1, 2),
            depth=1,
            integer_argument=0.4,
        ),
        Profile(
            "nested",
            statements={
                **_times(2, _DERIVATIVES),
                "new_scalar": 1,
                "augment_scalar": 1.5,
                "set_scalar": 0.7,
                "new_array": 0.7,
                "store_element": 1,
                "augment_array": 0.7,
                "bind_view": 0.5,
                "branch": 1.2,
                "for_loop": 1.5,
                "while_loop": 0.3,
                "leave": 0.3,
                "call_helper": 0.5,
            },
            scalars={**_SCALARS, "reduce": 1, "dot": 0.7},
            arrays=_FEW_ARRAYS,
            arguments={"float": 3, "vector": 3, "record": 0.3},
            helpers={"pure": 1},
            helper_counts=(0, 1, 1),
            length=(2, 6),
            depth=1,
        ),
        Profile(
            "all",
            statements={
                **_SCALAR_STATEMENTS,
                **_CONTROL_STATEMENTS,
                **_ARRAY_STATEMENTS,
                **_WRITES,
                **_CALLS,
            },
            scalars={**_SCALARS, **_SCALARS_OF_ARRAYS},
            arrays=_ARRAYS,
            arguments={"float": 2, "vector": 3, "matrix": 2, **_times(0.3, _TREES)},
            helpers=_HELPERS,
            helper_counts=(0, 1, 1, 2),
            length=(4, 9),
            themes=(
                Theme(_ALIASES),
                Theme(_CONTAINERS),
                Theme(_times(2, _OBJECTS), {"of_object": 1.5}, class_counts=(1, 1, 2)),
                Theme(_times(2, _COMPLEX), {"of_complex": 1.5}, {"of_complex": 1}),
                Theme(_times(2, _SYNTAX), {"nested_comprehension": 1, "builtin": 0.7}),
                Theme(_times(2, _SELECTIONS), {"masked": 0.7}, {"selected": 0.7}),
                Theme(_times(2, _DERIVATIVES)),
            ),
        ),
    )
}
