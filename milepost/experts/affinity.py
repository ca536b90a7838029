"""How well a reviewer's knowledge fits an application: coded subjects and text, as a whole number.

Both parts are plain enough to be recomputed by hand from what :meth:`Affinity.explain` shows. Nothing is
learned from earlier rounds and nothing is fetched: the same round gives the same scores.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from milepost.experts.rounds import SCORE_MAX, Application, MatchingError, Reviewer

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_RUN = re.compile(r"(?P<han>[㐀-䶿一-鿿豈-﫿]+)|(?P<word>[^\W_㐀-䶿一-鿿豈-﫿]+)")
_HAN_GRAMS = (2, 3)
_WORD_GRAM = 4


@dataclass(frozen=True, slots=True)
class Weights:
    """What the score is made of; whoever runs the programme decides.

    ``fields`` and ``text`` are shares of each other. ``cuts`` are the lengths at which a subject code names a
    level, and ``levels`` what it is worth, of 1,000,000, to share so many of them: with the cuts 3, 5 and 7
    the codes 5104010 and 51040 share two. Texts as similar as ``cosine_full`` percent count in full, because
    not even two texts on one subject come near to being equal.
    """

    fields: int = 60
    text: int = 40
    cuts: tuple[int, ...] = (3, 5, 7)
    levels: tuple[int, ...] = (0, 350_000, 750_000, SCORE_MAX)
    cosine_full: int = 40

    def __post_init__(self) -> None:
        rising = all(a < b for a, b in zip(self.cuts, self.cuts[1:], strict=False))
        worth = len(self.levels) == len(self.cuts) + 1 and list(self.levels) == sorted(self.levels)
        within = self.levels[0] >= 0 and self.levels[-1] <= SCORE_MAX and 0 < self.cosine_full <= 100
        if (
            min(self.fields, self.text) < 0
            or self.fields + self.text == 0
            or not (rising and worth and within)
        ):
            raise MatchingError(
                "affinity_weights",
                "匹配度的权重或学科层级设置有误：权重不得为负且不得同为零，层级长度应递增，每级得分不得下降。请修改设置。",
                "The weights of affinity are wrong: not negative, not both zero, code lengths rising, and no "
                "level worth less than the one before. Correct the settings.",
            )


@dataclass(frozen=True, slots=True)
class SharedField:
    """A subject of the application, and the reviewer's nearest: what they share and what that is worth."""

    application: str
    reviewer: str
    shared: str
    points: int


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a pair has its score: ``fields_points`` and ``text_points`` add up to ``score``.

    ``terms`` are phrases that both texts have and that count most, each with what its pieces add to the
    cosine, in millionths.
    """

    score: int
    fields_points: int
    text_points: int
    fields: tuple[SharedField, ...]
    cosine_millionths: int
    terms: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Affinity:
    """The scores of a round, 0 to 1,000,000: applications down, reviewers across. Each can be explained."""

    applications: tuple[Application, ...]
    reviewers: tuple[Reviewer, ...]
    weights: Weights
    scores: NDArray[np.int32]
    _fields_scores: NDArray[np.int32]
    _cosines: NDArray[np.int32]
    _vectors: tuple[Any, Any, tuple[str, ...]] | None

    @cached_property
    def _places(self) -> tuple[dict[str, int], dict[str, int]]:
        return (
            {application.id: at for at, application in enumerate(self.applications)},
            {reviewer.id: at for at, reviewer in enumerate(self.reviewers)},
        )

    def explain(self, application_id: str, reviewer_id: str, terms: int = 8) -> Explanation:
        """What the pair's score is made of; an id that is not in the round is a KeyError."""
        row, column = self._places[0][application_id], self._places[1][reviewer_id]
        application, reviewer = self.applications[row], self.reviewers[column]
        score = int(self.scores[row, column])
        share = _fields_percent(application, self.weights)
        fields_points = int(self._fields_scores[row, column]) * share // 100
        shared = tuple(
            nearest
            for code in dict.fromkeys(application.fields)
            if (nearest := _nearest(code, reviewer.fields, self.weights)) is not None
        )
        cosine = int(self._cosines[row, column])
        found = self._common_terms(row, column, terms)
        return Explanation(score, fields_points, score - fields_points, shared, cosine, found)

    def _common_terms(self, row: int, column: int, count: int) -> tuple[tuple[str, int], ...]:
        if self._vectors is None:
            return ()
        left, right, names = self._vectors
        product = left[row].multiply(right[column]).tocoo()
        shares = {
            names[at]: round(float(share) * SCORE_MAX)
            for at, share in zip(product.col, product.data, strict=True)
        }
        # Among equals by the word, so that the same pair is always explained in the same way.
        ranked = sorted(shares, key=lambda name: (-shares[name], -len(name), name))
        ours, theirs = _plain(self.applications[row].text), _plain(self.reviewers[column].text)
        phrases: dict[str, int] = {}
        for name in ranked:
            if len(phrases) == count:
                break
            if not any(name in phrase for phrase in phrases):
                phrase = _grown(name, ours, theirs)
                phrases[phrase] = sum(share for piece, share in shares.items() if piece in phrase)
        return tuple(sorted(phrases.items(), key=lambda pair: (-pair[1], pair[0])))


