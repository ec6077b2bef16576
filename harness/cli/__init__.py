"""Command-line front ends of the engine: `lvm-data` and `lvm-report`."""
