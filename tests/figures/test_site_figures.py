"""Figures of the sites: what they stand for."""

from __future__ import annotations

import pandas as pd
import pytest
from drawn import legend_texts, panels, row_names, small_cube, widths

from helpers.figures.sites import land_cover_balance, own_against_cell, sites_versus_map


def balance() -> pd.DataFrame:
    return pd.DataFrame({"land_cover": [10, 16], "site_share": [0.9, 0.1], "map_share": [0.6, 0.4]})


def test_share_beyond_the_sites_is_weighted_by_area():
    cube = small_cube()
    figure = sites_versus_map(pd.DataFrame({"temperature": [-1.0, 5.0]}), cube, ["temperature"])
    area = cube["cell_area"].where(cube["in_region"])
    beyond = area.where((cube["temperature"] < -1) | (cube["temperature"] > 5)).sum() / area.sum()
    axes = panels(figure)["a"]
    assert axes.get_title() == f"{100 * float(beyond):.0f} % of the region beyond the sites"
    assert axes.get_xlabel() == "temperature [°C]"


def test_sites_that_span_the_region_leave_nothing_beyond():
    samples = pd.DataFrame({"temperature": [-50.0, 50.0]})
    assert panels(sites_versus_map(samples, small_cube(), ["temperature"]))["a"].get_title().startswith("0 %")


def test_land_cover_has_no_cumulative_distribution():
    with pytest.raises(ValueError, match="land_cover_balance"):
        sites_versus_map(pd.DataFrame({"land_cover": [10]}), small_cube(), ["land_cover"])


def test_land_cover_shares_are_drawn_in_percent_by_group_under_the_classes_names():
    figure = land_cover_balance(balance(), "NPP sites")
    assert widths(figure.axes[0]) == pytest.approx([90.0, 10.0, 60.0, 40.0])
    assert row_names(figure.axes[0]) == ["grassland", "barren"]
    assert legend_texts(figure) == {"NPP sites", "region"}


def test_land_cover_shares_must_add_up():
    with pytest.raises(ValueError, match="add up to 1, got site_share 0.900, map_share 1.000"):
        land_cover_balance(balance().assign(site_share=[0.8, 0.1]), "NPP sites")


def test_a_class_that_igbp_lacks_is_refused():
    with pytest.raises(ValueError, match="found 18"):
        land_cover_balance(balance().assign(land_cover=[10, 18]), "NPP sites")


LIMITS = {"elevation": 1500.0, "temperature": 6.0, "precipitation": 2.5}
UNITS = {"elevation": "m", "temperature": "degC", "precipitation": "mm yr-1"}


def checked(conflicts: list[int]) -> pd.DataFrame:
    """Make three records: the check's columns that a figure draws."""
    cells = {"cell_elevation": [1000.0, 2000, 3000], "cell_temperature": [0.0, 5, 10]}
    cells["cell_precipitation"] = [100.0, 300, 900]
    own = {name.replace("cell", "own"): [2 * value for value in values] for name, values in cells.items()}
    left_out = ["place" if number > 1 else "" for number in conflicts]
    return pd.DataFrame(cells | own | {"conflicts": conflicts, "left_out": left_out})


def test_records_are_drawn_against_their_cells_by_their_number_of_contradictions():
    figure = own_against_cell(checked([0, 1, 2]), LIMITS, UNITS)
    drawn = [[tuple(point) for point in dots.get_offsets()] for dots in panels(figure)["a"].collections]
    assert drawn == [[(1000, 2000)], [(2000, 4000)], [(3000, 6000)]]
    assert legend_texts(figure) == {"no contradiction", "one: kept", "two or more: misplaced"}
    assert panels(figure)["b"].get_xlabel() == "temperature\nof the cell [°C]"


def test_limits_are_a_difference_or_a_ratio_from_the_line_of_equals():
    figure = own_against_cell(checked([0, 0, 0]), LIMITS, UNITS)
    for letter, limit in (("a", 1500.0), ("b", 6.0)):
        above, below = panels(figure)[letter].lines[1:]
        assert (above.get_ydata() - above.get_xdata()).tolist() == pytest.approx([limit, limit])
        assert (below.get_ydata() - below.get_xdata()).tolist() == pytest.approx([-limit, -limit])
    above, below = panels(figure)["c"].lines[1:]
    assert (above.get_ydata() / above.get_xdata()).tolist() == pytest.approx([2.5, 2.5])
    assert (below.get_ydata() / below.get_xdata()).tolist() == pytest.approx([0.4, 0.4])
    assert legend_texts(figure) == {"no contradiction"}
