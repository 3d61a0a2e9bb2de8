"""Draw a load run: how long each record took, and how many came in a second."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np

# Before pyplot is imported: no window, whatever the machine has.
mpl.use("Agg")

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator

from pipeline.load.figures import duration, problems, spread
from pipeline.load.results import Results
from pipeline.load.run import Load

# Okabe and Ito's colours, which the colour-blind can distinguish; so do line styles and labels.
_BLUE, _ORANGE, _GREEN, _RED = "#0072B2", "#E69F00", "#007D5A", "#D55E00"
_INK, _QUIET = "#222222", "#6b6b6b"
_MOST_BINS = 40
# Reads of the stream in a bin, at least; with fewer, the reads would show instead of the records.
_BIN_READS = 10
# Where max is that many times the median, a linear scale would show nothing but max.
_LOGARITHMIC = 20.0


def draw(load: Load, results: Results, figures: Mapping[str, Any], paths: Sequence[Path]) -> None:
    """Write the picture to each path, as its suffix says. Raises OSError."""
    first = min(upload.began for upload in load.sent)
    # Seconds since the first upload started, of each that S3 took, and latencies of those recorded.
    answered = {upload.number: upload.answered - first for upload in load.taken}
    recorded = [(answered[number], seconds) for number, seconds in results.latency.items()]
    missing = [answered[upload.number] for upload in (*results.lost, *results.failed)]
    bad = {name: len(keys) for name, keys in problems(figures).items()}
    ends = [f"{number:,} {name}" for name, number in bad.items() if number] or ["none lost"]
    if figures["records_per_second"]:
        ends.append(f"{figures['records_per_second']:,.0f} records a second")
    rate = "a burst" if figures["rate"] is None else f"{figures['rate']:g} a second"
    title = f"{figures['uploaded']:,} uploads by {figures['delivery']}: {', '.join(ends)}"
    subtitle = (
        f"{rate}, {figures['parallel']} at a time; from S3's answer until the record was read from "
        f"the table's stream, every {figures['poll_ms']:g} ms"
    )
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
        above.set_title(title, loc="left", weight="bold", size=13, pad=26)
        above.text(0, 1.035, subtitle, transform=above.transAxes, size=9, color=_QUIET)
        _latencies(above, recorded, missing, spread(results.latency.values()))
        _rates(below, list(answered.values()), recorded, load.poll_seconds)
        below.set_xlabel("seconds since the first upload")
        figure.align_ylabels()
        try:
            for path in paths:
                figure.savefig(path, dpi=150)
        finally:
            plt.close(figure)


def _latencies(
    axes: Axes,
    recorded: Sequence[tuple[float, float]],
    missing: Sequence[float],
    latency: Mapping[str, float] | None,
) -> None:
    axes.set_ylabel("from upload to record")
    # Many dots lie on each other: the lighter they are, the more are visible.
    opacity = min(0.8, max(0.4, 150 / max(1, len(recorded))))
    times = [time for time, _ in recorded]
    latencies = [seconds for _, seconds in recorded]
    axes.scatter(times, latencies, s=14, color=_BLUE, alpha=opacity, linewidths=0, zorder=3)
    if latency is not None:
        if latency["max"] > _LOGARITHMIC * max(latency["p50"], 1e-4):
            axes.set_yscale("symlog", linthresh=max(latency["p50"], 1e-3), linscale=0.6)
        else:
            axes.set_ylim(bottom=0)
        for name, colour, dashes in (("p50", _GREEN, "-"), ("p99", _ORANGE, "--")):
            value = latency[name]
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
    if missing:
        # At the upper edge, as they have no latency.
        axes.set_ylim(top=axes.get_ylim()[1] * 1.15)
        axes.scatter(
            missing,
            [0.97] * len(missing),
            marker="x",
            s=36,
            color=_RED,
            transform=axes.get_xaxis_transform(),
            label=f"no record ({len(missing)})",
            zorder=4,
        )
        axes.legend(loc="center right", frameon=False)


def _rates(
    axes: Axes,
    answered: Sequence[float],
    recorded: Sequence[tuple[float, float]],
    poll_seconds: float,
) -> None:
    axes.set_ylabel("per second")
    seen = [time + latency for time, latency in recorded]
    end = max([*answered, *seen], default=1.0)
    bins = max(1, min(_MOST_BINS, int(end / (_BIN_READS * poll_seconds))))
    for name, times, colour, dashes in (
        ("uploads", answered, _INK, "--"),
        ("records", seen, _BLUE, "-"),
    ):
        counts, edges = np.histogram(times, bins, (0, end))
        axes.stairs(
            counts * bins / end,
            edges,
            color=colour,
            ls=dashes,
            lw=1.4,
            baseline=None,
            label=name,
        )
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))
    axes.set_xlim(0, end)
    # Above the axes, where no line runs.
    axes.legend(
        loc="lower right", bbox_to_anchor=(1, 0.97), frameon=False, ncols=2, borderaxespad=0
    )
