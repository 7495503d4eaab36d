"""Has verdicts found on the deployments that there are, and causes of the incidents."""

from django.db import migrations


def mark(apps, schema_editor):
    apps.get_model("deployments", "Track").objects.update(judging_pending=True)
    apps.get_model("deployments", "Incident").objects.update(cause_pending=True)


class Migration(migrations.Migration):
    dependencies = [("deployments", "0005_judging")]

    operations = [migrations.RunPython(mark, migrations.RunPython.noop)]
