"""The laws of blocks: what a contract promises, tried on random settings, sizes and values.

    from composer.testing import check_block
    def test_my_block():
        check_block("my_block")

A block is held to: the shapes, kinds and dtypes of its contract, on real tensors and on tensors without data; the
refusal of what it forbids; a gradient to every input and every weight; the same outputs for the same inputs; rows
that do not influence each other where it says so; lists mapped over where it says so; inputs and torch's own
generator left alone; everything it learns in its `state_dict`, started from the generator it is given. Losses, draws,
states and what gathers over a pass have laws of their own. They stand in `composer.testing.contracts`, a file a
subject. How many cases are tried is said by the current profile of hypothesis.
"""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import HealthCheck, Phase, assume, given
from hypothesis import settings as hypothesis_settings

from composer.block import Block, look_up
from composer.testing.contracts.cases import Case, cases
from composer.testing.contracts.drawn import DRAW_LAWS, STATE_LAWS, Varied
from composer.testing.contracts.gradients import lets_gradients_through
from composer.testing.contracts.losses import LOSS_LAWS
from composer.testing.contracts.passes import PASS_LAWS
from composer.testing.contracts.promises import gives_what_it_promises, keeps_the_dtype, repeats_itself
from composer.testing.contracts.refusals import refuses_what_it_forbids
from composer.testing.contracts.rows import keeps_rows_apart, maps_over_lists
from composer.testing.contracts.trials import REFUSALS, Broken, Trial, trial
from composer.testing.contracts.weights import offers_its_entries, saves_what_it_learns, starts_from_its_generator

Law = Callable[[Trial], None]
WEIGHT_LAWS = (starts_from_its_generator, saves_what_it_learns, offers_its_entries)


def check_block(name: str, *, max_examples: int | None = None) -> None:
    """Hold the block called `name` to its contract; an `AssertionError` names the law and the case it breaks.

    `max_examples`: how many cases are tried, otherwise what hypothesis's profile says.
    """
    block = look_up(name)
    block.load()
    taken = 0
    varied = Varied()

    @given(cases(block))
    def holds(case: Case) -> None:
        nonlocal taken
        refuses_what_it_forbids(case)
        found = trial(case)
        assume(found is not None)
        assert found is not None
        taken += 1
        for law in laws_of(block):
            held_to(law, found)
        if block.role == "draw":
            varied.see(found)

    # A case starts small and stands on a seed, so that shrinking it would take long and show little.
    phases = (Phase.explicit, Phase.reuse, Phase.generate)
    quiet = hypothesis_settings(deadline=None, phases=phases, suppress_health_check=list(HealthCheck))
    if max_examples is not None:
        quiet = hypothesis_settings(quiet, max_examples=max_examples)
    quiet(holds)()
    assert taken, f"{name}: no settings and sizes were found that its contract allows"
    varied.check(name)


def laws_of(block: Block) -> tuple[Law, ...]:
    """The laws that a block is held to, by its role."""
    general = (gives_what_it_promises, keeps_the_dtype, repeats_itself, lets_gradients_through)
    match block.role:
        case "module":
            return (*general, keeps_rows_apart, maps_over_lists, *WEIGHT_LAWS)
        case "function":
            return (*general, keeps_rows_apart, maps_over_lists)
        case "loss":
            return (*general, *LOSS_LAWS)
        case "draw":
            return DRAW_LAWS
        case "state":
            return STATE_LAWS
    return PASS_LAWS


def held_to(law: Law, found: Trial) -> None:
    """Apply a law; what breaks it is said with its name and the case."""
    try:
        law(found)
    except Broken as problem:
        raise Broken(f"{law.__name__}: {problem}\n  {found.case}, {found.scale} times as large") from None
    except (*REFUSALS, TypeError) as error:
        fact = f"{law.__name__}: fails where a run without data did not: {error}"
        raise Broken(f"{fact}\n  {found.case}, {found.scale} times as large") from error
