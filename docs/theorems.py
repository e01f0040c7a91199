"""Write docs/theorems.md: every theorem with its verdicts on three data sets.

``.venv/bin/python docs/theorems.py`` trains what it audits; it takes some minutes.
"""

import sys
import tempfile
from pathlib import Path

from inertial import Settings, compare, load
from inertial.data import locate
from inertial.theory.audit import Audit
from inertial.view.auditing import audit_folders
from inertial.view.verdicts import VERDICTS, finding, headline

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
Kernels were measured again along every run, and the residual was split again over its first steps.

A label such as `003 Lemma 3` is our number of a source and its own label: 000 Liu, Tao, Wang and
Pan (2022), 001 Bu, Xu and Chen (2021), 002 Liu, Pan and Tao (2022), 003 Wang and Abernethy (2020),
004 the slides of 001. A statement with a slip stands twice, as printed and as corrected; E-002-9 is
our number of the slip.

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
    """Return the page's parts: counts, then one section a theorem."""
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
        ),
        "| verdict | " + " | ".join(audits) + " | meaning |\n|---|" + "---|" * (len(audits) + 1),
    ]
    for verdict, meaning in VERDICTS.items():
        counts = [
            str(sum(entry.verdict == verdict for entry in audit.entries))
            for audit in audits.values()
        ]
        parts.append(f"\n| {verdict} | {' | '.join(counts)} | {meaning} |")
    parts.append("\n")
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
