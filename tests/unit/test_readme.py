"""The README names every setting with its default, and every command."""

from __future__ import annotations

from pathlib import Path

from orchestration.settings import Settings

README = Path("README.md").read_text(encoding="utf-8")


def test_every_setting_stands_in_the_readme_with_its_default() -> None:
    for name, field in Settings.model_fields.items():
        variable = "FRED_API_KEY" if name == "fred_api_key" else f"WAREHOUSE_{name.upper()}"
        default = "none" if field.default is None else f"`{field.default}`"
        assert f"| `{variable}` | {default} | {field.description} |" in README


def test_the_two_commands_stand_in_the_readme() -> None:
    assert "make run" in README
    assert "make test" in README
