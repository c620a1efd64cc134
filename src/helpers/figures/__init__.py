"""Every figure of the book, one function each: data in, a :class:`matplotlib.figure.Figure` out.

No function writes a file, and none changes the settings of the session. In a notebook the figure is the
value of a cell's last line; to keep it, ``figure.savefig(path)``.
"""

from helpers.figures.budgets import fig6_components, recovered_versus_true, yearly_budget
from helpers.figures.diagnostics import importance, land_cover_balance, sites_versus_map, validation_scores
from helpers.figures.flow import fig2_flow
from helpers.figures.maps import (
    covariates,
    error_against_truth,
    fig1_study_area,
    fig3_npp,
    fig4_rs,
    fig5_nep,
    flux_map,
)
from helpers.figures.scatter import figS1_rs_rh, fit_scatter, modis_check
from helpers.figures.style import stamp

__all__ = [
    "covariates",
    "error_against_truth",
    "fig1_study_area",
    "fig2_flow",
    "fig3_npp",
    "fig4_rs",
    "fig5_nep",
    "fig6_components",
    "figS1_rs_rh",
    "fit_scatter",
    "flux_map",
    "importance",
    "land_cover_balance",
    "modis_check",
    "recovered_versus_true",
    "sites_versus_map",
    "stamp",
    "validation_scores",
    "yearly_budget",
]
