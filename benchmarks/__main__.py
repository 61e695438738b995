"""Run benchmarks by name: `python -m benchmarks engines tape_overhead --quick`.

Without names, all that measure adcompiler beside something else are run. Options are passed on.
"""

import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parent
SCRIPTS = {"by_hand": FOLDER / "by_hand" / "run.py"} | {
    path.stem: path for path in sorted(FOLDER.glob("[a-z]*.py")) if path.stem != "interleave"
}
USUAL = ("by_hand", "engines", "tape_overhead", "call_overhead", "compile_time")


def main(arguments):
    names = [text for text in arguments if not text.startswith("-")] or USUAL
    options = [text for text in arguments if text.startswith("-")]
    for name in names:
        if name not in SCRIPTS:
            sys.exit(f"there is no benchmark {name!r}; there are: {', '.join(SCRIPTS)}")
    status = 0
    for name in names:
        print(f"\n# {name}\n", flush=True)
        status |= subprocess.call([sys.executable, str(SCRIPTS[name]), *options])
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
