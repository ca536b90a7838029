"""An event that is edited, dropped, moved, doubled or brought in from elsewhere breaks its chain visibly."""

import json
from dataclasses import replace
from datetime import date
from decimal import Decimal
from hashlib import sha256
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milepost.evidence.chain import (
    GENESIS,
    EvidenceError,
    Link,
    canonical,
    check_chain,
    event_hash,
    genesis,
    head_leaf,
)

PROJECT = UUID("12345678-1234-5678-1234-567812345678")

exact = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def chain(count: int, project: UUID = PROJECT) -> list[Link]:
    rows, prev = [], genesis(project)
    for seq in range(1, count + 1):
        body = canonical({"seq": seq, "step": "milestone.accept", "note": "验收"})
        rows.append(Link(seq, prev, body, event_hash(prev, body)))
        prev = rows[-1].hash
    return rows


def codes(rows, **options) -> list[tuple[int, str]]:
    return [(fault.seq, fault.code) for fault in check_chain(PROJECT, rows, **options)]


# --- canonical bytes ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("obj", "text"),
    [
        ({}, "{}"),
        ({"b": 1, "a": [True, None, {"z": "", "y": -1}]}, '{"a":[true,null,{"y":-1,"z":""}],"b":1}'),
        ({"项目": "柳州"}, '{"项目":"柳州"}'),
        ({"t": (1, 2)}, '{"t":[1,2]}'),
        ({"q": 'a"\\\n\u0001'}, '{"q":"a\\"\\\\\\n\\u0001"}'),
        ({"n": 2**63}, '{"n":9223372036854775808}'),
    ],
)
def test_object_has_one_byte_string(obj, text):
    assert canonical(obj) == text.encode()


@given(st.dictionaries(st.text(), exact))
def test_canonical_bytes_read_back_and_do_not_depend_on_the_order_of_keys(obj):
    stored = canonical(obj)
    assert json.loads(stored) == obj
    assert canonical(dict(reversed(obj.items()))) == stored
    assert canonical(json.loads(stored)) == stored


@pytest.mark.parametrize(
    ("value", "place"),
    [
        (1.0, "$.a"),
        ([0, float("nan")], "$.a[1]"),
        ({"b": float("inf")}, "$.a.b"),
        (Decimal("1.5"), "$.a"),
        (date(2026, 1, 5), "$.a"),
        (PROJECT, "$.a"),
        (b"bytes", "$.a"),
        ({1, 2}, "$.a"),
        ({1: "one"}, "$.a.1"),
    ],
)
def test_value_without_one_written_form_is_refused_by_its_place(value, place):
    with pytest.raises(EvidenceError) as caught:
        canonical({"a": value})
    assert caught.value.code == "not_canonical"
    assert place in caught.value.zh and place in caught.value.en


@pytest.mark.parametrize("value", [[1], "text", 1, None])
def test_only_an_object_is_canonical(value):
    with pytest.raises(EvidenceError):
        canonical(value)


def test_half_a_surrogate_pair_is_refused():
    with pytest.raises(EvidenceError) as caught:
        canonical({"a": "\ud800"})
    assert caught.value.code == "text_not_unicode"


# --- hashes ------------------------------------------------------------------------------------


def test_hash_is_sha256_over_the_previous_hash_and_the_stored_bytes():
    assert event_hash(GENESIS, b"body") == sha256(bytes(32) + b"body").digest()
    assert genesis(PROJECT) == sha256(b"milepost:" + PROJECT.bytes).digest()


@pytest.mark.parametrize("prev", [b"", bytes(31), bytes(33)])
def test_previous_hash_of_another_length_is_refused(prev):
    with pytest.raises(EvidenceError) as caught:
        event_hash(prev, b"body")
    assert caught.value.code == "hash_length"


def test_no_two_projects_begin_alike():
    assert len({genesis(uuid4()) for _ in range(1000)} | {GENESIS}) == 1001


def test_head_leaf_has_one_written_form():
    expected = f'{{"hash":"{"ab" * 32}","project":"{PROJECT}","seq":7}}'
    assert head_leaf(PROJECT, 7, bytes.fromhex("ab" * 32)) == expected.encode()


# --- the check ---------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [0, 1, 2, 50])
def test_intact_chain_has_no_fault(count):
    rows = chain(count)
    assert check_chain(PROJECT, rows) == []
    if rows:
        assert check_chain(PROJECT, iter(rows), head=(count, rows[-1].hash)) == []


