"""Canonical paragraphs into the tenant's own Word file: its page, header, styles, numbering; a new body."""

from __future__ import annotations

import copy
from dataclasses import dataclass

from lxml import etree

from .builder import PackageBuilder, no_such_picture
from .canonical import row_cells, split_style, style_of, text_of
from .clean import section_of, text_width
from .numbering import ListCounter, NumberingWriter
from .package import Package
from .style_writer import StyleWriter
from .styles import StyleFormat, StyleSheet, TableFormat
from .xml import R, W, element, local, r, to_string, val, w

_TABLE = "Tabla"  # a table's place among the styles, where blank lines and pages are counted
_BLANK = '<w:p><w:pPr><w:pStyle w:val="Cuerpo"/></w:pPr></w:p>'
_NEW_PAGE = '<w:p><w:pPr><w:pStyle w:val="Cuerpo"/><w:pageBreakBefore/></w:pPr></w:p>'
_SIDES = ("top", "left", "bottom", "right", "insideH", "insideV")
_LINES = "".join(f'<w:{side} w:val="single" w:sz="4" w:space="0" w:color="auto"/>' for side in _SIDES)
_BORDERS = f"<w:tblBorders>{_LINES}</w:tblBorders>"
_MERGES = {None: "", "restart": '<w:vMerge w:val="restart"/>', "continue": "<w:vMerge/>"}
# of a drawing: what stays behind, and what is numbered anew (names and alt texts describe people)
_DRAWING_TRASH = ("OLEObject", "txbxContent", "hlinkClick", "hlinkHover")
_DRAWING_NAMES = ("docPr", "cNvPr")


