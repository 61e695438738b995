"""Random programs: 320 of them with every run of the tests, and long runs behind `-m fuzz`.

pytest -m fuzz                           the long run and the seeded defects
FUZZ_COUNT=20000 FUZZ_SEED=1 pytest -m fuzz
"""

import ast
import os
import random
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from tests import differences
from tests.differences import leaves
from tests.fuzz import defects, reduce
from tests.fuzz.check import REFUSED, check, modes_of
from tests.fuzz.defects import DEFECTS, MOST_PROGRAMS, first_detection, measured, table
from tests.fuzz.generate import HEADER, Program, generate, runs, written
from tests.fuzz.patching import edited, replaced, rule_replaced, wrapped
from tests.fuzz.profiles import PROFILES
from tests.fuzz.reduce import reduced
from tests.fuzz.scope import Scalar

CHUNK = 20
NORMAL = {
    "alias": 60, "all": 80, "objects": 40, "python": 40, "complex": 20, "containers": 20,
    "control": 20, "nested": 20, "scalar": 20,
}  # fmt: skip
QUICK = ("reverse", "forward")
LONG_COUNT = int(os.environ.get("FUZZ_COUNT", "2000"))
LONG_SEED = int(os.environ.get("FUZZ_SEED", "100000"))


def chunks(counts, first=0, size=CHUNK):
    return [
        (profile, seed, min(size, first + count - seed))
        for profile, count in counts.items()
        for seed in range(first, first + count, size)
    ]


def check_seeds(profile, seeds, modes, record_property):
    """Fail with seeds and sources if one of the programs fails; refusals are only counted."""
    kinds, refusals, failures = Counter(), Counter(), []
    for seed in seeds:
        outcome = check(generate(seed, profile), modes)
        kinds[outcome.kind] += 1
        if outcome.kind == REFUSED:
            refusals[outcome.reason] += 1
        if outcome.failed:
            failures.append(outcome)
    record_property("fuzz kinds", dict(kinds))
    record_property("fuzz refusals", dict(refusals))
    if failures:
        pytest.fail("\n".join(described(outcome) for outcome in failures[:3]), pytrace=False)


def described(outcome):
    program = outcome.program
    return (
        f"{outcome.kind} in mode {outcome.mode}: {outcome.reason}\n{outcome.detail}\n"
        f"python -m tests.fuzz.run --profile {program.profile} --seed {program.seed} --count 1 "
        f"--modes {outcome.mode} --reduce\n\n{program.source.removeprefix(HEADER)}"
    )


@pytest.mark.parametrize("profile, seed, count", chunks(NORMAL))
def test_random_programs(profile, seed, count, record_property):
    modes = modes_of() if seed % (3 * CHUNK) == 0 else QUICK
    check_seeds(profile, range(seed, seed + count), modes, record_property)


@pytest.mark.parametrize("profile, seed, count", chunks(dict.fromkeys(PROFILES, 10), 1000))
def test_random_programs_in_second_order(profile, seed, count, record_property):
    check_seeds(profile, range(seed, seed + count), ("second",), record_property)


@pytest.mark.fuzz
@pytest.mark.parametrize(
    "profile, seed, count", chunks(dict.fromkeys(PROFILES, LONG_COUNT), LONG_SEED, 100)
)
def test_many_random_programs(profile, seed, count, record_property):
    modes = modes_of(second=seed % 400 == 0)
    check_seeds(profile, range(seed, seed + count), modes, record_property)


@pytest.mark.fuzz
@pytest.mark.parametrize("profile", PROFILES)
def test_programs_drawn_by_hypothesis(profile):
    """The same grammar, with draws that Hypothesis shrinks."""

    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.randoms(use_true_random=False))
    def drawn(source_of_randomness):
        program = written(source_of_randomness, PROFILES[profile])
        assume(runs(program))
        outcome = check(program, QUICK)
        assert not outcome.failed, described(outcome)

    drawn()


@pytest.mark.fuzz
@pytest.mark.parametrize("defect", DEFECTS, ids=lambda defect: defect.name)
def test_seeded_defect_is_detected(defect):
    assert first_detection(defect), f"{defect.description} Unnoticed by {MOST_PROGRAMS} programs."


