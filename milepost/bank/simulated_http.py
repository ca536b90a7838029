"""The simulated bank's counter over HTTP, on this machine only: a file goes in, its report comes back."""

from __future__ import annotations

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock

from milepost.bank.files.findings import FileUnreadable
from milepost.bank.files.xml import BYTES_MAX
from milepost.bank.simulated_files import FileBank
from milepost.clock import Clock


def server_for(bank: FileBank, clock: Clock, port: int = 0) -> ThreadingHTTPServer:
    """A server that is ready to run. ``POST /pain001``: 200 with the pain.002, 204 where that is lost."""
    one_at_a_time = Lock()

    class Counter(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            if self.path != "/pain001" or not 0 < length <= BYTES_MAX:
                self.send_error(404)
                return
            content = self.rfile.read(length)
            try:
                with one_at_a_time:
                    today = clock.today()
                    bank.take(content, today)
                    answers = bank.reports(today)
            except FileUnreadable as error:
                self.send_error(422, str(error.finding.code))
                return
            self.send_response(200 if answers else 204)
            self.end_headers()
            for answer in answers:
                self.wfile.write(answer.content)

        def log_message(self, format: str, *args: object) -> None:
            """Nothing is logged: the files hold account numbers."""

    return ThreadingHTTPServer(("127.0.0.1", port), Counter)


__all__ = ["server_for"]
