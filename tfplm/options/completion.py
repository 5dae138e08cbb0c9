"""Options of `tfplm completion`."""

import dataclasses
from typing import Literal

from tfplm.options.base import Options, flag


@dataclasses.dataclass(kw_only=True)
class CompletionOptions(Options):
    """Print the lines that make a shell complete verbs, flags, choices and presets when the tab key is pressed.

    Add `eval "$(tfplm completion bash)"` to ~/.bashrc, `eval "$(tfplm completion zsh)"` to ~/.zshrc after compinit, or
    `tfplm completion fish | source` to ~/.config/fish/config.fish. This needs argcomplete: in the clone,
    pip install -e '.[completion]'
    """

    RUN = "tfplm.cli.completion:completion"
    EXAMPLES = ("tfplm completion bash", "tfplm completion fish")
    UNUSED = ("seed", "quiet", "config")

    shell: Literal["bash", "zsh", "fish"] = flag(help="the shell: bash, zsh or fish", positional=True)
