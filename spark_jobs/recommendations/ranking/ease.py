"""EASE: which articles speak for which, as one linear model in closed form.

Source: H. Steck, Embarrassingly Shallow Autoencoders for Sparse Data, WWW 2019.
"""

from __future__ import annotations

import numpy as np
from scipy import linalg

from spark_jobs.recommendations.ranking.known import Floats, Singles

REGULARISATION = 300.0

_SLICE = 512


def weights(gram: Floats, regularisation: float = REGULARISATION) -> Singles:
    """The weights W with zero diagonal that minimise ‖X - XW‖² + regularisation ‖W‖².

    Args:
        gram: float64[articles, articles], XᵀX; used up.
        regularisation: above 0.

    Returns:
        float32[articles, articles]; row: the article that speaks, column: the one it speaks for.

    Raises:
        ValueError: the matrix is no sum of x xᵀ.
    """
    n = len(gram)
    if not n:
        return np.zeros((0, 0), np.float32)
    gram[np.diag_indices(n)] += regularisation
    # The transpose of a symmetric matrix in C order is the matrix in Fortran order: LAPACK works where it lies.
    factor, broken = linalg.lapack.dpotrf(gram.T, lower=1, clean=0, overwrite_a=1)
    if broken:
        raise ValueError("the Gram matrix is not positive definite")
    inverse, _ = linalg.lapack.dpotri(factor, lower=1, overwrite_c=1)
    diagonal = np.diag(inverse).copy()
    result = np.empty((n, n), np.float32)
    for first in range(0, n, _SLICE):
        end = min(first + _SLICE, n)
        # One triangle is filled, the other is its mirror.
        corner = np.tril(inverse[first:end, first:end])
        square = corner + np.tril(corner, -1).T
        result[first:end, first:end] = square / -diagonal[first:end]
        below = inverse[end:, first:end]
        result[end:, first:end] = below / -diagonal[first:end]
        result[first:end, end:] = below.T / -diagonal[end:]
    np.fill_diagonal(result, 0.0)
    return result
