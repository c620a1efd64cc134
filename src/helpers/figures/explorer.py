"""The explorer: linked maps of a run in one piece of HTML, drawn by Bokeh, that asks nothing of any other file or host.

What the reader does there is in ``explorer.js``: a cell under the pointer or the keyboard, its values, its years. The
values travel as 16-bit integers in one gzipped block, Bokeh in another; without scripts a picture of the maps stands in
their place.
"""

from __future__ import annotations

import base64
import gzip
import html
import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import bokeh
import matplotlib as mpl
import numpy as np
import shapely
import xarray as xr
from bokeh import events
from bokeh.document import Document
from bokeh.embed import components
from bokeh.models import (
    ColorBar,
    ColumnDataSource,
    CustomJS,
    LinearColorMapper,
    PrintfTickFormatter,
    Range1d,
    WheelZoomTool,
)
from bokeh.plotting import figure
from matplotlib.colors import ListedColormap, Normalize, to_hex
from PIL import Image
from shapely.geometry.base import BaseGeometry

from helpers.figures import style
from helpers.names import APPLICABILITY, pretty_units

#: Colours by what a map shows. Classes have one each.
_COLOURS: Mapping[str, Callable[[Sequence[xr.DataArray]], style.Scale]] = {
    "flux": style.sequential,
    "sign": partial(style.diverging, cmap=style.NEP_MAP),
    "difference": style.diverging,
    "width": partial(style.sequential, cmap="cmc.lajolla_r"),
    "classes": lambda _: style.Scale(ListedColormap(_CLASSES), Normalize(-0.5, len(_CLASSES) - 0.5)),
}
_CLASSES = [style.NO_DATA, "#56b4e9", style.SECOND, style.STRONG]  # of APPLICABILITY
_NONE = -32768  #: No value.
_SHADES = 64
_TEXT = "12px"


@dataclass(frozen=True)
class Layer:
    """One map of the explorer: (latitude, longitude), north first, all layers on one grid."""

    short: str  #: What stands beside its value.
    values: xr.DataArray  #: NaN where there is none; for classes the places in :data:`helpers.names.APPLICABILITY`.
    units: str = ""  #: As CF writes them.
    name: str = ""  #: What a reader picks it by, where a panel has several.


@dataclass(frozen=True)
class Panel:
    """A place of the explorer: one layer, or several that the reader picks from."""

    title: str
    words: str  #: What follows the title.
    kind: str  #: A key of the colours: flux, sign, difference, width or classes.
    layers: Sequence[Layer]


def explorer(
    panels: Sequence[Panel],
    boundary: BaseGeometry,
    years: Sequence[int] = (),
    series: Mapping[str, xr.DataArray] | None = None,
    block: int = 1,
    stamp: str = "",
) -> str:
    """Return linked maps, with what a reader needs to use them, as one piece of HTML.

    ``series`` are yearly fluxes (time, latitude, longitude) [g C m-2 yr-1] by name, on a grid whose cells are ``block``
    times ``block`` cells of the maps, the first at their first; ``years`` are those of its time. ``stamp`` is written
    on the picture for readers without scripts. ValueError is raised if a map holds no value.
    """
    given = dict(series or {})
    layers = [layer for panel in panels for layer in panel.layers]
    packed, described = _packed([*(layer.values for layer in layers), *given.values()])
    first = layers[0].values
    shared = _Shared(first, boundary)
    figures = {f"map-{i}": _map(panel, shared) for i, panel in enumerate(panels)}
    if given:
        figures["series"] = _years(list(years), list(given))
    whole = Document()
    with whole.models.freeze():  # else Bokeh looks through all of them again with each
        for plot in figures.values():
            whole.add_root(plot)
    script, places = components(figures, wrap_script=False)
    told = {
        **{"rows": first.sizes["latitude"], "columns": first.sizes["longitude"]},
        **{"north": float(first.latitude[0]), "west": float(first.longitude[0]), "step": list(shared.step)},
        "panels": _told(panels, described),
        "series": [word | {"name": name} for name, word in zip(given, described[len(layers) :], strict=True)],
        "years": list(map(int, years)),
        "block": block,
        "classes": list(APPLICABILITY),
        "data": base64.b64encode(packed).decode(),
        "library": _library(),
    }
    return _page(panels, places, script, told, _picture(panels, stamp))


