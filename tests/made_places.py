"""A real world's configuration to start from, and made-up regions that everything or nothing lies in."""

from __future__ import annotations

from typing import Any

import shapely
import yaml
from shapely.geometry.base import BaseGeometry

from helpers.config import load_config, project_root
from helpers.data import region
from helpers.virtual.geography import PAPER_BOX, REGION


def real_values(**changes: Any) -> dict[str, Any]:
    """Return the parameters of ``config/open.yml`` but for the names of the file and of its sweep, some replaced."""
    values = yaml.safe_load((project_root() / "config" / "open.yml").read_text(encoding="utf-8"))
    return {key: value for key, value in values.items() if key not in ("config", "sweep")} | changes


def _corners(west: float, south: float, east: float, north: float, size: float = 1e-3) -> BaseGeometry:
    """Return an outline that has these bounds and next to no area, at two of their corners."""
    boxes = (shapely.box(west, south, west + size, south + size), shapely.box(east - size, north - size, east, north))
    return shapely.union_all(boxes)


def places_of(geometry: BaseGeometry, **changes: Any) -> region.Places:
    """Return the places of the paper's plateau in China with another outline, or other settings."""
    return region.Places.of(load_config("open", changes), geometry)


EVERYWHERE = places_of(shapely.box(-180, -90, 180, 90))
#: Its bounding box is that of the paper's plateau, and no site lies in it.
NOWHERE = places_of(_corners(*PAPER_BOX))
GRID = REGION
