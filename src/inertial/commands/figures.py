"""`inertial figures`: draw what is stored, without computing."""

from pathlib import Path

from inertial import _json
from inertial._checks import InvalidInput
from inertial.commands.reproduce import conclude
from inertial.commands.terminal import say, write


def figures(folder: Path, *, json: bool = False) -> None:
    """Draw all figures of FOLDER from what is stored, without computing.

    Parameters
    ----------
    folder
        What inertial reproduce or inertial study wrote.
    json
        Print one JSON document instead of paths.
    """
    from inertial.reproduce.page import write_page
    from inertial.reproduce.run import redraw
    from inertial.runs.study import read_studies
    from inertial.view.drawing import draw

    if not folder.is_dir():
        raise InvalidInput(
            f"{folder} is not a folder; give one that inertial reproduce or inertial study wrote."
        )
    if made := redraw(folder):
        if not json:
            for one in made:
                write(f"{one.folder / 'figure.png'}\n")
        conclude(made, write_page(folder), as_json=json)
        return
    drawn = [(stored, draw(stored, folder)) for stored in read_studies(folder)]
    if not any(paths for _, paths in drawn):
        raise InvalidInput(
            f"{folder} holds no finished runs of a study; give a folder that inertial reproduce or "
            "inertial study wrote (a run of inertial compare has its figure already: "
            "convergence.png)."
        )
    for stored, _ in drawn:
        if stored.missing:
            say(
                "note",
                f"{stored.name}: missing runs: {stored.missing}; inertial study computes them.",
            )
    if json:
        document = [
            {"study": stored.name, "missing": stored.missing, "figures": list(map(str, paths))}
            for stored, paths in drawn
        ]
        write(_json.dumps({"studies": document}))
        return
    write("".join(f"{path}\n" for _, paths in drawn for path in paths))
