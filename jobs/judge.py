"""Let base, incumbent and candidate write the same validation rows, and hand them to the Judge."""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from astra_lib.core.code import code_digest
from astra_lib.core.manifest import run_folder
from astra_lib.core.records import (
    Example,
    Verdict,
    atomic_write,
    iter_jsonl,
    read_json,
    read_jsonl,
    sha256_bytes,
    to_dict,
    write_json,
)
from astra_lib.core.settings import Settings

if TYPE_CHECKING:
    from astra_lib.core.registry import AdapterRef, Registry
    from astra_lib.judge import Gates


def gates_of(settings: Settings) -> Gates:
    """The Judge's gates from `[judge]`; `InputError` for a confidence level that is not a share."""
    from astra_lib.judge import Gates

    j = settings.judge
    return Gates(j.error_margin, j.confidence_level, j.min_sessions, j.min_xml_valid)


def opponent_of(registry: Registry, tenant: str, candidate_sha256: str) -> AdapterRef | None:
    """The adapter in service to compare with; None where that is the base, which is heard anyway.

    When the candidate itself is in service, this run was judged and promoted before: then the opponent
    is the adapter before it. The identity a council begins with is the base, whoever put it in again.
    """
    current, history = registry.current(tenant), registry.history(tenant)
    older = [p for p in history if p.adapter.sha256 != candidate_sha256]
    if current is None or current.adapter.sha256 == candidate_sha256:
        current = older[-1] if older else None
    identities = {p.adapter.sha256 for p in history if p.by == "bootstrap"}
    return current.adapter if current and current.adapter.sha256 not in identities else None


def declare(parameters: dict[str, Any], settings: Settings) -> tuple[dict[str, Any], dict[str, Path]]:
    """What a judge run depends on: the adapter, the validation rows, the adapter in service, the gates.

    Raises `InputError` for gates that cannot work, before any model has written a row.
    """
    from astra_lib.core.registry import Registry

    from . import runner

    gates_of(settings)
    train_run = parameters["train_run"] or runner.newest("train", parameters["tenant"], settings)
    folder = run_folder("train", train_run, settings)
    manifest = read_json(folder / "manifest.json")
    registry = Registry.open(settings)
    registry.register_tenant(parameters["tenant"])
    opponent = opponent_of(registry, parameters["tenant"], manifest["metrics"]["adapter"]["sha256"])
    val = run_folder("dataset", manifest["parameters"]["dataset_run"], settings) / "val.jsonl"
    return (
        {
            **parameters,
            "train_run": train_run,
            "judge": asdict(settings.judge),
            "code": code_digest("jobs.judge"),
            "incumbent": asdict(opponent) if opponent else None,
        },
        {"adapter.zip": folder / "adapter.zip", "val.jsonl": val},
    )


@dataclass
class Hearing:
    """The verdict and the files it rests on."""

    verdict: Verdict
    rows: list[Example]
    outputs: dict[str, dict[str, str]]
    files: dict[str, Path]


def select(rows: Sequence[Example], most: int) -> list[Example]:
    """At most `most` rows, as many from each session, chosen by a hash of their ids, not by order."""
    groups: dict[str, list[Example]] = defaultdict(list)
    for row in sorted(rows, key=lambda r: sha256_bytes(r.id)):
        groups[row.session_id].append(row)
    chosen: list[Example] = []
    while len(chosen) < most and any(groups.values()):
        for session in sorted(groups):
            if groups[session] and len(chosen) < most:
                chosen.append(groups[session].pop(0))
    return sorted(chosen, key=lambda r: r.id)


