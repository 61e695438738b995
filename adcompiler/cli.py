"""The command `adcompiler`: show a derivative, check it, compare engines, write it to a file.

    adcompiler show model.py:loss                      the gradient, as source
    adcompiler show model.py:loss --stage ir           one stage of compiling it
    adcompiler show model.py:loss --explain            what is saved for the backward sweep
    adcompiler check package.module:loss --order 2     against differences
    adcompiler compare model.py:loss                   compiled code beside the tape
    adcompiler emit model.py:loss -o loss_grad.py --standalone
    adcompiler show model.py:loss --backend numba      the loops of the native backend

Without `--args`, arguments are made up from annotations and defaults.  The exit status is 0; 1
where a function is refused or a derivative is wrong; 2 where the command does not make sense.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TextIO

if TYPE_CHECKING:
    from adcompiler.api.derivative import Derivative

MODES = ("grad", "value_and_grad", "vjp", "jvp", "hvp")
ENGINES = ("compiled", "tape", "both")
STAGES = ("ast", "tree", "ir", "types", "adjoint", "optimised", "source")
OK, WRONG, USAGE = 0, 1, 2


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    options = parser().parse_args(argv)
    if options.traceback:
        return options.run(options)
    try:
        return options.run(options)
    except Misuse as error:
        say(f"adcompiler: {error}", sys.stderr)
        return USAGE
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK
    except Exception as error:
        say(block(error), sys.stderr)
        return WRONG


class Misuse(Exception):
    """The command line asks for what there is not."""


def parser() -> argparse.ArgumentParser:
    main_parser = argparse.ArgumentParser(
        prog="adcompiler", description="Derivatives of NumPy code, as source that can be read."
    )
    main_parser.add_argument("--version", action=Version, nargs=0, help="show the version")
    commands = main_parser.add_subparsers(required=True, metavar="COMMAND")

    show = command(commands, "show", run_show, "print a derivative, or one stage of its making")
    derivative_options(show)
    show.add_argument(
        "--stage", choices=STAGES, default="source", help="which text to show (default: source)"
    )
    show.add_argument(
        "--explain", action="store_true", help="show what is saved, recomputed and inactive instead"
    )

    check = command(commands, "check", run_check, "compare derivatives with differences")
    check.add_argument("--order", type=order, default=2, help="the highest order (default: 2)")
    check.add_argument("--modes", type=modes, default=("rev", "fwd"), metavar="MODE,...",
                       help="rev, fwd or both (default: rev,fwd)")  # fmt: skip
    check.add_argument(
        "--engine", choices=ENGINES,
        help="whose derivatives (default: the compiler's, and the tape's where it gives one)",
    )  # fmt: skip
    check.add_argument("--atol", type=float, help="absolute tolerance")
    check.add_argument("--rtol", type=float, help="relative tolerance")

    compare = command(
        commands, "compare", run_compare, "measure compiled code and the tape on one call"
    )
    argnums_option(compare)
    compare.add_argument(
        "--seconds", type=duration, default=0.5, help="how long to measure (default: 0.5)"
    )
    compare.add_argument("--plot", metavar="FILE", help="also draw a chart, e.g. chart.svg")

    emit = command(commands, "emit", run_emit, "write a derivative to a file")
    derivative_options(emit)
    emit.add_argument("-o", "--output", metavar="FILE", help="the file (default: standard output)")
    emit.add_argument("--standalone", action="store_true", help="make it need NumPy alone")
    return main_parser


class Version(argparse.Action):
    """Prints the version, for which the package need not be loaded otherwise."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> NoReturn:
        from adcompiler import __version__

        print(f"adcompiler {__version__}")
        parser.exit()


def command(commands: Any, name: str, run: Callable, summary: str) -> argparse.ArgumentParser:
    made = commands.add_parser(name, help=summary, description=f"{summary.capitalize()}.")
    made.set_defaults(run=run)
    made.add_argument(
        "target", metavar="TARGET", type=target, help="FILE.py:function or module:function"
    )
    made.add_argument(
        "--args",
        metavar="ARGS",
        help='what to call it with, e.g. "1.0, np.ones(3)"; names of its module may be used',
    )
    made.add_argument(
        "--backend", help="numpy or numba (default: numpy, or what the function is decorated with)"
    )
    made.add_argument("--traceback", action="store_true", help="show where an error comes from")
    return made


def derivative_options(made: argparse.ArgumentParser) -> None:
    made.add_argument(
        "--mode", choices=MODES,
        help="which derivative (default: grad, or what the function is decorated with)",
    )  # fmt: skip
    argnums_option(made)


def argnums_option(made: argparse.ArgumentParser) -> None:
    made.add_argument(
        "--argnums", type=numbers, metavar="N,...",
        help="of which arguments, counted from 0 (default: 0)",
    )  # fmt: skip


def target(text: str) -> tuple[str, str]:
    """The module or file, and the dotted name in it."""
    where, colon, name = text.rpartition(":")
    if not colon or not where or not name:
        raise argparse.ArgumentTypeError(f"{text!r} is not FILE.py:function or module:function")
    return where, name


