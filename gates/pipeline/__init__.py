"""``lvm-ci``: a step of a pipeline that gates a model, compares it with the accepted one, and says so to people."""
