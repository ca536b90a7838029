"""Whoever holds one root can check, with a short proof, that a record was in it and that nothing before left.

The tree is that of RFC 6962, section 2.1: a leaf is SHA-256(0x00 ‖ record), a node is
SHA-256(0x01 ‖ left ‖ right), and the left subtree is the largest full one. The prefixes keep a
node from being passed off as a leaf. Positions count from 0.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import sha256
from hmac import compare_digest

from milepost.evidence.chain import EvidenceError

EMPTY_ROOT = sha256().digest()


def leaf_hash(record: bytes) -> bytes:
    """The hash of one record as a leaf."""
    return sha256(b"\x00" + record).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of two neighbouring subtrees."""
    return sha256(b"\x01" + left + right).digest()


class Tree:
    """The tree over a list of records, hashed once: its root and all of its proofs.

    Level 0 holds the leaf hashes; each level above pairs the one below and carries an odd last
    one up unchanged. So the node at `levels[h][i]` is the root over leaves i·2^h up to (i+1)·2^h
    or the end, which is every subtree that RFC 6962 asks for.
    """

    def __init__(self, records: Iterable[bytes]) -> None:
        level = [leaf_hash(record) for record in records]
        self.size = len(level)
        self._levels = [level]
        while len(level) > 1:
            paired = [node_hash(level[i], level[i + 1]) for i in range(0, len(level) - 1, 2)]
            level = paired + level[len(paired) * 2 :]
            self._levels.append(level)

    @property
    def root(self) -> bytes:
        """The root over all records; that of no record at all is SHA-256 of nothing."""
        return self._levels[-1][0] if self.size else EMPTY_ROOT

    def inclusion_proof(self, index: int) -> list[bytes]:
        """The audit path of RFC 6962 2.1.1: the neighbours on the way from a leaf to the root."""
        if not 0 <= index < self.size:
            raise _outside(index, self.size)
        proof = []
        for level in self._levels[:-1]:
            neighbour = index ^ 1
            if neighbour < len(level):
                proof.append(level[neighbour])
            index >>= 1
        return proof

    def consistency_proof(self, first_size: int) -> list[bytes]:
        """The proof of RFC 6962 2.1.2 that the tree over the first records only grew into this one."""
        if not 0 < first_size <= self.size:
            raise _outside(first_size, self.size)
        proof, start, end, known = [], 0, self.size, True
        while first_size != end:
            middle = start + _largest_power_below(end - start)
            if first_size <= middle:
                proof.append(self._subtree(middle, end))
                end = middle
            else:
                proof.append(self._subtree(start, middle))
                start, known = middle, False
        if not known:
            proof.append(self._subtree(start, end))
        return proof[::-1]

    def _subtree(self, start: int, end: int) -> bytes:
        """The root over leaves start up to end, where start is a multiple of the subtree's full width."""
        height = (end - start - 1).bit_length()
        return self._levels[height][start >> height]


def root(records: Iterable[bytes]) -> bytes:
    """The root over the records, in their order."""
    return Tree(records).root


def inclusion_proof(records: Iterable[bytes], index: int) -> list[bytes]:
    """The audit path of one record; for many proofs over the same records keep a `Tree`."""
    return Tree(records).inclusion_proof(index)


def consistency_proof(records: Iterable[bytes], first_size: int) -> list[bytes]:
    """The proof that the tree over the first records grew into the tree over all of them."""
    return Tree(records).consistency_proof(first_size)


def verify_inclusion(record: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Whether the proof shows that the record is at that position under the root (RFC 9162 2.1.3.2)."""
    if not 0 <= index < size or not _hashes(proof):
        return False
    position, last, result = index, size - 1, leaf_hash(record)
    for neighbour in proof:
        if last == 0:
            return False
        if position & 1 or position == last:
            result = node_hash(neighbour, result)
            while not position & 1 and position:
                position, last = position >> 1, last >> 1
        else:
            result = node_hash(result, neighbour)
        position, last = position >> 1, last >> 1
    return last == 0 and compare_digest(result, root)


def verify_consistency(
    first_size: int, second_size: int, proof: Sequence[bytes], first_root: bytes, second_root: bytes
) -> bool:
    """Whether the proof shows that the first tree only grew into the second (RFC 9162 2.1.4.2).

    Nothing is proved by a tree of no records: every tree grew from it, so it is answered False.
    """
    if not 0 < first_size <= second_size or not _hashes(proof):
        return False
    if first_size == second_size:
        return not proof and compare_digest(first_root, second_root)
    path = list(proof)
    if first_size & (first_size - 1) == 0:
        path.insert(0, first_root)
    if not path:
        return False
    position, last = first_size - 1, second_size - 1
    while position & 1:
        position, last = position >> 1, last >> 1
    first = second = path[0]
    for neighbour in path[1:]:
        if last == 0:
            return False
        if position & 1 or position == last:
            first, second = node_hash(neighbour, first), node_hash(neighbour, second)
            while not position & 1 and position:
                position, last = position >> 1, last >> 1
        else:
            second = node_hash(second, neighbour)
        position, last = position >> 1, last >> 1
    return last == 0 and compare_digest(first, first_root) and compare_digest(second, second_root)


def _hashes(proof: Sequence[bytes]) -> bool:
    return all(isinstance(item, bytes) and len(item) == 32 for item in proof)


def _largest_power_below(size: int) -> int:
    """The largest power of two below a size of two or more."""
    return 1 << ((size - 1).bit_length() - 1)


def _outside(position: int, size: int) -> EvidenceError:
    return EvidenceError(
        "outside_tree",
        f"树中共有 {size} 条记录，没有 {position} 这一位置或大小。请核对序号。",
        f"The tree has {size} records; {position} is not a position or an earlier size of it.",
    )
