"""What mkdocs calls. Every page of the site is made from a file that the repository has anyway; none is kept twice.

A page has the address that its file has in the repository, so that links between pages mean the same in both places.
"""

import commands
import mathematics
import reference
import repository
from mkdocs.structure.files import File, InclusionLevel
from mkdocs.structure.nav import Link

import notebooks


def on_config(config):
    """The lists of notebooks and of modules are those that there are, and a new page is found beside its neighbours."""
    chapters = [pages for chapter in config.nav for pages in chapter.values() if isinstance(pages, list)]
    named = [page for pages in chapters for page in pages]
    for pages in chapters:
        beside = {page.rpartition("/")[0] for page in pages}
        if "notebooks/README.md" in pages:
            pages += map(repository.page_of, repository.NOTEBOOKS)
        if "docs/reference/README.md" in pages:
            pages += list(reference.pages())[1:]
        new = [name for name in repository.PAGES if name not in named and name.rpartition("/")[0] in beside]
        pages += new
        named += new
    return config


def on_files(files, config):
    """Add the repository's pages, notebooks, code and pictures to the few files of docs/site."""
    start = files.get_file_from_path("start.md")
    files.remove(start)
    pages = {"README.md": repository.start(start.content_string)}
    pages |= {name: repository.text(name) for name in repository.PAGES}
    pictures = {}
    for path in repository.NOTEBOOKS:
        name = repository.page_of(path)
        pages[name], shown = notebooks.page(path)
        pictures |= shown
    pages["docs/commands.md"] = commands.page()
    pages |= reference.pages()
    all_pages, linked = repository.with_links(pages, pictures)
    for name, text in all_pages.items():
        level = InclusionLevel.UNDEFINED if name in pages else InclusionLevel.NOT_IN_NAV
        files.append(File.generated(config, name, content=text, inclusion=level))
    for name, content in pictures.items():
        files.append(File.generated(config, name, content=content))
    for path in [*linked, *repository.NOTEBOOKS]:
        files.append(File.generated(config, path.relative_to(repository.ROOT).as_posix(), abs_src_path=str(path)))
    return files


def on_nav(nav, config, files):
    """The door for teachers: a part of the course's page, which a list of pages cannot name."""
    nav.items.insert(2, Link("Teach it", "notebooks/#for-teachers"))
    return nav


def on_page_content(html, page, config, files):
    """Formulas become MathML, which a browser shows without any script."""
    return mathematics.render(html)


def on_post_page(output, page, config):
    """Formulas in the table of contents, too; and the theme's search is a dialog, which needs a name."""
    search = 'data-md-component="search" role="dialog"'
    return mathematics.render_headings(output).replace(search, f'{search} aria-label="Search"')
