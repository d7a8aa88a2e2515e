"""`astra train submit|status|cancel|list`: trainings on RunPod, or on the local control plane."""

from __future__ import annotations

import argparse
import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from astra_lib.core.settings import load as load_settings


def add_parser(verbs: Any) -> None:
    parser = verbs.add_parser(
        "train",
        help="train an adapter on RunPod",
        description="Train an adapter on RunPod, or on its local control plane.",
    )
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    action = actions.add_parser("submit", help="queue a training on a finished dataset run and follow it")
    action.add_argument("dataset", help="the dataset run's id, or its folder")
    action.add_argument("--tenant", required=True)
    action.add_argument("--epochs", type=float)
    action.add_argument("--learning-rate", type=float)
    action.add_argument("--no-follow", action="store_true", help="return once it is queued")
    action.add_argument("--out", metavar="DIR", help="put adapter.zip and result.json here")
    action.set_defaults(run=submit)
    action = actions.add_parser("status", help="one job, brought up to date")
    action.add_argument("job_id")
    action.set_defaults(run=status)
    action = actions.add_parser("cancel", help="stop a job; its worker is killed")
    action.add_argument("job_id")
    action.set_defaults(run=cancel)
    action = actions.add_parser("list", help="all jobs, newest first; those past their limit are cancelled")
    action.add_argument("--tenant")
    action.set_defaults(run=list_jobs)
    action = actions.add_parser("down", help="stop the local control plane and its worker")
    action.set_defaults(run=down)


def submit(args: argparse.Namespace) -> int:
    from trainer import jobs

    settings = load_settings()
    overrides = {"epochs": args.epochs, "learning_rate": args.learning_rate}
    chosen = {name: value for name, value in overrides.items() if value is not None}
    submit_it = jobs.submit if Path(args.dataset).is_dir() else jobs.submit_run
    job = submit_it(args.dataset, args.tenant, settings, **chosen)
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
    return _show(job)


def status(args: argparse.Namespace) -> int:
    from trainer import jobs

    return _show(jobs.status(args.job_id, load_settings()))


def cancel(args: argparse.Namespace) -> int:
    from trainer import jobs

    job = jobs.cancel(args.job_id, load_settings())
    print(f"{job.job_id}: {job.state}")
    return 0 if job.state == "CANCELLED" else 3


def list_jobs(args: argparse.Namespace) -> int:
    from trainer import jobs

    settings = load_settings()
    found = jobs.list_jobs(settings, args.tenant)
    if any(not job.final for job in found):
        jobs.sweep(settings)
        found = jobs.list_jobs(settings, args.tenant)
    for job in found:
        when = datetime.fromtimestamp(job.created, UTC).strftime("%Y-%m-%d %H:%M")
        print(f"{job.job_id:<40} {when}  {job.state:<11} {job.error or ''}".rstrip())
    return 0


def down(args: argparse.Namespace) -> int:
    from trainer import control_plane

    stopped = control_plane.down(load_settings())
    print("stopped: the training control plane" if stopped else "nothing was running")
    return 0


def _show(job: Any) -> int:
    """Print a job as JSON; exit 3 when it ended without an adapter."""
    from trainer import jobs

    print(json.dumps(jobs.to_public(job), indent=2, sort_keys=True))
    return 3 if job.state in ("FAILED", "CANCELLED", "LOST") else 0
