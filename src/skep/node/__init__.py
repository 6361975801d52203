"""One host: verify, compose, attach, observe."""
