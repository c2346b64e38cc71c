"""A generator whose outer parts are added later, at twice the resolution each."""

from __future__ import annotations

from torch import Tensor, nn

from composer.block import block
from composer.blocks.layers import ConvLayer, ConvTransposeLayer, Natural, Positive
from composer.blocks.normalization import BATCH_APART, Norm
from composer.blocks.resampling import average_pool
from composer.blocks.residual import Residual


class Enhancer(nn.Module):
    """What is added at one resolution: halve it, add what the coarser part made, residual blocks, double."""

    def __init__(self, c: int, width: int, blocks: int, norm: Norm) -> None:
        super().__init__()
        self.down = nn.Sequential(
            ConvLayer(c, out=width, kernel=7, pad="reflect", norm=norm, activation="relu"),
            ConvLayer(width, widen=2, stride=2, norm=norm, activation="relu"),
        )
        self.up = nn.Sequential(
            *[Residual(2 * width, norm=norm) for _ in range(blocks)],
            ConvTransposeLayer(2 * width, narrow=2, kernel=3, output_padding=1, norm=norm, activation="relu"),
        )

    def forward(self, x: Tensor, coarse: Tensor) -> Tensor:
        return self.up(self.down(x) + coarse)  # type: ignore[no-any-return]


@block(
    "image[b c h:{2**(down + enhancers)} w:{2**(down + enhancers)}] -> image[b {out} h w]",
    per_sample=BATCH_APART,
    parts=("inner", "outer"),
)
class CoarseToFine(nn.Module):
    """A generator for a coarse picture, and enhancers around it that each double its resolution.

    Coarse: conv 7x7, `down` x [conv 3x3 stride 2, twice the width], `blocks` residual blocks, `down` x [transposed conv
    3x3 stride 2, half the width], each with norm and relu, at width * 2**`enhancers`. It sees the image halved (3x3
    means, outside not counted) `enhancers` times. An enhancer, at half the width of what is inside: conv 7x7, conv 3x3
    stride 2, the features from inside added, `enhancer_blocks` residual blocks, transposed conv. At the end conv 7x7
    and tanh. The 7x7 and the residual convolutions mirror the borders.
    Shapes: h and w multiples of 2**(down + enhancers); range in about [-1, 1], out [-1, 1].
    Parts: `outer` is the outermost enhancer with the last convolution, `inner` the rest. Weights have the names that
    they have with fewer enhancers: a run without one is the start of a run with one of half the `width`.
    Source: High-Resolution Image Synthesis with Conditional GANs (arXiv:1711.11585), section 3.1 and the appendix.
    It is code and not wired in a graph because the number of its parts is a setting.
    """

    def __init__(
        self,
        c: int,
        *,
        out: Positive = 3,
        width: Positive = 64,
        down: Natural = 4,
        blocks: Natural = 9,
        enhancers: Natural = 0,
        enhancer_blocks: Natural = 3,
        norm: Norm = "instance",
    ) -> None:
        super().__init__()
        wide = width * 2**enhancers
        deep = wide * 2**down
        self.coarse = nn.Sequential(
            ConvLayer(c, out=wide, kernel=7, pad="reflect", norm=norm, activation="relu"),
            *[ConvLayer(wide * 2**i, widen=2, stride=2, norm=norm, activation="relu") for i in range(down)],
            *[Residual(deep, norm=norm) for _ in range(blocks)],
            *[
                ConvTransposeLayer(deep // 2**i, narrow=2, kernel=3, output_padding=1, norm=norm, activation="relu")
                for i in range(down)
            ],
        )
        self.enhancers = nn.ModuleList(
            [Enhancer(c, wide // 2**n, enhancer_blocks, norm) for n in range(1, enhancers + 1)]
        )
        last = ConvLayer(width, out=out, kernel=7, pad="reflect", activation="tanh")
        self.last = nn.ModuleDict({str(enhancers): last})  # another number of enhancers has another one

    def part(self, name: str) -> list[nn.Parameter]:
        """The parameters of a part."""
        outer = [*(self.enhancers[-1:] if len(self.enhancers) else []), self.last]
        chosen = [p for module in outer for p in module.parameters()]
        if name == "outer":
            return chosen
        taken = {id(p) for p in chosen}
        return [p for p in self.parameters() if id(p) not in taken]

    def forward(self, image: Tensor) -> Tensor:
        levels = [image]
        for _ in self.enhancers:
            levels.append(average_pool(levels[-1]))
        x = self.coarse(levels.pop())
        for enhancer in self.enhancers:
            x = enhancer(levels.pop(), x)
        for last in self.last.values():
            x = last(x)
        return x  # type: ignore[no-any-return]
