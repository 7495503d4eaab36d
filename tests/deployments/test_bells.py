"""Whoever has work for a worker wakes it, and is never held up or refused because of that."""

from deployments.bells import Bell


def test_many_rings_at_once_are_one_message() -> None:
    sent: list[int] = []
    bell = Bell(lambda: sent.append(1), 60.0, "the sweep finds it")
    for _ in range(5):
        bell.ring()
    assert len(sent) == 1


def test_a_broker_that_is_away_is_left_alone_for_a_while() -> None:
    tried: list[int] = []

    def refuse() -> None:
        tried.append(1)
        raise ConnectionError("no broker")

    bell = Bell(refuse, 0.0, "the sweep finds it")
    now = 100.0
    bell.timer = lambda: now  # type: ignore[method-assign]
    bell.ring()
    bell.ring()
    assert len(tried) == 1
    now += 11
    bell.ring()
    assert len(tried) == 2
