"""A process that runs flows as it is told: one JSON line in, one JSON line out. Run as a script."""

from __future__ import annotations

import asyncio
import json
import sys
from datetime import date
from pathlib import Path
from typing import Any

from config.settings import Settings
from flows.run import run_flow
from flows.runtime import binding
from milepost.clock import SimulatedClock
from milepost.db import Database
from milepost.mail.outbox import MailSettings


def obey(order: dict[str, Any]) -> dict[str, Any]:
    """Run one flow on a database on a simulated day."""
    database = Database(order["url"], clock=SimulatedClock(date.fromisoformat(order["today"])))
    mail = MailSettings(host="127.0.0.1", port=order["smtp_port"], starttls=False)
    settings = Settings(data_dir=Path(order["data_dir"]))
    try:
        with binding(database, settings, mail=mail):
            return asyncio.run(run_flow(order["flow"]))
    finally:
        database.close()


if __name__ == "__main__":
    print("{}", flush=True)
    for line in sys.stdin:
        print(json.dumps(obey(json.loads(line))), flush=True)
