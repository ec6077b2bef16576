"""A user's predictor in a process of its own, so that what it prints, patches, seeds, exits or hangs stays there.

Isolation from accidents, not a sandbox: the process runs with the user's rights (see docs/isolation.md).
"""
