"""Seeded defects: the compiler with one thing left out, to prove that the fuzzer would notice.

    python -m tests.fuzz.defects                    the table, as measured last
    python -m tests.fuzz.defects --measure          look for each again, and record it
    python -m tests.fuzz.defects --measure store_   only those with this in their names
    python -m tests.fuzz.defects --show restore     the first program that finds a defect

A defect has a name, a reason in a line, the profile of programs that should find it, and a change
(or several) of the compiler as in `patching`. Its derivatives are compared in `modes`. Numbers must
give it away: a program is wrong, crashes, or changes an argument, while without the defect it does
not. How many programs that takes with the verifiers of the IR at work is counted beside it.

Here are the defects of memory, loops and passes; those of objects, complex numbers and the rest of
Python are in `language_defects`.
"""

import argparse
import json
import sys
from functools import partial
from pathlib import Path

import numpy as np

from adcompiler.api import pipeline
from adcompiler.ir import types
from adcompiler.ir.nodes import (
    Load,
    Loop,
    New,
    Op,
    Restore,
    Store,
    Value,
    blocks,
    rewrite,
    walk,
)
from adcompiler.passes import saving
from adcompiler.passes.builder import ZERO
from tests.fuzz.check import Outcome, check
from tests.fuzz.generate import HEADER, generate
from tests.fuzz.patching import replaced
from tests.fuzz.seeding import DEFECTS, Defect, around, defect, edit, put, wrong_rule

MOST_PROGRAMS = 2000
RECORDS = Path(__file__).with_name("defects.json")


def detected(defect: Defect, program, verifying=False) -> Outcome | None:
    """The failure of the program, if the defect is what makes it fail."""
    checks, placed = (pipeline.CHECKS, saving.PLACED) if verifying else ([], [])
    with (
        replaced("adcompiler.api.pipeline.CHECKS", checks),
        replaced("adcompiler.passes.saving.PLACED", placed),
    ):
        with defect.installed():
            outcome = check(program, defect.modes)
        if outcome.failed and not check(program, defect.modes).failed:
            return outcome
    return None


def first_detection(defect: Defect, count=MOST_PROGRAMS, seed=0) -> tuple[int, Outcome] | None:
    """How many programs it takes until numbers give the defect away, and how; or None."""
    for number in range(count):
        outcome = detected(defect, generate(seed + number, defect.profile))
        if outcome is not None:
            return number + 1, outcome
    return None


def first_detections(defect: Defect, count=MOST_PROGRAMS, seed=0):
    """The same, and how many programs it takes with the verifier at work."""
    verified = None
    for number in range(count):
        program = generate(seed + number, defect.profile)
        outcome = detected(defect, program, verifying=True)
        if outcome is None:
            continue
        verified = verified or number + 1
        if "VerifyError" in outcome.reason:
            outcome = detected(defect, program)
        if outcome is not None:
            return number + 1, verified, outcome
    return None, verified, None


# -- rolling back and saving -------------------------------------------------------------------

DIFFERENTIATE = "adcompiler.passes.differentiate."
REVERSE = DIFFERENTIATE + "_Reverse."
PLACING = "adcompiler.passes.saving._Placing."


def nothing(*args):
    return None


def yes(*args):
    return True


def no(*args):
    return False


def empty_set(*args):
    return set()


def to_the_end(old, chosen):
    """Mirror a block, then move some of its statements to its end."""

    def block(self, *args):
        mirror = self.writer.block
        old(self, *args)
        kept = [s for s in mirror.statements if not chosen(s)]
        mirror.statements = kept + [s for s in mirror.statements if chosen(s)]

    return block


def is_zeroing(statement):
    return isinstance(statement, Store) and statement.value is ZERO


