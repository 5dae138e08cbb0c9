"""All cases: {name: case}; `case_table.py` says what a case is."""

from cases_decoders import DECODERS
from cases_encoders import ENCODERS
from cases_seq2seq import SEQ2SEQ

CASES = ENCODERS | DECODERS | SEQ2SEQ
