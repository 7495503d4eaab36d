"""Lets the keys that there are do with incidents what they may do with deployments."""

from django.db import migrations

_GIVEN = {"deployments:write": "incidents:write", "deployments:read": "incidents:read"}


def give(apps, schema_editor):
    for key in apps.get_model("deployments", "ApiKey").objects.iterator():
        new = [given for held, given in _GIVEN.items() if held in key.scopes and given not in key.scopes]
        if new:
            key.scopes = [*key.scopes, *new]
            key.save(update_fields=["scopes"])


def take(apps, schema_editor):
    for key in apps.get_model("deployments", "ApiKey").objects.iterator():
        kept = [scope for scope in key.scopes if scope not in _GIVEN.values()]
        if kept != key.scopes:
            key.scopes = kept
            key.save(update_fields=["scopes"])


class Migration(migrations.Migration):
    dependencies = [("deployments", "0003_failures_and_teams")]

    operations = [migrations.RunPython(give, take)]
