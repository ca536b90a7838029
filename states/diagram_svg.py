"""A machine as one self-contained SVG: the straight line downwards, everything else in a column beside it.

Drawn without another program, so that a page or a letter can carry it anywhere. A step that may be taken from
many states is drawn once, from a bracket along them. ``current`` marks where a subject stands.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from html import escape

from states.diagram import Link, Picture, in_words
from states.labels import noun_label, state_label

ROW, BOX, PORT = 66, 36, 22
MARGIN, GAP, BRACKET = 16, 18, 16
FONT = 13

STYLE = (
    "text{font:13px system-ui,'Noto Sans CJK SC','WenQuanYi Zen Hei',sans-serif;fill:#1e293b}"
    ".step{font-size:12px;fill:#475569;paint-order:stroke;stroke:#fff;stroke-width:3px}"
    "rect{fill:#fff;stroke:#64748b;stroke-width:1.2}"
    "rect.end{fill:#f1f5f9}rect.here{fill:#dbeafe;stroke:#1d4ed8;stroke-width:2}"
    "path,line{fill:none;stroke:#94a3b8;stroke-width:1.2}"
    ".bracket{stroke:#cbd5e1;stroke-width:2}"
)


def width_of(text: str) -> int:
    """About how wide a text is: a Chinese sign is a full square, a Latin letter a little over a half."""
    return sum(FONT if ord(sign) > 0x2E7F or sign in "，、：；（）" else 7 for sign in text)


@dataclass
class Port:
    """Where a link meets a box beside the line: its label, its other end, and which way it points."""

    label: str
    at_y: float
    at_x: float
    inwards: bool
    outwards: bool


@dataclass
class Beside:
    """A box in the column beside the line."""

    state: str
    ports: list[Port] = field(default_factory=list)
    y: float = 0

    @property
    def height(self) -> int:
        """Tall enough for every link that ends here."""
        return max(BOX, PORT * len(self.ports) + 8)


def _height(boxes: list[Beside]) -> int:
    return sum(box.height for box in boxes) + GAP * (len(boxes) - 1)


class Drawing:
    """Lays out one picture and writes it."""

    def __init__(self, drawn: Picture, locale: str, current: str | None) -> None:
        self.drawn, self.locale, self.current = drawn, locale, current
        self.rows = {state: MARGIN + BOX / 2 + n * ROW for n, state in enumerate(drawn.spine)}
        self.boxes = {state: Beside(state) for state in drawn.beside}
        self.links = [each for link in drawn.links for each in self._apart(link)]
        self.parts: list[str] = []
        self.spots: set[tuple[int, int, str]] = set()
        self.box_width = max(width_of(self.words(s)) for s in (*drawn.spine, *drawn.beside)) + 28
        self.left = self._left_width()
        self.spine_x = MARGIN + self.left
        self.spine_right = self.spine_x + self.box_width
        self.bottom = 0.0

    def _apart(self, link: Link) -> list[Link]:
        """A link of many states one by one, unless a bracket along the line can stand for them."""
        near, far = (link.sources, link.targets) if len(link.sources) > 1 else (link.targets, link.sources)
        on_line = [state for state in near if state in self.rows]
        if len(near) == 1 or (len(on_line) > 1 and far[0] in self.boxes):
            beside = [state for state in near if state not in self.rows]
            if len(near) == 1 or not beside:
                return [link]
            kept = tuple(on_line)
            # What stands beside the line has an arrow of its own.
            sides = [((state,), far) if near is link.sources else (far, (state,)) for state in beside]
            whole = (kept, far) if near is link.sources else (far, kept)
            return [Link(a, b, link.labels) for a, b in [whole, *sides]]
        return [Link((a,), (b,), link.labels) for a in link.sources for b in link.targets if a != b]

    def words(self, state: str) -> str:
        """What a state is called."""
        return in_words(state_label(self.drawn.noun, state), self.locale)

    def label(self, link: Link) -> str:
        """What the steps of a link are called."""
        return " / ".join(in_words(text, self.locale) for text in link.labels)

    def write(self) -> str:
        """The whole SVG."""
        brackets = self._brackets()
        self.bracket_x = self.spine_right + max(14, self._step_overhang())
        zone = self.bracket_x + BRACKET * max(1, len(brackets)) + 20
        self._connect(brackets)
        ports = [width_of(port.label) for box in self.boxes.values() for port in box.ports]
        self.label_x = zone + 30
        self.beside_x = self.label_x + max(ports, default=0) + 12
        self._place()
        overhang = max(0, self._step_overhang())
        far = self.beside_x + self.box_width if self.boxes else self.spine_right + overhang
        far += self._across()
        self._draw_line()
        self._draw_beside()
        height = max([*self.rows.values()], default=0) + BOX / 2
        height = max(height, self.bottom) + MARGIN
        title = in_words(noun_label(self.drawn.noun), self.locale)
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {far + MARGIN:.0f} {height:.0f}" '
            f'width="{far + MARGIN:.0f}" height="{height:.0f}" role="img" aria-label="{escape(title)}">'
            f"<title>{escape(title)}</title><style>{STYLE}</style>"
            '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
            'orient="auto-start-reverse"><path d="M0 0L8 4L0 8z" style="fill:#64748b;stroke:none"/>'
            f"</marker></defs>{''.join(self.parts)}</svg>\n"
        )

    # -- the straight line --------------------------------------------------------------------------

    def _is_on_line(self, link: Link) -> bool:
        return len(link.sources) == len(link.targets) == 1 and {*link.sources, *link.targets} <= set(
            self.rows
        )

    def _back(self) -> list[Link]:
        """Links along the line that skip a state or go back; they run on its left."""
        spine = self.drawn.spine
        return [
            link
            for link in self.links
            if self._is_on_line(link) and spine.index(link.targets[0]) != spine.index(link.sources[0]) + 1
        ]

    def _left_width(self) -> int:
        return max((width_of(self.label(link)) + 44 for link in self._back()), default=0)

    def _step_overhang(self) -> int:
        steps = [link for link in self.links if self._is_on_line(link)]
        return max((width_of(self.label(link)) for link in steps), default=0) - self.box_width // 2 + 12

    def _draw_line(self) -> None:
        middle = self.spine_x + self.box_width / 2
        back = self._back()
        for link in self.links:
            if self._is_on_line(link) and link not in back:
                a, b = self.rows[link.sources[0]], self.rows[link.targets[0]]
                self._path(f"M{middle:.0f} {a + BOX / 2:.0f}V{b - BOX / 2 - 1:.0f}")
                self._text(middle + 8, (a + b) / 2 + 4, self.label(link))
        for link in back:
            a, b = self.rows[link.sources[0]], self.rows[link.targets[0]]
            a, b = (a + 6, b + 6) if a > b else (a - 6, b - 6)
            x, bend = self.spine_x, min(40, 16 + abs(a - b) / 10)
            self._path(f"M{x:.0f} {a:.0f}C{x - bend:.0f} {a:.0f} {x - bend:.0f} {b:.0f} {x - 1:.0f} {b:.0f}")
            self._text(x - bend, (a + b) / 2 + 4, self.label(link), "end")
        for state, y in self.rows.items():
            self._box(self.spine_x, y - BOX / 2, BOX, state)

    # -- beside it ------------------------------------------------------------------------------------

    def _brackets(self) -> list[tuple[str, ...]]:
        """The sets of states that share a step, the shortest nearest to the line."""
        groups = {states for link in self.links for states in (link.sources, link.targets) if len(states) > 1}
        return sorted(groups, key=lambda states: (len(states), states))

    def _connect(self, brackets: list[tuple[str, ...]]) -> None:
        for number, states in enumerate(brackets):
            self._draw_bracket(self.bracket_x + number * BRACKET, states)
        for link in self.links:
            for inwards, near, far in (
                (True, link.sources, link.targets),
                (False, link.targets, link.sources),
            ):
                if len(far) == 1 and far[0] in self.boxes:
                    self._port(self.boxes[far[0]], near, self.label(link), inwards, brackets)

    def _port(
        self, box: Beside, near: tuple[str, ...], label: str, inwards: bool, brackets: list[tuple[str, ...]]
    ) -> None:
        rows = [self.rows[state] for state in near if state in self.rows]
        if not rows:
            return
        x, y = self.spine_right, rows[0]
        if near in brackets:
            x, y = self.bracket_x + brackets.index(near) * BRACKET, (rows[0] + rows[-1]) / 2
        for port in box.ports:
            if (port.at_x, port.at_y) == (x, y):
                # There and back again is one line with two tips.
                port.label = port.label if label in port.label else f"{port.label} / {label}"
                port.inwards, port.outwards = port.inwards or inwards, port.outwards or not inwards
                return
        box.ports.append(Port(label, y, x, inwards, not inwards))

    def _draw_bracket(self, x: float, states: tuple[str, ...]) -> None:
        rows = [self.rows[state] for state in states]
        ticks = "".join(f"M{self.spine_right:.0f} {y + 8:.0f}H{x:.0f}" for y in rows)
        self._path(f"{ticks}M{x:.0f} {rows[0] + 8:.0f}V{rows[-1] + 8:.0f}", "bracket", tip=False)

    def _place(self) -> None:
        """Each box near what it belongs to, none over another."""
        middle = sum(self.rows.values()) / len(self.rows)
        wanted = {
            state: sum(port.at_y for port in box.ports) / len(box.ports) if box.ports else middle
            for state, box in self.boxes.items()
        }
        # Pool neighbours that would overlap and give the pool the mean of what its members want.
        pools: list[tuple[float, list[Beside]]] = []
        for state in sorted(self.boxes, key=lambda state: wanted[state]):
            box = self.boxes[state]
            pools.append((wanted[state] - box.height / 2, [box]))
            while len(pools) > 1 and pools[-2][0] + _height(pools[-2][1]) + GAP > pools[-1][0]:
                (upper, above), (lower, under) = pools[-2:]
                lower -= _height(above) + GAP
                mean = (upper * len(above) + lower * len(under)) / (len(above) + len(under))
                pools[-2:] = [(max(mean, MARGIN), above + under)]
        for top, members in pools:
            at = max(top, MARGIN)
            for box in members:
                box.y, at = at, at + box.height + GAP
        self.bottom = max((box.y + box.height for box in self.boxes.values()), default=0)

    def _draw_beside(self) -> None:
        for box in self.boxes.values():
            box.ports.sort(key=lambda port: port.at_y)
            first = box.y + box.height / 2 - PORT * (len(box.ports) - 1) / 2
            for number, port in enumerate(box.ports):
                self._draw_port(port, first + number * PORT + 3)
            self._box(self.beside_x, box.y, box.height, box.state)

    def _draw_port(self, port: Port, y: float) -> None:
        x, from_y = port.at_x, port.at_y + (8 if port.at_x > self.spine_right else 0)
        end = self.beside_x - 1
        bend = (self.label_x - x) / 2
        curve = f"M{x:.0f} {from_y:.0f}C{x + bend:.0f} {from_y:.0f} {self.label_x - bend:.0f} {y:.0f}"
        self._path(f"{curve} {self.label_x:.0f} {y:.0f}H{end:.0f}", tip=port.inwards, tail=port.outwards)
        self._text(end - 8, y - 4, port.label, "end")

    def _across(self) -> int:
        """Links between two boxes of the column; they run on its right. Returns the width they take."""
        links = [
            link for link in self.links if link.sources[0] in self.boxes and link.targets[0] in self.boxes
        ]
        middles = {s: box.y + box.height / 2 for s, box in self.boxes.items()}
        links.sort(key=lambda link: abs(middles[link.sources[0]] - middles[link.targets[0]]))
        x, labels = self.beside_x + self.box_width, dict[tuple[str, str], tuple[float, float]]()
        for lane, link in enumerate(links):
            a, b = middles[link.sources[0]], middles[link.targets[0]]
            shift, bend = (5 if a < b else -5), 24 + 18 * lane
            curve = f"M{x:.0f} {a + shift:.0f}C{x + bend:.0f} {a + shift:.0f} {x + bend:.0f} {b - shift:.0f}"
            self._path(f"{curve} {x + 1:.0f} {b - shift:.0f}")
            # Several arrows of one step to one box need its name once, on the outermost.
            labels[self.label(link), link.targets[0]] = ((a + b) / 2 + 4, x + bend * 0.75 + 6)
        below = -1000.0
        for (words, _), (y, at) in sorted(labels.items(), key=lambda item: item[1]):
            below = max(y, below + 16)
            self._text(at, below, words)
        return max((int(at - x) + width_of(words) for (words, _), (_, at) in labels.items()), default=0)

    # -- strokes -----------------------------------------------------------------------------------------

    def _path(self, curve: str, css: str = "", *, tip: bool = True, tail: bool = False) -> None:
        marks = (' marker-end="url(#tip)"' if tip else "") + (' marker-start="url(#tip)"' if tail else "")
        self.parts.append(f'<path{f" class={css!r}" if css else ""} d="{curve}"{marks}/>')

    def _text(self, x: float, y: float, words: str, anchor: str = "start") -> None:
        # Two bundles may bend at one place: the second name stands below the first.
        while (round(x), round(y), anchor) in self.spots:
            y += FONT + 3
        self.spots.add((round(x), round(y), anchor))
        self.parts.append(
            f'<text class="step" x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}">{escape(words)}</text>'
        )

    def _box(self, x: float, y: float, height: float, state: str) -> None:
        css = "here" if state == self.current else "end" if state in self.drawn.ends else ""
        named = f' class="{css}"' if css else ""
        self.parts.append(
            f'<rect{named} x="{x:.0f}" y="{y:.0f}" width="{self.box_width}" height="{height:.0f}" rx="7"/>'
            f'<text x="{x + self.box_width / 2:.0f}" y="{y + height / 2 + 4.5:.0f}" text-anchor="middle">'
            f"{escape(self.words(state))}</text>"
        )


def svg(drawn: Picture, locale: str = "zh", *, current: str | None = None) -> str:
    """The picture as SVG text; ``current`` is the state to mark."""
    return Drawing(drawn, locale, current).write()
