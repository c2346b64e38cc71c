"""The form of a graph file in one table: sections, their entries, the kinds of values, what they mean."""

from __future__ import annotations

from composer.kinds import Anything, Choice, Expression, Flag, Kind, Number, Scalar, Text
from composer.network_form import NAME, NAME_WORDS, NAMES, NetworkKind
from composer.records import Either, Field, ListOf, MapOf, Record

_TEXTS = ListOf(Text(), "a list of texts")
_NAMES_TEXT = Either(Text("names: G, F[l]"), ListOf(Text("a name"), "a list of names"))
_COUNT = Number(0, whole=True)
_WEIGHT = Number(0)
_LEARNING_RATE = Field(
    Expression("a function of the clock"), "factor of the learning rate: constant_then_linear(100, 100)"
)


def named(kind: Kind, what: str, key: str = NAME, at_least: int = 0) -> MapOf:
    """Names of the author's, each with a `kind`."""
    return MapOf(kind, f"a mapping of {what}", key, NAME_WORDS, at_least)


_LR = Field(_WEIGHT, "learning rate")
_EPS = Field(_WEIGHT, "added to the denominator")
_DECAY = Field(_WEIGHT, "decay of weights (L2 in the gradient; decoupled for adamw)")
_BETAS = Field(ListOf(Number(0, 1), "a list of two numbers", 2), "decay of the averages of gradient and square")
_MOMENTUM = Field(_WEIGHT, "share of the last step in the next one")


def _rule(**settings: Field) -> Kind:
    return Record({"lr": _LR} | settings, "a mapping such as {lr: 2e-4}", "setting of this optimizer")


# Optimizers and their settings; `composer.optimizers` has the class of each.
OPTIMIZERS: dict[str, Field] = {
    "adam": Field(_rule(betas=_BETAS, eps=_EPS, weight_decay=_DECAY, amsgrad=Field(Flag(), "AMSGrad")), "Adam"),
    "adamw": Field(_rule(betas=_BETAS, eps=_EPS, weight_decay=_DECAY, amsgrad=Field(Flag(), "AMSGrad")), "AdamW"),
    "sgd": Field(
        _rule(
            momentum=_MOMENTUM,
            dampening=Field(_WEIGHT, "damping of momentum"),
            weight_decay=_DECAY,
            nesterov=Field(Flag(), "Nesterov momentum"),
        ),
        "stochastic gradient descent",
    ),
    "rmsprop": Field(
        _rule(
            alpha=Field(Number(0, 1), "decay of the average of squares"),
            eps=_EPS,
            weight_decay=_DECAY,
            momentum=_MOMENTUM,
            centered=Field(Flag(), "subtract the average gradient"),
        ),
        "RMSProp, epsilon outside the root, squares start at 0",
    ),
    "adagrad": Field(
        _rule(lr_decay=Field(_WEIGHT, "decay of the learning rate"), eps=_EPS, weight_decay=_DECAY), "Adagrad"
    ),
    "rmsprop_tf": Field(
        _rule(
            decay=Field(Number(0, 1), "decay of the average of squares"),
            eps=_EPS,
            momentum=_MOMENTUM,
            start=Field(_WEIGHT, "first value of the average of squares"),
        ),
        "RMSProp, epsilon inside the root, squares start at `start`",
    ),
}


def optimizer_settings(name: str) -> tuple[str, ...]:
    """The settings of the optimizer `name`."""
    rule = OPTIMIZERS[name].kind
    assert isinstance(rule, Record)
    return tuple(rule.fields)


_GROUP_OPTIONS: dict[str, Field] = {
    "learning_rate": _LEARNING_RATE,
    "clip_norm": Field(_WEIGHT, "largest norm of the group's gradient; 0: no clipping"),
    "clip_value": Field(_WEIGHT, "largest entry of a gradient; 0: no clipping"),
    "clip_weights": Field(_WEIGHT, "largest weight, after each step; 0: no clipping"),
    "weight_decay": _DECAY,
    "restart": Field(_COUNT, "iteration at which its state starts anew, e.g. =10 * epoch_length"),
}
_PART = Record(
    OPTIMIZERS | {name: _GROUP_OPTIONS[name] for name in ("weight_decay", "restart")},
    "a mapping of settings",
    "setting of a part",
    not_both=tuple(OPTIMIZERS),
)
_GROUP = Record(
    {"networks": Field(_NAMES_TEXT, "its networks; without it the group's name is one")}
    | OPTIMIZERS
    | _GROUP_OPTIONS
    | {"parts": Field(named(_PART, "parts to settings"), "other settings for parts that a block declares")},
    "a mapping such as {adam: {lr: 2e-4}}",
    "optimizer or option",
    one_of=tuple(OPTIMIZERS),
)