class _Shared:
    """What all maps share: ranges, the marked cell, the outline, the shape of a panel."""

    def __init__(self, grid: xr.DataArray, boundary: BaseGeometry) -> None:
        """Read these off the first map."""
        y, x = grid.latitude.values, grid.longitude.values
        self.step = (abs(float(y[1] - y[0])), abs(float(x[1] - x[0])))
        half_y, half_x = self.step[0] / 2, self.step[1] / 2
        self.x = Range1d(float(x[0] - half_x), float(x[-1] + half_x), name="x")
        self.y = Range1d(float(y[-1] - half_y), float(y[0] + half_y), name="y")
        # A degree of longitude is shorter than one of latitude.
        wide, high = len(x) * self.step[1] * np.cos(np.radians(y.mean())), len(y) * self.step[0]
        self.aspect = float(wide / high)
        self.cursor = ColumnDataSource({"x": [], "y": []}, name="cursor")
        rings = [shapely.get_coordinates(part.exterior) for part in _polygons(boundary.simplify(min(self.step) / 3))]
        self.outline = ColumnDataSource({axis: [ring[:, i] for ring in rings] for i, axis in enumerate("xy")})


def _polygons(shape: BaseGeometry) -> list[Any]:
    """Return the polygons of a shape."""
    return [part for part in getattr(shape, "geoms", [shape]) if shapely.area(part) > 0]


def _packed(fields: Sequence[xr.DataArray]) -> tuple[bytes, list[dict[str, float]]]:
    """Return fields as gzipped 16-bit integers, one after the other, and per field its beginning and the unit of one.

    A field that whole numbers would tell badly, or that they cannot hold, has another unit of one.
    """
    numbers, described, begin = [], [], 0
    for field in fields:
        values = np.asarray(field, dtype="float64").ravel()
        largest = float(np.nanmax(np.abs(values), initial=0.0))
        unit = 1.0 if 100 <= largest <= 32767 or np.array_equal(values, np.round(values), equal_nan=True) else 0.0
        unit = unit or (largest / 32767 if largest > 32767 else 0.01)
        coded = np.where(np.isfinite(values), np.round(values / unit), _NONE)
        described.append({"begin": begin, "unit": unit})
        begin += values.size
        numbers.append(coded.astype("<i2"))
    return gzip.compress(np.concatenate(numbers).tobytes(), 9, mtime=0), described


def _told(panels: Sequence[Panel], described: Sequence[Mapping[str, float]]) -> list[dict[str, Any]]:
    """Return what the script must know of each panel and of its layers."""
    words, told = iter(described), []
    for panel in panels:
        layers = []
        for layer in panel.layers:
            norm = _COLOURS[panel.kind]([layer.values]).norm
            look = {"short": layer.short, "units": pretty_units(layer.units), "low": norm.vmin, "high": norm.vmax}
            layers.append(look | dict(next(words)))
        told.append({"kind": panel.kind, "layers": layers})
    return told


