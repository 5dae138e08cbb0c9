"""Options of `tfplm info`."""

import dataclasses

from tfplm.options.base import ResultOptions, flag


@dataclasses.dataclass(kw_only=True)
class InfoOptions(ResultOptions):
    """Show versions, processor, devices, and what was chosen for them and why: the library of float32 products, and what
    --dtype auto means.

    The choices rest on times that are measured at the first use, in a second or two, and kept in ~/.cache/tfplm
    (TFPLM_CACHE names another folder, or "off"). TFPLM_FLOAT32 (onednn, xla) and TFPLM_DTYPE (float32, bfloat16) set them.
    """

    RUN = "tfplm.cli.info:info"
    EXAMPLES = ("tfplm info", "tfplm info --measure --json")
    UNUSED = ("seed", "quiet", "config")

    measure: bool = flag(False, "measure again, as after a change of the machine")
