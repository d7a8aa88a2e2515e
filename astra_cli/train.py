"""`astra train submit|status|cancel|list`: trainings on RunPod, or on the local control plane."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "train",
        help="train an adapter on RunPod",
        description="Train an adapter on RunPod, or on its local control plane.",
    )
    verbs = parser.add_subparsers(dest="verb", required=True)
    verb = verbs.add_parser("submit", help="queue a training on a finished dataset run and follow it")
    verb.add_argument("dataset", help="the dataset run's id, or its folder")
    verb.add_argument("--tenant", required=True)
    verb.add_argument("--epochs", type=float)
    verb.add_argument("--learning-rate", type=float)
    verb.add_argument("--no-follow", action="store_true", help="return once it is queued")
    verb.add_argument("--out", metavar="DIR", help="put adapter.zip and result.json here")
    verb.set_defaults(run=submit)
    verb = verbs.add_parser("status", help="one job, brought up to date")
    verb.add_argument("job_id")
    verb.set_defaults(run=status)
    verb = verbs.add_parser("cancel", help="stop a job; its worker is killed")
    verb.add_argument("job_id")
    verb.set_defaults(run=cancel)
    verb = verbs.add_parser("list", help="all jobs, newest first; those past their limit are cancelled")
    verb.add_argument("--tenant")
    verb.set_defaults(run=list_jobs)
    verb = verbs.add_parser("down", help="stop the local control plane and its worker")
    verb.set_defaults(run=down)


def submit(args: argparse.Namespace) -> int:
    from pathlib import Path

    from astra_lib.core import settings as settings_module
    from trainer import jobs

    settings = settings_module.load()
    chosen = {
        name: value
        for name, value in (("epochs", args.epochs), ("learning_rate", args.learning_rate))
        if value is not None
    }
    if Path(args.dataset).is_dir():
        job = jobs.submit(args.dataset, args.tenant, settings, **chosen)
    else:
        job = jobs.submit_run(args.dataset, args.tenant, settings, **chosen)
    print(f"job {job.job_id}: {job.state}", file=sys.stderr)
    if args.no_follow:
        return 0
    try:
        job = jobs.follow(job, settings)
    except KeyboardInterrupt:
        print(f"\nThe job goes on. Stop it with: astra train cancel {job.job_id}", file=sys.stderr)
        raise
    if args.out and job.state == "SUCCEEDED":
        jobs.fetch(job, args.out, settings)
    return _print(job)


def status(args: argparse.Namespace) -> int:
    from astra_lib.core import settings as settings_module
    from trainer import jobs

    return _print(jobs.status(args.job_id, settings_module.load()))


def cancel(args: argparse.Namespace) -> int:
    from astra_lib.core import settings as settings_module
    from trainer import jobs

    job = jobs.cancel(args.job_id, settings_module.load())
    print(f"{job.job_id}: {job.state}")
    return 0 if job.state == "CANCELLED" else 3


def list_jobs(args: argparse.Namespace) -> int:
    from datetime import UTC, datetime

    from astra_lib.core import settings as settings_module
    from trainer import jobs

    settings = settings_module.load()
    found = jobs.list_jobs(settings, args.tenant)
    if any(not job.final for job in found):
        jobs.sweep(settings)
        found = jobs.list_jobs(settings, args.tenant)
    for job in found:
        when = datetime.fromtimestamp(job.created, UTC).strftime("%Y-%m-%d %H:%M")
        print(f"{job.job_id:<40} {when}  {job.state:<11} {job.error or ''}".rstrip())
    return 0


def down(args: argparse.Namespace) -> int:
    from astra_lib.core import settings as settings_module
    from trainer import control_plane

    print(
        "stopped: the training control plane"
        if control_plane.down(settings_module.load())
        else "nothing was running"
    )
    return 0


def _print(job: Any) -> int:
    from trainer import jobs

    print(json.dumps(jobs.to_public(job), indent=2, sort_keys=True))
    return 3 if job.state in ("FAILED", "CANCELLED", "LOST") else 0
