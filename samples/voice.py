"""Give every utterance a voice (espeak-ng), on one 16 kHz track, and remember where each begins and ends."""

from __future__ import annotations

import io
import random
import subprocess
import wave
from pathlib import Path
from typing import Any

import numpy as np

RATE = 22_050  # espeak-ng's own; the track is brought to 16 kHz at the end


def espeak(text: str, voice: dict[str, Any]) -> np.ndarray:
    """Samples of one utterance without the silence around it."""
    options = {"-v": f"{voice['lang']}+{voice['variant']}"}
    options |= {"-p": str(voice["pitch"]), "-s": str(voice["speed"]), "-g": str(voice["gap"])}
    given = [word for option in options.items() for word in option]
    command = ["espeak-ng", *given, "--stdout", "--", text]
    sound = subprocess.run(command, capture_output=True, check=True).stdout
    with wave.open(io.BytesIO(sound)) as f:
        if f.getframerate() != RATE:
            raise ValueError(f"espeak-ng gave {f.getframerate()} Hz")
        samples = np.frombuffer(sound[44:], dtype="<i2").astype(np.float32)
    loud = np.flatnonzero(np.abs(samples) > 150)
    return samples[loud[0] : loud[-1] + 1] if len(loud) else samples


def room_noise(seconds: float, rng: np.random.Generator) -> np.ndarray:
    """Mains hum and a soft hiss, about 38 dB under the voices."""
    n = int(seconds * RATE)
    t = np.arange(n, dtype=np.float32) / RATE
    hiss = np.convolve(
        rng.standard_normal(n).astype(np.float32), np.ones(5, dtype=np.float32) / 5, mode="same"
    )
    return 55 * hiss + 30 * np.sin(2 * np.pi * 60 * t) + 12 * np.sin(2 * np.pi * 180 * t)


def voice_session(composed: dict[str, Any], out: Path, seed: int) -> dict[str, Any]:
    """Write `out` (wav, 16 kHz mono). `{duration, utterances: [{start, end, speaker}]}`, in seconds."""
    rng = random.Random(f"{seed}:voice:{composed['session_id']}")
    pieces, at, times = [], 0.0, []

    def pad(seconds: float) -> None:
        nonlocal at
        pieces.append(np.zeros(int(seconds * RATE), dtype=np.float32))
        at += len(pieces[-1]) / RATE

    pad(0.8)
    before = None
    for u in composed["utterances"]:
        if u["speaker"] is None:
            times.append({"start": round(at, 3), "end": round(at + u["seconds"], 3), "speaker": None})
            pad(u["seconds"])
            continue
        pad(rng.uniform(0.25, 0.6) if u["speaker"] == before else rng.uniform(0.5, 1.5))
        samples = espeak(u["text"], composed["people"][u["speaker"]]["voice"])
        gain = 9000 / max(1.0, float(np.sqrt((samples**2).mean()))) * rng.uniform(0.35, 0.5)
        pieces.append(samples * gain)
        times.append(
            {"start": round(at, 3), "end": round(at + len(samples) / RATE, 3), "speaker": u["speaker"]}
        )
        at += len(samples) / RATE
        before = u["speaker"]
    pad(1.0)
    track = np.concatenate(pieces)
    track += room_noise(
        len(track) / RATE + 1, np.random.default_rng([seed, *composed["session_id"].encode()])
    )[: len(track)]
    raw = np.clip(track, -32000, 32000).astype("<i2").tobytes()
    out.parent.mkdir(parents=True, exist_ok=True)
    part = out.with_name(out.name + ".part")
    # -D: no dither, so the same sources give the same bytes
    source = f"-t raw -r {RATE} -e signed -b 16 -c 1 -".split()
    subprocess.run(["sox", "-D", *source, "-t", "wav", "-r", "16000", str(part)], input=raw, check=True)
    part.replace(out)
    return {"duration": round(len(track) / RATE, 3), "utterances": times}
