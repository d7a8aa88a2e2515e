"""Settings: typed, complete, overridable, and strict about what they do not know."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from astra_lib.core.errors import InputError, MissingError, SettingsError
from astra_lib.core.settings import SECRETS, Settings, cast, load, settings_path

INI = (Path(__file__).parents[1] / "settings.ini").read_text(encoding="utf-8")


@pytest.fixture
def ini(tmp_path: Path) -> Path:
    path = tmp_path / "settings.ini"
    path.write_text(INI, encoding="utf-8")
    return path


def test_the_checkout_s_own_file_is_complete_and_typed() -> None:
    loaded = load({})
    for section in fields(Settings):
        values = getattr(loaded, section.name)
        for field in fields(values):
            assert type(getattr(values, field.name)).__name__ == field.type, (section.name, field.name)


def test_a_choice_that_is_none_is_refused_where_it_is_read(ini: Path) -> None:
    """Found only while aligning, it would quarantine every session one by one."""
    with pytest.raises(SettingsError, match="expected never, segments, always, found 'sometimes'"):
        load({"ASTRA_ALIGN_SEMANTIC": "sometimes"}, ini)


def test_every_key_can_be_overridden_from_the_environment(ini: Path) -> None:
    plain = load({}, ini)
    for section in fields(Settings):
        for field in fields(getattr(plain, section.name)):
            text = {"int": "7", "float": "0.25", "str": "other", "bool": "yes", "Semantic": "always"}[
                str(field.type)
            ]
            changed = load({f"ASTRA_{section.name}_{field.name}".upper(): text}, ini)
            assert str(getattr(getattr(changed, section.name), field.name)) in {text, "True"}
            assert changed != plain or str(getattr(getattr(plain, section.name), field.name)) == text


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("[s3]", "[s4]", r"unknown section \[s4\]"),
        ("bucket = astra", "buckett = astra", "unknown key 'buckett'"),
        ("bucket = astra\n", "", "missing key 'bucket'"),
        ("presign_seconds = 7200", "presign_seconds = two hours", "expected int, found 'two hours'"),
        ("presign_seconds = 7200", "presign_seconds = 1.5", "expected int"),
        ("max_usd = 5.0", "max_usd = nan", "finite"),
        ("max_usd = 5.0", "max_usd = inf", "finite"),
        ("[s3]", "[s3", "s3"),
        ("[redis]", "[s3]", "already exists"),
        ("bucket = astra", "bucket = astra\nbucket = other", "already exists"),
        ("bucket = astra", "bucket = astra\n[DEFAULT]\nsurprise = 1", "unknown key 'surprise'"),
    ],
)
def test_a_file_with_a_fault_is_refused_by_name(ini: Path, old: str, new: str, said: str) -> None:
    assert old in INI
    ini.write_text(INI.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(SettingsError, match=said) as caught:
        load({}, ini)
    assert str(ini) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_environment_is_held_to_the_same(ini: Path) -> None:
    with pytest.raises(SettingsError, match="ASTRA_S3_BUCKETT: unknown setting"):
        load({"ASTRA_S3_BUCKETT": "x"}, ini)
    with pytest.raises(SettingsError, match="ASTRA_TRAIN_RANK: expected int"):
        load({"ASTRA_TRAIN_RANK": "sixteen"}, ini)
    with pytest.raises(SettingsError, match="finite"):
        load({"ASTRA_RUNPOD_MAX_USD": "nan"}, ini)
    assert load({"ASTRA_TEST_NET": "1", "OTHER": "x"}, ini) == load({}, ini)
    for secret in SECRETS:
        assert "hush" not in repr(load({secret: "hush"}, ini))


def test_a_file_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "latin.ini").write_bytes("# ASTRA ñ\n".encode("latin-1"))
    (tmp_path / "empty.ini").write_bytes(b"")
    with pytest.raises(SettingsError, match="UTF-8"):
        load({}, tmp_path / "latin.ini")
    with pytest.raises(InputError, match="empty"):
        load({}, tmp_path / "empty.ini")
    with pytest.raises(MissingError, match="absent.ini"):
        load({}, tmp_path / "absent.ini")
    with pytest.raises(MissingError, match="ASTRA_SETTINGS"):
        settings_path({"ASTRA_SETTINGS": str(tmp_path / "absent.ini")})


def test_the_nearest_file_of_ours_is_found(
    ini: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True)
    (tmp_path / "a" / "settings.ini").write_text("[somebody else's]\n", encoding="utf-8")
    monkeypatch.chdir(deep)
    assert settings_path({}) == ini
    monkeypatch.chdir("/")
    assert settings_path({}).read_text(encoding="utf-8") == INI


def test_the_data_folder_stands_beside_the_file(
    ini: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("ASTRA_SETTINGS", str(ini))
    assert load({}, ini).data_dir == tmp_path / "data"
    assert load({"ASTRA_DATA_DIR": "/elsewhere"}, ini).data_dir == Path("/elsewhere")
    assert load({"ASTRA_DATA_DIR": "~/astra"}, ini).data_dir == Path.home() / "astra"


@given(value=st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.booleans())
def test_values_survive_being_written_as_text(value: int | float | bool) -> None:
    assert cast(str(value), type(value), "here") == value


@given(text=st.text())
def test_any_text_is_a_value_or_a_settings_error(text: str) -> None:
    for kind in (int, float, bool):
        try:
            assert isinstance(cast(text, kind, "here"), kind)
        except SettingsError as error:
            assert str(error).startswith("here: ")
