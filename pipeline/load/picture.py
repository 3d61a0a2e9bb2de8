"""Draw a load run: how long each record took, and how many came in a second."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl

# Before pyplot is imported: no window, whatever the machine has.
mpl.use("Agg")

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator

from pipeline.load.figures import Spread, duration

# Of Okabe and Ito, told apart by all eyes; line styles and labels say the same.
_BLUE, _ORANGE, _GREEN, _RED = "#0072B2", "#E69F00", "#007D5A", "#D55E00"
_INK, _QUIET = "#222222", "#6b6b6b"
_MOST_BINS = 40
# Of reads of the stream: with fewer in a bin, it would show when they were.
_BIN_READS = 10
# From the slowest to the middle, in which a linear scale would show nothing but the slowest.
_LOGARITHMIC = 20.0


@dataclass(frozen=True)
class Picture:
    """What is drawn. Moments are seconds since the first upload began, latencies seconds.

    `answered`: when S3 took each upload; `recorded`: that moment and the latency of each that has a
    record; `missing`: that moment of each that has none. `poll` is from one read of the stream to
    the next.
    """

    title: str
    subtitle: str
    answered: Sequence[float]
    recorded: Sequence[tuple[float, float]]
    missing: Sequence[float]
    latency: Spread | None
    poll: float


def draw(picture: Picture, paths: Sequence[Path]) -> None:
    """Write the picture to each path, as its suffix says. Raises OSError."""
    style: Any = {
        "font.size": 10,
        "axes.edgecolor": _QUIET,
        "axes.labelcolor": _INK,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "axes.axisbelow": True,
        "grid.color": "#e4e4e4",
        "xtick.color": _QUIET,
        "ytick.color": _QUIET,
    }
    with mpl.rc_context(style):
        figure, (above, below) = plt.subplots(
            2, 1, sharex=True, figsize=(10, 6), layout="constrained", height_ratios=(2.4, 1)
        )
        above.set_title(picture.title, loc="left", weight="bold", size=13, pad=26)
        above.text(0, 1.035, picture.subtitle, transform=above.transAxes, size=9, color=_QUIET)
        _latencies(above, picture)
        _rates(below, picture)
        below.set_xlabel("seconds since the first upload")
        figure.align_ylabels()
        try:
            for path in paths:
                figure.savefig(path, dpi=150)
        finally:
            plt.close(figure)


def _latencies(axes: Axes, picture: Picture) -> None:
    axes.set_ylabel("from upload to record")
    times = [moment for moment, _ in picture.recorded]
    seconds = [latency for _, latency in picture.recorded]
    # Many dots lie on each other: the lighter they are, the more can be told.
    opacity = min(0.8, max(0.4, 150 / max(1, len(times))))
    axes.scatter(times, seconds, s=14, color=_BLUE, alpha=opacity, linewidths=0, zorder=3)
    if picture.latency is not None:
        if picture.latency.max > _LOGARITHMIC * max(picture.latency.p50, 1e-4):
            axes.set_yscale("symlog", linthresh=max(picture.latency.p50, 1e-3), linscale=0.6)
        else:
            axes.set_ylim(bottom=0)
        for name, value, colour, dashes in (
            ("p50", picture.latency.p50, _GREEN, "-"),
            ("p99", picture.latency.p99, _ORANGE, "--"),
        ):
            axes.axhline(value, color=colour, ls=dashes, lw=1.6, zorder=2)
            axes.annotate(
                f"{name} {duration(value)}",
                (1, value),
                xycoords=("axes fraction", "data"),
                xytext=(4, 0),
                textcoords="offset points",
                va="center",
                color=_INK,
                size=9,
            )
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: duration(value)))
    if picture.missing:
        # At the upper edge, as no latency is theirs; with nothing else there.
        axes.set_ylim(top=axes.get_ylim()[1] * 1.15)
        axes.scatter(
            picture.missing,
            [0.97] * len(picture.missing),
            marker="x",
            s=36,
            color=_RED,
            transform=axes.get_xaxis_transform(),
            label=f"no record ({len(picture.missing)})",
            zorder=4,
        )
        axes.legend(loc="center right", frameon=False)


def _rates(axes: Axes, picture: Picture) -> None:
    axes.set_ylabel("per second")
    seen = [moment + latency for moment, latency in picture.recorded]
    end = max([*picture.answered, *seen], default=1.0)
    bins = max(1, min(_MOST_BINS, int(end / (_BIN_READS * picture.poll))))
    edges = [end * number / bins for number in range(bins + 1)]
    for name, moments, colour, dashes in (
        ("uploads", picture.answered, _INK, "--"),
        ("records", seen, _BLUE, "-"),
    ):
        counts = [0] * bins
        for moment in moments:
            counts[min(int(moment / end * bins), bins - 1)] += 1
        axes.stairs(
            [count * bins / end for count in counts],
            edges,
            color=colour,
            ls=dashes,
            lw=1.4,
            baseline=None,
            label=name,
        )
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))
    axes.set_xlim(0, edges[-1])
    # Above the axes, where no line runs.
    axes.legend(
        loc="lower right", bbox_to_anchor=(1, 0.97), frameon=False, ncols=2, borderaxespad=0
    )
