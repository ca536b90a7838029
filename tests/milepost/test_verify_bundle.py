"""The stand-alone script passes an intact bundle, and no bundle that was tampered with in any way."""

import ast
import base64
import json
import os
import subprocess
import sys
import zipfile
from hashlib import sha256
from pathlib import Path
from uuid import UUID

import pytest

from milepost.evidence import merkle, verify_bundle
from milepost.evidence.chain import canonical, event_hash, genesis, head_leaf

PROJECT = UUID("12345678-1234-5678-1234-567812345678")
OTHER = UUID("87654321-4321-8765-4321-876543218765")
SCRIPT = Path(verify_bundle.__file__)
AGREEMENT, REPORT = "任务书（甲乙双方）".encode(), b"%PDF milestone report"


def digest(content: bytes) -> str:
    return sha256(content).hexdigest()


def transfer(name: str, amount: int = 500_000) -> dict:
    return {
        "id": name,
        "debit": "appropriation:2026",
        "credit": f"commitment:{PROJECT}",
        "amount_minor": amount,
        "currency": "CNY",
        "kind": "commit",
    }


BODIES = [
    {"step": "project.apply", "note": "申请"},
    {"step": "project.sign", "documents": [{"sha256": digest(AGREEMENT), "name": "任务书.pdf"}]},
    {"step": "payment.commit", "transfers": [transfer("t1"), transfer("t2", 1)]},
    {"step": "milestone.report", "documents": [{"sha256": digest(REPORT), "name": "report.pdf"}]},
    {"step": "milestone.accept", "transfers": []},
]


def chain(bodies: list[dict], project: UUID = PROJECT) -> list[dict]:
    rows, prev = [], genesis(project)
    for seq, body in enumerate(bodies, 1):
        stored = canonical(body)
        hashed = event_hash(prev, stored)
        encoded = base64.b64encode(stored).decode()
        rows.append({"seq": seq, "prev": prev.hex(), "body_b64": encoded, "hash": hashed.hex()})
        prev = hashed
    return rows


def seal(rows: list[dict], sealed_seq: int, project: UUID = PROJECT) -> dict:
    """The proof of the head among the heads of nine projects."""
    leaves = [head_leaf(UUID(int=n), n + 1, bytes([n]) * 32) for n in range(9)]
    leaves[6] = head_leaf(project, sealed_seq, bytes.fromhex(rows[sealed_seq - 1]["hash"]))
    tree = merkle.Tree(leaves)
    path = [step.hex() for step in tree.inclusion_proof(6)]
    return {"seq": sealed_seq, "index": 6, "size": tree.size, "path": path, "root": tree.root.hex()}


def lines(rows: list[dict]) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def transfers_of(bodies: list[dict]) -> list[dict]:
    return [{"event_seq": n, **t} for n, body in enumerate(bodies, 1) for t in body.get("transfers", [])]


def bundle(bodies: list[dict] = BODIES, sealed_seq: int | None = None) -> dict[str, bytes]:
    """An intact bundle as its files by name."""
    rows = chain(bodies)
    proof = seal(rows, sealed_seq or len(rows))
    files = {
        "events.jsonl": lines(rows),
        "transfers.json": json.dumps(transfers_of(bodies)).encode(),
        "documents/agreement.pdf": AGREEMENT,
        "documents/报告.pdf": REPORT,
        "proof.json": json.dumps(proof).encode(),
        "verify_bundle.py": SCRIPT.read_bytes(),
    }
    manifest = {
        "format": "milepost-evidence/1",
        "project": str(PROJECT),
        "head": {"seq": rows[-1]["seq"], "hash": rows[-1]["hash"]},
        "seal": {"root": proof["root"], "size": proof["size"]},
    }
    return listed({"manifest.json": json.dumps(manifest).encode(), **files})


def listed(files: dict[str, bytes], **changes) -> dict[str, bytes]:
    """The bundle with its manifest made to match its files, as a careful forger would."""
    manifest = json.loads(files["manifest.json"]) | changes
    manifest["files"] = {name: digest(data) for name, data in files.items() if name != "manifest.json"}
    return files | {"manifest.json": json.dumps(manifest).encode()}


