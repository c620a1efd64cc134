"""Make the outlines of this folder: countries of Natural Earth 1:110 million, and East Asia as a plain box.

    python data/borders/make_outlines.py

Natural Earth (public domain) comes with the package pyogrio, as a sample. China and Taiwan are one outline here, since
the site databases name plots of both "China". The box holds the sites that may train for Japan.
"""

from importlib.util import find_spec
from pathlib import Path

import geopandas
import shapely

COUNTRIES = {"china": ["China", "Taiwan"], "japan": ["Japan"]}

folder = Path(find_spec("pyogrio").origin).parent / "tests" / "fixtures" / "naturalearth_lowres"
countries = geopandas.read_file(folder / "naturalearth_lowres.shp")
outlines = {name: countries[countries["name"].isin(parts)].geometry.union_all() for name, parts in COUNTRIES.items()}
outlines["east_asia"] = shapely.box(124, 29, 147, 47)
for name, outline in outlines.items():
    text = shapely.to_geojson(shapely.set_precision(outline, 0.01))
    Path(__file__).with_name(f"{name}.geojson").write_text(text + "\n", encoding="utf-8")
