"""What becomes of one program: ok, refused, wrong, crash or skipped."""

import re
import signal
import threading
import traceback
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

import tests.verifying  # noqa: F401  (a complaint of the verifiers is a crash)
from adcompiler.errors import AdcompilerError, VerifyError
from tests.fuzz.agreement import FIRST_ORDER, MODES, Comparison, question
from tests.fuzz.generate import Program

OK, REFUSED, WRONG, CRASH, SKIPPED = "ok", "refused", "wrong", "crash", "skipped"
FAILURES = (WRONG, CRASH)
SECONDS = 20
"""More than this in one mode is a crash: an endless loop, or a compiler that does not end."""

PRIMAL_SECONDS = 1


@dataclass(frozen=True)
class Outcome:
    """The verdict on a program, with the mode in which it fell."""

    kind: str
    program: Program
    mode: str = ""
    reason: str = ""
    """One line, without what differs from program to program: it can be counted."""
    detail: str = ""

    @property
    def failed(self):
        return self.kind in FAILURES

    @property
    def signature(self):
        """What stays the same while a failing program is reduced."""
        return (self.kind, self.mode, self.reason if self.kind == CRASH else "")


class OutOfTime(BaseException):
    """Not an `Exception`, so that no handler of the program under test takes it."""


SWEEPS = ("reverse", "value", "pullback")
TURN = "turn"
"""One of the `SWEEPS`, by the seed: three ways to ask for one backward sweep, each compiled."""

IN_TURN = (TURN, "forward")


def modes_of(second=False):
    return MODES if second else FIRST_ORDER


def check(program, modes=FIRST_ORDER, points=(0, 1), seconds=SECONDS):
    """The worst that happens to a program in any mode at any point.

    Two points run the same compiled code on other values: other branches, other trips.
    `seconds` of computing time is for each mode.
    """
    modes = [SWEEPS[program.seed % len(SWEEPS)] if mode == TURN else mode for mode in modes]
    try:
        function = program.load()
        reference = program.reference(function)
    except Exception as problem:
        return Outcome(SKIPPED, program, "primal", "the program does not load", str(problem))
    outcomes = []
    for point in points:
        outcomes += _at_point(program, function, reference, point, modes, seconds)
    for kind in (WRONG, CRASH, REFUSED, SKIPPED):
        for outcome in outcomes:
            if outcome.kind == kind:
                return outcome
    return Outcome(OK, program)


def _at_point(program, function, reference, point, modes, seconds):
    try:
        args = program.arguments(point, function)
        with time_limit(PRIMAL_SECONDS):
            comparison = Comparison(
                function, args, program.argnums, program.seed + point, reference=reference
            )
    except (Exception, OutOfTime) as problem:
        reason = f"the program raises {type(problem).__name__}"
        return [Outcome(SKIPPED, program, "primal", reason, str(problem))]
    if not comparison.scalar or not np.all(np.isfinite(comparison.value)):
        return [Outcome(SKIPPED, program, "primal", "the program gives no finite float")]
    outcomes = []
    if comparison.doubts:
        outcomes.append(Outcome(SKIPPED, program, "differences", comparison.doubts))
    for mode in modes:
        try:
            with time_limit(seconds):
                complaint = question(comparison, mode)()
        except OutOfTime:
            outcomes.append(Outcome(CRASH, program, mode, "out of time", f"after {seconds} s"))
            break
        except AdcompilerError as refusal:
            if isinstance(refusal, VerifyError):  # the compiler's mistake, not the program's
                outcomes.append(Outcome(CRASH, program, mode, general_form(refusal), str(refusal)))
                continue
            detail = str(refusal)
            outcomes.append(Outcome(REFUSED, program, mode, general_form(refusal), detail))
        except Exception as problem:
            detail = traceback.format_exc(limit=-8)
            outcomes.append(Outcome(CRASH, program, mode, general_form(problem), detail))
        else:
            if complaint:
                reason = "value" if "value" in complaint else "numbers"
                where = f"at point {point}: {complaint}"
                outcomes.append(Outcome(WRONG, program, mode, reason, where))
    return outcomes


def general_form(problem):
    """An error in one line, without positions, names and numbers."""
    text = next((line for line in str(problem).splitlines() if line.strip()), "").strip()
    text = re.sub(r"<fuzz [^>]*>", "<fuzz>", text)
    text = re.sub(r"'[^']*'|`[^`]*`|\"[^\"]*\"", "'...'", text)
    text = re.sub(r"-?\d+(\.\d+)?(e[-+]?\d+)?", "N", text)
    return f"{type(problem).__name__}: {text[:110]}"


@contextmanager
def time_limit(seconds):
    """Raise `OutOfTime` after so many seconds of computing, where signals can be had.

    Computing, as a busy machine must not change a verdict.
    """
    if (
        not hasattr(signal, "setitimer")
        or threading.current_thread() is not threading.main_thread()
    ):
        yield
        return

    def stop(signum, frame):
        raise OutOfTime

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
