"""Every figure of the book, one function each: data in, a :class:`matplotlib.figure.Figure` out.

No function writes a file, and none changes the settings of the session. In a notebook the figure is the
value of a cell's last line; to keep it, ``figure.savefig(path)``.
"""

from helpers.figures.maps import covariates, error_against_truth, fig1_study_area, fig3_npp, fig4_rs, fig5_nep

__all__ = ["covariates", "error_against_truth", "fig1_study_area", "fig3_npp", "fig4_rs", "fig5_nep"]
