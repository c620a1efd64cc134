"""Every figure of the book, one function each: data in, a :class:`matplotlib.figure.Figure` out.

Each raises a :class:`ValueError` for a table without rows or without a column that it draws; a function's own text
names further reasons only. No function writes a file, and none changes the settings of the session. In a notebook the
figure is the value of a cell's last line; to keep it, ``figure.savefig(path)``.
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
from helpers.figures.scaling import cost_by_factor, engine_speeds, memory_against_cells, notebook_costs
from helpers.figures.scatter import figS1_rs_rh, fit_scatter, modis_check
from helpers.figures.sensitivity import (
    choice_effects,
    score_against_budget,
    specification_curve,
    tree_convergence,
    truth_by_design,
    variance_by_choice,
)
from helpers.figures.uncertainty import (
    accumulated_effects,
    applicability_map,
    budget_interval,
    coverage_checks,
    distance_curves,
    error_maps,
    variance_bars,
    worlds_held,
)

__all__ = [
    "accumulated_effects",
    "applicability_map",
    "budget_interval",
    "choice_effects",
    "cost_by_factor",
    "covariates",
    "coverage_checks",
    "distance_curves",
    "engine_speeds",
    "error_against_truth",
    "error_maps",
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
    "memory_against_cells",
    "modis_check",
    "notebook_costs",
    "recovered_versus_true",
    "score_against_budget",
    "sites_versus_map",
    "specification_curve",
    "tree_convergence",
    "truth_by_design",
    "validation_scores",
    "variance_bars",
    "worlds_held",
    "variance_by_choice",
    "yearly_budget",
]
