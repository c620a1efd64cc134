"""Make the outlines of this folder: countries of Natural Earth 1:110 million, East Asia as a box, a made-up one.

    python data/borders/make_outlines.py

Natural Earth (public domain) comes with the package pyogrio, as a sample. China and Taiwan are one outline here, since
the site databases name plots of both "China". The box holds the sites that may train for Japan.
``made_up`` is the region of config/paper-mini.yml; no place is like it.
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
west, east = [(91.25, 30.5), (91.2, 29), (91.6, 28.7)], [(94.3, 28.8), (94.8, 29.5), (94.75, 30.7)]
outlines["made_up"] = shapely.Polygon([*west, (93, 28.65), *east, (94.2, 31.2), (92.9, 31.35), (91.7, 31.3)])
for name, outline in outlines.items():
    text = shapely.to_geojson(shapely.set_precision(outline, 0.01))
    Path(__file__).with_name(f"{name}.geojson").write_text(text + "\n", encoding="utf-8")
