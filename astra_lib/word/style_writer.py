"""The canonical styles, drawn as the tenant draws them: added to a template's styles.xml, and read back."""

from __future__ import annotations

from collections.abc import Iterable

from lxml import etree

from .builder import PackageBuilder
from .canonical import split_style
from .numbering import NumberingWriter
from .styles import StyleFormat, StyleSheet
from .xml import element, is_on, local, to_string, value_of, w

OWN = "Acta "  # the w:name of a style of ours is this and its id
_REFERENCES = ("pStyle", "rStyle", "tblStyle", "basedOn", "next", "link", "styleLink", "numStyleLink")
_PROPERTY_ORDER = (
    *("keepNext", "keepLines", "numPr", "pBdr", "shd", "tabs"),
    *("spacing", "ind", "contextualSpacing", "jc", "outlineLvl"),
)


class StyleWriter:
    """Writes the styles that a document uses. A style of the template that has one of our ids is renamed."""

    def __init__(
        self,
        builder: PackageBuilder,
        sheet: StyleSheet,
        styles: dict[str, StyleFormat],
        numbering: NumberingWriter,
    ) -> None:
        self.builder, self.sheet, self.styles, self.numbering = builder, sheet, styles, numbering
        self.renamed: dict[str, str] = {}

    def write(self, used: Iterable[str]) -> None:
        """Add the canonical styles in `used` that the template does not have from us already."""
        root = self.builder.tree("styles", "styles")
        own = {identifier for identifier, style in self.sheet.styles.items() if is_own(style)}
        wanted = sorted(set(used) | {"Cuerpo"})
        for identifier in wanted:
            if identifier in self.sheet.styles and identifier not in own:
                self.renamed[identifier] = self._free_name(identifier)
        for style in root.iterchildren(w("style")):
            if (new := self.renamed.get(style.get(w("styleId"), ""))) is not None:
                style.set(w("styleId"), new)
        self.rename(root)
        for identifier in wanted:
            if identifier not in own:
                root.append(element(self._style_xml(identifier)))

    def _free_name(self, identifier: str) -> str:
        fresh = identifier + "Previo"
        while fresh in self.sheet.styles:
            fresh += "1"
        return fresh

    def rename(self, root: etree._Element) -> None:
        """Let a part's references follow the styles that were renamed."""
        for name in _REFERENCES if self.renamed else ():
            for node in root.iter(w(name)):
                if (new := self.renamed.get(node.get(w("val"), ""))) is not None:
                    node.set(w("val"), new)

    def _style_xml(self, identifier: str) -> str:
        form = self.styles[identifier]
        base = form.based_on if form.based_on in self.sheet.styles else self.sheet.default_paragraph
        parts = {local(e): e for e in element(f"<w:pPr>{form.properties}</w:pPr>")}
        marker = (split_style(identifier) or ("", "", 1))[1]
        if marker == "Vin":
            num_id = self.numbering.num_id(identifier, 0)
            parts["numPr"] = element(f'<w:numPr><w:numId w:val="{num_id}"/></w:numPr>')
        elif self.sheet.numbering(None, base) is not None:  # what its base numbers, it does not
            parts["numPr"] = element('<w:numPr><w:numId w:val="0"/></w:numPr>')
        if identifier.startswith(("Titulo", "Subtitulo")):
            parts["outlineLvl"] = element(f'<w:outlineLvl w:val="{0 if identifier.startswith("T") else 1}"/>')
        properties = "".join(to_string(parts[name]) for name in _PROPERTY_ORDER if name in parts)
        base = self.renamed.get(base, base)
        return (
            f'<w:style w:type="paragraph" w:customStyle="1" w:styleId="{identifier}">'
            f'<w:name w:val="{OWN}{identifier}"/>'
            + (f'<w:basedOn w:val="{base}"/>' if base else "")
            + f"<w:qFormat/><w:pPr>{properties}</w:pPr><w:rPr>{_font_xml(form)}</w:rPr></w:style>"
        )


def _font_xml(form: StyleFormat) -> str:
    """A style's w:rPr content: everything said outright, so that its base cannot show through."""
    font = form.font
    faces = "".join(f' w:{name}="{value}"' for name, value in font.faces)
    return "".join(
        (
            f"<w:rFonts{faces}/>" if faces else "",
            _switch("b", form.bold),
            _switch("i", form.italic),
            _switch("caps", font.caps),
            "<w:smallCaps/>" if font.small_caps else "",
            f'<w:color w:val="{font.color}"/>' if font.color else "",
            f'<w:sz w:val="{font.size}"/><w:szCs w:val="{font.size}"/>' if font.size else "",
            f'<w:u w:val="{"single" if form.underline else "none"}"/>',
        )
    )


def _switch(name: str, on: bool) -> str:
    return f"<w:{name}/>" if on else f'<w:{name} w:val="0"/>'


def is_own(style: etree._Element) -> bool:
    """Whether a style is one that this writer made: then it says the paragraph's kind."""
    identifier = style.get(w("styleId"), "")
    return split_style(identifier) is not None and value_of(style, "name") == OWN + identifier


def own_format(style: etree._Element) -> StyleFormat:
    """The format of a style that this writer made, read back."""
    rpr = style.find(w("rPr"))
    bold, italic = (rpr is not None and is_on(rpr.find(w(name))) for name in ("b", "i"))
    return StyleFormat(
        based_on=value_of(style, "basedOn"),
        bold=bold,
        italic=italic,
        underline=value_of(rpr, "u") == "single",
        num_id=value_of(style, "pPr", "numPr", "numId"),
    )
