"""Guarantee: a file is at its place whole or not at all, never over another one, and only after checks."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO

import pytest

from milepost.bank.files import placing
from milepost.bank.files.batch import Payment
from milepost.bank.files.findings import BatchRefused
from milepost.bank.files.handover import file_bytes, file_name, hand_over
from milepost.bank.files.pain001_reader import Transfer, read_pain001
from milepost.bank.files.placing import TargetExists, place
from milepost.bank.files.sheet import example_template
from tests.bank.papers import YUAN, batch, id_of, payment, works
from tests.test_architecture import ROOT


def writes(content: bytes) -> Callable[[BinaryIO], None]:
    def write(target: BinaryIO) -> None:
        target.write(content)

    return write


def test_a_batch_is_handed_over_with_its_hash_and_its_totals(tmp_path: Path) -> None:
    path = tmp_path / file_name(batch())
    done = hand_over(batch(), path, rules=YUAN, works=works)
    content = path.read_bytes()
    assert content == file_bytes(batch(), rules=YUAN, works=works)
    assert (done.placed.sha256, done.placed.size) == (sha256(content).hexdigest(), len(content))
    assert not done.placed.there_before
    assert (done.totals.number, done.totals.minor_by_currency) == (3, {"CNY": 2_469_135})
    assert os.listdir(tmp_path) == [path.name]
    assert path.stat().st_mode & 0o077 == 0, "others can read account numbers"


def test_the_same_batch_again_changes_nothing_and_another_one_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "batch.xml"
    first = hand_over(batch(), path, rules=YUAN, works=works)
    written_at = path.stat().st_mtime_ns
    again = hand_over(batch(), path, rules=YUAN, works=works)
    assert (again.placed.there_before, again.placed.sha256) == (True, first.placed.sha256)
    assert path.stat().st_mtime_ns == written_at
    with pytest.raises(TargetExists) as refused:
        hand_over(batch([payment(1)]), path, rules=YUAN, works=works)
    assert refused.value.code == "target_exists"
    assert sha256(path.read_bytes()).hexdigest() == first.placed.sha256
    assert os.listdir(tmp_path) == [path.name]


@pytest.mark.parametrize("template", [None, example_template()])
def test_a_batch_with_something_against_it_leaves_nothing(tmp_path: Path, template: None) -> None:
    wrong = batch([payment(1, amount=0)])
    with pytest.raises(BatchRefused):
        hand_over(wrong, tmp_path / "x", rules=YUAN, works=works, template=template)
    assert os.listdir(tmp_path) == []


def test_a_failure_while_writing_or_checking_leaves_nothing(tmp_path: Path) -> None:
    def fails(_: object) -> None:
        raise RuntimeError("full")

    with pytest.raises(RuntimeError):
        place(tmp_path / "x", fails)
    with pytest.raises(RuntimeError):
        place(tmp_path / "x", writes(b"1"), fails)
    assert os.listdir(tmp_path) == []


class Moving:
    """Payments of which one is another from a certain reading on; the sums stay as they are."""

    def __init__(self, still: int) -> None:
        self.still, self.readings = still, 0

    def __iter__(self) -> Iterator[Payment]:
        self.readings += 1
        yield payment(1)
        yield payment(2 if self.readings <= self.still else 3, amount=5)


def test_a_file_that_no_longer_says_what_the_batch_says_is_not_placed(tmp_path: Path) -> None:
    outcomes = set()
    for still in range(12):
        path, moving = tmp_path / str(still), Moving(still)
        try:
            hand_over(replace(batch(), payments=moving), path, rules=YUAN, works=works)
        except BatchRefused as refused:
            outcomes |= {(said.code, said.field) for said in refused.findings}
            assert not path.exists()
            continue
        # What was placed is what the payments were when it was last looked at, or they moved afterwards.
        placed = [read.end_to_end_id for read in read_pain001(path) if isinstance(read, Transfer)]
        assert placed == [id_of(1), id_of(2 if still >= moving.readings - 1 else 3)]
    assert outcomes == {("file_differs", "end_to_end_id")}


def test_nobody_sees_a_file_that_is_half_written(tmp_path: Path) -> None:
    path = tmp_path / "x"
    seen: list[bool] = []

    def slowly(target: BinaryIO) -> None:
        target.write(b"half")
        target.flush()
        seen.append(path.exists())
        target.write(b" and whole")

    place(path, slowly, lambda _: seen.append(path.exists()))
    assert seen == [False, False]
    assert path.read_bytes() == b"half and whole"


def test_of_many_who_place_the_same_file_all_succeed_and_one_made_it(tmp_path: Path) -> None:
    barrier = threading.Barrier(8)
    found: list[bool] = []

    def one() -> None:
        barrier.wait()
        found.append(place(tmp_path / "x", writes(b"same")).there_before)

    threads = [threading.Thread(target=one) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == [False] + [True] * 7
    assert os.listdir(tmp_path) == ["x"]


def test_of_many_who_place_different_files_one_wins_and_the_others_are_told(tmp_path: Path) -> None:
    barrier = threading.Barrier(8)
    won: list[int] = []
    refused: list[int] = []

    def one(number: int) -> None:
        barrier.wait()
        try:
            place(tmp_path / "x", writes(f"file {number}".encode()))
            won.append(number)
        except TargetExists:
            refused.append(number)

    threads = [threading.Thread(target=one, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1 and len(refused) == 7
    assert (tmp_path / "x").read_bytes() == f"file {won[0]}".encode()


def test_where_there_are_no_links_nothing_is_overwritten_either(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_links(*_: object) -> None:
        raise PermissionError(1, "links are not supported here")

    monkeypatch.setattr(placing.os, "link", no_links)
    assert not place(tmp_path / "x", writes(b"1")).there_before
    assert place(tmp_path / "x", writes(b"1")).there_before
    with pytest.raises(TargetExists):
        place(tmp_path / "x", writes(b"2"))
    assert os.listdir(tmp_path) == ["x"]


def test_killed_while_it_writes_there_is_no_file_and_the_next_one_is_whole(tmp_path: Path) -> None:
    program = (
        "import sys, time\nfrom pathlib import Path\nfrom milepost.bank.files.placing import place\n"
        "def write(target):\n    target.write(b'half')\n    target.flush()\n"
        "    print('half', flush=True)\n    time.sleep(60)\n"
        "place(Path(sys.argv[1]), write)\n"
    )
    path = tmp_path / "x"
    running = subprocess.Popen(
        [sys.executable, "-c", program, str(path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert running.stdout is not None and running.stdout.readline() == "half\n"
    running.send_signal(signal.SIGKILL)
    running.wait(30)
    running.stdout.close()
    assert not path.exists()
    assert not place(path, writes(b"whole")).there_before
    assert path.read_bytes() == b"whole"


def test_a_batch_has_one_file_name_whatever_its_id() -> None:
    assert file_name(batch()) == "B-2026-0001.xml"
    assert file_name(batch(), example_template()) == "B-2026-0001.xlsx"
    names = {file_name(batch(id=id)) for id in ("A/1", "A:1", "A.1", "..", "A-1", "A1")}
    assert len(names) == 6
    assert all("/" not in name and not name.startswith(".") for name in names)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="where memory is told is /proc")
def test_ten_times_the_payments_take_no_more_memory(tmp_path: Path) -> None:
    # The payments are made as they are asked for, so that what is measured is what the file takes.
    program = (
        "import sys\nfrom dataclasses import replace\nfrom pathlib import Path\n"
        "from bench.bank_files import peak_kib\n"
        "from milepost.bank.files.handover import hand_over\n"
        "from tests.bank.papers import YUAN, batch, id_of, payment, works\n"
        "class Many:\n    def __init__(self, n): self.n = n\n"
        "    def __iter__(self): return (payment(i, amount=i + 1) for i in range(self.n))\n"
        "folder = Path(sys.argv[1])\n"
        "hand_over(replace(batch(), payments=Many(300)), folder / '1', rules=YUAN, works=works)\n"
        "before = peak_kib()\n"
        "hand_over(replace(batch(), payments=Many(3000)), folder / '2', rules=YUAN, works=works)\n"
        "print(peak_kib() - before)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert int(done.stdout) < 4096, "KiB more for ten times the payments"


def test_time_is_not_read_while_a_file_is_made() -> None:
    first = file_bytes(batch(), rules=YUAN, works=works, template=example_template())
    time.sleep(0.01)
    assert file_bytes(batch(), rules=YUAN, works=works, template=example_template()) == first
