"""Prefect's environment, set before it is imported: quiet, never a second server, nothing sent elsewhere."""

from __future__ import annotations

import os
import urllib.request
from collections.abc import Mapping
from pathlib import Path

QUIET: Mapping[str, str] = {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
    # A missing server is an error to be handled here, never a reason to start one on the side.
    "PREFECT_SERVER_EPHEMERAL_ENABLED": "false",
    "PREFECT_LOGGING_LEVEL": "WARNING",
    "PREFECT_CLI_PROMPT": "false",
    # Money does not wait for a server that is busy or gone: the same work is then done without it.
    "PREFECT_CLIENT_MAX_RETRIES": "2",
}


def prefect_environment(api_url: str | None, home: Path | None = None) -> dict[str, str]:
    """What a process that imports or starts Prefect has in its environment; what people set stays."""
    chosen = {name: value for name, value in QUIET.items() if name not in os.environ}
    if home is not None:
        chosen["PREFECT_HOME"] = str(home)
    if api_url is not None:
        chosen["PREFECT_API_URL"] = api_url
    return chosen


def prefect_answers(api_url: str, timeout: float = 1.0) -> bool:
    """Whether a Prefect server answers there."""
    try:
        with urllib.request.urlopen(f"{api_url}/health", timeout=timeout) as answer:
            return bool(answer.status == 200 and answer.read(5) == b"true")
    except (OSError, ValueError):
        return False


__all__ = ["QUIET", "prefect_answers", "prefect_environment"]
