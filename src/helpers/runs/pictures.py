"""A figure as the pictures that the book shows and offers: PNG, SVG and WebP, the same bytes each time, and light.

A page loads the smaller one of PNG and SVG, on a phone WebP. matplotlib writes six decimals and the style of each mark
into an SVG, and pictures of all colours: a third of the bytes holds all that a screen can show.
"""

from __future__ import annotations

import base64
import re
from functools import cache
from io import BytesIO
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.figure import Figure
    from matplotlib.transforms import Bbox
    from numpy.typing import NDArray

#: Dots per inch of a picture, and how many of them are one pixel of the page.
FIGURE_DPI = 160
_PER_PIXEL = FIGURE_DPI / 96
#: Colours of a palette, and how many of the most frequent colours of a picture are looked at for it.
_COLOURS, _CANDIDATES = 256, 4096
#: Marks of one artist, or corners of a hatched area, beyond which an SVG holds it as a picture: a path for each cell
#: takes megabytes. A line that has more corners than the second number would take more bytes than its picture.
_MANY_MARKS, _MANY_CORNERS = 1000, 2000
#: Who made an SVG, and when, is no news.
_ANONYMOUS = dict.fromkeys(("Creator", "Date", "Format", "Type"))
#: Parts of an SVG as matplotlib writes it: what shows nothing, a letter's place, geometry, and marks of one style. The
#: style of a group reaches its marks but for an opacity, which would be that of the whole. Lines of one style that are
#: opaque may be one path.
_UNSEEN = re.compile(r"<!--.*?-->|(?<=>)\s+(?=<)", re.S)
_LETTER = re.compile(r'(<use xlink:href="[^"]*") transform="translate\(([^ )]*) ([^ )]*)\)"')
_GLYPH = re.compile(r'(<path id="D[^"]*") d="([^"]*)" transform="scale\(0\.015625\)"/>')
_CURVE, _POINTS = re.compile(r"([MLQz])([^MLQz]*)"), {"L": 1, "Q": 2}
_GROUP = re.compile(r'<g id="[^"]*"(/?)>')
_PLACE = re.compile(r"(?<=translate\()[^)]*")
_GEOMETRY = re.compile(r'(?<= )([dxy])="([^"]*)"')
_LONG_NUMBER = re.compile(r"-?\d+\.\d{3,}")
_STEP = re.compile(r"\s*([A-Za-z])\s*")
_STRAIGHT, _SUBPATH = re.compile(r"[MLz\s\d.-]+"), re.compile(r"\s*M([^Mz]*)(z?)\s*")
_NEEDLESS = re.compile(r" (?=-)|(?<=\.\d) (?=\.)|(?<=\.\d\d) (?=\.)")
_CLIPPED = re.compile(r'(<g clip-path="[^"]*">)(<use [^>]*/>)</g>(?:\1<use [^>]*/></g>)+')
_LINES = re.compile(
    r'<path d="([^"]*)" ((?:clip-path="[^"]*" )?style="fill: none;(?![^"]*opacity)[^"]*")/>(?:<path d="[^"]*" \2/>)+'
)
_MARKS = re.compile(r'<use [^>]* (style="(?![^"]*(?<!-)opacity)[^"]*")/>(?:<use [^>]* \1/>)+')
_OWN_STYLE = re.compile(r'<path id="([^"]*)" d="[^"]*" style="([^"]*)"/>')
_USED_STYLE = re.compile(r'(<use xlink:href="#([^"]*)"[^>]*) style="([^"]*)"/>')
_NAME = re.compile(r'(?<=\bid=")[^"]+|(?<=#)[\w.-]+(?=[")])')
_PICTURE = re.compile(r"(?<=data:image/png;base64,)[^\"]*")


def drawn(figure: Figure, *formats: str, stamp: str = "") -> dict[str, bytes]:
    """Return a figure as ``png``, ``svg`` or ``webp``, the same bytes each time, with a word below what it draws."""
    import matplotlib as mpl
    from matplotlib.collections import Collection
    from matplotlib.patches import PathPatch, Polygon

    for marks in figure.findobj(Collection):
        # To ask a mesh for its paths makes one for each cell: a fifth of the time of a figure of maps.
        if marks.get_array() is not None or max(len(marks.get_paths()), len(marks.get_offsets())) > _MANY_MARKS:
            marks.set_rasterized(True)
    for area in figure.findobj(lambda artist: isinstance(artist, PathPatch | Polygon)):
        # The area of many cells has their corners.
        area.set_rasterized(len(area.get_path()) > (_MANY_MARKS if area.get_hatch() else _MANY_CORNERS))
    whole, pictures = _ends(figure, stamp), {}
    with mpl.rc_context({"svg.hashsalt": "carbon-book"}):
        for kind in formats:
            if kind == "svg":
                stream, look = BytesIO(), {"dpi": FIGURE_DPI, "bbox_inches": whole, "facecolor": "white"}
                figure.savefig(stream, format="svg", metadata=_ANONYMOUS, **look)
                pictures[kind] = light_svg(stream.getvalue())
            else:
                pictures[kind] = in_few_colours(_dots(figure, whole), kind)
    return pictures


