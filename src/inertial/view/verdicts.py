r"""Audit entries in words: one line each, and a LaTeX table of all."""

from collections.abc import Sequence

from inertial.theory.audit import AuditEntry

VERDICTS = {
    "violated": "the claim fails beyond rounding",
    "holds": "assumptions met, claim met",
    "vacuous": "met, but it never says more than the trivial bound",
    "unresolved": "the two sides lie within the rounding of the run",
    "not applicable": "an assumption is missed",
    "unverifiable": "a constant is left open, or the run lacks what is needed",
}
"""Verdicts, in the order in which they are shown, and what they mean."""

_TEX = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
}


def headline(entry: AuditEntry) -> str:
    """Source of an entry, with the erratum and form where it has two forms."""
    form = "" if entry.erratum is None else f", {entry.form} ({entry.erratum})"
    return f"{entry.source}{form}"


def finding(entry: AuditEntry) -> str:
    """Margin, first violation, missed assumptions and reason of an entry, in one line."""
    parts = []
    if entry.margin is not None:
        parts.append(f"margin {entry.margin:.3g}")
    if entry.first_violation is not None:
        parts.append(f"first violated at {entry.axis} {entry.first_violation:g}")
    missed = [a for a in entry.assumptions if a.margin is not None and a.margin < 0]
    parts += [f"misses {a.name!r} by {-a.margin:.3g}" for a in missed if a.margin is not None]
    if entry.frequency is not None:
        seen = entry.frequency
        parts.append(
            f"on {seen.held} of {seen.seeds} seeds (95 %: {seen.low:.2f} to {seen.high:.2f})"
        )
    if entry.reason and entry.first_violation is None and not missed:
        parts.append(entry.reason)
    return "; ".join(parts)


def counts(entries: Sequence[AuditEntry]) -> list[tuple[str, int, str]]:
    """Count the verdicts, with their meaning, without the known slips as printed."""
    found = [entry.verdict for entry in entries if entry.form != "printed"]
    return [(key, found.count(key), meaning) for key, meaning in VERDICTS.items() if key in found]


def audit_table(entries: Sequence[AuditEntry]) -> str:
    """Return a LaTeX ``longtable`` of source, statement, verdict and margin."""
    rows = [
        " & ".join(
            (
                _escape(headline(entry)),
                _escape(entry.statement),
                entry.verdict,
                "--" if entry.margin is None else f"${entry.margin:.3g}$",
            )
        )
        + r" \\"
        for entry in entries
    ]
    head = r"source & statement & verdict & margin \\ \hline"
    begin = r"\begin{longtable}{p{0.2\linewidth}p{0.5\linewidth}ll}"
    return "\n".join([begin, head, *rows, r"\end{longtable}"]) + "\n"


def _escape(text: str) -> str:
    return "".join(_TEX.get(character, character) for character in text)
