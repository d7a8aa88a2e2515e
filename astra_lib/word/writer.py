"""Canonical paragraphs into the tenant's own Word file: its page, header, footer, styles, numbering; a new body.

Only parts on a list are taken over from the template, so what could carry a name (properties, comments, custom XML,
authors, rsids, footnotes of the old text) does not travel.
"""

from __future__ import annotations

import copy
import posixpath
from collections.abc import Iterable
from dataclasses import dataclass

from lxml import etree

from ..core.errors import InputError
from .package import TYPES, Package, R, Relation, W, local, pack, r, to_bytes, w
from .canonical import row_cells, split_style, text_of
from .clean import clean_settings, clean_story, element, home_of, relations_xml, section_of, text_width
from .story import Story, relation_ids
from .styles import Dress, Sheet, TableLook, is_on, value_of

OWN = "Acta "  # the w:name of a style of ours is this and its id
_WML = "application/vnd.openxmlformats-officedocument.wordprocessingml."
_KEPT = ("styles", "numbering", "settings", "theme", "fontTable", "header", "footer")
_STYLE_REFERENCES = ("pStyle", "rStyle", "tblStyle", "basedOn", "next", "link", "styleLink", "numStyleLink")
_STYLE_ORDER = (
    "keepNext",
    "keepLines",
    "numPr",
    "pBdr",
    "shd",
    "tabs",
    "spacing",
    "ind",
    "contextualSpacing",
    "jc",
    "outlineLvl",
)


@dataclass(frozen=True)
class Look:
    """How a tenant draws one canonical style."""

    based_on: str = ""
    ppr: str = ""
    dress: Dress = Dress()
    b: bool = False
    i: bool = False
    u: bool = False
    num_id: str = ""
    level: int = 0


class ListNumbers:
    """Which list a numbered paragraph belongs to, when it does not say: reader and writer count alike.

    It goes on with the list of the paragraph just before; a heading goes on with the headings' list; else a new one.
    """

    def __init__(self) -> None:
        self.last = 0  # of the paragraph just before, 0 when that was not numbered
        self.headings = 0
        self.count = 0

    def expected(self, style: str) -> int:
        heading = style.startswith(("Titulo", "Subtitulo"))
        return self.last or (self.headings if heading else 0) or self.count + 1

    def step(self, style: str, number: int) -> None:
        parts = split_style(style)
        self.last = number if parts and parts[1] == "Num" else 0
        if self.last:
            self.count = max(self.count, number)
            if style.startswith(("Titulo", "Subtitulo")):
                self.headings = number


