"""Lists: which one a numbered paragraph belongs to, and how it is written down in numbering.xml."""

from __future__ import annotations

from lxml import etree

from .builder import PackageBuilder
from .canonical import split_style
from .styles import StyleFormat, StyleSheet
from .xml import element, w

_BULLETS = (("•", "bullet"), ("–", "bullet"), ("▪", "bullet"))
_NUMBERS = (("%1.", "decimal"), ("%2.", "lowerLetter"), ("%3.", "lowerRoman"))
_RESTART = "".join(
    f'<w:lvlOverride w:ilvl="{level}"><w:startOverride w:val="1"/></w:lvlOverride>' for level in range(3)
)


class ListCounter:
    """Which list a numbered paragraph belongs to, when it does not say: reader and writer count alike.

    It goes on with the list of the paragraph just before; a heading goes on with the headings' list;
    else it begins a new one.
    """

    def __init__(self) -> None:
        self.last = 0  # of the paragraph just before, 0 when that was not numbered
        self.headings = 0
        self.count = 0

    def expected(self, style: str) -> int:
        """The number of the list that a paragraph of this style would go on with."""
        return self.last or (self.headings if _is_heading(style) else 0) or self.count + 1

    def step(self, style: str, number: int) -> None:
        """Go past a paragraph: `number` is its list, 0 for none."""
        parts = split_style(style)
        self.last = number if parts and parts[1] == "Num" else 0
        if self.last:
            self.count = max(self.count, number)
            if _is_heading(style):
                self.headings = number


def _is_heading(style: str) -> bool:
    return style.startswith(("Titulo", "Subtitulo"))


class NumberingWriter:
    """Adds lists to a package's numbering.xml as the paragraphs ask for them."""

    def __init__(self, builder: PackageBuilder, sheet: StyleSheet, styles: dict[str, StyleFormat]) -> None:
        self.builder, self.sheet, self.styles = builder, sheet, styles
        self._written: dict[tuple[str, int], str] = {}

    def num_id(self, style: str, number: int) -> str:
        """The numId of list `number` drawn as `style` draws it; number 0: the tenant's own bullets."""
        own = self.styles[style].num_id
        if number == 0 and own:
            return own
        key = ("" if number else style, number)
        if key not in self._written:
            self._written[key] = self._add(own, number)
        return self._written[key]

    def _add(self, own: str, number: int) -> str:
        root = self.builder.tree("numbering", "numbering")
        if own in self.sheet.nums:
            abstract = self.sheet.nums[own][0]
        else:
            abstract = _add_abstract(root, _NUMBERS if number else _BULLETS)
        identifier = str(max([int(n.get(w("numId"), "0")) for n in root.iterchildren(w("num"))] + [0]) + 1)
        num = element(
            f'<w:num w:numId="{identifier}"><w:abstractNumId w:val="{abstract}"/>'
            f"{_RESTART if number else ''}</w:num>"
        )
        tail = root.find(w("numIdMacAtCleanup"))
        if tail is None:
            root.append(num)
        else:
            tail.addprevious(num)
        return identifier


def _add_abstract(root: etree._Element, levels: tuple[tuple[str, str], ...]) -> str:
    """A list definition of three levels, each `(text, format)`; its id."""
    taken = [int(a.get(w("abstractNumId"), "0")) for a in root.iterchildren(w("abstractNum"))]
    identifier = str(max([*taken, -1]) + 1)
    drawn = "".join(
        f'<w:lvl w:ilvl="{n}"><w:start w:val="1"/><w:numFmt w:val="{form}"/>'
        f'<w:lvlText w:val="{text}"/><w:lvlJc w:val="left"/>'
        f'<w:pPr><w:ind w:left="{720 * (n + 1)}" w:hanging="360"/></w:pPr></w:lvl>'
        for n, (text, form) in enumerate(levels)
    )
    new = element(
        f'<w:abstractNum w:abstractNumId="{identifier}">'
        f'<w:multiLevelType w:val="hybridMultilevel"/>{drawn}</w:abstractNum>'
    )
    before = root.find(w("num"))
    if before is None:
        root.append(new)
    else:
        before.addprevious(new)
    return identifier
