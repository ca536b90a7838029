"""The draw once more, written from docs/draw.md alone: plain JSON in and out, nothing of ours imported.

It tries groups one after another where the product reasons, so that the two have little to be wrong about
together. The numbers in brackets are the sections of the description.
"""

import hashlib

ORDER = [
    "conflicts",
    "kind:technology",
    "kind:management",
    "kind:finance",
    "kind:investment",
    "off_site",
    "institution",
    "fields",
    "capacity",
]


def written(value):
    """Canonical text (3), spelt out letter by letter."""
    if value is None:
        return "null"
    if value is True or value is False:
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        short = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r"}
        letters = [short.get(c) or (c if c >= " " else f"\\u{ord(c):04x}") for c in value]
        return '"' + "".join(letters) + '"'
    if isinstance(value, list):
        return "[" + ",".join(written(item) for item in value) + "]"
    pairs = sorted(value.items(), key=lambda pair: [ord(c) for c in pair[0]])
    return "{" + ",".join(written(key) + ":" + written(item) for key, item in pairs) + "}"


def commitment_of(committed):
    return hashlib.sha256(written(committed).encode("utf-8")).hexdigest()


def keyed_hash(key, text):
    """HMAC-SHA256 by its definition (RFC 2104)."""
    block = key + bytes(64 - len(key))
    inner = hashlib.sha256(bytes(b ^ 0x36 for b in block) + text.encode("utf-8")).digest()
    return hashlib.sha256(bytes(b ^ 0x5C for b in block) + inner).digest()


def panels_of(committed, commitment, text):
    """The panels as section 7 has them."""
    seed = hashlib.sha256(f"{committed['format']}:seed:{commitment}:{text}".encode()).digest()
    left = {person["id"]: person["capacity"] for person in committed["pool"]}
    panels = []
    for project in sorted(committed["projects"], key=lambda p: keyed_hash(seed, "project:" + p["id"])):
        kept = sorted(project["kept"])
        new, short = seats(committed, seed, project, kept, set(project["excluded"]), set(), left)
        for person in new:
            left[person] -= 1
        panels.append({"project": project["id"], "members": kept + new, "short": short})
    return panels


def successors_of(committed, commitment, text, panels, entries, number):
    """The successors and the shortage of one entry (9), given the panels and the entries before it."""
    seed = hashlib.sha256(f"{committed['format']}:seed:{commitment}:{text}".encode()).digest()
    entry = entries[number]
    project = next(p for p in committed["projects"] if p["id"] == entry["project"])
    members = list(next(p["members"] for p in panels if p["project"] == entry["project"]))
    gone = {entry["gone"]}
    for before in entries[:number]:
        if before["project"] == entry["project"]:
            members.remove(before["gone"])
            members.extend(before["successors"])
            gone.add(before["gone"])
    members.remove(entry["gone"])
    left = {person["id"]: person["capacity"] for person in committed["pool"]}
    left.update(entry["remaining"])
    barred = set(project["excluded"]) | set(entry["excluded"])
    return seats(committed, seed, project, members, barred, gone, left)


def seats(committed, seed, project, kept, barred, gone, left):
    """New members in ranking order, and why there are none (7, 8)."""
    new = first_group(committed, seed, project, kept, barred, gone, left, set())
    if new is not None:
        return new, []
    waived = set(ORDER)
    if first_group(committed, seed, project, kept, barred, gone, left, waived) is None:
        return [], ["pool"]
    for requirement in ORDER:
        fewer = waived - {requirement}
        if first_group(committed, seed, project, kept, barred, gone, left, fewer) is not None:
            waived = fewer
    return [], [requirement for requirement in ORDER if requirement in waived]


def first_group(committed, seed, project, kept, barred, gone, left, waived):
    """The ids of the first group of new members, or None (6, 7)."""
    rules = committed["composition"]
    need = {
        "size": rules["size"],
        "kinds": {k: n for k, n in rules["minimums"].items() if "kind:" + k not in waived},
        "off_site": 0 if "off_site" in waived else at_least(rules["off_site_share"], rules["size"]),
        "apart": rules["one_per_institution"] and "institution" not in waived,
    }
    people = {person["id"]: describe(person, project, rules, waived) for person in committed["pool"]}
    sitting = [people[one] for one in kept]
    eligible = []
    for one, person in people.items():
        if one in kept or one in gone or not person["usable"]:
            continue
        if one in barred and "conflicts" not in waived:
            continue
        if left[one] < 1 and "capacity" not in waived:
            continue
        eligible.append(person)
    eligible.sort(key=lambda person: keyed_hash(seed, f"expert:{project['id']}:{person['id']}"))
    if len(sitting) > need["size"]:
        return None
    found = deeper(sitting, eligible, need)
    return None if found is None else [person["id"] for person in found]


def describe(person, project, rules, waived):
    """What counts of a person for one project (6)."""
    cut = rules["field_digits"]
    fits = cut == 0 or "fields" in waived
    for mine in person["fields"]:
        for wanted in project["fields"]:
            fits = fits or mine[:cut] == wanted[:cut]
    usable = [kind for kind in person["kinds"] if fits or kind in rules["field_exempt"]]
    return {
        "id": person["id"],
        "usable": usable,
        "institution": person["institution"],
        "off_site": person["region"] != "" and person["region"] != project["region"],
    }


def at_least(share, size):
    """A share of the size, rounded up, without leaving the whole numbers."""
    number = 0
    while number * share[1] < share[0] * size:
        number += 1
    return number


def deeper(group, candidates, need):
    """Try candidates in order; go back where a group cannot be completed."""
    if not conceivable(group, candidates, need):
        return None
    if len(group) == need["size"]:
        return []
    for at, person in enumerate(candidates):
        if not conceivable(group, candidates[at:], need):
            return None
        rest = deeper([*group, person], candidates[at + 1 :], need)
        if rest is not None:
            return [person, *rest]
    return None


def conceivable(group, candidates, need):
    """False only where no completion can be valid; for a full group: exactly whether it is valid."""
    open_seats = need["size"] - len(group)
    if len(candidates) < open_seats:
        return False
    if need["apart"]:
        units = [person["institution"] for person in group if person["institution"]]
        if len(units) != len(set(units)):
            return False
    elsewhere = sum(person["off_site"] for person in group)
    coming = sum(person["off_site"] for person in candidates)
    if elsewhere + min(open_seats, coming) < need["off_site"]:
        return False
    for kind, number in need["kinds"].items():
        there = sum(kind in person["usable"] for person in group)
        coming = sum(kind in person["usable"] for person in candidates)
        if there + min(open_seats, coming) < number:
            return False
    return unfilled(group, dict(need["kinds"])) <= open_seats


def unfilled(group, wanted):
    """How many reserved seats stay empty when the group's members are given their kinds as well as can be."""
    if not group:
        return sum(wanted.values())
    person, others = group[0], group[1:]
    best = None
    for kind in [None, *person["usable"]]:
        if kind is not None and wanted.get(kind, 0) == 0:
            continue
        if kind is not None:
            wanted[kind] -= 1
        empty = unfilled(others, wanted)
        if kind is not None:
            wanted[kind] += 1
        best = empty if best is None or empty < best else best
    return best
