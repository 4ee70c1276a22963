"""The style: texts as they are shown, and pictures as files."""

import io
import subprocess
import sys
from pathlib import Path

import pytest
from matplotlib.image import imread

import minisft
from minisft import plots
from minisft.errors import MinisftError

from .conftest import EVERY, demo, heat, texts, texts_of

# --- texts -----------------------------------------------------------------------------------------------------------


def test_hats_and_tildes_are_set_as_mathematics():
    assert plots.typeset("from θ̂ over θ_t to θ̃") == r"from $\hat{\theta}$ over $\theta_t$ to $\tilde{\theta}$"


def test_what_cannot_be_seen_in_a_token_is_made_visible():
    assert plots.visible(" of", 9) == "␣of"
    assert plots.visible("  a b ", 9) == "␣␣a b␣"
    assert plots.visible("\n", 9) == "↵"
    assert plots.visible("東\x00\t\u00a0θ", 99) == r"\u6771\x00\t\xa0θ"


def test_a_long_text_is_cut_with_an_ellipsis_and_a_text_that_fits_is_not():
    assert plots.visible("abcdef", 6) == "abcdef"
    assert plots.visible("abcdefg", 6) == "abcde…"


def test_tokens_stand_on_the_axis_as_they_are():
    found = texts_of(plots.heat_map(heat(1, 4), [0], [" K", "\n", "a_b", "<|im_end|>"]))
    for token in ("␣K", "↵", "a_b", "<|im_end|>"):
        assert token in found


def test_dollars_in_tokens_questions_and_answers_do_not_start_mathematics():
    data = {"$a$", "$b$", "$c$"}
    shown = [
        text for text in texts(demo(tokens=["$a$"], question="$b$", answers=[(0, "$c$")])) if text.get_text() in data
    ]
    assert len(shown) == 3 and not any(text.get_parse_math() for text in shown)
    assert r"\$d\$" in texts_of(plots.bars([1], ["$d$"]))  # matplotlib draws \$ as a dollar


# --- files -----------------------------------------------------------------------------------------------------------


def test_a_saved_picture_is_a_whole_png_of_1600_by_900_pixels(tmp_path):
    for name in ("bars", "demo"):
        plots.save(EVERY[name](), tmp_path / "new" / "a.png")
        assert imread(tmp_path / "new" / "a.png").shape[:2] == (900, 1600)
        assert [path.name for path in (tmp_path / "new").iterdir()] == ["a.png"]


def test_a_picture_that_cannot_be_drawn_leaves_the_old_file_as_it_was(tmp_path, monkeypatch):
    path = tmp_path / "a.png"
    path.write_bytes(b"old")
    figure = plots.bars([1])
    monkeypatch.setattr(type(figure), "savefig", lambda self, to, **_: (Path(to).write_bytes(b"half"), 1 / 0))
    with pytest.raises(ZeroDivisionError):
        plots.save(figure, path)
    assert path.read_bytes() == b"old" and list(tmp_path.iterdir()) == [path]


def test_a_path_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(MinisftError, match=r"file/a\.png: cannot be written"):
        plots.save(plots.bars([1]), tmp_path / "file" / "a.png")


def test_a_notebook_shows_a_picture_by_itself():
    assert imread(io.BytesIO(plots.bars([1, 2])._repr_png_()[0])).shape[:2] == (675, 1200)


def test_a_notebook_gets_the_picture_with_its_text_alternative():
    DisplayFormatter = pytest.importorskip("IPython.core.formatters").DisplayFormatter
    data, metadata = DisplayFormatter().format(plots.bars([1, 2]).described("Two bars, the second twice as high"))
    assert "image/png" in data and metadata["image/png"] == {"alt": "Two bars, the second twice as high"}


def test_pictures_need_neither_pyplot_nor_a_screen():
    code = (
        "import sys; from minisft import plots; plots.bars([1])._repr_png_(); print('matplotlib.pyplot' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


def test_matplotlib_is_imported_only_by_the_style_and_where_figures_are_drawn():
    house = Path(minisft.__file__).parent
    importing = {
        path.relative_to(house)
        for path in house.rglob("*.py")
        if "import matplotlib" in (text := path.read_text()) or "from matplotlib" in text
    }
    assert {path for path in importing if path.name != "figures.py"} == {
        Path("plots/style.py"),
        Path("plots/backend.py"),
    }
