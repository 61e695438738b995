"""The command `adcompiler`, as it is typed."""

import ast
import importlib.util
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

from adcompiler import cli
from adcompiler.cli import main

ROOT = Path(__file__).resolve().parent.parent

MODEL = """
    import math

    import numpy as np

    from adcompiler import grad, value_and_grad

    RATE = 0.5
    WEIGHTS = np.array([[1.0, -2.0, 0.5], [0.25, 3.0, 1.0], [2.0, 0.0, -1.0]])


    def loss(w, x, y):
        return np.mean((np.tanh(x @ w) - y) ** 2)


    @grad
    def decorated(x: np.ndarray, steps: int = 3):
        s = 0.0
        for _ in range(steps):
            s = s * np.sum(np.sin(x)) + RATE
        return s


    @value_and_grad(argnums=(0, 1))
    def both(a: float, b: float):
        return a * math.exp(b)


    def vector(x):
        return np.sin(x) * x


    def cumulate(a: np.ndarray):
        for i in range(1, len(a)):
            a[i] *= a[i - 1]
        return a.sum()


    def weighted(x):
        return np.sum(WEIGHTS @ x)


    def refused(x):
        exec("y = 1")
        return x * x


    def kinked(x):
        return abs(x - 0.75)


    class Line:
        @staticmethod
        def height(x, slope=2.0):
            return slope * x


    def scaled_by(factor):
        def scaled(x):
            return np.sum(factor * x * x)

        return scaled


    scaled = scaled_by(np.array([1.0, 2.0, np.inf]))
    special = scaled_by(object())
"""


