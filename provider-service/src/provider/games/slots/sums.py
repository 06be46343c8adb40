"""Adds independent outcomes: counts of a sum from the counts of its parts, exactly."""

from collections import Counter
from collections.abc import Mapping
from math import gcd

Counts = Mapping[int, int]
"""How often each value of at least 0 comes."""


def sums(some: Counts, others: Counts, *, below: int) -> Counter[int]:
    """The counts of all sums under `below` of a value of each.

    Both become one long number with a fixed number of bytes for each count; the product has the counts of the sums.
    """
    unit = gcd(*some, *others) or 1
    width = (sum(some.values()) * sum(others.values())).bit_length() // 8 + 1
    places = -(-below // unit)
    packed = (_pack(some, unit, width, places) * _pack(others, unit, width, places)).to_bytes(
        2 * places * width + 1, "little"
    )
    counts = (
        (place * unit, int.from_bytes(packed[place * width : (place + 1) * width], "little")) for place in range(places)
    )
    return Counter({value: count for value, count in counts if count})


def repeated_sums(counts: Counts, times: int, *, below: int) -> Counter[int]:
    """The counts of all sums under `below` of so many values."""
    total, power = Counter({0: 1}), Counter(counts)
    while times:
        if times % 2:
            total = sums(total, power, below=below)
        times //= 2
        if times:
            power = sums(power, power, below=below)
    return total


def _pack(counts: Counts, unit: int, width: int, places: int) -> int:
    packed = bytearray(places * width)
    for value, count in counts.items():
        place = value // unit
        if place < places:
            packed[place * width : (place + 1) * width] = count.to_bytes(width, "little")
    return int.from_bytes(packed, "little")
