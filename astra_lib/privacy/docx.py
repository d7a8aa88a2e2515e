"""A Word file with nobody in it: body, headers, footnotes, comments, authors, properties, alt texts, links, all masked together.

The copy keeps its layout and every other part byte for byte; pictures are not looked into. Whoever wrote, changed or commented
it becomes `ASTRA`; the properties that describe people or their office are emptied.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from lxml import etree

from ..word.package import Package, local, pack, to_bytes
from ..spanish.words import fold
from ..spanish.lists import GIVEN, SURNAMES
from .xml import XmlText, replace_in_xml, xml_text
from ..core.records import atomic_write

NOBODY = "ASTRA"
_EMPTIED = frozenset(
    "creator lastmodifiedby description keywords subject title category contentstatus manager company hyperlinkbase".split()
)
_AUTHORS = re.compile(r"""(\s(?:w|w15|w16\w*):(?:author|initials|userId|providerId|userid)=)(["']).*?\2""")
_LABELS = re.compile(r"""(<w:(?:alias|tag)\s(?:[^<>]*\s)?w:val=)(?:"[^"]*"|'[^']*')""")
_TEXTUAL = re.compile(r"(?:document|header|footer|footnotes|endnotes|comments|glossary)\w*\.xml$")
_LOOKS = re.compile(r"(?:styles|fontTable|theme\d*|numbering|webSettings)\.xml$")
_PROPERTIES = re.compile(r"^docProps/(?:core|app|custom)\w*\.xml$", re.I)


def scrub_docx(
    path: Path | str, out: Path | str, entities: Callable[[Sequence[str]], Sequence[Sequence[Any]]]
) -> Counter[str]:
    """Write the masked copy; the counter says what was found. `entities`: a Scrubber's, which sees all texts at once.

    `InputError` for what is no readable .docx."""
    package = Package.open(path)
    xmls: dict[str, XmlText] = {}
    trees: dict[str, etree._Element] = {}
    for name in package.names:
        if (
            name.endswith(".rels")
            or name == "[Content_Types].xml"
            or not name.lower().endswith((".xml", ".vml"))
        ):
            continue
        root = package.xml(name)
        if _TEXTUAL.search(name):
            xmls[name] = xml_text(_LABELS.sub(r'\1""', etree.tostring(root, encoding="unicode")))
        else:
            trees[name] = root
    texts = [x.text for x in xmls.values()]
    slots = [(name, slot) for name, root in trees.items() for slot in _slots(name, root)]
    texts += [slot[2] for _, slot in slots]
    links = [(name, root, node) for name, root in _relations(package) for node in root]
    texts += [node.get("Target", "") for *_, node in links]
    # an author may be named in the text too; said like this, the name is found wherever it stands
    texts += [f"La señora {name}." for name in sorted(_authors(package))]
    found = dict(zip(texts, entities(texts), strict=True))
    count = Counter(e.type for text in dict.fromkeys(texts) for e in found[text] if e.type != "LITERAL")
    parts = {name: package.part(name) for name in package.names}
    for name, source in xmls.items():
        made, _ = replace_in_xml(source, [(e.start, e.end, e.replacement) for e in found[source.text]])
        parts[name] = (
            '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
            + _AUTHORS.sub(rf"\1\2{NOBODY}\2", made)
        ).encode()
    for _, (node, attribute, text) in slots:
        masked = _replaced(text, found[text])
        if attribute:
            node.set(attribute, masked)
        else:
            node.text = masked
    for name, root in trees.items():
        if etree.tostring(root) != etree.tostring(package.xml(name)):
            parts[name] = to_bytes(root)
    for name, root, node in links:
        if node.get("TargetMode") == "External" and found[node.get("Target", "")]:
            node.set("Target", "about:blank")
            parts[name] = to_bytes(root)
    atomic_write(out, pack(parts))
    return count


def _authors(package: Package) -> set[str]:
    """Names of people, not of machines, among those who wrote, changed or commented the file."""
    found = set()
    for name in package.names:
        if name.endswith(".xml"):
            for node in package.xml(name).iter():
                if isinstance(node.tag, str):
                    said = [v for k, v in node.attrib.items() if etree.QName(k).localname == "author"]
                    said += (
                        [node.text or ""]
                        if _PROPERTIES.match(name) and local(node) in ("creator", "lastModifiedBy", "Manager")
                        else []
                    )
                    found |= {" ".join(s.split()) for s in said}
    return {
        a
        for a in found
        if len(a.split()) > 1 and any(fold(w) in GIVEN or fold(w) in SURNAMES for w in a.split())
    }


def _replaced(text: str, entities: Sequence[Any]) -> str:
    out, last = [], 0
    for e in entities:
        out += [text[last : e.start], e.replacement]
        last = e.end
    return "".join([*out, text[last:]])


def _slots(name: str, root: etree._Element) -> list[tuple[etree._Element, str, str]]:
    """`(element, attribute or "", text)` of what may name somebody in a part that is no running text; authors go at once."""
    made = []
    for node in root.iter():
        if not isinstance(node.tag, str):
            continue
        if _PROPERTIES.match(name) and local(node).lower() in _EMPTIED:
            for child in list(node):
                node.remove(child)
            node.text = NOBODY if local(node).lower() in ("creator", "lastmodifiedby") else None
        elif node.text and node.text.strip():
            made.append((node, "", node.text))
        for key, value in node.attrib.items():
            attribute = etree.QName(key).localname
            if attribute in ("author", "initials", "userId", "providerId", "userid"):
                node.set(key, NOBODY)
            elif (
                value.strip()
                and not _LOOKS.search(name)
                and (
                    attribute in ("descr", "title", "alias", "tooltip", "name")
                    or attribute == "val"
                    and local(node) == "docVar"
                )
            ):
                made.append((node, str(key), value))
    return made


def _relations(package: Package) -> list[tuple[str, etree._Element]]:
    return [(name, package.xml(name)) for name in package.names if name.endswith(".rels")]