@pytest.fixture
def model(tmp_path, monkeypatch):
    """A file with functions; what loading it changes is undone."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)
    path = tmp_path / f"model_{abs(hash(tmp_path)) % 10**8}.py"
    path.write_text(textwrap.dedent(MODEL))
    yield path
    for name in set(sys.modules) - before:
        if name.startswith("model_"):
            del sys.modules[name]


@pytest.fixture
def run(model, capsys):
    """Runs `adcompiler COMMAND FILE:NAME ...`; gives the status and what was printed."""

    def run(command, name, *options):
        status = main([command, f"{model}:{name}", *options])
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return run


def load(text, tmp_path, name="emitted"):
    path = tmp_path / f"{name}.py"
    path.write_text(text)
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# -- show ------------------------------------------------------------------------------------------


def test_show_prints_the_gradient_and_what_was_assumed(run):
    status, out, err = run("show", "loss")
    assert (status, err) == (0, "")
    assert out.startswith("# assumed: w: float64 array of rank 1 (no annotation)\n")
    assert "def loss_grad(w, x, y):" in out
    assert "w_bar" in out
    ast.parse(out)


def test_show_with_arguments_assumes_nothing(run):
    status, out, _ = run("show", "loss", "--args", "np.ones(3), np.ones((2, 3)), y=np.ones(2)")
    assert status == 0
    assert "assumed" not in out
    assert "def loss_grad(" in out


def test_arguments_may_use_the_names_of_the_module(run):
    status, out, _ = run("show", "weighted", "--args", "WEIGHTS[0] * RATE")
    assert status == 0
    assert "def weighted_grad(x):" in out


def test_show_takes_annotations_and_defaults(run):
    _, out, _ = run("show", "decorated")
    assert "# assumed: x: float64 array of rank 1 (annotation)" in out
    assert "# assumed: steps: int (default 3)" in out


def test_a_decorated_function_keeps_its_options(run):
    _, out, _ = run("show", "both")
    assert '"""Value and gradient of both with respect to a, b."""' in out


def test_mode_and_argnums_replace_the_decorators(run):
    _, out, _ = run("show", "both", "--mode", "grad", "--argnums", "1")
    assert "with respect to b." in out
    _, out, _ = run("show", "loss", "--argnums", "0,2")
    assert "with respect to w, y." in out


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("grad", "def loss_grad(w, x, y):"),
        ("value_and_grad", "def loss_grad(w, x, y):"),
        ("jvp", "def loss_jvp(w, x, y, w_dot, x_dot, y_dot):"),
        ("vjp", "def loss_vjp(w, x, y, "),
        ("hvp", "def loss_grad_jvp(w, x, y, w_dot, x_dot, y_dot):"),
    ],
)
def test_every_mode_is_shown(run, mode, expected):
    status, out, err = run("show", "loss", "--mode", mode)
    assert status == 0, err
    assert expected in out


@pytest.mark.parametrize(
    ("stage", "expected"),
    [
        ("ast", "FunctionDef(\n  name='decorated'"),
        ("tree", "for _ in range(steps):"),
        ("ir", "def decorated(%x.1: float64[len(x)], %steps.2: int):"),
        ("types", "s      float"),
        ("adjoint", "def decorated_grad(%x.1"),
        ("optimised", "def decorated_grad(%x.1"),
        ("source", "def decorated_grad(x, steps):"),
    ],
)
def test_every_stage_is_shown(run, stage, expected):
    status, out, err = run("show", "decorated", "--stage", stage)
    assert status == 0, err
    assert expected in out
    assert out == run("show", "decorated", "--stage", stage)[1]


def test_early_stages_are_shown_of_what_is_refused_later(run):
    status, out, _ = run("show", "refused", "--stage", "ast")
    assert status == 0
    assert "name='refused'" in out and "exec" in out
    status, out, _ = run("show", "special", "--stage", "tree")
    assert status == 0
    assert out.startswith("def scaled(x):")
    status, out, _ = run("show", "refused", "--stage", "tree")
    assert (status, out) == (1, "")  # the tree is what cannot be made


def test_explain_says_what_is_saved(run):
    status, out, _ = run("show", "decorated", "--explain")
    assert status == 0
    assert "on each trip of `for _ in range(steps):`" in out
    assert "parameter steps: int" in out


def test_attributes_of_classes_can_be_named(run):
    status, out, _ = run("show", "Line.height")
    assert status == 0
    assert "def height_grad(x, slope):" in out


def test_module_targets(model, monkeypatch, capsys):
    monkeypatch.chdir(model.parent)
    assert main(["show", f"{model.stem}:loss"]) == 0
    assert "def loss_grad(w, x, y):" in capsys.readouterr().out


# -- check -----------------------------------------------------------------------------------------


def test_check_prints_a_table(run):
    status, out, err = run("check", "loss", "--args", "np.ones(2), np.eye(2), np.zeros(2)")
    assert (status, err) == (0, "")
    rows = [line.split(None, 3) for line in out.splitlines()]
    assert rows == [
        ["engine", "mode", "order", "agreement"],
        ["compiled", "rev", "1", "agrees with differences"],
        ["compiled", "rev", "2", "agrees with differences"],
        ["compiled", "fwd", "1", "agrees with differences"],
        ["compiled", "fwd", "2", "agrees with differences"],
        ["tape", "rev", "1", "agrees with differences"],
        ["tape", "rev", "2", "agrees with differences"],
    ]


def test_check_with_made_up_arguments_says_so(run):
    status, out, _ = run("check", "vector", "--order", "1")
    assert status == 0
    assert out.startswith("# assumed: x: float64 array of rank 1 (no annotation)\n")


def test_check_of_an_array_to_second_order(run):
    status, out, err = run("check", "vector", "--args", "np.array([0.3, -1.2, 2.0])")
    assert status == 0, err
    assert out.count("agrees with differences") == 6


def test_check_of_some_modes(run):
    _, out, _ = run("check", "cumulate", "--modes", "fwd", "--order", "1")
    assert "fwd" in out and "rev" not in out


def test_check_of_a_decorated_function_checks_the_function(run):
    status, out, err = run("check", "decorated")
    assert status == 0, err


def test_check_finds_a_wrong_derivative(run, monkeypatch):
    # At its kink no derivative agrees with the central difference, which is 0.
    status, out, _ = run("check", "kinked", "--args", "0.75 + 1e-9", "--order", "1")
    assert status == 1
    assert "WRONG" in out


def test_check_of_one_engine(run):
    given = ("--args", "np.ones(2), np.eye(2), np.zeros(2)")
    _, out, _ = run("check", "loss", *given, "--engine", "tape")
    assert "tape" in out and "compiled" not in out
    _, out, _ = run("check", "loss", *given, "--engine", "compiled")
    assert "tape" not in out and "compiled" in out
    _, out, _ = run("check", "loss", *given, "--engine", "both", "--order", "1")
    assert [line.split()[0] for line in out.splitlines()[1:]] == ["compiled", "compiled", "tape"]


def test_check_of_what_the_tape_alone_refuses(run):
    """It is no fault of the function unless the tape was asked for."""
    status, out, err = run("check", "both", "--args", "1.0, 2.0")
    assert status == 0
    assert "compiled  rev   2      agrees" in out
    assert "tape      rev   1      refused: `math.exp`" in out
    assert "write `np.exp`" in err
    for engine in ("tape", "both"):
        assert run("check", "both", "--args", "1.0, 2.0", "--engine", engine)[0] == 1


def test_check_finds_a_wrong_derivative_of_the_tape(run):
    status, out, _ = run("check", "kinked", "--args", "0.75 + 1e-9", "--engine", "tape")
    assert status == 1
    assert "WRONG: tape, rev mode" in out


def test_check_of_what_is_refused(run):
    status, out, err = run("check", "refused", "--args", "1.0")
    assert status == 1
    assert "refused: call of `exec`" in out
    assert "instead: " in err


# -- compare ---------------------------------------------------------------------------------------


def test_compare_prints_a_table(run):
    given = ("--args", "np.ones(2), np.eye(2), np.zeros(2)", "--seconds", "0.01")
    status, out, err = run("compare", "loss", *given)
    assert (status, err) == (0, "")
    assert out.startswith("loss(float64[2], float64[2, 2], float64[2])\n")
    assert "compiled" in out.splitlines()[2] and "tape" in out.splitlines()[2]
    assert "The engines agree" in out


def test_compare_takes_the_arguments_of_a_decorated_function(run):
    status, out, _ = run("compare", "decorated", "--seconds", "0.01")
    assert status == 0
    assert out.startswith("# assumed: x: float64 array of rank 1 (annotation)\n")
    assert "decorated(float64[3], 3)" in out


def test_compare_of_what_an_engine_refuses(run):
    status, out, _ = run("compare", "both", "--args", "1.0, 2.0", "--seconds", "0.01")
    assert status == 0
    assert "The tape refuses:" in out and "instead: write `np.exp`" in out
    status, out, _ = run("compare", "refused", "--args", "1.0", "--seconds", "0.01")
    assert status == 0
    assert "The compiler refuses:" in out and "call of `exec`" in out
    status, out, _ = run("compare", "vector", "--args", "np.ones(3)", "--seconds", "0.01")
    assert status == 1
    assert out.count("refuses:") == 2


def test_compare_draws_a_chart(run, tmp_path):
    pytest.importorskip("matplotlib")
    chart = tmp_path / "chart.svg"
    given = ("--args", "np.ones(3)", "--seconds", "0.01")
    assert run("compare", "weighted", *given, "--plot", str(chart))[0] == 0
    assert chart.read_text().lstrip().startswith("<?xml")
    status, _, err = run(
        "compare", "weighted", *given, "--plot", str(tmp_path / "no" / "chart.svg")
    )
    assert status == 2
    assert "cannot write" in err


# -- emit ------------------------------------------------------------------------------------------


def test_emit_writes_a_file_that_runs(run, model, tmp_path):
    file = tmp_path / "made.py"
    status, out, err = run("emit", "loss", "-o", str(file), "--args",
                           "np.ones(3), np.ones((2, 3)), np.ones(2)")  # fmt: skip
    assert (status, out, err) == (0, "", "")
    made = load(file.read_text(), tmp_path, "made")
    rng = np.random.default_rng(0)
    w, x, y = rng.normal(size=4), rng.normal(size=(5, 4)), rng.normal(size=5)
    t = np.tanh(x @ w)
    expected = x.T @ (2 * (t - y) * (1 - t * t)) / 5
    np.testing.assert_allclose(made.loss_grad(w, x, y), expected, rtol=1e-12)


def test_emit_without_a_file_prints(run):
    status, out, _ = run("emit", "cumulate")
    assert status == 0
    assert out == run("show", "cumulate")[1]


@pytest.mark.parametrize("name", ["loss", "decorated", "cumulate", "vector", "weighted", "scaled"])
def test_standalone_files_need_numpy_alone(run, tmp_path, name):
    """They run in an interpreter that cannot import the package, with the same result."""
    mode = ["--mode", "jvp"] if name == "vector" else []
    given = {"loss": "np.ones(3), np.eye(3), np.ones(3)", "decorated": "np.ones(3), 4"}
    args = given.get(name, "np.array([0.5, -1.5, 2.0])")
    file = tmp_path / "alone.py"
    status, _, err = run("emit", name, *mode, "--args", args, "--standalone", "-o", str(file))
    assert status == 0, err
    text = file.read_text()
    assert "import adcompiler" not in text and "from adcompiler" not in text

    (definition,) = [
        node.name
        for node in ast.parse(text).body
        if isinstance(node, ast.FunctionDef) and node.name.startswith(name)
    ]
    dots = ", np.ones(3)" if mode else ""
    program = (
        "import sys, runpy, numpy as np\n"
        "sys.modules['adcompiler'] = None\n"
        f"found = runpy.run_path({str(file)!r})['{definition}']({args}{dots})\n"
        "print(*[np.asarray(part).ravel().tolist() for part in "
        "(found if isinstance(found, tuple) else (found,))])\n"
    )
    finished = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, cwd=tmp_path
    )
    assert finished.returncode == 0, finished.stderr

    plain = tmp_path / "plain.py"
    if name not in ("weighted", "scaled"):
        assert run("emit", name, *mode, "--args", args, "-o", str(plain))[0] == 0
        module = load(plain.read_text(), tmp_path, "plain")
        found = getattr(module, definition)(*eval(f"({args}{dots},)", {"np": np}))
        found = found if isinstance(found, tuple) else (found,)
        assert finished.stdout.split("\n")[0] == " ".join(
            str(np.asarray(part).ravel().tolist()) for part in found
        )


def test_standalone_refuses_what_no_file_can_hold(run):
    status, out, err = run("emit", "special", "--standalone")
    assert status == 1
    assert out == ""
    assert "why: " in err


def test_emit_to_a_place_that_is_not_there(run, tmp_path):
    status, _, err = run("emit", "loss", "-o", str(tmp_path / "nowhere" / "x.py"))
    assert status == 2
    assert "cannot write" in err


# -- what goes wrong -------------------------------------------------------------------------------


def test_a_refusal_is_one_block(run, model):
    status, out, err = run("show", "refused")
    assert (status, out) == (1, "")
    first, line, carets, why, remedy = err.splitlines()
    assert first.startswith(f"{model}:") and first.endswith("call of `exec`")
    assert line.strip() == 'exec("y = 1")'
    assert set(carets.strip()) == {"^"}
    assert why.startswith("why: ")
    assert remedy.startswith("instead: ")


def test_tracebacks_on_request(model):
    with pytest.raises(Exception, match="exec"):
        main(["show", f"{model}:refused", "--traceback"])


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["show"],
        ["bake", "model.py:loss"],
        ["show", "loss"],
        ["show", "model.py:"],
        ["show", "FILE:loss", "--stage", "machine"],
        ["show", "FILE:loss", "--mode", "sideways"],
        ["show", "FILE:loss", "--argnums", "first"],
        ["check", "FILE:loss", "--order", "0"],
        ["check", "FILE:loss", "--modes", "up,down"],
        ["check", "FILE:loss", "--engine", "steam"],
        ["compare", "FILE:loss", "--seconds", "-1"],
    ],
)
def test_a_command_line_that_does_not_parse(model, arguments, capsys):
    with pytest.raises(SystemExit) as stopped:
        main([argument.replace("FILE", str(model)) for argument in arguments])
    assert stopped.value.code == 2
    assert "usage: adcompiler" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("target", "options", "message"),
    [
        ("nowhere.py:f", (), "there is no file nowhere.py"),
        ("no_such_module:f", (), "importing no_such_module fails: ModuleNotFoundError"),
        ("FILE:lost", (), "has no lost; it has grad, value_and_grad, loss"),
        ("FILE:RATE", (), "is not a function but a float"),
        ("FILE:loss", ("--args", "1.0,,"), "SyntaxError"),
        ("FILE:loss", ("--args", "unknown"), "NameError"),
        ("FILE:loss", ("--mode", "jvp", "--argnums", "0"), "leave out --argnums"),
        ("FILE:loss", ("--backend", "abacus"), "abacus"),
    ],
)
def test_a_command_line_that_makes_no_sense(model, capsys, target, options, message):
    assert main(["show", target.replace("FILE", str(model)), *options]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("adcompiler: ")
    assert message in captured.err


def test_a_module_that_fails_on_import(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "model_that_fails.py").write_text("1 / 0\n")
    assert main(["show", f"{tmp_path / 'model_that_fails.py'}:f"]) == 2
    assert "ZeroDivisionError" in capsys.readouterr().err


def test_another_exception_is_named_without_traceback(run):
    status, _, err = run("check", "loss", "--args", "1.0")
    assert status == 1
    assert "Traceback" not in err
    assert err


# -- from outside ----------------------------------------------------------------------------------


def outside(*arguments, cwd, flags=()):
    search = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    return subprocess.run(
        [sys.executable, *flags, "-m", "adcompiler", *arguments],
        cwd=cwd, env={**os.environ, "PYTHONPATH": search},
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip


def test_as_a_module(model):
    finished = outside("show", f"{model.name}:loss", cwd=model.parent)
    assert finished.returncode == 0, finished.stderr
    assert "def loss_grad(w, x, y):" in finished.stdout
    assert "\x1b" not in finished.stdout
    failed = outside("show", f"{model.name}:refused", cwd=model.parent)
    assert failed.returncode == 1
    assert "Traceback" not in failed.stderr


def test_version(model):
    import adcompiler

    finished = outside("--version", cwd=model.parent)
    assert finished.stdout == f"adcompiler {adcompiler.__version__}\n"


def test_the_output_does_not_depend_on_hashes(model, monkeypatch):
    texts = set()
    for seed in ("0", "1"):
        monkeypatch.setenv("PYTHONHASHSEED", seed)
        texts.add(outside("show", f"{model.name}:loss", "--stage", "ir", cwd=model.parent).stdout)
    assert len(texts) == 1


def test_colours_are_for_terminals_only(monkeypatch):
    class Terminal:
        def __init__(self):
            self.text = ""

        def isatty(self):
            return True

        def write(self, text):
            self.text += text

        def flush(self):
            pass

    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    terminal = Terminal()
    cli.say("# comment\nx = 1", terminal)
    assert terminal.text == "\x1b[2m# comment\x1b[0m\nx = 1\n"
    monkeypatch.setenv("NO_COLOR", "1")
    terminal = Terminal()
    cli.say("# comment", terminal)
    assert terminal.text == "# comment\n"
