"""The schema of the canonical subset: every rule that a fragment breaks, with its place."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from lxml import etree

from ..core.errors import InputError
from .canonical import NOTHING, kind_of_style, parse_fragment, prefixed, row_cells, split_style, text_of
from .xml import XML, R, W, local, r, value_of, w

MAX_PARAGRAPHS, MAX_TEXT, MAX_COLUMNS = 20_000, 1_000_000, 63

# the children of a properties element that are allowed, in their order
_SEQUENCE = {
    "pPr": ("pStyle", "numPr"),
    "numPr": ("numId",),
    "rPr": ("b", "i", "strike", "u", "vertAlign"),
    "trPr": ("tblHeader",),
    "tcPr": ("gridSpan", "vMerge"),
}
# what w:val may be; pStyle has a rule of its own
_VALUES = {
    "numId": re.compile(r"[1-9]\d{0,3}"),
    "b": re.compile("0"),
    "i": re.compile("0"),
    "u": re.compile("single|none"),
    "vertAlign": re.compile("superscript|subscript"),
    "gridSpan": re.compile(r"[2-9]|[1-5]\d|6[0-3]"),
    "vMerge": re.compile("restart"),
}
_VAL_REQUIRED = {"pStyle", "numId", "u", "vertAlign", "gridSpan"}
_VAL_FORBIDDEN = {"strike", "tblHeader"}
_XSPACE = f"{{{XML}}}space"
_RELATION_ID = re.compile(r"[A-Za-z_][\w.-]{0,63}")


@dataclass(frozen=True)
class Violation:
    """A broken rule: its name, the place (`p[2]/r[1]/t`, or a part of a .docx), and what is wrong there."""

    rule: str
    where: str
    message: str

    def __str__(self) -> str:
        return f"{self.where}: {self.message} [{self.rule}]"


Violations = Iterator[Violation]


def check_fragment(xml: str, relations: set[str] | None = None) -> list[Violation]:
    """All violations of a fragment; `relations`: the pictures that exist, None when that is not known."""
    if xml.strip() == NOTHING:
        return []
    try:
        root = parse_fragment(xml)
    except InputError as error:
        return [Violation(_rule_of(error.what), "fragment", error.what)]
    return list(_fragment(root, relations)) or list(_grid(root))


def _rule_of(parse_error: str) -> str:
    if "at most" in parse_error:
        return "size"
    return "markup" if "not allowed" in parse_error or "DOCTYPE" in parse_error else "well-formed"


# ---- what every element is held to
def _common(element: etree._Element, at: str, attributes: Collection[str] = ()) -> Violations:
    if element.nsmap != {"w": W, "r": R}:
        yield Violation("namespace", at, "a namespace declaration inside the fragment")
    for key in element.attrib:
        if key not in attributes:
            yield Violation("attribute", at, f"attribute {etree.QName(key).localname} is not in the subset")


def _stray(element: etree._Element, at: str) -> Violations:
    for text in [element.text, *(child.tail for child in element)]:
        if text and text.strip(" \t\r\n"):  # blanks between elements are no content, to Word either
            yield Violation("stray text", at, f"text outside w:t: {text.strip()[:40]!r}")
            return


def _unknown(child: etree._Element, at: str, place: str) -> Violation:
    name = prefixed(child.tag) if isinstance(child.tag, str) else "instruction"
    return Violation("element", at, f"<{name}> {place}")


# ---- blocks
def _fragment(root: etree._Element, relations: set[str] | None) -> Violations:
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
            yield _unknown(child, at, "where a paragraph or a row belongs")


def _paragraph(p: etree._Element, at: str, relations: set[str] | None, in_cell: bool) -> Violations:
    yield from _common(p, at)
    yield from _stray(p, at)
    runs = 0
    for number, child in enumerate(p, 1):
        here = f"{at}/{local(child)}[{number}]"
        if child.tag == w("pPr"):
            yield from _leading_properties(child, here, number)
        elif child.tag == w("r"):
            runs += 1
            yield from _run(child, here, relations)
        else:
            yield _unknown(child, here, "is not in the subset of a paragraph")
    if not runs and not in_cell:
        yield Violation("empty", at, "a paragraph without text")
    if len(text_of(p)) > MAX_TEXT:
        yield Violation("size", at, f"more than {MAX_TEXT} characters")
    style = value_of(p, "pPr", "pStyle")
    if style and split_style(style) and (kind_of_style(style) == "table") != in_cell:
        yield Violation("style", at, f"style {style} {'inside' if in_cell else 'outside'} a table")


def _row(row: etree._Element, at: str, relations: set[str] | None) -> Violations:
    yield from _common(row, at)
    yield from _stray(row, at)
    cells = 0
    for number, child in enumerate(row, 1):
        here = f"{at}/{local(child)}[{number}]"
        if child.tag == w("trPr"):
            yield from _leading_properties(child, here, number)
        elif child.tag == w("tc"):
            cells += 1
            yield from _cell(child, here, relations)
        else:
            yield _unknown(child, here, "is not in the subset of a row")
    if not cells:
        yield Violation("empty", at, "a row without cells")


def _cell(cell: etree._Element, at: str, relations: set[str] | None) -> Violations:
    yield from _common(cell, at)
    yield from _stray(cell, at)
    paragraphs = 0
    for number, child in enumerate(cell, 1):
        here = f"{at}/{local(child)}[{number}]"
        if child.tag == w("tcPr"):
            yield from _leading_properties(child, here, number)
        elif child.tag == w("p"):
            paragraphs += 1
            yield from _paragraph(child, here, relations, in_cell=True)
        else:
            yield _unknown(child, here, "is not in the subset of a cell")
    if not paragraphs:
        yield Violation("cell", at, "a cell must hold a paragraph: Word repairs the file otherwise")


# ---- properties
def _leading_properties(element: etree._Element, at: str, number: int) -> Violations:
    """w:pPr, w:rPr, w:trPr, w:tcPr: the first child of what they describe."""
    if number > 1:
        yield Violation("order", at, f"w:{local(element)} must come first")
    yield from _properties(element, at)


def _properties(element: etree._Element, at: str) -> Violations:
    yield from _common(element, at)
    yield from _stray(element, at)
    own_name, order, last = prefixed(element.tag), _SEQUENCE[local(element)], -1
    for child in element:
        name = local(child)
        here = f"{at}/{name}"
        if name not in order or child.tag != w(name):
            yield _unknown(child, here, f"is not in the subset of {own_name}")
            continue
        if order.index(name) <= last:
            yield Violation("order", here, f"w:{name} twice or out of order in {own_name}")
        last = max(last, order.index(name))
        yield from _properties(child, here) if name in _SEQUENCE else _leaf(child, here)
    if len(element) == 0:
        yield Violation("empty", at, f"an empty {own_name}")
    if element.tag == w("pPr") and element.find(w("numPr")) is not None:
        parts = split_style(value_of(element, "pStyle"))
        if parts is None or parts[1] != "Num":
            yield Violation("numbering", at, "w:numPr needs a numbered style (…Num)")


def _leaf(element: etree._Element, at: str) -> Violations:
    yield from _common(element, at, {w("val")})
    name, value = local(element), element.get(w("val"))
    if len(element) or element.text:
        yield Violation("element", at, f"w:{name} must be empty")
    if value is None:
        if name in _VAL_REQUIRED:
            yield Violation("attribute", at, f"w:{name} without w:val")
    elif name in _VAL_FORBIDDEN:
        yield Violation("attribute", at, f"w:{name} takes no w:val")
    elif name == "pStyle":
        if split_style(value) is None:
            yield Violation("style", at, f"no style {value!r} in the canonical set")
    elif not _VALUES[name].fullmatch(value):
        yield Violation("value", at, f"w:{name} cannot be {value!r}")


# ---- runs
def _run(run: etree._Element, at: str, relations: set[str] | None) -> Violations:
    yield from _common(run, at)
    yield from _stray(run, at)
    content = 0
    for number, child in enumerate(run, 1):
        here = f"{at}/{local(child)}"
        if child.tag == w("rPr"):
            yield from _leading_properties(child, here, number)
            continue
        content += 1
        if child.tag == w("t"):
            yield from _text(child, here)
        elif child.tag in (w("tab"), w("br")):
            yield from _common(child, here)
            if len(child) or child.text:
                yield Violation("element", here, f"{prefixed(child.tag)} must be empty")
        elif child.tag == w("drawing"):
            yield from _drawing(child, here, relations)
        else:
            yield _unknown(child, here, "is not in the subset of a run")
    if not content:
        yield Violation("empty", at, "a run without content")


def _text(t: etree._Element, at: str) -> Violations:
    yield from _common(t, at, {_XSPACE})
    if len(t):
        yield Violation("element", at, "w:t holds text only")
    text, space = t.text or "", t.get(_XSPACE)
    if not text:
        yield Violation("empty", at, "an empty w:t")
    if space not in (None, "preserve"):
        yield Violation("value", at, "xml:space can only be preserve")
    if space is None and (text.startswith(" ") or text.endswith(" ")):
        yield Violation("space", at, 'Word drops blanks at the edge of a w:t without xml:space="preserve"')
    if re.match("[\u0300-\u036f]", text):
        # NFC would melt U+0338 with the tag's own ">"
        yield Violation("text", at, "an accent without its letter")
    if re.search(r"[\t\n\r]", text):
        yield Violation("text", at, "tabs and line breaks are written w:tab and w:br")


def _drawing(drawing: etree._Element, at: str, relations: set[str] | None) -> Violations:
    yield from _common(drawing, at, {r("id")})
    identifier = drawing.get(r("id"), "")
    if len(drawing) or drawing.text:
        yield Violation("element", at, "the picture's placeholder must be empty")
    if not _RELATION_ID.fullmatch(identifier):
        yield Violation("reference", at, "a picture without its relation")
    elif relations is not None and identifier not in relations:
        yield Violation("reference", at, f"no picture {identifier} in the template")


# ---- tables
def _grid(root: etree._Element) -> Violations:
    """Rows that follow each other are one table: as wide as the row above, merges begun there."""
    above: list[tuple[int, int, str | None]] | None = None
    for number, child in enumerate(root, 1):
        if child.tag != w("tr"):
            above = None
            continue
        if child.find(f"{w('trPr')}/{w('tblHeader')}") is not None:
            above = None
        at, cells = f"tr[{number}]", row_cells(child)
        width = sum(span for _, span, _ in cells)
        if width > MAX_COLUMNS:
            yield Violation("grid", at, f"{width} columns, Word takes {MAX_COLUMNS}")
        # a fragment may begin in the middle of a table: only rows that follow one are held to it
        if above is not None:
            yield from _fits(cells, width, above, at)
        above = cells


def _fits(
    cells: list[tuple[int, int, str | None]], width: int, above: list[tuple[int, int, str | None]], at: str
) -> Violations:
    width_above = sum(span for _, span, _ in above)
    if width != width_above:
        yield Violation("grid", at, f"{width} columns under a row of {width_above}")
    merged = {(column, span) for column, span, merge in above if merge}
    for column, span, merge in cells:
        if merge == "continue" and (column, span) not in merged:
            message = f"column {column + 1} continues a merge that the row above does not have"
            yield Violation("merge", at, message)
