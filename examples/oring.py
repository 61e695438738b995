"""How likely was an O-ring of Challenger to fail? A logistic regression, differentiated two ways.

On 28 January 1986 the joints of the boosters were at about 31 degrees Fahrenheit; no flight had
been launched below 53. For each of 23 flights before it is known how many of six O-rings showed
thermal distress. With t the temperature, the model is

    probability of distress = 1 / (1 + exp(-(a + b t))),

independently for each ring, and a and b are fitted by maximum likelihood. The minimiser is given
the gradient twice over: once by code that was compiled from the source of `loss`, once by a tape
that records what `loss` does. Both are shown first, and in the end they must agree.

    python examples/oring.py --out oring.png
"""

import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from scipy.optimize import minimize

import adcompiler
from adcompiler import tape

RECORD = Path(__file__).parent / "data" / "challenger_o_rings.csv"
RINGS = 6
LAUNCH = 31.0  # degrees Fahrenheit, on the morning of 28 January 1986
MIDDLE = 70.0


def loss(parameters, temperature, distressed):
    """Minus the logarithm of the likelihood, up to a constant.

    The parameters are the log odds at 70 degrees, and by how much they rise for every ten degrees:
    both of the order of 1, as minimisers like it.
    """
    log_odds = parameters[0] + parameters[1] * (temperature - MIDDLE) / 10
    return np.sum(RINGS * np.logaddexp(0.0, log_odds) - distressed * log_odds)


ENGINES = {
    "compiled": adcompiler.value_and_grad(loss),
    "tape": tape.value_and_grad(loss),
}


def read_record():
    columns = np.loadtxt(RECORD, delimiter=",", usecols=(1, 2))
    return columns[:, 0], columns[:, 1]


def fit(value_and_gradient, temperature, distressed):
    found = minimize(
        value_and_gradient, np.zeros(2), args=(temperature, distressed), jac=True, method="BFGS",
        options={"gtol": 1e-6},
    )  # fmt: skip
    if not found.success:
        raise SystemExit(f"the fit did not converge: {found.message}")
    return found


def coefficients(parameters):
    """a and b of the model, for temperatures in degrees Fahrenheit."""
    slope = parameters[1] / 10
    return parameters[0] - slope * MIDDLE, slope


def probability(parameters, temperature):
    a, b = coefficients(parameters)
    return 1 / (1 + np.exp(-(a + b * temperature)))


def plot_fit(temperature, distressed, parameters, out):
    figure, axes = plt.subplots(figsize=(8, 4), layout="constrained")
    degrees = np.linspace(LAUNCH - 3, 85, 200)
    axes.plot(degrees, RINGS * probability(parameters, degrees), label="expected, fitted")
    # Flights at one temperature with one outcome would lie on top of each other.
    places, flights = np.unique(np.stack([temperature, distressed]), axis=1, return_counts=True)
    axes.scatter(*places, s=30 * flights, color="tab:red", label="flights (larger: several)")
    axes.axvline(LAUNCH, color="0.5", linestyle=":")
    axes.annotate("Challenger, 31 °F", (LAUNCH, 0.2), xytext=(6, 0), textcoords="offset points")
    axes.set(
        xlabel="temperature at launch (°F)",
        ylabel=f"O-rings in distress, of {RINGS}",
        ylim=(-0.2, RINGS),
    )
    axes.legend()
    figure.savefig(out, dpi=150)


def main():
    parser = argparse.ArgumentParser(description="Fit the O-ring record through both engines.")
    parser.add_argument("--out", default="oring.png", help="where to save the plot")
    out = parser.parse_args().out
    temperature, distressed = read_record()
    start = np.zeros(2)

    print("The adjoint that the compiler wrote:\n")
    print(ENGINES["compiled"].source(start, temperature, distressed))
    print("What the tape records on each call, and keeps for the way back:\n")
    print(tape.record(loss, start, temperature, distressed).listing())

    print("\nFitted by maximum likelihood:\n")
    print(f"{'':9} {'a':>9} {'b':>9} {'minimum':>10} {'calls':>6} {'P(31 °F)':>9}")
    fits = {}
    for name, derivative in ENGINES.items():
        found = fits[name] = fit(derivative, temperature, distressed)
        a, b = coefficients(found.x)
        risk = probability(found.x, LAUNCH)
        print(f"{name:9} {a:9.5f} {b:9.5f} {found.fun:10.6f} {found.nfev:6} {risk:9.4f}")

    difference = np.max(np.abs(fits["compiled"].x - fits["tape"].x))
    gradients = [derivative(fits["tape"].x, temperature, distressed)[1] for derivative in
                 ENGINES.values()]  # fmt: skip
    apart = np.max(np.abs(gradients[0] - gradients[1]))
    print(f"\nlargest difference: of parameters {difference:.1e}, of gradients {apart:.1e}")
    if difference > 1e-6 or apart > 1e-9:
        raise SystemExit("the engines do not agree")
    expected = RINGS * probability(fits["compiled"].x, LAUNCH)
    print(f"At {LAUNCH:.0f} °F, {expected:.1f} of {RINGS} O-rings are expected in distress.")

    plot_fit(temperature, distressed, fits["compiled"].x, out)
    print(f"\nplot saved as {out}")


if __name__ == "__main__":
    main()
