"""The whole loop on the sample council, once, for real: what `make demo` runs.

Every step goes through the same calls as in production; this file only puts them in order, keeps requests
flowing while the adapter is swapped, and writes down what happened.
"""

from __future__ import annotations

import contextlib
import importlib.util
import math
import os
import resource
import shutil
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from astra_lib.core import services
from astra_lib.core.errors import GateError, MissingError
from astra_lib.core.records import read_json, sha256_file, write_json
from astra_lib.core.registry import Registry
from astra_lib.core.settings import Settings
from astra_lib.core.settings import load as load_settings
from trainer import control_plane

from . import runner
from .demo_screen import Screen, TrainingProgress
from .demo_traffic import Traffic, wait_for

TENANT = "manantial"
SAMPLES = Path(__file__).resolve().parents[1] / "samples" / "manantial"
LIVE = "2026-03-05"  # the short session with its recording
TRAIN_SHARE = 0.5  # of the demo's minutes
EXAM_ROWS = 60  # ten of each of six sessions: enough for the interval, a minute and a half on two cores
DRAFT_S = 240.0  # of the drafted session; the whole of it would take as long as the rest of the demo


@dataclass
class Demo:
    """What happened, filled in stage by stage; kept in data_dir/demo/summary.json."""

    settings: Settings
    screen: Screen
    facts: dict[str, Any] = field(default_factory=dict)
    began: float = field(default_factory=time.perf_counter)

    @property
    def folder(self) -> Path:
        return self.settings.data_dir / "demo"

    def say(self, text: str) -> None:
        self.screen.say(text)


def run(settings: Settings, out: TextIO | None = None) -> Demo:
    """The loop from recording to drafted acta.

    A verdict that is not PROMOTED is a result, not a failure: the candidate stays out, and the loop goes on
    to its end with the adapter in service. Raises only when a part is broken.
    """
    settings = within_budget(settings)
    demo = Demo(settings, Screen(expected_seconds(settings), out))
    stage = demo.screen.stage
    demo.screen.plan()
    with stage("servers", "Servers: object store, Redis, training control plane"):
        # tied to this process: they end with it, however it ends
        services.up(settings, owner=os.getpid())
        control_plane.up(settings, owner=os.getpid())
        prepare(settings)
    with stage("transcribe", "Recording -> transcript (Whisper, live)"):
        transcribe_live(demo)
    with stage("mine", "Transcripts + actas -> aligned pairs"):
        mined = job(demo, "mine", source=str(demo.folder / "sessions"))
    with stage("dataset", "Pairs -> dataset without personal data"):
        job(demo, "dataset", mine_run=mined.run_id, roster=str(SAMPLES / "roster.json"))
    watched = TrainingProgress(settings, TENANT)
    with stage("train", "Dataset -> LoRA adapter (RunPod's worker behind the local control plane)", watched):
        trained = job(demo, "train", dataset_run=demo.facts["dataset"]["run_id"])
    with stage("judge", "The Judge: base against candidate on sessions it was not trained on"):
        judged = job(demo, "judge", train_run=trained.run_id)
        say_verdict(demo, judged)
    serve_and_draft(demo, judged)
    finish(demo)
    return demo


def expected_seconds(settings: Settings) -> dict[str, float]:
    """What each stage takes on two quiet cores, by name; measured, but for the training, which is planned."""
    training = settings.train.max_minutes * 60
    return {
        "servers": 20, "transcribe": 17, "mine": 12, "dataset": 22, "train": training, "judge": 170,
        "swap": 120, "draft": 30,
    }  # fmt: skip


def within_budget(settings: Settings) -> Settings:
    """Settings under which the loop takes `[demo] minutes` on a quiet machine: half of them go into training.

    They are set in the environment too, for the jobs' kernels. What the user set by hand stays.
    """
    for name, value in {
        "ASTRA_TRAIN_MAX_MINUTES": f"{settings.demo.minutes * TRAIN_SHARE:g}",
        "ASTRA_JUDGE_MAX_ITEMS": str(EXAM_ROWS),
    }.items():
        os.environ.setdefault(name, value)
    return load_settings()


def say_verdict(demo: Demo, judged: runner.Executed) -> None:
    """The verdict, and what a person does next when it is not a yes."""
    metrics = judged.manifest["metrics"]
    demo.say(f"    {metrics['verdict']}: {'; '.join(metrics['reasons'])}")
    if metrics["verdict"] == "PROMOTED":
        return
    twice = f"{2 * demo.settings.demo.minutes:g}"
    demo.say(
        "    The candidate stays out, as in production; the loop goes on with the adapter in service.\n"
        f"    Next: read {judged.report}\n"
        f"    and give the training more time (ASTRA_DEMO_MINUTES={twice} make demo) or more sessions."
    )


