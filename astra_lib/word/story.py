"""A Word document as a clerk reads it: paragraphs and table rows in body order, with all changes accepted.

Deleted text, comments, hidden text and field codes go; inserted text, field results, hyperlinks, content controls
stay; text boxes and footnotes follow the paragraph that holds them. Nothing here decides what a paragraph *is*:
see the minutes notebook.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from dataclasses import replace as with_

from lxml import etree

from .package import Package, R, children, local, r, w
from .styles import Dress, Marks, Numbering, Sheet, TableLook, is_on, look_of, plain_xml, value_of

# Symbol and Wingdings characters that minutes do use; others keep their private code and are warned about
_SYMBOLS = {
    0xB7: "•",
    0xA7: "▪",
    0x6C: "●",
    0x6E: "■",
    0x71: "❑",
    0x76: "❖",
    0xD8: "➢",
    0xE0: "→",
    0xE8: "➔",
    0xFC: "✓",
    0xFB: "✗",
    0xFE: "☑",
    0xFD: "☒",
    0xA8: "◻",
    0x6F: "□",
    0x72: "❒",
    0xB0: "°",
    0xB1: "±",
    0x2D: "−",
    0xD7: "×",
}
_SKIP = {
    "del",
    "moveFrom",
    "pPr",
    "rPr",
    "proofErr",
    "bookmarkStart",
    "bookmarkEnd",
    "commentRangeStart",
    "commentRangeEnd",
    "commentReference",
    "annotationRef",
    "footnoteRef",
    "endnoteRef",
    "separator",
    "continuationSeparator",
    "lastRenderedPageBreak",
    "permStart",
    "permEnd",
    "instrText",
    "delText",
    "delInstrText",
    "sectPr",
    "fldData",
    "tblPr",
    "tblGrid",
    "trPr",
    "tcPr",
    "sdtPr",
    "sdtEndPr",
    "smartTagPr",
    "customXmlPr",
    "rt",
    "rubyPr",
    "tblPrEx",
}
_INTO = {
    "ins",
    "moveTo",
    "hyperlink",
    "smartTag",
    "customXml",
    "sdt",
    "sdtContent",
    "fldSimple",
    "bdo",
    "dir",
    "ruby",
    "rubyBase",
}
MAX_TABLE_DEPTH = 8


@dataclass
class Run:
    """`pieces`: ("t", text), ("tab", ""), ("br", ""), ("pic", relation)."""

    marks: Marks
    dress: Dress
    pieces: list[tuple[str, str]] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "".join(
            {"tab": "\t", "br": "\n"}.get(kind, value if kind == "t" else "") for kind, value in self.pieces
        )


@dataclass
class Line:
    """A paragraph of the story. `blank_before`, `blank_after`: empty paragraphs around it; `page_before`: it begins a page."""

    runs: list[Run] = field(default_factory=list)
    style: str = ""
    style_name: str = ""
    look: str = ""
    align: str = ""
    outline: int | None = None
    numbering: Numbering | None = None
    blank_before: int = 0
    blank_after: int = 0
    page_before: bool = False
    page_after: bool = False
    note: bool = False
    joins_next: bool = False  # its paragraph mark was deleted

    @property
    def text(self) -> str:
        return "".join(run.text for run in self.runs)

    @property
    def empty(self) -> bool:
        return not self.text.strip() and not any(kind == "pic" for run in self.runs for kind, _ in run.pieces)

    def all(self, mark: str) -> bool:
        """Whether all visible text carries a mark."""
        shown = [run for run in self.runs if run.text.strip()]
        return bool(shown) and all(getattr(run.marks, mark) for run in shown)

    def dress(self) -> Dress:
        """The dress most of its text wears."""
        weight: Counter[Dress] = Counter()
        for run in self.runs:
            weight[run.dress] += len(run.text)
        return weight.most_common(1)[0][0] if weight else Dress()


@dataclass
class Cell:
    span: int
    merge: str | None  # "restart", "continue" or None
    lines: list[Line]


@dataclass
class Row:
    """A table's row; `table` counts tables from 0; `first` begins one."""

    cells: list[Cell]
    table: int
    first: bool = False
    blank_before: int = 0
    blank_after: int = 0
    page_before: bool = False

    @property
    def empty(self) -> bool:
        return all(line.empty for cell in self.cells for line in cell.lines)


