"""Mistakes of fine-tuning, made on purpose and measured; and the doctor, who looks for them before a run."""
