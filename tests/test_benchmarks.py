"""The scripts that measure run, on the smallest of inputs, and write the tables that the book reads."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pandas as pd
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "benchmarks"))

import engines  # noqa: E402
import measuring  # noqa: E402
import scaling  # noqa: E402
import waits  # noqa: E402
import where_to_measure  # noqa: E402
import whole_job  # noqa: E402

from helpers.sweeps.plan import plan, read_sweep  # noqa: E402

TINY = [
    *("--rows", "80", "--rounds", "1", "--trees", "2", "--years", "1", "--side", "40"),
    *("--threads", "1", "--forests", "npp"),
]


def committed(name: str) -> pd.DataFrame:
    return pd.read_csv(ROOT / "data" / "benchmarks" / name, comment="#")


@pytest.fixture(scope="module")
def tiny_engines(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The table of engines on a grid of 40 x 40 cells; R is hidden, and so is sklearn-raster."""
    output = tmp_path_factory.mktemp("benchmarks") / "engines.csv"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", "")
        patch.setitem(sys.modules, "sklearn_raster", None)
        engines.main([*TINY, "--output", str(output)])
    return output


def test_the_table_of_engines_has_the_columns_of_the_committed_one(tiny_engines):
    assert list(pd.read_csv(tiny_engines, comment="#")) == list(committed("engines.csv"))


def test_engines_that_are_not_installed_are_left_out(tiny_engines):
    left = ["scikit-learn, stacked array", "scikit-learn, blocks", "pruned groups"]
    assert pd.read_csv(tiny_engines, comment="#")["engine"].tolist() == left


def test_engines_agree(tiny_engines):
    assert pd.read_csv(tiny_engines, comment="#")["largest_difference"].max() < 1e-9


def test_the_first_line_is_the_command_without_the_place_of_its_output(tiny_engines):
    first = tiny_engines.read_text().partition("\n")[0]
    assert first.startswith(f"# python benchmarks/engines.py {' '.join(TINY)}, 20")


def test_an_engine_that_is_not_installed_is_named(capsys, monkeypatch):
    monkeypatch.setenv("PATH", "")
    engines.installed()
    assert "R ranger: skipped, not installed" in capsys.readouterr().err


def test_a_side_that_the_coarse_covariates_do_not_divide_is_refused(capsys):
    with pytest.raises(SystemExit):
        engines.main(["--side", "50"])
    assert "expected a multiple of 40" in capsys.readouterr().err


@pytest.mark.parametrize("script", [scaling, waits, where_to_measure, whole_job])
def test_a_script_says_what_it_takes(script, capsys):
    with pytest.raises(SystemExit) as ended:
        script.main(["--help"])
    assert ended.value.code == 0 and "--output" in capsys.readouterr().out


def test_worlds_that_are_finished_are_not_made_again(tmp_path, monkeypatch):
    made = []

    def one_world(seed: int, designs: list[str], *how: object) -> pd.DataFrame:
        made.append((seed, len(designs)))
        return pd.DataFrame({"seed": seed, "design": designs, "plots": 0})

    monkeypatch.setattr(where_to_measure, "one_world", one_world)
    output = ["--output", str(tmp_path / "designs.csv")]
    monkeypatch.setattr(where_to_measure, "HABITS", {})
    where_to_measure.main(["--worlds", "1", *output])
    monkeypatch.setattr(where_to_measure, "HABITS", {"at_random": ""})
    where_to_measure.main(["--worlds", "2", *output])
    where_to_measure.main(["--worlds", "2", *output])
    assert made == [(1, 5), (1, 1), (2, 6)]
    assert pd.read_csv(tmp_path / "designs.csv", comment="#")["seed"].tolist() == [1] * 6 + [2] * 6
    with pytest.raises(SystemExit, match="made in another way"):
        where_to_measure.main(["--worlds", "3", "--draws", "11", *output])