class Story:
    """Reads one part (the body, a header, the notes); state: open fields, tables seen, notes to append."""

    def __init__(self, package: Package, sheet: Sheet, part: str) -> None:
        self.package, self.sheet, self.part = package, sheet, part
        self.warnings: Counter[str] = Counter()
        self.tables: list[TableLook] = []
        self.pictures: dict[str, etree._Element] = {}
        self._ends: set[etree._Element] = set()  # paragraphs that end a section and with it a page
        self._fields: list[bool] = []  # an open complex field: is its result being read?
        self._pending: list[Line] = []  # text boxes and notes of the current paragraph
        self._notes: dict[str, dict[str, etree._Element]] = {}
        self._note_numbers: Counter[str] = Counter()

    # ---- blocks
    def body(self, container: etree._Element) -> list[Line | Row]:
        """The container's paragraphs and rows without the empty ones, which only count as blanks."""
        out: list[Line | Row] = []
        blanks, page = 0, False
        self._ends = _new_pages(container)
        for block in _join(self._blocks(container)):
            page = page or block.page_before
            if block.empty:
                blanks += 1
                page = page or isinstance(block, Line) and block.page_after
                continue
            block.page_before, page = page, isinstance(block, Line) and block.page_after
            block.blank_before = blanks
            if out:
                out[-1].blank_after = blanks
            blanks = 0
            out.append(block)
        _mend(out)
        return out

    def _blocks(self, container: etree._Element, depth: int = 0) -> Iterator[Line | Row]:
        for child in children(container):
            name = local(child)
            if name == "p":
                yield self.paragraph(child)
                yield from self._take_pending()
            elif name == "tbl":
                yield from self._table(child, depth)
            elif name in _INTO:
                if name == "sdt" and child.find(f"{w('sdtPr')}/{w('showingPlcHdr')}") is not None:
                    self.warnings["a content control nobody filled in was left out"] += 1
                    continue
                yield from self._blocks(child, depth)
            elif name == "altChunk":
                self.warnings["an embedded foreign document (altChunk) was left out"] += 1

    def _take_pending(self) -> Iterator[Line]:
        pending, self._pending = self._pending, []
        yield from pending

    def _table(self, table: etree._Element, depth: int) -> Iterator[Row]:
        number = len(self.tables)
        rows = []
        for tr in _rows(table):
            if tr.find(f"{w('trPr')}/{w('del')}") is not None:
                continue
            before = value_of(tr.find(w("trPr")), "gridBefore")
            cells = [Cell(int(before), None, [])] if before.isdigit() and int(before) else []
            rows.append((tr, Row(cells + [self._cell(tc, depth) for tc in _cells(tr)], number)))
        _square([row for _, row in rows])
        if depth == 0:
            self.tables.append(_table_look(table, rows))
        first = True
        for _, row in rows:
            if row.cells:
                row.first, first = first, False
                yield row

    def _cell(self, tc: etree._Element, depth: int) -> Cell:
        properties = tc.find(w("tcPr"))
        span = value_of(properties, "gridSpan")
        merge = properties.find(w("vMerge")) if properties is not None else None
        lines: list[Line] = []
        if depth >= MAX_TABLE_DEPTH:
            self.warnings["a table nested too deep was left out"] += 1
        else:
            for block in _join(self._blocks(tc, depth + 1)):
                lines += [block] if isinstance(block, Line) else [_flat(block)]
        return Cell(
            max(1, int(span)) if span.isdigit() else 1,
            None if merge is None else merge.get(w("val"), "continue"),
            [line for line in lines if not line.empty],
        )

    # ---- one paragraph
    def paragraph(self, p: etree._Element) -> Line:
        ppr = p.find(w("pPr"))
        style = value_of(ppr, "pStyle") or self.sheet.default_paragraph
        outline = self.sheet.paragraph_property(ppr, style, "outlineLvl")
        level = outline.get(w("val"), "") if outline is not None else ""
        align = self.sheet.paragraph_property(ppr, style, "jc")
        mark = ppr.find(w("rPr")) if ppr is not None else None
        line = Line(
            style=style,
            style_name=self.sheet.name_of(style),
            look=look_of(ppr),
            align="" if align is None else align.get(w("val"), ""),
            outline=int(level) if level.isdigit() and int(level) < 9 else None,
            numbering=self.sheet.numbering(ppr, style),
            joins_next=mark is not None
            and (mark.find(w("del")) is not None or mark.find(w("moveFrom")) is not None),
        )
        line.page_before, line.page_after = _pages(p, ppr, self._ends)
        for marks, dress, piece in self._inline(p, style):
            if not line.runs or (line.runs[-1].marks, line.runs[-1].dress) != (marks, dress):
                line.runs.append(Run(marks, dress))
            line.runs[-1].pieces.append(piece)
        return line

    def _inline(self, parent: etree._Element, style: str) -> Iterator[tuple[Marks, Dress, tuple[str, str]]]:
        for child in children(parent):
            name = local(child)
            if name in _SKIP:
                continue
            if name == "r":
                rpr = child.find(w("rPr"))
                if rpr is not None and (
                    rpr.find(w("del")) is not None or rpr.find(w("moveFrom")) is not None
                ):
                    continue
                marks, dress, hidden = self.sheet.run(rpr, style)
                for piece in self._pieces(child):
                    if hidden:
                        self.warnings["hidden text was left out"] += 1
                    elif piece[0] == "note":
                        yield with_(marks, vert=""), dress, ("t", piece[1])
                    else:
                        yield marks, dress, piece
            elif name in _INTO:
                if name == "sdt" and child.find(f"{w('sdtPr')}/{w('showingPlcHdr')}") is not None:
                    self.warnings["a content control nobody filled in was left out"] += 1
                    continue
                yield from self._inline(child, style)
            elif name in ("oMath", "oMathPara"):
                text = "".join(t.text or "" for t in child.iter() if local(t) == "t")
                self.warnings["a formula was kept as plain text"] += 1
                yield Marks(), Dress(), ("t", text)

    def _pieces(self, run: etree._Element) -> Iterator[tuple[str, str]]:
        for child in children(run):
            name = local(child)
            if name == "fldChar":
                self._field(child.get(w("fldCharType"), ""))
            elif not all(self._fields):
                continue  # inside a field's code
            elif name == "t":
                if child.text:
                    yield from _text_pieces(child.text)
            elif name in ("tab", "ptab"):
                yield "tab", ""
            elif name == "br":
                if child.get(w("type"), "textWrapping") == "textWrapping":
                    yield "br", ""
            elif name == "cr":
                yield "br", ""
            elif name == "noBreakHyphen":
                yield "t", "\u2011"
            elif name == "softHyphen":
                yield "t", "\u00ad"
            elif name == "sym":
                yield "t", self._symbol(child.get(w("char"), ""))
            elif name in ("footnoteReference", "endnoteReference"):
                yield from self._note(
                    name.removesuffix("Reference"), child.get(w("id"), ""), is_custom(child)
                )
            elif name in ("drawing", "pict", "object"):
                yield from self._picture(child)

    def _field(self, step: str) -> None:
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

    def _note(self, kind: str, identifier: str, custom: bool) -> Iterator[tuple[str, str]]:
        if kind not in self._notes:
            part = self.package.related(kind + "s", self.part)
            root = self.package.xml(part) if part else []
            self._notes[kind] = {n.get(w("id"), ""): n for n in root if local(n) == kind}
        note = self._notes[kind].get(identifier)
        if note is None:
            return
        self._note_numbers[kind] += 1
        # in brackets: a bare digit would make another number of "2024" before it
        number = "" if custom else f"[{self._note_numbers[kind]}]"
        inner = Story(self.package, self.sheet, self.part)
        lines = [block for block in inner.body(note) if isinstance(block, Line)]
        self.warnings.update(inner.warnings)
        for position, line in enumerate(lines):
            line.note = True
            if position == 0 and number:
                line.runs.insert(0, Run(Marks(), line.dress(), [("t", number)]))
        self._pending += lines
        if number:
            yield "note", number

    def _picture(self, drawing: etree._Element) -> Iterator[tuple[str, str]]:
        boxes = [node for node in drawing.iter(w("txbxContent")) if not _in_second_branch(node, drawing)]
        for box in boxes:
            if any(box in other.iterdescendants() for other in boxes if other is not box):
                continue
            for block in _join(self._blocks(box)):
                line = block if isinstance(block, Line) else _flat(block)
                if not line.empty:
                    self._pending.append(line)
        for node in drawing.iter():
            if not isinstance(node.tag, str) or local(node) not in ("blip", "imagedata", "chart", "relIds"):
                continue
            if (
                relation := node.get(r("embed"))
                or node.get(r("id"))
                or node.get(r("link"))
                or node.get(r("dm"))
            ):
                self.pictures.setdefault(relation, drawing)
                yield "pic", relation
                return
        if not boxes:
            self.warnings["a drawn shape without picture or text was left out"] += 1


