"""placeholder"""
from voicemill.training.config import TrainingConfig
def base_fastpitch(config, facts, path):
    raise NotImplementedError
