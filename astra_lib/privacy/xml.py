"""Text inside WordprocessingML by offsets: names are found on the joined text and replaced across runs."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from xml.sax.saxutils import escape, quoteattr

_NODE = re.compile(
    r"<w:(?P<tag>t|delText|instrText)(?:\s[^<>]*)?>(?P<text>[^<]*)</w:(?P=tag)>"
    r"|<w:(?P<blank>tab|br|cr)\b[^<>]*/?>|(?P<end></w:p>)"
    r"|\s(?P<name>descr|title|w:author|w:initials|w:alias|w:tooltip)=(?P<quote>[\"'])(?P<value>.*?)(?P=quote)",
    re.S,
)
_ENTITY = re.compile(r"&(?:#x([0-9a-fA-F]+)|#(\d+)|(amp|lt|gt|quot|apos));|[^&]|&")
_NAMED = {"amp": "&", "lt": "<", "gt": ">", "quot": '"', "apos": "'"}
_EMPTY_RUN = re.compile(
    r"<w:r(?:\s[^<>]*)?>(?:<w:rPr>(?:(?!</w:rPr>).)*</w:rPr>|<w:rPr/>)?<w:(t|delText)(?:\s[^<>]*)?></w:\1></w:r>",
    re.S,
)
_LOOSE = re.compile(r"<w:t>(?=\s)|<w:t>(?=[^<]*\s</w:t>)")
FRAGMENT = re.compile(r"<w:(?:p|r|t|tbl|document|body)[\s>]")


@dataclass
class XmlText:
    """`text`: what a reader sees, joined; `spans[i]`: where character i stands in the XML ((-1, -1): nowhere)."""

    xml: str
    text: str
    spans: list[tuple[int, int]]


def xml_text(xml: str) -> XmlText:
    """The text of a fragment: `w:t` nodes joined, tabs and breaks as blanks, one line a paragraph, then attributes."""
    chars: list[str] = []
    spans: list[tuple[int, int]] = []
    later: list[tuple[int, str]] = []

    def put(raw: str, at: int) -> None:
        for match in _ENTITY.finditer(raw):
            code = match[0]
            if match[3]:
                code = _NAMED[match[3]]
            elif match[1] or match[2]:
                number = int(match[1], 16) if match[1] else int(match[2])
                code = chr(number) if number < 0x110000 else "?"
            chars.append(code)
            spans.append((at + match.start(), at + match.end()))

    def gap(blank: str) -> None:
        chars.append(blank)
        spans.append((-1, -1))

    for node in _NODE.finditer(xml):
        if node["tag"]:
            put(node["text"], node.start("text"))
        elif node["blank"]:
            gap("\t" if node["blank"] == "tab" else "\n")
        elif node["end"]:
            gap("\n")
        else:
            later.append((node.start("value"), node["value"]))
    for at, value in later:
        gap("\n")
        put(value, at)
    return XmlText(xml, "".join(chars), spans)


def replace_in_xml(source: XmlText, edits: Iterable[tuple[int, int, str]]) -> tuple[str, bool]:
    """Apply `(start, end, replacement)` on the joined text to the XML. The replacement stands where the span began;
    what later runs held of it goes, emptied runs too. True when nothing but single stretches were exchanged."""
    pieces: list[tuple[int, int, str]] = []
    plain = True
    for start, end, replacement in edits:
        stretches: list[list[int]] = []
        for a, b in source.spans[start:end]:
            if a < 0:
                continue
            if stretches and stretches[-1][1] == a:
                stretches[-1][1] = b
            else:
                stretches.append([a, b])
        for k, (a, b) in enumerate(stretches):
            pieces.append((a, b, "" if k else escape(replacement)))
        plain = plain and len(stretches) == 1
    out, last = [], 0
    for a, b, replacement in sorted(pieces):
        out += [source.xml[last:a], replacement]
        last = b
    made = "".join([*out, source.xml[last:]])
    if not plain:
        made = _LOOSE.sub(f"<w:t xml:space={quoteattr('preserve')}>", _EMPTY_RUN.sub("", made))
    return made, plain
