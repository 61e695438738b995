"""Errors read as one block, point at the source and survive pickling."""

import linecache
import pickle

import pytest

from adcompiler import errors
from adcompiler.errors import AdcompilerError, Position, ResolveError, UnsupportedError

KINDS = [
    errors.SourceError,
    errors.UnsupportedError,
    errors.ResolveError,
    errors.DifferentiationError,
    errors.RuleError,
    errors.VerifyError,
    errors.OverlapError,
]


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "model.py"
    path.write_text("def f(x):\n\ty = g(x)\n    z = [h(x),\n         1]\n")
    yield str(path)
    linecache.cache.pop(str(path), None)


def test_a_block_that_can_be_read(model):
    error = UnsupportedError(
        "call of `h`",
        reason="nobody knows it",
        remedy="call `g`",
        position=Position(model, 3, 9, 3, 13),
    )
    assert str(error).splitlines() == [
        f"{model}:3:10: call of `h`",
        "    z = [h(x),",
        "         ^^^^",
        "why: nobody knows it",
        "instead: call `g`",
    ]


def test_carets_end_with_the_line_and_keep_tabs(model):
    over_two_lines = str(AdcompilerError("list", position=Position(model, 3, 8, 4, 11)))
    assert over_two_lines.splitlines()[2] == "        ^^^^^^"
    with_tab = str(AdcompilerError("call", position=Position(model, 2, 5, 2, 9)))
    assert with_tab.splitlines()[1:] == ["    y = g(x)", "        ^^^^"]
    start_of_line = str(AdcompilerError("f", position=Position(model, 2, 0, 2, 1)))
    assert start_of_line.splitlines()[1:] == ["    \ty = g(x)", "    ^"]


@pytest.mark.parametrize(
    "position",
    [
        Position("nowhere.py", 3, 0, 3, 1),
        Position("<string>", 1, 0, 1, 1),
        Position(__file__, 10**6, 0, 10**6, 1),
        Position(__file__, 1, 10**6, 1, 10**6),
    ],
)
def test_a_place_that_cannot_be_read_is_only_named(position):
    error = AdcompilerError("x", position=position)
    assert str(error) == f"{position.file}:{position.line}:{position.column + 1}: x"


def test_what_is_not_known_is_left_out():
    assert str(AdcompilerError("too bad")) == "too bad"
    assert str(AdcompilerError("too bad", remedy="try later")) == "too bad\ninstead: try later"


def test_calls_that_led_here_are_listed_innermost_first():
    error = ResolveError("name `y`", reason="it is not defined")
    assert error.called_from(Position("a.py", 7, 0, 7, 4)) is error
    error.called_from(Position("b.py", 9, 0, 9, 4))
    assert str(error).splitlines() == [
        "name `y`",
        "why: it is not defined",
        "called from a.py:7",
        "called from b.py:9",
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_pickling_keeps_everything(kind, model):
    error = kind(
        "m", reason="r", remedy="i", position=Position(model, 2, 1, 2, 2), notes=("n", "o")
    )
    assert isinstance(error, AdcompilerError)
    error.add_note("seen")
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is kind
    assert str(again) == str(error)
    assert again.args == error.args
    assert (again.message, again.reason, again.remedy) == ("m", "r", "i")
    assert again.position == error.position
    assert again.notes == ("n", "o")
    assert again.__notes__ == ["seen"]


def test_a_subclass_with_its_own_constructor_can_be_pickled():
    again = pickle.loads(pickle.dumps(_Special(3)))
    assert (type(again), again.message, again.count) == (_Special, "3 times", 3)


class _Special(AdcompilerError):
    def __init__(self, count):
        super().__init__(f"{count} times")
        self.count = count
