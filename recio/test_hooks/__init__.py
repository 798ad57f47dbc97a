"""Named instants at which a test may end or freeze the process; armed by the environment, refused anywhere but in environment "sim"."""
