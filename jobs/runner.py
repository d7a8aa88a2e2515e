"""Run a job's notebook with checked parameters: `astra run JOB -p k=v`.

papermill guesses types from strings (`007` becomes 7) and only warns of unknown parameters. Here the
notebook's own
`parameters` cell is the contract: names must exist, values must be of the declared type. The executed
notebook and its HTML page land in the run's folder, also when the job fails.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from astra_lib.core import settings as settings_module
from astra_lib.core.errors import AstraError, InputError, MissingError
from astra_lib.core.launcher import die_with_parent
from astra_lib.core.manifest import MANIFEST, artifacts, fingerprint, runs_folder
from astra_lib.core.records import atomic_write, read_json
from astra_lib.core.run import Run
from astra_lib.core.settings import Settings

HERE = Path(__file__).resolve().parent
TYPES = {"str": str, "int": int, "float": float, "bool": bool}


class JobError(AstraError, RuntimeError):
    """A job's notebook stopped; the message is the error's own line."""

    def __init__(
        self, what: str, *, where: str | None = None, remedy: str | None = None, exit_code: int = 2
    ) -> None:
        super().__init__(what, where=where, remedy=remedy)
        self.exit_code = exit_code


@dataclass(frozen=True)
class Executed:
    """`manifest`: what the run left; `report`: the page a reviewer opens."""

    run_id: str
    folder: Path
    manifest: dict[str, Any]
    report: Path
    reused: bool = False


def names() -> list[str]:
    return sorted(p.stem for p in HERE.glob("*.ipynb"))


def contract(job: str) -> dict[str, tuple[type, Any]]:
    """`{parameter: (type, default)}` as the notebook declares them."""
    import ast

    import papermill

    path = HERE / f"{job}.ipynb"
    if not path.is_file():
        raise MissingError(f"no job {job!r}", remedy=f"Jobs: {', '.join(names())}")
    found = {}
    for name, row in papermill.inspect_notebook(str(path)).items():
        kind = TYPES.get(row["inferred_type_name"])
        if kind is None:
            raise InputError(f"parameter {name!r} has no type", where=str(path))
        found[name] = (kind, ast.literal_eval(row["default"]))
    return found


def parse(job: str, pairs: list[str]) -> dict[str, Any]:
    """`["k=v"]` to typed values; unknown names and wrong types raise `InputError`."""
    declared, given = contract(job), {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals or name not in declared:
            raise InputError(
                f"unknown parameter {name!r}", where=f"job {job}", remedy=f"Known: {', '.join(declared)}"
            )
        given[name] = _typed(text, declared[name][0], f"job {job}, parameter {name}")
    return given


def _typed(text: str, kind: type, where: str) -> Any:
    from astra_lib.core.settings import cast

    return cast(text, kind, where)


def execute(
    job: str,
    parameters: dict[str, Any],
    settings: Settings,
    progress: bool | None = None,
    again: bool = False,
) -> Executed:
    """Execute the notebook and return its finished run; raises the job's own error as one line.

    A finished run with the same parameters, inputs and code is returned as it is, unless `again`."""
    if not again and (found := already(job, parameters, settings)):
        return Executed(
            found.run_id, found.dir, read_json(found.dir / MANIFEST), found.dir / "report.html", True
        )
    import papermill

    declared = contract(job)
    for name, value in parameters.items():
        if name not in declared or not isinstance(value, declared[name][0]):
            raise InputError(f"parameter {name!r} = {value!r} does not fit", where=f"job {job}")
    folder = settings.data_dir / "notebooks"
    folder.mkdir(parents=True, exist_ok=True)
    pointer = folder / f"{job}.{os.getpid()}.json"
    output = folder / f"{job}.{os.getpid()}.ipynb"
    pointer.unlink(missing_ok=True)
    os.environ["ASTRA_JOB_POINTER"] = str(pointer)
    os.environ["IPYTHONDIR"] = str(quiet_kernel(folder / "ipython"))
    failure: Exception | None = None
    try:
        papermill.execute_notebook(
            str(HERE / f"{job}.ipynb"),
            str(output),
            parameters=parameters,
            cwd=str(HERE.parent),
            kernel_name="python3",
            progress_bar=sys.stderr.isatty() if progress is None else progress,
            log_output=False,
        )
    except papermill.PapermillExecutionError as error:
        failure = error
    finally:
        os.environ.pop("ASTRA_JOB_POINTER", None)
    run = read_json(pointer) if pointer.is_file() else None
    pointer.unlink(missing_ok=True)
    target = Path(run["folder"]) if run else folder
    notebook, page = target / f"{job}.notebook.ipynb", target / f"{job}.notebook.html"
    if output.is_file():
        output.replace(notebook)
        atomic_write(page, to_html(notebook))
    if failure is not None:
        raise as_error(failure, job, page)
    if run is None:
        raise JobError("the notebook ended without a run", where=f"job {job}")
    return Executed(run["run_id"], target, read_json(target / MANIFEST), target / "report.html")


def quiet_kernel(folder: Path) -> Path:
    """A kernel configuration of the jobs' own, without the note on transport encryption at each start."""
    config = folder / "profile_default" / "ipython_kernel_config.py"
    if not config.is_file():
        atomic_write(config, "get_config().IPKernelApp.log_level = 40\n")
    return folder


