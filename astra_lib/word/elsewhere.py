"""The text of a Word file that none of its paragraphs holds: no model sees it, but the privacy step must."""

from __future__ import annotations

from collections import defaultdict

from .blocks import Block, WordParagraph
from .package import Package
from .reader import PartReader
from .styles import StyleSheet
from .xml import w


def texts_elsewhere(package: Package, sheet: StyleSheet) -> dict[str, list[str]]:
    """Texts by where they are: header, footer, comment, property, author, alt text; sorted, each once."""
    found: dict[str, list[str]] = defaultdict(list)
    for relation in package.relations(package.main):
        if relation.target not in package:
            continue
        if relation.type in ("header", "footer"):
            blocks = PartReader(package, sheet, relation.target).blocks(package.xml(relation.target))
            found[relation.type] += map(_text, blocks)
        elif relation.type == "comments":
            comments = package.xml(relation.target)
            found["comment"] += [" ".join(comment.itertext()).strip() for comment in comments]
    for relation in package.relations(""):
        if relation.type.endswith("properties") and relation.target in package:
            found["property"] += [t.strip() for t in package.xml(relation.target).itertext() if t.strip()]
    for node in package.xml(package.main).iter():
        if isinstance(node.tag, str):
            found["author"] += filter(None, [node.get(w("author"))])
            found["alt text"] += filter(None, [node.get("descr"), node.get("title")])
    return {where: sorted(set(texts)) for where, texts in found.items() if texts}


def header_texts(package: Package, sheet: StyleSheet) -> list[str]:
    """The words of each header, those in tables aside, in the order of the document's relations."""
    found = []
    for relation in package.relations(package.main):
        if relation.type == "header" and relation.target in package:
            blocks = PartReader(package, sheet, relation.target).blocks(package.xml(relation.target))
            found.append(" ".join(block.text for block in blocks if isinstance(block, WordParagraph)))
    return found


def _text(block: Block) -> str:
    if isinstance(block, WordParagraph):
        return block.text
    return " | ".join(p.text for cell in block.cells for p in cell.paragraphs)
