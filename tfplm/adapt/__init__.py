"""Adaptation of trained models: fine-tuning, evaluation, prediction, multi-task training, new classes."""
