"""Which arguments of `generate` are frozen, and for which tiny models."""

MODELS = {"gpt2": "causal_lm", "openai-gpt": "causal_lm", "bart": "seq2seq_lm", "mbart": "seq2seq_lm",
          "t5": "seq2seq_lm", "t5-v1_1": "seq2seq_lm"}
DECODER_ONLY = {"gpt2", "openai-gpt"}


def case(name: str, eos: bool = True, full: bool = False, not_for: tuple = (), **arguments) -> dict:
    """eos: an end token is given; full: decoders alone get prompts of one length, since the reference counts padding
    as text in repetition rules."""
    return {"name": name, "eos": eos, "full": full, "not_for": not_for, "arguments": arguments}


CASES = [
    case("greedy", eos=False),
    case("greedy_eos"),
    case("greedy_min_new_tokens", min_new_tokens=7),
    case("greedy_max_new_tokens_1", eos=False, max_new_tokens=1),
    case("greedy_repetition_penalty", full=True, repetition_penalty=1.7),
    case("greedy_no_repeat_ngram_2", full=True, eos=False, no_repeat_ngram_size=2),
    case("greedy_no_repeat_ngram_1", full=True, eos=False, no_repeat_ngram_size=1),
    case("beam_3", eos=False, num_beams=3),
    case("beam_3_eos", num_beams=3),
    case("beam_4_length_penalty_0.6", num_beams=4, length_penalty=0.6),
    case("beam_4_length_penalty_2.0", num_beams=4, length_penalty=2.0),
    case("beam_4_length_penalty_0.0", num_beams=4, length_penalty=0.0),
    case("beam_4_length_penalty_-1.0", num_beams=4, length_penalty=-1.0),
    case("beam_3_early_stopping", num_beams=3, early_stopping=True),
    case("beam_3_early_stopping_never", num_beams=3, early_stopping="never"),
    case("beam_3_return_2", num_beams=3, num_return_sequences=2),
    case("beam_4_return_4_early", num_beams=4, num_return_sequences=4, early_stopping=True),
    case("beam_3_min_new_tokens", num_beams=3, min_new_tokens=6),
    case("beam_3_no_repeat_ngram_2", full=True, num_beams=3, no_repeat_ngram_size=2),
    case("beam_3_repetition_penalty", full=True, num_beams=3, repetition_penalty=1.4),
    case("greedy_forced_bos", forced_bos_token_id=7, not_for=("gpt2", "openai-gpt")),
    case("greedy_forced_eos", eos=False, forced_eos_token_id=9),
    case("beam_3_forced_bos_eos", num_beams=3, forced_bos_token_id=7, forced_eos_token_id=9,
         not_for=("gpt2", "openai-gpt")),
]
