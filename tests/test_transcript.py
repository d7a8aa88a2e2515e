"""Transcripts: every shape a recogniser leaves, clocks that lie, blocks that keep their bounds."""

import json
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from astra_lib.core.errors import InputError, MissingError
from astra_lib.core.records import Word, read_json
from astra_lib.transcript import (
    assemble,
    pieces_of,
    read_transcript,
    speech_blocks,
    spread,
    write_transcript,
)

SAMPLES = Path(__file__).resolve().parents[1] / "samples" / "manantial" / "sessions"


def put(path: Path, value) -> Path:
    path.write_text(json.dumps(value), encoding="utf-8")
    return path


def spoken(word: str, start: float, end: float, **more) -> dict:
    return {
        "word": word.lower().strip(".,"),
        "punctuated_word": word,
        "start": start,
        "end": end,
        "confidence": 0.9,
        **more,
    }


def deepgram(*channels: list[dict], **results) -> dict:
    alternatives = [
        {"alternatives": [{"transcript": " ".join(w["word"] for w in c), "words": c}]} for c in channels
    ]
    return {"metadata": {"duration": 9.5}, "results": {"channels": alternatives, **results}}


# -- shapes --


def test_deepgram_diarised_with_utterances(tmp_path):
    words = [
        spoken("Hay", 1.0, 1.2, speaker=0),
        spoken("quórum.", 1.2, 1.8, speaker=0),
        spoken("Gracias.", 3.0, 3.5, speaker=4),
    ]
    t = read_transcript(
        put(
            tmp_path / "s1.json",
            deepgram(words, utterances=[{"start": 1.0, "channel": 0}, {"start": 3.0, "channel": 0}]),
        )
    )
    assert [w.text for w in t.words] == ["Hay", "quórum.", "Gracias."]
    assert [(u.speaker, u.words) for u in t.utterances] == [("spk_00", (0, 2)), ("spk_04", (2, 3))]
    assert (t.duration, t.interpolated, t.session_id) == (9.5, False, "s1")


def test_deepgram_without_diarisation_or_utterances_is_cut_at_pauses(tmp_path):
    t = read_transcript(
        put(
            tmp_path / "s.json",
            deepgram([spoken("uno", 0, 0.5), spoken("dos", 0.6, 1), spoken("tres", 5, 6)]),
        )
    )
    assert [u.words for u in t.utterances] == [(0, 2), (2, 3)] and t.words[0].speaker is None


def test_deepgram_channels_are_microphones_and_interleave(tmp_path):
    t = read_transcript(
        put(
            tmp_path / "s.json",
            deepgram([spoken("propongo", 0, 1), spoken("aplazar", 2, 3)], [spoken("no", 1.2, 1.5)]),
        )
    )
    assert [(w.text, w.speaker) for w in t.words] == [("propongo", "ch0"), ("no", "ch1"), ("aplazar", "ch0")]


@pytest.mark.parametrize("key", ["word", "text"])
def test_whisper_segments_with_words(tmp_path, key):
    segment = {
        "start": 0,
        "end": 2,
        "text": " Se aprueba",
        "words": [
            {key: " Se", "start": 0, "end": 1, "probability": 0.5},
            {key: " aprueba", "start": 1, "end": 2},
        ],
    }
    t = read_transcript(put(tmp_path / "w.json", {"segments": [segment], "language": "es"}))
    assert [(w.text, w.confidence) for w in t.words] == [("Se", 0.5), ("aprueba", None)]
    assert t.language == "es" and not t.interpolated


def test_whisperx_figures_without_times_take_the_room_between_their_neighbours(tmp_path):
    words = [
        {"word": "con", "start": 1.0, "end": 1.3},
        {"word": "11"},
        {"word": "votos", "start": 2.0, "end": 2.4},
        {"word": "2026"},
    ]
    t = read_transcript(
        put(
            tmp_path / "x.json",
            {"segments": [{"start": 1.0, "end": 3.0, "text": "con 11 votos 2026", "words": words}]},
        )
    )
    assert [(w.text, w.start, w.end) for w in t.words] == [
        ("con", 1.0, 1.3),
        ("11", 1.3, 2.0),
        ("votos", 2.0, 2.4),
        ("2026", 2.4, 3.0),
    ]
    assert t.interpolated


