"""Bad inputs, one a line: what is given, and what must be said of it. A new case is a new line; no code is needed.

Each list is a kind, and ``test_bad_inputs.py`` has the door that it knocks at. What is said is a regular expression
that the message must match.
"""

from __future__ import annotations

from datetime import date

# --- configurations: a file config/mine.yml ---------------------------------------------------------------------------

HEAD = "world: virtual\nresolution: 0.5\n"
DEEP = "[" * 30 + "]" * 30
DOUBLING = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 30))

CONFIGURATIONS: list[tuple[str | bytes, str]] = [
    # one key twice
    (HEAD + "n_trees: 5\nseed: 1\nn_trees: 50\n", "'n_trees' stands twice, at lines 3 and 5"),
    (HEAD + '"seed": 1\nseed: 2\n', "'seed' stands twice, at lines 3 and 4"),
    (HEAD + "world: open\n", "'world' stands twice, at lines 1 and 3"),
    (HEAD + "archives: {glo90: a, glo90: b}\n", "'glo90' stands twice, at lines 3 and 3"),
    (HEAD + "region: {name: A, boundary: b,\n name: B}\n", "'name' stands twice, at lines 3 and 4"),
    # another type, or what another reader of YAML takes for it
    (HEAD + "threads: true\n", "threads: .*valid integer .given: True"),
    (HEAD + "threads: yes\n", "threads: .*valid integer .given: 'yes'"),
    (HEAD + "site_resample: on\n", "site_resample: .*valid integer .given: 'on'"),
    (HEAD + "block_km: true\n", "block_km: .*valid number .given: True"),
    (HEAD + "n_folds: 05\n", "n_folds: .*valid integer .given: '05'"),
    (HEAD + "n_trees: 0o17\n", "n_trees: .*valid integer .given: '0o17'"),
    (HEAD + "n_trees: 0x1F\n", "n_trees: .*valid integer .given: '0x1F'"),
    (HEAD + "n_trees: 1_000\n", "n_trees: .*valid integer .given: '1_000'"),
    (HEAD + "n_trees: 1,000\n", "n_trees: .*valid integer .given: '1,000'"),
    (HEAD + "n_trees: 2:30\n", "n_trees: .*valid integer .given: '2:30'"),
    (HEAD + "n_trees: 5.0\n", "n_trees: .*valid integer .given: 5.0"),
    (HEAD + "n_trees: 1e3\n", "n_trees: .*valid integer .given: 1000.0"),
    (HEAD + 'n_trees: "500"\n', "n_trees: .*valid integer .given: '500'"),
    (HEAD + "n_trees: 2020-05-01\n", "n_trees: .*valid integer .given: '2020-05-01'"),
    (HEAD + "n_trees: [500]\n", r"n_trees: .*valid integer .given: \[500\]"),
    (HEAD + "n_trees:\n", "n_trees: .*valid integer .given: None"),
    (HEAD + "n_trees: ٥٠٠\n", "n_trees: .*valid integer"),
    (HEAD + "first_year: 2001-01-01\n", "first_year: .*valid integer"),
    (HEAD + "block_km: 1:30\n", "block_km: .*valid number .given: '1:30'"),
    (HEAD + "block_km: 10,5\n", "block_km: .*valid number .given: '10,5'"),
    (HEAD + "block_km: .inf\n", "block_km: .*valid number .given: '.inf'"),
    (HEAD + "block_km: 1e999\n", "block_km: .*finite number"),
    (HEAD + "interval_level: .nan\n", "interval_level: .*valid number .given: '.nan'"),
    (HEAD + "interval_level: 90 %\n", "interval_level: .*valid number .given: '90 %'"),
    (HEAD + "made_up: 1\n", "made_up: .*valid boolean .given: 1"),
    (HEAD + "made_up: off\n", "made_up: .*valid boolean .given: 'off'"),
    (HEAD + "soc_depth: true\n", "soc_depth: .*30 or 100"),
    (HEAD + "soc_depth: '30'\n", "soc_depth: .*30 or 100"),
    (HEAD + "run: 7\n", "run: .*valid string .given: 7"),
    (HEAD + "left_out: no\n", "left_out is 'no'; expected none or one of"),
    (HEAD + "extra_observations: own.csv\n", "extra_observations: .*valid list .given: 'own.csv'"),
    (HEAD + "extra_observations: [1]\n", "extra_observations.0: .*valid string"),
    (HEAD + "npp_predictors: {lai: 1}\n", "npp_predictors: .*valid list"),
    (HEAD + "npp_predictors: []\n", "npp_predictors: .*at least 1 item"),
    (HEAD + "npp_predictors: [lai, lai]\n", "npp_predictors names a predictor twice"),
    (HEAD + "region: plateau\n", "region: .*valid dictionary"),
    (HEAD + "n_trees: " + "9" * 5000 + "\n", "not readable as YAML: .*4300 digits"),
    # names
    (HEAD + "run: ../elsewhere\n", "run: '..' is no plain name"),
    (HEAD + "run: /elsewhere/x\n", "run: '' is no plain name"),
    (HEAD + "run: .git\n", "run: '.git' is no plain name"),
    (HEAD + "run: .\n", "run: '.' is no plain name"),
    (HEAD + "run: a/../../b\n", "run: '..' is no plain name"),
    (HEAD + "run: a/\n", "run: '' is no plain name"),
    (HEAD + "run: 'a\\b'\n", "run: .* is no plain name"),
    (HEAD + 'run: "a\\0b"\n', "run: .* is no plain name"),
    (HEAD + 'run: "a\\nb"\n', "run: .* is no plain name"),
    (HEAD + "run: -rf\n", "run: '-rf' is no plain name"),
    (HEAD + "run: _hidden\n", "run: '_hidden' is no plain name"),
    (HEAD + "run: my run\n", "run: 'my run' is no plain name"),
    (HEAD + "run: $HOME\n", "run: '.HOME' is no plain name"),
    (HEAD + "run: ~\nsweep: ~\n", "run: .*valid string"),
    (HEAD + f"run: {'x' * 300}\n", "run: the name has 300 bytes; expected at most 120"),
    (HEAD + f"run: {'山' * 50}\n", "run: the name has 150 bytes; expected at most 120"),
    (HEAD + "run: sweeps\n", "run: sweeps is a folder of its own"),
    (HEAD + "sweep: ../ci\n", "sweep: '../ci' is no plain name"),
    (HEAD + "sweep: sub/ci\n", "sweep: 'sub/ci' is no plain name"),
    (HEAD + "sweep: cy\n", "sweep is 'cy', and .* has no such file; .* did you mean 'ci'"),
    (HEAD + "config: other\n", "config is 'other', but the file is another one: write 'config: mine'"),
    (HEAD + "config: [mine]\n", r"config is \['mine'\], but the file is another one"),
    (HEAD + "config: ../mine\n", "config is '../mine', but the file is another one"),
    (HEAD + "region: {name: '<script>', boundary: b}\n", "region.name: .*match pattern"),
    (HEAD + "region: {name: '{{ x }}', boundary: b}\n", "region.name: .*match pattern"),
    # more than a file should hold
    (HEAD + DOUBLING, "more than 100,000 values, aliases counted"),
    (HEAD + "n_trees: &a [*a]\n", "line 3: .a stands for what it is a part of"),
    (HEAD + f"left_out: {DEEP}\n", "line 3: more than 20 levels"),
    (HEAD + "left_out: " + "{a: " * 25 + "1" + "}" * 25, "line 3: more than 20 levels"),
    (HEAD + "- " * 500 + "x", "line 3|not readable as YAML"),
    (HEAD + "# " + "x" * 2_100_000, "more than 2 MB"),
    # what YAML could do besides
    (HEAD + "left_out: !!python/object/apply:os.getcwd []\n", "line 3: a tag, .*python"),
    (HEAD + "n_trees: !!float 5\n", "line 3: a tag, .*float"),
    (HEAD + "left_out: !!binary aGk=\n", "line 3: a tag, .*binary"),
    (HEAD + "---\nworld: real\n", "not readable as YAML: .*single document"),
    (HEAD + "<<: {n_trees: 5}\n", "unknown key '<<'"),
    (HEAD + "left_out: *nowhere\n", "not readable as YAML: .*undefined alias"),
    # no YAML, or not ours
    (HEAD + "\tn_trees: 5\n", "not readable as YAML: .*line 3"),
    (HEAD + "n_trees: 'five\n", "not readable as YAML"),
    (HEAD + "n_trees: [5\n", "not readable as YAML"),
    (HEAD + "n_trees = 5\n", "not readable as YAML"),
    (HEAD + "left_out: a\0b\n", "not readable as YAML: .*character"),
    (HEAD + "? [a, b]\n: 1\n", "not readable as YAML: .*unhashable"),
    (HEAD + "1: 5\n", "unknown key 1; known keys"),
    (HEAD + "n_tree: 5\n", "unknown key 'n_tree'; did you mean 'n_trees'"),
    (HEAD + "N_trees: 5\n", "unknown key 'N_trees'; did you mean 'n_trees'"),
    ("", "expected one 'key: value' per line"),
    ("# nothing\n", "expected one 'key: value' per line"),
    ("world\n", "expected one 'key: value' per line"),
    ("- world: virtual\n", "expected one 'key: value' per line"),
    ("<html><body>login</body></html>", "expected one 'key: value' per line"),
    ('{"world": "virtual", "resolution": 0.5, "n_tres": 5}', "unknown key 'n_tres'"),
    (HEAD.encode("utf-16"), "not in UTF-8, at line 1"),
    (HEAD.encode("utf-32"), "not in UTF-8, at line 1|not readable as YAML"),
    ((HEAD + "# près\n").encode("latin-1"), "not in UTF-8, at line 3"),
    (b"\x89PNG\r\n\x1a\n" + bytes(range(256)), "not in UTF-8, at line 1"),
    # what would fail later, or never end
    ("world: virtual\nresolution: 1e-300\n", "resolution: .*greater than or equal to 0.0001"),
    ("world: virtual\nresolution: 0\n", "resolution: .*greater than or equal to 0.0001"),
    ("world: virtual\nresolution: -1\n", "resolution: .*greater than or equal to 0.0001"),
    ("world: virtual\nresolution: 0.0005\n", "resolution is 0.0005: the grid would have 9.1e.09 cells"),
    ("world: virtual\n", "resolution: Field required"),
    ("world: virtual\nresolution: 2\nwest: 100\neast: 103\n", "two cells or more each way"),
    (HEAD + "west: 105\neast: 73\n", "west .105.0. lies beyond east .73.0."),
    (HEAD + "north: 91\n", "north: .*less than or equal to 90"),
    (HEAD + "first_year: 2018\nlast_year: 2016\n", "first_year .2018. lies beyond last_year .2016."),
    (HEAD + "n_folds: 1\n", "n_folds: .*greater than or equal to 2"),
    (HEAD + "npp_mtry: 9\n", "npp_mtry is 9, but this forest has 7 predictors"),
    ("world: vrtual\nresolution: 0.5\n", "world is 'vrtual'; expected .*; did you mean 'virtual'"),
    ("world: [virtual]\nresolution: 0.5\n", "world: .*'virtual' or 'real'"),
]