def _map(panel: Panel, shared: _Shared) -> Any:
    """Return the figure of a panel, its values still to come from the script."""
    scale = _COLOURS[panel.kind]([panel.layers[0].values])
    # Beside a map stand its axis and its colours, below it another axis: they keep its shape about right.
    plot = _plot(sizing_mode="scale_width", aspect_ratio=1.1 * shared.aspect, x_range=shared.x, y_range=shared.y)
    zoom = WheelZoomTool(modifiers={"ctrl": True})
    plot.add_tools(zoom)
    plot.toolbar.active_scroll = zoom
    mapper = LinearColorMapper(
        palette=_palette(scale), low=scale.norm.vmin, high=scale.norm.vmax, nan_color="rgba(0,0,0,0)", name="colours"
    )
    plot.patches("x", "y", source=shared.outline, fill_color=style.SHADE, line_color=None)
    where = {"x": shared.x.start, "y": shared.y.end, "dw": shared.x.end - shared.x.start}
    where |= {"dh": shared.y.end - shared.y.start, "origin": "top_left", "anchor": "top_left"}
    plot.image("image", source=ColumnDataSource({"image": []}, name="image"), color_mapper=mapper, **where)
    plot.multi_line("x", "y", source=shared.outline, line_color="#333333", line_width=1)
    mark = {"marker": "cross", "size": 22, "source": shared.cursor}
    for colour, width in (("white", 5), ("#d5005e", 2)):
        # What lies over the maps is drawn without drawing them again.
        plot.scatter("x", "y", line_color=colour, line_width=width, level="overlay", **mark)
    bar = ColorBar(color_mapper=mapper, width=10, padding=4, major_label_text_font_size=_TEXT, label_standoff=4)
    if panel.kind != "classes":
        plot.add_layout(bar, "right")
    plot.xaxis.formatter, plot.yaxis.formatter = (PrintfTickFormatter(format=f"%g° {way}") for way in "EN")
    plot.xaxis.ticker.desired_num_ticks = plot.yaxis.ticker.desired_num_ticks = 4
    plot.js_on_event(events.MouseMove, CustomJS(code="window.explorer?.point(cb_obj.x, cb_obj.y)"))
    plot.js_on_event(events.MouseLeave, CustomJS(code="window.explorer?.leave()"))
    plot.js_on_event(events.Tap, CustomJS(code="window.explorer?.choose(cb_obj.x, cb_obj.y)"))
    return plot


def _years(years: list[int], names: list[str]) -> Any:
    """Return the figure of a cell's yearly values, which the script fills in."""
    empty = {"year": years} | {name: [float("nan")] * len(years) for name in names}
    source = ColumnDataSource(empty, name="series")
    spans = {"x_range": Range1d(years[0] - 0.5, years[-1] + 0.5), "y_range": Range1d(0, 1, name="series range")}
    plot = _plot(sizing_mode="stretch_width", height=260, **spans)
    dashes = ("solid", "dashed", "dotted", "dashdot")
    for (name, colour), dash in zip(style.series_colours(names).items(), dashes, strict=False):
        plot.line("year", name, source=source, line_color=colour, line_dash=dash, line_width=2, legend_label=name)
    plot.legend.orientation = "horizontal"
    plot.legend.label_text_font_size = _TEXT
    plot.legend.location, plot.legend.border_line_color, plot.legend.padding = "left", None, 0
    plot.add_layout(plot.legend[0], "above")
    return plot


def _plot(**options: Any) -> Any:
    """Return an empty plot without tools."""
    plot = figure(toolbar_location=None, tools="", **options)
    plot.axis.major_label_text_font_size = _TEXT
    plot.axis.minor_tick_line_color = plot.outline_line_color = plot.grid.grid_line_color = None
    return plot


def _palette(scale: style.Scale) -> list[str]:
    """Return the colours of a scale, from low to high."""
    colours = mpl.colormaps[scale.cmap] if isinstance(scale.cmap, str) else scale.cmap
    return [to_hex(colour) for colour in colours(np.linspace(0, 1, min(colours.N, _SHADES)))]


def _picture(panels: Sequence[Panel], stamp: str) -> bytes:
    """Return the first map of each panel as PNG."""
    whole, small = io.BytesIO(), io.BytesIO()
    _still(panels, stamp).savefig(whole, format="png", dpi=110)
    Image.open(whole).convert("RGB").quantize(192).save(small, format="png")
    return small.getvalue()


