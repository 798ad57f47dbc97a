"""How good probabilities were, against the market and against what happened; it trades nothing and judges no strategy by luck."""
