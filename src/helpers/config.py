"""The parameters of a run, validated when it starts.

A configuration is a flat YAML file in ``config/``: flat, because papermill hands each key to a notebook as a variable
(``papermill notebooks/02_npp_random_forest.ipynb out.ipynb -f config/open.yml -p n_trees 100``). A notebook's
parameters cell holds ``None`` for "as the configuration says", so that a value stands in one place only.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, Field, ValidationError, ValidationInfo, field_validator, model_validator

from helpers.errors import ConfigError
from helpers.parameters_cell import injected_names, typed_names
from helpers.parts import STRICT, Archives, Layer, Outline, Plots, Region
from helpers.strict_yaml import read_yaml, short

#: Bytes of the longest name of a run, a sweep or a configuration: with what is added to it a file system must take it.
LONGEST_NAME = 120
#: Cells of the largest grid: those of the whole globe at 0.01 degree.
MOST_CELLS = 648_000_000
#: Names of folders below runs/ that are no run's.
_OTHER_FOLDERS = frozenset({"sweeps"})
#: The fluxes that are compared, by the key that a table of products has for them.
FLUXES = ("npp", "rs", "rh")
#: What the code asks of any world by this name: to check places and classes, to mask water, to weigh soil carbon.
NEEDED_LAYERS = ("precipitation", "temperature", "land_cover", "elevation", "soc")
#: The predictors of Eq. 1 and Eq. 2 of the paper.
NPP_PREDICTORS = ("precipitation", "temperature", "srad", "land_cover", "elevation", "lai", "npp_modis")
RS_PREDICTORS = (*NPP_PREDICTORS, "soc")


#: Names that a layer cannot have: the cube, and the tables that layers are joined to, have them already.
_TAKEN = frozenset(
    (
        *("in_region", "in_surroundings", "cell_area", "spatial_ref", "latitude", "longitude", "time", "year"),
        *("variable", "site", "value", "unit", "treatment", "quality", "vegetation", "source", "reference"),
        *("possible_duplicate", "n_records", "ln_npp", "ln_rs", "in_sample", "out_of_bag"),
        *("area", "filled_area", "predicted_area", "block", "inside"),
    )
)


#: What a virtual world says of itself. Its sites lie in China, as those of the paper do.
_VIRTUAL_REGION = Region(
    name="Virtual plateau",
    called="the virtual plateau",
    of_paper=True,
    surroundings=Outline(name="China", boundary="data/borders/china.geojson", country="China"),
)


class Settings(BaseModel):
    """The parameters of one run. Every field is a key of a configuration file and a papermill parameter."""

    model_config = STRICT

    config: str = Field(description="name of the base configuration, a file of config/")
    run: str = Field("", description="name of the run's folder below runs/; empty: the configuration's name")
    world: Literal["virtual", "real"] = Field(
        description="virtual: simulated from the seed; real: of the files named below. In a file also the name of a "
        "configuration, such as open, whose world it is"
    )
    seed: int = Field(20230911, ge=0, le=2**32 - 1, description="the one seed of everything random")
    threads: int = Field(2, ge=1, le=1024, description="threads that grow and evaluate the forests")

    region: Region = Field(_VIRTUAL_REGION, description="the region whose balance is asked for")
    predictors: dict[str, str | Layer] = Field(
        default_factory=dict, description="layers by name: a key of data/catalog.yml, or a map of your own (real only)"
    )
    npp_predictors: list[str] = Field(list(NPP_PREDICTORS), min_length=1, description="what the NPP forest sees")
    rs_predictors: list[str] = Field(list(RS_PREDICTORS), min_length=1, description="what the Rs forest sees")
    products: dict[Literal["npp", "rs", "rh"], dict[str, str | Layer]] = Field(
        default_factory=dict, description="maps to compare with, by flux and name (real only)"
    )
    observations: list[str] = Field(
        default_factory=list, description="site databases, keys of data/catalog.yml (real only)"
    )
    npp_modis_at_sites: str = Field("", description="yearly NPP at sites to check npp_modis with, a catalogue key")
    archives: Archives = Field(Archives(), description="addresses and folder of products with a connector (real only)")
    connectors: dict[str, dict[str, Any]] = Field(
        default_factory=dict, description="options of connectors by catalogue key, above the catalogue's (real only)"
    )
    made_up: bool = Field(
        False, description="products with a connector are made up, and written before they are read (real only)"
    )

    west: float = Field(73.0, ge=-180, le=180, description="western edge of the target grid, degrees east")
    south: float = Field(18.0, ge=-90, le=90, description="southern edge of the target grid, degrees north")
    east: float = Field(136.0, ge=-180, le=180, description="eastern edge of the target grid, degrees east")
    north: float = Field(54.0, ge=-90, le=90, description="northern edge of the target grid, degrees north")
    resolution: float = Field(ge=0.0001, le=2, description="cell size of the target grid, degrees")
    first_year: int = Field(2000, ge=1900, le=2100, description="first year of a yearly world")
    last_year: int = Field(2018, ge=1900, le=2100, description="last year of a yearly world")
    block_cells: int = Field(250_000, ge=100, description="cells, counted in each year, predicted at a time")

    missing_years: Literal["own_mean", "common_years", "nearest_year"] = Field(
        "own_mean",
        description="years that a yearly product lacks: the mean of its own years (of classes the nearest year), a run "
        "of the years that all have, or the nearest year (products with a connector)",
    )
    resampling: Literal["nearest", "average"] = Field(
        "nearest",
        description="value of a cell: of the product's cell at its centre (the paper), or the mean of those in it, of "
        "classes the commonest (products with a connector)",
    )
    region_mask: Literal["boundary", "above_2500m", "above_3000m"] = Field(
        "boundary", description="cells that are the region: in the boundary, or in its bounding box and this high"
    )
    soc_depth: Literal[30, 100] = Field(30, description="depth of the soil carbon stock, cm (virtual: 30)")
    training_domain: Literal["region", "surroundings"] = Field("region", description="sites that train the forests")
    npp_aggregation: Literal["rows", "site_mean", "site_median"] = Field(
        "rows", description="how the NPP records of one site enter the training table"
    )
    rs_aggregation: Literal["rows", "site_mean", "site_median"] = Field(
        "rows", description="how the Rs records of one site enter the training table"
    )
    rs_filter: Literal["paper", "boundary", "coverage"] = Field(
        "paper", description="Rs records that train: the paper's 62, those inside the boundary, half a year or more"
    )
    site_checks: Literal["strict", "as_published"] = Field(
        "strict", description="strict: records that contradict their place or repeat another study's are left out"
    )
    place_elevation_m: float = Field(
        1500.0, gt=0, description="elevation of a record and of its cell that contradict each other: more apart, m"
    )
    place_temperature_k: float = Field(6.0, gt=0, description="the same of mean annual temperature, K")
    place_precipitation_ratio: float = Field(
        2.5, gt=1, description="the same of yearly precipitation: the larger one divided by the smaller one"
    )
    republication_share: float = Field(
        0.001, gt=0, lt=1, description="share by which fluxes differ that are taken for one, published twice"
    )
    republication_degrees: float = Field(
        0.7, gt=0, le=10, description="degrees of longitude and of latitude by which their coordinates differ"
    )
    site_resample: int = Field(0, ge=0, le=2**32 - 1, description="seed of a bootstrap of the sites; 0: each site once")
    extra_observations: list[str] = Field(
        default_factory=list,
        description="your own observation tables (CSV or .xlsx in the schema of helpers.sites.schema)",
    )

    n_trees: int = Field(1500, ge=1, le=100_000, description="ntree of both forests")
    npp_mtry: int = Field(6, ge=1, description="mtry of the NPP forest, at most its number of predictors")
    rs_mtry: int = Field(7, ge=1, description="mtry of the Rs forest, at most its number of predictors")
    nodesize: int = Field(5, ge=1, description="nodesize in the sense of R's randomForest")
    land_cover_encoding: Literal["integer", "target_mean", "one_hot"] = Field(
        "target_mean", description="how a forest of trees sees the land-cover classes"
    )
    left_out: str = Field("none", description="predictor that neither forest sees; mtry is then at most what is left")
    training_fraction: float = Field(0.7, gt=0.1, lt=0.95, description="share of sites that train in figures S2 and S3")
    validation_trees: int = Field(200, ge=1, le=100_000, description="trees of each forest that is grown to validate")
    validation_seeds: int = Field(1, ge=1, le=100, description="repetitions of each validation scheme")
    n_folds: int = Field(5, ge=2, le=50, description="folds of each cross-validation scheme")
    validation_schemes: Literal["all", "fast"] = Field(
        "all", description="schemes that validate; fast: only the kNNDM folds beside those that need no folds"
    )
    npp_scale: Literal["flux", "log"] = Field("flux", description="target of the NPP forest: NPP (the paper) or ln NPP")
    back_transformation: Literal["exponential", "smearing"] = Field(
        "exponential", description="from a logarithm to its flux: the exponential alone, or with Duan's smearing factor"
    )
    rs_rh_line: Literal["paper", "site_means", "records", "share"] = Field(
        "paper", description="from Rs to Rh: the paper's Eq. 3, our own line, or a share of Rs without an intercept"
    )
    water_and_ice: Literal["keep", "mask"] = Field(
        "keep", description="cells whose land cover is water, snow or ice: in NPP, Rh and NEP as predicted, or left out"
    )
    outside_applicability: Literal["keep", "drop"] = Field(
        "keep", description="cells that are unlike the training sites of either forest"
    )

    draw_count: int = Field(100, ge=4, le=100_000, description="draws of the budget's interval")
    draw_trees: int = Field(30, ge=1, le=100_000, description="trees of each forest that is grown for a draw")
    block_km: float = Field(100.0, gt=0, le=5000, description="edge of the blocks of sites that a draw resamples, km")
    interval_level: float = Field(0.9, gt=0, lt=1, description="probability that the intervals are to hold")

    sampling_design: Literal["clustered", "uniform", "stratified"] = Field(
        "clustered", description="how the virtual world's sites are placed (virtual only)"
    )
    npp_sites: int = Field(394, ge=10, description="NPP records on the virtual plateau (virtual only)")
    rs_sites: int = Field(62, ge=10, description="Rs records on the virtual plateau (virtual only)")

    plots: Plots = Field(Plots(), description="where the plan of the next plots may place them, and how many it lists")

    sweep: str = Field("", description="sweep that notebook 07 reads, a file of config/sweeps/; empty: none")

    @field_validator("config", "run", "sweep")
    @classmethod
    def _is_a_name(cls, value: str, info: ValidationInfo) -> str:
        if not value and info.field_name != "config":
            return value
        # The stages of a sweep are runs, in folders of folders; a configuration and a sweep are files of one folder.
        parts = value.split("/") if info.field_name == "run" else [value]
        for part in parts:
            refuse_bad_name(part)
        if info.field_name == "run" and value in _OTHER_FOLDERS:
            raise ValueError(f"{value} is a folder of its own below runs/; expected another name")
        return value

    @model_validator(mode="after")
    def _ranges_agree(self) -> Settings:
        if not self.run:  # settings are frozen, but their own check may complete them
            object.__setattr__(self, "run", self.config)
        # A single year is a range; a grid without width or height is none.
        for low, high in (("west", "east"), ("south", "north"), ("first_year", "last_year")):
            first, last = getattr(self, low), getattr(self, high)
            if first > last or (first == last and low != "first_year"):
                raise ValueError(f"{low} ({first}) lies beyond {high} ({last})")
        _refuse_grid(self)
        if self.world == "virtual":
            _virtual_only(self)
        else:
            _complete_world(self)
        every = list(dict.fromkeys([*self.npp_predictors, *self.rs_predictors]))
        if self.left_out not in ("none", *every):
            hint = nearest_name(self.left_out, every)
            raise ValueError(f"left_out is {self.left_out!r}; expected none or one of {', '.join(every)}{hint}")
        for flux in ("npp", "rs"):
            mtry, most = getattr(self, f"{flux}_mtry"), len(getattr(self, f"{flux}_predictors"))
            # The paper's mtry, where it is not set, follows the predictors that there are.
            if f"{flux}_mtry" in self.model_fields_set and mtry > most:
                raise ValueError(f"{flux}_mtry is {mtry}, but this forest has {most} predictors")
        return self


def refuse_bad_name(name: str) -> None:
    """Raise a ValueError if a run, a sweep or a configuration cannot have this name: a folder is called by it.

    It has letters, digits and ``._+=-``, begins with a letter or a digit, and is at most :data:`LONGEST_NAME` bytes
    long.
    """
    if not re.fullmatch(r"\w[\w.+=-]*", name) or name.startswith("_"):
        raise ValueError(
            f"{short(name)} is no plain name: expected letters, digits and ._+=-, the first one a letter or a digit"
        )
    if len(name.encode()) > LONGEST_NAME:
        raise ValueError(f"the name has {len(name.encode())} bytes; expected at most {LONGEST_NAME}")


def _refuse_grid(settings: Settings) -> None:
    """Refuse a grid that has too few cells to have a step, or more than any computer holds."""
    width, height = settings.east - settings.west, settings.north - settings.south
    cells = width / settings.resolution * height / settings.resolution
    if min(width, height) < 2 * settings.resolution:
        raise ValueError(
            f"resolution is {settings.resolution:g}, and the box has {width:g} x {height:g} degrees; expected two "
            "cells or more each way: a smaller resolution, or a larger box"
        )
    if cells > MOST_CELLS:
        raise ValueError(
            f"resolution is {settings.resolution:g}: the grid would have {cells:.2g} cells; expected at most "
            f"{MOST_CELLS:.2g}: a larger resolution, or a smaller box"
        )


def _virtual_only(settings: Settings) -> None:
    """Refuse what only a real world has."""
    only_real = (("rs_filter", "paper"), ("soc_depth", 30), ("missing_years", "own_mean"), ("resampling", "nearest"))
    for key, only in only_real:
        if getattr(settings, key) != only:
            raise ValueError(f"{key} is {getattr(settings, key)!r}, which only world: real has; expected {only!r}")
    sources = ("predictors", "products", "observations", "npp_modis_at_sites", "connectors", "made_up")
    given = [key for key in sources if getattr(settings, key)]
    if given:
        raise ValueError(f"{', '.join(given)}: a virtual world makes its own; expected world: real")
    for key in ("npp_predictors", "rs_predictors"):
        _refuse_unnamed(key, getattr(settings, key), RS_PREDICTORS)


def _complete_world(settings: Settings) -> None:
    """Refuse a table of a real world that lacks something, or names what nothing uses."""
    if not settings.region.boundary:
        raise ValueError("region has no boundary; expected a key of data/catalog.yml or a vector file")
    lacking = [name for name in NEEDED_LAYERS if name not in settings.predictors]
    if lacking:
        raise ValueError(f"predictors has no {', '.join(lacking)}; every world needs {', '.join(NEEDED_LAYERS)}")
    for name in (*settings.predictors, *(name for maps in settings.products.values() for name in maps)):
        if not re.fullmatch(r"[A-Za-z]\w*", name) or name in {*_TAKEN, "random_forest"}:
            raise ValueError(
                f"{name!r} cannot name a layer or a product; expected letters, digits and _, not a name of ours"
            )
    depths = [source for source in settings.predictors.values() if isinstance(source, str) and "{soc_depth}" in source]
    if settings.soc_depth != 30 and not depths:
        raise ValueError(
            f"soc_depth is {settings.soc_depth}, but no name in predictors holds {{soc_depth}}; leave it out"
        )
    for key in ("npp_predictors", "rs_predictors"):
        _refuse_unnamed(key, getattr(settings, key), settings.predictors)
    seen = {*settings.npp_predictors, *settings.rs_predictors, *NEEDED_LAYERS}
    idle = [name for name in settings.predictors if name not in seen]
    if idle:
        raise ValueError(f"predictors has {', '.join(idle)}, which neither npp_predictors nor rs_predictors names")
    if settings.npp_modis_at_sites and "npp_modis" not in settings.predictors:
        raise ValueError(f"npp_modis_at_sites is {settings.npp_modis_at_sites!r}, but predictors has no npp_modis")
    if not settings.observations and not settings.extra_observations:
        raise ValueError("observations is empty; expected site databases of data/catalog.yml")
    if settings.training_domain == "surroundings" and settings.region.surroundings is None:
        raise ValueError("training_domain is 'surroundings', but region has none; expected 'region'")
    _refuse_idle(settings)


def _refuse_idle(settings: Settings) -> None:
    """Refuse a choice about products with a connector where no layer and no product has one."""
    defaults = {"missing_years": "own_mean", "resampling": "nearest"}
    chosen = [key for key, usual in defaults.items() if getattr(settings, key) != usual]
    if settings.made_up:
        chosen.append("made_up")
    if not chosen:
        return
    maps = [source for named in settings.products.values() for source in named.values()]
    named = [source for source in (*settings.predictors.values(), *maps) if isinstance(source, str)]
    entries = read_yaml(project_root() / "data" / "catalog.yml")
    depth = str(settings.soc_depth)
    if not any("connector" in entries.get(source.replace("{soc_depth}", depth), {}) for source in named):
        raise ValueError(f"{', '.join(chosen)}: no layer or product has a connector, so nothing follows from it")


def _refuse_unnamed(key: str, names: list[str], known: Iterable[str]) -> None:
    """Refuse predictors that are unknown or named twice."""
    for name in names:
        if name not in known:
            raise ValueError(
                f"{key} has {name!r}, which predictors lacks; it has {', '.join(known)}{nearest_name(name, known)}"
            )
    if len(set(names)) < len(names):
        raise ValueError(f"{key} names a predictor twice: {', '.join(names)}")


def project_root() -> Path:
    """Return the folder that holds ``config/`` and ``notebooks/``.

    It is the environment variable ``QTP_BOOK_ROOT`` if set; else the nearest parent of the working directory, then of
    this file, that holds both folders. If there is none, a ``ConfigError`` is raised.
    """
    named = os.environ.get("QTP_BOOK_ROOT")
    if named:
        return Path(named).resolve()
    for start in (Path.cwd(), Path(__file__).resolve().parent):
        for folder in (start, *start.parents):
            if (folder / "config").is_dir() and (folder / "notebooks").is_dir():
                return folder
    raise ConfigError(
        "no folder with config/ and notebooks/ above the working directory: run from a checkout of the book, or name "
        "one in the variable QTP_BOOK_ROOT"
    )


def from_root(path: str) -> Path:
    """Return the path of a file that a configuration names; a relative one begins at the checkout."""
    return project_root() / Path(path).expanduser()


def config_names() -> list[str]:
    """Return the names of the configurations in ``config/``, in alphabetical order."""
    return sorted(path.stem for path in (project_root() / "config").glob("*.yml"))


def resolve(values: Mapping[str, Any], where: str = "the parameters") -> Settings:
    """Check a mapping of parameters and return them as settings; messages say ``where`` the values come from.

    An unknown name (the message has the nearest valid one), a value of the wrong type or one out of its range raises a
    ``ConfigError``.
    """
    _refuse_unknown(values, where)
    try:
        return Settings(**_with_its_world(values, where))
    except ValidationError as error:
        raise ConfigError(f"{where}: " + "; ".join(problem(item) for item in error.errors())) from None


#: The parameters that describe a real world; a configuration may take all of them from another one.
_OF_A_WORLD = (
    *("region", "predictors", "products", "observations", "npp_modis_at_sites"),
    *("archives", "connectors", "made_up"),
    *("west", "south", "east", "north", "first_year", "last_year"),
)


def _with_its_world(values: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Return parameters whose world, where it is named after a configuration, is filled in from that one's file."""
    named = values.get("world")
    if not isinstance(named, str) or named in ("virtual", "real"):
        return dict(values)
    path = project_root() / "config" / f"{named}.yml"
    base = read_yaml(path) if named in config_names() else {}
    if not isinstance(base, dict) or base.get("world") not in ("virtual", "real"):
        known = ["virtual", "real", *config_names()]
        raise ConfigError(
            f"{where}: world is {short(named)}; expected virtual, real with a region and its layers, or the "
            f"configuration whose world it is: {', '.join(config_names())}{nearest_name(named, known)}"
        )
    world = {key: base[key] for key in _OF_A_WORLD if key in base}
    return world | dict(values) | {"world": base["world"]}


