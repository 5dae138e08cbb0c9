"""The console commands of bert-as-service: `bert-serving-start`, `bert-serving-terminate`, with their own options; see
`bert_benchmark` for the third.

    bert-serving-start -model_dir chinese_L-12_H-768_A-12 -num_worker=2 -max_seq_len NONE -pooling_layer -4 -3
"""

import argparse
import dataclasses
import sys
import typing

from tfplm.core.terminal.import_noise import hold_import_noise
from tfplm.core.terminal.messages import one_line
from tfplm.options.flags import argument
from tfplm.options.serve import DEFAULTS, ServeOptions

SYNONYMS = {"port": ("-port_in", "-port_data"), "port_out": ("-port_result",)}
# also for a model of sentence-transformers; but the port is open to this machine alone, unless -host says otherwise
FIXED = {name: DEFAULTS[name] for name in ("max_seq_len", "pooling_layer", "pooling_strategy")}
TERMINATE_WAIT = 5000  # ms


def start_parser(program: str = "bert-serving-start", description: str = "Serve a BERT model to bert-serving-client"
                 ) -> argparse.ArgumentParser:
    """`-name` for every option of `tfplm serve`, with bert-as-service's defaults."""
    parser = argparse.ArgumentParser(prog=program, description=description)
    hints = typing.get_type_hints(ServeOptions)
    for field in dataclasses.fields(ServeOptions):
        if field.name == "source":
            parser.add_argument("-model_dir", dest="source", required=True, help="folder of the model, or a hub name")
            continue
        keywords = argument(hints[field.name])
        if "action" in keywords:
            keywords = {"action": "store_true"}  # its own flags have no -no-
        elif "nargs" in keywords:
            keywords["nargs"] = "+"
        parser.add_argument(f"-{field.name}", *SYNONYMS.get(field.name, ()), dest=field.name, default=argparse.SUPPRESS,
                            help=field.metadata.get("help", "").replace("%", "%%"), **keywords)
    parser.add_argument("-version", action="version", version=_version())
    return parser


def _version() -> str:
    import importlib.metadata

    from tfplm.serve.zmq.protocol import VERSION

    return f"bert-serving {VERSION}, tfplm {importlib.metadata.version('tfplm')}"


def start_options(arguments: list[str] | None = None) -> ServeOptions:
    """The options of a `bert-serving-start` command line; exits with status 2 where it does not fit."""
    parser = start_parser()
    values = {**FIXED, **vars(parser.parse_args(arguments))}
    try:
        return ServeOptions(**values)
    except ValueError as error:
        return parser.error(str(error))


def start(arguments: list[str] | None = None) -> int:
    """`bert-serving-start`: serves until it is stopped. Exit status 0, 1 (failed), 2 (usage), 130 (Ctrl-C twice)."""
    options = start_options(arguments)
    hold_import_noise()
    from tfplm.serve.command import serve
    from tfplm.serve.terminal import say

    try:
        serve(options)
        return 0
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        say(f"bert-serving-start: {one_line(error)}")
        return 1


def terminate(arguments: list[str] | None = None) -> int:
    """`bert-serving-terminate -port 5555 [-ip localhost] [-timeout 5000]`: asks a server to stop."""
    parser = argparse.ArgumentParser(prog="bert-serving-terminate", description="Stop a server of BERT vectors")
    parser.add_argument("-ip", default="localhost", help="where the server is")
    parser.add_argument("-port", type=int, required=True, help="its port of requests")
    parser.add_argument("-timeout", type=int, default=TERMINATE_WAIT, help="ms to wait for a connection")
    options = parser.parse_args(arguments)
    import zmq

    context = zmq.Context()
    sender = context.socket(zmq.PUSH)
    try:
        sender.linger = 1000
        sender.immediate = True  # without a connection there is nobody to send to
        sender.sndtimeo = options.timeout
        sender.connect(f"tcp://{options.ip}:{options.port}")
        sender.send_multipart([b"0", b"TERMINATION", b"0", b"0"])
        return 0
    except zmq.Again:
        print(f"bert-serving-terminate: nobody listens at {options.ip}:{options.port}", file=sys.stderr)
        return 1
    finally:
        sender.close()
        context.term()
