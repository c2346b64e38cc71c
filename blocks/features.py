"""Feature networks: trained elsewhere, frozen here, their weights loaded by path."""

from __future__ import annotations

from typing import Annotated, Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from composer.block import Examples, Range, block
from composer.blocks.layers import Positive

_STAGES = (2, 2, 3, 3, 3)  # convolutions in each stage


@block(
    "image[b c h w] -> features[b {width*8 if stages > 3 else width*2**(stages - 1)} "
    "{h//2**min(pools, stages - 1)} {w//2**min(pools, stages - 1)}]"
)
class Vgg16(nn.Module):
    """The convolutions of VGG-16 up to the last of a stage (relu5_3 when all `stages` are kept).

    conv 3x3 and relu in stages of 2, 2, 3, 3, 3, width * (1, 2, 4, 8, 8) channels, 2x2 maxima after each of the first
    `pools` stages. Shapes: with 3 pools h/8 x w/8. Range in: as its weights were trained (see `caffe_range`).
    Source: Very Deep Convolutional Networks (arXiv:1409.1556), configuration D. Differs: with `pools` 3 there is no
    pooling between stages 4 and 5, as in the released code of arXiv:1804.04732; `pools` 4 is the paper's network.
    Parameters are called `conv1_1.weight` ... `conv5_3.bias`.
    """

    def __init__(
        self,
        c: int,
        *,
        width: Positive = 64,
        stages: Annotated[int, Range(1, 5)] = 5,
        pools: Annotated[int, Range(0, 4)] = 3,
    ) -> None:
        super().__init__()
        self.pools = pools
        self.names: list[list[str]] = []
        before = c
        for stage in range(stages):
            wide = width * min(2**stage, 8)
            self.names.append([f"conv{stage + 1}_{i + 1}" for i in range(_STAGES[stage])])
            for name in self.names[-1]:
                self.add_module(name, nn.Conv2d(before, wide, 3, padding=1))
                before = wide

    def forward(self, image: Tensor) -> Tensor:
        x = image
        for number, names in enumerate(self.names):
            for name in names:
                x = functional.relu(self.get_submodule(name)(x))
            if number < min(self.pools, len(self.names) - 1):
                x = functional.max_pool2d(x, 2)
        return x


# Of VGG-19: convolutions in each stage up to the first of the fifth, and the number of the first of each stage.
_DEEP_STAGES = (2, 2, 4, 4, 1)
_FIRSTS = (0, 2, 4, 8, 12)
_WIDTHS = [64, 64, 128, 128, *[256] * 4, *[512] * 5]
_NARROW = [2, 2, 3, 3, *[4] * 4, *[5] * 5]


@block(
    f"image[b c h w] -> features[b {{widths[{list(_FIRSTS)}[item]]}} {{h//2**item}} {{w//2**item}}]*{{5}} "
    "where len(widths) == 13 and min(h, w) >= 16"
)
class Vgg19(nn.Module):
    """The first features of each of the five stages of VGG-19, from the image to relu5_1.

    conv 3x3 and relu in stages of 2, 2, 4, 4 and 1, a 2x2 maximum between stages; `widths` has the channels of each
    convolution. Gives relu1_1, relu2_1, relu3_1, relu4_1, relu5_1. Shapes: [b c h w], sides of at least 16 -> a list of
    five, each half as high and wide as the one before. Range in: as its weights were trained (see `imagenet_range`).
    Source: Very Deep Convolutional Networks (arXiv:1409.1556), configuration E, without what comes after relu5_1.
    Parameters are called `conv1_1.weight` ... `conv5_1.bias`; a state dict with torchvision's names fits too.
    """

    def __init__(self, c: int, *, widths: Annotated[list[int], Examples(_WIDTHS, _NARROW)] = _WIDTHS) -> None:
        super().__init__()
        if len(widths) != sum(_DEEP_STAGES):
            raise ValueError(f"widths has {len(widths)} numbers, and there are {sum(_DEEP_STAGES)} convolutions")
        self.stages = [[f"conv{s}_{i}" for i in range(1, n + 1)] for s, n in enumerate(_DEEP_STAGES, start=1)]
        names = [name for stage in self.stages for name in stage]
        for name, before, wide in zip(names, [c, *widths], widths, strict=False):
            self.add_module(name, nn.Conv2d(before, wide, 3, padding=1))
        self.register_load_state_dict_pre_hook(_from_torchvision)  # type: ignore[no-untyped-call]

    def forward(self, image: Tensor) -> list[Tensor]:
        x, found = image, []
        for number, stage in enumerate(self.stages):
            x = functional.max_pool2d(x, 2) if number else x
            for name in stage:
                x = functional.relu(self.get_submodule(name)(x))
                if name == stage[0]:
                    found.append(x)
        return found


def _from_torchvision(module: nn.Module, tensors: dict[str, Any], prefix: str, *rest: Any) -> None:
    """Rename the entries of torchvision's state dict, in place, and drop the layers that are not here."""
    if f"{prefix}features.0.weight" not in tensors:
        return
    number = 0
    for stage, names in enumerate(module.stages):  # type: ignore[arg-type]
        for name in names:
            for kind in ("weight", "bias"):
                tensors[f"{prefix}{name}.{kind}"] = tensors[f"{prefix}features.{number}.{kind}"]
            number += 2  # a convolution and its relu
        number += stage < len(_DEEP_STAGES) - 1  # and the maximum behind a stage
    for key in [k for k in tensors if k.startswith((f"{prefix}features.", f"{prefix}classifier."))]:
        del tensors[key]


@block("image[b 3 h w] -> image[b 3 h w]")
def imagenet_range(image: Tensor) -> Tensor:
    """An image as torchvision's weights want it: y = ((x + 1) / 2 - mean) / spread of the colours of ImageNet.

    Range in [-1, 1], out about [-2.1, 2.6]. Source: the released models of torchvision.
    """
    mean = torch.tensor([0.485, 0.456, 0.406], device=image.device, dtype=image.dtype).view(1, 3, 1, 1)
    spread = torch.tensor([0.229, 0.224, 0.225], device=image.device, dtype=image.dtype).view(1, 3, 1, 1)
    return ((image + 1) / 2 - mean) / spread


@block("image[b 3 h w] -> image[b 3 h w]")
def caffe_range(image: Tensor) -> Tensor:
    """An image as the VGG weights of Caffe want it: blue first, 0 to 255, mean colour taken away.

    y = (x[:, (2, 1, 0)] + 1) * 127.5 - (103.939, 116.779, 123.68). Range in [-1, 1], out about [-124, 152].
    Source: Very Deep Convolutional Networks (arXiv:1409.1556), released models.
    """
    mean = torch.tensor([103.939, 116.779, 123.68], device=image.device, dtype=image.dtype)
    return (image.flip(1) + 1) * 127.5 - mean.view(1, 3, 1, 1)
