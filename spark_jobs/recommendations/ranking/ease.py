"""EASE: which articles speak for which, as one linear model in closed form.

Source: H. Steck, Embarrassingly Shallow Autoencoders for Sparse Data, WWW 2019.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import linalg

from spark_jobs.recommendations.ranking.known import Floats, Singles

REGULARISATION = 300.0


def weights(gram: Floats, regularisation: float = REGULARISATION) -> Singles:
    """The weights W with zero diagonal that minimise ‖X - XW‖² + regularisation ‖W‖².

    Args:
        gram: float64[articles, articles], XᵀX; used up.
        regularisation: above 0.

    Returns:
        float32[articles, articles]; row: the article that speaks, column: the one it speaks for.
    """
    n = len(gram)
    if not n:
        return np.zeros((0, 0), np.float32)
    gram[np.diag_indices(n)] += regularisation
    factor: Any = linalg.cholesky(gram.T, lower=True, overwrite_a=True, check_finite=False)
    inverse, _ = linalg.lapack.dpotri(factor, lower=1, overwrite_c=1)
    # One triangle is filled: the other is its mirror.
    inverse = np.tril(inverse)
    inverse += np.tril(inverse, -1).T
    diagonal = np.diag(inverse).copy()
    inverse /= -diagonal[None, :]
    inverse[np.diag_indices(n)] = 0.0
    return np.asarray(inverse, np.float32)