def to_html(notebook: Path) -> str:
    """The executed notebook as a page, code folded away."""
    from nbconvert import HTMLExporter

    exporter = HTMLExporter(exclude_input=True, exclude_input_prompt=True, exclude_output_prompt=True)
    return exporter.from_filename(str(notebook))[0]


def as_error(failure: Any, job: str, page: Path) -> JobError:
    """The error inside the notebook as one line; gates keep their exit code 3."""
    from astra_lib.core import errors

    kind = getattr(errors, getattr(failure, "ename", ""), None)
    code = kind.exit_code if kind else 2
    value = str(getattr(failure, "evalue", failure)).splitlines()
    return JobError(
        value[0] if value else type(failure).__name__,
        where=f"job {job}",
        remedy=f"The run so far: {page}",
        exit_code=code,
    )


def declare(
    job: str, parameters: dict[str, Any], settings: Settings
) -> tuple[dict[str, Any], dict[str, Path]]:
    """`(parameters, inputs)` that make two runs the same: defaults filled in, the newest run named."""
    module = importlib.import_module(f"jobs.{job}")
    defaults = {name: default for name, (_, default) in contract(job).items()}
    return module.declare({**defaults, **parameters}, settings)


def begin(job: str, **parameters: Any) -> Run:
    """Called first inside a job's notebook: its run, taken over from a killed one where there is one."""
    pointer = os.environ.get("ASTRA_JOB_POINTER")
    if pointer:
        die_with_parent()  # the notebook's kernel must not outlive whoever runs the job
    settings = settings_module.load()
    declared, inputs = declare(job, parameters, settings)
    run = Run.resume_or_start(
        job, declared, settings, tenant=declared["tenant"], seed=settings.train.seed, inputs=inputs
    )
    if run.finished:  # asked for again by hand
        run = Run.start(
            job, declared, settings, tenant=declared["tenant"], seed=settings.train.seed, inputs=inputs
        )
    if pointer:
        atomic_write(pointer, json.dumps({"run_id": run.run_id, "folder": str(run.dir)}))
    return run


def already(job: str, parameters: dict[str, Any], settings: Settings) -> Run | None:
    """The finished run with the same parameters, inputs and code, if there is one."""
    declared, inputs = declare(job, parameters, settings)
    return Run.find(
        job,
        fingerprint(job, declared, artifacts(inputs, settings), declared["tenant"], settings.train.seed),
        settings,
    )


def newest(job: str, tenant: str, settings: Settings) -> str:
    """The run id of a tenant's newest finished run of `job`."""
    folder = runs_folder(settings) / job
    for path in sorted(folder.glob(f"*/{MANIFEST}"), reverse=True):
        if read_json(path)["tenant"] == tenant:
            return path.parent.name
    raise MissingError(
        f"no finished {job} run of {tenant}", where=str(folder), remedy=f"astra run {job} -p tenant={tenant}"
    )
