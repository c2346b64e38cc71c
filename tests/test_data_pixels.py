"""Pixels: what becomes of a file, exact against Pillow by hand, over modes, sizes, turns and damage."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from composer.data import Field, Stream, bind, dice
from composer.data.decode import SUFFIXES, Unreadable, decode, probe
from composer.data.pictures import Window, crop_back, pad_to, read_image, resize_image, write_image
from composer.data.prepare import finished, resized
from composer.data.recipe import make_recipe
from composer.errors import ComposeError

SIDES = st.integers(1, 40)
SEEDS = st.integers(0, 2**32 - 1)


def noise(seed: int, *shape: int, top: int = 256) -> np.ndarray[Any, Any]:
    return np.random.default_rng(seed).integers(0, top, shape).astype(np.uint16 if top > 256 else np.uint8)


def smooth(seed: int, height: int, width: int) -> np.ndarray[Any, Any]:
    coarse = Image.fromarray(noise(seed, 3, 4, 3))
    return np.asarray(coarse.resize((width, height), Image.Resampling.BILINEAR))


def grey(rgb: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """ITU-R 601 luma."""
    return rgb.astype(float) @ [0.299, 0.587, 0.114]


def on_white(rgb: np.ndarray[Any, Any], alpha: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    share = alpha.astype(float)[..., None] / 255
    return rgb * share + 255 * (1 - share)


def picture_of(mode: str, seed: int, height: int, width: int) -> tuple[Image.Image, np.ndarray[Any, Any]]:
    """A picture in a mode, and its colours [h, w, 3] in 0..255 worked out by hand."""
    rgb, alpha = noise(seed, height, width, 3), noise(seed + 1, height, width)
    one = np.repeat(rgb[..., :1], 3, axis=2)
    if mode == "1":
        return Image.fromarray(rgb[..., 0] > 127), np.where(one > 127, 255, 0)
    if mode == "L":
        return Image.fromarray(rgb[..., 0]), one
    if mode == "LA":
        return Image.fromarray(np.dstack([rgb[..., 0], alpha])), on_white(one, alpha)
    if mode == "RGBA":
        return Image.fromarray(np.dstack([rgb, alpha])), on_white(rgb, alpha)
    if mode in ("P", "P with transparency"):
        palette = noise(seed + 2, 256, 3)
        image = Image.fromarray(rgb[..., 0])
        image.putpalette(palette.tobytes())
        if mode == "P":
            return image, palette[rgb[..., 0]]
        image.info["transparency"] = int(rgb[0, 0, 0])
        opaque = np.where(rgb[..., 0] == rgb[0, 0, 0], 0, 255)
        return image, on_white(palette[rgb[..., 0]], opaque)
    if mode == "CMYK":
        ink = noise(seed, height, width, 4)
        return Image.frombytes("CMYK", (width, height), ink.tobytes()), (255 - ink[..., :3].astype(float)) * (
            255 - ink[..., 3:].astype(float)
        ) / 255
    if mode == "I;16":
        deep = noise(seed, height, width, top=65536)
        return Image.fromarray(deep), np.repeat(deep[..., None] / 257.0, 3, axis=2)
    if mode == "F":
        deep = noise(seed, height, width, top=65536)
        return Image.fromarray((deep / 65535.0).astype(np.float32)), np.repeat(deep[..., None] / 257.0, 3, axis=2)
    return Image.fromarray(rgb), rgb


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pixels") / "picture"


MODES = ["1", "L", "LA", "RGB", "RGBA", "P", "P with transparency", "CMYK", "I;16", "F"]


@pytest.mark.parametrize("mode", MODES)
@settings(max_examples=15, deadline=None)
@given(seed=SEEDS, height=SIDES, width=SIDES)
def test_every_mode_becomes_the_channels_asked_for(
    scratch: Path, mode: str, seed: int, height: int, width: int
) -> None:
    image, colours = picture_of(mode, seed, height, width)
    image.save(scratch, "TIFF" if mode in ("CMYK", "F") else "PNG")
    for channels in (1, 2, 3, 4):
        pixels, info = decode(scratch, channels)
        assert pixels.shape == (height, width, channels) and (info.width, info.height) == (width, height)
        deep = mode in ("I;16", "F")
        assert pixels.dtype == (np.float32 if deep else np.uint8) and info.depth == {"F": 32, "I;16": 16}.get(mode, 8)
        found = pixels.astype(float) * (255 if deep else 1)
        if channels == 3:
            assert np.abs(found - colours).max() <= (1e-3 if deep else 1.01)
        if channels == 1:
            assert np.abs(found[..., 0] - grey(colours)).max() <= (1e-3 if deep else 2.01)
        if channels in (2, 4) and mode in ("1", "L", "RGB", "P", "CMYK", "I;16", "F"):
            assert (found[..., -1] == 255).all()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_stand_upright(tmp_path: Path, orientation: int) -> None:
    stored = Image.fromarray(noise(0, 5, 7, 3))
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored.save(tmp_path / "a.png", exif=exif)
    with Image.open(tmp_path / "a.png") as image:
        upright = np.asarray(ImageOps.exif_transpose(image))
    pixels, info = decode(tmp_path / "a.png", 3)
    assert np.array_equal(pixels, upright)
    assert (info.height, info.width) == upright.shape[:2] and probe(tmp_path / "a.png") == info


@pytest.mark.parametrize("values", [np.array([[0, 70000]], np.int32), np.array([[-1, 0]], np.int32)])
def test_numbers_without_a_known_white_are_refused(tmp_path: Path, values: np.ndarray[Any, Any]) -> None:
    Image.fromarray(values).save(tmp_path / "a.tif")
    with pytest.raises(Unreadable, match=r"outside 0..65535: .* which of them is white cannot be known; .* levels="):
        decode(tmp_path / "a.tif", 3)
    Image.fromarray(values.astype(np.float32)).save(tmp_path / "a.tif")
    with pytest.raises(Unreadable, match=r"fractions outside 0..1"):
        decode(tmp_path / "a.tif", 3)


@pytest.mark.parametrize("form", ["PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM"])
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_damaged_files_are_read_or_refused_and_nothing_else(scratch: Path, form: str, data: st.DataObject) -> None:
    file = io.BytesIO()
    Image.fromarray(smooth(1, 12, 9)).save(file, form)
    damaged = bytearray(file.getvalue()[: data.draw(st.integers(0, len(file.getvalue())))])
    places = st.lists(st.tuples(st.integers(0, max(0, len(damaged) - 1)), st.integers(0, 255)), max_size=6)
    for place, value in data.draw(places):
        if damaged:
            damaged[place] = value
    scratch.write_bytes(damaged)
    try:
        pixels, _ = decode(scratch, 3)
    except Unreadable as error:
        assert str(error) and "\n" not in str(error)
    else:
        assert pixels.shape[2] == 3


# -- preparing ------------------------------------------------------------------------------------------------------


class Rows:
    """A source in memory."""

    def __init__(self, *rows: dict[str, Any]) -> None:
        self.given = rows

    def __len__(self) -> int:
        return len(self.given)

    def row(self, index: int) -> dict[str, Any]:
        return self.given[index]

    def describe(self) -> str:
        return "rows of a test"


def by_hand(pixels: np.ndarray[Any, Any], load: int, size: int, draws: Any, flip: float) -> torch.Tensor:
    """The usual recipe with Pillow alone: bicubic to load x load, crop, mirror, then (x / 255 - 0.5) / 0.5."""
    image = Image.fromarray(pixels).resize((load, load), Image.Resampling.BICUBIC)
    top, left = int(draws[1] * (load - size + 1)), int(draws[2] * (load - size + 1))
    image = image.crop((left, top, left + size, top + size))
    if draws[0] < flip:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    unit = torch.from_numpy(np.array(image)).permute(2, 0, 1).float().div(255)
    return unit.sub(0.5).div(0.5)


def test_training_pictures_are_exact_against_pillow() -> None:
    rows = [{"a": smooth(i, 50, 37), "b": smooth(i + 9, 41, 60)} for i in range(3)]
    fields = (Field("a", "image", (3, 24, 24), {"load": 29}), Field("b", "image", (3, 24, 24)))
    data = bind([Stream("pair", fields)], {"pair": Rows(*rows)}, seed=5)
    mirrored = set()
    for number in range(12):
        batch = data.loader(1).batch(number)
        epoch, item = divmod(number, 3)
        draws = dice.uniform(3, 5, "augment", "pair", epoch, item)
        index = int(dice.permutation(3, 5, "order", "pair", epoch)[item])
        mirrored.add(bool(draws[0] < 0.5))
        for name in "ab":
            assert torch.equal(batch[name][0], by_hand(rows[index][name], 29, 24, draws, 0.5))
    assert mirrored == {True, False}


def test_test_time_resizes_to_the_size_and_mirrors_nothing() -> None:
    rows = [{"a": smooth(i, 30, 45)} for i in range(4)]
    data = bind([Stream("s", (Field("a", "image", (3, 16, 16), {"load": 20, "flip": 1}),))], {"s": Rows(*rows)})
    batch = data.examples(4)
    for i in range(4):
        assert torch.equal(batch["a"][i], by_hand(rows[i]["a"], 16, 16, (1, 0, 0), 0.0))


def test_numbers_of_black_and_white() -> None:
    row = {"a": np.array([[[0], [255]]], np.uint8)}
    for options, expected in (({}, [-1.0, 1.0]), ({"range": "unit"}, [0.0, 1.0])):
        data = bind([Stream("s", (Field("a", "image", (1, 1, 2), options),))], {"s": Rows(row)})
        assert data.examples(1)["a"].flatten().tolist() == expected
        deep = bind(data.streams, {"s": Rows({"a": np.array([[[0], [1]]], np.float32)})})
        assert deep.examples(1)["a"].flatten().tolist() == expected


def test_sixteen_bits_are_kept(tmp_path: Path) -> None:
    deep = np.arange(0, 65536, 97, dtype=np.uint16).reshape(26, 26)
    Image.fromarray(deep).save(tmp_path / "a.png")
    numbers, info = read_image(tmp_path / "a.png", 1)
    assert len(numbers.unique()) == deep.size
    write_image(tmp_path / "b.png", numbers, info)
    with Image.open(tmp_path / "b.png") as image:
        assert np.array_equal(np.asarray(image), deep)


@settings(max_examples=80, deadline=None)
@given(
    height=st.integers(1, 50),
    width=st.integers(1, 50),
    size=st.tuples(st.integers(1, 24), st.integers(1, 24)),
    more=st.integers(0, 9),
    resize=st.sampled_from(["stretch", "shortest", "none"]),
    crop=st.sampled_from(["random", "center"]),
    kind=st.sampled_from(["nearest", "bilinear", "bicubic"]),
    channels=st.integers(1, 4),
    deep=st.booleans(),
    train=st.booleans(),
    draws=st.tuples(*[st.floats(0, 1, exclude_max=True)] * 3),
)
def test_any_picture_gets_the_shape_and_range_and_stays_aligned(
    height: int, width: int, size: Any, more: int, resize: str, crop: str, kind: str, channels: int, deep: bool,
    train: bool, draws: Any,
) -> None:  # fmt: skip
    options = {"load": min(size) + more, "resize": resize, "crop": crop, "filter": kind}
    a = Field("a", "image", (channels, *size), options)
    b = Field("b", "image", (channels, size[0] * 2, size[1] * 2), {"filter": "nearest", "range": "unit"})
    recipe = make_recipe(Stream("pair", (a, b)))
    pixels = noise(height * 51 + width, height, width, channels)
    first = pixels.astype(np.float32) / 255 if deep else pixels
    row = {"a": first, "b": first.repeat(2, axis=0).repeat(2, axis=1)}
    made = finished(resized(row, recipe, train=train), recipe, draws if train else None)
    assert made["a"].shape == (channels, *size) and made["b"].shape == (channels, size[0] * 2, size[1] * 2)
    assert made["a"].dtype == made["b"].dtype == np.float32
    assert made["a"].min() >= -1 and made["a"].max() <= 1 and made["b"].min() >= 0 and made["b"].max() <= 1
    twin = make_recipe(Stream("pair", (a, Field("b", "image", (channels, *size), {"filter": kind}))))
    both = finished(resized({"a": first, "b": first}, twin, train=train), twin, draws if train else None)
    assert np.array_equal(both["a"], both["b"])


def test_fields_of_different_size_are_cropped_at_the_same_place() -> None:
    small = noise(3, 20, 20, 1)
    fields = (
        Field("a", "image", (1, 12, 12), {"load": 20}),
        Field("b", "image", (1, 24, 24)),
    )
    row = {"a": small, "b": small.repeat(2, axis=0).repeat(2, axis=1)}
    data = bind([Stream("pair", fields)], {"pair": Rows(row)})
    for number in range(6):
        batch = data.loader(1).batch(number)
        assert torch.equal(batch["a"].repeat_interleave(2, 2).repeat_interleave(2, 3), batch["b"])


def test_the_shorter_side_is_loaded_and_proportions_kept() -> None:
    recipe = make_recipe(Stream("s", (Field("a", "image", (3, 8, 8), {"load": 10, "resize": "shortest"}),)))
    assert resized({"a": smooth(0, 20, 50)}, recipe, train=True)["a"].shape == (10, 25, 3)
    assert resized({"a": smooth(0, 50, 20)}, recipe, train=True)["a"].shape == (25, 10, 3)
    assert resized({"a": smooth(0, 50, 20)}, recipe, train=False)["a"].shape == (20, 8, 3)
    kept = make_recipe(Stream("s", (Field("a", "image", (3, 8, 16), {"resize": "none"}),)))
    assert resized({"a": smooth(0, 20, 50)}, kept, train=True)["a"].shape == (20, 50, 3)
    assert resized({"a": smooth(0, 4, 4)}, kept, train=True)["a"].shape == (16, 16, 3)


# -- single pictures ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("suffix", [".png", ".tif", ".PNG"])
def test_written_pictures_read_back_exactly(tmp_path: Path, channels: int, suffix: str) -> None:
    levels = torch.arange(256, dtype=torch.float32).div(255).sub(0.5).mul(2).reshape(1, 16, 16)
    picture = torch.cat([levels.roll(i, 1) for i in range(channels)])
    write_image(tmp_path / f"a{suffix}", picture * 1.0)
    again, info = read_image(tmp_path / f"a{suffix}", channels)
    assert torch.equal(again, picture) and (info.width, info.height) == (16, 16)
    write_image(tmp_path / f"b{suffix}", picture)
    assert (tmp_path / f"a{suffix}").read_bytes() == (tmp_path / f"b{suffix}").read_bytes()


@pytest.mark.parametrize("suffix", [".jpg", ".bmp", ".webp"])
def test_formats_without_transparency_lose_only_that(tmp_path: Path, suffix: str) -> None:
    picture = torch.zeros(4, 8, 8)
    write_image(tmp_path / f"a{suffix}", picture)
    again, _ = read_image(tmp_path / f"a{suffix}", 3)
    assert again.shape == (3, 8, 8)


def test_numbers_beyond_the_range_are_clipped_and_rounded(tmp_path: Path) -> None:
    write_image(tmp_path / "a.png", torch.tensor([-3.0, -1.0, 0.0, 0.999, 7.0]).reshape(1, 1, 5))
    with Image.open(tmp_path / "a.png") as image:
        assert np.asarray(image).tolist() == [[0, 0, 128, 255, 255]]


def test_words_for_pictures_that_cannot_be_read_or_written(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_text("text")
    cases = [
        (lambda: read_image(tmp_path / "a.png"), f"cannot read '{tmp_path}/a.png' (no image format that Pillow knows)"),
        (lambda: write_image(tmp_path / "a.xyz", torch.zeros(3, 2, 2)), f"cannot write '{tmp_path}/a.xyz'; use one of"),
        (
            lambda: write_image(tmp_path / "a.png", torch.zeros(19, 2, 2)),
            f"'{tmp_path}/a.png' cannot hold 19 channels; write more than 4 to a .tif or .npy",
        ),
        (lambda: write_image(tmp_path / "a.png", torch.full((3, 2, 2), torch.nan)), "the picture for '"),
        (lambda: write_image(tmp_path / "no" / "a.png", torch.zeros(3, 2, 2)), f"'{tmp_path}/no/"),
        (lambda: pad_to(torch.zeros(3, 9, 9), 8, 9), "a picture of 9 x 9 cannot be padded to 8 x 9"),
    ]
    for act, words in cases:
        with pytest.raises(ComposeError) as raised:
            act()
        assert str(raised.value).startswith(words)
    assert (tmp_path / "a.png").read_text() == "text"  # a failed write leaves the file that was there


@settings(max_examples=60, deadline=None)
@given(height=SIDES, width=SIDES, rows=st.integers(0, 30), columns=st.integers(0, 30))
def test_padding_mirrors_where_it_can_and_crops_back(height: int, width: int, rows: int, columns: int) -> None:
    picture = torch.from_numpy(noise(height, 2, height, width).astype(np.float32))
    padded, window = pad_to(picture, height + rows, width + columns)
    assert padded.shape == (2, height + rows, width + columns)
    assert torch.equal(crop_back(padded, window), picture)
    before = (rows // 2, columns // 2)
    after = (rows - before[0], columns - before[1])
    if after[0] < height and after[1] < width:
        expected = np.pad(picture.numpy(), ((0, 0), (before[0], after[0]), (before[1], after[1])), mode="reflect")
        assert np.array_equal(padded.numpy(), expected)
    replicated, _ = pad_to(picture, height + rows, width + columns, "replicate")
    expected = np.pad(picture.numpy(), ((0, 0), (before[0], after[0]), (before[1], after[1])), mode="edge")
    assert np.array_equal(replicated.numpy(), expected)


def test_a_batch_is_padded_too() -> None:
    padded, window = pad_to(torch.zeros(5, 3, 6, 7), 8, 8)
    assert padded.shape == (5, 3, 8, 8) and window == Window(1, 0, 6, 7)


def test_resizing_numbers_stays_in_range() -> None:
    picture = torch.from_numpy(noise(0, 3, 9, 9).astype(np.float32)).div(127.5).sub(1)
    assert resize_image(picture, 20, 13).shape == (3, 20, 13)
    assert resize_image(picture, 20, 13).abs().max() <= 1
    assert torch.allclose(resize_image(picture, 9, 9), picture, atol=1e-6)


def test_every_suffix_is_one_that_pillow_opens() -> None:
    Image.init()
    opened = {suffix for suffix, form in Image.registered_extensions().items() if form in Image.OPEN}
    assert SUFFIXES - {".npy"} <= opened
