"""What makes a job run again: the code its result depends on, and nothing else."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from astra_lib.core import code
from astra_lib.core.errors import MissingError
from jobs import runner

Change = Callable[[str, str, str], None]
TRAINING = ("trainer.train", "trainer.runpod_training_handler")


@pytest.fixture
def change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Change]:
    """`change(file, old, new)` in a copy of the project that `code` reads from now on."""
    for package in code.PACKAGES:
        shutil.copytree(code.ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(code, "ROOT", tmp_path)
    code.imported.cache_clear()

    def edit(file: str, old: str, new: str) -> None:
        path = tmp_path / file
        text = path.read_text(encoding="utf-8")
        assert old in text, f"{file} no longer holds {old!r}: choose another rule"
        path.write_text(text.replace(old, new, 1), encoding="utf-8")
        code.imported.cache_clear()

    yield edit
    code.imported.cache_clear()


def digests() -> dict[str, str]:
    roots = {job: (f"jobs.{job}",) for job in ("mine", "dataset", "judge")} | {"train": TRAINING}
    return {job: code.code_digest(*modules) for job, modules in roots.items()}


def anew(before: dict[str, str]) -> set[str]:
    return {job for job, digest in digests().items() if digest != before[job]}


def append(change: Change, file: str, line: str) -> None:
    change(file, "from __future__ import annotations\n", f"from __future__ import annotations\n\n{line}\n")


@pytest.mark.parametrize("file", ["misheard", "forms", "people", "tagger", "xml", "gate"])
def test_a_changed_masking_rule_makes_the_dataset_anew_and_nothing_else(change: Change, file: str) -> None:
    before = digests()
    append(change, f"astra_lib/privacy/{file}.py", "RULE = 1")
    assert anew(before) == {"dataset"}


def test_the_name_model_and_the_templates_belong_to_the_masks(change: Change) -> None:
    before = digests()
    model = code.ROOT / "astra_lib/privacy/names.crfsuite"
    model.write_bytes(model.read_bytes() + b"x")
    assert anew(before) == {"dataset", "judge"}, (
        "the engine reads placeholders, so the whole room counts for it"
    )


def test_a_changed_word_list_reaches_all_that_read_it(change: Change) -> None:
    before = digests()
    change("astra_lib/spanish/lists/surnames.txt", "abadia", "abadias")
    assert anew(before) >= {"mine", "dataset"}
    assert "train" not in anew(before)


def test_a_changed_rule_of_the_aligner_mines_anew_and_nothing_else(change: Change) -> None:
    before = digests()
    change("astra_lib/aligner.py", "import math\n", "import math\n\nRULE = 1\n")
    assert anew(before) == {"mine"}


def test_a_changed_rule_of_word_reaches_pairs_rows_and_verdicts(change: Change) -> None:
    before = digests()
    append(change, "astra_lib/word/canonical.py", "RULE = 1")
    assert anew(before) == {"mine", "dataset", "judge"}


@pytest.mark.parametrize(
    "file", ["astra_lib/core/registry.py", "astra_lib/core/services.py", "jobs/runner.py"]
)
def test_plumbing_makes_nothing_anew(change: Change, file: str) -> None:
    before = digests()
    append(change, file, "RULE = 1")
    assert anew(before) == set()


def test_better_prose_makes_nothing_anew(change: Change) -> None:
    before = digests()
    change("astra_lib/privacy/misheard.py", '"""', '"""In other words. ')
    append(change, "astra_lib/word/canonical.py", "# a reason")
    change("astra_lib/core/settings.py", "\n\n\n", "\n\n\n\n")
    assert anew(before) == set()


def test_another_version_of_a_library_counts(change: Change, monkeypatch: pytest.MonkeyPatch) -> None:
    before = digests()
    real = code.version
    monkeypatch.setattr(code, "version", lambda name: "0" if name == "lxml" else real(name))
    assert anew(before) == {"mine", "dataset", "judge"}


def test_every_job_that_computes_names_its_code() -> None:
    """A new job without a digest would be reused for ever."""
    for job in runner.names():
        source = (code.ROOT / "jobs" / f"{job}.py").read_text(encoding="utf-8")
        assert "code_digest(" in source or job == "promote", job


def test_a_module_that_is_not_there_is_an_error() -> None:
    with pytest.raises(MissingError, match="no such module"):
        code.code_digest("astra_lib.nowhere")
