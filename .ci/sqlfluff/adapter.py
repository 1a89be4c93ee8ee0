"""dbt's ``adapter`` as sqlfluff's Jinja templater sees it: a dispatched macro reads as a call."""

from collections.abc import Callable


def dispatch(macro_name: str, macro_namespace: str | None = None) -> Callable[..., str]:
    """Return a macro that renders as a call of its own name."""
    return lambda *arguments: f"{macro_name}({', '.join(str(a) for a in arguments if a)})"
