"""Feature networks: trained elsewhere, frozen here, their weights loaded by path."""

from __future__ import annotations

from typing import Annotated

import torch
from torch import Tensor, nn
from torch.nn import functional

from composer.block import Range, block
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


@block("image[b 3 h w] -> image[b 3 h w]")
def caffe_range(image: Tensor) -> Tensor:
    """An image as the VGG weights of Caffe want it: blue first, 0 to 255, mean colour taken away.

    y = (x[:, (2, 1, 0)] + 1) * 127.5 - (103.939, 116.779, 123.68). Range in [-1, 1], out about [-124, 152].
    Source: Very Deep Convolutional Networks (arXiv:1409.1556), released models.
    """
    mean = torch.tensor([103.939, 116.779, 123.68], device=image.device, dtype=image.dtype)
    return (image.flip(1) + 1) * 127.5 - mean.view(1, 3, 1, 1)
