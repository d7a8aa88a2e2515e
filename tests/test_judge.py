"""The Judge says no to what is worse, invalid, invented or unproven, and yes to what is clearly better."""

from __future__ import annotations

import json
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from astra_lib.core.errors import InputError
from astra_lib.core.records import Example, to_dict
from astra_lib.judge import (
    Gates,
    default_encoder,
    invented_numbers,
    invented_people,
    items,
    judge,
    outcome,
    paired_interval,
    read_predictions,
    verdict_report,
    word_errors,
)
from astra_lib.minutes import paragraph_xml

TOPICS = (
    "el alumbrado de la ladera",
    "la biblioteca del barrio",
    "el puente sobre la quebrada",
    "los cupos del comedor escolar",
    "la tarifa del acueducto",
)


@pytest.fixture(scope="module")
def encoder():
    return default_encoder()


def hearing(sessions: int = 4, each: int = 5):
    rows, good, bad = [], {}, {}
    for s in range(sessions):
        for i in range(each):
            key, topic = f"s{s}:{i}", TOPICS[i % 5]
            asked = f"pidió {10 + i} millones para {2026 + s}"
            gold = f"Manifestó que {topic} requiere atención inmediata y {asked}."
            said = f"Intervención: yo pido atención para {topic}, son {10 + i} millones en el {2026 + s}"
            rows.append(
                Example(
                    [{"role": "system", "content": "acta"}, {"role": "user", "content": said}],
                    [{"role": "assistant", "content": paragraph_xml(gold)}],
                    key,
                    f"s{s}",
                    "pm",
                    0,
                    1000,
                    0.9,
                )
            )
            good[key] = paragraph_xml(
                f"Manifestó que {topic} requiere atención y pidió {10 + i} millones para {2026 + s}."
            )
            bad[key] = paragraph_xml(f"The council talks about {topic} " + "and more " * (3 + s))
    return rows, good, bad


def test_a_clear_win_is_promoted_and_says_why(encoder):
    rows, good, bad = hearing()
    verdict = judge(rows, good, base=bad, encoder=encoder)
    assert verdict.verdict == "PROMOTED" and "interval" in verdict.reasons[0]
    assert verdict.comparison["error_rate"]["ci_high"] < 0
    json.dumps(to_dict(verdict), allow_nan=False)
    assert "PROMOTED" in str(verdict_report(verdict))


def test_a_regression_is_rejected(encoder):
    rows, good, bad = hearing()
    verdict = judge(rows, bad, incumbent=good, encoder=encoder)
    assert verdict.verdict == "REJECTED" and any("error rate is worse" in r for r in verdict.reasons)


def test_equal_models_are_not_promoted_beyond_chance(encoder):
    """The same answers with noise on both sides: a yes may happen by luck, at the interval's own rate."""
    rows, good, _ = hearing(sessions=6)
    rng, wins = random.Random(11), 0

    class Flat:
        def encode(self, texts):
            import numpy as np

            return np.asarray([[hash(t) % 97, 1.0] for t in texts])

    for _ in range(40):
        noisy = [
            {
                k: v.replace("atención", rng.choice(["atención", "atención", "mejora"])).replace(
                    "pidió", rng.choice(["pidió", "solicitó"])
                )
                for k, v in good.items()
            }
            for _ in range(2)
        ]
        wins += (
            judge(rows, noisy[0], incumbent=noisy[1], encoder=Flat(), gates=Gates(error_margin=0)).verdict
            == "PROMOTED"
        )
    assert wins <= 5, "2.5 % expected; more than 5 of 40 means the interval is wrong"


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("<w:p><w:r><w:t>cortado", "valid XML"),
        (paragraph_xml("texto") + "suelto", "valid XML"),
    ],
)
def test_answers_word_cannot_open_are_refused(encoder, answer, reason):
    rows, good, bad = hearing()
    verdict = judge(rows, good | {"s0:0": answer}, base=bad, encoder=encoder)
    assert verdict.verdict == "REJECTED" and any(reason in r for r in verdict.reasons)


