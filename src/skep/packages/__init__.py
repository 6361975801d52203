"""The package format: ``skep.toml``, object files and a report as OCI content."""
