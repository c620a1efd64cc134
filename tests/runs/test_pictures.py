"""Pictures of a figure are light and show the same: in its SVG coordinates are short, and no dot changes colour."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from io import BytesIO

import matplotlib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure
from PIL import Image

from helpers.figures.style import blank
from helpers.runs.pictures import drawn, in_few_colours, light_svg


def written(figure: Figure) -> bytes:
    """Return the SVG as matplotlib writes it."""
    stream = BytesIO()
    figure.savefig(stream, format="svg", dpi=160, metadata={"Date": None})
    return stream.getvalue()


def with_marks(**style: object) -> Figure:
    """Return a figure with 400 marks of one style, a curve, letters and formulas."""
    figure = blank(2.0)
    axes = figure.add_subplot(xlabel="longitude [$10^{3}$ km]", title="Rs and NPP")
    steps = np.linspace(0, 1, 400)
    axes.plot(steps, np.sin(40 * steps), "o", **style)
    axes.plot(steps, np.cos(40 * steps))
    return figure


def embedded(svg: bytes) -> list[Image.Image]:
    """Return the pictures within an SVG."""
    found = re.findall(rb'data:image/png;base64,\s*([^"]*)"', svg)
    return [Image.open(BytesIO(base64.b64decode(picture))) for picture in found]


def points(svg: bytes) -> list[tuple[float, float]]:
    """Return the points of all paths of an SVG but letters, in its order."""
    return [point for path in re.findall(r'<path(?! id="D)[^>]*? d="([^"]*)"', svg.decode()) for point in of_path(path)]


def letters(svg: bytes) -> list[np.ndarray]:
    """Return the points of the outline of each letter of an SVG, in units of which a letter is 100 high."""
    found = re.findall(r'<path id="D[^"]*" d="([^"]*)" transform="scale\(([^)]*)\)"/>', svg.decode())
    return [float(scale) * np.array(of_path(path)) for path, scale in found]


def of_path(path: str) -> list[tuple[float, float]]:
    """Return the points of a path as the grammar of SVG has it: a small command tells steps from the last point."""
    found, place, command, numbers = [], (0.0, 0.0), "", []
    for word in re.findall(r"[A-Za-z]|-?(?:\d+\.?\d*|\.\d+)", path):
        if word.isalpha():
            assert word in "MLlCQqhvz" and not numbers
            command = word
            continue
        numbers += {"h": [float(word), 0.0], "v": [0.0, float(word)]}.get(command, [float(word)])
        if len(numbers) == {"Q": 4, "q": 4, "C": 6}.get(command, 2):
            ends = np.reshape(numbers, (-1, 2)) + (place if command.islower() else (0.0, 0.0))
            found += map(tuple, ends)
            place, numbers = found[-1], []
    return found


def test_paths_keep_their_points_to_a_hundredth():
    whole = written(with_marks())
    light = light_svg(whole)
    before, after = points(whole), points(light)
    assert len(before) == len(after) > 300
    assert np.abs(np.subtract(before, after)).max() <= 0.005 + 1e-9
    assert not re.search(rb' [dxy]="[^"]*\.\d{3}', light)


def test_marks_stand_where_they_stood():
    figure = with_marks()
    marks = re.findall(r'<use xlink:href="#m\w+" x="([^"]*)" y="([^"]*)"', written(figure).decode())
    after = re.findall(r'<use xlink:href="#m\w+" x="([^"]*)" y="([^"]*)"', light_svg(written(figure)).decode())
    assert len(marks) == len(after) > 400
    assert np.abs(np.array(marks, float) - np.array(after, float)).max() <= 0.005 + 1e-9


def test_lines_of_one_style_are_one_path_and_keep_their_points():
    figure = blank(2.0)
    figure.add_subplot().vlines(range(50), 0, np.linspace(1, 2, 50), colors=["#8c510a"] * 25 + ["#01665e"] * 25)
    whole = written(figure)
    light = light_svg(whole)
    assert [svg.count(b"stroke: #8c510a") for svg in (whole, light)] == [25, 1]
    assert np.abs(np.subtract(points(whole), points(light))).max() <= 0.005 + 1e-9


def test_lines_that_show_through_stay_apart():
    """One path is not darker where it crosses itself."""
    figure = blank(2.0)
    figure.add_subplot().vlines(range(50), 0, 1, color="#8c510a", alpha=0.4)
    whole = written(figure)
    assert light_svg(whole).count(b"opacity: 0.4") == whole.count(b"opacity: 0.4") == 50


def test_an_svg_is_less_than_half_of_what_matplotlib_writes():
    whole = written(with_marks())
    assert len(light_svg(whole)) < 0.5 * len(whole)


def test_letters_keep_their_outline_to_a_hundredth_of_a_point():
    whole, light = (letters(svg) for svg in (written(with_marks()), light_svg(written(with_marks()))))
    assert len(light) > 15
    for before, after in zip(whole, light, strict=True):
        assert before.shape == after.shape
        assert np.abs(before - after).max() <= 0.0625 + 1e-9  # of 100: at 10 points, 0.006


def test_each_mark_and_letter_shows_what_it_showed_in_the_style_it_had():
    """Names are short and styles told once; what a use refers to, and the style in force there, is the same."""
    whole, light = (
        written(with_marks(color="#d55e00", alpha=0.5)),
        light_svg(written(with_marks(color="#d55e00", alpha=0.5))),
    )

    def shown(svg: bytes) -> list[tuple[int, str]]:
        names = [name.decode() for name in re.findall(rb'\bid="([^"]+)"', re.sub(rb"<g id=[^>]*>", b"", svg))]
        own = dict(re.findall(r'<path id="([^"]*)" d="[^"]*" style="([^"]*)"', svg.decode()))
        found, text = [], svg.decode()
        text = re.sub(r'<g (style="[^"]*")>((?:<use [^>]*>)+)</g>', lambda g: g[2].replace("/>", f" {g[1]}/>"), text)
        for name, style in re.findall(r'<use xlink:href="#([^"]*)"[^>]*?(?: style="([^"]*)")?/>', text):
            found.append((names.index(name), style or own.get(name, "")))
        return found

    assert shown(whole) == shown(light) and len(light) < len(whole)
    assert {len(name) for name in re.findall(rb'\bid="([^"]+)"', light)} <= {2, 3}


def test_a_hatched_area_keeps_its_hatching_and_its_colours():
    figure = blank(2.0)
    figure.add_subplot().bar([1, 2], [1, 2], hatch="//", facecolor="#aabbcc", edgecolor="#112233")
    light = light_svg(written(figure))
    used = set(re.findall(rb"(?:url\(|href=\")#([^)\"]+)", light))
    assert used == set(re.findall(rb'\bid="([^"]+)"', light)) and len(re.findall(rb"fill: url\(#h\d+\)", light)) == 2
    assert {b"#aabbcc", b"#112233"} <= set(re.findall(rb"#[0-9a-f]{6}\b", light))


def test_scales_and_turns_are_not_rounded():
    whole = written(with_marks())
    of_letters = re.compile(rb"scale\((?:0\.015625|\.125)\)")
    kept = [
        set(re.findall(rb"(?:scale|rotate|matrix)\([^)]*\)", of_letters.sub(b"", svg)))
        for svg in (whole, light_svg(whole))
    ]
    assert kept[0] == kept[1] != set()


def test_letters_stand_where_they_stood_and_groups_have_no_names():
    whole, light = written(with_marks()), light_svg(written(with_marks()))
    places = [np.array(re.findall(rb"translate\(([-\d.]+) ([-\d.]+)\) scale", svg), float) for svg in (whole, light)]
    assert np.abs(places[0] - places[1]).max() <= 0.005 + 1e-9
    assert b"<g id=" in whole and b"<g id=" not in light
    used = set(re.findall(rb"(?:url\(|href=\")#([^)\"]+)", light))
    assert used == set(re.findall(rb'\bid="([^"]+)"', light))


def test_marks_of_one_style_stand_in_a_group_that_has_it():
    whole = written(with_marks(color="#d55e00"))
    light = light_svg(whole)
    style = b'style="fill: #d55e00; stroke: #d55e00"'
    assert whole.count(style) == 400 and light.count(style) < 5
    group = re.search(rb"<g " + re.escape(style) + rb">(?:<use [^>]*/>){400}</g>", light)
    assert group and b"style" not in group[0].partition(b">")[2]


def test_marks_with_an_opacity_of_their_own_keep_it():
    """In a group it would be that of all marks at once: where two of them lie on each other would not be darker."""
    mark = '<use xlink:href="#m1" x="1" y="2" style="fill: #d55e00; opacity: 0.5"/>'
    svg = f"<svg>{3 * mark}</svg>".encode()
    assert light_svg(svg) == svg
    part = mark.replace("opacity", "fill-opacity")
    assert light_svg(f"<svg>{3 * part}</svg>".encode()).count(b"opacity") == 1


@pytest.mark.parametrize("colours", [2, 60, 250])
def test_a_picture_within_keeps_each_dot(colours):
    figure = blank(2.0)
    axes = figure.add_subplot()
    field = np.random.default_rng(1).integers(0, colours, (70, 70)) / colours
    axes.pcolormesh(np.ma.masked_less(field, 0.02), cmap="viridis", rasterized=True)
    whole = written(figure)
    light = light_svg(whole)
    (before,), (after,) = embedded(whole), embedded(light)
    assert np.array_equal(np.asarray(before.convert("RGBA")), np.asarray(after.convert("RGBA")))
    assert len(light) < len(whole)


@given(st.lists(st.tuples(st.floats(-2000, 2000), st.floats(-2000, 2000)), min_size=1, max_size=9), st.booleans())
def test_each_point_of_a_line_is_the_nearest_of_two_decimals(line, closed):
    path = "L".join(f" {x:.6f} {y:.6f} \n" for x, y in line) + "z" * closed
    light = light_svg(f'<svg><path d="M{path}"/></svg>'.encode())
    after = np.array(points(light))
    assert np.abs(after - np.array(line)).max() <= 0.005 + 1e-6
    assert np.allclose(after, after.round(2), rtol=0, atol=1e-9) and light.endswith(b'z"/></svg>') == closed


def dots_of(picture: bytes) -> np.ndarray:
    return np.asarray(Image.open(BytesIO(picture)).convert("RGB")).astype(int)


def painted(*fields: np.ndarray) -> np.ndarray:
    """Return fields of colours (rows, columns, 3), one below the other, as they are drawn."""
    whole = np.concatenate(fields)
    return np.dstack([whole, np.full(whole.shape[:2], 255)]).astype(np.uint8)


def bars(width: int, *names: str) -> np.ndarray:
    """Return the bar of each colour map in 64 steps, each of two columns."""
    steps = [matplotlib.colormaps[name](np.linspace(0, 1, 64))[:, :3] for name in names]
    return np.concatenate([np.repeat(np.repeat(255 * one[None], width, 0), 2, 1) for one in steps]).round()


@pytest.mark.parametrize("kind", ["png", "webp"])
def test_a_picture_of_few_colours_keeps_each_dot(kind):
    dots = painted(bars(9, "viridis", "BrBG", "RdBu"))
    assert np.array_equal(dots_of(in_few_colours(dots, kind)), dots[..., :3])


@pytest.mark.parametrize("kind", ["png", "webp"])
def test_rare_colours_of_a_scale_stay_apart_beside_frequent_edges_of_letters(kind):
    """Edges of letters have each grey, more often than the end of a scale is on a map."""
    greys = np.repeat(np.random.default_rng(1).integers(0, 256, (1200, 128, 1)), 3, axis=2)
    scales = bars(9, "viridis", "BrBG", "RdBu")
    dots = painted(greys, scales)
    after = dots_of(in_few_colours(dots, kind))
    assert np.abs(after - dots[..., :3]).max() <= 12
    assert np.abs(after[1200:] - scales).mean() < 2


def test_a_phones_picture_is_smaller_than_a_png():
    wide, narrow = (drawn(with_marks(), kind)[kind] for kind in ("png", "webp"))
    assert np.array_equal(dots_of(wide), dots_of(narrow))
    assert len(narrow) < 0.95 * len(wide)


def test_an_area_of_many_corners_is_a_picture_in_which_frequent_colours_stay():
    """Its hatching, smoothed, has more colours than a palette."""
    figure = blank(2.0)
    axes = figure.add_subplot()
    turns = np.linspace(0, 2 * np.pi, 3000)
    axes.pcolormesh(np.arange(4900.0).reshape(70, 70) % 64, cmap="viridis")
    axes.fill(35 + 30 * np.cos(turns), 35 + 30 * np.sin(turns), facecolor="none", edgecolor="#00000080", hatch="///")
    svg = drawn(figure, "svg")["svg"]
    (picture,) = embedded(svg)
    assert picture.mode == "P" and len(svg) < 60_000
    dots = np.asarray(picture.convert("RGBA")).reshape(-1, 4)
    field = [tuple((255 * np.array(matplotlib.colormaps["viridis"](place))).round()) for place in (0.0, 1.0)]
    assert all((dots == colour).all(axis=1).any() for colour in field)


def test_all_stays_where_the_layout_put_it_and_legends_are_whole(figure_with_legend: Callable[[], Figure]):
    first, second = (drawn(figure_with_legend(), "png", "svg") for _ in range(2))
    assert first == second
    box = re.search(rb'viewBox="0 0 ([\d.]+) ([\d.]+)"', first["svg"])
    with Image.open(BytesIO(first["png"])) as picture:
        assert picture.size == pytest.approx([float(side) * 160 / 72 for side in box.groups()], abs=1.5)


@pytest.fixture
def figure_with_legend() -> Callable[[], Figure]:
    """A figure whose legend reaches below its own edge."""

    def make() -> Figure:
        figure = with_marks()
        figure.legend([f"entry {number}" for number in range(9)], loc="outside lower center")
        return figure

    return make
