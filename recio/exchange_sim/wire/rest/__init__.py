"""The REST interface: routes, bodies, errors, rate limits and the faults that requests meet; it matches nothing."""
