"""A description of ours as a web page: headings, paragraphs, lists, tables and code, and nothing else.

The text is ours, and all of it is escaped all the same.
"""

from __future__ import annotations

import re
from html import escape
from itertools import groupby

_INLINE = re.compile(r"`([^`]+)`|\*\*([^*]+)\*\*")
_ITEM = re.compile(r"(- |\d+\. )")


def rendered(text: str) -> str:
    """HTML of a text in the few signs that ``docs/draw.md`` is written in."""
    parts = re.split(r"(?ms)^```\w*\n(.*?)^```\n?", text)
    return "".join(
        f'<pre class="mono">{escape(part)}</pre>' if number % 2 else _blocks(part)
        for number, part in enumerate(parts)
    )


def _blocks(text: str) -> str:
    return "".join(_block(block.splitlines()) for block in re.split(r"\n\s*\n", text) if block.strip())


def _block(lines: list[str]) -> str:
    if lines[0].startswith("#"):
        signs, _, words = lines[0].partition(" ")
        level = min(len(signs), 3)
        return f"<h{level}>{_inline(words)}</h{level}>" + (_block(lines[1:]) if lines[1:] else "")
    if lines[0].startswith("|"):
        return _table([line for line in lines if not re.fullmatch(r"[|\s:-]+", line)])
    if _ITEM.match(lines[0]):
        tag = "ul" if lines[0].startswith("-") else "ol"
        return f"<{tag}>{''.join(f'<li>{_inline(item)}</li>' for item in _items(lines))}</{tag}>"
    # A list may follow its first words without a blank line.
    for start, inside in groupby(enumerate(lines), key=lambda one: bool(_ITEM.match(one[1]))):
        at = next(inside)[0]
        if start and at:
            return _block(lines[:at]) + _block(lines[at:])
    return f"<p>{_inline(' '.join(lines))}</p>"


def _items(lines: list[str]) -> list[str]:
    found: list[str] = []
    for line in lines:
        mark = _ITEM.match(line)
        if mark:
            found.append(line[mark.end() :])
        else:
            found[-1] += " " + line.strip()
    return found


def _table(lines: list[str]) -> str:
    rows = [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in lines]
    head = "".join(f"<th>{_inline(cell)}</th>" for cell in rows[0])
    body = "".join(
        "<tr>" + "".join(f"<td>{_inline(cell)}</td>" for cell in row) + "</tr>" for row in rows[1:]
    )
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _inline(text: str) -> str:
    plain = re.sub(r"\[([^\]]+)\]\(#[^)]*\)", r"\1", text)
    return _INLINE.sub(
        lambda found: f'<span class="mono">{found[1]}</span>' if found[1] else f"<strong>{found[2]}</strong>",
        escape(plain, quote=False),
    )


__all__ = ["rendered"]