# -- the tools themselves ----------------------------------------------------------------------


@pytest.mark.parametrize("profile", PROFILES)
def test_a_seed_gives_the_same_program_again(profile):
    for seed in range(5):
        first, second = generate(seed, profile), generate(seed, profile)
        assert first.source == second.source
        assert first.kinds == second.kinds
        main = first.load()
        given, again = first.arguments(0, main), second.arguments(0, main)
        for one, other in zip(map(leaves, given), map(leaves, again), strict=True):
            for left, right in zip(one, other, strict=True):
                np.testing.assert_array_equal(left, right)


@pytest.mark.parametrize("profile", PROFILES)
def test_most_attempts_are_programs_that_run(profile):
    drawn = [written(random.Random(seed), PROFILES[profile]) for seed in range(60)]
    assert sum(map(runs, drawn)) >= 54


@pytest.mark.parametrize("profile", PROFILES)
def test_every_production_is_written(profile):
    counts = Counter()
    for seed in range(600):
        counts.update(written(random.Random(seed), PROFILES[profile]).counts)
    statements = PROFILES[profile].with_themes(PROFILES[profile].themes).statements
    wanted = [name for name, weight in statements.items() if weight >= 0.4]
    assert [name for name in wanted if not counts[name]] == []


def test_reduction_keeps_what_matters_and_drops_the_rest():
    before, word, after = generate(5, "all").source.rpartition("    return")
    source = f"{before}    x = 3.0\n    if x > 1.0:\n        x *= 7\n{word}{after}"

    def still(text):
        return any(
            isinstance(node, ast.AugAssign) and isinstance(node.op, ast.Mult)
            for node in ast.walk(ast.parse(text))
        )

    assert len(reduced(source, still).splitlines()) <= 3


SYNTAX = """
@dataclass
class Point(Base):
    x: float

    def move(self, p):
        self.x = p

def main(x, n):
    with np.errstate(all="ignore"):
        try:
            match n % 3:
                case 0 | 1:
                    for i in [k for k in range(n) if k > 0]:
                        x *= 7
                case _:
                    x = 1.0
        except ValueError:
            pass
        finally:
            n = 3
    return x
"""


def test_reduction_gets_through_all_sorts_of_blocks():
    def still(text):
        return any(isinstance(node, ast.AugAssign) for node in ast.walk(ast.parse(text)))

    assert len(reduced(SYNTAX, still).splitlines()) <= 2


def test_programs_contain_every_sort_of_python():
    """What the language has that programs may use; the rest is left to other tests."""
    found = set()
    for profile in ("all", "objects", "complex", "python", "nested"):
        for seed in range(150):
            tree = ast.parse(written(random.Random(seed), PROFILES[profile]).source)
            found |= {type(node) for node in ast.walk(tree)}
    wanted = {
        ast.ClassDef, ast.Match, ast.MatchOr, ast.MatchClass, ast.MatchSequence, ast.Try,
        ast.ExceptHandler, ast.With, ast.NamedExpr, ast.Starred, ast.GeneratorExp, ast.ListComp,
        ast.DictComp, ast.Nonlocal, ast.Lambda, ast.Dict, ast.IfExp, ast.Assert, ast.Break,
        ast.Continue, ast.AugAssign, ast.AnnAssign,
    }  # fmt: skip
    assert wanted - found == set()


def test_derivatives_inside_are_those_of_the_tape_in_the_reference():
    source = HEADER + (
        "from adcompiler import grad\n\ndef main(x):\n"
        "    return grad(lambda u: u * u * x)(math.sin(x))\n"
    )
    program = Program(source, 3, "nested", (Scalar(),))
    main = program.load()
    reference = program.reference(main)
    assert main.__globals__["grad"].__module__ == "adcompiler.api.transforms"
    assert reference.__globals__["grad"].__module__ == "adcompiler.tape.functions"
    np.testing.assert_allclose(main(0.3), reference(0.3))


