"""Files of exported models: made by torch's exporter, cleaned of what is about the machine, and run again."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import json
import linecache
import logging
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from composer.errors import ComposeError
from composer.export.contract import OUTPUT, Contract
from composer.export.trial import Port
from composer.export.wrapped import Wrapped, first_line

SUFFIXES = {".onnx": "ONNX", ".pt2": "torch.export"}
NEEDED = ("onnx", "onnxscript", "onnxruntime")
OPSET = 18  # which runtimes in browsers know too
ENTRY = "composer.json"  # the extra file of a .pt2 with the metadata
LARGEST = 2**31 - 1  # bytes; what a file of protobuf can hold
Run = Callable[[Sequence[Tensor]], tuple[Tensor, Tensor | None]]


def check_packages(suffix: str) -> None:
    """A `ComposeError` when what writes and runs this kind of file is not installed."""
    missing = [name for name in NEEDED if suffix == ".onnx" and importlib.util.find_spec(name) is None]
    if missing:
        fact = f"writing ONNX needs {' and '.join(missing)}"
        raise ComposeError(fact, remedy="pip install 'composer-translation[export]'")


def export_bytes(wrapped: Wrapped, contract: Contract, metadata: Mapping[str, str], suffix: str, name: str) -> bytes:
    """The content of a file of this kind. `name`: of the translation, for messages."""
    with quiet():
        try:
            exported = _traced(wrapped, contract)
            return _onnx(exported, contract, metadata) if suffix == ".onnx" else _pt2(exported, metadata)
        except ComposeError:
            raise
        except Exception as error:  # the exporter meets foreign code and raises whatever it likes
            fact, remedy = _words(error)
            place = _place(error)
            raise ComposeError(f"'{name}' cannot be exported: {fact}{place}", remedy=remedy) from None


def open_model(path: Path) -> Run:
    """What runs a file: tensors in the order of the contract to the translated pictures, and these before rounding."""
    try:
        opened = _open_onnx(path) if path.suffix == ".onnx" else _open_pt2(path)
    except Exception as error:  # runtimes have errors of their own
        raise ComposeError(f"the exported model cannot be opened: {first_line(error)}") from None

    def run(given: Sequence[Tensor]) -> tuple[Tensor, Tensor | None]:
        try:
            return opened(given)
        except Exception as error:
            fact = f"the exported model does not run on {list(given[0].shape)}: {first_line(error)}"
            other = next(suffix for suffix in SUFFIXES if suffix != path.suffix)
            raise ComposeError(fact, remedy=f"write a {other} file, or fix the size with --size HxW") from None

    return run


def _open_onnx(path: Path) -> Run:
    onnx, onnxruntime = (importlib.import_module(name) for name in ("onnx", "onnxruntime"))
    model = onnx.load(path)
    rounds = [node for node in model.graph.node if node.op_type == "Round"]
    if rounds:  # what is rounded last becomes an output beside the others, for this run only
        model.graph.output.append(onnx.ValueInfoProto(name=rounds[-1].input[0]))
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = torch.get_num_threads()
    providers = ["CPUExecutionProvider"]
    session = onnxruntime.InferenceSession(str(path), options, providers=providers)
    watched = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=providers)
    names = [one.name for one in session.get_inputs()]

    def run(given: Sequence[Tensor]) -> tuple[Tensor, Tensor | None]:
        numbers = {name: tensor.contiguous().numpy() for name, tensor in zip(names, given, strict=True)}
        found = torch.from_numpy(session.run(None, numbers)[0])
        return found, torch.from_numpy(watched.run(None, numbers)[1]) if rounds else None

    return run


def _open_pt2(path: Path) -> Run:
    with quiet():
        module = torch.export.load(path).module()

    def run(given: Sequence[Tensor]) -> tuple[Tensor, Tensor | None]:
        watching = _Watching(module)
        with torch.no_grad():
            watching.run(*given)
            return module(*given), watching.before

    return run


class _Watching(torch.fx.Interpreter):
    """Keeps what is rounded last."""

    before: Tensor | None = None

    def call_function(self, target: Any, args: Any, kwargs: Any) -> Any:
        if target is torch.ops.aten.round.default:
            self.before = args[0]
        return super().call_function(target, args, kwargs)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep the words of torch's exporter, which are about its own code, from the user's terminal."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            with contextlib.redirect_stderr(io.StringIO()):
                yield
    finally:
        logging.disable(before)


def examples(contract: Contract, rows: int = 2) -> list[Tensor]:
    """Tensors of some size that the contract allows; no two open sizes are alike, nor like a number of it."""
    open_sizes = {"n": contract.batch or rows}
    high, wide = contract.steps
    for number in (1, 2, 3, 4):
        mark = "" if number == 1 else str(number)
        open_sizes[f"h{mark}"] = high.start + (2 * number + 1) * high.step - (high.step > 1) + 4
        open_sizes[f"w{mark}"] = wide.start + (2 * number + 2) * wide.step - (wide.step > 1) + 7
    types = {"uint8": torch.uint8, "float32": torch.float32, "int64": torch.int64}
    return [
        torch.zeros([d if isinstance(d, int) else open_sizes[d] for d in port.dims], dtype=types[port.dtype])
        for port in contract.inputs
    ]


def _traced(wrapped: Wrapped, contract: Contract) -> torch.export.ExportedProgram:
    from torch.fx.experimental import _config

    named = {d: torch.export.Dim(d, min=1) for port in contract.inputs for d in port.dims if isinstance(d, str)}
    shapes = [{a: named[d] for a, d in enumerate(port.dims) if isinstance(d, str)} for port in contract.inputs]
    dynamic = (shapes[0], tuple(shapes[1:])) if shapes[1:] else (shapes[0],)
    # Sizes stay open: the example's must not decide whether a batch is one picture or a border is empty.
    with _config.patch(backed_size_oblivious=True), torch.no_grad():  # type: ignore[attr-defined]
        exported = torch.export.export(wrapped, tuple(examples(contract)), dynamic_shapes=dynamic, strict=False)
    for module in exported.graph_module.modules():
        if isinstance(module, torch.fx.GraphModule):
            for node in module.graph.nodes:
                node.meta.pop("stack_trace", None)  # paths of this machine
    return exported


def _pt2(exported: torch.export.ExportedProgram, metadata: Mapping[str, str]) -> bytes:
    content = io.BytesIO()
    torch.export.save(exported, content, extra_files={ENTRY: json.dumps(metadata, indent=1)})
    return content.getvalue()


def _onnx(exported: torch.export.ExportedProgram, contract: Contract, metadata: Mapping[str, str]) -> bytes:
    from torch.fx.experimental import _config

    names = [port.name for port in contract.inputs]
    with _config.patch(backed_size_oblivious=True):  # type: ignore[attr-defined]
        made = torch.onnx.export(
            exported,
            dynamo=True,
            input_names=names,
            output_names=[OUTPUT],
            opset_version=OPSET,
            external_data=False,
            verbose=False,
        )
    assert made is not None
    model = made.model_proto
    clean = [model.graph, *model.functions]
    for part in clean:
        del part.metadata_props[:]
        for one in (*part.node, *part.value_info):
            del one.metadata_props[:]
            one.doc_string = ""
    for value in (*model.graph.input, *model.graph.output, *model.graph.initializer):
        del value.metadata_props[:]
    model.producer_name, model.producer_version = "composer", metadata["composer"]
    model.graph.name, model.doc_string = metadata["graph"], metadata["about"]
    for value, port in zip((*model.graph.input, *model.graph.output), (*contract.inputs, contract.output), strict=True):
        _name_sizes(value, port)
    importlib.import_module("onnx.helper").set_model_props(model, dict(metadata))
    if model.ByteSize() > LARGEST:
        raise ComposeError(f"the model has {model.ByteSize():,} bytes, and ONNX holds 2 GB", remedy="write a .pt2 file")
    return bytes(model.SerializeToString(deterministic=True))


def _name_sizes(value: Any, port: Port) -> None:
    for dim, wanted in zip(value.type.tensor_type.shape.dim, port.dims, strict=True):
        if isinstance(wanted, str):
            dim.dim_param = wanted


def _words(error: Exception) -> tuple[str, str]:
    """What the exporter's error means to a user: the fact, and what to do."""
    chain: list[BaseException] = [error]
    while (inner := chain[-1].__cause__ or chain[-1].__context__) is not None and len(chain) < 8:
        chain.append(inner)
    texts = [str(one) for one in chain]
    whole = "\n".join(texts)
    if "data-dependent" in whole or "data dependent" in whole or "DataDependent" in type(error).__name__:
        return "what it computes next depends on the numbers of a picture", "write the block without `if` on numbers"
    for text in texts:
        if "No ONNX function found for" in text or "No decompositions registered" in text:
            found = text.split("OpOverload", 1)[-1] if "OpOverload" in text else text
            return f"ONNX has no {_operation(found)}", "write a .pt2 file, or use another block"
    if "Constraints violated" in whole or "specialized" in whole:
        return "it works for one size of picture only", "fix the size with --size HxW"
    return first_line(chain[-1]), "see docs/export.md"


def _operation(text: str) -> str:
    words = text.replace("'", " ").replace(">", " ").replace("=", " ").replace("(", " ").split()
    return next((word.removesuffix(".default") for word in words if "." in word or "::" in word), "such operation")


def _place(error: BaseException) -> str:
    """The line of the graph that was computed when the exporter failed: ` (fake = G(a), unit.yaml:12)`."""
    found = ""
    one: BaseException | None = error
    while one is not None and not found:
        for frame in traceback.extract_tb(one.__traceback__):
            if frame.filename.startswith("<"):
                line = linecache.getline(frame.filename, frame.lineno or 0)
                code, _, where = line.partition("#")
                if where.strip():
                    found = f" ({code.strip()}, {where.split()[0]})"
        one = one.__cause__ or one.__context__
    return found
