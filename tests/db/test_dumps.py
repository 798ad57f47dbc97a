"""A dump of a server that notes more about its columns than the restoring one knows: the note is left out, and nothing else."""

from __future__ import annotations

from recio.db.dumps import understood

DEFINITIONS = """\\restrict tnJ3kq
SET statement_timeout = 0;
CREATE TABLE public.fills (
    fee numeric(12,6) NOT NULL,
    note text DEFAULT 'pg_attver=7'::text
);
ALTER TABLE ONLY public.fills ALTER COLUMN fee SET (pg_attver=26729072);
ALTER TABLE ONLY public.fills ALTER COLUMN note SET (n_distinct=5);
\\unrestrict tnJ3kq
"""


def test_only_the_note_of_the_server_and_the_words_for_psql_go():
    gone = ("\\restrict", "\\unrestrict", "ALTER TABLE ONLY public.fills ALTER COLUMN fee SET")
    kept = [line for line in DEFINITIONS.splitlines() if not line.startswith(gone)]
    assert understood(DEFINITIONS).splitlines() == kept
