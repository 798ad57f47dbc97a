"""`python -m tests.faults.fault_ledger`: writes docs/fault-ledger.md from the reports of the last full runs; it runs none."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

from tests.faults.proof_reports import PROOF, ROOT, read

PAGE = ROOT / "docs" / "fault-ledger.md"
Report = dict[str, Any]


def page() -> str:
    """The whole page; the same reports give the same page."""
    return "\n".join([*_head(), *_runs(), *_grid(), *_found()]) + "\n"


def _head() -> Iterator[str]:
    yield "# Fault ledger"
    yield ""
    yield "What was done to recio to make it lose, double or forget an order, and what came of it. This page is made by"
    yield "`make fault-ledger` from the reports in `docs/proof/`, which the runs below write; nobody edits it by hand."
    yield ""
    yield "After each case and each proof the daemon's rows and the exchange's own books are compared: every fill, one venue"
    yield "order at most for each intent, cash to $0.000001, limits, ended trades, halts, positions, the audit log's chain and"
    yield "whether each decision follows from its recorded inputs (I1 to I10, `tests/faults/invariants.py`)."
    yield ""


def _runs() -> Iterator[str]:
    yield "## The last full runs"
    yield ""
    yield "| what | how often | failures | commit | run with |"
    yield "|---|---|---|---|---|"
    for name, row in ROWS.items():
        report = read(name)
        yield _missing(name) if report is None else row(report)
    yield ""


def _missing(name: str) -> str:
    return f"| {name} | never run to its end | | | `{COMMANDS[name]}` |"


def _grid_row(report: Report) -> str:
    recovery = report["recovery_seconds"]
    return (
        f"| kill -9 at numbered instants, each under a fault | {report['happened']:,} cases that happened, of"
        f" {report['cases']:,} tried; every order proven {_seconds(recovery['median'])} (median) to"
        f" {_seconds(recovery['longest'])} after the start | {len(report['failed'])} | {report['commit']} |"
        f" `{COMMANDS['fault-grid']}` |"
    )


def _kills_row(report: Report) -> str:
    return (
        f"| kill -9 of the daemon at drawn instants under trading load | {report['kills']:,} kills,"
        f" {report['proofs']:,} full proofs, {report['orders']:,} orders, {report['fills']:,} fills, seed"
        f" {report['seed']} | {len(report['failed'])} | {report['commit']} | `{COMMANDS['random-kills']}` |"
    )


def _database_row(report: Report) -> str:
    return (
        f"| kill -9 of all of PostgreSQL under trading load | {report['kills']:,} kills, {report['in_bursts']:,} of them"
        f" within 30 ms of a write, {report['proofs']:,} full proofs, {report['orders']:,} orders, seed {report['seed']} | {len(report['failed'])} | {report['commit']} | `{COMMANDS['kill-database']}` |"
    )


def _restores_row(report: Report) -> str:
    took, place = report["rto_seconds"], "in memory" if report["in_memory"] else "on a disk"
    return (
        f"| a backup restored to drawn instants of a stream of changes, each proven and its rows counted |"
        f" {report['restores']:,} restores {place} of {report['asked_for']:,} asked for, {report['rows']:,} rows in"
        f" {report['span_seconds']} s, seed {report['seed']}; proven {_seconds(took['median'])} (median) to"
        f" {_seconds(took['longest'])} after the start at load {report['load'][2]:g} | {len(report['failed'])} |"
        f" {report['commit']} | `{COMMANDS['restores']}` |"
    )


def _reads_row(report: Report) -> str:
    slowest = max((each["longest"] for each in report["took_seconds"].values()), default=None)
    sold = report["took_seconds"].get("stop", {}).get("median")
    return (
        f"| every read of the venue failing in every manner, while a stop, a flatten or a settlement is due |"
        f" {report['cases']:,} cases, {report['proofs']:,} full proofs; a stop sold {_seconds(sold)} (median) after it was"
        f" due, the longest of all took {_seconds(slowest)}; {len(report['halts'])} halted entries | {len(report['failed'])} |"
        f" {report['commit']} | `{COMMANDS['read-faults']}` |"
    )


def _day_row(report: Report) -> str:
    halts = sum(report["halts"].values())
    faults, deeds = sum(report["faults"].values()), sum(report["deeds"].values())
    return (
        f"| a market day of failing reads, late orders, a person beside it and kills | {report['hours']:g} hours at speed"
        f" {report['speed']:g}, seed {report['seed']}: {report['orders']:,} orders, {faults:,} faults beside those of orders,"
        f" {deeds:,} deeds of a person or of `kill`, {report['lives']} lives, {report['wishes_to_sell']:,} wishes to sell"
        f" ([its log read](proof/bad-day.md)) |"
        f" {len(report['failed'])} of money, {len(report['lost_stops'])} lost stops, {halts} halts | {report['commit']} |"
        f" `{COMMANDS['bad-day']}` |"
    )


def _model_row(report: Report) -> str:
    return (
        f"| random histories of rules, ledger and a model venue | {report['steps']:,} steps, seeds"
        f" {report['first_seed']} to {report['last_seed']} | {report['failures']} | {report['commit']} |"
        f" `{COMMANDS['model']}` |"
    )


def _guards_row(report: Report) -> str:
    return (
        f"| each guard taken out in turn | {report['guards']} guards, each missed by a test |"
        f" {len(report['unseen'])} | {report['commit']} | `{COMMANDS['guards']}` |"
    )


def _sessions_row(report: Report) -> str:
    decided = report["entry_cycles"] + report["exit_cycles"]
    return (
        f"| every recorded session lived through, kill -9 in its middle, and decided again | {report['sessions']}"
        f" sessions, {decided:,} decisions, {report['intents']} of them for an order, {report['lost']} not kept |"
        f" {report['different'] + len(report['faults'])} | {report['commit']} | `{COMMANDS['every-session']}` |"
    )


def _properties_row(report: Report) -> str:
    telling = sum(report["telling"].values())
    return (
        f"| four laws of trading over drawn cases | {report['cases']:,} cases, {telling:,} of them telling, seeds from"
        f" {report['first_seed']:,} | {len(report['broken'])} | {report['commit']} | `{COMMANDS['properties']}` |"
    )


def _at_first(area: Report) -> str:
    """A draw whose unseen breaks got tests says nothing of breaks that were not drawn: what was seen before them is told."""
    before = area.get("at_first")
    if before is None:
        return ""
    return f", before tests were written for the rest {before['noticed']:,} of {before['tried']:,}"


def _mutants_row(report: Report) -> str:
    areas = "; ".join(
        f"{name} ({each['of']}): {each['noticed']:,} of {each['tried']:,} noticed{_at_first(each)}"
        for name, each in report["areas"].items()
    )
    unseen = sum(len(each["unseen"]) for each in report["areas"].values())
    commits = ", ".join(sorted({each["commit"] for each in report["areas"].values()}))
    return (
        f"| the program broken in one small place after another, drawn by seed | {areas} | {unseen} unseen |"
        f" {commits} | `{COMMANDS['mutants']}` |"
    )


ROWS = {
    "fault-grid": _grid_row,
    "random-kills": _kills_row,
    "kill-database": _database_row,
    "restores": _restores_row,
    "read-faults": _reads_row,
    "bad-day": _day_row,
    "model": _model_row,
    "guards": _guards_row,
    "properties": _properties_row,
    "mutants": _mutants_row,
    "every-session": _sessions_row,
}
COMMANDS = {name: f"make {name}" for name in ROWS}


def _grid() -> Iterator[str]:
    report = read("fault-grid")
    if report is None:
        return
    resumed = report["resumed"]
    yield "## The grid"
    yield ""
    yield f"After the fault {resumed.get('trading', 0):,} cases went on trading and {resumed.get('said why', 0):,} said why not;"
    yield f"{len(report['did_not_happen']):,} of those tried did not happen (the instant or the fault was not reached) and count"
    yield "for nothing."
    yield ""
    for again in report.get("tried_again", []):
        yield f"{again['cases']} cases that had failed or not happened were tried again ({again['commit']}): {again['happened']} happened"
        yield f"then, and {again['failed']} failed. The first time {len(again['titles'])} had failed:"
        yield ""
        yield from (f"- {title}" for title in again["titles"])
        yield ""
    yield "| fault | cases |"
    yield "|---|---|"
    yield from (f"| {name} | {count} |" for name, count in sorted(report["by_trouble"].items()))
    yield ""
    yield "| instant | cases |"
    yield "|---|---|"
    yield from (f"| {name} | {count} |" for name, count in sorted(report["by_point"].items()))
    yield ""


def _found() -> Iterator[str]:
    yield "## Found and fixed"
    yield ""
    yield "| found by | what | commit |"
    yield "|---|---|---|"
    found = read("found") or {"found": []}
    yield from (f"| {each['by']} | {each['what']} | {each['commit']} |" for each in found["found"])


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f} s"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    sys.stdout.write(f"{PAGE.relative_to(ROOT)} from {len(list(PROOF.glob('*.json')))} reports\n")
