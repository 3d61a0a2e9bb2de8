"""Draw the ratios of `bench.handler`."""

from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")
# So that drawing the same figures again changes no byte of the SVG.
mpl.rcParams["svg.hashsalt"] = "handler-speed"

import matplotlib.pyplot as plt  # noqa: E402


def draw(figures: list[dict[str, Any]], path: Path) -> None:
    """Write `path` as `.png` and `.svg`: a bar for each promised figure, its promise, its limit."""
    # Without what is compared with raw sockets.
    promised = [outcome for outcome in figures if (outcome["at_least"] or 0) > 1][::-1]
    plot, axes = plt.subplots(figsize=(9, 3.4), layout="constrained")
    ratios = [outcome["ratio"] for outcome in promised]
    errors = [
        [outcome["ratio"] - outcome["low"] for outcome in promised],
        [outcome["high"] - outcome["ratio"] for outcome in promised],
    ]
    places = range(len(promised))
    axes.barh(places, ratios, xerr=errors, color="#2f6f9f", ecolor="#222222", height=0.6)
    for place, outcome in zip(places, promised, strict=True):
        axes.plot([outcome["at_least"]] * 2, [place - 0.38, place + 0.38], color="#d1495b", lw=2)
        axes.plot(outcome["limit"], place, marker="D", ms=5, color="#8a8a8a")
    axes.set_yticks(
        places, [f"{outcome['figure']}: {outcome['ratio']:.1f}x" for outcome in promised]
    )
    axes.set_xscale("log")
    axes.set_xlim(1, 400)
    axes.set_xticks(
        [1, 2, 5, 10, 20, 50, 100, 200], ["1x", "2", "5", "10", "20", "50", "100", "200"]
    )
    axes.set_xlabel("times better than the obvious handler; red: promised, grey: raw sockets")
    axes.spines[["top", "right"]].set_visible(False)
    plot.savefig(path.with_suffix(".png"), dpi=150, metadata={"Software": None})
    plot.savefig(path.with_suffix(".svg"), metadata={"Date": None})
    plt.close(plot)