def prepare(settings: Settings) -> None:
    """The council's own folder (roster, template), as an operator would make it; and the demo's sessions."""
    home = settings.data_dir / "tenants" / TENANT
    home.mkdir(parents=True, exist_ok=True)
    sessions = sorted((SAMPLES / "sessions").iterdir())
    shutil.copy(SAMPLES / "roster.json", home / "roster.json")
    shutil.copy(sessions[-1] / "acta.docx", home / "template.docx")
    for session in sessions:
        target = settings.data_dir / "demo" / "sessions" / session.name
        target.mkdir(parents=True, exist_ok=True)
        for path in session.iterdir():
            if path.suffix != ".opus" and not (
                session.name == LIVE and path.name == "transcript.json" and (target / path.name).exists()
            ):
                shutil.copy(path, target / path.name)


def transcribe_live(demo: Demo) -> None:
    """Transcribe the short recording now; without a speech model, say so and use the committed transcript."""
    from astra_lib.recording import transcribe
    from astra_lib.text import wer_words
    from astra_lib.transcript import read_transcript

    audio = SAMPLES / "sessions" / LIVE / "audio.opus"
    target = demo.folder / "sessions" / LIVE / "transcript.json"
    if importlib.util.find_spec("faster_whisper") is None:
        demo.facts["transcript"] = {"live": False}
        demo.say("    the ASR model is not to be had here: using the committed transcript")
        return
    out = demo.folder / f"live-{sha256_file(audio)[:12]}.json"
    began = time.perf_counter()
    reused = out.is_file()
    try:
        made = (
            read_transcript([out])
            if reused
            else transcribe(audio, out, demo.settings, session_id=LIVE, tenant=TENANT)
        )
    except MissingError as error:
        demo.facts["transcript"] = {"live": False, "reason": str(error)}
        demo.say(f"    {error}: using the committed transcript")
        return
    shutil.copy(out, target)
    seconds = time.perf_counter() - began
    demo.facts["transcript"] = {
        "live": True,
        "words": len(wer_words(made.text())),
        "minutes": made.duration / 60,
        "speed": None if reused else made.duration / seconds,
    }
    demo.say(
        f"    {demo.facts['transcript']['words']} words of {made.duration / 60:.1f} minutes"
        + ("" if reused else f", {made.duration / seconds:.1f} x real time")
    )


def job(demo: Demo, name: str, **parameters: Any) -> runner.Executed:
    """One job through papermill; a finished one with the same inputs is reused."""
    made = runner.execute(name, {"tenant": TENANT, **parameters}, demo.settings)
    demo.facts[name] = {
        "run_id": made.run_id,
        "reused": made.reused,
        "report": str(made.report),
        **made.manifest["metrics"],
    }
    demo.say(f"    {'reused' if made.reused else 'done'}: {made.report}")
    return made


def serve_and_draft(demo: Demo, judged: runner.Executed) -> None:
    """The service with what the verdict allows: a swap under traffic, then a draft."""
    from app_gradio.service import Service

    with contextlib.closing(Service.open(demo.settings)) as service:
        with demo.screen.stage("swap", "Hot swap, with requests in flight"):
            swap(demo, judged, service)
        with demo.screen.stage("draft", "A session the adapter never saw -> draft acta"):
            draft_acta(demo, service)


def swap(demo: Demo, judged: runner.Executed, service: Any) -> None:
    """Serve the council on the identity adapter, keep requests coming, put one in, and watch it happen."""
    from app_gradio import auth, main

    from .promote import bootstrap

    bootstrap(TENANT, service.engine, demo.settings)
    wait_for(lambda: TENANT in service.swapper.tenants(), "the first adapter to be in service")
    blocks = sample_blocks(demo)
    token = auth.issue(demo.settings, TENANT, "clerk")
    with main.running(demo.settings, service) as url:
        traffic = Traffic(url, token, blocks)
        traffic.start(4)
        wait_for(lambda: traffic.done >= 4, "the first answers")
        generation = put_in(demo, judged)
        wait_for(lambda: service.swapper.served(TENANT).generation >= generation, "the swap")
        after = traffic.done
        wait_for(lambda: traffic.done >= after + 6, "answers of the new generation")
        traffic.stop()
    result = next(r for r in reversed(service.swapper.history) if r.tenant == TENANT)
    times = {"load_ms": result.load_ms, "canary_ms": result.canary_ms, "pointer_us": result.swap_us}
    demo.facts["swap"] = times | traffic.summary()
    say_swap(demo)
    if demo.facts["swap"]["failed"]:
        failed = f"{demo.facts['swap']['failed']} requests failed during the swap"
        raise GateError(f"{failed}: {traffic.errors[:1]}")


