"""What of a template travels into a new file, and what stays behind: changes, comments, names, bindings."""

from __future__ import annotations

import copy
import posixpath

from lxml import etree

from .package import RELS, Package, R, Relation, W, local, parse_xml, to_bytes, w

_OFFICE = R + "/"
_SETTINGS = {
    "zoom",
    "mirrorMargins",
    "defaultTabStop",
    "autoHyphenation",
    "consecutiveHyphenLimit",
    "hyphenationZone",
    "evenAndOddHeaders",
    "bordersDoNotSurroundHeader",
    "bordersDoNotSurroundFooter",
    "characterSpacingControl",
    "compat",
    "themeFontLang",
    "clrSchemeMapping",
    "decimalSymbol",
    "listSeparator",
}
_RUN_TRASH = {
    "proofErr",
    "bookmarkStart",
    "bookmarkEnd",
    "commentRangeStart",
    "commentRangeEnd",
    "commentReference",
    "permStart",
    "permEnd",
    "lastRenderedPageBreak",
    "footnoteReference",
    "endnoteReference",
}


def element(xml: str) -> etree._Element:
    return parse_xml(f'<x xmlns:w="{W}" xmlns:r="{R}">{xml}</x>')[0]


def section_of(document: etree._Element) -> etree._Element:
    """One section for the whole: the one that holds most text, with the headers and footers it inherits."""
    body = document.find(w("body"))
    sections: list[tuple[int, etree._Element]] = []
    inherited: dict[tuple[str, str], etree._Element] = {}
    size = 0
    for block in body if body is not None else ():
        size += sum(len(t.text or "") for t in block.iter(w("t")))
        section = block if block.tag == w("sectPr") else block.find(f"{w('pPr')}/{w('sectPr')}")
        if section is None:
            continue
        section = copy.deepcopy(section)
        for node in list(section):
            if local(node) in (
                "sectPrChange",
                "footnotePr",
                "endnotePr",
                "type",
                "printerSettings",
                "pgNumType",
            ):
                section.remove(node)
            elif local(node) in ("headerReference", "footerReference"):
                inherited[(local(node), node.get(w("type"), "default"))] = node
                section.remove(node)
        for position, node in enumerate(inherited.values()):
            section.insert(position, copy.deepcopy(node))
        for key in [k for k in section.attrib if "rsid" in k]:
            del section.attrib[key]
        sections.append((size, section))
        size = 0
    if not sections:
        return element(
            '<w:sectPr><w:pgSz w:w="12240" w:h="15840"/><w:pgMar w:top="1440" w:right="1440" w:bottom="1440" '
            'w:left="1440" w:header="708" w:footer="708" w:gutter="0"/></w:sectPr>'
        )
    return max(sections, key=lambda s: s[0])[1]


def text_width(package: Package) -> int:
    section = section_of(package.xml(package.main))
    size, margin = section.find(w("pgSz")), section.find(w("pgMar"))
    try:
        return max(2000, int(size.get(w("w"))) - int(margin.get(w("left"))) - int(margin.get(w("right"))))
    except (AttributeError, TypeError, ValueError):
        return 9000


def clean_story(root: etree._Element) -> None:
    """Accept changes, drop comments, rsids and bindings, in place: for headers, footers, styles, numbering."""
    for node in [n for n in root.iter() if isinstance(n.tag, str)]:
        name, parent = local(node), node.getparent()
        for key in [k for k in node.attrib if "rsid" in etree.QName(k).localname]:
            del node.attrib[key]
        if name in ("docPr", "cNvPr"):
            for key in ("descr", "title"):
                node.attrib.pop(key, None)
        if parent is None or not node.tag.startswith(w("")):
            continue
        if (
            name in ("del", "moveFrom", "dataBinding", "docPartObj", "rsid")
            or name in _RUN_TRASH
            or name.endswith(("PrChange", "GridChange", "numberingChange"))
            or name.startswith(("moveFromRange", "moveToRange"))
        ):
            parent.remove(node) if not node.tail else _remove(node)
        elif name in ("ins", "moveTo") and local(parent) not in ("rPr", "trPr"):
            for child in list(node):
                node.addprevious(child)
            parent.remove(node)
        elif name in ("ins", "moveTo"):
            parent.remove(node)


def _remove(node: etree._Element) -> None:
    parent, before = node.getparent(), node.getprevious()
    assert parent is not None
    if before is not None:
        before.tail = (before.tail or "") + (node.tail or "")
    else:
        parent.text = (parent.text or "") + (node.tail or "")
    parent.remove(node)


def clean_settings(root: etree._Element) -> None:
    for node in list(root):
        if local(node) not in _SETTINGS or not isinstance(node.tag, str):
            root.remove(node)


def home_of(name: str) -> str:
    """Where a part goes in the new file: main documents may live elsewhere than word/."""
    return name if name.startswith("word/") else "word/" + posixpath.basename(name)


def relations_xml(relations: list[Relation], folder: str) -> bytes:
    root = etree.Element(f"{{{RELS}}}Relationships", nsmap={None: RELS})
    for relation in relations:
        target = relation.target if relation.external else posixpath.relpath(relation.target, folder or ".")
        package = "http://schemas.openxmlformats.org/package/2006/relationships/"
        kind = package + relation.type if relation.type.startswith("metadata/") else _OFFICE + relation.type
        node = etree.SubElement(root, f"{{{RELS}}}Relationship", Id=relation.id, Type=kind, Target=target)
        if relation.external:
            node.set("TargetMode", "External")
    return to_bytes(root)