# --- parameters of a command line: -p KEY VALUE -----------------------------------------------------------------------

PARAMETERS: list[tuple[tuple[str, str], str]] = [
    (("n_trees", "*a"), "-p n_trees: not readable as YAML: .*undefined alias"),
    (("n_trees", "&a [*a]"), "-p n_trees: line 1: .a stands for what it is a part of"),
    (("n_trees", "[5"), "-p n_trees: not readable as YAML"),
    (("n_trees", "5: 6: 7"), "-p n_trees: not readable as YAML"),
    (("n_trees", "!!int 5"), "-p n_trees: line 1: a tag"),
    (("n_trees", "0x10"), "n_trees: .*valid integer .given: '0x10'"),
    (("n_trees", "true"), "n_trees: .*valid integer .given: True"),
    (("n_trees", "five"), "n_trees: .*valid integer .given: 'five'"),
    (("n_trees", "1:30"), "n_trees: .*valid integer .given: '1:30'"),
    (("n_trees", "5.5"), "n_trees: .*valid integer .given: 5.5"),
    (("n_tres", "5"), "unknown key 'n_tres'; did you mean 'n_trees'"),
    (("run", "../x"), "run: '..' is no plain name"),
    (("run", "a b"), "run: 'a b' is no plain name"),
    (("sweep", "none-such"), "sweep is 'none-such', and .* has no such file"),
    (("config", "virtual-1km"), "config cannot be replaced by 'virtual-1km'"),
]

