"""A proof convinces whoever holds the root of what was in the tree, and of nothing else."""

from hashlib import sha256

import pymerkle
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from milepost.evidence.chain import EvidenceError
from milepost.evidence.merkle import (
    EMPTY_ROOT,
    Tree,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    node_hash,
    root,
    verify_consistency,
    verify_inclusion,
)

# The test tree of the Certificate Transparency reference implementation of RFC 6962.
RECORDS = [
    bytes.fromhex(text)
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]

lists = st.lists(st.binary(max_size=4), min_size=1, max_size=40)


@pytest.mark.parametrize(("size", "expected"), list(enumerate(ROOTS)))
def test_root_is_that_of_the_reference(size, expected):
    assert root(RECORDS[:size]).hex() == expected


def test_inclusion_proof_is_that_of_the_reference():
    assert [step.hex() for step in inclusion_proof(RECORDS, 0)] == [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ]


def test_consistency_proof_is_that_of_the_reference():
    assert [step.hex() for step in consistency_proof(RECORDS, 6)] == [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        ROOTS[4],
    ]


def test_proofs_of_the_seven_leaf_tree_are_those_of_the_rfc():
    """RFC 6962, section 2.1.3, which names the nodes of a tree of seven."""
    records = [bytes([n]) for n in range(7)]
    a, b, c, d, e, f, j = map(leaf_hash, records)
    g, h, i = node_hash(a, b), node_hash(c, d), node_hash(e, f)
    k, l = node_hash(g, h), node_hash(i, j)  # noqa: E741  The RFC's own letters.
    tree = Tree(records)
    assert tree.root == node_hash(k, l)
    assert tree.inclusion_proof(0) == [b, h, l]
    assert tree.inclusion_proof(3) == [c, g, l]
    assert tree.inclusion_proof(4) == [f, j, k]
    assert tree.inclusion_proof(6) == [i, k]
    assert tree.consistency_proof(3) == [c, d, g, l]
    assert tree.consistency_proof(4) == [l]
    assert tree.consistency_proof(6) == [i, j, k]
    assert tree.consistency_proof(7) == []


def test_root_of_nothing_is_the_hash_of_nothing():
    assert root([]) == EMPTY_ROOT == sha256(b"").digest()


@given(lists)
def test_root_and_proofs_agree_with_another_implementation(records):
    ours, theirs = Tree(records), pymerkle.InmemoryTree(algorithm="sha256")
    for record in records:
        theirs.append_entry(record)
    size = len(records)
    assert ours.root == theirs.get_root(size)
    for index in range(size):
        # Their path begins with the leaf itself, which RFC 6962 leaves out.
        assert ours.inclusion_proof(index) == theirs.prove_inclusion(index + 1, size).path[1:]
    for first in range(1, size + 1):
        # Their proof of growth splits the tree otherwise; both must lead to the same two roots.
        assert verify_consistency(
            first, size, ours.consistency_proof(first), theirs.get_root(first), theirs.get_root(size)
        )
        pymerkle.verify_consistency(root(records[:first]), ours.root, theirs.prove_consistency(first, size))


@given(lists)
def test_every_record_is_proved_included(records):
    tree = Tree(records)
    for index, record in enumerate(records):
        assert verify_inclusion(record, index, tree.size, tree.inclusion_proof(index), tree.root)


@given(lists)
def test_every_earlier_tree_is_proved_to_have_grown(records):
    tree = Tree(records)
    for first in range(1, tree.size + 1):
        proof = tree.consistency_proof(first)
        assert verify_consistency(first, tree.size, proof, root(records[:first]), tree.root)


@given(lists, st.data())
def test_another_record_place_or_root_is_not_proved_included(records, data):
    tree, index = Tree(records), data.draw(st.integers(0, len(records) - 1))
    proof, record = tree.inclusion_proof(index), records[index]
    assert not verify_inclusion(record + b"!", index, tree.size, proof, tree.root)
    assert not verify_inclusion(record, index, tree.size, proof, sha256(tree.root).digest())
    other = data.draw(st.integers(-1, tree.size))
    assume(other != index)
    if not 0 <= other < tree.size or records[other] != record:
        assert not verify_inclusion(record, other, tree.size, proof, tree.root)


@given(lists, st.data())
def test_tampered_inclusion_proof_fails(records, data):
    tree, index = Tree(records), data.draw(st.integers(0, len(records) - 1))
    for proof in tampered(tree.inclusion_proof(index), data):
        assert not verify_inclusion(records[index], index, tree.size, proof, tree.root)


@given(lists, st.data())
def test_tampered_consistency_proof_fails(records, data):
    tree, first = Tree(records), data.draw(st.integers(1, len(records)))
    for proof in tampered(tree.consistency_proof(first), data):
        assert not verify_consistency(first, tree.size, proof, root(records[:first]), tree.root)


@given(lists, st.data())
def test_tree_whose_past_was_edited_is_not_proved_to_have_grown(records, data):
    first = data.draw(st.integers(1, len(records)))
    edited = list(records)
    edited[data.draw(st.integers(0, first - 1))] += b"!"
    forged = Tree(edited)
    assert not verify_consistency(
        first, forged.size, forged.consistency_proof(first), root(records[:first]), forged.root
    )


def tampered(proof: list[bytes], data) -> list[list[bytes]]:
    """The proof too long, too short, with one bit changed and with a step that is no hash."""
    forged = [[*proof, bytes(32)]]
    if proof:
        at, bit = data.draw(st.integers(0, len(proof) - 1)), data.draw(st.integers(0, 255))
        step = bytearray(proof[at])
        step[bit // 8] ^= 1 << bit % 8
        forged += [proof[:-1], proof[1:]]
        forged += [[*proof[:at], wrong, *proof[at + 1 :]] for wrong in (bytes(step), proof[at][:31])]
    return forged


def test_node_is_not_taken_for_a_leaf():
    left, right = map(leaf_hash, (b"a", b"b"))
    assert root([b"a", b"b"]) != root([left + right])
    assert not verify_inclusion(left + right, 0, 1, [], root([b"a", b"b"]))


@pytest.mark.parametrize(("first", "second"), [(0, 1), (0, 0), (3, 2), (-1, 2)])
def test_growth_from_nothing_or_backwards_is_not_proved(first, second):
    assert not verify_consistency(first, second, [], EMPTY_ROOT, EMPTY_ROOT)


def test_equal_trees_need_equal_roots_and_an_empty_proof():
    assert verify_consistency(2, 2, [], b"r" * 32, b"r" * 32)
    assert not verify_consistency(2, 2, [], b"r" * 32, b"s" * 32)
    assert not verify_consistency(2, 2, [bytes(32)], b"r" * 32, b"r" * 32)
    assert not verify_consistency(3, 4, [], b"r" * 32, b"r" * 32)


@pytest.mark.parametrize("index", [-1, 8, 100])
def test_proof_of_a_place_outside_the_tree_is_refused(index):
    with pytest.raises(EvidenceError) as caught:
        Tree(RECORDS).inclusion_proof(index)
    assert caught.value.code == "outside_tree"


@pytest.mark.parametrize("first", [-1, 0, 9])
def test_growth_from_a_size_the_tree_never_had_is_refused(first):
    with pytest.raises(EvidenceError):
        Tree(RECORDS).consistency_proof(first)
