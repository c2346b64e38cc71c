"""Laws that hold for every loss; those that some declare are in `loss_words`.

A loss is one number, finite with a finite gradient also at 1e4, at zeros and where all is equal; the mean over the rows
of what it gives for each (`per_sample`); right in its derivative; with a mask what it is on the part that the mask
leaves; and zero or more, unless its `laws` say otherwise.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.autograd.gradcheck import GradcheckError, gradcheck

from composer.testing.contracts.cases import DOMAINS, WITHOUT_GRADIENT
from composer.testing.contracts.loss_words import close, loss_of, obeys_its_declared_laws
from composer.testing.contracts.rows import has_rows, ports_of, sliced
from composer.testing.contracts.trials import Broken, Trial, mapped, tensors


def is_finite_at_extremes(found: Trial) -> None:
    """A finite number with a finite gradient at large numbers, at zeros, and where all is equal."""
    for dtype in (torch.float32, torch.float64):
        for extreme in (1e4, -1e4, 0.0, 1.0, None):
            values = found.arguments(dtype=dtype)
            moved = []
            for value, port in zip(values, ports_of(found, values), strict=True):
                low, high = DOMAINS.get(port.kind, (-1e4, 1e4)) if port.kind != "image" else (-1e4, 1e4)
                floats = port.kind not in WITHOUT_GRADIENT
                moved.append(mapped(value, lambda t, f=floats, a=low, b=high, e=extreme: _at(t, e, a, b) if f else t))
            leaves = [t.requires_grad_() for t in tensors(moved) if t.is_floating_point()]
            result = loss_of(found, moved, dtype)
            gradients = torch.autograd.grad(result, leaves, allow_unused=True)
            if not all(bool(t.isfinite().all()) for t in (result, *(g for g in gradients if g is not None))):
                raise Broken(f"is not finite, or its gradient is not, at {extreme} in {dtype}")


def _at(values: Tensor, extreme: float | None, low: float, high: float) -> Tensor:
    """All numbers the same, or (None) large ones of either sign, within the bounds of the kind."""
    if not values.is_floating_point():
        return values
    if high == 1 and values.dim() > 1:  # shares of a row, which add up to 1
        return (values.detach() * (extreme or 1e4)).softmax(1)
    moved = values.detach() * 1e4 if extreme is None else torch.full_like(values, extreme)
    return moved.clamp(low, high)


def has_the_right_derivative(found: Trial) -> None:
    """The gradient is that of finite differences, in float64."""
    values = found.arguments("gradcheck")
    pairs = [(t, p) for v, p in zip(values, ports_of(found, values), strict=True) for t in tensors(v)]
    leaves = [t.requires_grad_() for t, p in pairs if t.is_floating_point() and p.kind not in WITHOUT_GRADIENT]
    if sum(t.numel() for t in leaves) > 2000:
        return  # finite differences of many numbers take long
    try:
        gradcheck(lambda *_: loss_of(found, values), leaves, fast_mode=True, atol=1e-5, rtol=1e-3)
    except GradcheckError as error:
        raise Broken(f"its gradient is wrong: {str(error).splitlines()[0]}") from None


def averages_rows(found: Trial) -> None:
    """The loss of a batch is the mean of the losses of its rows, where the block claims that."""
    if not found.block.is_per_sample(found.case.settings):
        return
    values = [v for v, p in zip(found.arguments(), found.case.signature.inputs, strict=False) if p.kind != "mask"]
    ports = ports_of(found, values)
    cut = [has_rows(p, found) or (p.axes is None and p.listed) for p in ports]
    if not any(cut):
        return
    count = min(t.shape[0] for v, c in zip(values, cut, strict=True) if c for t in tensors(v))
    parts = [
        loss_of(found, [sliced(v, row) if c else v for v, c in zip(values, cut, strict=True)]) for row in range(count)
    ]
    if not close(loss_of(found, values), torch.stack(parts).mean()):
        raise Broken("is not the mean of what it gives for each row")


def masks_like_a_crop(found: Trial) -> None:
    """A mask of a part leaves the loss on that part; a mask of ones, or half of ones, changes nothing."""
    ports = list(found.case.signature.inputs)
    spot = next((n for n, p in enumerate(ports) if p.kind == "mask" and p.optional), None)
    if spot is None:
        return
    values = found.arguments()[:spot]
    plain = loss_of(found, values)
    for share in (1.0, 0.5):
        if not close(plain, loss_of(found, [*values, torch.full_like(values[0], share)])):
            raise Broken(f"a mask of {share} everywhere changes it")
    if not values[0].dim():
        return
    longer = [torch.cat([v, v.flip(0) + 1], -1) for v in values]
    mask = torch.zeros_like(longer[0])
    mask[..., : values[0].shape[-1]] = 1
    if not close(plain, loss_of(found, [*longer, mask])):
        raise Broken("with a mask of half an image is not what it is on that half")


LOSS_LAWS = (is_finite_at_extremes, has_the_right_derivative, averages_rows, masks_like_a_crop, obeys_its_declared_laws)
