"""The environment, read once into typed settings; a wrong value stops the start and says why.

Every setting is a variable `MILEPOST_<NAME>`. All have defaults that work on one machine, so that an
office can begin with none. What differs between programmes is not here but in `config/programmes/`.
"""

from __future__ import annotations

import difflib
import os
import secrets
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

PREFIX = "MILEPOST_"

# Variables of the test suite, which are not settings of the product.
_NOT_SETTINGS = ("MILEPOST_TEST_",)
# Who acts on the command line: of one shell, not of the installation.
_OF_THE_SHELL = ("MILEPOST_AS",)

Port = Annotated[int, Field(ge=1, le=65535)]


class SettingsError(Exception):
    """The environment asks for something that cannot be. Each line names a variable and its remedy."""


class Settings(BaseSettings):
    """Everything an office sets for one installation. Immutable; secrets do not print themselves."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_ignore_empty=True,
        extra="forbid",
        frozen=True,
        use_attribute_docstrings=True,
    )

    database_url: str | None = Field(default=None, repr=False)
    """The office's own PostgreSQL, as the application's role: postgresql://milepost_app:…@host/milepost.
    Without it Milepost runs a PostgreSQL of its own in `data_dir`."""

    owner_url: str | None = Field(default=None, repr=False)
    """The same database as the role that owns the tables; used for migrations only. Default: `database_url`.
    With two roles the application cannot take away the triggers that keep the evidence."""

    data_dir: Path = Path(".milepost")
    """The folder for everything kept on this machine: the embedded database, uploads, the session key."""

    host: str = "127.0.0.1"
    """The address the web listens on. 0.0.0.0 opens it to the network: put a proxy with TLS before it."""

    port: Port = 8800
    """The port the web listens on."""

    public_url: str = ""
    """The address people type and mails link to: https://grants.example.org. Default: host and port."""

    timezone: str = "Asia/Shanghai"
    """Where the office is: deadlines end at the end of the day there."""

    locale: Literal["zh", "en"] = "zh"
    """The language of people who have chosen none, and of mails to people without an account."""

    session_secret: SecretStr | None = None
    """Signs sessions; at least 32 characters, the same on every web process. Default: a random key made
    at the first start and kept in `data_dir`."""

    session_hours: Annotated[int, Field(ge=1, le=24 * 30)] = 12
    """How long a login lasts without use."""

    reauthentication_minutes: Annotated[int, Field(ge=1, le=24 * 60)] = 10
    """How fresh a login must be to release money or change a payee's account."""

    upload_bytes_max: Annotated[int, Field(ge=1)] = 20 * 1024 * 1024
    """The largest file an applicant may hand in."""

    smtp_host: str | None = None
    """The office's mail server. Without it mail goes to the built-in sink and can be read in the pages."""

    smtp_port: Port = 587
    """587 with STARTTLS, 465 with TLS from the start, 25 inside a network of one's own."""

    smtp_username: str | None = None
    """The account at the mail server; none: no login."""

    smtp_password: SecretStr | None = None
    """The password of that account."""

    smtp_starttls: bool = True
    """Refuse to send unless the connection turns to TLS. Without effect on port 465, which is TLS anyway."""

    sender: str = "Milepost <milepost@localhost>"
    """The From line of every mail."""

    mail_sink_port: Port = 8825
    """Where the built-in mail sink listens, on this machine only, when there is no `smtp_host`."""

    bank: Literal["simulated", "files"] = "simulated"
    """How payments reach the bank: `simulated`, one by one to a bank that is none; `files`, as batches that
    finance officers make, with reports and statements coming back as files."""

    bank_account: str | None = Field(default=None, repr=False)
    """The account payments leave: an IBAN, or the number as the bank knows it. Needed for `files`."""

    bank_holder: str = ""
    """Whose account that is, as the bank writes it. Needed for `files`."""

    bank_bic: str = ""
    """The BIC of the bank that keeps it."""

    bank_cnaps: str = ""
    """The twelve digits (联行号) of the branch that keeps it."""

    bank_office: str = Field(default="/", pattern=r"^/([a-z0-9-]+/)*$")
    """The office that keeps the account, such as `/city/`: its finance officers clear up what the bank says
    of no project."""

    bank_format: Literal["pain.001.001.09", "pain.001.001.03", "sheet"] = "pain.001.001.09"
    """The payment files that the bank takes: a version of pain.001, or a spreadsheet (`sheet`)."""

    bank_sheet: Path | None = None
    """The columns of the bank's spreadsheet, as `milepost/bank/files/sheet_example.toml` shows. Needed for
    `sheet`; with a column for the end-to-end id the statement settles by itself."""

    bank_folder: Path | None = None
    """The folder shared with the bank: `out` for our files, `in` for the bank's; what was read goes to
    `read`. All on one file system. Default: `bank` in `data_dir`."""

    prefect_api_url: str | None = None
    """An existing Prefect server, such as http://prefect:4200/api. Without it `serve` starts one beside the
    web."""

    prefect_port: Port = 8842
    """Where the Prefect server that `serve` starts listens, on this machine only."""

    prefect_database_url: str | None = Field(default=None, repr=False)
    """The database of that Prefect server: postgresql+asyncpg://…. Default: a file in `data_dir`, which is
    enough for one machine."""

    @field_validator("database_url", "owner_url")
    @classmethod
    def _is_postgresql(cls, value: str | None) -> str | None:
        if value is None:
            return None
        if not value.startswith(("postgresql://", "postgres://", "postgresql+psycopg://")):
            # The address may carry a password, so it is not repeated.
            raise ValueError("must name a PostgreSQL database: postgresql://role:password@host/database")
        # One spelling for libpq and SQLAlchemy alike.
        return "postgresql://" + value.split("://", 1)[1]

    @field_validator("timezone")
    @classmethod
    def _is_timezone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (KeyError, ValueError, OSError) as error:
            raise ValueError(f"{value!r} is not a time zone; Asia/Shanghai or Europe/Vienna is") from error
        return value

    @field_validator("public_url", "prefect_api_url")
    @classmethod
    def _is_web_address(cls, value: str | None) -> str | None:
        if not value:
            return value
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"{value!r} is not a web address; https://grants.example.org is")
        return value.rstrip("/")

    @field_validator("session_secret")
    @classmethod
    def _is_long_enough(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and len(value.get_secret_value()) < 32:
            raise ValueError("must have at least 32 characters; `openssl rand -hex 32` makes one")
        return value

    @field_validator("sender")
    @classmethod
    def _is_one_header_line(cls, value: str) -> str:
        if "@" not in value or "\n" in value or "\r" in value:
            raise ValueError("must be a mail address: Grants Office <grants@example.org>")
        return value

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.owner_url is not None and self.database_url is None:
            raise ValueError(
                "MILEPOST_OWNER_URL is set but MILEPOST_DATABASE_URL is not: set both, or neither for the "
                "embedded database"
            )
        if self.bank_format == "sheet" and self.bank_sheet is None:
            raise ValueError("MILEPOST_BANK_FORMAT is sheet, so MILEPOST_BANK_SHEET has to name its columns")
        if self.bank == "files" and not (self.bank_account and self.bank_holder):
            raise ValueError(
                "MILEPOST_BANK is files, so MILEPOST_BANK_ACCOUNT and MILEPOST_BANK_HOLDER have to be set"
            )
        if (self.smtp_username is None) != (self.smtp_password is None):
            raise ValueError(
                "MILEPOST_SMTP_USERNAME and MILEPOST_SMTP_PASSWORD go together: set both or neither"
            )
        return self

    @property
    def migration_url(self) -> str | None:
        """Where migrations connect; None: the embedded database's owner."""
        return self.owner_url or self.database_url

    @property
    def embedded(self) -> bool:
        """Whether the database is the one in `data_dir`."""
        return self.database_url is None

    @property
    def base_url(self) -> str:
        """The address for links, without a slash at the end."""
        if self.public_url:
            return self.public_url
        host = "127.0.0.1" if self.host in ("0.0.0.0", "::", "") else self.host
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}"

    @property
    def https(self) -> bool:
        """Whether people reach the pages by TLS, so that cookies can be bound to it."""
        return self.base_url.startswith("https://")

    @property
    def bank_place(self) -> Path:
        """The folder shared with the bank."""
        return self.bank_folder or self.data_dir / "bank"

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.timezone)

    def session_key(self) -> bytes:
        """The key that signs sessions: the one set, else the one kept in `data_dir`, made when missing."""
        if self.session_secret is not None:
            return self.session_secret.get_secret_value().encode()
        path = self.data_dir / "session.key"
        self.data_dir.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            # Made aside and linked into place: of two processes that begin at once, both read one key.
            fresh = self.data_dir / f".session.key.{os.getpid()}.{secrets.token_hex(4)}"
            handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "w") as file:
                file.write(secrets.token_hex(32))
            try:
                os.link(fresh, path)
            except FileExistsError:
                pass
            finally:
                fresh.unlink()
        return path.read_bytes()