def test_new_plots_stand_in_their_cell_on_land_of_the_plateau():
    cells = pd.DataFrame({"latitude": [31.25, 33.25, 30.25], "longitude": [91.25, 95.75, 90.75]})
    longitude, latitude, stands = where_to_measure.points_in(cells, 0.5, seed=1)
    assert stands.all()
    assert (abs(longitude - cells["longitude"]) <= 0.255).all() and (abs(latitude - cells["latitude"]) <= 0.255).all()
    assert not (longitude == cells["longitude"]).all()
    assert not where_to_measure.points_in(pd.DataFrame({"latitude": [20.0], "longitude": [90.0]}), 0.5, 1)[2].any()


def test_a_process_of_its_own_returns_its_result_and_its_memory():
    result, peak = measuring.in_child(len, "abc")
    assert result == 3 and peak > 1


def test_a_process_that_fails_is_no_measurement(capfd):
    with pytest.raises(RuntimeError, match="ended with code 1"):
        measuring.in_child(len, 3)


@pytest.mark.parametrize("quick", [True, False])
def test_a_case_differs_from_the_base_in_its_factor_alone(quick):
    chosen = scaling.cases(quick)
    (base,) = chosen.pop("base")
    changed = {"cells": {"side"}, "workers": {"workers", "threads"}}
    for factor, own in chosen.items():
        for case in own:
            differing = {name for name, value in asdict(case).items() if value != getattr(base, name)}
            assert factor in changed or differing == {factor}
            assert differing <= changed.get(factor, {factor}) and differing


def test_a_map_is_timed_from_a_store(tmp_path):
    grid = engines.synthetic_grid(0, years=2, side=40)
    scaling.write_cube(grid, 40, 2, 20, tmp_path / "cube.zarr")
    (tmp_path / "forest.pickle").write_bytes(pickle.dumps(scaling.grow(grid, trees=2)))
    case = scaling.Case(side=40, years=2, trees=2, threads=1, workers=0, chunk=20)
    spent = scaling.spent(case, tmp_path / "cube.zarr", tmp_path / "forest.pickle")
    assert spent.keys() == {"wall_seconds", "cpu_seconds", "before_mb"} and spent["wall_seconds"] > 0


# A parent that waits for one child, which waits for another; then not for a third, which ends when it is told to.
FAMILY = """
import os, signal, time

def end():
    print(time.process_time(), flush=True)
    os._exit(0)

def work(seconds):
    until = time.process_time() + seconds
    while time.process_time() < until:
        pass

if os.fork() == 0:
    if os.fork() == 0:
        work(0.4)
        end()
    os.wait()
    work(0.2)
    end()
os.wait()
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
if os.fork() == 0:
    work(0.5)
    print(time.process_time(), flush=True)
    os.read(0, 1)
    os._exit(0)
os.read(0, 1)
end()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a process does not say for whom it has waited")
def test_processor_time_is_that_of_all_processes_waited_for_or_not():
    family = subprocess.Popen([sys.executable, "-c", FAMILY], stdin=-1, stdout=-1, text=True)
    told: list[float] = []

    def runs_on() -> bool:
        """Look at it when all have worked, then let it end."""
        if len(told) == 3:
            told.append(float(family.communicate("\n\n")[0]))
        while len(told) < 3:
            told.append(float(family.stdout.readline()))
        return family.poll() is None

    seconds, peak = measuring.watched(family.pid, runs_on)
    assert seconds == pytest.approx(sum(told), abs=0.1) and sum(told) > 1.1
    assert peak > 5


# -- what people wait for --------------------------------------------------------------------------

MAKEFILE = """
environment:
\t@test ! -e .venv && mkdir -p .venv src && touch .venv/made src/ahead
book:
\t@test -e .venv/made && test -e src/ahead && test ! -e left && test ! -e runs && mkdir runs && touch left runs/left
test:
\t@false
"""


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A book that is a Makefile: its targets refuse what an earlier row has left."""
    root = tmp_path / "checkout"
    root.mkdir()
    (root / "Makefile").write_text(MAKEFILE)
    git = ["git", "-C", str(root), "-c", "user.name=x", "-c", "user.email=x@x"]
    for command in (["init", "--quiet"], ["add", "Makefile"], ["commit", "--quiet", "-m", "a book"]):
        subprocess.run([*git, *command], check=True)
    monkeypatch.setenv("QTP_BOOK_ROOT", str(root))
    monkeypatch.delenv("QTP_DATA_MIRROR", raising=False)
    monkeypatch.setattr(waits, "calibration", lambda: 2.0)
    return root


