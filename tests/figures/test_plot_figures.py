"""The figure of plans in virtual worlds: differences from strata with their intervals, widths seen and foretold."""

import numpy as np
import pandas as pd
import pytest
from drawn import legend_texts, panels, row_names

from helpers.figures.plots import designs_in_worlds


def table() -> pd.DataFrame:
    rows = pd.MultiIndex.from_product([["strata", "variance"], [10, 20], ["NPP", "NEP"]]).to_frame(index=False)
    rows = rows.set_axis(["design", "plots", "quantity"], axis=1)
    value = np.arange(8.0)
    ends = {"difference_gC_m2_yr": value, "difference_low_gC_m2_yr": value - 2, "difference_high_gC_m2_yr": value + 3}
    rows = rows.assign(n_worlds=12, mae_gC_m2_yr=value, width_ratio=value / 10, foretold_ratio=value / 20, **ends)
    before = rows.iloc[:2].assign(design="none", plots=0, quantity=["NPP", "NEP"])
    return pd.concat([before, rows], ignore_index=True)


def test_it_draws_the_differences_of_nep_from_strata_with_their_intervals():
    left = panels(designs_in_worlds(table()))["a"]
    assert row_names(left) == ["random strata", "variance of the mean"]
    segments = [segment for lines in left.collections for segment in lines.get_segments()]
    assert [tuple(segment[:, 0]) for segment in segments] == [(3.0, 8.0), (5.0, 10.0)]
    assert [segment[0, 1] for segment in segments] == pytest.approx([0.8, 1.2])
    points = [line.get_xdata().tolist() for line in left.lines if line.get_marker() == "o"]
    assert points == [[5.0], [7.0]]


def test_it_draws_widths_beside_what_was_foretold():
    right = panels(designs_in_worlds(table()))["b"]
    drawn = {
        marker: [line.get_xdata().tolist() for line in right.lines if line.get_marker() == marker] for marker in "oD"
    }
    assert drawn == {"o": [[0.1, 0.5], [0.3, 0.7]], "D": [[0.05, 0.25], [0.15, 0.35]]}


def test_its_words_name_designs_numbers_and_worlds():
    figure = designs_in_worlds(table())
    assert "12 virtual worlds" in figure.alt
    assert (
        "variance of the mean, 20 plots: mean absolute error 7.00, 7.00 (5.00 to 10.0) from random strata" in figure.alt
    )
    assert "random strata, 10 plots: mean absolute error 1.00, width 10 % of that before, 5 % foretold" in figure.alt
    assert legend_texts(figure) == {"10 plots", "20 plots", "foretold (b)"}
    assert len(figure.data) == 4


def test_a_table_without_a_column_is_refused():
    with pytest.raises(ValueError, match="designs_in_worlds: the table lacks foretold_ratio"):
        designs_in_worlds(table().drop(columns="foretold_ratio"))
