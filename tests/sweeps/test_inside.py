"""A notebook whose kernel is the process that papermill is in: the same outputs, counts and failures as any other."""

import os
import signal
import sys
import time
from pathlib import Path

import nbformat
import psutil
import pytest

from helpers.errors import RunError
from helpers.runs.execute import execute
from helpers.sweeps import inside

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="copies of a process are made on Linux only")

CELLS = (
    "import sys\nprint('said'); print('and complained', file=sys.stderr); config",
    "from IPython.display import HTML, display\n%matplotlib inline\ndisplay(HTML('<b>shown</b>'))",
    "import os\nos.path.basename(os.getcwd())",
)


@pytest.fixture(scope="module", autouse=True)
def _imported() -> None:
    """Import once what each copy would import."""
    import papermill  # noqa: F401

    inside.register()


def outcome(folder: Path, *cells: str, engine: str | None = inside.ENGINE) -> nbformat.NotebookNode:
    """Execute a notebook of a run in a folder; return its executed copy."""
    notebook = nbformat.v4.new_notebook()
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    words = nbformat.v4.new_markdown_cell("words")
    head = nbformat.v4.new_code_cell("config = None\nrun = None", metadata={"tags": ["parameters"]})
    notebook.cells = [words, head, *(nbformat.v4.new_code_cell(source) for source in cells)]
    path = folder / "own.ipynb"
    nbformat.write(notebook, path)
    error = inside.in_a_copy(_executed, path, engine)
    if error:
        raise RunError(error)
    return nbformat.read(folder / "runs" / "mine" / "notebooks" / "own.ipynb", as_version=4)


def _executed(path: Path, engine: str | None) -> str:
    os.environ["QTP_RUNS_DIR"] = str(path.parent / "runs")
    try:
        execute(path, "virtual", {"run": "mine"}, engine=engine)
    except RunError as error:
        return str(error)
    return ""


def plain(notebook: nbformat.NotebookNode) -> list[object]:
    """Return sources, counts and outputs of the code cells; papermill's cell of parameters is one of them."""
    return [(c.source, c.execution_count, c.outputs) for c in notebook.cells if c.cell_type == "code"]


def test_outputs_and_counts_are_those_of_a_kernel_of_its_own(tmp_path):
    folders = [tmp_path / name for name in ("inside", "usual")]
    for folder in folders:
        folder.mkdir()
    mine, usual = (
        plain(outcome(folder, *CELLS[:2], engine=engine))
        for folder, engine in zip(folders, (inside.ENGINE, None), strict=True)
    )
    by_kind = [
        [(source, count, sorted(outputs, key=str)) for source, count, outputs in cells] for cells in (mine, usual)
    ]
    assert by_kind[0] == by_kind[1] and [len(outputs) for *_, outputs in mine] == [0, 0, 3, 1]


def test_a_notebook_is_in_its_own_folder_and_this_process_stays_in_its(tmp_path):
    here = os.getcwd()
    (*_, (_, _, (shown,))) = plain(outcome(tmp_path, CELLS[2]))
    assert shown["data"]["text/plain"] == repr(tmp_path.name) and os.getcwd() == here


def test_a_cell_that_fails_stops_the_notebook_and_is_named(tmp_path):
    with pytest.raises(RunError, match=r"own failed in cell \d \(In \[3\]\):\n    1 / 0\nZeroDivisionError"):
        outcome(tmp_path, "1 / 0", "open('later', 'w')")
    failed = nbformat.read(tmp_path / "runs" / "mine" / "notebooks" / "own.failed.ipynb", as_version=4)
    assert not (tmp_path / "later").exists()
    assert [output.ename for cell in plain(failed) for output in cell[2]] == ["ZeroDivisionError"]


def test_a_notebook_whose_process_is_killed_is_told_of(tmp_path):
    with pytest.raises(RunError, match="was killed"):
        outcome(tmp_path, f"import os\nos.kill(os.getpid(), {int(signal.SIGKILL)})")


def test_an_error_outside_the_notebook_is_no_result():
    with pytest.raises(RunError, match="ended with code 1: see above"):
        inside.in_a_copy(_wrong)


def _wrong() -> str:
    raise ValueError("a fault of the code")


def test_a_copy_ends_with_the_process_that_waits_for_it(tmp_path):
    """Of a sweep that is killed nothing works on in its folder."""
    told = tmp_path / "pid"
    waiting = os.fork()
    if waiting == 0:
        inside.in_a_copy(_sleep, told)
        os._exit(0)
    while not (told.exists() and told.read_text()):
        time.sleep(0.02)
    os.kill(waiting, signal.SIGKILL)
    os.waitpid(waiting, 0)
    copy = int(told.read_text())
    for _ in range(500):
        if not psutil.pid_exists(copy) or psutil.Process(copy).status() == psutil.STATUS_ZOMBIE:
            return
        time.sleep(0.02)
    raise AssertionError("the copy works on")


def _sleep(told: Path) -> str:
    told.write_text(str(os.getpid()))
    time.sleep(60)
    return ""
