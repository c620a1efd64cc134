"""A forest over a cube: blocks, threads, clusters, stores that a killed call resumes, and what is refused."""

import io
import os
import pickle
import re
import shutil
import signal
import subprocess
import sys
from types import SimpleNamespace

import dask
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from distributed import Client
from processes import dask_cluster

from mapforest import blocks, predict
from mapforest.blocks import BlockArrays, BlockStore
from mapforest.errors import BlockError, ForestError
from mapforest.forest import RandomForest
from mapforest.predict import predict as predict_cube
from mapforest.traversal import CompiledForest

PREDICTORS = ("elevation", "temperature", "land_cover")
CLASSES = [1.0, 10.0, 16.0]
N_BLOCKS = 4 * 5  # of the cube, in chunks of 10 x 10
KILLED_AFTER = 6


@pytest.fixture(scope="module")
def cube():
    rng = np.random.default_rng(3)
    coordinates = {
        "time": pd.date_range("2000-01-01", periods=3, freq="YS"),
        "latitude": np.linspace(38, 30, 37),
        "longitude": np.linspace(80, 100, 45),
    }
    made = xr.Dataset(coords=coordinates)
    still, yearly = ("latitude", "longitude"), ("time", "latitude", "longitude")
    made["elevation"] = (still, rng.uniform(3000, 6000, (37, 45)).astype("float32"))
    made["temperature"] = (yearly, rng.uniform(-8, 8, (3, 37, 45)).astype("float32"))
    made["land_cover"] = (still, rng.choice([*CLASSES, 7.0], (37, 45)).astype("float32"))
    made["temperature"][1, 5, 7:9] = np.nan
    made["inside"] = made["elevation"] > 3500
    made["inside"][:20, :20] = False  # four blocks of 10 x 10 without a cell
    return made


def grown(seed=5, encoding="target_mean"):
    rng = np.random.default_rng(4)
    table = pd.DataFrame(
        {
            "elevation": rng.uniform(3000, 6000, 150),
            "temperature": rng.uniform(-8, 8, 150),
            "land_cover": rng.choice(CLASSES, 150),
        }
    )
    target = 500 + 50 * table["temperature"] + 10 * table["land_cover"] + rng.normal(0, 30, 150)
    options = {"categorical": ["land_cover"], "encoding": encoding, "seed": seed}
    return RandomForest(PREDICTORS, n_trees=30, mtry=2, **options).fit(table, target)


@pytest.fixture(scope="module")
def forest():
    return grown()


@pytest.fixture(scope="module")
def reference(cube, forest):
    """In memory, in one block."""
    return predict_cube(forest, cube, cube["inside"])


@pytest.fixture
def lazy(cube, tmp_path):
    """The cube as a notebook opens it: from Zarr, in chunks of 10 x 10 cells with all years."""
    return stored(cube, tmp_path / "cube.zarr", time=-1, latitude=10, longitude=10)


def stored(cube, path, **chunks):
    cube.chunk(chunks).to_zarr(path, zarr_format=2, consolidated=True)
    return xr.open_zarr(path)


def rows_of(cube, chosen):
    """The table of all cells of all years, and whether each is to be predicted."""
    shape = cube["temperature"].shape
    table = pd.DataFrame({name: np.broadcast_to(cube[name].values, shape).ravel() for name in PREDICTORS})
    return table, (table.notna().all(axis=1) & np.broadcast_to(chosen.values, shape).ravel()).to_numpy()


# -- numbers -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["target_mean", "integer", "one_hot"])
def test_every_cell_gets_what_its_row_gets(cube, encoding):
    forest = grown(encoding=encoding)
    table, chosen = rows_of(cube, cube["inside"])
    expected = np.full(len(table), np.nan)
    expected[chosen] = forest.predict(table[chosen])
    predicted = predict_cube(forest, cube, cube["inside"])["prediction"]
    np.testing.assert_allclose(predicted.values.ravel(), expected, rtol=1e-6)


def test_both_engines_give_the_same_to_the_last_digit_of_float32(cube, forest, reference):
    other = predict_cube(forest, cube, cube["inside"], engine="scikit-learn")["prediction"]
    np.testing.assert_array_max_ulp(other.values, reference["prediction"].values, maxulp=1)