def test_replaced_puts_the_old_value_back():
    with replaced("tests.fuzz.reduce.SMALL", ("7",)) as old:
        assert reduce.SMALL == ("7",)
    assert reduce.SMALL is old
    with wrapped("tests.fuzz.reduce.SMALL", lambda small: (*small, "8")):
        assert reduce.SMALL == (*old, "8")
    assert reduce.SMALL is old


def test_edited_changes_functions_for_whoever_has_them():
    kept, before = reduced, reduced("1", bool)
    path = "tests.fuzz.reduce.reduced"
    with edited(path, "return _text(tree)", "return 'first'"):
        assert kept("1", bool) == reduce.reduced("1", bool) == "first"
        with edited(path, "'first'", "'second'"):
            assert kept("1", bool) == "second"
        assert kept("1", bool) == "first"
    assert kept("1", bool) == before


@pytest.mark.parametrize(
    "change",
    [
        lambda: replaced("tests.fuzz.reduce.NONE", 1),
        lambda: replaced("tests.fuzz.nowhere.NONE", 1),
        lambda: replaced("adcompiler.passes.differentiate._None.store", 1),
        lambda: edited("tests.fuzz.reduce.reduced", "nowhere(tree)", "None"),
        lambda: edited("tests.fuzz.reduce.reduced", "position += 1", "pass"),  # stands there twice
        lambda: rule_replaced(np.sin, lambda y: y),
    ],
)
def test_changes_that_cannot_be_made_are_errors(change):
    with pytest.raises(LookupError), change():
        pass


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda defect: defect.name)
def test_seeded_defect_can_still_be_put_in(defect):
    with defect.installed():
        pass


def test_seeded_defects_were_all_found():
    assert len({defect.name for defect in DEFECTS}) == len(DEFECTS) >= 20
    records = measured()
    assert list(records) == [defect.name for defect in DEFECTS]
    assert all(found is not None for found, _ in records.values())
    page = Path(__file__).parents[1].joinpath("docs", "fuzzing.md").read_text(encoding="utf-8")
    assert "\n".join(table(records)) in page


def test_the_table_of_defects_is_printed(capsys):
    assert defects.main([]) == 0
    assert capsys.readouterr().out.count("\n") == len(DEFECTS) + 2


def test_sources_of_programs_are_found():
    import inspect

    program = Program("def main(x):\n    return x * x\n", 3, "scalar", (Scalar(),))
    assert inspect.getsource(program.load()) == program.source


@pytest.mark.parametrize(
    "function, point, expected",
    [
        (lambda x: np.sin(100 * x), 0.3, 100 * np.cos(30)),
        (lambda x: x**3, 0.0, 0.0),
        (lambda x: 1.0 if x > 0.01 else x, 0.009, 1.0),
        (np.sqrt, 0.01, 5.0),
        (lambda x: 2.0, 1.0, 0.0),
    ],
)
def test_differences_find_slopes(function, point, expected):
    slope = differences.slope(function, (point,), (1.0,))
    assert slope.reliable
    np.testing.assert_allclose(slope.value, [expected], rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize(
    "function, point",
    [(abs, 0.0), (lambda x: max(x, 0.0), 0.0), (lambda x: float(x > 0), 0.0), (np.sqrt, 0.0),
     (lambda x: abs(x - 1e-4), 0.0), (lambda x: np.floor(x), 2.0)],
)  # fmt: skip
def test_differences_admit_where_there_is_no_slope(function, point):
    with np.errstate(all="ignore"):
        assert not differences.slope(function, (point,), (1.0,)).reliable


def test_differences_go_into_structures_and_leave_arguments_alone():
    def f(parameters, x):
        parameters["w"] *= x
        return parameters["w"].sum() * parameters["b"][0], x * np.ones(2)

    args = ({"w": np.array([1.0, 2.0]), "b": (3.0, "name")}, 2.0)
    along = ({"w": np.array([1.0, 0.0]), "b": (0.5, None)}, 1.0)
    slope = differences.slope(f, args, along)
    np.testing.assert_allclose(slope.value, [6.0 + 9.0 + 3.0, 1.0, 1.0], rtol=1e-9)
    np.testing.assert_array_equal(args[0]["w"], [1.0, 2.0])
    assert differences.inner(along, along) == 1.0 + 0.25 + 1.0
