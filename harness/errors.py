"""The one exception that a user's mistake raises."""


class UserError(Exception):
    """Bad input, told in one sentence: what is wrong, where, and what to do.

    Front ends (pytest, Click) print the sentence and exit non-zero; they never print its traceback.
    """