def test_the_result_is_float32_over_time_and_place(reference):
    assert {name: (field.dtype.name, field.dims) for name, field in reference.data_vars.items()} == {
        "prediction": ("float32", ("time", "latitude", "longitude"))
    }


def test_coordinates_of_two_dimensions_stay_behind(cube, forest):
    """They would be as large as the result itself; a scalar, such as a reference system, goes along."""
    placed = cube.assign_coords(easting=(("latitude", "longitude"), np.zeros((37, 45))), spatial_ref=0)
    assert set(predict_cube(forest, placed, placed["inside"]).coords) == {*cube.coords, "spatial_ref"}


def test_only_the_chosen_cells_are_predicted(cube, reference):
    assert (reference["prediction"].notnull() == cube["inside"]).all()


def test_a_cell_with_a_missing_covariate_is_not_predicted(cube, forest):
    predicted = predict_cube(forest, cube, xr.ones_like(cube["inside"]))["prediction"]
    missing = np.argwhere(predicted.isnull().values).tolist()
    assert missing == [[1, 5, 7], [1, 5, 8]]


def test_static_covariates_alone_give_a_map_without_time(cube, forest):
    still = cube.assign(temperature=cube["temperature"].isel(time=0, drop=True))
    assert predict_cube(forest, still, cube["inside"])["prediction"].dims == ("latitude", "longitude")


def test_covariates_that_all_change_with_the_years_give_a_map_of_each_year(cube, forest, reference):
    yearly = cube.assign({name: cube[name].broadcast_like(cube["temperature"]) for name in PREDICTORS})
    xr.testing.assert_equal(predict_cube(forest, yearly, cube["inside"]), reference)


def test_order_of_variables_and_dimensions_does_not_matter(cube, forest, reference):
    turned = cube[["land_cover", "inside", "temperature", "elevation"]].transpose("longitude", "latitude", "time")
    xr.testing.assert_equal(predict_cube(forest, turned, turned["inside"]), reference)


# -- blocks ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("block_cells", "threads"), [(1, 1), (400, 2), (10_000, 3)])
def test_blocks_and_threads_do_not_change_the_prediction(cube, forest, reference, block_cells, threads):
    other = predict_cube(forest, cube, cube["inside"], block_cells, threads)
    xr.testing.assert_identical(other, reference)


@pytest.mark.parametrize(
    "chunks",
    [
        {"time": -1, "latitude": 10, "longitude": 10},
        {"time": 1, "latitude": 13, "longitude": -1},
        {"time": 2, "latitude": (5, 20, 12), "longitude": (9, 30, 6)},
        {"time": 1},
        {},
    ],
    ids=["squares", "rows", "uneven", "years", "one"],
)
def test_chunks_of_a_lazy_cube_do_not_change_the_prediction(cube, forest, reference, chunks):
    other = predict_cube(forest, cube.chunk(chunks), cube["inside"].chunk(), block_cells=900)
    xr.testing.assert_identical(other, reference)


def test_covariates_in_different_chunks(cube, forest, reference):
    mixed = cube.assign(elevation=cube["elevation"].chunk(latitude=7), land_cover=cube["land_cover"].chunk(longitude=4))
    xr.testing.assert_identical(predict_cube(forest, mixed, cube["inside"]), reference)


def test_blocks_without_a_chosen_cell_are_not_computed(lazy, forest, monkeypatch):
    written = counted_writes(monkeypatch, BlockArrays)
    predict_cube(forest, lazy, lazy["inside"])
    assert sorted(written) == [(i, j) for i in range(4) for j in range(5) if i > 1 or j > 1]


def test_few_blocks_are_held_at_a_time(lazy, forest, monkeypatch):
    """Blocks are read no further ahead of the writer than two a thread."""
    evaluated, ahead = [], []
    evaluate = CompiledForest.predict
    monkeypatch.setattr(CompiledForest, "predict", lambda *given: (evaluated.append(1), evaluate(*given))[1])
    written = counted_writes(monkeypatch, BlockArrays, lambda: ahead.append(len(evaluated) - len(written)))
    predict_cube(forest, lazy, lazy["inside"], threads=2)
    assert len(evaluated) == N_BLOCKS - 4 and max(ahead) <= 4


