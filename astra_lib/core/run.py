"""Runs: a job's folder from its start to its manifest; reused when nothing changed, taken over when killed.

Outputs go to the object store first, the manifest after them and its local copy last. A run with the same
job, tenant, parameters, seed and input hashes as a finished one need not happen again; one that was killed is
recognised by its missing manifest and its free lock, and gone on with in its own folder.
"""

from __future__ import annotations

import fcntl
import json
import platform
import secrets
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, BinaryIO

from .errors import ConflictError, InputError, MissingError, disk_errors
from .manifest import (
    MANIFEST,
    Artifact,
    Manifest,
    all_whole,
    artifact_of,
    artifacts,
    check_name,
    fingerprint,
    is_whole,
    read_manifest,
    run_folder,
    run_key,
    runs_folder,
)
from .records import dumps, read_json, sha256_bytes, sha256_file, write_json
from .settings import Settings
from .store import Store, check_key

_STARTED = "run.json"  # written first: parameters and fingerprint of a run that may never finish
_LOCK = ".running"
_PACKAGES = ("astra", "torch", "transformers", "peft", "trl", "datasets", "faster-whisper", "numpy")


class Run:
    """One run of a job, open from `start` to `finish`; after that `manifest` is set and nothing changes."""

    def __init__(
        self,
        settings: Settings,
        job: str,
        run_id: str,
        parameters: dict[str, Any],
        *,
        tenant: str = "",
        seed: int | None = None,
        inputs: list[Artifact] | None = None,
    ) -> None:
        self.settings, self.job, self.run_id, self.tenant = settings, check_name(job), run_id, tenant
        self.parameters, self.seed = parameters, seed
        self.inputs, self.outputs = list(inputs or []), list[Artifact]()
        self.manifest: Manifest | None = None
        self.resumed = False
        self.started = _now()
        self._declared = fingerprint(job, parameters, self.inputs, tenant, seed)
        self._lock: BinaryIO | None = None

    @property
    def dir(self) -> Path:
        return run_folder(self.job, self.run_id, self.settings)

    @property
    def key(self) -> str:
        """Where it lies in the object store, with a slash at the end."""
        return run_key(self.job, self.run_id)

    @property
    def finished(self) -> bool:
        return self.manifest is not None

    @classmethod
    def start(
        cls,
        job: str,
        parameters: Mapping[str, Any],
        settings: Settings,
        *,
        tenant: str = "",
        seed: int | None = None,
        inputs: Iterable[Path | str] | Mapping[str, Path | str] = (),
    ) -> Run:
        """A new run. `inputs` named here belong to its fingerprint; `add_input` may add more later."""
        return cls._begin(job, parameters, settings, tenant, seed, artifacts(inputs, settings))

    @classmethod
    def resume_or_start(
        cls,
        job: str,
        parameters: Mapping[str, Any],
        settings: Settings,
        *,
        tenant: str = "",
        seed: int | None = None,
        inputs: Iterable[Path | str] | Mapping[str, Path | str] = (),
    ) -> Run:
        """The finished run of the same job, parameters and inputs; else the killed one; else a new one.

        Look at `.finished` first, then at `.resumed`. Raises `ConflictError` while the same run is under way
        elsewhere.
        """
        read = artifacts(inputs, settings)
        wanted = fingerprint(job, _plain(parameters, job), read, tenant, seed)
        if found := cls.find(job, wanted, settings):
            return found
        for folder in sorted(_unfinished(settings, job), reverse=True):
            with suppress(InputError, MissingError):  # one killed before its first file was whole
                begun = read_json(folder / _STARTED)
                if begun["fingerprint"] != wanted:
                    continue
                run = cls(
                    settings, job, folder.name, _plain(parameters, job), tenant=tenant, seed=seed, inputs=read
                )
                run._hold()
                if (run.dir / MANIFEST).exists():  # it finished while we looked
                    run._release()
                    return cls.open(run.run_id, settings)
                run.started, run.resumed = begun["started"], True
                return run
        return cls._begin(job, parameters, settings, tenant, seed, read)

    @classmethod
    def _begin(
        cls,
        job: str,
        parameters: Mapping[str, Any],
        settings: Settings,
        tenant: str,
        seed: int | None,
        inputs: list[Artifact],
    ) -> Run:
        run = cls(settings, job, _new_id(), _plain(parameters, job), tenant=tenant, seed=seed, inputs=inputs)
        with disk_errors(run.dir):
            run.dir.mkdir(parents=True)
            run._hold()
        run._write_started()
        return run

    @classmethod
    def find(cls, job: str, wanted: str, settings: Settings) -> Run | None:
        """The newest finished run of this fingerprint with whole outputs, here or in the object store."""
        for path in sorted((runs_folder(settings) / check_name(job)).glob(f"*/{MANIFEST}"), reverse=True):
            with suppress(InputError):
                manifest = Manifest.read(read_json(path), str(path))
                if manifest.fingerprint == wanted and all_whole(path.parent, manifest):
                    return cls._of(manifest, settings)
        store = Store.open(settings)
        # private outputs are not there, so a run that has some is found only where it was made
        for key in reversed(store.list(f"fingerprints/{job}/{wanted}/")):
            with suppress(MissingError):
                return cls.open(key.rsplit("/", 1)[-1], settings, store)
        return None

    @classmethod
    def open(cls, run_id: str, settings: Settings, store: Store | None = None) -> Run:
        """A finished run by its id, fetched from the object store when its files are not whole here."""
        manifest = read_manifest(run_id, settings, store)
        folder = run_folder(manifest.job, run_id, settings)
        for artifact in manifest.outputs:
            path = folder / artifact.name
            if is_whole(path, artifact):
                continue
            if artifact.private:
                raise MissingError(
                    "a private output lies only on the machine that made it, and is gone or changed here",
                    where=str(path),
                    remedy=f"Run {manifest.job} again here",
                )
            store = store or Store.open(settings)
            store.get_file(run_key(manifest.job, run_id) + artifact.name, path, artifact.sha256)
        with suppress(InputError, MissingError):
            if read_json(folder / MANIFEST) == asdict(manifest):
                return cls._of(manifest, settings)
        write_json(folder / MANIFEST, asdict(manifest))
        return cls._of(manifest, settings)

    @classmethod
    def _of(cls, manifest: Manifest, settings: Settings) -> Run:
        run = cls(
            settings,
            manifest.job,
            manifest.run_id,
            manifest.parameters,
            tenant=manifest.tenant,
            seed=manifest.seed,
            inputs=manifest.inputs,
        )
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
        artifact = artifact_of(Path(path), name, self.settings)
        if artifact not in self.inputs:
            self.inputs.append(artifact)
        return artifact.sha256

    def add_output(self, path: Path | str, name: str | None = None, private: bool = False) -> str:
        """Record a written file, or all files of a folder; one from elsewhere is copied into the run.

        `name`: its path inside the run. `private`: it may hold personal data; the manifest knows its hash,
        the object store never sees it. Returns the sha256 (of a folder: of its list of files).
        """
        self._still_open()
        path = Path(path)
        if path.is_dir():
            base = path.resolve()
            inside = self._inside(base)
            names = {
                f: f"{name or inside or path.name}/{f.relative_to(base).as_posix()}"
                for f in sorted(base.rglob("*"))
                if f.is_file()
            }
            return sha256_bytes(dumps([[n, self.add_output(f, n, private)] for f, n in names.items()]))
        if not path.is_file():
            raise MissingError(
                "no such output", where=str(path), remedy="The job did not write what it promised"
            )
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

        Raises `InputError` when an output changed after it was added or a metric is not JSON, and what the
        disk or the store raise; the run is then still unfinished and `finish` may be called again.
        """
        self._still_open()
        manifest = Manifest(
            self.job,
            self.run_id,
            self.tenant,
            self.parameters,
            sorted(self.inputs, key=lambda a: a.name),
            sorted(self.outputs, key=lambda a: a.name),
            _versions(),
            self.seed,
            _plain(metrics or {}, f"{self.job} metrics"),
            self.started,
            _now(),
            _git(),
            self._declared,
        )
        store = Store.open(self.settings)
        for artifact in manifest.outputs:
            path = self.dir / artifact.name
            stored = sha256_file(path) if artifact.private else store.put_file(self.key + artifact.name, path)
            if stored != artifact.sha256:
                raise InputError(
                    "changed after it was added to the run",
                    where=str(path),
                    remedy="Write it first, then add it",
                )
        store.put_json(self.key + MANIFEST, asdict(manifest))
        store.put_json(
            f"fingerprints/{self.job}/{manifest.fingerprint}/{self.run_id}", {"run_id": self.run_id}
        )
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
        begun = {
            "job": self.job,
            "run_id": self.run_id,
            "tenant": self.tenant,
            "parameters": self.parameters,
            "seed": self.seed,
            "inputs": [asdict(a) for a in self.inputs],
            "started": self.started,
            "fingerprint": self._declared,
        }
        write_json(self.dir / _STARTED, begun)

    def _hold(self) -> None:
        """Lock the folder for this process's life, so that a killed run can be told from a running one."""
        handle = (self.dir / _LOCK).open("a+b")
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            handle.close()
            raise ConflictError(
                "the same run is under way in another process",
                where=str(self.dir),
                remedy="Wait for it, or end it and start again",
            ) from None
        self._lock = handle

    def _release(self) -> None:
        if self._lock:
            self._lock.close()
            self._lock = None

    def _still_open(self) -> None:
        if self.manifest is not None:
            raise ConflictError(
                "this run has finished and is not changed any more",
                where=str(self.dir),
                remedy="Start a new run",
            )


def _unfinished(settings: Settings, job: str) -> Iterator[Path]:
    for path in (runs_folder(settings) / check_name(job)).glob(f"*/{_STARTED}"):
        if not (path.parent / MANIFEST).exists():
            yield path.parent


def unfinished(settings: Settings, job: str) -> list[str]:
    """Ids of runs that have no manifest: under way or killed."""
    return sorted(folder.name for folder in _unfinished(settings, job))


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
    # without the optional lock: `status` would rewrite the checkout's index, and leave it locked when killed
    git = ["git", "--no-optional-locks", "-C", str(folder)]
    try:
        commit = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True, timeout=10)
        changed = subprocess.run(
            [*git, "status", "--porcelain", "-uno"], capture_output=True, text=True, timeout=10
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    if commit.returncode:
        return ""
    return commit.stdout.strip() + ("+" if changed.stdout.strip() else "")