def load_settings() -> Settings:
    """The settings of this process's environment, or SettingsError with one line per wrong variable.

    A variable that begins with MILEPOST_ and is no setting is refused: a misspelt name would
    otherwise be a setting that silently does nothing.
    """
    wrong = [_unknown(name) for name in sorted(os.environ) if _is_unknown(name)]
    settings: Settings | None = None
    try:
        settings = Settings()
    except ValidationError as error:
        wrong += [_line(entry["loc"], entry["msg"]) for entry in error.errors(include_input=False)]
    if settings is None or wrong:
        # Not chained: the original error repeats the values, passwords among them.
        raise SettingsError("\n".join(wrong))
    return settings


def _is_unknown(name: str) -> bool:
    if not name.startswith(PREFIX) or name.startswith(_NOT_SETTINGS) or name in _OF_THE_SHELL:
        return False
    return name.removeprefix(PREFIX).lower() not in Settings.model_fields


def _unknown(name: str) -> str:
    known = [PREFIX + field.upper() for field in Settings.model_fields]
    near = difflib.get_close_matches(name, known, n=1)
    return f"{name} is not a setting. " + (
        f"Did you mean {near[0]}?" if near else f"There are: {', '.join(known)}."
    )


def _line(loc: tuple[int | str, ...], message: str) -> str:
    said = message.removeprefix("Value error, ")
    return f"{PREFIX}{str(loc[0]).upper()}: {said}." if loc else f"{said}."