def counted_writes(monkeypatch, target, after=lambda: None):
    """Return a list to which each block that is written is added."""
    written, write = [], target.write

    def counting(self, block, values):
        write(self, block, values)
        written.append((block.row, block.column))
        after()

    monkeypatch.setattr(target, "write", counting)
    return written


@pytest.mark.parametrize(("block_cells", "shown"), [(1, True), (900, False)], ids=["37 blocks", "6 blocks"])
def test_many_blocks_report_progress_and_time_left(cube, forest, monkeypatch, capsys, block_cells, shown):
    monkeypatch.setattr(blocks, "REPORT_SECONDS", 0)
    predict_cube(forest, cube, cube["inside"], block_cells)
    said = re.findall(r"^predict: (\d+) of 37 blocks, about \d+ min left$", capsys.readouterr().err, re.M)
    assert said == ([str(n) for n in range(1, 38)] if shown else [])


def test_the_time_left_is_that_of_the_blocks_left_at_the_pace_so_far(monkeypatch, capsys):
    """Of 25 blocks each takes two minutes."""
    clock = iter(range(0, 10_000, 120))
    monkeypatch.setattr(blocks, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    assert list(blocks.with_progress("abcdefghijklmnopqrstuvwxy", "work", 25)) == list("abcdefghijklmnopqrstuvwxy")
    expected = [f"work: {done} of 25 blocks, about {2 * (25 - done)} min left" for done in range(1, 26)]
    assert capsys.readouterr().err.splitlines() == expected


def test_a_terminal_shows_a_bar(cube, forest, monkeypatch):
    terminal = io.StringIO()
    terminal.isatty = lambda: True
    monkeypatch.setattr(sys, "stderr", terminal)
    predict_cube(forest, cube, cube["inside"], block_cells=1)
    assert "0/37" in terminal.getvalue() and "\n" not in terminal.getvalue()


# -- stores ------------------------------------------------------------------------------------------


def test_a_stored_result_is_the_same_and_lazy_in_chunks_of_a_block(lazy, forest, reference, tmp_path):
    found = predict_cube(forest, lazy, lazy["inside"], store=tmp_path / "npp.zarr")
    assert found["prediction"].chunks == ((3,), (10, 10, 10, 7), (10, 10, 10, 10, 5))
    xr.testing.assert_equal(found, reference)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cube.zarr", "npp.zarr"]
    assert (tmp_path / "npp.zarr" / ".zmetadata").is_file()


def test_a_finished_store_is_returned_at_once(cube, lazy, forest, tmp_path, monkeypatch):
    first = predict_cube(forest, lazy, lazy["inside"], store=tmp_path / "npp.zarr")
    with monkeypatch.context() as patch:
        patch.setattr(dask, "compute", None)  # reads blocks
        again = predict_cube(forest, lazy, cube["inside"], store=tmp_path / "npp.zarr")
    xr.testing.assert_identical(again, first)


SCRIPT = f"""
import os, pickle, signal, sys
from pathlib import Path
import xarray as xr
from mapforest.blocks import BlockStore
from mapforest.predict import predict

write, written = BlockStore.write, []

def kill_self_after_some(self, block, values):
    write(self, block, values)
    written.append(block)
    if len(written) == {KILLED_AFTER}:
        os.kill(os.getpid(), signal.SIGKILL)

BlockStore.write = kill_self_after_some
folder = Path(sys.argv[1])
cube = xr.open_zarr(folder / "cube.zarr")
forest = pickle.loads((folder / "forest.pickle").read_bytes())
predict(forest, cube, cube["inside"], store=folder / "npp.zarr")
"""


@pytest.fixture(scope="module")
def killed_once(cube, forest, tmp_path_factory):
    """A folder in which a call of another process was killed after six of its sixteen blocks."""
    folder = tmp_path_factory.mktemp("killed")
    stored(cube, folder / "cube.zarr", time=-1, latitude=10, longitude=10)
    (folder / "forest.pickle").write_bytes(pickle.dumps(forest))
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    call = [sys.executable, "-c", SCRIPT, str(folder)]
    ended = subprocess.run(call, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    return folder


@pytest.fixture
def killed(killed_once, tmp_path):
    """What the killed call left behind, and the options of the call that goes on."""
    shutil.copytree(killed_once / "npp.zarr.partial", tmp_path / "npp.zarr.partial")
    lazy = xr.open_zarr(killed_once / "cube.zarr")
    return lazy, {"where": lazy["inside"], "store": tmp_path / "npp.zarr"}


def test_a_killed_call_leaves_nothing_under_the_name(killed_once):
    assert not (killed_once / "npp.zarr").exists()


def test_a_killed_call_is_gone_on_with(killed, forest, reference, monkeypatch, capsys):
    written = counted_writes(monkeypatch, BlockStore)
    lazy, options = killed
    xr.testing.assert_equal(predict_cube(forest, lazy, **options), reference)
    assert len(written) == N_BLOCKS - 4 - KILLED_AFTER
    assert "npp.zarr: 6 of 16 blocks are on disk already" in capsys.readouterr().out


def test_a_line_of_the_journal_that_was_cut_off_does_not_count(killed, forest, reference, monkeypatch):
    lazy, options = killed
    journal = options["store"].with_name("npp.zarr.partial") / "journal"
    journal.write_text(journal.read_text()[:-1])
    written = counted_writes(monkeypatch, BlockStore)
    xr.testing.assert_equal(predict_cube(forest, lazy, **options), reference)
    assert len(written) == N_BLOCKS - 4 - KILLED_AFTER + 1


def test_a_killed_call_with_another_forest_is_not_gone_on_with(killed, monkeypatch, capsys):
    written = counted_writes(monkeypatch, BlockStore)
    lazy, options = killed
    predict_cube(grown(seed=6), lazy, **options)
    assert len(written) == N_BLOCKS - 4
    assert "npp.zarr was made from another forest: it is discarded" in capsys.readouterr().out


def another_decade(cube):
    return cube.assign_coords(time=cube["time"] + np.timedelta64(3653, "D"))


CHANGES = {
    "forest": ("forest", lambda forest, cube: (grown(seed=6), cube, cube["inside"], {})),
    "engine": ("forest", lambda forest, cube: (forest, cube, cube["inside"], {"engine": "scikit-learn"})),
    "values": ("cube", lambda forest, cube: (forest, cube.assign(elevation=cube["elevation"] + 1), cube["inside"], {})),
    "years": ("cube", lambda forest, cube: (forest, another_decade(cube), cube["inside"], {})),
    "where": ("where", lambda forest, cube: (forest, cube, cube["inside"] & (cube["latitude"] < 33), {})),
    "blocks": ("layout of blocks", lambda forest, cube: (forest, cube, cube["inside"], {"block_cells": 900})),
}


@pytest.mark.parametrize("changed", CHANGES)
def test_a_store_made_from_something_else_is_discarded(cube, forest, tmp_path, capsys, changed):
    predict_cube(forest, cube, cube["inside"], store=tmp_path / "npp.zarr")
    part, change = CHANGES[changed]
    *call, options = change(forest, cube)
    found = predict_cube(*call, store=tmp_path / "npp.zarr", **options)
    assert f"npp.zarr was made from another {part}: it is discarded and computed anew" in capsys.readouterr().out
    xr.testing.assert_equal(found, predict_cube(*call, **options))


def test_a_store_of_someone_else_is_left_as_it_is(lazy, forest, tmp_path):
    with pytest.raises(BlockError, match=r"cube.zarr was not written by predict, and is left as it is"):
        predict_cube(forest, lazy, lazy["inside"], store=tmp_path / "cube.zarr")
    assert "elevation" in xr.open_zarr(tmp_path / "cube.zarr")


def test_a_refused_call_leaves_the_store_as_it_is(cube, forest, tmp_path):
    first = predict_cube(forest, cube, cube["inside"], store=tmp_path / "npp.zarr").load()
    with pytest.raises(ForestError):
        predict_cube(
            forest, cube.assign(temperature=cube["temperature"] + 273), cube["inside"], store=tmp_path / "npp.zarr"
        )
    xr.testing.assert_identical(xr.open_zarr(tmp_path / "npp.zarr").load(), first)


# -- clusters ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    """Two worker processes; a slow machine may take its time to start them, and to start them again."""
    folder = tmp_path_factory.mktemp("workers")
    options = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None, "local_directory": str(folder)}
    with (
        pytest.MonkeyPatch.context() as patch,
        dask_cluster(**options) as cluster,
        Client(cluster, timeout=600, set_as_default=False) as connected,
    ):
        patch.setattr(blocks, "CONNECT_SECONDS", 600)
        yield connected


@pytest.mark.parametrize("engine", ["pruned", "scikit-learn"])
def test_a_cluster_gives_the_same(lazy, forest, client, engine):
    alone, shared = (
        predict_cube(forest, lazy, lazy["inside"], engine=engine, client=chosen) for chosen in (None, client)
    )
    xr.testing.assert_identical(shared, alone)


def test_a_cluster_is_sent_the_blocks_of_a_cube_in_memory(cube, forest, reference, client):
    found = predict_cube(forest, cube, cube["inside"], block_cells=900, client=client)
    xr.testing.assert_identical(found, reference)


def test_a_cluster_fills_a_store(lazy, forest, reference, client, tmp_path):
    found = predict_cube(forest, lazy, lazy["inside"], store=tmp_path / "npp.zarr", client=client)
    xr.testing.assert_equal(found, reference)


def test_killed_workers_do_not_change_the_result(lazy, forest, reference, client, monkeypatch):
    """Both die: their blocks are done again, and every copy of the forest is lost."""
    client.wait_for_workers(2)
    pids = list(client.run(os.getpid).values())

    def kill_half_way():
        if len(written) == 5:
            for pid in pids:
                os.kill(pid, signal.SIGKILL)

    written = counted_writes(monkeypatch, BlockArrays, kill_half_way)
    found = predict_cube(forest, lazy, lazy["inside"], client=client)
    xr.testing.assert_equal(found, reference)


def test_the_scheduler_of_the_environment_is_used(lazy, forest, reference, client, monkeypatch):
    monkeypatch.setenv("DASK_SCHEDULER_ADDRESS", client.scheduler.address)
    monkeypatch.setattr(predict, "on_threads", None)
    xr.testing.assert_equal(predict_cube(forest, lazy, lazy["inside"]), reference)


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:9", "nowhere"])
def test_a_scheduler_that_does_not_answer_is_named(cube, forest, monkeypatch, address):
    monkeypatch.setenv("DASK_SCHEDULER_ADDRESS", address)
    monkeypatch.setattr(blocks, "CONNECT_SECONDS", 1)
    with pytest.raises(
        BlockError, match=f"no Dask scheduler answers at {address}, the value of DASK_SCHEDULER_ADDRESS"
    ):
        predict_cube(forest, cube, cube["inside"])


def test_a_cluster_without_workers_says_so(cube, forest, monkeypatch):
    monkeypatch.setattr(blocks, "CONNECT_SECONDS", 0.1)
    with (
        dask_cluster(n_workers=0, processes=False, dashboard_address=":0") as empty,
        Client(empty, set_as_default=False) as connected,
        pytest.raises(BlockError, match=r"has no worker after 0.1 s: start some with `dask worker"),
    ):
        predict_cube(forest, cube, cube["inside"], client=connected)


# -- what is refused ---------------------------------------------------------------------------------


def replaced(name, change):
    return lambda cube: (cube.assign({name: change(cube[name])}), cube["inside"])


def masked(change):
    return lambda cube: (cube, change(cube["inside"]))


REFUSED_CUBES = {
    "lacks a predictor": (
        lambda cube: (cube.rename(temperature="temperatures"), cube["inside"]),
        r"lacks the predictors \['temperature'\]; it has \['elevation', 'temperatures', ",
    ),
    "text": (replaced("land_cover", lambda field: field.astype(str)), "'land_cover' of the cube is of type <U"),
    "objects": (replaced("elevation", lambda field: field.astype(object)), "is of type object; expected numbers"),
    "truth values": (replaced("elevation", lambda field: field > 4000), "'elevation' of the cube is of type bool"),
    "complex numbers": (replaced("elevation", lambda field: field.astype(complex)), "is of type complex128"),
    "dates": (replaced("elevation", lambda field: field.astype("datetime64[s]")), "is of type datetime64"),
    "another dimension": (
        replaced("elevation", lambda field: field.expand_dims(band=2)),
        "'elevation' of the cube has the dimensions .*expected latitude, longitude and",
    ),
    "no place": (
        replaced("temperature", lambda field: field.isel(latitude=0)),
        "'temperature' of the cube has the dim",
    ),
    "mask of numbers": (masked(lambda where: where.astype(float)), "'where' is of type float64; expected bool"),
    "smaller mask": (masked(lambda where: where.isel(latitude=slice(3))), "use the cube's own mask"),
    "mask in time": (masked(lambda where: where.expand_dims(time=2)), "use the cube's own mask"),
    "shifted mask": (
        masked(lambda where: where.assign_coords(longitude=where["longitude"] + 0.25)),
        "the longitude of 'where' is not the cube's: .* up to 0.25 degrees apart",
    ),
    "mask upside down": (
        masked(lambda where: where.isel(latitude=slice(None, None, -1))),
        "the latitude of 'where' is not the cube's: they run from 30 to 38 and from 38 to 30",
    ),
    "empty mask": (masked(xr.zeros_like), "'where' chooses no cell"),
    "kelvin": (
        replaced("temperature", lambda field: field + 273.15),
        r"temperature in the cube is 265\.\d+ to 281\.\d+, the forest was trained on -7\.\d+ to 7\.\d+: other units\?",
    ),
    "missing everywhere": (
        replaced("temperature", lambda field: field.where(False)),
        "^temperature is missing at every cell of 'where'",
    ),
    "never together": (
        lambda cube: (
            cube.assign(
                temperature=cube["temperature"].where(cube["latitude"] > 34),
                elevation=cube["elevation"].where(cube["latitude"] < 34),
            ),
            cube["inside"],
        ),
        "no cell of 'where' has all covariates",
    ),
    "infinite": (
        replaced("elevation", lambda field: field.where(field < 5900, np.inf)),
        "the cube's elevation is infinite at cells to predict",
    ),
}


@pytest.mark.parametrize("fault", REFUSED_CUBES)
def test_a_cube_or_mask_that_cannot_be_right_is_refused(cube, forest, fault):
    change, message = REFUSED_CUBES[fault]
    with pytest.raises(ForestError, match=message):
        predict_cube(forest, *change(cube))


@pytest.mark.parametrize("fault", sorted(set(REFUSED_CUBES) - {"infinite"}))
def test_what_is_refused_is_refused_before_any_block_is_computed(cube, forest, monkeypatch, fault):
    monkeypatch.setattr(CompiledForest, "from_estimator", None)
    with pytest.raises(ForestError):
        predict_cube(forest, *REFUSED_CUBES[fault][0](cube.chunk(latitude=10, longitude=10)))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"engine": "prunned"}, "engine is 'prunned'; expected one of pruned, scikit-learn"),
        ({"block_cells": 0}, "block_cells is 0; expected 1 or more"),
        ({"threads": 0}, "threads is 0; expected 1 or more"),
    ],
)
def test_options_that_there_are_not_are_refused(cube, forest, options, message):
    with pytest.raises(ForestError, match=message):
        predict_cube(forest, cube, cube["inside"], **options)


def test_a_forest_that_is_not_grown_is_refused(cube):
    with pytest.raises(ForestError, match="not grown yet: call fit first"):
        predict_cube(RandomForest(PREDICTORS, mtry=2), cube, cube["inside"])


def test_land_cover_outside_the_classes_of_the_training_rows_is_no_other_unit(cube, forest):
    changed = cube.assign(land_cover=xr.full_like(cube["land_cover"], 17))
    assert predict_cube(forest, changed, cube["inside"])["prediction"].notnull().any()


def test_a_mask_whose_coordinates_were_rounded_to_float32_is_the_cubes_own(cube, forest, reference):
    rounded = cube["inside"].assign_coords({axis: cube[axis].astype("float32") for axis in ("latitude", "longitude")})
    xr.testing.assert_identical(predict_cube(forest, cube, rounded), reference)
