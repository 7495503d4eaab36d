from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("deployments", "0004_incident_scopes")]

    operations = [
        migrations.AddField(
            model_name="track",
            name="judging_pending",
            field=models.BooleanField(default=False, editable=False),
        ),
        migrations.AddIndex(
            model_name="track",
            index=models.Index(
                condition=models.Q(("judging_pending", True)), fields=["id"], name="track_judging_pending"
            ),
        ),
        migrations.AddIndex(
            model_name="deployment",
            index=models.Index(fields=["track", "commit_sha"], name="deployment_commit"),
        ),
    ]
