"""What the tests share: one thread for small matrices, and a line that sums up the fuzzer."""

import os
from collections import Counter

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

import tests.verifying  # noqa: E402, F401  (after the threads are set)


def pytest_terminal_summary(terminalreporter):
    """Sum the counts that fuzzing tests record: a refusal passes, but it is seen."""
    kinds, refusals, native = Counter(), Counter(), Counter()
    for reports in terminalreporter.stats.values():
        for report in reports:
            for name, value in getattr(report, "user_properties", ()):
                if getattr(report, "when", "") != "call":
                    continue
                if name == "fuzz kinds":
                    kinds.update(value)
                elif name == "fuzz refusals":
                    refusals.update(value)
                elif name == "native":
                    native[value] += 1
    if kinds:
        counts = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common())
        terminalreporter.section("random programs")
        terminalreporter.line(counts)
        for reason, count in refusals.most_common(10):
            terminalreporter.line(f"{count:6d} {reason}")
    if native:
        loops = native.pop("loops", 0)
        terminalreporter.section("native backend")
        terminalreporter.line(f"{loops} programs as loops, {native.total()} on NumPy")
        for reason, count in native.most_common():
            terminalreporter.line(f"{count:6d} {reason}")