def load_config(config: str | Path, overrides: Mapping[str, Any] | None = None) -> Settings:
    """Read a configuration file and apply overrides to it.

    A name such as ``"open"`` is that of ``config/open.yml``; the path of a YAML file will do, too. An override of
    ``None`` leaves the file's value. ConfigError is raised if there is no such file, it is no mapping or nothing that
    :func:`helpers.strict_yaml.read_yaml` reads, its key ``config`` is not the file's name, a parameter is not valid, or
    ``sweep`` names no file of ``config/sweeps/``.
    """
    if not isinstance(config, (str, Path)):
        raise ConfigError(f"config is {short(config)}; expected a name such as 'open', or the path of a YAML file")
    path = Path(config).expanduser()
    if path.suffix not in {".yml", ".yaml"}:
        path = project_root() / "config" / f"{config}.yml"
    if not path.is_file():
        known = ", ".join(config_names())
        raise ConfigError(f"no configuration {short(str(config))}: {path} does not exist; there are: {known}")
    values = read_yaml(path)
    if not isinstance(values, dict):
        raise ConfigError(f"{path}: expected one 'key: value' per line")
    values = {"config": path.stem} | values
    _refuse_unknown(values, str(path))
    if values["config"] != path.stem:  # papermill's -f would take the values of both files
        raise ConfigError(
            f"{path}: config is {short(values['config'])}, but the file is another one: write 'config: {path.stem}', "
            "or give the file that name"
        )
    replaced = {key: value for key, value in (overrides or {}).items() if value is not None}
    if replaced.get("config", path.stem) != path.stem:  # the values would be of one configuration, the name of another
        raise ConfigError(f"{path}: config cannot be replaced by {replaced['config']!r}: name that one by --config")
    settings = resolve(values | replaced, str(path))
    _refuse_unknown_sweep(settings.sweep, str(path))
    return settings


