"""Text inside XML, for what we write: escaped, and crashing on what XML cannot hold."""

from __future__ import annotations

import re

_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def safe(text: str) -> str:
    """The text as XML holds it; a character that XML cannot hold is a mistake of ours and crashes."""
    if _NOT_XML.search(text):
        raise ValueError("a text holds characters that XML cannot hold")
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")


def element(name: str, text: str) -> str:
    """An element with a text in it."""
    return f"<{name}>{safe(text)}</{name}>"


__all__ = ["element", "safe"]
