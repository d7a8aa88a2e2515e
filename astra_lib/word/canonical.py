"""The canonical subset of WordprocessingML: its style names, its schema, its one spelling, and repair of a cut one.

A fragment is one or more `<w:p>` and `<w:tr>`, or `<nada/>` alone. The prefixes `w:` and `r:` are bound by whoever
parses it, so no fragment carries a namespace declaration. Everything in it is plain WordprocessingML but for one
element: `<w:drawing r:id="rId7"/>` stands for the picture of that relation until the writer puts the drawing back.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from xml.sax.saxutils import escape

from lxml import etree

from ..core.errors import InputError
from .package import XML, R, W, local, parse_xml, r, w

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

MAX_CHARS, MAX_PARAGRAPHS, MAX_TEXT, MAX_DEPTH = 4_000_000, 20_000, 1_000_000, 12
_OPEN = f'<f xmlns:w="{W}" xmlns:r="{R}">'
_XSPACE = f"{{{XML}}}space"
_EDGE = re.compile(r"^ | $")


@dataclass(frozen=True)
class Violation:
    """A broken rule: its name, the place (`p[2]/r[1]/t`, or a part of a .docx), and what is wrong there."""

    rule: str
    where: str
    message: str

    def __str__(self) -> str:
        return f"{self.where}: {self.message} [{self.rule}]"


def split_style(name: str) -> tuple[str, str, int] | None:
    """`(base, marker, level)` of a canonical style name; marker "", "Num" or "Vin"; None when it is not one."""
    match = STYLE.fullmatch(name)
    if not match or (match["level"] and not match["marker"] and match["base"] != "Lista"):
        return None
    if match["base"] in ("Lista", "Celda", "Guion") and match["marker"] == "Vin":
        return None
    return (
        match["base"],
        match["marker"] or ("Vin" if match["base"] == "Lista" else ""),
        int(match["level"] or 1),
    )


def kind_of_style(name: str) -> str:
    parts = split_style(name or "Cuerpo")
    return BASES[parts[0]] if parts else "body"


def parse_fragment(xml: str, where: str = "fragment") -> etree._Element:
    """A root whose children are the fragment's paragraphs and rows. `InputError` when it is not well-formed."""
    if len(xml) > MAX_CHARS:
        raise InputError(f"{len(xml)} characters, at most {MAX_CHARS} are read", where=where)
    if bad := re.search(r"<[!?]", xml):
        raise InputError(
            f"{xml[bad.start() : bad.start() + 9]!r}: comments, CDATA, DOCTYPE and instructions are not allowed",
            where=where,
        )
    return parse_xml(f"{_OPEN}{xml}</f>", where=where)


def text_of(element: etree._Element) -> str:
    """A paragraph's or row's text: tabs and breaks as \\t and \\n, cells joined by " | "."""
    if element.tag == w("tr"):
        return " | ".join(
            "\n".join(text_of(p) for p in cell.iter(w("p"))) for cell in element.iterchildren(w("tc"))
        )
    out = []
    for node in element.iter(w("t"), w("tab"), w("br")):
        out.append((node.text or "") if node.tag == w("t") else "\t" if node.tag == w("tab") else "\n")
    return "".join(out)


def serialize(element: etree._Element) -> str:
    """The one spelling of a canonical element, without namespace declarations."""
    name = ("w:" if etree.QName(element).namespace == W else "") + local(element)
    attributes = "".join(
        f' {prefix}{etree.QName(key).localname}="{escape(str(value), {chr(34): "&quot;"})}"'
        for key, value in element.attrib.items()
        for prefix in [{W: "w:", R: "r:", XML: "xml:"}.get(etree.QName(key).namespace or "", "")]
    )
    inner = escape(element.text or "") + "".join(
        serialize(child) + escape(child.tail or "") for child in element
    )
    return f"<{name}{attributes}>{inner}</{name}>" if inner else f"<{name}{attributes}/>"


# ---- the schema -----------------------------------------------------------------------------------------------
# name -> (required, allowed) children in their order; a run's content may repeat and mix
_SEQUENCE = {
    "pPr": ("pStyle", "numPr"),
    "numPr": ("numId",),
    "rPr": ("b", "i", "strike", "u", "vertAlign"),
    "trPr": ("tblHeader",),
    "tcPr": ("gridSpan", "vMerge"),
}
_LEAF = {
    "pStyle": None,
    "numId": re.compile(r"[1-9]\d{0,3}"),
    "b": re.compile("0"),
    "i": re.compile("0"),
    "strike": None,
    "u": re.compile("single|none"),
    "vertAlign": re.compile("superscript|subscript"),
    "tblHeader": None,
    "gridSpan": re.compile(r"[2-9]|[1-5]\d|6[0-3]"),
    "vMerge": re.compile("restart"),
}
_VAL_REQUIRED = {"pStyle", "numId", "u", "vertAlign", "gridSpan"}
_VAL_FORBIDDEN = {"strike", "tblHeader"}
_RID = re.compile(r"[A-Za-z_][\w.-]{0,63}")


