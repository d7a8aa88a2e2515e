"""Is the worker alive? Its handler process runs and, where a GPU is, the driver answers. Exit code 0 or 1."""

from __future__ import annotations

import subprocess
from pathlib import Path


def main() -> int:
    handlers = [
        path
        for path in Path("/proc").glob("[0-9]*/cmdline")
        if b"trainer.runpod_training_handler" in _read(path)
    ]
    if not handlers:
        print("the handler does not run")
        return 1
    if Path("/dev/nvidiactl").exists():
        try:
            subprocess.run(["nvidia-smi", "-L"], check=True, timeout=15, stdout=subprocess.DEVNULL)
        except (OSError, subprocess.SubprocessError) as error:
            print(f"the GPU does not answer: {error}")
            return 1
    return 0


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:  # it ended while we looked
        return b""


if __name__ == "__main__":
    raise SystemExit(main())
