"""A random value is taken only from the announced source, and only one that nobody knew at the commitment."""

from __future__ import annotations

from dataclasses import replace as but
from datetime import UTC, datetime
from typing import Any

import pytest

from milepost.experts.beacon import (
    CHAINS,
    PublicValue,
    ValueRefused,
    check_value,
    drand_value,
    figure_text,
)
from milepost.experts.draw_record import Record, announce, conclude, write
from milepost.experts.draw_verify import verify
from states.commitment import Committed, DrandSource
from states.drawing import DrawError
from states.seating import Composition
from tests.experts.draw_scene import FIGURE, candidate, committed

# Rounds of the public networks, with the randomness that they published.
QUICKNET, DEFAULT = CHAINS
QUICKNET_ROUND = 657413
QUICKNET_SIGNATURE = (
    "b713718a38ae728dfd477991af2822e08d2f305e47718cef9f7848ce4050e7be41076862b98fad56e91a6b85b89cd97b"
)
QUICKNET_RANDOMNESS = "fc1873a13f3545aeade8401532ef5519920652eee6b0d2b19ca12643b87b3587"
DEFAULT_FIRST = (
    "8d61d9100567de44682506aea1a7a6fa6e5491cd27a0a0ed349ef6910ac5ac20ff7bc3e09d7c046566c9f7f3c6f3b101"
    "04990e7cb424998203d8f7de586fb7fa5f60045417a432684f85093b06ca91c769f0e7ca19268375e659c2a2352b4655"
)
DEFAULT_RANDOMNESS = "101297f1ca7dc44ef6088d94ad5fb7ba03455dc33d53ddb412bbc4564ed986ec"


def figure() -> Committed:
    """A small draw that a figure will decide."""
    return committed([candidate(n) for n in range(6)], Composition(3))


def beacon(number: int = QUICKNET_ROUND, chain: str = QUICKNET) -> Committed:
    source = DrandSource(chain, CHAINS[chain].public_key, number)
    return but(figure(), committed_at=after(chain, number, -3600), source=source)


def after(chain: str, number: int, seconds: int = 5) -> str:
    return datetime.fromtimestamp(CHAINS[chain].appears_s(number) + seconds, UTC).isoformat()


GENUINE = drand_value(QUICKNET_SIGNATURE, after(QUICKNET, QUICKNET_ROUND))
FIRST = drand_value(DEFAULT_FIRST, after(DEFAULT, 1), CHAINS[DEFAULT].group_hash)


@pytest.mark.parametrize(
    ("source", "value", "randomness"),
    [
        (beacon(), GENUINE, QUICKNET_RANDOMNESS),
        (beacon(1, DEFAULT), FIRST, DEFAULT_RANDOMNESS),
    ],
)
def test_a_round_of_a_public_beacon_is_checked_against_the_network_s_own_key(
    source: Committed, value: PublicValue, randomness: str
) -> None:
    record = conclude(announce(source), value)
    assert record.value is not None and record.value.text == randomness
    assert verify(write(record)) == []


@pytest.mark.parametrize(
    ("source", "value", "code"),
    [
        (
            beacon(QUICKNET_ROUND + 1),
            but(GENUINE, taken_at=after(QUICKNET, QUICKNET_ROUND + 1)),
            "signature_wrong",
        ),
        (beacon(), but(GENUINE, signature=""), "signature_wrong"),
        (beacon(), but(GENUINE, signature="00" * 48), "signature_wrong"),
        (beacon(), but(GENUINE, signature=DEFAULT_FIRST), "signature_wrong"),
        (beacon(), but(GENUINE, previous_signature="ab"), "signature_wrong"),
        (beacon(), but(GENUINE, text="0" * 64), "value_not_of_signature"),
        (beacon(), but(GENUINE, taken_at=after(QUICKNET, QUICKNET_ROUND - 10)), "value_taken_early"),
        (beacon(1, DEFAULT), but(FIRST, previous_signature=""), "signature_wrong"),
        (beacon(1, DEFAULT), but(FIRST, previous_signature="00" * 32), "signature_wrong"),
        (beacon(2, DEFAULT), but(FIRST, taken_at=after(DEFAULT, 2)), "signature_wrong"),
    ],
)
def test_a_value_that_is_not_the_announced_round_is_refused_and_found(
    source: Committed, value: PublicValue, code: str
) -> None:
    with pytest.raises(DrawError) as refused:
        conclude(announce(source), value)
    assert [finding.code for finding in refused.value.findings] == [code]
    forged = but(announce(source), value=value)
    assert code in {finding.code for finding in verify(write(forged))}


@pytest.mark.parametrize(
    ("other", "code"),
    [
        ({"committed_at": after(QUICKNET, QUICKNET_ROUND)}, "value_before_commitment"),
        ({"committed_at": after(QUICKNET, QUICKNET_ROUND, 0)}, "value_before_commitment"),
        # A key of one's own could sign whatever one likes.
        ({"source": DrandSource("ab" * 32, CHAINS[QUICKNET].public_key, QUICKNET_ROUND)}, "chain_unknown"),
        ({"source": DrandSource(QUICKNET, CHAINS[DEFAULT].public_key, QUICKNET_ROUND)}, "chain_key_wrong"),
        ({"source": FIGURE, "committed_at": "2026-05-06T00:00:00+08:00"}, "figure_day_not_later"),
        ({"source": FIGURE, "committed_at": "2026-05-07T00:00:00+08:00"}, "figure_day_not_later"),
    ],
)
def test_a_value_that_could_be_known_at_the_commitment_is_refused_and_found(
    other: dict[str, Any], code: str
) -> None:
    early = but(beacon(), **other)
    with pytest.raises(DrawError) as refused:
        announce(early)
    assert [finding.code for finding in refused.value.findings] == [code]
    assert code in {finding.code for finding in verify(write(Record(early, "0" * 64)))}


@pytest.mark.parametrize("name", list(CHAINS))
def test_a_network_s_key_period_and_beginning_are_those_its_chain_hash_binds(name: str) -> None:
    chain = CHAINS[name]
    assert chain.hash() == name
    for number in (1, 2, 1_000_000):
        appears = chain.appears_s(number)
        for early in (0, 1, chain.period_s - 1):
            assert chain.first_round_from(datetime.fromtimestamp(appears - early, UTC)) == number
        assert chain.first_round_from(datetime.fromtimestamp(appears + 1, UTC)) == number + 1
    assert chain.first_round_from(datetime(2001, 1, 1, tzinfo=UTC)) == 1


@pytest.mark.parametrize(
    ("published", "text"),
    [
        ("3417.12", "3417.12"),
        (" ３４１７．１２\n", "3417.12"),
        ("03  11\u300017 22 28 31 + 09", "03 11 17 22 28 31 + 09"),
        ("-0.5", "-0.5"),
        ("3,417.12", None),
        ("3417,12", None),
        ("", None),
        ("  ", None),
        ("三千四百", None),
        ("1" * 101, None),
    ],
)
def test_a_figure_has_one_exact_form_or_none(published: str, text: str | None) -> None:
    if text is None:
        with pytest.raises(ValueRefused) as refused:
            figure_text(published)
        assert refused.value.zh and refused.value.en
    else:
        assert figure_text(published) == text
        assert check_value(figure(), PublicValue(text, "2026-05-06T15:30:00+08:00")) == []
