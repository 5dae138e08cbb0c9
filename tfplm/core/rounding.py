"""Sizes rounded up, so that there are few of them: each new width of a batch costs a trace or a compilation."""


def round_up(size: int, multiple: int) -> int:
    """The next multiple of `multiple`, `size` itself where it is one; 0 for 0."""
    return -(-size // multiple) * multiple


def power_of_two(size: int) -> int:
    """The next power of two, `size` itself where it is one; 1 for 0."""
    return 1 << max(size - 1, 0).bit_length()
