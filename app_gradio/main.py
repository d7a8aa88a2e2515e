"""`astra serve`: API and page in one process, one port."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from collections.abc import Iterator
from typing import Any

from astra_lib.core.errors import ServiceError
from astra_lib.core.settings import Settings

from .auth import Tokens
from .service import Service


def application(settings: Settings, service: Service | None = None) -> tuple[Any, Service]:
    """The ASGI application and the service inside it."""
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
    from . import api, ui

    service = service or Service.open(settings)
    tokens = Tokens.open(settings)
    return ui.mount(api.build(service, tokens), service, tokens), service


def listen(settings: Settings) -> socket.socket:
    """The listening socket, taken before the model is loaded so that a taken port is reported at once."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((settings.serve.host, settings.serve.port))
    except (OSError, OverflowError) as error:  # OverflowError: a port past 65535
        sock.close()
        raise ServiceError(
            f"cannot listen: {getattr(error, 'strerror', None) or error}",
            where=f"{settings.serve.host}:{settings.serve.port}",
            remedy="Stop what uses the port, or set ASTRA_SERVE_PORT (0: any free one)",
        ) from None
    return sock


def serve(settings: Settings) -> None:
    """Run until SIGTERM or Ctrl-C; what was admitted is answered before the end."""
    import uvicorn

    sock = listen(settings)
    app, service = application(settings)
    host, port = sock.getsockname()[:2]
    print(f"ASTRA: http://{host}:{port}/ui (page)  http://{host}:{port}/docs (API)", flush=True)
    try:
        uvicorn.Server(uvicorn.Config(app, log_level="warning")).run(sockets=[sock])
    finally:
        service.close()


@contextlib.contextmanager
def running(settings: Settings, service: Service) -> Iterator[str]:
    """The same application on a free port in a thread: the base URL; for the demo and the tests."""
    import uvicorn

    app, _ = application(settings, service)
    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]}, daemon=True)
    thread.start()
    try:
        while not server.started:
            if not thread.is_alive():
                raise ServiceError("the application did not start")
            thread.join(0.05)
        yield f"http://127.0.0.1:{sock.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(timeout=20)
