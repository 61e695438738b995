"""The examples run as a user would run them, and arrive where they should."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import adcompiler
from adcompiler import tape

ROOT = Path(__file__).resolve().parent.parent
EXAMPLE = ROOT / "examples" / "lotka_volterra.py"
O_RINGS = ROOT / "examples" / "oring.py"

# The minimum, found to six digits by BFGS with gradients from central differences.
FITTED = {
    "alpha": 0.540159,
    "beta": 0.0271654,
    "gamma": 0.796386,
    "delta": 0.0236946,
    "u0": 34.6024,
    "v0": 5.84451,
}


@pytest.fixture(autouse=True)
def headless(monkeypatch):
    pytest.importorskip("scipy")
    pytest.importorskip("matplotlib")
    monkeypatch.setenv("MPLBACKEND", "Agg")


def load_example(path=EXAMPLE):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run_example(path, folder, *options):
    """What an example prints when it is run in a folder."""
    search_path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    finished = subprocess.run(
        [sys.executable, str(path), *options],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": search_path},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


def test_lotka_volterra_fits_the_record(tmp_path):
    printed = run_example(EXAMPLE, tmp_path, "--tape")

    assert "log_parameters_bar" in printed, "the adjoint was not printed"

    rows = [line.split() for line in printed.splitlines()]
    fitted = {
        row[0]: float(row[1]) for row in rows if len(row) > 2 and row[0] in FITTED and row[1] != "="
    }
    assert fitted == pytest.approx(FITTED, rel=1e-3)

    # The tape says why it refuses the loop in place, and fits the other model alike.
    assert "a store of a value with a derivative into the plain array `path`" in printed
    assert "StackBackward0(" in printed
    apart = printed.partition("largest relative difference of the parameters: ")[2].split()[0]
    assert float(apart) < 1e-6

    assert (tmp_path / "lotka_volterra.png").stat().st_size > 10_000


def test_lotka_volterra_in_place_and_with_a_list_is_one_model():
    example = load_example()
    pelts = np.loadtxt(example.RECORD, delimiter=",")[:, 1:]
    point = np.log(example.first_guess(pelts))
    value, gradient = example.loss(point, pelts)
    for engine in (tape, adcompiler):
        other_value, other = engine.value_and_grad(example.loss_on_tape)(point, pelts)
        assert other_value == pytest.approx(value, rel=1e-12)
        np.testing.assert_allclose(other, gradient, rtol=1e-9)


def test_oring_fits_the_record(tmp_path):
    printed = run_example(O_RINGS, tmp_path)
    assert "def loss_grad(parameters, temperature, distressed):" in printed
    assert "%6   LogaddexpBackward0(%5)" in printed
    rows = {row[0]: row[1:] for row in map(str.split, printed.splitlines()) if len(row) == 6}
    for engine in ("compiled", "tape"):
        a, b, minimum, _, risk = map(float, rows[engine])
        # As generalised linear models fit it, by iterated least squares.
        assert (a, b) == pytest.approx((5.08498, -0.11560), abs=1e-5)
        assert risk == pytest.approx(0.8178, abs=1e-4)
        assert minimum == pytest.approx(30.198170, abs=1e-6)
    assert (tmp_path / "oring.png").stat().st_size > 10_000


def test_oring_record_and_fit_by_least_squares():
    """The minimum again, by Newton's steps from formulas on paper."""
    example = load_example(O_RINGS)
    temperature, distressed = example.read_record()
    assert len(temperature) == 23
    assert (temperature.min(), temperature.max(), distressed.sum()) == (53, 81, 9)
    design = np.stack([np.ones(23), (temperature - example.MIDDLE) / 10], axis=1)
    parameters = np.zeros(2)
    for _ in range(20):
        expected = example.RINGS / (1 + np.exp(-design @ parameters))
        weights = expected * (1 - expected / example.RINGS)
        hessian = design.T @ (weights[:, None] * design)
        parameters += np.linalg.solve(hessian, design.T @ (distressed - expected))
    for derivative in example.ENGINES.values():
        _, gradient = derivative(parameters, temperature, distressed)
        np.testing.assert_allclose(gradient, 0, atol=1e-12)
        found = example.fit(derivative, temperature, distressed)
        np.testing.assert_allclose(found.x, parameters, rtol=1e-6)
    a, b = example.coefficients(parameters)
    assert (a, b) == pytest.approx((5.08498, -0.11560), abs=1e-5)


def test_lotka_volterra_gradient_agrees_with_differences():
    example = load_example()
    pelts = np.loadtxt(example.RECORD, delimiter=",")[:, 1:]
    point = np.log(example.first_guess(pelts))

    value, gradient = example.loss(point, pelts)

    step = 1e-6
    differences = [
        (example.loss.primal(point + offset, pelts) - example.loss.primal(point - offset, pelts))
        / (2 * step)
        for offset in step * np.eye(len(point))
    ]
    assert value == pytest.approx(example.loss.primal(point, pelts), rel=1e-12)
    np.testing.assert_allclose(gradient, differences, rtol=1e-6, atol=1e-8)