defect(
    "restore_dropped",
    "A reversed store does not put back what it overwrote.",
    put(PLACING + "restore", nothing),
)
defect(
    "restored_too_late",
    "What stores overwrote is put back at the end of the mirror block, behind those who read it.",
    around(REVERSE + "block", lambda old: to_the_end(old, lambda s: isinstance(s, Restore))),
)
defect(
    "no_store_follows",
    "No store is thought to run after a reload, so none is undone.",
    put(PLACING + "may_spoil", no),
)
defect(
    "other_trips_forgotten",
    "Stores of later trips of a shared loop are not undone.",
    edit(PLACING + "may_spoil", "self.lives_on(self.classes.find(load.ref), loop)", "False"),
)
defect(
    "reload_always_valid",
    "A load is done again although a store has come between: an operand its own statement "
    "overwrites.",
    put(PLACING + "unchanged", yes),
)
defect(
    "loops_on_the_way_forgotten",
    "A load outside a loop is done again inside, although the loop stores into its class.",
    edit(
        PLACING + "unchanged",
        "if isinstance(leading, Loop) and self.changes(leading, root): return False",
        "pass",
    ),
)
defect(
    "stores_always_elsewhere",
    "A store that may overwrite what is reloaded is taken for one at another place.",
    put("adcompiler.analysis.places._Question.apart", yes),
)
defect(
    "elsewhere_one_off",
    "Stores at the very index of the reload count as stores at a higher index.",
    edit("adcompiler.analysis.inequalities.add", "constant < 0", "constant <= 0"),
)
defect(
    "kept_where_it_is_overwritten",
    "A number is fetched from the place it was stored to, by readers that come too late for that.",
    put(PLACING + "holds", yes),
)
defect(
    "last_value_of_what_is_carried",
    "The backward sweep reads numbers, flags and indices that a loop carries as they ended.",
    around(PLACING + "is_free", lambda old: lambda self, value, site: (
        ended(self, value) is not None or old(self, value, site)
    )),
    around(PLACING + "at_hand", lambda old: lambda self, value, *rest: (
        old(self, value if ended(self, value) is None else ended(self, value), *rest)
    )),
    profile="control",
)  # fmt: skip


def ended(placing, value):
    """What a number that an outermost loop carries is in the end; None for other values."""
    block = placing.record.home.get(value)
    loop = placing.record.owner.get(block)
    if not isinstance(loop, Loop) or value not in loop.carried or value in placing.record.indices:
        return None
    out = loop.outs[loop.carried.index(value)]
    outermost = not placing.record.loops[placing.record.place[loop]]
    return out if outermost and isinstance(value.type, types.Scalar) else None


defect(
    "saves_taken_from_the_front",
    "What was saved first is taken first.",
    edit(
        "adcompiler.backends.expressions.Expressions.right_side",
        "place = [] if at is None else [self.operand(at)]",
        "place = [ast.Constant(0)] if (ref.name or '').endswith('_saved')"
        " else [] if at is None else [self.operand(at)]",
    ),
    profile="control",
)

# -- adjoints of memory ------------------------------------------------------------------------

defect(
    "zeroing_dropped",
    "The adjoint of a place that was overwritten is not set to zero.",
    edit(REVERSE + "store", "writer.add(Store(ref, statement.path, zero))", "None", 2),
)
defect(
    "zeroing_after_adding",
    "The adjoints of places are set to zero at the end of the mirror block, after what was added.",
    around(REVERSE + "block", lambda old: to_the_end(old, is_zeroing)),
)
defect(
    "all_writes_count",
    "a[[0, 0]] = v credits every item that was written to a place, not the last.",
    put(REVERSE + "last_writes", lambda self, statement, g: g),
)
defect(
    "repeats_added_once",
    "The adjoint of x[[0, 0]] is added with +=, which counts repeated indices once.",
    put("adcompiler.backends.statements._may_repeat", no),
)
defect(
    "shadows_born_once",
    "The adjoint of an array that is made in each trip is born once, before all trips.",
    edit(REVERSE + "shadow", "self.record.home[ref]", "self.function.body"),
)
defect(
    "buffers_born_once",
    "The adjoint of a value that is made in each trip is collected in one buffer for all trips.",
    edit(REVERSE + "buffer", "self.record.home[value]", "self.function.body"),
)
defect(
    "shadows_not_carried",
    "References that meet at joins and in lists do not take their shadows along.",
    put(REVERSE + "dynamic_classes", empty_set),
)
defect(
    "shadows_not_swapped",
    "The shadow that a loop carries stays while its reference moves on.",
    edit(
        REVERSE + "carry_shadows",
        "statement.body.results.append(self.shadow_operand(following[k]))",
        "statement.body.results.append(self.carried_shadow[params[k]])",
    ),
)

# -- shapes ------------------------------------------------------------------------------------

