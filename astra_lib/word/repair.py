"""A fragment that was cut anywhere, as by a token limit, closed without adding a word."""

from __future__ import annotations

import re

from lxml import etree

from ..core.errors import InputError
from .canonical import NOTHING, parse_fragment, row_cells, serialize, text_of
from .schema import check_fragment
from .xml import w

_TAG = re.compile(r"<(/?)([A-Za-z:]+)((?:\s[^<>]*?)?)(/?)>")


def close_fragment(xml: str) -> str:
    """A fragment cut anywhere, closed: the partial tag or entity goes, then what is open and empty goes.

    For every prefix of a valid fragment the result is valid; a valid fragment comes back unchanged; no text
    is added. What is broken in its middle stays so, for `check` to name.
    """
    if not check_fragment(xml):
        return xml
    cut = _without_partial(xml.strip())
    opened = _open_tags(cut)
    if opened is None:
        return cut
    if opened and opened[-1][0] == "w:t" and "preserve" not in opened[-1][1]:
        cut = cut.rstrip(" ")
    cut += "".join(f"</{name}>" for name, _ in reversed(opened))
    try:
        root = parse_fragment(cut)
    except InputError:
        return cut
    while len(root) and not _trim_tail(root):
        root.remove(root[-1])
    closed = (root.text or "") + "".join(serialize(child) + (child.tail or "") for child in root)
    return closed or NOTHING


def _without_partial(cut: str) -> str:
    """Without a tag or an entity that has begun and not ended."""
    if cut.rfind("<") > cut.rfind(">"):
        cut = cut[: cut.rfind("<")]
    return re.sub(r"&[#\w]{0,10}$", "", cut)


def _open_tags(cut: str) -> list[tuple[str, str]] | None:
    """`(name, attributes)` of the open tags, outermost first; None where a closing tag does not match."""
    opened: list[tuple[str, str]] = []
    for match in _TAG.finditer(cut):
        closing, name, attributes, empty = match.groups()
        if closing:
            if not opened or opened[-1][0] != name:
                return None
            opened.pop()
        elif not empty:
            opened.append((name, attributes))
    return opened


def _trim_tail(root: etree._Element) -> bool:
    """Drop what is unfinished in the last paragraph or row; False when nothing of it is left."""
    last = root[-1]
    if last.tag == w("tr"):
        return _trim_row(last)
    if last.tag == w("p"):
        _trim_paragraph(last)
        return last.find(w("r")) is not None
    return True


def _trim_row(row: etree._Element) -> bool:
    """Drop what is unfinished and add the empty cells that its table's grid asks for."""
    for properties in row.findall(w("trPr"))[:1]:
        _drop_empty(properties)
    cells = row.findall(w("tc"))
    if not cells:
        return False
    _trim_cell(cells[-1])
    above = row.getprevious()
    begins_table = row.find(f"{w('trPr')}/{w('tblHeader')}") is not None
    if above is not None and above.tag == w("tr") and not begins_table:
        missing = sum(c[1] for c in row_cells(above)) - sum(c[1] for c in row_cells(row))
        for _ in range(missing):
            etree.SubElement(etree.SubElement(row, w("tc")), w("p"))
    return bool(text_of(row).replace("|", "").strip()) or row.find(f".//{w('drawing')}") is not None


def _trim_cell(cell: etree._Element) -> None:
    for properties in cell.findall(w("tcPr")):
        _drop_empty(properties)
    paragraphs = cell.findall(w("p"))
    if paragraphs:
        _trim_paragraph(paragraphs[-1])
    else:
        etree.SubElement(cell, w("p"))


def _trim_paragraph(p: etree._Element) -> None:
    for properties in p.findall(w("pPr")):
        for inner in properties.findall(w("numPr")):
            _drop_empty(inner)
        _drop_empty(properties)
    runs = p.findall(w("r"))
    if not runs:
        return
    run = runs[-1]
    for t in run.findall(w("t")):
        if not t.text:
            run.remove(t)
    if all(child.tag == w("rPr") for child in run):
        p.remove(run)


def _drop_empty(element: etree._Element) -> None:
    if len(element) == 0 and (parent := element.getparent()) is not None:
        parent.remove(element)
