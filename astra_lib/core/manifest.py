"""Manifests: what a job's run read, wrote and measured, by sha256; and the chain they form.

A run is the folder `<data_dir>/runs/<job>/<run_id>/`, and the same keys in the object store. What has no
manifest did not happen. From any manifest one can walk to the runs its inputs came from (`lineage`), down to
the sessions.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import InputError, MissingError, disk_errors
from .records import dumps, read_json, sha256_bytes, sha256_file
from .settings import Settings
from .store import Store

MANIFEST = "manifest.json"


def runs_folder(settings: Settings) -> Path:
    return settings.data_dir / "runs"


def run_folder(job: str, run_id: str, settings: Settings) -> Path:
    """Where a run's files are on this machine; `InputError` for a job or run id that is no plain name."""
    return runs_folder(settings) / check_name(job) / check_name(run_id)


def run_key(job: str, run_id: str) -> str:
    """Where they are in the object store, with a slash at the end."""
    return f"runs/{check_name(job)}/{check_name(run_id)}/"


@dataclass
class Artifact:
    """A file that went in or out.

    `from_run`: the run whose output an input was. `private`: never leaves this machine.
    """

    name: str
    sha256: str
    bytes: int
    from_run: str = ""
    private: bool = False


@dataclass
class Manifest:
    """Times are UTC, ISO 8601. `git`: the commit, with `+` for a changed checkout; empty outside of one."""

    job: str
    run_id: str
    tenant: str
    parameters: dict[str, Any]
    inputs: list[Artifact]
    outputs: list[Artifact]
    versions: dict[str, str]
    seed: int | None
    metrics: dict[str, Any]
    started: str
    finished: str
    git: str
    fingerprint: str

    @classmethod
    def read(cls, row: Any, where: str) -> Manifest:
        try:
            values = {
                **row,
                **{side: [Artifact(**item) for item in row[side]] for side in ("inputs", "outputs")},
            }
            return cls(**values)
        except (TypeError, KeyError, AttributeError) as error:
            raise InputError(f"not a manifest: {error}", where=where, remedy="Run the job again") from None

    def output(self, name: str) -> Artifact:
        """The output called `name`; `MissingError` names those there are."""
        for artifact in self.outputs:
            if artifact.name == name:
                return artifact
        raise MissingError(
            f"no output {name!r}",
            where=f"runs/{self.job}/{self.run_id}",
            remedy=f"It has: {', '.join(sorted(a.name for a in self.outputs)) or 'none'}",
        )


def fingerprint(
    job: str,
    parameters: Mapping[str, Any],
    inputs: Iterable[Artifact],
    tenant: str = "",
    seed: int | None = None,
) -> str:
    """What makes two runs the same: job, tenant, parameters, seed, and the inputs' names and hashes."""
    return sha256_bytes(
        dumps([job, tenant, dict(parameters), seed, sorted([a.name, a.sha256] for a in inputs)])
    )


def read_manifest(run_id: str, settings: Settings, store: Store | None = None) -> Manifest:
    """A manifest by run id, from here or, where that is missing or damaged, from the object store.

    Raises `MissingError` when there is none, `InputError` when only a damaged one is left.
    """
    damaged: InputError | None = None
    for path in runs_folder(settings).glob(f"*/{check_name(run_id)}/{MANIFEST}"):
        try:
            return Manifest.read(read_json(path), str(path))
        except InputError as error:
            damaged = error
    store = store or Store.open(settings)
    for job in store.folders("runs/"):
        with suppress(MissingError):
            key = run_key(job, run_id) + MANIFEST
            return Manifest.read(store.get_json(key), key)
    raise damaged or MissingError(
        "no finished run of this id",
        where=run_id,
        remedy="A run without a manifest did not finish: run its job again",
    )


def lineage(run_id: str, settings: Settings, store: Store | None = None) -> list[Manifest]:
    """The run and everything it came from, nearest first. Raises `MissingError` when a link is gone."""
    chain: dict[str, Manifest] = {}
    queue = [run_id]
    while queue:
        current = queue.pop(0)
        if current in chain:
            continue
        chain[current] = read_manifest(current, settings, store)
        queue += [a.from_run for a in chain[current].inputs if a.from_run]
    return list(chain.values())


def broken_links(chain: Iterable[Manifest]) -> list[str]:
    """Inputs that are not, byte for byte, an output of the run they claim to come from."""
    by_id = {manifest.run_id: manifest for manifest in chain}
    return [
        f"{manifest.job}/{manifest.run_id}: input {artifact.name} is no output of {artifact.from_run}"
        for manifest in by_id.values()
        for artifact in manifest.inputs
        if artifact.from_run
        and (
            artifact.from_run not in by_id
            or artifact.sha256 not in {a.sha256 for a in by_id[artifact.from_run].outputs}
        )
    ]


def artifacts(inputs: Iterable[Path | str] | Mapping[str, Path | str], settings: Settings) -> list[Artifact]:
    if isinstance(inputs, Mapping):
        return [artifact_of(Path(path), name, settings) for name, path in inputs.items()]
    return [artifact_of(Path(path), None, settings) for path in inputs]


def artifact_of(path: Path, name: str | None, settings: Settings) -> Artifact:
    if not path.is_file():
        raise MissingError(
            "no such input", where=str(path), remedy="Check the path, or run the job that writes it"
        )
    with disk_errors(path):
        artifact = Artifact(name or path.name, sha256_file(path), path.stat().st_size)
    runs = runs_folder(settings).resolve()
    if path.resolve().is_relative_to(runs) and len(parts := path.resolve().relative_to(runs).parts) > 2:
        folder = runs / parts[0] / parts[1]
        if not (folder / MANIFEST).is_file():
            raise InputError(
                "the run that wrote this never finished", where=str(path), remedy=f"Run {parts[0]} again"
            )
        manifest = Manifest.read(read_json(folder / MANIFEST), str(folder / MANIFEST))
        if artifact.sha256 not in {a.sha256 for a in manifest.outputs}:
            raise InputError(
                "changed since its run finished, or never one of its outputs",
                where=str(path),
                remedy=f"Run {parts[0]} again",
            )
        artifact.from_run = parts[1]
    return artifact


def is_whole(path: Path, artifact: Artifact) -> bool:
    """Whether the file is there with the artifact's size and hash."""
    return path.is_file() and path.stat().st_size == artifact.bytes and sha256_file(path) == artifact.sha256


def all_whole(folder: Path, manifest: Manifest) -> bool:
    return all(is_whole(folder / artifact.name, artifact) for artifact in manifest.outputs)


def check_name(text: str) -> str:
    if not text or text != Path(text).name or text.startswith(".") or any(c in text for c in "*?[]\\\0"):
        raise InputError("not a usable name", where=repr(text), remedy="Use letters, digits, '-' and '_'")
    return text
