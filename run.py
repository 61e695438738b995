"""Set up a checkout and run something in it, with nothing but Python 3.11 or newer.

    python3 run.py demo     fit the Lotka-Volterra equations to the hare and lynx record
    python3 run.py test     run the tests
    python3 run.py lint     check style, format and types
    python3 run.py bench    run the benchmarks

The first run makes a virtual environment in `.venv`, installs the package there in development
mode and remembers which pyproject.toml it served, so that later runs start at once. What follows
the command is passed on: `python3 run.py test -k loops`.
"""

import sys

if sys.version_info < (3, 11):
    version = ".".join(str(part) for part in sys.version_info[:3])
    sys.exit(
        f"adcompiler needs Python 3.11 or newer; {sys.executable} is Python {version}.\n"
        "Run this script with a newer one, for example: python3.11 run.py"
    )

import argparse
import hashlib
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
PYTHON = VENV / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
STAMP = VENV / "adcompiler-setup"


def say(message):
    print(f"run.py: {message}", flush=True)


def set_up():
    """Make `.venv` hold what pyproject.toml asks for, if it does not already."""
    wanted = hashlib.sha256((ROOT / "pyproject.toml").read_bytes() + str(ROOT).encode()).hexdigest()
    if PYTHON.exists() and STAMP.exists() and STAMP.read_text() == wanted:
        return
    if not PYTHON.exists():
        make_venv()
    say("installing adcompiler and what its tests need (some minutes the first time)")
    pip = [str(PYTHON), "-m", "pip", "--disable-pip-version-check", "install"]
    if subprocess.call([*pip, "-e", ".[dev]"], cwd=ROOT) != 0:
        sys.exit(f"run.py: the installation failed; after mending, or deleting {VENV}, try again")
    STAMP.write_text(wanted)
    say("ready")


def make_venv():
    say(f"making a virtual environment in {VENV}")
    if subprocess.call([sys.executable, "-m", "venv", "--clear", str(VENV)]) != 0:
        shutil.rmtree(VENV, ignore_errors=True)  # else the next run would take it for a good one
        sys.exit(
            "run.py: this Python cannot make virtual environments; "
            "on Debian or Ubuntu, install the package python3-venv"
        )


def run(*command, cwd=ROOT):
    """Run a command of the environment; its exit status."""
    shown = " ".join(map(str, command))
    say(f"python {shown}")
    return subprocess.call([str(PYTHON), *map(str, command)], cwd=cwd)


def demo(rest):
    return run(ROOT / "examples" / "lotka_volterra.py", *rest, cwd=None)  # plots go to the user


def test(rest):
    return run("-m", "pytest", "-n", "2", *rest)


def lint(rest):
    checks = [("ruff", "check", *rest), ("ruff", "format", "--check", *rest), ("mypy", *rest)]
    return max([run("-m", *check) for check in checks])


def bench(rest):
    return run("-m", "benchmarks", *rest)


COMMANDS = {"demo": demo, "test": test, "lint": lint, "bench": bench}


def main():
    parser = argparse.ArgumentParser(
        prog="run.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("command", choices=COMMANDS)
    parser.add_argument("rest", nargs=argparse.REMAINDER, help="passed on to the command")
    arguments = parser.parse_args()
    set_up()
    return COMMANDS[arguments.command](arguments.rest)


if __name__ == "__main__":
    sys.exit(main())
