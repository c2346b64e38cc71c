"""Mutants: single slips planted in the compiler and the runtime, each with the quick test that must find it.

A mutant replaces a piece of one function's source while it lives; every reference to the function sees the change.
`tests/test_mutants.py` plants each and runs its test, which must fail; docs/testing.md lists them.
"""

from __future__ import annotations

import importlib
import inspect
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import CodeType, FunctionType
from typing import Any

import test_plan_order as order
import test_plan_reuse as reuse
import test_plan_work as work
import test_steps as steps


@dataclass(frozen=True)
class Mutant:
    """In `where` (module:function), `old` becomes `new`; `killer(*given)` must fail then."""

    name: str
    where: str
    old: str
    new: str
    killer: Callable[..., None]
    given: tuple[Any, ...] = ()


MUTANTS = (
    Mutant(
        "gradients flow into the networks of other phases", "program:Program.train",
        "value.backward(inputs=parameters, ", "value.backward(",
        work.test_gradients_flow_through_other_networks_and_not_into_them,
    ),
    Mutant(
        "a narrowed term trains every network of its phase", "program:Program.train",
        "if trained.into:", "if False:",
        work.test_a_narrowed_term_trains_its_networks_alone_and_all_gradients_meet_in_one_step,
    ),
    Mutant(
        "a stale value is reused after a step", "plan:_Planner.step",
        "if self.depends[node] & trained and", "if False and",
        reuse.test_what_depends_on_a_stepped_network_is_computed_anew,
    ),
    Mutant(
        "a network is taken for stepped though no term reached it", "plan:_Planner.run",
        "self.step(number, frozenset(trained))", "self.step(number, trainable(self.graph, phase))",
        reuse.test_without_a_step_nothing_is_invalidated_and_no_graph_is_built,
    ),
    Mutant(
        "a kept value is not kept", "plan:_Planner.is_kept",
        'return lifetime == "iteration" or', "return",
        reuse.test_a_kept_value_stays_as_it_was_made,
    ),
    Mutant(
        "a pool is asked in every phase", "plan:_Planner.is_kept",
        'or (node.op == "state" and lifetime != "phase")', "",
        reuse.test_state_is_asked_once_and_is_not_invalidated,
    ),
    Mutant(
        "a stop shortens the dependency", "prune:dependencies",
        'if node.op != "draw" else ()', 'if node.op not in ("draw", "stop") else ()',
        reuse.test_stop_does_not_shorten_the_dependency,
    ),
    Mutant(
        "draws are made again after a step", "prune:dependencies",
        'if node.op != "draw" else ()', "",
        reuse.test_a_draw_depends_on_shapes_only,
    ),
    Mutant(
        "a value of the phase lives on", "plan:_Planner.start",
        "node in self.on_phase or", "",
        reuse.test_a_value_of_the_phase_and_what_depends_on_it_is_new_in_each, ("lifetime: {z: phase}", 2),
    ),
    Mutant(
        "a new batch leaves old results", "plan:_Planner.start",
        "(new_batch and node in self.on_batch and not kept)", "False",
        reuse.test_a_repeated_phase_steps_each_time_and_a_new_batch_changes_what_depends_on_it,
    ),
    Mutant(
        "one evaluation feeds two backward passes", "plan:_Planner.usable",
        "return all(one.owners <= {self.number} for one in self.chain(known, kept=False))", "return True",
        reuse.test_a_call_that_fed_a_backward_runs_again_to_feed_another,
    ),
    Mutant(
        "the gradient through a kept value is taken at the new weights", "plan:_Planner.hold",
        "one.snapshot = True", "one.snapshot = False",
        reuse.test_the_gradient_through_a_kept_value_is_the_one_at_the_weights_it_was_made_with, ("G, H",),
    ),
    Mutant(
        "a detach inside a chain", "emit:_Emitter.reference",
        "if user is not None and user.owners & arg.owners:", "if False:",
        reuse.test_the_gradient_through_a_kept_value_is_the_one_at_the_weights_it_was_made_with, ("G",),
    ),
    Mutant(
        "every call builds a graph", "plan:Evaluation.has_graph",
        "return bool(self.owners) or self.penalised", "return True",
        work.test_what_no_trained_network_reaches_runs_without_a_graph,
    ),
    Mutant(
        "no graph is built for a coming phase", "plan:_Planner.use",
        "one.owners.add(self.number)", "pass",
        reuse.test_a_graph_is_built_exactly_where_a_coming_phase_trains_through_it,
    ),
    Mutant(
        "a derivative is a constant", "runtime:gradient",
        "create_graph=create_graph", "create_graph=False",
        work.test_a_derivative_is_taken_along_all_paths, ("an input", "D"),
    ),
    Mutant(
        "a derivative is taken along one path only", "plan:mark_ways",
        "one.paths |= ways", "one.paths |= {min(ways)}",
        work.test_a_derivative_of_two_paths_is_their_sum,
    ),
    Mutant(
        "terms run in another order", "plan:_Planner.run",
        "for term in phase.terms:\n", "for term in reversed(phase.terms):\n",
        order.test_terms_run_as_written_left_to_right_depth_first,
    ),
    Mutant(
        "arguments are evaluated right to left", "plan:_Planner.demand",
        "reversed(children)", "children",
        order.test_terms_run_as_written_left_to_right_depth_first,
    ),
    Mutant(
        "first is forgotten", "plan:_Planner.run",
        "for node in phase.first:", "for node in ():",
        order.test_what_first_asks_for_moves_batch_statistics,
    ),
    Mutant(
        "batch statistics of untrained networks stand still", "modules:set_mode",
        "not network.frozen", 'not network.frozen and network.name != "G"',
        work.test_statistics_move_without_gradient_too,
    ),
    Mutant(
        "a frozen network runs in training mode", "modules:set_mode",
        " and not network.frozen", "",
        work.test_modes_belong_to_networks,
    ),
    Mutant(
        "samples change batch statistics and pools", "evaluation:Evaluator.unchanged",
        "buffer.copy_(before)", "pass",
        work.test_looking_at_values_changes_nothing,
    ),
    Mutant(
        "a parameter that nothing reached is stepped", "optimizers:Optimizers.step",
        "set_to_none=True", "set_to_none=False",
        work.test_each_network_has_its_own_optimizer_state,
    ),
    Mutant(
        "the average is off by one", "optimizers:Averages.move",
        "if iteration < average.start:", "if iteration < average.start - 1:",
        work.test_an_average_begins_as_a_copy_and_its_statistics_are_as_asked,
    ),
    Mutant(
        "averages move after every phase", "program:Program.step",
        "self.train(run, terms, result)\n",
        "self.train(run, terms, result); self.mover.move(self.iteration, self.epoch_length)\n",
        work.test_averages_move_once_after_the_phases,
    ),
    Mutant(
        "the shares of an average are swapped", "optimizers:Averages.move",
        "1 - average.decay", "average.decay",
        work.test_averages_move_once_after_the_phases,
    ),
    Mutant(
        "schedules start at 1", "program:Program.step",
        "Clock(self.iteration, ", "Clock(self.iteration + 1, ",
        steps.test_weights_follow_the_clock_from_0,
    ),
    Mutant(
        "every fires one iteration late", "phases:_condition",
        "((clock.iteration + 1) % {number} == 0)", "(clock.iteration % {number} == 0)",
        steps.test_a_phase_runs_when_it_says, ("every: 3", [2, 5]),
    ),
    Mutant(
        "a phase steps though its step is false", "program:Program.active",
        "bool(step(clock))", "True",
        reuse.test_without_a_step_nothing_is_invalidated_and_no_graph_is_built,
    ),
    Mutant(
        "a term of weight 0 stays", "prune:is_zero",
        'float(node.setting("value")) == 0.0', "False",
        work.test_a_weight_of_zero_removes_the_term_and_what_only_it_needed,
    ),
    Mutant(
        "gradients are clipped for each network", "optimizers:Optimizers.step",
        "torch.nn.utils.clip_grad_norm_(parameters, group.clip_norm)",
        "[torch.nn.utils.clip_grad_norm_([p], group.clip_norm) for p in parameters]",
        steps.test_gradients_are_clipped_over_the_group,
    ),
    Mutant(
        "a pool is not saved", "program:Program.saved",
        '"states": self.states, ', "",
        steps.test_the_state_is_whole, (3,),
    ),
    Mutant(
        "moments are not restored", "optimizers:Optimizers.load",
        "if found:", "if False:",
        steps.test_the_state_is_whole, (3,),
    ),
    Mutant(
        "the clock is not restored", "program:Program.load_state",
        'self.iteration = int(meta["iteration"])', "self.iteration = 0",
        steps.test_the_state_is_whole, (3,),
    ),
    Mutant(
        "draws are the same in every iteration", "randomness:Draws.seeded",
        "seed_for(self.seed, self.iteration, ", "seed_for(self.seed, 0, ",
        order.test_draws_are_the_same_whatever_else_is_computed,
    ),
    Mutant(
        "draws depend on what was drawn before", "randomness:Draws.seeded",
        "self.run, name, count)", "self.run, len(self.counts))",
        order.test_draws_are_the_same_whatever_else_is_computed,
    ),
    Mutant(
        "dropout masks are the same in every run", "randomness:Draws.seeded",
        "self.iteration, self.run, name, count)", "self.iteration, name, count)",
        reuse.test_dropout_masks_are_those_of_the_evaluation,
    ),
    Mutant(
        "values take the names of blocks and networks", "emit:name_everything",
        'while word in taken or f"{word}_leaf" in taken:', "while False:",
        order.test_a_value_a_block_a_network_and_a_phase_may_share_a_name,
    ),
)  # fmt: skip


