"""Pictures of any depth and number of channels: exact pixels, ranges kept on writing, and words for the rest."""

from __future__ import annotations

import builtins
import io
import struct
import warnings
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import picture_files
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from composer.data import Field, Stream, open_data
from composer.data.decode import decode, is_complete, probe
from composer.data.files import DECODE_BELOW, FileSource
from composer.data.pictures import read_image, suffix_for, write_image
from composer.data.reading import BACKGROUNDS, ImageInfo, Reading, Unreadable
from composer.errors import ComposeError

SIDES = st.integers(1, 20)
SEEDS = st.integers(0, 2**32 - 1)
KINDS = ["u1", "u2", "f4"]
BLUE = Reading(background=(10, 20, 250))


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pictures")


def numbers(kind: str, seed: int, *shape: int) -> np.ndarray[Any, Any]:
    random = np.random.default_rng(seed)
    if kind.startswith("f"):
        return random.random(shape).astype(kind)
    return random.integers(0, np.iinfo(kind).max, shape, endpoint=True).astype(kind)


def unit(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return values.astype(float) / (1 if values.dtype.kind == "f" else np.iinfo(values.dtype).max)


def found(pixels: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """What was decoded, from 0 to 1."""
    return pixels.astype(float) / (255 if pixels.dtype == np.uint8 else 1)


def as_colours(values: np.ndarray[Any, Any], ground: tuple[int, int, int] = (255, 255, 255)) -> np.ndarray[Any, Any]:
    """Red, green and blue by hand: 2 and 4 channels end with the opacity."""
    part = unit(values)
    opacity = part[..., -1:] if values.shape[2] in (2, 4) else 1.0
    colours = np.repeat(part[..., :1], 3, axis=2) if values.shape[2] <= 2 else part[..., :3]
    return colours * opacity + np.array(ground) / 255 * (1 - opacity)


def retagged(data: bytes, tag: int, before: int, after: int) -> bytes:
    """The bytes of a TIFF with another number in its directory."""
    old, new = (struct.pack("<HHII", tag, 4, 1, number) for number in (before, after))
    assert data.count(old) == 1
    return data.replace(old, new)


# -- deep files -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["png", "tiff", "npy"])
@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=20, deadline=None)
@given(seed=SEEDS, height=SIDES, width=SIDES, given_channels=st.integers(1, 4), asked=st.integers(1, 4))
def test_every_depth_becomes_the_channels_asked_for(
    scratch: Path, form: str, kind: str, seed: int, height: int, width: int, given_channels: int, asked: int
) -> None:
    values = numbers(kind, seed, height, width, given_channels)
    if form == "npy":
        values = np.ascontiguousarray(values)
        np.save(scratch / "a.npy", values)
        path = scratch / "a.npy"
    elif form == "tiff" or kind == "f4":
        path = scratch / "a.any"
        path.write_bytes(picture_files.tiff([values], packed=seed % 2 == 0, rows=1 + seed % 7))
    elif kind == "u2":
        path = scratch / "a.any"
        path.write_bytes(picture_files.png(values))
    else:
        path = scratch / "a.any"
        Image.fromarray(values[..., 0] if given_channels == 1 else values).save(path, "PNG")
    try:
        pixels, info = decode(path, asked, BLUE)
    except Unreadable as error:  # an array of which neither axis has the channels, or whose height is their number
        assert form == "npy" and min(height, width) <= 4 and str(error)
        return
    assert info == probe(path, asked, BLUE) and info.depth == 8 * values.itemsize
    if form == "npy" and info.axes == "chw":
        values = values.transpose(1, 2, 0)
        if values.shape[2] > 4:
            return
    assert pixels.shape == (*values.shape[:2], asked) and (info.height, info.width) == values.shape[:2]
    rounding = 2.1 / 255 if pixels.dtype == np.uint8 else 1e-6
    if asked == values.shape[2]:
        assert np.array_equal(found(pixels).astype(np.float32), unit(values).astype(np.float32))
    elif asked == 3:
        assert np.abs(found(pixels) - as_colours(values, BLUE.background)).max() <= rounding
    elif asked == 1:
        grey = as_colours(values, BLUE.background) @ [0.299, 0.587, 0.114]
        assert np.abs(found(pixels)[..., 0] - grey).max() <= rounding
    else:
        opacity = unit(values)[..., -1] if values.shape[2] in (2, 4) else 1.0
        assert np.abs(found(pixels)[..., -1] - opacity).max() <= rounding


@pytest.mark.parametrize("order", "<>")
@settings(max_examples=40, deadline=None)
@given(
    kind=st.sampled_from(["u1", "u2", "f2", "f4", "f8"]),
    seed=SEEDS,
    height=SIDES,
    width=SIDES,
    channels=st.integers(1, 9),
    separate=st.booleans(),
    packed=st.booleans(),
    predicted=st.booleans(),
    rows=st.integers(1, 30),
)
def test_tiff_files_of_any_build(
    scratch: Path, order: str, kind: str, seed: int, height: int, width: int, channels: int, separate: bool,
    packed: bool, predicted: bool, rows: int,
) -> None:  # fmt: skip
    values = numbers(kind, seed, height, width, channels)
    predicted = predicted and kind[0] != "f"
    data = picture_files.tiff([values], order, separate=separate, packed=packed, predicted=predicted, rows=rows)
    (scratch / "a.tif").write_bytes(data)
    pixels, info = decode(scratch / "a.tif", channels)
    assert np.array_equal(found(pixels).astype(np.float32), unit(values).astype(np.float32))
    assert info == probe(scratch / "a.tif", channels) and is_complete(scratch / "a.tif")
    (scratch / "a.tif").write_bytes(data[: len(data) // 2])
    with pytest.raises(Unreadable):
        decode(scratch / "a.tif", channels)


def test_pages_are_channels_where_as_many_are_asked_for(tmp_path: Path) -> None:
    pages = [numbers("u2", i, 5, 6, 1) for i in range(6)]
    (tmp_path / "a.tif").write_bytes(picture_files.tiff(pages))
    pixels, info = decode(tmp_path / "a.tif", 6)
    assert np.array_equal(np.rint(pixels * 65535), np.concatenate(pages, axis=2)) and info == probe(
        tmp_path / "a.tif", 6
    )
    with pytest.raises(Unreadable, match="it has 1 channel, and 5 are asked for"):
        decode(tmp_path / "a.tif", 5)
    assert np.array_equal(np.rint(decode(tmp_path / "a.tif", 1)[0] * 65535), pages[0])


@pytest.mark.parametrize("turn", range(1, 9))
@pytest.mark.parametrize("kind", ["u1", "u2"])
def test_tiff_files_stand_upright(tmp_path: Path, turn: int, kind: str) -> None:
    values = numbers(kind, 0, 5, 7, 3)
    (tmp_path / "a.tif").write_bytes(picture_files.tiff([values], tags={274: [turn]}))
    exif = Image.Exif()
    exif[274] = turn
    Image.fromarray((values >> (8 * (values.itemsize - 1))).astype(np.uint8)).save(tmp_path / "b.png", exif=exif)
    pixels, info = decode(tmp_path / "a.tif", 3)
    wanted, _ = decode(tmp_path / "b.png", 3)
    whole = np.rint(pixels * 65535).astype(int) >> 8 if kind == "u2" else pixels
    assert np.array_equal(whole, wanted)
    assert (info.height, info.width) == wanted.shape[:2] and info == probe(tmp_path / "a.tif")


def test_deep_png_stands_upright(tmp_path: Path) -> None:
    values = numbers("u2", 0, 5, 7, 3)
    whole = picture_files.png(values)
    exif = Image.Exif()
    exif[274] = 6
    data = exif.tobytes()[6:]
    chunk = struct.pack(">I", len(data)) + b"eXIf" + data + struct.pack(">I", zlib.crc32(b"eXIf" + data))
    for at in (33, len(whole) - 12):  # before the pixels and behind them
        (tmp_path / "a.png").write_bytes(whole[:at] + chunk + whole[at:])
        pixels, info = decode(tmp_path / "a.png", 3)
        assert np.array_equal(np.rint(pixels * 65535), np.rot90(values, -1)) and (info.height, info.width) == (7, 5)


def test_one_colour_of_a_deep_png_may_be_transparent(tmp_path: Path) -> None:
    values = numbers("u2", 1, 3, 4, 3)
    (tmp_path / "a.png").write_bytes(picture_files.png(values, tuple(map(int, values[1, 2]))))
    pixels, _ = decode(tmp_path / "a.png", 3, BLUE)
    wanted = unit(values)
    wanted[1, 2] = np.array(BLUE.background) / 255
    assert np.abs(pixels - wanted).max() < 1e-6
    grey = numbers("u2", 1, 3, 4, 1)
    (tmp_path / "a.png").write_bytes(picture_files.png(grey, (int(grey[0, 0, 0]),)))
    assert np.abs(decode(tmp_path / "a.png", 3, BLUE)[0][0, 0] - wanted[1, 2]).max() < 1e-6


def test_twelve_bits_have_their_own_white(tmp_path: Path) -> None:
    """Two numbers of 12 bits lie in three bytes."""
    data = picture_files.tiff([np.array([[[0xFF], [0xF8], [0x00]]], np.uint8)])
    head = data.replace(struct.pack("<HHII", 258, 4, 1, 8), struct.pack("<HHII", 258, 4, 1, 12))
    (tmp_path / "a.tif").write_bytes(
        head.replace(struct.pack("<HHII", 256, 4, 1, 3), struct.pack("<HHII", 256, 4, 1, 2))
    )
    pixels, info = decode(tmp_path / "a.tif", 1)
    assert pixels.ravel().tolist() == [1.0, np.float32(0x800 / 4095)] and info.white == 4095


@pytest.mark.parametrize("kind", KINDS)
def test_colours_may_be_multiplied_with_their_opacity(tmp_path: Path, kind: str) -> None:
    values = numbers(kind, 0, 5, 6, 4)
    share = unit(values)[..., 3:]
    multiplied = np.concatenate([values[..., :3] * share, values[..., 3:]], axis=2)
    multiplied = (np.rint(multiplied) if kind != "f4" else multiplied).astype(kind)
    (tmp_path / "a.tif").write_bytes(picture_files.tiff([multiplied], tags={338: [1]}))
    pixels, _ = decode(tmp_path / "a.tif", 3, BLUE)
    assert np.abs(found(pixels) - as_colours(values, BLUE.background)).max() < (2.1 / 255 if kind == "u1" else 1e-4)


def test_white_is_low_in_some_files(tmp_path: Path) -> None:
    values = numbers("u2", 0, 4, 4, 1)
    for kind in (values, values.astype("i4")):
        (tmp_path / "a.tif").write_bytes(picture_files.tiff([kind], tags={262: [0]}))
        if kind.dtype == np.uint16:
            pixels, _ = decode(tmp_path / "a.tif", 1)
            assert np.abs(pixels - (1 - unit(values))).max() < 1e-6


# -- bytes ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["CMYK", "YCbCr", "LAB", "PA", "RGBA", "LA", "1", "P"])
def test_modes_have_the_colours_that_pillow_gives_them(tmp_path: Path, mode: str) -> None:
    smooth = Image.fromarray(numbers("u1", 3, 4, 4, 3)).resize((24, 18), Image.Resampling.BICUBIC)
    if mode == "LAB":
        lab, rgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
        image = ImageCms.applyTransform(smooth, ImageCms.buildTransform(rgb, lab, "RGB", "LAB"))
        assert image is not None
        wanted = np.asarray(smooth).astype(int)
    else:
        image = smooth.convert("P").convert("PA") if mode == "PA" else smooth.convert(mode)
        wanted = np.asarray(image.convert("RGB")).astype(int)
    image.save(tmp_path / "a.any", "PNG" if mode in ("1", "P", "LA", "RGBA") else "TIFF")
    pixels, _ = decode(tmp_path / "a.any", 3)
    distance = np.abs(pixels - wanted)
    assert distance.mean() < 2 if mode == "LAB" else distance.max() == 0


def test_printing_colours_of_photographs(tmp_path: Path) -> None:
    """JPEG files of CMYK store their colours inverted where Adobe wrote them."""
    red = Image.new("RGB", (16, 16), (200, 30, 40))
    red.convert("CMYK").save(tmp_path / "a.jpg", quality=100)
    pixels, info = decode(tmp_path / "a.jpg", 3)
    assert info.mode == "CMYK" and np.abs(pixels.astype(int) - [200, 30, 40]).max() <= 2


@pytest.mark.parametrize("background", [*BACKGROUNDS, [1, 2, 3]])
def test_transparency_is_laid_on_the_background(tmp_path: Path, background: Any) -> None:
    colour = BACKGROUNDS[background] if isinstance(background, str) else tuple(background)
    Image.new("RGBA", (4, 4), (9, 9, 9, 0)).save(tmp_path / "1.png")
    streams = [Stream("s", (Field("a", "image", (3, 4, 4), {"background": background, "range": "unit"}),))]
    batch = open_data([str(tmp_path)], streams).loader(1).batch(0)
    assert torch.equal(batch["a"][0, :, 0, 0], torch.tensor(colour, dtype=torch.float32) / 255)


# -- levels ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["u2", "i2", "i4", "u4", "f4", "f8"])
def test_levels_name_black_and_white(tmp_path: Path, kind: str) -> None:
    low, high = (0, 4095) if kind[0] == "u" else (-1000, 3000)
    values = np.linspace(low, high, 12).astype(kind).reshape(3, 4, 1)
    values[0, 0], values[-1, -1] = (0 if kind[0] == "u" else low - 500), high + 900  # beyond: clipped
    (tmp_path / "a.tif").write_bytes(picture_files.tiff([values]))
    np.save(tmp_path / "a.npy", values)
    levels = Reading(levels=(low, high))
    for name in ("a.tif", "a.npy"):
        pixels, info = decode(tmp_path / name, 1, levels)
        assert np.abs(pixels - np.clip((values.astype(float) - low) / (high - low), 0, 1)).max() < 1e-6
        assert (info.black, info.white) == (low, high)
        numbers_, info = read_image(tmp_path / name, 1, levels)
        write_image(tmp_path / f"again{name}", numbers_, info)
        again, same = decode(tmp_path / f"again{name}", 1, levels)
        assert np.abs(again - pixels).max() < 1e-6 and same.black == info.black and same.depth <= info.depth
    if kind[0] != "u":
        with pytest.raises(Unreadable, match=r"outside 0\.\..* they go from -1500 to 3900, .* levels=\[black, white\]"):
            decode(tmp_path / "a.tif", 1)


def test_levels_reach_training(tmp_path: Path) -> None:
    np.save(tmp_path / "1.npy", np.full((4, 4), -200.0))
    streams = [Stream("s", (Field("a", "image", (1, 4, 4), {"levels": [-1000, 1000]}),))]
    assert open_data([str(tmp_path)], streams).loader(1).batch(0)["a"].unique().tolist() == pytest.approx([-0.2])
    with pytest.raises(ComposeError, match=r"1\.npy' \(fractions outside 0..1: .* levels=\[black, white\]\)"):
        open_data([str(tmp_path)], [Stream("s", (Field("a", "image", (1, 4, 4)),))])


# -- arrays ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "asked", "size", "axes"),
    [
        ((5, 6), 1, (5, 6), "hw"),
        ((5, 6), 3, (5, 6), "hw"),
        ((5, 6, 3), 3, (5, 6), "hwc"),
        ((3, 5, 6), 3, (5, 6), "chw"),
        ((3, 5, 3), 3, (3, 5), "hwc"),
        ((7, 5, 6), 7, (5, 6), "chw"),
        ((5, 6, 7), 7, (5, 6), "hwc"),
        ((1, 5, 6), 3, (5, 6), "chw"),
        ((5, 6, 4), 3, (5, 6), "hwc"),
    ],
)
def test_axes_of_arrays(tmp_path: Path, shape: tuple[int, ...], asked: int, size: Any, axes: str) -> None:
    values = numbers("u1", 0, *shape)
    np.save(tmp_path / "a.npy", np.asfortranarray(values))
    pixels, info = decode(tmp_path / "a.npy", asked)
    assert pixels.shape == (*size, asked) and info.axes == axes and info == probe(tmp_path / "a.npy", asked)
    if axes == "chw" and shape[0] == asked:
        assert np.array_equal(pixels, values.transpose(1, 2, 0))
    numbers_, info = read_image(tmp_path / "a.npy", asked)
    write_image(tmp_path / "b.npy", numbers_, info)
    written = np.load(tmp_path / "b.npy")
    assert written.dtype == values.dtype
    if {"hw": 1, "hwc": shape[-1], "chw": shape[0]}[axes] == asked:
        assert np.array_equal(written, values)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (np.zeros(3), "an array of 3; a picture is"),
        (np.zeros((2, 2, 2, 2)), "an array of 2 x 2 x 2 x 2; a picture is"),
        (np.zeros((0, 5)), "has no pixels"),
        (np.zeros((9, 8, 7)), "an array of 9 x 8 x 7, and no axis has 3 channels"),
        (np.array([["a"]]), "its numbers are of the type <U1"),
        (np.zeros((2, 2), complex), "its numbers are of the type complex128"),
        (np.array([[None]], object), "it holds objects of Python and not numbers"),
        (np.array([[np.nan]]), "some of its numbers are not finite"),
        (np.array([[2.0]]), "fractions outside 0..1: they go from 2 to 2"),
        (np.array([[-1]]), "whole numbers outside 0..65535"),
    ],
)
def test_words_for_arrays_that_are_no_pictures(tmp_path: Path, values: Any, words: str) -> None:
    np.save(tmp_path / "a.npy", values)
    with pytest.raises(Unreadable) as raised:
        decode(tmp_path / "a.npy", 3)
    assert words in str(raised.value)