def predict(
    engine: Any,
    bundle: Any,
    rows: Sequence[Example],
    path: Path,
    settings: Settings,
    progress: Callable[[Iterable, str], Iterable] | None = None,
) -> dict[str, str]:
    """`{id: output}` of one model, kept in `path`; a run that was stopped goes on where it was."""
    key = sha256_bytes(
        json.dumps(
            [
                engine.base_digest,
                bundle.sha256 if bundle else None,
                settings.judge.max_new_tokens,
                [r.id for r in rows],
                [r.prompt[-1]["content"] for r in rows],
            ]
        )
    )
    kept = [row for _, row in iter_jsonl(path)] if path.is_file() else []
    if not kept or kept[0].get("key") != key:
        kept = [{"key": key, "model": bundle.id if bundle else "base"}]
    done = {row["id"] for row in kept[1:]}
    todo = sorted((r for r in rows if r.id not in done), key=lambda r: -len(r.prompt[-1]["content"]))
    size = settings.judge.batch_size
    for start in (progress or _bar)(range(0, len(todo), size), bundle.id if bundle else "base"):
        batch = todo[start : start + size]
        made = engine.generate(
            [r.prompt for r in batch],
            [bundle] * len(batch),
            settings.judge.max_new_tokens,
            may_be_silent=bundle is not None,
        )
        kept += [
            {
                "id": r.id,
                "output": g.text,
                "confidence": round(g.confidence, 4),
                "tokens": g.tokens,
                "finish": g.finish,
            }
            for r, g in zip(batch, made, strict=True)
        ]
        atomic_write(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in kept))
    return {row["id"]: row["output"] for row in kept[1:]}


def hear(
    rows: Sequence[Example],
    candidate: Path | str,
    out: Path | str,
    settings: Settings,
    engine: Any,
    incumbent: Path | str | None = None,
    progress: Callable[[Iterable, str], Iterable] | None = None,
) -> Hearing:
    """Judge the adapter zip `candidate` against the base and, when given, the incumbent's zip.

    Every model's answers and the verdict are written under `out`.
    """
    gates_of(settings)
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    chosen = select(rows, settings.judge.max_items)
    bundles = {"base": None, "candidate": engine.load_adapter(candidate)}
    if incumbent:
        bundles["incumbent"] = engine.load_adapter(incumbent)
    outputs = {
        name: predict(engine, b, chosen, out / f"predictions.{name}.jsonl", settings, progress)
        for name, b in bundles.items()
    }
    return decide(chosen, outputs, out, settings, {n: b.sha256 for n, b in bundles.items() if b})


def hear_run(run: Any, settings: Settings) -> Hearing:
    """Judge the candidate that the run declared, in the run's own folder."""
    from app_gradio.engine import Engine
    from astra_lib.core.base_model import ensure_base
    from astra_lib.core.store import Store

    inputs = declare({k: run.parameters[k] for k in ("tenant", "train_run")}, settings)[1]
    incumbent = None
    if opponent := run.parameters["incumbent"]:
        incumbent = settings.data_dir / "adapters" / f"{opponent['sha256']}.zip"
        if not incumbent.is_file():
            Store.open(settings).get_file(opponent["key"], incumbent, opponent["sha256"])
    return hear(
        read_jsonl(inputs["val.jsonl"], Example),
        inputs["adapter.zip"],
        run.dir,
        settings,
        Engine.load(ensure_base(settings), settings.model.revision),
        incumbent,
    )


def register(run: Any, heard: Hearing, settings: Settings) -> dict[str, Any]:
    """Add the files to the run; returns its metrics, with the adapter a promotion will need."""
    train = read_json(run_folder("train", run.parameters["train_run"], settings) / "manifest.json")
    for path in heard.files.values():
        run.add_output(path)
    run.add_output(run.dir / "report.html")
    return {
        "verdict": heard.verdict.verdict,
        "reasons": heard.verdict.reasons,
        "models": heard.verdict.metrics,
        "comparison": heard.verdict.comparison,
        "adapter": train["metrics"]["adapter"],
    }


def decide(
    rows: Sequence[Example],
    outputs: dict[str, dict[str, str]],
    out: Path | str,
    settings: Settings,
    shas: dict[str, str],
) -> Hearing:
    """The verdict on outputs that exist already; `shas` names the adapters they came from."""
    from astra_lib.judge import judge, verdict_report

    gates = gates_of(settings)
    verdict = judge(rows, outputs["candidate"], outputs.get("incumbent"), outputs.get("base"), gates)
    out = Path(out)
    row = {**to_dict(verdict), **{f"{name}_sha256": sha for name, sha in shas.items()}}
    files = {"verdict.json": write_json(out / "verdict.json", row)}
    files["judge.html"] = verdict_report(verdict).save(out / "judge.html")
    files |= {p.name: p for p in out.glob("predictions.*.jsonl")}
    return Hearing(verdict, list(rows), outputs, files)


def _bar(items: Iterable, name: str) -> Iterable:
    from tqdm import tqdm

    quiet = None if sys.stderr.isatty() else True
    return tqdm(items, desc=f"writing as {name[:24]}", unit="batch", disable=quiet)
