"""Losses: what a term of a phase asks. Each is a mean over all elements unless it says otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import torch
from torch import Tensor
from torch.nn import functional

from composer.block import Examples, Range, block

Goal = Literal["real", "fake", "fool"]
Mode = Literal["bce", "least_squares", "hinge", "wasserstein"]
Scores = Tensor | Sequence["Scores"]
ItemWeights = Annotated[list[float] | None, Examples([2.0], [1.0, 0.5])]


def masked_mean(values: Tensor, mask: Tensor | None) -> Tensor:
    """The mean of `values`, or of those where `mask` (0 to 1, broadcast) is set: sum(mask * values) / sum(mask).

    0 where the mask is 0 everywhere.
    """
    if mask is None:
        return values.mean()
    weights = mask.to(values.dtype).expand_as(values)
    total = weights.sum()
    return (weights * values).sum() / torch.where(total > 0, total, torch.ones_like(total))


@block(
    "got[...], wanted[...], mask? -> loss[]",
    role="loss",
    laws=("zero at equal", "symmetric", "invariant to shifts", "homogeneous 1"),
)
def l1(got: Tensor, wanted: Tensor, mask: Tensor | None = None) -> Tensor:
    """Mean absolute difference, in the units of its inputs.

    mean |got - wanted|; with a mask (0 to 1, broadcast) sum(mask * .) / sum(mask). Any shape, both alike.
    """
    return masked_mean((got - wanted).abs(), mask)


@block(
    "got[...], wanted[...], mask? -> loss[]",
    role="loss",
    laws=("zero at equal", "symmetric", "invariant to shifts", "homogeneous 2"),
)
def l2(got: Tensor, wanted: Tensor, mask: Tensor | None = None) -> Tensor:
    """Mean squared difference, in squared units of its inputs.

    mean (got - wanted)^2; with a mask sum(mask * .) / sum(mask). Any shape, both alike.
    """
    return masked_mean((got - wanted).square(), mask)


@block(
    "got[...], wanted[...], mask? -> loss[] where eps > 0",
    role="loss",
    laws=("least at equal", "symmetric", "invariant to shifts"),
)
def charbonnier(
    got: Tensor, wanted: Tensor, mask: Tensor | None = None, eps: Annotated[float, Range(0, None)] = 1e-3
) -> Tensor:
    """Mean absolute difference made smooth at zero: mean sqrt((got - wanted)^2 + eps^2), `eps` at equality.

    Any shape, both alike. Source: Two deterministic half-quadratic regularization algorithms for computed imaging,
    ICIP 1994.
    """
    return masked_mean(((got - wanted).square() + eps**2).sqrt(), mask)


@block(
    "got[...], wanted[...], mask? -> loss[] where delta > 0",
    role="loss",
    laws=("zero at equal", "symmetric", "invariant to shifts"),
)
def huber(
    got: Tensor, wanted: Tensor, mask: Tensor | None = None, delta: Annotated[float, Range(0, None)] = 1.0
) -> Tensor:
    """Squared near zero, absolute further out: mean of d^2 / 2 below `delta`, of delta * (|d| - delta / 2) above.

    Any shape, both alike. Source: Robust Estimation of a Location Parameter, 1964.
    """
    return masked_mean(functional.huber_loss(got, wanted, reduction="none", delta=delta), mask)


@block("code[...] -> loss[]", role="loss", laws=("zero at 0", "homogeneous 2"))
def mean_square(x: Tensor) -> Tensor:
    """Mean of the squares of all elements: the divergence of N(x, 1) from N(0, 1) without its factor and constant.

    mean x^2. Any shape. Source: Unsupervised Image-to-Image Translation Networks (arXiv:1703.00848), released code.
    Differs from the paper's divergence, which is half the sum over the elements of a sample.
    """
    return x.square().mean()


@block("code[b ...], log_variance[b ...] -> loss[]", role="loss", laws=("zero at 0",), per_sample="reduction != 'sum'")
def kl_standard_normal(
    mean: Tensor, log_variance: Tensor, reduction: Literal["sum", "rows", "mean"] = "rows"
) -> Tensor:
    """Divergence of the normal distribution with this mean and log variance from the standard one.

    -(1 + log_variance - mean^2 - exp(log_variance)) / 2, summed over all elements (`sum`), summed per row and then
    averaged over rows (`rows`), or averaged (`mean`). Zero or more; zero at mean 0 and log variance 0.
    Source: Auto-Encoding Variational Bayes (arXiv:1312.6114), appendix B.
    """
    terms = -0.5 * (1 + log_variance - mean.square() - log_variance.exp())
    if reduction == "mean":
        return terms.mean()
    return terms.sum() if reduction == "sum" else terms.sum() / mean.shape[0]


def _one_score(score: Tensor, goal: Goal, mode: Mode) -> Tensor:
    wants_high = goal != "fake"
    if mode == "bce":
        return functional.softplus(-score if wants_high else score).mean()
    if mode == "least_squares":
        return (score - 1).square().mean() if wants_high else score.square().mean()
    if mode == "hinge" and goal != "fool":
        return functional.relu(1 - score if wants_high else 1 + score).mean()
    return -score.mean() if wants_high else score.mean()


@block(
    "scores* -> loss[]",
    role="loss",
    laws=(
        "zero at 1 if goal != 'fake' and mode == 'least_squares'",
        "zero at 0 if goal == 'fake' and mode == 'least_squares'",
        "zero at 100 if mode == 'bce' and goal != 'fake' or mode == 'hinge' and goal == 'real'",
        "zero at -100 if mode in ['bce', 'hinge'] and goal == 'fake'",
        "unbounded if mode == 'wasserstein' or mode == 'hinge' and goal == 'fool'",
        "falls if mode != 'least_squares' and goal != 'fake'",
        "rises if mode != 'least_squares' and goal == 'fake'",
        "homogeneous 1 if mode == 'wasserstein'",
        "adds over lists if scales == 'sum'",
        "averages over lists if scales == 'mean'",
    ),
)
def adversarial(
    scores: Scores, goal: Goal, mode: Mode = "least_squares", scales: Literal["sum", "mean"] = "sum"
) -> Tensor:
    """How far the scores (logits) of a discriminator are from what a player wants of them.

    `goal`: `real` and `fake` are what the discriminator wants of real and of made images, `fool` is what the generator
    wants of the images it made. Per element s, then the mean:
    `bce` softplus(-s) for real and fool, softplus(s) for fake (the non-saturating game);
    `least_squares` (s - 1)^2 for real and fool, s^2 for fake; `hinge` relu(1 - s), relu(1 + s), fool -s;
    `wasserstein` -s, s, fool -s. Scores: a tensor of any shape, or a list with one entry a scale, which are added or
    averaged as `scales` says; of an entry that is a list of features the last counts.
    Sources: arXiv:1406.2661, arXiv:1611.04076 (eq. 9 without the 1/2), arXiv:1705.02894, arXiv:1701.07875.
    """
    if isinstance(scores, Tensor):
        return _one_score(scores, goal, mode)
    last: list[Any] = [entry if isinstance(entry, Tensor) else entry[-1] for entry in scores]
    total = torch.stack([_one_score(entry, goal, mode) for entry in last]).sum()
    return total if scales == "sum" else total / len(last)


@block("logits[...], target[...], mask? -> loss[]", role="loss", laws=("zero when sure",))
def bce(logits: Tensor, target: Tensor, mask: Tensor | None = None) -> Tensor:
    """Binary cross entropy of logits against targets in [0, 1], mean over all elements.

    softplus(x) - x * target. Any shape, both alike.
    """
    return masked_mean(functional.softplus(logits) - logits * target, mask)


@block("logits[b k], target[b k] -> loss[]", role="loss", laws=("zero when sure",))
def attribute_bce(logits: Tensor, target: Tensor) -> Tensor:
    """Binary cross entropy of attributes, of which several may hold at once: added up over them, mean over rows.

    mean_b sum_k softplus(x) - x * target. Shapes: logits and targets in [0, 1] alike, [b k].
    Source: released code of Unified Generative Adversarial Networks for Multi-Domain Image-to-Image Translation
    (arXiv:1711.09020).
    """
    return (functional.softplus(logits) - logits * target).sum(1).mean()


@block("logits[b k ...], label[b ...] -> loss[]", role="loss", laws=("zero when sure",), below="k")
def cross_entropy(logits: Tensor, label: Tensor) -> Tensor:
    """Cross entropy of class scores against class numbers: mean of -log softmax(logits)[label].

    Shapes: logits [b k ...], labels [b ...] with whole numbers 0 to k - 1.
    """
    return functional.cross_entropy(logits, label)


@block(
    "image[b c h w] -> loss[] where h > 1 and w > 1",
    role="loss",
    laws=("zero at constant", "homogeneous 1", "invariant to shifts"),
)
def total_variation(image: Tensor) -> Tensor:
    """How much neighbouring pixels differ: mean |dx| + mean |dy|. Zero for a constant image. Shapes [b c h w].

    Source: Nonlinear total variation based noise removal algorithms, 1992 (anisotropic form).
    """
    return image.diff(dim=3).abs().mean() + image.diff(dim=2).abs().mean()


@block(
    "image[b c h w], image[b c h w] -> loss[] where h > 1 and w > 1",
    role="loss",
    laws=("zero at equal", "symmetric", "invariant to shifts", "homogeneous 1"),
)
def gradient_difference(got: Tensor, wanted: Tensor) -> Tensor:
    """Mean absolute difference of the absolute steps between neighbours, rows plus columns. Shapes [b c h w].

    Source: Deep multi-scale video prediction beyond mean square error (arXiv:1511.05440), eq. 6 with alpha 1,
    as a mean instead of a sum.
    """
    return sum(  # type: ignore[return-value]
        (got.diff(dim=axis).abs() - wanted.diff(dim=axis).abs()).abs().mean() for axis in (2, 3)
    )


@block(
    "got*, wanted* -> loss[]", role="loss", laws=("zero at equal", "symmetric", "invariant to shifts", "homogeneous 1")
)
def feature_matching(got: Scores, wanted: Scores, factor: float = 1.0) -> Tensor:
    """Mean absolute difference of the features that a discriminator made of two images, all layers but the last.

    factor / scales * sum over scales and layers of mean |got - wanted|. Inputs: a list per scale of lists of
    features, the scores last; or one such list of features. `wanted` is usually stopped. A ValueError says when
    there is no feature beside the scores.
    Source: High-Resolution Image Synthesis with Conditional GANs (arXiv:1711.11585), eq. 4.
    """
    if isinstance(got, Tensor):
        raise ValueError("features at several layers are needed, not one tensor")
    if isinstance(got[0], Tensor):
        got, wanted = [got], [wanted]
    terms = [
        (one - other).abs().mean()
        for scale, aim in zip(got, wanted, strict=True)
        for one, other in zip(scale[:-1], aim[:-1], strict=True)
    ]
    if not terms:
        raise ValueError("features at several layers are needed, not scores alone")
    return factor / len(got) * torch.stack(terms).sum()


@block(
    "got*, wanted* -> loss[]",
    role="loss",
    laws=(
        "zero at equal",
        "symmetric",
        "invariant to shifts",
        "homogeneous 1 if distance == 'l1'",
        "homogeneous 2 if distance == 'l2'",
        "adds over lists if weights is None",
    ),
)
def perceptual(
    got: Scores, wanted: Scores, weights: ItemWeights = None, distance: Literal["l1", "l2"] = "l1"
) -> Tensor:
    """Weighted sum over feature maps of the mean absolute (or squared) difference.

    sum_k weights[k] * mean |got_k - wanted_k|; weights are 1 when left out. Inputs: a list of features, or one.
    Source: Perceptual Losses for Real-Time Style Transfer (arXiv:1603.08155), eq. 2.
    """
    pairs: list[Any] = [(got, wanted)] if isinstance(got, Tensor) else list(zip(got, wanted, strict=True))
    measure = l1 if distance == "l1" else l2
    scaled = [
        weight * measure(one, other) for weight, (one, other) in zip(weights or [1.0] * len(pairs), pairs, strict=True)
    ]
    return torch.stack(scaled).sum()