def events(files: dict[str, bytes]) -> list[dict]:
    return [json.loads(line) for line in files["events.jsonl"].splitlines()]


def with_events(files: dict[str, bytes], rows: list[dict], **changes) -> dict[str, bytes]:
    return listed(files | {"events.jsonl": lines(rows)}, **changes)


def with_json(files: dict[str, bytes], name: str, edit) -> dict[str, bytes]:
    told = json.loads(files[name])
    replaced = edit(told)
    return listed(files | {name: json.dumps(told if replaced is None else replaced).encode()})


def as_zip(files: dict[str, bytes], path: Path) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
        for name, data in files.items():
            out.writestr(name, data)
    return path


def as_folder(files: dict[str, bytes], path: Path) -> Path:
    for name, data in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(data)
    return path


def codes(files: dict[str, bytes], path: Path, root: str | None = None) -> list[str]:
    report = verify_bundle.verify(as_zip(files, path / "bundle.zip"), root)
    return [finding.code for finding in report.faults]


def held_root(files: dict[str, bytes]) -> str:
    return json.loads(files["proof.json"])["root"]


# --- intact --------------------------------------------------------------------------------------


@pytest.mark.parametrize("pack", [as_zip, as_folder])
def test_intact_bundle_passes_with_the_root_one_holds(tmp_path, pack):
    files = bundle()
    report = verify_bundle.verify(pack(files, tmp_path / "bundle"), held_root(files))
    assert report.ok and not report.notes
    assert [f.code for f in report.held] == [*verify_bundle.HELD]


def test_bundle_without_a_root_to_compare_passes_and_says_what_is_left_to_do(tmp_path):
    report = verify_bundle.verify(as_zip(bundle(), tmp_path / "b.zip"))
    assert report.ok
    assert [f.code for f in report.notes] == ["root_not_compared"]


def test_events_after_the_seal_pass_and_are_named_as_not_sealed(tmp_path):
    files = bundle(sealed_seq=3)
    report = verify_bundle.verify(as_zip(files, tmp_path / "b.zip"), held_root(files))
    assert report.ok
    assert [(f.code, f.en) for f in report.notes] == [
        ("not_sealed_yet", "The last 2 events are not sealed yet")
    ]


def test_document_withheld_openly_passes_with_its_reason(tmp_path):
    files = bundle()
    del files["documents/报告.pdf"]
    files = listed(files, withheld=[{"sha256": digest(REPORT), "reason": "personal data 个人信息"}])
    report = verify_bundle.verify(as_zip(files, tmp_path / "b.zip"), held_root(files))
    assert report.ok
    assert "personal data" in report.notes[0].en


def test_what_a_desktop_drops_into_the_folder_is_no_fault(tmp_path):
    folder = as_folder(bundle(), tmp_path / "b")
    (folder / "documents" / ".DS_Store").write_bytes(b"litter")
    assert verify_bundle.verify(folder).ok


# --- tampered with -------------------------------------------------------------------------------


def _set_body(files, seq, body):
    """One event's body replaced and nothing else."""
    rows = events(files)
    rows[seq - 1]["body_b64"] = base64.b64encode(canonical(body)).decode()
    return with_events(files, rows)


def _forged_chain(files):
    """The chain rewritten as a whole, consistently, with a larger transfer."""
    bodies = [dict(body) for body in BODIES]
    bodies[2]["transfers"] = [transfer("t1", 900_000), transfer("t2", 1)]
    rows = chain(bodies)
    files = files | {"transfers.json": json.dumps(transfers_of(bodies)).encode()}
    return with_events(files, rows, head={"seq": 5, "hash": rows[-1]["hash"]})


def _truncated(files, keep):
    rows = events(files)[:keep]
    return with_events(files, rows, head={"seq": keep, "hash": rows[-1]["hash"]})


def _drop(files, name):
    return {n: data for n, data in files.items() if n != name}


def _other_project(files):
    rows = chain(BODIES, OTHER)
    return with_events(files, rows, head={"seq": 5, "hash": rows[-1]["hash"]})


def _edit_transfer(key, value):
    return lambda f: with_json(f, "transfers.json", lambda told: told[0].update({key: value}))


