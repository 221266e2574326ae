from django.db import migrations

from scrm.common.bitmaps import triggers


class Migration(migrations.Migration):
    """Bitmaps of profile, orders, identities and consents hear of changes."""

    dependencies = [("members", "0007_segment_moves"), ("common", "0003_bitmaps")]

    operations = [
        migrations.RunSQL(
            triggers.install("profile", "members_member", member="id",
                watched=["status", "gender", "city", "province", "country", "store_id", "owner_id", "source_id", "joined_at", "birth_on"],),
            triggers.remove("profile", "members_member"),
        ),
        migrations.RunSQL(
            triggers.install("order", "members_membersummary", member="member_id",
                watched=["order_count", "net_amount", "first_order_at", "last_order_at"],),
            triggers.remove("order", "members_membersummary"),
        ),
        migrations.RunSQL(
            triggers.install("identity", "members_identity", member="member_id", watched=["kind"]),
            triggers.remove("identity", "members_identity"),
        ),
        migrations.RunSQL(
            triggers.install("consent", "members_consent", member="member_id", watched=["channel", "purpose", "state"]),
            triggers.remove("consent", "members_consent"),
        ),
    ]
