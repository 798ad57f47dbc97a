"""PostgreSQL: the embedded server, pool and migrations, and one file of operations per group of tables."""
