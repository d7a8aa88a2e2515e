"""One pair of embedded servers for every test process, in a temporary data folder.

The suite runs in as many processes as there are cores (pytest-xdist). Each has servers, data folder and
`tmp_path`s of its own, so no test sees another process; a module stays in one process (`--dist loadfile`), so
that its model, its servers or its mined sessions are made once.
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

from astra_lib.core import services
from astra_lib.core.base_model import gguf_file, write_tokenizer
from astra_lib.core.registry import Registry
from astra_lib.core.settings import Settings, load
from astra_lib.core.store import Store

if "PYTEST_XDIST_WORKER" in os.environ:
    # threads that wait for each other on a busy core take longer than one that need not
    os.environ["OMP_NUM_THREADS"] = "1"

# a busy machine is slow, not wrong; a failure prints the blob that repeats it
hypothesis_settings.register_profile(
    "astra", deadline=None, derandomize=True, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)
hypothesis_settings.load_profile("astra")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The modules with most slow tests come first, so that no process is left alone with one at the end."""
    slow = Counter(item.path for item in items if item.get_closest_marker("slow"))
    items.sort(key=lambda item: -slow[item.path])


def settings_at(folder: Path, **overrides: str) -> Settings:
    """The checkout's settings with everything written below `folder`; `overrides` as S3_BUCKET="other"."""
    environment = {f"ASTRA_{name}": value for name, value in overrides.items()}
    return load({"ASTRA_DATA_DIR": str(folder), **environment})


@pytest.fixture(scope="session", autouse=True)
def _clean_environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """No test sees the developer's own ASTRA_* settings or writes into the checkout's data folder."""
    folder = tmp_path_factory.mktemp("astra-data")
    saved = {
        k: os.environ.pop(k)
        for k in list(os.environ)
        if k.startswith("ASTRA_") and not k.startswith("ASTRA_TEST_")
    }
    os.environ["ASTRA_DATA_DIR"] = str(folder)
    yield folder
    del os.environ["ASTRA_DATA_DIR"]
    os.environ.update(saved)


@pytest.fixture(scope="session")
def settings(_clean_environment: Path) -> Iterator[Settings]:
    """Settings whose embedded servers run; they die with the test process whatever happens to it."""
    loaded = load()
    services.up(loaded, owner=os.getpid())
    yield loaded
    services.down(loaded, grace_s=0)  # their data is thrown away


@pytest.fixture(scope="session")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The embedded base's tokenizer without its weights, which take half a minute to unpack."""
    from transformers import AutoTokenizer

    folder = tmp_path_factory.mktemp("tokenizer")
    write_tokenizer(gguf_file(), folder)
    return AutoTokenizer.from_pretrained(folder)


@pytest.fixture(scope="session")
def store(settings: Settings) -> Store:
    return Store.open(settings)


@pytest.fixture(scope="session")
def registry(settings: Settings) -> Registry:
    return Registry.open(settings)


@pytest.fixture
def tenant(registry: Registry, request: pytest.FixtureRequest) -> str:
    """A registered tenant of the test's own."""
    name = "test-" + hashlib.sha256(request.node.nodeid.encode()).hexdigest()[:10]
    registry.register_tenant(name)
    return name


@pytest.fixture
def make_settings(tmp_path: Path) -> Iterator[Callable[..., Settings]]:
    """Settings with a data folder of their own; servers started there are stopped afterwards."""
    made: list[Settings] = []

    def make(name: str = "data", **overrides: str) -> Settings:
        made.append(settings_at(tmp_path / name, **overrides))
        return made[-1]

    yield make
    for each in made:
        services.down(each, grace_s=0)
