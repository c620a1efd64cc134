"""Make the two synthetic training tables and their prediction tables that R and Python fit alike.

The numbers are drawn, not observed: predictors that vary and covary about as on the plateau, targets that depend on
them with noise. Elevation is in whole metres and land cover is a class, so that ties and classes are tested too.

Run as ``python make_tables.py <folder>``.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd

CLASSES = np.array([1, 4, 5, 7, 8, 10, 12, 16])
SHARES = np.array([0.05, 0.04, 0.08, 0.06, 0.07, 0.5, 0.08, 0.12])
CLASS_EFFECT = {1: 180, 4: 220, 5: 150, 7: -20, 8: 60, 10: 0, 12: 40, 16: -120}


def predictors(n: int, rng: np.random.Generator) -> pd.DataFrame:
    """Return ``n`` rows of the eight predictors."""
    elevation = np.clip(rng.normal(3700, 900, n), 300, 5600)
    temperature = 22 - 0.0055 * elevation + rng.normal(0, 1.5, n)
    precipitation = rng.gamma(4, 110, n) * np.exp(-(((elevation - 2500) / 3500) ** 2))
    land_cover = rng.choice(CLASSES, n, p=SHARES)
    effect = pd.Series(land_cover).map(CLASS_EFFECT).to_numpy()
    lai = np.clip(0.002 * precipitation + 0.004 * effect + rng.normal(0, 0.3, n), 0.02, 7)
    npp_modis = np.clip(90 + 130 * lai + 6 * temperature + rng.normal(0, 40, n), 5, None)
    return pd.DataFrame(
        {
            "precipitation": precipitation.round(1),
            "temperature": temperature.round(2),
            "srad": (160 + 0.012 * elevation - 0.03 * precipitation + rng.normal(0, 8, n)).round(1),
            "land_cover": land_cover,
            "elevation": elevation.round().astype(int),
            "lai": lai.round(2),
            "npp_modis": npp_modis.round(1),
            "soc": np.clip(rng.gamma(3, 2.5, n) + 0.02 * effect, 0.2, None).round(2),
        }
    )


def npp(table: pd.DataFrame, rng: np.random.Generator) -> np.ndarray:
    """Return a target that saturates with precipitation and LAI, steps with land cover, and has skewed noise."""
    effect = table["land_cover"].map(CLASS_EFFECT)
    signal = 60 + 500 * (1 - np.exp(-table["precipitation"] / 500)) + 90 * np.sqrt(table["lai"])
    signal += 0.5 * effect + 9 * table["temperature"]
    return (np.clip(signal, 20, None) * rng.lognormal(0, 0.22, len(table))).round(1)


def rs(table: pd.DataFrame, rng: np.random.Generator) -> np.ndarray:
    """Return a target that grows with temperature, NPP and soil carbon."""
    signal = 220 * np.exp(0.045 * table["temperature"]) + 0.8 * table["npp_modis"] + 12 * table["soc"]
    return (np.clip(signal, 40, None) * rng.lognormal(0, 0.25, len(table))).round(1)


def main(folder: Path) -> None:
    """Write the four tables into a folder."""
    rng = np.random.default_rng(20230911)
    for name, n, target in (("npp", 394, npp), ("rs", 62, rs)):
        for part, rows in (("training", n), ("prediction", 300)):
            table = predictors(rows, rng)
            value = target(table, rng)
            if name == "npp":
                table = table.drop(columns="soc")
            if part == "training":
                table["target"] = value
            table.to_csv(folder / f"{name}_{part}.csv", index=False)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
