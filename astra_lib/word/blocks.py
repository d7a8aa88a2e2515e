"""What a Word document is once it is read: paragraphs made of runs, table rows made of cells."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from .styles import Emphasis, Font, Numbering

_SHOWN = {"tab": "\t", "br": "\n"}


@dataclass
class TextRun:
    """Text of one format. `pieces`: ("t", text), ("tab", ""), ("br", ""), ("pic", relation)."""

    emphasis: Emphasis
    font: Font
    pieces: list[tuple[str, str]] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "".join(value if kind == "t" else _SHOWN.get(kind, "") for kind, value in self.pieces)


@dataclass
class WordParagraph:
    """A paragraph with what matters of its format, said directly or by its style."""

    runs: list[TextRun] = field(default_factory=list)
    style: str = ""  # its id in styles.xml
    style_name: str = ""
    direct_format: str = ""  # see styles.direct_format
    alignment: str = ""
    outline_level: int | None = None
    numbering: Numbering | None = None
    blank_before: int = 0  # empty paragraphs just before and after it
    blank_after: int = 0
    page_before: bool = False  # a page begins with it, or after it
    page_after: bool = False
    note: bool = False  # a footnote's or endnote's text
    joins_next: bool = False  # its paragraph mark was deleted

    @property
    def text(self) -> str:
        return "".join(run.text for run in self.runs)

    @property
    def empty(self) -> bool:
        """Neither text nor a picture."""
        return not self.text.strip() and not any(kind == "pic" for run in self.runs for kind, _ in run.pieces)

    def is_all(self, mark: str) -> bool:
        """Whether all visible text carries a mark of `Emphasis`, by its field's name."""
        shown = [run for run in self.runs if run.text.strip()]
        return bool(shown) and all(getattr(run.emphasis, mark) for run in shown)

    def main_font(self) -> Font:
        """The font of most of its text."""
        weight: Counter[Font] = Counter()
        for run in self.runs:
            weight[run.font] += len(run.text)
        return weight.most_common(1)[0][0] if weight else Font()


@dataclass
class TableCell:
    span: int  # columns
    merge: str | None  # "restart", "continue" or None
    paragraphs: list[WordParagraph]


@dataclass
class TableRow:
    """A table's row; `table` counts the document's tables from 0; `first` begins one."""

    cells: list[TableCell]
    table: int
    first: bool = False
    blank_before: int = 0
    blank_after: int = 0
    page_before: bool = False

    @property
    def empty(self) -> bool:
        return all(p.empty for cell in self.cells for p in cell.paragraphs)

    @property
    def width(self) -> int:
        """Columns that its cells cover."""
        return sum(cell.span for cell in self.cells)


Block = WordParagraph | TableRow


def accept_deleted_marks(blocks: Iterable[Block]) -> Iterator[Block]:
    """A paragraph whose mark was deleted flows into the next one, whose properties win."""
    held: WordParagraph | None = None
    for block in blocks:
        if held is not None:
            if isinstance(block, WordParagraph):
                block.runs = held.runs + block.runs
            else:
                yield held
            held = None
        if isinstance(block, WordParagraph) and block.joins_next:
            held = block
        else:
            yield block
    if held is not None:
        yield held


def repair_tables(blocks: list[Block]) -> None:
    """After empty rows were dropped: a table begins with its first row, a merge where it is first seen."""
    table = -1
    above: set[tuple[int, int]] = set()  # (column, span) of the merged cells in the row above
    for block in blocks:
        if not isinstance(block, TableRow):
            table = -1
            continue
        block.first = block.table != table
        if block.first:
            above = set()
        table, column, merged = block.table, 0, set[tuple[int, int]]()
        for cell in block.cells:
            if cell.merge == "continue" and (column, cell.span) not in above:
                cell.merge = "restart"
            if cell.merge:
                merged.add((column, cell.span))
            column += cell.span
        above = merged


def even_out(rows: list[TableRow]) -> None:
    """Give short rows an empty last cell: Word lets them end early, a grid does not."""
    width = max((row.width for row in rows), default=0)
    for row in rows:
        if row.cells and row.width < width:
            row.cells.append(TableCell(width - row.width, None, []))


def as_paragraph(block: Block) -> WordParagraph:
    """A nested table's row as one paragraph, cells apart by tabs; a paragraph as it is."""
    if isinstance(block, WordParagraph):
        return block
    flat = WordParagraph()
    for number, cell in enumerate(block.cells):
        for inner in cell.paragraphs:
            if number and flat.runs:
                flat.runs.append(TextRun(Emphasis(), inner.main_font(), [("tab", "")]))
            flat.runs += inner.runs
            flat.style, flat.style_name = flat.style or inner.style, flat.style_name or inner.style_name
    return flat
