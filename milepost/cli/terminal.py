"""Where a command meets its reader: language, tables or JSON, progress, and errors as one clear sentence.

What a command answers goes to stdout, what it tells on the way to stderr, so that ``--json`` can be piped.
Exit codes: 0 done, 1 refused or faults found, 2 asked wrongly or not able to run at all.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from schema.money import Explained

if TYPE_CHECKING:
    from config.programmes import Programme
    from config.settings import Settings
    from milepost.actions import Actor
    from milepost.db import Database, Session
    from milepost.people import Person
    from states.refusals import Refusal

OK, REFUSED, USAGE = 0, 1, 2
WIDE = 200  # columns where nobody watches: nothing is cut off in a pipe
Counting = Callable[[int, int], None]


class Usage(Explained):
    """The command was asked for something that it does not understand, or cannot run here."""


class Terminal:
    """One run of one command: who acts, in which language, for whom the answer is."""

    def __init__(self, *, as_json: bool = False, locale: str | None = None, login: str | None = None) -> None:
        self.as_json, self.login = as_json, login
        self._locale = locale
        self._settings: Settings | None = None

    # -- what is given ---------------------------------------------------------------------------------

    @property
    def settings(self) -> Settings:
        """The settings of the environment, read when first needed."""
        if self._settings is None:
            from config.settings import load_settings

            self._settings = load_settings()
        return self._settings

    @property
    def locale(self) -> str:
        """The reader's language: ``--lang``, else the installation's."""
        if self._locale is None:
            self._locale = self.settings.locale
        return self._locale

    @contextmanager
    def database(self, *, migrated: bool = False) -> Iterator[Database]:
        """The installation's database; ``migrated`` where a command may be the first of an installation."""
        import psycopg

        from milepost.clock import SystemClock
        from milepost.programmes import register_machines
        from milepost.runtime import open_database

        # The application's role may not be there before the first migration.
        probed = self.settings.migration_url if migrated else self.settings.database_url
        if probed is not None:
            # The pool would try for half a minute; somebody who waits at a prompt is told at once.
            psycopg.connect(probed, connect_timeout=5).close()
        clock = SystemClock(self.settings.zone)
        with open_database(self.settings, clock=clock, pool_size=2, migrated=migrated) as database:
            if migrated:
                with database.session() as session:
                    register_machines(session.conn, database.owner_url, thorough=False)
            yield database

    @contextmanager
    def session(self, *, migrated: bool = False) -> Iterator[Session]:
        """One session on that database."""
        with self.database(migrated=migrated) as database, database.session() as session:
            yield session

    def person(self, session: Session) -> Person:
        """The acting person: ``--as LOGIN`` or MILEPOST_AS."""
        from milepost.people import hash_of

        if not self.login:
            raise Usage(
                "nobody_named",
                "请用 --as 登录名（或环境变量 MILEPOST_AS）说明由谁办理；milepost person list 列出所有人。",
                "Say who acts: --as LOGIN, or MILEPOST_AS. `milepost person list` shows everybody.",
            )
        person, _ = hash_of(session, self.login)
        if person is None:
            raise Usage(
                "nobody_known",
                f"没有可用的登录名“{self.login}”；milepost person list 列出所有人。",
                f"Nobody active has the login {self.login!r}. `milepost person list` shows everybody.",
            )
        return person

    def actor(self, session: Session, *, fresh: bool = False, password_stdin: bool = False) -> Actor:
        """The acting person for ``perform``; ``fresh`` asks for the password, as releasing money needs."""
        from milepost.actions import Actor
        from milepost.people import hash_of, verify

        person = self.person(session)
        if not fresh:
            return Actor(person.id)
        password = self.password(f"{person.name} ({person.login})", stdin=password_stdin)
        if not verify(hash_of(session, person.login)[1], password):
            raise Explained(
                "password_wrong", "密码不正确，未做任何更改。", "Wrong password; nothing was changed."
            )
        return Actor(person.id, fresh=True)

    def password(self, whose: str, *, stdin: bool = False) -> str:
        """A password typed unseen, or the first line of stdin where that was asked for."""
        import getpass

        if stdin:
            return sys.stdin.readline().rstrip("\r\n")
        if not sys.stdin.isatty():
            raise Usage(
                "password_needed",
                "此操作需要密码；请在终端中输入，或用 --password-stdin 传入。",
                "This needs a password: type it at a terminal, or hand it in with --password-stdin.",
            )
        return getpass.getpass(self.say(f"{whose} 的密码：", f"Password of {whose}: "), stream=sys.stderr)

    # -- what is said ----------------------------------------------------------------------------------

    def say(self, zh: str, en: str) -> str:
        """One of two texts, in the reader's language."""
        return zh if self.locale == "zh" else en

    def text(self, text: Any) -> str:
        """A text of the product in the reader's language."""
        return self.say(text.zh, text.en)

    def answer(self, value: Any) -> None:
        """The answer for programs."""
        print(json.dumps(value, ensure_ascii=False, indent=2, default=str))

    def line(self, zh: str, en: str) -> None:
        """One line of the answer for people."""
        self.print(self.say(zh, en))

    def print(self, *values: Any) -> None:
        """Anything rich can show, on stdout."""
        console = self._console()
        for value in values:
            console.print(plain(value) if isinstance(value, str) else value, soft_wrap=isinstance(value, str))

    def note(self, zh: str, en: str) -> None:
        """Something told on the way, on stderr."""
        print(plain(self.say(zh, en)), file=sys.stderr, flush=True)

    def table(self, heads: Sequence[tuple[str, str]], rows: Sequence[Sequence[Any]], title: str = "") -> None:
        """A table; columns whose every cell is a number or empty stand to the right."""
        from rich.table import Table
        from rich.text import Text

        shown = [["" if cell is None else plain(str(cell)) for cell in row] for row in rows]
        table = Table(
            title=plain(title) if title else None,
            title_justify="left",
            header_style="bold",
            show_header=any(any(head) for head in heads),
        )
        for index, head in enumerate(heads):
            cells = [row[index] for row in rows]
            numbers = any(cells) and all(isinstance(cell, int) or cell in (None, "") for cell in cells)
            table.add_column(self.say(*head), justify="right" if numbers else "left", overflow="fold")
        for row in shown:
            table.add_row(*(Text(cell) for cell in row))
        self._console().print(table)

    def refusals(self, refusals: Sequence[Refusal], programme: Programme | None = None) -> None:
        """Every refusal with fact, remedy and who can act."""
        from states.labels import role_label, worded

        for refusal in refusals:
            told = worded(refusal, self.locale, programme)
            who = self.say("、", ", ").join(self.text(role_label(role)) for role in told.who)
            self.line(f"✗ {told.fact('zh')}", f"✗ {told.fact('en')}")
            self.line(
                f"  {told.remedy('zh')}（可办理：{who}）", f"  {told.remedy('en')} (Who can act: {who})"
            )

    @contextmanager
    def progress(self, zh: str, en: str) -> Iterator[Counting | None]:
        """A bar on stderr for long work: what it gives is told (done, total). None where nobody watches."""
        if self.as_json or not sys.stderr.isatty():
            yield None
            return
        from rich.console import Console
        from rich.progress import Progress

        with Progress(console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task(self.say(zh, en), total=None)
            yield lambda done, total: bar.update(task, completed=done, total=total)

    def _console(self) -> Any:
        from rich.console import Console

        return Console(
            width=None if sys.stdout.isatty() else WIDE, markup=False, highlight=False, emoji=False
        )

    # -- what goes wrong -------------------------------------------------------------------------------

    def run(self, command: Callable[[], int | None]) -> int:
        """Run a command; whatever can go wrong for a reason becomes a sentence and an exit code."""
        try:
            return command() or OK
        except KeyboardInterrupt:
            return 130
        except BrokenPipeError:
            # Whoever read has enough; the interpreter must not complain when it closes stdout.
            sys.stderr.close()
            return OK
        except Explained as error:
            code = USAGE if isinstance(error, Usage) else REFUSED
            self._fail(code, error.code, error.zh, error.en, {})
            return code
        except Exception as error:
            failure = _settings(error)
            if failure is None:
                from milepost.cli.failures import told

                failure = told(error)
            if failure is None:
                raise
            self._fail(*failure)
            return failure[0]

    def _fail(self, code: int, name: str, zh: str, en: str, more: dict[str, Any]) -> None:
        if self.as_json:
            self.answer({"ok": False, "error": {"code": name, "zh": zh, "en": en}, **more})
        locale = self._locale or self._quiet_locale()
        for line in (zh if locale == "zh" else en).splitlines():
            print(plain(line), file=sys.stderr)

    def _quiet_locale(self) -> str:
        """The language for an error of the settings themselves."""
        try:
            return self.locale
        except Exception:
            return "zh"


def _settings(error: Exception) -> tuple[int, str, str, str, dict[str, Any]] | None:
    """Wrong settings are told before anything else is loaded."""
    from config.settings import SettingsError

    if not isinstance(error, SettingsError):
        return None
    return USAGE, "settings", f"环境变量有误：\n{error}", str(error), {}


def plain(text: str) -> str:
    """What somebody typed into a title must not move the reader's cursor."""
    return "".join(c if c.isprintable() or c == "\n" else "�" for c in text)


__all__ = ["OK", "REFUSED", "USAGE", "Counting", "Terminal", "Usage", "plain"]
