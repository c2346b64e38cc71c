"""Losses that compare many codes with each other: what belongs together close, what does not apart."""

from __future__ import annotations

from typing import Annotated

import torch
from torch import Tensor
from torch.nn import functional

from composer.block import Range, block

Positive = Annotated[int, Range(1, None)]


@block("code[n:{groups} c], code[n c], bank[m c]? -> loss[]", role="loss", per_sample=False, laws=("nonnegative",))
def info_nce(
    query: Tensor,
    key: Tensor,
    bank: Tensor | None = None,
    temperature: Annotated[float, Range(1e-6, None)] = 0.07,
    groups: Positive = 1,
    blank: float | None = None,
) -> Tensor:
    """Cross entropy of finding, for each query, its own key among others.

    mean_i -log exp(q_i k_i / T) / sum_j exp(q_i k_j / T). j runs over the keys of the same group (the rows are cut
    into `groups` equal runs: one an image where patches are compared within images), or, with a `bank`, over i's own
    key and all rows of the bank. `blank` is one more candidate for every query, with this score before the division
    by T: some released code keeps the place of the own key among the others, at -10, where the paper leaves it out.
    Shapes: [n c], [n c], bank [m c]; codes are usually of length 1. Zero or more.
    Sources: Representation Learning with Contrastive Predictive Coding (arXiv:1807.03748), eq. 4; Momentum Contrast
    (arXiv:1911.05722), eq. 1.
    """
    if bank is not None:
        own = (query * key).sum(1, keepdim=True)
        scores = torch.cat([own, query @ bank.T], 1)
        wanted = torch.zeros(query.shape[0], dtype=torch.int64, device=query.device)
    else:
        left, right = (x.view(groups, -1, x.shape[1]) for x in (query, key))
        scores = (left @ right.transpose(1, 2)).flatten(0, 1)
        wanted = torch.arange(left.shape[1], device=query.device).repeat(groups)
    if blank is not None:
        scores = torch.cat([scores, torch.full_like(scores[:, :1], blank)], 1)
    return functional.cross_entropy(scores / temperature, wanted)


@block("share[b k], share[b k] -> loss[]", role="loss", per_sample=False, laws=("of any sign", "symmetric"))
def mutual_information(p: Tensor, other: Tensor, eps: Annotated[float, Range(1e-38, 1e-3)] = 1e-10) -> Tensor:
    """Minus the mutual information of the classes of two views of the same rows.

    -sum_ij P_ij (log P_ij - log P_i - log P_j) with P the mean over rows of p_i other_j, made symmetric; what is below
    `eps` counts as `eps`. Shapes: [b k] shares that add up to 1. 0 for independent views, down to -log k.
    Source: Invariant Information Clustering (arXiv:1807.06653), eq. 3.
    """
    joint = p.T @ other / p.shape[0]
    joint = (joint + joint.T) / 2
    joint = joint / joint.sum()
    rows, columns = joint.sum(1, keepdim=True), joint.sum(0, keepdim=True)
    joint, rows, columns = (x.clamp(min=eps) for x in (joint, rows, columns))
    return -(joint * (joint.log() - rows.log() - columns.log())).sum()
