"""A real browser walks the main path in both languages, and no page is wider than a telephone."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
import uvicorn
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.web.conftest import PASSWORD, Site

ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
WORDS = {
    "zh": {
        "work": "我的工作",
        "done": "已完成：",
        "other": "请由另一位财务人员办理",
        "passed": "资格审查",
        "checklist": "以下条件未确认",
        "unmet": "里程碑尚未完成",
    },
    "en": {
        "work": "My work",
        "done": "Done: ",
        "other": "Ask another finance officer",
        "passed": "Eligibility check",
        "checklist": "Not confirmed",
        "unmet": "Milestones are unfinished",
    },
}


@contextmanager
def serving(app: Any, port: int) -> Iterator[str]:
    """The application behind a real socket, in a thread of its own."""
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        end = time.monotonic() + 20
        while not server.started and time.monotonic() < end:
            time.sleep(0.02)
        assert server.started
        yield f"http://localhost:{port}"
    finally:
        server.should_exit = True
        thread.join(20)


@pytest.fixture
def address(site: Site, free_port: int) -> Iterator[str]:
    with serving(site.app, free_port) as found:
        yield found


@pytest.fixture
def browser(chromium_path: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium_path, args=ARGUMENTS)
        try:
            yield opened
        finally:
            opened.close()


def log_in(browser: Browser, address: str, login: str, locale: str, **options: Any) -> Page:
    """A browser of one's own, logged in by typing."""
    context = browser.new_context(locale="zh-CN" if locale == "zh" else "en-GB", **options)
    context.set_default_timeout(15_000)
    page = context.new_page()
    page.goto(address)
    page.fill("#login", login)
    page.fill("#password", PASSWORD)
    page.click("button.main")
    switch = page.locator(f"button[name=locale][value={locale}]")
    if switch.count():
        switch.click()
    expect(page.locator("h1")).to_have_text(WORDS[locale]["work"])
    return page


def press(page: Page, step: str) -> None:
    """Open a step from the project's page and submit its form."""
    page.click(f'a[data-step="{step}"]')
    page.click(f'button[data-step="{step}"]')


@pytest.mark.browser
@pytest.mark.parametrize("locale", ["zh", "en"])
def test_the_main_path_from_log_in_to_release(
    site: Site, address: str, browser: Browser, locale: str
) -> None:
    world, words = site.world, WORDS[locale]
    project_id = world.project_at("completeness_check")
    officer = log_in(browser, address, "programme_officer-1", locale)
    officer.click(f'a[href="/projects/{project_id}"]')
    press(officer, "project.pass_completeness")
    expect(officer.locator("[role=status]")).to_contain_text(words["done"])
    expect(officer.locator("li.present")).to_have_text(words["passed"])
    press(officer, "project.confirm_eligibility")
    expect(officer.locator("[role=alert]")).to_contain_text(words["checklist"])
    assert world.state(project_id) == "eligibility_check"

    paying, payment_id = world.payment_at("due")
    officer.goto(f"{address}/projects/{paying}")
    expect(officer.locator(".not-now").first).to_contain_text(words["unmet"])
    _pay(site, browser, address, locale, payment_id)


def _pay(site: Site, browser: Browser, address: str, locale: str, payment_id: UUID) -> None:
    """Requested, approved and released by three people; the first may not go on alone."""
    first, second, third = (log_in(browser, address, f"finance_officer-{n}", locale) for n in (1, 2, 3))
    first.click('li[data-noun="payment"] a')
    press(first, "payment.request")
    expect(first.locator("#answer .not-now").first).to_contain_text(WORDS[locale]["other"])
    assert first.locator('#answer a[data-step="payment.approve"]').count() == 0
    second.reload()
    second.click('li[data-noun="payment"] a')
    press(second, "payment.approve")
    site.minutes.advance(timedelta(minutes=11))
    third.reload()
    third.click('li[data-noun="payment"] a')
    third.click('a[data-step="payment.release"]')
    third.fill("#password", PASSWORD)
    third.click('button[data-step="payment.release"]')
    expect(third.locator("[role=status]")).to_contain_text(WORDS[locale]["done"])
    assert site.world.value("SELECT state FROM payment WHERE id = %s", payment_id) == "released"
    duties = site.world.rows("SELECT person_id FROM duty WHERE payment_id = %s", payment_id)
    assert len(set(duties)) == 4, "three who act, and the editor of the payee's account"


@pytest.mark.browser
def test_no_page_is_wider_than_a_telephone_or_breaks_its_own_policy(
    site: Site, address: str, browser: Browser
) -> None:
    project_id = site.world.project_at("implementation")
    faults: list[str] = []
    for login, paths in (
        ("programme_officer-1", ["/", "/projects", f"/projects/{project_id}", "/calls", "/programmes"]),
        ("applicant-1", ["/steps/project.apply", f"/projects/{project_id}"]),
        (
            "finance_officer-1",
            ["/appropriations", "/bank", "/steps/batch.make", "/steps/appropriation.propose"],
        ),
        ("administrator-1", ["/people", "/mail"]),
    ):
        page = log_in(browser, address, login, "zh", viewport={"width": 375, "height": 800})
        page.on("console", lambda said: faults.append(said.text) if said.type == "error" else None)
        for path in paths:
            answer = page.goto(address + path)
            assert answer is not None and answer.status == 200, path
            assert page.evaluate("document.documentElement.scrollWidth") <= 375, path
    assert faults == []
