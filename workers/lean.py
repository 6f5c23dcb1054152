"""Keeps a waiting journey small: the SDK holds on to more of a workflow's beginning than it needs.

Its first task arrives as one protobuf message, and a part of it that is referred to keeps all of it: the input, the
search attributes, and what else was known at the start, some 10 KiB for as long as the journey waits in the cache.
Two parts are referred to, both nearly always empty: the headers and the result of a run before. They are copied here.
"""

from dataclasses import replace
from typing import Any

from temporalio.api.common.v1 import Payloads
from temporalio.worker import (
    ExecuteWorkflowInput,
    Interceptor,
    UnsandboxedWorkflowRunner,
    WorkflowInboundInterceptor,
    WorkflowInstance,
    WorkflowInstanceDetails,
    WorkflowInterceptorClassInput,
)


class LeanRunner(UnsandboxedWorkflowRunner):
    """Runs workflows without the sandbox, each with its own copy of the result of a run before."""

    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        """See the base class."""
        result = det.last_completion_result
        if result is not None:
            copy = Payloads()
            copy.CopyFrom(result)
            det = replace(det, last_completion_result=copy)
        return super().create_instance(det)


class LeanHeaders(Interceptor):
    """Gives each workflow its own copy of its headers."""

    def workflow_interceptor_class(self, input: WorkflowInterceptorClassInput) -> type[WorkflowInboundInterceptor]:  # noqa: A002, ARG002  the SDK's names
        """See the base class."""
        return _OwnHeaders


class _OwnHeaders(WorkflowInboundInterceptor):
    async def execute_workflow(self, input: ExecuteWorkflowInput) -> Any:  # noqa: A002  the SDK's name
        input.headers = dict(input.headers)
        return await super().execute_workflow(input)