@dataclass
class Writer:
    """One document being written. `book`: the looks of every canonical style that may occur."""

    template: Package
    sheet: Sheet
    story: Story
    book: dict[str, Look]
    tables: list[TableLook]
    gaps: dict[tuple[str, str], int]  # empty lines the tenant's clerks leave between two styles
    breaks: frozenset[tuple[str, str]] = frozenset()  # styles between which they begin a page

    def __post_init__(self) -> None:
        self.parts: dict[str, bytes] = {}
        self.types: dict[str, str] = {}
        self.relations: list[Relation] = []
        self.renamed: dict[str, str] = {}
        self.drawings = 0
        self.trees: dict[str, etree._Element] = {}
        self._nums: dict[tuple[str, int], str] = {}
        self._look: TableLook | None = None

    # ---- the package
    def write(self, blocks: list[etree._Element]) -> bytes:
        document = self.template.xml(self.template.main)
        section = section_of(document)
        used = {style_of(p) for block in blocks for p in block.iter(w("p"))}
        self._take_parts(section)
        self._styles(used)
        body = self._body(blocks)
        root = etree.Element(w("document"), nsmap={"w": W, "r": R})
        body.append(section)
        root.append(body)
        for relation in self.template.relations(self.template.main):
            if relation.id in relation_ids(body) and relation.id not in {x.id for x in self.relations}:
                self._take(relation)
        known = {x.id for x in self.relations}
        if lost := relation_ids(body) - known:
            raise InputError(
                f"picture {sorted(lost)[0]} is not in the template",
                where=self.template.where,
                remedy="Write with the acta the paragraphs come from, or drop that paragraph",
            )
        for name, tree in self.trees.items():
            self._rename(tree)
            self.parts[name] = to_bytes(tree)
        main = "word/document.xml"
        self.parts[main] = to_bytes(root)
        self.types[main] = _WML + "document.main+xml"
        self.parts["word/_rels/document.xml.rels"] = relations_xml(self.relations, "word")
        self._properties()
        self.parts["_rels/.rels"] = relations_xml(
            [
                Relation("rId1", "officeDocument", main, False),
                Relation("rId2", "metadata/core-properties", "docProps/core.xml", False),
                Relation("rId3", "extended-properties", "docProps/app.xml", False),
            ],
            "",
        )
        self.parts["[Content_Types].xml"] = self._content_types()
        return pack(self.parts)

    def _take_parts(self, section: etree._Element) -> None:
        wanted = relation_ids(section)
        for relation in self.template.relations(self.template.main):
            if relation.external or relation.type not in _KEPT or relation.target not in self.template:
                continue
            if relation.type in ("header", "footer") and relation.id not in wanted:
                continue
            self._take(relation)
        present = {x.id for x in self.relations}
        for reference in list(section):
            if (identifier := reference.get(r("id"))) and identifier not in present:
                section.remove(reference)

    def _take(self, relation: Relation) -> None:
        """Copy a part and what it needs; XML parts of ours to change stay trees until the end."""
        if relation.external:
            if relation.type == "image":
                raise InputError(
                    "a picture linked from outside the file",
                    where=self.template.where,
                    remedy="Embed it (Word: File, Info, Edit links to files) and save",
                )
            return
        self.relations.append(Relation(relation.id, relation.type, home_of(relation.target), False))
        self._copy(relation.target, relation.type)

    def _copy(self, name: str, kind: str) -> None:
        home = home_of(name)
        if home in self.parts or home in self.trees or name not in self.template:
            return
        self.types[home] = self.template.type_of(name)
        if kind in ("styles", "numbering", "settings", "header", "footer"):
            tree = self.template.xml(name)
            if kind in ("header", "footer", "numbering"):
                self._drop_dangling(tree)
            (clean_settings if kind == "settings" else clean_story)(tree)
            self.trees[home] = tree
        else:
            self.parts[home] = self.template.part(name)
        if kind in ("settings", "theme"):
            return  # attachedTemplate and the like stay behind
        kept = []
        for relation in self.template.relations(name):
            if not relation.external and relation.target in self.template:
                self._copy(relation.target, relation.type)
                kept.append(Relation(relation.id, relation.type, home_of(relation.target), False))
            elif relation.external and relation.type == "hyperlink":
                kept.append(relation)
        if kept:
            folder, base = posixpath.split(home)
            self.parts[posixpath.join(folder, "_rels", base + ".rels")] = relations_xml(kept, folder)

    def _content_types(self) -> bytes:
        root = etree.Element(f"{{{TYPES}}}Types", nsmap={None: TYPES})
        extensions = {
            "rels": "application/vnd.openxmlformats-package.relationships+xml",
            "xml": "application/xml",
        }
        for extension, kind in extensions.items():
            etree.SubElement(root, f"{{{TYPES}}}Default", Extension=extension, ContentType=kind)
        for name in sorted(self.types):
            if kind := self.types[name]:
                etree.SubElement(root, f"{{{TYPES}}}Override", PartName="/" + name, ContentType=kind)
        return to_bytes(root)

    def _properties(self) -> None:
        core = "http://schemas.openxmlformats.org/package/2006/metadata/core-properties"
        app = "http://schemas.openxmlformats.org/officeDocument/2006/extended-properties"
        self.parts["docProps/core.xml"] = to_bytes(
            etree.Element(f"{{{core}}}coreProperties", nsmap={"cp": core})
        )
        properties = etree.Element(f"{{{app}}}Properties", nsmap={None: app})
        etree.SubElement(properties, f"{{{app}}}Application").text = "ASTRA"
        self.parts["docProps/app.xml"] = to_bytes(properties)
        self.types["docProps/core.xml"] = "application/vnd.openxmlformats-package.core-properties+xml"
        self.types["docProps/app.xml"] = (
            "application/vnd.openxmlformats-officedocument.extended-properties+xml"
        )

    def _tree(self, kind: str, root: str) -> etree._Element:
        """The tree of styles or numbering; a new part when the template has none."""
        for relation in self.relations:
            if relation.type == kind:
                return self.trees[relation.target]
        name = f"word/{kind}.xml"
        self.trees[name] = etree.Element(w(root), nsmap={"w": W})
        self.types[name] = f"{_WML}{kind}+xml"
        self.relations.append(Relation(f"rIdActa{kind}", kind, name, False))
        return self.trees[name]

    # ---- styles
    def _styles(self, used: Iterable[str]) -> None:
        root = self._tree("styles", "styles")
        own = {identifier for identifier, style in self.sheet.styles.items() if is_own(style)}
        wanted = sorted(set(used) | {"Cuerpo"})
        for identifier in wanted:
            if identifier in self.sheet.styles and identifier not in own:
                fresh = identifier + "Previo"
                while fresh in self.sheet.styles:
                    fresh += "1"
                self.renamed[identifier] = fresh
        for style in root.iterchildren(w("style")):
            if (new := self.renamed.get(style.get(w("styleId"), ""))) is not None:
                style.set(w("styleId"), new)
        self._rename(root)
        for identifier in wanted:
            if identifier not in own:
                root.append(element(self.style_xml(identifier)))

    def _drop_dangling(self, root: etree._Element) -> None:
        """A header may name a style that its file does not have."""
        for name in ("pStyle", "rStyle", "tblStyle"):
            for node in list(root.iter(w(name))):
                if node.get(w("val")) not in self.sheet.styles and (owner := node.getparent()) is not None:
                    owner.remove(node)

    def _rename(self, root: etree._Element) -> None:
        for name in _STYLE_REFERENCES if self.renamed else ():
            for node in root.iter(w(name)):
                if (new := self.renamed.get(node.get(w("val"), ""))) is not None:
                    node.set(w("val"), new)

    def style_xml(self, identifier: str) -> str:
        look = self.book[identifier]
        base = look.based_on if look.based_on in self.sheet.styles else self.sheet.default_paragraph
        inherited = self.sheet.numbering(None, base) is not None
        base = self.renamed.get(base, base)
        parts = {local(e): e for e in element(f"<w:pPr>{look.ppr}</w:pPr>")}
        marker = (split_style(identifier) or ("", "", 1))[1]
        if marker == "Vin":
            parts["numPr"] = element(f'<w:numPr><w:numId w:val="{self._num(identifier, 0)}"/></w:numPr>')
        elif inherited:
            parts["numPr"] = element('<w:numPr><w:numId w:val="0"/></w:numPr>')
        if identifier.startswith(("Titulo", "Subtitulo")):
            parts["outlineLvl"] = element(f'<w:outlineLvl w:val="{0 if identifier.startswith("T") else 1}"/>')
        ppr = "".join(_string(parts[name]) for name in _STYLE_ORDER if name in parts)
        return (
            f'<w:style w:type="paragraph" w:customStyle="1" w:styleId="{identifier}"><w:name w:val="{OWN}{identifier}"/>'
            + (f'<w:basedOn w:val="{base}"/>' if base else "")
            + "<w:qFormat/>"
            + f"<w:pPr>{ppr}</w:pPr><w:rPr>{_dress_xml(look)}</w:rPr></w:style>"
        )

    # ---- numbering
    def _num(self, style: str, number: int) -> str:
        """The numId of list `number` drawn as `style` draws it; number 0: the tenant's own bullets."""
        look = self.book[style]
        if number == 0 and look.num_id:
            return look.num_id
        if (key := ("" if number else style, number)) in self._nums:
            return self._nums[key]
        root = self._tree("numbering", "numbering")
        abstract = (
            self.sheet.nums[look.num_id][0]
            if look.num_id in self.sheet.nums
            else self._abstract(root, number == 0)
        )
        identifier = str(max([int(n.get(w("numId"), "0")) for n in root.iterchildren(w("num"))] + [0]) + 1)
        restart = (
            "".join(
                f'<w:lvlOverride w:ilvl="{level}"><w:startOverride w:val="1"/></w:lvlOverride>'
                for level in range(3)
            )
            if number
            else ""
        )
        num = element(f'<w:num w:numId="{identifier}"><w:abstractNumId w:val="{abstract}"/>{restart}</w:num>')
        tail = root.find(w("numIdMacAtCleanup"))
        root.append(num) if tail is None else tail.addprevious(num)
        self._nums[key] = identifier
        return identifier

    def _abstract(self, root: etree._Element, bullets: bool) -> str:
        taken = [int(a.get(w("abstractNumId"), "0")) for a in root.iterchildren(w("abstractNum"))]
        identifier = str(max([*taken, -1]) + 1)
        levels = "".join(
            f'<w:lvl w:ilvl="{n}"><w:start w:val="1"/><w:numFmt w:val="{"bullet" if bullets else form}"/>'
            f'<w:lvlText w:val="{mark if bullets else f"%{n + 1}."}"/><w:lvlJc w:val="left"/>'
            f'<w:pPr><w:ind w:left="{720 * (n + 1)}" w:hanging="360"/></w:pPr></w:lvl>'
            for n, (mark, form) in enumerate((("•", "decimal"), ("–", "lowerLetter"), ("▪", "lowerRoman")))
        )
        new = element(
            f'<w:abstractNum w:abstractNumId="{identifier}"><w:multiLevelType w:val="hybridMultilevel"/>{levels}</w:abstractNum>'
        )
        before = root.find(w("num"))
        root.append(new) if before is None else before.addprevious(new)
        return identifier

    # ---- the body
    def _body(self, blocks: list[etree._Element]) -> etree._Element:
        body = etree.Element(w("body"), nsmap={"w": W, "r": R})
        lists = ListNumbers()
        table: etree._Element | None = None
        before = ""
        for block in blocks:
            here = "Tabla" if block.tag == w("tr") else style_of(block)
            page = (before, here) in self.breaks and not (here == before == "Tabla")
            if page and here == "Tabla":
                _after_table(body)
                body.append(
                    element('<w:p><w:pPr><w:pStyle w:val="Cuerpo"/><w:pageBreakBefore/></w:pPr></w:p>')
                )
            elif before and not page and not (here == before == "Tabla"):
                for _ in range(self.gaps.get((before, here), 0)):
                    body.append(element('<w:p><w:pPr><w:pStyle w:val="Cuerpo"/></w:pPr></w:p>'))
            before = here
            if block.tag == w("tr"):
                if table is None or block.find(f"{w('trPr')}/{w('tblHeader')}") is not None:
                    _after_table(body)
                    table = self._open_table(body, block, blocks)
                table.append(self._row(block, table))
                lists.step("", 0)
                continue
            if table is not None:
                _after_table(body)
            table = None
            body.append(self._paragraph(block, lists))
            if page:
                body[-1].find(w("pPr")).insert(1, element("<w:pageBreakBefore/>"))
        _after_table(body)
        return body

    def _paragraph(self, canonical: etree._Element, lists: ListNumbers | None) -> etree._Element:
        style = style_of(canonical)  # before copying: a copy no longer knows that it stood in a cell
        p = copy.deepcopy(canonical)
        given = p.find(f"{w('pPr')}/{w('numPr')}/{w('numId')}")
        for old in p.findall(w("pPr")):
            p.remove(old)
        _, marker, level = split_style(style) or ("", "", 1)
        numbering = ""
        if marker == "Num" and lists is not None:
            number = int(given.get(w("val"), "1")) if given is not None else lists.expected(style)
            numbering = self._num(style, number)
            lists.step(style, number)
        elif lists is not None:
            lists.step(style, 0)
        if marker == "Vin":
            numbering = self._num(style, 0)
        numpr = (
            f'<w:numPr><w:ilvl w:val="{level - 1}"/><w:numId w:val="{numbering}"/></w:numPr>'
            if numbering
            else ""
        )
        p.insert(0, element(f'<w:pPr><w:pStyle w:val="{style}"/>{numpr}</w:pPr>'))
        for drawing in list(p.iter(w("drawing"))):
            self._draw(drawing)
        for run in list(p.findall(w("r"))):
            if all(child.tag == w("rPr") for child in run):
                p.remove(run)
        etree.cleanup_namespaces(p, keep_ns_prefixes=["w", "r"])
        return p

    def _draw(self, placeholder: etree._Element) -> None:
        identifier = placeholder.get(r("id"), "")
        original = self.story.pictures.get(identifier)
        parent = placeholder.getparent()
        assert parent is not None
        if original is None:
            raise InputError(
                f"picture {identifier} is not in the template",
                where=self.template.where,
                remedy="Write with the acta the paragraphs come from, or drop that paragraph",
            )
        drawing = copy.deepcopy(original)
        for node in [n for n in drawing.iter() if isinstance(n.tag, str)]:
            if (
                local(node) in ("OLEObject", "txbxContent", "hlinkClick", "hlinkHover")
                and (owner := node.getparent()) is not None
            ):
                owner.remove(node)
            elif local(node) in ("docPr", "cNvPr"):
                self.drawings += local(node) == "docPr"
                node.set("id", str(1000 + self.drawings))
                node.set("name", f"Imagen {self.drawings}")  # names and alt texts describe people
                for key in ("descr", "title"):
                    node.attrib.pop(key, None)
        parent.replace(placeholder, drawing)

    def _open_table(
        self, body: etree._Element, first: etree._Element, blocks: list[etree._Element]
    ) -> etree._Element:
        columns = sum(width for _, width, _ in row_cells(first))
        look = pick_table(self.tables, columns, text_of(first))
        table = etree.SubElement(body, w("tbl"))
        width = text_width(self.template)
        properties = look.properties if look else ""
        table.append(
            element(
                properties
                or (
                    f'<w:tblPr><w:tblW w:w="{width}" w:type="dxa"/><w:tblBorders>'
                    + "".join(
                        f'<w:{side} w:val="single" w:sz="4" w:space="0" w:color="auto"/>'
                        for side in ("top", "left", "bottom", "right", "insideH", "insideV")
                    )
                    + "</w:tblBorders></w:tblPr>"
                )
            )
        )
        style = table.find(f"{w('tblPr')}/{w('tblStyle')}")
        if style is not None and (new := self.renamed.get(style.get(w("val"), ""))):
            style.set(w("val"), new)
        grid = look.grid if look and len(look.grid) == columns else (width // columns,) * columns
        table.append(
            element("<w:tblGrid>" + "".join(f'<w:gridCol w:w="{c}"/>' for c in grid) + "</w:tblGrid>")
        )
        self._look = look
        return table

    def _row(self, canonical: etree._Element, table: etree._Element) -> etree._Element:
        row = etree.Element(w("tr"), nsmap={"w": W, "r": R})
        grid = [int(c.get(w("w"), "0")) for c in table.iter(w("gridCol"))]
        first = table.find(w("tr")) is None
        patterns = (
            () if self._look is None else self._look.head if first else self._look.body or self._look.head
        )
        for number, ((column, span, merge), cell) in enumerate(
            zip(row_cells(canonical), canonical.iterchildren(w("tc")), strict=True)
        ):
            pattern = {
                local(e): _string(e)
                for e in element(f"<w:x>{patterns[number] if number < len(patterns) else ''}</w:x>")
            }
            tc = etree.SubElement(row, w("tc"))
            tc.append(
                element(
                    f'<w:tcPr><w:tcW w:w="{sum(grid[column : column + span])}" w:type="dxa"/>'
                    + (f'<w:gridSpan w:val="{span}"/>' if span > 1 else "")
                    + (
                        ""
                        if merge is None
                        else '<w:vMerge w:val="restart"/>'
                        if merge == "restart"
                        else "<w:vMerge/>"
                    )
                    + "".join(pattern.get(name, "") for name in ("tcBorders", "shd", "tcMar", "vAlign"))
                    + "</w:tcPr>"
                )
            )
            for p in cell.iterchildren(w("p")):
                tc.append(self._paragraph(p, None))
        return row


def style_of(p: etree._Element) -> str:
    """A canonical paragraph's style; without one it is Cuerpo, or Celda in a table."""
    parent = p.getparent()
    return value_of(p, "pPr", "pStyle") or (
        "Celda" if parent is not None and parent.tag == w("tc") else "Cuerpo"
    )


def is_own(style: etree._Element) -> bool:
    """Whether a style is one that this writer made: then it says the paragraph's kind."""
    identifier = style.get(w("styleId"), "")
    return split_style(identifier) is not None and value_of(style, "name") == OWN + identifier


def pick_table(tables: list[TableLook], columns: int, first_row: str) -> TableLook | None:
    """The template's table with the same first row, else one as wide."""
    words = " ".join(first_row.split())
    fitting = [t for t in tables if t.columns == columns]
    return next(
        (t for t in fitting if " ".join(t.first_row.split()) == words), fitting[0] if fitting else None
    )


def _after_table(body: etree._Element) -> None:
    """Word joins neighbouring tables, and wants a paragraph after the last."""
    if len(body) and body[-1].tag == w("tbl"):
        body.append(etree.Element(w("p")))


def _dress_xml(look: Look) -> str:
    """A style's w:rPr content: everything said outright, so that its base cannot show through."""
    d = look.dress
    fonts = "".join(f' w:{name}="{value}"' for name, value in d.fonts)
    return "".join(
        (
            f"<w:rFonts{fonts}/>" if fonts else "",
            "<w:b/>" if look.b else '<w:b w:val="0"/>',
            "<w:i/>" if look.i else '<w:i w:val="0"/>',
            "<w:caps/>" if d.caps else '<w:caps w:val="0"/>',
            "<w:smallCaps/>" if d.small_caps else "",
            f'<w:color w:val="{d.color}"/>' if d.color else "",
            f'<w:sz w:val="{d.size}"/><w:szCs w:val="{d.size}"/>' if d.size else "",
            '<w:u w:val="single"/>' if look.u else '<w:u w:val="none"/>',
        )
    )


def own_look(style: etree._Element) -> Look:
    """The look of a style that this writer made, read back."""
    rpr = style.find(w("rPr"))
    bold, italic = (rpr is not None and is_on(rpr.find(w(name))) for name in ("b", "i"))
    return Look(
        based_on=value_of(style, "basedOn"),
        b=bold,
        i=italic,
        u=value_of(rpr, "u") == "single",
        num_id=value_of(style, "pPr", "numPr", "numId"),
    )


def _string(node: etree._Element) -> str:
    text = etree.tostring(node, encoding="unicode", with_tail=False)
    return text.replace(f' xmlns:w="{W}"', "").replace(f' xmlns:r="{R}"', "")
