"""Who may import whom, what a module needs, and what importing the package costs."""

import ast
import importlib
import os
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import adcompiler

PACKAGE = Path(adcompiler.__file__).parent
ROOT = PACKAGE.parent

LAYERS = [
    {"errors"},
    {"runtime"},
    # Below the IR: a rule is an ordinary function that knows nothing of it, while resolving asks
    # the rulebook under which name an operation is known.
    {"rules"},
    {"ir"},
    {"analysis", "tape"},
    {"passes"},
    {"backends"},
    {"optim", "nn"},
    {"api"},
    {""},  # the package itself
    {"cli", "__main__", "explorer"},
]
"""From the bottom; a module may import its own layer and those below."""

ALONE = {
    "errors": set(),
    "runtime": {"numpy"},
    "rules": {"numpy", "scipy"},
    "tape": {"numpy", "scipy"},
    "optim": {"numpy"},
}
"""What some parts may need beside Python and the package."""

NEVER = [
    ("tape", {"passes", "backends", "api", "analysis"}),
    ("rules", {"ir", "analysis", "passes", "backends", "api", "tape"}),
    ("passes", {"tape"}),
    ("backends", {"tape"}),
]


def module_name(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def part_of(module):
    """`ir` of `adcompiler.ir.nodes`; empty for the package itself."""
    return module.partition(".")[2].partition(".")[0]


def level(module):
    part = part_of(module)
    for height, parts in enumerate(LAYERS):
        if part in parts:
            return height
    raise AssertionError(f"{module} is in no layer: say in LAYERS where it stands")


def imports_of(path, name):
    """The modules that a file imports, also inside functions; with their lines."""
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*above, *filter(None, [base])])
            for alias in node.names:
                full = f"{base}.{alias.name}"
                yield (full if full in MODULES else base), node.lineno


every_module = pytest.mark.parametrize("name", MODULES)


@every_module
def test_imports_go_down_only(name):
    upward = [
        f"line {line}: {imported}"
        for imported, line in imports_of(MODULES[name], name)
        if imported.partition(".")[0] == "adcompiler" and level(imported) > level(name)
    ]
    assert not upward, f"{name} imports what stands above it: {upward}"


@pytest.mark.parametrize(("part", "forbidden"), NEVER, ids=[part for part, _ in NEVER])
def test_parts_that_must_not_know_each_other(part, forbidden):
    for name, path in MODULES.items():
        if part_of(name) == part:
            known = {part_of(i) for i, _ in imports_of(path, name) if i.startswith("adcompiler.")}
            assert not known & forbidden, name


@every_module
def test_needs_beside_python_are_few(name):
    allowed = ALONE.get(part_of(name))
    if allowed is None:
        allowed = {"numpy", "scipy", "gast", "astunparse", "numba", "llvmlite", "matplotlib"}
    for imported, line in imports_of(MODULES[name], name):
        top = imported.partition(".")[0]
        if top != "adcompiler" and top not in sys.stdlib_module_names:
            assert top in allowed, f"{name}, line {line}: {imported}"


@every_module
def test_module_imports_on_its_own(name):
    if name != "adcompiler.__main__":
        try:
            importlib.import_module(name)
        except ModuleNotFoundError as error:
            assert error.name is not None
            if error.name.partition(".")[0] in ("numba", "scipy"):
                pytest.skip(f"needs {error.name}")
            raise


FRESH = """
import importlib, sys
for name in sys.argv[1:]:
    for held in [m for m in sys.modules if m.partition(".")[0] == "adcompiler"]:
        del sys.modules[held]
    importlib.import_module(name)
"""


def test_modules_that_refer_to_each_other_can_be_imported_in_any_order(tmp_path):
    python(FRESH, tmp_path, arguments=[name for name in MODULES if part_of(name) == "ir"])


