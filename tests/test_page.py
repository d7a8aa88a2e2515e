"""The reviewer's page in a real browser: token in, before and after out, faults in plain Spanish."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import subprocess
from base64 import b64decode
from pathlib import Path
from typing import Any

import httpx
import pytest

from app_gradio.ui import reviewer_message, span
from astra_lib.core.errors import GateError, InputError, MissingError, ServiceError

from .test_api import LIGHT, WRITTEN, World
from .test_api import world as world  # the same running application
from .waiting import HANG_S, wait_for

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
needs_browser = pytest.mark.skipif(not CHROMIUM, reason="no chromium here")


class Browser:
    """One page of a headless Chromium, spoken to over its own debugging protocol."""

    def __init__(self, folder: Path) -> None:
        import websocket

        self.process = subprocess.Popen(
            [
                str(CHROMIUM),
                "--headless=new",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--lang=es",
                "--window-size=1280,1250",
                f"--user-data-dir={folder}",
                "--remote-debugging-port=0",
                "--remote-allow-origins=*",
                "about:blank",
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        port_file = folder / "DevToolsActivePort"
        port = wait_for(lambda: port_file.is_file() and port_file.read_text().split()[:1])[0]
        targets = f"http://127.0.0.1:{port}/json"
        page = wait_for(
            lambda: [t for t in httpx.get(targets, timeout=HANG_S).json() if t["type"] == "page"]
        )[0]
        self.socket = websocket.create_connection(page["webSocketDebuggerUrl"], timeout=HANG_S)
        self.numbers = itertools.count(1)

    def send(self, method: str, **parameters: Any) -> dict[str, Any]:
        number = next(self.numbers)
        self.socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        answer: dict[str, Any] = {}
        while answer.get("id") != number:  # events of the page come in between
            answer = json.loads(self.socket.recv())
        return answer["result"]

    def run(self, script: str) -> Any:
        return self.send("Runtime.evaluate", expression=script, returnByValue=True)["result"].get("value")

    def until(self, reached: Any) -> None:
        try:
            wait_for(reached)
        except AssertionError as error:
            raise AssertionError(f"{error}; the page shows: {self.text()}") from error

    def text(self) -> str:
        return str(self.run("document.body.innerText"))

    def fill(self, where: str, text: str) -> None:
        """As if typed: the page's own listeners hear it."""
        self.run(f"(() => {{ const e = document.querySelector('{where}'); e.focus(); e.select(); }})()")
        self.send("Input.insertText", text=text)

    def value(self, where: str) -> str:
        return str(self.run(f"document.querySelector('{where}')?.value ?? ''"))

    def shot(self, path: Path) -> None:
        path.write_bytes(b64decode(self.send("Page.captureScreenshot", format="png")["data"]))

    def close(self) -> None:
        self.socket.close()
        self.process.terminate()
        self.process.wait(timeout=HANG_S)


@pytest.fixture
def browser(tmp_path: Path):
    made = Browser(tmp_path / "chromium")
    yield made
    made.close()


def shots(tmp_path: Path) -> Path:
    folder = Path(os.environ.get("ASTRA_TEST_SHOTS") or tmp_path)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.mark.slow
@needs_browser
def test_a_reviewer_sees_before_and_after_with_seconds_and_confidence(
    world: World, browser: Browser, tmp_path: Path
) -> None:
    world.serve(world.zips[0])
    browser.send("Page.navigate", url=f"{world.url}/ui/")
    browser.until(lambda: browser.run("!!document.querySelector('#go')"))
    browser.run("document.querySelector('#go').click()")
    browser.until(lambda: "El token falta o no es válido" in browser.text())
    browser.shot(shots(tmp_path) / "no-token.png")
    browser.fill("#token input", world.tokens["uno:reviewer"])
    browser.fill("#speech textarea", LIGHT)
    browser.run("document.querySelector('#go').click()")
    browser.until(lambda: browser.value("#after textarea") == WRITTEN)
    browser.until(lambda: "uno-" in browser.text())
    shown = browser.text()
    browser.shot(shots(tmp_path) / "before-after.png")
    assert browser.value("#before textarea") not in ("", WRITTEN)
    assert "0:00:00,0 – 0:00:20,0" in shown and " %" in shown and "generación" in shown
    html = browser.run('document.documentElement.outerHTML.replace(/value="[^"]*"/g, \'\')')
    assert world.tokens["uno:reviewer"] not in html
    browser.fill("#speech textarea", "")
    browser.send("Input.dispatchKeyEvent", type="keyDown", key="Backspace", windowsVirtualKeyCode=8)
    browser.fill("#token input", world.tokens["dos:reviewer"])
    browser.fill("#speech textarea", LIGHT)
    browser.run("document.querySelector('#go').click()")
    browser.until(lambda: "todavía no tiene un adaptador" in browser.text())
    browser.shot(shots(tmp_path) / "no-adapter.png")
    assert "Traceback" not in browser.text()


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (MissingError("no adapter is in service for this tenant"), "adaptador"),
        (MissingError("no such audit record"), "registro"),
        (MissingError("no roster for this tenant", where="/x/y"), "concejales"),
        (GateError("the answer does not validate (x)"), "no se muestra"),
        (ServiceError("Redis is away", where="redis://h"), "inténtelo de nuevo"),
        (InputError("a block of 20000 characters, 0-1 s"), "Divídala"),
    ],
)
def test_faults_are_told_in_plain_words(error, says):
    told = reviewer_message(error)
    assert says in told and "/x/y" not in told and "redis://" not in told


def test_seconds_are_written_as_a_clock():
    assert span(0, 31_000) == "0:00:00,0 – 0:00:31,0"
    assert span(3_661_950, 3_662_000) == "1:01:02,0 – 1:01:02,0"
