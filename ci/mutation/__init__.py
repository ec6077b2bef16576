"""Mutation run: the engine broken in one place at a time, and whether the tests that belong to that place notice."""