def check_fragment(xml: str, relations: set[str] | None = None) -> list[Violation]:
    """All violations of a fragment; `relations`: the picture relations that exist, None when that is not known."""
    if xml.strip() == NOTHING:
        return []
    try:
        root = parse_fragment(xml)
    except InputError as error:
        rule = (
            "size"
            if "at most" in error.what
            else "markup"
            if "not allowed" in error.what or "DOCTYPE" in error.what
            else "well-formed"
        )
        return [Violation(rule, "fragment", error.what)]
    found = list(_fragment(root, relations))
    return found or list(_tables(root))


def _fragment(root: etree._Element, relations: set[str] | None) -> Iterator[Violation]:
    if len(root) == 0 and not (root.text or "").strip():
        yield Violation("empty", "fragment", "no paragraph")
        return
    if len(root) > MAX_PARAGRAPHS:
        yield Violation("size", "fragment", f"{len(root)} paragraphs, at most {MAX_PARAGRAPHS}")
        return
    yield from _stray(root, "fragment")
    for number, child in enumerate(root, 1):
        at = f"{local(child)}[{number}]"
        if child.tag == w("p"):
            yield from _paragraph(child, at, relations, in_cell=False)
        elif child.tag == w("tr"):
            yield from _row(child, at, relations)
        else:
            if isinstance(child.tag, str) and child.nsmap != {"w": W, "r": R}:
                yield Violation("namespace", at, "a namespace declaration inside the fragment")
            yield Violation("element", at, f"<{_name(child)}> where a paragraph or a row belongs")


def _name(element: etree._Element) -> str:
    if not isinstance(element.tag, str):
        return "instruction"
    prefix = {W: "w:", R: "r:"}.get(etree.QName(element).namespace or "", "")
    return prefix + local(element)


def _stray(element: etree._Element, at: str) -> Iterator[Violation]:
    for text in [element.text, *(child.tail for child in element)]:
        if text and text.strip(" \t\r\n"):  # blanks between elements are no content, to Word either
            yield Violation("stray text", at, f"text outside w:t: {text.strip()[:40]!r}")
            return


def _common(element: etree._Element, at: str, attributes: set[str] = frozenset()) -> Iterator[Violation]:  # type: ignore[assignment]
    if element.nsmap != {"w": W, "r": R}:
        yield Violation("namespace", at, "a namespace declaration inside the fragment")
    for key in element.attrib:
        if key not in attributes:
            yield Violation("attribute", at, f"attribute {etree.QName(key).localname} is not in the subset")


def _paragraph(p: etree._Element, at: str, relations: set[str] | None, in_cell: bool) -> Iterator[Violation]:
    yield from _common(p, at)
    yield from _stray(p, at)
    runs = 0
    for number, child in enumerate(p, 1):
        here = f"{at}/{local(child)}[{number}]"
        if child.tag == w("pPr"):
            if number > 1:
                yield Violation("order", here, "w:pPr must come first")
            yield from _properties(child, here)
        elif child.tag == w("r"):
            runs += 1
            yield from _run(child, here, relations)
        else:
            yield Violation("element", here, f"<{_name(child)}> is not in the subset of a paragraph")
    if not runs and not in_cell:
        yield Violation("empty", at, "a paragraph without text")
    if len(text_of(p)) > MAX_TEXT:
        yield Violation("size", at, f"more than {MAX_TEXT} characters")
    if (
        (style := p.find(f"{w('pPr')}/{w('pStyle')}")) is not None
        and (kind_of_style(style.get(w("val"), "")) == "table") != in_cell
        and split_style(style.get(w("val"), ""))
    ):
        yield Violation(
            "style", at, f"style {style.get(w('val'))} {'inside' if in_cell else 'outside'} a table"
        )


