"""Make ``china.geojson``: the outline that site tables mean by the country "China", from Natural Earth 1:110 million.

    python data/borders/make_china.py

Natural Earth (public domain) comes with the package pyogrio, as a sample. China and Taiwan are one outline here, since
the site databases name plots of both "China".
"""

from importlib.util import find_spec
from pathlib import Path

import geopandas
import shapely

folder = Path(find_spec("pyogrio").origin).parent / "tests" / "fixtures" / "naturalearth_lowres"
countries = geopandas.read_file(folder / "naturalearth_lowres.shp")
outline = countries[countries["name"].isin(["China", "Taiwan"])].geometry.union_all()
outline = shapely.set_precision(outline, 0.01)
Path(__file__).with_name("china.geojson").write_text(shapely.to_geojson(outline) + "\n", encoding="utf-8")
