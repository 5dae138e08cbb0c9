"""All tasks by name."""

import dataclasses

from tfplm.adapt.tasks.answers import QuestionAnswering
from tfplm.adapt.tasks.choices import MultipleChoice
from tfplm.adapt.tasks.tags import Tagging
from tfplm.adapt.tasks.targets import Summarization, Translation
from tfplm.adapt.tasks.task import Task, TaskSettings
from tfplm.adapt.tasks.texts import Classification, MultiLabel, Regression

TASKS: dict[str, type[Task]] = {task.name: task for task in (
    Classification, MultiLabel, Regression, Tagging, QuestionAnswering, MultipleChoice, Translation, Summarization)}
LABEL_KINDS = {"multi-label": "multi", "regression": "number"}


def settings_of(options, **changes) -> TaskSettings:
    """The `TaskSettings` among the fields of options (`FinetuneOptions`)."""
    names = {field.name for field in dataclasses.fields(TaskSettings)} & set(vars(options))
    return TaskSettings(**{name: getattr(options, name) for name in names} | changes)
