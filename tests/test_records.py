"""Records and files: what is written is read back, what is broken is named, nothing is half there."""

from __future__ import annotations

import copy
import json
import os
import pickle
import stat
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from astra_lib.core import errors
from astra_lib.core.errors import AstraError, DiskError, GateError, InputError, MissingError, disk_errors
from astra_lib.core.records import (
    KINDS,
    AuditRecord,
    Block,
    Pair,
    Transcript,
    Utterance,
    Word,
    atomic_write,
    dumps,
    from_dict,
    iter_jsonl,
    read_json,
    read_jsonl,
    sha256_bytes,
    sha256_file,
    to_dict,
    write_json,
    write_jsonl,
)

TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=12).map(
    lambda t: unicodedata.normalize("NFC", t)
)
SECONDS = st.floats(0, 1e5, allow_nan=False)
WORDS = st.builds(Word, TEXT, SECONDS, SECONDS, st.none() | st.floats(0, 1), st.none() | TEXT)
TRANSCRIPTS = st.builds(
    Transcript,
    TEXT,
    TEXT,
    SECONDS,
    st.lists(WORDS, max_size=4),
    st.lists(
        st.builds(
            Utterance, SECONDS, SECONDS, st.none() | TEXT, st.tuples(st.integers(0, 9), st.integers(0, 9))
        ),
        max_size=3,
    ),
    st.booleans(),
    st.none() | TEXT,
    st.none() | TEXT,
)
PAIRS = st.builds(
    Pair,
    TEXT,
    TEXT,
    st.integers(0, 999),
    st.sampled_from(KINDS),
    TEXT,
    TEXT,
    st.none() | SECONDS,
    st.none() | SECONDS,
    st.floats(0, 1),
    TEXT,
    st.lists(st.builds(Block, SECONDS, SECONDS, st.none() | TEXT, TEXT), max_size=3),
)


@given(record=TRANSCRIPTS | PAIRS)
def test_records_survive_json(record: Transcript | Pair) -> None:
    assert from_dict(type(record), json.loads(dumps(to_dict(record)))) == record


@given(rows=st.lists(PAIRS, max_size=5))
def test_records_survive_a_file(rows: list[Pair], tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("rows") / "pairs.jsonl"
    write_jsonl(path, rows)
    assert read_jsonl(path, Pair) == rows
    # U+2028 and its kind are no ends of line here
    assert path.read_bytes().count(b"\n") == len(rows)


def test_canonical_json_is_one_text_per_value() -> None:
    assert dumps({"b": 1, "a": [1.5, None, "ñ"]}) == '{"a":[1.5,null,"ñ"],"b":1}'
    assert dumps("n\u0303") == dumps("ñ")
    with pytest.raises(ValueError):
        dumps(float("nan"))


TALK = {"session_id": "s", "tenant": "t", "duration": 1}


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ([], "row 7: Transcript: expected a JSON object."),
        ({"session_id": "s", "tenant": "t"}, "row 7: Transcript: the field 'duration' is missing."),
        ({**TALK, "surprise": 1}, "row 7: Transcript: unknown field 'surprise'."),
        ({"surprise": 1}, "row 7: Transcript: unknown field 'surprise'."),
        ({**TALK, "words": [1]}, "row 7: Transcript: words.0: expected a JSON object."),
        ({**TALK, "words": [{"text": "luz"}]}, "row 7: Transcript: the field 'words.0.start' is missing."),
        (
            {**TALK, "words": [{"text": "luz", "start": "pronto", "end": 1}]},
            "row 7: Transcript: words.0.start: Input should be a valid number, unable to parse string",
        ),
        (
            {**TALK, "words": [{"text": None, "start": 0, "end": 1}]},
            "row 7: Transcript: words.0.text: Input should be a valid string.",
        ),
    ],
)
def test_what_is_wrong_in_a_record_is_said_with_file_and_field(row: object, said: str) -> None:
    with pytest.raises(InputError) as caught:
        from_dict(Transcript, row, where="row 7")
    assert str(caught.value).startswith(said) and caught.value.remedy


