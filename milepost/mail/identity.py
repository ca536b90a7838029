"""The identity of a mail follows from what it is about and for whom, so that all its copies share one."""

from __future__ import annotations

from uuid import UUID, uuid5

from states.case import NAMESPACE

# Never a real domain: a Message-ID names the mail and is no address.
MAIL_DOMAIN = "milepost.invalid"


def message_key(source: str, recipient_id: UUID | str) -> UUID:
    """The id of the mail about a source for a person."""
    return uuid5(NAMESPACE, f"message:{source}:{recipient_id}")


def message_id(key: UUID) -> str:
    """The Message-ID of a mail, the same in every copy of it."""
    return f"<{key}@{MAIL_DOMAIN}>"


__all__ = ["MAIL_DOMAIN", "message_id", "message_key"]
