"""A Word file with nobody in it.

Body, headers, footnotes, comments, authors, properties, alt texts and links are masked together. The copy
keeps its layout and every other part byte for byte; pictures are not looked into. Authors, of the file, its
changes and its comments, become `ASTRA`; the properties that describe people or their office are emptied.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lxml import etree

from ..core.records import atomic_write
from ..spanish.words import fold
from ..word.package import Package, local, pack, to_bytes
from .entities import Entity, replaced
from .names import on_name_list
from .xml import XmlText, replace_in_xml, xml_text

FindEntities = Callable[[Sequence[str]], Sequence[Sequence[Entity]]]
Found = dict[str, Sequence[Entity]]  # by text

NOBODY = "ASTRA"
_AUTHOR_PROPERTIES = ("creator", "lastmodifiedby")
_EMPTIED = frozenset(
    "creator lastmodifiedby description keywords subject title category contentstatus manager company "
    "hyperlinkbase".split()
)
_AUTHOR_ATTRIBUTES = ("author", "initials", "userId", "providerId", "userid")
_DESCRIPTIONS = ("descr", "title", "alias", "tooltip", "name")
_AUTHORS = re.compile(r"""(\s(?:w|w15|w16\w*):(?:author|initials|userId|providerId|userid)=)(["']).*?\2""")
_LABELS = re.compile(r"""(<w:(?:alias|tag)\s(?:[^<>]*\s)?w:val=)(?:"[^"]*"|'[^']*')""")
_TEXTUAL = re.compile(r"(?:document|header|footer|footnotes|endnotes|comments|glossary)\w*\.xml$")
_LOOKS = re.compile(r"(?:styles|fontTable|theme\d*|numbering|webSettings)\.xml$")
_PROPERTIES = re.compile(r"^docProps/(?:core|app|custom)\w*\.xml$", re.I)
_DECLARATION = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'


@dataclass
class _Slot:
    """A place outside running text that may name somebody: an element's text, or one of its attributes."""

    node: etree._Element
    attribute: str  # "": the element's text
    text: str

    def fill(self, found: Found) -> None:
        masked = replaced(self.text, found[self.text])
        if self.attribute:
            self.node.set(self.attribute, masked)
        else:
            self.node.text = masked


@dataclass
class _Contents:
    """The parts of a package: running text, other XML with its slots, and relations with their links."""

    running: dict[str, XmlText] = field(default_factory=dict)
    trees: dict[str, etree._Element] = field(default_factory=dict)
    slots: list[_Slot] = field(default_factory=list)
    relations: dict[str, etree._Element] = field(default_factory=dict)

    @classmethod
    def of(cls, package: Package) -> _Contents:
        contents = cls()
        for name in package.names:
            if name.endswith(".rels"):
                contents.relations[name] = package.xml(name)
            elif name == "[Content_Types].xml" or not name.lower().endswith((".xml", ".vml")):
                continue
            elif _TEXTUAL.search(name):
                xml = etree.tostring(package.xml(name), encoding="unicode")
                contents.running[name] = xml_text(_LABELS.sub(r'\1""', xml))
            else:
                contents.trees[name] = package.xml(name)
                contents.slots += _slots(name, contents.trees[name])
        return contents

    @property
    def texts(self) -> list[str]:
        running = [source.text for source in self.running.values()]
        links = [node.get("Target", "") for root in self.relations.values() for node in root]
        return [*running, *(slot.text for slot in self.slots), *links]

    def masked_parts(self, package: Package, found: Found) -> Iterator[tuple[str, bytes]]:
        """`(name, bytes)` of every part that changes."""
        for name, source in self.running.items():
            edits = [(e.start, e.end, e.replacement) for e in found[source.text]]
            made, _ = replace_in_xml(source, edits)
            yield name, (_DECLARATION + _AUTHORS.sub(rf"\1\2{NOBODY}\2", made)).encode()
        for slot in self.slots:
            slot.fill(found)
        for name, root in self.trees.items():
            if etree.tostring(root) != etree.tostring(package.xml(name)):
                yield name, to_bytes(root)
        for name, root in self.relations.items():
            if _cut_links(root, found):
                yield name, to_bytes(root)


def scrub_docx(path: Path | str, out: Path | str, entities: FindEntities) -> Counter[str]:
    """Write the masked copy; the counter says what was found.

    `entities`: a Scrubber's, which sees all texts at once.
    `InputError` when the file cannot be read as .docx.
    """
    package = Package.open(path)
    contents = _Contents.of(package)
    # an author may be named in the text too; said like this, the name is found wherever it stands
    texts = contents.texts + [f"La señora {name}." for name in sorted(_authors(package))]
    found: Found = dict(zip(texts, entities(texts), strict=True))
    parts = {name: package.part(name) for name in package.names}
    parts.update(contents.masked_parts(package, found))
    atomic_write(out, pack(parts))
    return Counter(e.type for here in found.values() for e in here if e.type != "LITERAL")


def _cut_links(root: etree._Element, found: Found) -> bool:
    """Point the external links that name somebody to nowhere; were there any?"""
    cut = False
    for node in root:
        if node.get("TargetMode") == "External" and found[node.get("Target", "")]:
            node.set("Target", "about:blank")
            cut = True
    return cut


def _authors(package: Package) -> set[str]:
    """Names of people, not of machines, among those who wrote, changed or commented the file."""
    found = set()
    for name in package.names:
        if name.endswith(".xml"):
            found |= set(_named_authors(name, package.xml(name)))
    return {author for author in found if _is_person(author)}


def _named_authors(name: str, root: etree._Element) -> Iterator[str]:
    properties = _PROPERTIES.match(name)
    for node in root.iter():
        if not isinstance(node.tag, str):
            continue
        for key, value in node.attrib.items():
            if etree.QName(key).localname == "author":
                yield " ".join(value.split())
        if properties and local(node) in ("creator", "lastModifiedBy", "Manager"):
            yield " ".join((node.text or "").split())


def _is_person(author: str) -> bool:
    words = author.split()
    return len(words) > 1 and any(on_name_list(fold(word)) for word in words)


def _slots(name: str, root: etree._Element) -> list[_Slot]:
    """What may name somebody in a part that is not running text; its authors are exchanged at once."""
    made = []
    properties = _PROPERTIES.match(name)
    for node in root.iter():
        if not isinstance(node.tag, str):
            continue
        if properties and local(node).lower() in _EMPTIED:
            _empty(node)
        elif node.text and node.text.strip():
            made.append(_Slot(node, "", node.text))
        for key, value in node.attrib.items():
            attribute = etree.QName(key).localname
            if attribute in _AUTHOR_ATTRIBUTES:
                node.set(key, NOBODY)
            elif value.strip() and not _LOOKS.search(name) and _describes(node, attribute):
                made.append(_Slot(node, str(key), value))
    return made


def _empty(node: etree._Element) -> None:
    """A property without its value; the author's becomes nobody's."""
    for child in list(node):
        node.remove(child)
    node.text = NOBODY if local(node).lower() in _AUTHOR_PROPERTIES else None


def _describes(node: etree._Element, attribute: str) -> bool:
    """Alt texts, tooltips, titles, and the values of document variables."""
    return attribute in _DESCRIPTIONS or (attribute == "val" and local(node) == "docVar")
