"""Audit entries in words: the answer to whether the theory holds, one line each, a LaTeX table."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from inertial.theory.audit import AuditEntry
from inertial.theory.sources import SOURCES, Source
from inertial.theory.theorem import Kind

VERDICTS = {
    "violated": "the claim fails beyond rounding",
    "holds": "assumptions met, claim met",
    "vacuous": "met, but it never says more than the trivial bound",
    "unresolved": "the two sides lie within the rounding of the run",
    "not applicable": "an assumption is missed",
    "unverifiable": "a constant is left open, or the run lacks what is needed",
}
"""Verdicts, in the order in which they are shown, and what they mean."""

KINDS: dict[Kind, str] = {
    "run": "Statements that depend on the run",
    "algebra": "Algebra, which a proof settles for every run",
    "misprint": "Misprints and false claims, as printed; corrections are in the other lists",
}
"""Kinds of statements, in the order in which they are shown, and their headings."""

MEASURED = (
    "margin: 1 - left/right where it is least in all that was judged, or, of an equality, the "
    "relative error that is allowed less the actual one; 0 where the sides are equal within "
    "rounding, which fails a strict claim; below 0 where the claim fails. misses: by what share of "
    "what it asks an assumption is missed, where it is missed most (the width of a proof: by what "
    "share of the run's width)."
)
"""What the numbers of `finding` are."""


@dataclass(frozen=True)
class Summary:
    """An audit in short: the answer, and the number of entries by kind and verdict."""

    answer: str
    reason: str
    counts: dict[Kind, dict[str, int]]


def summary(entries: Sequence[AuditEntry]) -> Summary:
    """Answer whether the theory holds on what was judged.

    Only statements that depend on the run count: algebra holds on any run, and misprints fail.  Of
    several runs, each with its setting, a statement counts by its most decisive verdict.
    """
    counts: dict[Kind, dict[str, int]] = {kind: {} for kind in KINDS}
    for kind in KINDS:
        found = [entry.verdict for entry in entries if entry.kind == kind]
        counts[kind] = {verdict: found.count(verdict) for verdict in VERDICTS if verdict in found}
    run = counts["run"]
    total, failed = sum(run.values()), run.get("violated", 0)
    held = run.get("holds", 0)
    several = any(entry.by_run for entry in entries)
    one, any_ = (" in at least one setting", " in any") if several else ("", "")
    if failed:
        answer = f"No: {failed} of {total} statements about the run fail{one} though they apply."
    elif held:
        part = "Yes" if 2 * held >= total else "In part"
        answer = (
            f"{part}: {held} of {total} statements about the run apply and hold{one}; none fails"
            f"{any_}."
        )
    else:
        answer = f"It cannot be said: none of {total} statements about the run applies{any_}."
    parts = [
        f"{number} {'hold' if verdict == 'holds' and number > 1 else verdict}"
        for verdict, number in run.items()
    ]
    claims = [entry.finding for entry in entries if entry.kind == "run"]
    kept, missed = (sum(claim in words for claim in claims) for words in (_KEPT, ("violated",)))
    reason = f"Of these, {_listed(parts)}." if parts else ""
    if kept + missed:
        reason += (
            f" Whatever their assumptions say, {kept} of {kept + missed} claims that can be "
            "compared with the run are true of it."
        )
    return Summary(answer, reason.strip(), counts)


def headline(entry: AuditEntry) -> str:
    """Source of an entry, with its form where it has two."""
    form = {"printed": ", as printed", "corrected": ", corrected", "only": ""}[entry.form]
    return f"{entry.source}{form}"


def finding(entry: AuditEntry) -> str:
    """Margin, first violation, missed assumptions and reason of an entry, in one line."""
    parts = []
    if len(entry.counts) > 1:
        ordered = [(verdict, entry.counts.get(verdict)) for verdict in VERDICTS]
        parts.append(_listed([f"{verdict} in {number}" for verdict, number in ordered if number]))
    if entry.margin is not None:
        parts.append(f"margin {entry.margin:.3g}")
    told = "first violated" in entry.reason
    if entry.first_violation is not None and not told:
        parts.append(f"first violated at {entry.axis} {entry.first_violation:g}")
    missed = [a for a in entry.assumptions if a.margin is not None and a.margin < 0]
    for a in missed:
        where = f" ({a.where})" if entry.by_run and a.where else ""
        parts.append(f"misses {a.name!r} by {-(a.margin or 0):.3g}{where}")
    if entry.frequency is not None:
        seen = entry.frequency
        parts.append(f"{seen.counted} (95 %: {seen.low:.2f} to {seen.high:.2f})")
    said = entry.first_violation is not None or missed
    if entry.reason and (told or entry.verdict == "unverifiable" or not said):
        parts.append(entry.reason)
    if entry.looked_at:
        parts.append(f"looked at {entry.looked_at}")
    return "; ".join(parts)


def audit_table(entries: Sequence[AuditEntry]) -> str:
    r"""Return a LaTeX ``longtable`` of source, statement, verdict and margin, by kind.

    The comment at its top names the packages to load.
    """
    lines = [
        r"% In the preamble: \usepackage{array,booktabs,longtable,url}",
        r"\begingroup\small\setlength{\tabcolsep}{4pt}",
        rf"\begin{{longtable}}{{@{{}}{_COLUMN % 0.23}{_COLUMN % 0.39}lr@{{}}}}",
        rf"\caption{{{_text(summary(entries).answer)}}}\\",
        r"\toprule",
        _HEAD,
        r"\midrule",
        r"\endfirsthead",
        r"\toprule",
        _HEAD,
        r"\midrule",
        r"\endhead",
        r"\bottomrule",
        r"\endlastfoot",
    ]
    for kind, title in KINDS.items():
        chosen = [entry for entry in entries if entry.kind == kind]
        if chosen:
            lines.append(
                rf"\multicolumn{{4}}{{l}}{{\textit{{{_text(title)}}}}}\\\addlinespace[3pt]"
            )
        lines += [_row(entry) for entry in chosen]
    lines.append(r"\end{longtable}\endgroup")
    if cited := [source for source in SOURCES if _cited(source.label, entries)]:
        lines += [r"\begin{description}", *map(_key, cited), r"\end{description}"]
    return "\n".join(lines) + "\n"


_KEPT = ("holds", "vacuous")

_COLUMN = r">{\raggedright\arraybackslash}p{%.2f\linewidth}"

_HEAD = r"source & statement & verdict & margin \\"

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
    "|": r"\textbar{}",
}

_LETTERS = "alpha beta gamma delta eta theta Theta kappa lambda mu nu xi rho tau psi"

_GREEK = {name: rf"\{name} " for name in _LETTERS.split(" ")} | {
    "phi": r"\varphi ",
    "epsilon": r"\varepsilon ",
}
_NAMES = _GREEK | {
    "Lhat": r"\hat L",
    "exp": r"\exp ",
    "log": r"\log ",
    "int": r"\int ",
    "sum": r"\sum ",
    "max": r"\max ",
    "min": r"\min ",
    "inf": r"\infty ",
    "dmu": r"\,d\mu ",
    "dl": r"\,dl",
    "tr": r"\mathrm{tr}\,",
}
_TOKEN = re.compile(r"(<=|>=|->|sqrt|[A-Za-z]+|(?:\d+\.?\d*|\.\d+)(?:e-?\d+)?|\s+|.)")
_OPERATORS = ("+", "-", "=", "<", ">", "<=", ">=", "->")
_WORDS = ("is", "at", "and", "as", "for", "the", "has", "most", "that", "with", "of", "to", "give")
_SYMBOLS = set("<>=^_|+*/")


def _row(entry: AuditEntry) -> str:
    margin = "--" if entry.margin is None else f"${_number(f'{entry.margin:.3g}')}$"
    cells = (_text(headline(entry)), _sentence(entry.statement), entry.verdict, margin)
    return " & ".join(cells) + r" \\\addlinespace[3pt]"


def _key(source: Source) -> str:
    return rf"\item[{_text(source.label)}] {_text(source.title)}, \url{{{source.url}}}"


def _cited(label: str, entries: Sequence[AuditEntry]) -> bool:
    return any(label in entry.source for entry in entries)


def _listed(parts: Sequence[str]) -> str:
    return ", ".join(parts)


def _text(text: str) -> str:
    """Escape everything that LaTeX would read as markup."""
    return "".join(_TEX.get(character, character) for character in text)


def _number(text: str) -> str:
    """Write 1e-09 as a power of ten."""
    mantissa, _, power = text.partition("e")
    return rf"{mantissa}\cdot 10^{{{int(power)}}}" if power else mantissa


def _sentence(statement: str) -> str:
    """Set the formulas of a sentence as formulas, and the rest as text.

    A run of words counts as a formula if it holds a sign such as ``<=``, ``_`` or ``^``, or a name
    of ours for a Greek letter.
    """
    words = statement.split(" ")
    marked = [_is_formula(word) for word in words]
    for k, word in enumerate(words):
        beside = [words[j] for j in (k - 1, k + 1) if 0 <= j < len(words)]
        if re.fullmatch(r"[-A-Za-z0-9().,:/]{1,4}", word) and word not in _WORDS:
            marked[k] |= any(other in _OPERATORS for other in beside)
        marked[k] |= word == "I" and k > 0 and marked[k - 1]
    for k in range(len(words) - 1):  # a factor stands with what it multiplies
        factor = re.fullmatch(r"\d+(\.\d+)?", words[k]) and words[k + 1] not in _OPERATORS
        marked[k] |= bool(factor) and marked[k + 1]
    depth = 0
    for k, word in enumerate(words):
        prose = re.fullmatch(r"[a-z]{3,}[,.);]*", word) and word.strip(",.);") not in _NAMES
        marked[k] |= depth > 0 and not prose
        depth = max(0, depth + _open(word)) if marked[k] else 0
    for k in range(1, len(words) - 1):
        marked[k] |= words[k] in _NAMES and marked[k - 1] and marked[k + 1]
    out: list[str] = []
    group: list[str] = []
    for word, formula in [*zip(words, marked, strict=True), ("", False)]:
        if formula:
            group.append(word)
            closed = _open(" ".join(group)) <= 0
            if (word[-1] in ",;:" and closed) or (word[-1] == "." and word is words[-1]):
                out.append(_formula(" ".join(group)))
                group = []
            continue
        if group:
            out.append(_formula(" ".join(group)))
            group = []
        out.append(_text(word))
    return " ".join(part for part in out if part)


def _is_formula(word: str) -> bool:
    bare = word.strip(".,;:()")
    names = set(re.findall(r"[A-Za-z]+", bare))
    if names & {*_GREEK, "Lhat", "sqrt", "dl", "dmu", "tr"} or re.fullmatch("[b-zB-HJ-Z]'?", bare):
        return True
    if word in _OPERATORS or re.fullmatch(r"(Lhat|[LR]'?|xi'?|J'J?)(\(\w\))?[.,;]?", word):
        return True
    if re.search(r"[A-Za-z]{4,}-[A-Za-z]", word):
        return False
    return bool(set(bare) & _SYMBOLS) or bool(re.search(r"\b(sqrt|exp|log)\b|#S|\de-?\d", bare))


def _open(text: str) -> int:
    """Return how many brackets `text` opens more than it closes."""
    return sum({"(": 1, "[": 1, ")": -1, "]": -1}.get(character, 0) for character in text)


def _formula(text: str) -> str:
    """Set one formula; closing punctuation stays outside."""
    body = text.rstrip(".,;:")
    return f"${re.sub(' +', ' ', ''.join(_tokens(body)))}${text[len(body) :]}"


def _tokens(body: str) -> list[str]:
    """Translate a formula word by word: roots, Greek letters, subscripts, powers, relations."""
    parts = _TOKEN.findall(body)
    out: list[str] = []
    k = 0
    while k < len(parts):
        part = parts[k]
        if part in ("_", "^") and k + 1 < len(parts):
            inner, k = _argument(parts, k + 1)
            out.append(f"{part}{{{''.join(_tokens(inner))}}}")
            continue
        if part == "*":
            product = out and out[-1].isdigit()
            out.append(r"\cdot " if product else "^{*}")
            k += 1
            continue
        if part == "sqrt" and k + 1 < len(parts):
            inner, k = _argument(parts, k + 1)
            out.append(rf"\sqrt{{{''.join(_tokens(inner))}}}")
            continue
        out.append(_symbol(part))
        k += 1
    return out


def _argument(parts: Sequence[str], k: int) -> tuple[str, int]:
    """Return what a root, power or subscript applies to, without its brackets."""
    start = k
    if parts[k] != "(":
        last = k + 2 if parts[k] == "-" and k + 1 < len(parts) else k + 1
        power = parts[k - 1] == "^" and parts[last - 1] in ("min", "max")
        if not power or parts[last : last + 1] != ["("]:
            return "".join(parts[k:last]), last
        k = last
    depth = 0
    for end in range(k, len(parts)):
        depth += {"(": 1, ")": -1}.get(parts[end], 0)
        if depth == 0:
            whole = slice(start, end + 1) if start < k else slice(k + 1, end)
            return "".join(parts[whole]), end + 1
    return "".join(parts[k + 1 :]), len(parts)


def _symbol(part: str) -> str:
    """Translate one name, number or sign."""
    signs = {"<=": r"\le ", ">=": r"\ge ", "->": r"\to ", "|": r"\vert ", "#": r"\#"}
    if part in signs:
        return signs[part]
    if part in _NAMES:
        return _NAMES[part]
    if part[0].isdigit():
        return _number(part)
    if len(part) > 1 and part.isalpha():
        return rf"\mathrm{{{part}}}"
    return part if part in "<>" else _TEX.get(part, part)