@every_module
def test_module_says_what_it_is(name):
    text = MODULES[name].read_text(encoding="utf-8")
    if MODULES[name].name == "__init__.py" and not text.strip():
        return
    docstring = ast.get_docstring(ast.parse(text))
    assert docstring, f"{name} has no docstring"
    assert docstring.splitlines()[0].rstrip().endswith((".", ":", "?")), docstring


@every_module
def test_module_is_named_for_what_it_holds(name):
    assert name.rpartition(".")[2] not in {"utils", "helpers", "misc", "common"}


GIVEN = {"object_classes", "derive", "derive_forward"}
"""What `resolve` gives a resolver, which has no default."""


def unknown_names(path):
    """What a file reads of the package's modules, and of a resolver, that they do not have."""
    from adcompiler.passes.builder import Builder

    tree = ast.parse(path.read_text(encoding="utf-8"))
    modules = {
        alias.asname or alias.name: importlib.import_module(f"{node.module}.{alias.name}")
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module
        for alias in node.names
        if f"{node.module}.{alias.name}" in MODULES
    }
    known = {"resolver": Builder(), **modules}
    bound = {
        n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
    }
    bound |= {n.arg for n in ast.walk(tree) if isinstance(n, ast.arg)} - {"resolver"}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            holder = node.value.id
            if holder in known and holder not in bound and isinstance(node.ctx, ast.Load):
                if not hasattr(known[holder], node.attr) and node.attr not in GIVEN:
                    yield f"line {node.lineno}: {holder}.{node.attr}"


@every_module
def test_names_of_other_modules_exist(name):
    """The type checker does not look, as operands of the IR are of several kinds."""
    if name.startswith("adcompiler.ir"):
        assert not list(unknown_names(MODULES[name]))


def test_packages_are_found():
    found = {m.name for m in pkgutil.walk_packages([str(PACKAGE)], "adcompiler.", onerror=str)}
    assert found == set(MODULES) - {"adcompiler"}


def test_nothing_of_the_tests_is_imported():
    for name, path in MODULES.items():
        tops = {imported.partition(".")[0] for imported, _ in imports_of(path, name)}
        assert not tops & {"tests", "benchmarks", "examples", "pytest", "hypothesis"}, name


# -- what importing costs ------------------------------------------------------------------------

TIMED = """
import sys, time
start = time.perf_counter()
import numpy
middle = time.perf_counter()
{}
end = time.perf_counter()
print(middle - start, end - start)
"""


def python(code, tmp_path, *flags, arguments=()):
    """Run code in a fresh interpreter, in what environment users have: bytecode is kept."""
    ours = ("PYTHONDONTWRITEBYTECODE", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    environment = {k: v for k, v in os.environ.items() if k not in ours}
    environment["PYTHONPYCACHEPREFIX"] = str(tmp_path)
    environment["PYTHONPATH"] = os.pathsep.join(
        filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])
    )
    finished = subprocess.run(
        [sys.executable, *flags, "-c", code, *arguments],
        env=environment, cwd=ROOT, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


def test_importing_costs_little_more_than_numpy(tmp_path):
    code = TIMED.format("from adcompiler import grad")
    python(code, tmp_path)  # writes the bytecode
    alone, together = [], []
    for _ in range(12):
        numpy, both = map(float, python(code, tmp_path).split())
        alone.append(numpy)
        together.append(both)
        if len(alone) >= 3 and min(together) <= 1.5 * min(alone):
            break
    ratio = min(together) / min(alone)
    assert ratio <= 1.5, f"{ratio:.2f} times the time of importing NumPy"


def test_importing_loads_nothing_that_only_some_need(tmp_path):
    code = "import sys, adcompiler; print(*sorted({m.partition('.')[0] for m in sys.modules}))"
    loaded = set(python(code, tmp_path).split())
    assert not loaded & {"numba", "llvmlite", "matplotlib", "pytest", "torch", "jax", "argparse"}


def test_importing_the_command_is_light(tmp_path):
    code = "import sys, adcompiler.cli; print('adcompiler.api.stages' in sys.modules)"
    assert python(code, tmp_path).strip() == "False"
