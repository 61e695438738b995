"""Random programs against differences, from the command line.

    python -m tests.fuzz.run --count 2000 --profile alias
    python -m tests.fuzz.run --seed 1234 --count 1 --profile all --reduce --show
    python -m tests.fuzz.run --count 500 --backend numba

With `--backend numba` the loops of the native backend are compared with the gradient of the NumPy
backend; they run as Python. A program without loops counts as refused.

Exits with 1 if a derivative was wrong or an exception came out of emitted code, and prints the
seeds and the smallest program of each sort, reduced with --reduce. A refusal is no failure; its
reasons are counted.
"""

import argparse
import os
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field

from tests.fuzz.agreement import NATIVE
from tests.fuzz.check import (
    CRASH,
    IN_TURN,
    OK,
    REFUSED,
    SKIPPED,
    WRONG,
    Outcome,
    check,
    modes_of,
)
from tests.fuzz.generate import HEADER, generate
from tests.fuzz.profiles import PROFILES
from tests.fuzz.reduce import reduced

CHUNK = 20
KINDS = (OK, REFUSED, WRONG, CRASH, SKIPPED)


@dataclass
class Tally:
    """The sums over many programs."""

    kinds: Counter = field(default_factory=Counter)
    constructs: Counter = field(default_factory=Counter)
    reasons: Counter = field(default_factory=Counter)
    examples: dict = field(default_factory=dict)
    """The first seed of each reason."""
    failures: list[Outcome] = field(default_factory=list)

    def add(self, outcome):
        self.kinds[outcome.kind] += 1
        self.constructs.update(outcome.program.counts.keys())
        if outcome.kind in (REFUSED, SKIPPED):
            reason = f"{outcome.kind} ({outcome.mode}): {outcome.reason}"
            self.reasons[reason] += 1
            self.examples.setdefault(reason, outcome.program.seed)
        if outcome.failed:
            self.failures.append(outcome)

    def line(self):
        return ", ".join(f"{self.kinds[kind]} {kind}" for kind in KINDS)


def outcomes(profile, seeds, modes, seconds):
    """The outcome of each seed, one process."""
    return [check(generate(seed, profile), modes, seconds=seconds) for seed in seeds]


def fuzz(profile, seed, count, modes, jobs=1, seconds=20, stop_after=None, progress=None):
    """The tally over `count` seeds, or until there are `stop_after` failures."""
    tally = Tally()
    chunks = [range(s, min(s + CHUNK, seed + count)) for s in range(seed, seed + count, CHUNK)]
    pool = ProcessPoolExecutor(jobs) if jobs > 1 else None
    try:
        if pool:
            futures = [pool.submit(outcomes, profile, chunk, modes, seconds) for chunk in chunks]
            batches = (future.result() for future in futures)
        else:
            batches = (outcomes(profile, chunk, modes, seconds) for chunk in chunks)
        for batch in batches:
            for outcome in batch:
                tally.add(outcome)
            if progress:
                progress(tally)
            if stop_after and len(tally.failures) >= stop_after:
                break
    finally:
        if pool:
            pool.shutdown(cancel_futures=True)
    return tally


def reduce_failure(outcome, modes, seconds):
    """A smaller program that fails in the same way."""
    if outcome.mode in modes:
        modes = (outcome.mode,)

    def still(source):
        candidate = outcome.program.with_source(source)
        return check(candidate, modes, seconds=seconds).signature == outcome.signature

    if not still(outcome.program.source):
        return outcome.program
    return outcome.program.with_source(reduced(outcome.program.source, still))


def main(arguments=None):
    options = _parser().parse_args(arguments)
    modes = modes_of(options.second)
    if options.modes:
        modes = IN_TURN if options.modes == "turn" else tuple(options.modes.split(","))
    if options.backend == "numba":
        os.environ["ADCOMPILER_DISABLE_JIT"] = "1"
        modes = NATIVE
    profiles = list(PROFILES) if options.profile == "each" else [options.profile]
    failed = False
    for profile in profiles:
        started = time.monotonic()

        def progress(tally, profile=profile, started=started):
            done = sum(tally.kinds.values())
            end = "\n" if done == options.count or not sys.stderr.isatty() else "\r"
            if end == "\r" or done == options.count or done % (CHUNK * 25) == 0:
                spent = time.monotonic() - started
                print(f"{profile} {done}/{options.count} {spent:.0f} s: {tally.line()}",
                      end=end, file=sys.stderr, flush=True)  # fmt: skip

        tally = fuzz(
            profile, options.seed, options.count, modes, options.jobs, options.seconds,
            options.stop_after, progress,
        )  # fmt: skip
        _report(profile, tally, options, modes)
        failed = failed or bool(tally.failures)
    return int(failed)


def _report(profile, tally, options, modes):
    print(f"profile {profile}: {tally.line()}")
    if options.histogram:
        print("\nprograms with each construct:")
        for construct, count in tally.constructs.most_common():
            print(f"  {count:6d} {construct}")
    if tally.reasons:
        print("\nrefused and skipped (count, first seed, reason):")
        for reason, count in tally.reasons.most_common():
            print(f"  {count:6d} {tally.examples[reason]:8d}  {reason}")
    groups = {}
    for outcome in tally.failures:
        groups.setdefault((outcome.kind, outcome.mode, outcome.reason), []).append(outcome)
    for number, ((kind, mode, reason), group) in enumerate(groups.items()):
        seeds = " ".join(str(outcome.program.seed) for outcome in group[:12])
        print(
            f"\n{len(group)} {kind} in mode {mode}: {reason}\n  --profile {profile} --seed {seeds}"
        )
        if number >= options.show_at_most:
            continue
        outcome = min(group, key=lambda outcome: len(outcome.program.source))
        program = outcome.program
        if options.reduce:
            program = reduce_failure(outcome, modes, options.seconds)
        print(f"\nseed {program.seed}: {outcome.detail}\n\narguments: {program.arguments(0)}")
        print(program.source.removeprefix(HEADER))
    if options.show and not tally.failures:
        for seed in range(options.seed, options.seed + min(options.count, options.show_at_most)):
            print(f"\n# --profile {profile} --seed {seed}")
            print(generate(seed, profile).source.removeprefix(HEADER))


def _parser():
    parser = argparse.ArgumentParser(
        prog="python -m tests.fuzz.run",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--seed", type=int, default=0, help="of the first program")
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--profile", choices=[*PROFILES, "each"], default="all")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--second", action="store_true", help="check second order too")
    parser.add_argument(
        "--modes",
        help="instead of the usual ones, separated by commas; "
        "`turn`: forward mode, and one kind of backward sweep by the seed",
    )
    parser.add_argument("--backend", choices=["numpy", "numba"], default="numpy")
    parser.add_argument("--seconds", type=float, default=20, help="at most, for one program")
    parser.add_argument("--stop-after", type=int, metavar="N", help="stop after N failures")
    parser.add_argument("--reduce", action="store_true", help="shrink failing programs")
    parser.add_argument("--show", action="store_true", help="print the programs")
    parser.add_argument("--show-at-most", type=int, default=5, metavar="N")
    parser.add_argument("--no-histogram", dest="histogram", action="store_false")
    return parser


if __name__ == "__main__":
    sys.exit(main())
