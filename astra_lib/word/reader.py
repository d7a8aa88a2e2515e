"""A Word document as a clerk reads it: paragraphs and table rows in order, with all changes accepted.

Deleted text, comments, hidden text and field codes go; inserted text, field results, hyperlinks, content
controls stay; text boxes and footnotes follow the paragraph that holds them. What kind of paragraph each one
is, the minutes notebook decides.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

from lxml import etree

from .blocks import (
    Block,
    TableCell,
    TableRow,
    TextRun,
    WordParagraph,
    accept_deleted_marks,
    as_paragraph,
    even_out,
    repair_tables,
)
from .package import Package
from .styles import Emphasis, Font, StyleSheet, TableFormat, direct_format
from .xml import children, is_on, local, plain_xml, r, val, value_of, w

# the characters of Symbol and Wingdings that minutes do use; others keep their private code, with a warning
_SYMBOLS = {
    0x2D: "−",
    0x6C: "●",
    0x6E: "■",
    0x6F: "□",
    0x71: "❑",
    0x72: "❒",
    0x76: "❖",
    0xA7: "▪",
    0xA8: "◻",
    0xB0: "°",
    0xB1: "±",
    0xB7: "•",
    0xD7: "×",
    0xD8: "➢",
    0xE0: "→",
    0xE8: "➔",
    0xFB: "✗",
    0xFC: "✓",
    0xFD: "☒",
    0xFE: "☑",
}
# elements of a paragraph without text of their own that a reader sees
_SKIPPED = frozenset(
    """
    del moveFrom instrText delText delInstrText fldData rt
    pPr rPr sectPr tblPr tblGrid trPr tcPr sdtPr sdtEndPr smartTagPr customXmlPr rubyPr tblPrEx
    proofErr bookmarkStart bookmarkEnd permStart permEnd lastRenderedPageBreak
    commentRangeStart commentRangeEnd commentReference annotationRef
    footnoteRef endnoteRef separator continuationSeparator
    """.split()
)
# elements that only wrap others
_WRAPPERS = frozenset(
    "ins moveTo hyperlink smartTag customXml sdt sdtContent fldSimple bdo dir ruby rubyBase".split()
)
MAX_TABLE_DEPTH = 8
_BREAK, _NO_BREAK_HYPHEN, _SOFT_HYPHEN = ("br", ""), ("t", "\u2011"), ("t", "\u00ad")
_FIXED_PIECES = {
    "tab": ("tab", ""),
    "ptab": ("tab", ""),
    "cr": _BREAK,
    "noBreakHyphen": _NO_BREAK_HYPHEN,
    "softHyphen": _SOFT_HYPHEN,
}

Piece = tuple[str, str]  # see TextRun.pieces; while reading also ("note", number)


class PartReader:
    """Reads one part of a package: the body, a header, a note.

    It owns what the part's elements share: open fields, tables and pictures seen, notes still to come.
    """

    def __init__(self, package: Package, sheet: StyleSheet, part: str) -> None:
        self.package, self.sheet, self.part = package, sheet, part
        self.warnings: Counter[str] = Counter()
        self.tables: list[TableFormat] = []
        self.pictures: dict[str, etree._Element] = {}
        self._page_ends: set[etree._Element] = set()  # paragraphs that end a section and with it a page
        self._fields: list[bool] = []  # for each open field: is its result being read?
        self._pending: list[WordParagraph] = []  # text boxes and notes of the current paragraph
        self._notes: dict[str, dict[str, etree._Element]] = {}
        self._note_numbers: Counter[str] = Counter()

    # ---- blocks
    def blocks(self, container: etree._Element) -> list[Block]:
        """The container's paragraphs and rows without the empty ones, which only count as blank lines."""
        out: list[Block] = []
        blanks, page = 0, False
        self._page_ends = _page_ends(container)
        for block in accept_deleted_marks(self._all_blocks(container)):
            page = page or block.page_before
            if block.empty:
                blanks += 1
                page = page or isinstance(block, WordParagraph) and block.page_after
                continue
            block.page_before, page = page, isinstance(block, WordParagraph) and block.page_after
            block.blank_before = blanks
            if out:
                out[-1].blank_after = blanks
            blanks = 0
            out.append(block)
        repair_tables(out)
        return out

    def _all_blocks(self, container: etree._Element, depth: int = 0) -> Iterator[Block]:
        for child in children(container):
            name = local(child)
            if name == "p":
                yield self.paragraph(child)
                yield from self._take_pending()
            elif name == "tbl":
                yield from self._table(child, depth)
            elif name in _WRAPPERS and not self._unfilled(child):
                yield from self._all_blocks(child, depth)
            elif name == "altChunk":
                self.warnings["an embedded foreign document (altChunk) was left out"] += 1

    def _unfilled(self, wrapper: etree._Element) -> bool:
        """A content control that still shows its placeholder ("Click to enter text"): counted, not read."""
        if local(wrapper) != "sdt" or wrapper.find(f"{w('sdtPr')}/{w('showingPlcHdr')}") is None:
            return False
        self.warnings["a content control nobody filled in was left out"] += 1
        return True

    def _take_pending(self) -> list[WordParagraph]:
        pending, self._pending = self._pending, []
        return pending

    # ---- tables
    def _table(self, table: etree._Element, depth: int) -> Iterator[TableRow]:
        number = len(self.tables)
        elements = [tr for tr in _rows(table) if tr.find(f"{w('trPr')}/{w('del')}") is None]
        rows = [self._row(tr, number, depth) for tr in elements]
        even_out(rows)
        if depth == 0:
            self.tables.append(_table_format(table, elements, rows))
        shown = [row for row in rows if row.cells]
        for position, row in enumerate(shown):
            row.first = position == 0
            yield row

    def _row(self, tr: etree._Element, table: int, depth: int) -> TableRow:
        before = value_of(tr.find(w("trPr")), "gridBefore")
        skipped = [TableCell(int(before), None, [])] if before.isdigit() and int(before) else []
        return TableRow(skipped + [self._cell(tc, depth) for tc in _cells(tr)], table)

    def _cell(self, tc: etree._Element, depth: int) -> TableCell:
        properties = tc.find(w("tcPr"))
        span = value_of(properties, "gridSpan")
        merge = properties.find(w("vMerge")) if properties is not None else None
        paragraphs: list[WordParagraph] = []
        if depth >= MAX_TABLE_DEPTH:
            self.warnings["a table nested too deep was left out"] += 1
        else:
            inner = accept_deleted_marks(self._all_blocks(tc, depth + 1))
            paragraphs = [p for p in map(as_paragraph, inner) if not p.empty]
        return TableCell(
            max(1, int(span)) if span.isdigit() else 1,
            None if merge is None else merge.get(w("val"), "continue"),
            paragraphs,
        )

    # ---- one paragraph
    def paragraph(self, p: etree._Element) -> WordParagraph:
        """A w:p with its style, its list, where it stands, and its text as runs of equal format."""
        ppr = p.find(w("pPr"))
        style = value_of(ppr, "pStyle") or self.sheet.default_paragraph
        level = val(self.sheet.paragraph_property(ppr, style, "outlineLvl"))
        mark = ppr.find(w("rPr")) if ppr is not None else None
        paragraph = WordParagraph(
            style=style,
            style_name=self.sheet.name_of(style),
            direct_format=direct_format(ppr),
            alignment=val(self.sheet.paragraph_property(ppr, style, "jc")),
            outline_level=int(level) if level.isdigit() and int(level) < 9 else None,
            numbering=self.sheet.numbering(ppr, style),
            joins_next=_is_deleted(mark),
        )
        paragraph.page_before, paragraph.page_after = _page_breaks(p, p in self._page_ends)
        for emphasis, font, piece in self._inline(p, style):
            last = paragraph.runs[-1] if paragraph.runs else None
            if last is None or (last.emphasis, last.font) != (emphasis, font):
                last = TextRun(emphasis, font)
                paragraph.runs.append(last)
            last.pieces.append(piece)
        return paragraph

    def _inline(self, parent: etree._Element, style: str) -> Iterator[tuple[Emphasis, Font, Piece]]:
        for child in children(parent):
            name = local(child)
            if name in _SKIPPED:
                continue
            if name == "r":
                yield from self._run(child, style)
            elif name in _WRAPPERS and not self._unfilled(child):
                yield from self._inline(child, style)
            elif name in ("oMath", "oMathPara"):
                text = "".join(t.text or "" for t in child.iter() if local(t) == "t")
                self.warnings["a formula was kept as plain text"] += 1
                yield Emphasis(), Font(), ("t", text)

    def _run(self, run: etree._Element, style: str) -> Iterator[tuple[Emphasis, Font, Piece]]:
        rpr = run.find(w("rPr"))
        if _is_deleted(rpr):
            return
        emphasis, font, hidden = self.sheet.run_format(rpr, style)
        for kind, value in self._pieces(run):
            if hidden:
                self.warnings["hidden text was left out"] += 1
            elif kind == "note":  # in brackets it needs no superscript
                yield replace(emphasis, vertical=""), font, ("t", value)
            else:
                yield emphasis, font, (kind, value)

    def _pieces(self, run: etree._Element) -> Iterator[Piece]:
        for child in children(run):
            name = local(child)
            if name == "fldChar":
                self._field(child.get(w("fldCharType"), ""))
            elif not all(self._fields):
                continue  # inside a field's code
            elif name in _FIXED_PIECES:
                yield _FIXED_PIECES[name]
            elif name == "t" and child.text:
                yield "t", _as_shown(child.text)
            elif name == "br" and child.get(w("type"), "textWrapping") == "textWrapping":
                yield _BREAK
            elif name == "sym":
                yield "t", self._symbol(child.get(w("char"), ""))
            elif name in ("footnoteReference", "endnoteReference"):
                yield from self._note(name.removesuffix("Reference"), child)
            elif name in ("drawing", "pict", "object"):
                yield from self._picture(child)

    def _field(self, step: str) -> None:
        """A complex field: a code between `begin` and `separate`, its result up to `end`; they nest."""
        if step == "begin":
            self._fields.append(False)
        elif step == "separate" and self._fields:
            self._fields[-1] = True
        elif step == "end" and self._fields:
            self._fields.pop()

    def _symbol(self, code: str) -> str:
        try:
            number = int(code, 16)
        except ValueError:
            return ""
        if known := _SYMBOLS.get(number & 0xFF if 0xF000 <= number <= 0xF0FF else number):
            return known
        if 0xE000 <= number <= 0xF8FF:
            self.warnings[f"symbol {code} has no Unicode character and was kept as a private one"] += 1
        return chr(number) if 0x20 <= number < 0xD800 or 0xE000 <= number <= 0xFFFD else ""

    # ---- notes and pictures
    def _note(self, kind: str, reference: etree._Element) -> Iterator[Piece]:
        if kind not in self._notes:
            part = self.package.related(kind + "s", self.part)
            root = self.package.xml(part) if part else []
            self._notes[kind] = {n.get(w("id"), ""): n for n in root if local(n) == kind}
        note = self._notes[kind].get(reference.get(w("id"), ""))
        if note is None:
            return
        self._note_numbers[kind] += 1
        # in brackets: a bare digit would make another number of "2024" before it
        number = "" if _has_own_mark(reference) else f"[{self._note_numbers[kind]}]"
        inner = PartReader(self.package, self.sheet, self.part)
        paragraphs = [block for block in inner.blocks(note) if isinstance(block, WordParagraph)]
        self.warnings.update(inner.warnings)
        for paragraph in paragraphs:
            paragraph.note = True
        if paragraphs and number:
            first = paragraphs[0]
            first.runs.insert(0, TextRun(Emphasis(), first.main_font(), [("t", number)]))
        self._pending += paragraphs
        if number:
            yield "note", number

    def _picture(self, drawing: etree._Element) -> Iterator[Piece]:
        boxes = [node for node in drawing.iter(w("txbxContent")) if not _in_fallback(node, drawing)]
        for box in boxes:
            if any(outer in boxes for outer in box.iterancestors()):
                continue  # read with the box around it
            inner = accept_deleted_marks(self._all_blocks(box))
            self._pending += [p for p in map(as_paragraph, inner) if not p.empty]
        for node in drawing.iter():
            if local(node) not in ("blip", "imagedata", "chart", "relIds"):
                continue
            relation = next(filter(None, (node.get(r(x)) for x in ("embed", "id", "link", "dm"))), None)
            if relation:
                self.pictures.setdefault(relation, drawing)
                yield "pic", relation
                return
        if not boxes:
            self.warnings["a drawn shape without picture or text was left out"] += 1