def numbers(text: str) -> int | tuple[int, ...]:
    try:
        found = tuple(int(part) for part in text.split(",") if part.strip())
    except ValueError:
        found = ()
    if not found:
        raise argparse.ArgumentTypeError(f"{text!r} is no list of numbers such as 0,2")
    return found if "," in text else found[0]


def modes(text: str) -> tuple[str, ...]:
    found = tuple(part.strip() for part in text.split(","))
    if not set(found) <= {"rev", "fwd"}:
        raise argparse.ArgumentTypeError(f"{text!r}: modes are rev and fwd")
    return found


def order(text: str) -> int:
    if text not in ("1", "2", "3", "4"):
        raise argparse.ArgumentTypeError(f"{text!r}: an order is a number from 1 to 4")
    return int(text)


def duration(text: str) -> float:
    try:
        found = float(text)
    except ValueError:
        found = 0.0
    if not 0 < found < 3600:
        raise argparse.ArgumentTypeError(f"{text!r} is no time in seconds")
    return found


# ---------------------------------------------------------------------------------------------
# the commands


def run_show(options: argparse.Namespace) -> int:
    thing, scope = load(*options.target)
    if options.stage in ("ast", "tree") and not options.explain:
        # Also of what cannot be compiled any further.
        from adcompiler.api.stages import show_function

        say(show_function(function_of(thing), options.stage), sys.stdout)
        return OK
    derivative = derivative_of(thing, options)
    args, keywords = given_arguments(options, scope)
    if options.explain:
        text = derivative.explain(*args, **keywords)
    else:
        text = derivative.source(*args, stage=options.stage, **keywords)
    say(text, sys.stdout)
    return OK


def run_check(options: argparse.Namespace) -> int:
    from adcompiler.api.checking import WrongDerivative, check_grads
    from adcompiler.errors import AdcompilerError

    thing, scope = load(*options.target)
    function = function_of(thing)
    args, note = positional_arguments(options, scope, function, "check")
    runs = engines_and_modes(options)
    status = OK
    rows = [("engine", "mode", "order", "agreement")]
    causes: dict[str, None] = {}
    for engine, mode in runs:
        for degree in range(1, options.order + 1):
            try:
                check_grads(
                    function, args, degree, (mode,), options.atol, options.rtol,
                    backend=options.backend or "numpy", engine=engine,
                )  # fmt: skip
                answer = "agrees with differences"
            except WrongDerivative as error:
                answer, status = f"WRONG: {error}", WRONG
            except AdcompilerError as error:
                answer = f"refused: {error.message}"
                causes[str(error)] = None
                # That the tape takes less than the compiler is no fault unless it was asked for.
                if engine == "compiled" or options.engine is not None:
                    status = WRONG
            rows.append((engine, mode, str(degree), answer))
            if not answer.startswith("agrees"):
                break
    widths = [max(len(row[k]) for row in rows) for k in range(3)]
    padded = ("  ".join(f"{row[k]:<{widths[k]}}" for k in range(3)) for row in rows)
    table = (f"{cells}  {row[3]}\n" for cells, row in zip(padded, rows, strict=True))
    say(note + "".join(table), sys.stdout)
    for cause in causes:
        say(cause, sys.stderr)
    return status


def engines_and_modes(options: argparse.Namespace) -> list[tuple[str, str]]:
    """What `check` checks: the tape has reverse mode alone."""
    if options.engine == "tape" and "rev" not in options.modes:
        raise Misuse("the tape has reverse mode only: use --modes rev")
    runs = [("compiled", mode) for mode in options.modes] if options.engine != "tape" else []
    if options.engine != "compiled" and "rev" in options.modes:
        runs.append(("tape", "rev"))
    return runs


def positional_arguments(
    options: argparse.Namespace, scope: dict, function: Callable, what: str
) -> tuple[tuple, str]:
    """Those that were given, or made up; with what is to be said of them."""
    args, keywords = given_arguments(options, scope)
    if keywords:
        raise Misuse(f"{what} takes positional arguments only")
    if args:
        return args, ""
    from adcompiler.api.examples import example_arguments

    return example_arguments(function)


def run_compare(options: argparse.Namespace) -> int:
    from adcompiler.api.comparing import compare
    from adcompiler.api.derivative import check_backend

    thing, scope = load(*options.target)
    function = function_of(thing)
    args, note = positional_arguments(options, scope, function, "compare")
    number = options.argnums
    if number is None:
        number = getattr(thing, "argnums", None)
    backend = options.backend or getattr(thing, "backend", "numpy")
    try:
        check_backend(backend)
    except (ValueError, ModuleNotFoundError) as error:  # no such backend, or not installed
        raise Misuse(str(error)) from error
    found = compare(
        function, *args, argnums=0 if number is None else number, backend=backend,
        seconds=options.seconds,
    )  # fmt: skip
    try:
        figure = found.plot() if options.plot is not None else None
    except ModuleNotFoundError as error:
        raise Misuse(str(error)) from error
    say(note + str(found), sys.stdout)
    if figure is not None:
        try:
            figure.savefig(options.plot)
        except (OSError, ValueError) as error:  # no such place, or no such format
            raise Misuse(f"cannot write {options.plot}: {error}") from error
    both_refuse = all(side.refusal is not None for side in found.sides)
    return WRONG if found.agrees is False or both_refuse else OK


