"""Figures of evidence from outside: published estimates and towers."""

from __future__ import annotations

import pandas as pd
from drawn import FLUX, legend_texts, panels, row_names

from helpers.figures.evidence import published_estimates, steps, towers_beside_cells


def estimates() -> pd.DataFrame:
    rows = [
        ("NEP", "this run", "this run", -240.0, -800.0, 200.0),
        ("NPP", "this run", "this run", 310.0, 240.0, 500.0),
        ("NEP", "Author 2021", "published", 248.0, 178.0, 318.0),
        ("GPP", "Other 2025", "published", 147.0, 147.0, 147.0),
    ]
    return pd.DataFrame(rows, columns=["flux", "label", "kind", "value", "low", "high"])


def test_sinks_and_production_stand_in_panels_of_their_own_unit():
    drawn = panels(published_estimates(estimates()))
    assert row_names(drawn["a"]) == ["this run", "Author 2021"]
    assert row_names(drawn["b"]) == ["NPP: this run", "GPP: Other 2025"]
    assert drawn["a"].get_xlabel() == "← source     NEP [Tg C yr⁻¹]     sink →"
    assert drawn["b"].get_xlabel() == f"NPP or GPP of the plateau, mean [{FLUX}]"


def test_our_estimate_has_its_interval_and_a_published_range_its_ends():
    axes = panels(published_estimates(estimates()))["a"]
    spans = [segment[:, 0].tolist() for found in axes.collections for segment in found.get_segments()]
    assert spans == [[-800.0, 200.0], [178.0, 318.0]]
    points = {line.get_marker(): line.get_xdata().tolist() for line in axes.lines if line.get_marker() in "oD"}
    assert points["o"] == [-240.0]
    ends = [line.get_xdata().tolist() for line in axes.lines if line.get_marker() == "D"]
    assert ends == [[178.0], [318.0]]


def towers() -> pd.DataFrame:
    columns = {"gpp": 880.0, "reco": 710.0, "nep": 170.0}
    cell = {"npp": (220.0, 510.0, 800.0), "rs": (530.0, 860.0, 1360.0), "nep": (-450.0, -30.0, 330.0)}
    row = {"site": "A"} | {f"{name}_gC_m2_yr": value for name, value in columns.items()}
    for name, (low, value, high) in cell.items():
        ends = {"_lower": low, "": value, "_upper": high}
        row |= {f"cell_{name}{end}_gC_m2_yr": number for end, number in ends.items()}
    return pd.DataFrame([row, row | {"site": "B"}])


def test_each_panel_has_a_tower_beside_the_interval_of_its_cell():
    figure = towers_beside_cells(towers(), level=0.9)
    drawn = panels(figure)
    assert [axes.get_title() for axes in drawn.values()] == ["GPP and NPP", "Reco and Rs", "NEP"]
    assert row_names(drawn["a"]) == ["A", "B"]
    found = {}
    for letter, axes in drawn.items():
        marks = {line.get_marker(): list(line.get_xdata()) for line in axes.lines}
        spans = [segment[:, 0].tolist() for segment in axes.collections[0].get_segments()]
        found[letter] = marks["s"][0], marks["o"][0], spans[1]
    assert found == {
        "a": (880.0, 510.0, [220.0, 800.0]),
        "b": (710.0, 860.0, [530.0, 1360.0]),
        "c": (170.0, -30.0, [-450.0, 330.0]),
    }
    assert any("90 % interval" in text for text in legend_texts(figure))
    assert any(FLUX in axes.get_xlabel() for axes in figure.axes)


def test_each_step_has_its_fluxes_and_its_total():
    table = pd.DataFrame(
        {
            "step": ["the paper's chain", "site checks"],
            "npp_gC_m2_yr": [309.0, 300.0],
            "rh_gC_m2_yr": [423.0, 320.0],
            "nep_total_TgC_yr": [-241.2, 42.4],
        }
    )
    left, right = panels(steps(table)).values()
    assert row_names(left) == ["the paper's chain", "site checks"]
    assert {line.get_label(): line.get_xdata().tolist() for line in left.lines} == {"NPP": [309, 300], "Rh": [423, 320]}
    assert [text.get_text() for text in right.texts if text.get_text()[:1] in "+−"] == ["−241", "+42"]
    assert right.get_xlabel() == "← source     NEP [Tg C yr⁻¹]     sink →"