def test_truth_and_big_endian_arrays(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array([[True, False]]))
    assert decode(tmp_path / "a.npy", 1)[0].ravel().tolist() == [255, 0]
    np.save(tmp_path / "a.npy", np.array([[65535, 0]], ">u2"))
    pixels, info = decode(tmp_path / "a.npy", 1)
    assert pixels.ravel().tolist() == [1, 0] and info.numbers == "uint16"


# -- writing --------------------------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(
    kind=st.sampled_from(["u1", "u2", "f4"]),
    form=st.sampled_from(["npy", "tif", "png"]),
    channels=st.integers(1, 7),
    seed=SEEDS,
    height=SIDES,
    width=SIDES,
)
def test_reading_writing_and_reading_again_is_the_same(
    scratch: Path, kind: str, form: str, channels: int, seed: int, height: int, width: int
) -> None:
    values = numbers(kind, seed, height, width, channels)
    if form == "npy":
        np.save(scratch / "in.npy", values)
    else:
        write = (
            picture_files.png if form == "png" and kind == "u2" and channels < 5 else lambda v: picture_files.tiff([v])
        )
        (scratch / "in.npy").write_bytes(write(values))
    picture, info = read_image(scratch / "in.npy", channels)
    target = scratch / f"out{suffix_for(info, channels)}"
    write_image(target, picture, info)
    again, same = read_image(target, channels)
    assert torch.equal(again, picture)
    assert (same.depth, same.numbers, same.white) == (info.depth, info.numbers, info.white)
    if form == "npy":
        assert target.suffix == ".npy" and np.load(target).dtype == values.dtype
    else:
        assert target.suffix == (".tif" if kind == "f4" or channels > 4 else ".png")