defect(
    "unbroadcast_dropped",
    "Adjoints are not summed down to the shape of what was broadcast.",
    put("adcompiler.passes.builder.Builder.fitted", lambda self, g, like: g),
)
defect(
    "no_length_is_one",
    "An axis of unknown length is taken for one that was not broadcast.",
    put("adcompiler.passes.builder.never_one", yes),
)

# -- alias classes -----------------------------------------------------------------------------

OBJECTS = "adcompiler.passes.memory._ToMemory."
CLASSES = "adcompiler.analysis.activity.memory_classes"
EMITTED = "adcompiler.analysis.classes._Unifier.block"

defect(
    "back_edges_of_objects_ignored",
    "What a loop hands to its next trip may share storage with what it got; not here.",
    edit(
        OBJECTS + "unify",
        """
        self.join(param, following)
        self.join(param, out)
        """,
        "self.join(param, out)",
    ),
)
defect(
    "back_edges_of_memory_ignored",
    "The same, in the classes that the backward sweep goes by.",
    edit(CLASSES, "join(param, following)", "None"),
)
defect(
    "back_edges_ignored_when_printing",
    "The same, in the classes by which the emitter decides what to copy.",
    edit(EMITTED, "self.join(param, after)", "None"),
)
defect(
    "branches_of_objects_ignored",
    "A name that is one of two arrays after a branch shares storage with neither.",
    edit(
        OBJECTS + "unify",
        """
        self.join(out, a)
        self.join(out, b)
        """,
        "pass",
    ),
)
defect(
    "branches_of_memory_ignored",
    "The same, in the classes that the backward sweep goes by.",
    edit(
        CLASSES,
        """
        join(out, a)
        join(out, b)
        """,
        "pass",
    ),
)
defect(
    "lists_share_nothing",
    "An array in a list is thought to be another one than that which was put in.",
    edit(OBJECTS + "put", "self.join(self.content(holder), part)", "None"),
    profile="containers",
)
defect(
    "view_of_a_temporary_is_a_value",
    "A view of a view without a name is taken for an array of its own.",
    around("adcompiler.passes.memory.view_kind", lambda old: lambda op: (
        "fresh" if op.args and isinstance(op.args[0], Value) and op.args[0].name is None
        else old(op)
    )),
)  # fmt: skip
defect(
    "transpose_is_a_copy",
    "a.T and its like are taken for arrays of their own.",
    put("adcompiler.passes.memory.ALWAYS_VIEW", set()),
    edit("adcompiler.passes.memory.view_kind", "return 'view'", "return 'fresh'", 2),
    edit(
        "adcompiler.passes.memory.view_kind",
        "'view' if name == 'T' or (name == 'real' and _is_number(first)) else 'maybe'",
        "'fresh'",
    ),
)
defect(
    "reshape_is_a_view",
    "B.T.reshape(6) is taken for a view: it is a copy.",
    edit(
        "adcompiler.passes.memory.view_kind",
        "first.contiguous",
        "True",
    ),
)
defect(
    "entry_copy_dropped",
    "An argument that is written is not copied first.",
    around("adcompiler.backends.plan.Plan.is_owned", lambda old: lambda self, value: (
        value in self.function.params or old(self, value)
    )),
)  # fmt: skip

# -- control flow ------------------------------------------------------------------------------