# --- parameters cells of notebooks, edited by hand --------------------------------------------------------------------

CELLS: list[tuple[str, str]] = [
    (
        'config = "virtual"\nrun = None\nn_tree = 5000\n',
        "parameters cell: unknown key 'n_tree'; did you mean 'n_trees'",
    ),
    ('config = "virtual"\nresolutoin = 0.1\n', "parameters cell: unknown key 'resolutoin'; did you mean 'resolution'"),
    ('# Mine\nrun = "a"\nconfig = "virtual"\nseeds = 5\n', "parameters cell: unknown key 'seeds'; did you mean 'seed'"),
]

# --- sweeps: a file mine.yml ------------------------------------------------------------------------------------------

BASE = "config: virtual\nbase: {resolution: 0.5}\n"
LONG_AXIS = "[" + ", ".join(map(str, range(1, 201))) + "]"

SWEEPS: list[tuple[str | bytes, str]] = [
    (BASE + "axes: {n_trees: [5]}\naxes: {n_trees: [6]}\n", "'axes' stands twice, at lines 3 and 4"),
    (BASE + "config: open\naxes: {n_trees: [5]}\n", "'config' stands twice, at lines 1 and 3"),
    (BASE + "axes:\n  n_trees: [5]\n  n_trees: [6]\n", "'n_trees' stands twice, at lines 4 and 5"),
    (BASE + "axes: {n_trees: [5]}\nname: ../../x\n", "name: '../../x' is no plain name"),
    (BASE + "axes: {n_trees: [5]}\nname: /elsewhere/x\n", "name: '/elsewhere/x' is no plain name"),
    (BASE + "axes: {n_trees: [5]}\nname: ''\n", "name: '' is no plain name"),
    (BASE + 'axes: {n_trees: [5]}\nname: "a\\0b"\n', "name: .* is no plain name"),
    (BASE + "axes: {n_trees: [5]}\nname: a/b\n", "name: 'a/b' is no plain name"),
    (BASE + "axes: {n_trees: [5]}\nname: .git\n", "name: '.git' is no plain name"),
    (BASE + "axes: {n_trees: [5]}\nname: 5\n", "name: .*valid string"),
    (BASE + "axes: {n_trees: [5]}\nname: ~\n", "name: .*valid string"),
    (BASE + "axes: {n_trees: [5]}\nname: ci\n", "name is 'ci', but the file is another one: write 'name: mine'"),
    (BASE + f"axes: {{n_trees: [5]}}\nname: {'n' * 130}\n", "name: the name has 130 bytes"),
    (BASE + "axes: {n_trees: [1, true]}\n", "n_trees has True twice|n_trees: .*valid integer"),
    (BASE + "axes: {n_trees: [5, 5.0]}\n", "n_trees has 5.0 twice|n_trees: .*valid integer"),
    (BASE + "axes: {block_km: [100, 1e2]}\n", "block_km has 100.0 twice: keep one of them"),
    (BASE + "axes: {n_trees: [5, 6, 5]}\n", "n_trees has 5 twice: keep one of them"),
    (BASE + "axes: {n_trees: [yes]}\n", "n_trees: .*valid integer .given: 'yes'"),
    (BASE + "axes: {n_trees: [010]}\n", "n_trees: .*valid integer .given: '010'"),
    (BASE + "axes: {n_trees: 5}\n", "axes.n_trees: .*valid list"),
    (BASE + "axes: [n_trees]\n", "axes: .*valid dictionary"),
    (BASE + "axes: {n_tres: [5]}\n", "axes: 'n_tres' is not a parameter .*; did you mean 'n_trees'"),
    (BASE + "axes: {run: [a, b]}\n", "axes: 'run' is not a parameter"),
    (BASE + "cells: [5]\n", "cells.0: .*valid dictionary"),
    (BASE + "cells: {n_trees: 5}\n", "cells: .*valid list"),
    (BASE + "seeds: [1, 1]\n", "seed has 1 twice"),
    (BASE + "seeds: ['1']\n", "seeds.0: .*valid integer"),
    (BASE + "seeds: [-1]\n", "seed: .*greater than or equal to 0"),
    (BASE + "axes: {n_trees: [5]}\ncap: true\n", "cap: .*valid integer"),
    (BASE + "axes: {n_trees: [5]}\ncap: 0\n", "cap: .*greater than or equal to 1"),
    (BASE + f"axes: {{n_trees: {LONG_AXIS}, seed: {LONG_AXIS}, nodesize: {LONG_AXIS}}}\ncap: 5\n", "8,000,000 combina"),
    (BASE + f"cells: [{{n_trees: {LONG_AXIS}, seed: {LONG_AXIS}}}]\n", "40,000 combinations; expected at most 20,000"),
    (BASE + DOUBLING, "more than 100,000 values"),
    (
        BASE + 'axes: {extra_observations: [["x 1.csv"], ["x-1.csv"]]}\n',
        "two cells would be called extra_observations=.*names that differ",
    ),
    (BASE + "axes: {n_trees: [5]}\nexclusions: [{n_trees: 6}]\n", "excludes no cell"),
    (BASE + "axes: {resolution: [0.00001]}\n", "resolution: .*greater than or equal"),
    ("config: ../virtual\naxes: {n_trees: [5]}\n", "no configuration '../virtual'"),
    ("config: 5\naxes: {n_trees: [5]}\n", "config: .*valid string"),
    ("axes: {n_trees: [5]}\n", "config: Field required"),
    ("base: !!python/name:os.system\n", "line 1: a tag"),
    ("", "expected 'config: ...' and 'axes: ...'"),
    ("- a\n", "expected 'config: ...' and 'axes: ...'"),
    (BASE.encode("utf-16"), "not in UTF-8, at line 1"),
]