@pytest.mark.parametrize("suffix", [".png", ".tif", ".jpg", ".bmp", ".webp", ".npy"])
@pytest.mark.parametrize("kind", ["uint8", "uint16", "float32"])
def test_formats_hold_what_they_can(tmp_path: Path, suffix: str, kind: str) -> None:
    white = {"uint8": 255.0, "uint16": 65535.0, "float32": 1.0}[kind]
    like = ImageInfo(4, 4, "", np.dtype(kind).itemsize * 8, kind, 0.0, white)
    picture = torch.linspace(-1, 1, 48).reshape(3, 4, 4)
    write_image(tmp_path / f"a{suffix}", picture, like)
    again, info = read_image(tmp_path / f"a{suffix}")
    depth = 8 if suffix in (".jpg", ".bmp", ".webp") else min(like.depth, 16) if suffix == ".png" else like.depth
    assert info.depth == depth
    assert (again - picture).abs().max() < {8: 0.05 if suffix == ".jpg" else 0.005, 16: 2e-5, 32: 1e-6}[depth]


def test_the_same_picture_gives_the_same_bytes(tmp_path: Path) -> None:
    picture = torch.linspace(-1, 1, 48).reshape(3, 4, 4)
    like = ImageInfo(4, 4, "", 16, "uint16", 0.0, 65535.0)
    for suffix in (".png", ".tif", ".npy"):
        for name in "ab":
            write_image(tmp_path / f"{name}{suffix}", picture, like)
        assert (tmp_path / f"a{suffix}").read_bytes() == (tmp_path / f"b{suffix}").read_bytes()


