"""`docs/architecture.md` is true: the names and signatures it shows exist, and imports go the way it says."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from typing import Any

import pytest

from astra_lib.core import code

PAGE = code.ROOT / "docs" / "architecture.md"
ENTRY = re.compile(r"(?P<name>[A-Za-z_][\w.]*)(?:\((?P<parameters>.*)\))?(?: -> .+)?")


def shown() -> list[tuple[str, str]]:
    """`(module, line)` of every line in the page's Python blocks; a block's first line names its module."""
    found = []
    for block in re.findall(r"```python\n# (.+?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL):
        module, *lines = block.strip().splitlines()
        found += [(module.strip(), line.strip()) for line in lines if line.strip()]
    return found


def parameters_of(target: Any) -> list[tuple[str, bool]]:
    """`(name, has a default)` without self."""
    parameters = inspect.signature(target).parameters.values()
    return [(p.name, p.default is not p.empty) for p in parameters if p.name != "self"]


def parameters_in(text: str) -> list[tuple[str, bool]]:
    """The same, as a line of the page writes it."""
    arguments = ast.parse(f"def f({text}): ...").body[0].args  # type: ignore[attr-defined]
    without = len(arguments.args) - len(arguments.defaults)
    named = [(a.arg, place >= without) for place, a in enumerate(arguments.args)]
    named += [(a.arg, False) for a in [arguments.vararg] if a]
    named += [
        (a.arg, d is not None) for a, d in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    ]
    return named + [(a.arg, False) for a in [arguments.kwarg] if a]


def test_the_page_shows_something() -> None:
    assert len(shown()) > 60


@pytest.mark.parametrize(("module", "line"), shown())
def test_a_name_on_the_page_exists_with_its_signature(module: str, line: str) -> None:
    entry = ENTRY.fullmatch(line)
    assert entry, f"cannot read {line!r}"
    target: Any = importlib.import_module(module)
    for part in entry["name"].split("."):
        target = getattr(target, part)
    if entry["parameters"] is not None:
        assert parameters_of(target) == parameters_in(entry["parameters"]), f"{module}: {line}"


# who may import whom: a package or module reaches only what stands in its own row or below
FLOORS = [
    {"astra_cli"},
    {"jobs"},
    {"app_gradio"},
    {"trainer"},
    {"astra_lib"},
]


def floor_of(module: str) -> int:
    package = module.split(".")[0]
    return next(at for at, floor in enumerate(FLOORS) if package in floor)


def modules_of(package: str) -> list[str]:
    return [
        ".".join(path.relative_to(code.ROOT).with_suffix("").parts)
        for path in sorted((code.ROOT / package).rglob("*.py"))
        if path.name != "__init__.py"
    ]


@pytest.mark.parametrize("package", ["jobs", "app_gradio", "trainer", "astra_lib"])
def test_imports_go_down(package: str) -> None:
    for module in modules_of(package):
        for found in code.imported(module):
            if found.split(".")[0] in code.PACKAGES:
                assert floor_of(found) >= floor_of(module), f"{module} imports {found}"


def room_of(module: str) -> str:
    parts = module.split(".")
    return parts[1] if parts[0] == "astra_lib" and len(parts) > 2 else ""


@pytest.mark.parametrize(
    ("room", "may_use"),
    [
        ("core", {"core"}),
        ("spanish", {"core", "spanish"}),
        ("word", {"core", "spanish", "word"}),
        ("privacy", {"core", "spanish", "word", "privacy"}),
    ],
)
def test_a_room_knows_only_those_below(room: str, may_use: set[str]) -> None:
    for module in modules_of(f"astra_lib/{room}"):
        inside = {f for f in code.imported(module) if f.startswith("astra_lib.")}
        assert {room_of(f) for f in inside if room_of(f)} <= may_use, module
        generated = {f for f in inside if not room_of(f)} - {f"astra_lib.{name}" for name in may_use}
        assert not generated, f"{module} imports {generated}: notebooks stand above the rooms"


def test_the_gate_imports_none_of_its_neighbours() -> None:
    inside = [f for f in code.imported("astra_lib.privacy.gate") if f.startswith("astra_lib.")]
    assert inside and all(f.startswith("astra_lib.core") for f in inside)


def test_no_circle() -> None:
    """No module is reached from itself by the imports at the top of modules or inside functions."""
    graph = {m: set(code.imported(m)) for package in code.PACKAGES for m in modules_of(package)}
    done: set[str] = set()

    def walk(module: str, path: tuple[str, ...]) -> None:
        assert module not in path, " -> ".join([*path[path.index(module) :], module])
        if module in done:
            return
        for found in sorted(graph.get(module, ())):
            if found in graph:
                walk(found, (*path, module))
        done.add(module)

    for module in sorted(graph):
        walk(module, ())
