from django.db import migrations

from scrm.common.bitmaps import triggers


class Migration(migrations.Migration):
    """Bitmaps of tiers hear of changes."""

    dependencies = [("members", "0014_tiers"), ("common", "0003_bitmaps")]

    operations = [
        migrations.RunSQL(
            triggers.install(
                "tier", "members_membertier", member="member_id", watched=["tier_id", "since", "expires_at"]
            ),
            triggers.remove("tier", "members_membertier"),
        ),
    ]
