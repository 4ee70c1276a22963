"""The repository's own pages, and where their links lead on the site."""

import os
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = (".", "benchmarks", "data", "docs", "minisft", "notebooks", "tests")
PAGES = [path.relative_to(ROOT).as_posix() for folder in FOLDERS for path in sorted((ROOT / folder).glob("*.md"))]
PAGES.remove("README.md")  # the start page has its sections
NOTEBOOKS = sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))
AS_THEY_ARE = {".html", ".jsonl", ".png", ".svg"}  # given to the browser; anything else is shown as text
CODE = re.compile(r"(^(`{3,})[^\n]*\n.*?^\2`*$|^ {4}[^\n]*$|``[^\n]+?``|`[^`\n]+`)", re.MULTILINE | re.DOTALL)
TARGET = re.compile(r"\]\(([^)\s]+)\)|(?<=src=\")([^\"]+)")
APART = "---\nhide: [navigation, toc]\nsearch:\n  exclude: true\n---\n"
LANGUAGES = {".py": "python", ".json": "json", ".cff": "yaml", ".toml": "toml", ".yml": "yaml"}


def text(name):
    """A page as it stands."""
    return bars((ROOT / name).read_text(encoding="utf-8"))


def bars(written):
    """In a table, the bar of a code span needs no backslash here."""
    return re.sub(r"`[^`\n]+`", lambda span: span[0].replace("\\|", "|"), written)


def page_of(path):
    """The name of the page that shows a file or folder: a.py -> a.py.md, and a notebook's has its plain name."""
    name = path.relative_to(ROOT).as_posix()
    if path.is_dir():
        return f"{name}/README.md"
    if path.suffix == ".ipynb":
        return name.removesuffix(".ipynb") + ".md"
    return name if path.suffix == ".md" else f"{name}.md"


def start(frame):
    """The start page: docs/site/start.md, with the sections of README.md that it names in `<!-- README: … -->`.

    What stands above the first heading is "what" and, below its formula, "symbols": start.md has the formula typeset.
    """
    title, *sections = re.split(r"^## ", text("README.md"), flags=re.MULTILINE)
    what, _, symbols = title.partition("\n")[2].partition("\n![")[0].strip().split("\n\n", 2)
    parts = {"what": what, "symbols": symbols}
    for section in sections:
        heading, _, body = section.partition("\n")
        parts[heading] = f"## {heading}\n{body}"
    framed = re.sub(r"<!-- README: (.*?) -->", lambda wanted: parts[wanted[1]], frame)
    return framed.replace("../../", "")  # it is shown at the root


def with_links(pages, made):
    """The pages with links that lead to pages of the site, those of the code they point to, and the files they show.

    made  names of pictures that stand in no file
    """
    done, linked, waiting = {}, set(), dict(pages)
    while waiting:
        name, written = waiting.popitem()
        here = (ROOT / name).parent

        def lead(found, here=here):
            target = next(group for group in found.groups() if group is not None)
            if re.match(r"\w+:|#|$", target):
                return found[0]
            plain, _, anchor = target.partition("#")
            path = Path(os.path.normpath(here / plain))
            known = path.relative_to(ROOT).as_posix()
            if known in pages or known in done or known in made:
                return found[0]
            if not path.exists():
                raise ValueError(f"{here}: a link leads to {plain}, which is not there")
            if path.suffix in AS_THEY_ARE:
                linked.add(path)
                return found[0]
            page = page_of(path)
            if page not in pages and page not in done and page not in waiting:
                waiting[page] = listing(path) if path.is_dir() else source(path)
            anchor = re.sub(r"^L(\d+)$", r"__codelineno-0-\1", anchor)
            new = os.path.relpath(ROOT / page, here) + (f"#{anchor}" if anchor else "")
            return found[0].replace(target, new)

        pieces = CODE.split(written)  # text, code, its fence, text, …
        done[name] = "".join(
            TARGET.sub(lead, piece) if i % 3 == 0 else piece for i, piece in enumerate(pieces) if i % 3 < 2
        )
    return done, sorted(linked)


def source(path):
    """A file of code as a page, its lines numbered and with an address each."""
    name = path.relative_to(ROOT).as_posix()
    code = path.read_text(encoding="utf-8")
    language = LANGUAGES.get(path.suffix, "text")
    return f'{APART}# {name}\n\n``````{language} linenums="1"\n{code}\n``````\n'


def listing(path):
    """A folder as a page: the files in it."""
    name = path.relative_to(ROOT).as_posix()
    files = [file.name for file in sorted(path.iterdir()) if file.is_file() and file.name != "__init__.py"]
    return f"{APART}# {name}/\n\n" + "".join(f"- [{file}]({file})\n" for file in files)


def plain(line):
    """A line of plain text, in Markdown."""
    return re.sub(r"([\\|*_`$<\[\]])", r"\\\1", line)
