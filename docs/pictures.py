"""Take the README's pictures again: `python docs/pictures.py` (needs chromium; writes docs/images).

The alignment page is what `astra align` writes for a session of the sample council, as a browser shows it.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

from astra_lib.alignment import align
from astra_lib.core.settings import load
from astra_lib.minutes import read_minutes
from astra_lib.transcript import read_transcript

ROOT = Path(__file__).resolve().parents[1]
SESSION = "2026-04-09"  # half an hour, its acta written by hand
WIDTH, HEIGHT = 1100, 1036
COLOURS = 64
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def photograph(page: Path, out: Path) -> None:
    """A PNG of the page's upper part, small enough to be committed."""
    browser = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if browser is None:
        sys.exit("pictures: no chromium found; install it (apt-get install chromium)")
    # a browser run by root refuses its sandbox; the page is our own file
    command = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
    command += [f"--window-size={WIDTH},{HEIGHT}", f"--screenshot={out}", page.as_uri()]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    picture = Image.open(out).convert("RGB")
    picture.quantize(COLOURS, dither=Image.Dither.NONE).save(out, optimize=True)


def main() -> None:
    folder = ROOT / "samples" / "manantial" / "sessions" / SESSION
    transcript = read_transcript([folder / "transcript.json"], session_id=SESSION, tenant="manantial")
    made = align(transcript, read_minutes(folder / "acta.docx").paragraphs, load({}).align)
    out = ROOT / "docs" / "images" / "alignment.png"
    with tempfile.TemporaryDirectory() as scratch:
        photograph(made.report(Path(scratch) / "alignment.html"), out)
    print(f"{out.relative_to(ROOT)}: {out.stat().st_size // 1024} KB")


if __name__ == "__main__":
    main()
