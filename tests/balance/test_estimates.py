"""Step by step from the paper's chain to our estimate, with forests whose every leaf is the whole table."""

import numpy as np
import pandas as pd
import pytest

from helpers.balance.estimates import step_by_step
from helpers.config import RS_PREDICTORS, load_config


@pytest.fixture(scope="module")
def steps() -> pd.DataFrame:
    """One value per table, so that a forest predicts it everywhere; a third of the area is ice."""
    settings = load_config("virtual", {"n_trees": 50, "threads": 1})

    def table(values) -> pd.DataFrame:
        values = np.asarray(values, dtype=float)
        return pd.DataFrame(dict.fromkeys(RS_PREDICTORS, np.ones(len(values)))).assign(value=values)

    published = {"npp": table([300.0] * 30), "rs": table([700.0] * 30)}
    checked = {"npp": table([200.0] * 40), "rs": table([500.0] * 20)}
    ours = {"npp": table([100.0, 400.0] * 200), "rs": table([400.0] * 25)}
    pairs = pd.DataFrame({"rs": [100.0, 200.0, 300.0], "rh": [50.0, 100.0, 150.0]})
    cells = pd.DataFrame(dict.fromkeys(RS_PREDICTORS, [1.0, 1.0]))
    cells = cells.assign(area=[2e6, 0.0], predicted_area=[2e6, 1e6])
    return step_by_step(settings, published, checked, ours, pairs, cells)


def test_the_papers_chain_is_worked_by_hand(steps):
    first = steps.iloc[0]
    assert first["step"] == "the paper's chain, records as published"
    assert (first["n_npp"], first["n_rs"], first["area_Mkm2"]) == (30, 30, 3)
    assert (first["npp_gC_m2_yr"], first["rs_gC_m2_yr"]) == pytest.approx((300, 700))
    assert first["rh_gC_m2_yr"] == pytest.approx(0.62 * 700 + 9.01)
    assert first["nep_total_TgC_yr"] == pytest.approx(3 * (300 - 443.01)) and np.isnan(first["nep_change_TgC_yr"])


def test_each_correction_changes_its_own_part_and_stays(steps):
    npp, rs, rh = (steps[f"{name}_gC_m2_yr"].tolist() for name in ("npp", "rs", "rh"))
    assert rs == pytest.approx([700, 500, 400, 400, 400, 400, 400])
    assert npp[:4] == pytest.approx([300, 200, 250, 250], rel=0.02)
    # The exponential of the mean logarithm of 100 and 400 is 200; Duan's factor is (0.5 + 2) / 2 = 1.25.
    assert npp[4:] == pytest.approx([250] * 3, rel=0.02) and npp[4] != npp[3]
    assert rh == pytest.approx([443.01, 319.01, 257.01, 257.01, 257.01, 200, 200])
    assert steps["area_Mkm2"].tolist() == [3, 3, 3, 3, 3, 3, 2]
    assert steps["n_rs"].tolist() == [30, 20, 25, 25, 25, 25, 25]


def test_changes_add_up_from_the_first_to_the_last(steps):
    total = steps["nep_total_TgC_yr"]
    assert steps["nep_change_TgC_yr"].sum() == pytest.approx(total.iloc[-1] - total.iloc[0])
    assert total.to_numpy() == pytest.approx((steps["nep_gC_m2_yr"] * steps["area_Mkm2"]).to_numpy())