def is_custom(reference: etree._Element) -> bool:
    """A note whose mark the writer typed: no number of its own."""
    return reference.get(w("customMarkFollows")) in ("1", "true", "on")


def _in_second_branch(node: etree._Element, stop: etree._Element) -> bool:
    while node is not stop and node is not None:
        if local(node) == "Fallback":
            return True
        node = node.getparent()
    return False


def _rows(table: etree._Element) -> Iterator[etree._Element]:
    for child in children(table):
        if local(child) == "tr":
            yield child
        elif local(child) in _INTO:
            yield from _rows(child)


def _cells(row: etree._Element) -> Iterator[etree._Element]:
    for child in children(row):
        if local(child) == "tc":
            if child.find(f"{w('tcPr')}/{w('cellDel')}") is None:
                yield child
        elif local(child) in _INTO:
            yield from _cells(child)


def _text_pieces(text: str) -> Iterator[tuple[str, str]]:
    """XML text as Word shows it: a raw line end or tab inside w:t is a blank."""
    yield "t", text.replace("\r\n", " ").replace("\n", " ").replace("\r", " ").replace("\t", " ")


def _join(blocks: Iterable[Line | Row]) -> Iterator[Line | Row]:
    """Accept deleted paragraph marks: such a paragraph flows into the next one, whose properties win."""
    held: Line | None = None
    for block in blocks:
        if held is not None:
            if isinstance(block, Line):
                block.runs = held.runs + block.runs
            else:
                yield held
            held = None
        if isinstance(block, Line) and block.joins_next:
            held = block
        else:
            yield block
    if held is not None:
        yield held


