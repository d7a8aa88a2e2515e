"""The canonical subset of WordprocessingML: its style names, its one spelling, and the text in it.

A fragment is one or more `<w:p>` and `<w:tr>`, or `<nada/>` alone. `parse_fragment` binds the prefixes `w:`
and `r:`, so no fragment carries a namespace declaration. All of it is plain WordprocessingML but one element:
`<w:drawing r:id="rId7"/>` stands for the picture of that relation until the writer puts the drawing back.
"""

from __future__ import annotations

import re
from xml.sax.saxutils import escape

from lxml import etree

from ..core.errors import InputError
from .xml import XML, R, W, local, parse_xml, value_of, w

NOTHING = "<nada/>"

# A style's base names the paragraph's kind; "Num" and "Vin" say numbered or bulleted, 2 and 3 the list level.
BASES = {
    "Titulo": "heading",
    "Subtitulo": "heading",
    "Orden": "agenda",
    "Asistencia": "rollcall",
    "Formula": "formula",
    "Palabra": "handover",
    "Votacion": "vote",
    "Cuerpo": "body",
    "Centrado": "body",
    "Nota": "body",
    "Lista": "list",
    "Guion": "list",
    "Firma": "signature",
    "Cargo": "signature",
    "Celda": "table",
}
STYLE_OF_KIND = {
    "heading": "Titulo",
    "agenda": "Orden",
    "rollcall": "Asistencia",
    "formula": "Formula",
    "handover": "Palabra",
    "vote": "Votacion",
    "body": "Cuerpo",
    "list": "Lista",
    "signature": "Firma",
    "table": "Celda",
}
STYLE = re.compile(rf"(?P<base>{'|'.join(BASES)})(?P<marker>Num|Vin)?(?P<level>[23])?")

MAX_CHARS = 4_000_000
_PREFIX = {W: "w:", R: "r:", XML: "xml:"}


def split_style(name: str) -> tuple[str, str, int] | None:
    """`(base, marker, level)` of a canonical style name, None for another; marker "", "Num" or "Vin"."""
    match = STYLE.fullmatch(name)
    if match is None:
        return None
    base, marker, level = match["base"], match["marker"] or "", match["level"]
    if level and not marker and base != "Lista":
        return None
    if marker == "Vin" and base in ("Lista", "Celda", "Guion"):
        return None
    if base == "Lista" and not marker:
        marker = "Vin"
    return base, marker, int(level or 1)


def kind_of_style(name: str) -> str:
    """The kind that a canonical style stands for; "body" for any other name."""
    parts = split_style(name or "Cuerpo")
    return BASES[parts[0]] if parts else "body"


def style_of(p: etree._Element) -> str:
    """A canonical paragraph's style; without one it is Cuerpo, or Celda in a table."""
    if given := value_of(p, "pPr", "pStyle"):
        return given
    parent = p.getparent()
    return "Celda" if parent is not None and parent.tag == w("tc") else "Cuerpo"


def parse_fragment(xml: str, where: str = "fragment") -> etree._Element:
    """A root over the fragment's paragraphs and rows. `InputError` when it is not well-formed."""
    if len(xml) > MAX_CHARS:
        raise InputError(f"{len(xml)} characters, at most {MAX_CHARS} are read", where=where)
    if bad := re.search(r"<[!?]", xml):
        shown = repr(xml[bad.start() : bad.start() + 9])
        raise InputError(f"{shown}: comments, CDATA, DOCTYPE and instructions are not allowed", where=where)
    return parse_xml(f'<f xmlns:w="{W}" xmlns:r="{R}">{xml}</f>', where=where)


def text_of(element: etree._Element) -> str:
    """A paragraph's or row's text: tabs and breaks as \\t and \\n, cells joined by " | "."""
    if element.tag == w("tr"):
        cells = [cell.iter(w("p")) for cell in element.iterchildren(w("tc"))]
        return " | ".join("\n".join(map(text_of, paragraphs)) for paragraphs in cells)
    shown = {w("tab"): "\t", w("br"): "\n"}
    return "".join(shown.get(node.tag) or node.text or "" for node in element.iter(w("t"), w("tab"), w("br")))


def serialize(element: etree._Element) -> str:
    """The one spelling of a canonical element, without namespace declarations."""
    attributes = "".join(
        f' {prefixed(key)}="{escape(str(value), {chr(34): "&quot;"})}"'
        for key, value in element.attrib.items()
    )
    children = "".join(serialize(child) + escape(child.tail or "") for child in element)
    name, inner = prefixed(element.tag), escape(element.text or "") + children
    return f"<{name}{attributes}>{inner}</{name}>" if inner else f"<{name}{attributes}/>"


def prefixed(tag: str) -> str:
    """`{…/main}p` as `w:p`; a name in another namespace stays bare."""
    name = etree.QName(tag)
    return _PREFIX.get(name.namespace or "", "") + name.localname


def row_cells(row: etree._Element) -> list[tuple[int, int, str | None]]:
    """`(first column, width, vertical merge)` of each cell; merge "restart", "continue" or None."""
    out, column = [], 0
    for cell in row.iterchildren(w("tc")):
        width = int(value_of(cell, "tcPr", "gridSpan") or 1)
        merge = cell.find(f"{w('tcPr')}/{w('vMerge')}")
        out.append((column, width, None if merge is None else merge.get(w("val"), "continue")))
        column += width
    return out