# ---- single elements
def _is_deleted(rpr: etree._Element | None) -> bool:
    """Whether run properties say that a tracked change takes the run away."""
    return rpr is not None and any(rpr.find(w(name)) is not None for name in ("del", "moveFrom"))


def _has_own_mark(reference: etree._Element) -> bool:
    """Whether the author typed the note's mark: then it has no number."""
    return reference.get(w("customMarkFollows")) in ("1", "true", "on")


def _as_shown(text: str) -> str:
    """Text of a w:t as Word shows it: a raw line end or tab inside it is a blank."""
    return text.replace("\r\n", " ").replace("\n", " ").replace("\r", " ").replace("\t", " ")


def _in_fallback(node: etree._Element, drawing: etree._Element) -> bool:
    """Whether an element stands in the second rendering that Word keeps for old versions of itself."""
    between = []
    for ancestor in node.iterancestors():
        if ancestor is drawing:
            break
        between.append(ancestor)
    return any(local(x) == "Fallback" for x in between)


def _rows(table: etree._Element) -> Iterator[etree._Element]:
    for child in children(table):
        if local(child) == "tr":
            yield child
        elif local(child) in _WRAPPERS:
            yield from _rows(child)


def _cells(row: etree._Element) -> Iterator[etree._Element]:
    for child in children(row):
        if local(child) == "tc":
            if child.find(f"{w('tcPr')}/{w('cellDel')}") is None:
                yield child
        elif local(child) in _WRAPPERS:
            yield from _cells(child)


