from django.db import migrations

from scrm.common.bitmaps import triggers


class Migration(migrations.Migration):
    """Bitmaps of scores, stages and model tags hear of changes."""

    dependencies = [("analytics", "0006_workbench"), ("common", "0003_bitmaps")]

    operations = [
        migrations.RunSQL(
            triggers.install("rfm", "analytics_rfmscore", member="member_id", key="model_id",
                watched=["r", "f", "m", "rfm_class", "layer"],),
            triggers.remove("rfm", "analytics_rfmscore"),
        ),
        migrations.RunSQL(
            triggers.install("stage", "analytics_memberstage", member="member_id", watched=["stage", "aipl"]),
            triggers.remove("stage", "analytics_memberstage"),
        ),
        migrations.RunSQL(
            triggers.install("model", "analytics_modelscore", member="member_id", key="model", watched=["value"]),
            triggers.remove("model", "analytics_modelscore"),
        ),
    ]