_TERM = Either(
    leaf=Expression("an expression such as 10 * l1(x, y)"),
    mapping=Record(
        {
            "loss": Field(Expression("an expression such as 10 * l1(x, y)"), "the term", required=True),
            "into": Field(_NAMES_TEXT, "the networks of the phase it trains", required=True),
        },
        "a mapping of loss and into",
    ),
)
_PHASE = Record(
    {
        "update": Field(
            Either(_NAMES_TEXT.leaf, _NAMES_TEXT.sequence, named(_NAMES_TEXT, "index values to names", r"^\w+$", 1)),
            "the networks this phase trains: G, F[l]",
            required=True,
        ),
        "minimize": Field(named(_TERM, "terms", at_least=1), "terms: weight * loss, by name", required=True),
        "first": Field(
            Either(Text("expressions: D(x), D(y)"), _TEXTS), "values evaluated before the terms, in this order"
        ),
        "every": Field(Number(1, whole=True), "run it every n-th iteration: 5 fires at 4, 9, ..."),
        "when": Field(Expression('a condition such as "=iteration % 3 == 2"'), "run it only then"),
        "repeat": Field(Number(1, whole=True), "runs in one iteration"),
        "batch": Field(Choice(("same", "new"), computed=True), "what repeated runs are fed with"),
        "step": Field(Expression("a condition"), "terms are computed always, the step is made only then"),
        "from": Field(_COUNT, "first iteration it runs in"),
        "until": Field(_COUNT, "first iteration it does not run in any more"),
        "order": Field(_NAMES_TEXT, "order of its terms, when added ones do not go last"),
    },
    "a mapping of update and minimize",
    "entry of a phase",
)
_FIELDS = named(Expression("a field such as image(3, 256, 256)"), "fields of a row", at_least=1)
_AVERAGE = Record(
    {
        "decay": Field(Number(0, 1), "share of the old average", required=True),
        "from": Field(_COUNT, "iteration at which it starts, as a copy"),
        "mode": Field(Choice(("train", "eval"), computed=True), "mode of the averaged network"),
        "buffers": Field(
            Choice(("own", "copy", "epoch"), computed=True), "own: it moves its own; copy: of the network"
        ),
    },
    "a mapping with decay",
)
_PASS = Record(
    {
        "at": Field(Expression("start, end or an iteration"), "when it runs: start, end, or before an iteration", True),
        "over": Field(_NAMES_TEXT, "the stream it reads", required=True),
        "batches": Field(Number(1, whole=True), "how many; all when left out"),
        "collect": Field(named(Expression(), "names to expressions", at_least=1), "what it gathers"),
        "fill": Field(_NAMES_TEXT, "states it fills"),
        "mode": Field(Choice(("train", "eval"), computed=True), "mode of the networks"),
    },
    "a mapping of at, over and collect",
    any_of=("collect", "fill"),
)
_VALUE = Expression("a value such as G(a)")
_TRANSLATION = Record(
    {
        "value": Field(_VALUE, "what comes out", required=True),
        "mode": Field(Choice(("train", "eval"), computed=True), "mode of the networks; eval when left out"),
        "samples": Field(Number(1, whole=True), "images for each input, with new draws"),
        "inputs": Field(named(Expression("a field such as code(5)"), "fields"), "inputs that only translation has"),
    },
    "a mapping such as {value: fake}",
)
_TRAINING = Record(
    {
        "epochs": Field(Number(1, whole=True), "length in epochs"),
        "iterations": Field(Number(1, whole=True), "length in iterations"),
        "batch": Field(Number(1, whole=True), "rows in a batch"),
        "learning_rate": _LEARNING_RATE,
        "epoch_iterations": Field(Number(1, whole=True), "iterations in an epoch; as the data has when left out"),
    },
    "a mapping such as {epochs: 200, batch: 1}",
    any_of=("epochs", "iterations"),
)
_PAPER = Record(
    {
        name: Field(Text(), about)
        for name, about in {
            "title": "title",
            "authors": "authors",
            "venue": "where and when",
            "arxiv": "number, in quotes",
            "url": "address of the paper",
            "code": "address of the authors' code",
        }.items()
    },
    "a mapping of title, venue, arxiv",
)

