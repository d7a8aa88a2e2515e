"""What stays behind when a template's parts travel: changes, comments, names, bindings, most settings."""

from __future__ import annotations

import copy

from lxml import etree

from .package import Package
from .xml import element, local, w

# the settings of a document that shape its pages
_SETTINGS = frozenset(
    """
    zoom mirrorMargins defaultTabStop evenAndOddHeaders compat themeFontLang clrSchemeMapping
    autoHyphenation consecutiveHyphenLimit hyphenationZone characterSpacingControl
    bordersDoNotSurroundHeader bordersDoNotSurroundFooter decimalSymbol listSeparator
    """.split()
)
# elements that no reader of the page sees
_INVISIBLE = frozenset(
    """
    del moveFrom rsid dataBinding docPartObj
    proofErr bookmarkStart bookmarkEnd permStart permEnd lastRenderedPageBreak
    commentRangeStart commentRangeEnd commentReference footnoteReference endnoteReference
    """.split()
)
_SECTION_TRASH = ("sectPrChange", "footnotePr", "endnotePr", "type", "printerSettings", "pgNumType")
_LETTER_PAGE = (
    '<w:sectPr><w:pgSz w:w="12240" w:h="15840"/><w:pgMar w:top="1440" w:right="1440" w:bottom="1440" '
    'w:left="1440" w:header="708" w:footer="708" w:gutter="0"/></w:sectPr>'
)
DEFAULT_TEXT_WIDTH, MIN_TEXT_WIDTH = 9000, 2000  # in twentieths of a point


def section_of(document: etree._Element) -> etree._Element:
    """One section for the whole: the one that holds most text, with the headers and footers it inherits."""
    body = document.find(w("body"))
    sections: list[tuple[int, etree._Element]] = []
    inherited: dict[tuple[str, str], etree._Element] = {}
    size = 0
    for block in body if body is not None else ():
        size += sum(len(t.text or "") for t in block.iter(w("t")))
        found = block if block.tag == w("sectPr") else block.find(f"{w('pPr')}/{w('sectPr')}")
        if found is not None:
            sections.append((size, _clean_section(found, inherited)))
            size = 0
    if not sections:
        return element(_LETTER_PAGE)
    return max(sections, key=lambda s: s[0])[1]


def _clean_section(
    section: etree._Element, inherited: dict[tuple[str, str], etree._Element]
) -> etree._Element:
    """A copy with every header and footer in force; `inherited` is updated for the next section."""
    section = copy.deepcopy(section)
    for node in list(section):
        if local(node) in ("headerReference", "footerReference"):
            inherited[(local(node), node.get(w("type"), "default"))] = node
            section.remove(node)
        elif local(node) in _SECTION_TRASH:
            section.remove(node)
    for position, node in enumerate(inherited.values()):
        section.insert(position, copy.deepcopy(node))
    for key in [k for k in section.attrib if "rsid" in k]:
        del section.attrib[key]
    return section


def text_width(package: Package) -> int:
    """The width of the lines on a page, in twentieths of a point."""
    section = section_of(package.xml(package.main))
    size, margin = section.find(w("pgSz")), section.find(w("pgMar"))
    try:
        width = int(size.get(w("w"))) - int(margin.get(w("left"))) - int(margin.get(w("right")))
    except (AttributeError, TypeError, ValueError):
        return DEFAULT_TEXT_WIDTH
    return max(MIN_TEXT_WIDTH, width)


def clean_part(root: etree._Element) -> None:
    """Accept changes, drop comments, rsids and bindings, in place: headers, footers, styles, numbering."""
    for node in [n for n in root.iter() if isinstance(n.tag, str)]:
        name, parent = local(node), node.getparent()
        for key in [k for k in node.attrib if "rsid" in etree.QName(k).localname]:
            del node.attrib[key]
        if name in ("docPr", "cNvPr"):
            for key in ("descr", "title"):
                node.attrib.pop(key, None)
        if parent is None or not node.tag.startswith(w("")):
            continue
        if _is_invisible(name):
            _remove(node)
        elif name in ("ins", "moveTo"):
            if local(parent) not in ("rPr", "trPr"):  # there it is a flag, here it wraps what was inserted
                for child in list(node):
                    node.addprevious(child)
            parent.remove(node)


def _is_invisible(name: str) -> bool:
    recorded = name.endswith(("PrChange", "GridChange", "numberingChange"))
    return name in _INVISIBLE or recorded or name.startswith(("moveFromRange", "moveToRange"))


def _remove(node: etree._Element) -> None:
    """Take an element out and leave the text that stands after it."""
    parent, before = node.getparent(), node.getprevious()
    assert parent is not None
    if node.tail and before is not None:
        before.tail = (before.tail or "") + node.tail
    elif node.tail:
        parent.text = (parent.text or "") + node.tail
    parent.remove(node)


def clean_settings(root: etree._Element) -> None:
    """Keep, in place, the settings that shape pages."""
    for node in list(root):
        if local(node) not in _SETTINGS:
            root.remove(node)
