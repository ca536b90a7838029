"""A bank's XML is read without trust: no DOCTYPE, no entities, no network, one namespace, a bounded size.

Whatever is wrong with a file becomes a `FileUnreadable` with the line. Before the parser sees a file its
opening is read by hand, because a DOCTYPE can stand nowhere else and every attack by entities needs one; so
does a declared encoding in which `<!DOCTYPE` would not look like itself.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

from lxml import etree

from milepost.bank.files.amounts import NotAnAmount, amount_minor_of
from milepost.bank.files.findings import FileUnreadable, finding

Source = Path | bytes | BinaryIO

BYTES_MAX = 256 * 2**20
OPENING_MAX = 64 * 2**10
# In each of these an ASCII character is itself and nothing else, so that the opening can be read by hand.
ENCODINGS = frozenset(
    {"utf-8", "us-ascii", "ascii", "iso-8859-1", "windows-1252", "gbk", "gb2312", "gb18030"}
)
NAMESPACE = "urn:iso:std:iso:20022:tech:xsd:"

_DECLARATION = re.compile(rb"<\?xml\s[^>]*?encoding\s*=\s*[\"']([A-Za-z0-9._\-]+)[\"']")
_NAME_START = re.compile(rb"[A-Za-z_:\x80-\xff]")


@dataclass(frozen=True, slots=True)
class Opening:
    """What a file says of itself before its content: the message with its version, and the namespace."""

    message: str
    namespace: str


def opened(source: Source, *, bytes_max: int = BYTES_MAX) -> BinaryIO:
    """The file from its first byte, to be read as often as needed; too large or empty is refused."""
    if isinstance(source, bytes):
        handle: BinaryIO = BytesIO(source)
    elif isinstance(source, Path):
        handle = source.open("rb")
    else:
        handle = source
    size = handle.seek(0, 2)
    handle.seek(0)
    if 0 < size <= bytes_max:
        return handle
    if handle is not source:
        handle.close()
    said = finding("file_too_large", "file", most=bytes_max) if size else finding("file_empty", "file")
    raise FileUnreadable(said)


def digest_of(handle: BinaryIO) -> str:
    """The SHA-256 of the whole file, in hexadecimal; read in pieces."""
    handle.seek(0)
    digest = sha256()
    while piece := handle.read(2**16):
        digest.update(piece)
    return digest.hexdigest()


def read_opening(handle: BinaryIO, family: str) -> Opening:
    """The message of a family (``camt.053.001``) that the file holds, or `FileUnreadable`."""
    handle.seek(0)
    head = handle.read(OPENING_MAX)
    refuse_disguise(head)
    end = _root_tag_ends(head)
    tag = _root_tag(head[:end])
    found = re.fullmatch(r"\{(.*)\}(.*)", tag)
    namespace, root = (found[1], found[2]) if found else ("", tag)
    message = namespace.removeprefix(NAMESPACE)
    if root != "Document" or re.fullmatch(re.escape(NAMESPACE + family) + r"\.[0-9]{2}", namespace) is None:
        shown = message if root == "Document" and message else f"<{tag[:80]}>"
        raise FileUnreadable(
            finding("xml_message", "file", found=shown, expected=family).at(line=_line(head, end))
        )
    return Opening(message, namespace)


def refuse_disguise(head: bytes) -> None:
    """Refuse an opening in an encoding that is not read, or with a DOCTYPE."""
    wide = head[:2] in (b"\xff\xfe", b"\xfe\xff") or (head[:4].strip(b"\0")[:1] == b"<" and b"\0" in head[:8])
    if wide:
        raise FileUnreadable(finding("xml_encoding", "file", encoding="UTF-16/UTF-32").at(line=1))
    declared = _DECLARATION.match(head.removeprefix(b"\xef\xbb\xbf").lstrip())
    if declared is not None and declared[1].decode().lower() not in ENCODINGS:
        raise FileUnreadable(finding("xml_encoding", "file", encoding=declared[1].decode()).at(line=1))
    _root_starts(head)


def _root_starts(head: bytes) -> int:
    """Where the root element starts. Before it there may be a declaration, comments and instructions only."""
    at = 3 if head.startswith(b"\xef\xbb\xbf") else 0
    while True:
        while head[at : at + 1].isspace():
            at += 1
        if head.startswith(b"<?", at):
            close, skip = b"?>", 2
        elif head.startswith(b"<!--", at):
            close, skip = b"-->", 4
        elif head.startswith(b"<!", at):
            raise FileUnreadable(finding("xml_doctype", "file").at(line=_line(head, at)))
        elif head[at : at + 1] == b"<" and _NAME_START.match(head, at + 1):
            return at
        else:
            raise _no_start(head, at)
        end = head.find(close, at + skip)
        if end < 0:
            raise _no_start(head, at)
        at = end + len(close)


def _root_tag_ends(head: bytes) -> int:
    at = _root_starts(head)
    # A ">" may stand in an attribute's value, so values are stepped over.
    tag = re.compile(rb"<(?:[^<>\"']|\"[^\"<]*\"|'[^'<]*')*>").match(head, at)
    if tag is None:
        raise _no_start(head, at)
    return tag.end()


def _root_tag(start: bytes) -> str:
    parser = etree.XMLPullParser(events=("start",), resolve_entities=False, no_network=True)
    try:
        parser.feed(start)
        for _, element in parser.read_events():
            return str(element.tag)
    except etree.XMLSyntaxError as error:
        raise _unreadable(error, None, None) from None
    raise _no_start(start, 0)


def _no_start(head: bytes, at: int) -> FileUnreadable:
    return FileUnreadable(finding("xml_no_start", "file", most=OPENING_MAX).at(line=_line(head, at)))


def _line(head: bytes, at: int) -> int:
    return head.count(b"\n", 0, at) + 1


def walk(handle: BinaryIO, opening: Opening, wanted: Collection[str]) -> Iterator[tuple[str, str, Any]]:
    """Start and end of the wanted elements, ``(event, name, element)``, in one pass from the first byte.

    Whoever walks lets go of what it has read (`forget`), so that memory holds one element at a time.
    """
    handle.seek(0)
    prefix = f"{{{opening.namespace}}}"
    context = etree.iterparse(
        handle,
        events=("start", "end"),
        tag=[prefix + name for name in wanted],
        resolve_entities=False,
        load_dtd=False,
        no_network=True,
        huge_tree=False,
        # A comment in the middle of a value would hide the rest of it.
        remove_comments=True,
        remove_pis=True,
    )
    # One event is held back: of a tag in which the file breaks off the parser first says that it starts.
    held: tuple[str, str, Any] | None = None
    try:
        for event, element in context:
            if held is not None:
                yield held
            held = event, element.tag[len(prefix) :], element
    except etree.XMLSyntaxError as error:
        raise _unreadable(error, context.error_log, handle) from None
    if held is not None:
        yield held


def _unreadable(error: Any, log: Any, handle: BinaryIO | None) -> FileUnreadable:
    """The parser's complaint with its line, which for some complaints stands in its log only."""
    code, line, what = error.code, error.lineno or 0, error.msg or "unreadable"
    entries = list(log) if log is not None and not line else []
    if entries:
        code, line, what = entries[0].type, entries[0].line, entries[0].message
    if code == etree.ErrorTypes.ERR_TAG_NOT_FINISHED or (handle is not None and _breaks_off(handle, line)):
        return FileUnreadable(finding("xml_truncated", "file").at(line=line))
    what = re.sub(r", line \d+, column \d+$", "", what.splitlines()[0]).rstrip(".")
    return FileUnreadable(finding("xml_broken", "file", what=what[:200]).at(line=line))


