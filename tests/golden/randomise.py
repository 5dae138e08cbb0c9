"""Random weights that hide nothing: no zero bias, no unit gain, activations of order one."""

import torch

POSITIONS = ("embed_positions", "positions_embed", "wpe", "relative_attention_bias")


@torch.no_grad()
def randomise(model: torch.nn.Module, seed: int, scale: float = 1.0) -> None:
    """Fills every trainable parameter and `final_logits_bias`; tied parameters are met once and stay tied.

    scale: of the matrices of the blocks and of the positions; above 1 they outweigh the last token, so that generation
    varies.
    Fixed tables (sinusoidal positions, `requires_grad=False`) keep their values.
    """
    generator = torch.Generator().manual_seed(seed)
    embeddings = {id(m.weight) for m in model.modules() if isinstance(m, torch.nn.Embedding)}

    def normal(tensor, std, mean=0.0):
        tensor.copy_(mean + std * torch.randn(tensor.shape, generator=generator))

    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        if name.endswith("bias"):
            normal(parameter, 0.2)
        elif parameter.ndim == 1:  # the gain of a norm
            normal(parameter, 0.2, mean=1.0)
        elif id(parameter) in embeddings:
            normal(parameter, 0.4 * (scale if any(part in name for part in POSITIONS) else 1.0))
        else:
            normal(parameter, 0.2 * scale)
    for name, buffer in model.named_buffers():
        if name.endswith("final_logits_bias"):
            normal(buffer, 0.2)
