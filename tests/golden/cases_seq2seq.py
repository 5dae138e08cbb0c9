"""Encoder-decoders: BART, mBART, T5."""

from case_table import case, family

BART = {"vocab_size": 47, "d_model": 12, "encoder_layers": 2, "decoder_layers": 3, "encoder_attention_heads": 3,
        "decoder_attention_heads": 2, "encoder_ffn_dim": 22, "decoder_ffn_dim": 19, "max_position_embeddings": 19,
        "pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2, "decoder_start_token_id": 2}
MBART = BART | {"scale_embedding": True, "activation_function": "gelu"}
T5 = {"vocab_size": 47, "d_model": 12, "d_kv": 5, "d_ff": 19, "num_layers": 2, "num_decoder_layers": 3, "num_heads": 4,
      "relative_attention_num_buckets": 8, "relative_attention_max_distance": 9, "pad_token_id": 0, "eos_token_id": 1,
      "decoder_start_token_id": 0}
GATED = T5 | {"feed_forward_proj": "gated-gelu", "tie_word_embeddings": False}
# transformers 5 writes these two otherwise than the published files have them
UNTIED = {"tie_word_embeddings": False, "scale_decoder_outputs": None}
EQUAL = {"num_layers": 3}  # the reference's cache fails where the decoder is deeper than the encoder
SCALE = 3.0  # of the models that generate text

SEQ2SEQ = {
    **family("bart", "Bart", BART, [None, "seq2seq_lm"], decoder=True, eos=True),
    **family("bart", "Bart", BART, ["sequence_classification", "question_answering"], eos=True),
    **family("mbart", "MBart", MBART, [None, "seq2seq_lm"], decoder=True, eos=True),
    **family("t5", "T5", T5, [None, "seq2seq_lm"], decoder=True),
    **family("t5-v1_1", "T5", GATED, [None], decoder=True, published_config=UNTIED),
    **family("t5-v1_1", "T5", GATED, ["seq2seq_lm"], decoder=True, untied=True, published_config=UNTIED),
    **family("t5-v1_1-resaved", "T5", GATED, ["seq2seq_lm"], decoder=True, untied=True),
    **family("t5-v1_1-tied", "T5", GATED, ["seq2seq_lm"], decoder=True),
    **family("mt5-tied", "MT5", GATED | {"vocab_size": 53}, ["seq2seq_lm"], decoder=True),
    **family("mt5", "MT5", GATED | {"vocab_size": 53}, [None], decoder=True, published_config=UNTIED),
    **family("mt5", "MT5", GATED | {"vocab_size": 53}, ["seq2seq_lm"], decoder=True, untied=True,
             published_config=UNTIED),
    **family("bart-generation", "Bart", BART, ["seq2seq_lm"], decoder=True, eos=True, scale=SCALE, salt="28"),
    **family("mbart-generation", "MBart", MBART, ["seq2seq_lm"], decoder=True, eos=True, scale=SCALE, salt="34"),
    **family("t5-generation", "T5", T5 | EQUAL, ["seq2seq_lm"], decoder=True, scale=SCALE, salt="22"),
    **family("t5-v1_1-generation", "T5", GATED | EQUAL, ["seq2seq_lm"], decoder=True, untied=True,
             published_config=UNTIED, scale=SCALE, salt="16"),
    "t5-encoder": case("T5", None, T5, model="T5EncoderModel"),
}