def _refuse_unknown_sweep(name: str, where: str) -> None:
    """Refuse the name of a sweep that no file describes: its page would be left out in silence."""
    folder = project_root() / "config" / "sweeps"
    if name and folder.is_dir() and not (folder / f"{name}.yml").is_file():
        known = sorted(path.stem for path in folder.glob("*.yml"))
        raise ConfigError(
            f"{where}: sweep is {short(name)}, and {folder} has no such file; expected empty or one of "
            f"{', '.join(known)}{nearest_name(name, known)}"
        )


def from_notebook(names: Mapping[str, Any]) -> Settings:
    """Return the settings of a notebook: its configuration, with the parameters that are set in it.

    ``names`` are the notebook's ``globals()``. Names that are parameters count when they are not ``None``; ``config``
    names the base configuration. A name that is not a parameter raises a ``ConfigError`` where papermill injected it or
    the parameters cell was edited by hand, and so do a ``world`` that papermill injected without a ``config``, and what
    :func:`load_config` refuses.
    """
    injected = injected_names(names.get("In", ()))
    _refuse_unknown(injected, "papermill")
    _refuse_unknown(typed_names(names.get("In", ())), "the notebook's parameters cell")
    if "world" in injected and "config" not in injected:
        # Only a whole configuration names the world. Laid over another one it would mean something else here than
        # `make run` takes it for: what it leaves to the defaults would come from the other file.
        raise ConfigError(
            f"papermill: world is {names.get('world')!r}, and no parameter says of which configuration: with -f add a "
            "line 'config: NAME' to the file, which is config/NAME.yml (mine.yml says 'config: mine'); with -p name a "
            f"configuration of that world by '-p config NAME'; there are: {', '.join(config_names())}"
        )
    given = {key: names[key] for key in Settings.model_fields if names.get(key) is not None}
    return load_config(given.pop("config", "virtual"), given)