# --- the catalogue ----------------------------------------------------------------------------------------------------

ENTRY = (
    'small:\n  title: T\n  variable: v\n  licence: L\n  citation: [A2000]\n  reference: r\n  notes: ""\n'
    "  reader: data.readers.read_soc\n"
)
FILE = f"  files:\n    - {{name: a.bin, bytes: 5, sha256: {'a' * 64}, url: 'https://a.example/a'}}\n"

CATALOGUES: list[tuple[str | bytes, str]] = [
    (ENTRY + FILE + ENTRY + FILE, "'small' stands twice, at lines 1 and 11"),
    (ENTRY + "  title: Other\n" + FILE, "'title' stands twice, at lines 2 and 9"),
    (ENTRY + FILE.replace("bytes: 5", "bytes: 5, bytes: 6"), "'bytes' stands twice"),
    (ENTRY + FILE.replace("bytes: 5", "bytes: '5'"), "files.0.bytes: .*valid integer"),
    (ENTRY + FILE.replace("bytes: 5", "bytes: 5e3"), "files.0.bytes: .*valid integer"),
    (ENTRY + FILE.replace("bytes: 5", "bytes: true"), "files.0.bytes: .*valid integer"),
    (ENTRY + FILE.replace("bytes: 5", "bytes: 0"), "files.0.bytes: .*greater than 0"),
    (ENTRY + FILE.replace("a" * 64, "12"), "files.0.sha256"),
    (ENTRY + FILE.replace("https:", "http:"), "files.0.url"),
    (ENTRY + FILE.replace("https:", "file:"), "files.0.url"),
    (ENTRY + FILE.replace("a.bin", "../a.bin"), "files.0.name"),
    (ENTRY + FILE.replace("a.bin", ".hidden"), "files.0.name"),
    (ENTRY + FILE.replace("a.bin", "a/b"), "files.0.name"),
    (ENTRY.replace("title: T", "title: 5") + FILE, "title: .*valid string"),
    (ENTRY.replace("[A2000]", "A2000") + FILE, "citation: .*valid list"),
    (ENTRY.replace("[A2000]", '["a`{raw} html`"]') + FILE, "citation.0: .*match pattern"),
    (ENTRY.replace("data.readers.read_soc", "os.system") + FILE, "reader: .*match pattern"),
    (ENTRY.replace("data.readers.read_soc", "data.readers.__import__") + FILE + "  year: 5\n", "year: Extra inputs"),
    (ENTRY.replace("small:", "'small thing':") + FILE, "key: .*match pattern"),
    (ENTRY.replace("small:", "5:") + FILE, "key: .*valid string"),
    (ENTRY, "expected one of files"),
    ("small: 5\n", "expected one mapping per product"),
    ("- small\n", "expected one mapping per product"),
    ("", "expected one mapping per product"),
    (DOUBLING, "more than 100,000 values"),
    ("small: !!python/object:os.x {}\n", "a tag"),
    (ENTRY.encode("utf-16"), "not in UTF-8"),
]

