"""Reads all given sources into one harvest; a source that breaks gives nothing, and the others give all they have."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from recio.old_data import csv_files, folders, old_settings, parts, sqlite_files, values
from recio.old_data.blocks import Block, blocks, sums_of
from recio.old_data.compare import Disagreement
from recio.old_data.harvest import Harvest, SourceLine
from recio.old_data.layouts import Kind, Layout, Unusable, layout_of, user_of
from recio.old_data.packed import UNREADABLE, head_of
from recio.old_data.parts import Figures, Part, Seen
from recio.old_data.price_log import PriceSpool
from recio.old_data.price_tables import take_log, take_rows
from recio.old_data.records import BadRow, LedgerRow, Record, record_of
from recio.old_data.sql_dump import Dump, is_dump
from recio.old_data.staging import Staging
from recio.old_data.tables import ENGINE, BrokenSource, OldTable, Stranger, why_no_path, why_unusable

Say = Callable[[str], None]


@dataclass(slots=True)
class Reader:
    mode: str
    spool: PriceSpool
    staging: Staging
    seen: dict[tuple[str, str], Seen]
    say: Say
    harvest: Harvest = field(default_factory=Harvest)
    earlier_user: str = ""
    """Whose account was imported before."""
    user: str = ""
    """Whose account it is, once it was settled on."""
    users: set[str] = field(default_factory=set[str])
    settings: dict[str, dict[str, str]] = field(default_factory=dict[str, dict[str, str]])
    elsewhere: set[tuple[str, str]] = field(default_factory=set[tuple[str, str]])
    """(user, ticker) of the other account mode."""
    _taken: frozenset[bytes] | None = None

    def settle_on(self, user: str | None) -> None:
        """Leaves what is of one user. Two accounts on one market would pay for each other's contracts."""
        self.user = chosen = (
            user if user is not None else self.earlier_user or min(self.users - {""}, default="")
        )
        for number in sorted(self.settings.keys() & {"", chosen}):
            self.harvest.settings |= self.settings[number]
        self.harvest.elsewhere = {ticker for number, ticker in self.elsewhere if number in ("", chosen)}
        for line in self.harvest.sources:
            if line.used and line.user not in ("", chosen):
                line.used = False
                self.refuse(
                    f"{line.path} ({line.table})",
                    f"it is of user {line.user}, another account than that of user {chosen}:"
                    f" import it into a recio of its own with --user {line.user}",
                )

    def decide(self) -> None:
        """Once all is read and settled, and what was known is there."""
        self.staging.decide(self.user, self.harvest.elsewhere)

    def has_something(self) -> bool:
        return bool(self.users or self.spool.count)

    def read(self, given: str) -> None:
        """One path of the command line."""
        path = Path(given)
        try:
            path.stat()
        except (OSError, ValueError) as error:
            self.refuse(given, why_no_path(error))
            return
        found, refused = 0, len(self.harvest.refused)
        for each in folders.candidates(path, self.refuse):
            found += self._file(each, folders.mode_of(each, path), asked=each == path)
        if path.is_dir() and not found and len(self.harvest.refused) == refused:
            self.refuse(
                given,
                "it holds no data of the old system: give the REC.IO folder, its backend/data, or single files",
            )

    def read_table(self, table: OldTable) -> None:
        """A table that was fetched from a server."""
        self._guarded(table.path, lambda part: self._table(part, table), asked=True)

    def refuse(self, path: str, why: str) -> None:
        self.harvest.refused.append((path, why))

    def _file(self, path: Path, mode: str | None, *, asked: bool) -> bool:
        """Whether it is one of the old system's."""
        if asked and mode not in (None, self.mode):
            self.refuse(
                str(path), f"its folder is called {mode}: give it with --mode {mode}, or move it elsewhere"
            )
            return True
        self.say(f"reading {path}")
        lower = path.name.lower()
        if lower.endswith(folders.DATABASES):
            return self._guarded(str(path), lambda part: self._sqlite(part, path, mode), asked=True)
        if lower.endswith(".json"):
            return self._guarded(str(path), lambda part: self._settings_file(part, path), asked=asked)
        if lower.endswith((".csv", ".csv.gz")):
            return self._guarded(
                str(path), lambda part: self._table(part, csv_files.table_of(path, mode)), asked=asked
            )
        return self._guarded(str(path), lambda part: self._other(part, path, mode), asked=asked)

    def _other(self, part: Part, path: Path, mode: str | None) -> None:
        if is_dump(path):
            self._dump(part, path)
            return
        if head_of(path, len(sqlite_files.MAGIC)) != sqlite_files.MAGIC:
            raise BrokenSource("it is none of SQLite file, plain SQL dump or CSV export: give one of these")
        self._sqlite(part, path, mode)

    def _guarded(self, path: str, work: Callable[[Part], None], *, asked: bool) -> bool:
        part = Part(begins=self.staging.mark())
        spooled = self.spool.mark()
        try:
            work(part)
            if part.turned:
                self.spool.back_to(spooled)
                self.staging.back_to(part.begins)
                part = Part(begins=part.begins, trusts=False)
                work(part)
            if part.unusable and not any(each.used for each in part.lines):
                raise BrokenSource("; ".join(part.unusable))
            if not part.lines:
                raise Stranger(self._stranger(part))
        except (BrokenSource, Stranger, *UNREADABLE) as error:
            self.spool.back_to(spooled)
            self.staging.back_to(part.begins)
            is_named = asked or bool(part.lines or part.unusable) or not isinstance(error, Stranger)
            if is_named:
                self.refuse(path, why_unusable(error))
            return is_named
        for why in part.unusable:
            self.refuse(path, why)
        self.harvest.sources += part.lines
        self.users |= part.users
        self.elsewhere |= part.elsewhere
        for user, told in part.settings.items():
            self.settings[user] = self.settings.get(user, {}) | told
        return True

    def _stranger(self, part: Part) -> str:
        names = ", ".join(sorted(part.layouts)[:6])
        if not names:
            return "it holds no tables: an empty file of the old system, or not its own; leave it out"
        return f"it is not of the old system: none of its tables is known ({names}); leave it out"

    def _sqlite(self, part: Part, path: Path, mode: str | None) -> None:
        with sqlite_files.opened(path) as connection:
            for table in sqlite_files.tables_of(path, connection, mode):
                self._table(part, table)

    def _table(self, part: Part, table: OldTable) -> None:
        layout = part.layouts[table.name] = layout_of(table.name, table.columns)
        if isinstance(layout, Unusable):
            if table.count() != 0:
                part.unusable.append(layout.why)
            return
        if layout is None:
            return
        line = SourceLine(
            path=table.path, table=table.name, kind=layout.kind, layout=layout.name, stamp=table.stamp
        )
        part.lines.append(line)
        if layout.kind is Kind.LEFT:
            line.rows = table.count()
            return
        if layout.kind is Kind.PRICES:
            take_log(self.spool, self.seen.get((table.path, table.name)), line, table)
            return
        if self._passed_by(part, line, table.mode):
            return
        beside = self._beside(part, line, layout, table)
        rows = _counted(line, table.rows(None))
        self._take(part, line, layout, table.names, rows, table.mode, beside)
        self._mark_rounded(part, line)
        if line.used and not table.ended():
            line.stamp = ""
            self.staging.add_bad(line.user, parts.without_end(line))

    def _beside(self, part: Part, line: SourceLine, layout: Layout, table: OldTable) -> frozenset[str] | None:
        """Tickers of a ledger's rows that have changed: rows on others need not be told apart. None: it is not known."""
        line.used, line.user = table.mode in (None, self.mode), user_of(line.table, line.path)
        known = self._known(part, line)
        if line.kind is not Kind.TRADES or not known:
            return None
        place = table.names.index("ticker")
        told = _blocks_of(line, layout, table.names, table.rows(None))
        return frozenset(
            values.words(row[place]) for each in told if each.sum not in known for row in each.rows
        )

    def _passed_by(self, part: Part, line: SourceLine, mode: str | None) -> bool:
        """A table of a source that has not changed since every row of it was taken."""
        before = self.seen.get((line.path, line.table))
        if (
            before is None
            or not (part.trusts and before.is_whole)
            or not before.stamp
            or before.stamp != line.stamp
            or line.kind is Kind.SETTINGS
            or mode not in (None, self.mode)
        ):
            return False
        line.used, line.user = True, user_of(line.table, line.path)
        line.rows, line.newest, line.rounded = before.rows, before.newest, before.rounded
        line.blocks += before.blocks
        part.users.add(line.user)
        return True

    def _dump(self, part: Part, path: Path) -> None:
        dump = Dump(path)

        def wanted(table: str, columns: dict[str, str]) -> bool:
            if table not in part.layouts:
                part.layouts[table] = layout_of(table, columns)
            found = part.layouts[table]
            if not isinstance(found, Layout) or found.kind is Kind.LEFT:
                return False
            before = self.seen.get((str(path), table))
            return not (found.kind is Kind.PRICES and before is not None and before.stamp == dump.stamp)

        lines: dict[str, SourceLine] = {}
        last: SourceLine | None = None
        for block in dump.blocks(wanted):
            layout = part.layouts[block.table]
            if not isinstance(layout, Layout):
                continue
            line = lines.get(block.table)
            if line is None:
                line = lines[block.table] = SourceLine(
                    path=str(path), table=block.table, kind=layout.kind, layout=layout.name, stamp=dump.stamp
                )
                part.lines.append(line)
            if last is not None and last is not line:
                self._mark_rounded(part, last)
            last = line
            self._block(part, line, layout, block.columns, block.values)
        if last is not None:
            self._mark_rounded(part, last)
        part.unusable += [each.why for each in part.layouts.values() if isinstance(each, Unusable)]

    def _block(
        self,
        part: Part,
        line: SourceLine,
        layout: Layout,
        columns: dict[str, str],
        rows: Iterator[Sequence[object]],
    ) -> None:
        names = [each for each in columns if each != ENGINE]
        if layout.kind is Kind.LEFT:
            return
        if layout.kind is not Kind.PRICES:
            self._take(part, line, layout, names, _counted(line, rows), None)
            return
        take_rows(self.spool, self.seen.get((line.path, line.table)), line, names, rows)

    def _take(
        self,
        part: Part,
        line: SourceLine,
        layout: Layout,
        names: Sequence[str],
        rows: Iterable[Sequence[object]],
        mode: str | None,
        beside: frozenset[str] | None = None,
    ) -> None:
        line.used = mode in (None, self.mode)
        line.user = user_of(line.table, line.path)
        if layout.kind is Kind.SETTINGS:
            for cells in rows:
                self._settings(part, line, dict(zip(names, cells, strict=False)))
            return
        known = self._known(part, line)
        for block in _blocks_of(line, layout, names, rows):
            is_known = block.sum in known
            bad = line.bad
            if is_known:
                part.users.add(line.user)
            if not is_known:
                self._take_block(part, line, layout, names, block.rows)
            elif layout.kind is Kind.TRADES:
                self._tell_apart(part, line, layout, names, block.rows, beside)
            if line.used and line.bad == bad:
                line.blocks += block.sum

    def _known(self, part: Part, line: SourceLine) -> frozenset[bytes]:
        """Sums of blocks that were taken before. Rows of a ledger tell each other apart, so it is known by its own alone."""
        if not line.used or not part.trusts:
            return frozenset()
        if line.kind is Kind.TRADES:
            before = self.seen.get((line.path, line.table))
            return frozenset(sums_of(before.blocks)) if before is not None else frozenset()
        if self._taken is None:
            self._taken = frozenset(each for seen in self.seen.values() for each in sums_of(seen.blocks))
        return self._taken

    def _take_block(
        self,
        part: Part,
        line: SourceLine,
        layout: Layout,
        names: Sequence[str],
        rows: Iterable[Sequence[object]],
    ) -> None:
        for cells in rows:
            row = dict(zip(names, cells, strict=False))
            try:
                record = record_of(row, layout, line.table)
            except BadRow as bad:
                line.bad += 1
                if line.used:
                    shown = values.words(row.get("id") or row.get("trade_id")) or line.table
                    told = Disagreement(
                        ticker=bad.ticker, old_row=shown, field=bad.field, theirs=bad.found, ours=None
                    )
                    self.staging.add_bad(line.user, told)
                continue
            if line.used:
                self._add(part, line, record, row)
            elif layout.kind in (Kind.FILLS, Kind.ORDERS):
                part.elsewhere.add((line.user, record.ticker))

    def _tell_apart(
        self,
        part: Part,
        line: SourceLine,
        layout: Layout,
        names: Sequence[str],
        rows: Iterable[Sequence[object]],
        beside: frozenset[str] | None,
    ) -> None:
        """Rows of a ledger that were taken before: what they tell of those that were not, and of the whole."""
        figures = part.figures.setdefault(line.user, Figures())
        for cells in rows:
            row = dict(zip(names, cells, strict=False))
            figures.add(values.dollars(row.get("pnl")), values.dollars(row.get("fees")))
            if beside is None or values.words(row.get("ticker")) in beside:
                record = record_of(row, layout, line.table)
                if isinstance(record, LedgerRow):
                    parts.apart(record, row, line.table, part)

    def _add(self, part: Part, line: SourceLine, record: Record, row: dict[str, object]) -> None:
        if isinstance(record, LedgerRow):
            record = parts.apart(record, row, line.table, part)
            part.figures.setdefault(line.user, Figures()).add(record.pnl, record.fees)
        part.users.add(line.user)
        self.staging.add(line.user, record)

    def _settings(self, part: Part, line: SourceLine, row: dict[str, object]) -> None:
        kept = old_settings.kept_of(row)
        if line.used and kept:
            part.users.add(line.user)
            part.settings[line.user] = part.settings.get(line.user, {}) | kept

    def _mark_rounded(self, part: Part, line: SourceLine) -> None:
        """Once all rows of a table of trades are there."""
        figures = part.figures.get(line.user)
        if line.kind is not Kind.TRADES or not line.used or figures is None:
            return
        line.rounded = parts.looks_rounded(figures)
        before = self.seen.get((line.path, line.table))
        if part.trusts and before is not None and before.rounded is not line.rounded:
            part.turned = True
        if line.rounded:
            self.staging.mark_rounded(part.begins, line.user)

    def _settings_file(self, part: Part, path: Path) -> None:
        found = values.json_object(path.read_text(encoding="utf-8"))
        if found is None:
            raise BrokenSource("it is not a JSON object: restore it, or leave it out")
        layout = Layout(kind=Kind.SETTINGS, name="json-file")
        line = SourceLine(
            path=str(path), table=path.name, kind=layout.kind, layout=layout.name, stamp="", rows=1
        )
        part.lines.append(line)
        line.used, line.user = True, user_of("", line.path)
        self._settings(part, line, found)


def _blocks_of(
    line: SourceLine, layout: Layout, names: Sequence[str], rows: Iterable[Sequence[object]]
) -> Iterator[Block]:
    return blocks(rows, layout.kind, layout.name, layout.whole, names, line.user)


def _counted(line: SourceLine, rows: Iterable[Sequence[object]]) -> Iterator[Sequence[object]]:
    line.rows = line.rows or 0
    for row in rows:
        line.rows += 1
        yield row