def nearest_name(given: str, valid: Iterable[str]) -> str:
    """Return the hint for a message about a name that is not valid: the nearest one, or nothing if none is near."""
    near = difflib.get_close_matches(str(given)[:100], list(valid), n=1, cutoff=0.5)
    return f"; did you mean {near[0]!r}?" if near else ""


def _refuse_unknown(values: Iterable[str], where: str) -> None:
    for key in values:
        if key not in Settings.model_fields:
            hint = nearest_name(key, Settings.model_fields) or "; known keys: " + ", ".join(Settings.model_fields)
            raise ConfigError(f"{where}: unknown key {short(key)}{hint}")


def problem(item: Mapping[str, Any]) -> str:
    """Return what pydantic found wrong with one value, an item of its ``errors()``, with the nearest valid one."""
    said = item["msg"].removeprefix("Value error, ")
    if not item["loc"]:
        return f"values: {said}"
    given = "" if item["type"] == "missing" else f" (given: {short(item['input'])})"
    valid = re.findall(r"'([^']*)'", item["ctx"]["expected"]) if item["type"] == "literal_error" else []
    return f"{'.'.join(map(str, item['loc']))}: {said}{given}{nearest_name(item['input'], valid)}"


def own_files(settings: Settings) -> list[Path]:
    """Return the user's own files that a configuration names: site tables, maps and outlines.

    ``~`` is your home, a relative path begins at the checkout. A file that is not there raises a ConfigError.
    """
    named = [("extra_observations", path) for path in settings.extra_observations]
    maps = {"predictors": settings.predictors}
    maps |= {f"products.{flux}": sources for flux, sources in settings.products.items()}
    for key, sources in maps.items():
        named += [(f"{key}.{name}", layer.file) for name, layer in sources.items() if isinstance(layer, Layer)]
    outlines = {"region": settings.region, "region.surroundings": settings.region.surroundings}
    named += [(key, one.boundary) for key, one in outlines.items() if one is not None and Path(one.boundary).suffix]
    return _files_that_are_there(named)


def plot_outlines(settings: Settings) -> dict[str, Path]:
    """Return the vector files that the next plots shall lie ``within``, and ``not_within``, by these keys.

    Paths are those of :func:`own_files`, and so is the ConfigError.
    """
    named = {key: path for key in ("within", "not_within") if (path := getattr(settings.plots, key))}
    found = _files_that_are_there([(f"plots.{key}", path) for key, path in named.items()])
    return dict(zip(named, found, strict=True))


def _files_that_are_there(named: Sequence[tuple[str, str]]) -> list[Path]:
    """Return the paths of files, given with the keys that name them; refuse the first that is not there."""
    for key, given in named:
        if not from_root(given).exists():
            raise ConfigError(
                f"{key}: {given!r}: no file {from_root(given)}: expected an absolute path, one from your home (~/…), "
                "or one from the checkout"
            )
    return [from_root(given) for _, given in named]
