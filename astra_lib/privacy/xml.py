"""Text inside WordprocessingML by offsets: names are found on the joined text and replaced across runs."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from xml.sax.saxutils import escape

_NODE = re.compile(
    r"<w:(?P<tag>t|delText|instrText)(?:\s[^<>]*)?>(?P<text>[^<]*)</w:(?P=tag)>"
    r"|<w:(?P<blank>tab|br|cr)\b[^<>]*/?>|(?P<end></w:p>)"
    r"|\s(?P<name>descr|title|w:author|w:initials|w:alias"
    r"|w:tooltip)=(?P<quote>[\"'])(?P<value>.*?)(?P=quote)",
    re.S,
)
_ENTITY = re.compile(r"&(?:#x([0-9a-fA-F]+)|#(\d+)|(amp|lt|gt|quot|apos));|[^&]|&")
_NAMED = {"amp": "&", "lt": "<", "gt": ">", "quot": '"', "apos": "'"}
_EMPTY_RUN = re.compile(
    r"<w:r(?:\s[^<>]*)?>(?:<w:rPr>(?:(?!</w:rPr>).)*</w:rPr>|<w:rPr/>)?<w:(t"
    r"|delText)(?:\s[^<>]*)?></w:\1></w:r>",
    re.S,
)
_LOOSE = re.compile(r"<w:t>(?=\s)|<w:t>(?=[^<]*\s</w:t>)")
FRAGMENT = re.compile(r"<w:(?:p|r|t|tbl|document|body)[\s>]")


@dataclass
class XmlText:
    """`text`: what a reader sees; `spans[i]`: its character i in the XML, (-1, -1) for nowhere."""

    xml: str
    text: str
    spans: list[tuple[int, int]]

    def stretches(self, start: int, end: int) -> list[tuple[int, int]]:
        """Where `[start, end)` of the text stands in the XML: one stretch for each node it touches."""
        found: list[tuple[int, int]] = []
        for a, b in self.spans[start:end]:
            if a < 0:
                continue
            if found and found[-1][1] == a:
                found[-1] = (found[-1][0], b)
            else:
                found.append((a, b))
        return found


def _character(entity: re.Match[str]) -> str:
    """What an entity, or a plain character, reads as."""
    if entity[3]:
        return _NAMED[entity[3]]
    if not entity[1] and not entity[2]:
        return entity[0]
    number = int(entity[1], 16) if entity[1] else int(entity[2])
    return chr(number) if number < 0x110000 else "?"


def xml_text(xml: str) -> XmlText:
    """A fragment's text: `w:t` nodes joined, tabs as they are, a line for each paragraph and attribute."""
    chars: list[str] = []
    spans: list[tuple[int, int]] = []
    attributes: list[tuple[int, str]] = []

    def put(raw: str, at: int) -> None:
        for match in _ENTITY.finditer(raw):
            chars.append(_character(match))
            spans.append((at + match.start(), at + match.end()))

    def put_gap(blank: str) -> None:
        chars.append(blank)
        spans.append((-1, -1))

    for node in _NODE.finditer(xml):
        if node["tag"]:
            put(node["text"], node.start("text"))
        elif node["blank"]:
            put_gap("\t" if node["blank"] == "tab" else "\n")
        elif node["end"]:
            put_gap("\n")
        else:
            attributes.append((node.start("value"), node["value"]))
    for at, value in attributes:
        put_gap("\n")
        put(value, at)
    return XmlText(xml, "".join(chars), spans)


def replace_in_xml(source: XmlText, edits: Iterable[tuple[int, int, str]]) -> tuple[str, bool]:
    """Apply `(start, end, replacement)` on the joined text to the XML.

    The replacement stands where the span began; what later runs held of it goes, emptied runs too. Also
    returns whether nothing but single stretches were exchanged.
    """
    pieces: list[tuple[int, int, str]] = []
    single = True
    for start, end, replacement in edits:
        stretches = source.stretches(start, end)
        single = single and len(stretches) == 1
        for k, (a, b) in enumerate(stretches):
            pieces.append((a, b, "" if k else escape(replacement)))
    out, last = [], 0
    for a, b, replacement in sorted(pieces):
        out += [source.xml[last:a], replacement]
        last = b
    made = "".join([*out, source.xml[last:]])
    if not single:
        made = _LOOSE.sub('<w:t xml:space="preserve">', _EMPTY_RUN.sub("", made))
    return made, single