def _breaks_off(handle: BinaryIO, line: int) -> bool:
    """Whether the complaint is about the last line and that line does not end as XML does."""
    handle.seek(0)
    lines, last = 1, b""
    while piece := handle.read(2**16):
        lines, last = lines + piece.count(b"\n"), piece
    return line == lines and not last.endswith(b">")


def placed(element: Any, parent: str, namespace: str) -> None:
    """Refuse an element that stands anywhere but in its parent: taken out it would say something else."""
    above = element.getparent()
    if above is None or above.tag != f"{{{namespace}}}{parent}":
        node = Node(element, namespace)
        where = "" if above is None else str(above.tag).rpartition("}")[2]
        raise node.refuse("element_misplaced", element=node.name, where=where)


def forget(element: Any) -> None:
    """Let go of an element that was read and of the one before it, which the parser no longer needs."""
    element.clear(keep_tail=True)
    before = element.getprevious()
    if before is not None and before.tag == element.tag:
        element.getparent().remove(before)


class Node:
    """An element read strictly: a child that may be there once and is there twice refuses the file."""

    __slots__ = ("_children", "_cut", "_prefix", "element", "row")

    def __init__(self, element: Any, namespace: str, row: int = 0) -> None:
        self.element = element
        self.row = row
        self._prefix = f"{{{namespace}}}"
        self._cut = len(self._prefix)
        children: dict[str, list[Any]] = {}
        for child in element:
            tag = child.tag
            # What another namespace says (supplementary data) is none of the message.
            if isinstance(tag, str) and tag.startswith(self._prefix):
                children.setdefault(tag[self._cut :], []).append(child)
        self._children = children

    @property
    def name(self) -> str:
        """The element's name without its namespace."""
        return str(self.element.tag)[self._cut :]

    @property
    def line(self) -> int:
        """The line it starts on."""
        return int(self.element.sourceline or 0)

    def __contains__(self, name: str) -> bool:
        return name in self._children

    def all(self, name: str) -> list[Node]:
        """The children of that name, in order."""
        namespace = self._prefix[1:-1]
        return [Node(child, namespace, self.row) for child in self._children.get(name, ())]

    def one(self, name: str) -> Node | None:
        """The child of that name, or None."""
        found = self._children.get(name)
        if found is None:
            return None
        if len(found) > 1:
            raise self.refuse("element_repeated", element=name, where=self.name)
        return Node(found[0], self._prefix[1:-1], self.row)

    def at(self, *path: str) -> Node | None:
        """The element at the end of the path, or None where it breaks off."""
        node: Node | None = self
        for name in path:
            if node is None:
                return None
            node = node.one(name)
        return node

    def text(self, *path: str) -> str:
        """The text at the end of the path, blanks around it taken off; empty where there is none."""
        *way, last = path
        node = self.at(*way)
        if node is None:
            return ""
        found = node._children.get(last)
        if found is None:
            return ""
        if len(found) > 1:
            raise node.refuse("element_repeated", element=last, where=node.name)
        return (found[0].text or "").strip()

    def texts(self, name: str) -> tuple[str, ...]:
        """The texts of all children of that name that have one."""
        found = ((child.text or "").strip() for child in self._children.get(name, ()))
        return tuple(text for text in found if text)

    def needed(self, *path: str) -> str:
        """The text at the end of the path, which must be there."""
        text = self.text(*path)
        if not text:
            raise self.refuse("element_missing", element="/".join(path), where=self.name)
        return text

    def amount(self, *path: str, field: str = "amount") -> tuple[int, str] | None:
        """Minor units and currency of the amount at the end of the path, exactly, or None without one."""
        node = self.at(*path)
        if node is None:
            return None
        currency = str(node.element.get("Ccy") or "")
        try:
            return amount_minor_of((node.element.text or "").strip(), currency), currency
        except NotAnAmount as wrong:
            said = wrong.finding
            place = finding(said.code, field, **dict(said.params)).at(row=self.row, line=node.line)
            raise FileUnreadable(place) from None

    def day(self, name: str) -> date | None:
        """The day of a date, or of a moment as the bank's clock shows it."""
        choice = self.one(name)
        if choice is None:
            return None
        text = choice.text("Dt") or choice.text("DtTm") or (choice.element.text or "").strip()
        if not text:
            return None
        try:
            return date.fromisoformat(text[:10])
        except ValueError:
            raise self.refuse("value_unreadable", element=name, value=text[:40]) from None

    def moment(self, *path: str) -> datetime | None:
        """The moment at the end of the path, with a time zone where the bank gave one."""
        text = self.text(*path)
        if not text:
            return None
        try:
            return datetime.fromisoformat(text)
        except ValueError:
            raise self.refuse("value_unreadable", element=path[-1], value=text[:40]) from None

    def flag(self, name: str) -> bool:
        """A truth value; without one, no."""
        text = self.text(name)
        if text not in ("", "true", "false", "1", "0"):
            raise self.refuse("value_unreadable", element=name, value=text[:40])
        return text in ("true", "1")

    def whole(self, *path: str) -> int | None:
        """A whole number that is not below zero, or None without one."""
        text = self.text(*path)
        if not text:
            return None
        if not (text.isascii() and text.isdigit() and len(text) <= 18):
            raise self.refuse("value_unreadable", element=path[-1], value=text[:40])
        return int(text)

    def refuse(self, code: str, **params: object) -> FileUnreadable:
        """The refusal of the file because of this element."""
        return FileUnreadable(finding(code, "file", **params).at(row=self.row, line=self.line))


__all__ = [
    "BYTES_MAX",
    "NAMESPACE",
    "OPENING_MAX",
    "Node",
    "Opening",
    "Source",
    "digest_of",
    "forget",
    "opened",
    "placed",
    "read_opening",
    "refuse_disguise",
    "walk",
]
