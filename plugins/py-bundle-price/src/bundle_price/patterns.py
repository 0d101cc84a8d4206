"""Patterns of names, in which `*` stands for any run of characters."""


def matches(pattern, name):
    """Whether a name is of a pattern."""
    head, *rest = pattern.split("*")
    if not rest:
        return name == pattern
    *pieces, tail = rest
    if not name.startswith(head):
        return False
    at = len(head)
    for piece in pieces:
        # The earliest place of each piece leaves the most room for those that follow.
        found = name.find(piece, at)
        if found < 0:
            return False
        at = found + len(piece)
    return len(name) - at >= len(tail) and name.endswith(tail)
