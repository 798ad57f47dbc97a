"""What trades came to: figures of the past by group, and their text; it reads no database and judges no future."""
