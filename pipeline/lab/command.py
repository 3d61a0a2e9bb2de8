"""`pipeline lab …`: the options of the embedded lab's commands."""

from pathlib import Path
from typing import Annotated

import typer

from pipeline.paths import LAB
from pipeline.program import Json

Port = Annotated[
    int | None,
    typer.Option(
        min=1,
        max=65535,
        metavar="PORT",
        help="The emulator's port on loopback; a free one if not given.",
    ),
]
WorkDir = Annotated[
    Path,
    typer.Option(
        metavar="FOLDER",
        help="Folder for everything that is made.",
        show_default=".work/demo",
        resolve_path=True,
    ),
]

app = typer.Typer(
    help="The embedded lab: the module as it is, on an emulator on this machine.",
    no_args_is_help=True,
)


@app.command()
def up(port: Port = None, work_dir: WorkDir = LAB, as_json: Json = False) -> None:
    """Make sure that a lab runs on this machine, as the module is now, and leave it running.

    A lab that runs already stays, and gets what has changed in the module; what was changed by hand
    is put back. A lab that was stopped, or whose emulator died, comes back with its objects,
    records, messages and alarms: they are saved every second or two, so that a crash costs the
    newest writes. Otherwise a new lab is made: the first in about a minute, and ready before that;
    later ones from a snapshot in the user's cache folder, in seconds.
    """
    from pipeline.lab import lifecycle

    raise typer.Exit(lifecycle.up(work_dir, port, as_json=as_json))


@app.command()
def status(work_dir: WorkDir = LAB, as_json: Json = False) -> None:
    """Show whether the lab runs, since when, what is in it, and whether the module has changed.

    Exit 0 when it runs, 1 when it does not, 2 when that can't be found out.
    """
    from pipeline.lab import status

    raise typer.Exit(status.run(work_dir, as_json=as_json))


@app.command()
def down(
    keep_state: Annotated[
        bool, typer.Option("--keep-state", help="Only stop it; `up` brings it back as it was.")
    ] = False,
    work_dir: WorkDir = LAB,
    as_json: Json = False,
) -> None:
    """Destroy the lab that `up` or `demo --keep` left, running or stopped.

    Stacks of your own that you made in its emulator are destroyed with it.
    """
    from pipeline.lab import lifecycle

    raise typer.Exit(lifecycle.down(work_dir, keep_state=keep_state, as_json=as_json))
