"""The two ways of django-viewflow: a state with guarded transitions, and a flow with a human task."""

import datetime as dt

from django.utils import timezone
from viewflow import fsm, this
from viewflow.workflow import flow, lock
from viewflow.workflow.flow import views

from .models import ApprovalProcess, Milestone, MilestoneLog, MilestoneState


class MilestoneFlow:
    """A milestone's transitions; each leaves the changed row and a row in the log."""

    state = fsm.State(MilestoneState, default=MilestoneState.REPORTED)

    def __init__(self, milestone: Milestone, user) -> None:
        self.milestone = milestone
        self.user = user

    @state.setter()
    def _set_state(self, value) -> None:
        self.milestone.state = value

    @state.getter()
    def _get_state(self):
        return MilestoneState(self.milestone.state)

    @state.transition(
        source=MilestoneState.REPORTED,
        target=MilestoneState.ACCEPTED,
        conditions=[lambda flow: bool(flow.milestone.report)],
        permission=lambda flow, user: user.has_perm("viewflow_site.change_milestone"),
    )
    def accept(self, opinion: str) -> None:
        """The officer accepts what was reported."""
        self.milestone.opinion = opinion
        self.milestone.decided_on = dt.date(2025, 4, 7)

    @state.on_success()
    def _record(self, descriptor, source, target, **kwargs) -> None:
        self.milestone.save(update_fields=["state", "opinion", "decided_on"])
        MilestoneLog.objects.create(
            milestone=self.milestone,
            user=self.user,
            step="accept",
            from_state=source,
            to_state=target,
            opinion=self.milestone.opinion,
            at=timezone.now(),
        )


class ApprovalFlow(flow.Flow):
    """Started by a program, approved by a person, ended."""

    process_class = ApprovalProcess
    lock_impl = lock.SelectForUpdateLock()

    start = flow.StartHandle(this.started).Next(this.approve)
    approve = (
        flow.View(views.UpdateProcessView.as_view(fields=["approved"]))
        .Permission(auto_create=True)
        .Next(this.end)
    )
    end = flow.End()

    def started(self, activation, title: str):
        """The process as it begins."""
        activation.process.milestone_title = title
        return activation.process