defect(
    "common_adjoint_dropped",
    "If both branches give a value the same adjoint, it is dropped.",
    edit(REVERSE + "branch", "if a is not None: self.adjoint[value] = a", "pass"),
    profile="control",
)
defect(
    "branches_swapped",
    "The mirror of a branch takes the other side.",
    edit(
        REVERSE + "branch",
        "writer.add(made)",
        "(setattr(made, 'test', writer.op(operator.not_, made.test)), writer.add(made))",
    ),
    profile="control",
)
defect(
    "adjoint_of_one_side_kept",
    "What only one branch reads keeps the adjoint it had before the branch.",
    edit(
        REVERSE + "branch",
        "a, b = then_adjoint.get(value), else_adjoint.get(value)",
        "a, b = then_adjoint.get(value), outside.get(value)",
    ),
    profile="control",
)
defect(
    "reverse_loop_goes_forward",
    "The reversed loop walks its range in the same direction.",
    edit(REVERSE + "mirror_domain", "not domain.reverse", "domain.reverse"),
    profile="control",
)
defect(
    "last_test_not_mirrored",
    "The backward sweep of a loop that stops itself begins one trip late.",
    edit(
        REVERSE + "mirror_domain",
        "writer.op(operator.add, trips, Constant(1)) if one_more else trips",
        "trips",
    ),
    profile="control",
)
defect(
    "stopped_loop_walks_back_all",
    "A `for` that was left early is walked back over its whole range.",
    edit(
        REVERSE + "mirror_domain",
        "return Range(domain.start, stop, domain.step, True)",
        "return Range(domain.start, domain.stop, domain.step, True)",
    ),
    profile="control",
)
defect(
    "last_test_always_dropped",
    "The last test of a `while` is not mirrored even if something follows from it.",
    edit("adcompiler.passes.peel.peel", "if branch.then.statements: return", "pass"),
    edit(
        "adcompiler.passes.peel.peel",
        "if branch.then.results[out] is not param: return",
        "pass",
    ),
    profile="control",
)
defect(
    "carried_adjoint_starts_anew",
    "The adjoint of what a loop reads from outside is that of its first trip alone.",
    edit(
        REVERSE + "loop",
        "g if mine is None else writer.op(operator.add, g, mine)",
        "writer.zeros(value) if mine is None else mine",
    ),
    profile="control",
)
defect(
    "adjoint_before_the_loop_dropped",
    "A loop forgets the adjoint of what is read after it too.",
    edit(
        REVERSE + "loop",
        """
        g = self.adjoint.get(value)
        inits.append(self.zero_of(value) if g is None else g)
        """,
        "inits.append(writer.zeros(value))",
    ),
    profile="control",
)

# -- what is active ----------------------------------------------------------------------------

ACTIVITY = "adcompiler.analysis.activity.Activity.add"

defect(
    "loads_are_inactive",
    "What is read from memory does not depend on what is in it.",
    around(ACTIVITY, lambda old: lambda self, statement: (
        None if isinstance(statement, Load) else old(self, statement)
    )),
)  # fmt: skip
defect(
    "stores_are_inactive",
    "Memory does not depend on what is stored into it, only on what it was born with.",
    around(ACTIVITY, lambda old: lambda self, statement: (
        None if isinstance(statement, Store) else old(self, statement)
    )),
)  # fmt: skip
defect(
    "lists_are_inactive",
    "A list does not depend on what is appended to it.",
    edit(
        ACTIVITY,
        "self.edge(value, ref)",
        "None if isinstance(statement, Append) else self.edge(value, ref)",
        2,
    ),
    profile="containers",
)
defect(
    "next_trip_is_inactive",
    "What a loop carries depends on where it began, not on what the trips did.",
    edit(
        ACTIVITY,
        """
        self.edge(following, param)
        self.edge(following, out)
        """,
        "pass",
    ),
    profile="control",
)
defect(
    "later_stores_are_dead",
    "Of the writes to an array, only the first two are taken for needed.",
    edit(
        "adcompiler.passes.simplify.Liveness.read_class",
        "for writer in self.writers.get(root, ()): self.need_statement(writer)",
        "for writer in self.writers.get(root, ())[:2]: self.need_statement(writer)",
    ),
)

# -- the optimiser -----------------------------------------------------------------------------

TIDY = "adcompiler.passes.accumulate._Tidy."
COMMON = "adcompiler.passes.simplify.common_subexpressions"


def merge_births(function):
    """Let two arrays of zeros in one block be one."""
    zeros, gone = {}, {}
    for statement in walk(function.body):
        for block in (function.body, *blocks(statement)):
            known = {}
            for inner in list(block.statements):
                if isinstance(inner, Op) and inner.fn in (np.zeros, np.zeros_like):
                    zeros[inner.outs[0]] = inner
                if isinstance(inner, New) and isinstance(inner.source, Value):
                    made = zeros.get(inner.source)
                    mirror = inner.origin is not None and inner.origin.mirror
                    if made is None or not mirror or inner.out in gone:
                        continue
                    shape = made.args[0].type if isinstance(made.args[0], Value) else None
                    key = (made.fn, str(getattr(shape, "target", shape)), repr(made.args[1:]))
                    first = known.setdefault(key, inner.out)
                    if first is not inner.out:
                        gone[inner.out] = first
                        block.statements.remove(inner)
    rewrite(function.body, lambda value: gone.get(value, value))


