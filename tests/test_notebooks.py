"""The notebooks run from top to bottom in a fresh kernel, and hold what they print there.

They are stored with their outputs, so that they can be read without being run. Cells that are
tagged `exact` give the same text on every machine, and it is compared. The picture that a cell with
the tag `picture:NAME` draws stands in the documentation too, as `docs/pictures/NAME.png`. After a
change,

    python -m tests.test_notebooks --update

runs the notebooks and stores outputs and pictures anew; look at them before you keep them.
"""

import base64
import os
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = sorted((ROOT / "examples" / "notebooks").glob("*.ipynb"))
PICTURES = ROOT / "docs" / "pictures"
PREFIX = "picture:"
SECONDS = 60


def read(path):
    import nbformat

    return nbformat.read(path, as_version=4)


def executed(path):
    """The notebook with the outputs of a fresh kernel; an error in a cell raises."""
    from nbclient import NotebookClient

    notebook = read(path)
    for cell in code_cells(notebook):
        cell.outputs, cell.execution_count = [], None
    search_path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    environment = {**os.environ, "PYTHONPATH": search_path, "PYDEVD_DISABLE_FILE_VALIDATION": "1"}
    # The kernel must draw into the notebook, whatever is good for the tests.
    environment.pop("MPLBACKEND", None)
    client = NotebookClient(
        notebook, timeout=120, kernel_name="python3", record_timing=False,
        resources={"metadata": {"path": str(path.parent)}},
    )  # fmt: skip
    client.execute(env=environment)
    for cell in code_cells(notebook):
        cell.outputs = joined(cell.outputs)
    return notebook


def joined(outputs):
    """Outputs with what was printed in one piece: the kernel sends it in pieces, as it comes."""
    found = []
    for output in outputs:
        last = found[-1] if found else {}
        if output.output_type == "stream" and output.name == last.get("name"):
            last.text += output.text
        else:
            found.append(output)
    return found


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def tags(cell):
    return cell.metadata.get("tags", [])


def texts(cell):
    """What a cell printed and showed, as text."""
    found = []
    for output in cell.outputs:
        if output.output_type == "stream":
            found.append(output.text)
        elif "data" in output and "image/png" not in output.data:
            found.append(output.data.get("text/plain", ""))
    return "".join(found)


def pictures(notebook):
    """The pictures that are meant for the documentation: name and bytes."""
    for cell in code_cells(notebook):
        for tag in tags(cell):
            if tag.startswith(PREFIX):
                (image,) = (o.data["image/png"] for o in cell.outputs if "data" in o)
                yield tag.removeprefix(PREFIX), base64.b64decode(image)


every_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


@pytest.fixture(autouse=True)
def notebook_reader():
    pytest.importorskip("nbformat")


@every_notebook
def test_notebook_runs(path):
    for needed in ("nbclient", "ipykernel", "matplotlib"):
        pytest.importorskip(needed)
    begin = time.perf_counter()
    notebook = executed(path)
    seconds = time.perf_counter() - begin
    # Twice the time is for machines that are busy with other tests.
    assert seconds < 2 * SECONDS
    for fresh, stored in zip(code_cells(notebook), code_cells(read(path)), strict=True):
        assert [o.output_type for o in fresh.outputs] == [o.output_type for o in stored.outputs]
        if "exact" in tags(fresh):
            assert texts(fresh) == texts(stored), "python -m tests.test_notebooks --update"
    assert all(len(data) > 5_000 for _, data in pictures(notebook))


@every_notebook
def test_notebook_is_stored_with_its_outputs(path):
    notebook = read(path)
    assert [c.execution_count for c in code_cells(notebook)] == [
        k + 1 for k in range(len(code_cells(notebook)))
    ]
    assert not any(o.output_type == "error" for c in code_cells(notebook) for o in c.outputs)
    assert not any("stderr" == o.get("name") for c in code_cells(notebook) for o in c.outputs)
    assert path.stat().st_size < 500_000
    text = path.read_text(encoding="utf-8")
    for folder in (str(ROOT), str(Path.home()) + "/", "/tmp/"):
        assert folder not in text


@every_notebook
def test_pictures_of_the_documentation_are_those_of_the_notebook(path):
    for name, data in pictures(read(path)):
        assert (PICTURES / f"{name}.png").read_bytes() == data


def test_every_picture_is_shown():
    shown = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "docs").glob("*.md"))
    for picture in PICTURES.iterdir():
        assert f"(pictures/{picture.name})" in shown


def update():
    import nbformat

    PICTURES.mkdir(exist_ok=True)
    for path in NOTEBOOKS:
        notebook = executed(path)
        notebook.metadata.pop("language_info", None)  # names the version of this very Python
        for cell in notebook.cells:
            cell.metadata.pop("execution", None)
        nbformat.write(notebook, path)
        for name, data in pictures(notebook):
            (PICTURES / f"{name}.png").write_bytes(data)
        print(f"{path.name}: {len(code_cells(notebook))} cells run")


if __name__ == "__main__":
    if sys.argv[1:] != ["--update"]:
        sys.exit("usage: python -m tests.test_notebooks --update")
    update()