def run_emit(options: argparse.Namespace) -> int:
    thing, scope = load(*options.target)
    derivative = derivative_of(thing, options)
    args, keywords = given_arguments(options, scope)
    text = derivative.source(*args, **keywords)
    if options.standalone:
        from adcompiler.api.standalone import standalone

        found: Any = derivative._chosen(args, keywords)[0]
        text = standalone(text, found.emitted.namespace)
    if options.output is None:
        say(text, sys.stdout)
        return OK
    try:
        Path(options.output).write_text(text, encoding="utf-8")
    except OSError as error:
        raise Misuse(f"cannot write {options.output}: {error.strerror}") from error
    return OK


# ---------------------------------------------------------------------------------------------
# what they are about


def load(where: str, name: str) -> tuple[Any, dict[str, Any]]:
    """The object that a target names, and the names that `--args` may use."""
    module = load_file(Path(where)) if where.endswith(".py") else load_module(where)
    found: Any = module
    for part in name.split("."):
        try:
            found = getattr(found, part)
        except AttributeError:
            known = [n for n, v in vars(module).items() if callable(v) and not n.startswith("_")]
            listed = f"; it has {', '.join(known[:10])}" if known else ""
            raise Misuse(f"{where} has no {name}{listed}") from None
    if not callable(found):
        raise Misuse(f"{name} of {where} is not a function but a {type(found).__name__}")
    return found, vars(module)


def load_file(path: Path) -> Any:
    """The module in a file, which finds its neighbours as if it were run."""
    import importlib.util

    if not path.is_file():
        raise Misuse(f"there is no file {path}")
    folder = str(path.resolve().parent)
    if folder not in sys.path:
        sys.path.insert(0, folder)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    return imported(lambda: spec.loader.exec_module(module) or module, str(path))  # type: ignore


def load_module(name: str) -> Any:
    import importlib

    if "" not in sys.path and os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    return imported(lambda: importlib.import_module(name), name)


def imported(run: Callable[[], Any], name: str) -> Any:
    try:
        return run()
    except Exception as error:
        raise Misuse(f"importing {name} fails: {type(error).__name__}: {error}") from error


def function_of(thing: Any) -> Callable:
    """The function that a derivative is of; any other function itself."""
    from adcompiler.api.derivative import Derivative

    return thing.base if isinstance(thing, Derivative) else thing


def derivative_of(thing: Any, options: argparse.Namespace) -> Derivative:
    from adcompiler.api import transforms
    from adcompiler.api.derivative import Derivative

    function = function_of(thing)
    mode = options.mode or "grad"
    number, backend = options.argnums, options.backend or "numpy"
    if mode in ("vjp", "jvp") and number is not None:
        raise Misuse(f"{mode} takes all arguments: leave out --argnums")
    try:
        if isinstance(thing, Derivative) and options.mode is None and options.argnums is None:
            return thing if options.backend is None else thing.on_backend(backend)
        match mode:
            case "vjp":
                return transforms._Pullback(function, mode, mode, backend=backend)
            case "jvp":
                return transforms._Forward(function, mode, mode, backend=backend)
            case "hvp":
                inner = transforms.grad(function, argnums=number, backend=backend)
                return transforms._Forward(inner, "jvp", mode, backend=backend)
        return Derivative(function, mode, mode, number, backend=backend)
    except (ValueError, ModuleNotFoundError) as error:  # no such backend, or not installed
        raise Misuse(str(error)) from error


def given_arguments(options: argparse.Namespace, scope: dict) -> tuple[tuple, dict]:
    """The value of `--args`, which reads as the arguments of a call."""
    if options.args is None:
        return (), {}
    import math

    import numpy as np

    def call(*args: Any, **keywords: Any) -> tuple[tuple, dict]:
        return args, keywords

    names = {"np": np, "numpy": np, "math": math, **scope, "__call": call}
    try:
        return eval(f"__call({options.args}\n)", names)
    except Exception as error:
        raise Misuse(f"--args {options.args!r}: {type(error).__name__}: {error}") from error


# ---------------------------------------------------------------------------------------------
# text


def block(error: Exception) -> str:
    """An error as one block that can be read."""
    from adcompiler.api.checking import WrongDerivative
    from adcompiler.errors import AdcompilerError

    if isinstance(error, AdcompilerError):
        return str(error)
    if isinstance(error, WrongDerivative):
        return f"wrong derivative: {error}"
    return f"{type(error).__name__}: {error}\n(use --traceback to see where it comes from)"


def say(text: str, stream: TextIO) -> None:
    if is_coloured(stream):
        text = re.sub(r"(?m)^( *)(#.*)$", "\\1\x1b[2m\\2\x1b[0m", text)
        text = re.sub(r"(?m)^(why|instead):", "\x1b[1m\\1:\x1b[0m", text)
    stream.write(text if text.endswith("\n") else f"{text}\n")
    stream.flush()


def is_coloured(stream: TextIO) -> bool:
    return stream.isatty() and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"