def _dots(figure: Figure, whole: Bbox) -> NDArray[np.uint8]:
    """Return the dots of a part of a figure, (rows, columns, 4), as they were drawn."""
    import numpy as np
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(figure)
    canvas.print_figure(BytesIO(), format="rgba", dpi=FIGURE_DPI, bbox_inches=whole, facecolor="white")
    return np.asarray(canvas.renderer.buffer_rgba())


def _ends(figure: Figure, stamp: str) -> Bbox:
    """Return where all ends that a figure draws, in inches, after writing a word below it.

    Maps keep their proportions, so a title or a legend may reach beyond the figure's own edge.
    """
    import matplotlib as mpl
    from matplotlib.transforms import Bbox

    engine = figure.get_layout_engine()
    if figure.axes and engine is not None:
        engine.execute(figure)
    # All stays where it is now. A layout that is switched off by name would still draw once more for each picture.
    with mpl.rc_context({"figure.autolayout": False, "figure.constrained_layout.use": False}):
        figure.set_layout_engine(None)
    for legend in figure.legends:  # else it stands at the edge of what is saved, wherever that is
        legend.set_bbox_to_anchor((0, 0, 1, 1), transform=figure.transFigure)
    ends, (wide, high) = figure.get_tightbbox(), figure.get_size_inches()
    if stamp:
        place = {"x": ends.x1 / wide, "y": (ends.y0 - 0.05) / high}
        figure.text(**place, s=stamp, ha="right", va="top", fontsize=8.3, color="0.35")
    below = 0.25 if stamp else 0.05
    return Bbox.from_extents(ends.x0 - 0.05, ends.y0 - below, ends.x1 + 0.05, ends.y1 + 0.05)


def in_few_colours(dots: NDArray[np.uint8], kind: str) -> bytes:
    """Return a picture of dots (rows, columns, 4) as ``png`` or ``webp``, in 256 colours: a third of the bytes.

    A picture of more colours keeps those that matter: of the colours of cells and bars each, of the edges of letters
    and lines a few. Each of the others takes the nearest.
    """
    from PIL import Image

    codes, colours = _palette(dots)
    if kind == "png":
        return _indexed(codes, colours)
    stream = BytesIO()
    # By this method it is as quick as a PNG, and a fifth smaller.
    Image.fromarray(colours[codes, :3]).save(stream, format=kind, lossless=True, quality=75, method=4)
    return stream.getvalue()