def _mend(blocks: list[Line | Row]) -> None:
    """After empty rows went: a table still begins with its first row, a merge still begins where it is first seen."""
    table, above = -1, set[tuple[int, int]]()
    for block in blocks:
        if not isinstance(block, Row):
            table = -1
            continue
        block.first = block.table != table
        above = set() if block.first else above
        table, column, merged = block.table, 0, set[tuple[int, int]]()
        for cell in block.cells:
            if cell.merge == "continue" and (column, cell.span) not in above:
                cell.merge = "restart"
            if cell.merge:
                merged.add((column, cell.span))
            column += cell.span
        above = merged


def _square(rows: list[Row]) -> None:
    """Give short rows an empty last cell: Word lets them end early, a grid does not."""
    width = max((sum(cell.span for cell in row.cells) for row in rows), default=0)
    for row in rows:
        if row.cells and (missing := width - sum(cell.span for cell in row.cells)):
            row.cells.append(Cell(missing, None, []))


def _flat(row: Row) -> Line:
    """A nested table's row as one paragraph, cells apart by tabs."""
    line = Line()
    for number, cell in enumerate(row.cells):
        for inner in cell.lines:
            if number and line.runs:
                line.runs.append(Run(Marks(), inner.dress(), [("tab", "")]))
            line.runs += inner.runs
            line.style, line.style_name = line.style or inner.style, line.style_name or inner.style_name
    return line


def _table_look(table: etree._Element, rows: list[tuple[etree._Element, Row]]) -> TableLook:
    grid = table.find(w("tblGrid"))
    widths = (
        tuple(int(float(c.get(w("w"), "0") or 0)) for c in grid.iterchildren(w("gridCol")))
        if grid is not None
        else ()
    )
    properties = table.find(w("tblPr"))
    if properties is not None:
        for child in list(properties):
            if local(child) in ("tblPrChange", "tblpPr", "tblOverlap"):
                properties.remove(child)

    def patterns(tr: etree._Element) -> tuple[str, ...]:
        out = []
        for tc in _cells(tr):
            own = tc.find(w("tcPr"))
            out.append(
                "".join(plain_xml(c) for c in own if local(c) in ("tcBorders", "shd", "tcMar", "vAlign"))
                if own is not None
                else ""
            )
        return tuple(out)

    first = (
        " | ".join(" ".join(line.text for line in cell.lines) for cell in rows[0][1].cells) if rows else ""
    )
    return TableLook(
        len(widths),
        plain_xml(properties) if properties is not None else "",
        widths,
        patterns(rows[0][0]) if rows else (),
        patterns(rows[1][0]) if len(rows) > 1 else (),
        first,
    )


def relation_ids(element: etree._Element) -> set[str]:
    """Every relation an element and its descendants name."""
    return {
        value
        for node in element.iter()
        if isinstance(node.tag, str)
        for key, value in node.attrib.items()
        if key.startswith(f"{{{R}}}")
    }


def _new_pages(container: etree._Element) -> set[etree._Element]:
    """The paragraphs after which a section begins on a new page: the next section's own type says so."""
    sections = list(container.iter(w("sectPr")))
    found = set()
    for section, following in zip(sections, sections[1:], strict=False):
        owner = section.getparent()
        if (
            owner is not None
            and owner.tag == w("pPr")
            and value_of(following, "type") not in ("continuous", "nextColumn")
        ):
            paragraph = owner.getparent()
            if paragraph is not None:
                found.add(paragraph)
    return found


def _pages(p: etree._Element, ppr: etree._Element | None, ends: set[etree._Element]) -> tuple[bool, bool]:
    """Does a page begin with this paragraph, and one after it?"""
    before = ppr is not None and is_on(ppr.find(w("pageBreakBefore")))
    after, text = p in ends, False
    for node in p.iter(w("t"), w("br")):
        if node.tag == w("t"):
            text = text or bool((node.text or "").strip())
        elif node.get(w("type")) == "page":
            before, after = before or not text, after or text
    return before, after
