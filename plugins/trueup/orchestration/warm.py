"""Everything a task will need, imported once before the workers are forked."""

import dbt.adapters.postgres
import dbt.cli.main

import trueup.gates.validator
import trueup.pipeline.steps

__all__ = ["dbt", "trueup"]
