"""Reports: what people said is escaped, what nobody measured is not a zero, one file needs no other."""

import re

import pytest

from astra_lib.report import Page, bars, interval_plot, lines, shown, table_html


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.1 + 0.2, "0.3"),
        (1284, "1 284"),
        (-61_250.4, "-61 250"),
        (True, "yes"),
        (0, "0"),
        (0.0, "0"),
        (None, "–"),
        (float("nan"), "–"),
        ("acta", "acta"),
    ],
)
def test_a_value_is_shown_as_a_reader_wants_it(value, text):
    assert shown(value) == text


def test_everything_but_markup_is_escaped():
    evil = "<script>alert('x')</script>"
    page = Page(evil, evil).heading(evil).text(evil).code(evil).cards(**{evil: evil})
    page.table([{evil: evil}], evil).figure(bars({"a": {"b": 1.0}}), evil)
    assert "<script" not in str(page)
    assert "<b>so</b>" in str(page.html("<b>so</b>"))


def test_rows_may_lack_a_column_and_tables_may_lack_rows():
    assert "<td>–</td>" in table_html([{"a": 1, "b": 2}, {"a": 3}])
    assert "(no rows)" in table_html([])


def test_a_page_points_nowhere_and_is_written_whole(tmp_path):
    page = Page("Acta 031").figure(lines({"train": ([1, 2], [2.0, 1.0])}), "loss")
    page.figure(interval_plot({"WER": {"delta": -0.1, "ci_low": -0.2, "ci_high": 0.1}}), "WER")
    text = page.save(tmp_path / "report.html").read_text(encoding="utf-8")
    assert text == str(page) and text.rstrip().endswith("</html>")
    sources = re.findall(r"(?:src|href)='([^']{0,22})", text)
    assert sources == ["data:image/png;base64,"] * 2 and "http" not in text
    assert [p.name for p in tmp_path.iterdir()] == ["report.html"]


def test_a_missing_value_leaves_a_gap():
    fig = bars({"base": {"WER": 1.0}, "candidate": {"WER": 0.5, "valid XML": 1.0}})
    heights = [patch.get_height() for patch in fig.axes[0].patches]
    assert sum(height != height for height in heights) == 1
