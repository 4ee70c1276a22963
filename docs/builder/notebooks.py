"""A notebook as a page: its text, its code, and the outputs that it keeps, pictures with their text alternatives."""

import base64
import json
import re

import repository

BACKTICKS = re.compile("<code>&#96;</code>([^<]+)<code>&#96;</code>")  # code within a verdict


def page(path):
    """(Markdown, {name: bytes of a picture}) of a notebook."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    parts, pictures = [], {}
    for cell in notebook["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            parts.append(source.replace("<details>", '<details markdown="1">'))  # what is folded is Markdown, too
        elif source.strip():
            parts.append(fenced(source, "python"))
            for output in cell["outputs"]:
                parts.append(shown(output, path, pictures))
    title, _, rest = "\n\n".join(part for part in parts if part).partition("\n")
    return f'{title}\n\n<a href="../{path.name}" download>This notebook as a file</a>\n{rest}\n', pictures


def shown(output, path, pictures):
    """One output of a cell, as Markdown."""
    data = output.get("data", {})
    if output["output_type"] == "stream":
        return fenced("".join(output["text"]).rstrip("\n"), "text { .output }")
    if "image/png" in data:
        name = f"{path.relative_to(repository.ROOT).with_suffix('').as_posix()}/{len(pictures) + 1}.png"
        pictures[name] = base64.b64decode("".join(data["image/png"]))
        alt = output["metadata"].get("image/png", {}).get("alt") or output["metadata"].get("alt") or ""
        return f"![{repository.plain(' '.join(alt.split()))}]({path.stem}/{len(pictures)}.png)"
    if "text/markdown" in data:
        inside = repository.bars("".join(data["text/markdown"]))
        return f'<div class="output" markdown="1">\n\n{inside}\n\n</div>'
    if "text/html" in data:
        html = BACKTICKS.sub(r"<code>\1</code>", "".join(data["text/html"]))
        return f'<div class="output">{one_line(html)}</div>'
    return fenced("".join(data.get("text/plain", "")), "text { .output }")


def one_line(html):
    """HTML that Markdown leaves alone: without blank lines, which would end it."""
    return re.sub(r"\n\s*\n", "\n&#8203;\n", html)


def fenced(text, language):
    """Code in a fence longer than any in it."""
    ticks = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", text)), default=0))
    return f"{ticks} {language}\n{text}\n{ticks}" if "{" in language else f"{ticks}{language}\n{text}\n{ticks}"
