"""Runs and their manifests: what a job did, written last, so that what has no manifest did not happen.

A run is the folder `<data_dir>/runs/<job>/<run_id>/`, and the same keys in the object store. A run with the same
job, tenant, parameters, seed and input hashes as a finished one need not happen again; one that was killed is
recognised by its missing manifest and taken over in its own folder.
"""

from __future__ import annotations

import fcntl
import json
import os
import platform
import secrets
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, BinaryIO

from .errors import ConflictError, InputError, MissingError, disk_errors
from .records import dumps, read_json, sha256_bytes, sha256_file, write_json
from .settings import Settings
from .store import Store, check_key

MANIFEST = "manifest.json"
_STARTED = "run.json"  # written first: parameters and fingerprint of a run that may never finish
_LOCK = ".running"
_PACKAGES = ("astra", "torch", "transformers", "peft", "trl", "datasets", "faster-whisper", "numpy")


@dataclass
class Artifact:
    """A file that went in or out. `from_run`: the run whose output an input was. `private`: never leaves this machine."""

    name: str
    sha256: str
    bytes: int
    from_run: str = ""
    private: bool = False


@dataclass
class Manifest:
    """Times are UTC, ISO 8601. `git`: commit, with `+` when the checkout was changed; empty outside of one."""

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
            values = {**row, **{side: [Artifact(**item) for item in row[side]] for side in ("inputs", "outputs")}}
            return cls(**values)
        except (TypeError, KeyError, AttributeError) as error:
            raise InputError(f"not a manifest: {error}", where=where, remedy="Run the job again") from None

    def output(self, name: str) -> Artifact:
        """The output called `name`; `MissingError` names those there are."""
        for artifact in self.outputs:
            if artifact.name == name:
                return artifact
        raise MissingError(f"no output {name!r}", where=f"runs/{self.job}/{self.run_id}",
                           remedy=f"It has: {', '.join(sorted(a.name for a in self.outputs)) or 'none'}")


