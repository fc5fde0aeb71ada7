"""The one error type that users meet: what is wrong, where, and what to do next."""


class FFCError(Exception):
    """Raised for anything a user can mend: a file, a setting, an argument.

    The message names the file or key, says what was expected, and what to do. The command line and
    the workflow scripts print it without a traceback; anything else that escapes is a bug of ours.
    """
