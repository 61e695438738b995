"""The examples run as a user would run them, and arrive where they should."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parent.parent
EXAMPLE = ROOT / "examples" / "lotka_volterra.py"

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


def load_example():
    spec = importlib.util.spec_from_file_location("lotka_volterra", EXAMPLE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_lotka_volterra_fits_the_record(tmp_path):
    search_path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    finished = subprocess.run(
        [sys.executable, str(EXAMPLE)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": search_path},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert finished.returncode == 0, finished.stderr

    assert "log_parameters_bar" in finished.stdout, "the adjoint was not printed"

    rows = [line.split() for line in finished.stdout.splitlines()]
    fitted = {
        row[0]: float(row[1]) for row in rows if len(row) > 2 and row[0] in FITTED and row[1] != "="
    }
    assert fitted == pytest.approx(FITTED, rel=1e-3)

    assert (tmp_path / "lotka_volterra.png").stat().st_size > 10_000


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