def put_in(demo: Demo, judged: runner.Executed) -> int:
    """The generation that is put into service now: the candidate's, or again that of the adapter in service.

    The second is a swap like any other, so that it can be seen under traffic; the registry keeps who did it.
    """
    if judged.manifest["metrics"]["verdict"] == "PROMOTED":
        promoted = job(demo, "promote", judge_run=judged.run_id)
        return int(promoted.manifest["metrics"]["generation"])
    registry = Registry.open(demo.settings)
    current = registry.current(TENANT)
    assert current is not None, "bootstrap has put an adapter in"
    kept = registry.rollback(TENANT, to_generation=current.generation, by="demo: the incumbent, put in again")
    demo.facts["kept"] = {"adapter": kept.adapter.id, "generation": kept.generation}
    demo.say(f"    {kept.adapter.id} is put in again as generation {kept.generation}")
    return kept.generation


def say_swap(demo: Demo) -> None:
    s = demo.facts["swap"]
    demo.say(
        f"    {s['requests']} requests, {s['failed']} failed; by generation {s['by_generation']}; "
        f"load {s['load_ms']:.0f} ms, canary {s['canary_ms']:.0f} ms, pointer {s['pointer_us']:.1f} µs"
    )


def sample_blocks(demo: Demo) -> list[dict[str, Any]]:
    """Speech of a validation session, as a client would send it."""
    from app_gradio.sessions import UNIT_S
    from astra_lib.transcript import read_transcript, speech_blocks

    session = held_out(demo)
    transcript = read_transcript(
        [demo.folder / "sessions" / session / "transcript.json"], session_id=session, tenant=TENANT
    )
    made = [b for b in speech_blocks(transcript, 0.0, math.inf, *UNIT_S) if len(b.text.split()) > 20][:12]
    return [
        {
            "start_ms": round(b.start * 1000),
            "end_ms": round(b.end * 1000),
            "speaker": b.speaker,
            "text": b.text,
        }
        for b in made
    ]


def held_out(demo: Demo) -> str:
    """The shortest validation session: none of its rows were trained on."""
    card = read_json(Path(demo.facts["dataset"]["report"]).parent / "card.json")
    sessions = [s for s, side in card["sessions"].items() if side == "val"]
    return min(sessions, key=lambda s: (demo.folder / "sessions" / s / "transcript.json").stat().st_size)


def draft_acta(demo: Demo, service: Any) -> None:
    from app_gradio.sessions import draft
    from astra_lib.transcript import read_transcript

    session = held_out(demo)
    transcript = read_transcript(
        [demo.folder / "sessions" / session / "transcript.json"], session_id=session, tenant=TENANT
    )
    made = draft(
        service,
        cut(transcript, DRAFT_S),
        demo.settings.data_dir / "tenants" / TENANT / "template.docx",
        demo.folder / f"acta-{session}.docx",
    )
    demo.facts["draft"] = {
        "session": session,
        "docx": str(made.docx),
        "paragraphs": len(made.paragraphs),
        "gaps": len(made.gaps),
        "minutes": min(transcript.duration, DRAFT_S) / 60,
    }
    demo.say(
        f"    {len(made.paragraphs)} paragraphs from the first "
        f"{demo.facts['draft']['minutes']:.0f} minutes of {session} -> {made.docx}"
    )


def cut(transcript: Any, seconds: float) -> Any:
    """The first `seconds` of a transcript."""
    from dataclasses import replace

    words = [w for w in transcript.words if w.end <= seconds]
    turns = [u for u in transcript.utterances if u.words[1] <= len(words)]
    return replace(transcript, words=words, utterances=turns, duration=min(seconds, transcript.duration))


def finish(demo: Demo) -> None:
    """Write the summary and the page; print both the numbers and the paths."""
    from .demo_report import text, write_page

    demo.facts["seconds"] = demo.screen.took_s | {"total": round(time.perf_counter() - demo.began, 1)}
    demo.facts["peak_memory_mb"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    write_json(demo.folder / "summary.json", demo.facts)
    page = write_page(demo.facts, demo.folder / "report.html")
    demo.say(
        "\n"
        + text(demo.facts)
        + f"\n\nreport  {page}"
        + (f"\nacta    {demo.facts['draft']['docx']}" if "draft" in demo.facts else "")
    )
