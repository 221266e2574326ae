from django.db import migrations


class Migration(migrations.Migration):
    """Rows that every batch updates keep room on their page, so that an update touches no index."""

    dependencies = [("members", "0001_initial")]

    operations = [
        migrations.RunSQL(
            "ALTER TABLE members_membersummary SET (fillfactor = 70)",
            "ALTER TABLE members_membersummary RESET (fillfactor)",
        ),
    ]
