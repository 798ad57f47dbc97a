"""Pure decisions: no await, no I/O, no clock, no logging; what they need comes in as arguments."""