TAMPERED = {
    "a body edited": (lambda f: _set_body(f, 1, {"step": "project.apply", "note": "别的"}), "wrong_hash"),
    "a body edited, its hash made to match": (
        lambda f: with_events(f, [chain([{"step": "x"}])[0], *events(f)[1:]]),
        "wrong_previous",
    ),
    "the chain rewritten as a whole": (_forged_chain, "wrong_proof"),
    "an event deleted": (lambda f: with_events(f, events(f)[:1] + events(f)[2:]), "sequence"),
    "the first event deleted": (lambda f: with_events(f, events(f)[1:]), "sequence"),
    "two events swapped": (
        lambda f: with_events(f, [events(f)[i] for i in (0, 2, 1, 3, 4)]),
        "sequence",
    ),
    "an event repeated": (lambda f: with_events(f, [*events(f), events(f)[-1]]), "sequence"),
    "the end cut off": (lambda f: with_events(f, events(f)[:3]), "wrong_head"),
    "the end cut off, the manifest made to match": (lambda f: _truncated(f, 3), "sealed_event_missing"),
    "every event removed": (lambda f: with_events(f, []), "wrong_head"),
    "the events renumbered": (
        lambda f: with_events(f, [row | {"seq": row["seq"] + 1} for row in events(f)]),
        "sequence",
    ),
    "another project's events": (_other_project, "wrong_previous"),
    "the manifest given to another project": (lambda f: listed(f, project=str(OTHER)), "wrong_proof"),
    "a document swapped": (lambda f: f | {"documents/agreement.pdf": b"another"}, "file_changed"),
    "a document swapped, the manifest made to match": (
        lambda f: listed(f | {"documents/agreement.pdf": b"another"}),
        "document_unrecorded",
    ),
    "a document removed": (lambda f: _drop(f, "documents/agreement.pdf"), "file_missing"),
    "a document removed, the manifest made to match": (
        lambda f: listed(_drop(f, "documents/agreement.pdf")),
        "document_missing",
    ),
    "a document added": (lambda f: f | {"documents/extra.pdf": b"extra"}, "file_unlisted"),
    "a document added, the manifest made to match": (
        lambda f: listed(f | {"documents/extra.pdf": b"extra"}),
        "document_unrecorded",
    ),
    "a transfer removed": (lambda f: with_json(f, "transfers.json", lambda t: t[1:]), "transfer_missing"),
    "a transfer repeated": (lambda f: with_json(f, "transfers.json", lambda t: [*t, t[0]]), "transfer_twice"),
    "a transfer added": (
        lambda f: with_json(f, "transfers.json", lambda t: [*t, t[0] | {"id": "t9"}]),
        "transfer_not_recorded",
    ),
    "a transfer's amount edited": (_edit_transfer("amount_minor", 500_001), "transfer_not_recorded"),
    "a transfer's kind edited": (_edit_transfer("kind", "pay"), "transfer_not_recorded"),
    "a transfer's payee edited": (_edit_transfer("credit", "mine"), "transfer_not_recorded"),
    "a transfer put under another event": (_edit_transfer("event_seq", 2), "transfer_not_recorded"),
    "a transfer put under no event": (_edit_transfer("event_seq", 99), "transfer_without_event"),
    "a transfer of nothing": (_edit_transfer("amount_minor", 0), "transfer_unbalanced"),
    "a transfer below zero": (_edit_transfer("amount_minor", -5), "transfer_unbalanced"),
    "a transfer of true": (_edit_transfer("amount_minor", True), "transfer_unbalanced"),
    "a transfer beyond the range": (_edit_transfer("amount_minor", 2**63), "transfer_unbalanced"),
    "a transfer onto its own account": (
        _edit_transfer("credit", "appropriation:2026"),
        "transfer_unbalanced",
    ),
    "a transfer without a currency": (_edit_transfer("currency", ""), "transfer_unbalanced"),
    "a transfer of a fraction": (_edit_transfer("amount_minor", 1.5), "malformed"),
    "the seal of the manifest replaced": (
        lambda f: listed(f, seal={"root": "0" * 64, "size": 9}),
        "wrong_seal",
    ),
    "the size of the sealed tree edited": (
        lambda f: with_json(f, "proof.json", lambda p: p.update(size=3)),
        "wrong_proof",
    ),
    "the place in the sealed tree edited": (
        lambda f: with_json(f, "proof.json", lambda p: p.update(index=5)),
        "wrong_proof",
    ),
    "a step of the proof removed": (
        lambda f: with_json(f, "proof.json", lambda p: p.update(path=p["path"][1:])),
        "wrong_proof",
    ),
    "a step added to the proof": (
        lambda f: with_json(f, "proof.json", lambda p: p.update(path=[*p["path"], "0" * 64])),
        "wrong_proof",
    ),
    "an earlier event passed off as sealed": (
        lambda f: with_json(f, "proof.json", lambda p: p.update(seq=4)),
        "wrong_proof",
    ),
    "no proof": (lambda f: listed(_drop(f, "proof.json")), "malformed"),
    "no events": (lambda f: listed(_drop(f, "events.jsonl")), "malformed"),
    "no transfers": (lambda f: listed(_drop(f, "transfers.json")), "malformed"),
    "no manifest": (lambda f: _drop(f, "manifest.json"), "malformed"),
    "another format": (lambda f: listed(f, format="milepost-evidence/2"), "malformed"),
    "a manifest that is a list": (lambda f: f | {"manifest.json": b"[]"}, "malformed"),
    "a key given twice": (
        lambda f: listed(f | {"transfers.json": b'[{"id":"t1","id":"t2"}]'}),
        "malformed",
    ),
    "nesting without end": (lambda f: listed(f | {"transfers.json": b"[" * 10**6}), "malformed"),
    "bytes that are no text": (lambda f: listed(f | {"events.jsonl": b"\xff\xfe"}), "malformed"),
    "a body that is no object": (
        lambda f: with_events(f, [events(f)[0] | {"body_b64": base64.b64encode(b"[]").decode()}]),
        "malformed",
    ),
    "the script swapped": (lambda f: f | {"verify_bundle.py": b"print('VERIFIED')"}, "file_changed"),
    "a path that leaves the bundle": (lambda f: listed(f | {"../outside": b"x"}), "name_unsafe"),
}


