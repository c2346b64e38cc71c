"""Layers: the pieces that generators, encoders and discriminators are made of, in Python and in YAML.

In a `chain:` they are written without their input, `conv(64, kernel=7, norm="instance")`; in a wired network with it,
`h: conv(x, 64, kernel=7)`. The order inside a layer is always pad, convolution, normalization, activation.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from torch import Tensor, nn
from torch.nn import functional

from composer.block import Range, block
from composer.blocks.activations import Activation
from composer.blocks.activations import activation as make_activation
from composer.blocks.normalization import BATCH_APART, Norm, beside_spectral, is_spectral, normalization
from composer.blocks.spectral import SpectralNorm

Pad = Literal["zero", "reflect", "replicate"]
Positive = Annotated[int, Range(1, None)]
Natural = Annotated[int, Range(0, None)]
PositiveOrNone = Annotated[int | None, Range(1, None)]
NaturalOrNone = Annotated[int | None, Range(0, None)]
Share = Annotated[float, Range(0, 1)]

_PADS: dict[str, type[nn.Module]] = {"reflect": nn.ReflectionPad2d, "replicate": nn.ReplicationPad2d}
_OUT = "{out if out is not None else c*widen//narrow}"
_PADDING = "(padding if padding is not None else (kernel - 1)//2)"


def convolution(
    c: int,
    out: int,
    kernel: int,
    *,
    stride: int = 1,
    padding: int | None = None,
    pad: Pad = "zero",
    bias: bool = True,
    norm: Norm = "none",
    activation: Activation = "none",
) -> list[nn.Module]:
    """Pad (only when it is not zeros), convolution, normalization and activation, for a flat list of layers."""
    amount = (kernel - 1) // 2 if padding is None else padding
    explicit = pad != "zero" and amount > 0
    pads = [_PADS[pad](amount)] if explicit else []
    convolved = nn.Conv2d(c, out, kernel, stride, 0 if explicit else amount, bias=bias)
    return [*pads, *with_norm(convolved, norm, out), make_activation(activation)]


def with_norm(conv: nn.Conv2d | nn.ConvTranspose2d, norm: Norm, out: int) -> tuple[nn.Module, nn.Module]:
    """A convolution to `out` channels and its normalization; a spectral norm is part of the convolution."""
    return SpectralNorm(conv) if is_spectral(norm) else conv, normalization(beside_spectral(norm), out)


@block(f"features[b c h w] -> features[b {_OUT} {{(h + 2*{_PADDING} - kernel)//stride + 1}} "
       f"{{(w + 2*{_PADDING} - kernel)//stride + 1}}]", name="conv", per_sample=BATCH_APART)  # fmt: skip
class ConvLayer(nn.Module):
    """Pad, convolve, normalize, activate.

    Shapes: [b c h w] in; `out` channels come out, or `widen / narrow` times as many as went in. Sizes as of a strided
    convolution; `padding` left out is (kernel - 1) // 2, which keeps the size at stride 1 and an odd kernel.
    Ranges: any in; out as the activation has it. Activations are named by text, see `composer.blocks.activations`.
    """

    def __init__(
        self,
        c: int,
        *,
        out: PositiveOrNone = None,
        kernel: Positive = 3,
        stride: Positive = 1,
        padding: NaturalOrNone = None,
        pad: Pad = "zero",
        norm: Norm = "none",
        activation: Activation = "none",
        bias: bool = True,
        widen: Positive = 1,
        narrow: Positive = 1,
    ) -> None:
        super().__init__()
        width = c * widen // narrow if out is None else out
        *pads, self.conv, self.norm, self.activation = convolution(
            c, width, kernel, stride=stride, padding=padding, pad=pad, bias=bias, norm=norm, activation=activation
        )
        self.pad = pads[0] if pads else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return self.activation(self.norm(self.conv(self.pad(x))))  # type: ignore[no-any-return]


@block(f"features[b c h w] -> features[b {_OUT} {{(h - 1)*stride - 2*{_PADDING} + kernel + output_padding}} "
       f"{{(w - 1)*stride - 2*{_PADDING} + kernel + output_padding}}] where output_padding < stride",
       name="conv_transpose", per_sample=BATCH_APART)  # fmt: skip
class ConvTransposeLayer(nn.Module):
    """Convolve backwards (transposed convolution), normalize, activate.

    Shapes: [b c h w] in; (h - 1) * stride - 2 * padding + kernel + output_padding high, so `kernel=3, stride=2,
    output_padding=1` and `kernel=4, stride=2` double the size. Channels as in `conv`. Ranges: any.
    """

    def __init__(
        self,
        c: int,
        *,
        out: PositiveOrNone = None,
        kernel: Positive = 4,
        stride: Positive = 2,
        padding: NaturalOrNone = None,
        output_padding: Natural = 0,
        norm: Norm = "none",
        activation: Activation = "none",
        bias: bool = True,
        widen: Positive = 1,
        narrow: Positive = 1,
    ) -> None:
        super().__init__()
        width = c * widen // narrow if out is None else out
        amount = (kernel - 1) // 2 if padding is None else padding
        raised = nn.ConvTranspose2d(c, width, kernel, stride, amount, output_padding, bias=bias)
        self.conv, self.norm = with_norm(raised, norm, width)
        self.activation = make_activation(activation)

    def forward(self, x: Tensor) -> Tensor:
        return self.activation(self.norm(self.conv(x)))  # type: ignore[no-any-return]


@block("features[b c h w] -> code[b {out}]", name="conv_whole")
class WholeConv(nn.Module):
    """A convolution whose kernel is as large as the features: a linear map of all their numbers.

    Shapes: [b c h w] -> [b out]; the size that it first sees is the only one it takes. Ranges: any.
    """

    def __init__(self, c: int, h: int, w: int, *, out: Positive, bias: bool = True) -> None:
        super().__init__()
        self.conv = nn.Conv2d(c, out, (h, w), bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x).flatten(1)  # type: ignore[no-any-return]


def outputs_at(layers: Sequence[nn.Module], x: Tensor, taps: list[int]) -> list[Tensor]:
    """What the layers numbered `taps` give, in this order; no layer runs after the last of them."""
    wrong = [tap for tap in taps if not 0 <= tap < len(layers)]
    if wrong or not taps:
        raise IndexError(f"there is no layer {wrong[0]}: 0..{len(layers) - 1}" if wrong else "no layer is named")
    found: dict[int, Tensor] = {}
    for number, layer in enumerate(layers[: max(taps) + 1]):
        x = found[number] = layer(x)
    return [found[tap] for tap in taps]


@block("code[b c] -> code[b {out}]", name="linear")
class LinearLayer(nn.Module):
    """An affine map of each row, then an activation. Shapes: [b c] -> [b out]. Ranges: any."""

    def __init__(self, c: int, *, out: Positive, activation: Activation = "none", bias: bool = True) -> None:
        super().__init__()
        self.linear = nn.Linear(c, out, bias=bias)
        self.activation = make_activation(activation)

    def forward(self, x: Tensor) -> Tensor:
        return self.activation(self.linear(x))  # type: ignore[no-any-return]


@block("features[b c h w] -> features[b c h*{factor} w*{factor}]")
def upsample(x: Tensor, factor: Positive = 2, mode: Literal["nearest", "bilinear"] = "nearest") -> Tensor:
    """Enlarge by a whole factor, repeating pixels or between them (bilinear, corners not aligned).

    Shapes: [b c h w] -> [b c h*factor w*factor]. Ranges: kept.
    """
    return functional.interpolate(x, scale_factor=factor, mode=mode)


@block(f"features[b c h w] -> features[b {_OUT} {{h*factor + 2*{_PADDING} - kernel + 1}} "
       f"{{w*factor + 2*{_PADDING} - kernel + 1}}]", name="upsample_conv", per_sample=BATCH_APART)  # fmt: skip
class UpsampleConv(nn.Module):
    """Enlarge, then pad, convolve, normalize, activate: an alternative to `conv_transpose` without checkerboards.

    Shapes: [b c h w] -> `factor` times as high and wide with an odd kernel; channels as in `conv`. Ranges: any.
    Source: Deconvolution and Checkerboard Artifacts, Distill 2016 (doi:10.23915/distill.00003).
    """

    def __init__(
        self,
        c: int,
        *,
        out: PositiveOrNone = None,
        kernel: Positive = 3,
        factor: Positive = 2,
        mode: Literal["nearest", "bilinear"] = "nearest",
        padding: NaturalOrNone = None,
        pad: Pad = "zero",
        norm: Norm = "none",
        activation: Activation = "none",
        bias: bool = True,
        widen: Positive = 1,
        narrow: Positive = 1,
    ) -> None:
        super().__init__()
        self.factor, self.mode = factor, mode
        self.layer = ConvLayer(
            c,
            out=out,
            kernel=kernel,
            padding=padding,
            pad=pad,
            norm=norm,
            activation=activation,
            bias=bias,
            widen=widen,
            narrow=narrow,
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(upsample(x, self.factor, self.mode))  # type: ignore[no-any-return]