def _properties(element: etree._Element, at: str) -> Iterator[Violation]:
    yield from _common(element, at)
    yield from _stray(element, at)
    order = _SEQUENCE[local(element)]
    last = -1
    for child in element:
        name = local(child)
        here = f"{at}/{name}"
        if name not in order or child.tag != w(name):
            yield Violation("element", here, f"<{_name(child)}> is not in the subset of {_name(element)}")
            continue
        if order.index(name) <= last:
            yield Violation("order", here, f"w:{name} twice or out of order in {_name(element)}")
        last = max(last, order.index(name))
        if name in _SEQUENCE:
            yield from _properties(child, here)
        else:
            yield from _leaf(child, here)
    if len(element) == 0:
        yield Violation("empty", at, f"an empty {_name(element)}")
    if element.tag == w("pPr") and len(element):
        style = element.find(w("pStyle"))
        parts = split_style(style.get(w("val"), "")) if style is not None else None
        if element.find(w("numPr")) is not None and (parts is None or parts[1] != "Num"):
            yield Violation("numbering", at, "w:numPr needs a numbered style (…Num)")


def _leaf(element: etree._Element, at: str) -> Iterator[Violation]:
    yield from _common(element, at, {w("val")})
    name, value = local(element), element.get(w("val"))
    if len(element) or element.text:
        yield Violation("element", at, f"w:{name} must be empty")
    if value is None:
        if name in _VAL_REQUIRED:
            yield Violation("attribute", at, f"w:{name} without w:val")
        return
    pattern = _LEAF[name]
    if name in _VAL_FORBIDDEN:
        yield Violation("attribute", at, f"w:{name} takes no w:val")
    elif name == "pStyle":
        if split_style(value) is None:
            yield Violation("style", at, f"no style {value!r} in the canonical set")
    elif pattern is not None and not pattern.fullmatch(value):
        yield Violation("value", at, f"w:{name} cannot be {value!r}")


def _run(run: etree._Element, at: str, relations: set[str] | None) -> Iterator[Violation]:
    yield from _common(run, at)
    yield from _stray(run, at)
    content = 0
    for number, child in enumerate(run, 1):
        here = f"{at}/{local(child)}"
        if child.tag == w("rPr"):
            if number > 1:
                yield Violation("order", here, "w:rPr must come first")
            yield from _properties(child, here)
            continue
        content += 1
        if child.tag == w("t"):
            yield from _text(child, here)
        elif child.tag in (w("tab"), w("br")):
            yield from _common(child, here)
            if len(child) or child.text:
                yield Violation("element", here, f"{_name(child)} must be empty")
        elif child.tag == w("drawing"):
            yield from _drawing(child, here, relations)
        else:
            yield Violation("element", here, f"<{_name(child)}> is not in the subset of a run")
    if not content:
        yield Violation("empty", at, "a run without content")


def _text(t: etree._Element, at: str) -> Iterator[Violation]:
    yield from _common(t, at, {_XSPACE})
    if len(t):
        yield Violation("element", at, "w:t holds text only")
    text = t.text or ""
    if not text:
        yield Violation("empty", at, "an empty w:t")
    if t.get(_XSPACE) not in (None, "preserve"):
        yield Violation("value", at, "xml:space can only be preserve")
    if t.get(_XSPACE) is None and _EDGE.search(text):
        yield Violation("space", at, 'Word drops blanks at the edge of a w:t without xml:space="preserve"')
    if re.match("[\u0300-\u036f]", text):
        # NFC would melt U+0338 with the tag's own ">"
        yield Violation("text", at, "an accent without its letter")
    if re.search(r"[\t\n\r]", text):
        yield Violation("text", at, "tabs and line breaks are written w:tab and w:br")


def _drawing(drawing: etree._Element, at: str, relations: set[str] | None) -> Iterator[Violation]:
    yield from _common(drawing, at, {r("id")})
    identifier = drawing.get(r("id"), "")
    if len(drawing) or drawing.text:
        yield Violation("element", at, "the picture's placeholder must be empty")
    if not _RID.fullmatch(identifier):
        yield Violation("reference", at, "a picture without its relation")
    elif relations is not None and identifier not in relations:
        yield Violation("reference", at, f"no picture {identifier} in the template")


def _row(row: etree._Element, at: str, relations: set[str] | None) -> Iterator[Violation]:
    yield from _common(row, at)
    yield from _stray(row, at)
    cells = 0
    for number, child in enumerate(row, 1):
        here = f"{at}/{local(child)}[{number}]"
        if child.tag == w("trPr"):
            if number > 1:
                yield Violation("order", here, "w:trPr must come first")
            yield from _properties(child, here)
        elif child.tag == w("tc"):
            cells += 1
            yield from _cell(child, here, relations)
        else:
            yield Violation("element", here, f"<{_name(child)}> is not in the subset of a row")
    if not cells:
        yield Violation("empty", at, "a row without cells")