def _table_format(table: etree._Element, elements: list[etree._Element], rows: list[TableRow]) -> TableFormat:
    grid = table.find(w("tblGrid"))
    columns = [] if grid is None else grid.iterchildren(w("gridCol"))
    widths = tuple(int(float(column.get(w("w"), "0") or 0)) for column in columns)
    properties = table.find(w("tblPr"))
    if properties is not None:
        for child in list(properties):
            if local(child) in ("tblPrChange", "tblpPr", "tblOverlap"):
                properties.remove(child)
    patterns = [tuple(map(_cell_pattern, _cells(tr))) for tr in elements[:2]]
    texts = [" ".join(p.text for p in cell.paragraphs) for cell in rows[0].cells] if rows else []
    return TableFormat(
        columns=len(widths),
        properties=plain_xml(properties) if properties is not None else "",
        grid=widths,
        head=patterns[0] if patterns else (),
        body=patterns[1] if len(patterns) > 1 else (),
        first_row=" | ".join(texts),
    )


def _cell_pattern(tc: etree._Element) -> str:
    """Borders, shade and margins of a cell, as XML."""
    own = tc.find(w("tcPr"))
    kept = ("tcBorders", "shd", "tcMar", "vAlign")
    return "" if own is None else "".join(plain_xml(c) for c in own if local(c) in kept)


# ---- pages
def _page_ends(container: etree._Element) -> set[etree._Element]:
    """The paragraphs after which a section begins on a new page: the next section's own type says so."""
    sections = list(container.iter(w("sectPr")))
    found = set()
    for section, following in zip(sections, sections[1:], strict=False):
        if value_of(following, "type") in ("continuous", "nextColumn"):
            continue
        owner = section.getparent()
        paragraph = owner.getparent() if owner is not None and owner.tag == w("pPr") else None
        if paragraph is not None:
            found.add(paragraph)
    return found


def _page_breaks(p: etree._Element, ends_section: bool) -> tuple[bool, bool]:
    """Does a page begin with this paragraph, and one after it?"""
    before, after = is_on(p.find(f"{w('pPr')}/{w('pageBreakBefore')}")), ends_section
    text = False
    for node in p.iter(w("t"), w("br")):
        if node.tag == w("t"):
            text = text or bool((node.text or "").strip())
        elif node.get(w("type")) == "page":
            before, after = before or not text, after or text
    return before, after
