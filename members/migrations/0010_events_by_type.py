from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("members", "0009_event_types_audited"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="event",
            index=models.Index(fields=["member", "type", "-occurred_at"], name="event_of_type"),
        ),
    ]
