"""What Word would show: styles, numbering and direct formatting resolved to effective values."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from lxml import etree

from .package import Package
from .xml import is_off, is_on, plain_xml, val, value_of, w

# the paragraph properties that shape it on the page, in the schema's order
_SHAPE = ("keepNext", "keepLines", "pBdr", "shd", "tabs", "spacing", "ind", "contextualSpacing", "jc")


@dataclass(frozen=True)
class Emphasis:
    """What a run's format can mean: the marks that the canonical form keeps."""

    bold: bool = False
    italic: bool = False
    strike: bool = False
    underline: bool = False
    vertical: str = ""  # "superscript", "subscript" or ""


@dataclass(frozen=True)
class Font:
    """How a run's letters are drawn; it never carries meaning. `size` in half points, as Word counts."""

    faces: tuple[tuple[str, str], ...] = ()  # (attribute of w:rFonts, name of the font)
    size: str = ""
    color: str = ""
    caps: bool = False
    small_caps: bool = False


@dataclass(frozen=True)
class Numbering:
    """The list that a paragraph belongs to."""

    num_id: str
    level: int
    format: str  # "bullet", "decimal", "none", …
    abstract: str


@dataclass(frozen=True)
class TableFormat:
    """How one of the tenant's tables is drawn. `head` and `body` hold the XML of a w:tcPr for each column."""

    columns: int
    properties: str  # XML of w:tblPr
    grid: tuple[int, ...]  # widths of the columns, in twentieths of a point
    head: tuple[str, ...]
    body: tuple[str, ...]
    first_row: str  # its text, by which the table is found again


@dataclass(frozen=True)
class StyleFormat:
    """How a tenant draws one canonical style."""

    based_on: str = ""
    properties: str = ""  # XML inside w:pPr
    font: Font = Font()
    bold: bool = False
    italic: bool = False
    underline: bool = False
    num_id: str = ""
    level: int = 0


