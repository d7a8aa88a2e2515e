"""`astra services status|up|down`: the embedded S3 and Redis servers."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from typing import Any

from astra_lib.core.settings import load as load_settings


def add_parser(verbs: Any) -> None:
    parser = verbs.add_parser(
        "services",
        help="the embedded S3 and Redis servers",
        description="Start, stop or look at the embedded S3 (SeaweedFS) and Redis (Valkey) servers.",
    )
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    action = actions.add_parser(
        "status", help="what runs where, each asked by a real write and read; exit 0 when all answer"
    )
    action.add_argument("--json", action="store_true", help="one JSON object a line")
    action.set_defaults(run=status)
    action = actions.add_parser("up", help="start what is not configured and not running")
    action.add_argument(
        "--timeout", type=float, default=90, metavar="SECONDS", help="how long to wait for an answer (90)"
    )
    action.set_defaults(run=up)
    action = actions.add_parser("down", help="stop them; nothing stored is lost")
    action.add_argument(
        "--grace", type=float, default=25, metavar="SECONDS", help="from SIGTERM to SIGKILL (25)"
    )
    action.set_defaults(run=down)


def status(args: argparse.Namespace) -> int:
    from astra_lib.core import services

    rows = services.status(load_settings())
    for row in rows:
        if args.json:
            print(json.dumps(asdict(row)))
        else:
            pid = f"pid {row.pid}" if row.pid else ""
            print(f"{row.name:<6} {row.state:<11} {row.address or '-':<30} {pid:<12} {row.detail}")
    return 0 if all(row.state in {"running", "configured"} for row in rows) else 1


def up(args: argparse.Namespace) -> int:
    from astra_lib.core import services

    services.up(load_settings(), timeout_s=args.timeout)
    args.json = False
    if status(args):
        print(
            "astra: not every server answers. Check the ASTRA_S3_* and ASTRA_REDIS_URL of those that do not",
            file=sys.stderr,
        )
        return 2
    return 0


def down(args: argparse.Namespace) -> int:
    from astra_lib.core import services

    stopped = services.down(load_settings(), grace_s=args.grace)
    print(f"stopped: {', '.join(stopped)}" if stopped else "nothing was running")
    return 0
