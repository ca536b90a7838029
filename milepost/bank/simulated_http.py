"""The simulated bank's counter over HTTP, on this machine only: a file goes in, its report comes back."""

from __future__ import annotations

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from milepost.bank.files.findings import FileUnreadable
from milepost.bank.files.xml import BYTES_MAX
from milepost.bank.simulated_files import FileBank
from milepost.clock import Clock


class Credit(BaseModel):
    """Money that somebody pays in."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    minor: int = Field(gt=0, alias="amount_minor")
    currency: str = Field(default="CNY", pattern="^[A-Z]{3}$")
    remittance: str
    name: str = ""
    account: str = ""


def server_for(bank: FileBank, clock: Clock, port: int = 0) -> ThreadingHTTPServer:
    """A server that is ready to run.

    ``POST /pain001``: 200 with the pain.002, 204 where that is lost. ``POST /credit`` with
    ``{"amount_minor", "currency", "remittance", "name", "account"}`` books money that comes in: 200 with the
    day's statement.
    """
    one_at_a_time = Lock()

    class Counter(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            if self.path not in ("/pain001", "/credit") or not 0 < length <= BYTES_MAX:
                self.send_error(404)
                return
            content = self.rfile.read(length)
            try:
                with one_at_a_time:
                    today = clock.today()
                    if self.path == "/credit":
                        bank.credit(day=today, **Credit.model_validate_json(content).model_dump())
                        answers = bank.statements(today)[-1:]
                    else:
                        bank.take(content, today)
                        answers = bank.reports(today)
            except FileUnreadable as error:
                self.send_error(422, str(error.finding.code))
                return
            except ValidationError:
                self.send_error(422, "not_a_credit")
                return
            self.send_response(200 if answers else 204)
            self.end_headers()
            for answer in answers:
                self.wfile.write(answer.content)

        def log_message(self, format: str, *args: object) -> None:
            """Nothing is logged: the files hold account numbers."""

    return ThreadingHTTPServer(("127.0.0.1", port), Counter)


__all__ = ["server_for"]