class Run:
    """One run of a job; open from `start` to `finish`, then `manifest` is set and nothing changes any more."""

    def __init__(self, settings: Settings, job: str, run_id: str, parameters: dict[str, Any], *, tenant: str = "",
                 seed: int | None = None, inputs: list[Artifact] | None = None) -> None:
        self.settings, self.job, self.run_id, self.tenant = settings, _name(job), run_id, tenant
        self.parameters, self.seed = parameters, seed
        self.inputs, self.outputs = list(inputs or []), list[Artifact]()
        self.manifest: Manifest | None = None
        self.resumed = False
        self.started = _now()
        self._declared = fingerprint(job, parameters, self.inputs, tenant, seed)
        self._lock: BinaryIO | None = None

    @property
    def dir(self) -> Path:
        return self.settings.data_dir / "runs" / self.job / self.run_id

    @property
    def key(self) -> str:
        """Where it lies in the object store, with a slash at the end."""
        return f"runs/{self.job}/{self.run_id}/"

    @property
    def finished(self) -> bool:
        return self.manifest is not None

    @classmethod
    def start(cls, job: str, parameters: Mapping[str, Any], settings: Settings, *, tenant: str = "", seed: int | None = None,
              inputs: Iterable[Path | str] | Mapping[str, Path | str] = ()) -> Run:
        """A new run. `inputs` named here belong to its fingerprint; `add_input` may add more later."""
        run = cls(settings, job, _new_id(), _plain(parameters, job), tenant=tenant, seed=seed,
                  inputs=_artifacts(inputs, settings))
        with disk_errors(run.dir):
            run.dir.mkdir(parents=True)
            run._hold()
        run._write_started()
        return run

    @classmethod
    def resume_or_start(cls, job: str, parameters: Mapping[str, Any], settings: Settings, *, tenant: str = "",
                        seed: int | None = None, inputs: Iterable[Path | str] | Mapping[str, Path | str] = ()) -> Run:
        """The finished run of the same job, parameters and inputs; else the killed one, to go on in; else a new one.

        Look at `.finished` first, then at `.resumed`. Raises `ConflictError` while the same run is under way elsewhere.
        """
        artifacts = _artifacts(inputs, settings)
        parameters = _plain(parameters, job)
        print_ = fingerprint(job, parameters, artifacts, tenant, seed)
        if found := cls.find(job, print_, settings):
            return found
        for folder in sorted(_unfinished(settings, job), reverse=True):
            with suppress(InputError, MissingError):
                begun = read_json(folder / _STARTED)
                if begun.get("fingerprint") != print_:
                    continue
                run = cls(settings, job, folder.name, parameters, tenant=tenant, seed=seed, inputs=artifacts)
                run._hold()
                if (run.dir / MANIFEST).exists():  # it finished while we looked
                    run._release()
                    return cls.open(run.run_id, settings)
                run.started, run.resumed = begun["started"], True
                return run
        run = cls(settings, job, _new_id(), parameters, tenant=tenant, seed=seed, inputs=artifacts)
        with disk_errors(run.dir):
            run.dir.mkdir(parents=True)
            run._hold()
        run._write_started()
        return run

    @classmethod
    def find(cls, job: str, print_: str, settings: Settings) -> Run | None:
        """The newest finished run with this fingerprint whose outputs are whole, here or in the object store."""
        for path in sorted((settings.data_dir / "runs" / _name(job)).glob(f"*/{MANIFEST}"), reverse=True):
            with suppress(InputError):
                manifest = Manifest.read(read_json(path), str(path))
                if manifest.fingerprint == print_ and _whole(path.parent, manifest):
                    return cls._of(manifest, settings)
        store = Store.open(settings)
        for key in reversed(store.list(f"fingerprints/{job}/{print_}/")):
            with suppress(MissingError):
                return cls.open(key.rsplit("/", 1)[-1], settings, store)
        return None

    @classmethod
    def open(cls, run_id: str, settings: Settings, store: Store | None = None) -> Run:
        """A finished run by its id, fetched from the object store when its files are not whole here."""
        for path in (settings.data_dir / "runs").glob(f"*/{_name(run_id)}/{MANIFEST}"):
            manifest = Manifest.read(read_json(path), str(path))
            if _whole(path.parent, manifest):
                return cls._of(manifest, settings)
        store = store or Store.open(settings)
        manifest = read_manifest(run_id, settings, store)
        folder = settings.data_dir / "runs" / manifest.job / run_id
        prefix = f"runs/{manifest.job}/{run_id}/"
        for artifact in manifest.outputs:
            path = folder / artifact.name
            if artifact.private and not path.is_file():
                raise MissingError("a private output lies on the machine that made it", where=str(path), remedy=f"Run {manifest.job} again here")
            if not (path.is_file() and path.stat().st_size == artifact.bytes and sha256_file(path) == artifact.sha256):
                store.get_file(prefix + artifact.name, path, artifact.sha256)
        write_json(folder / MANIFEST, asdict(manifest))
        return cls._of(manifest, settings)

    @classmethod
    def _of(cls, manifest: Manifest, settings: Settings) -> Run:
        run = cls(settings, manifest.job, manifest.run_id, manifest.parameters, tenant=manifest.tenant,
                  seed=manifest.seed, inputs=manifest.inputs)
        run.outputs, run.manifest, run.started = list(manifest.outputs), manifest, manifest.started
        return run

    def path(self, name: str) -> Path:
        """The output called `name` of a finished run."""
        if self.manifest is None:
            raise InputError("this run has not finished", where=str(self.dir), remedy="Run the job again")
        return self.dir / self.manifest.output(name).name

    def add_input(self, path: Path | str, name: str | None = None) -> str:
        """Record a file that is read, and from which run it came; returns its sha256.

        Raises `InputError` when it lies in a run that never finished, or was changed since.
        """
        self._still_open()
        artifact = _artifact(Path(path), name, self.settings)
        if artifact not in self.inputs:
            self.inputs.append(artifact)
        return artifact.sha256

    def add_output(self, path: Path | str, name: str | None = None, private: bool = False) -> str:
        """Record a file (or all files of a folder) that was written; one from elsewhere is copied into the run.

        `name`: its path inside the run. `private`: it may hold personal data; the manifest knows its hash, the object
        store never sees it. Returns the sha256 (of a folder: of its list of files).
        """
        self._still_open()
        path = Path(path)
        if path.is_dir():
            base = path.resolve()
            inside = self._inside(base)
            names = {f: f"{name or inside or path.name}/{f.relative_to(base).as_posix()}" for f in sorted(base.rglob("*")) if f.is_file()}
            return sha256_bytes(dumps([[n, self.add_output(f, n, private)] for f, n in names.items()]))
        if not path.is_file():
            raise MissingError("no such output", where=str(path), remedy="The job did not write what it promised")
        name = check_key(name or self._inside(path.resolve()) or path.name)
        if name in {MANIFEST, _STARTED, _LOCK}:
            raise InputError("this name is the run's own", where=name)
        target = self.dir / name
        if path.resolve() != target.resolve():
            with disk_errors(target):
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, target)
        artifact = Artifact(name, sha256_file(target), target.stat().st_size, private=private)
        self.outputs = [a for a in self.outputs if a.name != name] + [artifact]
        return artifact.sha256

    def finish(self, metrics: Mapping[str, Any] | None = None) -> Manifest:
        """Store the outputs, then the manifest, then its local copy: from then on the run happened.

        Raises `InputError` when an output changed after it was added or a metric is not JSON, and what the disk or
        the store raise; the run is then still unfinished and `finish` may be called again.
        """
        self._still_open()
        manifest = Manifest(
            self.job, self.run_id, self.tenant, self.parameters, sorted(self.inputs, key=lambda a: a.name),
            sorted(self.outputs, key=lambda a: a.name), _versions(), self.seed, _plain(metrics or {}, f"{self.job} metrics"),
            self.started, _now(), _git(), self._declared,
        )
        store = Store.open(self.settings)
        for artifact in manifest.outputs:
            if artifact.private:
                if sha256_file(self.dir / artifact.name) != artifact.sha256:
                    raise InputError("changed after it was added to the run", where=str(self.dir / artifact.name),
                                     remedy="Write it first, then add it")
                continue
            if store.put_file(self.key + artifact.name, self.dir / artifact.name) != artifact.sha256:
                raise InputError("changed after it was added to the run", where=str(self.dir / artifact.name),
                                 remedy="Write it first, then add it")
        store.put_json(self.key + MANIFEST, asdict(manifest))
        store.put_json(f"fingerprints/{self.job}/{manifest.fingerprint}/{self.run_id}", {"run_id": self.run_id})
        write_json(self.dir / MANIFEST, asdict(manifest))
        self.manifest = manifest
        self._release()
        return manifest

    def __enter__(self) -> Run:
        return self

    def __exit__(self, *_: object) -> None:
        self._release()  # without a manifest it stays unfinished, free to be taken over

    def _inside(self, path: Path) -> str:
        folder = self.dir.resolve()
        return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else ""

    def _write_started(self) -> None:
        begun = {"job": self.job, "run_id": self.run_id, "tenant": self.tenant, "parameters": self.parameters,
                 "seed": self.seed, "inputs": [asdict(a) for a in self.inputs], "started": self.started,
                 "fingerprint": self._declared}
        write_json(self.dir / _STARTED, begun)

    def _hold(self) -> None:
        """Lock the folder for this process's life, so that a killed run can be told from a running one."""
        handle = (self.dir / _LOCK).open("a+b")
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            handle.close()
            raise ConflictError("the same run is under way in another process", where=str(self.dir),
                                remedy="Wait for it, or end it and start again") from None
        self._lock = handle

    def _release(self) -> None:
        if self._lock:
            self._lock.close()
            self._lock = None

    def _still_open(self) -> None:
        if self.manifest is not None:
            raise ConflictError("this run has finished and is not changed any more", where=str(self.dir),
                                remedy="Start a new run")