def test_bare_segments_are_interpolated_and_say_so(tmp_path):
    rows = [
        {
            "start": 10,
            "end": 20,
            "text": "señor presidente gracias",
            "confidence": 0.8,
            "speaker": {"id": "c04", "name": "?"},
        }
    ]
    t = read_transcript(put(tmp_path / "b.json", rows))
    assert t.interpolated and t.words[0].start == 10 and t.words[-1].end == pytest.approx(20)
    assert {w.speaker for w in t.words} == {"c04"} and t.words[0].confidence == 0.8


def test_several_files_follow_one_another_or_stand_where_told(tmp_path):
    first, second = (
        put(tmp_path / "1.json", deepgram([spoken("uno", 0, 1)])),
        put(tmp_path / "2.json", deepgram([spoken("dos", 0, 1)])),
    )
    t = read_transcript([first, second])
    assert [w.start for w in t.words] == [0, 9.5] and t.duration == 19.0
    assert [w.start for w in read_transcript([first, second], offsets=[0, 3600]).words] == [0, 3600]
    with pytest.raises(InputError, match="offset"):
        read_transcript([first, second], offsets=[0])


def test_own_json_comes_back_as_it_was(tmp_path):
    t = read_transcript(SAMPLES / "2026-03-05" / "transcript.json")
    assert read_transcript(write_transcript(t, tmp_path / "transcript.json")) == t
    assert t.session_id == "2026-03-05" and t.tenant == "manantial"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "empty"),
        ('{"results": {"channels": [', "truncated"),
        ("[]", "known shape"),
        ('{"a": 1}', "known shape"),
        ('"text"', "known shape"),
        ('{"segments": []}', "without a word"),
        ('{"results": {"channels": []}}', "results.channels"),
        ('{"request_id": "7"}', "known shape"),
        ('[{"start": 0, "end": 1}]', "Known"),
        ('[{"start": "x", "end": 1, "text": "hola"}]', "time"),
        ('[{"start": NaN, "end": 1, "text": "hola"}]', "time"),
        ('[{"text": "hola"}]', "start or end"),
        ('{"err_code": "X", "err_msg": "Corrupt audio"}', "Corrupt audio"),
        ('{"session_id": "s", "tenant": "t", "words": [{"text": "a"}], "duration": 1}', "words.0.start"),
        ('{"results": {"channels": [{"alternatives": [{"transcript": "hola"}]}]}}', "word times"),
        ("\xff\xfe", "UTF-8"),
    ],
)
def test_bad_json_is_one_clear_line(tmp_path, content, says):
    path = tmp_path / "t.json"
    path.write_bytes(content.encode("latin-1"))
    with pytest.raises(InputError, match=says) as caught:
        read_transcript(path)
    assert "t.json" in str(caught.value) and "\n" not in str(caught.value)


def test_missing_file(tmp_path):
    with pytest.raises(MissingError):
        read_transcript(tmp_path / "no.json")


# -- clocks --

times = st.floats(0, 40_000, allow_nan=False)
loose_words = st.lists(
    st.builds(
        lambda text, a, b, s: Word(text, a, b, None, s),
        st.sampled_from(["sí.", "no", "presidente", "¿y?"]),
        times,
        times,
        st.sampled_from([None, "A", "B"]),
    ),
    min_size=1,
    max_size=60,
)


@given(st.lists(loose_words, min_size=1, max_size=5))
def test_any_clock_is_repaired(pieces):
    t = assemble(pieces, "s", "t", 1.0)
    starts = [w.start for w in t.words]
    assert starts == sorted(starts) and all(w.start <= w.end for w in t.words)
    assert all(a.end <= b.start for a, b in zip(t.words, t.words[1:], strict=False))
    assert sorted(w.text for w in t.words) == sorted(w.text for p in pieces for w in p)
    assert [i for u in t.utterances for i in range(*u.words)] == list(range(len(t.words)))
    assert t.duration >= t.words[-1].end


@given(st.lists(loose_words, min_size=1, max_size=5))
def test_a_round_trip_rounds_and_changes_nothing_else(tmp_path_factory, pieces):
    path = tmp_path_factory.mktemp("trip") / "transcript.json"
    t = assemble(pieces, "s", "t", 1.0)
    once = read_transcript(write_transcript(t, path))
    assert read_transcript(write_transcript(once, path)) == once
    assert [(w.text, w.speaker) for w in once.words] == [(w.text, w.speaker) for w in t.words]
    assert [u.words for u in once.utterances] == [u.words for u in t.utterances]
    for word, read in zip(t.words, once.words, strict=True):
        assert read.start == pytest.approx(word.start, abs=0.0051)
        assert read.end == pytest.approx(word.end, abs=0.0051)


