"""Every notebook runs from top to bottom, in a copy, with the Python of the tests."""

import json
import shutil
import sys
from pathlib import Path

import nbclient
import nbformat
import pytest
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
NEEDS = {"00_mnist_tensorboard": "mnist", "02_pretrain": "zh_novels", "03_finetune": "thucnews", "04_search": "afqmc",
         "05_bert_as_service": "zh_novels"}  # notebook -> data set
MAX_SIZE = 300_000  # bytes


class ThisPython(AsyncKernelManager):
    """A kernel of `sys.executable`, as a kernel named python3 may be missing or belong to another Python."""

    @property
    def kernel_spec(self):
        argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        return KernelSpec(argv=argv, display_name="this Python", language="python")


def run(notebook, folder: Path):
    """Runs a notebook; raises nbclient's CellExecutionError, with the cell and its traceback, if a cell fails."""
    client = nbclient.NotebookClient(notebook, timeout=600, kernel_manager_class=ThisPython,
                                     resources={"metadata": {"path": str(folder)}})
    return client.execute()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))  # no history, no settings of the user
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
    work = tmp_path / "work"
    work.mkdir()
    return work


def test_there_are_notebooks():
    assert len(NOTEBOOKS) >= 2
    assert {path.stem for path in NOTEBOOKS} >= set(NEEDS)


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_runs(path, folder, data, monkeypatch):
    if path.stem in NEEDS:
        monkeypatch.setenv("TFPLM_DATA", str(data(NEEDS[path.stem]).parent))
    before = path.read_bytes()
    copy = Path(shutil.copy(path, folder))
    done = run(nbformat.read(copy, as_version=4), folder)
    cells = [cell for cell in done.cells if cell.cell_type == "code"]
    assert cells and all(cell.execution_count for cell in cells)
    assert path.read_bytes() == before


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_stored_outputs(path):
    """The committed notebook was run in order, without an error, and is small."""
    cells = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert not [output for cell in cells for output in cell.outputs if output.output_type == "error"]
    assert path.stat().st_size < MAX_SIZE
    nbformat.validate(json.loads(path.read_text(encoding="utf-8")))


def test_a_failing_cell_fails(folder):
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("import sys\nsys.executable"),
                                               nbformat.v4.new_code_cell("assert '苹' == '果', 'not the same'")])
    with pytest.raises(nbclient.exceptions.CellExecutionError, match="not the same"):
        run(notebook, folder)
    assert notebook.cells[0].outputs[0].data["text/plain"] == repr(sys.executable)
