"""Documents as sequences of tokens: packing, segment pairs, labelled texts."""
