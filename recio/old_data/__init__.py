"""The data of REC.IO, the system before recio: found, recognised, read and rebuilt; it never writes to a source."""