# --- tables of your own: mine.csv -------------------------------------------------------------------------------------

COLUMNS = "variable,site,longitude,latitude,year,value,unit,treatment,quality,source"
GOOD = {
    **{"variable": "npp", "site": "Camp", "longitude": "92.0", "latitude": "33.0", "year": "2010", "value": "250"},
    **{"unit": "g C m-2 yr-1", "treatment": "none", "quality": "", "source": "mine"},
}
NEXT_YEAR = date.today().year + 1


def row(**cells: str) -> str:
    """Return a line of a table, with cells replaced."""
    return ",".join((GOOD | cells).values())


def table(*rows: str, columns: str = COLUMNS) -> str:
    """Return a table."""
    return "\n".join([columns, *rows]) + "\n"


def cell(name: str, *values: str, says: str) -> list[tuple[str, str]]:
    """Return a case for each bad value of a column, below a good row."""
    return [(table(row(), row(**{name: value})), f"column {name}, row 3 .*: expected {says}") for value in values]


def renamed(name: str, *others: str) -> list[tuple[str, str]]:
    """Return a case for each other name of a column."""
    return [
        (table(row(), columns=COLUMNS.replace(name, other)), f"column .*{other}.* is nearly {name}") for other in others
    ]


TABLES: list[tuple[str | bytes, str]] = [
    # cells in other columns
    (table(row() + ",", row() + ",x"), r"row 3 .the header is row 1.: more cells than the header"),
    (table("7," + row(), "8," + row()), "it begins with a row name"),
    (table(row(), "npp,Camp,92.0,33.0,250,g C m-2 yr-1,none,,mine"), "row 3 .*: fewer cells than the header, 9 of 10"),
    (table(row(), "npp,Camp"), "row 3 .*: fewer cells than the header, 2 of 10"),
    (table(row(value="1,250")), "more cells than the header"),
    (table(row(longitude="92,0", latitude="33,0")), "more cells than the header"),
    (table(row() + ",9", columns=COLUMNS + ",value"), "column value stands twice"),
    (table(row() + ",x,y", columns=COLUMNS + ",note,note"), "column note stands twice"),
    # names that are nearly ours
    *renamed("treatment", "Treatment", "TREATMENT", "treatmnt", "treatments", "treatment "[:-1] + "_1"),
    *renamed("quality", "Quality", "qualty", "quality2"),
    *renamed("year", "Year", "years", "YEAR"),
    *renamed("value", "Value", "values", "value_"),
    *renamed("longitude", "Longitude", "longitud", "longitude."),
    (table(row() + ",5000", columns=COLUMNS + ",Own_elevation"), "'Own_elevation' is nearly own_elevation"),
    (table(row() + ",5000", columns=COLUMNS + ",own elevation"), "'own elevation' is nearly own_elevation"),
    (table(row() + ",0.2", columns=COLUMNS + ",belowground share"), "is nearly belowground_share"),
    (table(row() + ",1", columns=COLUMNS + ",annual_covrage"), "is nearly annual_coverage"),
    (table(row() + ",true", columns=COLUMNS + ",in_regoin"), "is nearly in_region"),
    (table(row() + ",true,true", columns=COLUMNS + ",on_plateau,in_region"), "on_plateau and in_region say the same"),
    (table(row() + ",true,true", columns=COLUMNS + ",in_china,in_surroundings"), "say the same; keep one"),
    # quotes and bytes
    (table(row(site='"A'), row(), row(site='B"')), r"row 2 .*: a cell goes on after the end of its line, '?\"?A"),
    (table(row(), row(source='"10 m plots'), row(source='20 m plots"')), "row 3 .*: a cell goes on after the end"),
    (table(row(site='"two\nlines"')), "row 2 .*: a cell goes on after the end of its line"),
    (table(row(site='"two\rlines"')), "row 2 .*: a cell goes on after the end of its line"),
    (table(row(site='"A'), row()), "close every quote"),
    (table(row(site='"A"b')), "close every quote"),
    (table(row(site="A\0")), r"line 2: '.x00', which is no text"),
    (table(row(), row(site="A\x1a")), r"line 3: '.x1a', which is no text"),
    (table(row(site="A\x0c")), r"line 2: '.x0c', which is no text"),
    (table(row(site="A\x7f")), r"line 2: '.x7f', which is no text"),
    # years
    *cell("year", str(NEXT_YEAR), "2101", "1899", "0", "-5", "20100", "201", says="a year from 1900 to 20"),
    *cell("year", "inf", "1e9", says="a year from 1900 to 20"),
    *cell("year", "2010.5", "2010.01", says="a whole year, or empty"),
    *cell("year", "2010-05", "1/5/2010", "20l0", "2010a", "MMX", "about 2010", "2009-2011", says="a number"),
    # values and units
    *cell("value", "abc", "1.2.3", "<100", "~200", "200±10", "1 200", "25O", "--5", says="a number"),
    *cell("value", "0", "-250", "4300", "1e9", "inf", "-inf", says="above 0 and at most"),
    *cell("value", "", "NA", "nan", "-", says="g C m-2 yr-1, not empty"),
    *cell("value", "0.25", "2.5", "9.99", says="at least 10 g C m-2 yr-1 of npp: check units"),
    *cell("unit", "kg C m-2 yr-1", "t C ha-1 yr-1", "g m-2 yr-1", "g C m-2 d-1", "g CO2 m-2 yr-1", says="g C m-2 yr-1"),
    *cell("unit", "", "gC/m2/yr", "G C M-2 YR-1", "µmol m-2 s-1", says="g C m-2 yr-1; convert"),
    # places
    *cell("longitude", "1000", "-181", "180.5", "inf", says="-180 to 180 degrees east"),
    *cell("longitude", "92°E", "92E", "east", "92..0", "9 2", says="a number"),
    *cell("longitude", "", "NA", says="degrees east, not empty"),
    *cell("latitude", "90.5", "-91", "3300", says="-90 to 90 degrees north"),
    *cell("latitude", "", "none", says="degrees north, not empty"),
    (table(row(longitude="33.0", latitude="92.0")), "column longitude, row 2 .*exchanged"),
    (table(row(), row(longitude="101.0")), "column site, row 2 .*one place for one name"),
    (table(row(), row(latitude="33.2")), "column site, row 2 .*one place for one name"),
    # words
    *cell("variable", "NPP", "gpp", "", "Rs", "nep", says="one of npp, rs, rh"),
    *cell("site", "", "NA", says="a name"),
    *cell("source", "", "n/a", says="a name"),
    *cell("treatment", "0", "1", "no", "yes", "TRUE", "F", "n", says="empty, none, control"),
    *cell("quality", "0", "1", "yes", "FALSE", says="empty, good, ok"),
    (table(row() + ",2", columns=COLUMNS + ",in_region"), "column in_region, row 2 .*true or false"),
    (table(row() + ",ja", columns=COLUMNS + ",possible_duplicate"), "column possible_duplicate, row 2"),
    (table(row() + ",1.5", columns=COLUMNS + ",belowground_share"), "0 to 1 of NPP"),
    (table(row() + ",9500", columns=COLUMNS + ",own_elevation"), "-450 to 9000 m"),
    (table(row() + ",273.1", columns=COLUMNS + ",own_temperature"), "-40 to 40 degC"),
    # no such table
    ("", "the file is empty"),
    ("\n\n\n", "the file is empty"),
    (",,,\n,,,\n", "the file is empty"),
    (COLUMNS + "\n", "no rows below the header"),
    (COLUMNS + "\n" + "," * 9 + "\n", "no rows below the header"),
    (table(row()).replace(",", ";"), "separated by semicolons"),
    (table(row()).replace(",", "\t"), "separated by tabs"),
    (table(row(), columns=COLUMNS.replace("unit", "einheit")), "no column unit"),
    ("<html><head></head><body>Please log in</body></html>\n<p>\n", "this is a web page, not CSV"),
    ('{"variable": "npp"}\n{}\n', "this is JSON, not CSV"),
    (table(row()).encode("utf-16"), "UTF-16 text"),
    (table(row(site="Köln")).encode("latin-1"), "not UTF-8 text"),
    (b"PK\x03\x04" + b"\0" * 50, "a workbook of a spreadsheet, or an archive"),
    (b"\x1f\x8b\x08" + b"\0" * 50, "compressed"),
    (b"PAR1" + b"\0" * 50, "a Parquet file"),
]

