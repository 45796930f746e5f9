"""Tiny random Qwen3-TTS models in the package's own format, so that the real classes load, build prompts, generate, stop.

`python qwen_models.py FOLDER`, with the Python of locks/qwen, writes one folder for each id of `MODELS`. Random weights
prove the code and never the speech. `TinyQwen` makes them once and lists them on an allowlist.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

MODELS = {
    "Qwen/Qwen3-TTS-12Hz-0.6B-Base": ("base", "0b6"),
    "Qwen/Qwen3-TTS-12Hz-0.6B-CustomVoice": ("custom_voice", "0b6"),
    "Qwen/Qwen3-TTS-12Hz-1.7B-CustomVoice": ("custom_voice", "1b7"),
    "Qwen/Qwen3-TTS-12Hz-1.7B-VoiceDesign": ("voice_design", "1b7"),
}
"""Id on the allowlist -> kind and size that its configuration states."""
SPEAKERS = ("aiden", "dylan", "ryan", "vivian")
FRAME, RATE = 1920, 24_000
_LANGUAGES = [
    "chinese",
    "english",
    "japanese",
    "korean",
    "german",
    "french",
    "russian",
    "portuguese",
    "spanish",
    "italian",
]
_CODEC = (
    "codec_pad_id",
    "codec_bos_id",
    "codec_eos_token_id",
    "codec_think_id",
    "codec_nothink_id",
    "codec_think_bos_id",
    "codec_think_eos_id",
)
_TEXT = ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<tts_pad>", "<tts_text_bos>", "<tts_text_eod>")
_CODEBOOKS, _CODES, _WIDTH = 4, 32, 16
_HEADS = {"num_attention_heads": 2, "head_dim": 8, "intermediate_size": 32, "hidden_size": _WIDTH}
_SPEAKER_ENCODER = {
    "enc_dim": _WIDTH,
    "enc_channels": [8, 8, 8, 8, 24],
    "enc_attention_channels": 4,
    "enc_res2net_scale": 2,
    "enc_se_channels": 4,
}


class TinyQwen:
    """The models in a weights cache, with an allowlist that pins them.

    Attributes:
        cache: a cache folder; the models are below `weights/`.
        allowlist: path of the list.
    """

    def __init__(self, python: Path, folder: Path) -> None:
        self.python, self.cache, self.allowlist = python, folder / "cache", folder / "allowlist.json"
        weights = self.cache / "weights"
        done = subprocess.run(
            [str(python), str(Path(__file__)), str(weights)], capture_output=True, text=True, timeout=600, check=False
        )
        assert done.returncode == 0, done.stderr
        write_allowlist(weights, self.allowlist)


def write_allowlist(weights: Path, target: Path) -> None:
    """Write the shipped allowlist with the models of a weights folder in place of the published ones."""
    from voicemill import files
    from voicemill.settings import REPOSITORY
    from voicemill.weights.allowlist import SHIPPED

    listed = json.loads((REPOSITORY / SHIPPED).read_text("utf-8"))
    for entry in listed["weights"]:
        if entry["id"] in MODELS:
            entry["source"] = "random numbers"
            entry["files"] = [
                {"path": path.relative_to(weights / entry["id"]).as_posix(), "sha256": files.sha256_file(path)}
                for path in sorted((weights / entry["id"]).rglob("*"))
                if path.is_file()
            ]
    target.write_text(json.dumps(listed), "utf-8")


def build(folder: Path, kind: str, size: str) -> None:
    """Write one model."""
    import torch
    from qwen_tts.core.models import Qwen3TTSConfig, Qwen3TTSForConditionalGeneration

    folder.mkdir(parents=True)
    tokens, vocabulary = _text_tokenizer(folder)
    codec = {name: _CODES + index for index, name in enumerate(_CODEC)}
    speakers = {name: _CODES + 40 + index for index, name in enumerate(SPEAKERS)} if kind == "custom_voice" else {}
    languages = {name: _CODES + 20 + index for index, name in enumerate(_LANGUAGES)} | {"beijing_dialect": _CODES + 35}
    config = Qwen3TTSConfig(
        talker_config={
            **_HEADS,
            **codec,
            "vocab_size": 1024 + _CODES,
            "num_hidden_layers": 2,
            "num_key_value_heads": 1,
            "num_code_groups": _CODEBOOKS,
            "text_hidden_size": _WIDTH,
            "text_vocab_size": vocabulary,
            "rope_scaling": {
                "rope_type": "default",
                "type": "default",
                "mrope_section": [2, 1, 1],
                "interleaved": True,
            },
            "codec_language_id": languages,
            "spk_id": speakers,
            "spk_is_dialect": {name: "beijing_dialect" if name == "dylan" else False for name in speakers},
            "code_predictor_config": {
                **_HEADS,
                "vocab_size": _CODES,
                "num_hidden_layers": 1,
                "num_key_value_heads": 1,
                "num_code_groups": _CODEBOOKS,
            },
        },
        speaker_encoder_config=_SPEAKER_ENCODER,
        tokenizer_type="qwen3_tts_tokenizer_12hz",
        tts_model_size=size,
        tts_model_type=kind,
        im_start_token_id=tokens["<|im_start|>"],
        im_end_token_id=tokens["<|im_end|>"],
        tts_pad_token_id=tokens["<tts_pad>"],
        tts_bos_token_id=tokens["<tts_text_bos>"],
        tts_eos_token_id=tokens["<tts_text_eod>"],
    )
    torch.manual_seed(1)
    Qwen3TTSForConditionalGeneration(config).save_pretrained(folder)
    stored = json.loads((folder / "config.json").read_text())
    # transformers adds keys here that the package's own class refuses when it reads the file.
    stored["speaker_encoder_config"] = _SPEAKER_ENCODER
    (folder / "config.json").write_text(json.dumps(stored, indent=2))
    sampling = {"do_sample": True, "temperature": 0.9, "top_p": 1.0, "top_k": 50, "repetition_penalty": 1.05}
    lower = {"subtalker_dosample": True, "subtalker_top_k": 50, "subtalker_top_p": 1.0, "subtalker_temperature": 0.9}
    (folder / "generation_config.json").write_text(json.dumps({**sampling, **lower, "max_new_tokens": 8192}))
    _speech_tokenizer(folder / "speech_tokenizer")


def _text_tokenizer(folder: Path) -> tuple[dict[str, int], int]:
    """Bytes as tokens, and the special ones; returns the ids of these and the size of the vocabulary."""
    from transformers import Qwen2TokenizerFast
    from transformers.models.qwen2.tokenization_qwen2 import bytes_to_unicode

    vocabulary = {sign: index for index, sign in enumerate(bytes_to_unicode().values())}
    (folder / "vocab.json").write_text(json.dumps(vocabulary))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    tokenizer: Any = Qwen2TokenizerFast(
        str(folder / "vocab.json"),
        str(folder / "merges.txt"),
        unk_token=None,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        additional_special_tokens=list(_TEXT),
    )
    tokenizer.save_pretrained(folder)
    return {token: tokenizer.convert_tokens_to_ids(token) for token in _TEXT}, len(tokenizer)


def _speech_tokenizer(folder: Path) -> None:
    """An encoder and decoder of 12.5 frames a second; wide random numbers, so that its sound is not silent."""
    import torch
    from qwen_tts.core import Qwen3TTSTokenizerV2Config, Qwen3TTSTokenizerV2Model
    from transformers import EncodecFeatureExtractor

    heads = {**_HEADS, "num_key_value_heads": 2, "num_hidden_layers": 1}
    config = Qwen3TTSTokenizerV2Config(
        encoder_config={
            **heads,
            "num_filters": 4,
            "upsampling_ratios": [8, 6, 5, 4],
            "codebook_size": _CODES,
            "codebook_dim": 8,
            "num_quantizers": _CODEBOOKS,
            "vector_quantization_hidden_dimension": 8,
            "sampling_rate": RATE,
            "frame_rate": RATE / FRAME,
            "upsample_groups": _WIDTH,
            "use_cache": False,
        },
        decoder_config={
            **heads,
            "codebook_size": _CODES,
            "latent_dim": _WIDTH,
            "codebook_dim": _WIDTH,
            "num_quantizers": _CODEBOOKS,
            "decoder_dim": 32,
        },
        encoder_valid_num_quantizers=_CODEBOOKS,
    )
    torch.manual_seed(2)
    model = Qwen3TTSTokenizerV2Model(config)
    for name, buffer in [*model.named_buffers(), *model.named_parameters()]:
        if name.endswith(("embed_sum", "embedding_sum")):
            torch.nn.init.normal_(buffer.data)
        elif name.startswith("decoder.") and buffer.dim() > 1:
            torch.nn.init.normal_(buffer.data, std=buffer[0].numel() ** -0.5)
    model.save_pretrained(folder)
    EncodecFeatureExtractor(feature_size=1, sampling_rate=RATE, padding_value=0.0).save_pretrained(folder)


def pickle_prompts(model: Path, folder: Path) -> None:
    """Write prompts as the earlier toolbox did, with the package's own class: full, x-vector alone, 16-bit numbers."""
    import pickle

    import numpy as np
    import torch
    from qwen_tts import Qwen3TTSModel

    base = Qwen3TTSModel.from_pretrained(str(model), local_files_only=True, dtype=torch.float32)
    sound = np.random.default_rng(0).normal(0, 0.1, RATE // 2).astype(np.float32), RATE
    for name, text, alone in (("full", "Good morning.", False), ("xvec", None, True), ("bfloat16", None, True)):
        prompt = base.create_voice_clone_prompt(sound, text, alone)
        if name == "bfloat16":
            prompt[0].ref_spk_embedding = prompt[0].ref_spk_embedding.to(torch.bfloat16)
        (folder / f"{name}.pkl").write_bytes(pickle.dumps(prompt))


def main() -> None:
    """`--allowlist FOLDER`: models, weights cache and allowlist, with any Python of voicemill; else see the module."""
    if sys.argv[1] == "--allowlist":
        import os

        from voicemill.settings import REPOSITORY
        from voicemill_cloning.worker.environment import QwenEnvironment

        folder = Path(sys.argv[2])
        TinyQwen(QwenEnvironment.of(os.environ, REPOSITORY, REPOSITORY / "cache").python(), folder)
        return
    for each, (kind, size) in MODELS.items():
        build(Path(sys.argv[1]) / each, kind, size)
    if len(sys.argv) > 2:
        pickle_prompts(Path(sys.argv[1]) / "Qwen/Qwen3-TTS-12Hz-0.6B-Base", Path(sys.argv[2]))


if __name__ == "__main__":
    main()
