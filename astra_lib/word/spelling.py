"""What was read, spelled canonically: one way to write each thing, nothing that the style says already."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from xml.sax.saxutils import escape

from .blocks import TableCell, TableRow, TextRun, WordParagraph
from .styles import Emphasis, StyleFormat

# a picture among characters: its relation between these two, which are no text in any XML of Word's
_PICTURE, _PICTURE_END = "\ufff9", "\ufffb"
_PICTURE_BETWEEN = re.compile(f"{_PICTURE}([^{_PICTURE_END}]*){_PICTURE_END}")
_RESERVED = re.compile("[\ufff9-\ufffc]")
_ACCENTS = re.compile("[\u0300-\u036f]+")


def text_xml(text: str) -> str:
    """A run's content: text, tabs and line breaks; blanks at an edge need xml:space or Word drops them."""
    return "".join(map(_piece_xml, re.split(r"([\t\n])", text)))


def _piece_xml(piece: str) -> str:
    if piece in ("", "\t", "\n"):
        return {"": "", "\t": "<w:tab/>", "\n": "<w:br/>"}[piece]
    space = ' xml:space="preserve"' if piece.startswith(" ") or piece.endswith(" ") else ""
    return f"<w:t{space}>{escape(piece)}</w:t>"


def style_xml(style: str, numbering: int | None = None) -> str:
    """A paragraph's w:pPr; "" for plain body text and for a cell's, which need not say what they are."""
    if style in ("Cuerpo", "Celda"):
        return ""
    number = f'<w:numPr><w:numId w:val="{numbering}"/></w:numPr>' if numbering else ""
    return f'<w:pPr><w:pStyle w:val="{style}"/>{number}</w:pPr>'


def emphasis_xml(emphasis: Emphasis, form: StyleFormat) -> str:
    """A run's w:rPr: only what differs from the paragraph's style."""
    out = []
    for name, marked, by_style in (("b", emphasis.bold, form.bold), ("i", emphasis.italic, form.italic)):
        if marked != by_style:
            out.append(f"<w:{name}/>" if marked else f'<w:{name} w:val="0"/>')
    if emphasis.strike:
        out.append("<w:strike/>")
    if emphasis.underline != form.underline:
        out.append(f'<w:u w:val="{"single" if emphasis.underline else "none"}"/>')
    if emphasis.vertical:
        out.append(f'<w:vertAlign w:val="{emphasis.vertical}"/>')
    return f"<w:rPr>{''.join(out)}</w:rPr>" if out else ""


# ---- runs
def joined_runs(runs: Sequence[TextRun]) -> list[tuple[Emphasis, str]]:
    """`(emphasis, content)` with equal neighbours joined, whatever font they had."""
    shown = [(run.emphasis, content) for run in runs if (content := _content(run))]
    out: list[tuple[Emphasis, str]] = []
    for number, (emphasis, content) in enumerate(shown):
        if not content.strip() or content.startswith(_PICTURE):
            emphasis = _of_neighbour(emphasis, out, shown[number:])
        accents = _ACCENTS.match(content) if out else None
        if accents:  # cut off from its letter, it goes back to it
            out[-1] = (out[-1][0], out[-1][1] + accents[0])
            content = content[accents.end() :]
        if out and out[-1][0] == emphasis:
            out[-1] = (emphasis, out[-1][1] + content)
        elif content:
            out.append((emphasis, content))
    return out


def _content(run: TextRun) -> str:
    written = {"tab": "\t", "br": "\n"}
    return "".join(
        f"{_PICTURE}{value}{_PICTURE_END}" if kind == "pic" else written.get(kind, _RESERVED.sub("", value))
        for kind, value in run.pieces
    )


def _of_neighbour(
    own: Emphasis, before: list[tuple[Emphasis, str]], after: list[tuple[Emphasis, str]]
) -> Emphasis:
    """The emphasis of a blank or a picture: its neighbour's, unless one of them is underlined or struck."""
    following = next((emphasis for emphasis, content in after if content.strip()), Emphasis())
    near = before[-1][0] if before else following
    return own if own.underline or own.strike or near.underline or near.strike else near


# ---- paragraphs and rows
def canonical_paragraph(
    paragraph: WordParagraph, style: str, form: StyleFormat, numbering: int | None = None
) -> str:
    """A paragraph that was read, as canonical XML. `numbering`: its list, where it must be said."""
    runs = []
    for emphasis, content in joined_runs(paragraph.runs):
        parts = re.split(
            f"{_PICTURE}([^{_PICTURE_END}]*){_PICTURE_END}", unicodedata.normalize("NFC", content)
        )
        spelled = "".join(_picture_xml(x) if n % 2 else text_xml(x) for n, x in enumerate(parts))
        runs.append(f"<w:r>{emphasis_xml(emphasis, form)}{spelled}</w:r>")
    return f"<w:p>{style_xml(style, numbering)}{''.join(runs)}</w:p>"


def _picture_xml(relation: str) -> str:
    return f'<w:drawing r:id="{escape(relation)}"/>'


def canonical_row(row: TableRow, form: StyleFormat) -> str:
    """A table's row as canonical XML; the first of a table carries w:tblHeader."""
    head = "<w:trPr><w:tblHeader/></w:trPr>" if row.first else ""
    return f"<w:tr>{head}{''.join(_cell_xml(cell, form) for cell in row.cells)}</w:tr>"


def _cell_xml(cell: TableCell, form: StyleFormat) -> str:
    properties = f'<w:gridSpan w:val="{cell.span}"/>' if cell.span > 1 else ""
    if cell.merge is not None:
        properties += '<w:vMerge w:val="restart"/>' if cell.merge == "restart" else "<w:vMerge/>"
    inner = "".join(canonical_paragraph(p, "Celda", form) for p in cell.paragraphs) or "<w:p/>"
    return f"<w:tc>{f'<w:tcPr>{properties}</w:tcPr>' if properties else ''}{inner}</w:tc>"