@pytest.mark.parametrize(("tamper", "code"), TAMPERED.values(), ids=TAMPERED)
def test_tampering_is_found(tmp_path, tamper, code):
    assert code in codes(tamper(bundle()), tmp_path)


def test_bundle_forged_as_a_whole_shows_against_the_root_one_holds(tmp_path):
    bodies = [*BODIES[:4], {"step": "milestone.reject"}]
    forged = bundle(bodies)
    assert codes(forged, tmp_path) == []
    assert codes(forged, tmp_path, held_root(bundle())) == ["wrong_root"]


def test_one_edit_is_one_fault(tmp_path):
    assert codes(bundle() | {"documents/agreement.pdf": b"x"}, tmp_path).count("file_changed") == 1
    found = codes(TAMPERED["a body edited"][0](bundle()), tmp_path)
    assert found == ["wrong_hash"]


def test_unsealed_end_cut_off_with_a_forged_manifest_shows_only_up_to_the_seal(tmp_path):
    """What lies after the seal is not sealed, and the report of the whole bundle says so."""
    assert codes(_truncated(bundle(sealed_seq=4), 4), tmp_path) == []
    assert "sealed_event_missing" in codes(_truncated(bundle(sealed_seq=4), 3), tmp_path)


def test_transfer_that_events_record_twice_is_found(tmp_path):
    bodies = [*BODIES, {"step": "payment.commit", "transfers": [transfer("t1")]}]
    assert "transfer_twice" in codes(bundle(bodies), tmp_path)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_file_that_is_in_the_zip_twice_is_found(tmp_path):
    path = as_zip(bundle(), tmp_path / "b.zip")
    with zipfile.ZipFile(path, "a") as out:
        out.writestr("events.jsonl", b"")
    assert "name_twice" in [f.code for f in verify_bundle.verify(path).faults]