@style.styled
def _still(panels: Sequence[Panel], stamp: str) -> style.BookFigure:
    """Draw the first map of each panel, two in a row. A fixed layout is drawn in a third of the time."""
    rows = -(-len(panels) // 2)
    drawn = style.BookFigure(figsize=(style.WIDTH, 2.3 * rows))
    for i, panel in enumerate(panels):
        layer = panel.layers[0]
        scale, units = _COLOURS[panel.kind]([layer.values]), pretty_units(layer.units)
        left, bottom, high = 0.01 + 0.5 * (i % 2), 1 - (i // 2 + 0.96) / rows, 0.82 / rows
        axes = drawn.add_axes((left, bottom, 0.4, high))
        axes.set_axis_off()
        axes.set_title(f"{panel.title} [{units}]" if units else panel.title, loc="left")
        shown = axes.imshow(layer.values.values, cmap=scale.cmap, norm=scale.norm, aspect="auto")
        bar = drawn.colorbar(shown, cax=drawn.add_axes((left + 0.41, bottom, 0.01, high)), extend=scale.extend)
        if panel.kind == "classes":
            bar.set_ticks(range(len(APPLICABILITY)), labels=[name.replace(" ", "\n", 1) for name in APPLICABILITY])
    drawn.text(0.99, 0.01, stamp, ha="right")
    return drawn


def _library() -> str:
    """Return Bokeh's script, gzipped, in letters: a third of its bytes."""
    script = Path(bokeh.__file__).parent / "server/static/js/bokeh.min.js"
    return base64.b64encode(gzip.compress(script.read_bytes(), 9, mtime=0)).decode()


def _page(
    panels: Sequence[Panel], places: Mapping[str, str], script: str, told: Mapping[str, Any], picture: bytes
) -> str:
    """Return the HTML: style, the picture, the cursor with its values, the maps, the scripts."""
    here = Path(__file__).with_suffix("")
    shown = "".join(_place(i, panel, places[f"map-{i}"]) for i, panel in enumerate(panels))
    named = html.escape("; ".join(f"{panel.title} {panel.words}".strip() for panel in panels), quote=True)
    below, enter = "<p>This run has no single years: its maps are means over many.</p>", ""
    if "series" in places:
        enter = "Enter tells the yearly values. "
        below = f'<figure><figcaption id="explorer-years"></figcaption>{places["series"]}</figure>'
    data = json.dumps(told, ensure_ascii=False).replace("</", "<\\/")
    template = here.with_suffix(".html").read_text(encoding="utf-8")
    parts = {
        "STYLE": here.with_suffix(".css").read_text(encoding="utf-8"),
        "NAMED": named,
        "PICTURE": base64.b64encode(picture).decode(),
        "MAPS": shown,
        "YEARS": below,
        "ENTER": enter,
        "TOLD": data,
        "CODE": here.with_suffix(".js").read_text(encoding="utf-8"),
        "FIGURES": script,
    }
    for part, text in parts.items():
        template = template.replace(f"<!--{part}-->", text, 1)
    return template


def _place(number: int, panel: Panel, place: str) -> str:
    """Return the HTML of one panel: its title, what there is to pick, the map, the legend of classes."""
    units = pretty_units(panel.layers[0].units)
    caption = f"<b>{html.escape(panel.title)}</b> {html.escape(panel.words)}"
    if len(panel.layers) > 1:
        options = "".join(f"<option>{html.escape(layer.name)}</option>" for layer in panel.layers)
        title = html.escape(panel.title, quote=True)
        caption += f' <select data-panel="{number}" aria-label="{title}: which map">{options}</select>'
    elif panel.layers[0].name:
        caption += f" {html.escape(panel.layers[0].name)}"
    caption += f' <span class="units">[{units}]</span>' if units else ""
    if panel.kind == "classes":
        pairs = zip(_CLASSES, APPLICABILITY, strict=True)
        caption += "".join(f'<span class="swatch" style="--colour:{c}">{html.escape(name)}</span>' for c, name in pairs)
    return f"<figure><figcaption>{caption}</figcaption>{place}</figure>"
