"""A draw's random value is public, named in advance, and nobody here could have known or chosen it.

Two kinds. A *drand* value is a round of a public network: its signature is checked here, offline, against
the network's public key, and the moment at which the round appears follows from its number. A *figure* is
what others publish on a named day; that it is the right one anyone can look up, and nothing here can.

Only networks listed in ``CHAINS`` are trusted: with a key of its own an office could sign whatever it likes.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256

from schema.money import Explained
from states.commitment import Committed, DrandSource, FigureSource
from states.seating import Finding


@dataclass(frozen=True, slots=True)
class Chain:
    """A drand network: who signs (``public_key``, hex), from when on, and how often."""

    name: str
    public_key: str
    period_s: int
    genesis_s: int
    group_hash: str
    chained: bool
    signature_digits: int

    def hash(self) -> str:
        """The network's chain hash by drand's own rule: it binds key, period and first moment."""
        head = self.period_s.to_bytes(4, "big") + self.genesis_s.to_bytes(8, "big")
        # The oldest network is hashed without its name, "default".
        name = b"" if self.name == "default" else self.name.encode()
        return sha256(head + bytes.fromhex(self.public_key + self.group_hash) + name).hexdigest()

    def appears_s(self, number: int) -> int:
        """When a round appears, in seconds since 1970."""
        return self.genesis_s + (number - 1) * self.period_s

    def first_round_from(self, moment: datetime) -> int:
        """The first round that appears at this moment or later: the one to announce."""
        return max(1, 1 - (self.genesis_s - int(moment.timestamp())) // self.period_s)


_LEAGUE_OF_ENTROPY = (
    Chain(
        name="quicknet",
        public_key="83cf0f2896adee7eb8b5f01fcad3912212c437e0073e911fb90022d3e760183c8c4b450b6a0a6c3ac6a5776a2d106451"
        "0d1fec758c921cc22b0e17e63aaf4bcb5ed66304de9cf809bd274ca73bab4af5a6e9c76a4bc09e76eae8991ef5ece45a",
        period_s=3,
        genesis_s=1692803367,
        group_hash="f477d5c89f21a17c863a7f937c6a6d15859414d2be09cd448d4279af331c5d3e",
        chained=False,
        signature_digits=96,
    ),
    Chain(
        name="default",
        public_key="868f005eb8e6e4ca0a47c8a77ceaa5309a47978a7c71bc5cce96366b5d7a569937c529eeda66c7293784a9402801af31",
        period_s=30,
        genesis_s=1595431050,
        group_hash="176f93498eac9ca337150b46d21dd58673ea4e3581185f869672e59fa4cb390a",
        chained=True,
        signature_digits=192,
    ),
)
CHAINS: Mapping[str, Chain] = {
    "52db9ba70e0cc0f6eaf7803dd07447a1f5477735fd3f661792ba94600c84e971": _LEAGUE_OF_ENTROPY[0],
    "8990e7a9aaed2ffed73dbd7092123d6f289930540d7651336225dc172e51b2ce": _LEAGUE_OF_ENTROPY[1],
}
"""The public networks by chain hash: quicknet every three seconds, the older one every thirty."""


class ValueRefused(Explained):
    """A published value that has no exact form yet."""


@dataclass(frozen=True, slots=True)
class PublicValue:
    """The value as it was published: its canonical text, when it was taken down, and drand's signatures.

    The text of a drand round is its randomness in lower-case hex. ``previous_signature`` is only for networks
    whose rounds are chained.
    """

    text: str
    taken_at: str
    signature: str = ""
    previous_signature: str = ""


FIGURE_TEXT = re.compile(r"[0-9A-Za-z.+-]+( [0-9A-Za-z.+-]+)*")
FIGURE_LENGTH_MAX = 100


def figure_text(published: str) -> str:
    """A figure in its one exact form: full-width characters narrowed, single blanks, nothing around it.

    ValueRefused, if anything but Latin letters, digits, point, plus and minus remains: a comma is a decimal
    sign to some and a thousands separator to others.
    """
    text = " ".join(unicodedata.normalize("NFKC", published).split())
    if len(text) > FIGURE_LENGTH_MAX or not FIGURE_TEXT.fullmatch(text):
        raise ValueRefused(
            "figure_not_exact",
            f"随机数值“{text[:100]}”写法不唯一：只用数字、字母、小数点、加减号和空格，不用千位分隔符。",
            f"The value “{text[:100]}” has no single form: use digits, letters, point, plus, minus and "
            "blanks, and no thousands separators.",
        )
    return text


def drand_value(signature: str, taken_at: str, previous_signature: str = "") -> PublicValue:
    """The value of a drand round from its signature; whether that is right ``check_value`` says."""
    return PublicValue(
        sha256(bytes.fromhex(signature)).hexdigest(), taken_at, signature.lower(), previous_signature.lower()
    )


def check_source(committed: Committed) -> list[Finding]:
    """Why the announced value could have been known, or cannot be trusted, when the draw was committed."""
    source = committed.source
    if isinstance(source, FigureSource):
        day = committed.committed_at[:10]
        if source.published_on <= day:
            return [_finding("figure_day_not_later", day=source.published_on, committed=day)]
        return []
    chain = CHAINS.get(source.chain_hash)
    if chain is None:
        return [_finding("chain_unknown", hash=source.chain_hash)]
    found = []
    if source.public_key != chain.public_key:
        found.append(_finding("chain_key_wrong", name=chain.name))
    appears_s = chain.appears_s(source.round)
    if appears_s <= datetime.fromisoformat(committed.committed_at).timestamp():
        found.append(
            _finding(
                "value_before_commitment",
                round=source.round,
                appeared=datetime.fromtimestamp(appears_s, UTC).isoformat(),
                committed=committed.committed_at,
            )
        )
    return found


def check_value(committed: Committed, value: PublicValue) -> list[Finding]:
    """Why a value is not the one that was announced; nothing, if it is (of a figure: if it may be)."""
    taken, source = datetime.fromisoformat(value.taken_at), committed.source
    found = []
    if taken < datetime.fromisoformat(committed.committed_at):
        found.append(_finding("value_taken_first", taken=value.taken_at, committed=committed.committed_at))
    if isinstance(source, FigureSource):
        if value.signature or value.previous_signature:
            found.append(_finding("signature_of_figure"))
        if len(value.text) > FIGURE_LENGTH_MAX or not FIGURE_TEXT.fullmatch(value.text):
            found.append(_finding("value_not_exact", text=value.text[:100]))
        # The day is that of the announcement's own calendar, whichever offset the later moment has.
        day = taken.astimezone(datetime.fromisoformat(committed.committed_at).tzinfo).date().isoformat()
        if day < source.published_on:
            found.append(_finding("value_taken_early", taken=value.taken_at, from_when=source.published_on))
        return found
    return found + _check_round(source, value, taken)


def _check_round(source: DrandSource, value: PublicValue, taken: datetime) -> list[Finding]:
    chain = CHAINS.get(source.chain_hash)
    if chain is None:
        # check_source has said so; a signature under an unknown key proves nothing.
        return []
    found = []
    appears_s = chain.appears_s(source.round)
    if taken.timestamp() < appears_s:
        appears = datetime.fromtimestamp(appears_s, UTC).isoformat()
        found.append(_finding("value_taken_early", taken=value.taken_at, from_when=appears))
    if not _signed(chain, source.round, value):
        found.append(_finding("signature_wrong", round=source.round, name=chain.name))
    elif sha256(bytes.fromhex(value.signature)).hexdigest() != value.text:
        found.append(_finding("value_not_of_signature", round=source.round))
    return found


def _signed(chain: Chain, number: int, value: PublicValue) -> bool:
    """True when the network's own key made the signature of this round."""
    import drand_verify

    digits = re.compile(f"[0-9a-f]{{{chain.signature_digits}}}")
    if not digits.fullmatch(value.signature):
        return False
    # Before the first round of a chain there was the group's hash.
    if chain.chained and not (
        digits.fullmatch(value.previous_signature)
        or (number == 1 and value.previous_signature == chain.group_hash)
    ):
        return False
    if not chain.chained and value.previous_signature:
        return False
    try:
        if chain.chained:
            drand_verify.verify_pedersen_bls_chained(
                number, value.previous_signature, value.signature, chain.public_key
            )
        else:
            drand_verify.verify_bls_unchained_g1_rfc9380(number, value.signature, chain.public_key)
    except ValueError:
        return False
    return True


