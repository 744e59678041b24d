"""Keyed random draws in integers alone: what numpy's ``SeedSequence``, ``PCG64`` and ``integers`` are said to do.

The seeding is M. E. O'Neill's ``randutils::seed_seq_fe128`` on four words of 32 bits, the generator her PCG XSL-RR
128/64, and the bounded integers D. Lemire's multiplication with rejection on 32 bits.
"""

from collections.abc import Sequence

WORD = (1 << 32) - 1
LONG = (1 << 64) - 1
STATE = (1 << 128) - 1
POOL = 4
MULTIPLIER = 0x2360ED051FC65DA44385DF649FCCF645


class Draws:
    """A stream of random integers that depends on its key alone: non-negative integers of any size."""

    def __init__(self, key: Sequence[int]) -> None:
        words = seed_words([word for number in key for word in words_of(number)], 8)
        first, second, third, fourth = (words[i] | words[i + 1] << 32 for i in (0, 2, 4, 6))
        self._increment = ((third << 64 | fourth) << 1 | 1) & STATE
        self._state = 0
        self._forward()
        self._state = (self._state + (first << 64 | second)) & STATE
        self._forward()
        self._spare: int | None = None

    def integers(self, n: int, count: int) -> list[int]:
        """``count`` integers of 0…n-1, each as likely; n ≤ 2³²-1."""
        return [self._below(n) for _ in range(count)]

    def _below(self, n: int) -> int:
        if n == 1:
            return 0
        product = self._word() * n
        while product & WORD < (1 << 32) % n:
            product = self._word() * n
        return product >> 32

    def _word(self) -> int:
        """Half of a long at a time: the low one, then the high one."""
        if self._spare is not None:
            word, self._spare = self._spare, None
            return word
        long = self._long()
        self._spare = long >> 32
        return long & WORD

    def _long(self) -> int:
        self._forward()
        folded = (self._state >> 64 ^ self._state) & LONG
        turn = self._state >> 122
        return (folded >> turn | folded << (64 - turn)) & LONG

    def _forward(self) -> None:
        self._state = (self._state * MULTIPLIER + self._increment) & STATE


def words_of(number: int) -> list[int]:
    """An integer in words of 32 bits, the lowest first; 0 is one word."""
    words = [number & WORD]
    while number := number >> 32:
        words.append(number & WORD)
    return words


def seed_words(entropy: Sequence[int], count: int) -> list[int]:
    """``count`` words in which every bit of the entropy has had its say."""
    mixing = _Hash(0x43B0D7E5, 0x931E8875)
    pool = [mixing(entropy[i] if i < len(entropy) else 0) for i in range(POOL)]
    for source in range(POOL):
        for target in range(POOL):
            if source != target:
                pool[target] = _mixed(pool[target], mixing(pool[source]))
    for word in entropy[POOL:]:
        for target in range(POOL):
            pool[target] = _mixed(pool[target], mixing(word))
    giving = _Hash(0x8B51F9DD, 0x58F38DED)
    return [giving(pool[i % POOL]) for i in range(count)]


class _Hash:
    """A hash of a word whose constant moves on with every word."""

    def __init__(self, constant: int, multiplier: int) -> None:
        self._constant, self._multiplier = constant, multiplier

    def __call__(self, word: int) -> int:
        word ^= self._constant
        self._constant = self._constant * self._multiplier & WORD
        word = word * self._constant & WORD
        return word ^ word >> 16


def _mixed(x: int, y: int) -> int:
    word = (0xCA01F9DD * x - 0x4973F715 * y) & WORD
    return word ^ word >> 16
