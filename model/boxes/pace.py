"""The seconds that a project's annotators need to draw a box, from how long their annotations took.

An annotation's seconds are taken as

    seconds = other work + draw · boxes drawn by hand + keep · other boxes

by the median (quantile regression; Koenker and Bassett, 1978), since an annotation that stays open over lunch says
nothing. The error of ``draw`` comes from a bootstrap over annotations. The answer is the mean of the measurement and of
what is usual, each weighed by its precision, so that a few annotations change little.

Shape suffixes: N annotations.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import QuantileRegressor

from model.boxes.worth import DRAW

Numbers = npt.NDArray[np.float64]

# How far the usual seconds of a drawn box lie from DRAW: extreme clicking and careful boxes are about this far away.
SPREAD = 9.0
LEAST, MOST = 3.0, 60.0
FEWEST = 20
DRAWS = 40


def draw_seconds(seconds_N: Sequence[float], drawn_N: Sequence[int], others_N: Sequence[int]) -> float:
    """Return the seconds of a drawn box, between LEAST and MOST.

    It is DRAW for fewer than FEWEST annotations, and where all have the same number of drawn boxes.
    """
    took = np.asarray(seconds_N, dtype=np.float64)
    acts = np.stack([np.asarray(drawn_N, dtype=np.float64), np.asarray(others_N, dtype=np.float64)], axis=1)
    if len(took) < FEWEST or np.ptp(acts[:, 0]) == 0:
        return DRAW
    numbers = np.random.default_rng(0)
    drawn = []
    for _ in range(DRAWS):
        rows = numbers.integers(len(took), size=len(took))
        if np.ptp(acts[rows, 0]) > 0:
            drawn.append(_median_slope(acts[rows], took[rows]))
    measured, usual = 1 / max(float(np.var(drawn)), 1e-6), SPREAD**-2
    mean = (measured * _median_slope(acts, took) + usual * DRAW) / (measured + usual)
    return float(np.clip(mean, LEAST, MOST))


def _median_slope(acts: Numbers, took: Numbers) -> float:
    return float(QuantileRegressor(quantile=0.5, alpha=0.0).fit(acts, took).coef_[0])