def _palette(dots: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return the colour of each dot, as a number, and the colours (n, 4), 256 at most.

    They are chosen one by one: the next is the one whose dots are furthest, by their number and the square of the
    distance, from those that were chosen.
    """
    import numpy as np
    import pandas as pd
    from scipy.spatial import KDTree

    codes, packed = pd.factorize(np.ascontiguousarray(dots).view(np.uint32).ravel())
    colours, shape = packed.view(np.uint8).reshape(-1, 4), dots.shape[:2]
    counts = np.bincount(codes)
    order = np.argsort(-counts, kind="stable")[:_CANDIDATES]
    chosen = order
    if len(colours) > _COLOURS:
        points, weights = colours[order].astype(np.float32), counts[order].astype(np.float32)
        places, away = [], np.full(len(points), np.inf, np.float32)
        for _ in range(_COLOURS):
            places.append(int(np.argmax(weights * away)))
            away = np.minimum(away, ((points - points[places[-1]]) ** 2).sum(axis=1))
        chosen = order[np.sort(places)]
    nearest = KDTree(colours[chosen].astype(float)).query(colours.astype(float))[1].astype(np.uint8)
    return nearest[codes].reshape(shape), colours[chosen]


def light_svg(svg: bytes) -> bytes:
    """Return an SVG of matplotlib that shows the same to a hundredth of a point, in half of its bytes or less.

    Coordinates of paths, marks and letters keep two decimals, and the outline of a letter an eighth of its steps. Lines
    of one style are one path, each of their points told from the one before; marks of one style stand in a group that
    has it, or have that of what they show. A picture within the SVG gets a palette of 256 colours: mostly, it has no
    more. Spaces and comments between elements go, and names of groups; other names are short.
    """
    text = _UNSEEN.sub("", svg.decode("utf-8"))
    text = _LETTER.sub(r'\1 x="\2" y="\3"', text).replace(' y="0"/>', "/>").replace('"#DejaVuSans', '"#D')
    text = text.replace('id="DejaVuSans', 'id="D')
    text = _GLYPH.sub(_short_glyph, _GROUP.sub(lambda group: "" if group[1] else "<g>", text))
    text = _PLACE.sub(lambda place: _LONG_NUMBER.sub(_two_decimals, place[0]), text)
    text = _GEOMETRY.sub(_rounded, text)
    text = _CLIPPED.sub(lambda run: f"{run[1]}{run[0].replace(run[1], '').replace('</g>', '')}</g>", text)
    text = _LINES.sub(_one_path, text)
    own = dict(_OWN_STYLE.findall(text))
    text = _USED_STYLE.sub(lambda mark: f"{mark[1]}/>" if own.get(mark[2]) == mark[3] else mark[0], text)
    text = _MARKS.sub(lambda run: f"<g {run[1]}>{run[0].replace(f' {run[1]}', '')}</g>", text)
    names = dict.fromkeys(re.findall(r'\bid="([^"]+)"', text))
    names = {name: f"{name[0]}{number}" for number, name in enumerate(names)}
    text = _NAME.sub(lambda name: names.get(name[0], name[0]), text)
    return _PICTURE.sub(_with_own_palette, text).encode("utf-8")


def _one_path(lines: re.Match[str]) -> str:
    """Return paths of one style as one."""
    steps = "".join(re.findall(r' d="([^"]*)"', lines[0]))
    return f'<path d="{steps}" {lines[2]}/>'


def _rounded(attribute: re.Match[str]) -> str:
    """Return an attribute whose numbers have two decimals at most, without spaces that separate nothing."""
    if attribute[1] == "d" and _STRAIGHT.fullmatch(attribute[2]):
        return f'd="{_SUBPATH.sub(_by_steps, attribute[2])}"'
    short = _LONG_NUMBER.sub(_two_decimals, attribute[2])
    short = _STEP.sub(lambda step: step[1], short)
    return f'{attribute[1]}="{short}"'


def _two_decimals(number: re.Match[str]) -> str:
    """Return a number with two decimals, or as many as it needs."""
    return f"{float(number[0]):.2f}".rstrip("0").rstrip(".")


def _short_glyph(letter: re.Match[str]) -> str:
    """Return a letter with each point told from the one before, in steps eight times as long.

    matplotlib's steps are 1/64 of the outline's unit, of which a letter is 100 high: at 10 points, an eighth of a step
    is 0.01 points. Points are rounded before steps between them are told, so that nothing adds up.
    """
    place, told = (0, 0), []
    for kind, numbers in _CURVE.findall(letter[2]):
        sides = [round(float(number) / 8) for number in numbers.split()]
        points = list(zip(sides[::2], sides[1::2], strict=True))
        if kind in "Mz":
            told.append(kind + " ".join(map(str, sides)))
            place = points[0] if points else place
            continue
        for at in range(0, len(points), _POINTS[kind]):
            ends = points[at : at + _POINTS[kind]]
            told.append(_step(kind, [(x - place[0], y - place[1]) for x, y in ends]))
            place = ends[-1]
    return f'{letter[1]} d="{_NEEDLESS.sub("", "".join(told))}" transform="scale(.125)"/>'


def _step(kind: str, steps: list[tuple[int, int]]) -> str:
    """Return one command of a path by its steps."""
    (right, up), *_ = steps
    if kind == "L" and 0 in (right, up):
        return f"v{up}" if right == 0 else f"h{right}"
    return kind.lower() + " ".join(f"{x} {y}" for x, y in steps)


def _by_steps(lines: re.Match[str]) -> str:
    """Return straight lines with each point told from the one before: it is near, so its numbers are short.

    Steps between points that are rounded lead to the same points: nothing adds up.
    """
    sides = [round(float(number) * 100) for number in lines[1].replace("L", " ").split()]
    steps = [after - before for before, after in zip(sides[:-2], sides[2:], strict=True)]
    start, moves = (_NEEDLESS.sub("", " ".join(map(_hundredths, part))) for part in (sides[:2], steps))
    return f"M{start}" + f"l{moves}" * bool(moves) + lines[2]


@cache
def _hundredths(number: int) -> str:
    """Return a number of hundredths in as few characters as SVG takes.

    Examples
    --------
    >>> _hundredths(-5), _hundredths(1250), _hundredths(0)
    ('-.05', '12.5', '0')
    """
    digits = f"{abs(number) / 100:.2f}".rstrip("0").rstrip(".")
    return "-" * (number < 0) + (digits.removeprefix("0") or "0")


def _with_own_palette(picture: re.Match[str]) -> str:
    """Return a PNG in base64 with a palette and 16 degrees of opacity, or as it is where that is no shorter."""
    import numpy as np
    from PIL import Image

    dots = np.array(Image.open(BytesIO(base64.b64decode(picture[0]))).convert("RGBA"))
    dots[..., 3] = 17 * np.round(dots[..., 3] / 17)
    indexed = _indexed(*_palette(dots))
    return min(base64.b64encode(indexed).decode("ascii"), picture[0].strip(), key=len)


def _indexed(codes: NDArray[np.uint8], colours: NDArray[np.uint8]) -> bytes:
    """Return a PNG of rows of numbers of colours, and of the colours with their opacity."""
    from PIL import Image

    picture = Image.fromarray(codes, mode="P")
    picture.putpalette(colours[:, :3].tobytes())
    stream = BytesIO()
    opacity = {} if (colours[:, 3] == 255).all() else {"transparency": colours[:, 3].tobytes()}
    picture.save(stream, format="png", compress_level=9, **opacity)
    return stream.getvalue()


def pixels(png: bytes) -> tuple[int, int]:
    """Return the width and the height at which a page shows a PNG image, from its header."""
    sides = (int.from_bytes(png[start : start + 4], "big") for start in (16, 20))
    return tuple(round(side / _PER_PIXEL) for side in sides)
