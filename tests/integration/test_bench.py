"""The benchmark's plain script is a second way to the same figures: the models agree with it."""

import pytest

from bench import floor, steps
from bench.made import Made, Shapes
from orchestration.home import Home


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> tuple[Made, Home]:
    folder = tmp_path_factory.mktemp("bench")
    made = Made(20_000, folder, Shapes.drawn())
    home = Home(folder / "home")
    home.root.mkdir()
    made.write()
    for step in ("prepare", "load", "build"):
        steps.STEPS[step](made, home)
    floor.STEPS["load"](made, home)
    floor.STEPS["build"](made, home)
    return made, home


def test_models_and_plain_script_agree(measured: tuple[Made, Home]) -> None:
    _, home = measured
    assert floor.disagreements(home) == []


def test_a_wrong_figure_is_seen(measured: tuple[Made, Home]) -> None:
    import duckdb

    _, home = measured
    with duckdb.connect(str(home.root / "floor" / "floor.duckdb")) as connection:
        connection.execute("begin")
        connection.execute("update valuation_daily set price_to_sales = price_to_sales + 0.01")
        connection.execute("commit")
    (found,) = floor.disagreements(home)
    assert found.startswith("valuation_daily.price_to_sales: floor ")


def test_made_data_is_the_same_each_time(measured: tuple[Made, Home], tmp_path) -> None:
    made, _ = measured
    again = Made(20_000, tmp_path, Shapes.drawn())
    again.write()
    for dataset in ("daily_price", "corporate_action", "segment_result", "next"):
        ours = [path.read_bytes() for path in made.batches(dataset)]
        assert ours == [path.read_bytes() for path in again.batches(dataset)]
        assert ours
