"""One file per former service; tasks never import each other and meet only on wires."""