def test_a_flipped_vote_is_refused_whatever_the_score(encoder):
    rows, good, bad = hearing()
    rows[0] = Example(
        rows[0].prompt,
        [
            {
                "role": "assistant",
                "content": paragraph_xml("La proposición fue aprobada por unanimidad de los presentes."),
            }
        ],
        "s0:0",
        "s0",
        "pm",
        0,
        1000,
        0.9,
    )
    assert (
        judge(
            rows,
            good | {"s0:0": paragraph_xml("La proposición fue aprobada por unanimidad.")},
            base=bad,
            encoder=encoder,
        ).verdict
        == "PROMOTED"
    )
    turned = judge(
        rows,
        good | {"s0:0": paragraph_xml("La proposición fue negada por unanimidad de los presentes.")},
        base=bad,
        encoder=encoder,
    )
    assert turned.verdict == "REJECTED" and any("opposite outcome" in r for r in turned.reasons)


def test_invented_numbers_are_refused(encoder):
    rows, good, bad = hearing()
    lying = {k: v.replace(" millones", " millones, 77 veces, 4.512 firmas") for k, v in good.items()}
    verdict = judge(rows, lying, incumbent=good, encoder=encoder)
    assert verdict.verdict == "REJECTED" and any("invents more numbers" in r for r in verdict.reasons)


def test_too_little_evidence_is_not_a_yes(encoder):
    rows, good, bad = hearing(sessions=1)
    assert judge(rows, good, base=bad, encoder=encoder).verdict == "INSUFFICIENT_EVIDENCE"
    rows, good, bad = hearing(sessions=3)
    assert judge(rows, good, encoder=encoder).verdict == "INSUFFICIENT_EVIDENCE"
    assert judge(rows, good, incumbent=dict(good), encoder=encoder).verdict == "INSUFFICIENT_EVIDENCE"
    with pytest.raises(InputError, match="no validation rows"):
        judge([], {}, encoder=encoder)


def test_writing_nothing_does_not_win(encoder):
    rows, good, bad = hearing()
    verdict = judge(rows, dict.fromkeys(good, "<nada/>"), base=bad, encoder=encoder)
    assert verdict.verdict == "REJECTED" and any("empty page" in r for r in verdict.reasons)


def test_predictions_must_be_complete_unique_and_known(tmp_path):
    rows, good, _ = hearing(1)
    with pytest.raises(InputError, match="no output"):
        items(rows, {k: v for k, v in good.items() if k != "s0:3"})
    with pytest.raises(InputError, match="unknown row"):
        items(rows, good | {"zz": ""})
    for text, what in (
        ('{"id": 1, "output": "x"}', "expected"),
        ('{"id": "a"}', "expected"),
        ("", "no predictions"),
        ('{"id": "a", "output": ""}\n{"id": "a", "output": ""}', "twice"),
        ('{"id": "a"', "not JSON"),
    ):
        (tmp_path / "p.jsonl").write_text(text)
        with pytest.raises(InputError, match=what):
            read_predictions(tmp_path / "p.jsonl")


words = st.lists(st.sampled_from("acta concejo voto barrio luz 9:00 $10.000".split()), max_size=12)


@settings(deadline=None)
@given(words, words)
def test_word_errors_are_a_distance(a, b):
    x, y = " ".join(a), " ".join(b)
    edits, words, longer = word_errors(x, y)
    assert edits <= longer and words <= longer
    assert edits == word_errors(y, x)[0] and (edits == 0) == (word_errors(x, y)[0] == 0)
    assert word_errors(x, x)[0] == 0 and edits <= max(len(a) * 3, len(b) * 3)


