from django.db import migrations


class Migration(migrations.Migration):
    """Scratch rows need no write-ahead log: a crash empties them and the run starts over."""

    dependencies = [("analytics", "0002_initial")]

    operations = [
        migrations.RunSQL(
            "ALTER TABLE analytics_rfmaggregate SET UNLOGGED", "ALTER TABLE analytics_rfmaggregate SET LOGGED"
        ),
    ]