defect(
    "births_merged",
    "Two arrays of zeros of one shape are one array.",
    around("adcompiler.passes.optimise.PASSES", lambda old: [merge_births, *old]),
)
defect(
    "loads_merged_across_stores",
    "A place is not read again after a store to it.",
    edit(COMMON, "versions.get(classes.find(statement.ref), 0)", "0"),
)
defect(
    "users_loads_merged_across_stores",
    "The backward sweep takes what the user read from a place first for what was read later.",
    edit(
        "adcompiler.passes.simplify.use_first_of_equals",
        "versions.get(classes.find(statement.ref), 0)",
        "0",
    ),
)
defect(
    "loads_merged_across_trips",
    "A load in a loop is merged with one before the loop, although the loop stores there.",
    edit(
        COMMON,
        """
        if isinstance(statement, Loop):
            for root in stored(statement.body, classes):
                versions[root] = next(counter)
        """,
        "pass",
    ),
    profile="containers",
)
defect(
    "zeroing_sinks_too_far",
    "Setting an adjoint to zero moves down past what reads it and adds to it.",
    put(TIDY + "touched", empty_set),
)
defect(
    "added_what_was_held",
    "Zero-then-add at a place is dropped whatever is added.",
    put(TIDY + "held_before", yes),
)
defect(
    "parts_taken_for_the_whole",
    "A buffer begins as the first thing that is added to it, though it is added to a part.",
    edit(TIDY + "sink_births", "user.path == ()", "True"),
    edit(TIDY + "sink_births", "user.ref is statement.out", "True"),
    edit(TIDY + "sink_births", "kind.shape == wanted.shape", "True"),
)
defect(
    "written_buffers_are_values",
    "A buffer is taken for the value it was born with, although it is written later.",
    edit(
        TIDY + "values_of_single_use",
        "root not in written and root not in blocked and array and mirror",
        "array and mirror",
    ),
)
defect(
    "difference_taken_for_sum",
    "Collecting the terms of a sum, a - b counts as a + b.",
    edit(
        "adcompiler.passes.algebra._Algebra.collect",
        "sign if fn is operator.add else -sign",
        "sign",
    ),
    profile="scalar",
)

# -- printing ----------------------------------------------------------------------------------

SNAPSHOTS = "adcompiler.backends.snapshots."

defect(
    "snapshots_not_copied",
    "What was loaded is never copied, also if a store comes before its use.",
    put(SNAPSHOTS + "_is_overwritten", no),
)
defect(
    "kept_snapshots_not_copied",
    "What a list or a loop keeps is not copied: a save of y[:k] is a window on y.",
    put(SNAPSHOTS + "_keep", nothing),
)
defect(
    "folded_past_a_write",
    "An expression moves down to its use past a store to what it reads.",
    put("adcompiler.backends.usage.Usage.clobbers", lambda self, statement: frozenset()),
)
defect(
    "assigned_one_by_one",
    "a, b = b, a is printed as two assignments.",
    edit(
        "adcompiler.backends.statements.Statements.moves",
        "not any(move[0] in other[2] for other in todo if other is not move)",
        "True",
    ),
    profile="control",
)
defect(
    "names_shared_while_in_use",
    "Two values that are alive at once get one variable.",
    edit(
        "adcompiler.backends.naming._Groups.search",
        "not taken.get(name, (0, 0))[1] & self.members[k]",
        "True",
    ),
    profile="control",
)

# -- forward mode, calls, pullbacks ------------------------------------------------------------

TANGENT = "adcompiler.passes.tangent._Tangent."

