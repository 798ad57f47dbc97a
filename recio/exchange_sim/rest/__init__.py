"""The exchange's REST interface: routes, bodies, errors and authentication."""