def fingerprint(job: str, parameters: Mapping[str, Any], inputs: Iterable[Artifact], tenant: str = "", seed: int | None = None) -> str:
    """What makes two runs the same: job, tenant, parameters, seed, and the inputs' names and hashes."""
    return sha256_bytes(dumps([job, tenant, dict(parameters), seed, sorted([a.name, a.sha256] for a in inputs)]))


def read_manifest(run_id: str, settings: Settings, store: Store | None = None) -> Manifest:
    """A manifest by run id, from here or from the object store; `MissingError` when there is none."""
    for path in (settings.data_dir / "runs").glob(f"*/{_name(run_id)}/{MANIFEST}"):
        return Manifest.read(read_json(path), str(path))
    store = store or Store.open(settings)
    for job in store.folders("runs/"):
        with suppress(MissingError):
            key = f"runs/{job}/{run_id}/{MANIFEST}"
            return Manifest.read(store.get_json(key), key)
    raise MissingError("no finished run of this id", where=run_id,
                       remedy="A run without a manifest did not finish: run its job again")


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
    """Inputs that are not, byte for byte, an output of the run they claim to come from; empty when all is well."""
    by_id = {manifest.run_id: manifest for manifest in chain}
    return [
        f"{manifest.job}/{manifest.run_id}: input {artifact.name} is no output of {artifact.from_run}"
        for manifest in by_id.values() for artifact in manifest.inputs
        if artifact.from_run and (artifact.from_run not in by_id or artifact.sha256 not in {a.sha256 for a in by_id[artifact.from_run].outputs})
    ]