@pytest.mark.parametrize(
    "row",
    [
        None,
        [],
        "x",
        {},
        {"session_id": "s"},
        {"session_id": "s", "tenant": "t", "duration": 1, "words": 5},
        {"session_id": "s", "tenant": "t", "duration": 1, "words": [1]},
        {"session_id": "s", "tenant": "t", "duration": 1, "words": [{"text": "x"}]},
        {
            "session_id": "s",
            "tenant": "t",
            "duration": 1,
            "utterances": [{"start": 0, "end": 1, "speaker": None}],
        },
        {
            "session_id": "s",
            "tenant": "t",
            "duration": 1,
            "utterances": [{"start": 0, "end": 1, "speaker": None, "words": 5}],
        },
        {
            "session_id": "s",
            "tenant": "t",
            "duration": 1,
            "utterances": [{"start": 0, "end": 1, "speaker": None, "words": [1]}],
        },
        {
            "session_id": "s",
            "tenant": "t",
            "duration": 1,
            "utterances": [{"start": 0, "end": 1, "speaker": None, "words": ["a", "b"]}],
        },
        {"session_id": "s", "tenant": "t", "duration": 1, "surprise": 1},
    ],
)
def test_json_of_another_shape_is_refused_with_its_place(row: object) -> None:
    with pytest.raises(InputError, match="row 7") as caught:
        from_dict(Transcript, row, where="row 7")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "empty"),
        (b'{"a": 1', "line 1"),
        (b"\xff\xfe{", "UTF-8"),
        (b"[" * 100_000, "deep"),
        (b"not json", "not JSON"),
    ],
)
def test_broken_files_are_named(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "broken.json"
    path.write_bytes(content)
    with pytest.raises(InputError, match=said) as caught:
        read_json(path)
    assert str(path) in str(caught.value)
    with pytest.raises(MissingError):
        read_json(tmp_path / "absent.json")


@pytest.mark.parametrize(
    ("line", "said"), [(b'{"a": ', "truncated"), (b"\xff", "UTF-8"), (b"[" * 100_000, "deep")]
)
def test_a_broken_line_is_named_by_number(tmp_path: Path, line: bytes, said: str) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b'\xef\xbb\xbf{"a": 1}\r\n\r\n{"a": 2}\n' + line)
    rows = iter_jsonl(path)
    assert [next(rows)[1], next(rows)[1]] == [{"a": 1}, {"a": 2}]
    with pytest.raises(InputError, match=f"rows.jsonl:4.*{said}"):
        next(rows)
    with pytest.raises(MissingError):
        read_jsonl(tmp_path / "absent.jsonl")


def test_writing_replaces_whole_files_only(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "er" / "x.json"
    write_json(path, {"ñ": 1})
    assert path.read_text(encoding="utf-8") == '{\n  "ñ": 1\n}\n'
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    with pytest.raises(ValueError):
        write_json(path, {"x": float("inf")})
    with pytest.raises(InputError, match="surrogate"):
        atomic_write(path, "half \ud83d")
    assert read_json(path) == {"ñ": 1}
    assert os.listdir(path.parent) == ["x.json"]  # noqa: PTH208


def test_a_write_that_fails_leaves_what_was_there(tmp_path: Path) -> None:
    """The limit on a file's size stands in for a full disk; a kill in mid-write leaves the old file too."""
    path = atomic_write(tmp_path / "kept", "before")
    script = (
        "import os, resource, sys\nfrom astra_lib.core.records import atomic_write\n"
        "from astra_lib.core.errors import DiskError\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "try: atomic_write(sys.argv[1], 'x' * 5000)\nexcept DiskError as error: print(error, flush=True)\n"
        "os.fsync = lambda fd: os.kill(os.getpid(), 9)\natomic_write(sys.argv[1], 'after')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, path], capture_output=True, text=True, cwd=Path(__file__).parents[1]
    )
    assert done.returncode == -9
    assert str(path) in done.stdout
    assert path.read_text() == "before"
    (tmp_path / "file").write_text("")
    with pytest.raises(DiskError):
        atomic_write(tmp_path / "file" / "below", "x")


@given(data=st.binary(max_size=300))
def test_hashes_agree(data: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("hash") / "x"
    path.write_bytes(data)
    assert sha256_file(path) == sha256_bytes(data)


def test_text_between_counts_words_by_their_middle() -> None:
    transcript = Transcript("s", "t", 3, [Word("uno", 0, 1), Word("dos", 1, 2), Word("tres", 2, 3)])
    assert transcript.text(0.5, 1.5) == "uno"
    assert transcript.text() == "uno dos tres"


KINDS_OF_ERROR = [
    value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, AstraError)
]


@pytest.mark.parametrize("kind", KINDS_OF_ERROR)
def test_every_error_says_what_where_and_what_to_do_and_travels(kind: type[AstraError]) -> None:
    error = kind("it is torn", where="acta.docx", remedy="Export it again")
    assert str(error) == "acta.docx: it is torn. Export it again"
    for copied in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert (type(copied), str(copied), copied.remedy) == (kind, str(error), error.remedy)
    assert kind.exit_code == (3 if issubclass(kind, GateError) else 2)
    assert str(kind("bare")) == "bare"


def test_errors_also_are_the_builtins_they_refine(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_json(tmp_path / "absent")
    with pytest.raises(ValueError):
        from_dict(AuditRecord, {})
    with pytest.raises(OSError, match="read-only"), disk_errors("here"):
        raise OSError(30, "read-only file system")
