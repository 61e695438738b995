"""Fit the Lotka-Volterra equations to twenty-one years of the Canadian fur trade.

With hares u and lynx v, in thousands of pelts, the model is

    du/dt = alpha u - beta u v
    dv/dt = delta u v - gamma v

The six unknowns are the four coefficients and the two populations in 1900. The integrator is an
ordinary loop that fills an array row by row; the optimiser gets the exact gradient of the misfit
through all of its steps, and the program that computes that gradient is printed first.

    python examples/lotka_volterra.py --out fit.png
    python examples/lotka_volterra.py --backend numba
    python examples/lotka_volterra.py --tape

The second line compiles the derivative to machine code (`pip install adcompiler[numba]`).

The third fits a second time, through the tape, which records what runs. A tape cannot follow a
value into a plain array, so it refuses `loss` as it stands, for two reasons: `np.array([...])`
makes a plain array of what it is given, and `path[k + 1] = ...` stores into one that `np.empty`
made. `loss_on_tape` is the same model with a list of states and `np.stack`.
"""

import argparse
import time
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from scipy.optimize import minimize

from adcompiler import AdcompilerError, tape, value_and_grad

RECORD = Path(__file__).parent / "data" / "hudson_bay_lynx_hare.csv"
STEPS_PER_YEAR = 10

MEANINGS = {
    "alpha": "growth of the hares, per year",
    "beta": "hares lost to each thousand lynx, per year",
    "gamma": "deaths of the lynx, per year",
    "delta": "lynx gained from each thousand hares, per year",
    "u0": "hares in 1900, in thousands",
    "v0": "lynx in 1900, in thousands",
}


def rates(state, coefficients):
    """How fast the two populations change."""
    hares, lynx = state
    alpha, beta, gamma, delta = coefficients
    return np.array([alpha * hares - beta * hares * lynx, delta * hares * lynx - gamma * lynx])


def simulate(parameters, years):
    """Follow the populations by classical Runge-Kutta steps: one row per step, and one before."""
    coefficients = parameters[:4]
    steps = years * STEPS_PER_YEAR
    h = 1 / STEPS_PER_YEAR
    path = np.empty((steps + 1, 2))
    path[0] = parameters[4:]
    for k in range(steps):
        state = path[k]
        slope1 = rates(state, coefficients)
        slope2 = rates(state + h / 2 * slope1, coefficients)
        slope3 = rates(state + h / 2 * slope2, coefficients)
        slope4 = rates(state + h * slope3, coefficients)
        path[k + 1] = state + h / 6 * (slope1 + 2 * slope2 + 2 * slope3 + slope4)
    return path


@value_and_grad
def loss(log_parameters, pelts):
    """Mean squared difference of the logarithms of model and record."""
    path = simulate(np.exp(log_parameters), len(pelts) - 1)
    residual = np.log(path[::STEPS_PER_YEAR]) - np.log(pelts)
    return np.mean(residual**2)


def rates_on_tape(state, coefficients):
    hares, lynx = state
    alpha, beta, gamma, delta = coefficients
    return np.stack([alpha * hares - beta * hares * lynx, delta * hares * lynx - gamma * lynx])


def simulate_on_tape(parameters, years):
    """The same as `simulate`: nothing is written, a list grows instead."""
    coefficients = parameters[:4]
    h = 1 / STEPS_PER_YEAR
    state = np.stack([parameters[4], parameters[5]])
    path = [state]
    for _ in range(years * STEPS_PER_YEAR):
        slope1 = rates_on_tape(state, coefficients)
        slope2 = rates_on_tape(state + h / 2 * slope1, coefficients)
        slope3 = rates_on_tape(state + h / 2 * slope2, coefficients)
        slope4 = rates_on_tape(state + h * slope3, coefficients)
        state = state + h / 6 * (slope1 + 2 * slope2 + 2 * slope3 + slope4)
        path.append(state)
    return np.stack(path)


