"""Suggestions of similar names for error messages."""

import difflib
from collections.abc import Iterable


def nearest(name: str, candidates: Iterable[str], n: int = 1, cutoff: float = 0.6) -> list[str]:
    """At most `n` of the candidates with a similarity to `name` of at least `cutoff` (0 to 1), best first, ignoring case.
    """
    spelled = {candidate.lower(): candidate for candidate in candidates}
    return [spelled[found] for found in difflib.get_close_matches(name.lower(), spelled, n, cutoff)]


def did_you_mean(name: str, candidates: Iterable[str]) -> str:
    """The end of an error message: `; did you mean 'bert'?`, or an empty string if no candidate is similar."""
    found = nearest(name, candidates)
    return f"; did you mean '{found[0]}'?" if found else ""
