"""The project's notebooks, executed as a researcher would: top to bottom, in their own folder."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

from orchestration.home import Home
from tests.conftest import warehouse

FOLDER = Path(__file__).parents[1] / "notebooks"
NAMES = sorted(path.stem for path in FOLDER.glob("*.ipynb"))
_PERIOD = re.compile(r"[A-Z][a-z]+ \d{4} to [A-Z][a-z]+ \d{4}")


@dataclass(frozen=True)
class Executed:
    """A notebook after its run: its cells, what was asked of it, and how long its cells took."""

    cells: list[Any]
    values: dict[str, Any]
    seconds: float

    @property
    def charts(self) -> list[str]:
        """The words of each chart: its texts, one a line."""
        return [
            "\n".join(re.findall(r"<text[^>]*>([^<]+)</text>", output["data"]["image/svg+xml"]))
            for output in self._outputs()
            if "image/svg+xml" in output.get("data", {})
        ]

    @property
    def text(self) -> str:
        """Everything it says in words, computed or written."""
        written = [cell.source for cell in self.cells if cell.cell_type == "markdown"]
        computed = [
            output["data"]["text/markdown"]
            for output in self._outputs()
            if "text/markdown" in output.get("data", {})
        ]
        return "\n".join([*written, *computed])

    @property
    def complaints(self) -> list[str]:
        """What its code wrote to standard error: warnings, mostly."""
        return [o["text"] for o in self._outputs() if o.get("name") == "stderr"]

    def _outputs(self) -> list[Any]:
        return [output for cell in self.cells for output in cell.get("outputs", ())]


def execute(name: str, home: Home, ask: str) -> Executed:
    """Run the notebook on the warehouse and ask it for ``ask``, a dictionary written in Python."""
    notebook = nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)
    question = f"import json\nprint(json.dumps({ask}, default=str))"
    notebook.cells.append(nbformat.v4.new_code_cell(question))
    with warehouse(Home(home.root.resolve())):
        NotebookClient(
            notebook, timeout=120, kernel_name="python3", resources={"metadata": {"path": FOLDER}}
        ).execute()
    *cells, answer = notebook.cells
    seconds = sum(_seconds(cell) for cell in cells if cell.cell_type == "code")
    return Executed(cells, json.loads(answer.outputs[0]["text"]), seconds)


def says_period_and_source(chart: str) -> bool:
    """Whether a chart says which period it shows and which table it is drawn from."""
    return _PERIOD.search(chart) is not None and re.search(r"Source: \w+\.\w+", chart) is not None


def _seconds(cell: Any) -> float:
    times = cell.metadata.execution
    started, ended = times["iopub.execute_input"], times["shell.execute_reply"]
    return (datetime.fromisoformat(ended) - datetime.fromisoformat(started)).total_seconds()
