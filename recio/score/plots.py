"""Scores as two SVG drawings: how often what was said happened, and log loss by time to the close. Drawn by hand, no library."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import sqrt
from xml.sax.saxutils import escape

from recio.score.forecasts import MARKET
from recio.score.scores import Scores

WIDTH, HEIGHT, LEFT, TOP, RIGHT, BOTTOM = 640, 420, 56, 24, 150, 48
COLOURS = ("#1f6feb", "#d1242f", "#1a7f37", "#9a6700", "#8250df")
Point = tuple[float, float]


def calibration(scores: Scores) -> str:
    """Said against happened; a dot's area tells how many observations it holds."""
    body = [_line([(0, 0), (1, 1)], "#999", dashed=True)]
    most = max((each.observations for held in scores.calibration.values() for each in held), default=1)
    for number, name in enumerate(scores.names):
        colour = COLOURS[number % len(COLOURS)]
        held = scores.calibration[name]
        body.append(_line([(each.said, each.happened) for each in held], colour))
        body += [
            f'<circle cx="{_x(each.said):.1f}" cy="{_y(each.happened):.1f}" r="{2 + 8 * sqrt(each.observations / most):.1f}"'
            f' fill="{colour}" fill-opacity="0.35"/>'
            for each in held
        ]
    ticks = [(part / 5, f"{part * 20} %") for part in range(6)]
    return _drawing("said", "happened", body, ticks, ticks, scores.names)


def loss_by_time(scores: Scores) -> str:
    """Log loss of each forecaster by the time to the close, from the comparisons with the market."""
    rows = [
        each
        for each in scores.compared
        if each.loss == "log loss" and each.comparison.against == MARKET and " s" in each.group
    ]
    groups = list(dict.fromkeys(each.group for each in rows))
    series: dict[str, dict[str, float]] = {}
    for each in rows:
        series.setdefault(each.comparison.name, {})[each.group] = each.comparison.loss
        # Of several comparisons that with the most observations speaks for the market.
        series.setdefault(MARKET, {}).setdefault(each.group, each.comparison.other)
    top = max((value for held in series.values() for value in held.values()), default=1.0) * 1.1
    places = {group: (number + 0.5) / max(1, len(groups)) for number, group in enumerate(groups)}
    names = [name for name in scores.names if name in series]
    body = [
        _line(
            [(places[group], value / top) for group, value in series[name].items()],
            COLOURS[number % len(COLOURS)],
        )
        for number, name in enumerate(names)
    ]
    across = [(places[group], group) for group in groups]
    upward = [(part / 4, f"{part / 4 * top:.2f}") for part in range(5)]
    return _drawing("time to the close", "log loss", body, across, upward, names)


def _x(part: float) -> float:
    return LEFT + part * (WIDTH - LEFT - RIGHT)


def _y(part: float) -> float:
    return HEIGHT - BOTTOM - part * (HEIGHT - TOP - BOTTOM)


def _line(points: Sequence[Point], colour: str, *, dashed: bool = False) -> str:
    path = " ".join(f"{_x(across):.1f},{_y(up):.1f}" for across, up in points)
    dash = ' stroke-dasharray="4 4"' if dashed else ""
    return f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"{dash}/>'


def _drawing(
    across_name: str,
    up_name: str,
    body: Sequence[str],
    across: Sequence[tuple[float, str]],
    upward: Sequence[tuple[float, str]],
    names: Sequence[str],
) -> str:
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12">',
            f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
            *_axes(across_name, up_name, across, upward),
            *body,
            *_legend(names),
            "</svg>",
            "",
        ]
    )


def _axes(
    across_name: str, up_name: str, across: Sequence[tuple[float, str]], upward: Sequence[tuple[float, str]]
) -> Iterator[str]:
    yield f'<path d="M{_x(0)} {_y(1)}V{_y(0)}H{_x(1)}" fill="none" stroke="#333"/>'
    for part, text in across:
        yield f'<text x="{_x(part):.1f}" y="{_y(0) + 16}" text-anchor="middle">{escape(text)}</text>'
    for part, text in upward:
        yield f'<text x="{LEFT - 6}" y="{_y(part) + 4:.1f}" text-anchor="end">{escape(text)}</text>'
        yield f'<path d="M{_x(0)} {_y(part):.1f}H{_x(1)}" stroke="#eee"/>'
    yield f'<text x="{_x(0.5):.1f}" y="{HEIGHT - 10}" text-anchor="middle">{escape(across_name)}</text>'
    yield f'<text x="{LEFT}" y="{TOP - 8}">{escape(up_name)}</text>'


def _legend(names: Sequence[str]) -> Iterator[str]:
    for number, name in enumerate(names):
        y = TOP + 20 * number + 10
        colour = COLOURS[number % len(COLOURS)]
        yield f'<path d="M{_x(1) + 14} {y}h22" stroke="{colour}" stroke-width="3"/>'
        yield f'<text x="{_x(1) + 42:.0f}" y="{y + 4}">{escape(name)}</text>'
