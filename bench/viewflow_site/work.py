"""What is measured of django-viewflow, through its own interfaces; every function is one unit of work.

The person is read anew each time, as every request of Django's does, and asked for the permission.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

from milepost.embedded import EmbeddedPostgres

_MODULE = "bench.viewflow_site.settings"
_OFFICER = "officer"


def set_up(server: EmbeddedPostgres, name: str) -> None:
    """Django on a database of its own on the same server, with its tables and one officer."""
    import psycopg

    parameters = psycopg.conninfo.conninfo_to_dict(server.url("postgres", name))
    os.environ["DJANGO_SETTINGS_MODULE"] = _MODULE
    os.environ["BENCH_VIEWFLOW_HOST"] = str(parameters["host"])
    os.environ["BENCH_VIEWFLOW_NAME"] = name
    os.environ["BENCH_VIEWFLOW_USER"] = str(parameters["user"])
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)
    from django.contrib.auth.models import Permission, User

    officer = User.objects.create_user(_OFFICER)
    wanted = ("change_milestone", "can_approve_approvalprocess")
    officer.user_permissions.set(Permission.objects.filter(codename__in=wanted))
    assert officer.user_permissions.count() == len(wanted)


def close() -> None:
    """Let go of the database."""
    from django.db import connections

    connections.close_all()


def make_milestones(count: int) -> list[int]:
    """Reported milestones."""
    from bench.viewflow_site.models import Milestone

    rows = [Milestone(title=f"m{n}", state="reported", report="It grows.") for n in range(count)]
    return [row.pk for row in Milestone.objects.bulk_create(rows, batch_size=1000)]


def start_processes(count: int) -> list[int]:
    """Processes that wait for a person; their ids."""
    from bench.viewflow_site.flows import ApprovalFlow

    return [ApprovalFlow.start.run(title=f"m{n}").pk for n in range(count)]


def _officer() -> Any:
    from django.contrib.auth.models import User

    return User.objects.get(username=_OFFICER)


def accept(milestone_id: int) -> None:
    """One guarded transition of the FSM: locked, permitted, changed, logged, committed."""
    from django.core.exceptions import PermissionDenied
    from django.db import transaction

    from bench.viewflow_site.flows import MilestoneFlow
    from bench.viewflow_site.models import Milestone

    user = _officer()
    with transaction.atomic():
        milestone = Milestone.objects.select_for_update().get(pk=milestone_id)
        flow = MilestoneFlow(milestone, user)
        if not flow.accept.has_perm(user):
            raise PermissionDenied
        flow.accept("It does what was promised.")


def approve(process_id: int) -> None:
    """One human task: taken by the officer, opened, approved; the flow goes on to its end.

    The same calls in the same transactions as viewflow's own two pages (assign, execute) make on POST.
    """
    from django.core.exceptions import PermissionDenied
    from django.db import transaction

    from bench.viewflow_site.flows import ApprovalFlow

    node = ApprovalFlow.instance.approve
    task_id = _waiting_task(process_id)
    user = _officer()
    with ApprovalFlow.lock(process_id), transaction.atomic():
        task = ApprovalFlow.task_class.objects.get(pk=task_id)
        if not node.can_assign(user, task):
            raise PermissionDenied
        node.activation_class(task).assign(user)
    user = _officer()
    with ApprovalFlow.lock(process_id), transaction.atomic():
        task = ApprovalFlow.task_class.objects.get(pk=task_id)
        activation = node.activation_class(task)
        if not node.can_execute(user, task=task):
            raise PermissionDenied
        activation.start(SimpleNamespace(user=user))
        activation.process.approved = True
        activation.process.save()
        activation.execute()


def _waiting_task(process_id: int) -> int:
    from bench.viewflow_site.flows import ApprovalFlow

    return (
        ApprovalFlow.task_class.objects.filter(process_id=process_id, flow_task=ApprovalFlow.approve).get().pk
    )


def run_process(number: int) -> None:
    """A whole process: started, and its one human task done."""
    approve(start_processes(1)[0])


def outcome(milestones: Sequence[int], processes: Sequence[int]) -> tuple[int, int, int]:
    """How many milestones are accepted, how many log rows there are, how many processes are done."""
    from bench.viewflow_site.models import ApprovalProcess, Milestone, MilestoneLog

    accepted = Milestone.objects.filter(pk__in=milestones, state="accepted").count()
    logged = MilestoneLog.objects.filter(milestone__in=milestones).count()
    return accepted, logged, ApprovalProcess.objects.filter(pk__in=processes, status="DONE").count()
