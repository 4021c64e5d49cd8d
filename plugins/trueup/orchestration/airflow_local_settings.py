"""Airflow imports this file in every process at start: warm what the tasks need, where tasks run.

Workers are forked from the scheduler (LocalExecutor) or from the Celery worker, so what is imported
here is there at once in a task: Great Expectations costs 12 s and dbt 6 s to import otherwise.
"""

import sys

if {"scheduler", "celery"} & set(sys.argv):
    import contextlib

    with contextlib.suppress(ImportError):
        import trueup.orchestration.warm  # noqa: F401
