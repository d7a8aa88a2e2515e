"""What Word would show: styles, numbering and direct formatting resolved to effective values."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from lxml import etree

from .package import Package, local, w

# of a paragraph's properties, those that make its look; in the schema's order
LOOK = ("keepNext", "keepLines", "pBdr", "shd", "tabs", "spacing", "ind", "contextualSpacing", "jc")
_OFF = ("0", "false", "off", "none")


@dataclass(frozen=True)
class Marks:
    """What a run's look says beyond its style: the marks that can carry meaning."""

    b: bool = False
    i: bool = False
    strike: bool = False
    u: bool = False
    vert: str = ""  # "superscript", "subscript" or ""


@dataclass(frozen=True)
class Dress:
    """What a run wears: never meaning, always the style's business. Sizes in half points."""

    fonts: tuple[tuple[str, str], ...] = ()
    size: str = ""
    color: str = ""
    caps: bool = False
    small_caps: bool = False


@dataclass(frozen=True)
class Numbering:
    num_id: str
    level: int
    format: str  # "bullet", "decimal", "none", …
    abstract: str


@dataclass(frozen=True)
class TableLook:
    """How one of the tenant's tables is drawn; `xml` parts are w:tblPr, w:tblGrid and a w:tcPr for each column."""

    columns: int
    properties: str
    grid: tuple[int, ...]
    head: tuple[str, ...]
    body: tuple[str, ...]
    first_row: str


@dataclass
class Sheet:
    """A document's styles.xml and numbering.xml, ready to answer."""

    styles: dict[str, etree._Element] = field(default_factory=dict)
    defaults: etree._Element | None = None
    default_paragraph: str = ""
    nums: dict[str, tuple[str, dict[int, str]]] = field(
        default_factory=dict
    )  # numId -> (abstract, {level: format})

    @classmethod
    def of(cls, package: Package) -> Sheet:
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
            sheet._numbering(package.xml(name))
        return sheet

    def _numbering(self, root: etree._Element) -> None:
        abstracts: dict[str, etree._Element] = {
            a.get(w("abstractNumId"), ""): a for a in root.iterchildren(w("abstractNum"))
        }
        by_link = {
            link.get(w("val"), ""): a for a in abstracts.values() for link in a.findall(w("styleLink"))
        }
        for num in root.iterchildren(w("num")):
            reference = num.find(w("abstractNumId"))
            abstract = abstracts.get("" if reference is None else reference.get(w("val"), ""))
            if abstract is None:
                continue
            if (link := abstract.find(w("numStyleLink"))) is not None:
                abstract = by_link.get(link.get(w("val"), ""), abstract)
            levels = {
                int(lvl.get(w("ilvl"), "0")): value_of(lvl, "numFmt") or "decimal"
                for lvl in abstract.iterchildren(w("lvl"))
            }
            for override in num.findall(f"{w('lvlOverride')}/{w('lvl')}"):
                levels[int(override.get(w("ilvl"), "0"))] = value_of(override, "numFmt") or "decimal"
            self.nums[num.get(w("numId"), "")] = (abstract.get(w("abstractNumId"), ""), levels)

    def chain(self, identifier: str) -> list[etree._Element]:
        """The style and what it is based on, nearest first."""
        out: list[etree._Element] = []
        while identifier in self.styles and self.styles[identifier] not in out:
            out.append(self.styles[identifier])
            identifier = value_of(out[-1], "basedOn")
        return out

    def name_of(self, identifier: str) -> str:
        return value_of(self.styles[identifier], "name") if identifier in self.styles else ""

    def paragraph_property(self, ppr: etree._Element | None, style: str, name: str) -> etree._Element | None:
        for owner in (ppr, *(s.find(w("pPr")) for s in self.chain(style))):
            if owner is not None and (found := owner.find(w(name))) is not None:
                return found
        return None

    def table_spacing(self, looks: Iterable[TableLook]) -> str:
        """The w:spacing that the first table's style gives its paragraphs; "" for none."""
        for look in looks:
            name = re.search(r'<w:tblStyle w:val="([^"]*)"', look.properties)
            found = self.paragraph_property(None, name[1], "spacing") if name else None
            return "" if found is None else plain_xml(found)
        return ""

    def numbering(self, ppr: etree._Element | None, style: str) -> Numbering | None:
        found = self.paragraph_property(ppr, style, "numPr")
        if found is None:
            return None
        num_id, level = value_of(found, "numId"), value_of(found, "ilvl") or "0"
        if not num_id:  # a style may give the level alone, the numId stands further up its chain
            for owner in self.chain(style):
                if num_id := value_of(owner.find(w("pPr")), "numPr", "numId"):
                    break
        if num_id not in self.nums or not level.isdigit():
            return None
        abstract, levels = self.nums[num_id]
        form = levels.get(int(level), "decimal")
        return None if form == "none" else Numbering(num_id, int(level), form, abstract)

    def run(self, rpr: etree._Element | None, paragraph_style: str) -> tuple[Marks, Dress, bool]:
        """A run's marks, its dress, and whether it is hidden."""
        character = value_of(rpr, "rStyle")
        owners = [
            [rpr] if rpr is not None else [],
            [s.find(w("rPr")) for s in self.chain(character)] if character else [],
            [s.find(w("rPr")) for s in self.chain(paragraph_style)],
            [self.defaults],
        ]

        def nearest(name: str, groups: list[list[etree._Element]] = owners) -> etree._Element | None:
            for owner in (o for group in groups for o in group):
                if owner is not None and (found := owner.find(w(name))) is not None:
                    return found
            return None

        def toggle(name: str) -> bool:
            if (direct := nearest(name, owners[:1])) is not None:
                return is_on(direct)
            # within the styles a toggle switches: bold in a bold paragraph's style shows plain
            return is_on(nearest(name, owners[1:2])) != is_on(nearest(name, owners[2:]))

        fonts = nearest("rFonts")
        underline = nearest("u")
        vert = value_of_element(nearest("vertAlign"))
        marks = Marks(
            toggle("b"),
            toggle("i"),
            toggle("strike") or toggle("dstrike"),
            underline is not None and (underline.get(w("val")) or "single") not in _OFF,
            vert if vert in ("superscript", "subscript") else "",
        )
        dress = Dress(
            tuple(sorted((etree.QName(k).localname, str(v)) for k, v in fonts.attrib.items()))
            if fonts is not None
            else (),
            value_of_element(nearest("sz")),
            value_of_element(nearest("color")),
            toggle("caps"),
            toggle("smallCaps"),
        )
        return marks, dress, toggle("vanish")


