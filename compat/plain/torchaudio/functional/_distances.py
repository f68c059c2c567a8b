"""Distances: of sequences, and of normal distributions."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor


@torch.jit.unused
def edit_distance(seq1: Sequence[Any], seq2: Sequence[Any]) -> int:
    """How many elements have to be inserted, deleted or replaced to make one sequence the other (Levenshtein)."""
    before = list(range(len(seq2) + 1))
    for i, one in enumerate(seq1, 1):
        row = [i]
        for j, other in enumerate(seq2):
            row.append(min(row[j] + 1, before[j + 1] + 1, before[j] + (0 if one == other else 1)))
        before = row
    return before[-1]


def frechet_distance(mu_x: Tensor, sigma_x: Tensor, mu_y: Tensor, sigma_y: Tensor) -> Tensor:
    """Fréchet's distance of two normal distributions, of means ``[N]`` and covariances ``[N, N]``.

    Dowson and Landau, 1982: ``|mu_x - mu_y|^2 + tr(sigma_x + sigma_y - 2 (sigma_x sigma_y)^(1/2))``.

    Raises:
        ValueError: means or covariances of other shapes.
    """
    if mu_x.dim() != 1:
        raise ValueError(f"mu_x must have one dimension, got {mu_x.dim()}")
    if sigma_x.dim() != 2:
        raise ValueError(f"sigma_x must have two dimensions, got {sigma_x.dim()}")
    if sigma_x.size(0) != sigma_x.size(1) and sigma_x.size(1) != mu_x.size(0):
        raise ValueError(f"sigma_x must be [N, N] where mu_x is [N], got {sigma_x.size()} and {mu_x.size()}")
    if mu_x.size() != mu_y.size():
        raise ValueError(f"mu_x and mu_y must be of one shape, got {mu_x.size()} and {mu_y.size()}")
    if sigma_x.size() != sigma_y.size():
        raise ValueError(f"sigma_x and sigma_y must be of one shape, got {sigma_x.size()} and {sigma_y.size()}")
    common = torch.linalg.eigvals(sigma_x @ sigma_y).sqrt().real.sum()
    return (mu_x - mu_y).square().sum() + (sigma_x.trace() + sigma_y.trace()) - 2 * common
