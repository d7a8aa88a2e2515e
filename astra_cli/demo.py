"""`astra demo`: the whole loop on the sample council."""

from __future__ import annotations

import argparse
from typing import Any

from astra_lib.core.settings import Settings
from astra_lib.core.settings import load as load_settings


def add_parser(verbs: Any) -> None:
    p = verbs.add_parser("demo", help="the whole loop on the sample council, for real")
    p.set_defaults(run=run)


def run(_: argparse.Namespace) -> int:
    from jobs import demo

    settings = load_settings()
    try:
        demo.run(settings)
    finally:
        stop(settings)
    return 0


def stop(settings: Settings) -> None:
    """Nothing is left running: no worker, no control plane, no server."""
    from astra_lib.core import services
    from trainer import control_plane

    control_plane.down(settings)
    services.down(settings)