def value_of_element(element: etree._Element | None) -> str:
    return "" if element is None else element.get(w("val"), "")


def value_of(owner: etree._Element | None, *path: str) -> str:
    """The w:val at the end of a path of child names; "" where there is none."""
    for name in path:
        owner = owner.find(w(name)) if owner is not None else None
    return value_of_element(owner)


def is_on(toggle: etree._Element | None) -> bool:
    return toggle is not None and (toggle.get(w("val")) or "1") not in _OFF


def look_of(ppr: etree._Element | None) -> str:
    """The look in a paragraph's direct properties, as XML in the schema's order."""
    if ppr is None:
        return ""
    out = []
    for name in LOOK:
        if (found := ppr.find(w(name))) is not None:
            out.append(plain_xml(found))
    return "".join(out)


def plain_xml(element: etree._Element) -> str:
    """An element of the w: namespace without rsids and without namespace declarations."""
    attributes = "".join(
        f' w:{etree.QName(k).localname}="{v}"'
        for k, v in element.attrib.items()
        if k.startswith(w("")) and not etree.QName(k).localname.startswith("rsid")
    )
    inner = "".join(
        plain_xml(child) for child in element if isinstance(child.tag, str) and child.tag.startswith(w(""))
    )
    return (
        f"<w:{local(element)}{attributes}>{inner}</w:{local(element)}>"
        if inner
        else f"<w:{local(element)}{attributes}/>"
    )