def affinity(
    applications: Iterable[Application], reviewers: Iterable[Reviewer], weights: Weights | None = None
) -> Affinity:
    """Score every pair of the round.

    An application that has no subject codes is scored by text alone, and one without text by codes alone: it
    would otherwise look badly served whoever reads it. A reviewer who left either out earns nothing by it.
    """
    import numpy as np

    weights = weights or Weights()
    rows, columns = tuple(applications), tuple(reviewers)
    fields_scores = _fields_scores(rows, columns, weights)
    cosines, vectors = _cosines(rows, columns)
    text_scores = np.minimum(cosines.astype(np.int64) * 100 // weights.cosine_full, SCORE_MAX)
    share = np.array([_fields_percent(a, weights) for a in rows], dtype=np.int64).reshape(-1, 1)
    # Each part is rounded down by itself, so that the parts shown add up to the score.
    scores = (fields_scores.astype(np.int64) * share // 100 + text_scores * (100 - share) // 100).astype(
        np.int32
    )
    return Affinity(rows, columns, weights, scores, fields_scores, cosines, vectors)


def shared_levels(one: str, other: str, cuts: Sequence[int]) -> int:
    """How many levels of the classification two codes have in common, counted from the broadest."""
    return sum(1 for cut in cuts if len(one) >= cut and one[:cut] == other[:cut])


def terms_of(text: str) -> list[str]:
    """The pieces of a text that are compared: Chinese characters by twos and threes; words and their fours.

    Width and case do not matter. A word stands for itself, and its runs of four characters let *alloys* meet
    *alloy*.
    """
    found: list[str] = []
    for run in _RUN.finditer(_plain(text)):
        piece = run[0]
        if run["han"]:
            for n in _HAN_GRAMS:
                found += [piece[at : at + n] for at in range(len(piece) - n + 1)]
        elif len(piece) > 1:
            found.append(piece)
            if len(piece) > _WORD_GRAM:
                found += [piece[at : at + _WORD_GRAM] for at in range(len(piece) - _WORD_GRAM + 1)]
    return found


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKC", text).lower()


def _grown(piece: str, ours: str, theirs: str) -> str:
    """The longest phrase around a piece that both texts have: people read phrases, not pieces of them."""
    for run in _RUN.finditer(ours):
        begin = run[0].find(piece)
        if begin < 0:
            continue
        end = begin + len(piece)
        while begin > 0 and run[0][begin - 1 : end] in theirs:
            begin -= 1
        while end < len(run[0]) and run[0][begin : end + 1] in theirs:
            end += 1
        return run[0][begin:end]
    return piece


def _fields_percent(application: Application, weights: Weights) -> int:
    if not application.text.strip():
        return 100
    return weights.fields * 100 // (weights.fields + weights.text) if application.fields else 0


def _nearest(code: str, codes: Sequence[str], weights: Weights) -> SharedField | None:
    best = max(codes, key=lambda other: shared_levels(code, other, weights.cuts), default=None)
    levels = 0 if best is None else shared_levels(code, best, weights.cuts)
    if best is None or levels == 0:
        return None
    return SharedField(code, best, code[: weights.cuts[levels - 1]], weights.levels[levels])


def _fields_scores(
    applications: Sequence[Application], reviewers: Sequence[Reviewer], weights: Weights
) -> NDArray[np.int32]:
    """For each code of the application the reviewer's nearest, and the mean of those."""
    import numpy as np

    worth = np.array(weights.levels, dtype=np.int64)
    theirs = sorted({code for reviewer in reviewers for code in reviewer.fields})
    at = {code: number for number, code in enumerate(theirs)}
    holders = [np.array([at[code] for code in r.fields], dtype=np.int64) for r in reviewers]
    rows: dict[str, NDArray[np.int64]] = {}
    for code in dict.fromkeys(code for application in applications for code in application.fields):
        each = worth[[shared_levels(code, other, weights.cuts) for other in theirs]] if theirs else worth[:0]
        rows[code] = np.array([each[held].max() if held.size else 0 for held in holders], dtype=np.int64)
    found = np.zeros((len(applications), len(reviewers)), dtype=np.int32)
    for number, application in enumerate(applications):
        if codes := dict.fromkeys(application.fields):
            found[number] = sum(rows[code] for code in codes) // len(codes)
    return found


def _cosines(
    applications: Sequence[Application], reviewers: Sequence[Reviewer]
) -> tuple[NDArray[np.int32], tuple[Any, Any, tuple[str, ...]] | None]:
    """Cosines of TF-IDF vectors in millionths, rounded, with the vectors they come from."""
    import numpy as np
    from sklearn.feature_extraction.text import TfidfVectorizer

    nothing = np.zeros((len(applications), len(reviewers)), dtype=np.int32)
    texts = [*(a.text for a in applications), *(r.text for r in reviewers)]
    vectorizer = TfidfVectorizer(analyzer=terms_of, sublinear_tf=True, dtype=np.float64)
    try:
        vectors = vectorizer.fit_transform(texts)
    except ValueError:
        # No text has a term in it; the library has no other way to say so.
        return nothing, None
    left, right = vectors[: len(applications)].tocsr(), vectors[len(applications) :].tocsr()
    # Rounded, so that the last bit of a sum, which depends on the machine, does not decide who reads what.
    cosines = np.rint((left @ right.T).toarray() * SCORE_MAX).astype(np.int32)
    return np.minimum(cosines, SCORE_MAX), (left, right, tuple(vectorizer.get_feature_names_out()))
