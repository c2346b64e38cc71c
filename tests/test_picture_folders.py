"""Folders as people have them: nested, linked, with leftovers of other programs, with names in any script."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import picture_files
import pytest
from data_folders import PAIR, SINGLE, UNPAIRED, folder, paint
from PIL import Image
from tiny_run import TINY, make_tiny, settings, start

from composer.data import open_data
from composer.data.decode import decode
from composer.data.files import list_folders, list_images
from composer.errors import ComposeError
from composer.translate_files import translate_files


def names(root: Path, recursive: bool = True, **more: object) -> list[str]:
    return [path.relative_to(root).as_posix() for path in list_images(root, recursive, **more)]  # type: ignore[arg-type]


def test_folders_in_folders_are_entered_when_asked(tmp_path: Path) -> None:
    folder(tmp_path, **{".": ["b", "a"], "2021__may": ["1"], "2020": ["9.JPG", "8.TiF"]})
    assert names(tmp_path, recursive=False) == ["a.png", "b.png"]
    assert names(tmp_path) == ["a.png", "b.png", "2020/8.TiF", "2020/9.JPG", "2021/may/1.png"]
    assert names(tmp_path, skip=["2020"]) == ["a.png", "b.png", "2021/may/1.png"]


def test_what_systems_leave_behind_is_passed_over(tmp_path: Path) -> None:
    folder(tmp_path, **{".": ["a", "._a", ".hidden"], "__MACOSX": ["._a", "a"], ".git": ["a"], "$RECYCLE.BIN": ["a"]})
    for name in ("Thumbs.db", ".DS_Store", "desktop.ini", "notes.txt", "a.xmp"):
        (tmp_path / name).write_bytes(b"no picture")
    assert names(tmp_path) == ["a.png"] and list_folders(tmp_path) == []
    assert open_data([str(tmp_path)], SINGLE).rows() == {"photos": 1}


def test_links_are_followed_and_loops_end(tmp_path: Path) -> None:
    folder(tmp_path / "real", **{".": ["1"], "inner": ["2"]})
    root = folder(tmp_path / "set", own=["3"])
    (root / "linked").symlink_to(tmp_path / "real")
    (root / "linked_again").symlink_to(tmp_path / "real")
    (root / "up").symlink_to(root)
    (root / "own/self").symlink_to(root / "own")
    (tmp_path / "real/inner/back").symlink_to(tmp_path / "real")
    (root / "file.png").symlink_to(tmp_path / "real/1.png")
    (root / "around").symlink_to(root / "around")
    assert names(root) == ["file.png", "linked/1.png", "linked/inner/2.png", "own/3.png"]


def test_a_link_to_nothing_and_a_link_to_itself_are_named(tmp_path: Path) -> None:
    folder(tmp_path, **{".": ["1"]})
    (tmp_path / "gone.png").symlink_to(tmp_path / "nowhere.png")
    (tmp_path / "loop.png").symlink_to(tmp_path / "loop.png")
    with pytest.raises(ComposeError) as raised:
        open_data([str(tmp_path)], SINGLE)
    message = str(raised.value)
    assert message.startswith("2 of 3 picture files cannot be read: ")
    assert "gone.png' (no such file, or a broken link)" in message and "loop.png' (" in message


def test_every_broken_file_is_in_one_message_and_the_rest_is_used(tmp_path: Path) -> None:
    folder(tmp_path, **{".": [str(i) for i in range(3)]})
    Image.new("1", (1, 1)).save(tmp_path / "one.png")
    Image.new("RGB", (3, 2)).save(tmp_path / "really_a_png.jpg", "PNG")
    assert open_data([str(tmp_path)], SINGLE).rows() == {"photos": 5}
    for number in range(13):
        (tmp_path / f"empty{number:02}.jpg").write_bytes(b"")
    with pytest.raises(ComposeError) as raised:
        open_data([str(tmp_path)], SINGLE)
    message = str(raised.value)
    assert message.startswith("13 of 18 picture files cannot be read: ") and message.count("(empty)") == 10
    assert message.endswith(" and 3 more; replace or delete them")


@pytest.mark.parametrize("name", ["écran", "写真", "фото", "a b", "size=16", "-x", "%s{0}", "trail.", "👩‍🎨"])
def test_names_in_any_script(tmp_path: Path, name: str) -> None:
    root = folder(tmp_path / name, trainA=[name, "1"], trainB=[name])
    assert open_data([str(root)], PAIR).rows() == {"pair": 1}
    assert open_data([f"a={root}/trainA", f"b={root}/trainB"], UNPAIRED).rows() == {"domain[a]": 2, "domain[b]": 1}


def test_names_that_are_no_text_are_read_and_shown(tmp_path: Path) -> None:
    paint(tmp_path / "1.png")
    os.rename(os.fsencode(tmp_path / "1.png"), os.path.join(os.fsencode(tmp_path), b"\xff.png"))
    assert open_data([str(tmp_path)], SINGLE).rows() == {"photos": 1}
    (list_images(tmp_path)[0]).write_bytes(b"")
    with pytest.raises(ComposeError, match=r"udcff\.png' \(empty\)"):
        open_data([str(tmp_path)], SINGLE)


def test_training_folders_may_be_nested(tmp_path: Path) -> None:
    folder(tmp_path, trainA__x=["1", "2"], trainA__y=["3"], trainB=["4"], trainB__deep__er=["5"])
    assert open_data([str(tmp_path)], UNPAIRED).rows() == {"domain[a]": 3, "domain[b]": 2}


# -- through a run --------------------------------------------------------------------------------------------------

MANY = TINY.replace("image(3, size", "image(5, size").replace("conv_transpose(3", "conv_transpose(5")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("trained")
    graph, data = make_tiny(root / "method")
    start(settings(graph, data, out=root / "run", iterations=1, sample_every=0))
    return root / "run"


def test_translations_keep_depth_and_folders(trained: Path, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    source = tmp_path / "in"
    (source / "sub").mkdir(parents=True)
    deep = random.integers(0, 65536, (8, 12, 3)).astype(np.uint16)
    (source / "deep.png").write_bytes(picture_files.png(deep))
    (source / "deep_tiff.tif").write_bytes(picture_files.tiff([deep]))
    (source / "fractions.tif").write_bytes(picture_files.tiff([random.random((8, 12, 3)).astype(np.float32)]))
    np.save(source / "sub/array.npy", random.random((3, 8, 12)))
    Image.new("RGBA", (12, 8), (1, 2, 3, 4)).save(source / "sub/flat.webp")
    Image.new("L", (12, 8), 9).save(source / "sub/grey.jpg")
    written = translate_files(trained, [source], source / "out")
    assert [path.relative_to(source / "out").as_posix() for path in written] == [
        "deep.png", "deep_tiff.png", "fractions.tif", "sub/array.npy", "sub/flat.png", "sub/grey.png",
    ]  # fmt: skip
    for path, depth in zip(written, (16, 16, 32, 64, 8, 8), strict=True):
        pixels, info = decode(path, 3)
        assert info.depth == depth and pixels.shape == (8, 12, 3), path
    assert np.load(written[3]).shape == (3, 8, 12)
    again = translate_files(trained, [source], source / "out", force=True)  # its own results are not translated
    assert again == written


def test_translation_names_all_that_it_cannot_read(trained: Path, tmp_path: Path) -> None:
    source = folder(tmp_path / "in", **{".": ["1"]})
    (source / "2.png").write_bytes(b"")
    (source / "3.npy").write_bytes(b"\x93NUMPY")
    (source / "4.png").write_bytes((source / "1.png").read_bytes()[:60])
    with pytest.raises(ComposeError) as raised:
        translate_files(trained, [source], tmp_path / "out")
    assert str(raised.value).startswith("3 of 4 picture files cannot be read: ") and not (tmp_path / "out").exists()


def test_five_channels_train_and_translate(tmp_path: Path) -> None:
    graph, _ = make_tiny(tmp_path / "method", MANY)
    for name in "ab":
        (tmp_path / name).mkdir()
        for number in range(3):
            np.save(tmp_path / name / f"{number}.npy", np.random.default_rng(number).random((5, 12, 12)))
    data = (f"a={tmp_path / 'a'}", f"b={tmp_path / 'b'}")
    assert start(settings(graph, data, out=tmp_path / "run", iterations=2))[0] == 0
    assert list((tmp_path / "run/samples").iterdir())
    (written,) = translate_files(tmp_path / "run", [tmp_path / "a/0.npy"], tmp_path / "out")
    assert np.load(written).shape == (5, 12, 12)