# The sections of a merged document.
SECTIONS: dict[str, Field] = {
    "composer": Field(Choice((1,)), "version of this language: 1", required=True),
    "name": Field(Text("a name (letters, digits, _ . -)", r"^\w[\w.-]*$"), "name of the method", required=True),
    "about": Field(Text(), "one line about it"),
    "paper": Field(Either(mapping=_PAPER, sequence=ListOf(_PAPER)), "where it was published"),
    "blocks": Field(_TEXTS, "Python files with blocks of your own, relative to this file"),
    "params": Field(
        named(Either(Scalar(), ListOf(Either(Scalar(), ListOf(Scalar())), at_least=0)), "names to numbers"),
        "every number that may be turned: --set params.width=32",
    ),
    "index": Field(
        MapOf(
            Either(
                Text("values such as =taps", "^="),
                ListOf(Either(Scalar(), ListOf(Scalar(), "a list of values")), "a list of values"),
            ),
            "a mapping of names to lists of values",
            r"^\s*[A-Za-z_]\w*(\s*,\s*[A-Za-z_]\w*)*\s*$",
            "a name, or names such as s,t",
        ),
        "names that run over values: d: [a, b]",
    ),
    "inputs": Field(named(_FIELDS, "streams", at_least=1), "what a batch brings: streams of rows", required=True),
    "networks": Field(named(NetworkKind(), "networks", at_least=1), "what owns weights", required=True),
    "values": Field(named(Expression(), "names to expressions", NAMES), "the data flow; order means nothing"),
    "lifetime": Field(
        named(Choice(("iteration", "phase")), "values to iteration or phase", NAMES), "how long a value is kept"
    ),
    "phases": Field(
        named(_PHASE, "phases", at_least=1), "in order: what is minimised over which networks", required=True
    ),
    "order": Field(_NAMES_TEXT, "groups of indexed phases: judge[k], translate[k]"),
    "optimizers": Field(
        named(_GROUP, "groups", at_least=1), "groups of networks; `default` has the rest", required=True
    ),
    "averages": Field(
        named(Either(leaf=Number(0, 1), mapping=_AVERAGE), "networks to decays"), "moving averages of networks"
    ),
    "passes": Field(named(_PASS, "passes"), "runs over the data without gradients"),
    "training": Field(_TRAINING, "how long, in which portions", required=True),
    "translate": Field(
        named(Either(leaf=_VALUE, mapping=_TRANSLATION), "translations"), "what the trained model offers"
    ),
    "show": Field(Either(Text("names: a, fake, b"), _TEXTS), "columns of the sample grid"),
}

_CHANGES = MapOf(Anything(), "a mapping of paths to values")
EDITS: dict[str, Field] = {
    "change": Field(_CHANGES, "paths that exist, with new values"),
    "add": Field(_CHANGES, "paths that do not exist yet"),
    "drop": Field(ListOf(Text("a path"), "a list of paths", 0), "paths to take out"),
}
_PLAIN, _PLAIN_WORDS = r"^\w[\w.-]*$", "a name (letters, digits, _ . -)"
_VARIANT = Record(EDITS, "a mapping of change, add, drop", "entry of a variant")

# Options of a graph, which a merged document does not have any more.
OPTIONS: dict[str, Field] = {
    "variants": Field(
        MapOf(_VARIANT, "a mapping of variants", _PLAIN, _PLAIN_WORDS), "structural options: --with NAME"
    ),
    "presets": Field(
        MapOf(MapOf(Anything(), "a mapping of params to values"), "a mapping of presets", _PLAIN, _PLAIN_WORDS),
        "sets of params: --preset NAME",
    ),
}
# What a graph that extends another one says of it.
HYBRID: dict[str, Field] = {
    "extends": Field(Text("a file or the name of a bundled graph"), "the graph this one starts from", required=True),
    "with": Field(_TEXTS, "variants of that graph to start from"),
} | EDITS
KEPT = ("composer", "name", "about", "paper")  # sections that a graph with `extends` has of its own