def test_money_and_clock_times_are_not_mangled():
    assert word_errors("a las 9:00", "a las 900")[0] > 0
    assert word_errors("Costó $10.000.", "costó 10.000")[0] == 0


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("fue aprobado por unanimidad", "yes"),
        ("fue negada con diez votos", "no"),
        ("no fue aprobada", "no"),
        ("quedó rechazado", "no"),
        ("intervino el concejal", None),
        ("la proposición se aprobó", "yes"),
        ("improbado el proyecto", "no"),
    ],
)
def test_outcomes(text, told):
    assert outcome(text) == told


def test_facts_are_checked_against_what_was_said():
    said = "son doscientos cuarenta y tres millones, dijo [CONCEJAL_02]"
    assert invented_numbers("Pidió $243 millones.", said) == 0
    assert invented_numbers("Pidió $244 millones.", said) == 1
    assert invented_people("Habló [CONCEJAL_02] con [CIUDADANO_09].", said) == 1


@given(st.dictionaries(st.text(min_size=1, max_size=3), st.floats(0, 2), min_size=2, max_size=9))
def test_the_interval_holds_the_mean_and_mirrors(values):
    other = dict.fromkeys(values, 0.5)
    a, b = paired_interval(values, other), paired_interval(other, values)
    assert a["ci_low"] <= a["delta"] <= a["ci_high"]
    assert a["delta"] == pytest.approx(-b["delta"]) and a["ci_low"] == pytest.approx(-b["ci_high"])


def test_a_clerk_who_repeats_himself_does_not_raise_the_floor(encoder):
    """Twenty hand-overs are alike; taken for strangers they would put the floor above every honest answer."""
    from astra_lib.judge import similarities, unrelated_pairs

    own = [
        f"Manifestó que {topic} requiere atención inmediata, según {n} vecinos."
        for n, topic in enumerate(TOPICS)
    ]
    formulas = [f"Seguidamente intervino la honorable concejala [CONCEJAL_{n:02d}]." for n in range(20)]
    floor = similarities(formulas + own, formulas + own, encoder)[1]
    assert floor < 0.6
    assert not unrelated_pairs(formulas)


@pytest.mark.parametrize("level", [95, 1.0, 0.0, -0.5, float("nan"), float("inf")])
def test_a_confidence_level_that_is_not_a_share_is_refused(level):
    """95 makes every bound NaN, and with NaN every comparison is false: no gate would close."""
    rows, good, bad = hearing()
    with pytest.raises(InputError, match="0.95, not 95"):
        judge(rows, bad, incumbent=good, gates=Gates(confidence_level=level))
    with pytest.raises(InputError, match="0.95, not 95"):
        paired_interval({"a": 1.0, "b": 2.0}, {"a": 1.0, "b": 1.0}, level)


def test_the_setting_is_refused_before_any_model_writes(tmp_path):
    from astra_lib.core.settings import load
    from jobs.judge import declare, hear

    wrong = load({"ASTRA_JUDGE_CONFIDENCE_LEVEL": "95", "ASTRA_DATA_DIR": str(tmp_path)})
    with pytest.raises(InputError, match="confidence_level"):
        declare({"tenant": "t", "train_run": ""}, wrong)
    with pytest.raises(InputError, match="confidence_level"):
        hear([], tmp_path / "adapter.zip", tmp_path / "out", wrong, engine=None)


def test_a_comparison_that_is_not_a_number_is_refused():
    class Overflowing:
        def encode(self, texts):
            import numpy as np

            return np.full((len(texts), 2), np.nan)

    rows, good, bad = hearing()
    with pytest.raises(InputError, match="difference in similarity is not a number"):
        judge(rows, good, incumbent=bad, encoder=Overflowing())


def test_equal_models_have_an_interval_of_no_width_and_no_warning(recwarn):
    same = {"a": 0.5, "b": 0.25, "c": 0.75}
    assert paired_interval(same, same) == {"delta": 0.0, "ci_low": 0.0, "ci_high": 0.0, "sessions": 3}
    assert not recwarn.list