#: What is read rightly: the table, what a note says of it (empty: nothing need be said), and a column with its values.
READ: list[tuple[str, str, str, list]] = [
    *((table(row(treatment=word)), "", "treatment", ["none"]) for word in ("NONE", "None", "", "NA", "control", "CK")),
    *((table(row(quality=word)), "", "quality", [""]) for word in ("", "NA", "good", "OK", "-")),
    (table(row(treatment="fenced")), "leaves out what is manipulated: fenced", "treatment", ["fenced"]),
    (
        table(row(longitude="125", latitude="20") + ",true", columns=COLUMNS + ",on_plateau"),
        "column in_region, row 2 .'true'.: .*taken from the coordinates",
        "in_region",
        [False],
    ),
    (
        table(row(longitude="78", latitude="20") + ",true", columns=COLUMNS + ",in_china"),
        "column in_surroundings, row 2 .'true'.: .*taken from the coordinates",
        "in_surroundings",
        [False],
    ),
    (table(row() + ",5", columns=COLUMNS + ",lai"), "set aside, since no rule reads it: column lai", "value", [250.0]),
    (table(row(longitude="9.2")), "outside of the grid", "longitude", [9.2]),
    (table("  " + row() + "  ", ""), "", "value", [250.0]),
    (table(row(site='"Camp, upper"')), "", "site", ["Camp, upper"]),
    (table(row(site='"Camp ""A"""')), "", "site", ['Camp "A"']),
    ("\ufeff" + table(row()), "", "value", [250.0]),
    (table(row()).replace("\n", "\r\n"), "", "value", [250.0]),
]