def _cell(cell: etree._Element, at: str, relations: set[str] | None) -> Iterator[Violation]:
    yield from _common(cell, at)
    yield from _stray(cell, at)
    paragraphs = 0
    for number, child in enumerate(cell, 1):
        here = f"{at}/{local(child)}[{number}]"
        if child.tag == w("tcPr"):
            if number > 1:
                yield Violation("order", here, "w:tcPr must come first")
            yield from _properties(child, here)
        elif child.tag == w("p"):
            paragraphs += 1
            yield from _paragraph(child, here, relations, in_cell=True)
        else:
            yield Violation("element", here, f"<{_name(child)}> is not in the subset of a cell")
    if not paragraphs:
        yield Violation("cell", at, "a cell must hold a paragraph: Word repairs the file otherwise")


def row_cells(row: etree._Element) -> list[tuple[int, int, str | None]]:
    """`(first column, width, vertical merge)` of each cell; merge "restart", "continue" or None."""
    out, column = [], 0
    for cell in row.iterchildren(w("tc")):
        properties = cell.find(w("tcPr"))
        span = properties.find(w("gridSpan")) if properties is not None else None
        merge = properties.find(w("vMerge")) if properties is not None else None
        width = int(span.get(w("val"), "1")) if span is not None else 1
        out.append((column, width, None if merge is None else merge.get(w("val"), "continue")))
        column += width
    return out


def _tables(root: etree._Element) -> Iterator[Violation]:
    above: list[tuple[int, int, str | None]] | None = None
    for number, child in enumerate(root, 1):
        if child.tag != w("tr"):
            above = None
            continue
        at, cells = f"tr[{number}]", row_cells(child)
        if child.find(f"{w('trPr')}/{w('tblHeader')}") is not None:
            above = None
        width = sum(c[1] for c in cells)
        if width > 63:
            yield Violation("grid", at, f"{width} columns, Word takes 63")
        if above is not None and width != sum(c[1] for c in above):
            yield Violation("grid", at, f"{width} columns under a row of {sum(c[1] for c in above)}")
        merged = {(c[0], c[1]) for c in above or [] if c[2]}
        for column, span, merge in cells:
            # a fragment may begin in the middle of a table: only rows that follow one are held to it
            if merge == "continue" and above is not None and (column, span) not in merged:
                yield Violation(
                    "merge", at, f"column {column + 1} continues a merge that the row above does not have"
                )
        above = cells


# ---- a generation that was cut --------------------------------------------------------------------------------
_TAG = re.compile(r"<(/?)([A-Za-z:]+)((?:\s[^<>]*?)?)(/?)>")


def close_fragment(xml: str) -> str:
    """A fragment cut anywhere, closed: the partial tag or entity goes, then what is open and empty goes.

    For every prefix of a valid fragment the result is valid; a valid fragment comes back unchanged; no text is
    added. What is broken in its middle stays so, for `check` to name.
    """
    if not check_fragment(xml):
        return xml
    cut = xml.strip()
    if cut.rfind("<") > cut.rfind(">"):
        cut = cut[: cut.rfind("<")]
    cut = re.sub(r"&[#\w]{0,10}$", "", cut)
    stack: list[tuple[str, str]] = []
    for match in _TAG.finditer(cut):
        closing, name, attributes, empty = match.groups()
        if closing:
            if not stack or stack[-1][0] != name:
                return cut
            stack.pop()
        elif not empty:
            stack.append((name, attributes))
    if stack and stack[-1][0] == "w:t" and "preserve" not in stack[-1][1]:
        cut = cut.rstrip(" ")
    cut += "".join(f"</{name}>" for name, _ in reversed(stack))
    try:
        root = parse_fragment(cut)
    except InputError:
        return cut
    while len(root) and not _trim_tail(root):
        root.remove(root[-1])
    closed = (root.text or "") + "".join(serialize(child) + (child.tail or "") for child in root)
    return closed or NOTHING


def _trim_tail(root: etree._Element) -> bool:
    """Drop what is unfinished in the last paragraph or row; False when nothing of it is left."""
    last = root[-1]
    if last.tag == w("tr"):
        cells = [c for c in last if c.tag == w("tc")]
        if properties := last.findall(w("trPr")):
            _drop_empty(properties[0])
        if not cells:
            return False
        _trim_cell(cells[-1])
        above = last.getprevious()
        if above is not None and above.tag == w("tr") and last.find(f"{w('trPr')}/{w('tblHeader')}") is None:
            missing = sum(c[1] for c in row_cells(above)) - sum(c[1] for c in row_cells(last))
            for _ in range(missing):
                etree.SubElement(etree.SubElement(last, w("tc")), w("p"))
        return bool(text_of(last).replace("|", "").strip()) or last.find(f".//{w('drawing')}") is not None
    if last.tag == w("p"):
        _trim_paragraph(last)
        return last.find(w("r")) is not None
    return True


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