def _artifacts(inputs: Iterable[Path | str] | Mapping[str, Path | str], settings: Settings) -> list[Artifact]:
    if isinstance(inputs, Mapping):
        return [_artifact(Path(path), name, settings) for name, path in inputs.items()]
    return [_artifact(Path(path), None, settings) for path in inputs]


def _artifact(path: Path, name: str | None, settings: Settings) -> Artifact:
    if not path.is_file():
        raise MissingError("no such input", where=str(path), remedy="Check the path, or run the job that writes it")
    with disk_errors(path):
        artifact = Artifact(name or path.name, sha256_file(path), path.stat().st_size)
    runs = (settings.data_dir / "runs").resolve()
    if path.resolve().is_relative_to(runs) and len(parts := path.resolve().relative_to(runs).parts) > 2:
        folder = runs / parts[0] / parts[1]
        if not (folder / MANIFEST).is_file():
            raise InputError("the run that wrote this never finished", where=str(path), remedy=f"Run {parts[0]} again")
        manifest = Manifest.read(read_json(folder / MANIFEST), str(folder / MANIFEST))
        if artifact.sha256 not in {a.sha256 for a in manifest.outputs}:
            raise InputError("changed since its run finished, or never one of its outputs", where=str(path),
                             remedy=f"Run {parts[0]} again")
        artifact.from_run = parts[1]
    return artifact


def _whole(folder: Path, manifest: Manifest) -> bool:
    """Whether every output is there with its size and hash."""
    return all(
        (path := folder / a.name).is_file() and path.stat().st_size == a.bytes and sha256_file(path) == a.sha256
        for a in manifest.outputs
    )


def _unfinished(settings: Settings, job: str) -> Iterator[Path]:
    for path in (settings.data_dir / "runs" / _name(job)).glob(f"*/{_STARTED}"):
        if not (path.parent / MANIFEST).exists():
            yield path.parent


def unfinished(settings: Settings, job: str) -> list[str]:
    """Ids of runs that have no manifest: under way or killed."""
    return sorted(folder.name for folder in _unfinished(settings, job))


def _name(text: str) -> str:
    if not text or text != Path(text).name or text.startswith(".") or any(c in text for c in "*?[]\\\0"):
        raise InputError("not a usable name", where=repr(text), remedy="Use letters, digits, '-' and '_'")
    return text


def _plain(values: Mapping[str, Any], where: str) -> dict[str, Any]:
    """As JSON would give it back; `InputError` for what JSON cannot hold (NaN, objects)."""
    try:
        return json.loads(dumps(dict(values)))
    except (TypeError, ValueError) as error:
        raise InputError(f"not representable as JSON: {error}", where=where) from None


def _new_id() -> str:
    """Sorts by time of start; the random end keeps two of the same millisecond apart."""
    now = datetime.now(UTC)
    return f"{now:%Y%m%dT%H%M%S}{now.microsecond // 1000:03d}-{secrets.token_hex(4)}"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        with suppress(PackageNotFoundError):
            found[package] = version(package)
    return found


def _git() -> str:
    folder = Path(__file__).resolve().parent
    try:
        commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=folder, capture_output=True, text=True, timeout=10)
        changed = subprocess.run(["git", "status", "--porcelain", "-uno"], cwd=folder, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return ""
    if commit.returncode:
        return ""
    return commit.stdout.strip() + ("+" if changed.stdout.strip() else "")