# -- what is refused, and how ---------------------------------------------------------------------------------------


def bomb(width: int, height: int) -> bytes:
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunks = [(b"IHDR", head), (b"IDAT", zlib.compress(b"")), (b"IEND", b"")]
    packed = [struct.pack(">I", len(d)) + n + d + struct.pack(">I", zlib.crc32(n + d)) for n, d in chunks]
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)


def test_traps_for_the_memory_are_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(bomb(60000, 60000))
    tall = picture_files.tiff([np.zeros((2, 2, 5), np.uint8)])
    (tmp_path / "a.tif").write_bytes(
        tall.replace(struct.pack("<HHII", 257, 4, 1, 2), struct.pack("<HHII", 257, 4, 1, 2**31))
    )
    with open(tmp_path / "a.npy", "wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "<f4", "fortran_order": False, "shape": (10**6, 10**6)})
    for name in ("a.png", "a.tif"):
        for act in (probe, lambda path: decode(path, 5)):
            with pytest.raises(Unreadable, match="more than 178 million"):
                act(tmp_path / name)
    with pytest.raises(Unreadable, match="damaged or truncated"):
        decode(tmp_path / "a.npy", 1)


def test_readers_say_nothing_themselves(tmp_path: Path) -> None:
    """Pillow warns of pictures that are large, of palettes with transparency and of damaged tags."""
    Image.new("1", (12000, 8000)).save(tmp_path / "large.png")
    palette = Image.new("P", (4, 4))
    palette.putpalette([1, 2, 3] * 256)
    palette.save(tmp_path / "palette.png", transparency=bytes([0, 128] * 128))
    data = picture_files.tiff([numbers("u1", 0, 4, 4, 3)], tags={270: [7, 7, 7]})
    (tmp_path / "tags.tif").write_bytes(data.replace(struct.pack("<HH", 270, 4), struct.pack("<HH", 270, 2)))
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        for name in ("large.png", "palette.png", "tags.tif"):
            probe(tmp_path / name)
            decode(tmp_path / name, 1)
        assert [str(one.message) for one in said] == []
        warnings.warn("of the user", stacklevel=1)
        assert len(said) == 1  # and what others say is heard as before


def test_no_permission_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.new("L", (4, 4)).save(tmp_path / "a.png")
    opened = builtins.open

    def refuse(path: Any, *more: Any, **options: Any) -> Any:
        if str(path).endswith("a.png"):
            raise PermissionError(13, "Permission denied", str(path))
        return opened(path, *more, **options)

    monkeypatch.setattr(builtins, "open", refuse)
    with pytest.raises(ComposeError, match=r"a\.png' \(no permission to read it\)"):
        open_data([str(tmp_path)], [Stream("s", (Field("a", "image", (3, 4, 4)),))])


@pytest.mark.parametrize("channels", [5, 12])
def test_more_channels_than_a_file_has(tmp_path: Path, channels: int) -> None:
    Image.new("RGB", (4, 4)).save(tmp_path / "a.png")
    np.save(tmp_path / "b.npy", np.zeros((4, 4, 7), np.uint8))
    streams = [Stream("s", (Field("a", "image", (channels, 4, 4)),))]
    with pytest.raises(ComposeError) as raised:
        open_data([str(tmp_path)], streams)
    assert f"a.png' (it has 3 channels, and {channels} are asked for)" in str(raised.value)
    assert f"b.npy' (an array of 4 x 4 x 7, and no axis has {channels} channels)" in str(raised.value)


@pytest.mark.parametrize("channels", [5, 7])
def test_many_channels_reach_training(tmp_path: Path, channels: int) -> None:
    values = numbers("u2", 0, 6, 6, channels)
    np.save(tmp_path / "1.npy", values)
    (tmp_path / "2.tif").write_bytes(picture_files.tiff([values]))
    streams = [Stream("s", (Field("a", "image", (channels, 6, 6), {"flip": 0, "range": "unit"}),))]
    batch = open_data([str(tmp_path)], streams).loader(2).batch(0)["a"]
    assert torch.equal(batch[0], batch[1])
    assert np.array_equal(np.rint(batch[0].numpy().transpose(1, 2, 0) * 65535), values)


@settings(max_examples=60, deadline=None)
@given(data=st.data(), form=st.sampled_from(["tiff", "png", "npy", "pages"]))
def test_damaged_deep_files_are_read_or_refused_and_nothing_else(scratch: Path, form: str, data: st.DataObject) -> None:
    file = io.BytesIO()
    if form == "npy":
        np.save(file, numbers("u2", 0, 5, 6, 3))
    elif form == "png":
        file.write(picture_files.png(numbers("u2", 0, 5, 6, 3)))
    else:
        shapes = [numbers("f4", 0, 5, 6, 3)] if form == "tiff" else [numbers("u2", i, 3, 3, 1) for i in range(6)]
        file.write(picture_files.tiff(shapes, packed=form == "tiff"))
    damaged = bytearray(file.getvalue())
    for place, value in data.draw(
        st.lists(st.tuples(st.integers(0, len(damaged) - 1), st.integers(0, 255)), max_size=4)
    ):
        damaged[place] = value
    (scratch / "damaged").write_bytes(damaged[: data.draw(st.integers(0, len(damaged)))])
    for channels in (3, 6):
        for act in (probe, lambda path, count: decode(path, count)[1]):
            try:
                act(scratch / "damaged", channels)
            except Unreadable as error:
                assert str(error) and "\n" not in str(error)
    is_complete(scratch / "damaged")


def test_truncated_files_are_found_in_large_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of more than can be decoded before training both ends are looked at."""
    assert DECODE_BELOW > 0
    monkeypatch.setattr("composer.data.files.DECODE_BELOW", 0)
    image = Image.fromarray(numbers("u1", 0, 40, 40, 3))
    names = ["a.jpg", "a.png", "a.gif", "a.webp", "a.bmp", "a.tif"]
    for name in names:
        image.save(tmp_path / name)
        whole = (tmp_path / name).read_bytes()
        (tmp_path / f"half_{name}").write_bytes(whole[: len(whole) // 2])
    np.save(tmp_path / "a.npy", np.zeros((9, 9, 3), np.uint8))
    (tmp_path / "half_a.npy").write_bytes((tmp_path / "a.npy").read_bytes()[:-20])
    with pytest.raises(ComposeError) as raised:
        open_data([str(tmp_path)], [Stream("s", (Field("a", "image", (3, 8, 8)),))])
    message = str(raised.value)
    assert message.startswith("7 of 14 picture files cannot be read: ")
    assert all(f"half_{name}'" in message and f"/{name}'" not in message for name in [*names, "a.npy"])


def test_rows_of_files_are_the_same_whatever_the_name(tmp_path: Path) -> None:
    """A PNG named .jpg is read; so is a deep TIFF named .png."""
    values = numbers("u2", 0, 4, 4, 3)
    (tmp_path / "a.png").write_bytes(picture_files.tiff([values]))
    (tmp_path / "b.jpg").write_bytes(picture_files.png(values))
    with open(tmp_path / "c.bmp", "wb") as file:
        np.save(file, values)
    source = open_data([str(tmp_path)], [Stream("s", (Field("a", "image", (3, 4, 4)),))]).sources["s"]
    assert isinstance(source, FileSource) and len(source) == 3
    assert all(np.array_equal(source.row(i)["a"], source.row(0)["a"]) for i in range(3))


def test_kinds_of_tiff_that_nobody_reads_are_said(tmp_path: Path) -> None:
    values = numbers("u2", 0, 4, 4, 3)
    (tmp_path / "a.tif").write_bytes(picture_files.tiff([values], tags={258: [10, 10, 10]}))
    with pytest.raises(Unreadable, match="a kind of TIFF that is not read"):
        decode(tmp_path / "a.tif", 3)


def test_any_cut_of_an_animation_is_found(tmp_path: Path) -> None:
    """The byte that ends a GIF may stand anywhere in its pixels."""
    Image.fromarray(numbers("u1", 0, 30, 30)).save(tmp_path / "a.gif")
    whole = (tmp_path / "a.gif").read_bytes()
    assert is_complete(tmp_path / "a.gif")
    found_complete = 0
    for end in range(len(whole) - 200, len(whole)):
        (tmp_path / "b.gif").write_bytes(whole[:end])
        found_complete += is_complete(tmp_path / "b.gif")
    assert found_complete <= 4  # where the cut itself leaves that byte last
