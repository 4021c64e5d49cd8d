"""What builds look for, one module a workflow; `FINDINGS` are those that this installation reports."""

from trueup.findings import any_workflow, inventory, orders
from trueup.transform.findings import Finding

FINDINGS: tuple[Finding, ...] = (*any_workflow.FINDINGS, *orders.FINDINGS, *inventory.FINDINGS)
