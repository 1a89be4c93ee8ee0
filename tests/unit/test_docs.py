"""What the docs name is there: links, paths, make targets, commands and their options."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from typer.core import TyperCommand, TyperGroup

from orchestration.cli import app

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", *ROOT.glob("docs/*.md")])
#: Folders of the repository, and the files at its top, that a page may name by path.
TOPS = "orchestration|dbt_project|docs|tests|notebooks|bi|\\.ci"
#: Made by a release or by a set-up, so not in git.
MADE = re.compile(r"docs/index\.html|bi/\.venv")
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_PATH = re.compile(rf"(?<![\w/.$-])((?:{TOPS})/[\w./*{{}}-]*[\w/*}}])")
_MAKE = re.compile(r"(?<![\w-])make ([a-z]+(?:-[a-z]+)*)(?=[`\s,.:;)#]|$)")
_COMMAND = re.compile(r"(?:`|bin/)warehouse ((?:[^`\n\\]|\\\n)+)")
_OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]+")


def texts() -> Iterator[tuple[Path, str]]:
    for page in PAGES:
        yield page, page.read_text(encoding="utf-8")


def tracked() -> set[str]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    files = set(listed.stdout.splitlines())
    return files | {str(parent) for file in files for parent in Path(file).parents}


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub gives the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_link_leads_somewhere() -> None:
    followed = 0
    for page, text in texts():
        for target in _LINK.findall(text):
            if target.startswith(("https://", "http://")):
                continue
            name, _, anchor = target.partition("#")
            linked = (page.parent / name).resolve() if name else page
            assert linked.is_file(), f"{page.name}: {target}"
            assert not anchor or anchor in anchors(linked), f"{page.name}: {target}"
            followed += 1
    assert followed > 50


def test_every_path_is_in_the_repository() -> None:
    files = tracked()
    wrong = {
        f"{page.name}: {path}"
        for page, text in texts()
        for path in _PATH.findall(text)
        if not MADE.match(path)
        and path.rstrip("/") not in files
        and not any(ROOT.glob(path.rstrip("/")))
    }
    assert wrong == set()


def test_every_make_target_is_there() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {(page.name, name) for page, text in texts() for name in code_words(text, _MAKE)}
    assert {name for _, name in named} >= {"run", "test", "docs", "notebooks", "ui"}
    assert sorted(f"{page}: make {name}" for page, name in named if name not in targets) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_and_option_is_there(page: Path) -> None:
    warehouse = typer.main.get_command(app)
    assert isinstance(warehouse, TyperGroup)
    for words in _COMMAND.findall(page.read_text(encoding="utf-8")):
        command, options = parsed(warehouse, words)
        if command.name == "metrics":
            continue  # passed on to MetricFlow
        known = {name for option in command.params for name in option.opts}
        assert options <= known, f"{page.name}: warehouse {words}"


def parsed(group: TyperGroup, words: str) -> tuple[TyperCommand | TyperGroup, set[str]]:
    """The command that the words name, and the options they give it."""
    first, *rest = words.split()
    first = first.strip("`.,:;)")
    assert first in group.commands, f"there is no command `warehouse {words}`"
    command = group.commands[first]
    if isinstance(command, TyperGroup) and rest and not rest[0].startswith("..."):
        return parsed(command, " ".join(rest))
    shown = re.split(r"\s#|&&|;", words)[0]
    return command, set(_OPTION.findall(shown))


def code_words(text: str, pattern: re.Pattern[str]) -> Iterator[str]:
    """What a pattern finds in inline code and indented or fenced blocks."""
    for line in text.splitlines():
        if line.startswith("    "):
            yield from pattern.findall(line)
    for code in re.findall(r"`([^`\n]+)`", text):
        yield from pattern.findall(code)