def bench(root: Path, *options: str) -> pd.DataFrame:
    """Call the script and return its table."""
    waits.main([*options, "--output", str(root / "waits.csv")])
    return pd.read_csv(root / "waits.csv", comment="#")


def test_each_row_begins_from_the_environment_and_nothing_else(checkout):
    table = bench(checkout, "--rows", "environment book-virtual", "--repeat", "2")
    assert table["row"].tolist() == ["environment", "book-virtual"] * 2
    assert set(table["calibration_seconds"]) == {2.0} and (table["wall_seconds"] >= 0).all()
    assert len(set(table["commit"])) == 1 and {"processor", "numpy"} <= set(table)


def test_only_the_rows_of_its_label_are_replaced(checkout, capsys):
    for label in ("before", "after", "after"):
        table = bench(checkout, "--rows", "book-virtual", "--repeat", "1", "--label", label)
    assert table["label"].tolist() == ["before", "after"]
    assert "ratio: after by before" in capsys.readouterr().out


def test_a_row_that_fails_is_no_measurement_and_the_others_are(checkout, capsys):
    with pytest.raises(SystemExit, match="a row failed"):
        bench(checkout, "--rows", "test,book-virtual", "--repeat", "1")
    assert pd.read_csv(checkout / "waits.csv", comment="#")["row"].tolist() == ["book-virtual"]
    assert "make test failed" in capsys.readouterr().err


def test_a_row_that_is_not_known_is_refused(checkout):
    with pytest.raises(SystemExit, match="no row books; there are: environment, book-virtual"):
        waits.main(["--rows", "books"])


def test_rows_of_the_open_files_are_left_out_where_no_folder_holds_them(checkout, capsys):
    assert waits.chosen_rows("book-open test") == ["test"]
    assert "book-open: not measured, it needs QTP_DATA_MIRROR" in capsys.readouterr().err


def test_a_row_that_is_a_fifth_slower_is_marked():
    one = {"commit": "a", "cpu_seconds": 1.0, "peak_mb": 1.0, "calibration_seconds": 1.0}
    seconds = {"before": (10.0, 10.0), "now": (12.5, 11.5)}
    rows = [
        one | {"label": label, "row": row, "wall_seconds": spent}
        for label, both in seconds.items()
        for row, spent in zip(("book-open", "test"), both, strict=True)
    ]
    marked = [line for line in waits.report(pd.DataFrame(rows), "now").splitlines() if "SLOWER" in line]
    assert len(marked) == 1 and "book-open" in marked[0]


def test_the_sample_is_the_same_sweep_in_the_words_of_then_and_of_now():
    now, then = (yaml.safe_load(path.read_text()) for path in (waits.SAMPLE, waits.SAMPLE_AT_FIRST))
    words = {"plateau_mask": "region_mask", "plateau": "region", "china": "surroundings"}
    assert now["cells"] == [{words.get(k, k): words.get(v, v) for k, v in cell.items()} for cell in then["cells"]]
    assert now["base"] == then["base"] | {"site_checks": "as_published"}
    planned = plan(read_sweep(waits.SAMPLE))
    assert len(planned.cells) == 24 and planned.counts().keys() == waits.STAGES.keys()


def test_the_whole_sweep_takes_its_stages_times_their_means(tmp_path):
    spent = {"01_data_preparation": (4.0, 6.0), "02_npp_random_forest": (10.0,), "03_rs_random_forest": (8.0,)}
    for name, seconds in {**spent, "04_rh_and_nep": (1.0, 2.0, 3.0)}.items():
        for number, own in enumerate(seconds):
            folder = tmp_path / "stages" / name / str(number)
            folder.mkdir(parents=True)
            (folder / "status.json").write_text(json.dumps({"wall_seconds": own}))
    assert waits.scale_of(tmp_path) == pytest.approx((9 * 5 + 103 * 10 + 129 * 8 + 565 * 2) / 34)
