"""The parts of a configuration that are tables of their own: a region, a layer, the archives, the next plots."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

#: Types are not converted: ``true`` is no 1, and ``"5"`` no number. Not a number, and without an end, are none, too.
STRICT = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


#: Words that titles and sentences of pages hold as they are: nothing in them is markup.
_WORDS = r"^[^<>{}\[\]`|$\\\r\n]*$"


class Outline(BaseModel):
    """A part of the world by its name and its outline."""

    model_config = STRICT

    name: str = Field(min_length=1, pattern=_WORDS, description="its name, in titles")
    called: str = Field(
        "", pattern=_WORDS, description="the same within a sentence, such as 'the plateau'; empty: the name"
    )
    boundary: str = Field("", description="its outline: a key of data/catalog.yml, or a vector file")
    country: str = Field("", description="the country of that outline, as site tables name it; empty: it is none")

    @model_validator(mode="after")
    def _has_a_call(self) -> Outline:
        if not self.called:
            object.__setattr__(self, "called", self.name)
        return self


class Region(Outline):
    """The region whose balance is asked for."""

    of_paper: bool = Field(False, description="it is the paper's plateau: show the paper's numbers and its towers")
    high_land_m: float | None = Field(
        None, description="records of its bounding box whose own elevation is this high belong to it, too, m"
    )
    surroundings: Outline | None = Field(None, description="a wider region whose sites may train, too")


class Layer(BaseModel):
    """A map of your own."""

    model_config = STRICT

    file: str = Field(min_length=1, description="GeoTIFF, netCDF or Zarr, with a CRS")
    unit: str = Field(description="unit of its values; of a known layer it must be that of helpers.data.variables")
    kind: Literal["continuous", "classes"] = Field("continuous", description="classes: numbers without an order")
    variable: str = Field("", description="its name in a netCDF or Zarr file of several")
    low: float | None = Field(None, description="least plausible value")
    high: float | None = Field(None, description="greatest plausible value")


class Archives(BaseModel):
    """Where the products with a connector come from: public addresses, each of which may be another server's."""

    model_config = STRICT

    stac: str = Field("https://planetarycomputer.microsoft.com/api/stac/v1", description="STAC API")
    stac_signing: str = Field(
        "https://planetarycomputer.microsoft.com/api/sas/v1/token", description="signs the addresses of its files"
    )
    cmr: str = Field(
        "https://cmr.earthdata.nasa.gov/search", description="NASA's catalogue; to search needs no account"
    )
    earthdata_login: str = Field("urs.earthdata.nasa.gov", description="host of NASA's login")
    figshare: str = Field("https://api.figshare.com/v2", description="API of figshare")
    zenodo: str = Field("https://zenodo.org/api", description="API of Zenodo")
    glo90: str = Field("https://copernicus-dem-90m.s3.amazonaws.com", description="tiles of Copernicus GLO-90")
    soilgrids: str = Field("https://files.isric.org/soilgrids/latest", description="SoilGrids")
    downloads: str = Field("", description="folder with one folder per product; empty: the cache folder")


class Plots(BaseModel):
    """The next plots, which notebook 10 plans: how many, and where they may stand."""

    model_config = STRICT

    number: int = Field(20, ge=1, le=50, description="plots that the plan lists; the order is that of building them")
    apart_km: float = Field(20.0, ge=0, le=5000, description="least distance between two of them, km")
    highest_m: float | None = Field(None, description="highest ground that they may stand on, m; none: any")
    within: str = Field("", description="vector file of polygons, such as GeoJSON, that they lie in; empty: anywhere")
    not_within: str = Field("", description="the same of land that they keep out of")
