"""Build the site into build/site: `python docs/build.py` (what `make docs` calls).

Collects the README, the pages of docs/ and the notebooks in build/pages, hands them to mkdocs, and refuses
the result when a link leads nowhere or a page would load something from the internet.
"""

from __future__ import annotations

import posixpath
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import nbformat
from nbconvert import MarkdownExporter

ROOT = Path(__file__).resolve().parents[1]
PAGES, SITE = ROOT / "build" / "pages", ROOT / "build" / "site"
# pages that stand outside docs/, and where they stand in the site
OUTSIDE = {"README.md": "index.md", "CHANGELOG.md": "changelog.md", "CONTRIBUTING.md": "contributing.md"}
# code, in which nothing is a link, or a link; the one that begins first counts
CODE_OR_LINK = re.compile(
    r"^```.*?^```|`[^`\n]*`|(!?)\[([^]]*)\]\(([^)\s#]+)(#[^)\s]*)?\)", re.MULTILINE | re.DOTALL
)
DIRECTIVE = re.compile(r"^#\|.*\n?", re.MULTILINE)
OUTER = re.compile(r"(https?:)?//")
OUTER_STYLE = re.compile(r"""(?:url\(|@import)\s*["']?(?:https?:)?//[^"')\s]+""")
# what a browser loads without being asked, by element and attribute
LOADED = {("script", "src"), ("img", "src"), ("iframe", "src"), ("source", "src"), ("video", "src")}
LOADED_LINKS = {"stylesheet", "icon", "preload", "preconnect", "modulepreload", "manifest"}


class SiteError(Exception):
    """What is wrong with the site, a line each."""


def places() -> dict[str, str]:
    """Of every page and picture: its path in the repository, and its path in the site."""
    found = dict(OUTSIDE)
    for path in sorted((ROOT / "docs").rglob("*")):
        if path.suffix in {".md", ".png", ".css", ".js"}:
            found[path.relative_to(ROOT).as_posix()] = path.relative_to(ROOT / "docs").as_posix()
    for path in sorted((ROOT / "nbs").glob("*.ipynb")):
        found[f"nbs/{path.name}"] = f"notebooks/{path.stem}.md"
    return found


def relinked(text: str, source: str, site: dict[str, str]) -> str:
    """`text` of the file `source` with its links as they are in the site.

    A link to a file of the repository that is no page of the site becomes plain text.
    """

    def link(match: re.Match[str]) -> str:
        picture, label, target, anchor = match.groups()
        if target is None or OUTER.match(target) or target.startswith("mailto:"):
            return match[0]
        path = posixpath.normpath(posixpath.join(posixpath.dirname(source), target))
        if path in site:
            here = posixpath.dirname(site[source])
            return f"{picture}[{label}]({posixpath.relpath(site[path], here or '.')}{anchor or ''})"
        if not (ROOT / path).exists():
            raise SiteError(f"{source}: a link to {target}, which does not exist")
        return label

    return CODE_OR_LINK.sub(link, text)


def notebook(path: Path) -> tuple[str, dict[str, bytes]]:
    """A notebook as Markdown, and its pictures by name; nbdev's directives and hidden cells are left out."""
    book = nbformat.read(path, as_version=4)
    shown = []
    for cell in book.cells:
        if cell.cell_type == "code":
            if "#| hide" in cell.source:
                continue
            cell.source = DIRECTIVE.sub("", cell.source).strip("\n")
            if not cell.source:
                continue
        shown.append(cell)
    book.cells = shown
    book.metadata["language_info"] = {"name": "python"}  # nbdev drops it; without it nothing is coloured
    text, resources = MarkdownExporter().from_notebook_node(
        book, resources={"unique_key": path.stem, "output_files_dir": "images"}
    )
    return text, resources["outputs"]


def collect() -> None:
    """Everything mkdocs needs, in build/pages."""
    shutil.rmtree(PAGES, ignore_errors=True)
    site = places()
    for source, target in list(site.items()):
        path, out = ROOT / source, PAGES / target
        out.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".ipynb":
            text, pictures = notebook(path)
            for name, data in pictures.items():
                picture = out.parent / name
                picture.parent.mkdir(exist_ok=True)
                picture.write_bytes(data)
                site[f"nbs/{name}"] = f"notebooks/{name}"
        elif path.suffix == ".md":
            text = path.read_text(encoding="utf-8")
        else:
            shutil.copy(path, out)
            continue
        out.write_text(relinked(text, source, site), encoding="utf-8")


class Loads(HTMLParser):
    """Addresses on the internet that a page loads by itself; links that a reader may follow are none."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        wanted = [values[name] for name in values if (tag, name) in LOADED]
        if tag == "link" and LOADED_LINKS & set(values.get("rel", "").split()):
            wanted.append(values.get("href", ""))
        self.found += [address for address in wanted if OUTER.match(address)]


def from_outside() -> list[str]:
    """A line for every address on the internet that the built site would load."""
    found = []
    for path in sorted(SITE.rglob("*.html")):
        page = Loads()
        page.feed(path.read_text(encoding="utf-8"))
        found += [f"{path.relative_to(SITE)}: loads {address}" for address in page.found]
    for path in sorted(SITE.rglob("*.css")):
        addresses = OUTER_STYLE.findall(path.read_text(encoding="utf-8"))
        found += [f"{path.relative_to(SITE)}: loads {address}" for address in addresses]
    return found


def main() -> int:
    try:
        collect()
        # not --quiet: it hides the warnings from --strict too
        command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--clean"]
        command += ["-f", str(ROOT / "mkdocs.yml")]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode:
            raise SiteError(f"mkdocs refused the pages\n{done.stdout}")
        if loaded := from_outside():
            raise SiteError("\n".join(loaded))
    except SiteError as error:
        print(f"docs: {error}", file=sys.stderr)
        return 1
    print(f"{sum(1 for _ in SITE.rglob('*.html'))} pages -> {(SITE / 'index.html').relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
