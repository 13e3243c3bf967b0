"""The rules of the house: who may import whom, who reads the environment, and what is named everywhere."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
LAYERS = {"app": 0, "services": 1, "flows": 2, "routes": 2, "wsgi": 3}
FILES = [path for folder in ("app", "services", "flows", "routes") for path in sorted((ROOT / folder).rglob("*.py"))] + [ROOT / "wsgi.py"]
EMULATOR = sorted((ROOT / "emulator").rglob("*.py"))
NAMES = [str(path.relative_to(ROOT)) for path in FILES]


@cache
def tree_of(path: Path) -> ast.Module:
    """Return a file as Python reads it: five rules ask for each."""
    return ast.parse(path.read_text())


@cache
def imports(path: Path) -> list[tuple[str, bool]]:
    """Return each module that a file imports, and whether it does so inside a function."""
    tree = tree_of(path)
    inside = {id(node) for scope in ast.walk(tree) if isinstance(scope, ast.FunctionDef) for node in ast.walk(scope)}
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(alias.name, id(node) in inside) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            found.append((node.module or "", id(node) in inside))
    return found


def layer_of(path: Path) -> str:
    """Return the layer that a file stands in."""
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_imports_run_one_way(path: Path) -> None:
    layer = layer_of(path)
    for module, is_inside in imports(path):
        target = module.split(".")[0]
        if target not in LAYERS or target == layer:
            continue
        if path == ROOT / "app/__init__.py" and is_inside:
            continue  # create_app puts the program together
        assert LAYERS[target] < LAYERS[layer], f"{layer} imports {module}"


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_only_config_reads_the_environment(path: Path) -> None:
    text = path.read_text()
    if path != ROOT / "app/config.py":
        assert "os.environ" not in text
        assert "getenv" not in text
        assert "load_dotenv" not in text


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_only_the_client_imports_the_sdk(path: Path) -> None:
    modules = {module.split(".")[0] for module, _ in imports(path)}
    assert path == ROOT / "services/client.py" or "africastalking" not in modules
    assert "emulator" not in modules
    assert path == ROOT / "services/upkeep/broker.py" or "celery" not in modules


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_services_never_see_the_request(path: Path) -> None:
    if layer_of(path) in ("services", "flows"):
        names = {node.id for node in ast.walk(tree_of(path)) if isinstance(node, ast.Name)}
        assert "request" not in names


@pytest.mark.parametrize("path", EMULATOR, ids=[str(path.relative_to(ROOT)) for path in EMULATOR])
def test_the_emulator_knows_nothing_of_the_app(path: Path) -> None:
    modules = {module.split(".")[0] for module, _ in imports(path)}
    assert not modules & {*LAYERS, "tests", "bench", "africastalking"}
    assert "os.environ" not in path.read_text()


DOCUMENTED = FILES + EMULATOR


@pytest.mark.parametrize("path", DOCUMENTED, ids=[str(path.relative_to(ROOT)) for path in DOCUMENTED])
def test_every_public_function_says_what_it_gives(path: Path) -> None:
    tree = tree_of(path)
    assert ast.get_docstring(tree), "module without a docstring"
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            assert ast.get_docstring(node), f"{node.name} without a docstring"


def test_what_a_page_asks_again_and_again_stands_still_while_nobody_sees_it() -> None:
    # What wakes does: static/page.js.
    pages = sorted((ROOT / "templates").iterdir())
    polled = [trigger for page in pages for trigger in re.findall(r'hx-trigger="([^"]*\bevery\b[^"]*)"', page.read_text())]
    assert len(polled) >= 6
    assert [trigger for trigger in polled if not trigger.endswith(", wake")] == []


def test_env_example_names_every_setting_and_is_safe_to_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    from app.config import load_settings
    from app.settings import declared

    example = ROOT / ".env.example"
    named = {line.lstrip("# ").partition("=")[0] for line in example.read_text().splitlines() if "=" in line}
    assert {entry.name.upper() for entry in declared()} <= named
    for entry in declared():
        monkeypatch.delenv(entry.name.upper(), raising=False)
    assert load_settings(example) == load_settings(None)