defect(
    "tangent_of_store_dropped",
    "Forward mode stores values, not their tangents.",
    around(TANGENT + "statement", lambda old: lambda self, statement: (
        (self.emit if isinstance(statement, Store) else partial(old, self))(statement)
    )),
    modes=("forward",),
)  # fmt: skip
defect(
    "tangent_not_spread",
    "The tangent of what was broadcast keeps the shape of the smaller operand.",
    put(TANGENT + "spread", lambda self, dot, out: dot),
    profile="all",
    modes=("forward",),
)
defect(
    "tangent_of_one_input",
    "The tangent of an operation is that of its last input.",
    edit(
        TANGENT + "elementwise",
        "part if total is None else writer.op(operator.add, total, part)",
        "part",
    ),
    profile="scalar",
    modes=("forward",),
)
defect(
    "written_arguments_of_calls_dropped",
    "The adjoints of what a recursive function wrote do not go back through the call.",
    around(REVERSE + "call", lambda old: lambda self, op, bars: (
        old(self, op, [bar if k == 0 else None for k, bar in enumerate(bars)])
    )),
    profile="all",
)  # fmt: skip
defect(
    "pullback_shares_its_value",
    "The result that vjp hands out shares memory with what its pullback works on.",
    put("adcompiler.api.transforms._copied", lambda value: value),
    put("adcompiler.api.pipeline.own_results", nothing),
    around("adcompiler.backends.plan.Plan.is_owned", lambda old: lambda self, value: (
        value in self.function.params or old(self, value)
    )),
    modes=("pullback",),
)  # fmt: skip

# -- rules -------------------------------------------------------------------------------------


def _cos(x):
    return np.sin(x)


def _divide(x, y, out):
    return 1 / y, out / y


def _mean(g, a, axis=None, dtype=None, keepdims=False):
    return np.broadcast_to(g, np.shape(a))


def _flip(g, m, axis=None):
    return np.flip(g)


defect(
    "sign_of_cosine",
    "The derivative of the cosine has the wrong sign.",
    wrong_rule(np.cos, _cos),
    profile="scalar",
)
defect(
    "sign_of_quotient",
    "The derivative of x / y in y has the wrong sign.",
    wrong_rule(np.divide, _divide),
    profile="scalar",
)
defect(
    "mean_not_divided",
    "The adjoint of a mean is that of a sum.",
    wrong_rule(np.mean, _mean),
    profile="all",
)
defect(
    "keyword_ignored",
    "The rule of np.flip ignores `axis`.",
    wrong_rule(np.flip, _flip),
    profile="all",
)

from tests.fuzz import language_defects  # noqa: E402, F401  (registers its own, after these)

# -- the table ---------------------------------------------------------------------------------


def measured():
    """What was recorded: for each defect how many programs it took, without and with verifier."""
    return json.loads(RECORDS.read_text()) if RECORDS.exists() else {}


def table(records, names=None):
    """The recorded numbers as lines of a table in Markdown."""
    lines = [
        "| defect | what is wrong | profile | programs | with the verifier |",
        "|---|---|---|---|---|",
    ]
    for each in DEFECTS:
        if names is None or each.name in names:
            numbers = records.get(each.name, ["not measured"] * 2)
            found, verified = ("none" if number is None else number for number in numbers)
            lines.append(
                f"| `{each.name}` | {each.description} | {each.profile} | {found} | {verified} |"
            )
    return lines


def measure(chosen, count):
    """Look for the defects, print what is found, and record it."""
    for each in chosen:
        found, verified, outcome = first_detections(each, count)
        how = "unnoticed" if outcome is None else f"{outcome.kind}: {outcome.reason}"
        print(f"{each.name}: {found} programs, {verified} with the verifier, {how}", flush=True)
        records = {**measured(), each.name: [found, verified]}
        known = {d.name: records[d.name] for d in DEFECTS if d.name in records}
        RECORDS.write_text(json.dumps(known, indent=1) + "\n")


def main(arguments=None):
    parser = argparse.ArgumentParser(
        prog="python -m tests.fuzz.defects",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--measure", nargs="?", const="", metavar="PART")
    parser.add_argument("--show", metavar="PART")
    parser.add_argument("--count", type=int, default=MOST_PROGRAMS)
    options = parser.parse_args(arguments)
    if options.measure is not None:
        measure([each for each in DEFECTS if options.measure in each.name], options.count)
    elif options.show is not None:
        for each in DEFECTS:
            if options.show in each.name:
                hit = first_detection(each, options.count)
                if hit is not None:
                    print(f"# {each.name}: {hit[1].kind}, {hit[1].reason}\n# {hit[1].detail}")
                    print(hit[1].program.source.removeprefix(HEADER))
    else:
        print("\n".join(table(measured())))
    return 0


if __name__ == "__main__":
    sys.exit(main())
