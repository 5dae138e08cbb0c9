"""The nearest of the known names, for error messages."""

import difflib
from collections.abc import Iterable


def nearest(name: str, candidates: Iterable[str], n: int = 1, cutoff: float = 0.6) -> list[str]:
    """At most `n` of the candidates that resemble `name` by `cutoff` or more (0 to 1), best first; case does not matter."""
    spelled = {candidate.lower(): candidate for candidate in candidates}
    return [spelled[found] for found in difflib.get_close_matches(name.lower(), spelled, n, cutoff)]


def did_you_mean(name: str, candidates: Iterable[str]) -> str:
    """The end of an error message: `; did you mean 'bert'?`, or nothing where no candidate is near."""
    found = nearest(name, candidates)
    return f"; did you mean '{found[0]}'?" if found else ""
