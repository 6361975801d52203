"""From declared to running: change, compose, execute, recover, reconcile, doctor."""