def test_chain_that_grew_since_its_head_was_recorded_has_no_fault():
    rows = chain(5)
    assert check_chain(PROJECT, rows, head=(3, rows[2].hash)) == []


def _edited(rows):
    rows[2] = replace(rows[2], body=rows[2].body.replace(b"accept", b"reject"))
    return rows


def _rehashed(rows):
    rows = _edited(rows)
    rows[2] = replace(rows[2], hash=event_hash(rows[2].prev, rows[2].body))
    return rows


TAMPERED = [
    ("an edited body", _edited, [(3, "wrong_hash")]),
    ("an edited body with its hash made to match", _rehashed, [(4, "wrong_previous")]),
    ("an event deleted", lambda r: r[:2] + r[3:], [(4, "gap"), (4, "wrong_previous")]),
    ("the first event deleted", lambda r: r[1:], [(2, "gap"), (2, "wrong_previous")]),
    (
        "two events swapped",
        lambda r: [r[0], r[2], r[1], *r[3:]],
        [
            (3, "gap"),
            (3, "wrong_previous"),
            (2, "out_of_order"),
            (2, "wrong_previous"),
            (4, "gap"),
            (4, "wrong_previous"),
        ],
    ),
    ("an event repeated", lambda r: [*r, r[4]], [(5, "out_of_order"), (5, "wrong_previous")]),
    (
        "the place of an event changed",
        lambda r: [*r[:4], replace(r[4], seq=6)],
        [(6, "gap")],
    ),
    ("a hash cut short", lambda r: [*r[:4], replace(r[4], hash=r[4].hash[:31])], [(5, "wrong_hash")]),
    (
        "a previous hash cut short",
        lambda r: [*r[:4], replace(r[4], prev=r[4].prev[:31])],
        [(5, "wrong_previous"), (5, "wrong_hash")],
    ),
    ("another project's chain", lambda r: chain(5, UUID(int=1)), [(1, "wrong_genesis")]),
    (
        "an event brought in from another chain",
        lambda r: [*r[:4], chain(5, UUID(int=1))[4]],
        [(5, "wrong_previous")],
    ),
]


@pytest.mark.parametrize(("tamper", "faults"), [t[1:] for t in TAMPERED], ids=[t[0] for t in TAMPERED])
def test_tampering_shows(tamper, faults):
    assert codes(tamper(chain(5))) == faults


@pytest.mark.parametrize(
    ("rows", "fault"),
    [
        (chain(5)[:3], (3, "truncated")),
        ([], (5, "empty")),
        (chain(5, UUID(int=1)), (5, "wrong_head")),
    ],
)
def test_cut_off_or_replaced_chain_shows_against_the_head_on_record(rows, fault):
    assert fault in codes(rows, head=(5, chain(5)[-1].hash))


def test_chain_rewritten_as_a_whole_shows_only_against_the_head_on_record():
    rewritten, prev = [], genesis(PROJECT)
    for row in _edited(chain(5)):
        rewritten.append(replace(row, prev=prev, hash=event_hash(prev, row.body)))
        prev = rewritten[-1].hash
    assert codes(rewritten) == []
    assert codes(rewritten, head=(5, chain(5)[-1].hash)) == [(5, "wrong_head")]


@given(st.integers(1, 12), st.data())
def test_any_changed_bit_shows(count, data):
    rows = chain(count)
    index = data.draw(st.integers(0, count - 1))
    part = data.draw(st.sampled_from(["prev", "body", "hash"]))
    value = bytearray(getattr(rows[index], part))
    value[data.draw(st.integers(0, len(value) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    rows[index] = replace(rows[index], **{part: bytes(value)})
    assert codes(rows)


@given(st.permutations(range(6)))
def test_any_other_order_shows(order):
    rows = chain(6)
    assert (codes([rows[i] for i in order]) == []) == (list(order) == list(range(6)))


def test_fault_states_the_fact_in_both_languages():
    fault = check_chain(PROJECT, chain(5)[:1] + chain(5)[3:])[0]
    assert (fault.zh, fault.en) == (
        "第 4 号事件：之前缺少第 2–3 号事件。",
        "Event 4: event 2–3 before it is missing.",
    )
