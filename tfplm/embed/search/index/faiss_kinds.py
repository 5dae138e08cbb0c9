"""The names of Faiss' indexes, and the string of `faiss.index_factory` that makes each of them.

A kind is one of `KINDS`, or any string of the factory, such as "IVF100,PQ8" or "OPQ16,IVF1024,PQ16". Faiss' own names of
its classes (`IndexIVFPQ`) are other names of kinds.
"""

import dataclasses
import math
import re

from tfplm.embed.search.index.vector_index import IndexSettings

KINDS = ("flat", "ivf", "ivf_pq", "hnsw", "lsh", "sq", "pq", "ivf_sq", "ivf_pqr")
INVERTED = ("ivf", "ivf_sq", "ivf_pq", "ivf_pqr")
QUANTIZED = ("pq", "ivf_pq", "ivf_pqr")  # by product quantization, which learns 2 ** code_bits centroids for each part
TRAINABLE = 2_000  # from this many vectors, a number of cells that is left open is worth it
CANDIDATES = {"sq": 3, "ivf_sq": 3, "pq": 16, "ivf_pq": 16, "ivf_pqr": 8, "lsh": 32}  # to score exactly, for each hit

# other name -> (kind, the metric that it stands for)
NAMES = {
    "IndexFlatL2": ("flat", "l2"), "IndexFlatIP": ("flat", "inner_product"), "IndexFlat": ("flat", None),
    "IndexHNSWFlat": ("hnsw", None), "IndexIVFFlat": ("ivf", None), "IndexLSH": ("lsh", None),
    "IndexScalarQuantizer": ("sq", None), "IndexPQ": ("pq", None), "IndexIVFScalarQuantizer": ("ivf_sq", None),
    "IndexIVFPQ": ("ivf_pq", None), "IVFADC": ("ivf_pq", None), "IndexIVFPQR": ("ivf_pqr", None),
    "IVFADC+R": ("ivf_pqr", None),
}
_FACTORY = re.compile(r"[A-Z][A-Za-z0-9_,+()\[\]]{0,99}")
_MOST = 1 << 20  # the largest number in a string: a folder from elsewhere may name one that takes all memory


def resolve(kind: str, settings: IndexSettings) -> tuple[str, IndexSettings]:
    """The kind of another name, with the settings that it implies: ("IndexFlatL2", ...) -> ("flat", metric "l2").

    Raises ValueError for a name that stands for another metric than the one that was chosen.
    """
    kind, metric = NAMES.get(kind, (kind, None))
    if metric is None or metric == settings.metric:
        return kind, settings
    if settings.metric != "cosine":  # the default
        raise ValueError(f"metric is {settings.metric!r}, but the kind compares by {metric!r}: leave the metric out, or "
                         f"choose the kind {kind!r}")
    return kind, dataclasses.replace(settings, metric=metric)


def is_factory(kind: str) -> bool:
    """Returns True for what may be a string of `faiss.index_factory`."""
    return kind not in NAMES and bool(_FACTORY.fullmatch(kind)) and max(_numbers(kind), default=0) <= _MOST


def check_known(kind: str, others: tuple[str, ...] = ()) -> None:
    """ValueError for what is no kind, nor one of the `others`, and cannot be a string of the factory."""
    if kind not in (*others, *KINDS) and not is_factory(kind):
        listed = f"{', '.join(others)} or one of" if others else "one of"
        raise ValueError(f"kind is {kind!r:.60}, expected {listed} {', '.join(KINDS)}, a class of Faiss such as IndexIVFPQ, "
                         "or a string of its index_factory such as 'IVF100,PQ8': choose one of these")


def lists_for(total: int) -> int:
    """The number of IVF cells for `total` vectors: 2 sqrt(N)."""
    return max(1, round(2 * math.sqrt(total)))


def code_bytes_for(dimension: int) -> int:
    """The bytes of a compressed vector: one for every four numbers."""
    return max(1, -(-dimension // 4))


def hash_bits_for(dimension: int) -> int:
    """The bits of LSH: four for every number, a multiple of 8."""
    return max(64, -(-dimension // 2) * 8)


def parts_of(dimension: int, settings: IndexSettings) -> int:
    """The number of parts of a vector that product quantization codes apart, m."""
    return settings.code_bytes or code_bytes_for(dimension)


def width_of(kind: str, dimension: int, settings: IndexSettings) -> int:
    """The length to which vectors are padded by zeros, which change no product and no distance, so that their parts are
    equally long."""
    if kind not in QUANTIZED:
        return dimension
    parts = parts_of(dimension, settings)
    if kind == "ivf_pqr":
        parts = math.lcm(parts, settings.refine_bytes or parts)
    return -(-dimension // parts) * parts


def factory_string(kind: str, dimension: int, settings: IndexSettings, lists: int) -> str:
    """The string of `faiss.index_factory` for a kind. `lists`: the number of cells, for those that have cells."""
    parts = parts_of(dimension, settings)
    # np: without the permutation of codes for polysemous search, as the classes' constructors
    return {
        "flat": "Flat", "sq": "SQ8", "ivf": f"IVF{lists},Flat", "ivf_sq": f"IVF{lists},SQ8",
        "pq": f"PQ{parts}x{settings.code_bits}np", "ivf_pq": f"IVF{lists},PQ{parts}x{settings.code_bits}np",
        "ivf_pqr": f"IVF{lists},PQ{parts}+{settings.refine_bytes or parts}", "hnsw": f"HNSW{settings.links}",
        # rotated; a bit is set if the number is above its median
        "lsh": f"LSH{settings.hash_bits or hash_bits_for(dimension)}rt",
    }.get(kind, kind)


def fewest_vectors(kind: str, settings: IndexSettings) -> int:
    """The number of vectors from which an index of this kind can be trained; 0 if it learns nothing."""
    if kind in INVERTED and settings.lists is None:
        return TRAINABLE
    if kind in KINDS:
        return max(settings.lists or 0 if kind in INVERTED else 0, 1 << settings.code_bits if kind in QUANTIZED else 0)
    lists = [int(found) for found in re.findall(r"IVF(\d+)", kind)]
    bits = [int(found or 8) for found in re.findall(r"PQ\d+(?:x(\d+))?", kind)]
    return max([0, *lists, *(1 << min(number, 20) for number in bits)])


def bytes_per_vector(kind: str, dimension: int, settings: IndexSettings) -> int:
    """The estimated memory of a vector, including its id, in an index of this kind."""
    parts = parts_of(dimension, settings)
    code = -(-parts * settings.code_bits // 8)
    sizes = {
        "sq": dimension, "ivf_sq": dimension, "hnsw": 4 * dimension + 4 * 2 * settings.links + 16, "pq": code,
        "ivf_pq": code, "ivf_pqr": parts + (settings.refine_bytes or parts),
        "lsh": (settings.hash_bits or hash_bits_for(dimension)) // 8,
    }
    return sizes.get(kind, 4 * dimension) + 8


def _numbers(kind: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", kind)]
