from django.db import migrations, models

DEFINITION = {
    "cuts": {name: {"mode": "quantile", "values": []} for name in "rfm"},
    "middle": {name: {"mode": "mean", "value": None} for name in "rfm"},
}


def make_defaults(apps, schema_editor):
    rfm = apps.get_model("analytics", "RfmModel")
    if not rfm.objects.filter(is_default=True).exists():
        rfm.objects.create(name="标准 RFM", is_default=True, definition=DEFINITION)
    lifecycle = apps.get_model("analytics", "LifecycleModel")
    if not lifecycle.objects.exists():
        lifecycle.objects.create()


class Migration(migrations.Migration):
    """One open run per model; scratch rows without an index; the models that every installation starts with."""

    dependencies = [("analytics", "0003_unlogged_scratch"), ("members", "0002_storage")]

    operations = [
        migrations.AddConstraint(
            model_name="rfmrun",
            constraint=models.UniqueConstraint(
                condition=models.Q(state__in=["aggregating", "publishing"]), fields=("model",), name="rfm_one_open_run"
            ),
        ),
        migrations.RunSQL(
            "ALTER TABLE analytics_rfmaggregate DROP CONSTRAINT analytics_rfmaggregate_pkey",
            "ALTER TABLE analytics_rfmaggregate ADD PRIMARY KEY (run_id, member_id)",
        ),
        migrations.RunPython(make_defaults, migrations.RunPython.noop),
    ]