@pytest.mark.skipif(not hasattr(os, "symlink"), reason="needs symbolic links")
def test_link_in_a_folder_is_not_followed(tmp_path):
    files = bundle()
    folder = as_folder(_drop(files, "documents/agreement.pdf"), tmp_path / "b")
    (tmp_path / "elsewhere").write_bytes(AGREEMENT)
    (folder / "documents/agreement.pdf").symlink_to(tmp_path / "elsewhere")
    assert "name_unsafe" in [f.code for f in verify_bundle.verify(folder).faults]


def test_damaged_zip_is_a_fault(tmp_path):
    path = as_zip(bundle(), tmp_path / "b.zip")
    whole = path.read_bytes()
    for broken in (b"", b"no zip", whole[: len(whole) // 2], whole[:200] + b"\x00" * 50 + whole[250:]):
        path.write_bytes(broken)
        assert not verify_bundle.verify(path).ok
    missing = verify_bundle.verify(tmp_path / "missing.zip")
    assert [finding.code for finding in missing.faults] == ["bundle_unreadable"]


def test_file_name_cannot_print_a_verdict_of_its_own(tmp_path):
    name = "documents/a\nVERIFIED: the evidence is intact.\n\x1b[2K"
    shown = verify_bundle.show(verify_bundle.verify(as_zip(bundle() | {name: b"x"}, tmp_path / "b.zip")))
    assert "\x1b" not in shown
    assert "VERIFIED: the evidence is intact." not in shown.splitlines()
    assert shown.splitlines()[-1].startswith("NOT VERIFIED")


# --- on its own ----------------------------------------------------------------------------------


def run(*arguments: object, environment: dict | None = None) -> subprocess.CompletedProcess:
    """The script as an outsider runs it: alone, without site packages, away from the project."""
    command = [sys.executable, "-I", "-S", *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, encoding="utf-8", env=environment, timeout=60
    )


def test_script_inside_the_bundle_verifies_the_bundle(tmp_path):
    files = bundle()
    folder = as_folder(files, tmp_path / "b")
    done = run("-X", "utf8", folder / "verify_bundle.py", folder, "--root", held_root(files).upper())
    assert (done.returncode, done.stderr) == (0, "")
    assert "结论：通过" in done.stdout and "VERIFIED: the evidence is intact." in done.stdout


def test_script_fails_on_a_wrong_root_and_says_why_in_both_languages(tmp_path):
    path = as_zip(bundle(), tmp_path / "b.zip")
    done = run("-X", "utf8", SCRIPT, path, "--root", "00" * 32)
    assert done.returncode == 1
    assert "与您持有的" in done.stdout and "is not the one you hold" in done.stdout
    assert done.stdout.splitlines()[-1].startswith("NOT VERIFIED")


def test_console_without_chinese_still_shows_the_verdict(tmp_path):
    path = as_zip(bundle(), tmp_path / "b.zip")
    command = [sys.executable, "-S", str(SCRIPT), str(path)]
    done = subprocess.run(command, capture_output=True, env={"PYTHONIOENCODING": "ascii"}, timeout=60)
    assert done.returncode == 0
    assert b"VERIFIED: the evidence is intact." in done.stdout


@pytest.mark.parametrize("root", ["abc", "", "g" * 64])
def test_root_that_is_no_hash_is_wrong_usage(tmp_path, root):
    assert run("-X", "utf8", SCRIPT, as_zip(bundle(), tmp_path / "b.zip"), "--root", root).returncode == 2


def test_script_needs_nothing_but_an_old_python_and_its_standard_library():
    tree = ast.parse(SCRIPT.read_text(encoding="utf-8"), feature_version=(3, 8))
    imported = {
        name.split(".")[0]
        for node in ast.walk(tree)
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert imported <= sys.stdlib_module_names


def test_every_finding_is_stated_in_both_languages():
    for table in (verify_bundle.HELD, verify_bundle.NOTES, verify_bundle.FAULTS):
        for zh, en in table.values():
            assert zh and en and zh != en


def test_every_fault_that_can_be_named_is_provoked_here():
    elsewhere = {"bundle_unreadable", "name_twice", "wrong_root"}
    assert {code for _, code in TAMPERED.values()} | elsewhere == set(verify_bundle.FAULTS)
