"""Write docs/theorems.md: every theorem with its verdicts on three data sets.

``.venv/bin/python docs/theorems.py`` trains what it audits; it takes some minutes.
"""

import sys
import tempfile
from pathlib import Path

from inertial import Settings, compare, load
from inertial.data import locate
from inertial.theory.audit import Audit
from inertial.theory.sources import SOURCES
from inertial.view.auditing import audit_folders
from inertial.view.verdicts import KINDS, VERDICTS, finding, headline, summary

PAGE = Path(__file__).with_name("theorems.md")

SETS = {
    "digits": {},
    "fashion-mnist": {"n": 1000},
    "diabetes": {},
}
SETTINGS = Settings(width=4000, seeds=(0, 1), steps=200, record_residuals=True, rule="paper")

HEAD = """# Theorems, judged

Made by `.venv/bin/python docs/theorems.py`: gradient descent, heavy ball and Nesterov with the
parameters of Liu, Pan and Tao's Table 1, width {width:,}, {steps} steps, {seeds} seeds, on {sets}.
Kernels were measured again along every run, the residual was split again over its first steps, and
the records were held against that second run. How the tests hold every constant of these
statements: [constants](theorems-tested.md).

Sources: {sources}. A statement with a slip stands twice, as printed and corrected.

"""


def main() -> None:
    """Train, audit and write the page."""
    audits: dict[str, Audit] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, options in SETS.items():
            if locate(name) is None:
                sys.exit(f"{name} is not on this machine; get it with: inertial data fetch {name}")
            out = Path(folder) / name
            compare(load(name, **options), SETTINGS, out=out)
            audits[name] = audit_folders([out], measure=True)
    PAGE.write_text("".join(page(audits)), encoding="utf-8")


def page(audits: dict[str, Audit]) -> list[str]:
    """Return the page's parts: counts, then one section per theorem."""
    yes = {
        name: {entry.theorem: entry for entry in audit.entries} for name, audit in audits.items()
    }
    first = next(iter(audits.values()))
    parts = [
        HEAD.format(
            width=SETTINGS.width,
            steps=SETTINGS.steps,
            seeds=len(SETTINGS.seeds),
            sets=", ".join(audits),
            sources=", ".join(f"[{source.label}]({source.url})" for source in SOURCES),
        )
    ]
    short = {name: summary(audit.entries) for name, audit in audits.items()}
    for name, one in short.items():
        parts.append(f"- {name}: **{one.answer}** {one.reason}\n")
    for kind, title in KINDS.items():
        parts.append(f"\n| {title} | {' | '.join(audits)} | meaning |\n")
        parts.append("|---|" + "--:|" * len(audits) + "---|\n")
        for verdict, meaning in VERDICTS.items():
            counts = [one.counts[kind].get(verdict, 0) for one in short.values()]
            if any(counts):
                parts.append(f"| {verdict} | {' | '.join(map(str, counts))} | {meaning} |\n")
    for entry in first.entries:
        parts.append(f"\n## {headline(entry)}\n\n{_plain(entry.statement)}\n\n")
        for name in audits:
            judged = yes[name][entry.theorem]
            words = _plain(finding(judged))
            parts.append(f"- {name}: **{judged.verdict}**{'; ' + words if words else ''}\n")
    return parts


def _plain(text: str) -> str:
    """Keep Markdown from reading formulas as markup."""
    for sign in "\\*_<>[]|":
        text = text.replace(sign, f"\\{sign}")
    return text


if __name__ == "__main__":
    main()