@given(st.text(min_size=1).filter(str.split), times, st.floats(0, 60))
def test_spread_keeps_words_and_bounds(text, start, length):
    words = spread(text, start, start + length)
    assert [w.text for w in words] == text.split()
    assert words[0].start == start and words[-1].end == pytest.approx(start + length)


# -- blocks --


@given(
    st.lists(
        st.tuples(
            st.floats(0.05, 4),
            st.floats(0, 25),
            st.sampled_from(["A", "B"]),
            st.sampled_from(["voto", "voto."]),
        ),
        min_size=1,
        max_size=250,
    )
)
def test_blocks_cover_every_word_once_and_keep_their_bounds(rows):
    words, at = [], 0.0
    for length, pause, speaker, text in rows:
        words.append(Word(text, at, at + length, None, speaker))
        at += length + pause
    t = assemble(pieces_of(words), "s", "t")
    blocks = speech_blocks(t)
    assert " ".join(b.text for b in blocks) == " ".join(w.text for w in t.words)
    assert all(b.end - b.start <= 60 + 1e-9 for b in blocks)
    assert all(a.end <= b.start for a, b in zip(blocks, blocks[1:], strict=False))
    assert not any(
        b.start <= a.end and c.start <= b.end and c.start - a.end > 15
        for b in blocks
        for a, c in zip(t.words, t.words[1:], strict=False)
    )


def test_a_new_speaker_is_the_best_place_to_cut():
    a, b = spread("palabra " * 100, 0, 45, speaker="A"), spread("palabra " * 120, 45, 100, speaker="B")
    assert [x.speaker for x in speech_blocks(assemble([a, b], "s", "t"))] == ["A", "B"]


def test_turns_part_blocks_once_they_are_long_enough():
    """A roll call of short answers stays together, a hand-over stands alone."""
    said = [
        ("A", 8, "tiene la palabra el concejal"),
        ("B", 40, "gracias " * 60),
        ("A", 1, "listo"),
        ("C", 1, "presente"),
        ("D", 2, "presente"),
        ("A", 9, "sigue " * 9),
    ]
    pieces, at = [], 0.0
    for speaker, length, text in said:
        pieces.append(spread(text, at, at + length, speaker=speaker))
        at += length + 0.2
    blocks = speech_blocks(assemble(pieces, "s", "t"), min_s=8, max_s=30, turn_s=3)
    assert [b.speaker for b in blocks[:3]] == ["A", "B", "B"]
    assert [b.text for b in blocks if b.speaker != "B"] == [
        said[0][2],
        "listo presente presente",
        said[5][2].strip(),
    ]


def test_only_one_endless_word_makes_a_longer_block():
    t = assemble([[Word("eeeh", 0, 75), Word("bueno", 75, 76)]], "s", "t")
    assert [(b.text, b.end - b.start) for b in speech_blocks(t)] == [("eeeh", 75), ("bueno", 1)]


def test_an_endless_word_may_be_the_last():
    """It used to look for a word behind the last one."""
    t = assemble([[Word("bueno", 0, 1), Word("eeeh", 1, 76)]], "s", "t")
    assert [(b.text, b.end - b.start) for b in speech_blocks(t)] == [("bueno", 1), ("eeeh", 75)]


def test_blocks_of_a_part_and_bad_bounds():
    t = read_transcript(SAMPLES / "2026-03-05" / "transcript.json")
    part = speech_blocks(t, 60, 120)
    assert part and part[0].start >= 58 and part[-1].end <= 122
    assert speech_blocks(t, 9e9) == []
    with pytest.raises(InputError, match="min_s"):
        speech_blocks(t, min_s=70)


def test_the_blocks_of_a_real_session():
    blocks = speech_blocks(read_transcript(SAMPLES / "2026-04-09" / "transcript.json"))
    assert all(b.end - b.start <= 60 for b in blocks)
    assert sum(b.end - b.start >= 30 for b in blocks) >= 0.9 * len(blocks)


# -- the committed samples --


@pytest.mark.parametrize("folder", sorted(SAMPLES.iterdir()), ids=lambda p: p.name)
def test_gold_lies_within_its_transcript(folder):
    t, gold = read_transcript(folder / "transcript.json"), read_json(folder / "gold.json")
    assert [g["paragraph"] for g in gold] == list(range(len(gold)))
    spans = [(g["start"], g["end"]) for g in gold if g["start"] is not None]
    assert all(0 <= a < b <= t.duration for a, b in spans)
    assert all(math.isfinite(w.end) and w.end <= t.duration for w in t.words)
    assert (folder / "transcript.json").stat().st_size < 600_000
