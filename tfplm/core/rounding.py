"""Rounding up of sizes: each new width of a batch costs a trace or a compilation, so there should be few."""


def round_up(size: int, multiple: int) -> int:
    """The smallest multiple of `multiple` that is at least `size`; 0 for 0."""
    return -(-size // multiple) * multiple


def power_of_two(size: int) -> int:
    """The smallest power of two that is at least `size`; 1 for 0."""
    return 1 << max(size - 1, 0).bit_length()
