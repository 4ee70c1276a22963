"""What a notebook shows of data is text in the page that nbconvert makes of it. Needs the extra `notebooks`."""

import pytest
from support.hostile import HOSTILE, Reader, blanks_as_one

from minisft.errors import visible

nbformat = pytest.importorskip("nbformat")
nbclient = pytest.importorskip("nbclient")
nbconvert = pytest.importorskip("nbconvert")

pytestmark = pytest.mark.notebooks

CELLS = [
    "from minisft.course.display import code, docstring, source, table\n"
    "from minisft.course.grading.verdict import Verdict, settle\n"
    f"texts = {list(HOSTILE.values())!r}",
    "table(['x', 'code'], [[text, code(text)] for text in texts])",
    "table(texts, [texts])",
    "display(*(settle(None, (text, 'b'), 'b', text) for text in texts))",
    "display(*(Verdict(False, text) for text in texts))",
    "def student():\n    '''\n    ```\n    </pre><script>alert(1)</script>\n    ```\n    '''\nsource(student)",
    "print(*texts[-20:], sep='\\n')",
]
OURS = {"div", "p", "pre", "span", "table", "thead", "tbody", "tr", "th", "td", "code", "details", "summary", "a"}


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in CELLS])
    nbclient.NotebookClient(notebook, kernel_name="python3", resources={"metadata": {"path": "."}}).execute()
    exporter = nbconvert.HTMLExporter(template_name="basic", exclude_input=True, exclude_output_prompt=True)
    return Reader(exporter.from_notebook_node(notebook)[0])


def test_the_page_has_no_tag_that_data_have_brought(page):
    assert page.names() <= OURS, page.names() - OURS
    links = [attributes for tag, attributes in page.tags if tag == "a"]
    assert all(attributes["href"].startswith("#") for attributes in links)


def test_its_tags_have_no_attribute_that_data_have_brought(page):
    names = {name for _, attributes in page.tags for name in attributes}
    assert names <= {"class", "id", "href", "style", "tabindex", "data-mime-type"}, names


def test_mathjax_finds_nothing_in_it(page):
    assert not page.mathematics


@pytest.mark.parametrize("name", HOSTILE)
def test_every_text_is_there_as_it_stands(page, name):
    assert blanks_as_one(visible(HOSTILE[name])) in map(blanks_as_one, page.texts)