@contextmanager
def planted(mutant: Mutant) -> Iterator[None]:
    """The mutant lives inside the `with`."""
    function = find(mutant.where)
    source = textwrap.dedent(inspect.getsource(function))
    if source.count(mutant.old) != 1:
        raise AssertionError(f"{mutant.where} has {source.count(mutant.old)} times {mutant.old!r}: renew the mutant")
    changed = compiled(source.replace(mutant.old, mutant.new), function)
    before = function.__code__
    function.__code__ = changed
    try:
        yield
    finally:
        function.__code__ = before


def find(where: str) -> FunctionType:
    """The function behind properties and decorators."""
    module, _, path = where.partition(":")
    found: Any = importlib.import_module(f"composer.{module}")
    for name in path.split("."):
        found = inspect.getattr_static(found, name)
    found = found.fget if isinstance(found, property) else found
    found = inspect.unwrap(found)
    assert isinstance(found, FunctionType)
    return found


def compiled(source: str, function: FunctionType) -> CodeType:
    scope: dict[str, Any] = dict(function.__globals__)
    lines = source.splitlines(keepends=True)
    start = next(i for i, line in enumerate(lines) if line.startswith("def "))
    exec(compile("from __future__ import annotations\n" + "".join(lines[start:]), "<mutant>", "exec"), scope)
    made = scope[function.__name__]
    assert isinstance(made, FunctionType)
    return made.__code__
