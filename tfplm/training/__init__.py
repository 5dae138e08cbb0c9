"""Objectives, optimizers, schedules, distribution and resuming."""
