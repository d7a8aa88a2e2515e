"""Take the README's pictures again: `python docs/pictures.py alignment page` (needs chromium; docs/images).

`alignment`: what `astra align` writes for a session of the sample council, as a browser shows it.
`page`: the reviewer's page after it answered, with the adapter that `make demo` left in service.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

from astra_lib.core.settings import load

ROOT = Path(__file__).resolve().parents[1]
TENANT = "manantial"
SESSION = "2026-04-09"  # half an hour, its acta written by hand
WIDTH, HEIGHT = 1100, 1040  # of the alignment: down to the timeline
BORDER = 200  # headless browsers leave the last lines of their window empty
COLOURS = 128
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def small(picture: Path) -> None:
    """Few colours: small enough to be committed."""
    Image.open(picture).convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(
        picture, optimize=True
    )
    print(f"{picture.relative_to(ROOT)}: {picture.stat().st_size // 1024} KB")


def alignment(out: Path) -> None:
    from astra_lib.alignment import align
    from astra_lib.minutes import read_minutes
    from astra_lib.transcript import read_transcript

    browser = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if browser is None:
        sys.exit("pictures: no chromium found; install it (apt-get install chromium)")
    folder = ROOT / "samples" / "manantial" / "sessions" / SESSION
    transcript = read_transcript([folder / "transcript.json"], session_id=SESSION, tenant=TENANT)
    made = align(transcript, read_minutes(folder / "acta.docx").paragraphs, load({}).align)
    # a browser run by root refuses its sandbox; the page is our own file
    command = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
    command += [f"--window-size={WIDTH},{HEIGHT + BORDER}", f"--screenshot={out}"]
    with tempfile.TemporaryDirectory() as scratch:
        page = made.report(Path(scratch) / "alignment.html")
        subprocess.run([*command, page.as_uri()], check=True, capture_output=True, timeout=120)
    Image.open(out).crop((0, 0, WIDTH, HEIGHT)).save(out)


def page(out: Path) -> None:
    from app_gradio.auth import issue
    from app_gradio.main import running
    from app_gradio.service import Service
    from astra_lib.core import services
    from tests.test_page import Browser

    settings = load()
    services.up(settings)
    service = Service.open(settings)
    try:
        service.swapper.reconcile()
        token = issue(settings, TENANT, "reviewer")
        with running(settings, service) as url, tempfile.TemporaryDirectory() as profile:
            browser = Browser(Path(profile))
            try:
                browser.send("Page.navigate", url=f"{url}/ui/")
                browser.until(lambda: browser.run("!!document.querySelector('#go')"))
                browser.fill("#token input", token)
                browser.run("document.querySelector('#go').click()")
                browser.until(lambda: browser.value("#after textarea"), seconds=300)
                browser.shot(out)
            finally:
                browser.close()
    finally:
        service.close()
        services.down(settings)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("pictures", nargs="+", choices=("alignment", "page"))
    for name in arguments.parse_args().pictures:
        out = ROOT / "docs" / "images" / f"{name}.png"
        {"alignment": alignment, "page": page}[name](out)
        small(out)


if __name__ == "__main__":
    main()