_WORDS = {
    "figure_day_not_later": (
        "数值公布日 {day} 不晚于承诺日 {committed}：当时可能已知其值。",
        "The figure appears on {day}, which is not after the day of the commitment, {committed}.",
    ),
    "chain_unknown": (
        "不认识这个随机信标网络：{hash}。其公钥归谁所有不明，数值不可采信。",
        "The beacon network {hash} is not known: who holds its key cannot be told, and it proves nothing.",
    ),
    "chain_key_wrong": (
        "公钥不是网络 {name} 的公钥。",
        "The public key is not that of the network {name}.",
    ),
    "value_before_commitment": (
        "信标第 {round} 轮于 {appeared} 公布，早于或等于承诺时间 {committed}：当时已可知其值。",
        "Round {round} appeared at {appeared}, not after the commitment of {committed}: it was known then.",
    ),
    "value_taken_first": (
        "记录称数值取得于 {taken}，早于承诺时间 {committed}。",
        "The value is said to be taken at {taken}, before the commitment of {committed}.",
    ),
    "value_taken_early": (
        "记录称数值取得于 {taken}，而此前（{from_when}）它尚不存在。",
        "The value is said to be taken at {taken}, but it did not exist before {from_when}.",
    ),
    "signature_of_figure": (
        "公布的数值不应带有信标签名。",
        "A published figure carries no signature of a beacon.",
    ),
    "value_not_exact": (
        "数值“{text}”写法不合规定。",
        "The value “{text}” is not written in the one exact form.",
    ),
    "signature_wrong": (
        "信标第 {round} 轮的签名缺失或不是网络 {name} 所签。",
        "The signature of round {round} is missing or was not made by the network {name}.",
    ),
    "value_not_of_signature": (
        "数值不是信标第 {round} 轮签名的 SHA-256。",
        "The value is not the SHA-256 of the signature of round {round}.",
    ),
}


def _finding(code: str, **facts: object) -> Finding:
    zh, en = _WORDS[code]
    return Finding(code, zh.format(**facts), en.format(**facts))
