"""The model being trained: found, loaded, given an adapter, saved, and made to answer.

Nothing heavy is imported here; `models.environment.prepare` comes before torch, Unsloth and TRL.
"""