# --- databases: Michaletz2014.csv -------------------------------------------------------------------------------------

MICHALETZ = "Index,Lat,Long,NPPTotal_gm2y,MAT_C,MAP_mm,BiomeSource,Source"
PLOT = "1,31.5,101.5,800,5,700,forest,Luo (1996)"

DATABASES: list[tuple[str | bytes, str]] = [
    (f"{MICHALETZ}\n{PLOT},\n{PLOT},\n", "row 2 .the header is row 1. has 9 cells and the header 8; 2 such rows"),
    (f"{MICHALETZ}\n{PLOT}\n{PLOT},x\n", "row 3 .* has 9 cells and the header 8; 1 such rows"),
    (f"{MICHALETZ}\n{PLOT}\n1,31.5,101.5,800,5,700,forest\n", "row 3 .* has 7 cells and the header 8"),
    (f"{MICHALETZ}\n{PLOT}\n1,31.5,101.5,80", "row 3 .* has 4 cells and the header 8"),
    (f"{MICHALETZ},Lat\n{PLOT},5\n", "column Lat stands twice"),
    (
        f"{MICHALETZ}\n" + PLOT.replace("forest", '"forest') + "\n" + PLOT.replace("Luo", 'Luo"') + "\n",
        "close every|goes on",
    ),
    (f"{MICHALETZ}\n{PLOT.replace('forest', chr(34) + 'a')}\n{PLOT}\n", "close every quote"),
    (f"{MICHALETZ}\n{PLOT.replace('forest', 'for' + chr(0) + 'est')}\n", r"line 2: '.x00', which is no text"),
    (f"{MICHALETZ}\n{PLOT.replace('800', '8OO')}\n", "column NPPTotal_gm2y, row 2 .*expected a number, found '8OO'"),
    (f"{MICHALETZ}\n{PLOT.replace('31.5', '31°30')}\n", "column Lat, row 2 .*expected a number"),
    (f"{MICHALETZ}\n{PLOT}\n\n{PLOT.replace('700', 'wet')}\n", "column MAP_mm, row 4 .*expected a number, found 'wet'"),
    (f"{MICHALETZ.replace('MAT_C', 'MAT_K')}\n{PLOT}\n", "no column MAT_C; expected Michaletz"),
    (f"{MICHALETZ}\n{PLOT}\n".replace(",", ";"), "no column Lat, Long"),
    ("<!DOCTYPE html><html><body>Sign in</body></html>", "this is a web page, not CSV.*Expected Michaletz"),
    ("", "the file is empty.*Expected Michaletz"),
    (b"\x1f\x8b\x08\x00" + bytes(64), "which is no text.*Expected Michaletz"),
]

