"""A milestone with the log of its transitions, and the process in which a person approves one."""

from django.conf import settings
from django.db import models
from viewflow import jsonstore
from viewflow.workflow.models import Process


class MilestoneState(models.TextChoices):
    """The states of the comparison: reported, accepted, rejected."""

    REPORTED = "reported"
    ACCEPTED = "accepted"
    REJECTED = "rejected"


class Milestone(models.Model):
    """The columns of ours that the transition reads or writes."""

    title = models.TextField()
    state = models.CharField(max_length=20, choices=MilestoneState.choices, db_index=True)
    report = models.TextField(blank=True)
    opinion = models.TextField(blank=True)
    decided_on = models.DateField(null=True)


class MilestoneLog(models.Model):
    """One row for each transition."""

    milestone = models.ForeignKey(Milestone, on_delete=models.CASCADE)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE)
    step = models.CharField(max_length=40)
    from_state = models.CharField(max_length=20)
    to_state = models.CharField(max_length=20)
    opinion = models.TextField()
    at = models.DateTimeField()


class ApprovalProcess(Process):
    """A process as the documentation makes one: its own fields in the process's JSON column."""

    milestone_title = jsonstore.CharField(max_length=200)
    approved = jsonstore.BooleanField(default=False)

    class Meta:
        proxy = True
