"""What an expert types in a real browser is there afterwards, character by character, whatever happens.

The connection is cut, the log-in ends, a second window writes too, the server's process is killed.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from milepost import people
from milepost.db import Database, Session
from tests.conftest import DatabaseUrls
from tests.web.conftest import PASSWORD
from tests.web.review_scene import ReviewSite, review_site
from tests.web.test_browser import browser, serving

__all__ = ["browser"]
pytestmark = pytest.mark.browser

TEXT = "该项目  创新性强，\n\n但“中试”计划 <不> 明确；& 需补充数据😀。"
MORE = " Second thoughts: 50% ± 3."
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def site(database: Database, password_hash: str, tmp_path: Path) -> Iterator[ReviewSite]:
    with review_site(database, password_hash, tmp_path) as made:
        yield made


@pytest.fixture
def address(site: ReviewSite, free_port: int) -> Iterator[str]:
    with serving(site.app, free_port) as found:
        yield found


def opened(
    site: ReviewSite, browser: Browser, address: str, **options: object
) -> tuple[BrowserContext, Page]:
    """The expert's browser with the task's page."""
    context = browser.new_context(locale="en-GB", **options)  # type: ignore[arg-type]
    context.set_default_timeout(15_000)
    with site.database.session() as session:
        people.set_locale(session, site.expert.id, "en")
        token = people.open_login(Session(session.conn, site.minutes), site.expert.id, 12)
    context.add_cookies([{"name": "milepost", "value": token, "url": address}])
    page = context.new_page()
    page.goto(f"{address}/tasks/{site.task_id}")
    return context, page


def type_review(page: Page, text: str = TEXT) -> None:
    """Score and comment by keys; the first score is no number yet."""
    page.locator('[name="scores.novelty"]').type("8x")
    page.locator('[name="scores.team"][value="4"]').check()
    page.locator('[name="scores.lawful"][value="1"]').check()
    page.locator("#comment").type(text)


def says(page: Page, state: str) -> None:
    """The bar below the form says so."""
    expect(page.locator("#keeping")).to_have_attribute("data-state", state)


def until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + 15
    while not holds():
        assert time.monotonic() < end, "it did not come about in time"
        time.sleep(0.05)


def in_form(page: Page) -> tuple[str, str]:
    return page.input_value('[name="scores.novelty"]'), page.input_value("#comment")


def on_device(page: Page) -> int:
    """How many texts the browser itself still keeps."""
    return int(page.evaluate("Object.keys(localStorage).filter((n) => n.startsWith('milepost.')).length"))


SAVED = {"scores": {"novelty": "8x", "team": "4", "lawful": "1"}, "comment": TEXT}


def test_what_is_typed_is_saved_without_a_button_and_the_sum_is_the_records(
    site: ReviewSite, browser: Browser, address: str
) -> None:
    _, page = opened(site, browser, address)
    faults: list[str] = []
    page.on("console", lambda said: faults.append(said.text) if said.type == "error" else None)
    type_review(page)
    says(page, "saved")
    until(lambda: site.draft() == SAVED)
    expect(page.locator('[data-criterion="novelty"] [data-range]')).to_be_visible()
    assert on_device(page) == 0, "once the server has it, the device keeps nothing"
    page.locator('[name="scores.novelty"]').fill("77")
    expect(page.locator("[data-sum]")).to_have_text("83.50")
    page.click('button[data-step="task.submit"]')
    expect(page.locator("#submitted")).to_contain_text("83.50 / 100")
    assert site.task("score_milli") == 83_500
    assert site.task("comment") == TEXT
    assert faults == []


def test_with_the_connection_cut_nothing_typed_is_lost(
    site: ReviewSite, browser: Browser, address: str
) -> None:
    context, page = opened(site, browser, address)
    context.set_offline(True)
    type_review(page)
    says(page, "offline")
    page.click('button[data-step="task.submit"]')
    says(page, "offline")
    assert site.draft() == {} and in_form(page) == ("8x", TEXT)
    context.set_offline(False)
    says(page, "saved")
    until(lambda: site.draft() == SAVED)


def test_a_window_closed_without_a_connection_is_made_good_by_the_next(
    site: ReviewSite, browser: Browser, address: str
) -> None:
    context, page = opened(site, browser, address)
    context.set_offline(True)
    type_review(page)
    page.close()
    context.set_offline(False)
    page = context.new_page()
    page.goto(f"{address}/tasks/{site.task_id}")
    expect(page.locator("#comment")).to_have_value(TEXT)
    assert in_form(page) == ("8x", TEXT)
    until(lambda: site.draft() == SAVED)
    until(lambda: on_device(page) == 0)


def test_a_log_in_that_ended_is_renewed_in_place_and_nothing_typed_is_lost(
    site: ReviewSite, browser: Browser, address: str
) -> None:
    _, page = opened(site, browser, address)
    with site.database.session() as session:
        session.conn.execute("DELETE FROM web_session")
    type_review(page)
    says(page, "login")
    page.click('button[data-step="task.submit"]')
    says(page, "login")
    page.fill("#again-password", "not this one")
    page.click("#again button")
    expect(page.locator("[data-again-problem]")).to_contain_text("not right")
    page.fill("#again-password", PASSWORD)
    page.click("#again button")
    says(page, "saved")
    until(lambda: site.draft() == SAVED)
    page.locator('[name="scores.novelty"]').fill("80")
    page.click('button[data-step="task.submit"]')
    expect(page.locator("#submitted")).to_be_visible()
    assert site.task("comment") == TEXT


def test_a_log_in_renewed_in_another_window_is_enough(
    site: ReviewSite, browser: Browser, address: str
) -> None:
    context, page = opened(site, browser, address)
    with site.database.session() as session:
        session.conn.execute("DELETE FROM web_session")
    type_review(page)
    says(page, "login")
    with context.expect_page() as window:
        page.click('#keeping a[target="_blank"]')
    other = window.value
    other.fill("#login", "expert-1")
    other.fill("#password", PASSWORD)
    other.click("button.main")
    expect(other.locator("#comment")).to_have_value(TEXT)
    other.close()
    page.locator("#comment").press("End")
    page.locator("#comment").type(MORE)
    says(page, "saved")
    until(lambda: site.draft()["comment"].endswith(MORE) and len(site.draft()["comment"]) == len(TEXT + MORE))


def test_two_windows_show_each_others_text_and_lose_none(
    site: ReviewSite, browser: Browser, address: str
) -> None:
    context, first = opened(site, browser, address)
    second = context.new_page()
    second.goto(f"{address}/tasks/{site.task_id}")
    type_review(first)
    until(lambda: site.draft() == SAVED)
    second.locator("#comment").type(MORE)
    says(second, "other")
    until(lambda: site.draft()["comment"] == MORE)
    expect(second.locator("#kept")).to_contain_text("但“中试”计划 <不> 明确；& 需补充数据😀。")
    second.locator("#kept summary").first.click()
    second.locator("#kept form button").first.click()
    expect(second.locator("#comment")).to_have_value(TEXT)
    assert in_form(second) == ("8x", TEXT)
    expect(second.locator("#kept")).to_contain_text(MORE.strip())


def test_a_submission_elsewhere_leaves_the_text_of_this_window_to_copy(
    site: ReviewSite, browser: Browser, address: str
) -> None:
    _, page = opened(site, browser, address)
    scores = {"novelty": 1, "team": 1, "lawful": 1}
    site.world.take(site.expert, "task.submit", site.task_id, scores=scores, comment="elsewhere")
    type_review(page)
    says(page, "closed")
    assert in_form(page) == ("8x", TEXT)
    page.reload()
    expect(page.locator("#submitted")).to_contain_text("elsewhere")
    assert TEXT in page.input_value("#unsent textarea")
    page.click("#unsent button")
    assert on_device(page) == 0


SERVER = """
import sys, uvicorn
from datetime import datetime
from pathlib import Path
from config.settings import Settings
from milepost.clock import SimulatedClock
from milepost.db import Database
from milepost.web.app import create_app
url, port, folder, at = sys.argv[1:]
clock = SimulatedClock(datetime.fromisoformat(at))
app = create_app(Database(url, clock=clock), Settings(data_dir=Path(folder)), clock=clock)
uvicorn.run(app, port=int(port), log_level="error")
"""


@contextmanager
def process(
    site: ReviewSite, urls: DatabaseUrls, port: int, folder: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """The web as a process of its own, ready to answer."""
    arguments = [urls.app, str(port), str(folder), site.world.clock.now().isoformat()]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    started = subprocess.Popen([sys.executable, "-c", SERVER, *arguments], cwd=ROOT, env=environment)
    try:
        until(lambda: _answers(port))
        yield started
    finally:
        started.kill()
        started.wait(20)


def _answers(port: int) -> bool:
    try:
        with urlopen(f"http://localhost:{port}/healthz", timeout=1) as answer:
            return bool(answer.status == 200)
    except (URLError, OSError):
        return False


def test_a_killed_server_takes_nothing_of_what_was_typed(
    site: ReviewSite, browser: Browser, database_urls: DatabaseUrls, free_port: int, tmp_path: Path
) -> None:
    with process(site, database_urls, free_port, tmp_path) as running:
        context, page = opened(site, browser, f"http://localhost:{free_port}")
        type_review(page)
        until(lambda: site.draft() == SAVED)
        running.send_signal(signal.SIGKILL)
        running.wait(20)
    page.locator("#comment").press("Control+End")
    page.locator("#comment").type(MORE)
    says(page, "offline")
    closed = context.new_page()
    with process(site, database_urls, free_port, tmp_path):
        says(page, "saved")
        until(lambda: site.draft() == {**SAVED, "comment": TEXT + MORE})
        closed.goto(f"http://localhost:{free_port}/tasks/{site.task_id}")
        assert in_form(closed) == ("8x", TEXT + MORE)


def test_a_window_that_was_lost_with_the_server_is_made_good_after_it(
    site: ReviewSite, browser: Browser, database_urls: DatabaseUrls, free_port: int, tmp_path: Path
) -> None:
    with process(site, database_urls, free_port, tmp_path) as running:
        context, page = opened(site, browser, f"http://localhost:{free_port}")
        type_review(page)
        until(lambda: site.draft() == SAVED)
        running.send_signal(signal.SIGKILL)
        running.wait(20)
    page.locator("#comment").press("Control+End")
    page.locator("#comment").type(MORE)
    page.close()
    with process(site, database_urls, free_port, tmp_path):
        page = context.new_page()
        page.goto(f"http://localhost:{free_port}/tasks/{site.task_id}")
        expect(page.locator("#comment")).to_have_value(TEXT + MORE)
        until(lambda: site.draft() == {**SAVED, "comment": TEXT + MORE})


@pytest.mark.parametrize("locale", ["zh", "en"])
def test_the_page_and_the_invitation_fit_a_telephone(
    site: ReviewSite, browser: Browser, address: str, locale: str
) -> None:
    _, page = opened(site, browser, address, viewport={"width": 375, "height": 800})
    with site.database.session() as session:
        people.set_locale(session, site.expert.id, locale)
    page.reload()
    type_review(page)
    for details in page.locator("details").all():
        details.locator("summary").click()
    says(page, "saved")
    assert page.evaluate("document.documentElement.scrollWidth") <= 375
