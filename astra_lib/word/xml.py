"""WordprocessingML with lxml: namespaces, a parser that takes nothing from outside, helpers for elements."""

from __future__ import annotations

import re
from collections.abc import Iterator

from lxml import etree

from ..core.errors import InputError

W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
R = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
W14 = "http://schemas.microsoft.com/office/word/2010/wordml"
MC = "http://schemas.openxmlformats.org/markup-compatibility/2006"
RELS = "http://schemas.openxmlformats.org/package/2006/relationships"
TYPES = "http://schemas.openxmlformats.org/package/2006/content-types"
XML = "http://www.w3.org/XML/1998/namespace"

MAX_BYTES = 64 << 20
SAVE_AS_DOCX = "Open it in Word or LibreOffice and save it as .docx"
_ALTERNATIVE = f"{{{MC}}}AlternateContent"
_OFF = ("0", "false", "off", "none")


# ---- names
def w(name: str) -> str:
    """`w("p")` is lxml's name of w:p."""
    return f"{{{W}}}{name}"


def r(name: str) -> str:
    """`r("id")` is lxml's name of r:id."""
    return f"{{{R}}}{name}"


def local(element: etree._Element) -> str:
    """An element's name without its namespace; "" for comments and processing instructions."""
    return etree.QName(element).localname if isinstance(element.tag, str) else ""


# ---- text to trees and back
def parse_xml(data: bytes | str, *, where: str = "XML", max_bytes: int = MAX_BYTES) -> etree._Element:
    """The root element; `InputError` for a DOCTYPE, entities, broken XML, too much of it or too deep."""
    raw = data.encode("utf-8") if isinstance(data, str) else data
    if len(raw) > max_bytes:
        raise InputError(
            f"{len(raw) >> 20} MiB of XML in one part, at most {max_bytes >> 20} are read", where=where
        )
    # before parsing, so that no entity is ever declared; UTF-16 hides it behind NULs
    if b"<!DOCTYPE" in raw or b"<!DOCTYPE" in raw[: 1 << 20].replace(b"\0", b""):
        raise InputError(
            "the XML declares a DOCTYPE, which Word never writes",
            where=where,
            remedy=f"Somebody changed the file, or Word did not write it. {SAVE_AS_DOCX}",
        )
    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        huge_tree=False,
        remove_pis=False,
        recover=False,
    )
    try:
        root = etree.fromstring(raw, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise InputError(f"broken XML: {str(error).splitlines()[0]}", where=where) from None
    if root.getroottree().docinfo.doctype:
        raise InputError("the XML declares a DOCTYPE, which Word never writes", where=where)
    return root


def element(xml: str) -> etree._Element:
    """One element out of XML of our own, whose prefixes are w: and r:."""
    return parse_xml(f'<x xmlns:w="{W}" xmlns:r="{R}">{xml}</x>')[0]


def to_bytes(root: etree._Element) -> bytes:
    """A part of a package: UTF-8 with its declaration."""
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8", standalone=True)


def to_string(element: etree._Element) -> str:
    """An element as Word wrote it, without the two namespace declarations."""
    text = etree.tostring(element, encoding="unicode", with_tail=False)
    return text.replace(f' xmlns:w="{W}"', "").replace(f' xmlns:r="{R}"', "")


def plain_xml(element: etree._Element) -> str:
    """An element's part in the w: namespace, without rsids and without namespace declarations."""
    attributes = "".join(
        f' w:{etree.QName(key).localname}="{value}"'
        for key, value in element.attrib.items()
        if key.startswith(w("")) and not etree.QName(key).localname.startswith("rsid")
    )
    inner = "".join(plain_xml(c) for c in element if isinstance(c.tag, str) and c.tag.startswith(w("")))
    name = f"w:{local(element)}"
    return f"<{name}{attributes}>{inner}</{name}>" if inner else f"<{name}{attributes}/>"


def strip_controls(text: str) -> str:
    """Text without the characters XML 1.0 forbids."""
    return re.sub("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "", text)


# ---- looking into an element
def children(element: etree._Element) -> Iterator[etree._Element]:
    """Child elements; of each mc:AlternateContent one branch in its place: the first, as Word reads it."""
    for child in element:
        if child.tag == _ALTERNATIVE:
            branches = [c for c in child if local(c) in ("Choice", "Fallback")]
            if branches:
                yield from children(branches[0])
        elif isinstance(child.tag, str):
            yield child


def val(element: etree._Element | None) -> str:
    """An element's w:val; "" where there is none."""
    return "" if element is None else element.get(w("val"), "")


def value_of(owner: etree._Element | None, *path: str) -> str:
    """The w:val at the end of a path of child names; "" where there is none."""
    for name in path:
        owner = owner.find(w(name)) if owner is not None else None
    return val(owner)


def is_on(toggle: etree._Element | None) -> bool:
    """Whether a switch like w:b is set: present, and not told to be off."""
    return toggle is not None and (toggle.get(w("val")) or "1") not in _OFF


def is_off(value: str) -> bool:
    """Whether a w:val says that nothing is there."""
    return value in _OFF


def depth_within(root: etree._Element, limit: int) -> bool:
    """Whether no element is nested deeper than `limit`."""
    depth = 0
    for event, _ in etree.iterwalk(root, events=("start", "end")):
        depth += 1 if event == "start" else -1
        if depth > limit:
            return False
    return True


def relation_ids(element: etree._Element) -> set[str]:
    """Every relation that an element and its descendants name."""
    nodes = [node for node in element.iter() if isinstance(node.tag, str)]
    return {value for node in nodes for key, value in node.attrib.items() if key.startswith(r(""))}
