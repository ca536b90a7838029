"""Tell at which line and column each key and each array element of a valid TOML text stands.

``tomllib`` reads the values and throws the places away, and so do the libraries that keep comments. A
message that cannot name the line makes its reader search, so this scanner walks the same text a second
time and keeps nothing but places. It runs only on text that ``tomllib`` has accepted: it therefore knows
where a value ends and need not judge whether the value is one.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, field

KeyPath = tuple[str | int, ...]

_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_KEY = re.compile(r'[A-Za-z0-9_-]+|"(?:\\.|[^"\\])*"|\'[^\']*\'')
_DOT = re.compile(r"[ \t]*\.[ \t]*")
_STRING = re.compile(
    r'"""(?:\\.|[^\\])*?""""{0,2}' r"|'''.*?''''{0,2}" r'|"(?:\\.|[^"\\])*"' r"|'[^']*'",
    re.DOTALL,
)
_BARE = re.compile(r"[^,\]}\n#]+")


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A line and a column, both counted from one."""

    line: int
    column: int


def locate(text: str) -> dict[KeyPath, Place]:
    """Map every path of the document, such as ``("tranches", 1, "share")``, to where it is written."""
    scanner = _Scanner(text)
    scanner.document()
    return scanner.places


def nearest(places: dict[KeyPath, Place], path: KeyPath) -> Place | None:
    """The place of ``path``, or of the closest thing around it: a missing key is missing in its table."""
    for length in range(len(path), 0, -1):
        if path[:length] in places:
            return places[path[:length]]
    return None


def written(path: KeyPath) -> str:
    """``("tranches", 1, "share")`` as people write it: ``tranches[1].share``, counted from nought."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


@dataclass
class _Scanner:
    text: str
    at: int = 0
    places: dict[KeyPath, Place] = field(default_factory=dict)
    lengths: dict[KeyPath, int] = field(default_factory=dict)

    def document(self) -> None:
        base: KeyPath = ()
        while self._skip() < len(self.text):
            if self.text[self.at] == "[":
                base = self._header()
            else:
                self._pair(base)

    def _header(self) -> KeyPath:
        start, many = self.at, self.text.startswith("[[", self.at)
        self.at += 2 if many else 1
        self._skip()
        path: KeyPath = ()
        for key in self._keys():
            # In [a.b], where a is an array of tables, a stands for its latest element; where a stood nowhere
            # before, it begins here.
            if path:
                self.places.setdefault(path, self._place(start))
            path = (*self._latest(path), key)
        if many:
            self.places.setdefault(path, self._place(start))
            self.lengths[path] = self.lengths.get(path, 0) + 1
        path = self._latest(path)
        self.places.setdefault(path, self._place(start))
        self._skip()
        self.at += 2 if many else 1
        return path

    def _latest(self, path: KeyPath) -> KeyPath:
        return (*path, self.lengths[path] - 1) if path in self.lengths else path

    def _pair(self, base: KeyPath) -> None:
        start = self.at
        path = base
        for key in self._keys():
            path = (*path, key)
            self.places.setdefault(path, self._place(start))
        self._skip()
        self.at += 1  # the equals sign
        self._skip()
        self._value(path)

    def _keys(self) -> list[str]:
        keys = [self._key()]
        while dot := _DOT.match(self.text, self.at):
            self.at = dot.end()
            keys.append(self._key())
        return keys

    def _key(self) -> str:
        word = self._take(_KEY)
        return str(tomllib.loads(f"key = {word}")["key"]) if word[0] in "\"'" else word

    def _value(self, path: KeyPath) -> None:
        first = self.text[self.at]
        if first == "[":
            self._elements(path)
        elif first == "{":
            self._inline_table(path)
        else:
            self._take(_STRING if first in "\"'" else _BARE)

    def _elements(self, path: KeyPath) -> None:
        self.at += 1
        index = 0
        while self.text[self._skip()] != "]":
            if self.text[self.at] == ",":
                self.at += 1
                continue
            self.places[(*path, index)] = self._place(self.at)
            self._value((*path, index))
            index += 1
        self.at += 1

    def _inline_table(self, path: KeyPath) -> None:
        self.at += 1
        while self.text[self._skip()] != "}":
            if self.text[self.at] == ",":
                self.at += 1
                continue
            self._pair(path)
        self.at += 1

    def _skip(self) -> int:
        found = _BLANK.match(self.text, self.at)
        assert found is not None
        self.at = found.end()
        return self.at

    def _take(self, pattern: re.Pattern[str]) -> str:
        found = pattern.match(self.text, self.at)
        assert found is not None, f"tomllib accepted what the locator cannot read at {self._place(self.at)}"
        self.at = found.end()
        return found.group()

    def _place(self, offset: int) -> Place:
        line = self.text.count("\n", 0, offset) + 1
        return Place(line, offset - self.text.rfind("\n", 0, offset))