# --- make -------------------------------------------------------------------------------------------------------------

#: ``EVIL`` is a file that must not come to be.
MAKE: list[tuple[str, str]] = [
    ("CONFIG=$(shell touch EVIL)x", "CONFIG is not a plain name"),
    ("CONFIG=$$(touch EVIL)", "CONFIG is not a plain name"),
    ("CONFIG=`touch EVIL`", "CONFIG is not a plain name"),
    ('CONFIG=a"; touch EVIL; "', "CONFIG is not a plain name"),
    ("CONFIG=a'b", "CONFIG is not a plain name"),
    ("CONFIG=a b", "CONFIG is not a plain name"),
    ("CONFIG=a;b", "CONFIG is not a plain name"),
    ("CONFIG=a\\b", "CONFIG is not a plain name"),
    ("CONFIG=a\nb", "CONFIG is not a plain name"),
    ("SWEEP=$(shell touch EVIL)ci", "SWEEP is not a plain name"),
    ("SWEEP=ci|touch EVIL", "SWEEP is not a plain name"),
    ("PART=1/4 && touch EVIL", "PART is not a plain name"),
    ("PROFILE=$(file >EVIL)", "PROFILE is not a plain name"),
    ("JOBS=2; touch EVIL", "JOBS is not a plain name"),
    ("ROWS=test; touch EVIL", "ROWS is not a plain name"),
    ("SEED=$(eval X := 1)", "SEED is not a plain name"),
    ("DRY=$(shell touch EVIL)", "DRY is not a plain name"),
    ("PIP=$(shell touch EVIL)", "PIP is not a plain name"),
]
