"""`astra judge | promote | rollback | models`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from astra_lib.core.settings import load as load_settings


def add_parser(verbs: Any) -> None:
    p = verbs.add_parser("judge", help="candidate against incumbent or base; exit 0 promoted, 3 not")
    p.add_argument("--val", required=True, help="val.jsonl")
    p.add_argument("--candidate", help="adapter zip")
    p.add_argument("--incumbent", help="adapter zip")
    p.add_argument("--predictions", help="instead of an adapter: JSONL rows {id, output}")
    p.add_argument("--incumbent-predictions")
    p.add_argument("--out", required=True)
    p.set_defaults(run=judge)

    p = verbs.add_parser("promote", help="put a judged adapter into service")
    p.add_argument("--tenant", required=True)
    p.add_argument("--judge-run", required=True, help="run id of the judge job that said PROMOTED")
    p.set_defaults(run=promote)

    p = verbs.add_parser("rollback", help="put the adapter before the current one back into service")
    p.add_argument("--tenant", required=True)
    p.set_defaults(run=rollback)

    p = verbs.add_parser("models", help="what is in service, and its history")
    p.add_argument("--tenant")
    p.set_defaults(run=models)


def judge(args: argparse.Namespace) -> int:
    from astra_lib.core.errors import InputError
    from astra_lib.core.records import Example, read_jsonl
    from astra_lib.judge import read_predictions
    from jobs.judge import decide, hear

    if bool(args.candidate) == bool(args.predictions):
        raise InputError("give --candidate or --predictions, one of them")
    settings = load_settings()
    rows = read_jsonl(args.val, Example)
    if args.candidate:
        from app_gradio.engine import Engine
        from astra_lib.core.base_model import ensure_base

        engine = Engine.load(ensure_base(settings), settings.model.revision)
        made = hear(rows, args.candidate, args.out, settings, engine, args.incumbent)
    else:
        outputs = {"candidate": read_predictions(args.predictions)}
        if args.incumbent_predictions:
            outputs["incumbent"] = read_predictions(args.incumbent_predictions)
        made = decide(rows, outputs, args.out, settings, {})
    print(f"{made.verdict.verdict}: {'; '.join(made.verdict.reasons)} -> {Path(args.out) / 'judge.html'}")
    return 0 if made.verdict.verdict == "PROMOTED" else 3


def promote(args: argparse.Namespace) -> int:
    from jobs.promote import promote_run

    made = promote_run(args.tenant, args.judge_run, load_settings())
    print(f"{made.tenant}: {made.adapter.id} is generation {made.generation}")
    return 0


def rollback(args: argparse.Namespace) -> int:
    from astra_lib.core.registry import Registry

    made = Registry.open(load_settings()).rollback(args.tenant)
    print(f"{made.tenant}: back to {made.adapter.id}, generation {made.generation}")
    return 0


def models(args: argparse.Namespace) -> int:
    from astra_lib.core.registry import Registry

    registry = Registry.open(load_settings())
    for tenant in [args.tenant] if args.tenant else registry.tenants():
        current = registry.current(tenant)
        if current:
            print(f"{tenant}: {current.adapter.id} generation {current.generation} since {current.time}")
        else:
            print(f"{tenant}: nothing in service")
        for old in registry.history(tenant):
            print(f"  {old.generation:>4}  {old.time}  {old.adapter.id}  {old.by}")
    return 0
