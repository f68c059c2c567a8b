"""Prime factors."""

from __future__ import annotations


def factors(n: int) -> list[int]:
    """Prime factors of ``n`` in ascending order."""
    primes, p = [], 2
    while n > 1:
        while n % p == 0:
            primes.append(p)
            n //= p
        p += 1
    return primes