@dataclass
class DocumentWriter:
    """One document being written into a copy of `template`."""

    template: Package
    sheet: StyleSheet
    pictures: dict[str, etree._Element]  # the template's drawings by relation
    styles: dict[str, StyleFormat]  # of every canonical style that may occur
    tables: list[TableFormat]
    blank_lines: dict[tuple[str, str], int]  # that the tenant's clerks leave between two styles
    page_breaks: frozenset[tuple[str, str]] = frozenset()  # pairs of styles between which they begin a page

    def __post_init__(self) -> None:
        self.builder = PackageBuilder(self.template, self.sheet)
        self.numbering = NumberingWriter(self.builder, self.sheet, self.styles)
        self.style_writer = StyleWriter(self.builder, self.sheet, self.styles, self.numbering)
        self.lists = ListCounter()
        self.drawings = 0

    def write(self, blocks: list[etree._Element]) -> bytes:
        """The .docx of these canonical paragraphs and rows. `InputError` for a picture of another acta."""
        section = section_of(self.template.xml(self.template.main))
        self.builder.take_page(section)
        self.style_writer.write({style_of(p) for block in blocks for p in block.iter(w("p"))})
        body = self._body(blocks)
        body.append(section)
        self.builder.take_pictures(body)
        for tree in self.builder.trees.values():
            self.style_writer.rename(tree)
        document = etree.Element(w("document"), nsmap={"w": W, "r": R})
        document.append(body)
        return self.builder.pack(document)

    # ---- blocks
    def _body(self, blocks: list[etree._Element]) -> etree._Element:
        body = etree.Element(w("body"), nsmap={"w": W, "r": R})
        table: _OpenTable | None = None
        before = ""
        for block in blocks:
            here = _TABLE if block.tag == w("tr") else style_of(block)
            new_page = self._separate(body, before, here)
            before = here
            if here != _TABLE:
                if table is not None:
                    _end_table(body)
                table = None
                body.append(self._paragraph(block, self.lists))
                if new_page:
                    body[-1].find(w("pPr")).insert(1, element("<w:pageBreakBefore/>"))
                continue
            if table is None or block.find(f"{w('trPr')}/{w('tblHeader')}") is not None:
                _end_table(body)
                table = self._open_table(body, block)
            table.element.append(self._row(block, table))
            self.lists.step("", 0)
        _end_table(body)
        return body

    def _separate(self, body: etree._Element, before: str, here: str) -> bool:
        """Blank lines or a new page between two blocks; True when `here` must begin the page itself."""
        if here == before == _TABLE:
            return False
        if (before, here) in self.page_breaks:
            if here == _TABLE:
                _end_table(body)
                body.append(element(_NEW_PAGE))
            return True
        for _ in range(self.blank_lines.get((before, here), 0) if before else 0):
            body.append(element(_BLANK))
        return False

    def _paragraph(self, canonical: etree._Element, lists: ListCounter | None) -> etree._Element:
        """A canonical paragraph as Word wants it; `lists` is None in a table's cell."""
        style = style_of(canonical)  # before copying: a copy no longer knows that it stood in a cell
        p = copy.deepcopy(canonical)
        given = val(p.find(f"{w('pPr')}/{w('numPr')}/{w('numId')}"))
        for old in p.findall(w("pPr")):
            p.remove(old)
        _, marker, level = split_style(style) or ("", "", 1)
        number = 0
        if marker == "Num" and lists is not None:
            number = int(given or lists.expected(style))
        if lists is not None:
            lists.step(style, number)
        numbering = ""
        if number or marker == "Vin":
            num_id = self.numbering.num_id(style, number)
            numbering = f'<w:numPr><w:ilvl w:val="{level - 1}"/><w:numId w:val="{num_id}"/></w:numPr>'
        p.insert(0, element(f'<w:pPr><w:pStyle w:val="{style}"/>{numbering}</w:pPr>'))
        for drawing in list(p.iter(w("drawing"))):
            self._draw(drawing)
        for run in p.findall(w("r")):
            if all(child.tag == w("rPr") for child in run):
                p.remove(run)
        etree.cleanup_namespaces(p, keep_ns_prefixes=["w", "r"])
        return p

    def _draw(self, placeholder: etree._Element) -> None:
        """Put the template's picture where its placeholder stands."""
        identifier = placeholder.get(r("id"), "")
        original = self.pictures.get(identifier)
        if original is None:
            raise no_such_picture(identifier, self.template)
        drawing = copy.deepcopy(original)
        for node in [n for n in drawing.iter() if isinstance(n.tag, str)]:
            owner = node.getparent()
            if local(node) in _DRAWING_TRASH and owner is not None:
                owner.remove(node)
            elif local(node) in _DRAWING_NAMES:
                self.drawings += local(node) == "docPr"
                node.set("id", str(1000 + self.drawings))
                node.set("name", f"Imagen {self.drawings}")
                for key in ("descr", "title"):
                    node.attrib.pop(key, None)
        parent = placeholder.getparent()
        assert parent is not None
        parent.replace(placeholder, drawing)

    # ---- tables
    def _open_table(self, body: etree._Element, first: etree._Element) -> _OpenTable:
        columns = sum(span for _, span, _ in row_cells(first))
        form = pick_table(self.tables, columns, text_of(first))
        page = text_width(self.template)
        plain = f'<w:tblPr><w:tblW w:w="{page}" w:type="dxa"/>{_BORDERS}</w:tblPr>'
        table = etree.SubElement(body, w("tbl"))
        table.append(element(form.properties if form and form.properties else plain))
        style = table.find(f"{w('tblPr')}/{w('tblStyle')}")
        if style is not None and (new := self.style_writer.renamed.get(val(style))):
            style.set(w("val"), new)
        widths = form.grid if form and len(form.grid) == columns else (page // columns,) * columns
        grid = "".join(f'<w:gridCol w:w="{width}"/>' for width in widths)
        table.append(element(f"<w:tblGrid>{grid}</w:tblGrid>"))
        return _OpenTable(table, form, widths)

    def _row(self, canonical: etree._Element, table: _OpenTable) -> etree._Element:
        row = etree.Element(w("tr"), nsmap={"w": W, "r": R})
        patterns = table.patterns()
        cells = canonical.iterchildren(w("tc"))
        for number, (place, cell) in enumerate(zip(row_cells(canonical), cells, strict=True)):
            pattern = patterns[number] if number < len(patterns) else ""
            tc = etree.SubElement(row, w("tc"))
            tc.append(element(_cell_properties(place, table.widths, pattern)))
            for p in cell.iterchildren(w("p")):
                tc.append(self._paragraph(p, None))
        return row


@dataclass
class _OpenTable:
    """The table that rows are being added to."""

    element: etree._Element
    form: TableFormat | None
    widths: tuple[int, ...]

    def patterns(self) -> tuple[str, ...]:
        """How the cells of its next row are drawn: the first row may differ from the others."""
        if self.form is None:
            return ()
        first = self.element.find(w("tr")) is None
        return self.form.head if first else self.form.body or self.form.head


def _cell_properties(place: tuple[int, int, str | None], widths: tuple[int, ...], pattern: str) -> str:
    column, span, merge = place
    drawn = {local(e): to_string(e) for e in element(f"<w:x>{pattern}</w:x>")}
    return (
        f'<w:tcPr><w:tcW w:w="{sum(widths[column : column + span])}" w:type="dxa"/>'
        + (f'<w:gridSpan w:val="{span}"/>' if span > 1 else "")
        + _MERGES[merge]
        + "".join(drawn.get(name, "") for name in ("tcBorders", "shd", "tcMar", "vAlign"))
        + "</w:tcPr>"
    )


def pick_table(tables: list[TableFormat], columns: int, first_row: str) -> TableFormat | None:
    """The template's table with the same first row, else one as wide."""
    words = first_row.split()
    fitting = [t for t in tables if t.columns == columns]
    same = [t for t in fitting if t.first_row.split() == words]
    return next(iter(same or fitting), None)


def _end_table(body: etree._Element) -> None:
    """Word joins neighbouring tables, and wants a paragraph after the last."""
    if len(body) and body[-1].tag == w("tbl"):
        body.append(etree.Element(w("p")))
