"""The lease: one holder at a time, each under a greater number."""

from scanner_kit.bus.connection import Bus
from scanner_kit.bus.lease import Lease


def expire(bus: Bus, key: str) -> None:
    """What time does to a lease that nobody renews."""
    bus.redis.pexpire(key, 0)


def test_one_holds_it_and_the_other_waits(any_bus: Bus) -> None:
    first, second = Lease(any_bus), Lease(any_bus)
    assert first.hold() == 1
    assert second.hold() == 0
    assert first.hold() == 1, "renewed, it is the same"


def test_who_takes_over_has_a_greater_number(any_bus: Bus) -> None:
    first, second = Lease(any_bus), Lease(any_bus)
    first.hold()
    expire(any_bus, any_bus.keys.lease)
    assert second.hold() == 2
    assert first.hold() == 0


def test_who_lost_it_for_a_while_has_another_number(any_bus: Bus) -> None:
    lease = Lease(any_bus)
    lease.hold()
    expire(any_bus, any_bus.keys.lease)
    assert lease.hold() == 2


def test_a_renewed_lease_lasts_as_long_as_a_new_one(any_bus: Bus) -> None:
    lease = Lease(any_bus, seconds=50)
    lease.hold()
    any_bus.redis.pexpire(any_bus.keys.lease, 1_000)
    lease.hold()
    assert any_bus.redis.pttl(any_bus.keys.lease) > 40_000


def test_given_back_it_is_free_at_once(any_bus: Bus) -> None:
    first, second = Lease(any_bus), Lease(any_bus)
    first.hold()
    first.give_back()
    assert second.hold() == 2


def test_who_does_not_hold_it_cannot_give_it_back(any_bus: Bus) -> None:
    first, second = Lease(any_bus), Lease(any_bus)
    first.hold()
    expire(any_bus, any_bus.keys.lease)
    second.hold()
    first.give_back()
    assert second.hold() == 2, "the second one's stands"


def test_the_holder_whose_answer_was_lost_is_told_its_number_again(any_bus: Bus) -> None:
    lease = Lease(any_bus)
    lease.hold()
    lease.number = 0  # as if the answer had not come
    assert lease.hold() == 1


def test_another_work_has_a_lease_of_its_own(any_bus: Bus) -> None:
    lease, other = Lease(any_bus), Lease(any_bus, "{other}:lease", "{other}:fence")
    assert (lease.hold(), other.hold()) == (1, 1)
    any_bus.redis.delete("{other}:lease", "{other}:fence")


def test_a_lease_that_nobody_renews_ends_by_itself(a_bus: Bus) -> None:
    lease = Lease(a_bus, seconds=0.001)
    lease.hold()
    a_bus.redis.blpop([a_bus.keys.today], timeout=0.01)  # the server's clock goes on
    assert Lease(a_bus).hold() == 2
