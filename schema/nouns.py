"""The nouns that have a state, and where each keeps it: table, and the column that names its chain."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Noun:
    """A table with ``id``, ``state`` and ``version``; ``chain`` is its column with the chain's id.

    ``alone``: its steps read and write nothing that another subject's steps in the same chain would, so that
    a set takes any number of one chain.
    """

    name: str
    chain: str
    alone: bool = False

    @property
    def of_project(self) -> bool:
        """True where the subject is a project or a part of one."""
        return self.chain in ("id", "project_id")


REVIEW = frozenset({"round", "task", "objection", "review_request"})
"""What of a project is its review: closed to those with a conflict of interest of their own."""

NOUNS: dict[str, Noun] = {
    noun.name: noun
    for noun in (
        Noun("project", "id"),
        Noun("milestone", "project_id"),
        Noun("payment", "project_id"),
        Noun("payee", "project_id"),
        Noun("receivable", "project_id"),
        Noun("round", "project_id"),
        Noun("task", "project_id"),
        Noun("notice", "project_id"),
        Noun("objection", "project_id"),
        Noun("review_request", "project_id"),
        Noun("claim", "project_id"),
        Noun("call", "chain_id"),
        Noun("draw", "chain_id"),
        Noun("delegation", "chain_id"),
        Noun("batch", "chain_id"),
        Noun("bank_exception", "chain_id", alone=True),
        Noun("bank_intake", "chain_id"),
        Noun("appropriation", "chain_id"),
        Noun("budget_change", "chain_id"),
    )
}
