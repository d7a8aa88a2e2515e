"""`astra run JOB -p k=v` and `astra learn`: one stage, or one turn of the whole loop."""

from __future__ import annotations

import argparse
from typing import Any

from astra_lib.core.settings import load as load_settings


def add_parser(verbs: Any) -> None:
    p = verbs.add_parser("run", help="one job: mine, dataset, train, judge, promote")
    p.add_argument("job")
    p.add_argument("-p", "--parameter", action="append", default=[], metavar="k=v")
    p.add_argument(
        "--again", action="store_true", help="run even if a finished run with the same inputs exists"
    )
    p.set_defaults(run=run)

    p = verbs.add_parser("learn", help="one turn of the loop: mine, dataset, train, judge, promote")
    p.add_argument("--tenant", default="manantial")
    p.add_argument(
        "--source", default="samples/manantial/sessions", help="folder with one folder per session"
    )
    p.add_argument("--roster", default="samples/manantial/roster.json")
    p.set_defaults(run=learn)


def run(args: argparse.Namespace) -> int:
    from jobs import runner

    settings = load_settings()
    made = runner.execute(args.job, runner.parse(args.job, args.parameter), settings, again=args.again)
    reused = " (finished before, reused)" if made.reused else ""
    print(f"{args.job} {made.run_id}{reused} -> {made.report}")
    return 0


def learn(args: argparse.Namespace) -> int:
    """Exit 3 when the Judge does not promote."""
    from jobs import runner

    settings = load_settings()
    steps = {"mine": {"source": args.source}, "dataset": {"roster": args.roster}, "train": {}, "judge": {}}
    for job, parameters in steps.items():
        made = runner.execute(job, {"tenant": args.tenant, **parameters}, settings)
        print(f"{job:8} {made.run_id}{' (reused)' if made.reused else ''} -> {made.report}", flush=True)
    judged = made.manifest["metrics"]
    if judged["verdict"] != "PROMOTED":
        print(f"{judged['verdict']}: {'; '.join(judged['reasons'])}")
        return 3
    made = runner.execute("promote", {"tenant": args.tenant, "judge_run": made.run_id}, settings)
    print(f"promote  {made.run_id} -> generation {made.manifest['metrics']['generation']}")
    return 0
