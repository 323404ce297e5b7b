"""When an engine lets go of a node that keeps failing, and when it comes back."""

from __future__ import annotations

from kvasir.attachment import FAULTS_MAX, PAUSE_MAX_S, PAUSE_MIN_S, Attachment


class Clock:
    """Time that goes on when the test says so."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def detached(clock: Clock) -> Attachment:
    attachment = Attachment(clock)
    for _ in range(FAULTS_MAX):
        assert attachment.may_ask()
        attachment.on_fault()
    assert not attachment.may_ask()
    return attachment


def test_single_faults_do_not_detach() -> None:
    attachment = Attachment(Clock())
    for _ in range(10 * FAULTS_MAX):
        attachment.on_fault()
        assert attachment.may_ask()
        attachment.on_success()


def test_one_call_finds_out_whether_the_node_is_well() -> None:
    clock = Clock()
    attachment = detached(clock)
    clock.now += PAUSE_MIN_S
    assert attachment.may_ask()
    assert not attachment.may_ask()  # the outcome of the first is awaited
    attachment.on_success()
    assert attachment.may_ask()
    assert attachment.may_ask()


def test_pauses_grow_to_a_limit_and_start_anew() -> None:
    clock = Clock()
    attachment = detached(clock)
    pause_s = PAUSE_MIN_S
    for _ in range(10):
        clock.now += pause_s
        assert attachment.may_ask()
        attachment.on_fault()
        pause_s = min(2 * pause_s, PAUSE_MAX_S)
        clock.now += 0.9 * pause_s
        assert not attachment.may_ask()
        clock.now -= 0.9 * pause_s
    assert pause_s == PAUSE_MAX_S
    clock.now += pause_s
    assert attachment.may_ask()
    attachment.on_success()
    for _ in range(FAULTS_MAX):
        attachment.on_fault()
    clock.now += PAUSE_MIN_S
    assert attachment.may_ask()


def test_call_whose_outcome_is_never_told_is_not_awaited_for_ever() -> None:
    clock = Clock()
    attachment = detached(clock)
    clock.now += PAUSE_MIN_S
    assert attachment.may_ask()
    clock.now += PAUSE_MIN_S
    assert attachment.may_ask()
