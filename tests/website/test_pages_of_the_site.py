"""The site as files: what a page links to is there, nothing comes from elsewhere, and nothing was left out."""

import re
from html.parser import HTMLParser
from urllib.parse import unquote, urlsplit

import pytest

from minisft.cli.main import parser
from minisft.config import TrainConfig, flag

from .conftest import ROOT

FETCHED = {("script", "src"), ("img", "src"), ("iframe", "src"), ("link", "href"), ("source", "src"), ("use", "href")}
CODE = ("code", "pre", "script")
APART = re.compile(r"notebooks/films/")  # whole pages of their own, which tests/browser looks at


class Page(HTMLParser):
    """What a page has: its anchors, its links (element, attribute, target), its pictures and its words."""

    def __init__(self, path):
        super().__init__()
        self.anchors, self.links, self.pictures, self.words = set(), [], [], ""
        self.text, self.code = "", 0  # the words outside of code
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.code += tag in CODE
        self.anchors |= {given.get("id"), given.get("name")} - {None}
        self.links += [(tag, name, given[name]) for name in ("href", "src") if given.get(name)]
        if tag == "img":
            self.pictures.append((given.get("src"), given.get("alt") or ""))

    def handle_endtag(self, tag):
        self.code -= tag in CODE

    def handle_data(self, data):
        self.words += data
        self.text += "" if self.code else data


@pytest.fixture(scope="module")
def pages(site):
    found = {path.relative_to(site).as_posix(): Page(path) for path in sorted(site.rglob("*.html"))}
    return {name: page for name, page in found.items() if not APART.match(name)}


def test_it_is_built_without_a_warning(built):
    assert "WARNING" not in built[1] and "ERROR" not in built[1]


def test_every_link_leads_to_a_page_a_file_or_a_heading_that_is_there(site, pages):
    broken, seen = [], 0
    for name, page in pages.items():
        for _, _, target in page.links:
            parts = urlsplit(target)
            if parts.scheme or parts.netloc:
                continue
            root = site if parts.path.startswith("/") else (site / name).parent
            path = (root / unquote(parts.path).lstrip("/")).resolve() if parts.path else site / name
            path = path / "index.html" if path.is_dir() else path
            seen += 1
            if not path.is_file() or not path.is_relative_to(site):
                broken.append((name, target))
            elif parts.fragment and path.relative_to(site).as_posix() in pages:
                anchors = pages[path.relative_to(site).as_posix()].anchors
                if unquote(parts.fragment) not in anchors:
                    broken.append((name, target))
    assert seen > 1000 and broken == []


def test_no_page_fetches_anything_from_elsewhere(site, pages):
    for name, page in pages.items():
        for tag, attribute, target in page.links:
            if (tag, attribute) in FETCHED:
                assert not urlsplit(target).netloc, (name, target)
    for sheet in site.rglob("*.css"):
        assert not re.search(r"url\(['\"]?(https?:)?//|@import", sheet.read_text(encoding="utf-8")), sheet.name


def test_every_picture_is_there_for_those_who_cannot_see_it(pages):
    shown = [(name, *picture) for name, page in pages.items() for picture in page.pictures]
    assert len(shown) > 50
    assert [(name, source) for name, source, words in shown if len(words.split()) < 8] == []


def test_every_notebook_is_a_page_with_its_pictures_and_its_file(site):
    for path in (ROOT / "notebooks").glob("[0-9]*.ipynb"):
        assert (site / "notebooks" / path.stem / "index.html").is_file()
        assert (site / "notebooks" / path.name).read_bytes() == path.read_bytes()
        pictures = path.read_text(encoding="utf-8").count('"image/png": "')
        assert len(list((site / "notebooks" / path.stem).glob("*.png"))) == pictures, path.name


def test_no_formula_is_left_in_latex(site, pages):
    for name, page in pages.items():
        assert not re.search(r"\\\(|\\\[|\$\\", page.text), name
    assert "<math" in (site / "notebooks/04_backprop_by_hand/index.html").read_text(encoding="utf-8")


def test_the_page_of_commands_has_every_command_and_every_setting(pages):
    words = pages["docs/commands/index.html"].words
    commands = next(action for action in parser()._actions if action.dest == "command").choices
    assert all(f"minisft {name}" in words for name in commands)
    assert all(flag(name) in words for name in TrainConfig.__dataclass_fields__)


def test_the_reference_has_every_file_of_the_subject(site):
    house = ROOT / "minisft"
    subject = [path for folder in (house, house / "layers") for path in folder.glob("[a-z]*.py")]
    names = [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in subject]
    assert len(names) > 20
    assert [name for name in names if not (site / "docs/reference" / name / "index.html").is_file()] == []


def test_the_list_of_pages_has_each_of_them_once_and_a_tab_for_teachers(pages):
    targets = [target for _, _, target in pages["SECURITY/index.html"].links]
    for page in ("docs/mistakes", "docs/before-you-train", "docs/commands", "notebooks/07_three_states"):
        assert targets.count(f"../{page}/") == 1, page
    assert "../notebooks/#for-teachers" in targets


def test_the_start_page_has_three_doors_and_a_film(pages):
    start = pages["index.html"]
    assert {"#learn-it", "#teach-it", "#use-it"} <= {target for _, _, target in start.links}
    assert {"learn-it", "teach-it", "use-it"} <= start.anchors
    assert ("iframe", "src", "notebooks/films/three_states.html") in start.links


def test_what_readme_says_of_the_code_leads_to_the_numbered_line(pages):
    rows = re.findall(r"\]\(minisft/(\S+\.py)#L(\d+)\)", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert len(rows) >= 15
    targets = {target for _, _, target in pages["index.html"].links}
    assert {f"minisft/{path}/#__codelineno-0-{line}" for path, line in rows} <= targets