@dataclass
class StyleSheet:
    """A document's styles.xml and numbering.xml, ready to answer."""

    styles: dict[str, etree._Element] = field(default_factory=dict)
    defaults: etree._Element | None = None
    default_paragraph: str = ""
    nums: dict[str, tuple[str, dict[int, str]]] = field(
        default_factory=dict
    )  # numId: abstract, level: format

    @classmethod
    def of(cls, package: Package) -> StyleSheet:
        """The styles and lists of a package; empty where it has no such part."""
        sheet = cls()
        if name := package.related("styles"):
            root = package.xml(name)
            for style in root.iterchildren(w("style")):
                identifier = style.get(w("styleId"), "")
                sheet.styles[identifier] = style
                if style.get(w("type")) == "paragraph" and style.get(w("default")) in ("1", "true", "on"):
                    sheet.default_paragraph = identifier
            sheet.defaults = root.find(f"{w('docDefaults')}/{w('rPrDefault')}/{w('rPr')}")
        if name := package.related("numbering"):
            sheet._read_numbering(package.xml(name))
        return sheet

    def _read_numbering(self, root: etree._Element) -> None:
        abstracts: dict[str, etree._Element] = {
            a.get(w("abstractNumId"), ""): a for a in root.iterchildren(w("abstractNum"))
        }
        by_link = {val(link): a for a in abstracts.values() for link in a.findall(w("styleLink"))}
        for num in root.iterchildren(w("num")):
            abstract = abstracts.get(value_of(num, "abstractNumId"))
            if abstract is None:
                continue
            if (link := abstract.find(w("numStyleLink"))) is not None:
                abstract = by_link.get(val(link), abstract)
            levels = abstract.findall(w("lvl")) + num.findall(f"{w('lvlOverride')}/{w('lvl')}")
            formats = {int(x.get(w("ilvl"), "0")): value_of(x, "numFmt") or "decimal" for x in levels}
            self.nums[num.get(w("numId"), "")] = (abstract.get(w("abstractNumId"), ""), formats)

    def chain(self, identifier: str) -> list[etree._Element]:
        """The style and what it is based on, nearest first."""
        out: list[etree._Element] = []
        while identifier in self.styles and self.styles[identifier] not in out:
            out.append(self.styles[identifier])
            identifier = value_of(out[-1], "basedOn")
        return out

    def name_of(self, identifier: str) -> str:
        """The name a clerk sees in Word's list of styles; "" for a style that is not there."""
        return value_of(self.styles[identifier], "name") if identifier in self.styles else ""

    def paragraph_property(self, ppr: etree._Element | None, style: str, name: str) -> etree._Element | None:
        """A paragraph property as it takes effect: said directly, else by the nearest style that says it."""
        for owner in (ppr, *(s.find(w("pPr")) for s in self.chain(style))):
            if owner is not None and (found := owner.find(w(name))) is not None:
                return found
        return None

    def table_spacing(self, tables: Iterable[TableFormat]) -> str:
        """The w:spacing that the first table's style gives its paragraphs; "" for none."""
        first = next(iter(tables), None)
        name = re.search(r'<w:tblStyle w:val="([^"]*)"', first.properties) if first else None
        found = self.paragraph_property(None, name[1], "spacing") if name else None
        return "" if found is None else plain_xml(found)

    def numbering(self, ppr: etree._Element | None, style: str) -> Numbering | None:
        """The list of a paragraph, by its own properties or its style's."""
        found = self.paragraph_property(ppr, style, "numPr")
        if found is None:
            return None
        num_id, level = value_of(found, "numId"), value_of(found, "ilvl") or "0"
        if not num_id:  # a style may give the level alone, the numId stands further up its chain
            inherited = (value_of(s.find(w("pPr")), "numPr", "numId") for s in self.chain(style))
            num_id = next(filter(None, inherited), "")
        if num_id not in self.nums or not level.isdigit():
            return None
        abstract, formats = self.nums[num_id]
        form = formats.get(int(level), "decimal")
        return None if form == "none" else Numbering(num_id, int(level), form, abstract)

    def run_format(self, rpr: etree._Element | None, paragraph_style: str) -> tuple[Emphasis, Font, bool]:
        """A run's emphasis, its font, and whether it is hidden."""
        character = value_of(rpr, "rStyle")
        direct = [] if rpr is None else [rpr]
        by_character = [s.find(w("rPr")) for s in self.chain(character)] if character else []
        by_paragraph = [*(s.find(w("rPr")) for s in self.chain(paragraph_style)), self.defaults]

        def nearest(name: str) -> etree._Element | None:
            return _nearest(name, direct + by_character + by_paragraph)

        def toggle(name: str) -> bool:
            if (said := _nearest(name, direct)) is not None:
                return is_on(said)
            # within the styles a toggle switches: bold in a bold paragraph's style shows plain
            return is_on(_nearest(name, by_character)) != is_on(_nearest(name, by_paragraph))

        faces, underline, vertical = nearest("rFonts"), nearest("u"), val(nearest("vertAlign"))
        emphasis = Emphasis(
            bold=toggle("b"),
            italic=toggle("i"),
            strike=toggle("strike") or toggle("dstrike"),
            underline=underline is not None and not is_off(val(underline) or "single"),
            vertical=vertical if vertical in ("superscript", "subscript") else "",
        )
        named = [] if faces is None else faces.attrib.items()
        font = Font(
            faces=tuple(sorted((etree.QName(key).localname, str(name)) for key, name in named)),
            size=val(nearest("sz")),
            color=val(nearest("color")),
            caps=toggle("caps"),
            small_caps=toggle("smallCaps"),
        )
        return emphasis, font, toggle("vanish")


def _nearest(name: str, owners: Iterable[etree._Element | None]) -> etree._Element | None:
    for owner in owners:
        if owner is not None and (found := owner.find(w(name))) is not None:
            return found
    return None


def direct_format(ppr: etree._Element | None) -> str:
    """What a paragraph's own properties say about its shape, as XML in the schema's order."""
    found = [] if ppr is None else [ppr.find(w(name)) for name in _SHAPE]
    return "".join(plain_xml(x) for x in found if x is not None)