def loss_on_tape(log_parameters, pelts):
    path = simulate_on_tape(np.exp(log_parameters), len(pelts) - 1)
    residual = np.log(path[::STEPS_PER_YEAR]) - np.log(pelts)
    return np.mean(residual**2)


def first_guess(pelts):
    """Parameters read off the record.

    The cycle takes about ten years, so sqrt(alpha gamma) is near 2 pi / 10; over a cycle the
    hares average gamma / delta and the lynx alpha / beta.
    """
    frequency = 2 * np.pi / 10
    mean_hares, mean_lynx = pelts.mean(axis=0)
    coefficients = [frequency, frequency / mean_lynx, frequency, frequency / mean_hares]
    return np.concatenate([coefficients, pelts[0]])


def plot_fit(years, pelts, parameters, out):
    path = simulate(parameters, len(years) - 1)
    time_axis = years[0] + np.arange(len(path)) / STEPS_PER_YEAR
    figure, axes = plt.subplots(figsize=(8, 4), layout="constrained")
    for column, name, colour in ((0, "hares", "tab:brown"), (1, "lynx", "tab:blue")):
        axes.plot(time_axis, path[:, column], color=colour, label=f"{name}, fitted")
        axes.plot(years, pelts[:, column], "o", color=colour, label=f"{name}, record")
    axes.set(xlabel="year", ylabel="pelts (thousands)", xticks=years[::5])
    axes.legend()
    figure.savefig(out, dpi=150)


def fitted(gradient, guess, pelts):
    """The fit by a gradient, and what it took, in seconds."""
    started = time.perf_counter()
    fit = minimize(gradient, guess, args=(pelts,), jac=True, method="L-BFGS-B")
    seconds = time.perf_counter() - started
    if not fit.success:
        raise SystemExit(f"the fit did not converge: {fit.message}")
    print(f"loss {fit.fun:.6f} after {fit.nfev} evaluations with gradient, {seconds:.2f} s\n")
    return fit


def show_tape(guess, pelts, fit):
    """What the tape refuses, and its own fit."""
    print("The tape takes the model with a list. Of the one that writes into an array it says:\n")
    try:
        tape.value_and_grad(loss)(guess, pelts)
    except AdcompilerError as refusal:
        print(f"{refusal}\n")
    recording = tape.record(loss_on_tape, guess, pelts)
    print(f"Recorded on each call: {len(recording.nodes):,} operations.\n")
    print(f"{recording.listing(most=12)}\n")
    again = fitted(tape.value_and_grad(loss_on_tape), guess, pelts)
    apart = np.max(np.abs(np.exp(again.x) / np.exp(fit.x) - 1))
    print(f"largest relative difference of the parameters: {apart:.1e}\n")


def main():
    parser = argparse.ArgumentParser(description="Fit Lotka-Volterra to the hare and lynx record.")
    parser.add_argument("--out", default="lotka_volterra.png", help="where to save the plot")
    parser.add_argument("--backend", default="numpy", choices=["numpy", "numba"])
    parser.add_argument("--tape", action="store_true", help="fit through the tape as well")
    options = parser.parse_args()
    gradient = loss.on_backend(options.backend)

    record = np.loadtxt(RECORD, delimiter=",")
    years, pelts = record[:, 0], record[:, 1:]
    guess = np.log(first_guess(pelts))

    started = time.perf_counter()
    print(gradient.source(guess, pelts))
    print(f"\nadjoint written in {time.perf_counter() - started:.2f} s")

    fit = fitted(gradient, guess, pelts)
    parameters = np.exp(fit.x)
    for (name, meaning), value in zip(MEANINGS.items(), parameters, strict=True):
        print(f"{name:>8} {value:10.5f}   {meaning}")

    if options.tape:
        print()
        show_tape(guess, pelts, fit)

    plot_fit(years, pelts, parameters, options.out)
    print(f"\nplot saved as {options.out}")


if __name__ == "__main__":
    main()
